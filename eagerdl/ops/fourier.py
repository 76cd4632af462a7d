"""Fourier transforms, short-time frames, and complex numbers as pairs of real ones.

Every transform is linear, and its adjoint is the transform back: no normalisation in one direction becomes the full
one in the other, so the norms "backward" and "forward" change places (`DUAL`) and "ortho" stays. Of a real signal the
spectrum holds half: the frequencies strictly between zero and the highest stand for two each, which is the weight 2
in the adjoints of `_rfft` and `_irfft`.
"""

import builtins
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, linear
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.complex import imag, real
from eagerdl.ops.conversion import astype, convert_to_tensor
from eagerdl.ops.indexing import get_item
from eagerdl.ops.shape import broadcast_to, concatenate, normalize_axes
from eagerdl.tensor import from_array

__all__ = [
    "extract_sequences", "fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft", "view_as_complex", "view_as_real",
]  # fmt: skip

DUAL = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


# -- the linear maps ----------------------------------------------------------------------------


def _resized(x, shape):
    if x.shape == shape:
        return x
    out = x[tuple(slice(0, n) for n in shape)]
    if out.shape == shape:
        return out
    filled = devices.module_of(x).zeros(shape, x.dtype)
    filled[tuple(slice(0, n) for n in out.shape)] = out
    return filled


@linear(transpose=lambda g, x: _cut_or_fill(g, x.shape), infer=lambda x, shape: Spec(shape, x.dtype))
def _cut_or_fill(x, shape):
    """x (...) -> shape. Cut off at the end of each axis, or filled up with zeros."""
    return _resized(x, shape)


@linear(transpose=lambda g, axes, inverse, norm: _fourier(g, axes, not inverse, DUAL[norm]),
        infer=lambda x, axes, inverse, norm: Spec(x.shape, x.dtype))  # fmt: skip
def _fourier(x, axes, inverse, norm):
    """x (...) complex -> (...) complex. The discrete Fourier transform over `axes`, or its inverse."""
    library = devices.module_of(x).fft
    if len(axes) == 1:
        return (library.ifft if inverse else library.fft)(x, axis=axes[0], norm=norm)
    return (library.ifftn if inverse else library.fftn)(x, axes=axes, norm=norm)


