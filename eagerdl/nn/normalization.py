"""Layers that normalize each example by itself: all of its features, groups of them, or without subtracting their mean."""

import builtins
import math

from eagerdl import dtypes, ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn import constraints, initializers, regularizers
from eagerdl.nn.arguments import check_numbers, positive_int
from eagerdl.nn.layer import InputSpec, Layer

__all__ = ["GroupNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"]


class AffineNormalization(Layer):
    """A layer that multiplies what it has normalized by `gamma` and shifts it by `beta`.

    Args:
        epsilon: keeps the root of the variance away from 0.
        center, scale: whether there is a beta, and a gamma.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of these.
        kwargs: name, dtype, trainable.
    """

    supports_masking = True

    def __init__(self, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
                 beta_constraint, gamma_constraint, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        check_numbers(self.where, 0.0, epsilon=epsilon)
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma = self.beta = None

    def _add_affine(self, shape):
        if self.scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, regularizer=self.gamma_regularizer,
                                         constraint=self.gamma_constraint, autocast=False, name="gamma")  # fmt: skip
        if self.center:
            self.beta = self.add_weight(shape, self.beta_initializer, regularizer=self.beta_regularizer,
                                        constraint=self.beta_constraint, autocast=False, name="beta")  # fmt: skip

    def compute_output_shape(self, input_shape):
        _checked_axes(self.where, self.axis, len(input_shape))
        return input_shape

    def _config_of_initializers(self):
        return {
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
        }

    def _config_of_the_rest(self):
        return {
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


class LayerNormalization(AffineNormalization):
    """x (batch, ..., n) -> (batch, ..., n). ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, for each example.

    Mean and variance are those of the axes `axis` of one example; gamma and beta have the sizes of these axes. Half precision
    is computed in float32.

    Args:
        axis: the axis that is normalized, or several, without the batch axis.
        epsilon: keeps the root of the variance away from 0.
        center, scale: whether there is a beta, and a gamma.
        beta_initializer, gamma_initializer: of these.
        beta_regularizer, gamma_regularizer: what adds losses.
        beta_constraint, gamma_constraint: what the weights are mapped to after each update.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: if axis is no int and no list of ints.
        ShapeError: if the input has no such axis, or its size is unknown.

    Example:
        >>> edl.layers.LayerNormalization(epsilon=0.0)(edl.constant([[1.0, 3.0, 1.0, 3.0]])).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]

    Source: Ba, Kiros & Hinton, 2016, arXiv:1607.06450.
    """

    def __init__(self, axis=-1, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros", gamma_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, **kwargs):  # fmt: skip
        if kwargs.pop("rms_scaling", False):
            raise ArgumentError("LayerNormalization", "rms_scaling is no longer an argument of it", "got rms_scaling=True",
                                "use edl.layers.RMSNormalization")  # fmt: skip
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
                         beta_constraint, gamma_constraint, **kwargs)  # fmt: skip
        self.axis = _axis_argument(self.where, axis)
        self.autocast = False  # the statistics are those of the input as it comes

    def build(self, input_shape):
        self._add_affine(_sizes(self.where, self.axis, input_shape))

    def call(self, inputs):
        out = ops.layer_normalization(inputs, self.gamma, self.beta, self.axis, self.epsilon)
        return out if out.dtype == self.compute_dtype else ops.cast(out, self.compute_dtype)

    def get_config(self):
        own = {
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": False,
        }
        return {**super().get_config(), **own, **self._config_of_initializers(), **self._config_of_the_rest()}


class GroupNormalization(AffineNormalization):
    """x (batch, ..., c) -> (batch, ..., c). Each group of channels of each example with mean 0 and variance 1, then scaled.

    The c channels fall into `groups` groups of neighbours. With one group it is layer normalization over all axes, with as
    many groups as channels instance normalization; gamma and beta are of shape (c,) always.

    Args:
        groups: how many groups; a divisor of c, or -1 for c groups.
        axis: the axis of the channels.
        epsilon: keeps the root of the variance away from 0.
        center, scale: whether there is a beta, and a gamma.
        beta_initializer, gamma_initializer: of these.
        beta_regularizer, gamma_regularizer: what adds losses.
        beta_constraint, gamma_constraint: what the weights are mapped to after each update.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if groups is neither a positive int nor -1.
        ShapeError: if the channels cannot be divided into the groups.

    Example:
        >>> layer = edl.layers.GroupNormalization(groups=2, epsilon=0.0)
        >>> layer(edl.constant([[1.0, 3.0, 10.0, 20.0]])).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]

    Source: Wu & He, 2018, arXiv:1803.08494.
    """

    def __init__(self, groups=32, axis=-1, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", beta_regularizer=None, gamma_regularizer=None, beta_constraint=None,
                 gamma_constraint=None, **kwargs):  # fmt: skip
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
                         beta_constraint, gamma_constraint, **kwargs)  # fmt: skip
        self.groups = -1 if groups == -1 else positive_int(self.where, "groups (or -1)", groups)
        self.axis = _axis_argument(self.where, axis, several=False)
        self.autocast = False

    def build(self, input_shape):
        (channels,) = _sizes(self.where, self.axis, input_shape)
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            raise ShapeError(self.where, f"{self.groups} groups must divide the channels evenly",
                             f"got {channels} channels on axis {self.axis} of {tuple(input_shape)}",
                             "choose another number of groups, or another axis")  # fmt: skip
        if self.axis % len(input_shape) == 0:
            raise ShapeError(
                self.where, "the channels are not on the batch axis", f"got axis={self.axis}", "use axis=-1 or 1"
            )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        self._add_affine((channels,))

    def call(self, inputs):
        shape, dtype = inputs.shape, inputs.dtype
        axis = self.axis % len(shape)
        work = dtypes.result_type(dtype, dtypes.float32)
        x = inputs if dtype == work else ops.cast(inputs, work)
        out = self._channels_last(x) if axis == len(shape) - 1 else self._channels_at(axis, x)
        return out if out.dtype == self.compute_dtype else ops.cast(out, self.compute_dtype)

    def _channels_at(self, axis, x):
        """x (n, ..., c, ...) -> the same. As layer normalization of each group."""
        shape = x.shape
        grouped = ops.reshape(x, (*shape[:axis], self.groups, shape[axis] // self.groups, *shape[axis + 1 :]))
        # All axes but those of the batch and of the groups.
        over = [i for i in builtins.range(1, len(shape) + 1) if i != axis]
        out = ops.reshape(ops.layer_normalization(grouped, axis=over, epsilon=self.epsilon), shape)
        behind = (-1, *(1,) * (len(shape) - axis - 1))
        if self.gamma is not None:
            out = out * ops.reshape(self.gamma, behind)
        return out if self.beta is None else out + ops.reshape(self.beta, behind)

    def _channels_last(self, x):
        """x (n, ..., c) -> (n, ..., c). By sums for each channel, of which those of a group are added up: nothing is moved."""
        n, *inner, channels = x.shape
        groups = n, self.groups, channels // self.groups
        count = math.prod(inner) * groups[-1]

        def mean_of(values):
            for axis in builtins.range(len(inner), 0, -1):  # one after the other: short sums lose less
                values = ops.sum(values, axis)
            mean = ops.sum(ops.reshape(values, groups), -1, keepdims=True) / count
            return ops.reshape(ops.broadcast_to(mean, groups), (n, *(1,) * len(inner), channels))

        distance = x - mean_of(x)
        factor = ops.rsqrt(mean_of(ops.square(distance)) + self.epsilon)
        out = distance * (factor if self.gamma is None else factor * self.gamma)
        return out if self.beta is None else out + self.beta

    def get_config(self):
        own = {
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }
        return {**super().get_config(), **own, **self._config_of_initializers(), **self._config_of_the_rest()}


class RMSNormalization(Layer):
    """x (batch, ..., n) -> (batch, ..., n). ``scale * x / sqrt(mean of x**2 + epsilon)``, for each example.

    As layer normalization, but without a mean that is subtracted. Half precision is computed in float32.

    Args:
        axis: the axis that is normalized, or several, without the batch axis.
        epsilon: keeps the root away from 0.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: if axis is no int and no list of ints.
        ShapeError: if the input has no such axis, or its size is unknown.

    Example:
        >>> edl.layers.RMSNormalization(epsilon=0.0)(edl.constant([[2.0, -2.0]])).tolist()
        [[1.0, -1.0]]

    Source: Zhang & Sennrich, 2019, arXiv:1910.07467.
    """

    supports_masking = True

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        check_numbers(self.where, 0.0, epsilon=epsilon)
        self.axis, self.epsilon = _axis_argument(self.where, axis), epsilon

    def build(self, input_shape):
        self.scale = self.add_weight(_sizes(self.where, self.axis, input_shape), "ones", name="scale")

    def call(self, x):
        return ops.rms_normalization(x, self.scale, self.axis, self.epsilon)

    def compute_output_shape(self, input_shape):
        _checked_axes(self.where, self.axis, len(input_shape))
        return input_shape

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """x (batch, ..., n) -> (batch, ..., n). Each example divided by its length: the root of the sum of squares is 1.

    Args:
        axis: the axis that holds one vector, or several.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: if axis is no int and no list of ints.
        ShapeError: if the input has no such axis.

    Example:
        >>> edl.layers.UnitNormalization()(edl.constant([[1.0, -1.0, 1.0, 1.0]])).tolist()
        [[0.5, -0.5, 0.5, 0.5]]
    """

    supports_masking = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = _axis_argument(self.where, axis)

    def call(self, inputs):
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        return ops.normalize(inputs, axis=axis, order=2, epsilon=1e-12)

    def compute_output_shape(self, input_shape):
        _checked_axes(self.where, self.axis, len(input_shape))
        return input_shape

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


def _axis_argument(where, axis, several=True):
    """`axis` as an int, or a list of ints."""
    if isinstance(axis, list | tuple) and several and axis:
        return [_axis_argument(where, one, several=False) for one in axis]
    if isinstance(axis, bool) or not hasattr(axis, "__index__"):
        raise DTypeError(
            where, "axis is an int" + " or a list of ints" * several, f"got {axis!r}", "use axis=-1 for the last one"
        )
    return int(axis)


def _checked_axes(where, axis, ndim):
    """`axis` as ascending numbers from 0 on."""
    axes = [axis] if isinstance(axis, int) else axis
    wrong = [one for one in axes if not -ndim <= one < ndim]
    places = sorted({one % ndim for one in axes} if ndim else ())
    if wrong or len(places) < len(axes):
        raise ShapeError(where, f"axis names axes of the input, which has {ndim}, each once", f"got axis={axis}",
                         "count from 0 for the batch axis, or from -1 for the last one")  # fmt: skip
    return places


def _sizes(where, axis, input_shape):
    """The sizes of the axes of the input, ascending."""
    sizes = tuple([input_shape[one] for one in _checked_axes(where, axis, len(input_shape))])
    if None in sizes:
        raise ShapeError(where, f"the sizes of axis {axis} must be known", f"got input {tuple(input_shape)}",
                         "give an Input with these sizes")  # fmt: skip
    return sizes


registry.add_area("layers", {name: globals()[name] for name in __all__})
