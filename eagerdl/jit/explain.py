"""What a traced function became: its source, its graph, a report of what was done and why, a picture."""

import os
import shutil

import numpy as np

from eagerdl import config
from eagerdl.autograd.primitive import REGISTRY
from eagerdl.errors import ArgumentError, TracingError
from eagerdl.jit import lines, lowering, printing
from eagerdl.jit.autograph.convert import why_not
from eagerdl.jit.graph import CHECK, ELEMENTWISE, LOOP, REDUCE, VIEW, Value, is_gufunc
from eagerdl.jit.instructions import Body
from eagerdl.jit.numbers import Number
from eagerdl.jit.programs import is_compiled
from eagerdl.jit.signature import is_of_array
from eagerdl.machine import compiler

WIDE = 60  # letters of a call in the text of a graph, before its shape
RECENT = 10  # traces of which a report says why they were made, besides the first ones
LONG = 40  # letters of one argument that is no array


# -- what there is to show ------------------------------------------------------------------------------


class Part:
    """A program of a trace.

    Attributes:
        title: which one it is, "" if there is only one.
        program: the Program or Interpreter.
        inputs: names for its inputs.
        depth: how many loops and branches it is inside of.
        uncompiled: why it is no program of kernels, "" if it is one.
    """

    def __init__(self, title, program, inputs, depth=0, waits=False):
        self.title, self.program, self.inputs, self.depth = title, program, inputs, depth
        self.uncompiled = ""
        if not self.compiled:
            self.uncompiled = (
                "kernels would have to be compiled for these sizes alone" if waits else "jit_compile=False"
            )
        self.graph = program.graph
        self.graph.named_values()

    def name(self, index):
        """What an input stands for."""
        return self.inputs[index] if index < len(self.inputs) else self.graph.inputs[index].name

    @property
    def compiled(self):
        return is_compiled(self.program)

    @property
    def steps(self):
        return self.program.steps if self.compiled else []

    def inner(self):
        """The programs of its loops and branches, and of theirs, as Parts."""
        for number, node in self._loops():
            name = f"{node.label} f{number}" if self.compiled else node.label
            programs = getattr(node.function, "programs", None) or [node.function.program]
            for index, program in enumerate(programs):
                title = f"branch {index} of {name}" if len(programs) > 1 else f"the body of {name}"
                part = Part(f"{self.title}: {title}" if self.title else title, program, (), self.depth + 1)
                yield part
                yield from part.inner()

    def _loops(self):
        if self.compiled:
            return [
                (i, step.node) for i, step in enumerate(self.steps) if step.node is not None and step.node.kind == LOOP
            ]
        return [(i, node) for i, node in enumerate(self.graph.nodes) if node.kind == LOOP]


def parts_of(made):
    """The Parts of a ConcreteFunction, or of a function together with its gradient."""
    names = input_names(made.call)
    if hasattr(made, "backward"):
        count = len(made.differentiable)
        saved = len(made.backward.graph.inputs) - count
        return [
            Part("forward", made.forward, names),
            Part("backward", made.backward, ["a cotangent"] * count + ["saved"] * saved),
        ]
    return [Part("", made.program, names, waits=made.waits)]


def input_names(call):
    """The names of the arrays of a Call, in order."""
    return [
        name
        for name, entry in zip(call.names, call.key)
        if is_of_array(entry) or (isinstance(entry, tuple) and len(entry) == 2 and entry[0] is Number)
    ]


def latest(function, what):
    """The last trace of a Function.

    Raises:
        TracingError: if there is none; the message says why.
    """
    found = function._latest_with_gradient if function._history.under_tape else function._latest
    if found is None:
        came, remedy = untraced(function)
        raise TracingError(f"{function._where}.{what}", "a function must have been traced", came, remedy)
    return found


def untraced(function):
    """Why there is no trace, and what to do."""
    if config.functions_run_eagerly():
        return ("functions run eagerly now, line by line",
                "edl.config.run_functions_eagerly(False), or take EAGERDL_EAGER out of the environment")  # fmt: skip
    return ("it was not called yet, or only inside of another function, whose part it is then",
            f"call it, or {function._where}.get_concrete_function(...); twice where the first call makes variables")  # fmt: skip


# -- text -------------------------------------------------------------------------------------------------


