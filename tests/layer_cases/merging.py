"""Rows of the layers in `eagerdl/nn/merging.py`."""

import numpy as np
from layer_cases.builders import Row, integers, normal, several

import eagerdl as edl

L = edl.layers


def cosines(x, y):
    return np.einsum("bn,bn->b", x, y)[:, None] / np.sqrt((x**2).sum(1) * (y**2).sum(1))[:, None]


CASES = {
    "Add": Row(lambda: L.Add(), several(normal(3, 4), normal(3, 4), normal(3, 4)), reference=lambda w, x: x[0] + x[1] + x[2]),
    "Add that broadcasts": Row(
        lambda: L.Add(), several(normal(4), normal(3, 1), normal(5, 1, 4)),
        reference=lambda w, x: x[0][:, None, None] + x[1][:, None] + x[2],
    ),
    "Add of one": Row(lambda: L.Add(), several(normal(4)), reference=lambda w, x: x[0]),
    "Add of integers": Row(
        lambda: L.Add(), several(integers(4, below=5), integers(4, below=5)), floating=False,
        reference=lambda w, x: x[0] + x[1],
    ),
    "Subtract": Row(lambda: L.Subtract(), several(normal(3, 4), normal(3, 4)), reference=lambda w, x: x[0] - x[1]),
    "Multiply": Row(lambda: L.Multiply(), several(normal(4), normal(4), normal(4)), reference=lambda w, x: x[0] * x[1] * x[2]),
    "Average": Row(lambda: L.Average(), several(normal(4), normal(4), normal(4)), reference=lambda w, x: sum(x) / 3),
    "Maximum": Row(lambda: L.Maximum(), several(normal(4), normal(4), normal(4)), reference=lambda w, x: np.max(x, 0)),
    "Minimum": Row(lambda: L.Minimum(), several(normal(2, 4), normal(2, 4)), reference=lambda w, x: np.min(x, 0)),
    "Concatenate": Row(
        lambda: L.Concatenate(), several(normal(3, 4), normal(3, 2)), reference=lambda w, x: np.concatenate(x, -1),
    ),
    "Concatenate along time": Row(
        lambda: L.Concatenate(axis=1), several(normal(3, 4), normal(1, 4), normal(2, 4)),
        reference=lambda w, x: np.concatenate(x, 1),
    ),
    "Concatenate of integers": Row(
        lambda: L.Concatenate(), several(integers(4, below=5), integers(2, below=5)), floating=False,
        reference=lambda w, x: np.concatenate(x, 1),
    ),
    "Dot": Row(lambda: L.Dot(axes=1), several(normal(4), normal(4)), reference=lambda w, x: np.sum(x[0] * x[1], 1)[:, None]),
    "Dot of matrices": Row(
        lambda: L.Dot(axes=(1, 2)), several(normal(3, 5), normal(10, 3)),
        reference=lambda w, x: np.einsum("bni,bjn->bij", *x),
    ),
    "Dot of a vector and a box": Row(
        lambda: L.Dot(axes=(-1, 2)), several(normal(3), normal(2, 3, 4)), reference=lambda w, x: np.einsum("bn,binj->bij", *x),
    ),
    "Dot of boxes": Row(
        lambda: L.Dot(axes=(2, -2)), several(normal(2, 3, 4), normal(2, 3, 5)),
        reference=lambda w, x: np.einsum("bjnk,binl->bjkil", *x),
    ),
    "Dot, normalized": Row(
        lambda: L.Dot(axes=-1, normalize=True), several(normal(4), normal(4)), reference=lambda w, x: cosines(*x),
    ),
}  # fmt: skip
