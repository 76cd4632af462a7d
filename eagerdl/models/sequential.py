"""`Sequential`: layers one after another."""

import inspect

from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.models.graph import Graph
from eagerdl.models.model import Model
from eagerdl.nn.input import InputLayer
from eagerdl.nn.layer import Layer
from eagerdl.nn.symbolic import SymbolicTensor

__all__ = ["Sequential"]


class Sequential(Model):
    """x -> the last layer of ... the first layer of x.

    With an `Input` first, the weights are made at once; without, at the first call.

    Args:
        layers: a list of layers, functions of one tensor, or an `Input` first.
        trainable: whether optimizers change the weights.
        name: a name.

    Raises:
        DTypeError: for what is no layer.

    Example:
        >>> model = edl.Sequential([edl.Input((4,)), edl.layers.Dense(8, "relu"), edl.layers.Dense(2)])
        >>> [w.shape for w in model.weights]
        [(4, 8), (8,), (8, 2), (2,)]
    """

    def __init__(self, layers=None, trainable=True, name=None):
        super().__init__(name=name)
        self._sequence, self._init_arguments = [], ((), {})  # the layers say it all
        self._implied = False  # whether the input was not given, but seen
        for layer in layers or ():
            self._append(layer)
        self._rebuild()
        if not trainable:
            self.trainable = False

    @property
    def layers(self):
        """The layers, without the input."""
        return [layer for layer in self._sequence if not isinstance(layer, InputLayer)]

    @property
    def _layers(self):
        return self.layers

    def add(self, layer, rebuild=True):
        """Puts a layer at the end.

        Args:
            layer: the layer.
            rebuild: whether its weights are made now, where the input shape is known.
        """
        self._append(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild=True):
        """Takes away the last layer and returns it.

        Raises:
            ArgumentError: if there is none.
        """
        if not self.layers:
            raise ArgumentError(f"{self.where}.pop", "a layer to take away is needed", "there is none", "add one first")
        layer = self._sequence.pop()
        self._graph, self.built = None, False
        if rebuild:
            self._rebuild()
        return layer

    def _append(self, layer):
        if isinstance(layer, SymbolicTensor):
            layer = layer.operation
        if not isinstance(layer, Layer):
            if not callable(layer):
                raise DTypeError(f"{self.where}.add", "a layer is needed", f"got {type(layer).__name__}: {layer!r:.60}",
                                 "pass a layer, or a function of one tensor")  # fmt: skip
            layer = registry.AREAS["layers"]["Lambda"](layer)
        if isinstance(layer, InputLayer) and self._sequence:
            raise ArgumentError(f"{self.where}.add", "an Input comes first", f"there are {len(self._sequence)} layers already",
                                "put it at the beginning of the list")  # fmt: skip
        if any(one.name == layer.name for one in self._sequence):
            raise ArgumentError(f"{self.where}.add", "each layer of a model needs a name of its own",
                                f"two are named {layer.name!r}", "give one of them another name=")  # fmt: skip
        shape = getattr(layer, "_given_input_shape", None)
        if shape is not None and not self._sequence:
            self._sequence.append(InputLayer(shape))
        self._sequence.append(layer)
        self._graph = None

    def _rebuild(self):
        """Wires the layers where the input is known, which makes their weights."""
        if self._graph is None and len(self._sequence) > 1 and isinstance(self._sequence[0], InputLayer):
            self._wire(self._sequence[0].output)

    def _wired(self):
        """The graph; made of what the first call looked like where no input was given."""
        if self._graph is None and self.layers and hasattr(self._call_specs, "shape"):
            self._imply(self._call_specs.shape, self._call_specs.dtype)
        return self._graph

    def _imply(self, shape, dtype=None):
        """Wires the layers to an input of that shape, which calls need not keep to."""
        if not isinstance(self._sequence[0], InputLayer):
            self._sequence.insert(0, InputLayer(batch_shape=tuple(shape), dtype=dtype))
            self._implied = True
        self._rebuild()

    def _wire(self, x):
        first = x
        for layer in self.layers:
            if layer._path is None:
                layer._path = f"{self.name}/{layer.name}"
            x = layer(x)
        self._set_graph(Graph(self.where, first, x))

    def build(self, input_shape=None):
        """Makes the weights for that input shape, which has the batch axis."""
        if self._graph is not None:
            return
        if not self.layers:
            raise ArgumentError(f"{self.where}.build", "layers are needed", "there is none", "add one first")
        if input_shape is None:
            raise ArgumentError(f"{self.where}.build", "the shape of the input is needed", "got None",
                                "build((None, n)), put an edl.Input first, or call the model on data")  # fmt: skip
        self._imply(input_shape)

    def call(self, inputs, training=None, mask=None):
        """The layers one after another."""
        x = inputs
        if self._graph is not None and not self._implied:
            (x,) = self._graph.standardized(x)
        elif not self._sequence:
            raise ArgumentError(self.where, "layers are needed", "there is none", "add one first")
        for layer in self._sequence:
            if not isinstance(layer, InputLayer):
                x, mask = layer(x) if mask is None else layer(x, mask=mask), None
        return x

    def _maybe_build(self, facts, args, named):
        self._note_specs(args)
        self.built = True  # the layers build themselves as they are called

    def get_config(self):
        config = {
            "name": self.name, "trainable": self.trainable, "dtype": registry.serialize_keras_object(self.dtype_policy),
            "layers": [registry.serialize_keras_object(layer) for layer in self._sequence[self._implied :]],
        }  # fmt: skip
        if self._graph is not None:
            config["build_input_shape"] = list(self._graph.input_leaves[0].shape)
        elif self._build_shapes is not None:
            config["build_input_shape"] = list(self._build_shapes["input_shape"])
        return config

    def get_build_config(self):
        return None  # the config has the shape

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with registry.CustomObjectScope(custom_objects):
            layers = [registry.deserialize_keras_object(layer) for layer in config["layers"]]
            model = (cls if takes_layers(cls) else Sequential)(layers, name=config.get("name"))
            if not config.get("trainable", True):
                model.trainable = False
            shape = config.get("build_input_shape")
            if shape and model._graph is None:
                model.build(tuple(shape))
            return model


def takes_layers(cls):
    """True for classes of models whose `__init__` takes a list of layers and a name."""
    parameters = inspect.signature(cls.__init__).parameters
    return {"layers", "name"} <= set(parameters) or any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
