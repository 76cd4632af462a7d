import numpy as np
import scipy.ndimage
from cases.builders import IMAGES, IMAGES_FIRST, case, fails, integers, normal, raw, uniform

from eagerdl.errors import ArgumentError, ShapeError

F32 = {"dtypes": ("float32",), "sweep_rtol": 20.0}  # coordinates in half precision miss the pixels


SCIPY_MODES = {
    "constant": "grid-constant",
    "nearest": "nearest",
    "wrap": "grid-wrap",
    "mirror": "mirror",
    "reflect": "reflect",
}


def _map_coordinates(x, coordinates, order, fill_mode="constant", fill_value=0):
    return scipy.ndimage.map_coordinates(
        x, coordinates, order=order, mode=SCIPY_MODES[fill_mode], cval=fill_value, prefilter=False
    )


def _affine(x, transform, interpolation="bilinear", fill_mode="constant", fill_value=0, data_format=None):
    if data_format == "channels_first":
        out = _affine(np.moveaxis(x, -3, -1), transform, interpolation, fill_mode, fill_value)
        return np.moveaxis(out, -1, -3)
    if x.ndim == 3:
        return _affine(x[None], transform, interpolation, fill_mode, fill_value)[0]
    ys, xs = np.mgrid[: x.shape[1], : x.shape[2]].astype(float)
    out = np.empty(x.shape)
    for n, (a0, a1, a2, b0, b1, b2, c0, c1) in enumerate(np.broadcast_to(transform, (len(x), 8))):
        k = c0 * xs + c1 * ys + 1
        at = np.stack([(b0 * xs + b1 * ys + b2) / k, (a0 * xs + a1 * ys + a2) / k])
        for c in range(x.shape[-1]):
            out[n, ..., c] = _map_coordinates(
                x[n, ..., c], at, 0 if interpolation == "nearest" else 1, fill_mode, fill_value
            )
    return out


def _perspective(x, start, end, interpolation="bilinear", fill_value=0):
    """The map as a 3 x 3 matrix: the null vector of the homogeneous equations, by the singular value decomposition."""
    rows = []
    for (u, v), (p, q) in zip(start, end, strict=True):
        rows += [[p, q, 1, 0, 0, 0, -u * p, -u * q, -u], [0, 0, 0, p, q, 1, -v * p, -v * q, -v]]
    null = np.linalg.svd(np.array(rows))[2][-1]
    return _affine(x, null[:8] / null[8], interpolation, "constant", fill_value)


TRANSFORM = np.array([[1, 0.1, -1.33, 0.05, 0.9, 0.71, 0, 0], [0.8, -0.2, 2.13, 0.3, 1.2, -1.52, 0.013, -0.02]])
INSIDE = np.array([0.05, 0.02, 1.4, 0.03, 0.04, 1.3, 0.001, 0.002])  # far from pixels, where the derivative by it jumps
START = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 4.0], [5.0, 4.0]])
END = np.array([[0.6, 0.3], [4.2, 0.7], [0.4, 3.3], [5.1, 4.2]])
POINTS = uniform(-6.0, 10.0, 2, 3, 4)

