"""`Layout`: where the values of a scheduled graph lie, in how many parts kernels run, and so how much memory they take."""

import math

from eagerdl.jit import copies, emit, lowering, scattering
from eagerdl.jit.fuse import is_row_major
from eagerdl.jit.graph import LOOP, VIEW
from eagerdl.jit.memory import Arena, extent
from eagerdl.jit.schedule import Schedule, is_stack, takes_out
from eagerdl.machine import shares

WORTH_TELLING = 32_768  # bytes, from which on kernels are told where an array is, instead of copying it


class Layout(Schedule):
    """Gives what steps make its place.

    Attributes:
        offsets: value -> where it lies in the arena, for those that do.
        visitors: the inputs that are read where they come from.
        fresh: the results that are made anew at each call, with the steps that make them.
        buffers: step -> where the scratch memory of its kernel lies in the arena.
    """

    def _lay_out(self):
        """Places in the arena for what steps make; the rest is made anew at each call, or lies in variables."""
        arena, self.offsets, self.buffers = Arena(), {}, {}
        dying = {}
        self.visitors, self.fresh = self._find_visitors()
        for value in self.graph.inputs:
            if value not in self.visitors:
                self.offsets[value] = arena.take(self._bytes(value))
        for number, step in enumerate(self.steps):
            for value in dict.fromkeys(map(self._home_of, step.outputs)):
                if (
                    value in self.partners
                    or value in self.offsets
                    or value in self.fresh
                    or not self._is_static(step, value)
                ):
                    continue
                self.offsets[value] = arena.take(self._bytes(value))
                end = self.last.get(value, number)
                dying.setdefault(max(end, number), []).append(value)
            if step.region is not None:
                slots, slot = step.source.slots, self._slot_bytes(step)
                size = max(slots * slot, 8) * self._parts(step)
                self.buffers[step] = arena.take(size)
                arena.give_back(self.buffers[step], size)  # its content ends with the step
            for value in dying.pop(number, ()):
                arena.give_back(self.offsets[value], self._bytes(value))
        self.arena_bytes = arena.size

    def _find_visitors(self):
        """Large inputs, which are read where they come from, and large results, which are written where they go to.

        Kernels have to be told where those are at each call; that costs less than a copy. What is prepared for arrays that stand
        still lies in the arena.
        """
        apart = {*self.partners, *[root for value in self.graph.writes.values() for root in self._roots(value)]}
        makers = {}
        for step in self.steps:
            copied = step.region is None and bool(copies.parts_of(step.node))
            if copied or (step.region is None and self._wants_stillness(step.node)):
                # Copies may be told of inputs, but not of views of them.
                still = [value for value in step.reads if not copied or value not in self.graph.inputs]
                apart.update(step.outputs, [root for value in still for root in self._roots(value)])
            elif step.region is not None or (takes_out(step.node) and not step.node.shares):
                makers.update(dict.fromkeys(step.outputs, step))
        inputs, outputs = [
            [value for value in dict.fromkeys(values) if value not in apart and self._bytes(value) >= WORTH_TELLING]
            for values in (self.graph.inputs, self.graph.outputs)
        ]
        return inputs, {value: makers[value] for value in outputs if value in makers and is_row_major(value)}

    def _wants_stillness(self, node):
        """True for calls that may be replaced by code which knows where arrays lie."""
        return node.kind == LOOP or scattering.fits(node) or is_stack(node)

    def _home_of(self, value):
        """The value in whose memory a value lies: its own."""
        return value

    def _bytes(self, value):
        return extent(value.shape, value.strides, value.dtype.itemsize)

    def _slot_bytes(self, step):
        if step.source.blocked:
            return emit.BLOCK * 8
        inner = step.source.groups[-1]
        n = 1
        for axis in inner:
            n *= step.region.shape[axis]
        return max(n * 8, emit.TILE * emit.LINE)

    def _parts(self, step):
        """In how many parts a kernel runs at the same time: by what it has to move and to compute."""
        source, region = step.source, step.region
        if not self.threads or source.cut is None:
            return 1
        moved = sum(self._bytes(one.value) for one in (*source.operands, *source.outputs))
        calls = sum(word[0] == "code" for word in source.words)
        formulas = sum(source.text.count(f"{ufunc.__name__}_f4(") for ufunc in lowering.FORMULAS)
        return shares.count(shares.kernel_seconds(moved, math.prod(region.shape), calls, formulas))

    def _is_static(self, step, value):
        """True if a value lies where it did in the last call."""
        if step.region is not None:
            return True
        node = step.node
        return (
            not node.shares
            and node.kind != VIEW
            and (takes_out(node) or bool(copies.parts_of(node)) or scattering.fits(node))
            and value.size > 0
            and min(value.strides, default=1) > 0
        )
