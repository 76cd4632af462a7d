"""`Step`: a step of `fit`, `evaluate` or `predict` as it runs: line by line at first, compiled by `edl.function` where that pays.

Both give the same bits, so all there is to decide is what takes less time. What compiling takes is known only afterwards, so a
step has to earn it: it runs line by line until that has taken as long as compiling would. So it never takes more than about twice
the time of the better choice (as who rents skis until the rent has reached their price).
"""

import ast
import contextlib
import dis
import os
import threading
import time
import traceback
import weakref

import numpy as np

from eagerdl import config, tree
from eagerdl.autograd import graph as recordings
from eagerdl.errors import NUMPY_FOLDER, PACKAGE_FOLDER, EagerdlError
from eagerdl.jit import function, honesty, names
from eagerdl.jit import trace as tracing
from eagerdl.jit.convert import definition, watchers
from eagerdl.jit.graph import values_in
from eagerdl.jit.traced import Traced, getitem
from eagerdl.messages import print_message
from eagerdl.nn import calls
from eagerdl.tensor import Tensor, batches
from eagerdl.train.guards import Snapshot
from eagerdl.train.state import optimizers_of

PATIENCE = 2.0  # seconds for which a step runs line by line before it is compiled for the first time
KEPT = 4  # states of a model whose traces are kept: some programs change back and forth
RESTLESS = 5  # after so many traces in vain it is said what changes all the time
LAYOUTS = 1000  # shapes of batches that are counted
TRACES = 32  # shapes of batches for which a step is traced: each needs memory of its own


class Refused(BaseException):
    """Why a step is not compiled although it could be traced; no `except Exception` in its code stops it."""


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
        self.traced = []  # a Traced for each of the latest states of the model, the current one first
        self.spent = {}  # layout of a batch -> how often it ran line by line in the present state, and the seconds
        self.price, self.vain = PATIENCE, 0  # seconds that the last trace took; how many in a row were not worth it
        self._begun = self._left = False  # whether it was called; whether the model has left the state of the last trace

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

    # -- the state of the model ----------------------------------------------------------------------

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
        model = self._model()
        if self.vain == RESTLESS and model.jit_compile is not True:
            print_message(f"[{model.where}.{self.name}] the step runs mostly line by line, because {last.snapshot.difference()} changes "
                          "again and again; let a Variable hold what changes, and it will be compiled")  # fmt: skip

    # -- traces ----------------------------------------------------------------------------------------

    def _compiled(self, model, current, data, layout, watch):
        """A call that is traced and compiled, while `watch` looks at what it does."""
        traced = current or Traced(self._model, self.name, Snapshot(model))
        start = time.perf_counter()
        with watch.over(traced):
            out = traced.function(data)
        if watch.begun and not watch.ended:  # it made variables, and ran line by line
            return out
        model._clear_losses()  # those of the trace are no numbers
        self.price = time.perf_counter() - start
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
        """The same; or if it cannot be compiled, a call line by line as are all that follow."""
        watch = Watch(strict=True)
        try:
            out = self._compiled(model, current, data, layout, watch)
            if watch.ended or not watch.begun:
                return out
            reason = "it makes variables again and again"
        except (Exception, Refused) as error:
            if not watch.begun:  # what was compiled before has failed
                raise
            reason = reason_of(error)
            watch.snapshot.put_back()
            out = self  # there is none
        if out is self:
            out = getattr(model, self.name)(data)  # where the user's own errors are raised
        self.reason = reason
        self.traced.clear()
        print_message(f"[{model.where}.{self.name}] the step runs line by line, because it cannot be compiled: {reason}")
        return out


NEVER = (0, 0.0)


