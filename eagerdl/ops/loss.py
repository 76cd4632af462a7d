"""Losses: the cross-entropies, from logits and from probabilities, and the signal-to-noise ratio.

From logits they are ops of their own, whose derivative is "softmax minus target". Nothing broadcasts silently: targets
have the shape that the outputs ask for, or there is a ShapeError.
"""

import functools
import math

import numpy as np

from eagerdl import config, devices, dtypes
from eagerdl.autograd import Spec, bilinear, custom, elementwise
from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError
from eagerdl.ops.activation import inside, sigmoid
from eagerdl.ops.arithmetic import maximum, negative, square, subtract
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.elementary import log10, on_reals
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.shape import expand_dims, normalize_axis, squeeze
from eagerdl.ops.softmaxes import largest, log_softmax, softmax, softmax_pull, total

__all__ = ["binary_crossentropy", "categorical_crossentropy", "psnr", "sparse_categorical_crossentropy"]


def on_real_pairs(where):
    """Makes a forward of two arrays fit for any real floating dtype, as `on_reals` does for one array."""

    def decorate(forward):
        @functools.wraps(forward)
        def call(a, b, *params):
            dtype = b.dtype
            if not dtypes.is_floating(dtype):
                raise DTypeError(where, "real tensors are needed", f"they have dtype {dtype}", "use edl.real")
            if dtype.itemsize == 2:
                return call(a.astype(dtypes.float32), b.astype(dtypes.float32), *params).astype(dtype)
            return forward(a, b, *params) if b.ndim else forward(a.reshape(1), b.reshape(1), *params).reshape(())

        return call

    return decorate


def _same_shapes(where, names, a, b):
    """Both arguments as tensors, if their shapes are equal."""
    a, b = convert_to_tensor(a), convert_to_tensor(b)
    if a.shape != b.shape:
        raise ShapeError(where, f"{names[0]} and {names[1]} must have the same shape",
                         f"{names[0]} {a.shape}, {names[1]} {b.shape}", _hint(names, a.shape, b.shape))  # fmt: skip
    return a, b


def _hint(names, a, b):
    """What to do about two shapes that differ."""
    if a + (1,) == b:
        return f"add the last axis with edl.expand_dims({names[0]}, -1)"
    if b + (1,) == a:
        return f"drop the last axis with edl.squeeze({names[0]}, -1)"
    if names[0] == "target" and a == b[:-1]:
        return "class numbers go to sparse_categorical_crossentropy, or first through edl.one_hot"
    return "reshape one of them"


def _like_output(kinds):
    """Targets take the floating dtype of the outputs."""
    return (dtypes.to_floating(kinds[1:])[0],) * 2


def _refuse_nan(where, target):
    """Says which label is NaN, if one is."""
    bad = np.argwhere(np.isnan(target))
    if len(bad):
        raise ArgumentError(
            where, "targets must be numbers", f"target{bad[0].tolist()} is nan", "clean the labels first"
        )


def _has_nan(x):
    """Whether an array on the CPU has a NaN; a GPU is not asked, because the answer would have to be waited for."""
    return devices.module_of(x) is np and x.size and np.isnan(x.min())


@on_reals
def _log_of_probabilities(x, epsilon):
    out = x.clip(epsilon, 1 - epsilon)
    return np.log(out, out=out)


@elementwise(_log_of_probabilities, tensors=1, promote=dtypes.to_floating,
             d=lambda x, epsilon: inside(x, epsilon, 1 - epsilon) / maximum(x, epsilon))  # fmt: skip
def _clipped_log(x, epsilon):
    """x (...) -> (...). log(clip(x, epsilon, 1 - epsilon)), for probabilities."""
    return math.log(min(max(x, epsilon), 1 - epsilon))


# -- two classes ----------------------------------------------------------------------------------


@on_real_pairs("binary_crossentropy")
def _forward_binary(target, output):
    loss = np.absolute(output)
    np.negative(loss, out=loss)
    np.exp(loss, out=loss)
    np.log1p(loss, out=loss)
    # The terms that cancel come first, so that the loss of a sure and right answer is not the rounding of its logit.
    rest = np.maximum(output, 0)
    rest -= output * target
    loss += rest
    if _has_nan(loss):
        _refuse_nan("binary_crossentropy", target)
    return loss


