"""F-scores: the harmonic mean of precision and recall."""

from eagerdl import config
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.arithmetic import abs
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.reduction import max, mean, sum
from eagerdl.train.losses.loss import fit
from eagerdl.train.metrics.metric import Metric

__all__ = ["F1Score", "FBetaScore"]


class FBetaScore(Metric):
    """y_true (batch, n) 0 or 1, y_pred (batch, n) -> (n,) or (). (1 + b**2) precision recall / (b**2 precision + recall).

    Args:
        average: over the classes: None (one score for each), ``"micro"`` (one score of all answers), ``"macro"`` (the mean
            of the scores), ``"weighted"`` (their mean, weighted by how often a class is true).
        beta: b: how much more recall matters than precision.
        threshold: a prediction above it means 1; with None the largest prediction of a row does.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: for arguments that do not fit.

    Example:
        >>> metric = edl.metrics.FBetaScore(beta=2.0, threshold=0.5)
        >>> edl.round(metric([[1, 1], [1, 0], [1, 0]], [[0.2, 0.6], [0.2, 0.6], [0.6, 0.2]]), 3)
        Tensor(shape=(2,), dtype=float32, [0.385 0.833])

    Source: C. J. van Rijsbergen, 1979, "Information Retrieval", chapter 7.
    """

    _direction = "up"

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ArgumentError(
                self.name, "average is None, 'micro', 'macro' or 'weighted'", f"got {average!r}", "use one of them"
            )
        if isinstance(beta, bool) or not isinstance(beta, int | float) or beta <= 0:
            raise ArgumentError(self.name, "beta must be a number above 0", f"got {beta!r}", "use 1.0 for the F1 score")
        if threshold is not None and not (isinstance(threshold, int | float) and 0 < threshold <= 1):
            raise ArgumentError(
                self.name, "threshold must be above 0, and at most 1", f"got {threshold!r}", "use None, or 0.5"
            )
        self.average, self.beta, self.threshold = average, float(beta), threshold
        self._built = False

    def _build(self, classes):
        shape = () if self.average == "micro" else (classes,)
        for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
            setattr(self, name, self.add_variable(shape, "zeros", self._dtype, name=name))
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true (batch, n) 0 or 1, y_pred (batch, n), sample_weight (batch,) or (batch, n)."""
        y_true, y_pred = convert_to_tensor(y_true, self._dtype), convert_to_tensor(y_pred, self._dtype)
        if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
            raise ShapeError(self.name, "y_true and y_pred must both be (batch, classes)",
                             f"y_true {y_true.shape}, y_pred {y_pred.shape}",
                             "class numbers go through edl.one_hot first; add the axis of classes")  # fmt: skip
        if not self._built:
            self._build(y_pred.shape[1])
        elif self.average != "micro" and self.true_positives.shape != y_pred.shape[1:]:
            raise ShapeError(self.name, f"all batches must have the classes of the first, {self.true_positives.shape[0]}",
                             f"y_pred {y_pred.shape}", "make another metric")  # fmt: skip
        if self.threshold is None:
            y_pred = (y_pred >= max(y_pred, -1, True)) & (abs(y_pred) > 1e-9)
        else:
            y_pred = y_pred > self.threshold
        y_pred = cast(y_pred, self._dtype)
        weights, axis = 1.0, None if self.average == "micro" else 0
        if sample_weight is not None:
            weights = fit(
                self.name, "sample_weight", convert_to_tensor(sample_weight, self._dtype), y_pred.shape, "y_pred"
            )
        self.true_positives.assign_add(sum(y_pred * y_true * weights, axis))
        self.false_positives.assign_add(sum(y_pred * (1.0 - y_true) * weights, axis))
        self.false_negatives.assign_add(sum((1.0 - y_pred) * y_true * weights, axis))
        self.intermediate_weights.assign_add(sum(y_true * weights, axis))

    def result(self):
        """The score, or one for each class."""
        if not self._built:
            return convert_to_tensor(0.0, self._dtype)
        hits, least = self.true_positives, config.epsilon()
        precision, recall = hits / (hits + self.false_positives + least), hits / (hits + self.false_negatives + least)
        b = self.beta**2
        score = (1 + b) * (precision * recall / (b * precision + recall + least))
        if self.average == "weighted":
            return sum(score * (self.intermediate_weights / (sum(self.intermediate_weights) + least)))
        return score if self.average is None else mean(score)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """y_true (batch, n) 0 or 1, y_pred (batch, n) -> (n,) or (). 2 precision recall / (precision + recall).

    Args:
        average: over the classes: None (one score for each), ``"micro"`` (one score of all answers), ``"macro"`` (the mean
            of the scores), ``"weighted"`` (their mean, weighted by how often a class is true).
        threshold: a prediction above it means 1; with None the largest prediction of a row does.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: for arguments that do not fit.

    Example:
        >>> metric = edl.metrics.F1Score(threshold=0.5)
        >>> edl.round(metric([[1, 1], [1, 0], [1, 0]], [[0.2, 0.6], [0.2, 0.6], [0.6, 0.2]]), 3)
        Tensor(shape=(2,), dtype=float32, [0.5   0.667])
    """

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        config = super().get_config()
        del config["beta"]
        return config
