import numpy as np
from cases.builders import booleans, case, complex_normal, distinct, fails, integers, normal, positive

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

PAIRS = [
    (normal(3, 4), normal(3, 4, salt=1)),
    (normal(3, 4), normal(4)),
    (normal(2, 1, 3), normal(4, 1)),
    (normal(), normal(2)),
]
NEAR = integers(0, 3, 4, 5), integers(0, 3, 5, salt=1)


def pairs(**options):
    return [case(*pair, **options) for pair in PAIRS]


CASES = {
    "add": [*pairs(), case(normal(3), 2), case(complex_normal(3), normal(3))],
    "subtract": [*pairs(), case(2.5, normal(3))],
    "multiply": [*pairs(), case(normal(3), 2), case(complex_normal(3), complex_normal(3, salt=1))],
    "divide": [case(normal(3, 4), positive(3, 4)), case(normal(2, 3), positive(3)), case(1.0, positive(3))],
    "true_divide": case(normal(3, 4), positive(4)),
    "negative": case(normal(3, 4)),
    "positive": case(normal(3, 4)),
    "absolute": [case(distinct(3, 4)), case(complex_normal(3), dtypes=())],
    "abs": case(distinct(3, 4)),
    "conj": [case(complex_normal(3), dtypes=()), case(normal(2))],
    "conjugate": case(complex_normal(3), dtypes=()),
    "sign": case(distinct(3, 4)),
    "square": case(normal(3, 4)),
    "maximum": [case(distinct(3, 4), distinct(3, 4, salt=1) + 0.1), case(distinct(3, 4), 0.05)],
    "minimum": [case(distinct(3, 4), distinct(3, 4, salt=1) + 0.1), case(distinct(3, 4), 0.05)],
    "where": [case(booleans(3, 4), normal(3, 4), normal(4)), case(booleans(3), normal(2, 3), 0.0), case(booleans(2, 3))],
    **{name: [case(*NEAR, order=0), case(normal(3), normal(3, salt=1), order=0)]
       for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")},
}  # fmt: skip

FAILURES = [
    fails(
        "add", normal(2, 3), normal(4), error=ShapeError, match=r"\[add\] shapes must broadcast.*x1 \(2, 3\).*x2 \(4,\)"
    ),
    fails("add", normal(2), "text", error=DTypeError, match=r"\[add\].*encode text"),
    fails("add", normal(2), None, error=DTypeError, match=r"\[add\].*NoneType None"),
    fails("add", np.ones(2, "int8"), 300, error=ArgumentError, match=r"\[add\].*must fit into int8"),
    fails(
        "multiply", [[1.0, 2.0], [3.0]], 2.0, error=ShapeError, match=r"\[multiply\] nested lists must be rectangular"
    ),
    fails(
        "where",
        booleans(3),
        normal(2),
        0.0,
        error=ShapeError,
        match=r"\[where\] shapes must broadcast.*condition \(3,\)",
    ),
    fails("where", booleans(3), normal(3), error=ArgumentError, match=r"x1 and x2 come together"),
]
