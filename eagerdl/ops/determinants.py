"""Determinants of stacks of matrices: det, slogdet, logdet, and the cofactors that differentiate them.

Source: Giles, 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation".
"""

import builtins
from collections import namedtuple

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError
from eagerdl.ops.linalg import adjoint, conjugated, linalg_of, square_spec, widened
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import expand_dims
from eagerdl.ops.solving import inv

__all__ = ["det", "logdet", "slogdet"]


SlogdetResult = namedtuple("SlogdetResult", "sign logabsdet")


def _is_well_conditioned(array):
    """Whether the inverse of every matrix of a raw array has some correct digits."""
    array = widened(array)
    try:
        with np.errstate(all="ignore"):
            inverse = linalg_of(array).inv(array)
            sizes = [np.abs(a).sum(-2).max(-1) if a.size else np.zeros(()) for a in (array, inverse)]
            return builtins.bool((sizes[0] * sizes[1] < 1e-3 / np.finfo(array.dtype).eps).all())
    except np.linalg.LinAlgError:
        return False


def _scalars(x):
    """x (...) -> (..., 1, 1)."""
    return expand_dims(x, (-2, -1))


def _det_vjp(g, out, x):
    if _is_well_conditioned(x._array):
        return _scalars(g * conjugated(out)) * adjoint(inv(x))
    return _scalars(g) * conjugated(_cofactors(x))


@custom(vjp=_det_vjp, infer=lambda x: Spec(square_spec("det")(x).shape[:-2], x.dtype), promote=dtypes.to_floating)
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
    return linalg_of(x).det(widened(x)).astype(x.dtype)


def _without(s, count):
    """For singular values s (..., n): the products of all but one (..., n), or of all but two (..., n, n)."""
    n = s.shape[-1]
    eye = devices.module_of(s).eye(n, dtype=bool)
    left_out = eye if count == 1 else eye[:, None, :] | eye[None, :, :]
    return np.prod(np.where(left_out, s.dtype.type(1), s.reshape(*s.shape[:-1], *(1,) * count, n)), -1)


def _rotations(x):
    """u, s, vh of raw matrices, and det(u) det(vh)."""
    linalg = linalg_of(x)
    u, s, vh = linalg.svd(widened(x))
    return u, s, vh, (linalg.det(u) * linalg.det(vh))[..., None, None]


def _cofactors_vjp(g, out, x):
    if not _is_well_conditioned(x._array):
        return _second_minors(g, x)
    back = adjoint(inv(x))
    paired = _scalars(sum(g * conjugated(out), (-2, -1)))
    return back * paired - conjugated(_scalars(det(x))) * (back @ adjoint(g) @ back)


@custom(vjp=_cofactors_vjp, infer=square_spec("det"))
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
    vjp=(lambda g, x: conjugated(_second_minors(conjugated(g), x)), _no_third_derivative),
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
        turn = conjugated(g_sign) * out[0]
        scale = scale + (conjugated(turn) - turn) * 0.5
    if scale.__class__ is int:
        return x * 0
    return _scalars(scale) * adjoint(inv(x))


@custom(
    vjp=_slogdet_vjp,
    promote=dtypes.to_floating,
    several=True,
    infer=lambda x: (Spec(square_spec("slogdet")(x).shape[:-2], x.dtype), Spec(x.shape[:-2], dtypes.real_of(x.dtype))),
)
def _slogdet(x):
    """x (..., n, n) -> sign (...), log |det| (...)."""
    sign, logabsdet = linalg_of(x).slogdet(widened(x))
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
