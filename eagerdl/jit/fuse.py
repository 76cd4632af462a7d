"""Fusion: which calls of a graph run together in one pass over memory.

A `Region` is a set of elementwise calls and reductions that share one space of indices, its `shape`. Each value in it varies along
some axes of that space; `axes` says which axis of the space each of its own axes is (-1 for size 1). Reductions are over the
last axes (a row at a time, so that what comes out can be used again in the same row: softmax, layer normalization), or over axes
before the last (rows are added up: gradients of biases, batch statistics, or matrix by matrix in each of a batch).

The order in which numbers are added is that of NumPy: rows by its pairwise loop, columns one row after another. What NumPy would
do in another order, because an array is laid out otherwise, is left to NumPy.
"""

import itertools
import operator

import numpy as np

from eagerdl.jit import lowering
from eagerdl.jit.graph import ELEMENTWISE, REDUCE, VIEW, Value
from eagerdl.jit.traced import getitem

FULL, ROW, COLUMN = (
    "full",
    "row",
    "column",
)  # along which axes a value varies: all; all but those of a row; those of a row


class Region:
    """Calls that run together.

    Attributes:
        shape: the sizes of the space of indices.
        row: how many trailing axes make a row; None while nothing is reduced.
        outer: how many leading axes rows are not added up over; None while they are not added up.
        nodes: the calls, in order.
        axes: value -> for each of its axes the axis of the space, or -1.
        columns: values that come out of adding up rows.
    """

    __slots__ = ("axes", "columns", "nodes", "number", "outer", "row", "shape")

    def __init__(self, number, shape):
        self.number, self.shape, self.row, self.outer = number, tuple(shape), None, None
        self.nodes, self.axes, self.columns = [], {}, set()

    @property
    def identity(self):
        return tuple(range(len(self.shape)))

    def level(self, value):
        """FULL, ROW or COLUMN."""
        if value in self.columns:
            return COLUMN
        if self.row is None or len(self.shape) == 0:
            return FULL
        split = len(self.shape) - self.row
        return FULL if any(axis >= split for axis in self.axes[value]) or self.axes[value] == self.identity else ROW

    # -- what may join -----------------------------------------------------------------------------

    def admits(self, node):
        """How `node` could join: the axes of its result and the row it needs, as a pair; None if it cannot."""
        if node.kind == ELEMENTWISE:
            return self._admits_elementwise(node)
        if node.kind == REDUCE:
            return self._admits_reduction(node)
        return self._admits_view(node)

    def _inside(self, node):
        return [value for value in node.inputs if value in self.axes]

    def _admits_elementwise(self, node):
        (out,) = node.outputs
        inside = self._inside(node)
        if any(value in self.columns for value in inside):
            return None
        if out.shape == self.shape:
            axes = self.identity
        else:
            axes = next((self.axes[value] for value in inside if value.shape == out.shape), None)
            if axes is None:
                return None
        for value in inside:
            offset = out.ndim - value.ndim
            for i, axis in enumerate(self.axes[value]):
                if value.shape[i] != 1 and axis != axes[i + offset]:
                    return None
        return axes, self.row

    def _admits_reduction(self, node):
        value = node.inputs[0]
        if value.shape != self.shape or self.axes.get(value, self.identity) != self.identity or value in self.columns:
            return None
        kind, count, outer = reduction_kind(node)
        if self.row not in (None, count) or (kind == COLUMN and self.outer not in (None, outer)):
            return None
        end = len(self.shape) - count
        kept = [i for i in self.identity if (i < end if kind == ROW else not outer <= i < end)]
        if node.named["keepdims"]:
            return tuple(i if i in kept else -1 for i in self.identity), count
        return tuple(kept), count

    def _admits_view(self, node):
        value = node.inputs[0]
        if value not in self.axes or value in self.columns:
            return None
        (out,) = node.outputs
        if node.function is np.broadcast_to:
            if out.shape != self.shape:
                return None
            offset = out.ndim - value.ndim
            fits = all(n == 1 or axis == i + offset for i, (n, axis) in enumerate(zip(value.shape, self.axes[value])))
            return (self.identity, self.row) if fits else None
        rest = iter([axis for n, axis in zip(value.shape, self.axes[value]) if n != 1])
        return tuple(next(rest) if n != 1 else -1 for n in out.shape), self.row

    def join(self, node, axes, row):
        """Takes a call in."""
        self.nodes.append(node)
        self.row = row
        (out,) = node.outputs
        self.axes[out] = axes
        if node.kind == REDUCE:
            kind, _, outer = reduction_kind(node)
            if kind == COLUMN:
                self.columns.add(out)
                self.outer = outer

    def absorb(self, other):
        """Takes over the calls of another region with the same space."""
        self.nodes += other.nodes
        self.axes |= other.axes
        self.columns |= other.columns
        self.row = other.row if self.row is None else self.row
        self.outer = other.outer if self.outer is None else self.outer


