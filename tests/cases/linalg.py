import math

import numpy as np
from cases.builders import case, complex_normal, fails, integers, normal, positive

from eagerdl.errors import ArgumentError, ShapeError

INF = math.inf


def unit(x, axis=-1, order=2, epsilon=1e-7):
    x = np.atleast_1d(x)
    return x / np.maximum(np.linalg.vector_norm(x, axis=axis, keepdims=True, ord=order), epsilon)


def distances(x, y):
    return np.sqrt(((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1))


CASES = {
    "matmul": [
        case(normal(2, 3), normal(3, 4)),
        case(normal(2, 2, 3), normal(3, 4)),
        case(normal(3), normal(3, 4)),
        case(normal(2, 3), normal(3)),
        case(normal(3), normal(3, salt=1)),
        case(normal(2, 1, 2, 3), normal(5, 3, 4)),
        case(normal(0, 3), normal(3, 2)),
        case(normal(5, 2, 3), normal(3)),
        case(normal(3), normal(5, 3, 2)),
        case(complex_normal(2, 3), complex_normal(3, 2), dtypes=()),
        case(integers(0, 5, 2, 3), integers(0, 5, 3, 2), order=0),
        case(complex_normal(2, 2, 3), complex_normal(3, 2), dtypes=()),
        case(normal(2, 3), normal(4, 3, 2)),
        case(normal(2, 0, 3), normal(3, 4)),
        case(normal(2, 3, 0), normal(0, 4)),
        case(normal(2, 3, 2, 3), normal(3, 4)),
    ],
    "matrix_transpose": case(normal(2, 3, 4), reference=lambda x: np.swapaxes(x, -1, -2)),
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
}

FAILURES = [
    fails(
        "matmul",
        normal(2, 3),
        normal(2, 3),
        error=ShapeError,
        match=r"\[matmul\] inner sizes must agree.*did you mean x1 @ x2.mT",
    ),
    fails("matmul", normal(4, 2, 3), normal(2, 3), error=ShapeError, match=r"\[matmul\] inner sizes must agree"),
    fails(
        "matmul",
        normal(2, 2, 3),
        normal(3, 3, 4),
        error=ShapeError,
        match=r"\[matmul\] the leading axes must broadcast",
    ),
    fails("matmul", normal(2, 3), 2.0, error=ShapeError, match=r"multiply by a scalar"),
    fails("matrix_transpose", normal(3), error=ShapeError, match=r"\[matrix_transpose\] a matrix"),
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
]
