"""Images: resizing, warping, filtering, colours; batches (n, h, w, c) by default.

Every function takes one image (h, w, c) or a batch of them (n, h, w, c),
    in the layout that `data_format` says: channels
last, or (n, c, h, w) for "channels_first". All are differentiable, warps by their coordinates too.
"""

import builtins
import functools
import itertools
import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, bilinear, linear
from eagerdl.config import standardize_data_format
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops import decomposition, random
from eagerdl.ops.arithmetic import absolute, maximum, minimum, sign, where
from eagerdl.ops.conversion import convert_to_tensor, saturate_cast
from eagerdl.ops.elementary import exp, sin
from eagerdl.ops.indexing import get_item, slice_update, take
from eagerdl.ops.linalg import matmul
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.rounding import floor, floor_divide, mod, round, trunc
from eagerdl.ops.shape import broadcast_to, concatenate, expand_dims, reshape, squeeze, stack, transpose
from eagerdl.tensor import Tensor

__all__ = [
    "affine_transform", "crop_images", "elastic_transform", "extract_patches", "extract_patches_3d", "gaussian_blur",
        "hsv_to_rgb",
    "map_coordinates", "pad_images", "perspective_transform", "resize", "rgb_to_grayscale", "rgb_to_hsv",
        "scale_and_translate",
    "sobel_edges", "ssim",
]  # fmt: skip


# -- layouts ----------------------------------------------------------------------------------------


def _image_axes(where, images, data_format):
    """Images as a tensor, with their axes (height, width, channels).

    Raises:
        ShapeError: unless there are 3 or 4 axes.
    """
    images = convert_to_tensor(images)
    last = standardize_data_format(data_format) == "channels_last"
    if images.ndim not in (3, 4):
        layout = "(height, width, channels)" if last else "(channels, height, width)"
        raise ShapeError(where, f"an image {layout} or a batch of them is needed", f"images {images.shape}",
                         "add the missing axis with edl.expand_dims")  # fmt: skip
    lead = images.ndim - 3
    return images, (lead, lead + 1, lead + 2) if last else (lead + 1, lead + 2, lead)


def _floating(where, images):
    if images.dtype not in dtypes.FLOATING_SET:
        raise DTypeError(where, "images of a floating dtype are needed", f"got {images.dtype}",
                         "use edl.cast(images, 'float32') / 255")  # fmt: skip


def _computing(x):
    """`x` in a floating dtype."""
    return x if x.dtype in dtypes.INEXACT_SET else x.astype(dtypes.standardize(None))


def _like(out, x):
    """`out` in the dtype of `x`: rounded and clipped to its range where that is an integer."""
    if out.dtype == x.dtype:
        return out
    return saturate_cast(round(out) if dtypes.is_integer(x.dtype) else out, x.dtype)


def _constant(array, like, dtype=None):
    """A NumPy array as a tensor on the device of `like`."""
    made = convert_to_tensor(array, like.dtype if dtype is None else dtype)
    return made if made.device == like.device else made.to(like.device)


def _batched(images, axes):
    """Images as (n, h, w, c), and a function that takes such a result back to their own layout."""
    lead, last = images.ndim - 3, axes[2] == images.ndim - 1
    batch = images if lead else expand_dims(images, 0)
    batch = batch if last else transpose(batch, (0, 2, 3, 1))

    def restore(out):
        rest = builtins.range(4, out.ndim)
        out = out if last else transpose(out, (0, 3, 1, 2, *rest))
        return out if lead else squeeze(out, 0)

    return batch, restore


def _choice(where, name, value, allowed):
    if value not in allowed:
        raise ArgumentError(
            where, f"{name} is one of {', '.join(map(repr, allowed))}", f"got {value!r}", "check the spelling"
        )
    return value


# -- resampling along an axis: resize, scale_and_translate ------------------------------------------


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


@bilinear(left=lambda g, weights, axis: _resample(g, weights.mT, axis),
          right=lambda g, x, axis: matmul(_lines(g, axis).mT, _lines(x, axis)), infer=_resampled)  # fmt: skip
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
    "linear": _triangle, "bilinear": _triangle, "trilinear": _triangle, "cubic": _keys, "bicubic": _keys,
        "tricubic": _keys,
    "lanczos3": _lanczos(3), "lanczos5": _lanczos(5),
}  # fmt: skip


