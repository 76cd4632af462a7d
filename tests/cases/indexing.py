import numpy as np
from cases.builders import booleans, case, complex_normal, fails, integers, normal, raw

from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError

KEYS = [1, -1, slice(1, None), slice(None, None, -1), (..., 0), (None, 1), (slice(None), None, slice(0, 2)),
    np.array([0, 2, 0]),
        (np.array([0, 2]), np.array([1, 1])), (slice(None), np.array([1, 1])), booleans(3, 4), [0, 1], (), (0, [1, 2]),
            ..., None,
        (np.array([[0], [-1]]), np.array([1, 1, -4])), (np.array([2, 2]), slice(None, None, 2)), (booleans(3, salt=1),
            1),
        (None, np.array([1, 1]), ..., None), np.array(2), [], np.array([0, 255 % 3], "uint8"), np.zeros((0, 2),
            int)]  # fmt: skip


def _slice(x, start, shape):
    return x[tuple(slice(b, None if n == -1 else b + n) for b, n in zip(start, shape, strict=True))]


def _slice_update(x, start, updates):
    out = x.copy()
    out[tuple(slice(b, b + n) for b, n in zip(start, updates.shape, strict=True))] = updates
    return out


CASES = {
    "unravel_index": [case(integers(0, 24, 5), (2, 3, 4), order=0), case(np.array(7), (8,), order=0),
                      case(np.array([-1, 2]), (2, 3), reference=lambda i, shape: np.unravel_index(i % 6, shape), order=0)],

    "get_item": [case(normal(3, 4), key, reference=lambda x, key: x[key]) for key in KEYS] + [
        case(normal(300, 80), integers(0, 300, 400), reference=lambda x, key: x[key], order=1),
        case(complex_normal(3), [0, 0, 2], reference=lambda x, key: x[key], dtypes=()),
    ],
    "take": [
        case(normal(3, 4), [2, -1, 0]), case(normal(3, 4), [2, -3, 0, 0], axis=0), case(normal(2, 3, 4), integers(0, 3,
             2, 2), 1),
        case(normal(2, 3, 4), 1, axis=-2), case(normal(3), np.zeros((0, 2), "int32"), 0), case(normal(2, 3), [], -1,
        reference=lambda x, i, a: x[:, :0]), case(normal(4, 3), np.array([3, 1], "uint8"), 0), case(integers(0, 9, 4),
            2, order=0),
    ],
    "take_along_axis": [
        case(normal(3, 4), integers(-4, 4, 3, 2), 1), case(normal(3, 4), integers(0, 3, 1, 4), 0),
        case(normal(1, 4), integers(0, 4, 3, 2), -1), case(normal(2, 2, 3), integers(0, 2, 2, 5, 3), axis=1),
        case(normal(2, 3), np.array([5, 0, -1]), None), case(normal(200, 100), integers(0, 100, 200, 90), 1, order=1),
    ],
    "slice": [
        case(normal(3, 4), (1, 2), (2, -1), reference=_slice), case(normal(3, 4), np.array([0, 1]), [3, 1],
             reference=_slice),
        case(normal(3), (-2,), (1,), reference=lambda x, b, n: x[1:2]), case(normal(3), (3,), (-1,), reference=_slice),
        case(normal(), (), (), reference=_slice),
    ],
    "slice_update": [
        case(normal(3, 4), (1, 2), normal(2, 1), reference=_slice_update), case(normal(3), (0,), normal(3, salt=1),
             reference=_slice_update),
        case(normal(3), np.array([1]), normal(0), reference=_slice_update),
        case(integers(0, 9, 4), (1,), [1.0], reference=lambda x, b, u: np.array([x[0], 1, *x[2:]]), order=0),
    ],
    "select": [
        case([booleans(3, 4), booleans(4, salt=1)], [normal(3, 4), normal(3, 1)]),
        case([booleans(5)], [normal(5)], 2.5), case([booleans(5), booleans(5, salt=1)], [normal(5), normal(5, salt=1)],
             normal(5, salt=2)),
    ],
}  # fmt: skip

