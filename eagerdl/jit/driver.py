"""The driver: the one kernel that runs instructions, any number of times; it is compiled once and serves every loop.

An instruction is `WORDS` words: its kind, then what that needs. The driver itself gets a table, as any kernel does; `table`
makes it.
"""

import numpy as np

from eagerdl.jit import compiler, native

KERNEL, UFUNC, COPY, CAREFUL, MOVE_1, MOVE_4, MOVE_8 = range(7)
WORDS = 6  # of an instruction
TO, FROM = 1, 2  # the words of a copy that hold where it goes and where it comes from
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


def kernel():
    """The compiled driver."""
    return compiler.kernel(DRIVER).run


def assembled(code):
    """Instructions, each an array of words, as one array."""
    return np.concatenate([*code, np.zeros(WORDS, np.int64)])


def table(n, instructions, moves=(), flag=0):
    """The table of the driver.

    Args:
        n: how many runs.
        instructions: what `assembled` gives.
        moves: the words that change from run to run, an array of (address of the word, what it is in the first run, by how much it
            changes).
        flag: the address of a bool that says whether to go on; 0 for always.
    """
    count, where = len(instructions) // WORDS - 1, native.address(moves) if len(moves) else 0
    return np.array([n, native.address(instructions), count, where, len(moves), flag, 0, native.NOWHERE], np.int64)
