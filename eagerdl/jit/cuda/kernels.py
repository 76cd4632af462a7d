"""Regions to kernel sources: readable CUDA C, the same for all sizes.

There are three kinds of kernels. `ELEMENTS`: each thread computes an element, then the one a grid further on. `ROWS`: a warp or a
block has a row; its threads meet where the row is reduced, and go over it again for what needs that: numbers are computed again
rather than kept, except those that were stored. `COLUMNS`: a block has 32 columns of some rows, and adds them up; what blocks of
the same columns found is added up by a second kernel. All sums are in an order that depends on sizes alone.

A source has sizes, steps and numbers as arguments. `Source.parameters` says what each of them is.
"""

import math

from eagerdl.jit import lowering
from eagerdl.jit.cuda import words
from eagerdl.jit.cuda.regions import is_column
from eagerdl.jit.cuda.words import TYPES
from eagerdl.jit.fuse import FULL, ROW, is_row_major
from eagerdl.jit.graph import REDUCE, VIEW, Value
from eagerdl.jit.spaces import NotEmitted, Operand, RegionSource, groups_of, step_of

ELEMENTS, ROWS, COLUMNS = "elements", "rows", "columns"
NARROW = 1 << 30  # elements up to which indices are ints
MOST_PARAMETERS = 4000  # bytes that a kernel takes, of the 4,096 that every GPU allows


class Source:
    """A kernel source, and what its parameters are.

    Attributes:
        text: the source of a function ``kernel``.
        kind: ELEMENTS, ROWS or COLUMNS.
        parameters: for each parameter what it is: ("pointer", operand), ("size", group), ("step", operand, group), ("all",)
            or ("rows",) and ("row",) for how many elements, rows, or elements of a row there are, ("number", node, place, dtype).
        groups: the axes of the space that are one to every operand, outer ones first.
        outer: how many of the groups are no part of a row.
        operands, outputs: the values read and written.
        second: for COLUMNS the source of the kernel that adds up, for each output.
        phases: how often a row is gone over.
    """

    __slots__ = ("groups", "index", "kind", "operands", "outer", "outputs", "parameters", "phases", "region", "second",
                 "text")  # fmt: skip
    blocked = False  # rows are gone over as a whole

    def counts(self):
        """How many matrices there are that are added up by themselves, how many rows of each, how many elements of a row."""
        shape, outer = self.region.shape, self.region.outer or 0
        split = len(shape) - self.region.row if self.region.row is not None else 0
        return math.prod(shape[:outer]), math.prod(shape[outer:split]), math.prod(shape[split:])


def source_of(region, materialized, partners):
    """The Source of a region.

    Args:
        region: the Region.
        materialized: the values of it that are needed outside.
        partners: output value -> the value whose memory it may overwrite in place.

    Raises:
        NotEmitted: if its arrays lie in memory in a way that kernels do not know.
    """
    return _Emitter(region, materialized, partners).source()


def sizes_of(region, groups):
    """The size of each group of axes."""
    return [math.prod([region.shape[axis] for axis in group]) for group in groups]


