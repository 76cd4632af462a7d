"""Powers, exponentials, logarithms, trigonometry, and the special functions of statistics."""

import functools
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import elementwise
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.kernels.heavy import heavy
from eagerdl.ops.arithmetic import absolute, where
from eagerdl.tensor import Tensor

__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh",
    "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "deg2rad", "erf", "erfc", "erfinv", "exp", "exp2", "expm1",
    "hypot", "i0", "ldexp", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "pow", "power", "rad2deg",
    "reciprocal", "rsqrt", "sin", "sinc", "sinh", "sqrt", "tan", "tanh",
]  # fmt: skip

_SINGLE_OR_DOUBLE = frozenset((dtypes.float32, dtypes.float64))


def on_reals(forward):
    """A forward that may work in place, made fit for arrays of any real floating dtype.

    16-bit floats are computed in float32 and rounded once. Arrays of shape (), whose results NumPy returns as scalars
    that cannot be written into, pass through shape (1,).
    """

    @heavy
    @functools.wraps(forward)
    def call(x, *params):
        dtype = x.dtype
        if dtype in _SINGLE_OR_DOUBLE:
            return forward(x, *params) if x.ndim else forward(x.reshape(1), *params).reshape(())
        if dtype in dtypes.FLOATING_SET:
            return call(x.astype(dtypes.float32), *params).astype(dtype)
        raise DTypeError(forward.__name__.strip("_"), "a real tensor is needed", f"x has dtype {dtype}",
                         "use edl.real(x), or edl.cast(x, 'float32')")  # fmt: skip

    return call


def special(name):
    """The function `name` of scipy.special as a forward; on the GPU that of cupyx.scipy.special."""

    def forward(x):
        return _special_functions(devices.module_of(x) is np)[name](x)

    forward.__name__ = name
    return on_reals(forward)


@functools.cache
def _special_functions(on_cpu):
    if on_cpu:
        import scipy.special as module
    else:
        import cupyx.scipy.special as module
    return vars(module)


# -- powers, exponentials, logarithms -----------------------------------------------------------


@elementwise(np.exp, d=lambda out: out)
def exp(x):
    """x (...) -> (...). e to the power of x.

    Example:
        >>> edl.exp([0.0, 1.0]).numpy().round(3)
        array([1.   , 2.718], dtype=float32)
    """
    return math.exp(x)


@elementwise(np.log, d=lambda x: 1 / x)
def log(x):
    """x (...) -> (...). The natural logarithm; -inf at 0, NaN below.

    Example:
        >>> edl.log([1.0, 2.0]).numpy().round(3)
        array([0.   , 0.693], dtype=float32)
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


def _power(x1, x2):
    """np.power; by products for the usual exponents, which are up to a hundred times as fast."""
    if (x2.__class__ is int or x2.__class__ is float) and x1.dtype in dtypes.INEXACT_SET:
        if x2 == 2:
            return np.square(x1)
        if x2 == 3:
            return np.square(x1) * x1
        if x2 == 4:
            return np.square(np.square(x1))
        if x2 == 0.5:
            return np.sqrt(x1)
        if x2 == 1:
            return np.positive(x1)
        if x2 == -1:
            return np.reciprocal(x1)
    try:
        return np.power(x1, x2)
    except ValueError as error:
        if "negative integer" not in str(error):
            raise
    raise ArgumentError("power", "integers take exponents of at least 0", "an exponent is negative",
                        "cast the base first: edl.cast(x, 'float32')")  # fmt: skip


def _power_by_base(x1, x2):
    """The derivative of x1 ** x2 by x1: x2 * x1 ** (x2 - 1), and 0 where x2 = 0, at x1 = 0 too."""
    if isinstance(x2, Tensor):
        return x2 * x1 ** where(x2 == 0, 1, x2 - 1)
    return x2 * x1 if x2 in (0, 2) else x2 * x1 ** (x2 - 1)


def _power_by_exponent(out, x1):
    """The derivative of x1 ** x2 by x2: log(x1) x1 ** x2, and 0 at x1 = 0."""
    return log(where(x1 == 0, 1, x1)) * out


@elementwise(_power, d=(_power_by_base, _power_by_exponent), promote=dtypes.to_number)
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


pow = power
Tensor._ufuncs.setdefault(np.power, power)


@elementwise(np.exp2, d=lambda out: out * math.log(2))
def exp2(x):
    """x (...) -> (...). 2 to the power of x.

    Example:
        >>> edl.exp2([0.0, 3.0])
        Tensor(shape=(2,), dtype=float32, [1. 8.])
    """
    return 2.0**x


def _expm1(x):
    """np.expm1; for complex infinities, NaNs and 0 by way of exp, which has the values of C99's Annex G there."""
    out = np.expm1(x)
    if x.dtype.kind != "c":
        return out
    return np.where(np.isfinite(x) & (x != 0), out, np.exp(x) - 1)


