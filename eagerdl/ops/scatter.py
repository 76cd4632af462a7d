"""Gather, scatter and segments: reading and writing at computed places."""

import builtins
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError
from eagerdl.ops.arithmetic import maximum, minimum, where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import add_rows, as_indices, check_bounds, positive
from eagerdl.ops.shape import reshape, shape_of
from eagerdl.tensor import from_array

__all__ = ["scatter", "scatter_update", "segment_max", "segment_min", "segment_prod", "segment_sum"]


# -- rows of a matrix and the segments that they belong to ------------------------------------------
#
# Rows with one number make a segment. Everything in this file is built on two linear ops that are each other's
# transpose, `segment_sum` and `_spread`, and on extremes and products within segments. Rows whose number is outside
# of [0, num_segments) belong to no segment.


def _inside(ids, count):
    """Which rows belong to a segment; None if all of them do."""
    if not ids.size or (ids.min() >= 0 and ids.max() < count):
        return None
    return (ids >= 0) & (ids < count)


def _sum_tangent(out, inputs, tangents, params):
    return _segment_sum(tangents[0], inputs[1], *params)


@custom(vjp=(lambda g, segment_ids: _spread(g, segment_ids), None), jvp=_sum_tangent, tensors=2,
        infer=lambda data, segment_ids, count: Spec((count, *data.shape[1:]), data.dtype))  # fmt: skip
def _segment_sum(data, segment_ids, count):
    """data (n, ...), segment_ids (n,) -> (count, ...)."""
    inside = _inside(segment_ids, count)
    if inside is not None:
        data, segment_ids = data[inside], segment_ids[inside]
    rest = data.shape[1:]
    return add_rows(count, segment_ids, data.reshape(data.shape[0], math.prod(rest))).reshape(count, *rest)


@custom(vjp=(lambda g, x_spec, segment_ids: _segment_sum(g, segment_ids, x_spec.shape[0]), None), tensors=2,
        jvp=lambda out, inputs, tangents, params: _spread(tangents[0], inputs[1]),
        infer=lambda x, segment_ids: Spec((*segment_ids.shape, *x.shape[1:]), x.dtype))  # fmt: skip
def _spread(x, segment_ids):
    """x (count, ...), segment_ids (n,) -> (n, ...). For each row what its segment has, and zeros for rows of none."""
    inside = _inside(segment_ids, x.shape[0])
    if inside is None:
        return x.take(segment_ids, 0)
    out = devices.module_of(x).zeros((*segment_ids.shape, *x.shape[1:]), x.dtype)
    out[inside] = x.take(segment_ids[inside], 0)
    return out


def _reduce(ufunc, data, ids, count, ordered, fill):
    """data (n, ...), ids (n,) -> (count, ...). A reduction by `ufunc` within segments, `fill` for empty ones."""
    xp = devices.module_of(data)
    out = xp.full((count, *data.shape[1:]), fill, data.dtype)
    inside = _inside(ids, count)
    if inside is not None:
        data, ids = data[inside], ids[inside]
    if not ids.size:
        return out
    if xp is not np:
        ufunc.at(out, ids, data)
        return out
    if not ordered:
        order = ids.argsort(kind="stable")
        data, ids = data[order], ids[order]
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    out[ids[starts]] = ufunc.reduceat(data, starts, axis=0)
    return out


def lowest(dtype):
    """The least value of `dtype`: -inf for floats."""
    return -math.inf if dtypes.is_inexact(dtype) else False if dtype == dtypes.bool_ else np.iinfo(dtype).min


def highest(dtype):
    """The greatest value of `dtype`: inf for floats."""
    return math.inf if dtypes.is_inexact(dtype) else True if dtype == dtypes.bool_ else np.iinfo(dtype).max


def _winners(out, data, segment_ids):
    """The share of each row in the extreme of its segment: ties share."""
    hits = (data == _spread(out, segment_ids)).astype(data.dtype)
    return hits / maximum(_spread(_segment_sum(hits, segment_ids, out.shape[0]), segment_ids), 1)


def _extreme_tangent(out, inputs, tangents, params):
    return _segment_sum(_winners(out, *inputs) * tangents[0], inputs[1], out.shape[0])


def _segment_spec(data, segment_ids, count, ordered):
    return Spec((count, *data.shape[1:]), data.dtype)


@custom(vjp=(lambda g, out, data, segment_ids: _winners(out, data, segment_ids) * _spread(g, segment_ids), None),
        jvp=_extreme_tangent, infer=_segment_spec, tensors=2)  # fmt: skip
def _segment_max(data, segment_ids, count, ordered):
    """data (n, ...), segment_ids (n,) -> (count, ...)."""
    return _reduce(np.maximum, data, segment_ids, count, ordered, lowest(data.dtype))


