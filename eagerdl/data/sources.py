"""Where elements come from: arrays, ranges, lists, generators, random numbers."""

import numpy as np

from eagerdl import dtypes
from eagerdl.data.nodes import INFINITE, UNKNOWN, Draws, Iterator, Node, check_seed, install_lists
from eagerdl.data.structure import element_of, fit_to_spec, leaf_of, outline, spec_like, spec_of, with_shapes
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.tree import flatten, map_structure


class Slices(Node):
    """The slices of arrays along their first axis."""

    label = "from_tensor_slices"

    def __init__(self, arrays, label=None):
        self.leaves, self.build = flatten(arrays)
        sizes = [leaf.shape[0] for leaf in self.leaves if leaf is not None]
        self.size = sizes[0]
        self.single = len(self.leaves) == 1 and self.leaves[0] is arrays
        self.label = f"{label or self.label}({self.size})"

    @property
    def base(self):
        return self

    def cardinality(self):
        return self.size

    def iterator(self, walk):
        return PlaceIterator(self, self.size)

    def has_places(self):
        return True

    def at(self, index):
        if self.single:
            return self.leaves[0][index, ...]
        return self.build([None if leaf is None else leaf[index, ...] for leaf in self.leaves])

    def gather(self, indices):
        """The elements at many places as one batch."""
        return self.build([None if leaf is None else leaf.take(indices, 0) for leaf in self.leaves])

    def listed(self):
        return [self.at(index) for index in range(self.size)]

    def spec(self):
        return with_shapes(spec_of(self.build(self.leaves)), lambda shape: shape[1:])


def slices_of(tensors, where="from_tensor_slices"):
    """The node of `from_tensor_slices`.

    Raises:
        ShapeError: for numbers, and for arrays of unequal length.
    """
    arrays = element_of(tensors, where)
    leaves = [leaf for leaf in flatten(arrays)[0] if leaf is not None]
    if not leaves:
        raise ArgumentError(
            where, "at least one array is needed", f"got {tensors!r:.60}", "pass arrays of equal length"
        )
    for leaf in leaves:
        if not isinstance(leaf, np.ndarray) or leaf.ndim == 0:
            raise ShapeError(where, "arrays with a first axis are needed", f"got {outline(arrays)}",
                             "use from_tensors for one element")  # fmt: skip
    if len({leaf.shape[0] for leaf in leaves}) > 1:
        raise ShapeError(
            where, "all arrays must have the same length", f"got {outline(arrays)}", "check the first axis"
        )
    return Slices(arrays)


def tensors_of(tensors):
    """The node of `from_tensors`: one element."""
    element = element_of(tensors, "from_tensors")
    leaves = flatten(element)[0]
    if any(leaf is not None and not isinstance(leaf, np.ndarray) for leaf in leaves):
        return Listed([element], "from_tensors")
    if all(leaf is None for leaf in leaves):
        raise ArgumentError("from_tensors", "at least one array is needed", f"got {tensors!r:.60}", "pass an array")
    return Slices(map_structure(lambda leaf: None if leaf is None else leaf[None], element), "from_tensors")


class PlaceIterator(Iterator):
    """Goes through the places of a source one after the other; `size` is None if there is no end."""

    def __init__(self, source, size):
        self.source, self.size, self.position = source, size, 0

    def next(self):
        if self.position == self.size:
            raise StopIteration
        out = self.source.at(self.position)
        self.position += 1
        return out

    def _count(self, count):
        return count if self.size is None else min(count, self.size - self.position)

    def indices(self, count):
        start = self.position
        self.position += self._count(count)
        return np.arange(start, self.position)

    def skip(self, count):
        count = self._count(count)
        self.position += count
        return count

    def state(self):
        return {"position": self.position}

    def restore(self, state):
        self.position = state["position"]


class Listed(Node):
    """A list of elements, such as a window."""

    label = "window"

    def __init__(self, elements, label=None):
        self.elements = elements
        self.label = label or self.label

    def cardinality(self):
        return len(self.elements)

    def iterator(self, walk):
        return PlaceIterator(self, len(self.elements))

    def has_places(self):
        return True

    def at(self, index):
        return self.elements[index]

    def listed(self):
        return self.elements


install_lists(Listed)


class Range(Node):
    """Numbers from `start` in steps; without end if `size` is None."""

    def __init__(self, start, step, size, dtype, label):
        self.start, self.step, self.size = start, step, size
        self.label = f"{label}({start}, {step}, {size})"
        self.dtype = dtypes.standardize(dtype, label)

    @property
    def base(self):
        return self

    def cardinality(self):
        return INFINITE if self.size is None else self.size

    def iterator(self, walk):
        return PlaceIterator(self, self.size)

    def has_places(self):
        return self.size is not None

    def at(self, index):
        return np.array(self.start + index * self.step, self.dtype)

    def gather(self, indices):
        """The numbers at many places as one array."""
        return (self.start + indices * self.step).astype(self.dtype)

    def spec(self):
        return spec_like((), self.dtype)


