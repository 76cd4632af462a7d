"""What the op tables are made of: rows that must work, rows that must fail, and arrays drawn the same every time."""

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass
class Case:
    """One call of an op.

    Args:
        args, kwargs: the arguments; NumPy arrays in them (also inside lists and tuples) become tensors.
        reference: the same function on NumPy arrays; by default the NumPy function of the op's name.
        order: how many derivatives are checked against finite differences; 0 for ops without a gradient.
        dtypes: the narrower dtypes that are compared with the float64 result.
        rtol: the relative tolerance of values in float64.
        grad_rtol: the relative tolerance of derivatives.
        sweep_rtol: a factor on the tolerance of the dtype sweep.
    """

    args: tuple
    kwargs: dict
    reference: Callable | None = None
    order: int = 2
    dtypes: tuple = ("float32", "float16", "bfloat16")
    rtol: float = 1e-9
    grad_rtol: float = 1e-5
    sweep_rtol: float = 1.0


def case(*args, reference=None, order=2, dtypes=("float32", "float16", "bfloat16"), rtol=1e-9, grad_rtol=1e-5, sweep_rtol=1.0,
         **kwargs):  # fmt: skip
    """A row that must work; see `Case`."""
    return Case(args, kwargs, reference, order, dtypes, rtol, grad_rtol, sweep_rtol)


@dataclasses.dataclass
class Failure:
    """One call that must raise `error` with a message that matches `match`."""

    name: str
    args: tuple
    kwargs: dict
    error: type
    match: str


def fails(name, *args, error, match, **kwargs):
    """A row that must fail; see `Failure`."""
    return Failure(name, args, kwargs, error, match)


class Raw:
    """An array that stays a NumPy array when the op is called."""

    def __init__(self, value):
        self.value = value


raw = Raw


def _generator(kind, shape, salt):
    return np.random.default_rng(zlib.crc32(repr((kind, shape, salt)).encode()))


def normal(*shape, salt=0):
    """Standard normal numbers, float64; another `salt` draws others of the same shape."""
    return np.asarray(_generator("normal", shape, salt).standard_normal(shape))


def uniform(low, high, *shape, salt=0):
    """Uniform numbers between `low` and `high`, float64."""
    return np.asarray(_generator("uniform", shape, salt).uniform(low, high, shape))


def positive(*shape, salt=0):
    """Numbers between 0.5 and 2.5, float64."""
    return uniform(0.5, 2.5, *shape, salt=salt)


def distinct(*shape, salt=0):
    """Numbers at least 0.37 apart in random order, float64: no ties and no kinks near by."""
    size = int(np.prod(shape))
    values = (np.arange(size) - size / 2) * 0.37 + 0.11
    return _generator("distinct", shape, salt).permutation(values).reshape(shape)


def integers(low, high, *shape, salt=0, dtype="int32"):
    """Integers from `low` to `high - 1`."""
    return np.asarray(_generator("integers", shape, salt).integers(low, high, shape), dtype)


def booleans(*shape, salt=0):
    """Bools, about half of them true."""
    return np.asarray(_generator("booleans", shape, salt).random(shape) < 0.5)


def complex_normal(*shape, salt=0):
    """Complex numbers with normal parts, complex128."""
    return normal(*shape, salt=salt) + 1j * normal(*shape, salt=salt + 1000)


def symmetric_positive(*shape, salt=0):
    """Stacks of symmetric positive definite matrices, well conditioned."""
    a = normal(*shape, salt=salt)
    return a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])


def well_conditioned(*shape, salt=0):
    """Stacks of square matrices far from singular."""
    return normal(*shape, salt=salt) * 0.3 + 2 * np.eye(shape[-1])


def hermitian(x):
    """The Hermitian part of matrices."""
    return (x + np.swapaxes(x, -1, -2).conj()) / 2


def complex_positive(n, salt=0):
    """A Hermitian positive definite matrix, complex128."""
    a = complex_normal(n, n, salt=salt)
    return a @ a.conj().T + n * np.eye(n)


def spread(*shape):
    """Stacks of matrices with singular values near 1, 2, 3, ..., so that the vectors are well determined."""
    m, n = shape[-2:]
    return 0.2 * normal(*shape) + np.eye(m, n) * (np.arange(n) + 1.0)


# Matrices without full rank, and how the error for those that are not square goes on.
RANK_1 = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 1.0, 2.0])
LOW_RANK = np.stack([RANK_1[:, :3], np.eye(3), np.zeros((3, 3))])
SQUARE = r"square matrices are needed; .* has shape \(2, 3\)"

# Batches of images, channels last and channels first.
IMAGES = uniform(0.0, 1.0, 2, 5, 6, 3)
IMAGES_FIRST = uniform(0.0, 1.0, 2, 3, 5, 6)
