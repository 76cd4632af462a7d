"""Regions to kernel sources: readable Python in the words of `intrinsics`, the same for all sizes.

A kernel gets a table of 64-bit words: sizes, addresses, steps in bytes, numbers, addresses of ufunc loops. `Source` says what
belongs into each word; `program` fills it in for the sizes at hand. The loop over rows is split into phases: an inner loop over a
row (or a block of it) with all that can be computed at once, then the calls of ufunc loops and reductions on what it left in
memory, then the next inner loop. What passes from phase to phase lies in a buffer of a few kilobytes.
"""

import struct

import numpy as np

from eagerdl.jit import lowering
from eagerdl.jit.fuse import COLUMN, FULL, ROW, reduction_kind
from eagerdl.jit.graph import REDUCE, VIEW, Value
from eagerdl.jit.spaces import Operand, RegionSource, grouped, step_of

BLOCK = 1024  # elements of a row that are worked on at once where no reduction needs all of them
LINE = 64  # bytes of a cache line
ROWS = 4  # that are added up together, so that their sum is read and written once
TILE = 16  # rows of what lies column by column that are gathered at once: a cache line of float32
OUTER, INNER = ("from", "to"), ("begin", "end")  # words that say which part of a loop is run
SCRATCH = 31  # the scope of buffers; outputs have those from 0 on


class Source:
    """A kernel source, and what its table holds.

    Attributes:
        text: the source.
        words: for each word of the table what it is: a tuple whose first entry says the kind.
        groups: the axes of the space that make one loop each, outer loops first, the row last.
        operands, outputs: the values read and written.
        slots: how many rows of buffer it needs.
        phases: how many inner loops a row takes.
        blocked: whether rows are worked on in blocks.
        cut: what may be computed at the same time, as the words of the table that say from where to where; None for nothing.
    """

    __slots__ = ("blocked", "cut", "groups", "operands", "outputs", "phases", "region", "slots", "text", "words")


def source_of(region, materialized, partners, brief=False):
    """The Source of a region.

    Args:
        region: the Region.
        materialized: the values of it that are needed outside.
        partners: output value -> the value whose memory it may overwrite in place.
        brief: whether rows are thought to be short.

    Raises:
        NotEmitted: if rows are no rows in memory.
    """
    return _Emitter(region, materialized, partners, brief).source()


