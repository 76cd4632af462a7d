"""`ModelCheckpoint`: writes the model or its weights now and then."""

import os

from eagerdl.errors import ArgumentError
from eagerdl.messages import print_message
from eagerdl.train.callbacks.monitor import Monitor
from eagerdl.train.loop import numbers

__all__ = ["ModelCheckpoint"]

# What `model.save` and `model.save_weights` accept; said here so that a wrong name does not cost an epoch.
MODEL, WEIGHTS = (".keras",), (".weights.safetensors", ".weights.h5")


class ModelCheckpoint(Monitor):
    """Saves the model after each epoch, after so many steps, or when it is the best so far.

    A file is written under another name and then renamed: it is whole at any instant.

    Args:
        filepath: where to; the ending is ``.keras``, or ``.weights.safetensors`` for weights. ``{epoch}`` (from 1), ``{batch}`` and
            the names of logs are filled in: ``"{epoch:02d}-{val_loss:.2f}.keras"``.
        monitor: the name in the logs by which models are compared.
        verbose: 1 says what is saved.
        save_best_only: whether only models are saved that beat the best one before.
        save_weights_only: whether the weights are saved instead of the model with its optimizer.
        mode: "min", "max" or "auto".
        save_freq: "epoch", or a number of steps.
        initial_value_threshold: what the first model has to beat.

    Raises:
        ArgumentError: for another ending or `save_freq`, an unknown mode, or a name in `filepath` that logs do not have.

    Example:
        >>> import os, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> save = edl.callbacks.ModelCheckpoint(os.path.join(folder, "{epoch}.keras"))
        >>> _ = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[save])
        >>> sorted(os.listdir(folder))
        ['1.keras', '2.keras']
    """

    def __init__(self, filepath, monitor="val_loss", verbose=0, save_best_only=False, save_weights_only=False, mode="auto",
                 save_freq="epoch", initial_value_threshold=None):  # fmt: skip
        super().__init__(monitor, mode, initial_value_threshold)
        if save_freq != "epoch" and (isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1):
            raise ArgumentError("ModelCheckpoint.save_freq", "'epoch' or a positive number of steps is needed",
                                f"got {save_freq!r}", "choose one of them")  # fmt: skip
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only, self.save_freq = save_best_only, save_weights_only, save_freq
        endings = WEIGHTS if save_weights_only else MODEL
        if not self.filepath.endswith(endings):
            raise ArgumentError("ModelCheckpoint.filepath", f"the name of {'weights' if save_weights_only else 'a model'} ends in "
                                f"{endings[0]}", f"got {self.filepath!r}", "choose such a name")  # fmt: skip
        self._epoch, self._steps, self._batch = 0, 0, -1  # the steps since the last save, the batch that was seen last

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq == "epoch":
            return
        self._steps += batch - self._batch if batch > self._batch else batch + 1  # several with steps_per_execution
        self._batch = batch
        if self._steps >= self.save_freq:
            self._steps = 0
            self._save(self._epoch, batch, numbers(logs))

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _save(self, epoch, batch, logs):
        path = self._path(epoch, batch, logs)
        if self.save_best_only and not self._improved(epoch, logs):
            return
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose:
            print_message(f"Epoch {epoch + 1}: saved {path}")

    def _improved(self, epoch, logs):
        value = self.value_in(logs)
        if value is None:
            return True  # better a model too many than none
        before = "nothing" if self.best is None else f"{self.best:.5g}"
        better = self.is_better(value, self.best)
        if self.verbose:
            print_message(
                f"Epoch {epoch + 1}: {self.monitor} {value:.5g} is {'' if better else 'not '}better than {before}"
            )
        if better:
            self.best = value
        return better

    def _path(self, epoch, batch, logs):
        named = {**({} if batch is None else {"batch": batch + 1}), **logs, "epoch": epoch + 1}
        try:
            return self.filepath.format(**named)
        except (KeyError, IndexError) as error:
            raise ArgumentError("ModelCheckpoint.filepath", "its names must be in the logs", f"{self.filepath!r} asks for {error}",
                                f"there are {', '.join(named)}") from None  # fmt: skip
        except (TypeError, ValueError) as error:
            raise ArgumentError("ModelCheckpoint.filepath", "its formats must fit the logs", f"{self.filepath!r}: {error}",
                                "write for example {epoch:02d} and {val_loss:.2f}") from None  # fmt: skip

    def get_state(self):
        return {"best": self.best, "steps": self._steps, "batch": self._batch, "epoch": self._epoch}

    def set_state(self, state):
        self.best, self._steps = state["best"], state["steps"]
        self._batch, self._epoch = state["batch"], state["epoch"]
