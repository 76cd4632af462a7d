"""Kernels compiled by a second process: Numba holds a lock while it compiles, so that threads would not help.

The other process begins at the end of the list, and both look into the cache on disk before they compile anything: so they meet
somewhere in the middle. What the other one cannot do is left to this one.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile

from eagerdl.jit import cache
from eagerdl.kernels import threads

MANY = 8  # kernels to compile from which a process pays that has to import Numba itself


@contextlib.contextmanager
def help_with(sources):
    """A context in which another process compiles kernels with these sources too, if they are many."""
    if len(sources) < MANY or threads.cores() < 2 or cache.folder() is None or not sys.executable:
        yield
        return
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile("w+") as file, contextlib.ExitStack() as stack:
        json.dump(sources, file)
        file.seek(0)
        command = [sys.executable, "-c", f"from {__name__} import work; work()"]
        with contextlib.suppress(OSError):  # processes may be forbidden
            process = subprocess.Popen(
                command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield


def work():
    """What the other process does."""
    from eagerdl.jit import compiler

    for source in json.load(sys.stdin)[::-1]:
        compiler.kernel(source)
