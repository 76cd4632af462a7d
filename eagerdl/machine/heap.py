"""The heap of the process: freed memory stays there, for the next array.

Eager code makes and frees an array with each op. glibc gives what is freed at the end of its heap back to the system, which then
has to find and clear each page anew: for arrays of megabytes that takes longer than to compute them. It learns from what is freed:
a block from outside of the heap that is given back raises the size up to which blocks come from the heap, and twice that much
stays there. So one block of the largest size that it learns from, asked for and given back without being touched, is enough.

Source: mallopt(3), M_MMAP_THRESHOLD, "dynamic mmap threshold".
"""

import contextlib

import numpy as np

LARGEST = 32 << 20  # bytes: glibc learns from no larger ones
HEADER = 16 << 10  # room for what glibc and NumPy add


def keep_freed_memory():
    """Has glibc keep up to 64 MiB of what was freed; elsewhere, and where memory is scarce, it does nothing."""
    with contextlib.suppress(MemoryError):
        np.empty(LARGEST - HEADER, np.uint8)
