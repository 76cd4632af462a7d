"""Matrix decompositions and what rests on them: cholesky, qr, svd, eigh, eig, lu, solve, inv, det, pinv, norms.

All work on stacks of matrices (..., m, n). float16 and bfloat16 are computed in float32, integers become floatx. The
derivatives are rules in ops, so that they hold at any order unless a docstring says otherwise. Sources:

    Giles, 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
    Seeger, Hetzel, Dai, Meissner & Lawrence, 2017, "Auto-differentiating linear algebra", arXiv:1710.08717
    Townsend, 2016, "Differentiating the singular value decomposition"
    Walter & Lehmann, 2010, "Algorithmic differentiation of linear algebra functions with application in optimum
    experimental design", arXiv:1001.1654 (QR)
    Golub & Pereyra, 1973, "The differentiation of pseudo-inverses and nonlinear least squares problems ..."

Cotangents follow TF: for complex matrices the inner product is Re tr(g^H dA).
"""

import builtins
import math
from collections import namedtuple

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, linear, unbroadcast
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import absolute, where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.linalg import HALF, adjoint, floating, matmul, norm2, vector_norm, widened
from eagerdl.ops.reduction import max, min, sum
from eagerdl.ops.shape import broadcast_to, concatenate, expand_dims, normalize_axes, squeeze, transpose
from eagerdl.tensor import from_array, to_array

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "eigvalsh",
    "inv",
    "logdet",
    "lstsq",
    "lu_factor",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
]

EigResult = namedtuple("EigResult", "eigenvalues eigenvectors")
EighResult = namedtuple("EighResult", "eigenvalues eigenvectors")
LUResult = namedtuple("LUResult", "lu pivots")
QRResult = namedtuple("QRResult", "Q R")
SlogdetResult = namedtuple("SlogdetResult", "sign logabsdet")
SVDResult = namedtuple("SVDResult", "U S Vh")


# -- what the ops share ---------------------------------------------------------------------------


def _require_matrix(where, x):
    if x.ndim < 2:
        raise ShapeError(
            where, "a matrix or a stack of them is needed", f"x has shape {x.shape}", "use edl.expand_dims"
        )


def _require_square(where, x, name="x"):
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            where, "square matrices are needed", f"{name} has shape {x.shape}", "a stack of them has shape (..., n, n)"
        )


def _square_spec(where):
    def infer(x):
        _require_square(where, x)
        return Spec(x.shape, x.dtype)

    return infer


def _lapack(where, requirement, remedy, function, *arrays, **options):
    """`function` of raw arrays, with an error that says what the matrix must be like where it fails."""
    try:
        return function(*arrays, **options)
    except np.linalg.LinAlgError as error:
        if "dimension" in str(error) or "square" in str(error):
            raise  # the rule for shapes explains it
        x = arrays[0]
        raise ArgumentError(where, requirement, f"x {x.shape} {x.dtype}: {error}", remedy) from None


CONVERGE = "the iteration must converge", "look for NaN and infinity in x"


def _linalg(array):
    return devices.module_of(array).linalg


def _eye(x, n):
    """The identity (n, n) with the dtype and device of the tensor x."""
    return from_array(devices.module_of(x._array).eye(n, dtype=x.dtype))


@linear(transpose=lambda g, k, lower: _triangle(g, k, lower), infer=lambda x, k, lower: Spec(x.shape, x.dtype))
def _triangle(x, k, lower):
    """x (..., m, n) -> (..., m, n). Zero above the k-th diagonal, or below it."""
    module = devices.module_of(x)
    return module.tril(x, k) if lower else module.triu(x, k)


def _lower(x, k=0):
    return _triangle(x, k, True)


def _upper(x, k=0):
    return _triangle(x, k, False)


def _reciprocal(x):
    """1 / x, and 0 where x is 0."""
    return where(x == 0, 0, 1 / where(x == 0, 1, x))


def _hermitian(x):
    return (x + adjoint(x)) * 0.5


def _hermitian_array(x):
    """The Hermitian part of a raw array."""
    flipped = x.swapaxes(-1, -2)
    return (x + (flipped.conj() if x.dtype.kind == "c" else flipped)) * x.dtype.type(0.5)


