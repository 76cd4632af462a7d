"""The table that `model.summary()` prints."""

import math
import re

from eagerdl import tree
from eagerdl.errors import ArgumentError
from eagerdl.nn import calls
from eagerdl.nn.layer import Layer
from eagerdl.nn.symbolic import SymbolicTensor, generator_kept, infer
from eagerdl.nn.tracking import once
from eagerdl.tensor import Tensor, TensorSpec


def print_summary(model, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False,
                  layer_range=None):  # fmt: skip
    """Prints the table, or gives it to `print_fn`; see `Model.summary`."""
    from rich.console import Console

    console = Console(
        width=line_length, highlight=False, record=print_fn is not None, file=None if print_fn is None else _Nowhere()
    )
    for part in rendered(model, line_length or console.width, positions, expand_nested, show_trainable, layer_range):
        console.print(part)
    if print_fn is not None:
        print_fn(console.export_text())


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, text):
        return len(text)

    def flush(self):
        """There is nothing to flush."""


def rendered(model, width, positions, expand_nested, show_trainable, layer_range):
    """The title, the rich table and the totals."""
    from rich.table import Table
    from rich.text import Text

    operations = _range(model, getattr(model, "operations", None) or model._layers, layer_range)
    wired = getattr(model, "_graph", None) is not None and not hasattr(model, "_sequence")
    table = Table(show_lines=False)
    widths = _widths(positions, width)
    for title, share in zip(("Layer (type)", "Output shape", "Parameters"), widths):
        table.add_column(title, justify="right" if title == "Parameters" else "left", width=share, overflow="fold")
    if wired:
        table.add_column("Connected to", overflow="fold")
    if show_trainable:
        table.add_column("Trainable", justify="center")
    shapes, connections = output_shapes(model), _connections(model) if wired else {}
    stack = [(operation, 0) for operation in reversed(operations)]
    while stack:
        operation, depth = stack.pop()
        is_layer = isinstance(operation, Layer)
        count = _count(operation.weights) if is_layer else 0
        built = not is_layer or operation.built
        row = [
            Text("  " * depth + f"{operation.name} ({type(operation).__name__ if is_layer else 'function'})"),
            Text(shapes.get(id(operation), "?")),
            Text(f"{count:,}" if built else "not built"),
        ]
        if wired:
            row.append(Text(connections.get(id(operation)) or "-"))
        if show_trainable:
            row.append(Text(("yes" if operation.trainable else "no") if is_layer and operation.weights else "-"))
        table.add_row(*row)
        if expand_nested and is_layer:
            stack += [(child, depth + 1) for child in reversed(operation._layers)]
    yield Text(f'Model: "{model.name}" ({type(model).__name__})', style="bold")
    yield table
    weights = once(model.weights)
    trainable = once(model.trainable_weights)
    ids = set(map(id, trainable))
    for title, found in (
        ("Total", weights),
        ("Trainable", trainable),
        ("Not trainable", [v for v in weights if id(v) not in ids]),
    ):
        yield Text(f" {title} parameters: {_count(found):,} ({_bytes(found)})")
    slots = list(getattr(getattr(model, "optimizer", None), "variables", ()))
    if slots:
        yield Text(f" Optimizer parameters: {_count(slots):,} ({_bytes(slots)})")


def _widths(positions, width):
    if positions is None:
        return None, None, None
    ends = [round(p * width) if p <= 1 else int(p) for p in positions]
    return [max(8, end - start - 3) for start, end in zip([0, *ends], ends)][:3]


def _range(model, operations, layer_range):
    if layer_range is None:
        return list(operations)
    if len(layer_range) != 2:
        raise ArgumentError(
            f"{model.where}.summary", "layer_range is two names", f"got {layer_range!r}", "pass (first, last)"
        )
    places = []
    for pattern in layer_range:
        found = [i for i, one in enumerate(operations) if one.name == pattern or re.match(pattern, one.name)]
        if not found:
            raise ArgumentError(f"{model.where}.summary", "layer_range names layers", f"none matches {pattern!r}",
                                f"they are {[one.name for one in operations]}")  # fmt: skip
        places.append(found)
    return list(operations)[min(places[0]) : max(places[1]) + 1]


def output_shapes(model):
    """id(operation) -> its output shape as text; layers of subclassed models are seen at work on zeros."""
    shapes = {}
    found = getattr(model, "_graph", None)
    if found is not None:
        for x in found.input_leaves:
            shapes[id(x._history[0].operation)] = str(x.shape)
        for node in found.nodes:
            shapes[id(node.operation)] = _text(node.rebuild(node.outputs))
    specs = getattr(model, "_call_specs", None)
    if found is not None and specs is None:
        specs = tree.map_structure(lambda x: TensorSpec(x.shape, x.dtype), found.inputs)
    if specs is not None:
        for key, text in _observed(model, specs).items():
            shapes.setdefault(key, text)
    return shapes


def _observed(model, specs):
    """id(layer) -> output shape, from a run on zeros with two batch sizes, which leaves no trace."""
    runs = []

    def run(x):
        seen = {}
        runs.append(seen)
        with calls.observed(lambda layer, out: seen.setdefault(id(layer), out)):
            return model(x)

    inputs = tree.map_structure(lambda spec: SymbolicTensor(spec.shape, spec.dtype), specs)
    with generator_kept():
        model._untouched(lambda: infer(run, (inputs,), {}))
    one, two = runs
    return {
        key: _text(tree.map_structure(_meet, one[key], two[key]))
        for key in one
        if key in two and tree.flatten(one[key])[0]
    }


def _meet(a, b):
    if not isinstance(a, Tensor):
        return a
    return SymbolicTensor([m if m == n else None for m, n in zip(a.shape, b.shape)], a.dtype)


def _text(outputs):
    shapes = [str(x.shape) for x in tree.flatten(outputs)[0] if isinstance(x, Tensor)]
    return shapes[0] if len(shapes) == 1 else ", ".join(shapes)


def _connections(model):
    """id(operation) -> the names of what its calls take."""
    names = {}
    for node in model._graph.nodes:
        names.setdefault(id(node.operation), []).extend(x._history[0].operation.name for x in node.inputs())
    return {key: ", ".join(found) for key, found in names.items()}


def _count(variables):
    return sum(math.prod(v.shape) for v in variables)


def _bytes(variables):
    size = float(sum(v.nbytes for v in variables))
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.2f} {unit}"
        size /= 1024
