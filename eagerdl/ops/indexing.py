"""Indexing: `x[key]`, take, slices and their counterparts that write."""

import builtins
import math
import sys

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, dispatch, linear
from eagerdl.errors import ArgumentError, AxisError, DTypeError, RangeError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.shape import normalize_axis, reshape, shape_of
from eagerdl.tensor import Tensor, new_tensor

__all__ = ["get_item", "select", "slice", "slice_update", "take", "take_along_axis", "unravel_index"]

PLAIN = frozenset((int, builtins.slice, type(None), type(Ellipsis)))  # parts of an index that need no care
LARGE = 1 << 14  # elements from which a sparse matrix adds rows faster than NumPy does
PATIENCE = (
    1 << 27
)  # elements that NumPy adds before importing sparse matrices, which takes as long as they would have saved
_patience = PATIENCE


# -- adding rows at computed places: the transpose of every gather ----------------------------------


def add_rows(count, index, values):
    """index (m,) in [0, count), values (m, n) -> (count, n). The rows of `values` added up where `index` says.

    Additions run in the order of `index`, whatever the size. Half precision is summed in float32.
    """
    xp = devices.module_of(values)
    narrow = values.dtype if values.dtype.itemsize == 2 and values.dtype in dtypes.FLOATING_SET else None
    if narrow is not None:
        values = values.astype(dtypes.float32)
    m, n = values.shape
    if xp is np and values.size >= LARGE and values.dtype in dtypes.INEXACT_SET and _sparse_pays(values.size):
        from scipy.sparse import csc_array  # one column for each row of `values`, with a one where it goes

        column = np.arange(m + 1, dtype=index.dtype)
        out = csc_array((np.ones(m, values.dtype), index, column), shape=(count, m)) @ values
    else:
        out = xp.zeros(count * n, values.dtype)
        places = index if n == 1 else (index.astype(np.intp)[:, None] * n + xp.arange(n)).reshape(-1)
        xp.add.at(out, places, xp.ascontiguousarray(values).reshape(-1))
        out = out.reshape(count, n)
    return out if narrow is None else out.astype(narrow)


def _sparse_pays(size):
    """Whether sparse matrices are there, or so much was added without them that they should be."""
    global _patience
    _patience -= size
    return _patience < 0 or "scipy.sparse" in sys.modules


def positive(index, count):
    """`index` with negative numbers counted from the end; all must lie in [-count, count)."""
    return (
        index
        if index.dtype.kind == "u"
        else devices.module_of(index).where(index < 0, index + index.dtype.type(count), index)
    )


def check_bounds(where, index, count, name="indices", axis=None):
    """Refuses indices outside of [-count, count), where it can be told without waiting for a GPU.

    Raises:
        RangeError: with the first offender.
    """
    if index.__class__ is not np.ndarray or not index.size:
        return
    low, high = int(index.min()), int(index.max())
    if low < -count or high >= count:
        place = "x" if axis is None else f"axis {axis}"
        allowed = f"from {-count} to {count - 1}" if count else "none: it is empty"
        raise RangeError(where, f"{name} must lie inside {place} of size {count}",
            f"got {low if low < -count else high}",
                         f"allowed are {allowed}")  # fmt: skip


def as_indices(where, indices, name="indices"):
    """An argument that holds indices, as an integer tensor.

    Raises:
        DTypeError: for floats and bools.
    """
    index = indices if isinstance(indices, Tensor) else convert_to_tensor(indices)
    if not dtypes.is_integer(index.dtype):
        if not index.size and isinstance(indices, list | tuple):
            return index.astype(dtypes.int32)
        raise DTypeError(
            where, f"{name} must be integers", f"got {index.dtype}", f"cast them: edl.cast({name}, 'int32')"
        )
    return index


