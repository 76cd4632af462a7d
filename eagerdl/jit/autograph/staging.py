"""Branches and loops on tensors: values of variables, which are nested and may be Python's, as tensors that go in and out.

Values that are the same on both sides, or in every iteration, stay the Python values that they are. What is not known
beforehand (the dtype that a Python number takes, what stands in for a return value that is not there yet) is found by trying:
the attempt is abandoned by an exception from inside the branch or body, whose graph is then thrown away.
"""

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import DTypeError, EagerdlError, ShapeError, TracingError, user_place
from eagerdl.jit.autograph.jumps import VALUE
from eagerdl.jit.autograph.places import RETURN_VALUE, UNDEFINED, Memory, build, copied, flatten
from eagerdl.ops import convert_to_tensor, zeros
from eagerdl.ops.control_flow import cond
from eagerdl.tensor import Tensor

ATTEMPTS = 12  # to settle dtypes: each changes one at least, upwards

NUMBERS = (bool, int, float, complex, np.generic)
# Values that may be equal without being one object.
CONSTANTS = (*NUMBERS, str, bytes, type(None), range, slice, np.dtype)


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
    """A leaf as a tensor; what is none yet takes `dtype`."""
    return convert_to_tensor(leaf, None if isinstance(leaf, Tensor) else dtype)


def _blank(flat):
    """What stands for a value, given and returned as `flatten` does, where there is none yet and nobody will look."""
    leaves, layout = flat
    return [zeros(x.shape, x.dtype) if isinstance(x, Tensor | np.ndarray) else x for x in leaves], layout


def is_undefined(leaves):
    """Whether the leaves are those of no value."""
    return bool(leaves) and leaves[0] is UNDEFINED


def describe(value):
    """How messages call a value."""
    if isinstance(value, Tensor | np.ndarray):
        return f"a tensor {value.dtype} {value.shape}"
    if isinstance(value, NUMBERS):
        return f"{type(value).__name__} {value}"
    if value is None or value is UNDEFINED:
        return str(value)
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(repr, value))}" if value else "an empty dict"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, list | tuple) else "")


def condition(test, what):
    """A traced condition as a bool tensor of shape ()."""
    if test.size != 1:
        raise ShapeError(user_place(), f"the condition of `{what}` needs one element", f"got shape {test.shape}",
                         "reduce it with edl.any or edl.all, or choose elementwise with edl.where")  # fmt: skip
    test = test if test.dtype == dtypes.bool_ else test != 0
    return test.reshape(()) if test.ndim else test


# -- branches -------------------------------------------------------------------------------------


class _Again(BaseException):
    """Something was learnt that the attempt under way should have known."""


def if_places(test, true_fn, false_fn, places, others):
    """Runs both blocks and gives the places what the condition chooses."""
    memory = Memory([*places, *others])

    def after(block):
        memory.restore()
        block()
        return [copied(place.read()) if place.in_place else place.read() for place in places]

    values = choose(
        "if", test, lambda: after(true_fn), lambda: after(false_fn), [place.label for place in places], memory
    )
    for place, value in zip(places, values):
        place.write(value)
    for place in others:
        place.write(UNDEFINED)


def choose(what, test, true_fn, false_fn, labels, memory=None):
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
    raise DTypeError(
        user_place(), f"both branches of `{what}` must give the same dtypes", "these keep changing", "cast them"
    )


