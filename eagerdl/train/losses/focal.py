"""Focal cross-entropies: examples that are easy already count less (Lin et al., 2017, arXiv:1708.02002)."""

from eagerdl import config, ops
from eagerdl.ops.activation import sigmoid
from eagerdl.ops.elementary import exp, log
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.rounding import clip
from eagerdl.ops.softmaxes import log_softmax
from eagerdl.train.losses.crossentropy import binary_labels, categorical_labels
from eagerdl.train.losses.loss import FunctionLoss

__all__ = [
    "BinaryFocalCrossentropy", "CategoricalFocalCrossentropy", "binary_focal_crossentropy", "categorical_focal_crossentropy",
]  # fmt: skip


def binary_focal_crossentropy(y_true, y_pred, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False,
                              label_smoothing=0.0, axis=-1):  # fmt: skip
    """y_true (..., n), y_pred (..., n) -> (...) without `axis`. The mean of -alpha_t (1 - p_t)**gamma log(p_t).

    p_t is the probability of what is true: p where y_true is 1, 1 - p where it is 0; alpha_t is alpha or 1 - alpha.

    Args:
        y_true: 0 or 1, or probabilities.
        y_pred: probabilities p, or logits.
        apply_class_balancing: whether alpha_t is there; it is 1 otherwise.
        alpha: the weight of class 1.
        gamma: how fast the weight of easy examples falls; 0 gives `binary_crossentropy`.
        from_logits: whether y_pred holds logits.
        label_smoothing: labels move by half of this towards 0.5.
        axis: the axis or axes of the mean.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.
        ArgumentError: if a label is not between 0 and 1 (on the CPU).

    Example:
        >>> edl.losses.binary_focal_crossentropy([[1.0]], [[0.5]])
        Tensor(shape=(1,), dtype=float32, [0.1732868])

    Source: Lin et al., 2017, arXiv:1708.02002 (equations 4 and 5).
    """
    y_true, y_pred = binary_labels("binary_focal_crossentropy", y_true, y_pred, label_smoothing)
    loss = ops.binary_crossentropy(y_true, y_pred, from_logits)
    p, rest = (sigmoid(y_pred), sigmoid(-y_pred)) if from_logits else (y_pred, 1.0 - y_pred)
    loss = (y_true * rest + (1.0 - y_true) * p) ** gamma * loss
    if apply_class_balancing:
        loss = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * loss
    return mean(loss, axis)


def categorical_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    """y_true (..., n), y_pred (..., n) -> (...) without `axis`. The sum of -alpha (1 - p)**gamma y_true log(p).

    Args:
        y_true: one-hot, or probabilities of the classes.
        y_pred: probabilities p, which are divided by their sum and clipped, or logits.
        alpha: a factor, or one for each class.
        gamma: how fast the weight of easy examples falls; 0 gives alpha times `categorical_crossentropy`.
        from_logits: whether y_pred holds logits.
        label_smoothing: this part of the labels is spread evenly over the classes.
        axis: the axis of the classes.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> edl.losses.categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
        Tensor(shape=(1,), dtype=float32, [0.0433217])

    Source: Lin et al., 2017, arXiv:1708.02002, for several classes.
    """
    y_true, y_pred = categorical_labels("categorical_focal_crossentropy", y_true, y_pred, label_smoothing, axis)
    if from_logits:
        logs = log_softmax(y_pred, axis)
        p = exp(logs)
    else:
        p = clip(y_pred / sum(y_pred, axis, True), config.epsilon(), 1.0 - config.epsilon())
        logs = log(p)
    return -sum((1.0 - p) ** gamma * alpha * y_true * logs, axis)


class BinaryFocalCrossentropy(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `binary_focal_crossentropy` as a loss.

    Args:
        apply_class_balancing: whether class 1 weighs alpha, and class 0 1 - alpha.
        alpha: the weight of class 1.
        gamma: how fast the weight of easy examples falls.
        from_logits: whether y_pred holds logits.
        label_smoothing: labels move by half of this towards 0.5.
        axis: the axis or axes of the mean within an example.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.BinaryFocalCrossentropy()([[1.0]], [[0.5]])
        Tensor(shape=(), dtype=float32, 0.1732868)
    """

    def __init__(self, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1,
                 reduction="sum_over_batch_size", name="binary_focal_crossentropy", dtype=None):  # fmt: skip
        super().__init__(binary_focal_crossentropy, reduction, name, dtype,
                         apply_class_balancing=apply_class_balancing, alpha=alpha, gamma=gamma, from_logits=from_logits,
                         label_smoothing=label_smoothing, axis=axis)  # fmt: skip


class CategoricalFocalCrossentropy(FunctionLoss):
    """y_true (..., n) one-hot, y_pred (..., n) -> (). `categorical_focal_crossentropy` as a loss.

    Args:
        alpha: a factor, or one for each class.
        gamma: how fast the weight of easy examples falls.
        from_logits: whether y_pred holds logits.
        label_smoothing: this part of the labels is spread evenly over the classes.
        axis: the axis of the classes.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])
        Tensor(shape=(), dtype=float32, 0.0433217)
    """

    def __init__(self, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1,
                 reduction="sum_over_batch_size", name="categorical_focal_crossentropy", dtype=None):  # fmt: skip
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, alpha=alpha, gamma=gamma,
                         from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)  # fmt: skip