class Traced:
    """A step of a model in one state, as an `edl.function`.

    Args:
        model: a weak reference to the model.
        name: of the method.
        snapshot: the Snapshot of the state.

    Attributes:
        layouts: those of the batches for which it is traced.
        functions: the user's functions that it calls: id of the code -> function.
        calls: how often it ran since.
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
    """The history of a function whose traces were earned."""

    def _count(self, where, call, last, reason):
        pass


class Watch:
    """Looks at what a trace calls and changes.

    Args:
        strict: whether to stop it where compiled code would do something else than code that runs line by line.

    Attributes:
        begun, ended: whether the trace began to call the user's code, and came to the end.
        functions: as in `Traced`.
    """

    def __init__(self, strict=False):
        self.strict, self.begun, self.ended, self.functions = strict, False, False, {}

    @contextlib.contextmanager
    def over(self, traced):
        """A context in which it looks at the traces of a Traced."""
        self.snapshot, self.thread = traced.snapshot, threading.get_ident()
        self.snapshot.note_states()
        traced.watches.append(self)
        watchers.append(self.see)
        try:
            yield
        finally:
            watchers.remove(self.see)
            traced.watches.remove(self)

    def see(self, called):
        """Something is about to be called."""
        if self.thread != threading.get_ident() or tracing.current() is None:
            return
        self.begun = True
        function = honesty.written(called)
        if function is None or id(function.__code__) in self.functions:
            return
        self.functions[id(function.__code__)] = function
        if self.strict:
            self.snapshot.note_generators(function)
            owner = getattr(called, "__self__", None)
            known = {} if owner is None else {function.__code__.co_varnames[0]: owner}
            found = effects(function, known)
            if found:
                line, text = found[0]
                file = os.path.basename(function.__code__.co_filename)
                raise Refused(f"{file}:{line} {text} changes what is outside of the step, which happens only while code runs line by line")

    def end(self, out):
        """The Python code has come to its end, and returns `out`."""
        if self.strict:
            if self.snapshot.has_drawn():
                raise Refused("it draws from a random generator of NumPy or Python, which compiled code does not; use edl.random")
            change = self.snapshot.difference()
            if change is not None:
                raise Refused(f"it assigns {change}, which compiled code does not")
            node = of_elements(tracing.current().graph, out)
            if node is not None:
                file, _, line = node.line.rpartition(":")
                raise Refused(f"{os.path.basename(file)}:{line} the shape of what {node.label} gives depends on elements")
        self.ended = True


def effects(function, known):
    """``(line, text)`` of statements of a function that are meant to happen at each step and would not in compiled code.

    Args:
        function: the function.
        known: some of its arguments by name.
    """
    try:
        syntax, _ = definition(function.__code__, function.__globals__)
    except LookupError:  # there is no source to read
        return effects_of_code(function.__code__)
    found = [(line, f"`{text}`") for line, text in honesty.effects(function, known)]
    scene = honesty._Scene(function, syntax, known)
    for node in ast.walk(syntax):
        name = names.dotted(node.value.func) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
        called = honesty.UNKNOWN if name is None else scene.resolved(name)
        if called is not honesty.UNKNOWN and is_foreign(called):
            found.append((node.lineno, f"`{ast.unparse(node)}`"))
    return found


def is_foreign(called):
    """True for a logger, a debugger, a progress bar: what another package gives, called for its effect."""
    if honesty.written(called) is not None or isinstance(called, type):
        return False
    module = getattr(called, "__module__", None) or getattr(type(called), "__module__", "")
    return called is breakpoint or module.partition(".")[0] not in ("eagerdl", "builtins")


def effects_of_code(code):
    """As `effects`, from the bytecode: what might change something else."""
    for instruction in dis.get_instructions(code):
        name, what = instruction.opname, instruction.argval
        if (name in ("STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "STORE_SUBSCR", "DELETE_SUBSCR") or what in names.MUTATORS
                or what == "print" or (name == "STORE_DEREF" and what in code.co_freevars)):  # fmt: skip
            return [(code.co_firstlineno, f"{code.co_name} has no source to be read and")]
    return []


def has_to_run_eagerly():
    """True where compiled code would not be seen by something that looks at each op."""
    return bool(config.functions_run_eagerly() or tracing.current() is not None or recordings.active() is not None or batches
                or calls.observers)  # fmt: skip


SELECTING = frozenset(("argwhere", "compress", "extract", "flatnonzero", "nonzero", "unique", "_unique", "unique_all", "unique_counts",
                       "unique_inverse", "unique_values"))  # fmt: skip


def of_elements(graph, out):
    """The last call of a graph whose shape depends on elements, and that `out` or a variable depends on: it could give another shape
    at each step. None if there is none.
    """
    arrays = [getattr(leaf, "_array", None) for leaf in tree.flatten(out)[0]]
    needed = {*graph.writes.values(), *[array.value for array in arrays if isinstance(array, Traced)]}
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            by_mask = node.function is getitem and any(value.dtype == bool for value in values_in(node.args[1]))
            if by_mask or node.label in SELECTING or (node.label == "repeat" and len(node.inputs) > 1):
                return node
    return None


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
    return kind if not isinstance(data, np.ndarray) else (data.shape, data.dtype)


def is_unfinished(model):
    """True while a model, its optimizers, losses or metrics have variables to make: that is done in a call line by line."""
    parts = [*(model._flatten_layers() if hasattr(model, "_flatten_layers") else ()), *optimizers_of(model)]
    if not all(part.built for part in parts):
        return True
    loss, metrics = model._compile_loss, model._compile_metrics
    return (loss is not None and loss.losses is None) or (metrics is not None and metrics.rows is None)


def reason_of(error):
    """An error of a trace in one line that names the user's."""
    text = " ".join(str(error).split())
    if isinstance(error, Refused):
        return text
    if not isinstance(error, EagerdlError):
        text = f"{type(error).__name__}: {text}"
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    mine = [(file, line) for file, line in lines if not file.startswith((PACKAGE_FOLDER, NUMPY_FOLDER)) and "site-packages" not in file]
    place = f"{os.path.basename(mine[-1][0])}:{mine[-1][1]}" if mine else ""
    return text if place in text else f"{place} {text}"
