"""Dot-product attention as one op, example by example, so that the scores of one are in the cache from the product to the softmax.

The scores are kept transposed, keys by queries: so the maximum and the sum over the keys run along contiguous rows of
queries, which is several times faster than along short rows of keys. The gradient uses the identity that the mean of the
cotangents of a query's weights is the inner product of its result with the cotangent of that result
(Dao et al., 2022, arXiv:2205.14135, appendix B).
"""

import builtins

import numpy as np

from eagerdl import devices
from eagerdl.autograd import Spec, custom, vjp
from eagerdl.errors import TracingError
from eagerdl.kernels import attention, threads
from eagerdl.ops.arithmetic import where
from eagerdl.ops.creation import tri
from eagerdl.ops.elementary import tanh
from eagerdl.ops.linalg import matmul
from eagerdl.ops.logic import logical_and
from eagerdl.ops.shape import reshape, transpose
from eagerdl.ops.softmaxes import largest, softmax, total

__all__ = ["attend", "attend_in_ops"]

PIECE = 1 << 15  # scores that are worked on at once
CACHED = 1 << 20  # scores up to which a trace computes all of them at once
HEADS_FIRST = (0, 2, 1, 3)


def least(dtype):
    """What a masked score becomes: finite, so that a query without any key gets equal weights and not NaN."""
    return -0.7 * float(np.finfo(dtype).max)


