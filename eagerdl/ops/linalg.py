"""Linear algebra."""

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, bilinear, unbroadcast
from eagerdl.errors import ShapeError
from eagerdl.ops.shape import transpose

__all__ = ["matmul", "matrix_transpose"]


def matrix_transpose(x):
    """x (..., m, n) -> (..., n, m). The last two axes exchanged; `x.mT`.

    Raises:
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.matrix_transpose(edl.ones((4, 2, 3))).shape
        (4, 3, 2)
    """
    if x.ndim < 2:
        raise ShapeError("matrix_transpose", "a matrix or a stack of them is needed", f"x has shape {x.shape}",
                         "use edl.expand_dims to make a row or column of a vector")  # fmt: skip
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def adjoint(x):
    """x (..., m, n) -> (..., n, m). Transposed, and conjugated if complex."""
    x = matrix_transpose(x)
    return x.conj() if dtypes.is_complex(x.dtype) else x


def _matmul_spec(x1, x2):
    if not x1.ndim or not x2.ndim:
        raise ShapeError("matmul", "both factors need an axis", f"x1 {x1.shape}, x2 {x2.shape}", "multiply by a scalar with *")
    rows = x2.shape[-2] if x2.ndim > 1 else x2.shape[0]
    if x1.shape[-1] != rows:
        flipped = x2.ndim > 1 and x2.shape[-1] == x1.shape[-1]
        raise ShapeError("matmul", "inner sizes must agree",
                         f"x1 {x1.shape} has {x1.shape[-1]} columns, x2 {x2.shape} has {rows} rows",
                         "did you mean x1 @ x2.mT?" if flipped else "check the order and the axes of the factors")  # fmt: skip
    try:
        batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    except ValueError:
        raise ShapeError("matmul", "the leading axes must broadcast", f"x1 {x1.shape}, x2 {x2.shape}", "reshape one of them") from None
    return Spec(batch + x1.shape[-2:-1] * (x1.ndim > 1) + x2.shape[-1:] * (x2.ndim > 1), dtypes.result_type(x1.dtype, x2.dtype))


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
        return unbroadcast((adjoint(x1) @ g.expand_dims(-1)).squeeze(-1), x2)
    return unbroadcast(adjoint(x1) @ g, x2)


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
    return np.matmul(x1, x2)
