"""Batches of elements and back: batch, padded_batch, unbatch, window."""

import itertools
import math
from collections import deque

import numpy as np

from eagerdl.data.nodes import INFINITE, UNKNOWN, Node, Over, Reader, Through
from eagerdl.data.sources import Listed
from eagerdl.data.structure import (
    DatasetSpec,
    check_leaves,
    columns,
    element_of,
    leaves_like,
    outline,
    stack,
    with_shapes,
)
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.tree import flatten, map_structure


class Batch(Through):
    """So many elements stacked to one; several sizes take turns."""

    label = "batch"

    def __init__(self, source, sizes, drop_remainder):
        super().__init__(source)
        self.sizes, self.drop_remainder = sizes, drop_remainder
        self.label = f"{self.label}({', '.join(map(str, sizes))})"

    def cardinality(self):
        below = self.input.cardinality()
        if below < 0:
            return below
        rounds, left = divmod(below, sum(self.sizes))
        out = rounds * len(self.sizes)
        for size in self.sizes:
            if left < size:
                return out + (left > 0 and not self.drop_remainder)
            out, left = out + 1, left - size
        return out

    def iterator(self, walk):
        kind = BatchIterator if self.input.base is None else GatherIterator
        return kind(self.input.iterator(walk), self)

    def _size(self):
        return self.sizes[0] if self.drop_remainder and len(self.sizes) == 1 else None

    def spec(self):
        return with_shapes(self.input.spec(), lambda shape: (self._size(), *shape))

    def join(self, elements):
        """Elements as one batch."""
        return stack(elements, "batch")


class BatchIterator(Over):
    def __init__(self, source, node):
        super().__init__(source)
        self.node, self.turn = node, 0

    def _size(self):
        return self.node.sizes[self.turn % len(self.node.sizes)]

    def _count(self, found):
        """Checks how many elements were found for a batch."""
        if not found or (found < self._size() and self.node.drop_remainder):
            raise StopIteration
        self.turn += 1

    def next(self):
        elements = []
        for _ in range(self._size()):
            try:
                elements.append(self.input.next())
            except StopIteration:
                break
        self._count(len(elements))
        return self.node.join(elements)

    def skip(self, count):
        for done in range(count):
            try:
                self._count(self.input.skip(self._size()))
            except StopIteration:
                return done
        return count

    def state(self):
        return {"turn": self.turn, "input": self.input.state()}

    def restore(self, state):
        self.turn = state["turn"]
        self.input.restore(state["input"])


class GatherIterator(BatchIterator):
    """Batches taken at once from the arrays of the source."""

    def next(self):
        places = self.input.indices(self._size())
        self._count(len(places))
        return self.node.input.base.gather(places)


class PaddedBatch(Batch):
    """So many elements padded at their ends to one shape, and stacked."""

    label = "padded_batch"

    def __init__(self, source, sizes, drop_remainder, shapes, values):
        super().__init__(source, sizes, drop_remainder)
        self.shapes, self.values = shapes, values

    def iterator(self, walk):
        return BatchIterator(self.input.iterator(walk), self)

    def spec(self):
        spec = self.input.spec()
        shapes = self._per_leaf(spec, self.shapes, None, "padded_shapes")
        leaves, build = flatten(spec)
        out = []
        for leaf, shape in zip(leaves, shapes):
            known = (None,) * len(leaf.shape or ()) if shape is None else shape
            out.append(with_shapes(leaf, lambda _, known=known: (self._size(), *known)))
        return build(out)

    def _per_leaf(self, element, given, default, name):
        """One of `given` for each leaf: a structure like the element's, one value for all, or the default."""
        leaves = flatten(element)[0]
        if given is None:
            return [default] * len(leaves)
        if name == "padding_values" and not isinstance(given, dict | tuple | list):
            return [given] * len(leaves)
        found = _shapes_like(element, given) if name == "padded_shapes" else leaves_like(element, given)
        if found is None:
            raise ShapeError("padded_batch", f"{name} must have the structure of the elements", f"elements are {outline(element)}, "
                             f"{name} is {given!r:.80}", "give one for each component")  # fmt: skip
        return found

    def join(self, elements):
        leaves, build = columns(elements, "padded_batch")
        shapes = self._per_leaf(elements[0], self.shapes, None, "padded_shapes")
        values = self._per_leaf(elements[0], self.values, None, "padding_values")
        return build([_pad(*row) for row in zip(leaves, shapes, values)])


def _shapes_like(element, given):
    """The shapes in `given` for the leaves of an element; lists and tuples of sizes are leaves. None if they do not fit."""
    if isinstance(element, dict):
        if not isinstance(given, dict) or element.keys() != given.keys():
            return None
        parts = [_shapes_like(element[key], given[key]) for key in element]
    elif isinstance(element, tuple):
        if not isinstance(given, tuple | list) or len(given) != len(element):
            return None
        parts = [_shapes_like(a, b) for a, b in zip(element, given)]
    else:
        return [given if given is None else tuple(None if n in (None, -1) else int(n) for n in given)]
    return None if any(part is None for part in parts) else [shape for part in parts for shape in part]


