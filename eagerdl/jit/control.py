"""Control flow while a function is traced: branches and loops whose bodies are graphs of their own.

A body is traced once, on tensors of a trace inside of the trace. What it takes from outside, tensors and variables, is captured and
becomes an input of its graph. If a tape records, the body is traced together with its gradient, in which the cotangents of what
is captured are added up in the order in which a tape over the unrolled loop adds them.
"""

import contextlib
import sys
import threading

import numpy as np

from eagerdl import devices
from eagerdl.autograd import graph as recordings
from eagerdl.autograd.dispatch import as_array
from eagerdl.autograd.tape import GradientTape
from eagerdl.dtypes import INEXACT_SET
from eagerdl.errors import ArgumentError, DTypeError, ShapeError, TapeError
from eagerdl.jit.graph import LOOP, Graph, Value
from eagerdl.jit.loops import Branches, Loop
from eagerdl.jit.numbers import Number
from eagerdl.jit.rewrite import rewrite
from eagerdl.jit.running import current
from eagerdl.jit.stacks import unstacked
from eagerdl.jit.trace import Trace
from eagerdl.jit.traced import Traced, call, examples
from eagerdl.ops import control_flow
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.logic import logical_not
from eagerdl.tensor import Tensor, from_array
from eagerdl.tree import flatten
from eagerdl.variable import Variable

FEWEST = 8  # examples that make a part of a loop


def now():
    """True while a function is traced in this thread."""
    return current() is not None


def is_traced(x):
    """True for a tensor of a trace."""
    return isinstance(x, Tensor) and isinstance(x._array, Traced)


class Body(Trace):
    """The trace of a body. What belongs to the trace around it is captured.

    Attributes:
        captured: traced arrays of the trace around, each with its stand-in here.
    """

    def __init__(self, where):
        super().__init__(where, current())
        self.captured = {}  # id -> (outside, inside)
        self.first = {}  # variable -> its stand-in here, as it was at the beginning

    def own(self, traced):
        if traced.trace is self:
            return traced
        outside = self.outer.own(traced)  # or it belongs to none of the traces under way
        found = self.captured.get(id(outside))
        if found is None:
            found = self.captured[id(outside)] = (outside, self.input(outside.example))
        return found[1]

    def read(self, variable, array):
        found = self.variables.get(variable)
        if found is None:
            outside = self.outer.read(variable, array)
            found = self.variables[variable] = self.first[variable] = self.own(outside)
        return found


def must_unroll():
    """True where several tapes, or one in forward mode, want to see every op."""
    recording = recordings.active()
    return recording is not None and (bool(recording.forward) or len(recording.members) > 1)


def arrays_of(tree):
    """The leaves of a structure as tensors, and a function that builds it again."""
    leaves, build = flatten(tree)
    return [convert_to_tensor(x) for x in leaves], build


def example(x):
    """The array that a tensor holds for the call under way."""
    return x._array.example if isinstance(x._array, Traced) else x._array


def spied(function, where, given):
    """Runs a body once to see which tensors and variables of tapes outside it uses.

    Args:
        function: a function of tensors.
        given: arrays to call it with.

    Returns:
        The tensors, and the variables.
    """
    found, thread = {}, threading.get_ident()
    body = Body(where)

    def spy(inputs):
        if threading.get_ident() == thread:
            for x in inputs:
                node = x._node if isinstance(x, Tensor) and not isinstance(x, Variable) else None
                if (
                    node is not None
                    and node.is_watched()
                    and isinstance(x._array, Traced)
                    and x._array.trace is not body
                ):
                    found[id(x._array)] = x

    with body.running(), recordings.pause(), GradientTape(persistent=True) as tape:
        recordings.spies.append(spy)
        try:
            out = function(*[from_array(body.input(array)) for array in given])
            spy(out)
        finally:
            recordings.spies.remove(spy)
    leaves = [x._node for x in out if isinstance(x._node, recordings.VariableLeaf)]
    returned = [leaf.owner() for leaf in leaves if leaf.owner().trainable and leaf.owner().dtype in INEXACT_SET]
    return [*found.values()], list(dict.fromkeys([*tape.watched_variables(), *returned]))


