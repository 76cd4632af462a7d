"""Gamma, beta and binomial numbers: samplers that may reject what they drew, and the derivatives of their samples.

Each attempt of an element has bits of its own, so that what an element becomes depends on no other element.
"""

import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError
from eagerdl.kernels.philox import Stream
from eagerdl.kernels.variates import centred, special_functions, work_dtype
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import astype
from eagerdl.ops.elementary import exp

# -- gamma and beta numbers ---------------------------------------------------------------------


def _no_second_derivative(g):
    raise ArgumentError(
        "gamma",
        "samples have a first derivative by alpha, no second one",
        "a derivative of the derivative was asked for",
        "wrap the first derivative in edl.stop_gradient",
    )


@custom(
    vjp=(_no_second_derivative, _no_second_derivative),
    tensors=2,
    infer=lambda alpha, x, log: Spec(x.shape, alpha.dtype),
)
def _gamma_slope(alpha, x, log):
    """alpha (...), a sample x (...) (or its logarithm) -> its derivative by alpha.

    Implicit reparameterization (Figurnov et al., 2018, arXiv:1805.08498): the distribution function F(x; alpha) stays
    where it is, so dx = -(dF / dalpha) / p(x). dF / dalpha is a central difference of fourth order of the smaller
    tail, in float64.
    """
    special = special_functions(x)
    a = alpha.astype(np.float64)
    logx = x.astype(np.float64) if log else np.log(x.astype(np.float64))
    tiny = logx < math.log(1e-12)  # where F is x**alpha / gamma(alpha + 1) to all digits
    value = np.exp(np.where(tiny, 0.0, logx))
    h = 1e-3 * np.minimum(a, np.sqrt(a))
    upper = value > a

    def tail(b):
        return np.where(upper, -special.gammaincc(b, value), special.gammainc(b, value))

    dF = (8 * (tail(a + h) - tail(a - h)) - (tail(a + 2 * h) - tail(a - 2 * h))) / (12 * h)
    log_p = a * np.where(tiny, 0.0, logx) - value - special.gammaln(a)  # log(x p(x))
    slope = np.where(tiny, (special.digamma(a + 1) - logx) / a, -dF * np.exp(-log_p))
    if not log:
        size = np.exp(logx)
        slope = np.where(size > 0, slope, 0) * size
    return slope.astype(alpha.dtype)


def _gamma_lanes(stream, index, total, offset, attempt, wide):
    """Four numbers for each element: a block of words, or half a block where 32 bits each are enough."""
    if attempt == 0:
        words = stream.blocks(offset, total) if wide else stream.bits(32, 4 * total, 8 * offset)
        return words.reshape(-1, 4)
    if wide:
        return stream.lanes_at(index, total, attempt, offset)
    found = stream.lanes_at(index // 2, -(-total // 2), attempt, offset).view(np.uint32).reshape(-1, 2, 4)
    return found[stream.xp.arange(index.size), index % 2]


def gamma_blocks(shape, dtype):
    """How many blocks of bits an attempt at gamma numbers takes."""
    size = math.prod(shape)
    return size if dtype == dtypes.float64 else -(-size // 2)


@custom(vjp=(lambda g, out, alpha, log: astype(g, alpha.dtype) * _gamma_slope(alpha, out, log), None), tensors=2,
        infer=lambda alpha, state, dtype, log, offset: Spec(alpha.shape, dtype))  # fmt: skip
def random_gamma(alpha, state, dtype, log, offset):
    """alpha (...), state -> gamma numbers (...) (or their logarithms), from block number `offset` on.

    Marsaglia & Tsang, 2000, doi 10.1145/358407.358414: a cubed normal number, rejected in less than 5% of cases; for
    alpha < 1 a number of alpha + 1 times a power of a uniform one. Each attempt has blocks of its own.
    """
    stream = Stream(state, devices.module_of(alpha))
    wide = dtype == dtypes.float64
    shape, a = alpha.shape, alpha.astype(np.float64).ravel()
    boosted = a < 1
    d = np.where(boosted, a + 1, a) - 1 / 3
    c = 1 / np.sqrt(9 * d)
    out = stream.xp.empty(a.size, np.float64)  # log(v), later the logarithm of the result
    index, attempt = stream.xp.arange(a.size), 0
    while index.size:
        lanes = _gamma_lanes(stream, index, a.size, offset, attempt, wide)
        u1, u2, u3 = (centred(lanes[:, lane], dtypes.float64) for lane in range(3))
        x = np.sqrt(-2 * np.log(u1)) * np.cos(2 * math.pi * u2)
        v = 1 + c[index] * x
        positive = v > 0
        log_v = 3 * np.log(np.where(positive, v, 1))
        dd = d[index]
        accepted = positive & (np.log(u3) < 0.5 * x * x + dd * (1 - np.exp(log_v) + log_v))
        out[index[accepted]] = log_v[accepted]
        if attempt == 0 and boosted.any():
            boost = np.where(boosted, np.log(centred(lanes[:, 3], dtypes.float64)) / np.where(boosted, a, 1), 0)
        index, attempt = index[~accepted], attempt + 1
    out += np.log(d)
    if a.size and boosted.any():
        out += boost
    return (out if log else np.exp(out)).reshape(shape).astype(dtype, copy=False)


def random_beta(alpha, beta, state, dtype):
    """alpha (...), beta (...), state -> beta numbers (...), X / (X + Y) of two gamma numbers, by their logarithms."""
    work = work_dtype(dtype)
    x = random_gamma(alpha, state, work, True, 0)
    y = random_gamma(beta, state, work, True, gamma_blocks(alpha.shape, dtype))
    larger = x > y  # the logistic function of x - y, without overflow
    small = exp(where(larger, y - x, x - y))
    return astype(where(larger, 1, small) / (1 + small), dtype)


# -- binomial numbers ----------------------------------------------------------------------------

_STIRLING = np.array(
    [math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi)) for k in range(16)]
)


