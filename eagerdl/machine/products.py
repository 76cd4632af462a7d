"""Products of float32 matrices by kernels of our own, for one factor that many others are multiplied with: it is packed once.

BLAS packs both factors at each call. Where a few rows are multiplied with a large matrix again and again, as in a recurrent net,
that takes as long as the product.

Each element is a sum of fused multiply-adds, in the order of its terms, over pieces of the inner axis. OpenBLAS has an order for
each processor: pieces of a size of its own (GEMM_Q), sums of every so many-th term (`ways`). `order` finds out by trying, so that
kernels here can give the numbers of BLAS to the bit.
"""

import functools
import itertools

import numpy as np

from eagerdl.machine import compiler, native, pool, shares

# What processors have: the rows of a large and of a small tile, vectors of columns, floats in a vector.
SHAPES = (("avx512f", (8, 4, 2, 16)), ("fma", (6, 4, 2, 8)))
PIECE = 384  # terms of the inner axis, whose panel stays in the cache
MOST_WAYS = 4
# The longest piece of the inner axis, of OpenBLAS' kernels for processors.
PIECES = (256, 320, 352, 384, 448, 512, 640, 768)
ROUNDED_TO = (1, 4, 8, 16)  # of what halves of a rest are a multiple
FEWEST = 2  # rows, and columns: below, BLAS multiplies with a vector

PACK = """def kernel(P):
    out, given, row_step, column_step = word(P, 0), word(P, 1), word(P, 2), word(P, 3)
    k, n, width = word(P, 4), word(P, 5), word(P, 6)
    start = 0
    while start < n:
        count = least(width, n - start)
        if column_step == 4:
            for i in range(k):
                for j in range(count):
                    store_f4_0(out, 4 * (i * width + j), load_f4(given, i * row_step + 4 * j))
        else:
            i = 0
            while i < k:
                end = least(i + 32, k)
                for j in range(count):
                    for t in range(i, end):
                        store_f4_0(out, 4 * (t * width + j), load_f4(given, t * row_step + j * column_step))
                i = end
        out += 4 * k * width
        given += width * column_step
        start += width
"""
OUT, LEFT, RIGHT, HEAD = 0, 2, 4, 16  # words of the table of a product: addresses; the first one of the pieces


@functools.cache
def shape():
    """The shape of tiles on this processor: rows of a large and of a small one, vectors, lanes; None if there is none."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    return next((found for name, found in SHAPES if features.get(name)), None)


@functools.cache
def source(ways=1):
    """The kernel of a share of a product: some of the panels, of as many columns as a tile has."""
    large, small, vectors, lanes = shape()
    width = 4 * vectors * lanes

    def tiles(count, rows):
        return f"""            for i in range({count}):
                tile_{rows}x{vectors}x{lanes}_{ways}(y, step, x, a_step, panel, b_step, size, piece)
                y += {rows} * step
                x += {rows} * a_step
"""

    return f"""def kernel(P):
    out, out_step, a, a_step = word(P, 0), word(P, 1), word(P, 2), word(P, 3)
    b, b_step, b_panel, rest = word(P, 4), word(P, 5), word(P, 6), word(P, 7)
    first, last, whole, left = word(P, 8), word(P, 9), word(P, 10), word(P, 11)
    larges, smalls, singles, pieces = word(P, 12), word(P, 13), word(P, 14), word(P, 15)
    for p in range(first, last):
        to, step = out + p * {width}, out_step
        if p == whole:
            to, step = rest, {width}
        panel, given = b + p * b_panel, a
        for piece in range(pieces):
            size = word(P, {HEAD} + piece)
            y, x = to, given
{tiles("larges", large)}{tiles("smalls", small)}{tiles("singles", 1)}            panel += size * b_step
            given += size * 4
        if p == whole:
            for i in range({large} * larges + {small} * smalls + singles):
                for j in range(left):
                    store_f4_0(out, p * {width} + i * out_step + 4 * j, again_f4(rest, i * {width} + 4 * j))
