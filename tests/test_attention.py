"""Laws of the attention layers, beyond the battery."""

import warnings

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.kernels import attention
from eagerdl.nn.layer import get_mask, set_mask
from eagerdl.tree import flatten

L = edl.layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def masked(x, mask):
    x = edl.constant(x)
    set_mask(x, edl.constant(mask))
    return x


@pytest.fixture(autouse=True)
def seeded():
    edl.utils.set_random_seed(1)


HEADS = {
    "multi-head": lambda **more: L.MultiHeadAttention(2, 3, dtype="float64", **more),
    "grouped": lambda **more: L.GroupQueryAttention(3, 4, 2, dtype="float64", **more),
    "gated": lambda **more: L.MultiHeadAttention(2, 3, use_gate=True, dtype="float64", **more),
}
PLAIN = {
    "dot": lambda: L.Attention(dtype="float64"),
    "concat": lambda: L.Attention(use_scale=True, score_mode="concat", dtype="float64"),
    "additive": lambda: L.AdditiveAttention(dtype="float64"),
}
heads = pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
plain = pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
QUERY, VALUE, KEY = normal(2, 5, 4), normal(2, 6, 4, seed=1), normal(2, 6, 4, seed=2)
THERE = np.array([[True, True, False, True, False, True], [False, True, True, True, True, False]])


# -- with heads -----------------------------------------------------------------------------------


@heads
def test_scores_do_not_change_the_result_and_sum_to_one(make):
    layer = make()
    out, scores = layer(QUERY, VALUE, KEY, return_attention_scores=True)
    np.testing.assert_allclose(out, layer(QUERY, VALUE, KEY), rtol=1e-12, atol=1e-12)
    assert scores.shape == (2, layer._heads, 5, 6)
    np.testing.assert_allclose(scores.numpy().sum(-1), 1, rtol=1e-12)


@heads
def test_masked_values_are_as_if_they_were_not_there(make):
    layer, row, there = make(), slice(0, 1), THERE[0]
    short = layer(QUERY[row], VALUE[row][:, there], KEY[row][:, there])
    np.testing.assert_allclose(layer(QUERY[row], VALUE[row], KEY[row], value_mask=THERE[row]), short, rtol=1e-10)
    out, scores = layer(QUERY[row], VALUE[row], KEY[row], value_mask=THERE[row], return_attention_scores=True)
    np.testing.assert_allclose(out, short, rtol=1e-10)
    assert (scores.numpy()[..., ~there] == 0).all()


@heads
def test_all_ways_to_give_a_mask_agree(make):
    layer = make()
    want = layer(QUERY, VALUE, value_mask=THERE)
    for args, named in (
        ((QUERY, masked(VALUE, THERE)), {}),
        ((QUERY, VALUE), {"attention_mask": np.repeat(THERE[:, None], 5, 1)}),
        ((QUERY, VALUE), {"attention_mask": THERE[:, None]}),
        ((QUERY, VALUE), {"attention_mask": THERE[:, None, None]}),
        ((QUERY, VALUE), {"attention_mask": THERE[:, None].astype("int32")}),
        ((QUERY, VALUE, VALUE), {"key_mask": THERE}),
        ((QUERY, VALUE, masked(VALUE, THERE)), {}),
    ):
        np.testing.assert_allclose(layer(*args, **named), want, rtol=1e-10, atol=1e-12)


@heads
@pytest.mark.parametrize("scores", (False, True))
def test_causal_attention_sees_no_future(make, scores):
    layer, changed = make(), QUERY.copy()
    changed[:, 3:] += 1
    outs = [layer(x, x, use_causal_mask=True, return_attention_scores=scores) for x in (QUERY, changed)]
    outs = [out[0].numpy() if scores else out.numpy() for out in outs]
    np.testing.assert_array_equal(outs[0][:, :3], outs[1][:, :3])
    assert (np.abs(outs[0][:, 3:] - outs[1][:, 3:]) > 1e-6).any()
    explicit = layer(QUERY, QUERY, attention_mask=np.tri(5, dtype=bool)[None])
    np.testing.assert_allclose(outs[0], explicit, rtol=1e-10, atol=1e-12)


