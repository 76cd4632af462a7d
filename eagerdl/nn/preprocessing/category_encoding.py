"""Vectors for numbers of categories: `CategoryEncoding`."""

import functools

from eagerdl import dtypes, ops, registry
from eagerdl.errors import ArgumentError, DTypeError, RangeError
from eagerdl.nn import calls
from eagerdl.nn.arguments import positive_int
from eagerdl.nn.layer import Layer
from eagerdl.nn.preprocessing.encoding import checked_mode, encode, encoded_shape, refuse_sparse
from eagerdl.ops.indexing import check_bounds

__all__ = ["CategoryEncoding"]


class CategoryEncoding(Layer):
    """x (..., n) int -> (..., num_tokens). Which of the categories 0 to num_tokens - 1 the last axis names, or how often.

    Args:
        num_tokens: how many categories there are.
        output_mode: "multi_hot" for ones at all that are named, "count" for how often, or "one_hot" for a vector for each
            number, (..., n, num_tokens), where a last axis of size 1 is not kept.
        sparse: only False.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for num_tokens that is no positive int, an unknown mode, or weights in a mode other than "count".
        RangeError: for numbers outside of [0, num_tokens).

    Example:
        >>> edl.layers.CategoryEncoding(4)([[0, 1], [0, 0], [3, 1]])
        Tensor(shape=(3, 4), dtype=float32,
        [[1. 1. 0. 0.]
         [1. 0. 0. 0.]
         [0. 1. 0. 1.]])
    """

    _convert_inputs = False  # numbers stay integers, lists of them too

    def __init__(self, num_tokens=None, output_mode="multi_hot", sparse=False, **kwargs):
        super().__init__(**kwargs)
        self.output_mode = checked_mode(self.where, output_mode, ("count", "one_hot", "multi_hot"))
        if num_tokens is None:
            raise ArgumentError(
                self.where, "num_tokens is needed", "got None", "use IntegerLookup where it is not known"
            )
        self.num_tokens = positive_int(self.where, "num_tokens", num_tokens)
        refuse_sparse(self.where, sparse)
        self.sparse = sparse

    def call(self, inputs, count_weights=None):
        x = ops.convert_to_tensor(inputs)
        if x.dtype.kind == "f":
            x = ops.cast(x, "int32")  # Keras' models hand on integers as floats
        elif not (dtypes.is_integer(x.dtype) or x.dtype == dtypes.bool_):
            raise DTypeError(self.where, "numbers of categories are integers", f"got {x.dtype}", "cast them")
        calls.checked(functools.partial(refuse_others, self.where, self.num_tokens), x._array)
        if count_weights is not None:
            if self.output_mode != "count":
                raise ArgumentError(self.where, "count_weights need output_mode='count'", f"the mode is {self.output_mode!r}",
                                    "leave them out")  # fmt: skip
            count_weights = ops.cast(ops.convert_to_tensor(count_weights), self.compute_dtype)
        return encode(x, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def compute_output_shape(self, input_shape):
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def get_config(self):
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}


def refuse_others(where, count, array):
    """Raises for numbers that are none of `count` categories."""
    check_bounds(where, array, count, "category numbers")
    if array.size and array.min() < 0:
        raise RangeError(where, f"category numbers lie from 0 to {count - 1}", f"got {array.min()}",
                         "use IntegerLookup to number them")  # fmt: skip


registry.add_area("layers", {"CategoryEncoding": CategoryEncoding})