# -- triangular systems, linear systems, inverse ----------------------------------------------------


def _system_spec(where):
    def infer(a, b, *params):
        _require_square(where, a, "a")
        if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
            stack = b.shape == (*a.shape[:-1], 1) or b.shape[:-1] == a.shape[:-2]
            raise ShapeError(
                where,
                "b has as many rows as a",
                f"a {a.shape}, b {b.shape}",
                "pass a stack of vectors as b[..., None]" if stack else "check the order of the arguments",
            )
        try:
            batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            raise ShapeError(
                where, "the leading axes must broadcast", f"a {a.shape}, b {b.shape}", "reshape one of them"
            ) from None
        return Spec((*batch, *b.shape[-2:]), b.dtype)

    return infer


def _as_columns(op, a, b, *params):
    """`op` of (a, b) for a matrix or stack of them b, or for one vector."""
    a, b = convert_to_tensor(a), convert_to_tensor(b)
    if b.ndim == 1:
        return squeeze(op(a, expand_dims(b, -1), *params), -1)
    return op(a, b, *params)


def _triangular_vjp(g, out, needs, a_spec, a, b_spec, lower):
    to_b = _solve_triangular(adjoint(a), g, not lower)
    to_a = unbroadcast(_triangle(-(to_b @ adjoint(out)), 0, lower), a_spec) if needs[0] else None
    return to_a, unbroadcast(to_b, b_spec) if needs[1] else None


SMALL = 16  # sizes up to which one general solver for the whole stack beats a loop over triangular ones


@custom(vjp=_triangular_vjp, infer=_system_spec("solve_triangular"), promote=dtypes.to_floating, tensors=2)
def _solve_triangular(a, b, lower):
    """a (..., n, n) of which one triangle is read, b (..., n, k) -> (..., n, k)."""
    dtype, a, b = a.dtype, widened(a), widened(b)
    need = ("solve_triangular", "no element of the diagonal of a is 0", "check the diagonal, or use edl.lstsq")
    module = devices.module_of(a)
    if a.ndim == b.ndim == 2 and a.size and b.size and a.shape[0] == b.shape[0]:
        return _lapack(*need, _scipy_linalg(a).solve_triangular, a, b, lower=lower, check_finite=False).astype(
            dtype, copy=False
        )
    if a.shape[-1] <= SMALL or module is not np or a.shape[-2:-1] != b.shape[-2:-1]:
        return _lapack(*need, _linalg(a).solve, module.tril(a) if lower else module.triu(a), b).astype(
            dtype, copy=False
        )
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty((*batch, *b.shape[-2:]), dtype)
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, out.shape)
    solve_one = _scipy_linalg(a).solve_triangular
    for index in np.ndindex(batch):
        out[index] = _lapack(*need, solve_one, a[index], b[index], lower=lower, check_finite=False)
    return out


def _scipy_linalg(array):
    """scipy.linalg, or CuPy's part of it."""
    if devices.module_of(array) is np:
        import scipy.linalg

        return scipy.linalg
    import cupyx.scipy.linalg

    return cupyx.scipy.linalg


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
    return _lapack("solve", *SINGULAR, _linalg(a).solve, widened(a), widened(b)).astype(a.dtype, copy=False)


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


def _inv_vjp(g, out):
    back = adjoint(out)
    return -(back @ g @ back)


