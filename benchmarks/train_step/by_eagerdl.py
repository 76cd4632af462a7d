"""The train step by hand: eager, and as a compiled function."""

import functools

import eagerdl as edl
from benchmarks.train_step.models import MODELS
from benchmarks.train_step.workloads import ADAM
from benchmarks.turns import run

__all__ = ["compiled", "eager"]


def train_step(name, weights, x):
    """A function (x, y) -> loss that trains the network `name`."""
    model = MODELS[name](edl)
    model(x)  # makes the weights
    model.set_weights(list(weights.values()))
    variables = model.trainable_variables
    optimizer = edl.optimizers.Adam(**ADAM)
    optimizer.build(variables)
    loss_of = edl.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(x, y):
        with edl.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables))
        return loss

    return step


def eager(name, weights, x, y, decorate=lambda step: step):
    """A function of a number of steps: the losses, and the seconds that each took."""
    x, y = edl.constant(x), edl.constant(y)
    step = decorate(train_step(name, weights, x))
    return functools.partial(run, lambda: float(step(x, y)))


def compiled(name, weights, x, y):
    """The same by `edl.function`."""
    return eager(name, weights, x, y, edl.function)
