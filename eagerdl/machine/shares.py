"""Into how many shares the work of a step is cut, so that threads do it at the same time.

What a share computes is the same wherever it is computed: elements and rows of kernels, single products of stacks.
"""

import itertools
import math

import numpy as np

from eagerdl.kernels import threads
from eagerdl.machine import native

# Rough speeds.
BYTES_PER_SECOND, CALLS_PER_SECOND, FORMULAS_PER_SECOND, OPERATIONS_PER_SECOND = 8e9, 4e8, 2e9, 5e10
WORTH_A_THREAD = 10e-6  # seconds of work that a thread has to get
# Products of more multiplications OpenBLAS shares itself (its SMP_THRESHOLD_MIN times GEMM_MULTITHREAD_THRESHOLD).
SHARED_BY_BLAS = 1 << 18

STACK = """def kernel(P):
    code, data, places = word(P, 0), word(P, 1), word(P, 2)
    for row in range(word(P, 5)):
        at = P + 48 + 24 * row
        for i in range(3):
            set_word(places + 8 * i, word(at, i))
        call_loop(code, data, places, word(P, 3), word(P, 4))
"""


def count(seconds):
    """How many threads are worth it for so much work."""
    return min(threads.cores(), max(int(seconds / WORTH_A_THREAD), 1))


def kernel_seconds(nbytes, elements, calls, formulas):
    """About what a kernel takes that moves so many bytes, with so many calls of functions and formulas for each of its elements."""
    return nbytes / BYTES_PER_SECOND + elements * (calls / CALLS_PER_SECOND + formulas / FORMULAS_PER_SECOND)


def stack_tables(a, b, out):
    """Tables of the kernel STACK, which together compute ``out = a @ b`` for many matrices by the loop of NumPy's ufunc.

    Args:
        a, b, out: arrays (..., n, k), (..., k, m), (..., n, m); they lie where they will lie.

    Returns:
        A list of tuples of arrays, the table first; the others have to be kept with it. Empty where one call does as well: for few
        products, and for large ones, each of which BLAS shares.
    """
    outer, (n, m), k = out.shape[:-2], out.shape[-2:], a.shape[-1]
    code = native.loop(np.matmul, (a.dtype, b.dtype, out.dtype)) if outer and out.size and k else None
    parts = count(2 * out.size * k / OPERATIONS_PER_SECOND)
    if code is None or n * m * k > SHARED_BY_BLAS or parts == 1:
        return []
    arrays = [np.broadcast_to(x, (*outer, *x.shape[-2:])) for x in (a, b)] + [out]
    rows = list(itertools.product(*[range(size) for size in outer[:-1]]))
    few = len(rows) < 2 * parts  # then each row is cut
    cut, made = outer[-1] if few else len(rows), []
    for begin, end in itertools.pairwise([cut * part // parts for part in range(parts + 1)]):
        if begin == end:
            continue
        mine, first, inner = (rows, begin, end - begin) if few else (rows[begin:end], 0, outer[-1])
        sizes = np.array([inner, n, k, m], np.int64)
        steps = [x.strides[-3] for x in arrays] + [stride for x in arrays for stride in x.strides[-2:]]
        steps, places = np.array(steps, np.int64), np.zeros(3, np.int64)
        starts = [
            native.address(x) + sum(map(math.prod, zip((*row, first), x.strides))) for row in mine for x in arrays
        ]
        head = [*code, *[native.address(one) for one in (places, sizes, steps)], len(mine)]
        made.append((np.array([*head, *starts], np.int64), places, sizes, steps))
    return made
