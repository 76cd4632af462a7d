import numpy as np
from cases.builders import booleans, case, complex_normal, fails, integers, normal, positive

from eagerdl.errors import ShapeError

NAN = np.nan
HOLES = np.array([[0.31, NAN, 2.2, -0.4], [NAN, NAN, 1.07, 0.95]])
ZEROS = np.array([[1.2, 0.0, -0.7, 1.1, 0.4], [0.0, 0.8, 0.0, 1.3, -0.6], [0.5, 1.1, -1.4, 0.9, 1.6]])


def initial_first(function, first):
    """NumPy's cumulative function with an initial element in front."""

    def call(x, axis=0, include_initial=False):
        out = function(x, axis)
        shape = [1 if i == axis % x.ndim else n for i, n in enumerate(x.shape)]
        return np.concatenate([np.full(shape, first, out.dtype), out], axis) if include_initial else out

    return call


CASES = {
    "cumsum": [
        case(normal(2, 3, 4)),
        case(normal(2, 3, 4), 1),
        case(normal(2, 3), axis=-1),
        case(normal()),
        case(normal(0, 2), axis=0),
        case(complex_normal(4), dtypes=()),
        case(integers(0, 9, 2, 3), axis=1, order=0),
        case(booleans(5), order=0, reference=lambda x: np.cumsum(x, dtype="int32")),
        case(normal(3), 0, "float64", dtypes=()),
        case(np.ones(600), order=1),
    ],
    "cumprod": [
        case(positive(2, 3, 4)),
        case(normal(2, 5, 2), 1),
        case(ZEROS, axis=1),
        case(ZEROS, axis=0),
        case(ZEROS),
        case(normal(1)),
        case(normal()),
        case(normal(0, 2), axis=0),
        case(np.zeros(4)),
        case(complex_normal(5), dtypes=()),
        case(integers(1, 4, 2, 3), axis=1, order=0),
        case(normal(7), 0, "float64", dtypes=()),
    ],
    "nancumsum": [case(HOLES), case(HOLES, axis=1), case(integers(0, 5, 3), order=0)],
    "nancumprod": [case(HOLES), case(HOLES, axis=0), case(integers(1, 5, 3), order=0)],
    "cumulative_sum": [
        case(normal(2, 3), axis=1, reference=initial_first(np.cumsum, 0)),
        case(normal(4), reference=initial_first(np.cumsum, 0)),
        case(normal(2, 3), axis=-2, include_initial=True, reference=initial_first(np.cumsum, 0)),
        case(normal(0), include_initial=True, reference=initial_first(np.cumsum, 0)),
        case(np.full(4, 100, "uint8"), order=0, reference=lambda x: np.cumsum(x, dtype="uint32")),
    ],
    "cumulative_prod": [
        case(normal(2, 3), axis=1, reference=initial_first(np.cumprod, 1)),
        case(ZEROS[0], reference=initial_first(np.cumprod, 1)),
        case(normal(2, 3), axis=-2, include_initial=True, reference=initial_first(np.cumprod, 1)),
        case(np.full(4, 20, "int8"), order=0, reference=lambda x: np.cumprod(x, dtype="int32")),
    ],
    "trapezoid": [
        case(normal(5)),
        case(normal(2, 5), dx=0.5),
        case(normal(2, 5), axis=0),
        case(normal(2, 5, 3), positive(5), axis=1),
        case(normal(2, 5), positive(5)),
        case(normal(2, 5), positive(2, 5), axis=0),
        case(integers(0, 9, 4), order=0, rtol=1e-6),
        case(normal(1)),
    ],
}

FAILURES = [
    fails(
        "cumsum", normal(2, 3), 2, error=ShapeError, match=r"\[cumsum\] axis must name one of the 2 axes; got axis=2"
    ),
    fails("cumprod", normal(2, 3), -3, error=ShapeError, match=r"\[cumprod\] axis must name"),
    fails("nancumsum", normal(2), 1, error=ShapeError, match=r"axis must name"),
    fails(
        "cumulative_sum",
        normal(2, 3),
        error=ShapeError,
        match=r"\[cumulative_sum\] without an axis a vector is needed.*\(2, 3\)",
    ),
    fails("cumulative_prod", normal(2, 3), axis=2, error=ShapeError, match=r"\[cumulative_prod\] axis must name"),
    fails(
        "trapezoid",
        normal(2, 3),
        normal(4),
        error=ShapeError,
        match=r"\[trapezoid\] x must have the size of y along axis 1.*y \(2, 3\), x \(4,\)",
    ),
    fails("trapezoid", normal(2, 3), axis=2, error=ShapeError, match=r"\[trapezoid\] axis must name"),
]
