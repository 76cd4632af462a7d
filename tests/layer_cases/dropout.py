"""Rows of the layers in `eagerdl/nn/dropout.py`: in inference they pass their input on."""

from layer_cases.builders import Row, normal

import eagerdl as edl

L = edl.layers


def row(make, *shape, random=True):
    return Row(make, normal(*shape), mask=True, random=random, reference=lambda w, x: x)


CASES = {
    "Dropout": row(lambda: L.Dropout(0.5), 3, 4),
    "Dropout with a seed and a shape": row(lambda: L.Dropout(0.5, noise_shape=(None, 1, 8), seed=3), 3, 8),
    "Dropout of nothing": row(lambda: L.Dropout(0.0), 4, random=False),
    "Dropout of everything": row(lambda: L.Dropout(1), 4, random=False),
    "AlphaDropout": row(lambda: L.AlphaDropout(0.5), 3, 4),
    "AlphaDropout with a shape": row(lambda: L.AlphaDropout(0.5, noise_shape=(None, 1, None), seed=3), 3, 8),
    "GaussianDropout": row(lambda: L.GaussianDropout(0.5), 3, 4),
    "GaussianNoise": row(lambda: L.GaussianNoise(0.5, seed=1), 3, 4),
    "SpatialDropout1D": row(lambda: L.SpatialDropout1D(0.5), 3, 8),
    "SpatialDropout2D": row(lambda: L.SpatialDropout2D(0.5, seed=2), 3, 2, 8),
    "SpatialDropout2D with channels first": row(lambda: L.SpatialDropout2D(0.5, "channels_first"), 8, 3, 2),
    "SpatialDropout3D": row(lambda: L.SpatialDropout3D(0.5), 2, 3, 2, 8),
    "SpatialDropout3D with channels first": row(lambda: L.SpatialDropout3D(0.5, data_format="channels_first"), 8, 2, 3, 2),
}  # fmt: skip
