"""Installs operators and methods on `Tensor`: aliases of the ops themselves, so that they cost no extra call."""

import functools
import types

import numpy as np

from eagerdl.ops import (
    activation,
    arithmetic,
    arrangement,
    complex,
    conversion,
    cumulative,
    elementary,
    indexing,
    joining,
    linalg,
    logic,
    products,
    reduction,
    rounding,
    softmaxes,
    sorting,
    statistics,
)
from eagerdl.ops.shape import _reshape as to_shape
from eagerdl.ops.shape import broadcast_to, expand_dims, ravel, squeeze, stack, swapaxes, transpose
from eagerdl.tensor import Tensor, symbols


def reflected(op):
    """The operator for a tensor on the right: ``2.0 - x``."""

    def call(x2, x1):
        return op(x1, x2)

    call.__name__ = f"reflected_{op.__name__}"
    return call


def _equality(op, otherwise):
    """`==` and `!=`, which answer for things that are no tensors as Python does."""

    def call(x1, x2):
        if x2 is None or isinstance(x2, str | bytes | dict | set | type):
            return otherwise
        return op(x1, x2)

    return call


def _iterate(x):
    return iter([x[i] for i in range(len(x))])


def _reshape(x, *shape):
    return to_shape(x, shape[0] if len(shape) == 1 else shape)


def _transpose(x, *axes):
    return transpose(x, axes[0] if len(axes) == 1 else axes or None)


def _floor_and_rest(x1, x2):
    return rounding.floor_divide(x1, x2), rounding.mod(x1, x2)


BINARY = {
    "add": arithmetic.add, "sub": arithmetic.subtract, "mul": arithmetic.multiply, "truediv": arithmetic.divide,
    "floordiv": rounding.floor_divide, "mod": rounding.mod, "divmod": _floor_and_rest, "pow": elementary.power,
    "matmul": linalg.matmul, "and": logic.bitwise_and, "or": logic.bitwise_or, "xor": logic.bitwise_xor,
    "lshift": logic.left_shift, "rshift": logic.right_shift,
}  # fmt: skip

for _name, _op in BINARY.items():
    setattr(Tensor, f"__{_name}__", _op)
    setattr(Tensor, f"__r{_name}__", reflected(_op))

Tensor.__eq__ = _equality(arithmetic.equal, False)
Tensor.__ne__ = _equality(arithmetic.not_equal, True)
Tensor.__lt__, Tensor.__le__ = arithmetic.less, arithmetic.less_equal
Tensor.__gt__, Tensor.__ge__ = arithmetic.greater, arithmetic.greater_equal
Tensor.__neg__, Tensor.__abs__, Tensor.__invert__ = arithmetic.negative, arithmetic.absolute, logic.bitwise_not
Tensor.__pos__ = lambda x: x
Tensor.__round__ = lambda x, decimals=0: rounding.round(x, decimals)
Tensor.__getitem__ = indexing.get_item
Tensor.__iter__ = _iterate
Tensor._pack = staticmethod(stack)

METHODS = {
    "abs": arithmetic.absolute, "all": reduction.all, "any": reduction.any, "argmax": reduction.argmax,
    "argmin": reduction.argmin, "argsort": sorting.argsort, "astype": conversion.astype, "broadcast_to": broadcast_to,
    "clip": rounding.clip, "conj": arithmetic.conj, "copy": conversion.copy, "cumprod": cumulative.cumprod,
    "cumsum": cumulative.cumsum, "diagonal": arrangement.diagonal, "dot": products.dot, "exp": elementary.exp,
    "expand_dims": expand_dims, "flatten": ravel, "log": elementary.log, "max": reduction.max, "mean": reduction.mean,
    "min": reduction.min, "prod": reduction.prod, "ravel": ravel, "relu": activation.relu, "repeat": arrangement.repeat,
    "reshape": _reshape, "round": rounding.round, "sigmoid": activation.sigmoid, "sign": arithmetic.sign,
    "softmax": softmaxes.softmax, "sort": sorting.sort, "split": joining.split, "sqrt": elementary.sqrt,
    "square": arithmetic.square, "squeeze": squeeze, "std": statistics.std, "sum": reduction.sum, "swapaxes": swapaxes,
    "take": indexing.take, "tanh": elementary.tanh, "tile": arrangement.tile, "to": conversion.to,
    "to_device": conversion.to_device, "trace": arrangement.trace, "transpose": _transpose, "var": statistics.var,
}  # fmt: skip

Tensor.__radd__, Tensor.__rmul__ = arithmetic.add, arithmetic.multiply  # commutative, to the bit

for _name, _op in METHODS.items():
    setattr(Tensor, _name, _op)

Tensor.T = property(transpose, doc="The tensor with its axes reversed.")
Tensor.mT = property(linalg.matrix_transpose, doc="The tensor with its last two axes exchanged.")
Tensor.real = property(complex.real, doc="The real part.")
Tensor.imag = property(complex.imag, doc="The imaginary part.")


def open_to_symbols(function):
    """A function made of several ops, such that a symbolic tensor among its arguments takes the call over as a whole."""

    @functools.wraps(function)
    def call(*args, **named):
        if symbols:
            symbolic = _symbolic((*args, *named.values()))
            if symbolic is not None:
                return symbolic._call(function, args, named)
        return function(*args, **named)

    return call


def _symbolic(values):
    """The first symbolic tensor in nested lists, tuples and dicts."""
    for x in values:
        if isinstance(x, Tensor):
            if x._call is not None:
                return x
        elif isinstance(x, list | tuple | dict):
            found = _symbolic(x.values() if isinstance(x, dict) else x)
            if found is not None:
                return found
    return None


# They answer for symbolic tensors as for others, or run one op, which takes these itself.
OPEN = {"shape", "ndim", "dtype", "size", "is_tensor", "isdtype", "can_cast", "result_type", "reshape"}


def open_namespace(names):
    """Opens the functions among `names`, a dict, that are no primitives to symbolic tensors."""
    for name, function in [*names.items()]:
        plain = isinstance(function, types.FunctionType) and not hasattr(function, "primitive")
        if plain and not name.startswith("_") and name not in OPEN:
            names[name] = open_to_symbols(function)
            names[name].__module__ = names.get("__name__", function.__module__)  # where pickle finds it


def install_numpy_functions(ops):
    """Lets NumPy's own functions and ufuncs, given tensors, run the op of the same name and keep the gradient."""
    for name, op in ops.items():
        theirs = vars(np).get(name)  # asking for np.random or np.fft would load them
        if isinstance(theirs, np.ufunc):
            Tensor._ufuncs.setdefault(theirs, op)
        elif callable(op) and callable(theirs):
            Tensor._functions[name] = op
