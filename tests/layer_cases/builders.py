"""What a row of the battery is made of."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


def normal(*shape):
    """Inputs: a function of (generator, batch size) -> standard normal numbers of shape (batch, *shape)."""
    return lambda generator, batch: generator.standard_normal((batch, *shape))


def integers(*shape, below):
    """Inputs: integers from 0 to below - 1 of shape (batch, *shape)."""
    return lambda generator, batch: generator.integers(0, below, (batch, *shape)).astype("int32")


def several(*inputs):
    """Inputs of a layer that takes a list of tensors."""
    return lambda generator, batch: [make(generator, batch) for make in inputs]


@dataclass
class Row:
    """One layer with arguments, and what it is called on.

    Args:
        make: a function without arguments that makes the layer.
        inputs: a function (generator, batch size) -> the inputs.
        named: further arguments of the call: a dict of values, or of functions like `inputs`.
        weights: the shapes of `layer.weights` after the call, in Keras' order.
        reference: a function (weights, inputs) -> the outputs of inference, in NumPy and float64; None if laws test it.
        gradient: whether the layer is differentiable in its (floating) inputs.
        mask: whether it passes on the mask of its input unchanged.
        random: whether training mode draws random numbers.
        floating: whether its outputs are of the compute dtype.
        unknown: whether the batch axis may be unknown in `compute_output_shape`.
        settings: those of `named` that `compute_output_shape` takes as well.
        beside: those of `named` that are inputs, too: `compute_output_shape` takes their shapes, as ``<name>_shape``.
        symbols: whether it can be called on symbolic tensors: not on strings.
        idle: the places of weights in `trainable_variables` that this call does not use.
    """

    make: Any
    inputs: Any
    named: dict = field(default_factory=dict)
    weights: list = field(default_factory=list)
    reference: Any = None
    gradient: bool = True
    mask: bool = False
    random: bool = False
    floating: bool = True
    unknown: bool = True
    settings: tuple = ()
    beside: tuple = ()
    symbols: bool = True
    idle: tuple = ()

    def arguments(self, batch, seed=0):
        """The inputs for a batch size, and the named arguments."""
        generator = np.random.default_rng(seed)
        inputs = self.inputs(generator, batch)
        named = {key: value(generator, batch) if callable(value) else value for key, value in self.named.items()}
        return inputs, named


def channels_first(reference):
    """The reference of a layer with data_format="channels_first" by that of channels last."""
    return lambda weights, x: np.moveaxis(reference(weights, np.moveaxis(x, 1, -1)), -1, 1)
