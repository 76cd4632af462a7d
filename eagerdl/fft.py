"""Fourier transforms of tensors: the `fft` area of the array API standard.

Transforms take and give complex tensors: complex128 for float64, complex64 for everything narrower; integers count as
floatx. `norm` says where the factor 1/n goes: with "backward" to the inverse, with "forward" to the transform, with
"ortho" its root to both. All are differentiable, to any order.

Keras has a function `ops.fft` on pairs (real, imag). Because ``edl.fft`` is this area, the module may be called like
that function: ``edl.fft((real, imag))`` is ``edl.ops.fft((real, imag))``.

Example:
    >>> edl.fft.fft([1.0, 0.0, 0.0, 0.0])
    Tensor(shape=(4,), dtype=complex64, [1.+0.j 1.+0.j 1.+0.j 1.+0.j])
    >>> re, im = edl.fft(([1.0, 0.0], [0.0, 0.0]))
    >>> re
    Tensor(shape=(2,), dtype=float32, [1. 1.])
"""

import sys
import types

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops import fourier
from eagerdl.ops.arithmetic import conj
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import get_item
from eagerdl.ops.shape import concatenate, normalize_axes
from eagerdl.tensor import from_array

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]


def _one(where, x, n, axis):
    """What a transform along one axis works on: its name, the tensor, the lengths and the axes."""
    return where, x, (None if n is None else fourier.check_length(where, n),), (axis,)


def _several(where, x, s, axes, least=0):
    """The same along several axes, at `least` so many; -1 in `s` keeps the size."""
    x = convert_to_tensor(x)
    if s is not None and axes is None:
        raise ArgumentError(where, "sizes come with the axes that they belong to", f"got s={s!r} without axes",
                            f"pass axes=tuple(range(-{len(tuple(s))}, 0)) for the last ones")  # fmt: skip
    axes = normalize_axes(where, axes, x.ndim)
    sizes = (None,) * len(axes) if s is None else tuple(s)
    if len(sizes) != len(axes):
        raise ShapeError(
            where, "s has one size for each axis", f"got s={sizes} for axes={axes}", "use -1 to keep a size"
        )
    if s is not None:
        kept = [x.shape[axis] if n == -1 else n for n, axis in zip(sizes, axes, strict=True)]
        sizes = tuple(fourier.check_length(where, n, "each size in s") for n in kept)
    if len(axes) < least:
        raise ShapeError(where, "a transform of real signals needs an axis", f"x {x.shape}, axes={axes}", "name one")
    return where, x, sizes, axes


def fft(x, /, *, n=None, axis=-1, norm="backward"):
    """x (..., m, ...) -> (..., n, ...) complex. The discrete Fourier transform along `axis`.

    Args:
        x: a real or complex tensor.
        n: the length to which x is cut, or filled with zeros; m by default.
        axis: along which to transform.
        norm: "backward", "ortho" or "forward".

    Raises:
        ShapeError: if there is no such axis, or nothing along it.
        ArgumentError: if n is not positive, or for an unknown norm.

    Example:
        >>> edl.fft.fft([1.0, 1.0], n=4)
        Tensor(shape=(4,), dtype=complex64, [2.+0.j 1.-1.j 0.+0.j 1.+1.j])
    """
    return fourier.complex_transform(*_one("fft.fft", x, n, axis), False, norm)


def ifft(x, /, *, n=None, axis=-1, norm="backward"):
    """x (..., m, ...) -> (..., n, ...) complex. The inverse of `fft`.

    Args:
        x: a real or complex tensor.
        n: the length to which x is cut, or filled with zeros; m by default.
        axis: along which to transform.
        norm: "backward", "ortho" or "forward".

    Raises:
        ShapeError: if there is no such axis, or nothing along it.
        ArgumentError: if n is not positive, or for an unknown norm.

    Example:
        >>> edl.fft.ifft(edl.fft.fft([1.0, 2.0]))
        Tensor(shape=(2,), dtype=complex64, [1.+0.j 2.+0.j])
    """
    return fourier.complex_transform(*_one("fft.ifft", x, n, axis), True, norm)


def fftn(x, /, *, s=None, axes=None, norm="backward"):
    """x (...) -> (...) complex. The discrete Fourier transform over several axes.

    Args:
        x: a real or complex tensor.
        s: the length along each of `axes`; -1 keeps the size there.
        axes: over which to transform; all by default.
        norm: "backward", "ortho" or "forward".

    Raises:
        ShapeError: if an axis does not exist or comes twice, or `s` and `axes` differ in length.
        ArgumentError: for sizes without axes, sizes that are not positive, or an unknown norm.

    Example:
        >>> edl.fft.fftn(edl.ones((2, 2)))
        Tensor(shape=(2, 2), dtype=complex64,
        [[4.+0.j 0.+0.j]
         [0.+0.j 0.+0.j]])
    """
    return fourier.complex_transform(*_several("fft.fftn", x, s, axes), False, norm)


