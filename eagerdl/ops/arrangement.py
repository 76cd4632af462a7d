"""Rearranging elements: joining, splitting, tiling, flipping, rolling, padding, diagonals, axes by pattern."""

import builtins
import functools
import itertools
import math
import operator
import re

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import not_equal, subtract
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import get_item
from eagerdl.ops.reduction import max, mean, min, sum
from eagerdl.ops.shape import (
    _along,
    _list_of_tensors,
    _split,
    _unstack,
    broadcast_to,
    concatenate,
    normalize_axes,
    normalize_axis,
    ravel,
    reshape,
    shape_of,
    transpose,
)
from eagerdl.tensor import PYTHON_SCALARS, Tensor, from_array

__all__ = [
    "append", "array_split", "concat", "depth_to_space", "diag", "diagflat", "diagonal", "diff", "dsplit", "dstack",
    "flip", "fliplr", "flipud", "hsplit", "hstack", "meshgrid", "pad", "rearrange", "repeat", "roll", "rot90",
    "space_to_depth", "split", "tile", "trace", "tril", "triu", "unstack", "vander", "vsplit", "vstack",
]  # fmt: skip

concat = concatenate


def _tensor(x):
    return x if x.__class__ is Tensor else convert_to_tensor(x)


def _integer(where, name, value):
    try:
        return operator.index(value)
    except TypeError:
        raise DTypeError(where, f"{name} is an integer", f"got {name}={value!r}", "use int(...)") from None


# -- joining ------------------------------------------------------------------------------------


def append(x1, x2, axis=None):
    """x1 (..., m, ...), x2 (..., n, ...) -> (..., m + n, ...). x2 behind x1 along `axis`; both flattened by default.

    Raises:
        ShapeError: if other sizes than those of `axis` differ.

    Example:
        >>> edl.append([1, 2], [[3], [4]])
        Tensor(shape=(4,), dtype=int32, [1 2 3 4])
    """
    return concatenate([_tensor(x1), _tensor(x2)], axis)


def hstack(xs):
    """xs: tensors (m, n_i, ...) -> (m, sum of n_i, ...). Side by side: along axis 1, or axis 0 for vectors.

    Raises:
        ShapeError: if other sizes differ.

    Example:
        >>> edl.hstack([[[1], [2]], [[3], [4]]])
        Tensor(shape=(2, 2), dtype=int32,
        [[1 3]
         [2 4]])
    """
    xs = [reshape(x, (1,)) if x.ndim == 0 else x for x in _list_of_tensors("hstack", xs)]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(xs):
    """xs: tensors (m_i, n, ...) -> (sum of m_i, n, ...). One below the other; vectors become rows.

    Raises:
        ShapeError: if other sizes differ.

    Example:
        >>> edl.vstack([[1, 2], [3, 4]])
        Tensor(shape=(2, 2), dtype=int32,
        [[1 2]
         [3 4]])
    """
    return concatenate([reshape(x, (1, x.size)) if x.ndim < 2 else x for x in _list_of_tensors("vstack", xs)], 0)


def dstack(xs):
    """xs: tensors (m, n, k_i) -> (m, n, sum of k_i). One behind the other, along axis 2.

    Matrices (m, n) become (m, n, 1) first, vectors (n,) become (1, n, 1).

    Raises:
        ShapeError: if other sizes differ.

    Example:
        >>> edl.dstack([[1, 2], [3, 4]])
        Tensor(shape=(1, 2, 2), dtype=int32,
        [[[1 3]
          [2 4]]])
    """
    xs = _list_of_tensors("dstack", xs)
    shapes = [x.shape if x.ndim > 2 else ((1, x.size) if x.ndim < 2 else x.shape) + (1,) for x in xs]
    return concatenate([reshape(x, shape) for x, shape in zip(xs, shapes, strict=True)], 2)