def _simplified(graph):
    """Rewrites the graph of a body; on the CPU its stacks are taken apart as well."""
    rewrite(graph.without_dead_code()).without_dead_code()
    if not graph.is_on_gpu():
        unstacked(graph)


class Step:
    """A body traced, with its gradient if a tape wants it.

    Args:
        function: a function of tensors that returns a list of tensors.
        where: the name of the op.
        given: arrays like those that it will be called with.
        gradient: whether its gradient is wanted as well.

    Attributes:
        outputs: the examples of what it returned.
        captured: the traced arrays outside that it takes besides its arguments, in the order of the inputs.
        writes: variables that it assigns -> (the place of the old value among the captured, the new value).
        forward: its graph; the inputs are its arguments and what is captured.
        backward: the graph of its gradient; the inputs are the cotangents of the outputs, the sums so far for each of `sources`,
            and `saved`; the outputs the cotangents of the arguments, and the new sums.
    """

    def __init__(self, function, where, given, gradient):
        tensors, variables = spied(function, where, given) if gradient else ([], [])
        body = self.body = Body(where)
        inputs = [from_array(body.input(array)) for array in given]
        self.count = len(given)
        self.cotangents = self.sums = ()
        with body.running(), recordings.pause():
            with GradientTape(persistent=True) if gradient else contextlib.nullcontext() as tape:
                self.floats = [i for i, x in enumerate(inputs) if gradient and x.dtype in INEXACT_SET]
                for x in (*[inputs[i] for i in self.floats], *tensors, *variables):
                    tape.watch(x)
                out = [
                    x if is_traced(x) else from_array(body.fresh(as_array(x._array).copy())) for x in function(*inputs)
                ]
            sources = self.sources = [*tensors, *variables]
            self.graph = body.graph
            self.outputs = [example(x) for x in out]
            self.float_outputs = [i for i, x in enumerate(out) if x.dtype in INEXACT_SET]
            self.graph.outputs = [body.encode(x._array) for x in out]
            if gradient:
                self._differentiate(body, tape, inputs, out, sources)
        self.writes = {v: body.variables[v].value for v in body.graph.writes}
        body.graph.writes, body.graph.variables = {}, {}
        self._note_captured()

    def _differentiate(self, body, tape, inputs, out, sources):
        """Adds the gradient to the graph."""
        floats = [out[i] for i in self.float_outputs]
        self.cotangents = [body.input(np.ones_like(example(x))) for x in floats]
        self.sums = [body.input(np.zeros_like(example(x))) for x in sources]
        targets = [*floats[::-1], *sources]
        seeds = [from_array(one) for one in (*self.cotangents[::-1], *self.sums)]
        wanted = [*[inputs[i] for i in self.floats], *sources]
        grads = tape.gradient(targets, wanted, seeds) if targets else [None] * len(wanted)
        zeros = [np.zeros_like(example(x)) for x in wanted]
        self.grads = [body.constant(zero) if g is None else body.encode(g._array) for g, zero in zip(grads, zeros)]

    def split(self):
        """The forward and the backward graph, and the values that go from one to the other."""
        whole = self.graph
        ends = list(whole.outputs)
        whole.outputs = [*ends, *self.writes.values(), *self.grads]
        _simplified(whole)
        whole.named_values()
        outputs, grads = whole.outputs[: len(ends) + len(self.writes)], whole.outputs[len(ends) + len(self.writes) :]
        first = [one.value for one in (*self.cotangents, *self.sums)]
        forward, backward, saved = whole.parted(first, grads)
        forward.outputs = outputs
        backward.inputs, backward.outputs = first, grads
        return forward, backward, saved

    def inside(self, outside):
        """The Value that stands here for a traced array outside, None if it was not captured."""
        return self.values.get(id(outside))

    def capture(self, outside):
        """Captures a traced array outside, if the body did not."""
        if self.inside(outside) is None:
            self.body.own(outside)
            self._note_captured()

    def _note_captured(self):
        self.captured = [outside for outside, _ in self.body.captured.values()]
        self.captured_values = [inside.value for _, inside in self.body.captured.values()]
        self.values = dict(zip(self.body.captured, self.captured_values))

    def close(self):
        """Lets go of the body's trace, whose arrays refer to it."""
        self.cotangents, self.sums = [[one.value for one in column] for column in (self.cotangents, self.sums)]
        self.body.close()
        self.body.captured, self.body.first, self.body = {}, {}, None

    def alone(self):
        """The graph without a gradient."""
        whole = self.graph
        whole.outputs = [*whole.outputs, *self.writes.values()]
        _simplified(whole)
        whole.named_values()
        return whole


