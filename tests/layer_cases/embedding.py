"""Rows of the layers in `eagerdl/nn/embedding.py`."""

import numpy as np
from layer_cases.builders import Row, integers, normal

import eagerdl as edl

L = edl.layers

CASES = {
    "Embedding": Row(
        lambda: L.Embedding(7, 3, embeddings_regularizer="l2"), integers(5, below=7), weights=[(7, 3)],
        reference=lambda w, x: w[0][x],
    ),
    "Embedding of numbers": Row(lambda: L.Embedding(7, 3), integers(below=7), weights=[(7, 3)], reference=lambda w, x: w[0][x]),
    "Embedding with a mask": Row(
        lambda: L.Embedding(7, 3, mask_zero=True), integers(5, 2, below=7), weights=[(7, 3)], reference=lambda w, x: w[0][x],
    ),
    "Embedding with LoRA": Row(
        lambda: L.Embedding(7, 3, lora_rank=2, lora_alpha=4), integers(5, below=7), weights=[(7, 3), (7, 2), (2, 3)],
        reference=lambda w, x: (w[0] + 2 * w[1] @ w[2])[x],
    ),
    "ReversibleEmbedding": Row(
        lambda: L.ReversibleEmbedding(7, 3, mask_zero=True), integers(5, below=7), weights=[(7, 3)],
        reference=lambda w, x: w[0][x],
    ),
    "ReversibleEmbedding, back": Row(
        lambda: L.ReversibleEmbedding(7, 3), normal(5, 3), named={"reverse": True}, weights=[(7, 3)], settings=("reverse",),
        reference=lambda w, x, reverse: x @ w[0].T,
    ),
    "ReversibleEmbedding, back by its own matrix": Row(
        lambda: L.ReversibleEmbedding(7, 3, tie_weights=False, logit_soft_cap=0.5), normal(5, 3), named={"reverse": True},
        weights=[(7, 3), (3, 7)], settings=("reverse",), idle=(0,), reference=lambda w, x, reverse: 0.5 * np.tanh(x @ w[1] / 0.5),
    ),
}  # fmt: skip