CASES = {
    "image.affine_transform": [
        *[case(IMAGES, raw(TRANSFORM), interpolation=name, fill_mode=mode, fill_value=0.3, reference=_affine, **F32)
          for name in ("nearest", "bilinear") for mode in SCIPY_MODES],
        case(IMAGES[0], raw(TRANSFORM[1]), reference=_affine, **F32), case(IMAGES, raw(TRANSFORM[:1]),
             reference=_affine, **F32),
        case(IMAGES, INSIDE, reference=_affine, **F32),
        case(IMAGES_FIRST, raw(TRANSFORM), data_format="channels_first", reference=_affine, **F32),
        case(integers(0, 200, 2, 4, 3, dtype="uint8"), [1, 0, 1, 0, 1, 0, 0, 0], order=0,
             reference=lambda x, t: np.concatenate([x[:, 1:], x[:, :1] * 0], 1)),
    ],
    "image.perspective_transform": [
        *[case(IMAGES, START, END, interpolation=name, fill_value=0.2,
             reference=_perspective, order=1, rtol=1e-7, **F32)
          for name in ("nearest", "bilinear")],
        case(IMAGES_FIRST[0], START, END, data_format="channels_first", order=1, rtol=1e-7, **F32,
             reference=lambda x, a, b, data_format: np.moveaxis(_perspective(np.moveaxis(x, 0, -1), a, b), -1, 0)),
        case(IMAGES, raw(np.stack([START, START + 1])), raw(np.stack([END, START])), order=1, rtol=1e-7, **F32,
             reference=lambda x, a, b: np.stack([_perspective(x[i], a[i], b[i]) for i in (0, 1)])),
    ],
    "image.map_coordinates": [
        *[case(normal(4, 5), POINTS, order_, fill_mode=mode, fill_value=0.3,
             reference=_map_coordinates, order=1 + order_, **F32)
          for order_ in (0, 1) for mode in SCIPY_MODES],
        case(normal(6), uniform(-2.0, 8.0, 1, 9), 1, "reflect", reference=_map_coordinates, **F32),
        case(normal(3, 2, 4), uniform(-1.0, 4.0, 3, 5), 1, reference=_map_coordinates, **F32),
        case(normal(1, 3), np.array([[0.4, -2.0], [1.5, 2.5]]), 1, "mirror",
             reference=lambda x, at, *_: np.array([x[0, 1:].mean(), x[0, 1:].mean()])),
        case(normal(4), raw(np.array([[0.5, 1.5, 2.5, -0.5]])), 0, "nearest", reference=lambda x, *_: x[[1, 2, 3, 0]]),
        case(integers(0, 9, 4), np.array([[0.5, 1.25, 7.0]]), 1, order=0,
             reference=lambda x, *_: np.array([np.floor((x[0] + x[1]) / 2 + 0.5),
                 np.floor(0.75 * x[1] + 0.25 * x[2] + 0.5), 0])),
        case(normal(4), np.array([[1, 3]]), 1, reference=lambda x, *_: x[[1, 3]]),
    ],
}  # fmt: skip

OTHERWISE = {"image.elastic_transform": "random; its laws are in tests/test_image.py"}

FAILURES = [
    fails("image.affine_transform", IMAGES, np.ones(6), error=ShapeError,
          match=r"transform has shape \(8,\) or \(2, 8\); got \(6,\)"),
    fails("image.affine_transform", IMAGES, np.ones((3, 8)), error=ShapeError, match=r"got \(3, 8\)"),
    fails("image.affine_transform", IMAGES, TRANSFORM, "bicubic", error=ArgumentError,
          match=r"interpolation is one of 'nearest', 'bilinear'"),
    fails("image.affine_transform", IMAGES, TRANSFORM, fill_mode="zero", error=ArgumentError,
          match=r"fill_mode is one of"),
    fails("image.perspective_transform", IMAGES, START[:3], END, error=ShapeError,
          match=r"start_points has shape \(4, 2\)"),
    fails("image.perspective_transform", IMAGES, START, END[None], error=ShapeError, match=r"have one shape"),
    fails("image.map_coordinates", normal(3, 3), normal(3, 4), 1, error=ShapeError,
          match=r"coordinates has shape \(2, ...\)"),
    fails("image.map_coordinates", normal(3), normal(1, 4), 3, error=ArgumentError,
          match=r"order is one of 0, 1; got 3"),
    fails("image.map_coordinates", normal(3), normal(1, 4), 1, "zero", error=ArgumentError,
          match=r"fill_mode is one of"),
    fails("image.elastic_transform", IMAGES, sigma=0.0, error=ArgumentError, match=r"sigma is positive"),
]  # fmt: skip
