"""Batch normalization by the statistics of the batch itself: what training mode does, in few passes over the batch.

Sums are those of blocks of rows, added up in float64: no digits of a long batch are lost, and blocks stay in the cache and are
shared by threads. Few channels on the last axis would make short inner loops, so that several rows are seen as one long one, with
the statistics repeated. In a trace, and on a GPU, the same is computed from whole arrays.
"""

import builtins
import math
from typing import Any, NamedTuple

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, vjp
from eagerdl.errors import ShapeError
from eagerdl.kernels import threads
from eagerdl.ops.conversion import cast
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.reduction import mean as mean_of
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import broadcast_to, normalize_axis, reshape
from eagerdl.ops.statistics import var

__all__ = ["normalize_by_batch"]

BLOCK = 1 << 14  # elements, about, whose sums are added up in float64
PIECE = 1 << 17  # elements that are worked on at once
WIDTH = 512  # how long rows are made


class View(NamedTuple):
    """How a batch is seen: as blocks of rows, (blocks, rows, channels), or as (outer, channels, inner).

    Attributes:
        whole: the batch as (rows, channels) or (outer, channels, inner).
        blocks: the same as one or two arrays of three axes; the last rows may make a smaller block.
        over: the axis that the sum of a block is over.
        repeat: how often the channels come in a row.
        per_channel: the shape of statistics that broadcast.
        elements: of a channel.
    """

    whole: Any
    blocks: list
    over: int
    repeat: int
    per_channel: tuple
    elements: int

    def like(self, array):
        """An array of as many elements, seen in the same way."""
        whole = array.reshape(self.whole.shape)
        return self._replace(whole=whole, blocks=_blocks(whole))

    def pieces(self):
        """Indices (block, part of it), each about PIECE elements."""
        found = []
        for number, block in enumerate(self.blocks):
            step = builtins.max(1, PIECE // builtins.max(math.prod(block.shape[1:]), 1))
            found += [(number, slice(i, i + step)) for i in builtins.range(0, len(block), step)]
        return found

    def spread(self, statistic, dtype):
        """statistic (c,) in the shape that broadcasts."""
        statistic = statistic.astype(dtype, copy=False)
        if self.repeat != 1:
            xp = devices.module_of(statistic)
            statistic = xp.broadcast_to(statistic, (self.repeat, *statistic.shape))
        return statistic.reshape(self.per_channel)

    def sums(self, work, dtype, *others):
        """The sums over the batch that `work` has parts of, (c,) in float64.

        Args:
            work: a function (*parts, room) -> a list of sums over the axis `over` of parts of blocks.
            dtype: that of `room`, an array like a part, in which `work` may leave what it needs, or None.
            others: Views of arrays that go with this one.
        """
        views = (self, *others)
        if not isinstance(self.whole, np.ndarray):
            parts = [work(*blocks, None) for blocks in zip(*[view.blocks for view in views], strict=True)]
        else:
            parts = self._shared(lambda index, room: work(*[view._part(index) for view in views], room), dtype)
        return [self._total(found) for found in zip(*parts, strict=True)]

    def mapped(self, work, dtype, *others):
        """An array like `whole` that ``work(*parts, out)`` computes element by element; `out` may be None."""
        views = (self, *others)
        if not isinstance(self.whole, np.ndarray):
            return work(*[view.whole for view in views], None).astype(dtype, copy=False)
        made = self.like(np.empty(self.whole.shape, dtype))
        self._shared(lambda index, _: work(*[view._part(index) for view in views], made._part(index)))
        return made.whole

    def _part(self, index):
        number, part = index
        return self.blocks[number][part]

    def _shared(self, work, dtype=None):
        """``[work(index, room) for index in self.pieces()]``, shared by threads."""
        pieces = self.pieces()

        def share(mine):
            found, room = [], None
            for index in pieces[mine]:
                shape = self._part(index).shape
                if dtype is not None and (room is None or room.shape != shape):
                    room = np.empty(shape, dtype)
                found.append(work(index, room))
            return found

        slices = threads.cut(len(pieces), self.whole.nbytes)
        return [one for found in threads.each(share, slices) for one in found]

    def _total(self, parts):
        """Sums of blocks, arrays (blocks, channels) -> sums (c,) in float64."""
        whole = parts[0] if len(parts) == 1 else devices.module_of(parts[0]).concatenate(parts)
        sums = np.add.reduce(whole.astype(np.float64), 0)
        return np.add.reduce(sums.reshape(self.repeat, -1), 0) if self.repeat != 1 else sums


def _view(x, axis):
    outer, channels, inner = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    elements = builtins.max(outer * inner, 1)
    if inner != 1:
        whole = x.reshape(outer, channels, inner)
        return View(whole, [whole], 2, 1, (channels, 1), elements)
    repeat = 1
    while channels * repeat < WIDTH and outer and outer % (2 * repeat) == 0:
        repeat *= 2
    whole = x.reshape(outer // repeat, channels * repeat)
    return View(whole, _blocks(whole), 1, repeat, (channels * repeat,), elements)


def _blocks(whole):
    """The blocks of an array as a View sees it."""
    if whole.ndim == 3:
        return [whole]
    rows, width = whole.shape
    length = builtins.max(1, BLOCK // builtins.max(width, 1))
    count = rows // length
    if count * length == rows:
        return [whole.reshape(count, length, width)]
    last = whole[count * length :].reshape(1, -1, width)
    return [whole[: count * length].reshape(count, length, width), last] if count else [last]


def work_dtype(dtype):
    """Half precision is computed in float32, in which sums over a batch neither overflow nor lose their digits."""
    return dtypes.float32 if dtype.itemsize == 2 else dtype


def _others(ndim, axis):
    return tuple([i for i in builtins.range(ndim) if i != axis])


def _per_channel(statistic, x, axis):
    """A tensor (c,) in the shape in which it broadcasts against x."""
    return statistic if axis == x.ndim - 1 else reshape(statistic, (-1, *(1,) * (x.ndim - axis - 1)))


# -- the statistics -------------------------------------------------------------------------------


def _moments_vjp(g, xs, axis):
    (x,) = xs
    count = math.prod(x.shape) // builtins.max(x.shape[axis], 1)
    out = None
    if g[0] is not None:
        out = broadcast_to(_per_channel(g[0] / count, x, axis), x.shape)
    if g[1] is not None:
        wide = cast(x, work_dtype(x.dtype))
        distance = wide - mean_of(wide, _others(x.ndim, axis), True)
        term = distance * _per_channel(g[1] * (2 / count), x, axis)
        out = term if out is None else out + term
    return [None if out is None else cast(out, x.dtype)]


def _moments_specs(xs, axis):
    spec = Spec((xs[0].shape[axis],), work_dtype(xs[0].dtype))
    return spec, spec


@custom(vjp=_moments_vjp, infer=_moments_specs, several=True, variadic=True, heavy=True)
def _batch_moments(xs, axis):
    """xs: x (..., c, ...) -> mean, variance (c,), which is the mean squared distance from the mean."""
    (x,) = xs
    view, dtype = _view(x, axis), work_dtype(x.dtype)
    (total,) = view.sums(lambda part, _: [np.add.reduce(part, view.over, dtype)], None)
    mean = total / view.elements
    center = view.spread(mean, dtype)

    def squares(part, room):
        distance = np.subtract(part, center, out=room)
        return [np.add.reduce(np.multiply(distance, distance, out=room), view.over)]

    (total,) = view.sums(squares, dtype)
    return mean.astype(dtype), (total / view.elements).astype(dtype)


# -- normalization --------------------------------------------------------------------------------


def _grad_in_ops(flags, axis, epsilon):
    """The function (g, x, scale?) -> the cotangents of x, scale, offset that `_batch_grad` computes, in ops."""

    def gradient(g, x, scale=None):
        over = _others(x.ndim, axis)
        work = work_dtype(x.dtype)
        g, x = cast(g, work), cast(x, work)
        factor = 1 / sqrt(var(x, over, True) + epsilon)
        standard = (x - mean_of(x, over, True)) * factor
        v = g if scale is None else g * _per_channel(cast(scale, work), x, axis)
        results = [factor * (v - mean_of(v, over, True) - standard * mean_of(v * standard, over, True))]
        if flags[0]:
            results.append(sum(g * standard, over))
        if flags[1]:
            results.append(sum(g, over))
        return results

    return gradient


def _grad_vjp(g, xs, flags, axis, epsilon, offset_dtype):
    """The transposed derivative of `_batch_grad`: that of the same formula in ops."""
    there = [one is not None for one in g]
    function = _grad_in_ops(flags, axis, epsilon)
    inputs = [xs[0], xs[1], *xs[4:]]
    dtypes_out = [xs[1].dtype, *[x.dtype for x in xs[4:]], *[offset_dtype] * flags[1]]

    def wanted(*inputs):
        found = [cast(one, dtype) for one, dtype in zip(function(*inputs), dtypes_out, strict=True)]
        return [one for one, has in zip(found, there, strict=True) if has]

    back = vjp(wanted, *inputs)[1]([one for one in g if one is not None])
    return [back[0], back[1], None, None, *back[2:]]


def _grad_specs(xs, flags, axis, epsilon, offset_dtype):
    x = xs[1]
    specs = [Spec(x.shape, x.dtype)]
    if flags[0]:
        specs.append(Spec(xs[4].shape, xs[4].dtype))
    if flags[1]:
        specs.append(Spec((x.shape[axis],), offset_dtype))
    return tuple(specs)


@custom(vjp=_grad_vjp, infer=_grad_specs, several=True, variadic=True, heavy=True)
def _batch_grad(xs, flags, axis, epsilon, offset_dtype):
    """xs: g, x, mean, variance, scale if flags[0] -> the cotangents of x, and of scale and offset as far as flagged."""
    g, x, mean, variance = xs[:4]
    view, dtype = _view(x, axis), work_dtype(x.dtype)
    cotangents = view.like(g)
    factor = 1 / np.sqrt(variance + dtype.type(epsilon))
    center, wide_factor = view.spread(mean, dtype), view.spread(factor, dtype)

    def sums(part, y, room):
        standard = np.multiply(np.subtract(part, center, out=room), wide_factor, out=room)
        of_offset = np.add.reduce(y, view.over, dtype)
        return [np.add.reduce(np.multiply(y, standard, out=room), view.over), of_offset]

    of_scale, of_offset = view.sums(sums, dtype, cotangents)
    outer = view.spread(factor * xs[4].astype(dtype) if flags[0] else factor, dtype)
    along = view.spread((of_scale / view.elements).astype(dtype) * factor, dtype)
    middle = view.spread(of_offset / view.elements, dtype)

    def pulled(part, y, out):
        out = np.multiply(np.subtract(part, center, out=out), along, out=out)
        out = np.subtract(y, np.add(out, middle, out=out), out=out)
        return np.multiply(out, outer, out=out)

    results = [view.mapped(pulled, dtype, cotangents).reshape(x.shape).astype(x.dtype, copy=False)]
    if flags[0]:
        results.append(of_scale.astype(xs[4].dtype))
    if flags[1]:
        results.append(of_offset.astype(offset_dtype))
    return tuple(results)


def _normalize_vjp(g, xs, flags, axis, epsilon):
    given = [*xs[:3], *xs[3:4]] if flags[0] else list(xs[:3])
    of_x, *rest = _batch_grad([g, *given], flags, axis, epsilon, xs[-1].dtype)
    return [of_x, None, None, *rest]


@custom(vjp=_normalize_vjp, variadic=True, heavy=True,
        infer=lambda xs, flags, axis, epsilon: Spec(xs[0].shape, xs[0].dtype))  # fmt: skip
def _normalize_batch(xs, flags, axis, epsilon):
    """xs: x, mean, variance, scale if flags[0], offset if flags[1] -> x normalized.

    The derivative counts mean and variance as functions of x, which they must be: those of `_batch_moments`.
    """
    x, mean, variance = xs[:3]
    view, dtype = _view(x, axis), work_dtype(x.dtype)
    factor = 1 / np.sqrt(variance + dtype.type(epsilon))
    if flags[0]:
        factor = factor * xs[3]
    center, factor = view.spread(mean, dtype), view.spread(factor, dtype)
    offset = view.spread(xs[-1], dtype) if flags[1] else None

    def normalized(part, out):
        out = np.multiply(np.subtract(part, center, out=out), factor, out=out)
        return out if offset is None else np.add(out, offset, out=out)

    return view.mapped(normalized, dtype).reshape(x.shape).astype(x.dtype, copy=False)


def normalize_by_batch(x, scale=None, offset=None, axis=-1, epsilon=1e-3):
    """x (..., c, ...), scale, offset (c,) -> (..., c, ...), mean (c,), variance (c,). Normalized by its own statistics.

    It is ``scale * (x - mean) / sqrt(variance + epsilon) + offset`` with mean and variance of each channel over all other
    axes. Gradients flow through the statistics.

    Args:
        x: a floating tensor; of half precision it is computed in float32, and the statistics are float32.
        scale, offset: what the normalized values are multiplied by and shifted by, or None.
        axis: the axis of the channels.
        epsilon: keeps the root away from 0.

    Raises:
        ShapeError: if scale or offset are not one number for each channel.

    Example:
        >>> from eagerdl.ops.batch_statistics import normalize_by_batch
        >>> y, mean, variance = normalize_by_batch(edl.constant([[1.0], [3.0]]), epsilon=0.0)
        >>> y.tolist(), mean.tolist(), variance.tolist()
        ([[-1.0], [1.0]], [2.0], [1.0])

    Source: Ioffe & Szegedy, 2015, arXiv:1502.03167.
    """
    axis = normalize_axis("normalize_by_batch", axis, x.ndim)
    for name, one in (("scale", scale), ("offset", offset)):
        if one is not None and one.shape != (x.shape[axis],):
            raise ShapeError("normalize_by_batch", f"{name} must hold one number for each of the {x.shape[axis]} channels",
                             f"{name} {one.shape}, x {x.shape}, axis={axis}", "check the axis")  # fmt: skip
    mean, variance = _batch_moments([x], axis)
    flags = (scale is not None, offset is not None)
    xs = [x, mean, variance, *[one for one in (scale, offset) if one is not None]]
    return _normalize_batch(xs, flags, axis, epsilon), mean, variance
