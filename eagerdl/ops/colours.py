"""Colours of images: grey, hue, saturation and value."""

import builtins

from eagerdl import dtypes
from eagerdl.errors import DTypeError, ShapeError
from eagerdl.ops.arithmetic import absolute, maximum, minimum, where
from eagerdl.ops.conversion import convert_to_tensor, floating
from eagerdl.ops.layouts import image_axes
from eagerdl.ops.rounding import floor
from eagerdl.ops.shape import expand_dims, stack

__all__ = ["hsv_to_rgb", "rgb_to_grayscale", "rgb_to_hsv"]


def _planes(where, images, data_format):
    """The three colour planes of images, and the axis on which they stand."""
    x, (_, _, c) = image_axes(where, images, data_format)
    if x.shape[c] != 3:
        raise ShapeError(
            where, "images of 3 channels are needed", f"images {x.shape} have {x.shape[c]}", "check data_format"
        )
    lead = (builtins.slice(None),) * c
    return [x[(*lead, i)] for i in builtins.range(3)], c


def _require_floating(where, images):
    if images.dtype not in dtypes.FLOATING_SET:
        raise DTypeError(
            where,
            "images of a floating dtype are needed",
            f"got {images.dtype}",
            "use edl.cast(images, 'float32') / 255",
        )


def rgb_to_grayscale(images, data_format=None):
    """images (n, h, w, 3) -> (n, h, w, 1). The luma 0.2989 R + 0.587 G + 0.114 B, in the same dtype.

    Images of one channel remain as they are. (ITU-R BT.601.)

    Raises:
        ShapeError: if there are not 1 or 3 channels.

    Example:
        >>> edl.image.rgb_to_grayscale([[[1.0, 0.0, 0.0]]])
        Tensor(shape=(1, 1, 1), dtype=float32, [[[0.2989]]])
    """
    x, (_, _, c) = image_axes("rgb_to_grayscale", images, data_format)
    if x.shape[c] == 1:
        return x
    (red, green, blue), c = _planes("rgb_to_grayscale", floating(x), data_format)
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
    _require_floating("rgb_to_hsv", images)
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
    _require_floating("hsv_to_rgb", images)
    (hue, saturation, value), c = _planes("hsv_to_rgb", images, data_format)
    turn = (hue - floor(hue)) * 6

    def channel(strength):
        return value * (1 - saturation + saturation * minimum(maximum(strength, 0), 1))

    red, green, blue = absolute(turn - 3) - 1, 2 - absolute(turn - 2), 2 - absolute(turn - 4)
    return stack([channel(red), channel(green), channel(blue)], axis=c)
