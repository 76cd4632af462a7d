"""Counts of right and wrong yes-or-no answers at one threshold or several: precision, recall and their parts.

Predictions are sorted into the intervals between thresholds, once for all thresholds; running sums of what lies in the
intervals are the counts.
"""

from typing import ClassVar

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, RangeError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.arrangement import flip
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import ones_like
from eagerdl.ops.cumulative import cumsum
from eagerdl.ops.encoding import one_hot
from eagerdl.ops.indexing import take
from eagerdl.ops.ranges import arange
from eagerdl.ops.reduction import any
from eagerdl.ops.scatter import segment_sum
from eagerdl.ops.shape import reshape
from eagerdl.ops.sorting import searchsorted, top_k
from eagerdl.train.losses.loss import fit, pair
from eagerdl.train.metrics.metric import Metric, ratio

__all__ = ["FalseNegatives", "FalsePositives", "Precision", "Recall", "TrueNegatives", "TruePositives"]

LEAST = -1e10  # what stands for a prediction that is not among the best k; no prediction is below it


class Confusion(Metric):
    """Base of metrics that count true and false positives and negatives, each in a variable of a value per threshold."""

    # Which counts the metric needs; they are the names of its variables, too.
    _counted: ClassVar[tuple] = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    def _attribute(self, count):
        """The attribute and variable that holds a count."""
        return count

    def _count_at(self, thresholds, columns=()):
        """Makes the variables, of shape (thresholds, *columns)."""
        thresholds = np.asarray(thresholds, np.float64)
        order = np.argsort(thresholds, kind="stable")
        self._edges = thresholds[order]
        self._back = None if (order == np.arange(len(order))).all() else np.argsort(order)  # to the user's order
        dtype = dtypes.promote(dtypes.standardize(None), self._dtype)
        for name in map(self._attribute, self._counted):
            setattr(self, name, self.add_variable((len(thresholds), *columns), "zeros", dtype, name=name))

    def _count(self, y_true, y_pred, sample_weight=None, best=None, class_id=None, by_label=False, label_weights=None,
               prepare=None):  # fmt: skip
        """Adds a batch to the variables.

        Args:
            y_true, y_pred: tensors of one shape; what is not 0 in y_true is true.
            sample_weight: None, or factors of their shape or of that of their first axes.
            best: how many of the largest predictions count, or None for all.
            class_id: the class that counts, an index of the last axis, or None for all together.
            by_label: whether each class has counts of its own.
            label_weights: factors of the classes.
            prepare: a function of y_pred.
        """
        dtype = getattr(self, self._attribute(self._counted[0])).dtype
        y_true, y_pred = pair(self.name, y_true, convert_to_tensor(y_pred, dtype))
        if prepare is not None:
            y_pred = prepare(y_pred)
        if best is not None:
            y_pred = _only_best(self.name, y_pred, best)
        if class_id is not None:
            y_true, y_pred = _one_class(self.name, y_true, class_id), _one_class(self.name, y_pred, class_id)
        shape, intervals = y_pred.shape, len(self._edges) + 1
        weights = ones_like(y_pred)
        if sample_weight is not None:
            weights = weights * fit(
                self.name, "sample_weight", convert_to_tensor(sample_weight, dtype), shape, "y_pred"
            )
        if label_weights is not None:
            weights = weights * label_weights
        # In which interval a prediction lies: how many thresholds it exceeds. Its truth says in which half of the table.
        place = searchsorted(convert_to_tensor(self._edges, dtype), y_pred) + intervals * cast(y_true != 0, "int32")
        columns = shape[-1] if by_label else 1
        if by_label:
            place = place * columns + arange(columns, dtype="int32")
        table = segment_sum(reshape(weights, (-1,)), reshape(place, (-1,)), 2 * intervals * columns)
        no, yes = reshape(table, (2, intervals, columns) if by_label else (2, intervals))
        above, below = (lambda x: flip(cumsum(flip(x, 0), 0), 0)[1:]), (lambda x: cumsum(x, 0)[:-1])
        counts = {"true_positives": (above, yes), "false_positives": (above, no), "true_negatives": (below, no),
                  "false_negatives": (below, yes)}  # fmt: skip
        for name in self._counted:
            run, what = counts[name]
            found = run(what)
            getattr(self, self._attribute(name)).assign_add(found if self._back is None else take(found, self._back, 0))


def _only_best(name, y_pred, k):
    """Predictions, those of a row that are not among its k largest replaced by the least."""
    if not y_pred.ndim or not 1 <= k <= y_pred.shape[-1]:
        raise ShapeError(
            name, f"top_k={k} needs as many classes in the last axis", f"y_pred {y_pred.shape}", "use a smaller top_k"
        )
    chosen = any(one_hot(top_k(y_pred, k).indices, y_pred.shape[-1], dtype="bool"), -2)
    return where(chosen, y_pred, LEAST)


def _one_class(name, x, class_id):
    if x.ndim < 2:
        raise ShapeError(
            name, "class_id needs y_pred of shape (batch, classes)", f"got {x.shape}", "leave class_id out"
        )
    if not 0 <= class_id < x.shape[-1]:
        raise RangeError(
            name, f"class_id must be from 0 to {x.shape[-1] - 1}", f"got {class_id}", "count classes from 0"
        )
    return x[..., class_id]


