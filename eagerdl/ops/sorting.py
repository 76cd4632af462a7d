"""Sorting, searching and sets."""

import builtins
import collections

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import _add_along_axis, _along, _fixed_index, _take_along_axis, take
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import expand_dims, normalize_axis, reshape
from eagerdl.tensor import from_array

__all__ = [
    "argpartition", "argsort", "in_top_k", "isin", "nonzero", "searchsorted", "sort", "top_k", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values",
]  # fmt: skip


def comparable(x):
    """x in a dtype that the array library orders with NaNs last: bfloat16 as float32, which holds all its values."""
    return x.astype(np.float32) if x.dtype == dtypes.bfloat16 else x


def _reversed(x, axis):
    return x[(slice(None),) * (axis % x.ndim) + (slice(None, None, -1),)]


# -- order --------------------------------------------------------------------------------------


def _order_spec(where, dtype=None):
    def infer(x, axis, *options):
        normalize_axis(where, axis, x.ndim)
        return Spec(x.shape, dtype or x.dtype)

    return infer


@custom(infer=_order_spec("argsort", dtypes.int32))
def _argsort(x, axis, descending=False, stable=True):
    """x (..., n, ...) -> (..., n, ...) int32."""
    x = comparable(x)
    kind = "stable" if stable else None
    if not descending:
        return x.argsort(axis=axis, kind=kind).astype(np.int32)
    order = _reversed(_reversed(x, axis).argsort(axis=axis, kind=kind), axis)  # twice reversed: ties keep their order
    return (x.shape[axis] - 1 - order).astype(np.int32)


def _sort_jvp(out, inputs, tangents, params):
    (x,), (t,), (axis, descending) = inputs, tangents, params
    return _take_along_axis(t, _argsort(x, axis, descending), axis % x.ndim)


@custom(vjp=(lambda g, order, axis: _take_along_axis(g, order, axis), None), tensors=2,
        jvp=_fixed_index(lambda t, order, axis: _put_back(t, order, axis)),
        infer=lambda x, order, axis: Spec(x.shape, x.dtype))  # fmt: skip
def _put_back(x, order, axis):
    """x (..., n, ...), order (..., n, ...) -> (..., n, ...). Undoes the permutation `order` along `axis`."""
    out = devices.module_of(x).empty_like(x)
    out[_along(order, x.shape, axis)] = x
    return out


def _sort_vjp(g, x, axis, descending):
    return _put_back(g, _argsort(x, axis, descending), axis % x.ndim)


@custom(vjp=_sort_vjp, jvp=_sort_jvp, infer=_order_spec("sort"))
def _sort(x, axis, descending=False):
    """x (..., n, ...) -> (..., n, ...)."""
    out = comparable(x).copy()
    out.sort(axis=axis)
    return (_reversed(out, axis) if descending else out).astype(x.dtype, copy=False)


def _with_axis(where, x, axis):
    """x flattened if there is no axis to sort along."""
    x = convert_to_tensor(x)
    if axis is None:
        return reshape(x, (-1,)), 0
    return x, normalize_axis(where, axis, x.ndim)


def sort(x, axis=-1, *, descending=False, stable=True):
    """x (..., n, ...) -> (..., n, ...). The elements in order along `axis`; NaNs count as largest.

    The gradient follows the elements.

    Args:
        x: a tensor.
        axis: along which to sort; None flattens x first.
        descending: whether the largest comes first.
        stable: whether equal elements keep their order, which can only be told by their gradients: they always do.

    Raises:
        ShapeError: if the axis does not exist.

    Example:
        >>> edl.sort([3.0, 1.0, 2.0], descending=True)
        Tensor(shape=(3,), dtype=float32, [3. 2. 1.])
    """
    return _sort(*_with_axis("sort", x, axis), bool(descending))


def argsort(x, axis=-1, *, descending=False, stable=True):
    """x (..., n, ...) -> (..., n, ...) int32. The indices that sort x along `axis`; NaNs count as largest.

    Args:
        x: a tensor.
        axis: along which to sort; None flattens x first.
        descending: whether the largest comes first.
        stable: whether equal elements keep their order.

    Raises:
        ShapeError: if the axis does not exist.

    Example:
        >>> edl.argsort([3.0, 1.0, 2.0])
        Tensor(shape=(3,), dtype=int32, [1 2 0])
    """
    return _argsort(*_with_axis("argsort", x, axis), bool(descending), bool(stable))


