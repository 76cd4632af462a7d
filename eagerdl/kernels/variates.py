"""Random numbers from random bits, on raw arrays.

A function takes the `Stream` of a draw and the parameters of a distribution, and returns an array of numbers.
"""

import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.kernels.philox import CHUNK, WORD


def work_dtype(dtype):
    """The dtype to compute in for numbers of `dtype`."""
    return dtypes.float64 if dtype == dtypes.float64 else dtypes.float32


def width_of(dtype):
    """How many random bits a number of `dtype` is made of."""
    return 8 * work_dtype(dtype).itemsize


def centred(bits, dtype):
    """Numbers in (0, 1], symmetric about a half, as fine as the bits allow: for logarithms."""
    width = 8 * bits.itemsize
    out = bits.astype(dtype)
    out *= 2.0**-width
    out += 2.0 ** (-width - 1)
    return out


# -- uniform numbers -----------------------------------------------------------------------------


def _unit32(bits, out):
    """24 bits as multiples of 2**-24 in [0, 1)."""
    np.right_shift(bits, 8, out=bits)
    out[...] = bits.view(np.int32)  # signed: processors convert signed ints faster
    out *= np.float32(2.0**-24)


def _unit64(bits, out):
    """53 bits as multiples of 2**-53 in [0, 1)."""
    np.right_shift(bits, 11, out=bits)
    out[...] = bits.view(np.int64)
    out *= 2.0**-53


def _below(high, low, dtype):
    """The largest number of `dtype` below `high`, but at least `low`."""
    out = np.nextafter(dtype.type(high), dtype.type(-np.inf))
    return max(float(out), low)


def uniform(stream, shape, dtype, low, high):
    """Numbers in [low, high)."""
    size, work = math.prod(shape), work_dtype(dtype)
    u = stream.fill(size, width_of(dtype), work, _unit64 if work == dtypes.float64 else _unit32)
    if (low, high) == (0.0, 1.0):
        if dtype.itemsize == 2 and size:  # cut bits rather than round: nothing becomes 1, and every cast is exact
            u.view(np.uint32)[...] &= np.uint32(0xFFFFE000 if dtype == dtypes.float16 else 0xFFFF0000)
        return u.reshape(shape).astype(dtype, copy=False)
    u *= work.type(high - low)
    u += work.type(low)
    u = u.astype(dtype, copy=False)
    if low < high:
        np.minimum(u, dtype.type(_below(high, low, dtype)), out=u)
    return u.reshape(shape)


# -- normal numbers ------------------------------------------------------------------------------


def _box_muller(bits, out):
    """Pairs of bits as pairs of independent normal numbers (Box & Muller, 1958, doi 10.1214/aoms/1177706645)."""
    dtype = out.dtype
    radius = np.log(centred(bits[0::2], dtype))
    radius *= -2.0
    np.sqrt(radius, out=radius)
    angle = bits[1::2].astype(dtype)
    angle *= 2 * math.pi * 2.0 ** (-8 * bits.itemsize)
    np.multiply(np.cos(angle), radius, out=out[0::2])
    np.multiply(np.sin(angle), radius, out=out[1::2])


# erfinv(x) / x for |x| < 0.996 as a polynomial of -log(1 - x * x) - 2.5: the central branch for single precision of
# Giles, 2010, "Approximating the erfinv function".
_ERFINV = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
_WITHIN_TWO = math.erf(math.sqrt(2.0))  # the probability of a normal number within two standard deviations


def special_functions(array):
    """SciPy's special functions for the array module of `array`."""
    if devices.module_of(array) is np:
        from scipy import special
    else:
        from cupyx.scipy import special
    return special


def _truncated32(bits, out):
    np.bitwise_xor(bits, np.uint32(1 << 31), out=bits)  # signed about the middle, so that x is fine near 0
    x = bits.view(np.int32).astype(np.float32)
    x += np.float32(0.5)
    x *= np.float32(_WITHIN_TWO * 2.0**-31)
    w = np.log1p(-x * x)
    np.negative(w, out=w)
    w -= np.float32(2.5)
    out[...] = np.float32(_ERFINV[0])
    for coefficient in _ERFINV[1:]:
        out *= w
        out += np.float32(coefficient)
    x *= np.float32(math.sqrt(2.0))
    out *= x
    np.clip(out, -2, 2, out=out)


