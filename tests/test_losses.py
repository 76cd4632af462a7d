"""Losses: values against formulas in NumPy, derivatives, reductions with weights and masks, shapes that must not broadcast."""

import copy
import inspect
import json
import pickle

import numpy as np
import pytest
import scipy.special
from cases.builders import normal, uniform

import eagerdl as edl
from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError, MissingNameError, RangeError, ShapeError
from eagerdl.train import losses

EPSILON = 1e-7


def simplex(*shape, salt=0):
    p = uniform(0.1, 1, *shape, salt=salt)
    return p / p.sum(-1, keepdims=True)


def labels(high, *shape, salt=0):
    return np.random.default_rng(salt).integers(0, high, shape)


def hot(numbers, n):
    return np.eye(n)[numbers]


def mean(x):
    return x.mean(-1)


def clipped(p):
    return np.clip(p, EPSILON, 1 - EPSILON)


# -- one loss per example, in NumPy ---------------------------------------------------------------


def binary(y, p, from_logits=False, label_smoothing=0.0, axis=-1):
    y = y * (1 - label_smoothing) + label_smoothing / 2
    logs = (
        (scipy.special.log_expit(p), scipy.special.log_expit(-p))
        if from_logits
        else (np.log(clipped(p)), np.log(1 - clipped(p)))
    )
    return (-y * logs[0] - (1 - y) * logs[1]).mean(axis)


def binary_focal(y, p, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, axis=-1):
    p = scipy.special.expit(p) if from_logits else p
    right = np.where(y == 1, p, 1 - p)
    weight = np.where(y == 1, alpha, 1 - alpha) if apply_class_balancing else 1.0
    return (-weight * (1 - right) ** gamma * np.log(right)).mean(axis)


def categorical(y, p, from_logits=False, label_smoothing=0.0, axis=-1):
    y = y * (1 - label_smoothing) + label_smoothing / y.shape[axis]
    logs = scipy.special.log_softmax(p, axis) if from_logits else np.log(clipped(p / p.sum(axis, keepdims=True)))
    return -(y * logs).sum(axis)


def categorical_focal(y, p, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0):
    y = y * (1 - label_smoothing) + label_smoothing / y.shape[-1]
    p = scipy.special.softmax(p, -1) if from_logits else p / p.sum(-1, keepdims=True)
    return -(y * alpha * (1 - p) ** gamma * np.log(p)).sum(-1)


def sparse(y, p, from_logits=False):
    return categorical(hot(y.reshape(p.shape[:-1]), p.shape[-1]), p, from_logits)


def huber(y, p, delta=1.0):
    e = np.abs(y - p)
    return mean(np.where(e <= delta, e**2 / 2, delta * (e - delta / 2)))


def cosine(y, p, axis=-1):
    return -(y * p).sum(axis) / np.sqrt((y**2).sum(axis) * (p**2).sum(axis))


def tversky(y, p, alpha=0.5, beta=0.5, axis=None):
    both = (y * p).sum(axis)
    return 1 - both / (both + alpha * (y * (1 - p)).sum(axis) + beta * ((1 - y) * p).sum(axis) + EPSILON)


def circle(y, x, gamma=80.0, margin=0.4, remove_diagonal=True):
    """Sun et al., 2020, equation 6, one anchor after the other."""
    out = []
    for i in range(len(x)):
        s = x @ x[i]
        same = [j for j in range(len(x)) if y[j] == y[i] and not (remove_diagonal and i == j)]
        others = [j for j in range(len(x)) if y[j] != y[i]]
        p = sum(np.exp(-gamma * max(1 + margin - s[j], 0) * (s[j] - 1 + margin)) for j in same)
        n = sum(np.exp(gamma * max(s[j] + margin, 0) * (s[j] - margin)) for j in others)
        out.append(np.log1p(p * n))
    return np.array(out)


