"""Metrics of all thresholds at once: areas under curves, and one rate where another is high enough."""

import numpy as np

from eagerdl import config, devices, registry
from eagerdl.autograd.primitive import Spec, custom
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.activation import sigmoid
from eagerdl.ops.arithmetic import maximum, minimum, where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.elementary import log
from eagerdl.ops.reduction import max, mean, sum
from eagerdl.train.metrics.confusion import Confusion, all_between
from eagerdl.train.metrics.metric import ratio

__all__ = ["AUC", "PrecisionAtRecall", "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity"]

SLACK = 0.01  # how far rounding, as of a softmax in float16, may carry probabilities out of [0, 1]


@custom(infer=lambda y_pred, name: Spec(y_pred.shape, y_pred.dtype))
def _probabilities(y_pred, name):
    """y_pred (...) -> (...). The predictions, clipped to [0, 1], if all are probabilities but for rounding.

    On the GPU nobody looks, because the host would have to wait.
    """
    if devices.module_of(y_pred) is np and y_pred.size:
        low, high = y_pred.min(), y_pred.max()
        if not (low >= -SLACK and high <= 1 + SLACK):
            raise ArgumentError(name, "predictions must be probabilities, between 0 and 1",
                                f"y_pred has values from {low} to {high}",
                                "pass them through edl.sigmoid; AUC does it with from_logits=True")  # fmt: skip
    return y_pred.clip(0, 1)


def _even(count):
    """`count` thresholds from 0 to 1."""
    return [0.0, *[i / (count - 1) for i in range(1, count - 1)], 1.0]


class AtRate(Confusion):
    """Base of metrics that give the best value of one rate among the thresholds where another is high enough."""

    _direction = "up"

    def __init__(self, value, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(dtype, name)
        if num_thresholds < 1:
            raise ArgumentError(
                self.name, "num_thresholds must be at least 1", f"got {num_thresholds}", "use the default"
            )
        if not all_between([value]):
            raise ArgumentError(self.name, "the rate must lie between 0 and 1", f"got {value!r}", "pass such a number")
        self.value, self.num_thresholds, self.class_id = value, num_thresholds, class_id
        self.thresholds = _even(num_thresholds) if num_thresholds > 1 else [0.5]
        self._count_at(self.thresholds)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true (...) 0 or 1, y_pred (...), weights of their shape or of their first axes."""
        name = self.name
        self._count(y_true, y_pred, sample_weight, class_id=self.class_id, prepare=lambda x: _probabilities(x, name))

    def _rate(self, hits, misses):
        hits, misses = getattr(self, hits), getattr(self, misses)
        return ratio(hits, hits + misses)

    def _sensitivity(self):
        """The share of what is true that is found: recall."""
        return self._rate("true_positives", "false_negatives")

    def _specificity(self):
        """The share of what is false that is refused."""
        return self._rate("true_negatives", "false_positives")

    def _precision(self):
        """The share of what is found that is true."""
        return self._rate("true_positives", "false_positives")

    def _best(self, wanted, given):
        return max(where(given >= self.value, wanted, 0.0))

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "num_thresholds": self.num_thresholds, "class_id": self.class_id}


class SensitivityAtSpecificity(AtRate):
    """y_true (...) 0 or 1, y_pred (...) -> (). The best sensitivity TP / (TP + FN) where the specificity is high enough.

    Args:
        specificity: the least specificity, TN / (TN + FP).
        num_thresholds: how many thresholds are tried, evenly from 0 to 1.
        class_id: if given, only this index of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if specificity is not between 0 and 1.

    Example:
        >>> edl.metrics.SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0.1, 0.3, 0.8, 0.3, 0.9])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity

    def result(self):
        """The best sensitivity."""
        return self._best(self._sensitivity(), self._specificity())

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "specificity": self.specificity}


class SpecificityAtSensitivity(AtRate):
    """y_true (...) 0 or 1, y_pred (...) -> (). The best specificity TN / (TN + FP) where the sensitivity is high enough.

    Args:
        sensitivity: the least sensitivity, TP / (TP + FN).
        num_thresholds: how many thresholds are tried, evenly from 0 to 1.
        class_id: if given, only this index of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if sensitivity is not between 0 and 1.

    Example:
        >>> edl.metrics.SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0.1, 0.3, 0.8, 0.3, 0.9])
        Tensor(shape=(), dtype=float32, 1.)
    """

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity

    def result(self):
        """The best specificity."""
        return self._best(self._specificity(), self._sensitivity())

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "sensitivity": self.sensitivity}


