import numpy as np
from cases.builders import booleans, case, distinct, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError

NAN = np.nan
TIES = np.array([[2, 1, 2, 0, 1], [3, 3, 3, 1, 3]])
REPEATED = np.array([[0.5, -1.25, 0.5], [2.0, -1.25, 0.75]])


def ordered(x, axis=-1, descending=False, stable=True):
    """Sorted by Python, which is stable."""
    x, axis = (x.ravel(), 0) if axis is None else (x, axis)
    return np.apply_along_axis(lambda line: np.array(sorted(line, reverse=descending)), axis, x)


def argordered(x, axis=-1, descending=False, stable=True):
    x, axis = (x.ravel(), 0) if axis is None else (x, axis)
    return np.apply_along_axis(
        lambda line: np.array(sorted(range(len(line)), key=lambda i: line[i], reverse=descending)), axis, x
    )


def largest(x, k, sorted=True):
    index = argordered(x, descending=True)[..., :k]
    return np.take_along_axis(x, index, -1), index


def in_largest(targets, predictions, k):
    return np.array(
        [np.sum(row > row[t]) < k and row[t] == row[t] for t, row in zip(targets, predictions, strict=True)]
    )


def filled(a, size, value):
    """The first `size` elements of a, filled up with `value`."""
    more = max(size - len(a), 0)
    return np.concatenate([a[:size], np.full((more, *a.shape[1:]), value, a.dtype)])


def distinct_ones(x, axis=None, size=None, fill_value=None, **wanted):
    """np.unique with Keras' size and fill_value."""
    values, index, inverse, counts = np.unique(x, True, True, True, axis)
    if size is not None:
        values = filled(values, size, values[0] if fill_value is None else fill_value)
        index, counts = filled(index, size, index[0]), filled(counts, size, 0)
    extras = {"return_index": index, "return_inverse": inverse, "return_counts": counts}
    return (values, *[extra for name, extra in extras.items() if wanted.get(name)])


def everything(x):
    return tuple(np.unique_all(x))


CASES = {
    "sort": [
        case(distinct(2, 3, 4)),
        case(distinct(2, 3, 4), 1),
        case(distinct(2, 3), axis=None, reference=ordered),
        case(distinct(4), descending=True, reference=ordered),
        case(distinct(3, 2), 0, descending=True, stable=False, reference=ordered),
        case(np.array([3.0, NAN, 1.0]), order=0),
        case(TIES, order=0),
        case(np.array([1.0, 2.0, 1.0, 2.0]), order=0),
        case(normal(0)),
        case(normal(2, 0)),
        case(booleans(5), order=0),
        case(integers(0, 255, 9, dtype="uint8"), descending=True, order=0, reference=ordered),
    ],
    "argsort": [
        case(distinct(2, 3, 4)),
        case(distinct(2, 3, 4), 1),
        case(distinct(2, 3), axis=None),
        case(distinct(4), descending=True, reference=argordered),
        case(TIES, order=0, reference=argordered),
        case(TIES, descending=True, order=0, reference=argordered),
        case(TIES, 0, descending=True, order=0, reference=argordered),
        case(distinct(5), stable=False),
        case(np.array([3.0, NAN, 1.0]), order=0),
        case(normal(0, 2), 0),
    ],
    "argpartition": [
        case(distinct(3), 0),
        case(distinct(3, 2), 1, axis=0),
        case(distinct(2, 3), 4, axis=None),
        case(distinct(5), (0, 2)),
    ],
    "top_k": [
        case(distinct(2, 5), 2, reference=largest),
        case(distinct(5), 5, reference=largest),
        case(distinct(2, 3, 4), k=1, reference=largest),
        case(TIES, 3, order=0, reference=largest),
        case(distinct(3), 0, reference=largest),
        case(distinct(2, 40), 4, reference=largest),
        case(np.tile([1.0, 3.0, 2.0, 3.0], (2, 10)), 4, order=0, reference=largest),
        case(np.array([1.0, NAN, 2.0]), 2, order=0, reference=lambda x, k: (np.array([NAN, 2.0]), np.array([1, 2]))),
    ],
    "in_top_k": [
        case(np.array([0, 2]), np.array([[0.1, 0.3, 0.6], [0.2, 0.7, 0.1]]), 1, order=0, reference=in_largest),
        case(
            np.array([0, 2, 1]),
            np.array([[1.0, 2.0, 2.0], [1.0, 2.0, 2.0], [NAN, NAN, 0.0]]),
            2,
            order=0,
            reference=in_largest,
        ),
    ],
    "searchsorted": [
        case(np.array([1.0, 2.0, 2.0, 3.0]), np.array([[0.0, 2.0], [2.5, 9.0]]), order=0),
        case(np.array([1, 2, 2, 3]), np.array([2, 5]), side="right", order=0),
        case(np.array([3.0, 1.0, 2.0]), np.array([1.5, 2.0]), sorter=np.array([1, 2, 0]), order=0),
        case(np.array([1.0, 2.0]), 1.5, order=0),
        case(normal(0), normal(2), order=0),
    ],
    "nonzero": [
        case(integers(0, 2, 2, 3), order=0),
        case(np.array([0.0, 1.5, NAN]), order=0),
        case(np.zeros(3), order=0),
        case(booleans(4), order=0),
    ],
    "isin": [
        case(integers(0, 9, 2, 3), integers(0, 9, 4), order=0),
        case(REPEATED, np.array([0.5, 9.0]), order=0),
        case(integers(0, 9, 3), integers(0, 9, 2, 2), invert=True, order=0),
        case(np.array([1, 2, 3]), np.array([2]), assume_unique=True, order=0),
        case(normal(), normal(), order=0),
        case(normal(0), normal(2), order=0),
    ],
    "unique": [
        case(np.array([3, 1, 1, 2]), order=0),
        case(
            np.array([3, 1, 1, 2]),
            return_index=True,
            return_inverse=True,
            return_counts=True,
            order=0,
            reference=distinct_ones,
        ),
        case(REPEATED, return_inverse=True, order=0),
        case(np.array([[3, 1], [1, 2], [3, 1]]), axis=0, return_counts=True, order=0),
        case(distinct(2, 3)),
        case(distinct(3, 2), axis=1),
        case(np.array([3, 1, 1, 2]), size=5, return_index=True, return_counts=True, order=0, reference=distinct_ones),
        case(np.array([3, 1, 1, 2]), size=6, fill_value=-1, return_counts=True, order=0, reference=distinct_ones),
        case(np.array([3, 1, 1, 2]), size=2, return_counts=True, order=0, reference=distinct_ones),
        case(np.array([[3, 1], [1, 2], [3, 1]]), axis=0, size=4, fill_value=7, order=0, reference=distinct_ones),
        case(np.array([NAN, 1.0, NAN]), order=0),
        case(normal(0)),
    ],
    "unique_all": [
        case(TIES, order=0, reference=everything),
        case(distinct(2, 3), reference=everything),
        case(np.array([NAN, 1.0, NAN]), order=0, reference=everything),
    ],
    "unique_counts": [case(TIES, order=0), case(distinct(3)), case(np.array([NAN, 1.0, NAN]), order=0)],
    "unique_inverse": [case(TIES, order=0), case(distinct(3)), case(np.array([NAN, 1.0, NAN]), order=0)],
    "unique_values": [case(TIES, order=0, reference=np.unique), case(distinct(2, 2), reference=np.unique)],
}