# -- loops ---------------------------------------------------------------------------------------------


def run_loop(where, function, carried, along, n, reverse=False, flag=None):
    """A loop as a part of the trace under way.

    Args:
        where: the name of the op.
        function: (carried tensors..., rows...) -> the new carried tensors, then what is collected, in one list.
        carried: the first carried tensors.
        along: tensors to run along.
        n: how many runs; None for as many as the flag holds.
        reverse: whether to begin at the end.
        flag: the place of the carried bool that says whether to go on.

    Returns:
        The last carried tensors, and the collected ones, in one list.
    """
    rows = [as_array(example(x)[-1 if reverse else 0]).copy() for x in along]
    gradient = recordings.active() is not None
    step = Step(function, where, [*map(example, carried), *rows], gradient)
    return _RunningLoop(where, step, carried, along, n, reverse, flag).run(gradient)


def array_loop(where, function, carried, along, reverse=False, spare=(), begun=None, each=False):
    """A loop over arrays of the trace under way, for forwards of ops that run step by step.

    Args:
        where: the name of the op.
        function: (carried arrays..., rows...) -> the new carried arrays, and the rows that are collected.
        carried, along: arrays, of which at least one is traced.
        reverse: whether to begin at the end.
        spare: which of `along` hold nothing that is needed afterwards, so that collected rows may take the place of theirs.
        begun: see `loops.Loop`.
        each: whether examples, the first axis of what is carried and of rows, do not depend on each other.

    Returns:
        The last carried arrays, and the collected ones.
    """
    first = [as_array(examples(x)) for x in carried]
    rows = [as_array(examples(x)[-1 if reverse else 0]) for x in along]
    graph, outside = _array_body(where, function, first, rows)

    def part(count):
        """The graph for a `count`-th of the examples, if that is enough of them, and all they need is theirs or stays the same."""
        size, rest = divmod(len(first[0]), count)
        if rest or size < FEWEST:
            return None
        found, same = _array_body(where, function, *[[x[:size] for x in arrays] for arrays in (first, rows)])
        return found if [*map(id, same)] == [*map(id, outside)] else None

    part = part if each else None
    loop = Loop(graph, len(carried), len(along), None, reverse, spare=spare, begun=begun, part=part)
    made = call(loop, (*carried, *along, *outside), {}, LOOP)
    return made[: len(carried)], made[len(carried) :]


def _array_body(where, function, carried, rows):
    """The graph of a run for examples of arrays, and what it takes from outside."""
    body = Body(where)
    inputs = [body.input(example.copy()) for example in (*carried, *rows)]
    with body.running():
        new, collected = function(*inputs)
        outputs = [body.encode(x) for x in (*new, *collected)]
    graph = body.graph
    graph.outputs = outputs
    rewrite(graph.without_dead_code()).without_dead_code()
    graph.named_values()
    outside = [one for one, _ in body.captured.values()]
    body.close()
    body.captured = {}
    return graph, outside


