"""Convolutions with one kernel, and their transposes, over one to three axes."""

from eagerdl import registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import activations, calls, constraints, initializers, regularizers
from eagerdl.nn.arguments import check_choice, positive_int
from eagerdl.nn.layer import InputSpec
from eagerdl.nn.layouts import SpatialLayer, slide
from eagerdl.nn.lora import LowRank
from eagerdl.ops.convolution import conv, conv_transpose, per_axis
from eagerdl.ops.shape import reshape

__all__ = [
    "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Convolution1D",
    "Convolution1DTranspose", "Convolution2D", "Convolution2DTranspose", "Convolution3D", "Convolution3DTranspose",
]  # fmt: skip

KINDS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


class KernelLayer(SpatialLayer):
    """Base of layers whose kernels slide over space: their common arguments, bias, activation and config.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in `Conv2D`.
        members: the initializers, regularizers and constraints of the weights by the names of the arguments.
        kwargs: those of `Layer`.
    """

    _paddings: tuple[str, ...] = ("valid", "same")
    _described: tuple[str, ...] = (
        "kernel",
        "bias",
    )  # what the names of initializers, regularizers and constraints begin with
    _sized: tuple[str, ...] = (
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
    )  # in the config, first

    def __init__(
        self, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, members, **kwargs
    ):
        super().__init__(data_format, **kwargs)
        self.kernel_size = per_axis(self.where, "kernel_size", kernel_size, self.rank)
        self.strides = per_axis(self.where, "strides", strides, self.rank)
        self.dilation_rate = per_axis(self.where, "dilation_rate", dilation_rate, self.rank)
        self._reach = tuple([(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)])
        self.padding = padding.lower() if isinstance(padding, str) else padding
        check_choice(self.where, "padding", self.padding, self._paddings)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        for name, value in members.items():
            setattr(self, name, KINDS[name.rpartition("_")[2]].get(value))

    def _add(self, name, shape, described):
        """A new weight, with the initializer, regularizer and constraint of what is described."""
        initializer, regularizer, constraint = [getattr(self, f"{described}_{kind}") for kind in KINDS]
        return self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name=name)

    def _add_bias(self, size):
        self.bias = self._add("bias", (size,), "bias") if self.use_bias else None

    def _accept(self, shape):
        """The number of channels of the input with which the layer is built; from now on no others are let in."""
        channels = self._known_channels(shape)
        self.compute_output_shape(shape)
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self._channel_axis: channels})
        return channels

    def _check(self, shape):
        if self.padding == "valid":
            self._check_windows(shape, self._reach, "kernel_size", "dilation_rate")

    def _finish(self, x):
        """x + bias, activated."""
        if self.bias is not None:
            x = x + (self.bias if self.data_format == "channels_last" else reshape(self.bias, (-1, *(1,) * self.rank)))
        return x if self.activation is activations.linear else calls.converted(self.activation)(x)

    def _filters_of(self, channels):
        return self.filters

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        shape = self._map_sizes(input_shape, lambda i, n: slide(n, self._reach[i], self.strides[i], self.padding))
        filters = self._filters_of(input_shape[self._channel_axis])
        return self._shape(shape[0], self._sizes(shape), filters)

    def get_config(self):
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in self._sized},
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            **{
                f"{described}_{kind}": area.serialize(getattr(self, f"{described}_{kind}"))
                for kind, area in KINDS.items()
                for described in self._described
            },
        }


