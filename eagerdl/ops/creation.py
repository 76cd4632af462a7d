"""New tensors: constants, ranges, grids, windows, and arrays of other libraries.

They are made on the current device (``with edl.device(...)``) unless `device=` names one. Nothing here is a primitive:
plain numbers have no gradient. Where a tensor is given (`full`, `linspace`, ...), the result is computed in ops.
"""

import functools
import math
import re

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import PYTHON_SCALARS
from eagerdl.errors import AllocationError, ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import absolute
from eagerdl.ops.conversion import astype, convert_to_tensor, to_device
from eagerdl.ops.elementary import power
from eagerdl.ops.joining import unstack
from eagerdl.ops.rounding import floor
from eagerdl.ops.shape import _integer, broadcast_to, moveaxis, reshape, shape_of, stack
from eagerdl.tensor import Tensor, from_array, to_array

__all__ = [
    "arange", "bartlett", "blackman", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "geomspace",
    "hamming", "hanning", "identity", "kaiser", "linspace", "logspace", "ones", "ones_like", "tri", "vectorize",
    "zeros", "zeros_like",
]  # fmt: skip


def allocate(where, device, build, *args):
    """The tensor around ``build(array module, *args)`` on `device` (None is the current one).

    Raises:
        AllocationError: if the array does not fit into memory.
    """
    place = devices.current() if device is None else devices.parse(device)
    try:
        if place is devices.CPU:
            return from_array(build(np, *args))
        with devices.on(place):
            return from_array(build(devices.module_for(place), *args))
    except (MemoryError, ValueError) as error:  # NumPy raises ValueError where even the number of bytes overflows
        failure = error
    came = f"asked for {', '.join(map(str, args))}: {failure}"
    raise AllocationError(where, "the result has to fit into memory", came, "use smaller shapes or a smaller dtype")


def _zeros(xp, shape, dtype):
    return xp.zeros(shape, dtype)


def _ones(xp, shape, dtype):
    return xp.ones(shape, dtype)


def _filled(xp, shape, dtype, value):
    return xp.full(shape, value, dtype)


def _sizes(where, shape):
    """A shape argument as a tuple of ints that an array can have."""
    for n in shape if shape.__class__ is tuple else (None,):
        if n.__class__ is not int:
            shape = shape_of(where, shape)
            break
    if shape and min(shape) < 0:
        raise ShapeError(where, "sizes cannot be negative", f"got shape={shape}", "use 0 for an empty tensor")
    return shape


def _size(where, name, value):
    """A size argument as an int that is not negative."""
    value = _integer(where, name, value)
    if value < 0:
        raise ShapeError(where, "sizes cannot be negative", f"got {name}={value}", "use 0 for an empty tensor")
    return value


# -- constants ----------------------------------------------------------------------------------


def zeros(shape, dtype=None, *, device=None):
    """() -> shape. Zeros.

    Args:
        shape: an int or a sequence of ints.
        dtype: the dtype, floatx by default.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: for negative sizes.
        AllocationError: if it does not fit into memory.

    Example:
        >>> edl.zeros((2, 3))
        Tensor(shape=(2, 3), dtype=float32,
        [[0. 0. 0.]
         [0. 0. 0.]])
    """
    shape, dtype = _sizes("zeros", shape), dtypes.standardize(dtype, "zeros")
    return allocate("zeros", device, _zeros, shape, dtype)


def ones(shape, dtype=None, *, device=None):
    """() -> shape. Ones.

    Args:
        shape: an int or a sequence of ints.
        dtype: the dtype, floatx by default.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: for negative sizes.
        AllocationError: if it does not fit into memory.

    Example:
        >>> edl.ones(3, "int32")
        Tensor(shape=(3,), dtype=int32, [1 1 1])
    """
    shape, dtype = _sizes("ones", shape), dtypes.standardize(dtype, "ones")
    return allocate("ones", device, _ones, shape, dtype)


