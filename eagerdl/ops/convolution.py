"""Convolutions and their transposes, and the sliding blocks of images.

Convolution is linear in the input and in the kernel, so three primitives suffice for derivatives of any order: the
convolution, its cotangent for the input and its cotangent for the kernel. Each is a transpose of the others.

Geometry, once: `Window` says which element of the input meets which element of the kernel for each output:
``input[out * stride - before + tap * dilation]``, where everything outside of the input is zero. What is called padding
"same" or "valid" decides `before` and how many outputs there are, and nothing else.
(Dumoulin & Visin, 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.)
"""

import builtins
import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from eagerdl import config, devices, dtypes
from eagerdl.autograd import Spec, bilinear, linear
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.kernels import columns, threads
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.shape import reshape, transpose

__all__ = ["conv", "conv_transpose", "depthwise_conv", "fold", "separable_conv", "unfold"]

CPU_CHUNK = 1 << 21  # bytes that are worked on while they are still in the cache
GPU_CHUNK = 1 << 28


class Window(NamedTuple):
    """Which input elements meet which kernel elements; one entry per spatial axis, and the number of channel groups."""

    size: tuple  # of the input
    out: tuple  # of the output
    kernel: tuple
    strides: tuple
    dilation: tuple
    before: tuple  # zeros in front of the input; negative if its first elements are skipped
    groups: int = 1

    def reach(self):
        """How far the kernel of one output reaches along each axis."""
        return tuple([(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)])

    def span(self):
        """The sizes of the padded input: all that windows reach, and all of the input."""
        return tuple(
            [
                builtins.max((n - 1) * s + r, b + size)
                for n, s, r, b, size in zip(self.out, self.strides, self.reach(), self.before, self.size, strict=True)
            ]
        )

    def inner(self):
        """Where the input lies in the padded input."""
        return tuple([slice(b, b + n) for b, n in zip(self.before, self.size, strict=True)])

    def taps(self):
        """For each kernel element: its index, and the slices of the padded input that hold what it meets."""
        per_axis = [
            [slice(t * d, t * d + (n - 1) * s + 1, s) for t in builtins.range(k)]
            for n, k, s, d in zip(self.out, self.kernel, self.strides, self.dilation, strict=True)
        ]
        return [
            (tap, tuple([slices[t] for slices, t in zip(per_axis, tap, strict=True)]))
            for tap in itertools.product(*[builtins.range(k) for k in self.kernel])
        ]

    def is_plain(self):
        """True if each output is made from the input at the same place alone."""
        ones = (1,) * len(self.size)
        return self.kernel == ones and self.strides == ones and self.size == self.out and not builtins.any(self.before)


# -- on arrays ----------------------------------------------------------------------------------


def wide(*arrays):
    """The arrays in a dtype that the CPU can multiply fast: half precision is widened to float32 there."""
    return [x.astype(np.float32) if x.dtype.itemsize == 2 and isinstance(x, devices.ARRAYS) else x for x in arrays]


def padded(x, window, value=0):
    """x (n, *size, c) -> (n, *span, c), with `value` around; x itself if nothing is missing."""
    span = window.span()
    if span == window.size and not builtins.any(window.before):
        return x
    xp = devices.module_of(x)
    shape = (x.shape[0], *span, x.shape[-1])
    out = xp.full(shape, value, x.dtype) if value else xp.zeros(shape, x.dtype)
    _fill(out, x, window)
    return out


def _fill(out, x, window):
    """Writes x into the place of the input in the padded array `out`."""
    if builtins.min(window.before) < 0:
        x = x[(slice(None), *[slice(builtins.max(0, -b), None) for b in window.before])]
        places = [
            slice(builtins.max(0, b), builtins.max(0, b) + n) for b, n in zip(window.before, x.shape[1:-1], strict=True)
        ]
    else:
        places = window.inner()
    out[(slice(None), *places)] = x