def meshgrid(*x, indexing="xy"):
    """x: n vectors (m_i,) -> a list of n grids (m_1, m_2, ...). Grid i varies along axis i only, as x[i] does.

    Args:
        x: vectors or scalars.
        indexing: ``"ij"`` for axes in the order of the arguments, ``"xy"`` with the first two exchanged, as in plots.

    Raises:
        ArgumentError: for another `indexing`.
        ShapeError: for tensors of more axes.

    Example:
        >>> edl.meshgrid([1, 2], [3, 4, 5])[0]
        Tensor(shape=(3, 2), dtype=int32,
        [[1 2]
         [1 2]
         [1 2]])
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(
            "meshgrid", "indexing is 'xy' or 'ij'", f"got {indexing!r}", "use 'ij' for the order of the arguments"
        )
    xs = [_tensor(one) for one in x]
    for i, one in enumerate(xs):
        if one.ndim > 1:
            raise ShapeError(
                "meshgrid", "vectors are needed", f"x[{i}] has shape {one.shape}", "flatten it with edl.ravel"
            )
    places = list(builtins.range(len(xs)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    shape = [0] * len(xs)
    for place, one in zip(places, xs, strict=True):
        shape[place] = one.size
    return [
        broadcast_to(reshape(one, tuple(one.size if i == place else 1 for i in builtins.range(len(xs)))), tuple(shape))
        for place, one in zip(places, xs, strict=True)
    ]


# -- splitting ----------------------------------------------------------------------------------


def _cuts(where, x, indices_or_sections, axis, even):
    """Where to cut an axis: before which elements a new piece begins."""
    n, wanted = x.shape[axis], indices_or_sections
    if isinstance(wanted, Tensor | np.ndarray):
        wanted = wanted.tolist()
    if isinstance(wanted, list | tuple):
        cuts = [_integer(where, "an index", i) for i in wanted]
        cuts = [builtins.min(builtins.max(i + n, 0) if i < 0 else i, n) for i in cuts]
        if builtins.any(a > b for a, b in itertools.pairwise(cuts)):
            raise ArgumentError(where, "the indices must rise", f"got {wanted!r}", "sort them")
        return tuple(cuts)
    sections = _integer(where, "indices_or_sections", wanted)
    if sections < 1:
        raise ArgumentError(where, "at least one section is needed", f"got {sections}", "give a positive number")
    small, larger = divmod(n, sections)
    if even and larger:
        raise ShapeError(
            where,
            "the sections must have equal sizes",
            f"axis {axis} of x {x.shape} has size {n}, in {sections} sections",
            "use edl.array_split, or give the indices to cut at",
        )
    return tuple(i * small + builtins.min(i, larger) for i in builtins.range(1, sections))


def _split_at(where, x, indices_or_sections, axis, even=True):
    x = _tensor(x)
    if x.ndim == 0:
        raise ShapeError(where, "an axis to split is needed", "x has shape ()", "reshape it to (1,)")
    axis = normalize_axis(where, axis, x.ndim)
    return list(_split(x, _cuts(where, x, indices_or_sections, axis, even), axis))


def split(x, indices_or_sections, axis=0):
    """x (..., n, ...) -> a list of pieces (..., n_i, ...).

    Args:
        x: a tensor.
        indices_or_sections: an int for that many equal pieces, or the rising indices at which new pieces begin.
        axis: along which to split.

    Raises:
        ShapeError: if the size of the axis is not divisible into that many pieces.
        ArgumentError: if the indices do not rise.

    Example:
        >>> edl.split([1, 2, 3, 4], 2)
        [Tensor(shape=(2,), dtype=int32, [1 2]), Tensor(shape=(2,), dtype=int32, [3 4])]
    """
    return _split_at("split", x, indices_or_sections, axis)


def array_split(x, indices_or_sections, axis=0):
    """x (..., n, ...) -> a list of pieces (..., n_i, ...). As `split`, but the first pieces may be larger by one.

    Args:
        x: a tensor.
        indices_or_sections: an int for that many pieces, or the rising indices at which new pieces begin.
        axis: along which to split.

    Raises:
        ArgumentError: if the indices do not rise, or no piece is asked for.

    Example:
        >>> [piece.shape for piece in edl.array_split(edl.ones(5), 3)]
        [(2,), (2,), (1,)]
    """
    return _split_at("array_split", x, indices_or_sections, axis, even=False)


def _needs_axes(where, x, count):
    if x.ndim < count:
        raise ShapeError(
            where, f"at least {count} axes are needed", f"x has shape {x.shape}", "use edl.split with axis="
        )
    return x


def hsplit(x, indices_or_sections):
    """x (m, n, ...) -> a list of (m, n_i, ...). Split along axis 1, or axis 0 for vectors.

    Raises:
        ShapeError: if the size is not divisible, or x has no axis.

    Example:
        >>> [piece.shape for piece in edl.hsplit(edl.ones((2, 4)), 2)]
        [(2, 2), (2, 2)]
    """
    x = _needs_axes("hsplit", _tensor(x), 1)
    return _split_at("hsplit", x, indices_or_sections, 1 if x.ndim > 1 else 0)


def vsplit(x, indices_or_sections):
    """x (m, n, ...) -> a list of (m_i, n, ...). Split along axis 0.

    Raises:
        ShapeError: if the size is not divisible, or x has fewer than two axes.

    Example:
        >>> [piece.shape for piece in edl.vsplit(edl.ones((2, 4)), 2)]
        [(1, 4), (1, 4)]
    """
    return _split_at("vsplit", _needs_axes("vsplit", _tensor(x), 2), indices_or_sections, 0)


def dsplit(x, indices_or_sections):
    """x (m, n, k, ...) -> a list of (m, n, k_i, ...). Split along axis 2.

    Raises:
        ShapeError: if the size is not divisible, or x has fewer than three axes.

    Example:
        >>> [piece.shape for piece in edl.dsplit(edl.ones((1, 2, 4)), 2)]
        [(1, 2, 2), (1, 2, 2)]
    """
    return _split_at("dsplit", _needs_axes("dsplit", _tensor(x), 3), indices_or_sections, 2)


def unstack(x, num=None, axis=0):
    """x (..., n, ...) -> a tuple of n tensors (...), the slices along `axis`.

    Args:
        x: a tensor.
        num: how many slices there must be; None takes what comes.
        axis: along which to take x apart.

    Raises:
        ShapeError: if there is no such axis, or it has another size than `num`.

    Example:
        >>> edl.unstack([[1, 2], [3, 4]], axis=1)
        (Tensor(shape=(2,), dtype=int32, [1 3]), Tensor(shape=(2,), dtype=int32, [2 4]))
    """
    x = _tensor(x)
    axis = normalize_axis("unstack", axis, x.ndim)
    if num is not None and num != x.shape[axis]:
        raise ShapeError("unstack", f"axis {axis} must have size num={num}", f"x has shape {x.shape}", "leave num out")
    return _unstack(x, axis)


# -- repeating ----------------------------------------------------------------------------------


def _tiled(x, repeats):
    shape = (1,) * (len(repeats) - x.ndim) + tuple(x.shape)
    return Spec(tuple(n * r for n, r in zip(shape, repeats, strict=True)), x.dtype)


def _untile(g, x, repeats):
    shape = (1,) * (len(repeats) - x.ndim) + tuple(x.shape)
    apart = tuple(size for pair in zip(repeats, shape, strict=True) for size in pair)
    return reshape(sum(reshape(g, apart), tuple(builtins.range(0, len(apart), 2))), x.shape)


@linear(transpose=lambda g, x, repeats: _untile(g, x, repeats), infer=_tiled)
def _tile(x, repeats):
    """x (...) -> every axis r times behind itself; `repeats` has at least as many entries as x axes."""
    return devices.module_of(x).tile(x, repeats)


def _counts(where, repeats):
    """Repeats as a tuple of ints that are not negative."""
    repeats = shape_of(where, repeats)
    if builtins.any(r < 0 for r in repeats):
        raise ArgumentError(where, "repeats cannot be negative", f"got {repeats}", "use 0 for nothing")
    return repeats


def tile(x, repeats):
    """x (n, ...) -> (n r, ...). The whole tensor `repeats` times along each axis.

    Args:
        x: a tensor.
        repeats: an int or one per axis, aligned at the right; more entries than axes add axes at the left.

    Raises:
        ArgumentError: for negative repeats.

    Example:
        >>> edl.tile([1, 2], 2)
        Tensor(shape=(4,), dtype=int32, [1 2 1 2])
    """
    x, repeats = _tensor(x), _counts("tile", repeats)
    return _tile(x, (1,) * (x.ndim - len(repeats)) + repeats)


def _repeated(x, repeats, axis):
    return Spec((*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]), x.dtype)


@linear(
    transpose=lambda g, x, repeats, axis: sum(
        reshape(g, (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])), axis + 1
    ),
    infer=_repeated,
)
def _repeat(x, repeats, axis):
    """x (..., n, ...) -> (..., n repeats, ...). Each element `repeats` times in a row."""
    return x.repeat(repeats, axis)


def repeat(x, repeats, axis=None):
    """x (..., n, ...) -> (..., sum of repeats, ...). Each element so often in a row.

    Args:
        x: a tensor.
        repeats: an int, or one per element of the axis.
        axis: the axis; by default x is flattened.

    Raises:
        ArgumentError: for negative repeats.
        ShapeError: if there are not as many repeats as elements.

    Example:
        >>> edl.repeat([1, 2], 2)
        Tensor(shape=(4,), dtype=int32, [1 1 2 2])
        >>> edl.repeat([[1, 2]], [1, 3], axis=1)
        Tensor(shape=(1, 4), dtype=int32, [[1 2 2 2]])
    """
    x, repeats = _tensor(x), _counts("repeat", repeats)
    if axis is None:
        x, axis = ravel(x), 0
    elif x.ndim == 0:
        x = ravel(x)
    axis = normalize_axis("repeat", axis, x.ndim)
    if len(repeats) == 1:
        return _repeat(x, repeats[0], axis)
    n = x.shape[axis]
    if len(repeats) != n:
        raise ShapeError(
            "repeat",
            "one number, or one per element of the axis, is needed",
            f"got {len(repeats)} repeats, axis {axis} of x {x.shape}",
            "give one number for all",
        )
    return get_item(x, _along(axis, np.repeat(np.arange(n), repeats)))


# -- reversing and turning ----------------------------------------------------------------------


def _axes(axis):
    return tuple(axis) if isinstance(axis, list) else axis


def _same_shape(where):
    def infer(x, axis):
        normalize_axes(where, axis, x.ndim)
        return Spec(x.shape, x.dtype)

    return infer


@linear(transpose=lambda g, axis: flip(g, axis), infer=_same_shape("flip"))
def flip(x, axis=None):
    """x (...) -> (...). The elements in reverse order along `axis`: all axes by default, one or several.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.flip([1, 2, 3])
        Tensor(shape=(3,), dtype=int32, [3 2 1])
    """
    return devices.module_of(x).flip(x, _axes(axis))


def fliplr(x):
    """x (m, n, ...) -> (m, n, ...). The columns in reverse order.

    Raises:
        ShapeError: if x has fewer than two axes.

    Example:
        >>> edl.fliplr([[1, 2], [3, 4]])
        Tensor(shape=(2, 2), dtype=int32,
        [[2 1]
         [4 3]])
    """
    return flip(_needs_axes("fliplr", _tensor(x), 2), 1)


def flipud(x):
    """x (m, ...) -> (m, ...). The rows in reverse order.

    Raises:
        ShapeError: if x has no axis.

    Example:
        >>> edl.flipud([[1, 2], [3, 4]])
        Tensor(shape=(2, 2), dtype=int32,
        [[3 4]
         [1 2]])
    """
    return flip(_needs_axes("flipud", _tensor(x), 1), 0)


def _rolled(x, shift, axis):
    several = [one for one in (shift, axis) if isinstance(one, tuple)]
    if axis is not None:
        for one in axis if isinstance(axis, tuple) else (axis,):
            normalize_axis("roll", one, x.ndim)
    if len(several) == 2 and len(shift) != len(axis) and 1 not in (len(shift), len(axis)):
        raise ShapeError("roll", "each axis needs a shift", f"got shift={shift}, axis={axis}", "give as many of both")
    return Spec(x.shape, x.dtype)


@linear(
    transpose=lambda g, shift, axis: _roll(g, tuple(-s for s in shift) if isinstance(shift, tuple) else -shift, axis),
    infer=_rolled,
)
def _roll(x, shift, axis):
    """x (...) -> (...). The elements moved by `shift` places along `axis`, round the end."""
    return devices.module_of(x).roll(x, shift, axis)


def roll(x, shift, axis=None):
    """x (...) -> (...). The elements moved by `shift` places along `axis`; what leaves comes back at the other end.

    Args:
        x: a tensor.
        shift: how far, or one number per axis.
        axis: an axis or several; by default x is rolled as if flat.

    Raises:
        ShapeError: if an axis does not exist.
        DTypeError: for a shift that is no integer.

    Example:
        >>> edl.roll([1, 2, 3, 4], 1)
        Tensor(shape=(4,), dtype=int32, [4 1 2 3])
    """
    if isinstance(shift, Tensor | np.ndarray):
        shift = shift.tolist()
    if isinstance(shift, list | tuple):
        shift = tuple(_integer("roll", "shift", one) for one in shift)
    else:
        shift = _integer("roll", "shift", shift)
    return _roll(x, shift, _axes(axis))


def _turned(array, k, axes):
    where = "rot90"
    if len(axes) != 2 or array.ndim < 2:
        raise ShapeError(where, "two axes span the plane", f"array {array.shape}, axes={axes!r}", "give a pair of axes")
    first, second = normalize_axes(where, tuple(axes), array.ndim)
    shape = list(array.shape)
    if k % 2:
        shape[first], shape[second] = shape[second], shape[first]
    return Spec(tuple(shape), array.dtype)


@linear(transpose=lambda g, k, axes: rot90(g, -k, axes), infer=_turned)
def rot90(array, k=1, axes=(0, 1)):
    """array (m, n, ...) -> (n, m, ...). Turned by 90 degrees `k` times, from the first of `axes` towards the second.

    Raises:
        ShapeError: if `axes` are not two different axes of the array.

    Example:
        >>> edl.rot90([[1, 2], [3, 4]])
        Tensor(shape=(2, 2), dtype=int32,
        [[2 4]
         [1 3]])
    """
    return devices.module_of(array).rot90(array, k, axes)


# -- padding ------------------------------------------------------------------------------------

CONSTANT_MODES = ("constant", "empty")
INDEX_MODES = ("edge", "reflect", "symmetric", "wrap")
STATISTIC_MODES = ("maximum", "minimum", "mean", "median", "linear_ramp")
PAD_MODES = (*CONSTANT_MODES, *INDEX_MODES, "circular", *STATISTIC_MODES)


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
    x = _tensor(x)
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


def _pad_statistic(x, widths, mode):
    if not dtypes.is_inexact(x.dtype):  # no derivatives: NumPy's own, which rounds as integers need it
        return from_array(devices.module_of(x._array).pad(x._array, widths, mode))
    for axis, (before, after) in enumerate(widths):
        if before or after:
            lead, tail = _beside(x, axis, before, after, mode)
            x = concatenate([lead, x, tail], axis)
    return x


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


def _median(x, axis, keepdims):
    """The mean of the one or two elements in the middle of the order along `axis`."""
    n = x.shape[axis]
    order = devices.module_of(x._array).argsort(x._array, axis)[_along(axis, slice((n - 1) // 2, n // 2 + 1))]
    grid = [np.arange(m).reshape((m,) + (1,) * (x.ndim - i - 1)) for i, m in enumerate(order.shape)]
    grid[axis] = order
    return mean(get_item(x, tuple(grid)), axis, keepdims)


# -- triangles and diagonals --------------------------------------------------------------------


def _of_matrices(where):
    def infer(x, k):
        if x.ndim < 2:
            raise ShapeError(where, "matrices are needed", f"x has shape {x.shape}", "use edl.diag for a vector")
        _integer(where, "k", k)
        return Spec(x.shape, x.dtype)

    return infer


_lower, _upper = _of_matrices("tril"), _of_matrices("triu")


@linear(transpose=lambda g, k: tril(g, k), infer=_lower)
def tril(x, k=0):
    """x (..., m, n) -> (..., m, n). The lower triangles: zeros above diagonal `k`.

    Args:
        x: matrices.
        k: 0 is the main diagonal, positive above it, negative below.

    Raises:
        ShapeError: if x has fewer than two axes.

    Example:
        >>> edl.tril([[1, 2], [3, 4]])
        Tensor(shape=(2, 2), dtype=int32,
        [[1 0]
         [3 4]])
    """
    if x.ndim < 2 or k.__class__ is not int:
        _lower(x, k)
    return devices.module_of(x).tril(x, k)


@linear(transpose=lambda g, k: triu(g, k), infer=_upper)
def triu(x, k=0):
    """x (..., m, n) -> (..., m, n). The upper triangles: zeros below diagonal `k`.

    Args:
        x: matrices.
        k: 0 is the main diagonal, positive above it, negative below.

    Raises:
        ShapeError: if x has fewer than two axes.

    Example:
        >>> edl.triu([[1, 2], [3, 4]])
        Tensor(shape=(2, 2), dtype=int32,
        [[1 2]
         [0 4]])
    """
    if x.ndim < 2 or k.__class__ is not int:
        _upper(x, k)
    return devices.module_of(x).triu(x, k)


def _diagonal_axes(where, x, axis1, axis2):
    if x.ndim < 2:
        raise ShapeError(where, "a diagonal needs two axes", f"x has shape {x.shape}", "use edl.diag to make one")
    return normalize_axes(where, (axis1, axis2), x.ndim)


def _diagonal_size(rows, columns, offset):
    return builtins.max(0, builtins.min(rows + builtins.min(offset, 0), columns - builtins.max(offset, 0)))


def _diagonal_spec(x, offset, axis1, axis2):
    first, second = _diagonal_axes("diagonal", x, axis1, axis2)
    rest = tuple(n for i, n in enumerate(x.shape) if i not in (first, second))
    return Spec(
        (*rest, _diagonal_size(x.shape[first], x.shape[second], _integer("diagonal", "offset", offset))), x.dtype
    )


@linear(
    transpose=lambda g, x, offset, axis1, axis2: _onto_diagonal(g, x.shape, offset, axis1, axis2), infer=_diagonal_spec
)
def diagonal(x, offset=0, axis1=0, axis2=1):
    """x (..., m, ..., n, ...) -> (..., ..., ..., d). The diagonals over two axes, along a new last axis.

    Args:
        x: a tensor of at least two axes.
        offset: 0 is the main diagonal, positive above it, negative below.
        axis1, axis2: the axes of the rows and of the columns.

    Raises:
        ShapeError: if x has fewer than two axes, or the two are one.

    Example:
        >>> edl.diagonal([[1, 2], [3, 4]])
        Tensor(shape=(2,), dtype=int32, [1 4])
    """
    return x.diagonal(offset, axis1, axis2).copy()


@linear(
    transpose=lambda g, offset, axis1, axis2: diagonal(g, offset, axis1, axis2),
    infer=lambda x, shape, offset, axis1, axis2: Spec(shape, x.dtype),
)
def _onto_diagonal(x, shape, offset, axis1, axis2):
    """x (..., d) -> zeros of `shape` with x on the diagonals over two axes."""
    xp = devices.module_of(x)
    out = xp.zeros(shape, x.dtype)
    i = xp.arange(x.shape[-1])
    xp.moveaxis(out, (axis1, axis2), (-2, -1))[..., i - builtins.min(offset, 0), i + builtins.max(offset, 0)] = x
    return out


def diag(x, k=0):
    """x (n,) -> (n + |k|, n + |k|), the matrix with x on diagonal `k`; or x (m, n) -> (d,), its diagonal `k`.

    Args:
        x: a vector or a matrix.
        k: 0 is the main diagonal, positive above it, negative below.

    Raises:
        ShapeError: if x is neither a vector nor a matrix.

    Example:
        >>> edl.diag([1, 2])
        Tensor(shape=(2, 2), dtype=int32,
        [[1 0]
         [0 2]])
    """
    x, k = _tensor(x), _integer("diag", "k", k)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(
            "diag",
            "a vector or a matrix is needed",
            f"x has shape {x.shape}",
            "use edl.diagonal for stacks of matrices",
        )
    n = x.size + abs(k)
    return _onto_diagonal(x, (n, n), k, 0, 1)


def diagflat(x, k=0):
    """x (...) of n elements -> (n + |k|, n + |k|). The matrix with the flattened x on diagonal `k`.

    Example:
        >>> edl.diagflat([[1], [2]])
        Tensor(shape=(2, 2), dtype=int32,
        [[1 0]
         [0 2]])
    """
    return diag(ravel(_tensor(x)), k)


def trace(x, offset=0, axis1=0, axis2=1):
    """x (..., m, ..., n, ...) -> (..., ..., ...). The sum of the diagonal over two axes; small integers as int32.

    Args:
        x: a tensor of at least two axes.
        offset: 0 is the main diagonal, positive above it, negative below.
        axis1, axis2: the axes of the rows and of the columns.

    Raises:
        ShapeError: if x has fewer than two axes, or the two are one.

    Example:
        >>> edl.trace([[1, 2], [3, 4]])
        Tensor(shape=(), dtype=int32, 5)
    """
    x = _tensor(x)
    _diagonal_axes("trace", x, axis1, axis2)
    return sum(diagonal(x, offset, axis1, axis2), -1)


# -- differences and powers ---------------------------------------------------------------------


def diff(a, n=1, axis=-1, *, prepend=None, append=None):
    """a (..., m, ...) -> (..., m - n, ...). The differences of neighbours along `axis`, `n` times.

    Of bools, whether they differ.

    Args:
        a: a tensor.
        n: how many times.
        axis: along which.
        prepend, append: what to put before and after `a` along the axis first: a tensor, or a number.

    Raises:
        ShapeError: if there is no such axis.
        ArgumentError: if `n` is negative.

    Example:
        >>> edl.diff([1, 4, 9, 16])
        Tensor(shape=(3,), dtype=int32, [3 5 7])
    """
    a, n = _tensor(a), _integer("diff", "n", n)
    if n < 0:
        raise ArgumentError("diff", "n cannot be negative", f"got n={n}", "use edl.cumsum to go the other way")
    axis = normalize_axis("diff", axis, a.ndim)
    if n and (prepend is not None or append is not None):
        a = concatenate([*_border(prepend, a, axis), a, *_border(append, a, axis)], axis)
    combine = not_equal if a.dtype == dtypes.bool_ else subtract
    for _ in builtins.range(n):
        a = combine(get_item(a, _along(axis, slice(1, None))), get_item(a, _along(axis, slice(None, -1))))
    return a


def _border(value, a, axis):
    if value is None:
        return []
    value = (
        value if isinstance(value, Tensor) else convert_to_tensor(value, None if hasattr(value, "dtype") else a.dtype)
    )
    return [broadcast_to(value, (*a.shape[:axis], 1, *a.shape[axis + 1 :])) if value.ndim == 0 else value]


@custom(vjp=lambda g, x, count: _vander_vjp(g, x, count), infer=lambda x, count: Spec((*x.shape, count), x.dtype))
def _vander(x, count):
    """x (n,) -> (n, count). Its powers, from 0 up."""
    return x[..., None] ** devices.module_of(x).arange(count).astype(x.dtype)


def _vander_vjp(g, x, count):
    """The derivative of x^i is i x^(i-1), here without negative powers, so that it holds at 0."""
    if count < 2:
        return sum(g, -1) * 0
    factors = from_array(devices.module_of(g._array).arange(1, count).astype(g.dtype))
    powers = _vander(x, count - 1)
    return sum(g[..., 1:] * factors * (powers.conj() if dtypes.is_complex(powers.dtype) else powers), -1)


def vander(x, N=None, increasing=False):
    """x (n,) -> (n, N). The matrix of Vandermonde: the powers of x, from N - 1 down to 0.

    Args:
        x: a vector.
        N: how many powers; as many as elements by default.
        increasing: whether the powers rise from 0 instead.

    Raises:
        ShapeError: if x is not a vector, or N is negative.

    Example:
        >>> edl.vander([1, 2, 3])
        Tensor(shape=(3, 3), dtype=int32,
        [[1 1 1]
         [4 2 1]
         [9 3 1]])
    """
    x = _tensor(x)
    if x.ndim != 1:
        raise ShapeError("vander", "a vector is needed", f"x has shape {x.shape}", "flatten it with edl.ravel")
    count = x.size if N is None else _integer("vander", "N", N)
    if count < 0:
        raise ShapeError("vander", "N cannot be negative", f"got N={count}", "leave it out for a square matrix")
    if x.dtype == dtypes.bool_:
        x = x.astype(dtypes.int32)
    powers = _vander(x, count)
    return powers if increasing else flip(powers, 1)


# -- axes by pattern ----------------------------------------------------------------------------


def rearrange(tensor, pattern, **axes_lengths):
    """tensor (...) -> (...). Axes named, split, ordered and merged by a pattern, as in ``"b (h s) w -> b h w s"``.

    A name stands for an axis, names in parentheses for one axis made of them (the last changes fastest), ``...`` for
    any number of axes, 1 or ``()`` for an axis of size 1. Both sides must have the same names.

    Args:
        tensor: a tensor.
        pattern: what comes ``->`` what shall be.
        axes_lengths: sizes of names; within parentheses all but one are needed.

    Raises:
        ArgumentError: if the pattern cannot be read, or the two sides differ in their names.
        ShapeError: if the tensor does not fit the pattern or the sizes.

    Example:
        >>> images = edl.ones((32, 30, 40, 3))
        >>> edl.rearrange(images, "b (h1 h) (w1 w) c -> (b h1 w1) h w c", h1=2, w1=2).shape
        (128, 15, 20, 3)

    Source: Rogozhnikov, 2022, "Einops: Clear and Reliable Tensor Manipulations with Einstein-like Notation", ICLR.
    """
    x = _tensor(tensor)
    sizes = tuple((name, _integer("rearrange", name, n)) for name, n in sorted(axes_lengths.items()))
    apart, order, shape = _rearrangement(pattern, x.shape, sizes)
    if apart != x.shape:
        x = reshape(x, apart)
    if order != tuple(builtins.range(len(order))):
        x = transpose(x, order)
    return x if x.shape == shape else reshape(x, shape)


class _Refusal(Exception):
    """Why a pattern does not work: the requirement, what came, the remedy and the kind of error."""


@functools.lru_cache(maxsize=512)
def _rearrangement(pattern, shape, sizes):
    """The shape of all named axes, their new order, and the shape that comes out."""
    given = dict(sizes)
    try:
        left, right = _parse_pattern(pattern)
        left, right = _expand_ellipsis(left, right, len(shape))
        sizes = _axis_sizes(left, shape, given)
    except _Refusal as refusal:
        kind, requirement, cause, remedy = refusal.args
        came = f"pattern {pattern!r}, tensor {shape}, sizes {given or 'none'}: {cause}"
    else:
        names = [name for group in left for name in group]
        order = tuple(names.index(name) for group in right for name in group)
        return (
            tuple(sizes[name] for name in names),
            order,
            tuple(math.prod(sizes[name] for name in group) for group in right),
        )
    raise kind("rearrange", requirement, came, remedy)


def _parse_pattern(pattern):
    """Both sides of a pattern: for each axis the tuple of names that it is made of."""
    if not isinstance(pattern, str) or pattern.count("->") != 1:
        raise _Refusal(
            ArgumentError, "a pattern has two sides around one '->'", "it has not", "write it as in 'b h w -> b (h w)'"
        )
    left, right = (_parse_side(side) for side in pattern.split("->"))
    names = [[name for group in side for name in group] for side in (left, right)]
    for side in names:
        twice = sorted({name for name in side if side.count(name) > 1})
        if twice:
            raise _Refusal(
                ArgumentError,
                "each name may come once on a side",
                f"twice there: {', '.join(twice)}",
                "rename one of them",
            )
    alone = sorted(set(names[0]) ^ set(names[1]))
    if alone:
        raise _Refusal(
            ArgumentError,
            "both sides must have the same names",
            f"on one side only: {', '.join(alone)}",
            "use edl.sum to drop an axis, edl.repeat to make one",
        )
    if _merges_ellipsis(left):
        raise _Refusal(
            ArgumentError, "'...' stands outside of parentheses on the left", "it is inside", "name the axes to split"
        )
    return left, right


def _merges_ellipsis(side):
    """True if '...' is merged with something in parentheses."""
    return builtins.any("..." in group and len(group) > 1 for group in side)


def _parse_side(side):
    groups, inner, rest = [], None, side
    while rest := rest.lstrip():
        token = re.match(r"\.\.\.|[()]|[A-Za-z_]\w*|\d+", rest)
        if token is None:
            raise _Refusal(
                ArgumentError,
                "a pattern is made of names, parentheses, '...' and 1",
                f"cannot read {rest!r}",
                "names begin with a letter",
            )
        token, rest = token[0], rest[token.end() :]
        if token == "(" and inner is None:
            inner = []
        elif token == ")" and inner is not None:
            groups.append(tuple(inner))
            inner = None
        elif token in "()":
            raise _Refusal(
                ArgumentError, "parentheses come in pairs and not inside each other", f"stray {token!r}", "check them"
            )
        elif token.isdigit():
            if token != "1":
                raise _Refusal(
                    ArgumentError,
                    "the only size in a pattern is 1",
                    f"got {token}",
                    f"name the axis and pass its size {token}",
                )
            if inner is None:
                groups.append(())
        elif inner is None:
            groups.append((token,))
        else:
            inner.append(token)
    if inner is not None:
        raise _Refusal(
            ArgumentError, "parentheses come in pairs and not inside each other", "one stays open", "close it"
        )
    return groups


def _expand_ellipsis(left, right, ndim):
    """Both sides with '...' replaced by as many axes as it stands for."""
    if ("...",) not in left:
        if len(left) != ndim:
            raise _Refusal(
                ShapeError,
                "the left side must name every axis",
                f"it names {len(left)}, there are {ndim}",
                "use '...' for any number of axes",
            )
        return left, right
    count = ndim - len(left) + 1
    if count < 0:
        raise _Refusal(
            ShapeError,
            "the left side must name every axis",
            f"it names at least {len(left) - 1}, there are {ndim}",
            "drop names from the pattern",
        )
    axes = [f"...{i}" for i in builtins.range(count)]
    at = left.index(("...",))
    left = [*left[:at], *[(axis,) for axis in axes], *left[at + 1 :]]
    out = []
    for group in right:
        if group == ("...",):
            out += [(axis,) for axis in axes]
        else:
            out.append(tuple(one for name in group for one in (axes if name == "..." else [name])))
    return left, out


def _axis_sizes(left, shape, given):
    """The size of every name on the left side."""
    unknown = sorted(set(given) - {name for group in left for name in group})
    if unknown:
        raise _Refusal(
            ArgumentError, "sizes belong to names of the pattern", f"not in it: {', '.join(unknown)}", "drop them"
        )
    sizes = dict(given)
    for axis, (group, n) in enumerate(zip(left, shape, strict=True)):
        known = math.prod(given[name] for name in group if name in given)
        open_names = [name for name in group if name not in given]
        whole = f"({' '.join(group)})" if len(group) != 1 else group[0]
        if len(open_names) > 1:
            raise _Refusal(
                ShapeError,
                "within parentheses all sizes but one must be given",
                f"unknown: {', '.join(open_names)}",
                f"pass {open_names[0]}=...",
            )
        if open_names and known > 0 and n % known == 0:
            sizes[open_names[0]] = n // known
        elif open_names or known != n:
            fits = "a multiple of" if open_names else "equal to"
            raise _Refusal(
                ShapeError,
                "the sizes must fit the axes",
                f"axis {axis} of size {n} is not {fits} {known}, for {whole}",
                "check the sizes and the order of the axes",
            )
    return sizes


def _check_blocks(where, x, block_size, data_format):
    if x.ndim != 4:
        raise ShapeError(
            where, "images of four axes are needed", f"x has shape {x.shape}", "add a batch axis with edl.expand_dims"
        )
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(
            where, "data_format is 'channels_last' or 'channels_first'", f"got {data_format!r}", "pick one of them"
        )
    if _integer(where, "block_size", block_size) < 2:
        raise ArgumentError(where, "block_size is at least 2", f"got {block_size}", "there is nothing to do for 1")


def depth_to_space(x, block_size, data_format="channels_last"):
    """x (n, h, w, c b b) -> (n, h b, w b, c). Channels laid out as blocks of b x b pixels; channels_first likewise.

    Args:
        x: images.
        block_size: b.
        data_format: ``"channels_last"`` or ``"channels_first"`` (n, c b b, h, w).

    Raises:
        ShapeError: if the channels are not a multiple of b b, or x has not four axes.

    Example:
        >>> edl.depth_to_space(edl.ones((1, 2, 2, 12)), 2).shape
        (1, 4, 4, 3)

    Source: Shi et al., 2016, "Real-Time Single Image and Video Super-Resolution", arXiv:1609.05158.
    """
    x, b = _tensor(x), block_size
    _check_blocks("depth_to_space", x, b, data_format)
    last = data_format == "channels_last"
    channels = x.shape[3 if last else 1]
    if channels % (b * b):
        raise ShapeError(
            "depth_to_space",
            f"the channels must be a multiple of block_size ** 2 = {b * b}",
            f"x {x.shape} has {channels}",
            "use another block_size",
        )
    pattern = "n h w (a b c) -> n (h a) (w b) c" if last else "n (c a b) h w -> n c (h a) (w b)"
    return rearrange(x, pattern, a=b, b=b)


def space_to_depth(x, block_size, data_format="channels_last"):
    """x (n, h b, w b, c) -> (n, h, w, c b b). Blocks of b x b pixels laid out as channels; undoes `depth_to_space`.

    Args:
        x: images.
        block_size: b.
        data_format: ``"channels_last"`` or ``"channels_first"`` (n, c, h b, w b).

    Raises:
        ShapeError: if height and width are not multiples of b, or x has not four axes.

    Example:
        >>> edl.space_to_depth(edl.ones((1, 4, 4, 3)), 2).shape
        (1, 2, 2, 12)
    """
    x, b = _tensor(x), block_size
    _check_blocks("space_to_depth", x, b, data_format)
    last = data_format == "channels_last"
    height, width = x.shape[1:3] if last else x.shape[2:]
    if height % b or width % b:
        raise ShapeError(
            "space_to_depth",
            f"height and width must be multiples of block_size = {b}",
            f"x {x.shape}",
            "pad the images with edl.pad",
        )
    pattern = "n (h a) (w b) c -> n h w (a b c)" if last else "n c (h a) (w b) -> n (c a b) h w"
    return rearrange(x, pattern, a=b, b=b)
