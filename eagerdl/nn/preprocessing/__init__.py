"""Layers that prepare data: numbers, categories, text, images, sound."""

from eagerdl.nn.preprocessing.category_encoding import CategoryEncoding
from eagerdl.nn.preprocessing.colours import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomSaturation,
)
from eagerdl.nn.preprocessing.discretization import Discretization
from eagerdl.nn.preprocessing.filters import RandomGaussianBlur, RandomSharpness
from eagerdl.nn.preprocessing.hashing import HashedCrossing, Hashing
from eagerdl.nn.preprocessing.lookup import IntegerLookup, StringLookup
from eagerdl.nn.preprocessing.mixing import CutMix, MixUp, RandomErasing
from eagerdl.nn.preprocessing.normalization import Normalization, Rescaling
from eagerdl.nn.preprocessing.policies import AugMix, RandAugment
from eagerdl.nn.preprocessing.sizes import CenterCrop, RandomCrop, Resizing
from eagerdl.nn.preprocessing.spectrograms import MelSpectrogram, STFTSpectrogram
from eagerdl.nn.preprocessing.text_vectorization import TextVectorization
from eagerdl.nn.preprocessing.tones import AutoContrast, Equalization, RandomPosterization, Solarization
from eagerdl.nn.preprocessing.warps import (
    RandomElasticTransform,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)

__all__ = [
    "AugMix", "AutoContrast", "CategoryEncoding", "CenterCrop", "CutMix", "Discretization", "Equalization",
    "HashedCrossing", "Hashing", "IntegerLookup", "MelSpectrogram", "MixUp", "Normalization", "RandAugment",
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue",
    "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
    "RandomShear", "RandomTranslation", "RandomZoom", "Rescaling", "Resizing", "STFTSpectrogram", "Solarization",
    "StringLookup", "TextVectorization",
]  # fmt: skip
