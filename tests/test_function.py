"""`edl.function`: what it takes and gives, when it traces, and that it computes what the undecorated function computes."""

import dataclasses
import gc
import threading
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, EagerdlError, ShapeError, TracingError, TracingWarning
from eagerdl.machine.compiler import compile_counts


def normal(*shape, seed=0):
    return edl.constant(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


def twice(function, *args, **named):
    """What a function gives as it is traced, and as it runs compiled."""
    return function(*args, **named), function(*args, **named)


# -- arguments and results ------------------------------------------------------------------------


@dataclasses.dataclass
class Pair:
    first: object
    second: object = 3


class Named(NamedTuple):
    x: object
    y: object


def test_structures_come_back_as_they_were_made():
    @edl.function
    def f(batch, pair, scale=2.0, *, shift=None):
        x = batch["x"][0] * scale
        return {
            "sum": edl.sum(x),
            "rest": (x, [batch["x"][1]], None, "text"),
            "named": Named(x, 1),
            "pair": dataclasses.replace(pair, first=x),
        }

    x, y = normal(2, 3), normal(4)
    for out in twice(f, {"x": (x, y)}, Pair(x), shift=[x]):
        assert np.array_equal(out["rest"][0], np.asarray(x) * np.float32(2))
        assert np.array_equal(out["rest"][1][0], y)
        assert out["rest"][2:] == (None, "text")
        assert type(out["named"]) is Named and out["named"].y == 1
        assert (
            type(out["pair"]) is Pair and out["pair"].second == 3 and np.array_equal(out["pair"].first, out["rest"][0])
        )
    assert f.experimental_get_tracing_count() == 1


def test_arrays_become_tensors():
    @edl.function
    def f(x):
        return x * 2

    for out in twice(f, np.ones((2, 2), "float32")):
        assert isinstance(out, edl.Tensor) and out.dtype == "float32"
    assert np.array_equal(f(edl.ones((2, 2))), np.full((2, 2), 2))
    assert f.experimental_get_tracing_count() == 1


def test_results_are_new_each_time():
    @edl.function
    def f(x):
        return x + 1, x

    x = normal(3)
    f(x)
    first, same = f(x)
    kept = first.numpy()
    f(x * 5)
    assert np.array_equal(first, kept) and np.array_equal(same, x)


def test_constants_and_variables_are_results_as_they_are():
    v = edl.Variable([1.0, 2.0])
    c = edl.constant(3.0)

    @edl.function
    def f():
        return v, c, "name"

    for out in twice(f):
        assert out[0] is v and out[1] is c and out[2] == "name"


def test_other_arguments_trace_again():
    @edl.function
    def f(x, how="sum", training=False):
        return getattr(edl, how)(x) * (2 if training else 1)

    x = normal(3, 2)
    assert [float(f(x, how, training)) for how in ("sum", "mean") for training in (False, True)] == pytest.approx(
        [float(edl.sum(x)), 2 * float(edl.sum(x)), float(edl.mean(x)), 2 * float(edl.mean(x))]
    )
    assert f.experimental_get_tracing_count() == 4
    f(x, "sum", False)
    f(x)
    assert f.experimental_get_tracing_count() == 4


def test_changing_numbers_are_traced_twice_at_most():
    @edl.function
    def f(x, rate, step):
        return x * (1.0 - rate) + rate * 0.5 - step / 3

    x = normal(5)
    for i in range(12):
        rate = 0.1 + 0.07 * i
        expected = x * (1.0 - rate) + rate * 0.5 - i / 3
        assert np.array_equal(f(x, rate, i), expected)
    assert f.experimental_get_tracing_count() <= 3


def test_numbers_that_python_needs_stay_static():
    @edl.function
    def f(x, n, p):
        for _ in range(n):
            x = x * 2
        return x**p

    x = normal(3)
    for n, p in ((1, 2), (2, 2), (3, 3), (2, 0.5)):
        expected = f.python_function(x, n, p)
        assert np.array_equal(f(x, n, p), expected, equal_nan=True)
        assert np.array_equal(f(x, n, p), expected, equal_nan=True)


def test_methods_keep_their_objects_apart_and_let_them_go():
    class Counter(edl.Module):
        def __init__(self, step):
            self.step, self.n = step, edl.Variable(0.0)

        @edl.function
        def add(self, x):
            self.n.assign_add(x * self.step)
            return self.n.value

    a, b = Counter(1.0), Counter(10.0)
    x = edl.constant(2.0)
    assert [float(a.add(x)), float(b.add(x)), float(a.add(x)), float(b.add(x)), float(a.add(x))] == [2, 20, 4, 40, 6]
    gone = weakref.ref(a)
    del a
    gc.collect()
    assert gone() is None


def test_methods_of_objects_that_nobody_else_holds():
    class Scale(edl.Module):
        @edl.function
        def __call__(self, x):
            return x * 2

        @edl.function
        def run(self, x):
            return x * 3

    assert Scale().run(edl.constant(2.0)).item() == 6.0
    assert Scale().run.experimental_get_tracing_count() == 0
    assert Scale()(edl.constant(2.0)).item() == 4.0


def test_numbers_made_of_tensors_have_the_precision_of_python():
    @edl.function
    def f(x):
        scale = 1.0 / float(edl.sum(x))
        return x * scale, x * (int(x[0] * 10) + 0.1)

    x = normal(5) ** 2
    for out in twice(f, x):
        assert all(map(np.array_equal, out, f.python_function(x)))


def test_functions_inside_of_functions_are_part_of_the_trace():
    @edl.function
    def inner(x):
        return edl.tanh(x)

    @edl.function
    def outer(x):
        return inner(x) + inner(x * 2)

    x = normal(4)
    for out in twice(outer, x):
        assert np.array_equal(out, edl.tanh(x) + edl.tanh(x * 2))
    assert inner.experimental_get_tracing_count() == 0


def test_input_signature_fits_arguments():
    @edl.function(input_signature=[edl.TensorSpec((None, 2), "float32")])
    def f(x):
        return edl.sum(x, 0)

    assert f([[1, 2], [3, 4]]).tolist() == [4.0, 6.0]
    with pytest.raises(ShapeError, match="must fit"):
        f(normal(3, 3))


def test_concrete_functions():
    @edl.function
    def f(x):
        return x * 2

    concrete = f.get_concrete_function(edl.TensorSpec((3,), "float32"))
    assert f.get_concrete_function(edl.zeros(3)) is concrete
    assert f.experimental_get_tracing_count() == 1


# -- variables --------------------------------------------------------------------------------------


def test_variables_made_in_the_first_call():
    class Layer:
        v = None

        @edl.function
        def __call__(self, x):
            if self.v is None:
                self.v = edl.Variable(edl.random.normal((3,)))
            self.v.assign_add(x)
            return self.v * 1.0

    edl.random.set_seed(3)
    layer = Layer()
    x = normal(3)
    out = [layer(x) for _ in range(4)]
    edl.random.set_seed(3)
    start = edl.random.normal((3,))
    assert np.array_equal(out[0], start + x)
    assert np.array_equal(out[3], start + x + x + x + x)


def test_variables_made_later_are_refused():
    @edl.function
    def f(x, make=False):
        if make:
            return edl.Variable(x) * 2
        return x

    f(normal(2))
    f(normal(2))
    with pytest.raises(TracingError, match="first call"):
        f(normal(2), make=True)


def test_values_taken_before_do_not_change():
    v = edl.Variable(np.arange(4.0, dtype="float32"))

    @edl.function
    def f():
        v.assign_add(edl.ones(4))

    f()
    f()
    kept, view = v.value, np.asarray(v)
    f()
    f()
    assert kept.tolist() == [2.0, 3.0, 4.0, 5.0] and view.tolist() == [2.0, 3.0, 4.0, 5.0]
    assert v.tolist() == [4.0, 5.0, 6.0, 7.0]


def test_assignments_from_outside_are_seen():
    v = edl.Variable([1.0, 2.0])

    @edl.function
    def f(x):
        return v * x

    x = edl.constant(2.0)
    f(x)
    assert f(x).tolist() == [2.0, 4.0]
    v.assign([5.0, 6.0])
    assert f(x).tolist() == [10.0, 12.0]


def test_variables_that_hold_views():
    v = edl.Variable(np.zeros((3, 2), "float32"))

    @edl.function
    def f():
        v.assign_add(v * 2)
        return edl.sum(v, 0)

    x = np.arange(6.0, dtype="float32").reshape(3, 2)
    for view in (x[::-1], np.broadcast_to(x[:1], (3, 2)), x.reshape(2, 3).T):
        v.assign(edl.convert_to_tensor(view))
        for k in range(1, 4):
            assert np.array_equal(f(), (view * np.float32(3**k)).sum(0))


def test_swapped_and_chained_assignments():
    a, b, c = edl.Variable([1.0, 2.0]), edl.Variable([3.0, 4.0]), edl.Variable([0.0, 0.0])

    def step():
        old = a.value
        a.assign(b)
        b.assign(old)
        c.assign(a + b)
        c.assign_sub(old)

    eager = [v.numpy() for v in (a, b, c)]
    compiled = edl.function(step)
    for _ in range(3):
        step()
    expected = [v.numpy() for v in (a, b, c)]
    for v, value in zip((a, b, c), eager):
        v.assign(value)
    for _ in range(3):
        compiled()
    assert all(np.array_equal(v, value) for v, value in zip((a, b, c), expected))


def test_a_variable_that_is_read_through_a_view_is_not_overwritten_meanwhile():
    v = edl.Variable(np.arange(9.0, dtype="float32").reshape(3, 3))

    @edl.function
    def f():
        v.assign(v + edl.transpose(v))

    expected = v.numpy()
    for _ in range(3):
        f()
        expected = expected + expected.T
        assert np.array_equal(v, expected)


def test_a_value_from_before_an_assignment_is_returned():
    v = edl.Variable([1.0, 2.0, 3.0])

    @edl.function
    def f():
        old = v.value
        v.assign(v * 2)
        return old, old[::-1], v.value

    for factor in (1, 2, 4):
        old, view, new = f()
        assert old.tolist() == [factor * 1.0, factor * 2.0, factor * 3.0] and view.tolist() == old.tolist()[::-1]
        assert new.tolist() == [2 * x for x in old.tolist()]


def test_functions_share_variables():
    v = edl.Variable([1.0])

    @edl.function
    def grow():
        v.assign(v * 2)

    @edl.function
    def read(x):
        return v + x

    x = edl.constant([0.0])
    seen = []
    for _ in range(4):
        grow()
        seen.append(float(read(x)[0]))
    assert seen == [2.0, 4.0, 8.0, 16.0]


def test_an_error_while_tracing_changes_no_variable():
    v = edl.Variable(1.0)

    @edl.function
    def f(x):
        v.assign_add(1.0)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        f(normal(2))
    assert float(v) == 1.0
    assert float(v * 2) == 2.0


def test_random_numbers_go_on():
    def draw():
        return edl.random.normal((3,)), edl.random.uniform((2,), seed=seeds)

    compiled = edl.function(draw)
    results = []
    for function in (draw, compiled):
        edl.random.set_seed(1)
        seeds = edl.random.SeedGenerator(2)
        results.append([np.concatenate([np.asarray(x) for x in function()]) for _ in range(4)])
        compiled = edl.function(draw)
    assert np.array_equal(*results)
    assert not np.array_equal(results[1][2], results[1][3])


# -- gradients --------------------------------------------------------------------------------------


def test_tapes_inside_and_outside():
    w = edl.Variable(np.random.default_rng(1).standard_normal((3, 2)).astype("float32"))

    def loss(x):
        return edl.sum(edl.tanh(x @ w) ** 2)

    def gradients(function, x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, [x, w])

    x = normal(4, 3)
    expected = gradients(loss, x)
    compiled = edl.function(loss)
    whole = edl.function(lambda x: gradients(loss, x))
    for _ in range(3):
        for found in (gradients(compiled, x), whole(x)):
            assert all(map(np.array_equal, found, expected))


def test_derivatives_of_any_order():
    def cube(x):
        return x * x * x

    def third(function, x):
        with edl.GradientTape() as t3:
            t3.watch(x)
            with edl.GradientTape() as t2:
                t2.watch(x)
                with edl.GradientTape() as t1:
                    t1.watch(x)
                    y = edl.sum(function(x))
                first = t1.gradient(y, x)
            second = t2.gradient(first, x)
        return first, second, t3.gradient(second, x)

    x = normal(5)
    expected = third(cube, x)
    for function in (lambda x: third(edl.function(cube), x), edl.function(lambda x: third(cube, x))):
        for _ in range(2):
            assert all(map(np.array_equal, function(x), expected))


def test_forward_mode_and_jacobians():
    f = edl.function(lambda x: edl.sin(x) * x)
    x = normal(3)
    with edl.ForwardAccumulator(x, edl.ones(3)) as accumulator:
        y = f(x)
    assert np.array_equal(accumulator.jvp(y), edl.cos(x) * x + edl.sin(x))
    assert np.allclose(edl.jacobian(f)(x), np.diag(np.asarray(edl.cos(x) * x + edl.sin(x))))
    assert np.array_equal(edl.vectorized_map(f, normal(4, 3)), edl.sin(normal(4, 3)) * normal(4, 3))


def test_a_used_up_tape_says_so_under_tracing():
    @edl.function
    def f(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = x * x
        tape.gradient(y, x)
        return tape.gradient(y, x)

    with pytest.raises(EagerdlError, match="used up"):
        f(normal(2))


# -- what cannot be traced ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        lambda x: x * float(edl.sum(x)),
        lambda x: np.asarray(x) * 2,
        lambda x: x.numpy(),
        lambda x: x.tolist(),
        lambda x: x.item(),
        lambda x: edl.zeros((int(edl.argmax(x)),)),
        lambda x: f"{x:.2f}",
    ],
)
def test_values_are_refused_with_the_line(body):
    f = edl.function(body, autograph=False)
    with pytest.raises(TracingError, match=r"test_function\.py:\d+") as caught:
        f(normal(1))
    assert "use ops instead" in str(caught.value)


