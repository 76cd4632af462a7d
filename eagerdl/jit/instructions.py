"""`Body`: the graph of a loop as a list of instructions that compiled code runs through, without Python in between.

An instruction is six words. Its kinds are those of `driver`: a kernel, the loop of a ufunc, a copy, a kernel that may fail.
What is not fused has a function here that writes its instructions, one for each kind of call (`WRITERS`). Bodies with a call
that has none are refused by `NotDriven`.

All arrays of a body stand still. Where a table or an instruction holds the address of one, `Body.addresses` says so, so that
`loops` can let it move along an axis.
"""

import collections

import numpy as np

from eagerdl.jit import copies, emit, lowering
from eagerdl.jit.driver import KERNEL, UFUNC, Instructions, NotDriven, instruction
from eagerdl.jit.fuse import FULL, can_fuse, dense_strides, is_dense, is_row_major
from eagerdl.jit.graph import ELEMENTWISE, LOOP, VIEW, Value
from eagerdl.jit.lowering import NAMES
from eagerdl.jit.memory import block
from eagerdl.jit.program import Program
from eagerdl.jit.traced import getitem
from eagerdl.machine import compiler, native, pool, products
from eagerdl.ops import indexing, recurrent_products

FEW_PANELS = 4  # of columns, up to which BLAS spends much of its time on packing the rows that it multiplies
SHORT = 256  # elements of a row for which calling a loop costs about as much as what it computes
CACHED = 1 << 16  # bytes that are still near when they are read again


