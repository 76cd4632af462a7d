"""Layers that give the same elements another shape."""

import math

from eagerdl import config, ops, registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.arguments import positive_int
from eagerdl.nn.core import KeepsDType
from eagerdl.nn.layer import InputSpec

__all__ = ["Flatten", "Permute", "RepeatVector", "Reshape"]


class Flatten(KeepsDType):
    """x (batch, ...) -> (batch, n). All axes but the first made one; (batch,) becomes (batch, 1).

    Args:
        data_format: ``"channels_last"``, or ``"channels_first"``, where the axis of channels is put last before, so that
            the order of the elements does not depend on the format; by default that of the configuration.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for another data_format.

    Example:
        >>> edl.layers.Flatten()(edl.ones((2, 3, 4))).shape
        (2, 12)
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs):
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = ops.moveaxis(inputs, 1, -1)
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))

    def compute_output_shape(self, input_shape):
        sizes = input_shape[1:]
        return (input_shape[0], None if None in sizes else math.prod(sizes))

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(KeepsDType):
    """x (batch, ...) -> (batch, *target_shape). The same elements in the same order.

    Args:
        target_shape: the shape without the batch axis; -1 for at most one size, which follows from the others.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if a size is no int above 0, or several are -1.
        ShapeError: if the elements do not fit.

    Example:
        >>> edl.layers.Reshape((-1, 2))(edl.ones((3, 8))).shape
        (3, 4, 2)
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape) if isinstance(target_shape, list | tuple) else (target_shape,)
        if self.target_shape.count(-1) > 1:
            raise ArgumentError(self.where, "at most one size of target_shape is -1", f"got {self.target_shape}",
                                "give the others")  # fmt: skip
        for size in self.target_shape:
            if size != -1:
                positive_int(self.where, "each size of target_shape but -1", size)

    def call(self, inputs):
        return ops.reshape(inputs, self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, input_shape):
        known = math.prod(n for n in self.target_shape if n != -1)
        if None in input_shape[1:]:
            return (input_shape[0], *[None if n == -1 else n for n in self.target_shape])
        size = math.prod(input_shape[1:])
        if size % known if -1 in self.target_shape else size != known:
            raise ShapeError(self.where, f"target_shape {self.target_shape} must hold the elements of each example",
                             f"got input {tuple(input_shape)}, with {size} in each",
                             "change target_shape, with -1 for what follows")  # fmt: skip
        return (input_shape[0], *[size // known if n == -1 else n for n in self.target_shape])

    def get_config(self):
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(KeepsDType):
    """x (batch, ...) -> (batch, ...). The axes after the first in another order.

    Args:
        dims: for each axis of the output which one of the input it is, counted from 1.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if dims is no permutation of 1, 2, ...
        ShapeError: if the input has another number of axes.

    Example:
        >>> edl.layers.Permute((2, 1))(edl.ones((5, 3, 4))).shape
        (5, 4, 3)
    """

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(self.where, "dims holds each of 1, 2, ... once", f"got dims={self.dims}",
                                "count the axes of the input from 1, without the batch axis")  # fmt: skip
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs):
        return ops.transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *[input_shape[axis] for axis in self.dims])

    def get_config(self):
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(KeepsDType):
    """x (batch, features) -> (batch, n, features). Each vector n times, as input for every step of a decoder.

    Args:
        n: how often.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if n is not a positive int.
        ShapeError: if the input has other than two axes.

    Example:
        >>> edl.layers.RepeatVector(3)(edl.ones((2, 4))).shape
        (2, 3, 4)
    """

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        self.n = positive_int(self.where, "n", n)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs):
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self):
        return {**super().get_config(), "n": self.n}


registry.add_area("layers", {name: globals()[name] for name in __all__})
