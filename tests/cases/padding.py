import numpy as np
from cases.builders import case, distinct, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def pads(mode, **options):
    return [case(normal(4, 3), [(1, 2), (2, 0)], mode=mode, **options), case(normal(5), 3, mode=mode, **options)]


MATRIX = normal(3, 4)

CASES = {
    "pad": [case(MATRIX, 1), case(MATRIX, (1, 2)), case(MATRIX, [(0, 1), (2, 0)]), case(MATRIX, [(1,), (2,)]),
            case(normal(), 2),
            case(normal(0, 2), 1), case(MATRIX, np.array([[1, 0], [0, 1]])), case(MATRIX, 1, constant_values=1.5),
            case(MATRIX, 1, constant_values=normal()), case(MATRIX, 2, constant_values=normal(2)),
            case(MATRIX, [(1, 2), (0, 1)], constant_values=normal(2, 2)),
            case(np.array([[np.inf, 1.0]]), 1, constant_values=normal(), order=0),
            case(integers(0, 9, 4), 2, constant_values=7, order=0),
            *[row for mode in ("edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum", "minimum",
                               "mean") for row in pads(mode)],
            *pads("median"), case(distinct(4, 6), [(1, 1), (0, 2)], mode="median"), case(normal(2, 3), 1, "reflect"),
            case(normal(1, 3), 2, mode="reflect"), case(normal(2), 7, mode="reflect"),
            case(normal(2), 7, mode="symmetric"),
            case(normal(3), (0, 8), mode="wrap"), case(normal(0, 2), [(0, 0), (1, 1)], mode="edge"),
            case(normal(3), 2, mode="circular", reference=lambda x, w, mode: np.pad(x, w, "wrap")),
            case(normal(3), 2, mode="empty", reference=lambda x, w, mode: np.pad(x, w)),
            case(integers(0, 9, 4), 2, mode="mean", order=0), case(integers(0, 9, 4), 2, mode="reflect", order=0)],
}  # fmt: skip

FAILURES = [
    fails("pad", normal(2), 1, mode="mirror", error=ArgumentError,
          match=r"\[pad\] mode is one of constant, empty, edge.*got 'mirror'"),
    fails("pad", normal(2), 1, mode="edge", constant_values=1, error=ArgumentError,
          match=r"constant_values belong to mode='constant'"),
    fails("pad", normal(2), -1, error=ShapeError, match=r"widths cannot be negative; got -1; cut with a slice"),
    fails("pad", normal(2, 2), [(1, 1)] * 3, error=ShapeError,
          match=r"or a pair for each axis.*x \(2, 2\); give 2 pairs"),
    fails("pad", normal(2, 2), [(1, 1), (1,)], error=ShapeError, match=r"or a pair for each axis"),
    fails("pad", normal(2), 1.5, error=DTypeError, match=r"pad_width is made of ints"),
    fails("pad", normal(0), 1, mode="edge", error=ShapeError,
          match=r"mode 'edge' needs an element.*axis 0 of x \(0,\) is empty"),
    fails("pad", normal(2), 1, constant_values=1j, error=DTypeError, match=r"complex constant_values need a complex x"),
    fails("pad", normal(2), 1, constant_values=normal(3), error=ShapeError,
          match=r"constant_values are one number, a pair"),
]  # fmt: skip
