"""Rows of the layers in `eagerdl/nn/normalization.py`, `batch_normalization.py` and `spectral_normalization.py`."""

import numpy as np
from layer_cases.builders import Row, normal

import eagerdl as edl

L = edl.layers

RANDOM = {"beta_initializer": "normal", "gamma_initializer": "uniform"}
MOVING = {"moving_mean_initializer": "normal", "moving_variance_initializer": edl.initializers.RandomUniform(0.5, 2.0)}


def by_averages(w, x, axis=-1, epsilon=1e-3):
    gamma, beta, mean, variance = w
    y = gamma * (np.moveaxis(x, axis, -1) - mean) / np.sqrt(variance + epsilon) + beta
    return np.moveaxis(y, -1, axis)


def standard(x, axes, epsilon=1e-3):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def in_groups(w, x, groups, axis=-1):
    x = np.moveaxis(x, axis, -1)
    grouped = x.reshape(*x.shape[:-1], groups, -1)
    y = standard(grouped, tuple(i for i in range(1, grouped.ndim) if i != grouped.ndim - 2)).reshape(x.shape)
    return np.moveaxis(w[0] * y + w[1], -1, axis)


CASES = {
    "BatchNormalization": Row(
        lambda: L.BatchNormalization(**RANDOM, **MOVING), normal(4), weights=[(4,)] * 4, mask=False, reference=by_averages,
    ),
    "BatchNormalization of sequences": Row(
        lambda: L.BatchNormalization(momentum=0.9, **RANDOM, **MOVING), normal(5, 4), weights=[(4,)] * 4, mask=True,
        reference=by_averages,
    ),
    "BatchNormalization, channels first": Row(
        lambda: L.BatchNormalization(axis=1, epsilon=0.1, **RANDOM, **MOVING), normal(3, 4, 2), weights=[(3,)] * 4,
        reference=lambda w, x: by_averages(w, x, 1, 0.1),
    ),
    "BatchNormalization without weights to train": Row(
        lambda: L.BatchNormalization(center=False, scale=False, **MOVING), normal(4), weights=[(4,)] * 2,
        reference=lambda w, x: by_averages((1, 0, *w), x),
    ),
    "BatchNormalization, renormalized": Row(
        lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmax": 3.0, "dmax": 5.0}, gamma_regularizer="l2", **MOVING),
        normal(3, 4), weights=[(4,)] * 7, mask=True, reference=lambda w, x: by_averages(w[:4], x),
    ),
    "LayerNormalization": Row(
        lambda: L.LayerNormalization(**RANDOM), normal(5, 4), weights=[(4,)] * 2, mask=True,
        reference=lambda w, x: w[0] * standard(x, -1) + w[1],
    ),
    "LayerNormalization over several axes": Row(
        lambda: L.LayerNormalization(axis=[3, 1], epsilon=0.1, **RANDOM), normal(2, 3, 4), weights=[(2, 4)] * 2,
        reference=lambda w, x: w[0][:, None] * standard(x, (1, 3), 0.1) + w[1][:, None],
    ),
    "LayerNormalization without weights": Row(
        lambda: L.LayerNormalization(axis=1, center=False, scale=False), normal(3, 4), mask=True,
        reference=lambda w, x: standard(x, 1),
    ),
    "GroupNormalization": Row(
        lambda: L.GroupNormalization(2, **RANDOM), normal(3, 3, 4), weights=[(4,)] * 2,
        reference=lambda w, x: in_groups(w, x, 2),
    ),
    "GroupNormalization of one example's features": Row(
        lambda: L.GroupNormalization(2, **RANDOM), normal(6), weights=[(6,)] * 2, reference=lambda w, x: in_groups(w, x, 2),
    ),
    "GroupNormalization, channels first": Row(
        lambda: L.GroupNormalization(3, axis=1, **RANDOM), normal(6, 2, 4), weights=[(6,)] * 2,
        reference=lambda w, x: in_groups(w, x, 3, 1),
    ),
    "GroupNormalization of each channel": Row(
        lambda: L.GroupNormalization(-1, **RANDOM), normal(5, 3), weights=[(3,)] * 2, mask=True,
        reference=lambda w, x: in_groups(w, x, 3),
    ),
    "RMSNormalization": Row(
        lambda: L.RMSNormalization(), normal(5, 4), weights=[(4,)], mask=True,
        reference=lambda w, x: w[0] * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6),
    ),
    "RMSNormalization over several axes": Row(
        lambda: L.RMSNormalization(axis=(1, 2), epsilon=0.1), normal(5, 4), weights=[(5, 4)],
        reference=lambda w, x: w[0] * x / np.sqrt((x**2).mean((1, 2), keepdims=True) + 0.1),
    ),
    "UnitNormalization": Row(
        lambda: L.UnitNormalization(), normal(5, 4), mask=True,
        reference=lambda w, x: x / np.linalg.norm(x, axis=-1, keepdims=True),
    ),
    "UnitNormalization over several axes": Row(
        lambda: L.UnitNormalization(axis=[1, 2]), normal(5, 4),
        reference=lambda w, x: x / np.sqrt((x**2).sum((1, 2), keepdims=True)),
    ),
    "SpectralNormalization": Row(
        lambda: L.SpectralNormalization(L.Dense(3, bias_initializer="normal"), power_iterations=2), normal(4),
        weights=[(4, 3), (1, 3), (3,)], mask=True, reference=lambda w, x: x @ w[0] + w[2],
    ),
}  # fmt: skip