def test_tensors_of_another_trace_are_refused():
    kept = []

    @edl.function(autograph=False)
    def leak(x):
        kept.append(x * 2)
        return x

    @edl.function(autograph=False)
    def use(x):
        return x + kept[0]

    with pytest.warns(UserWarning, match="append"):
        leak(normal(2))
    with pytest.raises(TracingError, match="trace"):
        use(normal(2))
    with pytest.raises(TracingError, match="trace"):
        kept[0] + 1


def test_shapes_that_depend_on_elements_are_computed_eagerly():
    @edl.function
    def f(x):
        return x[x > 0]

    f(normal(6))
    with pytest.warns(TracingWarning, match="runs eagerly"):
        for seed in range(4):
            x = normal(6, seed=seed)
            assert np.array_equal(f(x), x[x > 0])


def test_unhashable_arguments_are_named():
    with pytest.raises(ArgumentError, match="things"):
        edl.function(lambda x, things: x)(normal(1), {1, 2})


def test_wrong_arguments_are_explained():
    with pytest.raises(ArgumentError, match="the arguments are"):
        edl.function(lambda x: x)()


def test_wrong_labels_are_found_at_each_call():
    @edl.function
    def f(labels, logits):
        return edl.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    f(edl.constant([0, 1]), normal(2, 3))
    f(edl.constant([0, 2]), normal(2, 3))
    with pytest.raises(EagerdlError, match="labels must lie between 0 and 2"):
        f(edl.constant([0, 3]), normal(2, 3))
    assert f(edl.constant([0, 2]), normal(2, 3)).shape == (2,)


