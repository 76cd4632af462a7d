"""Numbers in order: ranges, and numbers spread between two ends."""

import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import PYTHON_SCALARS
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import absolute
from eagerdl.ops.conversion import astype, convert_to_tensor, to_device
from eagerdl.ops.creation import allocate, check_size
from eagerdl.ops.elementary import power
from eagerdl.ops.rounding import floor
from eagerdl.ops.shape import _integer, moveaxis
from eagerdl.tensor import Tensor, from_array, to_array

__all__ = ["arange", "geomspace", "linspace", "logspace"]


def _bound(name, value):
    """An argument of `arange` as a Python number and the dtype it brings, a Python type for weak ones."""
    if value.__class__ in PYTHON_SCALARS:
        kind = int if value.__class__ is bool else value.__class__
    else:
        array = to_array(value, where="arange")
        if array.ndim:
            raise ShapeError("arange", f"{name} is one number", f"got shape {array.shape}", "index or reduce it")
        value, kind = array.item(), array.dtype
    if isinstance(value, complex):
        raise DTypeError("arange", f"{name} is a real number", f"got {value!r}", "combine two ranges with edl.complex")
    return value, kind


def arange(start, stop=None, step=None, dtype=None, *, device=None):
    """() -> (n,). The numbers from `start` (0 if there is just one argument) up to, not including, `stop`.

    Each element is ``start + i * step``, computed in float64 and rounded once.

    Args:
        start: the first number; with one argument the end, as in Python's range.
        stop: where to end, excluded.
        step: the distance, 1 by default; negative counts down.
        dtype: the dtype; by default that in which the arguments meet: int32 for Python ints, floatx for floats.
        device: where to make it; the current device by default.

    Raises:
        ArgumentError: if `step` is 0, an end is not finite, or the numbers do not fit into the dtype.

    Example:
        >>> edl.arange(3), edl.arange(1.0, 2.0, 0.25)
        (Tensor(shape=(3,), dtype=int32, [0 1 2]), Tensor(shape=(4,), dtype=float32, [1.   1.25 1.5  1.75]))
    """
    start, stop = (0, start) if stop is None else (start, stop)
    if step is None and dtype is None and start.__class__ is stop.__class__ is int and 0 <= start <= stop < 2**31:
        return allocate("arange", device, _count, start, stop)
    given = [_bound("start", start), _bound("stop", stop), _bound("step", 1 if step is None else step)]
    (start, _), (stop, _), (step, _) = given
    if dtype is None:
        dtype = dtypes.result_type(*[kind for _, kind in given])
    dtype = dtypes.standardize(dtype, "arange")
    if dtype == dtypes.bool_ or dtypes.is_complex(dtype):
        raise DTypeError("arange", "a range has an integer or floating dtype", f"got {dtype}", "cast it afterwards")
    if step == 0:
        raise ArgumentError(
            "arange", "step cannot be 0", f"got start={start}, stop={stop}", "use edl.full for equal numbers"
        )
    if not all(math.isfinite(value) for value in (start, stop, step)):
        raise ArgumentError(
            "arange",
            "the ends and the step must be finite",
            f"got start={start}, stop={stop}, step={step}",
            "check where they come from",
        )
    whole = all(isinstance(value, int) for value in (start, stop, step))
    count = max(0, -((start - stop) // step) if whole else math.ceil((stop - start) / step))
    if dtypes.is_integer(dtype) and count:
        bounds, ends = np.iinfo(dtype), (start, start + (count - 1) * step)
        if min(ends) < bounds.min or max(ends) > bounds.max:
            raise ArgumentError(
                "arange",
                f"all numbers must fit into {dtype}",
                f"they reach from {ends[0]} to {ends[1]}",
                "pass dtype='int64' or a float dtype",
            )

    return allocate("arange", device, _range, start, count, step, dtype, whole)


def _count(xp, start, stop):
    return xp.arange(start, stop, dtype="int32")


def _range(xp, start, count, step, dtype, whole):
    if not whole or not dtypes.is_integer(dtype):
        return (start + step * xp.arange(count, dtype="float64")).astype(dtype)
    if step == 1 and start == 0 and dtype.itemsize >= 4:
        return xp.arange(count, dtype=dtype)
    # Unsigned arithmetic wraps around: the numbers, which fit into the dtype, come out right whatever is between.
    word = np.dtype("uint64").type
    return (xp.arange(count, dtype="uint64") * word(step % 2**64) + word(start % 2**64)).astype(dtype)


def _ends(where, start, stop, num, dtype):
    """Start and stop as tensors of the dtype to compute in; num as an int; the dtype that shall come out."""
    num = check_size(where, "num", num)
    kinds = [x.__class__ if x.__class__ in PYTHON_SCALARS else convert_to_tensor(x).dtype for x in (start, stop)]
    dtype = dtypes.result_type(*kinds, float) if dtype is None else dtypes.standardize(dtype, where)
    plain = all(kind in PYTHON_SCALARS for kind in kinds)
    if plain:  # plain numbers are computed in double precision and rounded once
        work = dtypes.complex128 if complex in kinds else dtypes.float64
    else:
        work = dtypes.result_type(*kinds, dtype if dtypes.is_inexact(dtype) else dtypes.float64)
    return convert_to_tensor(start, work), convert_to_tensor(stop, work), num, dtype


def _spread(start, stop, num, endpoint):
    """start, stop (...) -> (num, ...): the weights of start and of stop in each sample."""
    parts = max(num - 1 if endpoint else num, 1)
    counts = _counts(start, stop, num)
    xp, dtype = devices.module_of(start._array), dtypes.real_of(start.dtype)
    return [from_array(xp.asarray((part / parts).astype(dtype))) for part in (parts - counts, counts)]


def _counts(start, stop, num):
    """0 to num - 1 along an axis before those of start and stop."""
    return np.arange(num, dtype="float64").reshape((num,) + (1,) * max(start.ndim, stop.ndim))


def _check_broadcast(where, start, stop):
    try:
        np.broadcast_shapes(start.shape, stop.shape)
    except ValueError:
        raise ShapeError(
            where, "start and stop must broadcast", f"start {start.shape}, stop {stop.shape}", "reshape one of them"
        ) from None


def _finished(out, dtype, axis, where, device):
    """Samples along axis 0 of the computing dtype -> along `axis`, in the dtype asked for."""
    if axis not in (0, -out.ndim):
        if not -out.ndim <= axis < out.ndim:
            raise ShapeError(
                where,
                f"axis must name one of the {out.ndim} axes of the result",
                f"got axis={axis}",
                f"allowed are from {-out.ndim} to {out.ndim - 1}",
            )
        out = moveaxis(out, 0, axis)
    if not dtypes.is_inexact(dtype) and where != "linspace":
        out = out * (1 + 1e-12)  # powers that are whole come out some bits low, and would be cut to the number below
    out = astype(out, dtype)
    return out if device is None else to_device(out, device)


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """start (...), stop (...) -> (num, ...). Evenly spaced numbers between both; differentiable by them.

    Args:
        start: the first number(s).
        stop: the last number(s).
        num: how many.
        endpoint: whether `stop` is the last sample; otherwise it would be the next one.
        retstep: whether to return ``(samples, step)``.
        dtype: the dtype; by default the floating one in which start and stop meet; integers are rounded down.
        axis: where the new axis goes.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: if `num` is negative, the shapes do not broadcast or `axis` does not exist.

    Example:
        >>> edl.linspace(0, 1, 5)
        Tensor(shape=(5,), dtype=float32, [0.   0.25 0.5  0.75 1.  ])
    """
    start, stop, num, dtype = _ends("linspace", start, stop, num, dtype)
    _check_broadcast("linspace", start, stop)
    parts = num - 1 if endpoint else num
    if dtypes.is_inexact(dtype):
        down, up = _spread(start, stop, num, endpoint)
        out = start * down + stop * up  # exact at both ends
    else:  # exact wherever the sample is whole, so that rounding down does not lose it
        out = floor(start + (stop - start) * convert_to_tensor(_counts(start, stop, num)) / max(parts, 1))
    out = _finished(out, dtype, _integer("linspace", "axis", axis), "linspace", device)
    if not retstep:
        return out
    step = (stop - start) / parts if parts > 0 else (stop - start) * math.nan
    return out, astype(step, dtype if dtypes.is_inexact(dtype) else dtypes.result_type(float))


def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0, *, device=None):
    """start (...), stop (...) -> (num, ...). ``base`` to the power of evenly spaced numbers.

    Differentiable by start, stop and base.

    Args:
        start: the exponent of the first number.
        stop: the exponent of the last number.
        num: how many.
        endpoint: whether ``base ** stop`` is the last sample; otherwise it would be the next one.
        base: the base, a number or a tensor that broadcasts with start and stop.
        dtype: the dtype; by default the floating one in which start and stop meet.
        axis: where the new axis goes.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: if `num` is negative, the shapes do not broadcast or `axis` does not exist.

    Example:
        >>> edl.logspace(0, 2, 3)
        Tensor(shape=(3,), dtype=float32, [  1.  10. 100.])
    """
    start, stop, num, dtype = _ends("logspace", start, stop, num, dtype)
    _check_broadcast("logspace", start, stop)
    down, up = _spread(start, stop, num, endpoint)
    base = convert_to_tensor(base, None if isinstance(base, Tensor | np.ndarray) else start.dtype)
    return _finished(
        power(base, start * down + stop * up), dtype, _integer("logspace", "axis", axis), "logspace", device
    )


def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0, *, device=None):
    """start (...), stop (...) -> (num, ...). Numbers with a constant ratio between both; differentiable by them.

    The sample at t, from 0 to 1, is ``start ** (1 - t) * stop ** t``, which cannot overflow; for negative numbers on
    their absolute values, for complex ones on the spiral around 0.

    Args:
        start: the first number(s).
        stop: the last number(s).
        num: how many.
        endpoint: whether `stop` is the last sample; otherwise it would be the next one.
        dtype: the dtype; by default the floating one in which start and stop meet.
        axis: where the new axis goes.
        device: where to make it; the current device by default.

    Raises:
        ArgumentError: if an end is 0, or real ends differ in sign.

    Example:
        >>> edl.geomspace(1, 8, 4)
        Tensor(shape=(4,), dtype=float32, [1. 2. 4. 8.])
    """
    start, stop, num, dtype = _ends("geomspace", start, stop, num, dtype)
    _check_broadcast("geomspace", start, stop)
    a, b = start._array, stop._array
    if (a == 0).any() or (b == 0).any():
        raise ArgumentError(
            "geomspace",
            "a constant ratio exists between numbers other than 0 only",
            "start or stop holds a 0",
            "use edl.linspace",
        )
    down, up = _spread(start, stop, num, endpoint)
    if dtypes.is_complex(start.dtype):
        size = absolute(start)
        sign = start / size
        out = sign * (size**down * (stop / sign) ** up)
    else:
        if ((a > 0) != (b > 0)).any():
            raise ArgumentError(
                "geomspace", "real ends must have one sign", "start and stop differ in sign", "make them complex"
            )
        xp = devices.module_of(a)
        sign = from_array(xp.asarray(xp.sign(xp.broadcast_to(a, np.broadcast_shapes(a.shape, b.shape)))))
        out = sign * absolute(start) ** down * absolute(stop) ** up
    return _finished(out, dtype, _integer("geomspace", "axis", axis), "geomspace", device)
