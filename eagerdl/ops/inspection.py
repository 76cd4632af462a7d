"""What the array API standard asks of a namespace: its dtypes, constants, and what it can tell about them.

Source: Python array API standard, 2024.12, data-apis.org/array-api.
"""

import dataclasses
import math

import ml_dtypes
import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import PYTHON_SCALARS
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.tensor import to_array

__all__ = [
    "__array_api_version__", "__array_namespace_info__", "bfloat16", "bool", "can_cast", "complex128", "complex64",
    "e", "finfo", "float16", "float32", "float64", "iinfo", "inf", "int16", "int32", "int64", "int8", "isdtype",
    "nan", "newaxis", "pi", "result_type", "uint16", "uint32", "uint64", "uint8",
]  # fmt: skip

__array_api_version__ = "2024.12"

e, pi, inf, nan, newaxis = math.e, math.pi, math.inf, math.nan, None

bool = dtypes.bool_
int8, int16, int32, int64 = dtypes.SIGNED
uint8, uint16, uint32, uint64 = dtypes.UNSIGNED
bfloat16, float16, float32, float64 = dtypes.FLOATING
complex64, complex128 = dtypes.COMPLEX

KINDS = {
    "bool": (dtypes.bool_,),
    "signed integer": dtypes.SIGNED,
    "unsigned integer": dtypes.UNSIGNED,
    "integral": dtypes.INTEGER,
    "real floating": dtypes.FLOATING,
    "complex floating": dtypes.COMPLEX,
    "numeric": dtypes.INTEGER + dtypes.FLOATING + dtypes.COMPLEX,
}


def isdtype(dtype, kind):
    """True if `dtype` is of a kind.

    Args:
        dtype: a dtype.
        kind: a dtype; or ``'bool'``, ``'signed integer'``, ``'unsigned integer'``, ``'integral'``, ``'real floating'``,
            ``'complex floating'`` or ``'numeric'``; or a tuple of such, of which one has to hold.

    Raises:
        ArgumentError: for a kind that does not exist.

    Example:
        >>> edl.isdtype(edl.float32, "real floating"), edl.isdtype(edl.int8, ("bool", edl.int16))
        (True, False)
    """
    dtype = dtypes.standardize(dtype, "isdtype")
    return any(dtype in _of_kind("isdtype", one) for one in (kind if isinstance(kind, tuple) else (kind,)))


def _of_kind(where, kind):
    """The dtypes of a kind."""
    if isinstance(kind, str):
        found = KINDS.get(kind) or tuple(dtype for dtype in dtypes.ALL if dtype.name == kind)
    else:
        found = (dtypes.standardize(kind, where),)
    if found:
        return found
    allowed = "a kind is a dtype or one of " + ", ".join(map(repr, KINDS))
    raise ArgumentError(where, allowed, f"got {kind!r}", "pick one of them")


def _dtype_of(where, x):
    """The dtype of a tensor, array or dtype; the Python type of a plain number, which is weak."""
    if x.__class__ in PYTHON_SCALARS:
        return x.__class__
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return dtypes.standardize(x.dtype, where)
    return to_array(x, where=where).dtype if isinstance(x, list) else dtypes.standardize(x, where)


def result_type(*arrays_and_dtypes):
    """The dtype in which tensors, arrays, numbers and dtypes meet; Python numbers give way.

    Raises:
        ArgumentError: without arguments.
        DTypeError: for what has no dtype.

    Example:
        >>> edl.result_type(edl.int64, edl.float32), edl.result_type(edl.ones(2, "int8"), 1)
        (dtype('float32'), dtype('int8'))
    """
    if not arrays_and_dtypes:
        raise ArgumentError("result_type", "at least one tensor or dtype is needed", "there are none", "pass some")
    return dtypes.result_type(*[_dtype_of("result_type", x) for x in arrays_and_dtypes])


def can_cast(from_, to, /):
    """True if promotion takes the dtype, or the tensor's dtype, `from_` to the dtype `to`.

    Example:
        >>> edl.can_cast(edl.int8, edl.int32), edl.can_cast(edl.float64, edl.float32)
        (True, False)
    """
    to = dtypes.standardize(to, "can_cast")
    return dtypes.result_type(dtypes.strong(_dtype_of("can_cast", from_)), to) == to


@dataclasses.dataclass(frozen=True)
class FloatInfo:
    """The limits of a floating dtype, as `finfo` gives them."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: np.dtype


@dataclasses.dataclass(frozen=True)
class IntInfo:
    """The limits of an integer dtype, as `iinfo` gives them."""

    bits: int
    max: int
    min: int
    dtype: np.dtype


def finfo(type, /):
    """The limits of a floating dtype: ``bits, eps, max, min, smallest_normal, dtype``.

    For complex dtypes those of their parts.

    Args:
        type: a dtype or a tensor.

    Raises:
        DTypeError: for other dtypes.

    Example:
        >>> edl.finfo("float32").eps, edl.finfo("bfloat16").bits
        (1.1920928955078125e-07, 16)
    """
    dtype = dtypes.real_of(dtypes.strong(_dtype_of("finfo", type)))
    if not dtypes.is_floating(dtype):
        raise DTypeError("finfo", "a floating or complex dtype is needed", f"got {dtype}", "use edl.iinfo for integers")
    found = ml_dtypes.finfo(dtype)
    return FloatInfo(
        dtype.itemsize * 8, float(found.eps), float(found.max), float(found.min), float(found.smallest_normal), dtype
    )


def iinfo(type, /):
    """The limits of an integer dtype: ``bits, max, min, dtype``.

    Args:
        type: a dtype or a tensor.

    Raises:
        DTypeError: for other dtypes.

    Example:
        >>> edl.iinfo("int8").max
        127
    """
    dtype = dtypes.strong(_dtype_of("iinfo", type))
    if not dtypes.is_integer(dtype):
        raise DTypeError("iinfo", "an integer dtype is needed", f"got {dtype}", "use edl.finfo for floats")
    found = np.iinfo(dtype)
    return IntInfo(found.bits, int(found.max), int(found.min), dtype)


class NamespaceInfo:
    """What this namespace can do, for programs that serve several array libraries.

    Example:
        >>> edl.__array_namespace_info__().default_dtypes()["real floating"]
        dtype('float32')
    """

    def capabilities(self):
        """Which optional parts of the standard work, and how many axes a tensor may have."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self):
        """The device on which tensors are made now."""
        return devices.current()

    def devices(self):
        """The devices of this machine, the CPU first."""
        return devices.list_devices()

    def default_dtypes(self, *, device=None):
        """The dtypes that come where none is asked for, by kind.

        Args:
            device: a device; all have the same.
        """
        devices.parse(device)
        floating = dtypes.standardize(None)
        return {
            "real floating": floating,
            "complex floating": dtypes.complex_of(floating),
            "integral": int32,
            "indexing": int32,
        }

    def dtypes(self, *, device=None, kind=None):
        """The dtypes of the standard, by name; it does not know of float16 and bfloat16, which tensors can have too.

        Args:
            device: a device; all have the same.
            kind: as in `isdtype`; None for all.
        """
        devices.parse(device)
        found = {dtype.name: dtype for dtype in dtypes.ALL if dtype not in (bfloat16, float16)}
        return found if kind is None else {name: dtype for name, dtype in found.items() if isdtype(dtype, kind)}


def __array_namespace_info__():
    """An object that tells what the namespace can do: capabilities, devices, dtypes and their defaults.

    Example:
        >>> sorted(edl.__array_namespace_info__().dtypes(kind="signed integer"))
        ['int16', 'int32', 'int64', 'int8']
    """
    return NamespaceInfo()
