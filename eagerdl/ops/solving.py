"""Linear systems and what solves them: triangular and general systems, inverses, powers, least squares, rank.

All work on stacks of matrices (..., m, n). float16 and bfloat16 are computed in float32, integers become floatx. The
derivatives are rules in ops, so that they hold at any order. Sources:

    Giles, 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
    Golub & Pereyra, 1973, "The differentiation of pseudo-inverses and nonlinear least squares problems ..."

Cotangents follow TF: for complex matrices the inner product is Re tr(g^H dA).
"""

import builtins

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, unbroadcast
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arrangement import tril, triu
from eagerdl.ops.conversion import convert_to_tensor, floating
from eagerdl.ops.linalg import (
    CONVERGE,
    HALF,
    adjoint,
    broadcast_leading,
    call_lapack,
    identity_like,
    linalg_of,
    matmul,
    require_matrix,
    require_square,
    scipy_linalg_of,
    square_spec,
    widened,
)
from eagerdl.ops.shape import broadcast_to, expand_dims, squeeze
from eagerdl.tensor import to_array

__all__ = ["inv", "lstsq", "matrix_power", "matrix_rank", "pinv", "solve", "solve_triangular"]


# -- systems of equations -------------------------------------------------------------------------


def _system_spec(where):
    def infer(a, b, *params):
        require_square(where, a, "a")
        if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
            stack = b.shape == (*a.shape[:-1], 1) or b.shape[:-1] == a.shape[:-2]
            raise ShapeError(
                where,
                "b has as many rows as a",
                f"a {a.shape}, b {b.shape}",
                "pass a stack of vectors as b[..., None]" if stack else "check the order of the arguments",
            )
        return Spec((*broadcast_leading(where, a=a, b=b), *b.shape[-2:]), b.dtype)

    return infer


def _as_columns(op, a, b, *params):
    """`op` of (a, b) for a matrix or stack of them b, or for one vector."""
    a, b = convert_to_tensor(a), convert_to_tensor(b)
    if b.ndim == 1:
        return squeeze(op(a, expand_dims(b, -1), *params), -1)
    return op(a, b, *params)


def _triangular_vjp(g, out, needs, a_spec, a, b_spec, lower):
    to_b = _solve_triangular(adjoint(a), g, not lower)
    to_a = unbroadcast((tril if lower else triu)(-(to_b @ adjoint(out))), a_spec) if needs[0] else None
    return to_a, unbroadcast(to_b, b_spec) if needs[1] else None


SMALL = 16  # sizes up to which one general solver for the whole stack beats a loop over triangular ones


@custom(vjp=_triangular_vjp, infer=_system_spec("solve_triangular"), promote=dtypes.to_floating, tensors=2)
def _solve_triangular(a, b, lower):
    """a (..., n, n) of which one triangle is read, b (..., n, k) -> (..., n, k)."""
    dtype, a, b = a.dtype, widened(a), widened(b)
    need = ("solve_triangular", "no element of the diagonal of a is 0", "check the diagonal, or use edl.lstsq")
    module = devices.module_of(a)
    if a.ndim == b.ndim == 2 and a.size and b.size and a.shape[0] == b.shape[0]:
        return call_lapack(*need, scipy_linalg_of(a).solve_triangular, a, b, lower=lower, check_finite=False).astype(
            dtype, copy=False
        )
    if a.shape[-1] <= SMALL or module is not np or a.shape[-2:-1] != b.shape[-2:-1]:
        return call_lapack(*need, linalg_of(a).solve, module.tril(a) if lower else module.triu(a), b).astype(
            dtype, copy=False
        )
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty((*batch, *b.shape[-2:]), dtype)
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, out.shape)
    solve_one = scipy_linalg_of(a).solve_triangular
    for index in np.ndindex(batch):
        out[index] = call_lapack(*need, solve_one, a[index], b[index], lower=lower, check_finite=False)
    return out


def solve_triangular(a, b, lower=False):
    """a (..., n, n), b (..., n, k) or (n,) -> (..., n, k) or (..., n). The x with a x = b for triangular a.

    Only one triangle of `a` is read, and the gradient of the other is 0.

    Args:
        a: the upper triangular matrix, or lower.
        b: the right-hand sides, the columns of a matrix, or one vector.
        lower: whether the lower triangle is read.

    Raises:
        ArgumentError: if an element of the diagonal is 0.
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.solve_triangular([[2.0, 1.0], [0.0, 4.0]], [4.0, 8.0])
        Tensor(shape=(2,), dtype=float32, [1. 2.])
    """
    return _as_columns(_solve_triangular, a, b, builtins.bool(lower))