def reduction_kind(node):
    """(ROW, how many last axes are reduced, 0) or (COLUMN, how many last axes stay, how many first ones); None for any other."""
    value, axis = node.inputs[0], node.named["axis"]
    if axis is None:
        return ROW, value.ndim, 0
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    axes = sorted({int(i) % value.ndim for i in axes}) if value.ndim else []
    n = value.ndim
    if axes == list(range(n - len(axes), n)):
        return ROW, len(axes), 0
    if axes == list(range(axes[0], axes[-1] + 1)):
        return COLUMN, n - 1 - axes[-1], axes[0]
    return None


def is_row_major(value):
    """True if a value, or an array, lies in memory without gaps, in the order of its axes."""
    step = value.dtype.itemsize
    for n, stride in zip(value.shape[::-1], value.strides[::-1]):
        if n != 1 and stride != step:
            return False
        step *= n
    return True


def dense_strides(value):
    """The strides of what lies row by row, without gaps."""
    steps = itertools.accumulate((*value.shape[:0:-1],), operator.mul, initial=value.dtype.itemsize)
    return tuple(steps)[::-1]


def is_dense(value):
    """True for what is row-major and has elements."""
    return is_row_major(value) and value.size > 0


def can_fuse(node):
    """True for calls that kernels know how to compute."""
    if node.kind == ELEMENTWISE:
        return len(node.outputs) == 1 and node.outputs[0].size > 0 and lowering.lowered(node) is not None
    if node.kind == REDUCE:
        return _can_fuse_reduction(node)
    return node.kind == VIEW and is_transparent(node)


def _can_fuse_reduction(node):
    if len(node.inputs) != 1 or not isinstance(node.args[0], Value):
        return False
    value, (out,) = node.inputs[0], node.outputs
    ufunc = node.function.__self__
    if (
        ufunc not in lowering.REDUCTIONS
        or node.named.get("initial") is not None
        or "where" in node.named
        or value.dtype != out.dtype
    ):
        return False
    if node.named["dtype"] not in (None, value.dtype) or value.dtype not in lowering.NAMES or value.dtype.kind == "b":
        return False
    kind = reduction_kind(node)
    if kind is None or not value.ndim or value.size == 0 or not is_row_major(value):
        return False
    if kind[0] == COLUMN:
        columns = int(np.prod(value.shape[value.ndim - kind[1] :]))
        return columns > 1  # one column is a row to NumPy
    return True


def is_transparent(node):
    """True for views that only put in, leave out or repeat axes, and keep the order of elements."""
    if len(node.inputs) != 1 or not isinstance(node.args[0], Value):
        return False
    value, (out,) = node.inputs[0], node.outputs
    if node.function is np.broadcast_to:
        return True
    if node.function in (np.reshape, np.squeeze, np.expand_dims, np.ravel) or (
        node.function is getitem and _only_new_axes(node.args[1])
    ):
        return [n for n in value.shape if n != 1] == [n for n in out.shape if n != 1]
    return False


def _only_new_axes(key):
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or part == slice(None) for part in parts)


