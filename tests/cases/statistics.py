import numpy as np
from cases.builders import case, complex_normal, distinct, fails, integers, normal, positive
from cases.reduction import EMPTIED, HOLES, over_axes, quiet, tuples

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

NAN = np.nan
METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def corrected(function):
    """NumPy's spread with the array API's name of ddof."""
    return tuples(
        lambda x, axis=None, keepdims=False, correction=0: function(x, axis, keepdims=keepdims, ddof=correction)
    )


def quantiles(function):
    """NumPy's function with Keras' order of arguments."""

    def call(x, q, axis=None, method="linear", keepdims=False):
        return function(x, q, tuple(axis) if isinstance(axis, list) else axis, method=method, keepdims=keepdims)

    return quiet(call)


def quantile_rows(function, scale):
    call = quantiles(function)
    x = distinct(2, 3, 5)
    return [
        case(x, 0.3 * scale, reference=call),
        case(x, scale * np.array([0.0, 0.37, 0.61, 1.0]), axis=1, reference=call, order=0),
        case(x, [0.1 * scale, 0.9 * scale], axis=(0, 2), keepdims=True, reference=call),
        *[case(x, [0.27 * scale, 0.5 * scale], axis=-1, method=method, reference=call) for method in METHODS],
        case(integers(0, 9, 7), 0.5 * scale, order=0, reference=call),
        case(distinct(6), 0.5 * scale, method="nearest", reference=call),
    ]


def row_by_row(x, weights=None, minlength=0):
    m = max(minlength, x.max(initial=-1) + 1)
    if x.ndim == 1:
        return np.bincount(x, weights, m)
    rows = zip(x, x if weights is None else weights, strict=True)
    return np.stack([np.bincount(row, None if weights is None else w, m) for row, w in rows])


def both_moments(x, axes, keepdims=False):
    axes = tuple(axes) if isinstance(axes, list) else axes
    return np.mean(x, axes, keepdims=keepdims), np.var(x, axes, keepdims=keepdims)


