"""Accuracies that eagerdl reaches, beside the published numbers.

    python -m benchmarks.accuracy [NAMES] [--seed N] [--shakespeare FILE] [--json] [--quick]

    mlp          MNIST, two dense layers, 20 epochs
    convnet      MNIST, two convolutions, 12 epochs
    adding       the adding problem over 50 steps, an LSTM, 2,500 steps
    addition     "47+8" to "55", encoder and decoder, 30 epochs
    folds        digits, iris, wine and breast cancer, five folds each, beside scikit-learn (which it needs)
    gpt          the CPU configuration of nanoGPT on tiny Shakespeare, 2,000 steps

Without names all of them run, one after the other. MNIST and tiny Shakespeare are looked for in the folders `mnist` and
`tinyshakespeare` of the one that the environment variable EAGERDL_DATASETS names, and else downloaded. The exit status is 0
if every wanted number is reached. `--quick` takes a few steps of each: it shows that all of it runs, and reaches nothing.
"""

import argparse
import json
import math
import os
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import eagerdl as edl
from benchmarks.machine import describe
from eagerdl import layers
from eagerdl.errors import DownloadError, PackageError
from examples import addition_seq2seq, small_gpt

SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


@dataclass(frozen=True)
class Row:
    """One number of the table.

    Args:
        what: data, network and measure.
        reached: the number that this run reached.
        wanted: the number to reach.
        source: who published which number.
        smaller: whether smaller is better.
    """

    what: str
    reached: float
    wanted: float
    source: str
    smaller: bool = False

    @property
    def good(self):
        return self.reached <= self.wanted if self.smaller else self.reached >= self.wanted

    def shown(self, value):
        return f"{value:.4f}" if self.smaller else f"{value:.2%}"


# -- MNIST ------------------------------------------------------------------------------------------


def mnist(shape, limit=None):
    """Training and test images with ink from 0 to 1, in `shape`, and their labels."""
    (x_train, y_train), (x_test, y_test) = edl.datasets.mnist.load_data()
    return [
        (x[:limit].reshape(-1, *shape) / np.float32(255), y[:limit]) for x, y in ((x_train, y_train), (x_test, y_test))
    ]


def accuracies_of_epochs(model, optimizer, shape, epochs, limit):
    """Trains in batches of 128; the accuracy on the test images after each epoch."""
    training, testing = mnist(shape, limit)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        *training, batch_size=128, epochs=epochs, validation_data=testing, validation_batch_size=500, verbose=2
    )
    return history.history["val_accuracy"]


def best(accuracies):
    return f"best of {len(accuracies)} epochs (the last: {accuracies[-1]:.2%})"


def mlp(seed, epochs=20, limit=None):
    """784-512-512-10 with dropout 0.2 by RMSprop: Keras' example `mnist_mlp`."""
    model = edl.Sequential(
        [
            edl.Input((784,)),
            layers.Dense(512, "relu"),
            layers.Dropout(0.2),
            layers.Dense(512, "relu"),
            layers.Dropout(0.2),
            layers.Dense(10, "softmax"),
        ]
    )
    accuracies = accuracies_of_epochs(model, edl.optimizers.RMSprop(), (784,), epochs, limit)
    yield Row(f"MNIST MLP, test accuracy, {best(accuracies)}", max(accuracies), 0.984, "98.40%, Keras' mnist_mlp")


def convnet(seed, epochs=12, limit=None):
    """The two convolutions of Keras' example `mnist_cnn`, by Adam whose rate falls along a cosine."""
    model = edl.Sequential(
        [
            edl.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dropout(0.5),
            layers.Dense(10, "softmax"),
        ]
    )
    rate = edl.optimizers.schedules.CosineDecay(0.001, epochs * math.ceil((limit or 60_000) / 128))
    accuracies = accuracies_of_epochs(model, edl.optimizers.Adam(rate), (28, 28, 1), epochs, limit)
    three = accuracies[:3]
    yield Row(f"MNIST convnet, test accuracy, {best(three)}", max(three), 0.987, "on the way to the next line")
    yield Row(f"MNIST convnet, test accuracy, {best(accuracies)}", max(accuracies), 0.9925, "99.25%, Keras' mnist_cnn")


