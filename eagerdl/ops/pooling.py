"""Pooling: the maximum or the average of sliding windows, or of as many regions as asked for.

Windows are walked through tap by tap: for each place in the window, one strided slice of the input holds what all
windows have there. Sums and maxima of boxes are those of rows, then of columns, so the axes take their turns.
"""

import builtins
import itertools
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.errors import ShapeError
from eagerdl.kernels.windows import Window, padded, wide
from eagerdl.ops.convolution import padding_of, per_axis, spatial_input, to_channels_last, window_of
from eagerdl.ops.linalg import matmul
from eagerdl.ops.shape import reshape
from eagerdl.tensor import from_array

__all__ = ["adaptive_average_pool", "adaptive_max_pool", "average_pool", "max_pool"]

FEW_TAPS = 8  # windows without overlap that are longer are reduced as an axis of their own
MANY_TAPS = 32  # of windows that are longer it is not noted which tap holds the maximum


def _lowest(dtype):
    """What is no larger than any number of `dtype`."""
    if dtypes.is_integer(dtype):
        return np.iinfo(dtype).min
    return False if dtype == dtypes.bool_ else -np.inf


def _reduce_windows(x, window, ufunc):
    """x (n, *span, c) -> (n, *out, c): each window reduced by `ufunc`, one axis after the other."""
    for axis in builtins.range(len(window.out), 0, -1):
        out, taps, stride = window.out[axis - 1], window.kernel[axis - 1], window.strides[axis - 1]
        lead = (slice(None),) * axis
        if taps == stride and taps > FEW_TAPS:
            blocks = x[(*lead, slice(0, out * taps))].reshape(*x.shape[:axis], out, taps, *x.shape[axis + 1 :])
            x = blocks.max(axis + 1) if ufunc is np.maximum else blocks.sum(axis + 1, dtype=x.dtype)
            continue
        slices = [x[(*lead, slice(t, t + (out - 1) * stride + 1, stride))] for t in builtins.range(taps)]
        x = slices[0].copy() if taps == 1 else ufunc(slices[0], slices[1])
        for one in slices[2:]:
            ufunc(x, one, out=x)
    return x


def _first_hits(x, out, window):
    """For each tap: its slices, and where the window has its first maximum there; x is padded."""
    free = None
    for _, places in window.taps():
        where = (slice(None), *places)
        hit = x[where] == out
        if free is None:
            free = ~hit
        else:
            hit &= free
            free ^= hit
        yield where, hit


# -- maximum ------------------------------------------------------------------------------------


@custom(vjp=lambda g, out, x, window: _to_maximum(g, x, out, window),
        jvp=lambda out, inputs, tangents, params: _at_maximum(tangents[0], inputs[0], out, *params),
        infer=lambda x, window: Spec((x.shape[0], *window.out, x.shape[-1]), x.dtype))  # fmt: skip
def _max_pool(x, window):
    """x (n, *size, c) -> (n, *out, c)."""
    return _reduce_windows(padded(x, window, _lowest(x.dtype)), window, np.maximum)


@custom(
    vjp=(lambda g, x, y, window: _at_maximum(g, x, y, window), None, None),
    tensors=3,
    heavy=True,
    jvp=lambda out, inputs, tangents, params: (
        None if tangents[0] is None else _to_maximum(tangents[0], *inputs[1:], *params)
    ),
    infer=lambda g, x, y, window: Spec(x.shape, g.dtype),
)
def _to_maximum(g, x, y, window):
    """g (n, *out, c) -> (n, *size, c): each element goes to the place in x of the first maximum y of its window."""
    if isinstance(g, devices.StandIn) and _are_tiles(window):
        return _to_maximum_of_tiles(g, x, y, window)
    xp = devices.module_of(g)
    space = xp.zeros((x.shape[0], *window.span(), x.shape[-1]), g.dtype)
    bits = np.dtype(f"int{8 * g.dtype.itemsize}")  # 0 or 1 times the bits selects, also where g is infinite
    apart = builtins.all(s >= k for s, k in zip(window.strides, window.kernel, strict=True))
    for where, hit in _first_hits(padded(x, window, _lowest(x.dtype)), y, window):
        if apart:
            np.multiply(g.view(bits), hit, out=space.view(bits)[where])
        else:
            space[where] += (g.view(bits) * hit).view(g.dtype)
    return space[(slice(None), *window.inner())]


def _are_tiles(window):
    """True if windows lie side by side and cover all of the input."""
    tiled = tuple([n * k for n, k in zip(window.out, window.kernel, strict=True)])
    plain = window.kernel == window.strides and not any(window.before) and set(window.dilation) <= {1}
    return plain and tiled == window.size and math.prod(window.kernel) <= MANY_TAPS


