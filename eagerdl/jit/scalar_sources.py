"""The kernel of a loop over single numbers: its source, and what its table holds.

What is carried lives in variables, and loops inside are loops of the same source. Numbers, sizes, steps and addresses stand in
the table, so that a loop of 1,000 runs has the source of one of 10.
"""

from typing import NamedTuple

import numpy as np

from eagerdl.autograd.dispatch import as_array
from eagerdl.jit import lowering
from eagerdl.jit.emit import SCRATCH, completed, converted, number_text, number_word
from eagerdl.jit.fuse import is_row_major
from eagerdl.jit.graph import ELEMENTWISE, LOOP, VIEW, Value
from eagerdl.jit.lowering import NAMES
from eagerdl.jit.traced import getitem
from eagerdl.machine import native

RUNS, DONE = 0, 1  # words of a table: how many runs there are to be; how many there were, or -1 where one failed
DTYPES = {name: dtype for dtype, name in NAMES.items()}
COPIES = (np.array, np.reshape)  # calls that give a single number as it is


class NotScalar(Exception):
    """A loop that has more than single numbers to work on."""


class Place(NamedTuple):
    """An array that is read where it lies.

    Attributes:
        base: its address, as text.
        like: an array that lies in memory as it does; its elements mean nothing.
        written: whether the kernel itself writes it.
    """

    base: str
    like: np.ndarray
    written: bool = False


class Rows(NamedTuple):
    """The rows of an array that a loop runs along, or collects.

    Attributes:
        base, step: the address of the row of the first run, and how far it is to the next one, as text.
        written: whether the kernel itself writes them before.
    """

    base: str
    step: str
    written: bool = False


