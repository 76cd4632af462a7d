"""Linear algebra: the array API's `linalg` area and what Keras adds to it, the same functions as in `eagerdl.ops`.

`diagonal` and `trace` differ from their namesakes at the top: as the array API has it, they take the last two axes.
"""

from eagerdl.ops import arrangement as _arrangement
from eagerdl.ops import (
    cholesky,
    cholesky_inverse,
    cross,
    det,
    eig,
    eigh,
    eigvalsh,
    inv,
    logdet,
    lstsq,
    lu_factor,
    matmul,
    matrix_norm,
    matrix_power,
    matrix_rank,
    matrix_transpose,
    norm,
    outer,
    pinv,
    qr,
    slogdet,
    solve,
    solve_triangular,
    svd,
    svdvals,
    tensordot,
    vecdot,
    vector_norm,
)
from eagerdl.ops.conversion import convert_to_tensor as _convert_to_tensor
from eagerdl.ops.decomposition import EighResult, EigResult, LUResult, QRResult, SVDResult
from eagerdl.ops.determinants import SlogdetResult

__all__ = [
    "EigResult",
    "EighResult",
    "LUResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cholesky_inverse",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvalsh",
    "inv",
    "logdet",
    "lstsq",
    "lu_factor",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def diagonal(x, *, offset=0):
    """x (..., m, n) -> (..., k). The diagonal of each matrix, or the one `offset` places to its right.

    Raises:
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.linalg.diagonal(edl.ones((4, 2, 3))).shape
        (4, 2)
    """
    return _arrangement.diagonal(_convert_to_tensor(x), offset, -2, -1)


def trace(x, *, offset=0, dtype=None):
    """x (..., m, n) -> (...). The sum of the diagonal of each matrix; of small integers in 32 bits.

    Args:
        x: matrices.
        offset: which diagonal, counted to the right.
        dtype: the dtype to sum in and to return.

    Raises:
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.linalg.trace(edl.ones((4, 2, 3)))
        Tensor(shape=(4,), dtype=float32, [2. 2. 2. 2.])
    """
    x = _convert_to_tensor(x)
    return _arrangement.trace(x if dtype is None else x.astype(dtype), offset, -2, -1)