class Conv(LowRank, KernelLayer):
    """Base of `Conv1D`, `Conv2D` and `Conv3D`, whose docstrings say what it does."""

    _sized = ("filters", *KernelLayer._sized, "groups")

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1, groups=1,
                 activation=None, use_bias=True, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 bias_constraint=None, lora_rank=None, lora_alpha=None, **kwargs):  # fmt: skip
        members = {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, members,
                         activity_regularizer=activity_regularizer, **kwargs)  # fmt: skip
        self.filters = positive_int(self.where, "filters", filters)
        self.groups = positive_int(self.where, "groups", groups)
        if self.filters % self.groups:
            raise ArgumentError(self.where, "groups must divide filters", f"got filters={filters}, groups={groups}",
                                "choose a multiple of groups")  # fmt: skip
        self._set_lora(lora_rank, lora_alpha)

    def build(self, input_shape):
        channels = self._accept(input_shape)
        if channels % self.groups:
            raise ShapeError(self.where, "groups must divide the channels of the input",
                             f"axis {self._channel_axis} of {tuple(input_shape)} has size {channels}, groups is {self.groups}",
                             "choose other groups, or check data_format")  # fmt: skip
        self._kernel = self._add("kernel", (*self.kernel_size, channels // self.groups, self.filters), "kernel")
        self._add_bias(self.filters)
        self._begin_lora()

    @property
    def kernel(self):
        """The kernel (*kernel_size, channels / groups, filters), with the low-rank update where there is one."""
        return self._updated()

    def call(self, inputs):
        self._check(inputs.shape)
        return self._finish(conv(inputs, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate))

    def get_config(self):
        return {**super().get_config(), **self._lora_config()}


class Conv1D(Conv, rank=1):
    """x (batch, steps, c) -> (batch, steps', filters). Convolution along one axis: filters slide over a sequence.

    Args:
        padding: ``"valid"``, ``"same"``, or ``"causal"``: zeros in front only, so that no output sees later steps.
        filters, kernel_size, strides, data_format, dilation_rate, groups, activation, use_bias, kernel_initializer,
            bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint,
            lora_rank, lora_alpha, kwargs: as in `Conv2D`, with one spatial axis.

    Raises:
        ArgumentError, ShapeError: as in `Conv2D`.

    Example:
        >>> layer = edl.layers.Conv1D(1, 2, padding="causal", kernel_initializer="ones")
        >>> layer(edl.constant([[[1.0], [2.0], [3.0]]])).numpy().ravel()
        array([1., 3., 5.], dtype=float32)

    Source: causal and dilated: van den Oord et al., 2016, arXiv:1609.03499.
    """

    _paddings = ("valid", "same", "causal")


class Conv2D(Conv, rank=2, strides=(1, 1), dilation_rate=(1, 1)):
    """x (batch, height, width, c) -> (batch, height', width', filters). Convolution: filters slide over images.

    The kernel (kh, kw, c / groups, filters) is not turned around: ``y[i, j, f] = sum x[s i + d a, s j + d b, c] k[a, b, c, f]``.
    The sizes become ``floor((n - d (k - 1) - 1) / s) + 1`` with padding "valid", ``ceil(n / s)`` with "same".

    Args:
        filters: how many there are: the channels of the output.
        kernel_size: the sizes of a filter, an int or one per spatial axis.
        strides: the steps with which filters slide, an int or one per spatial axis.
        padding: ``"valid"`` for none, ``"same"`` for zeros around, such that without strides the sizes stay.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        dilation_rate: the distance of neighbouring kernel elements in the input, an int or one per spatial axis.
        groups: into how many groups channels and filters are split; each filter sees the channels of its group.
        activation: a function or its name; none by default.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: of kernel and bias (filters,).
        kernel_regularizer, bias_regularizer, activity_regularizer: what adds losses.
        kernel_constraint, bias_constraint: what the weights are mapped to after each update.
        lora_rank, lora_alpha: the rank and scale of a low-rank update of a frozen kernel; see `enable_lora`.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes below 1, an unknown padding or data_format, groups that do not divide the filters.
        ShapeError: if groups do not divide the channels, the channels change, or the window does not fit into the input.

    Example:
        >>> layer = edl.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")
        >>> layer(edl.ones((1, 8, 8, 3))).shape
        (1, 4, 4, 4)
        >>> layer.kernel.shape
        (3, 3, 3, 4)

    Source: LeCun et al., 1998, "Gradient-based learning applied to document recognition"; Dumoulin & Visin, 2016,
        arXiv:1603.07285.
    """


class Conv3D(Conv, rank=3, strides=(1, 1, 1), dilation_rate=(1, 1, 1)):
    """x (batch, depth, height, width, c) -> (batch, depth', height', width', filters). Convolution over volumes or videos.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias, kernel_initializer,
            bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint,
            lora_rank, lora_alpha, kwargs: as in `Conv2D`, with three spatial axes.

    Raises:
        ArgumentError, ShapeError: as in `Conv2D`.

    Example:
        >>> edl.layers.Conv3D(4, 3)(edl.ones((1, 5, 6, 7, 2))).shape
        (1, 3, 4, 5, 4)
    """


class ConvTranspose(KernelLayer):
    """Base of `Conv1DTranspose`, `Conv2DTranspose` and `Conv3DTranspose`, whose docstrings say what it does."""

    _sized = ("filters", "kernel_size", "strides", "padding", "output_padding", "data_format", "dilation_rate")

    def __init__(self, filters, kernel_size, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1,
                 activation=None, use_bias=True, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 bias_constraint=None, **kwargs):  # fmt: skip
        members = {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, members,
                         activity_regularizer=activity_regularizer, **kwargs)  # fmt: skip
        self.filters = positive_int(self.where, "filters", filters)
        self.output_padding = output_padding
        if output_padding is not None:
            self.output_padding = per_axis(self.where, "output_padding", output_padding, self.rank, 0)
            if any(extra >= s for extra, s in zip(self.output_padding, self.strides, strict=True)):
                raise ArgumentError(self.where, "output_padding must be smaller than strides along each axis",
                                    f"got output_padding={self.output_padding}, strides={self.strides}",
                                    "a stride s leaves s sizes open, which output_padding 0 to s - 1 chooses from")  # fmt: skip

    def build(self, input_shape):
        channels = self._accept(input_shape)
        self.kernel = self._add("kernel", (*self.kernel_size, self.filters, channels), "kernel")
        self._add_bias(self.filters)

    def _spread(self, index, n):
        """The size of the output along a spatial axis of n elements."""
        reach, s, extra = self._reach[index], self.strides[index], self.output_padding and self.output_padding[index]
        if extra is None:
            return (n - 1) * s + max(reach, s) if self.padding == "valid" else n * s
        return (n - 1) * s + (reach if self.padding == "valid" else reach % 2) + extra

    def _check(self, shape):
        for index, (axis, n) in enumerate(zip(self._axes, self._sizes(shape), strict=True)):
            if n is not None and (n < 1 or self._spread(index, n) < 1):
                raise ShapeError(self.where, "the output must not be empty",
                                 f"axis {axis} of {tuple(shape)} has size {n}, its output {max(0, self._spread(index, n))} "
                                 f"with kernel_size {self.kernel_size}, output_padding {self.output_padding}",
                                 "leave output_padding out, or give a larger input")  # fmt: skip

    def call(self, inputs):
        self._check(inputs.shape)
        return self._finish(
            conv_transpose(
                inputs,
                self.kernel,
                self.strides,
                self.padding,
                self.output_padding,
                self.data_format,
                self.dilation_rate,
            )
        )

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        shape = self._map_sizes(input_shape, self._spread)
        return self._shape(shape[0], self._sizes(shape), self.filters)


class Conv1DTranspose(ConvTranspose, rank=1):
    """x (batch, steps, c) -> (batch, steps', filters). The transpose of `Conv1D`: it makes sequences longer.

    Args:
        filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, kwargs: as in `Conv2DTranspose`, with one spatial axis.

    Raises:
        ArgumentError, ShapeError: as in `Conv2DTranspose`.

    Example:
        >>> layer = edl.layers.Conv1DTranspose(1, 2, strides=2, kernel_initializer="ones")
        >>> layer(edl.constant([[[1.0], [2.0]]])).numpy().ravel()
        array([1., 1., 2., 2.], dtype=float32)
    """


class Conv2DTranspose(ConvTranspose, rank=2, strides=(1, 1), dilation_rate=(1, 1)):
    """x (batch, height, width, c) -> (batch, height', width', filters). The transpose of `Conv2D`, sometimes called
    deconvolution: each input element adds a kernel, scaled by it, to the output.

    With r the reach of the kernel, ``d (k - 1) + 1``, the sizes become ``(n - 1) s + max(r, s)`` with padding "valid" and ``n s``
    with "same"; with output_padding p they become ``(n - 1) s + r + p`` and ``(n - 1) s + r % 2 + p``.

    Args:
        filters: the channels of the output.
        kernel_size: the sizes of a kernel, an int or one per spatial axis.
        strides: the steps in the output between the kernels of neighbouring inputs, an int or one per spatial axis.
        padding: ``"valid"`` for the whole output, ``"same"`` to cut off its ends, such that strides multiply the sizes.
        output_padding: chooses among the sizes that a convolution with these strides maps to that of the input: below
            strides, an int or one per spatial axis.
        data_format: ``"channels_last"``, or ``"channels_first"`` for (batch, c, height, width); by default as configured.
        dilation_rate: the distance of neighbouring kernel elements in the output, an int or one per spatial axis.
        activation: a function or its name; none by default.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: of kernel (kh, kw, filters, c) and bias (filters,).
        kernel_regularizer, bias_regularizer, activity_regularizer: what adds losses.
        kernel_constraint, bias_constraint: what the weights are mapped to after each update.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes below 1, an unknown padding or data_format, output_padding that reaches strides.
        ShapeError: if the channels change, or the output would be empty.

    Example:
        >>> edl.layers.Conv2DTranspose(4, 3, strides=2, padding="same")(edl.ones((1, 4, 4, 3))).shape
        (1, 8, 8, 4)

    Source: Zeiler et al., 2010, "Deconvolutional networks"; Dumoulin & Visin, 2016, arXiv:1603.07285, section 4.
    """


class Conv3DTranspose(ConvTranspose, rank=3):
    """x (batch, depth, height, width, c) -> (batch, depth', height', width', filters). The transpose of `Conv3D`.

    Args:
        filters, kernel_size, strides, padding, data_format, output_padding, dilation_rate, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, kwargs: as in `Conv2DTranspose`, with three spatial axes; here data_format
            comes before output_padding.

    Raises:
        ArgumentError, ShapeError: as in `Conv2DTranspose`.

    Example:
        >>> edl.layers.Conv3DTranspose(4, 2, strides=2)(edl.ones((1, 2, 3, 4, 5))).shape
        (1, 4, 6, 8, 4)
    """

    def __init__(self, filters, kernel_size, strides=(1, 1, 1), padding="valid", data_format=None, output_padding=None,
                 dilation_rate=(1, 1, 1), activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
                         use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
                         activity_regularizer, kernel_constraint, bias_constraint, **kwargs)  # fmt: skip


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose

registry.add_area("layers", {name: globals()[name] for name in __all__})
