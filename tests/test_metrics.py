"""Metrics: values over several batches against formulas in NumPy, weights, masks, state, tapes, configs, and what must fail."""

import copy
import inspect
import itertools
import json
import pickle

import numpy as np
import pytest
from cases.builders import normal, uniform

import eagerdl as edl
from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError, MissingNameError, RangeError, ShapeError
from eagerdl.train import losses, metrics

EPSILON = 1e-7


def integers(high, *shape, salt=0):
    return np.random.default_rng([salt, *shape]).integers(0, high, shape)


def hot(numbers, n):
    return np.eye(n)[numbers]


def batches(y_true, y_pred, weights=None):
    """Three unequal batches of it."""
    cuts = (0, 5, 6, len(y_true))
    return [(y_true[a:b], y_pred[a:b], None if weights is None else weights[a:b]) for a, b in itertools.pairwise(cuts)]


def fed(metric, y_true, y_pred, weights=None):
    """The metric after three unequal batches."""
    for batch in batches(y_true, y_pred, weights):
        metric.update_state(*batch)
    return metric


# -- means of functions ---------------------------------------------------------------------------

N = 12
Y, P = normal(N, 4), normal(N, 4, salt=1)
SHARE, OTHER = uniform(0.1, 0.9, N, 4), uniform(0.1, 0.9, N, 4, salt=1)
TRUTH, NUMBERS = integers(2, N, 4), integers(4, N)
WEIGHTS = uniform(0, 2, N)


def first_k(scores, k):
    return np.argsort(-scores, -1, kind="stable")[..., :k]


def rows_of(function, y, p):
    return np.array([function(*pair) for pair in zip(y, p, strict=True)])


def concordance(x, y):
    return 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


# name, y_true, y_pred, arguments, a value for each example
MEANS = [
    ("MeanSquaredError", Y, P, {}, lambda y, p: ((y - p) ** 2).mean(-1)),
    ("MeanAbsoluteError", Y, P, {}, lambda y, p: np.abs(y - p).mean(-1)),
    ("MeanAbsolutePercentageError", Y, P, {}, lambda y, p: 100 * np.abs((y - p) / y).mean(-1)),
    ("MeanSquaredLogarithmicError", SHARE, OTHER, {}, lambda y, p: ((np.log1p(y) - np.log1p(p)) ** 2).mean(-1)),
    ("LogCoshError", Y, P, {}, lambda y, p: np.log(np.cosh(y - p)).mean(-1)),
    ("CosineSimilarity", Y, P, {}, lambda y, p: (y * p).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(p, axis=-1)),
    ("PearsonCorrelation", Y, P, {}, lambda y, p: rows_of(lambda a, b: np.corrcoef(a, b)[0, 1], y, p)),
    ("ConcordanceCorrelation", Y, P, {}, lambda y, p: rows_of(concordance, y, p)),
    ("Hinge", np.sign(Y), P, {}, lambda y, p: np.maximum(1 - y * p, 0).mean(-1)),
    ("SquaredHinge", np.sign(Y), P, {}, lambda y, p: (np.maximum(1 - y * p, 0) ** 2).mean(-1)),
    ("CategoricalHinge", hot(NUMBERS, 4), P, {}, lambda y, p: np.maximum(1 + ((1 - y) * p).max(-1) - p[y == 1], 0)),
    ("KLDivergence", SHARE, OTHER, {}, lambda y, p: (y * np.log(y / p)).sum(-1)),
    ("Poisson", SHARE, OTHER, {}, lambda y, p: (p - y * np.log(p)).mean(-1)),
    ("BinaryCrossentropy", TRUTH, SHARE, {}, lambda y, p: -np.log(np.where(y == 1, p, 1 - p)).mean(-1)),
    ("BinaryCrossentropy", TRUTH, P, {"from_logits": True}, lambda y, p: np.log1p(np.exp(np.where(y == 1, -p, p))).mean(-1)),
    ("CategoricalCrossentropy", hot(NUMBERS, 4), SHARE, {}, lambda y, p: -np.log(p[y == 1] / p.sum(-1))),
    ("SparseCategoricalCrossentropy", NUMBERS, P, {"from_logits": True},
     lambda y, p: np.log(np.exp(p).sum(-1)) - p[np.arange(N), y]),
    ("Accuracy", NUMBERS, integers(4, N, salt=1), {}, lambda y, p: y == p),
    ("BinaryAccuracy", TRUTH[:, :1], SHARE[:, :1], {}, lambda y, p: (y == (p > 0.5))[:, 0]),
    ("BinaryAccuracy", TRUTH[:, 0], P[:, :1], {"threshold": 0.0}, lambda y, p: y == (p[:, 0] > 0)),
    ("CategoricalAccuracy", hot(NUMBERS, 4), SHARE, {}, lambda y, p: y.argmax(-1) == p.argmax(-1)),
    ("SparseCategoricalAccuracy", NUMBERS, SHARE, {}, lambda y, p: y == p.argmax(-1)),
    ("SparseCategoricalAccuracy", NUMBERS[:, None] * 1.0, SHARE, {}, lambda y, p: y[:, 0] == p.argmax(-1)),
    ("TopKCategoricalAccuracy", hot(NUMBERS, 4), SHARE, {"k": 2}, lambda y, p: (first_k(p, 2) == y.argmax(-1)[:, None]).any(-1)),
    ("SparseTopKCategoricalAccuracy", NUMBERS, SHARE, {"k": 2}, lambda y, p: (first_k(p, 2) == y[:, None]).any(-1)),
    ("SparseTopKCategoricalAccuracy", NUMBERS, first_k(SHARE, 4), {"k": 3, "from_sorted_ids": True},
     lambda y, p: (p[:, :3] == y[:, None]).any(-1)),
]  # fmt: skip
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(MEANS)]


