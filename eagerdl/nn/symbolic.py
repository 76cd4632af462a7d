"""Symbolic tensors: shape and dtype without values, from which functional models are wired.

A layer or a function of `edl` called on one computes nothing: it adds a `Node` to the graph that the symbolic tensors hold,
and a functional model later runs the nodes in order on real tensors. What the result looks like is found out by running the
function on small arrays of zeros, with the unknown sizes filled in twice by different numbers.
"""

import contextlib
import inspect
import types
import weakref

import numpy as np

from eagerdl import dtypes, ops, registry, tree
from eagerdl.autograd import graph
from eagerdl.autograd.primitive import REGISTRY
from eagerdl.errors import ArgumentError, DTypeError, EagerdlError, ShapeError
from eagerdl.nn.names import auto_name, snake_case
from eagerdl.ops.generators import SeedGenerator, get_global_generator
from eagerdl.ops.operators import open_to_symbols
from eagerdl.tensor import Tensor, from_array, symbols

AREAS = ("random", "image")  # of functions of tensors beside those of `ops` itself
PRIMITIVE = "primitive:"
FILLS = (2, 3)  # two sizes for what is unknown: an axis of the result that follows them is unknown as well


class SymbolicTensor(Tensor):
    """The place of a tensor in a functional model: shape (None for unknown sizes) and dtype, no values.

    Args:
        shape: a tuple of ints and Nones, with the batch axis.
        dtype: the dtype; floatx by default.
        sparse, ragged: accepted for Keras' sake; only False.
        record_history: accepted for Keras' sake.
        name: a name for messages.

    Example:
        >>> x = edl.Input((3,), name="x")
        >>> edl.concatenate([x, x * 2.0], axis=-1)
        SymbolicTensor(shape=(None, 6), dtype=float32, from 'concatenate...')
    """

    __slots__ = ("_dtype", "_history", "_shape", "name")

    def __init__(self, shape, dtype=None, sparse=False, ragged=False, record_history=True, name=None):
        self._shape = tuple(None if n is None else int(n) for n in shape)
        self._dtype = dtypes.standardize(dtype)
        self._history = None  # (node, index among its outputs)
        self._node = None
        self.name = name or auto_name("tensor")
        if not symbols:
            symbols.append(None)  # from now on functions look for symbolic tensors among their arguments

    shape = property(lambda self: self._shape, doc="The sizes of the axes, None where unknown.")
    dtype = property(lambda self: self._dtype, doc="The dtype.")
    ndim = property(lambda self: len(self._shape), doc="How many axes there are.")
    device = property(lambda self: "symbolic", doc="Symbolic tensors live nowhere.")

    @property
    def operation(self):
        """The layer or function that this is a result of, None for a tensor made by hand."""
        return None if self._history is None else self._history[0].operation

    def __repr__(self):
        made = "" if self._history is None else f", from {self.operation.name!r}"
        return f"SymbolicTensor(shape={self._shape}, dtype={self._dtype}{made})"

    __str__ = __repr__

    def __format__(self, spec):
        return format(repr(self), spec)

    def _no_values(self, *args, **named):
        raise DTypeError("symbolic tensor", "a value is needed, and a symbolic tensor of a functional model has none",
                         repr(self), "do this inside a layer's call, where tensors have values")  # fmt: skip

    numpy = tolist = item = _scalar = __array__ = __index__ = __contains__ = __reduce__ = _no_values
    __bool__ = __float__ = __int__ = __complex__ = __dlpack__ = _no_values

    def __len__(self):
        if not self._shape or self._shape[0] is None:
            self._no_values()
        return self._shape[0]

    def __iter__(self):
        if not self._shape or self._shape[0] is None:
            raise DTypeError(
                "symbolic tensor",
                "iteration needs a known first axis",
                repr(self),
                "index the axis you mean, as in x[:, 0]",
            )
        return iter([self[i] for i in range(self._shape[0])])

    def _run(self, primitive, tensors, params):
        """Where the dispatcher leads an op of which an input is symbolic."""
        inputs = [[*tensors]] if primitive.variadic else tensors
        return call_function(primitive.call, (*inputs, *params), {}, primitive.name)

    def _call(self, function, args, named):
        """Where a public function made of several ops leads, so that the graph holds it whole."""
        return call_function(function, args, named, function.__name__)


