"""`Traced`: an array under tracing. It computes, as NumPy would, and notes in a graph what was computed.

Ops call NumPy on whatever their tensors hold; a `Traced` in the place of an array answers through NumPy's protocols. It holds
the real array too, so that a traced function runs while it is traced: shapes, dtypes and the layout in memory are what they are,
never guessed. What depends on the elements themselves is refused, since the next call will have others.
"""

import functools
import importlib
import sys
import types

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from eagerdl.devices import StandIn, StandInOnCPU, is_on_gpu
from eagerdl.errors import TracingError
from eagerdl.jit.graph import CALL, ELEMENTWISE, REDUCE, VIEW, is_gufunc
from eagerdl.jit.running import current


class Traced(NDArrayOperatorsMixin, StandIn):
    """An array of a trace; `traced` makes one.

    Args:
        trace: the Trace that it belongs to.
        example: the array itself, for the call under way.
        value: its Value in the graph; another one after it was written into.
        writable: whether nobody else can see it, so that writing into it is computing a new one.
    """

    __slots__ = ("example", "trace", "value", "writable")
    traced = True
    __array_priority__ = 1000.0

    def __init__(self, trace, example, value, writable=False):
        self.trace, self.example, self.value, self.writable = trace, example, value, writable

    # -- what is known without elements ---------------------------------------------------------

    shape = property(lambda self: self.example.shape)
    dtype = property(lambda self: self.example.dtype)
    ndim = property(lambda self: self.example.ndim)
    size = property(lambda self: self.example.size)
    strides = property(lambda self: self.example.strides)
    itemsize = property(lambda self: self.example.itemsize)
    nbytes = property(lambda self: self.example.nbytes)
    flags = property(lambda self: self.example.flags)
    device = property(lambda self: self.example.device)

    def __len__(self):
        return len(self.example)

    def __iter__(self):
        return iter([self[i] for i in range(len(self.example))])

    def __repr__(self):
        return f"<traced {self.dtype}{list(self.shape)}>"

    # -- elements, which the next call will have others of ----------------------------------------

    def _refuse(self, *args, **named):
        raise TracingError.at(
            "a traced function runs once for many calls, so Python cannot look at the elements of its tensors",
            f"a tensor of shape {self.shape}, dtype {self.dtype} was asked for its value",
            "use ops instead: edl.where, edl.cond, edl.while_loop; edl.print shows values; "
            "edl.config.run_functions_eagerly(True) runs line by line",
        )

    __array__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = __contains__ = __hash__ = _refuse
    item = tolist = tobytes = sort = partition = fill = put = resize = tofile = dump = itemset = _refuse
    get = _refuse  # CuPy's way to the CPU
    flat = ctypes = data = __array_interface__ = property(_refuse)

    # -- NumPy's protocols ------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **named):
        if out is not None and (len(out) != 1 or method == "at"):
            self._refuse()
        if method == "reduce":
            axis = named.pop("axis", 0) if len(inputs) < 2 else inputs[1]
            names = ("dtype", "out", "keepdims", "initial", "where")
            named = {**dict(zip(names, inputs[2:], strict=False)), **named}
            target = named.pop("out", None)
            target = target[0] if isinstance(target, tuple) else target
            if out is not None:
                target = out[0]
            return self._into(target, reduce(ufunc, inputs[0], axis, **named))
        if method != "__call__":
            if method == "at":
                self._refuse()
            return self._into(out and out[0], call(getattr(ufunc, method), inputs, named))
        kind = ELEMENTWISE if ufunc.nout == 1 and not is_gufunc(ufunc) and not named else CALL
        result = call(ufunc, inputs, named, kind)
        return self._into(out[0], result) if out is not None else result

    def __array_function__(self, function, types, args, named):
        name = function.__name__
        if name in ABOUT:
            return function(*examples(args), **examples(named))
        if name in IMPURE:
            self._refuse()
        target = named.pop("out", None) if "out" in named else None
        if name == "where" and len(args) == 3:
            return call(function, args, named, ELEMENTWISE)
        if name in ("zeros_like", "empty_like", "ones_like", "full_like"):
            return under_way().fresh(function(*examples(args), **examples(named)))
        return self._into(target, call(function, args, named, VIEW if name in VIEWS else CALL))

    def _into(self, target, result):
        """`result`, written into `target` where an ``out=`` was given."""
        if target is None:
            return result
        if not isinstance(target, Traced) or not target.writable or target.trace is not current():
            self._refuse()
        if target.shape != result.shape or target.dtype != result.dtype:
            self._refuse()
        return target.become(result)

    def become(self, result):
        """Takes over the elements of another array of the same shape and dtype: what writing into this one means."""
        np.copyto(self.example, result.example)
        result.value.strides = self.example.strides  # it is laid out as what was written into
        self.value = result.value
        return self

    def __getitem__(self, key):
        return call(getitem, (self, key), {}, VIEW)

    def __setitem__(self, key, value):
        if not self.writable or self.trace is not current():
            self._refuse()
        result = call(with_items, (self, key, value), {})
        np.copyto(self.example, result.example)
        self.value = result.value

    # -- methods ------------------------------------------------------------------------------------

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        dtype = np.dtype(dtype)
        if dtype == self.dtype and not copy:
            return self
        return call(cast, (self, dtype), {}, ELEMENTWISE)

    def reshape(self, *shape, order="C", copy=None):
        shape = shape[0] if len(shape) == 1 else shape
        return call(np.reshape, (self, shape), {} if order == "C" else {"order": order}, VIEW)

    def transpose(self, *axes):
        axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return call(np.transpose, (self, axes), {}, VIEW)

    def view(self, dtype=None):
        if dtype is None:
            self._refuse()
        return call(view_as, (self, np.dtype(dtype)), {}, VIEW)

    def clip(self, min=None, max=None, out=None):
        if min is None or max is None:
            return self._into(out, call(type(self.example).clip, (self, min, max), {}))
        return self._into(out, call(CLIP, (self, min, max), {}, ELEMENTWISE))

    def copy(self, order="C"):
        return copied(self, order)

    def conj(self):
        return self if self.dtype.kind != "c" else call(np.conjugate, (self,), {}, ELEMENTWISE)

    conjugate = conj

    T = property(transpose)
    mT = property(lambda self: self.swapaxes(-1, -2))