def shape_text(value):
    """``float32[8, 3]``."""
    return f"{value.dtype}{list(value.shape)}"


def bytes_text(count):
    """``12.5 KB``."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def seconds_text(seconds):
    """``1.7 us``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1e6:.1f} us"


def count_text(count, word):
    """``1 call``, ``2 calls``."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def variable_text(variable):
    """The name of a variable: where it stands in a model, if it knows."""
    return getattr(variable, "_path", None) or variable.name


def call_text(node):
    """``matmul(t0, t2)``."""
    args = [argument_text(one) for one in node.args]
    args += [f"{name}={argument_text(one)}" for name, one in node.named.items() if one is not None]
    return f"{node.label}({', '.join(args)})"


def argument_text(tree):
    """An argument of a call: names for arrays, Python for the rest."""
    if isinstance(tree, Value):
        return tree.name
    if isinstance(tree, tuple | list):
        inner = ", ".join(map(argument_text, tree))
        return f"[{inner}]" if isinstance(tree, list) else f"({inner}{',' * (len(tree) == 1)})"
    if isinstance(tree, slice):
        start, stop, step = ("" if one is None else argument_text(one) for one in (tree.start, tree.stop, tree.step))
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if isinstance(tree, np.dtype):
        return tree.name
    if isinstance(tree, type) or hasattr(tree, "__name__"):
        return tree.__name__
    text = repr(tree)
    return text if len(text) <= LONG else text[:LONG] + "..."


def line_ranges(nodes):
    """The user's lines behind calls."""
    return places([node.line for node in nodes])


def places(users):
    """The user's lines in short: ``a.py:5-7, b.py:2``."""
    numbers = {}
    for line in users:
        file, _, number = line.rpartition(":")
        if number.isdigit():
            numbers.setdefault(os.path.basename(file), set()).add(int(number))
    return ", ".join(f"{file}:{ranges(found)}" for file, found in numbers.items())


def ranges(numbers):
    """``3, 5-7`` for 3, 5, 6 and 7."""
    runs = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


# -- source ------------------------------------------------------------------------------------------------


def source(function):
    """The last trace as readable Python; see `Function.source`."""
    found = parts_of(latest(function, "source"))
    found = [one for part in found for one in (part, *part.inner())]
    out, kernels = [], {}
    for part in found:
        title = f"{function._where}: {part.title}" if part.title else function._where
        if not part.compiled:
            out.append(
                f"# {title}: {library(part.graph)} runs the calls one after another, since {part.uncompiled}\n{graph_text(part)}"
            )
            continue
        out.append(f"# {title}\n{program_text(part)}")
        for number, step in enumerate(part.steps):
            if step.region is not None:
                name = f"k{number} of {part.title}" if len(found) > 1 and part.title else f"k{number}"
                kernels.setdefault(step.source.text, []).append((name, step))
    for text, users in kernels.items():
        out.append("\n".join([*kernel_head(users), text]))
    return "\n".join(out)


def program_text(part):
    """A program as Python; for the body of a compiled loop, what stands for its instructions."""
    if hasattr(part.program, "text"):
        return part.program.text
    out = [
        f"def body({', '.join(value.name for value in part.graph.inputs)}):  # compiled code runs this, without Python"
    ]
    for number, step in enumerate(part.steps):
        if step.region is not None:
            out.append(f"    k{number}(T{number})  # {labels(step)}")
        else:
            out.append(f"    {', '.join(value.name for value in step.node.outputs)} = {call_text(step.node)}")
    return "\n".join([*out, f"    return [{', '.join(value.name for value in part.graph.outputs)}]\n"])


def kernel_head(users):
    """The comment over a kernel: which steps run it, and the user's lines that went into it."""
    nodes = [node for node in users[0][1].nodes if node.kind != VIEW]
    head = [f"# {', '.join(name for name, _ in users)}: {', '.join(node.label for node in nodes)}"]
    used = dict.fromkeys(node.line for _, step in users for node in step.nodes if node.line)
    return head + [f"#     {lines.place(line)}  {lines.source(line)}".rstrip() for line in used]


# -- graph -------------------------------------------------------------------------------------------------