# -- sizes, threads, switches -----------------------------------------------------------------------------


def test_other_sizes_compile_nothing():
    w = edl.Variable(np.random.default_rng(0).standard_normal((4, 3)).astype("float32"))

    def f(x):
        y = edl.softmax(edl.tanh(x @ w))
        return edl.mean(y), edl.sum(y * y, 0), y / edl.sum(y, -1, keepdims=True)

    compiled = edl.function(f)
    compiled(normal(8, 4))
    before = compile_counts()["compiled"]
    for n in (8, 5, 1, 7, 2):
        for _ in range(2):
            assert all(map(np.array_equal, compiled(normal(n, 4, seed=n)), f(normal(n, 4, seed=n))))
    assert compile_counts()["compiled"] == before


def test_threads_may_call_at_the_same_time():
    f = edl.function(lambda x: edl.sum(edl.exp(x) * x))
    x = normal(300, 300)
    expected, wrong = float(f.python_function(x)), []

    def work():
        for _ in range(10):
            if float(f(x)) != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_other_threads_see_variables_while_one_traces():
    v = edl.Variable(1.0)
    seen = []

    @edl.function
    def f(x):
        v.assign_add(1.0)
        thread = threading.Thread(target=lambda: seen.append(float(v * 1.0)))
        thread.start()
        thread.join()
        return x

    f(normal(1))
    assert seen == [1.0] and float(v) == 2.0