class _RunningLoop:
    """A loop of the trace under way, between its body's trace and its results.

    What is carried is, in this order, what the op carries and the variables that the body assigns.
    """

    def __init__(self, where, step, carried, along, n, reverse, flag):
        self.where, self.step, self.carried, self.along = where, step, carried, along
        self.n, self.reverse, self.flag = n, reverse, flag
        self.k = k = len(carried)
        self.arguments = step.graph.inputs[: k + len(along)]
        self.written = list(step.writes)
        self.state = [step.body.first[variable].value for variable in self.written]
        self.outside = dict(zip(step.captured_values, step.captured))
        self.same = [value for value in step.captured_values if value not in self.state]
        self.collects = len(step.outputs) - k

    def run(self, gradient):
        try:
            return self._run(gradient)
        finally:
            self.step.close()

    def _run(self, gradient):
        if not gradient:
            graph = self.step.alone()
            made = self._call(graph, self._inputs(), self._ordered(graph.outputs))
            return [from_array(one) for one in made]
        forward, backward, saved = self.step.split()
        if self.flag is not None and self.arguments[self.flag] not in saved:
            saved.append(self.arguments[self.flag])  # it tells how many runs there were
        same, rows = set(self.same), set(self.arguments[self.k :])
        stacked = [value for value in saved if value not in same and value not in rows]
        made = self._call(forward, self._inputs(), [*self._ordered(forward.outputs), *stacked])
        outputs = tuple([from_array(one) for one in made[: self.k + self.collects]])
        known = dict(zip(self.arguments[self.k :], [x._array for x in self.along]))
        known |= dict(zip(stacked, made[self.k + self.collects :])) | {value: self.outside[value] for value in same}
        floats = [(*self.carried, *self.along)[i] for i in self.step.floats]
        recordings.record(LoopDerivative(self, backward, saved, known), outputs, (*floats, *self.step.sources), ())
        return list(outputs)

    def _inputs(self):
        return [*self.arguments[: self.k], *self.state, *self.arguments[self.k :], *self.same]

    def _ordered(self, outputs):
        """New carried values, those of variables, and what is collected."""
        k, end = self.k, self.k + self.collects
        return [*outputs[:k], *outputs[end:], *outputs[k:end]]

    def _call(self, graph, inputs, outputs):
        """Adds the loop to the trace; gives what comes out, without what belongs to variables, which are assigned."""
        graph.inputs, graph.outputs = inputs, outputs
        count = self.k + len(self.state)
        loop = Loop(graph.without_dead_code(), count, len(self.along), self.n, self.reverse, self.flag)
        made = _call_loop(
            loop, self.carried, [self.outside[v] for v in self.state], self.along, [self.outside[v] for v in self.same]
        )
        for variable, array in zip(self.written, made[self.k : count]):
            current().write(variable, array)
        return [*made[: self.k], *made[count:]]


def _call_loop(loop, *parts):
    arrays = [x._array if isinstance(x, Tensor) else x for part in parts for x in part]
    return call(loop, tuple(arrays), {}, LOOP)


class Derivative:
    """What a tape knows of a loop or branch: a primitive whose pull computes cotangents by a graph."""

    family, push = "compiled", None
    keeps, keep_all, keeps_out, params, tensors = None, False, False, (), ()
    name = "loop"

    def refuse_recording(self, where):
        if recordings.active() is not None:
            raise TapeError(where, "a tape that records its own gradient has to see the ops inside of a loop", "",
                            "nest two tapes around the loop")  # fmt: skip


