"""Metrics of numbers: errors, the coefficient of determination, correlations, directions."""

import warnings
from typing import ClassVar

from eagerdl import config, dtypes
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.jit import trace as tracing
from eagerdl.ops.arithmetic import square, where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.logic import isinf
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.shape import broadcast_to
from eagerdl.train.losses.loss import fit, pair
from eagerdl.train.losses.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from eagerdl.train.losses.similarity import cosine
from eagerdl.train.metrics.metric import Metric
from eagerdl.train.metrics.reduction import FunctionMetric, Mean

__all__ = [
    "ConcordanceCorrelation", "CosineSimilarity", "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "PearsonCorrelation", "R2Score", "RootMeanSquaredError",
    "concordance_correlation", "pearson_correlation",
]  # fmt: skip


class MeanSquaredError(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of (y_true - y_pred)**2.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.MeanSquaredError()([[0.0], [1.0]], [[1.0], [3.0]])
        Tensor(shape=(), dtype=float32, 2.5)
    """

    _direction = "down"

    def __init__(self, name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, name, dtype)


class MeanAbsoluteError(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of abs(y_true - y_pred).

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.MeanAbsoluteError()([[0.0], [1.0]], [[1.0], [3.0]])
        Tensor(shape=(), dtype=float32, 1.5)
    """

    _direction = "down"

    def __init__(self, name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). 100 times the mean of abs(y_true - y_pred) / abs(y_true).

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.MeanAbsolutePercentageError()([[2.0], [4.0]], [[3.0], [4.0]])
        Tensor(shape=(), dtype=float32, 25.)
    """

    _direction = "down"

    def __init__(self, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of (log(y_true + 1) - log(y_pred + 1))**2.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.MeanSquaredLogarithmicError()([[1.0], [1.0]], [[1.0], [1.0]])
        Tensor(shape=(), dtype=float32, 0.)
    """

    _direction = "down"

    def __init__(self, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(mean_squared_logarithmic_error, name, dtype)


class RootMeanSquaredError(Mean):
    """y_true (...), y_pred (...) -> (). The root of the mean of (y_true - y_pred)**2 over all batches.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.RootMeanSquaredError()([[0.0], [0.0]], [[1.0], [7.0]])
        Tensor(shape=(), dtype=float32, 5.)
    """

    _direction = "down"

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true and y_pred of one shape, and weights of it or of its first axes."""
        y_true, y_pred = pair(self.name, y_true, convert_to_tensor(y_pred, self._dtype))
        super().update_state(square(y_pred - y_true), sample_weight)

    def result(self):
        """The root of the mean."""
        return sqrt(super().result())


class LogCoshError(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of log(cosh(y_pred - y_true)).

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.LogCoshError()([[0.0]], [[1000.0]])
        Tensor(shape=(), dtype=float32, 999.3068)
    """

    _direction = "down"

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(log_cosh, name, dtype)


def _cosine_similarity(y_true, y_pred, axis=-1):
    """y_true, y_pred (..., n, ...) -> (...). The cosine of the angle between vectors, of which the loss is the negative."""
    return cosine("cosine_similarity", y_true, y_pred, axis)


class CosineSimilarity(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of the cosines of the angles between the vectors: 1 is best.

    Args:
        name, dtype: see `Metric`.
        axis: the axis of the components of a vector.

    Example:
        >>> edl.metrics.CosineSimilarity()([[0.0, 2.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    _direction = "up"
    _quiet: ClassVar[dict] = {"axis": -1}

    def __init__(self, name="cosine_similarity", dtype=None, axis=-1):
        super().__init__(_cosine_similarity, name, dtype, axis=axis)


# -- correlations ---------------------------------------------------------------------------------


def _moments(name, y_true, y_pred, axis):
    """The means of both, their deviations from them, and the variances of both."""
    y_true, y_pred = pair(name, y_true, y_pred)
    mx, my = mean(y_true, axis, True), mean(y_pred, axis, True)
    x, y = y_true - mx, y_pred - my
    return mx, my, x, y, mean(square(x), axis, True), mean(square(y), axis, True)


def pearson_correlation(y_true, y_pred, axis=-1):
    """y_true (..., n, ...), y_pred (..., n, ...) -> (...) without `axis`. Pearson's correlation: between -1 and 1.

    It is the covariance divided by both standard deviations, and NaN where one of them is 0.

    Args:
        y_true, y_pred: the truth and the predictions.
        axis: the axis along which they are correlated.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.metrics.pearson_correlation([[0.0, 2.0]], [[1.0, 5.0]])
        Tensor(shape=(1,), dtype=float32, [1.])
    """
    _, _, x, y, vx, vy = _moments("pearson_correlation", y_true, y_pred, axis)
    return mean((x / sqrt(vx)) * (y / sqrt(vy)), axis)


def concordance_correlation(y_true, y_pred, axis=-1):
    """y_true (..., n, ...), y_pred (..., n, ...) -> (...) without `axis`. Lin's concordance: how near both lie to a line y = x.

    It is twice the covariance, divided by the sum of both variances and the squared difference of the means.

    Args:
        y_true, y_pred: the truth and the predictions.
        axis: the axis along which they are correlated.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.metrics.concordance_correlation([[0.0, 2.0]], [[1.0, 3.0]])
        Tensor(shape=(1,), dtype=float32, [0.6666667])

    Source: L. I. Lin, 1989, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45.
    """
    mx, my, x, y, vx, vy = _moments("concordance_correlation", y_true, y_pred, axis)
    return mean(2.0 * x * y / (vx + vy + square(mx - my) + config.epsilon()), axis)


class PearsonCorrelation(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of `pearson_correlation` over the examples.

    Args:
        name, dtype: see `Metric`.
        axis: the axis along which they are correlated.

    Example:
        >>> edl.metrics.PearsonCorrelation()([[0.0, 2.0]], [[1.0, 5.0]])
        Tensor(shape=(), dtype=float32, 1.)
    """

    _direction = "up"

    def __init__(self, name="pearson_correlation", dtype=None, axis=-1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of `concordance_correlation` over the examples.

    Args:
        name, dtype: see `Metric`.
        axis: the axis along which they are correlated.

    Example:
        >>> edl.metrics.ConcordanceCorrelation()([[0.0, 2.0]], [[1.0, 3.0]])
        Tensor(shape=(), dtype=float32, 0.6666667)
    """

    _direction = "up"

    def __init__(self, name="concordance_correlation", dtype=None, axis=-1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)


# -- explained variance ---------------------------------------------------------------------------


class R2Score(Metric):
    """y_true (batch, n), y_pred (batch, n) -> () or (n,). 1 - sum((y_true - y_pred)**2) / sum((y_true - mean)**2).

    1 is perfect, 0 no better than to predict the mean of y_true always.

    Args:
        class_aggregation: over the n outputs: ``"uniform_average"``, ``"variance_weighted_average"``, or None.
        num_regressors: p, if given, adjusts the score for so many inputs: 1 - (1 - R2) (m - 1) / (m - p - 1), m numbers seen.
        name, dtype: see `Metric`.

    Raises:
        ArgumentError: for arguments that do not fit.

    Example:
        >>> edl.metrics.R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
        Tensor(shape=(), dtype=float32, 0.57142854)
    """

    _direction = "up"

    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name="r2_score", dtype=None):
        super().__init__(dtype, name)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ArgumentError(
                self.name, f"class_aggregation is one of {known}", f"got {class_aggregation!r}", "use one of them"
            )
        if num_regressors < 0:
            raise ArgumentError(
                self.name, "num_regressors must not be negative", f"got {num_regressors}", "use 0 for the plain score"
            )
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable((), "zeros", self._wide, name="num_samples")
        self._built = False

    @property
    def _wide(self):
        return dtypes.promote(dtypes.standardize(None), self._dtype)

    def _build(self, outputs):
        self.squared_sum = self.add_variable((outputs,), "zeros", self._wide, name="squared_sum")
        self.sum = self.add_variable((outputs,), "zeros", self._wide, name="sum")
        self.total_mse = self.add_variable((outputs,), "zeros", self._wide, name="residual")
        self.count = self.add_variable((outputs,), "zeros", self._wide, name="count")
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true (batch, n), y_pred (batch, n), sample_weight (batch,) or (batch, n)."""
        y_true, y_pred = pair(self.name, y_true, convert_to_tensor(y_pred, self._wide))
        if y_pred.ndim != 2:
            raise ShapeError(self.name, "y_true and y_pred must be (batch, outputs)",
                             f"y_true {y_true.shape}, y_pred {y_pred.shape}",
                             "give one of them a last axis of 1")  # fmt: skip
        if not self._built:
            self._build(y_pred.shape[1])
        weights = convert_to_tensor(1.0 if sample_weight is None else sample_weight, y_true.dtype)
        weights = broadcast_to(fit(self.name, "sample_weight", weights, y_true.shape, "y_true"), y_true.shape)
        self.sum.assign_add(sum(y_true * weights, 0))
        self.squared_sum.assign_add(sum(square(y_true) * weights, 0))
        self.total_mse.assign_add(sum(square(y_true - y_pred) * weights, 0))
        self.count.assign_add(sum(weights, 0))
        self.num_samples.assign_add(y_true.size)

    def result(self):
        """The score, or one for each output."""
        if not self._built:
            return convert_to_tensor(0.0, self._wide)
        total = self.squared_sum - self.sum * (self.sum / self.count)
        score = 1.0 - self.total_mse / total
        score = where(isinf(score), 0.0, score)
        if self.class_aggregation == "uniform_average":
            score = mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = sum(total * score) / sum(total)
        p, m = self.num_regressors, self.num_samples.value
        if p:
            enough = m - 1.0 > p
            if tracing.current() is None and not enough:
                warnings.warn(f"[{self.name}] num_regressors={p} needs more than {p + 1} samples; there are {float(m):.0f}, so "
                              "that the score is not adjusted", stacklevel=2)  # fmt: skip
            score = where(enough, 1.0 - (1.0 - score) * (m - 1.0) / (m - p - 1.0), score)
        return score

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
