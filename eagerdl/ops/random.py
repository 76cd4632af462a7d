"""Random numbers from counters: generators, seeds, distributions.

All bits come from Philox4x64-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3", doi
10.1145/2063384.2063405), a function from a key of two words and a counter of four to a block of four random words of
64 bits. Nothing is carried from one block to the next. So element i of a draw depends on the key, the counter where
the draw begins and i alone, and the CPU (NumPy's implementation in C) and the GPU (a kernel) give the same words. The
four counter words are

    0  the block within a draw, counted on from the generator's counter
    1  the draw of a `SeedGenerator`
    2  the attempt, for methods that may reject what they drew, or that need more bits for few elements
    3  1 for the keys of generators that were split off, 0 for numbers

A seed is a Python int (the same numbers at each call), a `SeedGenerator`, a `Generator`, or None for the global
generator, which begins with entropy of the operating system unless `set_seed` was called. NumPy's global state is
never touched. Values are the same on every machine up to the last bits of `log`, `sin` and `cos`, which processors
round differently.
"""

import math
import secrets
import threading

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import astype, convert_to_tensor
from eagerdl.ops.elementary import exp
from eagerdl.ops.shape import broadcast_to, normalize_axis, shape_of
from eagerdl.tensor import Tensor, Variable, from_array

__all__ = [
    "Generator",
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "get_global_generator",
    "normal",
    "randint",
    "set_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]

WORD = (1 << 64) - 1
GLOBAL_KEY = (
    0x65646C2D676C6F62  # second key word of the global generator: its stream is apart from that of an equal seed
)
CHUNK = 1 << 15  # elements of a draw that are worked on at once, so that they stay in the cache
FEW = 24  # blocks at chosen places cost about this many times more than blocks in a row


# -- Philox -------------------------------------------------------------------------------------

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)

_CUDA = """
__device__ __forceinline__ void philox4x64(unsigned long long* x, unsigned long long k0, unsigned long long k1) {
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned long long h0 = __umul64hi(0xD2E7470EE14C6C93ULL, x[0]), l0 = 0xD2E7470EE14C6C93ULL * x[0];
        const unsigned long long h1 = __umul64hi(0xCA5A826395121157ULL, x[2]), l1 = 0xCA5A826395121157ULL * x[2];
        x[0] = h1 ^ x[1] ^ k0;
        x[1] = l1;
        x[2] = h0 ^ x[3] ^ k1;
        x[3] = l0;
        k0 += 0x9E3779B97F4A7C15ULL;
        k1 += 0xBB67AE8584CAA73BULL;
    }
}
"""
_CUDA_BLOCK = """
    unsigned long long x[4] = {c0 + (unsigned long long)(block), c1, c2, c3};
    if (x[0] < c0 && ++x[1] == 0 && ++x[2] == 0) ++x[3];
    philox4x64(x, k0, k1);
    for (int lane = 0; lane < 4; ++lane) out[4 * i + lane] = x[lane];
"""
_kernels = {}
_local = threading.local()  # a Philox of NumPy for each thread


def _kernel(of):
    """The CUDA kernel for blocks in a row ("row") or at chosen places ("at")."""
    if of not in _kernels:
        block = "block, " if of == "at" else ""
        scalars = ", ".join(f"uint64 {name}" for name in ("k0", "k1", "c0", "c1", "c2", "c3"))
        body = _CUDA_BLOCK if of == "at" else _CUDA_BLOCK.replace("(block)", "(i)")
        _kernels[of] = devices.cupy().ElementwiseKernel(
            (f"uint64 {block}" if block else "") + scalars,
            "raw uint64 out",
            body,
            f"eagerdl_philox_{of}",
            preamble=_CUDA,
        )
    return _kernels[of]


def _multiply(a, b):
    """The high and the low word of the 128-bit products of an array of words and a number."""
    low, high = np.uint64(b & 0xFFFFFFFF), np.uint64(b >> 32)
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a_low, a_high = a & mask, a >> half
    middle = a_high * low + (a_low * low >> half)
    rest = (middle & mask) + a_low * high
    return a_high * high + (middle >> half) + (rest >> half), a * np.uint64(b)


def philox(key, counter):
    """Blocks of Philox4x64-10 in array code: a key of two ints, a counter of four arrays -> four arrays of words."""
    k0, k1 = key
    x0, x1, x2, x3 = counter
    for _ in range(10):
        high0, low0 = _multiply(x0, _MULTIPLIERS[0])
        high1, low1 = _multiply(x2, _MULTIPLIERS[1])
        x0, x1, x2, x3 = high1 ^ x1 ^ np.uint64(k0), low1, high0 ^ x3 ^ np.uint64(k1), low0
        k0, k1 = (k0 + _WEYL[0]) & WORD, (k1 + _WEYL[1]) & WORD
    return x0, x1, x2, x3


