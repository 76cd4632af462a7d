"""`Tensor` and `TensorSpec`: values that know how they were computed.

A tensor holds one NumPy or CuPy array and, while a tape records, a node of the graph. No op is defined here: `ops`
installs operators and methods at import.
"""

import builtins
import contextlib
import contextvars
import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import array_of
from eagerdl.errors import (
    ArgumentError,
    DTypeError,
    ImmutableError,
    MissingNameError,
    NotBatched,
    ShapeError,
)

PRINT_THRESHOLD = 1000  # elements above which a repr summarises, as in NumPy

# Names that users of other frameworks reach for, and what to use here.
FOREIGN_ATTRIBUTES = {
    "requires_grad": "record with edl.GradientTape() and tape.watch(tensor); an edl.Variable is watched by itself",
    "requires_grad_": "record with edl.GradientTape() and tape.watch(tensor); an edl.Variable is watched by itself",
    "grad": "use tape.gradient(loss, tensor), or edl.grad(function)",
    "backward": "use tape.gradient(loss, variables) of an edl.GradientTape",
    "detach": "use edl.stop_gradient(tensor)",
    "cuda": "use tensor.to('gpu:0')",
    "cpu": "use tensor.to('cpu')",
    "numel": "use tensor.size",
    "dim": "use tensor.ndim",
    "view": "use tensor.reshape(shape), or edl.view(tensor, dtype) for the bits",
    "permute": "use tensor.transpose(axes)",
    "unsqueeze": "use edl.expand_dims(tensor, axis)",
    "float": "use tensor.astype('float32')",
    "double": "use tensor.astype('float64')",
    "long": "use tensor.astype('int64')",
    "int": "use tensor.astype('int32')",
    "type": "use tensor.astype(dtype)",
    "eval": "use tensor.numpy(): eagerdl runs eagerly, there are no sessions",
    "add_": "tensors are values: use x = x + y, or a Variable and assign_add",
    "sub_": "tensors are values: use x = x - y, or a Variable and assign_sub",
    "mul_": "tensors are values: use x = x * y, or a Variable and assign",
    "zero_": "tensors are values: use edl.zeros_like(x), or a Variable and assign",
    "copy_": "tensors are values: use a Variable and assign",
    "expand": "use edl.broadcast_to(tensor, shape)",
    "set_value": "use variable.assign(value)",
    "get_value": "use variable.numpy()",
    "at": "tensors are values: use edl.scatter_update(x, indices, updates)",
}  # fmt: skip


