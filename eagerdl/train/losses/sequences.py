"""The loss of sequences whose labels are not aligned with their time steps."""

from eagerdl import dtypes
from eagerdl.errors import ShapeError
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import full
from eagerdl.ops.ctc import ctc_loss
from eagerdl.ops.reduction import sum
from eagerdl.train.losses.loss import FunctionLoss

__all__ = ["CTC", "ctc"]


def ctc(y_true, y_pred):
    """y_true (batch, length) class numbers, y_pred (batch, time, classes) logits -> (batch,). See `edl.ops.ctc_loss`.

    Args:
        y_true: the labels, numbered from 1; 0 fills up behind, and is the class of the blank in y_pred.
        y_pred: the logits of the classes at all time steps.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if a label is out of range.

    Example:
        >>> edl.losses.ctc([[1, 0]], edl.zeros((1, 2, 2)))
        Tensor(shape=(1,), dtype=float32, [0.2876821])

    Source: Graves et al., 2006, "Connectionist temporal classification", ICML.
    """
    y_true, y_pred = convert_to_tensor(y_true), convert_to_tensor(y_pred)
    if y_true.ndim != 2 or y_pred.ndim != 3 or len(y_true) != len(y_pred):
        raise ShapeError("ctc", "y_true must be (batch, length), y_pred (batch, time, classes)",
                         f"y_true {y_true.shape}, y_pred {y_pred.shape}", "reshape them")  # fmt: skip
    batch, time, _ = y_pred.shape
    y_true = y_true if dtypes.is_integer(y_true.dtype) else cast(y_true, "int32")
    length = sum(cast(y_true != 0, "int32"), -1)
    return ctc_loss(y_true, y_pred, length, full((batch,), time, "int32"), mask_index=0)


class CTC(FunctionLoss):
    """y_true (batch, length) class numbers, y_pred (batch, time, classes) logits -> (). `ctc` as a loss.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> edl.losses.CTC()([[1, 0]], edl.zeros((1, 2, 2)))
        Tensor(shape=(), dtype=float32, 0.2876821)
    """

    _keeps_labels = True

    def __init__(self, reduction="sum_over_batch_size", name="ctc", dtype=None):
        super().__init__(ctc, reduction, name, dtype)
