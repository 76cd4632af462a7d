"""Transformations that choose which elements come, how often: take, skip, shard, repeat."""

import math

import numpy as np

from eagerdl.data.nodes import INFINITE, UNKNOWN, Iterator, Over, Through


class Take(Through):
    """The first `count` elements."""

    def __init__(self, source, count):
        super().__init__(source)
        self.count, self.base = count, source.base
        self.label = f"take({count})"

    def cardinality(self):
        below = self.input.cardinality()
        if below == UNKNOWN and self.count:
            return UNKNOWN
        return self.count if below < 0 else min(below, self.count)

    def iterator(self, walk):
        return TakeIterator(self.input.iterator(walk), self.count)

    def has_places(self):
        return self.input.has_places()

    def at(self, index):
        return self.input.at(index)


class TakeIterator(Over):
    def __init__(self, source, count):
        super().__init__(source)
        self.left = count

    def next(self):
        if not self.left:
            raise StopIteration
        out = self.input.next()
        self.left -= 1
        return out

    def indices(self, count):
        out = self.input.indices(min(count, self.left))
        self.left -= len(out)
        return out

    def skip(self, count):
        done = self.input.skip(min(count, self.left))
        self.left -= done
        return done

    def state(self):
        return {"left": self.left, "input": self.input.state()}

    def restore(self, state):
        self.left = state["left"]
        self.input.restore(state["input"])


class Skip(Through):
    """The elements after the first `count`."""

    def __init__(self, source, count):
        super().__init__(source)
        self.count, self.base = count, source.base
        self.label = f"skip({count})"

    def cardinality(self):
        below = self.input.cardinality()
        return below if below < 0 else max(0, below - self.count)

    def iterator(self, walk):
        return StridedIterator(self.input.iterator(walk), self.count, 1)

    def has_places(self):
        return self.input.has_places()

    def at(self, index):
        return self.input.at(index + self.count)


class Shard(Through):
    """Every `step`-th element from number `first` on."""

    def __init__(self, source, step, first):
        super().__init__(source)
        self.step, self.first, self.base = step, first, source.base
        self.label = f"shard({step}, {first})"

    def cardinality(self):
        below = self.input.cardinality()
        return below if below < 0 else max(0, math.ceil((below - self.first) / self.step))

    def iterator(self, walk):
        return StridedIterator(self.input.iterator(walk), self.first, self.step)

    def has_places(self):
        return self.input.has_places()

    def at(self, index):
        return self.input.at(self.first + index * self.step)


class StridedIterator(Over):
    """Goes past some elements first, and past others between those that it gives, when the next one is asked for."""

    def __init__(self, source, first, step):
        super().__init__(source)
        self.gap, self.step = first, step

    def _advance(self):
        missed = self.input.skip(self.gap) < self.gap
        self.gap = 0
        return missed

    def next(self):
        if self.gap and self._advance():
            raise StopIteration
        out = self.input.next()
        self.gap = self.step - 1
        return out

    def indices(self, count):
        if not count or (self.gap and self._advance()):
            return np.arange(0)
        out = self.input.indices(1 + (count - 1) * self.step)[:: self.step]
        if len(out) == count:
            self.gap = self.step - 1
        return out

    def skip(self, count):
        if not count or (self.gap and self._advance()):
            return 0
        done = self.input.skip(1 + (count - 1) * self.step)
        if done == 1 + (count - 1) * self.step:
            self.gap = self.step - 1
        return math.ceil(done / self.step)

    def state(self):
        return {"gap": self.gap, "input": self.input.state()}

    def restore(self, state):
        self.gap = state["gap"]
        self.input.restore(state["input"])


class Repeat(Through):
    """All elements again and again; without end if `count` is None."""

    label = "repeat"

    def __init__(self, source, count):
        super().__init__(source)
        self.count, self.base = count, source.base

    def cardinality(self):
        below = self.input.cardinality()
        if self.count == 0 or below == 0:
            return 0
        if below < 0:
            return below
        return INFINITE if self.count is None else below * self.count

    def iterator(self, walk):
        return RepeatIterator(self, walk)


class RepeatIterator(Iterator):
    """Each round is a walk of its own; a round without elements ends it."""

    def __init__(self, node, walk):
        self.node, self.walk = node, walk
        self.round, self.fresh, self.ended = 0, True, node.count == 0
        self.input = node.input.iterator(walk.inner(0))
        self.light = self.input.light

    def _turn(self):
        """Begins the next round."""
        self.ended = self.fresh or self.round + 1 == self.node.count
        if not self.ended:
            self.round, self.fresh = self.round + 1, True
            self.input = self.node.input.iterator(self.walk.inner(self.round))

    def next(self):
        while not self.ended:
            try:
                out = self.input.next()
            except StopIteration:
                self._turn()
            else:
                self.fresh = False
                return out
        raise StopIteration

    def indices(self, count):
        parts = [np.arange(0)]
        while count and not self.ended:
            parts.append(self.input.indices(count))
            count -= len(parts[-1])
            self.fresh = self.fresh and not len(parts[-1])
            if count:
                self._turn()
        return np.concatenate(parts)

    def skip(self, count):
        done = 0
        while done < count and not self.ended:
            part = self.input.skip(count - done)
            done += part
            self.fresh = self.fresh and not part
            if done < count:
                self._turn()
        return done

    def state(self):
        return {"round": self.round, "fresh": self.fresh, "ended": self.ended, "input": self.input.state()}

    def restore(self, state):
        if state["round"] != self.round:
            self.input = self.node.input.iterator(self.walk.inner(state["round"]))
        self.round, self.fresh, self.ended = state["round"], state["fresh"], state["ended"]
        self.input.restore(state["input"])
