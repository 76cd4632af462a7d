"""What tells two calls of a traced function apart: structure, dtypes, shapes and layouts of arrays, and all other arguments."""

import dataclasses
import inspect
import weakref

import numpy as np

from eagerdl import devices
from eagerdl.devices import StandIn
from eagerdl.errors import ArgumentError
from eagerdl.jit.numbers import Number
from eagerdl.tensor import Tensor, to_array
from eagerdl.variable import Variable

LARGE = 1 << 53  # numbers above it would not be what they are in float64


class Identity:
    """A key that equals only keys of the same object; it does not keep the object alive."""

    __slots__ = ("hash", "reference")

    def __init__(self, thing):
        self.hash = id(thing)
        try:
            self.reference = weakref.ref(thing)
        except TypeError:  # objects without weak references are kept
            self.reference = lambda: thing

    def __eq__(self, other):
        mine = self.reference()
        return isinstance(other, Identity) and mine is not None and mine is other.reference()

    def __hash__(self):
        return self.hash

    def __repr__(self):
        return f"the object {self.reference()!r:.60}"


class Call:
    """The arguments of one call, taken apart.

    Attributes:
        key: what tells it from calls that need another trace.
        arrays: the arrays among its leaves.
        tensors: the tensors that hold them; None for arrays and numbers.
        names: where each entry of the key came from, for messages.
    """

    __slots__ = ("arrays", "changing", "key", "names", "tensors", "tree")

    def __init__(self, where, arguments, changing=()):
        self.arrays, self.tensors, self.tree, self.changing = [], [], arguments, changing
        entries, self.names = [], []
        for name, value in arguments.items():
            self._take(where, name, value, entries)
        place = devices.current()
        if place is not devices.CPU:  # where what the function makes will live
            entries.append(place)
            self.names.append("the device")
        self.key = tuple(entries)

    def _take(self, where, name, x, entries):
        kind = x.__class__
        if kind is Tensor or kind is np.ndarray or is_value(x):
            if kind is Tensor or isinstance(x, Tensor):
                array, tensor = x._array, x
            else:
                array, tensor, kind = to_array(x, where=where), None, Tensor
            self.arrays.append(array)
            self.tensors.append(tensor)
            entry = (kind, array.shape, array.dtype, None if array.flags.c_contiguous else array.strides)
            if array.__class__ is not np.ndarray and devices.is_on_gpu(array):
                entry = (*entry, devices.device_of(array))
        elif isinstance(x, tuple | list):
            entry = (kind, len(x))
            for i, one in enumerate(x):
                self._take(where, f"{name}[{i}]", one, entries)
        elif isinstance(x, dict):
            entry = (kind, tuple(x))
            for key, one in x.items():
                self._take(where, f"{name}[{key!r}]", one, entries)
        elif dataclasses.is_dataclass(x) and not isinstance(x, type):
            entry = (kind, "dataclass")
            for field in dataclasses.fields(x):
                self._take(where, f"{name}.{field.name}", getattr(x, field.name), entries)
        elif kind in (int, float) and name in self.changing and abs(x) < LARGE:
            self.arrays.append(np.asarray(x, np.dtype(kind)))
            self.tensors.append(None)
            entry = (Number, kind)
        elif kind in (bool, int, float, complex):
            entry = (kind, repr(x))  # 1, 1.0 and True are equal, 0.0 and -0.0 too
        elif isinstance(x, Variable):
            entry = Identity(x)
        else:
            try:
                hash(x)
                entry = (kind, x) if kind in (str, bytes, type(None)) else Identity(x)
            except TypeError:
                raise ArgumentError(where, "arguments are tensors, nested structures of them, or can be hashed",
                                    f"{name} is a {kind.__name__}",
                                    "pass a tensor, or make the class hashable") from None  # fmt: skip
        entries.append(entry)
        self.names.append(name)

    def outline(self):
        """The call without its arguments, which whoever keeps a trace must not keep alive."""
        out = Call.__new__(Call)
        out.key, out.names, out.changing = self.key, self.names, self.changing
        out.arrays, out.tensors, out.tree = [], [], None
        return out

    def rebuilt(self, tensors):
        """The arguments with other tensors in the place of theirs."""
        rest = iter(tensors)
        return {name: self._rebuild(name, value, rest) for name, value in self.tree.items()}

    def _rebuild(self, name, x, tensors):
        if isinstance(x, Variable):
            return x
        if is_value(x):
            return next(tensors)
        if type(x) in (int, float) and name in self.changing and abs(x) < LARGE:
            return Number(next(tensors)._array, type(x), name)
        if isinstance(x, tuple | list):
            new = [self._rebuild(f"{name}[{i}]", one, tensors) for i, one in enumerate(x)]
            return type(x)(*new) if hasattr(x, "_fields") else type(x)(new)
        if isinstance(x, dict):
            return type(x)((key, self._rebuild(f"{name}[{key!r}]", one, tensors)) for key, one in x.items())
        if dataclasses.is_dataclass(x) and not isinstance(x, type):
            fields = {
                f.name: self._rebuild(f"{name}.{f.name}", getattr(x, f.name), tensors) for f in dataclasses.fields(x)
            }
            return dataclasses.replace(x, **{f.name: fields[f.name] for f in dataclasses.fields(x) if f.init})
        return x

    def without_sizes(self):
        """The key with ranks in the place of shapes."""
        return [(entry[0], len(entry[1]), entry[2], *entry[4:]) if is_of_array(entry) else entry for entry in self.key]

    def numbers_apart(self, other):
        """The names of the numbers in which this call differs from another key, if it differs in nothing else; else None."""
        if len(self.key) != len(other):
            return None
        found = []
        for name, mine, theirs in zip(self.names, self.key, other):
            if mine != theirs:
                if not (is_number(mine) and is_number(theirs) and mine[0] is theirs[0]):
                    return None
                found.append(name)
        return found


