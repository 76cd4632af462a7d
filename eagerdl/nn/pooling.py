"""Pooling over one to three axes: windows, all of space, or a given number of regions reduced to their maximum or mean."""

from eagerdl import registry
from eagerdl.nn.arguments import check_choice
from eagerdl.nn.layouts import SpatialLayer, slide
from eagerdl.ops import reduction
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import cast
from eagerdl.ops.convolution import per_axis
from eagerdl.ops.pooling import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool
from eagerdl.ops.shape import expand_dims

__all__ = [
    "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "AvgPool1D",
    "AvgPool2D", "AvgPool3D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
    "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPooling1D",
    "MaxPooling2D", "MaxPooling3D",
]  # fmt: skip


# -- windows ------------------------------------------------------------------------------------


class Pooling(SpatialLayer):
    """Base of layers that reduce each window; `_pool` is the op that does."""

    _pool = staticmethod(max_pool)

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(data_format, name=name, **kwargs)
        self.pool_size = per_axis(self.where, "pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else per_axis(self.where, "strides", strides, self.rank)
        self.padding = padding.lower() if isinstance(padding, str) else padding
        check_choice(self.where, "padding", self.padding, ("valid", "same"))

    def _check(self, shape):
        if self.padding == "valid":
            self._check_windows(shape, self.pool_size, "pool_size")

    def call(self, inputs):
        self._check(inputs.shape)
        return self._pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        return self._map_sizes(input_shape, lambda i, n: slide(n, self.pool_size[i], self.strides[i], self.padding))

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size, "padding": self.padding, "strides": self.strides,
                "data_format": self.data_format}  # fmt: skip


class MaxPooling1D(Pooling, rank=1, pool_size=2):
    """x (batch, steps, c) -> (batch, steps', c). The largest element of each window of a sequence.

    Args:
        pool_size, strides, padding, data_format, name, kwargs: as in `MaxPooling2D`, with one spatial axis.

    Raises:
        ArgumentError, ShapeError: as in `MaxPooling2D`.

    Example:
        >>> edl.layers.MaxPooling1D()(edl.constant([[[1.0], [3.0], [2.0], [0.0]]])).numpy().ravel()
        array([3., 2.], dtype=float32)
    """


class MaxPooling2D(Pooling, rank=2, pool_size=(2, 2)):
    """x (batch, height, width, c) -> (batch, height', width', c). The largest element of each window of an image.

    The sizes become ``floor((n - k) / s) + 1`` with padding "valid", ``ceil(n / s)`` with "same".

    Args:
        pool_size: the sizes k of a window, an int or one per spatial axis.
        strides: the steps s of the windows, an int or one per spatial axis; by default `pool_size`.
        padding: ``"valid"``: windows lie inside the input; ``"same"``: they may reach over its ends, where nothing counts.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        name: a name.
        kwargs: dtype.

    Raises:
        ArgumentError: for sizes below 1, an unknown padding or data_format.
        ShapeError: if the window does not fit into the input.

    Example:
        >>> edl.layers.MaxPooling2D()(edl.ones((1, 5, 6, 3))).shape
        (1, 2, 3, 3)
    """


class MaxPooling3D(Pooling, rank=3, pool_size=(2, 2, 2)):
    """x (batch, depth, height, width, c) -> (batch, depth', height', width', c). The largest element of each window.

    Args:
        pool_size, strides, padding, data_format, name, kwargs: as in `MaxPooling2D`, with three spatial axes.

    Raises:
        ArgumentError, ShapeError: as in `MaxPooling2D`.

    Example:
        >>> edl.layers.MaxPooling3D()(edl.ones((1, 4, 5, 6, 3))).shape
        (1, 2, 2, 3, 3)
    """


class AveragePooling1D(Pooling, rank=1):
    """x (batch, steps, c) -> (batch, steps', c). The mean of each window of a sequence.

    Args:
        pool_size, strides, padding, data_format, name, kwargs: as in `AveragePooling2D`, with one spatial axis.

    Raises:
        ArgumentError, ShapeError: as in `MaxPooling2D`.

    Example:
        >>> edl.layers.AveragePooling1D(2)(edl.constant([[[1.0], [3.0], [2.0], [0.0]]])).numpy().ravel()
        array([2., 1.], dtype=float32)
    """

    _pool = staticmethod(average_pool)


