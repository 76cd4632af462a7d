"""Programs of single forwards, by which eager execution computes large arrays; see `kernels.heavy`."""

import threading

import numpy as np

from eagerdl import devices
from eagerdl.jit.running import current
from eagerdl.kernels import heavy

KEPT = 256  # programs; one for each forward, layout of its arrays, and values of its other arguments
_programs: dict = {}
_lock = threading.Lock()


def compiled(forward, arguments):
    """What ``forward(*arguments)`` gives, by a program; None where there can be none."""
    if current() is not None or devices.current() is not devices.CPU:
        return None
    arrays, rest = parted(arguments)
    key = forward, rest, *[(array.shape, array.strides, array.dtype) for array in arrays]
    try:
        program = _programs.get(key, key)
    except TypeError:  # arguments without a hash
        return None
    if program is key:
        with _lock:
            while len(_programs) >= KEPT:
                del _programs[next(iter(_programs))]
            program = _programs[key] = program_of(forward, arguments)
    if program is None:
        return None
    made = program(arrays)
    return tuple(made) if program.several else made[0]


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
