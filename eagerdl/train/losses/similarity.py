"""Losses of vectors that should point the same way: cosine similarity, and the circle loss of embeddings."""

import math
from typing import ClassVar

from eagerdl.errors import ShapeError
from eagerdl.ops.activation import softplus
from eagerdl.ops.arithmetic import maximum, minimum, negative, where
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import eye
from eagerdl.ops.norms import normalize
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import reshape
from eagerdl.ops.softmaxes import logsumexp
from eagerdl.train.losses.loss import FunctionLoss, pair, with_mask

__all__ = ["Circle", "CosineSimilarity", "circle", "cosine_similarity"]


def cosine(name, y_true, y_pred, axis):
    """y_true, y_pred (..., n, ...) -> (...). The cosine of the angle between vectors along `axis`."""
    y_true, y_pred = pair(name, y_true, y_pred)
    return sum(normalize(y_true, axis) * normalize(y_pred, axis), axis)


def cosine_similarity(y_true, y_pred, axis=-1):
    """y_true (..., n, ...), y_pred (..., n, ...) -> (...) without `axis`. Minus the cosine of the angle between the vectors.

    It is -1 for the same direction, 0 for right angles and for the vector 0, 1 for opposite directions.

    Args:
        y_true, y_pred: vectors along `axis`.
        axis: the axis of their components.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.losses.cosine_similarity([[0.0, 2.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]])
        Tensor(shape=(2,), dtype=float32, [-1. -0.])
    """
    return negative(cosine("cosine_similarity", y_true, y_pred, axis))


def circle(y_true, y_pred, ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4):
    """y_true (n,) class numbers, y_pred (n, d) -> (n,). The circle loss of embeddings, each compared with all others.

    With cosine similarities s_p to embeddings of the same class and s_n to others it is
    log(1 + sum(exp(gamma a_n (s_n - m))) sum(exp(-gamma a_p (s_p - (1 - m))))), where a_p = max(1 + m - s_p, 0) and
    a_n = max(s_n + m, 0). It is 0 for an embedding without another of its class; means do not count zeros.

    Args:
        y_true: the classes.
        y_pred: the embeddings, of length 1.
        ref_labels, ref_embeddings: what to compare with, (m,) and (m, d); by default the batch itself.
        remove_diagonal: whether an embedding is not compared with the one of the same row: itself.
        gamma: how sharply hard pairs stand out.
        margin: m, how far similarities are to stay from 0 and 1.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> x = edl.constant([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> edl.losses.circle([0, 0, 1], x, gamma=1.0)
        Tensor(shape=(3,), dtype=float32, [0.54589295 0.54589295 0.        ])

    Source: Sun et al., 2020, arXiv:2002.10857 (equations 5 to 8).
    """
    y_pred = convert_to_tensor(y_pred)
    y_true = _labels("y_true", y_true, y_pred)
    ref_embeddings = y_pred if ref_embeddings is None else convert_to_tensor(ref_embeddings, y_pred.dtype)
    ref_labels = y_true if ref_labels is None else _labels("ref_labels", ref_labels, ref_embeddings)
    if len(ref_labels) != len(ref_embeddings):
        raise ShapeError("circle", "ref_embeddings need their own ref_labels, one for each",
                         f"labels {ref_labels.shape}, embeddings {ref_embeddings.shape}", "pass both or none")  # fmt: skip
    s = minimum(y_pred @ ref_embeddings.T, 1.0)  # rounding makes some a little more than 1
    same = reshape(y_true, (-1, 1)) == reshape(ref_labels, (1, -1))
    positive = same & ~eye(*same.shape, dtype="bool") if remove_diagonal else same
    a_p, a_n = maximum(1.0 + margin - s, 0.0), maximum(s + margin, 0.0)
    p = logsumexp(where(positive, -gamma * a_p * (s - (1.0 - margin)), -math.inf), 1)
    n = logsumexp(where(same, -math.inf, gamma * a_n * (s - margin)), 1)
    loss = softplus(p + n)
    return with_mask(loss, loss > 0)


def _labels(what, labels, embeddings):
    """labels (n,) or (n, 1) as (n,) int32, for embeddings (n, d)."""
    labels = cast(labels, "int32")
    if embeddings.ndim != 2 or labels.shape not in ((len(embeddings),), (len(embeddings), 1)):
        raise ShapeError("circle", f"{what} must have a class number for each row of embeddings (n, d)",
                         f"{what} {labels.shape}, embeddings {embeddings.shape}", "reshape them")  # fmt: skip
    return reshape(labels, (-1,))


class CosineSimilarity(FunctionLoss):
    """y_true (..., n), y_pred (..., n) -> (). `cosine_similarity` as a loss: between -1, the best, and 1.

    Args:
        axis: the axis of the components of a vector.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.CosineSimilarity()([[0.0, 2.0]], [[0.0, 1.0]])
        Tensor(shape=(), dtype=float32, -1.)
    """

    _quiet: ClassVar[dict] = {"axis": -1}

    def __init__(self, axis=-1, reduction="sum_over_batch_size", name="cosine_similarity", dtype=None):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


class Circle(FunctionLoss):
    """y_true (n,) class numbers, y_pred (n, d) of length 1 -> (). `circle` as a loss: a mean over those above 0.

    Args:
        gamma: how sharply hard pairs stand out.
        margin: how far similarities are to stay from 0 and 1.
        remove_diagonal: whether an embedding is not compared with itself.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> x = edl.constant([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> edl.losses.Circle(gamma=1.0)([0, 0, 1], x)
        Tensor(shape=(), dtype=float32, 0.54589295)
    """

    _keeps_labels = True

    def __init__(self, gamma=80.0, margin=0.4, remove_diagonal=True, reduction="sum_over_batch_size", name="circle",
                 dtype=None):  # fmt: skip
        super().__init__(circle, reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal)
