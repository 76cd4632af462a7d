"""The columns of convolutions on the CPU (im2col), tile by tile, in memory that each thread keeps.

What a tile needs is found once: its place in the batch, views of the memory, the strided view that its columns are read from. So
a tile costs two copies and no new memory, whose pages the system would have to clear first.
"""

import math
import threading
from typing import Any, NamedTuple

import numpy as np

TILE = 1 << 21  # bytes of columns, which are multiplied while they are still in the cache
KEPT = 1 << 23  # bytes of memory that a thread keeps at most
PLANS = 256  # kinds of input of which a thread remembers the tiles
ALIGNMENT = 64


class Tile(NamedTuple):
    """A part of the outputs, and the columns that it is made of.

    Attributes:
        where: the part, as an index of the output (n, *out).
        given: what it is made of, as an index of the input.
        room: where that is copied to in the padded input; None where nothing has to be padded.
        clean: the padded input if it has to be filled with zeros before; else None.
        windows: the view (groups, n, *out, *kernel, c / groups) of the padded input; None where nothing has to be padded.
        columns: an array of its shape.
        matrices: the same as (groups, outputs, kernel elements * channels).
    """

    where: tuple
    given: tuple
    room: Any
    clean: Any
    windows: Any
    columns: Any
    matrices: Any


class _Own(threading.local):
    """What a thread keeps: a block of memory, and the tiles in it, by the kind of input."""

    def __init__(self):
        self.block, self.tiles = np.empty(0, np.uint8), {}


_own = _Own()


def columns(x, window):
    """Yields (a part of the output as an index, its columns (groups, outputs of the part, kernel elements * channels)).

    The columns are overwritten by those of the next part, and by the next call in the same thread.

    Args:
        x: an array (n, *size, c).
        window: the `Window` of a convolution: which elements of x meet which elements of the kernel.
    """
    key = x.shape, x.dtype, window
    tiles = _own.tiles.get(key)
    for tile in _tiles(*key) if tiles is None else tiles:
        if tile.windows is None:
            np.copyto(tile.columns, patches(np.ascontiguousarray(x[tile.given]), window, tile.columns.shape))
        else:
            if tile.clean is not None:
                tile.clean.fill(0)
            tile.room[...] = x[tile.given]
            np.copyto(tile.columns, tile.windows)
        yield tile.where, tile.matrices


def patches(x, window, shape):
    """x (n, *space, c) without gaps -> its view (groups, n, *out, *kernel, c / groups) of this shape."""
    return np.ndarray(shape, x.dtype, x, 0, patch_strides(x, window))


def patch_strides(x, window):
    """The strides of the view (groups, n, *out, *kernel, c / groups) of a padded input (n, *space, c)."""
    n_step, *steps, c_step = x.strides
    strides = [a * s for a, s in zip(steps, window.strides)] + [a * d for a, d in zip(steps, window.dilation)]
    return (x.shape[-1] // window.groups * c_step, n_step, *strides, c_step)


def _tiles(shape, dtype, window):
    """The tiles of an input."""
    n, c, reach = shape[0], shape[-1], window.reach()
    row_bytes = math.prod(window.out[1:]) * math.prod(window.kernel) * c * dtype.itemsize
    images = _even(n, TILE // (row_bytes * window.out[0]))
    rows = window.out[0] if images > 1 else _even(window.out[0], TILE // row_bytes)
    space = [(m - 1) * s + r for m, s, r in zip((rows, *window.out[1:]), window.strides, reach)]
    fits = all((m - 1) * s + r <= size for m, s, r, size in zip(window.out, window.strides, reach, window.size))
    padded = any(window.before) or not fits
    room_shape = (images, *space, c) if padded else (0,)
    room_bytes = math.prod(room_shape) * dtype.itemsize
    start = -(-room_bytes // ALIGNMENT) * ALIGNMENT
    block = _block(start + images * rows * row_bytes)
    whole = block[:room_bytes].view(dtype).reshape(room_shape)
    buffer, made = block[start : start + images * rows * row_bytes].view(dtype), []
    for i in range(0, n, images):
        for r in range(0, window.out[0], rows):
            count, outs = min(images, n - i), (min(rows, window.out[0] - r), *window.out[1:])
            starts = (r * window.strides[0], *[0] * (len(outs) - 1))
            given, place = [], []
            for start, length, before, size in zip(starts, space, window.before, window.size):
                first, stop = max(start - before, 0), max(min(start - before + length, size), 0)
                given.append(slice(first, max(first, stop)))
                place.append(slice(first + before - start, max(first, stop) + before - start))
            full = (window.groups, count, *outs, *window.kernel, c // window.groups)
            mine = buffer[: math.prod(full)].reshape(full)
            room = windows = clean = None
            if padded:
                room, windows = whole[(slice(count), *place)], patches(whole, window, full)
                clean = whole if rows < window.out[0] or i == 0 else None
            matrices = mine.reshape(window.groups, count * math.prod(outs), -1)
            where = (slice(i, i + count), slice(r, r + outs[0]))
            made.append(Tile(where, (slice(i, i + count), *given), room, clean, windows, mine, matrices))
    if block is _own.block:
        if len(_own.tiles) == PLANS:
            _own.tiles.clear()
        _own.tiles[shape, dtype, window] = made
    return made


def _even(count, most):
    """How many of `count` things go into each of some equal parts of at most so many."""
    return -(-count // -(-count // max(1, min(most, count))))


def _block(nbytes):
    """Memory of at least so many bytes: the thread's own, unless it is very much."""
    if nbytes > KEPT:
        return np.empty(nbytes, np.uint8)
    if nbytes > _own.block.size:
        _own.block = np.empty(nbytes, np.uint8)
        _own.tiles.clear()  # they lie in the former one
    return _own.block
