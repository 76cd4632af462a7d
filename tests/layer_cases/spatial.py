"""Rows of the layers in `eagerdl/nn/spatial.py`."""

import numpy as np
from layer_cases.builders import Row, channels_first, normal

import eagerdl as edl

L = edl.layers


def bilinear(n, factor):
    """The matrix (n * factor, n) of linear interpolation between the centres of n elements, constant beyond the outer ones."""
    at = np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n)))


CASES = {
    "UpSampling1D": Row(lambda: L.UpSampling1D(3), normal(2, 3), reference=lambda w, x: x.repeat(3, 1)),
    "UpSampling2D": Row(lambda: L.UpSampling2D(), normal(2, 3, 2), reference=lambda w, x: x.repeat(2, 1).repeat(2, 2)),
    "UpSampling2D channels first": Row(
        lambda: L.UpSampling2D((1, 3), "channels_first"), normal(2, 3, 2), reference=lambda w, x: x.repeat(3, 3)
    ),
    "UpSampling2D bilinear": Row(
        lambda: L.UpSampling2D((2, 3), interpolation="BILINEAR"), normal(3, 2, 2),
        reference=lambda w, x: np.einsum("ah,bw,nhwc->nabc", bilinear(3, 2), bilinear(2, 3), x),
    ),
    "UpSampling2D bilinear, channels first": Row(
        lambda: L.UpSampling2D((2, 3), "channels_first", interpolation="bilinear"), normal(1, 3, 2),
        reference=lambda w, x: np.einsum("ah,bw,nchw->ncab", bilinear(3, 2), bilinear(2, 3), x),
    ),
    "UpSampling3D": Row(
        lambda: L.UpSampling3D((1, 2, 3)), normal(2, 1, 2, 2), reference=lambda w, x: x.repeat(2, 2).repeat(3, 3)
    ),
    "UpSampling3D channels first": Row(
        lambda: L.UpSampling3D(2, "channels_first"), normal(1, 2, 1, 2),
        reference=lambda w, x: x.repeat(2, 2).repeat(2, 3).repeat(2, 4),
    ),
    "ZeroPadding1D": Row(
        lambda: L.ZeroPadding1D((1, 2)), normal(3, 2), reference=lambda w, x: np.pad(x, ((0, 0), (1, 2), (0, 0)))
    ),
    "ZeroPadding1D channels first": Row(
        lambda: L.ZeroPadding1D(2, "channels_first"), normal(3, 2), reference=lambda w, x: np.pad(x, ((0, 0), (0, 0), (2, 2)))
    ),
    "ZeroPadding2D": Row(
        lambda: L.ZeroPadding2D(((1, 0), (2, 3))), normal(2, 3, 2),
        reference=lambda w, x: np.pad(x, ((0, 0), (1, 0), (2, 3), (0, 0))),
    ),
    "ZeroPadding2D by axis, channels first": Row(
        lambda: L.ZeroPadding2D((0, 2), "channels_first"), normal(1, 2, 2),
        reference=channels_first(lambda w, x: np.pad(x, ((0, 0), (0, 0), (2, 2), (0, 0)))),
    ),
    "ZeroPadding3D": Row(
        lambda: L.ZeroPadding3D(), normal(2, 1, 2, 1), reference=lambda w, x: np.pad(x, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
    ),
    "Cropping1D": Row(lambda: L.Cropping1D((1, 2)), normal(5, 2), reference=lambda w, x: x[:, 1:3]),
    "Cropping2D": Row(lambda: L.Cropping2D(((1, 0), (0, 2))), normal(3, 4, 2), reference=lambda w, x: x[:, 1:, :2]),
    "Cropping2D by axis, channels first": Row(
        lambda: L.Cropping2D((1, 0), "channels_first"), normal(2, 3, 2), reference=lambda w, x: x[:, :, 1:2]
    ),
    "Cropping3D": Row(lambda: L.Cropping3D(1), normal(3, 3, 4, 1), reference=lambda w, x: x[:, 1:2, 1:2, 1:3]),
    "Cropping3D channels first": Row(
        lambda: L.Cropping3D(((0, 1), (1, 0), (0, 0)), "channels_first"), normal(2, 2, 3, 2),
        reference=lambda w, x: x[:, :, :1, 1:],
    ),
}  # fmt: skip
