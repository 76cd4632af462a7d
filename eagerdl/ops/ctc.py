"""Connectionist temporal classification: the loss of unaligned label sequences, and decoding.

An alignment gives each time step a label or the blank; merging repeats and dropping blanks leaves the label sequence.
States of the recursions are the labels with a blank before, between and behind them (Graves et al., 2006,
"Connectionist temporal classification", section 4).
"""

import builtins

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, vjp
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.elementary import exp, log
from eagerdl.ops.reduction import max, sum
from eagerdl.ops.shape import concatenate, expand_dims
from eagerdl.ops.softmaxes import log_softmax
from eagerdl.tensor import from_array

__all__ = ["ctc_decode", "ctc_loss"]

NEVER = -1e30  # the logarithm of zero; finite, so that differences of it are no NaN
INFEASIBLE = -1e29  # what is below it was summed up from NEVER


# -- loss ---------------------------------------------------------------------------------------


def _states(target, mask_index, xp):
    """target (b, n) -> the classes of the states (b, 2 n + 1), and where the blank before a label may be left out."""
    b, n = target.shape
    classes = xp.full((b, 2 * n + 1), mask_index, np.int32)
    classes[:, 1::2] = target
    skips = xp.zeros(classes.shape, bool)
    skips[:, 3::2] = target[:, 1:] != target[:, :-1]
    return classes, skips


def _places(classes, times, xp):
    """The index that takes log_probs (b, t, c) to what the states emit, (t, b, states)."""
    b = classes.shape[0]
    return xp.arange(b)[None, :, None], xp.arange(times)[:, None, None], classes[None]


def _prepared(log_probs, target, target_length, mask_index):
    """Classes, skips, the index of emissions, and which states may be last; labels behind the end are never read."""
    xp = devices.module_of(log_probs)
    valid = xp.arange(target.shape[1]) < target_length[:, None]
    classes, skips = _states(xp.where(valid, target, mask_index), mask_index, xp)
    state = xp.arange(classes.shape[1])
    last = (state == 2 * target_length[:, None]) | (state == 2 * target_length[:, None] - 1)
    return classes, skips, _places(classes, log_probs.shape[1], xp), last


def _log_sum(parts):
    """The logarithm of the sum of the exponentials of several arrays."""
    high = parts[0]
    for part in parts[1:]:
        high = np.maximum(high, part)
    total = np.exp(parts[0] - high)
    for part in parts[1:]:
        total += np.exp(part - high)
    return np.log(total) + high


def _shifted(x, by, skips, xp):
    """x (b, states) moved by `by` states, forward or backward; with `skips`, NEVER where they do not allow it."""
    out = xp.full(x.shape, NEVER, x.dtype)
    if by > 0:
        out[:, by:] = x[:, :-by]
    else:
        out[:, :by] = x[:, -by:]
    return out if skips is None else xp.where(skips, out, x.dtype.type(NEVER))


def _ctc_specs(log_probs, target, target_length, output_length, mask_index):
    b, t, _ = log_probs.shape
    return Spec((b,), log_probs.dtype), Spec((t, b, 2 * target.shape[1] + 1), log_probs.dtype)


@custom(vjp=(lambda g, out, log_probs, target, target_length, output_length, mask_index: None if g[0] is None else
             _ctc_grad(g[0], log_probs, out[1], target, target_length, output_length, mask_index), None, None, None),
        infer=_ctc_specs, tensors=4, several=True)  # fmt: skip
def _ctc(log_probs, target, target_length, output_length, mask_index):
    """log_probs (b, t, c), target (b, n), lengths (b,) -> the loss (b,), and the forward variables (t, b, 2 n + 1)."""
    xp = devices.module_of(log_probs)
    _, skips, places, last = _prepared(log_probs, target, target_length, mask_index)
    emitted = log_probs[places]
    times, b, states = emitted.shape
    forward = xp.empty(emitted.shape, log_probs.dtype)
    alpha = xp.full((b, states), NEVER, log_probs.dtype)
    alpha[:, 0] = 0  # before the first step, so to say in the first blank
    for t in builtins.range(times):
        step = _log_sum([alpha, _shifted(alpha, 1, None, xp), _shifted(alpha, 2, skips, xp)]) + emitted[t]
        alpha = forward[t] = xp.where((t < output_length)[:, None], step, alpha)
    ends = xp.where(last, alpha, log_probs.dtype.type(NEVER))
    high = ends.max(1)
    loss = -(np.log(np.exp(ends - high[:, None]).sum(1)) + high)
    return xp.where(high > INFEASIBLE, loss, log_probs.dtype.type(np.inf)), forward


