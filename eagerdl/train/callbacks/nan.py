"""`TerminateOnNaN`: ends a run whose loss is no number any more."""

import math

from eagerdl.errors import NumericsError
from eagerdl.messages import print_message
from eagerdl.tensor import Tensor
from eagerdl.train.callbacks.callback import Callback

__all__ = ["TerminateOnNaN"]

REMEDY = (
    "lower the learning rate, clip gradients (clipnorm=1.0), look for NaN in the data, or find the first one with "
    "edl.debugging.enable_check_numerics()"
)


class TerminateOnNaN(Callback):
    """Ends training after the step in which the loss becomes NaN or infinite, and says which one it was.

    Args:
        raise_error: whether to raise instead of ending in good order.

    Raises:
        NumericsError: with `raise_error`.

    Example:
        >>> model = edl.Sequential([edl.Input((1,)), edl.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.ones((4, 1)), np.array([[1.0], [np.nan], [1.0], [1.0]])
        >>> run = model.fit(x, y, batch_size=1, shuffle=False, verbose=0, callbacks=[edl.callbacks.TerminateOnNaN()])
        [TerminateOnNaN] the loss is nan at epoch 1, batch 2: training stops; lower the learning rate, ...
    """

    def __init__(self, raise_error=False):
        self.raise_error, self._epoch = raise_error, 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        loss = loss.item() if isinstance(loss, Tensor) else float(loss)
        if math.isfinite(loss):
            return
        place = f"epoch {self._epoch + 1}, batch {batch + 1}"
        if self.raise_error:
            raise NumericsError("TerminateOnNaN", "the loss must be finite", f"it is {loss} at {place}", REMEDY)
        print_message(f"[TerminateOnNaN] the loss is {loss} at {place}: training stops; {REMEDY}")
        self.model.stop_training = True

    def get_state(self):
        return {"epoch": self._epoch}

    def set_state(self, state):
        self._epoch = state["epoch"]
