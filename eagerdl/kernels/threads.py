"""Threads for NumPy code: a large op is cut along its batch, and the shares run at the same time.

One owner has the cores at any time: while shares run, BLAS works with one thread, because two pools that both spin cost more than
they give. Into how many shares an op is cut depends on its size alone, and results are put together in their order; so the
numbers do not depend on the number of cores.
"""

import contextvars
import functools
import itertools
import os
import threading

import numpy as np

SHARES = 8  # at most
WORTH_A_SHARE = 4_000_000  # floating-point operations, or bytes, that a share has to have
_lock = threading.Lock()
_workers: list["Worker"] = []


class Worker(threading.Thread):
    """A thread that waits for something to call."""

    def __init__(self):
        super().__init__(name="worker of eagerdl.kernels", daemon=True)
        self.go, self.done = threading.Lock(), threading.Lock()
        self.go.acquire()
        self.done.acquire()
        self.work = self.error = None
        self.start()

    def run(self):
        while True:
            self.go.acquire()
            try:
                self.work()
            except BaseException as error:
                self.error = error
            self.work = None
            self.done.release()

    def begin(self, work):
        """Lets the thread call `work`."""
        self.work, self.error = work, None
        self.go.release()

    def wait(self):
        """Waits until it is done; gives the exception that it raised, or None."""
        self.done.acquire()
        return self.error


@functools.cache
def cores():
    """How many cores may be used: ``EAGERDL_NUM_THREADS``, else those that this process may run on."""
    given = os.environ.get("EAGERDL_NUM_THREADS", "")
    if given.isdigit() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def together(calls):
    """Calls functions without arguments at the same time, the first one in this thread; all are done when it returns.

    Raises:
        BaseException: what one of them raised.
    """
    if len(calls) < 2 or not _lock.acquire(blocking=False):  # alone, or somebody else has the workers
        for call in calls:
            call()
        return
    try:
        while len(_workers) < len(calls) - 1:
            _workers.append(Worker())
        busy = _workers[: len(calls) - 1]
        for worker, call in zip(busy, calls[1:]):
            worker.begin(call)
        try:
            calls[0]()
        finally:
            errors = [worker.wait() for worker in busy]
        for error in errors:
            if error is not None:
                raise error
    finally:
        _lock.release()


def cut(n, work):
    """The slices of an axis of length n by which an op of so much work is shared: one for small ops."""
    count = max(min(n, SHARES, int(work // WORTH_A_SHARE)), 1)
    bounds = [n * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in itertools.pairwise(bounds)]


def each(function, slices):
    """``[function(one) for one in slices]``, at the same time as far as there are cores."""
    if len(slices) < 2:
        return [function(one) for one in slices]
    count = min(cores(), len(slices))
    if count < 2 or _lock.locked():
        with one_blas_thread():  # as the shares have where there are more cores: so numbers are the same
            return [function(one) for one in slices]
    results = [None] * len(slices)
    rest = iter(range(len(slices)))

    def work():
        for index in rest:  # whoever is free takes the next
            results[index] = function(slices[index])

    contexts = [contextvars.copy_context() for _ in range(count - 1)]  # with NumPy's settings
    with one_blas_thread():
        together([work, *[functools.partial(context.run, work) for context in contexts]])
    return results


# -- BLAS ---------------------------------------------------------------------------------------


@functools.cache
def openblas():
    """NumPy's OpenBLAS, as a function that gives one of the library's by its name, or None; None where NumPy has another BLAS."""
    import ctypes
    import glob

    folder = os.path.dirname(np.__file__)
    for path in glob.glob(os.path.join(folder + ".libs", "*openblas*")) + glob.glob(
        os.path.join(folder, ".dylibs", "*openblas*")
    ):
        try:
            library = ctypes.CDLL(path)  # NumPy has loaded it already
        except OSError:
            continue
        for pattern in ("scipy_{}64_", "{}64_", "{}"):  # how builds of the library name what is public
            if hasattr(library, pattern.format("openblas_set_num_threads")):
                return lambda name: getattr(library, pattern.format(name), None) or getattr(library, name, None)
    return None


@functools.cache
def _blas_threads():
    """The functions that read and set the number of threads of NumPy's OpenBLAS; None where NumPy has another BLAS."""
    find = openblas()
    return None if find is None else (find("openblas_get_num_threads"), find("openblas_set_num_threads"))


class one_blas_thread:
    """A context in which NumPy's BLAS uses one thread."""

    def __enter__(self):
        found = _blas_threads()
        self.before = 1 if found is None else found[0]()
        if self.before != 1:
            found[1](1)

    def __exit__(self, *exc):
        if self.before != 1:
            _blas_threads()[1](self.before)


def _after_fork():
    """A child process has none of its parent's threads."""
    global _lock
    _lock = threading.Lock()
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