def _loss_in_ops(log_probs, target, target_length, output_length, mask_index):
    """The same loss in ops, for derivatives of the derivative."""
    xp = devices.module_of(log_probs._array)
    _, skips, places, last = _prepared(log_probs._array, target._array, target_length._array, mask_index)
    emitted = log_probs[places]
    times, b, states = emitted.shape
    never = from_array(xp.full((b, 2), NEVER, log_probs.dtype))
    start = xp.full((b, states), NEVER, log_probs.dtype)
    start[:, 0] = 0
    alpha, skips, last = from_array(start), from_array(skips), from_array(last)

    def log_sum(x, axis):
        high = from_array(x._array.max(axis, keepdims=True))  # a constant shift changes no derivative
        return log(sum(exp(x - high), axis)) + high.squeeze(axis)

    for t in builtins.range(times):
        one = concatenate([never[:, :1], alpha[:, :-1]], 1)
        two = where(skips, concatenate([never[:, : builtins.min(2, states)], alpha[:, :-2]], 1), NEVER)
        step = log_sum(concatenate([expand_dims(x, 0) for x in (alpha, one, two)], 0), 0) + emitted[t]
        alpha = where(from_array((t < output_length._array)[:, None]), step, alpha)
    ends = where(last, alpha, NEVER)
    loss = -log_sum(ends, 1)
    return where(from_array(ends._array.max(1) > INFEASIBLE), loss, np.inf)


def _ctc_grad_vjp(g, weights, log_probs, target, target_length, output_length, mask_index):
    def gradient(weights, log_probs):
        return vjp(lambda x: _loss_in_ops(x, target, target_length, output_length, mask_index), log_probs)[1](weights)[
            0
        ]

    to_weights, to_log_probs = vjp(gradient, weights, log_probs)[1](g)
    return to_weights, to_log_probs, None, None, None, None


@custom(
    vjp=_ctc_grad_vjp,
    tensors=6,
    infer=lambda weights, log_probs, forward, target, target_length, output_length, mask_index: Spec(
        log_probs.shape, log_probs.dtype
    ),
)
def _ctc_grad(weights, log_probs, forward, target, target_length, output_length, mask_index):
    """The cotangent of log_probs: minus how likely each class was emitted when, times the weights (b,)."""
    xp, dtype = devices.module_of(log_probs), log_probs.dtype
    classes, skips, places, last = _prepared(log_probs, target, target_length, mask_index)
    emitted = log_probs[places]
    times, b, states = emitted.shape
    beta = final = xp.where(last, dtype.type(0), dtype.type(NEVER))
    ends = forward[-1] if times else xp.full((b, states), NEVER, dtype)
    total = _log_sum(list(xp.where(last, ends, dtype.type(NEVER)).T))
    total = xp.where(total > INFEASIBLE, total, dtype.type(np.inf))[:, None]
    allowed = xp.zeros(skips.shape, bool)
    allowed[:, :-2] = skips[:, 2:]
    share = xp.empty((b, times, states), dtype)
    for t in builtins.range(times - 1, -1, -1):
        running = (t < output_length)[:, None]
        share[:, t] = xp.where(running, np.exp(forward[t] + beta - total), dtype.type(0))
        ahead = beta + emitted[t]
        step = _log_sum([ahead, _shifted(ahead, -1, None, xp), _shifted(ahead, -2, allowed, xp)])
        beta = xp.where(running, step, final)
    share *= -weights[:, None, None]
    hot = (classes[:, :, None] == xp.arange(log_probs.shape[2])).astype(dtype)
    return xp.matmul(share, hot)