def ctc(y, logits):
    """Minus the logarithm of what all alignments sum up to: every path, one after the other."""
    batch, time, classes = logits.shape
    logs = scipy.special.log_softmax(logits, -1)
    out = np.zeros(batch)
    for b in range(batch):
        wanted = [c for c in y[b] if c]
        for path in np.ndindex(*(classes,) * time):
            merged = [c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)]
            if merged == wanted:
                out[b] += np.exp(sum(logs[b, t, c] for t, c in enumerate(path)))
    return -np.log(out)


UNIT = normal(6, 5) / np.linalg.norm(normal(6, 5), axis=-1, keepdims=True)
ZEROS_AND_ONES = labels(2, 6, 5) * 1.0
IMAGES = labels(2, 3, 4, 4) * 1.0

# name of the class, y_true, y_pred, arguments, reference
VALUES = [
    ("MeanSquaredError", normal(6, 5), normal(6, 5, salt=1), {}, lambda y, p: mean((y - p) ** 2)),
    ("MeanSquaredError", normal(2, 3, 4), normal(2, 3, 4, salt=1), {}, lambda y, p: mean((y - p) ** 2)),
    ("MeanAbsoluteError", normal(6, 5), normal(6, 5, salt=1), {}, lambda y, p: mean(np.abs(y - p))),
    ("MeanAbsolutePercentageError", normal(6, 5), normal(6, 5, salt=1), {}, lambda y, p: 100 * mean(np.abs((y - p) / y))),
    ("MeanSquaredLogarithmicError", uniform(0, 9, 6, 5), uniform(0, 9, 6, 5, salt=1), {},
     lambda y, p: mean((np.log1p(y) - np.log1p(p)) ** 2)),
    ("Huber", 2 * normal(6, 5), normal(6, 5, salt=1), {}, huber),
    ("Huber", 2 * normal(6, 5), normal(6, 5, salt=1), {"delta": 0.3}, huber),
    ("LogCosh", 3 * normal(6, 5), normal(6, 5, salt=1), {}, lambda y, p: mean(np.log(np.cosh(p - y)))),
    ("Hinge", np.sign(normal(6, 5)), normal(6, 5, salt=1), {}, lambda y, p: mean(np.maximum(1 - y * p, 0))),
    ("Hinge", ZEROS_AND_ONES, normal(6, 5), {}, lambda y, p: mean(np.maximum(1 - (2 * y - 1) * p, 0))),
    ("SquaredHinge", np.sign(normal(6, 5)), normal(6, 5, salt=1), {}, lambda y, p: mean(np.maximum(1 - y * p, 0) ** 2)),
    ("CategoricalHinge", hot(labels(5, 6), 5), normal(6, 5), {},
     lambda y, p: np.maximum(1 + ((1 - y) * p).max(-1) - p[y == 1], 0)),
    ("CosineSimilarity", normal(6, 5), normal(6, 5, salt=1), {}, cosine),
    ("CosineSimilarity", normal(6, 5), normal(6, 5, salt=1), {"axis": 0}, cosine),
    ("KLDivergence", simplex(6, 5), simplex(6, 5, salt=1), {}, lambda y, p: (y * np.log(y / p)).sum(-1)),
    ("Poisson", uniform(0, 4, 6, 5), uniform(0.1, 4, 6, 5, salt=1), {}, lambda y, p: mean(p - y * np.log(p + EPSILON))),
    ("BinaryCrossentropy", ZEROS_AND_ONES, uniform(0.1, 0.9, 6, 5), {}, binary),
    ("BinaryCrossentropy", ZEROS_AND_ONES, normal(6, 5), {"from_logits": True, "label_smoothing": 0.2}, binary),
    ("BinaryCrossentropy", ZEROS_AND_ONES, normal(6, 5), {"from_logits": True, "axis": 0}, binary),
    ("BinaryFocalCrossentropy", ZEROS_AND_ONES, uniform(0.1, 0.9, 6, 5), {"gamma": 1.5}, binary_focal),
    ("BinaryFocalCrossentropy", ZEROS_AND_ONES, normal(6, 5), {"from_logits": True, "apply_class_balancing": True}, binary_focal),
    ("CategoricalCrossentropy", hot(labels(5, 6), 5), uniform(0.1, 0.9, 6, 5), {"label_smoothing": 0.2}, categorical),
    ("CategoricalCrossentropy", hot(labels(5, 6, 3), 5), normal(6, 3, 5), {"from_logits": True}, categorical),
    ("CategoricalCrossentropy", hot(labels(4, 5), 4).T, normal(4, 5), {"from_logits": True, "axis": 0}, categorical),
    ("CategoricalFocalCrossentropy", hot(labels(5, 6), 5), uniform(0.1, 0.9, 6, 5), {"alpha": 0.4}, categorical_focal),
    ("CategoricalFocalCrossentropy", hot(labels(5, 6), 5), normal(6, 5), {"from_logits": True, "gamma": 1.0}, categorical_focal),
    ("SparseCategoricalCrossentropy", labels(5, 6), uniform(0.1, 0.9, 6, 5), {}, sparse),
    ("SparseCategoricalCrossentropy", labels(5, 6, 1), normal(6, 5), {"from_logits": True}, sparse),
    ("SparseCategoricalCrossentropy", labels(5, 6, 3) * 1.0, normal(6, 3, 5), {"from_logits": True},
     lambda y, p, **kw: sparse(y.astype(int), p, **kw)),
    ("CategoricalGeneralizedCrossEntropy", labels(5, 6), simplex(6, 5), {"q": 0.3},
     lambda y, p, q: (1 - p[np.arange(6), y] ** q) / q),
    ("Dice", IMAGES, uniform(0.1, 0.9, 3, 4, 4), {"axis": (1, 2)}, lambda y, p, axis: tversky(y, p, axis=axis)),
    ("Dice", IMAGES, uniform(0.1, 0.9, 3, 4, 4), {}, tversky),
    ("Tversky", IMAGES, uniform(0.1, 0.9, 3, 4, 4), {"axis": (1, 2), "alpha": 0.2, "beta": 0.7}, tversky),
    ("Circle", np.array([0, 0, 1, 1, 1, 2]), UNIT, {"gamma": 4.0}, circle),
    ("Circle", np.array([0, 0, 1, 1, 1, 2]), 0.9 * UNIT, {"margin": 0.2, "gamma": 4.0, "remove_diagonal": False}, circle),
    ("CTC", np.array([[1, 2, 0], [2, 2, 1]]), normal(2, 5, 3), {}, ctc),
]  # fmt: skip
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(VALUES)]


