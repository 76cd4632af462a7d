import math

import numpy as np
from cases.builders import case, complex_normal, fails, integers, normal, symmetric_positive, well_conditioned

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

INF, NAN = math.inf, math.nan


def hermitian(x):
    return (x + np.swapaxes(x, -1, -2).conj()) / 2


def complex_positive(n, salt=0):
    a = complex_normal(n, n, salt=salt)
    return a @ a.conj().T + n * np.eye(n)


def spread(*shape):
    """Stacks of matrices with singular values near 1, 2, 3, ..., so that the vectors are well determined."""
    m, n = shape[-2:]
    return 0.2 * normal(*shape) + np.eye(m, n) * (np.arange(n) + 1.0)


def apart(n, *batch):
    """Symmetric matrices with eigenvalues near 1, 2, 3, ..."""
    return hermitian(spread(*batch, n, n))


def tri(n, *batch, salt=0):
    return well_conditioned(*batch, n, n, salt=salt)


def solve(a, b):
    return np.linalg.solve(a, b)


def solve_triangular(a, b, lower=False):
    return np.linalg.solve(np.tril(a) if lower else np.triu(a), b)


def cholesky_inverse(x, upper=False):
    x = np.triu(x) if upper else np.tril(x)
    return np.linalg.inv(x.T @ x if upper else x @ x.T)


def lstsq(a, b, rcond=None):
    return np.linalg.lstsq(a, b, rcond=rcond)[0]


def lu_factor(x):
    """Doolittle's algorithm with partial pivoting, as the textbooks have it."""
    lu, (m, n) = x.copy(), x.shape[-2:]
    pivots = np.zeros((*x.shape[:-2], min(m, n)), "int32")
    for index in np.ndindex(x.shape[:-2]):
        a = lu[index]
        for k in range(min(m, n)):
            p = k + np.argmax(np.abs(a[k:, k]))
            pivots[(*index, k)] = p
            a[[k, p]] = a[[p, k]]
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return lu, pivots


RANK_1 = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 1.0, 2.0])
LOW_RANK = np.stack([RANK_1[:, :3], np.eye(3), np.zeros((3, 3))])

