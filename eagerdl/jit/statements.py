"""What converted statements do when they run: for Python values what Python does, for traced tensors ops of control flow.

A block comes as a function without arguments (a loop's body takes the next item) that shares the variables of the function
it was written in; so running it for a Python value is a call. For a traced tensor the block becomes a branch or a body of
`cond`, `while_loop`, `scan` or `fori_loop`. Its variables are read and written through the cells of its closure: set to
their values before, run, read, handed over as tensors. Values that are the same on both sides, or in every iteration, stay
the Python values that they are.

What is not known beforehand (the dtype that a Python number takes, what stands in for a return value that is not there yet)
is found by trying: the attempt is abandoned by an exception from inside the branch or body, whose graph is then thrown away.
"""

import operator
import os
import sys

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import PACKAGE_FOLDER, ArgumentError, DTypeError, EagerdlError, ShapeError
from eagerdl.jit.jumps import VALUE
from eagerdl.ops import cast, convert_to_tensor, logical_not, maximum, zeros
from eagerdl.ops.control_flow import cond, fori_loop, scan, while_loop
from eagerdl.tensor import Tensor

__all__ = [
    "BUILTINS", "and_", "checked", "compare", "for_", "if_", "if_expression", "is_traced", "not_", "or_", "plain", "range_",
    "while_",
]  # fmt: skip

ATTEMPTS = 12  # to settle dtypes: each changes one at least, upwards
LONGEST_UNROLLING = 10_000  # iterations of a Python loop that a tensor may end

NUMBERS = (bool, int, float, complex, np.generic)
# Values that may be equal without being one object.
CONSTANTS = (*NUMBERS, str, bytes, type(None), range, slice, np.dtype)

RETURN_VALUE = "the return value"  # how messages call what `return` will give

# What an `assert` on a traced tensor does: a function (condition, message, where), set by the tracer.
on_assert = None


def is_traced(x):
    """Whether `x` is a tensor whose value is not known while a function is traced."""
    return isinstance(x, Tensor) and getattr(type(x._array), "traced", False)


