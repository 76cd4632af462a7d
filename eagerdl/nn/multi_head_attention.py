"""Attention of several heads: `MultiHeadAttention`, and `GroupedQueryAttention`, whose heads share keys and values."""

import builtins
import math
import string

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn import constraints, initializers, regularizers
from eagerdl.nn.arguments import check_numbers, positive_int
from eagerdl.nn.attention import causal_mask
from eagerdl.nn.dropout import Dropout
from eagerdl.nn.einsum_dense import EinsumDense
from eagerdl.nn.layer import Layer, set_mask
from eagerdl.nn.symbolic import SymbolicTensor

__all__ = ["GroupQueryAttention", "GroupedQueryAttention", "MultiHeadAttention"]


class ProjectedAttention(Layer):
    """Base class of attention with heads: projects query, key and value, attends, projects back.

    Subclasses set, before `build`: `_heads`, `_shared_heads` (of key and value), `_key_dim` and `_value_dim` of a head.
    """

    supports_masking = True
    _output_shape = None
    _attention_axes = None

    def __init__(self, dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer,
                 kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed,
                 **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        check_numbers(self.where, 0.0, 1.0, dropout=dropout)
        if sliding_window is not None:
            sliding_window = positive_int(self.where, "sliding_window", sliding_window)
        if flash_attention and dropout > 0:
            raise ArgumentError(self.where, "flash attention knows no dropout", f"got flash_attention=True, dropout={dropout}",
                                "set one of them only")  # fmt: skip
        self._dropout, self._use_bias, self._use_gate, self.seed = dropout, use_bias, use_gate, seed
        self._sliding_window, self._flash_attention = sliding_window, bool(flash_attention)
        self._kernel_initializer = initializers.get(kernel_initializer)
        self._bias_initializer = initializers.get(bias_initializer)
        self._kernel_regularizer = regularizers.get(kernel_regularizer)
        self._bias_regularizer = regularizers.get(bias_regularizer)
        self._activity_regularizer = regularizers.get(activity_regularizer)
        self._kernel_constraint = constraints.get(kernel_constraint)
        self._bias_constraint = constraints.get(bias_constraint)

    # -- weights ----------------------------------------------------------------------------------

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        self._check_shapes(query_shape, value_shape, key_shape)
        rank = len(query_shape)
        heads, shared = self._heads, self._shared_heads
        self._query_dense = self._projection("query", query_shape, 1, (heads, self._key_dim))
        self._key_dense = self._projection("key", key_shape, 1, (shared, self._key_dim))
        if self._use_gate:
            self._gate_dense = self._projection("gate", query_shape, 1, (heads, self._value_dim), activation="sigmoid")
        self._value_dense = self._projection("value", value_shape, 1, (shared, self._value_dim))
        given = range(1, rank - 1) if self._attention_axes is None else self._attention_axes
        self._axes = tuple([axis if axis >= 0 else rank + axis for axis in given])
        if not self._axes or not builtins.all(0 < axis < rank - 1 for axis in self._axes):
            raise ShapeError(self.where, f"attention_axes lie between the batch and the features: from 1 to {rank - 2}",
                             f"got {self._attention_axes} for query {tuple(query_shape)}", "choose among them")  # fmt: skip
        self._dot_equation, self._combine_equation = _equations(rank + 1, self._axes)
        self._dropout_layer = Dropout(self._dropout, seed=self.seed, dtype=self.dtype_policy)
        out = (query_shape[-1],) if self._output_shape is None else self._output_shape
        joined = (*query_shape[:-1], heads, self._value_dim)
        self._output_dense = self._projection("attention_output", joined, 2, out)

    def _projection(self, name, input_shape, contracted, sizes, activation=None):
        """A dense layer from the last `contracted` axes of its input to axes of `sizes`."""
        letters = string.ascii_lowercase
        free = len(input_shape) - contracted
        lead, inner, outer = letters[:free], letters[free : len(input_shape)], letters[len(input_shape) :][: len(sizes)]
        layer = EinsumDense(
            f"{lead}{inner},{inner}{outer}->{lead}{outer}", output_shape=(*[None] * (free - 1), *sizes), activation=activation,
            bias_axes=outer if self._use_bias else None, kernel_initializer=self._kernel_initializer.clone(),
            bias_initializer=self._bias_initializer.clone(), kernel_regularizer=self._kernel_regularizer,
            bias_regularizer=self._bias_regularizer, activity_regularizer=self._activity_regularizer,
            kernel_constraint=self._kernel_constraint, bias_constraint=self._bias_constraint, dtype=self.dtype_policy, name=name,
        )  # fmt: skip
        layer.supports_masking = True  # masks are used here; what passes through the projections needs no warning
        layer._path = f"{self.path}/{name}"
        layer.build(input_shape)
        return layer

    def _check_shapes(self, query, value, key):
        came = f"query {tuple(query)}, value {tuple(value)}, key {tuple(key)}"
        if len(query) < 3 or not len(query) == len(value) == len(key):
            raise ShapeError(self.where, "query, value and key are of shape (batch, length, features)", f"got {came}",
                             "add axes, or leave some out")  # fmt: skip
        if builtins.any(None not in (m, n) and m != n for m, n in zip(value[1:-1], key[1:-1])):
            raise ShapeError(
                self.where, "there is one value for each key", f"got {came}", "check the order of the arguments"
            )

    query_dense = property(lambda self: self._query_dense, doc="The projection of queries.")
    key_dense = property(lambda self: self._key_dense, doc="The projection of keys.")
    value_dense = property(lambda self: self._value_dense, doc="The projection of values.")
    output_dense = property(lambda self: self._output_dense, doc="The projection of the result.")

    # -- the call ---------------------------------------------------------------------------------

    def call(self, query, value, key=None, query_mask=None, value_mask=None, key_mask=None, attention_mask=None,
             return_attention_scores=False, training=None, use_causal_mask=False):  # fmt: skip
        if self._flash_attention and return_attention_scores:
            raise ArgumentError(self.where, "flash attention does not keep the scores", "got return_attention_scores=True",
                                "make the layer with flash_attention=False")  # fmt: skip
        key = value if key is None else key
        self._check_shapes(query.shape, value.shape, key.shape)
        # Without a mask of its own causal attention is cheaper; a method that overrides ours may not know the argument.
        late = use_causal_mask and type(self)._compute_attention is ProjectedAttention._compute_attention
        mask = self._compute_attention_mask(query, value, query_mask, value_mask, key_mask, attention_mask,
                                            use_causal_mask and not late)  # fmt: skip
        gate = self._gate_dense(query) if self._use_gate else None
        out, scores = self._compute_attention(
            self._query_dense(query), self._key_dense(key), self._value_dense(value), mask, training=training,
            return_attention_scores=return_attention_scores, **({"use_causal_mask": True} if late else {}),
        )  # fmt: skip
        out = self._output_dense(out if gate is None else out * gate)
        if query_mask is not None:
            set_mask(out, query_mask)
        return (out, scores) if return_attention_scores else out

    def _compute_attention_mask(self, query, value, query_mask=None, value_mask=None, key_mask=None, attention_mask=None,
                                use_causal_mask=False):  # fmt: skip
        """All masks as one that broadcasts to (batch, t, s), True where a query may look; None if there are none."""
        masks = []
        if query_mask is not None:
            masks.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        masks += [ops.expand_dims(ops.cast(one, "bool"), -2) for one in (value_mask, key_mask) if one is not None]
        lengths = query.shape[1], value.shape[1]
        if use_causal_mask:
            masks.append(ops.expand_dims(causal_mask(*lengths), 0))
        if self._sliding_window is not None:
            distance = ops.absolute(ops.expand_dims(ops.arange(lengths[0]), -1) - ops.arange(lengths[1]))
            masks.append(ops.expand_dims(distance < self._sliding_window, 0))
        if attention_mask is not None:
            masks.append(ops.cast(attention_mask, "bool"))
        found = None
        for one in masks:
            found = one if found is None else ops.logical_and(found, one)
        return found

    def _compute_attention(self, query, key, value, attention_mask=None, training=None, return_attention_scores=False,
                           use_causal_mask=False):  # fmt: skip
        """Projected query (batch, t, heads, n), key, value -> the result (batch, t, heads, v), and the scores or None.

        The place to override for another kind of attention.
        """
        standard = query.ndim == 4
        if attention_mask is not None:
            # The axes of the heads, and of the batch where the mask has none.
            missing = (query.ndim if standard else query.ndim + len(self._axes) - 1) - attention_mask.ndim
            for _ in range(missing):
                attention_mask = ops.expand_dims(attention_mask, -2 * len(self._axes) - 1)
        if standard and self._dropout == 0 and not return_attention_scores:
            return ops.dot_product_attention(query, key, value, mask=attention_mask, is_causal=use_causal_mask), None
        if self._heads != self._shared_heads:
            repeats = self._heads // self._shared_heads
            key, value = ops.repeat(key, repeats, axis=2), ops.repeat(value, repeats, axis=2)
        if use_causal_mask:
            past = causal_mask(query.shape[1], key.shape[1])
            attention_mask = past if attention_mask is None else ops.logical_and(attention_mask, past)
        scores = ops.einsum(self._dot_equation, query * (1 / math.sqrt(self._key_dim)), key)
        scores = self._masked_softmax(scores, attention_mask)
        dropped = self._dropout_layer(scores, training=training) if self._dropout > 0 else scores
        return ops.einsum(self._combine_equation, dropped, value), scores

    def _masked_softmax(self, scores, mask):
        """The softmax over the axes of the keys, 0 where masked."""
        over = tuple(range(-len(self._axes), 0))
        if mask is None:
            return ops.softmax(scores, over)
        low = -3e4 if scores.dtype == "float16" else -1e9
        return ops.where(mask, ops.softmax(ops.where(mask, scores, low), over), 0)

    # -- shapes and configuration -----------------------------------------------------------------

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        self._check_shapes(query_shape, value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *((query_shape[-1],) if self._output_shape is None else self._output_shape))

    def compute_output_spec(self, query, value, key=None, query_mask=None, value_mask=None, key_mask=None, attention_mask=None,
                            return_attention_scores=False, training=None, use_causal_mask=False):  # fmt: skip
        shape = self.compute_output_shape(query.shape, value.shape, None if key is None else key.shape)
        out = SymbolicTensor(shape, self.compute_dtype)
        if not return_attention_scores:
            return out
        free = [n for axis, n in enumerate(query.shape[:-1]) if axis not in self._axes]
        sizes = [*free, self._heads, *[x.shape[axis] for x in (query, value) for axis in self._axes]]
        return out, SymbolicTensor(tuple(sizes), self.compute_dtype)

    def _config_of_weights(self):
        return {
            "kernel_initializer": initializers.serialize(self._kernel_initializer),
            "bias_initializer": initializers.serialize(self._bias_initializer),
            "kernel_regularizer": regularizers.serialize(self._kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self._bias_regularizer),
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
            "kernel_constraint": constraints.serialize(self._kernel_constraint),
            "bias_constraint": constraints.serialize(self._bias_constraint),
            "seed": self.seed,
        }


class MultiHeadAttention(ProjectedAttention):
    """query (batch, t, n), value (batch, s, m), key (batch, s, k)? -> (batch, t, n). Attention of several heads.

    ``softmax(Q K^T / sqrt(key_dim)) V`` for each head, with ``Q = query W_Q + b_Q`` and so on; what the heads found is
    projected back to n features. Without a key the value serves as key; with query, key and value the same it is
    self-attention. Weights: kernel (n, heads, key_dim) and bias (heads, key_dim) of query and key, likewise of value, and
    kernel (heads, value_dim, n) and bias (n,) of the output.

    Call arguments: `query_mask` (batch, t), `value_mask` and `key_mask` (batch, s), taken from the tensors if not given;
    `attention_mask`, which broadcasts to (batch, heads, t, s) after an axis for the heads was added to (batch, t, s);
    `use_causal_mask`, so that query i sees the keys up to i only; `return_attention_scores`, to get the weights
    (batch, heads, t, s) too. A query that may look at nothing gets the mean of all values, and scores of 0 where these are
    computed, as in Keras.

    Args:
        num_heads: the number of heads.
        key_dim, value_dim: the sizes of query and key, and of value, in a head; value_dim is key_dim by default.
        dropout: which part of the scores is dropped in training.
        use_bias: whether the projections have biases.
        output_shape: the sizes of the output's last axes; the n of the query by default.
        attention_axes: the axes over which queries look, where there are several; all but batch and features by default.
        sliding_window: at most how far a query looks to either side, plus 1.
        flash_attention: accepted for Keras' sake; the result does not depend on it.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint: of each projection.
        use_gate: whether what the heads found is multiplied by ``sigmoid(query W_G + b_G)``.
        seed: an int, for the same dropout in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if a size is no positive int, or dropout lies outside of [0, 1].
        ShapeError: if the shapes of query, value and key do not fit.

    Example:
        >>> layer = edl.layers.MultiHeadAttention(num_heads=2, key_dim=4)
        >>> x = edl.ones((1, 3, 8))
        >>> out, scores = layer(x, x, return_attention_scores=True, use_causal_mask=True)
        >>> out.shape, scores.shape
        ((1, 3, 8), (1, 2, 3, 3))

    Sources: Vaswani et al., 2017, arXiv:1706.03762; Qiu et al., 2025, arXiv:2505.06708 (gate).
    """

    def __init__(self, num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None, attention_axes=None,
                 sliding_window=None, flash_attention=None, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 bias_constraint=None, use_gate=False, seed=None, **kwargs):  # fmt: skip
        super().__init__(dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer,
                         kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint,
                         use_gate, seed, **kwargs)  # fmt: skip
        self._heads = self._shared_heads = positive_int(self.where, "num_heads", num_heads)
        self._key_dim = positive_int(self.where, "key_dim", key_dim)
        self._value_dim = self._key_dim if value_dim is None else positive_int(self.where, "value_dim", value_dim)
        self._output_shape = _ints(self.where, "output_shape", output_shape)
        self._attention_axes = _ints(self.where, "attention_axes", attention_axes)

    num_heads = property(lambda self: self._heads, doc="The number of heads.")
    key_dim = property(lambda self: self._key_dim, doc="The size of query and key in a head.")
    value_dim = property(lambda self: self._value_dim, doc="The size of value in a head.")
    dropout = property(lambda self: self._dropout, doc="Which part of the scores is dropped in training.")
    use_bias = property(lambda self: self._use_bias, doc="Whether the projections have biases.")
    attention_axes = property(lambda self: self._attention_axes, doc="The axes over which queries look.")

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self._heads,
            "key_dim": self._key_dim,
            "value_dim": self._value_dim,
            "dropout": self._dropout,
            "use_bias": self._use_bias,
            "use_gate": self._use_gate,
            "output_shape": self._output_shape,
            "attention_axes": self._attention_axes,
            "sliding_window": self._sliding_window,
            **self._config_of_weights(),
        }


