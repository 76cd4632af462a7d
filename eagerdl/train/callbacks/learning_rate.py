"""`LearningRateScheduler`: a learning rate for each epoch; `rates`: what optimizers have for logs."""

import inspect

from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.messages import print_message
from eagerdl.train.callbacks.callback import Callback
from eagerdl.train.optimizers.schedules import LearningRateSchedule

__all__ = ["LearningRateScheduler"]


def optimizers_of(where, model):
    """name -> optimizer with a learning rate: several for a MultiOptimizer, else one, named "".

    Raises:
        ArgumentError: if there is none.
    """
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not hasattr(type(optimizer), "learning_rate"):
        raise ArgumentError(where, "an optimizer with a learning rate is needed", f"the model has {optimizer!r}",
                            "pass one to compile")  # fmt: skip
    found = {}
    for one in getattr(optimizer, "optimizers", ()):
        found[one.name if one.name not in found else f"{one.name}_{len(found)}"] = one
    return found or {"": optimizer}


def rates(where, model):
    """name -> number: the learning rates as logs show them: ``learning_rate``, or ``learning_rate_<optimizer>``."""
    found = optimizers_of(where, model)
    return {
        f"learning_rate_{name}" if name else "learning_rate": float(one.learning_rate) for name, one in found.items()
    }


def check_assignable(where, model):
    """Raises ArgumentError if a learning rate is ruled by a schedule."""
    for one in optimizers_of(where, model).values():
        if isinstance(one._learning_rate, LearningRateSchedule) or not hasattr(one._learning_rate, "assign"):
            raise ArgumentError(where, "the optimizer's learning rate is a number that can be changed",
                                f"it is the schedule {type(one._learning_rate).__name__}",
                                "make the optimizer with a number, or leave out the callback")  # fmt: skip


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch. Logs show it as ``learning_rate``.

    Args:
        schedule: a function (epoch from 0, learning rate now) -> learning rate; or one of the epoch alone.
        verbose: 1 says what it sets.

    Raises:
        ArgumentError: if the optimizer has a schedule of its own.
        DTypeError: if the function does not return a number.

    Example:
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile(edl.optimizers.SGD(1.0), "mse")
        >>> halve = edl.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
        >>> run = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=[halve])
        >>> run.history["learning_rate"]
        [1.0, 0.5, 0.25]
    """

    def __init__(self, schedule, verbose=0):
        if not callable(schedule):
            raise DTypeError("LearningRateScheduler", "schedule is a function (epoch, learning_rate)", f"got {schedule!r:.60}",
                             "pass a function")  # fmt: skip
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes(schedule, 2)

    def on_train_begin(self, logs=None):
        check_assignable("LearningRateScheduler", self.model)

    def on_epoch_begin(self, epoch, logs=None):
        for name, optimizer in optimizers_of("LearningRateScheduler", self.model).items():
            found = self.schedule(epoch, float(optimizer.learning_rate)) if self._takes_rate else self.schedule(epoch)
            rate = _number(found)
            if rate is None:
                raise DTypeError("LearningRateScheduler", "schedule must return a number",
                                 f"for epoch {epoch} it returned {found!r:.60}", "return the learning rate as a float")  # fmt: skip
            optimizer.learning_rate = rate
            if self.verbose:
                print_message(f"Epoch {epoch + 1}: {name and name + ' '}learning rate is set to {rate:g}")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs.update(rates("LearningRateScheduler", self.model))


def _takes(function, count):
    """Whether `function` can be called with so many arguments; what has no signature is believed to."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _number(value):
    """`value` as a float, None if it is no number."""
    try:
        return None if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        return None