@pytest.mark.parametrize("dtype, rtol", [("float32", 1e-5), ("float64", 1e-6)])
@pytest.mark.parametrize("name, y_true, y_pred, kwargs, reference", MEANS, ids=IDS)
def test_means_are_those_of_the_formula(name, y_true, y_pred, kwargs, reference, dtype, rtol):
    values = reference(y_true, y_pred)
    metric = fed(getattr(metrics, name)(dtype=dtype, **kwargs), y_true, y_pred)
    assert metric.result().dtype == dtype
    np.testing.assert_allclose(metric.result(), values.mean(), rtol=rtol)
    metric.reset_state()
    assert metric.result() == 0
    fed(metric, y_true, y_pred, WEIGHTS)
    np.testing.assert_allclose(metric.result(), (values * WEIGHTS).sum() / WEIGHTS.sum(), rtol=rtol)


@pytest.mark.parametrize("function, y_true, y_pred, kwargs, want", [
    (metrics.binary_accuracy, TRUTH, SHARE, {"threshold": 0.3}, TRUTH == (SHARE > 0.3)),
    (metrics.categorical_accuracy, Y, P, {}, Y.argmax(-1) == P.argmax(-1)),
    (metrics.sparse_categorical_accuracy, integers(4, 3, 5), normal(3, 5, 4), {}, integers(4, 3, 5) == normal(3, 5, 4).argmax(-1)),
    (metrics.sparse_top_k_categorical_accuracy, integers(4, 3, 5), normal(3, 5, 4), {"k": 2},
     (integers(4, 3, 5)[..., None] == first_k(normal(3, 5, 4), 2)).any(-1)),
    (metrics.top_k_categorical_accuracy, Y, P, {"k": 3}, (Y.argmax(-1)[:, None] == first_k(P, 3)).any(-1)),
    (metrics.pearson_correlation, Y, P, {"axis": 0}, rows_of(lambda a, b: np.corrcoef(a, b)[0, 1], Y.T, P.T)),
    (metrics.concordance_correlation, Y, P, {"axis": 0}, rows_of(concordance, Y.T, P.T)),
])  # fmt: skip
def test_functions_give_a_value_for_each_example(function, y_true, y_pred, kwargs, want):
    np.testing.assert_allclose(function(y_true, edl.constant(y_pred), **kwargs), want, rtol=1e-6)


def test_equal_scores_are_all_among_the_best():
    np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy([0, 1, 2], np.full((3, 3), 0.5), k=1), 1)


# -- sums and means -------------------------------------------------------------------------------

FULL = normal(N, 3, 2)
SHAPES = {
    "none": (None, np.ones((N, 1, 1))), "by example": (WEIGHTS, WEIGHTS[:, None, None]),
    "column": (WEIGHTS[:, None], WEIGHTS[:, None, None]), "by step": (uniform(0, 1, N, 3), uniform(0, 1, N, 3)[..., None]),
    "full": (uniform(0, 1, N, 3, 2), uniform(0, 1, N, 3, 2)), "scalar": (3.0, np.full((N, 1, 1), 3.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_sum_and_mean_with_weights_of_any_shape(name):
    weights, full = SHAPES[name]
    full = full * np.ones((N, 3, 2))
    np.testing.assert_allclose(metrics.Sum(dtype="float64")(FULL, weights), (FULL * full).sum())
    np.testing.assert_allclose(metrics.Mean(dtype="float64")(FULL, weights), (FULL * full).sum() / full.sum())


def test_means_of_numbers():
    metric = metrics.Mean(name="loss")
    metric.update_state(2.0)
    metric.update_state(edl.constant(5.0), sample_weight=2)
    np.testing.assert_allclose(metric.result(), 4)
    assert [v.name for v in metric.variables] == ["total", "count"] and float(metric.count) == 3
    assert metrics.Mean().result() == 0 and metrics.Mean()([]) == 0


def test_masks_of_predictions_are_weights():
    y, p, mask = normal(4, 3, 2), normal(4, 3, 2, salt=1), np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], bool)
    x = edl.constant(p)
    x._mask = edl.constant(mask)
    values, weights = ((y - p) ** 2).mean(-1), uniform(0, 1, 4)
    np.testing.assert_allclose(metrics.MeanSquaredError(dtype="float64")(y, x), values[mask].mean())
    for given, full in ((weights, weights[:, None] * mask), (uniform(0, 1, 4, 3), uniform(0, 1, 4, 3) * mask)):
        got = metrics.MeanSquaredError(dtype="float64")(y, x, sample_weight=given)
        np.testing.assert_allclose(got, (values * full).sum() / full.sum())
    x._mask = edl.constant(mask[:, 0])
    np.testing.assert_allclose(metrics.MeanSquaredError(dtype="float64")(y, x), values[mask[:, 0]].mean())


def test_ignored_classes_count_no_more_than_in_the_loss():
    y, p = np.array([0, -1, 2, -1]), uniform(0.1, 0.9, 4, 3)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)(y, p)
    np.testing.assert_allclose(metrics.SparseCategoricalCrossentropy(ignore_class=-1)(y, p), loss, rtol=1e-6)
    weighted = metrics.SparseCategoricalCrossentropy(ignore_class=-1)(y, p, sample_weight=[1.0, 5.0, 1.0, 5.0])
    np.testing.assert_allclose(weighted, loss, rtol=1e-6)


