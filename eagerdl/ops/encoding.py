"""Integers as vectors: one-hot and multi-hot."""

import math

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.shape import normalize_axis

__all__ = ["multi_hot", "one_hot"]


@custom(infer=lambda x, depth, axis, dtype: Spec((*x.shape[:axis], depth, *x.shape[axis:]), dtype))
def _one_hot(x, depth, axis, dtype):
    """x (...) int -> (..., depth, ...) with ones at x; labels outside of [0, depth) leave zeros."""
    return _hot(x.reshape(-1, 1), depth, dtype, x.shape, axis)


def _hot(labels, depth, dtype, shape, axis):
    """labels (rows, n) -> shape with a new axis of size `depth` at `axis`: ones at all the labels of each row."""
    xp = devices.module_of(labels)
    rows = labels.shape[0]
    out = xp.zeros((rows, depth), dtype)
    inside = (labels >= 0) & (labels < depth)
    if inside.all():
        out.reshape(-1)[xp.arange(rows)[:, None] * depth + labels] = 1
    else:
        row, _ = inside.nonzero()
        out[row, labels[inside]] = 1
    out = out.reshape(*shape, depth)
    return out if axis == len(shape) else xp.moveaxis(out, -1, axis)


@custom(infer=lambda x, depth, axis, dtype: Spec((*x.shape[:-1][:axis], depth, *x.shape[:-1][axis:]), dtype))
def _multi_hot(x, depth, axis, dtype):
    """x (..., n) int -> (..., depth, ...) with ones at all of the n labels."""
    shape = x.shape[:-1]
    return _hot(x.reshape(math.prod(shape), x.shape[-1]), depth, dtype, shape, axis)


def _labels(where, x, num_classes, dtype, sparse):
    """The arguments of an encoding, checked: labels, how many classes, the dtype of the result."""
    x = convert_to_tensor(x)
    if not (dtypes.is_integer(x.dtype) or x.dtype == dtypes.bool_ or not x.size):
        raise DTypeError(where, "labels are integers", f"got {x.dtype}", "cast them: edl.cast(labels, 'int32')")
    if sparse:
        raise ArgumentError(where, "tensors are dense", f"got sparse={sparse!r}", "leave sparse out")
    if isinstance(num_classes, bool) or not hasattr(num_classes, "__index__") or num_classes.__index__() < 0:
        raise ArgumentError(
            where, "num_classes is an int of at least 0", f"got {num_classes!r}", "pass the number of classes"
        )
    return (
        x.astype(dtypes.int32) if x.dtype.kind in "bf" else x,
        num_classes.__index__(),
        dtypes.standardize(dtype, where),
    )


def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """x (...) int -> (..., num_classes). A one at the place that each label names, zeros elsewhere.

    Labels outside of [0, num_classes), such as -1 for "none", leave zeros only.

    Args:
        x: labels.
        num_classes: the size of the new axis.
        axis: where the new axis goes.
        dtype: the dtype of the result; floatx by default.
        sparse: False; tensors are dense.

    Raises:
        DTypeError: if the labels are not integers.

    Example:
        >>> edl.one_hot([2, 0, -1], 3)
        Tensor(shape=(3, 3), dtype=float32,
        [[0. 0. 1.]
         [1. 0. 0.]
         [0. 0. 0.]])
    """
    x, depth, dtype = _labels("one_hot", x, num_classes, dtype, sparse)
    return _one_hot(x, depth, normalize_axis("one_hot", axis, x.ndim + 1), dtype)


def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """inputs (n,) int -> (num_classes,); (batch, n, ...) -> (batch, ..., num_classes). Ones at all labels of each.

    The labels of one example stand along axis 1, or in all of a vector. Labels outside of [0,
        num_classes) are left out.

    Args:
        inputs: labels.
        num_classes: the size of the new axis, also known as ``num_tokens``.
        axis: where the new axis goes, among those that remain.
        dtype: the dtype of the result; floatx by default.
        sparse: False; tensors are dense.

    Raises:
        DTypeError: if the labels are not integers.
        ArgumentError: without `num_classes`.

    Example:
        >>> edl.multi_hot([[2, 0], [1, 1]], num_classes=3)
        Tensor(shape=(2, 3), dtype=float32,
        [[1. 0. 1.]
         [0. 1. 0.]])
    """
    num_classes = kwargs.pop("num_tokens", None) if num_classes is None else num_classes
    if kwargs:
        raise ArgumentError("multi_hot", "the arguments are inputs, num_classes, axis, dtype and sparse",
            f"got {', '.join(kwargs)}",
                            "drop it")  # fmt: skip
    x, depth, dtype = _labels("multi_hot", inputs, num_classes, dtype, sparse)
    if not x.ndim:
        x = x.reshape((1,))
    if x.ndim > 2:
        x = x.transpose((0, *range(2, x.ndim), 1))
    return _multi_hot(x, depth, normalize_axis("multi_hot", axis, x.ndim), dtype)