def _weights(size, out_size, scale, translation, method, antialias):
    """The matrix (out_size, size) that resamples a line: what lies at x lands at x scale + translation.

    Pixel i lies at i + 0.5.

    The kernels are those of Keys, "Cubic convolution interpolation for digital image processing" (1981),
        with a = -0.5, and
    of Duchon, "Lanczos filtering in one and two dimensions" (1979). Where a line shrinks,
        `antialias` widens the kernel to
    the size of the new pixels. Weights sum to 1, so that borders do not darken; pixels from outside of the line are 0.
    """
    places = _constant(np.arange(out_size), scale)
    sample = (places + 0.5 - translation) / scale - 0.5
    distance = absolute(expand_dims(sample, 1) - _constant(np.arange(size), scale))
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
        return take(x, _constant((2 * np.arange(size) + 1) * n // (2 * size), x, dtypes.int32), axis)
    return _resample(x, _constant(_resize_weights(n, size, method, antialias), x), axis)


def _pad(x, before, after, fill_value=0):
    """`x` with `before[i]` and `after[i]` places of `fill_value` around it on axis i."""
    if not builtins.any(before) and not builtins.any(after):
        return x
    shape = tuple([n + low + high for n, low, high in zip(x.shape, before, after, strict=True)])
    return slice_update(_constant(np.full(shape, fill_value), x), tuple(before), x)


INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")


def resize(images, size, interpolation="bilinear", antialias=False, crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
           fill_mode="constant", fill_value=0.0, data_format=None):  # fmt: skip
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
    x, (h, w, _) = _image_axes("resize", images, data_format)
    _choice("resize", "interpolation", interpolation, INTERPOLATIONS)
    _choice("resize", "fill_mode", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("resize", "images are cropped or padded, not both",
            "got crop_to_aspect_ratio=True, pad_to_aspect_ratio=True",
                            "leave one of them out")  # fmt: skip
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
        x = _pad(x, margins, margins, fill_value)
    if interpolation == "nearest":
        return _along_axis(_along_axis(x, h, height, "nearest", False), w, width, "nearest", False)
    out = _computing(x)
    shrink_first = [(h, height), (w, width)] if height * x.shape[w] <= width * x.shape[h] else [(w, width), (h, height)]
    for axis, target in shrink_first:
        out = _along_axis(out, axis, target, interpolation, bool(antialias))
    return _like(out, x)


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
    _choice(where, "method", method, tuple(KERNELS))
    axes = [int(axis) for axis in spatial_dims]
    output_shape = tuple(int(n) for n in output_shape)
    out = _computing(images)
    scale, translation = _computing(convert_to_tensor(scale)), _computing(convert_to_tensor(translation))
    if scale.shape != (len(axes),) or translation.shape != (len(axes),) or len(output_shape) != images.ndim:
        raise ShapeError(where,
                         f"scale and translation hold {len(axes)} numbers as spatial_dims, output_shape {images.ndim}",
                         f"images {images.shape}, output_shape {output_shape}, scale {scale.shape}, "
                         f"translation {translation.shape}", "check spatial_dims")  # fmt: skip
    for i, axis in enumerate(axes):
        if not -images.ndim <= axis < images.ndim:
            raise ShapeError(
                where, f"spatial_dims name axes of images {images.shape}", f"got {axis}", "count axes from 0"
            )
        axis %= images.ndim
        weights = _weights(images.shape[axis], output_shape[axis], scale[i], translation[i], method, antialias)
        out = _resample(out, weights.astype(out.dtype), axis)
    if out.shape != output_shape:
        raise ShapeError(where, "beside spatial_dims, output_shape is the shape of images",
                         f"images {images.shape}, output_shape {output_shape}, spatial_dims {tuple(axes)}",
                             "name all axes that change")  # fmt: skip
    return out


# -- sampling at computed places: map_coordinates and warps -----------------------------------------

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
ORDERS = {"nearest": 0, "bilinear": 1}


def _mirror(index, size):
    period = builtins.max(size - 1, 1)
    return absolute(mod(index + period, 2 * period) - period) if size > 1 else index * 0


FIXERS = {
    "constant": lambda index, size: minimum(maximum(index, 0), size - 1),
    "nearest": lambda index, size: minimum(maximum(index, 0), size - 1),
    "wrap": lambda index, size: mod(index, size),
    "mirror": _mirror,
    "reflect": lambda index, size: floor_divide(_mirror(2 * index + 1, 2 * size + 1) - 1, 2),
}


def _nodes(coordinate, order):
    """The neighbours of a coordinate on its axis, with their weights."""
    if order == 0:  # the nearest, halves away from 0
        whole = trunc(coordinate)
        nearest = whole + where(absolute(coordinate - whole) >= 0.5, sign(coordinate), 0)
        return [(nearest.astype(dtypes.int32), None)]
    lower = floor(coordinate)
    upper = coordinate - lower
    index = lower.astype(dtypes.int32)
    return [(index, 1 - upper), (index + 1, upper)]


def _sample(rows, sizes, coordinates, order, fill_mode, fill_value, first=None):
    """rows (prod(sizes), channels...), coordinates: one (s...) for each axis -> (s..., channels...). Interpolated.

    `first` (s...) says how many whole grids of `sizes` lie before the one that a point belongs to.
    """
    dtype, trailing = rows.dtype, (1,) * (rows.ndim - 1)
    axes = []
    for coordinate, size in zip(coordinates, sizes, strict=True):
        nodes = []
        for index, weight in _nodes(coordinate, order):
            valid = minimum(index, size - 1 - index) >= 0 if fill_mode == "constant" else None
            nodes.append((FIXERS[fill_mode](index, size), weight, valid))
        axes.append(nodes)
    total = None
    for corner in itertools.product(*axes):
        place, weight, valid = first, None, None
        for (index, factor, inside), size in zip(corner, sizes, strict=True):
            place = index if place is None else place * size + index
            weight = factor if weight is None else weight * factor
            valid = inside if valid is None else where(inside, valid, False)
        part = take(rows, place, 0)
        if valid is not None:
            part = where(reshape(valid, (*valid.shape, *trailing)), part, fill_value)
        if weight is not None:
            part = reshape(weight, (*weight.shape, *trailing)) * part
        total = part if total is None else total + part
    if dtypes.is_integer(dtype) and dtypes.is_inexact(total.dtype):
        total = trunc(total + 0.5 * sign(total))
    return total.astype(dtype)


def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0):
    """inputs (n1, ..., nk), coordinates (k, s...) -> (s...). The values of inputs between its places, interpolated.

    Differentiable by inputs, and by coordinates for order 1. Interpolation across the border uses `fill_value`, as
    SciPy's "grid-constant"; "wrap" is its "grid-wrap".

    Args:
        inputs: a tensor of any rank k.
        coordinates: for each axis of inputs, where to read it; whole numbers are the places themselves.
        order: 0 for the nearest place, 1 for linear interpolation.
        fill_mode: what lies outside: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: the value outside for "constant".

    Raises:
        ShapeError: if coordinates does not hold k rows.
        ArgumentError: for another order or fill_mode.

    Example:
        >>> edl.image.map_coordinates([[0.0, 1.0], [2.0, 3.0]], [[0.5, 1.0], [0.5, 0.0]], order=1)
        Tensor(shape=(2,), dtype=float32, [1.5 2. ])
    """
    where = "map_coordinates"
    inputs, coordinates = convert_to_tensor(inputs), _computing(convert_to_tensor(coordinates))
    if coordinates.ndim < 2 or coordinates.shape[0] != inputs.ndim:
        raise ShapeError(where, f"coordinates has shape ({inputs.ndim}, ...): a row for each axis of inputs",
                         f"inputs {inputs.shape}, coordinates {coordinates.shape}",
                             "stack one tensor of coordinates for each axis")  # fmt: skip
    _choice(where, "order", order, (0, 1))
    _choice(where, "fill_mode", fill_mode, FILL_MODES)
    rows = reshape(inputs, (-1,))
    return _sample(
        rows, inputs.shape, [coordinates[i] for i in builtins.range(inputs.ndim)], order, fill_mode, fill_value
    )


def _warp(batch, ys, xs, order, fill_mode, fill_value):
    """batch (n, h, w, c), ys and xs (n, H, W) -> (n, H, W, c). The pixels at (y, x)."""
    n, h, w, c = batch.shape
    image = _constant(np.arange(n)[:, None, None], batch, dtypes.int32)
    shape = (n, *ys.shape[1:])
    ys, xs = broadcast_to(ys, shape), broadcast_to(xs, shape)
    return _sample(reshape(batch, (n * h * w, c)), (h, w), (ys, xs), order, fill_mode, fill_value, image)


def _project(transform, h, w):
    """transform (n, 8) -> the places (ys, xs), each (n, h, w), that the pixels of the result come from."""
    xs, ys = _constant(np.arange(w), transform), _constant(np.arange(h)[:, None], transform)
    a0, a1, a2, b0, b1, b2, c0, c1 = (reshape(transform[:, i], (-1, 1, 1)) for i in builtins.range(8))
    depth = c0 * xs + c1 * ys + 1
    return (b0 * xs + b1 * ys + b2) / depth, (a0 * xs + a1 * ys + a2) / depth


def affine_transform(images, transform, interpolation="bilinear", fill_mode="constant", fill_value=0, data_format=None):
    """images (n, h, w, c), transform (8,) or (n, 8) -> (n, h, w, c). Each new pixel is read where `transform` sends it.

    With transform = [a0, a1, a2, b0, b1, b2, c0, c1], the pixel (x, y) of the result comes from
    ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) with k = c0 x + c1 y + 1. Differentiable by both arguments.

    Args:
        images: one image or a batch.
        transform: one for all images, or one for each.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside of an image: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: the value outside for "constant".
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: if images or transform have another shape.
        ArgumentError: for another interpolation or fill_mode.

    Example:
        >>> shifted = edl.image.affine_transform(edl.reshape([1.0, 2.0, 3.0], (1, 3, 1)), [1.0, 0, 1, 0, 1, 0, 0, 0])
        >>> shifted.tolist()
        [[[2.0], [3.0], [0.0]]]
    """
    where = "affine_transform"
    images, axes = _image_axes(where, images, data_format)
    _choice(where, "interpolation", interpolation, tuple(ORDERS))
    _choice(where, "fill_mode", fill_mode, FILL_MODES)
    transform = _computing(convert_to_tensor(transform))
    count = images.shape[0] if images.ndim == 4 else 1
    if (
        transform.ndim not in (1, 2)
        or transform.shape[-1] != 8
        or (transform.ndim == 2 and transform.shape[0] not in (1, count))
    ):
        raise ShapeError(where, f"transform has shape (8,) or ({count}, 8)",
            f"got {transform.shape} for images {images.shape}",
                         "give a0, a1, a2, b0, b1, b2, c0, c1 for each image")  # fmt: skip
    batch, restore = _batched(images, axes)
    ys, xs = _project(reshape(transform, (-1, 8)), *batch.shape[1:3])
    return restore(_warp(batch, ys, xs, ORDERS[interpolation], fill_mode, fill_value))


def perspective_transform(images, start_points, end_points, interpolation="bilinear", fill_value=0, data_format=None):
    """images (n, h, w, c), start_points and end_points (4, 2) or (n, 4, 2) -> (n, h, w, c).

    The projective map that takes the four points (x, y) of `start_points` in the images to `end_points` in the result.
    (Hartley & Zisserman, Multiple View Geometry, 2004, section 4.1.) Differentiable by all three.

    Args:
        images: one image or a batch.
        start_points, end_points: four points, no three of them on a line.
        interpolation: "nearest" or "bilinear".
        fill_value: what lies outside of the images.
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: if images or points have another shape.
        ArgumentError: for another interpolation.

    Example:
        >>> corners = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]
        >>> x = edl.reshape(edl.arange(9.0), (3, 3, 1))
        >>> bool(edl.all(edl.abs(edl.image.perspective_transform(x, corners, corners) - x) < 1e-4))
        True
    """
    where = "perspective_transform"
    images, axes = _image_axes(where, images, data_format)
    _choice(where, "interpolation", interpolation, tuple(ORDERS))
    start, end = _computing(convert_to_tensor(start_points)), _computing(convert_to_tensor(end_points))
    count = images.shape[0] if images.ndim == 4 else 1
    for name, points in (("start_points", start), ("end_points", end)):
        if points.shape not in ((4, 2), (1, 4, 2), (count, 4, 2)):
            raise ShapeError(where, f"{name} has shape (4, 2) or ({count}, 4, 2)",
                f"got {points.shape} for images {images.shape}",
                             "give four points (x, y)")  # fmt: skip
    if start.shape != end.shape:
        raise ShapeError(
            where,
            "start_points and end_points have one shape",
            f"got {start.shape} and {end.shape}",
            "give as many of both",
        )
    start, end = reshape(start, (-1, 4, 2)), reshape(end, (-1, 4, 2))
    batch, restore = _batched(images, axes)
    ys, xs = _project(_homography(start, end), *batch.shape[1:3])
    return restore(_warp(batch, ys, xs, ORDERS[interpolation], "constant", fill_value))


def _homography(start, end):
    """start, end (n, 4, 2) -> (n, 8). The projective map from `end` to `start`: eight equations, two for each point."""
    x, y = end[..., 0], end[..., 1]
    zero, one = x * 0, x * 0 + 1
    u, v = start[..., 0], start[..., 1]
    for_x = stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1)
    for_y = stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1)
    equations = concatenate([for_x, for_y], axis=1)
    return squeeze(decomposition.solve(equations, expand_dims(concatenate([u, v], axis=1), -1)), -1)


