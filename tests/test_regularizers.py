"""Regularizers: values, gradients, names, configs."""

import copy
import json
import pickle

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, ShapeError

R = edl.regularizers

X = np.random.default_rng(0).normal(size=(3, 4))


def mean_cosine(x):
    """The mean over all pairs of rows, one pair after the other."""
    pairs = [(i, j) for i in range(len(x)) for j in range(i)]
    cosines = [abs(x[i] @ x[j]) / (np.linalg.norm(x[i]) * np.linalg.norm(x[j])) for i, j in pairs]
    return np.mean(cosines)


# regularizer, what it gives for X, config
CASES = [
    (R.L1(0.3), 0.3 * np.abs(X).sum(), {"l1": 0.3}),
    (R.L1(), 0.01 * np.abs(X).sum(), {"l1": 0.01}),
    (R.L1(None), 0.01 * np.abs(X).sum(), {"l1": 0.01}),
    (R.L2(0.3), 0.3 * (X**2).sum(), {"l2": 0.3}),
    (R.L2(None), 0.01 * (X**2).sum(), {"l2": 0.01}),
    (R.L2(1), (X**2).sum(), {"l2": 1.0}),
    (R.L1L2(0.3, 0.5), 0.3 * np.abs(X).sum() + 0.5 * (X**2).sum(), {"l1": 0.3, "l2": 0.5}),
    (R.L1L2(l1=0.3), 0.3 * np.abs(X).sum(), {"l1": 0.3, "l2": 0.0}),
    (R.L1L2(l2=0.5), 0.5 * (X**2).sum(), {"l1": 0.0, "l2": 0.5}),
    (R.L1L2(None, None), 0.0, {"l1": 0.0, "l2": 0.0}),
    (R.OrthogonalRegularizer(0.3), 0.3 * mean_cosine(X), {"factor": 0.3, "mode": "rows"}),
    (R.OrthogonalRegularizer(mode="columns"), 0.01 * mean_cosine(X.T), {"factor": 0.01, "mode": "columns"}),
]


@pytest.mark.parametrize(
    ("regularizer", "expected", "config"),
    CASES,
    ids=lambda value: str(value) if isinstance(value, dict) else type(value).__name__,
)
def test_value_gradient_config(regularizer, expected, config):
    out = regularizer(edl.constant(X))
    assert out.shape == () and out.dtype == "float64"
    np.testing.assert_allclose(float(out), expected, rtol=1e-12)
    edl.check_grads(regularizer, (edl.constant(X),))

    assert regularizer.get_config() == config
    full = json.loads(json.dumps(R.serialize(regularizer)))
    assert (full["module"], full["class_name"]) == ("keras.regularizers", type(regularizer).__name__)
    twins = (R.deserialize(full), R.get({"class_name": full["class_name"], "config": config}), copy.deepcopy(regularizer),
             pickle.loads(pickle.dumps(regularizer)))  # fmt: skip
    for twin in twins:
        assert type(twin) is type(regularizer) and float(twin(edl.constant(X))) == float(out)


@pytest.mark.parametrize(
    "regularizer",
    [R.L1(), R.L2(), R.L1L2(), R.L1L2(0.1, 0.1), R.OrthogonalRegularizer()],
    ids=lambda r: type(r).__name__,
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_dtype_is_kept(regularizer, dtype):
    assert regularizer(edl.Variable(X.astype("float32"), dtype=dtype)).dtype == dtype


def test_orthogonal_at_its_ends():
    penalty = R.OrthogonalRegularizer(1.0)
    np.testing.assert_allclose(float(penalty(edl.eye(4))), 0.0)
    np.testing.assert_allclose(float(penalty(edl.ones((4, 2)))), 1.0, rtol=1e-6)
    assert float(penalty(edl.ones((1, 4)))) == 0  # no pair
    zero = edl.Variable([[0.0, 0.0], [1.0, 2.0]])
    with edl.GradientTape() as tape:
        loss = penalty(zero)
    assert float(loss) == 0 and np.isfinite(tape.gradient(loss, zero).numpy()).all()


def test_base_class_gives_nothing():
    assert R.Regularizer()(edl.ones((2,))) == 0
    with pytest.raises(NotImplementedError, match="get_config"):
        R.Regularizer().get_config()


@pytest.mark.parametrize(
    ("names", "cls"),
    [
        (("L1", "l1"), R.L1),
        (("L2", "l2"), R.L2),
        (("L1L2", "l1l2", "l1_l2"), R.L1L2),
        (("OrthogonalRegularizer", "orthogonal_regularizer"), R.OrthogonalRegularizer),
    ],
)
def test_names(names, cls):
    for name in names:
        assert type(R.get(name)) is type(R.deserialize(name)) is cls
        assert getattr(R, name, cls) is cls
    assert type(R.get(cls)) is cls


def test_get_takes_what_users_have():
    def peak(x):
        return edl.max(edl.abs(x))

    penalty = R.L2()
    assert R.get(None) is None and R.get(penalty) is penalty and R.get(peak) is peak
    assert R.deserialize(R.serialize(peak), {"peak": peak}) is peak


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: R.L1(-0.1), ArgumentError, r"\[L1\] l1 is finite and at least 0; got l1=-0.1"),
        (lambda: R.L2(float("nan")), ArgumentError, r"\[L2\] l2 is finite.*nan"),
        (lambda: R.L1L2(0.1, float("inf")), ArgumentError, r"\[L1L2\] l2 is finite.*inf"),
        (lambda: R.L2("0.1"), DTypeError, r"l2 is a number; got str"),
        (lambda: R.L2(True), DTypeError, r"l2 is a number; got bool"),
        (lambda: R.OrthogonalRegularizer(-1), ArgumentError, r"factor is finite and at least 0"),
        (
            lambda: R.OrthogonalRegularizer(mode="row"),
            ArgumentError,
            r"mode is one of 'rows', 'columns'; got 'row', did you mean 'rows'",
        ),
        (lambda: R.OrthogonalRegularizer()(edl.ones((2, 3, 4))), ShapeError, r"two axes; x has shape \(2, 3, 4\)"),
        (lambda: R.get("L1_L2"), ArgumentError, r"\[regularizer\].*'L1_L2', did you mean 'L1L2'"),
        (lambda: R.get(0.1), DTypeError, r"got float: 0.1"),
    ],
    ids=["negative", "nan", "inf", "string", "bool", "factor", "mode", "rank", "name", "number"],
)
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()