def empty(shape, dtype=None, *, device=None):
    """() -> shape. A tensor whose values do not matter; they are zeros, so that every run gives the same bits.

    Args:
        shape: an int or a sequence of ints.
        dtype: the dtype, floatx by default.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: for negative sizes.
        AllocationError: if it does not fit into memory.

    Example:
        >>> edl.empty((2, 0)).shape
        (2, 0)
    """
    shape, dtype = _sizes("empty", shape), dtypes.standardize(dtype, "empty")
    return allocate("empty", device, _zeros, shape, dtype)


def full(shape, fill_value, dtype=None, *, device=None):
    """fill_value (...) -> shape. One value everywhere. Differentiable by `fill_value`, where that is a tensor.

    Args:
        shape: an int or a sequence of ints.
        fill_value: a number, or a tensor that broadcasts to `shape`.
        dtype: the dtype; by default that of the value: int32 for Python ints, floatx for floats.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: for negative sizes, or a value that does not broadcast to `shape`.
        AllocationError: if it does not fit into memory.

    Example:
        >>> edl.full((2, 2), 7)
        Tensor(shape=(2, 2), dtype=int32,
        [[7 7]
         [7 7]])
    """
    return _full("full", _sizes("full", shape), fill_value, dtype, device)


def _full(where, shape, fill_value, dtype, device):
    dtype = None if dtype is None else dtypes.standardize(dtype, where)
    if fill_value.__class__ in PYTHON_SCALARS:
        if dtype is None or not dtypes.is_floating(dtype) or fill_value.__class__ is complex:
            dtype = to_array(fill_value, dtype, where=where).dtype  # refuses what does not fit
        return allocate(where, device, _filled, shape, dtype, fill_value)
    place = devices.parse(device)
    with devices.device(place):
        x = convert_to_tensor(fill_value, dtype)
        return broadcast_to(x if x.device == place else to_device(x, place), shape)


def _like(where, x, dtype, device):
    """Shape, dtype and device of a new tensor that shall be like `x`."""
    if not isinstance(x, Tensor):
        x = convert_to_tensor(x)
    return (
        x.shape,
        x.dtype if dtype is None else dtypes.standardize(dtype, where),
        x.device if device is None else device,
    )


def zeros_like(x, dtype=None, *, device=None):
    """x (...) -> (...). Zeros with the shape, dtype and device of x.

    Args:
        x: a tensor.
        dtype: another dtype.
        device: another device.

    Example:
        >>> edl.zeros_like([1, 2])
        Tensor(shape=(2,), dtype=int32, [0 0])
    """
    shape, dtype, place = _like("zeros_like", x, dtype, device)
    return allocate("zeros_like", place, _zeros, shape, dtype)


def ones_like(x, dtype=None, *, device=None):
    """x (...) -> (...). Ones with the shape, dtype and device of x.

    Args:
        x: a tensor.
        dtype: another dtype.
        device: another device.

    Example:
        >>> edl.ones_like([1, 2])
        Tensor(shape=(2,), dtype=int32, [1 1])
    """
    shape, dtype, place = _like("ones_like", x, dtype, device)
    return allocate("ones_like", place, _ones, shape, dtype)


def empty_like(x, dtype=None, *, device=None):
    """x (...) -> (...). A tensor like x, whose values do not matter; they are zeros.

    Args:
        x: a tensor.
        dtype: another dtype.
        device: another device.

    Example:
        >>> edl.empty_like([1, 2]).shape
        (2,)
    """
    shape, dtype, place = _like("empty_like", x, dtype, device)
    return allocate("empty_like", place, _zeros, shape, dtype)


def full_like(x, fill_value, dtype=None, *, device=None):
    """x (...) -> (...). One value everywhere, with the shape, dtype and device of x.

    Args:
        x: a tensor.
        fill_value: a number, or a tensor that broadcasts to the shape of x; it is cast to the dtype.
        dtype: another dtype.
        device: another device.

    Raises:
        ShapeError: if the value does not broadcast to the shape of x.

    Example:
        >>> edl.full_like([1.0, 2.0], 7)
        Tensor(shape=(2,), dtype=float32, [7. 7.])
    """
    shape, dtype, place = _like("full_like", x, dtype, device)
    return _full("full_like", shape, fill_value, dtype, place)