CASES = {
    "var": [
        *over_axes(normal(2, 3, 4), reference=corrected(np.var)),
        case(normal(5), correction=1, reference=corrected(np.var)),
        case(normal(2, 5), axis=1, keepdims=True, correction=1.5, reference=corrected(np.var)),
        case(complex_normal(2, 4), axis=1, dtypes=()),
        case(integers(0, 9, 6), order=0, rtol=1e-6),
        case(1e8 + normal(50), dtypes=(), order=0),
        case(normal()),
        case(normal(0), order=0, reference=quiet(np.var)),
        case(normal(1), correction=1, order=0, reference=quiet(corrected(np.var))),
        case(np.full(4, 3.0)),
    ],
    "std": [
        *over_axes(normal(2, 3, 4), reference=corrected(np.std)),
        case(normal(5), correction=1, reference=corrected(np.std)),
        case(complex_normal(2, 4), axis=1, dtypes=()),
        case(integers(0, 9, 6), order=0, rtol=1e-6),
        case(1e8 + normal(50), dtypes=(), order=0),
        case(np.full(4, 3.0), order=0),
    ],
    "moments": [
        case(normal(2, 3, 4), 1, reference=both_moments),
        case(normal(2, 3, 4), [0, 2], keepdims=True, reference=both_moments),
        case(normal(4), None, reference=both_moments),
    ],
    "nanvar": [
        case(HOLES),
        case(HOLES, axis=1),
        case(HOLES, axis=(0, 1), keepdims=True),
        case(EMPTIED, axis=1, order=0, reference=quiet(np.nanvar)),
        case(np.array([1 + 2j, NAN, 3.0, 1j]), order=0, dtypes=()),
        case(integers(0, 9, 5), order=0, rtol=1e-6),
    ],
    "nanstd": [
        case(HOLES),
        case(HOLES[::2], axis=1),
        case(EMPTIED, axis=1, order=0, reference=quiet(np.nanstd)),
        case(integers(0, 9, 5), order=0, rtol=1e-6),
    ],
    "average": [
        case(normal(2, 3)),
        case(normal(2, 3), axis=1),
        case(normal(2, 3), 1, positive(3)),
        case(normal(2, 3), 0, positive(2)),
        case(normal(2, 3), (0, 1), positive(2, 3)),
        case(normal(3), weights=positive(3)),
        case(integers(0, 9, 4), order=0, rtol=1e-6),
    ],
    "median": [
        *over_axes(distinct(2, 3, 4), reference=tuples(np.median)),
        case(distinct(5)),
        case(np.array([1.0, NAN, 2.0]), order=0),
        case(integers(0, 9, 5), order=0),
        case(normal()),
    ],
    "quantile": [
        *quantile_rows(np.quantile, 1),
        case(distinct(5), np.array(0.3), reference=lambda x, q: np.quantile(x, q), dtypes=("float32",)),
    ],
    "percentile": quantile_rows(np.percentile, 100),
    "nanmedian": [
        case(HOLES),
        case(HOLES, axis=1),
        case(EMPTIED, axis=1, order=0, reference=quiet(np.nanmedian)),
        case(integers(0, 9, 5), order=0),
    ],
    "nanquantile": [
        *[case(HOLES, [0.27, 0.6], axis=1, method=m, reference=quantiles(np.nanquantile)) for m in METHODS],
        case(HOLES, 0.4),
        case(EMPTIED, 0.4, axis=1, keepdims=True, order=0, reference=quiet(np.nanquantile)),
    ],
    "nanpercentile": [case(HOLES, 27.0), case(HOLES, [27.0, 60.0], axis=1), case(distinct(2, 3), 30.0, axis=0)],
    "bincount": [
        case(integers(0, 5, 9), order=0),
        case(integers(0, 5, 9), minlength=9, order=0),
        case(integers(0, 5, 9), weights=normal(9)),
        case(integers(0, 5, 2, 9), weights=normal(2, 9), minlength=6, reference=row_by_row),
        case(integers(0, 5, 3, 4), order=0, reference=row_by_row),
        case(integers(0, 5, 0), order=0),
        case(integers(0, 5, 4), weights=integers(0, 9, 4), order=0),
        case(integers(0, 5, 4, dtype="uint8"), order=0),
    ],
    "histogram": [
        case(normal(3, 40), order=0, dtypes=("float32",), rtol=1e-6),
        case(normal(40), bins=4, range=(-1.0, 1.5), order=0, dtypes=("float32",)),
        case(normal(40), bins=[-1.0, 0.0, 0.25, 2.0], order=0),
        case(np.array([1, 2, 2, 5]), bins=4, order=0, rtol=1e-6),
        case(np.full(3, 2.0), bins=2, order=0),
        case(np.zeros(0), bins=2, order=0),
        case(np.array([0.0, 1.0, 2.0, 3.0]), bins=3, order=0),
    ],
    "digitize": [
        case(normal(3, 4), np.array([-1.0, 0.0, 0.5]), order=0),
        case(np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 0.0]), order=0),
        case(np.array([0, 1, 5]), np.array([1, 3]), order=0),
        case(np.array([1.0, NAN]), np.array([1.0, 1.0]), order=0),
    ],
    "corrcoef": [
        case(normal(3, 6)),
        case(normal(5), order=0),
        case(complex_normal(2, 5), dtypes=()),
        case(integers(0, 9, 2, 6), order=0, rtol=1e-5),
    ],
    "correlate": [
        case(normal(7), normal(3)),
        *[
            case(normal(n), normal(m), mode)
            for mode in ("same", "full", "valid")
            for n, m in ((6, 4), (4, 6), (5, 3), (3, 5), (4, 4))
        ],
        case(complex_normal(5), complex_normal(3), "full", dtypes=()),
        case(complex_normal(3), complex_normal(4), "same", dtypes=()),
        case(integers(0, 9, 5), integers(0, 9, 2), order=0),
    ],
}

