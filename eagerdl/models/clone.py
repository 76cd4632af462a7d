"""New models of old ones: `clone_model`, `model_from_json`."""

import json

from eagerdl import registry, tree
from eagerdl.errors import ArgumentError
from eagerdl.models.model import Model, takes_graph
from eagerdl.models.sequential import Sequential, takes_layers
from eagerdl.nn.input import InputLayer
from eagerdl.nn.layer import Layer
from eagerdl.nn.symbolic import FunctionOp, Node, SymbolicTensor, infer


def clone_model(model, input_tensors=None, clone_function=None, call_function=None, recursive=False, **kwargs):
    """A new model of the same layers with new weights.

    Args:
        model: a model.
        input_tensors: symbolic tensors for the inputs, instead of new ones.
        clone_function: a function layer -> the layer to use instead; by default a new one of the same config.
        call_function: a function (layer, *args, **kwargs) that calls the new layers.
        recursive: whether `clone_function` is applied inside nested models too.

    Raises:
        ArgumentError: for a clone_function with a subclassed model.

    Example:
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(3)])
        >>> edl.models.clone_model(model).weights[0].shape
        (2, 3)
    """
    if kwargs:
        raise ArgumentError("clone_model", "the arguments must be known", f"got {', '.join(kwargs)}", "see help()")

    def clone(layer):
        if recursive and clone_function is not None and isinstance(layer, Model):
            return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
        return copy_of(layer) if clone_function is None else clone_function(layer)

    call = call_function or (lambda layer, *args, **named: layer(*args, **named))
    if isinstance(model, Sequential):
        inputs = [tree.flatten(input_tensors)[0][0]] if input_tensors is not None else [
            copy_of(layer) for layer in model._sequence[:1] if isinstance(layer, InputLayer) and not model._implied
        ]  # fmt: skip
        made = type(model) if takes_layers(type(model)) else Sequential
        made = made([*inputs, *[clone(layer) for layer in model.layers]], name=model.name)
        if not made.built and model._build_shapes is not None:
            made.build(model._build_shapes["input_shape"])
        return made
    if model._graph is None:
        if clone_function is not None or input_tensors is not None:
            raise ArgumentError("clone_model", "only wired models can be taken apart", f"{type(model).__name__} is subclassed",
                                "leave out clone_function and input_tensors")  # fmt: skip
        made = type(model).from_config(model.get_config())
        if model._call_specs is not None:
            made._build_from(model._call_specs)
        return made
    return _clone_graph(model, input_tensors, clone, call)


def copy_of(layer):
    """A new layer of the same config."""
    return type(layer).from_config(layer.get_config())


def _clone_graph(model, input_tensors, clone, call):
    old = model._graph
    if input_tensors is None:
        given = [copy_of(x._history[0].operation).output for x in old.input_leaves]
    else:
        given = tree.flatten(input_tensors)[0]
    values = dict(zip(map(id, old.input_leaves), given))
    copies = {}

    def value(x):
        return values[id(x)] if isinstance(x, SymbolicTensor) else x

    for node in old.nodes:
        operation = node.operation
        if id(operation) not in copies:
            copies[id(operation)] = (
                clone(operation) if isinstance(operation, Layer) else FunctionOp(operation.function, operation.name)
            )
        made = copies[id(operation)]
        args, named = tree.map_structure(value, (node.args, dict(node.named)))
        if isinstance(made, FunctionOp):
            out = infer(made.function, args, named)
            Node(made, args, named, out)
        else:
            out = call(made, *args, **named)
        values.update(zip(map(id, node.outputs), tree.flatten(out)[0]))
    inputs, outputs = tree.map_structure(value, (old.inputs, old.outputs))
    made = type(model) if takes_graph(type(model)) else Model
    return made(inputs, outputs, name=model.name)


def model_from_json(json_string, custom_objects=None):
    """A new model from what `Model.to_json` gave, with new weights.

    Args:
        json_string: the string.
        custom_objects: names -> classes and functions of your own.

    Raises:
        ArgumentError: if it is no JSON, or names a class that is not registered.
    """
    try:
        config = json.loads(json_string)
    except ValueError as error:
        raise ArgumentError(
            "model_from_json", "a JSON string is needed", str(error), "pass what model.to_json() gave"
        ) from None
    if not isinstance(config, dict) or "class_name" not in config:
        raise ArgumentError("model_from_json", "the config of a model is needed", f"got {json_string!r:.60}",
                            "pass what model.to_json() gave")  # fmt: skip
    config.pop("compile_config", None)
    return registry.deserialize_keras_object(config, custom_objects)


__all__ = ["clone_model", "model_from_json"]