class PrecisionAtRecall(AtRate):
    """y_true (...) 0 or 1, y_pred (...) -> (). The best precision TP / (TP + FP) where the recall is high enough.

    Args:
        recall: the least recall, TP / (TP + FN).
        num_thresholds: how many thresholds are tried, evenly from 0 to 1.
        class_id: if given, only this index of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if recall is not between 0 and 1.

    Example:
        >>> edl.metrics.PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0.1, 0.3, 0.8, 0.3, 0.9])
        Tensor(shape=(), dtype=float32, 1.)
    """

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall

    def result(self):
        """The best precision."""
        return self._best(self._precision(), self._sensitivity())

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "recall": self.recall}


class RecallAtPrecision(AtRate):
    """y_true (...) 0 or 1, y_pred (...) -> (). The best recall TP / (TP + FN) where the precision is high enough.

    Args:
        precision: the least precision, TP / (TP + FP).
        num_thresholds: how many thresholds are tried, evenly from 0 to 1.
        class_id: if given, only this index of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: if precision is not between 0 and 1.

    Example:
        >>> edl.metrics.RecallAtPrecision(0.8)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision

    def result(self):
        """The best recall."""
        return self._best(self._sensitivity(), self._precision())

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "precision": self.precision}


def _one_of(name, what, value, names):
    """The name among `names` that `value` spells, in whatever case, or as the value of an enumeration."""
    found = {known.lower(): known for known in names}.get(str(getattr(value, "value", value)).lower())
    if found is None:
        raise ArgumentError(name, f"{what} is one of {', '.join(map(repr, names))}",
                            f"got {value!r}{registry.nearest(value, names)}", "use one of them")  # fmt: skip
    return found


class AUC(Confusion):
    """y_true (...) 0 or 1, y_pred (...) probabilities -> (). The area under a curve that thresholds draw, by their Riemann sum.

    Args:
        num_thresholds: how many thresholds there are, evenly from 0 to 1; more come closer to the exact area.
        curve: ``"ROC"`` (true positive rate over false positive rate), ``"PR"`` (precision over recall), or ``"PRGAIN"``
            (precision gain over recall gain).
        summation_method: between thresholds ``"interpolation"`` (the trapezoid; for PR by true and false positives),
            ``"minoring"`` (the lower value) or ``"majoring"`` (the higher one).
        name, dtype: see `Metric`.
        thresholds: thresholds between 0 and 1 instead of even ones; 0 and 1 are added.
        multi_label: whether the columns of y_pred (batch, labels) have curves of their own, whose areas are averaged.
        num_labels: the number of columns, if it is to be known before the first batch.
        label_weights: weights of the columns: of their areas if multi_label, else of their examples.
        from_logits: whether y_pred holds logits.

    Raises:
        ArgumentError: for arguments that do not fit, and predictions that are no probabilities (on the CPU).

    Example:
        >>> edl.metrics.AUC()([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
        Tensor(shape=(), dtype=float32, 0.75)

    Source: Davis & Goadrich, 2006 (interpolation of PR curves); Flach & Kull, 2015 (PR gain curves).
    """

    _direction = "up"

    def __init__(self, num_thresholds=200, curve="ROC", summation_method="interpolation", name=None, dtype=None, thresholds=None,
                 multi_label=False, num_labels=None, label_weights=None, from_logits=False):  # fmt: skip
        super().__init__(dtype, name)
        self.curve = _one_of(self.name, "curve", curve, ("ROC", "PR", "PRGAIN"))
        self.summation_method = _one_of(
            self.name, "summation_method", summation_method, ("interpolation", "minoring", "majoring")
        )
        self._given = None if thresholds is None else sorted(float(one) for one in thresholds)
        if self._given is not None:
            if not all_between(self._given):
                raise ArgumentError(
                    self.name, "thresholds must lie between 0 and 1", f"got {thresholds}", "leave them out"
                )
            inner = self._given
        elif num_thresholds > 1:
            inner = _even(num_thresholds)[1:-1]
        else:
            raise ArgumentError(
                self.name, "num_thresholds must be at least 2", f"got {num_thresholds}", "use the default"
            )
        if num_labels and not multi_label:
            raise ArgumentError(
                self.name, "num_labels is for multi_label=True", f"got num_labels={num_labels}", "leave it out"
            )
        self.num_thresholds = len(inner) + 2
        # All predictions exceed the first threshold and none the last, so that curves run from end to end.
        self.thresholds = [-config.epsilon(), *inner, 1.0 + config.epsilon()]
        self.multi_label, self.num_labels = multi_label, num_labels
        self.label_weights = None if label_weights is None else convert_to_tensor(label_weights, self._dtype)
        self._from_logits = from_logits
        self._built = False
        if not multi_label:
            self._build(())
        elif num_labels:
            self._build((num_labels,))

    def _build(self, columns):
        self._count_at(self.thresholds, columns)
        self._built = True

    def _prepare(self, y_pred):
        return sigmoid(y_pred) if self._from_logits else _probabilities(y_pred, self.name)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true (...) 0 or 1, y_pred (...), weights of their shape or of their first axes."""
        y_pred = convert_to_tensor(y_pred)
        if self.multi_label:
            if y_pred.ndim != 2 or (self._built and y_pred.shape[1:] != self.true_positives.shape[1:]):
                known = self.true_positives.shape[1] if self._built else "labels"
                raise ShapeError(self.name, f"with multi_label y_pred must be (batch, {known})", f"y_pred {y_pred.shape}",
                                 "reshape it, or make another metric")  # fmt: skip
            if not self._built:
                self._build(y_pred.shape[1:])
        weights = self.label_weights
        if weights is not None and weights.shape != y_pred.shape[-1:]:
            raise ShapeError(self.name, "label_weights must have a number for each label in the last axis of y_pred",
                             f"label_weights {weights.shape}, y_pred {y_pred.shape}", "pass one weight per label")  # fmt: skip
        self._count(y_true, y_pred, sample_weight, by_label=self.multi_label, prepare=self._prepare,
                    label_weights=None if self.multi_label else weights)  # fmt: skip

    def result(self):
        """The area."""
        if not self._built:
            return convert_to_tensor(0.0, self._dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._over_labels(sum(self._pr_pieces(), 0))
        x, y = self._points()
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        else:
            heights = (minimum if self.summation_method == "minoring" else maximum)(y[:-1], y[1:])
        return self._over_labels(sum((x[:-1] - x[1:]) * heights, 0))

    def _points(self):
        """x (thresholds, ...), y (thresholds, ...): the points of the curve, x falling as thresholds rise."""
        tp, fp = self.true_positives.value, self.false_positives.value
        tn, fn = self.true_negatives.value, self.false_negatives.value
        if self.curve == "ROC":
            return ratio(fp, fp + tn), ratio(tp, tp + fn)
        if self.curve == "PR":
            return ratio(tp, tp + fn), ratio(tp, tp + fp)
        odds = ratio(tp + fn, tn + fp)
        recall_gain = where(tp == 0, 0.0, 1.0 - odds * ratio(fn, tp))
        return maximum(recall_gain, 0.0), where(tp == 0, 1.0, 1.0 - odds * ratio(fp, tp))

    def _pr_pieces(self):
        """(thresholds - 1, ...). The areas under the PR curve between thresholds, true positives linear in all positives.

        With positives p, true ones t = slope * p + intercept: the integral of t / p over t is
        slope * (t_b - t_a + intercept * log(p_b / p_a)).
        """
        tp, fn = self.true_positives.value, self.false_negatives.value
        p = tp + self.false_positives
        dt, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
        slope = ratio(dt, maximum(dp, 0.0))
        intercept = tp[1:] - slope * p[1:]
        both = (p[:-1] > 0) & (p[1:] > 0)
        rising = where(both, ratio(p[:-1], p[1:]), 1.0)
        return ratio(slope * (dt + intercept * log(rising)), tp[1:] + fn[1:])

    def _over_labels(self, areas):
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return mean(areas)
        return ratio(sum(areas * self.label_weights), sum(self.label_weights))

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        config = {"num_thresholds": self.num_thresholds, "curve": self.curve, "summation_method": self.summation_method,
                  "multi_label": self.multi_label, "num_labels": self.num_labels, "from_logits": self._from_logits,
                  "label_weights": None if self.label_weights is None else self.label_weights.tolist()}  # fmt: skip
        return {**super().get_config(), **config, **({} if self._given is None else {"thresholds": self._given})}
