"""From kernel sources to launches: compilation by CuPy, grids and blocks, arguments.

How the work is divided depends on sizes alone, never on the GPU, so that sums have the same bits on every one.
"""

import functools
import math
import time

import numpy as np

from eagerdl import devices
from eagerdl.jit import lowering
from eagerdl.jit.cuda.kernels import ELEMENTS, ROWS, sizes_of
from eagerdl.jit.memory import array_at, extent
from eagerdl.jit.spaces import step_of
from eagerdl.machine.compiler import counts

# Sums and products are those of single ops: none is contracted with the next. Divisions and roots are rounded as IEEE 754 says,
# and small numbers are not flushed to zero, by the defaults.
OPTIONS = ("-fmad=false",)
THREADS = 256  # of a block
PER_THREAD = 8  # elements of a row for each thread, at least
MOST_BLOCKS = 1 << 16
TILE = 32, 8  # columns and rows of a block of COLUMNS
ROWS_OF_BLOCK, BLOCKS = 64, 1024  # rows that a block of COLUMNS adds up at least; how many blocks are enough


class Kernel:
    """A compiled kernel.

    Attributes:
        source: its source.
        run: a function of grid, block and arguments.
        seconds: how long it took to make.
    """

    __slots__ = ("run", "seconds", "source")

    def __init__(self, source):
        start = time.perf_counter()
        self.source = source
        self.run = devices.cupy().RawKernel(source, "kernel", OPTIONS)
        self.run.compile()
        self.seconds = time.perf_counter() - start
        counts["compiled"] += 1
        counts["seconds"] += self.seconds


@functools.cache
def kernel(source):
    """The kernel with this source; CuPy keeps the machine code on disk."""
    return Kernel(source)


class Launch:
    """One launch of a kernel.

    Attributes:
        source: the text of the kernel.
        kernel: the Kernel, once it is compiled.
        grid, block: how many blocks, and threads of a block.
        arrays: what the pointers point to: Values and Partials.
        numbers: the arguments after the pointers.
    """

    __slots__ = ("arrays", "block", "grid", "kernel", "numbers", "source")

    def __init__(self, source, grid, block, arrays, numbers):
        self.source, self.grid, self.block, self.arrays, self.numbers = source, grid, block, arrays, numbers


class Partial:
    """What the blocks of columns found before it is added up: an array (matrices, parts, columns) for one output."""

    __slots__ = ("dtype", "name", "shape", "strides")

    def __init__(self, value, shape):
        self.shape, self.dtype, self.name = shape, value.dtype, f"{value.name}_parts"
        self.strides = tuple([math.prod(shape[axis + 1 :]) * value.dtype.itemsize for axis in range(len(shape))])


def launches(source):
    """The launches that run a `kernels.Source`, in order."""
    matrices, rows, columns = source.counts()
    index = index_type(source)
    arrays, numbers = arguments(source)
    if source.kind == ELEMENTS:
        return [Launch(source.text, (min(-(-columns // THREADS), MOST_BLOCKS),), (THREADS,), arrays, numbers)]
    if source.kind == ROWS:
        block = row_block(columns)
        return [Launch(source.text, (min(-(-rows // block[1]), MOST_BLOCKS),), block, arrays, numbers)]
    tiles = -(-columns // TILE[0])
    parts = parts_of(rows, tiles * matrices)
    if parts == 1:
        return [Launch(source.text, (tiles, 1, matrices), TILE, arrays, numbers)]
    partial = {one.value: Partial(one.value, (matrices, parts, columns)) for one in source.outputs}
    found = [
        Launch(source.text, (tiles, parts, matrices), TILE, [partial.get(value, value) for value in arrays], numbers)
    ]
    for text, value in zip(source.second, partial):
        found.append(Launch(text, (tiles, 1, matrices), TILE, [partial[value], value], (index(parts), index(columns))))
    return found


def row_block(n):
    """The threads for rows of n elements: (threads for a row, rows of a block)."""
    threads = 1 << max(-(-n // PER_THREAD) - 1, 0).bit_length()
    return (32, 8) if threads <= 32 else (min(threads, 1024), 1)


def parts_of(rows, blocks):
    """Into how many parts rows are cut that so many blocks would add up otherwise."""
    return max(min(-(-rows // ROWS_OF_BLOCK), BLOCKS // blocks), 1)


def index_type(source):
    """The dtype of a source's indices."""
    return np.int32 if source.index == "int" else np.int64


def arguments(source):
    """The Values behind a source's pointers, and its other arguments as numbers of their dtypes."""
    region, index = source.region, index_type(source)
    arrays, numbers = [], []
    sizes, (_, rows, columns) = sizes_of(region, source.groups), source.counts()
    for kind, *rest in source.parameters:
        if kind == "pointer":
            arrays.append(rest[0].value)
        elif kind == "size":
            numbers.append(index(sizes[rest[0]]))
        elif kind == "rows":
            numbers.append(index(rows))
        elif kind in ("all", "row"):
            numbers.append(index(columns))
        elif kind == "step":
            operand, group = rest
            step = step_of(region.shape, operand.steps(operand.value, len(region.shape)), source.groups[group])
            numbers.append(index(step // operand.value.dtype.itemsize))
        else:
            place, position, name = rest
            number = lowering.operands(region.nodes[place])[position]
            with np.errstate(all="ignore"):
                number = np.asarray(number).astype(name)[()]
                numbers.append(np.float32(number) if name == "f2" else number)
    return arrays, tuple(numbers)


def bytes_of(value):
    """How many bytes a value spans."""
    return extent(value.shape, value.strides, value.dtype.itemsize)


def new_array(value):
    """A new array on the GPU that looks like a value."""
    return array_at(devices.cupy().cuda.alloc(bytes_of(value)), 0, value)
