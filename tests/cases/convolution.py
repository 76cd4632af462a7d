import itertools

import numpy as np
from cases.builders import case, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def tuples(value, count):
    return (value,) * count if isinstance(value, int) else tuple(value)


def last(x, data_format):
    return np.moveaxis(x, 1, -1) if data_format == "channels_first" else x


def restore(y, data_format):
    return np.moveaxis(y, -1, 1) if data_format == "channels_first" else y


def geometry(sizes, kernel, strides, padding, dilation):
    """Per axis: how many outputs, and the zeros in front."""
    for n, k, s, d in zip(sizes, kernel, strides, dilation, strict=True):
        reach = (k - 1) * d + 1
        if padding == "same":
            out = int(np.ceil(n / s))
            yield out, max((out - 1) * s + reach - n, 0) // 2
        else:
            front = reach - 1 if padding == "causal" else 0
            yield (n + front - reach) // s + 1, front


def each_meeting(sizes, kernel, strides, dilation, front, out):
    """(output, tap, input place) of each product of a convolution, by going through all of them."""
    for place in itertools.product(*map(range, out)):
        for tap in itertools.product(*map(range, kernel)):
            source = tuple(
                o * s - f + t * d for o, s, f, t, d in zip(place, strides, front, tap, dilation, strict=True)
            )
            if all(0 <= i < n for i, n in zip(source, sizes, strict=True)):
                yield place, tap, source


