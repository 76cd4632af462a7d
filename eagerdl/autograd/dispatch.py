"""Eager dispatch: the binders, through which every op runs.

A binder reads the array slot, calls the forward and makes the tensor. Whatever is not plain goes to `general`: other
types, dtypes that have to meet, errors. So the common case pays for nothing else, and an error is explained only once it
has happened. Operators of `Tensor` are the bound functions themselves.
"""

import contextlib
import contextvars
import functools
import inspect
import threading
import types
from typing import Any

import numpy as np

from eagerdl import devices
from eagerdl.autograd.binders import binder, recorder
from eagerdl.autograd.graph import (  # noqa: F401 (binders name most of them)
    SCALARS,
    Node,
    active,
    admit,
    held,
    record,
    record_binary,
    serials,
    weak,
)
from eagerdl.dtypes import INEXACT_SET, keep, standardize  # noqa: F401 (binders name the first)
from eagerdl.errors import ArgumentError, DeviceError, TracingError
from eagerdl.tensor import Tensor, from_array, holds_tensor, new_tensor, to_array
from eagerdl.variable import Variable

ndarray, generic, asarray, empty, FLOAT32 = np.ndarray, np.generic, np.asarray, np.empty, np.dtype("float32")
MISSING, EMPTY = object(), inspect.Parameter.empty
ON_CPU = {ndarray}  # the types of arrays that live there
as_a_whole: Any = None  # set by `jit`: how an op runs under tracing whose forward looks at elements
plain_tensor: Any = Tensor  # the classes that binders take by themselves; none while ops are intercepted
plain_variable: Any = Variable
recorders = []  # one entry per tape that records now, in any thread; while it is empty nothing is looked up


def bind(primitive, body):
    """The public function of `primitive`, with the name, signature and docstring of `body`."""
    operator = primitive.family in ("elementwise", "bilinear") and not primitive.params
    if operator and primitive.tensors == ("x",):
        call = bind_unary(primitive)
    elif operator and primitive.tensors == ("x1", "x2"):
        call = bind_binary(primitive)
    else:
        call = bind_with_names(primitive)
    functools.update_wrapper(call, body)
    call.primitive = primitive
    return call


def bind_unary(primitive):
    """An elementwise op of one tensor."""
    forward, same, records = primitive.forward, primitive.same_dtype, primitive.pull is not None

    def call(x):
        if x.__class__ is plain_tensor or x.__class__ is plain_variable:
            a = x._array
            try:
                out = forward(a)
            except Exception:
                out = None
            if out is not None and (not same or out.dtype is a.dtype):
                t = new_tensor()
                t._array = out if out.__class__ is ndarray else as_array(out)
                t._node = None
                if recorders and records and x._node is not None:
                    record_unary(primitive, t, x, ())
                return t
        return general(primitive, (x,), ())

    return call


def bind_binary(primitive):
    """An elementwise or bilinear op of two tensors, or of a tensor and a Python number."""
    forward, same, records = primitive.forward, primitive.same_dtype, primitive.pull is not None

    def call(x1, x2):
        first, second = x1.__class__, x2.__class__
        if first is plain_tensor or first is plain_variable:
            a = x1._array
            dtype = a.dtype
            if second is plain_tensor or second is plain_variable:
                b = x2._array
                plain = dtype is b.dtype
            else:
                b = x2
                plain = second is float or second is int
        else:
            plain = (first is float or first is int) and (second is plain_tensor or second is plain_variable)
            if plain:
                a, b = x1, x2._array
                dtype = b.dtype
        if plain:
            try:
                out = forward(a, b)
            except Exception:
                out = None
            if out is not None and (not same or out.dtype is dtype):
                t = new_tensor()
                t._array = out if out.__class__ is ndarray else as_array(out)
                t._node = None
                if recorders and records:
                    record_binary(primitive, t, x1, x2)
                return t
        return general(primitive, (x1, x2), ())

    return call


