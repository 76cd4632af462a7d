"""From values to tensors and between dtypes: constant, convert_to_tensor, cast, copy, shape, dtype."""

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.tensor import Tensor, from_array, holds_tensor, to_array
from eagerdl.variable import Variable

__all__ = [
    "array", "asarray", "astype", "cast", "constant", "convert_to_numpy", "convert_to_tensor", "copy", "dtype", "is_tensor",
    "saturate_cast", "shape", "to_device", "view",
]  # fmt: skip


@linear(transpose=lambda g, x: astype(g, x.dtype), infer=lambda x, dtype: Spec(x.shape, dtypes.standardize(dtype)))
def _cast(x, dtype):
    """x (...) of any dtype -> (...) of another floating or complex dtype."""
    if x.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        x = x.real
    return x.astype(dtype)


@custom(infer=lambda x, dtype: Spec(x.shape, dtypes.standardize(dtype)))
def _cast_to_discrete(x, dtype):
    """x (...) of any dtype -> (...) integer or bool, through which no gradient flows."""
    if x.dtype.kind == "c":
        x = x.real
    return x.astype(dtype)


def astype(x, dtype, *, copy=True, device=None):
    """x (...) of any dtype -> (...) of `dtype`; same as `cast`, with the array API's arguments.

    Args:
        x: a tensor.
        dtype: the new dtype.
        copy: accepted for the array API's sake: tensors are values, a copy cannot be told from the original.
        device: the device of the result; that of `x` by default.

    Example:
        >>> edl.astype(edl.constant([1, 2]), "float64")
        Tensor(shape=(2,), dtype=float64, [1. 2.])
    """
    dtype = dtypes.standardize(dtype, "cast")
    x = x if isinstance(x, Tensor) else convert_to_tensor(x)
    if x.dtype != dtype:
        x = (_cast if dtypes.is_inexact(dtype) else _cast_to_discrete)(x, dtype)
    return x if device is None else to_device(x, device)


def cast(x, dtype):
    """x (...) of any dtype -> (...) of `dtype`. Floats are rounded toward zero to integers; complex numbers lose their
    imaginary part.

    Args:
        x: a tensor.
        dtype: the new dtype.

    Raises:
        DTypeError: for a dtype that tensors cannot hold.

    Example:
        >>> edl.cast([1.7, -1.7], "int32")
        Tensor(shape=(2,), dtype=int32, [ 1 -1])
    """
    return astype(x, dtype)


def saturate_cast(x, dtype):
    """x (...) -> (...) of `dtype`, with values outside of its range clipped to it.

    Example:
        >>> edl.saturate_cast([-5.0, 300.0], "uint8")
        Tensor(shape=(2,), dtype=uint8, [  0 255])
    """
    dtype = dtypes.standardize(dtype, "saturate_cast")
    x = convert_to_tensor(x)
    if x.dtype == dtypes.bool_ or dtype == dtypes.bool_ or dtypes.is_complex(dtype):
        return astype(x, dtype)
    low, high = _bounds(dtype)
    if dtypes.is_integer(x.dtype):
        mine = _bounds(x.dtype)
        clipped = from_array(x._array.clip(max(low, mine[0]), min(high, mine[1]))) if dtypes.is_integer(dtype) else x
        return astype(clipped, dtype)
    if dtypes.is_integer(dtype):  # the upper bound may not exist as a float: clip, then repair what rounded beyond it
        with np.errstate(invalid="ignore"):
            inside = np.nan_to_num(x._array.astype("float64")).clip(float(low), float(high))
            out = np.where(inside >= float(high), high, np.where(inside <= float(low), low, inside.astype(dtype)))
        return from_array(out.astype(dtype))
    return astype(x.clip(low, high), dtype) if dtype.itemsize < x.dtype.itemsize else astype(x, dtype)


