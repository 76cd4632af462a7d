"""Linear algebra that needs no decomposition: the matrix product, vector norms, distances."""

import builtins
import math

import numpy as np

from eagerdl import config, devices, dtypes
from eagerdl.autograd import Spec, bilinear, custom, unbroadcast
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.arithmetic import absolute, divide, maximum, not_equal, where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.reduction import max, min, reduced_shape, restore, sum
from eagerdl.ops.shape import expand_dims, normalize_axes, transpose
from eagerdl.tensor import Tensor

__all__ = ["cdist", "matmul", "matrix_transpose", "normalize", "vector_norm"]


def floating(x):
    """`x` as a tensor that has derivatives: integers and bools become floatx."""
    x = convert_to_tensor(x)
    return x if x.dtype in dtypes.INEXACT_SET else x.astype(dtypes.floatx())


def widened(array):
    """A raw array in the precision that the linear algebra libraries have: float16 and bfloat16 as float32."""
    return array.astype(np.float32) if array.dtype in HALF else array


HALF = (dtypes.float16, dtypes.bfloat16)


def matrix_transpose(x):
    """x (..., m, n) -> (..., n, m). The last two axes exchanged; `x.mT`.

    Raises:
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.matrix_transpose(edl.ones((4, 2, 3))).shape
        (4, 3, 2)
    """
    if not isinstance(x, Tensor):
        x = convert_to_tensor(x)
    if x.ndim < 2:
        raise ShapeError(
            "matrix_transpose",
            "a matrix or a stack of them is needed",
            f"x has shape {x.shape}",
            "use edl.expand_dims to make a row or column of a vector",
        )
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def adjoint(x):
    """x (..., m, n) -> (..., n, m). Transposed, and conjugated if complex."""
    x = matrix_transpose(x)
    return x.conj() if dtypes.is_complex(x.dtype) else x


def _matmul_spec(x1, x2):
    if not x1.ndim or not x2.ndim:
        raise ShapeError(
            "matmul", "both factors need an axis", f"x1 {x1.shape}, x2 {x2.shape}", "multiply by a scalar with *"
        )
    rows = x2.shape[-2] if x2.ndim > 1 else x2.shape[0]
    if x1.shape[-1] != rows:
        flipped = x2.ndim > 1 and x2.shape[-1] == x1.shape[-1]
        raise ShapeError(
            "matmul",
            "inner sizes must agree",
            f"x1 {x1.shape} has {x1.shape[-1]} columns, x2 {x2.shape} has {rows} rows",
            "did you mean x1 @ x2.mT?" if flipped else "check the order and the axes of the factors",
        )
    try:
        batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    except ValueError:
        raise ShapeError(
            "matmul", "the leading axes must broadcast", f"x1 {x1.shape}, x2 {x2.shape}", "reshape one of them"
        ) from None
    return Spec(
        batch + x1.shape[-2:-1] * (x1.ndim > 1) + x2.shape[-1:] * (x2.ndim > 1), dtypes.result_type(x1.dtype, x2.dtype)
    )


def _rows(x):
    """x (..., m, k) -> (all the rows, k)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _left(g, x1, x2):
    if x2.ndim == 1:
        rows = g.expand_dims(-1) * (x2.conj() if dtypes.is_complex(x2.dtype) else x2)
        return unbroadcast(rows, x1)
    if x1.ndim == 1:
        return unbroadcast((g.expand_dims(-2) @ adjoint(x2)).squeeze(-2), x1)
    return unbroadcast(g @ adjoint(x2), x1)


def _right(g, x1, x2):
    if x1.ndim == 1:
        x1 = x1.conj() if dtypes.is_complex(x1.dtype) else x1
        return unbroadcast(x1.expand_dims(-1) * g.expand_dims(-2), x2) if x2.ndim > 1 else x1 * g
    if x2.ndim == 1:
        return (adjoint(_rows(x1)) @ g.reshape(g.size, 1)).squeeze(-1)
    if x2.ndim == 2 and x1.ndim > 2:
        return adjoint(_rows(x1)) @ _rows(g)  # one product over all rows instead of a sum of small ones
    return unbroadcast(adjoint(x1) @ g, x2)


def product(x1, x2):
    """The matrix product of raw arrays of one dtype."""
    if x1.itemsize == 2 and x1.dtype in HALF and x1.__class__ is np.ndarray:
        # BLAS has no narrow floats
        return product(x1.astype(np.float32), x2.astype(np.float32)).astype(x1.dtype)
    if x1.ndim > 2 and x2.ndim == 2 and (x1.flags.c_contiguous or 0 in x1.strides):
        if x1.size and x1.shape[-1] == x2.shape[0]:  # one product over all rows instead of many small ones
            return np.matmul(x1.reshape(-1, x1.shape[-1]), x2).reshape(*x1.shape[:-1], x2.shape[1])
    return np.matmul(x1, x2)


@bilinear(left=_left, right=_right, infer=_matmul_spec)
def matmul(x1, x2):
    """x1 (..., m, k), x2 (..., k, n) -> (..., m, n). The matrix product; `x1 @ x2`.

    A vector counts as a row on the left and as a column on the right; leading axes broadcast.

    Raises:
        ShapeError: if the inner sizes differ, or the leading axes do not broadcast.

    Example:
        >>> edl.matmul([[1.0, 2.0]], [[3.0], [4.0]])
        Tensor(shape=(1, 1), dtype=float32, [[11.]])
    """
    return product(x1, x2)


# -- norms and distances --------------------------------------------------------------------------


def _nonzero_scale(g, out):
    """g / out, and 0 where out is 0: the norm has a kink there, 0 is its subgradient of least length."""
    flat = out == 0
    return where(flat, 0, g) / where(flat, 1, out)


def norm2_tangent(out, inputs, tangents, params):
    (x,), (t,) = inputs, tangents
    terms = (x.conj() * t).astype(out.dtype) if dtypes.is_complex(x.dtype) else x * t
    return _nonzero_scale(sum(terms, *params), out)


@custom(
    vjp=lambda g, out, x, axis: restore(_nonzero_scale(g, out), x, axis) * x,
    jvp=norm2_tangent,
    promote=dtypes.to_floating,
    infer=lambda x, axis, keepdims: Spec(reduced_shape("norm", x, axis, keepdims), dtypes.real_of(x.dtype)),
)
def norm2(x, axis, keepdims):
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
        return norm2(x, axes, keepdims)
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


BLOCK = 1 << 20  # how many differences of coordinates are held at a time


def _distances_spec(x, y):
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            "cdist",
            "two collections of vectors of one length are needed",
            f"x {x.shape}, y {y.shape}",
            "the last axis holds the coordinates, the one before it the vectors",
        )
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ShapeError(
            "cdist", "the leading axes must broadcast", f"x {x.shape}, y {y.shape}", "reshape one of them"
        ) from None
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
