"""Sums and means over batches, of values and of functions of y_true and y_pred."""

from typing import ClassVar

from eagerdl import registry
from eagerdl.nn import calls
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.shape import broadcast_to, squeeze
from eagerdl.tensor import Tensor
from eagerdl.train.losses.loss import fit, mask_of
from eagerdl.train.metrics.metric import Metric, ratio

__all__ = ["Mean", "MeanMetricWrapper", "Sum"]

NUMBERS = (int, float, type(None))


def by_sample(name, values, sample_weight, reduce, dtype):
    """values (n, ...) -> (n,) weighted values, and their weights (n,), or None if there are none.

    Args:
        name: for messages.
        values: a tensor; its mask, if it has one, counts as weights.
        sample_weight: None, or a tensor of the shape of values or of their first axes.
        reduce: `mean` or `sum`, by which the further axes go.
        dtype: the dtype of both.
    """
    mask = mask_of(values)
    values = convert_to_tensor(values, dtype)
    if mask is not None:
        sample_weight = weighted_mask(name, mask, sample_weight, dtype)
    if sample_weight is not None:
        weights = convert_to_tensor(sample_weight, dtype)
        if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
            weights = squeeze(weights, -1)
        rank = weights.ndim
        fit(name, "sample_weight", weights, values.shape, "the metric")
        if values.ndim > rank:
            values = reduce(values, tuple(range(rank, values.ndim)))
        weights = weights if weights.shape == values.shape else broadcast_to(weights, values.shape)
        values = values * weights
        sample_weight = reduce(weights, tuple(range(1, rank))) if rank > 1 else weights
    if values.ndim > 1:
        values = reduce(values, tuple(range(1, values.ndim)))
    return values, sample_weight


def weighted_mask(name, mask, sample_weight, dtype):
    """A mask as weights, times sample_weight if there is one."""
    mask = convert_to_tensor(mask, dtype)
    if sample_weight is None:
        return mask
    weights = convert_to_tensor(sample_weight, dtype)
    if weights.ndim > mask.ndim:
        return fit(name, "the mask", mask, weights.shape, "sample_weight") * weights
    return mask * fit(name, "sample_weight", weights, mask.shape, "the mask")


class Sum(Metric):
    """values (...) -> (). The weighted sum of all values.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> metric = edl.metrics.Sum()
        >>> metric.update_state([1.0, 2.0], sample_weight=[1.0, 0.5])
        >>> metric([4.0])
        Tensor(shape=(), dtype=float32, 6.)
    """

    def __init__(self, name="sum", dtype=None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")

    def update_state(self, values, sample_weight=None):
        """Adds values (n, ...), times sample_weight if it is given: a tensor of their shape or of their first axes."""
        values, _ = by_sample(self.name, values, sample_weight, sum, self._dtype)
        self.total.assign_add(sum(values) if values.ndim else values)

    def result(self):
        """The sum."""
        return self.total.value


class Mean(Metric):
    """values (...) -> (). The weighted mean of all values, 0 of none.

    Values with several axes are averaged for each example first, along all axes but the first.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> metric = edl.metrics.Mean()
        >>> metric.update_state([1.0, 5.0], sample_weight=[3.0, 1.0])
        >>> metric.result()
        Tensor(shape=(), dtype=float32, 2.)
    """

    def __init__(self, name="mean", dtype=None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")
        self.count = self.add_variable((), "zeros", self._dtype, name="count")

    def update_state(self, values, sample_weight=None):
        """Adds values (n, ...), with weights if they are given: a tensor of their shape or of their first axes."""
        if (
            sample_weight.__class__ in NUMBERS
            and isinstance(values, Tensor)
            and values.ndim == 0
            and values.dtype == self._dtype
        ):
            self.total.assign_add(values if sample_weight is None else values * sample_weight)  # a loss: the usual case
            self.count.assign_add(1 if sample_weight is None else sample_weight)
            return
        values, weights = by_sample(self.name, values, sample_weight, mean, self._dtype)
        self.total.assign_add(sum(values) if values.ndim else values)
        if weights is None:
            self.count.assign_add(len(values) if values.ndim else 1)
        else:
            self.count.assign_add(sum(weights) if weights.ndim else weights)

    def result(self):
        """The mean."""
        return ratio(self.total, self.count)


class MeanMetricWrapper(Mean):
    """y_true, y_pred -> (). The mean of a function of y_true and y_pred over all examples.

    Args:
        fn: the function, which returns a value for each example; a mask of y_pred counts as weights.
        name, dtype: see `Metric`.
        kwargs: further arguments of the function.

    Example:
        >>> metric = edl.metrics.MeanMetricWrapper(edl.losses.mean_squared_error, name="mse")
        >>> metric([[0.0], [0.0]], [[1.0], [3.0]])
        Tensor(shape=(), dtype=float32, 5.)
    """

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name, dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account.

        Args:
            y_true, y_pred: the truth and the predictions.
            sample_weight: factors, of the shape of the values of the function or of their first axes: (batch,).
        """
        mask = mask_of(y_pred)
        values = calls.converted(self._fn)(y_true, y_pred, **self._fn_kwargs)
        if mask is not None:
            sample_weight = weighted_mask(self.name, mask, sample_weight, self._dtype)
        super().update_state(values, sample_weight)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "fn": registry.serialize_keras_object(self._fn),
                **registry.serialize_keras_object(self._fn_kwargs)}  # fmt: skip

    @classmethod
    def from_config(cls, config):
        """The metric of a config."""
        return cls(**(registry.deserialize_keras_object(config) if "fn" in config else config))


class FunctionMetric(MeanMetricWrapper):
    """The mean of a function of this package, whose arguments are attributes."""

    # Arguments that Keras' configs lack, with their defaults: they enter ours if they have another value.
    _quiet: ClassVar[dict] = {}

    def __init__(self, fn, name, dtype, **kwargs):
        super().__init__(fn, name, dtype, **kwargs)
        vars(self).update(kwargs)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        shown = {
            key: value for key, value in self._fn_kwargs.items() if key not in self._quiet or self._quiet[key] != value
        }
        return {**Metric.get_config(self), **shown}
