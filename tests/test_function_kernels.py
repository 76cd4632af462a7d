"""Kernels: formulas of NumPy in place, and reductions that end a region of fused calls."""

import concurrent.futures

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.jit import lowering
from eagerdl.machine import compiler, native
from eagerdl.tree import flatten


@pytest.mark.parametrize("name", ["exp", "sin", "cos"])
def test_formulas_give_the_bits_of_numpy(name):
    """Where the formula of a function is not that of the NumPy at hand, kernels call NumPy's loop; both give its bits."""
    function, x = getattr(np, name), np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint32).view("float32")
    if not lowering.agrees(function):
        pytest.skip("NumPy computes it otherwise on this processor")
    out = np.empty_like(x)
    table = np.array([x.size, native.address(x), native.address(out)], np.int64)
    compiler.kernel(lowering.CHECK.format(name=name)).run(native.address(table))
    with np.errstate(all="ignore"):
        assert np.array_equal(out, function(x), equal_nan=True)


def test_formulas_that_disagree_are_not_used(monkeypatch):
    monkeypatch.setattr(lowering, "agrees", lambda function: False)
    lowering._lowered.cache_clear()
    try:
        x = edl.linspace(-3.0, 3.0, 50)
        f = edl.function(lambda x: edl.exp(x) + 1)
        f(x)
        assert np.array_equal(f(x), edl.exp(x) + 1)
        assert "exp_f4" not in f.source() and "loop_2" in f.source()
    finally:
        lowering._lowered.cache_clear()


MIDDLE = {
    "softmax over keys": lambda x: edl.softmax(x * 0.5 + 1, -2),
    "several axes": lambda x: (edl.sum(x * x, (1, 2)), edl.max(-x, (1, 2)), edl.sum(x, (0, 1))),
    "kept": lambda x: x - edl.mean(x, 1, keepdims=True),
    "two ways": lambda x: (edl.sum(x + 1, 1), edl.sum(x + 1, (0, 1)), edl.sum(x + 1, -1)),
}