def _integers(name, x, where, shape=None):
    x = convert_to_tensor(x)
    if not dtypes.is_integer(x.dtype):
        raise DTypeError(where, f"{name} must be integers", f"got {x.dtype}", f"cast it with edl.cast({name}, 'int32')")
    if shape is not None and x.shape != shape:
        raise ShapeError(
            where,
            f"{name} must have one entry per sequence, shape {shape}",
            f"got shape {x.shape}",
            "check the batch axis",
        )
    return cast(x, "int32")


def _in_range(where, name, values, low, high, what):
    """Checks integers against bounds; they may differ per sequence."""
    values = devices.to_numpy(values)
    if values.size and (values.min() < low or (values > high).any()):
        raise ArgumentError(
            where,
            f"{name} must lie between {low} and {what}",
            f"got values from {values.min()} to {values.max()}",
            "check the data",
        )


def _blank(where, mask_index, classes):
    """The class of the blank counted from 0."""
    index = classes - 1 if mask_index is None else mask_index
    if not -classes <= index < classes:
        raise ArgumentError(
            where, f"mask_index must be one of the {classes} classes", f"got {mask_index}", "count classes from 0"
        )
    return index % classes


def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """target (b, n) ints, output (b, t, c) logits, target_length (b,), output_length (b,) -> (b,). The CTC loss.

    It is minus the logarithm of the probability that a sequence of independent draws, one per time step, collapses to
    the labels: repeats are merged, then blanks dropped. It is infinite where there are too few time steps for the
    labels, and no gradient comes from there.

    Args:
        target: the labels, padded behind.
        output: the logits of the classes at each time step.
        target_length: how many labels each sequence has.
        output_length: how many time steps each sequence has.
        mask_index: the class of the blank.

    Raises:
        ShapeError: if batches differ.
        ArgumentError: if a length or a label is out of range, or a label is the blank.
        DTypeError: if labels or lengths are no integers.

    Example:
        >>> edl.ctc_loss([[1]], edl.zeros((1, 2, 2)), [1], [2])  # three of four alignments: 11, 1_, _1
        Tensor(shape=(1,), dtype=float32, [0.2876821])

    Source: Graves et al., 2006, "Connectionist temporal classification", ICML.
    """
    name = "ctc_loss"
    target, output = _integers("target", target, name), convert_to_tensor(output)
    if target.ndim != 2 or output.ndim != 3 or target.shape[0] != output.shape[0]:
        raise ShapeError(name, "target must be (batch, labels), output (batch, time, classes)",
                         f"target {target.shape}, output {output.shape}", "add the batch axis")  # fmt: skip
    b, times, classes = output.shape
    target_length = _integers("target_length", target_length, name, (b,))
    output_length = _integers("output_length", output_length, name, (b,))
    blank = _blank(name, mask_index, classes)
    _in_range(
        name, "target_length", target_length._array, 0, target.shape[1], f"{target.shape[1]}, the width of target"
    )
    _in_range(name, "output_length", output_length._array, 0, times, f"{times}, the time steps of output")
    lengths = devices.to_numpy(target_length._array)[:, None]
    labels = devices.to_numpy(target._array)[np.arange(target.shape[1]) < lengths]
    _in_range(name, "labels", labels, 0, classes - 1, f"{classes - 1}, the last class")
    if (labels == blank).any():
        raise ArgumentError(
            name, f"labels must not be the blank, class {blank}", "a label is", "number the labels around mask_index"
        )
    dtype = dtypes.result_type(output.dtype, dtypes.float32)
    return _ctc(log_softmax(cast(output, dtype)), target, target_length, output_length, blank)[0]


# -- decoding -----------------------------------------------------------------------------------


def _packed(labels, xp):
    """labels (..., t) with -1 for nothing -> the same with the labels in front."""
    order = xp.argsort(labels < 0, axis=-1, kind="stable") if xp is np else _stable_order(labels < 0, xp)
    return xp.take_along_axis(labels, order, axis=-1).astype(np.int32)


