"""PyTorch: eager, with the channels last in memory, and by `torch.compile`."""

import functools

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.train_step.workloads import ADAM, BLOCKS, CONTEXT, DEPTH, HEADS, LETTERS, UNITS, WIDTH, joined_heads
from benchmarks.turns import run

__all__ = ["channels_last", "compiled", "eager"]


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense_0, self.dense_1, self.dense_2 = nn.Linear(784, 512), nn.Linear(512, 256), nn.Linear(256, 10)

    def forward(self, x):
        return self.dense_2(F.relu(self.dense_1(F.relu(self.dense_0(x)))))


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_0, self.conv_1 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.dense_0, self.dense_1 = nn.Linear(7 * 7 * 64, 128), nn.Linear(128, 10)

    def forward(self, x):
        for conv in (self.conv_0, self.conv_1):
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return self.dense_1(F.relu(self.dense_0(x.flatten(1))))


class ResidualBlock(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.added = after - before
        self.conv_0 = nn.Conv2d(before, after, 3, 2 if self.added else 1, padding=1, bias=False)
        self.norm_0 = nn.BatchNorm2d(after)
        self.conv_1 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm_1 = nn.BatchNorm2d(after)

    def forward(self, x):
        half = self.added // 2
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half)) if self.added else x
        x = F.relu(self.norm_0(self.conv_0(x)))
        return F.relu(self.norm_1(self.conv_1(x)) + shortcut)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(*(ResidualBlock(before, after) for before, after in BLOCKS))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.norm(self.conv(x))))
        return self.head(x.mean((2, 3)))


class LSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters, self.lstm = nn.Embedding(LETTERS, 64), nn.LSTM(64, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, LETTERS)

    def forward(self, letters):
        return self.head(self.lstm(self.letters(letters))[0])


class AttentionBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_0, self.norm_1 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.heads, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.expand, self.contract = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        n, steps, _ = x.shape
        projected = self.heads(self.norm_0(x)).view(n, steps, 3, HEADS, WIDTH // HEADS)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.output(found.transpose(1, 2).reshape(n, steps, WIDTH))
        return x + self.contract(F.gelu(self.expand(self.norm_1(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters, self.places = nn.Embedding(LETTERS, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(AttentionBlock() for _ in range(DEPTH)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LETTERS)

    def forward(self, letters):
        x = self.letters(letters) + self.places(torch.arange(CONTEXT))
        return self.head(self.norm(self.blocks(x)))


MODELS = {"mlp": MLP, "cnn": CNN, "resnet20": ResNet20, "lstm": LSTM, "gpt": GPT}
KINDS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "embeddings": "weight", "moving_mean": "running_mean",
         "moving_variance": "running_var", "bias": "bias"}  # fmt: skip


def state_dict(name, weights):
    """The weights by the names of PyTorch, in its order of axes."""
    if name == "gpt":
        weights = joined_heads(weights)
    if name == "cnn":  # flattened pixel by pixel there, and channel by channel here
        rows = weights["dense_0/kernel"].reshape(7, 7, 64, 128).transpose(2, 0, 1, 3)
        weights = {**weights, "dense_0/kernel": rows.reshape(-1, 128)}
    found = {}
    for place, array in weights.items():
        *folders, kind = place.split("/")
        if kind.endswith("kernel"):
            array = array.T if array.ndim == 2 else array.transpose(3, 2, 0, 1)
        if folders == ["lstm"]:
            kind = {"kernel": "weight_ih_l0", "recurrent_kernel": "weight_hh_l0", "bias": "bias_ih_l0"}[kind]
            found["lstm.bias_hh_l0"] = torch.zeros(4 * UNITS)  # PyTorch has two biases and adds them
        else:
            kind = KINDS[kind]
        found[".".join([*folders, kind])] = torch.tensor(array)
    return found


def eager(name, weights, x, y, layout=torch.contiguous_format, decorate=lambda model: model):
    """A function of a number of steps: the losses, and the seconds that each took."""
    model = MODELS[name]()
    missing, _ = model.load_state_dict(state_dict(name, weights), strict=False)
    if not all(place.endswith("num_batches_tracked") for place in missing):
        raise SystemExit(f"{name} has no weights for {missing}")
    if name == "lstm":
        model.lstm.bias_hh_l0.requires_grad_(False)  # the others learn one
    model.to(memory_format=layout)
    x, y = torch.tensor(x), torch.tensor(y, dtype=torch.int64).flatten()
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=layout)
    # The fused update is the fastest that PyTorch has. Its epsilon stands elsewhere, so that second losses differ a little.
    optimizer = torch.optim.Adam(
        model.parameters(), ADAM["learning_rate"], (ADAM["beta_1"], ADAM["beta_2"]), ADAM["epsilon"], fused=True
    )

    @decorate
    def loss_of(x, y):
        return F.cross_entropy(model(x).flatten(0, -2), y)

    def step():
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return functools.partial(run, step)


def channels_last(name, weights, x, y):
    """The same with images as (n, h, w, c) in memory; None for networks without images."""
    return eager(name, weights, x, y, torch.channels_last) if x.ndim == 4 else None


def compiled(name, weights, x, y):
    """The same with the loss and its gradient by `torch.compile`."""
    return eager(name, weights, x, y, decorate=torch.compile)