def range_of(args, output_type):
    """The node of `range`, with the arguments of Python's.

    Raises:
        ArgumentError: for too many arguments, or a step of 0.
    """
    if not 1 <= len(args) <= 3:
        raise ArgumentError("range", "one to three numbers are needed", f"got {len(args)}", "use range(stop)")
    numbers = [leaf_of(arg, "range").item() for arg in args]
    if any(not isinstance(number, int) for number in numbers):
        raise DTypeError("range", "ints are needed", f"got {numbers}", "scale with map")
    if len(numbers) == 3 and numbers[2] == 0:
        raise ArgumentError("range", "the step must not be 0", f"got {numbers}", "use a step of 1 or -1")
    python = range(*numbers)
    return Range(python.start, python.step, len(python), output_type or "int64", "range")


class Generator(Node):
    """What a function's generator yields."""

    label = "from_generator"

    def __init__(self, function, args, signature):
        if not callable(function):
            raise DTypeError("from_generator", "a function that returns a generator is needed",
                             f"got {type(function).__name__}: {function!r:.60}",
                             "pass the function itself, without calling it, so that each pass begins anew")  # fmt: skip
        self.function, self.signature = function, signature
        self.args = [leaf_of(arg, "from_generator") for arg in args or ()]

    def iterator(self, walk):
        return GeneratorIterator(self)

    def cardinality(self):
        return UNKNOWN

    def spec(self):
        return super().spec() if self.signature is None else self.signature


class GeneratorIterator(Iterator):
    """Restored by reading again from the beginning, or on from where it is."""

    def __init__(self, node):
        self.node, self.source, self.position, self.ended = node, None, 0, False

    def _read(self):
        """What is yielded next, as it comes."""
        if self.source is None:
            made = self.node.function(*[arg[()] for arg in self.node.args])
            if not hasattr(made, "__iter__"):
                raise DTypeError("from_generator", "the function must return a generator or an iterable",
                                 f"it returned {type(made).__name__}", "write it with yield")  # fmt: skip
            self.source = iter(made)
        if self.ended:
            raise StopIteration
        try:
            value = next(self.source)
        except StopIteration:
            self.ended = True
            raise
        self.position += 1
        return value

    def next(self):
        value = self._read()
        which = f"element {self.position - 1}"
        if self.node.signature is not None:
            return fit_to_spec(value, self.node.signature, "from_generator", which)
        return element_of(value, "from_generator")

    def skip(self, count):
        for done in range(count):
            try:
                self._read()
            except StopIteration:
                return done
        return count

    def state(self):
        return {"position": self.position, "ended": self.ended}

    def restore(self, state):
        wanted = state["position"]
        if self.ended or wanted < self.position:
            self.source, self.position, self.ended = None, 0, False
        missing = wanted - self.position
        if self.skip(missing) < missing:
            raise ArgumentError("from_generator", f"the generator must yield again what it did: {wanted} elements were read",
                                f"now it ended after {self.position}", "make it yield the same every time")  # fmt: skip
        self.ended = bool(state["ended"])


def signature_of(output_types, output_shapes, output_signature):
    """The specs that the arguments of `from_generator` stand for, or None.

    Raises:
        ArgumentError: for both kinds of arguments at once.
    """
    if output_signature is not None and (output_types is not None or output_shapes is not None):
        raise ArgumentError("from_generator", "either output_signature, or output_types and output_shapes",
                            "both came", "use output_signature")  # fmt: skip
    if output_signature is not None:
        return output_signature
    if output_types is None:
        return None
    types, build = flatten(output_types)
    shapes = [None] * len(types) if output_shapes is None else _shapes(output_shapes)
    if len(shapes) != len(types):
        raise ShapeError("from_generator", "output_shapes must have the structure of output_types",
                         f"got {len(types)} dtypes and {len(shapes)} shapes", "use output_signature")  # fmt: skip
    return build([_spec(shape, dtype) for shape, dtype in zip(shapes, types)])


def _spec(shape, dtype):
    return spec_like(shape, np.dtype("U") if dtype in (str, "string") else dtypes.standardize(dtype, "from_generator"))


def _shapes(structure):
    """The shapes in a structure, where tuples of ints and Nones are leaves."""
    if structure is None or (
        isinstance(structure, tuple | list) and all(n is None or isinstance(n, int) for n in structure)
    ):
        return [structure]
    parts = structure.values() if isinstance(structure, dict) else structure
    return [shape for part in parts for shape in _shapes(part)]


class RandomNumbers(Node):
    """Random int64 from 0 to 2**32 - 1 without end."""

    label = "random"
    base = None

    def __init__(self, seed, rerandomize):
        self.seed, self.auto_seed = check_seed("random", seed), seed is None
        self.counted = bool(rerandomize)

    def iterator(self, walk):
        return RandomIterator(self, walk.path(self) if self.counted else ())

    def cardinality(self):
        return INFINITE

    def spec(self):
        return spec_like((), "int64")


class RandomIterator(Iterator):
    """Number i depends on the seed, the pass and i alone."""

    def __init__(self, node, path):
        self.node, self.path = node, path
        self.position, self.draws = 0, Draws(node.seed, path)

    def next(self):
        self.position += 1
        return np.array(self.draws.word(self.position - 1) >> 32, np.int64)

    def skip(self, count):
        self.position += count
        return count

    def state(self):
        return {"position": self.position, "seed": self.node.seed, "path": list(self.path)}

    def restore(self, state):
        self.node.seed, self.path = state["seed"], tuple(state["path"])
        self.position, self.draws = state["position"], Draws(state["seed"], self.path)
