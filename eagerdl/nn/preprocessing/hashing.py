"""Categories without a vocabulary: `Hashing`, `HashedCrossing`."""

import numpy as np

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn import calls, symbolic
from eagerdl.nn.arguments import positive_int
from eagerdl.nn.layer import Layer
from eagerdl.nn.preprocessing.adapting import texts
from eagerdl.nn.preprocessing.encoding import checked_mode, encode, encoded_shape, refuse_sparse
from eagerdl.nn.preprocessing.fingerprints import fingerprints, joined, keyed_fingerprints
from eagerdl.tensor import Tensor

__all__ = ["HashedCrossing", "Hashing"]

CROSS_KEY = 0xDECAFCAFFE  # where a crossing begins, as in TensorFlow


class HashLayer(Layer):
    """Base of layers that give numbers of bins, or vectors over them: the dtype is int64 by default, or floatx for vectors."""

    _convert_inputs = False  # strings stay what they are

    def _set_mode(self, num_bins, output_mode, sparse, known=("int", "one_hot", "multi_hot", "count")):
        self.num_bins = positive_int(self.where, "num_bins", num_bins)
        self.output_mode = checked_mode(self.where, output_mode, known)
        refuse_sparse(self.where, sparse)
        self.sparse = sparse

    @property
    def output_dtype(self):
        """The dtype of the output; a floating dtype stands for int64 where integers are given."""
        return (
            "int64"
            if self.output_mode == "int" and not self.compute_dtype.startswith(("int", "uint"))
            else self.compute_dtype
        )

    def compute_output_spec(self, inputs):
        shape = inputs.shape if hasattr(inputs, "shape") else [x.shape for x in inputs]
        return symbolic.SymbolicTensor(self.compute_output_shape(shape), self.output_dtype)


class Hashing(HashLayer):
    """x (...) of strings or integers -> (...) int64, or (..., num_bins). Each value in one of num_bins bins, by its hash.

    Strings come as lists or NumPy arrays of str; integers as tensors too, and are hashed as their decimal digits. The bins
    are the same on every machine.

    Args:
        num_bins: how many bins there are, with that of `mask_value`.
        mask_value: a value that gets bin 0 for itself.
        salt: an int or two, for other hashes (SipHash under this key instead of FarmHash).
        output_mode: "int" for the numbers of bins, or "one_hot", "multi_hot", "count" for vectors over them.
        sparse: only False.
        kwargs: name, dtype (int64, or floatx for vectors), trainable.

    Raises:
        ArgumentError: for num_bins that is no positive int, an unknown mode, or a salt of another form.
        DTypeError: for input that holds neither strings nor numbers.

    Example:
        >>> edl.layers.Hashing(3)(["A", "B", "C", "D", "E"])
        Tensor(shape=(5,), dtype=int64, [1 0 1 1 2])
    """

    def __init__(self, num_bins, mask_value=None, salt=None, output_mode="int", sparse=False, **kwargs):
        if kwargs.get("dtype") is None and output_mode == "int":
            kwargs["dtype"] = "int64"
        super().__init__(**kwargs)
        self._set_mode(num_bins, output_mode, sparse)
        self.mask_value = mask_value
        self.salt = checked_salt(self.where, salt)

    def call(self, inputs):
        bins = calls.by_elements(self._bins, inputs)
        return encode(ops.convert_to_tensor(bins), self.output_mode, self.num_bins, self.output_dtype)

    def _bins(self, inputs):
        values, bins = plain_values(self.where, inputs), self.num_bins
        if self.mask_value is None or bins == 1:
            return hashed(values, bins, self.salt)
        return np.where(values == self.mask_value, 0, hashed(values, bins - 1, self.salt) + 1)

    def compute_output_shape(self, input_shape):
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def get_config(self):
        return {
            **super().get_config(), "num_bins": self.num_bins, "salt": self.salt, "mask_value": self.mask_value,
            "output_mode": self.output_mode, "sparse": self.sparse,
        }  # fmt: skip