def bind_with_names(primitive):
    """Any other op: with parameters, such as an axis, or more tensors, or several results."""
    tensors, params, variadic = primitive.tensors, primitive.params, primitive.variadic
    defaults = (MISSING,) * len(tensors) + tuple([MISSING if one is EMPTY else one for one in primitive.defaults])
    needed = len(defaults) - defaults[::-1].index(MISSING)
    plain = len(tensors) == 1 and not variadic and not primitive.several
    usual = primitive.defaults if primitive.reduce else None
    keeps = primitive.keeps[0] if plain else None
    call = compiled(binder(len(tensors), len(params), needed, plain, variadic, usual), "bind")(
        primitive, primitive.forward, primitive.reduce, primitive.promote, primitive.promote is keep,
        primitive.pull is not None, keeps, primitive.keeps_out,
    )  # fmt: skip
    names = call.__code__.co_varnames
    call.__code__ = call.__code__.replace(co_varnames=(*tensors, *params, *names[len(defaults) :]))
    call.__defaults__ = defaults
    return call


@functools.cache
def compiled(text, name):
    """The function `name` that `text` defines, in the namespace of this module."""
    found = {}
    exec(compile(text, __file__, "exec"), globals(), found)
    return found[name]


record_unary = compiled(recorder(), "record_unary")


def misfit(primitive, args, more, named):
    """The error for arguments that an op does not take, or lacks."""
    names = (*primitive.tensors, *primitive.params)
    given = {name: value for name, value in zip(names, args, strict=True) if value is not MISSING}
    return bad_call(primitive.name, primitive.signature, *(((*args, *more), {}) if more else ((), {**given, **named})))


def plain_arrays(inputs, promote):
    """The arrays of `inputs`, if all are tensors, of dtypes that the op takes as they are; else None."""
    arrays = []
    for x in inputs:
        if x.__class__ is not plain_tensor and x.__class__ is not plain_variable:
            return None
        arrays.append(x._array)
    return arrays if promote is keep or settled(promote, tuple([array.dtype for array in arrays])) else None


@functools.lru_cache(maxsize=4096)
def settled(promote, kinds):
    """True if inputs of these dtypes are cast to no others, by the policy `promote` of an op."""
    return tuple(promote(kinds)) == kinds


@functools.lru_cache(maxsize=4096)
def met(promote, kinds, floatx):
    """The dtypes to which inputs of these dtypes (or types of Python numbers) are cast, by the policy `promote` of an op."""
    return tuple(promote(kinds))


def general(primitive, inputs, params):
    """Any op on anything: converts, lets dtypes meet, checks devices, runs, records, and explains what went wrong."""
    tensors = meeting(primitive, inputs)
    arrays = []
    for x in tensors:
        if x._run is not None:
            return x._run(primitive, tensors, params)
        arrays.append(x._array)
    if not ON_CPU.issuperset(map(type, arrays)):
        tensors = on_one_device(primitive, tensors)
        arrays = [x._array for x in tensors]
    arguments = (arrays, *params) if primitive.variadic else (*arrays, *params)
    try:
        try:
            out = quietly(primitive.forward, arguments)
        except Exception as error:
            if not isinstance(error, TracingError) and not any(isinstance(a, devices.StandIn) for a in arrays):
                raise
            out = as_a_whole(primitive, arrays, params)  # a forward that looks at elements, under tracing
    except Exception as error:
        failure = primitive.explain(error, tensors, params)
    else:
        return results(primitive, out, tensors, params)
    raise failure from None


def meeting(primitive, inputs):
    """The inputs as tensors of the dtypes at which the op lets them meet."""
    operands, kinds = [], []
    for x in inputs:
        if x.__class__ is Tensor:
            kinds.append(x._array.dtype)
        elif x.__class__ in SCALARS:
            kinds.append(x.__class__)
        else:
            x = as_operand(primitive, x)
            kinds.append(x._weak or x.dtype)
        operands.append(x)
    aims = met(primitive.promote, tuple(kinds), standardize(None))
    return tuple([
        x if x.__class__ is Tensor and x._array.dtype is dtype else as_dtype(x, dtype, primitive.name)
        for x, dtype in zip(operands, aims, strict=True)
    ])  # fmt: skip


