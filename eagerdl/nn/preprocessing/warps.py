"""Layers that move the pixels of images at random: flips, affine and perspective maps, elastic ones."""

import math

import numpy as np

from eagerdl import ops, registry
from eagerdl.nn.arguments import check_choice, check_numbers
from eagerdl.nn.preprocessing.image import INTERPOLATIONS, ImageLayer, check_warp, checked_range, interval

__all__ = [
    "RandomElasticTransform", "RandomFlip", "RandomPerspective", "RandomRotation", "RandomShear", "RandomTranslation",
    "RandomZoom",
]  # fmt: skip

MODES = ("horizontal", "vertical", "horizontal_and_vertical")


class MovingLayer(ImageLayer):
    """A layer that reads each pixel from elsewhere; masks are read without interpolation."""

    moves_pixels = True

    def transform_masks(self, masks, drawn):
        return self.transform(masks, drawn, "nearest")


class AffineLayer(MovingLayer):
    """A layer whose `matrix(images)` gives the numbers a0, a1, a2, b0, b1, b2 of an affine map for each image.

    The pixel (x, y) of the result is read at (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """

    def __init__(self, fill_mode, interpolation, seed, fill_value, data_format, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        check_warp(self.where, interpolation, fill_mode)
        check_numbers(self.where, fill_value=fill_value)
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value

    def draw(self, images):
        columns = self.matrix(images)
        zero = ops.zeros((images.shape[0],), "float32")
        return ops.stack([zero + column for column in (*columns, 0.0, 0.0)], axis=1)

    def matrix(self, images):
        """images (b, h, w, c) -> a0, a1, a2, b0, b1, b2, numbers or tensors (b,)."""
        raise NotImplementedError

    def transform(self, images, drawn, interpolation=None):
        return ops.image.affine_transform(images, drawn, interpolation or self.interpolation, self.fill_mode, self.fill_value,
                                          "channels_last")  # fmt: skip

    def _factors(self, images, bounds):
        return self._uniform(images, *bounds)[:, 0, 0, 0]


class RandomFlip(MovingLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Each image mirrored with probability 1/2, in training.

    Args:
        mode: "horizontal" (left and right change places), "vertical", or "horizontal_and_vertical" (each with probability 1/2).
        seed: an int, for the same flips in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for an unknown mode.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> x = edl.reshape([1.0, 2.0], (1, 1, 2, 1))
        >>> flips = edl.layers.RandomFlip("horizontal", seed=1)
        >>> sorted({flips(x)[0, 0, 0, 0].item() for _ in range(20)}), flips(x, training=False)[0, 0, :, 0].tolist()
        ([1.0, 2.0], [1.0, 2.0])
    """

    keys = ("mode",)

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        check_choice(self.where, "mode", mode, MODES)
        self.mode = mode

    def draw(self, images):
        return [
            (axis, self._uniform(images, 0.0, 1.0) < 0.5)
            for axis, name in ((2, "horizontal"), (1, "vertical"))
            if name in self.mode
        ]

    def transform(self, images, drawn, interpolation=None):
        for axis, flipped in drawn:
            images = ops.where(flipped, ops.flip(images, axis), images)
        return images


class RandomRotation(AffineLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Each image turned by a random angle, in training.

    Args:
        factor: the angles, as parts of 2 pi: a number f for those from -f to f, or (lower, upper); positive ones turn
            counterclockwise.
        fill_mode: what lies outside of an image: "reflect", "wrap", "constant" or "nearest".
        interpolation: "bilinear" or "nearest".
        seed: an int, for the same angles in each run.
        fill_value: the value outside for "constant".
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [-1, 1], or unknown modes.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> quarter = edl.layers.RandomRotation((0.25, 0.25))
        >>> edl.round(quarter(edl.reshape([1.0, 2.0, 3.0, 4.0], (2, 2, 1))), 3)[..., 0].tolist()
        [[2.0, 4.0], [1.0, 3.0]]
    """

    keys = ("factor", "fill_mode", "fill_value", "interpolation")

    def __init__(self, factor, fill_mode="reflect", interpolation="bilinear", seed=None, fill_value=0.0, data_format=None,
                 **kwargs):  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = interval(self.where, "factor", factor)

    def matrix(self, images):
        angle = self._factors(images, self.factor) * (2 * math.pi)
        cos, sin = ops.cos(angle), ops.sin(angle)
        y, x = ((n - 1) / 2 for n in images.shape[1:3])  # the middle stays where it is
        return cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos


class RandomZoom(AffineLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Each image seen from nearer or farther, in training.

    Args:
        height_factor: by which part of it the height of what is seen grows: a number f for those from -f to f, or
            (lower, upper); negative ones zoom in.
        width_factor: the same of the width; None for that of the height.
        fill_mode: what lies outside of an image: "reflect", "wrap", "constant" or "nearest".
        interpolation: "bilinear" or "nearest".
        seed: an int, for the same numbers in each run.
        fill_value: the value outside for "constant".
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of (-1, 1], or unknown modes.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> half = edl.layers.RandomZoom((-0.5, -0.5), interpolation="nearest")
        >>> half(edl.reshape(edl.arange(16.0), (4, 4, 1)))[..., 0].tolist()[0]
        [5.0, 5.0, 6.0, 6.0]
    """

    keys = ("height_factor", "width_factor", "fill_mode", "interpolation", "fill_value")

    def __init__(self, height_factor, width_factor=None, fill_mode="reflect", interpolation="bilinear", seed=None,
                 fill_value=0.0, data_format=None, **kwargs):  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        low = math.nextafter(-1.0, 0.0)  # at -1 nothing would be seen
        self._height = interval(self.where, "height_factor", height_factor, low)
        self._width = None if width_factor is None else interval(self.where, "width_factor", width_factor, low)

    def matrix(self, images):
        height = 1 + self._factors(images, self._height)
        width = height if self._width is None else 1 + self._factors(images, self._width)
        y, x = ((n - 1) / 2 for n in images.shape[1:3])
        return width, 0.0, x * (1 - width), 0.0, height, y * (1 - height)


class RandomTranslation(AffineLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Each image shifted, in training.

    Args:
        height_factor: by which part of the height: a number f for those from -f to f, or (lower, upper); positive ones
            shift down.
        width_factor: by which part of the width; positive ones shift to the right.
        fill_mode: what lies outside of an image: "reflect", "wrap", "constant" or "nearest".
        interpolation: "bilinear" or "nearest".
        seed: an int, for the same shifts in each run.
        fill_value: the value outside for "constant".
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [-1, 1], or unknown modes.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> right = edl.layers.RandomTranslation(0.0, (0.5, 0.5), fill_mode="constant")
        >>> right(edl.reshape([1.0, 2.0, 3.0, 4.0], (1, 4, 1)))[0, :, 0].tolist()
        [0.0, 0.0, 1.0, 2.0]
    """

    keys = ("height_factor", "width_factor", "fill_mode", "interpolation", "fill_value")

    def __init__(self, height_factor, width_factor, fill_mode="reflect", interpolation="bilinear", seed=None, fill_value=0.0,
                 data_format=None, **kwargs):  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._height = interval(self.where, "height_factor", height_factor)
        self._width = interval(self.where, "width_factor", width_factor)

    def matrix(self, images):
        down = self._factors(images, self._height) * images.shape[1]
        right = self._factors(images, self._width) * images.shape[2]
        return 1.0, 0.0, -right, 0.0, 1.0, -down


class RandomShear(AffineLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Rows, columns or both of each image slide, in training.

    Args:
        x_factor: by how much a row slides for each row that it lies lower: a number f for those from -f to f, or
            (lower, upper), with a random sign.
        y_factor: the same of columns.
        interpolation: "bilinear" or "nearest".
        fill_mode: what lies outside of an image: "reflect", "wrap", "constant" or "nearest".
        fill_value: the value outside for "constant".
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same numbers in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [-1, 1], or unknown modes.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomShear(x_factor=0.3, seed=1)(edl.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    keys = ("x_factor", "y_factor", "fill_mode", "interpolation", "fill_value")

    def __init__(self, x_factor=0.0, y_factor=0.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                 data_format=None, seed=None, **kwargs):  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.x_factor, self.y_factor = x_factor, y_factor
        self._x = interval(self.where, "x_factor", x_factor)
        self._y = interval(self.where, "y_factor", y_factor)

    def matrix(self, images):
        sign = ops.where(self._factors(images, (0.0, 1.0)) < 0.5, -1.0, 1.0)
        return 1.0, sign * self._factors(images, self._x), 0.0, sign * self._factors(images, self._y), 1.0, 0.0


class RandomPerspective(MovingLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Each image seen from another side, in training.

    Args:
        factor: the probability that an image is changed; of (lower, upper) one between them is drawn for each, of a number f
            one between 0 and f.
        scale: how far the corners go at most, as a part of twice their coordinates, from 0 to 1.
        interpolation: "bilinear" or "nearest".
        fill_value: the value outside.
        seed: an int, for the same numbers in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors or a scale outside of [0, 1], or an unknown interpolation.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomPerspective(seed=1)(edl.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    keys = ("factor", "scale", "interpolation", "fill_value")

    def __init__(
        self, factor=1.0, scale=1.0, interpolation="bilinear", fill_value=0.0, seed=None, data_format=None, **kwargs
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        check_numbers(self.where, 0.0, 1.0, scale=scale)
        check_numbers(self.where, fill_value=fill_value)
        check_choice(self.where, "interpolation", interpolation, INTERPOLATIONS)
        self.factor = interval(self.where, "factor", factor, 0.0)
        self.scale, self.interpolation, self.fill_value = scale, interpolation, fill_value

    def draw(self, images):
        bottom, right = images.shape[1] - 1, images.shape[2] - 1
        corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], "float32")
        start = ops.broadcast_to(ops.convert_to_tensor(corners), (images.shape[0], 4, 2))
        # Halved, so that no two sides meet even where both corners of one go all the way.
        end = start * (1 + self._uniform(images, -0.5 * self.scale, 0.5 * self.scale, 4, 2))
        return self._chosen(images), start, end

    def transform(self, images, drawn, interpolation=None):
        chosen, start, end = drawn
        moved = ops.image.perspective_transform(images, start, end, interpolation or self.interpolation, self.fill_value,
                                                "channels_last")  # fmt: skip
        return ops.where(chosen, moved, images)


class RandomElasticTransform(MovingLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. Each image as if drawn on a rubber sheet, in training.

    Args:
        factor: the probability that an image is changed; of (lower, upper) one between them is drawn for each, of a number f
            one between 0 and f.
        scale: how strong, from 0 to 1, for all images of a batch: drawn likewise.
        interpolation: "bilinear" or "nearest".
        fill_mode: what lies outside of an image: "reflect", "wrap", "constant" or "nearest".
        fill_value: the value outside for "constant".
        value_range: the least and the greatest value that pixels have.
        seed: an int, for the same numbers in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors or scales outside of [0, 1], or unknown modes.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomElasticTransform(seed=1)(edl.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)

    Source: Simard, Steinkraus & Platt, 2003, "Best practices for convolutional neural networks".
    """

    keys = ("factor", "scale", "interpolation", "fill_mode", "fill_value", "value_range")

    def __init__(self, factor=1.0, scale=1.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                 value_range=(0, 255), seed=None, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        check_warp(self.where, interpolation, fill_mode)
        self.factor = interval(self.where, "factor", factor, 0.0)
        self.scale = interval(self.where, "scale", scale, 0.0)
        self.value_range = checked_range(self.where, value_range)
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value

    def draw(self, images):
        scale = float(ops.random.uniform((), *self.scale, seed=self.generator))
        return self._chosen(images), scale, self.generator.next()

    def transform(self, images, drawn, interpolation=None):
        chosen, scale, seed = drawn
        height, width = images.shape[1:3]
        if not scale * min(height, width):
            return images
        moved = ops.image.elastic_transform(
            images, 0.1 * scale * max(height, width), 0.05 * scale * min(height, width), interpolation or self.interpolation,
            self.fill_mode, self.fill_value, seed, "channels_last",
        )  # fmt: skip
        out = ops.where(chosen, moved, images)
        return out if interpolation else ops.clip(out, *self.value_range)


registry.add_area("layers", {name: globals()[name] for name in __all__})
