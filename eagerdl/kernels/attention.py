"""Attention over long sequences, block by block: the scores of some queries with all keys stay in the cache, and are not kept.

What the gradient needs of the weights is computed again from the logarithm of the sum of their exponentials, one number for each
query. Under a causal mask, keys behind the last query of a block are left out.

Source: Dao et al., 2022, "FlashAttention", arXiv:2205.14135, algorithms 1 and 4, with all keys in one block, so that nothing has
to be scaled anew.
"""

import itertools

import numpy as np

from eagerdl.kernels import threads

LONG = 1 << 18  # scores of a head, from which on they are not kept
BLOCK = 1 << 17  # scores that are worked on at once
FEWEST = 16  # queries of a block


def is_long(query, key):
    """True if attention of query (b, t, n, h) to key (b, s, k, h) goes block by block."""
    return query.shape[1] * key.shape[1] >= LONG and query.shape[-1] > 0


def attend(query, key, value, scale, causal):
    """query (b, t, n, h), key (b, s, k, h), value (b, s, k, v) -> (b, t, n, v), and for the gradient (b, k, n / k, 1, t)."""
    (b, t, n, _), (_, _, shared, size) = query.shape, value.shape
    out = np.empty((b, t, n, size), query.dtype)
    sums = np.empty((b, shared, n // shared, 1, t), query.dtype)

    def work(head):
        scores = Scores(query, key, scale, causal, head)
        values = np.ascontiguousarray(value[scores.of_key])
        for member, rows in scores.blocks():
            w = scores.of(member, rows)
            peak = np.maximum.reduce(w, 0)
            w -= peak
            np.exp(w, out=w)
            total = np.add.reduce(w, 0)
            result = w.T @ values[: len(w)]
            result /= total[:, None]
            out[scores.place(member, rows)] = result
            sums[(*head, member, 0, rows)] = np.log(total, out=total)
            sums[(*head, member, 0, rows)] += peak

    threads.each(work, heads(b, shared))
    return out, sums


def gradient(g, query, key, value, out, sums, scale, causal):
    """The cotangents of query, key and value, from that of the result."""
    b, shared = len(query), key.shape[2]
    found = [np.empty(x.shape, x.dtype) for x in (query, key, value)]
    # The mean of the cotangents of the weights of each query (appendix B).
    means = np.add.reduce(g * out, -1)

    def work(head):
        scores = Scores(query, key, scale, causal, head)
        keys, values = scores.keys, np.ascontiguousarray(value[scores.of_key])
        of_keys, of_values = np.zeros_like(keys), np.zeros_like(values)
        for member, rows in scores.blocks():
            at = scores.place(member, rows)
            w, bent = scores.of(member, rows), g[at]
            w -= sums[(*head, member, 0, rows)]
            np.exp(w, out=w)
            of_values[: len(w)] += w @ bent
            d = values[: len(w)] @ bent.T
            d -= means[at]
            d *= w
            of_keys[: len(w)] += d @ scores.queries  # which are scaled
            found[0][at] = d.T @ keys[: len(w)]
        found[1][scores.of_key], found[2][scores.of_key] = of_keys, of_values

    threads.each(work, heads(b, shared))
    found[0][...] *= query.dtype.type(scale)
    return tuple(found)


def heads(b, shared):
    """All pairs of an example and a head of keys."""
    return [*itertools.product(range(b), range(shared))]


class Scores:
    """The scores of the queries that look at one head of keys.

    Attributes:
        of_key: where keys and values of this head are.
        queries: those of the latest block, scaled.
    """

    def __init__(self, query, key, scale, causal, head):
        (example, shared), self.group = head, query.shape[2] // key.shape[2]
        self.query, self.factor, self.causal, self.head = query, query.dtype.type(scale), causal, head
        self.of_key = example, slice(None), shared
        self.keys = np.ascontiguousarray(key[self.of_key])
        self.size = min(max(FEWEST, BLOCK // len(self.keys)), query.shape[1])
        self.room = np.empty(len(self.keys) * self.size, query.dtype)
        self.behind = np.tri(min(self.size, len(self.keys)), self.size, -1, dtype=bool) if causal else None
        self.queries = None

    def blocks(self):
        """Each query head that looks at these keys, with each slice of queries."""
        return itertools.product(
            range(self.group), [slice(i, i + self.size) for i in range(0, self.query.shape[1], self.size)]
        )

    def place(self, member, rows):
        """Where some queries of a head are, and what belongs to them."""
        example, shared = self.head
        return example, rows, shared * self.group + member

    def of(self, member, rows):
        """The scores of some queries, keys by queries."""
        self.queries = self.query[self.place(member, rows)] * self.factor
        count = len(self.queries)
        seen = min(rows.start + count, len(self.keys)) if self.causal else len(self.keys)
        w = np.matmul(self.keys[:seen], self.queries.T, out=self.room[: seen * count].reshape(seen, count))
        if self.causal:
            corner = w[rows.start :]
            np.copyto(corner, -np.inf, where=self.behind[: len(corner), :count])
        return w
