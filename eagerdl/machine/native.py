"""What kernels share with NumPy's C code: the loops of ufuncs, addresses of arrays, and machine code in memory.

A kernel does not compute tanh or erf by a formula of its own: it calls the loop that NumPy's ufunc itself runs, block by block.
So compiled and eager numbers are equal to the bit on any processor. The addresses come from the public struct
``PyUFuncObject`` (NumPy's C API, "ufuncobject.h"), whose layout has not changed since NumPy 1.
"""

import ctypes
import functools
import threading

import numpy as np

HEAD = 2 * ctypes.sizeof(ctypes.c_void_p)  # reference count and type, with which every object begins


class _UFunc(ctypes.Structure):
    """The part of ``PyUFuncObject`` that says which loops there are."""

    _fields_ = (
        ("nin", ctypes.c_int), ("nout", ctypes.c_int), ("nargs", ctypes.c_int), ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)), ("data", ctypes.POINTER(ctypes.c_void_p)), ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int), ("name", ctypes.c_char_p), ("types", ctypes.POINTER(ctypes.c_byte)),
    )  # fmt: skip


@functools.cache
def loop(ufunc, dtypes):
    """The loop of a ufunc for these dtypes of inputs and results: the addresses of its code and of its data; None if it has none.

    Args:
        ufunc: a ufunc of NumPy or SciPy.
        dtypes: a tuple of dtypes, results last.
    """
    struct = _UFunc.from_address(id(ufunc) + HEAD)
    if (struct.nin, struct.nout, struct.ntypes) != (ufunc.nin, ufunc.nout, ufunc.ntypes):
        return None  # another layout than we know
    wanted = [np.dtype(dtype).num for dtype in dtypes]
    count = struct.nargs
    for index in range(struct.ntypes):
        if [struct.types[index * count + i] for i in range(count)] == wanted:
            code = struct.functions[index]
            return None if code is None else (code, struct.data[index] or 0)
    return None


def address(array):
    """Where the first element of an array lies: ``array.ctypes.data``, five times as fast."""
    return ctypes.c_void_p.from_address(id(array) + HEAD).value


def table(words):
    """The table of a kernel: words as numbers, with its address in the place of each array."""
    return np.array([address(word) if isinstance(word, np.ndarray) else word for word in words], np.int64)


# Where kernels would put a result and an exception; they give neither.
_nowhere = np.zeros(4, np.int64)
NOWHERE = _nowhere.ctypes.data
_engine = None
_lock = threading.Lock()


def load(code, symbol):
    """Machine code as a function of one address.

    Args:
        code: an object file in bytes.
        symbol: the name of the function in it.

    Returns:
        A function that takes an int, the address of a table of words.

    Raises:
        ValueError: if `code` is no object file of this machine, or has no such function.
    """
    import llvmlite.binding as llvm

    with _lock:
        engine = _running_engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        place = engine.get_function_address(symbol)
    if not place:
        raise ValueError(f"no function {symbol!r} in the object file")
    return function_at(place)


def function_at(place):
    """The kernel at an address as a function of the address of a table of words."""
    # Numba's own calling convention: where a result and an exception would go, then the arguments.
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(place)
    run = functools.partial(call, NOWHERE, NOWHERE + 8)
    run.place = place
    return run


def assembled(text):
    """A module in LLVM's assembly language as machine code: a function that gives the address of what it defines, by name."""
    import llvmlite.binding as llvm

    with _lock:
        engine = _running_engine()
        module = llvm.parse_assembly(text)
        module.verify()
        engine.add_module(module)
        engine.finalize_object()
    return lambda name: engine.get_function_address(name) or engine.get_global_value_address(name)


def _running_engine():
    """Where machine code of this process lives."""
    import llvmlite.binding as llvm

    global _engine
    if _engine is None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine()
        _engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    return _engine
