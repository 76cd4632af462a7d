"""Programs of single forwards, by which eager execution computes large arrays; see `kernels.heavy`."""

import collections
import threading

import numpy as np

from eagerdl import devices
from eagerdl.jit.running import current
from eagerdl.kernels import heavy

OFTEN = 16  # calls with the same layouts of arrays and values of other arguments, before there is a program for them
KEPT, MEMORY = 64, 1 << 28  # programs at most, and bytes that they have for themselves
COUNTED = 4096  # combinations whose calls are counted
_programs: dict = {}
_calls: collections.Counter = collections.Counter()
_lock = threading.Lock()


def compiled(forward, arguments):
    """What ``forward(*arguments)`` gives, by a program; None where there is none, or not yet."""
    if current() is not None or devices.current() is not devices.CPU:
        return None
    arrays, rest = parted(arguments)
    key = forward, rest, *[(array.shape, array.strides, array.dtype) for array in arrays]
    try:
        program = _programs.get(key, key)
    except TypeError:  # arguments without a hash
        return None
    if program is key:
        program = added(key, forward, arguments)
    if program is None:
        return None
    made = program(arrays)
    return tuple(made) if program.several else made[0]


def added(key, forward, arguments):
    """The program for arguments that come often; None for others."""
    with _lock:
        if len(_calls) >= COUNTED:
            _calls.clear()
        _calls[key] += 1
        if _calls[key] < OFTEN:
            return None
        del _calls[key]
        made = program_of(forward, arguments)
        if made is not None and made.arena_bytes > MEMORY:
            made = None
        _programs[key] = made
        while len(_programs) > KEPT or sum(one.arena_bytes for one in _programs.values() if one is not None) > MEMORY:
            del _programs[next(iter(_programs))]
        return made


def parted(arguments):
    """The arrays among the arguments, also those in lists, and what else the arguments are."""
    arrays, rest = [], []
    for one in arguments:
        if isinstance(one, np.ndarray):
            arrays.append(one)
            rest.append(np.ndarray)
        elif one.__class__ is list and all(isinstance(array, np.ndarray) for array in one):
            arrays += one
            rest.append((list, len(one)))
        else:
            rest.append((one.__class__, one))
    return arrays, tuple(rest)


def program_of(forward, arguments):
    """The program of a forward for arrays like those among the arguments; None where it cannot be traced."""
    from eagerdl.jit.machinery import rewrite
    from eagerdl.jit.programs import program_for
    from eagerdl.jit.trace import Trace

    trace = Trace(forward.__name__)
    try:
        with trace.running():
            traced = [[*map(trace.input, one)] if one.__class__ is list else trace.input(one) if isinstance(one, np.ndarray)
                      else one for one in arguments]  # fmt: skip
            out = forward(*traced)
            several = isinstance(out, tuple | list)
            trace.graph.outputs = [trace.own(one).value for one in (out if several else [out])]
        program = program_for(rewrite(trace.graph.without_dead_code()).without_dead_code())
    except Exception:  # it looks at elements, or at arguments that are wrong, of which it can tell itself
        return None
    finally:
        trace.close()
    program.several = several
    return program


heavy.compiled = compiled
