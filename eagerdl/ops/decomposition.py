"""Matrix decompositions: cholesky, qr, lu, svd, and eigenvalues.

All work on stacks of matrices (..., m, n). float16 and bfloat16 are computed in float32, integers become floatx. The
derivatives are rules in ops, so that they hold at any order unless a docstring says otherwise. Sources:

    Giles, 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
    Seeger, Hetzel, Dai, Meissner & Lawrence, 2017, "Auto-differentiating linear algebra", arXiv:1710.08717
    Townsend, 2016, "Differentiating the singular value decomposition"
    Walter & Lehmann, 2010, "Algorithmic differentiation of linear algebra functions with application in optimum
    experimental design", arXiv:1001.1654 (QR)

Cotangents follow TF: for complex matrices the inner product is Re tr(g^H dA).
"""

import builtins
import math
from collections import namedtuple

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.arrangement import tril, triu
from eagerdl.ops.conversion import floating
from eagerdl.ops.linalg import (
    CONVERGE,
    adjoint,
    call_lapack,
    conjugated,
    identity_like,
    linalg_of,
    require_matrix,
    require_square,
    scipy_linalg_of,
    square_spec,
    widened,
)
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import broadcast_to, concatenate, expand_dims
from eagerdl.ops.solving import solve, solve_triangular

__all__ = ["cholesky", "cholesky_inverse", "eig", "eigh", "eigvalsh", "lu_factor", "qr", "svd", "svdvals"]


EigResult = namedtuple("EigResult", "eigenvalues eigenvectors")
EighResult = namedtuple("EighResult", "eigenvalues eigenvectors")
LUResult = namedtuple("LUResult", "lu pivots")
QRResult = namedtuple("QRResult", "Q R")
SVDResult = namedtuple("SVDResult", "U S Vh")


def _reciprocal(x):
    """1 / x, and 0 where x is 0."""
    return where(x == 0, 0, 1 / where(x == 0, 1, x))


def _hermitian(x):
    return (x + adjoint(x)) * 0.5


def _hermitian_array(x):
    """The Hermitian part of a raw array."""
    flipped = x.swapaxes(-1, -2)
    return (x + (flipped.conj() if x.dtype.kind == "c" else flipped)) * x.dtype.type(0.5)


# -- cholesky -------------------------------------------------------------------------------------


def _half_lower(x):
    """The lower triangle with half of the diagonal."""
    return tril(x, -1) + identity_like(x, x.shape[-1]) * x * 0.5


def _cholesky_vjp(g, out):
    back = adjoint(out)
    inner = solve_triangular(back, _half_lower(back @ tril(g)), False)
    return _hermitian(solve_triangular(back, adjoint(inner), False))


def _cholesky_tangent(out, inputs, tangents, params):
    inner = solve_triangular(out, _hermitian(tangents[0]), True)
    return out @ _half_lower(solve_triangular(out, adjoint(inner), True))


POSITIVE = "the matrix must be positive definite", "add a small multiple of the identity (edl.eye) to it"


@custom(vjp=_cholesky_vjp, jvp=_cholesky_tangent, infer=square_spec("cholesky"), promote=dtypes.to_floating)
def _cholesky(x):
    """x (..., n, n) -> (..., n, n) lower triangular."""
    return call_lapack("cholesky", *POSITIVE, linalg_of(x).cholesky, _hermitian_array(widened(x))).astype(
        x.dtype, copy=False
    )


def cholesky(x, upper=False):
    """x (..., n, n) -> (..., n, n). The lower triangular L with x = L L^H for a positive definite matrix; or L^H.

    The Hermitian part of x is what is decomposed, so that value and gradient belong together.

    Args:
        x: symmetric (Hermitian) positive definite matrices.
        upper: whether the upper triangular factor L^H is returned.

    Raises:
        ArgumentError: if a matrix is not positive definite.
        ShapeError: if the matrices are not square.

    Example:
        >>> edl.cholesky([[4.0, 2.0], [2.0, 5.0]])
        Tensor(shape=(2, 2), dtype=float32,
        [[2. 0.]
         [1. 2.]])

    Source: Seeger et al., 2017, section 4.1.
    """
    factor = _cholesky(x)
    return adjoint(factor) if upper else factor


