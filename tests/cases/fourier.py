import numpy as np
from cases.builders import case, complex_normal, fails, integers, normal, positive

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def parts(spectrum):
    return spectrum.real, spectrum.imag


def on_pairs(function):
    """A NumPy transform of complex arrays as one of pairs of real arrays."""
    return lambda x, *args: parts(function(x[0] + 1j * x[1], *args))


def pair(*shape, salt=0):
    return normal(*shape, salt=salt), normal(*shape, salt=salt + 1)


def windowed(name, length):
    """The periodic Hann and Hamming windows by their formulas (Harris, 1978)."""
    edge = {"hann": 0.5, "hamming": 0.54}[name]
    return (
        np.ones(1)
        if length == 1
        else np.array([edge - (1 - edge) * np.cos(2 * np.pi * i / length) for i in range(length)])
    )


def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """Frame by frame, as the definition reads."""
    full = np.zeros(fft_length)
    left = (fft_length - sequence_length) // 2
    if window is None:
        full[:] = 1
    else:
        full[left : left + sequence_length] = windowed(window, sequence_length) if isinstance(window, str) else window
    if center:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2, fft_length // 2)], mode="reflect")
    starts = range(0, x.shape[-1] - fft_length + 1, sequence_stride)
    return parts(np.stack([np.fft.rfft(x[..., s : s + fft_length] * full) for s in starts], -2))


def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """The least squares solution, solved as such: which signal has frames nearest to these?"""
    frames = np.fft.irfft(x[0] + 1j * x[1], fft_length)
    full, left = np.zeros(fft_length), (fft_length - sequence_length) // 2
    if window is None:
        full[:] = 1
    else:
        full[left : left + sequence_length] = windowed(window, sequence_length) if isinstance(window, str) else window
    number = frames.shape[-2]
    total = fft_length + sequence_stride * (number - 1)
    analysis = np.zeros((number * fft_length, total))
    for i in range(number):
        for j in range(fft_length):
            analysis[i * fft_length + j, i * sequence_stride + j] = full[j]
    signal = frames.reshape(*frames.shape[:-2], -1) @ np.linalg.pinv(analysis).T
    start = fft_length // 2 if center else 0
    return signal[..., start : (total - start if length is None else start + length)]


def sequences(x, length, stride):
    return np.stack([x[..., s : s + length] for s in range(0, x.shape[-1] - length + 1, stride)], -2)


FLOAT32 = {"dtypes": ("float32",)}

CASES = {
    "fft": [
        case(pair(2, 5), reference=on_pairs(np.fft.fft)),
        case(pair(8), reference=on_pairs(np.fft.fft)),
        case(pair(1), reference=on_pairs(np.fft.fft)),
        case(pair(0, 3), reference=on_pairs(np.fft.fft)),
    ],
    "fft2": [case(pair(2, 3, 4), reference=on_pairs(np.fft.fft2)), case(pair(5, 2), reference=on_pairs(np.fft.fft2))],
    "ifft2": case(pair(2, 3, 4), reference=on_pairs(np.fft.ifft2)),
    "rfft": [
        case(normal(2, n), *length, reference=lambda x, n=None: parts(np.fft.rfft(x, n)))
        for n in (1, 2, 5, 6)
        for length in ((), (4,), (7,))
    ]
    + [case(integers(0, 9, 6), reference=lambda x: parts(np.fft.rfft(x)), order=0, rtol=1e-6)],
    "irfft": [
        case(pair(2, 4), *length, reference=lambda x, n=None: np.fft.irfft(x[0] + 1j * x[1], n))
        for length in ((), (1,), (5,), (6,), (7,), (10,))
    ],
    "extract_sequences": [
        case(normal(2, 9), length, stride, reference=sequences)
        for length, stride in ((3, 2), (4, 1), (2, 3), (9, 1), (1, 1), (5, 2))
    ]
    + [case(integers(0, 9, 6), 3, 2, reference=sequences, order=0)],
    "stft": [
        case(normal(2, 11), 4, 2, 6, reference=stft),
        case(normal(9), 5, 3, 5, window="hamming", reference=stft),
        case(normal(12), 4, 3, 7, window=None, center=False, reference=stft),
        case(normal(10), 3, 2, 4, window=positive(3), center=False, reference=stft),
        case(normal(2), 3, 1, 6, reference=stft),
        case(normal(3), 1, 1, 1, reference=stft),
        case(normal(4), 6, 2, 6, reference=stft),
    ],
    "istft": [
        case(pair(2, 5, 4), 4, 2, 6, reference=istft),
        case(pair(4, 3), 5, 3, 5, window="hamming", reference=istft),
        case(pair(4, 4), 4, 3, 7, window=None, center=False, reference=istft),
        case(pair(5, 3), 3, 2, 4, window=positive(3), length=6, reference=istft),
        case(pair(3, 1), 1, 1, 1, reference=istft),
    ],
    "view_as_complex": [
        case(normal(3, 2), reference=lambda x: x[..., 0] + 1j * x[..., 1], **FLOAT32),
        case(normal(2), reference=lambda x: x[0] + 1j * x[1], **FLOAT32),
        case(np.ones((0, 2)), reference=lambda x: x[..., 0] + 1j * x[..., 1], **FLOAT32),
    ],
    "view_as_real": [
        case(complex_normal(3), reference=lambda x: np.stack([x.real, x.imag], -1), dtypes=()),
        case(complex_normal(2, 3).T, reference=lambda x: np.stack([x.real, x.imag], -1), dtypes=()),
    ],
}

