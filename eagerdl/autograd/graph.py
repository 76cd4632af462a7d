"""The graph that tapes record: one `Node` per op, held by the tensors that came out of it.

A tensor holds its node, a node its parents and the arrays that its derivative needs. So a result that nobody holds any
more frees what was saved for it, by reference counting alone. The other way round, when every tape that could ask for a
node is finished, the node is cleared, although its tensor may live on.
"""

import contextvars
import itertools
import math
import operator
import weakref

from eagerdl.arrays import PYTHON_SCALARS
from eagerdl.dtypes import INEXACT_SET
from eagerdl.tensor import Tensor, from_array
from eagerdl.variable import Variable

SCALARS, NOTHING = frozenset(PYTHON_SCALARS), frozenset()


class Spec:
    """What a rule knows of an array whose values nobody kept: its shape and dtype."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape, dtype):
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return math.prod(self.shape)

    def __repr__(self):
        return f"Spec(shape={self.shape}, dtype={self.dtype})"


class Node:
    """One recorded op: how a tensor was computed.

    `inputs` holds each input itself where a rule needs its values (a variable as the tensor that it was then), the pair of its
    shape and dtype where that is enough, else None; numbers as they are. `parents` holds the node of each input that the
    recording watches, else None. `out` is the array that came out where a rule needs it; for ops with several results a tuple
    of them, or their number. It holds no tensor that came out, which would be a cycle. Later nodes have higher serial numbers.
    """

    __slots__ = ("__weakref__", "inputs", "out", "params", "parents", "primitive", "recording", "serial")

    def clear(self):
        """Forgets how the tensor was computed."""
        self.inputs = self.parents = self.params = ()
        self.out = self.primitive = self.recording = None

    def is_watched(self):
        """True while some tape could ask for this node."""
        return self.recording is not None and any(core.alive for core in self.recording.members)

    def revive(self):
        """What came out, as a tensor on the graph again; None where it was not kept."""
        out = self.out
        if out is None or out.__class__ is int:
            return None
        if out.__class__ is tuple:
            return tuple([from_array(array, pick(self, index)) for index, array in enumerate(out)])
        return from_array(out, self)


weak = weakref.ref
spies = []  # functions that are shown the inputs of ops which were recorded by other tapes than those recording now
serials = itertools.count(1)


class Leaf(Node):
    """Where a graph begins: a watched tensor."""

    __slots__ = ()

    def __init__(self):
        self.clear()
        self.serial = 0


class VariableLeaf(Leaf):
    """Where a graph begins at a variable: one for life, over all assignments. Which tapes watch it, they know."""

    __slots__ = ("owner",)

    def __init__(self, variable):
        super().__init__()
        self.owner = weak(variable)

    def is_watched(self):
        """True while a tape records that watches the variable."""
        recording = active()
        return recording is not None and any(core.has(self) for core in recording.members)


class Recording:
    """Tapes that record together; nodes refer to it to say who may ask for them.

    Attributes:
        members: the cores of these tapes, a frozenset.
        forward: those of them that are in forward mode, outer ones first.
        auto: whether this is one tape, which watches trainable variables by itself.
        watched: leaves of variables that all members are known to watch.
        nodes: weak references to what was recorded.
    """

    __slots__ = ("auto", "forward", "nodes", "watched")

    def clear(self):
        """Clears the nodes that are still held by someone."""
        for node in map(operator.call, self.nodes):
            if node is not None and node.recording is not None:
                node.clear()
        self.nodes = []


class Core(Recording):
    """The part of a tape that recordings and nodes refer to; it is what this tape records alone."""

    __slots__ = ("alive", "edges", "shared", "tensors")

    def __init__(self, auto):
        self.auto = auto
        self.alive = True
        self.forward = self.shared = self.tensors = ()  # recordings with others; weak references to watched nodes
        self.edges = (
            NOTHING  # weak references to watched nodes that other tapes recorded: what led to them is not this tape's
        )
        self.watched = {}  # the leaf of a variable -> the variable
        self.nodes = []

    @property
    def members(self):
        return frozenset((self,))

    def has(self, node):
        """True if this tape watches the leaf or recorded the op."""
        if node is None:
            return False
        recording = node.recording
        return recording is self or node in self.watched or (recording is not None and self in recording.members)

    def watches_only(self, nodes):
        """True if all that is watched, and still lives, is among `nodes`."""
        if self.tensors and any(reference() not in nodes for reference in self.tensors if reference() is not None):
            return False
        return nodes.issuperset(self.watched)

    def finish(self):
        """Nobody will ask any more: clears the nodes that no other tape may ask for."""
        self.alive = False
        if self.nodes:
            self.clear()
        for recording in self.shared:
            _shared.pop(recording.members, None)
            if not any(core.alive for core in recording.members):
                recording.clear()
        self.shared = ()


class Together(Recording):
    """Several tapes that record at the same time."""

    __slots__ = ("members",)

    def __init__(self, members):
        self.auto = False
        self.members = members
        self.forward = tuple(sorted((core for core in members if core.forward), key=lambda core: core.serial))
        self.watched = {}
        self.nodes = []


_shared = {}
_active = contextvars.ContextVar("eagerdl_recording", default=None)  # each thread has its own


def recording_of(members):
    """The one Recording of these cores, None for none of them."""
    if len(members) < 2:
        return next(iter(members), None)
    found = _shared.get(members)
    if found is None:
        found = _shared[members] = Together(members)
        for core in members:
            core.shared += (found,)
    return found


active, activate = _active.get, _active.set  # the recording under way in this thread, or None


class pause:
    """A context in which some cores (all without an argument) do not record."""

    def __init__(self, cores=None):
        self.cores = cores

    def __enter__(self):
        self.before = current = active()
        rest = None if current is None or self.cores is None else recording_of(current.members.difference(self.cores))
        activate(rest)

    def __exit__(self, *exc):
        before = self.before
        if before is not None and not all(core.alive for core in before.members):  # one was used up meanwhile
            before = recording_of(frozenset(core for core in before.members if core.alive))
        activate(before)


class Results(dict):
    """Cotangents of an op with several results, by their index; of results that nobody used there are none."""

    def __add__(self, other):
        both = Results(self)
        for index, g in other.items():
            both[index] = both[index] + g if index in both else g
        return both


class _Pick:
    """Stands for a primitive in the nodes made by `pick`."""

    name = "pick"

    @staticmethod
    def pull(g, out, needs, inputs, params):
        return (Results({params[0]: g}),)


PICK = _Pick()


def pick(node, index):
    """The node of result number `index` of an op with several results."""
    out = Node()
    out.primitive = PICK
    out.parents = (node,)
    out.params = (index,)
    out.inputs = ()
    out.out = None
    out.recording = node.recording
    out.serial = next(serials)
    return out


# -- recording ----------------------------------------------------------------------------------


def admit(node, recording):
    """True if all of `recording` watches the variable of this leaf; a tape alone does so from the first use on."""
    if node.__class__ is not VariableLeaf:
        return False
    if node in recording.watched:
        return True
    variable = node.owner()
    if not recording.auto or variable is None or not variable.trainable or variable._array.dtype not in INEXACT_SET:
        return False
    recording.watched[node] = variable
    return True


def held(x, keeps):
    """What a node holds of an input of which the primitive `keeps` all (True), the shape and dtype (False), or nothing (None).

    All of a tensor is the tensor itself; of a variable, which may be assigned, it is the value now.
    """
    if x.__class__ in SCALARS:
        return x
    if keeps is None:
        return None
    if not keeps:
        array = x._array
        return array.shape, array.dtype
    if x.__class__ is Tensor:
        return x
    now = x._now
    if now is None:
        now = x._now = from_array(x._array, x._node)
    return now


def record_binary(primitive, out, x1, x2):
    """`record` for two inputs, of which one may be a number, and one result, where one recording watches."""
    left = None if x1.__class__ in SCALARS else x1._node
    right = None if x2.__class__ in SCALARS else x2._node
    if left is None and right is None:
        return
    recording = active()
    if recording is None:
        return
    if (
        (left is not None and left.recording is not recording and not admit(left, recording))
        or (right is not None and right.recording is not recording and not admit(right, recording))
        or recording.forward
    ):
        record(primitive, out, (x1, x2), ())
        return
    one, two = primitive.keeps
    node = out._node = Node()
    node.primitive = primitive
    node.inputs = (
        x1 if one and x1.__class__ is Tensor else held(x1, one),
        x2 if two and x2.__class__ is Tensor else held(x2, two),
    )
    node.params = ()
    node.parents = left, right
    node.out = out._array if primitive.keeps_out else None
    node.recording = recording
    node.serial = next(serials)
    recording.nodes.append(weak(node))


def record(primitive, out, inputs, params):
    """Gives the tensor `out` (a tuple of them for several results) its node, if a tape of this thread wants it."""
    recording = active()
    if recording is None or primitive.pull is None:
        return
    parents = tuple([x._node if isinstance(x, Tensor) else None for x in inputs])
    for node in parents:
        if node is not None and node.recording is not recording and not admit(node, recording):
            if spies:
                spies[-1](inputs)
            recording = _who_wants(recording, parents)
            if recording is None:
                return
            parents = tuple([node if any(core.has(node) for core in recording.members) else None for node in parents])
            break
    else:
        if not any(parents):
            return
    keeps = primitive.keeps or (primitive.keep_all,) * len(inputs)
    node = Node()
    node.primitive = primitive
    node.inputs = tuple(map(held, inputs, keeps))
    node.params = params
    node.parents = parents
    node.recording = recording
    node.serial = next(serials)
    recording.nodes.append(weak(node))
    if out.__class__ is tuple:
        node.out = tuple([one._array for one in out]) if primitive.keeps_out else len(out)
        for index, one in enumerate(out):
            one._node = pick(node, index)
            recording.nodes.append(weak(one._node))
    else:
        node.out = out._array if primitive.keeps_out else None
        out._node = node
    if recording.forward:
        for core in recording.forward:
            core.accumulator().push(node, inputs, out)
        if len(recording.forward) == len(recording.members):
            node.inputs = node.parents = ()  # forward mode has used them already
            node.out = None


def _who_wants(recording, parents):
    """The part of `recording` that watches one of these nodes; variables are watched at their first use."""
    wanted = set()
    members = recording.members
    for node in parents:
        if node.__class__ is VariableLeaf:
            watching = {core for core in members if core.alive and admit(node, core)}
            if watching == members:
                recording.watched.setdefault(node)  # for next time
            wanted |= watching
        elif node is not None and node.recording is not None:
            wanted |= members & node.recording.members
    return recording_of(frozenset(wanted))


Variable._new_leaf = VariableLeaf