@elementwise(_expm1, d=lambda x: exp(x))
def expm1(x):
    """x (...) -> (...). exp(x) - 1, exact near 0 where that difference is not.

    Example:
        >>> edl.expm1([0.0, 1.0]).numpy().round(3)
        array([0.   , 1.718], dtype=float32)
    """
    return math.expm1(x)


Tensor._ufuncs.setdefault(np.expm1, expm1)


@elementwise(np.log1p, d=lambda x: 1 / (1 + x))
def log1p(x):
    """x (...) -> (...). log(1 + x), exact near 0 where that sum is not.

    Example:
        >>> edl.log1p([0.0, 1.0]).numpy().round(3)
        array([0.   , 0.693], dtype=float32)
    """
    return math.log1p(x)


@elementwise(np.log2, d=lambda x: 1 / (x * math.log(2)))
def log2(x):
    """x (...) -> (...). The logarithm to base 2.

    Example:
        >>> edl.log2([1.0, 8.0])
        Tensor(shape=(2,), dtype=float32, [0. 3.])
    """
    return math.log2(x)


@elementwise(np.log10, d=lambda x: 1 / (x * math.log(10)))
def log10(x):
    """x (...) -> (...). The logarithm to base 10.

    Example:
        >>> edl.log10([1.0, 100.0]).numpy().round(3)
        array([0., 2.], dtype=float32)
    """
    return math.log10(x)


def _from_sum(x, out):
    """`x` below `out`, the logarithm of a sum; -inf where that sum is 0, of which no part has a share."""
    return x - where(out == -math.inf, 0, out)


@elementwise(np.logaddexp, d=(lambda out, x1: exp(_from_sum(x1, out)), lambda out, x2: exp(_from_sum(x2, out))),
             promote=dtypes.to_floating)  # fmt: skip