def _stirling_rest(k, table):
    """log(k!) minus Stirling's formula at k + 1."""
    n = k + 1.0
    square = n * n
    series = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / n
    return np.where(k < 16, table[np.minimum(k, 15).astype(np.int64)], series)


def _search(stream, out, index, n, p):
    """The smallest k whose probability of at most k successes exceeds a uniform number."""
    n, p, total = n[index], p[index], out.size
    u = centred(stream.lanes_at(index, total, 0)[:, 0], dtypes.float64)
    term, k = np.exp(n * np.log1p(-p)), 0
    last = np.minimum(n, 150)  # beyond, the probability is under 1e-80: u was rounded up to all of it
    odds = p / (1 - p)
    while index.size:
        go = (u > term) & (k < last)
        out[index[~go]] = k
        u, k = u - term, k + 1
        index, u, n, last, odds, term = index[go], u[go], n[go], last[go], odds[go], term[go]
        term = term * odds * (n - k + 1) / k


def _btrs(stream, out, index, n, p):
    """Transformed rejection with squeeze; names as in Hörmann's paper."""
    total, attempt = out.size, 0
    table = stream.xp.asarray(_STIRLING)
    n, p = n[index], p[index]
    spread = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha, odds, mode = (2.83 + 5.1 / b) * spread, p / (1 - p), np.floor((n + 1) * p)
    rest_of_mode = (mode + 0.5) * np.log((mode + 1) / (odds * (n - mode + 1)))
    rest_of_mode += _stirling_rest(mode, table) + _stirling_rest(n - mode, table)
    constants = np.stack([n, n * p + 0.5, a, b, alpha, odds, mode, rest_of_mode])
    while index.size:
        n, centre, a, b, alpha, odds, mode, at_mode = constants
        lanes = stream.lanes_at(index, total, attempt)
        u, v = centred(lanes[:, 0], dtypes.float64) - 0.5, centred(lanes[:, 1], dtypes.float64)
        us = np.maximum(0.5 - np.abs(u), 2.0**-54)
        k = np.floor((2 * a / us + b) * u + centre)
        inside = (k >= 0) & (k <= n)
        near = inside & (us >= 0.07) & (v <= 0.92 - 4.2 / b)
        safe = np.where(inside, k, mode)
        bound = (
            at_mode
            + (n + 1) * np.log1p((safe - mode) / (n - safe + 1))
            + (safe + 0.5) * np.log(odds * (n - safe + 1) / (safe + 1))
        )
        bound -= _stirling_rest(safe, table) + _stirling_rest(n - safe, table)
        accepted = near | (inside & (np.log(v * alpha / (a / (us * us) + b)) <= bound))
        out[index[accepted]] = k[accepted]
        left = ~accepted
        index, constants, attempt = index[left], constants[:, left], attempt + 1


@custom(infer=lambda counts, probabilities, state, dtype: Spec(counts.shape, dtype), tensors=3)
def random_binomial(counts, probabilities, state, dtype):
    """counts (...), probabilities (...), state -> (...) successes.

    Exact for all sizes. Where the expected number of successes (or of failures, if they are fewer) is under 10, the
    distribution function is searched from 0 on; elsewhere BTRS, a transformed rejection with squeeze (Hörmann, 1993,
    doi 10.1080/00949659308811496), whose acceptance test is the exact ratio of probabilities.
    """
    stream = Stream(state, devices.module_of(counts))
    xp = stream.xp
    shape = counts.shape
    n, p = counts.astype(np.float64).ravel(), probabilities.astype(np.float64).ravel()
    flipped = p > 0.5
    p = np.where(flipped, 1 - p, p)
    out = xp.zeros(n.size, np.float64)
    small = n * p < 10
    if small.any():
        _search(stream, out, small.nonzero()[0], n, p)
    if not small.all():
        _btrs(stream, out, (~small).nonzero()[0], n, p)
    return np.where(flipped, n - out, out).reshape(shape).astype(dtype)