@pytest.mark.parametrize("name, y_true, y_pred, kwargs, reference", VALUES, ids=IDS)
def test_values_are_those_of_the_formula(name, y_true, y_pred, kwargs, reference):
    want = reference(y_true, y_pred, **kwargs)
    loss = getattr(losses, name)(reduction=None, dtype="float64", **kwargs)
    np.testing.assert_allclose(loss(y_true, y_pred), want, rtol=2e-6, atol=1e-9)
    function = getattr(losses, loss.fn.__name__)
    np.testing.assert_allclose(function(y_true, edl.constant(y_pred), **kwargs), want, rtol=2e-6, atol=1e-9)
    narrow = getattr(losses, name)(reduction=None, **kwargs)(y_true, y_pred)
    assert narrow.dtype == "float32"
    np.testing.assert_allclose(narrow, want, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("name, y_true, y_pred, kwargs, reference", VALUES, ids=IDS)
def test_derivatives_are_those_of_the_values(name, y_true, y_pred, kwargs, reference):
    loss = getattr(losses, name)(dtype="float64", **kwargs)
    edl.check_grads(lambda p: loss(y_true, p), (y_pred,), order=1 if name == "CTC" else 2, rtol=1e-4, atol=1e-5)


def test_every_class_has_a_row():
    classes = {name for name in losses.__all__ if inspect.isclass(getattr(losses, name))}
    assert classes - {name for name, *_ in VALUES} == {"Loss"}


# -- extremes -------------------------------------------------------------------------------------


def test_focal_losses_of_sure_logits_keep_their_gradients():
    x = edl.constant([[-60.0], [60.0]])
    with edl.GradientTape() as tape:
        tape.watch(x)
        loss = losses.binary_focal_crossentropy([[1.0], [0.0]], x, from_logits=True)
    np.testing.assert_allclose(loss, [60.0, 60.0], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, x), [[-1.0], [1.0]], rtol=1e-6)