def ifftn(x, /, *, s=None, axes=None, norm="backward"):
    """x (...) -> (...) complex. The inverse of `fftn`.

    Args:
        x: a real or complex tensor.
        s: the length along each of `axes`; -1 keeps the size there.
        axes: over which to transform; all by default.
        norm: "backward", "ortho" or "forward".

    Raises:
        ShapeError: if an axis does not exist or comes twice, or `s` and `axes` differ in length.
        ArgumentError: for sizes without axes, sizes that are not positive, or an unknown norm.

    Example:
        >>> edl.fft.ifftn(edl.ones((2, 2)))
        Tensor(shape=(2, 2), dtype=complex64,
        [[1.+0.j 0.+0.j]
         [0.+0.j 0.+0.j]])
    """
    return fourier.complex_transform(*_several("fft.ifftn", x, s, axes), True, norm)


def rfft(x, /, *, n=None, axis=-1, norm="backward"):
    """x (..., m, ...) real -> (..., n // 2 + 1, ...) complex. Half the transform of a real signal.

    Args:
        x: a real tensor.
        n: the length to which x is cut, or filled with zeros; m by default.
        axis: along which to transform.
        norm: "backward", "ortho" or "forward".

    Raises:
        DTypeError: if x is complex.
        ShapeError: if there is no such axis, or nothing along it.
        ArgumentError: if n is not positive, or for an unknown norm.

    Example:
        >>> edl.fft.rfft([1.0, 2.0, 3.0, 2.0])
        Tensor(shape=(3,), dtype=complex64, [ 8.+0.j -2.+0.j  0.+0.j])
    """
    return fourier.real_transform(*_one("fft.rfft", x, n, axis), norm)


def irfft(x, /, *, n=None, axis=-1, norm="backward"):
    """x (..., m, ...) complex -> (..., n, ...) real. The inverse of `rfft`.

    Args:
        x: half a spectrum, as `rfft` gives it.
        n: the length of the signal, 2 (m - 1) by default; needed for odd lengths.
        axis: along which to transform.
        norm: "backward", "ortho" or "forward".

    Raises:
        ShapeError: if there is no such axis, or nothing along it.
        ArgumentError: if n is not positive, or for an unknown norm.

    Example:
        >>> edl.fft.irfft(edl.fft.rfft([1.0, 2.0, 3.0]), n=3)
        Tensor(shape=(3,), dtype=float32, [1. 2. 3.])
    """
    return fourier.inverse_real_transform(*_one("fft.irfft", x, n, axis), norm)


def rfftn(x, /, *, s=None, axes=None, norm="backward"):
    """x (...) real -> complex. `rfft` along the last of `axes`, then `fft` along the others.

    Args:
        x: a real tensor.
        s: the length along each of `axes`; -1 keeps the size there.
        axes: over which to transform; all by default.
        norm: "backward", "ortho" or "forward".

    Raises:
        DTypeError: if x is complex.
        ShapeError: if an axis does not exist or comes twice, there is none, or `s` and `axes` differ in length.
        ArgumentError: for sizes without axes, sizes that are not positive, or an unknown norm.

    Example:
        >>> edl.fft.rfftn(edl.ones((2, 4))).shape
        (2, 3)
    """
    return fourier.real_transform(*_several("fft.rfftn", x, s, axes, least=1), norm)


def irfftn(x, /, *, s=None, axes=None, norm="backward"):
    """x (...) complex -> real. The inverse of `rfftn`; the last length is 2 (m - 1) unless `s` gives it.

    Args:
        x: half a spectrum, as `rfftn` gives it.
        s: the lengths of the signal along each of `axes`; -1 keeps the size there.
        axes: over which to transform; all by default.
        norm: "backward", "ortho" or "forward".

    Raises:
        ShapeError: if an axis does not exist or comes twice, there is none, or `s` and `axes` differ in length.
        ArgumentError: for sizes without axes, sizes that are not positive, or an unknown norm.

    Example:
        >>> edl.fft.irfftn(edl.fft.rfftn(edl.ones((2, 4)))).shape
        (2, 4)
    """
    return fourier.inverse_real_transform(*_several("fft.irfftn", x, s, axes, least=1), norm)


def hfft(x, /, *, n=None, axis=-1, norm="backward"):
    """x (..., m, ...) complex -> (..., n, ...) real. The transform of a Hermitian signal, from one half of it.

    Args:
        x: the half from time 0 on.
        n: the length of the result, 2 (m - 1) by default.
        axis: along which to transform.
        norm: "backward", "ortho" or "forward".

    Raises:
        ShapeError: if there is no such axis, or nothing along it.
        ArgumentError: if n is not positive, or for an unknown norm.

    Example:
        >>> edl.fft.hfft([1.0, 0.0, 0.0])
        Tensor(shape=(4,), dtype=float32, [1. 1. 1. 1.])
    """
    norm = fourier.DUAL[fourier.check_norm("fft.hfft", norm)]
    return fourier.inverse_real_transform(*_one("fft.hfft", conj(convert_to_tensor(x)), n, axis), norm)


