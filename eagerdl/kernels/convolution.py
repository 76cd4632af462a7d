"""Convolutions and their two gradients on raw arrays: products with columns, tile by tile; taps where channels stay apart."""

import functools
import itertools
import math

import numpy as np

from eagerdl import devices
from eagerdl.kernels import columns, threads
from eagerdl.kernels.windows import Window, padded, patches

CPU_CHUNK = 1 << 21  # bytes that are worked on while they are still in the cache
GPU_CHUNK = 1 << 28


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
    images = max(1, min(n, GPU_CHUNK // max(1, row_bytes * rows)))
    if row_bytes * rows > GPU_CHUNK:
        rows = max(1, GPU_CHUNK // row_bytes)
    buffer = xp.empty(images * rows * row_bytes // x.dtype.itemsize, x.dtype)
    for i in range(0, n, images):
        view = patches(padded(x[i : i + images], window), window)
        for r in range(0, window.out[0], rows):
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


def forward(x, kernel, window, out=None):
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


def input_gradient(g, kernel, window, out=None):
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
    simple = all(s == 1 or d == 1 for s, d in zip(window.strides, window.dilation, strict=True))
    if simple and filters < 16 * channels:
        phases = [(places, turned(kernel, taps, groups), phase) for taps, places, phase in phases_of(window)]
        _share_batch(lambda images: _by_phases(out[images], g[images], phases), g, kernel)
    else:
        _share_batch(lambda images: _by_taps(out[images], g[images], kernel, window), g, kernel)
    return out


def _by_phases(out, g, phases):
    """The cotangent of the input as convolutions of g with turned kernels."""
    for places, kernel, phase in phases:
        part = out[places]
        if kernel.size:
            _correlate(part, g, kernel, phase)
        else:
            part[...] = 0


@functools.lru_cache(maxsize=1024)
def phases_of(window):
    """For each residue modulo strides: which kernel elements its convolution takes, where in the input it goes, its Window.

    Place ``r + s m`` of the padded input met the kernel elements ``r + s j`` alone, for outputs ``m - j``.
    """
    found = []
    for residues in itertools.product(*[range(s) for s in window.strides]):
        taps, places, sizes, before = [], [], [], []
        for r, k, s, d, b, n in zip(residues, *window[2:6], window.size, strict=True):
            count = len(range(r, k, s))
            first = -((r - b) // s)  # the smallest m whose place lies in the input
            place = r + s * first - b
            taps.append(slice(r, None, s))
            places.append(slice(place, None, s))
            sizes.append((count, len(range(place, n, s))))
            before.append((count - 1) * d - first)
        counts, outs = zip(*sizes, strict=True)
        if math.prod(outs):
            strides = (1,) * len(counts)
            phase = Window(window.out, outs, counts, strides, window.dilation, tuple(before), window.groups)
            found.append((tuple(taps), (slice(None), *places), phase))
    return found


def turned(kernel, taps, groups):
    """The elements `taps` of the kernel (*k, c / groups, f), in reverse, as a kernel (*taps, f / groups, c)."""
    channels, filters = kernel.shape[-2:]
    part = kernel[taps][(slice(None, None, -1),) * len(taps)]
    counts = part.shape[:-2]
    swapped = part.reshape(*counts, channels, groups, filters // groups).swapaxes(-1, -3)
    return swapped.reshape(*counts, filters // groups, groups * channels)


def _by_taps(out, g, kernel, window):
    """The cotangent of the input: each tap's share is added where the tap came from."""
    xp, groups = devices.module_of(g), window.groups
    matrices = _matrices(kernel, groups).swapaxes(-1, -2)
    limit = CPU_CHUNK if xp is np else GPU_CHUNK
    images = max(1, limit // (math.prod(window.out) * math.prod(window.kernel) * out.shape[-1] * g.dtype.itemsize))
    inside = (slice(None), *window.inner())
    for i in range(0, g.shape[0], images):
        part = g[i : i + images]
        shares = xp.matmul(_grouped(part, groups), matrices)
        shares = shares.reshape(groups, part.shape[0], *window.out, *window.kernel, -1)
        space = xp.zeros((part.shape[0], *window.span(), groups, shares.shape[-1]), g.dtype)
        for tap, places in window.taps():
            share = shares[(..., *tap, slice(None))]
            space[(slice(None), *places)] += xp.moveaxis(share, 0, -2)
        out[i : i + images] = space.reshape(*space.shape[:-2], -1)[inside]


def kernel_gradient(x, g, window):
    """Gives the cotangent of the kernel."""
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
    images = max(1, limit // max(1, 4 * math.prod(x.shape[1:]) * x.dtype.itemsize))
    return [slice(i, i + images) for i in range(0, x.shape[0], images)]


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
