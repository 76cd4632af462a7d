"""New tensors: constants, simple matrices, and arrays of other libraries.

They are made on the current device (``with edl.device(...)``) unless `device=` names one. Nothing here is a primitive:
plain numbers have no gradient. Where a tensor is given (`full`), the result is computed in ops.
"""

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import PYTHON_SCALARS
from eagerdl.errors import AllocationError, ArgumentError, DTypeError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor, to_device
from eagerdl.ops.shape import _integer, broadcast_to, shape_of
from eagerdl.tensor import Tensor, from_array, to_array

__all__ = [
    "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "identity", "ones", "ones_like", "tri",
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


def check_size(where, name, value):
    """A size argument as an int that is not negative."""
    value = _integer(where, name, value)
    if value < 0:
        raise ShapeError(where, "sizes cannot be negative", f"got {name}={value}", "use 0 for an empty tensor")
    return value


# -- constants ------------------------------------------------------------------------------------


def _constant(where, build, shape, dtype, device):
    return allocate(where, device, build, _sizes(where, shape), dtypes.standardize(dtype, where))


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
    return _constant("zeros", _zeros, shape, dtype, device)


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
    return _constant("ones", _ones, shape, dtype, device)


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
    return _constant("empty", _zeros, shape, dtype, device)


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
    return _constant("zeros_like", _zeros, *_like("zeros_like", x, dtype, device))


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
    return _constant("ones_like", _ones, *_like("ones_like", x, dtype, device))


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
    return _constant("empty_like", _zeros, *_like("empty_like", x, dtype, device))


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


# -- matrices -------------------------------------------------------------------------------------


def _matrix(where, name, build, rows, columns, k, dtype, device):
    rows = check_size(where, name, rows)
    columns = rows if columns is None else check_size(where, "M", columns)
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


# -- from others ----------------------------------------------------------------------------------


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
