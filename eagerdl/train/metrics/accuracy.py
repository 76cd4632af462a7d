"""How often predictions are right."""

from typing import ClassVar

from eagerdl import dtypes
from eagerdl.errors import ShapeError
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.reduction import any, argmax
from eagerdl.ops.shape import expand_dims, squeeze
from eagerdl.ops.sorting import in_top_k
from eagerdl.train.losses.loss import same_shape
from eagerdl.train.metrics.reduction import FunctionMetric

__all__ = [
    "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
]  # fmt: skip


def _as_numbers(hits):
    return cast(hits, dtypes.floatx())


def accuracy(y_true, y_pred):
    """y_true (...), y_pred (...) -> (...). 1 where both are equal, 0 elsewhere."""
    y_true, y_pred = same_shape("accuracy", convert_to_tensor(y_true), convert_to_tensor(y_pred))
    return _as_numbers(y_true == y_pred)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """y_true (...) 0 or 1, y_pred (...) -> (...). 1 where y_pred > threshold just if y_true is 1, 0 elsewhere.

    Args:
        y_true: the truth.
        y_pred: probabilities of 1; for logits use the threshold 0.
        threshold: above it the prediction is 1.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.metrics.binary_accuracy([1, 0, 0], [0.6, 0.4, 0.9])
        Tensor(shape=(3,), dtype=float32, [1. 1. 0.])
    """
    y_true, y_pred = same_shape("binary_accuracy", convert_to_tensor(y_true), convert_to_tensor(y_pred))
    return _as_numbers(cast(y_pred > threshold, y_true.dtype) == y_true)


def _same_classes(name, y_true, y_pred):
    """One-hot rows or scores y_true, and scores y_pred: tensors of one shape."""
    y_true, y_pred = convert_to_tensor(y_true), convert_to_tensor(y_pred)
    if y_true.shape != y_pred.shape or not y_pred.ndim:
        raise ShapeError(name, "y_true must have the shape of y_pred: one-hot rows",
                         f"y_true {y_true.shape}, y_pred {y_pred.shape}", f"class numbers go to sparse_{name}")  # fmt: skip
    return y_true, y_pred


