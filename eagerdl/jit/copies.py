"""Copies between arrays that lie in memory in different ways, as kernels."""

import itertools

import numpy as np

from eagerdl.jit.fuse import is_row_major
from eagerdl.jit.graph import CALL, Value
from eagerdl.machine import compiler, native, pool, shares

RANK = 4  # axes that a copy has at most
SIZES = (1, 2, 4, 8)  # bytes of an element
LINE = 64  # bytes of a cache line
SOURCE = 1  # the word of a table that holds where the copied array lies


def source_of(itemsize):
    """A copy of elements of so many bytes, by a table of two addresses and (size, step, step) of each axis, outer ones first.

    Where the last two axes are exchanged, it goes through tiles as wide as a cache line, each of which it reads once; rows
    without gaps are copied whole.
    """
    name, tile = f"u{itemsize}", LINE // itemsize
    return f"""def kernel(P):
    a, b = word(P, 0), word(P, 1)
    rows, a_r, b_r = word(P, 8), word(P, 9), word(P, 10)
    n, a_s, b_s = word(P, 11), word(P, 12), word(P, 13)
    turned, dense = both(b_r == {itemsize}, b_s != {itemsize}), both(a_s == {itemsize}, b_s == {itemsize})
    for i in range(word(P, 2)):
        for j in range(word(P, 5)):
            to = a + i * word(P, 3) + j * word(P, 6)
            given = b + i * word(P, 4) + j * word(P, 7)
            if turned:
                k = 0
                while k < rows:
                    width = least({tile}, rows - k)
                    for m in range(n):
                        for r in range(width):
                            store_{name}_0(to + m * a_s, r * a_r, load_{name}(given + m * b_s, r * {itemsize}))
                    to, given, k = to + {tile} * a_r, given + {LINE}, k + {tile}
            else:
                for k in range(rows):
                    if dense:
                        copy_bytes(to, given, n * {itemsize})
                    else:
                        for m in range(n):
                            store_{name}_0(to, m * a_s, load_{name}(given, m * b_s))
                    to, given = to + a_r, given + b_r
"""


def axes_of(to, given):
    """The words of the axes of two arrays of one shape, None if there are too many; what is one for both is joined."""
    axes = []
    for n, a, b in zip(to.shape, to.strides, given.strides):
        if n == 1:
            continue
        if axes and axes[-1][1:] == (n * a, n * b):
            axes[-1] = (axes[-1][0] * n, a, b)
        else:
            axes.append((n, a, b))
    if len(axes) > RANK or to.itemsize not in SIZES:
        return None
    return [word for axis in [(1, 0, 0)] * (RANK - len(axes)) + axes for word in axis]


def parts_of(node):
    """What a call copies that only lays out elements anew, row by row: pairs of a value and where it goes, as an index of the
    result in the shape of the value, or None for all of it. Empty for another call."""
    if node.kind != CALL or node.shares or len(node.outputs) != 1 or not is_row_major(node.outputs[0]):
        return []
    (out,) = node.outputs
    if node.function in (np.array, np.reshape) and node.named.get("order", "C") == "C":
        given, places = [node.args[0]], [None]
    elif (found := concatenated(node)) is not None and all(isinstance(one, Value) for one in found[0]):
        given, axis = found
        stops = itertools.accumulate([one.shape[axis] for one in given], initial=0)
        places = [(slice(None),) * axis + (slice(*pair),) for pair in itertools.pairwise(stops)]
    else:
        return []
    fits = all(isinstance(one, Value) and one.dtype == out.dtype for one in given)
    return [*zip(given, places)] if fits and len(node.inputs) == len({*given}) else []


def concatenated(node):
    """The parts that a call of np.concatenate puts together, and along which axis; None for another call."""
    if node.function is not np.concatenate or set(node.named) - {"axis"}:
        return None
    parts, *axis = node.args
    axis = axis[0] if axis else node.named.get("axis", 0)
    return None if axis is None else (parts, axis % node.outputs[0].ndim)


def copy(to, given):
    """Copies an array to another, by threads where it is worth it."""
    team = pool.pool()
    found = [] if team is None else tables(to, given)
    if not found:
        np.copyto(to, given)
        return
    kernel = compiler.kernel(source_of(to.itemsize)).run.place
    table = team.table([(kernel, native.address(one)) for one in found])
    team.together(native.address(table))


def share_count(to):
    """How many threads are worth it for a copy to an array."""
    return shares.count(2 * to.nbytes / shares.BYTES_PER_SECOND)


def tables(to, given):
    """Tables of `source_of` by which threads copy an array; empty where it is not worth it."""
    parts = share_count(to)
    if parts == 1:
        return []
    axis = next((axis for axis, n in enumerate(to.shape) if n > 1), None)
    if axis is None or axes_of(to, given) is None:
        return []
    n, made = to.shape[axis], []
    for part in range(parts):
        mine = (slice(None),) * axis + (slice(n * part // parts, n * (part + 1) // parts),)
        if to[mine].size:
            pair = (to[mine], given[mine])
            words = axes_of(*pair)
            if words is None:
                return []
            made.append(np.array([*map(native.address, pair), *words], np.int64))
    return made
