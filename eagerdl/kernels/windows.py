"""Windows that slide over images: which element of the input meets which element of a kernel, for each output.

``input[out * stride - before + tap * dilation]``, where everything outside of the input is zero. What is called padding "same" or
"valid" decides `before` and how many outputs there are, and nothing else.
(Dumoulin & Visin, 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.)
"""

import itertools
from typing import NamedTuple

import numpy as np

from eagerdl import devices
from eagerdl.kernels import columns


class Window(NamedTuple):
    """Which input elements meet which kernel elements; one entry per spatial axis, and the number of channel groups."""

    size: tuple  # of the input
    out: tuple  # of the output
    kernel: tuple
    strides: tuple
    dilation: tuple
    before: tuple  # zeros in front of the input; negative if its first elements are skipped
    groups: int = 1

    def reach(self):
        """How far the kernel of one output reaches along each axis."""
        return tuple([(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)])

    def span(self):
        """The sizes of the padded input: all that windows reach, and all of the input."""
        return tuple(
            [
                max((n - 1) * s + r, b + size)
                for n, s, r, b, size in zip(self.out, self.strides, self.reach(), self.before, self.size, strict=True)
            ]
        )

    def inner(self):
        """Where the input lies in the padded input."""
        return tuple([slice(b, b + n) for b, n in zip(self.before, self.size, strict=True)])

    def taps(self):
        """For each kernel element: its index, and the slices of the padded input that hold what it meets."""
        per_axis = [
            [slice(t * d, t * d + (n - 1) * s + 1, s) for t in range(k)]
            for n, k, s, d in zip(self.out, self.kernel, self.strides, self.dilation, strict=True)
        ]
        return [
            (tap, tuple([slices[t] for slices, t in zip(per_axis, tap, strict=True)]))
            for tap in itertools.product(*[range(k) for k in self.kernel])
        ]

    def is_plain(self):
        """True if each output is made from the input at the same place alone."""
        ones = (1,) * len(self.size)
        return self.kernel == ones and self.strides == ones and self.size == self.out and not any(self.before)


def wide(*arrays):
    """The arrays in a dtype that the CPU can multiply fast: half precision is widened to float32 there."""
    return [x.astype(np.float32) if x.dtype.itemsize == 2 and isinstance(x, devices.ARRAYS) else x for x in arrays]


def padded(x, window, value=0):
    """x (n, *size, c) -> (n, *span, c), with `value` around; x itself if nothing is missing."""
    span = window.span()
    if span == window.size and not any(window.before):
        return x
    xp = devices.module_of(x)
    shape = (x.shape[0], *span, x.shape[-1])
    out = xp.full(shape, value, x.dtype) if value else xp.zeros(shape, x.dtype)
    _fill(out, x, window)
    return out


def _fill(out, x, window):
    """Writes x into the place of the input in the padded array `out`."""
    if min(window.before) < 0:
        x = x[(slice(None), *[slice(max(0, -b), None) for b in window.before])]
        places = [slice(max(0, b), max(0, b) + n) for b, n in zip(window.before, x.shape[1:-1], strict=True)]
    else:
        places = window.inner()
    out[(slice(None), *places)] = x


def patches(x, window):
    """x (n, *span, c) -> a view (groups, n, *out, *kernel, c / groups)."""
    shape = (window.groups, x.shape[0], *window.out, *window.kernel, x.shape[-1] // window.groups)
    return devices.module_of(x).lib.stride_tricks.as_strided(x, shape, columns.patch_strides(x, window))
