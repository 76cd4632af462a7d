"""Compiled loops: the same numbers as eager ones, run by the driver."""

import threading

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import eagerdl as edl
from eagerdl.jit import control, loops
from eagerdl.jit.scalar_loops import ScalarLoop
from eagerdl.machine import compiler
from eagerdl.tensor import from_array


@pytest.fixture
def made(monkeypatch):
    """The loops that are made during a test."""
    found, init = [], loops.Loop.__init__

    def note(self, *args, **named):
        init(self, *args, **named)
        found.append(self)

    monkeypatch.setattr(loops.Loop, "__init__", note)
    return found


def normal(*shape, seed=0):
    return edl.constant(np.random.default_rng(seed).standard_normal(shape, dtype="float32"))


def leaves(x):
    return [np.asarray(one) for one in edl.tree.flatten(x)[0]]


def assert_same(got, want):
    for a, b in zip(leaves(got), leaves(want), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        if a.dtype.kind == "f":
            assert np.array_equal(np.signbit(a), np.signbit(b))


# -- programs: name -> (function, arguments) --------------------------------------------------------------

W, U, B = normal(5, 4), normal(4, 4, seed=1), normal(4, seed=2)


def rnn(h, xs, reverse=False):
    def cell(h, x):
        h = edl.tanh(x @ W + h @ U + B)
        return h, h

    return edl.scan(cell, h, xs, reverse=reverse)


def lorenz(s, steps=7):
    def slope(s):
        x, y, z = s[:, 0], s[:, 1], s[:, 2]
        return edl.stack([10.0 * (y - x), x * (28.0 - z) - y, x * y - (8 / 3) * z], 1)

    def step(i, s):
        a = slope(s)
        return s + 0.01 * (a + slope(s + 0.01 * a))

    return edl.fori_loop(0, steps, step, s)


def rotating(s):
    """Stacks along the first axis, with a constant column, a number in it, and the whole read at the end."""

    def step(s, x):
        p, q = s[0], s[1]
        s = edl.stack([q * 0.9 + x, edl.ones_like(q) - p], 0) * 0.5
        return s, s

    return edl.scan(step, s, normal(6, 3, seed=5))


def whole_and_columns(s):
    """A stack of which columns are read, and the sum of all."""

    def step(s, _):
        t = edl.stack([s[:, 1], s[:, 0] + 1.0], 1)
        return t * 0.5 + edl.sum(t) * 0.01, (t, s)

    return edl.scan(step, s, length=4)


def swapped(a, b):
    return edl.fori_loop(0, 5, lambda i, ab: (ab[1], ab[0] * 1.5), (a, b))


def swapped_whole(a, b):
    return edl.scan(lambda ab, x: ((ab[1], ab[0]), (ab[0] + x, ab[0])), (a, b), normal(5, 3, seed=3))


def turning(a, b, c):
    return edl.scan(lambda abc, _: ((abc[1], abc[2], abc[0]), abc), (a, b, c), length=4)


def in_place(a):
    """The new value takes the place of the old, which is collected."""
    return edl.scan(lambda a, _: (edl.sin(a) * 2.0, a), a, length=5)


def in_place_then_read(a):
    def step(a, _):
        new = a * 2.0 + 1.0
        return new, (edl.sum(a), new - a)

    return edl.scan(step, a, length=5)


def used_twice(a):
    def step(state, _):
        a, b = state
        new = edl.cos(a) + b
        return (new, new), (new, b)

    return edl.scan(step, (a, a * 2.0), length=5)


def unchanged(a, b):
    return edl.scan(lambda ab, x: ((ab[0], ab[1] + ab[0] * x), ab[0]), (a, b), normal(4, 3))


def counting(xs):
    def step(i, total):
        return total + xs[i] * 2.0 + xs[-i - 1]

    return edl.fori_loop(0, 6, step, edl.zeros((3,)))


def viterbi(transitions, emissions):
    def forward(scores, emission):
        candidates = edl.expand_dims(scores, 1) + transitions
        return edl.max(candidates, 0) + emission, edl.argmax(candidates, 0)

    def back(state, pointers):
        state = pointers[state]
        return state, state

    scores, pointers = edl.scan(forward, emissions[0], emissions[1:])
    last = edl.argmax(scores)
    _, path = edl.scan(back, last, pointers, reverse=True)
    return scores, edl.concatenate([path, edl.expand_dims(last, 0)])


def extremes(x):
    def step(c, row):
        row = row + c
        return c + 0.1, (
            edl.max(row, 0),
            edl.min(row, 0),
            edl.argmax(row, 0),
            edl.argmin(row, 1),
            edl.argmax(row),
            edl.sum(row, 0),
        )

    return edl.scan(step, edl.constant(0.0), x)


def joining(a, xs):
    def step(a, x):
        both = edl.concatenate([a[1:], x[:1]])
        return both, edl.concatenate([edl.reshape(edl.transpose(edl.stack([a, both])), (-1,)), x])

    return edl.scan(step, a, xs)


def fixed_points(starts):
    def restart(i, total):
        x, _ = edl.while_loop(lambda x, dx: edl.abs(dx) >= 1e-6,
                              lambda x, dx: ((lambda dx: (x + dx, dx))((edl.cos(x) - x) / (1 + edl.sin(x)))),
                              (starts[i], edl.ones_like(starts[i])))  # fmt: skip
        return total + x

    return edl.fori_loop(0, 7, restart, edl.constant(0.0))


def nested(xs, w):
    """A scan over the columns of each row, which carries, collects and captures from both levels."""

    def outer(c, row):
        def inner(h, x):
            h = edl.tanh(h * w + x + edl.sum(c))
            return h, h * 2.0

        h, ys = edl.scan(inner, row[0], row, reverse=True)
        return c * 0.5 + h, (ys, edl.max(ys, 0))

    return edl.scan(outer, edl.zeros((3,)), xs)


def nested_deep(x):
    def level(n, x):
        if n == 0:
            return x * 0.75 + 0.1
        return edl.fori_loop(0, 3, lambda i, x: level(n - 1, x) + edl.cast(i, "float32") * 0.01, x)

    return level(3, x)


def nested_zero(x):
    return edl.scan(
        lambda c, x: (edl.fori_loop(0, edl.cast(x[0] > 0, "int32") * 3, lambda i, c: c * 0.5 + x, c), c), x[0], x
    )


def until(x):
    return edl.while_loop(
        lambda i, x: (i < 50) & (edl.sum(x) < 100.0), lambda i, x: (i + 1, x * 1.3), (edl.constant(0), x)
    )


def never(x):
    return edl.while_loop(lambda x: edl.sum(x) > 1e9, lambda x: x + 1.0, x)


def chosen(x):
    return edl.scan(lambda c, x: (edl.where(x > c, x, c * 0.5), edl.cast(x > c, "int32")), edl.zeros((3,)), x)


WIDE, NARROW = normal(40, 96, seed=3) * 0.1, normal(96, 41, seed=4) * 0.1


def products(h, xs):
    """Matrices that stay, by rows and turned, in whole tiles and not; of two that change; of a row that changes with a part."""

    def step(h, x):
        wide = edl.tanh(h @ WIDE)
        narrow = (wide @ NARROW)[:, :40] + x @ edl.transpose(NARROW[:40])[:, :40]
        mixed = edl.transpose(h) @ x
        return edl.tanh(narrow + h @ mixed[:, :40] * 0.01), (narrow, edl.sum(mixed, 0))

    return edl.scan(step, h, xs)


def sums_over_rows(a, xs):
    """Sums, largest and smallest of rows that go several at a time, with what is computed of them kept or not."""

    def step(a, x):
        y = edl.expand_dims(a, 1) + x
        sums, largest = edl.sum(y * x, 0), edl.max(edl.abs(y), 0)
        return a * 0.5 + edl.sum(largest) * 0.01, (
            y,
            sums,
            largest,
            edl.min(x * 2.0, 0),
            edl.argmax(y, 0),
            edl.argmin(y, 0),
        )

    return edl.scan(step, a, xs)


PROGRAMS = {
    "products": (products, (normal(13, 40), normal(5, 13, 41, seed=1))),
    "products of one row": (products, (normal(1, 40), normal(3, 1, 41, seed=1))),
    **{
        f"sums over {n} rows": (sums_over_rows, (normal(n), normal(3, n, m, seed=1)))
        for n, m in ((1, 3), (4, 16), (7, 5), (19, 33))
    },
    "rnn": (rnn, (normal(2, 4), normal(6, 2, 5))),
    "rnn reversed": (lambda h, xs: rnn(h, xs, True), (normal(2, 4), normal(6, 2, 5))),
    "rnn of one step": (rnn, (normal(2, 4), normal(1, 2, 5))),
    "lorenz": (lorenz, (normal(9, 3),)),
    "lorenz of one": (lorenz, (normal(1, 3),)),
    "rotating": (rotating, (normal(2, 3),)),
    "whole and columns": (whole_and_columns, (normal(4, 2),)),
    "swapped": (swapped, (normal(3), normal(3, seed=1))),
    "swapped whole": (swapped_whole, (normal(3), normal(3, seed=1))),
    "turning": (turning, (normal(3), normal(3, seed=1), normal(3, seed=2))),
    "in place": (in_place, (normal(3, 2),)),
    "in place then read": (in_place_then_read, (normal(3, 2),)),
    "used twice": (used_twice, (normal(3),)),
    "unchanged": (unchanged, (normal(3), normal(3, seed=1))),
    "counting": (counting, (normal(6, 3),)),
    "viterbi": (viterbi, (normal(5, 5), normal(8, 5, seed=1))),
    "extremes": (extremes, (normal(4, 3, 5),)),
    "joining": (joining, (normal(3), normal(5, 3, seed=1))),
    "fixed points": (fixed_points, (normal(7),)),
    "nested": (nested, (normal(4, 5, 3), normal(3, seed=1))),
    "nested deep": (nested_deep, (normal(3),)),
    "nested zero": (nested_zero, (normal(5, 3),)),
    "until": (until, (edl.abs(normal(3)),)),
    "never": (never, (normal(3),)),
    "chosen": (chosen, (normal(5, 3),)),
}
STEPPED = set()  # programs whose loops do not all run by the driver
DISCRETE = {
    *[f"sums over {n} rows" for n in (1, 4, 7, 19)],
    "viterbi",
    "extremes",
    "fixed points",
    "nested zero",
}  # gradients are not asked for


@pytest.mark.parametrize("name", PROGRAMS)
def test_compiled_equals_eager(name, made):
    function, arguments = PROGRAMS[name]
    want = function(*arguments)
    compiled = edl.function(function)
    for _ in range(3):
        assert_same(compiled(*arguments), want)
    other = [x * 0.5 for x in arguments]
    assert_same(compiled(*other), function(*other))
    assert made and (name in STEPPED or all(loop.compiled for loop in made))


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in DISCRETE])
def test_gradients_agree(name):
    check_gradients(*PROGRAMS[name])