class LoopDerivative(Derivative):
    """The derivative of a loop: a loop in the other direction, along what the first one saved."""

    def __init__(self, loop, graph, saved, known):
        self.loop, self.graph, self.saved, self.known = loop, graph, saved, known

    def pull(self, g, out, needs, inputs, params):
        """Cotangents of the carried values, of the arrays run along, and of what was captured."""
        loop, step, graph = self.loop, self.loop.step, self.graph
        self.refuse_recording(loop.where)
        k, floats, same_set = loop.k, step.float_outputs, set(loop.same)
        carried = [j for j, i in enumerate(floats) if i < k]  # places among the cotangents
        collected = [j for j, i in enumerate(floats) if i >= k]
        cotangents = step.cotangents
        sums = step.sums
        rows = [value for value in self.saved if value not in same_set]
        same = [value for value in self.saved if value in same_set]
        grads = dict(zip(step.floats, graph.outputs))
        of_sources = graph.outputs[len(step.floats) :]
        graph.inputs = [*[cotangents[j] for j in carried], *sums, *[cotangents[j] for j in collected], *rows, *same]
        graph.outputs = [*[grads[floats[j]] for j in carried], *of_sources, *[grads[i] for i in step.floats if i >= k]]
        backward = Loop(
            graph.without_dead_code(), len(carried) + len(sums), len(collected) + len(rows), loop.n, not loop.reverse
        )
        start = [self._cotangent(g, floats[j]) for j in carried] + [np.zeros_like(example(x)) for x in step.sources]
        along = [self._cotangent(g, floats[j]) for j in collected] + [self.known[value] for value in rows]
        made = [from_array(one) for one in _call_loop(backward, start, along, [self.known[value] for value in same])]
        of_carried = {floats[j]: x for j, x in zip(carried, made)}
        of_sources = made[len(carried) : len(carried) + len(sums)]
        of_rows = iter(made[len(carried) + len(sums) :])
        found = [of_carried[i] if i < k else next(of_rows) for i in step.floats]
        return [x if need else None for x, need in zip([*found, *of_sources], needs)]

    def _cotangent(self, g, i):
        """The cotangent of output number `i` as an array; zeros if nobody used it."""
        if g[i] is not None:
            return g[i]._array
        like = self.loop.step.outputs[i]
        return devices.module_of(like).zeros(like.shape if i < self.loop.k else (self.loop.n, *like.shape), like.dtype)


# -- the ops ------------------------------------------------------------------------------------------------


def _check_same(where, what, before, after):
    """A loop keeps the structure, shapes and dtypes of its state."""
    if len(before) != len(after):
        raise ArgumentError(where, f"{what} must keep its structure", f"{len(before)} leaves became {len(after)}",
                            "return as many values as came in, in the same nesting")  # fmt: skip
    for i, (old, new) in enumerate(zip(before, after)):
        if old.shape != new.shape:
            raise ShapeError(where, f"{what} must keep its shapes", f"leaf {i} of shape {old.shape} became {new.shape}",
                             "give the first value the shape that it will have")  # fmt: skip
        if old.dtype != new.dtype:
            raise DTypeError(where, f"{what} must keep its dtypes", f"leaf {i} of {old.dtype} became {new.dtype}",
                             "cast one of them")  # fmt: skip


def scan(f, carry, xs, n, reverse):
    """`control_flow.scan`, traced."""
    first, build_carry = arrays_of(carry)
    along, build_x = flatten(xs)
    there = [x for x in along if x is not None]
    kept = {}

    def step(*tensors):
        given = iter(tensors[len(first) :])
        result = f(
            build_carry(list(tensors[: len(first)])), build_x([None if x is None else next(given) for x in along])
        )
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise ArgumentError(
                "scan", "f must return a pair (carry, y)", f"it returned {type(result).__name__}", "return carry, None"
            )
        new, _ = arrays_of(result[0])
        _check_same("scan", "the carry", first, new)
        ys, kept["build"] = flatten(result[1])
        kept["none"] = [y is None for y in ys]
        return [*new, *[convert_to_tensor(y) for y in ys if y is not None]]

    if must_unroll():
        return _unrolled_scan(f, carry, xs, n, reverse)
    made = run_loop("scan", step, first, there, n, reverse)
    ys = iter(made[len(first) :])
    return build_carry(made[: len(first)]), kept["build"]([None if none else next(ys) for none in kept["none"]])


def _unrolled_scan(f, carry, xs, n, reverse):
    leaves, build = flatten(xs)
    ys = []
    for i in range(n - 1, -1, -1) if reverse else range(n):
        carry, y = f(carry, build([None if x is None else x[i] for x in leaves]))
        ys.append(y)
    return carry, control_flow._stack_all(ys[::-1] if reverse else ys)


