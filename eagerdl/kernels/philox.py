"""Random bits from counters, on raw arrays.

All bits come from Philox4x64-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3", doi
10.1145/2063384.2063405), a function from a key of two words and a counter of four to a block of four random words of
64 bits. Nothing is carried from one block to the next. So element i of a draw depends on the key, the counter where
the draw begins and i alone, and the CPU (NumPy's implementation in C) and the GPU (a kernel) give the same words. The
four counter words are

    0  the block within a draw, counted on from the generator's counter
    1  the draw of a `SeedGenerator`
    2  the attempt, for methods that may reject what they drew, or that need more bits for few elements
    3  1 for the keys of generators that were split off, 0 for numbers
"""

import threading

import numpy as np

from eagerdl import devices

WORD = (1 << 64) - 1
CHUNK = 1 << 15  # elements of a draw that are worked on at once, so that they stay in the cache
FEW = 24  # blocks at chosen places cost about this many times more than blocks in a row


# -- blocks in array code -----------------------------------------------------------------------

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


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


# -- blocks on the GPU ------------------------------------------------------------------------

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


# -- the bits of a draw -----------------------------------------------------------------------

_local = threading.local()  # a Philox of NumPy for each thread


class Stream:
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
        counter, key = state["state"]["counter"], state["state"]["key"]
        counter[0], counter[1], counter[2], counter[3] = c & WORD, c >> 64 & WORD, c >> 128 & WORD, c >> 192
        key[0], key[1] = self.key
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


def blocks_for(count, width):
    """How many blocks hold `count` numbers of `width` bits."""
    return -(-count * width // 256)
