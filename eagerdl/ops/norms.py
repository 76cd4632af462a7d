"""Norms of vectors and matrices, unit vectors, distances."""

import builtins
import math

import numpy as np

from eagerdl import config, devices, dtypes
from eagerdl.autograd import Spec, custom, unbroadcast
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.arithmetic import absolute, divide, maximum, not_equal, where
from eagerdl.ops.conversion import floating
from eagerdl.ops.decomposition import svdvals
from eagerdl.ops.linalg import HALF, broadcast_leading, require_matrix, widened
from eagerdl.ops.reduction import max, min, reduced_shape, restore, sum
from eagerdl.ops.shape import expand_dims, normalize_axes, squeeze, transpose

__all__ = ["cdist", "matrix_norm", "norm", "normalize", "vector_norm"]


# -- vectors --------------------------------------------------------------------------------------


def _nonzero_scale(g, out):
    """g / out, and 0 where out is 0: the norm has a kink there, 0 is its subgradient of least length."""
    flat = out == 0
    return where(flat, 0, g) / where(flat, 1, out)


def _norm2_tangent(out, inputs, tangents, params):
    (x,), (t,) = inputs, tangents
    terms = (x.conj() * t).astype(out.dtype) if dtypes.is_complex(x.dtype) else x * t
    return _nonzero_scale(sum(terms, *params), out)


@custom(
    vjp=lambda g, out, x, axis: restore(_nonzero_scale(g, out), x, axis) * x,
    jvp=_norm2_tangent,
    promote=dtypes.to_floating,
    infer=lambda x, axis, keepdims: Spec(reduced_shape("norm", x, axis, keepdims), dtypes.real_of(x.dtype)),
)
def _norm2(x, axis, keepdims):
    """x (...) -> (...) without `axis`, real. The root of the sum of squared magnitudes."""
    wide = widened(x)
    squares = wide * wide if wide.dtype.kind == "f" else wide.real**2 + wide.imag**2
    return np.sqrt(np.add.reduce(squares, axis, None, None, keepdims)).astype(dtypes.real_of(x.dtype))


def vector_norm(x, *, axis=None, keepdims=False, ord=2):
    """x (...) -> (...) without `axis`, real. The norm of all elements along `axis` taken as one vector.

    The gradient of the 2-norm is 0 at the zero vector.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.
        ord: p of the p-norm (sum |x|^p)^(1/p); inf and -inf for the largest and smallest magnitude, 0 counts non-zeros.

    Raises:
        ArgumentError: if `ord` is no number.

    Example:
        >>> edl.vector_norm([3.0, 4.0])
        Tensor(shape=(), dtype=float32, 5.)
    """
    x = floating(x)
    axes = normalize_axes("vector_norm", axis, x.ndim)
    if isinstance(ord, bool | str) or not isinstance(ord, int | float | np.number):
        raise ArgumentError(
            "norm",
            "ord of a vector norm is a number, inf or -inf",
            f"got ord={ord!r}",
            "'fro' and 'nuc' are for matrices: name two axes",
        )
    if ord == 2:
        return _norm2(x, axes, keepdims)
    if ord == 0:
        return sum(not_equal(x, 0).astype(dtypes.real_of(x.dtype)), axes, keepdims)
    magnitudes = absolute(x)
    if ord == 1:
        return sum(magnitudes, axes, keepdims)
    if ord == math.inf:
        return max(magnitudes, axes, keepdims, 0.0)
    if ord == -math.inf:
        return min(magnitudes, axes, keepdims)
    return _p_norm(magnitudes, axes, keepdims, float(ord))


def _p_norm(x, axes, keepdims, p):
    """(sum x^p)^(1/p) of magnitudes, computed in float32 at least; zeros have gradient 0."""
    dtype = x.dtype
    if dtype in HALF:
        x = x.astype("float32")
    if p > 0:
        zero = x == 0
        powers = where(zero, 0, where(zero, 1, x) ** p)
    else:
        powers = x**p
    total = sum(powers, axes, keepdims)
    empty = total == 0
    return where(empty, 0, where(empty, 1, total) ** (1 / p)).astype(dtype)


def normalize(x, axis=-1, order=2, epsilon=None):
    """x (...) -> (...). The tensor divided by its norm along `axis`; a scalar becomes a vector of one.

    Args:
        x: a tensor; integers become floatx.
        axis: the axis or axes that hold one vector.
        order: p of the p-norm, an int of at least 1.
        epsilon: the least divisor; by default `edl.config.epsilon()`.

    Raises:
        ArgumentError: if `order` is not an int of at least 1.

    Example:
        >>> edl.normalize([[3.0, 4.0], [0.0, 0.0]])
        Tensor(shape=(2, 2), dtype=float32,
        [[0.6 0.8]
         [0.  0. ]])
    """
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise ArgumentError("normalize", "order is an int of at least 1", f"got order={order!r}", "use 1 or 2")
    x = floating(x)
    if not x.ndim:
        x = expand_dims(x, 0)
    length = vector_norm(x, axis=axis, keepdims=True, ord=order)
    # Narrow floats may not hold 1e-7: the least divisor is then the least number they do hold.
    least = builtins.max(
        config.epsilon() if epsilon is None else epsilon, float(dtypes.ml_dtypes.finfo(length.dtype).tiny)
    )
    return divide(x, maximum(length, least))


# -- matrices -------------------------------------------------------------------------------------


