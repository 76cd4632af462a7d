import numpy as np
from cases.builders import booleans, case, complex_normal, fails, integers, normal

from eagerdl.errors import DTypeError

SPECIAL = np.array([0.0, -0.0, 1.5, np.nan, np.inf, -np.inf])
BITS = integers(0, 200, 5), integers(0, 200, 5, salt=1)
SHIFTS = integers(0, 200, 5), integers(0, 5, 5, salt=1)

CASES = {
    **{name: [case(booleans(5), booleans(5, salt=1), order=0), case(normal(3), 0.0, order=0)]
       for name in ("logical_and", "logical_or", "logical_xor")},
    "logical_not": [case(booleans(5), order=0), case(SPECIAL, order=0)],
    **{name: [case(*BITS, order=0), case(booleans(3), booleans(3, salt=1), order=0)]
       for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "bitwise_not": [case(BITS[0], order=0), case(booleans(3), order=0)],
    "bitwise_invert": case(BITS[0], order=0),
    **{name: case(*SHIFTS, order=0) for name in ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift")},
    **{name: [case(SPECIAL, order=0), case(integers(0, 3, 4), order=0)]
       for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal")},
    "signbit": case(SPECIAL[[0, 1, 2, 4, 5]], order=0),
    "isclose": [case(SPECIAL, SPECIAL + 1e-9, order=0, dtypes=()), case(SPECIAL, SPECIAL, equal_nan=True, order=0), case(integers(0, 3, 4), 1, order=0)],
    "allclose": [case(normal(3), normal(3), order=0), case(normal(3), 0.0, order=0)],
    "divide_no_nan": case(normal(4), np.array([1.0, 0.0, 2.0, 0.0]), order=0, reference=lambda a, b: np.where(b == 0, 0, a / np.where(b == 0, 1, b))),
}  # fmt: skip
CASES["isreal"].append(case(complex_normal(3), order=0, dtypes=()))

FAILURES = [
    fails("bitwise_and", normal(2), 1, error=DTypeError, match=r"\[bitwise_and\] integers are needed"),
    fails("left_shift", booleans(2), True, error=DTypeError, match=r"\[left_shift\] integers are needed"),
]
