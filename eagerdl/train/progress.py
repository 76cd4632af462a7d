"""How a run is shown: a live table in a terminal, one updating table in a notebook, plain lines in a file.

A display is told where a run is and draws at most ten times a second, so that looking costs nothing.
"""

import html
import math
import sys
import time

from eagerdl.tensor import Tensor

INTERVAL = 0.1  # seconds between two drawings


def display_for(verbose):
    """The display for Keras' levels: 0 nothing, 1 live where that is possible, 2 lines; "auto" chooses."""
    if verbose == 0 or verbose is False:
        return Silent()
    if verbose == 2:
        return Lines()
    if in_notebook():
        return Notebook()
    return Terminal() if sys.stdout.isatty() else Lines()


def in_notebook():
    """True in a Jupyter notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def shown(value):
    """A number in few characters."""
    if isinstance(value, Tensor):
        value = value.item() if value.size == 1 else value.tolist()
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if value == 0 or not math.isfinite(value):
        return f"{value:.4f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3e}"


def seconds(value):
    """``1.2s``, ``3m05s``, ``2h03m``; less than a second in ms."""
    if value < 1:
        return f"{value * 1e3:.0f}ms"
    if value < 60:
        return f"{value:.1f}s"
    minutes, rest = divmod(int(value), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


class Silent:
    """Shows nothing; the base of the others."""

    quiet = True

    def start(self, title, epochs):
        """A run begins.

        Args:
            title: what runs: ``"fit"``, ``"evaluate"``, ``"predict"``.
            epochs: how many, None where there are none.
        """

    def begin(self, epoch, steps):
        """An epoch begins, of `steps` steps if that is known."""

    def step(self, done, logs):
        """So many steps of the epoch are done."""

    def end(self, logs):
        """The epoch is over."""

    def stop(self):
        """The run is over, however it ended."""


class Timed(Silent):
    """What displays know of time and place."""

    quiet = False

    def start(self, title, epochs):
        self.title, self.epochs = title, epochs
        self.drawn = 0.0
        self.done, self.steps, self.logs, self.epoch = 0, None, {}, None

    def begin(self, epoch, steps):
        self.epoch, self.steps, self.done, self.logs = epoch, steps, 0, {}
        self.began = time.perf_counter()
        self.draw()

    def step(self, done, logs):
        now = time.perf_counter()
        self.done = done
        if now - self.drawn >= INTERVAL:
            self.drawn, self.logs = now, dict(logs or {})
            self.draw()

    def draw(self):
        """Shows the state now."""

    @property
    def elapsed(self):
        """Seconds since the epoch began."""
        return time.perf_counter() - self.began

    @property
    def name(self):
        """``3/10``, the epoch, or what runs."""
        return self.title if self.epochs is None else f"{self.epoch + 1}/{self.epochs}"

    def remaining(self):
        """The time that the epoch will still take, where that is known."""
        if not self.steps or not self.done:
            return ""
        return seconds(self.elapsed / self.done * (self.steps - self.done))


class Lines(Timed):
    """One line for each epoch."""

    def end(self, logs):
        begin = f"Epoch {self.name}" if self.epochs is not None else self.title
        parts = [begin, seconds(self.elapsed), *[f"{name}: {shown(value)}" for name, value in (logs or {}).items()]]
        print(" - ".join(parts), flush=True)


class Terminal(Timed):
    """A table whose last row moves; finished rows stay."""

    def __init__(self, console=None):
        self._console, self._live, self._columns = console, None, ()

    def start(self, title, epochs):
        from rich.console import Console
        from rich.live import Live

        super().start(title, epochs)
        self._console = self._console or Console(highlight=False)
        self._columns = ()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def draw(self):
        if self._live is not None:
            self._live.update(self._row(self.logs, moving=True), refresh=True)

    def end(self, logs):
        self.logs = dict(logs or {})
        if self._live is None:
            return
        if tuple(self.logs) != self._columns:
            self._columns = tuple(self.logs)
            self._live.console.print(self._header())
        self._live.console.print(self._row(self.logs))

    def stop(self):
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _header(self):
        from rich.text import Text

        cells = [("epoch" if self.epochs is not None else "").rjust(self._width), "time".rjust(8)]
        return Text("  ".join([*cells, *[name.rjust(self._size(name)) for name in self._columns]]), style="bold")

    @property
    def _width(self):
        return max(7, 2 * len(str(self.epochs)) + 1, len(self.title))

    @staticmethod
    def _size(name):
        return max(9, len(name))

    def _row(self, logs, moving=False):
        from rich.text import Text

        names = self._columns or tuple(logs)
        values = "  ".join(shown(logs[name]).rjust(self._size(name)) if name in logs else " " * self._size(name) for name in names)
        row = Text(self.name.rjust(self._width) + "  " + seconds(self.elapsed).rjust(8) + "  ")
        if not moving:
            return row.append(values)
        if self.steps:
            share = self.done / self.steps
            full = round(share * 20)
            row.append("━" * full, style="green").append("━" * (20 - full), style="dim")
            row.append(f" {self.done}/{self.steps} {self.remaining()}  ")
        else:
            row.append(f"{self.done} steps  ")
        return row.append("  ".join(f"{name} {shown(value)}" for name, value in logs.items()))


class Notebook(Timed):
    """One HTML table that is replaced in place."""

    def start(self, title, epochs):
        from IPython.display import HTML, display

        super().start(title, epochs)
        self._make, self._rows = HTML, []
        self._handle = display(HTML(""), display_id=True)

    def draw(self):
        total = f"/{self.steps}" if self.steps else ""
        self._show([*self._rows, (self.name, f"{self.done}{total} {self.remaining()}", self.logs)])

    def end(self, logs):
        self._rows.append((self.name, seconds(self.elapsed), dict(logs or {})))
        self._show(self._rows)

    def _show(self, rows):
        names = list(dict.fromkeys(name for _, _, logs in rows for name in logs))
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ["epoch", "time", *names])
        body = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(when)}</td>"
            + "".join(f"<td>{shown(logs[key]) if key in logs else ''}</td>" for key in names)
            + "</tr>"
            for name, when, logs in rows
        )
        self._handle.update(self._make(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"))
