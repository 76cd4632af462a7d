"""`ProgbarLogger`: the callback that shows a run."""

from eagerdl.train.callbacks.callback import Callback
from eagerdl.train.progress import Silent, display_for


class ProgbarLogger(Callback):
    """Shows where a run is; `fit` adds one unless `verbose` is 0. See `eagerdl/train/progress.py`.

    Example:
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> _ = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=2)
        Epoch 1/1 - ... - loss: ...
    """

    def __init__(self):
        self._display, self._within, self._begun = Silent(), False, False

    def set_params(self, params):
        super().set_params(params)
        self._verbose, self._steps, self._epochs = (
            params.get("verbose", "auto"),
            params.get("steps"),
            params.get("epochs"),
        )

    def _start(self, title, epochs):
        self._display = display_for(self._verbose)
        self._display.start(title, epochs)

    def on_train_begin(self, logs=None):
        self._within, self._begun = True, False
        self._start("fit", self._epochs)

    def on_epoch_begin(self, epoch, logs=None):
        self._begun = True
        self._display.begin(epoch, self._steps)

    def on_train_batch_end(self, batch, logs=None):
        if not self._begun:  # a run that goes on in the middle of an epoch
            self.on_epoch_begin(self.params.get("initial_epoch", 0))
        self._display.step(batch + 1, logs)

    def on_epoch_end(self, epoch, logs=None):
        if not self._begun:
            self.on_epoch_begin(epoch)
        self._display.end(logs)

    def on_train_end(self, logs=None):
        self._within = False
        self._display.stop()

    def on_test_begin(self, logs=None):
        self._begin_pass("evaluate")

    def on_test_batch_end(self, batch, logs=None):
        if self._within:
            self._display.validate(batch + 1)
        else:
            self._display.step(batch + 1, logs)

    def on_test_end(self, logs=None):
        self._end_pass(logs)

    def on_predict_begin(self, logs=None):
        self._begin_pass("predict")

    def on_predict_batch_end(self, batch, logs=None):
        if not self._within:
            self._display.step(batch + 1, None)

    def on_predict_end(self, logs=None):
        self._end_pass(logs)

    def _begin_pass(self, title):
        if not self._within:  # validation is shown with its epoch
            self._start(title, None)
            self._display.begin(0, self._steps)

    def _end_pass(self, logs):
        if not self._within:
            self._display.end(logs)
            self._display.stop()

    def close(self):
        self._display.stop()
        self._within = False
