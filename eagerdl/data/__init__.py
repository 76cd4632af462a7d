"""Data pipelines: from files and arrays to batches."""

from eagerdl.data.adapters import as_batches
from eagerdl.data.arrays import ArrayBatches
from eagerdl.data.conversion import train_validation_split
from eagerdl.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, DatasetIterator
from eagerdl.data.feeds import Batches
from eagerdl.data.options import Options, ThreadingOptions
from eagerdl.data.py_dataset import PyDataset, Sequence
from eagerdl.data.structure import ArraySpec, DatasetSpec
from eagerdl.data.weights import class_weight_to_sample_weights, pack_x_y_sample_weight, unpack_x_y_sample_weight

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "ArrayBatches", "ArraySpec", "Batches", "Dataset",
    "DatasetIterator", "DatasetSpec", "Options", "PyDataset", "Sequence", "ThreadingOptions", "as_batches",
    "class_weight_to_sample_weights", "pack_x_y_sample_weight", "train_validation_split", "unpack_x_y_sample_weight",
]  # fmt: skip