def check_gradients(function, arguments):
    def gradients(*arguments):
        with edl.GradientTape() as tape:
            tape.watch(list(arguments))
            floats = [x for x in edl.tree.flatten(function(*arguments))[0] if x.dtype == "float32"]
            loss = sum([edl.sum(x * x) for x in floats], edl.constant(0.0))
        return tape.gradient(loss, list(arguments))

    compiled = edl.function(gradients)
    compiled(*arguments)
    for got, want in zip(compiled(*arguments), gradients(*arguments), strict=True):
        if want is None:
            assert got is None
        else:
            np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 0.0, -0.0])
def test_extremes_of_special_numbers(special):
    x = np.random.default_rng(0).standard_normal((4, 3, 5)).astype("float32")
    x[np.random.default_rng(1).random(x.shape) < 0.5] = special
    x[1] = special
    x[2, :, ::2] = -special
    assert_same(edl.function(extremes)(edl.constant(x)), extremes(edl.constant(x)))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "float64", "int8"])
def test_extremes_of_other_dtypes(dtype):
    x = edl.constant(np.random.default_rng(0).integers(0, 4, (4, 3, 5)).astype(dtype))

    def run(x):
        return edl.scan(
            lambda c, x: (c, (edl.max(x, 0), edl.min(x, 0), edl.argmax(x, 0), edl.argmin(x, 1))), x[0, 0, 0], x
        )

    assert_same(edl.function(run)(x), run(x))


