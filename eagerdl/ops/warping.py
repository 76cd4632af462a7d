"""Images read at computed places between their pixels: interpolation and warps, differentiable by the places too."""

import builtins
import itertools

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops import random
from eagerdl.ops.arithmetic import absolute, maximum, minimum, sign, where
from eagerdl.ops.conversion import convert_to_tensor, floating
from eagerdl.ops.filtering import gaussian_blur
from eagerdl.ops.indexing import take
from eagerdl.ops.layouts import batched, check_choice, constant_like, image_axes
from eagerdl.ops.rounding import floor, floor_divide, mod, trunc
from eagerdl.ops.shape import broadcast_to, concatenate, expand_dims, reshape, squeeze, stack
from eagerdl.ops.solving import solve

__all__ = ["affine_transform", "elastic_transform", "map_coordinates", "perspective_transform"]


# -- sampling at computed places ------------------------------------------------------------------


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
    inputs, coordinates = convert_to_tensor(inputs), floating(coordinates)
    if coordinates.ndim < 2 or coordinates.shape[0] != inputs.ndim:
        raise ShapeError(
            where,
            f"coordinates has shape ({inputs.ndim}, ...): a row for each axis of inputs",
            f"inputs {inputs.shape}, coordinates {coordinates.shape}",
            "stack one tensor of coordinates for each axis",
        )
    check_choice(where, "order", order, (0, 1))
    check_choice(where, "fill_mode", fill_mode, FILL_MODES)
    rows = reshape(inputs, (-1,))
    return _sample(
        rows, inputs.shape, [coordinates[i] for i in builtins.range(inputs.ndim)], order, fill_mode, fill_value
    )


# -- warps ----------------------------------------------------------------------------------------


def _warp(batch, ys, xs, order, fill_mode, fill_value):
    """batch (n, h, w, c), ys and xs (n, H, W) -> (n, H, W, c). The pixels at (y, x)."""
    n, h, w, c = batch.shape
    image = constant_like(np.arange(n)[:, None, None], batch, dtypes.int32)
    shape = (n, *ys.shape[1:])
    ys, xs = broadcast_to(ys, shape), broadcast_to(xs, shape)
    return _sample(reshape(batch, (n * h * w, c)), (h, w), (ys, xs), order, fill_mode, fill_value, image)


def _project(transform, h, w):
    """transform (n, 8) -> the places (ys, xs), each (n, h, w), that the pixels of the result come from."""
    xs, ys = constant_like(np.arange(w), transform), constant_like(np.arange(h)[:, None], transform)
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
    images, axes = image_axes(where, images, data_format)
    check_choice(where, "interpolation", interpolation, tuple(ORDERS))
    check_choice(where, "fill_mode", fill_mode, FILL_MODES)
    transform = floating(transform)
    count = images.shape[0] if images.ndim == 4 else 1
    if (
        transform.ndim not in (1, 2)
        or transform.shape[-1] != 8
        or (transform.ndim == 2 and transform.shape[0] not in (1, count))
    ):
        raise ShapeError(
            where,
            f"transform has shape (8,) or ({count}, 8)",
            f"got {transform.shape} for images {images.shape}",
            "give a0, a1, a2, b0, b1, b2, c0, c1 for each image",
        )
    batch, restore = batched(images, axes)
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
    images, axes = image_axes(where, images, data_format)
    check_choice(where, "interpolation", interpolation, tuple(ORDERS))
    start, end = floating(start_points), floating(end_points)
    count = images.shape[0] if images.ndim == 4 else 1
    for name, points in (("start_points", start), ("end_points", end)):
        if points.shape not in ((4, 2), (1, 4, 2), (count, 4, 2)):
            raise ShapeError(
                where,
                f"{name} has shape (4, 2) or ({count}, 4, 2)",
                f"got {points.shape} for images {images.shape}",
                "give four points (x, y)",
            )
    if start.shape != end.shape:
        raise ShapeError(
            where,
            "start_points and end_points have one shape",
            f"got {start.shape} and {end.shape}",
            "give as many of both",
        )
    start, end = reshape(start, (-1, 4, 2)), reshape(end, (-1, 4, 2))
    batch, restore = batched(images, axes)
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
    return squeeze(solve(equations, expand_dims(concatenate([u, v], axis=1), -1)), -1)


def elastic_transform(
    images,
    alpha=20.0,
    sigma=5.0,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    seed=None,
    data_format=None,
):
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
    images, axes = image_axes(where, images, data_format)
    check_choice(where, "interpolation", interpolation, tuple(ORDERS))
    check_choice(where, "fill_mode", fill_mode, FILL_MODES)
    alpha, sigma = float(alpha), float(sigma)
    if not sigma > 0:
        raise ArgumentError(where, "sigma is positive", f"got {sigma}", "use a few pixels")
    batch, restore = batched(images, axes)
    n, h, w, _ = batch.shape
    dtype = images.dtype if images.dtype in (dtypes.float32, dtypes.float64) else dtypes.float32
    noise = random.normal((2 * n, h, w, 1), dtype=dtype.name, seed=seed) * sigma
    width = int(6 * sigma) | 1
    offsets = reshape(gaussian_blur(noise, (width, width), (sigma, sigma), "channels_last"), (2, n, h, w)) * alpha
    ys, xs = constant_like(np.arange(h)[:, None], offsets), constant_like(np.arange(w), offsets)
    return restore(_warp(batch, ys + offsets[0], xs + offsets[1], ORDERS[interpolation], fill_mode, fill_value))
