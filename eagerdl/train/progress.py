"""How a run is shown: a live table in a terminal, one updating table in a notebook, plain lines in a file.

A display is told where a run is and draws at most ten times a second, so that looking costs nothing.
"""

import atexit
import math
import sys
import time
import weakref

from eagerdl.errors import ArgumentError
from eagerdl.messages import is_interactive_logging_enabled, print_message
from eagerdl.tensor import Tensor

INTERVAL = 0.1  # seconds between two drawings
COLUMN = 9  # the least width of a column of numbers
ROWS = 200  # a table in a notebook shows that many finished epochs

live = weakref.WeakSet()  # displays that rule over the terminal now


def display_for(verbose, moving=None):
    """The display for Keras' levels: 0 nothing, 1 live where that is possible, 2 lines; "auto" chooses.

    Args:
        verbose: the level.
        moving: a function that makes the display for a terminal; Terminal by default.

    Raises:
        ArgumentError: for another level.
    """
    if verbose not in ("auto", 0, 1, 2):
        raise ArgumentError("verbose", "0, 1, 2 or 'auto' is needed", f"got {verbose!r}",
                            "0 shows nothing, 1 a live display, 2 a line for each epoch")  # fmt: skip
    if verbose == 0:
        return Silent()
    if verbose == 2 or not is_interactive_logging_enabled():
        return Lines()
    if in_notebook():
        return Notebook()
    # What runs inside of a run with a live display speaks in lines.
    return (moving or Terminal)() if sys.stdout.isatty() and not live else Lines()


def in_notebook():
    """True in a Jupyter notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def shown(value):
    """A number in few characters."""
    if isinstance(value, Tensor) or hasattr(value, "tolist"):
        value = value.tolist()
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value[:3]))}{', ...' if len(value) > 3 else ''}]"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if value == 0 or not math.isfinite(value):
        return f"{value:.4f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3e}"


def seconds(value):
    """``1.2s``, ``3m05s``, ``2h03m``; less than a second in ms, less than that in us."""
    if 0 < value < 1e-3:
        return f"{value * 1e6:.0f}us"
    if value < 1:
        return f"{value * 1e3:.0f}ms"
    if value < 60:
        return f"{value:.1f}s"
    minutes, rest = divmod(int(value), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def escaped(text):
    """`text` as HTML; the module html would be loaded in every program."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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

    def validate(self, done):
        """The steps of the epoch are over, and so many of its validation are done."""

    def end(self, logs):
        """The epoch is over."""

    def stop(self):
        """The run is over, however it ended."""


class Timed(Silent):
    """What displays know of time and place.

    Args:
        interval: seconds between two drawings.
    """

    quiet = False
    unit = None  # what a step is called, where its time is to be shown

    def __init__(self, interval=INTERVAL):
        self.interval, self.drawn, self.began = interval, 0.0, 0.0

    def start(self, title, epochs):
        self.title, self.epochs = title, epochs
        self.done, self.steps, self.logs, self.epoch, self.checked = 0, None, {}, None, None

    def begin(self, epoch, steps):
        now = time.perf_counter()
        short = now - self.began < self.interval  # the epoch before: then this one will be short as well
        self.epoch, self.steps, self.done, self.logs, self.checked = epoch, steps, 0, {}, None
        self.began = now
        if not short:
            self.drawn = now
            self.draw()

    def step(self, done, logs):
        self.done = done
        now = time.perf_counter()
        if now - self.drawn >= self.interval:
            self.drawn, self.logs = now, dict(logs or {})
            self.draw()

    def validate(self, done):
        self.checked = done
        now = time.perf_counter()
        if now - self.drawn >= self.interval:
            self.drawn = now
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

    @property
    def place(self):
        """``3/16, 1.2s left``, or what is known of it."""
        if self.checked is not None:
            return f"validation, {self.checked} steps"
        if not self.steps:
            return f"{self.done} {self.unit or 'step'}s"
        left = (
            f", {seconds(self.elapsed / self.done * (self.steps - self.done))} left"
            if 0 < self.done < self.steps
            else ""
        )
        return f"{self.done}/{self.steps}{left}"

    def line(self, logs):
        """What a line says of the epoch that is over."""
        parts = [f"Epoch {self.name}" if self.epochs is not None else self.title, seconds(self.elapsed)]
        if self.unit and self.done:
            parts.append(f"{seconds(self.elapsed / self.done)}/{self.unit}")
        return " - ".join([*parts, *[f"{name}: {shown(value)}" for name, value in (logs or {}).items()]])


