"""Which calls run together on a GPU: the regions of `fuse`, parted so that each can be one kernel.

A region of `fuse` may reduce along its rows and over them. On a GPU rows go to blocks, and sums over rows need another division
of the work. So what is added up over rows gets a kernel of its own, which reads what the first one leaves in memory anyway, and
computes the rest again: to load a number takes a GPU longer than to compute one.
"""

import math

from eagerdl.jit import fuse
from eagerdl.jit.cuda import words
from eagerdl.jit.fuse import COLUMN, FULL, Region, reduction_kind
from eagerdl.jit.graph import ELEMENTWISE, REDUCE, VIEW
from eagerdl.jit.lowering import NAMES

# A row is worked on by one block at most. Few long rows would leave most of a GPU idle: CuPy cuts such rows into pieces.
LONG_ROW, FEW_ROWS = 1 << 14, 128
MOST_BATCHES = 65_535  # sums over rows, matrix by matrix: how many blocks there can be in the third direction of a grid


def can_fuse(node):
    """True for calls that kernels on a GPU know how to compute."""
    if not all(value.on_gpu for value in (*node.inputs, *node.outputs)):
        return False
    if node.kind == ELEMENTWISE:
        return len(node.outputs) == 1 and node.outputs[0].size > 0 and words.lowered(node) is not None
    if node.kind == REDUCE:
        if not fuse.can_fuse(node) or NAMES[node.inputs[0].dtype] not in words.IN_REGISTERS:
            return False
        return not is_long(node) and math.prod(node.inputs[0].shape[: reduction_kind(node)[2]]) <= MOST_BATCHES
    return fuse.can_fuse(node)


def is_long(node):
    """True for reductions along few long rows."""
    kind, count, _ = reduction_kind(node)
    shape = node.inputs[0].shape
    split = len(shape) - count
    return kind == fuse.ROW and math.prod(shape[split:]) > LONG_ROW and math.prod(shape[:split]) < FEW_ROWS


def regions_of(graph, alone=()):
    """The regions of a graph, and for each fused node the region that its result comes from."""
    regions, home = fuse.regions_of(graph, alone, can_fuse)
    ends, readers = set(graph.ends()), graph.users()

    def is_read_elsewhere(value, region):
        return value in ends or any(home.get(node) is not region for node in readers.get(value, ()))

    found = []
    for region in regions:
        parts = [region]
        if region.columns:
            outside = {value for value in region.axes if is_read_elsewhere(value, region)}
            parts = parted(region, with_views(region, outside))
            home = {node: other for node, other in home.items() if other is not region}
            home |= {node: part for part in parts[::-1] for node in part.nodes}
        for part in parts:
            part.number = len(found)
            found.append(part)
    return found, home


def with_views(region, values):
    """The values, and those that the views among them are views of."""
    values = set(values)
    for node in reversed(region.nodes):
        if node.kind == VIEW and node.outputs[0] in values:
            values.update(node.inputs)
    return values


def parted(region, outside):
    """A region with reductions over rows as one region without, if anything is left for it, and one of these reductions alone.

    Args:
        region: the Region.
        outside: its values that are needed outside of it.
    """
    columns = [node for node in region.nodes if is_column(node)]
    again, given, pending = set(), set(), [value for node in columns for value in node.inputs]
    root = {node.outputs[0]: node.inputs[0] for node in region.nodes if node.kind == VIEW}
    while pending:  # what the second region computes again, and what it gets from the first
        value = pending.pop()
        if value not in region.axes or value in again or value in given:
            continue
        origin = value
        while origin in root:
            origin = root[origin]
        if value in outside or origin in outside or region.level(origin) != FULL or region.level(value) != FULL:
            given.add(value)
        else:
            again.add(value)
            pending += value.node.inputs
    wanted = (outside | given) - region.columns
    first = []
    for node in reversed(region.nodes):
        if not is_column(node) and node.outputs[0] in wanted:
            wanted.update(value for value in node.inputs if value in region.axes)
            first.append(node)
    second = [node for node in region.nodes if node.outputs[0] in again or node in columns]
    parts = [part_of(region, first[::-1]), part_of(region, second)]
    if not any(node.kind == REDUCE for node in first) and all(
        parts[0].axes[v] == region.identity for v in parts[0].axes
    ):
        parts[0].row = None  # it needs no rows
    return [part for part in parts if part.nodes]


def part_of(region, nodes):
    """Some calls of a region as a region of their own."""
    part = Region(region.number, region.shape)
    part.nodes, part.row = nodes, region.row
    part.axes = {node.outputs[0]: region.axes[node.outputs[0]] for node in nodes}
    part.columns = region.columns & part.axes.keys()
    part.outer = region.outer if part.columns else None
    return part


def is_column(node):
    """True for reductions over rows."""
    return node.kind == REDUCE and reduction_kind(node)[0] == COLUMN
