"""Joining and splitting along an axis: append, the stack families, the split families."""

import builtins
import itertools

import numpy as np

from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.shape import _integer, _list_of_tensors, _split, _unstack, concatenate, normalize_axis, reshape
from eagerdl.tensor import Tensor

__all__ = [
    "append", "array_split", "concat", "dsplit", "dstack", "hsplit", "hstack", "split", "unstack", "vsplit", "vstack",
]  # fmt: skip

concat = concatenate


# -- joining -----------------------------------------------------------------------------------


def append(x1, x2, axis=None):
    """x1 (..., m, ...), x2 (..., n, ...) -> (..., m + n, ...). x2 behind x1 along `axis`; both flattened by default.

    Raises:
        ShapeError: if other sizes than those of `axis` differ.

    Example:
        >>> edl.append([1, 2], [[3], [4]])
        Tensor(shape=(4,), dtype=int32, [1 2 3 4])
    """
    return concatenate([convert_to_tensor(x1), convert_to_tensor(x2)], axis)


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


# -- splitting ---------------------------------------------------------------------------------


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
    x = convert_to_tensor(x)
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


def _needs_axes(where, x, count, general="split"):
    """x as a tensor of at least so many axes; `general` is the op that takes any axis."""
    x = convert_to_tensor(x)
    if x.ndim < count:
        raise ShapeError(
            where, f"at least {count} axes are needed", f"x has shape {x.shape}", f"use edl.{general} with axis="
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
    x = _needs_axes("hsplit", x, 1)
    return _split_at("hsplit", x, indices_or_sections, 1 if x.ndim > 1 else 0)


def vsplit(x, indices_or_sections):
    """x (m, n, ...) -> a list of (m_i, n, ...). Split along axis 0.

    Raises:
        ShapeError: if the size is not divisible, or x has fewer than two axes.

    Example:
        >>> [piece.shape for piece in edl.vsplit(edl.ones((2, 4)), 2)]
        [(1, 4), (1, 4)]
    """
    return _split_at("vsplit", _needs_axes("vsplit", x, 2), indices_or_sections, 0)


def dsplit(x, indices_or_sections):
    """x (m, n, k, ...) -> a list of (m, n, k_i, ...). Split along axis 2.

    Raises:
        ShapeError: if the size is not divisible, or x has fewer than three axes.

    Example:
        >>> [piece.shape for piece in edl.dsplit(edl.ones((1, 2, 4)), 2)]
        [(1, 2, 2), (1, 2, 2)]
    """
    return _split_at("dsplit", _needs_axes("dsplit", x, 3), indices_or_sections, 2)


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
    x = convert_to_tensor(x)
    axis = normalize_axis("unstack", axis, x.ndim)
    if num is not None and num != x.shape[axis]:
        raise ShapeError("unstack", f"axis {axis} must have size num={num}", f"x has shape {x.shape}", "leave num out")
    return _unstack(x, axis)
