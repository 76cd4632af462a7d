"""Reductions over axes: sums, products, means, extremes, with and without NaNs."""

import builtins
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.autograd.primitive import zeros_like
from eagerdl.errors import ArgumentError
from eagerdl.ops.arithmetic import conj, equal, maximum, not_equal, where
from eagerdl.ops.conversion import astype, convert_to_tensor
from eagerdl.ops.shape import broadcast_to, concatenate, normalize_axes, normalize_axis, reshape, transpose

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "max", "mean", "min", "nanargmax", "nanargmin",
    "nanmax", "nanmean", "nanmin", "nanprod", "nansum", "prod", "ptp", "sum",
]  # fmt: skip

ndarray = np.ndarray


# -- what reductions share ----------------------------------------------------------------------


def reduced_shape(where, x, axis, keepdims):
    """The shape of `x` after a reduction over `axis`."""
    axes = normalize_axes(where, axis, x.ndim)
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def restore(g, x, axis):
    """`g`, from a reduction of x over `axis`, with the reduced axes back at size 1; shape () broadcasts as it is."""
    if not g.shape:
        return g
    axes = normalize_axes("reduction", axis, x.ndim)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return g if g.shape == shape else reshape(g, shape)


def count(x, axis):
    """How many elements a reduction of `x` over `axis` combines."""
    return x.size if axis is None else math.prod([x.shape[i] for i in normalize_axes("reduction", axis, x.ndim)])


def numpy_axis(axis):
    """Lists as tuples, for NumPy."""
    return tuple(axis) if axis.__class__ is list else axis


def merge_axes(x, axis):
    """x (...) -> (kept..., n). The axes `axis` moved to the end and made one."""
    axes = normalize_axes("reduction", axis, x.ndim)
    kept = [i for i in builtins.range(x.ndim) if i not in axes]
    if tuple(kept) + axes != tuple(builtins.range(x.ndim)):
        x, kept = transpose(x, (*kept, *axes)), builtins.range(len(kept))
    shape = (*[x.shape[i] for i in kept], math.prod(x.shape[len(kept) :]))
    return x if x.shape == shape else reshape(x, shape)


def split_axes(y, shape, axis):
    """y (kept..., n) -> shape. Undoes `merge_axes` of a tensor of that shape."""
    axes = normalize_axes("reduction", axis, len(shape))
    order = (*[i for i in builtins.range(len(shape)) if i not in axes], *axes)
    y = reshape(y, tuple(shape[i] for i in order))
    return (
        y
        if order == tuple(builtins.range(len(shape)))
        else transpose(y, tuple(order.index(i) for i in builtins.range(len(shape))))
    )


def sum_dtype(dtype):
    """The dtype of a sum or product: small integers and bools are combined in 32 bits."""
    if dtype == dtypes.bool_ or dtype in (dtypes.int8, dtypes.int16):
        return dtypes.int32
    return dtypes.uint32 if dtype in (dtypes.uint8, dtypes.uint16) else dtype


# The dtype in which sums and products run where NumPy's choice is another: a bfloat16 sum of ones would stall at 256.
COMBINED_IN = {dtypes.float16: dtypes.float32, dtypes.bfloat16: dtypes.float32,
               **{dtype: sum_dtype(dtype) for dtype in dtypes.ALL if not dtypes.is_inexact(dtype)}}  # fmt: skip


def _reduce(where, ufunc, method, x, axis, dtype, keepdims):
    """A reduction by a NumPy ufunc, or by the method of other arrays."""
    axis = tuple(axis) if axis.__class__ is list else axis
    if axis is not None and not x.ndim:
        normalize_axes(where, axis, 0)  # NumPy would let axis=0 pass
    if x.__class__ is ndarray:
        return ufunc.reduce(x, axis, dtype, None, keepdims)
    if method in ("all", "any"):
        return getattr(x, method)(axis, None, keepdims)
    return getattr(x, method)(axis, dtype, None, keepdims)


# -- sums and products --------------------------------------------------------------------------


def _spread_sum(g, x, axis):
    out = broadcast_to(restore(g, x, axis) if g.shape else g, x.shape)
    return out if out.dtype is x.dtype else astype(out, x.dtype)


def _sum_spec(x, axis, keepdims, dtype):
    return Spec(
        reduced_shape("sum", x, axis, keepdims), sum_dtype(x.dtype) if dtype is None else dtypes.standardize(dtype)
    )


