import math

import numpy as np
from cases.builders import (
    SQUARE,
    case,
    complex_normal,
    complex_positive,
    fails,
    hermitian,
    normal,
    spread,
    symmetric_positive,
    well_conditioned,
)

from eagerdl.errors import ArgumentError, ShapeError

NAN = math.nan


def tri(n, *batch, salt=0):
    return well_conditioned(*batch, n, n, salt=salt)


def apart(n, *batch):
    """Symmetric matrices with eigenvalues near 1, 2, 3, ..."""
    return hermitian(spread(*batch, n, n))


def cholesky_inverse(x, upper=False):
    x = np.triu(x) if upper else np.tril(x)
    return np.linalg.inv(x.T @ x if upper else x @ x.T)


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
}

FAILURES = [
    *[
        fails(name, normal(3), error=ShapeError, match=r"a matrix or a stack of them is needed; x has shape \(3,\)")
        for name in ("qr", "lu_factor", "svd", "svdvals")
    ],
    *[
        fails(name, normal(2, 3), error=ShapeError, match=rf"\[{name}\] {SQUARE}")
        for name in ("cholesky", "cholesky_inverse", "eig", "eigh", "eigvalsh")
    ],
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
]