def cholesky_inverse(x, upper=False):
    """x (..., n, n), a Cholesky factor -> (..., n, n). The inverse of the matrix that `x` is the factor of.

    Args:
        x: lower triangular factors L of L L^H, or upper triangular U of U^H U.
        upper: whether x is upper triangular.

    Raises:
        ArgumentError: if an element of the diagonal is 0.

    Example:
        >>> edl.cholesky_inverse([[2.0, 0.0], [0.0, 1.0]])
        Tensor(shape=(2, 2), dtype=float32,
        [[0.25 0.  ]
         [0.   1.  ]])
    """
    x = floating(x)
    require_square("cholesky_inverse", x)
    inverse = solve_triangular(x, identity_like(x, x.shape[-1]), not upper)
    return inverse @ adjoint(inverse) if upper else adjoint(inverse) @ inverse


# -- qr and lu ------------------------------------------------------------------------------------


def _times_inverse_adjoint(x, r):
    """x r^-H for upper triangular r."""
    return adjoint(solve_triangular(r, adjoint(x), False))


def _qr_vjp(g, out, x_spec, mode):
    (gq, gr), (q, r), (m, n) = g, out, x_spec.shape[-2:]
    if mode == "complete" and m > n:
        if gq is not None:
            raise ArgumentError(
                "qr",
                "the complete basis of a tall matrix has no gradient: its last columns are arbitrary",
                f"x {x_spec.shape}, mode='complete'",
                "use mode='reduced'",
            )
        q, r, gr = q[..., :n], r[..., :n, :], gr[..., :n, :]
    inner = 0
    if gr is not None:
        gr = triu(gr)
        inner = gr @ adjoint(r)
    if gq is not None:
        inner = inner - adjoint(q) @ gq
    eye = identity_like(q, q.shape[-1])
    if m >= n:
        strict = triu(inner, 1)
        total = q @ (strict + adjoint(strict) + eye * _hermitian(inner))
        return _times_inverse_adjoint(total if gq is None else total + gq, r)
    skew = adjoint(inner) - inner
    first = q @ _times_inverse_adjoint(tril(skew, -1) + eye * skew * 0.5, r[..., :m])
    padded = concatenate([first, broadcast_to(first[..., :1] * 0, (*first.shape[:-1], n - m))], -1) if m else r * 0
    return padded if gr is None else padded + q @ gr


def _qr_spec(x, mode):
    require_matrix("qr", x)
    m, n = x.shape[-2:]
    k = m if mode == "complete" else builtins.min(m, n)
    return Spec((*x.shape[:-2], m, k), x.dtype), Spec((*x.shape[:-2], k, n), x.dtype)


@custom(vjp=_qr_vjp, infer=_qr_spec, promote=dtypes.to_floating, several=True)
def _qr(x, mode):
    """x (..., m, n) -> q, r."""
    q, r = call_lapack("qr", *CONVERGE, linalg_of(x).qr, widened(x), mode=mode)
    return q.astype(x.dtype, copy=False), r.astype(x.dtype, copy=False)


def qr(x, mode="reduced"):
    """x (..., m, n) -> (Q (..., m, k), R (..., k, n)). An orthonormal Q and an upper triangular R with x = Q R.

    Gradients need a full rank of the first min(m, n) columns; for the complete basis of a tall matrix only R has one.

    Args:
        x: matrices.
        mode: "reduced" for k = min(m, n), "complete" for k = m.

    Raises:
        ArgumentError: for another mode.
        ShapeError: for fewer than two axes.

    Example:
        >>> q, r = edl.qr(edl.constant([[3.0, 1.0], [4.0, 2.0]]))
        >>> np.round((q @ r).numpy(), 5)
        array([[3., 1.],
               [4., 2.]], dtype=float32)

    Source: Walter & Lehmann, 2010, for tall matrices; wide ones as a square one with further columns.
    """
    if mode not in ("reduced", "complete"):
        raise ArgumentError("qr", "mode is 'reduced' or 'complete'", f"got mode={mode!r}", "use 'reduced'")
    return QRResult(*_qr(x, mode))


def _padded_identity(x, size):
    """x (..., m, n) with columns or rows of the identity added to make it (..., size, size)."""
    m, n = x.shape[-2:]
    eye = identity_like(x, size)
    if n < size:
        return concatenate([x, broadcast_to(eye[:, n:], (*x.shape[:-2], size, size - n))], -1)
    return concatenate([x, broadcast_to(eye[m:], (*x.shape[:-2], size - m, size))], -2) if m < size else x


