"""Complex numbers: parts, angles, polar form."""

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, custom, linear
from eagerdl.ops.arithmetic import equal, where
from eagerdl.ops.conversion import astype
from eagerdl.ops.elementary import cos, sin

__all__ = ["angle", "imag", "isreal", "polar", "real"]


def _real_spec(x):
    return Spec(x.shape, dtypes.real_of(x.dtype))


@linear(transpose=lambda g, x: astype(g, x.dtype), infer=_real_spec)
def real(x):
    """x (...) complex -> (...) real. The real part; real numbers as they are.

    Example:
        >>> edl.real([1.0 + 2.0j])
        Tensor(shape=(1,), dtype=float32, [1.])
    """
    return x.real


@linear(transpose=lambda g, x: 1j * astype(g, x.dtype) if dtypes.is_complex(x.dtype) else g * 0, infer=_real_spec)
def imag(x):
    """x (...) complex -> (...) real. The imaginary part; 0 for real numbers.

    Example:
        >>> edl.imag([1.0 + 2.0j])
        Tensor(shape=(1,), dtype=float32, [2.])
    """
    return x.imag if x.dtype.kind == "c" else np.zeros_like(x)


def isreal(x):
    """x (...) -> (...) bool. Whether the imaginary part is 0.

    Example:
        >>> edl.isreal([1.0 + 0.0j, 1.0j])
        Tensor(shape=(2,), dtype=bool, [ True False])
    """
    return equal(imag(x), 0)


def _angle_vjp(g, x):
    """d angle = Im(conj(x) dx) / |x|^2; 0 at 0, where the angle jumps, and for real numbers."""
    if not dtypes.is_complex(x.dtype):
        return g * 0
    size = real(x * x.conj())
    return astype(g / where(size == 0, 1, size), x.dtype) * (1j * x)


def _angle_jvp(out, inputs, tangents, params):
    (x,), (t,) = inputs, tangents
    if not dtypes.is_complex(x.dtype):
        return t * 0
    size = real(x * x.conj())
    return imag(x.conj() * t) / where(size == 0, 1, size)


@custom(vjp=_angle_vjp, jvp=_angle_jvp, infer=_real_spec, promote=dtypes.to_floating)
def angle(x):
    """x (...) -> (...) in (-pi, pi]. The angle of a complex number; 0 or pi for real ones.

    Example:
        >>> edl.angle([1.0j])
        Tensor(shape=(1,), dtype=float32, [1.5707964])
    """
    return np.arctan2(x.imag, x.real) if x.dtype.kind == "c" else np.where(x < 0, x.dtype.type(np.pi), x * 0)


def polar(abs_, angle):
    """abs_ (...), angle (...) radians -> their broadcast shape, complex. The number of that size and angle.

    Example:
        >>> edl.abs(edl.polar(2.0, 0.5))
        Tensor(shape=(), dtype=float32, 2.)
    """
    return abs_ * (cos(angle) + 1j * sin(angle))
