"""Functions that make a layer of `eagerdl/nn/merging.py` and call it.

They are in no area of the registry: no config holds them, and there they would hide the ops of their names.
"""

from eagerdl.nn.merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract

__all__ = ["add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"]


def add(inputs, **kwargs):
    """[x (batch, ...), y, ...] -> (batch, ...). The sum of a list of tensors: ``Add(**kwargs)(inputs)``.

    Example:
        >>> edl.layers.add([edl.constant([1.0]), edl.constant([2.0])]).tolist()
        [3.0]
    """
    return Add(**kwargs)(inputs)


def subtract(inputs, **kwargs):
    """[x (batch, ...), y (batch, ...)] -> x - y: ``Subtract(**kwargs)(inputs)``.

    Example:
        >>> edl.layers.subtract([edl.constant([1.0]), edl.constant([2.0])]).tolist()
        [-1.0]
    """
    return Subtract(**kwargs)(inputs)


def average(inputs, **kwargs):
    """[x (batch, ...), y, ...] -> (batch, ...). The mean of a list of tensors: ``Average(**kwargs)(inputs)``.

    Example:
        >>> edl.layers.average([edl.constant([1.0]), edl.constant([2.0])]).tolist()
        [1.5]
    """
    return Average(**kwargs)(inputs)


def multiply(inputs, **kwargs):
    """[x (batch, ...), y, ...] -> (batch, ...). The product of a list of tensors: ``Multiply(**kwargs)(inputs)``.

    Example:
        >>> edl.layers.multiply([edl.constant([3.0]), edl.constant([2.0])]).tolist()
        [6.0]
    """
    return Multiply(**kwargs)(inputs)


def maximum(inputs, **kwargs):
    """[x (batch, ...), y, ...] -> (batch, ...). The largest of a list of tensors: ``Maximum(**kwargs)(inputs)``.

    Example:
        >>> edl.layers.maximum([edl.constant([3.0]), edl.constant([2.0])]).tolist()
        [3.0]
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs, **kwargs):
    """[x (batch, ...), y, ...] -> (batch, ...). The smallest of a list of tensors: ``Minimum(**kwargs)(inputs)``.

    Example:
        >>> edl.layers.minimum([edl.constant([3.0]), edl.constant([2.0])]).tolist()
        [2.0]
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs, axis=-1, **kwargs):
    """[x (..., m, ...), y (..., n, ...), ...] -> (..., m + n, ...). ``Concatenate(axis, **kwargs)(inputs)``.

    Example:
        >>> edl.layers.concatenate([edl.ones((2, 3)), edl.ones((2, 5))]).shape
        (2, 8)
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes=-1, **kwargs):
    """[x (batch, ..., n, ...), y (batch, ..., n, ...)] -> (batch, rest of x, rest of y). ``Dot(axes, **kwargs)(inputs)``.

    Example:
        >>> edl.layers.dot([edl.ones((2, 3)), edl.ones((2, 3))]).tolist()
        [[3.0], [3.0]]
    """
    return Dot(axes=axes, **kwargs)(inputs)
