"""L-BFGS against minima that are known, its line search against the Wolfe conditions, its state, and what it refuses."""

import copy
import math

import numpy as np
import pytest
import scipy.optimize

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.train.optimizers import LBFGS, schedules
from eagerdl.train.optimizers.line_search import Point, strong_wolfe


def rosenbrock(x):
    return edl.sum(100 * (x[1::2] - x[::2] ** 2) ** 2 + (1 - x[::2]) ** 2)


@pytest.mark.parametrize("n", [2, 10, 100])
def test_rosenbrock(n):
    x = edl.Variable(np.tile([-1.2, 1.0], n // 2))
    found = LBFGS(tolerance_change=0.0).minimize(lambda: rosenbrock(x), [x])
    np.testing.assert_allclose(x.numpy(), 1, atol=1e-6)
    assert found.converged and found.loss < 1e-12 and found.iterations < 60 and found.evaluations < 90
    assert found.loss == float(rosenbrock(x))


def problem(dtype="float64"):
    draw = np.random.default_rng(0)
    features, labels = draw.normal(size=(80, 5)), draw.integers(0, 2, size=80)
    w = edl.Variable(np.zeros((5, 1), dtype), name="w")
    b = edl.Variable(np.zeros((), dtype), name="b")
    x, y = edl.constant(features.astype(dtype)), edl.constant(labels.astype(dtype))

    def loss():
        logits = edl.reshape(x @ w, (-1,)) + b
        return edl.mean(edl.softplus(logits) - y * logits) + 0.01 * edl.sum(w * w)

    def reference(v):
        logits = features @ v[:5] + v[5]
        return np.mean(np.logaddexp(0, logits) - labels * logits) + 0.01 * np.sum(v[:5] ** 2)

    return loss, [w, b], reference


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-6), ("float32", 1e-3)])
def test_logistic_regression_agrees_with_scipy(dtype, tolerance):
    loss, vs, reference = problem(dtype)
    found = LBFGS(tolerance_change=0.0).minimize(loss, vs)
    best = scipy.optimize.minimize(reference, np.zeros(6), method="BFGS", options={"gtol": 1e-9})
    assert found.converged
    np.testing.assert_allclose(np.r_[vs[0].numpy().ravel(), vs[1].numpy()], best.x, atol=tolerance)
    np.testing.assert_allclose(found.loss, best.fun, rtol=1e-6)


def test_a_quadratic_with_enough_history_takes_about_n_iterations():
    # With exact line searches it is the conjugate gradient method; these are nearly exact.
    draw = np.random.default_rng(2)
    half = draw.normal(size=(6, 6))
    a = edl.constant(half @ half.T + np.eye(6))
    x = edl.Variable(draw.normal(size=6))
    found = LBFGS(c2=0.01, tolerance_grad=1e-8, tolerance_change=0.0).minimize(lambda: edl.vdot(x, a @ x), [x])
    assert found.converged and found.iterations <= 9
    np.testing.assert_allclose(x.numpy(), 0, atol=1e-8)


def test_steps_lower_the_loss_and_need_variables_once():
    loss, vs, _ = problem()
    optimizer = LBFGS()
    losses = [optimizer.step(loss, vs)] + [optimizer.step(loss) for _ in range(5)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]
    assert losses[-1] == float(loss())
    assert int(optimizer.iterations) == 6


def test_steps_are_iterations_of_minimize():
    runs = []
    for way in ("step", "minimize"):
        loss, vs, _ = problem()
        optimizer = LBFGS(tolerance_change=0.0, tolerance_grad=0.0)
        if way == "step":
            for _ in range(6):
                optimizer.step(loss, vs)
        else:
            assert optimizer.minimize(loss, vs, max_iterations=6).message == "max_iterations were done"
        runs.append([v.numpy() for v in vs])
    for a, b in zip(*runs):
        np.testing.assert_array_equal(a, b)


def test_stored_state_continues_bit_equal():
    loss, vs, _ = problem()
    first = LBFGS(history_size=3)
    for _ in range(5):
        first.step(loss, vs)
    store, values = {}, [copy.copy(v) for v in vs]
    first.save_own_variables(store)
    expected = [first.step(loss) for _ in range(3)]
    for v, value in zip(vs, values):
        v.assign(value)
    second = LBFGS.from_config(first.get_config())
    second.build(vs)
    second.load_own_variables(store)
    assert [second.step(loss) for _ in range(3)] == expected


def test_losses_that_are_not_finite_everywhere():
    x = edl.Variable([5.0], dtype="float64")
    found = LBFGS().minimize(lambda: edl.sum(x - edl.log(x)), [x])  # NaN for x < 0
    assert found.converged
    np.testing.assert_allclose(x.numpy(), 1, atol=1e-3)


def test_a_kink_ends_with_what_was_reached():
    x = edl.Variable([3.0, -2.0], dtype="float64")
    found = LBFGS().minimize(
        lambda: edl.sum(abs(x - edl.constant([0.1, 0.2], dtype="float64"))), [x], max_iterations=50
    )
    assert found.loss == float(np.sum(abs(x.numpy() - [0.1, 0.2]))) < 1.0


def test_a_minimum_at_the_start_stays():
    x = edl.Variable([0.0])
    assert LBFGS().minimize(lambda: edl.sum(x * x), [x])[:4] == (0.0, 0, 1, True)


def test_only_the_given_variables_move():
    x, y = edl.Variable([1.0]), edl.Variable([1.0])
    LBFGS().minimize(lambda: edl.sum((x - y) ** 2 + x * x), [x])
    assert y.tolist() == [1.0]
    np.testing.assert_allclose(x.numpy(), 0.5, atol=1e-3)