def regions_of(graph, alone=(), fusible=can_fuse):
    """The regions of a graph, and for each fused node its region.

    Calls join the region of what they read where that is possible: one that shares their space, and on which nothing depends that
    they need from elsewhere. Calls in `alone` join none, nor do those for which `fusible` is False.
    """
    regions, home, readers = [], {}, {}
    depends = []  # for each region the set of regions that it needs, itself included, as bits
    outside = {}  # value -> bits of the regions that it depends on

    def bits(value):
        return depends[home[value.node].number] if value.node in home else outside.get(value, 0)

    def needs(node):
        found = 0
        for value in node.inputs:
            found |= bits(value)
        return found

    def grow(number, more):
        if more & ~depends[number]:
            depends[number] |= more
            for other in range(len(depends)):
                if depends[other] >> number & 1:
                    depends[other] |= depends[number]
            for value, mask in outside.items():
                if mask >> number & 1:
                    outside[value] = mask | depends[number]

    def closed(region, node):
        """True if something that `node` needs from outside of the region depends on the region."""
        for value in node.inputs:
            if value.node in home and home[value.node] is region:
                continue
            if bits(value) >> region.number & 1:
                return True
        return False

    for node in graph.nodes:
        if node in alone or not fusible(node):
            mask = needs(node)
            for value in node.outputs:
                outside[value] = mask
            continue
        candidates = {}
        for value in node.inputs:
            if value.node in home:
                candidates.setdefault(home[value.node].number, home[value.node])
        if node.kind != VIEW:
            for value in node.inputs:
                if value.size > 1:
                    for region in readers.get(value, ()):
                        candidates.setdefault(region.number, region)
        chosen = None
        for region in [*candidates.values()][::-1]:
            found = region.admits(node)
            if found is None or (chosen is None and closed(region, node)):
                continue
            if chosen is None:
                chosen = region
                region.join(node, *found)
                home[node] = region
                grow(region.number, needs(node))
            elif _may_merge(chosen, region, home, bits):
                _merge(chosen, region, home, readers, regions, depends, grow)
        if chosen is None and node.kind == VIEW:
            outside[node.outputs[0]] = needs(node)
            continue
        if chosen is None:
            shape = node.inputs[0].shape if node.kind == REDUCE else node.outputs[0].shape
            chosen = Region(len(depends), shape)
            depends.append(1 << chosen.number)
            regions.append(chosen)
            chosen.join(node, *chosen.admits(node))
            home[node] = chosen
            grow(chosen.number, needs(node))
        for value in node.inputs:
            found = readers.setdefault(value, [])
            if chosen not in found:
                found.append(chosen)
    order = {node: place for place, node in enumerate(graph.nodes)}
    for region in regions:
        region.nodes.sort(key=order.__getitem__)
    return regions, home


def _may_merge(a, b, home, bits):
    """True if two regions can become one: the same space, the same rows, and no path between them through others."""
    if a.shape != b.shape or not (_agree(a.row, b.row) and _agree(a.outer, b.outer)):
        return False
    both, columns = 1 << a.number | 1 << b.number, a.columns | b.columns
    for node in (*a.nodes, *b.nodes):
        for value in node.inputs:
            inside = home.get(value.node) in (a, b)
            if (value in columns) if inside else (bits(value) & both):
                return False
    row = a.row if b.row is None else b.row
    if row is None:
        return True
    # What was full in a region without rows has to be so in the common one.
    return all(
        region.row is not None or all(axes == region.identity for axes in region.axes.values()) for region in (a, b)
    )


def _agree(a, b):
    return a is None or b is None or a == b


def _merge(a, b, home, readers, regions, depends, grow):
    a.absorb(b)
    for node in b.nodes:
        home[node] = a
    regions.remove(b)
    for found in readers.values():
        if b in found:
            found.remove(b)
            if a not in found:
                found.append(a)
    grow(a.number, depends[b.number])
    grow(b.number, 1 << a.number | depends[a.number])  # who needs b needs a
