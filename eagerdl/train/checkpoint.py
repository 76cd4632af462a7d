"""`Checkpoint` and `CheckpointManager`: the state of a graph of objects, found again by the names of attributes.

Own loops save what they like: models, optimizers, metrics, variables, generators, iterators of datasets. Values for variables
that do not exist yet are kept until a layer or optimizer makes them.
"""

import json
import time
import weakref
from pathlib import Path

import numpy as np

from eagerdl import devices, storage
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import calls
from eagerdl.nn.input import InputLayer
from eagerdl.nn.module import Module
from eagerdl.nn.tracking import OTHERS
from eagerdl.ops.generators import Generator, SeedGenerator
from eagerdl.train.state import all_or_nothing, put_together, references, taken_apart
from eagerdl.variable import Variable

__all__ = ["Checkpoint", "CheckpointManager", "latest_checkpoint"]

SUFFIX = ".ckpt"
INDEX = "checkpoint.json"


class Checkpoint:
    """Objects whose variables are saved and restored together.

    Attributes that are assigned later belong to it as well.

    Args:
        root: an object whose attributes are those of the checkpoint, or None.
        kwargs: objects by name: models, layers, optimizers, metrics, variables, generators, iterators, lists and dicts of them.

    Raises:
        ArgumentError: for a name that a method has.

    Example:
        >>> import tempfile
        >>> v = edl.Variable([1.0, 2.0])
        >>> checkpoint = edl.train.Checkpoint(v=v)
        >>> path = checkpoint.save(tempfile.mkdtemp() + "/c")
        >>> _ = v.assign([0.0, 0.0])
        >>> _ = checkpoint.restore(path).assert_consumed()
        >>> v.tolist()
        [1.0, 2.0]
    """

    def __init__(self, root=None, **kwargs):
        self._root, self._pending, self._used, self._waiting = root, {}, set(), False
        self.save_counter = Variable(0, dtype="int64", trainable=False, name="save_counter")
        for name, value in kwargs.items():
            if name.startswith("_") or hasattr(self, name):
                raise ArgumentError("Checkpoint", "objects need names of their own", f"got {name!r}", "choose another")
            setattr(self, name, value)

    def _tracked(self):
        """path -> variable or object with a state, each once."""
        found, seen = {}, set()
        mine = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        _walk(mine if self._root is None else {"root": self._root, **mine}, "", found, seen)
        return found

    def write(self, file_prefix, options=None):
        """Writes the state into a file; returns its path.

        Raises:
            OSError: if it cannot be written; the file that was there is as it was.
        """
        path = Path(str(file_prefix) if str(file_prefix).endswith(SUFFIX) else f"{file_prefix}{SUFFIX}")
        arrays, states = {}, {}
        for name, thing in self._tracked().items():
            if isinstance(thing, Variable):
                arrays[name] = devices.to_numpy(thing._array)  # no copy
            else:
                states[name] = taken_apart(thing.state(), name, arrays)
        storage.write_archive(
            path, "checkpoint", {"states.json": states, "arrays.safetensors": arrays}, "Checkpoint.write"
        )
        return str(path)

    def save(self, file_prefix, options=None):
        """Writes the state into a file whose name ends in the number of the save; returns its path."""
        with all_or_nothing([self.save_counter]):
            self.save_counter.assign_add(1)
            return self.write(f"{file_prefix}-{int(self.save_counter)}")

    def read(self, save_path, options=None):
        """As `restore`."""
        return self.restore(save_path, options)

    def restore(self, save_path, options=None):
        """Puts the state back; values whose variables do not exist yet wait for them.

        Args:
            save_path: what `save` or `write` returned; None does nothing.
            options: accepted for TF's sake.

        Returns:
            A status with assert_consumed(), assert_existing_objects_matched(), expect_partial().

        Raises:
            ArgumentError: if the file is missing or damaged.
            ShapeError: if a variable has another shape; nothing is restored then.
        """
        if save_path is None:
            return Status(self, {})
        path = Path(save_path)
        path = path if path.exists() or path.suffix == SUFFIX else Path(f"{save_path}{SUFFIX}")
        members = storage.read_archive(path, "checkpoint", "Checkpoint.restore", ["arrays.safetensors", "states.json"])
        arrays, states = members["arrays.safetensors"], members["states.json"]
        tracked = self._tracked()
        for name, thing in tracked.items():
            if isinstance(thing, Variable) and name in arrays:
                _check_fit(name, thing, arrays[name])
        inner = {key for state in states.values() for key in references(state)}
        self._pending = {name: value for name, value in arrays.items() if name not in inner}
        self._pending |= {name: (state, arrays) for name, state in states.items()}
        self._used = set()
        try:
            with all_or_nothing([thing for thing in tracked.values() if isinstance(thing, Variable)]):
                self._match(tracked)
        except BaseException:
            self._pending = {}
            raise
        if self._pending and not self._waiting:
            self._wait()
        return Status(self, {**arrays, **states})

    def _wait(self):
        """Looks again whenever a layer or an optimizer has made its variables, as long as values are left."""
        mine, self._waiting = weakref.ref(self), True

        def made(thing):
            checkpoint = mine()
            if checkpoint is not None and checkpoint._pending:
                checkpoint._match(checkpoint._tracked())
            if checkpoint is None or not checkpoint._pending:
                calls.makers.remove(made)
                if checkpoint is not None:
                    checkpoint._waiting = False

        calls.makers.append(made)

    def _match(self, tracked):
        for name, thing in tracked.items():
            if name not in self._pending:
                continue
            value = self._pending[name]
            if isinstance(thing, Variable) is isinstance(value, tuple):
                raise ArgumentError("Checkpoint.restore", f"{name} must be what it was", f"it is {type(thing).__name__} now",
                                    "make a checkpoint of the same objects")  # fmt: skip
            if isinstance(thing, Variable):
                _check_fit(name, thing, value)
                thing.assign(value)
            else:
                thing.restore(put_together(*value))
            del self._pending[name]
            self._used.add(name)

    def sync(self):
        """Everything is written already when `save` returns."""


