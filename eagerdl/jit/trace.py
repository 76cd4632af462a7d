"""`Trace`: one run of a Python function under tracing, from which a graph comes.

While a trace is under way in some thread, `Variable` answers its `_array` through properties: within the trace a variable is a
traced array, and what is assigned to it waits until the end; other threads see what they always see. Eager execution pays
nothing for that.
"""

import contextlib
import sys
import threading

import numpy as np

from eagerdl import devices
from eagerdl.autograd import dispatch
from eagerdl.errors import NUMPY_FOLDER, PACKAGE_FOLDER, TracingError
from eagerdl.jit.graph import CALL, CHECK, VIEW, Graph, Node, Value
from eagerdl.jit.running import current, switch_to
from eagerdl.jit.traced import Traced, examples, traced, under_way
from eagerdl.tensor import Tensor
from eagerdl.variable import Variable

_slots = {"_array": Tensor.__dict__["_array"], "_now": Variable.__dict__["_now"]}
_lock = threading.Lock()
_running = 0  # traces in all threads


class VariableMade(BaseException):
    """A variable came into being while a function was traced for the first time: this call has to run eagerly."""


class Trace:
    """A run of a function under tracing.

    Attributes:
        graph: what was computed so far.
        alive: whether it is still under way.
        rewrites: the laws that `stability` applied, each with the user's line.
    """

    def __init__(self, where, outer=None):
        self.where, self.outer = where, outer
        self.graph, self.alive, self.rewrites = Graph(), True, {}
        self.variables = {}  # variable -> its Traced now
        self.memos = {}  # variable -> what tapes keep of its value now
        self.known = {}  # id of an array from outside -> its Value; the graph holds the array

    # -- what comes from outside --------------------------------------------------------------------

    def input(self, array):
        """A new input."""
        value = Value(array)
        self.graph.inputs.append(value)
        return traced(self, array, value)

    def constant(self, array):
        """The Value of an array that is the same at each call."""
        value = self.known.get(id(array))
        if value is None:
            value = self.known[id(array)] = Value(array)
            self.graph.constants[value] = array
        return value

    def fresh(self, array):
        """A new array that Python code may fill: its elements are those of a constant until then."""
        return traced(self, array, self.constant(array.copy("K")), writable=True)

    def read(self, variable, array):
        """The variable's value now."""
        found = self.variables.get(variable)
        if found is None:
            if not is_packed(
                array
            ):  # such as a reversed view that was assigned: programs keep variables in blocks of memory
                array = array.copy("C")
                _slots["_array"].__set__(variable, array)
            value = Value(array)
            self.graph.variables[variable] = value
            found = self.variables[variable] = traced(self, array, value)
        return found

    def write(self, variable, array):
        """Assigns to a variable, for the rest of the trace; the variable itself changes at the end."""
        if variable not in self.variables:
            self.read(variable, _slots["_array"].__get__(variable))
        if not isinstance(array, Traced):
            array = traced(self, array, self.constant(array))
        array = self.own(array)
        array.writable = False
        self.variables[variable] = array
        self.memos.pop(variable, None)
        self.graph.writes[variable] = array.value

    # -- what is computed -----------------------------------------------------------------------------

    def own(self, traced):
        """A traced array as one of this trace.

        Raises:
            TracingError: if it belongs to another one.
        """
        if traced.trace is not self:
            raise TracingError.at(
                "a tensor of a trace cannot be used outside of it",
                f"a tensor of shape {traced.shape} came from the trace of {traced.trace.where}",
                "return it from the function, or keep it in a Variable",
            )
        return traced

    def encode(self, tree):
        """Nested arguments with Values in the place of arrays."""
        if isinstance(tree, Traced):
            return self.own(tree).value
        if isinstance(tree, np.ndarray) or devices.is_on_gpu(tree):
            return self.constant(tree)
        if isinstance(tree, tuple):
            new = [self.encode(one) for one in tree]
            return type(tree)(*new) if hasattr(tree, "_fields") else tuple(new)
        if isinstance(tree, list):
            return [self.encode(one) for one in tree]
        if isinstance(tree, dict):
            return {name: self.encode(one) for name, one in tree.items()}
        if isinstance(tree, slice):
            return slice(self.encode(tree.start), self.encode(tree.stop), self.encode(tree.step))
        return tree

    def add(self, kind, function, args, named, result, label=None):
        """Adds a call that gave `result` to the graph.

        Returns:
            The Traced, or a tuple or list of them, that stands for the result.

        Raises:
            TracingError: if the result is no array.
        """
        node = Node(kind, function, self.encode(args), self.encode(named), user_line(), label)
        several = node.several = isinstance(result, tuple | list)
        arrays = [*map(dispatch.as_array, result if several else (result,))]
        plain = isinstance(result, bool | int | float | str) and not isinstance(result, np.generic)
        if plain or any(array.dtype.kind not in "biufcV" for array in arrays):
            raise TracingError.at("only arrays can be traced", f"{node.label} gave {type(result).__name__}", "use ops")
        sources = [one for one in leaves(args) if isinstance(one, Traced)]
        views = node.shares = any(may_share_memory(array, x.example) for array in arrays for x in sources)
        if kind == VIEW and not views:
            node.kind = CALL
        if views:
            for x in sources:
                x.writable = False
        node.outputs = tuple([Value(array, node) for array in arrays])
        self.graph.nodes.append(node)
        made = [traced(self, array, value, not views) for array, value in zip(arrays, node.outputs)]
        if several:
            return tuple(made) if isinstance(result, tuple) else made
        return made[0]

    def opaque(self, primitive, arrays, params):
        """Calls the forward of an op as a whole, at each call again, and adds that to the graph."""
        args = (list(arrays), *params) if primitive.variadic else (*arrays, *params)
        result = primitive.forward(*examples(args))
        made = self.add(CALL, primitive.forward, args, {}, result, primitive.name)
        return made

    def check(self, function, args):
        """Adds a function that raises where arrays hold what they must not."""
        function(*examples(args))
        self.graph.nodes.append(Node(CHECK, function, self.encode(args), {}, user_line()))

    # -- the run ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self):
        """A context in which this thread traces."""
        _shadow_variables()
        before = switch_to(self)
        try:
            with np.errstate(all="ignore"):  # infinities and NaNs are results
                yield self
        finally:
            switch_to(before)
            _show_variables()

    def finish(self):
        """Ends the trace: variables get the values that they were assigned."""
        for variable in self.graph.writes:
            example = self.variables[variable].example
            _slots["_array"].__set__(variable, example if example.flags.owndata else example.copy("K"))
            _slots["_now"].__set__(variable, None)

    def close(self):
        """Lets go of what only the trace needed: its arrays refer to it, so that all would wait for the garbage collector."""
        self.alive = False
        self.variables, self.memos, self.known = {}, {}, {}


