"""Assertions on the values of tensors."""

import numpy as np

from eagerdl import dtypes, ops
from eagerdl.errors import ArgumentError, NumericsError
from eagerdl.tensor import Tensor

__all__ = [
    "Assert", "assert_all_finite", "assert_equal", "assert_greater", "assert_greater_equal", "assert_less",
    "assert_less_equal", "assert_near", "assert_negative", "assert_non_negative", "assert_non_positive",
    "assert_none_equal", "assert_positive", "check_numerics",
]  # fmt: skip

SHOWN = 3  # elements that a message shows


def Assert(condition, data, summarize=None, name=None):
    """Raises unless every element of `condition` is true.

    Args:
        condition: a bool, or a tensor of bools.
        data: a list of tensors or texts that the message shows.
        summarize: how many elements of each are shown, 3 by default; -1 for all.
        name: what the message begins with.

    Raises:
        ArgumentError: if it does not hold.

    Example:
        >>> x = edl.constant([1.0, 2.0])
        >>> edl.debugging.Assert(edl.sum(x) > 2.0, [x])
    """
    holds = ops.convert_to_tensor(condition).numpy()
    if not holds.all():
        raise ArgumentError(name or "Assert", "the condition must hold", faults(holds), described(data, summarize))


def assert_equal(x, y, message=None, summarize=None, name=None):
    """x, y of shapes that broadcast. Raises unless x == y in every element.

    Args:
        x, y: tensors, arrays or numbers.
        message: what the error ends with.
        summarize: how many elements the message shows, 3 by default; -1 for all.
        name: what the message begins with; this function's name by default.

    Raises:
        ArgumentError: if it does not hold somewhere.
        ShapeError: if the shapes do not broadcast.

    Example:
        >>> edl.debugging.assert_equal(edl.arange(3), [0, 1, 2])
    """
    compare(name or "assert_equal", "x == y", ops.equal, x, y, message, summarize)


def assert_none_equal(x, y, summarize=None, message=None, name=None):
    """x, y of shapes that broadcast. Raises unless x != y in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_none_equal([1, 2], [2, 1])
    """
    compare(name or "assert_none_equal", "x != y", ops.not_equal, x, y, message, summarize)


def assert_less(x, y, message=None, summarize=None, name=None):
    """x, y of shapes that broadcast. Raises unless x < y in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere; NaN is less than nothing.

    Example:
        >>> edl.debugging.assert_less([1, 2], 3)
    """
    compare(name or "assert_less", "x < y", ops.less, x, y, message, summarize)


def assert_less_equal(x, y, message=None, summarize=None, name=None):
    """x, y of shapes that broadcast. Raises unless x <= y in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_less_equal([1, 3], 3)
    """
    compare(name or "assert_less_equal", "x <= y", ops.less_equal, x, y, message, summarize)


def assert_greater(x, y, message=None, summarize=None, name=None):
    """x, y of shapes that broadcast. Raises unless x > y in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_greater([1, 2], 0)
    """
    compare(name or "assert_greater", "x > y", ops.greater, x, y, message, summarize)


def assert_greater_equal(x, y, message=None, summarize=None, name=None):
    """x, y of shapes that broadcast. Raises unless x >= y in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_greater_equal([1, 2], 1)
    """
    compare(name or "assert_greater_equal", "x >= y", ops.greater_equal, x, y, message, summarize)


def assert_positive(x, message=None, summarize=None, name=None):
    """x (...). Raises unless x > 0 in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_positive([1, 2])
    """
    compare(name or "assert_positive", "x > 0", ops.greater, x, 0, message, summarize)


def assert_negative(x, message=None, summarize=None, name=None):
    """x (...). Raises unless x < 0 in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_negative([-1, -2])
    """
    compare(name or "assert_negative", "x < 0", ops.less, x, 0, message, summarize)


def assert_non_negative(x, message=None, summarize=None, name=None):
    """x (...). Raises unless x >= 0 in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_non_negative([0, 1])
    """
    compare(name or "assert_non_negative", "x >= 0", ops.greater_equal, x, 0, message, summarize)


def assert_non_positive(x, message=None, summarize=None, name=None):
    """x (...). Raises unless x <= 0 in every element; arguments as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_non_positive([0, -1])
    """
    compare(name or "assert_non_positive", "x <= 0", ops.less_equal, x, 0, message, summarize)