FAILURES = [
    fails("unravel_index", integers(0, 9, 3) + 9, (2, 3), error=RangeError, match=r"\[unravel_index\] indices must lie inside the 6"),
    fails("unravel_index", normal(2), (2, 3), error=DTypeError, match=r"\[unravel_index\] indices must be integers"),

    fails("get_item", normal(3), 3, error=RangeError,
          match=r"\[getitem\] an index must lie inside its axis.*out of bounds"),
    fails("get_item", normal(3), [0, -4], error=RangeError, match=r"\[getitem\] an index must lie inside its axis.*-4"),
    fails("get_item", normal(3), (0, 0), error=ShapeError, match=r"\[getitem\] an index names at most the 1 axes"),
    fails("get_item", normal(3), 1.5, error=DTypeError, match=r"\[getitem\] an index is made of ints"),
    fails("get_item", normal(3), "a", error=DTypeError, match=r"\[getitem\] an index is made of ints.*got 'a'"),
    fails("get_item", normal(3), [0.5], error=DTypeError, match=r"\[getitem\] an index is made of ints"),
    fails("get_item", normal(3), booleans(4), error=ShapeError, match=r"\[getitem\]"),
    fails("take", normal(3, 4), [0, 4], axis=1, error=RangeError,
          match=r"\[take\] indices must lie inside axis 1 of size 4; got 4; .*from -4 to 3"),
    fails("take", normal(3), -4, error=RangeError, match=r"got -4"),
    fails("take", normal(0), 0, error=RangeError, match=r"none: it is empty"),
    fails("take", normal(3), 0.5, error=DTypeError, match=r"\[take\] indices must be integers; got float32"),
    fails("take", normal(3), booleans(3), error=DTypeError, match=r"got bool"),
    fails("take", normal(3), 0, axis=1, error=ShapeError, match=r"axis must name one of the 1 axes"),
    fails("take_along_axis", normal(3, 4), integers(4, 5, 3, 1), 1, error=RangeError,
          match=r"\[take_along_axis\] .* got 4"),
    fails("take_along_axis", normal(3, 4), integers(0, 3, 3), 1, error=ShapeError, match=r"equally many axes"),
    fails("take_along_axis", normal(3, 4), integers(0, 3, 2, 2), 1, error=ShapeError,
          match=r"equal or 1; x \(3, 4\), indices \(2, 2\)"),
    fails("take_along_axis", normal(3, 4), integers(0, 3, 2, 2), error=ShapeError,
          match=r"without an axis the indices are a vector"),
    fails("take_along_axis", normal(3), normal(3), 0, error=DTypeError, match=r"indices must be integers"),
    fails("slice", normal(3, 4), (1, 2), (2, 3), error=RangeError,
          match=r"\[slice\] .*axis 1 of size 4; it goes from 2 to 5"),
    fails("slice", normal(3, 4), (1,), (2, 3), error=ShapeError, match=r"must name every axis of inputs \(3, 4\)"),
    fails("slice", normal(3), (1,), (-2,), error=ShapeError, match=r"sizes are at least 0"),
    fails("slice", normal(3), (0.5,), (1,), error=DTypeError, match=r"start_indices must be integers"),
    fails("slice_update", normal(3), (2,), normal(2), error=RangeError,
          match=r"\[slice_update\] .*it goes from 2 to 4"),
    fails("slice_update", normal(3), (2,), normal(2, 2), error=ShapeError, match=r"updates of 2 axes"),
    fails("select", [booleans(3)], [normal(3), normal(3)], error=ArgumentError,
          match=r"got 1 conditions and 2 choices"),
    fails("select", [], [], error=ArgumentError, match=r"each condition needs its choice"),
    fails("select", [raw(np.ones(3))], [normal(3)], error=DTypeError, match=r"condlist\[0\] is float64"),
]  # fmt: skip