# -- matrices -----------------------------------------------------------------------------------


def _matrix(where, name, build, rows, columns, k, dtype, device):
    rows = _size(where, name, rows)
    columns = rows if columns is None else _size(where, "M", columns)
    k, dtype = _integer(where, "k", k), dtypes.standardize(dtype, where)
    return allocate(where, device, build, rows, columns, k, dtype)


def _eye(xp, rows, columns, k, dtype):
    return xp.eye(rows, columns, k, dtype)


def _tri(xp, rows, columns, k, dtype):
    return xp.tri(rows, columns, k, dtype)


def eye(N, M=None, k=0, dtype=None, *, device=None):
    """() -> (N, M). Ones on a diagonal, zeros elsewhere.

    Args:
        N: how many rows.
        M: how many columns; N by default.
        k: which diagonal: 0 the main one, positive above, negative below.
        dtype: the dtype, floatx by default.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: for negative sizes.
        DTypeError: for sizes that are no integers.

    Example:
        >>> edl.eye(2, 3, k=1)
        Tensor(shape=(2, 3), dtype=float32,
        [[0. 1. 0.]
         [0. 0. 1.]])
    """
    return _matrix("eye", "N", _eye, N, M, k, dtype, device)


def identity(n, dtype=None, *, device=None):
    """() -> (n, n). The identity matrix.

    Args:
        n: how many rows and columns.
        dtype: the dtype, floatx by default.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: for a negative size.

    Example:
        >>> edl.identity(2)
        Tensor(shape=(2, 2), dtype=float32,
        [[1. 0.]
         [0. 1.]])
    """
    return _matrix("identity", "n", _eye, n, None, 0, dtype, device)


def tri(N, M=None, k=0, dtype=None, *, device=None):
    """() -> (N, M). Ones on and below a diagonal, zeros above.

    Args:
        N: how many rows.
        M: how many columns; N by default.
        k: which diagonal: 0 the main one, positive above, negative below.
        dtype: the dtype, floatx by default.
        device: where to make it; the current device by default.

    Raises:
        ShapeError: for negative sizes.

    Example:
        >>> edl.tri(2, 3)
        Tensor(shape=(2, 3), dtype=float32,
        [[1. 0. 0.]
         [1. 1. 0.]])
    """
    return _matrix("tri", "N", _tri, N, M, k, dtype, device)


# -- ranges -------------------------------------------------------------------------------------


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
    num = _size(where, "num", num)
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


# -- windows ------------------------------------------------------------------------------------


def _window(where, x, *options):
    count, dtype = _size(where, "x", x), dtypes.standardize(None)
    return allocate(where, None, lambda xp, n: getattr(xp, where)(n, *options).astype(dtype), count)


def bartlett(x):
    """x, an int -> (x,) floatx. The Bartlett window: a triangle that is 0 at both ends.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.bartlett(5)
        Tensor(shape=(5,), dtype=float32, [0.  0.5 1.  0.5 0. ])

    Source: Bartlett, 1950, "Periodogram Analysis and Continuous Spectra", Biometrika 37.
    """
    return _window("bartlett", x)


def blackman(x):
    """x, an int -> (x,) floatx. The Blackman window: ``0.42 - 0.5 cos(2 pi i / (x-1)) + 0.08 cos(4 pi i / (x-1))``.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.round(edl.blackman(5), 2)
        Tensor(shape=(5,), dtype=float32, [-0.    0.34  1.    0.34 -0.  ])

    Source: Blackman & Tukey, 1958, "The Measurement of Power Spectra".
    """
    return _window("blackman", x)