def ihfft(x, /, *, n=None, axis=-1, norm="backward"):
    """x (..., m, ...) real -> (..., n // 2 + 1, ...) complex. The inverse of `hfft`.

    Args:
        x: a real tensor.
        n: the length to which x is cut, or filled with zeros; m by default.
        axis: along which to transform.
        norm: "backward", "ortho" or "forward".

    Raises:
        DTypeError: if x is complex.
        ShapeError: if there is no such axis, or nothing along it.
        ArgumentError: if n is not positive, or for an unknown norm.

    Example:
        >>> edl.abs(edl.fft.ihfft([4.0, 4.0, 4.0, 4.0]))
        Tensor(shape=(3,), dtype=float32, [4. 0. 0.])
    """
    norm = fourier.DUAL[fourier.check_norm("fft.ihfft", norm)]
    return conj(fourier.real_transform(*_one("fft.ihfft", x, n, axis), norm))


def _frequencies(where, n, d, dtype, device, half):
    n = fourier.check_length(where, n)
    dtype = dtypes.standardize(dtype, where)
    if not dtypes.is_floating(dtype):
        raise DTypeError(where, "frequencies need a floating dtype", f"got {dtype}", "use 'float32'")
    if d == 0:
        raise ArgumentError(
            where, "d, the time between samples, must not be 0", "got d=0", "use d=1.0 for cycles per sample"
        )
    steps = np.arange(n // 2 + 1) if half else np.concatenate([np.arange((n + 1) // 2), np.arange(-(n // 2), 0)])
    return from_array(devices.move((steps / (n * d)).astype(dtype), devices.parse(device)))


def fftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """-> (n,). The frequencies of `fft`: 0, 1, ..., then the negative ones, divided by n * d.

    Args:
        n: the length of the transform.
        d: the time between samples.
        dtype: a floating dtype; floatx by default.
        device: where the result shall live.

    Raises:
        ArgumentError: if n is not positive, or d is 0.
        DTypeError: for a dtype that is not floating.

    Example:
        >>> edl.fft.fftfreq(4)
        Tensor(shape=(4,), dtype=float32, [ 0.    0.25 -0.5  -0.25])
    """
    return _frequencies("fft.fftfreq", n, d, dtype, device, False)


def rfftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """-> (n // 2 + 1,). The frequencies of `rfft`: 0, 1, ... to the highest, divided by n * d.

    Args:
        n: the length of the signal.
        d: the time between samples.
        dtype: a floating dtype; floatx by default.
        device: where the result shall live.

    Raises:
        ArgumentError: if n is not positive, or d is 0.
        DTypeError: for a dtype that is not floating.

    Example:
        >>> edl.fft.rfftfreq(4)
        Tensor(shape=(3,), dtype=float32, [0.   0.25 0.5 ])
    """
    return _frequencies("fft.rfftfreq", n, d, dtype, device, True)


def _rotated(where, x, axes, forward):
    """`x` with the first half (rounded up, if `forward`) of each axis moved to its end."""
    x = convert_to_tensor(x)
    for axis in normalize_axes(where, axes, x.ndim):
        cut = (x.shape[axis] + forward) // 2
        if 0 < cut < x.shape[axis]:
            before = (slice(None),) * axis
            x = concatenate([get_item(x, (*before, slice(cut, None))), get_item(x, (*before, slice(None, cut)))], axis)
    return x


def fftshift(x, /, *, axes=None):
    """x (...) -> (...). The frequency 0 moved to the middle of each axis.

    Args:
        x: a tensor of any dtype.
        axes: an axis, several, or None for all.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.fft.fftshift(edl.fft.fftfreq(5, d=0.2))
        Tensor(shape=(5,), dtype=float32, [-2. -1.  0.  1.  2.])
    """
    return _rotated("fft.fftshift", x, axes, True)


def ifftshift(x, /, *, axes=None):
    """x (...) -> (...). The inverse of `fftshift`, which differs from it for odd sizes.

    Args:
        x: a tensor of any dtype.
        axes: an axis, several, or None for all.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.fft.ifftshift(edl.fft.fftshift(edl.constant([1, 2, 3])))
        Tensor(shape=(3,), dtype=int32, [1 2 3])
    """
    return _rotated("fft.ifftshift", x, axes, False)


class _Area(types.ModuleType):
    """This module, callable as Keras' function of the same name."""

    def __call__(self, x):
        return fourier.fft(x)


_Area.__call__.__doc__ = fourier.fft.__doc__
sys.modules[__name__].__class__ = _Area
