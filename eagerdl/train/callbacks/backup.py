"""`BackupAndRestore`: a run that goes on after an interruption, as a callback."""

import contextlib
import os
from pathlib import Path

from eagerdl.errors import ArgumentError
from eagerdl.train.callbacks.callback import Callback
from eagerdl.train.journal import Journal

__all__ = ["BackupAndRestore"]


class BackupAndRestore(Callback):
    """Keeps the whole state of a run in a folder; the same `fit` after an interruption goes on from there, to the same bits.

    It is the journal of ``fit(resume=folder)`` with Keras' arguments: weights, optimizer, metrics, callbacks, random states, the
    position in the data and the history are all kept.

    Args:
        backup_dir: a folder for this run alone.
        save_freq: "epoch", a number of steps, or False for only at the beginning.
        double_checkpoint: accepted for Keras' sake: the last two states are always kept, so that one is whole at any instant.
        delete_checkpoint: whether the states are deleted when the run has come to its end.

    Raises:
        ArgumentError: for an empty `backup_dir` or another `save_freq`.

    Example:
        >>> import tempfile
        >>> backup = edl.callbacks.BackupAndRestore(tempfile.mkdtemp())
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[backup]).epoch
        [0, 1]
    """

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        if not backup_dir:
            raise ArgumentError(
                "BackupAndRestore", "backup_dir is a folder", f"got {backup_dir!r}", "pass one for this run alone"
            )
        good = save_freq in ("epoch", False) or (isinstance(save_freq, int) and save_freq is not True and save_freq > 0)
        if not good:
            raise ArgumentError("BackupAndRestore.save_freq", "'epoch', a positive number of steps or False is needed",
                                f"got {save_freq!r}", "choose one of them")  # fmt: skip
        self.backup_dir, self.save_freq = os.fspath(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._backups = None

    def journal(self, model, callbacks, source):
        """The Journal with which `fit` keeps the run."""
        self._backups = Backups(self.backup_dir, model, callbacks, source, every=self.save_freq)
        return self._backups

    def on_train_end(self, logs=None):
        backups, self._backups = self._backups, None
        if backups is None or not self.delete_checkpoint:
            return
        # After Ctrl-C this is called as well, and then the run is to go on.
        if self.model.stop_training or backups.epochs_done >= self.params["epochs"]:
            backups.delete()


class Backups(Journal):
    """A Journal that saves after epochs or after a number of steps, whatever the time.

    Args:
        folder, model, callbacks, source: as in `Journal`.
        every: "epoch", a number of steps, or False.
    """

    def __init__(self, folder, model, callbacks, source, every):
        super().__init__(folder, model, callbacks, source)
        self.every, self.epochs_done, self._steps = every, 0, 0

    def restore(self, progress=None):
        progress = super().restore(progress)
        self.epochs_done = progress.epoch
        return progress

    def after_step(self, progress):
        """Saves if so many steps are done since the last snapshot."""
        if self.every == "epoch" or self.every is False:
            return
        self._steps += 1
        if self._steps >= self.every:
            self._steps = 0
            self.save(progress)

    def after_epoch(self, progress):
        """Saves if epochs count."""
        self.epochs_done = progress.epoch
        if self.every == "epoch":
            self.save(progress)

    def delete(self):
        """Deletes the snapshots, and their folder if nothing else is in it."""
        for path in self._files:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            Path(self.folder).rmdir()
