"""The threads of compiled programs, which are also those of BLAS: one owner of the cores.

Two pools that both spin cost more than they give: while a worker of one waits for its next product, it keeps a core from the
other. So OpenBLAS is told to give its jobs to the pool here (its ``openblas_set_threads_callback_function``), which serves the
kernels of programs too. Its workers wait inside machine code (`pool.ll`), without Python in between: to begin and to end a job
takes less than a microsecond, so that sharing pays for kernels of a few microseconds. Who waits for long sleeps. A product that
finds the pool taken waits its turn: OpenBLAS' own threads do not bear that it is sometimes they, sometimes others.

How OpenBLAS cuts its work depends on its number of threads alone, and not on who they are; so numbers stay the same.
"""

import ctypes
import functools
import itertools
import os
import platform
import sys
import threading
from pathlib import Path

import numpy as np

from eagerdl.kernels import threads
from eagerdl.machine import native

SPINS = 20_000  # how often a worker looks for the next job, with a pause between, before it sleeps
MOST = 255  # threads; their number is a byte
PROCESSORS = {  # the number of the system call `futex`; how a waiting loop says that it is one, and where that is declared
    "x86_64": (202, "call void @llvm.x86.sse2.pause()", "declare void @llvm.x86.sse2.pause()"),
    "aarch64": (98, "call void @llvm.aarch64.hint(i32 1)", "declare void @llvm.aarch64.hint(i32)"),
}
HOOKS = ("openblas_set_threads_callback_function", "exec_blas")  # of OpenBLAS
_numbers = itertools.count()


class Pool:
    """Threads that wait for jobs.

    Args:
        count: how many, with the one that asks.
        blas: whether they do the jobs of OpenBLAS too.

    Attributes:
        count: as given.
        together: a kernel: it runs other kernels, at the same time if the pool is free. Its table holds how many, then for each the
            address of its code and that of its table.
    """

    def __init__(self, count, blas):
        self.count, prefix = count, f"eagerdl.{next(_numbers)}."
        self._set_callback, execute = [threads.openblas()(name) if blas else None for name in HOOKS]
        futex, pause, declared = PROCESSORS[platform.machine()]
        text = Path(__file__).with_name("pool.ll").read_text().format(
            prefix=prefix, spins=SPINS, futex=futex, pause=pause, pause_declared=declared, nowhere=native.NOWHERE,
            nowhere_either=native.NOWHERE + 8, set_callback=_address(self._set_callback), exec_blas=_address(execute),
        )  # fmt: skip
        place = native.assembled(text)
        self.together, work = native.function_at(place(prefix + "together")), native.function_at(place(prefix + "work"))
        for number in range(1, count):
            name = f"worker {number} of eagerdl.machine"
            threading.Thread(target=work, args=(number,), name=name, daemon=True).start()
        self._threads = ctypes.c_int32.from_address(place(prefix + "threads"))
        self._threads.value = count
        if blas:
            self._set_callback(ctypes.c_void_p(place(prefix + "blas")))

    def table(self, parts):
        """The table of `together` for pairs of a kernel's address and its table's."""
        return np.array([len(parts), *itertools.chain.from_iterable(parts)], np.int64)

    def close(self):
        """From now on jobs run in the thread that asks, and OpenBLAS has its own threads."""
        self._threads.value = 1
        if self._set_callback is not None:
            self._set_callback(None)


def _address(function):
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value


@functools.cache
def pool():
    """The Pool of this process; None for one core, and on systems that it does not know."""
    if not sys.platform.startswith("linux") or platform.machine() not in PROCESSORS or threads.cores() == 1:
        return None
    find = threads.openblas()
    blas = find is not None and None not in map(find, HOOKS)
    count = max(threads.cores(), find("openblas_get_num_threads")() if blas else 1)
    made = Pool(min(count, MOST), blas)
    os.register_at_fork(after_in_child=made.close)  # a child has none of its parent's threads
    return made