def _patches(x, window):
    """x (n, *span, c) -> a view (groups, n, *out, *kernel, c / groups)."""
    shape = (window.groups, x.shape[0], *window.out, *window.kernel, x.shape[-1] // window.groups)
    return devices.module_of(x).lib.stride_tricks.as_strided(x, shape, columns.patch_strides(x, window))


def _columns(x, window):
    """Yields (a part of the output as an index, its columns (groups, outputs of the part, kernel elements * channels)).

    The columns of all outputs are larger than the input by the size of the kernel: so they are made in parts, in one buffer.
    """
    xp = devices.module_of(x)
    if xp is np:
        yield from columns.columns(x, window)
        return
    n, c, rows = x.shape[0], x.shape[-1], window.out[0]
    length = math.prod(window.kernel) * c // window.groups
    row_bytes = math.prod(window.out[1:]) * math.prod(window.kernel) * c * x.dtype.itemsize
    images = builtins.max(1, builtins.min(n, GPU_CHUNK // builtins.max(1, row_bytes * rows)))
    if row_bytes * rows > GPU_CHUNK:
        rows = builtins.max(1, GPU_CHUNK // row_bytes)
    buffer = xp.empty(images * rows * row_bytes // x.dtype.itemsize, x.dtype)
    for i in builtins.range(0, n, images):
        view = _patches(padded(x[i : i + images], window), window)
        for r in builtins.range(0, window.out[0], rows):
            block = view[:, :, r : r + rows]
            part = buffer[: block.size].reshape(block.shape)
            part[...] = block
            yield (slice(i, i + images), slice(r, r + rows)), part.reshape(window.groups, -1, length)


def _rows(x):
    """x (..., c) -> (all, c): one large matrix multiplies faster than many small ones."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _matrices(kernel, groups):
    """kernel (*k, c / groups, f) -> (groups, taps * c / groups, f / groups)."""
    filters = kernel.shape[-1]
    if groups == 1:
        return kernel.reshape(1, -1, filters)
    return kernel.reshape(-1, groups, filters // groups).transpose(1, 0, 2)


def _grouped(g, groups):
    """g (..., f) -> (groups, outputs, f / groups)."""
    if groups == 1:
        return g.reshape(1, -1, g.shape[-1])
    return g.reshape(-1, groups, g.shape[-1] // groups).transpose(1, 0, 2)


def _is_depthwise(kernel_shape, window):
    return kernel_shape[-2] == 1 and window.groups > 1


def _conv_arrays(x, kernel, window, out=None):
    """Gives a convolution, as a new array or in `out`."""
    xp, filters = devices.module_of(x), kernel.shape[-1]
    if window.is_plain() and window.groups == 1:
        return _product(_rows(x), kernel.reshape(-1, filters), out).reshape(*x.shape[:-1], filters)
    if _is_depthwise(kernel.shape, window):
        return _depthwise(x, kernel, window)
    if out is None:
        out = xp.empty((x.shape[0], *window.out, filters), x.dtype)
    if not out.size or not x.size:
        out[...] = 0
        return out
    _share_batch(lambda images: _correlate(out[images], x[images], kernel, window), out, kernel)
    return out


def _product(a, b, out):
    """a @ b, in the memory of `out` if there is one."""
    return devices.module_of(a).matmul(a, b, out=None if out is None else _rows(out))


def _correlate(out, x, kernel, window):
    """Writes a convolution to `out`, an array (n, *out, f) of any strides."""
    xp, filters = devices.module_of(x), kernel.shape[-1]
    if _is_depthwise(kernel.shape, window):
        out[...] = _depthwise(x, kernel, window)
        return
    if window.is_plain() and window.groups == 1:
        out[...] = xp.matmul(_rows(x), kernel.reshape(-1, filters)).reshape(out.shape)
        return
    matrices = _matrices(kernel, window.groups)
    for where, parts in _columns(x, window):
        part = out[where]
        if window.groups > 1:
            part[...] = xp.matmul(parts, matrices).transpose(1, 0, 2).reshape(part.shape)
        elif part.flags.c_contiguous:
            xp.matmul(parts[0], matrices[0], out=part.reshape(-1, filters))
        else:
            part[...] = xp.matmul(parts[0], matrices[0]).reshape(part.shape)


def _share_batch(share, out, kernel):
    """``share(images)`` for slices of the batch, at the same time on the CPU; gives the results in order."""
    if devices.module_of(out) is not np:
        return [share(slice(None))]
    work = 2 * out.size // out.shape[-1] * kernel.size
    return threads.each(share, threads.cut(out.shape[0], work))


def _input_grad_arrays(g, kernel, window, out=None):
    """Gives the cotangent of the input, as a new array or in `out`."""
    groups, channels, filters = window.groups, kernel.shape[-2] * window.groups, kernel.shape[-1]
    xp = devices.module_of(g)
    if window.is_plain() and groups == 1:
        return _product(_rows(g), kernel.reshape(channels, filters).T, out).reshape(*g.shape[:-1], channels)
    if _is_depthwise(kernel.shape, window):
        return _depthwise_input_grad(g, kernel, window)
    if out is None:
        out = xp.empty((g.shape[0], *window.size, channels), g.dtype)
    if not out.size or not g.size:
        out[...] = 0
        return out
    simple = builtins.all(s == 1 or d == 1 for s, d in zip(window.strides, window.dilation, strict=True))
    if simple and filters < 16 * channels:
        phases = [(places, _turned(kernel, taps, groups), phase) for taps, places, phase in _phases(window)]
        _share_batch(lambda images: _by_phases(out[images], g[images], phases), g, kernel)
    else:
        _share_batch(lambda images: _by_taps(out[images], g[images], kernel, window), g, kernel)
    return out


def _by_phases(out, g, phases):
    """The cotangent of the input as convolutions of g with turned kernels."""
    for places, turned, phase in phases:
        part = out[places]
        if turned.size:
            _correlate(part, g, turned, phase)
        else:
            part[...] = 0


@functools.lru_cache(maxsize=1024)
def _phases(window):
    """For each residue modulo strides: which kernel elements its convolution takes, where in the input it goes, its Window.

    Place ``r + s m`` of the padded input met the kernel elements ``r + s j`` alone, for outputs ``m - j``.
    """
    found = []
    for residues in itertools.product(*[builtins.range(s) for s in window.strides]):
        taps, places, sizes, before = [], [], [], []
        for r, k, s, d, b, n in zip(residues, *window[2:6], window.size, strict=True):
            count = len(builtins.range(r, k, s))
            first = -((r - b) // s)  # the smallest m whose place lies in the input
            place = r + s * first - b
            taps.append(slice(r, None, s))
            places.append(slice(place, None, s))
            sizes.append((count, len(builtins.range(place, n, s))))
            before.append((count - 1) * d - first)
        counts, outs = zip(*sizes, strict=True)
        if math.prod(outs):
            strides = (1,) * len(counts)
            phase = Window(window.out, outs, counts, strides, window.dilation, tuple(before), window.groups)
            found.append((tuple(taps), (slice(None), *places), phase))
    return found


def _turned(kernel, taps, groups):
    """The elements `taps` of the kernel (*k, c / groups, f), in reverse, as a kernel (*taps, f / groups, c)."""
    channels, filters = kernel.shape[-2:]
    part = kernel[taps][(slice(None, None, -1),) * len(taps)]
    counts = part.shape[:-2]
    turned = part.reshape(*counts, channels, groups, filters // groups).swapaxes(-1, -3)
    return turned.reshape(*counts, filters // groups, groups * channels)


def _by_taps(out, g, kernel, window):
    """The cotangent of the input: each tap's share is added where the tap came from."""
    xp, groups = devices.module_of(g), window.groups
    matrices = _matrices(kernel, groups).swapaxes(-1, -2)
    limit = CPU_CHUNK if xp is np else GPU_CHUNK
    images = builtins.max(
        1, limit // (math.prod(window.out) * math.prod(window.kernel) * out.shape[-1] * g.dtype.itemsize)
    )
    inside = (slice(None), *window.inner())
    for i in builtins.range(0, g.shape[0], images):
        part = g[i : i + images]
        shares = xp.matmul(_grouped(part, groups), matrices)
        shares = shares.reshape(groups, part.shape[0], *window.out, *window.kernel, -1)
        space = xp.zeros((part.shape[0], *window.span(), groups, shares.shape[-1]), g.dtype)
        for tap, places in window.taps():
            share = shares[(..., *tap, slice(None))]
            space[(slice(None), *places)] += xp.moveaxis(share, 0, -2)
        out[i : i + images] = space.reshape(*space.shape[:-2], -1)[inside]


def _kernel_grad_arrays(x, g, window):
    xp, groups = devices.module_of(x), window.groups
    channels, filters = x.shape[-1] // groups, g.shape[-1]
    shape = (*window.kernel, channels, filters)
    if channels == 1 and groups > 1:
        return _depthwise_kernel_grad(x, g, window)
    if not x.size or not g.size:
        return xp.zeros(shape, x.dtype)
    if window.is_plain() and groups == 1:
        return xp.matmul(_rows(x).T, _rows(g)).reshape(shape)

    def share(images):
        total = None
        mine = g[images]
        for where, parts in _columns(x[images], window):
            part = xp.matmul(parts.swapaxes(-1, -2), _grouped(mine[where], groups))
            total = part if total is None else xp.add(total, part, out=total)
        return total

    total, *others = _share_batch(share, g, np.broadcast_to(0, shape))
    for other in others:
        total += other
    return total.transpose(1, 0, 2).reshape(shape)


def _parts(x):
    """Slices of the batch x (n, ...) that are small enough for the cache, with three more arrays of their size."""
    limit = CPU_CHUNK if devices.module_of(x) is np else GPU_CHUNK
    images = builtins.max(1, limit // builtins.max(1, 4 * math.prod(x.shape[1:]) * x.dtype.itemsize))
    return [slice(i, i + images) for i in builtins.range(0, x.shape[0], images)]


def _repeated(x, kernel_filters, window):
    """x with each channel as often as it is filtered."""
    times = kernel_filters // window.groups
    return x if times == 1 else x.repeat(times, -1)


def _depthwise(x, kernel, window):
    """Each channel with its own kernels: taps are scaled and added, since there is nothing to contract."""
    xp = devices.module_of(x)
    x = _repeated(x, kernel.shape[-1], window)
    out = xp.zeros((x.shape[0], *window.out, x.shape[-1]), x.dtype)
    # A row of weights as long as a row of the output lets both be walked through in one long inner loop.
    rows = xp.broadcast_to(kernel, (*window.kernel, window.out[-1], kernel.shape[-1])).copy()
    for images in _parts(x):
        part, y = padded(x[images], window), out[images]
        share = xp.empty(y.shape, y.dtype)
        for tap, places in window.taps():
            xp.multiply(part[(slice(None), *places)], rows[tap], out=share)
            y += share
    return out


def _depthwise_input_grad(g, kernel, window):
    xp, filters = devices.module_of(g), kernel.shape[-1]
    space = xp.zeros((g.shape[0], *window.span(), filters), g.dtype)
    rows = xp.broadcast_to(kernel, (*window.kernel, window.out[-1], filters)).copy()
    for images in _parts(space):
        part, y = space[images], g[images]
        share = xp.empty(y.shape, y.dtype)
        for tap, places in window.taps():
            part[(slice(None), *places)] += xp.multiply(y, rows[tap], out=share)
    out, times = space[(slice(None), *window.inner())], filters // window.groups
    return out if times == 1 else out.reshape(*out.shape[:-1], window.groups, times).sum(-1)


def _depthwise_kernel_grad(x, g, window):
    xp, filters = devices.module_of(x), g.shape[-1]
    x = _repeated(x, filters, window)
    out = xp.zeros((*window.kernel, 1, filters), x.dtype)
    for images in _parts(x):
        part, y = padded(x[images], window), g[images]
        share, ones = xp.empty(y.shape, y.dtype), xp.ones(y.size // filters, y.dtype)
        for tap, places in window.taps():
            xp.multiply(part[(slice(None), *places)], y, out=share)
            out[tap][0] += ones @ share.reshape(-1, filters)
    return out


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
    return _written(_conv_arrays, (x, kernel), window, out)


@bilinear(left=lambda g, kernel, window: _conv(g, _bar(kernel), window),
          right=lambda g, y, window: _conv_kernel_grad(g, _bar(y), window),
          infer=lambda y, kernel, window: Spec((y.shape[0], *window.size, kernel.shape[-2] * window.groups), y.dtype),
          promote=dtypes.to_floating)  # fmt: skip
def _conv_input_grad(y, kernel, window, *, out=None):
    """y (n, *out, f), kernel (*k, c / groups, f) -> (n, *size, c)."""
    return _written(_input_grad_arrays, (y, kernel), window, out)


@bilinear(left=lambda g, y, window: _conv_input_grad(_bar(y), g, window),
          right=lambda g, x, window: _conv(_bar(x), g, window),
          infer=lambda x, y, window: Spec((*window.kernel, x.shape[-1] // window.groups, y.shape[-1]), x.dtype),
          promote=dtypes.to_floating)  # fmt: skip
def _conv_kernel_grad(x, y, window):
    """x (n, *size, c), y (n, *out, f) -> (*k, c / groups, f)."""
    return _result(_kernel_grad_arrays(*wide(x, y), window), x)


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


# -- sliding blocks -----------------------------------------------------------------------------


@linear(
    transpose=lambda g, window: _fold(g, window),
    infer=lambda x, window: Spec((*x.shape[:1], x.shape[1] * math.prod(window.kernel), math.prod(window.out)), x.dtype),
)
def _unfold(x, window):
    """x (n, c, *size) -> (n, c * kernel elements, outputs)."""
    n, c = x.shape[:2]
    space = padded(x.transpose(0, *builtins.range(2, x.ndim), 1), window)
    view = _patches(space, window)[0]
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
    return _result(space[(slice(None), slice(None), *window.inner())], x)


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