def elastic_transform(images, alpha=20.0, sigma=5.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
    seed=None,
                      data_format=None):  # fmt: skip
    """images (n, h, w, c) -> (n, h, w, c). Each pixel is read from a random place near by, smoothly varying.

    Displacements are normal noise times sigma, blurred by a Gaussian of width sigma, times alpha.
    (Simard, Steinkraus & Platt, "Best practices for convolutional neural networks", 2003.)

    Args:
        images: one image or a batch.
        alpha: how strong.
        sigma: how smooth, in pixels.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside of an image: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: the value outside for "constant".
        seed: an int or a SeedGenerator; None draws from the global one.
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: if the images do not have 3 or 4 axes.
        ArgumentError: for another interpolation or fill_mode, or a sigma that is not positive.

    Example:
        >>> edl.image.elastic_transform(edl.ones((8, 8, 3)), seed=1).shape
        (8, 8, 3)
    """
    where = "elastic_transform"
    images, axes = _image_axes(where, images, data_format)
    _choice(where, "interpolation", interpolation, tuple(ORDERS))
    _choice(where, "fill_mode", fill_mode, FILL_MODES)
    alpha, sigma = float(alpha), float(sigma)
    if not sigma > 0:
        raise ArgumentError(where, "sigma is positive", f"got {sigma}", "use a few pixels")
    batch, restore = _batched(images, axes)
    n, h, w, _ = batch.shape
    dtype = images.dtype if images.dtype in (dtypes.float32, dtypes.float64) else dtypes.float32
    noise = random.normal((2 * n, h, w, 1), dtype=dtype.name, seed=seed) * sigma
    width = int(6 * sigma) | 1
    offsets = reshape(gaussian_blur(noise, (width, width), (sigma, sigma), "channels_last"), (2, n, h, w)) * alpha
    ys, xs = _constant(np.arange(h)[:, None], offsets), _constant(np.arange(w), offsets)
    return restore(_warp(batch, ys + offsets[0], xs + offsets[1], ORDERS[interpolation], fill_mode, fill_value))


