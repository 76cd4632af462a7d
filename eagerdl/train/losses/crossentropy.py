"""Cross-entropies of classes: two or many, from class numbers or probabilities, and the generalized one for noisy labels."""

import warnings
from typing import ClassVar

from eagerdl import devices, dtypes, ops
from eagerdl.autograd.primitive import linear
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.loss import _class_numbers, _take_at_labels
from eagerdl.ops.reduction import mean
from eagerdl.ops.shape import expand_dims, normalize_axis, squeeze
from eagerdl.train.losses.loss import FunctionLoss, pair, with_mask

__all__ = [
    "BinaryCrossentropy", "CategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy",
    "SparseCategoricalCrossentropy", "binary_crossentropy", "categorical_crossentropy",
    "categorical_generalized_cross_entropy", "sparse_categorical_crossentropy",
]  # fmt: skip


# -- two classes ----------------------------------------------------------------------------------


@linear(transpose=lambda g: g, infer=lambda y_true: y_true)
def _shares(y_true):
    """y_true (...) -> (...). The labels, if all are between 0 and 1. On the GPU nobody looks: the host would have to wait."""
    if devices.module_of(y_true) is not devices.np or not y_true.size:
        return y_true
    low, high = y_true.min(), y_true.max()
    if low < 0 or high > 1:
        raise ArgumentError("binary_crossentropy", "labels must lie between 0 and 1", f"y_true has values from {low} to {high}",
                            "map the two classes to 0 and 1; more classes go to sparse_categorical_crossentropy")  # fmt: skip
    return y_true


def binary_labels(name, y_true, y_pred, label_smoothing):
    """y_true, smoothed, and y_pred: tensors of one shape and dtype.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if a label is below 0 or above 1.
    """
    y_true, y_pred = pair(name, y_true, y_pred)
    y_true = _shares(y_true)
    return (y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true), y_pred


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """y_true (..., n), y_pred (..., n) -> (...) without `axis`. The mean of -y log(p) - (1 - y) log(1 - p).

    Args:
        y_true: 0 or 1, or probabilities.
        y_pred: probabilities p, which are clipped to [epsilon, 1 - epsilon] (`edl.config.epsilon`), or logits.
        from_logits: whether y_pred holds logits.
        label_smoothing: labels move by half of this towards 0.5.
        axis: the axis or axes of the mean.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.
        ArgumentError: if a label is not between 0 and 1 (on the CPU).

    Example:
        >>> edl.losses.binary_crossentropy([[0.0, 1.0]], [[0.0, -2.0]], from_logits=True)
        Tensor(shape=(1,), dtype=float32, [1.4100376])
    """
    y_true, y_pred = binary_labels("binary_crossentropy", y_true, y_pred, label_smoothing)
    return mean(ops.binary_crossentropy(y_true, y_pred, from_logits), axis)


# -- many classes ---------------------------------------------------------------------------------


def categorical_labels(name, y_true, y_pred, label_smoothing, axis):
    """y_true, smoothed, and y_pred: tensors of one shape and dtype."""
    if isinstance(axis, bool):
        raise ArgumentError(name, "axis must be an int", f"got {axis!r}", "use keywords for arguments")
    y_true, y_pred = pair(name, y_true, y_pred)
    classes = y_pred.shape[normalize_axis(name, axis, y_pred.ndim)]
    if classes == 1:
        warnings.warn(f"[{name}] several classes are needed; y_pred {y_pred.shape} has one along axis {axis}, so that there is "
                      f"nothing to learn; use a binary loss for two classes", stacklevel=4)  # fmt: skip
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / classes
    return y_true, y_pred


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """y_true (..., n), y_pred (..., n) -> (...) without `axis`. -sum(y_true log(p)) over the classes.

    Args:
        y_true: one-hot, or probabilities of the classes.
        y_pred: probabilities p, which are divided by their sum and clipped, or logits.
        from_logits: whether y_pred holds logits.
        label_smoothing: this part of the labels is spread evenly over the classes.
        axis: the axis of the classes.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> edl.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
        Tensor(shape=(1,), dtype=float32, [0.6931472])
    """
    y_true, y_pred = categorical_labels("categorical_crossentropy", y_true, y_pred, label_smoothing, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits, axis)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """y_true (...) class numbers, y_pred (..., n) -> (...) without `axis`. -log(p) of the right class.

    Args:
        y_true: integers from 0 to n - 1, or floats that hold such; a last axis of 1 may be there.
        y_pred: probabilities p, which are divided by their sum and clipped, or logits.
        from_logits: whether y_pred holds logits.
        ignore_class: labels of this number, which need be no class, have the loss 0, and means do not count them.
        axis: the axis of the classes.

    Raises:
        ShapeError: if y_true does not have the shape of y_pred without the axis of classes.
        RangeError: if a label is no class.
        ArgumentError: if a label is NaN or has a fraction.

    Example:
        >>> edl.losses.sparse_categorical_crossentropy([0, -1], [[0.5, 0.5], [0.1, 0.9]], ignore_class=-1)
        Tensor(shape=(2,), dtype=float32, [0.6931472 0.       ])
    """
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits, axis)
    y_true, y_pred = convert_to_tensor(y_true), convert_to_tensor(y_pred)
    axis = normalize_axis("sparse_categorical_crossentropy", axis, y_pred.ndim)
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = squeeze(y_true, axis)
    counts = y_true != ignore_class
    if y_true.shape == y_pred.shape[:axis] + y_pred.shape[axis + 1 :]:  # otherwise the op says what is wrong
        y_pred = where(expand_dims(counts, axis), y_pred, 1)  # what is ignored may be NaN
    loss = ops.sparse_categorical_crossentropy(where(counts, y_true, 0), y_pred, from_logits, axis)
    return with_mask(where(counts, loss, 0), counts)


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """y_true (...) class numbers, y_pred (..., n) probabilities -> (...). (1 - p**q) / q, p that of the right class.

    Between the cross-entropy (q near 0), which learns wrong labels by heart, and the absolute error (q near 1).

    Args:
        y_true: integers from 0 to n - 1; a last axis of 1 may be there.
        y_pred: the probabilities of the classes.
        q: a number between 0 and 1.

    Raises:
        ShapeError: if y_true does not have the shape of y_pred without the last axis.
        RangeError: if a label is no class.

    Example:
        >>> edl.losses.categorical_generalized_cross_entropy([1], [[0.75, 0.25]], 0.5)
        Tensor(shape=(1,), dtype=float32, [1.])

    Source: Zhang & Sabuncu, 2018, arXiv:1805.07836 (equation 6).
    """
    name = "categorical_generalized_cross_entropy"
    y_true, y_pred = convert_to_tensor(y_true), convert_to_tensor(y_pred)
    if y_pred.dtype not in dtypes.INEXACT_SET:
        y_pred = convert_to_tensor(y_pred, dtypes.floatx())
    if y_true.ndim == y_pred.ndim and y_true.ndim and y_true.shape[-1] == 1:
        y_true = squeeze(y_true, -1)
    if not y_pred.ndim or y_true.shape != y_pred.shape[:-1]:
        raise ShapeError(name, "y_true must have the shape of y_pred without its last axis",
                         f"y_true {y_true.shape}, y_pred {y_pred.shape}", "pass class numbers, not one-hot rows")  # fmt: skip
    labels = _class_numbers(y_true, y_pred.shape[-1])
    return (1.0 - _take_at_labels(labels, y_pred, y_pred.ndim - 1) ** q) / q


