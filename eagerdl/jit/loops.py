"""`Loop`: a graph that runs many times, as one compiled loop.

The body of a loop is a list of instructions (`instructions.Body`), through which the `driver` runs: a step costs a few
nanoseconds, and a scan of 1,000 steps is compiled as fast as one of 10. What moves along an axis is not copied; its address in
the tables of the kernels moves. A loop in a body is an instruction: the driver calls itself. Bodies that call Python code at some
place run step by step instead. Loops over single numbers are kernels of their own (`scalar_loops`).
"""

import contextlib
import copy
import sys
import threading
import weakref

import numpy as np

from eagerdl import devices
from eagerdl.autograd.dispatch import as_array
from eagerdl.jit import copies, driver, split_loops
from eagerdl.jit.driver import CAREFUL, DONE, NotDriven
from eagerdl.jit.fuse import is_dense
from eagerdl.jit.instructions import Body
from eagerdl.jit.interpreter import Interpreter
from eagerdl.jit.placed_loops import PlacedLoop
from eagerdl.jit.programs import program_for
from eagerdl.jit.scalar_loops import CHUNK, ScalarLoop
from eagerdl.jit.scalar_sources import NotScalar
from eagerdl.jit.stacks import carried_apart
from eagerdl.machine import compiler, native, pool

SMALL = 64  # calls in a body, above which to prepare a call takes little of its time
ALONE = 3  # references to an array that nobody else holds: the dictionary, a local name, the question


def program_of(graph):
    """A Program of a graph; where none of its kernels must be compiled now, its Interpreter."""
    try:
        return program_for(graph)
    except compiler.NotCompiled:
        return Interpreter(graph)


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
        spare: which of the arrays that it runs along may be overwritten by `in_place`.
        begun: number of a collected value -> that of the carried value that it is, where its rows are to begin with what came
            in. Not in reverse.
        part: where examples, the first axis of what is carried and of rows, do not depend on each other, a function that gives the
            graph for the n-th part of them, or None.

    Attributes:
        over: for collected values that `in_place` leaves in the memory of an array the number of that array, of those along.

    Calling it with the first carried values, the arrays and what stays the same gives the last carried values and the collected
    rows.
    """

    __name__ = "loop"

    def __init__(self, graph, carried, along, length, reverse=False, flag=None, spare=(), begun=None, part=None):
        self.graph, self.carried, self.along, self.spare, self.begun = graph, carried, along, spare, begun or {}
        self.part = part
        self.length, self.reverse, self.flag = length, reverse, flag
        self.acts = graph.acts()
        self.lock = threading.Lock()
        self.driven = None if graph.is_on_gpu() else self._driven()
        self.part = None  # it holds what was traced
        self.program = program_of(graph) if self.driven is None else self.driven.body
        # What failed half-way runs again, step by step, and needs its arrays as they were.
        self.over = {} if self.driven is None or self.driven.may_fail else self.driven.over

    @property
    def compiled(self):
        """Whether the driver runs it; else it runs step by step."""
        return self.driven is not None

    def _driven(self):
        try:
            return self._made()
        except (NotDriven, compiler.NotCompiled):
            return None

    def _made(self, apart=True):
        if not self.begun:
            with contextlib.suppress(NotScalar):
                return ScalarLoop(self)
        whole = Driven(self, apart)
        if self.part is not None and apart and whole.shares_steps():
            return self._split(whole) or whole
        return whole

    def _split(self, whole):
        """The loop cut among threads; None if it cannot be."""
        count, loop = pool.pool().count, copy.copy(self)
        loop.graph = self.part(count)
        if loop.graph is None:
            return None
        members = [Driven(loop, threads=False) for _ in range(count)]
        return split_loops.SplitLoop(self, whole, members) if split_loops.fits(whole, members[0]) else None

    def nested(self, body, node):
        """This loop as an instruction of the body of another one; gives what has to be kept alive."""
        made = self._made(apart=False)
        made.join(body, node)
        return made

    def placed(self, node, arrays):
        """This loop, called by `node` in a program with arrays that stand still, as a PlacedLoop; None if it cannot be one."""
        driven = self.driven
        if (
            driven is None
            or isinstance(driven, split_loops.SplitLoop)
            or driven.parts is not None
            or driven.over
            or len(self.graph.nodes) > SMALL
        ):
            return None
        try:
            return PlacedLoop(node, arrays)
        except NotDriven:
            return None

    def __call__(self, *arrays):
        return self._run(arrays, False)

    def in_place(self, *arrays):
        """The same; arrays that `over` names are overwritten and come back."""
        return self._run(arrays, True)

    def _run(self, arrays, in_place):
        if self.driven is not None and self.lock.acquire(blocking=False):
            try:
                made = self.driven(arrays, in_place)
            finally:
                self.lock.release()
            if made is not None:
                return made
        return self.step_by_step(arrays)

    def step_by_step(self, arrays):
        """The same through the body's own program, or its interpreter."""
        run = self.program if self.driven is None else Interpreter(self.graph)
        carried = list(arrays[: self.carried])
        along = arrays[self.carried : self.carried + self.along]
        same = arrays[self.carried + self.along :]
        columns = [[] for _ in self.graph.outputs[self.carried :]]
        for place, index in self.begun.items():
            columns[place].append(carried[index])
        i = 0
        length = len(along[0]) if along else self.length
        while length is None or i < length:
            if self.flag is not None and not carried[self.flag]:
                break
            row = length - 1 - i if self.reverse else i
            out = run([*carried, *[array[row] for array in along], *same])
            carried = out[: self.carried]
            for column, array in zip(columns, out[self.carried :]):
                column.append(array)
            i += 1
        values = self.graph.outputs[self.carried :]
        collected = [
            np.stack(column[::-1] if self.reverse else column) if column else self._no_rows(value)
            for column, value in zip(columns, values)
        ]
        return [*[as_array(one).copy() for one in carried], *collected]

    @staticmethod
    def _no_rows(value):
        return (devices.cupy() if value.on_gpu else np).empty((0, *value.shape), value.dtype)