def _truncated64(bits, out):
    x = (bits >> np.uint64(11)).astype(np.float64)
    x += 0.5
    x *= 2.0**-53 * _WITHIN_TWO
    x += (1 - _WITHIN_TWO) / 2
    np.clip(special_functions(bits).ndtri(x), -2, 2, out=out)


def _scaled(z, mean, stddev, dtype, shape):
    """mean + stddev * z, in place."""
    if stddev != 1:
        z *= z.dtype.type(stddev)
    if mean != 0:
        z += z.dtype.type(mean)
    return z.reshape(shape).astype(dtype, copy=False)


def normal(stream, shape, dtype, mean, stddev):
    """Normal numbers, mean + stddev * z."""
    size, work = math.prod(shape), work_dtype(dtype)
    z = stream.fill(size + size % 2, width_of(dtype), work, _box_muller)[:size]
    return _scaled(z, mean, stddev, dtype, shape)


def truncated_normal(stream, shape, dtype, mean, stddev):
    """Normal numbers within two standard deviations, by the inverse distribution function."""
    work = work_dtype(dtype)
    z = stream.fill(math.prod(shape), width_of(dtype), work, _truncated64 if work == dtypes.float64 else _truncated32)
    return _scaled(z, mean, stddev, dtype, shape)


# -- integers, choices, orders and classes -------------------------------------------------------


def _bounded(bits, span):
    """Words as numbers below `span`, and the indices of those to draw again."""
    if bits.itemsize == 4:
        out = bits.astype(np.uint64)
        out *= np.uint64(span)
        unfair = (1 << 32) % span
        rejected = (out.astype(np.uint32) < np.uint32(unfair)).nonzero()[0] if unfair else bits[:0]
        out >>= np.uint64(32)
    else:
        out = bits >> np.uint64(64 - (span - 1).bit_length())
        rejected = (out > np.uint64(span - 1)).nonzero()[0]
    return out, rejected


def integers(stream, shape, dtype, low, high):
    """Integers in [low, high), without bias: multiply-high with rejection up to a span of 2**32 (Lemire, 2019,
    doi 10.1145/3230636), masks beyond.
    """
    size, span = math.prod(shape), high - low
    width, start = 32 if span <= 1 << 32 else 64, np.uint64(low & WORD)
    done, again = 0, []

    def convert(bits, out):
        nonlocal done
        values, rejected = _bounded(bits, span)
        values += start
        out[...] = values
        if rejected.size:
            again.append(rejected + done)
        done += out.size

    out = stream.fill(size, width, dtype, convert)
    index, attempt = stream.xp.concatenate(again) if again else (), 1
    while len(index):
        values, rejected = _bounded(stream.bits_at(width, index, size, attempt), span)
        out[index] = (values + start).astype(dtype)
        index, attempt = index[rejected], attempt + 1
    return out.reshape(shape)


def keep(stream, shape, rate):
    """True with probability 1 - rate: 16 bits decide, 32 more for the elements that lie on the edge."""
    size = math.prod(shape)
    edge, rest = divmod(int(rate * 2.0**48), 1 << 32)
    bits = stream.bits(16, size)
    out = bits >= np.uint16(edge)
    ties = (bits == np.uint16(edge)).nonzero()[0]
    if ties.size:
        out[ties] = stream.bits_at(32, ties, size, 1) >= np.uint32(rest)
    return out.reshape(shape)


def order(stream, size):
    """The numbers below `size` in random order."""
    return stream.bits(64, size).argsort().astype(np.int32)


def classes_by_logits(stream, logits, count, dtype):
    """logits (b, c) -> (b, count): where logits plus Gumbel noise are largest, some samples at a time."""
    batch, classes = logits.shape
    work = work_dtype(logits.dtype)
    logits = logits.astype(work, copy=False)
    out = stream.xp.empty(batch * count, dtype)
    rows = stream.xp.arange(batch * count) // max(count, 1)
    step = max(1, 16 * CHUNK // classes)
    for start in range(0, batch * count, step):
        stop = min(start + step, batch * count)
        bits = stream.bits(width_of(work), (stop - start) * classes, start * classes)
        noise = np.log1p(-centred(bits, work))  # minus an exponential number
        np.negative(noise, out=noise)
        with np.errstate(divide="ignore"):
            np.log(noise, out=noise)
        scores = logits[rows[start:stop]]
        scores -= noise.reshape(-1, classes)
        out[start:stop] = scores.argmax(-1)
    return out.reshape(batch, count)