class _Emitter(RegionSource):
    def __init__(self, region, materialized, partners):
        super().__init__(region, materialized, partners)
        self.order = {node: index for index, node in enumerate(self.nodes)}
        self.kind = COLUMNS if region.columns else ELEMENTS if region.row is None else ROWS
        self.parameters, self.lines, self.scalars, self.count = [], [], {}, 0

    def source(self):
        self._find_operands()
        self._find_places()
        self._find_phases()
        body = {ELEMENTS: self._elements, ROWS: self._rows, COLUMNS: self._columns}[self.kind]
        numbers = self._numbers()
        body()
        made = Source()
        made.region, made.kind, made.groups, made.phases = self.region, self.kind, self.groups, self.phases
        made.operands, made.outputs = [*self.operands.values()], [*self.out.values()]
        made.outer, made.index = self.outer, self.index
        made.parameters = self._parameters(numbers)
        made.text = kernel_text(self._declared(made.parameters), self.lines, self.index)
        made.second = [second_source(value.node, self.index) for value in self.out] if self.kind == COLUMNS else ()
        return made

    # -- operands ----------------------------------------------------------------------------------------

    def _find_operands(self):
        """What comes from outside, one operand for each way in which a value lies in the space; and what goes out."""
        self.operands, self.out = {}, {}
        for node in self.nodes:
            for value in words.values_of(node):
                if value not in self.region.axes:
                    key = (value, self._axes_of(value, node))
                    if key not in self.operands:
                        operand = self.operands[key] = Operand(*key)
                        operand.name = f"a{len(self.operands) - 1}"
        for value in self.outputs:
            operand = self.out[value] = Operand(value, self.region.axes[value])
            operand.name = f"o{len(self.out) - 1}"
            if self._overwritten(operand) is not None:
                operand.name = self._overwritten(operand).name

    def _find_places(self):
        """How each operand moves along a row, or along all elements.

        `Operand.inner` is "0" for not at all, "1" for element by element, "s" for a step of its own, "m" for a step along each of
        several groups.
        """
        region, ndim = self.region, len(self.region.shape)
        everything = [*self.operands.values(), *self.out.values()]
        written = {one.name for value, one in self.out.items() if region.level(value) == FULL}
        self.groups = groups_of(region, [one for one in everything if one.value not in region.columns])
        self.outer = 0 if region.row is None else len([g for g in self.groups if g and g[-1] < ndim - region.row])
        sizes = sizes_of(region, self.groups)
        extents, inner = [math.prod(sizes)], sizes[self.outer :]
        dense = [math.prod(inner[index + 1 :]) for index in range(len(inner))]
        for operand in everything:
            steps = operand.steps(operand.value, ndim)
            if any(step % operand.value.dtype.itemsize for step in steps):
                raise NotEmitted
            steps = [step_of(region.shape, steps, group) // operand.value.dtype.itemsize for group in self.groups]
            extents.append(sum(abs(step) * (n - 1) for n, step in zip(sizes, steps)))
            steps = steps[self.outer :]
            if not any(steps) and not (operand.name in written or operand.value in region.columns):
                operand.inner = "0"
            elif all(n == 1 or step == one for n, step, one in zip(inner, steps, dense)):
                operand.inner = "1"
            else:
                operand.inner = "s" if len(inner) == 1 else "m"
            if operand.value in region.columns and not is_row_major(operand.value):
                raise NotEmitted
        self.index = "int" if max(extents) <= NARROW else "long long"
        self.several = any(one.inner == "m" for one in everything)

    def _find_phases(self):
        """When each value can be used: how often the row has to have been gone over before."""
        self.ready = {}
        for node in self.nodes:
            ready = max([self.ready.get(self._root(value), 0) for value in node.inputs], default=0)
            self.ready[node.outputs[0]] = ready + (node.kind == REDUCE and not is_column(node))
        self.phases = max(self.ready.values(), default=0) + 1

    # -- parameters --------------------------------------------------------------------------------------

    def _numbers(self):
        """A name for each number that is an operand."""
        self.number, found = {}, []
        for place, node in enumerate(self.region.nodes):
            if node.kind in (VIEW, REDUCE):
                continue
            dtypes = words.lowered(node).dtypes
            for index, arg in enumerate(lowering.operands(node)):
                if not isinstance(arg, Value):
                    self.number[node, index] = f"c{len(self.number)}"
                    found.append(("number", place, index, dtypes[index]))
        return found

    def _parameters(self, numbers):
        operands = [one for one in (*self.operands.values(), *self.out.values()) if self._overwritten(one) is None]
        found = [("pointer", one) for one in operands]
        found += [("size", group) for group in range(1, self.outer)]
        found += [("size", group) for group in range(self.outer + 1, len(self.groups)) if self.several]
        found += [("all",)] if self.kind == ELEMENTS else [("rows",), ("row",)]
        for one in operands:
            if one.value not in self.region.columns:
                last = {"0": self.outer, "1": self.outer}.get(one.inner, len(self.groups))
                found += [("step", one, group) for group in range(last)]
        found += numbers
        if 8 * len(found) > MOST_PARAMETERS:
            raise NotEmitted
        return found

    def _declared(self, parameters):
        """The parameters as C."""
        written, found, count = {one.name for one in self.out.values()}, [], 0
        for kind, *rest in parameters:
            if kind == "pointer":
                const = "" if rest[0].name in written else "const "
                found.append(f"{const}{words.memory_type(rest[0].value)}* __restrict__ {rest[0].name}")
            elif kind in ("all", "rows", "row"):
                found.append(f"Index {'n' if kind == 'row' else kind}")
            elif kind == "size":
                found.append(f"Index n{rest[0]}")
            elif kind == "step":
                found.append(f"Index {rest[0].name}_{rest[1]}")
            else:
                found.append(f"{TYPES[rest[2]]} c{count}")
                count += 1
        return found

    # -- kernels -------------------------------------------------------------------------------------------

    def say(self, depth, text):
        self.lines.append("    " * depth + text)

    def _elements(self):
        self.say(1, "for (Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x; i < all; "
                    "i += (Index)gridDim.x * blockDim.x) {")  # fmt: skip
        self.begin = {one: one.name for one in (*self.operands.values(), *self.out.values())}
        self._split_inner("i", 2)
        self._pass(self.nodes, 2)
        self.say(1, "}")

    def _rows(self):
        self.say(1, "for (Index row = (Index)blockIdx.x * blockDim.y + threadIdx.y; row < rows; "
                    "row += (Index)gridDim.x * blockDim.y) {")  # fmt: skip
        self._split("row", range(self.outer), 2)
        self._begin_row(2)
        for phase in range(self.phases):
            for node in self.nodes:
                if node.kind != REDUCE and self._level(node.outputs[0]) == ROW and self.ready[node.outputs[0]] == phase:
                    self._keep_scalar(node.outputs[0], self._expression(node), 2)
            reductions = [
                node for node in self.nodes if node.kind == REDUCE and self.ready[node.outputs[0]] == phase + 1
            ]
            stored = [value for value in self.out if self._level(value) == FULL and self.ready[value] == phase]
            if reductions or stored:
                self._go_over_row(reductions, stored)
        self.say(1, "}")

    def _go_over_row(self, reductions, stored):
        """A loop over the row, and the meetings of its threads."""
        names = {}
        for node in reductions:
            name = names[node] = f"r{len(self.scalars) + len(names)}"
            self.say(2, f"{words.type_of(node.outputs[0])} {name} = {words.start(node)};")
        self.say(2, "for (Index j = threadIdx.x; j < n; j += blockDim.x) {")
        self._split_inner("j", 3)
        self._pass(self._needed(reductions, stored), 3, names, stored)
        self.say(2, "}")
        for node, name in names.items():
            (out,) = node.outputs
            kind = words.type_of(out)
            self.say(2, f"{name} = over_row({name}, ({kind})({words.start(node)}), {words.combined(node)[0]}());")
            self.scalars[out] = name
            self._store_scalar(out, 2)

    def _columns(self):
        self.say(1, "const Index j = (Index)blockIdx.x * blockDim.x + threadIdx.x;")
        names = {node: f"r{index}" for index, node in enumerate(node for node in self.nodes if node.kind == REDUCE)}
        for node, name in names.items():
            self.say(1, f"{words.type_of(node.outputs[0])} {name} = {words.start(node)};")
        self.say(1, "if (j < n)")
        batched = bool(self.region.outer)
        name = "k" if batched else "row"
        self.say(2, f"for (Index {name} = (Index)blockIdx.y * blockDim.y + threadIdx.y; {name} < rows; "
                    f"{name} += (Index)gridDim.y * blockDim.y) {{")  # fmt: skip
        if batched:  # the rows of one matrix after another
            self.say(3, "const Index row = blockIdx.z * rows + k;")
        self._split("row", range(self.outer), 3)
        self._split_inner("j", 3)
        self._begin_row(3)
        self._pass(self.nodes, 3, names)
        self.say(2, "}")
        part = "(blockIdx.z * gridDim.y + blockIdx.y)" if batched else "blockIdx.y"
        for node, name in names.items():
            operand = self.out[node.outputs[0]]
            self.say(1, f"{name} = over_block({name}, {words.combined(node)[0]}());")
            self.say(1, f"if (j < n && threadIdx.y == 0) {operand.name}[{part} * n + j] = {name};")

    def _split(self, name, groups, depth):
        """An index over several groups as one index for each."""
        if len(groups) < 2:
            return
        self.say(depth, f"Index {name}_rest = {name};")
        for group in groups[:0:-1]:
            self.say(depth, f"const Index i{group} = {name}_rest % n{group};")
            self.say(depth, f"{name}_rest /= n{group};")
        self.say(depth, f"const Index i{groups[0]} = {name}_rest;")

    def _split_inner(self, name, depth):
        """The same along a row, where an operand needs it."""
        self.inner = name
        if self.several:
            self._split(name, range(self.outer, len(self.groups)), depth)

    def _begin_row(self, depth):
        """Where the row begins in each operand, and what there is one of in it."""
        for one in (*self.operands.values(), *self.out.values()):
            if one.value in self.region.columns or self._overwritten(one) is not None:
                continue
            name = one.name
            terms = [f"{'row' if self.outer == 1 else f'i{group}'} * {name}_{group}" for group in range(self.outer)]
            place = " + ".join([name, *terms])
            if one.inner == "0" and one.value not in self.out:
                number = words.loaded(f"*({place})", one.value)
                self.say(depth, f"const {words.type_of(one.value)} {name}x = {number};")
                continue
            const = "" if name in {other.name for other in self.out.values()} else "const "
            self.say(depth, f"{const}{words.memory_type(one.value)}* {name}r = {place};")
        self.begin = {one: f"{one.name}r" for one in (*self.operands.values(), *self.out.values())}

    # -- one pass over elements ------------------------------------------------------------------------------

    def _needed(self, reductions, stored):
        """The calls that a pass over a row computes, in order."""
        wanted = {self._root(node.inputs[0]) for node in reductions} | set(stored)
        phase = self.ready[stored[0]] if stored else self.ready[reductions[0].outputs[0]] - 1
        found = [*reductions]
        for node in reversed(self.nodes):
            (out,) = node.outputs
            if out not in wanted or node.kind == REDUCE or self._level(out) != FULL:
                continue
            if out in self.out and self.ready[out] < phase:
                continue  # it was stored
            found.append(node)
            wanted.update(self._root(value) for value in node.inputs)
        return sorted(found, key=self.order.__getitem__)

    def _pass(self, nodes, depth, reductions=(), stored=None):
        """Computes calls for one element.

        Args:
            nodes: the calls.
            depth: of the text.
            reductions: the reductions among them -> the name of what there is so far.
            stored: the results that are stored; None for all that are needed outside.
        """
        self.now, self.depth = {}, depth
        for node in nodes:
            if node.kind == REDUCE:
                x, so_far = self._read(node.inputs[0], node), reductions[node]
                self.say(depth, f"{so_far} = {words.combined(node)[1].format(so_far, x)};")
                continue
            (out,) = node.outputs
            self.now[out] = self._new(self._expression(node), out)
            if out in self.out and (stored is None or out in stored):
                self.say(depth, f"{self._place(self.out[out])} = {words.stored(self.now[out], out)};")

    def _expression(self, node):
        low, args = words.lowered(node), []
        for index, arg in enumerate(lowering.operands(node)):
            if not isinstance(arg, Value):
                args.append(self.number[node, index])
                continue
            args.append(words.converted(self._read(arg, node), words.NAMES[arg.dtype], low.dtypes[index]))
        return words.expression(low, args)

    def _read(self, value, node):
        """The name of a number of a value."""
        root = self._root(value)
        if root in self.scalars:
            return self.scalars[root]
        if root in self.region.axes:
            if root not in self.now:  # stored in a pass before
                self.now[root] = self._new(words.loaded(self._place(self.out[root]), root), root)
            return self.now[root]
        operand = self.operands[root, self._axes_of(root, node)]
        if operand.inner == "0" and self.kind != ELEMENTS:
            return f"{operand.name}x"
        if operand not in self.now:
            self.now[operand] = self._new(words.loaded(self._place(operand), root), root)
        return self.now[operand]

    def _new(self, text, value):
        """A new constant of the source."""
        self.count += 1
        self.say(self.depth, f"const {words.type_of(value)} x{self.count} = {text};")
        return f"x{self.count}"

    def _place(self, operand):
        """An element of an operand."""
        terms = {"0": ["0"], "1": [self.inner], "s": [f"{self.inner} * {operand.name}_{self.outer}"]}.get(operand.inner)
        if terms is None:
            terms = [f"i{group} * {operand.name}_{group}" for group in range(self.outer, len(self.groups))]
        return f"{self.begin[operand]}[{' + '.join(terms)}]"

    def _keep_scalar(self, out, text, depth):
        name = self.scalars[out] = f"r{len(self.scalars)}"
        self.say(depth, f"const {words.type_of(out)} {name} = {text};")
        self._store_scalar(out, depth)

    def _store_scalar(self, out, depth):
        if out in self.out:
            number = words.stored(self.scalars[out], out)
            self.say(depth, f"if (threadIdx.x == 0) *{self.begin[self.out[out]]} = {number};")


def kernel_text(parameters, lines, index):
    """A kernel with its helpers, from its parameters and the lines of its body."""
    body = "\n".join(lines)
    head = 'extern "C" __global__ void kernel(\n    ' + ",\n    ".join(wrapped(parameters)) + ")\n{\n"
    return f"{words.headers(head + body)}typedef {index} Index;\n{words.helpers(body)}{head}{body}\n}}\n"


def wrapped(parameters, width=110):
    """Parameters as lines of some width."""
    lines = [""]
    for one in parameters:
        if lines[-1] and len(lines[-1]) + len(one) > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + one
    return lines


def second_source(node, index):
    """The source that adds up what the blocks of a column found: rows of them, in memory one after another."""
    kind = words.type_of(node.outputs[0])
    struct, step = words.combined(node)
    lines = f"""\
    const Index j = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    {kind} r0 = {words.start(node)};
    if (j < n)
        for (Index row = threadIdx.y; row < rows; row += blockDim.y) {{
            const {kind} x1 = a0[(blockIdx.z * rows + row) * n + j];
            r0 = {step.format("r0", "x1")};
        }}
    r0 = over_block(r0, {struct}());
    if (j < n && threadIdx.y == 0) o0[blockIdx.z * n + j] = r0;""".split("\n")
    parameters = [f"const {kind}* __restrict__ a0", f"{kind}* __restrict__ o0", "Index rows", "Index n"]
    return kernel_text(parameters, lines, index)
