"""What pipelines are made of: a `Node` for each transformation, and its `Iterator`, whose position can be saved.

A node describes; an iterator walks. `Iterator.state()` is a structure of dicts, lists, numbers, text and arrays from which
`restore` goes on exactly: what is inside the arrays is not copied, since elements never change. Where it can be, a state is a
few numbers: an iterator is `light` if its state is cheap to take, so that readers which look ahead (prefetch, parallel map)
remember the state before each element instead of the element.

Where every node down to the source only chooses which elements come, in which order, the node has a `base` (the source), and
its iterator also gives `indices(k)`: then a batch is gathered from the source's arrays at once.
"""

import contextlib
import contextvars
import threading

import numpy as np

from eagerdl import devices
from eagerdl.data.states import decode, encode
from eagerdl.data.structure import NodeBase, spec_of
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.kernels.philox import WORD, Stream
from eagerdl.ops.random import randint

INFINITE, UNKNOWN = -1, -2

KEY = (
    0x65646C2D64617461  # the second key word of the numbers of pipelines: apart from those of generators of equal seeds
)
_lock = threading.Lock()


class Walk:
    """One pass of a user over a pipeline: which round it is for each node that draws random numbers.

    By itself a node counts the passes over it; with `fixed`, a tuple of ints, they are given. Nodes that walk over their
    input several times hand on a walk with the round appended.
    """

    __slots__ = ("fixed", "numbers", "rounds", "threads")

    def __init__(self, fixed=None, numbers=None, rounds=(), threads=None):
        self.fixed, self.numbers, self.rounds, self.threads = fixed, {} if numbers is None else numbers, rounds, threads

    def inner(self, number):
        """The walk of round `number` over an input."""
        return Walk(self.fixed, self.numbers, (*self.rounds, number), self.threads)

    def within(self, node, number):
        """The walk over a dataset that a function of `node` made of element `number`."""
        return Walk((*self._whole(node), number), None, (), self.threads)

    def _whole(self, node):
        if self.fixed is not None:
            return (*self.fixed, *self.rounds)
        if node not in self.numbers:
            with _lock:
                self.numbers[node] = node.passes
                node.passes += 1
        return (self.numbers[node], *self.rounds)

    def path(self, node):
        """Which round it is for `node`: numbers without the zeros in front, so that the rounds of ``repeat`` in a first
        pass are those of as many passes without it.
        """
        whole = self._whole(node)
        start = next((place for place, number in enumerate(whole) if number), len(whole))
        return whole[start:]


class Seeds:
    """Seeds in a row, of a seed and a path, for datasets that a function of a pipeline makes."""

    def __init__(self, seed, path):
        self.seed, self.path, self.taken = seed, path, 0

    def next(self):
        """The next one."""
        self.taken += 1
        return _mixed((self.seed, *self.path, self.taken)) >> 2


_seeds: contextvars.ContextVar[Seeds | None] = contextvars.ContextVar("eagerdl_data_seeds", default=None)


@contextlib.contextmanager
def seeds_of(seed, path):
    """A context in which datasets without seeds get theirs from a seed and a path, so that they can be made again."""
    token = _seeds.set(Seeds(seed, path))
    try:
        yield
    finally:
        _seeds.reset(token)


def fresh_seed():
    """A seed from the framework's global generator, which `set_random_seed` sets, or from the pipeline that asks."""
    source = _seeds.get()
    if source is not None:
        return source.next()
    with devices.device("cpu"):
        return int(randint((), 0, 1 << 62, "int64"))


def check_seed(where, seed):
    """A seed of a user as an int, a fresh one for None."""
    if seed is None:
        return fresh_seed()
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise DTypeError(where, "a seed is an int or None", f"got {type(seed).__name__} {seed!r}", "use int(seed)")
    return seed.__index__() & WORD


def _mixed(path):
    """64 bits that stand for a tuple of ints, by the finalizer of SplitMix64 (Steele et al., 2014)."""
    out = KEY
    for number in path:
        out = (out + 0x9E3779B97F4A7C15 + number) & WORD
        out = ((out ^ out >> 30) * 0xBF58476D1CE4E5B9) & WORD
        out = ((out ^ out >> 27) * 0x94D049BB133111EB) & WORD
        out ^= out >> 31
    return out


def stream_of(seed, path):
    """The random bits of a seed in one round."""
    return Stream(np.array([seed & WORD, _mixed(path), 0], np.uint64), np)


class Draws:
    """Random words in a row, drawn some at a time: word number i depends on seed, path and i alone."""

    CHUNK = 512

    def __init__(self, seed, path):
        self.stream = stream_of(seed, path)
        self.start, self.words = 0, []

    def word(self, number):
        """Word `number`, 64 bits."""
        place = number - self.start
        if not 0 <= place < len(self.words):
            self.start = number
            self.words, place = self.stream.bits(64, self.CHUNK, number).tolist(), 0
        return self.words[place]

    def below(self, number, limit):
        """An int from 0 to limit - 1 of word `number`: the high half of the product (Lemire, 2019)."""
        return self.word(number) * limit >> 64


