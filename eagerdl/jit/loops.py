"""`Loop`: a graph that runs many times, as one compiled loop.

The body of a loop is a `Program` like any other. Where all its steps are kernels or ufunc loops, one driver, which is compiled once
and serves every loop, runs through them as through a list of instructions: a step costs a few nanoseconds, and a scan of 1,000
steps is compiled as fast as one of 10. What moves along an axis is not copied; its address in the tables of the kernels moves.
Bodies that call Python code at some place run step by step instead.
"""

import threading

import numpy as np

from eagerdl.jit import compiler, native
from eagerdl.jit.program import Program

DRIVER = '''def kernel(P):
    n, code, count = word(P, 0), word(P, 1), word(P, 2)
    moves, moving, flag = word(P, 3), word(P, 4), word(P, 5)
    nowhere = word(P, 7)
    i = 0
    while i < n:
        if flag != 0 and not again_b1(flag, 0):
            break
        for m in range(moving):
            set_word(word(moves, 3 * m), word(moves, 3 * m + 1) + i * word(moves, 3 * m + 2))
        for c in range(count):
            kind = word(code, 6 * c)
            if kind == 0:
                call_kernel(word(code, 6 * c + 1), nowhere, word(code, 6 * c + 2))
            elif kind == 1:
                call_loop(word(code, 6 * c + 1), word(code, 6 * c + 2), word(code, 6 * c + 3), word(code, 6 * c + 4), word(code, 6 * c + 5))
            else:
                copy_bytes(word(code, 6 * c + 1), word(code, 6 * c + 2), word(code, 6 * c + 3))
        i += 1
    set_word(P + 48, i)
'''


CHUNK = 1024  # rows that a loop without a known length collects at a time