def may_share_memory(a, b):
    """True if two arrays may be the same memory."""
    return devices.is_on_gpu(a) == devices.is_on_gpu(b) and bool(np.may_share_memory(a, b))


def is_packed(array):
    """True if an array fills a block of memory, in whatever order of axes."""
    step = array.itemsize
    for n, stride in sorted(zip(array.shape, array.strides), key=lambda pair: pair[1]):
        if n != 1 and stride != step:
            return array.size == 0
        step *= n
    return True


def leaves(tree):
    """The leaves of nested tuples, lists and dicts."""
    if isinstance(tree, tuple | list):
        for one in tree:
            yield from leaves(one)
    elif isinstance(tree, dict):
        yield from leaves(list(tree.values()))
    else:
        yield tree


def user_line():
    """Where the nearest code that is not of this package or NumPy stands: "file:line"."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((PACKAGE_FOLDER, NUMPY_FOLDER)):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


# -- variables under tracing ------------------------------------------------------------------------


def _get_array(variable):
    array, trace = _slots["_array"].__get__(variable), current()
    return array if trace is None else trace.read(variable, array)


def _set_array(variable, array):
    trace, slot = current(), _slots["_array"]
    if trace is None:
        slot.__set__(variable, array)
        return
    try:
        slot.__get__(variable)
    except AttributeError:
        raise VariableMade from None
    trace.write(variable, array)


def _get_now(variable):
    trace = current()
    return _slots["_now"].__get__(variable) if trace is None else trace.memos.get(variable)


def _set_now(variable, now):
    trace = current()
    if trace is None:
        _slots["_now"].__set__(variable, now)
    elif now is None:
        trace.memos.pop(variable, None)
    else:
        trace.memos[variable] = now


def _shadow_variables():
    global _running
    with _lock:
        _running += 1
        if _running == 1:
            Variable._array, Variable._now = property(_get_array, _set_array), property(_get_now, _set_now)


def _show_variables():
    global _running
    with _lock:
        _running -= 1
        if _running == 0:
            del Variable._array
            Variable._now = _slots["_now"]


@contextlib.contextmanager
def outside():
    """A context in which this thread does not trace."""
    before = switch_to(None)
    try:
        yield
    finally:
        switch_to(before)


def _as_a_whole(primitive, arrays, params):
    return under_way().opaque(primitive, arrays, params)


dispatch.as_a_whole = _as_a_whole