@elementwise(
    _forward_binary, d=(lambda output: -output, lambda target, output: sigmoid(output) - target), promote=_like_output
)
def _binary_crossentropy_from_logits(target, output):
    """target (...), output (...) logits -> (...)."""
    return (output if output > 0 else 0.0) - output * target + math.log1p(math.exp(-abs(output)))


@on_real_pairs("binary_crossentropy")
def _forward_binary_from_probabilities(target, output, epsilon):
    loss = output.clip(epsilon, 1 - epsilon)
    other = 1 - loss
    np.log(loss, out=loss)
    np.log(other, out=other)
    loss *= target
    other *= 1 - target
    loss += other
    np.negative(loss, out=loss)
    if _has_nan(loss):
        _refuse_nan("binary_crossentropy", target)
    return loss


def _binary_by_target(output, epsilon):
    return _clipped_log(1 - output, epsilon) - _clipped_log(output, epsilon)


def _binary_by_output(target, output, epsilon):
    """(p - target) / (p (1 - p)), and 0 where p is clipped."""
    below = maximum(output, epsilon) * maximum(1 - output, epsilon)
    return inside(output, epsilon, 1 - epsilon) * (output - target) / below


@elementwise(
    _forward_binary_from_probabilities, d=(_binary_by_target, _binary_by_output), promote=_like_output, tensors=2
)
def _binary_crossentropy_from_probabilities(target, output, epsilon):
    """target (...), output (...) probabilities -> (...)."""
    p = min(max(output, epsilon), 1 - epsilon)
    return -(target * math.log(p) + (1 - target) * math.log(1 - p))


def binary_crossentropy(target, output, from_logits=False):
    """target (...), output (...) -> (...). -target log(p) - (1 - target) log(1 - p), elementwise.

    Args:
        target: labels, 0 or 1 or probabilities; they take the dtype of output.
        output: probabilities p, which are clipped to [epsilon, 1 - epsilon] (`edl.config.epsilon`), or logits.
        from_logits: whether output holds logits; the loss is then exact for any of them.

    Raises:
        ShapeError: if the shapes differ; (n,) and (n, 1) do.
        ArgumentError: if a label is NaN (on the CPU).

    Example:
        >>> edl.binary_crossentropy([0.0, 1.0], [-1000.0, -1000.0], from_logits=True)
        Tensor(shape=(2,), dtype=float32, [   0. 1000.])
    """
    target, output = _same_shapes("binary_crossentropy", ("target", "output"), target, output)
    if from_logits:
        return _binary_crossentropy_from_logits(target, output)
    return _binary_crossentropy_from_probabilities(target, output, config.epsilon())


# -- many classes, targets as probabilities -------------------------------------------------------


@on_real_pairs("categorical_crossentropy")
def _expected(target, logs, axis):
    """-sum(target * logs) along the axis; what has probability 0 counts nothing, even if its logarithm is -inf."""
    terms = target * logs
    loss = np.add.reduce(terms, axis)
    if devices.module_of(loss) is not np or _has_nan(loss):
        loss = np.where(target == 0, terms.dtype.type(0), terms).sum(axis)
        if _has_nan(loss):
            _refuse_nan("categorical_crossentropy", target)
    return np.negative(loss)


def _without(axis, shape):
    return shape[:axis] + shape[axis + 1 :]


def _crossentropy_spec(target, output, axis):
    return Spec(_without(axis, output.shape), output.dtype)


@on_real_pairs("categorical_crossentropy")
def _forward_categorical(target, output, axis):
    logs = output - largest(output, axis)
    shares = total(np.exp(logs), axis)
    logs -= np.log(shares, out=shares)
    return _expected(target, logs, axis)


def _categorical_by_target(g, output, axis):
    return -expand_dims(g, axis) * log_softmax(output, axis)


def _categorical_by_output(g, target, output, axis):
    return expand_dims(g, axis) * (softmax(output, axis) * sum(target, axis, True) - target)


@custom(vjp=(_categorical_by_target, _categorical_by_output), tensors=2, infer=_crossentropy_spec, promote=_like_output)
def _categorical_crossentropy_from_logits(target, output, axis):
    """target (..., n, ...), output (..., n, ...) logits -> (...)."""
    return _forward_categorical(target, output, axis)


@bilinear(left=lambda g, logs, axis: -expand_dims(g, axis) * logs,
          right=lambda g, target, axis: -expand_dims(g, axis) * target,
          infer=_crossentropy_spec, promote=_like_output)  # fmt: skip
