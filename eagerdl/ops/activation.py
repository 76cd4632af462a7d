"""Activation functions of single elements: relu and its family, sigmoid and its family, piecewise polynomials.

The forwards make few passes and write into their own temporaries. Where a derivative has many terms, it is an op of its
own (`_gelu_slope`), with one forward and a rule for its derivative in ops.
"""

import math

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, custom, elementwise
from eagerdl.errors import DTypeError, ShapeError
from eagerdl.kernels.heavy import heavy
from eagerdl.ops.arithmetic import absolute, minimum, multiply, subtract
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.elementary import erfc, exp, on_reals, sqrt, tanh
from eagerdl.ops.shape import normalize_axis

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus",
    "swish", "tanh_shrink", "threshold",
]  # fmt: skip

# Beyond this exp(-x) is lost beside 1 in every dtype, and exp(x) is far from overflow in float32.
LARGE = 40.0


# -- steps: the derivatives of piecewise linear functions, themselves without one -----------------


@custom(infer=lambda x, bound: Spec(x.shape, x.dtype), lower=lambda x, bound: 1.0 if x > bound else 0.0, heavy=True)
def above(x, bound):
    """x (...) -> (...). 1 where x > bound, else 0."""
    return (x > bound).astype(x.dtype)


@custom(
    infer=lambda x, low, high: Spec(x.shape, x.dtype),
    lower=lambda x, low, high: 1.0 if low < x < high else 0.0,
    heavy=True,
)
def inside(x, low, high):
    """x (...) -> (...). 1 where low < x < high, else 0."""
    return np.logical_and(x > low, x < high).astype(x.dtype)


# -- relu and its family --------------------------------------------------------------------------


@heavy
def _relu(x):
    if x.dtype.kind == "c":
        raise DTypeError("relu", "a real tensor is needed", f"x has dtype {x.dtype}", "use edl.real(x)")
    return np.maximum(x, 0)


@elementwise(_relu, d=lambda out: above(out, 0), promote=dtypes.to_number)
def relu(x):
    """x (...) -> (...). max(x, 0); its derivative at 0 is 0.

    Example:
        >>> edl.relu([-1.0, 0.0, 2.0])
        Tensor(shape=(3,), dtype=float32, [0. 0. 2.])
    """
    return x if x > 0 or x != x else 0.0


@on_reals
def _relu6(x):
    return x.clip(0.0, 6.0)


@elementwise(_relu6, d=lambda x: inside(x, 0, 6))
def relu6(x):
    """x (...) -> (...) in [0, 6]. min(max(x, 0), 6).

    Example:
        >>> edl.relu6([-1.0, 2.0, 8.0])
        Tensor(shape=(3,), dtype=float32, [0. 2. 6.])
    """
    return 0.0 if x < 0 else 6.0 if x > 6 else x


@on_reals
def _leaky_relu(x, negative_slope):
    out = x * negative_slope
    if 0 <= negative_slope <= 1:
        return np.maximum(x, out, out=out)
    np.minimum(x, 0, out=out)
    out *= negative_slope
    out += np.maximum(x, 0)
    return out


@elementwise(_leaky_relu, tensors=1, promote=dtypes.to_floating,
             d=lambda x, negative_slope: above(x, 0) * (1 - negative_slope) + negative_slope)  # fmt: skip
def leaky_relu(x, negative_slope=0.2):
    """x (...) -> (...). x above 0, negative_slope * x below; its derivative at 0 is negative_slope.

    Example:
        >>> edl.leaky_relu([-1.0, 2.0], 0.5)
        Tensor(shape=(2,), dtype=float32, [-0.5  2. ])
    """
    return x if x > 0 else negative_slope * x


@on_reals
def _elu(x, alpha):
    out = np.minimum(x, 0)
    np.expm1(out, out=out)
    if alpha != 1:
        out *= alpha
    out += np.maximum(x, 0)
    return out


def _elu_slope(x, alpha):
    out = exp(minimum(x, 0))
    return out if alpha == 1 else alpha * out + (1 - alpha) * above(x, 0)


@elementwise(_elu, tensors=1, d=_elu_slope, promote=dtypes.to_floating)
def elu(x, alpha=1.0):
    """x (...) -> (...). x above 0, alpha * (exp(x) - 1) below: the exponential linear unit.

    D.-A. Clevert, T. Unterthiner, S. Hochreiter, 2015, arXiv:1511.07289.

    Example:
        >>> edl.elu([-100.0, 0.0, 2.0])
        Tensor(shape=(3,), dtype=float32, [-1.  0.  2.])
    """
    return x if x > 0 else alpha * math.expm1(x)


