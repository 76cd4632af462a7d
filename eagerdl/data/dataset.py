"""`Dataset`: pipelines of elements with the methods of tf.data, and iterators whose position can be saved."""

import os
import warnings

from eagerdl.data import joining, nesting, selecting, storage, threads, transforms
from eagerdl.data.grouping import Grouping
from eagerdl.data.making import Making, pipeline_of
from eagerdl.data.nodes import INFINITE, UNKNOWN, Walk, check_count
from eagerdl.data.options import Options
from eagerdl.data.shuffling import Shuffle
from eagerdl.data.structure import call, element_of, place, show_nodes_as, to_numpy, to_user
from eagerdl.errors import ArgumentError, DTypeError

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "DatasetIterator"]

AUTOTUNE = -1
INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = INFINITE, UNKNOWN
AHEAD = 2  # elements that prefetch reads ahead with AUTOTUNE
CYCLE = 4  # datasets that interleave opens at once by default; the same on every machine, so that the order is too
FORMAT = 1


class DatasetIterator:
    """A walk over a `Dataset`, from ``iter(dataset)`` or `Dataset.iterator`; its position can be saved and restored.

    Example:
        >>> dataset = edl.data.Dataset.range(6).shuffle(6, seed=1).batch(2)
        >>> iterator = iter(dataset)
        >>> first, state = next(iterator), iterator.state()
        >>> rest = [x.tolist() for x in iterator]
        >>> again = iter(dataset)
        >>> again.restore(state)
        >>> [x.tolist() for x in again] == rest
        True
    """

    def __init__(self, dataset, epoch=None, convert=None):
        self._node, self._threads = dataset._pipeline, dataset._thread_count()
        self._convert = convert or (lambda element: place(to_user(element)))
        self._spec = lambda: dataset.element_spec
        self._begin(None if epoch is None else (epoch,), {})

    def _begin(self, fixed, numbers):
        self._walk = Walk(fixed, numbers, (), self._threads)
        self._iterator = self._node.iterator(self._walk)

    def __iter__(self):
        return self

    def __next__(self):
        return self._convert(self._iterator.next())

    def get_next(self):
        """The next element; raises StopIteration at the end."""
        return next(self)

    @property
    def element_spec(self):
        """The specs of the elements."""
        return self._spec()

    def state(self):
        """The position: a dict of dicts, lists, numbers, text and NumPy arrays (which are not to be written into).

        It holds the elements that wait in buffers only where they cannot be found again cheaply. Functions of the pipeline
        are assumed to give the same for the same element.
        """
        family = self._node.family()
        return {
            "format": FORMAT,
            "pipeline": self._node.describe(),
            "epoch": None if self._walk.fixed is None else list(self._walk.fixed),
            "rounds": [self._walk.numbers.get(node) if node.counted else None for node in family],
            "seeds": [node.seed if node.auto_seed else None for node in family],
            "iterator": self._iterator.state(),
        }

    def restore(self, state):
        """Goes on where a state was taken, perhaps in another process, on a dataset built in the same way.

        Raises:
            ArgumentError: for a state of another pipeline.
        """
        family, where = self._node.family(), "DatasetIterator.restore"
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ArgumentError(
                where, f"a state of format {FORMAT} is needed", f"got {state!r:.80}", "pass what state() gave"
            )
        if state["pipeline"] != self._node.describe() or len(state["rounds"]) != len(family):
            raise ArgumentError(where, "the dataset must be built as the one whose state it is",
                                f"the state is of {state['pipeline']}, this is {self._node.describe()}",
                                "build the same pipeline before restoring")  # fmt: skip
        numbers = {}
        for node, number, seed in zip(family, state["rounds"], state["seeds"]):
            if number is not None:
                numbers[node] = number
                node.passes = max(node.passes, number + 1)
            if seed is not None:
                node.seed = seed
        self._begin(None if state["epoch"] is None else tuple(state["epoch"]), numbers)
        self._iterator.restore(state["iterator"])


