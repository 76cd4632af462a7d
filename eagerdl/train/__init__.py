"""Training: the loop, optimizers, losses, metrics, callbacks, checkpoints."""

from eagerdl.train import callbacks, losses, metrics, optimizers
from eagerdl.train.checkpoint import Checkpoint, CheckpointManager, latest_checkpoint
from eagerdl.train.journal import Journal
from eagerdl.train.loop import Progress

__all__ = [
    "Checkpoint", "CheckpointManager", "Journal", "Progress", "callbacks", "latest_checkpoint", "losses", "metrics", "optimizers",
]  # fmt: skip
