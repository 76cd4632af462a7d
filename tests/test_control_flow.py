"""Control flow ops: the same numbers and gradients as the Python they stand for."""

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def test_cond_and_switch_choose_and_differentiate():
    x = edl.Variable(3.0)
    with edl.GradientTape(persistent=True) as tape:
        y = edl.cond(x > 2.0, lambda: x * x, lambda: x)
        z = edl.switch(edl.constant(1), [lambda v: v, lambda v: v**3], x)
    assert float(tape.gradient(y, x)) == 6.0 and float(tape.gradient(z, x)) == 27.0
    assert float(edl.switch(9, [lambda: edl.constant(1.0), lambda: edl.constant(2.0)])) == 2.0
    assert float(edl.switch(-4, [lambda: edl.constant(1.0), lambda: edl.constant(2.0)])) == 1.0


def test_loops_agree_with_python():
    assert int(edl.while_loop(lambda i: i < 10, lambda i: i * 2, edl.constant(1))) == 16
    i, s = edl.while_loop(lambda i, s: i < 100, lambda i, s: (i + 1, s + i), [0, 0], maximum_iterations=5)
    assert (int(i), int(s)) == (5, 10)
    assert float(edl.fori_loop(0, 10, lambda i, x: x * 2.0, edl.constant(1.0))) == 1024.0
    edl.check_grads(lambda x: edl.fori_loop(0, 3, lambda i, v: edl.sin(v) * x, x), (np.array([0.5, 1.5]),))


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_agrees_with_a_loop(reverse):
    xs, w = np.linspace(-1, 1, 12).reshape(6, 2), np.array([0.3, -0.4])

    def step(carry, x):
        carry = edl.tanh(carry * w + x)
        return carry, {"twice": carry * 2.0}

    last, ys = edl.scan(step, edl.zeros(2, "float64"), edl.constant(xs), reverse=reverse)
    carry, rows = np.zeros(2), []
    for x in xs[::-1] if reverse else xs:
        carry = np.tanh(carry * w + x)
        rows.append(carry * 2)
    np.testing.assert_allclose(last.numpy(), carry)
    np.testing.assert_allclose(ys["twice"].numpy(), rows[::-1] if reverse else rows)
    edl.check_grads(lambda c, x: edl.scan(step, c, x, reverse=reverse)[1]["twice"], (np.zeros(2), xs))


def test_scan_counts_by_length():
    last, ys = edl.scan(lambda c, _: (c + 1, c), edl.constant(0), length=4)
    assert int(last) == 4 and ys.tolist() == [0, 1, 2, 3]
    assert edl.scan(lambda c, _: (c + 1, None), edl.constant(0), length=3)[1] is None


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan_agrees_with_cumsum(n, reverse):
    x = np.arange(n * 3.0).reshape(3, n)
    want = np.cumsum(x[:, ::-1], 1)[:, ::-1] if reverse else np.cumsum(x, 1)
    np.testing.assert_allclose(
        edl.associative_scan(lambda a, b: a + b, edl.constant(x), reverse=reverse, axis=1).numpy(), want
    )


def test_associative_scan_of_a_linear_recurrence_differentiates():
    a, b = np.array([0.5, -0.3, 0.9, 0.7, 0.2]), np.array([1.0, 2.0, -1.0, 0.5, 3.0])

    def combine(left, right):
        return left[0] * right[0], left[1] * right[0] + right[1]

    state, want = 0.0, []
    for one, two in zip(a, b, strict=True):
        state = state * one + two
        want.append(state)
    got = edl.associative_scan(combine, (edl.constant(a), edl.constant(b)))[1]
    np.testing.assert_allclose(got.numpy(), want)
    edl.check_grads(lambda a, b: edl.associative_scan(combine, (a, b))[1], (a, b))


