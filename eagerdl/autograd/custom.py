"""Gradients that the user decides: `custom_gradient`, `stop_gradient`, `recompute_grad`."""

import functools
import inspect

from eagerdl.autograd import graph
from eagerdl.autograd.dispatch import interceptor
from eagerdl.autograd.forward import alias
from eagerdl.autograd.graph import Spec
from eagerdl.autograd.primitive import zeros_like
from eagerdl.autograd.tape import GradientTape
from eagerdl.errors import ArgumentError
from eagerdl.tensor import Tensor, from_array
from eagerdl.tree import flatten, map_structure


class Rule:
    """Stands for a primitive in the node of a function whose derivative the user gave."""

    keeps, keeps_out, push = None, False, None

    def __init__(self, name, pull, keep_all=False):
        self.name = name
        self.pull = pull
        self.keep_all = keep_all  # whether `pull` wants the inputs' values


def custom_gradient(f):
    """Decorates a function that returns its value together with the function for its gradient.

    Args:
        f: returns ``(value, grad)``. ``grad(*upstream)`` gets one cotangent per result and returns one per tensor
            argument; if `f` uses variables, it takes ``variables=`` and returns ``(gradients, variable gradients)``.
            What it computes is differentiated in turn for higher orders.

    Raises:
        ArgumentError: if `f` does not return such a pair, or `grad` returns the wrong number of gradients.

    Example:
        >>> @edl.custom_gradient
        ... def clipped(x):
        ...     return x, lambda upstream: edl.clip(upstream, -1.0, 1.0)
        >>> float(edl.grad(lambda x: 100.0 * clipped(x))(edl.constant(2.0)))
        1.0
    """

    @functools.wraps(f, updated=())
    def decorated(*args, **kwargs):
        where = getattr(f, "__name__", "custom_gradient")
        inputs = [x for x in flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        own = {id(x) for x in inputs}
        with GradientTape() as finder:  # outer tapes record too: `grad` may close over what f computed
            result = f(*args, **kwargs)
        variables = [v for v in finder.watched_variables() if id(v) not in own]
        if not isinstance(result, tuple) or len(result) != 2 or not callable(result[1]):
            raise ArgumentError(where, "a custom_gradient function returns (value, grad)", f"it returned {type(result).__name__}",
                                "return the value and a function of the upstream gradient")  # fmt: skip
        value, grad = result
        leaves, build = flatten(value)
        outs = tuple([from_array(y._array) if isinstance(y, Tensor) else Tensor(y) for y in leaves])
        # What `pull` closes over hangs on the node of the results, so it may not hold them: they would never be freed.
        specs, count = [Spec(y.shape, y.dtype) for y in outs], len(inputs)

        def pull(g, out, needs, revived, params):
            gs = g if isinstance(g, tuple) else (g,)
            upstream = [zeros_like(y) if one is None else one for one, y in zip(gs, specs, strict=True)]
            wants_variables = bool(variables) and _accepts_variables(grad)
            got = grad(*upstream, variables=list(variables)) if wants_variables else grad(*upstream)
            backs, more = got if wants_variables else (got, [None] * len(variables))
            backs = flatten(backs)[0] + list(more)
            if len(backs) != count + len(variables):
                raise ArgumentError(where, f"grad must return {count} gradients, one per tensor argument",
                                    f"it returned {len(backs) - len(variables)}", "return None for those without one")  # fmt: skip
            return [b if b is None or isinstance(b, Tensor) else Tensor(b) for b in backs]

        graph.record(Rule(where, pull), outs if len(outs) != 1 else outs[0], (*inputs, *variables), ())
        return build(outs)

    return decorated


def _others(tape):
    """The cores that record beside `tape`."""
    return graph.active().members - {tape._core}


def _accepts_variables(grad):
    parameters = inspect.signature(grad).parameters
    return "variables" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def stop_gradient(variable):
    """variable (...) -> (...). The same values, through which no gradient flows; nested structures are mapped.

    Example:
        >>> float(edl.grad(lambda x: x * edl.stop_gradient(x))(edl.constant(3.0)))
        3.0
    """
    return map_structure(lambda x: from_array(x._array) if isinstance(x, Tensor) else Tensor(x), variable)


def recompute_grad(f):
    """Decorates a function whose intermediate values are not kept but computed again for the gradient.

    Args:
        f: a function of tensors that is deterministic; variables that it uses get their gradients too.

    Example:
        >>> block = edl.recompute_grad(lambda x: edl.tanh(edl.sin(x)))
        >>> abs(float(edl.grad(block)(edl.constant(0.0))) - 1.0) < 1e-6
        True

    Source: Chen et al., 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174.
    """

    @functools.wraps(f, updated=())
    def decorated(*args, **kwargs):
        flat, rebuild = flatten((args, kwargs))
        places = [i for i, x in enumerate(flat) if isinstance(x, Tensor)]
        inputs = [flat[i] for i in places]
        own = {id(x) for x in inputs}
        one = interceptor.get()
        run = f if one is None else one.apart(f)  # the second run is as the first
        with GradientTape() as finder, graph.pause(_others(finder)):
            value = run(*args, **kwargs)
        variables = [v for v in finder.watched_variables() if id(v) not in own]
        leaves, build = flatten(value)
        outs = tuple([from_array(y._array) for y in leaves])
        del finder

        def pull(g, out, needs, revived, params):
            gs = g if isinstance(g, tuple) else (g,)
            again = list(flat)
            fresh = [alias(x) for x in revived[: len(inputs)]]
            for place, x in zip(places, fresh, strict=True):
                again[place] = x
            new_args, new_kwargs = rebuild(again)
            with GradientTape() as tape:
                floating = [x for x, need in zip(fresh, needs, strict=False) if need]
                tape.watch(floating)
                results = flatten(run(*new_args, **new_kwargs))[0]
            upstream = [zeros_like(y) if one is None else one for one, y in zip(gs, results, strict=True)]
            found = iter(tape.gradient(results, floating + variables, output_gradients=upstream))
            return [next(found) if need else None for need in needs[: len(inputs)]] + list(found)

        name = getattr(f, "__name__", "recompute_grad")
        graph.record(Rule(name, pull, keep_all=True), outs if len(outs) != 1 else outs[0], (*inputs, *variables), ())
        return build(outs)

    return decorated
