"""The graph of a traced function: what arrays are computed from which, in NumPy's own words.

A `Value` is an array that a function computes: shape, dtype and strides, no elements. A `Node` is one call of NumPy, or of the
forward of an op, that made one or several of them. Nodes stand in the order in which they ran, so that every value is made
before it is used.
"""

import itertools

import numpy as np

from eagerdl.devices import is_on_gpu

ELEMENTWISE = "elementwise"  # a ufunc, or a cast, of which each element of the result needs one element of each input
REDUCE = "reduce"  # ufunc.reduce over axes
VIEW = "view"  # other strides over the same memory
CALL = "call"  # any other function of arrays without side effects
CHECK = "check"  # a function that raises if arrays hold what they must not, and returns nothing
LOOP = "loop"  # control flow: a call whose body is a graph of its own


class Value:
    """An array of the graph.

    Args:
        shape, dtype, strides: how it looks, as NumPy or CuPy laid it out when the function was traced.
        gpu: the number of the GPU on which it lives; None for the CPU.
        node: the Node that makes it; None for what comes from outside.
    """

    __slots__ = ("dtype", "gpu", "name", "node", "shape", "strides")

    def __init__(self, example, node=None, name=""):
        self.shape, self.dtype, self.strides = example.shape, example.dtype, example.strides
        self.node, self.name = node, name
        if isinstance(example, Value):
            self.gpu = example.gpu
        else:
            self.gpu = example.device.id if is_on_gpu(example) else None

    @property
    def on_gpu(self):
        return self.gpu is not None

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        out = 1
        for n in self.shape:
            out *= n
        return out

    @property
    def nbytes(self):
        return self.size * self.dtype.itemsize

    def __repr__(self):
        return f"{self.name or 'value'} {self.dtype}{list(self.shape)}"


class Node:
    """One call.

    Args:
        kind: one of the kinds above.
        function: what is called: a ufunc for elementwise calls and reductions, else a function.
        args: its arguments, in nested tuples, lists, dicts and slices; arrays of the graph stand there as `Value`s.
        named: its named arguments.
        line: where the user's code asked for it, "file:line".
        label: what it is called in pictures.
    """

    __slots__ = ("args", "function", "inputs", "kind", "label", "line", "named", "outputs", "several", "shares")

    def __init__(self, kind, function, args, named, line="", label=None):
        self.kind, self.function, self.args, self.named, self.line = kind, function, args, named, line
        self.label = label or getattr(function, "__name__", str(function))
        self.inputs = values_in((args, named))
        self.outputs = ()
        self.several = False  # whether a tuple or list comes out
        self.shares = False  # whether what comes out may be memory of an input

    @property
    def acts(self):
        """True for calls that are made although nobody reads what comes out: they may raise or print."""
        return self.kind == CHECK or (self.kind == LOOP and self.function.acts)

    def run(self, lookup):
        """Calls the function on the arrays that `lookup` gives for the values."""
        args, named = replaced(self.args, lookup), replaced(self.named, lookup)
        return self.function(*args, **named)

    def __repr__(self):
        return f"<{self.kind} {self.label} -> {list(self.outputs)}>"


class Graph:
    """What a function computes.

    Attributes:
        inputs: the values of its array arguments.
        variables: the variables that it reads or writes -> the value that each had at the beginning.
        writes: the variables that it writes -> the value that each has at the end.
        constants: values of arrays that came from outside -> the array.
        nodes: the calls, in order.
        outputs: the values that it returns.
    """

    def __init__(self):
        self.inputs, self.variables, self.writes, self.constants = [], {}, {}, {}
        self.nodes, self.outputs = [], []

    def ends(self):
        """The values that are needed when all is done: what is returned and what is written into variables."""
        return [*self.outputs, *self.writes.values()]

    def without_dead_code(self):
        """Drops the calls that neither results nor variables nor checks depend on; returns the graph."""
        needed, kept = set(self.ends()), []
        for node in reversed(self.nodes):
            if node.acts or not needed.isdisjoint(node.outputs):
                needed.update(node.inputs)
                kept.append(node)
        self.nodes = kept[::-1]
        return self

    def acts(self):
        """True if one of its calls does, see `Node`."""
        return any(node.acts for node in self.nodes)

    def parted(self, first, wanted):
        """Parts the graph at values from outside: what does not depend on them, and what does.

        Args:
            first: the values, among the inputs.
            wanted: the values that the second part has to give.

        Returns:
            The two graphs, without inputs and outputs, and the values of the first that the second needs. Views are made again
            in the second, since what they are views of is among those.
        """
        late, early_nodes, late_nodes = set(first), [], []
        for node in self.nodes:
            if late.isdisjoint(node.inputs):
                early_nodes.append(node)
            else:
                late.update(node.outputs)
                late_nodes.append(node)
        needed, views = {*wanted, *[value for node in late_nodes for value in node.inputs]}, []
        for node in reversed(early_nodes):
            if node.kind == VIEW and not needed.isdisjoint(node.outputs):
                needed.update(node.inputs)
                views.append(node)
        late_nodes = views[::-1] + late_nodes
        made = {*first, *[value for node in late_nodes for value in node.outputs]}
        reads = [value for node in late_nodes for value in node.inputs] + [*wanted]
        saved = [value for value in dict.fromkeys(reads) if value not in made and value not in self.constants]
        parts = Graph(), Graph()
        for part, nodes in zip(parts, (early_nodes, late_nodes)):
            part.constants, part.nodes = dict(self.constants), nodes
        return *parts, saved

    def values(self):
        """All values, those from outside first."""
        yield from (*self.inputs, *self.variables.values(), *self.constants)
        for node in self.nodes:
            yield from node.outputs

    def gpus(self):
        """The numbers of the GPUs on which its arrays live."""
        return {value.gpu for value in self.values()} - {None}

    def is_on_gpu(self):
        """True if an array of it lives on a GPU."""
        return bool(self.gpus())

    def users(self):
        """For each value the nodes that read it, in order."""
        users = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                users.setdefault(value, []).append(node)
        return users

    def named_values(self):
        """Gives every value a short name, for sources and pictures; returns the values in order."""
        values = [*self.values()]
        taken = {value.name for value in values}
        names = (name for index in itertools.count() if (name := f"t{index}") not in taken)
        for value in dict.fromkeys(values):
            if not value.name:
                value.name = next(names)
        return values


def values_in(tree):
    """The Values in nested arguments, in order."""
    found = []
    _collect(tree, found)
    return tuple(found)


def _collect(tree, found):
    if isinstance(tree, Value):
        found.append(tree)
    elif isinstance(tree, tuple | list):
        for one in tree:
            _collect(one, found)
    elif isinstance(tree, dict):
        for one in tree.values():
            _collect(one, found)
    elif isinstance(tree, slice):
        _collect((tree.start, tree.stop, tree.step), found)


def replaced(tree, lookup):
    """Nested arguments with ``lookup(value)`` in the place of each Value."""
    if isinstance(tree, Value):
        return lookup(tree)
    if isinstance(tree, tuple):
        new = [replaced(one, lookup) for one in tree]
        return type(tree)(*new) if hasattr(tree, "_fields") else tuple(new)
    if isinstance(tree, list):
        return [replaced(one, lookup) for one in tree]
    if isinstance(tree, dict):
        return {name: replaced(one, lookup) for name, one in tree.items()}
    if isinstance(tree, slice):
        return slice(replaced(tree.start, lookup), replaced(tree.stop, lookup), replaced(tree.step, lookup))
    return tree


def is_gufunc(function):
    """True for ufuncs on whole axes, such as np.matmul."""
    return isinstance(function, np.ufunc) and function.signature is not None
