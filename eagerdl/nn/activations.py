"""Activations: functions between layers, by themselves or by name.

Most are ops (eagerdl/ops/activation.py), the same objects. Here are those that Keras spells differently as activations:
`relu` with its options, `gelu` exact by default, `exponential`, and `linear`, which does nothing.
"""

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError
from eagerdl.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh,
    tanh_shrink,
    threshold,
)

__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu",
    "serialize", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
    "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """x (...) -> (...). x above the threshold, ``negative_slope * (x - threshold)`` elsewhere, never above max_value.

    Args:
        x: a real tensor.
        negative_slope: the slope up to the threshold.
        max_value: the largest result, not negative; None for no bound.
        threshold: where the function leaves its line.

    Raises:
        ArgumentError: if max_value is negative.

    Example:
        >>> edl.activations.relu([-2.0, 0.5, 2.0, 9.0], negative_slope=0.1, max_value=6.0, threshold=1.0)
        Tensor(shape=(4,), dtype=float32, [-0.3  -0.05  2.    6.  ])

    Source: V. Nair and G. E. Hinton, 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
    """
    if max_value is not None and max_value < 0:
        raise ArgumentError(
            "relu", "max_value must not be negative", f"got max_value={max_value}", "use None for no bound"
        )
    if max_value is None and threshold == 0:
        return ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    x = ops.convert_to_tensor(x)
    upper = x if threshold > 0 else ops.relu(x) if max_value is not None else x
    upper = upper if max_value is None else ops.minimum(upper, max_value)
    if threshold == 0 and not negative_slope:
        return upper
    # Compared this way round, NaN stays NaN.
    return ops.where(x <= threshold, negative_slope * (x - threshold) if negative_slope else 0, upper)


def gelu(x, approximate=False):
    """x (...) -> (...). x times the probability that a standard normal number is below x.

    Args:
        x: a real tensor.
        approximate: True computes with tanh: faster, with errors up to 5e-4.

    Example:
        >>> edl.round(edl.activations.gelu([-1.0, 0.0, 1.0]), 4)
        Tensor(shape=(3,), dtype=float32, [-0.1587  0.      0.8413])

    Source: D. Hendrycks and K. Gimpel, 2016, arXiv:1606.08415.
    """
    return ops.gelu(x, approximate)


def exponential(x):
    """x (...) -> (...). exp(x), for outputs that are positive, as rates are.

    Example:
        >>> edl.activations.exponential([0.0])
        Tensor(shape=(1,), dtype=float32, [1.])
    """
    return ops.exp(x)


def linear(x):
    """x (...) -> the same x: no activation.

    Example:
        >>> edl.activations.linear(edl.constant([1.0, -1.0]))
        Tensor(shape=(2,), dtype=float32, [ 1. -1.])
    """
    return x


# -- names ----------------------------------------------------------------------------------------

TABLE = {name: globals()[name] for name in __all__ if name not in ("deserialize", "get", "serialize")}
registry.add_area("activations", TABLE)
# As an op, gelu approximates unless told otherwise: it keeps a name of its own in configs.
registry.add_area("ops", {"gelu": ops.gelu})

NAMES = {function: name for name, function in TABLE.items() if name not in ("swish", "hard_swish")}
NAMES.update({ops.relu: "relu", ops.exp: "exponential"})  # equal to activations when called with x alone


def serialize(activation):
    """The name of an activation of this module, the config of any other function or object.

    Raises:
        DTypeError: for a lambda, or an object without `get_config`.

    Example:
        >>> edl.activations.serialize(edl.activations.relu)
        'relu'
    """
    try:
        name = NAMES.get(activation)
    except TypeError:  # unhashable
        name = None
    return registry.serialize_keras_object(activation) if name is None else name


def deserialize(config, custom_objects=None):
    """The activation that `serialize` described.

    Args:
        config: what `serialize` gave.
        custom_objects: a dict of names that the config uses.

    Raises:
        ArgumentError: for an unknown name.

    Example:
        >>> edl.activations.deserialize("tanh") is edl.tanh
        True
    """
    with registry.CustomObjectScope(custom_objects):
        return registry.resolve("activation", config, TABLE)


def get(identifier):
    """The activation for what a user may pass for one.

    Args:
        identifier: a name, a config, a function, a layer, or None for `linear`.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.

    Example:
        >>> edl.activations.get("swish") is edl.activations.silu
        True
    """
    return linear if identifier is None else registry.resolve("activation", identifier, TABLE)
