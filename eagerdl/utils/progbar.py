"""`Progbar`: shows how far a loop of your own is."""

import time
from collections.abc import Mapping

from eagerdl.errors import ArgumentError
from eagerdl.train.progress import Bar, display_for

__all__ = ["Progbar"]


class Progbar:
    """Shows the progress of a loop: a moving row in a terminal, a table in a notebook, a line at the end in a file.

    Args:
        target: how many steps there are, None if that is unknown.
        width: of the bar, in characters.
        verbose: 0 nothing, 1 as it goes, 2 a line at the end.
        interval: seconds between two drawings at least.
        stateful_metrics: names of numbers that are shown as they come; others are averaged over the steps.
        stateless_metrics: names of numbers that are averaged; others are shown as they come. Only one of the two can be given.
        unit_name: what a step is called.

    Raises:
        ArgumentError: for both lists of metrics, or another `verbose`.

    Example:
        >>> bar = edl.utils.Progbar(3, verbose=2)
        >>> for step in range(3):
        ...     bar.add(1, values=[("loss", 1.0 / (step + 1))])
        3/3 - ... - .../step - loss: 0.3333
    """

    def __init__(
        self,
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ArgumentError("Progbar", "stateful_metrics and stateless_metrics exclude each other", "both are given",
                                "name those that are averaged, or those that are not")  # fmt: skip
        self.target, self.width, self.verbose, self.interval, self.unit_name = (
            target,
            width,
            verbose,
            interval,
            unit_name,
        )
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        if stateful_metrics is None and stateless_metrics is None:
            self.stateful_metrics = set()
        self._values = {}  # name -> (sum, count)
        self._means = Means(self._values)
        self._seen, self._over, self._display, self._began = 0, False, None, time.perf_counter()
        self._make_display()  # a wrong level fails here

    def _make_display(self):
        display = display_for(self.verbose, lambda: Bar(width=self.width))
        display.interval, display.unit = self.interval, self.unit_name
        return display

    def update(self, current, values=None, finalize=None):
        """Says that `current` steps are done.

        Args:
            current: how many.
            values: pairs (name, number of the last step).
            finalize: whether that is the end; by default if `current` reaches `target`.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            averaged = (
                name not in self.stateful_metrics
                if self.stateful_metrics is not None
                else name in self.stateless_metrics
            )
            if finalize or not averaged:
                self._values[name] = value, 1  # Keras shows the last number in the end, too
            else:
                steps = max(current - self._seen, 1)
                total, count = self._values.get(name, (0, 0))
                self._values[name] = total + value * steps, count + steps
        self._seen = current
        if self._over:
            return
        if self._display is None:
            self._display = self._make_display()
            self._display.start("", None)
            self._display.began = time.perf_counter()  # there is something to show only after the first step
            self._display.begin(0, self.target)
            self._display.began = self._began
        self._display.step(current, self._means)
        if finalize:
            self._over = True
            self._display.title = (
                f"{current}/{self.target}" if self.target is not None else f"{current} {self.unit_name}s"
            )
            self._display.end(self._means)
            self._display.stop()

    def add(self, n, values=None):
        """Says that `n` more steps are done; see `update`."""
        self.update(self._seen + n, values)


class Means(Mapping):
    """name -> mean of what was summed; computed when somebody looks.

    Args:
        sums: a dict name -> (sum, count).
    """

    def __init__(self, sums):
        self._sums = sums

    def __getitem__(self, name):
        total, count = self._sums[name]
        return total if count == 1 else total / count

    def __iter__(self):
        return iter(self._sums)

    def __len__(self):
        return len(self._sums)
