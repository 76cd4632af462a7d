"""Forwards that pass over large arrays several times: compiled code takes their place when they have cost more than compiling.

The numbers are the same to the bit; what changes is the time. Who tries something at a prompt does not wait for a compiler; a loop
that goes on for seconds has its ops fused as in a traced function, but one by one.
"""

import functools
import time
from typing import Any

import numpy as np

from eagerdl import config

LARGE = 1 << 15  # elements, from which on a call of compiled code pays
PATIENCE = 0.1  # seconds that NumPy may take for one op before it is compiled; about what that takes
compiled: Any = None  # set by `jit`: a function (forward, arguments) -> the result, or None if it cannot compute it


def heavy(forward):
    """Decorates a forward on arrays: its first argument is an array or a list of them, others are arrays or values with a hash.

    What it gives must depend on elements by NumPy's functions only.
    """
    spent = 0.0

    @functools.wraps(forward)
    def call(x, *rest):
        nonlocal spent
        first = x[0] if x.__class__ is list else x
        if first.__class__ is not np.ndarray or first.size < LARGE:
            return forward(x, *rest)
        if spent < PATIENCE:
            begin = time.perf_counter()
            out = forward(x, *rest)
            spent += time.perf_counter() - begin
            return out
        found = None if config.functions_run_eagerly() else compiled(forward, (x, *rest))
        return forward(x, *rest) if found is None else found

    return call