@linear(transpose=_spread_sum, infer=_sum_spec, reduce=np.add.reduce)
def sum(x, axis=None, keepdims=False, dtype=None):
    """x (...) -> (...) without `axis`. The sum; small integers and bools are summed as int32 or uint32.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        dtype: the dtype in which to sum.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
        Tensor(shape=(2,), dtype=float32, [4. 6.])
    """
    if dtype is not None:
        x = x.astype(dtypes.standardize(dtype, "sum"))
    wider = COMBINED_IN.get(x.dtype)
    out = _reduce("sum", np.add, "sum", x, axis, wider if dtype is None else x.dtype, keepdims)
    return out.astype(x.dtype) if wider is dtypes.float32 else out


def _others(x):
    """x (..., n) -> (..., n). For each element the product of all others, without a division: zeros do no harm.

    By a tree: pair each element of the left half with one of the right; for both the product of the others is that of
    the pair's others, times the partner.
    """
    n = x.shape[-1]
    if n < 2:
        return zeros_like(x) + 1
    half = n // 2
    left, right, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    pairs = left * right
    missing = _others(concatenate([pairs, rest], -1) if n % 2 else pairs)
    halves = [missing[..., :half] * right, missing[..., :half] * left]
    return concatenate([*halves, missing[..., half:]] if n % 2 else halves, -1)


def _product_of_others(x, axis):
    return split_axes(_others(merge_axes(x, axis)), x.shape, axis)


def _prod_jvp(out, inputs, tangents, params):
    (x,), (t,), (axis, keepdims) = inputs, tangents, params
    return sum(_product_of_others(x, axis) * t, axis, keepdims)


@custom(vjp=lambda g, x, axis: restore(g, x, axis) * conj(_product_of_others(x, axis)), jvp=_prod_jvp,
        infer=lambda x, axis, keepdims: Spec(reduced_shape("prod", x, axis, keepdims), sum_dtype(x.dtype)))  # fmt: skip