def conv(x, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    x, padding = last(x, data_format), padding.lower()
    count, channels = x.ndim - 2, kernel.shape[-2]
    groups = x.shape[-1] // channels
    filters = kernel.shape[-1] // groups
    strides, dilation = tuples(strides, count), tuples(dilation_rate, count)
    out, front = zip(*geometry(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation), strict=True)
    y = np.zeros((x.shape[0], *out, kernel.shape[-1]))
    for place, tap, source in each_meeting(x.shape[1:-1], kernel.shape[:-2], strides, dilation, front, out):
        for g in range(groups):
            mine, theirs = slice(g * filters, (g + 1) * filters), slice(g * channels, (g + 1) * channels)
            y[(slice(None), *place, mine)] += x[(slice(None), *source, theirs)] @ kernel[tap][:, mine]
    return restore(y, data_format)


def depthwise_conv(x, kernel, data_format=None, **options):
    x = last(x, data_format)
    parts = [conv(x[..., i : i + 1], kernel[..., i : i + 1, :], **options) for i in range(x.shape[-1])]
    return restore(np.concatenate(parts, -1), data_format)


def separable_conv(
    x, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None, dilation_rate=1
):
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    y = last(depthwise_conv(x, depthwise_kernel, data_format=data_format, **options), data_format)
    return restore(y @ pointwise_kernel.reshape(pointwise_kernel.shape[-2:]), data_format)


def conv_transpose(x, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """Spreads each input over the full output, then cuts or extends it to the size of Keras' rules."""
    x = last(x, data_format)
    count = x.ndim - 2
    strides, dilation = tuples(strides, count), tuples(dilation_rate, count)
    extras = (None,) * count if output_padding is None else tuples(output_padding, count)
    sizes, front = [], []
    for n, k, s, d, extra in zip(x.shape[1:-1], kernel.shape[:-2], strides, dilation, extras, strict=True):
        reach = (k - 1) * d + 1
        if padding == "valid":
            sizes.append((n - 1) * s + (max(reach, s) if extra is None else reach + extra))
            front.append(0)
        else:
            sizes.append(n * s if extra is None else (n - 1) * s + reach % 2 + extra)
            total = (
                s + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
            )  # zeros around, as a convolution of x
            front.append(reach - 1 - min(total // 2 + total % 2, reach - 1))
    y = np.zeros((x.shape[0], *sizes, kernel.shape[-2]))
    for place, tap, source in each_meeting(sizes, kernel.shape[:-2], strides, dilation, front, x.shape[1:-1]):
        y[(slice(None), *source)] += x[(slice(None), *place)] @ kernel[tap].T
    return restore(y, data_format)


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = (tuples(v, 2) for v in (kernel_size, dilation, padding, stride))
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    rows, columns = (x.shape[2] - (kh - 1) * dh - 1) // sh + 1, (x.shape[3] - (kw - 1) * dw - 1) // sw + 1
    blocks = [
        x[:, :, i * sh : i * sh + (kh - 1) * dh + 1 : dh, j * sw : j * sw + (kw - 1) * dw + 1 : dw].reshape(
            x.shape[0], -1
        )
        for i in range(rows)
        for j in range(columns)
    ]
    return np.stack(blocks, -1)


def fold(x, output_size, kernel_size, **options):
    """By the definition of a transpose: what each element of an image does to the blocks."""
    sizes, elements = tuples(output_size, 2), int(np.prod(tuples(kernel_size, 2)))
    channels = x.shape[1] // elements
    basis = np.eye(channels * int(np.prod(sizes))).reshape(-1, channels, *sizes)
    return np.einsum("pel,nel->np", unfold(basis, kernel_size, **options), x).reshape(x.shape[0], channels, *sizes)


CASES = {
    "conv": [
        case(normal(2, 5, 6, 3), normal(3, 3, 3, 4), reference=conv),
        case(normal(2, 5, 6, 3), normal(3, 2, 3, 4), padding="SAME", reference=conv),
        case(normal(2, 7, 6, 3), normal(3, 2, 3, 2), strides=2, padding="same", reference=conv),
        case(normal(2, 8, 7, 2), normal(3, 4, 2, 2), strides=(3, 2), reference=conv),
        case(normal(1, 8, 7, 2), normal(1, 2, 2, 3), strides=(2, 3), padding="same", reference=conv),
        case(normal(2, 7, 7, 2), normal(3, 2, 2, 3), padding="same", dilation_rate=(2, 3), reference=conv),
        case(normal(1, 9, 9, 2), normal(3, 2, 2, 3), strides=2, dilation_rate=2, reference=conv),
        case(normal(1, 9, 9, 2), normal(2, 3, 2, 3), strides=(1, 2), dilation_rate=(2, 1), reference=conv),
        case(normal(2, 4, 3, 3), normal(1, 1, 3, 4), reference=conv),
        case(normal(2, 3, 5, 4), normal(2, 3, 3, 4), padding="same", data_format="channels_first", reference=conv),
        case(normal(2, 5, 4, 6), normal(3, 3, 3, 4), padding="same", reference=conv),
        case(normal(2, 5, 4, 4), normal(2, 3, 2, 2), strides=2, padding="same", reference=conv),
        case(normal(2, 5, 4, 4), normal(1, 1, 2, 2), reference=conv),
        case(normal(1, 4, 5, 1), normal(2, 2, 1, 17), strides=2, padding="same", reference=conv),
        case(normal(2, 7, 3), normal(3, 3, 4), strides=2, padding="same", reference=conv),
        case(normal(2, 7, 3), normal(3, 3, 4), padding="causal", dilation_rate=2, reference=conv),
        case(normal(1, 4, 5, 3, 2), normal(2, 3, 2, 2, 3), padding="same", reference=conv),
        case(normal(1, 4, 5, 4, 2), normal(2, 2, 1, 2, 3), strides=[2, 1, 2], reference=conv),
        case(normal(0, 5, 5, 2), normal(3, 3, 2, 3), reference=conv),
        case(integers(-3, 3, 2, 5, 2), integers(-3, 3, 2, 2, 3), reference=conv, rtol=1e-6, order=0),
    ],
    "depthwise_conv": [
        case(normal(2, 5, 6, 3), normal(3, 2, 3, 1), padding="same", reference=depthwise_conv),
        case(normal(2, 6, 5, 3), normal(3, 3, 3, 2), strides=2, padding="same", reference=depthwise_conv),
        case(normal(2, 6, 7, 2), normal(2, 2, 2, 2), dilation_rate=2, reference=depthwise_conv),
        case(normal(2, 3, 6, 7), normal(2, 2, 3, 2), data_format="channels_first", reference=depthwise_conv),
        case(normal(2, 6, 3), normal(3, 3, 2), reference=depthwise_conv),
        case(normal(2, 6, 1), normal(3, 1, 2), reference=depthwise_conv),
    ],
    "separable_conv": [
        case(normal(2, 5, 6, 3), normal(3, 2, 3, 2), normal(1, 1, 6, 4), 2, "same", reference=separable_conv),
        case(normal(2, 3, 7), normal(3, 3, 1), normal(1, 3, 4), data_format="channels_first",
             dilation_rate=2, reference=separable_conv),
    ],
    "conv_transpose": [
        case(normal(2, 3, 4, 2), normal(3, 3, 5, 2), reference=conv_transpose),
        case(normal(2, 3, 4, 2), normal(3, 2, 3, 2), strides=2, padding="same", reference=conv_transpose),
        case(normal(2, 3, 4, 2), normal(2, 3, 3, 2), strides=3, reference=conv_transpose),
        case(normal(2, 3, 4, 2), normal(3, 4, 3, 2), (2, 3), "same", 1, reference=conv_transpose),
        case(normal(2, 3, 4, 2), normal(3, 4, 3, 2), strides=3, output_padding=(2, 0), reference=conv_transpose),
        case(normal(1, 3, 4, 2), normal(2, 3, 3, 2), padding="same", dilation_rate=2, reference=conv_transpose),
        case(normal(1, 2, 3, 4), normal(2, 3, 3, 2), strides=2, data_format="channels_first", reference=conv_transpose),
        case(normal(2, 4, 2), normal(3, 3, 2), strides=2, padding="same", reference=conv_transpose),
        case(normal(1, 2, 3, 2, 2), normal(2, 2, 3, 2, 2), strides=2, padding="same", reference=conv_transpose),
    ],
    "unfold": [
        case(normal(2, 3, 5, 6), kernel_size=2, reference=unfold),
        case(normal(2, 2, 7, 6), kernel_size=(3, 2), dilation=(1, 2), padding=(2, 1), stride=(2, 1), reference=unfold),
    ],
    "fold": [
        case(normal(2, 8, 12), output_size=(4, 5), kernel_size=2, reference=fold),

        case(normal(2, 12, 25), output_size=(7, 4), kernel_size=(3, 2), padding=(2, 1), stride=(2, 1), reference=fold),
    ],
}  # fmt: skip

FAILURES = [
    fails(
        "conv",
        normal(1, 5, 5, 3),
        normal(3, 3, 2, 4),
        error=ShapeError,
        match=r"\[conv\] the channels of inputs .* 3 channels, kernel .* takes 2",
    ),
    fails(
        "conv", normal(1, 5, 5, 4), normal(3, 3, 2, 3), error=ShapeError, match=r"a multiple that divides its filters"
    ),
    fails(
        "conv", normal(5, 3), normal(3, 2, 4), error=ShapeError, match=r"1 to 3 spatial axes; inputs has shape \(5, 3\)"
    ),
    fails("conv", normal(1, 5, 5, 3), normal(3, 3, 4), error=ShapeError, match=r"as many axes as inputs"),
    fails("conv", normal(1, 2, 5, 3), normal(3, 3, 3, 4), error=ShapeError, match=r"the window must fit"),
    fails(
        "conv",
        normal(1, 5, 5, 3),
        normal(3, 3, 3, 4),
        padding="full",
        error=ArgumentError,
        match=r"'valid', 'same'; got 'full'",
    ),
    fails("conv", normal(1, 5, 5, 3), normal(3, 3, 3, 4), padding="causal", error=ArgumentError, match=r"got 'causal'"),
    fails(
        "conv",
        normal(1, 5, 5, 3),
        normal(3, 3, 3, 4),
        strides=0,
        error=ArgumentError,
        match=r"strides is an int or 2 ints, at least 1",
    ),
    fails("conv", normal(1, 5, 5, 3), normal(3, 3, 3, 4), strides=(1, 1, 1), error=ArgumentError, match=r"strides"),
    fails(
        "conv",
        normal(1, 5, 5, 3),
        normal(3, 3, 3, 4),
        dilation_rate=1.5,
        error=DTypeError,
        match=r"dilation_rate is an int",
    ),
    fails(
        "conv",
        normal(1, 5, 5, 3),
        normal(3, 3, 3, 4),
        data_format="NHWC",
        error=ArgumentError,
        match=r"'channels_last' or 'channels_first'",
    ),
    fails(
        "depthwise_conv",
        normal(1, 5, 5, 3),
        normal(3, 3, 2, 4),
        error=ShapeError,
        match=r"\[depthwise_conv\] .* equally many channels",
    ),
    fails(
        "separable_conv",
        normal(1, 5, 5, 3),
        normal(3, 3, 2, 4),
        normal(1, 1, 8, 2),
        error=ShapeError,
        match=r"\[separable_conv\] .* channels",
    ),
    fails(
        "conv_transpose",
        normal(1, 5, 5, 3),
        normal(3, 3, 3, 4),
        error=ShapeError,
        match=r"\[conv_transpose\] .* \(\*spatial, out, in\)",
    ),
    fails(
        "conv_transpose",
        normal(1, 5, 5, 3),
        normal(3, 3, 4, 3),
        padding="causal",
        error=ArgumentError,
        match=r"'valid', 'same'",
    ),
    fails("unfold", normal(2, 5, 5), 2, error=ShapeError, match=r"images \(n, c, h, w\)"),
    fails("unfold", normal(1, 2, 3, 3), 4, error=ShapeError, match=r"a block must fit"),
    fails("fold", normal(1, 8, 5), 4, 2, stride=2, error=ShapeError, match=r"\(n, channels \* 4, 4\)"),
]
