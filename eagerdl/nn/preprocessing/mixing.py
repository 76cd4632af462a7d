"""Layers that cover or mix images at random: `RandomErasing`, `MixUp`, `CutMix`."""

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.preprocessing.image import ImageLayer, checked_range, interval

__all__ = ["CutMix", "MixUp", "RandomErasing"]


class RandomErasing(ImageLayer):
    """images (batch, h, w, c) or (h, w, c) -> the same shape. A random rectangle of each image covered, in training.

    Args:
        factor: the probability of it; of (lower, upper) one between them is drawn for each image, of a number f one between
            0 and f.
        scale: the part of the image that a square of the sides' drawn sizes covers: (lower, upper), or f for those to f.
        fill_value: what covers it: a number, one for each channel, or None for noise.
        value_range: the least and the greatest value that pixels have.
        seed: an int, for the same rectangles in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [0, 1], or a range that is none.
        ShapeError: for input with other than 3 or 4 axes, or if fill_value does not fit the channels.

    Example:
        >>> out = edl.layers.RandomErasing((1.0, 1.0), scale=(0.25, 0.25), fill_value=0, seed=1)(edl.ones((1, 8, 8, 3)))
        >>> edl.sum(out).item()
        144.0

    Source: Zhong et al., 2017, arXiv:1708.04896.
    """

    keys = ("factor", "scale", "fill_value", "value_range")

    def __init__(self, factor=1.0, scale=(0.02, 0.33), fill_value=None, value_range=(0, 255), seed=None, data_format=None,
                 **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.factor = interval(self.where, "factor", factor, 0.0)
        self.scale = interval(self.where, "scale", scale, 0.0)
        self.value_range = checked_range(self.where, value_range)
        values = fill_value if isinstance(fill_value, list | tuple) else [] if fill_value is None else [fill_value]
        for value in values:
            check_numbers(self.where, fill_value=value)
        self.fill_value = tuple(fill_value) if isinstance(fill_value, list | tuple) else fill_value

    def draw(self, images):
        sides = ops.sqrt(self._uniform(images, *self.scale, 2))
        inside, _ = rectangles(self, images, sides[:, 0], sides[:, 1])
        return inside & self._chosen(images), self.generator.next()

    def transform(self, images, drawn):
        inside, seed = drawn
        if self.fill_value is None:
            fill = ops.random.normal(images.shape, dtype=images.dtype.name, seed=seed) * self.value_range[1]
        else:
            fill = ops.convert_to_tensor(self.fill_value, dtype=images.dtype)
            if fill.ndim and fill.shape[0] != images.shape[-1]:
                raise ShapeError(self.where, f"fill_value has one number for each of {images.shape[-1]} channels",
                                 f"got {self.fill_value}", "use one number for all")  # fmt: skip
        return ops.where(inside, ops.clip(fill, *self.value_range), images)


class MixingLayer(ImageLayer):
    """A layer that mixes each image of a batch with another one, and their labels."""

    moves_pixels = True

    def _order(self, images):
        return ops.random.shuffle(ops.arange(images.shape[0], dtype="int32"), seed=self.generator)

    def transform_labels(self, labels, drawn):
        order, weight = drawn[0], drawn[-1]
        if labels.ndim < 2 and labels.dtype.kind in "iub":
            raise ShapeError(self.where, "labels that are mixed are one-hot: (batch, classes)",
                             f"got shape {labels.shape}, {labels.dtype}", "use edl.one_hot(labels, classes) first")  # fmt: skip
        weight = ops.reshape(weight, (-1, *(1,) * (labels.ndim - 1)))
        mixed = labels if labels.dtype.kind == "f" else ops.cast(labels, weight.dtype)
        weight = ops.cast(weight, mixed.dtype)
        return weight * mixed + (1 - weight) * ops.take(mixed, order, axis=0)


class MixUp(MixingLayer):
    """images (batch, h, w, c), alone or in a dict with labels (batch, classes) -> the same. Pairs of images mixed, in training.

    ``lambda x + (1 - lambda) x'`` with x' another image of the batch, and lambda from Beta(alpha, alpha) for each image; the
    labels likewise. An image alone stays as it is.

    Args:
        alpha: how evenly they are mixed: near 0 one prevails, with 1 all mixtures are equally likely.
        data_format: "channels_last" or "channels_first"; by default as configured.
        seed: an int, for the same mixtures in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for an alpha that is not positive, or masks or bounding boxes in the dict.
        ShapeError: for input with other than 3 or 4 axes, or labels that are not one-hot.

    Example:
        >>> data = {"images": edl.ones((2, 4, 4, 3)), "labels": edl.constant([[1.0, 0.0], [0.0, 1.0]])}
        >>> edl.sum(edl.layers.MixUp(seed=1)(data)["labels"], axis=-1).tolist()
        [1.0, 1.0]

    Source: Zhang et al., 2017, arXiv:1710.09412.
    """

    keys = ("alpha",)

    def __init__(self, alpha=0.2, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        check_numbers(self.where, 1e-6, alpha=alpha)
        self.alpha = alpha

    def draw(self, images):
        weight = ops.random.beta(
            (images.shape[0], 1, 1, 1), self.alpha, self.alpha, dtype="float32", seed=self.generator
        )
        return self._order(images), weight

    def transform(self, images, drawn):
        order, weight = drawn
        weight = ops.cast(weight, images.dtype)
        return weight * images + (1 - weight) * ops.take(images, order, axis=0)

    def transform_masks(self, masks, drawn):
        raise ArgumentError(
            self.where, "masks of classes cannot be mixed", "the dict has 'segmentation_masks'", "use CutMix"
        )


class CutMix(MixingLayer):
    """images (batch, h, w, c), alone or in a dict with labels (batch, classes) -> the same. Parts exchanged, in training.

    A rectangle of each image is that of another one of the batch; labels are mixed as the areas are. An image alone stays as
    it is.

    Args:
        factor: of how the areas vary: their part is drawn from Beta(a, a) with a between the two numbers, or between 0 and
            a single one.
        seed: an int, for the same rectangles in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for factors outside of [0, 1], or bounding boxes in the dict.
        ShapeError: for input with other than 3 or 4 axes, or labels that are not one-hot.

    Example:
        >>> data = {"images": edl.ones((2, 4, 4, 3)), "labels": edl.constant([[1.0, 0.0], [0.0, 1.0]])}
        >>> edl.sum(edl.layers.CutMix(seed=1)(data)["labels"], axis=-1).tolist()
        [1.0, 1.0]

    Source: Yun et al., 2019, arXiv:1905.04899.
    """

    keys = ("factor",)

    def __init__(self, factor=1.0, seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.factor = interval(self.where, "factor", factor, 0.0)

    def draw(self, images):
        alpha = ops.random.uniform((), *self.factor, dtype="float32", seed=self.generator) + 1e-6
        weight = ops.random.beta((images.shape[0],), alpha, alpha, dtype="float32", seed=self.generator)
        side = ops.sqrt(1 - weight)
        inside, area = rectangles(self, images, side, side)
        return self._order(images), inside, 1 - area

    def transform(self, images, drawn):
        order, inside, _ = drawn
        return ops.where(inside, ops.take(images, order, axis=0), images)

    def transform_masks(self, masks, drawn):
        return self.transform(masks, drawn)


def rectangles(layer, images, width, height):
    """Parts (b,) of the width and height -> which pixels lie in a random rectangle of each, (b, h, w, 1), and their part (b,).

    Pixels belong to it if their corner does, so that the part is what the rounded rectangle covers.
    """
    edges = []
    for size, part in ((images.shape[1], height), (images.shape[2], width)):
        length = ops.round(part * size)
        start = ops.floor(layer._uniform(images, 0.0, 1.0)[:, 0, 0, 0] * (size - length + 1))
        place = ops.arange(size, dtype="float32")
        edges.append((place >= start[:, None]) & (place < (start + length)[:, None]))
    inside = edges[0][:, :, None, None] & edges[1][:, None, :, None]
    return inside, ops.mean(ops.cast(inside, "float32"), axis=(1, 2, 3))


registry.add_area("layers", {name: globals()[name] for name in __all__})
