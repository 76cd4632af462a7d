"""Assertions on shapes and dtypes, which are known without looking at values."""

from collections.abc import Iterable

import numpy as np

from eagerdl import dtypes, ops
from eagerdl.debugging.comparisons import described
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.tensor import Tensor

__all__ = [
    "assert_integer", "assert_proper_iterable", "assert_rank", "assert_rank_at_least", "assert_rank_in",
    "assert_same_float_dtype", "assert_scalar", "assert_shapes", "assert_type", "is_numeric_tensor",
]  # fmt: skip


# -- ranks --------------------------------------------------------------------------------------


def assert_rank(x, rank, message=None, name=None):
    """x (...). Raises unless x has `rank` axes.

    Args:
        x: a tensor, or what becomes one.
        rank: a whole number.
        message: what the error ends with.
        name: what it begins with.

    Raises:
        ShapeError: if x has another number of axes.

    Example:
        >>> edl.debugging.assert_rank(edl.ones((2, 3)), 2)
    """
    check_rank(name or "assert_rank", x, lambda ndim: ndim == int(rank), f"x has rank {rank}", message)


def assert_rank_at_least(x, rank, message=None, name=None):
    """x (...). Raises unless x has `rank` axes or more; arguments as in `assert_rank`.

    Raises:
        ShapeError: if x has fewer axes.

    Example:
        >>> edl.debugging.assert_rank_at_least(edl.ones((2, 3)), 1)
    """
    check_rank(name or "assert_rank_at_least", x, lambda ndim: ndim >= int(rank), f"x has rank {rank} or more", message)


def assert_rank_in(x, ranks, message=None, name=None):
    """x (...). Raises unless the number of axes of x is one of `ranks`; other arguments as in `assert_rank`.

    Raises:
        ShapeError: if it is none of them.

    Example:
        >>> edl.debugging.assert_rank_in(edl.ones((2, 3)), (2, 3))
    """
    allowed = [int(rank) for rank in ranks]
    check_rank(name or "assert_rank_in", x, lambda ndim: ndim in allowed,
               f"x has rank {' or '.join(map(str, allowed))}", message)  # fmt: skip


def assert_scalar(tensor, message=None, name=None):
    """tensor () -> the same tensor. Raises unless it has no axes; arguments as in `assert_rank`.

    Raises:
        ShapeError: if it has axes.

    Example:
        >>> edl.debugging.assert_scalar(edl.constant(2.0))
        Tensor(shape=(), dtype=float32, 2.)
    """
    return check_rank(name or "assert_scalar", tensor, lambda ndim: ndim == 0, "a scalar is needed", message)


def check_rank(where, x, fits, requirement, message):
    """x as a tensor, if its rank fits."""
    x = ops.convert_to_tensor(x)
    if not fits(x.ndim):
        raise ShapeError(where, requirement, f"x {x.shape} {x.dtype} has rank {x.ndim}", message or "")
    return x


# -- shapes -------------------------------------------------------------------------------------


def assert_shapes(shapes, data=None, summarize=None, message=None, name=None):
    """Raises unless tensors have the given shapes, in which equal symbols stand for equal sizes.

    Args:
        shapes: a list of pairs of a tensor and its shape, or a dict of them. A shape is a tuple, or a string with a letter
            for each axis: ints are sizes, texts are symbols, and None or "." may be any size. "..." or "*" (or Ellipsis)
            as the first or the last entry stands for any number of axes.
        data: a list of tensors or texts that the message shows.
        summarize: how many elements of each are shown, 3 by default; -1 for all.
        message: what the error ends with.
        name: what it begins with.

    Raises:
        ShapeError: if a shape does not fit, or a symbol would stand for two sizes.

    Example:
        >>> x, kernel, bias = edl.ones((5, 3)), edl.ones((3, 2)), edl.ones(2)
        >>> edl.debugging.assert_shapes([(x, ("n", "in")), (kernel, ("in", "out")), (bias, ("out",))])
    """
    where, sizes = name or "assert_shapes", {}
    ending = "; ".join(part for part in (message, described(data or (), summarize)) if part)
    for number, (x, wanted) in enumerate(shapes.items() if hasattr(shapes, "items") else shapes):
        shape = tuple(x.shape) if hasattr(x, "shape") else np.shape(x)
        entries = [wanted] if isinstance(wanted, int) else list(wanted)
        found = f"tensor number {number} has shape {shape}"
        for entry, size, axis in aligned(where, entries, shape, found, ending):
            if entry is None or entry == ".":
                continue
            if isinstance(entry, str):
                first = sizes.setdefault(entry, (size, f"tensor number {number}, axis {axis}"))
                if first[0] != size:
                    raise ShapeError(where, f"{entry!r} stands for one size",
                                     f"it is {first[0]} ({first[1]}), and {size} in axis {axis}: {found}, "
                                     f"wanted {entries}", ending)  # fmt: skip
            elif int(entry) != size:
                raise ShapeError(
                    where, f"the shape {entries} is needed", f"{found}, axis {axis} has size {size}", ending
                )