class _Emitter(RegionSource):
    def __init__(self, region, materialized, partners, brief):
        super().__init__(region, materialized, partners)
        self.brief = brief
        self.words, self.operands, self.lines = [], {}, []
        self.slots = self.variables = 0
        self.together, self.row = 1, 0  # rows that are worked on at once, and which of them is being written

    # -- the parts ----------------------------------------------------------------------------------

    def source(self):
        region = self.region
        self._find_operands()
        everything = [*self.operands.values(), *self.out.values()]
        self.groups = grouped(region, everything)
        ndim = len(region.shape)
        inner = self.groups[-1]
        for operand in everything:
            step = step_of(region.shape, operand.steps(operand.value, ndim), inner)
            operand.inner = "0" if step == 0 else "1" if step == operand.value.dtype.itemsize else "s"
        for value, operand in self.out.items():
            if region.level(value) == FULL and operand.inner == "0":
                operand.inner = "1"  # a row of one element
        self._plan_phases()
        self._find_cut()
        text = self._text()
        made = Source()
        made.text, made.words, made.groups, made.region = text, self.words, self.groups, region
        made.operands, made.outputs = [*self.operands.values()], [*self.out.values()]
        made.slots, made.blocked, made.phases, made.cut = self.slots, self.blocked, self.count, self.cut
        return made

    def _find_operands(self):
        """What comes from outside, one operand for each way in which a value lies in the space."""
        region = self.region
        for node in self.nodes:
            args = node.args if node.kind == REDUCE else lowering.operands(node)
            for arg in args:
                if isinstance(arg, Value) and arg not in region.axes:
                    key = (arg, self._axes_of(arg, node))
                    if key not in self.operands:
                        operand = self.operands[key] = Operand(*key)
                        operand.name = f"a{len(self.operands) - 1}"
        self.out = {}
        for value in self.outputs:
            operand = self.out[value] = Operand(value, region.axes[value])
            operand.name = f"o{len(self.out) - 1}"

    def _plan_phases(self):
        """In which phase each call runs, and from which phase on its result can be used."""
        self.phase, self.ready, self.in_memory = {}, {}, {}
        self.needs_memory = set()
        for node in self.nodes:
            (out,) = node.outputs
            inputs = [self._root(value) for value in node.inputs]
            called = node.kind == REDUCE or lowering.lowered(node).expression is None
            row = node.kind != REDUCE and self._level(out) == ROW
            ready = max([self.ready.get(value, 0) for value in inputs], default=0)
            if node.kind == REDUCE and reduction_kind(node)[0] == COLUMN:
                self.phase[node] = self.ready[out] = ready
            elif called and not row:
                self.phase[node] = max([self.in_memory.get(value, 0) for value in inputs], default=0)
                self.needs_memory.update(value for value in inputs if value in self.region.axes)
                self.ready[out] = self.phase[node] + 1
                self.in_memory[out] = self.phase[node] if node.kind != REDUCE else self.phase[node] + 1
            else:
                self.phase[node] = self.ready[out] = self.in_memory[out] = ready
                if called:
                    self.needs_memory.update(value for value in inputs if value in self.region.axes)
        for node in self.nodes:
            for value in node.inputs:
                value = self._root(value)
                if value in self.region.axes and self._level(value) == FULL and self.phase[node] > self.ready[value]:
                    self.needs_memory.add(value)
        self.count = max([*self.phase.values(), *self.ready.values()], default=0) + 1
        # Formulas are long, and vector code only if what they read lies side by side.
        formula = any(self._is_formula(node) for node in self.nodes)
        self.gathered = [one for one in self.operands.values() if formula and one.inner == "s"]
        parts = bool(self.needs_memory or {o for o in self.out if self._is_called(o)}) and self.region.row is None
        self.tiled = not parts and all(self._is_by_columns(one) for one in self.gathered)
        self.blocked = parts or (self.region.row is None and bool(self.gathered) and not self.tiled)

    def _is_called(self, value):
        node = value.node
        return node.kind == REDUCE or lowering.lowered(node).expression is None

    def _find_cut(self):
        """Rows, or elements, may be computed at the same time; where rows are added up, columns, unless these are too."""
        one_row = self.region.row is not None and len(self.groups) == 1
        self.cut = None if one_row else OUTER
        if self.region.columns and not self.region.outer:
            rows = any(node.kind == REDUCE and reduction_kind(node)[0] == ROW for node in self.nodes)
            self.cut = None if rows or self.gathered else INNER

    def _is_formula(self, node):
        low = None if node.kind == REDUCE else lowering.lowered(node)
        return low is not None and low.ufunc is not None and low.expression is not None

    # -- words ------------------------------------------------------------------------------------------

    def word(self, *what):
        self.words.append(what)
        return len(self.words) - 1

    def say(self, depth, text):
        self.lines.append("    " * depth + text)

    # -- the text -----------------------------------------------------------------------------------------

    def _text(self):
        say, groups = self.say, self.groups
        say(0, "def kernel(P):")
        if self.brief:
            say(1, "brief()")
        first, last = self.word("from"), self.word("to")
        say(1, f"first, last = word(P, {first}), word(P, {last})")
        say(1, f"n = word(P, {self.word('size', len(groups) - 1)})")
        for index in range(1, len(groups) - 1):
            say(1, f"n{index} = word(P, {self.word('size', index)})")
        for operand in [*self.operands.values(), *self.out.values()]:
            same = self._overwritten(operand)
            if (
                same is not None
            ):  # one name for one place, so that LLVM sees that each element is read before it is written
                say(1, f"{operand.name} = {same.name}")
                for index in range(len(groups) - 1):
                    say(1, f"{operand.name}_{index} = {same.name}_{index}")
                continue
            say(1, f"{operand.name} = word(P, {self.word('address', operand)})")
            for index in range(len(groups) - 1):
                say(1, f"{operand.name}_{index} = word(P, {self.word('step', operand, index)})")
            if operand.inner == "s":
                say(1, f"{operand.name}_s = word(P, {self.word('step', operand, len(groups) - 1)})")
        if self.cut == INNER:
            say(1, f"begin, end = word(P, {self.word(INNER[0])}), word(P, {self.word(INNER[1])})")
        self.buffer = self.word("buffer")
        say(1, f"buffer, slot = word(P, {self.buffer}), word(P, {self.word('slot')})")
        self._numbers()
        self._loops()
        self.outer = sum(group[-1] < self.region.outer for group in groups) if self.region.outer else 0
        if self._adds_up_only():
            self._several_rows()
            return "\n".join(self.lines) + "\n"
        depth = 1
        for index in range(len(groups) - 1):
            if index == self.outer:
                self._zero_columns(depth)
            say(depth, f"for i{index} in range({'first, last' if index == 0 else f'n{index}'}):")
            depth += 1
            for operand in [*self.operands.values(), *self.out.values()]:
                base = operand.name if index == 0 else f"{operand.name}r{index - 1}"
                say(depth, f"{operand.name}r{index} = {base} + i{index} * {operand.name}_{index}")
        self.at = {operand: operand.name if len(groups) == 1 else f"{operand.name}r{len(groups) - 2}"
                   for operand in [*self.operands.values(), *self.out.values()]}  # fmt: skip
        if len(groups) - 1 == self.outer:
            self._zero_columns(depth)
        whole = len(groups) == 1 and self.region.row is None
        if self.cut != INNER:
            say(depth, f"begin, end = {'first, last' if whole else '0, n'}")
        if self.blocked:
            say(depth, "start = begin")
            say(depth, "while start < end:")
            depth += 1
            say(depth, f"stop = least(start + {BLOCK}, end)")
        else:
            say(depth, "start, stop = begin, end")
        say(depth, "m = stop - start")
        self.place, self.scalars = {}, {}  # FULL value -> (base, inner, scope); ROW value -> variable
        self._load_single(depth)
        for operand in self.gathered:
            self._gather(operand, depth)
        for phase in range(self.count):
            self._phase(phase, depth)
        if self.blocked:
            say(depth, "start = stop")
        return "\n".join(self.lines) + "\n"

    def _adds_up_only(self):
        """True for short rows that are added up in one pass, with nothing else to do for a row as a whole."""
        return (self.brief and bool(self.region.columns) and self.outer == 0 and len(self.groups) == 2 and self.count == 1
                and not self.gathered and not self.needs_memory and not self.loops
                and ROWS * len(self.out) < SCRATCH
                and all(self._level(node.outputs[0]) != ROW for node in self.nodes))  # fmt: skip

    def _several_rows(self):
        """Rows that are added up, several at a time, then those that are left."""
        self.together = ROWS
        self._zero_columns(1)
        if self.cut != INNER:
            self.say(1, "begin, end = 0, n")
        self.say(1, "i0 = first")
        for rows in (ROWS, 1):
            self.say(1, f"while i0 + {rows} <= last:")
            self._rows(rows, 2)
            self.say(2, f"i0 += {rows}")

    def _rows(self, rows, depth):
        """So many rows: all that is computed of each, then their sums."""
        say, everything = self.say, [*self.operands.values(), *self.out.values()]
        at = [{operand: f"{operand.name}r{row}" for operand in everything} for row in range(rows)]
        sums = [operand for value, operand in self.out.items() if self._level(value) == COLUMN]
        for self.row, self.at in enumerate(at):
            for operand in everything:
                if operand not in sums:
                    say(depth, f"{self.at[operand]} = {operand.name} + (i0 + {self.row}) * {operand.name}_0")
            self._load_single(depth)
        say(depth, "for j in range(begin, end):")
        found = {}
        for self.row, self.at in enumerate(at):
            self.place, self.scalars, self.now = {}, {}, {}
            for node in self.nodes:
                if node.kind == REDUCE:
                    found.setdefault(node, []).append(self._read(node.inputs[0], depth + 1, node))
                else:
                    self._inline(node, depth + 1)
        self.row = 0
        for node, elements in found.items():
            self._add_up(node, elements, depth + 1)

    def _add_up(self, node, elements, depth):
        """Adds elements of several rows to what there is, in their order; the greatest is that of pairs, and of pairs of those."""
        (out,) = node.outputs
        operand, name = self.out.get(out), lowering.NAMES[out.dtype]
        if operand is None:
            return
        scope, at = self._scope(out), f"{self._sums_at(operand)}, {self._offset(operand, name)}"
        if node.function.__self__ is not np.add:
            while len(elements) > 1:
                elements = [self._new(lowering.combined(node, *pair), depth) for pair in zip(*[iter(elements)] * 2)]
        total = self._new(f"load_{name}_but_{scope}({at})", depth)
        for element in elements:
            total = self._new(lowering.combined(node, total, element), depth)
        self.say(depth, f"store_{name}_{scope}({at}, {total})")

    def _load_single(self, depth):
        """What a row has one of."""
        for operand in self.operands.values():
            if operand.inner == "0":
                name = lowering.NAMES[operand.value.dtype]
                self.say(depth, f"{self._single(operand)} = load_{name}{self._but(operand)}({self.at[operand]}, 0)")

    def _single(self, operand):
        return f"{operand.name}x{self.row or ''}"

    def _gather(self, operand, depth):
        """Copies what an operand holds for a row, or a block of it, to the buffer."""
        name, size = lowering.NAMES[operand.value.dtype], operand.value.dtype.itemsize
        if self.tiled:
            self._gather_tile(operand, name, size, depth)
            return
        self.place[operand] = (f"(buffer + {self.slots} * slot)", SCRATCH)
        self.slots += 1
        self.say(depth, "for j in range(m):")
        load = f"load_{name}{self._but(operand)}({self.at[operand]}, (start + j) * {operand.name}_s)"
        self.say(depth + 1, f"store_{name}_{SCRATCH}({self.place[operand][0]}, j * {size}, {load})")

    def _is_by_columns(self, operand):
        """True if rows that follow each other lie side by side, so that a cache line has elements of many of them."""
        steps = operand.steps(operand.value, len(self.region.shape))
        return (
            len(self.groups) > 1 and step_of(self.region.shape, steps, self.groups[-2]) == operand.value.dtype.itemsize
        )

    def _gather_tile(self, operand, name, size, depth):
        """Copies what an operand holds for `TILE` rows to the buffer, at the first one of them."""
        last = len(self.groups) - 2
        index, begin, end = f"i{last}", "first" if last == 0 else "0", "last" if last == 0 else f"n{last}"
        tile = f"(buffer + {self.slots} * slot)"
        # Rows a power of two apart would fight for the same lines of the cache.
        self.place[operand] = (f"({tile} + ({index} - {begin}) % {TILE} * (slot + {LINE}))", SCRATCH)
        self.slots += TILE + 1
        load = f"load_{name}{self._but(operand)}({self.at[operand]}, r * {size} + j * {operand.name}_s)"
        store = f"store_{name}_{SCRATCH}({tile}, r * (slot + {LINE}) + j * {size}, {load})"
        self.say(depth, f"if ({index} - {begin}) % {TILE} == 0:")
        self.say(depth + 1, f"if {index} + {TILE} <= {end}:")
        self.say(depth + 2, "for j in range(n):")
        self.say(depth + 3, f"for r in range({TILE}):")
        self.say(depth + 4, store)
        self.say(depth + 1, "else:")
        self.say(depth + 2, "for j in range(n):")
        self.say(depth + 3, f"for r in range({end} - {index}):")
        self.say(depth + 4, store)

    def _but(self, operand):
        """The scope in which an operand that is overwritten in place is written, as part of a name."""
        for value in self.out:
            if self.partners.get(value) is operand.value:
                return f"_but_{self._scope(value)}"
        return ""

    def _scope(self, value):
        return min([*self.out].index(value) * self.together + self.row, SCRATCH - 1)

    def _numbers(self):
        self.number = {}
        for place, node in enumerate(self.region.nodes):
            if node.kind in (VIEW, REDUCE):
                continue
            names = lowering.lowered(node).dtypes
            for index, arg in enumerate(lowering.operands(node)):
                if not isinstance(arg, Value):
                    variable, name = f"c{len(self.number)}", names[index]
                    self.number[node, index] = variable
                    self.say(1, f"{variable} = {number_text(self.word('number', place, index, name), name)}")

    def _loops(self):
        """The addresses of the ufunc loops that are called."""
        self.loops = {}
        for node in self.nodes:
            key = self._loop_key(node)
            if key is not None and key not in self.loops:
                name = self.loops[key] = f"f{len(self.loops)}"
                code, data = self.word("code", *key), self.word("data", *key)
                self.say(
                    1, f"{name}, {name}_data = word(P, {code}), word(P, {data})  # {key[0].__name__} {' '.join(key[1])}"
                )

    def _loop_key(self, node):
        if node.kind == REDUCE:
            kind, *_ = reduction_kind(node)
            name = lowering.NAMES[node.outputs[0].dtype]
            return (node.function.__self__, (name, name, name)) if kind == ROW else None
        low = lowering.lowered(node)
        return (low.ufunc, low.dtypes) if low.expression is None else None

    def _zero_columns(self, depth):
        """What rows will be added to."""
        for value, operand in self.out.items():
            if self._level(value) == COLUMN:
                name, start = lowering.NAMES[value.dtype], lowering.start(value.node)
                self.say(depth, f"for j in range({'begin, end' if self.cut == INNER else 'n'}):")
                at = f"{self._sums_at(operand)}, {self._offset(operand, name)}"
                self.say(depth + 1, f"store_{name}_{self._scope(value)}({at}, as_{name}({start}))")

    def _sums_at(self, operand):
        """Where rows are added up: it moves along the outer axes only."""
        return f"{operand.name}r{self.outer - 1}" if self.outer else operand.name

    # -- a phase ------------------------------------------------------------------------------------------

    def _phase(self, phase, depth):
        row = [
            node
            for node in self.nodes
            if self.phase[node] == phase and node.kind != REDUCE and self._level(node.outputs[0]) == ROW
        ]
        for node in row:
            self._row_call(node, depth)
        inline, called = [], []
        for node in self.nodes:
            if self.phase[node] != phase or node in row:
                continue
            column = node.kind == REDUCE and reduction_kind(node)[0] == COLUMN
            (inline if column or (node.kind != REDUCE and not self._is_called(node.outputs[0])) else called).append(
                node
            )
        late = [value for value in self.out if self._is_called(value) and self._level(value) == FULL
                and self.ready[value] == phase and self.out[value].inner != "1"]  # fmt: skip
        if inline or late:
            self.say(depth, "for j in range(start, stop):")
            self.now = {}  # what this pass of the loop has computed or loaded
            for node in inline:
                self._inline(node, depth + 1)
            for value in late:
                self._store(value, self._read(value, depth + 1), depth + 1)
        for node in called:
            self._reduce(node, depth) if node.kind == REDUCE else self._call(node, depth)

    def _inline(self, node, depth):
        (out,) = node.outputs
        if node.kind == REDUCE:
            operand, name = self.out.get(out), lowering.NAMES[out.dtype]
            if operand is None:
                return
            x, scope = self._read(node.inputs[0], depth, node), self._scope(out)
            at = f"{self._sums_at(operand)}, {self._offset(operand, name)}"
            self.say(
                depth, f"store_{name}_{scope}({at}, {lowering.combined(node, f'load_{name}_but_{scope}({at})', x)})"
            )
            return
        variable = self.now[out] = self._new(self._expression(node, depth), depth)
        if out in self.out:
            self._store(out, variable, depth)
        if out in self.needs_memory and out not in self.place:
            base = self._slot(out)
            name = lowering.NAMES[out.dtype]
            self.say(depth, f"store_{name}_{SCRATCH}({base}, (j - start) * {out.dtype.itemsize}, {variable})")

    def _store(self, value, variable, depth):
        operand, name = self.out[value], lowering.NAMES[value.dtype]
        scope = self._scope(value)
        stored = f"settled({variable})" if value in self.partners else variable
        self.say(depth, f"store_{name}_{scope}({self.at[operand]}, {self._offset(operand, name)}, {stored})")
        if operand.inner == "1" and value not in self.place:
            self.place[value] = (f"({self.at[operand]} + start * {value.dtype.itemsize})", scope)

    def _offset(self, operand, name):
        if operand.inner == "0":
            return "0"
        return f"j * {operand.name}_s" if operand.inner == "s" else f"j * {operand.value.dtype.itemsize}"

    def _slot(self, value):
        """A row of the buffer for a value."""
        if value not in self.place:
            self.place[value] = (f"(buffer + {self.slots} * slot)", SCRATCH)
            self.slots += 1
        return self.place[value][0]

    def _expression(self, node, depth, read=None):
        low = lowering.lowered(node)
        read = read or self._read
        args = []
        for index, arg in enumerate(lowering.operands(node)):
            wanted = low.dtypes[index]
            if not isinstance(arg, Value):
                args.append(self.number[node, index])
                continue
            args.append(converted(read(arg, depth, node), lowering.NAMES[arg.dtype], wanted))
        return completed(low, args)

    def _read(self, value, depth, node=None):
        """An expression for an element of a value, inside an inner loop."""
        root = self._root(value)
        if root in self.now:
            return self.now[root]
        if root in self.scalars:
            return self.scalars[root]
        name = lowering.NAMES[root.dtype]
        if root in self.region.axes:
            base, scope = self.place[root]
            text = f"load_{name}_but_{scope}({base}, (j - start) * {root.dtype.itemsize})"
        else:
            operand = self._operand(root, node)
            if operand.inner == "0":
                return self._single(operand)
            if operand in self.now:
                return self.now[operand]
            if operand in self.place:
                base, scope = self.place[operand]
                text = f"load_{name}_but_{scope}({base}, (j - start) * {root.dtype.itemsize})"
            else:
                text = f"load_{name}{self._but(operand)}({self.at[operand]}, {self._offset(operand, name)})"
            root = operand
        variable = self.now[root] = self._new(text, depth)
        return variable

    def _new(self, text, depth):
        """A new variable of the source that holds an expression."""
        self.variables += 1
        self.say(depth, f"x{self.variables} = {text}")
        return f"x{self.variables}"

    def _operand(self, value, node):
        operand = self.operands[value, self._axes_of(value, node)]
        return operand

    # -- calls on rows and blocks ---------------------------------------------------------------------------

    def _memory(self, value, wanted, node, depth):
        """Address and step of a value that a loop is called on."""
        root = self._root(value)
        have = lowering.NAMES[root.dtype]
        if root in self.scalars:
            base = self._scalar_slot(self.scalars[root], have, wanted, depth)
            return base, "0"
        if root in self.region.axes:
            base, step = self.place[root][0], str(root.dtype.itemsize)
        else:
            operand = self._operand(root, node)
            if operand.inner == "0":
                return self._scalar_slot(self._single(operand), have, wanted, depth), "0"
            step = (
                f"{operand.name}_s" if operand.inner == "s" and operand not in self.place else str(root.dtype.itemsize)
            )
            base = self.place[operand][0] if operand in self.place else f"({self.at[operand]} + start * {step})"
        if have == wanted:
            return base, step
        at, size = f"(buffer + {self.slots} * slot)", np.dtype(wanted).itemsize
        self.slots += 1
        self.say(depth, "for j in range(m):")
        self.say(
            depth + 1,
            f"store_{wanted}_{SCRATCH}({at}, j * {size}, {converted(f'again_{have}({base}, j * {step})', have, wanted)})",
        )
        return at, str(size)

    def _scalar_slot(self, text, have, wanted, depth):
        at = f"(buffer + {self.slots} * slot)"
        self.slots += 1
        self.say(depth, f"store_{wanted}_{SCRATCH}({at}, 0, {converted(text, have, wanted)})")
        return at

    def _number_slot(self, node, index, wanted, depth):
        return self._scalar_slot(self.number[node, index], wanted, wanted, depth)

    def _places(self, node, depth, single=False):
        """Addresses and steps of what a loop is called on. A call on one element takes steps on, since loops are faster so."""
        low = lowering.lowered(node)
        single, places = single or not self.region.shape, []
        for index, arg in enumerate(lowering.operands(node)):
            wanted = low.dtypes[index]
            if isinstance(arg, Value):
                base, step = self._memory(arg, wanted, node, depth)
            else:
                base, step = self._number_slot(node, index, wanted, depth), "0"
            places += [base, str(np.dtype(wanted).itemsize) if single else step]
        return places

    def _call(self, node, depth):
        (out,) = node.outputs
        places = self._places(node, depth)
        operand = self.out.get(out)
        if operand is not None and operand.inner == "1":
            self.place[out] = (f"({self.at[operand]} + start * {out.dtype.itemsize})", self._scope(out))
        base = self.place[out][0] if out in self.place else self._slot(out)
        name = self.loops[self._loop_key(node)]
        places = ", ".join([*places, base, str(out.dtype.itemsize)])
        self.say(depth, f"loop_{len(node.args) + 1}({name}, {name}_data, m, ({places}))")

    def _reduce(self, node, depth):
        (out,) = node.outputs
        name = lowering.NAMES[out.dtype]
        base, step = self._memory(node.inputs[0], name, node, depth)
        at = f"(buffer + {self.slots} * slot)"
        self.slots += 1
        loop = self.loops[self._loop_key(node)]
        start = lowering.REDUCTIONS[node.function.__self__]
        if start is None:
            self.say(depth, f"store_{name}_{SCRATCH}({at}, 0, again_{name}({base}, 0))")
            base, count = f"{base} + {step}", "m - 1"
        else:
            self.say(depth, f"store_{name}_{SCRATCH}({at}, 0, as_{name}({start}))")
            count = "m"
        self.say(depth, f"loop_3({loop}, {loop}_data, {count}, ({at}, 0, {base}, {step}, {at}, 0))")
        self._keep_scalar(out, f"again_{name}({at}, 0)", depth)

    def _keep_scalar(self, out, text, depth):
        variable = self.scalars[out] = f"r{len(self.scalars)}"
        self.say(depth, f"{variable} = {text}")
        if out in self.out:
            name = lowering.NAMES[out.dtype]
            self.say(depth, f"store_{name}_{self._scope(out)}({self.at[self.out[out]]}, 0, {variable})")

    def _row_call(self, node, depth):
        """A call on what there is one of in each row."""
        (out,) = node.outputs
        if self._is_called(out):
            places = self._places(node, depth, single=True)
            at = f"(buffer + {self.slots} * slot)"
            self.slots += 1
            name, size = self.loops[self._loop_key(node)], out.dtype.itemsize
            self.say(
                depth, f"loop_{len(node.args) + 1}({name}, {name}_data, 1, ({', '.join([*places, at, str(size)])}))"
            )
            self._keep_scalar(out, f"again_{lowering.NAMES[out.dtype]}({at}, 0)", depth)
            return
        self._keep_scalar(out, self._expression(node, depth, self._read_in_row), depth)

    def _read_in_row(self, value, depth, node):
        root = self._root(value)
        return self.scalars[root] if root in self.scalars else self._single(self._operand(root, node))


# -- expressions --------------------------------------------------------------------------------------------


def converted(text, have, wanted):
    """`text`, an expression of dtype `have`, as an expression of dtype `wanted`."""
    if have == wanted:
        return text
    if wanted == "b1":
        return f"{text} != 0"
    return f"select({text}, as_{wanted}(1), as_{wanted}(0))" if have == "b1" else f"as_{wanted}({text})"


def completed(low, texts):
    """The expression of a Lowered call over its operands."""
    return low.expression.format(*texts, one=f"as_{low.dtypes[-1]}(1)")


def number_text(at, name):
    """The expression for a number of this dtype that stands in word `at` of the table."""
    value = f"number(P, {at})" if name in ("f4", "f8") else f"word(P, {at})"
    return f"{value} != 0" if name == "b1" else f"as_{name}({value})"


def number_word(number, name):
    """A number as a word of a table: the bits of a float64, or an int."""
    if name in ("f4", "f8"):
        return struct.unpack("<q", struct.pack("<d", float(number)))[0]
    return int(number)