# -- sequences --------------------------------------------------------------------------------------


def marked_sums(rng, count, length):
    """The adding problem: numbers and marks (count, length, 2) -> the sum of the two marked numbers (count, 1).

    One mark is in the first half and one in the second (Le, Jaitly and Hinton, 2015, arXiv:1504.00941). Who always answers
    1 has a mean squared error of 1/6, in their paper 0.1767.
    """
    numbers, marks = rng.random((count, length), dtype="float32"), np.zeros((count, length), "float32")
    half = length // 2
    for places in (rng.integers(half, size=count), rng.integers(half, length, size=count)):
        marks[np.arange(count), places] = 1
    return np.stack([numbers, marks], -1), (numbers * marks).sum(1, keepdims=True)


def adding(seed, steps=2500, length=50):
    """An LSTM of 128 units that never sees an example twice."""
    training, testing = np.random.default_rng(seed).spawn(2)
    x_test, y_test = marked_sums(testing, 1000, length)
    model = edl.Sequential([edl.Input((length, 2)), layers.LSTM(128), layers.Dense(1)])
    model.compile(edl.optimizers.Adam(0.002, global_clipnorm=1.0), "mse")
    for step in range(1, steps + 1):
        model.train_on_batch(*marked_sums(training, 32, length))
        if step % 250 == 0 or step == steps:
            error = model.evaluate(x_test, y_test, batch_size=250, verbose=0)
            print(f"step {step:,}/{steps:,} - mean squared error: {error:.4f}", flush=True)
    source = "0.1767 without learning, Le et al. 2015"
    yield Row(
        f"adding problem of {length} steps, LSTM 128, mean squared error after {steps:,} steps",
        error,
        0.01,
        source,
        smaller=True,
    )


def addition(seed, epochs=30, count=4545):
    """Sums of numbers of up to two digits, letter by letter, on pairs of numbers that were never seen.

    Keras' example trains on 5,000 sums at a constant rate; here a+b and b+a are both shown, and the rate falls.
    """
    _, history, _ = addition_seq2seq.train(epochs=epochs, count=count, seed=seed, verbose=2)
    what = f"two-digit addition, encoder and decoder, letters right in new sums after {epochs} epochs"
    yield Row(what, history["val_accuracy"][-1], 0.99, "99%, Keras' addition_rnn")


# -- small tables -----------------------------------------------------------------------------------


