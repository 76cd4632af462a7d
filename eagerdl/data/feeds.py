"""Data as batches by epochs, with a position that can be saved: one class for each kind of data."""

import itertools
import warnings

from eagerdl.data.arrays import ArrayBatches, permutation
from eagerdl.data.conversion import check_sizes, convert, tensor_of
from eagerdl.data.nodes import INFINITE, check_seed
from eagerdl.data.processes import Processes
from eagerdl.data.py_dataset import Loader
from eagerdl.data.structure import outline
from eagerdl.data.weights import (
    check_class_weight,
    class_weight_to_sample_weights,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.tree import flatten

__all__ = ["Batches"]

NAMES = ("x", "y", "sample_weight")


class Batches:
    """Batches for training loops: x, or tuples (x,), (x, y) or (x, y, sample_weight), of tensors.

    Attributes:
        num_batches: how many there are in one pass over the data, None if unknown or without end.
        batch_size: how many samples a batch has, None if the data say it.
        where: the method that reads, for messages.
    """

    kind = "data"
    num_batches: int | None = None
    batch_size: int | None = None
    rewinds = True  # a new pass can begin at any time
    endless = False

    def __init__(self, where, class_weight=None):
        self.where, self.class_weight = where, class_weight
        if class_weight is not None:
            check_class_weight(where, class_weight)
        self._walk, self._round = None, 0
        self._epoch, self._step, self._done, self._resumed = 0, 0, False, False
        self._read, self._first = 0, None  # batches read in all; the outline of the first one

    # -- for subclasses -------------------------------------------------------------------------

    def _open(self, number):
        """An iterator over the batches of pass `number`, with `state` and `restore`."""
        raise NotImplementedError

    def _begin(self):
        """Called when an epoch begins."""

    def _end(self):
        """Called when an epoch ends."""

    # -- reading --------------------------------------------------------------------------------

    def epoch(self, number=0, steps=None):
        """A generator of the batches of an epoch.

        Args:
            number: which epoch. Without `steps` it is one pass over the data, in an order that depends on this number.
            steps: if given, how many batches; the next epoch goes on behind them, and data that end begin again.

        Raises:
            ArgumentError: for data without a batch, and generators that end early.
        """
        if self._resumed and number == self._epoch:
            self._resumed = False
            if self._done:
                return
        else:
            self._epoch, self._step, self._done, self._resumed = number, 0, False, False
            if steps is None and self.rewinds:
                self._walk, self._round = self._open(number), number
            elif self._walk is None:
                self._walk = self._open(self._round)
        if steps is None and self.endless:
            raise ArgumentError(self.where, f"a {self.kind} without an end needs a number of batches", "steps_per_epoch is None",
                                "give steps_per_epoch, or take(n)")  # fmt: skip
        self._begin()
        fresh = False  # a pass began in this epoch, and nothing was read of it
        while steps is None or self._step < steps:
            try:
                batch = next(self._walk)
            except StopIteration:
                if (steps is None and self._step) or not self._renewed(steps, fresh):
                    break
                fresh = True
                continue
            fresh = False
            self._read += 1
            batch = self._checked(batch)
            self._step += 1
            yield batch
        self._done = True
        self._end()

    def reset(self):
        """Lets the next epoch begin with the first batch, also where epochs have `steps`; generators cannot."""
        self._resumed = False
        if self.rewinds:
            self._walk, self._round = None, 0

    def _renewed(self, steps, fresh):
        """What to do when the data end where a batch is needed: True if a new pass begins in this epoch."""
        if not self.rewinds and self._read:
            wanted = "a batch" if steps is None else f"batch {self._step + 1} of {steps}"
            raise ArgumentError(self.where, f"a {self.kind} must yield all batches of all epochs",
                                f"it ended after {self._read}, where epoch {self._epoch + 1} needs {wanted}",
                                "make it endless, lower steps_per_epoch or epochs, or use Dataset.from_generator, which "
                                "begins anew")  # fmt: skip
        if self._step == 0 and (fresh or steps is None or not self.rewinds):
            raise ArgumentError(self.where, "data must have at least one batch", f"the {self.kind} has none",
                                "check how it was made")  # fmt: skip
        if self._step:
            warnings.warn(f"[{self.where}] the {self.kind} ended after {self._step} of {steps} batches of epoch "
                          f"{self._epoch + 1}; use repeat(), or lower steps_per_epoch", stacklevel=3)  # fmt: skip
        self._round += 1
        self._walk = self._open(self._round)
        return self._step == 0

    def peek(self):
        """The next batch, which stays where it is."""
        state = self.state()
        batch = next(self.epoch(state["epoch"], 1))
        self.restore(state)
        return batch

    def state(self):
        """The position, also inside an epoch: numbers, and the state of the data's own iterator."""
        if self._walk is None:
            self._walk = self._open(self._round)
        return {"kind": self.kind, "epoch": self._epoch, "step": self._step, "done": self._done, "round": self._round,
                "read": self._read, "walk": self._walk.state()}  # fmt: skip

    def restore(self, state):
        """Goes on where a state was taken: `epoch` of that number gives the rest of it.

        Raises:
            ArgumentError: for a state of another kind of data.
        """
        if state["kind"] != self.kind:
            raise ArgumentError(self.where, "the position must be of the same kind of data", f"it is of {state['kind']}, this "
                                f"is {self.kind}", "resume with the data of the interrupted run")  # fmt: skip
        self._epoch, self._step, self._done = state["epoch"], state["step"], state["done"]
        self._round, self._read = state["round"], state["read"]
        self._walk = self._open(self._round)
        self._walk.restore(state["walk"])
        self._resumed = True

    # -- checking -------------------------------------------------------------------------------

    def _checked(self, batch):
        """A batch as it comes, as tensors; refuses what cannot be one."""
        which = f"batch {self._read} of the {self.kind}: "
        if isinstance(batch, list):
            batch = tuple(batch)
        if isinstance(batch, tuple) and not 1 <= len(batch) <= 3:
            raise ArgumentError(self.where, which + "a batch is x, (x,), (x, y) or (x, y, sample_weight)",
                                f"got a tuple of {len(batch)}: {outline(batch)}",
                                "put several inputs into one list or dict")  # fmt: skip
        parts = unpack_x_y_sample_weight(batch)
        parts = [convert(part, lambda leaf, name: tensor_of(leaf, which + name, self.where), name)
                 for name, part in zip(NAMES, parts)]  # fmt: skip
        size = check_sizes(self.where, list(zip(NAMES, parts)), which, "look at how this batch is made")
        if not size:
            came = "it is empty" if size == 0 else "its arrays have shape ()"
            remedy = "leave out empty batches" if size == 0 else "call .batch(n) on the dataset, or yield whole batches"
            raise ArgumentError(self.where, which + "a batch must have samples along its first axis", came, remedy)
        self._compare(parts, which)
        x, y, weight = parts
        if self.class_weight is not None:
            weight = self._weights(y, weight)
        packed = isinstance(batch, tuple)
        return (x,) if packed and y is None and weight is None else pack_x_y_sample_weight(x, y, weight)

    def _compare(self, parts, which):
        """Refuses a batch of another structure than the first one, or of other numbers of axes."""
        found = [[(name, getattr(leaf, "ndim", None)) for leaf in flatten(part)[0]] for name, part in zip(NAMES, parts)]
        if self._first is None:
            self._first = found, outline([part for part in parts if part is not None])
        elif found != self._first[0]:
            raise ShapeError(self.where, which + "all batches must have one structure", f"the first was {self._first[1]}, "
                             f"this is {outline([part for part in parts if part is not None])}", "make them alike")  # fmt: skip

    def _weights(self, y, weight):
        """The sample weights of a batch by the class weights."""
        if weight is not None:
            raise ArgumentError(
                self.where, "either class_weight or sample_weight", "both came", "multiply them yourself"
            )
        if y is None or isinstance(y, dict | list | tuple):
            raise ArgumentError(
                self.where, "class_weight needs one array of labels", f"y is {outline(y)}", "use sample_weight"
            )
        return tensor_of(class_weight_to_sample_weights(y, self.class_weight))


class ArrayData(Batches):
    """Arrays in memory."""

    kind = "arrays"

    def __init__(self, where, parts, class_weight, **settings):
        super().__init__(where, class_weight)
        self._arrays = ArrayBatches(pack_x_y_sample_weight(*parts), **settings)
        self.num_batches, self.batch_size = self._arrays.num_batches, self._arrays.batch_size
        self.num_samples = self._arrays.size

    def _open(self, number):
        return self._arrays.epoch(number)

    def _checked(self, batch):
        build = self._arrays.build
        leaves = batch if build is tuple else flatten(batch)[0]
        batch = build([tensor_of(leaf, floats=True) for leaf in leaves])
        if self.class_weight is None:
            return batch
        x, y, weight = unpack_x_y_sample_weight(batch)
        return pack_x_y_sample_weight(x, y, self._weights(y, weight))


class DatasetData(Batches):
    """A `Dataset`."""

    kind = "Dataset"

    def __init__(self, where, dataset, class_weight):
        super().__init__(where, class_weight)
        self._dataset = dataset
        count = dataset.cardinality()
        self.num_batches, self.endless = count if count >= 0 else None, count == INFINITE

    def _open(self, number):
        return self._dataset.iterator(epoch=number)


class PyData(Batches):
    """A `PyDataset`."""

    kind = "PyDataset"

    def __init__(self, where, dataset, class_weight, shuffle, seed):
        super().__init__(where, class_weight)
        self._dataset, self._shuffle = dataset, bool(shuffle)
        self._seed = check_seed(where, seed) if shuffle or seed is not None else 0
        self._processes = None
        self.num_batches = dataset.num_batches
        self.rewinds, self.endless = self.num_batches is not None, self.num_batches is None

    def _open(self, number):
        if self._dataset.use_multiprocessing and self._processes is None:
            self._processes = Processes(max(1, self._dataset.workers))
        return PyWalk(self, number)

    def _begin(self):
        self._dataset.on_epoch_begin()

    def _end(self):
        self._dataset.on_epoch_end()
        count = self._dataset.num_batches
        self.num_batches = count


class PyWalk:
    """The batches of one pass over a `PyDataset`; the loader begins with the first batch that is asked for."""

    def __init__(self, data, number):
        self.data, self.number, self.position, self.loader = data, number, 0, None

    def _numbers(self):
        data = self.data
        count = data._dataset.num_batches
        if count is None:
            return itertools.count(self.position)
        if data._shuffle:
            return permutation(count, data._seed, self.number).tolist()[self.position :]
        return range(self.position, count)

    def __next__(self):
        if self.loader is None:
            self.loader = Loader(self.data._dataset, self._numbers(), self.data._processes)
        out = next(self.loader)
        self.position += 1
        return out

    def state(self):
        return {"position": self.position, "number": self.number, "seed": self.data._seed}

    def restore(self, state):
        self.position, self.number, self.data._seed = state["position"], state["number"], state["seed"]
        self.loader = None


class Counted:
    """An iterator that counts, whose position is restored by reading again."""

    def __init__(self, source, kind, where):
        self.source, self.kind, self.where, self.position = source, kind, where, 0

    def __next__(self):
        out = next(self.source)
        self.position += 1
        return out

    def state(self):
        return {"position": self.position}

    def restore(self, state):
        missing = state["position"] - self.position
        if missing < 0:
            raise ArgumentError(self.where, f"a {self.kind} cannot go back", f"{self.position} batches were read, the position is "
                                f"{state['position']}", "restore into new data")  # fmt: skip
        done = sum(1 for _ in itertools.islice(self.source, missing))
        self.position += done
        if done < missing:
            raise ArgumentError(self.where, f"a {self.kind} must yield again what it did", "the position is "
                                f"after {state['position']} batches, it ended after {self.position}",
                                "resume with the same data")  # fmt: skip


class IterableData(Batches):
    """An iterable that begins anew each time, such as a DataLoader of torch, or a function that returns a generator."""

    kind = "iterable"

    def __init__(self, where, source, class_weight):
        super().__init__(where, class_weight)
        self._source = source
        if hasattr(source, "__len__"):
            self.num_batches = self._length()
        size = getattr(source, "batch_size", None)
        self.batch_size = size if isinstance(size, int) else None

    def _length(self):
        try:
            return len(self._source)
        except TypeError:  # a DataLoader over a stream
            return None

    def _open(self, number):
        return Counted(iter(self._source() if callable(self._source) else self._source), self.kind, self.where)


class GeneratorData(Batches):
    """A generator or another iterator, which can be read once."""

    kind = "generator"
    rewinds = False

    def __init__(self, where, source, class_weight):
        super().__init__(where, class_weight)
        self._source = Counted(source, self.kind, where)

    def _open(self, number):
        return self._source

    def peek(self):
        batch = next(self._source.source)
        self._source.source = itertools.chain([batch], self._source.source)
        return self._checked(batch)
