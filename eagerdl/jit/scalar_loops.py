"""Loops over single numbers as one kernel: what is carried stays in registers, and loops inside are loops of the same kernel.

A loop qualifies if all that it carries and computes are single numbers: elementwise calls, elements of arrays at places that are
counted or computed, and branches and loops of the same kind. For a step of a few nanoseconds a call of a kernel, as `instructions`
makes it for each, would cost more than the step.
"""

import sys

import numpy as np

from eagerdl.jit.driver import CAREFUL, KERNEL
from eagerdl.jit.emit import Source
from eagerdl.jit.fuse import Region, is_row_major
from eagerdl.jit.instructions import NotDriven
from eagerdl.jit.scalar_sources import DONE, RUNS, ScalarSource, packed, parted, runs_of
from eagerdl.jit.schedule import Schedule, Step
from eagerdl.machine import compiler, native

CHUNK = 1024  # rows that a loop without a known length collects at a time


class ScalarLoop:
    """A loop over single numbers.

    Args:
        loop: the `loops.Loop`.

    Attributes:
        body: what it computes, as a program of one step.
        may_fail: whether an index may be out of bounds.
        over, parts: see `loops.Driven`; there is nothing of the kind.

    Raises:
        NotScalar: if it has more to work on.
    """

    def __init__(self, loop):
        self.loop, self.over, self.parts = loop, {}, None
        self.source = source = ScalarSource(loop)
        self.may_fail = source.may_fail
        self.kernel = compiler.kernel(source.text)
        self.body = _Body(loop.graph, self.kernel, source)
        self.table = np.array(source.words, np.int64)
        self.place, self.words = native.address(self.table), memoryview(self.table)
        self.given = [*source.places["along"], *source.places["same"]]
        carried, *_ = parted(loop, loop.graph.inputs)
        self.numbers = [np.empty(value.shape, value.dtype) for value in carried]  # before and after
        self._put("carried", self.numbers)
        self._put("result", self.numbers)
        self.rows = [(value.shape, value.dtype) for value in loop.graph.outputs[loop.carried :]]

    def _put(self, what, arrays):
        """Puts the addresses of arrays into the table."""
        for index, array in zip(self.source.places[what], arrays):
            self.words[index] = native.address(array)

    def _put_runs(self, n):
        """Puts into the table how many runs there are, and where the row of the first one lies."""
        self.words[RUNS] = n
        for index, size in self.source.firsts:
            self.words[index] = (n - 1) * size if self.loop.reverse else 0

    def __call__(self, arrays, in_place=False):
        """Runs it; None if it failed on the way, and nothing has happened."""
        loop, words = self.loop, self.words
        for number, array in zip(self.numbers, arrays):
            number[...] = array
        given = [*map(packed, arrays[loop.carried :])]  # they have to live until it has run
        for index, array in zip(self.given, given):
            words[index] = native.address(array)
        n = runs_of(loop, given)
        ends = n is not None
        n = n if ends else CHUNK if self.rows else sys.maxsize
        self._put_runs(n)
        pieces = []
        while True:
            rooms = [np.empty((n, *shape), dtype) for shape, dtype in self.rows]
            self._put("collected", rooms)
            self.kernel.run(self.place)
            done = words[DONE]
            if done < 0:
                return None
            pieces.append(rooms if done == n else [room[:done] for room in rooms])
            if ends or done < n:
                break
        collected = pieces[0] if len(pieces) == 1 else [np.concatenate(column) for column in zip(*pieces)]
        return [*[number.copy() for number in self.numbers], *collected]

    def join(self, outer, node):
        """Becomes an instruction of the body of a loop that is none over single numbers."""
        loop, source = self.loop, self.source
        given = [outer.place(value) for value in node.args]
        carried, along, same = parted(loop, given)
        n = runs_of(loop, [array for _, array in along])
        # How much is collected has to be known.
        if any(not is_row_major(array) for _, array in given) or (self.rows and (n is None or loop.flag is not None)):
            raise NotDriven
        n = sys.maxsize if n is None else n
        self.kept = rooms = [np.empty((n, *shape), dtype) for shape, dtype in self.rows]
        self._put("collected", rooms)
        self._put_runs(n)
        for what, pairs in (("carried", carried), ("along", along), ("same", same)):
            self._put(what, [array for _, array in pairs])
            outer.addresses += [(self.table, index, value) for index, (value, _) in zip(source.places[what], pairs)]
        failed = [self.place + 8 * DONE] if self.may_fail else []
        outer.add(CAREFUL if failed else KERNEL, self.kernel.run.place, self.place, *failed)
        outer.arrays |= zip(node.outputs, [*self.numbers, *rooms])


class _Body(Schedule):
    """A loop over single numbers as a program of one step."""

    def __init__(self, graph, kernel, source):
        step = Step(Region(0, ()))
        step.region.nodes, step.source = source.nodes, Source()
        step.source.text = source.text
        self.graph, self.steps, self.kernels, self.partners = graph, [step], {step: kernel}, {}
        self.bound, self.arena_bytes = (), 8 * source.slots
