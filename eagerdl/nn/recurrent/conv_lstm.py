"""`ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`: an LSTM over sequences of images, with convolutions for matrix products."""

from eagerdl import config as settings_of_package
from eagerdl import registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import activations
from eagerdl.nn.arguments import check_choice, positive_int
from eagerdl.nn.layer import InputSpec
from eagerdl.nn.recurrent.cells import RecurrentCell, forget_bias, settings
from eagerdl.nn.recurrent.sequences import CellRNN
from eagerdl.ops.convolution import conv
from eagerdl.ops.creation import zeros
from eagerdl.ops.joining import split
from eagerdl.ops.recurrent_steps import lstm_update
from eagerdl.ops.shape import concatenate, reshape

__all__ = ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]


class ConvLSTMCell(RecurrentCell):
    """inputs (batch, *spatial, n), states [h, c] (batch, *spatial', filters) -> h, [h, c]. One step of a ConvLSTM.

    It is `LSTMCell` with ``conv(x, kernel) + conv(h, recurrent_kernel) + bias`` in place of the matrix products.

    Args:
        rank: how many spatial axes there are, 1 to 3.
        filters, kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the inputs; that of the
            states has padding "same" and no strides.
        activation, recurrent_activation, use_bias, unit_forget_bias: as in `LSTMCell`, like all that follows.
    """

    gates = 4
    state_count = 2
    state_size = (-1, -1)  # known when the cell is built

    def __init__(self, rank, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1,
                 activation="tanh", recurrent_activation="sigmoid", use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros", unit_forget_bias=True,
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, seed=None,
                 **kwargs):  # fmt: skip
        given = settings(locals())
        for name in (
            "rank",
            "filters",
            "kernel_size",
            "strides",
            "padding",
            "data_format",
            "dilation_rate",
            "unit_forget_bias",
        ):
            del given[name]
        super().__init__(**given)
        self.implementation = 1
        self.rank, self.filters = rank, positive_int(self.where, "filters", filters)
        self.kernel_size = _per_axis(self.where, "kernel_size", kernel_size, rank)
        self.strides = _per_axis(self.where, "strides", strides, rank)
        self.dilation_rate = _per_axis(self.where, "dilation_rate", dilation_rate, rank)
        self.padding = padding.lower() if isinstance(padding, str) else padding
        check_choice(self.where, "padding", self.padding, ("valid", "same"))
        self.data_format = settings_of_package.standardize_data_format(data_format)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(self.where, "strides and dilation_rate cannot both be larger than 1",
                                f"got strides={self.strides}, dilation_rate={self.dilation_rate}", "set one to 1")  # fmt: skip
        self.unit_forget_bias = unit_forget_bias

    @property
    def _channels_axis(self):
        return 1 if self.data_format == "channels_first" else -1

    def build(self, inputs_shape, states_shape=None):
        channels = inputs_shape[self._channels_axis]
        spatial = inputs_shape[2:] if self._channels_axis == 1 else inputs_shape[1:-1]
        if channels is None or None in spatial:
            raise ShapeError(self.where, "the spatial sizes and the channels must be known", f"got shape {inputs_shape}",
                             "give Input a shape without None")  # fmt: skip
        self.input_spec = InputSpec(shape=(None, *inputs_shape[1:]))
        self._input_shape = tuple(inputs_shape[1:])
        width = 4 * self.filters
        bias = forget_bias(self.bias_initializer, self.filters) if self.unit_forget_bias else None
        self._add_weights(
            (*self.kernel_size, channels, width), (*self.kernel_size, self.filters, width), (width,), bias
        )

    def call(self, inputs, states, training=False):
        h, c = states
        x, inner = self._dropped(inputs, h, training)
        z = self._convolved(
            x, self.kernel, strides=self.strides, padding=self.padding, dilation_rate=self.dilation_rate
        )
        z = z + self._convolved(inner, self.recurrent_kernel, padding="same")
        if self.bias is not None:
            z = z + reshape(self.bias, (-1, *(1,) * self.rank) if self._channels_axis == 1 else (-1,))
        h, c = lstm_update(z, c, self.activation, self.recurrent_activation, self._channels_axis)
        return h, [h, c]

    def _convolved(self, x, kernel, **named):
        if not isinstance(x, list):
            return conv(x, kernel, data_format=self.data_format, **named)
        parts = zip(x, split(kernel, len(x), -1), strict=True)
        return concatenate(
            [conv(one, part, data_format=self.data_format, **named) for one, part in parts], self._channels_axis
        )

    def compute_output_shape(self, inputs_shape, states_shape=None):
        batch, *inner = inputs_shape
        spatial = inner[1:] if self._channels_axis == 1 else inner[:-1]
        sizes = []
        for n, k, s, d in zip(spatial, self.kernel_size, self.strides, self.dilation_rate, strict=True):
            reach = 1 if self.padding == "same" else (k - 1) * d + 1
            sizes.append(None if n is None else (n - reach) // s + 1)
        shape = (batch, self.filters, *sizes) if self._channels_axis == 1 else (batch, *sizes, self.filters)
        return shape, [shape, shape]

    def get_initial_state(self, batch_size=None):
        shape, _ = self.compute_output_shape((batch_size, *self._input_shape))
        return [zeros(shape, self.compute_dtype), zeros(shape, self.compute_dtype)]

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides, "padding": self.padding,
            "data_format": self.data_format, "dilation_rate": self.dilation_rate,
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }  # fmt: skip


