"""Stability: ``log(softmax(x))`` is answered by ``log_softmax(x)``, in functions that ask for it by ``stabilize=True``.

`RULES` is the table. A row is a law, before -> after, in Python over the names of ops: the first side is what is looked for,
the second what is computed instead. They are equal but for rounding, and the second is at least as accurate; where the first
overflows or cancels, it is right.

Rules see ops as they are called, and no graphs: so a tape records what is computed, and gradients are stable too. (In a graph
that has its gradient already, the softmax has left its own derivative behind, g / p * p.) An op that no rule answers runs as it
is. If it is part of a law, the law's variables are kept for as long as its result lives, which is all that has to be known to
recognise the next part. Since tracing a function is running it, this is the same with and without a trace, to the bit.

What is known ends where a graph would: at the bodies of branches and loops on tensors. It ends where a tape starts, stops or
watches the tensor in question, too. The derivative rules of ops are left alone.

Source of the idea: Theano's stabilization of graphs (Theano Development Team, 2016, arXiv:1605.02688). Of our own: it works on
calls and not on graphs, before derivatives are taken, so that eager execution can do the same.
"""

import ast
import functools
import math
import weakref

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import dispatch
from eagerdl.autograd.graph import active
from eagerdl.autograd.primitive import REGISTRY
from eagerdl.errors import EagerdlError
from eagerdl.jit.numbers import Number
from eagerdl.jit.running import current
from eagerdl.jit.trace import user_line
from eagerdl.ops.reduction import count
from eagerdl.ops.shape import normalize_axes
from eagerdl.tensor import Tensor, from_array
from eagerdl.tree import map_structure
from eagerdl.variable import Variable


class Rule:
    """One rewrite.

    Attributes:
        name: what it is called.
        before, after: Python over names of ops. In `before` names stand for what an op was called with: `axis` for axes,
            `target` and `labels` for anything, and other names in the place of tensors for real floating tensors.
        pattern: `before`, to be looked for.
    """

    __slots__ = ("_answer", "after", "before", "name", "pattern")

    def __init__(self, name, before, after):
        self.name, self.before, self.after = name, before, after
        self.pattern = read(ast.parse(before, mode="eval").body)
        self._answer = compile(after, __file__, "eval")  # a line of this package, which reports pass over

    @property
    def law(self):
        """``before -> after``."""
        return f"{self.before} -> {self.after}"

    def answer(self, variables):
        """The second side of the law."""
        return eval(self._answer, OPS, variables)


def log_count(x, axis):
    """The logarithm of how many elements of x a reduction over `axis` combines."""
    n = count(x, axis)
    return math.log(n) if n else -math.inf


OPS = {name: primitive.call for name, primitive in REGISTRY.items()} | {"log_count": log_count}

# Ops that choose or arrange elements of their first input: log(part(p)) is part(log(p)).
PARTS = frozenset("""
    broadcast_to diagonal expand_dims flip get_item moveaxis reshape squeeze swapaxes take take_along_axis transpose
""".split())  # fmt: skip

# -- patterns -----------------------------------------------------------------------------------


class Term:
    """A call of an op as a pattern.

    Attributes:
        primitive: the op.
        inputs: a pattern for each tensor: a Term, an Unknown, or ONE.
        params: an Unknown or a value for each parameter.
        names: its variables, in the order in which they come.
        text: what it looks for, whatever its variables are called: equal for equal patterns.
    """

    def __init__(self, primitive, inputs, params):
        self.primitive, self.inputs, self.params = primitive, inputs, params
        self.names = [*dict.fromkeys(name for one in (*inputs, *params) for name in getattr(one, "names", ()))]
        self.text = self.described(self.names)

    def described(self, names):
        """The text, with its variables numbered as in a list of names."""
        parts = [one.described(names) if hasattr(one, "names") else repr(one) for one in (*self.inputs, *self.params)]
        return f"{self.primitive.name}({', '.join(parts)})"

    def terms(self):
        """The Terms in it, itself included."""
        yield self
        for one in self.inputs:
            if isinstance(one, Term):
                yield from one.terms()

    def variables(self, inputs, params, known):
        """What its variables are in a call of its op; None if the call is another one."""
        found = self._in_order(inputs, params, known)
        if found is None and self.primitive.name == "add":
            found = self._in_order(inputs[::-1], params, known)
        return found

    def _in_order(self, inputs, params, known):
        if len(inputs) != len(self.inputs):
            return None
        found = {}
        for pattern, x in zip(self.inputs, inputs):
            if not joined(found, pattern.found_in(x, known)):
                return None
        for name, pattern, value in zip(self.primitive.params, self.params, params):
            if name == "axis":
                value = axes_of(inputs[-1], value)
            if isinstance(pattern, Unknown):
                if value is UNFIT or not joined(found, {pattern.name: value}):
                    return None
            elif value != (axes_of(inputs[-1], pattern) if name == "axis" else pattern):
                return None
        return found

    def found_in(self, x, known):
        """The same for a tensor that came of its op before."""
        values = known.of(x, self.text)
        return None if values is None else dict(zip([*self.names, Number], values))


