"""Losses of numbers: squared, absolute, relative and logarithmic errors, and what lies between squared and absolute."""

import math
from typing import ClassVar

from eagerdl import config
from eagerdl.ops.activation import softplus
from eagerdl.ops.arithmetic import abs, maximum, square, where
from eagerdl.ops.elementary import log
from eagerdl.ops.reduction import mean
from eagerdl.train.losses.loss import FunctionLoss, pair

__all__ = [
    "Huber", "LogCosh", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "huber", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error",
]  # fmt: skip


def mean_squared_error(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). The mean of (y_true - y_pred)**2 over the last axis.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]])
        Tensor(shape=(1,), dtype=float32, [2.5])
    """
    y_true, y_pred = pair("mean_squared_error", y_true, y_pred)
    return mean(square(y_true - y_pred), -1)


def mean_absolute_error(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). The mean of abs(y_true - y_pred) over the last axis.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]])
        Tensor(shape=(1,), dtype=float32, [1.5])
    """
    y_true, y_pred = pair("mean_absolute_error", y_true, y_pred)
    return mean(abs(y_true - y_pred), -1)


def mean_absolute_percentage_error(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). 100 times the mean of abs(y_true - y_pred) / abs(y_true).

    Divisors below `edl.config.epsilon()` are replaced by it.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.mean_absolute_percentage_error([[2.0, 4.0]], [[3.0, 4.0]])
        Tensor(shape=(1,), dtype=float32, [25.])
    """
    y_true, y_pred = pair("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * mean(abs((y_true - y_pred) / maximum(abs(y_true), config.epsilon())), -1)


def mean_squared_logarithmic_error(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). The mean of (log(y_true + 1) - log(y_pred + 1))**2 over the last axis.

    For numbers of many orders of magnitude, none of them negative: below `edl.config.epsilon()` it takes their place.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.mean_squared_logarithmic_error([[0.0]], [[3.0]])
        Tensor(shape=(1,), dtype=float32, [1.9218117])
    """
    y_true, y_pred = pair("mean_squared_logarithmic_error", y_true, y_pred)
    least = config.epsilon()
    return mean(square(log(maximum(y_pred, least) + 1.0) - log(maximum(y_true, least) + 1.0)), -1)


def huber(y_true, y_pred, delta=1.0):
    """y_true (..., n), y_pred (..., n) -> (...). The mean over the last axis of e**2 / 2, linear where abs(e) > delta.

    With e = y_true - y_pred it is delta * abs(e) - delta**2 / 2 there: outliers pull with a force of delta only.

    Args:
        y_true, y_pred: the truth and the predictions.
        delta: where it changes from quadratic to linear.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.huber([[0.0, 0.0]], [[0.5, 3.0]])
        Tensor(shape=(1,), dtype=float32, [1.3125])

    Source: P. J. Huber, 1964, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35.
    """
    y_true, y_pred = pair("huber", y_true, y_pred)
    error = y_pred - y_true
    size = abs(error)
    return mean(where(size <= delta, 0.5 * square(error), delta * size - 0.5 * delta * delta), -1)


def log_cosh(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). The mean of log(cosh(y_pred - y_true)) over the last axis.

    About e**2 / 2 for small errors e, abs(e) - log(2) for large ones; no error is too large for it.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.log_cosh([[0.0]], [[1000.0]])
        Tensor(shape=(1,), dtype=float32, [999.3068])
    """
    y_true, y_pred = pair("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return mean(error + softplus(-2.0 * error) - math.log(2.0), -1)


class MeanSquaredError(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `mean_squared_error` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.MeanSquaredError()([[0.0], [1.0]], [[1.0], [3.0]])
        Tensor(shape=(), dtype=float32, 2.5)
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `mean_absolute_error` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.MeanAbsoluteError()([[0.0], [1.0]], [[1.0], [3.0]])
        Tensor(shape=(), dtype=float32, 1.5)
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `mean_absolute_percentage_error` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.MeanAbsolutePercentageError()([[2.0], [4.0]], [[3.0], [4.0]])
        Tensor(shape=(), dtype=float32, 25.)
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_percentage_error", dtype=None):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `mean_squared_logarithmic_error` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.MeanSquaredLogarithmicError()([[1.0], [1.0]], [[1.0], [1.0]])
        Tensor(shape=(), dtype=float32, 0.)
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class Huber(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `huber` as a loss.

    Args:
        delta: where it changes from quadratic to linear.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.Huber(delta=2.0)([[0.0]], [[3.0]])
        Tensor(shape=(), dtype=float32, 4.)
    """

    _quiet: ClassVar[dict] = {"delta": 1.0}

    def __init__(self, delta=1.0, reduction="sum_over_batch_size", name="huber_loss", dtype=None):
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `log_cosh` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.LogCosh()([[0.0]], [[1000.0]])
        Tensor(shape=(), dtype=float32, 999.3068)
    """

    def __init__(self, reduction="sum_over_batch_size", name="log_cosh", dtype=None):
        super().__init__(log_cosh, reduction, name, dtype)
