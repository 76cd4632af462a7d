"""Dot-product attention."""

import builtins
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.activation import softmax
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.elementary import tanh
from eagerdl.ops.linalg import matmul
from eagerdl.ops.logic import logical_and
from eagerdl.ops.shape import reshape, transpose
from eagerdl.tensor import from_array

__all__ = ["dot_product_attention"]

HEADS_FIRST = (0, 2, 1, 3)


def _check(query, key, value):
    name = "dot_product_attention"
    came = f"query {query.shape}, key {key.shape}, value {value.shape}"
    if not query.ndim == key.ndim == value.ndim == 4:
        raise ShapeError(
            name, "query, key and value must be (batch, length, heads, size)", came, "add axes with edl.expand_dims"
        )
    if key.shape[:3] != value.shape[:3]:
        raise ShapeError(name, "key and value must have the same batch, length and heads", came, "check their order")
    if query.shape[0] != key.shape[0] or query.shape[3] != key.shape[3]:
        raise ShapeError(
            name, "query and key must have the same batch and size", came, "project them to one size first"
        )
    if not key.shape[2] or query.shape[2] % key.shape[2]:
        raise ShapeError(
            name, "the heads of query must be a multiple of those of key", came, "check the number of heads"
        )


def _broadcastable(name, x, shape):
    """x as a tensor that broadcasts to the shape of the logits."""
    x = convert_to_tensor(x)
    fits = x.ndim <= 4 and builtins.all(
        have in (1, want) for have, want in zip(x.shape, shape[4 - x.ndim :], strict=True)
    )
    if not fits:
        raise ShapeError(
            "dot_product_attention",
            f"{name} must broadcast to (batch, heads, query length, key length) = {shape}",
            f"{name} has shape {x.shape}",
            "insert axes of size 1",
        )
    return x


def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None,
                          attn_logits_soft_cap=None):  # fmt: skip
    """query (b, t, n, h), key (b, s, k, h), value (b, s, k, v) -> (b, t, n, v). Dot-product attention.

    It is ``softmax(scale * query key^T + bias) value`` for each head.

    The heads n of the query are a multiple of the heads k of key and value: groups of them share a head (grouped-query
    and multi-query attention). The softmax is computed in float32 at least. A query that may look at nothing gets the
    mean of all values.

    Args:
        query, key, value: as above.
        bias: added to the logits; broadcasts to (b, n, t, s).
        mask: True where a query may look at a key; broadcasts to (b, n, t, s).
        scale: the factor of the logits; ``1 / sqrt(h)`` by default.
        is_causal: whether a query may look only at keys that are not behind it.
        flash_attention: accepted for Keras' sake; the result does not depend on it.
        attn_logits_soft_cap: a bound c that the logits approach softly, ``c tanh(logits / c)``.

    Raises:
        ShapeError: if shapes do not fit.
        ArgumentError: if the soft cap is not positive.

    Example:
        >>> x = edl.ones((1, 3, 2, 4))
        >>> edl.dot_product_attention(x, x, x, is_causal=True).shape
        (1, 3, 2, 4)

    Sources: Vaswani et al., 2017, arXiv:1706.03762; Ainslie et al., 2023, arXiv:2305.13245 (groups); Gemma Team, 2024,
    arXiv:2408.00118 (soft cap).
    """
    query, key, value = convert_to_tensor(query), convert_to_tensor(key), convert_to_tensor(value)
    _check(query, key, value)
    if attn_logits_soft_cap is not None and attn_logits_soft_cap <= 0:
        raise ArgumentError(
            "dot_product_attention",
            "the soft cap must be positive",
            f"got {attn_logits_soft_cap}",
            "use None for no cap",
        )
    (dtype, _, _) = dtypes.to_floating([query.dtype, key.dtype, value.dtype])
    work = dtypes.float32 if dtype.itemsize == 2 else dtype
    query, key, value = cast(query, work), cast(key, work), cast(value, work)
    batch, length, heads, size = query.shape
    sources, shared = key.shape[1:3]
    shape = (batch, heads, length, sources)

    # Scaling the query costs less than scaling the logits. Queries of a group stand below each other, as one matrix.
    queries = transpose(query * (1 / math.sqrt(builtins.max(size, 1)) if scale is None else scale), HEADS_FIRST)
    if heads != shared:
        queries = reshape(queries, (batch, shared, heads // shared * length, size))
    logits = matmul(queries, transpose(key, (0, 2, 3, 1)))
    if heads != shared:
        logits = reshape(logits, shape)
    if attn_logits_soft_cap is not None:
        logits = attn_logits_soft_cap * tanh(logits / attn_logits_soft_cap)
    if bias is not None:
        logits = logits + cast(_broadcastable("bias", bias, shape), work)
    if mask is not None:
        mask = cast(_broadcastable("mask", mask, shape), "bool")
    if is_causal:
        causal = from_array(devices.move(np.tri(length, sources, dtype=bool), query.device))
        mask = causal if mask is None else logical_and(mask, causal)
    if mask is not None:
        # Finite, so that a row without any True gives equal weights and not NaN; as low as sums of it stay finite.
        logits = where(mask, logits, -0.7 * float(np.finfo(work).max))
    weights = softmax(logits, -1)
    if heads != shared:
        weights = reshape(weights, (batch, shared, heads // shared * length, sources))
    out = matmul(weights, transpose(value, HEADS_FIRST))
    if heads != shared:
        out = reshape(out, (batch, heads, length, value.shape[3]))
    return cast(transpose(out, HEADS_FIRST), dtype)
