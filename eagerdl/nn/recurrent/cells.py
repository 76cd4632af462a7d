"""Recurrent cells: layers that do one step of a sequence, from an input and states to an output and new states."""

from typing import Any

from eagerdl import registry
from eagerdl.nn import activations, constraints, initializers, regularizers
from eagerdl.nn.arguments import check_numbers, positive_int
from eagerdl.nn.layer import Layer
from eagerdl.nn.shapes import is_shape
from eagerdl.ops import recurrent, recurrent_steps
from eagerdl.ops.creation import ones, ones_like, zeros
from eagerdl.ops.generators import SeedGenerator
from eagerdl.ops.random import dropout as random_dropout
from eagerdl.ops.shape import concatenate, expand_dims

__all__ = ["GRUCell", "LSTMCell", "SimpleRNNCell"]

ROLES = ("kernel", "recurrent", "bias")


def settings(names):
    """The arguments of an ``__init__`` from its ``locals()``, with those of ``**kwargs`` among them."""
    return {
        **{name: value for name, value in names.items() if name not in ("self", "__class__", "kwargs")},
        **names["kwargs"],
    }


class RecurrentCell(Layer):
    """What the cells of this package share: activations, the roles of the weights, masks of dropout that last a sequence.

    Subclasses say how many `gates` there are, build with `_add_weights`, and write `call`.
    """

    gates = 1
    state_count = 1

    def __init__(self, *, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
                 recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
                 recurrent_dropout, seed, recurrent_activation="sigmoid", implementation=2, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        check_numbers(self.where, 0, 1, dropout=dropout, recurrent_dropout=recurrent_dropout)
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.implementation = 1 if recurrent_dropout else implementation  # 1: each gate has dropout of its own
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self._masks = {}

    def _add_weights(self, kernel_shape, recurrent_shape, bias_shape, bias_initializer=None):
        names = {"kernel": "kernel", "recurrent": "recurrent_kernel", "bias": "bias"}
        shapes = {"kernel": kernel_shape, "recurrent": recurrent_shape, "bias": bias_shape}
        self.bias = None
        for role in ROLES if self.use_bias else ROLES[:2]:
            initializer = getattr(self, f"{role}_initializer")
            made = self.add_weight(
                shapes[role], bias_initializer if role == "bias" and bias_initializer else initializer,
                regularizer=getattr(self, f"{role}_regularizer"), constraint=getattr(self, f"{role}_constraint"),
                name=names[role],
            )  # fmt: skip
            setattr(self, names[role], made)

    # -- dropout ------------------------------------------------------------------------------------

    def get_dropout_mask(self, step_input):
        """The mask of the inputs, the same for all steps until it is reset; a list of one per gate in implementation 1."""
        return self._mask("inputs", step_input, self.dropout)

    def get_recurrent_dropout_mask(self, step_input):
        """The mask of the states, the same for all steps until it is reset; a list of one per gate in implementation 1."""
        return self._mask("states", step_input, self.recurrent_dropout)

    def _mask(self, name, x, rate):
        if not rate:
            return None
        found = self._masks.get(name)
        if found is None or found[0].shape != x.shape:
            like = ones_like(x)
            count = self.gates if self.implementation == 1 else 1
            found = self._masks[name] = [random_dropout(like, rate, seed=self.seed_generator) for _ in range(count)]
        return found if len(found) > 1 else found[0]

    def reset_dropout_mask(self):
        """Lets the next step draw a new mask of the inputs."""
        self._masks.pop("inputs", None)

    def reset_recurrent_dropout_mask(self):
        """Lets the next step draw a new mask of the states."""
        self._masks.pop("states", None)

    def _dropped(self, inputs, h, training):
        """Inputs and state under their masks: tensors, or lists of one per gate."""
        if not training:
            return inputs, h
        return _times(inputs, self.get_dropout_mask(inputs)), _times(h, self.get_recurrent_dropout_mask(h))

    # -- whole sequences ----------------------------------------------------------------------------

    def run_sequence(self, sequences, states, mask, zero_output_for_mask, training):
        """All steps at once: outputs (b, t, u) and the last states; None where that needs one step after the other.

        Args:
            sequences: (b, t, f).
            states: a list of tensors (b, u).
            mask: (b, t) or None.
            zero_output_for_mask: whether the output of masked steps is 0.
            training: whether dropout acts.
        """
        default = self.activation is activations.tanh and self.recurrent_activation is activations.sigmoid
        changed = self.activity_regularizer is not None or sequences.ndim != 3
        per_gate = training and (self.recurrent_dropout or (self.dropout and self.implementation == 1))
        if not default or changed or per_gate or type(self)._fused_call is not type(self).call:
            return None
        if training and self.dropout:
            sequences = sequences * expand_dims(self.get_dropout_mask(sequences[:, 0]), 1)
        return self._fused(sequences, states, mask=mask, zero_output_for_mask=zero_output_for_mask)

    _fused_call: Any = None  # the `call` of which `_fused` is the fast form

    # -- shapes and configuration ---------------------------------------------------------------------

    def compute_output_shape(self, inputs_shape, states_shape=None):
        shape = (inputs_shape[0], self.units)
        return shape, shape if is_shape(states_shape) else [shape] * self.state_count

    def get_initial_state(self, batch_size=None):
        """A list of states of zeros (batch_size, units)."""
        return [zeros((batch_size, self.units), self.compute_dtype) for _ in range(self.state_count)]

    def get_config(self):
        config = {
            **super().get_config(),
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }
        for role in ROLES:
            config[f"{role}_initializer"] = initializers.serialize(getattr(self, f"{role}_initializer"))
            config[f"{role}_regularizer"] = regularizers.serialize(getattr(self, f"{role}_regularizer"))
            config[f"{role}_constraint"] = constraints.serialize(getattr(self, f"{role}_constraint"))
        return {**config, "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, "seed": self.seed}


def _times(x, mask):
    if mask is None:
        return x
    return [x * one for one in mask] if isinstance(mask, list) else x * mask


def forget_bias(initializer, units):
    """The initializer of an LSTM's bias (4 units,) that has ones for the forget gate, else what `initializer` gives."""

    def initialize(shape, dtype=None):
        parts = [initializer((units,), dtype=dtype), ones((units,), dtype), initializer((2 * units,), dtype=dtype)]
        return concatenate(parts)

    return initialize


def _is_list(states):
    return isinstance(states, list | tuple)


class SimpleRNNCell(RecurrentCell):
    """inputs (batch, n), states [h (batch, units)] -> h, [h]. ``activation(inputs @ kernel + bias + h @ recurrent_kernel)``.

    Args:
        units: the size of the state, which is the output.
        activation: a function or its name.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: of kernel (n, units), recurrent_kernel (units, units)
            and bias (units,).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: what adds losses.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are mapped to after each update.
        dropout, recurrent_dropout: the part of inputs and state that training sets to 0, the same in all steps of a sequence.
        seed: of dropout.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes and rates out of range.

    Example:
        >>> cell = edl.layers.SimpleRNNCell(3)
        >>> output, states = cell(edl.ones((2, 4)), [edl.zeros((2, 3))])
        >>> output.shape
        (2, 3)

    Source: Elman, 1990, "Finding structure in time".
    """

    def __init__(self, units, activation="tanh", use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros", kernel_regularizer=None,
                 recurrent_regularizer=None, bias_regularizer=None, kernel_constraint=None, recurrent_constraint=None,
                 bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, seed=None, **kwargs):  # fmt: skip
        given = settings(locals())
        del given["units"]
        super().__init__(**given)
        self.implementation = 2  # there is one gate only
        self.units = self.state_size = self.output_size = positive_int(self.where, "units", units)

    def build(self, input_shape):
        self._add_weights((input_shape[-1], self.units), (self.units, self.units), (self.units,))

    def call(self, inputs, states, training=False):
        h = states[0] if _is_list(states) else states
        x, inner = self._dropped(inputs, h, training)
        h = recurrent_steps.simple_rnn_step(x, inner, self.kernel, self.recurrent_kernel, self.bias, self.activation)
        return h, [h] if _is_list(states) else h

    _fused_call = call

    def _fused(self, sequences, states, **named):
        outputs, *states = recurrent.simple_rnn(
            sequences, *states, self.kernel, self.recurrent_kernel, self.bias, **named
        )
        return outputs, states

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class GRUCell(RecurrentCell):
    """inputs (batch, n), states [h (batch, units)] -> h, [h]. One step of a gated recurrent unit.

    The update gate z, the reset gate r and the candidate g make ``h' = z h + (1 - z) g``.

    Args:
        units: the size of the state, which is the output.
        activation: the function of the candidate, or its name.
        recurrent_activation: the function of the gates, or its name.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: of kernel (n, 3 units), recurrent_kernel
            (units, 3 units) and bias, (2, 3 units) with `reset_after`, else (3 units,); columns in the order z, r, g.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: what adds losses.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are mapped to after each update.
        dropout, recurrent_dropout: the part of inputs and state that training sets to 0, the same in all steps of a sequence.
        reset_after: whether the reset gate acts behind the product with the recurrent kernel.
        seed: of dropout.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes and rates out of range.

    Example:
        >>> cell = edl.layers.GRUCell(3)
        >>> output, states = cell(edl.ones((2, 4)), [edl.zeros((2, 3))])
        >>> output.shape
        (2, 3)

    Source: Cho et al., 2014, arXiv:1406.1078.
    """

    gates = 3

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, reset_after=True,
                 seed=None, **kwargs):  # fmt: skip
        given = settings(locals())
        del given["units"], given["reset_after"]
        super().__init__(**given)
        self.reset_after = reset_after
        self.units = self.state_size = self.output_size = positive_int(self.where, "units", units)

    def build(self, input_shape):
        width = 3 * self.units
        self._add_weights((input_shape[-1], width), (self.units, width), (2, width) if self.reset_after else (width,))

    def call(self, inputs, states, training=False):
        h = states[0] if _is_list(states) else states
        x, inner = self._dropped(inputs, h, training)
        dropped = inner if isinstance(inner, list) else None
        h = recurrent_steps.gru_step(x, h, self.kernel, self.recurrent_kernel, self.bias, self.reset_after, self.activation,
                                     self.recurrent_activation, dropped)  # fmt: skip
        return h, [h] if _is_list(states) else h

    _fused_call = call

    def _fused(self, sequences, states, **named):
        outputs, *states = recurrent.gru(sequences, *states, self.kernel, self.recurrent_kernel, self.bias,
                                         reset_after=self.reset_after, **named)  # fmt: skip
        return outputs, states

    def get_config(self):
        return {**super().get_config(), "units": self.units, "reset_after": self.reset_after,
                "recurrent_activation": activations.serialize(self.recurrent_activation)}  # fmt: skip


class LSTMCell(RecurrentCell):
    """inputs (batch, n), states [h, c] (batch, units) -> h, [h, c]. One step of a long short-term memory.

    With input gate i, forget gate f, candidate g and output gate o, the cell becomes ``c' = f c + i g`` and the output
    ``h' = o activation(c')``.

    Args:
        units: the size of the states; h is the output.
        activation: the function of the candidate and of the cell, or its name.
        recurrent_activation: the function of the gates, or its name.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: of kernel (n, 4 units), recurrent_kernel
            (units, 4 units) and bias (4 units,); columns in the order i, f, g, o.
        unit_forget_bias: whether the bias of the forget gate begins as 1 (Jozefowicz et al., 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: what adds losses.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are mapped to after each update.
        dropout, recurrent_dropout: the part of inputs and state that training sets to 0, the same in all steps of a sequence.
        seed: of dropout.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for sizes and rates out of range.

    Example:
        >>> cell = edl.layers.LSTMCell(3)
        >>> output, states = cell(edl.ones((2, 4)), cell.get_initial_state(batch_size=2))
        >>> output.shape, len(states)
        ((2, 3), 2)

    Source: Hochreiter & Schmidhuber, 1997, "Long short-term memory".
    """

    gates = 4
    state_count = 2

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, dropout=0.0,
                 recurrent_dropout=0.0, seed=None, **kwargs):  # fmt: skip
        given = settings(locals())
        del given["units"], given["unit_forget_bias"]
        super().__init__(**given)
        self.unit_forget_bias = unit_forget_bias
        self.units = self.output_size = positive_int(self.where, "units", units)
        self.state_size = [self.units, self.units]

    def build(self, input_shape):
        width = 4 * self.units
        bias = forget_bias(self.bias_initializer, self.units) if self.unit_forget_bias else None
        self._add_weights((input_shape[-1], width), (self.units, width), (width,), bias)

    def call(self, inputs, states, training=False):
        h, c = states
        x, inner = self._dropped(inputs, h, training)
        h, c = recurrent_steps.lstm_step(x, inner, c, self.kernel, self.recurrent_kernel, self.bias, self.activation,
                                         self.recurrent_activation)  # fmt: skip
        return h, [h, c]

    _fused_call = call

    def _fused(self, sequences, states, **named):
        outputs, *states = recurrent.lstm(sequences, *states, self.kernel, self.recurrent_kernel, self.bias, **named)
        return outputs, states

    def get_config(self):
        return {**super().get_config(), "units": self.units, "unit_forget_bias": self.unit_forget_bias,
                "recurrent_activation": activations.serialize(self.recurrent_activation)}  # fmt: skip


registry.add_area("layers", {name: globals()[name] for name in __all__})
