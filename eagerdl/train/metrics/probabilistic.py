"""Means of the cross-entropies, of the Kullback-Leibler divergence and of Poisson's loss, as metrics."""

from eagerdl.train.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from eagerdl.train.losses.probabilistic import kl_divergence, poisson
from eagerdl.train.metrics.reduction import FunctionMetric

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "KLDivergence", "Poisson", "SparseCategoricalCrossentropy"]


class KLDivergence(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of `edl.losses.kl_divergence` over the examples.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
        Tensor(shape=(), dtype=float32, 0.)
    """

    _direction = "down"

    def __init__(self, name="kl_divergence", dtype=None):
        super().__init__(kl_divergence, name, dtype)


class Poisson(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of `edl.losses.poisson` over the examples.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.Poisson()([[0.0]], [[1.0]])
        Tensor(shape=(), dtype=float32, 1.)
    """

    _direction = "down"

    def __init__(self, name="poisson", dtype=None):
        super().__init__(poisson, name, dtype)


class BinaryCrossentropy(FunctionMetric):
    """y_true (..., n), y_pred (..., n) -> (). The mean of `edl.losses.binary_crossentropy` over the examples.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether y_pred holds logits.
        label_smoothing: labels move by half of this towards 0.5.

    Example:
        >>> edl.metrics.BinaryCrossentropy(from_logits=True)([0, 1], [[0.0], [-2.0]])
        Tensor(shape=(), dtype=float32, 1.4100376)
    """

    _direction = "down"

    def __init__(self, name="binary_crossentropy", dtype=None, from_logits=False, label_smoothing=0):
        super().__init__(binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(FunctionMetric):
    """y_true (..., n) one-hot, y_pred (..., n) -> (). The mean of `edl.losses.categorical_crossentropy` over the examples.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether y_pred holds logits.
        label_smoothing: this part of the labels is spread evenly over the classes.
        axis: the axis of the classes.

    Example:
        >>> edl.metrics.CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])
        Tensor(shape=(), dtype=float32, 0.6931472)
    """

    _direction = "down"

    def __init__(self, name="categorical_crossentropy", dtype=None, from_logits=False, label_smoothing=0, axis=-1):
        super().__init__(categorical_crossentropy, name, dtype,
                         from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)  # fmt: skip


class SparseCategoricalCrossentropy(FunctionMetric):
    """y_true (...) class numbers, y_pred (..., n) -> (). The mean of `edl.losses.sparse_categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether y_pred holds logits.
        ignore_class: labels of this number do not count.
        axis: the axis of the classes.

    Example:
        >>> edl.metrics.SparseCategoricalCrossentropy()([1, 0], [[0.5, 0.5], [0.5, 0.5]])
        Tensor(shape=(), dtype=float32, 0.6931472)
    """

    _direction = "down"

    def __init__(
        self, name="sparse_categorical_crossentropy", dtype=None, from_logits=False, ignore_class=None, axis=-1
    ):
        super().__init__(sparse_categorical_crossentropy, name, dtype,
                         from_logits=from_logits, ignore_class=ignore_class, axis=axis)  # fmt: skip
