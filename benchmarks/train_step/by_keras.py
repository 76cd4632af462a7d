"""Keras with JAX: its own jitted step, `train_on_batch`, in a process of its own, because Keras chooses its backend once."""

import multiprocessing
import os

from benchmarks.train_step.models import MODELS
from benchmarks.train_step.workloads import ADAM
from benchmarks.turns import run

__all__ = ["jitted"]


def train_step(name, weights, x, y):
    """A function without arguments: one step, and its loss."""
    import keras

    model = MODELS[name](keras)
    model(keras.Input(x.shape[1:], dtype=x.dtype.name))  # makes the weights
    model.set_weights(list(weights.values()))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(**ADAM), loss, jit_compile=True)
    return lambda: float(model.train_on_batch(x, y))


def serve(connection, *arguments):
    """Takes steps, as many as the other end of the connection says, until it is closed."""
    os.environ["KERAS_BACKEND"] = "jax"
    step = train_step(*arguments)
    while True:
        try:
            count = connection.recv()
        except EOFError:
            return
        connection.send(run(step, count))


def jitted(name, weights, x, y):
    """A function of a number of steps: the losses, and the seconds that each took in the other process."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    spawn.Process(target=serve, args=(theirs, name, weights, x, y), daemon=True).start()
    theirs.close()

    def take(count):
        ours.send(count)
        return ours.recv()

    return take
