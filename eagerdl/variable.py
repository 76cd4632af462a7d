"""`Variable`: a tensor whose value can be assigned."""

import weakref
from typing import Any

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.errors import DTypeError, ImmutableError, ShapeError
from eagerdl.tensor import Tensor, batches, from_array, refuse_in_batch, to_array


class Variable(Tensor):
    """A tensor whose value can be assigned; tapes watch it by themselves if it is trainable.

    Args:
        initializer: the initial value, or a function ``(shape, dtype) -> value`` together with `shape`.
        shape: the shape for an initializer function; None takes that of the value.
        dtype: the dtype; None takes that of the value, floatx for an initializer function.
        trainable: whether tapes watch it and optimizers change it.
        autocast: whether layers of a lower compute dtype may cast it.
        aggregation: how replicas are combined: "none", "mean", "sum" or "only_first_replica".
        synchronization: how replicas are synchronised; kept for configuration only.
        name: a name for messages and checkpoints.
        layout: kept for configuration only.
        constraint: a function applied to the value by optimizers after an update.

    Raises:
        DTypeError: if the value cannot become a tensor.
        ShapeError: if `shape` is given and the value has another.

    Example:
        >>> v = edl.Variable([1.0, 2.0], name="v")
        >>> v.assign_add([1.0, 1.0])
        Variable(name=v, shape=(2,), dtype=float32, [2. 3.])
    """

    __slots__ = (
        "_initial",
        "_now",
        "_path",
        "_pin",
        "aggregation",
        "autocast",
        "constraint",
        "layout",
        "learning_rate_multiplier",
        "name",
        "regularizer",
        "synchronization",
        "trainable",
    )

    # Installed by `autograd`: makes the leaf by which tapes know a variable.
    _new_leaf: Any = None

    def __init__(self, initializer, shape=None, dtype=None, trainable=True, autocast=True, aggregation="none",
                 synchronization="auto", name=None, layout=None, *, constraint=None):  # fmt: skip
        if callable(initializer) and not isinstance(initializer, Tensor):
            if shape is None:
                value = initializer()
            else:
                value = initializer(tuple(shape), dtype=dtypes.standardize(dtype))
        else:
            value = initializer
        self._array = to_array(value, dtype, copy=True, where="Variable")
        if shape is not None and tuple(shape) != self._array.shape:
            raise ShapeError("Variable", f"the value must have shape {tuple(shape)}", f"it has {self._array.shape}",
                             "leave shape out, or reshape the value")  # fmt: skip
        self._pin = None  # the memory in which compiled functions update it, once there are any
        self._now = None  # what tapes keep of the value, until it is assigned
        self._initial = weakref.ref(self._array)  # to tell whether something has been assigned since
        self.name = name or "variable"
        self.trainable = trainable
        self.autocast, self.aggregation, self.synchronization = autocast, aggregation, synchronization
        self.layout, self.constraint = layout, constraint
        self.regularizer = self.learning_rate_multiplier = self._path = None
        self._node = Variable._new_leaf(self)

    @property
    def value(self):
        """The value now, as a tensor that later assignments do not change."""
        return from_array(self._array, self._node)

    def read_value(self):
        """The value now, as a tensor that later assignments do not change."""
        return self.value

    @property
    def path(self):
        """The names from the outermost layer down to this variable; its own name where no layer made it."""
        return self._path or self.name

    def ref(self):
        """A hashable handle whose ``deref()`` is this variable, for dictionaries as in TF."""
        return Reference(self)

    def get_shape(self):
        """The shape, as TF spells it."""
        return self.shape

    def assign(self, value, *, read_value=True):
        """Replaces the value; returns the variable.

        Args:
            value: same shape, cast to the variable's dtype.

        Raises:
            ShapeError: if the shape differs.
            DTypeError: if the value cannot become a tensor, or is complex where the variable is real.
        """
        if batches:
            refuse_in_batch("assign")
        array = value._array if isinstance(value, Tensor) else to_array(value, where=f"{self.name}.assign")
        if array.shape != self._array.shape:
            raise ShapeError(f"{self.name}.assign", f"the value must have shape {self._array.shape}", f"got {array.shape}",
                             "reshape it, or make a new Variable")  # fmt: skip
        if array.dtype != self._array.dtype:
            if array.dtype.kind == "c" and self.dtype.kind != "c":
                raise DTypeError(f"{self.name}.assign", f"a real value is needed for {self.dtype}", f"got {array.dtype}",
                                 "use edl.real(value)")  # fmt: skip
            array = array.astype(self._array.dtype)
        elif not isinstance(value, Tensor):
            array = array.copy()
        self._array, self._now = devices.move(array, self.device), None
        return self

    def assign_add(self, value, *, read_value=True):
        """Adds `value`, of a shape that broadcasts to the variable's; returns the variable."""
        return self._update("assign_add", np.add, value)

    def assign_sub(self, value, *, read_value=True):
        """Subtracts `value`, of a shape that broadcasts to the variable's; returns the variable."""
        return self._update("assign_sub", np.subtract, value)

    def _update(self, where, ufunc, value):
        if batches:
            refuse_in_batch(where)
        array = value._array if isinstance(value, Tensor) else to_array(value, where=f"{self.name}.{where}")
        mine = self._array
        if array.dtype != mine.dtype:
            if dtypes.promote(array.dtype, mine.dtype) != mine.dtype and isinstance(value, Tensor | np.ndarray):
                if dtypes.is_inexact(array.dtype) and not dtypes.is_inexact(mine.dtype):
                    raise DTypeError(f"{self.name}.{where}", f"a value of the variable's dtype {mine.dtype} is needed",
                                     f"got {array.dtype}", f"use edl.cast(value, '{mine.dtype}')")  # fmt: skip
            array = array.astype(mine.dtype)
        try:
            out = ufunc(mine, devices.move(array, self.device))
        except ValueError:
            out = None
        if out is None or out.shape != mine.shape:
            raise ShapeError(f"{self.name}.{where}", f"the value must broadcast to {mine.shape}", f"got {array.shape}",
                             "reduce or reshape it")  # fmt: skip
        self._array, self._now = out if out.__class__ is mine.__class__ else np.asarray(out), None
        return self

    def _refuse_augmented(self, other):
        raise ImmutableError("Variable", "v += x would quietly rebind the name to a tensor", f"v is {self.name}",
                             "use v.assign_add(x) or v.assign_sub(x), or v = v + x if you want a tensor")  # fmt: skip

    __iadd__: Any = _refuse_augmented
    __isub__: Any = _refuse_augmented

    def __setitem__(self, key, value):
        raise ImmutableError("Variable", "v[key] = x is not how a variable is written", f"v is {self.name}",
                             "use v.assign(edl.scatter_update(v, indices, updates)) or v.assign(new_value)")  # fmt: skip

    def _describe(self):
        frozen = "" if self.trainable else ", trainable=False"
        return f"name={self.name}, {super()._describe()}{frozen}"

    def __copy__(self):
        return self.__deepcopy__({})

    def __deepcopy__(self, memo):
        return _rebuild_variable(*self.__reduce__()[1])

    def __reduce__(self):
        options = {"trainable": self.trainable, "autocast": self.autocast, "aggregation": self.aggregation,
                   "synchronization": self.synchronization, "name": self.name, "layout": self.layout,
                   "constraint": self.constraint}  # fmt: skip
        marks = {
            "regularizer": self.regularizer,
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "_path": self._path,
        }
        return _rebuild_variable, (type(self), devices.to_numpy(self._array), options, marks)


def _rebuild_variable(cls, array, options, marks):
    made = cls(array, **options)
    for name, value in marks.items():
        setattr(made, name, value)
    return made


class Reference:
    """A hashable handle of a variable, equal for the same variable."""

    __slots__ = ("_variable",)

    def __init__(self, variable):
        self._variable = variable

    def deref(self):
        """The variable."""
        return self._variable

    def __eq__(self, other):
        return isinstance(other, Reference) and self._variable is other._variable

    def __hash__(self):
        return id(self._variable)