def hamming(x):
    """x, an int -> (x,) floatx. The Hamming window: ``0.54 - 0.46 cos(2 pi i / (x-1))``.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.hamming(3)
        Tensor(shape=(3,), dtype=float32, [0.08 1.   0.08])

    Source: Blackman & Tukey, 1958, "The Measurement of Power Spectra".
    """
    return _window("hamming", x)


def hanning(x):
    """x, an int -> (x,) floatx. The window of von Hann: ``0.5 - 0.5 cos(2 pi i / (x-1))``.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.hanning(5)
        Tensor(shape=(5,), dtype=float32, [0.  0.5 1.  0.5 0. ])

    Source: Blackman & Tukey, 1958, "The Measurement of Power Spectra".
    """
    return _window("hanning", x)


def kaiser(x, beta):
    """x, an int -> (x,) floatx. The Kaiser window: ``i0(beta sqrt(1 - t^2)) / i0(beta)`` for t from -1 to 1.

    Args:
        x: how many samples.
        beta: the shape: 0 is a rectangle, 5 near Hamming, 6 near von Hann, 8.6 near Blackman.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.kaiser(3, 0.0)
        Tensor(shape=(3,), dtype=float32, [1. 1. 1.])

    Source: Kaiser, 1974, "Nonrecursive Digital Filter Design Using the I0-sinh Window Function".
    """
    return _window("kaiser", x, float(beta))


# -- from others --------------------------------------------------------------------------------


def from_dlpack(x, /, *, device=None, copy=None):
    """x: an array of another library -> a tensor that shares its memory, through the DLPack protocol.

    Later writes into `x` show through, unless it was copied.

    Args:
        x: an object with ``__dlpack__``, such as a PyTorch tensor or a CuPy array.
        device: where the tensor shall live; where `x` lives by default.
        copy: True always copies, False refuses to, None copies only if `device` asks for it.

    Raises:
        DTypeError: for objects without ``__dlpack__``, and dtypes that NumPy does not know.
        ArgumentError: if ``copy=False`` and the device differs.

    Example:
        >>> edl.from_dlpack(np.arange(3))
        Tensor(shape=(3,), dtype=int64, [0 1 2])
    """
    if isinstance(x, Tensor):
        array = x._array
    else:
        array = _import("from_dlpack", x)
    if array.dtype not in dtypes.ALL:
        raise DTypeError(
            "from_dlpack", "a dtype that tensors can hold is needed", f"got {array.dtype}", "convert it before"
        )
    here = devices.device_of(array)
    place = here if device is None else devices.parse(device)
    if copy is False and place != here:
        raise ArgumentError(
            "from_dlpack", f"copy=False needs an array on {place}", f"it lives on {here}", "drop copy=False"
        )
    array = devices.move(array, place)
    return from_array(array.copy() if copy and place == here else array)


def _import(where, x):
    if not hasattr(x, "__dlpack__"):
        raise DTypeError(where, "an object with __dlpack__ is needed", f"got {type(x).__name__}", "use edl.asarray")
    kind = x.__dlpack_device__()[0]
    try:
        return np.from_dlpack(x) if kind == 1 else devices.cupy().from_dlpack(x)  # 1 is the CPU in DLPack's numbering
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        hint = (
            "detach it first"
            if "grad" in str(error)
            else "convert it to a dtype of NumPy first, as float32 for bfloat16"
        )
        raise DTypeError(
            where,
            "an array that DLPack can hand over is needed",
            f"got {type(x).__name__} of dtype {getattr(x, 'dtype', '?')}: {error}",
            hint,
        ) from None


# -- functions of elements ----------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _core_axes(signature):
    """``"(m,n),(n)->(m)"`` as the names of the core axes of each input and each output."""
    groups = r"\([\w,\s]*\)(?:,\s*\([\w,\s]*\))*"
    text = re.sub(r"\s+", "", signature)
    if not re.fullmatch(f"{groups}->{groups}", text):
        raise ArgumentError(
            "vectorize",
            "a signature names the core axes of inputs and outputs",
            f"got {signature!r}",
            "write it as in '(m,n),(n)->(m)'",
        )
    return tuple(
        tuple(tuple(filter(None, group.split(","))) for group in re.findall(r"\(([^)]*)\)", side))
        for side in text.split("->")
    )