def _pad(column, shape, value):
    check_leaves(column, "padded_batch")
    if column[0] is None:
        return None
    ndims = {leaf.ndim for leaf in column}
    if len(ndims) > 1 or (shape is not None and len(shape) not in ndims):
        raise ShapeError("padded_batch", "elements and padded_shapes must have the same number of axes",
                         f"elements have {sorted(ndims)}" + (f", padded_shapes {shape}" if shape is not None else ""),
                         "give one size or None for each axis")  # fmt: skip
    longest = [max(sizes) for sizes in zip(*[leaf.shape for leaf in column])]
    target = longest if shape is None else [m if n is None else n for n, m in zip(shape, longest)]
    for number, leaf in enumerate(column):
        if any(have > room for have, room in zip(leaf.shape, target)):
            raise ShapeError("padded_batch", f"elements must fit into padded_shapes {tuple(target)}",
                             f"number {number} of the batch has shape {leaf.shape}",
                             "raise padded_shapes, use None, or cut the elements with map")  # fmt: skip
    dtype = np.result_type(*{leaf.dtype for leaf in column}) if column[0].dtype.kind == "U" else column[0].dtype
    out = np.full((len(column), *target), _filler(value, dtype), dtype)
    for number, leaf in enumerate(column):
        out[(number, *map(slice, leaf.shape))] = leaf
    return out


def _filler(value, dtype):
    """The padding value as `dtype` holds it."""
    if value is None:
        return {"U": "", "O": b"", "S": b""}.get(dtype.kind, 0)
    if dtype.kind in "UO":
        return value
    leaf = element_of(value, "padded_batch")
    if leaf.ndim or leaf.dtype.kind in "OU" or (dtype.kind in "iub" and leaf.dtype.kind == "f"):
        raise DTypeError(
            "padded_batch", f"a padding value must fit {dtype}", f"got {value!r:.60}", "give a number of that dtype"
        )
    return leaf.item()


class Unbatch(Node):
    """The slices of each element along the first axis."""

    label = "unbatch"

    def __init__(self, source):
        self.inputs = (source,)

    def cardinality(self):
        return self.input.cardinality() if self.input.cardinality() in (0, INFINITE) else UNKNOWN

    def iterator(self, walk):
        return UnbatchIterator(self.input.iterator(walk))

    def spec(self):
        return with_shapes(self.input.spec(), lambda shape: shape[1:])


class UnbatchIterator(Over):
    def __init__(self, source):
        super().__init__(source)
        self.reader, self.held, self.place, self.size = Reader(source), None, 0, 0

    def _hold(self, held):
        leaves = [leaf for leaf in flatten(held.element)[0] if leaf is not None]
        if (
            any(not isinstance(leaf, np.ndarray) or leaf.ndim == 0 for leaf in leaves)
            or len({len(leaf) for leaf in leaves}) != 1
        ):
            raise ShapeError("unbatch", "all components must have the same first axis", f"got {outline(held.element)}",
                             "check what was batched")  # fmt: skip
        self.held, self.size = held, len(leaves[0])

    def _open(self):
        while self.held is None or self.place == self.size:
            self._hold(self.reader.pull())
            self.place = 0

    def next(self):
        self._open()
        place = self.place
        self.place += 1
        return map_structure(lambda leaf: None if leaf is None else leaf[place, ...], self.held.element)

    def skip(self, count):
        done = 0
        while done < count:
            try:
                self._open()
            except StopIteration:
                break
            step = min(count - done, self.size - self.place)
            self.place, done = self.place + step, done + step
        return done

    def state(self):
        over = self.held is None or self.place == self.size
        return {"place": 0 if over else self.place, **self.reader.state([] if over else [self.held])}

    def restore(self, state):
        self.held, self.place = None, state["place"]
        for held in self.reader.restore(state):
            self._hold(held)


class Window(Node):
    """Datasets of elements in a row."""

    label = "window"

    def __init__(self, source, size, shift, stride, drop_remainder):
        self.inputs = (source,)
        self.size, self.shift, self.stride, self.drop_remainder = size, shift, stride, drop_remainder

    def cardinality(self):
        below = self.input.cardinality()
        if below < 0:
            return below
        whole = (self.size - 1) * self.stride + 1
        last = below - whole if self.drop_remainder else below - 1
        return max(0, math.floor(last / self.shift) + 1)

    def iterator(self, walk):
        return WindowIterator(self.input.iterator(walk), self)

    def spec(self):
        return map_structure(DatasetSpec, self.input.spec())


class WindowIterator(Over):
    def __init__(self, source, node):
        super().__init__(source)
        self.light = False
        self.node, self.reader, self.held, self.gap, self.ended = node, Reader(source), deque(), 0, False

    def next(self):
        node, held = self.node, self.held
        if self.gap:
            self.reader.input.skip(self.gap)
            self.gap = 0
        span = (node.size - 1) * node.stride + 1
        while not self.ended and len(held) < span:
            try:
                held.append(self.reader.pull())
            except StopIteration:
                self.ended = True
        if not held or (node.drop_remainder and len(held) < span):
            held.clear()
            raise StopIteration
        leaves, build = columns([one.element for one in itertools.islice(held, 0, span, node.stride)], "window")
        for _ in range(min(node.shift, len(held))):
            held.popleft()
        self.gap = 0 if self.ended else max(0, node.shift - span)
        return build([Listed(list(column)) for column in leaves])

    def state(self):
        return {"gap": self.gap, "ended": self.ended, **self.reader.state(self.held)}

    def restore(self, state):
        self.gap, self.ended = state["gap"], state["ended"]
        self.held = deque(self.reader.restore(state))


def sizes_of(where, batch_size):
    """The batch sizes that an argument stands for.

    Raises:
        ArgumentError: if one is not positive.
    """
    leaf = element_of(batch_size, where)
    if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "iu" or leaf.ndim > 1 or not leaf.size:
        raise DTypeError(where, "batch_size is an int", f"got {batch_size!r:.60}", "use int(batch_size)")
    sizes = leaf.reshape(-1).tolist()
    if min(sizes) < 1:
        raise ArgumentError(where, "batch_size must be at least 1", f"got {batch_size}", "use 32 to begin with")
    return sizes
