"""What a user should know of a traced function and would not see: Python code that does not run at each call, and why it is
traced again."""

import ast
import collections
import collections.abc
import contextlib
import functools
import inspect
import os
import sys
import types
import warnings

from eagerdl.errors import PACKAGE_FOLDER, TracingWarning
from eagerdl.jit.autograph import names
from eagerdl.jit.autograph.convert import call_of, definition, is_users, side_effects, watchers
from eagerdl.jit.autograph.places import content
from eagerdl.jit.running import current
from eagerdl.jit.signature import Identity, difference, is_number

REPETITIONS = 10  # traces because of one argument, until that is worth a warning
SHOWN = 5  # lines in a warning

# What changes when one of its methods that `names.MUTATORS` lists is called.
CONTAINERS = (
    collections.abc.MutableSequence,
    collections.abc.MutableMapping,
    collections.abc.MutableSet,
    collections.deque,
)
OF_LISTS = frozenset("append appendleft extend insert popleft reverse setdefault sort".split())  # what little else has

UNKNOWN = object()

_reported = {}  # id of a code object -> the code object, whose side effects were reported


# -- Python code that does not run at each call -----------------------------------------------------------


def report(function, arguments=None):
    """Warns, once for a function, of statements in it whose effects happen only when it is traced.

    Args:
        function: the Python function.
        arguments: what it is called with, by name, to look at the objects that it changes.
    """
    called, function = function, written(function)
    if function is None or id(function.__code__) in _reported:
        return
    _reported[id(function.__code__)] = function.__code__
    owner = getattr(called, "__self__", None) if isinstance(called, types.MethodType | types.FunctionType) else called
    first = () if owner is None else function.__code__.co_varnames[:1]
    found = effects(function, dict.fromkeys(first, owner) | dict(arguments or {}))
    if not found:
        return
    prints = [text for _, text in found if "print(" in text]
    lines = ", ".join(f"{line} `{text}`" for line, text in found[:SHOWN]) + (" ..." if len(found) > SHOWN else "")
    remedies = ["edl.print prints at each call"] if prints else []
    if len(prints) < len(found):
        remedies.append("return values, or keep them in Variables")
    file, line = function.__code__.co_filename, found[0][0]
    warnings.warn_explicit(
        f"[{function.__name__}, {os.path.basename(file)}:{line}] the Python code of a traced function runs when it is traced, "
        f"not at each call; that is so for line{'s' * (len(found) > 1)} {lines}; {'; '.join(remedies)}",
        TracingWarning, file, line,
    )  # fmt: skip


@contextlib.contextmanager
def watching():
    """A context in which a trace runs: the user's functions that it calls are reported as well, unless others watch them."""
    if watchers:
        yield
        return
    watchers.append(_report_called)
    try:
        yield
    finally:
        watchers.remove(_report_called)


def _report_called(function):
    if current() is not None:
        report(function)


def written(function):
    """The plain function of the user's behind a callable, None if there is none."""
    if isinstance(function, functools.partial):
        return written(function.func)
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        function = call_of(function)
    return function if function is not None and is_users(function) else None


def effects(function, arguments=None):
    """``(line, text)`` of the statements of a function that change what its caller can see, as far as that is certain.

    Left out are: what is done once, behind ``if self.w is None`` and the like; methods such as `update` of objects that are no
    containers; attributes that are properties; parameters that the function gives another value first.
    """
    found = side_effects(function)
    if not found:
        return []
    tree, _ = definition(function.__code__, function.__globals__)
    scene = _Scene(function, tree, arguments or {})
    kept = {line for line, _ in found} - scene.harmless_lines({line for line, _ in found})
    return [(line, text) for line, text in found if line in kept]


