"""Reductions over axes: sums, products, means, extremes."""

import builtins
import math

import numpy as np

from eagerdl import device as devices
from eagerdl import dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.errors import ArgumentError
from eagerdl.ops.shape import broadcast_to, normalize_axes, reshape

__all__ = ["amax", "amin", "max", "mean", "min", "sum"]


def axes_of(where, axis, ndim):
    """An axis argument in the form that NumPy takes: None, or a tuple counted from the left without duplicates."""
    return None if axis is None else normalize_axes(where, axis, ndim)


def reduced_shape(where, x, axis, keepdims):
    """The shape of `x` after a reduction over `axis`."""
    axes = normalize_axes(where, axis, x.ndim)
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def restore(g, x, axis):
    """`g`, which came from a reduction of x over `axis`, with the reduced axes back at size 1."""
    axes = normalize_axes("reduction", axis, x.ndim)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return g if g.shape == shape else reshape(g, shape)


def count(x, axis):
    """How many elements a reduction of `x` over `axis` combines."""
    return math.prod(x.shape[i] for i in normalize_axes("reduction", axis, x.ndim))


def sum_dtype(dtype):
    """The dtype of a sum: small integers and bools are summed in 32 bits."""
    if dtype == dtypes.bool_ or dtype in (dtypes.int8, dtypes.int16):
        return dtypes.int32
    return dtypes.uint32 if dtype in (dtypes.uint8, dtypes.uint16) else dtype


def numpy_axis(axis):
    """Lists as tuples, for NumPy."""
    return tuple(axis) if axis.__class__ is list else axis


@linear(transpose=lambda g, x, axis: broadcast_to(restore(g, x, axis), x.shape),
        infer=lambda x, axis, keepdims: Spec(reduced_shape("sum", x, axis, keepdims), sum_dtype(x.dtype)))  # fmt: skip
def sum(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The sum; small integers and bools are summed as int32 or uint32.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
        Tensor(shape=(2,), dtype=float32, [4. 6.])
    """
    if x.dtype in dtypes.INEXACT_SET:
        return np.add.reduce(x, numpy_axis(axis), None, None, keepdims)
    return np.add.reduce(x, numpy_axis(axis), sum_dtype(x.dtype), None, keepdims)


def _mean(x, axis, keepdims):
    total = np.add.reduce(x, numpy_axis(axis), None, None, keepdims)
    return total / total.dtype.type(count(x, axis))


@linear(transpose=lambda g, x, axis: broadcast_to(restore(g / builtins.max(count(x, axis), 1), x, axis), x.shape),
        infer=lambda x, axis, keepdims: Spec(reduced_shape("mean", x, axis, keepdims), x.dtype),
        promote=dtypes.to_floating)  # fmt: skip
def mean(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, floating. The arithmetic mean; NaN of nothing.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.

    Example:
        >>> edl.mean([[1.0, 2.0], [3.0, 4.0]])
        Tensor(shape=(), dtype=float32, 2.5)
    """
    return _mean(x, axis, keepdims)


# -- extremes -----------------------------------------------------------------------------------


def _extreme_vjp(g, out, x, axis):
    """The cotangent goes to the elements that attain the extreme, in equal parts."""
    hits = (x == restore(out, x, axis)).astype(x.dtype)
    return hits * restore(g, x, axis) / sum(hits, axis, True)


def _extreme_jvp(out, inputs, tangents, params):
    (x,), (t,), (axis, keepdims, initial) = inputs, tangents, params
    hits = (x == restore(out, x, axis)).astype(x.dtype)
    return sum(hits * t, axis, keepdims) / sum(hits, axis, keepdims)


def _extreme_spec(where):
    def infer(x, axis, keepdims, initial):
        shape = reduced_shape(where, x, axis, keepdims)
        if initial is None and count(x, axis) == 0 and math.prod(shape) > 0:
            raise ArgumentError(where, "at least one element is needed along the reduced axes", f"x {x.shape}, axis={axis}",
                                "pass initial=, or check what emptied x")  # fmt: skip
        return Spec(shape, x.dtype)

    return infer


def _reduce_extreme(ufunc, x, axis, keepdims, initial):
    options = {} if initial is None else {"initial": initial}
    if devices.module_of(x) is not np:
        return getattr(x, {"maximum": "max", "minimum": "min"}[ufunc.__name__])(numpy_axis(axis), None, keepdims)
    return ufunc.reduce(x, numpy_axis(axis), None, None, keepdims, **options)


@custom(vjp=_extreme_vjp, jvp=_extreme_jvp, infer=_extreme_spec("max"))
def max(x, axis=None, keepdims=False, initial=None):
    """x (...) -> (...) without `axis`. The largest element; NaN if one is. Ties share the gradient.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        initial: the least the result can be, needed for empty tensors.

    Raises:
        ArgumentError: for an empty tensor without `initial`.

    Example:
        >>> edl.max([[1, 5], [7, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [5 7])
    """
    return _reduce_extreme(np.maximum, x, axis, keepdims, initial)


@custom(vjp=_extreme_vjp, jvp=_extreme_jvp, infer=_extreme_spec("min"))
def min(x, axis=None, keepdims=False, initial=None):
    """x (...) -> (...) without `axis`. The smallest element; NaN if one is. Ties share the gradient.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        initial: the most the result can be, needed for empty tensors.

    Raises:
        ArgumentError: for an empty tensor without `initial`.

    Example:
        >>> edl.min([[1, 5], [7, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [1 3])
    """
    return _reduce_extreme(np.minimum, x, axis, keepdims, initial)


def amax(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The largest element, as NumPy also spells `max`.

    Example:
        >>> edl.amax([1, 5])
        Tensor(shape=(), dtype=int32, 5)
    """
    return max(x, axis, keepdims)


def amin(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The smallest element, as NumPy also spells `min`.

    Example:
        >>> edl.amin([1, 5])
        Tensor(shape=(), dtype=int32, 1)
    """
    return min(x, axis, keepdims)
