"""`Loss`: what all losses share: the dtype, masks, sample weights, the reduction to one number, and how shapes have to fit."""

from typing import ClassVar

import numpy as np

from eagerdl import dtypes, registry
from eagerdl.errors import ArgumentError, MissingNameError, ShapeError
from eagerdl.nn import calls, policy
from eagerdl.nn.names import auto_name, snake_case
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.logic import divide_no_nan
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.shape import expand_dims, reshape, squeeze
from eagerdl.tensor import Tensor

__all__ = ["Loss"]

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


# -- shapes that fit ------------------------------------------------------------------------------


def align_ranks(y_true, y_pred):
    """Two tensors; if one has a last axis of 1 more than the other, the axis is dropped, or added to a vector."""
    more = y_pred.ndim - y_true.ndim
    if more == 1 and y_pred.shape[-1] == 1:
        return (expand_dims(y_true, -1), y_pred) if y_true.ndim == 1 else (y_true, squeeze(y_pred, -1))
    if more == -1 and y_true.shape[-1] == 1:
        return (y_true, expand_dims(y_pred, -1)) if y_pred.ndim == 1 else (squeeze(y_true, -1), y_pred)
    return y_true, y_pred


def same_shape(name, y_true, y_pred):
    """Two tensors of one shape: as they are, or after `align_ranks`.

    Raises:
        ShapeError: for shapes that NumPy might broadcast, but that do not say which value belongs to which.
    """
    if y_true.shape == y_pred.shape:
        return y_true, y_pred
    a, b = align_ranks(y_true, y_pred)
    if a.shape != b.shape:
        raise ShapeError(name, "y_true and y_pred must have the same shape; only a last axis of 1 may be missing",
                         f"y_true {y_true.shape}, y_pred {y_pred.shape}", _hint(name, y_true.shape, y_pred.shape))  # fmt: skip
    return a, b


def _hint(name, true, pred):
    """What to do about two shapes that do not fit."""
    if true[:1] != pred[:1]:
        return "both need one row per example"
    if true == pred[:-1] and "categorical" in name:
        return "class numbers go to sparse_categorical_crossentropy, or through edl.one_hot first"
    if true == pred[:-1]:
        return f"y_true needs a last axis of {pred[-1]}, or the last layer one unit"
    return "reshape one of them"


def pair(name, y_true, y_pred):
    """y_true and y_pred as tensors of one shape and of the floating dtype of y_pred.

    Raises:
        ShapeError: if the shapes do not fit.
    """
    if y_pred.__class__ is not Tensor:
        y_pred = convert_to_tensor(y_pred)
    if y_pred.dtype not in dtypes.INEXACT_SET:
        y_pred = convert_to_tensor(y_pred, dtypes.floatx())
    if y_true.__class__ is not Tensor or y_true.dtype != y_pred.dtype:
        y_true = convert_to_tensor(y_true, y_pred.dtype)
    return same_shape(name, y_true, y_pred)


def fit(name, what, weights, shape, of="the loss"):
    """Weights for values of a shape: with its number of axes, each of its size or 1.

    Weights may lack axes behind: one of shape (batch,) weighs all that belongs to an example.

    Raises:
        ShapeError: if they fit in no such way.
    """
    have = weights.shape
    if len(have) == len(shape) + 1 and have[-1] == 1:
        return fit(name, what, squeeze(weights, -1), shape, of)
    if len(have) > len(shape) or any(n not in (1, size) for n, size in zip(have, shape)):
        hint = "give y_true and y_pred a last axis, as in (batch, 1)" if not shape else "reshape it"
        raise ShapeError(name, f"{what} must have the shape of the values of {of}, or of their first axes",
                         f"{what} {have}, values {shape}", hint)  # fmt: skip
    return weights if len(have) == len(shape) or not have else reshape(weights, have + (1,) * (len(shape) - len(have)))


