"""Intersection over union of the pixels that belong to a class and those that are predicted to."""

from typing import ClassVar

from eagerdl import config, dtypes
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import where
from eagerdl.ops.arrangement import diag
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import ones_like
from eagerdl.ops.indexing import take
from eagerdl.ops.reduction import all, argmax, sum
from eagerdl.ops.rounding import floor
from eagerdl.ops.scatter import segment_sum
from eagerdl.ops.shape import broadcast_to, reshape
from eagerdl.train.losses.loss import fit, same_shape
from eagerdl.train.metrics.metric import Metric

__all__ = ["BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"]


class IoU(Metric):
    """y_true (...) class numbers, y_pred (...) class numbers -> (). The mean of TP / (TP + FP + FN) over some classes.

    Classes that neither occur nor are predicted do not count. Neither do pixels whose truth or prediction is no class.

    Args:
        num_classes: how many classes there are.
        target_class_ids: those that count.
        name: see `Metric`.
        dtype: that of the counts, by default int32; weights that are no whole numbers need a floating dtype.
        ignore_class: pixels whose truth is this number do not count.
        sparse_y_true, sparse_y_pred: whether they hold class numbers; else one-hot rows or scores along `axis`.
        axis: the axis of the classes.

    Raises:
        ArgumentError: if a target is no class.

    Example:
        >>> round(float(edl.metrics.IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
        0.3333
    """

    _direction = "up"

    def __init__(self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_true=True,
                 sparse_y_pred=True, axis=-1):  # fmt: skip
        super().__init__(dtypes.int32 if dtype is None or dtype == "int" else dtype, name)
        self.target_class_ids = [int(one) for one in target_class_ids]
        if not self.target_class_ids or min(self.target_class_ids) < 0 or max(self.target_class_ids) >= num_classes:
            raise ArgumentError(self.name, f"target_class_ids must lie between 0 and {num_classes - 1}",
                                f"got {self.target_class_ids}", "count classes from 0, or raise num_classes")  # fmt: skip
        self.num_classes, self.ignore_class, self.axis = num_classes, ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable(
            (num_classes, num_classes), "zeros", self._dtype, name="total_confusion_matrix"
        )

    def _classes(self, y_true, y_pred):
        """Both as class numbers."""
        y_true = y_true if self.sparse_y_true else argmax(y_true, self.axis)
        return y_true, y_pred if self.sparse_y_pred else argmax(y_pred, self.axis)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account: y_true, y_pred, and weights of the shape of the pixels or of their first axes."""
        y_true, y_pred = map(convert_to_tensor, self._classes(convert_to_tensor(y_true), convert_to_tensor(y_pred)))
        if y_true.size != y_pred.size:
            raise ShapeError(self.name, "y_true and y_pred must have as many pixels",
                             f"y_true {y_true.shape}, y_pred {y_pred.shape}",
                             "say whether they hold class numbers with sparse_y_true and sparse_y_pred")  # fmt: skip
        y_true, y_pred = _pixels(self.name, y_true, y_pred)
        weights = self._weights(y_true, sample_weight)
        n = self.num_classes
        counts = (y_true >= 0) & (y_true < n) & (y_pred >= 0) & (y_pred < n)
        if self.ignore_class is not None:
            counts = counts & (y_true != self.ignore_class)
        place = where(counts, cast(y_true, "int32") * n + cast(y_pred, "int32"), -1)  # segments below 0 are left out
        found = segment_sum(reshape(weights, (-1,)), reshape(place, (-1,)), n * n)
        self.total_cm.assign_add(reshape(cast(found, self._dtype), (n, n)))

    def _weights(self, y_true, sample_weight):
        """The weights of the pixels, of the shape of y_true."""
        if sample_weight is None:
            return ones_like(y_true, dtype=self._dtype)
        weights = convert_to_tensor(sample_weight)
        if dtypes.is_floating(weights.dtype) and dtypes.is_integer(self._dtype) and not all(floor(weights) == weights):
            raise DTypeError(self.name, "counts that are integers take whole weights only",
                             f"sample_weight has dtype {weights.dtype}",
                             f"make the metric with dtype='{dtypes.floatx()}'")  # fmt: skip
        weights = fit(self.name, "sample_weight", cast(weights, self._dtype), y_true.shape, "y_true")
        return broadcast_to(weights, y_true.shape)

    def result(self):
        """The mean over the classes that count."""
        cm = cast(self.total_cm, dtypes.promote(self._dtype, dtypes.standardize(None)))
        hits = take(diag(cm), self.target_class_ids)
        union = take(sum(cm, 0) + sum(cm, 1), self.target_class_ids) - hits
        occurs = union > 1e-9
        iou = where(occurs, hits / (union + config.epsilon()), 0.0)
        return sum(iou) / (sum(cast(occurs, iou.dtype)) + config.epsilon())

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        names = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**super().get_config(), **{name: getattr(self, name) for name in names if name not in self._fixed}}

    _fixed: ClassVar[tuple] = ()  # attributes that `__init__` of a subclass does not take


def _pixels(name, y_true, y_pred):
    """Both of one shape; where axes differ otherwise than by a last one of 1 their pixels are in one row."""
    if y_true.ndim == y_pred.ndim or abs(y_true.ndim - y_pred.ndim) == 1:
        return same_shape(name, y_true, y_pred)
    return reshape(y_true, (-1,)), reshape(y_pred, (-1,))


class BinaryIoU(IoU):
    """y_true (...) 0 or 1, y_pred (...) -> (). `IoU` of two classes, 1 where y_pred is at least the threshold.

    Args:
        target_class_ids: the classes that count: 0, 1, or both.
        threshold: from it on predictions mean 1.
        name, dtype: see `IoU`.

    Example:
        >>> round(float(edl.metrics.BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
        0.3333
    """

    _fixed: ClassVar[tuple] = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def _classes(self, y_true, y_pred):
        return y_true, cast(y_pred >= self.threshold, "int32")

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {**super().get_config(), "threshold": self.threshold}


class MeanIoU(IoU):
    """y_true (...) class numbers, y_pred (...) class numbers -> (). `IoU` of all classes.

    Args:
        num_classes: how many classes there are.
        name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: see `IoU`.

    Example:
        >>> round(float(edl.metrics.MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
        0.3333
    """

    _fixed: ClassVar[tuple] = ("target_class_ids",)

    def __init__(
        self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True, axis=-1
    ):
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """y_true (..., n) one-hot, y_pred (..., n) scores -> (). `IoU` of the classes of the largest scores.

    Args:
        num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis: see `IoU`.

    Example:
        >>> round(float(edl.metrics.OneHotIoU(2, [0])([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])), 4)
        0.5
    """

    _fixed: ClassVar[tuple] = ("sparse_y_true",)

    def __init__(
        self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """y_true (..., n) one-hot, y_pred (..., n) scores -> (). `IoU` of all classes, by the largest scores.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_pred, axis: see `IoU`.

    Example:
        >>> round(float(edl.metrics.OneHotMeanIoU(2)([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])), 4)
        0.5
    """

    _fixed: ClassVar[tuple] = ("target_class_ids", "sparse_y_true")

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
