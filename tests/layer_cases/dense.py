"""Rows of the layers in `eagerdl/nn/dense.py`."""

import numpy as np
from layer_cases.builders import Row, normal

import eagerdl as edl

L = edl.layers

CASES = {
    "Dense": Row(
        lambda: L.Dense(3, activation="tanh", bias_initializer="normal"),
        normal(4), weights=[(4, 3), (3,)], mask=True,
        reference=lambda w, x: np.tanh(x @ w[0] + w[1]),
    ),
    "Dense of sequences, no bias, regularized": Row(
        lambda: L.Dense(3, use_bias=False, kernel_regularizer="l2"),
        normal(5, 4), weights=[(4, 3)], mask=True,
        reference=lambda w, x: np.einsum("btn,nu->btu", x, w[0]),
    ),
    "Dense with LoRA": Row(
        lambda: L.Dense(3, lora_rank=2, lora_alpha=4, name="low_rank"),
        normal(4), weights=[(4, 3), (3,), (4, 2), (2, 3)], mask=True,
        reference=lambda w, x: x @ (w[0] + 2 * w[2] @ w[3]) + w[1],
    ),
}  # fmt: skip
