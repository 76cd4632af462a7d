"""Regularizers: penalties on weights or on the outputs of a layer, which training adds to the loss."""

from typing import Any

from eagerdl import ops, registry
from eagerdl.errors import ShapeError
from eagerdl.nn.arguments import check_choice, check_numbers

__all__ = [
    "L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "l1", "l1_l2", "l2",
    "orthogonal_regularizer", "serialize",
]  # fmt: skip


class Regularizer:
    """x (...) -> (). Base class: derive from it and write `__call__`, and `get_config` to save models that use it.

    Example:
        >>> class Peak(edl.regularizers.Regularizer):
        ...     def __call__(self, x):
        ...         return 0.1 * edl.max(edl.abs(x))
        >>> float(Peak()(edl.constant([1.0, -2.0])))
        0.20000000298023224
    """

    def __call__(self, x):
        """x (...) -> (): the penalty, here none."""
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` as a dict that JSON can hold."""
        raise NotImplementedError(f"[{type(self).__name__}] a regularizer needs get_config to be saved")

    @classmethod
    def from_config(cls, config):
        """The regularizer that `get_config` described."""
        return cls(**config)


class L1L2(Regularizer):
    """x (...) -> (). ``l1 sum(|x|) + l2 sum(x**2)``: the elastic net.

    By name, as ``"l1l2"``, both factors are 0; pass an object to have a penalty.

    Args:
        l1, l2: the factors, not negative; None is 0.

    Raises:
        DTypeError, ArgumentError: if a factor is no number, or negative.

    Example:
        >>> float(edl.regularizers.L1L2(l1=0.5, l2=0.25)(edl.constant([1.0, -2.0])))
        2.75

    Source: H. Zou and T. Hastie, 2005, "Regularization and variable selection via the elastic net".
    """

    def __init__(self, l1=0.0, l2=0.0):
        self.l1, self.l2 = _factor("L1L2", 0.0, l1=l1), _factor("L1L2", 0.0, l2=l2)

    def __call__(self, x):
        """x (...) -> (): the penalty."""
        x = ops.convert_to_tensor(x)
        penalties = []
        if self.l1:
            penalties.append(self.l1 * ops.sum(ops.absolute(x)))
        if self.l2:
            penalties.append(self.l2 * ops.sum(ops.square(x)))
        return sum(penalties[1:], penalties[0]) if penalties else ops.zeros((), x.dtype)

    def get_config(self):
        """The factors."""
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """x (...) -> (). ``l1 sum(|x|)``, which drives weights to exactly 0: the lasso.

    Args:
        l1: the factor, not negative; None is 0.01.

    Raises:
        DTypeError, ArgumentError: if the factor is no number, or negative.

    Example:
        >>> float(edl.regularizers.L1(0.5)(edl.constant([1.0, -2.0])))
        1.5

    Source: R. Tibshirani, 1996, "Regression Shrinkage and Selection via the Lasso".
    """

    def __init__(self, l1=0.01):
        self.l1 = _factor("L1", 0.01, l1=l1)

    def __call__(self, x):
        """x (...) -> (): the penalty."""
        return self.l1 * ops.sum(ops.absolute(x))

    def get_config(self):
        """The factor."""
        return {"l1": self.l1}


class L2(Regularizer):
    """x (...) -> (). ``l2 sum(x**2)``, which shrinks weights in proportion to their size: ridge regression.

    Args:
        l2: the factor, not negative; None is 0.01.

    Raises:
        DTypeError, ArgumentError: if the factor is no number, or negative.

    Example:
        >>> float(edl.regularizers.L2(0.5)(edl.constant([1.0, -2.0])))
        2.5

    Source: A. E. Hoerl and R. W. Kennard, 1970, "Ridge Regression".
    """

    def __init__(self, l2=0.01):
        self.l2 = _factor("L2", 0.01, l2=l2)

    def __call__(self, x):
        """x (...) -> (): the penalty."""
        return self.l2 * ops.sum(ops.square(x))

    def get_config(self):
        """The factor."""
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """x (n, m) -> (). The mean of ``|cos|`` over all pairs of rows, or of columns, times factor: 0 if they are orthogonal.

    Args:
        factor: not negative.
        mode: "rows" or "columns".

    Raises:
        DTypeError, ArgumentError: if the factor is no number or negative, or the mode is unknown.
        ShapeError: when called, if x is no matrix.

    Example:
        >>> penalty = edl.regularizers.OrthogonalRegularizer(factor=0.5)
        >>> float(penalty([[3.0, 0.0], [0.0, 2.0]])), float(penalty([[3.0, 4.0], [0.0, 2.0]]))
        (0.0, 0.4000000059604645)

    Source: A. Brock et al., 2017, "Neural Photo Editing with Introspective Adversarial Networks", arXiv:1609.07093.
    """

    def __init__(self, factor=0.01, mode="rows"):
        check_numbers("OrthogonalRegularizer", 0, factor=factor)
        check_choice("OrthogonalRegularizer", "mode", mode, ("rows", "columns"))
        self.factor, self.mode = float(factor), mode

    def __call__(self, inputs):
        """x (n, m) -> (): the penalty."""
        x = ops.convert_to_tensor(inputs)
        if x.ndim != 2:
            raise ShapeError("OrthogonalRegularizer", "a matrix is needed: two axes", f"x has shape {x.shape}",
                             "reshape a kernel to (inputs, units) first")  # fmt: skip
        x = ops.normalize(x if self.mode == "rows" else ops.transpose(x), axis=1)
        n = x.shape[0]
        cosines = ops.matmul(x, ops.transpose(x)) * (1 - ops.eye(n, dtype=x.dtype))
        pairs = max(1, n * (n - 1) / 2)  # one vector alone has nothing to be orthogonal to
        return self.factor * 0.5 * ops.sum(ops.absolute(cosines)) / pairs

    def get_config(self):
        """Factor and mode."""
        return {"factor": self.factor, "mode": self.mode}


def _factor(where, default, **number):
    """The one keyword argument as a float; None is the default."""
    (value,) = number.values()
    if value is None:
        return default
    check_numbers(where, 0, **number)
    return float(value)


# -- names ----------------------------------------------------------------------------------------

l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

TABLE = {name: globals()[name] for name in __all__ if name not in ("Regularizer", "deserialize", "get", "serialize")}
TABLE["l1l2"] = L1L2
registry.add_area("regularizers", TABLE)


def serialize(regularizer):
    """The config of a regularizer: a dict that JSON can hold.

    Example:
        >>> edl.regularizers.serialize(edl.regularizers.L2(0.5))["config"]
        {'l2': 0.5}
    """
    return registry.serialize_keras_object(regularizer)


def deserialize(config, custom_objects=None):
    """The regularizer that `serialize` described.

    Args:
        config: what `serialize` gave, or a name.
        custom_objects: a dict of names that the config uses.

    Raises:
        ArgumentError: for an unknown name.

    Example:
        >>> edl.regularizers.deserialize({"class_name": "L2", "config": {"l2": 0.5}}).l2
        0.5
    """
    with registry.CustomObjectScope(custom_objects):
        return registry.resolve("regularizer", config, TABLE, Regularizer)


def get(identifier):
    """The regularizer for what a user may pass for one.

    Args:
        identifier: a name, a config, a class, a regularizer, a function of a tensor, or None, which stays None.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.

    Example:
        >>> edl.regularizers.get("l2").l2
        0.01
    """
    return registry.resolve("regularizer", identifier, TABLE, Regularizer)
