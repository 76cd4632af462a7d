"""Installs on `Variable` what TF's variables do at computed places: scatter_add, scatter_nd_update, gather_nd, ...

All of them write a new value by `assign`, so tensors read before keep theirs. They return the variable.
"""

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.errors import ArgumentError, DTypeError, ShapeError, TapeError
from eagerdl.ops.arithmetic import divide, negative
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import as_indices, take
from eagerdl.ops.scatter import gather_nd, scatter_update
from eagerdl.ops.shape import reshape
from eagerdl.tensor import from_array
from eagerdl.variable import Variable

__all__: list[str] = []


def _delta(variable, where, sparse_delta, updates):
    """Indices (m...) of rows and their updates, from an object with `.indices` and `.values`, or from two arguments."""
    if updates is None:
        if not (hasattr(sparse_delta, "indices") and hasattr(sparse_delta, "values")):
            raise ArgumentError(where, "an object with .indices and .values, or indices and updates, are needed",
                                f"got {type(sparse_delta).__name__}",
                                    "call it as v.scatter_add(indices, updates)")  # fmt: skip
        sparse_delta, updates = sparse_delta.indices, sparse_delta.values
    if not variable.ndim:
        raise ShapeError(
            where, "a variable of at least one axis is needed", "it has shape ()", "use assign for a scalar"
        )
    return as_indices(where, sparse_delta), convert_to_tensor(updates)


def _plain(x):
    """A tensor without its place on a tape: writing a variable is not recorded."""
    return from_array(x._array)


def _write(variable, where, indices, updates, reduction):
    """Combines `updates` into the variable at multi-indices (m..., k)."""
    updates = _plain(updates)
    if dtypes.is_inexact(updates.dtype) and not dtypes.is_inexact(variable.dtype):
        raise DTypeError(where, f"updates of the variable's dtype {variable.dtype} are needed", f"got {updates.dtype}",
                            f"use edl.cast(updates, '{variable.dtype}')")  # fmt: skip
    try:
        if reduction == "div":
            value = _divided(_plain(variable), indices, updates)
        else:
            value = scatter_update(_plain(variable), indices, updates, reduction)
    except (ShapeError, IndexError) as error:
        raise type(error)(where, *error.args[1:]) from None
    return variable.assign(value)


def _divided(value, indices, updates):
    """The value divided by all the updates of each place; integers are rounded toward zero."""
    ones = from_array(np.ones_like(value._array))
    divisor = scatter_update(ones, indices, updates, "mul")
    if dtypes.is_inexact(value.dtype):
        return divide(value, divisor)
    return divide(value.astype("float64"), divisor.astype("float64")).astype(value.dtype)


def _rows(name, reduction, what, sign=None):
    """A method that combines updates into rows of the variable."""

    def method(self, sparse_delta, updates=None, use_locking=False, name=None):
        where = f"{self.name}.{method.__name__}"
        indices, values = _delta(self, where, sparse_delta, updates)
        return _write(
            self, where, reshape(indices, (*indices.shape, 1)), values if sign is None else sign(values), reduction
        )

    method.__name__ = name
    method.__qualname__ = f"Variable.{name}"
    method.__doc__ = f"""{what} the rows (slices along axis 0) at the indices; returns the variable.

    Args:
        sparse_delta: an object with `.indices` (m...) and `.values` (m..., the other axes), or the indices alone.
        updates: the values, where `sparse_delta` is the indices.
        use_locking, name: accepted for TF's sake.

    Raises:
        RangeError: if an index is out of bounds.
        ShapeError: if the shapes do not fit.
    """
    return method


def _elements(name, reduction, what, sign=None):
    """A method that combines updates into the variable at multi-indices."""

    def method(self, indices, updates, name=None):
        where = f"{self.name}.{method.__name__}"
        values = convert_to_tensor(updates)
        return _write(self, where, as_indices(where, indices), values if sign is None else sign(values), reduction)

    method.__name__ = name
    method.__qualname__ = f"Variable.{name}"
    method.__doc__ = f"""{what} what stands at multi-indices; returns the variable.

    Args:
        indices: (m..., k), indices into the first k axes.
        updates: (m..., the axes left of the variable).
        name: accepted for TF's sake.

    Raises:
        RangeError: if an index is out of bounds.
        ShapeError: if the shapes do not fit.
    """
    return method


