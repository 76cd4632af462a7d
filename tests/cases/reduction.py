import numpy as np
from cases.builders import case, distinct, fails, integers, normal

from eagerdl.errors import ArgumentError, ShapeError


def over_axes(x, **options):
    return [case(x, **options), case(x, axis=1, **options), case(x, axis=(0, -1), keepdims=True, **options), case(x, axis=[0], **options)]


CASES = {
    "sum": [*over_axes(normal(2, 3, 4), reference=lambda x, axis=None, **k: np.sum(x, tuple(axis) if axis.__class__ is list else axis, **k)),
            case(normal(0, 3), axis=0), case(normal()), case(integers(0, 9, 3), order=0)],
    "mean": [case(normal(2, 3, 4)), case(normal(2, 3, 4), axis=(0, 2), keepdims=True), case(normal())],
    "max": [case(distinct(2, 3, 4)), case(distinct(2, 3, 4), axis=1), case(distinct(2, 3), axis=(0, 1), keepdims=True), case(np.zeros(0), initial=1.0)],
    "min": [case(distinct(2, 3, 4)), case(distinct(2, 3, 4), axis=1), case(distinct(2, 3), axis=(0, 1), keepdims=True)],
    "amax": case(distinct(2, 3), axis=0),
    "amin": case(distinct(2, 3), axis=0),
}  # fmt: skip

FAILURES = [
    fails("sum", normal(2, 3), axis=2, error=ShapeError, match=r"\[sum\] axis must name one of the 2 axes; got axis=2; allowed are from -2 to 1"),
    fails("sum", normal(2, 3), axis=(0, -2), error=ShapeError, match=r"each axis may come once"),
    fails("max", np.zeros((0, 3)), axis=0, error=ArgumentError, match=r"\[max\] at least one element"),
]
