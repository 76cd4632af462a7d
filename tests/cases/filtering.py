import numpy as np
import scipy.ndimage
from cases.builders import IMAGES, IMAGES_FIRST, case, fails, integers, normal, uniform

from eagerdl.errors import ArgumentError, ShapeError


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


CASES = {
    "image.gaussian_blur": [
        case(IMAGES, reference=_blur), case(IMAGES, (5, 3), (2.0, 0.5), reference=_blur), case(IMAGES[0], [9, 15],
             reference=_blur),
        case(IMAGES, (3, 5), np.array([0.7, 1.2]), reference=_blur, sweep_rtol=4.0),
        case(IMAGES_FIRST, (5, 3), data_format="channels_first", reference=lambda x, k,
             data_format: np.moveaxis(_blur(np.moveaxis(x, 1, -1), k), -1, 1)),
        case(normal(1, 4, 1), (2, 1), (0.5, 1.0), reference=lambda x, *_: (x + np.append(x[:, 1:], [[[0.0]]], 1)) / 2),
        case(integers(0, 256, 5, 6, 3, dtype="uint8"), order=0,
             reference=lambda x: np.rint(_blur(x.astype("float64")))),
    ],
    "image.sobel_edges": [case(IMAGES, reference=_sobel), case(IMAGES_FIRST, data_format="channels_first", reference=_sobel)],
    "image.ssim": [
        case(uniform(0, 1, 2, 12, 13, 2), uniform(0, 1, 2, 12, 13, 2, salt=1),
             reference=_ssim, order=1, sweep_rtol=10.0),
        case(IMAGES[0], IMAGES[1], max_val=2.0, filter_size=4, filter_sigma=0.8, reference=_ssim, sweep_rtol=10.0),
        case(IMAGES_FIRST, IMAGES_FIRST * 0.9, filter_size=3, data_format="channels_first", sweep_rtol=10.0, order=1,
             reference=lambda x, y, filter_size, data_format: _ssim(np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1),
                 filter_size=3)),
        case(integers(0, 256, 8, 8, 1, dtype="uint8"), integers(0, 256, 8, 8, 1, dtype="uint8", salt=1), 255.0, 5,
             order=0, rtol=1e-3,
             reference=lambda x, y, m, f: _ssim(x.astype("float64"), y.astype("float64"), m, f)),
    ],
}  # fmt: skip

FAILURES = [
    fails("image.gaussian_blur", IMAGES, (0, 3), error=ArgumentError, match=r"kernel_size holds two positive ints"),
    fails("image.gaussian_blur", IMAGES, 3, error=ArgumentError, match=r"kernel_size holds two positive ints"),
    fails("image.gaussian_blur", IMAGES, (3, 3), 1.0, error=ArgumentError, match=r"sigma two numbers"),
    fails("image.sobel_edges", normal(3, 3), error=ShapeError, match=r"\[sobel_edges\] an image"),
    fails("image.ssim", IMAGES, IMAGES[:1], error=ShapeError, match=r"\[ssim\] both images must have one shape"),
    fails("image.ssim", IMAGES, IMAGES, error=ShapeError, match=r"the window must fit.*filter_size=11"),
]  # fmt: skip
