import numpy as np
from cases.builders import case, complex_normal, distinct, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError

IDS = np.array([0, 3, 0, 5, 3, 3, -1, 7], "int32")  # segments 1, 2 and 4 are empty; -1 and 7 belong to none of 6
ZEROS = np.array(
    [[2.0, 0.0, 1.5], [0.0, 0.0, 3.0], [0.5, -2.0, 0.0], [1.0, 4.0, 2.0], [3.0, 2.0, -1.0], [0.0, 1.0, 0.7]]
)
ZERO_IDS = np.array([1, 0, 1, 1, 0, 0], "int32")


def _segments(reduce, fill):
    def reference(data, segment_ids, num_segments=None, sorted=False):
        ids = np.asarray(segment_ids)
        count = int(ids.max(initial=-1)) + 1 if num_segments is None else num_segments
        out = np.full((count, *data.shape[1:]), fill, data.dtype)
        for segment in range(count):
            if (ids == segment).any():
                out[segment] = reduce(data[ids == segment], axis=0)
        return out

    return reference


def _scatter(indices, values, shape):
    out = np.zeros(shape, np.asarray(values).dtype)
    np.add.at(out, tuple(np.moveaxis(np.asarray(indices), -1, 0)), values)
    return out


def _scatter_update(inputs, indices, updates, reduction=None):
    out, key = inputs.copy(), tuple(np.moveaxis(np.asarray(indices), -1, 0))
    if reduction is None:
        indices = np.asarray(indices)
        rows = np.broadcast_to(updates, (*indices.shape[:-1], *out.shape[len(key) :]))
        for index in np.ndindex(indices.shape[:-1]):
            out[tuple(indices[index])] = rows[index]
    else:
        at = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}[reduction.lower()].at
        at(out, key, updates)
    return out


def _segment_cases(reduce, fill, draw):
    reference = _segments(reduce, fill)
    low = {-np.inf: np.iinfo("int32").min, np.inf: np.iinfo("int32").max}.get(fill, fill)
    order = 2 if np.isfinite(fill) else 0  # finite differences of the infinities of empty segments are NaN
    return [
        case(draw(8), IDS, 6, reference=reference, order=order), case(draw(8, 2, 3), IDS, 6,
             reference=reference, order=order),
        case(draw(6, 2), np.array([0, 0, 1, 1, 1, 2]), sorted=True, reference=reference),
        case(draw(5), [0, 1, 0, 1, 1], num_segments=2, reference=reference), case(draw(4, 2), np.array([1, 0, -1, 2]),
             2, reference=reference),
        case(draw(0, 2), np.zeros(0, "int32"), 3, reference=reference, order=order), case(draw(2, 0), np.array([0, 1]),
             reference=reference),
        case(integers(-9, 9, 8, 2), IDS, 6, reference=_segments(reduce, low), order=0),
        case(draw(500, 40), integers(0, 50, 500), 50, reference=reference, order=1, dtypes=("float32",),
             sweep_rtol=100.0),
    ]  # fmt: skip


