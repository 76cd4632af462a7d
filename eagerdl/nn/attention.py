"""Attention without projections: `Attention` (Luong) and `AdditiveAttention` (Bahdanau)."""

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn.arguments import check_choice, check_numbers
from eagerdl.nn.layer import Layer
from eagerdl.nn.shapes import is_shape
from eagerdl.nn.symbolic import SymbolicTensor
from eagerdl.ops.generators import SeedGenerator

__all__ = ["AdditiveAttention", "Attention"]


class Attention(Layer):
    """[query (batch, t, n), value (batch, s, v), key (batch, s, n)?] -> (batch, t, v). Means of the values, weighted by scores.

    The scores (batch, t, s) are ``query @ key.mT``, or with ``score_mode="concat"`` ``w * sum(tanh(query + key))``; their
    softmax over s gives the weights. Without a key the value serves as key.

    Call arguments: `mask`, a list [query mask (batch, t), value mask (batch, s)] of masks or None: masked values get no
    weight, the results of masked queries are 0; `return_attention_scores`, to get the weights (batch, t, s) too;
    `use_causal_mask`, so that query i sees the values up to i only.

    Args:
        use_scale: whether there is a scalar weight that multiplies the scores (in "concat" the sum of query and key).
        score_mode: "dot" or "concat".
        dropout: which part of the weights is dropped in training.
        seed: an int, for the same dropout in each run.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for an unknown score_mode, or a dropout outside of [0, 1].
        DTypeError: if the inputs, or the mask, are no list of two or three.
        ShapeError: if the shapes of query, value and key do not fit.

    Example:
        >>> query, value = edl.zeros((1, 1, 2)), edl.constant([[[1.0, 2.0], [3.0, 4.0]]])
        >>> edl.layers.Attention()([query, value]).tolist()
        [[[2.0, 3.0]]]

    Source: Luong, Pham & Manning, 2015, arXiv:1508.04025.
    """

    supports_masking = True

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        check_choice(self.where, "score_mode", score_mode, ("dot", "concat"))
        check_numbers(self.where, 0.0, 1.0, dropout=dropout)
        self.use_scale, self.score_mode, self.dropout, self.seed = use_scale, score_mode, dropout, seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape):
        self._check_list("inputs", input_shape)
        self._check_shapes(*input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _check_list(self, name, given):
        if not isinstance(given, list | tuple) or is_shape(given) or len(given) not in (2, 3):
            came = type(given).__name__
            if isinstance(given, list | tuple):
                came = f"one of shape {tuple(given)}" if is_shape(given) and given else f"a {came} of {len(given)}"
            raise DTypeError(self.where, f"{name} is a list of two or three: of query, value, and of key if there is one",
                             f"got {came}", f"pass [query, value] as {name}")  # fmt: skip

    def _check_shapes(self, query, value, key=None):
        key = value if key is None else key
        came = f"query {tuple(query)}, value {tuple(value)}, key {tuple(key)}"
        if len(query) < 2 or len(value) < 2 or len(key) < 2:
            raise ShapeError(
                self.where, "query, value and key are of shape (batch, length, features)", f"got {came}", "add axes"
            )
        if None not in (value[-2], key[-2]) and value[-2] != key[-2]:
            raise ShapeError(self.where, "there is one value for each key", f"got {came}", "check the axis of length")
        if None not in (query[-1], key[-1]) and query[-1] != key[-1]:
            raise ShapeError(
                self.where, "query and key have equally many features", f"got {came}", "project them to one size"
            )

    def call(self, inputs, mask=None, training=False, return_attention_scores=False, use_causal_mask=False):
        self._check_list("inputs", inputs)
        query, value, key = inputs if len(inputs) == 3 else (*inputs, inputs[1])
        self._check_shapes(query.shape, value.shape, key.shape)
        query_mask = value_mask = None
        if mask is not None:
            self._check_list("mask", mask)
            query_mask, value_mask = mask[:2]
        scores = self._scores(query, key)
        visible = self._visible(scores, value_mask, use_causal_mask)
        if visible is not None:
            # Lower by what loses their digits, so that weights are 0 (equal ones where nothing is visible).
            lowered = scores - (65504.0 if scores.dtype == "float16" else 1e9)
            scores = ops.where(visible, scores, lowered)
        weights = ops.softmax(scores, -1)
        if training and self.dropout > 0:
            weights = ops.random.dropout(weights, self.dropout, seed=self.seed_generator)
        out = weights @ value
        if query_mask is not None:
            out = ops.where(ops.expand_dims(ops.cast(query_mask, "bool"), -1), out, 0)
        return (out, weights) if return_attention_scores else out

    def _scores(self, query, key):
        """query (..., t, n), key (..., s, n) -> (..., t, s)."""
        if self.score_mode == "dot":
            scores = query @ key.mT
            return scores if self.scale is None else scores * self.scale
        both = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        return ops.sum(ops.tanh(both if self.scale is None else both * self.scale), -1) * self.concat_score_weight

    def _visible(self, scores, value_mask, causal):
        """Which scores count: a boolean tensor that broadcasts to them, or None for all."""
        found = None
        if value_mask is not None:
            found = ops.cast(value_mask, "bool")
            found = ops.expand_dims(found, -2) if found.ndim == 2 else found
        if causal:
            past = causal_mask(scores.shape[-2], scores.shape[-1])
            found = past if found is None else ops.logical_and(found, past)
        return found

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape):
        self._check_list("inputs", input_shape)
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(
        self, inputs, mask=None, return_attention_scores=False, training=None, use_causal_mask=False
    ):
        self._check_list("inputs", inputs)
        shapes = [x.shape for x in inputs]
        self._check_shapes(*shapes)
        out = SymbolicTensor(self.compute_output_shape(shapes), self.compute_dtype)
        if not return_attention_scores:
            return out
        return out, SymbolicTensor((*shapes[0][:-1], shapes[-1][-2]), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "use_scale": self.use_scale, "score_mode": self.score_mode, "dropout": self.dropout,
                "seed": self.seed}  # fmt: skip