def _stable_order(behind, xp):
    """The order that puts the true ones behind, for modules whose sort has no `kind`."""
    length = behind.shape[-1]
    return xp.argsort(behind * length + xp.arange(length), axis=-1)


@custom(infer=lambda x, lengths, merge_repeated, blank: Spec((1, *x.shape[:2]), dtypes.int32), tensors=2)
def _greedy_path(x, lengths, merge_repeated, blank):
    """x (b, t, c), lengths (b,) -> (1, b, t) labels, packed."""
    xp = devices.module_of(x)
    labels = xp.where(
        xp.arange(x.shape[1]) < lengths[:, None], x.argmax(-1) if x.size else xp.zeros(x.shape[:2], int), blank
    )
    drop = labels == blank
    if merge_repeated:
        drop[:, 1:] |= labels[:, 1:] == labels[:, :-1]
    return _packed(xp.where(drop, -1, labels), xp)[None]


def _beam_specs(log_probs, lengths, beam_width, top_paths, blank):
    b, t, _ = log_probs.shape
    return Spec((top_paths, b, t), dtypes.int32), Spec((b, top_paths), log_probs.dtype)


@custom(infer=_beam_specs, tensors=2, several=True)
def _beam_search(log_probs, lengths, beam_width, top_paths, blank):
    """log_probs (b, t, c), lengths (b,) -> (top_paths, b, t) labels, packed, and log-probabilities (b, top_paths).

    A beam is a label sequence; `ended` and `open_` are the log-probabilities of its alignments that end in a blank or
    in its last label. Beams know their sequence by a hash, and that of the sequence without its last label: so it is
    found at once which of them an extension of another one leads to.
    """
    xp = devices.module_of(log_probs)
    b, times, classes = log_probs.shape
    batch, never = xp.arange(b)[:, None], -np.inf
    shape = (b, beam_width)
    ended, open_ = xp.full(shape, never, log_probs.dtype), xp.full(shape, never, log_probs.dtype)
    ended[:, 0] = 0
    label, this, before = xp.full(shape, -1, np.int64), xp.ones(shape, np.uint64), xp.zeros(shape, np.uint64)
    unmoved = xp.broadcast_to(xp.arange(beam_width), shape)
    history = []
    for t in builtins.range(times):
        now = log_probs[:, t]
        total = np.logaddexp(ended, open_)
        alive = total > never
        stay_ended = total + now[:, blank, None]
        stay_open = xp.where(label >= 0, open_ + xp.take_along_axis(now, xp.maximum(label, 0), 1), never)
        extended = total[:, :, None] + now[:, None, :]
        repeats = xp.where(label >= 0, ended + xp.take_along_axis(now, xp.maximum(label, 0), 1), never)
        rows, beams = xp.nonzero(label >= 0)
        extended[rows, beams, label[rows, beams]] = repeats[rows, beams]
        extended[:, :, blank] = never
        # The extension of beam i by the last label of beam j is beam j itself: the probabilities join.
        meets = (this[:, :, None] == before[:, None, :]) & alive[:, :, None] & (alive & (label >= 0))[:, None, :]
        rows, sources, beams = xp.nonzero(meets)
        labels = label[rows, beams]
        stay_open[rows, beams] = np.logaddexp(stay_open[rows, beams], extended[rows, sources, labels])
        extended[rows, sources, labels] = never

        scores = xp.concatenate([np.logaddexp(stay_ended, stay_open), extended.reshape(b, -1)], 1)
        best = (
            xp.argpartition(-scores, beam_width - 1, axis=1)[:, :beam_width]
            if scores.shape[1] > beam_width
            else xp.argsort(-scores, axis=1)
        )
        best = xp.take_along_axis(best, xp.argsort(-xp.take_along_axis(scores, best, 1), axis=1), 1)
        grown = best >= beam_width
        source = xp.where(grown, (best - beam_width) // classes, best)
        added = xp.where(grown, (best - beam_width) % classes, -1)
        running = (t < lengths)[:, None]
        source, added = xp.where(running, source, unmoved), xp.where(running, added, -1)
        grown &= running
        stays = running & ~grown
        ended = xp.where(stays, stay_ended[batch, source], xp.where(grown, never, ended[batch, source]))
        open_ = xp.where(
            stays, stay_open[batch, source], xp.where(grown, xp.take_along_axis(scores, best, 1), open_[batch, source])
        )
        label = xp.where(grown, added, label[batch, source])
        parent = this[batch, source]
        before = xp.where(grown, parent, before[batch, source])
        this = xp.where(grown, parent * np.uint64(6364136223846793005) + (added + 2).astype(np.uint64), parent)
        history.append((source, added))
    total = np.logaddexp(ended, open_)
    beam = xp.argsort(-total, axis=1)[:, :top_paths]
    scores = xp.take_along_axis(total, beam, 1)
    paths = xp.full((b, top_paths, times), -1, np.int64)
    for t in builtins.range(times - 1, -1, -1):
        source, added = history[t]
        paths[:, :, t] = xp.take_along_axis(added, beam, 1)
        beam = xp.take_along_axis(source, beam, 1)
    paths = xp.where(scores[:, :, None] > never, paths, -1)
    return _packed(paths, xp).transpose(1, 0, 2), scores


def ctc_decode(
    inputs, sequence_lengths, strategy="greedy", beam_width=100, top_paths=1, merge_repeated=True, mask_index=0
):
    """inputs (b, t, c) logits, sequence_lengths (b,) -> labels (paths, b, t), scores (b, paths). Likely sequences.

    Args:
        inputs: the logits of the classes at each time step.
        sequence_lengths: how many time steps each sequence has.
        strategy: ``"greedy"`` takes the best class of each step, and there is one path; ``"beam_search"`` keeps the
            likeliest label sequences, which several alignments lead to.
        beam_width: how many of them are kept at each step.
        top_paths: how many are returned, the likeliest first.
        merge_repeated: whether "greedy" merges repeated labels.
        mask_index: the class of the blank; None for the last.

    Returns:
        The labels, with -1 behind them, and the scores: for "greedy" minus the sum of the best logits, for
        "beam_search" the log-probabilities.

    Raises:
        ShapeError: if inputs are not (batch, time, classes).
        ArgumentError: for other strategies, widths or lengths out of range.

    Example:
        >>> labels, scores = edl.ctc_decode([[[0.0, 9.0], [0.0, 9.0], [9.0, 0.0], [0.0, 9.0]]], [4])
        >>> labels.numpy()
        array([[[ 1,  1, -1, -1]]], dtype=int32)

    Sources: Graves et al., 2006 (greedy); Hannun et al., 2014, arXiv:1408.2873, algorithm 1 (beams, here
    without a language model).
    """
    name = "ctc_decode"
    x = convert_to_tensor(inputs)
    if x.ndim != 3 or not x.shape[2]:
        raise ShapeError(
            name, "inputs must be (batch, time, classes)", f"inputs have shape {x.shape}", "add the batch axis"
        )
    x = cast(x, dtypes.result_type(x.dtype, dtypes.float32))
    b, times, classes = x.shape
    lengths = _integers("sequence_lengths", sequence_lengths, name, (b,))
    _in_range(name, "sequence_lengths", lengths._array, 0, times, f"{times}, the time steps of inputs")
    blank = _blank(name, mask_index, classes)
    if strategy == "greedy":
        running = from_array(devices.module_of(x._array).arange(times) < lengths._array[:, None])
        scores = -sum(where(running, max(x, -1), 0), 1, True)
        return _greedy_path(x, lengths, bool(merge_repeated), blank), scores
    if strategy != "beam_search":
        raise ArgumentError(name, "strategy is 'greedy' or 'beam_search'", f"got {strategy!r}", "choose one of them")
    if not 1 <= top_paths <= beam_width:
        raise ArgumentError(
            name,
            "top_paths must lie between 1 and beam_width",
            f"got top_paths={top_paths}, beam_width={beam_width}",
            "widen the beam",
        )
    return _beam_search(log_softmax(x), lengths, beam_width, top_paths, blank)
