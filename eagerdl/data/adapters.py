"""From everything that `fit` takes as data to one kind of object, `Batches`."""

import math

from eagerdl.data.conversion import check_sizes, convert, is_arrays, rows_of
from eagerdl.data.feeds import NAMES, ArrayData, Batches, DatasetData, GeneratorData, IterableData, PyData
from eagerdl.data.nodes import check_count
from eagerdl.data.py_dataset import PyDataset
from eagerdl.data.structure import outline
from eagerdl.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["as_batches"]

BATCH_SIZE = 32


def as_batches(x, y=None, sample_weight=None, batch_size=None, shuffle=False, class_weight=None, steps=None, seed=None,
               drop_remainder=False, where="fit"):  # fmt: skip
    """Data of any kind as `Batches`.

    Args:
        x: an array (NumPy, tensor, list of numbers, DataFrame, SciPy sparse matrix, ...) or a nested structure of arrays; or
            a `Dataset`, a `PyDataset`, a generator or iterator, a function that returns one, or an iterable such as a
            DataLoader, which give batches x, (x,), (x, y) or (x, y, sample_weight).
        y, sample_weight: arrays like x; only with arrays.
        batch_size: for arrays; 32 by default, or what `steps` makes of the number of samples.
        shuffle: for arrays and `PyDataset`: False, True, or "batch" for arrays.
        class_weight: a dict of class -> weight; makes sample weights of the labels.
        steps: how many batches an epoch shall have.
        seed: of the shuffles; None takes one from the global generator.
        drop_remainder: for arrays, whether to leave out a last batch with fewer samples.
        where: the method that reads, for messages.

    Raises:
        ShapeError: for arrays of unequal length.
        ArgumentError: for empty data, and for y or weights where the data hold them already.
        DTypeError: for what is no data.

    Example:
        >>> batches = edl.data.as_batches(np.arange(5.0), np.arange(5), batch_size=2)
        >>> [y.tolist() for x, y in batches.epoch(0)]
        [[0, 1], [2, 3], [4]]
    """
    if isinstance(x, Batches):
        return x
    if x is None:
        raise ArgumentError(where, "data are needed", "x is None", "pass arrays, a Dataset or a generator")
    if not hasattr(x, "_pipeline") and not isinstance(x, PyDataset) and is_arrays(x):
        return _array_data(x, y, sample_weight, batch_size, shuffle, class_weight, steps, seed, drop_remainder, where)
    kind = type(x).__name__
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ArgumentError(where, f"a {kind} holds its own targets and weights", f"{name} came too",
                                f"leave out {name}, and let the {kind} give (x, y) or (x, y, sample_weight)")  # fmt: skip
    if hasattr(x, "_pipeline"):
        return DatasetData(where, x, class_weight)
    if isinstance(x, PyDataset):
        return PyData(where, x, class_weight, shuffle, seed)
    if hasattr(x, "__next__"):
        return GeneratorData(where, x, class_weight)
    if hasattr(x, "__iter__") and not isinstance(x, str | bytes | dict | list | tuple):
        return IterableData(where, x, class_weight)
    if callable(x) and not isinstance(x, type):
        return IterableData(where, x, class_weight)
    raise DTypeError(where, "x must be arrays, a Dataset, a PyDataset, a generator or an iterable of batches",
                     f"got {outline(x) if isinstance(x, dict | list | tuple) else type(x).__name__}",
                     "convert it to arrays with np.asarray")  # fmt: skip


def _array_data(x, y, sample_weight, batch_size, shuffle, class_weight, steps, seed, drop_remainder, where):
    for name, part in (("y", y), ("sample_weight", sample_weight)):
        if part is not None and not is_arrays(part):
            raise DTypeError(
                where, f"{name} must be arrays, like x", f"got {type(part).__name__}", "convert it with np.asarray"
            )
    named = list(zip(NAMES, (x, y, sample_weight)))
    parts = [convert(part, lambda leaf, name: rows_of(leaf, where, name), name) for name, part in named]
    size = check_sizes(where, list(zip(NAMES, parts)))
    if not size:
        raise ArgumentError(where, "data must have at least one sample", outline(x) if not hasattr(x, "shape") else
                            f"x has shape {tuple(x.shape)}", "check how it was loaded")  # fmt: skip
    parts[2] = _spread_weights(where, parts[1], parts[2])
    if class_weight is not None and parts[2] is not None:
        raise ArgumentError(where, "either class_weight or sample_weight", "both came", "multiply them yourself")
    if class_weight is not None and (parts[1] is None or isinstance(parts[1], dict | list | tuple)):
        raise ArgumentError(
            where, "class_weight needs one array of labels", f"y is {outline(parts[1])}", "use sample_weight"
        )
    if batch_size is not None:
        batch_size = check_count(where, "batch_size", batch_size)
    else:
        batch_size = math.ceil(size / check_count(where, "steps", steps)) if steps else BATCH_SIZE
    return ArrayData(
        where, parts, class_weight, batch_size=batch_size, shuffle=shuffle, seed=seed, drop_remainder=drop_remainder
    )


def _spread_weights(where, y, weight):
    """One weight array for each of several targets: given so, or the same for all."""
    if weight is None or not isinstance(y, dict | list | tuple):
        return weight
    if isinstance(weight, dict | list | tuple):
        same = isinstance(y, dict) and isinstance(weight, dict) and y.keys() == weight.keys()
        if not same and (isinstance(y, dict) or isinstance(weight, dict) or len(y) != len(weight)):
            raise ShapeError(where, "sample_weight must have the structure of y", f"y is {outline(y)}, sample_weight is "
                             f"{outline(weight)}", "give one array for each target, or one for all")  # fmt: skip
        return weight
    if len(weight.shape) > 1 and tuple(weight.shape[1:]) != (1,):
        raise ShapeError(where, "one sample_weight for several targets has one number for each sample",
                         f"got shape {tuple(weight.shape)}", "give one array for each target")  # fmt: skip
    return convert(y, lambda leaf, name: weight, "y")
