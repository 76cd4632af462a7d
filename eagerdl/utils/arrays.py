"""Small helpers for arrays of features, labels and sequences."""

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError
from eagerdl.ops import conversion, encoding
from eagerdl.ops import norms as norm_ops
from eagerdl.tensor import Tensor

__all__ = ["normalize", "pad_sequences", "standardize_dtype", "to_categorical"]


def standardize_dtype(dtype):
    """The name of a dtype, whoever's it is: a name, a Python or NumPy type, PyTorch's; None is floatx.

    Raises:
        DTypeError: for what tensors cannot hold.

    Example:
        >>> edl.utils.standardize_dtype(None), edl.utils.standardize_dtype(np.int64), edl.utils.standardize_dtype(int)
        ('float32', 'int64', 'int32')
    """
    if type(dtype).__module__.partition(".")[0] in ("torch", "tensorflow") and not isinstance(dtype, str):
        dtype = getattr(dtype, "name", str(dtype).rpartition(".")[2])
    return dtypes.standardize(dtype, "standardize_dtype").name


def normalize(x, axis=-1, order=2):
    """x (...) -> (...), divided by its norm along `axis`; zeros stay zeros.

    Args:
        x: an array or a tensor; what comes back is the same kind.
        axis: the axis along which the norm is taken.
        order: 2 for the Euclidean norm, 1 for the sum of absolute values, np.inf for the largest, as in `np.linalg.norm`.

    Example:
        >>> edl.utils.normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    if isinstance(x, Tensor):
        return norm_ops.normalize(x, axis=axis, order=order)
    x = np.asarray(x)
    size = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(size == 0, 1, size)


def to_categorical(x, num_classes=None):
    """x (...) or (..., 1) of class numbers -> (..., num_classes), a one at the place of each class.

    Args:
        x: whole numbers from 0 to num_classes - 1: an array, a list, or a tensor, for which a tensor comes back.
        num_classes: the size of the new axis; by default the largest number plus one.

    Raises:
        DTypeError: for numbers that are not whole.
        RangeError: for numbers outside of the classes.

    Example:
        >>> edl.utils.to_categorical([0, 2, 1])
        array([[1., 0., 0.],
               [0., 0., 1.],
               [0., 1., 0.]])
    """
    values = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    labels = values.astype(np.int64)
    if values.dtype.kind not in "iub" and not (labels == values).all():
        raise DTypeError("to_categorical", "class numbers are whole", f"got x {values.shape} {values.dtype}",
                         "round them, or look the classes up first")  # fmt: skip
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not num_classes:
        if not labels.size:
            raise ShapeError("to_categorical", "without num_classes at least one label is needed",
                             f"x has shape {values.shape}", "pass num_classes")  # fmt: skip
        num_classes = int(labels.max()) + 1
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise RangeError("to_categorical", f"class numbers reach from 0 to {num_classes - 1}",
                         f"they reach from {labels.min()} to {labels.max()}",
                         "begin to count at 0, or pass a larger num_classes")  # fmt: skip
    if isinstance(x, Tensor):
        return encoding.one_hot(conversion.convert_to_tensor(labels), num_classes)
    return (labels[..., None] == np.arange(num_classes)).astype(np.float64)


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0):
    """n sequences of shapes (length_i, ...) -> an array (n, maxlen, ...), filled up with `value`.

    Args:
        sequences: a list of lists or arrays.
        maxlen: the length of all rows; by default that of the longest.
        dtype: the dtype of the result; object for strings of any length.
        padding: where short ones are filled up: "pre" or "post".
        truncating: where long ones lose their surplus: "pre" or "post".
        value: what they are filled up with.

    Raises:
        ArgumentError: for other words than "pre" and "post", or a text value for a dtype of numbers.
        DTypeError: if something in `sequences` is no sequence.
        ShapeError: if the elements of the sequences have different shapes.

    Example:
        >>> edl.utils.pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
        array([[0, 1],
               [2, 3],
               [5, 6]], dtype=int32)
    """
    where = "pad_sequences"
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ArgumentError(where, f"{name} is 'pre' or 'post'", f"got {side!r}", "use one of them")
    if not hasattr(sequences, "__len__") or any(not hasattr(one, "__len__") for one in sequences):
        raise DTypeError(where, "a list of sequences is needed",
                         f"got {type(sequences).__name__}: {sequences!r:.60}", "wrap a single one: [sequence]")  # fmt: skip
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise ArgumentError(where, "a text value needs a dtype of text", f"got value={value!r}, dtype={dtype!r}",
                            "pass dtype=object")  # fmt: skip
    if maxlen is None:
        maxlen = max(map(len, sequences), default=0)
    shape = next((np.shape(one)[1:] for one in sequences if len(one)), ())
    out = np.full((len(sequences), maxlen, *shape), value, dtype)
    for row, sequence in zip(out, sequences):
        start = max(len(sequence) - maxlen, 0) if truncating == "pre" else 0
        kept = np.asarray(sequence[start : start + maxlen], dtype)
        if kept.shape[1:] != shape and len(kept):
            raise ShapeError(where, "the elements of all sequences have one shape",
                             f"one has {kept.shape[1:]}, the first has {shape}", "bring them to one shape")  # fmt: skip
        begin = maxlen - len(kept) if padding == "pre" else 0
        row[begin : begin + len(kept)] = kept if len(kept) else row[:0]
    return out
