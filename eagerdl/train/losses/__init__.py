"""Losses: what training makes small. Functions give a loss for each example, classes one number for a batch."""

from eagerdl import registry as _registry
from eagerdl.train.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from eagerdl.train.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from eagerdl.train.losses.loss import Loss, LossFunctionWrapper
from eagerdl.train.losses.margins import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from eagerdl.train.losses.overlap import Dice, Tversky, dice, tversky
from eagerdl.train.losses.probabilistic import KLDivergence, Poisson, kl_divergence, poisson
from eagerdl.train.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from eagerdl.train.losses.sequences import CTC, ctc
from eagerdl.train.losses.similarity import Circle, CosineSimilarity, circle, cosine_similarity

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CTC", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy", "CategoricalHinge", "Circle", "CosineSimilarity", "Dice", "Hinge", "Huber",
    "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Poisson", "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky",
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "categorical_hinge", "circle", "cosine_similarity", "ctc", "deserialize",
    "dice", "get", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error", "poisson", "serialize", "sparse_categorical_crossentropy",
    "squared_hinge", "tversky",
]  # fmt: skip

_LOOKUP = ("deserialize", "get", "serialize")
_OBJECTS = {name: globals()[name] for name in __all__ if name not in _LOOKUP}
_registry.add_area("losses", {**_OBJECTS, "LossFunctionWrapper": LossFunctionWrapper})

# Short names, in both cases as people write them.
SHORT = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "kullback_leibler_divergence": kl_divergence,
    "logcosh": log_cosh,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}
TABLE = {**_OBJECTS, **SHORT, **{name.upper(): found for name, found in SHORT.items() if len(name) < 5}}


def get(identifier):
    """The loss for whatever a user may pass for one.

    Args:
        identifier: a name ("mse", "mean_squared_error" give the function, "MeanSquaredError" an object), a config, a class,
            a loss, a function of y_true and y_pred, or None, which stays None.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.

    Example:
        >>> edl.losses.get("mse") is edl.losses.mean_squared_error
        True
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return _registry.resolve("loss", identifier, TABLE, Loss)


def serialize(loss):
    """The config of a loss or of a function: a dict that JSON can hold.

    Example:
        >>> edl.losses.serialize(edl.losses.Dice(axis=1))["config"]
        {'name': 'dice', 'reduction': 'sum_over_batch_size', 'axis': 1}
    """
    return _registry.serialize_keras_object(loss)


def deserialize(name, custom_objects=None):
    """The loss that `serialize` described.

    Args:
        name: what `serialize` gave, or a name.
        custom_objects: a dict of names that the config uses.

    Raises:
        ArgumentError: for an unknown name.

    Example:
        >>> edl.losses.deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).delta
        2.0
    """
    with _registry.CustomObjectScope(custom_objects):
        if isinstance(name, dict):
            return _registry.deserialize_keras_object({"module": "keras.losses", **name})
        return _registry.resolve("loss", name, TABLE, Loss)


__getattr__ = _registry.guide("losses", __all__)