# -- x[key] -----------------------------------------------------------------------------------------


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
        if kind is builtins.slice and builtins.any(
            isinstance(edge, Tensor) for edge in (part.start, part.stop, part.step)
        ):
            return builtins.slice(
                *[int(edge) if isinstance(edge, Tensor) else edge for edge in (part.start, part.stop, part.step)]
            )
        return part
    if isinstance(part, Tensor):
        part = part._array
    elif isinstance(part, list | tuple):
        part = np.asarray(part, dtype=None if len(part) else np.intp)
    if devices.is_array(part) and (part.dtype.kind in "iu" or part.dtype == dtypes.bool_):
        return part
    raise DTypeError("getitem", "an index is made of ints, slices, None, ..., and int or bool arrays", f"got {part!r}",
                     "cast a float index with edl.cast(index, 'int32')")  # fmt: skip


def _arrays_in(key):
    parts = key if key.__class__ is tuple else (key,)
    return [part for part in parts if devices.is_array(part)]


def _beside(key, x):
    """`key` with its arrays on the device of the array `x`."""
    if key.__class__ is tuple:
        return tuple([_beside(part, x) for part in key])
    return devices.move(key, devices.device_of(x)) if devices.is_array(key) else key


def _on_cpu(key):
    if key.__class__ is tuple:
        return tuple(_on_cpu(part) for part in key)
    return devices.to_numpy(key) if devices.is_array(key) else key


def _item_spec(x, key):
    try:  # a view of one element that pretends to be x: indexing it costs no memory for x
        return Spec(np.broadcast_to(np.empty((), bool), x.shape)[_on_cpu(key)].shape, x.dtype)
    except IndexError as error:
        if "out of bounds" in str(error):
            raise RangeError("getitem", "an index must lie inside its axis", f"x {x.shape}: {error}",
                             "count from 0, or from -1 at the end") from None  # fmt: skip
        raise AxisError("getitem", f"an index names at most the {x.ndim} axes of x and fits their sizes",
                         f"x {x.shape}, key {key!r}: {error}", "drop parts of the index") from None  # fmt: skip


@linear(transpose=lambda g, x, key: _put(g, x.shape, key), infer=_item_spec)
def _get_item(x, key):
    """x (...) -> x[key]."""
    return x[key] if x.__class__ is np.ndarray and key.__class__ in PLAIN else x[_beside(key, x)]


@linear(transpose=lambda g, key: _get_item(g, key), infer=lambda x, shape, key: Spec(shape, x.dtype))
def _put(x, shape, key):
    """x -> zeros of `shape` with the elements of x added at `key`: the transpose of indexing."""
    key = _beside(key, x)
    arrays = _arrays_in(key)
    xp = devices.module_of(x)
    if not arrays or (len(arrays) == 1 and arrays[0].dtype == dtypes.bool_):  # each element is named once at most
        out = xp.zeros(shape, x.dtype)
        out[key] = x
        return out
    if len(arrays) == (len(key) if key.__class__ is tuple else 1) and builtins.all(
        a.dtype.kind in "iu" for a in arrays
    ):
        count, rest = math.prod(shape[: len(arrays)]), shape[len(arrays) :]
        index = xp.broadcast_arrays(*[positive(a, n) for a, n in zip(arrays, shape, strict=False)])
        flat = index[0] if len(index) == 1 else xp.ravel_multi_index(tuple(index), shape[: len(arrays)])
        width = math.prod(rest)
    else:
        count, width = math.prod(shape), 1
        flat = xp.arange(count).reshape(shape)[key]
    return add_rows(count, flat.reshape(-1), x.reshape(flat.size, width)).reshape(shape)


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
    kind = key.__class__
    if (x.__class__ is dispatch.plain_tensor or x.__class__ is dispatch.plain_variable) and (
        kind in PLAIN or (kind is tuple and PLAIN.issuperset(map(type, key)))
    ):
        try:
            out = x._array[key]
        except Exception:
            out = None
        if out is not None:
            t = new_tensor()
            t._array = np.asarray(out) if isinstance(out, np.generic) else out
            t._node = None
            if dispatch.recorders and x._node is not None:
                dispatch.record_unary(_get_item.primitive, t, x, (key,))
            return t
    return _get_item(x, raw_key(key))