def quietly(forward, arguments):
    """Calls `forward`; where somebody turned NumPy's warnings into errors, infinities and NaNs are results all the same."""
    try:
        return forward(*arguments)
    except RuntimeWarning:
        with np.errstate(all="ignore"):
            return forward(*arguments)


def results(primitive, out, tensors, params):
    """Raw results as tensors, recorded if a tape asks for them."""
    if primitive.several:
        made = tuple([from_array(as_array(one)) for one in out])
    else:
        made = from_array(as_array(out))
    if recorders:
        record(primitive, made, tensors, params)
    return made


def as_array(value):
    """A result as an array: NumPy returns scalars for shape (), CuPy arrays come as they are."""
    if value.__class__ is ndarray:
        return value
    if isinstance(value, generic):
        return asarray(value)
    return value if devices.is_array(value) else asarray(value)


def as_operand(primitive, x):
    """An argument as a tensor."""
    if isinstance(x, Tensor):
        return x
    if holds_tensor(x):
        return Tensor._pack(x)
    return from_array(to_array(x, where=primitive.name))


def as_dtype(x, dtype, where):
    """A tensor or number as a tensor of `dtype`."""
    if x.__class__ is float and dtype.kind == "f" and devices.current() is devices.CPU:
        return from_array(asarray(x, dtype))
    if x.__class__ in SCALARS:
        return from_array(to_array(x, dtype, where=where))
    if x._weak is not None:
        x = from_array(x._array)
    return x if x.dtype == dtype else x.astype(dtype)


def on_one_device(primitive, tensors):
    """The same tensors, with CPU scalars moved to the GPU that holds the others."""
    homes = {x.device for x in tensors}
    if len(homes) == 1:
        return tensors
    home = next((x.device for x in tensors if x.ndim), devices.current())
    if any(x.device != home and x.ndim for x in tensors):
        came = ", ".join(f"{primitive.tensor_name(i)} on {x.device}" for i, x in enumerate(tensors))
        raise DeviceError(
            primitive.name, "all tensors must live on one device", came, "move them with x.to('gpu:0') or x.to('cpu')"
        )
    return tuple([x.to(home) for x in tensors])


def bad_call(where, signature, args, named):
    """The error for arguments that do not fit a signature."""
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        came = str(error)
    else:
        came = "they do not fit"
    return ArgumentError(where, f"the arguments are {where}{signature}", came, f"see help(edl.{where})")


# -- interception -------------------------------------------------------------------------------

interceptor: Any = contextvars.ContextVar("eagerdl_interceptor", default=None)  # each thread has its own
_unaware = general
_lock = threading.Lock()
interceptions = 0  # contexts in all threads


@contextlib.contextmanager
def intercepting(one):
    """A context in which ``one.answer(primitive, inputs, params)`` gives the result of each op of this thread.

    While there is such a context in some thread, binders find no class that they take by themselves, so that every op
    comes to `general`, and this is another function. At all other times nothing is asked for.

    Args:
        one: what answers, or None: ops run as they are. Its ``apart(function)`` is the function as a part of its own, such as
            the body of a loop: what is known of tensors stays on either side.
    """
    _count(1)
    token = interceptor.set(one)
    try:
        yield
    finally:
        interceptor.reset(token)
        _count(-1)


def _count(change):
    global interceptions, plain_tensor, plain_variable, general
    with _lock:
        interceptions += change
        free = not interceptions
        plain_tensor, plain_variable, general = (Tensor, Variable, _unaware) if free else (None, None, _answered)


def _answered(primitive, inputs, params):
    """What stands for `general` while somebody intercepts."""
    one = interceptor.get()
    return plainly(primitive, inputs, params) if one is None else one.answer(primitive, inputs, params)


def plainly(primitive, inputs, params):
    """An op as it runs while nobody intercepts."""
    call = _plain_binder(primitive)
    return call(inputs, *params) if primitive.variadic else call(*inputs, *params)


@functools.cache
def _plain_binder(primitive):
    """The binder of an op, in a namespace where nobody intercepts."""
    call = primitive.call
    return types.FunctionType(call.__code__, _PLAIN, call.__name__, call.__defaults__, call.__closure__)


_PLAIN = {**globals()}
