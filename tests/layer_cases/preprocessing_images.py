"""Rows of the layers of images in `eagerdl/nn/preprocessing`; laws of what they draw are in tests/test_preprocessing.py."""

import numpy as np
from layer_cases.builders import Row

import eagerdl as edl

L = edl.layers


def images(*shape):
    return lambda generator, batch: generator.uniform(0, 255, (batch, *shape))


def random(make, *shape):
    """A row of a layer that draws numbers, and passes its input on in inference."""
    return Row(make, images(*(shape or (6, 5, 3))), named={"training": False}, random=True, reference=same)


def same(w, x, training):
    return x


def stretched(w, x):
    low, high = x.min((1, 2), keepdims=True), x.max((1, 2), keepdims=True)
    return (x - low) / (high - low) * 255


CASES = {
    "Resizing": Row(
        lambda: L.Resizing(3, 4, "nearest"), images(6, 8, 2),
        reference=lambda w, x: x[:, 1::2, 1::2],
    ),
    "Resizing, cropped, channels first": Row(
        lambda: L.Resizing(3, 3, crop_to_aspect_ratio=True, data_format="channels_first"), images(2, 3, 7),
        reference=lambda w, x: x[:, :, :, 2:5],
    ),
    "Resizing, padded": Row(
        lambda: L.Resizing(4, 8, pad_to_aspect_ratio=True, fill_value=1.0), images(4, 4, 1),
        reference=lambda w, x: np.pad(x, [(0, 0), (0, 0), (2, 2), (0, 0)], constant_values=1.0),
    ),
    "CenterCrop": Row(lambda: L.CenterCrop(2, 3), images(6, 8, 2), reference=lambda w, x: x[:, 2:4, 2:5]),
    "CenterCrop of smaller images": Row(lambda: L.CenterCrop(4, 4), images(2, 3, 1)),
    "RandomCrop": Row(
        lambda: L.RandomCrop(3, 3), images(3, 7, 2), named={"training": False}, random=True,
        reference=lambda w, x, training: x[:, :, 2:5],
    ),
    "AutoContrast": Row(lambda: L.AutoContrast(), images(4, 5, 2), gradient=False, reference=stretched),
    "Equalization": Row(lambda: L.Equalization(), images(4, 5, 2), named={"training": False}, reference=same),
    "RandomFlip": random(lambda: L.RandomFlip()),
    "RandomFlip, vertical, channels first": random(lambda: L.RandomFlip("vertical", data_format="channels_first"), 3, 4, 5),
    "RandomRotation": random(lambda: L.RandomRotation(0.2)),
    "RandomZoom": random(lambda: L.RandomZoom(0.3, (-0.2, 0.4), fill_mode="constant", fill_value=2.0)),
    "RandomTranslation": random(lambda: L.RandomTranslation(0.3, 0.2, data_format="channels_first"), 3, 5, 4),
    "RandomShear": random(lambda: L.RandomShear(0.3, (0.1, 0.2), interpolation="nearest")),
    "RandomPerspective": random(lambda: L.RandomPerspective((1.0, 1.0))),
    "RandomElasticTransform": random(lambda: L.RandomElasticTransform((1.0, 1.0), (0.5, 1.0)), 20, 24, 2),
    "RandomContrast": random(lambda: L.RandomContrast((0.2, 0.4))),
    "RandomBrightness": random(lambda: L.RandomBrightness(0.2)),
    "RandomGrayscale": random(lambda: L.RandomGrayscale(0.5)),
    "RandomColorDegeneration": random(lambda: L.RandomColorDegeneration(0.5)),
    "RandomHue": random(lambda: L.RandomHue(0.5)),
    "RandomSaturation": random(lambda: L.RandomSaturation((0.3, 0.7), data_format="channels_first"), 3, 4, 4),
    "RandomInvert": random(lambda: L.RandomInvert((0.5, 0.5))),
    "RandomColorJitter": random(lambda: L.RandomColorJitter((0, 255), 0.1, 0.2, (0.4, 0.6), 0.1)),
    "RandomPosterization": random(lambda: L.RandomPosterization((2, 6))),
    "Solarization": random(lambda: L.Solarization(0.1, 0.5)),
    "RandomSharpness": random(lambda: L.RandomSharpness(1.0)),
    "RandomGaussianBlur": random(lambda: L.RandomGaussianBlur((0.5, 0.5), (3, 5))),
    "RandomErasing": random(lambda: L.RandomErasing((0.8, 1.0), (0.2, 0.5), [1, 2, 3])),
    "MixUp": random(lambda: L.MixUp()),
    "CutMix": random(lambda: L.CutMix()),
    "RandAugment": random(lambda: L.RandAugment()),
    "AugMix": random(lambda: L.AugMix(num_chains=2)),
}  # fmt: skip