def test_maps_apply_to_each_element():
    xs = {"a": np.arange(6.0).reshape(3, 2), "b": np.arange(3.0)}
    for mapper in (edl.map, edl.vectorized_map):
        got = mapper(lambda e: (edl.sum(e["a"]) * e["b"], e["a"]), {k: edl.constant(v) for k, v in xs.items()})
        np.testing.assert_allclose(got[0].numpy(), xs["a"].sum(1) * xs["b"])
        np.testing.assert_allclose(got[1].numpy(), xs["a"])
    edl.check_grads(lambda x: edl.map(lambda r: edl.sum(r * r), x), (np.ones((3, 2)),))


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: edl.cond(edl.ones(2), lambda: 1, lambda: 2), ShapeError, "condition of one element"),
    (lambda: edl.cond(True, 1, lambda: 2), DTypeError, "true_fn must be a function"),
    (lambda: edl.switch(0, []), ArgumentError, "at least one branch"),
    (lambda: edl.switch(0.5, [lambda: 1]), DTypeError, "one integer is needed"),
    (lambda: edl.while_loop(lambda a, b: a < 3, lambda a, b: a + 1, (0, 0)), ArgumentError, "must keep its structure"),
    (lambda: edl.scan(lambda c, x: c, 0, edl.ones(3)), ArgumentError, "must return a pair"),
    (lambda: edl.scan(lambda c, x: (c, x), 0), ArgumentError, "xs or length is needed"),
    (lambda: edl.scan(lambda c, x: (c, x), 0, edl.ones(3), length=4), ShapeError, r"first axes, and length, must agree; got lengths \[3, 4\]"),
    (lambda: edl.scan(lambda c, x: (c, x), 0, edl.ones(())), ShapeError, "first axis to run over"),
    (lambda: edl.map(lambda x: x, edl.ones((0, 2))), ShapeError, "at least one element"),
])  # fmt: skip
def test_wrong_use_says_what_to_do(call, error, words):
    with pytest.raises(error, match=words):
        call()


# -- vectorize ----------------------------------------------------------------------------------


def test_vectorize_calls_the_function_for_every_element():
    f = edl.vectorize(lambda a, b: a - b if a > b else a + b)
    x, y = np.array([[1.0], [5.0]]), np.array([2.0, 0.5, 9.0])
    np.testing.assert_allclose(f(edl.constant(x), y).numpy(), np.where(x > y, x - y, x + y))


def test_vectorize_keeps_the_gradient():
    f = edl.vectorize(lambda a: a * a if a > 0 else -a)
    edl.check_grads(f, (np.array([[1.5, -2.0], [0.5, -0.1]]),), order=2)


def test_vectorize_with_a_signature_calls_it_for_core_axes():
    rng = np.random.default_rng(0)
    matrices, vectors = rng.normal(size=(3, 1, 2, 4)), rng.normal(size=(5, 4))
    f = edl.vectorize(lambda a, b: (a @ b, b.sum()), signature="(m, n),(n)->(m),()")
    products, sums = f(matrices, vectors)
    np.testing.assert_allclose(
        products.numpy(), np.einsum("abmn,bn->abm", np.broadcast_to(matrices, (3, 5, 2, 4)), vectors)
    )
    np.testing.assert_allclose(sums.numpy(), np.broadcast_to(vectors.sum(-1), (3, 5)))


def test_vectorize_passes_excluded_and_keyword_arguments_as_they_are():
    seen = []

    def scaled(a, table, *, factor):
        seen.append((table, factor))
        return a * factor

    table = ["as", "it", "is"]
    out = edl.vectorize(scaled, excluded={1})([1, 2], table, factor=3)
    assert out.tolist() == [3, 6]
    assert seen == [(table, 3)] * 2


def test_vectorize_says_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"\[vectorize\] at least one element is needed"):
        edl.vectorize(lambda a: a)(np.zeros(0))
    with pytest.raises(ShapeError, match=r"core axis n must have one size; got 2 and 3 \(argument 1\)"):
        edl.vectorize(lambda a, b: a, signature="(n),(n)->(n)")(np.zeros(2), np.zeros(3))
    with pytest.raises(ShapeError, match=r"argument 0 needs the core axes \(m, n\); got shape \(2,\)"):
        edl.vectorize(lambda a: a, signature="(m,n)->()")(np.zeros(2))
    with pytest.raises(ArgumentError, match=r"names 2 inputs; got 1"):
        edl.vectorize(lambda a: a, signature="(),()->()")(np.zeros(2))
    with pytest.raises(ShapeError, match=r"the leading axes must broadcast; got \(2,\), \(3,\)"):
        edl.vectorize(lambda a, b: a)(np.zeros(2), np.zeros(3))
