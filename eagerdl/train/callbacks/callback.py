"""`Callback`: what is told about a run; `CallbackList`: how a loop tells several; `History`."""

import weakref

from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError

EVENTS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end", "on_predict_begin", "on_predict_end",
    "on_predict_batch_begin", "on_predict_batch_end",
)  # fmt: skip


class Callback:
    """Base class: override the methods of what you want to hear of.

    `self.model` is the model, `self.params` a dict of epochs, steps and verbose. `logs` are dicts of numbers; those of batches may
    hold tensors, so that nobody waits for a value that is not looked at.
    A callback with a state that a run needs to go on gives it with `get_state` and takes it back with `set_state`.

    Example:
        >>> class Stop(edl.callbacks.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         if logs["loss"] < 1.0:
        ...             self.model.stop_training = True
    """

    params = None
    _model = None

    @property
    def model(self):
        """The model that is trained."""
        return self._model

    def set_params(self, params):
        """Called by loops with epochs, steps and verbose."""
        self.params = params

    def set_model(self, model):
        """Called by loops with the model."""
        self._model = model

    def get_state(self):
        """What a run needs of this callback to go on after an interruption, as JSON can hold it; None for nothing."""
        return None

    def set_state(self, state):
        """Takes back what `get_state` gave."""

    def on_batch_begin(self, batch, logs=None):
        """As `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """As `on_train_batch_end`."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before a step of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """After a step of training."""
        self.on_batch_end(batch, logs)

    def on_epoch_begin(self, epoch, logs=None):
        """Before an epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """After an epoch and its validation, whose logs are there with ``val_``."""

    def on_train_begin(self, logs=None):
        """Before the first epoch."""

    def on_train_end(self, logs=None):
        """After the last epoch."""

    def on_test_begin(self, logs=None):
        """Before an evaluation."""

    def on_test_end(self, logs=None):
        """After an evaluation."""

    def on_test_batch_begin(self, batch, logs=None):
        """Before a step of evaluation."""

    def on_test_batch_end(self, batch, logs=None):
        """After a step of evaluation."""

    def on_predict_begin(self, logs=None):
        """Before a prediction."""

    def on_predict_end(self, logs=None):
        """After a prediction."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before a step of prediction."""

    def on_predict_batch_end(self, batch, logs=None):
        """After a step of prediction."""

    def close(self):
        """Called when a run is over, however it ended."""


