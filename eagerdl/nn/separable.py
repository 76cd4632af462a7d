"""Convolutions that treat channels one by one: `DepthwiseConv2D`, and `SeparableConv2D`, which mixes them afterwards."""

from eagerdl import registry
from eagerdl.nn.arguments import positive_int
from eagerdl.nn.convolution import KernelLayer
from eagerdl.ops.convolution import depthwise_conv, separable_conv

__all__ = [
    "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D",
    "SeparableConvolution2D",
]  # fmt: skip


class DepthwiseConv(KernelLayer):
    """Base of `DepthwiseConv1D` and `DepthwiseConv2D`, whose docstrings say what it does."""

    _described = ("depthwise", "bias")
    _sized = ("depth_multiplier", *KernelLayer._sized)

    def __init__(self, kernel_size, strides=1, padding="valid", depth_multiplier=1, data_format=None, dilation_rate=1,
                 activation=None, use_bias=True, depthwise_initializer="glorot_uniform", bias_initializer="zeros",
                 depthwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None,
                 bias_constraint=None, **kwargs):  # fmt: skip
        members = {
            "depthwise_initializer": depthwise_initializer, "bias_initializer": bias_initializer,
            "depthwise_regularizer": depthwise_regularizer, "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, members,
                         activity_regularizer=activity_regularizer, **kwargs)  # fmt: skip
        self.depth_multiplier = positive_int(self.where, "depth_multiplier", depth_multiplier)

    def build(self, input_shape):
        channels = self._accept(input_shape)
        self.kernel = self._add("kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise")
        self._add_bias(channels * self.depth_multiplier)

    def _filters_of(self, channels):
        return None if channels is None else channels * self.depth_multiplier

    def call(self, inputs):
        self._check(inputs.shape)
        return self._finish(
            depthwise_conv(inputs, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate)
        )


class DepthwiseConv1D(DepthwiseConv, rank=1):
    """x (batch, steps, c) -> (batch, steps', c * depth_multiplier). Each channel of a sequence has filters of its own.

    Args:
        kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias,
            depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer, activity_regularizer,
            depthwise_constraint, bias_constraint, kwargs: as in `DepthwiseConv2D`, with one spatial axis.

    Raises:
        ArgumentError, ShapeError: as in `DepthwiseConv2D`.

    Example:
        >>> layer = edl.layers.DepthwiseConv1D(2, depthwise_initializer="ones")
        >>> layer(edl.constant([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])).tolist()
        [[[3.0, 30.0], [5.0, 50.0]]]
    """


class DepthwiseConv2D(DepthwiseConv, rank=2, strides=(1, 1), dilation_rate=(1, 1)):
    """x (batch, height, width, c) -> (batch, height', width', c * depth_multiplier). Each channel has filters of its own.

    Output channel ``c m + i`` is the convolution of channel c with its i-th filter, of m = depth_multiplier.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in `Conv2D`.
        depth_multiplier: how many filters each channel has.
        depthwise_initializer, bias_initializer: of kernel (kh, kw, c, m) and bias (c m,).
        depthwise_regularizer, bias_regularizer, activity_regularizer: what adds losses.
        depthwise_constraint, bias_constraint: what the weights are mapped to after each update.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes below 1, an unknown padding or data_format.
        ShapeError: if the channels change, or the window does not fit into the input.

    Example:
        >>> edl.layers.DepthwiseConv2D(3, depth_multiplier=2)(edl.ones((1, 8, 8, 3))).shape
        (1, 6, 6, 6)

    Source: Howard et al., 2017, arXiv:1704.04861.
    """


class SeparableConv(KernelLayer):
    """Base of `SeparableConv1D` and `SeparableConv2D`, whose docstrings say what it does."""

    _described = ("depthwise", "pointwise", "bias")
    _sized = ("depth_multiplier", "filters", *KernelLayer._sized)

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1, depth_multiplier=1,
                 activation=None, use_bias=True, depthwise_initializer="glorot_uniform",
                 pointwise_initializer="glorot_uniform", bias_initializer="zeros", depthwise_regularizer=None,
                 pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None,
                 pointwise_constraint=None, bias_constraint=None, **kwargs):  # fmt: skip
        members = {
            "depthwise_initializer": depthwise_initializer, "pointwise_initializer": pointwise_initializer,
            "bias_initializer": bias_initializer, "depthwise_regularizer": depthwise_regularizer,
            "pointwise_regularizer": pointwise_regularizer, "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint, "pointwise_constraint": pointwise_constraint,
            "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, members,
                         activity_regularizer=activity_regularizer, **kwargs)  # fmt: skip
        self.filters = positive_int(self.where, "filters", filters)
        self.depth_multiplier = positive_int(self.where, "depth_multiplier", depth_multiplier)

    def build(self, input_shape):
        channels, m = self._accept(input_shape), self.depth_multiplier
        self.depthwise_kernel = self._add("depthwise_kernel", (*self.kernel_size, channels, m), "depthwise")
        pointwise_shape = (*(1,) * self.rank, channels * m, self.filters)
        self.pointwise_kernel = self._add("pointwise_kernel", pointwise_shape, "pointwise")
        self._add_bias(self.filters)

    def call(self, inputs):
        self._check(inputs.shape)
        kernels = self.depthwise_kernel, self.pointwise_kernel
        return self._finish(
            separable_conv(inputs, *kernels, self.strides, self.padding, self.data_format, self.dilation_rate)
        )


class SeparableConv1D(SeparableConv, rank=1):
    """x (batch, steps, c) -> (batch, steps', filters). A depthwise convolution along one axis, then one of size 1.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier, activation, use_bias,
            depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer, pointwise_regularizer,
            bias_regularizer, activity_regularizer, depthwise_constraint, pointwise_constraint, bias_constraint,
            kwargs: as in `SeparableConv2D`, with one spatial axis.

    Raises:
        ArgumentError, ShapeError: as in `SeparableConv2D`.

    Example:
        >>> edl.layers.SeparableConv1D(4, 3)(edl.ones((1, 8, 3))).shape
        (1, 6, 4)
    """


class SeparableConv2D(SeparableConv, rank=2, strides=(1, 1), dilation_rate=(1, 1)):
    """x (batch, height, width, c) -> (batch, height', width', filters). A depthwise convolution, then one of size 1 that
    mixes the channels; it has far fewer weights than `Conv2D`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in `Conv2D`.
        depth_multiplier: how many filters m each channel has in the depthwise step.
        depthwise_initializer, pointwise_initializer, bias_initializer: of depthwise_kernel (kh, kw, c, m), pointwise_kernel
            (1, 1, c m, filters) and bias (filters,).
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: what adds losses.
        depthwise_constraint, pointwise_constraint, bias_constraint: what the weights are mapped to after each update.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes below 1, an unknown padding or data_format.
        ShapeError: if the channels change, or the window does not fit into the input.

    Example:
        >>> layer = edl.layers.SeparableConv2D(4, 3, padding="same")
        >>> layer(edl.ones((1, 8, 8, 3))).shape, layer.count_params()
        ((1, 8, 8, 4), 43)

    Source: Chollet, 2017, arXiv:1610.02357.
    """


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D

registry.add_area("layers", {name: globals()[name] for name in __all__})