def where():
    """``f, file.py:12``: the user's line that runs now."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
        frame = frame.f_back
    code = frame.f_code
    return f"{code.co_qualname}, {os.path.basename(code.co_filename)}:{frame.f_lineno}"


# -- statements -----------------------------------------------------------------------------------


def if_(test, true_fn, false_fn, names, dead):
    """``if test: ... else: ...``

    Args:
        test: the value of the condition.
        true_fn, false_fn: the blocks.
        names: the variables that the blocks assign and that are needed afterwards; attributes as ``"self.x"``, and lists and
            dicts that are changed in place as ``"x[]"``.
        dead: the other variables that the blocks assign.
    """
    if not is_traced(test):
        return true_fn() if test else false_fn()
    places, others = _places(names, true_fn, false_fn), _places(dead, true_fn, false_fn)
    _if_places(condition(test, "if"), true_fn, false_fn, places, others)


def while_(test_fn, body_fn, names, dead):
    """``while test: ...``; the loop is on tensors from the iteration on whose condition is traced."""
    test = test_fn()
    while not is_traced(test):
        if not test:
            return
        body_fn()
        test = test_fn()
    condition(test, "while")

    def run(loop, start):
        return while_loop(lambda *state: loop.test(state, test_fn), lambda *state: loop.step(state, body_fn), start)

    _repeat("while", _places(names, test_fn, body_fn), _places(dead, test_fn, body_fn), run)


def for_(iterable, body_fn, extra_test_fn, names, dead):
    """``for item in iterable: ...``: over Python values, over the rows of a traced tensor, or over a range with traced ends.

    Args:
        iterable: what stands after `in`.
        body_fn: a function of the next item.
        extra_test_fn: None, or whether to go on after an iteration: the loop has a `break` or `return`.
        names, dead: as for `if_`.
    """
    functions = (body_fn,) if extra_test_fn is None else (body_fn, extra_test_fn)
    if is_traced(iterable):
        if not iterable.ndim:
            raise ShapeError(where(), "a `for` over a tensor runs over its first axis", "the tensor has shape ()",
                             "use range(x) to count up to it")  # fmt: skip
        count, item = iterable.shape[0], lambda i: iterable[i]
    elif isinstance(iterable, TensorRange):
        count, item = iterable.count(), iterable.item
    else:
        return _python_for(iterable, body_fn, extra_test_fn, names, dead)

    def run(loop, start):
        def step(state, x):
            return loop.step(state, lambda: body_fn(x))

        if extra_test_fn is None and is_traced(iterable):
            return scan(lambda state, x: (step(state, x), None), start, iterable)[0]
        if extra_test_fn is None:
            return fori_loop(0, count, lambda i, state: step(state, item(i)), start)
        out = while_loop(
            lambda i, *state: _both(i < count, lambda: loop.test(state, extra_test_fn)),
            lambda i, *state: (i + 1, *step(state, item(i))),
            (convert_to_tensor(0), *start),
        )
        return out[1:]

    _repeat("for", _places(names, *functions), _places(dead, *functions), run)


def _python_for(iterable, body_fn, extra_test_fn, names, dead):
    """A loop over Python values. From the iteration on after which a tensor decides whether to go on, each one is a branch."""
    iterator = iter(iterable)
    if extra_test_fn is None:
        for item in iterator:
            body_fn(item)
        return
    go_on, count = True, 0
    places, others = _places(names, body_fn, extra_test_fn), _places(dead, body_fn, extra_test_fn)
    for item in iterator:
        if not is_traced(go_on):
            body_fn(item)
        else:
            count += 1
            if count > LONGEST_UNROLLING:
                raise ArgumentError(where(), "a `for` over Python values that a tensor may end is unrolled, so it has to be short",
                                    f"it had {count - 1} iterations", "loop over a tensor, or over range(n) with n a tensor")  # fmt: skip
            _if_places(go_on, lambda item=item: body_fn(item), lambda: None, places, others)
        go_on = extra_test_fn()
        if not is_traced(go_on) and not go_on:
            return


def checked(test, message_fn):
    """The condition of an `assert`, or True after asking the tracer to check a traced one when the trace runs."""
    if not is_traced(test):
        return test
    if on_assert is None:
        raise DTypeError(where(), "an assert needs a Python value here", _describe(test), "check before the call, or assert on shapes")
    on_assert(condition(test, "assert"), message_fn() if message_fn is not None else "", where())
    return True


# -- expressions ----------------------------------------------------------------------------------


def and_(value, *rest):
    """``value and ...``, where the operands that may not be needed come as functions."""
    for i, later in enumerate(rest):
        if is_traced(value):
            return _one_of("and", value, lambda: and_(later(), *rest[i + 1 :]), lambda: value)  # noqa: B023, it runs at once
        if not value:
            return value
        value = later()
    return value


def or_(value, *rest):
    """``value or ...``, as `and_`."""
    for i, later in enumerate(rest):
        if is_traced(value):
            return _one_of("or", value, lambda: value, lambda: or_(later(), *rest[i + 1 :]))  # noqa: B023, it runs at once
        if value:
            return value
        value = later()
    return value


def not_(value):
    """``not value``"""
    return logical_not(condition(value, "not")) if is_traced(value) else not value


def if_expression(test, true_fn, false_fn):
    """``true if test else false``"""
    if not is_traced(test):
        return true_fn() if test else false_fn()
    return _one_of("if ... else", test, true_fn, false_fn)


COMPARISONS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "is": operator.is_, "is not": operator.is_not,
    "in": lambda a, b: a in b, "not in": lambda a, b: a not in b,
}  # fmt: skip


def compare(left, *pairs):
    """``left < b <= c``, given as ``(left, ("<", lambda: b), ("<=", lambda: c))``; b is computed once."""
    (sign, right_fn), *rest = pairs
    right = right_fn()
    out = COMPARISONS[sign](left, right)
    return and_(out, lambda: compare(right, *rest)) if rest else out


def plain(test, reason):
    """A condition that has to be a Python value, because of `reason`."""
    if is_traced(test):
        raise DTypeError(where(), "the condition must be a Python value", f"{_describe(test)} came, and {reason}",
                         "choose by edl.where or edl.cond, or write an `if` of its own")  # fmt: skip
    return test


def _one_of(what, test, true_fn, false_fn):
    test = condition(test, what)
    return _choose(what, test, lambda: [true_fn()], lambda: [false_fn()], ["the value"])[0]


def _both(first, second_fn):
    """`first and second` of two conditions, as a tensor."""
    return cond(first, second_fn, lambda: first)


def condition(test, what):
    """A traced condition as a bool tensor of shape ()."""
    if test.size != 1:
        raise ShapeError(where(), f"the condition of `{what}` needs one element", f"got shape {test.shape}",
                         "reduce it with edl.any or edl.all, or choose elementwise with edl.where")  # fmt: skip
    test = test if test.dtype == dtypes.bool_ else test != 0
    return test.reshape(()) if test.ndim else test


# -- builtins -------------------------------------------------------------------------------------


class TensorRange:
    """`range` with an end that is a traced tensor: something for a `for` to run over."""

    def __init__(self, *ends):
        start, stop, self.step = {1: (0, *ends, 1), 2: (*ends, 1), 3: ends}[len(ends)]
        self.start, self.stop = start, stop
        for end in (start, stop, self.step):
            if isinstance(end, Tensor) and (not dtypes.is_integer(end.dtype) or end.size != 1):
                raise DTypeError(where(), "range takes integers", _describe(end), "cast it to int32")

    def count(self):
        """How many items there are."""
        span, step = self.stop - self.start, self.step
        if isinstance(step, Tensor):
            return maximum((span + step - cast(step > 0, step.dtype) + cast(step < 0, step.dtype)) // step, 0)
        return maximum(convert_to_tensor((span + step - (1 if step > 0 else -1)) // step), 0)

    def item(self, i):
        """The item at place i."""
        return self.start + i * self.step

    def __iter__(self):
        raise DTypeError(where(), "a range with an end that is a tensor can only be the iterable of a `for`",
                         f"range({_describe(self.start)}, {_describe(self.stop)})", "use edl.arange, or a Python number as end")  # fmt: skip

    __len__ = __reversed__ = __iter__


def range_(*ends):
    """`range`, whose ends may be traced tensors."""
    return TensorRange(*ends) if any(map(is_traced, ends)) else range(*ends)


# What converted code calls in place of these.
BUILTINS = {
    range: range_,
    bool: lambda x=False: condition(x, "bool") if is_traced(x) else bool(x),
    int: lambda x=0, *base, **named: cast(x, "int32") if is_traced(x) else int(x, *base, **named),
    float: lambda x=0.0: cast(x, dtypes.floatx()) if is_traced(x) else float(x),
}

# -- variables ------------------------------------------------------------------------------------


class _Undefined:
    def __repr__(self):
        return "undefined"


UNDEFINED = _Undefined()


def content(cell):
    """What a cell of a closure holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNDEFINED


