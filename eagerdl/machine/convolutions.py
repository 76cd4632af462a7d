"""Convolutions over images by kernels of our own, without columns: tiles of a product read an image where it lies.

The rows of a tile are outputs. What an output sees of a row of the image, ``kernel width * channels`` numbers, lies in one piece,
and the next row of the image is always as far away. So an image, or a band of its rows, is copied into a margin of zeros that
stays in the cache, and a tile adds up all of its terms in registers. For the gradient of a kernel the rows of a tile are channels,
and its terms are outputs.

Each number is a sum of fused multiply-adds in an order that depends on sizes alone, not on the number of threads. What does not
fit is done by `kernels.convolution`.

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
from eagerdl.machine import compiler, native, pool, products, shares
from eagerdl.templates import filled

LARGE = 1 << 22  # operations, from which on kernels here are used
BAND = 1 << 18  # bytes of a band, about what the second cache has beside the kernel
FEWEST_LANES = 4  # floats in a vector
SUMS = 8  # sums over images for the gradient of a kernel, at most

# Copies a band of an image, which begins at its row `begin`, into its margin. The rest of the margin is zero from the beginning.
BANDED = """
for r in range(band):
    to, y = scratch + r * pitch + low, begin + r
    if either(y < 0, y >= height):
        for j in range(row_floats):
            store_f4_0(to, 4 * j, as_f4(0))
    else:
        copy_bytes(to, image + y * x_row, 4 * row_floats)
""".strip()

CORRELATION = """def kernel(P):
    out, x, b, scratch = word(P, 0), word(P, 1), word(P, 2), word(P, 3)
    number, at, jobs = word(P, 4), word(P, 5), word(P, 6)
    out_image, out_row, x_image, x_row = word(P, 7), word(P, 8), word(P, 9), word(P, 10)
    pitch, band, low, row_floats, height, stride, before = (
        word(P, 11), word(P, 12), word(P, 13), word(P, 14), word(P, 15), word(P, 16), word(P, 17))
    bands, rows, out_rows = word(P, 18), word(P, 19), word(P, 20)
    k, pieces, panels, tiles, out_spots, spots = (
        word(P, 22), word(P, 23), word(P, 24), word(P, 25), word(P, 26), word(P, 27))
    for j in range(word(P, 21)):
        store_f4_0(scratch, 4 * j, as_f4(0))
    for job in range(jobs):
        first = least(at * rows, out_rows - rows)
        begin, image = first * stride - before, x + number * x_image
        {banded}
        to, panel = out + number * out_image + first * out_row, b
        for p in range(panels):
            for t in range(tiles):
                tile_spots_{shape}_1(to, out_spots + t * {spots}, scratch, spots + t * {spots}, panel, k, pieces, pitch)
            to += {width}
            panel += k * pieces * {width}
        at += 1
        if at == bands:
            at = 0
            number += 1
"""

GRADIENT = """def kernel(P):
    sums, x, g, scratch = word(P, 0), word(P, 1), word(P, 2), word(P, 3)
    first_sum, last_sum, bounds = word(P, 4), word(P, 5), word(P, 6)
    g_image, g_row, x_image, x_row = word(P, 7), word(P, 8), word(P, 9), word(P, 10)
    pitch, band, low, row_floats, height, stride, before = (
        word(P, 11), word(P, 12), word(P, 13), word(P, 14), word(P, 15), word(P, 16), word(P, 17))
    bands, rows, out_rows = word(P, 18), word(P, 19), word(P, 20)
    k, a_term, g_term, panels = word(P, 22), word(P, 23), word(P, 24), word(P, 25)
    taps, tap_bytes, sum_bytes = word(P, 26), word(P, 27), word(P, 28)
    larges, smalls, singles = word(P, 29), word(P, 30), word(P, 31)
    for j in range(word(P, 21)):
        store_f4_0(scratch, 4 * j, as_f4(0))
    for part in range(first_sum, last_sum):
        more = 0
        for number in range(word(bounds, part), word(bounds, part + 1)):
            image = x + number * x_image
            for at in range(bands):
                first = at * rows
                begin, height_of = first * stride - before, least(rows, out_rows - first)
                {banded}
                y = g + number * g_image + first * g_row
                for p in range(panels):
                    for tap in range(taps):
                        to, a = sums + part * sum_bytes + tap * tap_bytes + p * {width}, scratch + tap * pitch
                        {tiles}
                    y += {width}
                more = 1
"""
TILES = """
for t in range({count}):
    tile_turned_{rows}x{shape}_1(to, g_term, a, a_term, y, g_term, k, height_of, pitch * stride, g_row, more)
    to += {rows} * g_term
    a += {rows} * 4
