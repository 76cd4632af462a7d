"""Control flow on tensors: cond, switch, loops, scans, maps. Eager code runs plain Python; tapes see the ops inside."""

import builtins
import functools
import math
import re
from typing import Any

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd.dispatch import interceptor
from eagerdl.errors import ArgumentError, DTypeError, EagerdlError, ShapeError
from eagerdl.ops.batching import run_whole_batch
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.joining import unstack
from eagerdl.ops.shape import broadcast_to, concatenate, normalize_axis, reshape, stack
from eagerdl.tensor import Tensor
from eagerdl.tree import flatten, map_structure

__all__ = [
    "associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorize", "vectorized_map", "while_loop",
]  # fmt: skip


# Set by `jit`: the same functions for values of a trace. While a function is traced, loops and branches are parts of its graph;
# ``staged.now()`` says whether one is traced in this thread.
staged: Any = None


def _apart(function):
    """A body, as in a graph also where it runs line by line: who intercepts ops knows nothing across its border."""
    one = interceptor.get()
    return function if one is None else one.apart(function)


def _anew(tree):
    """A structure of tensors of which nothing is known."""
    return _apart(lambda: tree)()


def _truth(where, value):
    """A condition as a Python bool: a scalar tensor, array or Python value."""
    if isinstance(value, Tensor) and value.size != 1:
        raise ShapeError(where, "a condition of one element is needed", f"got shape {value.shape}",
                         "reduce it with edl.any or edl.all, or choose elementwise with edl.where")  # fmt: skip
    return builtins.bool(value)


def _same_structure(where, what, before, after):
    """Checks that a loop's state keeps structure, shapes and dtypes, as the compiled loop needs it."""
    old, new = flatten(before)[0], flatten(after)[0]
    if len(old) != len(new):
        raise ArgumentError(where, f"{what} must keep its structure", f"{len(old)} leaves became {len(new)}",
                            "return as many values as came in, in the same nesting")  # fmt: skip


def cond(pred, true_fn, false_fn):
    """Runs one of two functions.

    Args:
        pred: a bool, or a tensor of one element.
        true_fn, false_fn: functions without arguments.

    Returns:
        What the chosen function returns.

    Raises:
        ShapeError: if `pred` has several elements.

    Example:
        >>> x = edl.constant(2.0)
        >>> edl.cond(x > 1, lambda: x * 10, lambda: x)
        Tensor(shape=(), dtype=float32, 20.)
    """
    for name, function in (("true_fn", true_fn), ("false_fn", false_fn)):
        if not callable(function):
            raise DTypeError(
                "cond", f"{name} must be a function", f"got {type(function).__name__}", "wrap it: lambda: value"
            )
    if isinstance(pred, Tensor):
        true_fn, false_fn = _apart(true_fn), _apart(false_fn)
    if staged is not None and staged.now() and staged.is_traced(pred):
        return staged.cond(pred, true_fn, false_fn)
    return true_fn() if _truth("cond", pred) else false_fn()


def switch(index, branches, *operands):
    """Runs one of several functions; an index out of range is clipped to the first or last.

    Args:
        index: an int, or an integer tensor of one element.
        branches: a list of functions of `operands`.
        operands: what the chosen function is called with.

    Raises:
        ArgumentError: if there are no branches.
        DTypeError: for an index that is no integer.

    Example:
        >>> edl.switch(1, [lambda x: x, lambda x: -x], edl.constant(3.0))
        Tensor(shape=(), dtype=float32, -3.)
    """
    if not branches:
        raise ArgumentError("switch", "at least one branch is needed", "branches is empty", "pass a list of functions")
    index = convert_to_tensor(index)
    if not dtypes.is_integer(index.dtype) or index.size != 1:
        raise DTypeError(
            "switch", "one integer is needed as index", f"got {index.shape} {index.dtype}", "cast it to int32"
        )
    branches = [_apart(branch) for branch in branches]
    if staged is not None and staged.now() and staged.is_traced(index):
        return staged.switch("switch", index, branches, operands)
    return branches[builtins.min(builtins.max(int(index), 0), len(branches) - 1)](*operands)


