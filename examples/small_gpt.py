"""A small GPT: a decoder-only transformer that reads and writes letters.

    python examples/small_gpt.py [FILE] [--steps 5000]

Without a file it reads this one, and writes something like a program. Blocks normalise before each part, as in GPT-2
(Radford et al., 2019); the schedule and the optimizer are those of nanoGPT (Karpathy, 2022).
"""

import argparse
from pathlib import Path

import numpy as np

import eagerdl as edl
from eagerdl import layers


def normal(stddev=0.02):
    """An initializer; made when a model is, because it draws its seed then."""
    return edl.initializers.RandomNormal(stddev=stddev)


class Block(layers.Layer):
    """x (n, steps, width) -> the same: attention to what came before, then two dense layers, each added to its input."""

    def __init__(self, width, heads, depth, dropout=0.0):
        super().__init__()
        # The last layers of 2 * depth branches start smaller, so that their sum has the size of one.
        last = normal(0.02 / (2 * depth) ** 0.5)
        self.norm_1 = layers.LayerNormalization(epsilon=1e-5)
        self.attention = layers.MultiHeadAttention(heads, width // heads, dropout=dropout, kernel_initializer=normal())
        self.norm_2 = layers.LayerNormalization(epsilon=1e-5)
        self.expand = layers.Dense(4 * width, "gelu", kernel_initializer=normal())
        self.contract = layers.Dense(width, kernel_initializer=last)
        self.dropout = layers.Dropout(dropout)

    def call(self, x, training=False):
        normed = self.norm_1(x)
        x = x + self.dropout(self.attention(normed, normed, use_causal_mask=True, training=training), training=training)
        return x + self.dropout(self.contract(self.expand(self.norm_2(x))), training=training)


class GPT(edl.Model):
    """Letters (n, steps), steps <= context -> logits of the letters that follow (n, steps, alphabet)."""

    def __init__(self, alphabet, context=64, width=64, heads=4, depth=2, dropout=0.0):
        super().__init__()
        self.context = context
        self.letters = layers.Embedding(alphabet, width, embeddings_initializer=normal())
        self.places = layers.Embedding(context, width, embeddings_initializer=normal())
        self.dropout = layers.Dropout(dropout)
        self.blocks = [Block(width, heads, depth, dropout) for _ in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-5)

    def call(self, letters, training=False):
        x = self.letters(letters) + self.places(edl.arange(letters.shape[1]))
        x = self.dropout(x, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self.norm(x) @ self.letters.embeddings.mT  # one matrix reads and writes

    def write(self, letters, count, temperature=0.5):
        """Yields `count` letters that follow `letters`, one after the other."""
        letters = list(letters)
        for _ in range(count):
            logits = self(edl.constant([letters[-self.context :]]))[:, -1]
            letters.append(int(edl.random.categorical(logits / temperature, 1)[0, 0]))
            yield letters[-1]


def batches(text, batch_size, length, seed):
    """Random pieces of the text and the same one letter later (batch_size, length), on and on."""
    rng = np.random.default_rng(seed)
    while True:
        starts = rng.integers(len(text) - length, size=batch_size)
        pieces = text[starts[:, None] + np.arange(length + 1)]
        yield pieces[:, :-1], pieces[:, 1:]


def optimizer(steps, learning_rate):
    """AdamW; the rate rises for 5% of the steps, then falls to a tenth along a cosine."""
    warmup = max(1, steps // 20)
    schedule = edl.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, alpha=0.1, warmup_target=learning_rate, warmup_steps=warmup
    )
    adamw = edl.optimizers.AdamW(schedule, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0)
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw


def main(path=None, steps=600, letters=400, seed=0, verbose="auto"):
    edl.utils.set_random_seed(seed)
    text = Path(path or __file__).read_text(encoding="utf-8")
    alphabet = sorted(set(text))
    number = {letter: index for index, letter in enumerate(alphabet)}
    coded = np.array([number[letter] for letter in text])

    model = GPT(len(alphabet))
    model.compile(optimizer(steps, 5e-3), edl.losses.SparseCategoricalCrossentropy(from_logits=True))
    epochs = min(10, steps)
    training = batches(coded, 12, model.context, seed)
    history = model.fit(training, epochs=epochs, steps_per_epoch=steps // epochs, verbose=verbose)

    written = start = text[:10]
    print(start, end="")
    for letter in model.write([number[letter] for letter in start], letters):
        written += alphabet[letter]
        print(alphabet[letter], end="", flush=True)
    print()
    return history.history, written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", metavar="FILE", help="a text (default: this program)")
    parser.add_argument("--steps", type=int, default=600, help="steps of training (default: %(default)s)")
    parser.add_argument("--letters", type=int, default=400, help="letters to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
