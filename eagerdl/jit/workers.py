"""Threads that take a part of a kernel's rows each. Only one thing at a time has all cores: BLAS has its own threads, and waits here.

A part costs some 20 us to hand over, so that only kernels of a good part of a millisecond are split; whether one is depends on sizes
alone, and the numbers do not depend on it.
"""

import os
import threading

_workers: list["Worker"] = []
_lock = threading.Lock()


class Worker(threading.Thread):
    """A thread that waits for a kernel and a table."""

    def __init__(self):
        super().__init__(name="eagerdl-kernels", daemon=True)
        self.go, self.done = threading.Lock(), threading.Lock()
        self.go.acquire()
        self.done.acquire()
        self.kernel = self.table = None
        self.start()

    def run(self):
        while True:
            self.go.acquire()
            self.kernel(self.table)
            self.done.release()


def cores():
    """How many cores kernels may use: ``EAGERDL_NUM_THREADS``, else those of this process."""
    given = os.environ.get("EAGERDL_NUM_THREADS", "")
    if given.isdigit() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def together(kernel, *tables):
    """Runs a kernel for several tables at the same time, one of them in this thread."""
    if not _lock.acquire(blocking=False):  # another program has the workers
        for table in tables:
            kernel(table)
        return
    try:
        while len(_workers) < len(tables) - 1:
            _workers.append(Worker())
        first, *rest = tables
        busy = _workers[: len(rest)]
        for worker, table in zip(busy, rest):
            worker.kernel, worker.table = kernel, table
            worker.go.release()
        kernel(first)
        for worker in busy:
            worker.done.acquire()
    finally:
        _lock.release()


def _after_fork():
    """A child has none of its parent's threads."""
    global _lock
    _lock = threading.Lock()
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
