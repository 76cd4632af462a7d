"""What `fit` costs over a bare loop: a two-layer MLP with batches of 128, in one process; line by line, and compiled.

    python -m benchmarks.fit_overhead

Both train the same model on the same batches with the same optimizer; the loop holds what nobody can leave out: slices, a tape,
the loss, the gradient, the update. Rounds of both alternate, and the minimum of each counts.
"""

import argparse
import time

import numpy as np

import eagerdl as edl
from benchmarks.machine import describe

EXAMPLES, FEATURES, HIDDEN, CLASSES, BATCH = 12_800, 784, 256, 10, 128


def data():
    """Inputs (EXAMPLES, FEATURES) and labels (EXAMPLES,)."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((EXAMPLES, FEATURES)).astype("float32")
    return x, generator.integers(0, CLASSES, EXAMPLES)


def model(compiled):
    """A two-layer MLP, ready for `fit`."""
    edl.utils.set_random_seed(0)
    layers = edl.layers
    made = edl.Sequential([edl.Input((FEATURES,)), layers.Dense(HIDDEN, "relu"), layers.Dense(CLASSES)])
    made.compile(edl.optimizers.SGD(0.01), edl.losses.SparseCategoricalCrossentropy(from_logits=True),
                 jit_compile=compiled)  # fmt: skip
    return made


def bare_step(network, compiled):
    """A step by hand."""
    variables, optimizer, loss_of = network.trainable_variables, network.optimizer, network._compile_config["loss"]

    def step(images, labels):
        with edl.GradientTape() as tape:
            loss = loss_of(labels, network(images, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

    return edl.function(step) if compiled else step


def bare_loop(step, x, y):
    """One epoch by hand."""
    for start in range(0, len(x), BATCH):
        step(edl.constant(x[start : start + BATCH]), edl.constant(y[start : start + BATCH]))


def by_fit(network, x, y):
    """One epoch by `fit`, with a display that is off, as in a program."""
    network.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)


def seconds(function, *args):
    """How long one call takes."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def compare(compiled, rounds):
    """Prints the time per step of both, and their ratio."""
    x, y = data()
    first, second = model(compiled), model(compiled)
    step, loop_times, fit_times = bare_step(first, compiled), [], []
    bare_loop(step, x, y)
    by_fit(second, x, y)
    for _ in range(rounds):
        loop_times.append(seconds(bare_loop, step, x, y))
        fit_times.append(seconds(by_fit, second, x, y))
    for a, b in zip(first.get_weights(), second.get_weights()):
        if not np.array_equal(a, b):
            raise SystemExit("the loop and fit do not agree to the bit")
    steps = EXAMPLES // BATCH
    loop, fit = min(loop_times) / steps * 1e3, min(fit_times) / steps * 1e3
    print(f"{'compiled' if compiled else 'line by line'}: bare loop {loop:.3f} ms per step, fit {fit:.3f} ms per step: "
          f"{(fit / loop - 1) * 100:+.1f}%; same bits")  # fmt: skip


def main():
    """Prints what `fit` costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(describe())
    for compiled in (False, True):
        compare(compiled, rounds)


if __name__ == "__main__":
    main()