def mask_of(x):
    """The mask of a tensor, as layers leave it, or None."""
    return getattr(x, "_mask", None)


def with_mask(x, mask):
    """The tensor, freshly computed, with a mask that says which of its values count."""
    x._mask = mask
    return x


# -- reduction ------------------------------------------------------------------------------------


def standardize_reduction(reduction, where="Loss"):
    """`reduction` itself.

    Raises:
        ArgumentError: for a name that is none.
    """
    if reduction not in REDUCTIONS:
        known = [name for name in REDUCTIONS if name]
        raise ArgumentError(where, "a known reduction is needed", f"got {reduction!r}{registry.nearest(reduction, known)}",
                            f"use None or one of {', '.join(map(repr, known))}")  # fmt: skip
    return reduction


def reduce_weighted_values(values, sample_weight=None, mask=None, reduction="sum_over_batch_size", dtype=None,
                           name="loss"):  # fmt: skip
    """values (...) -> () by the reduction, or (...) if there is none.

    Args:
        values: the losses of the examples, tokens or pixels.
        sample_weight: factors, of the shape of values or of their first axes; see `fit`.
        mask: which values count, of such a shape too; others are 0, and no mean counts them.
        reduction: see `Loss`.
        dtype: the dtype of the result; by default that of values.
        name: for messages.

    Raises:
        ShapeError: if the weights or the mask do not fit.
    """
    values = convert_to_tensor(values, dtype)
    if sample_weight is None and mask is None:
        if not values.ndim or reduction is None or reduction == "none":
            return values
        return mean(values) if reduction != "sum" and values.size else sum(values)
    shape, counted, weights = values.shape, values.size, None
    if mask is not None:
        mask = fit(name, "the mask", convert_to_tensor(mask, "bool"), shape)
        values = where(mask, values, 0)
        weights = mask.astype(values.dtype)
        counted = sum(weights) * (values.size / max(mask.size, 1))
    if sample_weight is not None:
        sample_weight = fit(name, "sample_weight", convert_to_tensor(sample_weight, values.dtype), shape)
        values = values * sample_weight
        weights = sample_weight if weights is None else weights * sample_weight
    if not shape or reduction is None or reduction == "none":
        return values
    if reduction == "sum":
        return sum(values)
    if reduction == "mean_with_sample_weight":
        counted = sum(weights) * (values.size / max(weights.size, 1))
    return divide_no_nan(sum(values), counted)


# -- the base classes -----------------------------------------------------------------------------


