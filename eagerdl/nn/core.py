"""Layers that compute little themselves: `Identity`, `Activation`, `Masking`, `Lambda`, and those around other layers."""

import inspect
from collections.abc import Hashable

import numpy as np

from eagerdl import ops, registry, tree
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.nn import activations, calls, regularizers, symbolic
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.layer import Layer, set_mask
from eagerdl.nn.shapes import map_shapes
from eagerdl.nn.weights import is_layer

__all__ = ["Activation", "ActivityRegularization", "Identity", "Lambda", "Masking", "Pipeline", "Wrapper"]


class KeepsDType(Layer):
    """A layer of one input, whose output has the dtype of the input, whatever that is: integers stay integers.

    The output has the shape of the input, too, where a subclass has no other `compute_output_shape`.
    """

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs, *args, **named):
        return symbolic.SymbolicTensor(self.compute_output_shape(inputs.shape), inputs.dtype)


class KeepsShape(Layer):
    """A layer of one input, whose output has the shape of the input, and the compute dtype if the input has it."""

    supports_masking = True

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs, *args, **named):
        return ruled_spec(self, inputs, *args, **named)


class Identity(KeepsDType):
    """x -> the same x, or a structure of them: a placeholder where a layer is wanted.

    Example:
        >>> edl.layers.Identity()(edl.constant([1, 2]))
        Tensor(shape=(2,), dtype=int32, [1 2])
    """

    supports_masking = True

    def call(self, inputs):
        return inputs

    def compute_output_spec(self, inputs, *args, **named):
        return tree.map_structure(lambda x: symbolic.SymbolicTensor(x.shape, x.dtype), inputs)


class Activation(KeepsShape):
    """x (...) -> activation(x), mostly of the same shape.

    Args:
        activation: a function or its name, as in ``edl.activations``.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for an unknown name.

    Example:
        >>> edl.layers.Activation("relu")(edl.constant([-1.0, 2.0]))
        Tensor(shape=(2,), dtype=float32, [0. 2.])
    """

    supports_masking = True

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs):
        return calls.converted(self.activation)(inputs)

    def compute_output_shape(self, input_shape):
        name = activations.NAMES.get(self.activation) if isinstance(self.activation, Hashable) else None
        return inferred_shape(self, input_shape) if name in (None, "glu") else input_shape

    def get_config(self):
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ActivityRegularization(KeepsDType):
    """x -> the same x, of which ``l1 * sum(abs(x)) + l2 * sum(x**2)``, divided by the batch size, is added to the losses.

    Args:
        l1, l2: the factors of the two terms, at least 0.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for a negative factor.

    Example:
        >>> layer = edl.layers.ActivityRegularization(l2=0.5)
        >>> _ = layer(edl.constant([[1.0, 2.0]]))
        >>> layer.losses
        [Tensor(shape=(), dtype=float32, 2.5)]
    """

    supports_masking = True

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        check_numbers("ActivityRegularization", 0.0, l1=l1, l2=l2)
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs):
        return inputs

    def get_config(self):
        config = super().get_config()
        config.pop("activity_regularizer")
        return {**config, "l1": self.l1, "l2": self.l2}


class Masking(KeepsDType):
    """x (batch, time, features) -> the same, with zeros and a mask where all features equal `mask_value`.

    The layers behind it that use masks (recurrent ones, attention, losses) leave such steps out.

    Args:
        mask_value: what a step without data is filled with.
        kwargs: name, dtype, trainable.

    Example:
        >>> layer, x = edl.layers.Masking(mask_value=9.0), edl.constant([[[1.0, 9.0], [9.0, 9.0]]])
        >>> layer(x).tolist(), layer.compute_mask(x).tolist()
        ([[[1.0, 9.0], [0.0, 0.0]]], [[True, False]])
    """

    supports_masking = True

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        if isinstance(mask_value, dict):
            mask_value = registry.deserialize_keras_object(mask_value)
        self.mask_value = mask_value

    def compute_mask(self, inputs, mask=None):
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs):
        present = self.compute_mask(inputs)
        out = ops.where(ops.expand_dims(present, -1), inputs, 0)
        set_mask(out, present)
        return out

    def get_config(self):
        return {**super().get_config(), "mask_value": registry.serialize_keras_object(self.mask_value)}