class Dataset(Making, Grouping):
    """A pipeline of elements, each a tensor or a nested tuple or dict of tensors, with the methods of ``tf.data.Dataset``.

    Methods return new datasets and read nothing; elements come when it is iterated. Text is held as Python strings and NumPy
    arrays, since tensors cannot hold it. Everything happens in the order that a single thread would give, also with threads.

    Random orders depend on seeds and the number of the pass only; where no seed is given, one comes from the framework's
    global generator when the dataset is made. The iterator's position can be saved (`DatasetIterator`).

    Example:
        >>> dataset = edl.data.Dataset.from_tensor_slices(([1.0, 2.0, 3.0], [0, 1, 0]))
        >>> for x, y in dataset.map(lambda x, y: (x * 10, y)).batch(2):
        ...     print(x, y)
        [10. 20.] [0 1]
        [30.] [0]
    """

    def __init__(self, pipeline, options=None):
        if not hasattr(pipeline, "iterator") or not hasattr(pipeline, "describe"):
            raise DTypeError("Dataset", "datasets are made by class methods", f"got {type(pipeline).__name__}",
                             "use Dataset.from_tensor_slices, from_generator or range")  # fmt: skip
        self._pipeline, self._options = pipeline, options or Options()

    def _with(self, pipeline):
        return Dataset(pipeline, self._options)

    def _thread_count(self):
        return self._options.threading.private_threadpool_size or os.cpu_count() or 1

    # -- reading --------------------------------------------------------------------------------

    def __iter__(self):
        return DatasetIterator(self)

    def iterator(self, epoch=None):
        """A `DatasetIterator`. With an `epoch`, an int, shuffles give the order of that epoch, however often they were
        iterated before.
        """
        return DatasetIterator(self, None if epoch is None else check_count("Dataset.iterator", "epoch", epoch, 0))

    def as_numpy_iterator(self):
        """An iterator over the elements as NumPy arrays and scalars, yours to change, that can be saved like any other.

        Example:
            >>> list(edl.data.Dataset.range(2).as_numpy_iterator())
            [np.int64(0), np.int64(1)]
        """
        return DatasetIterator(self, convert=to_numpy)

    def cardinality(self, name=None):
        """How many elements there are: an int, `INFINITE_CARDINALITY` (-1) or `UNKNOWN_CARDINALITY` (-2).

        Example:
            >>> edl.data.Dataset.range(10).batch(4).cardinality()
            3
        """
        return self._pipeline.cardinality()

    def __len__(self):
        count = self._pipeline.cardinality()
        if count < 0:
            raise DTypeError("len", "the number of elements must be known", f"{self!r} is {_amount(count)}",
                             "iterate, or use take(n)")  # fmt: skip
        return count

    def __bool__(self):
        return True

    def __repr__(self):
        return f"<Dataset {self._pipeline.describe()}: {_amount(self._pipeline.cardinality())}>"

    @property
    def element_spec(self):
        """The specs of the elements: `TensorSpec` with None for sizes that vary.

        What functions give is found out by computing the first element, with the sizes that it has.

        Example:
            >>> edl.data.Dataset.range(5).batch(2).element_spec
            TensorSpec(shape=(None,), dtype=int64)
        """
        return self._pipeline.spec()

    def get_single_element(self, name=None):
        """The only element.

        Raises:
            ArgumentError: if there is none, or more than one.
        """
        found = list(self.take(2))
        if len(found) != 1:
            raise ArgumentError("get_single_element", "exactly one element is needed",
                                f"{self!r} has {'more' if found else 'none'}",
                                "use take(1), or batch all elements")  # fmt: skip
        return found[0]

    def reduce(self, initial_state, reduce_func, name=None):
        """A state that a function takes through all elements: ``state = reduce_func(state, element)``.

        Example:
            >>> int(edl.data.Dataset.range(5).reduce(np.int64(0), lambda total, x: total + x))
            10
        """
        state = element_of(initial_state, "reduce")
        iterator = self._pipeline.iterator(Walk(threads=self._thread_count()))
        while True:
            try:
                element = iterator.next()
            except StopIteration:
                return place(to_user(state))
            state = element_of(call(reduce_func, (state, element), "reduce"), "reduce")

    # -- element by element ---------------------------------------------------------------------

    def map(self, map_func, num_parallel_calls=None, deterministic=None, synchronous=None, use_unbounded_threadpool=False,
            name=None):  # fmt: skip
        """A function of each element.

        Args:
            map_func: takes the element; the components of a tuple as several arguments. What it returns is the new element:
                tuples and dicts are structure, lists become tensors.
            num_parallel_calls: how many threads work at once; AUTOTUNE for as many as there are processors.
            deterministic, synchronous, use_unbounded_threadpool: accepted for TF's sake; results keep the order.

        Example:
            >>> [int(x) for x in edl.data.Dataset.range(3).map(lambda x: x * 2, num_parallel_calls=2)]
            [0, 2, 4]
        """
        if num_parallel_calls is None:
            return self._with(transforms.Map(self._pipeline, map_func))
        count = check_count("map", "num_parallel_calls", num_parallel_calls, 1, (AUTOTUNE,))
        return self._with(threads.ParallelMap(self._pipeline, map_func, None if count == AUTOTUNE else count))

    def filter(self, predicate, name=None):
        """The elements for which a function is True.

        Example:
            >>> [int(x) for x in edl.data.Dataset.range(5).filter(lambda x: x > 2)]
            [3, 4]
        """
        return self._with(transforms.Filter(self._pipeline, predicate))

    def take_while(self, predicate, name=None):
        """The elements before the first for which a function is False."""
        return self._with(transforms.TakeWhile(self._pipeline, predicate))

    def take(self, count, name=None):
        """The first `count` elements; all with -1."""
        count = check_count("take", "count", count, 0, (-1,))
        return self if count == -1 else self._with(selecting.Take(self._pipeline, count))

    def skip(self, count, name=None):
        """The elements after the first `count`; none with -1. What is skipped is not computed."""
        count = check_count("skip", "count", count, 0, (-1,))
        return self._with(selecting.Take(self._pipeline, 0) if count == -1 else selecting.Skip(self._pipeline, count))

    def shard(self, num_shards, index, name=None):
        """Every `num_shards`-th element from number `index` on.

        Raises:
            ArgumentError: if index is not below num_shards.
        """
        num_shards, index = check_count("shard", "num_shards", num_shards), check_count("shard", "index", index, 0)
        if index >= num_shards:
            raise ArgumentError("shard", "index must be below num_shards", f"got index={index}, num_shards={num_shards}",
                                "shards count from 0")  # fmt: skip
        return self._with(selecting.Shard(self._pipeline, num_shards, index))

    def repeat(self, count=None, name=None):
        """All elements `count` times; without end for None and -1. Shuffles below give a new order in each round."""
        return self._with(selecting.Repeat(self._pipeline, self._repeatable("repeat", count)))

    def shuffle(self, buffer_size, seed=None, reshuffle_each_iteration=True, name=None):
        """Elements in random order: each comes from a random place of a buffer, which is filled up from the input.

        A buffer as large as the dataset gives all orders equally often. Over arrays, also after ``take``, ``repeat`` and the
        like, the buffer holds no elements, only their numbers.

        Args:
            buffer_size: how many elements wait in the buffer.
            seed: an int, for the same order in every process; None takes one from the global generator.
            reshuffle_each_iteration: whether each pass has another order.

        Example:
            >>> dataset = edl.data.Dataset.range(5).shuffle(5, seed=1)
            >>> first, second = [[int(x) for x in dataset] for _ in range(2)]
            >>> sorted(first), first == second
            ([0, 1, 2, 3, 4], False)
        """
        size = check_count("shuffle", "buffer_size", buffer_size)
        again = True if reshuffle_each_iteration is None else bool(reshuffle_each_iteration)
        return self._with(Shuffle(self._pipeline, size, seed, again))

    def enumerate(self, start=0, name=None):
        """Pairs of a number, int64, and the element."""
        return self._with(joining.Enumerate(self._pipeline, int(start)))

    def scan(self, initial_state, scan_func, name=None):
        """A function of a state and each element, ``state, output = scan_func(state, element)``; the outputs.

        Example:
            >>> [int(x) for x in edl.data.Dataset.range(1, 4).scan(np.int64(0), lambda s, x: (s + x, s + x))]
            [1, 3, 6]
        """
        return self._with(transforms.Scan(self._pipeline, element_of(initial_state, "scan"), scan_func))

    def unique(self, name=None):
        """Each element once, where it comes first."""
        return self._with(transforms.Unique(self._pipeline))

    def ignore_errors(self, log_warning=False, name=None):
        """Leaves out the elements whose computation raises an error.

        Args:
            log_warning: whether to warn of each.
        """

        def report(error):
            if log_warning:
                warnings.warn(f"an element was left out: {error!r}", stacklevel=2)

        return self._with(transforms.IgnoreErrors(self._pipeline, report))

    # -- several datasets -----------------------------------------------------------------------

    def concatenate(self, dataset, name=None):
        """These elements, then those of another dataset."""
        return self._with(joining.Concatenate(self._pipeline, pipeline_of(dataset, "concatenate")))

    def flat_map(self, map_func, name=None):
        """The elements of the datasets that a function makes of each element, one dataset after the other.

        Example:
            >>> [int(x) for x in edl.data.Dataset.range(4).flat_map(lambda n: edl.data.Dataset.range(n))]
            [0, 0, 1, 0, 1, 2]
        """
        return self._with(nesting.Interleave(self._pipeline, map_func, 1, 1, False, "flat_map"))

    def interleave(
        self, map_func, cycle_length=None, block_length=None, num_parallel_calls=None, deterministic=None, name=None
    ):
        """The elements of the datasets that a function makes of each element, in turns.

        Args:
            map_func: an element -> a dataset.
            cycle_length: how many datasets are open at once; 4 by default, on every machine.
            block_length: how many elements in a row come from one.
            num_parallel_calls: if given, a thread reads ahead in each open dataset.
            deterministic: accepted for TF's sake; the order does not depend on threads.

        Example:
            >>> rows = edl.data.Dataset.range(1, 4).interleave(lambda x: edl.data.Dataset.from_tensors(x).repeat(3), 2, 2)
            >>> [int(x) for x in rows]
            [1, 1, 2, 2, 1, 2, 3, 3, 3]
        """
        cycle = CYCLE if cycle_length in (None, AUTOTUNE) else check_count("interleave", "cycle_length", cycle_length)
        block = 1 if block_length is None else check_count("interleave", "block_length", block_length)
        parallel = num_parallel_calls is not None
        if parallel:
            check_count("interleave", "num_parallel_calls", num_parallel_calls, 1, (AUTOTUNE,))
        return self._with(nesting.Interleave(self._pipeline, map_func, cycle, block, parallel, "interleave"))

    # -- reading ahead, keeping -----------------------------------------------------------------

    def prefetch(self, buffer_size, name=None):
        """A thread reads up to `buffer_size` elements ahead; AUTOTUNE for two. Nothing of it is lost when a position is
        saved: it goes back to before what was not consumed, or holds it.
        """
        size = check_count("prefetch", "buffer_size", buffer_size, 0, (AUTOTUNE,))
        return self if size == 0 else self._with(threads.Prefetch(self._pipeline, AHEAD if size == AUTOTUNE else size))

    def cache(self, filename="", name=None):
        """Keeps all elements when they are read to the end for the first time, and reads them from there afterwards.

        Random orders below it are those of the first pass for ever.

        Args:
            filename: a folder for them; "" keeps them in memory.
        """
        return self._with(storage.Cache(self._pipeline, os.fspath(filename) or None))

    def snapshot(self, path, compression="AUTO", reader_func=None, shard_func=None, name=None):
        """Writes the elements to a folder when they are first read to the end, and reads them from there afterwards.

        Args:
            path: the folder.
            compression: None, "AUTO" or "GZIP".
            reader_func, shard_func: not supported; the order is kept.
        """
        _refuse("snapshot", reader_func=reader_func, shard_func=shard_func)
        return self._with(storage.Cache(self._pipeline, os.fspath(path), compression, "snapshot"))

    def save(self, path, compression=None, shard_func=None, checkpoint_args=None):
        """Writes all elements to a folder, for `load`; it appears only when it is whole.

        Args:
            path: a new or empty folder, or that of an older dataset, which is replaced.
            compression: None or "GZIP".
            shard_func, checkpoint_args: not supported; the order is kept.

        Raises:
            ArgumentError: if the folder holds other files, or the dataset has no end.
        """
        _refuse("save", shard_func=shard_func, checkpoint_args=checkpoint_args)
        if self.cardinality() == INFINITE:
            raise ArgumentError("save", "the dataset must end", f"{self!r} does not", "use take(n) first")
        writer, iterator = (
            storage.Writer(path, compression, "save"),
            self._pipeline.iterator(Walk(threads=self._thread_count())),
        )
        try:
            while True:
                try:
                    writer.add(iterator.next())
                except StopIteration:
                    break
            writer.finish()
        except BaseException:
            writer.abandon()
            raise

    # -- the whole ------------------------------------------------------------------------------

    def apply(self, transformation_func):
        """``transformation_func(self)``, which must be a Dataset, for chains of methods."""
        out = transformation_func(self)
        pipeline_of(out, "apply")
        return out

    def options(self):
        """The `Options` of this dataset."""
        return self._options.merge(Options())

    def with_options(self, options, name=None):
        """The same elements with other settings, where `options` says something."""
        if not isinstance(options, Options):
            raise DTypeError(
                "with_options", "an edl.data.Options is needed", f"got {type(options).__name__}", "use Options()"
            )
        return Dataset(self._pipeline, self._options.merge(options))


def _amount(count):
    return {INFINITE: "infinite", UNKNOWN: "unknown size", 1: "1 element"}.get(count, f"{count} elements")


def _refuse(where, **arguments):
    for name, value in arguments.items():
        if value is not None:
            raise ArgumentError(where, "elements are written and read in one order", f"{name} came", "leave it out")


show_nodes_as(Dataset)
