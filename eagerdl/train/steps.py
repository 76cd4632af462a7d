"""`Step`: a step of `fit`, `evaluate` or `predict` as it runs: line by line at first, compiled by `edl.function` where that pays.

Both give the same bits, so all there is to decide is what takes less time. What compiling takes is known only afterwards, so a
step has to earn it: it runs line by line until that has taken as long as compiling would. So it takes about twice the time of the
better choice at most, as for him who rents skis until the rent has reached their price.
"""

import time
import weakref

import numpy as np

from eagerdl import config
from eagerdl.autograd import graph as recordings
from eagerdl.jit import function, honesty
from eagerdl.jit import trace as tracing
from eagerdl.messages import print_message
from eagerdl.nn import calls
from eagerdl.tensor import Tensor, batches
from eagerdl.train.guards import Snapshot
from eagerdl.train.state import optimizers_of
from eagerdl.train.watching import Refused, Watch, reason_of

PATIENCE = 2.0  # seconds for which a step runs line by line before it is compiled for the first time
KEPT = 4  # states of a model whose traces are kept: some programs change back and forth
RESTLESS = 5  # after so many traces in vain it is said what changes all the time
LAYOUTS = 1000  # shapes of batches that are counted
TRACES = 32  # shapes of batches for which a step is traced: each needs memory of its own
ATTEMPTS = 3  # traces that may end with variables being made
NEVER = (0, 0.0)


class Step:
    """data -> what a method of the model returns.

    Args:
        model: the model; it is not kept alive.
        name: of the method: ``"train_step"``, ``"test_step"`` or ``"predict_step"``.

    Attributes:
        reason: why it runs line by line for good, None while it does not.
    """

    def __init__(self, model, name):
        self._model, self.name, self.reason = weakref.ref(model), name, None
        self.traced = []  # a TracedStep for each of the latest states of the model, the current one first
        self.spent = {}  # layout of a batch -> how often it ran line by line in the present state, and the seconds
        self.price, self.vain = PATIENCE, 0  # seconds that the last trace took; how many in a row were not worth it
        self._begun = False  # whether it was called
        self._left = False  # whether the model has left the state of the last trace
        self._attempts = 0  # traces that ended with variables being made

    def __call__(self, data):
        model = self._model()
        if model.run_eagerly:
            with config._running_eagerly("run_eagerly"):
                return getattr(model, self.name)(data)
        mode = model.jit_compile
        if mode is False or self.reason is not None or has_to_run_eagerly():
            return getattr(model, self.name)(data)
        layout = layout_of(data)
        current = self._current()
        if current is not None and layout in current.layouts:
            current.calls += 1
            return current.function(data)
        first, self._begun = not self._begun, True
        if first and is_unfinished(model):
            return self._timed(model, data, layout)
        if mode is True:
            return self._compiled(model, current, data, layout, Watch())
        full = current is not None and len(current.layouts) >= TRACES
        if layout is None or full or self.spent.get(layout, NEVER)[1] < self.price * 2**self.vain:
            return self._timed(model, data, layout)
        return self._attempted(model, current, data, layout)

    def _timed(self, model, data, layout):
        """A call line by line."""
        start = time.perf_counter()
        out = getattr(model, self.name)(data)
        seconds = time.perf_counter() - start
        if len(self.spent) >= LAYOUTS:
            self.spent.clear()
        count, before = self.spent.get(layout, NEVER)
        self.spent[layout] = count + 1, before + seconds
        return out

    # -- the state of the model ---------------------------------------------------------------------

    def _current(self):
        """What was traced of the model as it is now; None if that is nothing."""
        for index, one in enumerate(self.traced):
            if one.snapshot.holds():
                self._left = False
                if index:
                    self.traced.insert(0, self.traced.pop(index))
                return one
        if self.traced and not self._left:
            self._leave(self.traced[0])
        return None

    def _leave(self, last):
        """The model has changed: to be compiled again has to be earned again, the harder, the less it was worth."""
        self._left = True
        self.spent.clear()
        self.vain = 0 if last.calls * last.seconds >= 2 * self.price else self.vain + 1
        if self.vain == RESTLESS and self._model().jit_compile is not True:
            change = last.snapshot.difference()
            self._say(f"the step runs mostly line by line, because {change} changes again and again; let a Variable hold what "
                      "changes, and it will be compiled")  # fmt: skip

    # -- traces -------------------------------------------------------------------------------------

    def _compiled(self, model, current, data, layout, watch):
        """A call that is traced and compiled, while `watch` looks at what it does."""
        traced = current or TracedStep(self._model, self.name, Snapshot(model))
        start = time.perf_counter()
        with watch.over(traced):
            out = traced.function(data)
        if watch.begun and not watch.ended:  # it made variables, and ran line by line
            return out
        self.price = time.perf_counter() - start
        model._clear_losses()  # those of the trace are no numbers
        count, seconds = self.spent.pop(layout, NEVER)
        traced.seconds = seconds / max(count, 1)
        traced.layouts.add(layout)
        traced.functions |= watch.functions
        traced.snapshot = Snapshot(model, traced.functions.values())
        if current is None:
            self.traced.insert(0, traced)
            del self.traced[KEPT:]
            self._left = False
        return out

    def _attempted(self, model, current, data, layout):
        """The same; or if it cannot be compiled, a call line by line, as are all that follow."""
        watch = Watch(strict=True)
        try:
            out = self._compiled(model, current, data, layout, watch)
        except (Exception, Refused) as error:
            if not watch.begun:  # what was compiled before has failed
                raise
            reason = reason_of(error)
            watch.snapshot.put_back()
        else:
            self._attempts += watch.begun and not watch.ended
            if self._attempts >= ATTEMPTS:
                self._give_up("it makes variables again and again")
            return out
        out = getattr(model, self.name)(data)  # where errors of the user's own are raised
        self._give_up(reason)
        return out

    def _give_up(self, reason):
        self.reason = reason
        self.traced.clear()
        self._say(f"the step runs line by line, because it cannot be compiled: {reason}")

    def _say(self, message):
        print_message(f"[{self._model().where}.{self.name}] {message}")


