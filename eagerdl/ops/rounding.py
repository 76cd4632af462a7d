"""Rounding, remainders and clipping. Rounding has the derivative 0 where it has one."""

import math

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, custom, elementwise
from eagerdl.errors import ArgumentError
from eagerdl.ops.arithmetic import abs, maximum, minimum, where
from eagerdl.ops.conversion import convert_to_tensor

__all__ = [
    "ceil", "clip", "copysign", "fabs", "floor", "floor_divide", "fmax", "fmin", "fmod", "gcd", "heaviside", "lcm", "mod",
    "nan_to_num", "nextafter", "remainder", "round", "trunc",
]  # fmt: skip


def _in_floats(ufunc):
    """Integers are whole already; NumPy would make some of them floats."""

    def forward(x):
        return x if x.dtype.kind in "iub" else ufunc(x)

    return forward


@elementwise(_in_floats(np.floor), d=0, promote=dtypes.keep)
def floor(x):
    """x (...) -> (...). The largest whole number that is not above x; integers as they are. Derivative 0.

    Example:
        >>> edl.floor([1.7, -1.2])
        Tensor(shape=(2,), dtype=float32, [ 1. -2.])
    """
    return float(math.floor(x))


@elementwise(_in_floats(np.ceil), d=0, promote=dtypes.keep)
def ceil(x):
    """x (...) -> (...). The smallest whole number that is not below x; integers as they are. Derivative 0.

    Example:
        >>> edl.ceil([1.2, -1.7])
        Tensor(shape=(2,), dtype=float32, [ 2. -1.])
    """
    return float(math.ceil(x))


@elementwise(_in_floats(np.trunc), d=0, promote=dtypes.keep)
def trunc(x):
    """x (...) -> (...). The whole number next to x toward zero; integers as they are. Derivative 0.

    Example:
        >>> edl.trunc([1.7, -1.7])
        Tensor(shape=(2,), dtype=float32, [ 1. -1.])
    """
    return float(math.trunc(x))


@custom(
    vjp=lambda g, decimals: g * 0,
    jvp=lambda out, inputs, tangents, params: tangents[0] * 0,
    infer=lambda x, decimals: Spec(x.shape, x.dtype),
)
def round(x, decimals=0):
    """x (...) -> (...). Rounded to `decimals` places, halves to the even neighbour. Derivative 0.

    Args:
        x: a tensor.
        decimals: places behind the point; negative ones round to tens, hundreds, ...

    Example:
        >>> edl.round([0.5, 1.5, 2.25])
        Tensor(shape=(3,), dtype=float32, [0. 2. 2.])
    """
    if x.dtype.kind == "b":
        raise ArgumentError("round", "numbers are needed", f"x {x.shape} is bool", "cast it first")
    if x.dtype.kind in "iu":
        return x if decimals >= 0 else x.round(decimals)
    if x.dtype == dtypes.bfloat16:
        return x.astype(dtypes.float32).round(decimals).astype(x.dtype)
    return x.round(decimals)


# -- quotients and remainders -------------------------------------------------------------------


