"""Rows of the layers in `eagerdl/nn/convolution.py` and `eagerdl/nn/separable.py`."""

import numpy as np
from layer_cases.builders import Row, channels_first, normal

import eagerdl as edl

L = edl.layers


def convolved(x, kernel, strides=1, padding="valid", dilation=1):
    """x (n, *size, c), kernel (*k, c / groups, f) -> (n, *out, f), one output after the other."""
    size, rank = np.array(x.shape[1:-1]), x.ndim - 2
    s, d = np.broadcast_to(strides, rank), np.broadcast_to(dilation, rank)
    reach = (np.array(kernel.shape[:-2]) - 1) * d + 1
    missing = {"valid": 0 * size, "same": np.maximum((-(-size // s) - 1) * s + reach - size, 0), "causal": reach - 1}[
        padding
    ]
    before = missing if padding == "causal" else missing // 2
    x = np.pad(x, [(0, 0), *zip(before, missing - before), (0, 0)])
    groups, filters = x.shape[-1] // kernel.shape[-2], kernel.shape[-1]
    out = np.zeros((len(x), *(size + missing - reach) // s + 1, filters))
    for place in np.ndindex(*out.shape[1:-1]):
        patch = x[:, *[slice(i * a, i * a + r, b) for i, a, r, b in zip(place, s, reach, d)]]
        for g in range(groups):
            mine = np.split(np.arange(filters), groups)[g]
            out[:, *place, mine] = np.tensordot(np.split(patch, groups, -1)[g], kernel[..., mine], rank + 1)
    return out


def spread(x, kernel, strides, padding="valid", extra=None, dilation=1):
    """x (n, *size, c), kernel (*k, f, c) -> (n, *out, f): each element adds a kernel to the output."""
    size, rank = np.array(x.shape[1:-1]), x.ndim - 2
    s, d = np.broadcast_to(strides, rank), np.broadcast_to(dilation, rank)
    reach = (np.array(kernel.shape[:-2]) - 1) * d + 1
    if extra is None:
        out = (size - 1) * s + np.maximum(reach, s) if padding == "valid" else size * s
    else:
        out = (size - 1) * s + (reach if padding == "valid" else reach % 2) + extra
    before = np.maximum((size - 1) * s + reach - out, 0) // 2  # what is too much is cut off at both ends
    whole = np.zeros((len(x), *(out + (size - 1) * s + 2 * reach), kernel.shape[-2]))
    for place in np.ndindex(*size):
        whole[:, *[slice(i * a, i * a + r, b) for i, a, r, b in zip(place, s, reach, d)]] += np.tensordot(
            x[:, *place], kernel, (-1, -1)
        )
    return whole[:, *[slice(b, b + n) for b, n in zip(before, out)]]


def depthwise(x, kernel, **arguments):
    *k, c, m = kernel.shape
    return convolved(x, kernel.reshape(*k, 1, c * m), **arguments)


CASES = {
    "Conv1D": Row(
        lambda: L.Conv1D(3, 2, activation="tanh", bias_initializer="normal"),
        normal(5, 2), weights=[(2, 2, 3), (3,)],
        reference=lambda w, x: np.tanh(convolved(x, w[0]) + w[1]),
    ),
    "Conv1D causal, dilated": Row(
        lambda: L.Conv1D(2, 3, padding="causal", dilation_rate=2, strides=2),
        normal(7, 2), weights=[(3, 2, 2), (2,)],
        reference=lambda w, x: convolved(x, w[0], 2, "causal", 2),
    ),
    "Conv1D causal, channels first": Row(
        lambda: L.Conv1D(2, 2, padding="causal", data_format="channels_first", bias_initializer="normal"),
        normal(2, 4), weights=[(2, 2, 2), (2,)],
        reference=channels_first(lambda w, x: convolved(x, w[0], padding="causal") + w[1]),
    ),
    "Conv2D": Row(
        lambda: L.Conv2D(3, (2, 3), bias_initializer="normal"),
        normal(4, 5, 2), weights=[(2, 3, 2, 3), (3,)],
        reference=lambda w, x: convolved(x, w[0]) + w[1],
    ),
    "Conv2D same, strides": Row(
        lambda: L.Conv2D(2, (3, 2), strides=(2, 3), padding="SAME", activation="sigmoid"),
        normal(5, 4, 1), weights=[(3, 2, 1, 2), (2,)],
        reference=lambda w, x: 1 / (1 + np.exp(-convolved(x, w[0], (2, 3), "same"))),
    ),
    "Conv2D strides and dilation": Row(
        lambda: L.Conv2D(1, 2, strides=2, dilation_rate=(2, 3)),
        normal(6, 6, 1), weights=[(2, 2, 1, 1), (1,)],
        reference=lambda w, x: convolved(x, w[0], 2, "valid", (2, 3)),
    ),
    "Conv2D groups": Row(
        lambda: L.Conv2D(6, 2, groups=3, padding="same", use_bias=False),
        normal(3, 2, 6), weights=[(2, 2, 2, 6)],
        reference=lambda w, x: convolved(x, w[0], padding="same"),
    ),
    "Conv2D channels first": Row(
        lambda: L.Conv2D(4, 2, groups=2, data_format="channels_first", bias_initializer="normal"),
        normal(2, 4, 3), weights=[(2, 2, 1, 4), (4,)],
        reference=channels_first(lambda w, x: convolved(x, w[0]) + w[1]),
    ),
    "Conv2D regularized": Row(
        lambda: L.Conv2D(2, 2, kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l2",
                         kernel_constraint="non_neg", bias_constraint="max_norm"),
        normal(3, 3, 1), weights=[(2, 2, 1, 2), (2,)],
        reference=lambda w, x: convolved(x, w[0]) + w[1],
    ),
    "Conv2D with LoRA": Row(
        lambda: L.Conv2D(3, 2, lora_rank=2, lora_alpha=4, name="low_rank"),
        normal(3, 3, 2), weights=[(2, 2, 2, 3), (3,), (2, 2, 2, 2), (2, 3)],
        reference=lambda w, x: convolved(x, w[0] + 2 * w[2] @ w[3]) + w[1],
    ),
    "Conv3D": Row(
        lambda: L.Conv3D(2, 2, strides=(1, 2, 1), bias_initializer="normal"),
        normal(3, 4, 2, 2), weights=[(2, 2, 2, 2, 2), (2,)],
        reference=lambda w, x: convolved(x, w[0], (1, 2, 1)) + w[1],
    ),
    "Conv3D same, channels first": Row(
        lambda: L.Conv3D(1, (2, 1, 3), padding="same", data_format="channels_first"),
        normal(2, 2, 3, 2), weights=[(2, 1, 3, 2, 1), (1,)],
        reference=channels_first(lambda w, x: convolved(x, w[0], padding="same")),
    ),
    "Conv1DTranspose": Row(
        lambda: L.Conv1DTranspose(3, 2, strides=2, activation="tanh", bias_initializer="normal"),
        normal(4, 2), weights=[(2, 3, 2), (3,)],
        reference=lambda w, x: np.tanh(spread(x, w[0], 2) + w[1]),
    ),
    "Conv1DTranspose strides beyond the kernel": Row(
        lambda: L.Conv1DTranspose(1, 2, strides=3, use_bias=False),
        normal(3, 2), weights=[(2, 1, 2)],
        reference=lambda w, x: spread(x, w[0], 3),
    ),
    "Conv2DTranspose": Row(
        lambda: L.Conv2DTranspose(2, 3, bias_initializer="normal"),
        normal(3, 2, 2), weights=[(3, 3, 2, 2), (2,)],
        reference=lambda w, x: spread(x, w[0], 1) + w[1],
    ),
    "Conv2DTranspose same": Row(
        lambda: L.Conv2DTranspose(2, (3, 4), strides=2, padding="same"),
        normal(3, 2, 1), weights=[(3, 4, 2, 1), (2,)],
        reference=lambda w, x: spread(x, w[0], 2, "same"),
    ),
    "Conv2DTranspose output_padding": Row(
        lambda: L.Conv2DTranspose(1, 2, strides=(2, 3), output_padding=(0, 2)),
        normal(2, 3, 2), weights=[(2, 2, 1, 2), (1,)],
        reference=lambda w, x: spread(x, w[0], (2, 3), extra=np.array([0, 2])),
    ),
    "Conv2DTranspose same, output_padding": Row(
        lambda: L.Conv2DTranspose(1, 3, strides=2, padding="same", output_padding=(0, 1)),
        normal(2, 3, 2), weights=[(3, 3, 1, 2), (1,)],
        reference=lambda w, x: spread(x, w[0], 2, "same", np.array([0, 1])),
    ),
    "Conv2DTranspose channels first, dilated": Row(
        lambda: L.Conv2DTranspose(3, 2, strides=2, dilation_rate=2, data_format="channels_first", bias_initializer="normal"),
        normal(2, 2, 3), weights=[(2, 2, 3, 2), (3,)],
        reference=channels_first(lambda w, x: spread(x, w[0], 2, dilation=2) + w[1]),
    ),
    "Conv3DTranspose": Row(
        lambda: L.Conv3DTranspose(2, (2, 1, 2), strides=(2, 1, 1), bias_initializer="normal"),
        normal(2, 2, 2, 1), weights=[(2, 1, 2, 2, 1), (2,)],
        reference=lambda w, x: spread(x, w[0], (2, 1, 1)) + w[1],
    ),
    "DepthwiseConv1D": Row(
        lambda: L.DepthwiseConv1D(3, padding="same", strides=2, activation="tanh", bias_initializer="normal"),
        normal(5, 3), weights=[(3, 3, 1), (3,)],
        reference=lambda w, x: np.tanh(depthwise(x, w[0], strides=2, padding="same") + w[1]),
    ),
    "DepthwiseConv2D": Row(
        lambda: L.DepthwiseConv2D((2, 3), depth_multiplier=2, depthwise_regularizer="l2", bias_initializer="normal"),
        normal(3, 4, 2), weights=[(2, 3, 2, 2), (4,)],
        reference=lambda w, x: depthwise(x, w[0]) + w[1],
    ),
    "DepthwiseConv2D channels first, dilated": Row(
        lambda: L.DepthwiseConv2D(2, depth_multiplier=2, dilation_rate=2, data_format="channels_first", use_bias=False),
        normal(2, 4, 3), weights=[(2, 2, 2, 2)],
        reference=channels_first(lambda w, x: depthwise(x, w[0], dilation=2)),
    ),
    "SeparableConv1D": Row(
        lambda: L.SeparableConv1D(3, 2, depth_multiplier=2, activation="tanh", bias_initializer="normal"),
        normal(4, 2), weights=[(2, 2, 2), (1, 4, 3), (3,)],
        reference=lambda w, x: np.tanh(depthwise(x, w[0]) @ w[1][0] + w[2]),
    ),
    "SeparableConv2D": Row(
        lambda: L.SeparableConv2D(3, 2, strides=2, padding="same", pointwise_regularizer="l2", bias_initializer="normal"),
        normal(3, 4, 2), weights=[(2, 2, 2, 1), (1, 1, 2, 3), (3,)],
        reference=lambda w, x: depthwise(x, w[0], strides=2, padding="same") @ w[1][0, 0] + w[2],
    ),
    "SeparableConv2D channels first": Row(
        lambda: L.SeparableConv2D(3, 2, depth_multiplier=2, data_format="channels_first", use_bias=False),
        normal(2, 3, 4), weights=[(2, 2, 2, 2), (1, 1, 4, 3)],
        reference=channels_first(lambda w, x: depthwise(x, w[0]) @ w[1][0, 0]),
    ),
}  # fmt: skip
