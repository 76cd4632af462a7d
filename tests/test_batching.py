"""Jacobians that take all rows at once agree with those taken row by row, for every op of the table."""

import numpy as np
import pytest
from test_laws import SMOOTH
from test_ops import call, leaves

import eagerdl as edl
from eagerdl import dtypes
from eagerdl.autograd import tape as tapes
from eagerdl.errors import NotBatched
from eagerdl.ops.batching import Batched

SMALL = [p for p in SMOOTH if p.values[1].args[0].size <= 40]


@pytest.mark.parametrize(("name", "row"), SMALL)
def test_all_rows_at_once_are_the_rows_one_by_one(name, row):
    x = edl.constant(row.args[0])
    with edl.GradientTape(persistent=True) as tape:
        tape.watch(x)
        rest = iter([x])
        ys = leaves(call(name, row, lambda a: next(rest, None) if a is row.args[0] else edl.constant(a)))
    for y in ys:
        if not isinstance(y, edl.Tensor) or not dtypes.is_floating(y.dtype) or not 0 < y.size <= 40:
            continue
        basis = np.eye(y.size).reshape(y.size, *y.shape)
        want = [tapes.sweep(tape._core, [y], [edl.constant(b)], [x._node])[0] for b in basis]
        got = tape.jacobian(y, x)
        if got is None:
            assert all(g is None for g in want)
            continue
        rows = np.stack([np.zeros(x.shape) if g is None else g.numpy() for g in want])
        np.testing.assert_allclose(got.numpy(), rows.reshape((*y.shape, *x.shape)), rtol=1e-9, atol=1e-9)


def count_sweeps(monkeypatch):
    calls, sweep = [], tapes.sweep
    monkeypatch.setattr(tapes, "sweep", lambda *args, **kwargs: calls.append(1) or sweep(*args, **kwargs))
    return calls


def test_a_network_takes_one_sweep(monkeypatch):
    calls = count_sweeps(monkeypatch)
    w, b = edl.Variable(np.ones((3, 4)) * 0.1), edl.Variable(np.zeros(4))
    x = edl.constant(np.linspace(-1, 1, 6).reshape(2, 3))
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.sum(edl.relu(edl.tanh(x @ w + b)[:, ::-1]), axis=-1, keepdims=True).reshape((2,)).T
    found = tape.jacobian(y, [w, b, x])
    assert len(calls) == 1 and [g.shape for g in found] == [(2, 3, 4), (2, 4), (2, 2, 3)]


def test_an_op_that_looks_at_elements_goes_row_by_row(monkeypatch):
    calls = count_sweeps(monkeypatch)

    @edl.custom_gradient
    def looks(x):
        return x * 2.0, lambda upstream: edl.constant(upstream.numpy() * 2.0)

    x = edl.constant([1.0, 2.0, 3.0])
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = looks(x)
    np.testing.assert_array_equal(tape.jacobian(y, x).numpy(), 2 * np.eye(3))
    assert len(calls) == 4


def test_higher_orders_go_through():
    def f(x):
        return edl.sum(edl.exp(x) * x[::-1] ** 2)

    x = np.array([0.1, 0.5, -0.3])
    third = edl.jacobian(edl.hessian(f))(edl.constant(x)).numpy()
    eps = 1e-5
    for i in range(3):
        step = eps * np.eye(3)[i]
        near = (edl.hessian(f)(edl.constant(x + step)).numpy() - edl.hessian(f)(edl.constant(x - step)).numpy()) / (
            2 * eps
        )
        np.testing.assert_allclose(third[..., i], near, rtol=1e-6, atol=1e-6)


def test_elements_of_a_batch_are_refused():
    x = Batched(edl.ones((3, 2)))
    assert x.shape == (2,) and x.ndim == 1 and x.size == 2 and len(x) == 2 and repr(x).startswith("Batched(3 of")
    for look in (lambda: float(x[0]), lambda: bool(x[0] > 0), lambda: np.asarray(x), x.numpy, lambda: edl.nonzero(x)):
        with pytest.raises(NotBatched, match="loop over the batch"):
            look()


def test_a_map_runs_once_for_all_and_keeps_outer_gradients():
    calls = []
    w = edl.Variable(np.linspace(-1.0, 1.0, 6).reshape(3, 2))
    x = edl.constant(np.linspace(0.0, 1.0, 12).reshape(4, 3))

    def f(row):
        calls.append(row)
        return edl.tanh(row @ w), {"sum": edl.sum(row), "constant": edl.constant(2.0)}

    with edl.GradientTape() as tape:
        y, rest = edl.vectorized_map(f, x)
    assert len(calls) == 1 and rest["sum"].shape == (4,) and rest["constant"].tolist() == [2.0] * 4
    np.testing.assert_allclose(y.numpy(), np.tanh(x.numpy() @ w.numpy()))
    want = (x.numpy().T) @ (1 - y.numpy() ** 2)
    np.testing.assert_allclose(tape.gradient(y, w).numpy(), want)


@pytest.mark.parametrize("what", ["if", "float", "assign", "draw", "tape", "print"])
def test_what_has_to_happen_for_each_example_does(what):
    x, count = edl.constant([1.0, -2.0, 3.0]), edl.Variable(0)
    generator = edl.random.Generator(1)

    def f(v):
        if what == "if":
            return v if v > 0 else -v
        if what == "float":
            return edl.constant(abs(float(v)))
        if what == "assign":
            count.assign_add(1)
        if what == "draw":
            return edl.abs(v) + 0.0 * edl.random.normal((), seed=generator)
        if what == "tape":
            with edl.GradientTape() as tape:
                tape.watch(v)
                y = v * v * edl.sign(v) / 2.0
            return tape.gradient(y, v)
        if what == "print":
            return edl.abs(edl.constant(v.numpy()))
        return edl.abs(v)

    assert edl.vectorized_map(f, x).tolist() == [1.0, 2.0, 3.0]
    assert int(count) == (3 if what == "assign" else 0)
    if what == "draw":
        other = edl.random.Generator(1)
        for _ in range(3):
            edl.random.normal((), seed=other)
        assert edl.random.normal((), seed=other).tolist() == edl.random.normal((), seed=generator).tolist()


def test_a_wrong_function_gets_its_own_error():
    with pytest.raises(edl.errors.ShapeError, match=r"\[matmul\] inner sizes must agree; x1 \(3,\)"):
        edl.vectorized_map(lambda row: row @ edl.ones((2, 2)), edl.ones((4, 3)))


@pytest.mark.parametrize(("name", "row"), SMALL)
def test_a_map_of_any_op_agrees_with_a_loop(name, row):
    stack = np.stack([row.args[0], row.args[0] * 1.1 + 0.01])

    def f(x):
        rest = iter([x])
        ys = leaves(call(name, row, lambda a: next(rest, None) if a is row.args[0] else edl.constant(a)))
        return [y for y in ys if isinstance(y, edl.Tensor)]

    try:
        want = edl.map(f, edl.constant(stack))
    except edl.errors.EagerdlError:
        return  # the moved argument is outside of the op's domain
    for mine, theirs in zip(edl.vectorized_map(f, edl.constant(stack)), want, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-9, atol=1e-9)