class Cell:
    """A variable of the function that the statement stands in."""

    in_place = False

    def __init__(self, name, cell):
        self.name, self.label, self.cell = name, RETURN_VALUE if name == VALUE else f"`{name}`", cell

    def read(self):
        return content(self.cell)

    def write(self, value):
        if value is not UNDEFINED:
            self.cell.cell_contents = value
        elif content(self.cell) is not UNDEFINED:
            del self.cell.cell_contents


class Global:
    """A variable declared `global`."""

    in_place = False

    def __init__(self, name, table):
        self.name, self.label, self.table = name, f"`{name}`", table

    def read(self):
        return self.table.get(self.name, UNDEFINED)

    def write(self, value):
        if value is not UNDEFINED:
            self.table[self.name] = value
        else:
            self.table.pop(self.name, None)


class Attribute:
    """An attribute of an object that was there before the statement."""

    in_place = False

    def __init__(self, name, owner, attribute):
        self.name, self.label, self.owner, self.attribute = name, f"`{name}`", owner, attribute

    def read(self):
        return getattr(self.owner, self.attribute, UNDEFINED)

    def write(self, value):
        if value is not UNDEFINED:
            setattr(self.owner, self.attribute, value)
        elif hasattr(self.owner, self.attribute):
            delattr(self.owner, self.attribute)