class _Branches:
    """Two branches that have to give values of one structure, shape and dtype."""

    def __init__(self, what, labels):
        self.what, self.labels, self.where = what, labels, user_place()
        self.sides = [None, None]  # for each branch: [(leaves, layout) for each label]
        self.dtypes = {}  # (label, leaf) -> the dtype that a Python number takes
        self.blanks = {}  # label -> what stands for a return value that the first branch does not have

    def run(self, which, branch):
        """Runs a branch; its leaves that can be tensors, as tensors."""
        try:
            values = branch()
        except Exception as error:
            if not isinstance(error, EagerdlError) and not getattr(error, "__notes__", None):
                error.add_note(
                    f"raised while both branches of `{self.what}` were traced, since its condition is a tensor [{self.where}]"
                )
            raise
        side = [flatten(value) for value in values]
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
        learnt, (first, second) = False, self.sides
        for i, label in enumerate(self.labels):
            if label == RETURN_VALUE:
                learnt |= self.fill(i, first, second)
            (ours, layout), (theirs, other) = first[i], second[i]
            if layout != other or is_undefined(ours) != is_undefined(theirs):
                self.refuse_structure(label, build(layout, iter(ours)), build(other, iter(theirs)))
            for j, (a, b) in enumerate(zip(ours, theirs)):
                if not _same(a, b):
                    learnt |= self.agree_on_leaf(label, (i, j), a, b)
        if learnt:
            raise _Again

    def fill(self, i, first, second):
        """Where one branch returns and the other goes on, something has to stand for the value of the latter.

        Returns:
            Whether the first branch has to run again.
        """
        if is_undefined(second[i][0]):
            second[i] = _blank(first[i])
        elif is_undefined(first[i][0]):
            self.blanks[i] = first[i] = _blank(second[i])
            return True
        return False

    def agree_on_leaf(self, label, place, a, b):
        """Checks two leaves that differ, and whether the first branch has to run again."""
        if not (_is_value(a) and _is_value(b)):
            raise TracingError(
                self.where,
                f"{label} must be a tensor, or one and the same value, in both branches of `{self.what}`",
                f"{describe(a)} if the condition holds, else {describe(b)}",
                "return or assign tensors in both, or make the condition a Python value",
            )
        dtype = self.dtypes.get(place)
        x, y = _tensor(a, dtype), _tensor(b, dtype)
        if x.shape != y.shape:
            raise ShapeError(self.where, f"{label} must have one shape in both branches of `{self.what}`",
                             f"{x.shape} if the condition holds, else {y.shape}",
                             "pad, reshape or broadcast one of them")  # fmt: skip
        if x.dtype == y.dtype:
            return False
        again = _fits(a, y.dtype)
        if not again and not _fits(b, x.dtype):
            raise DTypeError(self.where, f"{label} must have one dtype in both branches of `{self.what}`",
                             f"{x.dtype} if the condition holds, else {y.dtype}", "cast one of them")  # fmt: skip
        self.dtypes[place] = y.dtype if again else x.dtype
        return again

    def refuse_structure(self, label, a, b):
        if a is UNDEFINED or b is UNDEFINED:
            when = "does not hold" if a is UNDEFINED else "holds"
            raise TracingError(self.where, f"{label} must be defined in both branches of `{self.what}`, because it is used later",
                               f"it is only if the condition {when}", "give it a value before, or in both")  # fmt: skip
        raise TracingError(self.where, f"{label} must have one structure in both branches of `{self.what}`",
                           f"{describe(a)} if the condition holds, else {describe(b)}",
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
            values.append(build(layout, iter(leaves)))
        return values


# -- loops ----------------------------------------------------------------------------------------


def repeat(what, places, others, run):
    """Runs a loop on tensors.

    Args:
        what: "while" or "for".
        places: what the loop carries on.
        others: what its body assigns besides.
        run: a function (loop, tensors at the start) -> tensors at the end.
    """
    loop, memory = _Loop(what, places), Memory([*places, *others])
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
    raise DTypeError(
        loop.where, f"the variables of a `{what}` must keep their dtypes", "these keep changing", "cast them"
    )


class _Loop:
    """The variables of a loop as tensors, except what stays the same Python value in every iteration."""

    def __init__(self, what, places):
        self.what, self.places, self.where = what, places, user_place()
        self.before = [flatten(place.read()) for place in places]
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
            place.write(build(layout, iter(leaves)))

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
            leaves, layout = flatten(place.read())
            if layout != self.before[i][1] or is_undefined(leaves) != is_undefined(self.before[i][0]):
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
            raise TracingError(self.where, f"{label} is a tensor in this `{self.what}` and must stay one",
                               f"{describe(entered)} becomes {describe(after)}", "use another name")  # fmt: skip
        tensor = _tensor(after, entered.dtype if _fits(after, entered.dtype) else None)
        if tensor.shape != entered.shape:
            raise ShapeError(self.where, f"{label} must keep its shape in this `{self.what}`",
                             f"{entered.shape} becomes {tensor.shape}",
                             f"begin with that shape, as by edl.zeros({tensor.shape})")  # fmt: skip
        if tensor.dtype == entered.dtype:
            return tensor
        if not _fits(before, tensor.dtype) or self.dtypes.get(key) == tensor.dtype:
            raise DTypeError(self.where, f"{label} must keep its dtype in this `{self.what}`",
                             f"{entered.dtype} becomes {tensor.dtype}",
                             "cast it at the end of the body, or before the loop")  # fmt: skip
        self.dtypes[key] = tensor.dtype
        return None

    def _becomes_tensor(self, label, key, before, after):
        if not (_is_value(before) and _is_value(after)):
            raise TracingError(self.where, f"{label} must stay the same value, or be a tensor, in this `{self.what}`",
                               f"{describe(before)} becomes {describe(after)}",
                               "use tensors, or a loop over Python values")  # fmt: skip
        wanted = _tensor(after).dtype
        self.dtypes[key] = wanted if _fits(before, wanted) else _tensor(before).dtype

    def _new_structure(self, i, place, leaves, layout):
        """What to do about a variable whose structure changes: only a return value may begin as nothing."""
        before, after = build(self.before[i][1], iter(self.before[i][0])), build(layout, iter(leaves))
        if before is UNDEFINED and place.name == VALUE:
            self.before[i] = _blank((leaves, layout))
            return
        if before is UNDEFINED or after is UNDEFINED:
            raise TracingError(self.where, f"{place.label} must be defined before this `{self.what}`, because it is used after it",
                               "it is undefined if there is no iteration", "give it a value before the loop")  # fmt: skip
        raise TracingError(self.where, f"{place.label} must keep its structure in this `{self.what}`",
                           f"{describe(before)} becomes {describe(after)}",
                           "let edl.scan collect values, or loop over Python values")  # fmt: skip
