"""`eagerdl demo`: a network learns handwritten digits, from raw ops and a tape.

`Classifier`, `Adam` and `train` are the whole program; what follows them only draws.
"""

import hashlib
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import eagerdl as edl
from eagerdl.datasets import digits

__all__ = ["Adam", "Classifier", "run", "train"]

BATCH_SIZE = 32
TARGET_ACCURACY = 0.96


class Classifier(edl.Module):
    """Images (n, 64) -> logits (n, 10): two hidden layers of 80 rectified units with dropout.

    Kernels start as He et al. (2015, arXiv:1502.01852) recommend for rectifiers. At this size each product of a
    batch is small enough to stay on one core, where it is fastest on a busy machine too.

    Args:
        seeds: a `SeedGenerator`, for the kernels and the dropout masks.
        rate: the share of hidden units that dropout sets to zero in training.
    """

    def __init__(self, seeds, rate=0.2):
        super().__init__()
        self.seeds = seeds
        self.rate = rate
        sizes = (64, 80, 80, 10)
        self.kernels = []
        self.biases = []
        for inputs, units in pairwise(sizes):
            kernel = edl.random.normal((inputs, units), stddev=(2 / inputs) ** 0.5, seed=seeds)
            self.kernels.append(edl.Variable(kernel, name="kernel"))
            self.biases.append(edl.Variable(edl.zeros((units,)), name="bias"))

    def __call__(self, x, training=False):
        *hidden, last = zip(self.kernels, self.biases)
        for kernel, bias in hidden:
            x = edl.relu(x @ kernel + bias)
            if training:
                x = edl.random.dropout(x, self.rate, seed=self.seeds)
        kernel, bias = last
        return x @ kernel + bias