class ScalarSource:
    """The source of a loop.

    Args:
        loop: the `loops.Loop`.

    Attributes:
        text: the source.
        words: the words of its table, 0 for those that `places` and `firsts` name.
        places: the words that hold the addresses of arrays: what, of "carried", "along", "same", "result", "collected" -> words.
        firsts: (word, bytes of a row) for each word that says where the row of the first run lies.
        kept: arrays whose addresses stand in the table.
        nodes: the calls, those of loops inside among them.
        slots: how many numbers the buffer holds through which loops of ufuncs are called.
        may_fail: whether an index may be out of bounds.

    Raises:
        NotScalar: if the loop has more to work on.
    """

    def __init__(self, loop):
        self.words, self.firsts, self.kept, self.nodes = [0, 0], [], [], []
        self.places = {what: [] for what in ("carried", "along", "same", "result", "collected")}
        self.head, self.lines, self.known, self.loops = [], [], {}, {}
        self.variables = self.slots = self.stores = 0
        self.may_fail = False
        graph = loop.graph
        carried, along, same = parted(loop, graph.inputs)
        first = [self._first(f"again_{self._name(value)}({self._open('carried')}, 0)") for value in carried]
        along = [self._outer_rows(loop, value, "along") for value in along]
        same = [self._given(value, self._open("same")) for value in same]
        rooms = [self._outer_rows(loop, value, "collected") for value in graph.outputs[loop.carried :]]
        last, runs = self._loop(loop, first, along, same, rooms, self._first(f"word(P, {RUNS})"), 1)
        for value, text in zip(graph.outputs, last):
            self._store(value, self._open("result"), text, 1)
        self._say(1, f"set_word(P + {8 * DONE}, {runs})")
        if self.slots:
            self.words[self.buffer[0]] = self._keep(np.zeros(self.slots, np.int64))
        self.text = "\n".join(["def kernel(P):", *self.head, *self.lines]) + "\n"
        self.known = {}

    # -- lines and words -------------------------------------------------------------------------------

    def _say(self, depth, text):
        self.lines.append("    " * depth + text)

    def _variable(self):
        self.variables += 1
        return f"x{self.variables}"

    def _new(self, text, depth):
        """A new variable that holds an expression."""
        name = self._variable()
        self._say(depth, f"{name} = {text}")
        return name

    def _first(self, text):
        """A new variable that holds an expression from the beginning on."""
        name = self._variable()
        self.head.append(f"    {name} = {text}")
        return name

    def _word(self, number):
        self.words.append(number if number < 2**63 else number - 2**64)
        return len(self.words) - 1

    def _fixed(self, number):
        """A variable for a word that never changes."""
        return self._first(f"word(P, {self._word(number)})")

    def _open(self, what):
        """A variable for the address of an array that is known when the loop runs."""
        self.places[what].append(self._word(0))
        return self._first(f"word(P, {self.places[what][-1]})")

    def _keep(self, array):
        """The address of an array, which lives as long as this."""
        self.kept.append(array)
        return native.address(array)

    def _slot(self):
        """The address of a number of the buffer, as text."""
        if not self.slots:
            at = self._word(0)
            self.buffer = at, self._first(f"word(P, {at})")
        self.slots += 1
        return f"({self.buffer[1]} + {8 * (self.slots - 1)})"

    # -- what is read and written ------------------------------------------------------------------------

    @staticmethod
    def _name(value):
        """The name of the dtype of a single number."""
        if value.size != 1 or value.dtype not in NAMES:
            raise NotScalar
        return NAMES[value.dtype]

    def _given(self, value, base):
        """What comes from outside and stays the same: a single number in a variable, or a Place."""
        if not is_row_major(value) or value.dtype not in NAMES:
            return None
        if value.size == 1:
            return self._first(f"load_{NAMES[value.dtype]}({base}, 0)")
        return Place(base, np.empty(value.shape, value.dtype))

    def _found(self, value, place, depth):
        """What a value is that lies at a place: single numbers are read at once."""
        if value.size != 1:
            return place
        return self._new(f"{'again' if place.written else 'load'}_{self._name(value)}({place.base}, 0)", depth)

    def _number(self, value):
        """The variable that holds a single number."""
        found = self.known.get(value)
        if not isinstance(found, str):
            raise NotScalar
        return found

    def _place(self, value):
        found = self.known.get(value)
        if not isinstance(found, Place):
            raise NotScalar
        return found

    def _store(self, value, base, text, depth):
        scope = self.stores = min(self.stores + 1, SCRATCH - 1)
        self._say(depth, f"store_{self._name(value)}_{scope}({base}, 0, {text})")

    def _outer_rows(self, loop, value, what):
        """The rows of an array that the whole loop runs along, or collects."""
        base, size = self._open(what), value.nbytes
        self.firsts.append((self._word(0), size))
        base = self._first(f"{base} + word(P, {self.firsts[-1][0]})")
        return Rows(base, self._fixed(-size if loop.reverse else size))

    def _inner_rows(self, loop, value, n, base, written, depth):
        """The same for a loop inside, of n runs."""
        size = value.nbytes
        first = self._fixed((n - 1) * size if loop.reverse else 0)
        return Rows(self._new(f"{base} + {first}", depth), self._fixed(-size if loop.reverse else size), written)

    # -- loops ---------------------------------------------------------------------------------------------

    def _loop(self, loop, carried, along, same, rooms, runs, depth):
        """Writes a loop.

        Args:
            loop: the `loops.Loop`.
            carried: variables that hold what is carried at first.
            along, rooms: the Rows that it runs along, and where those go that it collects.
            same: what stays the same, variables and Places.
            runs: a variable that says how often it runs at most; None if only the flag knows.

        Returns:
            The variables that hold what is carried, and the one that counts the runs.
        """
        graph = loop.graph
        old, rows, others = parted(loop, graph.inputs)
        self.known |= zip(others, same)
        carried = [self._new(text, depth) for text in carried]
        i = self._new("0", depth)
        conditions = [f"{i} < {runs}"] if runs else []
        if loop.flag is not None:
            conditions.append(carried[loop.flag])
        self._say(depth, f"while {' and '.join(conditions)}:")
        depth += 1
        self.known |= zip(old, carried)
        for value, (base, step, written) in zip(rows, along):
            place = Place(self._new(f"{base} + {i} * {step}", depth), np.empty(value.shape, value.dtype), written)
            self.known[value] = self._found(value, place, depth)
        ends = [self._new(f"{base} + {i} * {step}", depth) for base, step, _ in rooms]
        collected = graph.outputs[loop.carried :]
        direct = {value: end for value, end in zip(collected, ends) if collected.count(value) == 1}
        self._graph(graph, direct, depth)
        for value, end in zip(collected, ends):
            found = self.known.get(value)
            if not isinstance(found, Place) or found.base != end:
                self._store(value, end, self._number(value), depth)
        # What is carried on may be what others become.
        new = [self._number(value) for value in graph.outputs[: loop.carried]]
        new = [self._new(text, depth) if text in carried else text for text in new]
        for name, text in zip(carried, new):
            self._say(depth, f"{name} = {text}")
        self._say(depth, f"{i} += 1")
        return carried, i

    def _inner(self, node, direct, depth):
        """A loop inside. What it collects goes to the rows of `direct`, or to memory of its own."""
        loop = node.function
        if getattr(loop, "nested", None) is None or not all(isinstance(one, Value) for one in node.args):
            raise NotScalar
        carried, along, same = parted(loop, node.args)
        _, rows, _ = parted(loop, loop.graph.inputs)
        given = [self._place(value) for value in along]
        n = runs_of(loop, [place.like for place in given])
        last, collected = node.outputs[: loop.carried], node.outputs[loop.carried :]
        if (collected and (loop.flag is not None or n is None)) or not all(is_row_major(one.like) for one in given):
            raise NotScalar
        made = [
            Place(direct.get(value) or self._fixed(self._keep(np.empty(value.shape, value.dtype))),
                  np.empty(value.shape, value.dtype), True)
            for value in collected
        ]  # fmt: skip
        pairs = [*zip(rows, given), *zip(loop.graph.outputs[loop.carried :], made)]
        pairs = [self._inner_rows(loop, value, n, place.base, place.written, depth) for value, place in pairs]
        first = [self._number(value) for value in carried]
        others = [self.known.get(value) for value in same]
        runs = None if n is None else self._fixed(n)
        found, _ = self._loop(loop, first, pairs[: len(rows)], others, pairs[len(rows) :], runs, depth)
        self.known |= zip(last, found)
        for value, place in zip(collected, made):
            self.known[value] = self._found(value, place, depth)

    def _branches(self, node, depth):
        """One of several graphs, chosen by a number."""
        if not all(isinstance(one, Value) for one in node.args):
            raise NotScalar
        chosen, given = self._number(node.args[0]), [self.known.get(value) for value in node.args[1:]]
        graphs, made = [program.graph for program in node.function.programs], []
        if len(graphs) < 2:
            raise NotScalar
        for index, graph in enumerate(graphs):
            last = index == len(graphs) - 1
            self._say(depth, "else:" if last else f"{'elif' if index else 'if'} {chosen} <= {index}:")
            self.known |= zip(graph.inputs, given)
            self._graph(graph, {}, depth + 1)
            texts = [self._number(value) for value in graph.outputs]
            made = made or [self._variable() for _ in texts]
            for name, text in zip(made, texts):
                self._say(depth + 1, f"{name} = {text}")
        self.known |= zip(node.outputs, made)

    # -- calls ---------------------------------------------------------------------------------------------

    def _graph(self, graph, direct, depth):
        """Writes the calls of a graph whose inputs are known."""
        if graph.variables:
            raise NotScalar
        for value, array in graph.constants.items():
            self.known[value] = self._given(value, self._fixed(self._keep(packed(array))))
        for node in graph.nodes:
            self._call(node, direct, depth)

    def _call(self, node, direct, depth):
        if node.kind == LOOP:
            if hasattr(node.function, "programs"):
                self._branches(node, depth)
            else:
                self._inner(node, direct, depth)
            return
        self.nodes.append(node)
        if node.kind == ELEMENTWISE:
            self._elementwise(node, depth)
        elif node.function is getitem:
            self._item(node, depth)
        elif node.kind == VIEW or node.function in COPIES:
            self._view(node, depth)
        else:
            raise NotScalar

    def _elementwise(self, node, depth):
        low = lowering.lowered(node) if len(node.outputs) == 1 else None
        if low is None:
            raise NotScalar
        (out,), texts = node.outputs, []
        self._name(out)
        for wanted, one in zip(low.dtypes, lowering.operands(node)):
            if isinstance(one, Value):
                texts.append(converted(self._number(one), NAMES[one.dtype], wanted))
            else:
                texts.append(self._first(number_text(self._word(number_word(one, wanted)), wanted)))
        if low.expression is not None:
            self.known[out] = self._new(completed(low, texts), depth)
        else:
            self.known[out] = self._called(low, texts, depth)

    def _called(self, low, texts, depth):
        """A number that the loop of a ufunc computes, from a buffer to a buffer."""
        key = low.ufunc, low.dtypes
        if key not in self.loops:
            code = native.loop(low.ufunc, tuple([DTYPES[name] for name in low.dtypes]))
            self.loops[key] = [self._fixed(one) for one in code]
        places = []
        for name, text in zip(low.dtypes, texts):
            places += [self._slot(), str(DTYPES[name].itemsize)]
            self._say(depth, f"store_{name}_{SCRATCH}({places[-2]}, 0, {text})")
        name, out = low.dtypes[-1], self._slot()
        places = ", ".join([*places, out, str(DTYPES[name].itemsize)])
        self._say(depth, f"loop_{len(low.dtypes)}({', '.join(self.loops[key])}, 1, ({places}))")
        return self._new(f"again_{name}({out}, 0)", depth)

    def _view(self, node, depth):
        """Axes put in or left out, and other parts of arrays."""
        if len(set(node.inputs)) != 1:
            raise NotScalar
        value = node.inputs[0]
        found = self.known.get(value)
        if isinstance(found, str):
            if any(out.size != 1 or out.dtype != value.dtype for out in node.outputs):
                raise NotScalar
            self.known |= dict.fromkeys(node.outputs, found)
            return
        place = self._place(value)
        made = node.run({value: place.like}.__getitem__)
        for out, array in zip(node.outputs, made if isinstance(made, tuple | list) else [made]):
            self._part(out, place, array, depth)

    def _part(self, out, place, array, depth):
        """`out` is what lies at a place like a view of the array that lies there."""
        if not isinstance(array, np.ndarray) or not np.may_share_memory(array, place.like):
            raise NotScalar
        offset = self._fixed(native.address(array) - native.address(place.like))
        part = Place(self._new(f"{place.base} + {offset}", depth), array, place.written)
        self.known[out] = self._found(out, part, depth)

    def _item(self, node, depth):
        """``x[key]``, of numbers that are known or computed."""
        (value, key), (out,) = node.args, node.outputs
        parts = key if isinstance(key, tuple) else (key,)
        if isinstance(self.known.get(value), str):
            self._view(node, depth)
            return
        place = self._place(value)
        if all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts):
            # With dots it is a view, not a number.
            self._part(out, place, place.like[parts if Ellipsis in parts else (*parts, ...)], depth)
            return
        if not place.like.size:
            raise NotScalar
        base = place.base
        for n, step, part in zip(place.like.shape, place.like.strides, parts):
            if type(part) is int:
                base = f"{base} + {self._fixed(part % n * step)}"
                continue
            if not isinstance(part, Value) or part.ndim or part.dtype.kind not in "iu" or part.dtype == np.uint64:
                raise NotScalar
            base = f"{base} + {self._index(self._number(part), n, depth)} * {self._fixed(step)}"
        like = place.like[(*[0] * len(parts), ...)]
        if like.shape != out.shape:
            raise NotScalar
        self.known[out] = self._found(out, Place(self._new(base, depth), like, place.written), depth)

    def _index(self, text, n, depth):
        """A computed index, counted from the end if it is negative; the loop fails if it is out of bounds."""
        self.may_fail = True
        i, n = self._new(f"as_i8({text})", depth), self._fixed(n)
        self._say(depth, f"if {i} < 0:")
        self._say(depth + 1, f"{i} += {n}")
        self._say(depth, f"if {i} < 0 or {i} >= {n}:")
        self._say(depth + 1, f"set_word(P + {8 * DONE}, -1)")
        self._say(depth + 1, "return")
        return i


def parted(loop, values):
    """What a loop is given, in three lists: carried, to run along, what stays the same."""
    first, second = loop.carried, loop.carried + loop.along
    return values[:first], values[first:second], values[second:]


def runs_of(loop, along):
    """How many runs there are at most, by the arrays that it runs along; None if only the flag knows."""
    return len(along[0]) if loop.along else loop.length


def packed(array):
    """An array without gaps between its elements."""
    array = as_array(array)
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else array.copy()
