"""Freed memory stays in the heap, so that eager code does not wait for pages."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
{before}
import numpy as np
{after}

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

arrays = [np.ones(400_000, "float32") for _ in range(4)]
for turn in range(20):
    if turn == 10:
        begin = faults()
    made = [a * 2 for a in arrays]
    del made
print(faults() - begin)
"""


def faults(before="", after=""):
    """How many pages the system had to find while 40 arrays of 1.6 MB were made and freed."""
    program = PROGRAM.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have other heaps")
def test_what_is_freed_is_not_given_back():
    assert faults(after="import eagerdl") < 400 < faults()