def selu(x):
    """x (...) -> (...). 1.0507 * elu(x, 1.6733): activations keep mean 0 and variance 1 through deep dense networks.

    The constants are those of G. Klambauer et al., "Self-Normalizing Neural Networks", 2017, arXiv:1706.02515.

    Example:
        >>> edl.selu([0.0, 1.0]).numpy().round(4)
        array([0.    , 1.0507], dtype=float32)
    """
    return multiply(elu(x, 1.6732632423543772848170429916717), 1.0507009873554804934193349852946)


@on_reals
def _celu(x, alpha):
    out = np.minimum(x, 0)
    if alpha != 1:
        out /= alpha
    np.expm1(out, out=out)
    if alpha != 1:
        out *= alpha
    out += np.maximum(x, 0)
    return out


@elementwise(_celu, tensors=1, d=lambda x, alpha: exp(minimum(x, 0) / alpha), promote=dtypes.to_floating)
def celu(x, alpha=1.0):
    """x (...) -> (...). x above 0, alpha * (exp(x / alpha) - 1) below: an elu with a continuous derivative.

    J. T. Barron, 2017, arXiv:1704.07483.

    Example:
        >>> edl.celu([-100.0, 0.0, 2.0], alpha=0.5)
        Tensor(shape=(3,), dtype=float32, [-0.5  0.   2. ])
    """
    return x if x > 0 else alpha * math.expm1(x / alpha)


@on_reals
def _threshold(x, threshold, default_value):
    return np.where(x > threshold, x, x.dtype.type(default_value))


@elementwise(_threshold, tensors=1, d=lambda x, threshold: above(x, threshold), promote=dtypes.to_floating)
def threshold(x, threshold, default_value):
    """x (...) -> (...). x where it is above the threshold, default_value elsewhere.

    Example:
        >>> edl.threshold([0.5, 1.5, 2.5], 1.0, -1.0)
        Tensor(shape=(3,), dtype=float32, [-1.   1.5  2.5])
    """
    return x if x > threshold else default_value


# -- shrinkage ------------------------------------------------------------------------------------


@on_reals
def _soft_shrink(x, threshold):
    return x - x.clip(-threshold, threshold)


@elementwise(_soft_shrink, tensors=1, d=lambda x, threshold: above(absolute(x), threshold), promote=dtypes.to_floating)
def soft_shrink(x, threshold=0.5):
    """x (...) -> (...). x moved towards 0 by the threshold, and 0 within it.

    Example:
        >>> edl.soft_shrink([-2.0, 0.25, 2.0])
        Tensor(shape=(3,), dtype=float32, [-1.5  0.   1.5])
    """
    return x - threshold if x > threshold else x + threshold if x < -threshold else 0.0


@on_reals
def _hard_shrink(x, threshold):
    out = (np.absolute(x) > threshold).astype(x.dtype)
    out *= x
    return out


@elementwise(_hard_shrink, tensors=1, d=lambda x, threshold: above(absolute(x), threshold), promote=dtypes.to_floating)
def hard_shrink(x, threshold=0.5):
    """x (...) -> (...). x outside the threshold on both sides of 0, and 0 within it.

    Example:
        >>> edl.hard_shrink([-2.0, 0.25, 2.0])
        Tensor(shape=(3,), dtype=float32, [-2.  0.  2.])
    """
    return x if abs(x) > threshold else 0.0


def tanh_shrink(x):
    """x (...) -> (...). x - tanh(x).

    Example:
        >>> edl.tanh_shrink([0.0, 1.0]).numpy().round(4)
        array([0.    , 0.2384], dtype=float32)
    """
    return subtract(x, tanh(x))


# -- sigmoid and its family -----------------------------------------------------------------------


@on_reals
def _sigmoid(x):
    out = np.minimum(x, LARGE)
    np.exp(out, out=out)
    out /= out + 1
    return out


@elementwise(_sigmoid, d=lambda out: out * (1 - out))
def sigmoid(x):
    """x (...) -> (...) in [0, 1]. 1 / (1 + exp(-x)), exact at both ends.

    Example:
        >>> edl.sigmoid([-1000.0, 0.0, 1000.0])
        Tensor(shape=(3,), dtype=float32, [0.  0.5 1. ])
    """
    grown = math.exp(LARGE if x > LARGE else x)
    return grown / (grown + 1)