@custom(
    vjp=_inv_vjp,
    jvp=lambda out, inputs, tangents, params: -(out @ tangents[0] @ out),
    infer=_square_spec("inv"),
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
    return _lapack("inv", *SINGULAR, _linalg(x).inv, widened(x)).astype(x.dtype, copy=False)


# -- determinants -----------------------------------------------------------------------------------


def _is_well_conditioned(array):
    """Whether the inverse of every matrix of a raw array has some correct digits."""
    array = widened(array)
    try:
        with np.errstate(all="ignore"):
            inverse = _linalg(array).inv(array)
            sizes = [np.abs(a).sum(-2).max(-1) if a.size else np.zeros(()) for a in (array, inverse)]
            return builtins.bool((sizes[0] * sizes[1] < 1e-3 / np.finfo(array.dtype).eps).all())
    except np.linalg.LinAlgError:
        return False


def _scalars(x):
    """x (...) -> (..., 1, 1)."""
    return expand_dims(x, (-2, -1))


def _det_vjp(g, out, x):
    if _is_well_conditioned(x._array):
        return _scalars(g * _conj(out)) * adjoint(inv(x))
    return _scalars(g) * _conj(_cofactors(x))


def _conj(x):
    return x.conj() if dtypes.is_complex(x.dtype) else x


@custom(vjp=_det_vjp, infer=lambda x: Spec(_square_spec("det")(x).shape[:-2], x.dtype), promote=dtypes.to_floating)
def det(x):
    """x (..., n, n) -> (...). The determinant.

    Its first two derivatives exist at singular matrices too: they come from the cofactors there.

    Raises:
        ShapeError: if the matrices are not square.

    Example:
        >>> edl.det([[2.0, 1.0], [0.0, 4.0]])
        Tensor(shape=(), dtype=float32, 8.)

    Source: Giles, 2008, section 2.2.4; the cofactors from the svd as in Boeddeker et al., 2017, arXiv:1701.00392.
    """
    return _linalg(x).det(widened(x)).astype(x.dtype)


def _without(s, count):
    """For singular values s (..., n): the products of all but one (..., n), or of all but two (..., n, n)."""
    n = s.shape[-1]
    eye = devices.module_of(s).eye(n, dtype=bool)
    left_out = eye if count == 1 else eye[:, None, :] | eye[None, :, :]
    return np.prod(np.where(left_out, s.dtype.type(1), s.reshape(*s.shape[:-1], *(1,) * count, n)), -1)


def _rotations(x):
    """u, s, vh of raw matrices, and det(u) det(vh)."""
    linalg = _linalg(x)
    u, s, vh = linalg.svd(widened(x))
    return u, s, vh, (linalg.det(u) * linalg.det(vh))[..., None, None]


def _cofactors_vjp(g, out, x):
    if not _is_well_conditioned(x._array):
        return _second_minors(g, x)
    back = adjoint(inv(x))
    paired = _scalars(sum(g * _conj(out), (-2, -1)))
    return back * paired - _conj(_scalars(det(x))) * (back @ adjoint(g) @ back)


@custom(vjp=_cofactors_vjp, infer=_square_spec("det"))
def _cofactors(x):
    """x (..., n, n) -> (..., n, n). The derivative of det: det(x) times the transposed inverse, where there is one.

    With x = u s vh it is det(u) det(vh) times conj(u) c conj(vh), where c are the cofactors of the diagonal matrix s.
    """
    u, s, vh, sign = _rotations(x)
    return (sign * ((u.conj() * _without(s, 1)[..., None, :]) @ vh.conj())).astype(x.dtype)


def _no_third_derivative():
    raise ArgumentError(
        "det",
        "derivatives of order 3 and more need invertible matrices",
        "a singular one came",
        "add a small multiple of the identity to it",
    )


@custom(
    vjp=(lambda g, x: _conj(_second_minors(_conj(g), x)), _no_third_derivative),
    infer=lambda v, x: Spec(x.shape, x.dtype),
    tensors=2,
)
def _second_minors(v, x):
    """v, x (..., n, n) -> (..., n, n). The second derivative of det at a singular x in direction v; symmetric.

    The cofactors of u e vh are det(u) det(vh) conj(u) cof(e) conj(vh). Where e is diagonal, the derivative of cof(e) in
    direction d has -d_ji m_ij off the diagonal, and on it the sum of d_jj m_ij over j != i, with m the second minors.
    """
    u, s, vh, sign = _rotations(x)
    minors = _without(s, 2)
    eye = devices.module_of(x).eye(x.shape[-1], dtype=s.dtype)
    minors = minors * (1 - eye)
    inner = u.swapaxes(-1, -2) @ widened(v) @ vh.swapaxes(-1, -2)
    diagonal = np.sum(minors * np.sum(inner * eye, -1)[..., None, :], -1)
    turned = diagonal[..., None] * eye - minors * inner.swapaxes(-1, -2)
    return (sign.conj() * (u @ turned @ vh)).astype(x.dtype)


def _slogdet_vjp(g, out, x):
    g_sign, g_log = g
    scale = 0 if g_log is None else g_log
    if g_sign is not None and dtypes.is_complex(x.dtype):
        turn = _conj(g_sign) * out[0]
        scale = scale + (_conj(turn) - turn) * 0.5
    if scale.__class__ is int:
        return x * 0
    return _scalars(scale) * adjoint(inv(x))


@custom(
    vjp=_slogdet_vjp,
    promote=dtypes.to_floating,
    several=True,
    infer=lambda x: (Spec(_square_spec("slogdet")(x).shape[:-2], x.dtype), Spec(x.shape[:-2], dtypes.real_of(x.dtype))),
)
def _slogdet(x):
    """x (..., n, n) -> sign (...), log |det| (...)."""
    sign, logabsdet = _linalg(x).slogdet(widened(x))
    return sign.astype(x.dtype), logabsdet.astype(dtypes.real_of(x.dtype))


def slogdet(x):
    """x (..., n, n) -> (sign (...), logabsdet (...)). The sign of the determinant and the logarithm of its magnitude.

    They do not overflow where `det` does. For complex matrices the sign is a number of magnitude 1.

    Raises:
        ShapeError: if the matrices are not square.

    Example:
        >>> edl.slogdet([[0.0, 1.0], [1.0, 0.0]]).sign
        Tensor(shape=(), dtype=float32, -1.)
    """
    return SlogdetResult(*_slogdet(x))


def logdet(x):
    """x (..., n, n) -> (...). The logarithm of the magnitude of the determinant, without overflow.

    Example:
        >>> edl.logdet([[1.0, 0.0], [0.0, 1.0]])
        Tensor(shape=(), dtype=float32, 0.)
    """
    return _slogdet(x)[1]


# -- cholesky ---------------------------------------------------------------------------------------


def _half_lower(x):
    """The lower triangle with half of the diagonal."""
    return _lower(x, -1) + _eye(x, x.shape[-1]) * x * 0.5


def _cholesky_vjp(g, out):
    back = adjoint(out)
    inner = _solve_triangular(back, _half_lower(back @ _lower(g)), False)
    return _hermitian(_solve_triangular(back, adjoint(inner), False))


def _cholesky_tangent(out, inputs, tangents, params):
    inner = _solve_triangular(out, _hermitian(tangents[0]), True)
    return out @ _half_lower(_solve_triangular(out, adjoint(inner), True))


POSITIVE = "the matrix must be positive definite", "add a small multiple of the identity (edl.eye) to it"


@custom(vjp=_cholesky_vjp, jvp=_cholesky_tangent, infer=_square_spec("cholesky"), promote=dtypes.to_floating)
def _cholesky(x):
    """x (..., n, n) -> (..., n, n) lower triangular."""
    return _lapack("cholesky", *POSITIVE, _linalg(x).cholesky, _hermitian_array(widened(x))).astype(x.dtype, copy=False)


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
    _require_square("cholesky_inverse", x)
    inverse = _solve_triangular(x, _eye(x, x.shape[-1]), not upper)
    return inverse @ adjoint(inverse) if upper else adjoint(inverse) @ inverse


# -- qr and lu --------------------------------------------------------------------------------------


def _times_inverse_adjoint(x, r):
    """x r^-H for upper triangular r."""
    return adjoint(_solve_triangular(r, adjoint(x), False))


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
        gr = _upper(gr)
        inner = gr @ adjoint(r)
    if gq is not None:
        inner = inner - adjoint(q) @ gq
    eye = _eye(q, q.shape[-1])
    if m >= n:
        strict = _upper(inner, 1)
        total = q @ (strict + adjoint(strict) + eye * _hermitian(inner))
        return _times_inverse_adjoint(total if gq is None else total + gq, r)
    skew = adjoint(inner) - inner
    first = q @ _times_inverse_adjoint(_lower(skew, -1) + eye * skew * 0.5, r[..., :m])
    padded = concatenate([first, broadcast_to(first[..., :1] * 0, (*first.shape[:-1], n - m))], -1) if m else r * 0
    return padded if gr is None else padded + q @ gr


def _qr_spec(x, mode):
    _require_matrix("qr", x)
    m, n = x.shape[-2:]
    k = m if mode == "complete" else builtins.min(m, n)
    return Spec((*x.shape[:-2], m, k), x.dtype), Spec((*x.shape[:-2], k, n), x.dtype)


@custom(vjp=_qr_vjp, infer=_qr_spec, promote=dtypes.to_floating, several=True)
def _qr(x, mode):
    """x (..., m, n) -> q, r."""
    q, r = _lapack("qr", *CONVERGE, _linalg(x).qr, widened(x), mode=mode)
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
    eye = _eye(x, size)
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
    lower = _padded_identity(_lower(lu, -1)[..., :k] + _eye(lu, m)[:, :k], m)
    upper = _padded_identity(_upper(lu)[..., :k, :], n)
    inner = _lower(adjoint(lower) @ _lower(g, -1), -1) + _upper(_upper(g) @ adjoint(upper))
    inner = _solve_triangular(adjoint(lower), _times_inverse_adjoint(inner, upper), False)
    back = np.argsort(_rows_of_pivots(pivots._array, m), -1)
    batch = np.ix_(*map(np.arange, back.shape))[:-1]
    return inner[tuple(map(devices.module_of(lu._array).asarray, (*batch, back)))]


def _lu_spec(x):
    _require_matrix("lu_factor", x)
    return Spec(x.shape, x.dtype), Spec((*x.shape[:-2], builtins.min(x.shape[-2:])), dtypes.int32)


@custom(vjp=_lu_vjp, infer=_lu_spec, promote=dtypes.to_floating, several=True)
def _lu_factor(x):
    """x (..., m, n) -> the packed factors (..., m, n), pivots (..., min(m, n))."""
    packed, pivots = _lu_spec(x)
    module, wide = devices.module_of(x), widened(x)
    lu, rows = module.empty(packed.shape, wide.dtype), module.empty(pivots.shape, np.int32)
    if module is np and lu.size:
        # LAPACK's routine itself: SciPy's wrapper warns about singular matrices, whose factors are as good as others
        (factor,) = _scipy_linalg(x).lapack.get_lapack_funcs(("getrf",), (wide,))
    elif lu.size:
        factor = _scipy_linalg(x).lu_factor
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


# -- singular values --------------------------------------------------------------------------------


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
    core = 0 if gs is None else _eye(s, k) * expand_dims(gs, -2)
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
        core = core + _eye(s, k) * phases * _reciprocal(row) * 0.25
    return u1 @ core @ vh1 + outside


def _svd_spec(x, full_matrices):
    _require_matrix("svd", x)
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
    u, s, vh = _lapack("svd", *CONVERGE, _linalg(x).svd, widened(x), full_matrices=full_matrices)
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
    s = _lapack("svdvals", *CONVERGE, _linalg(x).svd, widened(x), compute_uv=False)
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


# -- eigenvalues ------------------------------------------------------------------------------------


def _eigh_vjp(g, out):
    (gw, gv), (w, v) = g, out
    core = 0 if gw is None else _eye(w, w.shape[-1]) * expand_dims(gw, -2)
    if gv is not None:
        k = adjoint(v) @ gv
        core = core + (k - adjoint(k)) * _reciprocal(expand_dims(w, -2) - expand_dims(w, -1)) * 0.5
    return v @ core @ adjoint(v)


def _eigh_spec(x):
    _require_square("eigh", x)
    return Spec(x.shape[:-1], dtypes.real_of(x.dtype)), Spec(x.shape, x.dtype)


@custom(vjp=_eigh_vjp, infer=_eigh_spec, promote=dtypes.to_floating, several=True)
def _eigh(x):
    """x (..., n, n) -> eigenvalues, eigenvectors."""
    w, v = _lapack("eigh", *CONVERGE, _linalg(x).eigh, _hermitian_array(widened(x)))
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
    vjp=_eigvalsh_vjp, infer=lambda x: (_require_square("eigvalsh", x), _eigh_spec(x)[0])[1], promote=dtypes.to_floating
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
    w = _lapack("eigvalsh", *CONVERGE, _linalg(x).eigvalsh, _hermitian_array(widened(x)))
    return w.astype(dtypes.real_of(x.dtype), copy=False)


def _eig_vjp(g, out, x_spec):
    """Boeddeker et al., 2017, arXiv:1701.00392, equations 4.60 and 4.77, with vectors of length 1."""
    (gw, gv), (w, v) = g, out
    eye = _eye(w, w.shape[-1])
    back = adjoint(v)
    core = 0 if gw is None else eye * expand_dims(gw, -2)
    if gv is not None:
        k = back @ gv
        along = sum(eye * (k + _conj(k)) * 0.5, -2, True)
        core = core + (k - back @ (v * along)) * _conj(_reciprocal(expand_dims(w, -2) - expand_dims(w, -1)))
    return _solve(back, core @ back).astype(x_spec.dtype)


def _eig_spec(x):
    _require_square("eig", x)
    dtype = dtypes.complex_of(x.dtype)
    return Spec(x.shape[:-1], dtype), Spec(x.shape, dtype)


@custom(vjp=_eig_vjp, infer=_eig_spec, promote=dtypes.to_floating, several=True)
def _eig(x):
    """x (..., n, n) -> eigenvalues, eigenvectors, complex."""
    w, v = _lapack("eig", *CONVERGE, _linalg(x).eig, widened(x))
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


# -- pseudo-inverse, least squares, rank ------------------------------------------------------------


def _default_rtol(shape, dtype):
    return builtins.max(shape[-2:]) * float(np.finfo(np.float32 if dtype in HALF else dtype).eps)


def _pinv_vjp(g, out, x):
    outt, gt = adjoint(out), adjoint(g)
    return -(outt @ g @ outt) + (gt - x @ (out @ gt)) @ (out @ outt) + (outt @ out) @ (gt - (gt @ out) @ x)


def _pinv_spec(x, rtol):
    _require_matrix("pinv", x)
    return Spec((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)


@custom(vjp=_pinv_vjp, infer=_pinv_spec, promote=dtypes.to_floating)
def _pinv(x, rtol):
    """x (..., m, n) -> (..., n, m)."""
    if x.size == 0:
        return devices.module_of(x).zeros(_pinv_spec(x, rtol).shape, x.dtype)
    return _lapack("pinv", *CONVERGE, _linalg(x).pinv, widened(x), rtol).astype(x.dtype, copy=False)


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
    _require_matrix("lstsq", a)
    if not b.ndim or a.shape[-2] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(
            "lstsq", "b has as many rows as a", f"a {a.shape}, b {b.shape}", "pass a stack of vectors as b[..., None]"
        )
    return matmul(_pinv(a, _threshold("lstsq", rcond, None, a)), b)


def _rank_spec(x, tol, rtol):
    _require_matrix("matrix_rank", x)
    return Spec(x.shape[:-2], dtypes.int32)


@custom(infer=_rank_spec, promote=dtypes.to_floating)
def _matrix_rank(x, tol, rtol):
    """x (..., m, n) -> (...) int32."""
    if x.ndim < 2:
        raise ValueError("a matrix is needed")
    s = _lapack("matrix_rank", *CONVERGE, _linalg(x).svd, widened(x), compute_uv=False)
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


# -- powers and norms of matrices -------------------------------------------------------------------


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
    _require_square("matrix_power", x)
    try:
        n = n.__index__()
    except AttributeError:
        raise DTypeError(
            "matrix_power", "the power is an int", f"got n={n!r}", "use edl.eigh for other powers"
        ) from None
    if n == 0:
        return broadcast_to(_eye(x, x.shape[-1]), x.shape)
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


ORDERS = (None, "fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2)


def _norm_of_matrices(x, ord, rows, columns, keepdims):
    if ord is None or ord == "fro":
        return norm2(x, (rows, columns), keepdims)
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
        return norm2(x, axes, keepdims)
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
    _require_matrix("matrix_norm", x)
    return norm(x, ord, (-2, -1), keepdims)
