"""The driver, the one kernel that runs instructions, any number of times; it is compiled once and serves every loop.

An instruction is `WORDS` words: its kind, then what that needs. The driver itself gets a table, as any kernel does; `table`
makes it.
"""

import numpy as np

from eagerdl.jit import copies
from eagerdl.jit.fuse import is_dense
from eagerdl.jit.graph import Value
from eagerdl.machine import compiler, native

KERNEL, UFUNC, COPY, CAREFUL, MOVE_1, MOVE_4, MOVE_8 = range(7)
WORDS = 6  # of an instruction
TO = 1  # the word of a copy that holds where it goes; the next one holds where it comes from
DONE = 6  # the word of the driver's table that says how many runs there were; below 0 where one failed

DRIVER = """def kernel(P):
    n, code, count = word(P, 0), word(P, 1), word(P, 2)
    moves, moving, flag = word(P, 3), word(P, 4), word(P, 5)
    nowhere = word(P, 7)
    i = 0
    while i < n:
        if flag != 0 and not again_b1(flag, 0):
            break
        for m in range(moving):
            place = moves + 24 * m
            set_word(word(place, 0), word(place, 1) + i * word(place, 2))
        for c in range(count):
            at = code + 48 * c
            kind = word(at, 0)
            if kind == 0:
                call_kernel(word(at, 1), nowhere, word(at, 2))
            elif kind == 1:
                call_loop(word(at, 1), word(at, 2), word(at, 3), word(at, 4), word(at, 5))
            elif kind == 2:
                copy_bytes(word(at, 1), word(at, 2), word(at, 3))
            elif kind == 3:
                call_kernel(word(at, 1), nowhere, word(at, 2))
                if word(word(at, 3), 0) < 0:
                    set_word(P + 48, -1)
                    return
            elif kind == 4:
                store_u1_0(word(at, 1), 0, again_u1(word(at, 2), 0))
            elif kind == 5:
                store_u4_0(word(at, 1), 0, again_u4(word(at, 2), 0))
            else:
                set_word(word(at, 1), word(word(at, 2), 0))
        i += 1
    set_word(P + 48, i)
"""


class NotDriven(Exception):
    """What cannot be a list of instructions."""


class Instructions:
    """Instructions that are being written.

    Args:
        arrays: value -> the array that it is.

    Attributes:
        code: the instructions, an array of words for each.
        addresses: (table, index, value) for each word that holds the address of a value.
        tables: what has to live as long as they do.

    In a table an array stands for its address, and so does a pair of a value and an array that lies in it.
    """

    def __init__(self, arrays):
        self.arrays, self.code, self.addresses, self.tables = arrays, [], [], []

    def add(self, *words):
        """Adds an instruction."""
        self.code.append(instruction(*words))
        return self.code[-1]

    def table(self, words):
        """Makes the table of a kernel; gives its address."""
        arrays = [word[1] if isinstance(word, tuple) else word for word in words]
        table = native.table(arrays)
        self.tables += [table, *[one for one in arrays if isinstance(one, np.ndarray)]]
        self.addresses += [
            (table, i, word[0]) for i, word in enumerate(words) if isinstance(word, tuple) and word[0] is not None
        ]
        return native.address(table)

    def call(self, source, *words, careful=None):
        """Calls a kernel of this source.

        Args:
            words: its table.
            careful: the word of the table that is below 0 where it failed.
        """
        place, at = compiler.kernel(source).run.place, self.table(words)
        self.add(KERNEL if careful is None else CAREFUL, place, at, *([] if careful is None else [at + 8 * careful]))

    def copy(self, target, source):
        """Copies the elements of an array to another."""
        to, given = target[1], source[1]
        if given.shape != to.shape or given.dtype != to.dtype:
            raise NotDriven
        if is_dense(to) and is_dense(given):
            kind = {1: MOVE_1, 4: MOVE_4, 8: MOVE_8}.get(to.nbytes, COPY)
            words = self.add(kind, native.address(to), native.address(given), to.nbytes)
            self.addresses += [
                (words, TO + i, value) for i, (value, _) in enumerate((target, source)) if value is not None
            ]
            return words
        axes = copies.axes_of(to, given)
        if axes is None:
            raise NotDriven
        self.call(copies.source_of(to.itemsize), target, source, *axes)
        return None

    def place(self, value):
        """A value with the array that it is."""
        if not isinstance(value, Value) or value not in self.arrays:
            raise NotDriven
        return value, self.arrays[value]


def instruction(*words):
    """An instruction as an array."""
    return np.array([*words, *[0] * (WORDS - len(words))], np.int64)


def kernel():
    """The compiled driver."""
    return compiler.kernel(DRIVER).run


def assembled(code):
    """Instructions, each an array of words, as one array."""
    return np.concatenate([*code, np.zeros(WORDS, np.int64)])


def table(n, instructions, moves=(), flag=0):
    """The table of the driver, which holds the addresses of what it is given: whoever keeps it has to keep that, too.

    Args:
        n: how many runs.
        instructions: what `assembled` gives.
        moves: the words that change from run to run, an array of (address of the word, what it is in the first run, by how much it
            changes).
        flag: the address of a bool that says whether to go on; 0 for always.
    """
    count, where = len(instructions) // WORDS - 1, native.address(moves) if len(moves) else 0
    return np.array([n, native.address(instructions), count, where, len(moves), flag, 0, native.NOWHERE], np.int64)
