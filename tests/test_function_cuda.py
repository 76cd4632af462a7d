"""`edl.function` on a GPU: kernels in CUDA C, and the programs that launch them.

Without a GPU the same tests run on a stand-in for CuPy, whose kernels g++ compiles; with one they run on it as well.
"""

import contextlib
import shutil
import subprocess
import warnings

import cuda_on_cpu
import cupy_stand_in
import numpy as np
import pytest

import eagerdl as edl
from eagerdl import devices
from eagerdl.errors import ShapeError, TracingWarning
from eagerdl.jit.cuda import launching
from eagerdl.tree import flatten


def rng(*shape, seed=0, dtype="float32"):
    made = np.random.default_rng(seed).standard_normal(shape)
    return (made * 3).astype(dtype) if np.dtype(dtype).kind == "f" else (made * 20).astype(dtype)


@pytest.fixture(params=["stand-in", pytest.param("gpu", marks=pytest.mark.gpu)])
def gpu(request):
    """A GPU as the current device."""
    if request.param == "gpu":
        if not devices.gpu_count():
            pytest.skip("no GPU")
        context = contextlib.nullcontext()
    else:
        if cuda_on_cpu.compiler() is None:
            pytest.skip("kernels are compiled by g++, which is not here")
        context = cupy_stand_in.installed()
    with context, edl.device("gpu:0") as place:
        yield place


def agree(a, b, tolerance=1e-5):
    """True if two results are equal to rounding, on the GPU both."""
    mine, theirs = flatten(a)[0], flatten(b)[0]
    assert len(mine) == len(theirs)
    for x, y in zip(mine, theirs):
        assert (x.device, x.dtype, x.shape) == (y.device, y.dtype, y.shape)
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=tolerance, atol=tolerance)
    return True


def steps(function):
    """The kernels and calls of the last trace: labels by name, as in the program."""
    lines = [line.strip() for line in function.source().split("\n\n")[0].splitlines()]
    return [line for line in lines if line[:1] in "kft" and "(" in line and "empty(" not in line]


# -- kernels -------------------------------------------------------------------------------------------


def normalized(x):
    centred = x - edl.mean(x, -1, keepdims=True)
    return centred / edl.sqrt(edl.mean(centred * centred, -1, keepdims=True) + 1e-3)


def with_gradient(function):
    def call(*xs):
        with edl.GradientTape() as tape:
            for x in xs:
                tape.watch(x)
            out = function(*xs)
            loss = edl.sum(out * out)
        return (out, *tape.gradient(loss, list(xs)))

    return call


