"""What `adapt` reads: arrays, datasets and generators as batches, and text as arrays of str."""

import itertools

import numpy as np

from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.nn.arguments import positive_int
from eagerdl.tensor import Tensor


def batches_of(where, data, batch_size=None, steps=None):
    """The batches of `data` as host values: arrays whole or in slices, what datasets and generators give one by one.

    Args:
        where: the layer, for messages.
        data: an array, a tensor, nested lists, a dataset, or an iterable of batches x or (x, ...); or a list of arrays.
        batch_size: into how many rows arrays are cut, and elements of a Dataset are joined.
        steps: how many batches are read at most.

    Raises:
        ArgumentError: if there is not one batch.
        DTypeError: for what is no data.
    """
    if steps is not None:
        steps = positive_int(where, "steps", steps)
    if batch_size is not None:
        batch_size = positive_int(where, "batch_size", batch_size)
    batches = itertools.islice(_batches(where, data, batch_size or (32 if steps else None)), steps)
    first = next(batches, None)
    if first is None:
        raise ArgumentError(where, "adapt needs at least one batch", f"the {type(data).__name__} has none",
                            "pass an array, a Dataset, or a generator that was not read before")  # fmt: skip
    return itertools.chain([first], batches)


def _batches(where, data, size):
    if hasattr(data, "_pipeline"):  # a Dataset
        data = data.batch(size) if size and data.element_spec is not None and _rank(data.element_spec) == 0 else data
        return map(_first, data)
    if isinstance(data, str | bytes):
        raise DTypeError(where, "adapt reads many texts", f"got one string: {data!r:.40}", "pass a list of them")
    if isinstance(data, dict):
        raise DTypeError(where, "adapt reads one array", f"got a dict of {', '.join(map(repr, data))}",
                         "pass one of them, or dataset.map(lambda x: x[name])")  # fmt: skip
    if isinstance(data, list | tuple) and data and all(hasattr(one, "shape") and len(one.shape) for one in data):
        return map(_host, data)
    if isinstance(data, list | tuple | Tensor) or hasattr(data, "__array__"):
        rows = data if isinstance(data, list | tuple) else _host(data)
        if not isinstance(rows, list | tuple) and not rows.ndim:
            rows = rows[None]
        if not len(rows):
            return iter(())
        return (rows[i : i + (size or len(rows))] for i in range(0, len(rows), size or len(rows)))
    if hasattr(data, "__getitem__") and hasattr(data, "num_batches"):  # a PyDataset
        return (_first(data[i]) for i in range(data.num_batches))
    if callable(data) and not isinstance(data, type):
        data = data()
    if hasattr(data, "__iter__"):
        return map(_first, data)
    raise DTypeError(where, "adapt reads arrays, a Dataset, a PyDataset or a generator", f"got {type(data).__name__}",
                     "convert it with np.asarray")  # fmt: skip


def _rank(spec):
    spec = spec[0] if isinstance(spec, tuple) else spec
    return len(spec.shape) if getattr(spec, "shape", None) is not None else None


def _first(batch):
    return _host(batch[0] if isinstance(batch, tuple) else batch)


def _host(x):
    if isinstance(x, Tensor):
        return x.numpy()
    return x if isinstance(x, list | tuple | dict | str) else np.asarray(x)


def numbers(where, x):
    """A batch as an array of numbers.

    Raises:
        DTypeError: for anything else.
    """
    try:
        array = np.asarray(_host(x))
        if array.dtype.kind == "V" or array.dtype.kind in "biuf":  # the half precision of brains is of kind V
            return array
    except ValueError:
        pass
    raise DTypeError(where, "numbers are needed", f"got {_shown(x)}", "pass arrays, each of one dtype and shape")


def texts(where, x, encoding="utf-8"):
    """Strings, bytes, and lists or arrays of them as an array of str.

    Raises:
        DTypeError: for tensors and numbers: no tensor holds text.
    """
    if isinstance(x, Tensor):
        raise DTypeError(where, "text comes as a list or NumPy array of str", f"got {x!r:.80}",
                         "no tensor holds text: call the layer on the strings, before the model, or in Dataset.map")  # fmt: skip
    try:
        array = np.asarray(x)
    except ValueError:
        array = None
    if array is None:
        raise DTypeError(where, "rows of strings must be of equal length", f"got {_shown(x)}", "pad them with ''")
    if array.dtype.kind == "S":
        return np.char.decode(array, encoding)
    if array.dtype.kind in "OT":
        flat = [one.decode(encoding) if isinstance(one, bytes) else one for one in array.ravel().tolist()]
        if all(isinstance(one, str) for one in flat):
            out = np.empty(len(flat), object)  # not dtype U: that would cut trailing NULs
            out[:] = flat
            return out.reshape(array.shape)
    elif array.dtype.kind == "U" or not array.size:
        return array
    raise DTypeError(
        where, "strings are needed", f"got {_shown(x)}", "use IntegerLookup for integers, or x.astype(str)"
    )


def _shown(x):
    return f"{type(x).__name__} of {x.dtype}" if hasattr(x, "dtype") else f"{type(x).__name__} {x!r:.60}"