def fori_loop(lower, upper, body_fun, value):
    """`control_flow.fori_loop`, traced."""
    first, build = arrays_of(value)
    if is_traced(lower) or is_traced(upper):
        first_index = convert_to_tensor(lower)
        bounds = (first_index, convert_to_tensor(upper).astype(first_index.dtype))

        def body(i, last, *rest):
            return (i + 1, last, *_leaves_of(body_fun(i, build(list(rest)))))

        state = while_loop(lambda i, last, *_: i < last, body, (*bounds, *first), None, False)
        return build(list(state[2:]))
    lower, upper = int(lower), int(upper)
    if upper <= lower:
        return value
    if must_unroll():
        for i in range(lower, upper):
            value = body_fun(convert_to_tensor(i), value)
        return value

    def step(i, *tensors):
        new = _leaves_of(body_fun(i, build(list(tensors))))
        _check_same("fori_loop", "the value", first, new)
        return [i + 1, *new]

    made = run_loop("fori_loop", step, [convert_to_tensor(lower), *first], [], upper - lower)
    return build(made[1:])


def _leaves_of(tree):
    return arrays_of(tree)[0]


def while_loop(condition, body, state, maximum_iterations, single):
    """`control_flow.while_loop`, traced: a loop that carries the answer of its condition."""
    first, build = arrays_of(state)

    def holds(leaves):
        found = convert_to_tensor(condition(*build(leaves)))
        if found.size != 1:
            raise ShapeError("while_loop", "a condition of one element is needed", f"got shape {found.shape}",
                             "reduce it with edl.any or edl.all")  # fmt: skip
        return found.astype("bool").reshape(())

    def step(flag, *leaves):
        new = body(*build(list(leaves)))
        new = _leaves_of((new,) if single or not isinstance(new, tuple | list) else tuple(new))
        _check_same("while_loop", "the state", first, new)
        return [holds(new), *new]

    made = run_loop("while_loop", step, [holds(first), *first], [], maximum_iterations, flag=0)
    return build(made[1:])


# -- branches -------------------------------------------------------------------------------------------------


def cond(pred, true_fn, false_fn):
    """`control_flow.cond`, traced."""
    return switch("cond", logical_not(pred), [true_fn, false_fn], ())


def switch(where, index, branches, operands):
    """`control_flow.switch`, traced."""
    first, build = arrays_of(list(operands))
    built = []

    def function(branch):
        def step(*tensors):
            leaves, made = flatten(branch(*build(list(tensors))))
            built.append((made, leaves))
            return [_wide(x) for x in leaves if x is not None]

        return step

    if must_unroll():
        raise TapeError(where, "several tapes inside of a traced function cannot follow a branch that depends on a tensor", "",
                        "use edl.where, or take the outer gradient outside of edl.function")  # fmt: skip
    gradient = recordings.active() is not None
    steps = [Step(function(branch), where, [example(x) for x in first], gradient) for branch in branches]
    _check_branches(where, steps)
    index = convert_to_tensor(index)
    if index.size != 1:
        raise ShapeError(
            where,
            "a condition of one element is needed",
            f"got shape {index.shape}",
            "reduce it with edl.any or edl.all",
        )
    made = _RunningBranches(where, steps, index.reshape(()).astype("int32"), first).run(gradient)
    made, leaves = iter(made), built[-1][1]
    columns = list(zip(*[leaves for _, leaves in built]))
    return built[-1][0]([None if x is None else _weak(next(made), column) for x, column in zip(leaves, columns)])


def _wide(x):
    """A leaf of a branch as a tensor; Python numbers in the precision that Python has."""
    return from_array(np.asarray(x, np.dtype(type(x)))) if type(x) in (int, float) else convert_to_tensor(x)


def _weak(made, column):
    """What branches gave, as a Python number if all of them gave one."""
    kinds = set(map(type, column))
    return Number(made._array, int if kinds == {int} else float, None) if kinds <= {int, float} else made