class Unknown:
    """A variable of a law."""

    def __init__(self, name):
        self.name, self.names = name, (name,)

    def described(self, names):
        return f"_{names.index(self.name)}" if self.name not in ANYTHING else self.name

    def found_in(self, x, known):
        """A tensor of a real floating dtype, as it is now."""
        if self.name in ANYTHING:
            return {self.name: x}
        if x.__class__ is Tensor or x.__class__ is Variable:
            return {self.name: from_array(x._array, x._node)} if x._array.dtype in dtypes.FLOATING_SET else None
        if x.__class__ is np.ndarray and x.dtype in dtypes.FLOATING_SET:
            return {self.name: from_array(x.copy())}
        return None


class One:
    """The Python number 1. Whether a number without a value is 1 gets asked once all the rest of a law is there."""

    names = ()

    def described(self, names):
        return "1"

    def found_in(self, x, known):
        if x.__class__ is Number and x.name is not None:
            return {Number: x}
        return {} if (x.__class__ is int or x.__class__ is float) and x == 1 else None


ANYTHING = ("labels", "target")
UNFIT = object()

OPERATORS = {ast.Add: "add", ast.Sub: "subtract", ast.Div: "divide", ast.USub: "negative"}


def read(node):
    """The pattern that an expression describes."""
    match node:
        case ast.Name(name):
            return Unknown(name)
        case ast.Constant(1):
            return One()
        case ast.BinOp(left, op, right):
            name, args = OPERATORS[type(op)], [left, right]
        case ast.UnaryOp(op, operand):
            name, args = OPERATORS[type(op)], [operand]
        case ast.Call(ast.Name(name), args):
            pass
    primitive = REGISTRY[name]
    k = len(primitive.tensors)
    given = [Unknown(one.id) if isinstance(one, ast.Name) else one.value for one in args[k:]]
    return Term(primitive, [read(one) for one in args[:k]], [*given, *primitive.defaults[len(given) :]])


def joined(found, more):
    """Adds variables to those found; False if there are none to add, or one of them is something else already."""
    if more is None:
        return False
    for name, value in more.items():
        if name in found and not same(found[name], value):
            return False
        found[name] = value
    return True


