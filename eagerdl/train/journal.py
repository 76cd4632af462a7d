"""`Journal`: a run that a crash cannot lose. What it needs to go on is in one folder, written atomically.

A snapshot holds everything that the next step depends on: weights and random states of the model, its optimizers with slots
and schedules, metrics, callbacks, the global generator, the position in the data, the history. Two snapshots take turns, so that
one is whole at any instant; killing the process while one is written leaves the other. Going on from a snapshot repeats the same
steps, so the end is the same to the bit, wherever the run was cut off.

What a snapshot cannot know is state of your own that is in no variable and no callback's `get_state`: NumPy's or Python's global
random numbers, open files, attributes that change. Generators of batches are read again up to the position, and must yield the
same.
"""

import time
from pathlib import Path

from eagerdl import storage
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.generators import get_global_generator
from eagerdl.tensor import Tensor
from eagerdl.train.loop import Progress
from eagerdl.train.state import all_or_nothing, put_together, restore_model, state_of_model, taken_apart

__all__ = ["Journal"]

WRITING = 20  # a snapshot waits at least so many times as long as the last one took: writing costs 5% at most


class Journal:
    """Keeps a run in a folder; `fit(resume=folder)` uses one, and own loops can.

    Args:
        folder: where the snapshots are; made if it is not there. One folder for each run.
        model: the model, with its optimizer; or any object with `variables`. `fit` sets it.
        callbacks: a CallbackList or another object with ``get_state`` and ``set_state``, or None. `fit` sets it.
        source: the batches, with ``state()`` and ``restore(state)``, or None. `fit` sets it.
        extra: for own loops: a dict name -> object with ``state()``/``restore(state)`` or ``variables``: datasets' iterators,
            optimizers, generators, metrics.
        seconds: how long at least between two snapshots within an epoch; 0 is after every step. Snapshots that take long to write
            are made less often.

    Example:
        >>> import tempfile
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> journal = edl.train.Journal(tempfile.mkdtemp(), model, seconds=5)
        >>> progress = journal.restore()
        >>> while progress.step < 3:
        ...     _ = model.layers[0].bias.assign_add([1.0])
        ...     progress.step += 1
        ...     journal.after_step(progress)
        >>> journal.save(progress)
    """

    def __init__(self, folder, model=None, callbacks=None, source=None, extra=None, seconds=10.0):
        if not seconds >= 0:
            raise ArgumentError(
                "Journal", "seconds is at least 0", f"got {seconds!r}", "use 0 for a snapshot after every step"
            )
        self.folder, self.seconds, self.extra = Path(folder), seconds, dict(extra or {})
        self.model, self.callbacks, self.source, self._facts = model, callbacks, source, _facts(source, None)
        self._serial, self._due, self._others = 0, time.monotonic() + seconds, {}

    def attach(self, model, callbacks, source, steps=None, others=None):
        """Says what is kept: what `fit` does.

        Args:
            model, callbacks, source: as in `__init__`.
            steps: how many batches an epoch has, if that was given.
            others: further data, as `extra`.

        Returns:
            The journal.
        """
        self.model, self.callbacks, self.source = model, callbacks, source
        self._facts, self._others = _facts(source, steps), dict(others or {})
        return self

    @property
    def _files(self):
        return [self.folder / "snapshot-0.run", self.folder / "snapshot-1.run"]

    def exists(self):
        """True if there is a snapshot to go on from."""
        return any(path.exists() for path in self._files)

    # -- writing ----------------------------------------------------------------------------------

    def after_step(self, progress):
        """Saves if the last snapshot is older than `seconds`.

        Args:
            progress: where the run is; `step` counts the steps that are done.
        """
        if time.monotonic() >= self._due:
            self.save(progress)

    def after_epoch(self, progress):
        """Saves."""
        self.save(progress)

    def save(self, progress, **changes):
        """Writes a snapshot.

        Args:
            progress: where the run is.
            changes: other values of its fields, for this snapshot.

        Raises:
            ArgumentError: if a callback or the data has a state that JSON cannot hold.
            OSError: if it cannot be written; the snapshot before is as it was.
        """
        began = time.monotonic()
        if self._serial == 0:
            for path in self._files:
                storage.sweep(path)
            self._serial = max([serial for serial, _ in self._serials([])], default=0)
        optimizers, extra = self._extra()
        arrays, described = state_of_model(self.model, optimizers)
        run = {"epoch": progress.epoch, "step": progress.step, "finished": progress.finished, **changes}
        run["logs"] = taken_apart(_plain(run.get("logs", progress.logs)), "logs", arrays)
        run["source"] = None if self.source is None else taken_apart(self.source.state(), "source", arrays)
        run["callbacks"] = (
            None if self.callbacks is None else taken_apart(self.callbacks.get_state(), "callbacks", arrays)
        )
        run["extra"] = {name: taken_apart(_state_of(one), f"extra/{name}", arrays) for name, one in extra.items()}
        run["stopped"] = bool(getattr(self.model, "stop_training", False))
        run |= {"serial": self._serial + 1, "model": described, "facts": self._facts}
        arrays["generator"] = get_global_generator().state.numpy()
        path = self._files[run["serial"] % 2]
        storage.write_archive(path, "run", {"run.json": run, "arrays.safetensors": arrays}, "Journal.save")
        self._serial = run["serial"]
        now = time.monotonic()
        self._due = now + (max(self.seconds, WRITING * (now - began)) if self.seconds else 0)

    def _extra(self):
        """The optimizers among `extra`, whose slots are perhaps not made yet, and the others."""
        others = {name: one for name, one in self.extra.items() if not hasattr(one, "apply_gradients")}
        return [one for name, one in self.extra.items() if name not in others], others | self._others

    # -- reading ----------------------------------------------------------------------------------

    def restore(self, progress=None):
        """Puts everything back to the latest whole snapshot.

        Args:
            progress: the Progress to return where there is no snapshot.

        Returns:
            The Progress to go on from.

        Raises:
            ArgumentError: if the snapshots are all damaged, or the data are other ones.
            ShapeError: if the model is another one than that of the snapshot.
        """
        found = self._latest()
        if found is None:
            return progress or Progress()
        run, arrays = found
        changed = [
            f"{key} {run['facts'][key]!r} -> {value!r}"
            for key, value in self._facts.items()
            if run["facts"].get(key) != value
        ]
        if changed:
            raise ArgumentError("resume", "the data must be those of the run that is kept here", f"changed: {', '.join(changed)}",
                                f"use the same arguments, or another folder than {str(self.folder)!r}")  # fmt: skip
        optimizers, extra = self._extra()
        differ = set(extra) ^ set(run["extra"])
        if differ:
            raise ArgumentError(
                "resume",
                "the objects of `extra` must be those of the snapshot",
                f"{sorted(differ)} differ",
                "pass the same",
            )
        with all_or_nothing(list(self.model.variables)):
            restore_model(self.model, arrays, run["model"], optimizers)
            if self.source is not None and run["source"] is not None:
                self.source.restore(put_together(run["source"], arrays))
            for name, one in extra.items():
                _restore(name, one, put_together(run["extra"][name], arrays))
            if self.callbacks is not None and run["callbacks"] is not None:
                self.callbacks.set_state(put_together(run["callbacks"], arrays))
        get_global_generator().state.assign(arrays["generator"])
        if hasattr(self.model, "stop_training"):
            self.model.stop_training = run["stopped"]
        self._serial = run["serial"]
        return Progress(run["epoch"], run["step"], put_together(run["logs"], arrays), run["finished"])

    def _serials(self, errors):
        """(serial, path) of the snapshots, the latest first; says in the list `errors` which are damaged."""
        found = []
        for path in self._files:
            if path.exists():
                try:
                    run = storage.read_archive(path, "run", "resume", ["run.json"])["run.json"]
                    found.append((int(run["serial"]), path))
                except (ArgumentError, KeyError, TypeError, ValueError) as error:
                    errors.append(f"{path.name}: {error}")
        return sorted(found, reverse=True)

    def _latest(self):
        """The latest snapshot that is whole, as JSON and arrays; None if there is none."""
        errors = []
        for _, path in self._serials(errors):
            try:
                return tuple(storage.read_archive(path, "run", "resume", ["run.json", "arrays.safetensors"]).values())
            except ArgumentError as error:
                errors.append(f"{path.name}: {error}")
        if errors:
            raise ArgumentError(
                "resume", "a whole snapshot is needed", "; ".join(errors), f"delete {str(self.folder)!r} to begin anew"
            )
        return None


def _facts(source, steps):
    """What has to be the same when a run goes on, as far as it can be known."""
    names = ("kind", "num_batches", "batch_size", "num_samples")
    return {"steps_per_epoch": steps, **{name: getattr(source, name, None) for name in names}}


def _plain(logs):
    """Logs as floats, strings and arrays."""
    return {
        name: float(value) if isinstance(value, Tensor) and value.size == 1 else value for name, value in logs.items()
    }


def _state_of(thing):
    if callable(getattr(thing, "state", None)):
        return thing.state()
    return [v.numpy() for v in ([thing.state] if hasattr(thing, "state") else thing.variables)]


def _restore(name, thing, state):
    if callable(getattr(thing, "state", None)):
        thing.restore(state)
        return
    variables = [thing.state] if hasattr(thing, "state") else list(thing.variables)
    if [v.shape for v in variables] != [array.shape for array in state]:
        raise ShapeError("resume", f"{name!r} must have the variables of the snapshot", f"shapes {[v.shape for v in variables]} "
                         f"instead of {[array.shape for array in state]}", "build it as before")  # fmt: skip
    for variable, array in zip(variables, state):
        variable.assign(array)
