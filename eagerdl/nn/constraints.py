"""Constraints: functions that put a weight back among the allowed values after each step of training."""

from typing import Any

from eagerdl import config, ops, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import check_numbers

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "min_max_norm",
    "non_neg", "serialize", "unit_norm",
]  # fmt: skip


class Constraint:
    """w (...) -> (...). Base class: derive from it and write `__call__`, and `get_config` if it has arguments.

    Example:
        >>> class Unit(edl.constraints.Constraint):
        ...     def __call__(self, w):
        ...         return edl.clip(w, -1, 1)
        >>> Unit()(edl.constant([0.5, 3.0]))
        Tensor(shape=(2,), dtype=float32, [0.5 1. ])
    """

    def __call__(self, w):
        """w (...) -> (...): the allowed weight next to w."""
        raise NotImplementedError(f"[{type(self).__name__}] a constraint needs __call__(self, w)")

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` as a dict that JSON can hold."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The constraint that `get_config` described."""
        return cls(**config)


class NonNeg(Constraint):
    """w (...) -> (...). max(w, 0).

    Example:
        >>> edl.constraints.NonNeg()([-1.0, 2.0])
        Tensor(shape=(2,), dtype=float32, [0. 2.])
    """

    def __call__(self, w):
        """w (...) -> (...): without what is below 0."""
        return ops.maximum(w, 0)


class UnitNorm(Constraint):
    """w (...) -> (...). w divided by its 2-norm along `axis`; zeros stay zeros.

    Args:
        axis: the axis, or axes, that hold the weights of one unit: 0 for the kernel of a dense layer, (0, 1, 2) for
            that of a 2-D convolution.

    Example:
        >>> edl.round(edl.constraints.UnitNorm()([[3.0], [4.0]]), 4).tolist() == [[0.6000000238418579], [0.800000011920929]]
        True
    """

    def __init__(self, axis=0):
        self.axis = _axis("UnitNorm", axis)

    def __call__(self, w):
        """w (...) -> (...): of norm 1."""
        w = ops.convert_to_tensor(w)
        return w / (config.epsilon() + _norm(w, self.axis))

    def get_config(self):
        """The axis."""
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """w (...) -> (...). w scaled so that its 2-norm along `axis` moves into [min_value, max_value]; zeros stay zeros.

    The norm |w| becomes ``rate clip(|w|, min_value, max_value) + (1 - rate) |w|``.

    Args:
        min_value, max_value: the bounds, not negative.
        rate: from 0, nothing happens, to 1, the bounds hold after each step.
        axis: as in `UnitNorm`.

    Raises:
        DTypeError, ArgumentError: for bounds or rates that are no numbers or out of range.

    Example:
        >>> edl.round(edl.constraints.MinMaxNorm(1.0, 2.0)([3.0, 4.0]), 4)
        Tensor(shape=(2,), dtype=float32, [1.2 1.6])
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        check_numbers("MinMaxNorm", 0, min_value=min_value, max_value=max_value)
        check_numbers("MinMaxNorm", 0, 1, rate=rate)
        if min_value > max_value:
            raise ArgumentError("MinMaxNorm", "min_value is at most max_value", f"got {min_value} and {max_value}",
                                "exchange them")  # fmt: skip
        self.min_value, self.max_value, self.rate = min_value, max_value, rate
        self.axis = _axis("MinMaxNorm", axis)

    def __call__(self, w):
        """w (...) -> (...): with norms nearer to the bounds, or within."""
        w = ops.convert_to_tensor(w)
        norm = _norm(w, self.axis)
        desired = ops.clip(norm, self.min_value, self.max_value)
        if self.rate != 1:
            desired = self.rate * desired + (1 - self.rate) * norm
        return w * desired / (config.epsilon() + norm)  # 1 / epsilon is more than float16 holds

    def get_config(self):
        """Bounds, rate and axis."""
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


class MaxNorm(Constraint):
    """w (...) -> (...). w scaled down so that its 2-norm along `axis` is at most max_value.

    Args:
        max_value: the bound, not negative.
        axis: as in `UnitNorm`.

    Raises:
        DTypeError, ArgumentError: if the bound is no number, or negative.

    Example:
        >>> edl.round(edl.constraints.MaxNorm(1.0)([[3.0, 0.3], [4.0, 0.4]]), 4).tolist()[0]
        [0.6000000238418579, 0.30000001192092896]

    Source: N. Srivastava et al., 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    """

    def __init__(self, max_value=2, axis=0):
        check_numbers("MaxNorm", 0, max_value=max_value)
        self.max_value, self.axis = max_value, _axis("MaxNorm", axis)

    def __call__(self, w):
        """w (...) -> (...): with norms of at most max_value."""
        w = ops.convert_to_tensor(w)
        norm = _norm(w, self.axis)
        return w * (ops.clip(norm, 0, self.max_value) / (config.epsilon() + norm))

    def get_config(self):
        """Bound and axis."""
        return {"max_value": self.max_value, "axis": self.axis}


def _axis(where, axis):
    """None, an int, or a list of ints, which JSON can hold."""
    if axis is None:
        return None
    try:
        return [one.__index__() for one in axis] if isinstance(axis, list | tuple) else axis.__index__()
    except AttributeError:
        raise ArgumentError(where, "axis is an int or a sequence of ints", f"got {axis!r}", "use axis=0") from None


def _norm(w, axis):
    return ops.sqrt(ops.sum(ops.square(w), axis=axis if axis.__class__ is not list else tuple(axis), keepdims=True))


# -- names ----------------------------------------------------------------------------------------

max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

TABLE = {name: globals()[name] for name in __all__ if name not in ("Constraint", "deserialize", "get", "serialize")}
registry.add_area("constraints", TABLE)


def serialize(constraint):
    """The config of a constraint: a dict that JSON can hold.

    Example:
        >>> edl.constraints.serialize(edl.constraints.MaxNorm(3))["config"]
        {'max_value': 3, 'axis': 0}
    """
    return registry.serialize_keras_object(constraint)


def deserialize(config, custom_objects=None):
    """The constraint that `serialize` described.

    Args:
        config: what `serialize` gave, or a name.
        custom_objects: a dict of names that the config uses.

    Raises:
        ArgumentError: for an unknown name.

    Example:
        >>> edl.constraints.deserialize({"class_name": "MaxNorm", "config": {"max_value": 3}}).max_value
        3
    """
    with registry.CustomObjectScope(custom_objects):
        return registry.resolve("constraint", config, TABLE, Constraint)


def get(identifier):
    """The constraint for what a user may pass for one.

    Args:
        identifier: a name, a config, a class, a constraint, a function of a tensor, or None, which stays None.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.

    Example:
        >>> edl.constraints.get("max_norm").max_value
        2
    """
    return registry.resolve("constraint", identifier, TABLE, Constraint)