def folds(seed, epochs=200):
    """One hidden layer of 100 rectified units by Adam, as scikit-learn's MLPClassifier has it, on the same five folds."""
    try:
        from sklearn import datasets
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import StratifiedKFold, cross_val_score
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise PackageError(
            "benchmarks.accuracy", "scikit-learn is needed for folds", str(error), 'pip install "eagerdl[sklearn]"'
        ) from None

    def build(X, y):
        model = edl.Sequential([edl.Input(X.shape[1:]), layers.Dense(100, "relu"), layers.Dense(y.shape[1], "softmax")])
        model.compile(edl.optimizers.Adam(0.001), "categorical_crossentropy")
        return model

    for name in ("digits", "iris", "wine", "breast_cancer"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        five = StratifiedKFold(5, shuffle=True, random_state=seed)
        settings = {"epochs": epochs, "batch_size": min(200, len(y) * 4 // 5), "verbose": 0}
        ours, theirs = (
            edl.wrappers.SKLearnClassifier(build, fit_kwargs=settings),
            MLPClassifier(max_iter=epochs, random_state=seed),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs are its default, enough or not
            scores, references = (
                cross_val_score(make_pipeline(StandardScaler(), one), X, y, cv=five) for one in (ours, theirs)
            )
        print(f"{name}: " + "  ".join(f"{score:.4f}" for score in scores), flush=True)
        source = f"{references.mean():.1%} ± {references.std():.1%}, scikit-learn's MLPClassifier"
        yield Row(f"{name}, accuracy, five folds", scores.mean(), references.mean() - references.std(), source)


# -- letters ----------------------------------------------------------------------------------------


def shakespeare(path=None):
    """The text of tiny Shakespeare: from `path`, from EAGERDL_DATASETS, or downloaded once."""
    root = os.environ.get("EAGERDL_DATASETS")
    local = Path(path) if path else Path(root).expanduser() / "tinyshakespeare" / "input.txt" if root else None
    if path is None and (local is None or not local.exists()):
        local = edl.utils.get_file(
            "tinyshakespeare.txt", SHAKESPEARE, file_hash=SHAKESPEARE_SHA256, cache_subdir="datasets"
        )
    return Path(local).read_text(encoding="utf-8")


def gpt(seed, steps=2000, path=None, width=128):
    """4 layers, 4 heads, width 128, 64 letters, batches of 12, no dropout: nanoGPT on a CPU."""
    text = shakespeare(path)
    alphabet = sorted(set(text))
    number = {letter: index for index, letter in enumerate(alphabet)}
    coded = np.array([number[letter] for letter in text])
    length = 64
    training, validation = np.split(coded, [len(coded) * 9 // 10])
    count = (len(validation) - 1) // length
    x, y = (validation[shift : shift + count * length].reshape(count, length) for shift in (0, 1))

    model = small_gpt.GPT(len(alphabet), context=length, width=width, heads=4, depth=4)
    optimizer = small_gpt.optimizer(steps, learning_rate=0.001)
    model.compile(optimizer, edl.losses.SparseCategoricalCrossentropy(from_logits=True))
    epochs = min(20, steps)
    batches = small_gpt.batches(training, 12, length, seed)
    model.fit(batches, epochs=epochs, steps_per_epoch=steps // epochs, verbose=2)
    loss = model.evaluate(x, y, batch_size=12, verbose=0)
    what = f"tiny Shakespeare, GPT of nanoGPT's CPU configuration, validation loss after {steps:,} steps"
    yield Row(what, loss, 1.90, "1.88, nanoGPT", smaller=True)


# -- the table --------------------------------------------------------------------------------------

# Each benchmark, and the arguments with which it takes a moment.
BENCHMARKS = {
    "mlp": (mlp, {"epochs": 1, "limit": 256}),
    "convnet": (convnet, {"epochs": 1, "limit": 256}),
    "adding": (adding, {"steps": 3}),
    "addition": (addition, {"epochs": 1, "count": 100}),
    "folds": (folds, {"epochs": 2}),
    "gpt": (gpt, {"steps": 3, "width": 8}),
}


def print_table(rows):
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    table.add_column("reached", justify="right")
    table.add_column("wanted", justify="right")
    table.add_column("published")
    for row in rows:
        color = "green" if row.good else "red"
        sign = "<=" if row.smaller else ">="
        reached = f"[{color}]{row.shown(row.reached)}[/]"
        table.add_row(row.what, reached, f"{sign} {row.shown(row.wanted)}", row.source)
    Console(width=130).print(table)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--shakespeare", metavar="FILE", help="the text of tiny Shakespeare")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table, at the end")
    parser.add_argument("--quick", action="store_true", help="a few steps of each, to see that it runs")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")

    machine = {**describe("numpy", "scikit-learn"), "eagerdl": edl.__version__}
    print(", ".join(f"{fact} {value or 'absent'}" for fact, value in machine.items()))
    rows, missing = [], 0
    for name in arguments.names or BENCHMARKS:
        run, quick = BENCHMARKS[name]
        settings = dict(quick) if arguments.quick else {}
        if run is gpt:
            settings["path"] = arguments.shakespeare
        print(f"\n{name}: {run.__doc__.splitlines()[0]}", flush=True)
        edl.utils.set_random_seed(arguments.seed)
        started = time.perf_counter()
        try:
            rows += run(arguments.seed, **settings)
        except (DownloadError, PackageError, FileNotFoundError) as error:
            missing += 1
            print(f"left out: {error}", file=sys.stderr)
        print(f"{time.perf_counter() - started:.1f} s", flush=True)

    if arguments.json:
        print(
            json.dumps(
                {"machine": machine, "rows": [{**asdict(row), "good": bool(row.good)} for row in rows]}, indent=2
            )
        )
    else:
        print_table(rows)
    return 0 if not missing and all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
