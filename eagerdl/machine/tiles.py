"""The words by which kernels multiply matrices: a tile of a product, whose sums stay in vector registers.

Importing this module imports Numba.
"""

import functools
import re

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FLOAT, BYTE, WORD, LANE = ir.FloatType(), ir.IntType(8), ir.IntType(64), ir.IntType(32)


class Tile:
    """The code of a tile that is being written.

    Args:
        rows: of the tile.
        vectors: of columns.
        lanes: floats in a vector.
        ways: how many sums there are for each element, of which each takes the terms that are so many apart.
    """

    def __init__(self, builder, rows, vectors, lanes, ways):
        self.builder, self.rows, self.vectors, self.lanes, self.ways = builder, rows, vectors, lanes, ways
        self.vector = ir.VectorType(FLOAT, lanes)
        self.zero = ir.Constant(self.vector, None)
        shape = ir.FunctionType(self.vector, [self.vector] * 3)
        self.times_plus = cgutils.get_or_insert_function(builder.module, shape, f"llvm.fma.v{lanes}f32")

    def at(self, base, offset, kind):
        """A pointer to what lies so many bytes from an address."""
        pointer = self.builder.inttoptr(base, BYTE.as_pointer())
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), kind.as_pointer())

    def spread(self, x):
        """A vector of the same number."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, x, ir.Constant(LANE, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(LANE, self.lanes), None))

    def number(self, n):
        return ir.Constant(WORD, n)

    def steps(self, base, step):
        """The addresses of rows that are so many bytes apart."""
        return [self.builder.add(base, self.builder.mul(step, self.number(row))) for row in range(self.rows)]

    def spots(self, base, table):
        """The addresses of rows that are as many bytes from the base as a table says."""
        found = [self.builder.load(self.at(table, self.number(8 * row), WORD), align=8) for row in range(self.rows)]
        return [self.builder.add(base, one) for one in found]

    def sums(self, starts, a_term, b, b_term, k, way=0, pieces=None, a_piece=None, b_piece=None):
        """Rows of vectors: the sums of the terms number `way`, `way` + `ways`, ... below k, of as many pieces."""
        builder = self.builder
        totals = [[cgutils.alloca_once(builder, self.vector) for _ in range(self.vectors)] for _ in range(self.rows)]
        for total in (one for row in totals for one in row):
            builder.store(self.zero, total)
        if pieces is None:
            self.add_terms(totals, starts, a_term, b, b_term, k, way)
        else:
            with cgutils.for_range(builder, pieces, intp=WORD) as loop:
                far = builder.mul(loop.index, a_piece)
                places = [builder.add(start, far) for start in starts]
                self.add_terms(totals, places, a_term, builder.add(b, builder.mul(loop.index, b_piece)), b_term, k, way)
        return [[builder.load(one) for one in row] for row in totals]

    def add_terms(self, totals, starts, a_term, b, b_term, k, way):
        """Adds the products of k numbers of each row with k rows of vectors."""
        builder, width = self.builder, 4 * self.lanes
        with cgutils.for_range_slice(builder, self.number(way), k, self.number(self.ways), WORD, True) as (term, _):
            across, along = builder.mul(term, b_term), builder.mul(term, a_term)
            factors = []
            for place in range(self.vectors):
                pointer = self.at(b, builder.add(across, self.number(place * width)), self.vector)
                factors.append(builder.load(pointer, align=4))
            for start, row in zip(starts, totals):
                x = self.spread(builder.load(self.at(start, along, FLOAT), align=4))
                for factor, total in zip(factors, row):
                    builder.store(builder.call(self.times_plus, [x, factor, builder.load(total)]), total)

    def write(self, starts, found, more=None):
        """Stores rows of vectors where rows start; with `more` they are added to what is there."""
        builder = self.builder
        if more is not None:
            more = builder.icmp_signed("!=", more, self.number(0))
        for start, row in zip(starts, found):
            for place, total in enumerate(row):
                pointer = self.at(start, self.number(place * 4 * self.lanes), self.vector)
                if more is not None:
                    total = builder.fadd(builder.select(more, builder.load(pointer, align=4), self.zero), total)
                builder.store(total, pointer, align=4)

    # -- the words -----------------------------------------------------------------------------------------

    def plain(self, out, out_step, a, a_step, b, b_step, k, more):
        starts, term = self.steps(a, a_step), self.number(4)
        found = self.sums(starts, term, b, b_step, k)
        for way in range(1, self.ways):
            other = self.sums(starts, term, b, b_step, k, way)
            found = [[self.builder.fadd(*pair) for pair in zip(*rows)] for rows in zip(found, other)]
        self.write(self.steps(out, out_step), found, more)

    def at_spots(self, out, out_spots, a, a_spots, b, k, pieces, a_piece):
        term = self.number(4 * self.lanes * self.vectors)
        piece = self.builder.mul(k, term)
        found = self.sums(self.spots(a, a_spots), self.number(4), b, term, k, 0, pieces, a_piece, piece)
        self.write(self.spots(out, out_spots), found)

    def turned(self, out, out_step, a, a_term, b, b_term, k, pieces, a_piece, b_piece, more):
        found = self.sums(self.steps(a, self.number(4)), a_term, b, b_term, k, 0, pieces, a_piece, b_piece)
        self.write(self.steps(out, out_step), found, more)


WORDS = {"": (Tile.plain, 8), "spots_": (Tile.at_spots, 8), "turned_": (Tile.turned, 11)}  # with how many arguments


@functools.cache
def tile_word(text):
    """The function behind a word such as `tile_6x2x8_1`: 6 rows of 2 vectors of 8 floats, with 1 sum for each element.

    ``tile_RxVxL_W(out, out_step, a, a_step, b, b_step, k, more)`` multiplies rows of a, with k floats each, with columns of b, of
    which those of the tile lie side by side. What comes out goes to `out`; with `more` it is added to what is there. Steps lead
    from row to row, in bytes.

    ``tile_spots_RxVxL_1(out, out_spots, a, a_spots, b, k, pieces, a_piece)`` has the rows of `out` and of a where tables say, as
    bytes from `out` and a. A row of a has several pieces of k floats, which are `a_piece` bytes apart; b is packed.

    ``tile_turned_RxVxL_1(out, out_step, a, a_term, b, b_term, k, pieces, a_piece, b_piece, more)`` multiplies columns of a, which
    lie side by side, with columns of b; their rows come in pieces of k, and `a_term` and `b_term` lead from one to the next.
    """
    kind, shape, ways = re.fullmatch(r"tile_([a-z]+_)?([\dx]+)_(\d+)", text).groups(default="")
    numbers = (*map(int, shape.split("x")), int(ways))
    method, count = WORDS[kind]

    def codegen(context, builder, signature, args):
        method(Tile(builder, *numbers), *args)
        return context.get_dummy_value()

    signature = types.void(*[types.int64] * count)
    if count == 8:

        @intrinsic
        def tile(typingctx, a0, a1, a2, a3, a4, a5, a6, a7):
            return signature, codegen
    else:

        @intrinsic
        def tile(typingctx, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10):
            return signature, codegen

    return tile
