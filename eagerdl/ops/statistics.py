"""Variances, quantiles, histograms."""

import builtins
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, bilinear, custom
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import conj, equal, where
from eagerdl.ops.conversion import astype, convert_to_tensor, floating
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.indexing import _get_item, _put, _take_along_axis, as_indices, take
from eagerdl.ops.linalg import matmul
from eagerdl.ops.reduction import count, mean, merge_axes, reduced_shape, replace_nans, restore, sum
from eagerdl.ops.shape import broadcast_to, expand_dims, normalize_axes, reshape, transpose
from eagerdl.ops.sorting import comparable, sort
from eagerdl.tensor import Tensor, from_array, to_array

__all__ = [
    "average", "bincount", "corrcoef", "correlate", "digitize", "histogram", "median", "moments", "nanmedian",
    "nanpercentile", "nanquantile", "nanstd", "nanvar", "percentile", "quantile", "std", "var",
]  # fmt: skip


# -- variance -----------------------------------------------------------------------------------


def _spread_spec(where):
    return lambda x, axis, keepdims, correction: Spec(reduced_shape(where, x, axis, keepdims), dtypes.real_of(x.dtype))


def _variance(where, x, axis, keepdims, correction):
    """The sum of squared distances from the mean over n - correction: two passes, so that nothing cancels."""
    axes = normalize_axes(where, axis, x.ndim)
    if x.dtype.itemsize == 2:
        x = x.astype(np.float32)
    n = math.prod([x.shape[i] for i in axes])
    distance = x - np.add.reduce(x, axes, None, None, True) / builtins.max(n, 1)
    if x.dtype.kind == "c":
        distance = np.absolute(distance)
    return np.add.reduce(np.square(distance), axes, None, None, keepdims) / builtins.max(n - correction, 0)


def _centered(x, axis, correction):
    """The derivative of half the variance by x: (x - mean) / (n - correction)."""
    return (x - mean(x, axis, True)) / builtins.max(count(x, axis) - correction, 0)


def _var_vjp(g, x, axis, correction):
    return 2 * restore(g, x, axis) * _centered(x, axis, correction)


def _var_jvp(out, inputs, tangents, params):
    (x,), (t,), (axis, keepdims, correction) = inputs, tangents, params
    return astype(sum(2 * conj(_centered(x, axis, correction)) * t, axis, keepdims), out.dtype)


@custom(vjp=_var_vjp, jvp=_var_jvp, infer=_spread_spec("var"), promote=dtypes.to_floating)
def _var(x, axis=None, keepdims=False, correction=0.0):
    """x (...) -> (...) without `axis`."""
    return _variance("var", x, axis, keepdims, correction).astype(dtypes.real_of(x.dtype), copy=False)


def var(x, axis=None, keepdims=False, *, correction=0.0):
    """x (...) -> (...) without `axis`, floating. The mean squared distance |x - mean|^2 from the mean.

    Computed in two passes, so that a large mean does not swallow the digits.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        correction: what is subtracted from the number of elements in the divisor; 1 gives the unbiased estimate.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.var([1.0, 2.0, 3.0], correction=1)
        Tensor(shape=(), dtype=float32, 1.)
    """
    return _var(x, axis, keepdims, correction)


def _inverse(out):
    """1 / out, and 0 where out is 0."""
    return where(out == 0, 0, 1 / where(out == 0, 1, out))


def _std_vjp(g, out, x, axis, correction):
    return restore(g * _inverse(out), x, axis) * _centered(x, axis, correction)


def _std_jvp(out, inputs, tangents, params):
    (x,), (t,), (axis, keepdims, correction) = inputs, tangents, params
    return astype(sum(conj(_centered(x, axis, correction)) * t, axis, keepdims), out.dtype) * _inverse(out)


@custom(vjp=_std_vjp, jvp=_std_jvp, infer=_spread_spec("std"), promote=dtypes.to_floating)
def _std(x, axis=None, keepdims=False, correction=0.0):
    """x (...) -> (...) without `axis`."""
    return np.sqrt(_variance("std", x, axis, keepdims, correction)).astype(dtypes.real_of(x.dtype), copy=False)


