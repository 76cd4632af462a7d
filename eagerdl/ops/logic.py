"""Logic, bits and predicates: ops whose results have no derivative."""

import math

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import elementwise
from eagerdl.errors import DTypeError
from eagerdl.ops.arithmetic import abs, divide, equal, where
from eagerdl.ops.conversion import convert_to_tensor

__all__ = [
    "allclose", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "divide_no_nan", "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "left_shift",
    "logical_and", "logical_not", "logical_or", "logical_xor", "right_shift", "signbit",
]  # fmt: skip


# -- logic --------------------------------------------------------------------------------------


@elementwise(np.logical_and, dtype=dtypes.bool_, promote=dtypes.to_bool)
def logical_and(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether both hold; numbers other than 0 count as true.

    Example:
        >>> edl.logical_and([True, False], True)
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    return bool(x1) and bool(x2)


@elementwise(np.logical_or, dtype=dtypes.bool_, promote=dtypes.to_bool)
def logical_or(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether at least one holds; numbers other than 0 count as true.

    Example:
        >>> edl.logical_or([True, False], True)
        Tensor(shape=(2,), dtype=bool, [ True  True])
    """
    return bool(x1) or bool(x2)


@elementwise(np.logical_xor, dtype=dtypes.bool_, promote=dtypes.to_bool)
def logical_xor(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether exactly one holds; numbers other than 0 count as true.

    Example:
        >>> edl.logical_xor([True, False], True)
        Tensor(shape=(2,), dtype=bool, [False  True])
    """
    return bool(x1) != bool(x2)


@elementwise(np.logical_not, dtype=dtypes.bool_, promote=dtypes.to_bool)
def logical_not(x):
    """x (...) -> (...) bool. Whether x does not hold; numbers other than 0 count as true.

    Example:
        >>> edl.logical_not([True, False])
        Tensor(shape=(2,), dtype=bool, [False  True])
    """
    return not x


# -- bits ---------------------------------------------------------------------------------------


def _bits(where, dtypes_in, allow_bool=True):
    """The dtype at which integers (or bools) meet; floats are refused."""
    out = dtypes.result_type(*dtypes_in)
    if not dtypes.is_integer(out) and not (allow_bool and out == dtypes.bool_):
        raise DTypeError(where, "integers are needed: floats have no bits to combine", f"got {out}",
                         "cast with edl.cast(x, 'int32'), or read the bits with edl.view")  # fmt: skip
    return (out,) * len(dtypes_in)


@elementwise(np.bitwise_and, promote=lambda given: _bits("bitwise_and", given))
def bitwise_and(x, y):
    """x (...), y (...) integers or bools -> their broadcast shape. The bits set in both; `x & y`.

    Raises:
        DTypeError: for floats.

    Example:
        >>> edl.bitwise_and([5, 4], 3)
        Tensor(shape=(2,), dtype=int32, [1 0])
    """
    return x & y


@elementwise(np.bitwise_or, promote=lambda given: _bits("bitwise_or", given))
def bitwise_or(x, y):
    """x (...), y (...) integers or bools -> their broadcast shape. The bits set in at least one; `x | y`.

    Raises:
        DTypeError: for floats.

    Example:
        >>> edl.bitwise_or([5, 4], 3)
        Tensor(shape=(2,), dtype=int32, [7 7])
    """
    return x | y


@elementwise(np.bitwise_xor, promote=lambda given: _bits("bitwise_xor", given))
def bitwise_xor(x, y):
    """x (...), y (...) integers or bools -> their broadcast shape. The bits set in exactly one; `x ^ y`.

    Raises:
        DTypeError: for floats.

    Example:
        >>> edl.bitwise_xor([5, 4], 3)
        Tensor(shape=(2,), dtype=int32, [6 7])
    """
    return x ^ y


@elementwise(np.bitwise_not, promote=lambda given: _bits("bitwise_not", given))
def bitwise_not(x):
    """x (...) integers or bools -> (...). Every bit turned; `~x`.

    Raises:
        DTypeError: for floats.

    Example:
        >>> edl.bitwise_not([0, 5])
        Tensor(shape=(2,), dtype=int32, [-1 -6])
    """
    return not x if isinstance(x, bool) else ~x


bitwise_invert = bitwise_not


@elementwise(np.left_shift, promote=lambda given: _bits("left_shift", given, allow_bool=False))
def left_shift(x, y):
    """x (...), y (...) integers -> their broadcast shape. The bits of x moved y places up; `x << y`.

    Example:
        >>> edl.left_shift([1, 3], 2)
        Tensor(shape=(2,), dtype=int32, [ 4 12])
    """
    return x << y


bitwise_left_shift = left_shift


@elementwise(np.right_shift, promote=lambda given: _bits("right_shift", given, allow_bool=False))
def right_shift(x, y):
    """x (...), y (...) integers -> their broadcast shape. The bits of x moved y places down; `x >> y`.

    Example:
        >>> edl.right_shift([4, 12], 2)
        Tensor(shape=(2,), dtype=int32, [1 3])
    """
    return x >> y


bitwise_right_shift = right_shift


# -- predicates ---------------------------------------------------------------------------------


def _of_floats(ufunc, otherwise):
    """A predicate of floats; integers and bools all have the same answer."""

    def forward(x):
        return (
            ufunc(x) if x.dtype not in dtypes.INTEGER and x.dtype != dtypes.bool_ else np.full_like(x, otherwise, bool)
        )

    return forward


@elementwise(_of_floats(np.isnan, False), dtype=dtypes.bool_, promote=dtypes.keep)
def isnan(x):
    """x (...) -> (...) bool. Whether x is not a number.

    Example:
        >>> edl.isnan([1.0, float("nan")])
        Tensor(shape=(2,), dtype=bool, [False  True])
    """
    return x != x


@elementwise(_of_floats(np.isinf, False), dtype=dtypes.bool_, promote=dtypes.keep)
def isinf(x):
    """x (...) -> (...) bool. Whether x is an infinity.

    Example:
        >>> edl.isinf([1.0, float("inf")])
        Tensor(shape=(2,), dtype=bool, [False  True])
    """
    return math.isinf(x)


@elementwise(_of_floats(np.isfinite, True), dtype=dtypes.bool_, promote=dtypes.keep)
def isfinite(x):
    """x (...) -> (...) bool. Whether x is neither infinite nor NaN.

    Example:
        >>> edl.isfinite([1.0, float("inf")])
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    return math.isfinite(x)


@elementwise(np.signbit, dtype=dtypes.bool_, promote=dtypes.keep)
def signbit(x):
    """x (...) -> (...) bool. Whether the sign is minus, that of -0.0 too.

    Example:
        >>> edl.signbit([-0.0, 1.0])
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    return math.copysign(1.0, x) < 0


def isposinf(x):
    """x (...) -> (...) bool. Whether x is plus infinity.

    Example:
        >>> edl.isposinf([float("inf"), -float("inf")])
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    return equal(x, math.inf)


def isneginf(x):
    """x (...) -> (...) bool. Whether x is minus infinity.

    Example:
        >>> edl.isneginf([float("inf"), -float("inf")])
        Tensor(shape=(2,), dtype=bool, [False  True])
    """
    return equal(x, -math.inf)


def isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether |x1 - x2| <= atol + rtol |x2|.

    Args:
        x1, x2: tensors.
        rtol, atol: how far apart they may be, relative to x2 and absolutely.
        equal_nan: whether NaN equals NaN.

    Example:
        >>> edl.isclose([1.0, 1.1], 1.0)
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    x1, x2 = convert_to_tensor(x1), convert_to_tensor(x2)
    same = equal(x1, x2)
    if not dtypes.is_inexact(dtypes.result_type(x1.dtype, x2.dtype)):
        x1, x2 = x1.astype("float64"), x2.astype("float64")
    near = logical_and(abs(x1 - x2) <= atol + rtol * abs(x2), isfinite(x2))
    out = logical_or(same, near)
    return logical_or(out, logical_and(isnan(x1), isnan(x2))) if equal_nan else out


def allclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """x1 (...), x2 (...) -> () bool. Whether all elements are close, as `isclose` means it.

    Example:
        >>> edl.allclose([1.0, 1.1], 1.0)
        Tensor(shape=(), dtype=bool, False)
    """
    return isclose(x1, x2, rtol, atol, equal_nan).all()


def divide_no_nan(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, floating. The quotient, and 0 where x2 is 0; so is the gradient there.

    Example:
        >>> edl.divide_no_nan([1.0, 2.0], [0.0, 4.0])
        Tensor(shape=(2,), dtype=float32, [0.  0.5])
    """
    x2 = convert_to_tensor(x2)
    zero = equal(x2, 0)
    return where(zero, 0, divide(x1, where(zero, 1, x2)))
