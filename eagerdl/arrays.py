"""From Python and NumPy values to arrays that tensors can hold, with the errors for those that cannot become one."""

import numbers

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.errors import ArgumentError, DTypeError, EagerdlError, ShapeError, translate

PYTHON_SCALARS = (bool, int, float, complex)


def array_of(value, dtype=None, where="convert_to_tensor"):
    """`value` as a NumPy array of a dtype that tensors can hold, or the CuPy array that it is.

    Arrays keep their dtype; Python ints become int32, floats floatx, or `dtype` where it is given.

    Raises:
        DTypeError: for strings, None, objects and dtypes that tensors cannot hold.
        ShapeError: for ragged lists.
        ArgumentError: for integers that do not fit.
    """
    if isinstance(value, devices.ARRAYS):
        return _checked(np.asarray(value), where)
    return value if devices.is_array(value) else _from_python(value, where, dtype)


def _checked(array, where):
    """An array whose dtype tensors can hold, in native byte order."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype in dtypes.ALL:
        return array
    hints = {"O": "make it rectangular and numeric, as in np.asarray(x, dtype='float32')",
             "U": "encode text as integers first", "S": "encode text as integers first",
             "M": "subtract a start and divide by a unit, as in (x - x[0]) / np.timedelta64(1, 's')",
             "m": "divide by a unit, as in x / np.timedelta64(1, 's')"}  # fmt: skip
    hint = hints.get(array.dtype.kind, "convert it to 'float64' or another dtype first")
    raise DTypeError(
        where,
        "an array of numbers or bools is needed",
        f"got an array of dtype {array.dtype}, shape {array.shape}",
        hint,
    )


def _from_python(value, where, dtype=None):
    if isinstance(value, PYTHON_SCALARS):
        return _from_scalar(value, where, dtype)
    if isinstance(value, list | tuple | range):
        return _from_list(value, where, dtype)
    if hasattr(value, "__array__"):
        return _checked(np.asarray(value), where)
    if hasattr(value, "__dlpack__"):
        return _checked(np.from_dlpack(value), where)
    if isinstance(value, numbers.Number):
        return _from_scalar(float(value), where, dtype)
    hint = (
        "encode text as integers first"
        if isinstance(value, str | bytes)
        else "pass a tensor, an array, a number or nested lists of numbers"
    )
    raise DTypeError(where, "a value that can become a tensor is needed", f"got {_short(value)}", hint)


def _from_scalar(value, where, dtype):
    natural = dtypes.standardize(type(value) if type(value) in PYTHON_SCALARS else float) if dtype is None else dtype
    if dtype is not None and isinstance(value, complex) and not dtypes.is_complex(dtype):
        raise DTypeError(
            where, "a complex number needs a complex dtype", f"got {value!r} for {dtype}", "use its .real part"
        )
    try:
        return np.array(value, natural)
    except OverflowError:
        raise ArgumentError(
            where, f"the value must fit into {natural}", f"got {value}", "pass dtype='int64' or a float"
        ) from None


def _from_list(value, where, dtype):
    leaf = _first_leaf(value)
    try:
        array = np.array(value)
        if dtype == dtypes.uint64 and array.dtype == dtypes.float64 and (array >= 2.0**63).any():
            array = np.array(value, dtype)  # ints on both sides of 2**63, which NumPy lets meet in a rounding float
    except (ValueError, TypeError) as error:
        if isinstance(error, EagerdlError):
            raise
        raise ShapeError(where, "nested lists must be rectangular", f"got {_short(value)}: {error}",
                         "pad the rows to one length, or keep them in a list") from None  # fmt: skip
    except OverflowError as error:
        raise translate(where, error, _short(value)) from None
    array = _checked(array, where)
    if array.size and leaf is not None and type(leaf) not in PYTHON_SCALARS:
        return array  # a list of arrays keeps their dtype
    if dtype is not None:
        _check_fits(array, dtype, where)
        return array.astype(dtype)
    if array.dtype == dtypes.float64 and type(leaf) is int and (abs(array) >= 2.0**63).any():
        _refuse_rounded_integers(value, where)
    natural = {"f": dtypes.standardize(None), "i": dtypes.int32, "c": dtypes.complex64, "u": dtypes.int32}.get(
        array.dtype.kind
    )
    if not array.size:
        natural = dtypes.standardize(None)
    if natural is not None:
        _check_fits(array, natural, where)
        array = array.astype(natural)
    return array


def _check_fits(array, dtype, where):
    if dtypes.is_integer(dtype) and array.size and dtypes.is_integer(array.dtype):
        bounds, low, high = np.iinfo(dtype), array.min(), array.max()
        if low < bounds.min or high > bounds.max:
            raise ArgumentError(where, f"all values must fit into {dtype}", f"they reach from {low} to {high}",
                                "pass dtype='int64' or a float dtype")  # fmt: skip


def _refuse_rounded_integers(value, where):
    """Ints on both sides of 2**63, which NumPy lets meet in a float."""
    if all(type(leaf) is int for leaf in np.array(value, object).ravel()):
        raise ArgumentError(where, "all values must fit into int32", "some are larger than 2**63",
                            "pass dtype='uint64' or a float dtype")  # fmt: skip


def _first_leaf(value):
    while isinstance(value, list | tuple | range):
        if not value:
            return None
        value = value[0]
    return value


def _short(value, limit=80):
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= limit else shown[: limit - 3] + '...'}"