@custom(vjp=(lambda g, out, data, segment_ids: _winners(out, data, segment_ids) * _spread(g, segment_ids), None),
        jvp=_extreme_tangent, infer=_segment_spec, tensors=2)  # fmt: skip
def _segment_min(data, segment_ids, count, ordered):
    """data (n, ...), segment_ids (n,) -> (count, ...)."""
    return _reduce(np.minimum, data, segment_ids, count, ordered, highest(data.dtype))


def _others(data, segment_ids):
    """data (n, ...), segment_ids (n,) -> (n, ...). The product of the other rows of each row's segment.

    Written as products alone, so that zeros are exact in every order of derivatives: what stands before a row in its
    segment times what stands behind it, each gathered in log2(rows) doubling steps (Hillis & Steele, 1986).
    """
    ids = segment_ids._array
    xp = devices.module_of(ids)
    order = ids.argsort(kind="stable") if xp is np else ids.argsort()
    sorted_ids, back = ids[order], xp.empty_like(order)
    back[order] = xp.arange(ids.size)
    rows = _spread(data, from_array(order))
    return _spread(_before(rows, sorted_ids, 1) * _before(rows, sorted_ids, -1), from_array(back))


def _before(rows, ids, direction):
    """The product of the rows of the same segment before each row, or behind it for direction -1."""
    xp, size = devices.module_of(ids), ids.size
    place = xp.arange(size)

    def moved(x, step):
        source = (place - direction * step).clip(0, size - 1)
        same = (source == place - direction * step) & (ids[source] == ids)
        if not same.any():
            return None
        return where(from_array(same.reshape(-1, *[1] * (rows.ndim - 1))), _spread(x, from_array(source)), 1)

    out, step = moved(rows, 1), 1
    if out is None:
        return where(from_array(xp.zeros((), bool)), rows, 1)
    while True:
        further = moved(out, step)
        if further is None:
            return out
        out, step = out * further, 2 * step


def _prod_tangent(out, inputs, tangents, params):
    return _segment_sum(_others(*inputs) * tangents[0], inputs[1], out.shape[0])


@custom(vjp=(lambda g, data, segment_ids: _others(_conjugate(data), segment_ids) * _spread(g, segment_ids), None),
        jvp=_prod_tangent, infer=_segment_spec, tensors=2)  # fmt: skip
def _segment_prod(data, segment_ids, count, ordered):
    """data (n, ...), segment_ids (n,) -> (count, ...)."""
    return _reduce(np.multiply, data, segment_ids, count, ordered, 1)


def _conjugate(x):
    return x.conj() if dtypes.is_complex(x.dtype) else x


def _segments(where, data, segment_ids, num_segments):
    """The arguments of a segment op, checked: data, ids and how many segments there are."""
    data, ids = convert_to_tensor(data), as_indices(where, segment_ids, "segment_ids")
    if ids.ndim != 1 or not data.ndim or data.shape[0] != ids.shape[0]:
        raise ShapeError(where, "segment_ids is a vector with a number for each row of data",
                         f"data {data.shape}, segment_ids {ids.shape}", "flatten the leading axes of both")  # fmt: skip
    if num_segments is None:
        num_segments = int(ids._array.max()) + 1 if ids.size else 0
    if isinstance(num_segments, bool) or not hasattr(num_segments, "__index__") or num_segments.__index__() < 0:
        raise ArgumentError(
            where, "num_segments is an int of at least 0", f"got {num_segments!r}", "leave it out to count the segments"
        )
    return data, ids, builtins.max(num_segments.__index__(), 0)


def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """data (n, ...), segment_ids (n,) int -> (num_segments, ...). The sum of the rows that share a number.

    Args:
        data: a tensor.
        segment_ids: the segment of each row, in any order; rows outside of [0, num_segments) are left out.
        num_segments: how many segments there are; by default the largest number plus one. Empty ones give 0.
        sorted: a promise that segment_ids ascend, which saves sorting where that is needed.

    Raises:
        ShapeError: if segment_ids is no vector with a number for each row.
        DTypeError: if segment_ids are not integers.

    Example:
        >>> edl.segment_sum([1.0, 2.0, 4.0], [0, 2, 0], num_segments=4)
        Tensor(shape=(4,), dtype=float32, [5. 0. 2. 0.])
    """
    return _segment_sum(*_segments("segment_sum", data, segment_ids, num_segments))


def segment_max(data, segment_ids, num_segments=None, sorted=False):
    """data (n, ...), segment_ids (n,) int -> (num_segments, ...). The largest of the rows that share a number.

    The arguments are those of `segment_sum`. Empty segments give the least value of the dtype, -inf for floats. Ties
    share the gradient.

    Example:
        >>> edl.segment_max([1.0, 2.0, 4.0], [0, 2, 0], num_segments=3)
        Tensor(shape=(3,), dtype=float32, [  4. -inf   2.])
    """
    return _segment_max(*_segments("segment_max", data, segment_ids, num_segments), bool(sorted))