def _grouped(x, shared):
    """x (b, t, n, h) -> a view (b, shared, n / shared, h, t): the heads that share keys, features by queries."""
    b, t, n, h = x.shape
    return x.reshape(b, t, shared, n // shared, h).transpose(0, 2, 3, 4, 1)


def _hidden(mask, causal, query, key):
    """What is added to the scores, as (b or 1, shared or 1, group or 1, s, t), and where queries have keys, as (..., 1, t).

    None for nothing to add, and for queries that all have keys.
    """
    (_, t, n, _), (_, s, shared, _) = query.shape, key.shape
    xp = devices.module_of(query)
    if mask is None and not causal:
        return None, None
    if causal:
        past = xp.tri(t, s, dtype=bool)
        visible = past if mask is None else xp.logical_and(mask, past)
    else:
        visible = mask
    visible = visible.reshape((1,) * (4 - visible.ndim) + visible.shape)
    b, heads, rows, columns = visible.shape
    split = (1, 1) if heads == 1 else (shared, n // shared)
    visible = visible.reshape(b, *split, rows, columns).swapaxes(-1, -2)
    added = xp.where(visible, query.dtype.type(0), query.dtype.type(least(query.dtype)))
    there = None
    if mask is not None:
        some = visible.any(-2, keepdims=True)
        there = None if isinstance(some, np.ndarray) and some.all() else some.astype(query.dtype)
    return added, there


def _of(array, piece, batch):
    """The examples `piece` of an array whose first axis is that of the batch, or 1."""
    return array if array is None or len(array) != batch else array[piece]


def _each_piece(function, query, key):
    """``function(piece)`` for slices of the batch, at the same time."""
    (batch, t, n, _), s = query.shape, key.shape[1]
    step = builtins.max(1, PIECE // builtins.max(t * n * s, 1))
    threads.each(function, [slice(i, i + step) for i in builtins.range(0, batch, step)])


def _by_heads(x, shared):
    """x (b, t, n, h) -> a view (b, shared, n / shared, t, h)."""
    b, t, n, h = x.shape
    return x.reshape(b, t, shared, n // shared, h).transpose(0, 2, 3, 1, 4)


def _by_places(x):
    """x (b, shared, group, t, h) -> (b, t, shared * group, h)."""
    b, shared, group, t, h = x.shape
    return x.transpose(0, 3, 1, 2, 4).reshape(b, t, shared * group, h)


def attend_in_ops(query, key, value, mask, scale, causal, bias=None, cap=None):
    """As `attend`, in ops; with a bias that is added to the scores, and a soft bound of them.

    Example:
        >>> from eagerdl.ops.fused_attention import attend_in_ops
        >>> x = edl.ones((1, 3, 2, 4))
        >>> attend_in_ops(x, x, x, None, 0.5, True, cap=2.0).shape
        (1, 3, 2, 4)
    """
    (b, t, n, h), (s, shared) = query.shape, key.shape[1:3]
    # Scaling the query costs less than scaling the scores. Queries of a group stand below each other, as one matrix.
    queries = transpose(query * scale, HEADS_FIRST)
    if n != shared:
        queries = reshape(queries, (b, shared, n // shared * t, h))
    scores = matmul(queries, transpose(key, (0, 2, 3, 1)))
    if n != shared:
        scores = reshape(scores, (b, n, t, s))
    if cap is not None:
        scores = cap * tanh(scores / cap)
    if bias is not None:
        scores = scores + bias
    if causal:
        past = tri(t, s, dtype="bool", device=query.device)
        mask = past if mask is None else logical_and(mask, past)
    if mask is not None:
        scores = where(mask, scores, least(query.dtype))
    weights = softmax(scores, -1)
    if n != shared:
        weights = reshape(weights, (b, shared, n // shared * t, s))
    out = matmul(weights, transpose(value, HEADS_FIRST))
    if n != shared:
        out = reshape(out, (b, n, t, value.shape[3]))
    return transpose(out, HEADS_FIRST)


def whole(x):
    """An array that is no stand-in for one.

    Raises:
        TracingError: for a stand-in: the op is then one call of the trace.
    """
    if isinstance(x, devices.StandIn):
        raise TracingError("attend", "arrays are needed", "a trace has none", "call it as a whole")
    return x


def leave_to_pieces(query, key):
    """Has a trace call the op as a whole where the cache does not hold all scores: then it works on some at a time."""
    (b, t, n, _), s = query.shape, key.shape[1]
    if devices.module_of(query) is np and b * n * t * s > CACHED:
        whole(query)


def _attend_vjp(g, out, needs, xs, scale, causal):
    of_out = g[0]
    found = [None] * len(xs)
    if of_out is not None:
        found[:3] = _attend_grad([of_out, *xs[:3], out[0], out[1], *xs[3:]], scale, causal)
    return found


def _attend_specs(xs, scale, causal):
    (b, t, n, _), (_, s, shared, v) = xs[0].shape, xs[2].shape
    kept = 1 if _goes_by_blocks(xs) else s
    return Spec((b, t, n, v), xs[0].dtype), Spec((b, shared, n // shared, kept, t), xs[0].dtype)


def _goes_by_blocks(xs):
    """True for long sequences without a mask."""
    return len(xs) == 3 and attention.is_long(*xs[:2])


@custom(vjp=_attend_vjp, infer=_attend_specs, several=True, variadic=True)
def _attend(xs, scale, causal):
    """xs: query (b, t, n, h), key (b, s, k, h), value (b, s, k, v), mask? -> result, weights (b, k, n / k, s, t).

    The weights are for the gradient of the result; they have none themselves. Of long sequences there is one number for each query
    in their place, (b, k, n / k, 1, t).
    """
    query, key, value = xs[:3]
    if devices.module_of(query) is np and _goes_by_blocks(xs):
        return attention.attend(*map(whole, xs), scale, causal)
    (b, t, n, _), (s, shared, size) = query.shape, value.shape[1:]
    xp = devices.module_of(query)
    added, _ = _hidden(xs[3] if len(xs) > 3 else None, causal, query, key)
    queries, keys = _grouped(query, shared), key.transpose(HEADS_FIRST)[:, :, None]
    values = value.transpose(HEADS_FIRST)[:, :, None]
    factor = query.dtype.type(scale)

    def attend_piece(piece, scores=None, result=None):
        w = xp.matmul(keys[piece], queries[piece], out=scores)
        w *= factor
        hidden = _of(added, piece, b)
        if hidden is not None:
            w += hidden
        w -= largest(w, -2)
        np.exp(w, out=w)
        w /= total(w, -2)
        return xp.matmul(w.swapaxes(-1, -2), values[piece], out=result), w

    if not isinstance(query, np.ndarray):  # on a GPU, or in a trace
        leave_to_pieces(query, key)
        result, weights = attend_piece(slice(None))
        return _by_places(result), weights
    weights = np.empty((b, shared, n // shared, s, t), query.dtype)
    out = np.empty((b, t, n, size), query.dtype)
    results = _by_heads(out, shared)
    _each_piece(lambda piece: attend_piece(piece, weights[piece], results[piece]), query, key)
    return out, weights


def _grad_vjp(g, xs, scale, causal):
    """The transposed derivative of `_attend_grad`: that of the gradient of the op in ops."""
    mask = xs[6] if len(xs) > 6 else None
    there = [one is not None for one in g]

    def gradient(of_out, *inputs):
        found = vjp(lambda *three: attend_in_ops(*three, mask, scale, causal), *inputs)[1](of_out)
        return [one for one, has in zip(found, there, strict=True) if has]

    back = vjp(gradient, *xs[:4])[1]([one for one in g if one is not None])
    return [*back, *[None] * (len(xs) - 4)]


@custom(vjp=_grad_vjp, infer=lambda xs, scale, causal: tuple([Spec(x.shape, x.dtype) for x in xs[1:4]]), several=True,
        variadic=True)  # fmt: skip
def _attend_grad(xs, scale, causal):
    """xs: g (b, t, n, v), query, key, value, result, weights, mask? -> the cotangents of query, key, value."""
    g, query, key, value, out, weights = xs[:6]
    if devices.module_of(query) is np and _goes_by_blocks(xs[1:4] + xs[6:]):
        return attention.gradient(*map(whole, xs), scale, causal)
    b, shared, xp = len(query), key.shape[2], devices.module_of(query)
    there = _hidden(xs[6], causal, query, key)[1] if len(xs) > 6 else None
    keys, values = key.transpose(HEADS_FIRST)[:, :, None], value.transpose(HEADS_FIRST)[:, :, None]
    queries, cotangents = _grouped(query, shared).swapaxes(-1, -2), _grouped(g, shared)
    # The mean of the cotangents of the weights of each query, as (b, shared, group, 1, t).
    means = _grouped(total(g * out, -1), shared)
    factor = query.dtype.type(scale)

    def pull_piece(piece, of_query=None, of_key=None, of_value=None):
        w = weights[piece]
        of_value = _sum_groups(xp, w, cotangents[piece].swapaxes(-1, -2), of_value)
        d = xp.matmul(values[piece], cotangents[piece])
        d -= means[piece]
        d *= w
        d *= factor
        some = _of(there, piece, b)
        if some is not None:
            d *= some  # equal weights of a query without keys do not depend on it
        of_key = _sum_groups(xp, d, queries[piece], of_key)
        return xp.matmul(d.swapaxes(-1, -2), keys[piece], out=of_query), of_key, of_value

    if not isinstance(query, np.ndarray):
        leave_to_pieces(query, key)
        return tuple([_by_places(one) for one in pull_piece(slice(None))])
    found = [np.empty(x.shape, query.dtype) for x in (query, key, value)]
    parts = [_by_heads(x, shared) for x in found]
    _each_piece(lambda piece: pull_piece(piece, *[x[piece] for x in parts]), query, key)
    return tuple(found)


def _sum_groups(xp, a, x, out):
    """a (b, k, group, s, t), x (b, k, group, t, h) -> (b, k, 1, s, h): the products, summed over the group."""
    if a.shape[2] == 1:
        return xp.matmul(a, x, out=out)
    return np.add.reduce(xp.matmul(a, x), 2, None, out, True)


def attend(query, key, value, mask, scale, causal):
    """query (b, t, n, h), key (b, s, k, h), value (b, s, k, v) -> (b, t, n, v), all of one floating dtype of 4 bytes or more.

    Args:
        query, key, value: as above; k divides n.
        mask: boolean, of shape that broadcasts to (b, n, t, s): True where a query may look; or None.
        scale: the factor of the scores.
        causal: whether a query may look only at keys that are not behind it.

    Example:
        >>> from eagerdl.ops.fused_attention import attend
        >>> x = edl.ones((1, 3, 2, 4))
        >>> attend(x, x, x, None, 0.5, True).shape
        (1, 3, 2, 4)

    Source: Vaswani et al., 2017, arXiv:1706.03762.
    """
    xs = [query, key, value] if mask is None else [query, key, value, mask]
    return _attend(xs, float(scale), bool(causal))[0]
