"""`RNN`: any cell over the steps of a sequence."""

from eagerdl import registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.layer import Layer, get_mask
from eagerdl.nn.recurrent.stacked import StackedRNNCells, build_inside, call_cell, require_cell, zero_states
from eagerdl.ops.arithmetic import where
from eagerdl.ops.arrangement import flip
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import zeros_like
from eagerdl.ops.joining import unstack
from eagerdl.ops.shape import reshape, stack
from eagerdl.tree import flatten, map_structure
from eagerdl.variable import Variable

__all__ = ["RNN"]


class States:
    """Holds the variables of a stateful layer, which are no weights: they belong to the data, not to the model."""

    def __init__(self, value=None):
        self.value = value


class RNN(Layer):
    """sequences (batch, time, ...) -> the last output (batch, units), or all outputs (batch, time, units).

    A cell is a layer, or any object, with a method ``call(inputs, states) -> (output, new states)`` for one step and an
    attribute `state_size`: an int, or a list with one entry per state (lists in it for states that are lists). It may have
    `output_size` and a method ``get_initial_state(batch_size)``; without them the output has the first state's size, and
    states begin as zeros.

    Cells of this package that compute with tanh and sigmoid run whole sequences in one op, which agrees with one step
    after the other to rounding. With a mask, steps where it is False keep the states; the output there is that of the
    step before (at first the first state), or 0 with `zero_output_for_mask` and `return_sequences`.

    Args:
        cell: a cell, or a list of cells, each of which takes the output of the one before.
        return_sequences: whether to return the outputs of all steps.
        return_state: whether to return the last states as well, behind the output.
        go_backwards: whether to run from the last step to the first; outputs then come in that order.
        stateful: whether each batch goes on with the states with which the one before ended. All batches have one size.
        unroll: accepted for Keras' sake; the result does not depend on it.
        zero_output_for_mask: whether outputs of masked steps are 0.
        kwargs: name, dtype, trainable, activity_regularizer.

    Raises:
        ArgumentError: for an object that is no cell, or a cell that returns other states than it took.
        ShapeError: for initial states of other shapes, no steps, or another batch size of a stateful layer.

    Example:
        >>> class Sum(edl.layers.Layer):
        ...     state_size = 3
        ...
        ...     def call(self, inputs, states):
        ...         total = states[0] + inputs
        ...         return total, [total]
        >>> edl.layers.RNN(Sum())(edl.ones((1, 4, 3)))
        Tensor(shape=(1, 3), dtype=float32, [[4. 4. 4.]])
    """

    supports_masking = True

    def __init__(self, cell, return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False,
                 zero_output_for_mask=False, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        require_cell(self.where, cell)
        self.cell = cell
        self.return_sequences, self.return_state, self.go_backwards = return_sequences, return_state, go_backwards
        self.stateful, self.unroll, self.zero_output_for_mask = stateful, unroll, zero_output_for_mask
        self.single_state = isinstance(cell.state_size, int)
        self.state_size = [cell.state_size] if self.single_state else list(cell.state_size)
        self._states = States()

    # -- states -------------------------------------------------------------------------------------

    @property
    def states(self):
        """The variables that hold the states of a stateful layer, None for others, or where it is not built."""
        return self._states.value

    @property
    def variables(self):
        """All variables; those of a stateful layer's states too, which are not among `weights`."""
        return [*super().variables, *([] if self.states is None else flatten(self.states)[0])]

    def get_initial_state(self, batch_size):
        """The list of states before the first step: those of the cell's own method, or zeros."""
        of_cell = getattr(self.cell, "get_initial_state", None)
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        states = of_cell(batch_size=batch_size) if of_cell else zero_states(self.state_size, batch_size, dtype)
        return list(states) if isinstance(states, list | tuple) else [states]

    def reset_state(self):
        """Sets the states of a stateful layer to zero."""
        for variable in flatten(self.states)[0] if self.states is not None else ():
            variable.assign(zeros_like(variable))

    def reset_states(self):
        """Sets the states of a stateful layer to zero."""
        self.reset_state()

    def build(self, sequences_shape, initial_state_shape=None):
        batch, _, *features = sequences_shape
        build_inside(self, self.cell, (batch, *features))
        if self.stateful:
            if batch is None:
                raise ShapeError(self.where, "a stateful layer needs to know the batch size", f"got shape {sequences_shape}",
                                 "give Input a batch_size")  # fmt: skip
            made = map_structure(lambda x: Variable(x, dtype=self.variable_dtype, trainable=False, name="rnn_state"),
                                 self.get_initial_state(batch))  # fmt: skip
            for variable in flatten(made)[0]:
                variable._path = f"{self.path}/rnn_state"
            self._states = States(made)

    # -- calls --------------------------------------------------------------------------------------

    def call(self, sequences, initial_state=None, mask=None, training=False):
        if sequences.ndim < 3 or not sequences.shape[1]:
            raise ShapeError(self.where, "sequences (batch, time, ...) of at least one step are needed",
                             f"got shape {sequences.shape}", "add the missing axes with edl.expand_dims")  # fmt: skip
        if mask is None:  # initial states are tensors too, so that it is not clear to __call__ whose mask is wanted
            mask = get_mask(sequences)
        mask = self._time_mask(mask, sequences)
        states = self._first_states(initial_state, sequences.shape[0])
        self._reset_masks()
        try:
            last, outputs, states = self.inner_loop(sequences, states, mask, training)
        finally:
            self._reset_masks()
        if self.stateful:
            for variable, value in zip(flatten(self.states)[0], flatten(states)[0], strict=True):
                variable.assign(value)
        output = self._as_computed(outputs if self.return_sequences else last)
        return (output, *map_structure(self._as_computed, list(states))) if self.return_state else output

    def _as_computed(self, x):
        return x if x.dtype == self.compute_dtype else cast(x, self.compute_dtype)

    def _time_mask(self, mask, sequences):
        """The mask (batch, time) as a bool tensor, or None."""
        mask = flatten(mask)[0][0]
        if mask is None:
            return None
        mask = convert_to_tensor(mask)
        if mask.ndim == 3 and mask.shape[2] == 1:
            mask = reshape(mask, mask.shape[:2])
        if mask.shape != sequences.shape[:2]:
            raise ShapeError(self.where, f"the mask must be (batch, time) = {sequences.shape[:2]}", f"got shape {mask.shape}",
                             "give one bool per step")  # fmt: skip
        return cast(mask, "bool")

    def _first_states(self, initial_state, batch):
        given = initial_state is not None
        if not given:
            initial_state = self.states if self.stateful else self.get_initial_state(batch)
        if not isinstance(initial_state, list | tuple):
            initial_state = [initial_state]
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        states = map_structure(lambda x: cast(x.value if isinstance(x, Variable) else x, dtype), list(initial_state))
        shapes = [x.shape for x in flatten(states)[0]]
        wanted = [(batch, n) for n in flatten(self.state_size)[0]]  # n is -1 where the cell alone knows it
        fits = [
            have == want or (want[1] < 0 and have[:1] == (batch,)) for have, want in zip(shapes, wanted, strict=False)
        ]
        if len(shapes) != len(wanted) or not all(fits):
            raise ShapeError(self.where, f"states of shapes {wanted} are needed", f"got {shapes}",
                             "check initial_state" if given else "keep the batch size of a stateful layer")  # fmt: skip
        return states

    def _reset_masks(self):
        for name in ("reset_dropout_mask", "reset_recurrent_dropout_mask"):
            reset = getattr(self.cell, name, None)
            if reset is not None:
                reset()

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """The last output, all outputs (where they are returned) and the last states, of all steps in their order."""
        if self.go_backwards:
            sequences = flip(sequences, 1)
            mask = None if mask is None else flip(mask, 1)
        whole = getattr(self.cell, "run_sequence", None)
        if whole is not None and self.cell.compute_dtype == self.compute_dtype:
            done = whole(sequences, initial_state, mask, self.zero_output_for_mask and self.return_sequences, training)
            if done is not None:
                outputs, states = done
                return self._emitted(states), outputs, states
        return self._step_by_step(sequences, initial_state, mask, training)

    def _emitted(self, states):
        """The state that a cell emits: the first one; of a stack of cells that of the last cell."""
        return flatten(states[-1] if isinstance(self.cell, StackedRNNCells) else states)[0][0]

    def _step_by_step(self, sequences, states, mask, training):
        emitted, last = [], None
        masks = [None] * sequences.shape[1] if mask is None else unstack(mask, axis=1)
        for x, seen in zip(unstack(sequences, axis=1), masks, strict=True):
            output, new = self._step(x, states, training)
            shown = output
            if seen is not None:
                if last is None:
                    first = self._emitted(states)
                    last = first if first.shape == output.shape else zeros_like(output)
                output = _choose(seen, output, last)
                shown = _choose(seen, shown, zeros_like(shown)) if self.zero_output_for_mask else output
                new = map_structure(lambda a, b, seen=seen: _choose(seen, a, b), new, states)
            last, states = output, new
            if self.return_sequences:
                emitted.append(shown)
        return last, stack(emitted, 1) if emitted else None, states

    def _step(self, x, states, training):
        output, new = call_cell(self.cell, x, states, training)
        new = list(new) if isinstance(new, list | tuple) else [new]
        if len(flatten(new)[0]) != len(flatten(states)[0]):
            raise ArgumentError(self.where, f"the cell must return {len(flatten(states)[0])} states, as many as it takes",
                                f"it returned {len(flatten(new)[0])}", "return output, [state, ...]")  # fmt: skip
        return output, map_structure(lambda _, value: value, states, new)

    # -- shapes, masks, configuration -----------------------------------------------------------------

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch, steps = sequences_shape[:2]
        size = getattr(self.cell, "output_size", None)
        size = self.state_size[0] if size is None else size
        size = tuple(size) if isinstance(size, list | tuple) else (size,)
        output = (batch, steps, *size) if self.return_sequences else (batch, *size)
        return (output, *map_structure(lambda n: (batch, n), self.state_size)) if self.return_state else output

    def compute_mask(self, sequences, previous_mask):
        mask = flatten(previous_mask)[0][0] if self.return_sequences else None
        return [mask, *[None] * len(flatten(self.state_size)[0])] if self.return_state else mask

    def get_config(self):
        return {
            **super().get_config(),
            "return_sequences": self.return_sequences, "return_state": self.return_state,
            "go_backwards": self.go_backwards, "stateful": self.stateful, "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask, "cell": registry.serialize_keras_object(self.cell),
        }  # fmt: skip

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A new layer from what `get_config` gave."""
        if isinstance(config.get("cell"), dict):
            config = {**config, "cell": registry.deserialize_keras_object(config["cell"], custom_objects)}
        return super().from_config(config)


def _choose(seen, new, old):
    """new (batch, ...) where `seen` (batch,), else old."""
    return where(reshape(seen, (*seen.shape, *(1,) * (new.ndim - 1))), new, old)


registry.add_area("layers", {name: globals()[name] for name in __all__})