def _to_maximum_of_tiles(g, x, y, window):
    """The same in calls that traces fuse: one kernel notes which tap of each window has the maximum, one moves g there."""
    xp, kernel = devices.module_of(g), window.kernel
    n, *out, c = y.shape
    tiles = x.reshape(n, *itertools.chain(*zip(out, kernel, strict=True)), c)
    first = xp.full(y.shape, -1, np.int8)  # where a window holds NaNs there is no maximum
    for number, tap in reversed([*enumerate(np.ndindex(kernel))]):
        where = (slice(None), *itertools.chain(*[(slice(None), t) for t in tap]))
        first = xp.where(tiles[where] == y, np.int8(number), first)
    numbers = xp.arange(math.prod(kernel), dtype=np.int8).reshape(1, *itertools.chain(*[(1, k) for k in kernel]), 1)
    apart = (n, *itertools.chain(*[(size, 1) for size in out]), c)
    return xp.where(first.reshape(apart) == numbers, g.reshape(apart), g.dtype.type(0)).reshape(x.shape)


@custom(
    vjp=(lambda g, x, y, window: _to_maximum(g, x, y, window), None, None),
    tensors=3,
    jvp=lambda out, inputs, tangents, params: (
        None if tangents[0] is None else _at_maximum(tangents[0], *inputs[1:], *params)
    ),
    infer=lambda t, x, y, window: Spec(y.shape, t.dtype),
)
def _at_maximum(t, x, y, window):
    """t (n, *size, c) -> (n, *out, c): the elements of t where x has the first maxima y; transpose of the above."""
    xp = devices.module_of(t)
    space, out = padded(t, window), xp.zeros(y.shape, t.dtype)
    for where, hit in _first_hits(padded(x, window, _lowest(x.dtype)), y, window):
        out = xp.where(hit, space[where], out)
    return out


# -- sum ----------------------------------------------------------------------------------------


@linear(transpose=lambda g, window: _spread_pool(g, window),
        infer=lambda x, window: Spec((x.shape[0], *window.out, x.shape[-1]), x.dtype))  # fmt: skip
def _sum_pool(x, window):
    """x (n, *size, c) -> (n, *out, c)."""
    out = _reduce_windows(padded(*wide(x), window), window, np.add)
    return out if out.dtype == x.dtype else out.astype(x.dtype)


@linear(transpose=lambda g, window: _sum_pool(g, window),
        infer=lambda y, window: Spec((y.shape[0], *window.size, y.shape[-1]), y.dtype))  # fmt: skip
def _spread_pool(y, window):
    """y (n, *out, c) -> (n, *size, c): each element added to all places of its window."""
    xp, (out,) = devices.module_of(y), wide(y)
    for axis, length in enumerate(window.span(), 1):
        n, taps, stride = window.out[axis - 1], window.kernel[axis - 1], window.strides[axis - 1]
        space = xp.zeros((*out.shape[:axis], length, *out.shape[axis + 1 :]), out.dtype)
        lead = (slice(None),) * axis
        for t in builtins.range(taps):
            where = (*lead, slice(t, t + (n - 1) * stride + 1, stride))
            if t < stride:  # nothing was written there yet
                space[where] = out
            else:
                space[where] += out
        out = space[(*lead, window.inner()[axis - 1])]
    return out if out.dtype == y.dtype else out.astype(y.dtype)


# -- public -------------------------------------------------------------------------------------