@on_reals
def _log_sigmoid(x):
    out = np.negative(x)
    np.minimum(out, LARGE, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    np.negative(out, out=out)
    return np.minimum(x, out, out=out)


@elementwise(_log_sigmoid, d=lambda x: sigmoid(-x))
def log_sigmoid(x):
    """x (...) -> (...) below 0. The logarithm of sigmoid(x), exact at both ends.

    Example:
        >>> edl.log_sigmoid([-1000.0, 1000.0])
        Tensor(shape=(2,), dtype=float32, [-1000.    -0.])
    """
    return x if x < -LARGE else -math.log1p(math.exp(-x))


@on_reals
def _softplus(x):
    out = np.minimum(x, LARGE)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    return np.maximum(x, out, out=out)


@elementwise(_softplus, d=lambda x: sigmoid(x))
def softplus(x):
    """x (...) -> (...) above 0. log(1 + exp(x)), without overflow.

    Example:
        >>> edl.softplus([-1000.0, 1000.0])
        Tensor(shape=(2,), dtype=float32, [   0. 1000.])
    """
    return x if x > LARGE else math.log1p(math.exp(x))


@on_reals
def _softsign(x):
    out = np.absolute(x)
    out += 1
    return np.divide(x, out, out=out)


def _softsign_slope(x):
    below = 1 + absolute(x)
    return 1 / below / below


@elementwise(_softsign, d=_softsign_slope)
def softsign(x):
    """x (...) -> (...) in [-1, 1]. x / (1 + |x|).

    Example:
        >>> edl.softsign([-1.0, 0.0, 3.0])
        Tensor(shape=(3,), dtype=float32, [-0.5   0.    0.75])
    """
    return x / (1 + abs(x))


@on_reals
def _silu(x):
    out = np.minimum(x, LARGE)
    np.exp(out, out=out)
    out /= out + 1
    out *= x
    return out


@on_reals
def _forward_silu_slope(x):
    grown = np.minimum(x, LARGE)
    np.exp(grown, out=grown)
    grown /= grown + 1
    out = 1 - grown
    out *= x
    out += 1
    out *= grown
    return out


def _silu_curvature(x):
    s = sigmoid(x)
    return s * (1 - s) * (2 + x * (1 - 2 * s))


@elementwise(_forward_silu_slope, d=_silu_curvature)
def _silu_slope(x):
    """x (...) -> (...). The derivative of silu: s (1 + x (1 - s)) with s = sigmoid(x)."""
    grown = math.exp(LARGE if x > LARGE else x)
    s = grown / (grown + 1)
    return s * (1 + x * (1 - s))


@elementwise(_silu, d=lambda x: _silu_slope(x))
def silu(x):
    """x (...) -> (...). x * sigmoid(x), also called swish.

    S. Elfwing, E. Uchibe, K. Doya, 2017, arXiv:1702.03118; P. Ramachandran, B. Zoph, Q. V. Le, 2017, arXiv:1710.05941.

    Example:
        >>> edl.silu([-1000.0, 0.0, 1000.0])
        Tensor(shape=(3,), dtype=float32, [  -0.    0. 1000.])
    """
    grown = math.exp(LARGE if x > LARGE else x)
    return x * (grown / (grown + 1))


swish = silu


# (1 + tanh(w / 2)) / 2 = sigmoid(w): so gelu by tanh is x sigmoid(w), w = _A x + _B x**3, with no cancellation below 0.
_A = 2 * math.sqrt(2 / math.pi)
_B = 0.044715 * _A


# erfc(z) = t exp(-z**2 + polynomial of t) for t = 1 / (1 + z / 2), to 1.2e-7 of itself for z >= 0: the coefficients, from t**9 on
# (Press et al., 1992, "Numerical Recipes in C", 2nd ed., sec. 6.2, a Chebyshev fit).
_ERFC = (0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
         -1.26551223)  # fmt: skip


def _normal_distribution(x):
    """The probability that a standard normal number is below x, in a new array.

    In float32 it is off by 8e-7 of itself at most where |x| < 3, and by 8e-6 before it vanishes: without a call for each element.
    """
    if x.dtype != np.float32:
        out = erfc.primitive.forward(x * -math.sqrt(0.5))
        out *= 0.5
        return out
    t = np.abs(x)
    t *= math.sqrt(0.125)
    t += 1
    np.reciprocal(t, out=t)
    out = t * _ERFC[0]
    for coefficient in _ERFC[1:-1]:
        out += coefficient
        out *= t
    out += _ERFC[-1]
    squared = np.square(x)
    squared *= 0.5
    out -= squared
    np.exp(out, out=out)
    out *= t
    out *= 0.5  # that of -|x|
    rest = 1 - 2 * out
    rest *= x >= 0
    out += rest
    return out


def _gelu_gate(x, approximate):
    """What gelu multiplies x by, in a new array: sigmoid(w), or the normal distribution function."""
    if not approximate:
        return _normal_distribution(x)
    out = np.square(x)
    out *= _B
    out += _A
    out *= x
    np.minimum(out, LARGE, out=out)
    np.exp(out, out=out)
    out /= out + 1
    return out


@on_reals
def _gelu(x, approximate):
    out = _gelu_gate(x, approximate)
    out *= x
    return out


@on_reals
def _forward_gelu_slope(x, approximate):
    gate, squared = _gelu_gate(x, approximate), np.square(x)
    if approximate:
        np.minimum(squared, 1e6, out=squared)  # where the gate is shut or open long since: no 0 * inf
        out = 1 - gate
        out *= gate
        squared *= 3 * _B
        squared += _A
        out *= squared
    else:
        squared *= -0.5
        out = np.exp(squared, out=squared)
        out *= 1 / math.sqrt(2 * math.pi)
    out *= x
    out += gate
    return out


def _gelu_curvature(x, approximate):
    if not approximate:
        return exp(-0.5 * x * x) * ((2 - x * x) / math.sqrt(2 * math.pi))
    s, slope = sigmoid(x * (_A + _B * x * x)), _A + 3 * _B * x * x
    return s * (1 - s) * (2 * slope + x * (6 * _B * x + (1 - 2 * s) * slope * slope))


@elementwise(_forward_gelu_slope, tensors=1, d=_gelu_curvature, promote=dtypes.to_floating)
def _gelu_slope(x, approximate):
    """x (...) -> (...). The derivative of gelu."""
    if not approximate:
        return 0.5 * math.erfc(-math.sqrt(0.5) * x) + x * math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    w = x * (_A + _B * x * x)
    grown = math.exp(LARGE if w > LARGE else w)
    s = grown / (grown + 1)
    return s + x * s * (1 - s) * (_A + 3 * _B * x * x)


@elementwise(_gelu, tensors=1, d=lambda x, approximate: _gelu_slope(x, approximate), promote=dtypes.to_floating)
def gelu(x, approximate=True):
    """x (...) -> (...). x times the probability that a standard normal number is below x.

    D. Hendrycks, K. Gimpel, 2016, arXiv:1606.08415.

    Args:
        x: a tensor.
        approximate: whether to take the paper's approximation by tanh in place of the error function.

    Example:
        >>> edl.gelu([-100.0, 0.0, 100.0])
        Tensor(shape=(3,), dtype=float32, [ -0.   0. 100.])
    """
    if not approximate:
        return 0.5 * x * math.erfc(-math.sqrt(0.5) * x)
    w = x * (_A + _B * x * x)
    grown = math.exp(LARGE if w > LARGE else w)
    return x * (grown / (grown + 1))


@on_reals
def _mish(x):
    out = np.minimum(x, LARGE)
    np.exp(out, out=out)
    out *= out + 2
    out /= out + 2
    out *= x
    return out


def _mish_slope(x):
    t = tanh(softplus(x))
    return t + x * sigmoid(x) * (1 - t * t)


@elementwise(_mish, d=_mish_slope)
def mish(x):
    """x (...) -> (...). x * tanh(softplus(x)).

    D. Misra, 2019, arXiv:1908.08681. With n = exp(x) (exp(x) + 2), the tanh is n / (n + 2).

    Example:
        >>> edl.mish([-1000.0, 0.0, 1000.0])
        Tensor(shape=(3,), dtype=float32, [  -0.    0. 1000.])
    """
    grown = math.exp(LARGE if x > LARGE else x)
    n = grown * (grown + 2)
    return x * (n / (n + 2))


def glu(x, axis=-1):
    """x (..., 2n, ...) -> (..., n, ...). The gated linear unit: the first half times the sigmoid of the second.

    Y. N. Dauphin et al., 2016, arXiv:1612.08083.

    Raises:
        ShapeError: if the axis does not exist, or its size is odd.

    Example:
        >>> edl.glu([1.0, 2.0, 0.0, 1000.0])
        Tensor(shape=(2,), dtype=float32, [0.5 2. ])
    """
    x = convert_to_tensor(x)
    at = normalize_axis("glu", axis, x.ndim)
    size = x.shape[at]
    if size % 2:
        raise ShapeError("glu", "the axis is split into halves, so its size must be even",
                         f"x {x.shape} has {size} along axis {at}", "double the units before it")  # fmt: skip
    before = (slice(None),) * at
    return x[(*before, slice(size // 2))] * sigmoid(x[(*before, slice(size // 2, None))])


# -- piecewise polynomials ------------------------------------------------------------------------


@on_reals
def _hard_sigmoid(x):
    out = x + 3.0
    out /= 6.0
    return out.clip(0.0, 1.0, out=out)


@elementwise(_hard_sigmoid, d=lambda x: inside(x, -3, 3) / 6)
def hard_sigmoid(x):
    """x (...) -> (...) in [0, 1]. relu6(x + 3) / 6: a sigmoid of three straight lines.

    Example:
        >>> edl.hard_sigmoid([-4.0, 0.0, 4.0])
        Tensor(shape=(3,), dtype=float32, [0.  0.5 1. ])
    """
    return 0.0 if x < -3 else 1.0 if x > 3 else (x + 3) / 6


@on_reals
def _hard_silu(x):
    out = x + 3.0
    out /= 6.0
    out.clip(0.0, 1.0, out=out)
    out *= x
    return out


@elementwise(_hard_silu, d=lambda x: hard_sigmoid(x) + x * (inside(x, -3, 3) / 6))
def hard_silu(x):
    """x (...) -> (...). x * hard_sigmoid(x), also called hard_swish.

    A. Howard et al., "Searching for MobileNetV3", 2019, arXiv:1905.02244.

    Example:
        >>> edl.hard_silu([-4.0, 0.0, 4.0])
        Tensor(shape=(3,), dtype=float32, [-0.  0.  4.])
    """
    return 0.0 if x < -3 else x if x > 3 else x * (x + 3) / 6


hard_swish = hard_silu


@on_reals
def _hard_tanh(x):
    return x.clip(-1.0, 1.0)


@elementwise(_hard_tanh, d=lambda x: inside(x, -1, 1))
def hard_tanh(x):
    """x (...) -> (...) in [-1, 1]. x between -1 and 1, and these bounds outside.

    Example:
        >>> edl.hard_tanh([-2.0, 0.5, 2.0])
        Tensor(shape=(3,), dtype=float32, [-1.   0.5  1. ])
    """
    return -1.0 if x < -1 else 1.0 if x > 1 else x


@on_reals
def _squareplus(x, b):
    if b == 0:
        return np.maximum(x, 0)
    below = np.square(x)
    below += b
    np.sqrt(below, out=below)
    below += np.absolute(x)
    out = np.divide(0.5 * b, below, out=below)
    out += np.maximum(x, 0)
    return out


@elementwise(_squareplus, tensors=1, d=lambda out, x, b: out / sqrt(x * x + b), promote=dtypes.to_floating)
def squareplus(x, b=4):
    """x (...) -> (...) above 0. (x + sqrt(x**2 + b)) / 2: an algebraic softplus, computed without cancellation below 0.

    J. T. Barron, 2021, arXiv:2112.11687.

    Example:
        >>> edl.squareplus([-3.0, 0.0], b=16)
        Tensor(shape=(2,), dtype=float32, [1. 2.])
    """
    return (x if x > 0 else 0.0) + (0.5 * b / (math.sqrt(x * x + b) + abs(x)) if b else 0.0)


@on_reals
def _sparse_sigmoid(x):
    out = x + 1
    out.clip(0.0, 2.0, out=out)
    out *= 0.5
    return out


@elementwise(_sparse_sigmoid, d=lambda x: 0.5 * inside(x, -1, 1))
def sparse_sigmoid(x):
    """x (...) -> (...) in [0, 1]. (x + 1) / 2 between -1 and 1, and 0 or 1 outside: the derivative of sparse_plus.

    Example:
        >>> edl.sparse_sigmoid([-2.0, 0.0, 2.0])
        Tensor(shape=(3,), dtype=float32, [0.  0.5 1. ])
    """
    return 0.0 if x < -1 else 1.0 if x > 1 else 0.5 * (x + 1)


@on_reals
def _sparse_plus(x):
    out = x + 1
    out.clip(0.0, 2.0, out=out)
    np.square(out, out=out)
    out *= 0.25
    out += np.maximum(x - 1, 0)
    return out


@elementwise(_sparse_plus, d=lambda x: sparse_sigmoid(x))
def sparse_plus(x):
    """x (...) -> (...). 0 below -1, (x + 1)**2 / 4 up to 1, x above.

    Example:
        >>> edl.sparse_plus([-2.0, 0.0, 2.0])
        Tensor(shape=(3,), dtype=float32, [0.   0.25 2.  ])
    """
    return 0.0 if x <= -1 else x if x >= 1 else 0.25 * (x + 1) ** 2