def same(a, b):
    """Whether two values of a variable are one."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a._array is b._array and a._node is b._node
    return a is b or (type(a) is type(b) and a == b)


def axes_of(x, axis):
    """An axis counted from the left, a tuple in rising order for several; `UNFIT` if there is no such axis, or none at all."""
    try:
        axes = tuple(sorted(normalize_axes("stability", axis, x.ndim)))
    except (AttributeError, EagerdlError):
        return UNFIT
    return axes[0] if len(axes) == 1 else axes or UNFIT


# -- the table ------------------------------------------------------------------------------------

RULES = [
    Rule("softmax", "exp(x) / sum(exp(x), axis, True)", "softmax(x, axis)"),
    Rule("softmax over all", "exp(x) / sum(exp(x), None)", "softmax(x, None)"),
    Rule("sigmoid", "1 / (1 + exp(x))", "sigmoid(-x)"),
    Rule("sigmoid of exp", "exp(x) / (1 + exp(x))", "sigmoid(x)"),
    Rule("1 - sigmoid", "1 - sigmoid(x)", "sigmoid(-x)"),
    Rule("expm1", "exp(x) - 1", "expm1(x)"),
    Rule("1 - exp", "1 - exp(x)", "-expm1(x)"),
    Rule("erfc", "1 - erf(x)", "erfc(x)"),
    Rule("1 + erf", "1 + erf(x)", "erfc(-x)"),
    Rule("log softmax", "log(softmax(x, axis))", "log_softmax(x, axis)"),
    Rule("log sigmoid", "log(sigmoid(x))", "log_sigmoid(x)"),
    Rule("log exp", "log(exp(x))", "x"),
    Rule("logsumexp", "log(sum(exp(x), axis, keepdims))", "logsumexp(x, axis, keepdims)"),
    Rule("log mean exp", "log(mean(exp(x), axis, keepdims))", "logsumexp(x, axis, keepdims) - log_count(x, axis)"),
    Rule("logaddexp", "log(exp(x) + exp(y))", "logaddexp(x, y)"),
    Rule("softplus", "log(1 + exp(x))", "softplus(x)"),
    Rule("log1p exp", "log1p(exp(x))", "softplus(x)"),
    Rule("log1p sigmoid", "log1p(-sigmoid(x))", "log_sigmoid(-x)"),
    Rule("log1p", "log(1 + x)", "log1p(x)"),
    Rule("log 1 - x", "log(1 - x)", "log1p(-x)"),
    Rule("cross-entropy of sigmoid", "binary_crossentropy_from_probabilities(target, sigmoid(x), epsilon)",
         "binary_crossentropy_from_logits(target, x)"),
    Rule("cross-entropy of softmax",
         "expected_surprise(target, clipped_log(softmax(x, axis) / sum(softmax(x, axis), axis, True), epsilon), axis)",
         "categorical_crossentropy_from_logits(target, x, axis)"),
    Rule("sparse cross-entropy of softmax",
         "-clipped_log(take_at_labels(labels, softmax(x, axis), axis) / sum(softmax(x, axis), axis), epsilon)",
         "sparse_crossentropy_from_logits(labels, x, axis)"),
]  # fmt: skip


def by_op(terms):
    """op -> what of `terms` begins with it, a Term or a Rule."""
    out = {}
    for one in terms:
        out.setdefault(getattr(one, "pattern", one).primitive, []).append(one)
    return out


INNER = {term.text: term for rule in RULES for term in rule.pattern.terms() if term is not rule.pattern}
RULES_OF, INNER_OF = by_op(RULES), by_op(INNER.values())
WITH_LOGARITHM = {one.text for rule in RULES_OF[REGISTRY["log"]] for one in rule.pattern.inputs} | {"part"}

# -- what is known ----------------------------------------------------------------------------------


class Known:
    """What is known of tensors, for as long as they live.

    By the text of a Term there are the values of its variables, and a number that has to be 1 if there is one; by "part" the
    call that chose the tensor of another one whose logarithm is known.
    """

    def __init__(self):
        self.entries = {}  # id of a tensor -> (a weak reference to it, the situation, text -> values)

    def of(self, x, text):
        """What a text says of a tensor, None if nothing is known or tapes have changed since."""
        entry = self.entries.get(id(x))
        return None if entry is None or entry[0]() is not x or entry[1] != situation(x) else entry[2].get(text)

    def add(self, x, text, values):
        key, entries = id(x), self.entries
        if key not in entries:
            entries[key] = weakref.ref(x, lambda _: entries.pop(key, None)), situation(x), {}
        entries[key][2][text] = values


def situation(x):
    """Which tapes record, and whether one watches a tensor. Nothing is rewritten across a change: it would lead around it."""
    recording, node = active(), x._node
    if node is None or recording is None:
        return recording, node, False
    return recording, node, any(reference() is node for core in recording.members for reference in core.tensors)


class Stabilizer:
    """What answers the ops of one run of a function."""

    def __init__(self):
        self.known = Known()

    def answer(self, primitive, inputs, params):
        """The result of an op: that of a rule, or its own."""
        for rule in RULES_OF.get(primitive, ()):
            found = rule.pattern.variables(inputs, params, self.known)
            if found is not None:
                if Number in found:
                    bool(found[Number])  # it is a number without a value, which has to have one
                note(rule)
                return rule.answer(found)
        if primitive.name == "log" and (part := self.known.of(inputs[0], "part")) is not None:
            chooser, (x, *others), choice = part
            return chooser.call(OPS["log"](x), *others, *choice)
        out = dispatch.plainly(primitive, inputs, params)
        if out.__class__ is Tensor:
            self._learn(out, primitive, inputs, params)
        return out

    def _learn(self, out, primitive, inputs, params):
        for term in INNER_OF.get(primitive, ()):
            found = term.variables(inputs, params, self.known)
            if found is not None:
                self.known.add(out, term.text, [found[name] for name in (*term.names, Number) if name in found])
        if primitive.name in PARTS and any(self.known.of(inputs[0], text) is not None for text in WITH_LOGARITHM):
            self.known.add(out, "part", (primitive, inputs, params))

    def apart(self, function):
        """A function of which nothing is known that was computed outside of it, nor outside what it computes."""

        def call(*args, **named):
            outside, self.known = self.known, Known()
            try:
                with dispatch.intercepting(self):
                    return map_structure(anew, function(*args, **named))
            finally:
                self.known = outside

        return call


def anew(x):
    """A tensor of which nothing is known; anything else as it is."""
    return from_array(x._array, x._node) if x.__class__ is Tensor else x


def stabilized(function):
    """A function whose ops, and those of the functions that it calls, the rules answer."""

    @functools.wraps(function)
    def call(*args, **named):
        if active_in_this_thread():
            return function(*args, **named)
        with dispatch.intercepting(Stabilizer()):
            return function(*args, **named)

    return call


def active_in_this_thread():
    """True while a stabilized function runs, or is traced, in this thread."""
    return dispatch.interceptor.get() is not None


def note(rule):
    """Notes for reports that a rule has been applied."""
    trace = current()
    if trace is not None:
        while trace.outer is not None:
            trace = trace.outer
        trace.rewrites[rule.law, user_line()] = None