def test_no_run_gives_what_came():
    f, h = edl.function(lambda h, xs: rnn(h, xs)), normal(2, 4)
    for n in (3, 0):
        assert_same(f(h, edl.zeros((n, 2, 5))), rnn(h, edl.zeros((n, 2, 5))))


def test_results_are_not_overwritten_by_the_next_call():
    for name in ("rnn", "in place", "lorenz", "nested", "rotating"):
        function, arguments = PROGRAMS[name]
        compiled = edl.function(function)
        compiled(*arguments)
        first = compiled(*arguments)
        before = [array.copy() for array in leaves(first)]
        compiled(*[x + 1.0 for x in arguments])
        assert all(np.array_equal(a, b) for a, b in zip(leaves(first), before))


def test_arguments_are_not_overwritten():
    for name in PROGRAMS:
        function, arguments = PROGRAMS[name]
        before = [x.numpy().copy() for x in arguments]
        compiled = edl.function(function)
        compiled(*arguments)
        compiled(*arguments)
        assert all(np.array_equal(x.numpy(), y) for x, y in zip(arguments, before)), name


def test_loops_whose_arrays_stand_still_are_called_without_python_in_between(monkeypatch):
    for name in ("viterbi", "counting", "nested", "until", "fixed points"):
        function, arguments = PROGRAMS[name]
        compiled = edl.function(function)
        compiled(*arguments)
        with monkeypatch.context() as patched:
            patched.setattr(loops.Loop, "__call__", None)
            patched.setattr(loops.Loop, "in_place", None)
            found = compiled(*arguments)
        assert_same(found, function(*arguments))