def _expected_surprise(target, logs, axis):
    """target (..., n, ...), logs (..., n, ...) of probabilities -> (...)."""
    return _expected(target, logs, axis)


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """target (..., n, ...), output (..., n, ...) -> (...) without `axis`. -sum(target * log(p)).

    Args:
        target: the probabilities of the classes, one-hot or soft; they take the dtype of output.
        output: probabilities, which are divided by their sum and clipped to [epsilon, 1 - epsilon], or logits.
        from_logits: whether output holds logits; the loss is then exact for any of them.
        axis: where the classes are.

    Raises:
        ShapeError: if the shapes differ, or there is no such axis.
        ArgumentError: if a label is NaN (on the CPU).

    Example:
        >>> edl.categorical_crossentropy([[0.0, 1.0]], [[1000.0, 0.0]], from_logits=True)
        Tensor(shape=(1,), dtype=float32, [1000.])
    """
    target, output = _same_shapes("categorical_crossentropy", ("target", "output"), target, output)
    axis = normalize_axis("categorical_crossentropy", axis, output.ndim)
    if from_logits:
        return _categorical_crossentropy_from_logits(target, output, axis)
    return _expected_surprise(target, _clipped_log(output / sum(output, axis, True), config.epsilon()), axis)


# -- many classes, targets as class numbers -------------------------------------------------------

WHERE = "sparse_categorical_crossentropy"


@custom(infer=lambda target, count: Spec(target.shape, dtypes.int32))
def _class_numbers(target, count):
    """target (...) -> (...) int32. The labels, if all are whole numbers from 0 to count - 1.

    On the GPU nothing is raised, because the host would have to wait for the answer: wrong labels become -1 there, and
    their loss NaN, as in TensorFlow.
    """
    if target.dtype.kind == "c":
        raise DTypeError(WHERE, "labels must be class numbers", f"target has dtype {target.dtype}", "use integers")
    if devices.module_of(target) is not np:
        good = (target >= 0) & (target < count) & (target == np.floor(target))
        return np.where(good, target, -1).astype(dtypes.int32)
    if dtypes.is_floating(target.dtype):
        _refuse(target, target != np.floor(target), ArgumentError, "labels must be whole numbers, one for each class",
                f"output has {count} classes", "use categorical_crossentropy for probabilities; drop NaN")  # fmt: skip
    if target.size and (target.min() < 0 or target.max() >= count):
        _refuse(target, (target < 0) | (target >= count), RangeError, f"labels must lie between 0 and {count - 1}",
                f"output has {count} classes", "count classes from 0, or give the last layer more units")  # fmt: skip
    return target.astype(dtypes.int32, copy=False)


def _refuse(target, bad, error, requirement, classes, remedy):
    """Raises `error` for the first label that is bad, if there is one."""
    found = np.argwhere(bad)
    if len(found):
        at = found[0].tolist()
        raise error(WHERE, requirement, f"target{at} is {target[tuple(at)]}, {classes}", remedy)


def _chosen(labels, axis):
    """The index that chooses from an array, at each place, the element along `axis` that the label says."""
    xp, ndim = devices.module_of(labels), labels.ndim
    places = [xp.arange(n).reshape((n,) + (1,) * (ndim - at - 1)) for at, n in enumerate(labels.shape)]
    return (*places[:axis], labels, *places[axis:])


def _nan_for_wrong(loss, labels):
    """On the GPU, NaN where a label is wrong; on the CPU that was an error."""
    return loss if devices.module_of(loss) is np else np.where(labels < 0, loss.dtype.type(math.nan), loss)


@on_reals
def _sparse_categorical_crossentropy(output, labels, axis):
    rest = output - largest(output, axis)
    chosen = rest[_chosen(labels, axis)]
    loss = np.log(np.add.reduce(np.exp(rest, out=rest), axis))
    loss -= chosen
    return _nan_for_wrong(loss, labels)


@custom(vjp=(None, lambda g, labels, output, axis: expand_dims(g, axis) * _surplus(labels, output, axis)), tensors=2,
        infer=_crossentropy_spec, promote=lambda kinds: (kinds[0], *dtypes.to_floating(kinds[1:])))  # fmt: skip
def _sparse_crossentropy_from_logits(labels, output, axis):
    """labels (...) int32, output (..., n, ...) logits -> (...)."""
    return _sparse_categorical_crossentropy(output, labels, axis)