def _check_fit(name, variable, array):
    if array.shape != variable.shape or not np.can_cast(array.dtype, variable.dtype, "same_kind"):
        raise ShapeError("Checkpoint.restore", f"{name} is {array.dtype} of shape {array.shape} in the file",
                         f"the variable is {variable.dtype} of shape {variable.shape}", "build the same objects")  # fmt: skip


class Status:
    """What became of a `restore`."""

    def __init__(self, checkpoint, values):
        self._checkpoint, self._values = checkpoint, values

    def assert_consumed(self):
        """Raises unless every value of the file has found its variable, and every variable its value."""
        left = sorted(self._checkpoint._pending)
        if left:
            raise ArgumentError("Checkpoint.restore", "every value of the file must have a variable", f"{left[:5]} have none yet",
                                "build the model and the optimizer, or use expect_partial()")  # fmt: skip
        return self.assert_existing_objects_matched()

    def assert_existing_objects_matched(self):
        """Raises unless every variable that exists has found its value."""
        missing = [name for name in self._checkpoint._tracked() if name not in self._checkpoint._used]
        if missing and self._values:
            raise ArgumentError("Checkpoint.restore", "every variable must have a value in the file", f"{missing[:5]} have none",
                                "save a checkpoint of the same objects")  # fmt: skip
        return self

    def assert_nontrivial_match(self):
        """Raises if nothing but the counter was restored."""
        if not self._checkpoint._used - {"save_counter"}:
            raise ArgumentError(
                "Checkpoint.restore",
                "something must match",
                "no name of the file is one of the objects",
                "check the names",
            )
        return self

    def expect_partial(self):
        """Says that it is meant that not everything matches."""
        return self


