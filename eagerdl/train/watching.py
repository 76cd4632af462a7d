"""`Watch`: looks at a trace of a step, and stops it where compiled code would not do what code does that runs line by line."""

import ast
import contextlib
import dis
import os
import threading
import traceback

from eagerdl import tree
from eagerdl.errors import NUMPY_FOLDER, PACKAGE_FOLDER, EagerdlError
from eagerdl.jit import honesty
from eagerdl.jit import trace as tracing
from eagerdl.jit.autograph import names
from eagerdl.jit.autograph.convert import definition, watchers
from eagerdl.jit.graph import values_in
from eagerdl.jit.traced import Traced, getitem

# Calls of NumPy and ops that choose elements: the shape of what they give depends on these.
SELECTING = frozenset((
    "argwhere", "compress", "extract", "flatnonzero", "nonzero", "unique", "_unique", "unique_all", "unique_counts",
    "unique_inverse", "unique_values",
))  # fmt: skip
STORES = frozenset(("STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "STORE_SUBSCR", "DELETE_SUBSCR"))


class Refused(BaseException):
    """Why a step is not compiled although it could be traced; no `except Exception` in its code stops it."""


class Watch:
    """Looks at what the trace of a step calls and changes.

    Args:
        strict: whether to stop it with Refused. Otherwise the user is warned.

    Attributes:
        begun, ended: whether the trace has begun to call code, and has come to the end.
        functions: the user's functions that it calls, by what tells them apart.
    """

    def __init__(self, strict=False):
        self.strict, self.begun, self.ended, self.functions = strict, False, False, {}

    @contextlib.contextmanager
    def over(self, traced):
        """A context in which it looks at the traces of a TracedStep."""
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
        if function is None:
            return
        key = function.__code__, *map(id, function.__closure__ or ())
        if key in self.functions:
            return
        self.functions[key] = function
        owner = getattr(called, "__self__", None)
        known = {} if owner is None else {function.__code__.co_varnames[0]: owner}
        if not self.strict:
            honesty.report(function, known)
            return
        self.snapshot.note_generators(function)
        found = effects(function, known)
        if found:
            line, text = found[0]
            file = os.path.basename(function.__code__.co_filename)
            raise Refused(f"{file}:{line} {text} changes what is outside of the step, which compiled code does not")

    def end(self, out):
        """The code has come to its end, and returns `out`."""
        if self.strict:
            if self.snapshot.has_drawn():
                raise Refused(
                    "it draws from a random generator of NumPy or Python, which compiled code does not; use edl.random"
                )
            change = self.snapshot.difference()
            if change is not None:
                raise Refused(f"it assigns {change}, which compiled code does not")
            node = of_elements(tracing.current().graph, out)
            if node is not None:
                file, _, line = node.line.rpartition(":")
                raise Refused(
                    f"{os.path.basename(file)}:{line} the shape of what {node.label} gives depends on elements"
                )
        self.ended = True


# -- what happens at each step, and would not ---------------------------------------------------------


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
        plain = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        name = names.dotted(node.value.func) if plain else None
        called = honesty.UNKNOWN if name is None else scene.resolved(name)
        if called is not honesty.UNKNOWN and is_foreign(called):
            found.append((node.lineno, f"`{ast.unparse(node)}`"))
    return found


def is_foreign(called):
    """True for a logger, a debugger, a progress bar: what another package gives, and is called for its effect."""
    if honesty.written(called) is not None or isinstance(called, type):
        return False
    module = getattr(called, "__module__", None) or getattr(type(called), "__module__", "")
    return called is breakpoint or module.partition(".")[0] not in ("eagerdl", "builtins")


def effects_of_code(code):
    """As `effects`, from the bytecode: what might change something."""
    for one in dis.get_instructions(code):
        outer = one.opname == "STORE_DEREF" and one.argval in code.co_freevars
        if outer or one.opname in STORES or one.argval == "print" or one.argval in names.MUTATORS:
            return [(code.co_firstlineno, f"{code.co_name} has no source to be read, and")]
    return []


def of_elements(graph, out):
    """The last call of a graph whose shape depends on elements, so that it could be another one each time; None if there is none.

    Args:
        graph: the graph of a trace.
        out: what is returned. Calls on which neither this nor a variable depends do not count.
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


# -- in words -----------------------------------------------------------------------------------------


def reason_of(error):
    """An error of a trace in one line, with the user's line."""
    text = " ".join(str(error).split())
    if isinstance(error, Refused):
        return text
    if not isinstance(error, EagerdlError):
        text = f"{type(error).__name__}: {text}"
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    mine = [(file, line) for file, line in lines if is_users_file(file)]
    place = f"{os.path.basename(mine[-1][0])}:{mine[-1][1]}" if mine else ""
    return text if place in text else f"{place} {text}"


def is_users_file(file):
    """True for a file of the program, in contrast to libraries."""
    return not file.startswith((PACKAGE_FOLDER, NUMPY_FOLDER)) and "site-packages" not in file
