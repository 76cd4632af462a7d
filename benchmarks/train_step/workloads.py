"""What is trained: the sizes of five networks, their first weights, and a batch of data for each."""

from dataclasses import dataclass

import numpy as np

__all__ = ["ADAM", "BLOCKS", "CONTEXT", "DEPTH", "HEADS", "LETTERS", "UNITS", "WIDTH", "WORKLOADS", "batch",
           "first_weights", "joined_heads"]  # fmt: skip

# The defaults of Keras, whose epsilon is not PyTorch's.
ADAM = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}

LETTERS, CONTEXT = 65, 64  # the alphabet of tiny Shakespeare, and the letters in a row
UNITS, EMBEDDED = 256, 64  # of the LSTM
DEPTH, HEADS, WIDTH = 4, 4, 128  # of the GPT
# Channels that go into and come out of each block of the ResNet.
BLOCKS = [(16, 16)] * 3 + [(16, 32)] + [(32, 32)] * 2 + [(32, 64)] + [(64, 64)] * 2


def dense(name, n, m):
    return {f"{name}/kernel": (n, m), f"{name}/bias": (m,)}


def norm(name, n):
    return {f"{name}/gamma": (n,), f"{name}/beta": (n,)}


def batch_norm(name, n):
    return norm(name, n) | {f"{name}/moving_mean": (n,), f"{name}/moving_variance": (n,)}


def mlp():
    return dense("dense_0", 784, 512) | dense("dense_1", 512, 256) | dense("dense_2", 256, 10)


def cnn():
    shapes = {"conv_0/kernel": (3, 3, 1, 32), "conv_0/bias": (32,)}
    shapes |= {"conv_1/kernel": (3, 3, 32, 64), "conv_1/bias": (64,)}
    return shapes | dense("dense_0", 7 * 7 * 64, 128) | dense("dense_1", 128, 10)


def resnet20():
    shapes = {"conv/kernel": (3, 3, 3, 16)} | batch_norm("norm", 16)
    for i, (before, after) in enumerate(BLOCKS):
        for j, channels in enumerate((before, after)):
            shapes |= {f"blocks/{i}/conv_{j}/kernel": (3, 3, channels, after)}
            shapes |= batch_norm(f"blocks/{i}/norm_{j}", after)
    return shapes | dense("head", 64, 10)


def lstm():
    shapes = {"letters/embeddings": (LETTERS, EMBEDDED), "lstm/kernel": (EMBEDDED, 4 * UNITS)}
    shapes |= {"lstm/recurrent_kernel": (UNITS, 4 * UNITS), "lstm/bias": (4 * UNITS,)}
    return shapes | dense("head", UNITS, LETTERS)


def gpt():
    size = WIDTH // HEADS
    shapes = {"letters/embeddings": (LETTERS, WIDTH), "places/embeddings": (CONTEXT, WIDTH)}
    for block in (f"blocks/{i}" for i in range(DEPTH)):
        shapes |= norm(f"{block}/norm_0", WIDTH)
        for part in ("query", "key", "value"):
            shapes |= {f"{block}/{part}/kernel": (WIDTH, HEADS, size), f"{block}/{part}/bias": (HEADS, size)}
        shapes |= {f"{block}/output/kernel": (HEADS, size, WIDTH), f"{block}/output/bias": (WIDTH,)}
        shapes |= norm(f"{block}/norm_1", WIDTH)
        shapes |= dense(f"{block}/expand", WIDTH, 4 * WIDTH) | dense(f"{block}/contract", 4 * WIDTH, WIDTH)
    return shapes | norm("norm", WIDTH) | dense("head", WIDTH, LETTERS)


@dataclass(frozen=True)
class Workload:
    """One network and its data.

    Args:
        shapes: name -> shape of the weights, in the order of Keras.
        inputs: the shape of a batch of inputs; they are letters where it is that of the labels, and else floats.
        labels: the shape of a batch of labels.
        classes: how many labels there are, and letters.
    """

    shapes: dict
    inputs: tuple
    labels: tuple
    classes: int = 10


WORKLOADS = {
    "mlp": Workload(mlp(), (128, 784), (128,)),
    "cnn": Workload(cnn(), (64, 28, 28, 1), (64,)),
    "resnet20": Workload(resnet20(), (32, 32, 32, 3), (32,)),
    "lstm": Workload(lstm(), (32, CONTEXT), (32, CONTEXT), LETTERS),
    "gpt": Workload(gpt(), (12, CONTEXT), (12, CONTEXT), LETTERS),
}


def batch(workload):
    """Inputs, float32 or int32, and labels, int32."""
    rng = np.random.default_rng(0)
    labels = rng.integers(workload.classes, size=workload.labels, dtype="int32")
    if workload.inputs == workload.labels:
        return rng.integers(workload.classes, size=workload.inputs, dtype="int32"), labels
    return rng.standard_normal(workload.inputs, dtype="float32"), labels


def first_weights(workload):
    """name -> array, in the order of Keras. No bias is 0 and no scale is 1: who forgets one gets another loss."""
    rng = np.random.default_rng(1)
    weights = {}
    for name, shape in workload.shapes.items():
        noise = rng.standard_normal(shape, dtype="float32")
        if name.endswith("kernel"):
            weights[name] = noise / np.sqrt(np.prod(shape[:-1], dtype="float32"))
        elif name.endswith(("gamma", "moving_variance")):
            weights[name] = 1 + 0.1 * np.abs(noise)
        else:
            weights[name] = 0.1 * noise
    return weights


def joined_heads(weights):
    """The weights with query, key and value of a block as one matrix (width, 3 width), and no axis for the heads."""
    joined = {}
    for name, array in weights.items():
        block, part, kind = name.rsplit("/", 2) if name.startswith("blocks") else ("", "", "")
        if part == "query":
            parts = [weights[f"{block}/{one}/{kind}"] for one in ("query", "key", "value")]
            flat = [one.reshape(*one.shape[:-2], WIDTH) for one in parts]
            joined[f"{block}/heads/{kind}"] = np.concatenate(flat, axis=-1)
        elif part == "output":
            joined[name] = array.reshape(-1, WIDTH) if kind == "kernel" else array
        elif part not in ("key", "value"):
            joined[name] = array
    return joined