@elementwise(np.floor_divide, d=(0, 0), promote=dtypes.to_number)
def floor_divide(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The quotient rounded down; `x1 // x2`. Derivative 0.

    Example:
        >>> edl.floor_divide([7, -7], 2)
        Tensor(shape=(2,), dtype=int32, [ 3 -4])
    """
    return x1 // x2


@elementwise(np.remainder, d=(1, lambda x1, x2: -floor_divide(x1, x2)), promote=dtypes.to_number)
def mod(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The remainder, with the sign of x2; `x1 % x2`.

    Example:
        >>> edl.mod([7, -7], 4)
        Tensor(shape=(2,), dtype=int32, [3 1])
    """
    return x1 % x2


remainder = mod


@elementwise(np.fmod, d=(1, lambda x1, x2: -trunc(x1 / x2)), promote=dtypes.to_number)
def fmod(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The remainder, with the sign of x1 as in C.

    Example:
        >>> edl.fmod([7, -7], 4)
        Tensor(shape=(2,), dtype=int32, [ 3 -3])
    """
    return math.fmod(x1, x2)


@elementwise(np.gcd, promote=dtypes.to_number)
def gcd(x1, x2):
    """x1 (...), x2 (...) integers -> their broadcast shape. The greatest common divisor.

    Example:
        >>> edl.gcd([12, 18], 8)
        Tensor(shape=(2,), dtype=int32, [4 2])
    """
    return math.gcd(x1, x2)


@elementwise(np.lcm, promote=dtypes.to_number)
def lcm(x1, x2):
    """x1 (...), x2 (...) integers -> their broadcast shape. The least common multiple.

    Example:
        >>> edl.lcm([4, 6], 10)
        Tensor(shape=(2,), dtype=int32, [20 30])
    """
    return math.lcm(x1, x2)


# -- limits -------------------------------------------------------------------------------------


def clip(x, x_min=None, x_max=None, *, min=None, max=None):
    """x (...), x_min and x_max that broadcast with it -> (...). Numbers outside of the limits set to them.

    The gradient is 1 inside, 0 outside, a half on a limit. The result has the dtype at which x and the limits meet.

    Args:
        x: a tensor.
        x_min, x_max: the limits; None for no limit on that side.
        min, max: the same limits as the array API spells them.

    Example:
        >>> edl.clip([-2.0, 0.5, 9.0], 0.0, 1.0)
        Tensor(shape=(3,), dtype=float32, [0.  0.5 1. ])
    """
    x = convert_to_tensor(x)
    low, high = x_min if min is None else min, x_max if max is None else max
    if low is not None:
        x = maximum(x, low)
    return x if high is None else minimum(x, high)


def _take_other(wins, other_missing, ties, like):
    return wins.astype(like.dtype) + other_missing.astype(like.dtype) + 0.5 * ties.astype(like.dtype)


@elementwise(np.fmax, d=(lambda x1, x2: _take_other(x1 > x2, x2 != x2, x1 == x2, x1),
                         lambda x1, x2: _take_other(x2 > x1, x1 != x1, x1 == x2, x1)))  # fmt: skip
def fmax(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The larger number; NaN only where both are.

    Example:
        >>> edl.fmax([1.0, float("nan")], 0.5)
        Tensor(shape=(2,), dtype=float32, [1.  0.5])
    """
    return x1 if x1 >= x2 or x2 != x2 else x2


@elementwise(np.fmin, d=(lambda x1, x2: _take_other(x1 < x2, x2 != x2, x1 == x2, x1),
                         lambda x1, x2: _take_other(x2 < x1, x1 != x1, x1 == x2, x1)))  # fmt: skip
def fmin(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The smaller number; NaN only where both are.

    Example:
        >>> edl.fmin([1.0, float("nan")], 0.5)
        Tensor(shape=(2,), dtype=float32, [0.5 0.5])
    """
    return x1 if x1 <= x2 or x2 != x2 else x2


@elementwise(np.copysign, d=(lambda x1, x2: copysign(1.0, x2) * copysign(1.0, x1), 0), promote=dtypes.to_floating)
def copysign(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The size of x1 with the sign of x2; the derivative by x2 is 0.

    Example:
        >>> edl.copysign([1.0, 2.0], [-0.0, 3.0])
        Tensor(shape=(2,), dtype=float32, [-1.  2.])
    """
    return math.copysign(x1, x2)


@elementwise(np.heaviside, d=(0, lambda x1: (x1 == 0).astype(x1.dtype)), promote=dtypes.to_floating)
def heaviside(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. 0 below x1 = 0, 1 above, x2 at it.

    Example:
        >>> edl.heaviside([-1.0, 0.0, 1.0], 0.5)
        Tensor(shape=(3,), dtype=float32, [0.  0.5 1. ])
    """
    return x2 if x1 == 0 else float(x1 > 0)


@elementwise(np.nextafter, promote=dtypes.to_floating)
def nextafter(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The number next to x1 that the dtype can hold, toward x2. No gradient.

    Example:
        >>> edl.nextafter(1.0, 2.0) > 1.0
        Tensor(shape=(), dtype=bool, True)
    """
    return math.nextafter(x1, x2)


def fabs(x):
    """x (...) -> (...) floating. The absolute value; integers become floatx.

    Example:
        >>> edl.fabs([-3])
        Tensor(shape=(1,), dtype=float32, [3.])
    """
    x = convert_to_tensor(x)
    return abs(x if dtypes.is_inexact(x.dtype) else x.astype(dtypes.standardize(None)))


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """x (...) -> (...). NaN and the infinities replaced by finite numbers; no gradient flows to what was replaced.

    Args:
        x: a tensor.
        nan: what replaces NaN.
        posinf, neginf: what replaces the infinities; the largest and the smallest number of the dtype by default.

    Example:
        >>> edl.nan_to_num([1.0, float("nan")])
        Tensor(shape=(2,), dtype=float32, [1. 0.])
    """
    x = convert_to_tensor(x)
    if dtypes.is_complex(x.dtype):
        return nan_to_num(x.real, nan, posinf, neginf) + 1j * nan_to_num(x.imag, nan, posinf, neginf)
    if not dtypes.is_floating(x.dtype):
        return x
    limits = dtypes.ml_dtypes.finfo(x.dtype)
    x = where(x != x, nan, x)
    x = where(x == math.inf, float(limits.max) if posinf is None else posinf, x)
    return where(x == -math.inf, float(limits.min) if neginf is None else neginf, x)