def _labels(name, y_true, y_pred):
    """Class numbers y_true (...), and scores y_pred (..., n)."""
    y_true, y_pred = convert_to_tensor(y_true), convert_to_tensor(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.ndim and y_true.shape[-1] == 1:
        y_true = squeeze(y_true, -1)
    if not y_pred.ndim or y_true.shape != y_pred.shape[:-1]:
        other = name.removeprefix("sparse_")
        raise ShapeError(name, "y_true must be class numbers, of the shape of y_pred without its last axis",
                         f"y_true {y_true.shape}, y_pred {y_pred.shape}", f"one-hot rows go to {other}")  # fmt: skip
    return y_true, y_pred


def categorical_accuracy(y_true, y_pred):
    """y_true (..., n) one-hot, y_pred (..., n) -> (...). 1 where both are largest at the same class, 0 elsewhere.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> edl.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.4, 0.6]])
        Tensor(shape=(2,), dtype=float32, [1. 0.])
    """
    y_true, y_pred = _same_classes("categorical_accuracy", y_true, y_pred)
    return _as_numbers(argmax(y_true, -1) == argmax(y_pred, -1))


def sparse_categorical_accuracy(y_true, y_pred):
    """y_true (...) class numbers, y_pred (..., n) -> (...). 1 where y_pred is largest at the class, 0 elsewhere.

    Raises:
        ShapeError: if y_true does not have the shape of y_pred without its last axis; a last axis of 1 may be there.

    Example:
        >>> edl.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.4, 0.6]])
        Tensor(shape=(2,), dtype=float32, [1. 0.])
    """
    y_true, y_pred = _labels("sparse_categorical_accuracy", y_true, y_pred)
    if dtypes.is_integer(y_true.dtype):
        y_true = cast(y_true, "int32")
    return _as_numbers(argmax(y_pred, -1) == y_true)


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """y_true (..., n) one-hot, y_pred (..., n) -> (...). 1 where the class is among the k largest predictions.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> edl.metrics.top_k_categorical_accuracy([[0, 0, 1], [1, 0, 0]], [[0.1, 0.5, 0.4], [0.2, 0.5, 0.3]], k=2)
        Tensor(shape=(2,), dtype=float32, [1. 0.])
    """
    y_true, y_pred = _same_classes("top_k_categorical_accuracy", y_true, y_pred)
    return _as_numbers(in_top_k(argmax(y_true, -1), y_pred, k))


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """y_true (...) class numbers, y_pred (..., n) -> (...). 1 where the class is among the k largest predictions.

    Args:
        y_true: the class numbers.
        y_pred: scores of the classes, or class numbers in the order of their scores, the best first.
        k: how many predictions count.
        from_sorted_ids: whether y_pred holds class numbers.

    Raises:
        ShapeError: if y_true does not have the shape of y_pred without its last axis; a last axis of 1 may be there.
        RangeError: if a label is no class.

    Example:
        >>> edl.metrics.sparse_top_k_categorical_accuracy([2, 0], [[0.1, 0.5, 0.4], [0.2, 0.5, 0.3]], k=2)
        Tensor(shape=(2,), dtype=float32, [1. 0.])
    """
    y_true, y_pred = _labels("sparse_top_k_categorical_accuracy", y_true, y_pred)
    if from_sorted_ids:
        return _as_numbers(any(expand_dims(y_true, -1) == y_pred[..., :k], -1))
    return _as_numbers(in_top_k(y_true if dtypes.is_integer(y_true.dtype) else cast(y_true, "int32"), y_pred, k))


# -- as metrics -----------------------------------------------------------------------------------


class Accuracy(FunctionMetric):
    """y_true (...), y_pred (...) -> (). How often both are equal: for predictions that are class numbers.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.Accuracy()([1, 2, 3, 4], [1, 2, 3, 0])
        Tensor(shape=(), dtype=float32, 0.75)
    """

    _direction = "up"

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(FunctionMetric):
    """y_true (...) 0 or 1, y_pred (...) -> (). How often y_pred is above the threshold just if y_true is 1.

    Args:
        name, dtype: see `Metric`.
        threshold: for logits use 0.

    Example:
        >>> edl.metrics.BinaryAccuracy()([1, 0, 0, 1], [[0.6], [0.4], [0.9], [0.7]])
        Tensor(shape=(), dtype=float32, 0.75)
    """

    _direction = "up"

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(FunctionMetric):
    """y_true (..., n) one-hot, y_pred (..., n) -> (). How often y_pred is largest at the right class.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.CategoricalAccuracy()([[0, 1], [1, 0]], [[0.1, 0.9], [0.4, 0.6]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    _direction = "up"

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(FunctionMetric):
    """y_true (...) class numbers, y_pred (..., n) -> (). How often y_pred is largest at the right class.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.4, 0.6]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    _direction = "up"

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(FunctionMetric):
    """y_true (..., n) one-hot, y_pred (..., n) -> (). How often the right class is among the k largest predictions.

    Args:
        k: how many predictions count.
        name, dtype: see `Metric`.

    Example:
        >>> edl.metrics.TopKCategoricalAccuracy(k=2)([[0, 0, 1], [1, 0, 0]], [[0.1, 0.5, 0.4], [0.2, 0.5, 0.3]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    _direction = "up"

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(FunctionMetric):
    """y_true (...) class numbers, y_pred (..., n) -> (). How often the right class is among the k largest predictions.

    Args:
        k: how many predictions count.
        name, dtype: see `Metric`.
        from_sorted_ids: whether y_pred holds class numbers in the order of their scores.

    Example:
        >>> edl.metrics.SparseTopKCategoricalAccuracy(k=2)([2, 0], [[0.1, 0.5, 0.4], [0.2, 0.5, 0.3]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    _direction = "up"
    _quiet: ClassVar[dict] = {"from_sorted_ids": False}

    def __init__(self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None, from_sorted_ids=False):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
