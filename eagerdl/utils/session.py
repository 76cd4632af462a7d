"""The state of a program that is no tensor: seeds, and the names that layers get by themselves."""

import gc

from eagerdl.nn import names
from eagerdl.ops import random

__all__ = ["clear_session", "set_random_seed"]


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


def clear_session(free_memory=True):
    """Lets the names of new layers begin anew: the next Dense layer is ``dense`` again.

    There is no graph to clear: tensors and layers are freed when nothing refers to them.

    Args:
        free_memory: whether Python's collector runs, which frees what only refers to itself.

    Example:
        >>> edl.utils.clear_session()
    """
    names.reset()
    if free_memory:
        gc.collect()
