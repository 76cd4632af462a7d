"""`Journal`: a run that a crash cannot lose. What it needs to go on is in one folder, written atomically.

A snapshot holds everything that the next step depends on: weights and random states of the model, the optimizer with its slots
and schedules, metrics, callbacks, the global generator, the position in the data, the history. Two snapshots take turns, so that
one is whole at any instant; killing the process while one is written leaves the other. Going on from a snapshot repeats the same
steps, so the end is the same to the bit, wherever the run was cut off.
"""

import json
import time
from pathlib import Path

import numpy as np

from eagerdl import storage
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.generators import get_global_generator
from eagerdl.tensor import Tensor
from eagerdl.train.loop import Progress
from eagerdl.train.state import put_together, restore_model, state_of_model, taken_apart

__all__ = ["Journal"]


class Journal:
    """Keeps a run in a folder; `fit(resume=folder)` uses one, and own loops can.

    Args:
        folder: where the snapshots are; made if it is not there.
        model: the model, with its optimizer; or any object with `variables`.
        callbacks: a CallbackList or another object with ``get_state`` and ``set_state``, or None.
        source: the batches, with ``state()`` and ``restore(state)``, or None.
        extra: for own loops: a dict name -> object with ``state()``/``restore(state)`` or ``variables``: datasets' iterators,
            optimizers, generators, metrics.
        seconds: how long at least between two snapshots within an epoch; 0 is after every step.

    Example:
        >>> import tempfile
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> journal = edl.train.Journal(tempfile.mkdtemp(), model)
        >>> progress = journal.restore()
        >>> for progress.step in range(progress.step, 3):
        ...     model.layers[0].bias.assign_add([1.0])
        ...     journal.save(progress, step=progress.step + 1)
        Variable(...)
        Variable(...)
        Variable(...)
    """

    def __init__(self, folder, model, callbacks=None, source=None, extra=None, seconds=10.0):
        self.folder, self.model, self.callbacks = Path(folder), model, callbacks
        self.source, self.extra, self.seconds = source, dict(extra or {}), seconds
        self._serial, self._last = 0, time.monotonic()

    @property
    def _files(self):
        return [self.folder / "snapshot-0.run", self.folder / "snapshot-1.run"]

    def exists(self):
        """True if there is a snapshot to go on from."""
        return any(path.exists() for path in self._files)

    # -- writing ----------------------------------------------------------------------------------

    def after_step(self, progress):
        """Saves if the last snapshot is older than `seconds`."""
        if time.monotonic() - self._last >= self.seconds:
            self.save(progress)

    def after_epoch(self, progress):
        """Saves."""
        self.save(progress)

    def save(self, progress, **changes):
        """Writes a snapshot.

        Args:
            progress: where the run is.
            changes: other values of its fields, for this snapshot.
        """
        arrays, described = state_of_model(self.model)
        run = {
            "epoch": progress.epoch, "step": progress.step, "logs": _plain(progress.logs), "finished": progress.finished, **changes,
        }  # fmt: skip
        run["source"] = None if self.source is None else taken_apart(self.source.state(), "source", arrays)
        run["callbacks"] = None if self.callbacks is None else taken_apart(self.callbacks.get_state(), "callbacks", arrays)
        run["extra"] = {name: taken_apart(_state_of(one), f"extra/{name}", arrays) for name, one in self.extra.items()}
        arrays["generator"] = get_global_generator().state.numpy()
        self._serial += 1
        run["serial"], run["model"] = self._serial, described
        run["stopped"] = bool(getattr(self.model, "stop_training", False))  # a callback ended the run
        try:
            json.dumps(run)
        except TypeError as error:
            raise ArgumentError("Journal.save", "states of callbacks and data are what JSON can hold", str(error),
                                "return numbers, strings, lists and dicts from get_state")  # fmt: skip
        path = self._files[self._serial % 2]
        storage.write_archive(path, "run", {"run.json": run, "arrays.safetensors": arrays})
        self._last = time.monotonic()

    # -- reading ----------------------------------------------------------------------------------

    def restore(self, progress=None):
        """Puts everything back to the latest whole snapshot.

        Args:
            progress: the Progress to return where there is no snapshot.

        Returns:
            The Progress to go on from.

        Raises:
            ArgumentError: if the snapshots are all damaged.
            ShapeError: if the model is another one than that of the snapshot.
        """
        progress = progress or Progress()
        found, errors = [], []
        for path in self._files:
            if path.exists():
                try:
                    members = storage.read_archive(path, "run", "resume")
                    found.append((members["run.json"]["serial"], members))
                except (ArgumentError, KeyError) as error:
                    errors.append(str(error))
        if not found:
            if errors:
                raise ArgumentError("resume", "a whole snapshot is needed", "; ".join(errors),
                                    f"delete {str(self.folder)!r} to begin anew")  # fmt: skip
            return progress
        self._serial, members = max(found, key=lambda one: one[0])
        run, arrays = members["run.json"], members["arrays.safetensors"]
        missing = set(self.extra) ^ set(run["extra"])
        if missing:
            raise ShapeError("resume", "the objects of `extra` must be those of the snapshot", f"{sorted(missing)} differ", "pass the same")
        restore_model(self.model, arrays, run["model"])
        for name, one in self.extra.items():
            _restore(one, put_together(run["extra"][name], arrays))
        if self.callbacks is not None and run["callbacks"] is not None:
            self.callbacks.set_state(put_together(run["callbacks"], arrays))
        if self.source is not None and run["source"] is not None:
            self.source.restore(put_together(run["source"], arrays))
        get_global_generator().state.assign(arrays["generator"])
        if run.get("stopped"):
            self.model.stop_training = True
        return Progress(run["epoch"], run["step"], run["logs"], run["finished"])


def _plain(logs):
    return {name: float(value) if isinstance(value, Tensor) and value.size == 1 else value for name, value in logs.items()
            if isinstance(value, int | float | str) or (isinstance(value, Tensor) and value.size == 1)}  # fmt: skip


def _state_of(thing):
    if hasattr(thing, "state") and callable(thing.state):
        return thing.state()
    if hasattr(thing, "state"):
        return {"state": np.asarray(thing.state)}
    return {str(index): variable.numpy() for index, variable in enumerate(thing.variables)}


def _restore(thing, state):
    if hasattr(thing, "restore"):
        thing.restore(state)
    elif hasattr(thing, "state"):
        thing.state.assign(state["state"])
    else:
        for index, variable in enumerate(thing.variables):
            variable.assign(state[str(index)])