@custom(infer=_order_spec("argpartition", dtypes.int32))
def _argpartition(x, kth, axis):
    """x (..., n, ...) -> (..., n, ...) int32."""
    return devices.module_of(x).argpartition(comparable(x), kth, axis).astype(np.int32)


def argpartition(x, kth, axis=-1):
    """x (..., n, ...) -> (..., n, ...) int32. Indices that bring the element of rank `kth` to its place along `axis`.

    Smaller elements come before it, larger ones behind it, both in no particular order.

    Args:
        x: a tensor.
        kth: a rank from 0, or several.
        axis: along which to order; None flattens x first.

    Raises:
        ArgumentError: if there is no such rank.
        ShapeError: if the axis does not exist.

    Example:
        >>> x = edl.constant([30, 10, 20])
        >>> int(x[edl.argpartition(x, 1)[1]])
        20
    """
    x, axis = _with_axis("argpartition", x, axis)
    n = x.shape[axis]
    ranks = tuple(kth) if isinstance(kth, tuple | list) else (kth,)
    if not builtins.all(hasattr(rank, "__index__") for rank in ranks):
        raise DTypeError("argpartition", "a rank is an int", f"got kth={kth!r}", "count ranks from 0")
    if not builtins.all(-n <= rank < n for rank in ranks):
        raise ArgumentError("argpartition", f"a rank lies from 0 to {n - 1}",
                            f"got kth={kth!r} for x {x.shape}, axis={axis}", "count ranks from 0")  # fmt: skip
    return _argpartition(x, ranks[0].__index__() if len(ranks) == 1 else ranks, axis)


# -- the largest --------------------------------------------------------------------------------


def _top_indices(x, k):
    """x (..., n) -> (..., k): where the k largest are, in order; of equal elements the first."""
    n = x.shape[-1]
    if 0 < k <= n // 8 and x.__class__ is np.ndarray:
        some = np.sort(np.argpartition(x, n - k, -1)[..., n - k :], -1)
        values = np.take_along_axis(x, some, -1)
        least = values.min(-1, keepdims=True)
        if (
            (x >= least).sum(-1) == k
        ).all():  # no ties at the border (and no NaNs), where the choice would not be the first
            return np.take_along_axis(some, k - 1 - np.argsort(values[..., ::-1], -1, kind="stable")[..., ::-1], -1)
    order = x[..., ::-1].argsort(axis=-1, kind="stable")[..., ::-1][..., :k]
    return n - 1 - order


def _top_k_spec(x, k):
    if not x.ndim:
        raise ShapeError(
            "top_k", "an axis to choose from is needed", "x has shape ()", "pass a vector, or a stack of them"
        )
    if not hasattr(k, "__index__"):
        raise DTypeError("top_k", "k is an int", f"got k={k!r}", "say how many to take")
    if not 0 <= k <= x.shape[-1]:
        raise ArgumentError("top_k", f"k lies from 0 to the size {x.shape[-1]} of the last axis",
                            f"got k={k}, x {x.shape}", "take fewer")  # fmt: skip
    shape = (*x.shape[:-1], int(k))
    return Spec(shape, x.dtype), Spec(shape, dtypes.int32)


def _top_k_vjp(g, out, x_spec):
    if g[0] is None:
        return None
    return _add_along_axis(g[0], out[1], x_spec.shape, len(x_spec.shape) - 1)


def _top_k_jvp(out, inputs, tangents, params):
    return _take_along_axis(tangents[0], out[1], tangents[0].ndim - 1), None


@custom(vjp=_top_k_vjp, jvp=_top_k_jvp, infer=_top_k_spec, several=True)
def _top_k(x, k):
    """x (..., n) -> values (..., k), indices (..., k)."""
    _top_k_spec(x, k)  # a slice would let a wrong k pass
    index = _top_indices(comparable(x), k)
    return devices.module_of(x).take_along_axis(x, index, -1), index.astype(np.int32)


TopK = collections.namedtuple("TopK", ["values", "indices"])


def top_k(x, k, sorted=True):
    """x (..., n) -> values (..., k), indices (..., k) int32. The k largest elements along the last axis, largest first.

    Of equal elements the first counts as larger; NaNs count as largest. The values have gradients.

    Args:
        x: a tensor.
        k: how many, at most n.
        sorted: accepted for Keras' sake: the result is always sorted.

    Returns:
        A named tuple of values and indices.

    Raises:
        ArgumentError: if k is negative or exceeds n.
        ShapeError: for a scalar.

    Example:
        >>> values, indices = edl.top_k([1.0, 5.0, 3.0], k=2)
        >>> values
        Tensor(shape=(2,), dtype=float32, [5. 3.])
    """
    return TopK(*_top_k(x, k))


