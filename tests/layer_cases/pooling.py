"""Rows of the layers in `eagerdl/nn/pooling.py`."""

import numpy as np
from layer_cases.builders import Row, channels_first, normal

import eagerdl as edl

L = edl.layers


def pooled(x, function, size, strides, padding="valid"):
    """x (n, *size, c) -> (n, *out, c): `function` of each window, of what lies inside where it reaches over the ends."""
    n, rank = np.array(x.shape[1:-1]), x.ndim - 2
    k, s = np.broadcast_to(size, rank), np.broadcast_to(strides, rank)
    count = (n - k) // s + 1 if padding == "valid" else -(-n // s)
    before = 0 * n if padding == "valid" else np.maximum((count - 1) * s + k - n, 0) // 2
    out = np.zeros((len(x), *count, x.shape[-1]))
    for place in np.ndindex(*count):
        starts = np.array(place) * s - before
        window = x[:, *[slice(max(0, a), a + b) for a, b in zip(starts, k)]]
        out[:, *place] = function(window, tuple(range(1, rank + 1)))
    return out


def regions(x, function, count):
    """x (n, *size, c) -> (n, *count, c): `function` of each of `count` regions."""
    rank, out = x.ndim - 2, np.zeros((len(x), *count, x.shape[-1]))
    for place in np.ndindex(*count):
        cuts = [slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, x.shape[1:-1], count)]
        out[:, *place] = function(x[:, *cuts], tuple(range(1, rank + 1)))
    return out


CASES = {
    "MaxPooling1D": Row(lambda: L.MaxPooling1D(), normal(5, 2), reference=lambda w, x: pooled(x, np.max, 2, 2)),
    "MaxPooling1D same": Row(
        lambda: L.MaxPooling1D(3, strides=2, padding="same"), normal(6, 2),
        reference=lambda w, x: pooled(x, np.max, 3, 2, "same"),
    ),
    "MaxPooling2D": Row(lambda: L.MaxPooling2D(), normal(4, 5, 2), reference=lambda w, x: pooled(x, np.max, 2, 2)),
    "MaxPooling2D same, overlapping": Row(
        lambda: L.MaxPooling2D((3, 2), strides=(2, 1), padding="SAME"), normal(4, 3, 2),
        reference=lambda w, x: pooled(x, np.max, (3, 2), (2, 1), "same"),
    ),
    "MaxPooling2D channels first": Row(
        lambda: L.MaxPooling2D((1, 2), strides=1, data_format="channels_first"), normal(2, 3, 4),
        reference=channels_first(lambda w, x: pooled(x, np.max, (1, 2), 1)),
    ),
    "MaxPooling3D": Row(
        lambda: L.MaxPooling3D((2, 1, 2)), normal(4, 2, 3, 1), reference=lambda w, x: pooled(x, np.max, (2, 1, 2), (2, 1, 2))
    ),
    "AveragePooling1D": Row(
        lambda: L.AveragePooling1D(3, 1), normal(5, 2), reference=lambda w, x: pooled(x, np.mean, 3, 1)
    ),
    "AveragePooling2D": Row(
        lambda: L.AveragePooling2D(2, padding="same"), normal(3, 5, 2),
        reference=lambda w, x: pooled(x, np.mean, 2, 2, "same"),
    ),
    "AveragePooling2D channels first": Row(
        lambda: L.AveragePooling2D(3, 2, "same", "channels_first", "small"), normal(2, 4, 3),
        reference=channels_first(lambda w, x: pooled(x, np.mean, 3, 2, "same")),
    ),
    "AveragePooling3D": Row(
        lambda: L.AveragePooling3D(2, strides=1), normal(2, 3, 3, 1), reference=lambda w, x: pooled(x, np.mean, 2, 1)
    ),
    "GlobalMaxPooling1D": Row(lambda: L.GlobalMaxPooling1D(), normal(4, 3), reference=lambda w, x: x.max(1)),
    "GlobalMaxPooling2D": Row(
        lambda: L.GlobalMaxPooling2D(keepdims=True), normal(2, 3, 2), reference=lambda w, x: x.max((1, 2), keepdims=True)
    ),
    "GlobalMaxPooling3D": Row(
        lambda: L.GlobalMaxPooling3D("channels_first"), normal(2, 2, 3, 2), reference=lambda w, x: x.max((2, 3, 4))
    ),
    "GlobalAveragePooling1D": Row(lambda: L.GlobalAveragePooling1D(), normal(4, 3), reference=lambda w, x: x.mean(1)),
    "GlobalAveragePooling1D mask": Row(
        lambda: L.GlobalAveragePooling1D(keepdims=True), normal(3, 2),
        named={"mask": lambda generator, batch: np.arange(3) <= np.arange(batch)[:, None] % 3},
        reference=lambda w, x, mask: (x * mask[..., None]).sum(1, keepdims=True) / mask.sum(1)[:, None, None],
    ),
    "GlobalAveragePooling1D mask, channels first": Row(
        lambda: L.GlobalAveragePooling1D("channels_first"), normal(2, 3),
        named={"mask": lambda generator, batch: np.arange(3) <= np.arange(batch)[:, None] % 3},
        reference=lambda w, x, mask: (x * mask[:, None]).sum(2) / mask.sum(1)[:, None],
    ),
    "GlobalAveragePooling2D": Row(lambda: L.GlobalAveragePooling2D(), normal(2, 3, 2), reference=lambda w, x: x.mean((1, 2))),
    "GlobalAveragePooling2D channels first": Row(
        lambda: L.GlobalAveragePooling2D("channels_first", True), normal(2, 3, 2),
        reference=lambda w, x: x.mean((2, 3), keepdims=True),
    ),
    "GlobalAveragePooling3D": Row(
        lambda: L.GlobalAveragePooling3D(), normal(2, 3, 2, 2), reference=lambda w, x: x.mean((1, 2, 3))
    ),
    "AdaptiveMaxPooling1D": Row(
        lambda: L.AdaptiveMaxPooling1D(3), normal(5, 2), reference=lambda w, x: regions(x, np.max, (3,))
    ),
    "AdaptiveMaxPooling2D": Row(
        lambda: L.AdaptiveMaxPooling2D((2, 3)), normal(3, 4, 2), reference=lambda w, x: regions(x, np.max, (2, 3))
    ),
    "AdaptiveMaxPooling3D": Row(
        lambda: L.AdaptiveMaxPooling3D((1, 2, 2), data_format="channels_first"), normal(1, 2, 3, 4),
        reference=channels_first(lambda w, x: regions(x, np.max, (1, 2, 2))),
    ),
    "AdaptiveAveragePooling1D": Row(
        lambda: L.AdaptiveAveragePooling1D(3), normal(5, 2), reference=lambda w, x: regions(x, np.mean, (3,))
    ),
    "AdaptiveAveragePooling2D": Row(
        lambda: L.AdaptiveAveragePooling2D(2, "channels_first"), normal(2, 3, 4),
        reference=channels_first(lambda w, x: regions(x, np.mean, (2, 2))),
    ),
    "AdaptiveAveragePooling2D more regions than elements": Row(
        lambda: L.AdaptiveAveragePooling2D((3, 5)), normal(2, 3, 1), reference=lambda w, x: regions(x, np.mean, (3, 5))
    ),
    "AdaptiveAveragePooling3D": Row(
        lambda: L.AdaptiveAveragePooling3D((2, 1, 3)), normal(3, 2, 4, 1),
        reference=lambda w, x: regions(x, np.mean, (2, 1, 3)),
    ),
}  # fmt: skip
