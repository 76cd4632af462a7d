import numpy as np
from cases.builders import (
    LOW_RANK,
    RANK_1,
    SQUARE,
    case,
    complex_normal,
    complex_positive,
    fails,
    integers,
    normal,
    spread,
    well_conditioned,
)

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def tri(n, *batch, salt=0):
    return well_conditioned(*batch, n, n, salt=salt)


def solve(a, b):
    return np.linalg.solve(a, b)


def solve_triangular(a, b, lower=False):
    return np.linalg.solve(np.tril(a) if lower else np.triu(a), b)


def lstsq(a, b, rcond=None):
    return np.linalg.lstsq(a, b, rcond=rcond)[0]


CASES = {
    "solve_triangular": [
        *[
            case(a, b, lower=lower, reference=solve_triangular, sweep_rtol=3.0)
            for lower in (False, True)
            for a, b in ((tri(3), normal(3, 2)), (tri(3, 2), normal(2, 3, 2)), (tri(3), normal(3)))
        ],
        case(tri(3, 2), normal(3), reference=solve_triangular),
        case(tri(3, 2, 1), normal(4, 3, 2), lower=True, reference=solve_triangular),
        case(tri(20, 2) + 3 * np.eye(20), normal(20, 2), lower=True, reference=solve_triangular),
        case(normal(0, 0), normal(0, 2), reference=solve),
        case(tri(3) + 0.3j * normal(3, 3, salt=5), complex_normal(3, 2), reference=solve_triangular, dtypes=()),
        case(np.zeros((0, 2, 2)), np.zeros((0, 2, 3)), reference=solve),
    ],
    "solve": [
        case(well_conditioned(3, 3), normal(3, 2), reference=solve, sweep_rtol=2.0),
        case(well_conditioned(3, 3), normal(3), reference=solve),
        case(well_conditioned(2, 3, 3), normal(2, 3, 2), reference=solve),
        case(well_conditioned(2, 1, 3, 3), normal(4, 3, 2), reference=solve),
        case(well_conditioned(2, 3, 3), normal(3), reference=solve),
        case(well_conditioned(3, 3), normal(2, 3, 1), reference=solve),
        case(well_conditioned(3, 3) + 0.3j * normal(3, 3), complex_normal(3, 2), reference=solve, dtypes=()),
        case(np.zeros((0, 2, 2)), np.zeros((0, 2, 3)), reference=solve),
        case(np.zeros((0, 0)), np.zeros((0, 3)), reference=solve),
    ],
    "inv": [
        case(well_conditioned(3, 3), reference=np.linalg.inv, sweep_rtol=2.0),
        case(well_conditioned(2, 3, 3), reference=np.linalg.inv, sweep_rtol=2.0),
        case(complex_positive(3), reference=np.linalg.inv, dtypes=()),
        case(np.zeros((0, 2, 2)), reference=np.linalg.inv),
        case(np.zeros((0, 0)), reference=np.linalg.inv),
        case(integers(0, 2, 1, 1) + 2, reference=np.linalg.inv, order=0, dtypes=(), rtol=1e-6),
    ],
    "pinv": [
        *[
            case(spread(*shape), reference=np.linalg.pinv, sweep_rtol=2.0)
            for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2))
        ],
        case(complex_normal(3, 2), reference=np.linalg.pinv, dtypes=()),
        case(np.zeros((0, 3)), reference=np.linalg.pinv),
        case(RANK_1, reference=np.linalg.pinv, order=0, dtypes=("float32",)),
        case(np.diag([1.0, 0.1]), 0.2, reference=np.linalg.pinv, order=0),
        case(np.diag([1.0, 0.1]), rtol=0.2, reference=np.linalg.pinv, order=0),
        case(np.zeros((0, 2, 3)), reference=np.linalg.pinv),
        case(np.stack([np.diag([1.0, 0.1])] * 2), np.array([0.2, 0.01]), reference=np.linalg.pinv, order=0),
    ],
    "lstsq": [
        case(spread(4, 2), normal(4, 3), reference=lstsq, sweep_rtol=2.0),
        case(spread(4, 2), normal(4), reference=lstsq, sweep_rtol=2.0),
        case(spread(2, 4), normal(2, 3), reference=lstsq, sweep_rtol=2.0),
        case(RANK_1, normal(3, 2), reference=lstsq, order=0, dtypes=("float32",)),
        case(
            spread(2, 4, 2),
            normal(2, 4, 1),
            reference=lambda a, b: np.stack([lstsq(*pair) for pair in zip(a, b, strict=True)]),
            sweep_rtol=2.0,
        ),
        case(complex_normal(4, 2), complex_normal(4), reference=lstsq, dtypes=()),
        case(np.diag([1.0, 0.1]), normal(2), rcond=0.2, reference=lstsq, order=0),
    ],
    "matrix_rank": [
        case(RANK_1, order=0, reference=np.linalg.matrix_rank),
        case(LOW_RANK, order=0, reference=np.linalg.matrix_rank),
        case(np.diag([1.0, 0.1]), 0.2, order=0, reference=np.linalg.matrix_rank),
        case(np.diag([10.0, 0.1]), rtol=0.005, order=0, reference=np.linalg.matrix_rank),
        case(np.stack([np.diag([1.0, 0.1])] * 2), np.array([0.2, 0.01]), order=0, reference=np.linalg.matrix_rank),
        case(np.zeros((3, 0)), order=0, reference=lambda x: np.zeros((), int)),
        case(np.zeros((0, 3, 2)), order=0, reference=lambda x: np.zeros(0, int)),
        case(complex_normal(3, 2), order=0, reference=np.linalg.matrix_rank),
    ],
    "matrix_power": [
        *[case(well_conditioned(2, 3, 3), n, reference=np.linalg.matrix_power, sweep_rtol=4.0) for n in (1, 2, 5, -3)],
        case(normal(2, 3, 3), 0, order=0, reference=np.linalg.matrix_power),
        case(integers(0, 3, 2, 2), 3, order=0, reference=np.linalg.matrix_power),
    ],
}

