"""The methods of `Dataset` that make batches and windows of its elements, and buckets of sequences."""

from bisect import bisect_right
from itertools import pairwise

import numpy as np

from eagerdl.data import batching, nesting
from eagerdl.data.nodes import check_count
from eagerdl.data.structure import ArraySpec, call, one_number, outline
from eagerdl.errors import ArgumentError, MissingNameError
from eagerdl.tensor import TensorSpec
from eagerdl.tree import map_structure


class Grouping:
    """The methods of `Dataset` for batches and windows."""

    def batch(self, batch_size, drop_remainder=False, num_parallel_calls=None, deterministic=None, name=None):
        """Elements stacked to batches. On arrays, also shuffled ones, each batch is gathered at once.

        Args:
            batch_size: how many; the last batch may have fewer.
            drop_remainder: whether to leave that one out.
            num_parallel_calls, deterministic: accepted for TF's sake.

        Raises:
            ShapeError: while reading, if shapes differ.

        Example:
            >>> [x.tolist() for x in edl.data.Dataset.range(5).batch(2)]
            [[0, 1], [2, 3], [4]]
        """
        size = [check_count("batch", "batch_size", batch_size)]
        return self._with(batching.Batch(self._pipeline, size, bool(drop_remainder)))

    def padded_batch(self, batch_size, padded_shapes=None, padding_values=None, drop_remainder=False, name=None):
        """Elements padded at the end of each axis to one shape, and stacked.

        Args:
            batch_size: how many.
            padded_shapes: the shape of each component, with None for the largest size in the batch; by default all None.
            padding_values: one value, or one for each component; 0 or "" by default.
            drop_remainder: whether to leave out a last batch with fewer elements.

        Raises:
            ShapeError: while reading, for elements that do not fit.

        Example:
            >>> rows = edl.data.Dataset.range(1, 4).map(lambda n: edl.ones((int(n),), "int32"))
            >>> [x.tolist() for x in rows.padded_batch(2)]
            [[[1, 0], [1, 1]], [[1, 1, 1]]]
        """
        size = [check_count("padded_batch", "batch_size", batch_size)]
        return self._with(
            batching.PaddedBatch(self._pipeline, size, bool(drop_remainder), padded_shapes, padding_values)
        )

    def ragged_batch(self, batch_size, drop_remainder=False, row_splits_dtype="int64", name=None):
        """Tensors here are rectangular: there are no ragged batches.

        Raises:
            MissingNameError: always, with what to use.
        """
        raise MissingNameError("ragged_batch", "tensors are rectangular, there are no ragged ones", f"batch_size={batch_size}",
                               "use padded_batch, or bucket_by_sequence_length for little padding")  # fmt: skip

    def rebatch(self, batch_size, drop_remainder=False, name=None):
        """Batches of another size from batches; with a list of sizes, these in turns.

        Example:
            >>> [x.tolist() for x in edl.data.Dataset.range(6).batch(2).rebatch(3)]
            [[0, 1, 2], [3, 4, 5]]
        """
        sizes = batching.sizes_of("rebatch", batch_size)
        return self._with(batching.Batch(batching.Unbatch(self._pipeline), sizes, bool(drop_remainder)))

    def unbatch(self, name=None):
        """The slices of each element along its first axis.

        Example:
            >>> [int(x) for x in edl.data.Dataset.from_tensors([4, 5]).unbatch()]
            [4, 5]
        """
        return self._with(batching.Unbatch(self._pipeline))

    def window(self, size, shift=None, stride=1, drop_remainder=False, name=None):
        """Datasets of elements in a row; a component of an element becomes a dataset of its own.

        Args:
            size: how many elements.
            shift: how far the next window begins after this one; `size` by default.
            stride: the distance of the elements inside a window.
            drop_remainder: whether to leave out windows at the end with fewer elements.

        Example:
            >>> windows = edl.data.Dataset.range(5).window(3, shift=1, drop_remainder=True)
            >>> [x.tolist() for x in windows.flat_map(lambda window: window.batch(3))]
            [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
        """
        size = check_count("window", "size", size)
        shift = size if shift is None else check_count("window", "shift", shift)
        stride = check_count("window", "stride", stride)
        return self._with(batching.Window(self._pipeline, size, shift, stride, bool(drop_remainder)))

    def group_by_window(self, key_func, reduce_func, window_size=None, window_size_func=None, name=None):
        """Collects elements by a key; so many of one key become elements of the result through a function.

        Args:
            key_func: an element -> an int.
            reduce_func: a key and a dataset of elements -> a dataset.
            window_size: how many elements of one key are collected.
            window_size_func: a key -> that number, instead of it.

        Example:
            >>> odd = edl.data.Dataset.range(8).group_by_window(lambda x: x % 2, lambda key, part: part.batch(3), 3)
            >>> [x.tolist() for x in odd]
            [[0, 2, 4], [1, 3, 5], [6], [7]]
        """
        if (window_size is None) == (window_size_func is None):
            raise ArgumentError("group_by_window", "either window_size or window_size_func is needed",
                                f"got window_size={window_size}, window_size_func={window_size_func}", "pass one")  # fmt: skip
        if window_size is not None:
            count = check_count("group_by_window", "window_size", window_size)
        else:
            count = None

        def size(key):
            if count is not None:
                return count
            found = call(window_size_func, np.array(key, np.int64), "group_by_window")
            return check_count("group_by_window", "what window_size_func returns",
                               int(one_number(found, "group_by_window", "window_size_func")))  # fmt: skip

        return self._with(nesting.GroupByWindow(self._pipeline, key_func, reduce_func, size))

    def bucket_by_sequence_length(
        self, element_length_func, bucket_boundaries, bucket_batch_sizes, padded_shapes=None, padding_values=None,
        pad_to_bucket_boundary=False, no_padding=False, drop_remainder=False, name=None,
    ):  # fmt: skip
        """Batches of elements of similar length, which need little padding.

        Args:
            element_length_func: an element -> its length.
            bucket_boundaries: increasing lengths; bucket i holds those from boundary i - 1 up to below boundary i.
            bucket_batch_sizes: the batch size of each bucket, one more than there are boundaries.
            padded_shapes, padding_values: as in `padded_batch`.
            pad_to_bucket_boundary: whether sizes that are None in `padded_shapes` (or in `element_spec`) become the boundary
                minus 1, so that each bucket has one shape; elements must then be shorter than the last boundary.
            no_padding: whether elements are stacked as they are.
            drop_remainder: whether to leave out last batches with fewer elements.

        Raises:
            ArgumentError: for boundaries and batch sizes that do not fit together.

        Example:
            >>> rows = edl.data.Dataset.from_tensor_slices([1, 5, 2, 6]).map(lambda n: edl.ones((int(n),)))
            >>> [x.shape for x in rows.bucket_by_sequence_length(lambda x: len(x), [4], [2, 2])]
            [(2, 2), (2, 6)]
        """
        where = "bucket_by_sequence_length"
        boundaries = [check_count(where, "a boundary", one) for one in bucket_boundaries]
        sizes = [check_count(where, "a batch size", one) for one in bucket_batch_sizes]
        if len(sizes) != len(boundaries) + 1 or any(a >= b for a, b in pairwise(boundaries)):
            raise ArgumentError(where, "boundaries must increase, and batch sizes be one more than boundaries",
                                f"got boundaries {boundaries}, batch sizes {sizes}", "add the size of the last bucket")  # fmt: skip

        def bucket(*element):
            found = element_length_func(*element)
            return bisect_right(boundaries, one_number(found, where, "element_length_func"))

        def join(key, part):
            key = int(key)
            if no_padding:
                return part.batch(sizes[key], drop_remainder)
            shapes = padded_shapes
            if pad_to_bucket_boundary:
                if key == len(boundaries):
                    raise ArgumentError(where, f"with pad_to_bucket_boundary lengths must be below {boundaries[-1]}",
                                        "a longer element came", "add a boundary, or filter it out")  # fmt: skip
                shapes = _bounded(where, self.element_spec, padded_shapes, boundaries[key] - 1)
            return part.padded_batch(sizes[key], shapes, padding_values, drop_remainder)

        return self.group_by_window(bucket, join, window_size_func=lambda key: sizes[int(key)])


def _bounded(where, spec, shapes, bound):
    """Padded shapes with `bound` for the sizes that are None in the shapes, or in the spec."""
    if shapes is None:
        shapes = map_structure(
            lambda leaf: list(leaf.shape) if isinstance(leaf, TensorSpec | ArraySpec) else None, spec
        )
        if not _holds_none(shapes):
            raise ArgumentError(where, "pad_to_bucket_boundary must know which sizes vary", f"element_spec is {outline(spec)}",
                                "give padded_shapes with None for them, or output_signature to from_generator")  # fmt: skip
    return _replaced(shapes, bound)


def _holds_none(shapes):
    if isinstance(shapes, dict):
        return any(map(_holds_none, shapes.values()))
    return shapes is None or (isinstance(shapes, list | tuple) and any(map(_holds_none, shapes)))


def _replaced(shapes, bound):
    if isinstance(shapes, dict):
        return {key: _replaced(value, bound) for key, value in shapes.items()}
    if isinstance(shapes, list | tuple):
        return type(shapes)([_replaced(value, bound) for value in shapes])
    return bound if shapes in (None, -1) else shapes
