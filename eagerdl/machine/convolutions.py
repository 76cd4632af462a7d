"""Convolutions over images by kernels of our own, without columns: tiles of a product read an image where it lies.

The rows of a tile are outputs. What an output sees of a row of the image, ``kernel width * channels`` numbers, lies in one piece,
and the next row of the image is always as far away. So an image, or a band of its rows, is copied into a margin of zeros that
stays in the cache, and a tile adds up all of its terms in registers. For the gradient of a kernel the rows of a tile are channels,
and its terms are outputs. Where channels stay apart there is no product: the terms of an output are written out.

Each number is a sum in an order that depends on sizes alone, not on the number of threads. What does not fit is done by
`kernels.convolution`. The kernels are in `convolution_kernels.py`.

Source: Georganas et al., 2018, "Anatomy of high-performance deep learning convolutions on SIMD architectures", arXiv:1808.05567,
sec. II, with whole rows of the image in the place of their blocks of channels.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from eagerdl.kernels import convolution
from eagerdl.kernels.windows import Window
from eagerdl.machine import convolution_kernels, native, pool, products, shares

LARGE = 1 << 22  # operations, from which on kernels here are used
BAND = 1 << 18  # bytes of a band, about what the second cache has beside the kernel
MOST_TAPS = 49  # of a kernel whose terms are written out
SUMS = 8  # sums over images for the gradient of a kernel, at most


# -- what is where ---------------------------------------------------------------------------------------


class Bands(NamedTuple):
    """How images are cut into bands.

    Attributes:
        rows, per_image: the rows of outputs of a band, and how many bands an image has.
        band, pitch: the rows of the band in its margin, and the bytes of one.
        low, skip, copied: where the image begins in a row of the margin, what is skipped of a row of the image, in bytes, and how
            many floats are copied.
    """

    rows: int
    per_image: int
    band: int
    pitch: int
    low: int
    skip: int
    copied: int

    def words(self, x, window):
        """The words of a table that say how bands are made."""
        height, stride, before = window.size[0], window.strides[0], window.before[0]
        shape = self.pitch, self.band, self.low, self.copied, height, stride, before
        return [*x.strides[:2], *shape, self.per_image, self.rows, window.out[0], self.band * self.pitch // 4]


def bands_of(window, channels, jobs=1):
    """The Bands for images with so many channels, of which there are so many at a time that each is cut into `jobs` or more."""
    (kernel, across), (stride, step), (out, width) = window.kernel, window.strides, window.out
    columns = (width - 1) * step + across
    pitch, before = 4 * channels * columns, window.before[1]
    rows = max(1, min((BAND // pitch - kernel) // stride + 1, -(-out // jobs), out))
    skip = max(-before, 0)
    copied = max(min(window.size[1] - skip, columns - max(before, 0)), 0)
    return Bands(rows, -(-out // rows), (rows - 1) * stride + kernel, pitch, 4 * channels * max(before, 0), 4 * channels * skip,
                 channels * copied)  # fmt: skip


def as_images(*arrays):
    """Arrays (..., length, c) with one spatial axis as images of one row."""
    return [one[..., None, :, :] if one.ndim == 3 else one for one in arrays]


def window_of_images(window):
    """The Window for them."""
    if len(window.size) == 2:
        return window
    return Window(*[(one, *axis) for one, axis in zip((1, 1, 1, 1, 1, 0), window[:6], strict=True)], window.groups)


def fits(x, kernel_shape, window):
    """True if kernels here convolve x (n, *size, c): float32 images, or rows, of a size that is worth it.

    The channels of a group meet each other; or all stay apart, each with one filter.
    """
    if x.__class__ is not np.ndarray or x.dtype != np.float32 or len(window.size) > 2 or set(window.dilation) != {1}:
        return False
    if window.is_plain():
        return False
    *taps, channels, filters = kernel_shape
    if is_apart(kernel_shape, window):
        return math.prod(taps) <= MOST_TAPS and operations(x, kernel_shape, window) >= LARGE
    fit = channels > 1 or window.groups == 1
    return (
        fit
        and convolution_kernels.shape_for(filters // window.groups) is not None
        and operations(x, kernel_shape, window) >= LARGE * window.groups
    )


def is_apart(kernel_shape, window):
    """True if each channel has one filter of its own."""
    return kernel_shape[-2] == 1 and kernel_shape[-1] == window.groups > 1


def operations(x, kernel_shape, window):
    """How many operations a convolution takes."""
    return 2 * len(x) * math.prod(window.out) * math.prod(kernel_shape)


def by_groups(window, *arrays):
    """The Window of each group, with its parts of arrays whose last axes the groups share."""
    alone = window._replace(groups=1)
    for part in range(window.groups):
        ends = [(one.shape[-1] * part // window.groups, one.shape[-1] * (part + 1) // window.groups) for one in arrays]
        yield alone, *[one[..., slice(*pair)] for one, pair in zip(arrays, ends, strict=True)]


def dense(x):
    """x, or a copy of it, with the pixels of a row side by side."""
    channels = x.shape[-1]
    return x if x.strides[-2:] == (4 * channels, 4) else np.ascontiguousarray(x)


def run_in_bands(kernel, arrays, bands, heads, tail):
    """Runs a kernel at the same time for several heads, each with a margin of its own between the arrays and the head."""
    margins = [np.empty(bands.band * bands.pitch // 4, np.float32) for _ in heads]
    tables = [native.table([*arrays, margin, *head, *tail]) for margin, head in zip(margins, heads, strict=True)]
    team = pool.pool()
    if len(tables) == 1 or team is None:
        for table in tables:
            kernel.run(native.address(table))
        return
    jobs = team.table([(kernel.run.place, native.address(table)) for table in tables])
    team.together(native.address(jobs))


def parts(work, jobs):
    """The pairs of first and last job for each thread."""
    count = 1 if pool.pool() is None else min(shares.count(work / shares.OPERATIONS_PER_SECOND), jobs)
    return itertools.pairwise([jobs * part // count for part in range(count + 1)])


# -- convolutions ------------------------------------------------------------------------------------------


def forward(x, kernel, window, out=None):
    """x (n, *size, c), kernel (*k, c / groups, f) -> (n, *out, f), as a new array or in `out`."""
    if not fits(x, kernel.shape, window):
        return convolution.forward(x, kernel, window, out)
    if out is None:
        out = np.empty((len(x), *window.out, kernel.shape[-1]), np.float32)
    correlate(*as_images(out, x), kernel, window_of_images(window))
    return out


def correlate(out, x, kernel, window):
    """Writes a convolution to `out`, an array (n, height, width, f) of any strides but the last one, for images x."""
    if window.groups > 1 and not is_apart(kernel.shape, window):
        for alone, *mine in by_groups(window, out, x, kernel):
            correlate(*mine, alone)
        return
    x, (channels, filters) = dense(x), (x.shape[-1], kernel.shape[-1])
    work = 2 * out.size * kernel.size // filters
    threads = 1 if pool.pool() is None else shares.count(work / shares.OPERATIONS_PER_SECOND)
    bands = bands_of(window, channels, -(-threads // len(x)))
    if window.groups == 1:
        shape = convolution_kernels.shape_for(filters)
        run, factor = convolution_kernels.outputs(shape), products.room(kernel.size // filters, filters, shape.width)
        products.pack(factor, kernel.reshape(-1, filters))
        spots = spots_of(window, bands, out.strides[1:3], channels, shape.large)
        rest = [window.kernel[1] * channels, window.kernel[0], len(factor), *spots]
    else:
        run, factor = convolution_kernels.outputs_apart(window.kernel), np.ascontiguousarray(kernel)
        rest = [channels, window.out[1], 4 * channels * window.strides[1], out.strides[2]]
    tail, jobs = [*out.strides[:2], *bands.words(x, window), *rest], len(x) * bands.per_image
    heads = [(*divmod(first, bands.per_image), last - first) for first, last in parts(work, jobs)]
    run_in_bands(run, [native.address(out), native.address(x) + bands.skip, factor], bands, heads, tail)


@functools.lru_cache(maxsize=512)
def spots_of(window, bands, out_strides, channels, rows):
    """The number of tiles in a band, and where their rows are in `out` and in the margin, in bytes.

    The last tile has its last row several times.
    """
    down, right = [index.ravel() for index in np.indices((bands.rows, window.out[1]))]
    out = down * out_strides[0] + right * out_strides[1]
    given = down * window.strides[0] * bands.pitch + right * window.strides[1] * 4 * channels
    tiles = -(-len(out) // rows)
    return tiles, *[np.pad(one, (0, tiles * rows - len(one)), mode="edge").astype(np.int64) for one in (out, given)]


def input_gradient(g, kernel, window, out=None):
    """g (n, *out, f), kernel (*k, c / groups, f) -> (n, *size, c), as a new array or in `out`: convolutions with turned kernels."""
    groups, channels = window.groups, kernel.shape[-2] * window.groups
    phases = [(convolution.turned(kernel, taps, groups), *rest) for taps, *rest in convolution.phases_of(window)]
    if not phases or not all(fits(g, turned.shape, phase) for turned, _, phase in phases):
        return convolution.input_gradient(g, kernel, window, out)
    if out is None:
        out = np.empty((len(g), *window.size, channels), np.float32)
    for turned, places, phase in phases:
        correlate(*as_images(out[places], g), turned, window_of_images(phase))
    return out


def kernel_gradient(x, g, window):
    """x (n, *size, c), g (n, *out, f) -> (*k, c / groups, f)."""
    kernel = *window.kernel, x.shape[-1] // window.groups, g.shape[-1]
    if not fits(x, kernel, window):
        return convolution.kernel_gradient(x, g, window)
    if window.groups > 1 and not is_apart(kernel, window):
        return np.concatenate([kernel_gradient(*mine, alone) for alone, *mine in by_groups(window, x, g)], -1)
    (x, g), window, (channels, filters) = (
        as_images(dense(x), dense(g)),
        window_of_images(window),
        (x.shape[-1], g.shape[-1]),
    )
    bands, (taps, across) = bands_of(window, channels), window.kernel
    work = 2 * g.size * math.prod(kernel) // filters
    count = max(min(len(x), SUMS, work // LARGE), 1)
    bounds = np.array([len(x) * part // count for part in range(count + 1)], np.int64)
    sums, step = np.empty((count, *kernel), np.float32), 4 * channels * window.strides[1]
    if window.groups == 1:
        shape = convolution_kernels.shape_for(filters)
        run, tiles = convolution_kernels.sums_over_images(shape), products.tiles_of(across * channels)
        rest = [window.out[1], step, 4 * filters, filters // shape.width, taps, 4 * across * channels * filters, *tiles]
    else:
        run, rest = convolution_kernels.sums_apart(window.kernel), [channels, window.out[1], step, 4 * filters]
    tail = [*g.strides[:2], *bands.words(x, window), sums.strides[0], *rest]
    heads = [(*pair, bounds) for pair in parts(work, count)]
    run_in_bands(run, [sums, native.address(x) + bands.skip, g], bands, heads, tail)
    return np.add.reduce(sums, 0)
