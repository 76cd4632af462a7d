"""Losses of margins: they are zero once the right answer is ahead by 1."""

from eagerdl.ops.arithmetic import maximum, square, where
from eagerdl.ops.reduction import all, max, mean, sum
from eagerdl.train.losses.loss import FunctionLoss, pair

__all__ = ["CategoricalHinge", "Hinge", "SquaredHinge", "categorical_hinge", "hinge", "squared_hinge"]


def _margins(name, y_true, y_pred):
    """max(1 - y_true y_pred, 0), for labels -1 and 1; labels that are all 0 or 1 mean -1 and 1."""
    y_true, y_pred = pair(name, y_true, y_pred)
    y_true = where(all((y_true == 0) | (y_true == 1)), 2.0 * y_true - 1.0, y_true)
    return maximum(1.0 - y_true * y_pred, 0.0)


def hinge(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). The mean of max(1 - y_true * y_pred, 0) over the last axis.

    Args:
        y_true: -1 or 1; if all are 0 or 1, 0 stands for -1.
        y_pred: scores of any size.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.hinge([[1.0, -1.0]], [[0.5, -2.0]])
        Tensor(shape=(1,), dtype=float32, [0.25])
    """
    return mean(_margins("hinge", y_true, y_pred), -1)


def squared_hinge(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). The mean of max(1 - y_true * y_pred, 0)**2 over the last axis.

    Args:
        y_true: -1 or 1; if all are 0 or 1, 0 stands for -1.
        y_pred: scores of any size.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.squared_hinge([[1.0, -1.0]], [[0.5, -2.0]])
        Tensor(shape=(1,), dtype=float32, [0.125])
    """
    return mean(square(_margins("squared_hinge", y_true, y_pred)), -1)


def categorical_hinge(y_true, y_pred):
    """y_true (..., n) one-hot, y_pred (..., n) scores -> (...). max(1 + best wrong score - right score, 0).

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> edl.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 1.0]])
        Tensor(shape=(1,), dtype=float32, [0.5])
    """
    y_true, y_pred = pair("categorical_hinge", y_true, y_pred)
    return maximum(max((1.0 - y_true) * y_pred, -1) - sum(y_true * y_pred, -1) + 1.0, 0.0)


class Hinge(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `hinge` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.Hinge()([[1.0, -1.0]], [[0.5, -2.0]])
        Tensor(shape=(), dtype=float32, 0.25)
    """

    def __init__(self, reduction="sum_over_batch_size", name="hinge", dtype=None):
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `squared_hinge` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.SquaredHinge()([[1.0, -1.0]], [[0.5, -2.0]])
        Tensor(shape=(), dtype=float32, 0.125)
    """

    def __init__(self, reduction="sum_over_batch_size", name="squared_hinge", dtype=None):
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(FunctionLoss):
    """y_true (..., n) one-hot, y_pred (..., n) scores -> (). `categorical_hinge` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    def __init__(self, reduction="sum_over_batch_size", name="categorical_hinge", dtype=None):
        super().__init__(categorical_hinge, reduction, name, dtype)