def _prod(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`."""
    wider = COMBINED_IN.get(x.dtype)
    out = _reduce("prod", np.multiply, "prod", x, axis, wider, keepdims)
    return out.astype(x.dtype) if wider is dtypes.float32 else out


def prod(x, axis=None, keepdims=False, dtype=None):
    """x (...) -> (...) without `axis`. The product; small integers and bools are multiplied as int32 or uint32.

    Its derivatives are right at zeros too: they come from products of the other elements, not from a division.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        dtype: the dtype in which to multiply.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.prod([[1.0, 2.0], [3.0, 4.0]], axis=1)
        Tensor(shape=(2,), dtype=float32, [ 2. 12.])
    """
    if dtype is None:
        return _prod(x, axis, keepdims)
    return astype(_prod(astype(x, dtype), axis, keepdims), dtype)


prod.primitive = _prod.primitive


@linear(transpose=lambda g, x, axis: broadcast_to(restore(g / builtins.max(count(x, axis), 1), x, axis), x.shape),
        infer=lambda x, axis, keepdims: Spec(reduced_shape("mean", x, axis, keepdims), x.dtype),
        promote=dtypes.to_floating)  # fmt: skip
def mean(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, floating. The arithmetic mean; NaN of nothing.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.mean([[1.0, 2.0], [3.0, 4.0]])
        Tensor(shape=(), dtype=float32, 2.5)
    """
    wider = COMBINED_IN.get(x.dtype)
    out = _reduce("mean", np.add, "sum", x, axis, wider, keepdims)
    out = out / (x.size // out.size if out.size else 1)
    return out if wider is None else out.astype(x.dtype)


# -- extremes -----------------------------------------------------------------------------------


def _shares(x, out, axis):
    """The share of each element in the extreme `out`: equal parts for those that attain it, nothing for `initial`."""
    hits = (x == restore(out, x, axis)).astype(x.dtype)
    return hits / maximum(sum(hits, axis, True), 1)


def _extreme_vjp(g, out, x, axis):
    return _shares(x, out, axis) * restore(g, x, axis)


def _extreme_jvp(out, inputs, tangents, params):
    (x,), (t,), (axis, keepdims, _) = inputs, tangents, params
    return sum(_shares(x, out, axis) * t, axis, keepdims)


def _extreme_spec(where):
    def infer(x, axis, keepdims, initial):
        shape = reduced_shape(where, x, axis, keepdims)
        if initial is None and count(x, axis) == 0 and math.prod(shape) > 0:
            raise ArgumentError(where, "at least one element is needed along the reduced axes",
                                f"x {x.shape}, axis={axis}", "pass initial=, or check what emptied x")  # fmt: skip
        return Spec(shape, x.dtype)

    return infer


def _reduce_extreme(method, ufunc, x, axis, keepdims, initial):
    axis = tuple(axis) if axis.__class__ is list else axis
    if axis is not None and not x.ndim:
        normalize_axes(method, axis, 0)  # NumPy would let axis=0 pass
    if x.__class__ is ndarray:
        return ufunc.reduce(x, axis, None, None, keepdims, **({} if initial is None else {"initial": initial}))
    if initial is None:
        return getattr(x, method)(axis, None, keepdims)
    if not x.size:
        return devices.module_of(x).full(reduced_shape(method, x, axis, keepdims), initial, x.dtype)
    return ufunc(getattr(x, method)(axis, None, keepdims), x.dtype.type(initial))


@custom(vjp=_extreme_vjp, jvp=_extreme_jvp, infer=_extreme_spec("max"), reduce=np.maximum.reduce)
def max(x, axis=None, keepdims=False, initial=None):
    """x (...) -> (...) without `axis`. The largest element; NaN if one is. Ties share the gradient.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        initial: the least the result can be, needed for empty tensors.

    Raises:
        ArgumentError: for an empty tensor without `initial`.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.max([[1, 5], [7, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [5 7])
    """
    return _reduce_extreme("max", np.maximum, x, axis, keepdims, initial)


@custom(vjp=_extreme_vjp, jvp=_extreme_jvp, infer=_extreme_spec("min"), reduce=np.minimum.reduce)
def min(x, axis=None, keepdims=False, initial=None):
    """x (...) -> (...) without `axis`. The smallest element; NaN if one is. Ties share the gradient.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        initial: the most the result can be, needed for empty tensors.

    Raises:
        ArgumentError: for an empty tensor without `initial`.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.min([[1, 5], [7, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [1 3])
    """
    return _reduce_extreme("min", np.minimum, x, axis, keepdims, initial)


def amax(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The largest element, as NumPy also spells `max`.

    Example:
        >>> edl.amax([1, 5])
        Tensor(shape=(), dtype=int32, 5)
    """
    return max(x, axis, keepdims, None)


def amin(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The smallest element, as NumPy also spells `min`.

    Example:
        >>> edl.amin([1, 5])
        Tensor(shape=(), dtype=int32, 1)
    """
    return min(x, axis, keepdims, None)


def ptp(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. Peak to peak: the largest element minus the smallest.

    Raises:
        ArgumentError: for an empty tensor.

    Example:
        >>> edl.ptp([[1, 5], [7, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [4 4])
    """
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def _arg_spec(where):
    def infer(x, axis, keepdims):
        axis = None if axis is None else normalize_axis(where, axis, x.ndim)
        if not (x.size if axis is None else x.shape[axis]):
            raise ArgumentError(where, "at least one element is needed along the axis", f"x {x.shape}, axis={axis}",
                                "check what emptied x")  # fmt: skip
        return Spec(reduced_shape(where, x, axis, keepdims), dtypes.int32)

    return infer


@custom(infer=_arg_spec("argmax"))
def argmax(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, int32. Where the largest element is, the first of several; NaNs count as such.

    Args:
        x: a tensor.
        axis: an axis, or None for the index into the flattened tensor.
        keepdims: whether the reduced axis stays, with size 1.

    Raises:
        ArgumentError: if there is nothing to choose from.
        ShapeError: if the axis does not exist.

    Example:
        >>> edl.argmax([[1, 5], [7, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [1 0])
    """
    out = x.argmax(axis).astype(np.int32)
    return out.reshape(reduced_shape("argmax", x, axis, True)) if keepdims else out


@custom(infer=_arg_spec("argmin"))
def argmin(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, int32. Where the smallest element is, the first of several; NaNs count as such.

    Args:
        x: a tensor.
        axis: an axis, or None for the index into the flattened tensor.
        keepdims: whether the reduced axis stays, with size 1.

    Raises:
        ArgumentError: if there is nothing to choose from.
        ShapeError: if the axis does not exist.

    Example:
        >>> edl.argmin([[1, 5], [7, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [0 1])
    """
    out = x.argmin(axis).astype(np.int32)
    return out.reshape(reduced_shape("argmin", x, axis, True)) if keepdims else out


# -- logic --------------------------------------------------------------------------------------


@custom(infer=lambda x, axis, keepdims: Spec(reduced_shape("all", x, axis, keepdims), dtypes.bool_))
def all(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, bool. Whether all elements hold; numbers other than 0 count as true.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.all([[True, False], [True, True]], axis=1)
        Tensor(shape=(2,), dtype=bool, [False  True])
    """
    return _reduce("all", np.logical_and, "all", x, axis, None, keepdims)


@custom(infer=lambda x, axis, keepdims: Spec(reduced_shape("any", x, axis, keepdims), dtypes.bool_))
def any(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, bool. Whether at least one element holds; numbers other than 0 count as true.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.any([[True, False], [False, False]], axis=1)
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    return _reduce("any", np.logical_or, "any", x, axis, None, keepdims)


def count_nonzero(x, axis=None, *, keepdims=False):
    """x (...) -> (...) without `axis`, int32. How many elements differ from 0.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.count_nonzero([[1, 0], [2, 3]], axis=1)
        Tensor(shape=(2,), dtype=int32, [1 2])
    """
    x = convert_to_tensor(x)
    return sum(x if x.dtype == dtypes.bool_ else not_equal(x, 0), axis, keepdims)


# -- without NaNs -------------------------------------------------------------------------------


def replace_nans(x, value):
    """x with `value` in place of NaNs, through which no gradient flows, and where they were (None for integers)."""
    x = convert_to_tensor(x)
    if not dtypes.is_inexact(x.dtype):
        return x, None
    nans = x != x
    return where(nans, value, x), nans


def nansum(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The sum of what is not NaN.

    Example:
        >>> edl.nansum([1.0, np.nan, 2.0])
        Tensor(shape=(), dtype=float32, 3.)
    """
    return sum(replace_nans(x, 0)[0], axis, keepdims)


def nanprod(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The product of what is not NaN.

    Example:
        >>> edl.nanprod([3.0, np.nan, 2.0])
        Tensor(shape=(), dtype=float32, 6.)
    """
    return prod(replace_nans(x, 1)[0], axis, keepdims)


def nanmean(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, floating. The mean of what is not NaN; NaN if nothing is left.

    Example:
        >>> edl.nanmean([1.0, np.nan, 2.0])
        Tensor(shape=(), dtype=float32, 1.5)
    """
    x, nans = replace_nans(x, 0)
    if nans is None:
        return mean(x, axis, keepdims)
    # In float32 or wider: the sum of many float16 numbers may exceed their range where the mean does not.
    wide = x.astype(dtypes.float32) if x.dtype.itemsize == 2 else x
    left = astype(sum(equal(nans, False), axis, keepdims), dtypes.real_of(wide.dtype))
    return astype(sum(wide, axis, keepdims) / left, x.dtype)


def _nan_extreme(reduce, x, worst, axis, keepdims):
    x, nans = replace_nans(x, worst)
    out = reduce(x, axis, keepdims)
    return out if nans is None else where(all(nans, axis, keepdims), np.nan, out)


def nanmax(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The largest element that is not NaN; NaN if there is none.

    Raises:
        ArgumentError: for an empty tensor.

    Example:
        >>> edl.nanmax([1.0, np.nan, 2.0])
        Tensor(shape=(), dtype=float32, 2.)
    """
    return _nan_extreme(max, x, -math.inf, axis, keepdims)


def nanmin(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. The smallest element that is not NaN; NaN if there is none.

    Raises:
        ArgumentError: for an empty tensor.

    Example:
        >>> edl.nanmin([1.0, np.nan, 2.0])
        Tensor(shape=(), dtype=float32, 1.)
    """
    return _nan_extreme(min, x, math.inf, axis, keepdims)


def _nan_argument(choose, x, worst, axis, keepdims):
    x, nans = replace_nans(x, worst)
    out = choose(x, axis, keepdims)
    return out if nans is None else where(all(nans, axis, keepdims), -1, out)


def nanargmax(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, int32. Where the largest element is that is not NaN; -1 if there is none.

    Raises:
        ArgumentError: if there is nothing to choose from.

    Example:
        >>> edl.nanargmax([[1.0, np.nan], [np.nan, np.nan]], axis=1)
        Tensor(shape=(2,), dtype=int32, [ 0 -1])
    """
    return _nan_argument(argmax, x, -math.inf, axis, keepdims)


def nanargmin(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, int32. Where the smallest element is that is not NaN; -1 if there is none.

    Raises:
        ArgumentError: if there is nothing to choose from.

    Example:
        >>> edl.nanargmin([[np.nan, 1.0], [np.nan, np.nan]], axis=1)
        Tensor(shape=(2,), dtype=int32, [ 1 -1])
    """
    return _nan_argument(argmin, x, math.inf, axis, keepdims)
