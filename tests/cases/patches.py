import math

import numpy as np
from cases.builders import IMAGES, IMAGES_FIRST, case, fails, integers, normal

from eagerdl.errors import ArgumentError, ShapeError


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


CASES = {
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
        case(IMAGES_FIRST, bottom_cropping=1, left_cropping=0, target_height=3, target_width=6, data_format="channels_first",
             reference=lambda x, **_: x[:, :, 1:4]),
    ],
    "image.pad_images": [
        case(IMAGES, 1, 2, 3, 0, reference=lambda x, *_: np.pad(x, ((0, 0), (1, 3), (2, 0), (0, 0)))),
        case(IMAGES[0], 1, right_padding=2, target_height=9, target_width=9,
             reference=lambda x, *_, **__: np.pad(x, ((1, 3), (1, 2), (0, 0)))),
        case(IMAGES_FIRST, 0, 0, 0, 0, data_format="channels_first", reference=lambda x, *_, **__: x),
    ],
}  # fmt: skip

FAILURES = [
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
]  # fmt: skip