def std(x, axis=None, keepdims=False, *, correction=0.0):
    """x (...) -> (...) without `axis`, floating. The standard deviation: the root of the variance.

    Its gradient at constant elements, where the root has none, is 0.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        correction: what is subtracted from the number of elements in the divisor; 1 gives the usual estimate.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.std([1.0, 2.0, 3.0], correction=1)
        Tensor(shape=(), dtype=float32, 1.)
    """
    return _std(x, axis, keepdims, correction)


var.primitive, std.primitive = _var.primitive, _std.primitive


def moments(x, axes, keepdims=False, synchronized=False):
    """x (...) -> mean (...), variance (...), both without `axes`.

    Args:
        x: a tensor; integers become floatx.
        axes: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        synchronized: accepted for Keras' sake: there is one process.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.moments([1.0, 2.0, 3.0, 4.0], axes=0)
        (Tensor(shape=(), dtype=float32, 2.5), Tensor(shape=(), dtype=float32, 1.25))
    """
    return mean(x, axes, keepdims), _var(x, axes, keepdims)


def nanvar(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, floating. The variance of what is not NaN; NaN if nothing is left.

    Example:
        >>> edl.nanvar([1.0, np.nan, 3.0])
        Tensor(shape=(), dtype=float32, 1.)
    """
    x, nans = replace_nans(x, 0)
    if nans is None:
        return var(x, axis, keepdims)
    dtype = dtypes.real_of(x.dtype)
    wide = astype(x, dtypes.float32) if x.dtype.itemsize == 2 else x
    left = astype(sum(equal(nans, False), axis, True), dtypes.real_of(wide.dtype))
    distance = where(nans, 0, wide - sum(wide, axis, True) / where(left == 0, 1, left))
    squares = sum(distance * conj(distance), axis, True) / where(left == 0, np.nan, left)
    return astype(reshape(squares, reduced_shape("nanvar", x, axis, keepdims)), dtype)


def nanstd(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, floating. The standard deviation of what is not NaN; NaN if nothing is left.

    Its gradient at constant elements is 0.

    Example:
        >>> edl.nanstd([1.0, np.nan, 3.0])
        Tensor(shape=(), dtype=float32, 1.)
    """
    variance = nanvar(x, axis, keepdims)
    return where(variance == 0, 0, sqrt(where(variance == 0, 1, variance)))


def average(x, axis=None, weights=None):
    """x (...) -> (...) without `axis`, floating. The mean, weighted if there are weights.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        weights: a tensor of the shape of x, or a vector for the one axis. Their sum may not be 0, or NaN comes out.

    Raises:
        ShapeError: if the weights do not fit, or the axis does not exist.

    Example:
        >>> edl.average([1.0, 2.0, 4.0], weights=[1, 1, 2])
        Tensor(shape=(), dtype=float32, 2.75)
    """
    if weights is None:
        return mean(x, axis)
    x, weights = convert_to_tensor(x), convert_to_tensor(weights)
    if weights.shape != x.shape:
        if weights.ndim != 1 or axis is None or (isinstance(axis, tuple | list) and len(axis) != 1):
            raise ShapeError("average", "weights have the shape of x, or are a vector for one axis",
                             f"x {x.shape}, weights {weights.shape}, axis={axis}",
                             "pass axis=, or broadcast the weights")  # fmt: skip
        (place,) = normalize_axes("average", axis, x.ndim)
        if weights.shape[0] != x.shape[place]:
            raise ShapeError("average", f"one weight is needed for each of the {x.shape[place]} places on axis {place}",
                             f"x {x.shape}, weights {weights.shape}", "check the axis")  # fmt: skip
        weights = broadcast_to(reshape(weights, (-1,) + (1,) * (x.ndim - place - 1)), x.shape)
    return sum(x * weights, axis) / sum(weights, axis)


# -- quantiles ----------------------------------------------------------------------------------

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(op, x, q, scale, axis, method, keepdims, skip_nans):
    """Quantiles by sorting: the element at place q (n - 1), or between the two next to it."""
    if method not in METHODS:
        raise ArgumentError(op, f"method is one of {', '.join(METHODS)}", f"got {method!r}", "use method='linear'")
    x = floating(x)
    if dtypes.is_complex(x.dtype):
        raise DTypeError(
            op, "real numbers are needed, which have an order", f"x is {x.dtype}", "use edl.real(x) or edl.abs(x)"
        )
    q = astype(q, dtypes.float64) if isinstance(q, Tensor) else from_array(to_array(q, dtypes.float64, where=op))
    if q.ndim > 1:
        raise ShapeError(op, "q is a number or a vector", f"got shape {q.shape}", "flatten it")
    if q.size and not (0 <= float(q._array.min()) and float(q._array.max()) <= scale):
        raise ArgumentError(
            op, f"q lies from 0 to {scale}", f"got {q.tolist()}", "quantiles go to 1, percentiles to 100"
        )
    shape = reduced_shape(op, x, axis, keepdims)
    lines = merge_axes(x, axis)
    n = lines.shape[-1]
    if not n:
        raise ArgumentError(
            op,
            "at least one element is needed along the reduced axes",
            f"x {x.shape}, axis={axis}",
            "check what emptied x",
        )
    flat_q = reshape(q, (-1,)) / scale
    ordered = sort(lines, -1)  # NaNs go last
    if skip_nans:
        left = expand_dims(sum(ordered == ordered, -1), -1)
        place = flat_q * where(left > 0, astype(left, "float64") - 1, 0)
        broken = left == 0
    else:
        place = flat_q * (n - 1)
        broken = ordered[..., -1:] != ordered[..., -1:]
    xp = devices.module_of(place._array)
    low, high = xp.floor(place._array), xp.ceil(place._array)
    if method == "linear":
        weight = place - from_array(low)
        out = _between(_at(ordered, low), _at(ordered, high), astype(weight, ordered.dtype))
    elif method == "midpoint":
        out = 0.5 * (_at(ordered, low) + _at(ordered, high))
    else:
        out = _at(ordered, {"lower": low, "higher": high, "nearest": xp.rint(place._array)}[method])
    if x.dtype in dtypes.FLOATING_SET:
        out = where(broken, np.nan, out)
    out = transpose(out, (out.ndim - 1, *builtins.range(out.ndim - 1)))
    return reshape(out, (*q.shape, *shape))


def _at(ordered, places):
    """ordered (..., n), places (k,) or (..., k) -> (..., k)."""
    index = from_array(places.astype(np.int64))
    return take(ordered, index, -1) if index.ndim == 1 else _take_along_axis(ordered, index, ordered.ndim - 1)


def _between(low, high, weight):
    """Linear interpolation that leaves infinite neighbours alone where their weight is 0."""
    exact = weight == 0
    return where(exact, low, low * (1 - weight) + where(exact, low, high) * weight)


def quantile(x, q, axis=None, method="linear", keepdims=False):
    """x (...), q () or (k,) -> (...) or (k, ...) without `axis`, floating. The values below which the parts q of x lie.

    Differentiable in x, and for the method "linear" in q. NaN if an element is.

    Args:
        x: a tensor; integers become floatx.
        q: a number from 0 to 1, or a vector of them.
        axis: an axis, several, or None for all.
        method: what to return between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether the reduced axes stay, with size 1.

    Raises:
        ArgumentError: for q outside of its range, another method, or nothing to choose from.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.quantile([1.0, 2.0, 3.0, 4.0], [0.5, 1.0])
        Tensor(shape=(2,), dtype=float32, [2.5 4. ])
    """
    return _quantile("quantile", x, q, 1, axis, method, keepdims, False)


def percentile(x, q, axis=None, method="linear", keepdims=False):
    """x (...), q () or (k,) -> (...) or (k, ...) without `axis`, floating. The values below which q percent of x lie.

    As `quantile`, with q from 0 to 100.

    Raises:
        ArgumentError: for q outside of its range, another method, or nothing to choose from.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.percentile([1.0, 2.0, 3.0, 4.0], 50)
        Tensor(shape=(), dtype=float32, 2.5)
    """
    return _quantile("percentile", x, q, 100, axis, method, keepdims, False)


def median(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, floating. The middle element, or the mean of the two; NaN if an element is.

    Raises:
        ArgumentError: if there is nothing to choose from.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.median([1.0, 5.0, 2.0, 3.0])
        Tensor(shape=(), dtype=float32, 2.5)
    """
    return _quantile("median", x, 0.5, 1, axis, "linear", keepdims, False)


def nanquantile(x, q, axis=None, method="linear", keepdims=False):
    """x (...), q () or (k,) -> (...) or (k, ...) without `axis`, floating. As `quantile`, of what is not NaN.

    Raises:
        ArgumentError: for q outside of its range, another method, or nothing to choose from.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.nanquantile([1.0, np.nan, 2.0], 0.5)
        Tensor(shape=(), dtype=float32, 1.5)
    """
    return _quantile("nanquantile", x, q, 1, axis, method, keepdims, True)


def nanpercentile(x, q, axis=None, method="linear", keepdims=False):
    """x (...), q () or (k,) -> (...) or (k, ...) without `axis`, floating. As `percentile`, of what is not NaN.

    Raises:
        ArgumentError: for q outside of its range, another method, or nothing to choose from.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.nanpercentile([1.0, np.nan, 2.0], 50)
        Tensor(shape=(), dtype=float32, 1.5)
    """
    return _quantile("nanpercentile", x, q, 100, axis, method, keepdims, True)


def nanmedian(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, floating. The median of what is not NaN; NaN if nothing is left.

    Raises:
        ArgumentError: if there is nothing to choose from.
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.nanmedian([1.0, np.nan, 2.0])
        Tensor(shape=(), dtype=float32, 1.5)
    """
    return _quantile("nanmedian", x, 0.5, 1, axis, "linear", keepdims, True)


# -- counting -----------------------------------------------------------------------------------


def _counted(x, weights, length):
    """x (rows..., n) -> (rows..., length): one bincount over rows that are shifted apart."""
    xp = devices.module_of(x)
    rows = math.prod(x.shape[:-1])
    if x.ndim > 1:
        x = x + xp.arange(rows, dtype=np.int64).reshape(*x.shape[:-1], 1) * length
    weights = None if weights is None else weights.reshape(-1).astype(np.float64)
    out = xp.bincount(x.reshape(-1).astype(np.int64), weights, rows * length)
    return out.reshape(*x.shape[:-1], length)


@custom(infer=lambda x, length: Spec((*x.shape[:-1], length), dtypes.int32))
def _bincount(x, length):
    """x (..., n) -> (..., length) int32."""
    return _counted(x, None, length).astype(np.int32)


def _bincount_jvp(out, inputs, tangents, params):
    return _bincount_of_weights(inputs[0], tangents[1], *params)


@custom(vjp=(None, lambda g, x: _take_along_axis(g, x, g.ndim - 1)), jvp=_bincount_jvp, tensors=2,
        infer=lambda x, weights, length: Spec((*x.shape[:-1], length), weights.dtype))  # fmt: skip
def _bincount_of_weights(x, weights, length):
    """x (..., n), weights (..., n) -> (..., length)."""
    if weights.dtype.kind == "c":
        return (_counted(x, weights.real, length) + 1j * _counted(x, weights.imag, length)).astype(weights.dtype)
    return _counted(x, weights, length).astype(weights.dtype)


def bincount(x, weights=None, minlength=0, sparse=False):
    """x (..., n) int -> (..., m). How often each number from 0 to m - 1 comes, or the sum of its weights; row by row.

    m is the largest number plus 1, or `minlength` if that is more.

    Args:
        x: integers, none of them negative.
        weights: a tensor of the shape of x; it has a gradient.
        minlength: the least size of the result.
        sparse: accepted for Keras' sake; tensors here are dense.

    Returns:
        int32 counts, or sums of the dtype of the weights.

    Raises:
        DTypeError: if x is not of integers.
        ArgumentError: for negative numbers.
        ShapeError: for a scalar, or weights of another shape.

    Example:
        >>> edl.bincount([0, 2, 2], weights=[0.5, 1.0, 1.0])
        Tensor(shape=(3,), dtype=float32, [0.5 0.  2. ])
    """
    if sparse:
        raise ArgumentError("bincount", "tensors are dense", f"got sparse={sparse}", "leave it out")
    x = as_indices("bincount", x, "x")
    if not x.ndim:
        raise ShapeError("bincount", "an axis to count along is needed", "x has shape ()", "pass a vector, or rows")
    low, high = (int(x._array.min()), int(x._array.max())) if x.size else (0, -1)
    if low < 0:
        raise ArgumentError(
            "bincount", "numbers must not be negative", f"the least in x is {low}", "shift them, or clip them"
        )
    length = builtins.max(int(minlength), high + 1)
    if weights is None:
        return _bincount(x, length)
    weights = convert_to_tensor(weights)
    if weights.shape != x.shape:
        raise ShapeError(
            "bincount",
            "there is one weight per element",
            f"x {x.shape}, weights {weights.shape}",
            "broadcast the weights",
        )
    return _bincount_of_weights(x, weights, length)


def _bins_of(x, bins, range):
    """The edges of a histogram, as float64 on the CPU."""
    if isinstance(bins, Tensor | np.ndarray | list | tuple):
        edges = np.asarray(devices.to_numpy(to_array(bins, where="histogram")), np.float64)
        if edges.ndim != 1 or len(edges) < 2 or (np.diff(edges) < 0).any():
            raise ArgumentError("histogram", "bin edges are a vector of two or more numbers that do not fall",
                                f"got {edges.tolist()}", "sort them, or pass the number of bins")  # fmt: skip
        return edges
    if not hasattr(bins, "__index__") or bins < 1:
        raise ArgumentError("histogram", "bins is a positive int, or a vector of edges", f"got {bins!r}", "try bins=10")
    if range is None:
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    else:
        low, high = map(float, range)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ArgumentError("histogram", "the range goes from a finite number up to another", f"got {low} to {high}",
                            "pass range=(low, high) without NaNs and infinities")  # fmt: skip
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, int(bins) + 1)


def histogram(x, bins=10, range=None):
    """x (...) -> counts (m,), edges (m + 1,). How many elements fall into each of m bins; both floating.

    A bin takes its left edge and not its right one, except for the last, which takes both.

    Args:
        x: a tensor of real numbers.
        bins: how many bins of equal width, or their edges.
        range: the outermost edges; by default the least and the largest element. Elements outside are not counted.

    Raises:
        ArgumentError: for wrong bins, or a range that is not finite.

    Example:
        >>> edl.histogram([1.0, 2.0, 2.5, 4.0], bins=3)
        (Tensor(shape=(3,), dtype=float32, [1. 2. 1.]), Tensor(shape=(4,), dtype=float32, [1. 2. 3. 4.]))
    """
    x = convert_to_tensor(x)
    if dtypes.is_complex(x.dtype):
        raise DTypeError(
            "histogram", "real numbers are needed, which have an order", f"x is {x.dtype}", "use edl.abs(x)"
        )
    dtype = x.dtype if dtypes.is_inexact(x.dtype) else dtypes.standardize(None)
    xp = devices.module_of(x._array)
    edges = xp.asarray(_bins_of(x._array, bins, range))
    places = edges.searchsorted(x._array.reshape(-1).astype(np.float64), "right") - 1
    m = len(edges) - 1
    places = xp.where(x._array.reshape(-1) == edges[-1], m - 1, places)
    counts = xp.bincount(places[(places >= 0) & (places < m)], None, m)
    return from_array(counts.astype(dtype)), from_array(edges.astype(dtype))


def _digitize_spec(x, bins):
    if bins.ndim != 1:
        raise ShapeError("digitize", "bins are a vector of edges", f"got shape {bins.shape}", "flatten and sort them")
    return Spec(x.shape, dtypes.int32)


@custom(infer=_digitize_spec, tensors=2, promote=dtypes.to_common)
def digitize(x, bins):
    """x (...), bins (m,) -> (...) int32. The number of the bin of each element: i if bins[i - 1] <= x < bins[i].

    Args:
        x: a tensor.
        bins: the edges of the bins, in ascending or descending order (then bins[i - 1] > x >= bins[i]).

    Raises:
        ShapeError: if the bins are not a vector.
        ArgumentError: if they are out of order.

    Example:
        >>> edl.digitize([0.5, 1.0, 9.0], [0.0, 1.0, 2.0])
        Tensor(shape=(3,), dtype=int32, [1 2 3])
    """
    _digitize_spec(x, bins)
    x, bins = comparable(x), comparable(bins)
    if (bins[1:] >= bins[:-1]).all():
        return bins.searchsorted(x, "right").astype(np.int32)
    if not (bins[1:] <= bins[:-1]).all():
        raise ArgumentError("digitize", "bins must rise or fall", f"got {bins.tolist()}", "sort them")
    return (len(bins) - bins[::-1].searchsorted(x, "right")).astype(np.int32)


# -- correlation --------------------------------------------------------------------------------


def corrcoef(x):
    """x (variables, n) -> (variables, variables), floating. Pearson's correlations of the rows; () for a vector.

    Raises:
        ShapeError: for more than two axes, or none.

    Example:
        >>> edl.corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
        Tensor(shape=(2, 2), dtype=float32,
        [[ 1. -1.]
         [-1.  1.]])
    """
    x = floating(x)
    if x.ndim not in (1, 2):
        raise ShapeError(
            "corrcoef", "rows of observations are needed, one per variable", f"x has shape {x.shape}", "reshape it"
        )
    rows = x if x.ndim == 2 else expand_dims(x, 0)
    rows = rows - mean(rows, -1, True)
    covariance = matmul(rows, conj(transpose(rows)))
    size = astype(sqrt(sum(rows * conj(rows), -1)), covariance.dtype)
    out = covariance / (expand_dims(size, 1) * expand_dims(size, 0))
    if not dtypes.is_complex(out.dtype):
        out = where(out > 1, 1, where(out < -1, -1, out))  # what rounding added
    return out if x.ndim == 2 else reshape(out, ())


def _correlate_spec(x1, x2, mode):
    if x1.ndim != 1 or x2.ndim != 1 or not x1.size or not x2.size:
        raise ShapeError("correlate", "two vectors of at least one element are needed", f"x1 {x1.shape}, x2 {x2.shape}",
                         "flatten them, or use edl.conv for batches")  # fmt: skip
    return Spec((_correlate_window(x1.size, x2.size, mode)[1],), x1.dtype)


def _correlate_window(n, m, mode):
    """The part of the full correlation of n with m elements that comes out: its start and its length."""
    longer, shorter = builtins.max(n, m), builtins.min(n, m)
    if mode == "full":
        return 0, n + m - 1
    if mode == "valid":
        return shorter - 1, longer - shorter + 1
    return (m - 1 - m // 2 if n >= m else n // 2), longer


def _correlate_left(g, x1_spec, x2, mode):
    start, length = _correlate_window(x1_spec.size, x2.size, mode)
    full = _put(g, (x1_spec.size + x2.size - 1,), slice(start, start + length))
    return _correlate(full, conj(_get_item(x2, slice(None, None, -1))), "valid")


def _correlate_right(g, x1, x2_spec, mode):
    n, m = x1.size, x2_spec.size
    start, length = _correlate_window(n, m, mode)
    full = _put(g, (n + m - 1,), slice(start, start + length))
    return _correlate(_put(x1, (n + 2 * m - 2,), slice(m - 1, m - 1 + n)), full, "valid")


@bilinear(left=_correlate_left, right=_correlate_right, infer=_correlate_spec, promote=dtypes.to_floating)
def _correlate(x1, x2, mode):
    """x1 (n,), x2 (m,) -> (l,)."""
    dtype = x1.dtype
    if dtype.itemsize == 2:
        x1, x2 = x1.astype(np.float32), x2.astype(np.float32)
    return devices.module_of(x1).correlate(x1, x2, mode).astype(dtype, copy=False)


def correlate(x1, x2, mode="valid"):
    """x1 (n,), x2 (m,) -> (l,), floating. The cross-correlation: out[k] = sum over i of x1[i + k] conj(x2[i]).

    Args:
        x1, x2: vectors.
        mode: "full" gives all n + m - 1 overlaps, "same" the middle max(n, m) of them, "valid" those that
            do not hang over.

    Raises:
        ShapeError: if one is not a vector, or empty.
        ArgumentError: for another mode.

    Example:
        >>> edl.correlate([1.0, 2.0, 3.0], [1.0, 1.0])
        Tensor(shape=(2,), dtype=float32, [3. 5.])
    """
    if mode not in ("valid", "same", "full"):
        raise ArgumentError("correlate", "mode is 'valid', 'same' or 'full'", f"got {mode!r}", "use one of them")
    return _correlate(x1, x2, mode)
