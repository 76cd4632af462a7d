"""`Snapshot`: what the Python code of a step may read besides tensors, to tell whether a trace of it still means the same.

A trace holds the values that attributes had: which weights are trainable, rates of dropout, the numbers of a loss. Eager code
reads them at each step; so a compiled step is used only while they are what they were.
"""

import functools
import pickle
import random
import sys
import types
import weakref
from operator import attrgetter, is_

import numpy as np

from eagerdl import config, dtypes
from eagerdl.errors import PACKAGE_FOLDER
from eagerdl.jit.autograph.convert import LIBRARY_FOLDER
from eagerdl.nn import tracking
from eagerdl.nn.module import Module
from eagerdl.nn.weights import is_layer
from eagerdl.tensor import Tensor
from eagerdl.train.compiled import CompileLoss, CompileMetrics
from eagerdl.variable import Variable

# Attributes that no step reads, or that each call assigns.
UNREAD = tracking.QUIET | tracking.OTHERS | frozenset((
    "_call_specs", "_compile_config", "_graph", "_memo", "_steps", "_weights", "compiled", "history", "jit_compile", "run_eagerly",
    "steps_per_execution", "stop_training",
))  # fmt: skip
LONG = 1000  # containers with more entries are not looked into
SMALL = 1 << 14  # bytes of arrays that are compared
MOST = 10_000  # objects that are looked into
FLAGS = attrgetter("trainable", "constraint", "regularizer", "learning_rate_multiplier")
OURS = ("eagerdl.nn", "eagerdl.models.model", "eagerdl.models.sequential", "eagerdl.train.losses", "eagerdl.train.metrics",
        "eagerdl.train.optimizers")  # fmt: skip
FIXED = ("eagerdl.nn.initializers", "eagerdl.nn.policy", "eagerdl.nn.input_spec", "eagerdl.nn.symbolic")
FOREIGN = frozenset(("eagerdl", "builtins", "numpy", "scipy", "cupy", "pandas", "torch", "tensorflow", "jax"))
VALUES = (bool, int, float, complex, str, bytes, np.generic)
CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)