def test_root_mean_squared_error_is_the_root_of_the_mean_over_all_batches():
    metric = fed(metrics.RootMeanSquaredError(dtype="float64"), Y, P, WEIGHTS)
    want = np.sqrt((((Y - P) ** 2).mean(-1) * WEIGHTS).sum() / WEIGHTS.sum())
    np.testing.assert_allclose(metric.result(), want)


@pytest.mark.parametrize("weights", [None, WEIGHTS, uniform(0, 1, N, 4)], ids=["none", "by example", "full"])
@pytest.mark.parametrize("aggregation", [None, "uniform_average", "variance_weighted_average"])
def test_r2_score(aggregation, weights):
    w = np.ones((N, 4)) if weights is None else np.broadcast_to(weights.reshape(N, -1), (N, 4))
    mean = (Y * w).sum(0) / w.sum(0)
    total = ((Y - mean) ** 2 * w).sum(0)
    scores = 1 - ((Y - P) ** 2 * w).sum(0) / total
    want = {None: scores, "uniform_average": scores.mean()}.get(aggregation, (scores * total).sum() / total.sum())
    metric = fed(metrics.R2Score(aggregation, dtype="float64"), Y, P, weights)
    np.testing.assert_allclose(metric.result(), want)


def test_r2_score_is_adjusted_for_regressors():
    metric = fed(metrics.R2Score(num_regressors=2, dtype="float64"), Y[:, :1], P[:, :1])
    plain = fed(metrics.R2Score(dtype="float64"), Y[:, :1], P[:, :1]).result().item()
    np.testing.assert_allclose(metric.result(), 1 - (1 - plain) * (N - 1) / (N - 3))
    few = metrics.R2Score(num_regressors=3)
    few.update_state([[1.0], [2.0]], [[1.0], [3.0]])
    with pytest.warns(UserWarning, match="needs more than 4 samples; there are 2"):
        few.result()
    assert metrics.R2Score().result() == 0


# -- counts at thresholds -------------------------------------------------------------------------


def counts(y, p, thresholds, weights=None):
    """tp, fp, tn, fn (thresholds,), pair by pair."""
    w = (
        np.ones(y.shape)
        if weights is None
        else np.broadcast_to(weights.reshape(weights.shape + (1,) * (y.ndim - weights.ndim)), y.shape)
    )
    p, thresholds = p.astype(np.float32), np.asarray(thresholds, np.float32)
    hits = [(w * (y == 1) * (p > t)).sum() for t in thresholds]
    wrong = [(w * (y == 0) * (p > t)).sum() for t in thresholds]
    right = [(w * (y == 0) * (p <= t)).sum() for t in thresholds]
    missed = [(w * (y == 1) * (p <= t)).sum() for t in thresholds]
    return tuple(map(np.array, (hits, wrong, right, missed)))


KINDS = ["TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"]
COARSE = np.round(SHARE, 1)  # many predictions that equal a threshold
SETS = [None, 0.3, [0.5], [0.0, 0.5, 1.0], [0.9, 0.1, 0.5], [0.7, 0.7], np.linspace(0, 1, 11).tolist()]


