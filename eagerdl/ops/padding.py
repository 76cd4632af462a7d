"""Padding: elements added around a tensor."""

import builtins
import functools

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import PYTHON_SCALARS
from eagerdl.autograd import Spec, linear
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arrangement import flip
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import get_item
from eagerdl.ops.reduction import max, mean, min, sum
from eagerdl.ops.shape import _along, broadcast_to, concatenate, reshape
from eagerdl.tensor import Tensor, from_array

__all__ = ["pad"]

CONSTANT_MODES = ("constant", "empty")
INDEX_MODES = ("edge", "reflect", "symmetric", "wrap")
STATISTIC_MODES = ("maximum", "minimum", "mean", "median", "linear_ramp")
PAD_MODES = (*CONSTANT_MODES, *INDEX_MODES, "circular", *STATISTIC_MODES)


# -- with a constant ---------------------------------------------------------------------------


def _padded(x, widths):
    return Spec(tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)), x.dtype)


def _inside(shape, widths):
    """The index of what was there before padding, in an array of the padded shape."""
    return tuple(slice(before, n - after) for n, (before, after) in zip(shape, widths, strict=True))


@linear(transpose=lambda g, widths: get_item(g, _inside(g.shape, widths)), infer=_padded)
def _pad_zeros(x, widths):
    """x (...) -> zeros with x in their middle."""
    spec = _padded(x, widths)
    out = devices.module_of(x).zeros(spec.shape, x.dtype)
    out[_inside(spec.shape, widths)] = x
    return out


@linear(
    transpose=(lambda g, widths: get_item(g, _inside(g.shape, widths)), lambda g, widths: sum(_zero_inside(g, widths))),
    tensors=2,
    infer=lambda x, value, widths: _padded(x, widths),
    promote=lambda kinds: (dtypes.strong(kinds[0]),) * 2,
)
def _pad_constant(x, value, widths):
    """x (...), value () -> x with `value` around it."""
    spec = _padded(x, widths)
    out = devices.module_of(x).empty(spec.shape, x.dtype)
    out[...] = value
    out[_inside(spec.shape, widths)] = x
    return out


@linear(transpose=lambda g, widths: _zero_inside(g, widths), infer=lambda x, widths: Spec(x.shape, x.dtype))
def _zero_inside(x, widths):
    """x (...) -> (...) with zeros where padding did not reach."""
    out = x.copy()
    out[_inside(x.shape, widths)] = 0
    return out


def _pad_values(x, widths, values):
    value = values if values.__class__ in PYTHON_SCALARS else convert_to_tensor(values)
    if dtypes.is_complex(np.dtype(getattr(value, "dtype", type(value)))) and not dtypes.is_complex(x.dtype):
        raise DTypeError("pad", "complex constant_values need a complex x", f"x is {x.dtype}", "cast x to complex64")
    if not isinstance(value, Tensor):
        return _pad_constant(x, value, widths)
    if value.size == 1:
        return _pad_constant(x, reshape(value, ()), widths)
    try:
        pairs = broadcast_to(value, (x.ndim, 2))
    except ShapeError:
        raise ShapeError(
            "pad",
            "constant_values are one number, a pair, or a pair for each axis",
            f"got shape {value.shape} for x {x.shape}",
            f"give {x.ndim} pairs",
        ) from None
    for axis, width in enumerate(widths):
        for side in (0, 1):
            one = [[0, 0] for _ in widths]
            one[axis][side] = width[side]
            x = _pad_constant(x, pairs[axis, side], tuple(map(tuple, one)))
    return x


# -- with elements of its own ------------------------------------------------------------------


@linear(
    transpose=lambda g, x, widths, mode: _unpad(g, x.shape, widths, mode),
    infer=lambda x, widths, mode: _padded(x, widths),
)
def _pad_by_index(x, widths, mode):
    """x (...) -> x with elements of its own around it."""
    xp = devices.module_of(x)
    for axis, (n, (before, after)) in enumerate(zip(x.shape, widths, strict=True)):
        if before or after:
            x = x.take(xp.asarray(_sources(n, before, after, mode)), axis)
    return x


