import numpy as np
from cases.builders import case, complex_normal, fails, integers, normal

from eagerdl.errors import ShapeError

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
]
