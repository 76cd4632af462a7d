"""`eagerdl demo fit`: the same digits as in `by_hand`, with layers, `compile` and `fit`."""

import time

import eagerdl as edl
from eagerdl import layers
from eagerdl.datasets import digits
from eagerdl.demo.showing import conclude, draw_predictions

__all__ = ["build", "run"]


def build() -> edl.Model:
    """A convolutional network: images (n, 8, 8, 1) -> probabilities (n, 10)."""
    return edl.Sequential(
        [
            edl.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10, "softmax"),
        ]
    )


def run(seed: int = 0, epochs: int = 12) -> int:
    """Fit with progress, draw predictions, and return 0 if the test accuracy reaches 96%."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"Learning handwritten digits by fit: 1,437 images to train, 360 to test, seed {seed}\n")
    edl.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x_train, x_test = x_train[..., None] / 16, x_test[..., None] / 16

    model = build()
    model.summary()
    model.compile(edl.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    started = time.perf_counter()
    model.fit(x_train, y_train, batch_size=32, epochs=epochs, validation_data=(x_test, y_test))
    seconds = time.perf_counter() - started

    predictions = model.predict(x_test, verbose=0).argmax(-1)
    console.print()
    draw_predictions(console, predictions)
    return conclude(console, model, (predictions == y_test).mean(), "demo fit", seed, epochs, seconds)
