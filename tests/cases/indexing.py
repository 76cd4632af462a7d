import numpy as np
from cases.builders import booleans, case, fails, normal

from eagerdl.errors import DTypeError, RangeError, ShapeError

KEYS = [1, -1, slice(1, None), slice(None, None, -1), (..., 0), (None, 1), (slice(None), None, slice(0, 2)), np.array([0, 2, 0]),
        (np.array([0, 2]), np.array([1, 1])), (slice(None), np.array([1, 1])), booleans(3, 4), [0, 1], (), (0, [1, 2])]  # fmt: skip

CASES = {"get_item": [case(normal(3, 4), key, reference=lambda x, key: x[key]) for key in KEYS]}

FAILURES = [
    fails("get_item", normal(3), 3, error=RangeError, match=r"\[getitem\] an index must lie inside its axis.*out of bounds"),
    fails("get_item", normal(3), (0, 0), error=ShapeError, match=r"\[getitem\] an index names at most the 1 axes"),
    fails("get_item", normal(3), 1.5, error=DTypeError, match=r"\[getitem\] an index is made of ints"),
    fails("get_item", normal(3), booleans(4), error=ShapeError, match=r"\[getitem\]"),
]