class _Stream:
    """The bits of one draw: a key and the counter where it begins, on one array module.

    `state` is a raw array: (seed, draw) as of a `SeedGenerator`, or (key, key, counter) as of a `Generator`.
    """

    __slots__ = ("base", "key", "xp")

    def __init__(self, state, xp):
        state = devices.to_numpy(state).tolist()
        self.key, self.base = (
            ((state[0], 0), (0, state[1])) if len(state) == 2 else ((state[0], state[1]), (state[2], 0))
        )
        self.xp = xp

    def blocks(self, start, count, attempt=0, domain=0):
        """Words (4 * count,) of the blocks from number `start` on."""
        c = self.base[0] + (self.base[1] << 64) + start + (attempt << 128) + (domain << 192)
        if self.xp is not np:
            out = self.xp.empty(4 * count, np.uint64)
            if count:
                words = [np.uint64(c >> shift & WORD) for shift in (0, 64, 128, 192)]
                _kernel("row")(*map(np.uint64, self.key), *words, out, size=count)
            return out
        return self._seek(c).random_raw(4 * count)

    def _seek(self, c):
        """NumPy's generator, set to go on with the block of counter `c`."""
        try:
            source, state = _local.philox
        except AttributeError:
            source = np.random.Philox(0)
            state = source.state
            state["buffer_pos"] = 4  # nothing is left over
            _local.philox = source, state
        c = (c - 1) % (1 << 256)  # NumPy counts up before it makes a block
        state["state"]["counter"][:] = c & WORD, c >> 64 & WORD, c >> 128 & WORD, c >> 192
        state["state"]["key"][:] = self.key
        source.state = state
        return source

    def bits(self, width, count, start=0, attempt=0):
        """An array (count,) of unsigned ints of `width` bits (16, 32 or 64): elements from number `start` on."""
        per_block = 256 // width
        first, last = start // per_block, -(-(start + count) // per_block)
        words = self.blocks(first, last - first, attempt)
        skip = start - first * per_block
        return words.view(f"u{width // 8}")[skip : skip + count]

    def bits_at(self, width, index, total, attempt):
        """The elements number `index` (an array) of a draw of `total`, at a later attempt."""
        per_block = 256 // width
        blocks = -(-total // per_block)
        if index.size * FEW > blocks and self.xp is np:
            return self.bits(width, total, 0, attempt)[index]
        found = self.lanes_at(index // per_block, blocks, attempt)
        return found.view(f"u{width // 8}")[self.xp.arange(index.size), index % per_block]

    def lanes_at(self, index, total, attempt, start=0):
        """The blocks number `index` of the `total` from number `start` on, words (len(index), 4), at an attempt."""
        xp = self.xp
        if xp is not np:
            out = xp.empty((index.size, 4), np.uint64)
            words = [np.uint64(word) for word in (*self.base, attempt, 0)]
            _kernel("at")(index.astype(np.uint64) + np.uint64(start), *map(np.uint64, self.key), *words, out)
            return out
        if index.size * FEW > total:
            return self.blocks(start, total, attempt).reshape(-1, 4)[index]
        low = index.astype(np.uint64) + np.uint64(start) + np.uint64(self.base[0])
        counter = low, np.uint64(self.base[1]) + (low < np.uint64(self.base[0])), np.uint64(attempt), np.uint64(0)
        return np.stack(philox(self.key, np.broadcast_arrays(*counter)), 1)

    def fill(self, count, width, dtype, convert):
        """A flat array (count,) of `dtype`: ``convert(bits, out)`` chunk by chunk, `width` bits for each element."""
        out = self.xp.empty(count, dtype)
        step = CHUNK if self.xp is np else max(count, 1)
        if self.xp is not np or count <= step:
            if count:
                convert(self.bits(width, count), out)
            return out
        source = self._seek(self.base[0] + (self.base[1] << 64))
        for start in range(0, count, step):
            part = out[start : start + step]
            convert(source.random_raw(-(-part.size * width // 64)).view(f"u{width // 8}")[: part.size], part)
        return out


def _blocks_for(count, width):
    return -(-count * width // 256)


# -- from bits to numbers: raw arrays -------------------------------------------------------------


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


def _centred(bits, dtype):
    """Numbers in (0, 1], symmetric about a half, as fine as the bits allow: for logarithms."""
    width = 8 * bits.itemsize
    out = bits.astype(dtype)
    out *= dtype.type(2.0**-width)
    out += dtype.type(2.0 ** (-width - 1))
    return out


def _box_muller(bits, out):
    """Pairs of bits as pairs of independent normal numbers (Box & Muller, 1958, doi 10.1214/aoms/1177706645)."""
    dtype = out.dtype
    radius = np.log(_centred(bits[0::2], dtype))
    radius *= dtype.type(-2)
    np.sqrt(radius, out=radius)
    angle = bits[1::2].astype(dtype)
    angle *= dtype.type(2 * math.pi * 2.0 ** (-8 * bits.itemsize))
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
    np.clip(_special(bits).ndtri(x), -2, 2, out=out)


def _special(array):
    """SciPy's special functions for the array module of `array`."""
    if devices.module_of(array) is np:
        from scipy import special
    else:
        from cupyx.scipy import special
    return special


def _work_dtype(dtype):
    return dtypes.float64 if dtype == dtypes.float64 else dtypes.float32


def _width(dtype):
    return 64 if dtype == dtypes.float64 else 32


def _draw(forward, state, device, *params):
    """``forward(stream, *params)`` with the arrays made on `device`."""
    with devices.on(device):
        return forward(_Stream(state, devices.module_for(device)), *params)


def _scaled(z, mean, stddev, dtype, shape):
    """mean + stddev * z, in place."""
    if stddev != 1:
        z *= z.dtype.type(stddev)
    if mean != 0:
        z += z.dtype.type(mean)
    return z.reshape(shape).astype(dtype, copy=False)


def _below(high, low, dtype):
    """The largest number of `dtype` below `high`, but at least `low`."""
    out = np.nextafter(dtype.type(high), dtype.type(-np.inf))
    return max(float(out), low)


def _draw_uniform(stream, shape, dtype, low, high):
    size, work = math.prod(shape), _work_dtype(dtype)
    u = stream.fill(size, _width(dtype), work, _unit64 if work == dtypes.float64 else _unit32)
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


def _draw_normal(stream, shape, dtype, mean, stddev):
    size, work = math.prod(shape), _work_dtype(dtype)
    z = stream.fill(size + size % 2, _width(dtype), work, _box_muller)[:size]
    return _scaled(z, mean, stddev, dtype, shape)


def _draw_truncated_normal(stream, shape, dtype, mean, stddev):
    work = _work_dtype(dtype)
    z = stream.fill(math.prod(shape), _width(dtype), work, _truncated64 if work == dtypes.float64 else _truncated32)
    return _scaled(z, mean, stddev, dtype, shape)


def _draw_integers(stream, shape, dtype, low, high):
    """Without bias: multiply-high with rejection up to 2**32 (Lemire, 2019, doi 10.1145/3230636), masks beyond."""
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


def _draw_keep(stream, shape, rate):
    """True with probability 1 - rate: 16 bits decide, 32 more for the elements that lie on the edge."""
    size = math.prod(shape)
    edge, rest = divmod(int(rate * 2.0**48), 1 << 32)
    bits = stream.bits(16, size)
    out = bits >= np.uint16(edge)
    ties = (bits == np.uint16(edge)).nonzero()[0]
    if ties.size:
        out[ties] = stream.bits_at(32, ties, size, 1) >= np.uint32(rest)
    return out.reshape(shape)


def _draw_order(stream, size):
    return stream.bits(64, size).argsort().astype(np.int32)


# -- primitives: the state of a generator in, numbers out ---------------------------------------------
# The state is a tensor, so that a traced program can carry it; where numbers are to live is the last parameter.


def _made(state, shape, dtype, *params):
    return Spec(shape, dtype)


@custom(infer=_made)
def _random_uniform(state, shape, dtype, low, high, device):
    """state -> numbers in [low, high)."""
    return _draw(_draw_uniform, state, device, shape, dtype, low, high)


@custom(infer=_made)
def _random_normal(state, shape, dtype, mean, stddev, device):
    """state -> normal numbers."""
    return _draw(_draw_normal, state, device, shape, dtype, mean, stddev)


@custom(infer=_made)
def _random_truncated_normal(state, shape, dtype, mean, stddev, device):
    """state -> normal numbers within two standard deviations."""
    return _draw(_draw_truncated_normal, state, device, shape, dtype, mean, stddev)


@custom(infer=_made)
def _random_integers(state, shape, dtype, low, high, device):
    """state -> integers in [low, high)."""
    return _draw(_draw_integers, state, device, shape, dtype, low, high)


@custom(infer=lambda state, shape, rate, device: Spec(shape, dtypes.bool_))
def _random_keep(state, shape, rate, device):
    """state -> True with probability 1 - rate."""
    return _draw(_draw_keep, state, device, shape, rate)


@custom(infer=lambda state, size, device: Spec((size,), dtypes.int32))
def _random_order(state, size, device):
    """state -> an order of `size` things."""
    return _draw(_draw_order, state, device, size)


@custom(infer=lambda order: Spec(order.shape, order.dtype))
def _random_inverse_order(order):
    """order (n,) -> the order that undoes it."""
    return order.argsort().astype(order.dtype)


@custom(vjp=(lambda g, order, axis: _random_reorder(g, _random_inverse_order(order), axis), None), tensors=2,
        jvp=lambda out, inputs, tangents, params: _random_reorder(tangents[0], inputs[1], *params),
        infer=lambda x, order, axis: Spec(x.shape, x.dtype))  # fmt: skip
def _random_reorder(x, order, axis):
    """x (..., n, ...), order (n,) -> x with its slices along `axis` in that order."""
    return x.take(order, axis)


@custom(infer=lambda logits, state, count, dtype: Spec((logits.shape[0], count), dtype), tensors=2)
def _random_categorical(logits, state, count, dtype):
    """logits (b, c), state -> (b, count): where logits plus Gumbel noise are largest, some samples at a time."""
    stream = _Stream(state, devices.module_of(logits))
    batch, classes = logits.shape
    work = _work_dtype(logits.dtype)
    logits = logits.astype(work, copy=False)
    out = stream.xp.empty(batch * count, dtype)
    rows = stream.xp.arange(batch * count) // max(count, 1)
    step = max(1, 16 * CHUNK // classes)
    for start in range(0, batch * count, step):
        stop = min(start + step, batch * count)
        bits = stream.bits(_width(work), (stop - start) * classes, start * classes)
        noise = np.log1p(-_centred(bits, work))  # minus an exponential number
        np.negative(noise, out=noise)
        with np.errstate(divide="ignore"):
            np.log(noise, out=noise)
        scores = logits[rows[start:stop]]
        scores -= noise.reshape(-1, classes)
        out[start:stop] = scores.argmax(-1)
    return out.reshape(batch, count)


# -- gamma and binomial numbers -------------------------------------------------------------------


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
    special = _special(x)
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


@custom(vjp=(lambda g, out, alpha, log: astype(g, alpha.dtype) * _gamma_slope(alpha, out, log), None), tensors=2,
        infer=lambda alpha, state, dtype, log, offset: Spec(alpha.shape, dtype))  # fmt: skip
def _random_gamma(alpha, state, dtype, log, offset):
    """alpha (...), state -> gamma numbers (...) (or their logarithms), from block number `offset` on.

    Marsaglia & Tsang, 2000, doi 10.1145/358407.358414: a cubed normal number, rejected in less than 5% of cases; for
    alpha < 1 a number of alpha + 1 times a power of a uniform one. Each attempt has blocks of its own.
    """
    stream = _Stream(state, devices.module_of(alpha))
    wide = dtype == dtypes.float64
    shape, a = alpha.shape, alpha.astype(np.float64).ravel()
    boosted = a < 1
    d = np.where(boosted, a + 1, a) - 1 / 3
    c = 1 / np.sqrt(9 * d)
    out = stream.xp.empty(a.size, np.float64)  # log(v), later the logarithm of the result
    index, attempt = stream.xp.arange(a.size), 0
    while index.size:
        lanes = _gamma_lanes(stream, index, a.size, offset, attempt, wide)
        u1, u2, u3 = (_centred(lanes[:, lane], dtypes.float64) for lane in range(3))
        x = np.sqrt(-2 * np.log(u1)) * np.cos(2 * math.pi * u2)
        v = 1 + c[index] * x
        positive = v > 0
        log_v = 3 * np.log(np.where(positive, v, 1))
        dd = d[index]
        accepted = positive & (np.log(u3) < 0.5 * x * x + dd * (1 - np.exp(log_v) + log_v))
        out[index[accepted]] = log_v[accepted]
        if attempt == 0 and boosted.any():
            boost = np.where(boosted, np.log(_centred(lanes[:, 3], dtypes.float64)) / np.where(boosted, a, 1), 0)
        index, attempt = index[~accepted], attempt + 1
    out += np.log(d)
    if a.size and boosted.any():
        out += boost
    return (out if log else np.exp(out)).reshape(shape).astype(dtype, copy=False)


def _gamma_lanes(stream, index, total, offset, attempt, wide):
    """Four numbers for each element: a block of words, or half a block where 32 bits each are enough."""
    if wide:
        return (
            stream.blocks(offset, total).reshape(-1, 4)
            if attempt == 0
            else stream.lanes_at(index, total, attempt, offset)
        )
    if attempt == 0:
        return stream.bits(32, 4 * total, 8 * offset).reshape(-1, 4)
    found = stream.lanes_at(index // 2, -(-total // 2), attempt, offset).view(np.uint32).reshape(-1, 2, 4)
    return found[stream.xp.arange(index.size), index % 2]


_STIRLING = np.array(
    [math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi)) for k in range(16)]
)


def _stirling_rest(k, table):
    """log(k!) minus Stirling's formula at k + 1."""
    n = k + 1.0
    square = n * n
    series = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / n
    return np.where(k < 16, table[np.minimum(k, 15).astype(np.int64)], series)


@custom(infer=lambda counts, probabilities, state, dtype: Spec(counts.shape, dtype), tensors=3)
def _random_binomial(counts, probabilities, state, dtype):
    """counts (...), probabilities (...), state -> (...) successes.

    Exact for all sizes. Where the expected number of successes (or of failures, if they are fewer) is under 10, the
    distribution function is searched from 0 on; elsewhere BTRS, a transformed rejection with squeeze (Hörmann, 1993,
    doi 10.1080/00949659308811496), whose acceptance test is the exact ratio of probabilities.
    """
    stream = _Stream(state, devices.module_of(counts))
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


def _search(stream, out, index, n, p):
    """The smallest k whose probability of at most k successes exceeds a uniform number."""
    n, p, total = n[index], p[index], out.size
    u = _centred(stream.lanes_at(index, total, 0)[:, 0], dtypes.float64)
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
        u, v = _centred(lanes[:, 0], dtypes.float64) - 0.5, _centred(lanes[:, 1], dtypes.float64)
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


# -- generators ---------------------------------------------------------------------------------

_lock = threading.Lock()  # drawing from a generator takes its numbers away: no two threads get the same
_global = None


class Generator:
    """A stream of random numbers with a key and a counter.

    Drawing moves the counter on, so that the next draw has other numbers; threads that share a generator get disjoint
    ones. Pickles and copies go on where the original stands, each for itself.

    Args:
        seed: an int from 0 to 2**128 - 1; None takes a key from the global generator.

    Raises:
        DTypeError: if the seed is no int.
        ArgumentError: if it is out of range.

    Example:
        >>> generator = edl.random.Generator(7)
        >>> generator.uniform((2,)).shape
        (2,)
        >>> again = edl.random.Generator.from_state(generator.state)
        >>> bool((generator.normal((3,)) == again.normal((3,))).sum() == 3)
        True
    """

    __slots__ = ("__weakref__", "state")

    def __init__(self, seed=None):
        self._set(_fresh_key() if seed is None else _check_seed("Generator", seed, 128))

    def _set(self, key, counter=0):
        with devices.device("cpu"):
            self.state = Variable(
                np.array([key & WORD, key >> 64, counter], np.uint64), trainable=False, name="generator_state"
            )

    @classmethod
    def from_state(cls, state):
        """The generator that goes on from a `state`: two key words and the counter, uint64 of shape (3,).

        Raises:
            ShapeError: if it has another shape.
            DTypeError: if it has another dtype.
        """
        state = convert_to_tensor(state)
        if state.shape != (3,):
            raise ShapeError(
                "Generator.from_state",
                "a state has shape (3,): two key words and the counter",
                f"got shape {state.shape}",
                "pass the .state of a Generator",
            )
        if state.dtype != dtypes.uint64:
            raise DTypeError(
                "Generator.from_state", "a state is uint64", f"got {state.dtype}", "pass the .state of a Generator"
            )
        low, high, counter = state.tolist()
        out = cls.__new__(cls)
        out._set(low | high << 64, counter)
        return out

    def _take(self, blocks):
        """The state for a draw of so many blocks, which are taken away."""
        with _lock:
            out = self.state.value
            self.state.assign_add(np.array([0, 0, blocks], np.uint64))
        return out

    def split(self, n=2):
        """`n` new generators, with keys of their own that depend on this one's state only; as in JAX and TF.

        Raises:
            ArgumentError: if n is not positive.
        """
        n = _check_whole("split", "n", n)
        if n < 1:
            raise ArgumentError("split", "at least one generator must come out", f"got n={n}", "use n=2")
        words = _Stream(self._take(n)._array, np).blocks(0, n, domain=1).reshape(-1, 4)
        return [Generator(low | high << 64) for low, high in words[:, :2].tolist()]

    def skip(self, blocks):
        """Moves the counter on by `blocks` of four 64-bit words, as if they had been drawn."""
        blocks = _check_whole("skip", "blocks", blocks)
        if blocks < 0:
            raise ArgumentError(
                "skip", "blocks must not be negative", f"got {blocks}", "keep the state to go back to it"
            )
        self._take(blocks)

    def uniform(self, shape, minval=0.0, maxval=1.0, dtype=None):
        """Numbers in [minval, maxval); see `edl.random.uniform`."""
        return uniform(shape, minval, maxval, dtype, seed=self)

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=None):
        """Normal numbers; see `edl.random.normal`."""
        return normal(shape, mean, stddev, dtype, seed=self)

    def truncated_normal(self, shape, mean=0.0, stddev=1.0, dtype=None):
        """Normal numbers within two standard deviations; see `edl.random.truncated_normal`."""
        return truncated_normal(shape, mean, stddev, dtype, seed=self)

    def randint(self, shape, minval, maxval, dtype="int32"):
        """Integers in [minval, maxval); see `edl.random.randint`."""
        return randint(shape, minval, maxval, dtype, seed=self)

    def categorical(self, logits, num_samples, dtype="int32"):
        """Classes by their logits; see `edl.random.categorical`."""
        return categorical(logits, num_samples, dtype, seed=self)

    def dropout(self, inputs, rate, noise_shape=None):
        """Inputs with some set to 0; see `edl.random.dropout`."""
        return dropout(inputs, rate, noise_shape, seed=self)

    def shuffle(self, x, axis=0):
        """Slices in random order; see `edl.random.shuffle`."""
        return shuffle(x, axis, seed=self)

    def beta(self, shape, alpha, beta, dtype=None):
        """Beta numbers; see `edl.random.beta`."""
        return _beta(shape, alpha, beta, dtype, seed=self)

    def binomial(self, shape, counts, probabilities, dtype=None):
        """Numbers of successes; see `edl.random.binomial`."""
        return binomial(shape, counts, probabilities, dtype, seed=self)

    def gamma(self, shape, alpha, dtype=None):
        """Gamma numbers; see `edl.random.gamma`."""
        return gamma(shape, alpha, dtype, seed=self)

    def __reduce__(self):
        return Generator.from_state, (self.state.numpy(),)

    def __copy__(self):
        return Generator.from_state(self.state)

    def __deepcopy__(self, memo):
        return Generator.from_state(self.state)

    def __repr__(self):
        low, high, counter = self.state.tolist()
        return f"Generator(key={low | high << 64:#x}, counter={counter})"


class SeedGenerator:
    """Gives a new seed to each random function that it is passed to, as in Keras.

    Its `state` is a variable (seed, draws so far): who saves it saves the stream.

    Args:
        seed: an int from 0 to 2**32 - 1; None takes one from the global generator.
        name: a name for messages and checkpoints.
        kwargs: only ``backend``, which Keras has and which is ignored.

    Raises:
        DTypeError: if the seed is no int.
        ArgumentError: if it is out of range, or for unknown arguments.

    Example:
        >>> seeds = edl.random.SeedGenerator(42)
        >>> a, b = edl.random.normal((2,), seed=seeds), edl.random.normal((2,), seed=seeds)
        >>> seeds.state
        Variable(name=seed_generator_state, shape=(2,), dtype=uint32, trainable=False, [42  2])
    """

    def __init__(self, seed=None, name=None, **kwargs):
        kwargs.pop("backend", None)
        if kwargs:
            raise ArgumentError(
                "SeedGenerator", "the arguments are seed and name", f"got {', '.join(kwargs)} too", "leave them out"
            )
        self._initial_seed = seed
        self.name = name or "seed_generator"
        seed = _fresh_key() & 0xFFFFFFFF if seed is None else _check_seed("SeedGenerator", seed, 32)
        with devices.device("cpu"):
            self.state = Variable(
                np.array([seed, 0], np.uint32), trainable=False, aggregation="none", name="seed_generator_state"
            )

    def next(self, ordered=True):
        """The seed for one draw, uint32 of shape (2,); the state counts on.

        Args:
            ordered: accepted for Keras' sake; seeds come in order in any case.
        """
        with _lock:
            out = self.state.value
            self.state.assign_add(np.array([0, 1], np.uint32))
        return out

    def get_config(self):
        """The arguments that make such a generator at its beginning."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """A generator from what `get_config` gave."""
        return cls(**config)

    def __repr__(self):
        seed, draws = self.state.tolist()
        return f"SeedGenerator(seed={seed}, draws={draws}, name={self.name!r})"


def _check_seed(where, seed, bits):
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise DTypeError(
            where,
            "a seed is an int",
            f"got {type(seed).__name__} {seed!r}",
            "use int(seed), or None for the global generator",
        )
    if not 0 <= seed < 1 << bits:
        raise ArgumentError(where, f"a seed lies between 0 and 2**{bits} - 1", f"got {seed}", f"use seed % 2**{bits}")
    return int(seed)


def _check_whole(where, name, value):
    try:
        return value.__index__()
    except AttributeError:
        raise DTypeError(where, f"{name} is an integer", f"got {value!r}", f"use int({name})") from None


def get_global_generator():
    """The generator that serves calls without a seed.

    Example:
        >>> edl.random.set_seed(3)
        >>> state = edl.random.get_global_generator().state.numpy()
        >>> a = edl.random.uniform((2,))
        >>> b = edl.random.Generator.from_state(state).uniform((2,))
        >>> bool((a == b).sum() == 2)
        True
    """
    global _global
    if _global is None:
        with _lock:
            if _global is None:
                _global = Generator(secrets.randbits(128))
    return _global


def set_seed(seed):
    """Seeds the global generator, which serves calls without a seed and seeds generators that were given none.

    Args:
        seed: an int from 0 to 2**64 - 1.

    Raises:
        DTypeError: if the seed is no int.
        ArgumentError: if it is out of range.

    Example:
        >>> edl.random.set_seed(3)
    """
    seed = _check_seed("set_random_seed", seed, 64)
    state = get_global_generator().state
    with _lock:
        state.assign(np.array([seed, GLOBAL_KEY, 0], np.uint64))


def _fresh_key():
    """128 bits from the global generator."""
    low, high = _Stream(get_global_generator()._take(1)._array, np).blocks(0, 1)[:2].tolist()
    return low | high << 64


def _state(where, seed, blocks):
    """The state tensor for a draw that takes so many blocks."""
    if seed is None:
        return get_global_generator()._take(blocks)
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, Generator):
        return seed._take(blocks)
    if isinstance(seed, Tensor | np.ndarray) and seed.ndim:
        if (seed.shape, seed.dtype) not in (((2,), dtypes.uint32), ((3,), dtypes.uint64)):
            raise DTypeError(
                where,
                "a seed tensor is what SeedGenerator.next() gives, or the state of a Generator",
                f"got shape {seed.shape}, dtype {seed.dtype}",
                "pass an int or a SeedGenerator",
            )
        return convert_to_tensor(seed)
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise DTypeError(
            where,
            "a seed is None, an int, a SeedGenerator or a Generator",
            f"got {type(seed).__name__} {seed!r}",
            "use edl.random.SeedGenerator(1) for new numbers at each call",
        )
    seed = _check_seed(where, seed.__index__(), 128)
    return from_array(np.array([seed & WORD, seed >> 64, 0], np.uint64))


# -- arguments ----------------------------------------------------------------------------------


def _shape(where, shape):
    shape = shape_of(where, shape)
    if shape and min(shape) < 0:
        raise ShapeError(where, "sizes must not be negative", f"got shape {shape}", "give the size of each axis")
    return shape


def _float_dtype(where, dtype):
    dtype = dtypes.standardize(dtype, where)
    if not dtypes.is_floating(dtype):
        raise DTypeError(
            where,
            "a floating dtype is needed",
            f"got {dtype}",
            "use edl.random.randint for integers" if where == "uniform" else "use 'float32', or cast the result",
        )
    return dtype


_PLAIN = (float, int, np.number)


def _number(value):
    """True for a number that is known now and has no gradient."""
    return isinstance(value, _PLAIN) and not isinstance(value, np.complexfloating)


def _known(value):
    """The values of a parameter in float64, if they can be looked at without waiting for a GPU, else None."""
    if isinstance(value, Tensor):
        value = getattr(value, "_array", None)
        if not isinstance(value, np.ndarray):
            return None
    try:
        value = np.asarray(value)
    except ValueError:  # ragged: told when it becomes a tensor
        return None
    return value.astype(np.float64) if value.dtype in dtypes.ALL and not dtypes.is_complex(value.dtype) else None


def _require(where, name, value, holds, requirement, remedy):
    """Checks a parameter as far as its values are known."""
    if _number(value):
        known, fine = value, holds(value)
    else:
        known = _known(value)
        fine = known is None or holds(known).all()
    if not fine:
        shown = f"{name}={value!r}" if _number(value) else f"{name} with values from {known.min()} to {known.max()}"
        raise ArgumentError(where, requirement, f"got {shown}", remedy)


def _parameter(where, name, value, shape, dtype):
    """A parameter of a distribution as a tensor of `dtype` that broadcasts to `shape`."""
    value = convert_to_tensor(float(value), dtype) if _number(value) else convert_to_tensor(value)
    if dtypes.is_complex(value.dtype):
        raise DTypeError(where, f"{name} must be real", f"got {value.dtype}", "use its real part")
    if len(value.shape) > len(shape) or any(
        have not in (1, want) for have, want in zip(value.shape[::-1], shape[::-1])
    ):
        raise ShapeError(
            where,
            f"{name} must broadcast to the shape of the result",
            f"{name} {value.shape}, shape {shape}",
            "give the shape that both have together",
        )
    return astype(value, dtype)


def _spread(where, name, value, shape, dtype):
    """A parameter broadcast to `shape`."""
    value = _parameter(where, name, value, shape, dtype)
    return value if value.shape == shape else broadcast_to(value, shape)


def _located(where, draw, shape, mean, stddev, dtype, seed):
    """mean + stddev * z, where `draw` makes z; differentiable in mean and stddev where they are tensors."""
    shape, dtype = _shape(where, shape), _float_dtype(where, dtype)
    _require(where, "stddev", stddev, lambda v: v >= 0, "stddev must not be negative", "use abs(stddev)")
    size = math.prod(shape)
    width = _width(dtype)
    plain = _number(mean) and _number(stddev)
    if not plain:
        mean, stddev = (_parameter(where, name, v, shape, dtype) for name, v in (("mean", mean), ("stddev", stddev)))
    state = _state(where, seed, _blocks_for(size + size % 2, width))
    if plain:
        return draw(state, shape, dtype, float(mean), float(stddev), devices.current())
    return mean + stddev * draw(state, shape, dtype, 0.0, 1.0, devices.current())


# -- the functions of keras.random ------------------------------------------------------------------


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """-> shape. Numbers drawn uniformly from [minval, maxval): `maxval` never comes, also not by rounding.

    Args:
        shape: the shape of the result.
        minval, maxval: the bounds, numbers or tensors that broadcast to `shape`; differentiable.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if minval exceeds maxval.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or bounds that do not broadcast to `shape`.

    Example:
        >>> edl.random.uniform((3,), seed=1)
        Tensor(shape=(3,), dtype=float32, [...])
    """
    shape, dtype = _shape("uniform", shape), _float_dtype("uniform", dtype)
    _check_bounds(minval, maxval, dtype)
    plain = _number(minval) and _number(maxval)
    if not plain:
        minval, maxval = (
            _parameter("uniform", name, v, shape, dtype) for name, v in (("minval", minval), ("maxval", maxval))
        )
    state = _state("uniform", seed, _blocks_for(math.prod(shape), _width(dtype)))
    if plain:
        return _random_uniform(state, shape, dtype, float(minval), float(maxval), devices.current())
    out = minval + (maxval - minval) * _random_uniform(state, shape, dtype, 0.0, 1.0, devices.current())
    return out + _random_inside(out, minval, maxval)


@custom(infer=lambda x, low, high: Spec(x.shape, x.dtype), tensors=3)
def _random_inside(x, low, high):
    """x, low, high -> what to add to x, which rounding may have brought to `high`; a constant for gradients."""
    below = np.nextafter(high, low).astype(x.dtype, copy=False)
    return (np.maximum(np.minimum(x, below), low) - x).astype(x.dtype, copy=False)


def _check_bounds(minval, maxval, dtype):
    """Checks the bounds as far as their values are known."""
    limit = _LARGEST[dtype]
    if _number(minval) and _number(maxval):
        fits = -limit <= minval <= maxval <= limit and maxval - minval <= limit
    else:
        low, high = _known(minval), _known(maxval)
        if low is None or high is None:
            return
        try:
            fits = ((low <= high) & (high <= limit) & (low >= -limit) & (high - low <= limit)).all()
        except ValueError:  # they do not broadcast, which is told later
            return
    if not fits:
        raise ArgumentError(
            "uniform",
            f"minval must be at most maxval, and both and their difference finite in {dtype}",
            f"got minval={minval}, maxval={maxval}",
            "exchange them, or use a wider dtype",
        )


_LARGEST = {dtype: float(dtypes.ml_dtypes.finfo(dtype).max) for dtype in dtypes.FLOATING}


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """-> shape. Normally distributed numbers, mean + stddev * z.

    Args:
        shape: the shape of the result.
        mean, stddev: numbers, or tensors that broadcast to `shape`; differentiable.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if stddev is negative.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> edl.random.normal((2, 3), mean=5.0, stddev=0.1, seed=1).shape
        (2, 3)
    """
    return _located("normal", _random_normal, shape, mean, stddev, dtype, seed)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """-> shape. Normally distributed numbers within two standard deviations of the mean.

    By the inverse distribution function: nothing is rejected.

    Args:
        shape: the shape of the result.
        mean, stddev: those of the normal distribution before it is cut; differentiable.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if stddev is negative.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> x = edl.random.truncated_normal((1000,), seed=1)
        >>> bool(edl.max(edl.abs(x)) <= 2.0)
        True
    """
    return _located("truncated_normal", _random_truncated_normal, shape, mean, stddev, dtype, seed)


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """-> shape, integer. Integers drawn uniformly, without bias, from minval to maxval - 1.

    Args:
        shape: the shape of the result.
        minval, maxval: ints, or integer tensors of shape ().
        dtype: an integer dtype.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if there is no integer in the range, or the range does not fit into the dtype.
        DTypeError: for a dtype that is not an integer, or bounds that are none.

    Example:
        >>> x = edl.random.randint((100,), 1, 7, seed=1)
        >>> int(edl.min(x)), int(edl.max(x))
        (1, 6)
    """
    shape = _shape("randint", shape)
    dtype = dtypes.standardize(dtype, "randint")
    if not dtypes.is_integer(dtype):
        raise DTypeError("randint", "an integer dtype is needed", f"got {dtype}", "use edl.random.uniform for floats")
    low, high = _check_whole("randint", "minval", minval), _check_whole("randint", "maxval", maxval)
    if low >= high:
        raise ArgumentError(
            "randint",
            "minval must be less than maxval",
            f"got minval={low}, maxval={high}",
            "maxval itself never comes",
        )
    bounds = np.iinfo(dtype)
    if low < bounds.min or high - 1 > bounds.max:
        raise ArgumentError(
            "randint",
            f"all integers from minval to maxval - 1 must fit into {dtype}",
            f"got minval={low}, maxval={high}",
            "use dtype='int64' or 'uint64'",
        )
    width = 32 if high - low <= 1 << 32 else 64
    state = _state("randint", seed, _blocks_for(math.prod(shape), width))
    return _random_integers(state, shape, dtype, low, high, devices.current())


def categorical(logits, num_samples, dtype="int32", seed=None):
    """logits (b, c) -> (b, num_samples), integer. Classes drawn with probabilities softmax(logits).

    By the Gumbel-max trick: the class where the logit plus Gumbel noise is largest.

    Args:
        logits: unnormalised logarithms of probabilities; a class of -inf never comes.
        num_samples: how many to draw from each row.
        dtype: an integer dtype.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ShapeError: if logits have not two axes, or no class.
        ArgumentError: if logits are NaN, all classes of a row are -inf, or num_samples is negative.
        DTypeError: for a dtype that is not an integer.

    Example:
        >>> edl.random.categorical([[0.0, -np.inf], [-np.inf, 0.0]], 3, seed=1)
        Tensor(shape=(2, 3), dtype=int32,
        [[0 0 0]
         [1 1 1]])

    Source: Gumbel, 1954; Maddison, Tarlow & Minka, 2014, arXiv:1411.0030.
    """
    dtype = dtypes.standardize(dtype, "categorical")
    if not dtypes.is_integer(dtype):
        raise DTypeError("categorical", "an integer dtype is needed", f"got {dtype}", "use 'int32'")
    logits = convert_to_tensor(logits)
    if logits.ndim != 2 or not logits.shape[1]:
        raise ShapeError(
            "categorical",
            "logits must have shape (batch, classes) with at least one class",
            f"got {logits.shape}",
            "reshape them, as in edl.reshape(logits, (-1, classes))",
        )
    if dtypes.is_complex(logits.dtype):
        raise DTypeError("categorical", "logits must be real", f"got {logits.dtype}", "use their real part")
    logits = astype(logits, dtypes.to_floating((logits.dtype,))[0])
    count = _check_whole("categorical", "num_samples", num_samples)
    if count < 0:
        raise ArgumentError(
            "categorical", "num_samples must not be negative", f"got {count}", "give the samples for each row"
        )
    _require(
        "categorical",
        "logits",
        logits,
        lambda v: v.max(-1) > -np.inf,
        "logits must not be NaN, and one of each row above -inf",
        "look for the step that made them",
    )
    state = _state("categorical", seed, _blocks_for(math.prod(logits.shape) * count, _width(logits.dtype)))
    return _random_categorical(logits, state.to_device(logits.device), count, dtype)


def dropout(inputs, rate, noise_shape=None, seed=None):
    """inputs (...) -> (...). Each element 0 with probability `rate`, else divided by 1 - rate, so that the mean stays.

    Args:
        inputs: a tensor; integers become floatx.
        rate: a number from 0 to 1.
        noise_shape: the shape of the mask, which broadcasts to that of inputs; None in it stands for the size there.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if rate lies outside of [0, 1].
        ShapeError: if `noise_shape` does not broadcast to the shape of inputs.

    Example:
        >>> x = edl.random.dropout(edl.ones((2, 4)), 0.5, noise_shape=(2, 1), seed=1)
        >>> sorted(set(edl.ravel(x).tolist())) in ([0.0], [2.0], [0.0, 2.0])
        True

    Source: Srivastava et al., 2014, jmlr.org/papers/v15/srivastava14a.html.
    """
    inputs = convert_to_tensor(inputs)
    inputs = astype(inputs, dtypes.to_floating((inputs.dtype,))[0])
    rate = _known_number("dropout", "rate", rate)
    if not 0 <= rate <= 1:
        raise ArgumentError(
            "dropout", "rate lies between 0 and 1", f"got rate={rate}", "it is the part that is set to 0"
        )
    shape = inputs.shape
    if noise_shape is not None:
        given = tuple(noise_shape)
        if len(given) > len(shape):
            given = ()
        shape = tuple(
            size if n is None else int(n) for n, size in zip(given, inputs.shape[len(inputs.shape) - len(given) :])
        )
        if len(given) != len(noise_shape) or any(
            n not in (1, size) for n, size in zip(shape[::-1], inputs.shape[::-1])
        ):
            raise ShapeError(
                "dropout",
                "noise_shape must broadcast to the shape of inputs",
                f"inputs {inputs.shape}, noise_shape {tuple(noise_shape)}",
                "use 1 where the mask is shared",
            )
    if rate == 0:
        return inputs
    if rate == 1:
        return where(False, inputs, 0)
    state = _state("dropout", seed, _blocks_for(math.prod(shape), 16))
    return where(_random_keep(state, shape, rate, inputs.device), inputs * (1 / (1 - rate)), 0)


def _known_number(where, name, value):
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DTypeError(where, f"{name} is a number", f"got {value!r}", "pass a float") from None


def shuffle(x, axis=0, seed=None):
    """x (..., n, ...) -> the same shape. The slices along `axis` in random order, each whole.

    Args:
        x: a tensor.
        axis: along which the slices lie.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ShapeError: if there is no such axis.

    Example:
        >>> sorted(edl.random.shuffle(edl.constant([1, 2, 3]), seed=1).tolist())
        [1, 2, 3]
    """
    x = convert_to_tensor(x)
    axis = normalize_axis("shuffle", axis, x.ndim)
    size = x.shape[axis]
    return _random_reorder(x, _random_order(_state("shuffle", seed, _blocks_for(size, 64)), size, x.device), axis)


def gamma(shape, alpha, dtype=None, seed=None):
    """-> shape. Gamma distributed numbers of shape parameter `alpha` and scale 1.

    Differentiable in alpha, once, by implicit reparameterization (Figurnov et al., 2018, arXiv:1805.08498).

    Args:
        shape: the shape of the result.
        alpha: positive, a number or a tensor that broadcasts to `shape`.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if alpha is not positive.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or an alpha that does not broadcast to `shape`.

    Example:
        >>> edl.random.gamma((3,), alpha=2.0, seed=1).shape
        (3,)

    Source: Marsaglia & Tsang, 2000, doi 10.1145/358407.358414.
    """
    shape, dtype = _shape("gamma", shape), _float_dtype("gamma", dtype)
    alpha = _positive("gamma", "alpha", alpha, shape, dtype)
    state = _state("gamma", seed, _gamma_blocks(shape, dtype))
    return _random_gamma(alpha, state.to_device(alpha.device), dtype, False, 0)


def _positive(where, name, value, shape, dtype):
    _require(
        where,
        name,
        value,
        lambda v: (v > 0) & np.isfinite(v),
        f"{name} must be positive",
        "check the parameters of the distribution",
    )
    return _spread(where, name, value, shape, _work_dtype(dtype))


def _gamma_blocks(shape, dtype):
    size = math.prod(shape)
    return size if dtype == dtypes.float64 else -(-size // 2)


def beta(shape, alpha, beta, dtype=None, seed=None):
    """-> shape. Beta distributed numbers, X / (X + Y) of two gamma distributed ones, worked out from their logarithms.

    Differentiable in alpha and beta, once.

    Args:
        shape: the shape of the result.
        alpha, beta: positive, numbers or tensors that broadcast to `shape`.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if alpha or beta is not positive.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> x = edl.random.beta((100,), 0.5, 0.5, seed=1)
        >>> bool(edl.min(x) >= 0.0), bool(edl.max(x) <= 1.0)
        (True, True)
    """
    shape, dtype = _shape("beta", shape), _float_dtype("beta", dtype)
    alpha, beta = _positive("beta", "alpha", alpha, shape, dtype), _positive("beta", "beta", beta, shape, dtype)
    blocks = _gamma_blocks(shape, dtype)
    state = _state("beta", seed, 2 * blocks).to_device(alpha.device)
    work = _work_dtype(dtype)
    x, y = _random_gamma(alpha, state, work, True, 0), _random_gamma(beta, state, work, True, blocks)
    larger = x > y  # the logistic function of x - y, without overflow
    small = exp(where(larger, y - x, x - y))
    return astype(where(larger, 1, small) / (1 + small), dtype)


_beta = beta  # the method of Generator has an argument of this name


def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """-> shape. How many of `counts` trials succeed, each with probability `probabilities`; exact for all sizes.

    Args:
        shape: the shape of the result.
        counts: how many trials, a number or a tensor that broadcasts to `shape`; whole numbers up to 2**53.
        probabilities: from 0 to 1, a number or a tensor that broadcasts to `shape`.
        dtype: a floating or integer dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if counts are negative or not whole, or probabilities lie outside of [0, 1].
        DTypeError: for bool and complex dtypes.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> x = edl.random.binomial((100,), 10, 0.5, seed=1)
        >>> bool(edl.min(x) >= 0), bool(edl.max(x) <= 10)
        (True, True)

    Source: Hörmann, 1993, doi 10.1080/00949659308811496 (where 10 or more successes and failures are expected).
    """
    shape, dtype = _shape("binomial", shape), dtypes.standardize(dtype, "binomial")
    if not dtypes.is_floating(dtype) and not dtypes.is_integer(dtype):
        raise DTypeError("binomial", "a floating or integer dtype is needed", f"got {dtype}", "use 'float32'")
    _require("binomial", "counts", counts, lambda v: (v >= 0) & (v <= 2**53) & (v == np.floor(v)),
             "counts must be whole numbers from 0 to 2**53", "round them")  # fmt: skip
    _require(
        "binomial",
        "probabilities",
        probabilities,
        lambda v: (v >= 0) & (v <= 1),
        "probabilities lie between 0 and 1",
        "use edl.sigmoid for logits",
    )
    counts = _spread("binomial", "counts", counts, shape, dtypes.float64)
    probabilities = _spread("binomial", "probabilities", probabilities, shape, dtypes.float64)
    state = _state("binomial", seed, math.prod(shape))
    return _random_binomial(counts, probabilities, state.to_device(counts.device), dtype)
