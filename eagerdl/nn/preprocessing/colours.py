"""Layers that change the colours of images at random: brightness, contrast, hue, saturation."""

from eagerdl import ops, registry
from eagerdl.errors import ShapeError
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.preprocessing.image import ImageLayer, checked_range, interval, rescaled

__all__ = [
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomGrayscale", "RandomHue",
    "RandomInvert", "RandomSaturation",
]  # fmt: skip


class ColourLayer(ImageLayer):
    """A layer with a factor and a range of values."""

    keys = ("factor", "value_range")
    low = 0.0  # the least factor

    def __init__(self, factor, value_range, seed, data_format=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.value_range = checked_range(self.where, value_range)
        self.factor = self._interval(factor)

    def _interval(self, factor):
        return interval(self.where, "factor", factor, self.low)

    def draw(self, images):
        return ops.cast(self._uniform(images, *self.factor), images.dtype)

    def _clipped(self, images):
        return ops.clip(images, *self.value_range)

    def _of_three(self, images):
        if images.shape[-1] != 3:
            raise ShapeError(self.where, "colour images have 3 channels: red, green, blue", f"got {images.shape[-1]}",
                             "set data_format if the channels are on another axis")  # fmt: skip
        return images


class RandomContrast(ColourLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. ``(x - mean) * contrast + mean``, in training.

    The mean is that of each channel of each image; the result is clipped to the range of values.

    Args:
        factor: (lower, upper) for contrasts from 1 - lower to 1 + upper, or one number for both.
        value_range: the least and the greatest value that pixels have.
        seed: an int, for the same contrasts in each run.
        kwargs: data_format, name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [0, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> more = edl.layers.RandomContrast((0.0, 0.5), seed=1)(edl.reshape([100.0, 200.0], (1, 2, 1)))
        >>> more[0, 0, 0].item() < 100.0 and more[0, 1, 0].item() > 200.0
        True
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(factor, value_range, seed, **kwargs)

    def _interval(self, factor):
        return interval(self.where, "factor", factor, 0.0, symmetric=True)

    def draw(self, images):
        return ops.cast(self._uniform(images, 1.0 - self.factor[0], 1.0 + self.factor[1]), images.dtype)

    def transform(self, images, drawn):
        mean = ops.mean(images, axis=(1, 2), keepdims=True)
        return self._clipped((images - mean) * drawn + mean)


class RandomBrightness(ColourLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. A random part of the range of values added, in training.

    Args:
        factor: the part: a number f for those from -f to f, or (lower, upper).
        value_range: the least and the greatest value that pixels have; the result is clipped to it.
        seed: an int, for the same numbers in each run.
        kwargs: data_format, name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [-1, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomBrightness((0.2, 0.2))(edl.reshape([100.0, 240.0], (1, 2, 1)))[0, :, 0].tolist()
        [151.0, 255.0]
    """

    low = -1.0

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(factor, value_range, seed, **kwargs)

    def transform(self, images, drawn):
        return self._clipped(images + drawn * (self.value_range[1] - self.value_range[0]))


class RandomGrayscale(ImageLayer):
    """images (batch, h, w, 3) or (h, w, 3) -> the same shape. Each image made gray with a probability, in training.

    Args:
        factor: the probability.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same choices in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for a factor outside of [0, 1].
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomGrayscale(1.0)(edl.reshape([7.0, 7.0, 7.0], (1, 1, 3))).shape
        (1, 1, 3)
    """

    keys = ("factor",)

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        check_numbers(self.where, 0.0, 1.0, factor=factor)
        self.factor = factor

    def draw(self, images):
        return self._uniform(images, 0.0, 1.0) < self.factor

    def transform(self, images, drawn):
        return ops.where(drawn, ops.image.rgb_to_grayscale(images, data_format="channels_last"), images)


class RandomColorDegeneration(ColourLayer):
    """images (batch, h, w, 3) or (h, w, 3) -> the same shape. Mixed with their gray versions, in training.

    Args:
        factor: the part of the gray version: a number f for those from 0 to f, or (lower, upper); below 0 colours get
            stronger.
        value_range: the least and the greatest value that pixels have; the result is clipped to it.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [-1, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes, or other than 3 channels.

    Example:
        >>> half = edl.layers.RandomColorDegeneration((0.5, 0.5))(edl.reshape([100.0, 0.0, 0.0], (1, 1, 3)))
        >>> edl.round(half[0, 0], 2).tolist()[1:] == edl.round(half[0, 0, 1:], 2).tolist()
        True
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format, **kwargs)

    def _interval(self, factor):
        return interval(self.where, "factor", factor, -1.0, default_low=0.0)

    def transform(self, images, drawn):
        gray = ops.image.rgb_to_grayscale(self._of_three(images), data_format="channels_last")
        return self._clipped(images + drawn * (gray - images))


class RandomHue(ColourLayer):
    """images (batch, h, w, 3) or (h, w, 3) -> the same shape. Each image's hues turned by one random angle, in training.

    Args:
        factor: the angle, as a part of pi: a number f for those from 0 to f, or (lower, upper); with a random sign.
        value_range: the least and the greatest value that pixels have.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same angles in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [0, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes, or other than 3 channels.

    Example:
        >>> edl.layers.RandomHue((1.0, 1.0))(edl.reshape([255.0, 0.0, 0.0], (1, 1, 3)))[0, 0].tolist()
        [0.0, 255.0, 255.0]
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format, **kwargs)

    def draw(self, images):
        return ops.where(self._uniform(images, 0.0, 1.0) < 0.5, -0.5, 0.5) * super().draw(images)

    def transform(self, images, drawn):
        hsv = ops.image.rgb_to_hsv(
            rescaled(self._of_three(images), self.value_range, (0, 1)), data_format="channels_last"
        )
        hue = ops.mod(hsv[..., 0] + ops.cast(drawn[..., 0], hsv.dtype), 1.0)
        out = ops.image.hsv_to_rgb(ops.stack([hue, hsv[..., 1], hsv[..., 2]], axis=-1), data_format="channels_last")
        return ops.cast(rescaled(ops.clip(out, 0, 1), (0, 1), self.value_range), images.dtype)


class RandomSaturation(ColourLayer):
    """images (batch, h, w, 3) or (h, w, 3) -> the same shape. Colours made paler or stronger, in training.

    Saturations are multiplied by f / (1 - f): f = 0 gives gray, 0.5 the same image, 1 colours that are as strong as can be.

    Args:
        factor: the f: a number for those from 0 to it, or (lower, upper); below 0 is as 0.
        value_range: the least and the greatest value that pixels have.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [-1, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes, or other than 3 channels.

    Example:
        >>> edl.layers.RandomSaturation((0.0, 0.0))(edl.reshape([255.0, 100.0, 50.0], (1, 1, 3)))[0, 0].tolist()
        [255.0, 255.0, 255.0]
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format, **kwargs)

    def _interval(self, factor):
        return interval(self.where, "factor", factor, -1.0, default_low=0.0)

    def draw(self, images):
        factor = self._uniform(images, *self.factor)
        return factor / (1 - factor + 1e-7)

    def transform(self, images, drawn):
        hsv = ops.image.rgb_to_hsv(
            rescaled(self._of_three(images), self.value_range, (0, 1)), data_format="channels_last"
        )
        saturation = ops.clip(hsv[..., 1] * ops.cast(drawn[..., 0], hsv.dtype), 0, 1)
        out = ops.image.hsv_to_rgb(
            ops.stack([hsv[..., 0], saturation, hsv[..., 2]], axis=-1), data_format="channels_last"
        )
        return ops.cast(rescaled(out, (0, 1), self.value_range), images.dtype)


class RandomInvert(ColourLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Some images as negatives, in training.

    Args:
        factor: the probability of it; of (lower, upper) one between them is drawn for each image, of a number f one between
            0 and f.
        value_range: the least and the greatest value that pixels have.
        seed: an int, for the same choices in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [0, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomInvert((1.0, 1.0))(edl.reshape([0.0, 55.0], (1, 2, 1)))[0, :, 0].tolist()
        [255.0, 200.0]
    """

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format, **kwargs)

    def draw(self, images):
        return self._chosen(images)

    def transform(self, images, drawn):
        return ops.where(drawn, self.value_range[0] + self.value_range[1] - images, images)


class RandomColorJitter(ImageLayer):
    """images (batch, h, w, 3) or (h, w, 3) -> the same shape. Brightness, contrast, saturation and hue changed, in training.

    Args:
        value_range: the least and the greatest value that pixels have.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: those of `RandomBrightness`, `RandomContrast`,
            `RandomSaturation` and `RandomHue`, which are applied in this order; None leaves one out.
        seed: an int, for the same numbers in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors that these layers refuse.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomColorJitter(brightness_factor=0.2, hue_factor=0.1, seed=1)(edl.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    keys = ("value_range", "brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")

    def __init__(self, value_range=(0, 255), brightness_factor=None, contrast_factor=None, saturation_factor=None,
                 hue_factor=None, seed=None, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.value_range = checked_range(self.where, value_range)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        self.steps = []
        for cls, factor in ((RandomBrightness, brightness_factor), (RandomContrast, contrast_factor),
                            (RandomSaturation, saturation_factor), (RandomHue, hue_factor)):  # fmt: skip
            if factor is not None:
                step = cls(factor, self.value_range, dtype=self.dtype_policy)
                step.generator = self.generator
                self.steps.append(step)

    def draw(self, images):
        return [step.draw(images) for step in self.steps]

    def transform(self, images, drawn):
        for step, numbers in zip(self.steps, drawn):
            images = step.transform(images, numbers)
        return images


registry.add_area("layers", {name: globals()[name] for name in __all__})
