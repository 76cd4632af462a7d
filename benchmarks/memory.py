"""Whether memory stays flat over many fits in one process.

    python -m benchmarks.memory [--fits 200]

Each fit makes a new model, trains it, evaluates it and forgets it. The garbage collector is off: what stays is held by somebody.
"""

import argparse
import gc

import numpy as np

import eagerdl as edl
from benchmarks.machine import describe


def resident():
    """The resident memory of this process in MB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def fit_once(x, y):
    """A model is made, trained, evaluated and forgotten."""
    layers = edl.layers
    model = edl.Sequential(
        [edl.Input((20,)), layers.Dense(256, "relu"), layers.Dropout(0.1), layers.Dense(256, "relu"), layers.Dense(3)]
    )
    model.compile("adam", edl.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(x, y, epochs=2, batch_size=32, validation_split=0.2, verbose=0)
    model.predict(x, verbose=0)


def main():
    """Prints memory along the way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=200)
    fits = parser.parse_args().fits
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((256, 20)).astype("float32"), generator.integers(0, 3, 256)
    print(describe())
    gc.disable()
    seen = {}
    for number in range(1, fits + 1):
        fit_once(x, y)
        if number in (fits // 10, fits // 4, fits // 2, fits):
            seen[number] = resident()
            print(f"after {number:4d} fits: {seen[number]:7.1f} MB")
    first, last = seen[fits // 10], seen[fits]
    print(f"from {fits // 10} to {fits} fits: {(last / first - 1) * 100:+.2f}%")


if __name__ == "__main__":
    main()
