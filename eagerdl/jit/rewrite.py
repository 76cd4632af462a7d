"""Rewrites: a graph made smaller without changing a bit of what it computes.

`RULES` is the table. Each rule looks at one call and answers with what may stand for its result: a value that there is already,
or an array; None if it does not apply. They run in the order of the calls, so that each sees what those before have become. A rule
that changes bits has no place here: ``x + 0`` stays, because -0 + 0 is 0, and so does ``log(softmax(x))``; see `stability`.
"""

import numpy as np

from eagerdl import devices
from eagerdl.autograd.dispatch import as_array
from eagerdl.jit.graph import CALL, CHECK, ELEMENTWISE, LOOP, REDUCE, VIEW, Value, replaced, values_in
from eagerdl.jit.traced import cast, copy_of

FOLDABLE = 1 << 16  # elements up to which what depends on constants only is computed once


def rewrite(graph):
    """Applies all rules; returns the graph."""
    found, seen, kept = {}, {}, []
    constants = graph.constants

    def now(value):
        return found.get(value, value)

    for node in graph.nodes:
        node.args, node.named = replaced(node.args, now), replaced(node.named, now)
        node.inputs = values_in((node.args, node.named))
        if node.kind != CHECK and len(node.outputs) == 1:
            (out,) = node.outputs
            for rule in RULES:
                answer = rule.apply(node, constants, seen)
                if isinstance(answer, Value):
                    found[out] = answer
                    break
                if answer is not None:
                    constants[out] = answer
                    break
            else:
                kept.append(node)
            continue
        kept.append(node)
    graph.nodes = kept
    graph.outputs = [now(value) for value in graph.outputs]
    graph.writes = {variable: now(value) for variable, value in graph.writes.items()}
    return graph


class Rule:
    """One rewrite.

    Attributes:
        name: what it is called.
        law: before -> after.
        apply: a function (node, constants, seen) -> a Value, an array, or None.
    """

    __slots__ = ("apply", "law", "name")

    def __init__(self, name, law, apply):
        self.name, self.law, self.apply = name, law, apply


def _looks_like(value, out):
    """True if a value can stand for another: the same shape, dtype and layout."""
    same = (value.shape, value.dtype, value.strides) == (out.shape, out.dtype, out.strides)
    return same and is_on_gpu(value) == is_on_gpu(out)


def is_on_gpu(value):
    """Where an array or a Value lives."""
    return value.on_gpu if isinstance(value, Value) else devices.is_on_gpu(value)


def _constant(node, constants, seen):
    if node.kind in (LOOP, VIEW) or node.outputs[0].size > FOLDABLE or not node.inputs:
        return None
    if not all(value in constants for value in node.inputs):
        return None
    out = as_array(node.run(constants.__getitem__))
    return out if _looks_like(out, node.outputs[0]) else None


def _same_call(node, constants, seen):
    try:
        key = (node.kind, node.function if node.kind != REDUCE else node.label, freeze(node.args), freeze(node.named))
        first = seen.setdefault(key, node.outputs[0])
    except TypeError:  # arguments that cannot be compared
        return None
    return first if first is not node.outputs[0] and _looks_like(first, node.outputs[0]) else None


def _neutral(node, constants, seen):
    """x * 1, x / 1, x - 0 and x ** 1; for integers x + 0 too."""
    if node.kind != ELEMENTWISE or len(node.args) != 2:
        return None
    x, number = node.args
    if node.function in (np.multiply, np.add) and not isinstance(x, Value):
        x, number = number, x
    if not isinstance(x, Value) or type(number) not in (int, float) or not _looks_like(x, node.outputs[0]):
        return None
    neutral = {np.multiply: 1, np.divide: 1, np.subtract: 0}.get(node.function)
    if node.function is np.add and x.dtype.kind in "iu":
        neutral = 0
    return x if number == neutral and str(number)[0] != "-" else None


def _twice(node, constants, seen):
    """What undoes itself: two negations, two conjugations, two transpositions of the last axes."""
    if node.function not in (np.negative, np.conjugate) or not isinstance(node.args[0], Value):
        return None
    inner = node.args[0].node
    if inner is None or inner.function is not node.function or not isinstance(inner.args[0], Value):
        return None
    return inner.args[0] if _looks_like(inner.args[0], node.outputs[0]) else None


def _idle(node, constants, seen):
    """Casts to the same dtype, copies, and views that are the array itself: values never change, so that none is needed."""
    x = node.args[0] if node.args else None
    if not isinstance(x, Value) or not _looks_like(x, node.outputs[0]):
        return None
    if (
        node.function is cast
        or (node.function in (np.array, copy_of) and node.kind == CALL)
        or node.function is np.positive
    ):
        return x
    return x if node.kind == VIEW and node.function in (np.reshape, np.squeeze, np.ravel, np.broadcast_to) else None


RULES = [
    Rule("constants", "f(constants) -> a constant", _constant),
    Rule("idle", "cast(x, x.dtype), copy(x), reshape(x, x.shape) -> x", _idle),
    Rule("neutral", "x * 1, x / 1, x - 0 -> x", _neutral),
    Rule("twice", "-(-x), conj(conj(x)) -> x", _twice),
    Rule("common subexpressions", "f(x), f(x) -> the first", _same_call),
]


def freeze(tree):
    """Nested arguments as something that can be hashed."""
    if isinstance(tree, tuple | list):
        return (type(tree), *map(freeze, tree))
    if isinstance(tree, dict):
        return tuple([(name, freeze(one)) for name, one in sorted(tree.items())])
    if isinstance(tree, slice):
        return (slice, freeze(tree.start), freeze(tree.stop), freeze(tree.step))
    if isinstance(tree, int | float | complex | np.generic):
        return (type(tree), repr(tree))  # 1, 1.0 and True are equal, 0.0 and -0.0 too
    return tree
