import colorsys
import itertools
import math

import numpy as np
import scipy.ndimage
from cases.builders import booleans, case, fails, integers, normal, raw, uniform

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

F32 = {"dtypes": ("float32",), "sweep_rtol": 20.0}  # coordinates in half precision miss the pixels


# -- references -------------------------------------------------------------------------------------


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


def _patches(x, size, strides=None, dilation_rate=1, padding="valid"):
    """Patches of (n, spatial..., c) by NumPy's sliding windows."""
    k, axes = x.ndim - 2, tuple(range(1, x.ndim - 1))
    size = (size,) * k if isinstance(size, int) else size
    strides = size if strides is None else (strides,) * k if isinstance(strides, int) else strides
    reach = [(p - 1) * dilation_rate + 1 for p in size]
    if padding == "same":
        short = [
            max((math.ceil(n / s) - 1) * s + r - n, 0) for n, s, r in zip(x.shape[1:-1], strides, reach, strict=True)
        ]
        x = np.pad(x, [(0, 0), *[(m // 2, m - m // 2) for m in short], (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axes)  # (n, places..., c, offsets...)
    windows = windows[
        (slice(None), *[slice(None, None, s) for s in strides], slice(None), *[slice(None, None, dilation_rate)] * k)
    ]
    windows = np.moveaxis(windows, k + 1, -1)
    return windows.reshape(*windows.shape[: k + 1], -1)


def _gaussian(size, sigma):
    weights = np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / sigma) ** 2)
    return weights / weights.sum()


def _blur(x, kernel_size=(3, 3), sigma=(1.0, 1.0)):
    for axis, size, width in ((-2, kernel_size[0], sigma[0]), (-3, kernel_size[1], sigma[1])):
        x = scipy.ndimage.correlate1d(x, _gaussian(size, width), axis, mode="constant")
    return x


def _sobel(x, data_format=None):
    h, w = (1, 2) if data_format is None else (2, 3)
    smooth, slope = [1.0, 2.0, 1.0], [-1.0, 0.0, 1.0]

    def edges(along, across):
        return scipy.ndimage.correlate1d(
            scipy.ndimage.correlate1d(x, slope, along, mode="constant"), smooth, across, mode="constant"
        )

    return np.stack([edges(h, w), edges(w, h)], -1)


def _ssim(x, y, max_val=1.0, filter_size=11, filter_sigma=1.5):
    if x.ndim == 3:
        return _ssim(x[None], y[None], max_val, filter_size, filter_sigma)[0]
    window = np.outer(_gaussian(filter_size, filter_sigma), _gaussian(filter_size, filter_sigma))

    def average(z):
        return np.einsum(
            "nhwcij,ij->nhwc", np.lib.stride_tricks.sliding_window_view(z, (filter_size, filter_size), (1, 2)), window
        )

    c1, c2 = (0.01 * max_val) ** 2, (0.03 * max_val) ** 2
    mx, my = average(x), average(y)
    vx, vy, cov = average(x**2) - mx**2, average(y**2) - my**2, average(x * y) - mx * my
    return ((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean((1, 2, 3))


def _pixels(function, axis=-1):
    """A function of three numbers, pixel by pixel."""

    def reference(x, data_format=None):
        return np.apply_along_axis(lambda pixel: function(*pixel), axis, x)

    return reference


def _gray(x, data_format=None):
    return np.expand_dims(
        np.tensordot(x, [0.2989, 0.5870, 0.1140], (-1 if data_format is None else -3, 0)),
        -1 if data_format is None else -3,
    )


# -- rows -------------------------------------------------------------------------------------------

IMAGES = uniform(0.0, 1.0, 2, 5, 6, 3)
FIRST = uniform(0.0, 1.0, 2, 3, 5, 6)
TRANSFORM = np.array([[1, 0.1, -1.33, 0.05, 0.9, 0.71, 0, 0], [0.8, -0.2, 2.13, 0.3, 1.2, -1.52, 0.013, -0.02]])
INSIDE = np.array([0.05, 0.02, 1.4, 0.03, 0.04, 1.3, 0.001, 0.002])  # far from pixels, where the derivative by it jumps
START = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 4.0], [5.0, 4.0]])
END = np.array([[0.6, 0.3], [4.2, 0.7], [0.4, 3.3], [5.1, 4.2]])
POINTS = uniform(-6.0, 10.0, 2, 3, 4)
COLOURS = np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0.2, 0.9, 0.2]]])
RGB = np.array([list(itertools.permutations((0.2, 0.5, 0.9)))])  # one pixel in each of the six sectors of the hue
HSV = np.array([[[(k + 0.45) / 6, 0.6, 0.8] for k in range(6)]])