KerasTensor = SymbolicTensor  # as Keras calls it


class Slot:
    """The place of one symbolic result of a node; the tensor is made again if somebody asks when nobody holds it."""

    __slots__ = ("dtype", "index", "name", "reference", "shape")

    def __init__(self, node, index, tensor):
        self.index, self.shape, self.dtype, self.name = index, tensor.shape, tensor.dtype, tensor.name
        tensor._history = (node, index)
        self.reference = weakref.ref(tensor)

    def tensor(self, node):
        """The symbolic tensor."""
        found = self.reference()
        if found is None:
            found = SymbolicTensor(self.shape, self.dtype, name=self.name)
            found._history = (node, self.index)
            self.reference = weakref.ref(found)
        return found


class Node:
    """One call of a layer or function on symbolic tensors.

    Symbolic tensors hold the node that they came from, and nodes their inputs. What came out is referred to weakly, and layers
    refer to their nodes weakly, so that nothing goes in a circle: a model that nobody holds is freed at once, with its weights.
    """

    __slots__ = ("__weakref__", "_outputs", "args", "named", "operation", "rebuild")

    def __init__(self, operation, args, named, outputs):
        self.operation, self.args, self.named = operation, args, named
        leaves = tree.flatten(outputs)[0]
        self.rebuild = tree.flatten(tree.map_structure(lambda x: None, outputs))[1]
        self._outputs = [
            Slot(self, index, out) if isinstance(out, SymbolicTensor) else out for index, out in enumerate(leaves)
        ]

    @property
    def outputs(self):
        """What came out."""
        return [out.tensor(self) if isinstance(out, Slot) else out for out in self._outputs]

    def inputs(self):
        """The symbolic tensors among the arguments, in order."""
        return [x for x in tree.flatten((self.args, self.named))[0] if isinstance(x, SymbolicTensor)]


class FunctionOp:
    """A function of `edl` as an operation of a functional model.

    Args:
        function: the function, or its name in `edl.ops`.
        name: a name, unique in the model.
    """

    def __init__(self, function, name=None):
        self.function = function = function_named(function) if isinstance(function, str) else function
        self.name = name or auto_name(snake_case(function.__name__))

    def __call__(self, *args, **named):
        return self.function(*args, **named)

    @property
    def known_as(self):
        """The name by which `function_named` finds the function, None for one that is not of `edl`."""
        return name_of(self.function)

    def __reduce__(self):
        return FunctionOp, (self.known_as or self.function, self.name)

    def __repr__(self):
        return f"<FunctionOp {self.name} of {self.function.__name__}>"


def is_keras_tensor(x):
    """True for a symbolic tensor of a functional model.

    Example:
        >>> edl.utils.is_keras_tensor(edl.Input((2,))), edl.utils.is_keras_tensor(edl.ones(2))
        (True, False)
    """
    return isinstance(x, SymbolicTensor)


def name_of(function):
    """The name of a function of `edl.ops`: ``"add"``, ``"random.dropout"``, ``"primitive:reshape"`` for the op behind one; or None.

    Example:
        >>> from eagerdl.nn.symbolic import name_of
        >>> name_of(edl.ops.matmul), name_of(edl.random.dropout)
        ('matmul', 'random.dropout')
    """
    plain = inspect.unwrap(function)
    for prefix, home in (("", ops), *[(f"{area}.", getattr(ops, area)) for area in AREAS]):
        found = getattr(home, function.__name__, None)
        if callable(found) and inspect.unwrap(found) is plain:
            return prefix + function.__name__
    primitive = getattr(function, "primitive", None)
    return None if primitive is None or REGISTRY.get(primitive.name) is not primitive else PRIMITIVE + primitive.name