FUNCTIONS = {
    "elementwise": (lambda x: edl.exp(x) * 2 - edl.tanh(x) / (1 + edl.square(x)), [(5, 7)]),
    "one element": (lambda x: edl.sin(x) + 1, [()]),
    "a long array": (lambda x: edl.sqrt(edl.abs(x)) * 0.5, [(70001,)]),
    "broadcast": (lambda x, y, z: edl.maximum(x * y, z) - x, [(3, 1, 4), (5, 1), (2, 3, 5, 4)]),
    "strides": (lambda x, y: edl.transpose(x) * y[::2, ::-1] + 1, [(3, 4), (8, 3)]),
    "comparisons": (lambda x, y: edl.where((x > y) & (x == x), x, -y), [(9, 2), (9, 2)]),
    "functions": (lambda x: [f(x) for f in (edl.erf, edl.log1p, edl.expm1, edl.arctan, edl.sign, edl.ceil, edl.floor, edl.cosh)],
                  [(2, 9)]),
    "functions of two": (lambda x, y: [f(x, y) for f in (edl.arctan2, edl.minimum, edl.hypot, edl.copysign)] + [edl.abs(x) ** y],
                         [(7,), (7,)]),
    "clip": (lambda x: edl.clip(x, -1.0, 2.0), [(4, 4)]),
    "row sums": (lambda x: (edl.sum(x, -1), edl.max(x, -1), edl.min(x, 1, keepdims=True)), [(6, 9)]),
    "softmax": (lambda x: edl.softmax(x), [(3, 50)]),
    "softmax of one": (lambda x: edl.softmax(x), [(4, 1)]),
    "long rows": (lambda x: (edl.softmax(x), edl.logsumexp(x, -1)), [(3, 3001)]),
    "rows of many axes": (lambda x: edl.sum(edl.exp(x), (2, 3)), [(2, 3, 4, 5)]),
    "everything": (lambda x, y: edl.mean(edl.square(x - y)), [(6, 5), (5,)]),
    "normalized": (normalized, [(2, 3, 40)]),
    "columns": (lambda x: (edl.sum(x, 0), edl.max(x * 2, 0)), [(9, 33)]),
    "many rows": (lambda x, y: edl.sum(x * y, (0, 1)), [(7, 100, 5), (100, 1)]),
    "matrix by matrix": (lambda x, y: (edl.sum(x * y, 1), edl.max(x, 1, keepdims=True)), [(3, 70, 5), (70, 1)]),
    "matrix by matrix, many axes": (lambda x: edl.sum(edl.exp(x), (2, 3)) + 1, [(2, 3, 4, 20, 6)]),
    "rows and columns": (lambda x: (edl.sum(normalized(x), 0), edl.softmax(x)), [(70, 6)]),
    "gradients": (with_gradient(lambda x, y: edl.tanh(x + y)), [(70, 6), (6,)]),
    "gradients of normalized": (with_gradient(lambda x, y: normalized(x) * y), [(65, 12), (12,)]),
    "gradients of softmax": (with_gradient(lambda x: edl.log_softmax(x) * x), [(5, 7)]),
    "matrix products": (with_gradient(lambda x, w, b: edl.relu(x @ w + b)), [(4, 3), (3, 5), (5,)]),
    "views": (lambda x: edl.reshape(edl.transpose(x), (2, 6)) + edl.expand_dims(x[0, :2], 1), [(3, 4)]),
    "16 bits": (lambda x: (edl.cast(edl.cast(x, "float16") * 3, "float32") + x, edl.cast(x, "float16")), [(5, 3)]),
    "16 bits in between": (lambda x: edl.cast(edl.cast(x, "float16") * 3, "float32") + x, [(5, 3)]),
    "empty": (lambda x: (edl.exp(x), edl.sum(x)), [(0, 3)]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_kernels_compute_what_eager_execution_computes(gpu, name):
    function, shapes = FUNCTIONS[name]
    xs = [edl.constant(rng(*shape, seed=i)) for i, shape in enumerate(shapes)]
    compiled = edl.function(function)
    with np.errstate(all="ignore"):
        expected = function(*xs)
        for _ in range(3):
            made = compiled(*xs)
            assert all(one.device == gpu for one in flatten(made)[0])
            np.testing.assert_equal([np.isnan(x.numpy()).any() for x in flatten(made)[0]],
                                    [np.isnan(x.numpy()).any() for x in flatten(expected)[0]])  # fmt: skip
            agree(made, expected, 1e-4 if "long" in name else 2e-5)
    assert compiled.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("dtype", ["float64", "int8", "int32", "int64", "uint8", "bool"])
def test_dtypes(gpu, dtype):
    x, y = (edl.constant(rng(5, 6, seed=seed, dtype=dtype)) for seed in (1, 2))

    def f(x, y):
        return [
            x + y,
            x * y,
            edl.maximum(x, y),
            x == y,
            edl.cast(x, "float32") / 2,
            edl.cast(y, "int32"),
            edl.where(x > y, x, y),
        ]

    compiled = edl.function(f)
    for _ in range(2):
        for a, b in zip(compiled(x, y), f(x, y), strict=True):
            assert a.dtype == b.dtype and np.array_equal(a.numpy(), b.numpy())


def test_16_bit_floats_are_rounded_after_each_call(gpu):
    x, y = (edl.constant(rng(6, 9, seed=seed, dtype="float16")) for seed in (1, 2))

    @edl.function
    def f(x, y):
        z = x * y + 0.1
        return (
            z / x,
            edl.maximum(z, y),
            z > x,
            edl.cast(z, "float32") + 1,
            edl.cast(edl.cast(x, "float32") * 3, "float16"),
        )

    for _ in range(2):
        assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(f(x, y), f.python_function(x, y), strict=True))
    assert "__half" in f.source()


@pytest.mark.parametrize("dtype", ["float64", "int32", "int64", "uint32"])
def test_reductions_of_dtypes(gpu, dtype):
    x = edl.constant(np.abs(rng(70, 40, dtype="int32")).astype(dtype))

    @edl.function
    def f(x):
        return [g(x, axis) for g in (edl.max, edl.min) for axis in (0, 1)] + [
            edl.sum(x, 0, dtype=dtype),
            edl.sum(x, 1, dtype=dtype),
        ]

    for _ in range(2):
        for a, b in zip(f(x), f.python_function(x), strict=True):
            assert np.array_equal(a.numpy(), b.numpy())


def test_nan_and_infinity_are_kept(gpu):
    x = edl.constant(np.array([[1, np.nan, -np.inf, 2], [np.inf, -0.0, 0.0, 5]], "float32"))

    @edl.function
    def f(x):
        return (
            edl.max(x, 1),
            edl.min(x, 0),
            edl.maximum(x, 1.0),
            edl.isnan(x),
            edl.isfinite(x),
            edl.isinf(x),
            edl.sign(x),
        )

    for _ in range(2):
        for a, b in zip(f(x), f.python_function(x), strict=True):
            assert np.array_equal(a.numpy(), b.numpy(), equal_nan=a.dtype.kind == "f")


def test_sums_and_products_of_elements_have_the_bits_of_eager_execution(gpu):
    x, y = edl.constant(rng(50, 8)), edl.constant(rng(8, seed=1))

    @edl.function
    def f(x, y):
        return edl.sqrt(edl.abs(x * y + x)) / (y - x * 3) - x * x * y

    assert all(np.array_equal(f(x, y), f.python_function(x, y)) for _ in range(2))


def test_equal_sources_are_compiled_once_and_serve_all_sizes(gpu):
    @edl.function
    def f(x, b):
        return edl.softmax(x + b), edl.sum(x * b, 0)

    for n in (5, 9, 70, 1500):
        args = edl.constant(rng(n, 6)), edl.constant(rng(6))
        agree(f(*args), f.python_function(*args))
        agree(f(*args), f.python_function(*args))
        if n == 5:
            before = launching.kernel.cache_info().currsize
    # The sums of parts that 1,500 rows are cut into.
    assert launching.kernel.cache_info().currsize <= before + 1


def test_what_is_added_up_over_rows_is_a_kernel_of_its_own(gpu):
    @edl.function
    def f(x, g):
        y = edl.tanh(x) * g
        return edl.softmax(y), edl.sum(y, 0), edl.sum(g * x, 0)

    agree(
        f(*[edl.constant(rng(40, 5, seed=i)) for i in (0, 1)]), f(*[edl.constant(rng(40, 5, seed=i)) for i in (0, 1)])
    )
    assert [line[:2] for line in steps(f)] == ["k0", "k1"]


# -- programs --------------------------------------------------------------------------------------------


def regression(seed=0):
    """A train step in the user's own words, and its variables."""
    w1, b1 = edl.Variable(rng(6, 16, seed=seed) * 0.1), edl.Variable(np.zeros(16, "float32"))
    w2, b2 = edl.Variable(rng(16, 2, seed=seed + 1) * 0.1), edl.Variable(np.zeros(2, "float32"))
    variables = [w1, b1, w2, b2]
    optimizer = edl.optimizers.Adam(0.01)

    def step(x, y):
        with edl.GradientTape() as tape:
            logits = edl.relu(x @ w1 + b1) @ w2 + b2
            loss = (
                edl.mean(edl.nn.losses.mean_squared_error(y, logits))
                if hasattr(edl.nn, "losses")
                else edl.mean((logits - y) ** 2)
            )
        grads = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(grads, variables))
        return loss

    return step, variables