def _per_axis(where, name, value, rank):
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * rank
    if len(values) != rank:
        raise ArgumentError(
            where, f"{name} is an int or {rank} ints", f"got {value!r}", "give one for each spatial axis"
        )
    return tuple(positive_int(where, name, one) for one in values)


class ConvLSTM(CellRNN):
    """What the layers of one to three spatial axes share; they differ in `rank` alone."""

    cell_class, cell_name = ConvLSTMCell, "conv_lstm_cell"
    rank: int

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1, activation="tanh",
                 recurrent_activation="sigmoid", use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros", unit_forget_bias=True,
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, dropout=0.0,
                 recurrent_dropout=0.0, seed=None, return_sequences=False, return_state=False, go_backwards=False,
                 stateful=False, **kwargs):  # fmt: skip
        super().__init__(rank=self.rank, **settings(locals()))
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch, steps, *inner = sequences_shape
        (_, *shape), _ = self.cell.compute_output_shape((batch, *inner))
        output = (batch, steps, *shape) if self.return_sequences else (batch, *shape)
        return (output, (batch, *shape), (batch, *shape)) if self.return_state else output


class ConvLSTM1D(ConvLSTM):
    """sequences (batch, time, n, channels) -> (batch, n', filters), or all outputs with a time axis. Of rank 1.

    An LSTM whose inputs and states are rows of features, with convolutions in place of matrix products. With
    `return_state` the states h and c follow the output.

    Args:
        filters: the channels of output and states.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the inputs; that of the states has
            padding "same" and no strides.
        activation, recurrent_activation, use_bias, unit_forget_bias: as in `LSTMCell`, like all initializers,
            regularizers, constraints and dropout.
        activity_regularizer: a regularizer of the output.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`.
        kwargs: unroll, zero_output_for_mask, name, dtype, trainable.

    Raises:
        ArgumentError: for sizes out of range, or strides together with dilation.
        ShapeError: as `RNN`.

    Example:
        >>> edl.layers.ConvLSTM1D(4, kernel_size=3)(edl.ones((2, 5, 8, 3))).shape
        (2, 6, 4)

    Source: Shi et al., 2015, arXiv:1506.04214 (without the connections from the cell to the gates).
    """

    rank = 1


class ConvLSTM2D(ConvLSTM):
    """sequences (batch, time, h, w, channels) -> (batch, h', w', filters), or all outputs with a time axis.

    As `ConvLSTM1D`, on images.

    Args:
        filters, kernel_size: and all others as in `ConvLSTM1D`.

    Example:
        >>> edl.layers.ConvLSTM2D(4, kernel_size=3, padding="same")(edl.ones((2, 5, 8, 8, 3))).shape
        (2, 8, 8, 4)

    Source: Shi et al., 2015, arXiv:1506.04214 (without the connections from the cell to the gates).
    """

    rank = 2


class ConvLSTM3D(ConvLSTM):
    """sequences (batch, time, d, h, w, channels) -> (batch, d', h', w', filters), or all outputs with a time axis.

    As `ConvLSTM1D`, on volumes.

    Args:
        filters, kernel_size: and all others as in `ConvLSTM1D`.

    Example:
        >>> edl.layers.ConvLSTM3D(4, kernel_size=2)(edl.ones((1, 2, 3, 3, 3, 1))).shape
        (1, 2, 2, 2, 4)

    Source: Shi et al., 2015, arXiv:1506.04214 (without the connections from the cell to the gates).
    """

    rank = 3


registry.add_area("layers", {name: globals()[name] for name in __all__})
