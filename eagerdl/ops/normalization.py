"""Normalization by statistics: of batches, of the features of one example, by the root mean square.

Layer and RMS normalization are one primitive with one fused gradient: both walk through a few rows at a time, which
stay in the cache from the first pass to the last.
"""

import builtins
import math

import numpy as np

from eagerdl import config, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.kernels import threads
from eagerdl.ops.arithmetic import square
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.reduction import mean as mean_of
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import broadcast_to, normalize_axes, normalize_axis, reshape, transpose

__all__ = ["batch_normalization", "layer_normalization", "rms_normalization"]

CHUNK = 1 << 16  # bytes of rows that are worked on at once


def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """x (..., c, ...), mean, variance, offset, scale (c,) -> (..., c, ...). Normalized by given statistics.

    It is ``scale * (x - mean) / sqrt(variance + epsilon) + offset``.

    Args:
        x: a tensor.
        mean, variance: the statistics, one of each per channel.
        axis: the axis of the channels.
        offset, scale: what the normalized values are shifted and multiplied by, one per channel, or None.
        epsilon: keeps the root away from 0.

    Raises:
        ShapeError: if a statistic is not one number per channel.

    Example:
        >>> edl.batch_normalization([[1.0], [3.0]], mean=[2.0], variance=[1.0], axis=-1, epsilon=0.0)
        Tensor(shape=(2, 1), dtype=float32,
        [[-1.]
         [ 1.]])

    Source: Ioffe & Szegedy, 2015, arXiv:1502.03167.
    """
    x = _floating(x)
    axis = normalize_axis("batch_normalization", axis, x.ndim)
    per_channel = (1,) * axis + (x.shape[axis],) + (1,) * (x.ndim - axis - 1)

    def channels(name, value):
        if value is None:
            return None
        value = convert_to_tensor(value)
        if math.prod(value.shape) != x.shape[axis]:
            raise ShapeError(
                "batch_normalization",
                f"{name} must hold one number for each of the {x.shape[axis]} channels",
                f"{name} {value.shape}, x {x.shape}, axis={axis}",
                "check the axis",
            )
        return value if value.shape == per_channel[axis:] else reshape(value, per_channel)

    mean, variance = channels("mean", mean), channels("variance", variance)
    scale, offset = channels("scale", scale), channels("offset", offset)
    factor = 1 / sqrt(variance + epsilon) if scale is None else scale / sqrt(variance + epsilon)
    shift = -mean * factor if offset is None else offset - mean * factor
    return x * factor + shift


# -- rows ---------------------------------------------------------------------------------------