# -- filters ----------------------------------------------------------------------------------------


def _overlap(n, shift):
    """The places i of a line of n for which i + shift is inside, and those i + shift."""
    low, high = builtins.max(0, -shift), builtins.min(n, n - shift)
    return builtins.slice(low, builtins.max(high, low)), builtins.slice(low + shift, builtins.max(high, low) + shift)


def _tap_gradient(g, x, kernel_size, axis, low):
    """The cotangent of each tap: the products of g and the pixels that the tap saw, summed."""
    taps = []
    for tap in builtins.range(kernel_size):
        here, there = _overlap(x.shape[axis], tap - low)
        lead = (builtins.slice(None),) * axis
        taps.append(sum(g[(*lead, here)] * x[(*lead, there)]) if here.stop > here.start else sum(g) * 0)
    return stack(taps)


@bilinear(left=lambda g, kernel, axis, low: _filter(g, kernel[::-1], axis, kernel.shape[0] - 1 - low),
          right=lambda g, x, kernel_spec, axis, low: _tap_gradient(g, x, kernel_spec.shape[0], axis, low),
          infer=lambda x, kernel, axis, low: Spec(x.shape, dtypes.result_type(x.dtype, kernel.dtype)))  # fmt: skip
def _filter(x, kernel, axis, low):
    """x (..., n, ...), kernel (k,) -> (..., n, ...). out[i] = sum_j kernel[j] x[i + j - low], with zeros outside."""
    dtype, lead = x.dtype, (builtins.slice(None),) * axis
    if dtype.itemsize == 2:
        x, kernel = x.astype(dtypes.float32), kernel.astype(dtypes.float32)
    out = devices.module_of(x).zeros(x.shape, x.dtype)
    for tap in builtins.range(kernel.shape[0]):
        here, there = _overlap(x.shape[axis], tap - low)
        out[(*lead, here)] += kernel[tap] * x[(*lead, there)]
    return out if out.dtype == dtype else out.astype(dtype)


