"""Matrices: the product, the transpose, and what the files on linear algebra share."""

import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, bilinear, unbroadcast
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.shape import transpose
from eagerdl.tensor import Tensor, from_array

__all__ = ["matmul", "matrix_transpose"]


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
    require_matrix("matrix_transpose", x)
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def adjoint(x):
    """x (..., m, n) -> (..., n, m). Transposed, and conjugated if complex."""
    return conjugated(matrix_transpose(x))


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
    batch = broadcast_leading("matmul", x1=x1, x2=x2)
    return Spec(
        batch + x1.shape[-2:-1] * (x1.ndim > 1) + x2.shape[-1:] * (x2.ndim > 1), dtypes.result_type(x1.dtype, x2.dtype)
    )


def _rows(x):
    """x (..., m, k) -> (all the rows, k)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _left(g, x1, x2):
    if x2.ndim == 1:
        rows = g.expand_dims(-1) * conjugated(x2)
        return unbroadcast(rows, x1)
    if x1.ndim == 1:
        return unbroadcast((g.expand_dims(-2) @ adjoint(x2)).squeeze(-2), x1)
    return unbroadcast(g @ adjoint(x2), x1)


def _right(g, x1, x2):
    if x1.ndim == 1:
        x1 = conjugated(x1)
        return unbroadcast(x1.expand_dims(-1) * g.expand_dims(-2), x2) if x2.ndim > 1 else x1 * g
    if x2.ndim == 1:
        return (adjoint(_rows(x1)) @ g.reshape(g.size, 1)).squeeze(-1)
    if x2.ndim == 2 and x1.ndim > 2:
        return adjoint(_rows(x1)) @ _rows(g)  # one product over all rows instead of a sum of small ones
    return unbroadcast(adjoint(x1) @ g, x2)


raw_product = np.matmul


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
    if x1.itemsize == 2 and x1.dtype in HALF and isinstance(x1, devices.ARRAYS):
        # BLAS has no narrow floats
        return product(x1.astype(np.float32), x2.astype(np.float32)).astype(x1.dtype)
    if x1.ndim > 2 and x2.ndim == 2 and (x1.flags.c_contiguous or 0 in x1.strides):
        if x1.size and x1.shape[-1] == x2.shape[0]:  # one product over all rows instead of many small ones
            return raw_product(x1.reshape(-1, x1.shape[-1]), x2).reshape(*x1.shape[:-1], x2.shape[1])
    return raw_product(x1, x2)


product = matmul.primitive.forward  # of raw arrays of one dtype


# -- what the files on linear algebra share -------------------------------------------------------------


def require_matrix(where, x):
    """Refuses a tensor without rows and columns."""
    if x.ndim < 2:
        raise ShapeError(
            where,
            "a matrix or a stack of them is needed",
            f"x has shape {x.shape}",
            "use edl.expand_dims to make a row or column of a vector",
        )


def require_square(where, x, name="x"):
    """Refuses a tensor that is no square matrix or stack of them."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            where, "square matrices are needed", f"{name} has shape {x.shape}", "a stack of them has shape (..., n, n)"
        )


def broadcast_leading(where, **stacks):
    """The shape to which the leading axes of stacks of matrices broadcast; their names are for the error.

    Raises:
        ShapeError: if they do not.
    """
    try:
        return np.broadcast_shapes(*[x.shape[:-2] for x in stacks.values()])
    except ValueError:
        came = ", ".join(f"{name} {x.shape}" for name, x in stacks.items())
        raise ShapeError(where, "the leading axes must broadcast", came, "reshape one of them") from None


def square_spec(where):
    """The rule for shapes of an op that turns square matrices into as large ones."""

    def infer(x):
        require_square(where, x)
        return Spec(x.shape, x.dtype)

    return infer


def call_lapack(where, requirement, remedy, function, *arrays, **options):
    """`function` of raw arrays, with an error that says what the matrix must be like where it fails."""
    try:
        return function(*arrays, **options)
    except np.linalg.LinAlgError as error:
        if "dimension" in str(error) or "square" in str(error):
            raise  # the rule for shapes explains it
        x = arrays[0]
        raise ArgumentError(where, requirement, f"x {x.shape} {x.dtype}: {error}", remedy) from None


CONVERGE = "the iteration must converge", "look for NaN and infinity in x"


def linalg_of(array):
    """numpy.linalg, or CuPy's."""
    return devices.module_of(array).linalg


def scipy_linalg_of(array):
    """scipy.linalg, or CuPy's part of it."""
    if devices.module_of(array) is np:
        import scipy.linalg

        return scipy.linalg
    import cupyx.scipy.linalg

    return cupyx.scipy.linalg


def identity_like(x, n):
    """The identity (n, n) with the dtype and device of the tensor x."""
    return from_array(devices.module_of(x._array).eye(n, dtype=x.dtype))


def conjugated(x):
    """A tensor, conjugated if it is complex."""
    return x.conj() if dtypes.is_complex(x.dtype) else x
