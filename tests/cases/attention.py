import numpy as np
from cases.builders import booleans, case, fails, normal

from eagerdl.errors import ArgumentError, ShapeError


def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None,
                          attn_logits_soft_cap=None):  # fmt: skip
    """One query after the other."""
    (batch, length, heads, size), group = query.shape, query.shape[2] // key.shape[2]
    shape = (batch, heads, length, key.shape[1])
    bias = np.zeros(shape) if bias is None else np.broadcast_to(bias, shape)
    mask = np.ones(shape, bool) if mask is None else np.broadcast_to(mask, shape)
    out = np.zeros((batch, length, heads, value.shape[3]))
    for b, n, t in np.ndindex(batch, heads, length):
        logits = key[b, :, n // group] @ query[b, t, n] * (size**-0.5 if scale is None else scale)
        if attn_logits_soft_cap:
            logits = attn_logits_soft_cap * np.tanh(logits / attn_logits_soft_cap)
        seen = mask[b, n, t] & ((np.arange(shape[3]) <= t) if is_causal else True)
        weights = np.exp(logits + bias[b, n, t]) * seen if seen.any() else np.ones(shape[3])
        out[b, t, n] = weights @ value[b, :, n // group] / weights.sum()
    return out


QUERY, KEY, VALUE = normal(2, 3, 4, 5), normal(2, 6, 4, 5), normal(2, 6, 4, 7)
MASK = np.ones((2, 1, 3, 6), bool)
MASK[:, :, :, 4:] = False
MASK[1, 0, 2] = False  # looks at nothing

CASES = {
    "dot_product_attention": [
        case(QUERY, KEY, VALUE, reference=dot_product_attention),
        case(
            QUERY,
            KEY,
            VALUE,
            bias=normal(4, 3, 6),
            mask=booleans(2, 4, 3, 6),
            scale=0.3,
            reference=dot_product_attention,
        ),
        case(QUERY, KEY, VALUE, mask=MASK, reference=dot_product_attention),
        case(QUERY, KEY, VALUE, is_causal=True, reference=dot_product_attention),
        case(
            QUERY,
            KEY,
            VALUE,
            mask=booleans(3, 6),
            is_causal=True,
            flash_attention=True,
            reference=dot_product_attention,
        ),
        case(
            QUERY,
            normal(2, 6, 2, 5),
            normal(2, 6, 2, 5, salt=1),
            bias=normal(1, 4, 1, 6),
            mask=MASK,
            reference=dot_product_attention,
        ),
        case(
            QUERY,
            normal(2, 6, 1, 5),
            normal(2, 6, 1, 5, salt=1),
            attn_logits_soft_cap=0.7,
            reference=dot_product_attention,
        ),
        case(
            normal(1, 1, 2, 3), normal(1, 1, 2, 3, salt=1), normal(1, 1, 2, 3, salt=2), reference=dot_product_attention
        ),
        case(normal(0, 3, 2, 4), normal(0, 5, 2, 4), normal(0, 5, 2, 4), reference=dot_product_attention),
    ]
}

FAILURES = [
    fails(
        "dot_product_attention",
        normal(3, 4, 5),
        KEY,
        VALUE,
        error=ShapeError,
        match=r"must be \(batch, length, heads, size\)",
    ),
    fails(
        "dot_product_attention",
        QUERY,
        KEY,
        normal(2, 5, 4, 5),
        error=ShapeError,
        match=r"the same batch, length and heads",
    ),
    fails("dot_product_attention", normal(2, 3, 4, 6), KEY, VALUE, error=ShapeError, match=r"the same batch and size"),
    fails(
        "dot_product_attention", normal(2, 3, 3, 5), KEY, VALUE, error=ShapeError, match=r"a multiple of those of key"
    ),
    fails(
        "dot_product_attention",
        QUERY,
        KEY,
        VALUE,
        mask=booleans(2, 3, 6),
        error=ShapeError,
        match=r"mask must broadcast to .* \(2, 4, 3, 6\)",
    ),
    fails(
        "dot_product_attention",
        QUERY,
        KEY,
        VALUE,
        attn_logits_soft_cap=0.0,
        error=ArgumentError,
        match=r"must be positive",
    ),
]
