"""`ImageLayer`: what layers that change images share."""

from eagerdl import config, dtypes, ops
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import symbolic
from eagerdl.nn.arguments import check_choice, check_numbers
from eagerdl.nn.layer import Layer
from eagerdl.ops.generators import SeedGenerator

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("nearest", "bilinear")


class ImageLayer(Layer):
    """images (batch, h, w, c), or one image (h, w, c), or a dict of them and labels -> the same, changed.

    A subclass writes `transform(images, drawn)` for a floating batch with channels last and, if it is random,
    `draw(images)`, which gives the random numbers of one batch, as many as there are images.

    Args:
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    In a dict, "images" are changed; "labels" where the layer mixes images; "segmentation_masks" where it moves pixels, without
    interpolation. Bounding boxes can only pass layers that move no pixels.
    """

    moves_pixels = False  # whether masks and boxes have to move, too
    always = False  # whether it acts in inference as well
    keys: tuple[str, ...] = ()  # the attributes of its config
    _has_seed = True

    def __init__(self, data_format=None, seed=None, bounding_box_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.bounding_box_format = bounding_box_format
        if self._has_seed:
            self.seed, self.generator = seed, SeedGenerator(seed)

    def draw(self, images):
        """What is drawn for a batch of images (b, h, w, c)."""
        return None

    def _drawn(self, images, training):
        return self.draw(images)

    def transform(self, images, drawn):
        """images (b, h, w, c) -> (b, h', w', c)."""
        raise NotImplementedError

    def transform_labels(self, labels, drawn):
        """labels (b, ...) -> the same shape; layers that mix images mix them."""
        return labels

    def transform_masks(self, masks, drawn):
        """masks (b, h, w, c) -> (b, h', w', c)."""
        return self.transform(masks, drawn) if self.moves_pixels else masks

    def call(self, data, training=True):
        if not isinstance(data, dict):
            return self._changed(data, training)
        if "images" not in data:
            raise ArgumentError(self.where, "a dict of images has the key 'images'", f"got {', '.join(map(repr, data))}",
                                "rename the key")  # fmt: skip
        acts = training or self.always
        if "bounding_boxes" in data and self.moves_pixels and acts:
            raise ArgumentError(self.where, "bounding boxes cannot follow pixels here", "the dict has 'bounding_boxes'",
                                "leave them out, or use layers that change colours only")  # fmt: skip
        images = ops.convert_to_tensor(data["images"])
        batched = images.ndim == 4
        drawn = self._drawn(self._batch(images), training) if acts else None
        out = {**data, "images": self._changed(images, training, drawn)}
        if not acts:
            return out
        if "labels" in data:
            labels = ops.convert_to_tensor(data["labels"])
            out["labels"] = (
                self.transform_labels(labels, drawn) if batched else self.transform_labels(labels[None], drawn)[0]
            )
        if "segmentation_masks" in data and self.moves_pixels:
            masks = ops.convert_to_tensor(data["segmentation_masks"])
            flat = masks.ndim == images.ndim - 1  # no axis of channels
            axis = -1 if self.data_format == "channels_last" else -3
            masks = ops.expand_dims(masks, axis) if flat else masks
            moved = self._restored(self.transform_masks(self._batch(masks, cast=False), drawn), masks)
            out["segmentation_masks"] = ops.cast(ops.squeeze(moved, axis) if flat else moved, masks.dtype)
        return out

    def _changed(self, images, training, drawn=None):
        images = ops.convert_to_tensor(images)
        batch = self._batch(images)
        if training or self.always:
            batch = self.transform(batch, self._drawn(batch, training) if drawn is None else drawn)
        return self._restored(batch, images)

    def _batch(self, images, cast=True):
        """images as a batch with channels last, floating unless `cast` is False."""
        if images.ndim not in (3, 4):
            channels = "(h, w, c)" if self.data_format == "channels_last" else "(c, h, w)"
            raise ShapeError(self.where, f"images have 3 or 4 axes: {channels}, with the batch before",
                             f"got shape {images.shape}", "add the missing axes")  # fmt: skip
        x = images if images.ndim == 4 else images[None]
        x = x if self.data_format == "channels_last" else ops.moveaxis(x, 1, -1)
        return ops.cast(x, self._working_dtype) if cast else x

    @property
    def _working_dtype(self):
        return self.compute_dtype if self.compute_dtype in dtypes.FLOATING else "float32"

    def _restored(self, batch, images):
        x = batch if self.data_format == "channels_last" else ops.moveaxis(batch, -1, 1)
        x = x if images.ndim == 4 else x[0]
        if self.compute_dtype not in dtypes.FLOATING and x.dtype.kind == "f":
            info = ops.convert_to_tensor(0, self.compute_dtype).dtype
            x = ops.saturate_cast(ops.round(x), info)
        return x

    def _uniform(self, images, low, high, *shape):
        """Numbers of shape (b, *shape), or (b, 1, 1, 1), one or more for each image of a batch."""
        shape = (images.shape[0], *(shape or (1, 1, 1)))
        return ops.random.uniform(shape, low, high, dtype="float32", seed=self.generator)

    def _chosen(self, images):
        """Which images are changed, (b, 1, 1, 1) bool, each with a probability between the two of `factor`."""
        return self._uniform(images, 0.0, 1.0) < self._uniform(images, *self.factor)

    def _sizes(self, shape, height, width):
        """An input shape with other spatial sizes."""
        shape = [*shape]
        if len(shape) not in (3, 4):
            raise ShapeError(self.where, "images have 3 or 4 axes", f"got shape {tuple(shape)}", "add the missing axes")
        first = -3 if self.data_format == "channels_last" else -2
        shape[first], shape[first + 1] = height, width
        return tuple(shape)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def compute_output_spec(self, data, training=True):
        def spec(x, like=None):
            return symbolic.SymbolicTensor(self.compute_output_shape(x.shape), like or self.compute_dtype)

        if not isinstance(data, dict):
            return spec(data)
        others = {name: symbolic.SymbolicTensor(x.shape, x.dtype) for name, x in data.items()}
        if "segmentation_masks" in data and self.moves_pixels:
            others["segmentation_masks"] = spec(data["segmentation_masks"], data["segmentation_masks"].dtype)
        return {**others, "images": spec(data["images"])}

    def get_config(self):
        out = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            out["bounding_box_format"] = self.bounding_box_format
        out |= {name: _listed(getattr(self, name)) for name in self.keys}
        return out | ({"seed": self.seed} if self._has_seed else {})


def _listed(value):
    return list(value) if isinstance(value, tuple) else value


def interval(where, name, value, low=-1.0, high=1.0, symmetric=False, default_low=None):
    """A factor as a pair (lower, upper).

    Args:
        where: the layer, for messages.
        name: the argument.
        value: two numbers, or one, which stands for (-value, value), or from `low` on where that is larger.
        low, high: what a number may be.
        symmetric: whether one number stands for (value, value).
        default_low: where the pair of one number begins, instead.

    Raises:
        ArgumentError: for numbers outside of [low, high], or more than two.
        DTypeError: for what is no number.
    """
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise ArgumentError(where, f"{name} is a number or two", f"got {value!r}", "pass (lower, upper)")
        check_numbers(where, low, high, **{f"{name}[0]": value[0], f"{name}[1]": value[1]})
        return tuple(value) if symmetric else tuple(sorted(value))
    check_numbers(where, low, high, **{name: value})
    if symmetric:
        return (value, value)
    value = abs(value)
    return (max(-value, low) if default_low is None else default_low, value)


def checked_range(where, value_range):
    """The least and the greatest value that pixels have.

    Raises:
        ArgumentError: unless they are two different numbers.
    """
    if not isinstance(value_range, list | tuple) or len(value_range) != 2 or value_range[0] == value_range[1]:
        raise ArgumentError(
            where, "value_range holds two different numbers", f"got {value_range!r}", "use (0, 255), or (0, 1)"
        )
    check_numbers(where, **{"value_range[0]": value_range[0], "value_range[1]": value_range[1]})
    return tuple(sorted(value_range))


def check_warp(where, interpolation, fill_mode=None):
    """Refuses unknown ways to read between and outside of pixels."""
    check_choice(where, "interpolation", interpolation, INTERPOLATIONS)
    if fill_mode is not None:
        check_choice(where, "fill_mode", fill_mode, FILL_MODES)


def rescaled(x, old, new):
    """Values of the range `old` in the range `new`."""
    if tuple(old) == tuple(new):
        return x
    return (x - old[0]) * ((new[1] - new[0]) / (old[1] - old[0])) + new[0]
