"""Datasets made by functions: flat_map, interleave, group_by_window, bucketing."""

import numpy as np

from eagerdl.data.nodes import Held, Iterator, Node, Reader, fresh_seed, revive, seeds_of
from eagerdl.data.sources import Listed
from eagerdl.data.states import encode
from eagerdl.data.structure import call, one_number
from eagerdl.data.threads import PrefetchIterator
from eagerdl.errors import DTypeError


def made_pipeline(node, function, element, walk):
    """The pipeline of the dataset that a function of `node` made, for a walk with its path."""
    where = node.label
    with seeds_of(node.seed, walk.fixed):
        out = call(function, element, where)
    if not hasattr(out, "_pipeline"):
        raise DTypeError(where, "the function must return a Dataset", f"it returned {type(out).__name__}",
                         "return Dataset.from_tensor_slices(...), or use map")  # fmt: skip
    return out._pipeline


class Interleave(Node):
    """The elements of several datasets, which a function makes, in turns; one at a time is flat_map."""

    counted = True

    def __init__(self, source, function, cycle, block, parallel, label):
        self.inputs, self.function, self.label = (source,), function, label
        self.cycle, self.block, self.parallel = cycle, block, parallel
        self.seed, self.auto_seed = fresh_seed(), True

    def iterator(self, walk):
        return InterleaveIterator(self, walk)


class Slot:
    """One open dataset: the element that it was made of, that element's number, and the iterator."""

    __slots__ = ("held", "number", "walker")

    def __init__(self, held, number, walker):
        self.held, self.number, self.walker = held, number, walker


class InterleaveIterator(Iterator):
    def __init__(self, node, walk):
        self.node, self.walk = node, walk
        walk.path(node)  # takes its number of this pass now
        source = node.input.iterator(walk)
        self.reader, self.light = Reader(source), source.light
        self.slots = [None] * node.cycle
        self.turn = self.taken = self.number = 0
        self.ended = False

    def _open(self, held, number):
        walk = self.walk.within(self.node, number)
        walker = made_pipeline(self.node, self.node.function, held.element, walk).iterator(walk)
        if self.node.parallel:
            walker = PrefetchIterator(walker, max(2, self.node.block))
        return Slot(held, number, walker)

    def _advance(self):
        self.turn, self.taken = (self.turn + 1) % len(self.slots), 0

    def next(self):
        while True:
            slot = self.slots[self.turn]
            if slot is not None:
                try:
                    out = slot.walker.next()
                except StopIteration:
                    self.slots[self.turn] = None
                    self._advance()
                    continue
                self.taken += 1
                if self.taken == self.node.block:
                    self._advance()
                return out
            if self.ended:
                if not any(self.slots):
                    raise StopIteration
                self._advance()
                continue
            try:
                held = self.reader.pull()
            except StopIteration:
                self.ended = True
                continue
            self.slots[self.turn] = self._open(held, self.number)
            self.number += 1
            if self.node.parallel:
                self._open_ahead()

    def _open_ahead(self):
        """Starts all datasets of the first cycle at once."""
        if self.number > 1:
            return
        for place in range(1, len(self.slots)):
            try:
                self.slots[place] = self._open(self.reader.pull(), self.number)
            except StopIteration:
                self.ended = True
                return
            self.slots[place].walker.start()
            self.number += 1

    def state(self):
        filled = [place for place, slot in enumerate(self.slots) if slot is not None]
        slots = [self.slots[place] for place in filled]
        return {"turn": self.turn, "taken": self.taken, "number": self.number, "ended": self.ended, "places": filled,
                "numbers": [slot.number for slot in slots], "walkers": [slot.walker.state() for slot in slots],
                **self.reader.state([slot.held for slot in slots])}  # fmt: skip

    def restore(self, state):
        self.turn, self.taken = state["turn"], state["taken"]
        self.number, self.ended = state["number"], state["ended"]
        self.slots = [None] * self.node.cycle
        rows = zip(state["places"], state["numbers"], state["walkers"], self.reader.restore(state))
        for place, number, walker, held in rows:
            self.slots[place] = self._open(held, number)
            self.slots[place].walker.restore(walker)


class GroupByWindow(Node):
    """Elements collected by a key; so many of one key become a dataset that a function makes of them."""

    label = "group_by_window"
    counted = True

    def __init__(self, source, key, reduce, size):
        self.inputs, self.key, self.reduce, self.size = (source,), key, reduce, size
        self.seed, self.auto_seed = fresh_seed(), True

    def iterator(self, walk):
        return GroupIterator(self, walk)


class GroupIterator(Iterator):
    light = False

    def __init__(self, node, walk):
        self.node, self.walk = node, walk
        walk.path(node)
        self.reader = Reader(node.input.iterator(walk))
        self.groups, self.current, self.walker = {}, None, None
        self.number, self.ended = 0, False

    def _open(self, key, group, number):
        elements = Listed([held.element for held in group])
        element = np.array(key, np.int64), elements
        self.current = key, group, number
        walk = self.walk.within(self.node, number)
        self.walker = made_pipeline(self.node, self.node.reduce, element, walk).iterator(walk)

    def _ready(self):
        """The key of a group that is complete, reading on as long as there is none; raises StopIteration at the end."""
        while not self.ended:
            try:
                held = self.reader.pull()
            except StopIteration:
                self.ended = True
                break
            key = int(one_number(call(self.node.key, held.element, "group_by_window"), "group_by_window", "key_func"))
            group = self.groups.setdefault(key, [])
            group.append(held)
            if len(group) >= self.node.size(key):
                return key
        if not self.groups:
            raise StopIteration
        return min(self.groups)

    def next(self):
        while True:
            if self.walker is not None:
                try:
                    return self.walker.next()
                except StopIteration:
                    self.walker = self.current = None
            key = self._ready()
            self._open(key, self.groups.pop(key), self.number)
            self.number += 1

    def state(self):
        groups = dict(self.groups)
        held = [one for group in groups.values() for one in group]
        out = {"number": self.number, "ended": self.ended, "keys": list(groups), "sizes": list(map(len, groups.values())),
               **self.reader.state(held)}  # fmt: skip
        if self.current is None:
            return out
        key, group, number = self.current
        elements = [encode(one.element) for one in group]
        return {**out, "current": {"key": key, "number": number, "elements": elements, "walker": self.walker.state()}}

    def restore(self, state):
        self.number, self.ended = state["number"], state["ended"]
        held = iter(self.reader.restore(state))
        self.groups = {key: [next(held) for _ in range(size)] for key, size in zip(state["keys"], state["sizes"])}
        self.current = self.walker = None
        if "current" in state:
            now = state["current"]
            self._open(now["key"], [Held(revive(one), None) for one in now["elements"]], now["number"])
            self.walker.restore(now["walker"])
