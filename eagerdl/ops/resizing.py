"""Images in other sizes: matrix products along height and width."""

import builtins
import functools
import math

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, bilinear
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.arithmetic import absolute, minimum, where
from eagerdl.ops.conversion import convert_to_tensor, floating
from eagerdl.ops.elementary import sin
from eagerdl.ops.indexing import get_item, take
from eagerdl.ops.layouts import cast_like, check_choice, constant_like, image_axes, padded
from eagerdl.ops.linalg import matmul
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import expand_dims, reshape, transpose
from eagerdl.tensor import Tensor

__all__ = ["resize", "scale_and_translate"]


# -- weights and products along an axis -----------------------------------------------------------


def _resampled(x, weights, axis):
    return Spec((*x.shape[:axis], weights.shape[0], *x.shape[axis + 1 :]), dtypes.result_type(x.dtype, weights.dtype))


def _lines(x, axis):
    """x (..., n, ...) -> (rest, n): all its lines along `axis`."""
    order = [i for i in builtins.range(x.ndim) if i != axis]
    return reshape(transpose(x, (*order, axis)), (-1, x.shape[axis])) if x.size else reshape(x, (0, x.shape[axis]))


def _taps(weights):
    """Columns and factors (k, m) of the nonzero elements of weights (m, n), at most k in a row, if that is faster."""
    m, n = weights.shape
    if n < 32 or not m or weights.__class__ is not np.ndarray:
        return None
    rows, columns = weights.nonzero()
    count = np.bincount(rows, minlength=m)
    k = int(count.max())
    if not 0 < k <= n // 32:
        return None
    place = np.arange(rows.size) - np.repeat(count.cumsum() - count, count)
    places, factors = np.zeros((k, m), np.intp), np.zeros((k, m), weights.dtype)
    places[place, rows], factors[place, rows] = columns, weights[rows, columns]
    return places, factors


@bilinear(
    left=lambda g, weights, axis: _resample(g, weights.mT, axis),
    right=lambda g, x, axis: matmul(_lines(g, axis).mT, _lines(x, axis)),
    infer=_resampled,
)
def _resample(x, weights, axis):
    """x (..., n, ...), weights (m, n) -> (..., m, ...). A matrix product along one axis."""
    dtype, (m, n) = x.dtype, weights.shape
    if dtype.itemsize == 2:  # BLAS has no half precision
        x, weights = x.astype(dtypes.float32), weights.astype(dtypes.float32)
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    rest = math.prod(after)
    taps = _taps(weights)
    if taps is not None:
        places, factors = taps
        out = None
        for place, factor in zip(places, factors, strict=True):
            part = x.take(place, axis)
            part *= factor.reshape(-1, *[1] * len(after))
            out = part if out is None else np.add(out, part, out)
    elif rest >= 32:
        out = np.matmul(weights, x.reshape(math.prod(before), n, rest)).reshape(*before, m, *after)
    else:  # few channels: one large product is faster than many thin ones
        moved = np.moveaxis(x, axis, -1)
        out = np.moveaxis(
            np.matmul(moved.reshape(math.prod(moved.shape[:-1]), n), weights.T).reshape(*moved.shape[:-1], m), -1, axis
        )
    return out if out.dtype == dtype else out.astype(dtype)


def _triangle(x):
    return where(x < 1, 1 - x, 0)


def _keys(x):
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return where(x < 1, near, where(x < 2, far, 0))


def _lanczos(radius):
    def kernel(x):
        safe = where(x > 1e-3, x, 1)
        value = radius * sin(math.pi * safe) * sin(math.pi / radius * safe) / (math.pi**2 * safe * safe)
        return where(x > 1e-3, where(x > radius, 0, value), 1)

    return kernel