def _gaussian(size, sigma):
    """The weights (size,) of a Gaussian, summing to 1."""
    x = _constant(np.arange(size) - (size - 1) / 2, sigma)
    weights = exp(-0.5 * (x / sigma) ** 2)
    return weights / sum(weights)


def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """images (n, h, w, c) -> (n, h, w, c). Averaged with the pixels around by a Gaussian; outside there are zeros.

    Args:
        images: one image or a batch.
        kernel_size: how many pixels the Gaussian covers, (along the width, along the height).
        sigma: its standard deviations, in the same order; differentiable.
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: if the images do not have 3 or 4 axes.
        ArgumentError: if there are not two positive sizes and two sigmas.

    Example:
        >>> spot = edl.reshape([0.0, 0.0, 1.0, 0.0, 0.0], (1, 5, 1))
        >>> edl.image.gaussian_blur(spot, kernel_size=(3, 1))[0, :, 0]
        Tensor(shape=(5,), dtype=float32, [0.         0.27406862 0.45186275 0.27406862 0.        ])
    """
    images, (h, w, _) = _image_axes("gaussian_blur", images, data_format)
    x = _computing(images)
    sizes = (
        [n.__index__() if hasattr(n, "__index__") else -1 for n in kernel_size]
        if hasattr(kernel_size, "__len__")
        else []
    )
    sigma = convert_to_tensor(sigma)
    if len(sizes) != 2 or builtins.min(sizes) < 1 or sigma.shape != (2,):
        raise ArgumentError("gaussian_blur", "kernel_size holds two positive ints and sigma two numbers",
                            f"got kernel_size={kernel_size!r}, sigma of shape {sigma.shape}",
                                "use (3, 3) and (1.0, 1.0)")  # fmt: skip
    sigma = _computing(sigma) if x.dtype.itemsize == 2 else sigma.astype(x.dtype)
    for axis, size, width in ((w, sizes[0], sigma[0]), (h, sizes[1], sigma[1])):
        x = _filter(x, _gaussian(size, width).astype(x.dtype), axis, (size - 1) // 2)
    return _like(x, images)


def sobel_edges(images, data_format=None):
    """images (n, h, w, c) -> (n, h, w, c, 2). The derivatives along height and width by Sobel's 3x3 filters.

    Outside of the images there are zeros.

    Raises:
        ShapeError: if the images do not have 3 or 4 axes.

    Example:
        >>> ramp = edl.broadcast_to(edl.reshape([0.0, 1.0, 2.0], (3, 1)), (3, 3, 1))
        >>> edl.image.sobel_edges(ramp)[1, 1, 0]
        Tensor(shape=(2,), dtype=float32, [0. 8.])
    """
    images, (h, w, _) = _image_axes("sobel_edges", images, data_format)
    x = _computing(images)
    smooth, slope = _constant(np.array([1.0, 2.0, 1.0]), x), _constant(np.array([-1.0, 0.0, 1.0]), x)
    edges = [_filter(_filter(x, slope, along, 1), smooth, across, 1) for along, across in ((h, w), (w, h))]
    return stack(edges, axis=-1).astype(images.dtype)


def ssim(image1, image2, max_val=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, data_format=None):
    """image1, image2 (n, h, w, c) -> (n,). How similar two images are in structure: 1 for equal ones, lower otherwise.

    Means, variances and covariances are taken under a Gaussian window wherever it lies inside, then
    SSIM = (2 m1 m2 + c1) (2 s12 + c2) / ((m1^2 + m2^2 + c1) (s1^2 + s2^2 + c2)) with c1 = (k1 max_val)^2 and
    c2 = (k2 max_val)^2 is averaged over places and channels. (Wang, Bovik, Sheikh & Simoncelli, "Image quality
    assessment: from error visibility to structural similarity", 2004.)

    Args:
        image1, image2: images or batches of one shape.
        max_val: the greatest value that a pixel can have.
        filter_size, filter_sigma: the size and width of the window.
        k1, k2: the constants of the formula.
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: if the shapes differ, or the window is larger than the images.

    Example:
        >>> x = edl.reshape(edl.arange(256.0), (16, 16, 1)) / 256
        >>> bool(edl.abs(edl.image.ssim(x, x) - 1) < 1e-5)
        True
    """
    first, axes = _image_axes("ssim", image1, data_format)
    second, _ = _image_axes("ssim", image2, data_format)
    h, w, c = axes
    if first.shape != second.shape:
        raise ShapeError(
            "ssim",
            "both images must have one shape",
            f"image1 {first.shape}, image2 {second.shape}",
            "resize one of them",
        )
    if not 0 < filter_size <= builtins.min(first.shape[h], first.shape[w]):
        raise ShapeError("ssim", "the window must fit into the images",
            f"filter_size={filter_size}, images {first.shape}",
                         "use a smaller filter_size")  # fmt: skip
    x, y = _computing(first), _computing(second)
    low = (filter_size - 1) // 2
    wide = dtypes.float32 if x.dtype.itemsize == 2 else x.dtype  # variances are small differences of large numbers
    x, y = x.astype(wide), y.astype(wide)
    window = _gaussian(filter_size, _constant(np.float64(filter_sigma), x))

    def average(z):
        for axis in (h, w):
            z = _filter(z, window, axis, low)
            inside = builtins.slice(low, low + z.shape[axis] - filter_size + 1)
            z = z[(*(builtins.slice(None),) * axis, inside)]
        return z

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    m1, m2 = average(x), average(y)
    s1, s2, s12 = average(x * x) - m1 * m1, average(y * y) - m2 * m2, average(x * y) - m1 * m2
    index = (2 * m1 * m2 + c1) * (2 * s12 + c2) / ((m1 * m1 + m2 * m2 + c1) * (s1 + s2 + c2))
    out = mean(index, axis=(h, w, c))
    return out.astype(first.dtype) if first.dtype in dtypes.FLOATING_SET else out


# -- patches, crops and margins ---------------------------------------------------------------------


def _windows_shape(x, size, strides, dilation):
    """How many windows fit along each axis."""
    return tuple(
        [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], size, strides, dilation, strict=True)]
    )


