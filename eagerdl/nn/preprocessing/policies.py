"""Layers that choose among other image layers at random: `RandAugment`, `AugMix`."""

import numpy as np

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn.arguments import check_choice, check_numbers, positive_int
from eagerdl.nn.preprocessing.colours import RandomBrightness, RandomColorDegeneration, RandomContrast
from eagerdl.nn.preprocessing.filters import RandomSharpness
from eagerdl.nn.preprocessing.image import INTERPOLATIONS, ImageLayer, checked_range, interval
from eagerdl.nn.preprocessing.tones import AutoContrast, Equalization, RandomPosterization, Solarization
from eagerdl.nn.preprocessing.warps import RandomRotation, RandomShear, RandomTranslation

__all__ = ["AugMix", "RandAugment"]


class ChoosingLayer(ImageLayer):
    """A layer with `choices`, other layers of a common strength, of which each image gets its own."""

    moves_pixels = True

    def __init__(self, value_range, factor, interpolation, seed, data_format, colours=True, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        check_choice(self.where, "interpolation", interpolation, INTERPOLATIONS)
        self.value_range, self.interpolation = checked_range(self.where, value_range), interpolation
        self.factor = interval(self.where, "factor", factor, 0.0)
        of, values = self.factor, {"value_range": self.value_range}
        warp = {"interpolation": interpolation}
        self._colours = colours
        self.choices = [
            RandomShear(of, of, **warp),
            RandomTranslation(of, of, **warp),
            RandomRotation(of, **warp),
            RandomPosterization(max(1, int(8 * of[1])), **values),
            Solarization(of, of, **values),
            AutoContrast(**values),
            Equalization(**values),
        ]
        if colours:
            self.choices += [RandomBrightness(of, **values), RandomColorDegeneration(of, **values), RandomContrast(of, **values),
                             RandomSharpness(of, **values)]  # fmt: skip
        for choice in self.choices:
            choice.generator = self.generator

    def _apply_chosen(self, images, chosen):
        """Each image changed by the layer whose number `chosen` (b,) gives; numbers past the last leave it as it is."""
        groups = [np.flatnonzero(chosen == number) for number in range(len(self.choices) + 1)]
        parts = []
        for choice, places in zip([*self.choices, None], groups):
            if len(places):
                part = ops.take(images, places, axis=0)
                parts.append(part if choice is None else choice.transform(part, choice.draw(part)))
        return ops.take(ops.concatenate(parts, axis=0), np.argsort(np.concatenate(groups)), axis=0)

    def draw(self, images):
        if self._colours and images.shape[-1] != 3:
            raise ShapeError(self.where, "colour images have 3 channels: red, green, blue", f"got {images.shape[-1]}",
                             "set data_format if the channels are on another axis")  # fmt: skip

    def transform_masks(self, masks, drawn):
        raise ArgumentError(self.where, "masks cannot follow the choices of this layer", "the dict has 'segmentation_masks'",
                            "use the layers that move pixels one by one")  # fmt: skip

    def _choose(self, images, below):
        # Host values: they decide which layers run on which images.
        return ops.random.randint((images.shape[0],), 0, below, seed=self.generator).numpy()


class RandAugment(ChoosingLayer):
    """images (batch, h, w, 3) or (h, w, 3) -> the same shape. Each image changed by some random layers, in training.

    They are chosen for each image among shear, translation, rotation, posterization, solarization, contrast to the full
    range, equalization, brightness, paler colours, contrast and sharpness.

    Args:
        value_range: the least and the greatest value that pixels have.
        num_ops: how many layers each image passes.
        factor: their strength, from 0 to 1.
        interpolation: "bilinear" or "nearest".
        seed: an int, for the same choices in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for a factor outside of [0, 1], num_ops that is no positive int, masks or boxes in a dict.
        ShapeError: for input with other than 3 or 4 axes, or other than 3 channels.

    Example:
        >>> edl.layers.RandAugment(seed=1)(edl.ones((4, 8, 8, 3))).shape
        (4, 8, 8, 3)

    Source: Cubuk et al., 2019, arXiv:1909.13719.
    """

    keys = ("value_range", "num_ops", "factor", "interpolation")

    def __init__(self, value_range=(0, 255), num_ops=2, factor=0.5, interpolation="bilinear", seed=None, data_format=None,
                 **kwargs):  # fmt: skip
        super().__init__(value_range, factor, interpolation, seed, data_format, **kwargs)
        self.num_ops = positive_int(self.where, "num_ops", num_ops)

    def transform(self, images, drawn):
        for _ in range(self.num_ops):
            images = self._apply_chosen(images, self._choose(images, len(self.choices)))
        return images


class AugMix(ChoosingLayer):
    """images (batch, h, w, 3) or (h, w, 3) -> the same shape. Each image mixed with chains of random changes of it, in training.

    ``m x + (1 - m) sum_i w_i chain_i(x)`` with w from Dirichlet(alpha, ...), m from Beta(alpha, alpha) for each image; a chain
    passes through up to `chain_depth` layers of those of `RandAugment`.

    Args:
        value_range: the least and the greatest value that pixels have; the result is clipped to it.
        num_chains: how many chains there are.
        chain_depth: the most layers in a chain.
        factor: their strength, from 0 to 1.
        alpha: of the distributions of the weights.
        all_ops: whether brightness, colours, contrast and sharpness are among the layers.
        interpolation: "bilinear" or "nearest".
        seed: an int, for the same choices in each run.
        data_format: "channels_last" or "channels_first"; by default as configured.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: for a factor outside of [0, 1], numbers of chains or layers that are no positive ints, an alpha that is
            not positive, masks or boxes in a dict.
        ShapeError: for input with other than 3 or 4 axes, or other than 3 channels.

    Example:
        >>> edl.layers.AugMix(seed=1)(edl.ones((4, 8, 8, 3))).shape
        (4, 8, 8, 3)

    Source: Hendrycks et al., 2019, arXiv:1912.02781.
    """

    keys = ("value_range", "num_chains", "chain_depth", "factor", "alpha", "all_ops", "interpolation")

    def __init__(self, value_range=(0, 255), num_chains=3, chain_depth=3, factor=0.3, alpha=1.0, all_ops=True,
                 interpolation="bilinear", seed=None, data_format=None, **kwargs):  # fmt: skip
        super().__init__(value_range, factor, interpolation, seed, data_format, all_ops, **kwargs)
        self.num_chains = positive_int(self.where, "num_chains", num_chains)
        self.chain_depth = positive_int(self.where, "chain_depth", chain_depth)
        check_numbers(self.where, 1e-6, alpha=alpha)
        self.alpha, self.all_ops = alpha, bool(all_ops)

    def transform(self, images, drawn):
        b = images.shape[0]
        parts = ops.random.gamma((self.num_chains, b, 1, 1, 1), self.alpha, dtype="float32", seed=self.generator)
        parts = ops.cast(parts / ops.sum(parts, axis=0), images.dtype)
        kept = ops.cast(
            ops.random.beta((b, 1, 1, 1), self.alpha, self.alpha, dtype="float32", seed=self.generator), images.dtype
        )
        mixed = 0.0
        for part in parts:
            chain = images
            for _ in range(self.chain_depth):
                chain = self._apply_chosen(chain, self._choose(images, len(self.choices) + 1))
            mixed = mixed + part * chain
        return ops.clip(kept * images + (1 - kept) * mixed, *self.value_range)


registry.add_area("layers", {name: globals()[name] for name in __all__})
