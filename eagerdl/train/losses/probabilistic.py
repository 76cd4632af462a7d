"""Losses of probabilities and counts: Kullback-Leibler divergence and Poisson."""

from eagerdl import config
from eagerdl.ops.elementary import log
from eagerdl.ops.reduction import mean, sum
from eagerdl.ops.rounding import clip
from eagerdl.train.losses.loss import FunctionLoss, pair

__all__ = ["KLDivergence", "Poisson", "kl_divergence", "poisson"]


def kl_divergence(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). sum(y_true log(y_true / y_pred)) over the last axis.

    Args:
        y_true, y_pred: two distributions; they are clipped to [epsilon, 1] (`edl.config.epsilon`).

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.losses.kl_divergence([[0.25, 0.75]], [[0.5, 0.5]])
        Tensor(shape=(1,), dtype=float32, [0.13081202])

    Source: Kullback & Leibler, 1951, "On information and sufficiency", Annals of Mathematical Statistics 22.
    """
    y_true, y_pred = pair("kl_divergence", y_true, y_pred)
    y_true, y_pred = clip(y_true, config.epsilon(), 1.0), clip(y_pred, config.epsilon(), 1.0)
    return sum(y_true * log(y_true / y_pred), -1)


def poisson(y_true, y_pred):
    """y_true (..., n), y_pred (..., n) -> (...). The mean of y_pred - y_true log(y_pred) over the last axis.

    Minus the log-likelihood of counts y_true, up to a constant, if y_pred are the rates.

    Raises:
        ShapeError: if the shapes do not fit; a last axis of 1 may be missing in one of them.

    Example:
        >>> edl.losses.poisson([[2.0]], [[1.0]])
        Tensor(shape=(1,), dtype=float32, [0.99999976])
    """
    y_true, y_pred = pair("poisson", y_true, y_pred)
    return mean(y_pred - y_true * log(y_pred + config.epsilon()), -1)


class KLDivergence(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `kl_divergence` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
        Tensor(shape=(), dtype=float32, 0.)
    """

    def __init__(self, reduction="sum_over_batch_size", name="kl_divergence", dtype=None):
        super().__init__(kl_divergence, reduction, name, dtype)


class Poisson(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `poisson` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.Poisson()([[0.0]], [[1.0]])
        Tensor(shape=(), dtype=float32, 1.)
    """

    def __init__(self, reduction="sum_over_batch_size", name="poisson", dtype=None):
        super().__init__(poisson, reduction, name, dtype)