class Snapshot:
    """The attributes of a model and of what they lead to: layers, optimizers, losses, metrics, objects of the user.

    Args:
        model: the model.
        functions: the user's functions that a step calls: what they name of their modules, of classes, and of the functions around
            them, is looked at too, and of objects of the user's own classes only what they or this package name. None: all
            attributes of these.
    """

    def __init__(self, model, functions=None):
        self.model = weakref.ref(model)  # it keeps its snapshots, which must not keep it
        self.names = None if functions is None else named_in(functions)
        self.wanted = None if functions is None else self.names | own_names()
        self.change, self.switches = tracking.changes[0], _switches()
        self.places = []  # (object, what it held by name); the model itself is not among them
        self.of_model = self._held_by(model)
        self.quick = []  # (dict or list, what it held): of what changes without a word
        self.variables, self.flags = [], []
        self.generators = [(one, state_of(one)) for one in OF_ALL]  # those that no variable holds, and their states
        self.arrays = []  # (array of NumPy, its bytes): of small ones, which somebody may write into
        # (dict or cell, name, what it held)
        self.outside = [(place, name, held) for place, name, held in outside(functions or ()) if held is not model]
        self._look(model, [*model._flatten_layers(), *self.of_model.values(), *[held for _, _, held in self.outside]])
        if self.names is not None:
            things = [model, *[thing for thing, _ in self.places]]
            classes = dict.fromkeys(base for thing in things for base in type(thing).__mro__ if is_users(base))
            self.outside += [one for base in classes for one in named_by(base, self.names)]
        self.flags = list(map(FLAGS, self.variables))

    def _look(self, model, pending):
        seen, pending = {id(model)}, pending[::-1]
        while pending and len(seen) < MOST:
            thing = pending.pop()
            if thing.__class__ in tracking.PLAIN or id(thing) in seen:
                continue
            seen.add(id(thing))
            if isinstance(thing, Variable):
                self.variables.append(thing)
            elif isinstance(thing, GENERATORS):
                self.generators.append((thing, state_of(thing)))
            elif isinstance(thing, np.ndarray):
                if thing.nbytes <= SMALL:
                    self.arrays.append((thing, thing.tobytes()))
            elif isinstance(thing, CompileLoss | CompileMetrics):  # they change in `compile` only
                pending += thing.objects[::-1]
            elif (held := self._held_by(thing)) is not None:
                self.places.append((thing, held))
                pending += [
                    one
                    for name, one in reversed(held.items())
                    if not (is_ours(thing) and name[0] == "_" and is_private(one))
                ]
        self._watch()

    def _watch(self):
        self.quick = []
        for thing, _ in self.places:
            if not is_layer(thing) and thing.__class__ is not tuple:  # layers tell when an attribute is assigned
                live = thing if isinstance(thing, list | dict) else vars(thing)
                self.quick.append((live, list(live.values()) if isinstance(live, dict) else list(live)))

    def _held_by(self, thing):
        """A dict of what an object or container holds and a step may read; None for what is not looked into."""
        if isinstance(thing, dict | list | tuple):
            if len(thing) > LONG:
                return None
            return dict(thing) if isinstance(thing, dict) else dict(enumerate(thing))
        if isinstance(thing, (Tensor, *CODE)) or not hasattr(thing, "__dict__"):
            return None
        package = (type(thing).__module__ or "").partition(".")[0]
        if isinstance(thing, Module) or is_ours(thing):
            held = {name: value for name, value in vars(thing).items() if name not in UNREAD}
            wanted = None if package == "eagerdl" else self.wanted
        elif package in FOREIGN:
            return None
        else:
            held, wanted = vars(thing), self.names
        return dict(held) if wanted is None else {name: value for name, value in held.items() if name in wanted}

    # -- questions ----------------------------------------------------------------------------------

    def holds(self):
        """True if nothing has changed; in few steps where nothing was assigned."""
        if self.change != tracking.changes[0] or self.switches != _switches():
            return self._holds_on()
        for live, held in self.quick:
            if len(live) != len(held) or not all(map(is_, live.values() if isinstance(live, dict) else live, held)):
                return self._holds_on()
        for place, name, held in self.outside:
            if read(place, name) is not held:
                return self._holds_on()
        return list(map(FLAGS, self.variables)) == self.flags and all(
            array.tobytes() == held for array, held in self.arrays
        )

    def _holds_on(self):
        """Looks closely; where all means the same, this becomes what is compared with."""
        change = tracking.changes[0]
        if self.difference() is not None:
            return False
        self.change = change
        self.of_model = self._held_by(self.model())
        self.places = [(thing, self._held_by(thing)) for thing, _ in self.places]
        self.outside = [(place, name, read(place, name)) for place, name, _ in self.outside]
        self._watch()
        return True

    def difference(self):
        """What has changed first, in words; None if nothing has."""
        if self.switches != _switches():
            return "a setting of edl.config"
        for place, name, held in self.outside:
            if not same(held, read(place, name)):
                return f"the variable {name!r}"
        for thing, before in [(self.model(), self.of_model), *self.places]:
            now = self._held_by(thing)
            if now is None or before.keys() != now.keys() or not all(map(same, before.values(), now.values())):
                return _named(thing, before, now or {})
        for variable, before, now in zip(self.variables, self.flags, map(FLAGS, self.variables)):
            if before != now:
                return f"{'trainable' if before[0] is not now[0] else 'an attribute'} of {variable.path}"
        for array, before in self.arrays:
            if array.tobytes() != before:
                return f"an array of NumPy of shape {array.shape}"
        return None

    def note_generators(self, function):
        """Looks at the generators of random numbers that a function of the user names, too."""
        known = {id(one) for one, _ in self.generators}
        for _, _, one in outside([function]):
            if isinstance(one, GENERATORS) and id(one) not in known:
                self.generators.append((one, state_of(one)))

    def note_states(self):
        """Notes where generators of NumPy and Python are now."""
        self.generators = [(one, state_of(one)) for one, _ in self.generators]

    def has_drawn(self):
        """True if a generator of NumPy or Python has moved."""
        return any(state_of(one) != state for one, state in self.generators)

    def put_back(self):
        """Puts generators of NumPy and Python back to where they were."""
        for one, state in self.generators:
            set_state(one, state)


def _switches():
    return dtypes._floatx, config._epsilon, config._image_data_format


_ours = weakref.WeakKeyDictionary()  # class -> whether it is


