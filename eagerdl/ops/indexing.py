"""Indexing: `x[key]`, gather and scatter."""

import builtins

import numpy as np

from eagerdl import device as devices
from eagerdl import dtypes
from eagerdl.autograd import Spec, linear
from eagerdl.errors import DTypeError, RangeError, ShapeError
from eagerdl.tensor import Tensor

__all__ = ["get_item"]


def raw_key(key):
    """An index as the array modules take it: tensors and lists in it as arrays."""
    kind = key.__class__
    if kind is int or kind is builtins.slice:
        return key
    if kind is tuple:
        return tuple([_raw_part(part) for part in key])
    return _raw_part(key)


def _raw_part(part):
    kind = part.__class__
    if kind is int or kind is builtins.slice or part is None or part is Ellipsis or kind is bool:
        if kind is builtins.slice and builtins.any(isinstance(edge, Tensor) for edge in (part.start, part.stop, part.step)):
            return builtins.slice(*[int(edge) if isinstance(edge, Tensor) else edge for edge in (part.start, part.stop, part.step)])
        return part
    if isinstance(part, Tensor):
        part = part._array
    elif isinstance(part, list | tuple):
        part = np.asarray(part, dtype=None if len(part) else np.intp)
    elif isinstance(part, builtins.slice):
        return part
    if devices.is_array(part) and (part.dtype.kind in "iu" or part.dtype == dtypes.bool_):
        return part
    raise DTypeError("getitem", "an index is made of ints, slices, None, ..., and int or bool arrays", f"got {part!r}",
                     "cast a float index with edl.cast(index, 'int32')")  # fmt: skip


def _is_basic(key):
    """True if the index has no arrays, so that it names each element at most once."""
    parts = key if key.__class__ is tuple else (key,)
    return not builtins.any(devices.is_array(part) for part in parts)


class _Probe:
    """Gives the shape that an index leaves, at the cost of no memory."""

    @staticmethod
    def of(x, key):
        return np.broadcast_to(np.empty((), bool), x.shape)[_on_cpu(key)].shape


def _on_cpu(key):
    if key.__class__ is tuple:
        return tuple(_on_cpu(part) for part in key)
    return devices.to_numpy(key) if devices.is_array(key) else key


def _item_spec(x, key):
    try:
        return Spec(_Probe.of(x, key), x.dtype)
    except IndexError as error:
        if "out of bounds" in str(error):
            raise RangeError("getitem", "an index must lie inside its axis", f"x {x.shape}: {error}",
                             "count from 0, or from -1 at the end") from None  # fmt: skip
        raise ShapeError("getitem", f"an index names at most the {x.ndim} axes of x and fits their sizes",
                         f"x {x.shape}, key {key!r}: {error}", "drop parts of the index") from None  # fmt: skip


@linear(transpose=lambda g, x, key: _put(g, x.shape, key), infer=_item_spec)
def _get_item(x, key):
    """x (...) -> x[key]."""
    return x[key]


def _put_spec(x, shape, key):
    return Spec(shape, x.dtype)


@linear(transpose=lambda g, key: _get_item(g, key), infer=_put_spec)
def _put(x, shape, key):
    """x -> zeros of `shape` with the elements of x added at `key`: the transpose of indexing."""
    xp = devices.module_of(x)
    out = xp.zeros(shape, x.dtype)
    if _is_basic(key):
        out[key] = x
    elif xp is np:
        np.add.at(out, key, x)
    else:
        xp.add.at(out, key, x)
    return out


def get_item(x, key):
    """x (...) -> x[key]. Elements by ints, slices, ``...``, None (a new axis), and int or bool arrays or tensors.

    Raises:
        RangeError: if an index is out of bounds.
        ShapeError: if there are more indices than axes, or a mask of another shape.
        DTypeError: if an index is a float.

    Example:
        >>> x = edl.constant([[1, 2, 3], [4, 5, 6]])
        >>> x[1, ::-1]
        Tensor(shape=(3,), dtype=int32, [6 5 4])
        >>> x[edl.constant([0, 0]), [0, 2]]
        Tensor(shape=(2,), dtype=int32, [1 3])
    """
    return _get_item(x, raw_key(key))