ANY_AXES = ("...", "*", Ellipsis)


def aligned(where, entries, shape, found, ending):
    """Triples of an entry of a symbolic shape, a size, and its axis."""
    pairs = list(zip(shape, range(len(shape))))
    if entries and entries[0] in ANY_AXES:
        entries, pairs, exact = entries[1:], pairs[max(len(pairs) - len(entries) + 1, 0) :], False
    elif entries and entries[-1] in ANY_AXES:
        entries, exact = entries[:-1], False
        pairs = pairs[: len(entries)]
    else:
        exact = True
    if len(pairs) != len(entries):
        raise ShapeError(where, f"rank {len(entries)}{'' if exact else ' or more'} is needed: {entries}", found, ending)
    return [(entry, size, axis) for entry, (size, axis) in zip(entries, pairs)]


# -- dtypes -------------------------------------------------------------------------------------


def is_numeric_tensor(tensor):
    """True for a tensor or variable of numbers, False for one of bools, and for what is no tensor.

    Example:
        >>> edl.debugging.is_numeric_tensor(edl.ones(2)), edl.debugging.is_numeric_tensor(edl.constant(True))
        (True, False)
    """
    return isinstance(tensor, Tensor) and tensor.dtype != dtypes.bool_


def assert_integer(x, message=None, name=None):
    """x (...). Raises unless the dtype of x is one of integers; arguments as in `assert_rank`.

    Raises:
        DTypeError: if it is not.

    Example:
        >>> edl.debugging.assert_integer(edl.arange(3))
    """
    x = ops.convert_to_tensor(x)
    if not dtypes.is_integer(x.dtype):
        raise DTypeError(
            name or "assert_integer", "an integer dtype is needed", f"x {x.shape} is {x.dtype}", message or ""
        )


def assert_type(tensor, dtype, message=None, name=None):
    """tensor (...). Raises unless it has the given dtype; other arguments as in `assert_rank`.

    Raises:
        DTypeError: if it has another one.

    Example:
        >>> edl.debugging.assert_type(edl.ones(2), "float32")
    """
    wanted = dtypes.standardize(dtype, "assert_type")
    tensor = ops.convert_to_tensor(tensor)
    if tensor.dtype != wanted:
        raise DTypeError(name or "assert_type", f"dtype {wanted} is needed", f"the tensor {tensor.shape} is {tensor.dtype}",
                         message or "")  # fmt: skip


def assert_same_float_dtype(tensors=None, dtype=None):
    """The name of the one floating dtype that all `tensors` have; floatx if there are none.

    Args:
        tensors: a list of tensors; None among them are passed over.
        dtype: the dtype that they must have, if it is given.

    Raises:
        DTypeError: if they differ, or are not floating.

    Example:
        >>> edl.debugging.assert_same_float_dtype([edl.ones(2), edl.ones(3)])
        'float32'
    """
    where = "assert_same_float_dtype"
    found = [ops.convert_to_tensor(one).dtype for one in tensors or () if one is not None]
    wanted = dtypes.standardize(dtype, where) if dtype is not None or not found else found[0]
    if not dtypes.is_floating(wanted) or any(one != wanted for one in found):
        raise DTypeError(where, "all have one floating dtype" if dtype is None else f"all have the floating dtype {wanted}",
                         f"they have {', '.join(map(str, found)) or wanted}", "cast them with edl.cast")  # fmt: skip
    return wanted.name


def assert_proper_iterable(values):
    """Raises unless `values` is a list, a tuple, or another iterable that is meant as one: no tensor, array or text.

    Raises:
        ArgumentError: if it is not.

    Example:
        >>> edl.debugging.assert_proper_iterable([edl.ones(2), edl.ones(3)])
    """
    if isinstance(values, Tensor | np.ndarray | str | bytes) or not isinstance(values, Iterable):
        raise ArgumentError("assert_proper_iterable", "a list, a tuple or another iterable of things is needed",
                            f"got {type(values).__name__}", "wrap it: [values]")  # fmt: skip