class Body(Program, Instructions):
    """The body of a loop.

    Args:
        graph: the Graph.
        renewed: carried value -> the value that takes its place in the next run.
        collected: the values that are kept of each run.
        same: the values that are the same in each run.
        threads: whether its steps may be done by several threads.

    Attributes:
        inside: value -> what it is a part of, and the place of its memory there, as an index.
        before: instructions that run once, before the first run.
        over: collected value -> the spare row whose memory it takes.
        moveable: values that are written through `addresses` only, so that they may lie elsewhere at each run.

    Raises:
        NotDriven: if a call has no instructions.
    """

    def __init__(self, graph, renewed, collected, same, spare=(), threads=True):
        self.renewed, self.collected, self.same, self.spare = renewed, collected, {*same, *graph.constants}, spare
        if graph.variables or any(not is_dense(value) for value in (*graph.inputs, *graph.outputs)):
            raise NotDriven
        self.inside = {}
        super().__init__(graph, threads=threads and pool.pool() is not None)

    # -- parts that are written where they belong ---------------------------------------------------

    def _make_steps(self):
        self._find_parts()
        super()._make_steps()
        if any(part.node not in self.home for part in self.inside):
            for part in self.inside:
                part.strides = dense_strides(part)
            self.inside = {}
            super()._make_steps()

    def _find_parts(self):
        """Which values are nothing but parts of a concatenation, so that kernels write them there."""
        alone, readers = self._alone(), collections.Counter(one for node in self.graph.nodes for one in node.inputs)
        readers.update(self.graph.outputs)
        for node in self.graph.nodes:
            found = copies.concatenated(node)
            if found is None or not is_dense(node.outputs[0]):
                continue
            (out,), (parts, axis) = node.outputs, found
            if all(isinstance(part, Value) and part.node is not None and readers[part] == 1 and part.dtype == out.dtype
                   and part.node.kind == ELEMENTWISE and part.node not in alone and can_fuse(part.node)
                   for part in parts):  # fmt: skip
                stop = 0
                for part in parts:
                    start, stop = stop, stop + part.shape[axis]
                    self.inside[part] = (out, (slice(None),) * axis + (slice(start, stop),))
                    part.strides = out.strides

    def _find_lives(self):
        super()._find_lives()
        self.roots |= {part: [out] for part, (out, _) in self.inside.items()}

    def _find_visitors(self):
        """All arrays of a body stand still."""
        return [], {}

    def _home_of(self, value):
        return self.inside[value][0] if value in self.inside else value

    # -- what is fused ----------------------------------------------------------------------------------

    def source_of(self, region, partners):
        """The Source of a region; what loops compute at a time is small as a rule."""
        return emit.source_of(region, self.outside, partners, brief=True)

    def _alone(self):
        """Calls of ufunc loops on what is broadcast along short rows: one call for all rows takes less than one for each."""
        broadcast, alone = set(), set()
        for node in self.graph.nodes:
            if node.kind != ELEMENTWISE or len(node.outputs) != 1:
                continue
            (out,) = node.outputs
            if any(value in broadcast or (1 < value.size < out.size) for value in node.inputs):
                broadcast.add(out)
            if (
                out in broadcast
                and out.ndim > 1
                and out.shape[-1] <= SHORT
                and out.nbytes <= CACHED
                and self._is_plain_call(node)
            ):
                alone.add(node)
                broadcast.discard(out)
        return alone

    def _is_plain_call(self, node):
        """True for the loop of a ufunc on one array that lies in memory as its result does."""
        x, (out,) = node.args[0], node.outputs
        low = lowering.lowered(node) if len(node.args) == 1 and isinstance(x, Value) else None
        return low is not None and low.expression is None and low.dtypes == (NAMES[x.dtype], NAMES[out.dtype]) and (
            is_dense(out) and is_dense(x) and x.shape == out.shape)  # fmt: skip

    def _find_partners(self):
        """Which new carried values may overwrite the old ones in place."""
        self.partners = {}
        number = {value: n for n, step in enumerate(self.steps) for value in step.outputs}
        news = [*self.renewed.values()]
        roots = {root for value in self.graph.outputs for root in self._roots(value)[1:]}
        last = {}  # value -> the last step that reads it, or a view of it
        for n, step in enumerate(self.steps):
            for value in step.reads:
                last.update(dict.fromkeys(self._roots(value), n))
        for old, new in self.renewed.items():
            step = self.steps[number[new]] if new in number else None
            if step is None or step.region is None or news.count(new) > 1 or new in self.collected:
                continue
            same = (new.strides, new.shape, new.dtype) == (old.strides, old.shape, old.dtype)
            if not same or old in news or old in roots or new in roots:
                continue
            region = step.region
            if region.level(new) != FULL or region.axes[new] != region.identity or last.get(old, -1) > number[new]:
                continue
            if any(old in self._roots(value)[1:] for value in step.reads):
                continue
            if old not in step.reads or self._is_read_first(region, old, new):
                self.partners[new] = old
        self._find_over(number, last)

    def _find_over(self, number, last):
        """Which collected values may take the memory of a spare row: those made of it, element by element, when it is read last."""
        self.over = {}
        for row in self.spare:
            step = self.steps[last[row]] if row in last else None
            if step is None or step.region is None or row not in step.reads:
                continue
            region = step.region
            for new in step.outputs:
                same = (new.strides, new.shape, new.dtype) == (row.strides, row.shape, row.dtype)
                if (same and self.collected.count(new) == 1 and new not in self.renewed.values() and new not in self.partners
                        and region.level(new) == FULL and region.axes[new] == region.identity
                        and self._is_read_first(region, row, new)):  # fmt: skip
                    self.over[new] = self.partners[new] = row
                    break

    def _is_static(self, step, value):
        """Every array lies where it did, except views, and what an inner loop gives."""
        if step.region is not None:
            return True
        return not step.node.shares and step.node.kind not in (VIEW, LOOP)

    def _bind(self):
        self.block = block(max(self.arena_bytes, 1))
        self.bound, self.names, self.tables = [], {}, []
        self.arrays = dict(self.graph.constants)
        for value, offset in self.offsets.items():
            if not value.size or min(value.strides, default=1) < 0:
                raise NotDriven
            self.arrays[value] = np.ndarray(value.shape, value.dtype, self.block, offset, value.strides)
        self.arrays |= {new: self.arrays[old] for new, old in self.partners.items()}
        self.arrays |= {part: self.arrays[out][place] for part, (out, place) in self.inside.items()}
        self.code, self.addresses, self.before, self.moveable, self.inner = [], [], [], set(), []
        for step in self.steps:
            if step.region is not None:
                if any(operand.value not in self.arrays for operand in step.source.operands):
                    raise NotDriven
                kernel, (tables, _) = self.kernels[step].run, self._kernel_tables(step)
                if len(tables) == 1:
                    self.add(KERNEL, kernel.place, native.address(tables[0]))
                else:
                    team = pool.pool()
                    self.tables.append(team.table([(kernel.place, native.address(table)) for table in tables]))
                    self.add(KERNEL, team.together.place, native.address(self.tables[-1]))
                self.moveable.update(step.outputs)
            else:
                self._write(step.node)
        self.moveable -= self.partners.keys()

    def _write(self, node):
        if node.kind == VIEW or (node.shares and node.function is getitem):
            if len(set(node.inputs)) != 1:
                raise NotDriven
            made = node.run(self.arrays.__getitem__)
            made = made if isinstance(made, tuple | list) else [made]
            if not all(isinstance(array, np.ndarray) for array in made):
                raise NotDriven
            self.arrays |= zip(node.outputs, made)
            return
        if node.kind == LOOP:
            self._write_loop(node)
            return
        writer = WRITERS.get(node.function) or (_loop if node.kind == ELEMENTWISE else None)
        if writer is None or node.shares or len(node.outputs) != 1:
            raise NotDriven
        writer(self, node)
        self.moveable.update(node.outputs)

    def stays(self, value):
        """True for what comes from outside and is the same in each run, and for views of it."""
        roots = self._roots(value)
        return not self.same.isdisjoint(roots) and all(one in self.same or (one.node is not None and one.node.kind == VIEW)
                                                       for one in roots)  # fmt: skip

    def _write_loop(self, node):
        nested = getattr(node.function, "nested", None)
        if nested is None:
            raise NotDriven
        self.inner.append(nested(self, node))


