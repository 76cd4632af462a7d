"""Layers that disturb their input in training, and pass it on in inference."""

import math

from eagerdl import config, ops, registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.core import KeepsDType
from eagerdl.nn.layer import InputSpec
from eagerdl.ops.generators import SeedGenerator

__all__ = [
    "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
]  # fmt: skip

# Klambauer et al., 2017: alpha and scale of selu.
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


class Disturbance(KeepsDType):
    """A layer that passes its input on in inference, and calls `disturb` in training unless its strength is 0."""

    supports_masking = True

    def __init__(self, strength, seed, **kwargs):
        super().__init__(**kwargs)
        self.seed, self._strength = seed, strength
        if strength > 0:
            self.seed_generator = SeedGenerator(seed)

    def call(self, inputs, training=False):
        return self.disturb(inputs) if training and self._strength > 0 else inputs


class Dropout(Disturbance):
    """x (...) -> (...). In training each element becomes 0 with probability `rate`, else it is divided by 1 - rate.

    So the mean stays the same, and inference has nothing to scale.

    Args:
        rate: a number from 0 to 1.
        noise_shape: the shape of the mask, which broadcasts to that of x; None in it stands for the size there.
        seed: an int, for the same masks in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if rate lies outside of [0, 1], or a size of noise_shape is no positive int.

    Example:
        >>> layer, x = edl.layers.Dropout(0.5, seed=1), edl.ones((2, 3))
        >>> layer(x).tolist() == x.tolist(), set(edl.ravel(layer(x, training=True)).tolist()) <= {0.0, 2.0}
        (True, True)

    Source: Srivastava et al., 2014, jmlr.org/papers/v15/srivastava14a.html.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        check_numbers(type(self).__name__, 0.0, 1.0, rate=rate)
        super().__init__(rate, seed, **kwargs)
        self.rate = rate
        self.noise_shape = _checked_shape(self.where, noise_shape)

    def disturb(self, inputs):
        return ops.random.dropout(inputs, self.rate, self.noise_shape, self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class AlphaDropout(Disturbance):
    """x (...) -> (...). Dropout for selu: dropped elements get its lowest value, and mean and variance stay.

    In training an element is kept with probability ``1 - rate``, or set to ``alpha' = -alpha * scale``; then all of them are
    mapped by ``a x + b`` with ``a = ((1 - rate) (1 + rate alpha'^2))^(-1/2)`` and ``b = -a alpha' rate``.

    Args:
        rate: a number from 0 on, below 1.
        noise_shape: the shape of the mask, which broadcasts to that of x; None in it stands for the size there.
        seed: an int, for the same masks in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if rate lies outside of [0, 1), or a size of noise_shape is no positive int.

    Example:
        >>> layer = edl.layers.AlphaDropout(0.5, seed=1)
        >>> len(set(edl.ravel(layer(edl.ones((4, 8)), training=True)).tolist()))
        2

    Source: Klambauer et al., 2017, arXiv:1706.02515.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        _check_rate(type(self).__name__, rate)
        super().__init__(rate, seed, **kwargs)
        self.rate = rate
        self.noise_shape = _checked_shape(self.where, noise_shape)

    def disturb(self, inputs):
        shape = inputs.shape
        if self.noise_shape is not None:
            if len(self.noise_shape) != len(shape) or any(
                n not in (None, 1, m) for n, m in zip(self.noise_shape, shape)
            ):
                raise ShapeError(self.where, "noise_shape must broadcast to the shape of the input",
                                 f"got noise_shape {self.noise_shape}, input {shape}",
                                 "use 1 for axes with a common mask")  # fmt: skip
            shape = tuple([m if n is None else n for n, m in zip(self.noise_shape, shape)])
        lowest = -ALPHA * SCALE
        a = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        kept = ops.random.uniform(shape, dtype="float32", seed=self.seed_generator) >= self.rate
        return a * ops.where(kept, inputs, lowest) - a * lowest * self.rate

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class GaussianDropout(Disturbance):
    """x (...) -> (...). In training x times normal numbers of mean 1 and deviation ``sqrt(rate / (1 - rate))``, as of Dropout.

    Args:
        rate: a number from 0 on, below 1.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if rate lies outside of [0, 1).

    Example:
        >>> layer, x = edl.layers.GaussianDropout(0.5, seed=1), edl.constant([0.0, 1.0])
        >>> (layer(x, training=True) == x).tolist()
        [True, False]

    Source: Srivastava et al., 2014, section 10, jmlr.org/papers/v15/srivastava14a.html.
    """

    def __init__(self, rate, seed=None, **kwargs):
        _check_rate(type(self).__name__, rate)
        super().__init__(rate, seed, **kwargs)
        self.rate = rate

    def disturb(self, inputs):
        deviation = math.sqrt(self.rate / (1 - self.rate))
        return inputs * ops.random.normal(inputs.shape, 1.0, deviation, self.compute_dtype, self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class GaussianNoise(Disturbance):
    """x (...) -> (...). In training x plus normal numbers of mean 0.

    Args:
        stddev: their standard deviation.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for a negative stddev.

    Example:
        >>> layer, x = edl.layers.GaussianNoise(0.1, seed=1), edl.ones((2, 3))
        >>> layer(x).tolist() == x.tolist(), layer(x, training=True).tolist() == x.tolist()
        (True, False)
    """

    def __init__(self, stddev, seed=None, **kwargs):
        check_numbers(type(self).__name__, 0.0, stddev=stddev)
        super().__init__(stddev, seed, **kwargs)
        self.stddev = stddev

    def disturb(self, inputs):
        return inputs + ops.random.normal(inputs.shape, 0.0, self.stddev, self.compute_dtype, self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class SpatialDropout(Dropout):
    """Dropout of whole channels: one number is drawn for each example and channel."""

    rank = 0
    data_format = "channels_last"

    def __init__(self, rate, seed=None, name=None, dtype=None):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def disturb(self, inputs):
        ones = (1,) * self.rank
        mask = (None, *ones, None) if self.data_format == "channels_last" else (None, None, *ones)
        return ops.random.dropout(inputs, self.rate, mask, self.seed_generator)

    def get_config(self):
        config = super().get_config()
        return {key: config[key] for key in ("rate", "seed", "name", "dtype")}


class FormattedSpatialDropout(SpatialDropout):
    """Dropout of channels that are at either end of the shape."""

    def __init__(self, rate, data_format=None, seed=None, name=None, dtype=None):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


class SpatialDropout1D(SpatialDropout):
    """x (batch, time, channels) -> the same shape. In training whole channels become 0, since neighbours in time are alike.

    Args:
        rate: the probability of a channel to become 0; the others are divided by 1 - rate.
        seed: an int, for the same masks in each run.
        name, dtype: as for each layer.

    Raises:
        ArgumentError: if rate lies outside of [0, 1].
        ShapeError: if x has other than three axes.

    Example:
        >>> out = edl.layers.SpatialDropout1D(0.5, seed=1)(edl.ones((2, 5, 4)), training=True)
        >>> edl.all(out == out[:, :1]).item()
        True

    Source: Tompson et al., 2014, arXiv:1411.4280.
    """

    rank = 1


class SpatialDropout2D(FormattedSpatialDropout):
    """x (batch, height, width, channels) -> the same shape. In training whole channels become 0, since neighbours are alike.

    Args:
        rate: the probability of a channel to become 0; the others are divided by 1 - rate.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default that of the configuration.
        seed: an int, for the same masks in each run.
        name, dtype: as for each layer.

    Raises:
        ArgumentError: if rate lies outside of [0, 1].
        ShapeError: if x has other than four axes.

    Example:
        >>> out = edl.layers.SpatialDropout2D(0.5, seed=1)(edl.ones((2, 3, 5, 4)), training=True)
        >>> edl.all(out == out[:, :1, :1]).item()
        True

    Source: Tompson et al., 2014, arXiv:1411.4280.
    """

    rank = 2


class SpatialDropout3D(FormattedSpatialDropout):
    """x (batch, depth, height, width, channels) -> the same shape. In training whole channels become 0.

    Args:
        rate: the probability of a channel to become 0; the others are divided by 1 - rate.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default that of the configuration.
        seed: an int, for the same masks in each run.
        name, dtype: as for each layer.

    Raises:
        ArgumentError: if rate lies outside of [0, 1].
        ShapeError: if x has other than five axes.

    Example:
        >>> out = edl.layers.SpatialDropout3D(0.5, seed=1)(edl.ones((2, 2, 3, 5, 4)), training=True)
        >>> edl.all(out == out[:, :1, :1, :1]).item()
        True

    Source: Tompson et al., 2014, arXiv:1411.4280.
    """

    rank = 3


def _check_rate(where, rate):
    check_numbers(where, 0.0, 1.0, rate=rate)
    if rate == 1:
        raise ArgumentError(
            where, "rate is below 1", "got rate=1, of which the noise would be infinite", "use Dropout(1.0) for zeros"
        )


def _checked_shape(where, noise_shape):
    """`noise_shape` as a tuple of positive ints and Nones, or None."""
    if noise_shape is None:
        return None
    whole = isinstance(noise_shape, list | tuple)
    if not whole or any(
        n is not None and (isinstance(n, bool) or not hasattr(n, "__index__") or n <= 0) for n in noise_shape
    ):
        raise ArgumentError(where, "noise_shape is a tuple of positive ints and Nones", f"got {noise_shape!r}",
                            "use 1 for axes with a common mask, None for the size of the input")  # fmt: skip
    return tuple(noise_shape)


registry.add_area("layers", {name: globals()[name] for name in __all__})