def test_log_cosh_does_not_overflow():
    np.testing.assert_allclose(losses.log_cosh([[0.0], [0.0]], [[1e4], [-1e4]]), 1e4 - np.log(2), rtol=1e-6)


def test_cosine_of_the_vector_zero_is_zero():
    assert losses.CosineSimilarity()([[0.0, 0.0]], [[1.0, 2.0]]) == 0


def test_circle_without_pairs_is_zero_and_so_is_its_gradient():
    x = edl.constant(UNIT)
    with edl.GradientTape() as tape:
        tape.watch(x)
        loss = losses.Circle()(np.arange(6), x)
    assert loss == 0
    np.testing.assert_array_equal(tape.gradient(loss, x), np.zeros_like(UNIT))


def test_circle_averages_what_is_above_zero():
    y = np.array([0, 0, 1, 2, 3, 4])
    values = circle(y, UNIT, gamma=4.0)
    assert (values > 0).sum() == 2
    np.testing.assert_allclose(losses.Circle(gamma=4.0, dtype="float64")(y, UNIT), values.sum() / 2)


def test_circle_compares_with_references():
    y, ref = np.array([0, 1]), np.array([0, 1, 1, 0])
    got = losses.circle(y, UNIT[:2], ref, UNIT[2:], remove_diagonal=False, gamma=4.0)
    whole = np.concatenate([UNIT[:1], UNIT[2:]])
    np.testing.assert_allclose(got[0], circle(np.array([0, *ref]), whole, gamma=4.0)[0], rtol=1e-6)
    with pytest.raises(ShapeError, match="ref_embeddings need their own ref_labels"):
        losses.circle(y, UNIT[:2], ref_embeddings=UNIT[2:])


@pytest.mark.parametrize("ignored", [-1, 255, 1])
@pytest.mark.parametrize("from_logits", [False, True])
def test_ignored_labels_count_nowhere(ignored, from_logits):
    y, p = labels(5, 4, 3), uniform(0.1, 0.9, 4, 3, 5)
    y[y == ignored] = 0
    y[0, 0], y[2, 1] = ignored, ignored
    p[0, 0] = np.nan
    kept = y != ignored
    want = sparse(y[kept], p[kept], from_logits)
    loss = losses.SparseCategoricalCrossentropy(from_logits, ignored, dtype="float64")
    np.testing.assert_allclose(loss(y, p), want.mean(), rtol=1e-6)
    weights = uniform(0, 1, 4, 3)
    np.testing.assert_allclose(loss(y, p, weights), (want * weights[kept]).sum() / kept.sum(), rtol=1e-6)
    x = edl.constant(p)
    with edl.GradientTape() as tape:
        tape.watch(x)
        value = loss(y[..., None], x)
    gradient = tape.gradient(value, x).numpy()
    assert (gradient[~kept] == 0).all() and np.isfinite(gradient).all() and (gradient[kept] != 0).any()


# -- reductions, weights, masks -------------------------------------------------------------------

Y, P = normal(4, 3, 2), normal(4, 3, 2, salt=1)
SQUARES = ((Y - P) ** 2).mean(-1)
FULL, ROWS, COLUMN, LINE = uniform(0, 1, 4, 3), uniform(0, 1, 4), uniform(0, 1, 4, 1), uniform(0, 1, 1, 3)
MASK = np.array([[True, True, False], [True, False, False], [True, True, True], [False, False, False]])
WEIGHTS = {
    "none": (None, 1.0), "scalar": (2.5, 2.5), "full": (FULL, FULL), "with a last 1": (FULL[..., None], FULL),
    "by example": (ROWS, ROWS[:, None]), "column": (COLUMN, COLUMN), "line": (LINE, LINE),
}  # fmt: skip