# -- kernels for what is not fused ------------------------------------------------------------------------


CALL_LOOP = """def kernel(P):
    loop_2(word(P, 0), word(P, 1), word(P, 2), (word(P, 3), word(P, 5), word(P, 4), word(P, 6)))
"""


def gather_source(index, name):
    """``x[i]`` for an index that is computed: the elements of a row of x, one after the other."""
    return f"""def kernel(P):
    i, n = as_i8(again_{index}(word(P, 2), 0)), word(P, 3)
    if i < 0:
        i += n
    if i < 0 or i >= n:
        set_word(P + 48, -1)
    else:
        set_word(P + 48, 0)
        out, given = word(P, 0), word(P, 1) + i * word(P, 4)
        for m in range(word(P, 5)):
            store_{name}_0(out, m * {name[1]}, load_{name}(given, m * {name[1]}))
"""


def put_source(index, name):
    """Zeros, and at a row that is computed what is added to them."""
    return f"""def kernel(P):
    out, n, i = word(P, 0), word(P, 3), as_i8(again_{index}(word(P, 2), 0))
    if i < 0:
        i += n
    for m in range(word(P, 7)):
        store_{name}_0(out, m * {name[1]}, as_{name}(0))
    if i < 0 or i >= n:
        set_word(P + 48, -1)
    else:
        set_word(P + 48, 0)
        out += i * word(P, 4)
        for m in range(word(P, 5)):
            store_{name}_0(out, m * {name[1]}, as_{name}(0) + load_{name}(word(P, 1), m * {name[1]}))
"""


ROWS = 8  # that go together, so that what is best so far is read and written once


