"""`eagerdl demo`: a network learns handwritten digits, from raw ops and a tape.

`Classifier`, `Adam` and `train` are the whole program; `run` and what follows only show it.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import eagerdl as edl
from eagerdl.datasets import digits
from eagerdl.demo.showing import TARGET_ACCURACY, conclude, draw_predictions

__all__ = ["Adam", "Classifier", "run", "train"]

BATCH_SIZE = 32


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


# -- what the user sees -----------------------------------------------------------------------------


def run(seed: int = 0, epochs: int = 30) -> int:
    """Train with live progress, draw predictions, and return 0 if the test accuracy reaches 96%."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"Learning handwritten digits: 1,437 images to train, 360 to test, seed {seed}\n")
    started = time.perf_counter()
    last = (watch_live if console.is_terminal else watch_lines)(console, train(seed, epochs), epochs)
    seconds = time.perf_counter() - started

    _, (images, _) = digits.load_data()
    draw_predictions(console, predict(last.model, pixels(images)).numpy())
    return conclude(console, last.model, last.accuracy, "demo", seed, epochs, seconds)


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