@on_reals
def _forward_surplus(output, labels, axis):
    out = output - largest(output, axis)
    np.exp(out, out=out)
    out /= total(out, axis)
    out[_chosen(labels, axis)] -= 1
    return out


@custom(vjp=(None, lambda g, output, axis: softmax_pull(g, softmax(output, axis), axis)), tensors=2,
        infer=lambda labels, output, axis: Spec(output.shape, output.dtype))  # fmt: skip
def _surplus(labels, output, axis):
    """labels (...) int32, output (..., n, ...) -> (..., n, ...). softmax(output), less 1 at the labels."""
    return _forward_surplus(output, labels, axis)


@custom(vjp=(None, lambda g, labels, x_spec, axis: _put_at_labels(labels, g, x_spec.shape[axis], axis)), tensors=2,
        infer=_crossentropy_spec)  # fmt: skip
def _take_at_labels(labels, x, axis):
    """labels (...) int32, x (..., n, ...) -> (...)."""
    return _nan_for_wrong(x[_chosen(labels, axis)], labels)


@custom(vjp=(None, lambda g, labels, axis: _take_at_labels(labels, g, axis)), tensors=2,
        infer=lambda labels, x, count, axis: Spec((*x.shape[:axis], count, *x.shape[axis:]), x.dtype))  # fmt: skip
def _put_at_labels(labels, x, count, axis):
    """labels (...) int32, x (...) -> (..., count, ...). x at the labels, 0 elsewhere: the transpose of taking."""
    out = devices.module_of(x).zeros((*x.shape[:axis], count, *x.shape[axis:]), x.dtype)
    out[_chosen(labels, axis)] = x
    return out


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """target (...) class numbers, output (..., n, ...) -> (...) without `axis`. -log(p) of the target's class.

    Args:
        target: integers from 0 to n - 1, or floats that hold such; the axis of classes may be there with size 1.
        output: probabilities, which are divided by their sum and clipped to [epsilon, 1 - epsilon], or logits.
        from_logits: whether output holds logits; the loss is then exact for any of them.
        axis: where the classes are in output.

    Raises:
        ShapeError: if target does not have output's shape without the axis.
        RangeError: if a label is no class. On the GPU its loss is NaN.
        ArgumentError: if a label is NaN or has a fraction. On the GPU its loss is NaN.

    Example:
        >>> edl.sparse_categorical_crossentropy([0, 1], [[0.0, 1000.0], [0.0, 1000.0]], from_logits=True)
        Tensor(shape=(2,), dtype=float32, [1000.    0.])
    """
    target, output = convert_to_tensor(target), convert_to_tensor(output)
    axis = normalize_axis(WHERE, axis, output.ndim)
    shape = _without(axis, output.shape)
    if target.ndim == output.ndim and target.shape[axis] == 1:
        target = squeeze(target, axis)
    if target.shape != shape:
        hint = "one-hot targets go to categorical_crossentropy" if target.shape == output.shape else "reshape target"
        raise ShapeError(WHERE, f"target must have the shape of output without axis {axis}, here {shape}",
                         f"target {target.shape}, output {output.shape}", hint)  # fmt: skip
    labels = _class_numbers(target, output.shape[axis])
    if from_logits:
        return _sparse_crossentropy_from_logits(labels, output, axis)
    return negative(_clipped_log(_take_at_labels(labels, output, axis) / sum(output, axis), config.epsilon()))


# -- signals --------------------------------------------------------------------------------------


def psnr(x1, x2, max_val):
    """x1 (...), x2 (...) -> (). The peak signal-to-noise ratio in decibels.

    It is 20 log10(max_val) - 10 log10(mean((x1 - x2)**2)).

    Args:
        x1, x2: two signals; integers, as of images, are compared as floatx.
        max_val: the largest value that the signals can have, such as 255.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> edl.psnr([0.0, 0.0], [1.0, -1.0], 10.0)
        Tensor(shape=(), dtype=float32, 20.)
    """
    x1, x2 = _same_shapes("psnr", ("x1", "x2"), x1, x2)
    if not dtypes.is_inexact(x1.dtype) and not dtypes.is_inexact(x2.dtype):
        x1, x2 = x1.astype(dtypes.floatx()), x2.astype(dtypes.floatx())
    noise = mean(square(subtract(x1, x2)))
    return 20 * log10(convert_to_tensor(max_val).astype(noise.dtype)) - 10 * log10(noise)
