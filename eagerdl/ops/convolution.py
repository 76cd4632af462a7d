"""Convolutions and their transposes.

Convolution is linear in the input and in the kernel, so three primitives suffice for derivatives of any order: the
convolution, its cotangent for the input and its cotangent for the kernel. Each is a transpose of the others.

Geometry is in `kernels/windows.py`; what is done on arrays in `machine/convolutions.py`, for large ones of float32, and in
`kernels/convolution.py`.
"""

import builtins
import functools

from eagerdl import config, devices, dtypes
from eagerdl.autograd import Spec, bilinear
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.kernels.windows import Window, wide
from eagerdl.machine import convolutions
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.shape import reshape, transpose

__all__ = ["conv", "conv_transpose", "depthwise_conv", "separable_conv"]

# -- the three primitives -----------------------------------------------------------------------


def _bar(x):
    return x.conj() if dtypes.is_complex(x.dtype) else x


def _result(out, like):
    return out if out.dtype == like.dtype else out.astype(like.dtype)


def _written(compute, inputs, window, out):
    """``compute(*inputs, window)``, as a new array or in `out`, an array in the memory of a program."""
    inputs, like = wide(*inputs), inputs[0]
    if out is None:
        return _result(compute(*inputs, window), like)
    found = compute(*inputs, window, out if inputs[0].dtype == like.dtype else None)
    if not devices.module_of(out).may_share_memory(found, out):
        out[...] = found
    return out


@bilinear(left=lambda g, kernel, window: _conv_input_grad(g, _bar(kernel), window),
          right=lambda g, x, window: _conv_kernel_grad(_bar(x), g, window),
          infer=lambda x, kernel, window: Spec((x.shape[0], *window.out, kernel.shape[-1]), x.dtype),
          promote=dtypes.to_floating)  # fmt: skip
def _conv(x, kernel, window, *, out=None):
    """x (n, *size, c), kernel (*k, c / groups, f) -> (n, *out, f)."""
    return _written(convolutions.forward, (x, kernel), window, out)


@bilinear(left=lambda g, kernel, window: _conv(g, _bar(kernel), window),
          right=lambda g, y, window: _conv_kernel_grad(g, _bar(y), window),
          infer=lambda y, kernel, window: Spec((y.shape[0], *window.size, kernel.shape[-2] * window.groups), y.dtype),
          promote=dtypes.to_floating)  # fmt: skip
def _conv_input_grad(y, kernel, window, *, out=None):
    """y (n, *out, f), kernel (*k, c / groups, f) -> (n, *size, c)."""
    return _written(convolutions.input_gradient, (y, kernel), window, out)


