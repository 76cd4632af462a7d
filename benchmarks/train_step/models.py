"""The networks, written once: `k` is `eagerdl` or `keras`, whose names are the same.

Weights are made, and set, in the order in which a class names its layers.
"""

from benchmarks.train_step.workloads import BLOCKS, CONTEXT, DEPTH, HEADS, LETTERS, UNITS, WIDTH

__all__ = ["MODELS"]


def mlp(k):
    """Images (n, 784) -> logits (n, 10)."""
    return k.Sequential([k.layers.Dense(512, "relu"), k.layers.Dense(256, "relu"), k.layers.Dense(10)])


def cnn(k):
    """Images (n, 28, 28, 1) -> logits (n, 10)."""
    layers = k.layers
    return k.Sequential(
        [
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dense(10),
        ]
    )


def lstm(k):
    """Letters (n, steps) -> logits (n, steps, LETTERS)."""
    layers = k.layers
    return k.Sequential(
        [layers.Embedding(LETTERS, 64), layers.LSTM(UNITS, return_sequences=True), layers.Dense(LETTERS)]
    )


def resnet20(k):
    """Images (n, 32, 32, 3) -> logits (n, 10).

    Shortcuts have no weights: where a block halves the image, they skip pixels and add channels of zeros (He et al., 2015,
    arXiv:1512.03385, sec. 4.2, option A).
    """
    layers, ops = k.layers, k.ops

    def conv(channels, strides=1):
        # "same" would pad an even image on one side only; the paper, and PyTorch, pad it on both.
        return layers.Conv2D(channels, 3, strides, "same" if strides == 1 else "valid", use_bias=False)

    def norm():
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)

    class Block(layers.Layer):
        def __init__(self, before, after):
            super().__init__()
            self.added = after - before
            self.conv_0 = conv(after, 2 if self.added else 1)
            self.norm_0 = norm()
            self.conv_1 = conv(after)
            self.norm_1 = norm()

        def call(self, x, training=False):
            shortcut = x
            if self.added:
                half = self.added // 2
                shortcut = ops.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (half, half)])
                x = ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
            x = ops.relu(self.norm_0(self.conv_0(x), training=training))
            return ops.relu(self.norm_1(self.conv_1(x), training=training) + shortcut)

    class ResNet20(k.Model):
        def __init__(self):
            super().__init__()
            self.conv = conv(16)
            self.norm = norm()
            self.blocks = [Block(before, after) for before, after in BLOCKS]
            self.pool = layers.GlobalAveragePooling2D()
            self.head = layers.Dense(10)

        def call(self, x, training=False):
            x = ops.relu(self.norm(self.conv(x), training=training))
            for block in self.blocks:
                x = block(x, training=training)
            return self.head(self.pool(x))

    return ResNet20()


def gpt(k):
    """Letters (n, CONTEXT) -> logits (n, CONTEXT, LETTERS); blocks normalise first, as in GPT-2 (Radford et al., 2019)."""
    layers, ops = k.layers, k.ops

    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm_0 = layers.LayerNormalization(epsilon=1e-5)
            self.attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
            self.norm_1 = layers.LayerNormalization(epsilon=1e-5)
            self.expand = layers.Dense(4 * WIDTH)
            self.contract = layers.Dense(WIDTH)

        def call(self, x):
            normed = self.norm_0(x)
            x = x + self.attention(normed, normed, use_causal_mask=True)
            return x + self.contract(ops.gelu(self.expand(self.norm_1(x)), approximate=True))

    class GPT(k.Model):
        def __init__(self):
            super().__init__()
            self.letters = layers.Embedding(LETTERS, WIDTH)
            self.places = layers.Embedding(CONTEXT, WIDTH)
            self.blocks = [Block() for _ in range(DEPTH)]
            self.norm = layers.LayerNormalization(epsilon=1e-5)
            self.head = layers.Dense(LETTERS)

        def call(self, letters):
            x = self.letters(letters) + self.places(ops.arange(CONTEXT))
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    return GPT()


MODELS = {"mlp": mlp, "cnn": cnn, "resnet20": resnet20, "lstm": lstm, "gpt": gpt}
