"""The word by which kernels multiply matrices: a tile of a product, whose sums stay in vector registers.

Importing this module imports Numba.
"""

import functools

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

    def sums(self, a, a_step, b, b_step, k, way):
        """Rows of vectors: the sums of the terms number `way`, `way` + `ways`, ... below k."""
        builder, width = self.builder, 4 * self.lanes
        totals = [[cgutils.alloca_once(builder, self.vector) for _ in range(self.vectors)] for _ in range(self.rows)]
        for total in (one for row in totals for one in row):
            builder.store(self.zero, total)
        starts = [builder.add(a, builder.mul(a_step, self.number(row))) for row in range(self.rows)]
        with cgutils.for_range_slice(builder, self.number(way), k, self.number(self.ways), WORD, True) as (term, _):
            across, along = builder.mul(term, b_step), builder.mul(term, self.number(4))
            factors = []
            for place in range(self.vectors):
                pointer = self.at(b, builder.add(across, self.number(place * width)), self.vector)
                factors.append(builder.load(pointer, align=4))
            for start, row in zip(starts, totals):
                x = self.spread(builder.load(self.at(start, along, FLOAT), align=4))
                for factor, total in zip(factors, row):
                    builder.store(builder.call(self.times_plus, [x, factor, builder.load(total)]), total)
        return [[builder.load(one) for one in row] for row in totals]

    def write(self, out, out_step, a, a_step, b, b_step, k, more):
        """The whole tile."""
        builder = self.builder
        found = self.sums(a, a_step, b, b_step, k, 0)
        for way in range(1, self.ways):
            other = self.sums(a, a_step, b, b_step, k, way)
            found = [[builder.fadd(*pair) for pair in zip(*rows)] for rows in zip(found, other)]
        more = builder.icmp_signed("!=", more, self.number(0))
        for number, row in enumerate(found):
            start = builder.add(out, builder.mul(out_step, self.number(number)))
            for place, total in enumerate(row):
                pointer = self.at(start, self.number(place * 4 * self.lanes), self.vector)
                before = builder.select(more, builder.load(pointer, align=4), self.zero)
                builder.store(builder.fadd(before, total), pointer, align=4)


@functools.cache
def tile_word(text):
    """The function behind a word such as `tile_6x2x8_1`: 6 rows of 2 vectors of 8 floats, with 1 sum for each element.

    ``tile(out, out_step, a, a_step, b, b_step, k, more)`` multiplies rows of a, with k floats each, with columns of b, of which
    those of the tile lie side by side. What comes out goes to `out`; with `more` it is added to what is there. Steps lead from row
    to row, in bytes.
    """
    shape, ways = text.removeprefix("tile_").split("_")
    numbers = (*map(int, shape.split("x")), int(ways))

    @intrinsic
    def tile(typingctx, out, out_step, a, a_step, b, b_step, k, more):
        def codegen(context, builder, signature, args):
            Tile(builder, *numbers).write(*args)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), codegen

    return tile