def masked(p, mask):
    out = edl.constant(p)
    if mask is not None:
        out._mask = edl.constant(mask)
    return out


@pytest.mark.parametrize("mask", [None, MASK, MASK[:, 0]], ids=["no mask", "mask", "mask by example"])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None])
def test_reductions(reduction, weights, mask):
    given, full = WEIGHTS[weights]
    counts = np.ones((4, 3)) if mask is None else (mask if mask.ndim == 2 else mask[:, None]) * np.ones((4, 3))
    weight = counts * full
    values = SQUARES * weight
    want = {
        "sum": values.sum(), "mean_with_sample_weight": values.sum() / weight.sum(), "none": values, None: values,
    }.get(reduction, values.sum() / counts.sum())  # fmt: skip
    loss = losses.MeanSquaredError(reduction=reduction, dtype="float64")
    np.testing.assert_allclose(loss(Y, masked(P, mask), sample_weight=given), want, rtol=1e-12)


def test_what_a_mask_leaves_out_may_be_anything():
    p = P.copy()
    p[~MASK] = np.nan
    np.testing.assert_allclose(losses.MeanSquaredError(dtype="float64")(Y, masked(p, MASK)), SQUARES[MASK].mean())


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_nothing_left_is_zero(reduction):
    loss = losses.MeanSquaredError(reduction=reduction)
    assert loss(Y, masked(P, np.zeros((4, 3), bool))) == 0
    assert loss(Y, P, sample_weight=np.zeros(4)) == 0
    assert loss(np.zeros((0, 2)), np.zeros((0, 2))) == 0


def test_under_a_tape_a_loss_is_a_scalar_with_a_gradient():
    v = edl.Variable(normal(6, 5).astype("float32"))
    y = labels(5, 6)
    with edl.GradientTape() as tape:
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)(y, v)
    assert loss.shape == () and loss.dtype == "float32"
    want = (scipy.special.softmax(v.numpy(), -1) - hot(y, 5)) / 6
    np.testing.assert_allclose(tape.gradient(loss, v), want, rtol=1e-4, atol=1e-7)


def test_losses_equal_the_ops_to_the_bit():
    y, x = labels(5, 32), edl.constant(normal(32, 5).astype("float32"))
    by_hand = edl.mean(edl.ops.sparse_categorical_crossentropy(y, x, from_logits=True))
    np.testing.assert_array_equal(losses.SparseCategoricalCrossentropy(from_logits=True)(y, x), by_hand)


def test_losses_run_for_whole_batches():
    y, x = ZEROS_AND_ONES, normal(3, 6, 5)
    loss = losses.BinaryCrossentropy(from_logits=True, dtype="float64")
    got = edl.vectorized_map(lambda one: loss(y, one), edl.constant(x))
    np.testing.assert_allclose(got, [binary(y, one, True).mean() for one in x])


def test_half_predictions_are_measured_in_floatx():
    p = edl.constant(np.full((4096, 1), 0.1), "float16")
    loss = losses.MeanSquaredError(reduction="sum")(np.full((4096, 1), 10.1), p)
    assert loss.dtype == "float32"
    np.testing.assert_allclose(loss, 4096 * 100, rtol=1e-3)


def test_dtype_of_a_policy():
    assert losses.MeanSquaredError(dtype="mixed_bfloat16").dtype == "bfloat16"
    assert losses.MeanSquaredError(dtype=np.float64)([[0.0]], [[1.0]]).dtype == "float64"
    assert losses.MeanSquaredError().dtype == "float32"


# -- shapes ---------------------------------------------------------------------------------------