ORDERS = (None, "fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2)


def _norm_of_matrices(x, ord, rows, columns, keepdims):
    if ord is None or ord == "fro":
        return _norm2(x, (rows, columns), keepdims)
    if ord in (2, -2, "nuc"):
        order = (*[i for i in range(x.ndim) if i not in (rows, columns)], rows, columns)
        s = svdvals(transpose(x, order) if order != tuple(range(x.ndim)) else x)
        out = sum(s, -1) if ord == "nuc" else max(s, -1) if ord == 2 else min(s, -1)
        return expand_dims(out, tuple(sorted((rows, columns)))) if keepdims else out
    first, second = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = sum(absolute(x), first, True)
    out = max(sums, second, True) if ord in (1, math.inf) else min(sums, second, True)
    return out if keepdims else squeeze(out, (rows, columns))


def norm(x, ord=None, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`, real. The norm of vectors (one axis) or of matrices (two axes).

    ====== ============================ ==========================
    ord    of matrices                  of vectors
    ====== ============================ ==========================
    None   root of the sum of squares   the same
    "fro"  the same                     --
    "nuc"  sum of the singular values   --
    inf    largest sum of |x| in a row  largest |x|
    -inf   least sum of |x| in a row    least |x|
    0      --                           number of non-zeros
    1, -1  largest, least column sum    sum |x|, 1 / sum 1 / |x|
    2, -2  largest, least singular v.   2-norm, its counterpart
    other  --                           (sum |x|^ord)^(1/ord)
    ====== ============================ ==========================

    The gradient of the 2-norm and of the Frobenius norm is 0 at 0.

    Args:
        x: a tensor; integers become floatx.
        ord: which norm.
        axis: one axis for vectors, two for matrices, None for all: with ord=None the tensor counts as one vector,
            else it must have one or two axes.
        keepdims: whether these axes stay, with size 1.

    Raises:
        ArgumentError: for an ord that vectors, or matrices, do not have.
        ShapeError: for more than two axes, or axes that do not exist.

    Example:
        >>> edl.norm([[3.0, 0.0], [4.0, 0.0]])
        Tensor(shape=(), dtype=float32, 5.)
        >>> edl.norm([[3.0, 0.0], [4.0, 0.0]], ord=1, axis=0)
        Tensor(shape=(2,), dtype=float32, [7. 0.])
    """
    x = floating(x)
    axes = normalize_axes("norm", axis, x.ndim)
    if axis is None and ord is None:
        return _norm2(x, axes, keepdims)
    if len(axes) not in (1, 2):
        raise ShapeError(
            "norm",
            "axis names one axis for vectors, two for matrices",
            f"got axis={axis!r} for x {x.shape}",
            "name them, or use edl.vector_norm for more axes",
        )
    if len(axes) == 1:
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if isinstance(ord, bool) or ord not in ORDERS:
        raise ArgumentError(
            "norm",
            "ord of a matrix norm is None, 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2",
            f"got ord={ord!r}",
            "name one axis for a norm of vectors",
        )
    return _norm_of_matrices(x, ord, *axes, keepdims)


def matrix_norm(x, *, keepdims=False, ord="fro"):
    """x (..., m, n) -> (...), real. The norm of each matrix, with the orders of `norm`.

    Raises:
        ArgumentError: for an ord that matrices do not have.
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.matrix_norm([[3.0, 0.0], [4.0, 0.0]], ord="nuc")
        Tensor(shape=(), dtype=float32, 5.)
    """
    x = floating(x)
    require_matrix("matrix_norm", x)
    return norm(x, ord, (-2, -1), keepdims)


# -- distances ------------------------------------------------------------------------------------


BLOCK = 1 << 20  # how many differences of coordinates are held at a time


def _distances_spec(x, y):
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            "cdist",
            "two collections of vectors of one length are needed",
            f"x {x.shape}, y {y.shape}",
            "the last axis holds the coordinates, the one before it the vectors",
        )
    batch = broadcast_leading("cdist", x=x, y=y)
    return Spec((*batch, x.shape[-2], y.shape[-2]), x.dtype)


def _distances_vjp(g, out, needs, x, y):
    weights = _nonzero_scale(g, out)
    return (
        unbroadcast(sum(weights, -1, True) * x - weights @ y, x) if needs[0] else None,
        unbroadcast(expand_dims(sum(weights, -2), -1) * y - weights.mT @ x, y) if needs[1] else None,
    )


def _to_real(kinds):
    out = dtypes.to_floating(kinds)
    if dtypes.is_complex(out[0]):
        raise ArgumentError(
            "cdist", "real vectors are needed", f"got {out[0]}", "join real and imaginary parts to longer vectors"
        )
    return out


@custom(vjp=_distances_vjp, infer=_distances_spec, promote=_to_real, tensors=2)
def cdist(x, y):
    """x (..., m, d), y (..., n, d) -> (..., m, n). The Euclidean distance of each vector of x to each of y.

    Computed from differences, so that close points keep their distance (the shorter way over |x|^2 + |y|^2 - 2xy loses
    half of the digits). The gradient for coinciding points is 0.

    Raises:
        ShapeError: if the vectors differ in length.

    Example:
        >>> edl.cdist([[0.0, 0.0], [3.0, 0.0]], [[0.0, 4.0]])
        Tensor(shape=(2, 1), dtype=float32,
        [[4.]
         [5.]])
    """
    spec = _distances_spec(x, y)
    out = devices.module_of(x).empty(spec.shape, spec.dtype)
    x, y = widened(x)[..., :, None, :], widened(y)[..., None, :, :]
    step = builtins.max(1, BLOCK * spec.shape[-2] // builtins.max(1, spec.size * x.shape[-1]))
    for start in range(0, spec.shape[-2], step):
        difference = x[..., start : start + step, :, :] - y
        difference *= difference
        out[..., start : start + step, :] = np.sqrt(np.add.reduce(difference, -1))
    return out
