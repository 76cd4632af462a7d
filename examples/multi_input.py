"""A model with several inputs and outputs, wired from symbolic tensors.

    python examples/multi_input.py

It sees two handwritten digits and a sign, and says two things: the result of "left + right" or "left - right", and
whether the left digit is the larger one. Both images go through the same layers.
"""

import argparse

import numpy as np

import eagerdl as edl
from eagerdl import layers

RESULTS = range(-9, 19)


def build():
    """left, right (n, 64), minus (n, 1) -> result (n, 28) logits, larger (n, 1) probability."""
    left = edl.Input((64,), name="left")
    right = edl.Input((64,), name="right")
    minus = edl.Input((1,), name="minus")

    read = edl.Sequential([edl.Input((64,)), layers.Dense(64, "relu"), layers.Dense(32, "relu")], name="read")
    a, b = read(left), read(right)
    hidden = layers.Dense(128, "relu")(layers.concatenate([a, b, minus]))
    hidden = layers.Dense(128, "relu")(hidden)
    result = layers.Dense(len(RESULTS), name="result")(hidden)
    difference = layers.Dense(64, "relu")(a - b)
    larger = layers.Dense(1, "sigmoid", name="larger")(difference)
    return edl.Model({"left": left, "right": right, "minus": minus}, {"result": result, "larger": larger})


def pairs(images, labels, count, rng):
    """`count` random tasks: a dict of inputs and a dict of labels."""
    i, j = rng.integers(len(labels), size=(2, count))
    minus = rng.integers(2, size=(count, 1))
    left, right = labels[i].astype(int), labels[j].astype(int)
    value = np.where(minus[:, 0] == 1, left - right, left + right)
    x = {"left": images[i], "right": images[j], "minus": minus.astype("float32")}
    return x, {"result": value - RESULTS[0], "larger": (left > right)[:, None].astype("float32")}


def main(epochs=12, seed=0, count=12_000, verbose="auto"):
    edl.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    (x_train, y_train), (x_test, y_test) = edl.datasets.digits.load_data()
    training = pairs(x_train.reshape(-1, 64) / np.float32(16), y_train, count, rng)
    testing = pairs(x_test.reshape(-1, 64) / np.float32(16), y_test, 1000, rng)

    model = build()
    model.summary()
    model.compile(
        optimizer="adam",
        loss={"result": edl.losses.SparseCategoricalCrossentropy(from_logits=True), "larger": "binary_crossentropy"},
        loss_weights={"result": 1.0, "larger": 0.5},
        metrics={"result": ["accuracy"], "larger": ["accuracy"]},
    )
    history = model.fit(*training, batch_size=64, epochs=epochs, validation_data=testing, verbose=verbose)

    scores = model.evaluate(*testing, verbose=0, return_dict=True)
    print(f"new images: results right {scores['result_accuracy']:.1%}, larger right {scores['larger_accuracy']:.1%}")
    return history.history, scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=12, help="passes over the pairs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
