"""Running sums and products."""

import builtins
import math

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.autograd.primitive import zeros_like
from eagerdl.errors import ShapeError
from eagerdl.ops.arithmetic import conj
from eagerdl.ops.conversion import astype, convert_to_tensor
from eagerdl.ops.reduction import replace_nans, sum, sum_dtype
from eagerdl.ops.shape import concatenate, expand_dims, normalize_axis, reshape, stack, transpose

__all__ = ["cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "nancumprod", "nancumsum", "trapezoid"]

WIDE = 256  # elements of a row, from which on running sums go row by row


def _lines(x, axis, start=None, stop=None, step=None):
    """x with `axis` sliced."""
    return x[(slice(None),) * axis + (slice(start, stop, step),)]


def _running_dtype(dtype):
    """Bools are counted in int32; other dtypes stay."""
    return dtypes.int32 if dtype == dtypes.bool_ else dtype


def _running_spec(where):
    return lambda x, axis, reverse=False: (normalize_axis(where, axis, x.ndim), Spec(x.shape, _running_dtype(x.dtype)))[
        1
    ]


def _accumulate(ufunc, method, x, axis):
    """A running sum or product; 16-bit floats run in float32."""
    dtype = np.dtype(np.float32) if x.dtype in (dtypes.float16, dtypes.bfloat16) else _running_dtype(x.dtype)
    if x.__class__ is not np.ndarray:
        out = getattr(x, method)(axis, dtype)
    elif x.size and math.prod(x.shape[axis % x.ndim + 1 :]) >= WIDE:
        out = _by_rows(ufunc, x, axis % x.ndim, dtype)
    else:
        out = ufunc.accumulate(x, axis, dtype)
    return out if dtype == _running_dtype(x.dtype) else out.astype(x.dtype)


def _by_rows(ufunc, x, axis, dtype):
    """The same, one row after the other: NumPy goes along each column, which takes long where rows are long."""
    out, lead = np.empty(x.shape, dtype), (slice(None),) * axis
    out[(*lead, 0)] = x[(*lead, 0)]
    for i in builtins.range(1, x.shape[axis]):
        ufunc(out[(*lead, i - 1)], x[(*lead, i)], out=out[(*lead, i)])
    return out


@linear(transpose=lambda g, axis, reverse: _cumsum(g, axis, not reverse), infer=_running_spec("cumsum"))
def _cumsum(x, axis, reverse=False):
    """x (..., n, ...) -> (..., n, ...). The running sum, from the end if `reverse`."""
    if not reverse:
        return _accumulate(np.add, "cumsum", x, axis)
    return _lines(_accumulate(np.add, "cumsum", _lines(x, axis, step=-1), axis), axis, step=-1)


def _before(out, axis):
    """The running product without the element itself: 1, out[0], out[1], ..."""
    first = _lines(out, axis, stop=1)
    return concatenate([zeros_like(first) + 1, _lines(out, axis, stop=-1)], axis)


def _recurrence(a, b):
    """a (..., n), b (..., n) -> (..., n): s[k] = a[k] s[k-1] + b[k], with s[-1] = 0.

    Elements 2k and 2k + 1 together are one step of the same form, so half as many steps give the odd elements, and
    those give the even ones: log2(n) rounds of whole-array arithmetic (Blelloch, 1990, "Prefix sums and their
    applications").
    """
    n = b.shape[-1]
    if n < 2:
        return b
    even_a, even_b, odd_a, odd_b = a[..., 0::2], b[..., 0::2], a[..., 1::2], b[..., 1::2]
    half = n // 2
    odd = _recurrence(odd_a * even_a[..., :half], odd_a * even_b[..., :half] + odd_b)
    even = concatenate([even_b[..., :1], even_a[..., 1:] * odd[..., : even_b.shape[-1] - 1] + even_b[..., 1:]], -1)
    pairs = reshape(stack([even[..., :half], odd], -1), (*b.shape[:-1], 2 * half))
    return concatenate([pairs, even[..., half:]], -1) if n % 2 else pairs


def _recurrence_along(a, b, axis):
    order = (*[i for i in builtins.range(b.ndim) if i != axis], axis)
    if axis == b.ndim - 1:
        return _recurrence(a, b)
    return transpose(
        _recurrence(transpose(a, order), transpose(b, order)), tuple(order.index(i) for i in builtins.range(b.ndim))
    )


def _cumprod_vjp(g, out, x, axis):
    """The total cotangent of each running product is s[k] = g[k] + x[k+1] s[k+1]; no division, so zeros do no harm."""
    axis %= x.ndim
    if not x.shape[axis]:
        return g
    x, before = conj(x), conj(_before(out, axis))
    following = concatenate([_lines(x, axis, start=1), zeros_like(_lines(x, axis, stop=1))], axis)
    total = _lines(_recurrence_along(_lines(following, axis, step=-1), _lines(g, axis, step=-1), axis), axis, step=-1)
    return total * before


def _cumprod_jvp(out, inputs, tangents, params):
    (x,), (t,), (axis,) = inputs, tangents, params
    axis %= x.ndim
    return _recurrence_along(x, _before(out, axis) * t, axis) if x.shape[axis] else t


@custom(vjp=_cumprod_vjp, jvp=_cumprod_jvp, infer=_running_spec("cumprod"))
def _cumprod(x, axis):
    """x (..., n, ...) -> (..., n, ...). The running product."""
    return _accumulate(np.multiply, "cumprod", x, axis)


def _prepared(where, x, axis, dtype):
    """The arguments of a running op: the tensor in `dtype`, flattened if there is no axis."""
    x = convert_to_tensor(x) if dtype is None else astype(x, dtype)
    if axis is None:
        return reshape(x, (-1,)) if x.ndim != 1 else x, 0
    return x, normalize_axis(where, axis, x.ndim)


def cumsum(x, axis=None, dtype=None):
    """x (..., n, ...) -> (..., n, ...). The running sum along `axis`; of the flattened tensor without one.

    Args:
        x: a tensor; bools are counted in int32.
        axis: along which to sum.
        dtype: the dtype in which to sum.

    Raises:
        ShapeError: if the axis does not exist.

    Example:
        >>> edl.cumsum([1.0, 2.0, 3.0])
        Tensor(shape=(3,), dtype=float32, [1. 3. 6.])
    """
    return _cumsum(*_prepared("cumsum", x, axis, dtype), False)


def cumprod(x, axis=None, dtype=None):
    """x (..., n, ...) -> (..., n, ...). The running product along `axis`; of the flattened tensor without one.

    Its derivatives are right at zeros too.

    Args:
        x: a tensor; bools are multiplied in int32.
        axis: along which to multiply.
        dtype: the dtype in which to multiply.

    Raises:
        ShapeError: if the axis does not exist.

    Example:
        >>> edl.cumprod([1.0, 2.0, 3.0])
        Tensor(shape=(3,), dtype=float32, [1. 2. 6.])
    """
    return _cumprod(*_prepared("cumprod", x, axis, dtype))


def nancumsum(x, axis=None, dtype=None):
    """x (..., n, ...) -> (..., n, ...). The running sum along `axis`, with NaNs as 0.

    Example:
        >>> edl.nancumsum([1.0, np.nan, 3.0])
        Tensor(shape=(3,), dtype=float32, [1. 1. 4.])
    """
    return cumsum(replace_nans(x, 0)[0], axis, dtype)


def nancumprod(x, axis=None, dtype=None):
    """x (..., n, ...) -> (..., n, ...). The running product along `axis`, with NaNs as 1.

    Example:
        >>> edl.nancumprod([2.0, np.nan, 3.0])
        Tensor(shape=(3,), dtype=float32, [2. 2. 6.])
    """
    return cumprod(replace_nans(x, 1)[0], axis, dtype)


def _cumulative(where, running, x, axis, dtype, include_initial, initial):
    x = convert_to_tensor(x)
    if axis is None:
        if x.ndim != 1:
            raise ShapeError(where, "without an axis a vector is needed", f"x has shape {x.shape}", "pass axis=")
        axis = 0
    axis = normalize_axis(where, axis, x.ndim)
    x = astype(x, sum_dtype(x.dtype) if dtype is None else dtype)
    out = running(x, axis)
    if not include_initial:
        return out
    first = zeros_like(Spec((*x.shape[:axis], 1, *x.shape[axis + 1 :]), out.dtype)).to(out.device)
    return concatenate([first + initial, out], axis)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """x (..., n, ...) -> (..., n, ...), or n + 1 with the initial 0. The running sum, `cumsum` in the array API.

    Args:
        x: a tensor; small integers and bools are summed as int32 or uint32.
        axis: along which to sum; may be left out for vectors.
        dtype: the dtype in which to sum.
        include_initial: whether the result begins with 0.

    Raises:
        ShapeError: without an axis, if x is no vector; or if the axis does not exist.

    Example:
        >>> edl.cumulative_sum([1.0, 2.0], include_initial=True)
        Tensor(shape=(3,), dtype=float32, [0. 1. 3.])
    """
    return _cumulative("cumulative_sum", lambda x, axis: _cumsum(x, axis, False), x, axis, dtype, include_initial, 0)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """x (..., n, ...) -> (..., n, ...), or n + 1 with the initial 1. The running product, `cumprod` in the array API.

    Args:
        x: a tensor; small integers and bools are multiplied as int32 or uint32.
        axis: along which to multiply; may be left out for vectors.
        dtype: the dtype in which to multiply.
        include_initial: whether the result begins with 1.

    Raises:
        ShapeError: without an axis, if x is no vector; or if the axis does not exist.

    Example:
        >>> edl.cumulative_prod([2.0, 3.0], include_initial=True)
        Tensor(shape=(3,), dtype=float32, [1. 2. 6.])
    """
    return _cumulative("cumulative_prod", _cumprod, x, axis, dtype, include_initial, 1)


def trapezoid(y, x=None, dx=1.0, axis=-1):
    """y (..., n, ...) -> (...), floating. The integral of samples by the trapezoidal rule.

    Args:
        y: the samples.
        x: where they were taken: a vector of n places, or the shape of y; by default they are `dx` apart.
        dx: the distance between samples, if there is no x.
        axis: along which to integrate.

    Raises:
        ShapeError: if the axis does not exist, or x has another size along it.

    Example:
        >>> edl.trapezoid([1.0, 2.0, 3.0], x=[0.0, 1.0, 3.0])
        Tensor(shape=(), dtype=float32, 6.5)
    """
    y = convert_to_tensor(y)
    y = y if dtypes.is_inexact(y.dtype) else astype(y, dtypes.floatx())
    axis = normalize_axis("trapezoid", axis, y.ndim)
    if x is not None:
        x = convert_to_tensor(x)
        along = 0 if x.ndim == 1 else axis - y.ndim + x.ndim
        if x.ndim == 0 or along < 0 or x.shape[along] != y.shape[axis]:
            raise ShapeError("trapezoid", f"x must have the size of y along axis {axis}", f"y {y.shape}, x {x.shape}",
                             "pass one place per sample")  # fmt: skip
        dx = _lines(x, along, start=1) - _lines(x, along, stop=-1)
        if x.ndim == 1 and axis != y.ndim - 1:
            dx = expand_dims(dx, tuple(builtins.range(1, y.ndim - axis)))
    heights = (_lines(y, axis, start=1) + _lines(y, axis, stop=-1)) * 0.5
    return sum(heights * dx, axis)