@pytest.mark.parametrize(
    "shape", [(3, 4, 5, 6), (2, 1, 7, 8), (12, 4, 64, 64), (3, 4, 1, 6), (1, 1, 5, 3), (4, 3, 5, 1)]
)
@pytest.mark.parametrize("name", MIDDLE)
def test_sums_over_middle_axes(name, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    x[..., -1] = -0.0
    x, function = edl.constant(x), MIDDLE[name]
    traced = edl.function(function)
    traced(x)
    for out, expected in zip(flatten(traced(x))[0], flatten(function(x))[0], strict=True):
        assert np.array_equal(out, expected)
        assert np.array_equal(np.signbit(out), np.signbit(expected))


def test_sums_over_middle_axes_are_fused():
    x = edl.ones((3, 4, 5, 6))
    f = edl.function(lambda x: edl.sum(edl.exp(x) * 2, 2))
    f(x)
    assert f.source().count("def kernel") == 1 and "np." not in f.source().split("\n\n")[0]


# -- copies, and rows added at places ---------------------------------------------------------------

COPIES = {
    "transposed": lambda x: edl.reshape(edl.transpose(x, (1, 0, 2)), (-1, x.shape[2])) * 2,
    "concatenated": lambda x: edl.concatenate([x[:1] + 1, x, edl.exp(x)], 0) * 2,
    "concatenated along the last axis": lambda x: edl.concatenate([edl.exp(x), edl.transpose(x * 2, (0, 1, 2))], -1),
    "of a view": lambda x: edl.reshape(edl.transpose(x[:, ::2, ::-1], (2, 1, 0)), (-1,)) + 1,
    "returned": lambda x: edl.reshape(edl.swapaxes(x + 1, 0, 2), (-1,)),
}


@pytest.mark.parametrize("shape", [(3, 4, 5), (130, 70, 60), (1, 200, 300)])
@pytest.mark.parametrize("name", COPIES)
def test_copies(name, shape):
    x, function = edl.constant(np.random.default_rng(0).standard_normal(shape).astype("float32")), COPIES[name]
    traced = edl.function(function)
    traced(x)
    assert np.array_equal(traced(x), function(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("index", ["int32", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(50,), (4, 6), (2, 3, 4), (0,)])
def test_gradients_of_embeddings(shape, index, dtype):
    rng = np.random.default_rng(0)
    table = edl.Variable(rng.standard_normal((10, 7)).astype(dtype))
    places = edl.constant(rng.integers(0 if index == "uint8" else -10, 10, shape).astype(index))

    def gradient(places):
        with edl.GradientTape() as tape:
            rows = edl.take(table, places, 0)
            loss = edl.sum(rows * edl.cos(rows))
        return tape.gradient(loss, table)

    traced = edl.function(gradient)
    traced(places)
    assert np.array_equal(traced(places), gradient(places))


# -- loops that overwrite -----------------------------------------------------------------------------


def losses(layer, x, how):
    with edl.GradientTape() as tape:
        tape.watch(x)
        loss = edl.sum(how(layer, x) ** 2)
    return [loss, *tape.gradient(loss, [x, *layer.trainable_variables])]


@pytest.mark.parametrize("how", [
    lambda layer, x: layer(x),
    lambda layer, x: layer(x) + layer(x) * 2,  # two loops along one product
    lambda layer, x: layer(layer(x)),
    lambda layer, x: layer(x[:, ::-1]) * edl.matmul(x, layer.cell.kernel)[..., :5],
], ids=["once", "twice", "stacked", "backwards"])  # fmt: skip
@pytest.mark.parametrize("bias", [True, False])
def test_recurrent_steps_overwrite_nothing_that_is_needed(how, bias):
    layer = edl.layers.LSTM(5, return_sequences=True, use_bias=bias)
    x = edl.constant(np.random.default_rng(0).standard_normal((3, 8, 5)).astype("float32"))
    layer(x)
    expected, traced = losses(layer, x, how), edl.function(lambda x: losses(layer, x, how))
    for _ in range(3):
        for out, wanted in zip(traced(x), expected, strict=True):
            assert np.array_equal(out, wanted)


def test_parts_of_a_concatenation_are_written_in_place():
    def step(c, x):
        c = edl.concatenate([edl.exp(x[:2]) * c[2:4], x[2:] + c[:2], c[:1] * 2 - x[1:2]], 0)
        return c, c * 3

    x = edl.constant(np.random.default_rng(0).standard_normal((6, 4)).astype("float32"))
    traced = edl.function(lambda x: edl.scan(step, edl.ones(5), x))
    traced(x)
    for out, wanted in zip(flatten(traced(x))[0], flatten(edl.scan(step, edl.ones(5), x))[0], strict=True):
        assert np.array_equal(out, wanted)


# -- large arrays, which are read and made where they are -------------------------------------------

LARGE = (130, 96)  # floats of 49,920 bytes


def laid(how):
    """The same values in several layouts."""
    values = np.random.default_rng(0).standard_normal(LARGE).astype("float32")
    if how == "unaligned":
        out = np.frombuffer(b"x" + values.tobytes(), np.uint8, offset=1)
        return out.view(np.dtype("float32")).reshape(LARGE)
    return {
        "rows": values,
        "columns": np.asfortranarray(values),
        "every second": np.repeat(values, 2, 1)[:, ::2],
        "backwards": values[::-1, ::-1].copy()[::-1, ::-1],
    }[how]


def test_large_arrays_are_not_copied():
    f = edl.function(lambda x: (x * 2, edl.matmul(x, x.T)))
    x = edl.constant(laid("rows"))
    f(x)
    assert "copyto" not in f.source() and "array(" not in f.source()
    small = edl.function(lambda x: x * 2)
    small(x[:3])
    assert "copyto" in small.source()


@pytest.mark.parametrize("first", ["rows", "columns"])
@pytest.mark.parametrize("how", ["rows", "columns", "every second", "backwards", "unaligned"])
def test_large_arrays_of_any_layout(first, how):
    def body(x):
        return x + 1, edl.sum(x * x, 0), edl.exp(x.T) * 2, x @ x.T, x[3:], edl.sum(x)

    f = edl.function(body)
    f(edl.convert_to_tensor(laid(first)))
    x = edl.convert_to_tensor(laid(how))
    for got, wanted in zip(f(x), body(x), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_large_results_are_new_at_each_call():
    @edl.function
    def f(x):
        y = x * 2
        return y, y, x, x + y, x @ edl.ones((LARGE[1], LARGE[1]))

    x = edl.constant(laid("rows"))
    before = f(x)
    kept = [one.numpy().copy() for one in before]
    after = f(x + 1)
    for one, then in zip(before, kept, strict=True):
        np.testing.assert_array_equal(one, then)
    assert not any(np.shares_memory(one, other) for one in before for other in after)


def test_large_inputs_may_lie_in_variables_that_are_written():
    v = edl.Variable(laid("rows"))

    @edl.function
    def f(x):
        v.assign(v * 2 + x)
        return x + v, x * 3

    for _ in range(3):
        x, before = v.value, v.numpy().copy()
        y, z = f(x)
        np.testing.assert_array_equal(v.numpy(), before * 2 + before)
        np.testing.assert_array_equal(y, before + v.numpy())
        np.testing.assert_array_equal(z, before * 3)
        np.testing.assert_array_equal(x, before)


def test_large_arrays_in_gradients_and_in_several_threads():
    @edl.function
    def f(x, y):
        return edl.tanh(x * y) + x

    x, y = edl.constant(laid("rows")), edl.constant(laid("backwards"))

    def gradients(f):
        with edl.GradientTape() as tape:
            tape.watch([x, y])
            loss = edl.sum(f(x, y) ** 2)
        return tape.gradient(loss, [x, y])

    wanted = gradients(f.python_function)
    with concurrent.futures.ThreadPoolExecutor(4) as team:
        for found in team.map(lambda _: gradients(f), range(24)):
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(one, other)