def is_value(x):
    """True for tensors and arrays, which are other ones at each call."""
    return (isinstance(x, Tensor | np.ndarray) and not isinstance(x, Variable)) or devices.is_on_gpu(x)


def is_of_array(entry):
    """True for the entry of an array: class, shape, dtype, strides if it is not in C's order, the device if that is a GPU."""
    return isinstance(entry, tuple) and len(entry) >= 4


def is_number(entry):
    """True for the entry of a number that is part of a key with its value."""
    return isinstance(entry, tuple) and entry[0] in (int, float)


class Results:
    """The structure that a traced function returned: which of its leaves are computed and what the others are.

    Attributes:
        tensors: the leaves that are computed.
    """

    def __init__(self, tree):
        self.tensors = []
        self.tree = self._take(tree)

    def _take(self, x):
        if isinstance(x, Variable):
            return _Leaf(x)
        if isinstance(x, Tensor):
            if isinstance(x._array, StandIn):
                self.tensors.append(x)
                return _Array(len(self.tensors) - 1)
            return _Leaf(x)
        if isinstance(x, tuple | list):
            new = [self._take(one) for one in x]
            return type(x)(*new) if hasattr(x, "_fields") else type(x)(new)
        if isinstance(x, dict):
            return type(x)((key, self._take(one)) for key, one in x.items())
        if dataclasses.is_dataclass(x) and not isinstance(x, type):
            fields = {f.name: self._take(getattr(x, f.name)) for f in dataclasses.fields(x) if f.init}
            return _Made(type(x), fields)
        return _Leaf(x)

    @property
    def arrays(self):
        """What they hold."""
        return [x._array for x in self.tensors]

    def forget(self):
        """Lets go of the tensors of the trace."""
        self.tensors = []

    def built(self, tensors):
        """The structure with these tensors as its computed leaves."""
        return _fill(self.tree, tensors)


class _Array:
    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index


class _Leaf:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class _Made:
    __slots__ = ("fields", "kind")

    def __init__(self, kind, fields):
        self.kind, self.fields = kind, fields


def _fill(x, tensors):
    kind = x.__class__
    if kind is _Array:
        return tensors[x.index]
    if kind is _Leaf:
        return x.value
    if kind is _Made:
        return x.kind(**{name: _fill(one, tensors) for name, one in x.fields.items()})
    if isinstance(x, dict):
        return kind((key, _fill(one, tensors)) for key, one in x.items())
    new = [_fill(one, tensors) for one in x]
    return kind(*new) if hasattr(x, "_fields") else kind(new)


class Signature:
    """The parameters of a Python function, and the arguments of calls by their names."""

    def __init__(self, function):
        self.signature = inspect.signature(function)
        plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = self.signature.parameters.values()
        self.names = tuple(one.name for one in parameters) if all(one.kind in plain for one in parameters) else None

    def arguments(self, args, named):
        """The arguments by name, defaults included; those of ``*args`` and ``**named`` under their names."""
        if not named and self.names is not None and len(args) == len(self.names):  # the common case, without a search
            return dict(zip(self.names, args))
        bound = self.signature.bind(*args, **named)
        bound.apply_defaults()
        return bound.arguments

    def call(self, function, arguments):
        """Calls `function` with arguments by name."""
        bound = inspect.BoundArguments(self.signature, arguments)
        return function(*bound.args, **bound.kwargs)

    def __str__(self):
        return str(self.signature)


def difference(names, key, other):
    """Says in which argument two keys differ, for retraces."""
    if len(key) != len(other):
        placed = devices.Device in (type(key[-1]) if key else None, type(other[-1]) if other else None)
        return (
            "the device or the structure of its arguments changed"
            if placed
            else "the structure of its arguments changed"
        )
    for name, mine, theirs in zip(names, key, other):
        if mine != theirs:
            return f"{name} was {_shown(theirs)} and is {_shown(mine)}"
    return "a variable has another layout"


def _shown(entry):
    if is_of_array(entry):
        layout = "" if entry[3] is None else f" with strides {entry[3]}"
        return f"{entry[2]}{list(entry[1])}" + layout + "".join(f" on {place}" for place in entry[4:])
    if not isinstance(entry, tuple) or len(entry) != 2:
        return repr(entry)
    kind, what = entry
    if kind is Number:
        return f"a {what.__name__}"
    if kind in (str, bytes, type(None)):
        return repr(what)
    if what == "dataclass":
        return f"a {kind.__name__}"
    if issubclass(kind, dict):
        return f"a {kind.__name__} of {', '.join(map(repr, what))}"
    return f"a {kind.__name__} of {what}" if issubclass(kind, tuple | list) else str(what)