def _check_branches(where, steps):
    """All branches give the same number of tensors, of the same shapes and dtypes."""
    like = steps[0].outputs
    for number, step in enumerate(steps):
        if len(step.outputs) != len(like):
            raise ArgumentError(where, "all branches must return the same structure",
                                f"branch 0 returns {len(like)} tensors, branch {number} {len(step.outputs)}",
                                "return as many")  # fmt: skip
        for i, (one, other) in enumerate(zip(like, step.outputs)):
            if one.shape != other.shape:
                raise ShapeError(where, "all branches must return the same shapes",
                                 f"result {i} has shape {one.shape} in branch 0 and {other.shape} in branch {number}",
                                 "broadcast or pad one of them")  # fmt: skip
            if one.dtype != other.dtype:
                raise DTypeError(where, "all branches must return the same dtypes",
                                 f"result {i} is {one.dtype} in branch 0 and {other.dtype} in branch {number}",
                                 "cast one of them")  # fmt: skip


class _RunningBranches:
    """Branches of the trace under way. Each graph gets the arguments, then all that any of them captured."""

    def __init__(self, where, steps, index, given):
        self.where, self.steps, self.index, self.given = where, steps, index, given
        trace = current()
        self.written = list(dict.fromkeys(variable for step in steps for variable in step.writes))
        for variable in self.written:
            old = trace.read(variable, None)
            for step in steps:
                step.capture(old)
        self.outside = {id(outside): outside for step in steps for outside in step.captured}
        self.sources = {id(x): x for step in steps for x in step.sources}

    def run(self, gradient):
        try:
            return self._run(gradient)
        finally:
            for step in self.steps:
                step.close()

    def _run(self, gradient):
        trace = current()
        arrays = [x._array for x in (self.index, *self.given)] + [*self.outside.values()]
        graphs = [
            self._graph(step, step.graph.outputs[: len(step.outputs)] + self._new_values(step, trace))
            for step in self.steps
        ]
        made = call(Branches(graphs), tuple(arrays), {}, LOOP)
        count = len(self.steps[0].outputs)
        for variable, array in zip(self.written, made[count:]):
            trace.write(variable, array)
        outputs = tuple([from_array(one) for one in made[:count]])
        if gradient:
            floats = [self.given[i] for i in self.steps[0].floats]
            recordings.record(BranchDerivative(self, arrays), outputs, (*floats, *self.sources.values()), ())
        return list(outputs)

    def _new_values(self, step, trace):
        return [step.writes.get(variable) or step.inside(trace.read(variable, None)) for variable in self.written]

    def _graph(self, step, outputs, more=()):
        """The graph of a branch with these outputs."""
        graph = Graph()
        graph.constants, graph.nodes, graph.outputs = dict(step.graph.constants), list(step.graph.nodes), outputs
        captured = [step.inside(one) or Value(one.example) for one in self.outside.values()]
        graph.inputs = [*step.graph.inputs[: step.count], *captured, *more]
        return rewrite(graph.without_dead_code()).without_dead_code()


class BranchDerivative(Derivative):
    """The derivative of branches: the branch that was taken computes its values again, and its cotangents."""

    name = "cond"

    def __init__(self, branches, arrays):
        self.branches, self.arrays = branches, arrays

    def pull(self, g, out, needs, inputs, params):
        """Cotangents of the arguments and of what was captured."""
        branches = self.branches
        self.refuse_recording(branches.where)
        steps = branches.steps
        cotangents = [
            np.zeros_like(steps[0].outputs[i]) if g[i] is None else g[i]._array for i in steps[0].float_outputs
        ]
        sums = [np.zeros_like(example(x)) for x in branches.sources.values()]
        graphs = []
        for step in steps:
            own = {id(x): (one, grad) for x, one, grad in zip(step.sources, step.sums, step.grads[len(step.floats) :])}
            places = [own.get(key) or (Value(example(x)),) * 2 for key, x in branches.sources.items()]
            more = step.cotangents + [place for place, _ in places]
            graphs.append(branches._graph(step, [*step.grads[: len(step.floats)], *[grad for _, grad in places]], more))
        made = call(Branches(graphs), (*self.arrays, *cotangents, *sums), {}, LOOP)
        return [from_array(x) if need else None for x, need in zip(made, needs)]


control_flow.staged = sys.modules[__name__]