# -- nodes --------------------------------------------------------------------------------------


class Node(NodeBase):
    """A transformation, or a source if it has no inputs.

    Attributes:
        inputs: the nodes below.
        base: the source whose elements the iterator can name by `indices`, else None.
        counted: True if its order differs from pass to pass.
        label: its name in messages and in the header of states.
    """

    inputs: tuple = ()
    base = None
    counted = False
    passes = 0
    label = "dataset"
    seed = None
    auto_seed = False

    @property
    def input(self):
        """The only input."""
        return self.inputs[0]

    def cardinality(self):
        """How many elements there are, INFINITE or UNKNOWN."""
        return UNKNOWN

    def iterator(self, walk):
        """A new `Iterator`."""
        raise NotImplementedError

    def has_places(self):
        """True if `at` finds an element without those before it."""
        return False

    def at(self, index):
        """Element number `index`."""
        raise NotImplementedError

    def listed(self):
        """The elements as a list, for states that hold a small dataset."""
        raise DTypeError("state", "a dataset inside an element must be a window to be saved", f"got {self.describe()}",
                         "flatten before shuffle or prefetch")  # fmt: skip

    def spec(self):
        """The spec of the elements, by default that of the first one."""
        try:
            return spec_of(self.iterator(Walk(fixed=())).next())
        except StopIteration:
            raise ArgumentError("element_spec", "the elements must be known", f"{self.describe()} has none",
                                "check the source; an empty dataset has no element to look at") from None  # fmt: skip

    def describe(self):
        """The chain of transformations, as ``range > shuffle > batch``."""
        before = ", ".join(one.describe() for one in self.inputs)
        before = f"({before})" if len(self.inputs) > 1 else before
        return f"{before} > {self.label}" if before else self.label

    def family(self):
        """This node and all below, each once, in a fixed order."""
        found = {}
        pending = [self]
        while pending:
            node = pending.pop()
            if node not in found:
                found[node] = None
                pending.extend(reversed(node.inputs))
        return list(found)


class Through(Node):
    """A transformation that keeps structure and number of the elements of its only input."""

    def __init__(self, source):
        self.inputs = (source,)

    def cardinality(self):
        return self.input.cardinality()

    def spec(self):
        return self.input.spec()


# -- iterators ----------------------------------------------------------------------------------


class Iterator:
    """A walk over a node. `next` raises StopIteration at the end, and every time after it."""

    light = True

    def next(self):
        """The next element."""
        raise NotImplementedError

    def indices(self, count):
        """The places in the base of up to `count` elements, int64, and past them: fewer only at the end."""
        raise NotImplementedError

    def skip(self, count):
        """Goes past up to `count` elements; how many there were."""
        for done in range(count):
            try:
                self.next()
            except StopIteration:
                return done
        return count

    def state(self):
        """Where it stands."""
        raise NotImplementedError

    def restore(self, state):
        """Goes on from a state of an iterator over the same pipeline; possible at any time, any number of times."""
        raise NotImplementedError


class Over(Iterator):
    """An iterator over one input that has no state of its own."""

    def __init__(self, source):
        self.input = source
        self.light = source.light

    def state(self):
        return {"input": self.input.state()}

    def restore(self, state):
        self.input.restore(state["input"])


class Held:
    """An element that was read and is still needed, with the state of the reader before it if that was light."""

    __slots__ = ("before", "element")

    def __init__(self, element, before):
        self.element, self.before = element, before


class Reader:
    """Reads from an iterator for those that hold elements back, so that what they hold can be saved."""

    def __init__(self, source):
        self.input = source
        self.light = source.light

    def pull(self):
        """The next element, held."""
        before = self.input.state() if self.light else None
        return Held(self.input.next(), before)

    def state(self, held):
        """The state of the input with the elements held, in any order."""
        kept = [one.before if self.light else encode(one.element) for one in held]
        return {"input": self.input.state(), "held": kept}

    def restore(self, state):
        """Restores the input; the elements held then."""
        held = []
        for kept in state["held"]:
            if self.light:
                self.input.restore(kept)
                held.append(self.pull())
            else:
                held.append(Held(revive(kept), None))
        self.input.restore(state["input"])
        return held

    def queue_state(self, held):
        """The state for elements in a row that go to be used next: rather a place before them than the elements."""
        if self.light and held:
            return {"input": held[0].before, "held": []}
        return self.state(held)


_make_list = None  # installed by sources.py: a node of a list of elements


def install_lists(function):
    """Installs how a state's list of elements becomes a node."""
    global _make_list
    _make_list = function


def revive(state):
    """The element that `encode` made a state of."""
    return decode(state, _make_list)


def check_count(where, name, value, least=1, also=()):
    """An int argument of at least `least`, or one of `also`.

    Raises:
        DTypeError: if it is no int.
        ArgumentError: if it is too small.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise DTypeError(where, f"{name} is an int", f"got {type(value).__name__} {value!r:.60}", f"use int({name})")
    value = value.__index__()
    if value < least and value not in also:
        raise ArgumentError(where, f"{name} must be at least {least}", f"got {value}", "check how it was computed")
    return value