def _rows_of_pivots(pivots, m):
    """The order of rows that a sequence of exchanges (..., k) leaves of m rows."""
    pivots = devices.to_numpy(pivots)
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    order = np.tile(np.arange(m), (flat.shape[0], 1))
    each = np.arange(flat.shape[0])
    for i in range(flat.shape[1]):
        order[each, i], order[each, flat[:, i]] = order[each, flat[:, i]], order[each, i]
    return order.reshape(*pivots.shape[:-1], m)


def _lu_vjp(g, out, x_spec):
    (g, _), (lu, pivots), (m, n) = g, out, x_spec.shape[-2:]
    k = builtins.min(m, n)
    lower = _padded_identity(tril(lu, -1)[..., :k] + identity_like(lu, m)[:, :k], m)
    upper = _padded_identity(triu(lu)[..., :k, :], n)
    inner = tril(adjoint(lower) @ tril(g, -1), -1) + triu(triu(g) @ adjoint(upper))
    inner = solve_triangular(adjoint(lower), _times_inverse_adjoint(inner, upper), False)
    back = np.argsort(_rows_of_pivots(pivots._array, m), -1)
    batch = np.ix_(*map(np.arange, back.shape))[:-1]
    return inner[tuple(map(devices.module_of(lu._array).asarray, (*batch, back)))]


def _lu_spec(x):
    require_matrix("lu_factor", x)
    return Spec(x.shape, x.dtype), Spec((*x.shape[:-2], builtins.min(x.shape[-2:])), dtypes.int32)


@custom(vjp=_lu_vjp, infer=_lu_spec, promote=dtypes.to_floating, several=True)
def _lu_factor(x):
    """x (..., m, n) -> the packed factors (..., m, n), pivots (..., min(m, n))."""
    packed, pivots = _lu_spec(x)
    module, wide = devices.module_of(x), widened(x)
    lu, rows = module.empty(packed.shape, wide.dtype), module.empty(pivots.shape, np.int32)
    if module is np and lu.size:
        # LAPACK's routine itself: SciPy's wrapper warns about singular matrices, whose factors are as good as others
        (factor,) = scipy_linalg_of(x).lapack.get_lapack_funcs(("getrf",), (wide,))
    elif lu.size:
        factor = scipy_linalg_of(x).lu_factor
    for index in np.ndindex(x.shape[:-2] if lu.size else (0,)):
        lu[index], rows[index] = factor(wide[index])[:2]
    return lu.astype(x.dtype, copy=False), rows


def lu_factor(x):
    """x (..., m, n) -> (LU (..., m, n), pivots (..., min(m, n)) int32). The factors of x with its rows exchanged.

    LU holds the upper triangular U, and below its diagonal the lower triangular L, whose diagonal of ones is left out.
    In step i row i was exchanged with row pivots[i].

    Raises:
        ShapeError: for fewer than two axes.

    Example:
        >>> lu, pivots = edl.lu_factor(edl.constant([[1.0, 2.0], [4.0, 4.0]]))
        >>> lu
        Tensor(shape=(2, 2), dtype=float32,
        [[4.   4.  ]
         [0.25 1.  ]])

    Source: of the derivative: de Hoog, Anderssen & Lukas, 2011, "Differentiation of matrix functionals using triangular
    factorization", Mathematics of Computation 80.
    """
    return LUResult(*_lu_factor(x))


# -- singular values ------------------------------------------------------------------------------


def _svd_vjp(g, out, full_matrices):
    """Seeger et al., 2017, section 4.3 and Townsend, 2016, with the complement of the bases and complex phases.

    With ku = U^H gU, kv = V^H gV and F_ij = 1 / (s_j^2 - s_i^2) the cotangent is U G V^H, where G = ((ku - ku^H) F) S +
    S ((kv - kv^H) F) + diag(gs) for the first k columns, and the parts of gU and gV outside of them are divided by S.
    """
    (gu, gs, gvh), (u, s, vh) = g, out
    k = s.shape[-1]
    if gu is None and gvh is None:
        return (u[..., :k] * expand_dims(gs, -2)) @ vh[..., :k, :]
    u1, vh1, row, column = u[..., :k], vh[..., :k, :], expand_dims(s, -2), expand_dims(s, -1)
    gaps = _reciprocal((row - column) * (row + column))
    core = 0 if gs is None else identity_like(s, k) * expand_dims(gs, -2)
    phases, outside = 0, 0
    if gu is not None:
        gu1 = gu[..., :k]
        ku = adjoint(u1) @ gu1
        skew = ku - adjoint(ku)
        core, phases = core + skew * gaps * row, skew
        beyond = gu1 - u1 @ ku
        if u.shape[-1] > k:
            beyond = beyond - u[..., k:] @ (adjoint(gu[..., k:]) @ u1)
        outside = (beyond * _reciprocal(row)) @ vh1
    if gvh is not None:
        gvh1 = gvh[..., :k, :]
        kv = vh1 @ adjoint(gvh1)
        skew = kv - adjoint(kv)
        core, phases = core + column * skew * gaps, phases - skew
        beyond = gvh1 - (gvh1 @ adjoint(vh1)) @ vh1
        if vh.shape[-2] > k:
            beyond = beyond - (vh1 @ adjoint(gvh[..., k:, :])) @ vh[..., k:, :]
        outside = outside + u1 @ (_reciprocal(column) * beyond)
    if dtypes.is_complex(u.dtype):
        core = core + identity_like(s, k) * phases * _reciprocal(row) * 0.25
    return u1 @ core @ vh1 + outside


