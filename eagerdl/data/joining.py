"""Several datasets as one, and numbers beside elements: concatenate, zip, enumerate."""

import numpy as np

from eagerdl.data.nodes import INFINITE, UNKNOWN, Iterator, Node, Over, Through
from eagerdl.data.structure import merged, spec_like


class Concatenate(Node):
    """The elements of one input, then those of the other."""

    label = "concatenate"

    def __init__(self, *inputs):
        self.inputs = inputs

    def cardinality(self):
        sizes = [one.cardinality() for one in self.inputs]
        return INFINITE if INFINITE in sizes else UNKNOWN if UNKNOWN in sizes else sum(sizes)

    def iterator(self, walk):
        return ConcatenateIterator([one.iterator(walk) for one in self.inputs])

    def spec(self):
        return merged(*[one.spec() for one in self.inputs])


class ConcatenateIterator(Iterator):
    def __init__(self, inputs):
        self.inputs, self.which = inputs, 0
        self.light = all(one.light for one in inputs)

    def next(self):
        while self.which < len(self.inputs):
            try:
                return self.inputs[self.which].next()
            except StopIteration:
                self.which += 1
        raise StopIteration

    def skip(self, count):
        done = 0
        while self.which < len(self.inputs):
            done += self.inputs[self.which].skip(count - done)
            if done == count:
                break
            self.which += 1
        return done

    def state(self):
        return {"which": self.which, "inputs": [one.state() for one in self.inputs]}

    def restore(self, state):
        self.which = state["which"]
        for one, part in zip(self.inputs, state["inputs"]):
            one.restore(part)


class Zip(Node):
    """Elements of several inputs side by side, up to the end of the shortest."""

    label = "zip"

    def __init__(self, inputs, build):
        self.inputs, self.build = tuple(inputs), build

    def cardinality(self):
        sizes = [one.cardinality() for one in self.inputs]
        if UNKNOWN in sizes:
            return UNKNOWN
        finite = [size for size in sizes if size != INFINITE]
        return min(finite) if finite else INFINITE

    def iterator(self, walk):
        return ZipIterator([one.iterator(walk) for one in self.inputs], self.build)

    def has_places(self):
        return all(one.has_places() for one in self.inputs)

    def at(self, index):
        return self.build([one.at(index) for one in self.inputs])

    def spec(self):
        return self.build([one.spec() for one in self.inputs])


class ZipIterator(Iterator):
    def __init__(self, inputs, build):
        self.inputs, self.build, self.ended = inputs, build, False
        self.light = all(one.light for one in inputs)

    def next(self):
        if self.ended:
            raise StopIteration
        try:
            return self.build([one.next() for one in self.inputs])
        except StopIteration:
            self.ended = True
            raise StopIteration from None

    def skip(self, count):
        if self.ended:
            return 0
        done = min(one.skip(count) for one in self.inputs)
        self.ended = done < count
        return done

    def state(self):
        return {"ended": self.ended, "inputs": [one.state() for one in self.inputs]}

    def restore(self, state):
        self.ended = state["ended"]
        for one, part in zip(self.inputs, state["inputs"]):
            one.restore(part)


class Enumerate(Through):
    """Pairs of a number and an element."""

    label = "enumerate"

    def __init__(self, source, start):
        super().__init__(source)
        self.start = start

    def iterator(self, walk):
        return EnumerateIterator(self.input.iterator(walk), self.start)

    def has_places(self):
        return self.input.has_places()

    def at(self, index):
        return np.array(self.start + index, np.int64), self.input.at(index)

    def spec(self):
        return spec_like((), "int64"), self.input.spec()


class EnumerateIterator(Over):
    def __init__(self, source, start):
        super().__init__(source)
        self.number = start

    def next(self):
        out = self.input.next()
        self.number += 1
        return np.array(self.number - 1, np.int64), out

    def skip(self, count):
        done = self.input.skip(count)
        self.number += done
        return done

    def state(self):
        return {"number": self.number, "input": self.input.state()}

    def restore(self, state):
        self.number = state["number"]
        self.input.restore(state["input"])
