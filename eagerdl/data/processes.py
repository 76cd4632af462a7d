"""Processes that compute the batches of a `PyDataset`.

They are new interpreters (spawned: forking a program with threads is not safe), to which the data set travels by pickle, once
for each change of it.
"""

import contextlib
import os
import pickle
import weakref

from eagerdl.errors import ArgumentError

ADVICE = ("define the class in a module or script, protect the script's start with if __name__ == '__main__':, "
          "or use threads: use_multiprocessing=False")  # fmt: skip
_loaded = (None, None)  # in a worker: the name of the file that was read last, and the data set in it


def _compute(path, number):
    """In a worker: batch `number` of the data set in a file."""
    global _loaded
    if _loaded[0] != path:
        with open(path, "rb") as file:
            _loaded = path, pickle.load(file)
    return _loaded[1][number]


@contextlib.contextmanager
def _said_clearly():
    """Turns the error of a pool whose process ended into one that says what to do."""
    from concurrent.futures.process import BrokenProcessPool

    try:
        yield
    except BrokenProcessPool as error:
        raise ArgumentError("PyDataset", "worker processes must be able to load the data set", f"one of them ended: {error}",
                            ADVICE) from error  # fmt: skip


class Future:
    """A batch to come from a process."""

    def __init__(self, future):
        self.future = future

    def result(self):
        """The batch, waiting for it.

        Raises:
            ArgumentError: if the process ended.
        """
        with _said_clearly():
            return self.future.result()


def _close(pool, folder):
    pool.shutdown(wait=False, cancel_futures=True)
    with contextlib.suppress(OSError):
        folder.cleanup()


class Processes:
    """A pool of processes, which ends when nobody holds this object any more.

    Args:
        count: how many.
    """

    def __init__(self, count):
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        self.pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
        import tempfile

        self.folder = tempfile.TemporaryDirectory(prefix="eagerdl-", ignore_cleanup_errors=True)
        self.content, self.path, self.version = None, None, 0
        self.close = weakref.finalize(self, _close, self.pool, self.folder)

    def send(self, dataset):
        """Makes `dataset`, as it is now, the one whose batches are computed.

        Raises:
            ArgumentError: if it cannot be pickled.
        """
        try:
            content = pickle.dumps(dataset, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise ArgumentError("PyDataset", "use_multiprocessing needs a data set that can be pickled",
                                f"{type(dataset).__name__}: {error}", ADVICE) from error  # fmt: skip
        if content == self.content:
            return
        self.version += 1
        with contextlib.suppress(FileNotFoundError):  # older ones than the last cannot be asked for any more
            os.remove(os.path.join(self.folder.name, f"{self.version - 2}.pickle"))
        self.content, self.path = content, os.path.join(self.folder.name, f"{self.version}.pickle")
        with open(self.path, "wb") as file:
            file.write(content)

    def submit(self, number):
        """A `Future` of batch `number`."""
        with _said_clearly():
            return Future(self.pool.submit(_compute, self.path, number))
