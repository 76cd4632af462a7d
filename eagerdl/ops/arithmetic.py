"""Arithmetic, comparisons, logic and bits: elementwise ops of one and two tensors."""

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, custom, elementwise, linear, unbroadcast
from eagerdl.autograd.primitive import broadcast
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.tensor import Tensor, from_array, to_array

__all__ = [
    "abs", "absolute", "add", "conj", "conjugate", "divide", "equal", "greater", "greater_equal", "less", "less_equal",
    "maximum", "minimum", "multiply", "negative", "not_equal", "positive", "sign", "square", "subtract", "true_divide", "where",
]  # fmt: skip


@elementwise(np.add, d=(1, 1))
def add(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The sum, elementwise; `x1 + x2`.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Example:
        >>> edl.add([1.0, 2.0], 0.5)
        Tensor(shape=(2,), dtype=float32, [1.5 2.5])
    """
    return x1 + x2


@elementwise(np.subtract, d=(1, -1), promote=dtypes.to_number)
def subtract(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The difference, elementwise; `x1 - x2`.

    Example:
        >>> edl.subtract([1.0, 2.0], 0.5)
        Tensor(shape=(2,), dtype=float32, [0.5 1.5])
    """
    return x1 - x2


@elementwise(np.multiply, d=(lambda x2: x2, lambda x1: x1))
def multiply(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The product, elementwise; `x1 * x2`.

    Example:
        >>> edl.multiply([1.0, 2.0], 3)
        Tensor(shape=(2,), dtype=float32, [3. 6.])
    """
    return x1 * x2


@elementwise(np.true_divide, d=(lambda x2: 1 / x2, lambda out, x2: -out / x2), promote=dtypes.to_floating)
def divide(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The quotient, elementwise; `x1 / x2`. Integers become floatx.

    Example:
        >>> edl.divide([1, 2], 4)
        Tensor(shape=(2,), dtype=float32, [0.25 0.5 ])
    """
    return x1 / x2


true_divide = divide


@elementwise(np.negative, d=-1, promote=dtypes.to_number)
def negative(x):
    """x (...) -> (...). The number with the other sign; `-x`.

    Example:
        >>> edl.negative([1.0, -2.0])
        Tensor(shape=(2,), dtype=float32, [-1.  2.])
    """
    return -x


@elementwise(np.positive, d=1, promote=dtypes.to_number)
def positive(x):
    """x (...) -> (...). The number as it is; `+x`. Bools become int32.

    Example:
        >>> edl.positive([1.0, -2.0])
        Tensor(shape=(2,), dtype=float32, [ 1. -2.])
    """
    return +x


def _flat(x):
    """The derivative of a step, 0; on complex numbers the sign is no step, and has no complex derivative."""
    if dtypes.is_complex(x.dtype):
        raise DTypeError(
            "sign", "a real tensor is needed for the derivative", f"x {x.shape} {x.dtype}", "use x / edl.abs(x)"
        )
    return 0


@elementwise(np.sign, d=_flat, promote=dtypes.keep)
def sign(x):
    """x (...) -> (...). -1, 0 or 1; for complex numbers x / |x|. Its derivative is 0, for complex numbers an error.

    Example:
        >>> edl.sign([-3.0, 0.0, 2.0])
        Tensor(shape=(3,), dtype=float32, [-1.  0.  1.])
    """
    return (x > 0) - (x < 0)


def _direction(x):
    """The sign of a real x; x / |x| of a complex one, and 0 at 0, in ops that have derivatives."""
    if not dtypes.is_complex(x.dtype):
        return sign(x)
    length = absolute(x)
    return x / where(length == 0, 1, length)


@custom(vjp=lambda g, x: g * _direction(x),
        jvp=lambda out, inputs, tangents, params: _real_part(tangents[0] * _direction(inputs[0]).conj()),
        infer=lambda x: Spec(x.shape, dtypes.real_of(x.dtype)), lower=lambda x: -x if x < 0 else x)  # fmt: skip
def absolute(x):
    """x (...) -> (...) real. The absolute value; its derivative at 0 is 0.

    Example:
        >>> edl.absolute([1.0, -2.0])
        Tensor(shape=(2,), dtype=float32, [1. 2.])
    """
    return np.absolute(x)


@linear(transpose=lambda g: conj(g), infer=lambda x: Spec(x.shape, x.dtype))
def conj(x):
    """x (...) -> (...). The complex conjugate; real numbers as they are.

    Example:
        >>> edl.conj([1.0 + 2.0j])
        Tensor(shape=(1,), dtype=complex64, [1.-2.j])
    """
    return np.conjugate(x) if x.dtype.kind == "c" else x


conjugate = conj


def _real_part(x):
    return x.astype(dtypes.real_of(x.dtype))


abs = absolute


@elementwise(np.square, d=lambda x: 2 * x, promote=dtypes.to_number)
def square(x):
    """x (...) -> (...). The number times itself.

    Example:
        >>> edl.square([1.0, -2.0])
        Tensor(shape=(2,), dtype=float32, [1. 4.])
    """
    return x * x


@elementwise(np.maximum, d=(lambda x1, x2: _share(x1 > x2, x1 == x2, x1), lambda x1, x2: _share(x2 > x1, x1 == x2, x1)))
def maximum(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The larger number, elementwise; NaN if one is. Ties share the gradient.

    Example:
        >>> edl.maximum([1.0, 5.0], 3.0)
        Tensor(shape=(2,), dtype=float32, [3. 5.])
    """
    return x1 if x1 > x2 or x1 != x1 else x2


@elementwise(np.minimum, d=(lambda x1, x2: _share(x1 < x2, x1 == x2, x1), lambda x1, x2: _share(x2 < x1, x1 == x2, x1)))
def minimum(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape. The smaller number, elementwise; NaN if one is. Ties share the gradient.

    Example:
        >>> edl.minimum([1.0, 5.0], 3.0)
        Tensor(shape=(2,), dtype=float32, [1. 3.])
    """
    return x1 if x1 < x2 or x1 != x1 else x2


def _share(wins, ties, like):
    """1 where an argument wins, a half where both are equal."""
    return wins.astype(like.dtype) + 0.5 * ties.astype(like.dtype)


def _select(x, condition, keep):
    """`x` where `condition` equals `keep`, 0 elsewhere; unlike a product it stops infinities and NaNs."""
    return where(condition, x, 0) if keep else where(condition, 0, x)


def _where_tangent(out, inputs, tangents, params):
    condition = inputs[0]
    t1, t2 = (0 if t is None else t for t in tangents[1:])
    return where(condition, t1, t2).astype(out.dtype).broadcast_to(out.shape)


@custom(vjp=(None, lambda g, condition, x1_spec: unbroadcast(_select(g, condition, True), x1_spec),
             lambda g, condition, x2_spec: unbroadcast(_select(g, condition, False), x2_spec)),
        jvp=_where_tangent, promote=dtypes.keep_first, tensors=3,
        infer=lambda *specs: Spec(broadcast(_where.primitive, specs), specs[1].dtype),
        lower=lambda condition, x1, x2: x1 if condition else x2, heavy=True)  # fmt: skip
def _where(condition, x1, x2):
    """condition (...) bool, x1 (...), x2 (...) -> their broadcast shape."""
    return np.where(condition, x1, x2)


def where(condition, x1=None, x2=None):
    """condition (...) bool, x1 (...), x2 (...) -> their broadcast shape. x1 where the condition holds, x2 elsewhere.

    Gradients flow to the chosen elements only: a NaN in what was not chosen does no harm. With the condition alone: the
    indices where it holds, as `nonzero` gives them.

    Raises:
        ShapeError: if the shapes do not broadcast.
        ArgumentError: if just one of x1 and x2 is given.

    Example:
        >>> edl.where([True, False], [1.0, 2.0], 0.0)
        Tensor(shape=(2,), dtype=float32, [1. 0.])
    """
    if x1 is None and x2 is None:
        return tuple(from_array(found.astype("int32")) for found in to_array(condition).nonzero())
    if x1 is None or x2 is None:
        raise ArgumentError(
            "where", "x1 and x2 come together", f"got only {'x2' if x1 is None else 'x1'}", "give both or none"
        )
    if not isinstance(condition, Tensor):
        condition = from_array(to_array(condition))
    if condition.dtype != dtypes.bool_:
        condition = condition.astype(dtypes.bool_)
    return _where(condition, x1, x2)


# -- comparisons --------------------------------------------------------------------------------


@elementwise(np.equal, dtype=dtypes.bool_)
def equal(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether x1 equals x2, elementwise; `x1 == x2`.

    Example:
        >>> edl.equal([1, 2, 3], 2)
        Tensor(shape=(3,), dtype=bool, [False  True False])
    """
    return x1 == x2


@elementwise(np.not_equal, dtype=dtypes.bool_)
def not_equal(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether x1 differs from x2, elementwise; `x1 != x2`.

    Example:
        >>> edl.not_equal([1, 2, 3], 2)
        Tensor(shape=(3,), dtype=bool, [ True False  True])
    """
    return x1 != x2


@elementwise(np.less, dtype=dtypes.bool_)
def less(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether x1 is smaller than x2, elementwise; `x1 < x2`.

    Example:
        >>> edl.less([1, 2, 3], 2)
        Tensor(shape=(3,), dtype=bool, [ True False False])
    """
    return x1 < x2


@elementwise(np.less_equal, dtype=dtypes.bool_)
def less_equal(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether x1 is smaller than x2 or equal, elementwise; `x1 <= x2`.

    Example:
        >>> edl.less_equal([1, 2, 3], 2)
        Tensor(shape=(3,), dtype=bool, [ True  True False])
    """
    return x1 <= x2


@elementwise(np.greater, dtype=dtypes.bool_)
def greater(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether x1 is larger than x2, elementwise; `x1 > x2`.

    Example:
        >>> edl.greater([1, 2, 3], 2)
        Tensor(shape=(3,), dtype=bool, [False False  True])
    """
    return x1 > x2


@elementwise(np.greater_equal, dtype=dtypes.bool_)
def greater_equal(x1, x2):
    """x1 (...), x2 (...) -> their broadcast shape, bool. Whether x1 is larger than x2 or equal, elementwise; `x1 >= x2`.

    Example:
        >>> edl.greater_equal([1, 2, 3], 2)
        Tensor(shape=(3,), dtype=bool, [False  True  True])
    """
    return x1 >= x2
