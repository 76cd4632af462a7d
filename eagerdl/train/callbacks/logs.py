"""Callbacks that write the numbers of each epoch into a file: `CSVLogger` and `JSONLogger`.

Where a run goes on after an interruption, its file goes on at the same place: what was written after the snapshot is cut off and
written again.
"""

import io
import json
import math
import os
import warnings
from pathlib import Path

from eagerdl.errors import ArgumentError
from eagerdl.tensor import Tensor
from eagerdl.train.callbacks.callback import Callback

__all__ = ["CSVLogger", "JSONLogger"]


class LogFile(Callback):
    """Base of what appends to a text file.

    Args:
        filename: the file; its folder is made if it is not there.
        append: whether what the file holds is kept.
    """

    def __init__(self, filename, append=False):
        self.filename, self.append = os.fspath(filename), append
        self._file, self._size = None, 0

    def on_train_begin(self, logs=None):
        self.close()
        path = Path(self.filename)
        self._size = path.stat().st_size if self.append and path.exists() else 0  # where this run's part begins

    def write(self, text):
        """Puts `text` at the end, visible to others at once."""
        if self._file is None:
            path = Path(self.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "r+b" if path.exists() else "w+b")
            self._file.truncate(self._size)
            self._file.seek(0, os.SEEK_END)
            if self._size and not self._ends_in_newline():
                text = "\n" + text
        self._file.write(text.encode())
        self._file.flush()
        self._size = self._file.tell()

    def _ends_in_newline(self):
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) == b"\n"

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        if self._file is not None:
            self._file.close()
            self._file = None

    def get_state(self):
        return {"size": self._size}

    def set_state(self, state):
        self._size = state["size"]


class CSVLogger(LogFile):
    """Writes a row of comma-separated values after each epoch.

    The columns are "epoch", counted from 0, and the names of the first epoch's logs in alphabetical order; without validation in
    that epoch, there are columns for it nevertheless. What an epoch does not have is ``NA``.

    Args:
        filename: the file; its folder is made if it is not there.
        separator: one character between the values.
        append: whether the rows of an existing file are kept; its header rules then.

    Raises:
        ArgumentError: for a separator of another length.

    Example:
        >>> import os, pathlib, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "log.csv")
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile(edl.optimizers.SGD(0.0), "mse")
        >>> _ = model.fit(np.zeros((4, 2)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[edl.callbacks.CSVLogger(path)])
        >>> print(pathlib.Path(path).read_text())
        epoch,loss,val_loss
        0,1.0,NA
        1,1.0,NA
    """

    def __init__(self, filename, separator=",", append=False):
        super().__init__(filename, append)
        if not isinstance(separator, str) or len(separator) != 1:
            raise ArgumentError(
                "CSVLogger", "separator is one character", f"got {separator!r}", "',', ';' or a tab are usual"
            )
        self.separator, self.keys = separator, None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.keys = None

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self.keys is None:
            self.keys = self._header() or self._begin(logs)
            unknown = sorted(set(logs) - set(self.keys))
            if unknown:
                warnings.warn(
                    f"[CSVLogger] {self.filename} has no columns {', '.join(unknown)}: they are left out", stacklevel=2
                )
        self.write(self._row([epoch, *[_cell(logs.get(key, "NA")) for key in self.keys]]))

    def _header(self):
        """The names of the columns in the file, if it goes on."""
        if not self._size:
            return None
        import csv  # loaded by those who write such files

        with open(self.filename, newline="", encoding="utf-8") as file:
            return next(csv.reader(file, delimiter=self.separator), ["epoch"])[1:]

    def _begin(self, logs):
        keys = sorted(logs)
        if not any(key.startswith("val_") for key in keys):
            keys += [f"val_{key}" for key in keys]
        self.write(self._row(["epoch", *keys]))
        return keys

    def _row(self, values):
        import csv

        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerow(values)
        return text.getvalue()

    def get_state(self):
        return {**super().get_state(), "keys": self.keys}

    def set_state(self, state):
        super().set_state(state)
        self.keys = state["keys"]


class JSONLogger(LogFile):
    """Writes a line of JSON after each epoch: ``{"epoch": 0, "loss": 0.25}``; NaN and infinite numbers are null.

    Args:
        filename: the file; its folder is made if it is not there.
        append: whether the lines of an existing file are kept.

    Example:
        >>> import os, pathlib, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "log.jsonl")
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.compile(edl.optimizers.SGD(0.0), "mse")
        >>> _ = model.fit(np.zeros((4, 2)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[edl.callbacks.JSONLogger(path)])
        >>> print(pathlib.Path(path).read_text())
        {"epoch": 0, "loss": 1.0}
        {"epoch": 1, "loss": 1.0}
    """

    def on_epoch_end(self, epoch, logs=None):
        self.write(json.dumps({"epoch": epoch, **json_of(logs or {})}) + "\n")


def json_of(value):
    """What JSON can hold of logs: arrays as lists, NaN and infinite numbers as None."""
    if isinstance(value, dict):
        return {key: json_of(one) for key, one in value.items()}
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list | tuple):
        return [json_of(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _cell(value):
    """A number as it is, an array as ``[1, 2]``."""
    if isinstance(value, Tensor) or hasattr(value, "tolist"):
        value = value.tolist()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else value