def graph(function, format):
    """The graph of the last trace; see `Function.graph`."""
    if format not in ("text", "dot"):
        raise ArgumentError(f"{function._where}.graph", 'format is "text" or "dot"', f"got {format!r}", "choose one")
    found = parts_of(latest(function, "graph"))
    if format == "dot":
        return str(diagram(function._where, found, detailed=True))
    found = [one for part in found for one in (part, *part.inner())]
    return "\n".join(f"{function._where}{': ' * bool(part.title)}{part.title}\n{graph_text(part)}" for part in found)


def graph_text(part):
    """A graph as lines: what comes in, the calls, what goes out."""
    one = part.graph
    rows = [("inputs", None, None)] if one.inputs else []
    for index, value in enumerate(one.inputs):
        rows.append(
            (f"  {value.name} = {part.name(index)}" if part.inputs else f"  {value.name}", shape_text(value), "")
        )
    rows += [("variables", None, None)] if one.variables else []
    for variable, value in one.variables.items():
        rows.append(
            (
                f"  {value.name} = {variable_text(variable)}",
                shape_text(value),
                "written" if variable in one.writes else "",
            )
        )
    used = {value for node in one.nodes for value in node.inputs} | set(one.ends())
    constants = [value for value in one.constants if value in used]
    rows += [("constants", None, None)] if constants else []
    for value in constants:
        array = one.constants[value]
        rows.append((f"  {value.name}" + (f" = {array[()]}" if not array.ndim else ""), shape_text(value), ""))
    rows += [("calls", None, None)] if one.nodes else []
    for node in one.nodes:
        left = ", ".join(value.name for value in node.outputs)
        shapes = ", ".join(map(shape_text, node.outputs))
        rows.append((f"  {left}{' = ' * bool(left)}{call_text(node)}", shapes, lines.place(node.line)))
    rows += [("outputs", None, None)] if one.ends() else []
    rows += [(f"  {value.name}", shape_text(value), "") for value in one.outputs]
    rows += [
        (f"  {variable_text(variable)} := {value.name}", shape_text(value), "")
        for variable, value in one.writes.items()
    ]
    first = min(max((len(row[0]) for row in rows if row[1] is not None), default=0), WIDE)
    second = max((len(row[1]) for row in rows if row[1] is not None), default=0)
    indent = "    " * part.depth
    text = [a if b is None else f"{a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in rows]
    return "\n".join(f"{indent}{line}" for line in text) + "\n"


# -- pictures ----------------------------------------------------------------------------------------------


def plot(function, to_file, rankdir, dpi):
    """Draws the last trace into a file; see `Function.plot`."""
    from eagerdl.drawing import draw, kind_of

    where = f"{function._where}.plot"
    detailed = kind_of(to_file, where, "to_file") in ("dot", "gv")
    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise ArgumentError(f"{where}.rankdir", "one of TB, BT, LR, RL is needed", f"got {rankdir!r}", "choose one")
    found = parts_of(latest(function, "plot"))
    return draw(diagram(function._where, found, detailed, rankdir, dpi), to_file, where, "to_file")


def diagram(title, parts, detailed, rankdir="TB", dpi=200):
    """The graphs of parts as a `Dot`.

    Args:
        title: of the whole.
        parts: the Parts.
        detailed: whether each call of a kernel is a box, in a frame; otherwise a kernel is a box.
        rankdir, dpi: as in `Dot`.
    """
    from eagerdl.drawing import Dot, Frame

    frame = Frame("function", title)
    for number, part in enumerate(parts):
        inner = frame if len(parts) == 1 else Frame(f"p{number}", part.title)
        if inner is not frame:
            frame.items.append(inner)
        frame.edges += Diagram(part, f"p{number}_" if len(parts) > 1 else "", inner, detailed).edges
    return Dot(frame, rankdir, dpi)


class Diagram:
    """Puts the boxes of a part into a frame, and finds the edges between them."""

    def __init__(self, part, prefix, frame, detailed):
        from eagerdl.drawing import Box, Frame

        self.prefix, self.keys, edges, count = prefix, {}, [], 0
        one = part.graph
        for index, value in enumerate(one.inputs):
            frame.items.append(Box(self._key(value), part.name(index), [shape_text(value)], "input"))
        for variable, value in one.variables.items():
            frame.items.append(Box(self._key(value), variable_text(variable), [shape_text(value)], "variable"))
        steps = [(step.region, step.nodes) for step in part.steps] or [(None, [node]) for node in one.nodes]
        for number, (region, nodes) in enumerate(steps):
            home, key = frame, f"{prefix}s{number}"
            if region is not None and detailed:
                home = Frame(f"{prefix}k{number}", f"kernel k{number}")
                frame.items.append(home)
            elif region is not None:
                rows = [node.label for node in nodes if node.kind != VIEW] + [line_ranges(nodes)]
                frame.items.append(Box(key, f"kernel k{number}", rows, "layer"))
            for node in nodes:
                if region is None or detailed:
                    key = f"{prefix}c{count}"
                    count += 1
                    rows = [*map(shape_text, node.outputs), lines.place(node.line)]
                    home.items.append(
                        Box(key, node.label, [row for row in rows if row], "layer" if region else "function")
                    )
                edges += [(self.keys.get(value), key) for value in node.inputs]
                self.keys |= dict.fromkeys(node.outputs, key)
        for index, value in enumerate(one.outputs):
            frame.items.append(Box(f"{prefix}o{index}", "result", [shape_text(value)], "output"))
            edges.append((self.keys.get(value), f"{prefix}o{index}"))
        for index, (variable, value) in enumerate(one.writes.items()):
            frame.items.append(
                Box(f"{prefix}w{index}", f"{variable_text(variable)} :=", [shape_text(value)], "variable")
            )
            edges.append((self.keys.get(value), f"{prefix}w{index}"))
        self.edges = [edge for edge in dict.fromkeys(edges) if edge[0] is not None and edge[0] != edge[1]]

    def _key(self, value):
        self.keys[value] = f"{self.prefix}i{len(self.keys)}"
        return self.keys[value]


# -- the report --------------------------------------------------------------------------------------------


class Report(str):
    """A text that shows itself as it is, where Python would show it in quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def explain(function, args, named):
    """The report on a function; see `Function.explain`."""
    from rich.text import Text

    made = function.get_concrete_function(*args, **named) if args or named else None
    out = [Text(title(function), style="bold"), *facts(function)]
    reasons = function._history.reasons
    for number, reason in enumerate(reasons, 1):
        if number <= 3 or number > len(reasons) - RECENT:
            out.append(Text(f"  {number:>3}  {reason}"))
        elif number == 4:
            out.append(Text("  ..."))
    if made is not None:
        seconds = measured(made, function._call_like(args, named).arrays)
        out += [Text(), Text("The trace for these arguments", style="bold")]
    elif reasons:
        made, seconds = latest(function, "explain"), {}
        out += [Text(), Text("The last trace", style="bold")]
    else:
        return rendered([*out, *[Text(f"  {text}") for text in untraced(function)]])
    out += stabilized(function, made)
    parts = parts_of(made)
    for part in parts:
        for one in (part, *part.inner()):
            out += described(one, seconds if one is part else {})
    counts = compiler.compile_counts()
    out.append(Text(f"Kernels of this process: {counts['compiled']} compiled, {counts['from disk']} read from disk, in "
                    f"{seconds_text(counts['seconds'])}."))  # fmt: skip
    return rendered(out)


def title(function):
    """The first line."""
    count = function.experimental_get_tracing_count()
    code = getattr(function.python_function, "__code__", None)
    where = f" ({os.path.basename(code.co_filename)}:{code.co_firstlineno})" if code is not None else ""
    return f"{function._where}{where}: " + (count_text(count, "trace") if count else "not traced")


def facts(function):
    """What holds for all traces."""
    from rich.text import Text

    if config.functions_run_eagerly():
        yield Text("  Functions run eagerly now, line by line: edl.config.run_functions_eagerly, or EAGERDL_EAGER.")
    unconverted = why_not(function.python_function) if function._autograph else "autograph=False"
    if unconverted is not None:
        yield Text(f"  Its `if` and loops are Python's own: {unconverted}.")
    if function._changing:
        yield Text(f"  Numbers that are traced without their value: {', '.join(sorted(function._changing))}.")
    if function._static:
        yield Text(f"  Numbers whose value the code needs, one trace for each: {', '.join(sorted(function._static))}.")


def stabilized(function, made):
    """The laws of `stability` by which a trace was made, each with the user's lines."""
    from rich.text import Text

    if function._stabilize:
        yield Text(f"  Stabilized: {count_text(len(made.rewrites), 'rewrite')}.")
    found = {}
    for law, line in made.rewrites:
        found.setdefault(law, []).append(line)
    for law, users in found.items():
        yield Text(f"    {law}    {places(users)}", no_wrap=True)


def described(part, seconds):
    """A part: inputs, bytes, and a table of what runs."""
    from rich.table import Table
    from rich.text import Text

    one, program = part.graph, part.program
    if part.title:
        yield Text(part.title, style="bold")
    inputs = [f"{part.name(index)} {shape_text(value)}" for index, value in enumerate(one.inputs)]
    found = [
        ("takes", ", ".join(inputs) or "no arrays"),
        ("returns", ", ".join(map(shape_text, one.outputs)) or "no arrays"),
    ]
    if one.variables:
        text = f"{len(one.variables)} of {bytes_text(sum(value.nbytes for value in one.variables.values()))}"
        text += f", {len(one.writes)} written" if one.writes else ""
        text += f", {in_place(program)} of them in place" if one.writes and part.compiled else ""
        found.append(("variables", text))
    if one.constants:
        found.append(
            (
                "constants",
                f"{len(one.constants)} of {bytes_text(sum(array.nbytes for array in one.constants.values()))}",
            )
        )
    if part.compiled:
        kernels = list(program.kernels.values())
        different = {id(kernel): kernel for kernel in kernels}
        took = seconds_text(sum(kernel.seconds for kernel in different.values()))
        found += [
            ("arena", f"{bytes_text(program.arena_bytes)}, laid out in advance and used at each call"),
            ("steps", f"{count_text(len(part.steps), 'step')} for {count_text(len(one.nodes), 'call')}"),
            ("kernels", f"{len(kernels)}, {len(different)} different, made or found in {took}"),
        ]
        capture = getattr(program, "capture", None)
        if capture is not None:
            why = "" if capture.reason is None else f" not, since {capture.reason}"
            found.append(("replayed", why.strip() or "as one CUDA graph, from the third call on"))
    for name, text in found:
        yield Text(f"  {name:<10} {text}")
    if not part.compiled:
        yield Text(
            f"  {library(one)} runs {count_text(len(one.nodes), 'call')} one after another, since {part.uncompiled}."
        )
        if seconds:
            yield Text(f"  time       {seconds_text(seconds[None])}")
        yield Text()
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for name in ("step", "calls", "how", "lines", *(["time"] if seconds else [])):
        table.add_column(
            name, justify="right" if name == "time" else "left", overflow="fold", no_wrap=name in ("step", "time")
        )
    for first, last, calls, how, nodes, time in table_rows(part, seconds):
        name = first if first == last else f"{first}-{last}"
        table.add_row(
            *[Text(cell) for cell in (name, calls, how, line_ranges(nodes), *([seconds_text(time)] if seconds else []))]
        )
    if seconds:
        table.add_row("", "", Text("copies into and out of the program"), "", Text(seconds_text(seconds[None])))
    yield Text()
    yield table
    yield Text()


def in_place(program):
    """How many variables get their new value where the old one lies."""
    variables = program.graph.variables
    return sum(program.partners.get(new) is variables[variable] for variable, new in program.graph.writes.items())


def labels(step):
    """The calls of a step, repeated ones counted: ``add, 2 multiply``."""
    names = [node.label for node in step.nodes if node.kind != VIEW] or [node.label for node in step.nodes]
    runs = []
    for name in names:
        if runs and runs[-1][0] == name:
            runs[-1][1] += 1
        else:
            runs.append([name, 1])
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in runs)