def is_ours(thing):
    """True for objects of classes that come from this package's, that its code reads in a step, and that may change."""
    known = _ours.get(type(thing))
    if known is None:
        modules = [base.__module__ or "" for base in type(thing).__mro__]
        fixed = any(module.startswith(FIXED) for module in modules)
        known = _ours[type(thing)] = not fixed and any(module.startswith(OURS) for module in modules)
    return known


def is_private(value):
    """True for a container of variables that an object of this package keeps: slots, weights."""
    if isinstance(value, dict):
        return not any(isinstance(one, Module) for one in value.values())
    return isinstance(value, list | tuple | set) and all(isinstance(one, Variable) for one in value)


def _named(thing, before, now):
    nothing = object()
    name = next(
        (name for name in {**before, **now} if not same(before.get(name, nothing), now.get(name, nothing))), None
    )
    called = getattr(thing, "name", None)
    called = f"{type(thing).__name__}{f' {called!r}' if isinstance(called, str) else ''}"
    return (
        f"an entry of a {called}" if isinstance(thing, dict | list | tuple) else f"the attribute {name!r} of {called}"
    )


def same(before, now):
    """True if Python code that reads one value does the same with the other."""
    if before is now:
        return True
    if before.__class__ is not now.__class__:
        return False
    if isinstance(before, tuple):
        return len(before) == len(now) and all(map(same, before, now))
    return isinstance(before, VALUES) and repr(before) == repr(now)


# -- what functions name ------------------------------------------------------------------------------


def named_in(functions):
    """The names of attributes and globals in the code of functions and of those inside of them."""
    names, pending = set(), [function.__code__ for function in functions]
    while pending:
        code = pending.pop()
        names.update(code.co_names)
        pending += [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return names


@functools.cache
def own_names():
    """The names of attributes that code of this package reads."""
    modules = [
        module for name, module in list(sys.modules.items()) if name.startswith("eagerdl.") and module is not None
    ]
    things = [thing for module in modules for thing in vars(module).values()]
    things += [thing for owner in things if isinstance(owner, type) for thing in vars(owner).values()]
    things = [
        getattr(thing, "fget", None) or getattr(thing, "func", None) or getattr(thing, "__func__", thing)
        for thing in things
    ]
    return named_in([thing for thing in things if isinstance(thing, types.FunctionType)])


def outside(functions):
    """What functions name of their modules, of classes, of the functions around them, as (dict or cell, name, what it holds)."""
    seen = set()
    for function in functions:
        names = named_in([function])
        found = [
            (function.__globals__, name, function.__globals__[name]) for name in names if name in function.__globals__
        ]
        found += [
            (cell, name, read(cell, name))
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())
        ]
        for space in [value for _, _, value in found if isinstance(value, type | types.ModuleType) and is_users(value)]:
            found += named_by(space, names)
        for place, name, value in found:
            if (id(place), name) not in seen and not isinstance(value, CODE):
                seen.add((id(place), name))
                yield place, name, value


def named_by(space, names):
    """What a module or class holds under `names`, as `outside`."""
    held = vars(space)
    return [(held, name, held[name]) for name in names if name in held and not isinstance(held[name], CODE)
            and not hasattr(held[name], "__get__")]  # fmt: skip


def is_users(space):
    """True for modules and classes of the program, in contrast to libraries."""
    module = space if isinstance(space, types.ModuleType) else sys.modules.get(space.__module__)
    file = getattr(module, "__file__", None) or ""
    return (
        module is not None
        and not file.startswith((PACKAGE_FOLDER, LIBRARY_FOLDER))
        and (file != "" or module.__name__ == "__main__")
    )


def read(place, name):
    """What a module, a class or a cell holds under a name; None for nothing."""
    if not isinstance(place, types.CellType):
        return place.get(name)
    try:
        return place.cell_contents
    except ValueError:
        return None


# -- generators of random numbers that no variable holds ---------------------------------------------


GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
OF_ALL = (np.random.mtrand._rand, random._inst)  # those behind the functions of the modules


def state_of(generator):
    """The state of a generator of NumPy or Python, as something that can be compared."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator._bit_generator
    return pickle.dumps(bits.state)


def set_state(generator, state):
    """Puts a generator into a state of `state_of`."""
    if isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator._bit_generator
        bits.state = pickle.loads(state)