class Tensor:
    """A value: an array of one dtype on one device, which never changes.

    Tensors come from `edl.constant`, `edl.convert_to_tensor`, creation functions and ops. They take part in
    NumPy's protocols: ``np.asarray(t)`` is a read-only view, ``array * t`` is a tensor that keeps the gradient.

    Args:
        value: anything that `edl.constant` takes; it is copied.
        dtype: the dtype to convert to; by default that of `value`, with Python floats as floatx.

    Example:
        >>> x = edl.constant([[1.0, 2.0], [3.0, 4.0]])
        >>> x @ x
        Tensor(shape=(2, 2), dtype=float32,
        [[ 7. 10.]
         [15. 22.]])
    """

    __slots__ = ("__weakref__", "_array", "_mask", "_node")  # _mask: set by layers that mask, else unset
    __array_priority__ = 100.0

    # Installed by `ops`: how a list that holds tensors becomes one tensor, ufuncs and NumPy functions as ops.
    _pack: Any = None
    _batch: Any = None
    _unbatch: Any = None
    # How a subclass that stands for something else than one array runs an op: a function (primitive, inputs, params).
    _run: Any = None
    # The class of Python numbers whose weak dtype a subclass has, that stands for a Python number.
    _weak: Any = None
    # How a symbolic tensor takes over a function made of several ops: a function (function, args, named).
    _call: Any = None
    _ufuncs: ClassVar[dict] = {}
    _functions: ClassVar[dict] = {}

    if TYPE_CHECKING:
        __add__: Any
        __radd__: Any
        __sub__: Any
        __rsub__: Any
        __mul__: Any
        __rmul__: Any
        __truediv__: Any
        __rtruediv__: Any
        __floordiv__: Any
        __rfloordiv__: Any
        __mod__: Any
        __rmod__: Any
        __pow__: Any
        __rpow__: Any
        __matmul__: Any
        __rmatmul__: Any
        __and__: Any
        __or__: Any
        __xor__: Any
        __lshift__: Any
        __rshift__: Any
        __lt__: Any
        __le__: Any
        __gt__: Any
        __ge__: Any
        __neg__: Any
        __pos__: Any
        __abs__: Any
        __invert__: Any
        __getitem__: Any
        __iter__: Any
        T: Any
        mT: Any
        real: Any
        imag: Any
        astype: Any
        reshape: Any
        sum: Any

    def __init__(self, value, dtype=None):
        self._array = to_array(value, dtype, copy=True)
        self._node = None

    # -- metadata -------------------------------------------------------------------------------

    @property
    def shape(self):
        """The sizes of the axes, a tuple of ints."""
        return self._array.shape

    @property
    def ndim(self):
        """How many axes there are."""
        return self._array.ndim

    @property
    def dtype(self):
        """The dtype, a NumPy dtype object, equal to its name: ``x.dtype == 'float32'``."""
        return self._array.dtype

    @property
    def size(self):
        """How many elements there are."""
        return self._array.size

    @property
    def nbytes(self):
        """How many bytes the elements take."""
        return self._array.nbytes

    @property
    def itemsize(self):
        """How many bytes one element takes."""
        return self._array.itemsize

    @property
    def device(self):
        """Where the elements live: ``cpu:0`` or ``gpu:N``."""
        return devices.device_of(self._array)

    def __len__(self):
        if self._array.ndim == 0:
            raise DTypeError("len", "an axis to count is needed", "a tensor of shape () has none", "use x.size")
        return self._array.shape[0]

    # -- values ---------------------------------------------------------------------------------

    def numpy(self):
        """A new NumPy array with the values, yours to change."""
        return np.array(devices.to_numpy(self._array))

    def tolist(self):
        """The values as nested Python lists, or a scalar for shape ()."""
        return devices.to_numpy(self._array).tolist()

    def item(self, *args):
        """The only element as a Python scalar.

        Raises:
            ShapeError: if there is more than one element.
        """
        if not args and self._array.size != 1:
            raise ShapeError("item", "exactly one element is needed", f"x has shape {self.shape}",
                             "index it first, as in x[0], or use x.numpy()")  # fmt: skip
        return self._array.item(*args)

    def _scalar(self, where):
        if self._array.ndim != 0 and self._array.size != 1:
            raise ShapeError(where, "one element is needed", f"x has shape {self.shape}",
                             "reduce it with edl.sum, edl.any or edl.all, or index it")  # fmt: skip
        return self._array.item()

    def __bool__(self):
        return builtins.bool(self._scalar("bool"))

    def __float__(self):
        return float(self._scalar("float"))

    def __int__(self):
        return int(self._scalar("int"))

    def __complex__(self):
        return complex(self._scalar("complex"))

    def __index__(self):
        if not dtypes.is_integer(self.dtype) or self.ndim != 0:
            raise DTypeError("index", "an integer tensor of shape () is needed where Python wants an int",
                             f"got dtype {self.dtype}, shape {self.shape}", "use int(x)")  # fmt: skip
        return int(self._array)

    def __hash__(self):
        return id(self)

    def __contains__(self, value):
        return builtins.bool((self._array == to_array(value)).any())

    # -- printing -------------------------------------------------------------------------------

    def __repr__(self):
        return f"{type(self).__name__}({self._describe()},{_values(self._array)})"

    def _describe(self):
        where = "" if self.device == devices.CPU else f", device={self.device}"
        return f"shape={self.shape}, dtype={self.dtype}{where}"

    def __str__(self):
        return _values(self._array).lstrip()

    def __format__(self, spec):
        return format(self._array.item(), spec) if spec and self._array.size == 1 else format(str(self), spec)

    # -- protocols ------------------------------------------------------------------------------

    def __array__(self, dtype=None, copy=None):
        array = devices.to_numpy(self._array)
        if copy or (dtype is not None and np.dtype(dtype) != array.dtype):
            if copy is False:
                raise ArgumentError(
                    "__array__", f"dtype {dtype} needs a copy", f"x has dtype {self.dtype}", "drop copy=False"
                )
            return np.array(array, dtype=dtype)
        view = array.view()
        view.flags.writeable = False
        return view

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        op = Tensor._ufuncs.get(ufunc)
        if op is not None and method == "__call__" and out is None and not kwargs:
            return op(*inputs)
        return self._on_arrays(
            ufunc.__name__, getattr(ufunc, method), inputs, {**kwargs, **({"out": out} if out else {})}
        )

    def __array_function__(self, func, types, args, kwargs):
        op = Tensor._functions.get(func.__name__)
        if op is not None and not any(value is not None for value in (kwargs.get("out"), kwargs.get("where"))):
            return op(*args, **{name: value for name, value in kwargs.items() if name not in ("out", "where")})
        return self._on_arrays(func.__name__, func, args, kwargs)

    def _on_arrays(self, where, func, args, kwargs):
        """`func` of NumPy on the plain arrays, for what has no op here; refused where it would lose a gradient."""

        def plain(value):
            if isinstance(value, Tensor):
                if value._node is not None and value._node.is_watched():
                    raise DTypeError(where, "NumPy's own function would lose the gradient of a tensor on a tape",
                                     f"a tensor of shape {value.shape} came", "use the op of eagerdl, or x.numpy()")  # fmt: skip
                return value.__array__()
            if isinstance(value, list | tuple):
                return type(value)(map(plain, value))
            return value

        return func(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})

    def __array_namespace__(self, *, api_version=None):
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ArgumentError("__array_namespace__", "a version of the array API standard is needed",
                                f"got {api_version!r}", "use '2024.12'")  # fmt: skip
        return sys.modules["eagerdl"]

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        array = self._array
        if array.dtype == dtypes.bfloat16:
            raise DTypeError(
                "dlpack", "NumPy cannot export bfloat16", f"x has shape {self.shape}", "use x.astype('float32')"
            )
        if devices.device_of(array).kind == "gpu":
            return array.__dlpack__(stream=stream)
        return array.__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()

    @property
    def __cuda_array_interface__(self):
        if self.device.kind == "cpu":
            raise MissingNameError("tensor", "__cuda_array_interface__ exists on the GPU only", f"x lives on {self.device}",
                             "use x.to('gpu:0')")  # fmt: skip
        return self._array.__cuda_array_interface__

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return from_array, (devices.to_numpy(self._array),)

    # -- what tensors do not do -----------------------------------------------------------------

    def __setitem__(self, key, value):
        raise ImmutableError("setitem", "tensors are values and cannot be written into", f"x has shape {self.shape}",
                             "use edl.scatter_update or edl.where for a new tensor, or a Variable and assign")  # fmt: skip

    def __delitem__(self, key):
        raise ImmutableError("delitem", "tensors are values and keep their elements", f"x has shape {self.shape}",
                             "index what you want to keep")  # fmt: skip

    def __dir__(self):
        return [name for name in object.__dir__(self) if name not in FOREIGN_ATTRIBUTES]