@pytest.mark.parametrize("weights", [None, WEIGHTS, SHARE], ids=["none", "by example", "full"])
@pytest.mark.parametrize("thresholds", SETS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_counts(kind, thresholds, weights):
    given = [0.5] if thresholds is None else np.atleast_1d(thresholds)
    want = counts(TRUTH, COARSE, given, weights)[KINDS.index(kind)]
    metric = fed(getattr(metrics, kind)(thresholds), TRUTH, COARSE, weights)
    np.testing.assert_allclose(metric.result(), want if len(want) > 1 else want[0], rtol=1e-6)
    assert [v.name for v in metric.variables] == ["accumulator"]


@pytest.mark.parametrize("thresholds", SETS, ids=str)
def test_precision_and_recall(thresholds):
    given = [0.5] if thresholds is None else np.atleast_1d(thresholds)
    tp, fp, _, fn = counts(TRUTH, SHARE, given, WEIGHTS)
    with np.errstate(invalid="ignore"):
        precision, recall = np.nan_to_num(tp / (tp + fp)), np.nan_to_num(tp / (tp + fn))
    for cls, want in ((metrics.Precision, precision), (metrics.Recall, recall)):
        metric = fed(cls(thresholds), TRUTH, SHARE, WEIGHTS)
        np.testing.assert_allclose(metric.result(), want if len(want) > 1 else want[0], rtol=1e-5)


@pytest.mark.parametrize("class_id", [None, 2])
@pytest.mark.parametrize("k", [1, 3, 4])
def test_precision_and_recall_of_the_best_k(k, class_id):
    chosen = np.zeros((N, 4))
    np.put_along_axis(chosen, first_k(SHARE, k), 1, -1)
    columns = slice(None) if class_id is None else class_id
    tp, fp, _, fn = counts(TRUTH[:, columns], chosen[:, columns], [0.5], WEIGHTS)
    precision = fed(metrics.Precision(top_k=k, class_id=class_id), TRUTH, SHARE, WEIGHTS)
    recall = fed(metrics.Recall(top_k=k, class_id=class_id), TRUTH, SHARE, WEIGHTS)
    np.testing.assert_allclose(precision.result(), tp[0] / (tp + fp)[0] if (tp + fp)[0] else 0, rtol=1e-5)
    np.testing.assert_allclose(recall.result(), tp[0] / (tp + fn)[0], rtol=1e-5)


def test_logits_have_the_threshold_0():
    tp, fp, _, _ = counts(TRUTH, P, [0.0])
    np.testing.assert_allclose(metrics.Precision(thresholds=0)(TRUTH, P), tp[0] / (tp + fp)[0], rtol=1e-6)


def test_vectors_and_columns_may_meet():
    np.testing.assert_array_equal(
        metrics.Precision()(TRUTH[:, 0], SHARE[:, :1], WEIGHTS), metrics.Precision()(TRUTH[:, :1], SHARE[:, 0], WEIGHTS)
    )


AT = [
    (metrics.SensitivityAtSpecificity, "specificity", lambda tp, fp, tn, fn: (tp / (tp + fn), tn / (tn + fp))),
    (metrics.SpecificityAtSensitivity, "sensitivity", lambda tp, fp, tn, fn: (tn / (tn + fp), tp / (tp + fn))),
    (metrics.PrecisionAtRecall, "recall", lambda tp, fp, tn, fn: (np.nan_to_num(tp / (tp + fp)), tp / (tp + fn))),
    (metrics.RecallAtPrecision, "precision", lambda tp, fp, tn, fn: (tp / (tp + fn), np.nan_to_num(tp / (tp + fp)))),
]


@pytest.mark.parametrize("value", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("cls, argument, rates", AT, ids=[row[1] for row in AT])
def test_the_best_rate_where_another_is_high_enough(cls, argument, rates, value):
    for number, class_id in ((200, None), (7, 1), (1, None)):
        grid = np.linspace(0, 1, number) if number > 1 else [0.5]
        columns = slice(None) if class_id is None else class_id
        with np.errstate(invalid="ignore"):
            wanted, given = rates(*counts(TRUTH[:, columns], SHARE[:, columns], grid, WEIGHTS))
        metric = fed(cls(value, number, class_id), TRUTH, SHARE, WEIGHTS)
        np.testing.assert_allclose(metric.result(), max(wanted[given >= value], default=0), rtol=1e-5)
        assert metric.get_config()[argument] == value


# -- areas ----------------------------------------------------------------------------------------

SCORES, LABELS = (
    (np.random.default_rng(3).permutation(60) + 0.5) / 60,
    integers(2, 60),
)  # no two in one interval of 61 thresholds


def rank_statistic(y, p, w=None):
    """The chance that a positive example has the larger prediction, over all pairs."""
    w = np.ones(len(y)) if w is None else w
    a, b = p[y == 1], p[y == 0]
    pairs = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    both = w[y == 1][:, None] * w[y == 0]
    return (pairs * both).sum() / both.sum()


def average_precision_bounds(y, p):
    """The lower and the upper Riemann sum of precision over recall."""
    y = y[np.argsort(-p)]
    tp = np.cumsum(y)
    precision, recall = tp / np.arange(1, len(y) + 1), tp / y.sum()
    precision, steps = np.concatenate([[0.0], precision]), np.diff(np.concatenate([[0.0], recall]))
    lower, upper = np.minimum(precision[1:], precision[:-1]), np.maximum(precision[1:], precision[:-1])
    return (lower * steps).sum(), (upper * steps).sum()


@pytest.mark.parametrize("weights", [None, uniform(0, 1, 60)], ids=["none", "weights"])
def test_the_area_under_roc_is_the_rank_statistic(weights):
    want = rank_statistic(LABELS, SCORES, weights)
    metric = fed(metrics.AUC(61), LABELS, SCORES, weights)
    np.testing.assert_allclose(metric.result(), want, rtol=1e-5)
    logits = fed(metrics.AUC(61, from_logits=True), LABELS, np.log(SCORES / (1 - SCORES)), weights)
    np.testing.assert_allclose(logits.result(), want, rtol=1e-5)
    given = fed(metrics.AUC(thresholds=np.linspace(0, 1, 61)[1:-1]), LABELS[:, None], SCORES[:, None], weights)
    np.testing.assert_allclose(given.result(), want, rtol=1e-5)


def test_ties_count_half():
    p = np.round(SCORES, 1)
    np.testing.assert_allclose(metrics.AUC(1001)(LABELS, p), rank_statistic(LABELS, p), rtol=1e-5)


def test_riemann_sums_of_precision_over_recall():
    lower, upper = average_precision_bounds(LABELS, SCORES)
    below = metrics.AUC(61, curve="PR", summation_method="minoring")(LABELS, SCORES)
    above = metrics.AUC(61, curve="pr", summation_method="Majoring")(LABELS, SCORES)
    np.testing.assert_allclose(below, lower, rtol=1e-5)
    np.testing.assert_allclose(above, upper, rtol=1e-5)


def test_precision_is_interpolated_by_counts():
    """The area between two points is that of many points whose counts lie on a line (Davis & Goadrich, 2006)."""
    metric = metrics.AUC(11, curve="PR")
    got = metric(LABELS, SCORES)
    tp, fp, _, _ = counts(LABELS, SCORES, metric.thresholds)
    area = 0.0
    for i in range(10):
        t, f = np.linspace(tp[i + 1], tp[i], 20001), np.linspace(fp[i + 1], fp[i], 20001)
        with np.errstate(invalid="ignore"):
            precision = t / (t + f)
        precision[0] = precision[1] if np.isnan(precision[0]) else precision[0]
        area += (np.diff(t) * (precision[1:] + precision[:-1]) / 2).sum() / LABELS.sum()
    np.testing.assert_allclose(got, area, rtol=1e-5)


def test_gains_of_precision_and_recall():
    metric = metrics.AUC(21, curve="PRGAIN", summation_method="minoring")
    got = metric(LABELS, SCORES)
    tp, fp, _, fn = counts(LABELS, SCORES, metric.thresholds)
    share = LABELS.mean()  # Flach & Kull, 2015: (x - share) / ((1 - share) x) of precision and recall
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = tp / (tp + fp), tp / (tp + fn)
        gain = [np.where(tp == 0, empty, (x - share) / ((1 - share) * x)) for x, empty in ((precision, 1), (recall, 0))]
    x = np.maximum(gain[1], 0)
    np.testing.assert_allclose(got, ((x[:-1] - x[1:]) * np.minimum(gain[0][1:], gain[0][:-1])).sum(), rtol=1e-4)


def test_areas_of_labels_are_averaged():
    y, p = integers(2, 60, 3), np.stack([np.random.default_rng(i).permutation(SCORES) for i in range(3)], 1)
    areas = np.array([rank_statistic(y[:, i], p[:, i]) for i in range(3)])
    np.testing.assert_allclose(metrics.AUC(61, multi_label=True)(y, p), areas.mean(), rtol=1e-5)
    shares = [0.5, 0.2, 0.3]
    weighted = fed(metrics.AUC(61, multi_label=True, num_labels=3, label_weights=shares), y, p)
    np.testing.assert_allclose(weighted.result(), areas @ shares, rtol=1e-5)
    together = metrics.AUC(61, label_weights=shares)(y, np.round(p, 1))
    w = np.broadcast_to(shares, y.shape).ravel()
    np.testing.assert_allclose(together, rank_statistic(y.ravel(), np.round(p, 1).ravel(), w), rtol=1e-2)
    assert metrics.AUC(multi_label=True).result() == 0


def test_rounding_beyond_0_and_1_is_forgiven():
    np.testing.assert_allclose(metrics.AUC()([0, 1], [-1e-6, 1 + 1e-6]), 1, rtol=1e-6)


# -- scores of sets -------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [1.0, 2, 0.5])
@pytest.mark.parametrize("threshold", [None, 0.4])
@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_f_scores(average, threshold, beta):
    predicted = SHARE == SHARE.max(-1, keepdims=True) if threshold is None else SHARE > threshold
    w = WEIGHTS[:, None]
    axis = None if average == "micro" else 0
    tp, fp, fn = [(w * x).sum(axis) for x in (TRUTH * predicted, (1 - TRUTH) * predicted, TRUTH * (1 - predicted))]
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    with np.errstate(invalid="ignore"):
        scores = np.nan_to_num((1 + beta**2) * precision * recall / (beta**2 * precision + recall))
    often = (TRUTH * w).sum(0)
    want = {None: scores, "micro": scores, "macro": scores.mean()}.get(average, (scores * often).sum() / often.sum())
    metric = fed(metrics.FBetaScore(average, beta, threshold), TRUTH, SHARE, WEIGHTS)
    np.testing.assert_allclose(metric.result(), want, rtol=1e-4)
    if beta == 1:
        np.testing.assert_allclose(
            fed(metrics.F1Score(average, threshold), TRUTH, SHARE, WEIGHTS).result(), want, rtol=1e-4
        )


def iou(y, p, ids, weights=None, ignore=None):
    w = np.ones(y.shape) if weights is None else weights
    w = w * (y != ignore)
    out = [(w * ((y == c) & (p == c))).sum() / union for c in ids if (union := (w * ((y == c) | (p == c))).sum())]
    return np.mean(out) if out else 0.0


PIXELS, GUESSES = integers(4, N, 3, 3), integers(4, N, 3, 3, salt=1)
WHOLE, PARTS = integers(3, N, 3, 3, salt=2), uniform(0, 1, N, 3, 3)


@pytest.mark.parametrize("weights, dtype", [(None, None), (WHOLE, None), (WHOLE * 1.0, None), (PARTS, "float32")])
def test_intersection_over_union(weights, dtype):
    args = (PIXELS, GUESSES)
    one = fed(metrics.IoU(5, [0, 2, 4], dtype=dtype), *args, weights)
    np.testing.assert_allclose(one.result(), iou(*args, [0, 2, 4], weights), rtol=1e-5)
    every = fed(metrics.MeanIoU(4, dtype=dtype, ignore_class=1), *args, weights)
    np.testing.assert_allclose(every.result(), iou(*args, range(4), weights, 1), rtol=1e-5)
    scores = fed(metrics.OneHotIoU(4, (1, 3), dtype=dtype), hot(PIXELS, 4), hot(GUESSES, 4), weights)
    np.testing.assert_allclose(scores.result(), iou(*args, (1, 3), weights), rtol=1e-5)
    channels = np.moveaxis(hot(PIXELS, 4), -1, 1)
    first = fed(metrics.OneHotMeanIoU(4, dtype=dtype, sparse_y_pred=True, axis=1), channels, GUESSES, weights)
    np.testing.assert_allclose(first.result(), iou(*args, range(4), weights), rtol=1e-5)
    two = fed(metrics.BinaryIoU(threshold=0.3, dtype=dtype), PIXELS % 2, PARTS, weights)
    np.testing.assert_allclose(two.result(), iou(PIXELS % 2, PARTS >= 0.3, (0, 1), weights), rtol=1e-5)
    assert str(one.dtype) == (dtype or "int32")


def test_pixels_that_are_no_class_do_not_count():
    metric = metrics.MeanIoU(2, ignore_class=255)
    metric.update_state([0, 0, 1, 1, 255, -1], [0, 1, 1, 7, 0, 0])
    np.testing.assert_allclose(metric.result(), iou(np.array([0, 0, 1]), np.array([0, 1, 1]), (0, 1)), rtol=1e-5)
    assert metrics.MeanIoU(2).result() == 0


# -- state ----------------------------------------------------------------------------------------

# what each class takes besides the defaults, and data for it
EXAMPLES = {
    **{name: (kwargs, y_true, y_pred) for name, y_true, y_pred, kwargs, _ in MEANS},
    "AUC": ({"num_thresholds": 50}, TRUTH, SHARE), "F1Score": ({"average": "macro"}, TRUTH, SHARE),
    "FBetaScore": ({"beta": 2.0, "threshold": 0.5}, TRUTH, SHARE), "R2Score": ({"class_aggregation": None}, Y, P),
    "RootMeanSquaredError": ({}, Y, P), "Mean": ({}, Y, None), "Sum": ({}, Y, None),
    "MeanMetricWrapper": ({"fn": losses.huber, "delta": 2.0}, Y, P),
    "Precision": ({"thresholds": [0.1, 0.7], "class_id": 1}, TRUTH, SHARE), "Recall": ({"top_k": 2}, TRUTH, SHARE),
    **{name: ({"thresholds": 0.25}, TRUTH, SHARE) for name in KINDS},
    **{cls.__name__: ({argument: 0.4, "num_thresholds": 9}, TRUTH, SHARE) for cls, argument, _ in AT},
    "IoU": ({"num_classes": 4, "target_class_ids": [0, 3]}, PIXELS, GUESSES),
    "MeanIoU": ({"num_classes": 4, "ignore_class": 2}, PIXELS, GUESSES),
    "OneHotIoU": ({"num_classes": 4, "target_class_ids": [0]}, hot(PIXELS, 4), hot(GUESSES, 4)),
    "OneHotMeanIoU": ({"num_classes": 4}, hot(PIXELS, 4), hot(GUESSES, 4)),
    "BinaryIoU": ({"target_class_ids": [1], "threshold": 0.6}, TRUTH, SHARE),
}  # fmt: skip


def made(name, /, **kwargs):
    return getattr(metrics, name)(**{**EXAMPLES[name][0], **kwargs})


def data(name):
    _, y_true, y_pred = EXAMPLES[name]
    return (edl.constant(y_true),) if y_pred is None else (y_true, edl.constant(y_pred))


def test_every_class_has_an_example():
    assert {name for name in metrics.__all__ if inspect.isclass(getattr(metrics, name))} == {*EXAMPLES, "Metric"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_configs_and_copies_give_the_same_metric(name):
    metric = made(name, name="mine")
    metric.update_state(*data(name))
    config = json.loads(json.dumps(metrics.serialize(metric)))
    assert config["module"] == "keras.metrics" and config["class_name"] == name and config["registered_name"] is None
    fresh = metrics.get(config)
    assert type(fresh) is type(metric) and fresh.name == "mine" and fresh.get_config() == metric.get_config()
    fresh.update_state(*data(name))
    for again in (fresh, pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)):
        np.testing.assert_array_equal(again.result(), metric.result())
        again.reset_state()
        assert not any(v.numpy().any() for v in again.variables)
    assert any(v.numpy().any() for v in metric.variables)


@pytest.mark.parametrize("name", EXAMPLES)
def test_tapes_record_nothing_of_a_metric(name):
    metric, (*y_true, x) = made(name), data(name)
    x = edl.cast(x, "float32")
    with edl.GradientTape() as tape:
        tape.watch(x)
        found = metric(*y_true, x)
    assert tape.gradient(found, x) is None
    assert all(not v.trainable for v in metric.variables)


def test_what_own_metrics_compute_is_not_recorded_either():
    class Keeper(metrics.Metric):
        def update_state(self, values):
            self.kept = values * values

    x, metric = edl.constant(3.0), Keeper()
    with edl.GradientTape() as tape:
        tape.watch(x)
        metric.update_state(x)
    assert metric.kept == 9 and tape.gradient(metric.kept, x) is None


def test_tapes_go_on_after_a_metric():
    x = edl.constant(3.0)
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        metrics.Mean().update_state(y)
        z = y * x
    assert tape.gradient(z, x) == 27


@pytest.mark.parametrize("name", EXAMPLES)
def test_stateless_methods_leave_the_state(name):
    metric, args = made(name), data(name)
    metric.update_state(*args)
    before = [v.numpy() for v in metric.variables]
    twice = metric.stateless_update_state(before, *args)
    fresh = metric.stateless_update_state(metric.stateless_reset_state(), *args)
    once = metric.stateless_result(fresh)
    for variable, value in zip(metric.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    np.testing.assert_array_equal(once, metric.result())
    metric.update_state(*args)
    np.testing.assert_array_equal(metric.stateless_result(twice), metric.result())
    with pytest.raises(ArgumentError, match="a value for each of"):
        metric.stateless_result(before[:-1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_half_predictions_do_not_round_counts(name):
    metric, args = made(name), data(name)
    wide = getattr(metrics, name)(**EXAMPLES[name][0])(*args).numpy()
    if args[-1].dtype == "float64":
        args = (*args[:-1], args[-1].astype("float16"))
    np.testing.assert_allclose(metric(*args), wide, rtol=0.05, atol=0.05)
    assert all(v.dtype in ("float32", "int32") for v in metric.variables)


# -- own metrics ----------------------------------------------------------------------------------


@registry.register_keras_serializable("tests")
class Spread(metrics.Metric):
    """The difference of the largest and the smallest prediction, and how many batches there were."""

    def __init__(self, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.offset = offset
        self.high = self.add_weight(name="high", initializer="zeros")
        self.low = self.add_variable((), lambda shape, dtype: edl.zeros(shape, dtype), name="low")
        self.add_weight(shape=(2,), name="unheld", dtype="int32", initializer="ones")
        self.inner = metrics.Mean(name="inner")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.high.assign(edl.maximum(self.high, edl.max(y_pred)))
        self.low.assign(edl.minimum(self.low, edl.min(y_pred)))
        self.inner.update_state(y_pred)

    def result(self):
        return self.high - self.low + self.offset

    def get_config(self):
        return {**super().get_config(), "offset": self.offset}


def test_own_metrics():
    metric = Spread(1.0, name="spread")
    assert metric(Y, [1.0, 2.0]) == 3 and metric(Y, [-1.0]) == 4
    assert [v.name for v in metric.variables] == ["high", "low", "unheld", "total", "count"]
    assert metric.variables[2].dtype == "int32" and metric.variables[2].tolist() == [1, 1]
    again = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
    assert isinstance(again, Spread) and again.get_config() == metric.get_config() == {
        "name": "spread",
        "dtype": "float32",
        "offset": 1.0,
    }
    metric.reset_state()
    assert metric.result() == 1 and float(metric.inner.total) == 0
    metric.name = "other"
    assert metric.name == "other" and repr(metric) == "<Spread name=other>"


def test_functions_as_metrics():
    def off_by(y_true, y_pred, power=1):
        return edl.abs(y_true - y_pred) ** power

    metric = metrics.MeanMetricWrapper(off_by, name="off", power=2)
    np.testing.assert_allclose(metric(np.zeros(3), np.array([1.0, 2.0, 2.0])), 3)
    assert metrics.get(off_by) is off_by


def test_names_by_themselves():
    assert metrics.MeanSquaredError().name == "mean_squared_error"
    first, second = metrics.Recall(), metrics.Recall()
    assert first.name.startswith("recall") and second.name != first.name


def test_directions():
    assert metrics.AUC()._direction == metrics.SparseCategoricalAccuracy()._direction == "up"
    assert metrics.MeanAbsoluteError()._direction == "down" and not hasattr(metrics.Mean(), "_direction")


@pytest.mark.parametrize("name, cls", [
    ("mse", "MeanSquaredError"), ("MSE", "MeanSquaredError"), ("mae", "MeanAbsoluteError"), ("MAE", "MeanAbsoluteError"),
    ("mape", "MeanAbsolutePercentageError"), ("MAPE", "MeanAbsolutePercentageError"), ("bce", "BinaryCrossentropy"),
    ("msle", "MeanSquaredLogarithmicError"), ("MSLE", "MeanSquaredLogarithmicError"), ("BCE", "BinaryCrossentropy"),
    ("accuracy", "Accuracy"), ("binary_accuracy", "BinaryAccuracy"), ("mean_squared_error", "MeanSquaredError"),
    ("sparse_categorical_accuracy", "SparseCategoricalAccuracy"), ("auc", "AUC"), ("AUC", "AUC"), ("f1_score", "F1Score"),
    ("top_k_categorical_accuracy", "TopKCategoricalAccuracy"), ("precision", "Precision"), ("r2_score", "R2Score"),
    ("kl_divergence", "KLDivergence"), ("cosine_similarity", "CosineSimilarity"), ("log_cosh_error", "LogCoshError"),
])  # fmt: skip
def test_names_of_metrics(name, cls):
    assert type(metrics.get(name)) is type(metrics.deserialize(name)) is getattr(metrics, cls)


def test_names_of_functions_without_an_object():
    assert metrics.get("huber") is metrics.huber is losses.huber
    assert metrics.deserialize(metrics.serialize(metrics.binary_accuracy)) is metrics.binary_accuracy
    assert metrics.get(None) is None and metrics.get(metric := metrics.Sum()) is metric
    assert type(metrics.get(metrics.AUC)) is metrics.AUC
    assert type(metrics.get({"class_name": "CosineSimilarity", "config": {}})) is metrics.CosineSimilarity


# -- what must fail -------------------------------------------------------------------------------

FAILURES = {
    "broadcast": (lambda: metrics.MeanSquaredError()(np.ones(4), np.ones((4, 4))), ShapeError, "y_true (4,), y_pred (4, 4)"),
    "broadcast binary": (lambda: metrics.BinaryAccuracy()(np.ones(4), np.ones((4, 2))), ShapeError, "last axis of 2"),
    "broadcast accuracy": (lambda: metrics.Accuracy()(np.ones((4, 1)), np.ones((4, 4))), ShapeError, "(4, 1)", "(4, 4)"),
    "broadcast counts": (lambda: metrics.Precision()(np.ones(4), np.ones((4, 2))), ShapeError, "y_pred (4, 2)"),
    "one-hot for sparse": (lambda: metrics.SparseCategoricalAccuracy()(np.eye(3), np.eye(3)), ShapeError, "go to categorical_accuracy"),
    "numbers for one-hot": (lambda: metrics.CategoricalAccuracy()([0, 1], np.eye(2)), ShapeError, "sparse_categorical_accuracy"),
    "no class": (lambda: metrics.SparseTopKCategoricalAccuracy()([0, 9], np.eye(2)), RangeError),
    "weights": (lambda: metrics.Mean()(np.ones(2), [1.0, 2.0, 3.0]), ShapeError, "sample_weight (3,), values (2,)"),
    "weights of counts": (lambda: metrics.Recall()(TRUTH, SHARE, np.ones(3)), ShapeError, "sample_weight (3,)"),
    "thresholds": (lambda: metrics.Precision(thresholds=[0.5, 2]), ArgumentError, "between 0 and 1", "2"),
    "class_id": (lambda: metrics.Precision(class_id=7)(TRUTH, SHARE), RangeError, "from 0 to 3"),
    "class_id of vectors": (lambda: metrics.Precision(class_id=0)([0, 1], [0.1, 0.2]), ShapeError, "(batch, classes)"),
    "top_k": (lambda: metrics.Recall(top_k=9)(TRUTH, SHARE), ShapeError, "top_k=9"),
    "logits": (lambda: metrics.AUC()([0, 1], [-3.0, 4.0]), ArgumentError, "from -3.0 to 4.0", "from_logits=True"),
    "NaN": (lambda: metrics.AUC()([0, 1], [np.nan, 0.5]), ArgumentError, "nan"),
    "curve": (lambda: metrics.AUC(curve="rocc"), ArgumentError, "did you mean 'ROC'?"),
    "summation": (lambda: metrics.AUC(summation_method="minor"), ArgumentError, "'minoring'"),
    "AUC thresholds": (lambda: metrics.AUC(thresholds=[0.5, 1.5]), ArgumentError, "between 0 and 1"),
    "AUC one threshold": (lambda: metrics.AUC(num_thresholds=1), ArgumentError, "at least 2"),
    "AUC num_labels": (lambda: metrics.AUC(num_labels=3), ArgumentError, "multi_label=True"),
    "AUC rank": (lambda: metrics.AUC(multi_label=True)([0, 1], [0.1, 0.2]), ShapeError, "(batch, labels)"),
    "AUC labels": (lambda: metrics.AUC(multi_label=True, num_labels=3)(TRUTH, SHARE), ShapeError, "(batch, 3)", "(12, 4)"),
    "AUC label_weights": (lambda: metrics.AUC(label_weights=[1.0])(TRUTH, SHARE), ShapeError, "label_weights (1,)"),
    "rate": (lambda: metrics.RecallAtPrecision(1.5), ArgumentError, "between 0 and 1"),
    "no thresholds": (lambda: metrics.PrecisionAtRecall(0.5, num_thresholds=0), ArgumentError, "at least 1"),
    "F of vectors": (lambda: metrics.F1Score()([0, 1], [0.1, 0.2]), ShapeError, "(batch, classes)"),
    "F of other classes": (lambda: fed(metrics.F1Score(), TRUTH, SHARE).update_state(TRUTH[:, :2], SHARE[:, :2]), ShapeError, "the first, 4"),
    "F average": (lambda: metrics.F1Score(average="macrro"), ArgumentError, "'macrro'"),
    "F beta": (lambda: metrics.FBetaScore(beta=-1.0), ArgumentError, "above 0"),
    "F threshold": (lambda: metrics.F1Score(threshold=2.0), ArgumentError, "at most 1"),
    "IoU target": (lambda: metrics.IoU(2, [2]), ArgumentError, "between 0 and 1", "[2]"),
    "IoU weights": (lambda: metrics.MeanIoU(2)([0, 1], [0, 1], [0.5, 0.5]), DTypeError, "whole weights", "dtype='float32'"),
    "IoU pixels": (lambda: metrics.MeanIoU(2)([0, 1], np.eye(2)), ShapeError, "as many pixels"),
    "R2 rank": (lambda: metrics.R2Score()([0.0, 1.0], [0.0, 1.0]), ShapeError, "(batch, outputs)"),
    "R2 aggregation": (lambda: metrics.R2Score("mean"), ArgumentError, "'mean'"),
    "R2 regressors": (lambda: metrics.R2Score(num_regressors=-1), ArgumentError, "-1"),
    "name": (lambda: metrics.get("acuracy"), ArgumentError, "did you mean 'accuracy'"),
    "no name": (lambda: metrics.get(3), DTypeError, "got int"),
    "unknown class": (lambda: metrics.deserialize({"class_name": "Accurcy", "config": {}}), ArgumentError, "'Accuracy'"),
    "no update_state": (lambda: metrics.Metric()(1), MissingNameError, "update_state"),
    "no result": (lambda: metrics.Metric().result(), MissingNameError, "result"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failures_say_what_is_wrong(name):
    call, error, *parts = FAILURES[name]
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
