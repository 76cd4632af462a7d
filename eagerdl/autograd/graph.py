"""The graph that tapes record: one `Node` per op, held by the tensors that came out of it.

A tensor holds its node, a node its parents and the arrays that its derivative needs. So a result that nobody holds any
more frees what was saved for it, by reference counting alone. The other way round, when every tape that could ask for a
node is finished, the node is cleared, although its tensor may live on.
"""

import contextvars
import functools
import itertools
import math
import weakref
from typing import NamedTuple

import numpy as np

from eagerdl.arrays import PYTHON_SCALARS
from eagerdl.dtypes import INEXACT_SET
from eagerdl.tensor import Tensor, from_array
from eagerdl.variable import Variable

SCALARS = frozenset(PYTHON_SCALARS)
new_tuple = tuple.__new__


class Spec(NamedTuple):
    """What a rule knows of an array whose values nobody kept: its shape and dtype."""

    shape: tuple
    dtype: np.dtype

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return math.prod(self.shape)


class Node:
    """One recorded op: how a tensor was computed.

    `inputs` holds each input itself where a rule needs its values (a variable as the tensor that it was then), else a Spec of
    it; numbers as they are. `out` is the array that came out where a rule needs it; for ops with several results a
    tuple of them, or their number. It holds no tensor that came out, which would be a cycle. Later nodes have higher
    serial numbers.
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


new_node = functools.partial(object.__new__, Node)
weak = weakref.ref
spies = []  # functions that are shown the inputs of ops which were recorded by other tapes than those recording now
serials = itertools.count(1)


class Leaf(Node):
    """Where a graph begins: a watched tensor, or a variable, whose leaf stays the same over assignments."""

    __slots__ = ("owner",)

    def __init__(self, owner=None):
        self.clear()
        self.serial = 0
        self.owner = None if owner is None else weakref.ref(owner)


class Core:
    """The part of a tape, or of a forward accumulator, that recordings refer to."""

    __slots__ = ("accumulator", "alive", "auto", "serial", "shared", "solo", "tensors", "watched")

    def __init__(self, auto, accumulator=None):
        self.serial = next(serials)  # inner tapes have higher numbers
        self.auto = auto  # watches trainable variables by itself
        self.accumulator = accumulator  # a weak reference, for forward mode
        self.alive = True
        self.watched = {}  # the leaf of a variable -> the variable
        self.tensors = ()  # weak references to the nodes of watched tensors
        self.solo = Recording(frozenset((self,)), () if accumulator is None else (self,), self)
        self.shared = []  # recordings together with other cores

    def watches_only(self, nodes):
        """True if all that is watched, and still lives, is among `nodes`."""
        if self.tensors and any(reference() not in nodes for reference in self.tensors if reference() is not None):
            return False
        return nodes.issuperset(self.watched)

    def finish(self):
        """Nobody will ask any more: clears the nodes that no other tape may ask for."""
        self.alive = False
        for leaf in self.watched:  # else variable, leaf, recording and this would hold each other
            recording = leaf.recording
            if recording is not None and self in recording.members:
                leaf.recording = None
        self.watched = {}
        solo, self.solo = self.solo, None
        solo.clear()
        if self.shared:
            for recording in self.shared:
                _shared.pop(recording.members, None)
                if not any(core.alive for core in recording.members):
                    recording.clear()
            self.shared = []


class Recording:
    """A set of tapes that record together; nodes refer to it to say who may ask for them."""

    __slots__ = ("core", "forward", "members", "nodes")

    def __init__(self, members, forward, core=None):
        self.members = members
        self.core = core  # the only one of them, where there is one
        self.forward = forward  # those of them that are in forward mode, outer ones first
        self.nodes = []  # weak references

    def clear(self):
        """Clears the nodes that are still held by someone."""
        for reference in self.nodes:
            node = reference()
            if node is not None and node.recording is not None:
                node.clear()
        self.nodes = []


_shared = {}
_active = contextvars.ContextVar("eagerdl_recording", default=None)  # each thread has its own


def recording_of(members):
    """The one Recording of these cores, None for none of them."""
    if not members:
        return None
    if len(members) == 1:
        (core,) = members
        return core.solo
    found = _shared.get(members)
    if found is None:
        forward = sorted((core for core in members if core.accumulator is not None), key=lambda core: core.serial)
        found = _shared[members] = Recording(members, forward)
        for core in members:
            core.shared.append(found)
    return found


def active():
    """The recording under way in this thread, or None."""
    return _active.get()


class pause:
    """A context in which some cores (all without an argument) do not record."""

    def __init__(self, cores=None):
        self.cores = cores

    def __enter__(self):
        self.before = current = _active.get()
        rest = None if current is None or self.cores is None else recording_of(current.members.difference(self.cores))
        _active.set(rest)

    def __exit__(self, *exc):
        before = self.before
        if before is not None and not all(core.alive for core in before.members):  # one was used up meanwhile
            before = recording_of(frozenset(core for core in before.members if core.alive))
        _active.set(before)


def pick(node, index):
    """The node of result number `index` of an op with several results."""
    out = new_node()
    out.primitive = PICK
    out.parents = (node,)
    out.params = (index,)
    out.inputs = ()
    out.out = None
    out.recording = node.recording
    out.serial = next(serials)
    return out


class _Pick:
    """Stands for a primitive in the nodes made by `pick`."""

    name = "pick"


PICK = _Pick()


def admit(node, recording):
    """True if all of `recording` watches `node` from now on: the first use of a variable under a tape of its own."""
    if node.__class__ is not Leaf or node.owner is None or recording.core is None:
        return False
    variable = node.owner()
    if not recording.core.auto or not variable.trainable or variable._array.dtype not in INEXACT_SET:
        return False
    recording.core.watched[node] = variable
    node.recording = recording
    return True


def kept(x):
    """What a node holds of an input whose values a rule needs: itself; of a variable, which may be assigned, the value now."""
    if x.__class__ is Tensor:
        return x
    now = x._now
    if now is None:
        now = x._now = from_array(x._array, x._node)
    return now


def record_unary(primitive, out, x, params):
    """`record` for one input and one result, both plain, where one recording watches: the common case, in few steps."""
    recording = _active.get()
    if recording is None:
        return
    parent = x._node
    if (parent.recording is not recording and not admit(parent, recording)) or recording.forward:
        record(primitive, out, (x,), params)
        return
    node = new_node()
    a = x._array
    node.inputs = (kept(x) if primitive.keeps[0] else new_tuple(Spec, (a.shape, a.dtype)),)
    node.out = out._array if primitive.keeps_out else None
    node.params = params
    node.parents = (parent,)
    node.primitive = primitive
    node.recording = recording
    node.serial = next(serials)
    out._node = node
    recording.nodes.append(weak(node))


def record_binary(primitive, out, x1, x2):
    """`record` for two inputs, of which one may be a number, and one result, where one recording watches."""
    left = None if x1.__class__ in SCALARS else x1._node
    right = None if x2.__class__ in SCALARS else x2._node
    if left is None and right is None:
        return
    recording = _active.get()
    if recording is None:
        return
    if (
        (left is not None and left.recording is not recording and not admit(left, recording))
        or (right is not None and right.recording is not recording and not admit(right, recording))
        or recording.forward
    ):
        record(primitive, out, (x1, x2), ())
        return
    node = new_node()
    keep_left, keep_right = primitive.keeps
    node.inputs = (
        x1
        if x1.__class__ in SCALARS
        else kept(x1)
        if keep_left
        else new_tuple(Spec, (x1._array.shape, x1._array.dtype)),
        x2
        if x2.__class__ in SCALARS
        else kept(x2)
        if keep_right
        else new_tuple(Spec, (x2._array.shape, x2._array.dtype)),
    )
    node.out = out._array if primitive.keeps_out else None
    node.params = ()
    node.parents = left, right
    node.primitive = primitive
    node.recording = recording
    node.serial = next(serials)
    out._node = node
    recording.nodes.append(weak(node))


def record(primitive, out, inputs, params):
    """Gives the tensor `out` (a tuple of them for several results) its node, if a tape of this thread wants it."""
    recording = _active.get()
    if recording is None or primitive.pull is None:
        return
    wanted, mixed, parents = False, False, []
    for x in inputs:
        node = x._node if isinstance(x, Tensor) else None
        parents.append(node)
        if node is not None:
            wanted = True
            if node.recording is not recording:
                mixed = True
    if not wanted:
        return
    if mixed:
        if spies:
            spies[-1](inputs)
        recording = _who_wants(recording, parents)
        if recording is None:
            return
    node = new_node()
    node.primitive = primitive
    node.parents = tuple(parents)
    keeps = primitive.keeps or (primitive.keep_all,) * len(inputs)
    node.inputs = tuple(
        [
            x if not isinstance(x, Tensor) else kept(x) if keep else Spec(x._array.shape, x._array.dtype)
            for x, keep in zip(inputs, keeps)
        ]
    )
    node.params = params
    node.recording = recording
    node.serial = next(serials)
    recording.nodes.append(weak(node))
    if isinstance(out, tuple):
        node.out = tuple([one._array for one in out]) if primitive.keeps_out else len(out)
        for index, one in enumerate(out):
            one._node = pick(node, index)
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
        if node is None:
            continue
        if node.__class__ is Leaf and node.owner is not None:
            variable = node.owner()
            if variable is not None and variable.trainable and variable.dtype in INEXACT_SET:
                for core in members:
                    if core.auto and core.alive:
                        core.watched[node] = variable
            watching = {core for core in members if node in core.watched}
            if watching == members:
                node.recording = recording  # a memo for next time: variables belong to tapes by Core.watched
            wanted |= watching
        elif node.recording is not None:
            wanted |= members & node.recording.members
    return recording_of(frozenset(wanted))


def belongs(node, core):
    """True if `core` watches the leaf or recorded the op."""
    if node.__class__ is Leaf and node.owner is not None:
        return node in core.watched
    return node.recording is not None and core in node.recording.members


Variable._new_leaf = Leaf
