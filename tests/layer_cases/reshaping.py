"""Rows of the layers in `eagerdl/nn/reshaping.py`."""

import numpy as np
from layer_cases.builders import Row, integers, normal

import eagerdl as edl

L = edl.layers

CASES = {
    "Flatten": Row(lambda: L.Flatten(), normal(3, 4), reference=lambda w, x: x.reshape(len(x), 12)),
    "Flatten of vectors": Row(lambda: L.Flatten(), normal(3), reference=lambda w, x: x),
    "Flatten of numbers": Row(lambda: L.Flatten(), normal(), reference=lambda w, x: x[:, None]),
    "Flatten of integers": Row(
        lambda: L.Flatten(), integers(2, 3, below=9), floating=False, reference=lambda w, x: x.reshape(len(x), 6),
    ),
    "Flatten with channels first": Row(
        lambda: L.Flatten("channels_first"), normal(2, 3, 4),
        reference=lambda w, x: x.transpose(0, 2, 3, 1).reshape(len(x), 24),
    ),
    "Reshape": Row(lambda: L.Reshape((2, 6)), normal(3, 4), reference=lambda w, x: x.reshape(len(x), 2, 6)),
    "Reshape with a free size": Row(
        lambda: L.Reshape((3, -1, 2)), normal(4, 3), reference=lambda w, x: x.reshape(len(x), 3, 2, 2),
    ),
    "Reshape to one axis": Row(lambda: L.Reshape((-1,)), normal(4, 3), reference=lambda w, x: x.reshape(len(x), 12)),
    "Permute": Row(lambda: L.Permute((2, 3, 1)), normal(2, 3, 4), reference=lambda w, x: np.transpose(x, (0, 2, 3, 1))),
    "RepeatVector": Row(lambda: L.RepeatVector(3), normal(4), reference=lambda w, x: np.stack([x] * 3, 1)),
    "RepeatVector of integers": Row(
        lambda: L.RepeatVector(2), integers(4, below=5), floating=False, reference=lambda w, x: np.stack([x] * 2, 1),
    ),
}  # fmt: skip