class Driven:
    """A loop by instructions.

    Args:
        loop: the Loop.
        apart: whether what is carried as a stack may be carried in its parts.

    Raises:
        NotDriven: if its body cannot be a list of instructions.
    """

    def __init__(self, loop, apart=True, threads=True):
        self.loop, self.reverse = loop, loop.reverse
        graph, carried, along, self.flag, self.parts = loop.graph, loop.carried, loop.along, loop.flag, None
        if apart:
            graph, carried, along, self.flag, self.parts = carried_apart(graph, carried, along, loop.flag)
        self.count, self.along = carried, along
        self.carried, self.rows = graph.inputs[:carried], graph.inputs[carried : carried + along]
        self.same = graph.inputs[carried + along :]
        self.news, self.collected = graph.outputs[:carried], graph.outputs[carried:]
        renewed = {old: new for old, new in zip(self.carried, self.news) if new is not old}
        spare = [self.rows[i] for i in loop.spare] if self.parts is None and apart else []
        self.body = Body(graph, renewed, self.collected, self.same, spare, threads)
        self.may_fail = any(words[0] == CAREFUL for words in self.body.code)
        self.over = {self.collected.index(new): self.rows.index(row) for new, row in self.body.over.items()}
        self._find_chains(renewed)
        self._copy_collected()
        self._renew(renewed)
        self._place_code()
        self._find_moves()
        self._find_readers()
        self.run = driver.kernel()
        self.beginning = driver.assembled(self.body.before)
        self.begin = driver.table(1, self.beginning)
        self.last = {}  # the arrays of collected rows of the last call
        self.made = 0  # how many were made
        self.table_before = None

    def shares_steps(self):
        """True if steps of a run are done by several threads."""
        team = pool.pool()
        return team is not None and any(words[1] == team.together.place for words in self.body.code)

    # -- what is copied, and what is written where it belongs ---------------------------------------

    def _find_chains(self, renewed):
        """Which collected values are not copied.

        `direct` tells for a value which rows it is written to. `chains` tells for a carried value in which rows the next run finds
        it: those after its own. The rows `whole` are to begin with what came in, and do so.
        """
        self.direct, self.chains, self.extra, self.whole = {}, {}, set(), set()
        body = self.body
        for place, value in enumerate(self.collected):
            if value in body.moveable and value not in self.direct:
                self.direct[value] = place
        if self.flag is not None:
            return
        news = [*renewed.values()]
        for old, new in renewed.items():
            if new not in body.moveable or news.count(new) > 1 or new in body.partners:
                continue
            if new in self.direct:
                place = self.direct[new]
            elif old in self.collected and old not in news:
                place = self.collected.index(old)
            else:
                continue
            if place not in self.extra:
                self.chains[old] = place
                self.extra.add(place)
        for place, index in self.loop.begun.items():
            if (
                self.parts is None
                and self.direct.get(self.collected[place]) == self.chains.get(self.carried[index]) == place
            ):
                self.whole.add(place)

    def _copy_collected(self):
        """Collected values that are copied, and what of a run is written into the rows of the next."""
        body, first = self.body, []
        self.targets = []  # (instruction, place)
        for place, value in enumerate(self.collected):
            if self.direct.get(value) == place or self.chains.get(value) == place or place in self.over:
                continue
            given, early = body.place(value), value in self.carried
            before = len(body.code)
            words = body.copy((None, np.empty(given[1].shape, given[1].dtype)), given)  # it goes elsewhere at each run
            if words is None:
                raise NotDriven
            self.targets.append((words, place))
            if early:  # it may be overwritten in place
                first += body.code[before:]
                del body.code[before:]
        body.code[:0] = first

    def _renew(self, renewed):
        """Copies of new carried values to the places of the old ones."""
        body, later = self.body, []
        for old, new in renewed.items():
            if body.partners.get(new) is old or old in self.chains:
                continue
            given = body.place(new)
            # It may be overwritten before it is read.
            if not set(self.carried).isdisjoint(body._roots(new)) or new in body.partners:
                room = np.empty(new.shape, new.dtype)
                body.tables.append(room)
                body.copy((None, room), given)
                given = (None, room)
            later.append((body.place(old), given))
        for target, given in later:
            body.copy(target, given)

    def _place_code(self):
        """One array of all instructions; addresses that stood in single ones are in it now."""
        body = self.body
        self.instructions = driver.assembled(body.code)
        where = {id(words): index * driver.WORDS for index, words in enumerate(body.code)}
        moved = []
        for table, index, value in body.addresses:
            start = where.get(id(table))
            moved.append((table, index, value) if start is None else (self.instructions, start + index, value))
        self.addresses = moved
        self.targets = [(where[id(words)] + 1, place) for words, place in self.targets]

    def _find_moves(self):
        """The words that change from run to run: (address of the word, what it follows, which one, offset, how many rows on)."""
        body, self.moves = self.body, []
        follow = {row: ("along", place, 0) for place, row in enumerate(self.rows)}
        follow |= {new: follow[row] for new, row in body.over.items()}
        for value, place in self.direct.items():
            follow[value] = ("collected", place, 0)
        for old, place in self.chains.items():
            new = self.news[self.carried.index(old)]
            follow[old], follow[new] = ("collected", place, 0), ("collected", place, 1)
        for table, index, value in self.addresses:
            for root in body._roots(value):
                if root in follow:
                    offset = int(table[index]) - native.address(body.arrays[root])
                    self.moves.append((native.address(table) + 8 * index, *follow[root][:2], offset, follow[root][2]))
        for index, place in self.targets:
            self.moves.append((native.address(self.instructions) + 8 * index, "collected", place, 0, 0))

    def _find_readers(self):
        """Which words hold addresses in what stays the same."""
        body = self.body
        self.places = {value: native.address(body.arrays[value]) for value in self.same}
        self.readers = {value: [] for value in self.same}
        for table, index, value in self.addresses:
            for root in body._roots(value):
                if root in self.readers:
                    self.readers[root].append((table, index))

    # -- running --------------------------------------------------------------------------------------

    def table(self, n, along, collected, made=None, mine=None):
        """The driver's Table: that of the last call, if its arrays were these.

        Args:
            n, along: the number of runs, and the arrays that it runs along.
            collected: arrays for what it collects.
            made: how many of these were made so far.
            mine: the examples that it goes through, a slice; None for all.
        """
        found, made = self.table_before, self.made if made is None else made
        if found is None or not found.fits(n, along, made):
            arrays = (
                [along, collected] if mine is None else [[one[:, mine] for one in part] for part in (along, collected)]
            )
            found = self.table_before = Table(n, along, made, *self._new_table(n, *arrays))
        return found

    def _new_table(self, n, along, collected):
        """The words of the driver, and those of its moves."""
        moves = []
        for place, what, which, offset, ahead in self.moves:
            array = (along if what == "along" else collected)[which]
            stride = array.strides[0]
            first = native.address(array) + offset
            if self.reverse:
                last = n - 1 + (what == "collected" and which in self.extra)
                moves.append((place, first + (last - ahead) * stride, -stride))
            else:
                moves.append((place, first + ahead * stride, stride))
        moves = np.array(moves, np.int64).reshape(-1, 3)
        flag = 0 if self.flag is None else native.address(self.body.arrays[self.carried[self.flag]])
        return driver.table(n, self.instructions, moves, flag), moves

    def rooms(self, n):
        """Arrays for the collected rows of n runs; those of chains have a row more."""
        return [
            None if place in self.over else self._room((n + (place in self.extra), *value.shape), value.dtype, place)
            for place, value in enumerate(self.collected)
        ]

    def _room(self, shape, dtype, place):
        """An array: that of the last call, if nobody has it or a view of it any more."""
        found = self.last.get(place)
        if found is None or found.shape != shape or found.dtype != dtype or sys.getrefcount(found) > ALONE:
            found = self.last[place] = np.empty(shape, dtype)
            self.made += 1
        return found

    def begin_of(self, rooms, n):
        """Where the first values of what is carried go."""
        return self._carried_in(rooms, n if self.reverse else 0)

    def end_of(self, rooms, n):
        """Where the last values of what is carried are."""
        return self._carried_in(rooms, 0 if self.reverse else n)

    def _carried_in(self, rooms, row):
        """The arrays of what is carried: a row of a room for chains."""
        return [
            rooms[self.chains[old]][row, ...] if old in self.chains else self.body.arrays[old] for old in self.carried
        ]

    def rows_of(self, rooms, n):
        """The collected rows without those that are only carried."""
        found = []
        for place, room in enumerate(rooms):
            if place in self.extra and place not in self.whole:
                came_out = self.direct.get(self.collected[place]) == place  # else rows hold what went into a run
                room = room[1:] if came_out != self.reverse else room[:-1]
            found.append(room)
        return found

    def __call__(self, arrays, in_place=False):
        """Runs it; None if it failed on the way, and nothing has happened."""
        given = arrays
        if self.parts is not None:
            arrays = self.parts.taken(arrays)
        body, count = self.body, self.count
        carried, along = arrays[:count], self.along_of(arrays, in_place)
        for value, array in zip(self.same, arrays[count + self.along :]):
            self.read_where_it_lies(value, array)
        if body.before:
            self.run(native.address(self.begin))
        n = self._runs(along)
        rooms = self.rooms(n)
        for place, number in self.over.items():
            rooms[place] = along[number]
        for place, array in zip(self.begin_of(rooms, n), carried):
            np.copyto(place, array)
        pieces = []
        while True:
            table = self.table(n, along, rooms)
            self.run(table.place)
            done = int(table.words[DONE])
            if done < 0:
                return None
            if self.flag is None:
                collected = self.rows_of(rooms, n)
                break
            pieces.append([one[:done] for one in rooms])
            if done < n or self.loop.length is not None:
                collected = pieces[0] if len(pieces) == 1 else [np.concatenate(column) for column in zip(*pieces)]
                break
            rooms = self.rooms(n)
        made = [*[one.copy() for one in self.end_of(rooms, n)], *collected]
        if self.parts is not None:
            made = self.parts.given(made, lambda shape, dtype, i: self._room(shape, dtype, (i,)))
        for place, index in self.loop.begun.items():
            if place not in self.whole:
                made[self.loop.carried + place] = np.concatenate([given[index][None], made[self.loop.carried + place]])
        return made

    def along_of(self, arrays, in_place):
        """What the loop runs along, so that it can be run along and written to."""
        along = [*map(self._row_by_row, arrays[self.count : self.count + self.along], range(self.along))]
        for number in self.over.values():
            if not in_place or along[number] is not arrays[self.count + number]:
                along[number] = along[number].copy()
        return along

    def read_where_it_lies(self, value, array):
        """Lets the body read what stays the same where it is given; a copy of it, where it lies in another way."""
        mine = self.body.arrays[value]
        if not (array.flags.c_contiguous and array.flags.aligned):
            copies.copy(mine, array)
            array = mine
        move = native.address(array) - self.places[value]
        if move:
            for table, index in self.readers[value]:
                table[index] += move
            self.places[value] += move

    def _row_by_row(self, array, number):
        """An array that the loop runs along, or a copy of it, so that its rows are blocks of memory."""
        if array.flags.c_contiguous:
            return array
        room = self._room(array.shape, array.dtype, ("along", number))
        copies.copy(room, array)
        return room

    def _runs(self, along):
        """How many runs there are; for an open end how many at a time."""
        if along:
            return len(along[0])
        if self.loop.length is not None:
            return self.loop.length
        return CHUNK if self.collected else np.iinfo(np.int64).max

    # -- as an instruction of another loop ---------------------------------------------------------------

    def join(self, outer, node):
        """Becomes an instruction of another body."""
        count, values = self.count, node.args
        along = [outer.place(value) for value in values[count : count + self.along]]
        if any(not is_dense(array) for _, array in along) or (
            self.loop.length is None and not along and self.collected
        ):
            raise NotDriven
        if (self.flag is not None and self.collected) or len(self.whole) < len(self.loop.begun):
            raise NotDriven
        n = self._runs([array for _, array in along])
        self.kept = rooms = self.rooms(n)
        for place, value in zip(self.begin_of(rooms, n), values[:count]):
            outer.copy((None, place), outer.place(value))
        self._lend(outer, values[count + self.along :])
        table, moves = self._new_table(n, [array for _, array in along], rooms)
        outer.tables += [table, moves]
        for index, (_, what, which, _, _) in enumerate(self.moves):
            if what == "along":
                outer.addresses.append((moves.reshape(-1), 3 * index + 1, along[which][0]))
        outer.code += self.body.before
        outer.add(CAREFUL, self.run.place, native.address(table), native.address(table) + 8 * DONE)
        outer.arrays |= zip(node.outputs, [*self.end_of(rooms, n), *self.rows_of(rooms, n)])

    def _lend(self, outer, values):
        """Lets the body read what stays the same where the outer one has it."""
        body = self.body
        lent = {}
        for mine, value in zip(self.same, values):
            theirs = outer.place(value)
            if theirs[1].strides == body.arrays[mine].strides:
                lent[mine] = theirs
            else:
                outer.copy((None, body.arrays[mine]), theirs)
        for table, index, value in self.addresses:
            for root in body._roots(value):
                if root in lent:
                    table[index] += native.address(lent[root][1]) - native.address(body.arrays[root])
                    outer.addresses.append((table, index, lent[root][0]))


class Table:
    """A table of the driver.

    Args:
        n, along, made: the number of runs, the arrays that it runs along, and how many arrays had been made, at the call that it
            was made for.
        words, moves: what it holds.

    Attributes:
        place: its address.
    """

    __slots__ = ("along", "made", "moves", "n", "place", "words")

    def __init__(self, n, along, made, words, moves):
        self.n, self.along, self.made = n, [*map(weakref.ref, along)], made
        self.words, self.moves, self.place = words, moves, native.address(words)

    def fits(self, n, along, made):
        """True for a call with the same arrays."""
        return self.n == n and self.made == made and all(one() is array for one, array in zip(self.along, along))


class Branches:
    """One of several graphs, chosen at each call.

    Calling it with the index and what the graphs take gives what the chosen one gives.

    Args:
        graphs: their inputs are the same in number.
    """

    __name__ = "branches"

    def __init__(self, graphs):
        self.programs = [program_of(graph) for graph in graphs]
        self.acts = any(graph.acts() for graph in graphs)

    def __call__(self, index, *arrays):
        chosen = min(max(int(index), 0), len(self.programs) - 1)
        return list(map(as_array, self.programs[chosen](arrays)))