def test_functions_can_run_eagerly():
    runs = []

    @edl.function
    def f(x):
        runs.append(float(edl.sum(x)))
        return x

    edl.config.run_functions_eagerly(True)
    try:
        f(normal(2))
        f(normal(2))
    finally:
        edl.config.run_functions_eagerly(False)
    assert len(runs) == 2 and f.experimental_get_tracing_count() == 0


def test_without_compilation_calls_run_one_by_one():
    f = edl.function(lambda x: edl.softmax(x) * 2, jit_compile=False)
    x = normal(3, 4)
    before = compile_counts()
    for out in twice(f, x):
        assert np.array_equal(out, edl.softmax(x) * 2)
    assert compile_counts() == before


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,), (), (1, 1)])
def test_empty_and_scalar_arrays(shape):
    def f(x):
        return edl.sum(edl.exp(x) + 1), edl.tanh(x), x * x

    compiled, x = edl.function(f), normal(*shape)
    for out in twice(compiled, x):
        assert all(map(np.array_equal, out, f(x)))


@pytest.mark.parametrize(
    "view", [lambda x: x.T, lambda x: x[::2], lambda x: x[:, ::-1], lambda x: np.broadcast_to(x[:1], x.shape)]
)
def test_layouts_in_memory_are_kept_apart(view):
    array = np.random.default_rng(0).standard_normal((6, 6)).astype("float32")
    x = edl.Tensor._pack([edl.constant(array)])[0]
    odd = edl.convert_to_tensor(view(np.asarray(x)))

    def f(x):
        return edl.sum(x * 1.5, 0), edl.sum(x * x), edl.mean(edl.exp(x), 1), x @ x.T

    compiled = edl.function(f)
    for given in (x, odd, x, odd):
        assert all(map(np.array_equal, compiled(given), f(given)))