def table_rows(part, seconds):
    """Rows of the table: names of the first and the last step, calls, how, nodes, seconds. Equal kernels in turn are one row."""
    rows, met, before = [], {}, None
    for number, step in enumerate(part.steps):
        time = seconds.get(number, 0.0)
        if step.region is None:
            before = None
            if step.node.kind != VIEW:
                how = "an instruction of the loop" if isinstance(part.program, Body) else reason(step.node)
                rows.append([f"f{number}", f"f{number}", step.node.label, how, step.nodes, time])
            continue
        text, name = step.source.text, f"k{number}"
        if text == before:
            rows[-1][1] = name
            rows[-1][-2] += step.nodes
            rows[-1][-1] += time
            continue
        count = sum(node.kind != VIEW for node in step.nodes)
        how = f"fused: {count} calls in one pass" if count > 1 else "a kernel"
        calls = labels(step) if text not in met else f"the kernel of {met[text]}"
        before = text if text in met else None
        met.setdefault(text, name)
        rows.append([name, name, calls, how, [*step.nodes], time])
    return rows


def library(graph):
    """Whose functions run where no kernel does."""
    return "CuPy" if graph.is_on_gpu() else "NumPy"


def reason(node):
    """Why a call is not part of a kernel."""
    on_gpu = any(value.on_gpu for value in (*node.inputs, *node.outputs))
    if on_gpu and node.kind not in (CHECK, LOOP, VIEW):
        return reason_on_gpu(node)
    if node.kind == CHECK:
        return (
            "prints, at each call" if isinstance(node.function, printing.Printer) else "looks at elements, at each call"
        )
    if node.kind == LOOP:
        if hasattr(node.function, "programs"):
            return "one of several programs, chosen at each call"
        return (
            "a loop, compiled with its body"
            if getattr(node.function, "compiled", False)
            else "a loop whose body calls Python"
        )
    if node.kind == VIEW:
        return "a view: no elements are touched"
    if is_gufunc(node.function):
        return "a library: BLAS" if node.label in ("matmul", "vecdot", "matvec", "vecmat") else "a library"
    values = [*node.inputs, *node.outputs]
    if any(value.size == 0 for value in values):
        return "NumPy: no elements"
    primitive = REGISTRY.get(node.label)
    if primitive is not None and primitive.forward is node.function and not isinstance(node.function, np.ufunc):
        return "an op that runs as a whole"
    strange = next((value.dtype for value in values if value.dtype not in lowering.NAMES), None)
    if strange is not None:
        return f"NumPy: kernels do not know {strange}"
    if node.kind == ELEMENTWISE and lowering.lowered(node) is not None:
        return "NumPy: its arrays lie in memory in another way than those of a kernel"
    if node.kind == REDUCE:
        return (
            "NumPy: adds in an order of its own"
            if node.label == "add.reduce"
            else "NumPy: kernels do not know this reduction"
        )
    return "NumPy: kernels do not know this call"


