import numpy as np
from cases.builders import case, distinct, fails, integers, normal
from cases.convolution import geometry, last, restore, tuples

from eagerdl.errors import ArgumentError, ShapeError


def pool(reduce):
    """Pooling by the definition: cuts out each window and reduces it."""

    def reference(x, pool_size, strides=None, padding="valid", data_format=None):
        x = last(x, data_format)
        count = x.ndim - 2
        sizes = tuples(pool_size, count)
        strides = sizes if strides is None else tuples(strides, count)
        out, front = zip(*geometry(x.shape[1:-1], sizes, strides, padding, (1,) * count), strict=True)
        y = np.zeros((x.shape[0], *out, x.shape[-1]))
        for place in np.ndindex(*out):
            starts = [p * s - f for p, s, f in zip(place, strides, front, strict=True)]
            box = tuple(slice(max(0, a), a + k) for a, k in zip(starts, sizes, strict=True))
            y[(slice(None), *place)] = reduce(x[(slice(None), *box)], axis=tuple(range(1, 1 + count)))
        return restore(y, data_format)

    return reference


def adaptive(reduce):
    def reference(x, output_size, data_format=None):
        x = last(x, data_format)
        out = tuples(output_size, x.ndim - 2)
        y = np.zeros((x.shape[0], *out, x.shape[-1]))
        for place in np.ndindex(*out):
            box = tuple(
                slice(int(np.floor(i * n / m)), int(np.ceil((i + 1) * n / m)))
                for i, n, m in zip(place, x.shape[1:-1], out, strict=True)
            )
            y[(slice(None), *place)] = reduce(x[(slice(None), *box)], axis=tuple(range(1, x.ndim - 1)))
        return restore(y, data_format)

    return reference


def rows(draw, reference):
    return [
        case(draw(2, 6, 5, 3), 2, reference=reference),
        case(draw(2, 6, 5, 3), (3, 2), strides=(1, 2), reference=reference),
        case(draw(2, 7, 6, 2), 3, strides=2, padding="same", reference=reference),
        case(draw(2, 2, 5, 4), 2, padding="same", data_format="channels_first", reference=reference),
        case(draw(1, 5, 5, 2), 2, strides=3, reference=reference),
        case(draw(2, 7, 3), 3, strides=1, reference=reference),
        case(draw(1, 20, 2), 9, reference=reference),
        case(draw(1, 4, 3, 5, 2), 2, strides=[1, 2, 1], padding="same", reference=reference),
        case(draw(0, 4, 4, 2), 2, reference=reference),
    ]


def adaptive_rows(draw, reference):
    return [
        case(draw(2, 5, 7, 3), (3, 4), reference=reference),
        case(draw(2, 6, 4, 3), 2, reference=reference),
        case(draw(2, 3, 7), 3, data_format="channels_first", reference=reference),
        case(draw(1, 3, 4, 5, 2), (2, 3, 5), reference=reference),
        case(draw(1, 2, 3, 2), 4, reference=reference),
    ]


CASES = {
    "max_pool": [
        *rows(distinct, pool(np.max)),
        case(integers(-9, 9, 2, 6, 2), 3, padding="same", order=0, reference=pool(np.max)),
    ],
    "average_pool": [
        *rows(normal, pool(np.mean)),
        case(integers(-9, 9, 2, 6, 2), 2, order=0, rtol=1e-6, reference=pool(np.mean)),
    ],
    "adaptive_average_pool": adaptive_rows(normal, adaptive(np.mean)),
    "adaptive_max_pool": adaptive_rows(distinct, adaptive(np.max)),
}

FAILURES = [
    fails(
        "max_pool",
        normal(5, 3),
        2,
        error=ShapeError,
        match=r"\[max_pool\] inputs must have a batch axis, .* shape \(5, 3\)",
    ),
    fails("max_pool", normal(1, 3, 3, 2), 4, error=ShapeError, match=r"the window must fit into the input"),
    fails("max_pool", normal(1, 3, 3, 2), (2, 2, 2), error=ArgumentError, match=r"pool_size is an int or 2 ints"),
    fails(
        "max_pool", normal(1, 3, 3, 2), 2, padding="causal", error=ArgumentError, match=r"'valid', 'same'; got 'causal'"
    ),
    fails("average_pool", normal(1, 3, 3, 2), 2, strides=0, error=ArgumentError, match=r"\[average_pool\] strides is"),
    fails("average_pool", normal(1, 3, 3, 2), 2, data_format="last", error=ArgumentError, match=r"'channels_last'"),
    fails(
        "adaptive_average_pool",
        normal(1, 3, 3, 2),
        0,
        error=ArgumentError,
        match=r"output_size is an int or 2 ints, at least 1",
    ),
    fails("adaptive_max_pool", normal(1, 0, 3, 2), 1, error=ShapeError, match=r"must not be empty"),
]