def _solve_vjp(g, out, needs, a, b_spec):
    to_b = _solve(adjoint(a), g)
    return (
        unbroadcast(-(to_b @ adjoint(out)), a) if needs[0] else None,
        unbroadcast(to_b, b_spec) if needs[1] else None,
    )


def _solve_tangent(out, inputs, tangents, params):
    (a, _), (da, db) = inputs, tangents
    if da is None:
        return _solve(a, broadcast_to(db, out.shape))
    return _solve(a, -(da @ out) if db is None else db - da @ out)


SINGULAR = (
    "the matrix must be invertible",
    "use edl.pinv or edl.lstsq, or add a small multiple of the identity (edl.eye) to it",
)


@custom(vjp=_solve_vjp, jvp=_solve_tangent, infer=_system_spec("solve"), promote=dtypes.to_floating, tensors=2)
def _solve(a, b):
    """a (..., n, n), b (..., n, k) -> (..., n, k)."""
    return call_lapack("solve", *SINGULAR, linalg_of(a).solve, widened(a), widened(b)).astype(a.dtype, copy=False)


def solve(a, b):
    """a (..., n, n), b (..., n, k) or (n,) -> (..., n, k) or (..., n). The x with a x = b.

    `b` is a matrix or a stack of them unless it has one axis, as in the array API: pass a stack of vectors as
    b[..., None].

    Raises:
        ArgumentError: if a matrix is singular.
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
        Tensor(shape=(2,), dtype=float32, [1.  0.5])

    Source: Giles, 2008, section 2.3.1.
    """
    return _as_columns(_solve, a, b)


# -- inverses and powers --------------------------------------------------------------------------


def _inv_vjp(g, out):
    back = adjoint(out)
    return -(back @ g @ back)


@custom(
    vjp=_inv_vjp,
    jvp=lambda out, inputs, tangents, params: -(out @ tangents[0] @ out),
    infer=square_spec("inv"),
    promote=dtypes.to_floating,
)
def inv(x):
    """x (..., n, n) -> (..., n, n). The inverse of each matrix; `solve` is faster and more exact for inv(a) @ b.

    Raises:
        ArgumentError: if a matrix is singular.
        ShapeError: if the matrices are not square.

    Example:
        >>> edl.inv([[2.0, 0.0], [0.0, 4.0]])
        Tensor(shape=(2, 2), dtype=float32,
        [[0.5  0.  ]
         [0.   0.25]])

    Source: Giles, 2008, section 2.2.3.
    """
    return call_lapack("inv", *SINGULAR, linalg_of(x).inv, widened(x)).astype(x.dtype, copy=False)


def matrix_power(x, n):
    """x (..., k, k) -> (..., k, k). The product of n factors x, by repeated squaring; of inverses for negative n.

    Args:
        x: square matrices.
        n: an int.

    Raises:
        DTypeError: if n is not an int.
        ShapeError: if the matrices are not square.

    Example:
        >>> edl.matrix_power([[1.0, 1.0], [0.0, 1.0]], 3)
        Tensor(shape=(2, 2), dtype=float32,
        [[1. 3.]
         [0. 1.]])
    """
    x = convert_to_tensor(x)
    require_square("matrix_power", x)
    try:
        n = n.__index__()
    except AttributeError:
        raise DTypeError(
            "matrix_power", "the power is an int", f"got n={n!r}", "use edl.eigh for other powers"
        ) from None
    if n == 0:
        return broadcast_to(identity_like(x, x.shape[-1]), x.shape)
    if n < 0:
        x, n = inv(x), -n
    out = None
    while n:
        if n & 1:
            out = x if out is None else matmul(out, x)
        n >>= 1
        if n:
            x = matmul(x, x)
    return out


# -- pseudo-inverse, least squares, rank ----------------------------------------------------------


def _default_rtol(shape, dtype):
    return builtins.max(shape[-2:]) * float(np.finfo(np.float32 if dtype in HALF else dtype).eps)


def _pinv_vjp(g, out, x):
    outt, gt = adjoint(out), adjoint(g)
    return -(outt @ g @ outt) + (gt - x @ (out @ gt)) @ (out @ outt) + (outt @ out) @ (gt - (gt @ out) @ x)


