"""`ArrayBatches`: arrays in memory as batches, in an order that depends on a seed and the epoch only."""

import math
import operator

import numpy as np

from eagerdl import devices
from eagerdl.data.nodes import check_count, check_seed, stream_of
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.kernels import variates
from eagerdl.tree import flatten

__all__ = ["ArrayBatches", "SparseRows", "permutation"]


def permutation(size, seed, epoch):
    """A random order of `size` things, int64 of shape (size,); the same for the same seed and epoch, everywhere.

    Example:
        >>> from eagerdl.data.arrays import permutation
        >>> sorted(permutation(4, seed=1, epoch=0).tolist())
        [0, 1, 2, 3]
    """
    if size >= 1 << 31:
        return stream_of(seed, (epoch,)).bits(64, size).argsort()
    return variates.order(stream_of(seed, (epoch,)), size).astype(np.int64)


class SparseRows:
    """The rows of a SciPy sparse matrix, which become dense batch by batch.

    Args:
        matrix: the matrix, of any format.
    """

    def __init__(self, matrix):
        self.matrix = matrix.tocsr()
        self.shape, self.dtype, self.ndim = matrix.shape, matrix.dtype, 2

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, where):
        return SparseRows(self.matrix[where])

    def rows(self, where):
        """The rows at a slice or at indices, dense."""
        return self.matrix[where].toarray()


def take_rows(leaf, where):
    """leaf (n, ...) -> the rows at a slice (a view) or at an index array (a copy)."""
    if isinstance(leaf, np.ndarray):
        return leaf[where] if isinstance(where, slice) else leaf.take(where, 0)
    if isinstance(leaf, SparseRows):
        return leaf.rows(where)
    return leaf[where if isinstance(where, slice) else devices.module_of(leaf).asarray(where)]


class ArrayBatches:
    """Arrays of equal length as batches of their rows.

    The order of epoch e depends on the seed and e only, so that an epoch can be read again, or gone on with in the middle.

    Args:
        arrays: an array or a nested structure of arrays; None in it stays None.
        batch_size: how many rows; the last batch may have fewer.
        shuffle: False, True for all rows in random order, or "batch" for random order inside each batch.
        seed: an int; None takes one from the global generator.
        drop_remainder: whether to leave out a last batch with fewer rows.

    Raises:
        ArgumentError: for an unknown `shuffle`, or no rows.
        ShapeError: for arrays of unequal length.

    Example:
        >>> batches = edl.data.ArrayBatches({"x": np.arange(5), "y": np.arange(5) * 10}, batch_size=2)
        >>> [batch["y"].tolist() for batch in batches.epoch(0)]
        [[0, 10], [20, 30], [40]]
    """

    def __init__(self, arrays, batch_size=32, shuffle=False, seed=None, drop_remainder=False):
        self.leaves, self.build = flatten(arrays)
        if (
            arrays.__class__ is tuple
            and len(arrays) == len(self.leaves)
            and all(map(operator.is_, arrays, self.leaves))
        ):
            self.build = tuple  # the usual (x, y), in few steps
        sizes = [leaf.shape[0] for leaf in self.leaves if leaf is not None]
        if len(set(sizes)) > 1:
            raise ShapeError(
                "ArrayBatches", "all arrays must have the same length", f"got {sizes}", "check the first axis"
            )
        if not sizes or not sizes[0]:
            raise ArgumentError(
                "ArrayBatches", "at least one row is needed", "the arrays are empty", "check how they were loaded"
            )
        if shuffle not in (True, False, "batch"):
            raise ArgumentError("ArrayBatches", "shuffle is True, False or 'batch'", f"got {shuffle!r}", "use True")
        self.size, self.shuffle = sizes[0], shuffle
        self.batch_size = check_count("ArrayBatches", "batch_size", batch_size)
        self.drop_remainder, self.seed = (
            drop_remainder,
            check_seed("ArrayBatches", seed) if shuffle or seed is not None else 0,
        )
        self.num_batches = self.size // self.batch_size if drop_remainder else math.ceil(self.size / self.batch_size)

    def epoch(self, number=0):
        """An iterator over the batches of one epoch, with `state` and `restore`."""
        return ArrayIterator(self, number)

    def __iter__(self):
        return self.epoch(0)

    def __len__(self):
        return self.num_batches


class ArrayIterator:
    """A walk over `ArrayBatches`. Its state is three numbers."""

    def __init__(self, batches, epoch):
        self.batches, self.epoch, self.position, self.order = batches, epoch, 0, None

    def __iter__(self):
        return self

    def _rows(self):
        """Where the rows of the next batch are."""
        batches = self.batches
        start = self.position * batches.batch_size
        stop = min(start + batches.batch_size, batches.size)
        if not batches.shuffle:
            return slice(start, stop)
        if batches.shuffle == "batch":
            words = stream_of(batches.seed, (self.epoch, self.position + 1)).bits(64, stop - start)
            return start + words.argsort()
        if self.order is None:
            self.order = permutation(batches.size, batches.seed, self.epoch)
        return self.order[start:stop]

    def __next__(self):
        if self.position >= self.batches.num_batches:
            raise StopIteration
        rows = self._rows()
        self.position += 1
        return self.batches.build([None if leaf is None else take_rows(leaf, rows) for leaf in self.batches.leaves])

    def state(self):
        """The position: seed, epoch and the number of batches read."""
        return {"seed": self.batches.seed, "epoch": self.epoch, "position": self.position}

    def restore(self, state):
        """Goes on where a state was taken."""
        self.batches.seed, self.epoch, self.position = state["seed"], state["epoch"], state["position"]
        self.order = None
