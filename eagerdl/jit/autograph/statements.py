"""What converted statements do when they run: for Python values what Python does, for traced tensors ops of control flow.

A block comes as a function without arguments (a loop's body takes the next item) that shares the variables of the function
it was written in; so running it for a Python value is a call. For a traced tensor the block becomes a branch or a body of
`cond`, `while_loop`, `scan` or `fori_loop`: `staging.py` reads its variables from the cells of its closure and writes them there.
For a tensor that is not traced a block is a call too, but whoever intercepts ops is told where it begins and ends.
"""

import operator

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd.dispatch import interceptor
from eagerdl.devices import StandIn
from eagerdl.errors import DTypeError, ShapeError, TracingError, user_place
from eagerdl.jit.autograph.places import places_of
from eagerdl.jit.autograph.staging import choose, condition, describe, if_places, repeat
from eagerdl.jit.numbers import Number
from eagerdl.ops import cast, convert_to_tensor, logical_not, maximum
from eagerdl.ops.control_flow import cond, fori_loop, scan, while_loop
from eagerdl.tensor import Tensor, from_array

__all__ = [
    "BUILTINS", "and_", "checked", "compare", "for_", "if_", "if_expression", "is_traced", "not_", "or_", "plain", "range_",
    "visible", "while_",
]  # fmt: skip

LONGEST_UNROLLING = 10_000  # iterations of a Python loop that a tensor may end

# What an `assert` on a traced tensor does: a function (condition, message, where), set by the tracer.
on_assert = None


def is_traced(x):
    """Whether `x` is a tensor whose value is not known while a function is traced."""
    return isinstance(x, Tensor) and getattr(type(x._array), "traced", False)


def _to_be_told(decides):
    """Who intercepts ops and has to know of a block, because a tensor decides about it; else None."""
    return interceptor.get() if isinstance(decides, Tensor | Steps) else None


def _apart(decides, block):
    """A block, apart if a tensor decides about it, as it is in a graph."""
    one = _to_be_told(decides)
    return block if one is None else one.apart(block)


def _anew(decides, names, *functions):
    """Lets nothing be known of what a block has assigned about which a tensor decided."""
    one = _to_be_told(decides)
    if one is not None:
        for place in places_of(names, *functions):
            place.write(_decided(decides, one.apart(place.read)()))


def _decided(decides, value):
    """A value, for a bool about which a tensor decided a tensor, as when it is traced: it may decide about more."""
    return convert_to_tensor(value) if type(value) is bool and _to_be_told(decides) is not None else value


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
        _apart(test, true_fn if test else false_fn)()
    else:
        places, others = places_of(names, true_fn, false_fn), places_of(dead, true_fn, false_fn)
        if_places(condition(test, "if"), true_fn, false_fn, places, others)
    _anew(test, names, true_fn, false_fn)


