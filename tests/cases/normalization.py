import numpy as np
from cases.builders import case, fails, normal, positive

from eagerdl.errors import ArgumentError, ShapeError


def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    y = (np.moveaxis(x, axis, -1) - mean) / np.sqrt(variance + epsilon)
    y = y * (1 if scale is None else scale) + (0 if offset is None else offset)
    return np.moveaxis(y, -1, axis)


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=1e-7, center=True):
    axes = tuple(sorted(a % x.ndim for a in np.atleast_1d(axis)))
    shape = [n if i in axes else 1 for i, n in enumerate(x.shape)]
    y = x - x.mean(axes, keepdims=True) if center else x
    y = y / np.sqrt((y**2).mean(axes, keepdims=True) + epsilon)
    y = y if gamma is None else y * (gamma if gamma.size == 1 else gamma.reshape(shape))
    return y if beta is None else y + beta.reshape(shape)


def rms_normalization(x, scale=None, axis=-1, epsilon=1e-7):
    return layer_normalization(x, scale, None, axis, epsilon, center=False)


CASES = {
    "batch_normalization": [
        case(normal(4, 3), normal(3), positive(3), -1, reference=batch_normalization),
        case(
            normal(2, 3, 4),
            normal(3),
            positive(3),
            1,
            offset=normal(3, salt=1),
            scale=normal(3, salt=2),
            reference=batch_normalization,
        ),
        case(
            normal(2, 4), normal(4), positive(4), 1, scale=normal(4, salt=1), epsilon=0.1, reference=batch_normalization
        ),
        case(normal(0, 4), normal(4), positive(4), 1, reference=batch_normalization),
    ],
    "layer_normalization": [
        case(normal(3, 5), reference=layer_normalization),
        case(normal(3, 5), normal(5), normal(5, salt=1), reference=layer_normalization),
        case(normal(2, 3, 4), normal(4), reference=layer_normalization, epsilon=0.1),
        case(normal(2, 3, 4), beta=normal(3, 4), axis=(1, 2), reference=layer_normalization),
        case(
            normal(2, 3, 4),
            normal(2, 3),
            normal(2, 3, salt=1),
            axis=[1, 0],
            epsilon=0.01,
            reference=layer_normalization,
        ),
        case(normal(2, 3, 4), normal(3), normal(3, salt=1), axis=1, reference=layer_normalization),
        case(normal(4), normal(1), normal(4, salt=1), reference=layer_normalization),
        case(normal(0, 4), normal(4), reference=layer_normalization),
    ],
    "rms_normalization": [
        case(normal(3, 5), reference=rms_normalization),
        case(normal(3, 5), normal(5), epsilon=0.1, reference=rms_normalization),
        case(normal(2, 3, 4), normal(3, 4), axis=(1, 2), reference=rms_normalization),
        case(normal(2, 3, 4), normal(3), axis=1, reference=rms_normalization),
    ],
}

FAILURES = [
    fails(
        "batch_normalization",
        normal(2, 3),
        normal(2),
        positive(3),
        -1,
        error=ShapeError,
        match=r"mean must hold one number for each of the 3",
    ),
    fails(
        "batch_normalization",
        normal(2, 3),
        normal(3),
        positive(3),
        2,
        error=ShapeError,
        match=r"\[batch_normalization\] axis must name",
    ),
    fails(
        "layer_normalization",
        normal(2, 3),
        normal(2),
        error=ShapeError,
        match=r"gamma must have the sizes of the normalized axes, \(3,\)",
    ),
    fails(
        "layer_normalization", normal(2, 3), axis=5, error=ShapeError, match=r"\[layer_normalization\] axis must name"
    ),
    fails("layer_normalization", normal(2, 3), axis=(), error=ArgumentError, match=r"at least one axis"),
    fails(
        "layer_normalization", normal(2, 3), rms_scaling=True, error=ArgumentError, match=r"use edl.rms_normalization"
    ),
    fails(
        "layer_normalization",
        normal(2, 3),
        scale=1,
        error=ArgumentError,
        match=r"x, gamma, beta, axis, epsilon; got scale",
    ),
    fails(
        "rms_normalization", normal(2, 3), normal(4), error=ShapeError, match=r"\[rms_normalization\] scale must have"
    ),
]