@linear(
    transpose=lambda g, widths, mode: _pad_by_index(g, widths, mode),
    infer=lambda x, shape, widths, mode: Spec(shape, x.dtype),
)
def _unpad(x, shape, widths, mode):
    """x of a padded shape -> shape. Every element added where padding had taken it from."""
    xp = devices.module_of(x)
    for axis, (n, (before, after)) in enumerate(zip(shape, widths, strict=True)):
        if before or after:
            out = xp.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)
            for to, source, constant in _runs(n, before, after, mode):
                piece = x[_along(axis, source)]
                out[_along(axis, to)] += piece.sum(axis, keepdims=True, dtype=x.dtype) if constant else piece
            x = out
    return x


@functools.lru_cache(maxsize=256)
def _sources(n, before, after, mode):
    """From which element of an axis each element of the padded axis comes."""
    return np.pad(np.arange(n), (before, after), mode)


@functools.lru_cache(maxsize=256)
def _runs(n, before, after, mode):
    """Padding of an axis as runs: (slice of the axis, slice of the padded axis, whether one element was repeated).

    Where each padded element comes from is a list of indices that rise, fall or stay in long runs, so that few slices
    say all of it.
    """
    index = _sources(n, before, after, mode)
    steps = np.diff(index)
    turns = np.append(
        np.flatnonzero(steps[1:] != steps[:-1]), len(steps) - 1
    )  # last step of each stretch of equal steps
    runs, start = [], 0
    while start < len(index):
        step = int(steps[start]) if start < len(steps) else 0
        stop = start + 1 if abs(step) > 1 or start == len(steps) else int(turns[np.searchsorted(turns, start)]) + 2
        first, last = int(index[start]), int(index[stop - 1])
        source = slice(start, stop) if first <= last else slice(stop - 1, start - 1 if start else None, -1)
        runs.append((slice(builtins.min(first, last), builtins.max(first, last) + 1), source, first == last))
        start = stop
    return runs


# -- with a statistic --------------------------------------------------------------------------