def function_named(name):
    """The function that `name_of` gave a name.

    Raises:
        ArgumentError: if there is none, with the nearest name.
    """
    if name.startswith(PRIMITIVE):
        primitive = REGISTRY.get(name.removeprefix(PRIMITIVE))
        if primitive is not None:
            return primitive.call
    area, _, last = name.rpartition(".")
    if (area == "" or area in AREAS) and last in (home := getattr(ops, area) if area else ops).__all__:
        return getattr(home, last)
    raise ArgumentError("Model.from_config", "a function of eagerdl.ops is needed", f"got {name!r}"
                        + registry.nearest(name, ops.__all__), "use a layer for your own functions")  # fmt: skip


def any_symbolic(args, named=None):
    """True if a nested structure of arguments holds a symbolic tensor."""
    for value in args if not named else (*args, *named.values()):
        if isinstance(value, SymbolicTensor):
            return True
        if isinstance(value, dict):
            if any_symbolic([*value.values()]):
                return True
        elif isinstance(value, list | tuple) and any_symbolic(value):
            return True
    return False


def call_function(function, args, named, name):
    """A function on symbolic tensors: a new node, and symbolic results."""
    operation = FunctionOp(function, auto_name(snake_case(name)))
    with _seeds_kept((args, named)):
        outputs = infer(function, args, named)
    Node(operation, args, named, outputs)
    return outputs


def infer(function, args, named):
    """The SymbolicTensors that stand for ``function(*args, **named)``, found by running it on zeros.

    Raises:
        EagerdlError: what the function raises.
    """
    found = []
    with graph.pause():
        for fill in FILLS:
            real_args, real_named = tree.map_structure(lambda x, fill=fill: _stand_in(x, fill), (args, named))
            try:
                found.append(tree.flatten(function(*real_args, **real_named)))
            except EagerdlError as error:
                if not _has_unknown(args, named):
                    raise
                error.add_note(f"unknown sizes (None) of symbolic tensors were tried as {fill}")
                raise
    (one, build), (two, _) = found
    return build([_meet(a, b) for a, b in zip(one, two)])


@contextlib.contextmanager
def generator_kept():
    """A context after which the global generator is as before."""
    generator = get_global_generator()
    state = generator.state.numpy()
    try:
        yield
    finally:
        generator.state.assign(state)


@contextlib.contextmanager
def _seeds_kept(arguments):
    """A context after which the generators among nested arguments are as before, the global one too."""
    seeds = [(x, x.state.numpy()) for x in tree.flatten(arguments)[0] if isinstance(x, SeedGenerator)]
    with generator_kept():
        try:
            yield
        finally:
            for seed, state in seeds:
                seed.state.assign(state)


def _stand_in(x, fill):
    if isinstance(x, SymbolicTensor):
        return from_array(np.zeros([fill if n is None else n for n in x.shape], x.dtype))
    return x


def _has_unknown(args, named):
    return any(isinstance(x, SymbolicTensor) and None in x.shape for x in tree.flatten((args, named))[0])


def _meet(a, b):
    """What two runs with different fills have in common."""
    if not isinstance(a, Tensor):
        return a
    if a.ndim != b.ndim:
        raise ShapeError("symbolic tensor", "the rank of a result may not depend on unknown sizes", f"got {a.shape} and {b.shape}",
                         "do this inside a layer's call")  # fmt: skip
    return SymbolicTensor([m if m == n else None for m, n in zip(a.shape, b.shape)], a.dtype)


# Operators and methods that are functions made of several ops are held whole as well. All others lead to such functions, or to
# ops, which come to `_run`.
for _name, _op in [*vars(Tensor).items()]:
    if (
        isinstance(_op, types.FunctionType)
        and _op.__module__.startswith("eagerdl.ops")
        and not hasattr(_op, "primitive")
    ):
        if _name not in vars(SymbolicTensor) and name_of(_op) is not None:
            setattr(SymbolicTensor, _name, open_to_symbols(_op))
for _name in ("T", "mT", "real", "imag"):
    setattr(SymbolicTensor, _name, property(open_to_symbols(vars(Tensor)[_name].fget)))