def test_a_train_step(gpu):
    x, y = edl.constant(rng(32, 6)), edl.constant(rng(32, 2, seed=1))
    (eager, mine), (plain, theirs) = regression(), regression()
    compiled = edl.function(plain)
    for _ in range(5):
        agree(compiled(x, y), eager(x, y), 1e-4)
    for a, b in zip(mine, theirs):
        agree(a.value, b.value, 1e-4)
    assert compiled.experimental_get_tracing_count() <= 2
    assert "in place" in str(compiled.explain())


def test_values_taken_before_do_not_change(gpu):
    v = edl.Variable(np.ones((3, 2), "float32"))

    @edl.function
    def f(x):
        v.assign_add(x)
        return v.value * 1

    x = edl.constant(rng(3, 2))
    kept, expected = [], np.ones((3, 2), "float32")
    for _ in range(4):
        f(x)
        expected = expected + x.numpy()
        kept.append((v.value, v.value[1:], expected))
        if len(kept) == 2:
            v.assign(expected)
    for whole, part, then in kept:
        assert np.array_equal(whole.numpy(), then) and np.array_equal(part.numpy(), then[1:])


def test_swapped_variables(gpu):
    a, b = edl.Variable([1.0, 2.0]), edl.Variable([3.0, 4.0])

    @edl.function
    def swap():
        old = a.value
        a.assign(b)
        b.assign(old)

    for i in range(3):
        swap()
        assert a.numpy().tolist() == ([3.0, 4.0] if i % 2 == 0 else [1.0, 2.0])
        assert b.numpy().tolist() == ([1.0, 2.0] if i % 2 == 0 else [3.0, 4.0])


