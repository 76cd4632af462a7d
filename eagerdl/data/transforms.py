"""Transformations that compute something of each element: map, filter, take_while, scan, unique."""

from eagerdl.data.nodes import UNKNOWN, Node, Over, Through, revive
from eagerdl.data.states import encode
from eagerdl.data.structure import call, element_of, one_number
from eagerdl.errors import ArgumentError


class Map(Through):
    """A function of each element."""

    label = "map"

    def __init__(self, source, function):
        super().__init__(source)
        self.function = function

    spec = Node.spec

    def iterator(self, walk):
        return MapIterator(self.input.iterator(walk), self.apply)

    def apply(self, element):
        """The function of one element."""
        return element_of(call(self.function, element, "map"), "map")

    def has_places(self):
        return self.input.has_places()

    def at(self, index):
        return self.apply(self.input.at(index))


class MapIterator(Over):
    """What is skipped is not computed."""

    def __init__(self, source, apply):
        super().__init__(source)
        self.apply = apply

    def next(self):
        return self.apply(self.input.next())

    def skip(self, count):
        return self.input.skip(count)


class Filter(Through):
    """The elements for which a function is True."""

    label = "filter"

    def __init__(self, source, predicate):
        super().__init__(source)
        self.predicate = predicate

    def cardinality(self):
        return UNKNOWN

    def iterator(self, walk):
        return FilterIterator(self.input.iterator(walk), self.predicate)


class FilterIterator(Over):
    def __init__(self, source, predicate):
        super().__init__(source)
        self.predicate = predicate

    def next(self):
        while True:
            element = self.input.next()
            if one_number(call(self.predicate, element, "filter"), "filter", "the predicate"):
                return element


class TakeWhile(Filter):
    """The elements before the first for which a function is False."""

    label = "take_while"

    def iterator(self, walk):
        return TakeWhileIterator(self.input.iterator(walk), self.predicate)


class TakeWhileIterator(FilterIterator):
    ended = False

    def next(self):
        if not self.ended:
            element = self.input.next()
            if one_number(call(self.predicate, element, "take_while"), "take_while", "the predicate"):
                return element
            self.ended = True
        raise StopIteration

    def state(self):
        return {"ended": self.ended, "input": self.input.state()}

    def restore(self, state):
        self.ended = state["ended"]
        self.input.restore(state["input"])


# -- with a memory ------------------------------------------------------------------------------


class Scan(Map):
    """A function of a state and each element, which gives the next state and an output."""

    label = "scan"

    def __init__(self, source, initial, function):
        super().__init__(source, function)
        self.initial = initial

    def iterator(self, walk):
        return ScanIterator(self.input.iterator(walk), self)

    def has_places(self):
        return False


class ScanIterator(Over):
    def __init__(self, source, node):
        super().__init__(source)
        self.node, self.value = node, node.initial

    def next(self):
        out = call(self.node.function, (self.value, self.input.next()), "scan")
        if not isinstance(out, tuple) or len(out) != 2:
            raise ArgumentError("scan", "the function must return a state and an output", f"it returned {type(out).__name__}",
                                "return new_state, output")  # fmt: skip
        self.value = element_of(out[0], "scan")
        return element_of(out[1], "scan")

    def state(self):
        return {"value": encode(self.value), "input": self.input.state()}

    def restore(self, state):
        self.value = revive(state["value"])
        self.input.restore(state["input"])


class Unique(Through):
    """Each element once, where it comes first."""

    label = "unique"

    def cardinality(self):
        return UNKNOWN

    def iterator(self, walk):
        return UniqueIterator(self.input.iterator(walk))


def fingerprint(element):
    """A hashable value that equal elements share."""
    if isinstance(element, dict):
        return tuple((key, fingerprint(value)) for key, value in element.items())
    if isinstance(element, tuple):
        return tuple(map(fingerprint, element))
    if element is None:
        return None
    if element.dtype.kind in "OU":
        return element.shape, tuple(element.ravel().tolist())
    # Adding 0 makes -0.0 a 0.0, which equals it.
    return (
        element.shape,
        element.dtype.str,
        (element + element.dtype.type(0) if element.dtype.kind == "f" else element).tobytes(),
    )


class UniqueIterator(Over):
    """Its state holds every element seen."""

    def __init__(self, source):
        super().__init__(source)
        self.light, self.seen = False, {}

    def next(self):
        while True:
            element = self.input.next()
            key = fingerprint(element)
            if key not in self.seen:
                self.seen[key] = element
                return element

    def state(self):
        return {"seen": [encode(element) for element in self.seen.values()], "input": self.input.state()}

    def restore(self, state):
        elements = [revive(one) for one in state["seen"]]
        self.seen = {fingerprint(element): element for element in elements}
        self.input.restore(state["input"])


class IgnoreErrors(Through):
    """Leaves out elements whose computation raises."""

    label = "ignore_errors"

    def __init__(self, source, report):
        super().__init__(source)
        self.report = report

    def cardinality(self):
        return UNKNOWN

    def iterator(self, walk):
        return IgnoreErrorsIterator(self.input.iterator(walk), self.report)


class IgnoreErrorsIterator(Over):
    def __init__(self, source, report):
        super().__init__(source)
        self.report = report

    def next(self):
        while True:
            try:
                return self.input.next()
            except StopIteration:
                raise
            except Exception as error:
                self.report(error)
