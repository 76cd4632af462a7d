"""Losses of overlap, for the segmentation of images: Dice and Tversky."""

from eagerdl import config
from eagerdl.ops.reduction import sum
from eagerdl.train.losses.loss import FunctionLoss, pair

__all__ = ["Dice", "Tversky", "dice", "tversky"]


def dice(y_true, y_pred, axis=None):
    """y_true (...), y_pred (...) -> () or (...) without `axis`. 1 - 2 |A B| / (|A| + |B|), with products for overlaps.

    Args:
        y_true: which pixels belong to the object: 0 or 1.
        y_pred: the probability that they do.
        axis: the axes of one image, so that each example has a loss of its own; by default all axes together.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.losses.dice([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 1.0]], axis=-1)
        Tensor(shape=(1,), dtype=float32, [0.5])

    Source: Milletari, Navab, Ahmadi, 2016, "V-Net", arXiv:1606.04797 (there with squares in the denominator).
    """
    y_true, y_pred = pair("dice", y_true, y_pred)
    overlap = sum(y_true * y_pred, axis)
    return 1.0 - 2.0 * overlap / (sum(y_true, axis) + sum(y_pred, axis) + config.epsilon())


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """y_true (...), y_pred (...) -> () or (...) without `axis`. 1 - |A B| / (|A B| + alpha |A - B| + beta |B - A|).

    A is the truth and B the prediction, as Keras counts them: alpha weighs what was missed, beta what was seen in error.
    With 0.5 for both it is the Dice loss.

    Args:
        y_true: which pixels belong to the object: 0 or 1.
        y_pred: the probability that they do.
        alpha, beta: the two weights.
        axis: the axes of one image, so that each example has a loss of its own; by default all axes together.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.losses.tversky([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]], alpha=1.0, beta=0.0, axis=-1)
        Tensor(shape=(1,), dtype=float32, [0.5])

    Source: Salehi, Erdogmus, Gholipour, 2017, arXiv:1706.05721 (equation 3).
    """
    y_true, y_pred = pair("tversky", y_true, y_pred)
    overlap = sum(y_true * y_pred, axis)
    missed, invented = sum(y_true * (1.0 - y_pred), axis), sum((1.0 - y_true) * y_pred, axis)
    return 1.0 - overlap / (overlap + alpha * missed + beta * invented + config.epsilon())


class Dice(FunctionLoss):
    """y_true (...), y_pred (...) -> (). `dice` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.
        axis: the axes of one image; with None there is one loss for the whole batch, which cannot be weighted by example.

    Example:
        >>> edl.losses.Dice(axis=-1)([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 1.0]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    def __init__(self, reduction="sum_over_batch_size", name="dice", axis=None, dtype=None):
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(FunctionLoss):
    """y_true (...), y_pred (...) -> (). `tversky` as a loss.

    Args:
        alpha, beta: the weights of what was missed, and of what was seen in error.
        reduction, name, dtype: see `Loss`.
        axis: the axes of one image; with None there is one loss for the whole batch, which cannot be weighted by example.

    Example:
        >>> edl.losses.Tversky(axis=-1)([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 1.0]])
        Tensor(shape=(), dtype=float32, 0.5)
    """

    def __init__(self, alpha=0.5, beta=0.5, reduction="sum_over_batch_size", name="tversky", axis=None, dtype=None):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