symbols = []  # not empty once a symbolic tensor was made
batches = []  # one entry per function that runs for a whole batch at once, in any thread
_in_batch = contextvars.ContextVar("eagerdl_in_batch", default=False)


def refuse_in_batch(where):
    """Refuses what would happen once for a batch, although the function's user means once for each example."""
    if _in_batch.get():
        raise NotBatched(
            where, "one run for a whole batch cannot do this once for each example", "", "loop over the batch"
        )


@contextlib.contextmanager
def whole_batch():
    """A context in which the current thread runs one function for a whole batch."""
    batches.append(None)
    token = _in_batch.set(True)
    try:
        yield
    finally:
        _in_batch.reset(token)
        batches.pop()


class ForeignAttribute:
    """A name of another framework on `Tensor`: asking for it answers with what to use here.

    Descriptors rather than a `__getattr__`, whose mere presence makes every attribute of a class slower to read.
    """

    __slots__ = ("advice", "name")

    def __init__(self, name, advice):
        self.name, self.advice = name, advice

    def __get__(self, tensor, owner):
        raise MissingNameError(owner.__name__, f"there is no attribute {self.name!r}", "", self.advice)


for _name, _advice in FOREIGN_ATTRIBUTES.items():
    setattr(Tensor, _name, ForeignAttribute(_name, _advice))


