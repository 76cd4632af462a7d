import colorsys
import itertools

import numpy as np
from cases.builders import IMAGES, IMAGES_FIRST, booleans, case, fails, integers, raw

from eagerdl.errors import DTypeError, ShapeError


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


COLOURS = np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0.2, 0.9, 0.2]]])
RGB = np.array([list(itertools.permutations((0.2, 0.5, 0.9)))])  # one pixel in each of the six sectors of the hue
HSV = np.array([[[(k + 0.45) / 6, 0.6, 0.8] for k in range(6)]])

CASES = {
    "image.rgb_to_grayscale": [
        case(IMAGES, reference=_gray), case(IMAGES[0], reference=_gray), case(IMAGES_FIRST, data_format="channels_first",
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

FAILURES = [
    fails("image.rgb_to_grayscale", IMAGES[..., :2], error=ShapeError,
          match=r"\[rgb_to_grayscale\] images of 3 channels"),
    fails("image.rgb_to_hsv", integers(0, 9, 2, 2, 3), error=DTypeError,
          match=r"\[rgb_to_hsv\] images of a floating dtype.*got int32"),
    fails("image.rgb_to_hsv", raw(IMAGES_FIRST), error=ShapeError, match=r"images of 3 channels.*check data_format"),
    fails("image.hsv_to_rgb", booleans(2, 2, 3), error=DTypeError, match=r"\[hsv_to_rgb\] images of a floating dtype"),
]  # fmt: skip
