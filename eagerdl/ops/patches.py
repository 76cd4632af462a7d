"""Parts of images: margins, crops and patches."""

import builtins
import itertools
import math

from eagerdl import devices
from eagerdl.autograd import Spec, linear
from eagerdl.config import standardize_data_format
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.indexing import get_item
from eagerdl.ops.layouts import check_choice, image_axes, padded
from eagerdl.ops.shape import expand_dims, reshape, squeeze, transpose

__all__ = ["crop_images", "extract_patches", "extract_patches_3d", "pad_images"]


# -- crops and margins ----------------------------------------------------------------------------


ROWS, COLUMNS = ("top", "bottom", "height"), ("left", "right", "width")


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
        raise ArgumentError(
            where,
            f"{names[0]}, {names[1]} and {names[2]} must fit the {name[2]} {n} of the images",
            f"got {given}",
            "check the sizes",
        )
    return before, after


def pad_images(
    images,
    top_padding=None,
    left_padding=None,
    bottom_padding=None,
    right_padding=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
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
    x, (h, w, _) = image_axes("pad_images", images, data_format)
    before, after = [0] * x.ndim, [0] * x.ndim
    rows, columns = (top_padding, bottom_padding, target_height), (left_padding, right_padding, target_width)
    for axis, sides, given in ((h, ROWS, rows), (w, COLUMNS, columns)):
        before[axis], after[axis] = _margins("pad_images", "padding", x.shape[axis], sides, *given, 1)
    return padded(x, before, after)


def crop_images(
    images,
    top_cropping=None,
    left_cropping=None,
    bottom_cropping=None,
    right_cropping=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
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
    x, (h, w, _) = image_axes("crop_images", images, data_format)
    rows, columns = (top_cropping, bottom_cropping, target_height), (left_cropping, right_cropping, target_width)
    key = [builtins.slice(None)] * x.ndim
    for axis, sides, given in ((h, ROWS, rows), (w, COLUMNS, columns)):
        low, high = _margins("crop_images", "cropping", x.shape[axis], sides, *given, -1)
        key[axis] = builtins.slice(low, x.shape[axis] - high)
    return get_item(x, tuple(key))


# -- patches --------------------------------------------------------------------------------------


def _windows_shape(x, size, strides, dilation):
    """How many windows fit along each axis."""
    return tuple(
        [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], size, strides, dilation, strict=True)]
    )


@linear(
    transpose=lambda g, x, size, strides, dilation: _overlay(g, x.shape, size, strides, dilation),
    infer=lambda x, size, strides, dilation: Spec(
        (x.shape[0], *_windows_shape(x, size, strides, dilation), *size, x.shape[-1]), x.dtype
    ),
)
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


@linear(
    transpose=lambda g, size, strides, dilation: _windows(g, size, strides, dilation),
    infer=lambda x, shape, size, strides, dilation: Spec(shape, x.dtype),
)
def _overlay(x, shape, size, strides, dilation):
    """x (n, windows..., size..., c) -> shape. The windows added up where they came from."""
    out, k = devices.module_of(x).zeros(shape, x.dtype), len(size)
    every = (builtins.slice(None),) * (k + 1)
    for offset in itertools.product(*map(builtins.range, size)):
        places = [
            builtins.slice(o * d, o * d + s * n, s)
            for o, d, s, n in zip(offset, dilation, strides, x.shape[1 : k + 1], strict=True)
        ]
        out[
            (
                builtins.slice(None),
                *[
                    builtins.slice(p.start, builtins.min(p.stop, n), p.step)
                    for p, n in zip(places, shape[1:-1], strict=True)
                ],
            )
        ] += x[(*every, *offset)]
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
        raise ShapeError(
            where,
            f"{k} spatial axes, one of channels and maybe one of a batch are needed",
            f"got {x.shape}",
            "add the missing axis with edl.expand_dims",
        )
    size = _numbers(where, "size", size, k)
    strides = _numbers(where, "strides", size if strides is None else strides, k)
    dilation = _numbers(where, "dilation_rate", dilation_rate, k)
    padding = check_choice(where, "padding", str(padding).lower(), ("valid", "same"))
    batched = x.ndim == k + 2
    x = x if batched else expand_dims(x, 0)
    x = x if last else transpose(x, (0, *builtins.range(2, k + 2), 1))
    if padding == "same":  # as many patches as strides fit, the odd pixel of padding behind
        missing = [
            builtins.max((-(-n // s) - 1) * s + (p - 1) * d + 1 - n, 0)
            for n, p, s, d in zip(x.shape[1:-1], size, strides, dilation, strict=True)
        ]
        x = padded(x, (0, *[m // 2 for m in missing], 0), (0, *[m - m // 2 for m in missing], 0))
    counts = _windows_shape(x, size, strides, dilation)
    if builtins.min(counts) < 1:
        raise ShapeError(
            where,
            "a patch must fit into the images",
            f"size {size}, dilation_rate {dilation}, images {x.shape[1:-1]}",
            "use a smaller size, or padding='same'",
        )
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