class Adam(edl.Module):
    """Adam, written in ops and in the symbols of the paper (Kingma and Ba, 2015, arXiv:1412.6980).

    Args:
        variables: the variables to update, theta in the paper.
        alpha: the step size.
    """

    def __init__(self, variables, alpha=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        super().__init__()
        self.alpha, self.beta_1, self.beta_2, self.epsilon = alpha, beta_1, beta_2, epsilon
        self.t = 0
        self.theta = list(variables)
        self.m = [edl.Variable(edl.zeros(theta.shape), name="m", trainable=False) for theta in self.theta]
        self.v = [edl.Variable(edl.zeros(theta.shape), name="v", trainable=False) for theta in self.theta]

    def update(self, gradients):
        """Take one step, with one gradient for each variable."""
        self.t += 1
        for theta, m, v, g in zip(self.theta, self.m, self.v, gradients):
            m.assign(self.beta_1 * m + (1 - self.beta_1) * g)
            v.assign(self.beta_2 * v + (1 - self.beta_2) * edl.square(g))
            m_hat = m / (1 - self.beta_1**self.t)
            v_hat = v / (1 - self.beta_2**self.t)
            theta.assign_sub(self.alpha * m_hat / (edl.sqrt(v_hat) + self.epsilon))


class Epoch(NamedTuple):
    """What `train` reports after each pass over the training images."""

    number: int
    loss: float
    accuracy: float
    model: Classifier


def train(seed: int, epochs: int) -> Iterator[Epoch]:
    """Train a `Classifier` on the digits, reporting the mean loss and the test accuracy of each epoch."""
    seeds = edl.random.SeedGenerator(seed)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x_train, y_train, x_test = pixels(x_train), edl.constant(y_train), pixels(x_test)
    model = Classifier(seeds)
    adam = Adam(model.trainable_variables, alpha=0.0015)

    for number in range(1, epochs + 1):
        order = edl.random.shuffle(edl.arange(len(x_train)), seed=seeds)
        total = 0.0
        for start in range(0, len(x_train), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            with edl.GradientTape() as tape:
                logits = model(x_train[batch], training=True)
                losses = edl.sparse_categorical_crossentropy(y_train[batch], logits, from_logits=True)
                loss = edl.mean(losses)
            adam.update(tape.gradient(loss, adam.theta))
            total += float(loss) * len(losses)

        correct = predict(model, x_test) == y_test
        yield Epoch(number, total / len(x_train), float(edl.mean(edl.cast(correct, "float32"))), model)


def pixels(images):
    """Images (n, 8, 8) with integers from 0 to 16 -> tensor (n, 64) float32 in 0 ... 1."""
    return edl.constant(images.reshape(-1, 64).astype("float32") / 16)


def predict(model, x):
    """Images (n, 64) -> the most likely digits (n,)."""
    return edl.argmax(model(x), axis=-1)


def fingerprint(model: edl.Module) -> str:
    """A short hash of all weights: equal exactly if every bit is equal."""
    digest = hashlib.sha256()
    for variable in model.variables:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()[:12]


# -- what the user sees -----------------------------------------------------------------------------


def run(seed: int = 0, epochs: int = 30) -> int:
    """Train with live progress, draw predictions, and return 0 if the test accuracy reaches 96%."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"Learning handwritten digits: 1,437 images to train, 360 to test, seed {seed}\n")
    started = time.perf_counter()
    last = (watch_live if console.is_terminal else watch_lines)(console, train(seed, epochs), epochs)
    seconds = time.perf_counter() - started

    draw_predictions(console, last.model)
    passes = f"{epochs} epoch" + ("" if epochs == 1 else "s")
    console.print(f"test accuracy {last.accuracy:.1%} after {passes} in {seconds:.1f} s")
    console.print(f"weights {fingerprint(last.model)}: --seed {seed} --epochs {epochs} gives them again, bit for bit")
    if last.accuracy < TARGET_ACCURACY:
        print(
            f"[eagerdl demo] the test accuracy must reach {TARGET_ACCURACY:.0%}; "
            f"got {last.accuracy:.1%} after {passes}; train longer with --epochs, or try another --seed",
            file=sys.stderr,
        )
        return 1
    return 0


def watch_lines(console: Any, history: Iterator[Epoch], epochs: int) -> Epoch:
    """One line per epoch, for logs and pipes."""
    for epoch in history:
        console.print(f"epoch {epoch.number:3}/{epochs}  loss {epoch.loss:.4f}  test accuracy {epoch.accuracy:6.1%}")
    console.print()
    return epoch


def watch_live(console: Any, history: Iterator[Epoch], epochs: int) -> Epoch:
    """A table that follows the training, for terminals: the last epochs and a bar for the accuracy."""
    from rich import box
    from rich.bar import Bar
    from rich.live import Live
    from rich.table import Table

    rows: list[Epoch] = []

    def table():
        table = Table(box=box.SIMPLE_HEAD)
        for heading in ("epoch", "loss", "test accuracy"):
            table.add_column(heading, justify="right")
        table.add_column("", width=30)
        for epoch in rows[-8:]:
            good = epoch.accuracy >= TARGET_ACCURACY
            table.add_row(
                f"{epoch.number}/{epochs}",
                f"{epoch.loss:.4f}",
                f"{epoch.accuracy:.1%}",
                Bar(1.0, 0.0, epoch.accuracy, color="green" if good else "yellow"),
            )
        return table

    with Live(table(), console=console, refresh_per_second=12) as live:
        for epoch in history:
            rows.append(epoch)
            live.update(table())
    return rows[-1]


def draw_predictions(console: Any, model: Classifier) -> None:
    """Four test images that the model reads right, and up to four that it does not."""
    _, (images, labels) = digits.load_data()
    predictions = predict(model, pixels(images)).numpy()
    right = np.flatnonzero(predictions == labels)
    wrong = np.flatnonzero(predictions != labels)
    # Spread over the whole set, so that different digits show.
    rows = (("right", "green", right, right[:: len(right) // 4 + 1]), ("wrong", "red", wrong, wrong[:4]))
    for word, color, all_of_them, chosen in rows:
        if len(chosen):
            picture = draw_row(images[chosen], predictions[chosen], labels[chosen], shades(console.encoding))
            console.print(f"{len(all_of_them)} read {word}", style=f"bold {color}")
            console.print(picture)


def draw_row(images, predictions, labels, shades: str) -> str:
    """Images (n, 8, 8) side by side, two characters for each pixel, with captions below."""
    pictures = shades_of(images, shades)
    captions = [f"says {prediction}, is {label}" for prediction, label in zip(predictions, labels)]
    gap = "   "
    lines = [gap.join(row).rstrip() for row in zip(*pictures)]
    lines.append(gap.join(f"{caption:<16}" for caption in captions).rstrip())
    return "\n".join(lines) + "\n"


def shades_of(images, shades: str) -> list[list[str]]:
    """Images (n, 8, 8) with pixels 0 ... 16 -> for each image its 8 lines of 16 characters."""
    levels = (images.astype(int) * (len(shades) - 1) + 8) // 16
    return [["".join(shades[level] * 2 for level in row) for row in image] for image in levels]


def shades(encoding: str) -> str:
    """Characters from white to black, as far as the output can show them."""
    blocks = " ░▒▓█"
    try:
        blocks.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return " .:*#"
    return blocks
