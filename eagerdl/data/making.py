"""The constructors of `Dataset`: from arrays, generators, files, and from other datasets."""

import glob
import os

import numpy as np

from eagerdl.data import joining, mixing, sources, storage
from eagerdl.data.nodes import check_count
from eagerdl.data.shuffling import Shuffle
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.tree import flatten


def pipeline_of(dataset, where):
    """The pipeline of an argument that must be a Dataset.

    Raises:
        DTypeError: if it is none.
    """
    if not hasattr(dataset, "_pipeline"):
        raise DTypeError(where, "a Dataset is needed", f"got {type(dataset).__name__}: {dataset!r:.60}",
                         "make one with Dataset.from_tensor_slices")  # fmt: skip
    return dataset._pipeline


class Making:
    """The class methods of `Dataset` that make one."""

    @classmethod
    def from_tensor_slices(cls, tensors, name=None):
        """A dataset of the slices of arrays along their first axis.

        NumPy arrays are not copied: do not write into them while the dataset lives. Lists become arrays; tuples and dicts
        are the structure of the elements.

        Args:
            tensors: an array, or a nested structure of arrays of one length.
            name: accepted for TF's sake, as in all methods.

        Raises:
            ShapeError: for numbers, and arrays of unequal length.

        Example:
            >>> dataset = edl.data.Dataset.from_tensor_slices({"x": [[1.0], [2.0]], "y": [0, 1]})
            >>> list(dataset.as_numpy_iterator())[1]
            {'x': array([2.], dtype=float32), 'y': np.int32(1)}
        """
        return cls(sources.slices_of(tensors))

    @classmethod
    def from_tensors(cls, tensors, name=None):
        """A dataset of one element.

        Example:
            >>> [x.shape for x in edl.data.Dataset.from_tensors([1, 2, 3])]
            [(3,)]
        """
        return cls(sources.tensors_of(tensors))

    @classmethod
    def from_generator(
        cls, generator, output_types=None, output_shapes=None, args=None, output_signature=None, name=None
    ):
        """A dataset of what a function's generator yields.

        A saved position is restored by reading the generator again up to it.

        Args:
            generator: a function that returns a new generator or another iterable at each call.
            output_types, output_shapes: dtypes and shapes of the elements, as in older TF programs.
            args: arguments for the function, given as arrays.
            output_signature: a structure of `TensorSpec`; elements are checked against it. May be left out.

        Raises:
            DTypeError: for a generator where a function is needed; while reading, for dtypes that do not fit.
            ShapeError: while reading, for structures and shapes that do not fit.

        Example:
            >>> def squares():
            ...     for i in range(4):
            ...         yield i * i
            >>> list(edl.data.Dataset.from_generator(squares, output_signature=edl.TensorSpec((), "int32")).as_numpy_iterator())
            [np.int32(0), np.int32(1), np.int32(4), np.int32(9)]
        """
        return cls(
            sources.Generator(generator, args, sources.signature_of(output_types, output_shapes, output_signature))
        )

    @classmethod
    def range(cls, *args, output_type=None, name=None):
        """The numbers of Python's ``range``, int64 by default.

        Example:
            >>> [int(x) for x in edl.data.Dataset.range(1, 7, 2)]
            [1, 3, 5]
        """
        return cls(sources.range_of(args, output_type))

    @classmethod
    def counter(cls, start=0, step=1, dtype="int64", name=None):
        """Numbers without end.

        Example:
            >>> [int(x) for x in edl.data.Dataset.counter(5, 2).take(3)]
            [5, 7, 9]
        """
        return cls(sources.Range(int(start), int(step), None, dtype, "counter"))

    @classmethod
    def random(cls, seed=None, rerandomize_each_iteration=None, name=None):
        """Random int64 numbers from 0 to 2**32 - 1 without end.

        Args:
            seed: an int, for the same numbers in every process; None takes one from the global generator.
            rerandomize_each_iteration: True for other numbers in each pass.

        Example:
            >>> first, again = [list(edl.data.Dataset.random(seed=3).take(2).as_numpy_iterator()) for _ in range(2)]
            >>> first == again
            True
        """
        return cls(sources.RandomNumbers(seed, rerandomize_each_iteration))

    @classmethod
    def list_files(cls, file_pattern, shuffle=None, seed=None, name=None):
        """The names of the files that match a pattern, in random order, or sorted with ``shuffle=False``.

        Args:
            file_pattern: a glob pattern, or a list of them.
            shuffle: whether the order is random; True by default.
            seed: the seed of the order.

        Raises:
            ArgumentError: if nothing matches.
        """
        patterns = np.asarray(file_pattern).reshape(-1).tolist()
        found = sorted({name for pattern in patterns for name in glob.glob(os.fspath(pattern))})
        if not found:
            raise ArgumentError("list_files", "at least one file must match", f"none matches {file_pattern!r}",
                                f"check the pattern; the working folder is {os.getcwd()}")  # fmt: skip
        node = sources.slices_of(found, "list_files")
        return cls(node if shuffle is False else Shuffle(node, len(found), seed, True))

    @classmethod
    def load(cls, path, element_spec=None, compression=None, reader_func=None):
        """The dataset that `save` wrote to a folder.

        Args:
            path: the folder.
            element_spec, compression: accepted for TF's sake; both are known from the files.
            reader_func: not supported: use ``shuffle`` or ``interleave`` on the result.

        Raises:
            ArgumentError: if it is no such folder, or damaged.
        """
        if reader_func is not None:
            raise ArgumentError("load", "elements are read in the order in which they were saved", "reader_func came",
                                "shuffle or interleave the result instead")  # fmt: skip
        return cls(storage.Saved(path))

    @classmethod
    def zip(cls, *args, datasets=None, name=None):
        """Elements of several datasets side by side, up to the end of the shortest.

        Args:
            args: datasets, or one nested structure of them, which becomes that of the elements.
            datasets: the older name of that structure.

        Example:
            >>> a, b = edl.data.Dataset.range(3), edl.data.Dataset.range(5, 9)
            >>> [(int(x), int(y)) for x, y in edl.data.Dataset.zip(a, b)]
            [(0, 5), (1, 6), (2, 7)]
        """
        structure = datasets if datasets is not None else args[0] if len(args) == 1 else args
        leaves, build = flatten(structure)
        if not leaves or (datasets is not None and args):
            raise ArgumentError(
                "zip", "datasets, or one structure of them, are needed", f"got {len(args)} arguments", "use zip(a, b)"
            )
        return cls(joining.Zip([pipeline_of(one, "zip") for one in leaves], build))

    @classmethod
    def choose_from_datasets(cls, datasets, choice_dataset, stop_on_empty_dataset=True):
        """Elements of several datasets, from which one each time says another dataset.

        Args:
            datasets: a list of datasets.
            choice_dataset: a dataset of numbers from 0 to ``len(datasets) - 1``.
            stop_on_empty_dataset: whether the end of one of them is the end; else it is left out from then on.

        Example:
            >>> parts = [edl.data.Dataset.from_tensors(i).repeat() for i in range(3)]
            >>> choice = edl.data.Dataset.from_tensor_slices([0, 0, 2, 1])
            >>> [int(x) for x in edl.data.Dataset.choose_from_datasets(parts, choice)]
            [0, 0, 2, 1]
        """
        inputs = cls._several("choose_from_datasets", datasets)
        return cls(mixing.Choose(inputs, pipeline_of(choice_dataset, "choose_from_datasets"), stop_on_empty_dataset))

    @classmethod
    def sample_from_datasets(
        cls, datasets, weights=None, seed=None, stop_on_empty_dataset=False, rerandomize_each_iteration=None
    ):
        """Elements of several datasets, each from one drawn at random.

        Args:
            datasets: a list of datasets.
            weights: a weight for each, in proportion to which they are drawn; equal by default.
            seed: the seed of the draws.
            stop_on_empty_dataset: whether the end of one of them is the end; else it is left out from then on.
            rerandomize_each_iteration: True for other draws in each pass.

        Raises:
            ArgumentError: for weights that do not fit.
        """
        inputs = cls._several("sample_from_datasets", datasets)
        weights = mixing.weights_of(weights, len(inputs))
        return cls(mixing.Sample(inputs, weights, seed, stop_on_empty_dataset, rerandomize_each_iteration))

    @staticmethod
    def _several(where, datasets):
        if not isinstance(datasets, list | tuple) or not datasets:
            raise ArgumentError(where, "a list of datasets is needed", f"got {datasets!r:.60}", "pass at least one")
        return [pipeline_of(one, where) for one in datasets]

    @classmethod
    def _repeatable(cls, where, count):
        """A count of -1 or None as None, for no end."""
        return None if count is None or count == -1 else check_count(where, "count", count, 0)
