"""Products of recurrent networks: of states, and inputs, with the kernels that are the same in each step.

A large kernel is packed once, and multiplied by kernels of our own (`machine.products`), line by line and in compiled loops: so
both have the same bits.
"""

import numpy as np

from eagerdl import devices
from eagerdl.machine import products
from eagerdl.ops import control_flow

LARGE = 1 << 14  # elements of a recurrent kernel that is worth packing
NEAR = 1 << 17  # elements of a kernel that stays in the cache from step to step


def is_packed(matrix, like):
    """Whether a kernel of our own multiplies with a recurrent kernel."""
    return matrix.size >= LARGE and products.serves(matrix, like)


def is_stepwise(kernel, x):
    """Whether inputs are multiplied with their kernel as states are: then a loop may do it step by step."""
    return kernel.size <= NEAR and is_packed(kernel, x)


class Turned:
    """A matrix (m, n) with which many h (b, n) are multiplied: h turned^T (b, m).

    By a kernel that packs it once if it is large, or by BLAS, which is fastest if it computes the transposed product.

    Args:
        xp: NumPy or CuPy.
        matrix: the matrix.
        like: the first h.
    """

    def __init__(self, xp, matrix, like):
        self.xp, self.matrix, self.rows = xp, matrix, len(like)
        self.factor = products.Factor(matrix.T) if is_packed(matrix, like) else None

    def room(self, n=None):
        """An array (b, n), by default (b, m), of a layout in which products can be stored."""
        n, dtype = len(self.matrix) if n is None else n, self.matrix.dtype
        return self.xp.empty((n, self.rows), dtype).T if self.factor is None else np.empty((self.rows, n), dtype)

    def stored(self, x):
        """A copy of x in such an array."""
        room = self.room(x.shape[1])
        room[...] = x
        return room

    def product(self, h, out):
        """h turned^T, in `out`."""
        if self.factor is not None:
            return self.factor.times(h, out)
        self.xp.matmul(self.matrix, h.T, out=out.T)
        return out


def product_by_rows(h, matrix, turned=True):
    """h (b, n), matrix (m, n), or else (n, m) -> (b, m), by rows, for traces: compiled loops have instructions for it."""
    made = Turned(devices.module_of(h), matrix if turned else matrix.T, h)
    return made.xp.ascontiguousarray(made.product(h, made.room()))


def traced_product(h, matrix, turned=True):
    """The same, as a call of the trace under way."""
    return control_flow.staged.call(product_by_rows, (h, matrix, turned), {})


def rows_of(x):
    """x (steps, batch, n) -> (steps * batch, n)."""
    return x.reshape(x.shape[0] * x.shape[1], x.shape[2])


def times(xp, x, kernel):
    """x (steps, batch, n), kernel (n, m) -> (steps, batch, m)."""
    rows = rows_of(x)
    if is_stepwise(kernel, rows):
        out = products.Factor(kernel).times(rows, np.empty((len(rows), kernel.shape[1]), kernel.dtype))
    else:
        out = xp.matmul(rows, kernel)
    return out.reshape(*x.shape[:2], kernel.shape[1])
