"""Layers that sharpen or blur images at random: `RandomSharpness`, `RandomGaussianBlur`."""

import numpy as np

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn.preprocessing.image import ImageLayer, checked_range, interval

__all__ = ["RandomGaussianBlur", "RandomSharpness"]

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


class RandomSharpness(ImageLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Made smoother or sharper, in training.

    ``x + (1 - 2 f) (smooth(x) - x)``, where smooth weighs each pixel by 5/13 and its eight neighbours by 1/13: f = 0 gives
    the smooth image, 0.5 the same, 1 a sharper one.

    Args:
        factor: the f: a number for those from 0 to it, or (lower, upper).
        value_range: the least and the greatest value that pixels have; the result is clipped to it.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [0, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> spot = edl.reshape([0.0, 13.0, 0.0], (1, 3, 1))
        >>> edl.round(edl.layers.RandomSharpness((0.0, 0.0))(spot), 4)[0, :, 0].tolist()
        [1.0, 5.0, 1.0]
    """

    keys = ("factor", "value_range")

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.factor = interval(self.where, "factor", factor, 0.0)
        self.value_range = checked_range(self.where, value_range)

    def draw(self, images):
        return ops.cast(2 * self._uniform(images, *self.factor), images.dtype)

    def transform(self, images, drawn):
        channels = images.shape[-1]
        kernel = np.broadcast_to(SMOOTH[:, :, None, None], (3, 3, channels, 1))
        kernel = ops.cast(ops.convert_to_tensor(np.ascontiguousarray(kernel)), images.dtype)
        smooth = ops.depthwise_conv(images, kernel, 1, "same", "channels_last")
        return ops.clip(images + (1 - drawn) * (smooth - images), *self.value_range)


class RandomGaussianBlur(ImageLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Some images blurred by a Gaussian, in training.

    Args:
        factor: the probability of it; of (lower, upper) one between them is drawn for each image, of a number f one between
            0 and f.
        kernel_size: how many pixels the Gaussian covers: an odd number, or two for width and height.
        sigma: its standard deviation in pixels, drawn for a batch along each axis: a number s for those from 0 to s, or
            (lower, upper).
        value_range: the least and the greatest value that pixels have; the result is clipped to it.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors or deviations outside of [0, 1], even kernel sizes, or a range that is none.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomGaussianBlur(kernel_size=3, sigma=0.5, seed=1)(edl.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    keys = ("factor", "kernel_size", "sigma", "value_range")

    def __init__(
        self, factor=1.0, kernel_size=3, sigma=1.0, value_range=(0, 255), data_format=None, seed=None, **kwargs
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        sizes = kernel_size if isinstance(kernel_size, list | tuple) else (kernel_size, kernel_size)
        if len(sizes) != 2 or any(not isinstance(n, int) or n < 1 or n % 2 == 0 for n in sizes):
            raise ArgumentError(
                self.where, "kernel_size is an odd int, or two", f"got {kernel_size!r}", "use 3, or (3, 5)"
            )
        self.factor = interval(self.where, "factor", factor, 0.0)
        self.kernel_size, self.sigma = tuple(sizes), interval(self.where, "sigma", sigma, 0.0)
        self.value_range = checked_range(self.where, value_range)

    def draw(self, images):
        return self._chosen(images), ops.random.uniform((2,), *self.sigma, dtype="float32", seed=self.generator) + 1e-6

    def transform(self, images, drawn):
        chosen, sigma = drawn
        blurred = ops.image.gaussian_blur(images, self.kernel_size, sigma, "channels_last")
        return ops.clip(ops.where(chosen, blurred, images), *self.value_range)


registry.add_area("layers", {name: globals()[name] for name in __all__})
