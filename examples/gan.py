"""Two networks that play against each other: a GAN that draws digits, by a `train_step` of its own.

    python examples/gan.py

The generator turns noise into images, the discriminator tells them from real ones (Goodfellow et al., 2014,
arXiv:1406.2661). `compile` takes two optimizers; `fit`, its display and its callbacks work as ever.
"""

import argparse

import numpy as np

import eagerdl as edl
from eagerdl import layers, ops

PIXELS = 8 * 8


class GAN(edl.Model):
    """Noise (n, noise) -> images (n, 64) with ink from -1 to 1."""

    def __init__(self, noise=16):
        super().__init__()
        self.noise = noise
        self.generator = edl.Sequential(
            [
                edl.Input((noise,)),
                layers.Dense(128),
                layers.BatchNormalization(momentum=0.9),
                layers.LeakyReLU(0.2),
                layers.Dense(PIXELS, "tanh"),
            ]
        )
        self.discriminator = edl.Sequential(
            [
                edl.Input((PIXELS,)),
                layers.Dense(128),
                layers.LeakyReLU(0.2),
                layers.Dropout(0.3),
                layers.Dense(1),
            ]
        )
        self.loss_fn = edl.losses.BinaryCrossentropy(from_logits=True)
        self.d_loss = edl.metrics.Mean(name="d_loss")
        self.g_loss = edl.metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer):
        super().compile(optimizer=None)
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer

    def call(self, noise, training=False):
        return self.generator(noise, training=training)

    def train_step(self, real):
        noise = edl.random.normal((len(real), self.noise))
        ones, zeros = ops.ones((len(real), 1)), ops.zeros((len(real), 1))

        fake = self.generator(noise, training=True)
        with edl.GradientTape() as tape:
            # Real images count as 0.9: a discriminator without doubt leaves the generator no gradient.
            d_loss = self.loss_fn(0.9 * ones, self.discriminator(real, training=True))
            d_loss += self.loss_fn(zeros, self.discriminator(fake, training=True))
        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, variables), variables))

        with edl.GradientTape() as tape:
            fake = self.generator(noise, training=True)
            g_loss = self.loss_fn(ones, self.discriminator(fake, training=True))
        variables = self.generator.trainable_variables
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, variables), variables))

        self.d_loss.update_state(d_loss)
        self.g_loss.update_state(g_loss)
        return {"d_loss": self.d_loss.result(), "g_loss": self.g_loss.result()}


def draw(images):
    """Images (n, 64) with ink from -1 to 1 -> text, the images side by side."""
    levels = np.clip((images.reshape(-1, 8, 8) + 1) / 2 * 5, 0, 4).astype(int)
    return "\n".join("   ".join("".join(2 * " .:*#"[level] for level in row) for row in rows) for rows in zip(*levels))


def main(epochs=60, seed=0, verbose="auto"):
    edl.utils.set_random_seed(seed)
    (images, _), _ = edl.datasets.digits.load_data()
    images = (images.reshape(-1, PIXELS) / 8 - 1).astype("float32")

    gan = GAN()
    gan.compile(d_optimizer=edl.optimizers.Adam(1e-3, beta_1=0.5), g_optimizer=edl.optimizers.Adam(1e-3, beta_1=0.5))
    history = gan.fit(images, batch_size=64, epochs=epochs, verbose=verbose)
    drawn = gan.predict(edl.random.normal((100, gan.noise), seed=seed), verbose=0)
    print(draw(drawn[:5]))
    return history.history, images, drawn


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=60, help="passes over the images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
