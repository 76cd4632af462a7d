"""`Program`: a graph as a short straight-line program over kernels, library calls and memory laid out in advance."""

import functools
import math
import threading
import time

import numpy as np

from eagerdl.jit import copies, emit, lowering, scattering, spaces
from eagerdl.jit.graph import CALL, LOOP, VIEW
from eagerdl.jit.interpreter import Interpreter, ShapeChanged
from eagerdl.jit.layout import Layout
from eagerdl.jit.lines import blame
from eagerdl.jit.memory import block, laid_out, pin
from eagerdl.jit.schedule import is_stack, needs_check, takes_out
from eagerdl.kernels import threads
from eagerdl.machine import compiler, elsewhere, native, pool, shares


class Program(Layout):
    """Runs a graph.

    Args:
        graph: the Graph.
        threads: whether large kernels are split between threads.

    Attributes:
        steps: what it does, in order.
        kernels: the compiled kernels, one for each step that is a region.
        text: the program as Python source.
        warns: whether it calls functions of NumPy, which warn of infinities.
    """

    def __init__(self, graph, threads=True):
        self.graph, self.threads = graph, threads
        self.lock = threading.Lock()
        self.interpreter = Interpreter(graph)
        with elsewhere.near(len(graph.nodes) >= elsewhere.LARGE):
            self._plan()
            fused = [step for step in self.steps if step.region is not None]
            found = compiler.kernels([*[step.source.text for step in fused], *self._sources_of_calls()])
        self.kernels = dict(zip(fused, found))
        self.pins = {}
        self._lay_out()
        self._bind()

    def source_of(self, region, partners):
        """The Source of a region."""
        return emit.source_of(region, self.outside, partners)

    def _sources_of_calls(self):
        """Those of the kernels by which large calls may be done that are no regions."""
        found = set()
        for step in self.steps if self.threads else ():
            node = step.node
            if step.region is not None:
                continue
            if is_stack(node):
                found.add(shares.STACK)
            elif copies.parts_of(node) and copies.share_count(node.outputs[0]) > 1:
                found.add(copies.source_of(node.outputs[0].dtype.itemsize))
            elif scattering.fits(node):
                found.add(scattering.source_for(node))
        return sorted(found)

    # -- the program -------------------------------------------------------------------------------------

    def _bind(self):
        """Makes the arrays and tables of a call, and the program's text."""
        graph = self.graph
        self.block = block(max(self.arena_bytes, 1))
        self.pins = {variable: pin(variable) for variable in graph.variables}
        self.bound = [(variable, one, variable in graph.writes) for variable, one in self.pins.items()]
        self.arrays = dict(graph.constants)  # value -> the array that it is at each call
        for variable, value in graph.variables.items():
            self.arrays[value] = self.pins[variable].view(value)
        for new, old in self.partners.items():
            self.arrays[new] = self.arrays[old]
        for value, offset in self.offsets.items():
            self.arrays[value] = np.ndarray(value.shape, value.dtype, self.block, offset, value.strides)
        self.names = {
            "copyto": np.copyto,
            "address": native.address,
            "array": np.array,
            "asarray": np.asarray,
            "ShapeChanged": ShapeChanged,
        }
        self.tables, lines, self.warns = [], [], False
        self.addresses = []  # (table, index, value) where tables hold addresses of values
        arguments = ", ".join(f"i{index}" for index in range(len(graph.inputs)))
        for index, value in enumerate(graph.inputs):
            lines += self._input_lines(index, value)
        for index, (value, step) in enumerate(self.fresh.items()):
            if step.region is not None:  # calls make their result themselves
                self.names[f"new{index}"] = functools.partial(np.empty, value.shape, value.dtype)
                lines += [f"{value.name} = new{index}()", f"at_{value.name} = address({value.name})"]
        for number, step in enumerate(self.steps):
            lines += (
                self._kernel_lines(number, step) if step.region is not None else self._call_lines(number, step.node)
            )
        lines += self._ending()
        self.head, self.lines = f"def step({arguments}):", lines
        self.text = "\n    ".join([self.head, *lines]) + "\n"
        self.run = self._made(self.text)

    def _input_lines(self, index, value):
        """Lines that bring an input to where the program reads it."""
        if value not in self.visitors:
            self.names[f"a{index}"] = self.arrays[value]
            return [f"copyto(a{index}, i{index})"]
        self.names[f"like{index}"], self.names["laid_out"] = value, laid_out
        other = f"laid_out(i{index}, like{index})"
        return [
            f"{value.name} = i{index} if i{index}.strides == {value.strides} else {other}",
            f"at_{value.name} = address({value.name})",
        ]

    def profile(self, arrays, repetitions=10):
        """Runs the program and measures its lines.

        Returns:
            A list of (line, seconds), seconds the least of the repetitions.
        """
        clock = time.perf_counter
        best = [math.inf] * len(self.lines)
        lines = []
        for index, line in enumerate(self.lines[:-1]):
            lines += ["begin = clock()", line, f"seconds[{index}] = clock() - begin"]
        seconds = [0.0] * len(self.lines)
        run = self._made("\n    ".join([self.head, *lines, self.lines[-1]]), {"clock": clock, "seconds": seconds})
        for _ in range(repetitions):
            self._sync()
            run(*arrays)
            best = [min(pair) for pair in zip(best, seconds)]
        return list(zip(self.lines, best))

    def _ending(self):
        """Lines that store variables which were not written in place, and return fresh results."""
        graph, lines, stores = self.graph, [], []
        variables = set(graph.variables.values())
        for index, (variable, new) in enumerate(graph.writes.items()):
            if new in self.partners and self.partners[new] is graph.variables[variable]:
                continue
            text = self.text_of(new)
            if (
                any(root in variables for root in self._roots(new)) or new in self.partners
            ):  # it may be overwritten before it is read
                lines.append(f"w{index} = array({text})")
                text = f"w{index}"
            self.names[f"v{index}"] = self.arrays[graph.variables[variable]]
            stores.append(f"copyto(v{index}, {text})")
        results = []
        for index, value in enumerate(graph.outputs):
            if value in self.fresh and value not in graph.outputs[:index]:
                results.append(value.name)
                continue
            results.append(f"array({self.text_of(value)}, order='K')")
            if self._is_overwritten_at_the_end(value):
                lines.append(f"r{index} = {results[-1]}")
                results[-1] = f"r{index}"
        return [*lines, *stores, f"return [{', '.join(results)}]"]

    def _kernel_lines(self, number, step):
        kernel, label = self.kernels[step].run, ", ".join(node.label for node in step.nodes if node.kind != VIEW)
        tables, patches = self._kernel_tables(step)
        lines = []
        for part, table in enumerate(tables if patches else ()):
            name = f"T{number}_{part}"
            self.names[name] = table
            lines += [f"{name}[{index}] = {self._address_text(value)}" for index, value in patches]
        if len(tables) > 1:
            return lines + self._together(number, [(kernel, table) for table in tables], label)
        self.names[f"k{number}"], self.names[f"T{number}"] = kernel, native.address(tables[0])
        return [*lines, f"k{number}(T{number})  # {label}"]

    def _address_text(self, value):
        """Where an array lies that comes or is made at each call, as text."""
        known = value in self.visitors or (value in self.fresh and self.fresh[value].region is not None)
        return f"at_{value.name}" if known else f"address({value.name})"

    def _kernel_tables(self, step):
        """The tables of a kernel, one for each share of its work, and the words of them that are only known when it runs.

        Those words are pairs of index and value.
        """
        source, region = step.source, step.region
        sizes = [math.prod(region.shape[axis] for axis in group) for group in source.groups]
        ndim = len(region.shape)
        words, patches, places = [], [], []
        for what in source.words:
            kind, *rest = what
            if kind == "from":
                word = 0
            elif kind == "to":
                word = sizes[0] if len(sizes) > 1 or region.row is None else 1
            elif kind == "begin":
                word = 0
            elif kind == "end":
                word = sizes[-1]
            elif kind == "size":
                word = sizes[rest[0]]
            elif kind == "address":
                value = rest[0].value
                word = 0
                if value in self.arrays:
                    word = native.address(self.arrays[value])
                    places.append((len(words), value))
                else:
                    patches.append((len(words), value))
            elif kind == "step":
                operand, group = rest
                word = spaces.step_of(region.shape, operand.steps(operand.value, ndim), source.groups[group])
            elif kind == "buffer":
                word = native.address(self.block) + self.buffers[step]
            elif kind == "slot":
                word = self._slot_bytes(step)
            elif kind == "number":
                place, index, name = rest
                word = emit.number_word(lowering.operands(region.nodes[place])[index], name)
            else:  # code or data of a loop
                found = native.loop(rest[0], tuple(np.dtype(one) if one != "b1" else np.dtype(bool) for one in rest[1]))
                word = found[kind == "data"]
            words.append(word)
        table = np.array([w if -(2**63) <= w < 2**63 else w - 2**64 for w in words], np.int64)
        parts = self._parts(step)
        tables = [table] if parts == 1 else self._shares(step, table, parts)
        self.tables += tables
        self.addresses += [(one, index, value) for one in tables for index, value in places]
        return tables, patches

    def _shares(self, step, table, parts):
        """Tables by which a kernel is run in parts."""
        source, kinds = step.source, [word[0] for word in step.source.words]
        begin, end = [kinds.index(word) for word in source.cut]
        size, unit = table[end], emit.BLOCK if source.blocked else emit.LINE if source.cut == emit.INNER else 1
        share = -(-size // (parts * unit)) * unit
        buffer, tables = source.slots * self._slot_bytes(step), []
        for part in range(parts):
            mine = table.copy()
            mine[begin], mine[end] = min(part * share, size), min((part + 1) * share, size)
            mine[kinds.index("buffer")] += part * buffer
            tables.append(mine)
        return tables

    def _together(self, number, parts, label):
        """Kernels that run at the same time, given as pairs of the kernel's function and its table."""
        at, pairs, team = f"P{number}", [(run, native.address(table)) for run, table in parts], pool.pool()
        if team is None:
            self.names["together"] = threads.together
            self.names[at] = [functools.partial(*pair) for pair in pairs]
        else:
            table = team.table([(run.place, place) for run, place in pairs])
            self.tables.append(table)
            self.names["together"], self.names[at] = team.together, native.address(table)
        return [f"together({at})  # {label}"]

    def _call_lines(self, number, node):
        for special in (self._view_lines, self._copy_lines, self._scatter_lines, self._product_lines, self._loop_lines):
            lines = special(number, node)
            if lines is not None:
                return lines
        self.warns = True
        call, bound = self._call_text(node, f"f{number}")
        self.names |= bound
        if not node.outputs:
            return [call]
        first = node.outputs[0]
        if not node.several and first in self.arrays:
            self.names[first.name] = self.arrays[first]
            return [
                f"{call[:-1]}, out={first.name})  # {node.label}"
                if takes_out(node)
                else f"copyto({first.name}, {call})  # {node.label}"
            ]
        targets = ", ".join(value.name for value in node.outputs) + ("," if node.several else "")
        lines = [f"{targets} = {call}  # {node.label}"]
        # NumPy gives scalars instead of arrays of shape ().
        scalars = [f"{value.name} = asarray({value.name})" for value in node.outputs if not value.ndim]
        for value in node.outputs:
            if not node.shares or node.kind == CALL:
                changed = f"{value.name}.shape != {value.shape} or {value.name}.strides != {value.strides}"
                lines.append(f"if {changed}: raise ShapeChanged.of({node.label!r}, {node.line!r})")
        return [*(lines if node.kind == CALL and needs_check(node) else lines[:1]), *scalars]

    # -- calls that are more than calls: None where one is not of the kind ---------------------------------

    def _stand_still(self, values):
        """True if values lie where they did in the last call."""
        return all(value in self.arrays for value in values)

    def _view_lines(self, number, node):
        if node.kind != VIEW or not self._stand_still(node.inputs):
            return None
        out = node.run(self.arrays.__getitem__)
        self.arrays |= zip(node.outputs, out if isinstance(out, tuple | list) else [out])
        return []

    def _copy_lines(self, number, node):
        parts = copies.parts_of(node)
        if not parts or node.outputs[0] not in self.arrays:
            return None
        whole, lines, shared = self.arrays[node.outputs[0]], [], []
        for index, (given, place) in enumerate(parts):
            to, like = whole.reshape(given.shape) if place is None else whole[place], self.arrays.get(given)
            if like is None:  # it comes anew at each call
                like = np.ndarray(given.shape, given.dtype, np.empty(self._bytes(given), np.uint8), 0, given.strides)
            found = copies.tables(to, like) if self.threads and min(given.strides, default=1) >= 0 else []
            if not found:
                self.names[f"c{number}_{index}"] = to
                lines.append(f"copyto(c{number}_{index}, {self.text_of(given)})  # {node.label}")
            elif given not in self.arrays:
                for part, table in enumerate(found):
                    name, offset = f"T{number}_{index}_{part}", int(table[copies.SOURCE]) - native.address(like)
                    self.names[name] = table
                    lines.append(f"{name}[{copies.SOURCE}] = address({given.name}) + {offset}")
            shared += found
        self.tables += shared
        run = compiler.kernel(copies.source_of(whole.itemsize)).run if shared else None
        for start in range(0, len(shared), threads.cores()):  # as many at the same time as there are threads
            tables = shared[start : start + threads.cores()]
            lines += self._together(f"{number}_{start}", [(run, table) for table in tables], node.label)
        return lines

    def _scatter_lines(self, number, node):
        if not scattering.fits(node) or not self._stand_still((*node.inputs, *node.outputs)):
            return None
        found = scattering.table(node, self.arrays)
        if found is None:
            return None
        run = compiler.kernel(scattering.source_for(node)).run
        self.tables.append(found)
        self.names[f"k{number}"], self.names[f"T{number}"] = run, native.address(found)
        return [f"k{number}(T{number})  # {node.label}"]

    def _product_lines(self, number, node):
        if not self.threads or not is_stack(node) or not self._stand_still((*node.inputs, *node.outputs)):
            return None
        tables = shares.stack_tables(*[self.arrays[value] for value in (*node.args, *node.outputs)])
        self.tables += [array for arrays in tables for array in arrays]
        if not tables:
            return None
        run = compiler.kernel(shares.STACK).run
        return self._together(number, [(run, table) for table, *_ in tables], node.label)

    def _loop_lines(self, number, node):
        if node.kind != LOOP or not self._stand_still(node.inputs):
            return None
        placed = getattr(node.function, "placed", None)
        made = None if placed is None else placed(node, self.arrays)
        if made is None:
            return None
        self.tables.append(made)
        self.arrays |= {value: made.arrays[value] for value in node.outputs}
        self.names |= {f"k{number}": made.run, f"T{number}": made.place}
        lines = [f"k{number}(T{number})  # {node.label}"]
        if made.done is not None:
            self.names |= {f"done{number}": made.done, f"f{number}": made.again}
            lines.append(f"if done{number}[0] < 0: f{number}()")
        return lines

    # -- calls ---------------------------------------------------------------------------------------------

    def __call__(self, arrays):
        if not self.lock.acquire(blocking=False):  # another thread is in it
            return self.interpreter(arrays)
        try:
            self._sync()
            if not self.warns:
                return self.run(*arrays)
            with np.errstate(all="ignore"):
                return self.run(*arrays)
        except Exception as error:
            blame(error, self)
            raise
        finally:
            self.lock.release()
