"""Gradients made shorter: by the norm of each, by the norm of all together, by value."""

import math
import numbers

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.ops.arithmetic import maximum, minimum, square
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.norms import vector_norm
from eagerdl.ops.rounding import clip
from eagerdl.tensor import Tensor

__all__ = ["clip_by_global_norm", "global_norm"]


def global_norm(t_list, name=None):
    """n tensors of any shapes -> (). The 2-norm of all elements together, ``sqrt(sum_i ||t_i||^2)``.

    Args:
        t_list: a list or tuple of tensors; None among them is passed over.
        name: kept for callers of TF.

    Raises:
        DTypeError: if `t_list` is one tensor rather than a list of them.

    Example:
        >>> edl.optimizers.clipping.global_norm([edl.constant([3.0]), None, edl.constant([[4.0]])])
        Tensor(shape=(), dtype=float32, 5.)
    """
    found = [t for t in _as_list("global_norm", t_list) if t is not None]
    squares = [square(vector_norm(t)) for t in found]
    return sqrt(sum(squares[1:], squares[0])) if squares else convert_to_tensor(0.0)


def clip_by_global_norm(t_list, clip_norm, use_norm=None, name=None):
    """n tensors of any shapes -> (n tensors of the same shapes, ()): all scaled by one factor if together they are too long.

    Every t_i becomes ``t_i * clip_norm / max(global_norm, clip_norm)``, so their direction as one vector stays. Tensors are
    NaN afterwards if the norm is not finite, so that the failure shows.

    Args:
        t_list: a list or tuple of tensors; None among them stays None.
        clip_norm: the largest norm allowed, a positive number or scalar tensor.
        use_norm: the global norm, if it is known already.
        name: kept for callers of TF.

    Returns:
        The list of scaled tensors and the global norm before scaling.

    Raises:
        DTypeError: if `t_list` is one tensor rather than a list of them.
        ArgumentError: if `clip_norm` is a number that is not positive.

    Example:
        >>> (g,), norm = edl.optimizers.clipping.clip_by_global_norm([edl.constant([3.0, 4.0])], 1.0)
        >>> g, norm
        (Tensor(shape=(2,), dtype=float32, [0.6 0.8]), Tensor(shape=(), dtype=float32, 5.))

    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013, arXiv:1211.5063,
    algorithm 1.
    """
    tensors = _as_list("clip_by_global_norm", t_list)
    if not isinstance(clip_norm, Tensor):
        check_positive("clip_by_global_norm", clip_norm=clip_norm)
    norm = global_norm(tensors) if use_norm is None else convert_to_tensor(use_norm)
    scale = minimum(clip_norm / norm, 1.0) + (norm - norm)  # the second term is 0, and NaN where the norm is not finite
    return [None if t is None else t * cast(scale, t.dtype) for t in tensors], norm


def clip_by_norm(t, clip_norm):
    """t (...) -> (...): scaled so that its 2-norm is at most `clip_norm`."""
    return t * cast(clip_norm / maximum(vector_norm(t), clip_norm), t.dtype)


def clip_by_value(t, clip_value):
    """t (...) -> (...): every element brought into [-clip_value, clip_value]."""
    return clip(t, -clip_value, clip_value)


def check_positive(where, **values):
    """Refuses what is no positive number; None passes.

    Raises:
        ArgumentError: with the name of the argument.
    """
    for name, value in values.items():
        if value is not None and not (isinstance(value, numbers.Real) and 0 < value < math.inf):
            raise ArgumentError(where, f"{name} is a positive number", f"got {value!r:.60}", f"choose another {name}")


def _as_list(where, t_list):
    if isinstance(t_list, Tensor) or not isinstance(t_list, list | tuple):
        raise DTypeError(
            where, "a list of tensors is needed", f"got {type(t_list).__name__}", "put it into a list: [t]"
        )
    return [t if t is None or (isinstance(t, Tensor) and t.dtype in dtypes.INEXACT_SET) else convert_to_tensor(t, "float32")
            for t in t_list]  # fmt: skip