FAILURES = [
    fails("sort", normal(2, 3), 2, error=ShapeError, match=r"\[sort\] axis must name one of the 2 axes; got axis=2"),
    fails("sort", normal(), error=ShapeError, match=r"\[sort\] axis must name.*shape \(\)"),
    fails("argsort", normal(2), axis=1, error=ShapeError, match=r"\[argsort\] axis must name"),
    fails(
        "argpartition", normal(3), 3, error=ArgumentError, match=r"\[argpartition\] a rank lies from 0 to 2; got kth=3"
    ),
    fails("argpartition", normal(3), 0.5, error=DTypeError, match=r"\[argpartition\] a rank is an int"),
    fails(
        "top_k",
        normal(2, 3),
        4,
        error=ArgumentError,
        match=r"\[top_k\] k lies from 0 to the size 3.*got k=4, x \(2, 3\)",
    ),
    fails("top_k", normal(3), -1, error=ArgumentError, match=r"\[top_k\] k lies from 0"),
    fails("top_k", normal(3), 1.5, error=DTypeError, match=r"\[top_k\] k is an int"),
    fails("top_k", normal(), 1, error=ShapeError, match=r"\[top_k\] an axis to choose from"),
    fails(
        "in_top_k",
        np.array([0, 3]),
        normal(2, 3),
        1,
        error=RangeError,
        match=r"must lie inside axis 1 of size 3; got 3",
    ),
    fails(
        "in_top_k",
        np.array([0.0, 1.0]),
        normal(2, 3),
        1,
        error=DTypeError,
        match=r"\[in_top_k\] targets are class numbers",
    ),
    fails(
        "in_top_k", np.array([[0, 0, 1]]), normal(1, 3), 1, error=ShapeError, match=r"\[in_top_k\] one target per row"
    ),
    fails(
        "searchsorted", normal(2, 2), 1.0, error=ShapeError, match=r"\[searchsorted\] the sorted sequence is a vector"
    ),
    fails(
        "searchsorted",
        normal(2),
        1.0,
        side="middle",
        error=ArgumentError,
        match=r"\[searchsorted\] side is 'left' or 'right'",
    ),
    fails("nonzero", normal(), error=ShapeError, match=r"\[nonzero\] an axis to count along"),
    fails("unique", normal(2, 3), axis=2, error=ShapeError, match=r"\[unique\] axis must name"),
    fails("unique", normal(0), size=2, error=ArgumentError, match=r"\[unique\] an empty tensor"),
]
