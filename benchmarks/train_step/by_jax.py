"""JAX without a library on top: parameters in a dict, a jitted gradient, Adam by hand."""

import functools

import jax
from jax import lax
from jax import numpy as jnp

from benchmarks.train_step.workloads import ADAM, BLOCKS, CONTEXT, DEPTH, HEADS, UNITS, WIDTH, joined_heads
from benchmarks.turns import run

__all__ = ["jitted"]


def dense(p, name, x):
    return x @ p[f"{name}/kernel"] + p[f"{name}/bias"]


def conv(p, name, x, strides=1):
    kernel, padding, axes = p[f"{name}/kernel"], ((1, 1), (1, 1)), ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (strides, strides), padding, dimension_numbers=axes)


def layer_norm(p, name, x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * p[f"{name}/gamma"] + p[f"{name}/beta"]


def batch_norm(p, averages, name, x):
    """The normalised x; the moving averages in the dict `averages` go on."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    for kind, value in (("mean", mean), ("variance", variance)):
        averages[f"{name}/moving_{kind}"] = 0.9 * averages[f"{name}/moving_{kind}"] + 0.1 * value
    return (x - mean) * (lax.rsqrt(variance + 1e-5) * p[f"{name}/gamma"]) + p[f"{name}/beta"]


def mlp(p, averages, x):
    return dense(p, "dense_2", jax.nn.relu(dense(p, "dense_1", jax.nn.relu(dense(p, "dense_0", x)))))


def cnn(p, averages, x):
    for name in ("conv_0", "conv_1"):
        x = jax.nn.relu(conv(p, name, x) + p[f"{name}/bias"])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return dense(p, "dense_1", jax.nn.relu(dense(p, "dense_0", x.reshape(len(x), -1))))


def resnet20(p, averages, x):
    x = jax.nn.relu(batch_norm(p, averages, "norm", conv(p, "conv", x)))
    for i, (before, after) in enumerate(BLOCKS):
        block, shortcut, half = f"blocks/{i}", x, (after - before) // 2
        if half:
            shortcut = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (half, half)))
        x = jax.nn.relu(batch_norm(p, averages, f"{block}/norm_0", conv(p, f"{block}/conv_0", x, 2 if half else 1)))
        x = jax.nn.relu(batch_norm(p, averages, f"{block}/norm_1", conv(p, f"{block}/conv_1", x)) + shortcut)
    return dense(p, "head", x.mean((1, 2)))


def lstm(p, averages, letters):
    projected = p["letters/embeddings"][letters] @ p["lstm/kernel"] + p["lstm/bias"]

    def step(state, x):
        h, c = state
        i, f, g, o = jnp.split(x + h @ p["lstm/recurrent_kernel"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((len(letters), UNITS))
    _, outputs = lax.scan(step, (zeros, zeros), projected.swapaxes(0, 1))
    return dense(p, "head", outputs.swapaxes(0, 1))


def gpt(p, averages, letters):
    x = p["letters/embeddings"][letters] + p["places/embeddings"][jnp.arange(CONTEXT)]
    for block in (f"blocks/{i}" for i in range(DEPTH)):
        projected = dense(p, f"{block}/heads", layer_norm(p, f"{block}/norm_0", x))
        query, key, value = jnp.moveaxis(projected.reshape(*x.shape[:2], 3, HEADS, WIDTH // HEADS), 2, 0)
        found = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        x = x + dense(p, f"{block}/output", found.reshape(x.shape))
        wide = jax.nn.gelu(dense(p, f"{block}/expand", layer_norm(p, f"{block}/norm_1", x)), approximate=True)
        x = x + dense(p, f"{block}/contract", wide)
    return dense(p, "head", layer_norm(p, "norm", x))


NETWORKS = {"mlp": mlp, "cnn": cnn, "resnet20": resnet20, "lstm": lstm, "gpt": gpt}


def adam(p, gradients, slots):
    """The parameters after a step, and (m, v, t); in Keras' form, with the epsilon hat of the paper."""
    rate, beta_1, beta_2, epsilon = ADAM.values()
    m, v, t = slots
    t = t + 1
    m = jax.tree.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, m, gradients)
    v = jax.tree.map(lambda v, g: beta_2 * v + (1 - beta_2) * g**2, v, gradients)
    alpha = rate * jnp.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return jax.tree.map(lambda p, m, v: p - alpha * m / (jnp.sqrt(v) + epsilon), p, m, v), (m, v, t)


def jitted(name, weights, x, y):
    """A function of a number of steps: the losses, and the seconds that each took."""
    weights = joined_heads(weights) if name == "gpt" else weights
    averages = {place: jnp.asarray(array) for place, array in weights.items() if "/moving_" in place}
    p = {place: jnp.asarray(array) for place, array in weights.items() if place not in averages}
    network = NETWORKS[name]

    def loss_of(p, averages, x, y):
        averages = dict(averages)
        scores = jax.nn.log_softmax(network(p, averages, x))
        return -jnp.take_along_axis(scores, y[..., None], -1).mean(), averages

    @functools.partial(jax.jit, donate_argnums=0)
    def train_step(state, x, y):
        p, averages, slots = state
        (loss, averages), gradients = jax.value_and_grad(loss_of, has_aux=True)(p, averages, x, y)
        p, slots = adam(p, gradients, slots)
        return loss, (p, averages, slots)

    m, v = (jax.tree.map(jnp.zeros_like, p) for _ in range(2))
    state, x, y = (p, averages, (m, v, 0)), jnp.asarray(x), jnp.asarray(y)

    def step():
        nonlocal state
        loss, state = train_step(state, x, y)
        return float(loss)

    return functools.partial(run, step)