def extreme_source(name, sign):
    """Where the largest or smallest element along an axis is, the first of several; a NaN is beyond all numbers."""
    size, k = name[1], "i4" if name[1] == "4" else "i8"  # equal sizes fill vectors equally
    no_better = {">": "<=", "<": ">="}[sign]

    def better(left, right):
        """Lines that leave the better of two rows in the variables of the left one; numbers are those of an element and a row."""
        x, y = f"x{left}", f"x{right}"
        stays = f"{y} {no_better} {x}"
        if name[0] == "f":
            stays = f"either({stays}, {x} != {x})"
        return [
            f"stays = {stays}",
            f"{x}, i{left} = select(stays, {x}, {y}), select(stays, i{left}, i{right})",
        ]

    def lines(rows):
        """What is done with so many rows for each of the inner elements: pairs, pairs of those, and what was best so far."""
        found = [f"row = given + i * inner * {size}"]
        for one in range(rows):
            found += [f"x{one}, i{one} = load_{name}(row, j * {size}), as_{k}(i + {one})", f"row += inner * {size}"]
        step = 1
        while step < rows:
            for one in range(0, rows, 2 * step):
                found += better(one, one + step)
            step *= 2
        found += [
            f"x{rows}, i{rows} = load_{name}_but_1(best, j * {size}), load_{k}_but_2(index, j * {k[1]})",
            *better(rows, 0),
            f"store_{name}_1(best, j * {size}, settled(x{rows}))",
            f"store_{k}_2(index, j * {k[1]}, settled(i{rows}))",
        ]
        return ("\n" + 16 * " ").join(found)

    return f"""def kernel(P):
    brief()
    out, given, best, index = word(P, 0), word(P, 1), word(P, 2), word(P, 3)
    n, inner = word(P, 5), word(P, 6)
    for o in range(word(P, 4)):
        for j in range(inner):
            store_{name}_1(best, j * {size}, load_{name}(given, j * {size}))
            store_{k}_2(index, j * {k[1]}, as_{k}(0))
        i = 0
        while i + {ROWS} <= n:
            for j in range(inner):
                {lines(ROWS)}
            i += {ROWS}
        while i < n:
            for j in range(inner):
                {lines(1)}
            i += 1
        for j in range(inner):
            store_i8_0(out, j * 8, as_i8(load_{k}_but_2(index, j * {k[1]})))
        given += n * inner * {size}
        out += inner * 8
"""


# -- one function per kind of call ------------------------------------------------------------------------


def _loop(body, node):
    """The loop of a ufunc over a whole array."""
    if not body._is_plain_call(node):
        raise NotDriven
    (x,), (out,) = node.args, node.outputs
    low = lowering.lowered(node)
    code, data = native.loop(low.ufunc, (x.dtype, out.dtype))
    body.call(CALL_LOOP, code, data, x.size, body.place(x), body.place(out), x.dtype.itemsize, out.dtype.itemsize)


def _matmul(body, node):
    """Matrices by a kernel of our own where it gives the same numbers sooner, else by BLAS."""
    if len(node.args) != 2 or node.named:
        raise NotDriven
    placed = [body.place(value) for value in (*node.args, *node.outputs)]
    if any(array.ndim != 2 for _, array in placed):
        raise NotDriven
    pieces = _pieces(body, *placed) if products.serves(*[array for _, array in placed]) else None
    if pieces is None:
        _by_blas(body, *placed)
    else:
        _by_tiles(body, *placed, products.ways(), pieces)


def _product_by_rows(body, node):
    """The product of a recurrent step, as `recurrent_products.product_by_rows` computes it."""
    *given, turned = node.args
    h, (value, matrix), out = [body.place(one) for one in (*given, *node.outputs)]
    turned = matrix if turned else matrix.T
    if recurrent_products.is_packed(matrix, h[1]):
        _by_tiles(body, h, (value, turned.T), out, 1, products.pieces_of(turned.shape[1], products.PIECE))
        return
    made = np.empty(out[1].shape[::-1], out[1].dtype)
    body.tables.append(made)
    _by_blas(body, (value, turned), (h[0], h[1].T), (None, made))
    body.copy(out, (None, made.T))


