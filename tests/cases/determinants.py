import numpy as np
from cases.builders import (
    LOW_RANK,
    RANK_1,
    SQUARE,
    case,
    complex_normal,
    complex_positive,
    fails,
    normal,
    symmetric_positive,
    well_conditioned,
)

from eagerdl.errors import DTypeError, ShapeError

CASES = {
    "det": [
        case(well_conditioned(3, 3), reference=np.linalg.det),
        case(well_conditioned(2, 3, 3), reference=np.linalg.det),
        case(normal(1, 1), reference=np.linalg.det),
        case(complex_normal(3, 3), reference=np.linalg.det, dtypes=()),
        case(np.zeros((2, 0, 0)), reference=np.linalg.det),
        case(LOW_RANK, reference=np.linalg.det),
        case(RANK_1[:, :3] * (1 + 2j), reference=np.linalg.det, dtypes=()),
        case(np.diag([1.0, 2.0, 3.0, 0.0]), reference=np.linalg.det),
        case(np.zeros((2, 2)), reference=np.linalg.det),
        case(np.zeros((1, 1)), reference=np.linalg.det),
        case(np.zeros((0, 2, 2)), reference=np.linalg.det),
    ],
    "slogdet": [
        case(well_conditioned(3, 3), reference=np.linalg.slogdet),
        case(-well_conditioned(2, 3, 3), reference=np.linalg.slogdet),
        case(complex_normal(3, 3), reference=np.linalg.slogdet, dtypes=()),
        case(np.zeros((2, 0, 0)), reference=np.linalg.slogdet),
        case(np.zeros((2, 2)), reference=np.linalg.slogdet, order=0),
    ],
    "logdet": [
        case(symmetric_positive(2, 3, 3), reference=lambda x: np.linalg.slogdet(x)[1]),
        case(complex_positive(3), reference=lambda x: np.linalg.slogdet(x)[1], dtypes=()),
    ],
}

FAILURES = [
    *[fails(name, normal(2, 3), error=ShapeError, match=rf"\[{name}\] {SQUARE}") for name in ("det", "slogdet")],
    fails("logdet", normal(2, 3), error=ShapeError, match=SQUARE),
    fails("det", "text", error=DTypeError, match=r"\[det\]"),
]