new_tensor = functools.partial(object.__new__, Tensor)


def from_array(array, node=None):
    """A tensor that holds `array` itself, without a copy: for ops, whose results nobody else writes into."""
    out = new_tensor()
    out._array = array
    out._node = node
    return out


def _values(array):
    """The elements as NumPy prints them, in brackets that begin a new line for matrices; short for huge arrays."""
    if array.size <= PRINT_THRESHOLD or (array.ndim <= 4 and isinstance(array, np.ndarray)):
        shown = np.array2string(devices.to_numpy(array), threshold=PRINT_THRESHOLD, separator=" ")
    else:
        head = np.array2string(
            devices.to_numpy(array.ravel()[:6] if array.ndim == 1 else _first(array, 6)), separator=" "
        )
        shown = head[:-1] + " ...]"
    return ("\n" if "\n" in shown else " ") + shown


def _first(array, count):
    """The first elements in row order, without touching the rest of `array`."""
    while array.ndim > 1:
        array = array[0] if array.shape[-1] >= count or array.ndim > 2 else array.reshape(-1)
    return array[:count]


# -- conversion ---------------------------------------------------------------------------------


def to_array(value, dtype=None, copy=False, where="convert_to_tensor"):
    """`value` as an array of the current device.

    Arrays keep their dtype; Python ints become int32, floats floatx. Arrays are aliased unless `copy`.

    Raises:
        DTypeError: for strings, None, objects and dtypes that tensors cannot hold.
        ShapeError: for ragged lists.
        ArgumentError: for integers that do not fit.
    """
    if dtype is not None:
        dtype = dtypes.standardize(dtype, where)
    array = value._array if isinstance(value, Tensor) else array_of(value, dtype, where)
    target = devices.current()
    if devices.device_of(array) != target and not isinstance(value, Tensor):
        array = devices.move(array, target)
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return array.copy() if copy else array


def holds_tensor(value):
    """True if nested lists or tuples hold a tensor somewhere."""
    if isinstance(value, list | tuple):
        return any(map(holds_tensor, value))
    return isinstance(value, Tensor)


class TensorSpec:
    """What is known of a tensor before it has a value: shape (None for an unknown size), dtype and name.

    Args:
        shape: a tuple of ints and Nones, or None for an unknown rank.
        dtype: its dtype.
        name: a name for messages.

    Example:
        >>> edl.TensorSpec((None, 3), "int32", name="ids").is_compatible_with(edl.zeros((5, 3), "int32"))
        True
    """

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, shape, dtype="float32", name=None):
        self.shape = None if shape is None else tuple(shape)
        self.dtype = dtypes.standardize(dtype, "TensorSpec")
        self.name = name

    @classmethod
    def from_tensor(cls, tensor, name=None):
        """The spec of `tensor`."""
        return cls(tensor.shape, tensor.dtype, name)

    @property
    def ndim(self):
        """How many axes, None if unknown."""
        return None if self.shape is None else len(self.shape)

    def is_compatible_with(self, other):
        """True if a tensor, or every tensor of another spec, fits this one."""
        if self.dtype != other.dtype:
            return False
        if self.shape is None or other.shape is None:
            return True
        return len(self.shape) == len(other.shape) and all(
            mine is None or theirs is None or mine == theirs
            for mine, theirs in zip(self.shape, other.shape, strict=True)
        )

    def __eq__(self, other):
        return isinstance(other, TensorSpec) and (self.shape, self.dtype, self.name) == (
            other.shape,
            other.dtype,
            other.name,
        )

    def __hash__(self):
        return hash((self.shape, self.dtype, self.name))

    def __repr__(self):
        named = f", name={self.name!r}" if self.name else ""
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype}{named})"