CASES = {
    "image.resize": [
        *[case(uniform(0.0, 1.0, 1, 5, 6, 2), size, interpolation=name, antialias=antialias, reference=_resize)
          for name in ("bilinear", "bicubic", "lanczos3", "lanczos5", "nearest") for antialias in (False,
              True) for size in ((3, 9), (8, 4))],
        case(normal(5, 6, 1), (7, 6), reference=lambda x, size: _interpolated(x[..., 0], size)[..., None]),
        case(normal(70, 64, 1), (40, 130), reference=_resize, order=1),
        case(FIRST, (4, 8), interpolation="bicubic", data_format="channels_first", reference=_resize_first),
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
    "image.affine_transform": [
        *[case(IMAGES, raw(TRANSFORM), interpolation=name, fill_mode=mode, fill_value=0.3, reference=_affine, **F32)
          for name in ("nearest", "bilinear") for mode in SCIPY_MODES],
        case(IMAGES[0], raw(TRANSFORM[1]), reference=_affine, **F32), case(IMAGES, raw(TRANSFORM[:1]),
             reference=_affine, **F32),
        case(IMAGES, INSIDE, reference=_affine, **F32),
        case(FIRST, raw(TRANSFORM), data_format="channels_first", reference=_affine, **F32),
        case(integers(0, 200, 2, 4, 3, dtype="uint8"), [1, 0, 1, 0, 1, 0, 0, 0], order=0,
             reference=lambda x, t: np.concatenate([x[:, 1:], x[:, :1] * 0], 1)),
    ],
    "image.perspective_transform": [
        *[case(IMAGES, START, END, interpolation=name, fill_value=0.2,
             reference=_perspective, order=1, rtol=1e-7, **F32)
          for name in ("nearest", "bilinear")],
        case(FIRST[0], START, END, data_format="channels_first", order=1, rtol=1e-7, **F32,
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
    "image.gaussian_blur": [
        case(IMAGES, reference=_blur), case(IMAGES, (5, 3), (2.0, 0.5), reference=_blur), case(IMAGES[0], [9, 15],
             reference=_blur),
        case(IMAGES, (3, 5), np.array([0.7, 1.2]), reference=_blur, sweep_rtol=4.0),
        case(FIRST, (5, 3), data_format="channels_first", reference=lambda x, k,
             data_format: np.moveaxis(_blur(np.moveaxis(x, 1, -1), k), -1, 1)),
        case(normal(1, 4, 1), (2, 1), (0.5, 1.0), reference=lambda x, *_: (x + np.append(x[:, 1:], [[[0.0]]], 1)) / 2),
        case(integers(0, 256, 5, 6, 3, dtype="uint8"), order=0,
             reference=lambda x: np.rint(_blur(x.astype("float64")))),
    ],
    "image.sobel_edges": [case(IMAGES, reference=_sobel), case(FIRST, data_format="channels_first", reference=_sobel)],
    "image.ssim": [
        case(uniform(0, 1, 2, 12, 13, 2), uniform(0, 1, 2, 12, 13, 2, salt=1),
             reference=_ssim, order=1, sweep_rtol=10.0),
        case(IMAGES[0], IMAGES[1], max_val=2.0, filter_size=4, filter_sigma=0.8, reference=_ssim, sweep_rtol=10.0),
        case(FIRST, FIRST * 0.9, filter_size=3, data_format="channels_first", sweep_rtol=10.0, order=1,
             reference=lambda x, y, filter_size, data_format: _ssim(np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1),
                 filter_size=3)),
        case(integers(0, 256, 8, 8, 1, dtype="uint8"), integers(0, 256, 8, 8, 1, dtype="uint8", salt=1), 255.0, 5,
             order=0, rtol=1e-3,
             reference=lambda x, y, m, f: _ssim(x.astype("float64"), y.astype("float64"), m, f)),
    ],
    "image.extract_patches": [
        *[case(normal(2, 7, 8, 2), size, strides=strides, padding=padding, reference=_patches, order=1)
          for size, strides in ((3, None), ((2, 3), None), (3, 1), ((3, 2), (2, 3))) for padding in ("valid", "same")],
        case(normal(1, 7, 8, 2), (3, 2), 1, 2, "SAME", reference=lambda x, p, s, d, _: _patches(x, p, s, d, "same")),
        case(normal(4, 4, 1), 2, strides=1, reference=lambda x, p, strides: _patches(x[None], p, strides)[0]),
        case(normal(1, 2, 5, 6), 2, data_format="channels_first",
             reference=lambda x, p, data_format: np.moveaxis(_patches(np.moveaxis(x, 1, -1), p), -1, 1)),
        case(normal(1, 4, 4, 4, 1), (2, 2, 2), reference=_patches, order=1), case(integers(0, 9, 1, 4, 4, 1), 2,
             order=0, reference=_patches),
    ],
    "image.extract_patches_3d": [
        *[case(normal(1, 5, 4, 6, 2), (2, 3, 2), strides=strides, padding=padding, reference=_patches, order=1)
          for strides in (None, 1, (2, 1, 3)) for padding in ("valid", "same")],
        case(normal(4, 4, 4, 1), 2, reference=lambda x, p: _patches(x[None], p)[0]),
    ],
    "image.crop_images": [
        case(IMAGES, 1, 2, 3, 1, reference=lambda x, *_: x[:, 1:2, 2:5]),
        case(IMAGES[0], top_cropping=1, right_cropping=2, target_height=3, target_width=4,
             reference=lambda x, **_: x[1:4, :4]),
        case(FIRST, bottom_cropping=1, left_cropping=0, target_height=3, target_width=6, data_format="channels_first",
             reference=lambda x, **_: x[:, :, 1:4]),
    ],
    "image.pad_images": [
        case(IMAGES, 1, 2, 3, 0, reference=lambda x, *_: np.pad(x, ((0, 0), (1, 3), (2, 0), (0, 0)))),
        case(IMAGES[0], 1, right_padding=2, target_height=9, target_width=9,
             reference=lambda x, *_, **__: np.pad(x, ((1, 3), (1, 2), (0, 0)))),
        case(FIRST, 0, 0, 0, 0, data_format="channels_first", reference=lambda x, *_, **__: x),
    ],
    "image.rgb_to_grayscale": [
        case(IMAGES, reference=_gray), case(IMAGES[0], reference=_gray), case(FIRST, data_format="channels_first",
             reference=_gray),
        case(IMAGES[..., :1], reference=lambda x: x),
        case(np.array([[[255, 255, 255], [10, 20, 30]]], "uint8"), order=0,
             reference=lambda x: np.array([[[254], [18]]])),
    ],
    "image.rgb_to_hsv": [
        case(IMAGES, reference=_pixels(colorsys.rgb_to_hsv), order=0, sweep_rtol=4.0),
        case(RGB, reference=_pixels(colorsys.rgb_to_hsv), sweep_rtol=4.0), case(COLOURS,
             reference=_pixels(colorsys.rgb_to_hsv), order=0),
        case(RGB.T, data_format="channels_first", reference=_pixels(colorsys.rgb_to_hsv, 0), sweep_rtol=4.0),
    ],
    "image.hsv_to_rgb": [
        case(IMAGES, reference=_pixels(colorsys.hsv_to_rgb), order=0, sweep_rtol=4.0),
        case(HSV, reference=_pixels(colorsys.hsv_to_rgb), sweep_rtol=4.0), case(COLOURS,
             reference=_pixels(colorsys.hsv_to_rgb), order=0),
        case(HSV.T, data_format="channels_first", reference=_pixels(colorsys.hsv_to_rgb, 0), sweep_rtol=4.0),
    ],
}  # fmt: skip

OTHERWISE = {"image.elastic_transform": "random; its laws are in tests/test_image.py"}

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
    fails("image.gaussian_blur", IMAGES, (0, 3), error=ArgumentError, match=r"kernel_size holds two positive ints"),
    fails("image.gaussian_blur", IMAGES, 3, error=ArgumentError, match=r"kernel_size holds two positive ints"),
    fails("image.gaussian_blur", IMAGES, (3, 3), 1.0, error=ArgumentError, match=r"sigma two numbers"),
    fails("image.sobel_edges", normal(3, 3), error=ShapeError, match=r"\[sobel_edges\] an image"),
    fails("image.ssim", IMAGES, IMAGES[:1], error=ShapeError, match=r"\[ssim\] both images must have one shape"),
    fails("image.ssim", IMAGES, IMAGES, error=ShapeError, match=r"the window must fit.*filter_size=11"),
    fails("image.elastic_transform", IMAGES, sigma=0.0, error=ArgumentError, match=r"sigma is positive"),
    fails("image.extract_patches", normal(4, 4), 2, error=ShapeError, match=r"2 spatial axes, one of channels"),
    fails("image.extract_patches", IMAGES, 7, error=ShapeError, match=r"a patch must fit into the images"),
    fails("image.extract_patches", IMAGES, 0, error=ArgumentError,
          match=r"size is an int of at least 1, or 2 of them; got 0"),
    fails("image.extract_patches", IMAGES, 2, strides=(1, 2, 3), error=ArgumentError, match=r"strides is an int"),
    fails("image.extract_patches", IMAGES, 2, padding="full", error=ArgumentError,
          match=r"padding is one of 'valid', 'same'; got 'full'"),
    fails("image.extract_patches_3d", normal(4, 4, 4), 2, error=ShapeError, match=r"3 spatial axes"),
    fails("image.crop_images", IMAGES, 1, 1, 1, error=ArgumentError,
          match=r"exactly two of left_cropping, right_cropping, target_width"),
    fails("image.crop_images", IMAGES, 3, 0, 4, 0, error=ArgumentError, match=r"must fit the height 5"),
    fails("image.crop_images", IMAGES, 1, 1, target_height=5, target_width=2, error=ArgumentError,
          match=r"must fit the height 5"),
    fails("image.crop_images", IMAGES, -1, 1, 1, 1, error=ArgumentError,
          match=r"top_cropping is an int of at least 0; got -1"),
    fails("image.pad_images", IMAGES, 1, 1, 1, 1, 9, error=ArgumentError, match=r"exactly two of top_padding"),
    fails("image.pad_images", IMAGES, 1, 1, target_height=4, target_width=9, error=ArgumentError,
          match=r"must fit the height 5"),
    fails("image.rgb_to_grayscale", IMAGES[..., :2], error=ShapeError,
          match=r"\[rgb_to_grayscale\] images of 3 channels"),
    fails("image.rgb_to_hsv", integers(0, 9, 2, 2, 3), error=DTypeError,
          match=r"\[rgb_to_hsv\] images of a floating dtype.*got int32"),
    fails("image.rgb_to_hsv", raw(FIRST), error=ShapeError, match=r"images of 3 channels.*check data_format"),
    fails("image.hsv_to_rgb", booleans(2, 2, 3), error=DTypeError, match=r"\[hsv_to_rgb\] images of a floating dtype"),
]  # fmt: skip
