"""Deterministic shuffles through a buffer, of elements or of places.

The algorithm is that of tf.data: a buffer is filled, then each step gives the element in a random slot and puts the next of
the input there, until the input ends and the buffer is emptied. Which slot step t takes depends on the seed, the round and t
alone, so that the order does not depend on how elements are read.
"""

from array import array

import numpy as np

from eagerdl.data.nodes import Draws, Iterator, Through, check_seed, revive
from eagerdl.data.states import encode


class Shuffle(Through):
    """The elements in random order, as far as the buffer reaches."""

    label = "shuffle"

    def __init__(self, source, size, seed, reshuffle):
        super().__init__(source)
        self.size, self.base, self.counted = size, source.base, reshuffle
        self.label = f"shuffle({size})"
        self.seed, self.auto_seed = check_seed("shuffle", seed), seed is None

    def iterator(self, walk):
        path = walk.path(self) if self.counted else ()
        return (ElementShuffle if self.base is None else PlaceShuffle)(self, self.input.iterator(walk), path)


class ShuffleIterator(Iterator):
    """What both kinds share: the draws and how many were made."""

    def __init__(self, node, source, path):
        self.node, self.input, self.path = node, source, path
        self._begin()

    def _begin(self):
        self.given, self.draws = 0, Draws(self.node.seed, self.path)

    def _seeded(self, state):
        """Takes on seed and round of a state."""
        self.node.seed, self.path = state["seed"], tuple(state["path"])
        self._begin()

    def _header(self):
        return {"given": self.given, "seed": self.node.seed, "path": list(self.path)}


class ElementShuffle(ShuffleIterator):
    """A buffer of elements. Its state holds them, or only their numbers where the input finds elements by number."""

    light = False

    def _begin(self):
        super()._begin()
        self.buffer, self.numbers, self.read, self.full = [], [], 0, False

    def _pull(self):
        """The next element of the input with its number, or None at the end."""
        try:
            out = self.input.next()
        except StopIteration:
            self.full = True
            return None
        self.read += 1
        return out, self.read - 1

    def _fill(self):
        while not self.full and len(self.buffer) < self.node.size:
            if (pulled := self._pull()) is not None:
                self.buffer.append(pulled[0])
                self.numbers.append(pulled[1])

    def next(self):
        self._fill()
        if not self.buffer:
            raise StopIteration
        following = None if self.full else self._pull()
        slot = self.draws.below(self.given, len(self.buffer))
        out = self.buffer[slot]
        if following is None:
            element, number = self.buffer.pop(), self.numbers.pop()
            if slot < len(self.buffer):
                self.buffer[slot], self.numbers[slot] = element, number
        else:
            self.buffer[slot], self.numbers[slot] = following
        self.given += 1
        return out

    def state(self):
        out = {**self._header(), "read": self.read, "full": self.full, "input": self.input.state()}
        if self.node.input.has_places():
            return {**out, "numbers": np.array(self.numbers, np.int64)}
        return {**out, "buffer": [encode(element) for element in self.buffer]}

    def restore(self, state):
        self._seeded(state)
        self.given, self.read, self.full = state["given"], state["read"], state["full"]
        if "numbers" in state:
            self.numbers = [int(number) for number in state["numbers"]]
            self.buffer = [self.node.input.at(number) for number in self.numbers]
        else:
            self.buffer = [revive(element) for element in state["buffer"]]
            self.numbers = [-1] * len(self.buffer)
        self.input.restore(state["input"])


class PlaceShuffle(ShuffleIterator):
    """A buffer of places of the base. Over an input with an end its state is a count: the walk is short to do again."""

    CHUNK = 256

    def __init__(self, node, source, path):
        self.light = node.input.cardinality() >= 0
        super().__init__(node, source, path)
        self.origin = source.state() if self.light else None

    def _begin(self):
        super()._begin()
        self.buffer, self.ready, self.full = array("q"), [], False
        self.drawn = 0  # steps done, of which the last ones lie in `ready`

    def _slots(self, sizes):
        """Slots for steps from `drawn` on, below sizes: the high halves of products of words and sizes."""
        words = self.draws.stream.bits(64, len(sizes), self.drawn)
        high, low = words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)
        return ((high * sizes + (low * sizes >> np.uint64(32))) >> np.uint64(32)).tolist()

    def _steps(self, count):
        """The places of up to `count` more steps."""
        buffer, out = self.buffer, []
        while not self.full and len(buffer) < self.node.size:
            places = self.input.indices(min(self.node.size - len(buffer), 1 << 20))
            self.full = not len(places)
            buffer.frombytes(places.tobytes())
        if not self.full:
            places = self.input.indices(count).tolist()
            self.full = len(places) < count
            sizes = np.full(len(places), len(buffer), np.uint64)
            for slot, place in zip(self._slots(sizes), places):
                out.append(buffer[slot])
                buffer[slot] = place
            self.drawn += len(places)
        left = min(count - len(out), len(buffer))
        if left:
            sizes = np.arange(len(buffer), len(buffer) - left, -1, dtype=np.uint64)
            for slot in self._slots(sizes):
                out.append(buffer[slot])
                last = buffer.pop()
                if slot < len(buffer):
                    buffer[slot] = last
            self.drawn += left
        return out

    def next(self):
        if not self.ready:
            self.ready = self._steps(self.CHUNK)[::-1]
            if not self.ready:
                raise StopIteration
        self.given += 1
        return self.node.base.at(self.ready.pop())

    def indices(self, count):
        out = self.ready[: -count - 1 : -1] if count else []
        del self.ready[len(self.ready) - len(out) :]
        out += self._steps(count - len(out)) if len(out) < count else []
        self.given += len(out)
        return np.array(out, np.int64)

    def skip(self, count):
        done = 0
        while done < count and (part := len(self.indices(min(count - done, 1 << 16)))):
            done += part
        return done

    def state(self):
        if self.light:
            return {**self._header(), "origin": self.origin}
        return {**self._header(), "full": self.full, "buffer": np.array(self.buffer, np.int64),
                "ready": np.array(self.ready, np.int64), "input": self.input.state()}  # fmt: skip

    def restore(self, state):
        self._seeded(state)
        if "buffer" in state:
            self.buffer = array("q", np.asarray(state["buffer"], np.int64).tolist())
            self.ready = np.asarray(state["ready"]).tolist()
            self.full, self.given = state["full"], state["given"]
            self.drawn = self.given + len(self.ready)
            self.input.restore(state["input"])
        else:
            self.origin = state["origin"]
            self.input.restore(self.origin)
            self.skip(state["given"])