FAILURES = [
    fails("fft", normal(3), error=DTypeError, match=r"\[fft\] x is a pair.*edl.fft.fft for complex tensors"),
    fails(
        "fft",
        (integers(0, 3, 3), normal(3)),
        error=DTypeError,
        match=r"\[fft\] both parts must be floating; x\[0\] has dtype int32",
    ),
    fails(
        "fft",
        (normal(3), normal(4)),
        error=ShapeError,
        match=r"\[fft\] the real and the imaginary part need one shape; x\[0\] \(3,\), x\[1\] \(4,\)",
    ),
    fails("fft", (normal(), normal()), error=ShapeError, match=r"\[fft\] axis must name one of the 0 axes"),
    fails("fft", (normal(2, 0), normal(2, 0)), error=ShapeError, match=r"\[fft\] a transform needs at least one point"),
    fails("fft2", pair(4), error=ShapeError, match=r"\[fft2\] axis must name one of the 1 axes"),
    fails("ifft2", (normal(3),), error=DTypeError, match=r"\[ifft2\] x is a pair"),
    fails("rfft", complex_normal(3), error=DTypeError, match=r"\[rfft\] x must be real; got complex128"),
    fails("rfft", normal(3), 0, error=ArgumentError, match=r"\[rfft\] fft_length must be at least 1; got 0"),
    fails("rfft", normal(3), 2.5, error=DTypeError, match=r"\[rfft\] fft_length is an integer; got 2.5"),
    fails("irfft", pair(1), error=ShapeError, match=r"\[irfft\] a real signal of at least one point.*give the length"),
    fails("irfft", pair(3), -1, error=ArgumentError, match=r"\[irfft\] fft_length must be at least 1"),
    fails(
        "extract_sequences",
        normal(3),
        4,
        1,
        error=ShapeError,
        match=r"\[extract_sequences\] the last axis must hold at least one.*sequence_length=4",
    ),
    fails("extract_sequences", normal(3), 2, 0, error=ArgumentError, match=r"sequence_stride must be at least 1"),
    fails("extract_sequences", normal(), 1, 1, error=ShapeError, match=r"\[extract_sequences\]"),
    fails(
        "stft", normal(9), 4, 2, 3, error=ArgumentError, match=r"\[stft\] fft_length must be at least sequence_length"
    ),
    fails(
        "stft",
        normal(9),
        4,
        2,
        4,
        window="boxcar",
        error=ArgumentError,
        match=r"\[stft\] a window by name is 'hann' or 'hamming'; got 'boxcar'",
    ),
    fails(
        "stft", normal(9), 4, 2, 4, window=positive(5), error=ShapeError, match=r"\[stft\] the window must have shape"
    ),
    fails(
        "stft",
        normal(3),
        4,
        2,
        4,
        center=False,
        error=ShapeError,
        match=r"\[stft\] the signal must fill at least one frame",
    ),
    fails("stft", normal(9), 4, 0, 4, error=ArgumentError, match=r"\[stft\] sequence_stride must be at least 1"),
    fails("stft", complex_normal(9), 4, 2, 4, error=DTypeError, match=r"\[stft\] x must be real"),
    fails("istft", pair(5, 3), 4, 2, 6, error=ShapeError, match=r"\[istft\] x must have shape \(..., frames, 4\)"),
    fails("istft", pair(4), 4, 2, 6, error=ShapeError, match=r"\[istft\] x must have shape"),
    fails("istft", normal(5, 3), 4, 2, 4, error=DTypeError, match=r"\[istft\] x is a pair"),
    fails("view_as_complex", normal(3), error=ShapeError, match=r"\[view_as_complex\] the last axis.*shape \(3,\)"),
    fails("view_as_real", normal(3), error=DTypeError, match=r"\[view_as_real\] x must be complex"),
]