def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """Repeats `body` while `cond` holds.

    Args:
        cond: a function of the loop variables that returns a bool or a tensor of one element.
        body: a function of the loop variables that returns the new ones.
        loop_vars: a tuple or list of tensors or nested structures; a single one is passed and returned as such.
        maximum_iterations: stops after so many, at the latest.

    Returns:
        The loop variables at the end.

    Raises:
        ArgumentError: if `body` returns another structure.

    Example:
        >>> edl.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (edl.constant(0), edl.constant(0)))[1]
        Tensor(shape=(), dtype=int32, 6)
    """
    single = not isinstance(loop_vars, tuple | list)
    state = (loop_vars,) if single else tuple(loop_vars)
    state = _anew(tuple(map_structure(convert_to_tensor, one) for one in state))
    cond, body = _apart(cond), _apart(body)
    if staged is not None and staged.now():
        state = staged.while_loop(cond, body, state, maximum_iterations, single)
        return state[0] if single else type(loop_vars)(state) if isinstance(loop_vars, list) else state
    count = 0
    while (maximum_iterations is None or count < maximum_iterations) and _truth("while_loop", cond(*state)):
        new = body(*state)
        new = (new,) if single or not isinstance(new, tuple | list) else tuple(new)
        _same_structure("while_loop", "body", state, new)
        state = tuple(map_structure(convert_to_tensor, one) for one in new)
        count += 1
    return state[0] if single else type(loop_vars)(state) if isinstance(loop_vars, list) else state


def fori_loop(lower, upper, body_fun, init_val):
    """Repeats ``value = body_fun(i, value)`` for i from `lower` to `upper - 1`.

    Args:
        lower, upper: ints, or integer tensors of one element.
        body_fun: a function of the index and the value.
        init_val: a tensor or nested structure.

    Returns:
        The value at the end.

    Example:
        >>> edl.fori_loop(0, 5, lambda i, s: s + i, edl.constant(0))
        Tensor(shape=(), dtype=int32, 10)
    """
    value, body_fun = _anew(map_structure(convert_to_tensor, init_val)), _apart(body_fun)
    if staged is not None and staged.now():
        return staged.fori_loop(lower, upper, body_fun, value)
    for i in builtins.range(int(lower), int(upper)):
        new = body_fun(convert_to_tensor(i), value)
        _same_structure("fori_loop", "body_fun", value, new)
        value = new
    return value


def _length(where, xs, length):
    sizes = {x.shape[0] if x.ndim else None for x in flatten(xs)[0] if x is not None}
    if None in sizes:
        raise ShapeError(
            where, "every tensor of xs needs a first axis to run over", "one has shape ()", "use edl.expand_dims"
        )
    if length is not None:
        sizes.add(int(length))
    if len(sizes) != 1:
        came = f"got lengths {sorted(sizes)}" if sizes else "got neither xs nor length"
        raise ShapeError(where, "all first axes, and length, must agree", came, "cut or pad them to one length")
    return sizes.pop()


def _stack_all(rows):
    """A list of equal structures as one structure of stacked tensors."""
    leaves = [flatten(row)[0] for row in rows]
    _, build = flatten(rows[0])
    return build(
        [
            None if column[0] is None else stack([convert_to_tensor(x) for x in column])
            for column in zip(*leaves, strict=True)
        ]
    )


def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """Carries a value along the first axis of `xs` and stacks what comes out.

    Args:
        f: a function ``(carry, x) -> (new carry, y)``.
        init: the first carry, a tensor or nested structure.
        xs: a tensor (n, ...) or nested structure of them, or None.
        length: n, where there is no `xs`.
        reverse: whether to run from the last element to the first; ys keep the order of xs.
        unroll: accepted for Keras' sake.

    Returns:
        (the last carry, ys): the structure of y with a new first axis of size n.

    Raises:
        ShapeError: if lengths differ.
        ArgumentError: if `f` returns no pair, or a carry of another structure.

    Example:
        >>> total, sums = edl.scan(lambda c, x: (c + x, c + x), edl.constant(0), edl.constant([1, 2, 3]))
        >>> sums
        Tensor(shape=(3,), dtype=int32, [1 3 6])
    """
    if xs is None and length is None:
        raise ArgumentError("scan", "xs or length is needed", "got neither", "pass xs, or length=n")
    xs = map_structure(lambda x: None if x is None else convert_to_tensor(x), xs)
    n = _length("scan", xs, length)
    carry, f = _anew(map_structure(convert_to_tensor, init)), _apart(f)
    if n and staged is not None and staged.now():
        return staged.scan(f, carry, xs, n, reverse)
    ys = []
    for i in builtins.range(n - 1, -1, -1) if reverse else builtins.range(n):
        result = f(carry, map_structure(lambda x, i=i: None if x is None else x[i], xs))
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise ArgumentError(
                "scan", "f must return a pair (carry, y)", f"it returned {type(result).__name__}", "return carry, None"
            )
        _same_structure("scan", "the carry", carry, result[0])
        carry, y = result
        ys.append(y)
    if not ys:
        return carry, None
    return carry, _stack_all(ys[::-1] if reverse else ys)


