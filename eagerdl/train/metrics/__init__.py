"""Metrics: what people read while models train. Objects gather batches, functions give a number for each example."""

import inspect as _inspect

from eagerdl import registry as _registry
from eagerdl.nn.names import snake_case as _snake_case
from eagerdl.train.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from eagerdl.train.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from eagerdl.train.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from eagerdl.train.metrics.curves import (
    AUC,
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from eagerdl.train.metrics.fscore import F1Score, FBetaScore
from eagerdl.train.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from eagerdl.train.metrics.margins import CategoricalHinge, Hinge, SquaredHinge
from eagerdl.train.metrics.metric import Metric
from eagerdl.train.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from eagerdl.train.metrics.reduction import Mean, MeanMetricWrapper, Sum
from eagerdl.train.metrics.regression import (
    ConcordanceCorrelation,
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
    concordance_correlation,
    pearson_correlation,
)

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation", "CosineSimilarity", "F1Score", "FBetaScore",
    "FalseNegatives", "FalsePositives", "Hinge", "IoU", "KLDivergence", "LogCoshError", "Mean", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanIoU", "MeanMetricWrapper", "MeanSquaredError", "MeanSquaredLogarithmicError",
    "Metric", "OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation", "Poisson", "Precision", "PrecisionAtRecall", "R2Score",
    "Recall", "RecallAtPrecision", "RootMeanSquaredError", "SensitivityAtSpecificity", "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge", "Sum",
    "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "binary_accuracy", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_accuracy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_hinge", "concordance_correlation", "deserialize", "get", "hinge", "huber", "kl_divergence", "log_cosh",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "pearson_correlation", "poisson", "serialize", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
]  # fmt: skip

_LOOKUP = ("deserialize", "get", "serialize")
_OBJECTS = {name: globals()[name] for name in __all__ if name not in _LOOKUP}
_registry.add_area("metrics", _OBJECTS)

# Names in snake case mean objects, too, also where there is a function of that name.
_CLASSES = {name: found for name, found in _OBJECTS.items() if _inspect.isclass(found)}
SHORT = {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
TABLE = {
    **_OBJECTS,
    **{_snake_case(name): found for name, found in _CLASSES.items()},
    **SHORT,
    **{name.upper(): found for name, found in SHORT.items()},
}


def get(identifier):
    """The metric for whatever a user may pass for one.

    Args:
        identifier: a name ("mse", "mean_squared_error", "MeanSquaredError"), which gives an object, a config, a class, a
            metric, a function of y_true and y_pred, or None, which stays None.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.

    Example:
        >>> edl.metrics.get("mse")
        <MeanSquaredError name=mean_squared_error>
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return _registry.resolve("metric", identifier, TABLE, Metric)


def serialize(metric):
    """The config of a metric or of a function: a dict that JSON can hold.

    Example:
        >>> edl.metrics.serialize(edl.metrics.Mean())["config"]
        {'name': 'mean', 'dtype': 'float32'}
    """
    return _registry.serialize_keras_object(metric)


def deserialize(config, custom_objects=None):
    """The metric that `serialize` described.

    Args:
        config: what `serialize` gave, or a name.
        custom_objects: a dict of names that the config uses.

    Raises:
        ArgumentError: for an unknown name.

    Example:
        >>> edl.metrics.deserialize({"class_name": "Precision", "config": {"name": "p", "top_k": 2}})
        <Precision name=p>
    """
    with _registry.CustomObjectScope(custom_objects):
        if isinstance(config, dict):
            return _registry.deserialize_keras_object({"module": "keras.metrics", **config})
        return _registry.resolve("metric", config, TABLE, Metric)


__getattr__ = _registry.guide("metrics", __all__)