def _svd_spec(x, full_matrices):
    require_matrix("svd", x)
    *batch, m, n = x.shape
    k = builtins.min(m, n)
    sizes = (m, n) if full_matrices else (k, k)
    return (
        Spec((*batch, m, sizes[0]), x.dtype),
        Spec((*batch, k), dtypes.real_of(x.dtype)),
        Spec((*batch, sizes[1], n), x.dtype),
    )


@custom(vjp=_svd_vjp, infer=_svd_spec, promote=dtypes.to_floating, several=True)
def _svd(x, full_matrices):
    """x (..., m, n) -> u, s, vh."""
    u, s, vh = call_lapack("svd", *CONVERGE, linalg_of(x).svd, widened(x), full_matrices=full_matrices)
    return u.astype(x.dtype, copy=False), s.astype(dtypes.real_of(x.dtype), copy=False), vh.astype(x.dtype, copy=False)


def _svdvals_vjp(g, x):
    u, _, vh = _svd(x, False)
    return (u * expand_dims(g, -2)) @ vh


@custom(vjp=_svdvals_vjp, infer=lambda x: _svd_spec(x, False)[1], promote=dtypes.to_floating)
def svdvals(x):
    """x (..., m, n) -> (..., min(m, n)) real. The singular values, the largest first.

    Raises:
        ShapeError: for fewer than two axes.

    Example:
        >>> edl.svdvals([[0.0, 2.0], [1.0, 0.0]])
        Tensor(shape=(2,), dtype=float32, [2. 1.])
    """
    s = call_lapack("svdvals", *CONVERGE, linalg_of(x).svd, widened(x), compute_uv=False)
    return s.astype(dtypes.real_of(x.dtype), copy=False)


def svd(x, full_matrices=True, compute_uv=True):
    """x (..., m, n) -> (U (..., m, m), S (..., k), Vh (..., n, n)), k = min(m, n). x = U diag(S) Vh, cut to k.

    The singular values fall; the singular vectors are the columns of U and the rows of Vh. Their signs (phases, for
    complex x) are arbitrary, and so are the vectors beyond k: gradients are those of functions that do not depend on
    this choice. Where singular values coincide, or are 0, derivatives by the vectors are not defined, and the infinite
    terms are left out.

    Args:
        x: matrices.
        full_matrices: whether U and Vh are square; else they have k columns and k rows.
        compute_uv: whether U and Vh are wanted; else S alone is returned.

    Raises:
        ArgumentError: if x is not finite.
        ShapeError: for fewer than two axes.

    Example:
        >>> u, s, vh = edl.svd(edl.constant([[0.0, 2.0], [1.0, 0.0]]))
        >>> s
        Tensor(shape=(2,), dtype=float32, [2. 1.])

    Source: Seeger et al., 2017, section 4.3; Townsend, 2016.
    """
    return SVDResult(*_svd(x, builtins.bool(full_matrices))) if compute_uv else svdvals(x)


# -- eigenvalues ----------------------------------------------------------------------------------


def _eigh_vjp(g, out):
    (gw, gv), (w, v) = g, out
    core = 0 if gw is None else identity_like(w, w.shape[-1]) * expand_dims(gw, -2)
    if gv is not None:
        k = adjoint(v) @ gv
        core = core + (k - adjoint(k)) * _reciprocal(expand_dims(w, -2) - expand_dims(w, -1)) * 0.5
    return v @ core @ adjoint(v)


def _eigh_spec(x):
    require_square("eigh", x)
    return Spec(x.shape[:-1], dtypes.real_of(x.dtype)), Spec(x.shape, x.dtype)


