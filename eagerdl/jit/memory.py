"""Where a program keeps its arrays: one block for what lives only during a call, and the memory of variables."""

import sys

import numpy as np

from eagerdl import devices

ALIGNMENT = 64


def block(nbytes):
    """Memory of so many bytes that begins at a cache line, as an array of bytes."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + nbytes]


def extent(shape, strides, itemsize):
    """How many bytes an array spans."""
    return sum((n - 1) * stride for n, stride in zip(shape, strides)) + itemsize if all(shape) else 0


class Arena:
    """Gives out places in one block, so that arrays share memory which are not needed at the same time."""

    def __init__(self):
        self.size, self.free = 0, []  # (offset, size), in order

    def take(self, nbytes):
        """The offset of a free place."""
        nbytes = -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
        best = min((one for one in self.free if one[1] >= nbytes), key=lambda one: one[1], default=None)
        if best is None:
            if self.free and sum(self.free[-1]) == self.size:  # the last place grows
                offset, _ = self.free.pop()
            else:
                offset = self.size
            self.size = offset + nbytes
            return offset
        self.free.remove(best)
        if best[1] > nbytes:
            self._insert((best[0] + nbytes, best[1] - nbytes))
        return best[0]

    def give_back(self, offset, nbytes):
        """Frees a place."""
        self._insert((offset, -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT))

    def _insert(self, place):
        self.free.append(place)
        self.free.sort()
        merged = []
        for offset, size in self.free:
            if merged and sum(merged[-1]) == offset:
                merged[-1] = (merged[-1][0], merged[-1][1] + size)
            else:
                merged.append((offset, size))
        self.free = merged


def array_at(memory, offset, like):
    """An array that looks like another one, or like a Value, over memory of the CPU (a buffer) or of a GPU (CuPy's pointer)."""
    if hasattr(memory, "mem"):
        return devices.cupy().ndarray(like.shape, like.dtype, memory + offset, like.strides)
    return np.ndarray(like.shape, like.dtype, memory, offset, like.strides)


def laid_out(array, like):
    """A copy of an array of the CPU, with the strides of a Value."""
    out = array_at(block(extent(like.shape, like.strides, like.dtype.itemsize)), 0, like)
    np.copyto(out, array)
    return out


class Pin:
    """The memory of a variable that programs write in place.

    `array`, over that memory, is what the variable holds. Programs have arrays of their own over the same memory; so whoever
    else refers to `array` is somebody outside, such as a tensor that `variable.value` gave, whose elements must not change.
    """

    __slots__ = ("array", "memory")

    def __init__(self, array):
        nbytes = max(extent(array.shape, array.strides, array.itemsize), 1)
        if isinstance(array, np.ndarray):
            self.memory = bytearray(nbytes)
        else:
            with array.device:
                self.memory = devices.cupy().cuda.alloc(nbytes)
        self.array = self.view(array)
        np.copyto(self.array, array)

    def view(self, like):
        """A new array over the memory."""
        return array_at(self.memory, 0, like)


_ALONE = 3  # references to the array of a pin that nobody else holds: its variable, the pin, the question


def pin(variable):
    """The Pin of a variable, which holds its present value."""
    found = variable._pin
    array = variable._array
    if found is None or type(found.array) is not type(array) or (found.array.strides, found.array.shape) != (
        array.strides, array.shape):  # fmt: skip
        found = variable._pin = Pin(array)
    elif array is not found.array:
        if is_held(variable, found):
            found = variable._pin = Pin(array)
        else:
            np.copyto(found.array, array)
    variable._now = None
    del array
    variable._array = found.array
    return found


def is_held(variable, pinned):
    """True if somebody besides the variable refers to the array of its pin."""
    return sys.getrefcount(pinned.array) > _ALONE - (variable._array is not pinned.array)