class _Scene:
    """A function and what its names mean in a call."""

    def __init__(self, function, tree, arguments):
        self.tree, self.known = tree, dict(function.__globals__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self.known[name] = content(cell)
        parameters = names.parameters(tree)
        self.known |= {name: arguments.get(name, UNKNOWN) for name in parameters}
        body = tree.body if isinstance(tree.body, list) else [tree.body]
        self.rebound = set(parameters) & set().union(*map(names.stores, body))
        # What belongs to a traced function around this one is carried along by the trace.
        around = function.__qualname__.rpartition(".<locals>.")[0]
        code = function.__code__
        self.inside = any(
            one.co_qualname == around and one.co_filename == code.co_filename for one in _reported.values()
        )
        self.parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def harmless_lines(self, lines):
        """Which of the lines have only effects that need not be reported."""
        real = set()
        for node in ast.walk(self.tree):
            if getattr(node, "lineno", None) in lines and not self.is_harmless(node):
                real.add(node.lineno)
        return lines - real

    def is_harmless(self, node):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                return not (node.id == "print" and self.known.get("print", print) is print)
            return not self.is_global(node) or self.is_done_once(node, node.id)
        target = names.changed(node)
        if target is None:
            return True
        base = target.removesuffix("[]")
        if base.partition(".")[0] in self.rebound or self.is_done_once(node, base):
            return True
        owner, _, attribute = base.rpartition(".")
        if target == base:  # an attribute is written
            return bool(owner) and _is_property(self.resolved(owner), attribute)
        found = self.resolved(base)
        if found is UNKNOWN:
            return isinstance(node, ast.Call) and node.func.attr not in OF_LISTS
        return isinstance(node, ast.Call) and not isinstance(found, CONTAINERS)

    def is_global(self, name):
        """Whether a name is declared `global` in a function around it, or `nonlocal` where that function is not traced."""
        kinds = ast.Global if self.inside else ast.Global | ast.Nonlocal
        node = name
        while node is not None:
            if isinstance(node, ast.FunctionDef):
                declared = [one for part in node.body for one in ast.walk(part) if isinstance(one, kinds)]
                if any(name.id in one.names for one in declared):
                    return True
            node = self.parents.get(node)
        return False

    def is_done_once(self, node, base):
        """Whether an `if` around asks for what is not there yet, and what it guards puts it there."""
        while node is not self.tree:
            node, inner = self.parents[node], node
            if isinstance(node, ast.If) and inner in node.body:
                missing = _missing(node.test)
                changes = {names.changed(part) for one in node.body for part in ast.walk(one)} - {None}
                changes |= set().union(*map(names.stores, node.body))
                if missing & {base, *[one.removesuffix("[]") for one in changes]}:
                    return True
        return False

    def resolved(self, dotted):
        """The object that a chain of names stands for, UNKNOWN if only running would tell."""
        first, *rest = dotted.split(".")
        found = self.known.get(first, UNKNOWN)
        for name in rest:
            if found is UNKNOWN:
                break
            try:
                found = inspect.getattr_static(found, name)
            except AttributeError:
                return UNKNOWN
            if isinstance(found, property) or hasattr(type(found), "__set__"):
                return UNKNOWN
        return found


def _missing(test):
    """What a condition says is not there: the names in ``x is None``, ``not x``, ``key not in x``, ``not hasattr(x, "y")``."""
    if isinstance(test, ast.BoolOp):
        return set().union(*map(_missing, test.values))
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = test.operand
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "hasattr":
            return _attribute(inner)
        return {names.dotted(inner)} - {None}
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        if isinstance(test.ops[0], ast.NotIn):
            return {names.dotted(test.comparators[0])} - {None}
        if isinstance(test.ops[0], ast.Is | ast.Eq) and ast.unparse(test.comparators[0]) == "None":
            if isinstance(test.left, ast.Call) and ast.unparse(test.left.func) == "getattr":
                return _attribute(test.left)
            return {names.dotted(test.left)} - {None}
    return set()


def _attribute(call):
    """``self.w`` for ``hasattr(self, "w")``."""
    owner, name = names.dotted(call.args[0]), call.args[1]
    return {f"{owner}.{name.value}"} if owner and isinstance(name, ast.Constant) else set()


def _is_property(owner, attribute):
    """Whether writing the attribute calls a method of the owner's class."""
    if owner is UNKNOWN:
        return False
    found = inspect.getattr_static(type(owner), attribute, None)
    return hasattr(type(found), "__set__") and not isinstance(found, types.MemberDescriptorType)


# -- why it is traced again ---------------------------------------------------------------------------------


class History:
    """The traces of one function, and why each was made.

    Attributes:
        reasons: for each trace what was different, as text.
        causes: argument -> how many traces it has caused.
        under_tape: whether the last one was made together with its gradient.
    """

    def __init__(self):
        self.reasons, self.causes, self.under_tape, self._last = [], collections.Counter(), False, None

    def add(self, where, call, under_tape=False):
        """Notes a trace; warns when one argument has caused too many.

        Args:
            where: the function's name.
            call: the Call that was traced.
            under_tape: whether it was traced together with its gradient.
        """
        last, self._last, self.under_tape = self._last, (call.names, call.key), under_tape
        if last is None:
            reason = "first call"
        elif last == self._last:
            reason = "it is called under a tape" if under_tape else "a variable has another layout"
        else:
            reason = difference(call.names, call.key, last[1])
            self._count(where, call, last[1], reason)
        self.reasons.append(reason + (", under a tape" if under_tape and not reason.endswith("tape") else ""))

    def _count(self, where, call, last, reason):
        cause, entry = changed_entry(call, last)
        self.causes[cause] += 1
        if self.causes[cause] == REPETITIONS:
            what = "the structure of its arguments" if cause is None else f"the argument {cause!r}"
            warnings.warn(
                f"[{where}] each trace runs the Python code again and costs time; {what} has caused {REPETITIONS} of them, the "
                f"last one since {reason}; {remedy(entry)}",
                TracingWarning, stacklevel=_level_of_user(),
            )  # fmt: skip


def changed_entry(call, other):
    """The name and entry of a call's key that differ from another key; (None, None) if the structures differ."""
    if len(call.key) == len(other):
        for name, mine, theirs in zip(call.names, call.key, other):
            if mine != theirs:
                return name, (mine, theirs)
    return None, None


def remedy(entries):
    """What to do about an argument that has such entries in the key, one trace after the other."""
    if entries is None:
        return "pass the same number of values in the same nesting"
    mine, theirs = entries
    if isinstance(mine, Identity):
        return "make the object once, and pass the same one each time"
    if is_number(mine):
        return "pass it as a tensor, edl.constant(value), or use few values"
    if isinstance(mine, tuple) and len(mine) == 4 and isinstance(theirs, tuple) and len(theirs) == 4:
        if mine[1] != theirs[1]:
            return "pad it to a few sizes, or leave out the last, smaller batch (drop_remainder=True)"
        if mine[2] != theirs[2]:
            return "cast it to one dtype before"
        return "pass arrays that lie in memory in one way (np.ascontiguousarray)"
    return "use few values of it, or pass a tensor"


def _level_of_user():
    """The `stacklevel` of the nearest frame outside of this package, for a warning that the caller gives."""
    frame, level = sys._getframe(1), 1
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
        frame, level = frame.f_back, level + 1
    return level