def segment_min(data, segment_ids, num_segments=None, sorted=False):
    """data (n, ...), segment_ids (n,) int -> (num_segments, ...). The smallest of the rows that share a number.

    The arguments are those of `segment_sum`. Empty segments give the greatest value of the dtype, inf for floats. Ties
    share the gradient.

    Example:
        >>> edl.segment_min([1.0, 2.0, 4.0], [0, 2, 0], num_segments=3)
        Tensor(shape=(3,), dtype=float32, [ 1. inf  2.])
    """
    return _segment_min(*_segments("segment_min", data, segment_ids, num_segments), bool(sorted))


def segment_prod(data, segment_ids, num_segments=None, sorted=False):
    """data (n, ...), segment_ids (n,) int -> (num_segments, ...). The product of the rows that share a number.

    The arguments are those of `segment_sum`. Empty segments give 1. The gradient is exact where factors are 0.

    Example:
        >>> edl.segment_prod([3.0, 2.0, 4.0], [0, 2, 0], num_segments=3)
        Tensor(shape=(3,), dtype=float32, [12.  1.  2.])
    """
    return _segment_prod(*_segments("segment_prod", data, segment_ids, num_segments), bool(sorted))


# -- places in a tensor -----------------------------------------------------------------------------


@custom(infer=lambda indices, shape: Spec(indices.shape[:-1], np.dtype(np.intp)))
def _flat_index(indices, shape):
    """indices (m..., k) -> (m...). The places that multi-indices into the axes `shape` name, counted in row order."""
    xp = devices.module_of(indices)
    flat = xp.zeros(indices.shape[:-1], np.intp)
    for axis, n in enumerate(shape):
        check_bounds("scatter", indices[..., axis], n, axis=axis)
        flat = flat * n + positive(indices[..., axis], n)
    return flat


def _places(where, indices, shape, values=None, name="values"):
    """Multi-indices (m..., k) into a tensor of `shape`: flat places (rows,), how many there are, and `values` as rows.

    Raises:
        ShapeError: if there are too many indices, or the values have another shape.
        RangeError: if an index is out of bounds.
    """
    indices = as_indices(where, indices)
    if not indices.ndim or indices.shape[-1] > len(shape):
        raise ShapeError(where, f"the last axis of indices names at most the {len(shape)} axes of shape {shape}",
                         f"indices {indices.shape}", "for a vector, give indices of shape (n, 1)")  # fmt: skip
    k = indices.shape[-1]
    count = math.prod(shape[:k])
    try:
        flat = reshape(_flat_index(indices, shape[:k]), (-1,))
    except RangeError as error:
        raise RangeError(where, *error.args[1:]) from None
    if values is None:
        return flat, count
    needed = (*indices.shape[:-1], *shape[k:])
    try:
        fits = np.broadcast_shapes(values.shape, needed) == needed
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(where,
            f"{name} must have shape {needed}: that of indices without its last axis, then the axes left of {shape}",
                         f"got {values.shape}", "check the order of the axes")  # fmt: skip
    values = values if values.shape == needed else values.broadcast_to(needed)
    return flat, count, reshape(values, (flat.shape[0], *shape[k:]))


def scatter(indices, values, shape):
    """indices (m..., k) int, values (m..., the axes left of shape) -> shape. Zeros, with values added at the indices.

    Args:
        indices: in its last axis, indices into the first k axes of the result; negative ones count from the end.
        values: what is added; where indices coincide, values add up.
        shape: the shape of the result.

    Raises:
        RangeError: if an index is out of bounds.
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.scatter([[0], [2], [0]], [1.0, 2.0, 5.0], (4,))
        Tensor(shape=(4,), dtype=float32, [6. 0. 2. 0.])
    """
    shape = shape_of("scatter", shape)
    flat, count, rows = _places("scatter", indices, shape, convert_to_tensor(values))
    return reshape(_segment_sum(rows, flat, count), shape)


def gather_nd(x, indices):
    """x (n...), indices (m..., k) int -> (m..., the axes left of x). What stands there: the transpose of `scatter`."""
    indices = as_indices("gather_nd", indices)
    flat, count = _places("gather_nd", indices, x.shape)
    k = indices.shape[-1]
    return reshape(_spread(reshape(x, (count, *x.shape[k:])), flat), (*indices.shape[:-1], *x.shape[k:]))


def _last(flat, count):
    """Which of the writes at `flat` remain, because none at the same place comes behind them."""
    xp = devices.module_of(flat)
    order = xp.arange(flat.size)
    last = xp.zeros(count, order.dtype)
    xp.maximum.at(last, flat, order)
    return last[flat] == order