CASES = {
    "segment_sum": [*_segment_cases(np.sum, 0, normal), case(complex_normal(6), ZERO_IDS, 3,
        reference=_segments(np.sum, 0), dtypes=())],
    "segment_max": _segment_cases(np.max, -np.inf, distinct),
    "segment_min": _segment_cases(np.min, np.inf, distinct),
    "segment_prod": [
        *_segment_cases(np.prod, 1, lambda *shape: 0.7 + 0.1 * normal(*shape)),
        case(ZEROS, ZERO_IDS, 3, reference=_segments(np.prod, 1), order=3),
        case(ZEROS * 0, ZERO_IDS, 3, reference=_segments(np.prod, 1), order=3),
        case(complex_normal(6), ZERO_IDS, 3, reference=_segments(np.prod, 1), dtypes=()),
    ],
    "scatter": [
        case(np.array([[0], [2], [0], [-1]]), normal(4), (4,), reference=_scatter),
        case(np.array([[0, 1], [2, 2], [0, 1]]), normal(3), (3, 3), reference=_scatter),
        case(np.array([[0], [1], [0]]), normal(3, 2), (2, 2), reference=_scatter),
        case(integers(0, 3, 2, 4, 1), normal(2, 4, 5), (3, 5), reference=_scatter),
        case([[1], [1]], np.array([2, 3]), 3, reference=_scatter, order=0),
        case(np.zeros((0, 1), "int32"), normal(0, 2), (3, 2), reference=_scatter),
        case(np.zeros((3, 1), "int32"), 1.0, (2,), reference=lambda i, v, s: np.array([3.0, 0.0])),
    ],
    "scatter_update": [
        case(normal(3, 4), np.array([[0, 1], [2, -1], [0, 1]]), normal(3), reference=_scatter_update),
        case(normal(3, 4), np.array([[0], [2], [0]]), normal(3, 4, salt=1), reference=_scatter_update),
        case(normal(3, 4), np.array([[0], [2]]), normal(4, salt=1), reference=_scatter_update),
        *[case(normal(3, 4), np.array([[0], [2], [0]]), normal(3, 4, salt=1), reduction=name, reference=_scatter_update)
          for name in ("add", "mul", "ADD")],
        case(normal(4), np.array([[1], [1], [2]]), np.array([0.0, 0.0, 2.0]), "mul", reference=_scatter_update),
        *[case(distinct(3, 4), np.array([[0], [2], [0]]), distinct(3, 4, salt=1) + 0.1, reduction=name,
             reference=_scatter_update)
          for name in ("max", "min")],
        case(integers(0, 9, 4), [[1], [1]], [5, 7], reference=_scatter_update, order=0),
        case(integers(0, 9, 4), [[1], [1]], [-5, 70], "max", reference=_scatter_update, order=0),
        case(normal(3, 4), np.zeros((2, 0), "int32"), normal(2, 3, 4), reference=lambda x, i, u: u[1]),
    ],
}  # fmt: skip

FAILURES = [
    fails("segment_sum", normal(3), integers(0, 3, 4), error=ShapeError,
          match=r"\[segment_sum\] segment_ids is a vector.*data \(3,\)"),
    fails("segment_max", normal(3, 2), integers(0, 3, 3, 2), error=ShapeError,
          match=r"\[segment_max\] segment_ids is a vector"),
    fails("segment_min", normal(3), normal(3), error=DTypeError,
          match=r"\[segment_min\] segment_ids must be integers; got float64"),
    fails("segment_prod", normal(3), integers(0, 3, 3), -1, error=ArgumentError,
          match=r"num_segments is an int of at least 0"),
    fails("segment_sum", normal(3), integers(0, 3, 3), 2.0, error=ArgumentError,
          match=r"num_segments is an int of at least 0; got 2.0"),
    fails("scatter", [[4]], [1.0], (4,), error=RangeError,
          match=r"\[scatter\] indices must lie inside axis 0 of size 4; got 4"),
    fails("scatter", [[0, 0]], [1.0], (4,), error=ShapeError, match=r"names at most the 1 axes"),
    fails("scatter", [[0]], normal(2), (4,), error=ShapeError, match=r"values must have shape \(1,\)"),
    fails("scatter", [[0.5]], [1.0], (4,), error=DTypeError, match=r"indices must be integers"),
    fails("scatter_update", normal(3), [[3]], [1.0], error=RangeError,
          match=r"\[scatter_update\] indices must lie inside axis 0 of size 3"),
    fails("scatter_update", normal(3), [[1]], [1.0], "mean", error=ArgumentError,
          match=r"reduction is one of None, 'add'.*got 'mean'"),
    fails("scatter_update", normal(3, 2), [[1]], normal(3), error=ShapeError,
          match=r"updates must have shape \(1, 2\)"),
    fails("scatter_update", normal(3), [[1]], complex_normal(1), error=DTypeError,
          match=r"updates of float64 inputs are real"),
]  # fmt: skip