class Lambda(Layer):
    """inputs -> function(inputs, **arguments). A function as a layer.

    A layer that is to be saved needs a function with a name, registered with ``edl.saving.register_keras_serializable``:
    no code is written into configs, nor executed from them.

    Args:
        function: the function; it is given `mask` and `training` where it has arguments of these names.
        output_shape: the shape of the output without the batch axis, or a function of the input's shape; found by running
            `function` if not given.
        mask: the mask of the output, or a function (inputs, mask) -> mask; by default none.
        arguments: a dict of further arguments of the function.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: if function is not callable.

    Example:
        >>> edl.layers.Lambda(lambda x: x**2)(edl.constant([3.0]))
        Tensor(shape=(1,), dtype=float32, [9.])
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not callable(function):
            raise DTypeError(self.where, "function is a function of tensors", f"got {type(function).__name__}",
                             "pass a function, as in Lambda(lambda x: x * 2)")  # fmt: skip
        self.function, self.arguments = function, dict(arguments or {})
        self.mask = mask
        known = output_shape is not None and not callable(output_shape)
        self._output_shape = map_shapes(tuple, output_shape) if known else output_shape
        self.supports_masking = mask is not None
        names = _argument_names(function)
        self._wanted = [name for name in ("mask", "training") if name in names]

    def call(self, inputs, mask=None, training=None):
        given = {"mask": mask, "training": training}
        return calls.converted(self.function)(inputs, **self.arguments, **{name: given[name] for name in self._wanted})

    def compute_mask(self, inputs, mask=None):
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape):
        if self._output_shape is None:
            return inferred_shape(self, input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        shapes = []
        map_shapes(shapes.append, input_shape)
        return map_shapes(lambda shape: (shapes[0][0], *shape), self._output_shape)

    def compute_output_spec(self, *args, **named):
        if self._output_shape is None:
            return inferred_spec(self, *args, **named)
        return super().compute_output_spec(*args, **named)

    def get_config(self):
        """The arguments of __init__.

        Raises:
            ArgumentError: if a function of the layer is a lambda.
        """
        config = {**super().get_config(), "function": self._named("function", self.function)}
        if self._output_shape is not None:
            config["output_shape"] = self._named("output_shape", self._output_shape)
        if self.mask is not None:
            config["mask"] = self._named("mask", self.mask)
        return {**config, "arguments": registry.serialize_keras_object(self.arguments)}

    def _named(self, argument, value):
        if getattr(value, "__name__", "") == "<lambda>":
            raise ArgumentError(f"{self.where}.get_config", "only functions with a name can be saved", f"{argument} is a lambda",
                                "write it with def and decorate it with @edl.saving.register_keras_serializable(), "
                                "or write a subclass of Layer")  # fmt: skip
        return registry.serialize_keras_object(value)

    @classmethod
    def from_config(cls, config, custom_objects=None, safe_mode=None):
        """A new layer from what `get_config` gave.

        Raises:
            ArgumentError: if a function of the config is unknown, or is code.
        """
        config = dict(config)
        with registry.CustomObjectScope(custom_objects):
            for name in ("function", "output_shape", "mask", "arguments"):
                if name in config:
                    config[name] = registry.deserialize_keras_object(config[name])
        return super().from_config(config)


class Wrapper(Layer):
    """Base class of layers that hold another one and change what it does, as `TimeDistributed` and `Bidirectional`.

    Args:
        layer: the layer.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: if layer is no layer.

    Example:
        >>> class Doubled(edl.layers.Wrapper):
        ...     def call(self, x):
        ...         return 2 * self.layer(x)
        >>> Doubled(edl.layers.Dense(1, kernel_initializer="ones"))(edl.ones((1, 3)))
        Tensor(shape=(1, 1), dtype=float32, [[6.]])
    """

    def __init__(self, layer, **kwargs):
        require_layer(type(self).__name__, "layer", layer)
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape=None):
        self._build_inner(self.layer, input_shape)
        self.built = True

    def _build_inner(self, layer, input_shape):
        """Builds a layer inside this one under the path of this one."""
        if not layer.built:
            layer._path = vars(layer).get("_path") or f"{self.path}/{layer.name}"
            layer.build(input_shape)
            layer.built = True

    def get_config(self):
        return {**super().get_config(), "layer": registry.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A new layer from what `get_config` gave."""
        config = dict(config)
        with registry.CustomObjectScope(custom_objects):
            config["layer"] = registry.deserialize_keras_object(config["layer"])
        return super().from_config(config)