def logaddexp(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. log(exp(x1) + exp(x2)), without overflow.

    Example:
        >>> edl.logaddexp([0.0, 1000.0], [0.0, 1000.0]).numpy().round(3)
        array([6.930000e-01, 1.000693e+03], dtype=float32)
    """
    high, low = (x1, x2) if x1 > x2 else (x2, x1)
    return high + (math.log(2) if low == high else math.log1p(math.exp(low - high)))


@elementwise(np.logaddexp2, d=(lambda out, x1: exp2(_from_sum(x1, out)), lambda out, x2: exp2(_from_sum(x2, out))),
             promote=dtypes.to_floating)  # fmt: skip
def logaddexp2(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. log2(2**x1 + 2**x2), without overflow.

    Example:
        >>> edl.logaddexp2([0.0, 1000.0], [0.0, 1000.0])
        Tensor(shape=(2,), dtype=float32, [1.000e+00 1.001e+03])
    """
    high, low = (x1, x2) if x1 > x2 else (x2, x1)
    return high + (1 if low == high else math.log1p(2.0 ** (low - high)) / math.log(2))


@on_reals
def _rsqrt(x):
    out = np.sqrt(x)
    return np.reciprocal(out, out=out)


@elementwise(_rsqrt, d=lambda out, x: -0.5 * out / x)
def rsqrt(x):
    """x (...) -> (...). 1 / sqrt(x).

    Example:
        >>> edl.rsqrt([1.0, 4.0])
        Tensor(shape=(2,), dtype=float32, [1.  0.5])
    """
    return 1 / math.sqrt(x)


@elementwise(np.cbrt, d=lambda out: 1 / (3 * out * out))
def cbrt(x):
    """x (...) -> (...). The cube root, real for negative numbers too.

    Example:
        >>> edl.cbrt([-8.0, 27.0]).numpy().round(3)
        array([-2.,  3.], dtype=float32)
    """
    return math.copysign(abs(x) ** (1 / 3), x)


def _reciprocal(x):
    if x.dtype.kind in "biu":
        raise TypeError("NumPy would divide integers without a remainder")  # they come back as floatx
    return np.reciprocal(x)


@elementwise(_reciprocal, d=lambda out: -out * out)
def reciprocal(x):
    """x (...) -> (...). 1 / x; integers become floatx.

    Example:
        >>> edl.reciprocal([2.0, 4.0])
        Tensor(shape=(2,), dtype=float32, [0.5  0.25])
    """
    return 1 / x


def _ldexp_dtypes(kinds):
    mantissa, exponent = dtypes.to_floating(kinds[:1])[0], dtypes.strong(kinds[1])
    if exponent not in (dtypes.bool_, *dtypes.INTEGER):
        raise DTypeError("ldexp", "the exponent must be integer", f"x2 has dtype {exponent}", "use x1 * edl.exp2(x2)")
    wide = exponent in (dtypes.int64, dtypes.uint32, dtypes.uint64)
    return mantissa, dtypes.int64 if wide else dtypes.int32


def _two_to_the(x1_spec, x2):
    return exp2(x2.astype(x1_spec.dtype)) if isinstance(x2, Tensor) else 2.0**x2


def _ldexp(x1, x2):
    out = np.ldexp(x1, x2)
    return out if out.dtype == x1.dtype else out.astype(x1.dtype)


@elementwise(_ldexp, d=(_two_to_the, 0), promote=_ldexp_dtypes)
def ldexp(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. x1 * 2**x2, exact.

    Raises:
        DTypeError: if x2 is not integer.

    Example:
        >>> edl.ldexp([1.0, 0.75], [3, 2])
        Tensor(shape=(2,), dtype=float32, [8. 3.])
    """
    return math.ldexp(x1, x2)


# -- trigonometry -------------------------------------------------------------------------------


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


@elementwise(np.tan, d=lambda out: 1 + out * out)
def tan(x):
    """x (...) radians -> (...). The tangent.

    Example:
        >>> edl.tan([0.0])
        Tensor(shape=(1,), dtype=float32, [0.])
    """
    return math.tan(x)


@elementwise(np.arcsin, d=lambda x: 1 / (sqrt(1 - x) * sqrt(1 + x)))
def arcsin(x):
    """x (...) in [-1, 1] -> (...) radians in [-pi/2, pi/2]. The angle whose sine is x; NaN outside.

    Example:
        >>> edl.arcsin([0.0])
        Tensor(shape=(1,), dtype=float32, [0.])
    """
    return math.asin(x)


asin = arcsin


@elementwise(np.arccos, d=lambda x: -1 / (sqrt(1 - x) * sqrt(1 + x)))
def arccos(x):
    """x (...) in [-1, 1] -> (...) radians in [0, pi]. The angle whose cosine is x; NaN outside.

    Example:
        >>> edl.arccos([1.0])
        Tensor(shape=(1,), dtype=float32, [0.])
    """
    return math.acos(x)


acos = arccos


@elementwise(np.arctan, d=lambda x: 1 / (1 + x * x))
def arctan(x):
    """x (...) -> (...) radians in [-pi/2, pi/2]. The angle whose tangent is x.

    Example:
        >>> edl.arctan([0.0])
        Tensor(shape=(1,), dtype=float32, [0.])
    """
    return math.atan(x)


atan = arctan


def _one_at_zero(r):
    """`r` with 1 for 0: a length to divide by, at the origin as well."""
    return where(r == 0, 1, r)


def _arctan2_by_first(x1, x2):
    r = _one_at_zero(hypot(x1, x2))
    return x2 / r / r


def _arctan2_by_second(x1, x2):
    r = _one_at_zero(hypot(x1, x2))
    return -x1 / r / r


@elementwise(np.arctan2, d=(_arctan2_by_first, _arctan2_by_second), promote=dtypes.to_floating)
def arctan2(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, radians in [-pi, pi]. The angle of the point (x2, x1).

    At the origin its derivatives are 0.

    Example:
        >>> edl.arctan2([1.0, 0.0], [1.0, -1.0]).numpy().round(3)
        array([0.785, 3.142], dtype=float32)
    """
    return math.atan2(x1, x2)


atan2 = arctan2


@elementwise(np.hypot, d=(lambda out, x1: x1 / _one_at_zero(out), lambda out, x2: x2 / _one_at_zero(out)),
             promote=dtypes.to_floating)  # fmt: skip
def hypot(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. sqrt(x1**2 + x2**2), without overflow.

    At the origin its derivatives are 0.

    Example:
        >>> edl.hypot([3.0, 5.0], [4.0, 12.0])
        Tensor(shape=(2,), dtype=float32, [ 5. 13.])
    """
    return math.hypot(x1, x2)


@elementwise(np.deg2rad, d=lambda: math.pi / 180)
def deg2rad(x):
    """x (...) degrees -> (...) radians.

    Example:
        >>> edl.deg2rad([0.0, 180.0]).numpy().round(3)
        array([0.   , 3.142], dtype=float32)
    """
    return math.radians(x)


@elementwise(np.rad2deg, d=lambda: 180 / math.pi)
def rad2deg(x):
    """x (...) radians -> (...) degrees.

    Example:
        >>> edl.rad2deg([0.0, np.pi]).numpy().round(3)
        array([  0., 180.], dtype=float32)
    """
    return math.degrees(x)


@on_reals
def _sinc(x):
    angle = np.where(x == 0, x.dtype.type(1e-20), x) * x.dtype.type(math.pi)
    out = np.sin(angle)
    out /= angle
    return out


# Coefficients of the powers of (pi x)**2, the highest first.
_SLOPE_OF_SINC = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(9, 0, -1)]


def _sinc_slope(out, x):
    """(cos(pi x) - sinc(x)) / x; near 0, where that cancels, its power series."""
    near = absolute(x) < 0.3
    small, large = where(near, x, 0), where(near, 1, x)
    squared = (math.pi * small) * (math.pi * small)
    series = _SLOPE_OF_SINC[0]
    for coefficient in _SLOPE_OF_SINC[1:]:
        series = series * squared + coefficient
    return where(near, series * (math.pi**2 * small), (cos(math.pi * large) - out) / large)


@elementwise(_sinc, d=_sinc_slope)
def sinc(x):
    """x (...) -> (...). sin(pi x) / (pi x), which is 1 at 0.

    Example:
        >>> edl.sinc([0.0, 0.5, 1.5]).numpy().round(3)
        array([ 1.   ,  0.637, -0.212], dtype=float32)
    """
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


# -- hyperbolic functions -----------------------------------------------------------------------


@elementwise(np.tanh, d=lambda out: 1 - out * out)
def tanh(x):
    """x (...) -> (...) in [-1, 1]. The hyperbolic tangent.

    Example:
        >>> edl.tanh([0.0])
        Tensor(shape=(1,), dtype=float32, [0.])
    """
    return math.tanh(x)


@elementwise(np.sinh, d=lambda x: cosh(x))
def sinh(x):
    """x (...) -> (...). The hyperbolic sine.

    Example:
        >>> edl.sinh([0.0, 1.0]).numpy().round(3)
        array([0.   , 1.175], dtype=float32)
    """
    return math.sinh(x)


@elementwise(np.cosh, d=lambda x: sinh(x))
def cosh(x):
    """x (...) -> (...). The hyperbolic cosine.

    Example:
        >>> edl.cosh([0.0, 1.0]).numpy().round(3)
        array([1.   , 1.543], dtype=float32)
    """
    return math.cosh(x)


@elementwise(np.arcsinh, d=lambda x: 1 / sqrt(1 + x * x))
def arcsinh(x):
    """x (...) -> (...). The number whose hyperbolic sine is x.

    Example:
        >>> edl.arcsinh([0.0, 1.0]).numpy().round(3)
        array([0.   , 0.881], dtype=float32)
    """
    return math.asinh(x)


asinh = arcsinh


@elementwise(np.arccosh, d=lambda x: 1 / (sqrt(x - 1) * sqrt(x + 1)))
def arccosh(x):
    """x (...) from 1 -> (...) from 0. The number whose hyperbolic cosine is x; NaN below 1.

    Example:
        >>> edl.arccosh([1.0, 2.0]).numpy().round(3)
        array([0.   , 1.317], dtype=float32)
    """
    return math.acosh(x)


acosh = arccosh


@elementwise(np.arctanh, d=lambda x: 1 / ((1 - x) * (1 + x)))
def arctanh(x):
    """x (...) in (-1, 1) -> (...). The number whose hyperbolic tangent is x; NaN outside.

    Example:
        >>> edl.arctanh([0.0, 0.5]).numpy().round(3)
        array([0.   , 0.549], dtype=float32)
    """
    return math.atanh(x)


atanh = arctanh


# -- special functions --------------------------------------------------------------------------


@elementwise(special("erf"), d=lambda x: exp(-x * x) * (2 / math.sqrt(math.pi)))
def erf(x):
    """x (...) -> (...). The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    Example:
        >>> edl.erf([0.0, 1.0]).numpy().round(3)
        array([0.   , 0.843], dtype=float32)
    """
    return math.erf(x)


@elementwise(special("erfc"), d=lambda x: exp(-x * x) * (-2 / math.sqrt(math.pi)))
def erfc(x):
    """x (...) -> (...). 1 - erf(x), exact for large x where that difference is not.

    Example:
        >>> edl.erfc([0.0, 1.0]).numpy().round(3)
        array([1.   , 0.157], dtype=float32)
    """
    return math.erfc(x)


@elementwise(special("erfinv"), d=lambda out: exp(out * out) * (math.sqrt(math.pi) / 2))
def erfinv(x):
    """x (...) in [-1, 1] -> (...). The number whose error function is x; NaN outside.

    The scalar definition starts from S. Winitzki's approximation (2008) and takes three steps of Halley's method.

    Example:
        >>> edl.erfinv([0.0, 0.5]).numpy().round(3)
        array([0.   , 0.477], dtype=float32)
    """
    if not -1 < x < 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    logarithm = math.log1p(-x * x)
    half = 2 / (math.pi * 0.147) + logarithm / 2
    y = math.copysign(math.sqrt(max(math.sqrt(half * half - logarithm / 0.147) - half, 0.0)), x)
    for _ in range(3):
        error = math.erf(y) - x if abs(x) < 0.5 else math.copysign(1 - abs(x) - math.erfc(abs(y)), x)
        step = error / (2 / math.sqrt(math.pi) * math.exp(-y * y))
        y -= step / (1 + y * step)
    return y


def _i1_over_x(out, x):
    return where(x == 0, 0.5, out / where(x == 0, 1, x))


@elementwise(special("i1"), d=lambda out, x: i0(x) - _i1_over_x(out, x))
def _i1(x):
    """x (...) -> (...). The modified Bessel function of the first kind and order 1."""
    term = total = x / 2
    count = 1
    while abs(term) > 1e-17 * abs(total):
        term *= (x / 2) ** 2 / (count * (count + 1))
        total += term
        count += 1
    return total


@elementwise(special("i0"), d=lambda x: _i1(x))
def i0(x):
    """x (...) -> (...). The modified Bessel function of the first kind and order 0.

    The scalar definition sums its power series (Abramowitz & Stegun, 1964, 9.6.12).

    Example:
        >>> edl.i0([0.0, 1.0]).numpy().round(3)
        array([1.   , 1.266], dtype=float32)
    """
    term = total = 1.0
    count = 1
    while term > 1e-17 * total:
        term *= (x / 2) ** 2 / (count * count)
        total += term
        count += 1
    return total
