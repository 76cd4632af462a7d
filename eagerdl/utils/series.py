"""Datasets of arrays: two parts of one, and windows over a series."""

import random

import numpy as np

from eagerdl import ops
from eagerdl.data.batching import Batch, PaddedBatch
from eagerdl.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, Dataset
from eagerdl.data.nodes import fresh_seed
from eagerdl.data.threads import Prefetch
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.tensor import Tensor
from eagerdl.tree import flatten, map_structure
from eagerdl.utils.folders import batching, check_format

__all__ = ["split_dataset", "timeseries_dataset_from_array"]


# -- two parts ----------------------------------------------------------------------------------


def split_dataset(dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None):
    """Two `edl.data.Dataset`s: the first elements, and the last ones.

    Args:
        dataset: an array, a tuple, list or dict of arrays of equal length, or a Dataset, whose elements are held in
            memory; those of batches are split one by one, and then batched again.
        left_size: the size of the first part: a share between 0 and 1, or a number of elements; by default the rest.
        right_size: the size of the second part, in the same way.
        shuffle: whether elements are shuffled first.
        seed: of the shuffle; the same order as in Keras.
        preferred_backend: accepted for Keras' sake.

    Raises:
        ArgumentError: for sizes that do not fit, and datasets without end.
        DTypeError: for another kind of `dataset`.
        ShapeError: for arrays of unequal length.

    Example:
        >>> left, right = edl.utils.split_dataset(np.arange(10), left_size=0.8)
        >>> [int(x) for x in right]
        [8, 9]
    """
    where, batch = "split_dataset", None
    if isinstance(dataset, Dataset):
        dataset, batch = unbatched(dataset)
        arrays = stacked(where, dataset)
    elif isinstance(dataset, tuple | list | dict | np.ndarray | Tensor):
        arrays = as_arrays(dataset)
    else:
        raise DTypeError(
            where, "arrays or a Dataset are needed", f"got {type(dataset).__name__}", "pass a tuple of arrays"
        )
    leaves, build = flatten(arrays)
    total = len(leaves[0]) if leaves else 0
    if any(len(leaf) != total for leaf in leaves):
        raise ShapeError(
            where, "all arrays must have the same length", f"got {[len(leaf) for leaf in leaves]}", "check them"
        )
    left, right = sizes(where, left_size, right_size, total)
    order = list(range(total))
    if shuffle:
        random.Random(fresh_seed() if seed is None else seed).shuffle(order)
    parts = [build([leaf[chosen] for leaf in leaves]) for chosen in (order[:left], order[total - right :])]
    out = [Dataset.from_tensor_slices(part) for part in parts]
    if batch is not None:
        out = [batch(part) for part in out]
    return tuple([part.prefetch(AUTOTUNE) for part in out])