def _batch_scatter_update(self, sparse_delta, updates=None, use_locking=False, name=None):
    """Replaces rows in each batch: along the last axis of the indices, with all axes before it as batch axes.

    Args:
        sparse_delta: an object with `.indices` (b..., m) and `.values` (b..., m, the other axes), or the indices alone.
        updates: the values, where `sparse_delta` is the indices.
        use_locking, name: accepted for TF's sake.

    Raises:
        RangeError: if an index is out of bounds.
        ShapeError: if the batch axes of the indices are not those of the variable.
    """
    where = f"{self.name}.batch_scatter_update"
    indices, values = _delta(self, where, sparse_delta, updates)
    batch = indices.shape[:-1]
    if not indices.ndim or self.shape[: len(batch)] != batch:
        raise ShapeError(where, "the axes of indices but the last must be the first ones of the variable",
                         f"variable {self.shape}, indices {indices.shape}",
                             "use scatter_update without batches")  # fmt: skip
    xp = devices.module_of(indices._array)
    grid = xp.stack([*xp.indices(indices.shape)[:-1], indices._array], axis=-1)
    return _write(self, where, from_array(grid), values, None)


def _gather_nd(self, indices, name=None):
    """The elements at multi-indices (m..., k) -> (m..., the axes left). Differentiable."""
    return gather_nd(self.value, indices)


def _sparse_read(self, indices, name=None):
    """The rows (slices along axis 0) at the indices (m...) -> (m..., the other axes). Differentiable."""
    return take(self, indices, axis=0)


def _set_shape(self, shape):
    """Checks that the variable has the shape, in which None stands for any size.

    Raises:
        ShapeError: if it does not.
    """
    if shape is not None:
        shape = tuple(shape)
        if len(shape) != self.ndim or any(
            want not in (None, have) for want, have in zip(shape, self.shape, strict=True)
        ):
            raise ShapeError(f"{self.name}.set_shape", f"the variable has shape {self.shape}", f"got {shape}",
                             "use None for sizes that do not matter, or make a new Variable")  # fmt: skip


@property
def _initial_value(self):
    """The value that the variable was made with, as long as nothing else has been assigned.

    Raises:
        TapeError: after an assignment; keeping all initial values would cost as much memory as the variables.
    """
    if self._initial() is not self._array:
        raise TapeError(f"{self.name}.initial_value", "the initial value is kept until the first assignment",
                        "the variable has been assigned", "keep it yourself, as in start = v.read_value()")  # fmt: skip
    return from_array(self._array)


@property
def _op(self):
    """What made the variable in a graph.

    Raises:
        TapeError: always, as in TF's eager mode.
    """
    raise TapeError(f"{self.name}.op", "a variable comes from no op of a graph", "eagerdl runs eagerly",
                    "use v.name, or edl.function(f).graph() for the ops of a function")  # fmt: skip


for _method in (
    _rows("scatter_add", "add", "Adds updates to"), _rows("scatter_sub", "add", "Subtracts updates from", negative),
    _rows("scatter_update", None, "Replaces"), _rows("scatter_mul", "mul", "Multiplies by updates"),
    _rows("scatter_div", "div", "Divides by updates"), _rows("scatter_max", "max", "Takes the larger of updates and"),
    _rows("scatter_min", "min", "Takes the smaller of updates and"),
    _elements("scatter_nd_add", "add", "Adds updates to"), _elements("scatter_nd_sub", "add", "Subtracts updates from",
        negative),
    _elements("scatter_nd_update", None, "Replaces"), _elements("scatter_nd_max", "max",
        "Takes the larger of updates and"),
    _elements("scatter_nd_min", "min", "Takes the smaller of updates and"),
):  # fmt: skip
    setattr(Variable, _method.__name__, _method)

Variable.batch_scatter_update, Variable.gather_nd, Variable.sparse_read = (
    _batch_scatter_update,
    _gather_nd,
    _sparse_read,
)
Variable.set_shape, Variable.initial_value, Variable.op = _set_shape, _initial_value, _op