def test_configs():
    config = LBFGS(0.5, history_size=4, name="mine").get_config()
    assert config == {
        "name": "mine", "learning_rate": 0.5, "history_size": 4, "tolerance_grad": 1e-7, "tolerance_change": 1e-9, "c1": 1e-4,
        "c2": 0.9, "max_evaluations": 25,
    }  # fmt: skip
    assert LBFGS.from_config(config).get_config() == config


# -- the line search ------------------------------------------------------------------------------------------------

LINES = {
    "far": lambda a: ((a - 300.0) ** 2, 2 * (a - 300.0)),
    "near": lambda a: ((a - 1e-4) ** 2, 2 * (a - 1e-4)),
    "waves": lambda a: (0.1 * a * a - a + math.sin(3 * a) / 4, 0.2 * a - 1 + 0.75 * math.cos(3 * a)),
    "quartic": lambda a: ((a - 2) ** 4 - a, 4 * (a - 2) ** 3 - 1),
    "barrier": lambda a: (-math.log(1 - a) - 3 * a, 1 / (1 - a) - 3) if a < 1 else (math.nan, math.nan),
    "flat end": lambda a: (-math.tanh(a), -(1 - math.tanh(a) ** 2)),
    "hard, More and Thuente 1": lambda a: (-a / (a * a + 2), (a * a - 2) / (a * a + 2) ** 2),
    "hard, More and Thuente 2": lambda a: ((a + 0.1) ** 5 - 2 * (a + 0.1) ** 4,
                                           5 * (a + 0.1) ** 4 - 8 * (a + 0.1) ** 3),
}  # fmt: skip


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("c2", [0.9, 0.1])
@pytest.mark.parametrize("name", LINES)
def test_the_strong_wolfe_conditions_hold(name, c2, first):
    phi = LINES[name]
    start = Point(0.0, *phi(0.0))
    assert start.slope < 0
    found, calls, holds = strong_wolfe(lambda a: Point(a, *phi(a)), start, first, c2=c2, max_evaluations=60)
    assert holds and calls <= 60
    assert found.phi <= start.phi + 1e-4 * found.alpha * start.slope
    assert abs(found.slope) <= c2 * abs(start.slope)


def test_a_search_without_an_end_gives_the_best_that_was_seen():
    found, calls, holds = strong_wolfe(lambda a: Point(a, -a, -1.0), Point(0.0, 0.0, -1.0), 1.0, max_evaluations=5)
    assert not holds and calls == 5 and found.phi == -found.alpha and found.alpha > 8
    found, _, holds = strong_wolfe(lambda a: Point(a, 1.0, 1.0), Point(0.0, 0.0, -1.0), 1.0)
    assert not holds and found.alpha == 0


# -- what is refused ------------------------------------------------------------------------------------------------

X = edl.Variable([1.0], name="x")


def minimize(closure, variables=(X,), **arguments):
    return LBFGS(**arguments).minimize(closure, list(variables))


def with_other_variables():
    optimizer, other = LBFGS(), edl.Variable([1.0], name="other")
    optimizer.step(lambda: edl.sum(X * X), [X])
    optimizer.step(lambda: edl.sum(X * X), [other])


REFUSED = [
    (lambda: LBFGS().apply_gradients([(edl.ones((1,)), X)]), ArgumentError, r"got gradients; call optimizer.minimize"),
    (lambda: LBFGS().step(lambda: edl.sum(X)), ArgumentError, r"it is not built"),
    (lambda: minimize(lambda: 3.0), DTypeError, r"the closure returns the loss, a scalar tensor; got 3.0"),
    (lambda: minimize(lambda: edl.ones((2,)) * X), DTypeError, r"a scalar tensor; got Tensor\(shape=\(2,\)"),
    (lambda: minimize(lambda: edl.constant(3.0)), ArgumentError, r"depends on none of them"),
    (lambda: minimize(lambda: edl.sum(X / 0.0)), ArgumentError, r"finite; it is inf"),
    (lambda: minimize(lambda: edl.sum(X), [edl.Variable([1.0], constraint=abs)]), ArgumentError, r"cannot respect constraints"),
    (lambda: minimize(lambda: edl.sum(X), [edl.Variable([1.0], dtype="float16")]), DTypeError, r"float32 or float64"),
    (with_other_variables, ArgumentError, r"'other' of shape \(1,\) is not among its 1: x"),
    (lambda: LBFGS(clipnorm=1.0), ArgumentError, r"got clipnorm"),
    (lambda: LBFGS(history=3), ArgumentError, r"did you mean 'history_size'"),
    (lambda: LBFGS(history_size=0), ArgumentError, r"history_size is an int of at least 1"),
    (lambda: LBFGS(c1=0.9, c2=0.1), ArgumentError, r"0 < c1 < c2 < 1"),
]  # fmt: skip


@pytest.mark.parametrize("function, error, match", REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_be_meant_is_refused(function, error, match):
    with pytest.raises(error, match=match):
        function()


def test_schedules_give_the_first_trial():
    x = edl.Variable([4.0], dtype="float64")
    optimizer = LBFGS(schedules.PiecewiseConstantDecay([0], [0.5, 1.0]))
    trials = []

    def loss():
        trials.append(float(x[0]))
        return edl.sum(x * x) / 8  # its gradient is 1, so the first trial is the rate itself

    optimizer.step(loss, [x])
    assert trials[:2] == [4.0, 3.5]