def assert_near(x, y, rtol=None, atol=None, message=None, summarize=None, name=None):
    """x, y of shapes that broadcast. Raises unless |x - y| <= atol + rtol |y| in every element.

    Args:
        x, y: tensors, arrays or numbers.
        rtol, atol: the tolerances; ten times the machine epsilon of the dtype by default.
        message, summarize, name: as in `assert_equal`.

    Raises:
        ArgumentError: if it does not hold somewhere.

    Example:
        >>> edl.debugging.assert_near([1.0, 2.0], [1.0, 2.0 + 1e-7])
    """
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    kind = dtypes.result_type(x.dtype, y.dtype)
    default = 10 * float(dtypes.ml_dtypes.finfo(kind).eps) if dtypes.is_inexact(kind) else 0.0
    rtol, atol = (default if tol is None else float(tol) for tol in (rtol, atol))

    def near(x, y):
        # Equal infinities are near, though their difference is NaN; integers must not wrap around.
        x, y = (one if dtypes.is_inexact(kind) else ops.cast(one, "float64") for one in (x, y))
        return ops.logical_or(ops.equal(x, y), ops.absolute(x - y) <= atol + rtol * ops.absolute(y))

    compare(name or "assert_near", f"|x - y| <= {atol:.3g} + {rtol:.3g} |y|", near, x, y, message, summarize)


def check_numerics(tensor, message, name=None):
    """tensor (...) -> the same tensor, if no element is NaN or infinite.

    Args:
        tensor: a tensor, or what becomes one.
        message: what the error ends with.
        name: what it begins with.

    Raises:
        NumericsError: if there is a NaN or an infinity; it says how many, and where the first is.

    Example:
        >>> edl.debugging.check_numerics(edl.constant([1.0, 2.0]), "the loss")
        Tensor(shape=(2,), dtype=float32, [1. 2.])
    """
    tensor = ops.convert_to_tensor(tensor)
    finite = ops.isfinite(tensor).numpy()
    if not finite.all():
        raise NumericsError(name or "check_numerics", "every element must be finite",
                            f"{nonfinite(tensor.numpy())} of shape {tensor.shape}, {tensor.dtype}", message)  # fmt: skip
    return tensor


def assert_all_finite(x, message, name=None):
    """x (...) -> the same tensor, if no element is NaN or infinite; arguments as in `check_numerics`.

    Raises:
        NumericsError: if there is a NaN or an infinity.

    Example:
        >>> edl.debugging.assert_all_finite([1.0], "weights")
        Tensor(shape=(1,), dtype=float32, [1.])
    """
    return check_numerics(x, message, name or "assert_all_finite")


# -- what went wrong ----------------------------------------------------------------------------


def compare(where, relation, op, x, y, message, summarize):
    """Raises an ArgumentError that shows where `op(x, y)` is false, if it is anywhere."""
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    holds = op(x, y).numpy()
    if holds.all():
        return
    a, b = (np.broadcast_to(one.numpy(), holds.shape) for one in (x, y))
    places = np.argwhere(~holds)[: None if summarize == -1 else SHOWN if summarize is None else summarize]
    pairs = ", ".join(f"x{index} = {a[index]} and y{index} = {b[index]}" for index in map(indexed, places))
    raise ArgumentError(where, f"{relation} must hold in every element",
                        f"{faults(holds)}: {pairs}; x {x.shape} {x.dtype}, y {y.shape} {y.dtype}", message or "")  # fmt: skip


class indexed(tuple):
    """An index as it is written: ``[0, 1]``, nothing for scalars."""

    def __new__(cls, place):
        return super().__new__(cls, map(int, place))

    def __str__(self):
        return str(list(self)) if self else ""


def faults(holds):
    """``2 of 6 elements fail``."""
    return f"{holds.size - np.count_nonzero(holds)} of {holds.size} element{'s' * (holds.size != 1)} fail"


def described(data, summarize):
    """The first elements of tensors, and texts as they are."""
    limit = SHOWN if summarize is None else summarize
    parts = []
    for one in data:
        if isinstance(one, Tensor | np.ndarray):
            flat = np.asarray(one).ravel()
            many = flat.size > limit >= 0
            elements = " ".join(map(str, flat[:limit] if many else flat))
            parts.append(f"{tuple(one.shape)} {one.dtype} [{elements}{' ...' if many else ''}]")
        else:
            parts.append(str(one))
    return "; ".join(parts)


def nonfinite(array):
    """``2 NaN, 1 -Inf, first at [0, 1]`` of an array that is not finite everywhere; "" where it is."""
    real = np.atleast_1d(array)
    parts = (real.real, real.imag) if real.dtype.kind == "c" else (real,)
    bad = np.any([~np.isfinite(part) for part in parts], axis=0)
    if not bad.any():
        return ""
    values = np.concatenate([part[bad] for part in parts])
    counts = {"NaN": np.isnan(values), "+Inf": values == np.inf, "-Inf": values == -np.inf}
    kinds = ", ".join(f"{np.count_nonzero(found)} {kind}" for kind, found in counts.items() if found.any())
    first = f", first at {indexed(np.argwhere(bad)[0])}" if np.ndim(array) else ""
    return f"{kinds}{first}"