top_k.primitive = _top_k.primitive


def in_top_k(targets, predictions, k):
    """targets (n,) int, predictions (n, classes) -> (n,) bool. Whether the target is among the k largest predictions.

    Targets that tie with the k-th largest are in; a target whose prediction is NaN is not.

    Raises:
        RangeError: if a target is no class.
        ShapeError: if the shapes do not fit.
        DTypeError: if targets are not integers.

    Example:
        >>> edl.in_top_k([2, 0], [[0.1, 0.3, 0.6], [0.1, 0.3, 0.6]], k=1)
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    targets, predictions = convert_to_tensor(targets), convert_to_tensor(predictions)
    if predictions.ndim < 1 or targets.shape != predictions.shape[:-1]:
        raise ShapeError("in_top_k", "one target per row of predictions is needed",
                         f"targets {targets.shape}, predictions {predictions.shape}",
                         "pass class numbers, not one-hot rows")  # fmt: skip
    if not dtypes.is_integer(targets.dtype):
        raise DTypeError(
            "in_top_k", "targets are class numbers", f"got {targets.dtype}", "cast them with edl.cast(targets, 'int32')"
        )
    score = _take_along_axis(predictions, expand_dims(targets, -1), predictions.ndim - 1)
    better = sum(predictions > score, -1)
    return where(score[..., 0] == score[..., 0], better < k, False)


# -- searching ----------------------------------------------------------------------------------


def _search_spec(sorted_sequence, values, side):
    if sorted_sequence.ndim != 1:
        raise ShapeError(
            "searchsorted", "the sorted sequence is a vector", f"got shape {sorted_sequence.shape}", "search row by row"
        )
    return Spec(values.shape, dtypes.int32)


@custom(infer=_search_spec, tensors=2, promote=dtypes.to_common)
def _searchsorted(sorted_sequence, values, side):
    """sorted_sequence (n,), values (...) -> (...) int32."""
    return comparable(sorted_sequence).searchsorted(comparable(values), side).astype(np.int32)


def searchsorted(sorted_sequence, values, side="left", *, sorter=None):
    """sorted_sequence (n,), values (...) -> (...) int32. Where the values would have to be inserted to keep the order.

    Args:
        sorted_sequence: a vector in ascending order.
        values: what to look for.
        side: "left" gives the first suitable place, "right" the last.
        sorter: indices (n,) that sort the sequence, if it is not in order itself.

    Raises:
        ShapeError: if the sequence is not a vector.
        ArgumentError: for another side.

    Example:
        >>> edl.searchsorted([1.0, 2.0, 3.0], [2.0, 2.5], side="right")
        Tensor(shape=(2,), dtype=int32, [2 2])
    """
    if side not in ("left", "right"):
        raise ArgumentError("searchsorted", "side is 'left' or 'right'", f"got {side!r}", "use one of them")
    if sorter is not None:
        sorted_sequence = take(sorted_sequence, sorter, 0)
    return _searchsorted(sorted_sequence, values, side)


def nonzero(x):
    """x (n_1, ..., n_r) -> r tensors (count,) int32. Where the elements differ from 0: indices for each axis.

    Raises:
        ShapeError: for a scalar.

    Example:
        >>> edl.nonzero([0, 5, 7])
        (Tensor(shape=(2,), dtype=int32, [1 2]),)
    """
    x = convert_to_tensor(x)
    if not x.ndim:
        raise ShapeError("nonzero", "an axis to count along is needed", "x has shape ()", "use x != 0 for a scalar")
    return tuple(from_array(found.astype(np.int32)) for found in x._array.nonzero())


def _isin_spec(x1, x2, assume_unique, invert):
    return Spec(x1.shape, dtypes.bool_)


@custom(infer=_isin_spec, tensors=2, promote=dtypes.to_common)
def isin(x1, x2, assume_unique=False, invert=False):
    """x1 (...), x2 (any shape) -> (...) bool. Whether each element of x1 is one of x2's.

    Args:
        x1: what to look for.
        x2: where to look.
        assume_unique: whether neither holds an element twice, which may be faster.
        invert: whether to tell what is *not* in x2.

    Example:
        >>> edl.isin([1, 2, 3], [2, 5])
        Tensor(shape=(3,), dtype=bool, [False  True False])
    """
    return devices.module_of(x1).isin(comparable(x1), comparable(x2), assume_unique, invert).reshape(x1.shape)


# -- sets ---------------------------------------------------------------------------------------

UniqueAll = collections.namedtuple("UniqueAll", ["values", "indices", "inverse_indices", "counts"])
UniqueCounts = collections.namedtuple("UniqueCounts", ["values", "counts"])
UniqueInverse = collections.namedtuple("UniqueInverse", ["values", "inverse_indices"])


def _unique(x, axis, equal_nan):
    """Raw int32 vectors: the first places of the distinct elements in order, the inverse, the counts."""
    array = comparable(x._array)
    xp = devices.module_of(array)
    found = xp.unique(array, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=equal_nan)
    return [one.astype(np.int32) for one in found[1:]]


def unique(
    x, sorted=True, return_index=False, return_inverse=False, return_counts=False, axis=None, size=None, fill_value=None
):
    """x (...) -> (m,). The distinct elements in ascending order; the gradient goes to the first of each.

    Args:
        x: a tensor.
        sorted: accepted for Keras' sake: the result is always sorted.
        return_index: whether to tell where each comes first.
        return_inverse: whether to tell, for each element of x, which distinct element it is.
        return_counts: whether to tell how often each comes.
        axis: along which slices are compared; None flattens x.
        size: how many to return: more are cut off, fewer are filled up.
        fill_value: what fills up; by default the smallest element.

    Returns:
        The distinct elements, or a tuple of them and of what else was asked for, in the order of the arguments (int32).

    Raises:
        ShapeError: if the axis does not exist.
        ArgumentError: if an empty tensor has to be filled up to a size.

    Example:
        >>> edl.unique([3, 1, 3], return_counts=True)
        (Tensor(shape=(2,), dtype=int32, [1 3]), Tensor(shape=(2,), dtype=int32, [1 2]))
    """
    x = convert_to_tensor(x)
    if axis is not None:
        axis = normalize_axis("unique", axis, x.ndim)
    index, inverse, counts = _unique(x, axis, True)
    xp = devices.module_of(index)
    missing = 0 if size is None else size - len(index)
    if missing > 0:
        if not x.size:
            raise ArgumentError(
                "unique",
                "an empty tensor has no element to fill up with",
                f"x {x.shape}, size={size}",
                "leave size out",
            )
        index = xp.concatenate([index, xp.broadcast_to(index[:1], (missing,))])
        counts = xp.concatenate([counts, xp.zeros(missing, np.int32)])
    elif missing < 0:
        index, counts = index[:size], counts[:size]
    values = take(reshape(x, (-1,)) if axis is None else x, from_array(index), 0 if axis is None else axis)
    if missing > 0 and fill_value is not None:
        fresh = xp.arange(size) < size - missing
        values = where(
            from_array(fresh.reshape([-1 if i == (axis or 0) else 1 for i in builtins.range(values.ndim)])),
            values,
            fill_value,
        )
    extras = [(return_index, index), (return_inverse, inverse), (return_counts, counts)]
    wanted = tuple(from_array(array) for want, array in extras if want)
    return (values, *wanted) if wanted else values


def unique_all(x, /):
    """x (...) -> values (m,), indices (m,), inverse_indices (...), counts (m,). All about the distinct elements.

    NaNs count as distinct, as the array API wants it.

    Example:
        >>> edl.unique_all([3, 1, 3]).counts
        Tensor(shape=(2,), dtype=int32, [1 2])
    """
    x = convert_to_tensor(x)
    index, inverse, counts = map(from_array, _unique(x, None, False))
    return UniqueAll(take(reshape(x, (-1,)), index, 0), index, reshape(inverse, x.shape), counts)


def unique_counts(x, /):
    """x (...) -> values (m,), counts (m,). The distinct elements and how often each comes; NaNs count as distinct.

    Example:
        >>> edl.unique_counts([3, 1, 3]).values
        Tensor(shape=(2,), dtype=int32, [1 3])
    """
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x, /):
    """x (...) -> values (m,), inverse_indices (...). The distinct elements, and which of them each element is.

    NaNs count as distinct.

    Example:
        >>> edl.unique_inverse([3, 1, 3]).inverse_indices
        Tensor(shape=(3,), dtype=int32, [1 0 1])
    """
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x, /):
    """x (...) -> (m,). The distinct elements in ascending order; NaNs count as distinct.

    Example:
        >>> edl.unique_values([3, 1, 3])
        Tensor(shape=(2,), dtype=int32, [1 3])
    """
    return unique_all(x).values