class Contents:
    """The elements of a list or dict that was there before the statement."""

    in_place = True

    def __init__(self, name, container):
        self.name, self.label, self.container = name, f"the contents of `{name[:-2]}`", container

    def read(self):
        return self.container

    def write(self, value):
        if isinstance(self.container, list):
            self.container[:] = value
        else:
            value = dict(value)
            self.container.clear()
            self.container.update(value)


def _places(names, *functions):
    """Where the named things are kept; without those that do not exist yet or are no lists and dicts."""
    if not names:
        return []
    cells = {}
    for function in functions:
        cells.update(zip(function.__code__.co_freevars, function.__closure__ or ()))
    table = functions[0].__globals__
    found = (_place(name, cells, table) for name in names)
    return [place for place in found if place is not None]


def _place(name, cells, table):
    path, in_place = (name[:-2], True) if name.endswith("[]") else (name, False)
    root, *attributes = path.split(".")
    place = Cell(root, cells[root]) if root in cells else Global(root, table)
    for i, attribute in enumerate(attributes):
        owner = place.read()
        if owner is UNDEFINED:
            return None
        place = Attribute(".".join([root, *attributes[: i + 1]]), owner, attribute)
    if in_place:
        container = place.read()
        return Contents(name, container) if type(container) in (list, dict) else None
    return place


class _Memory:
    """The values of places, to be put back."""

    def __init__(self, places):
        self.places = places
        self.values = [_copy(place.read()) if place.in_place else place.read() for place in places]

    def restore(self):
        for place, value in zip(self.places, self.values):
            place.write(_copy(value) if place.in_place else value)


# -- structures -----------------------------------------------------------------------------------


def _flatten(value):
    """The leaves of nested lists, tuples and dicts, and a description from which `_build` makes the same of other leaves."""
    leaves = []
    return leaves, _layout(value, leaves)


def _layout(value, leaves):
    kind = type(value)
    if kind is dict:
        keys = sorted(value, key=repr)
        return kind, tuple(keys), tuple(_layout(value[key], leaves) for key in keys)
    if kind is list or kind is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return kind, len(value), tuple(_layout(one, leaves) for one in value)
    leaves.append(value)
    return None


def _build(layout, leaves):
    if layout is None:
        return next(leaves)
    kind, keys, inner = layout
    values = [_build(one, leaves) for one in inner]
    if kind is dict:
        return dict(zip(keys, values))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def _copy(value):
    leaves, layout = _flatten(value)
    return _build(layout, iter(leaves))


def _is_value(leaf):
    """Whether a leaf can be a tensor of a graph."""
    return isinstance(leaf, (Tensor, np.ndarray, *NUMBERS))


def _same(a, b):
    """Whether two leaves are the same Python value, or one tensor."""
    return a is b or (type(a) is type(b) and isinstance(a, CONSTANTS) and repr(a) == repr(b))


def _fits(number, dtype):
    """Whether a Python number may take `dtype`, as it does beside a tensor: an int becomes a float, not the reverse."""
    if isinstance(number, np.generic) or not isinstance(number, NUMBERS):
        return False
    if isinstance(number, bool):
        return dtype == dtypes.bool_
    if isinstance(number, int):
        return dtype != dtypes.bool_
    return dtypes.is_complex(dtype) or (isinstance(number, float) and dtypes.is_floating(dtype))


def _tensor(leaf, dtype=None):
    return convert_to_tensor(leaf, dtype) if dtype is not None and not isinstance(leaf, Tensor) else convert_to_tensor(leaf)


def _blank(flat):
    """What stands for a value, given and returned as `_flatten` does, where there is none yet and nobody will look."""
    leaves, layout = flat
    return [zeros(x.shape, x.dtype) if isinstance(x, Tensor | np.ndarray) else x for x in leaves], layout


