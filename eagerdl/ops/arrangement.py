"""Rearranging elements: repeating, grids, flipping, rolling, triangles, diagonals, differences, powers."""

import builtins

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.arithmetic import not_equal, subtract
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import get_item
from eagerdl.ops.joining import _needs_axes
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import (
    _along,
    _integer,
    broadcast_to,
    concatenate,
    normalize_axes,
    normalize_axis,
    ravel,
    reshape,
    shape_of,
)
from eagerdl.tensor import Tensor, from_array

__all__ = [
    "diag", "diagflat", "diagonal", "diff", "flip", "fliplr", "flipud", "meshgrid", "repeat", "roll", "rot90", "tile",
    "trace", "tril", "triu", "vander",
]  # fmt: skip


# -- repeating ---------------------------------------------------------------------------------


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
    x, repeats = convert_to_tensor(x), _counts("tile", repeats)
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
    x, repeats = convert_to_tensor(x), _counts("repeat", repeats)
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
    xs = [convert_to_tensor(one) for one in x]
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
    return flip(_needs_axes("fliplr", x, 2, "flip"), 1)


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
    return flip(_needs_axes("flipud", x, 1, "flip"), 0)


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
    x, k = convert_to_tensor(x), _integer("diag", "k", k)
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
    return diag(ravel(convert_to_tensor(x)), k)


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
    x = convert_to_tensor(x)
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
    a, n = convert_to_tensor(a), _integer("diff", "n", n)
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
    x = convert_to_tensor(x)
    if x.ndim != 1:
        raise ShapeError("vander", "a vector is needed", f"x has shape {x.shape}", "flatten it with edl.ravel")
    count = x.size if N is None else _integer("vander", "N", N)
    if count < 0:
        raise ShapeError("vander", "N cannot be negative", f"got N={count}", "leave it out for a square matrix")
    if x.dtype == dtypes.bool_:
        x = x.astype(dtypes.int32)
    powers = _vander(x, count)
    return powers if increasing else flip(powers, 1)
