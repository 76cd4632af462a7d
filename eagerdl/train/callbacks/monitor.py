"""`Monitor`: what callbacks share that look at one number of the logs and ask whether it got better."""

import math
import warnings

from eagerdl import registry
from eagerdl.errors import ArgumentError
from eagerdl.tensor import Tensor
from eagerdl.train.callbacks.callback import Callback

MODES = ("auto", "min", "max")


class Monitor(Callback):
    """Base of callbacks that monitor a quantity.

    Args:
        monitor: its name in the logs: ``"loss"``, ``"val_accuracy"``.
        mode: "min" if smaller is better, "max" if larger is; "auto" asks the metric of that name.
        best: the value to beat at the beginning, or None.
        min_delta: by how much a value has to be better to count.

    Raises:
        ArgumentError: for an unknown mode.
    """

    def __init__(self, monitor="val_loss", mode="auto", best=None, min_delta=0):
        if mode not in MODES:
            raise ArgumentError(f"{type(self).__name__}.mode", "one of 'auto', 'min' and 'max' is needed",
                                f"got {mode!r}{registry.nearest(mode, MODES)}", "choose one")  # fmt: skip
        self.monitor, self.mode, self.best, self.min_delta = monitor, mode, best, abs(min_delta)
        self._larger = None if mode == "auto" else mode == "max"  # whether larger is better, once that is known
        self._seen = False

    def set_model(self, model):
        super().set_model(model)
        if self.mode == "auto":
            self._larger = None  # another model may have another metric of that name

    @property
    def larger_is_better(self):
        """True where larger values are better.

        Raises:
            ArgumentError: in mode "auto", if the metric does not say.
        """
        if self._larger is None:
            self._larger = self._direction_of_metric()
        return self._larger

    def _direction_of_metric(self):
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return False
        # Those of `compile` come as one.
        known = {
            one.name: one
            for metric in getattr(self.model, "metrics", ())
            for one in getattr(metric, "metrics", [metric])
        }
        # Outputs and named validation sets stand before the name of the metric.
        found = known.get(name) or next((known[one] for one in known if name.endswith(f"_{one}")), None)
        direction = getattr(found, "_direction", None)
        if direction is None:
            raise ArgumentError(f"{type(self).__name__}.mode", "it must be known whether larger or smaller is better",
                                f"{self.monitor!r} does not say it", "pass mode='max' or mode='min'")  # fmt: skip
        return direction == "up"

    def is_better(self, value, reference):
        """Whether `value` beats `reference`, which may be None, by more than `min_delta`; NaN never does."""
        if math.isnan(value):
            return False
        if reference is None or math.isnan(reference):
            return True
        if self.larger_is_better:
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def value_in(self, logs):
        """The monitored number, or None with a warning that names what there is.

        Raises:
            ArgumentError: if it is not one number.
        """
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            if not self._seen:  # later on it is missing where there was no validation
                warnings.warn(
                    f"[{type(self).__name__}] the logs have no {self.monitor!r}{registry.nearest(self.monitor, logs)}: nothing is "
                    f"done; available are {', '.join(logs) or 'none'}",
                    stacklevel=2,
                )
            return None
        self._seen = True
        if getattr(value, "size", 1) != 1:
            raise ArgumentError(f"{type(self).__name__}.monitor", "one number is needed",
                                f"{self.monitor!r} has shape {value.shape}", "monitor another metric")  # fmt: skip
        return float(value.item() if isinstance(value, Tensor) else value)
