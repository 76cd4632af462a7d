"""Optimizers: plain objects that change variables by gradients, and schedules of their learning rates."""

from eagerdl import registry
from eagerdl.errors import DTypeError
from eagerdl.train.optimizers import clipping, schedules
from eagerdl.train.optimizers.adafactor import Adafactor
from eagerdl.train.optimizers.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
from eagerdl.train.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from eagerdl.train.optimizers.lbfgs import LBFGS
from eagerdl.train.optimizers.loss_scale import LossScaleOptimizer
from eagerdl.train.optimizers.multi import MultiOptimizer, OptimizerMap
from eagerdl.train.optimizers.muon import Muon
from eagerdl.train.optimizers.optimizer import Optimizer
from eagerdl.train.optimizers.sgd import SGD, Lion

__all__ = [
    "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion",
    "LossScaleOptimizer", "MultiOptimizer", "Muon", "Nadam", "Optimizer", "OptimizerMap", "RMSprop", "ScheduleFreeAdamW",
    "clipping", "deserialize", "get", "schedules", "serialize",
]  # fmt: skip

# What a name alone can make: "adam", "Adam".
_CLASSES = (LBFGS, SGD, Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, Muon, Nadam, RMSprop,
            ScheduleFreeAdamW)  # fmt: skip
_BY_NAME = {cls.__name__: cls for cls in _CLASSES}
_BY_LOWER = {
    cls.__name__.lower(): cls.__name__ for cls in (*_CLASSES, LossScaleOptimizer, MultiOptimizer, OptimizerMap)
}


def get(identifier):
    """The optimizer for what a user may pass for one.

    Args:
        identifier: a name in any case ("adam", "AdamW"), a config, a class, an optimizer, or None, which stays None.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.

    Example:
        >>> edl.optimizers.get("adam")
        Adam(learning_rate=0.001): 0 steps, 0 variables
    """
    if isinstance(identifier, dict):
        found = deserialize(identifier)
    elif isinstance(identifier, str):
        found = registry.resolve("optimizer", _BY_LOWER.get(identifier.lower(), identifier), _BY_NAME, Optimizer)
    else:
        found = registry.resolve("optimizer", identifier, _BY_NAME, Optimizer)
    if found is not None and not isinstance(found, Optimizer):
        raise DTypeError("optimizer", "a name, a config, or an optimizer is needed",
                         f"got {type(found).__name__}: {found!r:.60}", "pass for example 'adam'")  # fmt: skip
    return found


def serialize(optimizer):
    """The config of an optimizer: its class and arguments, without its variables.

    Example:
        >>> edl.optimizers.serialize(edl.optimizers.SGD(0.5))["class_name"]
        'SGD'
    """
    return registry.serialize_keras_object(optimizer)


def deserialize(config, custom_objects=None):
    """The optimizer that a config describes.

    Args:
        config: what `serialize` returned; class names in any case.
        custom_objects: a dict of names that it uses.

    Raises:
        ArgumentError: for an unknown class.

    Example:
        >>> edl.optimizers.deserialize({"class_name": "sgd", "config": {"learning_rate": 0.5}})
        SGD(learning_rate=0.5): 0 steps, 0 variables
    """
    name = str(config.get("class_name", ""))
    config = {**config, "class_name": _BY_LOWER.get(name.lower(), name)}
    return registry.deserialize_keras_object(config, custom_objects)


registry.add_area("optimizers", {name: globals()[name] for name in __all__ if name not in ("clipping", "schedules")})
__getattr__ = registry.guide("optimizers", __all__)
