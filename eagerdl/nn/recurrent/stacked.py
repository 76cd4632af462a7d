"""`StackedRNNCells`: several cells as one; and what all that holds cells needs."""

from eagerdl import registry
from eagerdl.errors import ArgumentError
from eagerdl.nn import calls
from eagerdl.nn.layer import Layer
from eagerdl.ops.creation import zeros
from eagerdl.tree import map_structure

__all__ = ["StackedRNNCells"]


def require_cell(where, cell):
    """Refuses what has no `call` or no `state_size`.

    Raises:
        ArgumentError: if so.
    """
    for name, what in (("call", "a method call(inputs, states)"), ("state_size", "an attribute state_size")):
        if getattr(cell, name, None) is None:
            raise ArgumentError(where, f"a cell needs {what}", f"{type(cell).__name__} has none",
                                "pass a cell such as LSTMCell(units), or write one")  # fmt: skip
    if not isinstance(cell.state_size, int | list | tuple):
        raise ArgumentError(where, "the state_size of a cell is an int or a list of ints", f"got {cell.state_size!r}",
                            "give one entry for each state")  # fmt: skip


def build_inside(parent, child, shape):
    """Builds the layer `child` of the layer `parent`, if it is not built; its path begins with that of the parent."""
    if isinstance(child, Layer) and not child.built:
        if child._path is None:
            child._path = f"{parent.path}/{child.name}"
        child.build(shape)
        child.built = True


def call_cell(cell, inputs, states, training):
    """One step of a cell, which may be a layer or not, and may know of training or not."""
    named = {"training": training} if isinstance(cell, Layer) and calls.signature_of(type(cell)).training else {}
    return (cell if callable(cell) else cell.call)(inputs, states, **named)


def zero_states(state_size, batch_size, dtype):
    """Zeros (batch_size, n) for each n in the nested structure `state_size`."""
    return map_structure(lambda n: zeros((batch_size, n), dtype), state_size)


class StackedRNNCells(Layer):
    """inputs (batch, n), a list of states for each cell -> the last cell's output, and the new states.

    Args:
        cells: a list of cells, each of which takes the output of the one before.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if one of them is no cell.

    Example:
        >>> stack = edl.layers.StackedRNNCells([edl.layers.LSTMCell(3), edl.layers.GRUCell(2)])
        >>> edl.layers.RNN(stack)(edl.ones((1, 5, 4))).shape
        (1, 2)
    """

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        self.cells = list(cells)
        if not self.cells:
            raise ArgumentError(self.where, "at least one cell is needed", "got none", "pass a list of cells")
        for cell in self.cells:
            require_cell(self.where, cell)

    @property
    def state_size(self):
        """The state sizes of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self):
        """The size of the last cell's output."""
        return _output_size(self.cells[-1])

    def get_initial_state(self, batch_size=None):
        """The states of each cell before the first step: a tensor for cells of a single state, else a list."""
        return [self._initial_state(cell, batch_size) for cell in self.cells]

    def _initial_state(self, cell, batch_size):
        of_cell = getattr(cell, "get_initial_state", None)
        if of_cell is None:
            return zero_states(cell.state_size, batch_size, self.compute_dtype)
        states = of_cell(batch_size=batch_size)
        return states[0] if isinstance(cell.state_size, int) and isinstance(states, list | tuple) else states

    def build(self, input_shape):
        for cell in self.cells:
            build_inside(self, cell, input_shape)
            input_shape = (input_shape[0], _output_size(cell))

    def call(self, inputs, states, training=False):
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            several = isinstance(state, list | tuple)
            inputs, after = call_cell(cell, inputs, list(state) if several else [state], training)
            after = list(after) if isinstance(after, list | tuple) else [after]
            new.append(after if several else after[0])
        return inputs, new

    def compute_output_shape(self, inputs_shape, states_shape=None):
        batch = inputs_shape[0]
        return (batch, self.output_size), map_structure(lambda n: (batch, n), self.state_size)

    def run_sequence(self, sequences, states, mask, zero_output_for_mask, training):
        """All steps at once, cell by cell; None if one of them needs one step after the other."""
        if type(self).call is not StackedRNNCells.call or self.activity_regularizer is not None:
            return None
        new = []
        for index, (cell, state) in enumerate(zip(self.cells, states, strict=True)):
            whole = getattr(cell, "run_sequence", None)
            if whole is None or cell.compute_dtype != self.compute_dtype:
                return None
            several = isinstance(state, list | tuple)
            zero = zero_output_for_mask and index == len(self.cells) - 1
            done = whole(sequences, list(state) if several else [state], mask, zero, training)
            if done is None:
                return None
            sequences, after = done
            new.append(after if several else after[0])
        return sequences, new

    def reset_dropout_mask(self):
        """Lets the next step of each cell draw a new mask of the inputs."""
        self._reset("reset_dropout_mask")

    def reset_recurrent_dropout_mask(self):
        """Lets the next step of each cell draw a new mask of the states."""
        self._reset("reset_recurrent_dropout_mask")

    def _reset(self, name):
        for cell in self.cells:
            if hasattr(cell, name):
                getattr(cell, name)()

    def get_config(self):
        return {**super().get_config(), "cells": [registry.serialize_keras_object(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A new stack from what `get_config` gave."""
        cells = [registry.deserialize_keras_object(one, custom_objects) for one in config["cells"]]
        return super().from_config({**config, "cells": cells})


def _output_size(cell):
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, list | tuple) else cell.state_size
    return size


registry.add_area("layers", {name: globals()[name] for name in __all__})
