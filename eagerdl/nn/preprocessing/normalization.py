"""Layers that shift and scale: `Normalization` by mean and variance of data, `Rescaling` by given numbers."""

import math

import numpy as np

from eagerdl import config, ops, registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.layer import Layer
from eagerdl.nn.preprocessing.adapting import batches_of, numbers

__all__ = ["Normalization", "Rescaling"]


class Normalization(Layer):
    """x (...) -> the same shape. ``(x - mean) / sqrt(variance)``, with mean and variance of data that `adapt` has seen.

    Args:
        axis: the axis, or axes, whose places have a mean and variance each; None for one mean of everything.
        mean, variance: given values, instead of `adapt`; numbers, or arrays over the axes.
        invert: whether to undo a normalization: ``x sqrt(variance) + mean``.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if only one of mean and variance is given.
        ShapeError: if their shapes differ or do not fit, or the input lacks an axis, or its size there is unknown.

    Example:
        >>> layer = edl.layers.Normalization()
        >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
        >>> layer([[1.0, 40.0]])
        Tensor(shape=(1, 2), dtype=float32, [[0. 2.]])

    Source: batches are merged as in Chan, Golub & LeVeque, 1979, "Updating formulae and a pairwise algorithm".
    """

    supports_masking = True

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        if (mean is None) != (variance is None):
            raise ArgumentError(self.where, "mean and variance come together", f"got mean={mean!r}, variance={variance!r}",
                                "give both, or none and call adapt")  # fmt: skip
        if mean is not None and (np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis)):
            raise ShapeError(self.where, f"mean and variance have the same shape, over at most the axes {self.axis}",
                             f"got shapes {np.shape(mean)} and {np.shape(variance)}",
                             "give one number for each place of the axes")  # fmt: skip
        self._keep = self._broadcast = None

    def build(self, input_shape):
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ShapeError(
                self.where, f"the input must have the axes {self.axis}", f"got shape {tuple(input_shape)}", "set axis"
            )
        self._keep = tuple(sorted(axis % rank for axis in self.axis))
        if any(input_shape[axis] is None for axis in self._keep):
            raise ShapeError(self.where, f"the sizes of the axes {self._keep} must be known", f"got shape {tuple(input_shape)}",
                             "give them in the shape of Input, or set another axis")  # fmt: skip
        self._broadcast = tuple(n if axis in self._keep else 1 for axis, n in enumerate(input_shape))
        shape = tuple(input_shape[axis] for axis in self._keep)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, autocast=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, autocast=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")
        else:
            try:
                np.broadcast_to(self.input_mean, shape)
            except ValueError:
                raise ShapeError(self.where, f"mean and variance must fit the axes {self._keep} of sizes {shape}",
                                 f"got shape {np.shape(self.input_mean)}", "give one number for each place") from None  # fmt: skip

    def _spread(self, values):
        """mean or variance with the rank of the input."""
        values = ops.convert_to_tensor(values)
        shape = self._broadcast if values.ndim == len(self._keep) else None
        if shape is None or values.shape != tuple(self._broadcast[axis] for axis in self._keep):
            values = ops.broadcast_to(values, tuple(self._broadcast[axis] for axis in self._keep))
        return ops.cast(ops.reshape(values, self._broadcast), self.compute_dtype)

    def _known(self, adapted, given):
        if not self.built:
            return None
        return self._spread(adapted.value if self.input_mean is None else np.asarray(given, self.variable_dtype))

    @property
    def mean(self):
        """The mean, shaped to broadcast with the input; None before the layer is built."""
        return self._known(vars(self).get("adapt_mean"), self.input_mean)

    @property
    def variance(self):
        """The variance, shaped to broadcast with the input; None before the layer is built."""
        return self._known(vars(self).get("adapt_variance"), self.input_variance)

    def adapt(self, data, batch_size=None, steps=None):
        """Learns mean and variance from data, in place of what was known before.

        Args:
            data: an array, a Dataset or PyDataset, or an iterable of batches; of tuples the first part.
            batch_size: into how many rows arrays are cut.
            steps: how many batches are read at most.

        Raises:
            ArgumentError: if mean and variance were given, or there are no data.
            ShapeError: if a batch has other sizes along the axes.
        """
        where = f"{self.where}.adapt"
        if self.input_mean is not None:
            raise ArgumentError(
                where, "there must be something to learn", "mean and variance were given", "leave them out"
            )
        count, mean, variance = 0, 0.0, 0.0
        flat = hasattr(data, "_pipeline")  # elements of a dataset that is not batched
        for batch in batches_of(where, data, batch_size, steps):
            x = numbers(where, batch).astype(np.float64)
            x = x[None] if flat and x.ndim == 1 else x
            if not self.built:
                self.build(x.shape)
            rank = len(self._broadcast)
            if x.ndim != rank or any(x.shape[axis] != self._broadcast[axis] for axis in self._keep):
                sizes = [self._broadcast[axis] for axis in self._keep]
                raise ShapeError(where, f"data must have the sizes {sizes} along the axes {self._keep} of {rank}",
                                 f"got shape {x.shape}", "all batches, and the input, have these sizes")  # fmt: skip
            others = tuple(axis for axis in range(rank) if axis not in self._keep)
            n = math.prod(x.shape[axis] for axis in others)
            if not n:
                continue
            batch_mean, batch_variance = x.mean(others), x.var(others)
            count += n
            shift = batch_mean - mean
            mean = mean + shift * (n / count)
            variance = variance + ((batch_variance - variance) + shift**2 * ((count - n) / count)) * (n / count)
        if not count:
            raise ArgumentError(
                where, "data must have at least one row", "all batches are empty", "check how they were made"
            )
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype)
        deviation = ops.maximum(ops.sqrt(self.variance), config.epsilon())
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        given = (
            None if value is None else np.asarray(value).tolist() for value in (self.input_mean, self.input_variance)
        )
        mean, variance = given
        return {
            **super().get_config(),
            "axis": list(self.axis),
            "invert": self.invert,
            "mean": mean,
            "variance": variance,
        }


class Rescaling(Layer):
    """x (...) -> the same shape. ``x * scale + offset``.

    Args:
        scale: a number, or one for each place of the last axis (with "channels_first" as image data format: of the channels).
        offset: a number, or several.
        kwargs: name, dtype, trainable.

    Example:
        >>> edl.layers.Rescaling(1 / 127.5, offset=-1)(np.array([0, 255], np.uint8))
        Tensor(shape=(2,), dtype=float32, [-1.  1.])
    """

    supports_masking = True

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, inputs):
        scale, offset = (self._spread(value) for value in (self.scale, self.offset))
        return ops.cast(inputs, self.compute_dtype) * scale + offset

    def _spread(self, value):
        value = ops.cast(ops.convert_to_tensor(value), self.compute_dtype)
        if value.ndim and config.image_data_format() == "channels_first":
            value = ops.reshape(value, (*value.shape, *(1,) * (3 - value.ndim)))
        return value

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        values = (registry.serialize_keras_object(value) for value in (self.scale, self.offset))
        return {**super().get_config(), **dict(zip(("scale", "offset"), values))}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("scale", "offset"):
            config[name] = registry.deserialize_keras_object(config[name])
        return super().from_config(config)


registry.add_area("layers", {name: globals()[name] for name in __all__})
