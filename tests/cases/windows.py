import numpy as np
from cases.builders import case, fails

from eagerdl.errors import DTypeError, ShapeError


def float32(function):
    return lambda *args: function(*args).astype("float32")


CASES = {
    "bartlett": [case(n, reference=float32(np.bartlett)) for n in (0, 1, 2, 7)],
    "blackman": [case(n, reference=float32(np.blackman)) for n in (0, 1, 2, 7)],
    "hamming": [case(n, reference=float32(np.hamming)) for n in (0, 1, 2, 7)],
    "hanning": [case(np.array(n), reference=float32(np.hanning), order=0) for n in (0, 1, 2, 7)],
    "kaiser": [case(n, 8.6, reference=float32(np.kaiser)) for n in (0, 1, 2, 7)],
}  # fmt: skip

FAILURES = [
    fails("bartlett", -1, error=ShapeError, match=r"\[bartlett\] sizes cannot be negative"),
    fails("kaiser", 2.5, 1.0, error=DTypeError, match=r"\[kaiser\] x is an integer"),
]  # fmt: skip