""".strip()


class Shape(NamedTuple):
    """Of tiles: the rows of a large and of a small one, and vectors of columns, with so many floats."""

    large: int
    small: int
    vectors: int
    lanes: int

    @property
    def width(self):
        """The columns."""
        return self.vectors * self.lanes


def shape_for(columns):
    """The Shape for a product with so many columns, None if they are no whole number of vectors."""
    if products.shape() is None or columns % FEWEST_LANES:
        return None
    large, small, vectors, lanes = products.shape()
    while columns % lanes:
        lanes //= 2
    return Shape(large, small, vectors if columns % (vectors * lanes) == 0 else 1, lanes)


@functools.cache
def correlation(shape):
    """The kernel that computes convolutions."""
    text = f"{shape.large}x{shape.vectors}x{shape.lanes}"
    return compiler.kernel(filled(CORRELATION, shape=text, spots=8 * shape.large, width=4 * shape.width, banded=BANDED))


@functools.cache
def gradient(shape):
    """The kernel that computes gradients of kernels, as several sums."""
    counts = (("larges", shape.large), ("smalls", shape.small), ("singles", 1))
    tiles = [TILES.format(count=count, rows=rows, shape=f"{shape.vectors}x{shape.lanes}") for count, rows in counts]
    return compiler.kernel(filled(GRADIENT, width=4 * shape.width, banded=BANDED, tiles="\n".join(tiles)))


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


def fits(x, channels, filters, window):
    """True if kernels here convolve x (n, *size, channels): float32 images, or rows, of a size that is worth it."""
    if x.__class__ is not np.ndarray or x.dtype != np.float32 or window.groups != 1 or len(window.size) > 2:
        return False
    if window.is_plain() or set(window.dilation) != {1} or shape_for(filters) is None:
        return False
    return 2 * len(x) * math.prod(window.out) * math.prod(window.kernel) * channels * filters >= LARGE


def dense(x):
    """x, or a copy of it, with the pixels of a row side by side."""
    channels = x.shape[-1]
    return x if x.strides[-2:] == (4 * channels, 4) else np.ascontiguousarray(x)


def run(kernel, tables):
    """Runs a kernel with several tables at the same time."""
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
    if not fits(x, *kernel.shape[-2:], window):
        return convolution.forward(x, kernel, window, out)
    if out is None:
        out = np.empty((len(x), *window.out, kernel.shape[-1]), np.float32)
    correlate(*as_images(out, x), kernel, window_of_images(window))
    return out


def correlate(out, x, kernel, window):
    """Writes a convolution to `out`, an array (n, height, width, f) of any strides but the last one, for images x."""
    x, filters, channels = dense(x), kernel.shape[-1], kernel.shape[-2]
    shape = shape_for(filters)
    packed = products.room(kernel.size // filters, filters, shape.width)
    products.pack(packed, kernel.reshape(-1, filters))
    work = 2 * out.size * kernel.size // filters
    threads = 1 if pool.pool() is None else shares.count(work / shares.OPERATIONS_PER_SECOND)
    bands = bands_of(window, channels, -(-threads // len(x)))
    tiles, out_spots, spots = spots_of(window, bands, out.strides[1:3], channels, shape.large)
    k, pieces = window.kernel[1] * channels, window.kernel[0]
    tail = [*out.strides[:2], *bands.words(x, window), k, pieces, len(packed), tiles, out_spots, spots]
    tables, scratches = [], []
    for first, last in parts(work, len(x) * bands.per_image):
        scratches.append(np.empty(bands.band * bands.pitch // 4, np.float32))
        head = [native.address(out), native.address(x) + bands.skip, packed, scratches[-1]]
        tables.append(native.table([*head, *divmod(first, bands.per_image), last - first, *tail]))
    run(correlation(shape), tables)


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
    phases = convolution.phases_of(window)
    filters = kernel.shape[-1]
    if not phases or not all(fits(g, filters, kernel.shape[-2], phase) for *_, phase in phases):
        return convolution.input_gradient(g, kernel, window, out)
    if out is None:
        out = np.empty((len(g), *window.size, kernel.shape[-2]), np.float32)
    for taps, places, phase in phases:
        correlate(*as_images(out[places], g), convolution.turned(kernel, taps, 1), window_of_images(phase))
    return out


def kernel_gradient(x, g, window):
    """x (n, *size, c), g (n, *out, f) -> (*k, c / groups, f)."""
    channels, filters = x.shape[-1], g.shape[-1]
    if not fits(x, channels, filters, window):
        return convolution.kernel_gradient(x, g, window)
    kernel = *window.kernel, channels, filters
    (x, g), window, shape = as_images(dense(x), dense(g)), window_of_images(window), shape_for(filters)
    bands, (taps, across) = bands_of(window, channels), window.kernel
    work = 2 * g.size * math.prod(kernel) // filters
    count = max(min(len(x), SUMS, work // LARGE), 1)
    bounds = np.array([len(x) * part // count for part in range(count + 1)], np.int64)
    sums = np.empty((count, *kernel), np.float32)
    tail = [bounds, *g.strides[:2], *bands.words(x, window), window.out[1], 4 * channels * window.strides[1], 4 * filters,
            filters // shape.width, taps, 4 * across * channels * filters, sums.strides[0],
            *products.tiles_of(across * channels)]  # fmt: skip
    tables, scratches = [], []
    for first, last in parts(work, count):
        scratches.append(np.empty(bands.band * bands.pitch // 4, np.float32))
        head = [sums, native.address(x) + bands.skip, g, scratches[-1]]
        tables.append(native.table([*head, first, last, *tail]))
    run(gradient(shape), tables)
    return np.add.reduce(sums, 0)