def _chunks(rows):
    """Slices of the matrix `rows` that fit into the cache; on a GPU and in a trace one of all rows."""
    count, length = rows.shape
    if not isinstance(rows, np.ndarray) or count * length * 4 <= CHUNK:
        return [slice(None)]
    step = builtins.max(1, CHUNK // (length * 4))
    return [slice(i, i + step) for i in builtins.range(0, count, step)]


def _in_chunks(work, arrays, kinds):
    """``work(*arrays)``, matrices of as many rows as those given, as the dtypes `kinds`; computed chunk by chunk."""
    chunks = _chunks(arrays[0])
    if len(chunks) == 1:
        return [one.astype(kind, copy=False) for one, kind in zip(work(*arrays), kinds, strict=True)]
    outs = [np.empty(arrays[0].shape, kind) for kind in kinds]

    def share(chunk):
        for out, part in zip(outs, work(*[one[chunk] for one in arrays]), strict=True):
            out[chunk] = part

    threads.each(share, chunks)
    return outs


def _work_dtype(dtype):
    """Half precision is computed in float32."""
    return dtypes.float32 if dtype.itemsize == 2 else dtype


def _row_sums(x):
    """x (m, d) -> (m, 1)."""
    return np.add.reduce(x, -1, None, None, True)


def _standardized(x, center, epsilon):
    """x (m, d) -> a new array (m, d) of rows with mean 0 (if `center`) and mean square 1, and the factors (m, 1)."""
    d = x.shape[-1]
    out = x - _row_sums(x) / d if center else x.copy()
    factor = _row_sums(np.square(out))
    factor /= d
    factor += epsilon
    np.sqrt(factor, out=factor)
    np.reciprocal(factor, out=factor)
    out *= factor
    return out, factor


def _rows_of(xs, axes):
    """The tensors [x, scale?, offset?] as matrices in the dtype of the work."""
    x, dtype = xs[0], _work_dtype(xs[0].dtype)
    length = math.prod(x.shape[x.ndim - axes :])
    rows = x.reshape(x.size // length if length else 0, length)
    return rows, [one.reshape(-1).astype(dtype, copy=False) for one in xs[1:]], dtype


def _standardize_in_ops(x, axes, center, epsilon):
    """x (..., d) -> x standardized and the factors, as `_standardized`, in ops."""
    over = tuple(builtins.range(x.ndim - axes, x.ndim))
    if center:
        x = x - mean_of(x, over, True)
    factor = 1 / sqrt(mean_of(square(x), over, True) + epsilon)
    return x * factor, factor


def _project(v, standard, factor, axes, center):
    """What standardizing does to a small change v of x: its derivative, which is symmetric."""
    over = tuple(builtins.range(v.ndim - axes, v.ndim))
    out = v - standard * mean_of(v * standard, over, True)
    return factor * (out - mean_of(v, over, True) if center else out)


def _scaled(xs, flags):
    scale = cast(xs[1], _work_dtype(xs[0].dtype)) if flags[0] else 1
    return cast(xs[0], _work_dtype(xs[0].dtype)), scale


def _normalize_rows_vjp(g, xs, flags, axes, center, epsilon):
    given = [xs[0], *xs[1:2]] if flags[0] else [xs[0]]
    return list(_normalize_rows_grad([g, *given], flags, axes, center, epsilon, xs[-1].dtype))


def _normalize_rows_jvp(out, inputs, tangents, params):
    flags, axes, center, epsilon = params
    x, scale = _scaled(inputs, flags)
    standard, factor = _standardize_in_ops(x, axes, center, epsilon)
    terms = []
    if tangents[0] is not None:
        terms.append(_project(cast(tangents[0], x.dtype), standard, factor, axes, center) * scale)
    if flags[0] and tangents[1] is not None:
        terms.append(standard * tangents[1])
    if flags[1] and tangents[-1] is not None:
        terms.append(broadcast_to(tangents[-1], x.shape))
    return cast(builtins.sum(terms[1:], terms[0]), out.dtype)


@custom(vjp=_normalize_rows_vjp, jvp=_normalize_rows_jvp, variadic=True, heavy=True,
        infer=lambda xs, flags, axes, center, epsilon: Spec(xs[0].shape, xs[0].dtype))  # fmt: skip
def _normalize_rows(xs, flags, axes, center, epsilon):
    """xs: x (..., *d), scale (*d) if flags[0], offset (*d) if flags[1] -> x standardized over its last `axes` axes."""
    rows, affine, dtype = _rows_of(xs, axes)

    def normalized(part):
        y, _ = _standardized(part.astype(dtype, copy=False), center, epsilon)
        if flags[0]:
            y *= affine[0]
        if flags[1]:
            y += affine[-1]
        return (y,)

    return _in_chunks(normalized, [rows], [xs[0].dtype])[0].reshape(xs[0].shape)


def _grad_vjp(g, xs, flags, axes, center, epsilon, offset_dtype):
    """The transposed derivative of `_normalize_rows_grad`.

    With P what `_project` does at x, s the standardized x, r the factors and v = g * scale it computes P(v), the sum
    of g * s and the sum of g. The derivative of <a, P(v)> for x is
    -r s mean(a P(v)) - r (mean(v s) P(a) + mean(a s) P(v)).
    """
    of_x, of_scale, of_offset = g[0], g[1] if flags[0] else None, g[-1] if flags[1] else None
    given = xs[1:]
    x, scale = _scaled(given, flags)
    y = cast(xs[0], x.dtype)
    over = tuple(builtins.range(x.ndim - axes, x.ndim))
    standard, factor = _standardize_in_ops(x, axes, center, epsilon)
    to_y = to_x = to_scale = None
    if of_x is not None:
        a, v = cast(of_x, x.dtype), y * scale
        pa, pv = _project(a, standard, factor, axes, center), _project(v, standard, factor, axes, center)
        to_y = pa * scale
        to_x = -factor * (
            standard * mean_of(a * pv, over, True)
            + mean_of(v * standard, over, True) * pa
            + mean_of(a * standard, over, True) * pv
        )
        if flags[0]:
            to_scale = sum(y * pa, tuple(builtins.range(x.ndim - axes)))
    if of_scale is not None:
        b = cast(of_scale, x.dtype)
        to_y = b * standard if to_y is None else to_y + b * standard
        term = _project(b * y, standard, factor, axes, center)
        to_x = term if to_x is None else to_x + term
    if of_offset is not None:
        c = cast(of_offset, x.dtype)
        to_y = broadcast_to(c, y.shape) if to_y is None else to_y + c
    found = [to_y, to_x, to_scale] if flags[0] else [to_y, to_x]
    return [None if one is None else cast(one, like.dtype) for one, like in zip(found, xs, strict=True)]


def _grad_specs(xs, flags, axes, center, epsilon, offset_dtype):
    inner = xs[1].shape[xs[1].ndim - axes :]
    specs = [Spec(xs[1].shape, xs[1].dtype)]
    if flags[0]:
        specs.append(Spec(inner, xs[2].dtype))
    if flags[1]:
        specs.append(Spec(inner, offset_dtype))
    return tuple(specs)


@custom(vjp=_grad_vjp, infer=_grad_specs, several=True, variadic=True, heavy=True)
def _normalize_rows_grad(xs, flags, axes, center, epsilon, offset_dtype):
    """xs: g, x (..., *d), scale (*d) if flags[0] -> the cotangents of x, of scale and of offset as far as flagged."""
    g, x = xs[:2]
    rows, affine, dtype = _rows_of(xs[1:], axes)
    cotangents, length = g.reshape(rows.shape), rows.shape[-1]

    def pulled(part, y):
        """The cotangents of x, and what adds up to that of scale."""
        standard, factor = _standardized(part.astype(dtype, copy=False), center, epsilon)
        y = y.astype(dtype, copy=False)
        v = y * affine[0] if flags[0] else y.copy()
        along = _row_sums(v * standard) / length
        if center:
            v -= _row_sums(v) / length
        v -= standard * along
        v *= factor
        return (v, y * standard) if flags[0] else (v,)

    of_x, *products = _in_chunks(pulled, [rows, cotangents], [x.dtype, dtype][: 1 + flags[0]])
    results, inner = [of_x.reshape(x.shape)], x.shape[x.ndim - axes :]
    if flags[0]:
        results.append(np.add.reduce(products[0], 0).reshape(inner).astype(xs[2].dtype, copy=False))
    if flags[1]:
        of_offset = np.add.reduce(cotangents.astype(dtype, copy=False), 0)
        results.append(of_offset.reshape(inner).astype(offset_dtype, copy=False))
    return tuple(results)


# -- public -------------------------------------------------------------------------------------


def _floating(x):
    x = convert_to_tensor(x)
    return x if dtypes.is_floating(x.dtype) else cast(x, dtypes.floatx())


def _normalized(where, x, scale, offset, axis, epsilon, center):
    x = _floating(x)
    axes = tuple(sorted(normalize_axes(where, axis, x.ndim)))
    if not axes:
        raise ArgumentError(where, "at least one axis is needed", f"got axis={axis!r} for x {x.shape}", "use axis=-1")
    epsilon = config.epsilon() if epsilon is None else epsilon
    inner = tuple([x.shape[i] for i in axes])
    xs, flags = [x], (scale is not None, offset is not None)
    if scale is not None:
        xs.append(_affine(where, "gamma" if center else "scale", scale, x, axis, inner))
    if offset is not None:
        xs.append(_affine(where, "beta", offset, x, axis, inner))
    if axes == tuple(builtins.range(x.ndim - len(axes), x.ndim)):
        return _normalize_rows(xs, flags, len(axes), center, epsilon)
    order = (*[i for i in builtins.range(x.ndim) if i not in axes], *axes)
    xs[0] = transpose(x, order)
    return transpose(_normalize_rows(xs, flags, len(axes), center, epsilon), tuple(int(i) for i in np.argsort(order)))


def _affine(where, name, value, x, axis, inner):
    """The factors or summands `value` with the shape `inner` of the axes of x that are normalized, in a floating dtype."""
    value = convert_to_tensor(value)
    if value.shape != inner:
        if value.size == 1 and math.prod(inner) != 1:
            value = reshape(value, ()).broadcast_to(inner)
        if math.prod(value.shape) != math.prod(inner):
            raise ShapeError(
                where,
                f"{name} must have the sizes of the normalized axes, {inner}",
                f"{name} {value.shape}, x {x.shape}, axis={axis!r}",
                "check the axis",
            )
        value = reshape(value, inner)
    return value if dtypes.is_floating(value.dtype) else cast(value, x.dtype)


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    """x (..., *d), gamma, beta (*d) -> (..., *d). Each example with mean 0 and variance 1, then scaled and shifted.

    It is ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    Args:
        x: a tensor; half precision is computed in float32.
        gamma, beta: what the normalized values are multiplied by and shifted by, with the sizes of `axis`, or None.
        axis: over which mean and variance are taken, one or several.
        epsilon: keeps the root away from 0; ``edl.config.epsilon()`` by default.

    Raises:
        ShapeError: if gamma or beta have other sizes.
        ArgumentError: for arguments that do not exist.

    Example:
        >>> edl.layer_normalization([1.0, 2.0, 3.0])
        Tensor(shape=(3,), dtype=float32, [-1.2247448  0.         1.2247448])

    Source: Ba, Kiros & Hinton, 2016, arXiv:1607.06450.
    """
    if kwargs.pop("rms_scaling", False):
        raise ArgumentError("layer_normalization", "rms_scaling is no longer an argument of it", "got rms_scaling=True",
                            "use edl.rms_normalization")  # fmt: skip
    if kwargs:
        raise ArgumentError(
            "layer_normalization",
            "the arguments are x, gamma, beta, axis, epsilon",
            f"got {', '.join(kwargs)}",
            "see help(edl.layer_normalization)",
        )
    return _normalized("layer_normalization", x, gamma, beta, axis, epsilon, True)


def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """x (..., *d), scale (*d) -> (..., *d). ``scale * x / sqrt(mean of squares + epsilon)`` of each example.

    Args:
        x: a tensor; half precision is computed in float32.
        scale: what the normalized values are multiplied by, with the sizes of `axis`, or None.
        axis: over which the mean is taken, one or several.
        epsilon: keeps the root away from 0; ``edl.config.epsilon()`` by default.

    Raises:
        ShapeError: if scale has other sizes.

    Example:
        >>> edl.rms_normalization([3.0, 4.0])
        Tensor(shape=(2,), dtype=float32, [0.84852815 1.1313709 ])

    Source: Zhang & Sennrich, 2019, arXiv:1910.07467.
    """
    return _normalized("rms_normalization", x, scale, None, axis, epsilon, False)
