"""Dot-product attention."""

import builtins
import math

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.fused_attention import attend, attend_in_ops
from eagerdl.tensor import Tensor

__all__ = ["dot_product_attention"]


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
    shape = (batch, heads, length, key.shape[1])
    scale = 1 / math.sqrt(builtins.max(size, 1)) if scale is None else scale
    mask = None if mask is None else cast(_broadcastable("mask", mask, shape), "bool")
    if bias is None and attn_logits_soft_cap is None and not isinstance(scale, Tensor):
        out = attend(query, key, value, mask, scale, is_causal)
    else:
        bias = None if bias is None else cast(_broadcastable("bias", bias, shape), work)
        out = attend_in_ops(query, key, value, mask, scale, is_causal, bias, attn_logits_soft_cap)
    return cast(out, dtype)
