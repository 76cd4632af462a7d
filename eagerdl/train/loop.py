"""The loop: epochs over batches. `fit`, `evaluate` and `predict` are a few lines over it.

The loop knows a source of batches (`eagerdl.data.adapters`), a function that makes one step of a batch, and callbacks. What a
run needs to go on after an interruption is at one place, `Progress`, which a journal may save after any step.
"""

from dataclasses import dataclass, field

import numpy as np

from eagerdl import tree
from eagerdl.errors import DTypeError
from eagerdl.tensor import Tensor


@dataclass
class Progress:
    """Where a run is: enough, with the states of model, optimizer, metrics, callbacks and generators, to go on.

    Args:
        epoch: the epoch under way, from 0.
        step: how many steps of it are done.
        logs: the last step's logs.
        finished: whether the last epoch is over.
    """

    epoch: int = 0
    step: int = 0
    logs: dict = field(default_factory=dict)
    finished: bool = False


def numbers(logs):
    """Logs as Python floats: tensors of one element become numbers, everything else stays."""
    return {
        name: float(value) if isinstance(value, Tensor) and value.size == 1 else value
        for name, value in (logs or {}).items()
    }


def as_logs(logs):
    """What a step returned as a flat dict: dicts in it, which metrics of several values give, are part of it; None is nothing.

    Raises:
        DTypeError: if it is no dict.
    """
    if logs.__class__ is not dict:
        if logs is None:
            return {}
        if not isinstance(logs, dict):
            raise DTypeError("step", "a step returns a dict of numbers by name, or None",
                             f"got {type(logs).__name__}: {logs!r:.60}",
                             "return {'loss': loss} from train_step")  # fmt: skip
    for value in logs.values():
        if value.__class__ is dict:
            flat = {}
            for name, one in logs.items():
                flat.update(one if isinstance(one, dict) else {name: one})
            return flat
    return logs


def train(source, step, callbacks, *, epochs, initial_epoch=0, steps_per_epoch=None, validate=None, reset=None, stopped=None,
          interrupted=lambda: False, progress=None, journal=None, group=1):  # fmt: skip
    """Runs epochs of steps.

    Args:
        source: gives batches: ``source.epoch(number, steps)`` yields those of an epoch; has ``state()``.
        step: a function batch -> logs.
        callbacks: a CallbackList.
        epochs: the number of the last epoch plus one.
        initial_epoch: the first one.
        steps_per_epoch: how many steps an epoch has; None: as long as the source yields.
        validate: a function epoch -> logs or None, called after each epoch.
        reset: called before each epoch: metrics begin anew.
        stopped: a function that says whether a callback asked to stop: the epoch under way ends after the step.
        interrupted: a function that says whether the user asked to stop: the epoch stays as it is after the step.
        progress: the Progress to go on from, and to keep up to date.
        journal: has ``after_step(progress)`` and ``after_epoch(progress)``; saves the run.
        group: how many steps callbacks see as one: they are told the first one and the last one.

    Returns:
        The logs of the last epoch.
    """
    progress = progress or Progress(epoch=initial_epoch)
    logs = progress.logs
    for epoch in range(progress.epoch, epochs):
        resumed = progress.step > 0  # the source was put back to the same place
        if stopped() and not resumed:  # so it was when the run was interrupted
            break
        progress.epoch = epoch
        if not resumed:
            if reset is not None:
                reset()
            callbacks.on_epoch_begin(epoch)
        logs = progress.logs if resumed else {}
        for batch in () if resumed and stopped() else source.epoch(epoch, steps_per_epoch):
            if progress.step % group == 0:
                callbacks.on_train_batch_begin(progress.step)
            logs = as_logs(step(batch))
            progress.step += 1
            if progress.step % group == 0:
                callbacks.on_train_batch_end(progress.step - 1, logs)
            if journal is not None:
                progress.logs = logs
                journal.after_step(progress)
            if stopped() or interrupted():
                break
        if progress.step % group and not interrupted():
            callbacks.on_train_batch_end(progress.step - 1, logs)
        logs = numbers(logs)
        if interrupted():
            progress.logs = logs
            if journal is not None:
                journal.save(progress)
            return logs
        if validate is not None:
            logs.update(validate(epoch) or {})
        callbacks.on_epoch_end(epoch, logs)
        progress.step, progress.logs = 0, logs
        progress.epoch = epoch + 1
        if journal is not None:
            journal.after_epoch(progress)
        if stopped() or interrupted():
            break
    progress.finished = True
    return logs


def evaluate(source, step, callbacks, *, steps=None, stopped=None, group=1):
    """One pass of test steps.

    Args:
        source, step, callbacks, stopped, group: as in `train`.
        steps: how many at most.

    Returns:
        The logs of the last step.
    """
    callbacks.on_test_begin()
    logs, count = None, 0
    for batch in source.epoch(0, steps):
        if count % group == 0:
            callbacks.on_test_batch_begin(count)
        logs = as_logs(step(batch))
        count += 1
        if count % group == 0:
            callbacks.on_test_batch_end(count - 1, logs)
        if stopped():
            break
    if count % group:
        callbacks.on_test_batch_end(count - 1, logs)
    logs = numbers(logs)
    callbacks.on_test_end(logs)
    return logs


def predict(source, step, callbacks, *, steps=None, stopped=None, group=1):
    """One pass of predict steps.

    Returns:
        The list of the outputs of the steps.
    """
    callbacks.on_predict_begin()
    outputs = []
    for batch in source.epoch(0, steps):
        if len(outputs) % group == 0:
            callbacks.on_predict_batch_begin(len(outputs))
        outputs.append(step(batch))
        if len(outputs) % group == 0:
            callbacks.on_predict_batch_end(len(outputs) - 1, {"outputs": outputs[-1]})
        if stopped():
            break
    if len(outputs) % group:
        callbacks.on_predict_batch_end(len(outputs) - 1, {"outputs": outputs[-1]})
    callbacks.on_predict_end()
    return outputs


def joined(outputs):
    """The outputs of several batches as arrays over all examples, in the structure of one batch's."""
    columns = [tree.flatten(one)[0] for one in outputs]
    build = tree.flatten(outputs[0])[1]
    return build([_concatenate(column) for column in zip(*columns)])


def _concatenate(parts):
    arrays = [np.asarray(part) for part in parts]
    return np.concatenate(arrays) if arrays[0].ndim else np.stack(arrays)