@custom(vjp=_eigh_vjp, infer=_eigh_spec, promote=dtypes.to_floating, several=True)
def _eigh(x):
    """x (..., n, n) -> eigenvalues, eigenvectors."""
    w, v = call_lapack("eigh", *CONVERGE, linalg_of(x).eigh, _hermitian_array(widened(x)))
    return w.astype(dtypes.real_of(x.dtype), copy=False), v.astype(x.dtype, copy=False)


def eigh(x):
    """x (..., n, n) -> (eigenvalues (..., n) real, eigenvectors (..., n, n)). Those of a symmetric (Hermitian) matrix.

    The eigenvalues rise; the eigenvectors are the columns. The Hermitian part of x is what is decomposed. The signs
    (phases) of the vectors are arbitrary; where eigenvalues coincide, derivatives by the vectors are not defined, and
    the infinite terms are left out.

    Raises:
        ArgumentError: if x is not finite.
        ShapeError: if the matrices are not square.

    Example:
        >>> w, v = edl.eigh(edl.constant([[2.0, 0.0], [0.0, 1.0]]))
        >>> w
        Tensor(shape=(2,), dtype=float32, [1. 2.])

    Source: Giles, 2008, section 3.1; Seeger et al., 2017, section 4.2.
    """
    return EighResult(*_eigh(x))


def _eigvalsh_vjp(g, x):
    v = _eigh(x)[1]
    return (v * expand_dims(g, -2)) @ adjoint(v)


@custom(
    vjp=_eigvalsh_vjp, infer=lambda x: (require_square("eigvalsh", x), _eigh_spec(x)[0])[1], promote=dtypes.to_floating
)
def eigvalsh(x):
    """x (..., n, n) -> (..., n) real. The eigenvalues of the Hermitian part of each matrix, the smallest first.

    Raises:
        ArgumentError: if x is not finite.
        ShapeError: if the matrices are not square.

    Example:
        >>> edl.eigvalsh([[2.0, 0.0], [0.0, 1.0]])
        Tensor(shape=(2,), dtype=float32, [1. 2.])
    """
    w = call_lapack("eigvalsh", *CONVERGE, linalg_of(x).eigvalsh, _hermitian_array(widened(x)))
    return w.astype(dtypes.real_of(x.dtype), copy=False)


def _eig_vjp(g, out, x_spec):
    """Boeddeker et al., 2017, arXiv:1701.00392, equations 4.60 and 4.77, with vectors of length 1."""
    (gw, gv), (w, v) = g, out
    eye = identity_like(w, w.shape[-1])
    back = adjoint(v)
    core = 0 if gw is None else eye * expand_dims(gw, -2)
    if gv is not None:
        k = back @ gv
        along = sum(eye * (k + conjugated(k)) * 0.5, -2, True)
        core = core + (k - back @ (v * along)) * conjugated(_reciprocal(expand_dims(w, -2) - expand_dims(w, -1)))
    return solve(back, core @ back).astype(x_spec.dtype)


def _eig_spec(x):
    require_square("eig", x)
    dtype = dtypes.complex_of(x.dtype)
    return Spec(x.shape[:-1], dtype), Spec(x.shape, dtype)


@custom(vjp=_eig_vjp, infer=_eig_spec, promote=dtypes.to_floating, several=True)
def _eig(x):
    """x (..., n, n) -> eigenvalues, eigenvectors, complex."""
    w, v = call_lapack("eig", *CONVERGE, linalg_of(x).eig, widened(x))
    dtype = dtypes.complex_of(x.dtype)
    return w.astype(dtype, copy=False), v.astype(dtype, copy=False)


def eig(x):
    """x (..., n, n) -> (eigenvalues (..., n), eigenvectors (..., n, n)), always complex. Those of any square matrix.

    The eigenvectors are the columns, of length 1; the eigenvalues come in no particular order. Gradients need distinct
    eigenvalues, and functions that do not depend on the arbitrary phases of the vectors.

    Raises:
        ArgumentError: if x is not finite.
        ShapeError: if the matrices are not square.

    Example:
        >>> w, v = edl.eig(edl.constant([[0.0, -1.0], [1.0, 0.0]]))
        >>> w
        Tensor(shape=(2,), dtype=complex64, [0.+1.j 0.-1.j])

    Source: Giles, 2008, section 3.1; Boeddeker et al., 2017, arXiv:1701.00392.
    """
    return EigResult(*_eig(x))