def _pieces(body, a, b, out):
    """The pieces in which BLAS adds up a product, if it spends much of its time on packing; else None."""
    (_, x), (factor, y), (_, z) = a, b, out
    transposed = y.strides[1] != y.itemsize
    lines = y.T if transposed else y
    if any(one.strides[1] != one.itemsize or one.strides[0] < one.shape[1] * one.itemsize for one in (x, lines, z)):
        return None
    (rows, k), n = x.shape, y.shape[1]
    if not body.stays(factor) and products.panels(n) > FEW_PANELS:
        return None
    return products.order(rows, k, n, transposed)


def _by_tiles(body, a, b, out, ways, pieces):
    """Matrices by a kernel of our own; the second one is packed once if it is the same in each run."""
    (_, x), (factor, y), (_, z) = a, b, out
    (rows, k), n = x.shape, y.shape[1]
    whole, stays = n % products.width() == 0, body.stays(factor)
    if stays or y.strides[1] != y.itemsize or not whole:
        packed, mine = products.room(k, n), body.before if stays else body.code
        _, _, *steps = products.pack_words(packed, y)
        mine.append(instruction(KERNEL, compiler.kernel(products.PACK).run.place, body.table([packed, b, *steps])))
        b = None, packed
    run, tables = compiler.kernel(products.source(ways)).run.place, []
    for mine, first, last in products.shares_of(rows, n, products.parts(rows, k, n) if body.threads else 1):
        rest = 0 if whole else np.empty((rows, products.width()), np.float32)
        words = products.words(z[mine], x[mine], b[1], rest, pieces, first, last)
        words[products.OUT], words[products.LEFT], words[products.RIGHT] = (out[0], z[mine]), (a[0], x[mine]), b
        tables.append(body.table(words))
    if len(tables) > 1:
        run, tables = pool.pool().together.place, [body.table(pool.pool().table([(run, one) for one in tables]))]
    body.add(KERNEL, run, *tables)


def _by_blas(body, *placed):
    """Matrices by the loop of NumPy's own ufunc, which calls BLAS."""
    arrays = [array for _, array in placed]
    code = native.loop(np.matmul, tuple([array.dtype for array in arrays]))
    if code is None:
        raise NotDriven
    (n, k), m = arrays[0].shape, arrays[1].shape[1]
    places, sizes = body.table(placed), body.table([1, n, k, m])
    steps = body.table([0, 0, 0, *[stride for array in arrays for stride in array.strides]])
    body.add(UFUNC, *code, places, sizes, steps)


def _concatenate(body, node):
    """Each part is copied to its slice of the result."""
    found, (out,) = copies.concatenated(node), node.outputs
    if found is None:
        raise NotDriven
    parts, axis = found
    if parts[0] in body.inside:
        body.moveable.add(out)
        return
    whole, start = body.place(out)[1], 0
    for part in parts:
        given = body.place(part)
        stop = start + given[1].shape[axis]
        body.copy((out, np.moveaxis(np.moveaxis(whole, axis, 0)[start:stop], 0, axis)), given)
        start = stop


def _stack(body, node):
    """Each part is copied to its row of the result."""
    (parts, *axis), (out,) = node.args, node.outputs
    axis = axis[0] if axis else node.named.get("axis", 0)
    if set(node.named) - {"axis"}:
        raise NotDriven
    for row, part in zip(np.moveaxis(body.place(out)[1], axis, 0), parts):
        body.copy((out, row), body.place(part))


def _copy(body, node):
    """What only changes the layout: the result has the same elements, in the order of its shape."""
    (out,), given = node.outputs, body.place(node.args[0])
    to = body.place(out)[1]
    if node.function is np.reshape and (node.named or not is_row_major(to)):
        raise NotDriven
    if node.function is np.array and to.shape != given[1].shape:
        raise NotDriven
    if to.shape == given[1].shape:
        body.copy((out, to), given)
        return
    try:  # the other way around it is a view
        shaped = np.reshape(to, given[1].shape, copy=False)
    except ValueError:
        raise NotDriven from None
    body.copy((out, shaped), given)