def _arguments(where, inputs, pool_size, strides, padding, data_format):
    x, back = to_channels_last(spatial_input(where, inputs), data_format)
    count = x.ndim - 2
    size = per_axis(where, "pool_size", pool_size, count)
    strides = size if strides is None else strides
    return x, back, window_of(where, x.shape[1:-1], size, strides, padding_of(where, padding), 1)


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """inputs (n, *spatial, c) -> (n, *spatial', c). The largest element of each window, over one to three axes.

    The gradient goes to the first of equal maxima.

    Args:
        inputs: the input.
        pool_size: the sizes of a window, an int or one per spatial axis.
        strides: the step of the windows; by default `pool_size`.
        padding: ``"valid"``: windows lie inside the input; ``"same"``: they may reach over its ends.
        data_format: ``"channels_last"`` or ``"channels_first"``, (n, c, *spatial); by default as configured.

    Raises:
        ShapeError: if no window fits into the input.

    Example:
        >>> edl.max_pool([[[1.0], [3.0], [2.0], [0.0]]], 2).numpy().ravel()
        array([3., 2.], dtype=float32)
    """
    x, back, window = _arguments("max_pool", inputs, pool_size, strides, padding, data_format)
    return back(_max_pool(x, window))


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """inputs (n, *spatial, c) -> (n, *spatial', c). The mean of each window, over one to three axes.

    Where windows reach over the ends of the input, the mean is over what lies inside.

    Args:
        inputs, pool_size, strides, padding, data_format: as in `max_pool`.

    Raises:
        ShapeError: if no window fits into the input.

    Example:
        >>> edl.average_pool([[[1.0], [3.0], [2.0]]], 2, padding="same").numpy().ravel()
        array([2., 2.], dtype=float32)
    """
    x, back, window = _arguments("average_pool", inputs, pool_size, strides, padding, data_format)
    if not dtypes.is_inexact(x.dtype):
        x = x.astype(dtypes.floatx())
    total = _sum_pool(x, window)
    if padded(np.empty((0, *window.size, 1), bool), window).shape[1:-1] == window.size:
        return back(total / math.prod(window.kernel))
    counts = _reduce_windows(padded(np.ones((1, *window.size, 1), np.float32), window), window, np.add)
    return back(total / from_array(devices.move(counts.astype(x.dtype), x.device)))


def _regions(where, inputs, output_size, data_format):
    x, back = to_channels_last(spatial_input(where, inputs), data_format)
    sizes = per_axis(where, "output_size", output_size, x.ndim - 2)
    if builtins.min(x.shape[1:-1]) < 1:
        raise ShapeError(
            where, "the spatial axes must not be empty", f"inputs have shape {x.shape}", "check what emptied them"
        )
    return x, back, sizes


def _edges(size, count):
    """Where regions start and stop: `count` of them cover `size` elements, as evenly as possible, with overlaps."""
    index = np.arange(count)
    return index * size // count, -(-(index + 1) * size // count)


def adaptive_average_pool(inputs, output_size, data_format=None):
    """inputs (n, *spatial, c) -> (n, *output_size, c). The mean of each of `output_size` regions that cover the input.

    Region i of m along an axis of n elements goes from ``floor(i n / m)`` to ``ceil((i + 1) n / m)``.

    Args:
        inputs: the input, with one to three spatial axes.
        output_size: how many regions, an int or one per spatial axis.
        data_format: as in `max_pool`.

    Example:
        >>> edl.adaptive_average_pool(edl.ones((1, 5, 7, 2)), 3).shape
        (1, 3, 3, 2)
    """
    x, back, sizes = _regions("adaptive_average_pool", inputs, output_size, data_format)
    if not dtypes.is_inexact(x.dtype):
        x = x.astype(dtypes.floatx())
    for axis, count in enumerate(sizes, 1):
        n = x.shape[axis]
        starts, stops = _edges(n, count)
        inside = (np.arange(n) >= starts[:, None]) & (np.arange(n) < stops[:, None])
        weights = (inside / (stops - starts)[:, None]).astype(x.dtype)
        lead, rest = x.shape[:axis], x.shape[axis + 1 :]
        rows = reshape(x, (math.prod(lead), n, math.prod(rest)))
        x = reshape(matmul(from_array(devices.move(weights, x.device)), rows), (*lead, count, *rest))
    return back(x)


def adaptive_max_pool(inputs, output_size, data_format=None):
    """inputs (n, *spatial, c) -> (n, *output_size, c). The largest element of each of `output_size` regions.

    Args:
        inputs, output_size, data_format: as in `adaptive_average_pool`, which says what the regions are.

    Example:
        >>> edl.adaptive_max_pool([[[1.0], [5.0], [2.0]]], 2).numpy().ravel()
        array([5., 5.], dtype=float32)
    """
    x, back, sizes = _regions("adaptive_max_pool", inputs, output_size, data_format)
    lengths = []
    for axis, count in enumerate(sizes, 1):
        starts, stops = _edges(x.shape[axis], count)
        longest = int((stops - starts).max())
        if (
            longest * count != x.shape[axis]
        ):  # regions overlap: lay them side by side, short ones with their end repeated
            index = np.minimum(starts[:, None] + np.arange(longest), stops[:, None] - 1).ravel()
            x = x[(slice(None),) * axis + (devices.move(index, x.device),)]
        lengths.append(longest)
    size = tuple(x.shape[1:-1])
    window = Window(size, sizes, tuple(lengths), tuple(lengths), (1,) * len(sizes), (0,) * len(sizes))
    return back(_max_pool(x, window))
