import math

import numpy as np
from cases.builders import IMAGES, IMAGES_FIRST, case, fails, integers, normal, raw, uniform

from eagerdl.errors import ArgumentError, ShapeError

F32 = {"dtypes": ("float32",), "sweep_rtol": 20.0}  # places in half precision miss the pixels


def _kernel(method, x):
    if method == "bilinear":
        return max(0.0, 1 - x)
    if method == "bicubic":  # Keys, a = -1/2
        a = -0.5
        if x < 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0
    radius = int(method[-1])
    return float(np.sinc(x) * np.sinc(x / radius)) if x < radius else 0.0


def _line_weights(n, m, scale, translation, method, antialias):
    out = np.zeros((m, n))
    wide = max(1.0, 1 / scale) if antialias else 1.0
    for i in range(m):
        centre = (i + 0.5 - translation) / scale - 0.5
        if -0.5 <= centre <= n - 0.5:
            row = [_kernel(method, abs(centre - j) / wide) for j in range(n)]
            out[i] = np.array(row) / sum(row)
    return out


def _resize(x, size, interpolation="bilinear", antialias=False):
    """The middle two axes of (..., h, w, c) by the definition, number by number."""
    for axis, m in zip((-3, -2), size, strict=True):
        n = x.shape[axis]
        if interpolation == "nearest":
            x = x.take([math.floor((i + 0.5) * n / m) for i in range(m)], axis)
        elif n != m:
            weights = _line_weights(n, m, m / n, 0.0, interpolation, antialias)
            x = np.moveaxis(np.tensordot(x, weights, (axis, 1)), -1, axis)
    return x


def _resize_first(x, size, interpolation, data_format):
    return np.moveaxis(_resize(np.moveaxis(x, -3, -1), size, interpolation), -1, -3)


def _interpolated(x, size):
    """Bilinear resizing of (h, w) by NumPy's own interpolation."""
    for axis, m in enumerate(size):
        n = x.shape[axis]
        at = (np.arange(m) + 0.5) * n / m - 0.5
        x = np.apply_along_axis(lambda line, at=at, n=n: np.interp(at, np.arange(n), line), axis, x)
    return x


def _scale_and_translate(x, shape, scale, translation, spatial_dims, method, antialias=True):
    for s, t, axis in zip(scale, translation, spatial_dims, strict=True):
        weights = _line_weights(x.shape[axis], shape[axis], s, t, method, antialias)
        x = np.moveaxis(np.tensordot(x, weights, (axis, 1)), -1, axis)
    return x


CASES = {
    "image.resize": [
        *[case(uniform(0.0, 1.0, 1, 5, 6, 2), size, interpolation=name, antialias=antialias, reference=_resize)
          for name in ("bilinear", "bicubic", "lanczos3", "lanczos5", "nearest") for antialias in (False,
              True) for size in ((3, 9), (8, 4))],
        case(normal(5, 6, 1), (7, 6), reference=lambda x, size: _interpolated(x[..., 0], size)[..., None]),
        case(normal(70, 64, 1), (40, 130), reference=_resize, order=1),
        case(IMAGES_FIRST, (4, 8), interpolation="bicubic", data_format="channels_first", reference=_resize_first),
        case(normal(4, 8, 1), [2, 2], crop_to_aspect_ratio=True, reference=lambda x, s, **_: _resize(x[:, 2:6], s)),
        case(normal(8, 4, 1), (2, 3), crop_to_aspect_ratio=True, reference=lambda x, s, **_: _resize(x[3:5], s)),
        case(normal(4, 8, 1), (4, 4), pad_to_aspect_ratio=True, fill_value=2.0,
             reference=lambda x, s, **_: _resize(np.pad(x, ((2, 2), (0, 0), (0, 0)), constant_values=2.0), s)),
        case(normal(8, 4, 1), (4, 4), pad_to_aspect_ratio=True,
             reference=lambda x, s, **_: _resize(np.pad(x, ((0, 0), (2, 2), (0, 0))), s)),
        case(integers(0, 256, 5, 6, 3, dtype="uint8"), (7, 8), interpolation="bicubic", order=0,
             reference=lambda x, s, interpolation: np.clip(np.rint(_resize(x.astype("float64"), s, interpolation)), 0,
                 255)),
        case(integers(0, 9, 5, 6, 3), (3, 3), interpolation="nearest", order=0, reference=_resize),
    ],
    "image.scale_and_translate": [
        *[case(normal(1, 5, 6, 2), (1, 7, 4, 2), np.array([1.3, 0.42]), np.array([0.3, -0.2]), (1, 2), name,
             antialias=antialias,
               reference=_scale_and_translate, **F32, order=1)
          for name in ("bilinear", "bicubic", "lanczos3", "lanczos5") for antialias in (True, False)],
        case(normal(5), (5,), raw(np.array([1.0])), raw(np.array([2.0])), (-1,), "linear",
             reference=lambda x, *_: np.array([0, 0, *x[:3]])),
    ],
}  # fmt: skip

FAILURES = [
    fails("image.resize", normal(4, 4), (2, 2), error=ShapeError,
          match=r"\[resize\] an image \(height, width, channels\) or a batch.*\(4, 4\)"),
    fails("image.resize", IMAGES, (2, 2), "area", error=ArgumentError,
          match=r"\[resize\] interpolation is one of 'bilinear'.*got 'area'"),
    fails("image.resize", IMAGES, (2, 2, 2), error=ArgumentError, match=r"size is \(height, width\)"),
    fails("image.resize", IMAGES, (0, 2), error=ArgumentError, match=r"both at least 1; got \(0, 2\)"),
    fails("image.resize", normal(0, 2, 1), (2, 2), error=ShapeError, match=r"images of at least one pixel"),
    fails("image.resize", IMAGES, (2, 2), fill_mode="wrap", error=ArgumentError,
          match=r"fill_mode is one of 'constant'"),
    fails("image.resize", IMAGES, (2, 2), data_format="nchw", error=ArgumentError,
          match=r"an image layout is needed; got 'nchw'"),
    fails("image.resize", IMAGES, (2, 2), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True, error=ArgumentError,
          match=r"images are cropped or padded, not both"),
    fails("image.scale_and_translate", normal(3), (3,), [1.0], [0.0], (0,), "nearest", error=ArgumentError,
          match=r"method is one of"),
    fails("image.scale_and_translate", normal(3), (3,), [1.0], [0.0, 1.0], (0,), "linear", error=ShapeError,
          match=r"translation \(2,\)"),
    fails("image.scale_and_translate", normal(3, 2), (3, 3), [1.0], [0.0], (0,), "linear", error=ShapeError,
          match=r"beside spatial_dims"),
    fails("image.scale_and_translate", normal(3), (3,), [1.0], [0.0], (1,), "linear", error=ShapeError,
          match=r"spatial_dims name axes"),
]  # fmt: skip