def test_results_are_new_each_time(gpu):
    @edl.function
    def f(x):
        y = x + 1
        return y, edl.reshape(y, (-1,)), x, y @ edl.transpose(y)

    x = edl.constant(rng(3, 2))
    first = f(x), f(x)
    kept = [[one.numpy() for one in made] for made in first]
    f(x * 5)
    for made, old in zip(first, kept):
        assert all(np.array_equal(one, then) for one, then in zip(made, old))


def test_tapes_outside(gpu):
    w = edl.Variable(rng(4, 3))

    @edl.function
    def f(x):
        return edl.tanh(x @ w)

    x = edl.constant(rng(5, 4, seed=3))
    for _ in range(2):
        found = []
        for function in (f, f.python_function):
            with edl.GradientTape() as tape:
                tape.watch(x)
                loss = edl.sum(function(x))
            found.append(tape.gradient(loss, [x, w]))
        agree(*found)


def test_numbers_that_change_and_random_numbers(gpu):
    @edl.function
    def f(x, rate):
        return x * rate + edl.random.normal((3, 2)) + edl.random.uniform((3, 2))

    x = edl.constant(rng(3, 2))
    for rate in (0.5, 0.25, 0.125, 2.0):
        edl.random.set_seed(4)
        made = [f(x, rate), f(x, rate)]
        edl.random.set_seed(4)
        agree(made, [f.python_function(x, rate), f.python_function(x, rate)])
    assert f.experimental_get_tracing_count() <= 3


def test_loops_and_branches(gpu):
    @edl.function
    def f(x, n):
        total = edl.zeros_like(x)
        i = edl.constant(0)
        while i < n:
            total = total + edl.sin(x) * edl.cast(i, "float32")
            i = i + 1
        if edl.sum(total) > 0:
            total = total * 2
        else:
            total = total - 1
        last, rows = edl.scan(lambda carry, row: (carry + row, carry * row), x[0], x)
        return total, last, rows

    x = edl.constant(rng(4, 3))
    for n in (3, 0):
        expected = f.python_function(x, edl.constant(n))
        for _ in range(2):
            agree(f(x, edl.constant(n)), expected)


def test_the_same_function_on_the_cpu_and_on_the_gpu(gpu):
    @edl.function
    def f(x):
        return edl.softmax(x) + edl.ones(3)

    with edl.device("cpu"):
        here = f(edl.constant([1.0, 2.0, 3.0]))
    there = f(edl.constant([1.0, 2.0, 3.0]))
    assert here.device == "cpu:0" and there.device == gpu
    np.testing.assert_allclose(here.numpy(), there.numpy(), rtol=1e-6)
    assert f.experimental_get_tracing_count() == 2


