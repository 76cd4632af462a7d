"""Layers that give images another size: `Resizing`, `CenterCrop`, `RandomCrop`."""

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import check_choice, positive_int
from eagerdl.nn.preprocessing.image import ImageLayer
from eagerdl.ops.resizing import INTERPOLATIONS

__all__ = ["CenterCrop", "RandomCrop", "Resizing"]


class SizedLayer(ImageLayer):
    """A layer whose output has a height and width of its own, in inference as well."""

    moves_pixels = always = True
    keys: tuple[str, ...] = ("height", "width")

    def __init__(self, height, width, **kwargs):
        super().__init__(**kwargs)
        self.height = positive_int(self.where, "height", height)
        self.width = positive_int(self.where, "width", width)

    def compute_output_shape(self, input_shape):
        return self._sizes(input_shape, self.height, self.width)

    def _fitted(self, images, interpolation="bilinear"):
        """The largest window in the middle of the images with the aspect ratio wanted, resized."""
        return ops.image.resize(images, (self.height, self.width), interpolation, crop_to_aspect_ratio=True,
                                data_format="channels_last")  # fmt: skip

    def transform_masks(self, masks, drawn):
        return self.transform(masks, drawn, "nearest")


class Resizing(SizedLayer):
    """images (batch, h, w, c) or (h, w, c) -> (batch, height, width, c) or (height, width, c). Resized, always.

    Args:
        height, width: the new sizes.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: whether only the middle of the images is used, so that nothing is distorted.
        pad_to_aspect_ratio: whether the images are padded instead.
        fill_mode, fill_value: "constant", and the value of the padding.
        antialias: whether the kernel widens where images shrink.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes that are no positive ints, an unknown interpolation, or both crop and pad.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.Resizing(2, 4)(np.zeros((5, 8, 8, 3), np.uint8)).shape
        (5, 2, 4, 3)
    """

    _has_seed = False
    keys = (
        "height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_mode", "fill_value",
        "antialias",
    )  # fmt: skip

    def __init__(self, height, width, interpolation="bilinear", crop_to_aspect_ratio=False, pad_to_aspect_ratio=False,
                 fill_mode="constant", fill_value=0.0, antialias=False, data_format=None, **kwargs):  # fmt: skip
        super().__init__(height, width, data_format=data_format, **kwargs)
        check_choice(self.where, "interpolation", interpolation, tuple(INTERPOLATIONS))
        check_choice(self.where, "fill_mode", fill_mode, ("constant",))
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ArgumentError(self.where, "images are cropped or padded, not both",
                                "got crop_to_aspect_ratio=True, pad_to_aspect_ratio=True", "leave one of them out")  # fmt: skip
        self.interpolation, self.antialias = interpolation, bool(antialias)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value = fill_mode, fill_value

    def transform(self, images, drawn, interpolation=None):
        return ops.image.resize(
            images, (self.height, self.width), interpolation or self.interpolation, self.antialias, self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio, self.fill_mode, self.fill_value, "channels_last",
        )  # fmt: skip


class CenterCrop(SizedLayer):
    """images (batch, h, w, c) or (h, w, c) -> (batch, height, width, c) or (height, width, c). Their middle, always.

    Images that are smaller are resized, and then cropped, to the largest window of the aspect ratio wanted.

    Args:
        height, width: the new sizes.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes that are no positive ints.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.CenterCrop(1, 2)(edl.reshape(edl.arange(12.0), (3, 4, 1)))[0, :, 0].tolist()
        [5.0, 6.0]
    """

    _has_seed = False

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(height, width, data_format=data_format, **kwargs)

    def transform(self, images, drawn, interpolation="bilinear"):
        top, left = images.shape[1] - self.height, images.shape[2] - self.width
        if top < 0 or left < 0:
            return self._fitted(images, interpolation)
        return images[:, top // 2 : top // 2 + self.height, left // 2 : left // 2 + self.width]


class RandomCrop(SizedLayer):
    """images (batch, h, w, c) or (h, w, c) -> (batch, height, width, c) or (height, width, c). A random window of each.

    In inference, and where the images are smaller, it is the largest window in the middle with the aspect ratio wanted,
    resized.

    Args:
        height, width: the sizes of the window.
        seed: an int, for the same windows in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        name: a name.
        kwargs: dtype, trainable.

    Raises:
        ArgumentError: for sizes that are no positive ints.
        ShapeError: for input with other than 3 or 4 axes.

    Example:
        >>> edl.layers.RandomCrop(2, 2, seed=1)(edl.ones((8, 5, 6, 3))).shape
        (8, 2, 2, 3)
    """

    def __init__(self, height, width, seed=None, data_format=None, name=None, **kwargs):
        super().__init__(height, width, seed=seed, data_format=data_format, name=name, **kwargs)

    def _drawn(self, images, training):
        rows, columns = images.shape[1] - self.height, images.shape[2] - self.width
        if not training or rows < 0 or columns < 0:
            return "middle"
        return [ops.random.randint((images.shape[0],), 0, n + 1, seed=self.generator) for n in (rows, columns)]

    def transform(self, images, drawn, interpolation="bilinear"):
        if isinstance(drawn, str):
            return self._fitted(images, interpolation)
        top, left = drawn
        places = ops.arange(images.shape[0])[:, None, None]
        return images[
            places,
            (top[:, None] + ops.arange(self.height))[:, :, None],
            (left[:, None] + ops.arange(self.width))[:, None],
        ]


registry.add_area("layers", {name: globals()[name] for name in __all__})