ALIGNED = [((4,), (4, 1)), ((4, 1), (4,)), ((4, 3), (4, 3, 1)), ((4, 3, 1), (4, 3)), ((1,), (1, 1)), ((4,), (4,))]
PAIRWISE = [
    "MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "Huber", "LogCosh",
    "Hinge", "SquaredHinge", "CosineSimilarity", "Poisson", "KLDivergence", "BinaryCrossentropy", "BinaryFocalCrossentropy",
    "Dice", "Tversky",
]  # fmt: skip


@pytest.mark.parametrize("true, pred", ALIGNED, ids=str)
@pytest.mark.parametrize("name", PAIRWISE)
def test_a_missing_last_axis_of_1_is_added_or_dropped(name, true, pred):
    y, p = uniform(0.1, 0.9, *true), uniform(0.1, 0.9, *pred, salt=1)
    both = max(true, pred, key=len) if len(min(true, pred, key=len)) == 1 else min(true, pred, key=len)
    loss = getattr(losses, name)(dtype="float64")
    np.testing.assert_array_equal(loss(y, p), loss(y.reshape(both), p.reshape(both)))


@pytest.mark.parametrize("true, pred, remedy", [
    ((4,), (4, 4), "last axis of 4, or the last layer one unit"), ((4, 1), (4, 4), "reshape"), ((4, 4), (4,), "reshape"),
    ((1, 4), (4,), "one row per example"), ((3,), (4, 1), "one row per example"), ((1,), (4,), "one row per example"),
    ((4, 3), (4, 1, 3), "reshape"), ((), (4,), "one row per example"), ((4, 1), (4, 3, 1), "reshape"),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("name", PAIRWISE)
def test_nothing_else_is_broadcast(name, true, pred, remedy):
    with pytest.raises(ShapeError, match="must have the same shape") as caught:
        getattr(losses, name)()(np.full(true, 0.5), np.full(pred, 0.5))
    assert f"y_true {true}, y_pred {pred}" in str(caught.value) and remedy in str(caught.value)


def must_fail(call, error, *parts):
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


ONES = np.ones((4, 3))
FAILURES = {
    "label above": (lambda: losses.SparseCategoricalCrossentropy()([0, 5], ONES[:2]), RangeError, "between 0 and 2", "is 5"),
    "label below": (lambda: losses.SparseCategoricalCrossentropy()([0, -1], ONES[:2]), RangeError, "is -1"),
    "label with a fraction": (lambda: losses.SparseCategoricalCrossentropy()([0.5, 1], ONES[:2]), ArgumentError, "whole"),
    "one-hot for sparse": (lambda: losses.SparseCategoricalCrossentropy()(ONES, ONES), ShapeError, "one-hot targets go to"),
    "ignored, wrong shape": (lambda: losses.SparseCategoricalCrossentropy(ignore_class=1)([0, 1], ONES), ShapeError, "(2,)"),
    "class numbers for one-hot": (lambda: losses.CategoricalCrossentropy()([0, 1, 2, 0], ONES), ShapeError, "sparse_categorical"),
    "generalized, label": (lambda: losses.CategoricalGeneralizedCrossEntropy()([0, 3], ONES[:2]), RangeError, "is 3"),
    "generalized, shape": (lambda: losses.CategoricalGeneralizedCrossEntropy()(ONES, ONES), ShapeError, "not one-hot"),
    "generalized, q": (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1), ArgumentError, "between 0 and 1"),
    "binary labels -1, 1": (lambda: losses.BinaryCrossentropy()([-1, 1], [[0.1], [0.2]]), ArgumentError, "from -1.0 to 1.0"),
    "focal labels 1, 2": (lambda: losses.BinaryFocalCrossentropy()([1, 2], [[0.1], [0.2]]), ArgumentError, "from 1.0 to 2.0"),
    "axis by accident": (lambda: losses.categorical_crossentropy(ONES, ONES, axis=True), ArgumentError, "axis must be an int"),
    "weights for a batch loss": (lambda: losses.Dice()(ONES, ONES, sample_weight=np.ones(4)), ShapeError, "(4,), values ()"),
    "weights of vectors": (lambda: losses.MeanSquaredError()(ONES[:, 0], ONES[:, 0], np.ones(4)), ShapeError, "(batch, 1)"),
    "too few weights": (lambda: losses.MeanSquaredError()(ONES, ONES, np.ones(3)), ShapeError, "sample_weight (3,), values (4,)"),
    "weights along time": (lambda: losses.MeanSquaredError()(Y, P, np.ones(3)), ShapeError, "sample_weight (3,), values (4, 3)"),
    "a mask that does not fit": (lambda: losses.MeanSquaredError()(ONES, masked(ONES, np.ones((4, 3), bool))), ShapeError, "the mask"),
    "circle, labels": (lambda: losses.Circle()(ONES, UNIT), ShapeError, "class number for each row"),
    "ctc, ranks": (lambda: losses.CTC()([1, 2], np.zeros((2, 3, 4))), ShapeError, "(batch, length)"),
    "ctc, label": (lambda: losses.CTC()([[1, 4]], np.zeros((1, 3, 4))), ArgumentError, "labels"),
    "reduction": (lambda: losses.MeanSquaredError(reduction="summ"), ArgumentError, "did you mean 'sum'?"),
    "name": (lambda: losses.get("mean_squared_eror"), ArgumentError, "did you mean 'mean_squared_error'"),
    "no name": (lambda: losses.get(3), DTypeError, "got int"),
    "unknown class": (lambda: losses.deserialize({"class_name": "Hubr", "config": {}}), ArgumentError, "'Hubr'", "'Huber'"),
    "argument": (lambda: losses.deserialize({"class_name": "Huber", "config": {"dellta": 1.0}}), ArgumentError, "dellta"),
    "no call": (lambda: losses.Loss()(ONES, ONES), MissingNameError, "call(self, y_true, y_pred)"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failures_say_what_is_wrong(name):
    must_fail(*FAILURES[name])


def test_one_class_is_warned_of():
    with pytest.warns(UserWarning, match="nothing to learn; use a binary loss"):
        losses.categorical_crossentropy([[1.0]], [[0.3]])


# -- own losses, names and configs ----------------------------------------------------------------


@registry.register_keras_serializable("tests")
class Scaled(losses.Loss):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * edl.mean(edl.abs(y_true - y_pred), -1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_own_losses():
    loss = Scaled(2.0, reduction="sum")
    assert loss.name.startswith("scaled")
    np.testing.assert_allclose(loss(ONES, 3 * ONES), 16)
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert isinstance(again, Scaled) and again.get_config() == loss.get_config()


def test_structures_reach_own_losses_in_the_dtype_of_the_loss():
    class Sum(losses.Loss):
        def call(self, y_true, y_pred):
            assert y_true["b"][0].dtype == y_pred["a"].dtype == "float32"
            return (y_true["a"] - y_pred["a"]) ** 2 + (y_true["b"][0] - y_pred["b"][0]) ** 2

    y = {"a": np.zeros(3), "b": [np.zeros(3)]}
    p = {"a": edl.ones(3, "float64"), "b": [edl.ones(3)]}
    np.testing.assert_allclose(Sum()(y, p), 2)


def test_functions_as_losses():
    def cubic(y_true, y_pred, power=3):
        return edl.abs(y_true - y_pred) ** power

    loss = losses.LossFunctionWrapper(cubic, name="cubic", power=2)
    np.testing.assert_allclose(
        loss([1.0, 2.0], [[2.0], [4.0]]), 2.5
    )  # (2,) against (2, 1) is not broadcast here either
    known = losses.LossFunctionWrapper(losses.huber, delta=0.5)
    again = losses.deserialize(losses.serialize(known))
    assert again.fn is losses.huber and again.get_config() == known.get_config()
    assert losses.get(cubic) is cubic


@pytest.mark.parametrize("name, y_true, y_pred, kwargs, reference", VALUES, ids=IDS)
def test_configs_and_copies_give_the_same_loss(name, y_true, y_pred, kwargs, reference):
    loss = getattr(losses, name)(**kwargs, reduction="sum", name="mine")
    config = json.loads(json.dumps(losses.serialize(loss)))
    assert config["module"] == "keras.losses" and config["class_name"] == name and config["registered_name"] is None
    for again in (losses.get(config), pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert type(again) is type(loss) and json.dumps(again.get_config()) == json.dumps(loss.get_config())
        np.testing.assert_array_equal(again(y_true, y_pred), loss(y_true, y_pred))


CONFIGS = {
    "MeanSquaredError": {}, "Huber": {}, "CosineSimilarity": {}, "LogCosh": {}, "CTC": {},
    "BinaryCrossentropy": {"from_logits": False, "label_smoothing": 0.0, "axis": -1},
    "BinaryFocalCrossentropy": {"apply_class_balancing": False, "alpha": 0.25, "gamma": 2.0, "from_logits": False,
                                "label_smoothing": 0.0, "axis": -1},
    "CategoricalCrossentropy": {"from_logits": False, "label_smoothing": 0.0, "axis": -1},
    "CategoricalFocalCrossentropy": {"alpha": 0.25, "gamma": 2.0, "from_logits": False, "label_smoothing": 0.0, "axis": -1},
    "SparseCategoricalCrossentropy": {"from_logits": False, "ignore_class": None},
    "CategoricalGeneralizedCrossEntropy": {"q": 0.5}, "Dice": {"axis": None},
    "Tversky": {"alpha": 0.5, "beta": 0.5, "axis": None}, "Circle": {"gamma": 80.0, "margin": 0.4, "remove_diagonal": True},
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_config_keys_are_those_of_keras(name):
    loss = getattr(losses, name)()
    assert loss.get_config() == {"name": loss.name, "reduction": "sum_over_batch_size", **CONFIGS[name]}


def test_arguments_that_are_not_the_default_survive():
    assert losses.Huber.from_config(losses.Huber(2.0).get_config()).delta == 2.0
    assert losses.SparseCategoricalCrossentropy(axis=1).get_config()["axis"] == 1
    assert losses.MeanSquaredError(dtype="float64").get_config()["dtype"] == "float64"


@pytest.mark.parametrize("name, found", [
    ("mse", losses.mean_squared_error), ("MSE", losses.mean_squared_error), ("mae", losses.mean_absolute_error),
    ("MAE", losses.mean_absolute_error), ("mape", losses.mean_absolute_percentage_error),
    ("MAPE", losses.mean_absolute_percentage_error), ("msle", losses.mean_squared_logarithmic_error),
    ("MSLE", losses.mean_squared_logarithmic_error), ("bce", losses.binary_crossentropy), ("BCE", losses.binary_crossentropy),
    ("kld", losses.kl_divergence), ("KLD", losses.kl_divergence), ("huber", losses.huber), ("log_cosh", losses.log_cosh),
    ("sparse_categorical_crossentropy", losses.sparse_categorical_crossentropy),
])  # fmt: skip
def test_names_of_functions(name, found):
    assert losses.get(name) is found and losses.deserialize(name) is found
    assert losses.deserialize(losses.serialize(found)) is found


@pytest.mark.parametrize("name", [name for name in losses.__all__ if name[0].isupper()])
def test_names_of_classes(name):
    assert type(losses.get(name)) is getattr(losses, name)
    assert type(losses.get(getattr(losses, name))) is getattr(losses, name)


def test_nothing_stays_nothing_and_objects_stay_themselves():
    loss = losses.Dice()
    assert losses.get(None) is None and losses.get(loss) is loss
    assert type(losses.get({"class_name": "CosineSimilarity", "config": {}})) is losses.CosineSimilarity