@linear(transpose=lambda g, x, size, strides, dilation: _overlay(g, x.shape, size, strides, dilation),
        infer=lambda x, size, strides, dilation: Spec((x.shape[0], *_windows_shape(x, size, strides, dilation), *size,
            x.shape[-1]), x.dtype))  # fmt: skip
def _windows(x, size, strides, dilation):
    """x (n, spatial..., c) -> (n, windows..., size..., c)."""
    spatial = x.strides[1:-1]
    steps = (
        *[a * s for a, s in zip(spatial, strides, strict=True)],
        *[a * d for a, d in zip(spatial, dilation, strict=True)],
    )
    shape = (x.shape[0], *_windows_shape(x, size, strides, dilation), *size, x.shape[-1])
    xp = devices.module_of(x)
    return xp.ascontiguousarray(xp.lib.stride_tricks.as_strided(x, shape, (x.strides[0], *steps, x.strides[-1])))


@linear(transpose=lambda g, size, strides, dilation: _windows(g, size, strides, dilation),
        infer=lambda x, shape, size, strides, dilation: Spec(shape, x.dtype))  # fmt: skip
def _overlay(x, shape, size, strides, dilation):
    """x (n, windows..., size..., c) -> shape. The windows added up where they came from."""
    out, k = devices.module_of(x).zeros(shape, x.dtype), len(size)
    every = (builtins.slice(None),) * (k + 1)
    for offset in itertools.product(*map(builtins.range, size)):
        places = [builtins.slice(o * d, o * d + s * n, s)
                  for o, d, s, n in zip(offset, dilation, strides, x.shape[1 : k + 1], strict=True)]  # fmt: skip
        out[(builtins.slice(None), *[builtins.slice(p.start, builtins.min(p.stop, n), p.step)
                                     for p, n in zip(places, shape[1:-1], strict=True)])] += x[(*every,
                                         *offset)]  # fmt: skip
    return out


def _numbers(where, name, value, k, least=1):
    """`value` as `k` ints: an int stands for all of them."""
    values = (value,) * k if hasattr(value, "__index__") else tuple(value) if isinstance(value, list | tuple) else ()
    if len(values) != k or not builtins.all(hasattr(n, "__index__") and n.__index__() >= least for n in values):
        raise ArgumentError(
            where, f"{name} is an int of at least {least}, or {k} of them", f"got {value!r}", "check the sizes"
        )
    return tuple([n.__index__() for n in values])


