"""Rows added up at computed places, the gradient of an embedding, as a kernel: in the order of the index, as NumPy does it."""

import math

import numpy as np

from eagerdl.jit.graph import CALL, Value
from eagerdl.jit.lowering import NAMES
from eagerdl.machine import native
from eagerdl.ops import indexing

RANK = 2  # axes of an index that the kernel has


def source_of(dtype, index):
    """The kernel for rows of one dtype and an index of another, both by name."""
    size, step = int(dtype[1]), int(index[1])
    return f"""def kernel(P):
    out, index, rows, count, n = word(P, 0), word(P, 1), word(P, 2), word(P, 3), word(P, 4)
    for j in range(count * n):
        store_{dtype}_0(out, j * {size}, as_{dtype}(0))
    for i0 in range(word(P, 5)):
        for i1 in range(word(P, 6)):
            place = as_i8(load_{index}(index, (i0 * word(P, 6) + i1) * {step}))
            place = select(place < 0, place + count, place)
            to, given = out + place * n * {size}, rows + i0 * word(P, 7) + i1 * word(P, 8)
            for j in range(n):
                store_{dtype}_0(to, j * {size}, load_{dtype}_but_0(to, j * {size}) + load_{dtype}(given, j * {size}))
"""


def fits(node):
    """True for calls that the kernel can make: floats, whose rows are blocks of memory."""
    if node.kind != CALL or node.function is not indexing._untake.primitive.forward or node.named:
        return False
    g, index, _, axis = node.args
    if not (isinstance(g, Value) and isinstance(index, Value)) or axis != 0 or not 0 < index.ndim <= RANK or not g.size:
        return False
    width, steps = g.dtype.itemsize, []
    for n, stride in zip(g.shape[: index.ndim - 1 : -1], g.strides[: index.ndim - 1 : -1]):
        steps.append(n == 1 or stride == width)
        width *= n
    return g.dtype.name in ("float32", "float64") and index.dtype.name in ("int32", "int64") and all(steps)


def source_for(node):
    """The kernel for a call that fits."""
    g, index, *_ = node.args
    return source_of(NAMES[g.dtype], NAMES[index.dtype])


def table(node, arrays):
    """The table for a call, for the arrays of its values; None if the index does not lie in one block."""
    g, index, count, _ = node.args
    out, rows, places = arrays[node.outputs[0]], arrays[g], arrays[index]
    if not places.flags.c_contiguous or not out.flags.c_contiguous:
        return None
    lead = RANK - index.ndim
    sizes, steps = (1,) * lead + index.shape, (0,) * lead + g.strides[: index.ndim]
    words = [*map(native.address, (out, places, rows)), count, math.prod(g.shape[index.ndim :]), *sizes, *steps]
    return np.array(words, np.int64)
