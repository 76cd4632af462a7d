"""Layers that change the spatial sizes without weights: upsampling, zero padding and cropping over one to three axes."""

from eagerdl import registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.arguments import check_choice, positive_int
from eagerdl.nn.layouts import SpatialLayer
from eagerdl.ops.arrangement import repeat
from eagerdl.ops.convolution import per_axis
from eagerdl.ops.padding import pad
from eagerdl.ops.resizing import INTERPOLATIONS, resize

__all__ = [
    "Cropping1D", "Cropping2D", "Cropping3D", "UpSampling1D", "UpSampling2D", "UpSampling3D", "ZeroPadding1D",
    "ZeroPadding2D", "ZeroPadding3D",
]  # fmt: skip


# -- larger -------------------------------------------------------------------------------------


class UpSampling(SpatialLayer):
    """Base of layers that repeat elements along the spatial axes."""

    def __init__(self, size=2, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.size = per_axis(self.where, "size", size, self.rank)

    @property
    def _factors(self):
        return self.size

    def call(self, inputs):
        for axis, factor in zip(self._axes, self._factors, strict=True):
            inputs = repeat(inputs, factor, axis)
        return inputs

    def compute_output_shape(self, input_shape):
        return self._map_sizes(input_shape, lambda i, n: n * self._factors[i])

    def get_config(self):
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}


class UpSampling1D(UpSampling, rank=1):
    """x (batch, steps, c) -> (batch, steps * size, c). Each step so often in a row.

    Args:
        size: how often.
        kwargs: name, dtype.

    Raises:
        ArgumentError: if size is not a positive int.

    Example:
        >>> edl.layers.UpSampling1D(2)(edl.constant([[[1.0], [2.0]]])).numpy().ravel()
        array([1., 1., 2., 2.], dtype=float32)
    """

    def __init__(self, size=2, **kwargs):
        super().__init__(data_format="channels_last", **kwargs)
        self.size = positive_int(self.where, "size", size)

    @property
    def _factors(self):
        return (self.size,)

    def get_config(self):
        config = super().get_config()
        del config["data_format"]
        return config


class UpSampling2D(UpSampling, rank=2):
    """x (batch, height, width, c) -> (batch, height * size[0], width * size[1], c). Enlarged images.

    Args:
        size: the factors of the sizes, an int or one per spatial axis.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        interpolation: "nearest" repeats rows and columns; or "bilinear", "bicubic", "lanczos3", "lanczos5".
        kwargs: name, dtype.

    Raises:
        ArgumentError: for sizes below 1, an unknown interpolation or data_format.

    Example:
        >>> edl.layers.UpSampling2D((1, 2))(edl.constant([[[[1.0], [2.0]]]])).numpy().ravel()
        array([1., 1., 2., 2.], dtype=float32)
    """

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(size, data_format, **kwargs)
        self.interpolation = interpolation.lower() if isinstance(interpolation, str) else interpolation
        check_choice(self.where, "interpolation", self.interpolation, INTERPOLATIONS)

    def call(self, inputs):
        if self.interpolation == "nearest":
            return super().call(inputs)
        size = [inputs.shape[axis] * factor for axis, factor in zip(self._axes, self.size, strict=True)]
        return resize(inputs, size, self.interpolation, data_format=self.data_format)

    def get_config(self):
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(UpSampling, rank=3, size=(2, 2, 2)):
    """x (batch, depth, height, width, c) -> (batch, depth * size[0], height * size[1], width * size[2], c). Each element of
    a volume so often in a row along each axis.

    Args:
        size: the factors of the sizes, an int or one per spatial axis.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, *spatial); by default as configured.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for sizes below 1, or an unknown data_format.

    Example:
        >>> edl.layers.UpSampling3D((1, 2, 3))(edl.ones((1, 2, 2, 2, 3))).shape
        (1, 2, 4, 6, 3)
    """


# -- the ends of the axes -----------------------------------------------------------------------


def pairs_of(where, name, value, rank):
    """An argument about both ends of each spatial axis as a pair per axis: from an int, an int per axis, or a pair per axis;
    with one axis from an int or a pair.

    Raises:
        ArgumentError: for anything else, and below 0.
    """
    entries = [value] * rank if hasattr(value, "__index__") else [value] if rank == 1 else value
    try:
        pairs = tuple([per_axis(where, name, entry, 2, 0) for entry in entries])
    except (ArgumentError, TypeError):
        pairs = ()
    if len(pairs) != rank:
        each = "a pair of ints" if rank == 1 else f"{rank} ints, or {rank} pairs of ints"
        raise ArgumentError(where, f"{name} is an int, or {each}, none below 0", f"got {value!r}",
                            "a pair is (before, after)")  # fmt: skip
    return pairs