def _weighted(x, axis, size, factor):
    """`x`, half a spectrum of a signal of `size`, with the frequencies that stand for two times `factor`, in place."""
    x[(slice(None),) * axis + (slice(1, (size + 1) // 2),)] *= factor
    return x


@linear(
    transpose=lambda g, x_spec, axis, norm, weighted: _irfft(g, x_spec.shape[axis], axis, DUAL[norm], not weighted),
    infer=lambda x, axis, norm, weighted: Spec(
        _with_size(x.shape, axis, x.shape[axis] // 2 + 1), dtypes.complex_of(x.dtype)
    ),
)
def _rfft(x, axis, norm, weighted):
    """x (..., n, ...) real -> (..., n // 2 + 1, ...) complex. Half the spectrum, perhaps times its weights."""
    out = devices.module_of(x).fft.rfft(x, axis=axis, norm=norm)
    return _weighted(out, axis, x.shape[axis], 2) if weighted else out


@linear(
    transpose=lambda g, axis, norm, weighted: _rfft(g, axis, DUAL[norm], not weighted),
    infer=lambda x, size, axis, norm, weighted: Spec(_with_size(x.shape, axis, size), dtypes.real_of(x.dtype)),
)
def _irfft(x, size, axis, norm, weighted):
    """x (..., size // 2 + 1, ...) complex -> (..., size, ...) real. From half a spectrum, perhaps unweighted."""
    if weighted:
        x = _weighted(x.copy(), axis, size, 0.5)
    return devices.module_of(x).fft.irfft(x, size, axis=axis, norm=norm)


def _with_size(shape, axis, size):
    return (*shape[:axis], size, *shape[axis + 1 :])


def _to_parts(kinds):
    """Parts of complex numbers meet in float32 or float64: there are no narrower complex numbers."""
    out = dtypes.result_type(*kinds)
    return (dtypes.float64 if out == dtypes.float64 else dtypes.float32,) * len(kinds)


def _joined_spec(real, imag):
    if real.shape != imag.shape:
        raise ShapeError(
            "complex",
            "the real and the imaginary part need one shape",
            f"x[0] {real.shape}, x[1] {imag.shape}",
            "broadcast them first",
        )
    return Spec(real.shape, dtypes.complex_of(real.dtype))


@linear(transpose=(lambda g: real(g), lambda g: imag(g)), infer=_joined_spec, promote=_to_parts, tensors=2)
def _from_parts(real, imag):
    """real (...), imag (...) -> (...) complex."""
    out = devices.module_of(real).empty(real.shape, dtypes.complex_of(real.dtype))
    out.real, out.imag = real, imag
    return out


# -- transforms of tensors, for Keras' functions below and for the area `edl.fft` ---------------------


def check_norm(where, norm):
    """`norm` by its full name; None means "backward".

    Raises:
        ArgumentError: for an unknown one.
    """
    if norm is None:
        return "backward"
    if norm not in DUAL:
        raise ArgumentError(where, "norm is 'backward', 'ortho' or 'forward'", f"got {norm!r}", "use one of them")
    return norm


def check_length(where, n, name="n"):
    """A length of a transform as a Python int.

    Raises:
        DTypeError: if it is no integer.
        ArgumentError: if it is not positive.
    """
    try:
        n = n.__index__()
    except AttributeError:
        raise DTypeError(where, f"{name} is an integer", f"got {n!r}", f"round it, as in int({name})") from None
    if n < 1:
        raise ArgumentError(
            where, f"{name} must be at least 1", f"got {n}", "a transform needs a point; check the sizes"
        )
    return n


def _real_input(where, x):
    """`x` as a tensor of float32 or float64."""
    x = convert_to_tensor(x)
    if dtypes.is_complex(x.dtype):
        raise DTypeError(
            where, "x must be real", f"got {x.dtype}", "use the transform of complex numbers, or edl.real(x)"
        )
    return astype(x, dtypes.real_of(dtypes.complex_of(dtypes.to_floating((x.dtype,))[0])))


def _complex_input(x):
    """`x` as a tensor of complex64 or complex128."""
    x = convert_to_tensor(x)
    return astype(x, dtypes.complex_of(dtypes.to_floating((x.dtype,))[0]))


def _fit(where, x, sizes, axes):
    shape = list(x.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = shape[axis] if size is None else size
        if shape[axis] < 1:
            raise ShapeError(
                where,
                "a transform needs at least one point along its axis",
                f"x {x.shape} has none along axis {axis}",
                "check what emptied x, or give the length",
            )
    shape = tuple(shape)
    return x if shape == x.shape else _cut_or_fill(x, shape)


def complex_transform(where, x, sizes, axes, inverse, norm):
    """x (...) -> (...) complex, cut or filled to `sizes` along `axes`; the transform over them or its inverse."""
    x = _complex_input(x)
    axes = normalize_axes(where, axes, x.ndim)
    norm = check_norm(where, norm)
    x = _fit(where, x, sizes, axes)
    return _fourier(x, axes, inverse, norm) if axes else x


def real_transform(where, x, sizes, axes, norm):
    """x (...) real -> complex. Half the spectrum along the last of `axes`, then the full one along the others."""
    x = _real_input(where, x)
    axes = normalize_axes(where, axes, x.ndim)
    norm = check_norm(where, norm)
    out = _rfft(_fit(where, x, sizes, axes), axes[-1], norm, False)
    return _fourier(out, axes[:-1], False, norm) if len(axes) > 1 else out


def inverse_real_transform(where, x, sizes, axes, norm):
    """x (...) complex -> real, the inverse of `real_transform`; by default the last length is 2 (m - 1)."""
    x = _complex_input(x)
    axes = normalize_axes(where, axes, x.ndim)
    norm = check_norm(where, norm)
    last = 2 * (x.shape[axes[-1]] - 1) if sizes[-1] is None else sizes[-1]
    if last < 1:
        raise ShapeError(
            where,
            "a real signal of at least one point must come out",
            f"x {x.shape} has {x.shape[axes[-1]]} frequencies along axis {axes[-1]}, which stand for {last} points",
            "give the length of the signal",
        )
    x = _fit(where, x, (*sizes[:-1], last // 2 + 1), axes)
    if len(axes) > 1:
        x = _fourier(x, axes[:-1], True, norm)
    return _irfft(x, last, axes[-1], norm, False)


# -- Keras' functions, on pairs of a real and an imaginary part ----------------------------------------


def _from_pair(op, x):
    """The complex tensor of a pair (real, imag), and the dtype that its parts had."""
    if not isinstance(x, tuple | list) or len(x) != 2:
        shown = f"{type(x).__name__} of shape {x.shape}" if hasattr(x, "shape") else f"{type(x).__name__}"
        raise DTypeError(op, "x is a pair of tensors: the real and the imaginary part", f"got {shown}",
                         f"pass (real, imag), or use edl.fft.{op} for complex tensors")  # fmt: skip
    parts = [convert_to_tensor(part) for part in x]
    for i, part in enumerate(parts):
        if not dtypes.is_floating(part.dtype):
            raise DTypeError(
                op, "both parts must be floating", f"x[{i}] has dtype {part.dtype}", "use edl.cast(part, 'float32')"
            )
    if parts[0].shape != parts[1].shape:
        raise ShapeError(
            op,
            "the real and the imaginary part need one shape",
            f"x[0] {parts[0].shape}, x[1] {parts[1].shape}",
            "broadcast them first",
        )
    return _from_parts(*parts), dtypes.result_type(parts[0].dtype, parts[1].dtype)


def _to_pair(x, dtype):
    return astype(real(x), dtype), astype(imag(x), dtype)


def fft(x):
    """x: a pair (real (..., n), imag (..., n)) -> a pair of the same shapes. The Fourier transform along the last axis.

    `edl.ops.fft` is this function of Keras; `edl.fft` is the area of transforms of complex tensors, and may be called
    like it.

    Args:
        x: the real and the imaginary part, both floating; narrower parts than float32 are transformed in float32.

    Raises:
        DTypeError: if x is no pair of floating tensors.
        ShapeError: if the parts differ in shape.

    Example:
        >>> re, im = edl.ops.fft(([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]))
        >>> re
        Tensor(shape=(4,), dtype=float32, [1. 1. 1. 1.])

    Source: Cooley & Tukey, 1965, doi 10.1090/S0025-5718-1965-0178586-1.
    """
    joined, dtype = _from_pair("fft", x)
    return _to_pair(complex_transform("fft", joined, (None,), (-1,), False, "backward"), dtype)


def fft2(x):
    """x: a pair (real (..., m, n), imag (..., m, n)) -> a pair of the same shapes. `fft` over the last two axes.

    Raises:
        DTypeError: if x is no pair of floating tensors.
        ShapeError: if the parts differ in shape, or have fewer than two axes.

    Example:
        >>> re, im = edl.fft2((edl.ones((2, 2)), edl.zeros((2, 2))))
        >>> re
        Tensor(shape=(2, 2), dtype=float32,
        [[4. 0.]
         [0. 0.]])
    """
    joined, dtype = _from_pair("fft2", x)
    return _to_pair(complex_transform("fft2", joined, (None, None), (-2, -1), False, "backward"), dtype)


def ifft2(x):
    """x: a pair (real (..., m, n), imag (..., m, n)) -> a pair of the same shapes. The inverse of `fft2`.

    Raises:
        DTypeError: if x is no pair of floating tensors.
        ShapeError: if the parts differ in shape, or have fewer than two axes.

    Example:
        >>> re, im = edl.ifft2((edl.ones((2, 2)), edl.zeros((2, 2))))
        >>> re
        Tensor(shape=(2, 2), dtype=float32,
        [[1. 0.]
         [0. 0.]])
    """
    joined, dtype = _from_pair("ifft2", x)
    return _to_pair(complex_transform("ifft2", joined, (None, None), (-2, -1), True, "backward"), dtype)


def rfft(x, fft_length=None):
    """x (..., n) real -> a pair of (..., fft_length // 2 + 1). The transform of a real signal along the last axis.

    Args:
        x: a real tensor; integers become floatx.
        fft_length: to which x is cut, or filled with zeros; n by default.

    Returns:
        The real and the imaginary part of the frequencies from zero to the highest; the others are their conjugates.

    Raises:
        DTypeError: if x is complex.
        ArgumentError: if `fft_length` is not positive.

    Example:
        >>> re, im = edl.rfft([0.0, 1.0, 2.0, 1.0])
        >>> re
        Tensor(shape=(3,), dtype=float32, [ 4. -2.  0.])
    """
    x = convert_to_tensor(x)
    length = None if fft_length is None else check_length("rfft", fft_length, "fft_length")
    return _to_pair(real_transform("rfft", x, (length,), (-1,), "backward"), dtypes.to_floating((x.dtype,))[0])


def irfft(x, fft_length=None):
    """x: a pair (real (..., m), imag (..., m)) -> (..., fft_length). The inverse of `rfft`.

    Args:
        x: the real and the imaginary part of half a spectrum.
        fft_length: the length of the signal, 2 (m - 1) by default; needed for odd lengths.

    Raises:
        DTypeError: if x is no pair of floating tensors.
        ShapeError: if the parts differ in shape.
        ArgumentError: if `fft_length` is not positive.

    Example:
        >>> edl.irfft(edl.rfft([0.0, 1.0, 2.0]), 3)
        Tensor(shape=(3,), dtype=float32, [0. 1. 2.])
    """
    joined, dtype = _from_pair("irfft", x)
    length = None if fft_length is None else check_length("irfft", fft_length, "fft_length")
    return astype(inverse_real_transform("irfft", joined, (length,), (-1,), "backward"), dtype)


# -- frames -------------------------------------------------------------------------------------


def _sequences_spec(x, sequence_length, sequence_stride):
    length = check_length("extract_sequences", sequence_length, "sequence_length")
    stride = check_length("extract_sequences", sequence_stride, "sequence_stride")
    if not x.ndim or x.shape[-1] < length:
        raise ShapeError("extract_sequences", "the last axis must hold at least one sequence",
                         f"x {x.shape}, sequence_length={length}", "pad x, or shorten the sequences")  # fmt: skip
    return Spec((*x.shape[:-1], 1 + (x.shape[-1] - length) // stride, length), x.dtype)


@linear(transpose=lambda g, x, sequence_stride: _overlap_add(g, x.shape[-1], sequence_stride), infer=_sequences_spec)
def extract_sequences(x, sequence_length, sequence_stride):
    """x (..., n) -> (..., 1 + (n - sequence_length) // sequence_stride, sequence_length). Sliding windows.

    Raises:
        ShapeError: if the last axis is shorter than one sequence.
        ArgumentError: if the length or the stride is not positive.

    Example:
        >>> edl.extract_sequences(edl.constant([1, 2, 3, 4, 5, 6]), 3, 2)
        Tensor(shape=(2, 3), dtype=int32,
        [[1 2 3]
         [3 4 5]])
    """
    shape = _sequences_spec(x, sequence_length, sequence_stride).shape
    step = x.strides[-1]
    views = devices.module_of(x).lib.stride_tricks.as_strided
    return views(x, shape, (*x.strides[:-1], step * int(sequence_stride), step)).copy()


@linear(
    transpose=lambda g, x, stride: extract_sequences(
        _cut_or_fill(g, (*g.shape[:-1], _covered(x, stride))), x.shape[-1], stride
    ),
    infer=lambda x, size, stride: Spec((*x.shape[:-2], size), x.dtype),
)
def _overlap_add(x, size, stride):
    """x (..., number, length) -> (..., size). Sequence i added at i * stride: the transpose of `extract_sequences`.

    Cut into pieces of `stride`, piece j of all sequences lands on neighbouring places: one addition for each piece.
    """
    stride = int(stride)
    *lead, number, length = x.shape
    pieces = -(-length // stride)
    x = _resized(x, (*lead, number, pieces * stride)).reshape(*lead, number, pieces, stride)
    out = devices.module_of(x).zeros((*lead, number + pieces - 1, stride), x.dtype)
    for j in range(pieces):
        out[..., j : j + number, :] += x[..., j, :]
    return _resized(out.reshape(*lead, -1), (*lead, size))


def _covered(x, stride):
    """How many positions the sequences of `x` cover."""
    return (x.shape[-2] - 1) * stride + x.shape[-1]


def _beside(values, x):
    """A constant NumPy array as a tensor on the device of `x`."""
    return from_array(devices.move(values, x.device))


def _window(op, window, length, fft_length, like):
    """The window as a tensor (fft_length,): its `length` values between zeros, on the device of the tensor `like`."""
    left = (fft_length - length) // 2
    sides = left, fft_length - length - left
    dtype = dtypes.real_of(like.dtype)
    if window is None:
        return _beside(np.ones(fft_length, dtype), like)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ArgumentError(
                op, "a window by name is 'hann' or 'hamming'", f"got {window!r}", "pass its values as a tensor"
            )
        rise = np.cos(2 * math.pi * np.arange(length) / length) if length > 1 else np.full(1, -1.0)
        values = 0.5 - 0.5 * rise if window == "hann" else 0.54 - 0.46 * rise
        return _beside(np.pad(values, sides).astype(dtype), like)
    values = convert_to_tensor(window)
    if values.shape != (length,):
        raise ShapeError(
            op,
            "the window must have shape (sequence_length,)",
            f"window {values.shape}, sequence_length={length}",
            "make it as long as a sequence",
        )
    return concatenate(
        [_beside(np.zeros(sides[0], dtype), like), astype(values, dtype), _beside(np.zeros(sides[1], dtype), like)]
    )


def _frame_sizes(op, sequence_length, sequence_stride, fft_length):
    length = check_length(op, sequence_length, "sequence_length")
    stride = check_length(op, sequence_stride, "sequence_stride")
    points = check_length(op, fft_length, "fft_length")
    if points < length:
        raise ArgumentError(
            op,
            "fft_length must be at least sequence_length",
            f"fft_length={points}, sequence_length={length}",
            "choose a longer transform",
        )
    return stride, length, points


def _reflected(x, width):
    """x (..., n) -> (..., n + 2 width), mirrored at its first and its last element."""
    size = x.shape[-1]
    if width >= size:  # mirrored more than once
        return get_item(x, (..., np.pad(np.arange(size), width, mode="reflect")))
    last = size - 2 - width
    left, right = (
        get_item(x, (..., slice(width, 0, -1))),
        get_item(x, (..., slice(size - 2, last if last >= 0 else None, -1))),
    )
    return concatenate([left, x, right], -1)


def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """x (..., n) real -> a pair of (..., frames, fft_length // 2 + 1). Spectra of short sliding windows.

    Args:
        x: a real signal.
        sequence_length: how many samples a window looks at.
        sequence_stride: from one window to the next.
        fft_length: the length of the transform, at least `sequence_length`.
        window: "hann", "hamming", the `sequence_length` values themselves (differentiable), or None for no window.
        center: whether x is mirrored at both ends, so that frame t is centred at sample t * sequence_stride.

    Returns:
        The real and the imaginary part.

    Raises:
        ArgumentError: for an unknown window, sizes that are not positive, or a transform shorter than the window.
        ShapeError: if the window has another length, or x is too short for one frame.
        DTypeError: if x is complex.

    Example:
        >>> re, im = edl.stft([0.0, 1.0, 2.0, 3.0, 4.0], 3, 2, 3)
        >>> re
        Tensor(shape=(3, 2), dtype=float32,
        [[ 0.75  -0.375]
         [ 3.75  -1.875]
         [ 5.25  -2.625]])

    Source: Allen & Rabiner, 1977, doi 10.1109/PROC.1977.10770.
    """
    stride, length, points = _frame_sizes("stft", sequence_length, sequence_stride, fft_length)
    x = convert_to_tensor(x)
    dtype = dtypes.to_floating((x.dtype,))[0]
    x = _real_input("stft", x)
    values = _window("stft", window, length, points, x)
    if not x.ndim or not x.shape[-1]:
        raise ShapeError(
            "stft", "a signal of at least one sample is needed", f"x has shape {x.shape}", "check what emptied it"
        )
    if center and points > 1:
        x = _reflected(x, points // 2)
    if x.shape[-1] < points:
        raise ShapeError(
            "stft",
            "the signal must fill at least one frame",
            f"x {x.shape}, fft_length={points}",
            "pad x, or use center=True",
        )
    frames = extract_sequences(x, points, stride) * values
    return _to_pair(_rfft(frames, frames.ndim - 1, "backward", False), dtype)


def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """x: a pair of (..., frames, fft_length // 2 + 1) -> (..., n). The signal whose `stft` is x.

    Frames are transformed back, windowed again, added where they overlap, and divided by the sum of the squared
    windows: the signal nearest to x in the least squares sense. Samples that no window covers are 0.

    Args:
        x: the real and the imaginary part.
        sequence_length, sequence_stride, fft_length, window, center: as in `stft`.
        length: how many samples to keep; all by default.

    Raises:
        DTypeError: if x is no pair of floating tensors.
        ShapeError: if the parts differ in shape, have fewer than two axes, or another number of frequencies.
        ArgumentError: as in `stft`.

    Example:
        >>> signal = edl.constant([0.0, 1.0, 2.0, 3.0, 4.0])
        >>> edl.istft(edl.stft(signal, 1, 1, 1), 1, 1, 1)
        Tensor(shape=(5,), dtype=float32, [0. 1. 2. 3. 4.])

    Source: Griffin & Lim, 1984, doi 10.1109/TASSP.1984.1164317, equation 6.
    """
    stride, size, points = _frame_sizes("istft", sequence_length, sequence_stride, fft_length)
    spectra, dtype = _from_pair("istft", x)
    if spectra.ndim < 2 or spectra.shape[-1] != points // 2 + 1:
        raise ShapeError(
            "istft",
            f"x must have shape (..., frames, {points // 2 + 1}) for fft_length={points}",
            f"x[0] {spectra.shape}",
            "pass the fft_length that stft had",
        )
    values = _window("istft", window, size, points, spectra)
    frames = _irfft(spectra, points, spectra.ndim - 1, "backward", False) * values
    total = points + stride * (spectra.shape[-2] - 1)
    cover = _overlap_add(broadcast_to(values * values, frames.shape[-2:]), total, stride)
    signal = _overlap_add(frames, total, stride) / where(cover > 1e-10, cover, 1)
    start = points // 2 if center else 0
    stop = total - start if length is None else builtins.min(start + check_length("istft", length, "length"), total)
    return astype(get_item(signal, (..., slice(start, stop))), dtype)


# -- complex numbers as pairs -------------------------------------------------------------------


def _as_complex_spec(x):
    if not x.ndim or x.shape[-1] != 2:
        raise ShapeError("view_as_complex", "the last axis must hold the real and the imaginary part, so have size 2",
                         f"x has shape {x.shape}", "stack the parts with edl.stack([real, imag], -1)")  # fmt: skip
    if dtypes.is_complex(x.dtype):
        raise DTypeError("view_as_complex", "x must be real", f"got {x.dtype}", "it is complex already")
    return Spec(x.shape[:-1], dtypes.complex_of(x.dtype))


@linear(transpose=lambda g, x: astype(view_as_real(g), x.dtype), infer=_as_complex_spec, promote=dtypes.to_floating)
def view_as_complex(x):
    """x (..., 2) real -> (...) complex. The last axis read as real and imaginary part.

    Raises:
        ShapeError: if the last axis has another size than 2.

    Example:
        >>> edl.view_as_complex([[1.0, 2.0], [3.0, 4.0]])
        Tensor(shape=(2,), dtype=complex64, [1.+2.j 3.+4.j])
    """
    target = _as_complex_spec(x).dtype
    x = x.astype(dtypes.real_of(target), copy=False)
    return devices.module_of(x).ascontiguousarray(x).view(target)[..., 0]


def _as_real_spec(x):
    if not dtypes.is_complex(x.dtype):
        raise DTypeError("view_as_real", "x must be complex", f"got {x.dtype}", "cast it with edl.cast(x, 'complex64')")
    return Spec((*x.shape, 2), dtypes.real_of(x.dtype))


@linear(transpose=lambda g: view_as_complex(g), infer=_as_real_spec)
def view_as_real(x):
    """x (...) complex -> (..., 2) real. The real and the imaginary part along a new last axis.

    Raises:
        DTypeError: if x is real.

    Example:
        >>> edl.view_as_real([1.0 + 2.0j])
        Tensor(shape=(1, 2), dtype=float32, [[1. 2.]])
    """
    spec = _as_real_spec(x)
    return devices.module_of(x).ascontiguousarray(x).view(spec.dtype).reshape(spec.shape)