def _median(x, axis, keepdims):
    """The mean of the one or two elements in the middle of the order along `axis`."""
    n = x.shape[axis]
    order = devices.module_of(x._array).argsort(x._array, axis)[_along(axis, slice((n - 1) // 2, n // 2 + 1))]
    grid = [np.arange(m).reshape((m,) + (1,) * (x.ndim - i - 1)) for i, m in enumerate(order.shape)]
    grid[axis] = order
    return mean(get_item(x, tuple(grid)), axis, keepdims)


def _beside(x, axis, before, after, mode):
    """What comes before and after x along `axis` in the modes that compute something."""
    sizes = [(*x.shape[:axis], width, *x.shape[axis + 1 :]) for width in (before, after)]
    if mode == "linear_ramp":
        xp, ramps = devices.module_of(x._array), []
        for width in (before, after):
            ramp = xp.arange(width) / builtins.max(width, 1)
            ramps.append(from_array(ramp.astype(x.dtype).reshape((width,) + (1,) * (x.ndim - axis - 1))))
        first, last = get_item(x, _along(axis, slice(0, 1))), get_item(x, _along(axis, slice(-1, None)))
        return first * ramps[0], last * flip(ramps[1], 0)
    statistic = {"maximum": max, "minimum": min, "mean": mean, "median": _median}[mode](x, axis, True)
    return [broadcast_to(statistic, size) for size in sizes]


def _pad_statistic(x, widths, mode):
    if not dtypes.is_inexact(x.dtype):  # no derivatives: NumPy's own, which rounds as integers need it
        return from_array(devices.module_of(x._array).pad(x._array, widths, mode))
    for axis, (before, after) in enumerate(widths):
        if before or after:
            lead, tail = _beside(x, axis, before, after, mode)
            x = concatenate([lead, x, tail], axis)
    return x


# -- the function ------------------------------------------------------------------------------


def _are_pairs(pad_width):
    """True for the plain form of widths: pairs of ints that are not negative."""
    if pad_width.__class__ not in (tuple, list):
        return False
    for pair in pad_width:
        if pair.__class__ not in (tuple, list) or len(pair) != 2:
            return False
        for width in pair:
            if width.__class__ is not int or width < 0:
                return False
    return True


def _widths(pad_width, x):
    """`pad_width` in any of its forms as a pair (before, after) for each axis."""
    if pad_width.__class__ is int and pad_width >= 0:
        return ((pad_width, pad_width),) * x.ndim
    if _are_pairs(pad_width) and len(pad_width) == x.ndim:
        return tuple([(before, after) for before, after in pad_width])
    try:
        array = np.array(pad_width.tolist() if isinstance(pad_width, Tensor) else pad_width)
        pairs = np.broadcast_to(array, (x.ndim, 2)) if array.size else np.zeros((x.ndim, 2), int)
    except (ValueError, TypeError):
        raise ShapeError(
            "pad",
            "pad_width is an int, a pair (before, after), or a pair for each axis",
            f"got {pad_width!r} for x {x.shape}",
            f"give {x.ndim} pairs",
        ) from None
    if pairs.dtype.kind not in "iu":
        raise DTypeError("pad", "pad_width is made of ints", f"got {pad_width!r}", "use int(...)")
    if (pairs < 0).any():
        raise ShapeError("pad", "widths cannot be negative", f"got {pad_width!r}", "cut with a slice, as in x[1:-1]")
    return tuple([(int(before), int(after)) for before, after in pairs])


def pad(x, pad_width, mode="constant", constant_values=None):
    """x (n, ...) -> (before + n + after, ...). Elements added around the tensor.

    Args:
        x: a tensor.
        pad_width: an int, a pair (before, after) for all axes, or a list of such pairs, one per axis.
        mode: "constant" (`constant_values`), "empty" (zeros), "edge" (the outermost element), "reflect" (mirrored,
            without the edge), "symmetric" (mirrored, with the edge), "wrap" or "circular" (from the other end),
            "linear_ramp" (falling to 0), or "maximum", "minimum", "mean", "median" of the axis.
        constant_values: a number or tensor, 0 by default; or a pair (before, after) for all axes, or one per axis.

    Raises:
        ShapeError: if the widths do not fit the axes or are negative, or an empty axis would have to be continued.
        ArgumentError: for another mode, or `constant_values` with a mode that has no use for them.

    Example:
        >>> edl.pad([1, 2, 3], (1, 2))
        Tensor(shape=(6,), dtype=int32, [0 1 2 3 0 0])
        >>> edl.pad([1, 2, 3], 2, mode="reflect")
        Tensor(shape=(7,), dtype=int32, [3 2 1 2 3 2 1])
    """
    if mode not in PAD_MODES:
        raise ArgumentError("pad", f"mode is one of {', '.join(PAD_MODES)}", f"got {mode!r}", "see help(edl.pad)")
    if constant_values is not None and mode != "constant":
        raise ArgumentError(
            "pad", "constant_values belong to mode='constant'", f"got mode={mode!r}", "leave constant_values out"
        )
    x = convert_to_tensor(x)
    widths = _widths(pad_width, x)
    if mode in CONSTANT_MODES:
        return _pad_zeros(x, widths) if constant_values is None else _pad_values(x, widths, constant_values)
    for axis, (n, width) in enumerate(zip(x.shape, widths, strict=True)):
        if n == 0 and width != (0, 0):
            raise ShapeError(
                "pad",
                f"mode {mode!r} needs an element to go on from",
                f"axis {axis} of x {x.shape} is empty",
                "use mode='constant'",
            )
    if mode in STATISTIC_MODES:
        return _pad_statistic(x, widths, mode)
    return _pad_by_index(x, widths, "wrap" if mode == "circular" else mode)
