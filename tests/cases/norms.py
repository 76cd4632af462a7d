import math

import numpy as np
from cases.builders import case, complex_normal, fails, integers, normal, positive, spread

from eagerdl.errors import ArgumentError, ShapeError

INF = math.inf


def unit(x, axis=-1, order=2, epsilon=1e-7):
    x = np.atleast_1d(x)
    return x / np.maximum(np.linalg.vector_norm(x, axis=axis, keepdims=True, ord=order), epsilon)


def distances(x, y):
    return np.sqrt(((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1))


CASES = {
    "vector_norm": [
        case(normal(2, 3, 4), reference=np.linalg.vector_norm),
        *[
            case(normal(3, 4) + 0.2, axis=axis, ord=ord, keepdims=keep, reference=np.linalg.vector_norm, sweep_rtol=2.0)
            for axis, keep, ord in (
                (0, False, 2),
                ((0, 1), True, 1),
                (-1, False, INF),
                (1, True, -INF),
                (0, False, 3),
                (None, False, 2.5),
                (1, False, -1),
            )
        ],
        case(normal(3, 4), axis=1, ord=0, order=0, reference=np.linalg.vector_norm),
        case(complex_normal(3, 4), axis=1, dtypes=(), reference=np.linalg.vector_norm),
        case(complex_normal(3, 4), axis=1, ord=3, dtypes=(), reference=np.linalg.vector_norm),
        case(normal(), reference=np.linalg.vector_norm),
        case(normal(0, 3), axis=0, reference=np.linalg.vector_norm),
        case(integers(0, 9, 3), order=0, reference=np.linalg.vector_norm, rtol=1e-6),
    ],
    "normalize": [
        case(normal(3, 4), reference=unit),
        case(normal(3, 4), axis=0, order=1, reference=unit),
        case(normal(3, 4), axis=(0, 1), reference=unit),
        case(normal(3, 4), order=3, reference=unit, sweep_rtol=2.0),
        case(normal(3), epsilon=50.0, reference=unit),
        case(normal(), reference=unit, order=2),
        case(complex_normal(2, 3), reference=unit, dtypes=()),
    ],
    "cdist": [
        case(normal(4, 3), normal(5, 3), reference=distances, sweep_rtol=2.0),
        case(normal(2, 1, 4, 3), normal(3, 5, 3), reference=distances, sweep_rtol=2.0),
        case(positive(0, 3), normal(5, 3), reference=distances),
        case(normal(2100, 2), normal(600, 2), reference=distances, order=1, dtypes=("float32",)),  # more than one block
    ],
    "matrix_norm": [
        *[
            case(spread(2, 3, 4), ord=ord, keepdims=keep, reference=np.linalg.matrix_norm, sweep_rtol=2.0)
            for ord, keep in (
                ("fro", False),
                ("nuc", True),
                (2, False),
                (-2, True),
                (1, False),
                (-1, True),
                (INF, False),
                (-INF, True),
            )
        ],
        case(complex_normal(3, 2), reference=np.linalg.matrix_norm, dtypes=()),
        case(complex_normal(3, 2), ord="nuc", reference=np.linalg.matrix_norm, dtypes=()),
    ],
    "norm": [
        *[
            case(spread(3, 4), ord, axis, keep, reference=np.linalg.norm, sweep_rtol=2.0)
            for ord, axis, keep in (
                (None, None, False),
                (None, None, True),
                ("fro", None, False),
                ("nuc", None, True),
                (1, None, False),
                (-1, None, False),
                (2, None, False),
                (-2, None, True),
                (INF, None, False),
                (-INF, None, True),
                (None, 1, False),
                (1, 0, True),
                (3, 1, False),
                (INF, 1, False),
                (2, (1, 0), False),
            )
        ],
        *[
            case(spread(3, 4, 2), ord, axis, keep, reference=np.linalg.norm, sweep_rtol=2.0)
            for ord, axis, keep in (
                (None, None, False),
                (1, (0, 2), True),
                ("nuc", (2, 0), False),
                ("nuc", (2, 0), True),
                (-INF, (-1, 0), False),
                (2, 1, False),
            )
        ],
        case(normal(), reference=np.linalg.norm),
        case(normal(3), reference=np.linalg.norm),
        case(normal(3), ord=-2, reference=np.linalg.norm),
        case(normal(3), ord=0, order=0, reference=np.linalg.norm),
        case(complex_normal(3), reference=np.linalg.norm, dtypes=()),
        case(normal(0), reference=np.linalg.norm),
        case(integers(0, 9, 3), order=0, reference=np.linalg.norm, rtol=1e-6),
    ],
}

FAILURES = [
    fails(
        "matrix_norm", normal(3), error=ShapeError, match=r"a matrix or a stack of them is needed; x has shape \(3,\)"
    ),
    fails("vector_norm", normal(3), ord="fro", error=ArgumentError, match=r"\[norm\] ord of a vector norm.*'fro'"),
    fails(
        "vector_norm", normal(3), axis=1, error=ShapeError, match=r"\[vector_norm\] axis must name one of the 1 axes"
    ),
    fails(
        "normalize",
        normal(3),
        order=0,
        error=ArgumentError,
        match=r"\[normalize\] order is an int of at least 1.*order=0",
    ),
    fails(
        "cdist", normal(2, 3), normal(2, 4), error=ShapeError, match=r"\[cdist\].*of one length.*x \(2, 3\), y \(2, 4\)"
    ),
    fails(
        "cdist", normal(2, 2, 3), normal(3, 2, 3), error=ShapeError, match=r"\[cdist\] the leading axes must broadcast"
    ),
    fails("cdist", complex_normal(2, 3), normal(2, 3), error=ArgumentError, match=r"\[cdist\] real vectors"),
    fails("norm", normal(2, 3), 3, error=ArgumentError, match=r"\[norm\] ord of a matrix norm is.*ord=3"),
    fails("norm", normal(2, 3), "max", error=ArgumentError, match=r"\[norm\] ord of a matrix norm is.*'fro'"),
    fails("norm", normal(2, 3), "nuc", 1, error=ArgumentError, match=r"\[norm\] ord of a vector norm is a number"),
    fails(
        "norm",
        normal(2, 3, 2),
        1,
        error=ShapeError,
        match=r"\[norm\] axis names one axis for vectors, two for matrices",
    ),
    fails("norm", normal(2, 3), None, (0, 0), error=ShapeError, match=r"\[norm\] each axis may come once"),
]
