"""Helpers for programs: seeds."""

from eagerdl.ops import random

__all__ = ["set_random_seed"]


def set_random_seed(seed):
    """Seeds the global generator of the framework; NumPy's and Python's own generators are left alone.

    Args:
        seed: a non-negative int.

    Example:
        >>> edl.utils.set_random_seed(7)
        >>> a = edl.random.normal((2,))
        >>> edl.utils.set_random_seed(7)
        >>> bool(edl.all(a == edl.random.normal((2,))))
        True
    """
    random.set_seed(seed)
