"""Softmax and its family: functions of all elements along an axis."""

import math

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.ops.activation import above
from eagerdl.ops.arithmetic import where
from eagerdl.ops.elementary import exp, on_reals
from eagerdl.ops.reduction import numpy_axis, reduced_shape, restore, sum
from eagerdl.ops.shape import normalize_axes, normalize_axis

__all__ = ["log_softmax", "logsumexp", "softmax", "sparsemax"]


def along_axis(forward):
    """A forward over an axis, made fit for arrays of any real floating dtype; a number has no axis."""
    on_arrays = on_reals(forward)

    def call(x, axis, *params):
        if not x.ndim:
            normalize_axes(forward.__name__.strip("_"), axis, 0)
        return on_arrays(x, numpy_axis(axis), *params)

    return call


def _same_shape(where):
    def infer(x, axis):
        normalize_axes(where, axis, x.ndim)
        return Spec(x.shape, x.dtype)

    return infer


def largest(x, axis):
    """The largest elements along `axis`, kept with size 1; 0 where there are none."""
    if not x.size:
        return total(x, axis)
    return np.maximum.reduce(x, axis, None, None, True) if x.__class__ is np.ndarray else x.max(axis, None, True)


def total(x, axis):
    """The sum along `axis`, kept with size 1."""
    return np.add.reduce(x, axis, None, None, True)


@along_axis
def _softmax(x, axis):
    out = x - largest(x, axis)
    np.exp(out, out=out)
    out /= total(out, axis)
    return out


@along_axis
def _forward_softmax_pull(grad, axis, p):
    out = grad * p
    out -= p * total(out, axis)
    return out


def _softmax_pull_by_p(g, grad, p, axis):
    """The cotangent of p in p * (grad - sum(grad * p)), for the cotangent `g` of the whole."""
    return g * (grad - sum(grad * p, axis, True)) - grad * sum(g * p, axis, True)


@custom(vjp=(lambda g, p, axis: softmax_pull(g, p, axis), _softmax_pull_by_p), tensors=2,
        infer=lambda grad, p, axis: Spec(p.shape, p.dtype), promote=dtypes.to_common)  # fmt: skip
def softmax_pull(grad, p, axis):
    """grad (...), p (...) -> (...). The cotangent of the input of softmax, from that of its result p."""
    return _forward_softmax_pull(grad, axis, p)


@custom(vjp=lambda g, out, axis: softmax_pull(g, out, axis), infer=_same_shape("softmax"), promote=dtypes.to_floating)
def softmax(x, axis=-1):
    """x (...) -> (...) in [0, 1], with sum 1 along the axis. exp(x) / sum(exp(x)), without overflow.

    Elements that are -inf, as masks make them, come out as 0 and get no gradient. Where all are -inf the result is NaN.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, or several that are normalised together; None for all.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.softmax([1000.0, 1000.0, -np.inf])
        Tensor(shape=(3,), dtype=float32, [0.5 0.5 0. ])
    """
    return _softmax(x, axis)


@along_axis
def _log_softmax(x, axis):
    out = x - largest(x, axis)
    shares = total(np.exp(out), axis)
    out -= np.log(shares, out=shares)
    return out


@custom(vjp=lambda g, out, axis: g - exp(out) * sum(g, axis, True),
        infer=_same_shape("log_softmax"), promote=dtypes.to_floating)  # fmt: skip
def log_softmax(x, axis=-1):
    """x (...) -> (...) below 0. The logarithm of softmax: x - logsumexp(x), without overflow.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, or several that are normalised together; None for all.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.log_softmax([1000.0, 0.0])
        Tensor(shape=(2,), dtype=float32, [    0. -1000.])
    """
    return _log_softmax(x, axis)


@along_axis
def _logsumexp(x, axis, keepdims):
    peak = largest(x, axis)
    peak = np.where(np.isfinite(peak), peak, peak.dtype.type(0))
    rest = x - peak
    out = total(np.exp(rest, out=rest), axis)
    np.log(out, out=out)
    out += peak
    return out if keepdims else out.squeeze(axis)


def _logsumexp_vjp(g, out, x, axis):
    """The softmax of x, times g; 0 where all elements are -inf."""
    out = where(out == -math.inf, 0, out)
    return restore(g, x, axis) * exp(x - restore(out, x, axis))


@custom(vjp=_logsumexp_vjp, promote=dtypes.to_floating,
        infer=lambda x, axis, keepdims: Spec(reduced_shape("logsumexp", x, axis, keepdims), x.dtype))  # fmt: skip
def logsumexp(x, axis=None, keepdims=False):
    """x (...) -> (...) without `axis`. log(sum(exp(x))), without overflow; -inf where there is nothing to sum.

    Args:
        x: a tensor; integers become floatx.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay, with size 1.

    Raises:
        ShapeError: if an axis does not exist or comes twice.

    Example:
        >>> edl.logsumexp([1000.0, -np.inf])
        Tensor(shape=(), dtype=float32, 1000.)
    """
    return _logsumexp(x, axis, keepdims)


@along_axis
def _sparsemax(x, axis):
    axis = axis.__index__()  # one axis only: None and tuples have no index, and the shape rule says so
    if not x.size:
        return x.copy()
    shifted = x - largest(x, axis)
    ordered = np.flip(np.sort(shifted, axis), axis)
    sums = np.cumsum(ordered, axis)
    ranks = np.cumsum(np.ones_like(ordered), axis)
    supported = total((ordered * ranks > sums - 1).astype(np.intp), axis)
    threshold = (np.take_along_axis(sums, supported - 1, axis) - 1) / supported.astype(x.dtype)
    shifted -= threshold
    return np.maximum(shifted, 0, out=shifted)


def _sparsemax_vjp(g, out, axis):
    support = above(out, 0)
    return support * (g - sum(support * g, axis, True) / sum(support, axis, True))


def _sparsemax_spec(x, axis):
    normalize_axis("sparsemax", axis, x.ndim)
    return Spec(x.shape, x.dtype)


@custom(vjp=_sparsemax_vjp, infer=_sparsemax_spec, promote=dtypes.to_floating)
def sparsemax(x, axis=-1):
    """x (...) -> (...) in [0, 1], with sum 1 along the axis. The nearest such point: many elements are 0.

    A. F. T. Martins, R. F. Astudillo, 2016, arXiv:1602.02068 (algorithm 1; its Jacobian is equation 8).

    Raises:
        ShapeError: if the axis does not exist.

    Example:
        >>> edl.sparsemax([1.0, 1.5, -1.0])
        Tensor(shape=(3,), dtype=float32, [0.25 0.75 0.  ])
    """
    return _sparsemax(x, axis)
