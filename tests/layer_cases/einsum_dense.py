"""Rows of the layers in `eagerdl/nn/einsum_dense.py`."""

import numpy as np
from layer_cases.builders import Row, normal

import eagerdl as edl

L = edl.layers

CASES = {
    "EinsumDense": Row(
        lambda: L.EinsumDense("ab,bc->ac", 3, activation="tanh", bias_axes="c", bias_initializer="normal"), normal(4),
        weights=[(4, 3), (3,)], reference=lambda w, x: np.tanh(x @ w[0] + w[1]),
    ),
    "EinsumDense of sequences": Row(
        lambda: L.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", bias_initializer="normal"), normal(3, 4),
        weights=[(4, 5), (5,)], reference=lambda w, x: x @ w[0] + w[1],
    ),
    "EinsumDense of the axes behind": Row(
        lambda: L.EinsumDense("...x,xy->...y", 5, bias_axes="y", bias_initializer="normal"), normal(2, 3, 4),
        weights=[(4, 5), (5,)], reference=lambda w, x: x @ w[0] + w[1],
    ),
    "EinsumDense of the axis in front": Row(
        lambda: L.EinsumDense("ab...,bc->ac...", 5, bias_axes="c", bias_initializer="normal"), normal(4, 2, 3),
        weights=[(4, 5), (5, 1, 1)], reference=lambda w, x: np.einsum("abxy,bc->acxy", x, w[0]) + w[1],
    ),
    "EinsumDense of heads": Row(
        lambda: L.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de", bias_initializer="normal"), normal(3, 4),
        weights=[(4, 2, 5), (2, 5)], reference=lambda w, x: np.einsum("abc,cde->abde", x, w[0]) + w[1],
    ),
    "EinsumDense that merges heads": Row(
        lambda: L.EinsumDense("abde,dec->abc", (3, 6), bias_axes="b", bias_initializer="normal"), normal(3, 2, 5),
        weights=[(2, 5, 6), (3, 1)], reference=lambda w, x: np.einsum("abde,dec->abc", x, w[0]) + w[1],
    ),
    "EinsumDense with a kernel per step": Row(
        lambda: L.EinsumDense("abc,bcd->abd", (None, 5)), normal(3, 4), weights=[(3, 4, 5)],
        reference=lambda w, x: np.einsum("abc,bcd->abd", x, w[0]),
    ),
    "EinsumDense with LoRA": Row(
        lambda: L.EinsumDense("abc,cde->abde", (3, 2, 5), lora_rank=2, lora_alpha=6), normal(3, 4),
        weights=[(4, 2, 5), (4, 2, 2), (2, 5)],
        reference=lambda w, x: np.einsum("abc,cde->abde", x, w[0] + 3 * w[1] @ w[2]),
    ),
}  # fmt: skip