def test_shapes_that_depend_on_elements_run_line_by_line(gpu):
    @edl.function
    def f(x):
        return edl.nonzero(x > 0)[0]

    assert f(edl.constant([1.0, -1.0, 2.0])).shape == (2,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TracingWarning)
        assert f(edl.constant([1.0, 1.0, 2.0])).shape == (3,)


def test_errors_say_the_line(gpu):
    @edl.function
    def f(x):
        return x @ edl.ones((4, 2))

    with pytest.raises(ShapeError):
        f(edl.constant(rng(3, 5)))


def test_what_was_compiled_is_shown(gpu):
    @edl.function
    def f(x, w):
        return edl.softmax(x @ w) * 2

    args = edl.constant(rng(3, 4)), edl.constant(rng(4, 5))
    f(*args)
    source, report = f.source(), str(f.explain(*args))
    assert 'extern "C" __global__ void kernel(' in source and "test_function_cuda.py" in source
    assert "a library: cuBLAS" in report and "fused: 6 calls in one pass" in report
    assert "maximum.reduce" in f.graph()


def test_without_compilation_calls_run_one_by_one(gpu):
    f = edl.function(lambda x: edl.exp(x) + 1, jit_compile=False)
    x = edl.constant(rng(3))
    agree(f(x), f(x))
    assert "CuPy runs the calls one after another" in f.source()


# -- replays -----------------------------------------------------------------------------------------------


def test_captured_steps_are_replayed(gpu):
    x, y = edl.constant(rng(32, 6)), edl.constant(rng(32, 2, seed=1))
    (eager, mine), (plain, theirs) = regression(), regression()
    compiled = edl.function(plain, capture=True)
    for i in range(8):
        if i == 5:
            for one in (mine[0], theirs[0]):
                one.assign(rng(6, 16, seed=9))
        agree(compiled(x * (i + 1), y), eager(x * (i + 1), y), 1e-3)
    for a, b in zip(mine, theirs):
        agree(a.value, b.value, 1e-3)
    program = compiled._latest.program
    assert program.capture.graph is not None and program.capture.reason is None
    assert "as one CUDA graph" in str(compiled.explain())


def test_replayed_results_are_new_each_time(gpu):
    f = edl.function(lambda x: (edl.exp(x), edl.sum(x, 0), edl.concatenate([x, x])), capture=True)
    made = []
    for i in range(5):
        x = edl.constant(rng(4, 3, seed=i))
        made.append((f(x), f.python_function(x)))
    for a, b in made:
        agree(a, b)


def test_what_cannot_be_captured_says_so_and_runs(gpu):
    f = edl.function(lambda x: x + edl.random.normal((3,)), capture=True)
    x = edl.constant(rng(3))
    edl.random.set_seed(1)
    with pytest.warns(
        TracingWarning, match=r"capture=True needs a step that is launches on a GPU only; .* lives on the CPU"
    ):
        made = [f(x), f(x), f(x)]
    edl.random.set_seed(1)
    agree(made, [f.python_function(x) for _ in range(3)])


# -- sources -------------------------------------------------------------------------------------------------


def test_nvcc_takes_the_sources(tmp_path):
    """Sources are CUDA C: NVIDIA's compiler takes all that this file makes."""
    if shutil.which("nvcc") is None or cuda_on_cpu.compiler() is None:
        pytest.skip("nvcc and g++ are needed")
    sources = {}
    with cupy_stand_in.installed(), edl.device("gpu:0"), np.errstate(all="ignore"):
        for function, shapes in FUNCTIONS.values():
            xs = [edl.constant(rng(*shape, seed=i)) for i, shape in enumerate(shapes)]
            compiled = edl.function(function)
            compiled(*xs)
            for step in compiled._latest.program.steps:
                if step.region is not None:
                    sources |= dict.fromkeys([step.source.text, *step.source.second])
    lines = ["#include <cuda_fp16.h>"]
    for i, source in enumerate(sources):
        body = source.removeprefix(lines[0] + "\n").replace("void kernel(", f"void kernel{i}(")
        lines += [f"namespace n{i} {{", body, "}"]
    (tmp_path / "kernels.cu").write_text("\n".join(lines))
    command = "nvcc -std=c++17 --fmad=false -Werror all-warnings -ptx kernels.cu -o kernels.ptx".split()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