def _is_undefined(leaves):
    """Whether the leaves are those of no value."""
    return bool(leaves) and leaves[0] is UNDEFINED


def _describe(value):
    if isinstance(value, Tensor | np.ndarray):
        return f"a tensor {value.dtype} {value.shape}"
    if isinstance(value, NUMBERS):
        return f"{type(value).__name__} {value}"
    if value is None or value is UNDEFINED:
        return str(value)
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(repr, value))}" if value else "an empty dict"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, list | tuple) else "")


# -- branches -------------------------------------------------------------------------------------


class _Again(BaseException):
    """Something was learnt that the attempt under way should have known."""


def _if_places(test, true_fn, false_fn, places, others):
    """Runs both blocks and gives the places what the condition chooses."""
    memory = _Memory([*places, *others])

    def after(block):
        memory.restore()
        block()
        return [_copy(place.read()) if place.in_place else place.read() for place in places]

    values = _choose("if", test, lambda: after(true_fn), lambda: after(false_fn), [place.label for place in places], memory)
    for place, value in zip(places, values):
        place.write(value)
    for place in others:
        place.write(UNDEFINED)


def _choose(what, test, true_fn, false_fn, labels, memory=None):
    """`cond` of two functions that return as many values as there are labels."""
    branches = _Branches(what, labels)
    for _ in range(ATTEMPTS):
        try:
            outputs = cond(test, lambda: branches.run(0, true_fn), lambda: branches.run(1, false_fn))
        except _Again:
            if memory is not None:
                memory.restore()
            continue
        return branches.merged(outputs)
    raise DTypeError(where(), f"both branches of `{what}` must give the same dtypes", "these keep changing", "cast them")


class _Branches:
    """Two branches that have to give values of one structure, shape and dtype."""

    def __init__(self, what, labels):
        self.what, self.labels, self.where = what, labels, where()
        self.sides = [None, None]  # for each branch: [(leaves, layout) for each label]
        self.dtypes = {}  # (label, leaf) -> the dtype that a Python number takes
        self.blanks = {}  # label -> what stands for a return value that the first branch does not have

    def run(self, which, branch):
        """Runs a branch; its leaves that can be tensors, as tensors."""
        try:
            values = branch()
        except Exception as error:
            if not isinstance(error, EagerdlError) and not getattr(error, "__notes__", None):
                error.add_note(f"raised at {self.where} while both branches of `{self.what}` were traced: its condition is a tensor")
            raise
        side = [_flatten(value) for value in values]
        if which == 0:
            for i, blank in self.blanks.items():
                side[i] = blank
            self.sides = [side, None]
        else:
            self.sides[1] = side
            if self.sides[0] is not None:
                self.agree()
        return [
            _tensor(leaf, self.dtypes.get((i, j)))
            for i, (leaves, _) in enumerate(side)
            for j, leaf in enumerate(leaves)
            if _is_value(leaf)
        ]

    def agree(self):
        """Checks the second branch against the first.

        Raises:
            _Again: if the first has to run again, with what is known now.
        """
        known, blanks = len(self.dtypes), len(self.blanks)
        first, second = self.sides
        for i, label in enumerate(self.labels):
            if label == RETURN_VALUE:
                self.fill(i, first, second)
            (ours, layout), (theirs, other) = first[i], second[i]
            if layout != other or _is_undefined(ours) != _is_undefined(theirs):
                self.refuse_structure(label, _build(layout, iter(ours)), _build(other, iter(theirs)))
            for j, (a, b) in enumerate(zip(ours, theirs)):
                if not _same(a, b):
                    self.agree_on_leaf(label, (i, j), a, b)
        if (known, blanks) != (len(self.dtypes), len(self.blanks)):
            raise _Again

    def fill(self, i, first, second):
        """Where one branch returns and the other goes on, something has to stand for the value of the latter."""
        if _is_undefined(second[i][0]):
            second[i] = _blank(first[i])
        elif _is_undefined(first[i][0]):
            self.blanks[i] = first[i] = _blank(second[i])

    def agree_on_leaf(self, label, place, a, b):
        if not (_is_value(a) and _is_value(b)):
            raise DTypeError(self.where, f"{label} must be a tensor, or one and the same value, in both branches of `{self.what}`",
                             f"{_describe(a)} if the condition holds, else {_describe(b)}",
                             "return or assign tensors in both, or make the condition a Python value")  # fmt: skip
        dtype = self.dtypes.get(place)
        x, y = _tensor(a, dtype), _tensor(b, dtype)
        if x.shape != y.shape:
            raise ShapeError(self.where, f"{label} must have one shape in both branches of `{self.what}`",
                             f"{x.shape} if the condition holds, else {y.shape}", "pad, reshape or broadcast one of them")  # fmt: skip
        if x.dtype == y.dtype:
            return
        if _fits(a, y.dtype):
            self.dtypes[place] = y.dtype
        elif _fits(b, x.dtype):
            self.dtypes[place] = x.dtype
        else:
            raise DTypeError(self.where, f"{label} must have one dtype in both branches of `{self.what}`",
                             f"{x.dtype} if the condition holds, else {y.dtype}", "cast one of them")  # fmt: skip

    def refuse_structure(self, label, a, b):
        if a is UNDEFINED or b is UNDEFINED:
            when = "does not hold" if a is UNDEFINED else "holds"
            raise ArgumentError(self.where, f"{label} must be defined in both branches of `{self.what}`, because it is used later",
                                f"it is only if the condition {when}", "give it a value before, or in both")  # fmt: skip
        raise ArgumentError(self.where, f"{label} must have one structure in both branches of `{self.what}`",
                            f"{_describe(a)} if the condition holds, else {_describe(b)}",
                            "nest, and count, the same in both")  # fmt: skip

    def merged(self, outputs):
        """The values after the statement: tensors where the branches differ."""
        first, second = (side if side is not None else self.sides[1 - i] for i, side in enumerate(self.sides))
        outputs, values = iter(outputs), []
        for (ours, layout), (theirs, _) in zip(first, second):
            leaves = []
            for a, b in zip(ours, theirs):
                output = next(outputs) if _is_value(a) else a
                leaves.append(a if _same(a, b) else output)
            values.append(_build(layout, iter(leaves)))
        return values