def test_a_loop_reads_a_variable_where_it_lies_after_each_assignment():
    v = edl.Variable(np.ones(3, "float32"))
    compiled = edl.function(lambda x: edl.fori_loop(0, 3, lambda i, x: x * 0.5 + v, x))
    x = normal(3)
    for i in range(4):
        v.assign(np.full(3, i, "float32"))
        held = v.value if i == 2 else None  # so that the next value lies elsewhere
        assert_same(compiled(x), ((x * 0.5 + v) * 0.5 + v) * 0.5 + v)
    del held


@pytest.mark.parametrize("where", ["outer", "inner"])
def test_an_index_outside_raises_what_eager_raises(where):
    def run(xs, start):
        def step(i, total):
            if where == "outer":
                return total + xs[start + i]
            return edl.fori_loop(0, 2, lambda j, total: total + xs[start + i + j], total)

        return edl.fori_loop(0, 3, step, edl.zeros((2,)))

    xs, f = normal(5, 2), edl.function(run)
    assert_same(f(xs, edl.constant(1)), run(xs, edl.constant(1)))
    with pytest.raises(IndexError):
        run(xs, edl.constant(4))
    with pytest.raises(IndexError):
        f(xs, edl.constant(4))
    assert_same(f(xs, edl.constant(-3)), run(xs, edl.constant(-3)))


def test_threads_do_not_meet():
    function, arguments = PROGRAMS["nested"]
    compiled = edl.function(function)
    inputs = [[x + float(i) for x in arguments] for i in range(4)]
    wanted = [function(*one) for one in inputs]
    compiled(*inputs[0])
    wrong = []

    def work(i):
        for _ in range(30):
            try:
                assert_same(compiled(*inputs[i]), wanted[i])
            except AssertionError as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_long_loop_compiles_as_many_kernels_as_a_short_one():
    def compiled(n):
        before = sum(compiler.compile_counts()[kind] for kind in ("compiled", "from disk"))
        f = edl.function(lambda s: edl.scan(lambda s, x: (edl.tanh(s * 1.23 + x), s), s, edl.zeros((n, 3))))
        f(normal(3))
        return sum(compiler.compile_counts()[kind] for kind in ("compiled", "from disk")) - before

    compiled(10)
    assert compiled(1000) == 0


def test_variables_that_a_loop_assigns():
    v = edl.Variable(np.zeros(3, "float32"))

    def run(xs):
        def step(c, x):
            v.assign_add(x * c)
            return c + 1.0, v + 0.0

        return edl.scan(step, edl.constant(1.0), xs)

    xs = normal(5, 3)
    want = run(xs)
    after = v.numpy()
    f = edl.function(run)
    for _ in range(2):
        v.assign(np.zeros(3, "float32"))
        assert_same(f(xs), want)
        assert np.array_equal(v.numpy(), after)


