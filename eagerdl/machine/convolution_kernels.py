"""The sources of the kernels of `convolutions`.

A kernel goes through bands of images. `BANDS` says what they are, `BANDED` brings one into its margin; `OUTPUTS` and
`SUMS_OVER_IMAGES` are what is around it, for convolutions and for gradients of kernels; in each stands a product by tiles, or the
terms of channels that stay apart.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from eagerdl.machine import compiler, products
from eagerdl.templates import filled

FEWEST_LANES = 4  # floats in a vector

# What bands are, and a margin of zeros.
BANDS = """
pitch, band, low, row_floats, height, stride, before = (
    word(P, 11), word(P, 12), word(P, 13), word(P, 14), word(P, 15), word(P, 16), word(P, 17))
bands, rows, out_rows = word(P, 18), word(P, 19), word(P, 20)
for j in range(word(P, 21)):
    store_f4_0(scratch, 4 * j, as_f4(0))
""".strip()

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

# For each band that is a thread's: what makes the outputs that begin at `to`.
OUTPUTS = """def kernel(P):
    out, x, b, scratch = word(P, 0), word(P, 1), word(P, 2), word(P, 3)
    number, at, jobs = word(P, 4), word(P, 5), word(P, 6)
    out_image, out_row, x_image, x_row = word(P, 7), word(P, 8), word(P, 9), word(P, 10)
    {bands}
    for job in range(jobs):
        first = least(at * rows, out_rows - rows)
        begin, image = first * stride - before, x + number * x_image
        {banded}
        to = out + number * out_image + first * out_row
        {made}
        at += 1
        if at == bands:
            at = 0
            number += 1
"""

PRODUCT = """
k, pieces, panels, tiles, out_spots, spots = (
    word(P, 22), word(P, 23), word(P, 24), word(P, 25), word(P, 26), word(P, 27))
panel = b
for p in range(panels):
    for t in range(tiles):
        tile_spots_{shape}_1(to, out_spots + t * {spots}, scratch, spots + t * {spots}, panel, k, pieces, pitch)
    to += {width}
    panel += k * pieces * {width}
"""

# Each channel with its own kernel: the terms of an output are written out.
APART = """
channels, width, step, out_step = word(P, 22), word(P, 23), word(P, 24), word(P, 25)
for r in range(rows):
    y, a = to + r * out_row, scratch + r * stride * pitch
    for i in range(width):
        for j in range(channels):
            {terms}
            store_f4_1(y, 4 * j, total)
        y += out_step
        a += step
"""
TERM = "load_f4_but_0(a + {p} * pitch, 4 * ({q} * channels + j)) * load_f4(b, 4 * ({tap} * channels + j))"

# For each sum over images that is a thread's: what adds the terms of the outputs of a band, whose cotangents begin at `y`.
SUMS_OVER_IMAGES = """def kernel(P):
    sums, x, g, scratch = word(P, 0), word(P, 1), word(P, 2), word(P, 3)
    first_sum, last_sum, bounds = word(P, 4), word(P, 5), word(P, 6)
    g_image, g_row, x_image, x_row = word(P, 7), word(P, 8), word(P, 9), word(P, 10)
    {bands}
    sum_bytes = word(P, 22)
    for part in range(first_sum, last_sum):
        more, mine = 0, sums + part * sum_bytes
        for number in range(word(bounds, part), word(bounds, part + 1)):
            image = x + number * x_image
            for at in range(bands):
                first = at * rows
                begin, height_of = first * stride - before, least(rows, out_rows - first)
                {banded}
                y = g + number * g_image + first * g_row
                {added}
                more = 1
"""

PRODUCTS = """
k, a_term, g_term, panels = word(P, 23), word(P, 24), word(P, 25), word(P, 26)
taps, tap_bytes, larges, smalls, singles = word(P, 27), word(P, 28), word(P, 29), word(P, 30), word(P, 31)
for p in range(panels):
    for tap in range(taps):
        to, a = mine + tap * tap_bytes + p * {width}, scratch + tap * pitch
        {tiles}
    y += {width}
"""
TILES = """
for t in range({count}):
    tile_turned_{rows}x{shape}_1(to, g_term, a, a_term, y, g_term, k, height_of, pitch * stride, g_row, more)
    to += {rows} * g_term
    a += {rows} * 4
"""

PRODUCTS_APART = """
channels, width, step, g_step = word(P, 23), word(P, 24), word(P, 25), word(P, 26)
if more == 0:
    for j in range({taps} * channels):
        store_f4_1(mine, 4 * j, as_f4(0))
for r in range(height_of):
    v, a = y + r * g_row, scratch + r * stride * pitch
    for i in range(width):
        {loops}
        v += g_step
        a += step
"""
LOOP = """
to, given = mine + 4 * {tap} * channels, a + {p} * pitch + 4 * {q} * channels
for j in range(channels):
    store_f4_1(to, 4 * j, load_f4_but_1(to, 4 * j) + load_f4_but_0(given, 4 * j) * load_f4(v, 4 * j))
"""


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
def outputs(shape):
    """The kernel that computes convolutions by tiles."""
    text = f"{shape.large}x{shape.vectors}x{shape.lanes}"
    made = filled(PRODUCT, shape=text, spots=8 * shape.large, width=4 * shape.width)
    return compiler.kernel(filled(OUTPUTS, bands=BANDS, banded=BANDED, made=made))


@functools.cache
def sums_over_images(shape):
    """The kernel that computes gradients of kernels by tiles, as several sums."""
    counts, text = (("larges", shape.large), ("smalls", shape.small), ("singles", 1)), f"{shape.vectors}x{shape.lanes}"
    tiles = [filled(TILES, count=count, rows=rows, shape=text) for count, rows in counts]
    added = filled(PRODUCTS, width=4 * shape.width, tiles="\n".join(tiles))
    return compiler.kernel(filled(SUMS_OVER_IMAGES, bands=BANDS, banded=BANDED, added=added))


@functools.cache
def outputs_apart(taps):
    """The kernel that computes convolutions of channels that stay apart, for a kernel of so many rows and columns."""
    terms = [TERM.format(p=p, q=q, tap=tap) for tap, (p, q) in enumerate(np.ndindex(taps))]
    lines = [f"total = {terms[0]}", *[f"total = total + {term}" for term in terms[1:]]]
    return compiler.kernel(filled(OUTPUTS, bands=BANDS, banded=BANDED, made=filled(APART, terms="\n".join(lines))))


@functools.cache
def sums_apart(taps):
    """The kernel that computes the gradients of their kernels, as several sums."""
    loops = [filled(LOOP, p=p, q=q, tap=tap) for tap, (p, q) in enumerate(np.ndindex(taps))]
    added = filled(PRODUCTS_APART, taps=math.prod(taps), loops="\n".join(loops))
    return compiler.kernel(filled(SUMS_OVER_IMAGES, bands=BANDS, banded=BANDED, added=added))
