"""`PyDataset`: batches by number, computed by a method of the user, in worker threads or processes if wanted."""

import itertools
from collections import deque

from eagerdl.data.processes import Processes
from eagerdl.data.workers import Workers
from eagerdl.errors import DTypeError, EagerdlError, MissingNameError

__all__ = ["PyDataset", "Sequence"]


class PyDataset:
    """Base class of data sets that compute each batch by its number: write ``__getitem__`` and ``__len__``.

    ``fit`` asks for batches in order, or in a random order of their numbers with ``shuffle=True``; workers compute several
    ahead, and the order stays. `on_epoch_begin` and `on_epoch_end` may change the data between epochs.

    Args:
        workers: how many threads or processes compute batches; with one thread, the main thread does.
        use_multiprocessing: True for processes instead of threads. The data set is sent to them by pickle, and the program
            must be importable: protect its start with ``if __name__ == "__main__":``.
        max_queue_size: how many batches are computed ahead.

    Example:
        >>> class Squares(edl.data.PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...
        ...     def __getitem__(self, index):
        ...         x = np.arange(2.0) + 2 * index
        ...         return x, x**2
        >>> [y.tolist() for x, y in Squares(workers=2)]
        [[0.0, 1.0], [4.0, 9.0], [16.0, 25.0]]
    """

    # Defaults on the class, so that subclasses need not call super().__init__().
    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        for name, value in (("workers", workers), ("max_queue_size", max_queue_size)):
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
                raise DTypeError("PyDataset", f"{name} is an int, not negative", f"got {value!r}", f"use {name}=1")
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index):
        """Batch number `index`: x, or a tuple (x,), (x, y) or (x, y, sample_weight)."""
        raise MissingNameError(type(self).__name__, "a PyDataset must have __getitem__", "it is not written",
                               "def __getitem__(self, index): return x, y")  # fmt: skip

    @property
    def num_batches(self):
        """How many batches there are, None for no end; by default ``len(self)``."""
        if hasattr(self, "__len__"):
            return len(self)
        raise MissingNameError(type(self).__name__, "a PyDataset must have __len__ or num_batches", "neither is written",
                               "def __len__(self): return number_of_batches")  # fmt: skip

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch."""

    def __iter__(self):
        count = self.num_batches
        return Loader(self, itertools.count() if count is None else range(count))


Sequence = PyDataset


class Loader:
    """The batches of numbers, in their order, computed ahead.

    Args:
        dataset: a `PyDataset`.
        numbers: an iterable of ints.
        processes: the `Processes` to use, which may serve several loaders; by default new ones if needed.
    """

    def __init__(self, dataset, numbers, processes=None):
        self.dataset, self.numbers, self.tasks = dataset, iter(numbers), deque()
        self.ahead = max(1, int(dataset.max_queue_size))
        self.workers = None
        if dataset.use_multiprocessing and dataset.workers > 0:
            self.workers = processes or Processes(dataset.workers)
            self.workers.send(dataset)
        elif dataset.workers > 1:
            self.workers = Workers(dataset.workers, "eagerdl-batches")

    def __iter__(self):
        return self

    def _submit(self, number):
        if isinstance(self.workers, Processes):
            return self.workers.submit(number)
        return self.workers.submit(self.dataset.__getitem__, number)

    def __next__(self):
        if self.workers is None:
            number = next(self.numbers)
            return self._checked(number, lambda: self.dataset[number])
        for number in itertools.islice(self.numbers, self.ahead - len(self.tasks)):
            self.tasks.append((number, self._submit(number)))
        if not self.tasks:
            raise StopIteration
        number, task = self.tasks.popleft()
        return self._checked(number, task.result)

    def _checked(self, number, get):
        try:
            return get()
        except EagerdlError:
            raise
        except StopIteration as error:  # would end the epoch without a word
            raise RuntimeError(f"[{type(self.dataset).__name__}] __getitem__({number}) raised StopIteration") from error
        except Exception as error:
            error.add_note(f"while computing batch {number} of {type(self.dataset).__name__}")
            raise
