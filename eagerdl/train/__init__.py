"""Training: the loop, optimizers, losses, metrics, callbacks, checkpoints."""

from eagerdl.train.checkpoint import Checkpoint, CheckpointManager, latest_checkpoint
from eagerdl.train.journal import Journal
from eagerdl.train.loop import Progress

__all__ = ["Checkpoint", "CheckpointManager", "Journal", "Progress", "latest_checkpoint"]
