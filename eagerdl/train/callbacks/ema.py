"""`SwapEMAWeights`: evaluation with the averages of the weights."""

import numpy as np

from eagerdl.errors import ArgumentError
from eagerdl.train.callbacks.callback import Callback
from eagerdl.train.callbacks.learning_rate import optimizers_of

__all__ = ["SwapEMAWeights"]


class SwapEMAWeights(Callback):
    """Lets the model have the optimizer's moving averages of the weights while it is evaluated, and predicts with them.

    The optimizer needs ``use_ema=True``. The weights of training are kept meanwhile and put back afterwards.

    Args:
        swap_on_epoch: whether the model has the averages between epochs as well, for callbacks that come after this one, such as
            `ModelCheckpoint`.

    Raises:
        ArgumentError: if the optimizer keeps no averages.

    Example:
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile(edl.optimizers.SGD(use_ema=True), "mse")
        >>> x, y = np.ones((4, 2)), np.ones((4, 1))
        >>> run = model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[edl.callbacks.SwapEMAWeights()])

    Source: averaged weights are those of Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    def __init__(self, swap_on_epoch=False):
        self.swap_on_epoch = swap_on_epoch
        self._kept = None  # the weights of training while the averages are in the model

    def _pairs(self):
        """(variable, average) of all optimizers that have averages; none before their first step."""
        found = [one for one in optimizers_of("SwapEMAWeights", self.model).values() if one.use_ema]
        if not found:
            raise ArgumentError("SwapEMAWeights", "the optimizer must keep averages", "it has use_ema=False",
                                "make it with use_ema=True")  # fmt: skip
        return [
            pair
            for one in found
            if one.built and int(one._iterations)
            for pair in zip(one._model_variables, one._averages)
        ]

    def _put_averages(self):
        if self._kept is None:
            pairs = self._pairs()
            self._kept = [variable.numpy() for variable, _ in pairs]
            for variable, average in pairs:
                variable.assign(average.value)

    def _put_back(self):
        if self._kept is not None:
            for (variable, _), value in zip(self._pairs(), self._kept):
                variable.assign(value)
            self._kept = None

    def on_train_begin(self, logs=None):
        self._kept = None
        self._pairs()

    def on_epoch_begin(self, epoch, logs=None):
        self._put_back()

    def on_epoch_end(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._put_averages()

    def on_test_begin(self, logs=None):
        self._put_averages()

    def on_test_end(self, logs=None):
        self._put_back()

    def on_predict_begin(self, logs=None):
        self._put_averages()

    def on_predict_end(self, logs=None):
        self._put_back()

    def get_state(self):
        return {"kept": self._kept}

    def set_state(self, state):
        self._kept = None if state["kept"] is None else [np.array(one) for one in state["kept"]]
