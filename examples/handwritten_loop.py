"""A training loop written by hand: a model, a loss, an optimizer, a metric and a tape.

    python examples/handwritten_loop.py

The model learns handwritten digits. Nothing is hidden: each line of `train` can be changed, and each value in it printed.
"""

import argparse

import eagerdl as edl
from eagerdl import layers


class Classifier(edl.Model):
    """Images (n, 8, 8) -> logits (n, 10)."""

    def __init__(self, units=80, rate=0.2):
        super().__init__()
        self.flatten = layers.Flatten()
        self.hidden = [layers.Dense(units, "relu") for _ in range(2)]
        self.dropout = layers.Dropout(rate)
        self.head = layers.Dense(10)

    def call(self, x, training=False):
        x = self.flatten(x)
        for layer in self.hidden:
            x = self.dropout(layer(x), training=training)
        return self.head(x)


def train(model, batches, optimizer, loss_fn):
    """One pass over the batches; returns the mean loss."""
    mean_loss = edl.metrics.Mean()
    for x, y in batches:
        with edl.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        mean_loss.update_state(loss, sample_weight=len(x))
    return float(mean_loss.result())


def evaluate(model, batches):
    """The share of images that the model reads right."""
    accuracy = edl.metrics.SparseCategoricalAccuracy()
    for x, y in batches:
        accuracy.update_state(y, model(x))
    return float(accuracy.result())


def main(epochs=15, seed=0):
    edl.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = edl.datasets.digits.load_data()
    training = edl.data.Dataset.from_tensor_slices((x_train / 16, y_train)).shuffle(len(x_train), seed=seed).batch(32)
    testing = edl.data.Dataset.from_tensor_slices((x_test / 16, y_test)).batch(120)

    model = Classifier()
    optimizer = edl.optimizers.Adam(0.0015)
    loss_fn = edl.losses.SparseCategoricalCrossentropy(from_logits=True)
    for epoch in range(1, epochs + 1):
        loss = train(model, training, optimizer, loss_fn)
        accuracy = evaluate(model, testing)
        print(f"epoch {epoch:2}  loss {loss:.4f}  test accuracy {accuracy:.1%}")
    return loss, accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=15, help="passes over the images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