class GroupedQueryAttention(ProjectedAttention):
    """query (batch, t, n), value (batch, s, m), key (batch, s, k)? -> (batch, t, n). Attention with shared keys and values.

    As `MultiHeadAttention`, but the heads of the query fall into groups of neighbours, each of which shares one head of key
    and value: less memory for keys and values at nearly the same quality. One such head is multi-query attention, as many as
    there are queries' multi-head attention.

    Args:
        head_dim: the size of a head.
        num_query_heads: the number of heads of the query.
        num_key_value_heads: the number of heads of key and value, a divisor of num_query_heads.
        dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed: as in
            `MultiHeadAttention`, and so are the call arguments.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if a size is no positive int, or num_key_value_heads no divisor of num_query_heads.
        ShapeError: if the shapes of query, value and key do not fit.

    Example:
        >>> layer, x = edl.layers.GroupQueryAttention(4, num_query_heads=6, num_key_value_heads=2), edl.ones((1, 3, 8))
        >>> layer(x, x).shape, layer.key_dense.kernel.shape
        ((1, 3, 8), (8, 2, 4))

    Source: Ainslie et al., 2023, arXiv:2305.13245.
    """

    _config_name = "GroupQueryAttention"

    def __init__(self, head_dim, num_query_heads, num_key_value_heads, dropout=0.0, use_bias=True, sliding_window=None,
                 flash_attention=None, kernel_initializer="glorot_uniform", bias_initializer="zeros", kernel_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None, use_gate=False,
                 seed=None, **kwargs):  # fmt: skip
        super().__init__(dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer,
                         kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint,
                         use_gate, seed, **kwargs)  # fmt: skip
        self.head_dim = self._key_dim = self._value_dim = positive_int(self.where, "head_dim", head_dim)
        self.num_query_heads = self._heads = positive_int(self.where, "num_query_heads", num_query_heads)
        shared = positive_int(self.where, "num_key_value_heads", num_key_value_heads)
        if self._heads % shared:
            raise ArgumentError(self.where, "num_key_value_heads divides num_query_heads evenly",
                                f"got {shared} and {self._heads}", "choose a divisor")  # fmt: skip
        self.num_key_value_heads = self._shared_heads = shared
        self.dropout, self.use_bias, self.use_gate, self.sliding_window = dropout, use_bias, use_gate, sliding_window

    def _check_shapes(self, query, value, key):
        super()._check_shapes(query, value, key)
        if len(query) != 3:
            raise ShapeError(self.where, "query, value and key are of shape (batch, length, features)",
                             f"got query {tuple(query)}", "reshape them, or use MultiHeadAttention")  # fmt: skip

    def get_config(self):
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self._heads,
            "num_key_value_heads": self._shared_heads,
            "use_bias": self._use_bias,
            "use_gate": self._use_gate,
            "sliding_window": self._sliding_window,
            "dropout": self._dropout,
            **self._config_of_weights(),
        }


