"""Transforms of functions: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`."""

import functools

from eagerdl.autograd.forward import ForwardAccumulator, alias
from eagerdl.autograd.tape import GradientTape
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.tensor import Tensor, from_array, to_array
from eagerdl.tree import map_structure


def _fresh(tree):
    """The tensors of a nested structure under identities of their own; arrays and numbers become tensors."""
    return map_structure(lambda x: alias(x if isinstance(x, Tensor) else from_array(to_array(x))), tree)


def _choose(where, args, argnums):
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise ArgumentError(
                where, f"argnums must name one of the {len(args)} arguments", f"got {number}", "count from 0"
            )
    args = list(args)
    for number in numbers:
        args[number] = _fresh(args[number])
    chosen = [args[number] for number in numbers]
    return args, chosen[0] if isinstance(argnums, int) else tuple(chosen)


def value_and_grad(fun, argnums=0, has_aux=False):
    """A function that returns the value of `fun` and its gradient.

    Args:
        fun: a function that returns a tensor of shape ().
        argnums: which argument(s) to differentiate with respect to; arguments may be nested structures.
        has_aux: whether `fun` returns a pair (value, auxiliary data).

    Raises:
        ShapeError: if the value is not a scalar.

    Example:
        >>> value, slope = edl.value_and_grad(lambda x: edl.sum(x * x))(edl.constant([1.0, 3.0]))
        >>> float(value), slope.tolist()
        (10.0, [2.0, 6.0])
    """

    @functools.wraps(fun, updated=())
    def transformed(*args, **kwargs):
        args, wrt = _choose("value_and_grad", args, argnums)
        with GradientTape() as tape:
            tape.watch(wrt)
            result = fun(*args, **kwargs)
            value = result[0] if has_aux else result
        if not isinstance(value, Tensor) or value.ndim:
            came = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
            raise ShapeError("grad", "the function must return a tensor of shape ()", f"it returned {came}",
                             "reduce it with edl.sum or edl.mean, or use edl.jacobian")  # fmt: skip
        return result, tape.gradient(value, wrt, unconnected_gradients="zero")

    return transformed


def grad(fun, argnums=0, has_aux=False):
    """A function that returns the gradient of `fun`, or (gradient, auxiliary data) with `has_aux`.

    Args:
        fun: a function that returns a tensor of shape ().
        argnums: which argument(s) to differentiate with respect to.
        has_aux: whether `fun` returns a pair (value, auxiliary data).

    Example:
        >>> cube = lambda x: x**3
        >>> float(edl.grad(edl.grad(cube))(edl.constant(2.0)))
        12.0
    """

    @functools.wraps(fun, updated=())
    def transformed(*args, **kwargs):
        result, slopes = value_and_grad(fun, argnums, has_aux)(*args, **kwargs)
        return (slopes, result[1]) if has_aux else slopes

    return transformed


def vjp(fun, *primals, has_aux=False):
    """The value of `fun` at `primals`, and the function that maps a cotangent of it to cotangents of the primals.

    Example:
        >>> y, pull = edl.vjp(lambda a, b: a * b, edl.constant(2.0), edl.constant(5.0))
        >>> [float(g) for g in pull(edl.constant(1.0))]
        [5.0, 2.0]
    """
    primals = _fresh(primals)
    with GradientTape(persistent=True) as tape:
        tape.watch(primals)
        result = fun(*primals)
    value = result[0] if has_aux else result

    def pull(cotangent):
        return tape.gradient(value, primals, output_gradients=cotangent, unconnected_gradients="zero")

    return (value, pull, result[1]) if has_aux else (value, pull)


def jvp(fun, primals, tangents, has_aux=False):
    """The value of `fun` at `primals`, and its derivative in the direction `tangents`.

    Args:
        fun: a function of tensors.
        primals: a tuple or list of its arguments.
        tangents: a tuple or list of the same structure and shapes.
        has_aux: whether `fun` returns a pair (value, auxiliary data).

    Returns:
        (value, tangent), or (value, tangent, auxiliary data).

    Example:
        >>> y, t = edl.jvp(edl.sin, (edl.constant(0.0),), (edl.constant(2.0),))
        >>> float(y), float(t)
        (0.0, 2.0)
    """
    primals = _fresh(tuple(primals))
    with ForwardAccumulator(primals, tuple(tangents)) as accumulator:
        result = fun(*primals)
    value = result[0] if has_aux else result
    tangent = accumulator.jvp(value, unconnected_gradients="zero")
    return (value, tangent, result[1]) if has_aux else (value, tangent)


def jacobian(fun, argnums=0):
    """A function that returns the Jacobian of `fun`: shape (t..., s...) for a value (t...) and an argument (s...).

    Example:
        >>> edl.jacobian(lambda x: x * x)(edl.constant([1.0, 2.0])).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """

    @functools.wraps(fun, updated=())
    def transformed(*args, **kwargs):
        args, wrt = _choose("jacobian", args, argnums)
        with GradientTape() as tape:
            tape.watch(wrt)
            value = fun(*args, **kwargs)
        return tape.jacobian(value, wrt, unconnected_gradients="zero")

    return transformed


def hessian(fun, argnums=0):
    """A function that returns the matrix of second derivatives of `fun`: shape (s..., s...) for an argument (s...).

    Example:
        >>> edl.hessian(lambda x: edl.sum(x**3))(edl.constant([1.0, 2.0])).tolist()
        [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacobian(grad(fun, argnums), argnums)


def hvp(fun, primals, tangents):
    """The Hessian of a scalar function times a vector, by forward mode over reverse mode (Pearlmutter, 1994).

    Args:
        fun: a function that returns a tensor of shape ().
        primals: its argument, or a tuple of its arguments.
        tangents: the vector, of the same structure.

    Example:
        >>> edl.hvp(lambda x: edl.sum(x**3), edl.constant([1.0, 2.0]), edl.constant([1.0, 1.0])).tolist()
        [6.0, 12.0]
    """
    single = not isinstance(primals, tuple | list)
    args, directions = ((primals,), (tangents,)) if single else (tuple(primals), tuple(tangents))
    slopes = grad(fun, tuple(range(len(args))))
    product = jvp(slopes, args, directions)[1]
    return product[0] if single else product
