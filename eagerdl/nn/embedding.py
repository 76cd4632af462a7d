"""Layers that look vectors up by number: `Embedding`, and `ReversibleEmbedding`, which maps vectors back to numbers."""

import functools

import numpy as np

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, RangeError, ShapeError
from eagerdl.nn import calls, constraints, initializers, regularizers
from eagerdl.nn.arguments import check_numbers, positive_int, refuse_quantization
from eagerdl.nn.layer import set_mask
from eagerdl.nn.lora import LowRank
from eagerdl.nn.symbolic import SymbolicTensor

__all__ = ["Embedding", "ReversibleEmbedding"]


class Embedding(LowRank):
    """indices (batch, ...) int from 0 to input_dim - 1 -> (batch, ..., output_dim). A vector for each number, learned.

    Args:
        input_dim: how many numbers there are; with mask_zero one more than the vocabulary has words.
        output_dim: the size of the vectors.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the matrix (input_dim, output_dim).
        mask_zero: whether 0 stands for no word, and the output has a mask that is False there.
        weights: the matrix to begin with, or a list that holds it.
        lora_rank, lora_alpha: the rank r of an additive update ``alpha / r * A @ B`` of a frozen matrix (LoRA), and its scale.
        quantization_config: must be None.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if a size is not a positive int.
        RangeError: when called, if an index is outside of [0, input_dim) (on the CPU).

    Example:
        >>> layer = edl.layers.Embedding(3, 2, weights=np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]))
        >>> layer(edl.constant([2, 1])).tolist()
        [[3.0, 4.0], [1.0, 2.0]]
    """

    _adapted = "embeddings"

    def __init__(self, input_dim, output_dim, embeddings_initializer="uniform", embeddings_regularizer=None,
                 embeddings_constraint=None, mask_zero=False, weights=None, lora_rank=None, lora_alpha=None,
                 quantization_config=None, **kwargs):  # fmt: skip
        kwargs.pop("input_length", None)  # of Keras 2, where the length had to be known
        super().__init__(**kwargs)
        self.input_dim = positive_int(self.where, "input_dim", input_dim)
        self.output_dim = positive_int(self.where, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = bool(mask_zero)
        self.autocast = False  # indices are no numbers to compute with
        refuse_quantization(self.where, quantization_config)
        self._set_lora(lora_rank, lora_alpha)
        if weights is not None:
            self.build(None)
            given = weights[0] if isinstance(weights, list) and len(weights) == 1 else weights
            if np.shape(given) != self._embeddings.shape:
                raise ShapeError(self.where, f"weights is a matrix {self._embeddings.shape}", f"got shape {np.shape(given)}",
                                 "give a row of size output_dim for each of input_dim numbers")  # fmt: skip
            self._embeddings.assign(given)

    def build(self, input_shape=None):
        self._embeddings = self.add_weight((self.input_dim, self.output_dim), self.embeddings_initializer,
                                           regularizer=self.embeddings_regularizer, constraint=self.embeddings_constraint,
                                           name="embeddings")  # fmt: skip
        self._begin_lora()

    @property
    def embeddings(self):
        """The matrix (input_dim, output_dim), with the low-rank update where there is one."""
        return self._updated()

    def call(self, inputs):
        calls.checked(functools.partial(refuse_others, self.where, self.input_dim), getattr(inputs, "_array", None))
        indices = inputs if inputs.dtype in ("int32", "int64") else ops.cast(inputs, "int32")
        out = ops.take(self._embeddings, indices, axis=0)
        if self.lora_enabled:  # of the rows in question only: the whole update is as large as the matrix
            a, b = self._low_rank()
            out = out + self._lora_scale * (ops.take(a, indices, axis=0) @ b)
        return ops.cast(out, self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        """indices (batch, ...) -> False where they are 0, if 0 stands for no word."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.output_dim)

    def get_config(self):
        config = {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "quantization_config": None,
        }
        return config | self._lora_config()


class ReversibleEmbedding(Embedding):
    """indices (batch, ...) -> (batch, ..., output_dim); with ``reverse=True``, x (batch, ..., output_dim) -> (..., input_dim).

    The way back is ``x @ embeddings.T``: scores of the words, as language models end with.

    Args:
        input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero: as of `Embedding`.
        tie_weights: whether the way back uses the same matrix, or one of its own (output_dim, input_dim).
        reverse_dtype: the dtype of the way back, by default the compute dtype.
        logit_soft_cap: None, or a bound c: the scores become ``c * tanh(scores / c)``.
        kwargs: name, dtype, trainable, and what else `Embedding` takes.

    Raises:
        ArgumentError: if a size or the bound is not positive.
        RangeError: when called, if an index is outside of [0, input_dim) (on the CPU).
        ShapeError: when called with reverse=True on vectors of another size than output_dim.

    Example:
        >>> layer = edl.layers.ReversibleEmbedding(10, 4)
        >>> layer(layer(edl.constant([[1, 2, 3]])), reverse=True).shape
        (1, 3, 10)

    Source: O. Press and L. Wolf, 2017, arXiv:1608.05859.
    """

    def __init__(self, input_dim, output_dim, tie_weights=True, embeddings_initializer="uniform", embeddings_regularizer=None,
                 embeddings_constraint=None, mask_zero=False, reverse_dtype=None, logit_soft_cap=None, **kwargs):  # fmt: skip
        self.tie_weights = bool(tie_weights)  # before `build`, which may be called by __init__
        super().__init__(input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero,
                         **kwargs)  # fmt: skip
        if logit_soft_cap is not None:
            check_numbers(self.where, 0.0, logit_soft_cap=logit_soft_cap)
            if logit_soft_cap == 0:
                raise ArgumentError(self.where, "logit_soft_cap is positive", "got 0", "use None for no bound")
        self.reverse_dtype, self.logit_soft_cap = registry.dtype_name(reverse_dtype), logit_soft_cap

    def build(self, input_shape=None):
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight((self.output_dim, self.input_dim), self.embeddings_initializer,
                                                      name="reverse_embeddings")  # fmt: skip

    def call(self, inputs, reverse=False):
        if not reverse:
            out = super().call(inputs)
            if self.mask_zero:
                set_mask(out, ops.not_equal(inputs, 0))
            return out
        if inputs.shape[-1:] != (self.output_dim,):
            raise ShapeError(self.where, f"the way back needs vectors of size output_dim = {self.output_dim}",
                             f"got shape {inputs.shape}", "pass what the layer gave, or what has the same last axis")  # fmt: skip
        dtype = self.reverse_dtype or self.compute_dtype
        kernel = ops.matrix_transpose(self.embeddings) if self.tie_weights else self.reverse_embeddings
        logits = ops.cast(inputs, dtype) @ ops.cast(kernel, dtype)
        cap = self.logit_soft_cap
        return logits if cap is None else ops.tanh(logits / cap) * cap

    def compute_mask(self, inputs, mask=None):
        """None: `call` sets the mask of vectors, and scores have none."""
        return None

    def compute_output_shape(self, input_shape, reverse=False):
        return (*input_shape[:-1], self.input_dim) if reverse else (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs, reverse=False):
        dtype = self.reverse_dtype or self.compute_dtype if reverse else self.compute_dtype
        return SymbolicTensor(self.compute_output_shape(inputs.shape, reverse), dtype)

    def get_config(self):
        settings = {
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
        return {**super().get_config(), **settings}


def refuse_others(where, count, array):
    """Raises for indices that are no rows of a table of `count`."""
    if not array.size:
        return
    whole = array.dtype.kind in "iub" or (array == np.floor(array)).all()
    if whole and array.min() >= 0 and array.max() < count:
        return
    wrong = array[~((array >= 0) & (array < count))]
    came = f"got {wrong[0]}" if wrong.size else f"got {array[array != np.floor(array)][0]}"
    raise RangeError(where, f"indices are whole numbers from 0 to input_dim - 1 = {count - 1}",
                     f"{came} in indices of shape {array.shape}, dtype {array.dtype}",
                     "raise input_dim to the largest index + 1, or look at how the indices are made")  # fmt: skip


registry.add_area("layers", {name: globals()[name] for name in __all__})