def _gather(body, node):
    """``x[i]`` for one computed index along the first axis, or a single element."""
    (x, key), (out,) = node.args, node.outputs
    if isinstance(key, tuple) and len(key) == 1:
        key = key[0]
    parts = key if isinstance(key, tuple) else (key,)
    if all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts):
        parts = parts if Ellipsis in parts else (*parts, ...)  # with dots it is a view, not a number
        body.copy(body.place(out), (x, body.place(x)[1][parts]))
        return
    given, index, to = body.place(x), body.place(key), body.place(out)
    if index[1].ndim or index[1].dtype.kind not in "iu" or to[1].dtype.itemsize not in (1, 2, 4, 8):
        raise NotDriven
    if not is_dense(to[1]) or not is_row_major(given[1][0]) or not given[1].size:
        raise NotDriven
    source = gather_source(NAMES[index[1].dtype], f"u{to[1].itemsize}")
    body.call(source, to, given, index, len(given[1]), given[1].strides[0], to[1].size, 0, careful=6)


def _extreme(sign):
    def write(body, node):
        """argmax and argmin along an axis, or of all."""
        (x, *axis), (out,) = node.args, node.outputs
        axis = axis[0] if axis else node.named.get("axis")
        given, to = body.place(x), body.place(out)
        array = given[1]
        if (
            array.dtype not in NAMES
            or array.dtype.kind not in "fiu"
            or not is_row_major(array)
            or not is_row_major(to[1])
        ):
            raise NotDriven
        if to[1].dtype != np.int64:
            raise NotDriven
        axis = None if axis is None else axis % array.ndim
        shape = (1, array.size, 1) if axis is None else (
            int(np.prod(array.shape[:axis])), array.shape[axis], int(np.prod(array.shape[axis + 1 :])))  # fmt: skip
        if shape[1] >= 2**31:
            raise NotDriven
        best, index = np.empty(shape[2], array.dtype), np.empty(shape[2], np.int64)
        body.tables += [best, index]
        body.call(
            extreme_source(NAMES[array.dtype], sign), to, given, native.address(best), native.address(index), *shape
        )

    return write


def _put(body, node):
    """Zeros, with the elements of x at a key without arrays."""
    (x, _, key), (out,) = node.args, node.outputs
    parts = key if isinstance(key, tuple) else (key,)
    to = body.place(out)[1]
    if len(parts) == 1 and isinstance(parts[0], Value):
        _put_row(body, body.place(x), body.place(parts[0]), (out, to))
        return
    if not all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts):
        raise NotDriven
    zeros = np.zeros_like(to)
    body.tables.append(zeros)
    body.copy((out, to), (None, zeros))
    body.copy((out, to[(*parts, ...)] if Ellipsis not in parts else to[parts]), body.place(x))


def _put_row(body, given, index, to):
    """Zeros, with x added to the row of a computed number."""
    row = to[1][0, ...]
    if index[1].ndim or index[1].dtype.kind not in "iu" or given[1].dtype not in NAMES or given[1].dtype.kind == "b":
        raise NotDriven
    if given[1].shape != row.shape or not is_dense(given[1]) or not is_dense(to[1]):
        raise NotDriven
    source = put_source(NAMES[index[1].dtype], NAMES[given[1].dtype])
    body.call(source, to, given, index, len(to[1]), row.nbytes, row.size, 0, to[1].size, careful=6)


WRITERS = {
    np.matmul: _matmul, np.concatenate: _concatenate, np.stack: _stack, np.reshape: _copy, np.array: _copy, getitem: _gather,
    recurrent_products.product_by_rows: _product_by_rows,
    np.ndarray.argmax: _extreme(">"), np.ndarray.argmin: _extreme("<"), indexing._put.primitive.forward: _put,
}  # fmt: skip
