"""Filters of images: blur, edges, and the similarity of structure that rests on blurred images."""

import builtins

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, bilinear
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor, floating
from eagerdl.ops.elementary import exp
from eagerdl.ops.layouts import cast_like, constant_like, image_axes
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.shape import stack

__all__ = ["gaussian_blur", "sobel_edges", "ssim"]


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


@bilinear(
    left=lambda g, kernel, axis, low: _filter(g, kernel[::-1], axis, kernel.shape[0] - 1 - low),
    right=lambda g, x, kernel_spec, axis, low: _tap_gradient(g, x, kernel_spec.shape[0], axis, low),
    infer=lambda x, kernel, axis, low: Spec(x.shape, dtypes.result_type(x.dtype, kernel.dtype)),
)
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
    x = constant_like(np.arange(size) - (size - 1) / 2, sigma)
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
    images, (h, w, _) = image_axes("gaussian_blur", images, data_format)
    x = floating(images)
    sizes = (
        [n.__index__() if hasattr(n, "__index__") else -1 for n in kernel_size]
        if hasattr(kernel_size, "__len__")
        else []
    )
    sigma = convert_to_tensor(sigma)
    if len(sizes) != 2 or builtins.min(sizes) < 1 or sigma.shape != (2,):
        raise ArgumentError(
            "gaussian_blur",
            "kernel_size holds two positive ints and sigma two numbers",
            f"got kernel_size={kernel_size!r}, sigma of shape {sigma.shape}",
            "use (3, 3) and (1.0, 1.0)",
        )
    sigma = floating(sigma) if x.dtype.itemsize == 2 else sigma.astype(x.dtype)
    for axis, size, width in ((w, sizes[0], sigma[0]), (h, sizes[1], sigma[1])):
        x = _filter(x, _gaussian(size, width).astype(x.dtype), axis, (size - 1) // 2)
    return cast_like(x, images)


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
    images, (h, w, _) = image_axes("sobel_edges", images, data_format)
    x = floating(images)
    smooth, slope = constant_like(np.array([1.0, 2.0, 1.0]), x), constant_like(np.array([-1.0, 0.0, 1.0]), x)
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
    first, axes = image_axes("ssim", image1, data_format)
    second, _ = image_axes("ssim", image2, data_format)
    h, w, c = axes
    if first.shape != second.shape:
        raise ShapeError(
            "ssim",
            "both images must have one shape",
            f"image1 {first.shape}, image2 {second.shape}",
            "resize one of them",
        )
    if not 0 < filter_size <= builtins.min(first.shape[h], first.shape[w]):
        raise ShapeError(
            "ssim",
            "the window must fit into the images",
            f"filter_size={filter_size}, images {first.shape}",
            "use a smaller filter_size",
        )
    x, y = floating(first), floating(second)
    low = (filter_size - 1) // 2
    wide = dtypes.float32 if x.dtype.itemsize == 2 else x.dtype  # variances are small differences of large numbers
    x, y = x.astype(wide), y.astype(wide)
    window = _gaussian(filter_size, constant_like(np.float64(filter_sigma), x))

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