class Pipeline(Layer):
    """inputs -> the last of a list of layers applied one after the other.

    Unlike a Sequential model it is no model, and makes no weights of its own: for preprocessing in a dataset.

    Args:
        layers: a list of layers, or of their configs.
        name: a name.

    Raises:
        DTypeError: if one of them is no layer.

    Example:
        >>> both = edl.layers.Pipeline([edl.layers.Flatten(), edl.layers.RepeatVector(2)])
        >>> both(edl.ones((3, 4, 5))).shape
        (3, 2, 20)
    """

    supports_masking = True
    _convert_inputs = False  # strings too: each layer converts its own input

    def __init__(self, layers, name=None):
        super().__init__(name=name)
        layers = [registry.deserialize_keras_object(layer) if isinstance(layer, dict) else layer for layer in layers]
        for index, layer in enumerate(layers):
            require_layer(self.where, f"layers[{index}]", layer)
        self._pipeline_layers = layers

    @property
    def layers(self):
        """The layers in order."""
        return list(self._pipeline_layers)

    def call(self, inputs, training=True, mask=None):
        x = inputs
        for layer in self._pipeline_layers:
            x = layer(x, training=training) if calls.signature_of(type(layer)).training else layer(x)
        return x

    def compute_mask(self, inputs, previous_mask):
        return None  # the last layer has set it

    def get_config(self):
        return {"layers": registry.serialize_keras_object(self._pipeline_layers), "name": self.name}


def require_layer(where, name, value):
    """Refuses what is no layer.

    Raises:
        DTypeError: for it.
    """
    if not is_layer(value):
        raise DTypeError(where, f"{name} must be a layer", f"got {type(value).__name__}: {value!r:.60}",
                         "pass an object, as in edl.layers.Dense(2); Lambda makes one of a function")  # fmt: skip


def ruled_spec(layer, inputs, *args, **named):
    """SymbolicTensors by `compute_output_shape`, of the compute dtype; by running the call where an input has another dtype."""
    leaves = tree.flatten(inputs)[0]
    if any(not hasattr(x, "dtype") or x.dtype != layer.compute_dtype for x in leaves):
        return inferred_spec(layer, inputs, *args, **named)
    shape = layer.compute_output_shape(tree.map_structure(lambda x: tuple(x.shape), inputs))
    return symbolic.SymbolicTensor(shape, layer.compute_dtype)


def inferred_spec(layer, *args, **named):
    """SymbolicTensors like what the call gives, found by running it on zeros."""
    return layer._untouched(lambda: symbolic.infer(layer._run_on_stand_ins, args, named))


def inferred_shape(layer, input_shape):
    """The shape of the output of a call on input of a shape, found by running it on zeros."""
    inputs = map_shapes(lambda shape: symbolic.SymbolicTensor(shape, layer.compute_dtype), input_shape)
    return tree.map_structure(lambda x: x.shape, inferred_spec(layer, inputs))


def _argument_names(function):
    if isinstance(function, np.ufunc):
        return ()
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # built-in functions without a signature
        return ()


registry.add_area("layers", {name: globals()[name] for name in __all__})