class AveragePooling2D(Pooling, rank=2):
    """x (batch, height, width, c) -> (batch, height', width', c). The mean of each window of an image.

    Where windows reach over the ends of the input, the mean is over what lies inside.

    Args:
        pool_size: the sizes of a window, an int or one per spatial axis.
        strides, padding, data_format, name, kwargs: as in `MaxPooling2D`.

    Raises:
        ArgumentError, ShapeError: as in `MaxPooling2D`.

    Example:
        >>> edl.layers.AveragePooling2D(2, strides=1)(edl.ones((1, 5, 6, 3))).shape
        (1, 4, 5, 3)
    """

    _pool = staticmethod(average_pool)


class AveragePooling3D(Pooling, rank=3):
    """x (batch, depth, height, width, c) -> (batch, depth', height', width', c). The mean of each window.

    Args:
        pool_size, strides, padding, data_format, name, kwargs: as in `AveragePooling2D`, with three spatial axes.

    Raises:
        ArgumentError, ShapeError: as in `MaxPooling2D`.

    Example:
        >>> edl.layers.AveragePooling3D((1, 2, 3))(edl.ones((1, 4, 4, 6, 3))).shape
        (1, 4, 2, 2, 3)
    """

    _pool = staticmethod(average_pool)


# -- all of space -------------------------------------------------------------------------------


class GlobalPooling(SpatialLayer):
    """Base of layers that reduce all spatial axes; `_reduce` is the op that does."""

    _reduce = staticmethod(reduction.max)

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims

    def call(self, inputs):
        return self._reduce(inputs, tuple(self._axes), keepdims=self.keepdims)

    def compute_output_shape(self, input_shape):
        self._sizes(input_shape)
        return self._shape(input_shape[0], (1,) * self.rank if self.keepdims else (), input_shape[self._channel_axis])

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMaxPooling1D(GlobalPooling, rank=1):
    """x (batch, steps, c) -> (batch, c). The largest element of each channel of a sequence.

    Args:
        data_format, keepdims, kwargs: as in `GlobalMaxPooling2D`.

    Example:
        >>> edl.layers.GlobalMaxPooling1D()(edl.constant([[[1.0, 5.0], [3.0, 2.0]]])).tolist()
        [[3.0, 5.0]]
    """


class GlobalMaxPooling2D(GlobalPooling, rank=2):
    """x (batch, height, width, c) -> (batch, c). The largest element of each channel of an image.

    Args:
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        keepdims: whether the spatial axes stay, with size 1.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for an unknown data_format.

    Example:
        >>> edl.layers.GlobalMaxPooling2D(keepdims=True)(edl.ones((2, 5, 6, 3))).shape
        (2, 1, 1, 3)
    """


class GlobalMaxPooling3D(GlobalPooling, rank=3):
    """x (batch, depth, height, width, c) -> (batch, c). The largest element of each channel.

    Args:
        data_format, keepdims, kwargs: as in `GlobalMaxPooling2D`.

    Example:
        >>> edl.layers.GlobalMaxPooling3D()(edl.ones((2, 4, 5, 6, 3))).shape
        (2, 3)
    """


class GlobalAveragePooling1D(GlobalPooling, rank=1):
    """x (batch, steps, c), mask (batch, steps) -> (batch, c). The mean of each channel over the steps that are not masked.

    A sequence of which all steps are masked has no mean: it gives NaN.

    Args:
        data_format, keepdims, kwargs: as in `GlobalMaxPooling2D`.

    Example:
        >>> x = edl.constant([[[1.0], [3.0], [8.0]]])
        >>> edl.layers.GlobalAveragePooling1D()(x, mask=edl.constant([[True, True, False]])).tolist()
        [[2.0]]
    """

    _reduce = staticmethod(reduction.mean)
    supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return super().call(inputs)
        (axis,) = self._axes
        kept = cast(expand_dims(mask, self._channel_axis), "bool")
        total = reduction.sum(where(kept, inputs, 0), axis, keepdims=self.keepdims)
        return total / reduction.sum(cast(kept, total.dtype), axis, keepdims=self.keepdims)

    def compute_mask(self, inputs, previous_mask=None):
        return None


class GlobalAveragePooling2D(GlobalPooling, rank=2):
    """x (batch, height, width, c) -> (batch, c). The mean of each channel of an image.

    Args:
        data_format, keepdims, kwargs: as in `GlobalMaxPooling2D`.

    Example:
        >>> edl.layers.GlobalAveragePooling2D()(edl.ones((2, 5, 6, 3))).shape
        (2, 3)

    Source: Lin et al., 2013, arXiv:1312.4400.
    """

    _reduce = staticmethod(reduction.mean)


