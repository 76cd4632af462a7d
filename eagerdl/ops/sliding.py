"""The sliding blocks of images: `unfold` and `fold`, each the transpose of the other."""

import builtins
import math

from eagerdl import devices
from eagerdl.autograd import Spec, linear
from eagerdl.errors import ShapeError
from eagerdl.kernels.windows import Window, padded, patches, wide
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.convolution import per_axis

__all__ = ["fold", "unfold"]


@linear(
    transpose=lambda g, window: _fold(g, window),
    infer=lambda x, window: Spec((*x.shape[:1], x.shape[1] * math.prod(window.kernel), math.prod(window.out)), x.dtype),
)
def _unfold(x, window):
    """x (n, c, *size) -> (n, c * kernel elements, outputs)."""
    n, c = x.shape[:2]
    space = padded(x.transpose(0, *builtins.range(2, x.ndim), 1), window)
    view = patches(space, window)[0]
    count = len(window.size)
    order = (0, view.ndim - 1, *builtins.range(1 + count, 1 + 2 * count), *builtins.range(1, 1 + count))
    return view.transpose(order).reshape(n, c * math.prod(window.kernel), math.prod(window.out))


@linear(
    transpose=lambda g, window: _unfold(g, window),
    infer=lambda x, window: Spec((*x.shape[:1], x.shape[1] // math.prod(window.kernel), *window.size), x.dtype),
)
def _fold(x, window):
    """x (n, c * kernel elements, outputs) -> (n, c, *size): the blocks added up where they came from."""
    n, c = x.shape[0], x.shape[1] // math.prod(window.kernel)
    blocks = x.reshape(n, c, *window.kernel, *window.out)
    space = devices.module_of(x).zeros((n, c, *window.span()), wide(x)[0].dtype)
    for tap, places in window.taps():
        space[(slice(None), slice(None), *places)] += blocks[(slice(None), slice(None), *tap)]
    return space[(slice(None), slice(None), *window.inner())].astype(x.dtype, copy=False)


def _blocks(where, size, kernel_size, dilation, padding, stride):
    kernel = per_axis(where, "kernel_size", kernel_size, 2)
    dilation = per_axis(where, "dilation", dilation, 2)
    strides = per_axis(where, "stride", stride, 2)
    before = per_axis(where, "padding", padding, 2, 0)
    out = tuple(
        [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(size, before, dilation, kernel, strides, strict=True)
        ]
    )
    if builtins.min(out) < 1:
        raise ShapeError(where, "a block must fit into the padded image", f"the image is {size}, kernel_size={kernel}, "
                         f"dilation={dilation}, padding={before}", "use smaller blocks or more padding")  # fmt: skip
    return Window(tuple(size), out, kernel, strides, dilation, before)


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """x (n, c, h, w) -> (n, c * kh * kw, blocks). The sliding blocks of images, channels first; im2col.

    Args:
        x: images.
        kernel_size: the sizes of a block; like all further arguments an int or two.
        dilation: the distance of a block's elements.
        padding: how many zeros go on each side.
        stride: the step of the blocks.

    Raises:
        ShapeError: if x has other axes, or no block fits.

    Example:
        >>> edl.unfold(edl.ones((1, 2, 4, 4)), kernel_size=2, stride=2).shape
        (1, 8, 4)
    """
    x = convert_to_tensor(x)
    if x.ndim != 4:
        raise ShapeError(
            "unfold", "images (n, c, h, w) are needed", f"x has shape {x.shape}", "add axes with edl.expand_dims"
        )
    return _unfold(x, _blocks("unfold", x.shape[2:], kernel_size, dilation, padding, stride))


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """x (n, c * kh * kw, blocks) -> (n, c, h, w). Sliding blocks added up to images; the transpose of `unfold`.

    Args:
        x: the blocks.
        output_size: h and w; like all further arguments an int or two.
        kernel_size, dilation, padding, stride: as in `unfold`.

    Raises:
        ShapeError: if the sizes of x do not fit to the blocks.

    Example:
        >>> blocks = edl.unfold(edl.ones((1, 2, 4, 4)), kernel_size=2, stride=2)
        >>> edl.fold(blocks, output_size=4, kernel_size=2, stride=2).shape
        (1, 2, 4, 4)
    """
    x = convert_to_tensor(x)
    window = _blocks("fold", per_axis("fold", "output_size", output_size, 2), kernel_size, dilation, padding, stride)
    elements, blocks = math.prod(window.kernel), math.prod(window.out)
    if x.ndim != 3 or x.shape[1] % elements or x.shape[2] != blocks:
        raise ShapeError(
            "fold",
            f"x must be (n, channels * {elements}, {blocks}) for these blocks",
            f"x has shape {x.shape}",
            "give the arguments that unfold was given",
        )
    return _fold(x, window)