class TracedModule:
    """A module of CuPy for arrays of which some are traced.

    CuPy's own functions would not take a `Traced`. NumPy's of the same name does, by NumPy's protocols, and calls CuPy's on the
    example.

    Args:
        theirs: CuPy's module.
        ours: NumPy's, None if it has none.
    """

    def __init__(self, theirs, ours):
        self._theirs, self._ours = theirs, ours

    def __getattr__(self, name):
        theirs, ours = getattr(self._theirs, name), getattr(self._ours, name, None)
        if isinstance(theirs, types.ModuleType):
            return TracedModule(theirs, ours)
        if isinstance(theirs, type) or not callable(theirs):
            return theirs

        def function(*args, **named):
            return (theirs if ours is None or not any_traced((args, named)) else ours)(*args, **named)

        return function


@functools.cache
def module_of_gpu():
    """What `devices.module_of` gives for a traced array on a GPU."""
    return TracedModule(sys.modules["cupy"], np)


def any_traced(tree):
    """True if a Traced is among nested arguments."""
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    return any(map(any_traced, tree)) if isinstance(tree, tuple | list) else isinstance(tree, Traced)


class TracedOnCPU(Traced, StandInOnCPU):
    """A NumPy array of a trace."""

    __slots__ = ()


class TracedOnGPU(Traced):
    """A CuPy array of a trace."""

    __slots__ = ()
    array_module = property(lambda self: module_of_gpu())

    def __cupy_override_elementwise_kernel__(self, kernel, *inputs, **named):
        """Takes the place of a ufunc of CuPy's own, such as erf; kernels that write into their arguments are not traced."""
        if named or type(kernel).__name__ != "ufunc" or kernel.nout != 1:
            self._refuse()
        name = kernel.__name__.removeprefix("cupyx_scipy_special_").removeprefix("cupy_")
        return call(kernel, inputs, named, ELEMENTWISE, label=name)


def traced(trace, example, value, writable=False):
    """The Traced for an array, wherever it lives."""
    return (TracedOnGPU if is_on_gpu(example) else TracedOnCPU)(trace, example, value, writable)


CLIP = importlib.import_module("numpy._core.umath").clip  # the ufunc behind np.clip
# Functions of NumPy that ask for no elements.
ABOUT = frozenset(("shape", "ndim", "size", "result_type", "can_cast", "iscomplexobj", "isrealobj", "may_share_memory",
                   "shares_memory", "broadcast_shapes"))  # fmt: skip
# Functions that write into their arguments, or whose answer Python would look at.
IMPURE = frozenset((
    "copyto", "put", "putmask", "place", "fill_diagonal", "put_along_axis", "array_equal", "array_equiv", "allclose",
    "array2string", "array_repr", "array_str", "save", "savez", "savetxt", "asarray", "array",
))  # fmt: skip
# Functions whose result may be the same memory with other strides.
VIEWS = frozenset(("reshape", "transpose", "permute_dims", "matrix_transpose", "broadcast_to", "squeeze", "expand_dims", "swapaxes",
                   "moveaxis", "rollaxis", "ravel", "atleast_1d", "atleast_2d", "atleast_3d", "flip", "fliplr", "flipud", "rot90",
                   "diagonal", "real", "imag", "split", "array_split", "hsplit", "vsplit", "dsplit", "broadcast_arrays", "unstack",
                   "sliding_window_view"))  # fmt: skip