# -- loops ----------------------------------------------------------------------------------------


def _repeat(what, places, others, run):
    """Runs a loop on tensors.

    Args:
        what: "while" or "for".
        places: what the loop carries on.
        others: what its body assigns besides.
        run: a function (loop, tensors at the start) -> tensors at the end.
    """
    loop, memory = _Loop(what, places), _Memory([*places, *others])
    for _ in range(ATTEMPTS):
        try:
            end = run(loop, loop.start())
        except _Again:
            memory.restore()
            continue
        loop.enter(end)
        for place in others:
            place.write(UNDEFINED)
        return
    raise DTypeError(loop.where, f"the variables of a `{what}` must keep their dtypes", "these keep changing", "cast them")


class _Loop:
    """The variables of a loop as tensors, except what stays the same Python value in every iteration."""

    def __init__(self, what, places):
        self.what, self.places, self.where = what, places, where()
        self.before = [_flatten(place.read()) for place in places]
        self.dtypes = {}  # (place, leaf) -> the dtype of a Python number that changes, or None if it does not
        self.entered = []  # the leaves at the beginning of an iteration, by place

    def start(self):
        """The tensors of the first iteration."""
        return tuple(_tensor(leaf, self.dtypes.get(key)) for key, leaf in self._leaves() if self._carried(key, leaf))

    def enter(self, tensors):
        """Gives the variables their values at the beginning of an iteration, or after the loop."""
        tensors = iter(tensors)
        self.entered = [[] for _ in self.places]
        for key, leaf in self._leaves():
            self.entered[key[0]].append(next(tensors) if self._carried(key, leaf) else leaf)
        for place, leaves, (_, layout) in zip(self.places, self.entered, self.before):
            place.write(_build(layout, iter(leaves)))

    def test(self, tensors, test_fn):
        """Whether to go on, as a tensor."""
        self.enter(tensors)
        test = test_fn()
        return condition(test, self.what) if isinstance(test, Tensor) else convert_to_tensor(bool(test))

    def step(self, tensors, body):
        """The tensors after an iteration."""
        self.enter(tensors)
        body()
        out, learnt = [], False
        for i, place in enumerate(self.places):
            leaves, layout = _flatten(place.read())
            if layout != self.before[i][1] or _is_undefined(leaves) != _is_undefined(self.before[i][0]):
                self._new_structure(i, place, leaves, layout)
                learnt = True
                continue
            for j, (before, after) in enumerate(zip(self.before[i][0], leaves)):
                if self._carried((i, j), before):
                    tensor = self._carry_on(place.label, (i, j), before, after)
                    learnt |= tensor is None
                    out.append(tensor)
                elif not _same(before, after):
                    self._becomes_tensor(place.label, (i, j), before, after)
                    learnt = True
        if learnt:
            raise _Again
        return tuple(out)

    def _leaves(self):
        return (((i, j), leaf) for i, (leaves, _) in enumerate(self.before) for j, leaf in enumerate(leaves))

    def _carried(self, key, leaf):
        """Whether a leaf is a tensor of the loop: tensors are, and numbers that change, which lone ones are expected to."""
        if not isinstance(leaf, NUMBERS):
            return _is_value(leaf)
        return self.dtypes[key] is not None if key in self.dtypes else self.before[key[0]][1] is None

    def _carry_on(self, label, key, before, after):
        """The tensor for the next iteration; None if the loop has to begin again with what was learnt."""
        entered = self.entered[key[0]][key[1]]
        if after is entered and isinstance(before, NUMBERS) and key not in self.dtypes:
            self.dtypes[key] = None
            return None
        if not _is_value(after):
            raise DTypeError(self.where, f"{label} is a tensor in this `{self.what}` and must stay one",
                             f"{_describe(entered)} becomes {_describe(after)}", "use another name")  # fmt: skip
        tensor = _tensor(after, entered.dtype if _fits(after, entered.dtype) else None)
        if tensor.shape != entered.shape:
            raise ShapeError(self.where, f"{label} must keep its shape in this `{self.what}`",
                             f"{entered.shape} becomes {tensor.shape}",
                             f"begin with that shape, as by edl.zeros({tensor.shape})")  # fmt: skip
        if tensor.dtype == entered.dtype:
            return tensor
        if not _fits(before, tensor.dtype) or self.dtypes.get(key) == tensor.dtype:
            raise DTypeError(self.where, f"{label} must keep its dtype in this `{self.what}`",
                             f"{entered.dtype} becomes {tensor.dtype}", "cast it at the end of the body, or before the loop")  # fmt: skip
        self.dtypes[key] = tensor.dtype
        return None

    def _becomes_tensor(self, label, key, before, after):
        if not (_is_value(before) and _is_value(after)):
            raise DTypeError(self.where, f"{label} must stay the same value, or be a tensor, in this `{self.what}`",
                             f"{_describe(before)} becomes {_describe(after)}", "use tensors, or a loop over Python values")  # fmt: skip
        wanted = _tensor(after).dtype
        self.dtypes[key] = wanted if _fits(before, wanted) else _tensor(before).dtype

    def _new_structure(self, i, place, leaves, layout):
        """What to do about a variable whose structure changes: only a return value may begin as nothing."""
        before, after = _build(self.before[i][1], iter(self.before[i][0])), _build(layout, iter(leaves))
        if before is UNDEFINED and place.name == VALUE:
            self.before[i] = _blank((leaves, layout))
            return
        if before is UNDEFINED or after is UNDEFINED:
            raise ArgumentError(self.where, f"{place.label} must be defined before this `{self.what}`, because it is used after it",
                                "it is undefined if there is no iteration", "give it a value before the loop")  # fmt: skip
        raise ArgumentError(self.where, f"{place.label} must keep its structure in this `{self.what}`",
                            f"{_describe(before)} becomes {_describe(after)}",
                            "let edl.scan collect values, or loop over Python values")  # fmt: skip