# -- gradients through branches and loops whose bodies use what is around them ----------------------------

SCALE = edl.Variable([0.5, 2.0], name="scale")
SHIFT = edl.Variable([1.0, -1.0], name="shift")


def _rescaled(h):
    n = edl.sqrt(edl.sum(h * h))
    return edl.cond(n > 3, lambda: h / n * 5, lambda: h * 1.0)


def _looped(h):
    n = edl.sum(h * h)
    return edl.fori_loop(0, 3, lambda i, s: s * 0.5 + h / n, h)


BODIES = {
    "one branch passes a value on": lambda h: edl.cond(edl.mean(h) > 0, lambda: h * 2, lambda: h),
    "both pass a value on": lambda h: edl.cond(edl.mean(h) > 0, lambda: h, lambda: h),
    "a value and what came of it": _rescaled,
    "a variable passed on": lambda h: h * edl.cond(edl.mean(h) > 0, lambda: SHIFT, lambda: h),
    "a variable in one branch": lambda h: edl.cond(edl.mean(h) > 0, lambda: h * SHIFT, lambda: h * h),
    "branches in branches": lambda h: edl.cond(
        edl.mean(h) > 0, lambda: edl.cond(edl.max(h) > 3, lambda: h * h, lambda: h), lambda: -h
    ),
    "a loop around captured values": _looped,
    "a switch": lambda h: edl.switch(edl.argmax(h), [lambda x: x * h, lambda x: x + h], h * 2),
    "a scan over captured rows": lambda h: edl.scan(lambda c, x: (c * x + h, c * SHIFT), h, edl.stack([h, h * 2, h]))[
        1
    ],
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("x", [[1.0, 2.0], [-1.0, -2.0], [4.0, 0.5], [0.5, -3.0]])
def test_gradients_of_bodies(name, x):
    def step(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = edl.sum(BODIES[name](x * SCALE) ** 2)
        return y, *tape.gradient(y, [x, SCALE, SHIFT], unconnected_gradients="zero")

    x = edl.constant(x)
    compiled = edl.function(step)
    for found in twice(compiled, x):
        for a, b in zip(found, step(x)):
            assert np.allclose(a, b, rtol=1e-6, atol=1e-7)
