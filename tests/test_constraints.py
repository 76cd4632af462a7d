"""Constraints: what holds after them, names, configs."""

import copy
import json
import pickle

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError

C = edl.constraints

W = np.random.default_rng(0).normal(size=(3, 4, 5))
AXES = [0, -1, (0, 1), [1, 2], None]


def norms(w, axis):
    return np.sqrt((w**2).sum(axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=True))


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_norms(axis):
    n = norms(W, axis)
    low, high = 0.98 * np.quantile(n, 0.3), 1.02 * np.quantile(n, 0.7)  # away from the kinks
    rows = [
        (C.UnitNorm(axis), 1.0),
        (C.MaxNorm(high, axis), np.minimum(n, high)),
        (C.MinMaxNorm(low, high, axis=axis), np.clip(n, low, high)),
        (C.MinMaxNorm(low, high, 0.25, axis), 0.25 * np.clip(n, low, high) + 0.75 * n),
        (C.MinMaxNorm(low, high, 0, axis), n),
    ]
    for constraint, desired in rows:
        out = constraint(edl.constant(W))
        assert out.shape == W.shape and out.dtype == "float64"
        np.testing.assert_allclose(out.numpy(), W / n * desired, rtol=1e-6)  # epsilon beside the norm
        edl.check_grads(constraint, (edl.constant(W),), order=1)


def test_defaults():
    w = np.array([[3.0, 0.3], [4.0, 0.4]])
    np.testing.assert_allclose(C.MaxNorm()(w).numpy(), [[1.2, 0.3], [1.6, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(C.MinMaxNorm()(w).numpy(), [[0.6, 0.3], [0.8, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(C.UnitNorm()(w).numpy(), [[0.6, 0.6], [0.8, 0.8]], rtol=1e-6)


def test_non_negative():
    np.testing.assert_array_equal(C.NonNeg()(edl.constant(W)).numpy(), np.maximum(W, 0))


ALL = [C.NonNeg(), C.UnitNorm(), C.MaxNorm(1.0), C.MinMaxNorm(0.5, 1.0, 0.5)]


@pytest.mark.parametrize("constraint", ALL, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_zeros_stay_and_dtype_is_kept(constraint, dtype):
    out = constraint(edl.Variable(edl.zeros((2, 3), dtype)))
    assert out.dtype == dtype and out.tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize(
    "constraint", [C.NonNeg(), C.UnitNorm(), C.MaxNorm(1.0), C.MinMaxNorm(0.5, 1.0)], ids=lambda c: type(c).__name__
)
def test_once_is_enough(constraint):
    once = constraint(edl.constant(W))
    np.testing.assert_allclose(constraint(once).numpy(), once.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("constraint", "config"),
    [
        (C.NonNeg(), {}),
        (C.UnitNorm((0, 1)), {"axis": [0, 1]}),
        (C.UnitNorm(None), {"axis": None}),
        (C.MaxNorm(3, 1), {"max_value": 3, "axis": 1}),
        (C.MaxNorm(), {"max_value": 2, "axis": 0}),
        (C.MinMaxNorm(), {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else type(value).__name__,
)
def test_config(constraint, config):
    assert constraint.get_config() == config
    full = json.loads(json.dumps(C.serialize(constraint)))
    assert (full["module"], full["class_name"]) == ("keras.constraints", type(constraint).__name__)
    twins = (C.deserialize(full), C.get({"class_name": full["class_name"], "config": config}), copy.deepcopy(constraint),
             pickle.loads(pickle.dumps(constraint)))  # fmt: skip
    for twin in twins:
        assert type(twin) is type(constraint)
        np.testing.assert_array_equal(twin(edl.constant(W)).numpy(), constraint(edl.constant(W)).numpy())


@pytest.mark.parametrize(
    ("names", "cls"),
    [
        (("MaxNorm", "max_norm"), C.MaxNorm),
        (("MinMaxNorm", "min_max_norm"), C.MinMaxNorm),
        (("NonNeg", "non_neg"), C.NonNeg),
        (("UnitNorm", "unit_norm"), C.UnitNorm),
    ],
)
def test_names(names, cls):
    for name in names:
        assert type(C.get(name)) is type(C.deserialize(name)) is cls and getattr(C, name) is cls
    assert type(C.get(cls)) is cls


def test_get_takes_what_users_have():
    def clipped(w):
        return edl.clip(w, -1, 1)

    constraint = C.NonNeg()
    assert C.get(None) is None and C.get(constraint) is constraint and C.get(clipped) is clipped
    assert C.deserialize(C.serialize(clipped), {"clipped": clipped}) is clipped


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: C.MaxNorm(-1), ArgumentError, r"\[MaxNorm\] max_value is finite and at least 0; got max_value=-1"),
        (lambda: C.MaxNorm("2"), DTypeError, r"max_value is a number; got str"),
        (lambda: C.MinMaxNorm(2.0, 1.0), ArgumentError, r"min_value is at most max_value; got 2.0 and 1.0"),
        (lambda: C.MinMaxNorm(rate=1.5), ArgumentError, r"rate is finite and at least 0 and at most 1; got rate=1.5"),
        (lambda: C.UnitNorm("rows"), ArgumentError, r"axis is an int or a sequence of ints; got 'rows'"),
        (lambda: C.UnitNorm(3)(edl.ones((2, 2))), edl.errors.AxisError, r"3"),
        (lambda: C.get("maxnorm"), ArgumentError, r"\[constraint\].*did you mean.*'max_norm'|MaxNorm"),
        (lambda: C.get(2), DTypeError, r"got int: 2"),
        (lambda: C.Constraint()(edl.ones((2,))), NotImplementedError, r"a constraint needs __call__"),
    ],
    ids=["negative", "string", "bounds", "rate", "axis", "no axis", "name", "number", "base"],
)
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()