@custom(vjp=(lambda g, flat, rows_spec: _replace(g, flat, _nothing(rows_spec, g)), None, lambda g, flat: _written(g,
    flat)),
        jvp=lambda out, inputs, tangents, params: _replace_tangent(inputs, tangents),
        infer=lambda x, flat, rows: Spec(x.shape, x.dtype), tensors=3)  # fmt: skip
def _replace(x, flat, rows):
    """x (count, ...), flat (n,), rows (n, ...) -> x with the rows put at `flat`; the last of several stays."""
    out = x.copy()
    if devices.module_of(x) is np:
        out[flat] = rows  # NumPy writes one row after the other
    else:
        last = _last(flat, x.shape[0])
        out[flat[last]] = rows[last]
    return out


def _nothing(spec, like):
    """Zeros of `spec` on the device of `like`."""
    return from_array(devices.module_of(like._array).zeros(spec.shape, spec.dtype))


@custom(vjp=(lambda g, x_spec, flat: _segment_sum(g * _remaining(g, flat, x_spec.shape[0]), flat, x_spec.shape[0]),
    None), tensors=2,
        jvp=lambda out, inputs, tangents, params: _written(tangents[0], inputs[1]),
        infer=lambda x, flat: Spec((*flat.shape, *x.shape[1:]), x.dtype))  # fmt: skip
def _written(x, flat):
    """x (count, ...), flat (n,) -> (n, ...). What stands at `flat`, with zeros for writes that were overwritten."""
    last = _last(flat, x.shape[0])
    return x.take(flat, 0) * last.reshape(-1, *[1] * (x.ndim - 1)).astype(x.dtype)


def _remaining(rows, flat, count):
    """1 for the writes that remain, 0 for the others, to multiply `rows` by."""
    last = _last(flat._array, count)
    return from_array(last.reshape(-1, *[1] * (rows.ndim - 1)).astype(rows.dtype))


def _replace_tangent(inputs, tangents):
    (x, flat, rows), (dx, _, drows) = inputs, tangents
    return _replace(_nothing(x, x) if dx is None else dx, flat, _nothing(rows, rows) if drows is None else drows)


REDUCTIONS = (None, "add", "max", "min", "mul")


def scatter_update(inputs, indices, updates, reduction=None):
    """inputs (n...), indices (m..., k) int, updates (m..., axes left of inputs) -> (n...). Inputs with updates written.

    Args:
        inputs: a tensor.
        indices: in its last axis, indices into the first k axes of inputs; negative ones count from the end.
        updates: what is written; cast to the dtype of inputs.
        reduction: None replaces, and the last of several updates of one place stays; "add", "max", "min" and "mul"
            combine all updates of a place with what was there.

    Raises:
        RangeError: if an index is out of bounds.
        ShapeError: if the shapes do not fit.
        ArgumentError: for another reduction.

    Example:
        >>> edl.scatter_update([0.0, 0.0, 0.0], [[0], [2], [0]], [1.0, 2.0, 3.0])
        Tensor(shape=(3,), dtype=float32, [3. 0. 2.])
        >>> edl.scatter_update([0.0, 0.0, 0.0], [[0], [2], [0]], [1.0, 2.0, 3.0], reduction="add")
        Tensor(shape=(3,), dtype=float32, [4. 0. 2.])
    """
    name = reduction.lower() if isinstance(reduction, str) else reduction
    if name not in REDUCTIONS:
        raise ArgumentError("scatter_update", f"reduction is one of {', '.join(map(repr, REDUCTIONS))}",
            f"got {reduction!r}",
                            "use 'add' to add updates up")  # fmt: skip
    inputs, updates = convert_to_tensor(inputs), convert_to_tensor(updates)
    if dtypes.is_complex(updates.dtype) and not dtypes.is_complex(inputs.dtype):
        raise DTypeError(
            "scatter_update",
            f"updates of {inputs.dtype} inputs are real",
            f"got {updates.dtype}",
            "use edl.real(updates)",
        )
    flat, count, rows = _places("scatter_update", indices, inputs.shape, updates.astype(inputs.dtype), "updates")
    x = reshape(inputs, (count, *rows.shape[1:]))
    return reshape(_COMBINE[name](x, flat, rows, count), inputs.shape)


_COMBINE = {
    None: lambda x, flat, rows, count: _replace(x, flat, rows),
    "add": lambda x, flat, rows, count: x + _segment_sum(rows, flat, count),
    "mul": lambda x, flat, rows, count: x * _segment_prod(rows, flat, count, False),
    "max": lambda x, flat, rows, count: maximum(x, _segment_max(rows, flat, count, False)),
    "min": lambda x, flat, rows, count: minimum(x, _segment_min(rows, flat, count, False)),
}