def _patches(where, x, k, size, strides, dilation_rate, padding, data_format):
    """The patches of k-dimensional images, each flattened into channels."""
    x = convert_to_tensor(x)
    last = standardize_data_format(data_format) == "channels_last"
    if x.ndim not in (k + 1, k + 2):
        raise ShapeError(where, f"{k} spatial axes, one of channels and maybe one of a batch are needed",
            f"got {x.shape}",
                         "add the missing axis with edl.expand_dims")  # fmt: skip
    size = _numbers(where, "size", size, k)
    strides = _numbers(where, "strides", size if strides is None else strides, k)
    dilation = _numbers(where, "dilation_rate", dilation_rate, k)
    padding = _choice(where, "padding", str(padding).lower(), ("valid", "same"))
    batched = x.ndim == k + 2
    x = x if batched else expand_dims(x, 0)
    x = x if last else transpose(x, (0, *builtins.range(2, k + 2), 1))
    if padding == "same":  # as many patches as strides fit, the odd pixel of padding behind
        missing = [builtins.max((-(-n // s) - 1) * s + (p - 1) * d + 1 - n, 0)
                   for n, p, s, d in zip(x.shape[1:-1], size, strides, dilation, strict=True)]  # fmt: skip
        x = _pad(x, (0, *[m // 2 for m in missing], 0), (0, *[m - m // 2 for m in missing], 0))
    counts = _windows_shape(x, size, strides, dilation)
    if builtins.min(counts) < 1:
        raise ShapeError(where, "a patch must fit into the images",
            f"size {size}, dilation_rate {dilation}, images {x.shape[1:-1]}",
                         "use a smaller size, or padding='same'")  # fmt: skip
    channels, n = x.shape[-1], x.shape[0]
    if strides == size and set(dilation) == {1}:  # tiles: no element comes twice
        x = x[(builtins.slice(None), *[builtins.slice(0, o * p) for o, p in zip(counts, size, strict=True)])]
        x = reshape(x, (n, *itertools.chain(*zip(counts, size, strict=True)), channels))
        tiles = transpose(x, (0, *builtins.range(1, 2 * k, 2), *builtins.range(2, 2 * k + 1, 2), 2 * k + 1))
    else:
        tiles = _windows(x, size, strides, dilation)
    out = reshape(tiles, (n, *counts, math.prod(size) * channels))
    out = out if last else transpose(out, (0, k + 1, *builtins.range(1, k + 1)))
    return out if batched else squeeze(out, 0)


def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """images (n, h, w, c) -> (n, rows, columns, size * size * c). The patches at every stride, flattened.

    Within a patch, pixels stand in row order with their channels together.

    Args:
        images: one image or a batch; with three sizes, volumes as in `extract_patches_3d`.
        size: the height and width of a patch, or one int for both.
        strides: the steps between patches; by default `size`, so that they tile the image.
        dilation_rate: the steps between pixels of a patch.
        padding: "valid" takes patches that lie inside, "same" pads with zeros to one for each stride.
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: if the images do not have 3 or 4 axes, or no patch fits.
        ArgumentError: for sizes below 1, or another padding.

    Example:
        >>> edl.image.extract_patches(edl.reshape(edl.arange(16), (4, 4, 1)), 2)[0].tolist()
        [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    if isinstance(size, list | tuple) and len(size) == 3:
        return extract_patches_3d(images, size, strides, dilation_rate, padding, data_format)
    return _patches("extract_patches", images, 2, size, strides, dilation_rate, padding, data_format)


def extract_patches_3d(volumes, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """volumes (n, d, h, w, c) -> (n, depths, rows, columns, size ** 3 * c). The patches at every stride, flattened.

    The arguments are those of `extract_patches`, with three sizes.

    Example:
        >>> edl.image.extract_patches_3d(edl.ones((4, 4, 4, 2)), 2).shape
        (2, 2, 2, 16)
    """
    return _patches("extract_patches_3d", volumes, 3, size, strides, dilation_rate, padding, data_format)


def _margins(where, verb, n, name, before, after, target, total):
    """How much lies before and behind on an axis, from two of three numbers; `total` is 1 to pad, -1 to crop."""
    names = (f"{name[0]}_{verb}", f"{name[1]}_{verb}", f"target_{name[2]}")
    given = dict(zip(names, (before, after, target), strict=True))
    if list(given.values()).count(None) != 1:
        raise ArgumentError(
            where, f"exactly two of {', '.join(names)} are needed", f"got {given}", "leave one of them out"
        )
    for key, value in given.items():
        if value is not None and (not hasattr(value, "__index__") or value.__index__() < 0):
            raise ArgumentError(where, f"{key} is an int of at least 0", f"got {value!r}", "check the sizes")
    if target is not None:
        change = (target - n) * total
        before, after = (change - after if before is None else before), (change - before if after is None else after)
    kept = n - before - after if total < 0 else 0
    if builtins.min(before, after, kept) < 0:
        raise ArgumentError(where, f"{names[0]}, {names[1]} and {names[2]} must fit the {name[2]} {n} of the images",
                            f"got {given}", "check the sizes")  # fmt: skip
    return before, after


def pad_images(images, top_padding=None, left_padding=None, bottom_padding=None, right_padding=None, target_height=None,
               target_width=None, data_format=None):  # fmt: skip
    """images (n, h, w, c) -> (n, height, width, c). With zeros around.

    For each of height and width, two of the three numbers say how.

    Args:
        images: one image or a batch.
        top_padding, bottom_padding, target_height: rows of zeros above and below, and the new height; two of them.
        left_padding, right_padding, target_width: columns of zeros on both sides, and the new width; two of them.
        data_format: "channels_last" or "channels_first".

    Raises:
        ArgumentError: unless two of three numbers are given, and fit the images.

    Example:
        >>> edl.image.pad_images(edl.ones((15, 25, 3)), 2, 3, target_height=20, target_width=30).shape
        (20, 30, 3)
    """
    x, (h, w, _) = _image_axes("pad_images", images, data_format)
    before, after = [0] * x.ndim, [0] * x.ndim
    sides = ("top", "bottom", "height"), ("left", "right", "width")
    before[h], after[h] = _margins(
        "pad_images", "padding", x.shape[h], sides[0], top_padding, bottom_padding, target_height, 1
    )
    before[w], after[w] = _margins(
        "pad_images", "padding", x.shape[w], sides[1], left_padding, right_padding, target_width, 1
    )
    return _pad(x, before, after)


def crop_images(images, top_cropping=None, left_cropping=None, bottom_cropping=None, right_cropping=None,
    target_height=None,
                target_width=None, data_format=None):  # fmt: skip
    """images (n, h, w, c) -> (n, height, width, c). Without margins.

    For each of height and width, two of the three numbers say how.

    Args:
        images: one image or a batch.
        top_cropping, bottom_cropping, target_height: rows to drop above and below, and the new height; two of them.
        left_cropping, right_cropping, target_width: columns to drop on both sides, and the new width; two of them.
        data_format: "channels_last" or "channels_first".

    Raises:
        ArgumentError: unless two of three numbers are given, and fit the images.

    Example:
        >>> edl.image.crop_images(edl.ones((9, 9, 3)), 1, 2, 3, 4).shape
        (5, 3, 3)
    """
    x, (h, w, _) = _image_axes("crop_images", images, data_format)
    sides = ("top", "bottom", "height"), ("left", "right", "width")
    top, bottom = _margins(
        "crop_images", "cropping", x.shape[h], sides[0], top_cropping, bottom_cropping, target_height, -1
    )
    left, right = _margins(
        "crop_images", "cropping", x.shape[w], sides[1], left_cropping, right_cropping, target_width, -1
    )
    key = [builtins.slice(None)] * x.ndim
    key[h], key[w] = builtins.slice(top, x.shape[h] - bottom), builtins.slice(left, x.shape[w] - right)
    return get_item(x, tuple(key))


# -- colours ----------------------------------------------------------------------------------------


def _planes(where, images, data_format):
    """The three colour planes of images, and the axis on which they stand."""
    x, (_, _, c) = _image_axes(where, images, data_format)
    if x.shape[c] != 3:
        raise ShapeError(
            where, "images of 3 channels are needed", f"images {x.shape} have {x.shape[c]}", "check data_format"
        )
    lead = (builtins.slice(None),) * c
    return [x[(*lead, i)] for i in builtins.range(3)], c


def rgb_to_grayscale(images, data_format=None):
    """images (n, h, w, 3) -> (n, h, w, 1). The luma 0.2989 R + 0.587 G + 0.114 B, in the same dtype.

    Images of one channel remain as they are. (ITU-R BT.601.)

    Raises:
        ShapeError: if there are not 1 or 3 channels.

    Example:
        >>> edl.image.rgb_to_grayscale([[[1.0, 0.0, 0.0]]])
        Tensor(shape=(1, 1, 1), dtype=float32, [[[0.2989]]])
    """
    x, (_, _, c) = _image_axes("rgb_to_grayscale", images, data_format)
    if x.shape[c] == 1:
        return x
    (red, green, blue), c = _planes("rgb_to_grayscale", _computing(x), data_format)
    return expand_dims(0.2989 * red + 0.587 * green + 0.114 * blue, c).astype(x.dtype)


def rgb_to_hsv(images, data_format=None):
    """images (n, h, w, 3) in [0, 1] -> (n, h, w, 3). Hue, saturation and value, each in [0, 1].

    Grey pixels have hue 0. (Smith, "Color gamut transform pairs", 1978.)

    Raises:
        ShapeError: if there are not 3 channels.
        DTypeError: if the images are not floating.

    Example:
        >>> edl.image.rgb_to_hsv([[[0.0, 0.5, 0.0]]])[0, 0]
        Tensor(shape=(3,), dtype=float32, [0.33333334 1.         0.5       ])
    """
    images = convert_to_tensor(images)
    _floating("rgb_to_hsv", images)
    (red, green, blue), c = _planes("rgb_to_hsv", images, data_format)
    value = maximum(maximum(red, green), blue)
    spread = value - minimum(minimum(red, green), blue)
    coloured = spread > 0
    saturation = where(value > 0, spread / where(value > 0, value, 1), 0)
    sixth = 1 / (6 * where(coloured, spread, 1))
    hue = where(value == green, sixth * (blue - red) + 2 / 6, sixth * (red - green) + 4 / 6)
    hue = where(value == red, sixth * (green - blue), hue)
    hue = where(coloured, where(hue < 0, hue + 1, hue), 0)
    return stack([hue, saturation, value], axis=c)


def hsv_to_rgb(images, data_format=None):
    """images (n, h, w, 3) of hue, saturation and value -> (n, h, w, 3) RGB. The inverse of `rgb_to_hsv`.

    Raises:
        ShapeError: if there are not 3 channels.
        DTypeError: if the images are not floating.

    Example:
        >>> edl.image.hsv_to_rgb([[[0.0, 1.0, 0.5]]])[0, 0]
        Tensor(shape=(3,), dtype=float32, [0.5 0.  0. ])
    """
    images = convert_to_tensor(images)
    _floating("hsv_to_rgb", images)
    (hue, saturation, value), c = _planes("hsv_to_rgb", images, data_format)
    turn = (hue - floor(hue)) * 6

    def channel(strength):
        return value * (1 - saturation + saturation * minimum(maximum(strength, 0), 1))

    red, green, blue = absolute(turn - 3) - 1, 2 - absolute(turn - 2), 2 - absolute(turn - 4)
    return stack([channel(red), channel(green), channel(blue)], axis=c)