def checked_thresholds(name, thresholds, default):
    """Thresholds as a list; `default` for None.

    Raises:
        ArgumentError: if one is not between 0 and 1.
    """
    if thresholds is None:
        return [default]
    thresholds = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
    if not thresholds or not all_between(thresholds):
        raise ArgumentError(
            name, "thresholds must lie between 0 and 1", f"got {thresholds}", "pass a number or a list of them"
        )
    return thresholds


def all_between(numbers):
    """Whether all numbers are from 0 to 1."""
    return all(number is not None and 0 <= number <= 1 for number in numbers)


def first_if_single(values, thresholds):
    """The value of the only threshold, or those of all."""
    return values[0] if len(thresholds) == 1 else values


class CountMetric(Confusion):
    """Base of the four counts."""

    def _attribute(self, count):
        return "accumulator"

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self.init_thresholds = thresholds
        self.thresholds = checked_thresholds(self.name, thresholds, 0.5)
        self._count_at(self.thresholds)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true (...) 0 or 1, y_pred (...), weights of their shape or of their first axes."""
        self._count(y_true, y_pred, sample_weight)

    def result(self):
        """The count, or one for each threshold."""
        return first_if_single(self.accumulator.value, self.thresholds)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(CountMetric):
    """y_true (...) 0 or 1, y_pred (...) -> () or (thresholds,). How many that are 1 are predicted to be 1.

    Args:
        thresholds: a prediction above it means 1: a number, by default 0.5, or a list of them.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if a threshold is not between 0 and 1.

    Example:
        >>> edl.metrics.TruePositives(thresholds=[0.5, 0.8])([0, 1, 1, 1], [0.9, 0.6, 0.9, 0.1])
        Tensor(shape=(2,), dtype=float32, [2. 1.])
    """

    _counted = ("true_positives",)


class TrueNegatives(CountMetric):
    """y_true (...) 0 or 1, y_pred (...) -> () or (thresholds,). How many that are 0 are predicted to be 0.

    Args:
        thresholds: a prediction above it means 1: a number, by default 0.5, or a list of them.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if a threshold is not between 0 and 1.

    Example:
        >>> edl.metrics.TrueNegatives()([0, 1, 0, 0], [0.9, 0.6, 0.3, 0.1])
        Tensor(shape=(), dtype=float32, 2.)
    """

    _counted = ("true_negatives",)


class FalsePositives(CountMetric):
    """y_true (...) 0 or 1, y_pred (...) -> () or (thresholds,). How many that are 0 are predicted to be 1.

    Args:
        thresholds: a prediction above it means 1: a number, by default 0.5, or a list of them.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if a threshold is not between 0 and 1.

    Example:
        >>> edl.metrics.FalsePositives()([0, 1, 0, 0], [0.9, 0.6, 0.3, 0.1])
        Tensor(shape=(), dtype=float32, 1.)
    """

    _counted = ("false_positives",)


class FalseNegatives(CountMetric):
    """y_true (...) 0 or 1, y_pred (...) -> () or (thresholds,). How many that are 1 are predicted to be 0.

    Args:
        thresholds: a prediction above it means 1: a number, by default 0.5, or a list of them.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if a threshold is not between 0 and 1.

    Example:
        >>> edl.metrics.FalseNegatives()([0, 1, 1, 1], [0.9, 0.6, 0.9, 0.1])
        Tensor(shape=(), dtype=float32, 1.)
    """

    _counted = ("false_negatives",)


class ShareMetric(Confusion):
    """Base of precision and recall: true positives by all of their kind."""

    _direction = "up"

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self.init_thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        self.thresholds = checked_thresholds(self.name, thresholds, 0.5 if top_k is None else LEAST)
        self._count_at(self.thresholds)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true (...) 0 or 1, y_pred (...), weights of their shape or of their first axes."""
        self._count(y_true, y_pred, sample_weight, self.top_k, self.class_id)

    def result(self):
        """The share, or one for each threshold; 0 of nothing."""
        hits, others = (getattr(self, name).value for name in self._counted)
        return first_if_single(ratio(hits, hits + others), self.thresholds)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(ShareMetric):
    """y_true (...) 0 or 1, y_pred (...) -> () or (thresholds,). How many of those predicted to be 1 are 1.

    Args:
        thresholds: a prediction above it means 1: a number, by default 0.5, or a list of them; for logits use 0.
        top_k: if given, only the k largest predictions of a row can mean 1, and by default all of them do.
        class_id: if given, only this index of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if a threshold is not between 0 and 1.

    Example:
        >>> edl.metrics.Precision()([0, 1, 1, 1], [0.9, 0.6, 0.9, 0.1])
        Tensor(shape=(), dtype=float32, 0.6666667)
    """

    _counted = ("true_positives", "false_positives")


class Recall(ShareMetric):
    """y_true (...) 0 or 1, y_pred (...) -> () or (thresholds,). How many of those that are 1 are predicted to be 1.

    Args:
        thresholds: a prediction above it means 1: a number, by default 0.5, or a list of them; for logits use 0.
        top_k: if given, only the k largest predictions of a row can mean 1, and by default all of them do.
        class_id: if given, only this index of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if a threshold is not between 0 and 1.

    Example:
        >>> edl.metrics.Recall()([0, 1, 1, 1], [0.9, 0.6, 0.9, 0.1])
        Tensor(shape=(), dtype=float32, 0.6666667)
    """

    _counted = ("true_positives", "false_negatives")
