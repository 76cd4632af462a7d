"""`ReduceLROnPlateau`: smaller steps where a number gets no better."""

from eagerdl.errors import RangeError
from eagerdl.messages import print_message
from eagerdl.train.callbacks.learning_rate import check_assignable, optimizers_of, rates
from eagerdl.train.callbacks.monitor import Monitor

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate by `factor` after `patience` epochs in which a number did not get better.

    Logs show the rate as ``learning_rate``.

    Args:
        monitor: its name in the logs.
        factor: below 1: the new rate is ``factor * rate``.
        patience: how many epochs without a better value are borne.
        verbose: 1 says when it acts.
        mode: "min", "max" or "auto".
        min_delta: by how much a value has to be better to count.
        cooldown: how many epochs after a reduction are not counted.
        min_lr: the smallest rate.

    Raises:
        RangeError: if `factor` is 1 or more.
        ArgumentError: for an unknown mode, or if the optimizer has a schedule.

    Example:
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile(edl.optimizers.SGD(1e-9), "mse")
        >>> reduce = edl.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2)
        >>> run = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=4, verbose=0, callbacks=[reduce])
        >>> [f"{rate:.2g}" for rate in run.history["learning_rate"]]
        ['1e-09', '1e-09', '1e-09', '5e-10']
    """

    def __init__(self, monitor="val_loss", factor=0.1, patience=10, verbose=0, mode="auto", min_delta=1e-4, cooldown=0,
                 min_lr=0.0):  # fmt: skip
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise RangeError("ReduceLROnPlateau", "factor is below 1", f"got {factor}", "0.1 or 0.5 are usual")
        self.factor, self.patience, self.verbose, self.cooldown, self.min_lr = (
            factor,
            patience,
            verbose,
            cooldown,
            min_lr,
        )
        self.cooldown_counter, self.wait = 0, 0

    def on_train_begin(self, logs=None):
        check_assignable("ReduceLROnPlateau", self.model)
        self.best, self.cooldown_counter, self.wait, self._seen = None, 0, 0, False

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        logs.update(rates("ReduceLROnPlateau", self.model))
        value = self.value_in(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, epoch):
        """Reduces what is above `min_lr`; says whether there was such a rate."""
        reduced = False
        for name, optimizer in optimizers_of("ReduceLROnPlateau", self.model).items():
            rate = float(optimizer.learning_rate)
            # The variable is float32: min_lr, once set, reads back a little above or below.
            if rate > self.min_lr * (1 + 1e-6):
                new = optimizer.learning_rate = max(rate * self.factor, self.min_lr)
                reduced = True
                if self.verbose:
                    print_message(f"Epoch {epoch + 1}: {name and name + ' '}learning rate is reduced to {new:g}")
        return reduced

    def in_cooldown(self):
        """True while epochs after a reduction are not counted."""
        return self.cooldown_counter > 0

    def get_state(self):
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def set_state(self, state):
        self.best, self.wait, self.cooldown_counter = state["best"], state["wait"], state["cooldown_counter"]