class GlobalAveragePooling3D(GlobalPooling, rank=3):
    """x (batch, depth, height, width, c) -> (batch, c). The mean of each channel.

    Args:
        data_format, keepdims, kwargs: as in `GlobalMaxPooling2D`.

    Example:
        >>> edl.layers.GlobalAveragePooling3D()(edl.ones((2, 4, 5, 6, 3))).shape
        (2, 3)
    """

    _reduce = staticmethod(reduction.mean)


# -- a given number of regions ------------------------------------------------------------------


class AdaptivePooling(SpatialLayer):
    """Base of layers that reduce a given number of regions; `_pool` is the op that does."""

    _pool = staticmethod(adaptive_max_pool)

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.output_size = per_axis(self.where, "output_size", output_size, self.rank)

    def _check(self, shape):
        self._check_windows(shape, (1,) * self.rank, "output_size")

    def call(self, inputs):
        self._check(inputs.shape)
        return self._pool(inputs, self.output_size, self.data_format)

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        return self._shape(input_shape[0], self.output_size, input_shape[self._channel_axis])

    def get_config(self):
        return {**super().get_config(), "output_size": self.output_size, "data_format": self.data_format}


class AdaptiveMaxPooling1D(AdaptivePooling, rank=1):
    """x (batch, steps, c) -> (batch, output_size, c). The largest element of each region of a sequence.

    Args:
        output_size, data_format, kwargs: as in `AdaptiveMaxPooling2D`, with one spatial axis.

    Example:
        >>> edl.layers.AdaptiveMaxPooling1D(2)(edl.constant([[[1.0], [5.0], [2.0]]])).tolist()
        [[[5.0], [5.0]]]
    """


class AdaptiveMaxPooling2D(AdaptivePooling, rank=2):
    """x (batch, height, width, c) -> (batch, *output_size, c). The largest element of each of a given number of regions.

    Region i of m along an axis of n elements goes from ``floor(i n / m)`` to ``ceil((i + 1) n / m)``, whatever n is.

    Args:
        output_size: how many regions, an int or one per spatial axis.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        kwargs: name, dtype.

    Raises:
        ArgumentError: for sizes below 1, or an unknown data_format.
        ShapeError: if the input is empty.

    Example:
        >>> edl.layers.AdaptiveMaxPooling2D((2, 3))(edl.ones((1, 7, 5, 4))).shape
        (1, 2, 3, 4)
    """


class AdaptiveMaxPooling3D(AdaptivePooling, rank=3):
    """x (batch, depth, height, width, c) -> (batch, *output_size, c). The largest element of each region.

    Args:
        output_size, data_format, kwargs: as in `AdaptiveMaxPooling2D`, with three spatial axes.

    Example:
        >>> edl.layers.AdaptiveMaxPooling3D(2)(edl.ones((1, 7, 5, 4, 3))).shape
        (1, 2, 2, 2, 3)
    """


class AdaptiveAveragePooling1D(AdaptivePooling, rank=1):
    """x (batch, steps, c) -> (batch, output_size, c). The mean of each region of a sequence.

    Args:
        output_size, data_format, kwargs: as in `AdaptiveMaxPooling2D`, with one spatial axis.

    Example:
        >>> edl.layers.AdaptiveAveragePooling1D(2)(edl.constant([[[1.0], [5.0], [2.0]]])).tolist()
        [[[3.0], [3.5]]]
    """

    _pool = staticmethod(adaptive_average_pool)


class AdaptiveAveragePooling2D(AdaptivePooling, rank=2):
    """x (batch, height, width, c) -> (batch, *output_size, c). The mean of each of a given number of regions.

    Args:
        output_size, data_format, kwargs: as in `AdaptiveMaxPooling2D`, which says what the regions are.

    Example:
        >>> edl.layers.AdaptiveAveragePooling2D(2)(edl.ones((1, 7, 5, 4))).shape
        (1, 2, 2, 4)
    """

    _pool = staticmethod(adaptive_average_pool)


class AdaptiveAveragePooling3D(AdaptivePooling, rank=3):
    """x (batch, depth, height, width, c) -> (batch, *output_size, c). The mean of each region.

    Args:
        output_size, data_format, kwargs: as in `AdaptiveMaxPooling2D`, with three spatial axes.

    Example:
        >>> edl.layers.AdaptiveAveragePooling3D((1, 2, 3))(edl.ones((1, 7, 5, 4, 3))).shape
        (1, 1, 2, 3, 3)
    """

    _pool = staticmethod(adaptive_average_pool)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)

registry.add_area("layers", {name: globals()[name] for name in __all__})
