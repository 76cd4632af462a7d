"""Generators and seeds: which random bits a draw gets.

A seed is a Python int (the same numbers at each call), a `SeedGenerator`, a `Generator`, or None for the global
generator, which begins with entropy of the operating system unless `set_seed` was called. Each of them becomes a small
tensor, the state of one draw: (seed, draw) as of a `SeedGenerator`, or (key, key, counter) as of a `Generator`, with
which `eagerdl.kernels.philox.Stream` makes the bits. NumPy's global state is never touched.
"""

import inspect
import os
import threading
from collections.abc import Callable

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.kernels.philox import WORD, Stream
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.tensor import Tensor, from_array
from eagerdl.variable import Variable

__all__ = ["Generator", "SeedGenerator", "get_global_generator", "set_seed"]

GLOBAL_KEY = 0x65646C2D676C6F62  # the global generator's second key word: apart from the streams of equal seeds
_lock = threading.Lock()  # drawing from a generator takes its numbers away: no two threads get the same
_global = None


class Generator:
    """A stream of random numbers with a key and a counter.

    Drawing moves the counter on, so that the next draw has other numbers; threads that share a generator get disjoint
    ones. Pickles and copies go on where the original stands, each for itself.

    Args:
        seed: an int from 0 to 2**128 - 1; None takes a key from the global generator.

    Raises:
        DTypeError: if the seed is no int.
        ArgumentError: if it is out of range.

    Example:
        >>> generator = edl.random.Generator(7)
        >>> generator.uniform((2,)).shape
        (2,)
        >>> again = edl.random.Generator.from_state(generator.state)
        >>> bool((generator.normal((3,)) == again.normal((3,))).sum() == 3)
        True
    """

    __slots__ = ("__weakref__", "state")

    # The functions of random.py, which `also_method` makes methods.
    beta: Callable[..., Tensor]
    binomial: Callable[..., Tensor]
    categorical: Callable[..., Tensor]
    dropout: Callable[..., Tensor]
    gamma: Callable[..., Tensor]
    normal: Callable[..., Tensor]
    randint: Callable[..., Tensor]
    shuffle: Callable[..., Tensor]
    truncated_normal: Callable[..., Tensor]
    uniform: Callable[..., Tensor]

    def __init__(self, seed=None):
        self._set(fresh_key() if seed is None else _check_seed("Generator", seed, 128))

    def _set(self, key, counter=0):
        with devices.device("cpu"):
            self.state = Variable(
                np.array([key & WORD, key >> 64, counter], np.uint64), trainable=False, name="generator_state"
            )

    @classmethod
    def from_state(cls, state):
        """The generator that goes on from a `state`: two key words and the counter, uint64 of shape (3,).

        Raises:
            ShapeError: if it has another shape.
            DTypeError: if it has another dtype.
        """
        state = convert_to_tensor(state)
        if state.shape != (3,):
            raise ShapeError(
                "Generator.from_state",
                "a state has shape (3,): two key words and the counter",
                f"got shape {state.shape}",
                "pass the .state of a Generator",
            )
        if state.dtype != dtypes.uint64:
            raise DTypeError(
                "Generator.from_state", "a state is uint64", f"got {state.dtype}", "pass the .state of a Generator"
            )
        low, high, counter = state.tolist()
        out = cls.__new__(cls)
        out._set(low | high << 64, counter)
        return out

    def _take(self, blocks):
        """The state for a draw of so many blocks, which are taken away."""
        with _lock:
            out = self.state.value
            self.state.assign_add(from_array(np.array([0, 0, blocks], np.uint64)))
        return out

    def split(self, n=2):
        """`n` new generators, with keys of their own that depend on this one's state only; as in JAX and TF.

        Raises:
            ArgumentError: if n is not positive.
        """
        n = check_whole("split", "n", n)
        if n < 1:
            raise ArgumentError("split", "at least one generator must come out", f"got n={n}", "use n=2")
        words = Stream(self._take(n)._array, np).blocks(0, n, domain=1).reshape(-1, 4)
        return [Generator(low | high << 64) for low, high in words[:, :2].tolist()]

    def skip(self, blocks):
        """Moves the counter on by `blocks` of four 64-bit words, as if they had been drawn."""
        blocks = check_whole("skip", "blocks", blocks)
        if blocks < 0:
            raise ArgumentError(
                "skip", "blocks must not be negative", f"got {blocks}", "keep the state to go back to it"
            )
        self._take(blocks)

    def __reduce__(self):
        return Generator.from_state, (self.state.numpy(),)

    def __copy__(self):
        return Generator.from_state(self.state)

    def __deepcopy__(self, memo):
        return Generator.from_state(self.state)

    def __repr__(self):
        low, high, counter = self.state.tolist()
        return f"Generator(key={low | high << 64:#x}, counter={counter})"


def also_method(function):
    """Decorates a random function whose last argument is the seed: `Generator` gets it as a method and is that seed."""
    name, (*arguments, _) = function.__name__, inspect.signature(function).parameters.values()

    def method(self, *args, **kwargs):
        return function(*args, seed=self, **kwargs)

    method.__name__, method.__qualname__ = name, f"Generator.{name}"
    method.__doc__ = f"As `edl.random.{name}`, with the numbers of this generator."
    method.__signature__ = inspect.Signature([inspect.Parameter("self", arguments[0].kind), *arguments])
    setattr(Generator, name, method)
    return function