class HashedCrossing(HashLayer):
    """several x (batch,) or (batch, 1) of strings or integers -> the same shape int64, or (batch, num_bins).

    Rows with the same combination of values get the same bin.

    Args:
        num_bins: how many bins there are.
        output_mode: "int" for the numbers of bins, "one_hot" for vectors.
        sparse: only False.
        name: a name.
        dtype: int64 by default, floatx for vectors.
        kwargs: trainable.

    Raises:
        ArgumentError: for num_bins that is no positive int, an unknown mode, or fewer than two inputs.
        ShapeError: for inputs of different or other shapes.
        DTypeError: for inputs that hold neither strings nor integers.

    Example:
        >>> edl.layers.HashedCrossing(5)((["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]))
        Tensor(shape=(5,), dtype=int64, [1 4 1 1 3])
    """

    def __init__(self, num_bins, output_mode="int", sparse=False, name=None, dtype=None, **kwargs):
        super().__init__(name=name, dtype="int64" if dtype is None and output_mode == "int" else dtype, **kwargs)
        self._set_mode(num_bins, output_mode, sparse, ("int", "one_hot"))

    def call(self, inputs):
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise ArgumentError(self.where, "a list of two or more inputs is crossed",
                                f"got {type(inputs).__name__} {inputs!r:.60}",
                                "pass [a, b]")  # fmt: skip
        bins = calls.by_elements(self._bins, *inputs)
        return encode(ops.convert_to_tensor(bins), self.output_mode, self.num_bins, self.output_dtype)

    def _bins(self, *inputs):
        values = [plain_values(self.where, x, whole=True) for x in inputs]
        self._check_shapes([x.shape for x in values])
        out = np.full(values[0].size, CROSS_KEY, np.uint64)
        for x in values:
            words = (
                fingerprints([s.encode() for s in x.ravel().tolist()])
                if x.dtype.kind in "UO"
                else x.ravel().astype(np.uint64)
            )
            out = joined(out, words)
        return (out % np.uint64(self.num_bins)).astype(np.int64).reshape(values[0].shape)

    def _check_shapes(self, shapes):
        shapes = [tuple(shape) for shape in shapes]
        if (
            len(shapes[0]) > 2
            or (len(shapes[0]) == 2 and shapes[0][1] != 1)
            or any(shape != shapes[0] for shape in shapes)
        ):
            raise ShapeError(self.where, "all inputs have the same shape: (), (batch,) or (batch, 1)", f"got {shapes}",
                             "cross one column with another")  # fmt: skip

    def compute_output_shape(self, input_shape):
        self._check_shapes(input_shape)
        return encoded_shape(input_shape[0], self.output_mode, self.num_bins)

    def get_config(self):
        return {
            "num_bins": self.num_bins, "output_mode": self.output_mode, "sparse": self.sparse, "name": self.name,
            "dtype": self.dtype_policy.name,
        }  # fmt: skip


def plain_values(where, x, whole=False):
    """Strings as an array of str, numbers as one of integers.

    Args:
        where: the layer, for messages.
        x: lists, arrays or tensors.
        whole: whether floats are refused, not rounded towards zero.

    Raises:
        DTypeError: for anything else.
    """
    array = (
        x.numpy() if isinstance(x, Tensor) else x if hasattr(x, "dtype") else np.asarray(x) if _is_numeric(x) else None
    )
    if array is None or array.dtype.kind in "USOT":
        return texts(where, x)
    if array.dtype.kind == "f" and not whole:
        return array.astype(np.int64)
    if array.dtype.kind not in "iub" or array.dtype.kind == "b":
        raise DTypeError(
            where, "strings or integers are needed", f"got an array of {array.dtype}", "cast them to int64"
        )
    return array


def _is_numeric(x):
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return isinstance(x, int | float | np.number)


def hashed(values, bins, salt=None):
    """Arrays of str or integers -> int64 from 0 to bins - 1."""
    flat, places = np.unique(values.ravel(), return_inverse=True)
    strings = [s.encode() for s in flat.tolist()] if values.dtype.kind in "UO" else [b"%d" % v for v in flat.tolist()]
    words = fingerprints(strings) if salt is None else keyed_fingerprints(strings, salt)
    return (words % np.uint64(bins)).astype(np.int64)[places].reshape(values.shape)


def checked_salt(where, salt):
    """None, or a list of two ints."""
    if salt is None:
        return None
    if isinstance(salt, int) and not isinstance(salt, bool):
        return [salt, salt]
    if isinstance(salt, list | tuple) and len(salt) == 2 and all(isinstance(one, int) for one in salt):
        return list(salt)
    raise ArgumentError(where, "salt is an int, or two of them", f"got {salt!r}", "use salt=1")


registry.add_area("layers", {name: globals()[name] for name in __all__})
