"""Batch normalization by the statistics of the batch itself: what training mode does, in few passes over the batch.

`normalize_by_batch` walks through pieces of the batch that stay in the cache. Few channels on the last axis would make short
inner loops, so that several rows are seen as one long one, with the statistics repeated.
"""

import builtins
import math
from typing import Any, NamedTuple

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, vjp
from eagerdl.errors import ShapeError
from eagerdl.ops.conversion import cast
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.reduction import mean as mean_of
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import broadcast_to, normalize_axis, reshape
from eagerdl.ops.statistics import var

__all__ = ["normalize_by_batch"]

PIECE = 1 << 16  # elements that are worked on at once
WIDTH = 512  # how long rows are made


class View(NamedTuple):
    """How a batch is seen: its array as (rows, channels) or (rows, channels, inner), and what statistics need to fit it."""

    array: Any
    repeat: int  # how often the channels come in a row
    per_channel: tuple  # the shape of statistics that broadcast
    over: Any  # the axes of the sums over a piece
    products: str  # the same for products, as einsum has it
    step: int  # rows in a piece
    elements: int  # of a channel

    def pieces(self):
        return [slice(i, i + self.step) for i in builtins.range(0, len(self.array), self.step)]

    def spread(self, statistic, dtype):
        """statistic (c,) in the shape that broadcasts."""
        statistic = statistic.astype(dtype, copy=False)
        if self.repeat != 1:
            statistic = devices.module_of(statistic).tile(statistic, self.repeat)
        return statistic.reshape(self.per_channel)

    def fold(self, sums):
        """Sums of columns -> the sums (c,) of the channels."""
        return sums.reshape(self.repeat, -1).sum(0) if self.repeat != 1 else sums


def _view(x, axis):
    outer, channels, inner = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    count = outer * inner
    if inner == 1:
        repeat = 1
        while channels * repeat < WIDTH and outer and outer % (2 * repeat) == 0:
            repeat *= 2
        width = channels * repeat
        array, shape, over, products = x.reshape(outer // repeat, width), (width,), 0, "mc,mc->c"
    else:
        repeat, width = 1, channels * inner
        array, shape, over, products = x.reshape(outer, channels, inner), (channels, 1), (0, 2), "mci,mci->c"
    on_cpu = devices.module_of(x) is np
    step = builtins.max(1, PIECE // builtins.max(width, 1)) if on_cpu else builtins.max(1, len(array))
    return View(array, repeat, shape, over, products, step, builtins.max(count, 1))


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


@custom(vjp=_moments_vjp, infer=_moments_specs, several=True, variadic=True)
def _batch_moments(xs, axis):
    """xs: x (..., c, ...) -> mean, variance (c,), which is the mean squared distance from the mean."""
    (x,) = xs
    view, dtype = _view(x, axis), work_dtype(x.dtype)
    xp = devices.module_of(x)
    total = xp.zeros(view.per_channel[0], np.float64)  # a sum of sums: no digits of a long batch are lost
    for piece in view.pieces():
        total += np.add.reduce(view.array[piece], view.over, dtype)
    mean = view.fold(total) / view.elements
    center = view.spread(mean, dtype)
    total = xp.zeros(view.per_channel[0], np.float64)
    for piece in view.pieces():
        distance = view.array[piece] - center
        total += xp.einsum(view.products, distance, distance)
    variance = view.fold(total) / view.elements
    return mean.astype(dtype), variance.astype(dtype)


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


@custom(vjp=_grad_vjp, infer=_grad_specs, several=True, variadic=True)
def _batch_grad(xs, flags, axis, epsilon, offset_dtype):
    """xs: g, x, mean, variance, scale if flags[0] -> the cotangents of x, and of scale and offset as far as flagged."""
    g, x, mean, variance = xs[:4]
    xp, view, dtype = devices.module_of(x), _view(x, axis), work_dtype(x.dtype)
    cotangents = g.reshape(view.array.shape)
    factor = 1 / np.sqrt(variance + dtype.type(epsilon))
    center, wide_factor = view.spread(mean, dtype), view.spread(factor, dtype)
    of_scale, of_offset = xp.zeros(view.per_channel[0], np.float64), xp.zeros(view.per_channel[0], np.float64)
    out = xp.empty(view.array.shape, dtype)  # holds the standardized x until the sums are known
    for piece in view.pieces():
        standard = np.subtract(view.array[piece], center, out=out[piece])
        standard *= wide_factor
        y = cotangents[piece].astype(dtype, copy=False)
        of_scale += xp.einsum(view.products, y, standard)
        of_offset += np.add.reduce(y, view.over, dtype)
    of_scale, of_offset = view.fold(of_scale), view.fold(of_offset)
    outer = factor * xs[4].astype(dtype) if flags[0] else factor
    along, middle = view.spread(of_scale / view.elements, dtype), view.spread(of_offset / view.elements, dtype)
    outer = view.spread(outer, dtype)
    for piece in view.pieces():
        part = out[piece]
        part *= along
        part += middle
        np.subtract(cotangents[piece], part, out=part)
        part *= outer
    results = [out.reshape(x.shape).astype(x.dtype, copy=False)]
    if flags[0]:
        results.append(of_scale.astype(xs[4].dtype))
    if flags[1]:
        results.append(of_offset.astype(offset_dtype))
    return tuple(results)


def _normalize_vjp(g, xs, flags, axis, epsilon):
    given = [*xs[:3], *xs[3:4]] if flags[0] else list(xs[:3])
    of_x, *rest = _batch_grad([g, *given], flags, axis, epsilon, xs[-1].dtype)
    return [of_x, None, None, *rest]


@custom(vjp=_normalize_vjp, variadic=True, infer=lambda xs, flags, axis, epsilon: Spec(xs[0].shape, xs[0].dtype))
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
    out = devices.module_of(x).empty(view.array.shape, x.dtype)
    for piece in view.pieces():
        part = view.array[piece] - center
        part *= factor
        if offset is not None:
            part += offset
        out[piece] = part
    return out.reshape(x.shape)


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