def reason_on_gpu(node):
    """The same for a call of CuPy's."""
    if is_gufunc(node.function):
        return "a library: cuBLAS" if node.label in ("matmul", "vecdot", "matvec", "vecmat") else "a library"
    primitive = REGISTRY.get(node.label)
    if primitive is not None and primitive.forward is node.function and not isinstance(node.function, np.ufunc):
        return "an op that runs as a whole"
    values = [*node.inputs, *node.outputs]
    if any(value.size == 0 for value in values):
        return "CuPy: no elements"
    if not all(value.on_gpu for value in values):
        return "CuPy: between the GPU and the CPU"
    strange = next((value.dtype for value in values if value.dtype not in lowering.NAMES), None)
    if strange is not None:
        return f"CuPy: kernels do not know {strange}"
    return f"CuPy: kernels do not know this {'reduction' if node.kind == REDUCE else 'call'}"


def measured(made, arrays):
    """Seconds by the number of the step, and under None those of what is no step; variables keep their values."""
    program = made.program
    kept = [(variable, variable._array.copy("K")) for variable in program.graph.writes]
    try:
        with printing.silence():
            if is_compiled(program):
                with program.lock:
                    found = program.profile(arrays)
            else:
                found = [("", least_time(program, arrays))]
    finally:
        for variable, array in kept:
            variable._array, variable._now = array, None
    seconds = {}
    for line, time in found:
        number = lines.number_of(line)
        seconds[number] = seconds.get(number, 0.0) + time
    return {None: 0.0, **seconds}


def least_time(program, arrays, repetitions=10):
    """The least time of several runs."""
    import time

    best = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        program(arrays)
        best = min(best, time.perf_counter() - start)
    return best


def rendered(parts):
    """Lines and tables of rich as text."""
    import io

    from rich.console import Console

    file = io.StringIO()
    width = max(100, shutil.get_terminal_size((120, 0)).columns)
    console = Console(file=file, width=width, color_system=None, highlight=False, soft_wrap=False)
    for part in parts:
        console.print(part, soft_wrap=not hasattr(part, "columns"))
    return Report("\n".join(line.rstrip() for line in file.getvalue().splitlines()))