class AdditiveAttention(Attention):
    """[query (batch, t, n), value (batch, s, v), key (batch, s, n)?] -> (batch, t, v). Means of the values, weighted by scores.

    As `Attention`, but with the scores ``sum(scale * tanh(query + key))``, whose scale (n,) is a weight.

    Args:
        use_scale: whether there is a scale; without one it is 1.
        dropout: which part of the weights is dropped in training.
        kwargs: seed, name, dtype, trainable.

    Raises:
        ArgumentError: for a dropout outside of [0, 1], or a score_mode.
        DTypeError: if the inputs, or the mask, are no list of two or three.
        ShapeError: if the shapes of query, value and key do not fit.

    Example:
        >>> query, value = edl.zeros((1, 1, 2)), edl.constant([[[1.0, 2.0], [1.0, 2.0]]])
        >>> edl.layers.AdditiveAttention()([query, value]).tolist()
        [[[1.0, 2.0]]]

    Source: Bahdanau, Cho & Bengio, 2014, arXiv:1409.0473.
    """

    def __init__(self, use_scale=True, dropout=0.0, **kwargs):
        if "score_mode" in kwargs:
            raise ArgumentError("AdditiveAttention", "it has one kind of scores", f"got score_mode={kwargs['score_mode']!r}",
                                "leave it out, or use Attention")  # fmt: skip
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape):
        self._check_list("inputs", input_shape)
        self._check_shapes(*input_shape)
        self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale") if self.use_scale else None

    def _scores(self, query, key):
        terms = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return ops.sum(terms, -1) if self.scale is None else terms @ self.scale

    def get_config(self):
        config = super().get_config()
        config.pop("score_mode")
        return config


def causal_mask(queries, keys):
    """A boolean tensor (queries, keys), True where a key is not behind the query.

    Example:
        >>> from eagerdl.nn.attention import causal_mask
        >>> causal_mask(2, 3).tolist()
        [[True, False, False], [True, True, False]]
    """
    return ops.expand_dims(ops.arange(queries), -1) >= ops.arange(keys)


registry.add_area("layers", {name: globals()[name] for name in __all__})