def _bounds(dtype):
    if dtypes.is_integer(dtype):
        info = np.iinfo(dtype)
        return int(info.min), int(info.max)
    info = dtypes.ml_dtypes.finfo(dtype)
    return float(info.min), float(info.max)


def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """A value as a tensor: tensors as they are, arrays with their dtype, Python ints as int32, floats as floatx.

    Args:
        x: a tensor, array, number or nested lists of them; lists that hold tensors are stacked and keep their gradient.
        dtype: the dtype to convert to.
        sparse, ragged: accepted for Keras' sake; tensors here are dense.

    Raises:
        DTypeError: for strings, None and objects.
        ShapeError: for ragged lists.

    Example:
        >>> edl.convert_to_tensor([[1, 2], [3, 4]]).dtype
        dtype('int32')
    """
    if x.__class__ is Tensor and dtype is None and not sparse and not ragged:
        return x
    if sparse or ragged:
        raise ArgumentError(
            "convert_to_tensor", "tensors are dense", f"got sparse={sparse}, ragged={ragged}", "pad the rows"
        )
    if isinstance(x, Variable):
        x = x.value
    elif not isinstance(x, Tensor):
        x = Tensor._pack(x) if holds_tensor(x) else from_array(to_array(x, dtype, copy=devices.is_array(x)))
    return x if dtype is None or x.dtype == dtypes.standardize(dtype) else astype(x, dtype)


def floating(x):
    """`x` as a tensor that has derivatives: integers and bools become floatx."""
    x = convert_to_tensor(x)
    return x if x.dtype in dtypes.INEXACT_SET else astype(x, dtypes.floatx())


def constant(value, dtype=None, shape=None, name=None):
    """A new tensor with the value: arrays are copied, so that later writes into them change nothing.

    Args:
        value: a number, nested lists of numbers, an array or a tensor.
        dtype: the dtype; by default that of the value, int32 for Python ints, floatx for floats.
        shape: a shape that the value is broadcast or reshaped to.
        name: accepted for TF's sake.

    Example:
        >>> edl.constant(0.5, shape=(2, 2))
        Tensor(shape=(2, 2), dtype=float32,
        [[0.5 0.5]
         [0.5 0.5]])
    """
    x = convert_to_tensor(value, dtype)
    if shape is None:
        return x
    shape = tuple(shape)
    return x.broadcast_to(shape) if x.size == 1 else x.reshape(shape)


def array(x, dtype=None):
    """A new tensor with the value, as NumPy spells `constant`.

    Example:
        >>> edl.array([1.0, 2.0])
        Tensor(shape=(2,), dtype=float32, [1. 2.])
    """
    return convert_to_tensor(x, dtype)


def asarray(obj, dtype=None, *, device=None, copy=None):
    """A value as a tensor, without a copy where it is an array already: later writes into that array show through.

    Args:
        obj: a tensor, array, number or nested lists of them.
        dtype: the dtype to convert to.
        device: where the tensor shall live.
        copy: True always copies, False refuses to, None copies only if it has to.

    Raises:
        ArgumentError: if ``copy=False`` and a copy is needed.

    Example:
        >>> array = np.zeros(2)
        >>> x = edl.asarray(array)
        >>> array[0] = 5.0
        >>> x
        Tensor(shape=(2,), dtype=float64, [5. 0.])
    """
    place = devices.parse(device)
    with devices.device(place):
        if isinstance(obj, Tensor):
            x = convert_to_tensor(obj)
        elif holds_tensor(obj):
            x = Tensor._pack(obj)
        else:
            if copy is False and not devices.is_array(obj) and not hasattr(obj, "__dlpack__"):
                raise ArgumentError(
                    "asarray", "copy=False needs an array", f"got {type(obj).__name__}", "drop copy=False"
                )
            x = from_array(to_array(obj, dtype if not devices.is_array(obj) else None, copy=bool(copy)))
        if dtype is not None and x.dtype != dtypes.standardize(dtype, "asarray"):
            if copy is False:
                raise ArgumentError(
                    "asarray", f"copy=False needs a value of dtype {dtype}", f"got {x.dtype}", "drop copy=False"
                )
            x = astype(x, dtype)
        return x if device is None else to_device(x, place)