@bilinear(left=lambda g, y, window: _conv_input_grad(_bar(y), g, window),
          right=lambda g, x, window: _conv(_bar(x), g, window),
          infer=lambda x, y, window: Spec((*window.kernel, x.shape[-1] // window.groups, y.shape[-1]), x.dtype),
          promote=dtypes.to_floating)  # fmt: skip
def _conv_kernel_grad(x, y, window):
    """x (n, *size, c), y (n, *out, f) -> (*k, c / groups, f)."""
    return _result(convolutions.kernel_gradient(*wide(x, y), window), x)


# -- arguments ----------------------------------------------------------------------------------


def per_axis(where, name, value, count, least=1):
    """An argument that is an int, or one int per spatial axis, as a tuple.

    Raises:
        ArgumentError: if there are more or fewer, or one is below `least`.
    """
    values = (value,) * count if hasattr(value, "__index__") else value
    try:
        values = tuple([v.__index__() for v in values])
    except (AttributeError, TypeError):
        raise DTypeError(where, f"{name} is an int or one int per spatial axis", f"got {name}={value!r}",
                         f"pass an int or {count} of them") from None  # fmt: skip
    if len(values) != count or builtins.min(values) < least:
        raise ArgumentError(where, f"{name} is an int or {count} ints, at least {least} each", f"got {name}={value!r}",
                            "check its length and its values")  # fmt: skip
    return values


def padding_of(where, padding, allowed=("valid", "same")):
    """A padding mode in lower case, checked."""
    name = padding.lower() if isinstance(padding, str) else padding
    if name not in allowed:
        raise ArgumentError(where, f"padding is one of {', '.join(map(repr, allowed))}", f"got {padding!r}",
                            "pad by hand with edl.pad for anything else")  # fmt: skip
    return name


def window_of(where, size, kernel, strides, padding, dilation, groups=1):
    """The Window of a kernel that slides over `size`, from arguments as users give them.

    Raises:
        ShapeError: if not even one window fits.
    """
    strides = per_axis(where, "strides", strides, len(size))
    dilation = per_axis(where, "dilation_rate", dilation, len(size))
    return _slide(where, tuple(size), tuple(kernel), strides, padding, dilation, groups)


@functools.lru_cache(maxsize=1024)
def _slide(where, size, kernel, strides, padding, dilation, groups):
    out, before = [], []
    for n, k, s, d in zip(size, kernel, strides, dilation, strict=True):
        reach = (k - 1) * d + 1
        if padding == "same":
            count = -(-n // s)
            front = builtins.max((count - 1) * s + reach - n, 0) // 2
        else:
            front = reach - 1 if padding == "causal" else 0
            count = (n + front - reach) // s + 1
        if count < 1 and n:
            raise ShapeError(where, "the window must fit into the input", f"the spatial sizes are {size}, the window "
                             f"{kernel} with dilation {dilation}", "use padding='same', or a larger input")  # fmt: skip
        out.append(builtins.max(count, 0))
        before.append(front)
    return Window(size, tuple(out), kernel, strides, dilation, tuple(before), groups)


def to_channels_last(x, data_format):
    """x in the layout (n, *spatial, c), and a function that brings results back into `data_format`."""
    if config.standardize_data_format(data_format) == "channels_last" or x.ndim < 3:
        return x, lambda y: y
    ndim = x.ndim
    return transpose(x, (0, *builtins.range(2, ndim), 1)), lambda y: transpose(
        y, (0, ndim - 1, *builtins.range(1, ndim - 1))
    )


def spatial_input(where, inputs, name="inputs"):
    """The input as a tensor, with one to three spatial axes.

    Raises:
        ShapeError: if it has another number of axes.
    """
    x = convert_to_tensor(inputs)
    if not 3 <= x.ndim <= 5:
        raise ShapeError(
            where,
            f"{name} must have a batch axis, a channel axis and 1 to 3 spatial axes",
            f"{name} has shape {x.shape}",
            "add the missing axes with edl.expand_dims",
        )
    return x


def _arguments(where, inputs, kernel, data_format, name="kernel"):
    x, kernel = spatial_input(where, inputs), convert_to_tensor(kernel)
    if kernel.ndim != x.ndim:
        raise ShapeError(where, f"{name} must have as many axes as inputs: spatial ones and two of channels",
                         f"inputs {x.shape}, {name} {kernel.shape}", "check the order of the arguments")  # fmt: skip
    if builtins.min(kernel.shape) < 1:
        raise ShapeError(where, f"{name} must not be empty", f"{name} has shape {kernel.shape}", "check its sizes")
    return (*to_channels_last(x, data_format), kernel)


# -- public -------------------------------------------------------------------------------------


def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """inputs (n, *spatial, c), kernel (*k, c / groups, f) -> (n, *spatial', f). Convolution over one to three axes.

    It is the cross-correlation that deep learning calls convolution: the kernel is not turned around. Where the kernel
    has fewer channels than the input, channels and filters form groups, each of which sees its own channels alone.

    Args:
        inputs: the input.
        kernel: the filters.
        strides: the step of the windows, an int or one per spatial axis.
        padding: ``"valid"`` for none, ``"same"`` for zeros such that without strides the sizes stay, or for one spatial
            axis ``"causal"`` for zeros in front only.
        data_format: ``"channels_last"`` or ``"channels_first"``, (n, c, *spatial); by default as configured.
        dilation_rate: the distance of kernel elements in the input, an int or one per spatial axis.

    Raises:
        ShapeError: if the channels do not fit, or no window fits into the input.

    Example:
        >>> edl.conv(edl.ones((1, 5, 5, 2)), edl.ones((3, 3, 2, 4)), padding="same").shape
        (1, 5, 5, 4)

    Source: Dumoulin & Visin, 2016, arXiv:1603.07285.
    """
    x, back, kernel = _arguments("conv", inputs, kernel, data_format)
    allowed = ("valid", "same", "causal") if x.ndim == 3 else ("valid", "same")
    channels, filters = kernel.shape[-2:]
    groups = x.shape[-1] // channels
    if x.shape[-1] % channels or not groups or filters % groups:
        raise ShapeError(
            "conv",
            "the channels of inputs must be those of the kernel, or a multiple that divides its filters",
            f"inputs have {x.shape[-1]} channels, kernel {kernel.shape} takes {channels} and gives {filters}",
            "check data_format and the kernel's layout (*spatial, in, out)",
        )
    window = window_of(
        "conv", x.shape[1:-1], kernel.shape[:-2], strides, padding_of("conv", padding, allowed), dilation_rate, groups
    )
    return back(_conv(x, kernel, window))


def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """inputs (n, *spatial, c), kernel (*k, c, m) -> (n, *spatial', c * m). Each channel has m kernels of its own.

    Args:
        inputs, kernel, strides, padding, data_format, dilation_rate: as in `conv`.

    Raises:
        ShapeError: if the channels differ.

    Example:
        >>> edl.depthwise_conv(edl.ones((1, 5, 5, 2)), edl.ones((3, 3, 2, 4))).shape
        (1, 3, 3, 8)
    """
    return _depthwise_conv("depthwise_conv", inputs, kernel, strides, padding, data_format, dilation_rate)


def _depthwise_conv(where, inputs, kernel, strides, padding, data_format, dilation_rate):
    x, back, kernel = _arguments(where, inputs, kernel, data_format)
    *sizes, channels, multiplier = kernel.shape
    if x.shape[-1] != channels:
        raise ShapeError(where, "inputs and kernel must have equally many channels",
                         f"inputs have {x.shape[-1]}, kernel {kernel.shape} has {channels}",
                         "check data_format and the kernel's layout (*spatial, channels, multiplier)")  # fmt: skip
    window = window_of(where, x.shape[1:-1], sizes, strides, padding_of(where, padding), dilation_rate, channels)
    return back(_conv(x, reshape(kernel, (*sizes, 1, channels * multiplier)), window))


def separable_conv(
    inputs, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None, dilation_rate=1
):
    """inputs (n, *spatial, c), depthwise_kernel (*k, c, m), pointwise_kernel (*1, c * m, f) -> (n, *spatial', f).

    A depthwise convolution, then one of kernel size 1 that mixes the channels.

    Args:
        inputs, strides, padding, data_format, dilation_rate: as in `conv`.
        depthwise_kernel: as in `depthwise_conv`.
        pointwise_kernel: as in `conv`.

    Raises:
        ShapeError: if the channels do not fit.

    Example:
        >>> edl.separable_conv(edl.ones((1, 5, 5, 2)), edl.ones((3, 3, 2, 4)), edl.ones((1, 1, 8, 6))).shape
        (1, 3, 3, 6)

    Source: Chollet, 2017, arXiv:1610.02357.
    """
    x = _depthwise_conv("separable_conv", inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, data_format=data_format)


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """inputs (n, *spatial, c), kernel (*k, f, c) -> (n, *spatial', f). The transpose of a convolution: it spreads.

    Args:
        inputs: the input.
        kernel: the filters, with the output's channels first.
        strides: the step of the windows in the output, an int or one per spatial axis.
        padding: ``"valid"`` or ``"same"``. The sizes become ``(n - 1) * s + max(r, s)`` or ``n * s``,
            where r is the reach of a kernel.
        output_padding: sets the sizes: ``(n - 1) * s + r + output_padding`` with "valid", ``(n - 1) * s + r % 2 +
            output_padding`` with "same". An int or one per spatial axis.
        data_format, dilation_rate: as in `conv`.

    Raises:
        ShapeError: if the channels differ.

    Example:
        >>> edl.conv_transpose(edl.ones((1, 4, 4, 2)), edl.ones((3, 3, 5, 2)), strides=2, padding="same").shape
        (1, 8, 8, 5)

    Source: Dumoulin & Visin, 2016, arXiv:1603.07285, section 4.
    """
    where = "conv_transpose"
    x, back, kernel = _arguments(where, inputs, kernel, data_format)
    if x.shape[-1] != kernel.shape[-1]:
        raise ShapeError(where, "inputs must have the channels that the kernel takes",
                         f"inputs have {x.shape[-1]}, kernel {kernel.shape} takes {kernel.shape[-1]}",
                         "check data_format and the kernel's layout (*spatial, out, in)")  # fmt: skip
    padding, count = padding_of(where, padding), x.ndim - 2
    strides = per_axis(where, "strides", strides, count)
    dilation = per_axis(where, "dilation_rate", dilation_rate, count)
    extras = (None,) * count if output_padding is None else per_axis(where, "output_padding", output_padding, count, 0)
    sizes, before = [], []
    for n, k, s, d, extra in zip(x.shape[1:-1], kernel.shape[:-2], strides, dilation, extras, strict=True):
        size, front = _transposed_axis(n, (k - 1) * d + 1, s, padding, extra)
        if size < 1 and n:
            raise ShapeError(
                where,
                "the output must not be empty",
                f"inputs {x.shape}, kernel {kernel.shape}, padding={padding!r}, output_padding={output_padding}",
                "use a larger output_padding",
            )
        sizes.append(builtins.max(size, 0))
        before.append(front)
    window = Window(tuple(sizes), x.shape[1:-1], kernel.shape[:-2], strides, dilation, tuple(before))
    return back(_conv_input_grad(x, kernel, window))


def _transposed_axis(n, reach, stride, padding, extra):
    """The size of the output along an axis, and how many elements of the full output are cut off in front."""
    if padding == "valid":
        return (n - 1) * stride + (builtins.max(reach, stride) if extra is None else reach + extra), 0
    total = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
    left = builtins.min(-(-total // 2), reach - 1)
    return (n - 1) * stride + 1 + total - (reach - 1), reach - 1 - left