class Lines(Timed):
    """One line for each epoch."""

    def end(self, logs):
        print_message(self.line(logs))


class Moving(Timed):
    """What displays share that rewrite a row of a terminal.

    Args:
        console: a rich Console; by default that of standard output.
        width: how many characters the bar has, where there is room.
        interval: seconds between two drawings.
    """

    def __init__(self, console=None, width=20, interval=INTERVAL):
        super().__init__(interval)
        self._console, self.bar = console, width

    def start(self, title, epochs):
        from rich.console import Console

        super().start(title, epochs)
        self._console = self._console or Console(highlight=False)

    def _safe(self, text):
        """`text` in characters that the terminal has."""
        encoding = getattr(self._console.file, "encoding", None) or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)

    def _moving_row(self, label=""):
        """The state now, cut off at the edge of the terminal."""
        from rich.text import Text

        row = Text(label, no_wrap=True, overflow="crop" if self._console.options.ascii_only else "ellipsis")
        if self.steps and self.bar:
            width = min(self.bar, self._console.width // 4)
            full = min(width, round(self.done / self.steps * width))
            done, left = ("=", "-") if self._console.options.ascii_only else ("━", "━")
            row.append(done * full, style="green").append(left * (width - full), style="dim").append(" ")
        row.append(self.place)
        for name, value in self.logs.items():
            row.append(f"  {self._safe(name)} ").append(shown(value), style="bold")
        return row


class Terminal(Moving):
    """A table whose last row moves; finished rows stay.

    It owns the terminal from `start` to `stop`: what others print appears above the moving row.
    """

    _live = None

    def start(self, title, epochs):
        from rich.live import Live

        super().start(title, epochs)
        self.stop()
        self._columns, self._rows = [], 0
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._visible = False
        live.add(self)
        atexit.register(self.stop)  # a cursor that stays hidden annoys

    def draw(self):
        if self._live is not None:
            label = f"{self.name.rjust(self._width)}  {seconds(round(self.elapsed, 3)).rjust(8)}  "
            self._live.update(self._moving_row(label), refresh=True)
            self._visible = True

    def _hide(self):
        from rich.console import Group

        if self._visible:
            self._live.update(Group(), refresh=True)
            self._visible = False

    def end(self, logs):
        if self._live is None:
            return
        self._hide()
        self.drawn = time.perf_counter()
        logs = dict(logs or {})
        new = [name for name in logs if name not in self._columns]
        if self.epochs is None:
            self._write(self.line(logs))
            return
        if new:
            self._columns += new
            self._layout = layout(self._columns, self._console.width - self._width - 12)
        if self._layout is None:
            self._write(self.line(logs))
            return
        if new or self._rows >= max(20, self._console.height - 5):
            self._rows = 0
            names = header(["epoch", "time", *self._columns], [self._width, 8, *self._layout])
            self._console.print(self._safe("\n".join(names)), style="bold", soft_wrap=True, markup=False)
        self._rows += 1
        cells = [shown(logs[name]) if name in logs else "" for name in self._columns]
        values = "  ".join(cell.rjust(size) for cell, size in zip(cells, self._layout))
        self._write(f"{self.name.rjust(self._width)}  {seconds(self.elapsed).rjust(8)}  {values}")

    def _write(self, text):
        """Writes a row where the moving row was; straight into the file, as epochs may be many and short."""
        file = self._console.file
        file.write(self._safe(text) + "\n")
        file.flush()

    def stop(self):
        if self._live is not None:
            self._live.stop()
            self._live = None
            live.discard(self)
            atexit.unregister(self.stop)

    @property
    def _width(self):
        return max(7, 2 * len(str(self.epochs)) + 1, len(self.title))


def layout(names, room):
    """The widths of columns with these names, at least 9 each; None if they do not fit into `room` characters.

    Where there is too little room for the names, they are broken at their underscores.
    """
    for sizes in ([max(COLUMN, len(name)) for name in names],
                  [max(COLUMN, *[len(part) + 1 for part in name.split("_")]) for name in names]):  # fmt: skip
        if sum(sizes) + 2 * (len(sizes) - 1) <= room:
            return sizes
    return None


def header(names, sizes):
    """The lines of names over columns of these widths, top down; names that are too long are broken at underscores."""
    broken = []
    for name, size in zip(names, sizes):
        first, *parts = [name] if len(name) <= size else name.split("_")
        lines = [first]
        for part in parts:
            if len(f"{lines[-1]}_{part}_") <= size:
                lines[-1] += f"_{part}"
            else:
                lines[-1] += "_"
                lines.append(part)
        broken.append(lines)
    height = max(map(len, broken))
    rows = zip(*[[""] * (height - len(lines)) + lines for lines in broken])
    return ["  ".join(text.rjust(size) for text, size in zip(texts, sizes)) for texts in rows]


class Bar(Moving):
    """One row that is rewritten in place, and a line in the end; it never owns the terminal, so loops may just break off.

    Args:
        console, width, interval: as in `Moving`.
    """

    _visible = False

    def draw(self):
        self._erase()
        self._console.print(self._moving_row(), end="")
        self._visible = True

    def _erase(self):
        from rich.control import Control
        from rich.segment import ControlType

        if self._visible:
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
            self._visible = False

    def end(self, logs):
        self._erase()
        print_message(self.line(logs))


class Notebook(Timed):
    """One HTML table that is replaced in place."""

    def start(self, title, epochs):
        from IPython.display import HTML, display

        super().start(title, epochs)
        self._make, self._rows, self._stale, self._running = HTML, [], False, False
        self._handle = display(HTML(""), display_id=True)

    def begin(self, epoch, steps):
        self._running = True
        super().begin(epoch, steps)

    def draw(self):
        bar = ""
        if self.steps and self.checked is None:
            bar = f'<progress value="{self.done}" max="{self.steps}"></progress> '
        moving = [(self.name, bar + escaped(self.place), self.logs)] if self._running else []
        self._show([*self._rows, *moving])
        self._stale = False

    def end(self, logs):
        self._rows.append((self.name, seconds(self.elapsed), dict(logs or {})))
        self._running, self._stale = False, True
        now = time.perf_counter()
        if now - self.drawn >= self.interval:
            self.drawn = now
            self.draw()

    def stop(self):
        if getattr(self, "_stale", False):
            self.draw()

    def _show(self, rows):
        names = list(dict.fromkeys(name for _, _, logs in rows for name in logs))
        head = "".join(
            f"<th>{escaped(name)}</th>" for name in ["epoch" if self.epochs is not None else "", "time", *names]
        )
        skipped = len(rows) - ROWS
        body = f'<tr><td colspan="{2 + len(names)}">... {skipped} earlier epochs</td></tr>' if skipped > 0 else ""
        body += "".join(
            f"<tr><td>{escaped(name)}</td><td>{when}</td>"
            + "".join(f"<td>{escaped(shown(logs[key])) if key in logs else ''}</td>" for key in names)
            + "</tr>"
            for name, when, logs in rows[-ROWS:]
        )
        self._handle.update(self._make(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"))