# -- methods that are alike ----------------------------------------------------------------------------


def _viewing(function):
    """A method that gives other strides over the same memory."""
    return lambda self, *args, **named: call(function, (self, *args), named, VIEW)


def _reducing(ufunc, typed):
    """A method that is the reduction of a ufunc; sums and products take a dtype, extremes none."""

    def typed_method(self, axis=None, dtype=None, out=None, keepdims=False, **named):
        return self._into(out, reduce(ufunc, self, axis, dtype, keepdims, **named))

    def method(self, axis=None, out=None, keepdims=False, **named):
        return self._into(out, reduce(ufunc, self, axis, None, keepdims, **named))

    return typed_method if typed else method


def _calling(name):
    """A method that stays a call of NumPy's own, or of CuPy's."""
    return lambda self, *args, out=None, **named: self._into(
        out, call(getattr(type(self.example), name), (self, *args), named)
    )


for _name in ("swapaxes", "squeeze", "ravel", "diagonal"):
    setattr(Traced, _name, _viewing(getattr(np, _name)))
for _name in ("real", "imag"):
    setattr(Traced, _name, property(_viewing(getattr(np, _name))))
for _name, _ufunc, _typed in (("sum", np.add, True), ("prod", np.multiply, True), ("max", np.maximum, False),
                              ("min", np.minimum, False), ("any", np.logical_or, False),
                              ("all", np.logical_and, False)):  # fmt: skip
    setattr(Traced, _name, _reducing(_ufunc, _typed))
for _name in ("argmax", "argmin", "argsort", "argpartition", "choose", "compress", "cumprod", "cumsum", "dot", "flatten", "mean",
              "nonzero", "repeat", "round", "searchsorted", "std", "take", "var"):  # fmt: skip
    setattr(Traced, _name, _calling(_name))


# -- the calls that nodes make ----------------------------------------------------------------------


def cast(x, dtype):
    """`x` with another dtype, a new array in any case."""
    return x.astype(dtype)


def copied(x, order):
    """A node for a copy of `x`."""
    if isinstance(x, TracedOnGPU):  # np.array would not take it
        return call(copy_of, (x,), {"order": order})
    return call(np.array, (x,), {"order": order, "copy": True})


def copy_of(x, order="C"):
    """A copy of `x`."""
    return x.copy(order)


def view_as(x, dtype):
    """The bits of `x` as another dtype."""
    return x.view(dtype)


def getitem(x, key):
    """``x[key]``."""
    return x[key]


def with_items(x, key, value):
    """`x` with ``x[key] = value``, as a new array."""
    out = x.copy("K")
    out[key] = value
    return out


def reduce(ufunc, x, axis, dtype=None, keepdims=False, **named):
    """A node for ``ufunc.reduce``."""
    named = {"axis": axis, "dtype": dtype, "keepdims": bool(keepdims), **named}
    function = Reduction(ufunc) if isinstance(x, TracedOnGPU) else ufunc.reduce
    return call(function, (x,), named, REDUCE, label=f"{ufunc.__name__}.reduce")


REDUCING_METHODS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_and: "all",
                    np.logical_or: "any"}  # fmt: skip


class Reduction:
    """``ufunc.reduce`` of arrays on a GPU, which CuPy has as methods."""

    __slots__ = ("__self__", "method")

    def __init__(self, ufunc):
        self.__self__, self.method = ufunc, REDUCING_METHODS.get(ufunc)

    def __call__(self, x, axis=0, dtype=None, keepdims=False, out=None, **named):
        if self.method is None or named:
            return self.__self__.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims, out=out, **named)
        typed = {"dtype": dtype} if self.method in ("sum", "prod") else {}
        return getattr(x, self.method)(axis=axis, out=out, keepdims=keepdims, **typed)


def call(function, args, named, kind=CALL, label=None):
    """Runs a function on the examples and adds a node for it to the graph."""
    result = function(*examples(args), **examples(named))
    return under_way().add(kind, function, args, named, result, label)


def under_way():
    """The trace that this thread is in.

    Raises:
        TracingError: if it is in none: a traced array got out.
    """
    trace = current()
    if trace is None:
        raise TracingError.at("a tensor of a traced function means something inside of it only", "it was used after the trace",
                              "return it from the function, or assign it to a Variable")  # fmt: skip
    return trace


def examples(tree):
    """Nested arguments with the real arrays in the place of Traced ones."""
    if isinstance(tree, Traced):
        return tree.example
    if isinstance(tree, tuple):
        new = [examples(one) for one in tree]
        return type(tree)(*new) if hasattr(tree, "_fields") else tuple(new)
    if isinstance(tree, list):
        return [examples(one) for one in tree]
    if isinstance(tree, dict):
        return {name: examples(one) for name, one in tree.items()}
    if isinstance(tree, slice):
        return slice(examples(tree.start), examples(tree.stop), examples(tree.step))
    return tree
