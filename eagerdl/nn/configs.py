"""`serialize` and `deserialize`: layers as configs, and back."""

from eagerdl import registry
from eagerdl.errors import DTypeError
from eagerdl.nn.layer import Layer

__all__ = ["deserialize", "serialize"]


def serialize(layer):
    """The config of a layer, as JSON can hold it.

    Example:
        >>> edl.layers.serialize(edl.layers.Dense(2))["class_name"]
        'Dense'
    """
    return registry.serialize_keras_object(layer)


def deserialize(config, custom_objects=None):
    """The layer that `serialize` described.

    Args:
        config: what `serialize` gave.
        custom_objects: a dict of names that the config uses.

    Raises:
        ArgumentError: for an unknown class.
        DTypeError: if the config is of something else.
    """
    made = registry.deserialize_keras_object(config, custom_objects)
    if not isinstance(made, Layer):
        raise DTypeError("layers.deserialize", "the config of a layer is needed", f"it makes a {type(made).__name__}",
                         "use the deserialize of its own area")  # fmt: skip
    return made