CASES = {
    "cholesky": [
        case(symmetric_positive(3, 3), reference=np.linalg.cholesky),
        case(symmetric_positive(2, 3, 3), upper=True, reference=lambda x, upper: np.linalg.cholesky(x, upper=True)),
        case(complex_positive(3), dtypes=(), reference=np.linalg.cholesky),
        case(np.zeros((0, 2, 2)), reference=np.linalg.cholesky),
        case(np.zeros((2, 0, 0)), reference=np.linalg.cholesky),
        case(normal(1, 1) ** 2 + 1, reference=np.linalg.cholesky),
        case(np.array([[4.0, 1.0], [3.0, 4.0]]), reference=lambda x: np.linalg.cholesky(hermitian(x))),
    ],
    "cholesky_inverse": [
        case(tri(3), reference=cholesky_inverse, sweep_rtol=3.0),
        case(tri(3), upper=True, reference=cholesky_inverse, sweep_rtol=3.0),
        case(tri(3, 2), reference=lambda x: np.stack([cholesky_inverse(one) for one in x]), sweep_rtol=3.0),
    ],
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
    "qr": [
        *[
            case(spread(*shape), reference=np.linalg.qr, sweep_rtol=4.0)
            for shape in ((3, 3), (4, 3), (3, 4), (2, 3, 2), (2, 2, 3), (1, 1))
        ],
        case(spread(3, 3), mode="complete", reference=np.linalg.qr, sweep_rtol=4.0),
        case(spread(2, 3), mode="complete", reference=np.linalg.qr, sweep_rtol=4.0),
        case(spread(4, 2), mode="complete", reference=np.linalg.qr, order=0, sweep_rtol=4.0),
        case(np.zeros((3, 0)), reference=np.linalg.qr),
        case(np.zeros((0, 3)), reference=np.linalg.qr),
        case(np.zeros((0, 3, 2)), reference=np.linalg.qr),
        case(complex_normal(4, 3), reference=np.linalg.qr, dtypes=()),
        case(complex_normal(3, 3), reference=np.linalg.qr, dtypes=()),
        case(complex_normal(2, 3), reference=np.linalg.qr, dtypes=()),
    ],
    "lu_factor": [
        *[
            case(normal(*shape), reference=lu_factor, sweep_rtol=4.0)
            for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 3), (2, 2, 3, 2), (1, 1))
        ],
        case(complex_normal(3, 3), reference=lu_factor, dtypes=()),
        case(np.zeros((2, 0, 3)), reference=lu_factor, order=0),
        case(np.zeros((0, 3, 3)), reference=lu_factor),
        case(np.zeros((2, 2)), reference=lambda x: (x, np.arange(2)), order=0),
    ],
    "svdvals": [
        *[case(spread(*shape), reference=np.linalg.svdvals) for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2))],
        case(complex_normal(3, 2), reference=np.linalg.svdvals, dtypes=()),
        case(np.zeros((0, 3)), reference=np.linalg.svdvals),
        case(np.zeros((0, 2, 3)), reference=np.linalg.svdvals),
    ],
    "svd": [
        *[
            case(spread(*shape), full_matrices=False, reference=np.linalg.svd, sweep_rtol=6.0)
            for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1))
        ],
        case(spread(3, 3), reference=np.linalg.svd, sweep_rtol=6.0),
        case(spread(3, 3), compute_uv=False, reference=np.linalg.svd),
        case(spread(4, 2), order=0, reference=np.linalg.svd, dtypes=()),
        case(np.zeros((0, 3)), reference=np.linalg.svd, order=0),
        case(np.zeros((0, 3, 2)), full_matrices=False, reference=np.linalg.svd),
        case(complex_normal(3, 2), order=0, reference=np.linalg.svd, dtypes=()),
    ],
    "eigvalsh": [
        case(apart(3), reference=np.linalg.eigvalsh),
        case(apart(3, 2), reference=np.linalg.eigvalsh),
        case(np.zeros((2, 0, 0)), reference=np.linalg.eigvalsh),
        case(hermitian(complex_normal(3, 3)), reference=np.linalg.eigvalsh, dtypes=()),
        case(np.zeros((0, 2, 2)), reference=np.linalg.eigvalsh),
    ],
    "eigh": [
        case(apart(3), reference=np.linalg.eigh, sweep_rtol=4.0),
        case(apart(3, 2), reference=np.linalg.eigh, sweep_rtol=4.0),
        case(hermitian(complex_normal(3, 3)), order=0, reference=np.linalg.eigh, dtypes=()),
        case(np.zeros((0, 2, 2)), reference=np.linalg.eigh),
        case(np.zeros((0, 0)), reference=np.linalg.eigh),
    ],
    "eig": [
        case(spread(3, 3), reference=np.linalg.eig, sweep_rtol=8.0),
        case(spread(2, 3, 3), reference=np.linalg.eig, sweep_rtol=8.0),
        case(np.array([[0.0, -1.0], [1.0, 0.0]]), order=0, reference=np.linalg.eig),
        case(complex_normal(3, 3), order=0, reference=np.linalg.eig, dtypes=()),
        case(np.zeros((0, 2, 2)), reference=np.linalg.eig, order=0),
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

SINGULAR = np.ones((2, 2))
SQUARE = r"square matrices are needed; .* has shape \(2, 3\)"

FAILURES = [
    *[
        fails(name, normal(2, 3), error=ShapeError, match=rf"\[{name}\] {SQUARE}")
        for name in ("cholesky", "cholesky_inverse", "det", "eig", "eigh", "eigvalsh", "inv", "slogdet")
    ],
    fails("logdet", normal(2, 3), error=ShapeError, match=SQUARE),
    fails("inv", normal(3), error=ShapeError, match=r"\[inv\] square matrices are needed; x has shape \(3,\)"),
    *[
        fails(name, normal(3), error=ShapeError, match=r"a matrix or a stack of them is needed; x has shape \(3,\)")
        for name in ("qr", "lu_factor", "svd", "svdvals", "pinv", "matrix_rank", "matrix_norm")
    ],
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
    fails("cholesky", -np.eye(2), error=ArgumentError, match=r"\[cholesky\] the matrix must be positive definite"),
    fails("cholesky_inverse", np.zeros((2, 2)), error=ArgumentError, match=r"no element of the diagonal"),
    fails(
        "qr",
        normal(2, 2),
        mode="full",
        error=ArgumentError,
        match=r"\[qr\] mode is 'reduced' or 'complete'; got mode='full'",
    ),
    fails("svd", np.full((2, 2), NAN), error=ArgumentError, match=r"\[svd\] the iteration must converge"),
    fails("eig", np.full((2, 2), NAN), error=ArgumentError, match=r"\[eig\] the iteration must converge.*NaN"),
    fails("pinv", normal(2, 2), 0.1, rtol=0.1, error=ArgumentError, match=r"\[pinv\] one threshold"),
    fails("lstsq", normal(3, 2), normal(2), error=ShapeError, match=r"\[lstsq\] b has as many rows as a"),
    fails("matrix_rank", normal(2, 2), 0.1, rtol=0.1, error=ArgumentError, match=r"\[matrix_rank\] one threshold"),
    fails(
        "matrix_power", normal(2, 2), 0.5, error=DTypeError, match=r"\[matrix_power\] the power is an int; got n=0.5"
    ),
    fails("matrix_power", normal(2, 3), 2, error=ShapeError, match=rf"\[matrix_power\] {SQUARE}"),
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
    fails("det", "text", error=DTypeError, match=r"\[det\]"),
]