class Loss:
    """y_true, y_pred -> (). Base class of losses: subclasses write `call`, which gives a loss for each example.

    A loss is a plain object for own loops as for `compile`: under a `GradientTape` its result has a gradient.

    Args:
        name: a name; by default that of the class.
        reduction: what becomes of the values of `call`: ``"sum_over_batch_size"`` or ``"mean"`` (their weighted sum,
            divided by how many there are), ``"mean_with_sample_weight"`` (divided by the sum of their weights), ``"sum"``,
            or None or ``"none"``, which leaves them as they are.
        dtype: the dtype in which to compute, or a policy; by default floatx, whatever the model computes in.

    Raises:
        ArgumentError: for an unknown reduction.

    Example:
        >>> class Cubic(edl.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return edl.mean(edl.abs(y_true - y_pred) ** 3, axis=-1)
        >>> Cubic()([[1.0], [2.0]], [[2.0], [4.0]])
        Tensor(shape=(), dtype=float32, 4.5)
        >>> Cubic()([[1.0], [2.0]], [[2.0], [4.0]], sample_weight=[1.0, 0.0])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    # Whether labels are class numbers, which stay as they are: no float is needed to hold them.
    _keeps_labels = False

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        self.name = name or auto_name(snake_case(type(self).__name__))
        self.reduction = standardize_reduction(reduction, type(self).__name__)
        self._dtype = None if dtype is None else dtypes.standardize(policy.get(dtype).compute_dtype)

    @property
    def dtype(self):
        """The name of the dtype in which the loss computes."""
        return dtypes.floatx() if self._dtype is None else self._dtype.name

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss of predictions.

        Args:
            y_true: the truth: a tensor, an array, a list, or a structure of tensors if `call` takes one.
            y_pred: the predictions; values that their mask, if a layer left one, leaves out do not count.
            sample_weight: factors, of the shape of the values of `call` or of their first axes: (batch,).

        Raises:
            ShapeError: if shapes do not fit.
        """
        dtype = dtypes.standardize(self._dtype)
        mask = mask_of(y_pred)
        call = calls.converted(self.call)
        values = call(y_true if self._keeps_labels else as_dtype(y_true, dtype), as_dtype(y_pred, dtype))
        found = mask_of(values)
        if found is not None:
            mask = found if mask is None else mask & found
        return reduce_weighted_values(values, sample_weight, mask, self.reduction, dtype, self.name)

    def call(self, y_true, y_pred):
        """y_true, y_pred -> the loss of each example: what subclasses write."""
        raise MissingNameError(type(self).__name__, "a loss needs a method call(self, y_true, y_pred)", "it has none",
                               "write it; it returns one loss per example")  # fmt: skip

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        config = {"name": self.name, "reduction": self.reduction}
        return config if self._dtype is None else {**config, "dtype": self._dtype.name}

    @classmethod
    def from_config(cls, config):
        """The loss of a config."""
        return cls(**config)

    def __repr__(self):
        shown = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items() if key != "fn")
        return f"{type(self).__name__}({shown})"


def as_dtype(x, dtype):
    """A tensor of `dtype`; in a structure that holds tensors or arrays each of them."""
    if x.__class__ is Tensor:
        return x if x.dtype == dtype else convert_to_tensor(x, dtype)
    if isinstance(x, dict):
        return {key: as_dtype(value, dtype) for key, value in x.items()}
    if isinstance(x, list | tuple) and any(isinstance(one, Tensor | np.ndarray | dict) for one in x):
        return type(x)([as_dtype(one, dtype) for one in x])
    return convert_to_tensor(x, dtype)


class LossFunctionWrapper(Loss):
    """y_true, y_pred -> (). A function of y_true and y_pred as a loss, with reduction and weights.

    Args:
        fn: the function; a last axis of 1 that only one of its arguments has is dropped, or added to a vector.
        reduction, name, dtype: see `Loss`.
        kwargs: further arguments of the function.
    """

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None, **kwargs):
        super().__init__(name, reduction, dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true, y_pred):
        """What the function says of y_true and y_pred."""
        if isinstance(y_true, Tensor) and isinstance(y_pred, Tensor):
            y_true, y_pred = align_ranks(y_true, y_pred)
        return calls.converted(self.fn)(y_true, y_pred, **self._fn_kwargs)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "fn": registry.serialize_keras_object(self.fn),
                **registry.serialize_keras_object(self._fn_kwargs)}  # fmt: skip

    @classmethod
    def from_config(cls, config):
        """The loss of a config."""
        return cls(**(registry.deserialize_keras_object(config) if "fn" in config else config))


class FunctionLoss(LossFunctionWrapper):
    """A loss of this package: its function checks and aligns shapes by itself, and its arguments are attributes."""

    # Arguments that Keras' configs lack, with their defaults: they enter ours if they have another value.
    _quiet: ClassVar[dict] = {}

    def __init__(self, fn, reduction, name, dtype, **kwargs):
        super().__init__(fn, reduction, name, dtype, **kwargs)
        vars(self).update(kwargs)

    def call(self, y_true, y_pred):
        """The loss of each example."""
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        shown = {
            key: value for key, value in self._fn_kwargs.items() if key not in self._quiet or self._quiet[key] != value
        }
        return {**Loss.get_config(self), **shown}
