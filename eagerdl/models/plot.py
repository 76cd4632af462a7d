"""Pictures of models: `model_to_dot` and `plot_model`. No other program is needed."""

import re
from itertools import pairwise

from eagerdl import registry, tree
from eagerdl.drawing import Box, Dot, Frame, draw, kind_of
from eagerdl.errors import ArgumentError
from eagerdl.models import summary
from eagerdl.nn.input import InputLayer
from eagerdl.nn.layer import Layer
from eagerdl.nn.symbolic import SymbolicTensor

__all__ = ["Dot", "model_to_dot", "plot_model"]

DIRECTIONS = ("TB", "BT", "LR", "RL")
SPLINES = ("ortho", "curved", "polyline", "spline", "line")


def model_to_dot(model, show_shapes=False, show_dtype=False, show_layer_names=True, rankdir="TB", expand_nested=False, dpi=200,
                 subgraph=False, show_layer_activations=False, show_trainable=False, splines="ortho", **kwargs):  # fmt: skip
    """The layers of a model and how they are connected, in the language DOT of Graphviz.

    Of a subclassed model, whose connections only its code knows, it is the tree of its layers.

    Args:
        model: a model that is built.
        show_shapes: whether shapes are shown.
        show_dtype: whether dtypes are shown.
        show_layer_names: whether names are shown beside the classes.
        rankdir: "TB" from top to bottom, "BT", "LR" or "RL".
        expand_nested: whether models inside the model are shown with their layers.
        dpi: pixels per inch.
        subgraph: whether the text is that of a subgraph, to be put into another graph.
        show_layer_activations: whether the activations of layers are shown.
        show_trainable: whether it is shown what is trained.
        splines: how lines run: "ortho", "curved", "polyline", "spline" or "line".

    Returns:
        A `Dot`: ``str(dot)`` is the text, ``dot.write(path)`` writes it.

    Raises:
        ArgumentError: if the model is not built, or an argument is unknown.

    Example:
        >>> model = edl.Sequential([edl.Input((4,)), edl.layers.Dense(2, name="d")], name="small")
        >>> from eagerdl.models.plot import model_to_dot
        >>> print(model_to_dot(model))
        digraph "small" {
          graph [rankdir=TB, splines=ortho, dpi=200, concentrate=true];
          node [shape=plaintext, fontname="Helvetica", margin=0];
          edge [penwidth=2];
          n0 [label=<<table border="0" cellborder="1" cellspacing="0" cellpadding="6">...d (Dense)...</table>>];
        }
    """
    where = "model_to_dot"
    if kwargs:
        raise ArgumentError(
            where, "the arguments must be known", f"got {', '.join(kwargs)}", "see help(edl.utils.model_to_dot)"
        )
    for name, value, known in (("rankdir", rankdir, DIRECTIONS), ("splines", splines, SPLINES)):
        if value not in known:
            raise ArgumentError(f"{where}.{name}", f"one of {', '.join(known)} is needed",
                                f"got {value!r}{registry.nearest(value, known)}", "choose one")  # fmt: skip
    if not model.built:
        raise ArgumentError(
            where, "a model must be built to be drawn", f"{model.where} is not", "call it on data, or use build()"
        )
    shown = {
        "shapes": show_shapes, "dtype": show_dtype, "names": show_layer_names, "activations": show_layer_activations,
        "trainable": show_trainable,
    }  # fmt: skip
    return Dot(Diagram(model, shown, expand_nested).frame, rankdir, dpi, splines, subgraph)


def plot_model(model, to_file="model.png", show_shapes=False, show_dtype=False, show_layer_names=False, rankdir="TB",
               expand_nested=False, dpi=200, show_layer_activations=False, show_trainable=False, splines="ortho",
               **kwargs):  # fmt: skip
    """Draws a model into a file.

    Args:
        model: a model that is built.
        to_file: where to. The ending says the format: ``.svg`` and ``.dot`` need nothing else, ``.png`` and ``.pdf`` matplotlib.
        show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, show_layer_activations, show_trainable, splines: as
            in `model_to_dot`.

    Returns:
        In a notebook an image to be shown, otherwise None.

    Raises:
        ArgumentError: if the model is not built, or an argument or the ending is unknown.
        PackageError: if matplotlib is needed and missing.

    Example:
        >>> import os, tempfile
        >>> from eagerdl.models.plot import plot_model
        >>> path = os.path.join(tempfile.mkdtemp(), "model.svg")
        >>> plot_model(edl.Sequential([edl.Input((4,)), edl.layers.Dense(2)]), path, show_shapes=True)
        >>> os.path.exists(path)
        True
    """
    kind_of(to_file, "plot_model", "to_file")  # before the work
    dot = model_to_dot(model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, False, show_layer_activations,
                       show_trainable, splines, **kwargs)  # fmt: skip
    return draw(dot, to_file, "plot_model", "to_file")


# -- from models to diagrams --------------------------------------------------------------------------


