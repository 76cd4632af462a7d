"""What is known of a layer's `call`, and of the call under way: training mode, path, where losses go."""

import contextlib
import contextvars
import functools
import inspect
import itertools
import threading
import weakref

import numpy as np

from eagerdl.devices import StandIn, StandInOnCPU
from eagerdl.jit import trace as tracing
from eagerdl.jit.traced import call
from eagerdl.tensor import from_array

_current = contextvars.ContextVar("eagerdl_layer_call", default=None)  # each thread has its own

_serials = itertools.count(1)
building = threading.RLock()  # held while a layer makes its weights: two threads may make the first call


class Call:
    """The outermost layer call under way in a thread, and the path down to the layer that runs now."""

    __slots__ = ("entry", "path", "serial", "training")

    def __init__(self, entry):
        self.entry, self.path, self.training, self.serial = entry, [], None, next(_serials)


def current():
    """The Call under way in this thread, or None."""
    return _current.get()


class Signature:
    """The parts of a layer's `call` that `__call__` fills in."""

    __slots__ = ("first", "masks", "names", "parameters", "refused", "signature", "training", "training_default")

    def __init__(self, call):
        self.signature = inspect.signature(call)
        self.parameters = [p for name, p in self.signature.parameters.items() if name != "self"]
        plain = [p for p in self.parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.names = [p.name for p in plain]
        self.first = self.names[0] if self.names else None
        self.training = "training" in self.names
        default = self.signature.parameters["training"].default if self.training else None
        self.training_default = None if default is inspect.Parameter.empty else default
        self.masks = [name for name in self.names if name == "mask" or name.endswith("_mask")]
        # A call may be given these whether or not the layer takes them: they are for the layers inside, and for compute_mask.
        takes_all = any(p.kind is p.VAR_KEYWORD for p in self.parameters)
        self.refused = () if takes_all else tuple(name for name in ("training", "mask") if name not in self.names)

    def bound(self, args, named):
        """A dict of the arguments by name, in order; without defaults."""
        if self.refused:
            named = {name: value for name, value in named.items() if name not in self.refused}
        return self.signature.bind_partial(None, *args, **named).arguments


@functools.cache
def signature_of(cls):
    """The Signature of the `call` of a class of layers."""
    return Signature(cls.call)


def converted(function):
    """What is called in place of a function that may be the user's: under tracing one whose `if`s and loops work on tensors."""
    if not tracing._running or tracing.current() is None:
        return function
    from eagerdl.jit.autograph.convert import callee

    return callee(function)


def checked(function, array):
    """Calls `function`, which raises for an array whose elements are not as they must be; compiled code calls it each time.

    Args:
        function: a function of the array; it must not refer to a layer, which the compiled code would keep.
        array: what a tensor holds; nothing is called for an array on a GPU, which would have to be waited for.
    """
    if isinstance(array, np.ndarray):
        function(array)
    elif isinstance(array, StandInOnCPU):
        tracing.current().check(function, (array,))


def by_elements(method, *inputs):
    """What a method of a layer makes of its inputs by looking at their elements; compiled code calls it each time.

    Args:
        method: a bound method that takes arrays as well as tensors, and returns an array whose shape depends on theirs only.
        inputs: the inputs.

    Returns:
        The array; under tracing a tensor.
    """
    arrays = [getattr(x, "_array", x) for x in inputs]
    if not any(isinstance(array, StandIn) for array in arrays):
        return method(*inputs)
    function = functools.partial(
        method.__func__, weakref.proxy(method.__self__)
    )  # compiled code must not keep the layer
    return from_array(call(function, tuple(arrays), {}, label=method.__name__))


observers = []  # functions (layer, outputs), called after every layer call


@contextlib.contextmanager
def observed(function):
    """A context in which `function` sees every layer with its outputs."""
    observers.append(function)
    try:
        yield
    finally:
        observers.remove(function)


makers = []  # functions (object), called when a layer or an optimizer has made its variables


def made(thing):
    """Tells those who wait for variables that `thing` has made its own."""
    for function in list(makers):
        function(thing)