# -- take -------------------------------------------------------------------------------------------


def _take_spec(x, indices, axis):
    axis = normalize_axis("take", axis, x.ndim)
    return Spec((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


def _fixed_index(op):
    """The tangent of a gather or scatter whose only differentiable input is the first."""

    def jvp(out, inputs, tangents, params):
        return op(tangents[0], inputs[1], *params)

    return jvp


@custom(vjp=(lambda g, indices, x_spec, axis: _untake(g, indices, x_spec.shape[axis], axis), None),
        jvp=_fixed_index(lambda t, indices, axis: _take(t, indices, axis)), infer=_take_spec, tensors=2)  # fmt: skip
def _take(x, indices, axis):
    """x (..., n, ...), indices (i...) -> (..., i..., ...)."""
    try:
        return x.take(indices, axis)
    except IndexError:
        check_bounds("take", indices, x.shape[axis], axis=axis)
        raise


@custom(vjp=(lambda g, indices, axis: _take(g, indices, axis), None),
        jvp=_fixed_index(lambda t, indices, size, axis: _untake(t, indices, size, axis)), tensors=2,
        infer=lambda g, indices, size, axis: Spec((*g.shape[:axis], size, *g.shape[axis + indices.ndim :]),
            g.dtype))  # fmt: skip
def _untake(g, indices, size, axis):
    """g (..., i..., ...), indices (i...) -> (..., size, ...). Adds up what `take` gathered."""
    xp = devices.module_of(g)
    before, after = g.shape[:axis], g.shape[axis + indices.ndim :]
    lead, width = math.prod(before), math.prod(after)
    index = positive(indices, size).reshape(-1)
    if lead != 1:
        index = (xp.arange(lead)[:, None] * size + index).reshape(-1)
    return add_rows(lead * size, index, g.reshape(index.size, width)).reshape(*before, size, *after)


def take(x, indices, axis=None):
    """x (..., n, ...), indices (i...) int -> (..., i..., ...). The elements of x at `indices` along `axis`.

    Negative indices count from the end. Without an axis x is flattened first.

    Raises:
        RangeError: if an index is outside of [-n, n).
        DTypeError: if the indices are not integers.

    Example:
        >>> edl.take([[1, 2], [3, 4], [5, 6]], [2, 0], axis=0)
        Tensor(shape=(2, 2), dtype=int32,
        [[5 6]
         [1 2]])
    """
    x = x if isinstance(x, Tensor) else convert_to_tensor(x)
    indices = as_indices("take", indices)
    if axis is None:
        return _take(x if x.ndim == 1 else reshape(x, (-1,)), indices, 0)
    return _take(x, indices, normalize_axis("take", axis, x.ndim))


def _unraveled(indices, shape):
    return tuple(Spec(indices.shape, dtypes.int32) for _ in shape)


@custom(infer=_unraveled, several=True)
def _unravel_index(indices, shape):
    """indices (...) in the elements of `shape` -> for each of its axes (...) int32."""
    size = math.prod(shape)
    if devices.module_of(indices) is np and indices.size and (indices.min() < -size or indices.max() >= size):
        raise RangeError("unravel_index", f"indices must lie inside the {size} elements of shape {shape}",
                         f"they reach from {indices.min()} to {indices.max()}", "check the shape")  # fmt: skip
    found = devices.module_of(indices).unravel_index(indices % builtins.max(size, 1), shape)
    return tuple([places.astype(dtypes.int32) for places in found])


def unravel_index(indices, shape):
    """indices (...) integers -> a tuple with, for each axis of `shape`, (...) int32. Where flat indices lie in an array.

    Args:
        indices: places in the elements of an array in row order; negative ones count from the end.
        shape: the shape of that array.

    Raises:
        RangeError: if an index is outside (on the CPU).
        DTypeError: for indices that are no integers.

    Example:
        >>> edl.unravel_index([1, 5], (2, 3))
        (Tensor(shape=(2,), dtype=int32, [0 1]), Tensor(shape=(2,), dtype=int32, [1 2]))
    """
    return _unravel_index(as_indices("unravel_index", indices), shape_of("unravel_index", shape))


def _along(index, shape, axis):
    """The index by which arrays take elements along `axis`: `index` there, every place elsewhere."""
    xp, ndim = devices.module_of(index), len(shape)
    return tuple(
        [
            index if i == axis else xp.arange(n).reshape((1,) * i + (n,) + (1,) * (ndim - i - 1))
            for i, n in enumerate(shape)
        ]
    )


def _take_along_spec(x, indices, axis):
    where = "take_along_axis"
    if x.ndim != indices.ndim:
        raise ShapeError(where, "x and indices must have equally many axes", f"x {x.shape}, indices {indices.shape}",
                         "use edl.take to gather whole slices, or edl.expand_dims on the indices")  # fmt: skip
    axis = normalize_axis(where, axis, x.ndim)
    shape = []
    for i, (have, want) in enumerate(zip(x.shape, indices.shape, strict=True)):
        if i != axis and have != want and 1 not in (have, want):
            raise ShapeError(where, f"beside axis {axis}, sizes of x and indices must be equal or 1",
                             f"x {x.shape}, indices {indices.shape}", "slice or broadcast one of them")  # fmt: skip
        shape.append(want if i == axis or have == 1 else have)
    return Spec(tuple(shape), x.dtype)


@custom(vjp=(lambda g, indices, x_spec, axis: _add_along_axis(g, indices, x_spec.shape, axis), None),
        jvp=_fixed_index(lambda t, indices, axis: _take_along_axis(t, indices, axis)), infer=_take_along_spec,
            tensors=2)  # fmt: skip
def _take_along_axis(x, indices, axis):
    """x (..., n, ...), indices (..., k, ...) -> (..., k, ...)."""
    try:
        return x[_along(indices, x.shape, axis)]
    except IndexError:
        check_bounds("take_along_axis", indices, x.shape[axis], axis=axis)
        raise


@custom(vjp=(lambda g, indices, axis: _take_along_axis(g, indices, axis), None),
        jvp=_fixed_index(lambda t, indices, shape, axis: _add_along_axis(t, indices, shape, axis)), tensors=2,
        infer=lambda g, indices, shape, axis: Spec(shape, g.dtype))  # fmt: skip
def _add_along_axis(g, indices, shape, axis):
    """g (..., k, ...), indices (..., k, ...) -> shape. Adds up what `take_along_axis` gathered."""
    xp = devices.module_of(g)
    flat = xp.arange(math.prod(shape)).reshape(shape)[_along(indices, shape, axis)]
    return add_rows(math.prod(shape), flat.reshape(-1), g.reshape(-1, 1)).reshape(shape)


def take_along_axis(x, indices, axis=None):
    """x (..., n, ...), indices (..., k, ...) int -> (..., k, ...). The elements that each line of indices names.

    Made for the results of argsort and argmax. The other axes must agree, or be of size 1 in one of the two. Without an
    axis x is flattened, and the indices are a vector.

    Raises:
        RangeError: if an index is outside of [-n, n).
        ShapeError: if the shapes do not fit.
        DTypeError: if the indices are not integers.

    Example:
        >>> edl.take_along_axis([[10, 30, 20]], [[0, 2, 1]], axis=1)
        Tensor(shape=(1, 3), dtype=int32, [[10 20 30]])
    """
    x = x if isinstance(x, Tensor) else convert_to_tensor(x)
    indices = as_indices("take_along_axis", indices)
    if axis is None:
        if indices.ndim != 1:
            raise ShapeError("take_along_axis", "without an axis the indices are a vector", f"indices {indices.shape}",
                             "pass axis=, or flatten the indices")  # fmt: skip
        x, axis = reshape(x, (-1,)), 0
    _take_along_spec(x, indices, axis)  # NumPy would broadcast more than this op allows
    return _take_along_axis(x, indices, axis % x.ndim)


# -- slices at computed places ----------------------------------------------------------------------


def _window(where, start, size, shape):
    """The index of a box of `size` at `start` inside of an array of `shape`.

    Raises:
        RangeError: if it reaches out of it.
    """
    parts = []
    for axis, (begin, length, n) in enumerate(zip(start.tolist(), size, shape, strict=True)):
        begin = begin + n if begin < 0 else begin
        if begin < 0 or begin + length > n:
            raise RangeError(where, f"the slice must lie inside axis {axis} of size {n}",
                             f"it goes from {begin} to {begin + length}",
                                 "check start_indices and the sizes")  # fmt: skip
        parts.append(builtins.slice(begin, begin + length))
    return tuple(parts)


def _slice_spec(inputs, start_indices, shape):
    return Spec(shape, inputs.dtype)


@custom(vjp=(lambda g, inputs_spec, start_indices, shape: _place(g, start_indices, inputs_spec.shape), None),
        jvp=_fixed_index(lambda t, start, shape: _slice(t, start, shape)), infer=_slice_spec, tensors=2)  # fmt: skip
def _slice(inputs, start_indices, shape):
    """inputs (n...), start_indices (rank,) -> shape."""
    return inputs[_window("slice", start_indices, shape, inputs.shape)]


@custom(vjp=(lambda g, updates_spec, start_indices: _slice(g, start_indices, updates_spec.shape), None),
        jvp=_fixed_index(lambda t, start, shape: _place(t, start, shape)), tensors=2,
        infer=lambda updates, start_indices, shape: Spec(shape, updates.dtype))  # fmt: skip
def _place(updates, start_indices, shape):
    """updates (m...), start_indices (rank,) -> zeros of `shape` that hold the updates at `start_indices`."""
    out = devices.module_of(updates).zeros(shape, updates.dtype)
    out[_window("slice", start_indices, updates.shape, shape)] = updates
    return out


def _starts(where, inputs, start_indices, rank, what):
    start = as_indices(where, start_indices, "start_indices")
    if start.shape != (inputs.ndim,) or rank != inputs.ndim:
        raise ShapeError(where, f"start_indices and {what} must name every axis of inputs {inputs.shape}",
                         f"start_indices {start.shape}, {what} of {rank} axes",
                             "give one number for each axis")  # fmt: skip
    return start


def slice(inputs, start_indices, shape):
    """inputs (n...), start_indices (rank,) int -> shape. The box of sizes `shape` that begins at `start_indices`.

    Args:
        inputs: a tensor.
        start_indices: where the box begins on each axis; a tensor may hold them. Negative ones count from the end.
        shape: its sizes; -1 takes all that is left of an axis.

    Raises:
        RangeError: if the box reaches out of the tensor.
        ShapeError: if an axis is left out.

    Example:
        >>> edl.slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, -1))
        Tensor(shape=(2, 2), dtype=int32,
        [[2 3]
         [5 6]])
    """
    inputs = convert_to_tensor(inputs)
    shape = shape_of("slice", shape)
    start = _starts("slice", inputs, start_indices, len(shape), "shape")
    if builtins.any(size < -1 for size in shape):
        raise ShapeError(
            "slice", "sizes are at least 0, or -1 for all the rest", f"got shape={shape}", "check the sizes"
        )
    if -1 in shape:
        begins = [begin + n if begin < 0 else begin for begin, n in zip(start.tolist(), inputs.shape, strict=True)]
        shape = tuple(
            builtins.max(n - begin, 0) if size == -1 else size
            for size, n, begin in zip(shape, inputs.shape, begins, strict=True)
        )
    return _slice(inputs, start, shape)


@custom(vjp=(lambda g, start_indices, shape: _erase(g, start_indices, shape), None),
        jvp=_fixed_index(lambda t, start, shape: _erase(t, start, shape)), tensors=2,
        infer=lambda inputs, start_indices, shape: Spec(inputs.shape, inputs.dtype))  # fmt: skip
def _erase(inputs, start_indices, shape):
    """inputs (n...), start_indices (rank,) -> (n...) with zeros in the box of sizes `shape`."""
    out = inputs.copy()
    out[_window("slice_update", start_indices, shape, inputs.shape)] = 0
    return out


def _slice_update_tangent(out, inputs, tangents, params):
    (x, start, updates), (dx, _, du) = inputs, tangents
    kept = None if dx is None else _erase(dx, start, updates.shape)
    new = None if du is None else _place(du, start, x.shape)
    return new if kept is None else kept if new is None else kept + new


@custom(vjp=(lambda g, start_indices, updates_spec: _erase(g, start_indices, updates_spec.shape), None,
             lambda g, start_indices, updates_spec: _slice(g, start_indices, updates_spec.shape)),
        jvp=_slice_update_tangent, infer=lambda inputs, start_indices, updates: Spec(inputs.shape, inputs.dtype),
            tensors=3)  # fmt: skip
def _slice_update(inputs, start_indices, updates):
    """inputs (n...), start_indices (rank,), updates (m...) -> (n...)."""
    where = _window("slice_update", start_indices, updates.shape, inputs.shape)
    out = inputs.copy()
    out[where] = updates
    return out


def slice_update(inputs, start_indices, updates):
    """inputs (n...), start_indices (rank,) int, updates (m...) -> (n...). Inputs with a box replaced by `updates`.

    The result has the dtype of inputs. Gradients flow to inputs, where they remain, and to the updates.

    Raises:
        RangeError: if the box reaches out of the tensor.
        ShapeError: if the updates have another rank than inputs.

    Example:
        >>> edl.slice_update([1, 2, 3, 4], (1,), [0, 0])
        Tensor(shape=(4,), dtype=int32, [1 0 0 4])
    """
    inputs = convert_to_tensor(inputs)
    updates = convert_to_tensor(updates)
    start = _starts("slice_update", inputs, start_indices, updates.ndim, "updates")
    return _slice_update(inputs, start, updates.astype(inputs.dtype))


# -- choosing ---------------------------------------------------------------------------------------


def select(condlist, choicelist, default=0):
    """condlist: k conditions (...) bool, choicelist: k tensors (...) -> their broadcast shape.

    Each element comes from the choice of the first condition that holds,
        or is `default` where none does. Gradients flow
    to the chosen elements only.

    Raises:
        ArgumentError: if the lists differ in length, or are empty.
        DTypeError: if a condition is not bool.

    Example:
        >>> x = edl.constant([0.0, 1.0, 2.0, 3.0])
        >>> edl.select([x < 1, x > 2], [-x, x * 10], default=7)
        Tensor(shape=(4,), dtype=float32, [-0.  7.  7. 30.])
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ArgumentError("select", "each condition needs its choice",
            f"got {len(condlist)} conditions and {len(choicelist)} choices",
                            "give two lists of one length")  # fmt: skip
    conditions = [convert_to_tensor(condition) for condition in condlist]
    for i, condition in enumerate(conditions):
        if condition.dtype != dtypes.bool_:
            raise DTypeError(
                "select", "conditions are bool", f"condlist[{i}] is {condition.dtype}", "compare it first, as in x != 0"
            )
    out = default
    for condition, choice in zip(reversed(conditions), reversed(choicelist), strict=True):
        out = where(condition, choice, out)
    return out