def convert_to_numpy(x):
    """x (...) -> a NumPy array of the same shape and dtype, yours to change.

    Example:
        >>> edl.convert_to_numpy(edl.ones((2,)))
        array([1., 1.], dtype=float32)
    """
    return convert_to_tensor(x).numpy()


def is_tensor(x):
    """True for tensors and variables.

    Example:
        >>> edl.is_tensor(edl.ones(1)), edl.is_tensor(np.ones(1))
        (True, False)
    """
    return isinstance(x, Tensor)


def shape(x):
    """The shape of a tensor or array, as a tuple of ints.

    Example:
        >>> edl.shape(edl.ones((2, 3)))
        (2, 3)
    """
    return tuple(x.shape) if hasattr(x, "shape") else convert_to_tensor(x).shape


def dtype(x):
    """The name of the dtype of a tensor or array.

    Example:
        >>> edl.ops.dtype(edl.ones(1))
        'float32'
    """
    return dtypes.standardize(x.dtype).name if hasattr(x, "dtype") else convert_to_tensor(x).dtype.name


@linear(transpose=lambda g: g, infer=lambda x: Spec(x.shape, x.dtype))
def copy(x):
    """x (...) -> (...). A tensor of its own with the same values.

    Example:
        >>> edl.copy(edl.ones(2))
        Tensor(shape=(2,), dtype=float32, [1. 1.])
    """
    return x.copy()


@linear(transpose=lambda g, device: to_device(g, _origin(g)), infer=lambda x, device: Spec(x.shape, x.dtype))
def _move(x, device):
    """x (...) on any device -> (...) on `device`."""
    return devices.move(x, device)


def _origin(g):
    """Where cotangents return to from a move: there are two places only, the CPU and the GPU in use."""
    return devices.CPU if g.device.kind == "gpu" else devices.parse("gpu")


def to_device(x, device, /, *, stream=None):
    """x (...) on any device -> (...) on `device`. Differentiable.

    Example:
        >>> edl.to_device(edl.ones(1), "cpu").device
        cpu:0
    """
    place = devices.parse(device)
    return x if x.device == place else _move(x, place)


@custom(infer=lambda x, dtype: Spec(x.shape, dtype))
def _view(x, dtype):
    """x (..., n) -> the same bytes read as `dtype`."""
    return np.ascontiguousarray(x).view(dtype) if devices.module_of(x) is np else x.view(dtype)


def view(x, dtype=None):
    """x (..., n) -> (..., n * old bytes / new bytes). The same bits read as another dtype; no gradient.

    Raises:
        DTypeError: if the last axis does not hold a whole number of new elements.

    Example:
        >>> edl.view(edl.constant([1.0]), "uint32")
        Tensor(shape=(1,), dtype=uint32, [1065353216])
    """
    x = convert_to_tensor(x)
    if dtype is None:
        return x
    target = dtypes.standardize(dtype, "view")
    last = x.shape[-1] if x.ndim else 1
    if (last * x.itemsize) % target.itemsize or (x.ndim == 0 and target.itemsize != x.itemsize):
        raise DTypeError("view", "the last axis must hold a whole number of new elements",
                         f"x {x.shape} {x.dtype} holds {last * x.itemsize} bytes there, {target} takes {target.itemsize}",
                         "use cast to convert the values")  # fmt: skip
    return _view(x, target)


def to(self, target):
    """The tensor on another device (``"gpu:0"``) or of another dtype (``"float64"``)."""
    name = getattr(target, "name", target)
    if not isinstance(name, str) or name in dtypes.BY_NAME:
        return astype(self, target)
    return to_device(self, target)
