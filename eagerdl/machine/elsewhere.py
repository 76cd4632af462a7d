"""Kernels compiled by a second process: Numba holds a lock while it compiles, so that threads would not help.

The other process begins at the end of the list, and both look into the cache on disk before they compile anything: so they meet
somewhere in the middle. What the other one cannot do is left to this one. It takes a second to begin, most of which goes into
importing Numba; so for a graph that may need many kernels it begins with the first one that is missing, while the graph is planned.
"""

import contextlib
import json
import os
import sys
import threading

from eagerdl.kernels import threads
from eagerdl.machine import cache

LARGE = 64  # nodes of a graph from which a process pays that has to import Numba itself
MANY = 8  # kernels from which it pays

PROGRAM = """
import json, sys, threading

given = []
reader = threading.Thread(target=lambda: given.extend(json.load(sys.stdin)))
reader.start()  # so that who gives them need not wait until Numba is here
from eagerdl.machine import compiler, translation

reader.join()
for source in given[::-1]:
    compiler.kernel(source)
"""
_present = threading.local()


class Helper:
    """A process that compiles kernels, once it is given their sources."""

    def __init__(self):
        import subprocess  # here, because it takes longer to import than all else in this file

        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        nowhere = subprocess.DEVNULL
        self.process, self.busy = None, False
        with contextlib.suppress(OSError):  # processes may be forbidden
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, env=environment
            )

    def give(self, sources):
        """Lets it compile these, if it has not been given any yet."""
        if self.process is None or self.busy:
            return
        self.busy = True
        with contextlib.suppress(OSError), self.process.stdin as file:
            file.write(json.dumps(sources).encode())

    def end(self):
        """Ends it, whatever it is doing: what it has begun, others do again."""
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            self.process.wait()


@contextlib.contextmanager
def near(expected=True):
    """A context in which a helper may begin, and after which there is none; inside of another one it is that one.

    Args:
        expected: whether many kernels may have to be compiled.
    """
    if (
        not expected
        or hasattr(_present, "helper")
        or cache.folder() is None
        or threads.cores() < 2
        or not sys.executable
    ):
        yield
        return
    _present.helper = None
    try:
        yield
    finally:
        helper = _present.helper
        del _present.helper
        if helper is not None:
            helper.end()


def begin():
    """The helper of this thread, which begins if there may be one; else None."""
    if getattr(_present, "helper", False) is None:
        _present.helper = Helper()
    return getattr(_present, "helper", None)