FAILURES = [
    fails("var", normal(2, 3), axis=2, error=ShapeError, match=r"\[var\] axis must name one of the 2 axes"),
    fails("std", normal(2, 3), axis=(0, 0), error=ShapeError, match=r"\[std\] each axis may come once"),
    fails("moments", normal(2, 3), 2, error=ShapeError, match=r"axis must name one of the 2 axes"),
    fails(
        "average",
        normal(2, 3),
        weights=normal(3),
        error=ShapeError,
        match=r"\[average\] weights have the shape of x.*x \(2, 3\)",
    ),
    fails(
        "average",
        normal(2, 3),
        0,
        normal(3),
        error=ShapeError,
        match=r"\[average\] one weight is needed for each of the 2",
    ),
    fails("median", np.zeros((2, 0)), axis=1, error=ArgumentError, match=r"\[median\] at least one element"),
    fails("quantile", normal(3), 1.5, error=ArgumentError, match=r"\[quantile\] q lies from 0 to 1; got 1.5"),
    fails("quantile", normal(3), 0.5, axis=1, error=ShapeError, match=r"\[quantile\] axis must name"),
    fails(
        "quantile",
        normal(3),
        0.5,
        method="cubic",
        error=ArgumentError,
        match=r"\[quantile\] method is one of linear, lower",
    ),
    fails("quantile", normal(3), np.zeros((2, 2)), error=ShapeError, match=r"\[quantile\] q is a number or a vector"),
    fails("quantile", complex_normal(3), 0.5, error=DTypeError, match=r"\[quantile\] real numbers are needed"),
    fails("percentile", normal(3), -1.0, error=ArgumentError, match=r"\[percentile\] q lies from 0 to 100"),
    fails("nanmedian", np.zeros(0), error=ArgumentError, match=r"\[nanmedian\] at least one element"),
    fails("bincount", normal(3), error=DTypeError, match=r"\[bincount\] x must be integers"),
    fails(
        "bincount",
        np.array([1, -1]),
        error=ArgumentError,
        match=r"\[bincount\] numbers must not be negative; the least in x is -1",
    ),
    fails(
        "bincount", np.array([1, 2]), normal(3), error=ShapeError, match=r"\[bincount\] there is one weight per element"
    ),
    fails("bincount", np.array(1), error=ShapeError, match=r"\[bincount\] an axis to count along"),
    fails("histogram", normal(3), 0, error=ArgumentError, match=r"\[histogram\] bins is a positive int"),
    fails("histogram", normal(3), [1.0, 0.0], error=ArgumentError, match=r"\[histogram\] bin edges are a vector"),
    fails(
        "histogram",
        np.array([1.0, NAN]),
        error=ArgumentError,
        match=r"\[histogram\] the range goes from a finite number",
    ),
    fails("histogram", complex_normal(3), error=DTypeError, match=r"\[histogram\] real numbers"),
    fails(
        "digitize",
        normal(3),
        np.array([0.0, 2.0, 1.0]),
        error=ArgumentError,
        match=r"\[digitize\] bins must rise or fall",
    ),
    fails("digitize", normal(3), normal(2, 2), error=ShapeError, match=r"\[digitize\] bins are a vector"),
    fails("corrcoef", normal(2, 2, 2), error=ShapeError, match=r"\[corrcoef\] rows of observations"),
    fails("correlate", normal(2, 2), normal(2), error=ShapeError, match=r"\[correlate\] two vectors"),
    fails(
        "correlate", normal(3), normal(0), error=ShapeError, match=r"\[correlate\] two vectors of at least one element"
    ),
    fails(
        "correlate",
        normal(3),
        normal(2),
        "half",
        error=ArgumentError,
        match=r"\[correlate\] mode is 'valid', 'same' or 'full'",
    ),
]
