"""Rows of the layers in `eagerdl/nn/attention.py` and `multi_head_attention.py`."""

import numpy as np
from layer_cases.builders import Row, normal, several

import eagerdl as edl

L = edl.layers

MASK = np.array([[True, True, False, True, False, True]])


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def additive(scale, query, key):
    return (scale * np.tanh(query[:, :, None] + key[:, None])).sum(-1)


def attention(scores, value, mask=None):
    weights = softmax(scores if mask is None else np.where(mask, scores, -1e9))
    return weights @ value


def causal(t, s):
    return np.arange(t)[:, None] >= np.arange(s)


def heads(w, query, value, key=None, mask=None):
    """Attention of heads by the weights (kernel, bias) of query, key, value and output, head by head."""
    key = value if key is None else key
    (q, k, v), (kernel, bias) = [project(x, *w[i : i + 2]) for x, i in ((query, 0), (key, 2), (value, 4))], w[6:8]
    out = bias
    for head in range(q.shape[2]):
        twin = head * k.shape[2] // q.shape[2]
        logits = q[:, :, head] @ k[:, :, twin].swapaxes(1, 2) / np.sqrt(q.shape[-1])
        out = out + attention(logits, v[:, :, twin], mask) @ kernel[head]
    return out


def project(x, kernel, bias):
    return np.einsum("btn,nhd->bthd", x, kernel) + bias


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gated(w, query, value):
    """One head with a gate; the weights of the gate stand behind those of the key."""
    plain = heads([*w[:4], *w[6:8], np.eye(3)[None], 0], query, value)
    return (plain * sigmoid(project(query, *w[4:6])[:, :, 0])) @ w[8][0] + w[9]


def along_columns(w, query, value):
    """Attention within each row of pictures, as a batch of sequences."""
    sequences = [x.reshape(-1, *x.shape[2:]) for x in (query, value)]
    return heads(w, *sequences).reshape(query.shape)


FOUR, BIAS = [(4, 2, 3), (2, 3)], {"bias_initializer": "normal"}

CASES = {
    "Attention": Row(
        lambda: L.Attention(), several(normal(5, 4), normal(6, 4)), reference=lambda w, x: attention(x[0] @ x[1].swapaxes(1, 2), x[1]),
    ),
    "Attention, causal, with keys": Row(
        lambda: L.Attention(use_scale=True), several(normal(5, 4), normal(6, 3), normal(6, 4)), named={"use_causal_mask": True},
        weights=[()],
        reference=lambda w, x, **_: attention(w[0] * x[0] @ x[2].swapaxes(1, 2), x[1], causal(5, 6)),
    ),
    "Attention by sums": Row(
        lambda: L.Attention(True, "concat"), several(normal(5, 4), normal(6, 4)), weights=[(), ()],
        reference=lambda w, x: attention(additive(w[1], w[0] * x[0], w[0] * x[1]), x[1]),
    ),
    "Attention with dropout": Row(lambda: L.Attention(dropout=0.5, seed=3), several(normal(5, 4), normal(6, 4)), random=True),
    "AdditiveAttention": Row(
        lambda: L.AdditiveAttention(), several(normal(5, 4), normal(6, 4)), weights=[(4,)],
        reference=lambda w, x: attention(additive(w[0], *x), x[1]),
    ),
    "AdditiveAttention without a scale": Row(
        lambda: L.AdditiveAttention(use_scale=False), several(normal(5, 4), normal(6, 3), normal(6, 4)),
        reference=lambda w, x: attention(additive(1, x[0], x[2]), x[1]),
    ),
    "MultiHeadAttention": Row(
        lambda: L.MultiHeadAttention(2, 3, **BIAS), normal(5, 4), named={"value": normal(6, 4)}, beside=("value",),
        weights=[*FOUR * 3, (2, 3, 4), (4,)], reference=heads,
    ),
    "MultiHeadAttention, masked, with keys": Row(
        lambda: L.MultiHeadAttention(2, 3, value_dim=5, **BIAS), normal(5, 4), beside=("value", "key"),
        named={"value": normal(6, 2), "key": normal(6, 3), "value_mask": MASK},
        weights=[(4, 2, 3), (2, 3), (3, 2, 3), (2, 3), (2, 2, 5), (2, 5), (2, 5, 4), (4,)],
        reference=lambda w, x, value, key, **_: heads(w, x, value, key, MASK),
    ),
    "MultiHeadAttention, causal window": Row(
        lambda: L.MultiHeadAttention(1, 3, sliding_window=2, **BIAS), normal(5, 4), beside=("value",),
        named={"value": normal(6, 4), "use_causal_mask": True}, weights=[(4, 1, 3), (1, 3)] * 3 + [(1, 3, 4), (4,)],
        reference=lambda w, x, value, **_: heads(w, x, value, mask=causal(5, 6) & ~np.tri(5, 6, -2, dtype=bool)),
    ),
    "MultiHeadAttention with a gate and another output": Row(
        lambda: L.MultiHeadAttention(1, 3, use_gate=True, output_shape=6, kernel_regularizer="l2", **BIAS), normal(5, 4),
        named={"value": normal(6, 4)}, beside=("value",), weights=[(4, 1, 3), (1, 3)] * 4 + [(1, 3, 6), (6,)], reference=gated,
    ),
    "MultiHeadAttention within rows": Row(
        lambda: L.MultiHeadAttention(2, 3, attention_axes=2, **BIAS), normal(2, 5, 4), named={"value": normal(2, 3, 4)},
        beside=("value",), weights=[*FOUR * 3, (2, 3, 4), (4,)], reference=along_columns,
    ),
    "MultiHeadAttention with dropout": Row(
        lambda: L.MultiHeadAttention(2, 3, dropout=0.5, use_bias=False, seed=1), normal(5, 4), named={"value": normal(6, 4)},
        beside=("value",), weights=[(4, 2, 3)] * 3 + [(2, 3, 4)], random=True,
        reference=lambda w, x, value: heads([w[0], 0, w[1], 0, w[2], 0, w[3], 0], x, value),
    ),
    "GroupedQueryAttention": Row(
        lambda: L.GroupQueryAttention(3, 4, 2, **BIAS), normal(5, 4), named={"value": normal(6, 4)}, beside=("value",),
        weights=[(4, 4, 3), (4, 3), *FOUR * 2, (4, 3, 4), (4,)], reference=heads,
    ),
    "GroupedQueryAttention, causal": Row(
        lambda: L.GroupQueryAttention(3, 4, 1, **BIAS), normal(5, 4), beside=("value",),
        named={"value": normal(6, 4), "use_causal_mask": True},
        weights=[(4, 4, 3), (4, 3), *[(4, 1, 3), (1, 3)] * 2, (4, 3, 4), (4,)],
        reference=lambda w, x, value, **_: heads(w, x, value, mask=causal(5, 6)),
    ),
}  # fmt: skip