class TracedStep:
    """A step of a model in one state, as an `edl.function`.

    Args:
        model: a weak reference to the model.
        name: of the method.
        snapshot: the Snapshot of the state.

    Attributes:
        layouts: those of the batches for which it is traced.
        functions: the user's functions that it calls, by what tells them apart.
        calls: how often it ran since it was traced.
        seconds: how long it takes line by line.
    """

    def __init__(self, model, name, snapshot):
        self.snapshot, self.layouts, self.functions = snapshot, set(), {}
        self.calls, self.seconds = 0, 0.0
        self.watches = watches = []  # the Watch of the trace under way

        def step(data):
            out = calls.converted(getattr(model(), name))(data)
            if watches and tracing.current() is not None:
                watches[-1].end(out)
            return out

        step.__name__ = step.__qualname__ = name
        self.function = function(step)
        self.function._history = Quiet()


class Quiet(honesty.History):
    """The history of a function whose traces were earned: nobody has to be warned of them."""

    def _count(self, where, call, last, reason):
        pass


def has_to_run_eagerly():
    """True where compiled code would not be seen by something that looks at each op."""
    if config.functions_run_eagerly() or batches or calls.observers:
        return True
    return tracing.current() is not None or recordings.active() is not None


def layout_of(data):
    """The shapes and dtypes of a batch, as a key; None where an array is not NumPy's."""
    try:
        return _layout(data)
    except LookupError:
        return None


def _layout(data):
    kind = data.__class__
    if kind is Tensor:
        array = data._array
        if array.__class__ is not np.ndarray:
            raise LookupError("it is on another device")
        return array.shape, array.dtype
    if isinstance(data, tuple | list):
        return kind, *map(_layout, data)
    if isinstance(data, dict):
        return kind, tuple(data), *map(_layout, data.values())
    return (data.shape, data.dtype) if isinstance(data, np.ndarray) else kind


def is_unfinished(model):
    """True while a model, its optimizers, losses or metrics have variables to make: that is done in a call line by line."""
    if not all(part.built for part in (*model._flatten_layers(), *optimizers_of(model))):
        return True
    loss, metrics = model._compile_loss, model._compile_metrics
    return (loss is not None and loss.losses is None) or (metrics is not None and metrics.rows is None)
