"""Activations as layers: those with settings that a name does not tell, a weight (`PReLU`), or a mask (`Softmax`)."""

from eagerdl import ops, registry
from eagerdl.errors import ShapeError
from eagerdl.nn import activations, constraints, initializers, regularizers
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.core import KeepsShape
from eagerdl.nn.layer import InputSpec

__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


class ReLU(KeepsShape):
    """x (...) -> (...). x above the threshold, ``negative_slope * (x - threshold)`` elsewhere, never above max_value.

    Args:
        max_value: the largest output, None for no bound.
        negative_slope: the slope up to the threshold.
        threshold: where the function leaves its line.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for a negative number.
        DTypeError: for what is no number.

    Example:
        >>> edl.layers.ReLU(max_value=6.0, negative_slope=0.5)(edl.constant([-2.0, 3.0, 9.0]))
        Tensor(shape=(3,), dtype=float32, [-1.  3.  6.])

    Source: V. Nair and G. E. Hinton, 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        check_numbers(self.where, 0.0, negative_slope=negative_slope, threshold=threshold)
        if max_value is not None:
            check_numbers(self.where, 0.0, max_value=max_value)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs):
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self):
        settings = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return {**super().get_config(), **settings}


class LeakyReLU(KeepsShape):
    """x (...) -> (...). x where it is positive, ``negative_slope * x`` elsewhere.

    Args:
        negative_slope: the slope below 0.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for a negative slope.
        DTypeError: for what is no number.

    Example:
        >>> edl.layers.LeakyReLU(0.5)(edl.constant([-2.0, 3.0]))
        Tensor(shape=(2,), dtype=float32, [-1.  3.])

    Source: A. Maas, A. Hannun and A. Ng, 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
    """

    def __init__(self, negative_slope=0.3, **kwargs):
        negative_slope = kwargs.pop("alpha", negative_slope)  # its name in Keras 2
        super().__init__(**kwargs)
        check_numbers(self.where, 0.0, negative_slope=negative_slope)
        self.negative_slope = negative_slope

    def call(self, inputs):
        return ops.leaky_relu(inputs, self.negative_slope)

    def get_config(self):
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(KeepsShape):
    """x (...) -> (...). x where it is positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Args:
        alpha: minus the limit to the left.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: for what is no number.

    Example:
        >>> edl.layers.ELU()(edl.constant([-100.0, 3.0]))
        Tensor(shape=(2,), dtype=float32, [-1.  3.])

    Source: Clevert et al., 2016, arXiv:1511.07289.
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        check_numbers(self.where, alpha=alpha)
        self.alpha = alpha

    def call(self, inputs):
        return ops.elu(inputs, self.alpha)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha}


class PReLU(KeepsShape):
    """x (batch, ...) -> (batch, ...). x where it is positive, ``alpha * x`` elsewhere, with slopes alpha that are learned.

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of alpha, which has the shape of x without the batch axis.
        shared_axes: an axis, or a list of axes, along which there is only one slope: ``[1, 2]`` for one per channel of images.
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if a shared axis does not exist, the size of another axis is unknown, or changes.

    Example:
        >>> edl.layers.PReLU(alpha_initializer="ones", shared_axes=[1])(edl.constant([[[-2.0], [3.0]]])).tolist()
        [[[-2.0], [3.0]]]

    Source: He et al., 2015, arXiv:1502.01852.
    """

    def __init__(
        self, alpha_initializer="Zeros", alpha_regularizer=None, alpha_constraint=None, shared_axes=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = shared_axes
        if shared_axes is not None:
            self.shared_axes = list(shared_axes) if isinstance(shared_axes, list | tuple) else [shared_axes]

    def build(self, input_shape):
        rank, shared = len(input_shape), self.shared_axes or []
        if any(not -rank < axis < rank or axis == 0 for axis in shared):
            raise ShapeError(self.where, f"shared_axes are axes of the input {tuple(input_shape)}, without the batch axis",
                             f"got {shared}", f"choose from 1 to {rank - 1}")  # fmt: skip
        shared = [axis % rank for axis in shared]
        sizes = {axis: size for axis, size in enumerate(input_shape) if axis > 0 and axis not in shared}
        if None in sizes.values():
            raise ShapeError(self.where, "the sizes of axes with slopes of their own must be known",
                             f"got input {tuple(input_shape)} and shared_axes={self.shared_axes}",
                             "share the slopes along axes of unknown size, as in PReLU(shared_axes=[1, 2])")  # fmt: skip
        self.alpha = self.add_weight([sizes.get(axis, 1) for axis in range(1, rank)], self.alpha_initializer, name="alpha",
                                     regularizer=self.alpha_regularizer, constraint=self.alpha_constraint)  # fmt: skip
        self.input_spec = InputSpec(ndim=rank, axes=sizes)

    def call(self, inputs):
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class Softmax(KeepsShape):
    """x (...) -> (...) in [0, 1], with sum 1 along the axis. ``exp(x) / sum(exp(x))``, only of the elements that a mask keeps.

    Call it with ``mask=``, a boolean tensor that broadcasts to x: where it is False the output is 0.

    Args:
        axis: an axis, or a list of axes that are normalised together.
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if an axis does not exist, or the mask does not broadcast to x.

    Example:
        >>> edl.layers.Softmax()(edl.constant([1.0, 1.0, 5.0]), mask=edl.constant([True, True, False]))
        Tensor(shape=(3,), dtype=float32, [0.5 0.5 0. ])
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs, mask=None):
        axis = tuple(self.axis) if isinstance(self.axis, list | tuple) else self.axis
        if mask is None:
            return ops.softmax(inputs, axis)
        tail = inputs.shape[max(0, inputs.ndim - mask.ndim) :]
        if mask.ndim > inputs.ndim or any(m not in (1, n) for m, n in zip(mask.shape, tail)):
            raise ShapeError(self.where, "the mask must broadcast to the input", f"got input {inputs.shape}, mask {mask.shape}",
                             "give a mask of the input's shape, with 1 for axes along which it is the same")  # fmt: skip
        if mask.dtype != "bool":
            mask = mask > 0.5
        lowest = (
            -3e4 if inputs.dtype == "float16" else -1e9
        )  # finite, so that lines without any element have a gradient
        return ops.where(mask, ops.softmax(ops.where(mask, inputs, lowest), axis), 0.0)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


registry.add_area("layers", {name: globals()[name] for name in __all__})
