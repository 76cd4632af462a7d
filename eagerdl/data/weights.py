"""The parts of a batch: inputs, targets, weights of samples, and weights of classes."""

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.tensor import Tensor

__all__ = ["class_weight_to_sample_weights", "pack_x_y_sample_weight", "unpack_x_y_sample_weight"]


def unpack_x_y_sample_weight(data):
    """A batch as ``x, y, sample_weight``, with None for what is missing.

    Args:
        data: x, or a tuple or list (x,), (x, y) or (x, y, sample_weight).

    Raises:
        ArgumentError: for tuples of another length.

    Example:
        >>> edl.data.unpack_x_y_sample_weight(("inputs", "labels"))
        ('inputs', 'labels', None)
    """
    if not isinstance(data, tuple | list):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ArgumentError("unpack_x_y_sample_weight", "a batch is x, (x,), (x, y) or (x, y, sample_weight)",
                            f"got a {type(data).__name__} of {len(data)}",
                            "put several inputs into one list or dict: ((x1, x2), y)")  # fmt: skip
    return (*data, None, None)[:3]


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """x, or the tuple (x, y) or (x, y, sample_weight), whatever is not None; x that is a tuple or list becomes (x,).

    Example:
        >>> edl.data.pack_x_y_sample_weight([1, 2])
        ([1, 2],)
    """
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, tuple | list) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def check_class_weight(where, class_weight):
    """Checks that class weights are a dict of class -> weight.

    Raises:
        DTypeError: if it is none, or holds other things than numbers.
        ArgumentError: for negative weights.
    """
    if not isinstance(class_weight, dict):
        raise DTypeError(where, "class_weight is a dict of class -> weight",
                         f"got {type(class_weight).__name__} {class_weight!r:.60}",
                         "use {0: 1.0, 1: 5.0}")  # fmt: skip
    for key, weight in class_weight.items():
        if isinstance(key, str) or int(key) != key or not isinstance(weight, int | float | np.number):
            raise DTypeError(
                where, "class_weight maps ints to numbers", f"got {key!r}: {weight!r}", "use {0: 1.0, 1: 5.0}"
            )
        if not 0 <= weight < float("inf"):
            raise ArgumentError(
                where,
                "class weights must be finite and not negative",
                f"got {key}: {weight}",
                "use 0 to ignore a class",
            )


def class_weight_to_sample_weights(y, class_weight):
    """y (n,), (n, 1) labels or (n, classes) one-hot -> (n,) weights of floatx; classes without a weight have 1.

    Args:
        y: labels.
        class_weight: a dict of class -> weight.

    Raises:
        ShapeError: for labels of other shapes.

    Example:
        >>> edl.data.class_weight_to_sample_weights(np.array([0, 2, 1]), {0: 0.5, 1: 2.0})
        array([0.5, 1. , 2. ], dtype=float32)
    """
    y = y.numpy() if isinstance(y, Tensor) else np.asarray(y)
    if not 1 <= y.ndim <= 2 or (y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "iu" and y.size and y.max() > 1):
        raise ShapeError("class_weight", "labels must be (n,), (n, 1) or one-hot (n, classes)", f"y has shape {y.shape}",
                         "pass sample_weight for targets of other kinds")  # fmt: skip
    if y.ndim == 2:
        y = y.argmax(-1) if y.shape[1] > 1 else y[:, 0]
    labels, places = np.unique(np.rint(y.astype(np.float64)), return_inverse=True)
    table = {int(key): float(weight) for key, weight in class_weight.items()}
    weights = np.array([table.get(int(label), 1.0) for label in labels], dtypes.standardize(None))
    return weights[places.reshape(-1)]
