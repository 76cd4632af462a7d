"""What users pass as data, as structures of arrays with rows, and batches as structures of tensors."""

import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import PYTHON_SCALARS, array_of
from eagerdl.data.arrays import SparseRows
from eagerdl.data.structure import HELD, leaf_of
from eagerdl.errors import ArgumentError, DTypeError, EagerdlError, ShapeError
from eagerdl.ops.conversion import to_device
from eagerdl.tensor import Tensor, from_array
from eagerdl.tree import flatten

__all__ = ["train_validation_split"]

SCALARS = (*PYTHON_SCALARS, str, bytes, np.generic)


def _is_values(value):
    """True for a list of numbers or text, however nested: an array rather than a structure of arrays."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, SCALARS)


def is_frame(value):
    """True for a DataFrame or Series of pandas."""
    return hasattr(value, "iloc") and hasattr(value, "to_numpy")


def is_sparse(value):
    """True for a sparse matrix of SciPy."""
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def is_array(value):
    """True for one array, of whatever library."""
    return (
        isinstance(value, np.ndarray | Tensor | SparseRows)
        or is_frame(value)
        or is_sparse(value)
        or (isinstance(value, list | tuple) and _is_values(value))
        or (hasattr(value, "__array__") and not isinstance(value, type))
        or (hasattr(value, "__dlpack__") and not isinstance(value, type))
    )


def is_arrays(value):
    """True for an array or a nested structure of arrays, in which None may stand for what is missing."""
    if isinstance(value, dict):
        return bool(value) and all(one is None or is_arrays(one) for one in value.values())
    if isinstance(value, list | tuple) and not _is_values(value):
        return all(one is None or is_arrays(one) for one in value)
    return is_array(value)


def rows_of(value, where, name):
    """One array of a user as something with rows: a NumPy or CuPy array, or `SparseRows`.

    Raises:
        DTypeError: for text mixed with numbers, objects, and what is no array.
        ShapeError: for what has no rows.
    """
    if is_frame(value):
        value = _from_frame(value, where, name)
    elif is_sparse(value):
        return SparseRows(value)
    elif isinstance(value, Tensor):
        value = value._array
    elif not isinstance(value, np.ndarray | SparseRows):
        value = _leaf(value, where, name)
    if value.ndim == 0:
        raise ShapeError(
            where, f"{name} must have an axis of samples", "got one number of shape ()", "pass an array (n, ...)"
        )
    if isinstance(value, np.ndarray) and value.dtype not in HELD:
        value = _text(value, where, name)
    return value


def _leaf(value, where, name):
    """`leaf_of` with the name of the argument in the message."""
    try:
        return leaf_of(list(value) if isinstance(value, tuple) else value, where)
    except EagerdlError as error:
        _, requirement, came, remedy = error.args
        raise type(error)(where, f"{name}: {requirement}", came, remedy) from None


def _text(array, where, name):
    """An array that no tensor can hold: text passes, for layers that take it."""
    if array.dtype.kind == "U" or (array.dtype == object and all(isinstance(one, str | bytes) for one in array.flat)):
        return array
    try:
        return array_of(array, None, where)
    except DTypeError as error:
        _, requirement, came, remedy = error.args
        raise DTypeError(where, f"{name}: {requirement}", came, remedy) from None


def _from_frame(frame, where, name):
    """A DataFrame as (n, columns), a Series as (n, 1), as in Keras."""
    array = np.asarray(frame.to_numpy())
    array = array[:, None] if array.ndim == 1 else array
    if array.dtype == object and not all(isinstance(one, str) for one in array.flat):
        kinds = getattr(frame, "dtypes", None)
        columns = [f"{key!r} ({kind})" for key, kind in kinds.items() if str(kind) == "object" or not str(kind)[0].islower()] \
            if hasattr(kinds, "items") else [f"dtype {kinds}"]  # fmt: skip
        raise DTypeError(where, f"{name}: all columns must hold numbers or bools", f"these do not: {', '.join(columns)}",
                         "encode or drop them, fill missing values, and use astype('float32')")  # fmt: skip
    return array


def convert(tree, function, name):
    """The structure with ``function(leaf, name of the leaf)`` for its leaves; lists of numbers are leaves, None stays."""
    if isinstance(tree, dict):
        return {key: convert(value, function, f"{name}[{key!r}]") for key, value in tree.items()}
    if isinstance(tree, list | tuple) and not _is_values(tree):
        inner = [convert(value, function, f"{name}[{place}]") for place, value in enumerate(tree)]
        return type(tree)(*inner) if hasattr(tree, "_fields") else type(tree)(inner)
    return None if tree is None else function(tree, name)


def sizes_of(parts):
    """``(name, number of rows)`` of all arrays in a list of ``(name, structure)``."""
    found = []
    for name, tree in parts:
        convert(tree, lambda leaf, name: found.append((name, int(leaf.shape[0]) if leaf.shape else None)), name)
    return found


def check_sizes(where, parts, prefix="", remedy="check the first axis of each; one array of samples is np.stack(list)"):
    """Checks that all arrays have equally many rows; that number.

    Raises:
        ShapeError: if not, with the names and sizes.
    """
    found = sizes_of(parts)
    if len({size for _, size in found}) > 1:
        shown = ", ".join(f"{name} has {'none' if size is None else size}" for name, size in found)
        raise ShapeError(where, f"{prefix}all arrays must have the same number of samples", shown, remedy)
    return found[0][1] if found else 0


def tensor_of(leaf, name="data", where="fit", floats=False):
    """One array of a batch as a tensor on the current device; text stays a NumPy array.

    Args:
        floats: whether floats become floatx, as Keras does with arrays in memory.
    """
    if leaf is None:
        return None
    if isinstance(leaf, Tensor):
        array = leaf._array
    elif is_frame(leaf):
        array = _from_frame(leaf, where, name)
    elif is_sparse(leaf):
        array = leaf.toarray()
    else:
        array = leaf if isinstance(leaf, np.ndarray) or devices.is_array(leaf) else _leaf(leaf, where, name)
    array = np.asarray(array) if isinstance(array, np.generic) else array
    if isinstance(array, np.ndarray) and array.dtype not in HELD:
        array = _text(array, where, name)
        if array.dtype not in HELD:
            return array
    if floats and array.dtype in dtypes.FLOATING_SET and array.dtype != dtypes.standardize(None):
        array = array.astype(dtypes.standardize(None))
    elif isinstance(leaf, Tensor) and leaf.device == devices.current():
        return leaf
    out = from_array(array)
    return out if out.device == devices.current() else to_device(out, devices.current())


def train_validation_split(arrays, validation_split):
    """Arrays in two parts: the last fraction of the rows is for validation, whatever is shuffled later.

    Args:
        arrays: an array or a nested structure of arrays of equal length; None stays None.
        validation_split: the fraction, between 0 and 1.

    Raises:
        ArgumentError: for a fraction that leaves one part empty, and for data that are no arrays.
        ShapeError: for arrays of unequal length.

    Example:
        >>> (x, y), (x_val, y_val) = edl.data.train_validation_split((np.arange(10), np.arange(10)), 0.25)
        >>> x.shape, y_val
        ((7,), array([7, 8, 9]))
    """
    where = "validation_split"
    if not is_arrays(arrays):
        kinds = ", ".join(
            sorted({type(leaf).__name__ for leaf in flatten(arrays)[0] if not (leaf is None or is_arrays(leaf))})
        )
        raise ArgumentError(where, "only arrays can be split", f"got {kinds}", "pass validation_data instead")
    if isinstance(validation_split, bool) or not isinstance(validation_split, int | float | np.number):
        raise DTypeError(where, "validation_split is a number", f"got {validation_split!r}", "use 0.2")
    rows = convert(arrays, lambda leaf, name: rows_of(leaf, where, name), "arrays")
    parts = list(enumerate(rows)) if isinstance(rows, list | tuple) else [("arrays", rows)]
    names = ("x", "y", "sample_weight")
    size = check_sizes(
        where, [(names[key] if isinstance(key, int) and key < 3 else str(key), part) for key, part in parts]
    )
    at = math.floor(size * (1.0 - validation_split))
    if not 0 < at < size:
        raise ArgumentError(where, "both parts must have samples", f"{size} samples, validation_split={validation_split}",
                            "use a fraction between 0 and 1, or more data")  # fmt: skip
    return (
        convert(rows, lambda leaf, name: leaf[:at], "arrays"),
        convert(rows, lambda leaf, name: leaf[at:], "arrays"),
    )