def associative_scan(f, elems, reverse=False, axis=0):
    """All prefix combinations of an associative function, in a logarithmic number of steps.

    Args:
        f: an associative function ``(a, b) -> c`` of tensors (or equal structures) that works on stacks of elements.
        elems: a tensor (..., n, ...) or nested structure of them.
        reverse: whether to combine from the end.
        axis: along which.

    Returns:
        The structure of `elems`: ``[e0, f(e0, e1), f(f(e0, e1), e2), ...]``.

    Example:
        >>> edl.associative_scan(lambda a, b: a + b, edl.constant([1, 2, 3, 4]))
        Tensor(shape=(4,), dtype=int32, [ 1  3  6 10])

    Source: Blelloch, 1990, "Prefix sums and their applications", section 1.4.
    """
    leaves, build = flatten(elems)
    leaves = [convert_to_tensor(x) for x in leaves]
    axes = [normalize_axis("associative_scan", axis, x.ndim) for x in leaves]
    sizes = {x.shape[a] for x, a in zip(leaves, axes, strict=True)}
    if len(sizes) != 1:
        raise ShapeError(
            "associative_scan", f"all sizes of axis {axis} must agree", f"got {sorted(sizes)}", "cut them to one length"
        )
    if reverse:
        leaves = [_flipped(x, a) for x, a in zip(leaves, axes, strict=True)]

    def part(x, a, start, stop, step):
        return x[(builtins.slice(None),) * a + (builtins.slice(start, stop, step),)]

    def combine(a, b):
        return [convert_to_tensor(y) for y in flatten(f(build(a), build(b)))[0]]

    def run(xs):
        n = xs[0].shape[axes[0]]
        if n < 2:
            return xs
        pairs = combine([part(x, a, 0, n - 1, 2) for x, a in zip(xs, axes, strict=True)],
                        [part(x, a, 1, n, 2) for x, a in zip(xs, axes, strict=True)])  # fmt: skip
        odd = run(pairs)  # prefixes that end at the odd places; depth log2(n)
        before = [part(x, a, 0, (n - 1) // 2, 1) for x, a in zip(odd, axes, strict=True)]
        later = [part(x, a, 2, n, 2) for x, a in zip(xs, axes, strict=True)]
        even = combine(before, later) if n > 2 else later
        first = [part(x, a, 0, 1, 1) for x, a in zip(xs, axes, strict=True)]
        even = [concatenate([x, y], a) for x, y, a in zip(first, even, axes, strict=True)]
        return [_interleave(x, y, a, n) for x, y, a in zip(even, odd, axes, strict=True)]

    out = run(leaves)
    if reverse:
        out = [_flipped(x, a) for x, a in zip(out, axes, strict=True)]
    return build(out)


def _flipped(x, axis):
    return x[(builtins.slice(None),) * axis + (builtins.slice(None, None, -1),)]


def _interleave(even, odd, axis, n):
    """The elements of `even` and `odd` in turn along `axis`."""
    both = stack([_first(even, axis, n // 2), odd], axis + 1)
    merged = both.reshape((*even.shape[:axis], 2 * (n // 2), *even.shape[axis + 1 :]))
    if n % 2 == 0:
        return merged
    last = even[(builtins.slice(None),) * axis + (builtins.slice(n // 2, None),)]
    return concatenate([merged, last], axis)


def _first(x, axis, stop):
    """The first `stop` elements of x along `axis`."""
    return x[(builtins.slice(None),) * axis + (builtins.slice(0, stop),)]


def map(f, xs):
    """Applies `f` to each element along the first axis of `xs` and stacks the results.

    Args:
        f: a function of one element: a tensor, or a structure like `xs`.
        xs: a tensor (n, ...) or nested structure of them.

    Example:
        >>> edl.map(lambda x: x * 2, edl.constant([1, 2, 3]))
        Tensor(shape=(3,), dtype=int32, [2 4 6])
    """
    xs = map_structure(convert_to_tensor, xs)
    n = _length("map", xs, None)
    if n == 0:
        raise ShapeError(
            "map", "at least one element is needed, to know what f returns", "xs has length 0", "handle it before"
        )
    return _stack_all([f(map_structure(lambda x, i=i: x[i], xs)) for i in builtins.range(n)])


def vectorized_map(function, elements):
    """Applies `function` to each element along the first axis of `elements` and stacks the results, all at once if it can.

    The function runs once, on tensors that stand for all elements. Where it looks at values (in an `if`, with `float`),
    assigns to variables, draws random numbers or uses a tape, it runs for one element after another, as in `map`.

    Args:
        function: a function of one element: a tensor, or a structure like `elements`.
        elements: a tensor (n, ...) or nested structure of them.

    Example:
        >>> edl.vectorized_map(lambda row: edl.sum(row * row), edl.constant([[1.0, 2.0], [3.0, 4.0]]))
        Tensor(shape=(2,), dtype=float32, [ 5. 25.])
    """
    xs = map_structure(convert_to_tensor, elements)
    n = _length("vectorized_map", xs, None)
    if n:
        try:
            return run_whole_batch(function, xs, n)
        except EagerdlError:  # it cannot run for all at once, or is wrong; element by element tells which
            pass
    return map(function, xs)


# -- functions of elements ------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _core_axes(signature):
    """``"(m,n),(n)->(m)"`` as the names of the core axes of each input and each output."""
    groups = r"\([\w,\s]*\)(?:,\s*\([\w,\s]*\))*"
    text = re.sub(r"\s+", "", signature)
    if not re.fullmatch(f"{groups}->{groups}", text):
        raise ArgumentError(
            "vectorize",
            "a signature names the core axes of inputs and outputs",
            f"got {signature!r}",
            "write it as in '(m,n),(n)->(m)'",
        )
    return tuple(
        tuple(tuple(filter(None, group.split(","))) for group in re.findall(r"\(([^)]*)\)", side))
        for side in text.split("->")
    )


def vectorize(pyfunc, *, excluded=None, signature=None):
    """pyfunc: a function of elements -> a function of tensors, which loops over their broadcast leading axes in Python.

    It is a convenience, not fast; whatever is made of ops broadcasts without it. The result is differentiable.

    Args:
        pyfunc: takes and returns tensors of shape (), or of the core shapes of `signature`; it may return a tuple.
        excluded: the positions of arguments that are passed as they are; keyword arguments always are.
        signature: the core axes of inputs and outputs, as in ``"(m,n),(n)->(m)"``.

    Raises:
        ArgumentError: if `pyfunc` cannot be called, or the signature cannot be read or does not fit.
        ShapeError: if core sizes disagree, leading axes do not broadcast, or there is no element.

    Example:
        >>> f = edl.vectorize(lambda a, b: a - b if a > b else a + b)
        >>> f([1, 2, 3, 4], 2)
        Tensor(shape=(4,), dtype=int32, [3 4 1 2])
    """
    where = "vectorize"
    if not callable(pyfunc):
        raise ArgumentError(where, "pyfunc is a function", f"got {pyfunc!r}", "pass the function itself")
    excluded = frozenset(excluded or ())
    cores = None if signature is None else _core_axes(signature)

    @functools.wraps(pyfunc, updated=())
    def vectorized(*args, **kwargs):
        places = [i for i in range(len(args)) if i not in excluded]
        tensors = [convert_to_tensor(args[i]) for i in places]
        inputs = cores[0] if cores else ((),) * len(tensors)
        if len(inputs) != len(tensors):
            raise ArgumentError(
                where, f"the signature {signature!r} names {len(inputs)} inputs", f"got {len(tensors)}", "give as many"
            )
        batch = _leading_shape(where, tensors, inputs)
        count = math.prod(batch)
        if count == 0:
            raise ShapeError(
                where,
                "at least one element is needed to know what the function gives",
                f"the arguments broadcast to {batch}",
                "treat empty tensors apart",
            )
        columns = []
        for x, core in zip(tensors, inputs, strict=True):
            inner = x.shape[x.ndim - len(core) :]
            columns.append(unstack(reshape(broadcast_to(x, batch + inner), (count, *inner))))
        results = []
        for elements in zip(*columns, strict=True):
            values = list(args)
            for i, element in zip(places, elements, strict=True):
                values[i] = element
            results.append(pyfunc(*values, **kwargs))
        if isinstance(results[0], tuple):
            return tuple(_gathered(list(column), batch) for column in zip(*results, strict=True))
        return _gathered(results, batch)

    return vectorized


def _leading_shape(where, tensors, inputs):
    """The broadcast shape of what stands before the core axes; checks that core axes of one name have one size."""
    sizes, leading = {}, []
    for i, (x, core) in enumerate(zip(tensors, inputs, strict=True)):
        if x.ndim < len(core):
            raise ShapeError(
                where, f"argument {i} needs the core axes ({', '.join(core)})", f"got shape {x.shape}", "add axes"
            )
        split = x.ndim - len(core)
        leading.append(x.shape[:split])
        for name, n in zip(core, x.shape[split:], strict=True):
            if sizes.setdefault(name, n) != n:
                raise ShapeError(
                    where,
                    f"core axis {name} must have one size",
                    f"got {sizes[name]} and {n} (argument {i})",
                    "check the signature",
                )
    try:
        return np.broadcast_shapes(*leading)
    except ValueError:
        raise ShapeError(
            where, "the leading axes must broadcast", f"got {', '.join(builtins.map(str, leading))}", "reshape one"
        ) from None


def _gathered(values, batch):
    """The results of all elements as one tensor."""
    out = stack(values)
    return reshape(out, batch + out.shape[1:])