class SeedGenerator:
    """Gives a new seed to each random function that it is passed to, as in Keras.

    Its `state` is a variable (seed, draws so far): who saves it saves the stream.

    Args:
        seed: an int from 0 to 2**32 - 1; None takes one from the global generator.
        name: a name for messages and checkpoints.
        kwargs: only ``backend``, which Keras has and which is ignored.

    Raises:
        DTypeError: if the seed is no int.
        ArgumentError: if it is out of range, or for unknown arguments.

    Example:
        >>> seeds = edl.random.SeedGenerator(42)
        >>> a, b = edl.random.normal((2,), seed=seeds), edl.random.normal((2,), seed=seeds)
        >>> seeds.state
        Variable(name=seed_generator_state, shape=(2,), dtype=uint32, trainable=False, [42  2])
    """

    def __init__(self, seed=None, name=None, **kwargs):
        kwargs.pop("backend", None)
        if kwargs:
            raise ArgumentError(
                "SeedGenerator", "the arguments are seed and name", f"got {', '.join(kwargs)} too", "leave them out"
            )
        self._initial_seed = seed
        self.name = name or "seed_generator"
        seed = fresh_key() & 0xFFFFFFFF if seed is None else _check_seed("SeedGenerator", seed, 32)
        with devices.device("cpu"):
            self.state = Variable(
                np.array([seed, 0], np.uint32), trainable=False, aggregation="none", name="seed_generator_state"
            )

    def next(self, ordered=True):
        """The seed for one draw, uint32 of shape (2,); the state counts on.

        Args:
            ordered: accepted for Keras' sake; seeds come in order in any case.
        """
        with _lock:
            out = self.state.value
            self.state.assign_add(from_array(np.array([0, 1], np.uint32)))
        return out

    def get_config(self):
        """The arguments that make such a generator at its beginning."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """A generator from what `get_config` gave."""
        return cls(**config)

    def __repr__(self):
        seed, draws = self.state.tolist()
        return f"SeedGenerator(seed={seed}, draws={draws}, name={self.name!r})"


# -- the global generator -----------------------------------------------------------------------


def get_global_generator():
    """The generator that serves calls without a seed.

    Example:
        >>> edl.random.set_seed(3)
        >>> state = edl.random.get_global_generator().state.numpy()
        >>> a = edl.random.uniform((2,))
        >>> b = edl.random.Generator.from_state(state).uniform((2,))
        >>> bool((a == b).sum() == 2)
        True
    """
    global _global
    if _global is None:
        with _lock:
            if _global is None:
                _global = Generator(int.from_bytes(os.urandom(16)))
    return _global


def set_seed(seed):
    """Seeds the global generator, which serves calls without a seed and seeds generators that were given none.

    Args:
        seed: an int from 0 to 2**64 - 1.

    Raises:
        DTypeError: if the seed is no int.
        ArgumentError: if it is out of range.

    Example:
        >>> edl.random.set_seed(3)
    """
    seed = _check_seed("set_random_seed", seed, 64)
    state = get_global_generator().state
    with _lock:
        state.assign(np.array([seed, GLOBAL_KEY, 0], np.uint64))


def fresh_key():
    """128 bits from the global generator."""
    low, high = Stream(get_global_generator()._take(1)._array, np).blocks(0, 1)[:2].tolist()
    return low | high << 64


# -- seeds as arguments ------------------------------------------------------------------------


def state_of(where, seed, blocks):
    """The state tensor for a draw that takes so many blocks."""
    if seed is None:
        return get_global_generator()._take(blocks)
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, Generator):
        return seed._take(blocks)
    if isinstance(seed, Tensor | np.ndarray) and seed.ndim:
        if (seed.shape, seed.dtype) not in (((2,), dtypes.uint32), ((3,), dtypes.uint64)):
            raise DTypeError(
                where,
                "a seed tensor is what SeedGenerator.next() gives, or the state of a Generator",
                f"got shape {seed.shape}, dtype {seed.dtype}",
                "pass an int or a SeedGenerator",
            )
        return convert_to_tensor(seed)
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise DTypeError(
            where,
            "a seed is None, an int, a SeedGenerator or a Generator",
            f"got {type(seed).__name__} {seed!r}",
            "use edl.random.SeedGenerator(1) for new numbers at each call",
        )
    seed = _check_seed(where, seed.__index__(), 128)
    return from_array(np.array([seed & WORD, seed >> 64, 0], np.uint64))


def _check_seed(where, seed, bits):
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise DTypeError(
            where,
            "a seed is an int",
            f"got {type(seed).__name__} {seed!r}",
            "use int(seed), or None for the global generator",
        )
    if not 0 <= seed < 1 << bits:
        raise ArgumentError(where, f"a seed lies between 0 and 2**{bits} - 1", f"got {seed}", f"use seed % 2**{bits}")
    return int(seed)


def check_whole(where, name, value):
    """An integer argument as an int of Python."""
    try:
        return value.__index__()
    except AttributeError:
        raise DTypeError(where, f"{name} is an integer", f"got {value!r}", f"use int({name})") from None