def as_arrays(value):
    """A structure of arrays as such; lists become tuples, as in Keras."""
    if isinstance(value, dict):
        return {key: as_arrays(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return tuple([np.asarray(one) for one in value])
    return np.asarray(value)


def unbatched(dataset):
    """A dataset of single elements, and the function that batches it again, if it ends in batches."""
    node = dataset._pipeline
    while isinstance(node, Prefetch):
        node = node.input
    if type(node) is not Batch and type(node) is not PaddedBatch:
        return dataset, None
    size = node.sizes[0]
    again = "batch" if type(node) is Batch else "padded_batch"
    return dataset.unbatch(), lambda part: getattr(part, again)(size, drop_remainder=node.drop_remainder)


def stacked(where, dataset):
    """All elements of a dataset as a structure of arrays."""
    if dataset.cardinality() == INFINITE_CARDINALITY:
        raise ArgumentError(where, "the dataset must end", "it has no end", "take(n) of it first")
    elements = list(dataset.as_numpy_iterator())
    if not elements:
        raise ArgumentError(where, "there must be elements", "the dataset is empty", "check where they come from")
    try:
        return map_structure(lambda *column: np.stack(column), elements[0], *elements[1:])
    except ValueError as error:
        raise ShapeError(where, "all elements must have one shape", str(error), "pad them first") from None


def sizes(where, left, right, total):
    """The numbers of elements of the two parts."""
    if left is None and right is None:
        raise ArgumentError(where, "a size is needed", "left_size and right_size are None", "use left_size=0.8")
    counts = [count(where, name, size, total) for name, size in (("left_size", left), ("right_size", right))]
    if counts[0] is None:
        counts[0] = total - counts[1]
    if counts[1] is None or (isinstance(left, float) and isinstance(right, float) and abs(left + right - 1) < 1e-9):
        counts[1] = total - counts[0]
    if min(counts) < 1 or sum(counts) > total:
        raise ArgumentError(where, f"both parts need elements, and there are {total}",
                            f"left_size={left}, right_size={right} make {counts[0]} and {counts[1]}",
                            "choose other sizes")  # fmt: skip
    return counts


def count(where, name, size, total):
    """A share or number of elements as a number; None for None."""
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int | float | np.integer | np.floating):
        raise DTypeError(where, f"{name} is a float or an int", f"got {type(size).__name__}", "use 0.8")
    if isinstance(size, float | np.floating):
        if not 0 < size < 1:
            raise ArgumentError(where, f"a float {name} is a share between 0 and 1", f"got {size}", "use 0.8")
        return round(float(size) * total)
    if not 0 < size < total:
        raise ArgumentError(
            where, f"{name} is between 1 and {total - 1}, one less than there are", f"got {size}", "use 0.8"
        )
    return int(size)


# -- windows ------------------------------------------------------------------------------------


def timeseries_dataset_from_array(
    data, targets, sequence_length, sequence_stride=1, sampling_rate=1, batch_size=128, shuffle=False, seed=None,
    start_index=None, end_index=None, format="tf",
):  # fmt: skip
    """data (steps, ...) -> a `edl.data.Dataset` of windows (batch, sequence_length, ...), with targets (batch, ...).

    Window i begins at step i * sequence_stride, and has every `sampling_rate`-th step from there.

    Args:
        data: an array or a tensor of the series.
        targets: targets[i] belongs to the window that begins at step i; None for windows alone.
        sequence_length: how many steps a window has.
        sequence_stride: how far apart the beginnings of windows are.
        sampling_rate: how far apart the steps of a window are.
        batch_size: how many windows make a batch; None for single windows.
        shuffle: whether the order is random, and anew each time.
        seed: of the order.
        start_index, end_index: the steps from start_index up to, without, end_index are used.
        format: "tf": the dataset has the interface of tf.data.

    Raises:
        ArgumentError: for numbers that do not fit, or that leave no window.

    Example:
        >>> series = np.arange(10)
        >>> windows = edl.utils.timeseries_dataset_from_array(series[:-3], series[3:], 3, batch_size=2)
        >>> for x, y in windows.take(1):
        ...     print(x.tolist(), y.tolist())
        [[0, 1, 2], [1, 2, 3]] [3, 4]
    """
    where = "timeseries_dataset_from_array"
    check_format(where, format)
    data = ops.convert_to_tensor(data)
    steps = len(data)
    begin, end = start_index or 0, steps if end_index is None else end_index
    if not 0 <= begin < end <= steps:
        raise ArgumentError(where, f"0 <= start_index < end_index <= {steps} is needed",
                            f"got start_index={start_index}, end_index={end_index}", "check them")  # fmt: skip
    for name, value in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride),
                        ("sampling_rate", sampling_rate)):  # fmt: skip
        if value < 1:
            raise ArgumentError(where, f"{name} is positive", f"got {value}", "use 1")
    last = end - begin - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = ops.convert_to_tensor(targets)
        last = min(last, len(targets) - begin)
    if last < 1:
        raise ArgumentError(where, f"a window needs {(sequence_length - 1) * sampling_rate + 1} steps",
                            f"there are {end - begin}" + ("" if targets is None else f", and {len(targets)} targets"),
                            "choose a smaller sequence_length or sampling_rate")  # fmt: skip
    starts = np.arange(begin, begin + last, sequence_stride)
    places = np.arange(sequence_length) * sampling_rate

    def windows(start):
        found = ops.take(data, ops.expand_dims(start, -1) + places, axis=0)
        return found if targets is None else (found, ops.take(targets, start, axis=0))

    dataset = Dataset.from_tensor_slices(starts)
    if shuffle:
        dataset = dataset.shuffle(len(starts), seed=seed)
    return batching(where, batch_size)(dataset).map(windows).prefetch(AUTOTUNE)
