import numpy as np
from cases.builders import booleans, case, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def _one_hot(x, n, axis=-1, dtype="float32", sparse=False):
    return np.moveaxis((x[..., None] == np.arange(n)).astype(dtype), -1, axis)


def _multi_hot(x, num_classes, axis=-1, dtype="float32"):
    return np.moveaxis(_one_hot(x, num_classes).max(1 if x.ndim > 1 else 0, initial=0), -1, axis).astype(dtype)


CASES = {
    "one_hot": [
        case(integers(0, 4, 5), 4, reference=_one_hot), case(integers(-2, 6, 2, 3), 4, reference=_one_hot),
        case(integers(0, 4, 2, 3), 4, axis=0, reference=_one_hot), case(integers(0, 4, 2, 3), 4, axis=1, dtype="int32",
             reference=_one_hot),
        case(np.array(2), 3, sparse=False, reference=_one_hot), case(np.zeros((0, 2), "int32"), 3, dtype="bool",
             reference=_one_hot),
        case(booleans(3), 2, reference=_one_hot), case(np.array([255, 1], "uint8"), 256, dtype="float16",
             reference=_one_hot),
        case([], 3, reference=lambda x, n: np.zeros((0, 3))), case(np.array([1, 2]), 0, reference=_one_hot),
    ],
    "multi_hot": [
        case(integers(0, 4, 3), 6, reference=_multi_hot), case(integers(-2, 8, 4, 3), 6, reference=_multi_hot),
        case(integers(0, 4, 2, 3, 5), num_classes=4, reference=_multi_hot),
        case(integers(0, 4, 2, 3), num_classes=4, axis=0, dtype="int8", reference=_multi_hot),
        case(np.array(1), 3, reference=lambda x, n: np.array([0.0, 1.0, 0.0])),
        case(integers(0, 3, 2, 2), num_tokens=3, reference=lambda x, num_tokens: _multi_hot(x, num_tokens)),
        case(np.zeros((2, 0), "int32"), 3, reference=_multi_hot),
    ],
}  # fmt: skip

FAILURES = [
    fails("one_hot", normal(3), 4, error=DTypeError, match=r"\[one_hot\] labels are integers; got float64; cast"),
    fails("one_hot", integers(0, 3, 3), -1, error=ArgumentError, match=r"num_classes is an int of at least 0; got -1"),
    fails("one_hot", integers(0, 3, 3), 2.5, error=ArgumentError, match=r"got 2.5"),
    fails("one_hot", integers(0, 3, 3), 4, axis=3, error=ShapeError, match=r"axis must name one of the 2 axes"),
    fails("one_hot", integers(0, 3, 3), 4, sparse=True, error=ArgumentError, match=r"tensors are dense"),
    fails("multi_hot", normal(3), 4, error=DTypeError, match=r"\[multi_hot\] labels are integers"),
    fails("multi_hot", integers(0, 3, 3), error=ArgumentError, match=r"num_classes is an int of at least 0; got None"),
    fails("multi_hot", integers(0, 3, 3), 4, depth=3, error=ArgumentError, match=r"got depth"),
]  # fmt: skip