class CheckpointManager:
    """Keeps the last checkpoints in a folder.

    Args:
        checkpoint: the Checkpoint.
        directory: the folder.
        max_to_keep: how many files are kept; None for all.
        keep_checkpoint_every_n_hours: of those that were to be deleted, one in so many hours is kept for good.
        checkpoint_name: the beginning of the files' names.
        step_counter: a variable with the number of steps, for `checkpoint_interval` and names.
        checkpoint_interval: `save` does nothing before so many further steps.
        init_fn: a function called by `restore_or_initialize` where there is no checkpoint.

    Raises:
        ArgumentError: for a number that makes no sense, or an interval without a counter.
    """

    def __init__(self, checkpoint, directory, max_to_keep=5, keep_checkpoint_every_n_hours=None, checkpoint_name="ckpt",
                 step_counter=None, checkpoint_interval=None, init_fn=None):  # fmt: skip
        if max_to_keep is not None and max_to_keep < 1:
            raise ArgumentError(
                "CheckpointManager", "max_to_keep is at least 1", f"got {max_to_keep}", "use None to keep all"
            )
        if checkpoint_interval is not None and step_counter is None:
            raise ArgumentError(
                "CheckpointManager", "an interval needs a step_counter", "there is none", "pass a Variable"
            )
        self.checkpoint, self.directory, self.checkpoint_name = checkpoint, Path(directory), checkpoint_name
        self.max_to_keep, self.hours, self.step_counter = max_to_keep, keep_checkpoint_every_n_hours, step_counter
        self.checkpoint_interval, self.init_fn = checkpoint_interval, init_fn
        self._last_step = None
        index = _read_index(self.directory)
        self._kept = {name: saved for name, saved in index["kept"].items() if (self.directory / name).exists()}
        self._forever, self._last_forever = index["forever"], index["last_forever"]
        self._swept = False

    @property
    def checkpoints(self):
        """The paths of the checkpoints that may be deleted one day, oldest first."""
        return [str(self.directory / name) for name in self._kept]

    @property
    def latest_checkpoint(self):
        """The path of the latest checkpoint, or None."""
        return self.checkpoints[-1] if self._kept else None

    def save(self, checkpoint_number=None, check_interval=True, options=None):
        """Saves, and deletes what is too much; returns the path, or None if the interval is not over.

        Args:
            checkpoint_number: the number in the file's name; by default that of the step counter, or of saves.
            check_interval: False saves in any case.
            options: accepted for TF's sake.

        Raises:
            OSError: if it cannot be written; all earlier checkpoints are there then.
        """
        step = None if self.step_counter is None else int(self.step_counter)
        if check_interval and self.checkpoint_interval is not None and self._last_step is not None:
            if step - self._last_step < self.checkpoint_interval:
                return None
        counter = self.checkpoint.save_counter
        with all_or_nothing([counter]):
            counter.assign_add(1)
            number = checkpoint_number if checkpoint_number is not None else step if step is not None else int(counter)
            path = self.directory / f"{self.checkpoint_name}-{int(number)}{SUFFIX}"
            self._sweep(path)
            self.checkpoint.write(path)
        self._last_step = step
        self._kept.pop(path.name, None)
        self._kept[path.name] = time.time()
        surplus = []
        while self.max_to_keep is not None and len(self._kept) > self.max_to_keep:
            oldest = next(iter(self._kept))
            saved = self._kept.pop(oldest)
            if self.hours is not None and (
                self._last_forever is None or saved - self._last_forever >= self.hours * 3600
            ):
                self._forever.append(oldest)
                self._last_forever = saved
            else:
                surplus.append(oldest)
        with storage.written(self.directory / INDEX, "CheckpointManager.save") as file:
            index = {"kept": self._kept, "forever": self._forever, "last_forever": self._last_forever}
            file.write(json.dumps(index).encode())
        for name in surplus:  # only now: the index never names a file that is gone
            (self.directory / name).unlink(missing_ok=True)
        return str(path)

    def _sweep(self, path):
        """Once: removes what writes left behind that were killed."""
        if not self._swept:
            self._swept = True
            for one in (path, self.directory / INDEX, *[self.directory / name for name in self._kept]):
                storage.sweep(one)

    def restore_or_initialize(self):
        """Restores the latest checkpoint and returns its path; calls `init_fn` where there is none."""
        latest = self.latest_checkpoint
        if latest is not None:
            self.checkpoint.restore(latest)
            self._last_step = None if self.step_counter is None else int(self.step_counter)
        elif self.init_fn is not None:
            self.init_fn()
        return latest

    def sync(self):
        """Everything is written already when `save` returns."""


def latest_checkpoint(checkpoint_dir):
    """The path of the latest checkpoint that a CheckpointManager wrote into a folder, or None."""
    kept = [name for name in _read_index(Path(checkpoint_dir))["kept"] if (Path(checkpoint_dir) / name).exists()]
    return str(Path(checkpoint_dir) / kept[-1]) if kept else None


def _read_index(folder):
    """What a manager wrote of a folder: the names of checkpoints with their times. Only plain names: some are deleted one day."""
    path = folder / INDEX
    if not path.exists():
        return {"kept": {}, "forever": [], "last_forever": None}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        index["kept"] = {name: float(saved) for name, saved in index["kept"].items()}
        for name in (*index["kept"], *index["forever"]):
            if Path(name).name != name or not name.endswith(SUFFIX):
                raise ValueError(f"{name!r} is no checkpoint")
        return {"last_forever": None, **index}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise storage.damaged("CheckpointManager", f"{path} cannot be read: {error}") from None


def _walk(thing, path, found, seen):
    """Collects variables and objects with a state by the names of attributes, keys and places."""
    if id(thing) in seen:
        return
    prefix = f"{path}/" if path else ""
    if isinstance(thing, Variable):
        seen.add(id(thing))
        found[path] = thing
    elif isinstance(thing, dict | list | tuple):
        seen.add(id(thing))
        for name, value in list(thing.items() if isinstance(thing, dict) else enumerate(thing)):
            _walk(value, f"{prefix}{name}", found, seen)
    elif isinstance(thing, SeedGenerator | Generator):
        seen.add(id(thing))
        found[f"{prefix}state"] = thing.state
    elif hasattr(thing, "apply_gradients"):
        seen.add(id(thing))
        _walk(list(thing.variables), f"{prefix}variables", found, seen)
    elif isinstance(thing, Module):
        seen.add(id(thing))
        if getattr(thing, "_graph", None) is not None or hasattr(thing, "_sequence"):  # wired models: only layers count
            _walk(
                [layer for layer in thing.layers if not isinstance(layer, InputLayer)], f"{prefix}layers", found, seen
            )
        for name, value in list(vars(thing).items()):
            if name not in OTHERS and name != "_sequence":
                _walk(value, f"{prefix}{name}", found, seen)
    elif callable(getattr(thing, "state", None)) and callable(getattr(thing, "restore", None)):
        seen.add(id(thing))
        found[path] = thing