def vectorize(pyfunc, *, excluded=None, signature=None):
    """pyfunc: a function of elements -> a function of tensors, which loops over their broadcast leading axes in Python.

    It is a convenience, not fast; whatever is made of ops broadcasts without it. The result is differentiable.

    Args:
        pyfunc: takes and returns tensors of shape (), or of the core shapes of `signature`; it may return a tuple.
        excluded: the positions of arguments that are passed as they are; keyword arguments always are.
        signature: the core axes of inputs and outputs, as in ``"(m,n),(n)->(m)"``.

    Raises:
        ArgumentError: if `pyfunc` cannot be called, or the signature cannot be read or does not fit.
        ShapeError: if core sizes disagree, leading axes do not broadcast, or there is no element.

    Example:
        >>> f = edl.vectorize(lambda a, b: a - b if a > b else a + b)
        >>> f([1, 2, 3, 4], 2)
        Tensor(shape=(4,), dtype=int32, [3 4 1 2])
    """
    where = "vectorize"
    if not callable(pyfunc):
        raise ArgumentError(where, "pyfunc is a function", f"got {pyfunc!r}", "pass the function itself")
    excluded = frozenset(excluded or ())
    cores = None if signature is None else _core_axes(signature)

    @functools.wraps(pyfunc, updated=())
    def vectorized(*args, **kwargs):
        places = [i for i in range(len(args)) if i not in excluded]
        tensors = [convert_to_tensor(args[i]) for i in places]
        inputs = cores[0] if cores else ((),) * len(tensors)
        if len(inputs) != len(tensors):
            raise ArgumentError(
                where, f"the signature {signature!r} names {len(inputs)} inputs", f"got {len(tensors)}", "give as many"
            )
        batch = _leading_shape(where, tensors, inputs)
        count = math.prod(batch)
        if count == 0:
            raise ShapeError(
                where,
                "at least one element is needed to know what the function gives",
                f"the arguments broadcast to {batch}",
                "treat empty tensors apart",
            )
        columns = []
        for x, core in zip(tensors, inputs, strict=True):
            inner = x.shape[x.ndim - len(core) :]
            columns.append(unstack(reshape(broadcast_to(x, batch + inner), (count, *inner))))
        results = []
        for elements in zip(*columns, strict=True):
            values = list(args)
            for i, element in zip(places, elements, strict=True):
                values[i] = element
            results.append(pyfunc(*values, **kwargs))
        if isinstance(results[0], tuple):
            return tuple(_gathered(list(column), batch) for column in zip(*results, strict=True))
        return _gathered(results, batch)

    return vectorized


def _leading_shape(where, tensors, inputs):
    """The broadcast shape of what stands before the core axes; checks that core axes of one name have one size."""
    sizes, leading = {}, []
    for i, (x, core) in enumerate(zip(tensors, inputs, strict=True)):
        if x.ndim < len(core):
            raise ShapeError(
                where, f"argument {i} needs the core axes ({', '.join(core)})", f"got shape {x.shape}", "add axes"
            )
        split = x.ndim - len(core)
        leading.append(x.shape[:split])
        for name, n in zip(core, x.shape[split:], strict=True):
            if sizes.setdefault(name, n) != n:
                raise ShapeError(
                    where,
                    f"core axis {name} must have one size",
                    f"got {sizes[name]} and {n} (argument {i})",
                    "check the signature",
                )
    try:
        return np.broadcast_shapes(*leading)
    except ValueError:
        raise ShapeError(
            where, "the leading axes must broadcast", f"got {', '.join(map(str, leading))}", "reshape one"
        ) from None


def _gathered(values, batch):
    """The results of all elements as one tensor."""
    out = stack(values)
    return reshape(out, batch + out.shape[1:])