"""


# -- factors -----------------------------------------------------------------------------------------------


class Factor:
    """A matrix that others are multiplied with.

    Args:
        b: (k, n) float32, with any strides. It is packed now; what is written into it later changes nothing.
    """

    def __init__(self, b):
        self.packed, self.shape = room(*b.shape), b.shape
        pack(self.packed, b)
        self.pieces, self.run = pieces_of(len(b), PIECE), compiler.kernel(source()).run
        self.layout = self.tables = self.team = None

    def times(self, a, out):
        """out (rows, n) = a (rows, k) @ b (k, n). The rows of both arrays lie one after the other, each without gaps."""
        layout = a.shape, a.strides, out.strides
        if layout != self.layout:
            self.layout, self.tables = layout, []
            for rows, first, last in shares_of(len(a), self.shape[1], parts(len(a), *self.shape)):
                rest = np.empty((len(a), width()), np.float32)
                table = native.table(words(out[rows], a[rows], self.packed, rest, self.pieces, first, last))
                start = 0 if rows.start is None else rows.start
                self.tables.append((table, start * out.strides[0], start * a.strides[0], rest))
            if len(self.tables) > 1:
                self.team = pool.pool().table([(self.run.place, native.address(one)) for one, *_ in self.tables])
        to, given = native.address(out), native.address(a)
        for table, to_start, given_start, _ in self.tables:
            table[OUT], table[LEFT] = to + to_start, given + given_start
        if len(self.tables) > 1:
            pool.pool().together(native.address(self.team))
        else:
            self.run(native.address(self.tables[0][0]))
        return out


def serves(*arrays):
    """True if products of such arrays are computed here: not empty, and of float32, on a processor with fused multiply-adds."""
    return shape() is not None and all(
        one.__class__ is np.ndarray and one.dtype == np.float32 and one.size for one in arrays
    )


# -- in which order BLAS adds ------------------------------------------------------------------------------


@functools.cache
def ways():
    """How many sums BLAS has for each element of a product; None if that cannot be seen.

    The first term and the one that is added to it next are large and cancel each other; then no other one is lost.
    """
    k = 4 * MOST_WAYS
    for other in range(1, MOST_WAYS + 1):
        a, b = np.ones((8, k), np.float32), np.ones((k, 32), np.float32)
        a[:, 0], a[:, other] = 2.0**30, -(2.0**30)
        if np.all(a @ b == k - 2):
            return other
    return None


@functools.lru_cache(maxsize=256)
def order(rows, k, n, transposed):
    """The pieces in which BLAS adds up a product (rows, k) by (k, n), the second one by columns in memory, or by rows.

    None if kernels here cannot give its bits.
    """
    if shape() is None or ways() is None or min(rows, n) < FEWEST:
        return None
    rng = np.random.default_rng(0)
    a, b = [rng.standard_normal(one, dtype=np.float32) for one in ((rows, k), (n, k) if transposed else (k, n))]
    b = b.T if transposed else b
    expected, out = a @ b, np.empty((rows, n), np.float32)
    packed, rest = room(k, n), np.empty((rows, width()), np.float32)
    pack(packed, b)
    for pieces in dict.fromkeys(pieces_of(k, longest, rounded) for longest in PIECES for rounded in ROUNDED_TO):
        for some in (slice(shape()[0]), slice(None)):  # a few rows refuse most
            multiply(out[some], a[some], packed, rest, pieces, ways())
            if not np.array_equal(out[some], expected[some]):
                break
        else:
            return pieces
    return None


def pack(packed, b):
    """Packs b into `packed`, which `room` made."""
    table = native.table(pack_words(packed, b))
    compiler.kernel(PACK).run(native.address(table))


def multiply(out, a, packed, rest, pieces, ways):
    """A whole product in one thread; see `words`."""
    table = native.table(words(out, a, packed, rest, pieces, 0, panels(out.shape[1])))
    compiler.kernel(source(ways)).run(native.address(table))


def pieces_of(k, longest, rounded=1):
    """The sizes of the pieces in which OpenBLAS adds up k terms ("driver/level3/level3.c", "level3_thread.c")."""
    found = []
    while k:
        piece = k
        if k >= 2 * longest:
            piece = longest
        elif k > longest:
            piece = (k + 2 * rounded - 1) // (2 * rounded) * rounded
        found.append(piece)
        k -= piece
    return tuple(found)


# -- tables --------------------------------------------------------------------------------------------------


def width():
    """The columns of a panel."""
    _, _, vectors, lanes = shape()
    return vectors * lanes


def panels(n):
    """How many panels hold n columns."""
    return -(-n // width())


def room(k, n, columns=None):
    """Memory for a packed matrix (k, n), with zeros where the last panel has no column; panels have `width` columns."""
    columns = columns or width()
    return np.zeros((-(-n // columns), k, columns), np.float32)


def pack_words(packed, b):
    """The words of the table of PACK; the second one is the address of `b`."""
    return [packed, b, *b.strides, *b.shape, packed.shape[-1]]


def words(out, a, b, rest, pieces, first, last):
    """The words of the table of `source`, for some of the panels.

    Args:
        out, a: (rows, n) and (rows, k).
        b: (panels, k, width) packed, or (k, n) where n is a whole number of panels.
        rest: memory for the last panel, (rows, width), if it is not whole.
        pieces: see `order`.
        first, last: which panels.
    """
    rows, n = out.shape
    panel = b.strides[0] if b.ndim == 3 else 4 * width()
    places = [out, out.strides[0], a, a.strides[0], b, b.strides[-2], panel, rest]
    return [*places, first, last, *divmod(n, width()), *tiles_of(rows), len(pieces), *pieces]


def tiles_of(rows):
    """How many large tiles, small ones and single rows make up so many rows; as few single ones as can be."""
    large, small, *_ = shape()
    smalls = next((i for i in range(large) if rows >= i * small and (rows - i * small) % large == 0), None)
    if smalls is None:
        smalls = rows % large // small
    larges = (rows - smalls * small) // large
    return larges, smalls, rows - larges * large - smalls * small


def parts(rows, k, n):
    """In how many parts a product is computed at the same time."""
    return 1 if pool.pool() is None else shares.count(2 * rows * k * n / shares.OPERATIONS_PER_SECOND)


def shares_of(rows, n, count):
    """Cuts a product into as many parts, as triples: a slice of the rows, the first panel, and the one after the last.

    By rows if there are enough of them, as elementwise kernels are cut: then each thread goes on with what it made.
    """
    large, all_panels = shape()[0], panels(n)
    if rows < count * large and all_panels >= count:
        ends = [all_panels * part // count for part in range(count + 1)]
        return [(slice(None), *pair) for pair in itertools.pairwise(ends)]
    size = -(-rows // (count * large)) * large
    return [(slice(start, min(start + size, rows)), 0, all_panels) for start in range(0, rows, size)]