SINGULAR = np.ones((2, 2))

FAILURES = [
    *[
        fails(name, normal(3), error=ShapeError, match=r"a matrix or a stack of them is needed; x has shape \(3,\)")
        for name in ("pinv", "matrix_rank")
    ],
    fails("inv", normal(2, 3), error=ShapeError, match=rf"\[inv\] {SQUARE}"),
    fails("inv", normal(3), error=ShapeError, match=r"\[inv\] square matrices are needed; x has shape \(3,\)"),
    fails(
        "inv",
        SINGULAR,
        error=ArgumentError,
        match=r"\[inv\] the matrix must be invertible; .*add a small multiple of the identity",
    ),
    fails("solve", SINGULAR, normal(2), error=ArgumentError, match=r"\[solve\] the matrix must be invertible"),
    fails(
        "solve",
        normal(3, 3),
        normal(2),
        error=ShapeError,
        match=r"\[solve\] b has as many rows as a; a \(3, 3\), b \(2, 1\)",
    ),
    fails(
        "solve",
        normal(2, 3, 3),
        normal(2, 3),
        error=ShapeError,
        match=r"\[solve\].*stack of vectors as b\[\.\.\., None\]",
    ),
    fails(
        "solve", normal(2, 3, 3), normal(4, 3, 1), error=ShapeError, match=r"\[solve\] the leading axes must broadcast"
    ),
    fails("solve", normal(2, 3), normal(2), error=ShapeError, match=rf"\[solve\] {SQUARE}"),
    fails(
        "solve_triangular",
        np.diag([1.0, 0.0]),
        normal(2),
        error=ArgumentError,
        match=r"\[solve_triangular\] no element of the diagonal",
    ),
    fails(
        "solve_triangular",
        np.zeros((2, 2, 2)),
        normal(2),
        error=ArgumentError,
        match=r"\[solve_triangular\] no element of the diagonal",
    ),
    fails(
        "solve_triangular",
        normal(3, 3),
        normal(2, 3),
        error=ShapeError,
        match=r"\[solve_triangular\] b has as many rows",
    ),
    fails(
        "solve_triangular",
        normal(2, 20, 20),
        normal(3, 20, 1),
        error=ShapeError,
        match=r"\[solve_triangular\] the leading axes",
    ),
    fails("pinv", normal(2, 2), 0.1, rtol=0.1, error=ArgumentError, match=r"\[pinv\] one threshold"),
    fails("lstsq", normal(3, 2), normal(2), error=ShapeError, match=r"\[lstsq\] b has as many rows as a"),
    fails("matrix_rank", normal(2, 2), 0.1, rtol=0.1, error=ArgumentError, match=r"\[matrix_rank\] one threshold"),
    fails(
        "matrix_power", normal(2, 2), 0.5, error=DTypeError, match=r"\[matrix_power\] the power is an int; got n=0.5"
    ),
    fails("matrix_power", normal(2, 3), 2, error=ShapeError, match=rf"\[matrix_power\] {SQUARE}"),
]
