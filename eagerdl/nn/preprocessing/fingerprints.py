"""Hash functions of text that are the same everywhere and for ever, for many strings at once.

Strings of one length form a matrix of bytes, whose columns are hashed with the 64-bit arithmetic of NumPy.
"""

import numpy as np

K0, K1, K2 = (np.uint64(k) for k in (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))
CAT = np.uint64(0xC6A4A7935BD1E995)


def fingerprints(strings):
    """FarmHash's Fingerprint64 of each of n byte strings, uint64 (n,).

    Source: G. Pike, "Introducing FarmHash", 2014, github.com/google/farmhash, Hash64 of the namespace farmhashna.
    """
    return _by_length(strings, _farm)


def keyed_fingerprints(strings, key):
    """SipHash-2-4 of each of n byte strings under a key of two ints, uint64 (n,).

    Source: Aumasson & Bernstein, 2012, "SipHash: a fast short-input PRF", eprint.iacr.org/2012/351.
    """
    return _by_length(strings, lambda rows: _sip(rows, *(np.uint64(int(k) & 0xFFFFFFFFFFFFFFFF) for k in key)))


def joined(first, second):
    """Two arrays of fingerprints -> one of each pair, as crossed features have them."""
    out = (first ^ CAT) ^ (_shift_mix(second * CAT) * CAT)
    return _shift_mix(_shift_mix(out * CAT) * CAT)


def _by_length(strings, function):
    out = np.empty(len(strings), np.uint64)
    places = {}
    for place, one in enumerate(strings):
        places.setdefault(len(one), []).append(place)
    for length, group in places.items():
        joined_bytes = b"".join([strings[place] for place in group])
        out[group] = function(np.frombuffer(joined_bytes, np.uint8).reshape(len(group), length))
    return out


def _word(rows, at, size=8):
    return np.ascontiguousarray(rows[:, at : at + size]).view(f"<u{size}")[:, 0].astype(np.uint64)


def _rotate(x, bits):
    return (x >> np.uint64(bits)) | (x << np.uint64(64 - bits))


def _shift_mix(x):
    return x ^ (x >> np.uint64(47))


def _pair(u, v, mul):
    a = _shift_mix((u ^ v) * mul)
    return _shift_mix((v ^ a) * mul) * mul


def _farm(rows):
    n = rows.shape[1]
    length = np.full(len(rows), n, np.uint64)
    mul = K2 + length * np.uint64(2)
    if n == 0:
        return np.full(len(rows), K2)
    if n < 4:
        first, middle, last = (rows[:, at].astype(np.uint64) for at in (0, n >> 1, n - 1))
        y, z = first + (middle << np.uint64(8)), length + (last << np.uint64(2))
        return _shift_mix(y * K2 ^ z * K0) * K2
    if n < 8:
        return _pair(length + (_word(rows, 0, 4) << np.uint64(3)), _word(rows, n - 4, 4), mul)
    if n <= 16:
        a, b = _word(rows, 0) + K2, _word(rows, n - 8)
        return _pair(_rotate(b, 37) * mul + a, (_rotate(a, 25) + b) * mul, mul)
    if n > 64:
        return _farm_long(rows)
    a, b = _word(rows, 0) * (K1 if n <= 32 else K2), _word(rows, 8)
    c, d = _word(rows, n - 8) * mul, _word(rows, n - 16) * K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = a + _rotate(b + K2, 18) + c
    if n <= 32:
        return _pair(y, z, mul)
    z = _pair(y, z, mul)
    e, f = _word(rows, 16) * mul, _word(rows, 24)
    g, h = (y + _word(rows, n - 32)) * mul, (z + _word(rows, n - 24)) * mul
    return _pair(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, mul)


def _weak(rows, at, a, b):
    """32 bytes and two seeds -> two words."""
    w, x, y, z = (_word(rows, at + 8 * i) for i in range(4))
    a = a + w
    b = _rotate(b + a + z, 21)
    c = a
    a = a + x + y
    return a + z, b + _rotate(a, 44) + c


def _farm_long(rows):
    n = rows.shape[1]
    x = np.full(len(rows), 81, np.uint64)
    y = x * K1 + np.uint64(113)
    z = _shift_mix(y * K2 + np.uint64(113)) * K2
    v = w = (np.zeros_like(x), np.zeros_like(x))
    x = x * K2 + _word(rows, 0)
    for at in range(0, (n - 1) // 64 * 64, 64):
        x, y, z, v, w = _farm_block(rows, at, x, y, z, v, w, K1, 1)
    mul = K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    first = w[0] + np.uint64((n - 1) & 63)
    v = (v[0] + first, v[1])
    w = (first + v[0], w[1])
    x, y, z, v, w = _farm_block(rows, n - 64, x, y, z, v, w, mul, 9)
    return _pair(_pair(v[0], w[0], mul) + _shift_mix(y) * K0 + z, _pair(v[1], w[1], mul) + x, mul)


def _farm_block(rows, at, x, y, z, v, w, mul, factor):
    factor = np.uint64(factor)
    x = _rotate(x + y + v[0] + _word(rows, at + 8), 37) * mul
    y = _rotate(y + v[1] + _word(rows, at + 48), 42) * mul
    x = x ^ (w[1] * factor)
    y = y + v[0] * factor + _word(rows, at + 40)
    z = _rotate(z + w[0], 33) * mul
    v = _weak(rows, at, v[1] * mul, x + w[0])
    w = _weak(rows, at + 32, z + w[1], y + _word(rows, at + 16))
    return z, y, x, v, w


def _sip(rows, k0, k1):
    n = rows.shape[1]
    tail = np.zeros((len(rows), n // 8 * 8 + 8), np.uint8)
    tail[:, :n] = rows
    tail[:, -1] = n & 0xFF
    v = [np.full(len(rows), k ^ np.uint64(c)) for k, c in ((k0, 0x736F6D6570736575), (k1, 0x646F72616E646F6D),
                                                          (k0, 0x6C7967656E657261), (k1, 0x7465646279746573))]  # fmt: skip
    for at in range(0, tail.shape[1], 8):
        word = _word(tail, at)
        v[3] = v[3] ^ word
        _sip_rounds(v, 2)
        v[0] = v[0] ^ word
    v[2] = v[2] ^ np.uint64(0xFF)
    _sip_rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sip_rounds(v, count):
    for _ in range(count):
        v[0], v[2] = v[0] + v[1], v[2] + v[3]
        v[1], v[3] = _rotate(v[1], 51) ^ v[0], _rotate(v[3], 48) ^ v[2]
        v[0] = _rotate(v[0], 32)
        v[2], v[0] = v[2] + v[1], v[0] + v[3]
        v[1], v[3] = _rotate(v[1], 47) ^ v[2], _rotate(v[3], 43) ^ v[0]
        v[2] = _rotate(v[2], 32)
