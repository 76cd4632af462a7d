"""`EarlyStopping`: ends a run that gets no better."""

import numpy as np

from eagerdl.messages import print_message
from eagerdl.train.callbacks.monitor import Monitor

__all__ = ["EarlyStopping"]


class EarlyStopping(Monitor):
    """Ends training after `patience` epochs in which a number did not get better.

    Args:
        monitor: its name in the logs.
        min_delta: by how much a value has to be better to count.
        patience: how many epochs without a better value are borne.
        verbose: 1 says when it stops.
        mode: "min", "max" or "auto".
        baseline: a value that has to be beaten as well, or the epoch does not end the waiting.
        restore_best_weights: whether the weights of the best epoch are put back at the end, also if `baseline` was not reached.
        start_from_epoch: the first epoch, from 0, that is looked at.

    Raises:
        ArgumentError: for an unknown mode, or if "auto" does not find out the direction.

    Example:
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile(edl.optimizers.SGD(0.0), "mse")
        >>> stop = edl.callbacks.EarlyStopping("loss", patience=2)
        >>> model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=9, verbose=0, callbacks=[stop]).epoch
        [0, 1, 2]
    """

    def __init__(self, monitor="val_loss", min_delta=0, patience=0, verbose=0, mode="auto", baseline=None,
                 restore_best_weights=False, start_from_epoch=0):  # fmt: skip
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs=None):
        self.wait, self.stopped_epoch, self._seen = 0, 0, False
        self.best, self.best_weights, self.best_epoch = None, None, 0

    def on_epoch_end(self, epoch, logs=None):
        value = self.value_in(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        better = self.is_better(value, self.best)
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = self.model.get_weights()
        self.wait += 1
        if better or self.best is None:
            self.best, self.best_epoch = value, epoch
        if better:
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.verbose and self.stopped_epoch:
            print_message(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print_message(f"Restoring the weights of the best epoch, {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)

    def get_state(self):
        return {
            "wait": self.wait, "stopped_epoch": self.stopped_epoch, "best": self.best, "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }  # fmt: skip

    def set_state(self, state):
        self.wait, self.stopped_epoch = state["wait"], state["stopped_epoch"]
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        weights = state["best_weights"]
        self.best_weights = None if weights is None else [np.array(one) for one in weights]