class ZeroPadding(SpatialLayer):
    """Base of layers that put zeros around space."""

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self._pairs = pairs_of(self.where, "padding", padding, self.rank)
        self.padding = self._pairs[0] if self.rank == 1 else self._pairs

    def call(self, inputs):
        return pad(inputs, self._shape((0, 0), self._pairs, (0, 0)))

    def compute_output_shape(self, input_shape):
        return self._map_sizes(input_shape, lambda i, n: n + sum(self._pairs[i]))

    def get_config(self):
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding1D(ZeroPadding, rank=1):
    """x (batch, steps, c) -> (batch, before + steps + after, c). Zeros at the ends of a sequence.

    Args:
        padding: how many, an int or a pair (before, after).
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, steps); by default as configured.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for other paddings, or an unknown data_format.

    Example:
        >>> edl.layers.ZeroPadding1D((1, 2))(edl.ones((1, 2, 1))).numpy().ravel()
        array([0., 1., 1., 0., 0.], dtype=float32)
    """


class ZeroPadding2D(ZeroPadding, rank=2, padding=(1, 1)):
    """x (batch, height, width, c) -> (batch, top + height + bottom, left + width + right, c). Zeros around images.

    Args:
        padding: how many: an int, one per axis (height, width), or pairs ((top, bottom), (left, right)).
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for other paddings, or an unknown data_format.

    Example:
        >>> edl.layers.ZeroPadding2D(((1, 0), (2, 2)))(edl.ones((1, 4, 4, 3))).shape
        (1, 5, 8, 3)
    """


class ZeroPadding3D(ZeroPadding, rank=3, padding=((1, 1), (1, 1), (1, 1))):
    """x (batch, depth, height, width, c) -> (batch, depth', height', width', c). Zeros around volumes.

    Args:
        padding: how many: an int, one per axis, or a pair (before, after) per axis.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, *spatial); by default as configured.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for other paddings, or an unknown data_format.

    Example:
        >>> edl.layers.ZeroPadding3D((0, 1, 2))(edl.ones((1, 4, 4, 4, 3))).shape
        (1, 4, 6, 8, 3)
    """


class Cropping(SpatialLayer):
    """Base of layers that cut off the ends of space."""

    def __init__(self, cropping=1, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self._pairs = pairs_of(self.where, "cropping", cropping, self.rank)
        self.cropping = self._pairs[0] if self.rank == 1 else self._pairs

    def _check(self, shape):
        for axis, n, cut in zip(self._axes, self._sizes(shape), self._pairs, strict=True):
            if n is not None and sum(cut) >= n:
                raise ShapeError(self.where, "cropping must leave something of each axis",
                                 f"axis {axis} has size {n}, cropping {cut} takes {sum(cut)}; the input is {tuple(shape)}",
                                 "crop less, or give a larger input")  # fmt: skip

    def call(self, inputs):
        self._check(inputs.shape)
        cuts = [
            slice(before, n - after) for n, (before, after) in zip(self._sizes(inputs.shape), self._pairs, strict=True)
        ]
        return inputs[self._shape(slice(None), cuts, slice(None))]

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        return self._map_sizes(input_shape, lambda i, n: n - sum(self._pairs[i]))

    def get_config(self):
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class Cropping1D(Cropping, rank=1):
    """x (batch, steps, c) -> (batch, steps - before - after, c). A sequence without its ends.

    Args:
        cropping: how many steps are cut off, an int or a pair (before, after).
        kwargs: name, dtype.

    Raises:
        ArgumentError: for other croppings.
        ShapeError: if nothing would be left.

    Example:
        >>> edl.layers.Cropping1D((1, 0))(edl.constant([[[1.0], [2.0], [3.0]]])).numpy().ravel()
        array([2., 3.], dtype=float32)
    """

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(cropping, "channels_last", **kwargs)

    def get_config(self):
        config = super().get_config()
        del config["data_format"]
        return config


class Cropping2D(Cropping, rank=2, cropping=((0, 0), (0, 0))):
    """x (batch, height, width, c) -> (batch, height - top - bottom, width - left - right, c). Images without their rims.

    Args:
        cropping: what is cut off: an int, one per axis (height, width), or pairs ((top, bottom), (left, right)).
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for other croppings, or an unknown data_format.
        ShapeError: if nothing would be left.

    Example:
        >>> edl.layers.Cropping2D(((1, 0), (2, 2)))(edl.ones((1, 8, 8, 3))).shape
        (1, 7, 4, 3)
    """


class Cropping3D(Cropping, rank=3, cropping=((1, 1), (1, 1), (1, 1))):
    """x (batch, depth, height, width, c) -> (batch, depth', height', width', c). Volumes without their rims.

    Args:
        cropping: what is cut off: an int, one per axis, or a pair (before, after) per axis.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, *spatial); by default as configured.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for other croppings, or an unknown data_format.
        ShapeError: if nothing would be left.

    Example:
        >>> edl.layers.Cropping3D(1)(edl.ones((1, 4, 5, 6, 3))).shape
        (1, 2, 3, 4, 3)
    """


registry.add_area("layers", {name: globals()[name] for name in __all__})
