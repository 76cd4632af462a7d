"""A convolutional network in the fewest lines: layers in a row, `compile`, `fit`, `evaluate`.

    python examples/convnet_fit.py

It learns handwritten digits, watches a part of them for validation, and keeps the best weights of all epochs.
"""

import argparse

import eagerdl as edl
from eagerdl import layers


def build():
    """Images (n, 8, 8, 1) -> probabilities (n, 10)."""
    return edl.Sequential(
        [
            edl.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )


def main(epochs=12, seed=0, verbose="auto"):
    edl.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = edl.datasets.digits.load_data()
    x_train, x_test = x_train[..., None] / 16, x_test[..., None] / 16

    model = build()
    model.summary()
    model.compile(
        optimizer=edl.optimizers.Adam(0.003),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    stop = edl.callbacks.EarlyStopping(monitor="val_loss", patience=4, restore_best_weights=True)
    history = model.fit(
        x_train, y_train, batch_size=32, epochs=epochs, validation_split=0.1, callbacks=[stop], verbose=verbose
    )
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.1%}")
    return history.history, accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=12, help="passes over the images at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
