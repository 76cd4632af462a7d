"""Layers that map the values of pixels by their distribution, or to fewer of them."""

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import positive_int
from eagerdl.nn.preprocessing.image import ImageLayer, checked_range, interval, rescaled

__all__ = ["AutoContrast", "Equalization", "RandomPosterization", "Solarization"]

BYTES = (0, 255)


class RandomPosterization(ImageLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Values cut to their first bits of 8, in training.

    Args:
        factor: how many bits stay, from 1 to 8; of (lower, upper) a number between them is drawn for each image.
        value_range: the least and the greatest value that pixels have.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [1, 8], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomPosterization(1)(edl.reshape([100.0, 200.0], (1, 2, 1)))[0, :, 0].tolist()
        [0.0, 128.0]
    """

    keys = ("factor", "value_range")

    def __init__(self, factor, value_range=BYTES, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        low, high = interval(self.where, "factor", factor, 1, 8, symmetric=True)
        if low != int(low) or high != int(high):
            raise ArgumentError(self.where, "factor is a number of bits", f"got {factor!r}", "use ints from 1 to 8")
        self.factor = (int(min(low, high)), int(max(low, high)))
        self.value_range = checked_range(self.where, value_range)

    def draw(self, images):
        bits = ops.random.randint((images.shape[0], 1, 1, 1), self.factor[0], self.factor[1] + 1, seed=self.generator)
        return ops.cast(ops.left_shift(1, 8 - bits), images.dtype)

    def transform(self, images, drawn):
        values = ops.floor(rescaled(images, self.value_range, BYTES))
        return rescaled(ops.floor(values / drawn) * drawn, BYTES, self.value_range)


class Solarization(ImageLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Bright values as in a negative, in training.

    A random number is added to each value; those that reach a random threshold are subtracted from the greatest value.

    Args:
        addition_factor: the number added, as a part of the range: f for those from 0 to f, or (lower, upper).
        threshold_factor: the threshold, likewise.
        value_range: the least and the greatest value that pixels have.
        seed: an int, for the same numbers in each run.
        kwargs: data_format, name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [0, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> layer = edl.layers.Solarization(threshold_factor=(0.5, 0.5))
        >>> layer(edl.reshape([100.0, 200.0], (1, 2, 1)))[0, :, 0].tolist()
        [100.0, 55.0]
    """

    keys = ("value_range", "addition_factor", "threshold_factor")

    def __init__(self, addition_factor=0.0, threshold_factor=0.0, value_range=BYTES, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.addition_factor = interval(self.where, "addition_factor", addition_factor, 0.0)
        self.threshold_factor = interval(self.where, "threshold_factor", threshold_factor, 0.0)
        self.value_range = checked_range(self.where, value_range)

    def draw(self, images):
        return [
            ops.cast(255 * self._uniform(images, *factor), images.dtype)
            for factor in (self.addition_factor, self.threshold_factor)
        ]

    def transform(self, images, drawn):
        addition, threshold = drawn
        values = ops.clip(rescaled(images, self.value_range, BYTES) + addition, *BYTES)
        return rescaled(ops.where(values < threshold, values, 255 - values), BYTES, self.value_range)


class AutoContrast(ImageLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Each channel stretched to the whole range of values, always.

    Channels of one value stay as they are.

    Args:
        value_range: the least and the greatest value that pixels have.
        kwargs: data_format, name, dtype, trainable.

    Raises:
        ArgumentError: for a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.AutoContrast()(edl.reshape([50.0, 100.0, 75.0], (1, 3, 1)))[0, :, 0].tolist()
        [0.0, 255.0, 127.5]
    """

    always = True
    keys = ("value_range",)
    _has_seed = False

    def __init__(self, value_range=BYTES, **kwargs):
        super().__init__(**kwargs)
        self.value_range = checked_range(self.where, value_range)

    def transform(self, images, drawn=None):
        low, high = (take(images, axis=(1, 2), keepdims=True) for take in (ops.min, ops.max))
        flat = high == low
        part = (images - low) / ops.where(flat, 1, high - low)
        least, greatest = self.value_range
        return ops.where(flat, images, ops.clip(least + part * (greatest - least), least, greatest))


class Equalization(ImageLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Values spread so that all are about equally frequent, in training.

    Each channel of each image is mapped by its own histogram: value v gets the rank of its bin,
    ``round(255 (cdf(v) - cdf_min) / (n - cdf_min))``.

    Args:
        value_range: the least and the greatest value that pixels have.
        bins: how many bins the histograms have.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for bins that are no positive int, or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.Equalization()(edl.reshape([50.0, 52.0, 51.0], (1, 3, 1)))[0, :, 0].tolist()
        [0.0, 255.0, 128.0]
    """

    keys = ("bins", "value_range")
    _has_seed = False

    def __init__(self, value_range=BYTES, bins=256, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.bins = positive_int(self.where, "bins", bins)
        self.value_range = checked_range(self.where, value_range)

    def transform(self, images, drawn=None):
        b, h, w, c = images.shape
        values = ops.cast(rescaled(images, self.value_range, BYTES), "float32")
        values = ops.reshape(ops.moveaxis(values, -1, 1), (b * c, h * w))
        places = ops.cast(ops.clip(values * ((self.bins - 1) / 255), 0, self.bins - 1), "int32")
        places = places + self.bins * ops.arange(b * c)[:, None]
        histogram = ops.reshape(ops.bincount(ops.ravel(places), minlength=b * c * self.bins), (b * c, self.bins))
        ranks = ops.cast(ops.cumsum(histogram, axis=1), "float32")
        lowest = ops.min(ops.where(ranks > 0, ranks, float(h * w)), axis=1, keepdims=True)
        table = ops.clip(ops.round((ranks - lowest) * 255 / ops.maximum(h * w - lowest, 1)), *BYTES)
        out = ops.where(lowest < h * w, ops.take(ops.ravel(table), places), values)  # a channel of one value stays
        out = ops.moveaxis(ops.reshape(out, (b, c, h, w)), 1, -1)
        return ops.cast(rescaled(out, BYTES, self.value_range), images.dtype)


registry.add_area("layers", {name: globals()[name] for name in __all__})
