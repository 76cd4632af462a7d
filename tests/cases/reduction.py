import warnings

import numpy as np
from cases.builders import booleans, case, complex_normal, distinct, fails, integers, normal, positive

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

NAN = np.nan
HOLES = np.array([[0.31, NAN, 2.2, -0.4], [NAN, NAN, 1.07, 0.95], [-2.2, 1.6, 0.12, NAN]])
EMPTIED = np.array([[1.5, NAN], [NAN, NAN]])
ZEROS = normal(3, 5) * np.array([[1, 1, 0, 1, 1], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1]])  # one, two and no zeros in a row


def tuples(function):
    """NumPy's function, which takes several axes as a tuple only."""
    return lambda x, axis=None, **options: function(x, tuple(axis) if axis.__class__ is list else axis, **options)


def quiet(function):
    """The function without its warnings about slices in which nothing is left."""

    def call(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return call


def over_axes(x, **options):
    return [
        case(x, **options),
        case(x, axis=1, **options),
        case(x, axis=(0, -1), keepdims=True, **options),
        case(x, axis=[0], **options),
    ]


def signed(function):
    """NumPy's nanargmax or nanargmin, with -1 where all are NaN."""

    def call(x, axis=None, keepdims=False):
        empty = np.isnan(x).all(axis, keepdims=True)
        out = function(np.where(empty, 0, x), axis, keepdims=True)
        out = np.where(empty, -1, out)
        return out if keepdims else out.squeeze(axis)

    return call


CASES = {
    "sum": [
        *over_axes(normal(2, 3, 4), reference=tuples(np.sum)),
        case(normal(0, 3), axis=0),
        case(normal()),
        case(integers(0, 9, 3), order=0),
        case(complex_normal(2, 3), axis=0, dtypes=()),
        case(np.ones(3000), order=1),
        case(integers(0, 200, 9, dtype="uint8"), order=0),
        case(booleans(5), order=0),
    ],
    "prod": [
        *over_axes(positive(2, 3, 4), reference=tuples(np.prod)),
        case(ZEROS),
        case(ZEROS, axis=1),
        case(ZEROS[:, :4], 1, keepdims=True),
        case(np.zeros(3)),
        case(normal(1)),
        case(normal()),
        case(normal(0, 3), axis=0),
        case(normal(3, 0), axis=0),
        case(complex_normal(5), dtypes=()),
        case(integers(1, 9, 3), order=0),
        case(np.full(4, 100, "int8"), order=0),
    ],
    "mean": [
        *over_axes(normal(2, 3, 4), reference=tuples(np.mean)),
        case(normal()),
        case(complex_normal(4), dtypes=()),
        case(integers(0, 9, 3), order=0, rtol=1e-6),
        case(np.full(3000, 60.0), order=1),
        case(normal(0), order=0, reference=quiet(np.mean)),
        case(normal(0, 2), axis=1),
    ],
    "max": [
        *over_axes(distinct(2, 3, 4), reference=tuples(np.max)),
        case(np.zeros(0), initial=1.0),
        case(distinct(3), initial=9.0),
        case(integers(0, 9, 3), order=0),
        case(booleans(3), order=0),
        case(normal(0, 3), axis=1, initial=0.0),
        case(np.array([1.0, NAN]), order=0),
    ],
    "min": [
        *over_axes(distinct(2, 3, 4), reference=tuples(np.min)),
        case(np.zeros(0), initial=1.0),
        case(distinct(3), initial=-9.0),
        case(integers(0, 9, 3), order=0),
        case(np.array([1.0, NAN]), order=0),
    ],
    "amax": case(distinct(2, 3), axis=0),
    "amin": case(distinct(2, 3), axis=0),
    "ptp": [case(distinct(2, 3)), case(distinct(2, 3), axis=1, keepdims=True), case(integers(0, 9, 3), order=0)],
    "argmax": [
        case(distinct(2, 3)),
        case(distinct(2, 3), axis=-1),
        case(distinct(2, 3), axis=0, keepdims=True),
        case(distinct(2, 3), keepdims=True),
        case(np.array([1.0, NAN, 2.0, NAN]), order=0),
        case(np.array([2, 5, 5]), order=0),
        case(normal()),
    ],
    "argmin": [
        case(distinct(2, 3)),
        case(distinct(2, 3), axis=-1),
        case(distinct(2, 3), axis=0, keepdims=True),
        case(distinct(2, 3), keepdims=True),
        case(np.array([1.0, NAN, 2.0, NAN]), order=0),
        case(np.array([2, 5, 2]), order=0),
        case(normal()),
    ],
    "all": over_axes(booleans(2, 3, 4), reference=tuples(np.all), order=0)
    + [case(np.array([1.0, 0.0]), order=0), case(np.zeros((0, 2)), axis=0, order=0)],
    "any": over_axes(booleans(2, 3, 4), reference=tuples(np.any), order=0)
    + [case(np.array([1.0, 0.0]), order=0), case(np.zeros((0, 2)), axis=0, order=0)],
    "count_nonzero": over_axes(integers(0, 2, 2, 3, 4), reference=tuples(np.count_nonzero), order=0)
    + [case(np.array([1.0, 0.0, NAN]), order=0), case(booleans(4), order=0)],
    "nansum": [
        case(HOLES),
        case(HOLES, axis=1),
        case(HOLES, axis=0, keepdims=True),
        case(EMPTIED, axis=1),
        case(integers(0, 5, 3), order=0),
    ],
    "nanprod": [
        case(HOLES),
        case(HOLES, axis=1),
        case(EMPTIED, axis=1, keepdims=True),
        case(integers(0, 5, 3), order=0),
    ],
    "nanmean": [
        case(HOLES),
        case(HOLES, axis=1),
        case(HOLES, axis=(0, 1), keepdims=True),
        case(EMPTIED[:1], axis=1),
        case(EMPTIED, axis=1, order=0, reference=quiet(np.nanmean)),
        case(integers(0, 5, 3), order=0, rtol=1e-6),
    ],
    "nanmax": [
        case(HOLES),
        case(HOLES, axis=1),
        case(HOLES, axis=0, keepdims=True),
        case(EMPTIED, axis=1, order=0, reference=quiet(np.nanmax)),
        case(integers(0, 5, 3), order=0),
    ],
    "nanmin": [
        case(HOLES),
        case(HOLES, axis=1),
        case(HOLES, axis=0, keepdims=True),
        case(EMPTIED, axis=1, order=0, reference=quiet(np.nanmin)),
        case(integers(0, 5, 3), order=0),
    ],
    "nanargmax": [
        case(HOLES),
        case(HOLES, axis=1, keepdims=True),
        case(EMPTIED, axis=1, reference=signed(np.nanargmax)),
        case(integers(0, 9, 5), order=0),
    ],
    "nanargmin": [
        case(HOLES),
        case(HOLES, axis=1, keepdims=True),
        case(EMPTIED, axis=1, reference=signed(np.nanargmin)),
        case(integers(0, 9, 5), order=0),
    ],
}

FAILURES = [
    fails(
        "sum",
        normal(2, 3),
        axis=2,
        error=ShapeError,
        match=r"\[sum\] axis must name one of the 2 axes; got axis=2; allowed are from -2 to 1",
    ),
    fails("sum", normal(2, 3), axis=(0, -2), error=ShapeError, match=r"each axis may come once"),
    fails("prod", normal(2, 3), axis=3, error=ShapeError, match=r"\[prod\] axis must name one of the 2 axes"),
    fails("mean", normal(), axis=0, error=ShapeError, match=r"\[mean\] .*the tensor has shape \(\)"),
    fails("max", np.zeros((0, 3)), axis=0, error=ArgumentError, match=r"\[max\] at least one element"),
    fails("max", normal(3), axis=1, error=ShapeError, match=r"\[max\] axis must name"),
    fails("min", np.zeros((0, 3)), error=ArgumentError, match=r"\[min\] at least one element"),
    fails("ptp", np.zeros(0), error=ArgumentError, match=r"\[max\] at least one element"),
    fails(
        "argmax",
        np.zeros((2, 0)),
        axis=1,
        error=ArgumentError,
        match=r"\[argmax\] at least one element.*x \(2, 0\), axis=1",
    ),
    fails("argmin", normal(2), axis=1, error=ShapeError, match=r"\[argmin\] axis must name one of the 1 axes"),
    fails("argmax", normal(2, 2), axis=(0, 1), error=DTypeError, match=r"\[argmax\] an axis is an integer"),
    fails("all", booleans(2), axis=1, error=ShapeError, match=r"\[all\] axis must name"),
    fails("any", booleans(2), axis=(0, 0), error=ShapeError, match=r"\[any\] each axis may come once"),
    fails("count_nonzero", booleans(2), axis=1, error=ShapeError, match=r"axis must name"),
    fails("nanmax", np.zeros(0), error=ArgumentError, match=r"at least one element"),
    fails("nanargmax", np.zeros(0), error=ArgumentError, match=r"at least one element"),
]