BEGUN = {
    "in the same memory": lambda h, k, x: ([np.tanh(h + x), k + x], lambda new: [new[0]]),
    "carried twice": lambda h, k, x: ([np.tanh(h + k + x)] * 2, lambda new: [new[0]]),
    "overwritten": lambda h, k, x: ([h * 0.5 + x, h], lambda new: [new[0]]),
    "step by step": lambda h, k, x: ([np.sort(h + x), k], lambda new: [new[0]]),
}


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("name", BEGUN)
def test_rows_that_begin_with_what_came_in(name, n):
    def step(h, k, x):
        new, collected = BEGUN[name](h, k, x)
        return new, collected(new)

    def run(h, k, xs):
        arrays = [one._array for one in (h, k)]
        _, (rows,) = control.array_loop("test", step, arrays, [xs._array], begun={0: 0})
        return from_array(rows)

    h, k, xs = normal(4), normal(4, seed=1), normal(n, 4, seed=2)
    want = [np.asarray(h)]
    state = [np.asarray(h), np.asarray(k)]
    for x in np.asarray(xs):
        state, _ = BEGUN[name](*state, x)
        want.append(state[0])
    compiled = edl.function(run)
    for _ in range(2):
        assert np.array_equal(compiled(h, k, xs), np.stack(want))


# -- random bodies -------------------------------------------------------------------------------------------

OPERATIONS = {
    "add": lambda a, b: a + b, "multiply": lambda a, b: a * b, "sin": lambda a, b: edl.sin(a), "mean": lambda a, b: a - edl.mean(b),
    "reversed": lambda a, b: a[::-1] + b, "stack": lambda a, b: edl.stack([a[0], b[1], a[2]]), "max": lambda a, b: edl.maximum(a, b),
    "where": lambda a, b: edl.where(a > b, a, -b), "joined": lambda a, b: edl.concatenate([b[1:], a[:1]]),
    "columns": lambda a, b: edl.stack([a[2] - b[0], a[1] * 0.5, b[2]]) * 0.7, "same": lambda a, b: a, "tanh": lambda a, b: edl.tanh(a * b),
    "matrix": lambda a, b: edl.reshape(edl.reshape(a, (1, 3)) @ edl.reshape(b, (3, 1)), (1,)) * a,
    "argmax": lambda a, b: a[edl.argmax(b)] + b, "loop": lambda a, b: edl.fori_loop(0, 2, lambda i, c: c * 0.5 + b, a),
}  # fmt: skip


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6
    ),
    st.lists(st.integers(0, 9), min_size=5, max_size=5),
    st.booleans(),
    st.integers(0, 4),
)
def test_random_bodies(calls, ends, reverse, n):
    captured = normal(3, seed=9)

    def run(a, b, xs):
        def step(carry, x):
            values = [*carry, x, captured]
            for name, i, j in calls:
                values.append(edl.clip(OPERATIONS[name](values[i % len(values)], values[j % len(values)]), -3.0, 3.0))
            a, b, *rows = [values[-1 - i % len(values)] for i in ends]
            return (a, b), rows

        return edl.scan(step, (a, b), xs, reverse=reverse)

    a, b, xs = normal(3), normal(3, seed=1), normal(max(n, 1), 3, seed=2)
    compiled = edl.function(run)
    assert_same(compiled(a, b, xs), run(a, b, xs))
    assert_same(compiled(b, a, xs), run(b, a, xs))
    if n == 0:
        assert_same(compiled(b, a, xs[:0])[0], run(b, a, xs[:0])[0])


COLUMNS = {
    "stack": lambda s, t: edl.stack([s[:, 1], t[:, 0] * 0.5, s[:, 2]], 1),
    "reversed": lambda s, t: edl.stack([s[::-1, 1], t[:, 2], s[:, 0]], -1),
    "rows": lambda s, t: edl.stack([s[2], t[1], s[0] - t[-1], t[3]], 0), "columns": lambda s, t: s - t[:, :1],
    "add": lambda s, t: s + 0.5 * t, "multiply": lambda s, t: s * t, "sin": lambda s, t: edl.sin(s), "row": lambda s, t: s * t[0],
    "where": lambda s, t: edl.where(s > t, s, 0.25), "joined": lambda s, t: edl.concatenate([s[:, 1:], t[:, :1]], 1),
    "matrix": lambda s, t: s @ edl.transpose(t) @ s * 0.1, "sum": lambda s, t: s - edl.sum(t, 0, keepdims=True),
    "max": lambda s, t: t + edl.max(s, 1, keepdims=True), "same": lambda s, t: s,
    "outer": lambda s, t: edl.expand_dims(s[:, 1], 1) * edl.expand_dims(t[0], 0),
}  # fmt: skip


