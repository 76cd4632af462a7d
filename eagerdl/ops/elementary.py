"""Powers, exponentials, logarithms and trigonometry."""

import math

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import elementwise
from eagerdl.ops.arithmetic import where

__all__ = ["cos", "exp", "log", "power", "sin", "sqrt", "tanh"]


@elementwise(np.exp, d=lambda out: out)
def exp(x):
    """x (...) -> (...). e to the power of x.

    Example:
        >>> edl.exp([0.0, 1.0])
        Tensor(shape=(2,), dtype=float32, [1.        2.7182817])
    """
    return math.exp(x)


@elementwise(np.log, d=lambda x: 1 / x)
def log(x):
    """x (...) -> (...). The natural logarithm; -inf at 0, NaN below.

    Example:
        >>> edl.log([1.0, 2.0])
        Tensor(shape=(2,), dtype=float32, [0.        0.6931472])
    """
    return math.log(x)


@elementwise(np.sqrt, d=lambda out: 0.5 / out)
def sqrt(x):
    """x (...) -> (...). The square root; NaN below 0.

    Example:
        >>> edl.sqrt([4.0, 9.0])
        Tensor(shape=(2,), dtype=float32, [2. 3.])
    """
    return math.sqrt(x)


@elementwise(np.sin, d=lambda x: cos(x))
def sin(x):
    """x (...) radians -> (...). The sine.

    Example:
        >>> edl.sin([0.0])
        Tensor(shape=(1,), dtype=float32, [0.])
    """
    return math.sin(x)


@elementwise(np.cos, d=lambda x: -sin(x))
def cos(x):
    """x (...) radians -> (...). The cosine.

    Example:
        >>> edl.cos([0.0])
        Tensor(shape=(1,), dtype=float32, [1.])
    """
    return math.cos(x)


@elementwise(np.tanh, d=lambda out: 1 - out * out)
def tanh(x):
    """x (...) -> (...) in [-1, 1]. The hyperbolic tangent.

    Example:
        >>> edl.tanh([0.0])
        Tensor(shape=(1,), dtype=float32, [0.])
    """
    return math.tanh(x)


def _power_by_exponent(out, x1):
    """The derivative of x1 ** x2 by x2: log(x1) x1 ** x2, and 0 at x1 = 0."""
    return log(where(x1 == 0, 1, x1)) * out


@elementwise(np.power, d=(lambda x1, x2: x2 * x1 ** (x2 - 1), _power_by_exponent), promote=dtypes.to_number)
def power(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. x1 to the power of x2, elementwise; `x1 ** x2`.

    The derivative by x2 at x1 = 0 is 0.

    Raises:
        ArgumentError: for a negative integer power of integers.

    Example:
        >>> edl.power([1.0, 2.0, 3.0], 2)
        Tensor(shape=(3,), dtype=float32, [1. 4. 9.])
    """
    return x1**x2