class LambdaCallback(Callback):
    """A callback of functions.

    Args:
        on_epoch_begin, on_epoch_end, on_train_begin, on_train_end, on_train_batch_begin, on_train_batch_end: functions with the
            arguments of the methods.
        kwargs: the other events of `Callback`.

    Raises:
        ArgumentError: for an unknown event.

    Example:
        >>> show = edl.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))
    """

    def __init__(self, on_epoch_begin=None, on_epoch_end=None, on_train_begin=None, on_train_end=None, on_train_batch_begin=None,
                 on_train_batch_end=None, **kwargs):  # fmt: skip
        given = {
            "on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, "on_train_begin": on_train_begin,
            "on_train_end": on_train_end, "on_train_batch_begin": on_train_batch_begin, "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }  # fmt: skip
        for name, function in given.items():
            if name not in EVENTS:
                raise ArgumentError("LambdaCallback", "an event of Callback is needed",
                                    f"got {name!r}{registry.nearest(name, EVENTS)}", f"they are {', '.join(EVENTS)}")  # fmt: skip
            if function is not None:
                setattr(self, name, function)


class History(Callback):
    """The numbers of each epoch: `history` is a dict name -> list, `epoch` the list of epochs. `fit` returns one."""

    def __init__(self):
        self.history = {}
        self.epoch = []
        self.epochs_of = {}  # name -> the epochs that have it, for validation comes less often

    @property
    def model(self):
        """The model that was trained, while somebody else holds it: it holds its history, and a circle would keep both."""
        return None if self._model is None else self._model()

    def set_model(self, model):
        self._model = None if model is None else weakref.ref(model)

    def __getstate__(self):
        return {**self.__dict__, "_model": None}

    def on_train_begin(self, logs=None):
        self.history, self.epoch, self.epochs_of = {}, [], {}

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.epochs_of.setdefault(name, []).append(epoch)

    def get_state(self):
        return {"history": self.history, "epoch": self.epoch, "epochs_of": self.epochs_of}

    def set_state(self, state):
        self.history, self.epoch, self.epochs_of = state["history"], state["epoch"], state["epochs_of"]

    def plot(self, metrics=None, ax=None):
        """Draws the curves over the epochs with matplotlib; validation dashed in the same colour.

        Args:
            metrics: the names to draw; all of them by default.
            ax: the axes to draw on; new ones by default, one for each metric.

        Returns:
            The axes.

        Raises:
            ArgumentError: for an unknown name, or if there is nothing to draw.
        """
        from eagerdl.train.plotting import plot_history

        return plot_history(self, metrics, ax)

    def __repr__(self):
        last = {name: values[-1] for name, values in self.history.items() if values}
        shown = ", ".join(f"{name} {value:.4g}" for name, value in last.items() if isinstance(value, float))
        return f"<History of {len(self.epoch)} epochs: {shown or 'nothing yet'}>"


class CallbackList(Callback):
    """Several callbacks as one.

    Args:
        callbacks: the callbacks; a list, one, or None.
        add_history: whether a History is added, unless there is one.
        add_progbar: whether a display of progress is added, unless there is one.
        model: the model.
        params: what `set_params` gets: epochs, steps, verbose.
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        if callbacks is None:
            callbacks = []
        elif isinstance(callbacks, Callback):
            callbacks = [callbacks]
        self.callbacks = list(callbacks)
        self.params = {}
        for one in self.callbacks:
            if not isinstance(one, Callback):
                raise DTypeError("callbacks", "a callback is derived from edl.callbacks.Callback", f"got {type(one).__name__}",
                                 "derive the class, or use edl.callbacks.LambdaCallback(on_epoch_end=...)")  # fmt: skip
        self.history = next((one for one in self.callbacks if isinstance(one, History)), None)
        if self.history is None and add_history:
            self.history = History()
            self.callbacks.append(self.history)
        if add_progbar and not any(
            isinstance(one, registry.AREAS["callbacks"]["ProgbarLogger"]) for one in self.callbacks
        ):
            self.callbacks.append(registry.AREAS["callbacks"]["ProgbarLogger"]())
        # Only those who override a method are told of each batch: others cost nothing.
        self._told = {name: [one for one in self.callbacks if self._listens(one, name)] for name in EVENTS}
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    @staticmethod
    def _listens(callback, name):
        own = getattr(type(callback), name, None) is not getattr(Callback, name) or name in vars(callback)
        alias = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}.get(name)
        return own or (alias is not None and getattr(type(callback), alias) is not getattr(Callback, alias))

    def append(self, callback):
        """Adds a callback."""
        self.__init__([*self.callbacks, callback])

    def set_params(self, params):
        self.params = params
        for one in self.callbacks:
            one.set_params(params)

    def set_model(self, model):
        self._model = model
        for one in self.callbacks:
            one.set_model(model)

    def get_state(self):
        return [[type(one).__name__, one.get_state()] for one in self.callbacks]

    def set_state(self, state):
        """Gives each callback the state of the one of its class, in order: others may have come or gone."""
        found = {}
        for name, mine in state:
            found.setdefault(name, []).append(mine)
        for one in self.callbacks:
            states = found.get(type(one).__name__)
            mine = states.pop(0) if states else None
            if mine is not None:
                one.set_state(mine)

    def close(self):
        for one in self.callbacks:
            one.close()


def _teller(name):
    def tell_numbered(self, number, logs=None):
        for one in self._told[name]:
            getattr(one, name)(number, logs)

    def tell(self, logs=None):
        for one in self._told[name]:
            getattr(one, name)(logs)

    made = tell_numbered if "batch" in name or "epoch" in name else tell
    made.__name__, made.__doc__ = name, getattr(Callback, name).__doc__
    return made


for _name in EVENTS:
    setattr(CallbackList, _name, _teller(_name))