def random_step(functions, calls, ends, captured):
    """A step of a scan that carries two values: `calls` of `functions` on what there is so far, of which `ends` go out."""

    def step(carry, x):
        values = [*carry, x, captured]
        for name, i, j in calls:
            found = functions[name](values[-1 - i % len(values)], values[-1 - j % len(values)])
            values.append(edl.clip(found, -3.0, 3.0))
        a, b, *rows = [values[-1 - i % len(values)] for i in ends]
        return (a, b), rows

    return step


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.tuples(st.sampled_from(sorted(COLUMNS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6),
    st.lists(st.integers(0, 9), min_size=5, max_size=5),
    st.booleans(),
)
def test_random_bodies_of_stacks(calls, ends, reverse):
    captured = normal(4, 3, seed=9)

    def run(a, b, xs):
        return edl.scan(random_step(COLUMNS, calls, ends, captured), (a, b), xs, reverse=reverse)

    def gradients(a, b, xs):
        with edl.GradientTape() as tape:
            tape.watch([a, b, xs])
            (a_n, b_n), rows = run(a, b, xs)
            loss = edl.sum(a_n * b_n) + sum(edl.sum(row) for row in rows)
        grads = tape.gradient(loss, [a, b, xs])
        return [loss, *[edl.zeros_like(x) if g is None else g for x, g in zip((a, b, xs), grads)]]

    a, b, xs = normal(4, 3), normal(4, 3, seed=1), normal(3, 4, 3, seed=2)
    compiled = edl.function(run)
    assert_same(compiled(a, b, xs), run(a, b, xs))
    assert_same(compiled(b, a, xs), run(b, a, xs))
    for got, want in zip(edl.function(gradients)(a, b, xs), gradients(a, b, xs), strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-4, atol=1e-4 * (1 + np.abs(want.numpy()).max()))


# -- loops over single numbers ---------------------------------------------------------------------------------


def integers(*shape, seed=0, dtype="int32"):
    return edl.constant(np.random.default_rng(seed).integers(-9, 9, shape).astype(dtype))


def newton(starts):
    """A loop that ends by itself in one that counts."""

    def restart(i, total):
        return total + edl.while_loop(lambda x, dx: edl.abs(dx) >= 1e-6,
                                      lambda x, dx: ((lambda dx: (x + dx, dx))((edl.cos(x) - x) / (1 + edl.sin(x)))),
                                      (starts[i], edl.ones_like(starts[i])))[0]  # fmt: skip

    return edl.fori_loop(0, starts.shape[0], restart, edl.constant(0.0))


def collatz(n):
    """Integers, a bool, and an end that depends on them."""

    def step(n, steps):
        return edl.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1

    return edl.while_loop(lambda n, steps: (n != 1) & (steps < 200), step, (n, edl.constant(0)))


def overflowing(n):
    """Integers that leave their range."""
    return edl.scan(lambda n, x: ((n * 31 + x) ^ (n - x), (n, n > x)), n, integers(9, dtype=n.dtype))


def exponential_average(xs, reverse=False):
    return edl.scan(lambda mean, x: (0.9 * mean + 0.1 * x, (mean, x - mean)), xs[0], xs, reverse=reverse)


def called(x):
    """Functions for which loops of ufuncs are called, and conversions."""

    def step(x, y):
        z = edl.tanh(x * y) + edl.exp(-edl.abs(x)) + edl.log(1.0 + y * y)
        return edl.cast(edl.cast(z, "float64") * 0.5, x.dtype), (edl.cast(z > 0.5, "int32"), edl.floor(z * 3.0) % 2.0)

    return edl.scan(step, x, edl.cast(normal(7), x.dtype))


def exchanged(a, b):
    """What is carried changes places, and is collected before and after."""
    return edl.scan(lambda ab, _: ((ab[1], ab[0] + ab[1]), (ab[0], ab[1], ab[0])), (a, b), length=6)


def pointers(start, table):
    """Indices that are computed, from the end too."""

    def step(state, row):
        state = row[state - 2]
        return state, (state, row[1], row[-1])

    return edl.scan(step, start, table, reverse=True)


def elements(matrix, index):
    def step(i, total):
        row = matrix[index[i]]
        return total + matrix[index[i], i] * row[1] - matrix[1:, 2][i % 2]

    return edl.fori_loop(0, 4, step, edl.constant(0.0))


def triangle(n):
    """Loops in loops whose lengths are computed."""

    def outer(i, total):
        def inner(j, total):
            return edl.while_loop(lambda k, t: k > 0, lambda k, t: (k - 2, t + k), (j, total))[1]

        return edl.fori_loop(0, i, inner, total)

    return edl.fori_loop(0, n, outer, edl.constant(0))


def rows_in_rows(matrix):
    """A loop inside that runs along the row of the outer one, collects, and is read again."""

    def outer(total, row):
        last, sums = edl.scan(lambda c, x: (c + x, c * x), total, row, reverse=True)
        again, squares = edl.scan(lambda c, x: (c - x, x * x), last, sums)
        return again, (sums, squares, last, sums[2])

    return edl.scan(outer, edl.constant(0.5), matrix)


def at_most(x, n):
    return edl.while_loop(lambda x: x < 100.0, lambda x: x * 1.5, x, maximum_iterations=n)


def ones_of_shape(x):
    """Arrays of one element."""
    return edl.scan(lambda c, x: (c * 0.5 + edl.reshape(x, (1,)), (edl.sin(c), edl.squeeze(c))), edl.ones((1,)), x)


def moments(xs, n):
    """A loop over numbers in one over vectors."""

    def step(vector, x):
        total, _ = edl.while_loop(lambda t, i: (i < n) & (t < 5.0), lambda t, i: (t + xs[i, 0] ** 2, i + 1),
                                  (vector[0], edl.constant(0)))  # fmt: skip
        return vector * 0.5 + x * total, total

    return edl.scan(step, xs[0], xs)


def hailstones(n):
    """Branches, some with loops inside."""

    def step(n, steps):
        n = edl.cond(n % 2 == 0, lambda: edl.while_loop(lambda n: n % 2 == 0, lambda n: n // 2, n), lambda: 3 * n + 1)
        return n, steps + 1

    return edl.while_loop(lambda n, steps: n != 1, step, (n, edl.constant(0)))


def switched(x, table):
    """Branches that read an element, give what came, and count on."""

    def step(x, i):
        x, y = edl.switch(i, [lambda x: (x * 1.5, table[i + 1]), lambda x: (x, x), lambda x: (edl.sin(x), x - 1.0)], x)
        return x, y

    return edl.scan(step, x, edl.constant([0, 2, -1, 1, 5, 1, 0]))


NUMBERS = {
    "hailstones": (hailstones, (edl.constant(27),)),
    "switched": (switched, (edl.constant(0.75), normal(3))),
    "newton": (newton, (edl.abs(normal(9)),)),
    "newton far away": (newton, (edl.constant([1e5, -3e6, 0.0, -0.0, 1e-30]),)),
    "collatz": (collatz, (edl.constant(27),)),
    "collatz of 1": (collatz, (edl.constant(1),)),
    "average": (exponential_average, (normal(9),)),
    "average backwards": (lambda xs: exponential_average(xs, True), (normal(9),)),
    "average in float64": (exponential_average, (edl.cast(normal(9), "float64"),)),
    "average of one": (exponential_average, (normal(1),)),
    "called": (called, (edl.constant(0.3),)),
    "called in float64": (called, (edl.constant(0.3, dtype="float64"),)),
    "exchanged": (exchanged, (edl.constant(1.5), edl.constant(-0.5))),
    "exchanged integers": (exchanged, (edl.constant(1), edl.constant(2))),
    "pointers": (pointers, (edl.constant(1), edl.abs(integers(6, 8)) % 4)),
    "elements": (elements, (normal(3, 4), edl.constant([2, 0, -1, 1]))),
    "triangle": (triangle, (edl.constant(6),)),
    "triangle of none": (triangle, (edl.constant(0),)),
    "rows in rows": (rows_in_rows, (normal(4, 3),)),
    "at most three": (lambda x: at_most(x, 3), (edl.constant(2.0),)),
    "at most many": (lambda x: at_most(x, 1000), (edl.constant(2.0),)),
    "at most none": (lambda x: at_most(x, 0), (edl.constant(2.0),)),
    "arrays of one": (ones_of_shape, (normal(5),)),
    **{f"overflowing {dtype}": (overflowing, (edl.constant(7, dtype=dtype),)) for dtype in ("int8", "uint8", "int32", "int64")},
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_loops_over_numbers_are_one_kernel_and_equal_eager_ones(name, made):
    function, arguments = NUMBERS[name]
    compiled = edl.function(function)
    for inputs in (arguments, arguments, [x + x for x in arguments if x.ndim == 0 or x.dtype == "float32"]):
        if len(inputs) == len(arguments):
            assert_same(compiled(*inputs), function(*inputs))
    assert made and all(isinstance(loop.driven, ScalarLoop) for loop in made)
    assert all(len(loop.program.kernels) == 1 for loop in made)
    assert sum("\n    while " in source for source in compiled.source().split("def kernel")) == 1


def test_a_loop_over_numbers_is_an_instruction_of_one_over_vectors(made):
    xs = normal(5, 3)
    compiled = edl.function(moments)
    for n in (edl.constant(4), edl.constant(0), edl.constant(7)):
        if int(n) <= 5:
            assert_same(compiled(xs, n), moments(xs, n))
    assert {type(loop.driven) for loop in made} == {ScalarLoop, loops.Driven}
    high = edl.constant(np.zeros((5, 3), "float32"))
    with pytest.raises(IndexError):
        compiled(high, edl.constant(6))


@pytest.mark.parametrize("start", [-3, 1, 4, -9])
@pytest.mark.parametrize("nested", [False, True])
def test_an_index_of_a_single_number_outside_raises_what_eager_raises(start, nested, made):
    def run(xs, start):
        def step(i, total):
            if not nested:
                return total + xs[start + i]
            return edl.fori_loop(0, 2, lambda j, total: total + xs[start + i + j], total)

        return edl.fori_loop(0, 2, step, edl.constant(0.0))

    xs, f = normal(5), edl.function(run)
    f(xs, edl.constant(1))
    start = edl.constant(start)
    try:
        want = run(xs, start)
    except IndexError:
        with pytest.raises(IndexError):
            f(xs, start)
    else:
        assert_same(f(xs, start), want)
    assert all(isinstance(loop.driven, ScalarLoop) for loop in made)


@pytest.mark.parametrize(
    "name", ["average", "average backwards", "called", "switched", "exchanged", "rows in rows", "at most many"]
)
def test_gradients_of_loops_over_numbers(name):
    check_gradients(*NUMBERS[name])


def test_numbers_are_collected_until_the_flag_falls():
    """A gradient of a loop without a known length, whose rows are collected by and by."""

    def run(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = edl.while_loop(lambda y: y < 50.0, lambda y: y + x * 0.01, x)
        return y, tape.gradient(y, x)

    x = edl.constant(1.25)
    for got, want in zip(edl.function(run)(x), run(x), strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-4)


def test_a_long_loop_over_numbers_has_the_kernel_of_a_short_one():
    def source(n):
        f = edl.function(lambda xs: edl.scan(lambda c, x: (c * 1.125 + x + xs[3], c), edl.constant(0.0), xs))
        f(normal(n))
        return f.source().split("def kernel")[-1]

    assert "\n    while " in source(10) and source(10) == source(1000)


NUMERIC = {
    "add": lambda a, b: a + b, "multiply": lambda a, b: a * b, "sin": lambda a, b: edl.sin(a), "cos": lambda a, b: edl.cos(a),
    "divide": lambda a, b: a / (1.5 + b * b), "where": lambda a, b: edl.where(a > b, a, -b), "max": lambda a, b: edl.maximum(a, b),
    "tanh": lambda a, b: edl.tanh(a * b), "sqrt": lambda a, b: edl.sqrt(edl.abs(a)), "same": lambda a, b: a,
    "loop": lambda a, b: edl.fori_loop(0, 2, lambda i, c: c * 0.5 + b, a),
    "until": lambda a, b: edl.while_loop(lambda c: c < 2.0, lambda c: c + 0.5 + b * b, a),
    "row": lambda a, b: edl.scan(lambda c, x: (c * 0.5 + x, c), a, ROW)[0],
}  # fmt: skip
ROW = normal(3, seed=7)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.tuples(st.sampled_from(sorted(NUMERIC)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7),
    st.lists(st.integers(0, 9), min_size=5, max_size=5),
    st.booleans(),
)
def test_random_bodies_over_numbers(calls, ends, reverse):
    captured = edl.constant(0.75)

    def run(a, b, xs):
        return edl.scan(random_step(NUMERIC, calls, ends, captured), (a, b), xs, reverse=reverse)

    a, b, xs = edl.constant(0.5), edl.constant(-1.25), normal(4, seed=2)
    compiled = edl.function(run)
    assert_same(compiled(a, b, xs), run(a, b, xs))
    assert_same(compiled(b, a, xs), run(b, a, xs))
