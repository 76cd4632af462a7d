"""Layers from signals to their spectra over time: `MelSpectrogram`, `STFTSpectrogram`."""

import math

import numpy as np

from eagerdl import config, ops, registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.arguments import check_choice, check_numbers, positive_int
from eagerdl.nn.initializers import STFT
from eagerdl.nn.layer import InputSpec, Layer

__all__ = ["MelSpectrogram", "STFTSpectrogram"]


class MelSpectrogram(Layer):
    """x (batch, samples) or (samples,) -> (batch, num_mel_bins, frames) or (num_mel_bins, frames). How loud which pitch is when.

    Magnitudes of a short-time Fourier transform to the power `mag_exp`, summed under triangles that are equally wide on the
    mel scale ``1127 log(1 + hertz / 700)``, and in decibels.

    Args:
        fft_length: the length of the transform.
        sequence_stride: from one frame to the next, in samples.
        sequence_length: the length of the window; `fft_length` by default.
        window: "hann", "hamming", or the values of a window.
        sampling_rate: samples a second.
        num_mel_bins: how many triangles there are.
        min_freq, max_freq: between which frequencies they lie, in hertz; up to half the sampling rate by default.
        power_to_db: whether the result is ``10 log10(power / ref_power)``.
        top_db: how far below the loudest value of the batch values are cut.
        mag_exp: 1 for magnitude, 2 for power.
        min_power: the least power before the logarithm.
        ref_power: the power of 0 decibels.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes that are no positive ints, or a window longer than the transform.
        ShapeError: for input with other than 1 or 2 axes.

    Example:
        >>> edl.layers.MelSpectrogram(num_mel_bins=64, sampling_rate=8000, sequence_stride=256)(edl.ones((2, 2048))).shape
        (2, 64, 9)

    Source: Davis & Mermelstein, 1980, doi 10.1109/TASSP.1980.1163420; O'Shaughnessy's formula for mel.
    """

    def __init__(self, fft_length=2048, sequence_stride=512, sequence_length=None, window="hann", sampling_rate=16000,
                 num_mel_bins=128, min_freq=20.0, max_freq=None, power_to_db=True, top_db=80.0, mag_exp=2.0, min_power=1e-10,
                 ref_power=1.0, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        where = self.where
        self.fft_length = positive_int(where, "fft_length", fft_length)
        self.sequence_stride = positive_int(where, "sequence_stride", sequence_stride)
        self.sequence_length = positive_int(where, "sequence_length", sequence_length or fft_length)
        if self.sequence_length > self.fft_length:
            raise ArgumentError(where, "the window must fit into the transform",
                                f"sequence_length={sequence_length}, fft_length={fft_length}",
                                "make fft_length larger")  # fmt: skip
        self.num_mel_bins = positive_int(where, "num_mel_bins", num_mel_bins)
        check_numbers(
            where,
            0.0,
            min_freq=min_freq,
            sampling_rate=sampling_rate,
            mag_exp=mag_exp,
            min_power=min_power,
            top_db=top_db,
        )
        self.window, self.sampling_rate, self.min_freq = window, sampling_rate, min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        if not self.min_freq < self.max_freq:
            raise ArgumentError(
                where, "min_freq lies below max_freq", f"got {min_freq} and {self.max_freq}", "check sampling_rate"
            )
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def call(self, inputs):
        if inputs.ndim not in (1, 2):
            raise ShapeError(self.where, "signals have shape (samples,) or (batch, samples)", f"got {inputs.shape}",
                             "take one channel at a time")  # fmt: skip
        x = ops.cast(inputs, self.compute_dtype if self.compute_dtype == "float64" else "float32")
        real, imag = ops.stft(x, self.sequence_length, self.sequence_stride, self.fft_length, self.window, center=True)
        power = ops.power(ops.sqrt(real**2 + imag**2), self.mag_exp)
        out = ops.matmul(power, ops.cast(ops.convert_to_tensor(self.mel_matrix()), power.dtype))
        if self.power_to_db:
            reference = max(abs(self.ref_power), self.min_power)
            out = 10 * ops.log10(ops.maximum(out, self.min_power)) - 10 * math.log10(reference)
            out = ops.maximum(out, ops.max(out) - self.top_db)
        return ops.cast(ops.swapaxes(out, -1, -2), self.compute_dtype)

    def mel_matrix(self):
        """(fft_length // 2 + 1, num_mel_bins): how much each frequency counts for each triangle, an array."""

        def mel(hertz):
            return 1127.0 * np.log(1.0 + hertz / 700.0)

        frequencies = mel(np.linspace(0.0, self.sampling_rate / 2, self.fft_length // 2 + 1))[:, None]
        edges = np.linspace(mel(float(self.min_freq)), mel(float(self.max_freq)), self.num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        out = np.maximum(0.0, np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle)))
        out[0] = 0.0  # the mean of the signal is no pitch
        return out

    def compute_output_shape(self, input_shape):
        samples, reach = input_shape[-1], self.fft_length // 2 * 2 - self.fft_length
        frames = None if samples is None else (samples + reach) // self.sequence_stride + 1
        return (*input_shape[:-1], self.num_mel_bins, frames)

    def get_config(self):
        names = ("fft_length", "sequence_stride", "sequence_length", "window", "sampling_rate", "num_mel_bins", "min_freq",
                 "max_freq", "power_to_db", "top_db", "mag_exp", "min_power", "ref_power")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class STFTSpectrogram(Layer):
    """x (batch, samples, c) -> (batch, frames, c * frequencies), or (batch, frames, frequencies, c). Spectra of sliding windows.

    Computed as a convolution with trainable kernels, which begin as cosines and sines under a window.

    Args:
        mode: "log" or "magnitude" of the spectrum, "psd" for the power spectral density, "real", "imag", "angle", or "stft"
            for real and imaginary parts behind each other.
        frame_length: how many samples a window looks at.
        frame_step: from one window to the next; half of `frame_length` by default.
        fft_length: the length of the transform; the next power of 2 by default.
        window: a name that `scipy.signal.get_window` knows, the values of a window, or None.
        periodic: whether a window given by name is periodic instead of symmetric.
        scaling: "density", "spectrum" or None: what the window is divided by.
        padding: "valid" or "same".
        expand_dims: whether frequencies have an axis of their own.
        data_format: "channels_last", or "channels_first" for x (batch, c, samples).
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes that do not fit together, or unknown modes.
        ShapeError: for input with other than 3 axes.

    Example:
        >>> layer = edl.layers.STFTSpectrogram("magnitude", frame_length=8, window=None)
        >>> layer(edl.ones((1, 16, 1))).shape
        (1, 3, 5)

    Source: Allen & Rabiner, 1977, doi 10.1109/PROC.1977.10770.
    """

    def __init__(self, mode="log", frame_length=256, frame_step=None, fft_length=None, window="hann", periodic=False,
                 scaling="density", padding="valid", expand_dims=False, data_format=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        where = self.where
        check_choice(where, "mode", mode, ("log", "magnitude", "psd", "real", "imag", "angle", "stft"))
        check_choice(where, "padding", padding, ("valid", "same"))
        if scaling is not None:
            check_choice(where, "scaling", scaling, ("density", "spectrum"))
        self.frame_length = positive_int(where, "frame_length", frame_length)
        self.frame_step = None if frame_step is None else positive_int(where, "frame_step", frame_step)
        self.fft_length = None if fft_length is None else positive_int(where, "fft_length", fft_length)
        self._step = self.frame_step or max(1, self.frame_length // 2)
        self._points = self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))
        if self._step > self.frame_length or self._points < self.frame_length:
            raise ArgumentError(where, "frame_step <= frame_length <= fft_length must hold",
                                f"got {frame_step}, {frame_length}, {fft_length}", "change one of them")  # fmt: skip
        self.mode, self.window, self.periodic, self.scaling = mode, window, periodic, scaling
        self.padding, self.expand_dims = padding, expand_dims
        self.data_format = config.standardize_data_format(data_format)
        self._initializers = {side: STFT(side, window, scaling, periodic) for side in ("real", "imag")}
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape):
        shape = (self.frame_length, 1, self._points // 2 + 1)
        if self.mode != "imag":
            self.real_kernel = self.add_weight(shape, self._initializers["real"], name="real_kernel")
        if self.mode != "real":
            self.imag_kernel = self.add_weight(shape, self._initializers["imag"], name="imag_kernel")

    def call(self, inputs):
        x = inputs if self.data_format == "channels_first" else ops.swapaxes(inputs, 1, 2)
        b, c, n = x.shape
        x = ops.cast(ops.reshape(x, (b * c, n, 1)), self.compute_dtype)

        def part(kernel):  # (b, c, frames, frequencies)
            out = ops.conv(x, kernel, self._step, self.padding, "channels_last")
            return ops.reshape(out, (b, c, *out.shape[1:]))

        real = part(self.real_kernel) if self.mode != "imag" else None
        imag = part(self.imag_kernel) if self.mode != "real" else None
        return self._arranged(self._shown(real, imag))

    def _shown(self, real, imag):
        if self.mode in ("real", "imag"):
            return real if imag is None else imag
        if self.mode == "angle":
            return ops.arctan2(imag, real)
        if self.mode == "stft":
            return ops.concatenate([real, imag], axis=-1)
        power = real**2 + imag**2
        if self.mode == "psd":  # both sides of the spectrum, but for the first and the last frequency
            return power + ops.pad(power[..., 1:-1], [[0, 0]] * 3 + [[1, 1]])
        magnitude = ops.sqrt(ops.maximum(power, config.epsilon()))
        return magnitude if self.mode == "magnitude" else ops.log(ops.maximum(magnitude, config.epsilon()))

    def _arranged(self, x):
        """(b, c, frames, frequencies) -> the shape wanted."""
        b, c, frames, frequencies = x.shape
        if self.expand_dims:
            return x if self.data_format == "channels_first" else ops.transpose(x, (0, 2, 3, 1))
        x = ops.reshape(ops.swapaxes(x, 2, 3), (b, c * frequencies, frames))
        return x if self.data_format == "channels_first" else ops.swapaxes(x, 1, 2)

    def compute_output_shape(self, input_shape):
        last = self.data_format == "channels_last"
        b, (n, c) = input_shape[0], (input_shape[1:] if last else (input_shape[2], input_shape[1]))
        if n is None:
            frames = None
        else:
            frames = -(-n // self._step) if self.padding == "same" else (n - self.frame_length) // self._step + 1
        frequencies = (self._points // 2 + 1) * (2 if self.mode == "stft" else 1)
        if self.expand_dims:
            return (b, frames, frequencies, c) if last else (b, c, frames, frequencies)
        total = None if c is None else c * frequencies
        return (b, frames, total) if last else (b, total, frames)

    def get_config(self):
        window = self.window
        if window is not None and not isinstance(window, str):
            window = np.asarray(window).tolist() if not isinstance(window, tuple) else list(window)
        return {
            **super().get_config(), "mode": self.mode, "frame_length": self.frame_length, "frame_step": self.frame_step,
            "fft_length": self.fft_length, "window": window, "periodic": self.periodic, "scaling": self.scaling,
            "padding": self.padding, "data_format": self.data_format, "expand_dims": self.expand_dims,
        }  # fmt: skip


registry.add_area("layers", {name: globals()[name] for name in __all__})
