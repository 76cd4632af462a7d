"""`InputSpec`: what a layer requires of its inputs, checked before each call."""

from eagerdl import dtypes
from eagerdl.errors import DTypeError, ShapeError
from eagerdl.tree import flatten

__all__ = ["InputSpec"]


class InputSpec:
    """The rank, dtype, shape and sizes of axes that a layer requires of one input.

    Args:
        dtype: the dtype, None for any.
        shape: the shape with the batch axis; None fits any size.
        ndim, max_ndim, min_ndim: the rank, or its bounds.
        axes: a dict axis -> size.
        allow_last_axis_squeeze: whether a last axis of size 1 may be there or not.
        name: the key of this input where inputs are a dict.
        optional: whether None may come.

    Example:
        >>> edl.layers.InputSpec(min_ndim=2, axes={-1: 4})
        InputSpec(min_ndim=2, axes={-1: 4})
    """

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None,
                 allow_last_axis_squeeze=False, name=None, optional=False):  # fmt: skip
        self.dtype = None if dtype is None else dtypes.standardize(dtype, "InputSpec").name
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional

    def get_config(self):
        """The arguments."""
        return {"dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim,
                "min_ndim": self.min_ndim, "axes": self.axes}  # fmt: skip

    @classmethod
    def from_config(cls, config):
        """The spec of a config."""
        return cls(**config)

    def __repr__(self):
        given = {name: value for name, value in self.get_config().items() if value not in (None, {})}
        return f"InputSpec({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def check(self, where, x):
        """Raises if `x`, which has shape and dtype, does not fit."""
        shape = x.shape
        ndim = len(shape)
        if self.min_ndim is not None and ndim < self.min_ndim:
            _refuse_rank(where, f"at least {self.min_ndim} axes", shape)
        if self.max_ndim is not None and ndim > self.max_ndim:
            _refuse_rank(where, f"at most {self.max_ndim} axes", shape)
        expected = self.shape
        if expected is not None and self.allow_last_axis_squeeze and ndim != len(expected):
            if expected and expected[-1] == 1 and ndim == len(expected) - 1:
                expected = expected[:-1]
            elif shape and shape[-1] == 1 and ndim == len(expected) + 1:
                shape = shape[:-1]
                ndim -= 1
        rank = self.ndim if expected is None else len(expected)
        if rank is not None and ndim != rank:
            _refuse_rank(where, f"{rank} axes" + ("" if expected is None else f", as {expected}"), shape)
        if self.dtype is not None and dtypes.standardize(x.dtype).name != self.dtype:
            raise DTypeError(where, f"input of dtype {self.dtype} is needed", f"got {x.dtype}, shape {shape}",
                             f"use edl.cast(x, {self.dtype!r})")  # fmt: skip
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                _refuse_size(where, axis, size, shape)
        for axis, size in enumerate(expected or ()):
            if size is not None and shape[axis] not in (size, None):
                _refuse_size(where, axis, size, shape)


def _refuse_rank(where, wanted, shape):
    raise ShapeError(where, f"input with {wanted} is needed", f"got shape {tuple(shape)}, which has {len(shape)}",
                     "add a batch axis with x[None], or reshape the input")  # fmt: skip


def _refuse_size(where, axis, size, shape):
    raise ShapeError(where, f"axis {axis} of the input must have size {size}, as when the layer was built",
                     f"got {shape[axis]} in shape {tuple(shape)}", "give input of that size, or make a new layer")  # fmt: skip


def check_inputs(where, spec, inputs):
    """Checks a layer's first argument against its `input_spec`: one spec, or a list or dict of them."""
    if isinstance(spec, InputSpec):
        if not isinstance(inputs, dict | list | tuple):
            if inputs is None:
                if spec.optional:
                    return
                raise ShapeError(where, "an input is needed", "got None", "pass a tensor")
            if hasattr(inputs, "shape"):
                spec.check(where, inputs)
            return
        specs = [spec]
    elif isinstance(spec, dict):
        if not isinstance(inputs, dict) or not set(spec) <= set(inputs):
            came = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
            raise ShapeError(
                where, f"a dict of inputs with the keys {sorted(spec)} is needed", f"got {came}", "pass all keys"
            )
        specs, inputs = list(spec.values()), [inputs[name] for name in spec]
    else:
        specs = flatten(spec)[0]
    leaves = flatten(inputs)[0]
    if len(leaves) != len(specs):
        raise ShapeError(where, f"{len(specs)} input{'s are' if len(specs) > 1 else ' is'} needed", f"got {len(leaves)}",
                         "pass one tensor for each input, in order")  # fmt: skip
    for one, x in zip(specs, leaves):
        if one is not None and x is not None and hasattr(x, "shape"):
            one.check(where, x)
