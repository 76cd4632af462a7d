"""Rows of the layers in `eagerdl/nn/activation_layers.py`."""

import numpy as np
from layer_cases.builders import Row, integers, normal

import eagerdl as edl

L = edl.layers


def shares(x, axis):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


CASES = {
    "ReLU": Row(lambda: L.ReLU(), normal(4), mask=True, reference=lambda w, x: np.maximum(x, 0)),
    "ReLU of integers": Row(lambda: L.ReLU(), integers(4, below=9), mask=True, floating=False, reference=lambda w, x: x),
    "ReLU with settings": Row(
        lambda: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.5), normal(3, 5), mask=True,
        reference=lambda w, x: np.where(x >= 1, 1, np.where(x >= 0.5, x, 0.1 * (x - 0.5))),
    ),
    "LeakyReLU": Row(lambda: L.LeakyReLU(), normal(4), mask=True, reference=lambda w, x: np.where(x > 0, x, 0.3 * x)),
    "LeakyReLU by its old name": Row(
        lambda: L.LeakyReLU(alpha=0.5), normal(4), mask=True, reference=lambda w, x: np.where(x > 0, x, 0.5 * x),
    ),
    "ELU": Row(lambda: L.ELU(2.0), normal(4), mask=True, reference=lambda w, x: np.where(x > 0, x, 2 * np.expm1(x))),
    "PReLU": Row(
        lambda: L.PReLU("normal", alpha_regularizer="l2"), normal(3, 4), weights=[(3, 4)], mask=True,
        reference=lambda w, x: np.where(x > 0, x, w[0] * x),
    ),
    "PReLU with shared slopes": Row(
        lambda: L.PReLU("uniform", shared_axes=[1, 2]), normal(3, 5, 4), weights=[(1, 1, 4)], mask=True,
        reference=lambda w, x: np.where(x > 0, x, w[0] * x),
    ),
    "Softmax": Row(lambda: L.Softmax(), normal(4), reference=lambda w, x: shares(x, -1)),
    "Softmax along several axes": Row(lambda: L.Softmax([1, 2]), normal(3, 4), reference=lambda w, x: shares(x, (1, 2))),
    "Softmax with a mask": Row(
        lambda: L.Softmax(), normal(4), named={"mask": np.array([True, False, True, False])},
        reference=lambda w, x, mask: shares(np.where(mask, x, -np.inf), -1),
    ),
}  # fmt: skip
