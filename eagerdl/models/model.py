"""`Model`: a layer that can be trained, saved and described; subclassed, or wired from symbolic tensors."""

import inspect
import json

from eagerdl import registry, tree
from eagerdl.errors import ArgumentError
from eagerdl.models import archive, graph, state_tree, summary
from eagerdl.models.state_tree import set_state_tree as assign_state_tree
from eagerdl.nn.layer import Layer, set_mask
from eagerdl.nn.names import auto_name
from eagerdl.nn.shapes import map_shapes
from eagerdl.nn.symbolic import SymbolicTensor, any_symbolic
from eagerdl.tensor import TensorSpec
from eagerdl.train.trainer import Trainer

__all__ = ["Model"]


class Model(Trainer, Layer):
    """inputs -> outputs. A layer with training: `compile`, `fit`, `evaluate`, `predict`, `save`, `summary`.

    Either subclass it and write `call`, or wire it: ``Model(inputs, outputs)`` from symbolic tensors that begin with `Input`.

    Args:
        inputs, outputs: symbolic tensors, or lists or dicts of them; nothing for a subclass with its own `call`.
        name: a name; by default the class name in snake case, numbered.
        kwargs: trainable and dtype.

    Raises:
        ArgumentError: if an output does not depend on the inputs alone.

    Example:
        >>> x = edl.Input((3,), name="x")
        >>> h = edl.layers.Dense(4, "relu")(x)
        >>> model = edl.Model(x, {"mean": h.mean(1), "last": h[:, -1]})
        >>> sorted(model(edl.ones((2, 3))))
        ['last', 'mean']
    """

    supports_masking = True
    _has_shape_rule = False
    _guesses = True
    _graph = None
    _call_specs = None

    def __init__(self, inputs=None, outputs=None, *, name=None, trainable=True, **kwargs):
        if (inputs is None) != (outputs is None):
            raise ArgumentError(type(self).__name__, "inputs and outputs come together", "one of them is missing",
                                "pass both, or neither and write call")  # fmt: skip
        if name is None and inputs is not None and type(self) is Model:
            name = auto_name("functional")
        super().__init__(name=name, trainable=True, **kwargs)
        if inputs is not None:
            self._set_graph(graph.Graph(self.where, inputs, outputs))
        if not trainable:
            self.trainable = False

    def _set_graph(self, found):
        self._graph = found
        if takes_graph(type(self)) or any_symbolic(*self._init_arguments):
            self._init_arguments = ((), {})  # the graph says it all
        self.built = True
        self.input_spec = None

    # -- structure --------------------------------------------------------------------------------

    def _wired(self):
        """The graph, None where there is none."""
        return self._graph

    @property
    def _layers(self):
        own = super()._layers
        if self._graph is None:
            return own
        return list({id(layer): layer for layer in [*self._graph.layers, *own]}.values())

    @property
    def layers(self):
        """The layers directly in this model, in order."""
        return self._layers

    @property
    def operations(self):
        """The layers and functions of a wired model, in the order in which they run."""
        return self.layers if self._graph is None else list(self._graph.operations)

    @property
    def inputs(self):
        """The symbolic inputs of a wired model, as a list."""
        found = self._wired()
        return [] if found is None else list(found.input_leaves)

    @property
    def outputs(self):
        """The symbolic outputs of a wired model, as a list."""
        found = self._wired()
        return [] if found is None else list(found.output_leaves)

    @property
    def input(self):
        """The symbolic input or inputs of a wired model."""
        found = self._wired()
        return super().input if found is None else found.inputs

    @property
    def output(self):
        """The symbolic output or outputs of a wired model."""
        found = self._wired()
        return super().output if found is None else found.outputs

    @property
    def input_shape(self):
        """The shapes of `input`."""
        return tree.map_structure(lambda x: x.shape, self.input)

    @property
    def output_shape(self):
        """The shapes of `output`."""
        return tree.map_structure(lambda x: x.shape, self.output)

    @property
    def input_names(self):
        """The names of the inputs of a wired model."""
        return [x._history[0].operation.name for x in self.inputs]

    @property
    def output_names(self):
        """The names of the outputs of a wired model: keys of a dict, else names of the layers that they come from."""
        if self._graph is None:
            return None
        if isinstance(self._graph.outputs, dict):
            return list(self._graph.outputs)
        names = [x._history[0].operation.name for x in self.outputs]
        return [name if names.count(name) == 1 else f"{name}_{names[:i].count(name)}" for i, name in enumerate(names)]

    def get_layer(self, name=None, index=None):
        """A layer by its name or its place in `layers`.

        Raises:
            ArgumentError: if there is none, with the nearest name.
        """
        where, layers = f"{self.where}.get_layer", self.layers
        if (name is None) == (index is None):
            raise ArgumentError(
                where, "a name or an index is needed, not both", f"got name={name!r}, index={index!r}", "pass one"
            )
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ArgumentError(where, f"there are {len(layers)} layers", f"got index {index}", "count from 0")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        raise ArgumentError(
            where, "the name of a layer is needed", f"got {name!r}{registry.nearest(name, names)}", f"they are {names}"
        )

    # -- calls ------------------------------------------------------------------------------------

    @property
    def _convert_inputs(self):
        return self._graph is None  # a graph casts to the dtypes of its inputs

    def call(self, inputs, training=None, mask=None):
        """Runs the graph of a wired model; subclasses write their own."""
        if self._graph is None:
            raise ArgumentError(self.where, "a model needs a method call", f"{type(self).__name__} has none",
                                "write call(self, inputs), or wire it with Model(inputs, outputs)")  # fmt: skip
        if mask is not None:
            for x, m in zip(tree.flatten(inputs)[0], tree.flatten(mask)[0]):
                if m is not None:
                    set_mask(x, m)
        return self._graph.run(inputs)

    @property
    def _has_call(self):
        return self._graph is not None or type(self).call is not Model.call

    def compute_mask(self, inputs, previous_mask):
        """The masks that the layers attached to the outputs stay."""
        return None

    def compute_output_spec(self, *args, **named):
        if self._graph is None:
            return super().compute_output_spec(*args, **named)
        return self._graph.specs(args[0])

    def compute_output_shape(self, input_shape):
        if self._graph is None:
            return super().compute_output_shape(input_shape)
        shapes = []
        map_shapes(lambda shape: shapes.append(shape) or shape, input_shape)
        symbols = [SymbolicTensor(shape, x.dtype) for shape, x in zip(shapes, self._graph.input_leaves)]
        return tree.map_structure(lambda x: x.shape, self._graph.specs(tree.flatten(self._graph.inputs)[1](symbols)))

    def build(self, input_shape):
        """Makes the weights by running the model on zeros of that shape."""
        if self._graph is not None or self.built:
            return
        self.built = True
        try:
            self.compute_output_shape(input_shape)
        except BaseException:
            self.built = False
            raise
        self._build_shapes = {"input_shape": input_shape}

    def _maybe_build(self, facts, args, named):
        if type(self).build is not Model.build:
            super()._maybe_build(facts, args, named)
        else:  # its layers are built when they are called
            self._note_specs(args)
            self.built = True

    def _note_specs(self, args):
        """Remembers what the first inputs looked like: for files, clones and the summary."""
        if not args:
            return
        specs = tree.map_structure(
            lambda x: TensorSpec((None, *x.shape[1:]), x.dtype) if hasattr(x, "shape") else None, args[0]
        )
        self._call_specs = specs
        shapes = tree.map_structure(lambda spec: None if spec is None else spec.shape, specs)
        self._build_shapes = {"input_shape": shapes}

    def _build_from(self, specs):
        """Makes the weights by a call on zeros like `specs`, which leaves no other trace."""
        self(tree.map_structure(lambda spec: SymbolicTensor(spec.shape, spec.dtype), specs))

    # -- description ------------------------------------------------------------------------------

    def summary(self, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False,
                layer_range=None):  # fmt: skip
        """Prints a table of the layers with their output shapes and numbers of parameters.

        Args:
            line_length: the width.
            positions: relative or absolute ends of the columns.
            print_fn: a function that is given the table as a string, instead of the terminal.
            expand_nested: whether models inside the model are shown with their layers.
            show_trainable: whether a column says what is trained.
            layer_range: two names (or patterns), of the first and the last layer to show.
        """
        summary.print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def get_config(self):
        if self._graph is not None and takes_graph(type(self)):
            return {"name": self.name, "trainable": self.trainable, **self._graph.get_config()}
        return super().get_config()

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A new model from what `get_config` gave."""
        with registry.CustomObjectScope(custom_objects):
            if "input_layers" in config and takes_graph(cls):
                inputs, outputs = graph.from_config(config)
                rest = {key: config[key] for key in ("name", "trainable") if key in config}
                return cls(inputs, outputs, **rest)
            return super().from_config(config)

    def get_build_config(self):
        return None if self._graph is not None else super().get_build_config()

    def build_from_config(self, config):
        if config and not self.built:
            self.build(next(iter(config.values())))

    def to_json(self, **kwargs):
        """The config as a JSON string; `edl.models.model_from_json` reads it."""
        return json.dumps(registry.serialize_keras_object(self), **kwargs)

    def get_state_tree(self, value_format="backend_tensor"):
        """The values of all variables, of the optimizer and the metrics too, in nested dicts by their paths.

        Args:
            value_format: "backend_tensor" for tensors, "numpy_array" for arrays.
        """
        return state_tree.get_state_tree(self, value_format)

    def set_state_tree(self, state_tree):
        """Assigns what `get_state_tree` gave.

        Raises:
            ArgumentError: if a value has no variable; nothing is assigned then.
        """
        assign_state_tree(self, state_tree)

    # -- files ------------------------------------------------------------------------------------

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Writes the model as one file: config, weights, and the optimizer with its slots; no code.

        Args:
            filepath: where to; the ending is ``.keras``.
            overwrite: whether a file there is replaced.
            zipped: None or True: it is always one file.
            kwargs: include_optimizer.

        Raises:
            ArgumentError: if the ending is another, or a file is there and `overwrite` is False.
        """
        archive.save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """Writes the weights alone.

        Args:
            filepath: where to; the ending is ``.weights.safetensors``.
            overwrite: whether a file there is replaced.
            max_shard_size: must be None: it is one file.
        """
        archive.save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Reads what `save_weights` or `save` wrote into this model, which must be built.

        Args:
            filepath: the file.
            skip_mismatch: whether weights of other shapes are skipped, with a warning.
            kwargs: by_name: True loads the layers whose names the file has, and leaves the others.

        Raises:
            ArgumentError: if the file is damaged or belongs to another model; the model is as before then.
        """
        archive.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)


def takes_graph(cls):
    """True for classes of models whose `__init__` takes inputs and outputs, so that a graph describes them."""
    parameters = inspect.signature(cls.__init__).parameters
    takes_all = {p.kind for p in parameters.values()} >= {
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    }
    return takes_all or {"inputs", "outputs"} <= set(parameters)