@heads
def test_masks_combine_by_and(make):
    layer, both = make(), np.tri(5, 6, dtype=bool) & THERE[:, None]
    both &= normal(5, 6) > -0.5
    both[:, :, 0] = True
    there = THERE.copy()
    there[:, 0] = True
    mask = both | ~np.tri(5, 6, dtype=bool)
    one = layer(QUERY, VALUE, value_mask=there, attention_mask=mask, use_causal_mask=True)
    other = layer(QUERY, VALUE, attention_mask=mask & there[:, None] & np.tri(5, 6, dtype=bool))
    np.testing.assert_allclose(one, other, rtol=1e-12)


@heads
def test_a_window_of_one_sees_itself_only(make):
    layer = make(sliding_window=1)
    _, scores = layer(QUERY, QUERY, return_attention_scores=True)
    np.testing.assert_array_equal(scores, np.broadcast_to(np.eye(5), scores.shape))


@heads
def test_query_masks_pass_on_and_hide_no_value(make):
    layer, mask = make(), np.array([[True, True, False, True, True]] * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = layer(masked(QUERY, mask), masked(VALUE, THERE))
    np.testing.assert_array_equal(get_mask(out), mask)
    want = layer(QUERY, masked(VALUE, THERE))
    np.testing.assert_allclose(out.numpy()[mask], want.numpy()[mask], rtol=1e-10)
    explicit = layer(QUERY, VALUE, query_mask=edl.constant(mask), value_mask=THERE)
    np.testing.assert_array_equal(out, explicit)
    np.testing.assert_array_equal(get_mask(explicit), mask)


@heads
def test_order_of_keys_does_not_matter(make):
    layer, order = make(), [3, 1, 5, 0, 2, 4]
    np.testing.assert_allclose(
        layer(QUERY, VALUE[:, order], KEY[:, order]), layer(QUERY, VALUE, KEY), rtol=1e-10, atol=1e-12
    )


@heads
def test_gradients_with_a_mask_and_causal(make):
    layer = make()
    layer(QUERY, VALUE)
    variables = layer.trainable_variables

    def out(query, value, *weights):
        named = {"value_mask": edl.constant(THERE), "use_causal_mask": True}
        return layer.stateless_call(list(weights), [], query, value, **named)[0]

    tensors = [edl.constant(QUERY), edl.constant(VALUE), *[v.value for v in variables]]
    edl.check_grads(out, tensors, order=1, modes=("rev",))


def test_shared_heads_are_repeated_heads():
    """Grouped attention is multi-head attention whose kernels of key and value come once for each head of a group."""
    grouped, whole = L.GroupQueryAttention(3, 4, 2, dtype="float64"), L.MultiHeadAttention(4, 3, dtype="float64")
    grouped(QUERY, VALUE)
    whole(QUERY, VALUE)
    weights = grouped.get_weights()
    repeated = [np.repeat(w, 2, axis=-2) if 2 <= i < 6 else w for i, w in enumerate(weights)]
    whole.set_weights(repeated)
    np.testing.assert_allclose(grouped(QUERY, VALUE, KEY), whole(QUERY, VALUE, KEY), rtol=1e-10)


def test_several_attention_axes_are_one_long_axis():
    layer = L.MultiHeadAttention(2, 3, attention_axes=(1, 2), dtype="float64")
    x, y = normal(2, 3, 2, 4), normal(2, 2, 5, 4, seed=1)
    out, scores = layer(x, y, return_attention_scores=True)
    flat = L.MultiHeadAttention(2, 3, dtype="float64")
    long = flat(x.reshape(2, 6, 4), y.reshape(2, 10, 4))
    flat.set_weights(layer.get_weights())
    long = flat(x.reshape(2, 6, 4), y.reshape(2, 10, 4))
    np.testing.assert_allclose(out.numpy().reshape(2, 6, 4), long, rtol=1e-10, atol=1e-12)
    assert scores.shape == (2, 2, 3, 2, 2, 5)


def test_dropout_drops_in_training_only_and_repeats_with_its_seed():
    layers = [L.MultiHeadAttention(2, 3, dropout=0.5, seed=7) for _ in range(2)]
    for layer in layers:
        layer(QUERY, VALUE)
    layers[1].set_weights(layers[0].get_weights())
    one, other = (layer(QUERY, VALUE, training=True) for layer in layers)
    np.testing.assert_array_equal(one, other)
    _, scores = layers[0](QUERY, VALUE, return_attention_scores=True, training=True)
    np.testing.assert_allclose(scores.numpy().sum(-1), 1, rtol=1e-5)  # those before dropout
    assert not np.array_equal(layers[0](QUERY, VALUE, training=True), layers[0](QUERY, VALUE))


def test_symbolic_scores_have_a_shape_of_their_own():
    query, value = edl.KerasTensor((None, 5, 4)), edl.KerasTensor((None, 6, 4))
    for make in HEADS.values():
        layer = make()
        out, scores = layer(query, value, return_attention_scores=True)
        assert out.shape == (None, 5, 4) and scores.shape == (None, layer._heads, 5, 6)
    out, scores = L.Attention()([query, value], return_attention_scores=True)
    assert out.shape == (None, 5, 4) and scores.shape == (None, 5, 6)


def test_regularizers_reach_every_projection():
    layer = L.MultiHeadAttention(2, 3, kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l2")
    layer(QUERY, VALUE)
    assert len(layer.losses) == 3 * 4


def test_a_method_that_overrides_gets_the_causal_mask():
    class First(L.MultiHeadAttention):
        def _compute_attention(
            self, query, key, value, attention_mask=None, training=None, return_attention_scores=False
        ):
            self.seen = attention_mask
            return super()._compute_attention(query, key, value, attention_mask, training, return_attention_scores)

    layer = First(2, 3, dtype="float64")
    out = layer(QUERY, QUERY, use_causal_mask=True)
    np.testing.assert_array_equal(layer.seen.numpy()[0], np.tri(5, dtype=bool))
    again = L.MultiHeadAttention(2, 3, dtype="float64")
    again(QUERY, QUERY)
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(out, again(QUERY, QUERY, use_causal_mask=True), rtol=1e-10, atol=1e-12)


def test_low_rank_updates_of_projections():
    layer = L.MultiHeadAttention(2, 3)
    before = layer(QUERY, VALUE)
    layer.query_dense.enable_lora(2)
    np.testing.assert_array_equal(layer(QUERY, VALUE), before)
    assert [v.path.split("/")[1] for v in layer.trainable_variables if "lora" in v.path] == ["query", "query"]


def test_the_scale_of_dot_product_attention_may_be_a_tensor():
    x = edl.constant(normal(1, 3, 2, 4))
    scale = edl.constant(0.5, "float64")
    edl.check_grads(lambda scale: edl.dot_product_attention(x, x, x, scale=scale), [scale], order=1)
    one, other = (edl.dot_product_attention(x, x, x, scale=s, is_causal=True) for s in (scale, 0.5))
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("limits", ({}, {"mask": normal(5, 1, 3, 3) > -1, "is_causal": True}), ids=("plain", "masked"))
def test_pieces_of_a_batch_agree_with_the_whole(monkeypatch, limits):
    q, k, v = (edl.constant(normal(5, 3, 4, 2, seed=i)) for i in range(3))
    gradient = edl.grad(lambda q: edl.dot_product_attention(q, k, v, **limits).sum())
    whole = gradient(q)
    monkeypatch.setattr("eagerdl.ops.fused_attention.PIECE", 1)
    np.testing.assert_allclose(gradient(q), whole, rtol=1e-9, atol=1e-12)


@pytest.fixture(params=[1, 40, 1 << 17], ids=["few queries at a time", "some", "all"])
def by_blocks(request, monkeypatch):
    """Sequences of any length are long ones."""
    monkeypatch.setattr(attention, "LONG", 1)
    monkeypatch.setattr(attention, "FEWEST", 2)
    monkeypatch.setattr(attention, "BLOCK", request.param)


LONG = {  # queries, keys, heads, heads of keys, causal
    "plain": (7, 7, 2, 2, False),
    "causal": (7, 7, 2, 2, True),
    "groups": (7, 5, 4, 2, False),
    "groups, causal, more queries than keys": (9, 4, 4, 1, True),
    "causal, more keys than queries": (4, 9, 2, 2, True),
    "one of each": (1, 1, 1, 1, True),
}


@pytest.mark.parametrize("name", LONG)
def test_long_sequences_go_block_by_block(name, by_blocks):
    t, s, n, shared, causal = LONG[name]
    q, k, v = [
        edl.constant(normal(2, *shape, seed=i)) for i, shape in enumerate([(t, n, 3), (s, shared, 3), (s, shared, 5)])
    ]

    def run(bias=None):
        return edl.value_and_grad(
            lambda q, k, v: (edl.dot_product_attention(q, k, v, bias=bias, is_causal=causal) ** 2).sum(),
            argnums=(0, 1, 2),
        )(q, k, v)

    for one, other in zip(
        flatten(run())[0], flatten(run(bias=0.0))[0], strict=True
    ):  # with a bias it is computed in ops
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    edl.check_grads(lambda q, k, v: edl.dot_product_attention(q, k, v, is_causal=causal), [q, k, v], order=2)


def test_long_sequences_keep_no_weights():
    x = edl.constant(normal(1, 512, 1, 4).astype("float32"))
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.dot_product_attention(x, x, x, is_causal=True)
    kept = y._node.parents[0].out
    assert sum(one.size for one in kept) <= 2 * x.size
    assert tape.gradient(y, x).shape == x.shape


@pytest.mark.parametrize(("batch", "length"), [(1, 512), (9, 128)])
def test_compiled_attention_that_leaves_the_cache_has_the_same_bits(batch, length):
    q, k, v = [edl.constant(normal(batch, length, 8, 16, seed=i).astype("float32")) for i in range(3)]

    def run(q, k, v):
        with edl.GradientTape() as tape:
            tape.watch([q, k, v])
            y = edl.dot_product_attention(q, k, v, is_causal=True)
        return [y, *tape.gradient(y, [q, k, v])]

    compiled = edl.function(run)
    for found in (compiled(q, k, v), compiled(q, k, v)):
        for one, other in zip(found, run(q, k, v), strict=True):
            np.testing.assert_array_equal(one, other)


# -- without projections --------------------------------------------------------------------------


@plain
def test_masks_of_queries_and_values(make):
    layer, mask = make(), np.array([[True, True, False, True, True]] * 2)
    out, scores = layer([QUERY, VALUE], mask=[edl.constant(mask), edl.constant(THERE)], return_attention_scores=True)
    assert (out.numpy()[~mask] == 0).all()
    assert (scores.numpy()[np.repeat(~THERE[:, None], 5, 1)] == 0).all()
    short = layer([QUERY[:1], VALUE[:1][:, THERE[0]]])
    np.testing.assert_allclose(out.numpy()[0][mask[0]], short.numpy()[0][mask[0]], rtol=1e-8)
    attached = layer([masked(QUERY, mask), masked(VALUE, THERE)])
    np.testing.assert_array_equal(attached, out)
    np.testing.assert_array_equal(get_mask(attached), mask)


@plain
def test_plain_causal_attention_sees_no_future(make):
    layer = make()
    _, scores = layer([QUERY, QUERY], use_causal_mask=True, return_attention_scores=True)
    np.testing.assert_array_equal(scores.numpy() != 0, np.broadcast_to(np.tri(5, dtype=bool), scores.shape))
    _, scores = layer(
        [QUERY, VALUE], mask=[None, edl.constant(THERE)], use_causal_mask=True, return_attention_scores=True
    )
    assert (scores.numpy()[0, 2:, 2] == 0).all() and (scores.numpy()[0, 0, 1:] == 0).all()


@plain
def test_equal_keys_give_the_mean_of_the_values(make):
    out = make()([QUERY, VALUE, np.ones((2, 6, 4))])
    np.testing.assert_allclose(out, np.broadcast_to(VALUE.mean(1, keepdims=True), out.shape), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("policy", ("mixed_float16", "mixed_bfloat16"))
def test_half_precision_masks_stay_finite(policy):
    for layer in (L.Attention(dtype=policy), L.AdditiveAttention(dtype=policy)):
        out = layer([QUERY, VALUE], mask=[None, edl.constant(THERE)])
        assert np.isfinite(out.numpy().astype("float32")).all()
    for layer in (L.MultiHeadAttention(2, 3, dtype=policy), L.MultiHeadAttention(2, 3, dropout=0.1, dtype=policy)):
        out = layer(QUERY, VALUE, attention_mask=np.zeros((2, 5, 6), bool))
        assert np.isfinite(out.numpy().astype("float32")).all()


# -- what must fail -------------------------------------------------------------------------------

FAILURES = [
    (lambda: L.Attention(score_mode="sum"), ArgumentError, r"score_mode is one of 'dot', 'concat'; got 'sum'"),
    (lambda: L.Attention(dropout=2.0), ArgumentError, r"dropout is finite and at least 0.0 and at most 1.0"),
    (lambda: L.Attention()(QUERY), DTypeError, r"inputs is a list of two or three.* got one of shape \(2, 5, 4\)"),
    (lambda: L.Attention()([QUERY]), DTypeError, r"got a list of 1"),
    (lambda: L.Attention()([QUERY, VALUE], mask=edl.constant(THERE)), DTypeError, r"mask is a list of two or three"),
    (lambda: L.Attention()([QUERY, VALUE, KEY[:, :5]]), ShapeError, r"there is one value for each key"),
    (lambda: L.AdditiveAttention()([QUERY, VALUE[..., :3]]), ShapeError, r"query and key have equally many features"),
    (lambda: L.AdditiveAttention(score_mode="dot"), ArgumentError, r"one kind of scores"),
    (lambda: L.MultiHeadAttention(0, 3), ArgumentError, r"num_heads must be a positive int"),
    (lambda: L.MultiHeadAttention(2, 3.5), ArgumentError, r"key_dim must be a positive int"),
    (lambda: L.MultiHeadAttention(2, 3, value_dim=0), ArgumentError, r"value_dim must be a positive int"),
    (lambda: L.MultiHeadAttention(2, 3, sliding_window=0), ArgumentError, r"sliding_window must be a positive int"),
    (lambda: L.MultiHeadAttention(2, 3, output_shape="wide"), DTypeError, r"output_shape is an int or a tuple"),
    (lambda: L.MultiHeadAttention(2, 3, dropout=-0.1), ArgumentError, r"dropout is finite and at least 0"),
    (lambda: L.MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True), ArgumentError, r"knows no dropout"),
    (lambda: L.MultiHeadAttention(2, 3, flash_attention=True)(QUERY, VALUE, return_attention_scores=True), ArgumentError,
     r"does not keep the scores"),
    (lambda: L.MultiHeadAttention(2, 3, attention_axes=3)(QUERY, VALUE), ShapeError, r"attention_axes lie between"),
    (lambda: L.MultiHeadAttention(2, 3)(QUERY, VALUE, KEY[:, :5]), ShapeError, r"there is one value for each key"),
    (lambda: L.MultiHeadAttention(2, 3)(QUERY[0], VALUE[0]), ShapeError, r"of shape \(batch, length, features\)"),
    (lambda: L.MultiHeadAttention(2, 3)(QUERY, VALUE, attention_mask=np.ones((2, 6, 5), bool)), ShapeError, r"mask must broadcast"),
    (lambda: L.GroupQueryAttention(3, 4, 3), ArgumentError, r"num_key_value_heads divides num_query_heads evenly; got 3 and 4"),
    (lambda: L.GroupQueryAttention(3, 4, 2)(normal(2, 3, 4, 5), normal(2, 3, 4, 5)), ShapeError, r"use MultiHeadAttention"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), FAILURES, ids=[match for *_, match in FAILURES])
def test_failures(call, error, match):
    with pytest.raises(error, match=match):
        call()