KERNELS = {
    "linear": _triangle,
    "bilinear": _triangle,
    "trilinear": _triangle,
    "cubic": _keys,
    "bicubic": _keys,
    "tricubic": _keys,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


def _weights(size, out_size, scale, translation, method, antialias):
    """The matrix (out_size, size) that resamples a line: what lies at x lands at x scale + translation.

    Pixel i lies at i + 0.5. The kernels are those of Keys, "Cubic convolution interpolation for digital image
    processing" (1981), with a = -0.5, and of Duchon, "Lanczos filtering in one and two dimensions" (1979). Where a line
    shrinks, `antialias` widens the kernel to the size of the new pixels. Weights sum to 1, so that borders do not
    darken; pixels from outside of the line are 0.
    """
    places = constant_like(np.arange(out_size), scale)
    sample = (places + 0.5 - translation) / scale - 0.5
    distance = absolute(expand_dims(sample, 1) - constant_like(np.arange(size), scale))
    if antialias:
        distance = distance * minimum(scale, 1)
    weights = KERNELS[method](distance)
    total = sum(weights, 1, True)
    weights = where(absolute(total) > 1e-4, weights / where(total == 0, 1, total), 0)
    return where(expand_dims(sample >= -0.5, 1), where(expand_dims(sample <= size - 0.5, 1), weights, 0), 0)


@functools.lru_cache(maxsize=64)
def _resize_weights(size, out_size, method, antialias):
    """The same for a line that is stretched to another size, as a float64 array."""
    scale = convert_to_tensor(np.float64(out_size / size))
    return _weights(size, out_size, scale, convert_to_tensor(np.float64(0)), method, antialias).numpy()


def _along_axis(x, axis, size, method, antialias):
    n = x.shape[axis]
    if n == size:
        return x
    if method == "nearest":  # the pixel in which the middle of the new one lies
        return take(x, constant_like((2 * np.arange(size) + 1) * n // (2 * size), x, dtypes.int32), axis)
    return _resample(x, constant_like(_resize_weights(n, size, method, antialias), x), axis)


# -- the ops --------------------------------------------------------------------------------------


INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")


def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """images (n, h, w, c) -> (n, height, width, c), with size = (height, width). Resized, in the same dtype.

    Args:
        images: one image or a batch; integers are rounded and clipped to their range.
        size: the new (height, width).
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: whether the kernel widens where images shrink, so that it averages over what it leaves out.
        crop_to_aspect_ratio: whether the middle of the images in the new aspect ratio is used,
            so that nothing is distorted.
        pad_to_aspect_ratio: whether the images are padded to the new aspect ratio,
            so that nothing is distorted or lost.
        fill_mode: "constant".
        fill_value: what padding holds.
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: if the images do not have 3 or 4 axes.
        ArgumentError: for another interpolation or fill_mode, sizes below 1, or both crop and pad.

    Example:
        >>> edl.image.resize(edl.reshape([0.0, 1.0, 2.0, 3.0], (1, 4, 1)), (1, 2)).tolist()
        [[[0.5], [2.5]]]
    """
    x, (h, w, _) = image_axes("resize", images, data_format)
    check_choice("resize", "interpolation", interpolation, INTERPOLATIONS)
    check_choice("resize", "fill_mode", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError(
            "resize",
            "images are cropped or padded, not both",
            "got crop_to_aspect_ratio=True, pad_to_aspect_ratio=True",
            "leave one of them out",
        )
    size = tuple(size) if isinstance(size, list | tuple | Tensor | np.ndarray) else (size,)
    if len(size) != 2 or not builtins.all(hasattr(n, "__index__") and n.__index__() > 0 for n in size):
        raise ArgumentError("resize", "size is (height, width), both at least 1", f"got {size}", "give two ints")
    height, width = (n.__index__() for n in size)
    if not x.shape[h] or not x.shape[w]:
        raise ShapeError(
            "resize", "images of at least one pixel are needed", f"images {x.shape}", "check what emptied them"
        )
    rows, columns = x.shape[h], x.shape[w]
    if crop_to_aspect_ratio:
        new = (
            builtins.min(rows, builtins.max(int(columns * height / width), 1)),
            builtins.min(columns, builtins.max(int(rows * width / height), 1)),
        )
        top, left = (rows - new[0]) // 2, (columns - new[1]) // 2
        key = [builtins.slice(None)] * x.ndim
        key[h], key[w] = builtins.slice(top, top + new[0]), builtins.slice(left, left + new[1])
        x = get_item(x, tuple(key))
    elif pad_to_aspect_ratio:
        margins = [0] * x.ndim
        margins[h] = (builtins.max(rows, int(columns * height / width)) - rows) // 2
        if not margins[h]:
            margins[w] = (builtins.max(columns, int(rows * width / height)) - columns) // 2
        x = padded(x, margins, margins, fill_value)
    if interpolation == "nearest":
        return _along_axis(_along_axis(x, h, height, "nearest", False), w, width, "nearest", False)
    out = floating(x)
    shrink_first = [(h, height), (w, width)] if height * x.shape[w] <= width * x.shape[h] else [(w, width), (h, height)]
    for axis, target in shrink_first:
        out = _along_axis(out, axis, target, interpolation, bool(antialias))
    return cast_like(out, x)


def scale_and_translate(images, output_shape, scale, translation, spatial_dims, method, antialias=True):
    """images (...) -> output_shape. Along each of `spatial_dims`, what lies at x goes to x * scale + translation.

    Pixel i lies at i + 0.5. Pixels that come from outside are 0. Differentiable by images, scale and translation.

    Args:
        images: a tensor of any rank.
        output_shape: the shape of the result; beside `spatial_dims` that of images.
        scale, translation: vectors (k,), a number for each of the k spatial axes.
        spatial_dims: the axes that are resampled.
        method: "linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3" or "lanczos5".
        antialias: whether the kernel widens where images shrink.

    Raises:
        ShapeError: if the numbers of axes differ.
        ArgumentError: for another method.

    Example:
        >>> x = edl.constant([1.0, 2.0, 3.0])
        >>> edl.image.scale_and_translate(x, (3,), [1.0], [1.0], (0,), "linear")
        Tensor(shape=(3,), dtype=float32, [0. 1. 2.])
    """
    where = "scale_and_translate"
    images = convert_to_tensor(images)
    check_choice(where, "method", method, tuple(KERNELS))
    axes = [int(axis) for axis in spatial_dims]
    output_shape = tuple(int(n) for n in output_shape)
    out = floating(images)
    scale, translation = floating(scale), floating(translation)
    if scale.shape != (len(axes),) or translation.shape != (len(axes),) or len(output_shape) != images.ndim:
        raise ShapeError(
            where,
            f"scale and translation hold {len(axes)} numbers as spatial_dims, output_shape {images.ndim}",
            f"images {images.shape}, output_shape {output_shape}, scale {scale.shape}, translation {translation.shape}",
            "check spatial_dims",
        )
    for i, axis in enumerate(axes):
        if not -images.ndim <= axis < images.ndim:
            raise ShapeError(
                where, f"spatial_dims name axes of images {images.shape}", f"got {axis}", "count axes from 0"
            )
        axis %= images.ndim
        weights = _weights(images.shape[axis], output_shape[axis], scale[i], translation[i], method, antialias)
        out = _resample(out, weights.astype(out.dtype), axis)
    if out.shape != output_shape:
        raise ShapeError(
            where,
            "beside spatial_dims, output_shape is the shape of images",
            f"images {images.shape}, output_shape {output_shape}, spatial_dims {tuple(axes)}",
            "name all axes that change",
        )
    return out
