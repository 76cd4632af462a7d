"""Means of the losses of margins, as metrics."""

from eagerdl.train.losses.margins import categorical_hinge, hinge, squared_hinge
from eagerdl.train.metrics.reduction import FunctionMetric

__all__ = ["CategoricalHinge", "Hinge", "SquaredHinge"]


class Hinge(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of `edl.losses.hinge` over the examples.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.Hinge()([[1.0, -1.0]], [[0.5, -2.0]])
        Tensor(shape=(), dtype=float32, 0.25)
    """

    _direction = "down"

    def __init__(self, name="hinge", dtype=None):
        super().__init__(hinge, name, dtype)


class SquaredHinge(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of `edl.losses.squared_hinge` over the examples.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.SquaredHinge()([[1.0, -1.0]], [[0.5, -2.0]])
        Tensor(shape=(), dtype=float32, 0.125)
    """

    _direction = "down"

    def __init__(self, name="squared_hinge", dtype=None):
        super().__init__(squared_hinge, name, dtype)


class CategoricalHinge(FunctionMetric):
    """y_true (..., n) one-hot, y_pred (..., n) scores -> (). The mean of `edl.losses.categorical_hinge` over the examples.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    _direction = "down"

    def __init__(self, name="categorical_hinge", dtype=None):
        super().__init__(categorical_hinge, name, dtype)