GroupQueryAttention = GroupedQueryAttention


def _ints(where, name, value):
    """An int, or several, as a tuple; None for None."""
    if value is None:
        return None
    value = value if isinstance(value, list | tuple) else (value,)
    if not value or not builtins.all(hasattr(one, "__index__") and not isinstance(one, bool) for one in value):
        raise DTypeError(
            where, f"{name} is an int or a tuple of ints", f"got {value!r}", "leave it out for the default"
        )
    return tuple([int(one) for one in value])


def _equations(rank, axes):
    """The equations of scores and of results for projected tensors of a rank whose queries look along `axes`.

    With rank 4 and axes (1,) they are "abcd,aecd->acbe" and "acbe,aecd->abcd".
    """
    letters = iter(string.ascii_lowercase)
    query = [next(letters) for _ in range(rank)]
    key = [next(letters) if axis in axes else query[axis] for axis in range(rank)]
    free = [query[axis] for axis in range(rank - 1) if axis not in axes]  # the batch and the heads among them
    scores = "".join([*free, *[query[axis] for axis in axes], *[key[axis] for axis in axes]])
    query, key = "".join(query), "".join(key)
    return f"{query},{key}->{scores}", f"{scores},{key}->{query}"


registry.add_area("layers", {name: globals()[name] for name in __all__})