# -- as losses ------------------------------------------------------------------------------------


class BinaryCrossentropy(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `binary_crossentropy` as a loss, for two classes or many yes-or-no answers.

    Args:
        from_logits: whether y_pred holds logits; that is faster and exact.
        label_smoothing: labels move by half of this towards 0.5.
        axis: the axis or axes of the mean within an example.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.BinaryCrossentropy(from_logits=True)([0, 1], [[0.0], [-2.0]])
        Tensor(shape=(), dtype=float32, 1.4100376)
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, axis=-1, reduction="sum_over_batch_size",
                 name="binary_crossentropy", dtype=None):  # fmt: skip
        super().__init__(binary_crossentropy, reduction, name, dtype,
                         from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)  # fmt: skip


class CategoricalCrossentropy(FunctionLoss):
    """y_true (..., n) one-hot, y_pred (..., n) -> (). `categorical_crossentropy` as a loss.

    Args:
        from_logits: whether y_pred holds logits; that is faster and exact.
        label_smoothing: this part of the labels is spread evenly over the classes.
        axis: the axis of the classes.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])
        Tensor(shape=(), dtype=float32, 0.6931472)
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, axis=-1, reduction="sum_over_batch_size",
                 name="categorical_crossentropy", dtype=None):  # fmt: skip
        super().__init__(categorical_crossentropy, reduction, name, dtype,
                         from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)  # fmt: skip


class SparseCategoricalCrossentropy(FunctionLoss):
    """y_true (...) class numbers, y_pred (..., n) -> (). `sparse_categorical_crossentropy` as a loss.

    Args:
        from_logits: whether y_pred holds logits; that is faster and exact.
        ignore_class: labels of this number do not count.
        reduction: see `Loss`.
        axis: the axis of the classes.
        name, dtype: see `Loss`.

    Example:
        >>> edl.losses.SparseCategoricalCrossentropy(from_logits=True)([0, 1], [[0.0, 0.0], [0.0, 100.0]])
        Tensor(shape=(), dtype=float32, 0.3465736)
    """

    _keeps_labels = True
    _quiet: ClassVar[dict] = {"axis": -1}

    def __init__(self, from_logits=False, ignore_class=None, reduction="sum_over_batch_size", axis=-1,
                 name="sparse_categorical_crossentropy", dtype=None):  # fmt: skip
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype,
                         from_logits=from_logits, ignore_class=ignore_class, axis=axis)  # fmt: skip


class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """y_true (...) class numbers, y_pred (..., n) probabilities -> (). `categorical_generalized_cross_entropy` as a loss.

    Args:
        q: a number between 0 and 1, towards 1 for labels of which many are wrong.
        reduction, name, dtype: see `Loss`.

    Raises:
        ArgumentError: for another q.

    Example:
        >>> edl.losses.CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]])
        Tensor(shape=(), dtype=float32, 1.)
    """

    _keeps_labels = True

    def __init__(
        self, q=0.5, reduction="sum_over_batch_size", name="categorical_generalized_cross_entropy", dtype=None
    ):
        if not 0 < q < 1:
            raise ArgumentError("CategoricalGeneralizedCrossEntropy", "q must lie between 0 and 1", f"got {q!r}",
                                "use categorical_crossentropy for 0, mean_absolute_error for 1")  # fmt: skip
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