class Loop:
    """Repeats a graph.

    Args:
        graph: its inputs are what is carried from one run to the next, then a row of each array that the loop runs along, then
            what stays the same; its outputs the new carried values, then the rows that are collected.
        carried: how many values are carried.
        along: how many arrays the loop runs along.
        length: how many runs; None for as many as the flag holds.
        reverse: whether it begins at the end of the arrays.
        flag: the place of a carried bool that says whether to go on; None for always.

    Calling it with the first carried values, the arrays and what stays the same gives the last carried values and the collected rows.
    """

    __name__ = "loop"

    def __init__(self, graph, carried, along, length, reverse=False, flag=None):
        self.graph, self.carried, self.along = graph, carried, along
        self.length, self.reverse, self.flag = length, reverse, flag
        self.program = Program(graph, threads=False)
        self.lock = threading.Lock()
        self.compiled = False
        self._prepare()

    def _prepare(self):
        """Makes the instructions, if the body can be run by the driver."""
        program, graph = self.program, self.graph
        if None in program.code or graph.variables or any(not is_dense(value) for value in (*graph.inputs, *graph.outputs)):
            return
        if any(value not in program.arrays for value in graph.outputs):
            return
        arrays = program.arrays
        rows = graph.inputs[self.carried : self.carried + self.along]
        self.room, code = [], list(program.code)
        self.collected = [arrays[value] for value in graph.outputs[self.carried :]]
        self.targets = []  # for each collected row the index of its instruction
        for array in self.collected:
            self.targets.append(len(code))
            code.append((2, 0, native.address(array), array.nbytes, 0, 0))
        later = []
        carried = set(graph.inputs[: self.carried])
        for value, new in zip(graph.inputs, graph.outputs[: self.carried]):
            if new is value:
                continue
            source = arrays[new]
            if carried.intersection(program._roots(new)):  # it may be overwritten before it is read
                room = np.empty(new.shape, new.dtype)
                self.room.append(room)
                code.append((2, native.address(room), native.address(source), source.nbytes, 0, 0))
                source = room
            later.append((2, native.address(arrays[value]), native.address(source), source.nbytes, 0, 0))
        code += later
        self.instructions = np.array(code or [(2, 0, 0, 0, 0, 0)], np.uint64).view(np.int64)
        self.count = len(code)
        self.moves = []  # (word to set, which array it moves along, offset of the first row)
        for table, index, value in program.addresses:
            for place, row in enumerate(rows):
                if row in program._roots(value):
                    offset = int(table[index]) - native.address(arrays[row])
                    self.moves.append((native.address(table) + 8 * index, place, offset))
        self.run = compiler.kernel(DRIVER).run
        self.compiled = True

    def __call__(self, *arrays):
        if self.compiled and self.lock.acquire(blocking=False):
            try:
                return self._driven(arrays)
            finally:
                self.lock.release()
        return self._step_by_step(arrays)

    def _driven(self, arrays):
        carried, along = arrays[: self.carried], [np.ascontiguousarray(one) for one in arrays[self.carried : self.carried + self.along]]
        program = self.program
        inputs = self.graph.inputs
        for value, array in zip(inputs[: self.carried], carried):
            np.copyto(program.arrays[value], array)
        for value, array in zip(inputs[self.carried + self.along :], arrays[self.carried + self.along :]):
            np.copyto(program.arrays[value], array)
        n = self._runs(along)
        parts = []
        while True:
            collected, done = self._run_driver(along, n)
            parts.append([one[:done] for one in collected])
            if self.flag is None or done < n or (self.length is not None and done == self.length):
                break
        collected = parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts)]
        return [*[program.arrays[value].copy() for value in inputs[: self.carried]], *collected]

    def _runs(self, along):
        """How many runs there are; for an open end how many at a time."""
        if along:
            return len(along[0])
        if self.length is not None:
            return self.length
        return CHUNK if self.collected else np.iinfo(np.int64).max

    def _run_driver(self, along, n):
        """Runs the body up to n times; gives the collected rows and how often it ran."""
        program, inputs = self.program, self.graph.inputs
        collected = [np.empty((n, *row.shape), row.dtype) for row in self.collected]
        moves = []
        for place, along_place, offset in self.moves:
            array = along[along_place]
            moves.append(self._move(place, native.address(array) + offset, array.strides[0], n))
        for index, array in zip(self.targets, collected):
            moves.append(self._move(native.address(self.instructions) + 8 * (6 * index + 1), native.address(array), array.strides[0], n))
        moves = np.array(moves or [(0, 0, 0)], np.int64)
        flag = 0 if self.flag is None else native.address(program.arrays[inputs[self.flag]])
        table = np.array([n, native.address(self.instructions), self.count, native.address(moves),
                          len(self.moves) + len(collected), flag, 0, native.NOWHERE], np.int64)  # fmt: skip
        self.run(native.address(table))
        return collected, int(table[6])

    def _move(self, place, first, stride, n):
        return (place, first + (n - 1) * stride, -stride) if self.reverse else (place, first, stride)

    def _step_by_step(self, arrays):
        """The same through the body's own program, or its interpreter."""
        carried = list(arrays[: self.carried])
        along = arrays[self.carried : self.carried + self.along]
        same = arrays[self.carried + self.along :]
        columns = [[] for _ in self.graph.outputs[self.carried :]]
        i = 0
        length = len(along[0]) if along else self.length
        while length is None or i < length:
            if self.flag is not None and not carried[self.flag]:
                break
            row = length - 1 - i if self.reverse else i
            out = self.program([*carried, *[array[row] for array in along], *same])
            carried = out[: self.carried]
            for column, array in zip(columns, out[self.carried :]):
                column.append(array)
            i += 1
        values = self.graph.outputs[self.carried :]
        collected = [
            np.stack(column[::-1] if self.reverse else column) if column else np.empty((0, *value.shape), value.dtype)
            for column, value in zip(columns, values)
        ]
        return [*map(np.asarray, carried), *collected]


class Branches:
    """One of several graphs, chosen at each call.

    Calling it with the index and what the graphs take gives what the chosen one gives.

    Args:
        graphs: their inputs are the same in number.
    """

    __name__ = "branches"

    def __init__(self, graphs):
        self.programs = [Program(graph) for graph in graphs]

    def __call__(self, index, *arrays):
        chosen = min(max(int(index), 0), len(self.programs) - 1)
        return list(map(np.asarray, self.programs[chosen](arrays)))


def is_dense(value):
    """True if a value lies in memory without gaps, in the order of its axes."""
    step = value.dtype.itemsize
    for n, stride in zip(value.shape[::-1], value.strides[::-1]):
        if n != 1 and stride != step:
            return False
        step *= n
    return value.size > 0
