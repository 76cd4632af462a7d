"""Helpers for programs: seeds, downloads, labels and sequences, images, and data sets of arrays and folders."""

from eagerdl.data.py_dataset import PyDataset, Sequence
from eagerdl.data.weights import pack_x_y_sample_weight, unpack_x_y_sample_weight
from eagerdl.messages import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from eagerdl.models.plot import model_to_dot, plot_model
from eagerdl.nn.symbolic import is_keras_tensor
from eagerdl.registry import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from eagerdl.utils.arrays import normalize, pad_sequences, standardize_dtype, to_categorical
from eagerdl.utils.config import Config
from eagerdl.utils.feature_space import FeatureSpace
from eagerdl.utils.files import get_file
from eagerdl.utils.images import array_to_img, img_to_array, load_img, save_img
from eagerdl.utils.media import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from eagerdl.utils.progbar import Progbar
from eagerdl.utils.series import split_dataset, timeseries_dataset_from_array
from eagerdl.utils.session import clear_session, set_random_seed

__all__ = [
    "Config", "CustomObjectScope", "FeatureSpace", "Progbar", "PyDataset", "Sequence", "array_to_img",
    "audio_dataset_from_directory", "clear_session", "custom_object_scope", "deserialize_keras_object",
    "disable_interactive_logging", "enable_interactive_logging", "get_custom_objects", "get_file", "get_registered_name",
    "get_registered_object", "image_dataset_from_directory", "img_to_array", "is_interactive_logging_enabled",
    "is_keras_tensor", "load_img", "model_to_dot", "normalize", "pack_x_y_sample_weight", "pad_sequences", "plot_model",
    "register_keras_serializable", "save_img", "serialize_keras_object", "set_random_seed", "split_dataset",
    "standardize_dtype", "text_dataset_from_directory", "timeseries_dataset_from_array", "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip
