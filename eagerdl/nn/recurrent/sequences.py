"""`SimpleRNN`, `GRU` and `LSTM`: a layer that makes its own cell and runs it over sequences."""

import inspect

from eagerdl import registry
from eagerdl.nn import regularizers
from eagerdl.nn.arguments import check_choice
from eagerdl.nn.layer import InputSpec
from eagerdl.nn.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell, settings
from eagerdl.nn.recurrent.rnn import RNN

__all__ = ["GRU", "LSTM", "SimpleRNN"]

OF_BOTH = ("name", "trainable", "dtype")


class CellRNN(RNN):
    """An RNN whose cell is made from the layer's own arguments; these can be read from the layer, too.

    Subclasses name the class of the cell, and list the arguments that it has in `cell_arguments`.
    """

    cell_class: type
    cell_name: str
    cell_arguments: tuple

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "cell_class" in vars(cls):
            names = inspect.signature(cls.cell_class.__init__).parameters
            cls.cell_arguments = tuple(name for name in names if name not in ("self", "kwargs", *OF_BOTH))
            for name in cls.cell_arguments:
                if not hasattr(cls, name):
                    setattr(cls, name, _of_cell(name))

    def __init__(self, **given):
        of_cell = {name: given.pop(name) for name in (*self.cell_arguments, "implementation") if name in given}
        shared = {"dtype": given.get("dtype"), "trainable": given.get("trainable", True), "name": self.cell_name}
        super().__init__(self.cell_class(**of_cell, **shared), **given)

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        of_cell = {name: value for name, value in self.cell.get_config().items() if name in self.cell_arguments}
        return {**config, **of_cell, "activity_regularizer": regularizers.serialize(self.activity_regularizer)}


def _of_cell(name):
    return property(lambda self: getattr(self.cell, name), doc=f"The cell's `{name}`.")


class SimpleRNN(CellRNN):
    """sequences (batch, time, n) -> the last output (batch, units), or all outputs (batch, time, units).

    Each step is ``h' = activation(x @ kernel + bias + h @ recurrent_kernel)``.

    Args:
        units, activation, use_bias: as in `SimpleRNNCell`, like all initializers, regularizers and constraints.
        activity_regularizer: a regularizer of the output.
        dropout, recurrent_dropout, seed: as in `SimpleRNNCell`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        kwargs: zero_output_for_mask, name, dtype, trainable.

    Raises:
        ArgumentError, ShapeError: as `RNN`.

    Example:
        >>> edl.layers.SimpleRNN(4, return_sequences=True)(edl.ones((2, 5, 3))).shape
        (2, 5, 4)

    Source: Elman, 1990, "Finding structure in time".
    """

    cell_class, cell_name = SimpleRNNCell, "simple_rnn_cell"

    def __init__(self, units, activation="tanh", use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros", kernel_regularizer=None,
                 recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0,
                 return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False, seed=None,
                 **kwargs):  # fmt: skip
        super().__init__(**settings(locals()))
        self.input_spec = InputSpec(ndim=3)


class GRU(CellRNN):
    """sequences (batch, time, n) -> the last output (batch, units), or all outputs (batch, time, units).

    A gated recurrent unit; its step is that of `GRUCell`.

    Args:
        units, activation, recurrent_activation, use_bias: as in `GRUCell`, like all initializers, regularizers and constraints.
        activity_regularizer: a regularizer of the output.
        dropout, recurrent_dropout, seed: as in `GRUCell`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        reset_after: whether the reset gate acts behind the product with the recurrent kernel.
        use_cudnn: accepted for Keras' sake; the result does not depend on it.
        kwargs: zero_output_for_mask, name, dtype, trainable.

    Raises:
        ArgumentError, ShapeError: as `RNN`.

    Example:
        >>> outputs, state = edl.layers.GRU(4, return_sequences=True, return_state=True)(edl.ones((2, 5, 3)))
        >>> outputs.shape, state.shape
        ((2, 5, 4), (2, 4))

    Source: Cho et al., 2014, arXiv:1406.1078.
    """

    cell_class, cell_name = GRUCell, "gru_cell"

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, dropout=0.0,
                 recurrent_dropout=0.0, seed=None, return_sequences=False, return_state=False, go_backwards=False,
                 stateful=False, unroll=False, reset_after=True, use_cudnn="auto", **kwargs):  # fmt: skip
        given = settings(locals())
        self.use_cudnn = _check_cudnn("GRU", given.pop("use_cudnn"))
        super().__init__(**given)
        self.input_spec = InputSpec(ndim=3)


class LSTM(CellRNN):
    """sequences (batch, time, n) -> the last output (batch, units), or all outputs (batch, time, units).

    A long short-term memory; its step is that of `LSTMCell`. With `return_state` the states h and c follow the output.

    Args:
        units, activation, recurrent_activation, use_bias, unit_forget_bias: as in `LSTMCell`, like all initializers,
            regularizers and constraints.
        activity_regularizer: a regularizer of the output.
        dropout, recurrent_dropout, seed: as in `LSTMCell`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        use_cudnn: accepted for Keras' sake; the result does not depend on it.
        kwargs: zero_output_for_mask, name, dtype, trainable.

    Raises:
        ArgumentError, ShapeError: as `RNN`.

    Example:
        >>> edl.layers.LSTM(4)(edl.ones((2, 5, 3))).shape
        (2, 4)

    Source: Hochreiter & Schmidhuber, 1997, "Long short-term memory".
    """

    cell_class, cell_name = LSTMCell, "lstm_cell"

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, seed=None, return_sequences=False, return_state=False,
                 go_backwards=False, stateful=False, unroll=False, use_cudnn="auto", **kwargs):  # fmt: skip
        given = settings(locals())
        self.use_cudnn = _check_cudnn("LSTM", given.pop("use_cudnn"))
        super().__init__(**given)
        self.input_spec = InputSpec(ndim=3)


def _check_cudnn(where, value):
    if not isinstance(value, bool):
        check_choice(where, "use_cudnn", value, ("auto",))
    return value


registry.add_area("layers", {name: globals()[name] for name in __all__})