class Diagram:
    """The Frame of a model.

    Args:
        model: the model.
        shown: a dict of what boxes say: shapes, dtype, names, activations, trainable.
        expand: whether models inside are frames of their own.
    """

    def __init__(self, model, shown, expand):
        self.shown, self.expand, self._count, self._edges = shown, expand, 0, []
        self.frame, _, _ = self._wired(model) if _is_wired(model) else self._tree(model)
        self.frame.edges = list(dict.fromkeys(self._edges))

    def _key(self):
        self._count += 1
        return f"n{self._count - 1}"

    def _wired(self, model):
        """A Frame, and two functions: number of an input or output -> the key of its box."""
        frame = Frame(
            f"{re.sub(r'[^0-9A-Za-z]', '_', model.name)}_{self._key()}" if self._count else "model", model.name
        )
        graph, chain = model._graph, hasattr(model, "_sequence")
        shapes = _Shapes(model)
        ways = {}  # id(operation) -> (number of an input -> key, number of an output -> key)
        for operation in model.layers if chain else graph.operations:
            if self.expand and _is_wired(operation) and operation.layers:
                inner, entry, leave = self._wired(operation)
                frame.items.append(inner)
                ways[id(operation)] = entry, leave
            else:
                box = self._box(operation, shapes)
                frame.items.append(box)
                ways[id(operation)] = (lambda _, key=box.key: key), (lambda _, key=box.key: key)
        if chain:
            layers = model.layers
            for one, two in pairwise(layers):
                self._edges.append((ways[id(one)][1](0), ways[id(two)][0](0)))
            return frame, ways[id(layers[0])][0], ways[id(layers[-1])][1]
        for node in graph.nodes:
            for number, x in enumerate(node.inputs()):
                source, place = x._history
                self._edges.append((ways[id(source.operation)][1](place), ways[id(node.operation)][0](number)))

        def entry(number):
            return ways[id(graph.input_leaves[number]._history[0].operation)][0](0)

        def leave(number):
            node, place = graph.output_leaves[number]._history
            return ways[id(node.operation)][1](place)

        return frame, entry, leave

    def _tree(self, model):
        """A subclassed model: its layers below it; with `expand`, theirs below them."""
        frame, shapes, seen = Frame("model", model.name, dashed=True), _Shapes(model), {}
        stack = [(model, None)]
        while stack:
            layer, parent = stack.pop()
            if id(layer) not in seen:
                box = self._box(layer, shapes, kind="model" if layer is model else None)
                seen[id(layer)] = box.key
                frame.items.append(box)
                if layer is model or self.expand:
                    stack += [(child, layer) for child in reversed(layer._layers)]
            if parent is not None:
                self._edges.append((seen[id(parent)], seen[id(layer)]))
        return frame, None, None

    def _box(self, operation, shapes, kind=None):
        is_layer = isinstance(operation, Layer)
        name = type(operation).__name__ if is_layer else operation.function.__name__
        shown, rows = self.shown, []
        activation = getattr(operation, "activation", None)
        if shown["activations"] and activation is not None:
            rows.append(
                f"Activation: {getattr(activation, 'name', None) or getattr(activation, '__name__', type(activation).__name__)}"
            )
        if shown["shapes"]:
            if id(operation) in shapes.inputs:
                rows.append(f"Input shape: {shapes.inputs[id(operation)]}")
            rows.append(f"Output shape: {shapes.outputs.get(id(operation), '?')}")
        if shown["dtype"]:
            rows.append(f"Output dtype: {shapes.dtypes.get(id(operation)) or getattr(operation, 'compute_dtype', '?')}")
        if shown["trainable"] and is_layer and operation.weights:
            rows.append("Trainable" if operation.trainable else "Not trainable")
        kind = kind or ("input" if isinstance(operation, InputLayer) else "model" if _is_wired(operation) else "layer" if is_layer
                        else "function")  # fmt: skip
        return Box(self._key(), f"{operation.name} ({name})" if shown["names"] else name, rows, kind)


def _is_wired(model):
    """True for models whose connections are known: functional and sequential ones."""
    return getattr(model, "_graph", None) is not None or bool(getattr(model, "_sequence", None))


class _Shapes:
    """id(operation) -> the shapes of inputs and outputs, and the dtypes of outputs, as text."""

    def __init__(self, model):
        self.inputs, self.dtypes = {}, {}
        self.outputs = dict(summary.output_shapes(model)) if getattr(model, "built", False) else {}
        graph = getattr(model, "_graph", None)
        if graph is not None:
            self._read(graph)
        elif hasattr(model, "_sequence"):
            before = (getattr(model, "_build_shapes", None) or {}).get("input_shape", "?")
            for layer in model.layers:
                self.inputs[id(layer)], before = str(before), self.outputs.get(id(layer), "?")
        elif getattr(model, "_call_specs", None) is not None:
            self.inputs[id(model)] = ", ".join(
                str(x.shape) for x in tree.flatten(model._call_specs)[0] if x is not None
            )

    def _read(self, graph):
        ins, outs, dtypes = {}, {}, {}
        for x in graph.input_leaves:
            outs.setdefault(id(x._history[0].operation), []).append(x)
        for node in graph.nodes:  # a shared layer has several
            ins.setdefault(id(node.operation), []).extend(node.inputs())
            outs.setdefault(id(node.operation), []).extend(x for x in node.outputs if isinstance(x, SymbolicTensor))
        for key, found in outs.items():
            dtypes[key] = ", ".join(dict.fromkeys(x.dtype.name for x in found))
        self.inputs, self.dtypes = {key: _text(found) for key, found in ins.items()}, dtypes
        self.outputs |= {key: _text(found) for key, found in outs.items()}


def _text(tensors):
    shapes = [str(x.shape) for x in tensors]
    return shapes[0] if len(set(shapes)) == 1 else ", ".join(shapes)