def _pinv_spec(x, rtol):
    require_matrix("pinv", x)
    return Spec((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)


@custom(vjp=_pinv_vjp, infer=_pinv_spec, promote=dtypes.to_floating)
def _pinv(x, rtol):
    """x (..., m, n) -> (..., n, m)."""
    if x.size == 0:
        return devices.module_of(x).zeros(_pinv_spec(x, rtol).shape, x.dtype)
    return call_lapack("pinv", *CONVERGE, linalg_of(x).pinv, widened(x), rtol).astype(x.dtype, copy=False)


def _threshold(where, first, rtol, x):
    """The threshold that came under Keras' name or as the array API's `rtol`, or the default: a number or raw array."""
    if first is not None and rtol is not None:
        raise ArgumentError(where, "one threshold is needed", "two came", "drop rtol")
    given = first if first is not None else rtol
    if given is None:
        return _default_rtol(x.shape, x.dtype) if x.ndim > 1 else 0.0
    return given if isinstance(given, int | float) else to_array(given)


def pinv(x, rcond=None, *, rtol=None):
    """x (..., m, n) -> (..., n, m). The pseudo-inverse of Moore and Penrose.

    Its gradient supposes that the rank stays the same near by.

    Args:
        x: matrices.
        rcond: singular values below this part of the largest one count as 0; a number, or one for each matrix (...). By
            default max(m, n) times the precision of the dtype.
        rtol: the array API's name for `rcond`.

    Raises:
        ArgumentError: if x is not finite.
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.pinv([[2.0, 0.0], [0.0, 0.0]])
        Tensor(shape=(2, 2), dtype=float32,
        [[0.5 0. ]
         [0.  0. ]])

    Source: Golub & Pereyra, 1973, equation 4.12.
    """
    x = floating(x)
    return _pinv(x, _threshold("pinv", rcond, rtol, x))


def lstsq(a, b, rcond=None):
    """a (..., m, n), b (..., m, k) or (m,) -> (..., n, k) or (n,). The shortest x that makes ||a x - b|| least.

    Args:
        a: matrices.
        b: the right-hand sides, the columns of a matrix, or one vector.
        rcond: as for `pinv`.

    Raises:
        ShapeError: if a and b differ in their rows.

    Example:
        >>> np.round(edl.lstsq([[1.0], [1.0]], [1.0, 3.0]).numpy(), 5)
        array([2.], dtype=float32)
    """
    a, b = floating(a), floating(b)
    require_matrix("lstsq", a)
    if not b.ndim or a.shape[-2] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(
            "lstsq", "b has as many rows as a", f"a {a.shape}, b {b.shape}", "pass a stack of vectors as b[..., None]"
        )
    return matmul(_pinv(a, _threshold("lstsq", rcond, None, a)), b)


def _rank_spec(x, tol, rtol):
    require_matrix("matrix_rank", x)
    return Spec(x.shape[:-2], dtypes.int32)


@custom(infer=_rank_spec, promote=dtypes.to_floating)
def _matrix_rank(x, tol, rtol):
    """x (..., m, n) -> (...) int32."""
    if x.ndim < 2:
        raise ValueError("a matrix is needed")
    s = call_lapack("matrix_rank", *CONVERGE, linalg_of(x).svd, widened(x), compute_uv=False)
    if tol is None and s.shape[-1]:
        tol = s.max(-1) * rtol
    least = np.asarray(0.0 if tol is None else tol, s.dtype) if devices.module_of(x) is np else tol
    return (s > (least[..., None] if getattr(least, "ndim", 0) else least)).sum(-1).astype(np.int32)


def matrix_rank(x, tol=None, *, rtol=None):
    """x (..., m, n) -> (...) int32. How many singular values exceed the threshold.

    Args:
        x: matrices.
        tol: the threshold itself; by default `rtol` times the largest singular value.
        rtol: the threshold as a part of the largest singular value; by default max(m, n) times the dtype's precision.

    Raises:
        ArgumentError: if both thresholds are given.
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.matrix_rank([[1.0, 2.0], [2.0, 4.0]])
        Tensor(shape=(), dtype=int32, 1)
    """
    x = floating(x)
    if tol is None:
        return _matrix_rank(x, None, _threshold("matrix_rank", None, rtol, x))
    return _matrix_rank(x, _threshold("matrix_rank", tol, rtol, x), None)