def while_(test_fn, body_fn, names, dead):
    """``while test: ...``; the loop is on tensors from the iteration on whose condition is traced."""
    test = test_fn()
    while not is_traced(test):
        if not test:
            _anew(test, names, test_fn, body_fn)
            return
        _apart(test, body_fn)()
        _anew(test, names, test_fn, body_fn)
        test = test_fn()
    condition(test, "while")

    def run(loop, start):
        return while_loop(lambda *state: loop.test(state, test_fn), lambda *state: loop.step(state, body_fn), start)

    repeat("while", places_of(names, test_fn, body_fn), places_of(dead, test_fn, body_fn), run)


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
            raise ShapeError(user_place(), "a `for` over a tensor runs over its first axis", "the tensor has shape ()",
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

    repeat("for", places_of(names, *functions), places_of(dead, *functions), run)


def _python_for(iterable, body_fn, extra_test_fn, names, dead):
    """A loop over Python values. From the iteration on after which a tensor decides whether to go on, each one is a branch."""
    iterator = iter(iterable)
    if extra_test_fn is None:
        block = _apart(iterable, body_fn)
        for item in iterator:
            block(item)
        _anew(iterable, names, body_fn)
        return
    go_on, count = True, 0
    places, others = places_of(names, body_fn, extra_test_fn), places_of(dead, body_fn, extra_test_fn)
    for item in iterator:
        decides = go_on if isinstance(go_on, Tensor) else iterable
        if not is_traced(go_on):
            _apart(decides, body_fn)(item)
        else:
            count += 1
            if count > LONGEST_UNROLLING:
                raise TracingError(
                    user_place(),
                    "a `for` over Python values that a tensor may end is unrolled, so it has to be short",
                    f"it had {count - 1} iterations",
                    "loop over a tensor, or over range(n) with n a tensor",
                )
            if_places(go_on, lambda item=item: body_fn(item), lambda: None, places, others)
        _anew(decides, names, body_fn, extra_test_fn)
        go_on = extra_test_fn()
        if not is_traced(go_on) and not go_on:
            return


def checked(test, message_fn):
    """The condition of an `assert`, or True after asking the tracer to check a traced one when the trace runs."""
    if not is_traced(test):
        return test
    if on_assert is None:
        raise TracingError(user_place(), "an assert needs a Python value here", describe(test),
                           "check before the call, or assert on shapes")  # fmt: skip
    on_assert(condition(test, "assert"), message_fn() if message_fn is not None else "", user_place())
    return True


# -- expressions ----------------------------------------------------------------------------------


def and_(value, *rest):
    """``value and ...``, where the operands that may not be needed come as functions."""
    for i, later in enumerate(rest):
        if is_traced(value):
            return _one_of("and", value, lambda: and_(later(), *rest[i + 1 :]), lambda: value)  # noqa: B023, it runs at once
        if not value:
            return value
        value = _decided(value, later())
    return value


def or_(value, *rest):
    """``value or ...``, as `and_`."""
    for i, later in enumerate(rest):
        if is_traced(value):
            return _one_of("or", value, lambda: value, lambda: or_(later(), *rest[i + 1 :]))  # noqa: B023, it runs at once
        if value:
            return value
        value = _decided(value, later())
    return value


def not_(value):
    """``not value``"""
    return logical_not(condition(value, "not")) if is_traced(value) else _decided(value, not value)


def if_expression(test, true_fn, false_fn):
    """``true if test else false``"""
    if not is_traced(test):
        return _apart(test, true_fn if test else false_fn)()
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
        raise TracingError(user_place(), "the condition must be a Python value", f"{describe(test)} came, and {reason}",
                         "choose by edl.where or edl.cond, or write an `if` of its own")  # fmt: skip
    return test


def visible(names):
    """What `locals()`, `vars()` or `dir()` gave, without what conversion added."""
    if isinstance(names, dict):
        return {name: value for name, value in names.items() if name.isidentifier()}
    return [name for name in names if name.isidentifier()]


def _one_of(what, test, true_fn, false_fn):
    test = condition(test, what)
    return choose(what, test, lambda: [true_fn()], lambda: [false_fn()], ["the value"])[0]


def _both(first, second_fn):
    """`first and second` of two conditions, as a tensor."""
    return cond(first, second_fn, lambda: first)


# -- builtins -------------------------------------------------------------------------------------


class TensorRange:
    """`range` with an end that is a traced tensor: something for a `for` to run over."""

    def __init__(self, *ends):
        start, stop, self.step = {1: (0, *ends, 1), 2: (*ends, 1), 3: ends}[len(ends)]
        self.start, self.stop = start, stop
        for end in (start, stop, self.step):
            if isinstance(end, Tensor) and (not dtypes.is_integer(end.dtype) or end.size != 1):
                raise DTypeError(user_place(), "range takes integers", describe(end), "cast it to int32")

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
        raise TracingError(
            user_place(),
            "a range with an end that is a tensor can only be the iterable of a `for`",
            f"range({describe(self.start)}, {describe(self.stop)})",
            "use edl.arange, or a Python number as end",
        )

    __len__ = __reversed__ = __iter__


class Steps(tuple):
    """`range` with an end that is a tensor, for who intercepts ops."""

    __slots__ = ()


def range_(*ends):
    """`range`, whose ends may be traced tensors."""
    if any(map(is_traced, ends)):
        return TensorRange(*ends)
    of_tensors = interceptor.get() is not None and any(isinstance(end, Tensor) for end in ends)
    return Steps(range(*ends)) if of_tensors else range(*ends)


# What converted code calls in place of these.
def number(x, kind):
    """``int(x)`` or ``float(x)``: a number in the precision of Python's, whose value is not known while a function is traced."""
    if isinstance(x, Number):
        return kind(x)  # an argument: it becomes a part of the key
    if x.size != 1:
        raise ShapeError(
            user_place(), f"{kind.__name__}() needs one element", f"x has shape {x.shape}", "index or reduce it"
        )
    array = x.reshape(())._array.astype(np.dtype(kind))
    return Number(array, kind, None) if isinstance(array, StandIn) else from_array(array)


BUILTINS = {
    range: range_,
    bool: lambda x=False: condition(x, "bool") if is_traced(x) else bool(x),
    int: lambda x=0, *base, **named: number(x, int) if is_traced(x) else int(x, *base, **named),
    float: lambda x=0.0: number(x, float) if is_traced(x) else float(x),
}
