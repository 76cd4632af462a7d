"""`check_grads`: compares the derivatives of a function with finite differences, of its gradients too."""

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd.functional import jvp, vjp
from eagerdl.errors import ArgumentError, EagerdlError
from eagerdl.tensor import Tensor, from_array, to_array
from eagerdl.tree import flatten


class GradientMismatch(EagerdlError, AssertionError):
    """A derivative differs from finite differences."""


def check_grads(f, args, order=2, modes=("fwd", "rev"), eps=None, rtol=1e-5, atol=1e-6, seed=0):
    """Checks that the derivatives of `f` at `args` agree with finite differences.

    Directions are drawn at random: forward mode must give the central difference along one, reverse mode the same inner
    product. For higher orders the reverse-mode gradient is checked in turn as a function of the arguments.

    Args:
        f: a function of tensors that returns a tensor or a nested structure of them.
        args: its arguments, a tuple; float64 is advised. Integer arguments are held fixed.
        order: how many derivatives deep.
        modes: "fwd", "rev" or both.
        eps: the step of the differences; by default the cube root of the precision.
        rtol, atol: how closely the numbers must agree.
        seed: of the random directions.

    Raises:
        GradientMismatch: with the mode, the order and both numbers.

    Example:
        >>> edl.check_grads(edl.tanh, (np.linspace(-1.0, 1.0, 5),), order=3)

    Source: Griewank & Walther, 2008, section 3.2 (the adjoint identity); central differences.
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or order < 1:
        raise ArgumentError("check_grads", "modes are 'fwd' and 'rev', order is at least 1", f"got modes={modes}, order={order}",
                            "check the arguments")  # fmt: skip
    args = tuple(x if isinstance(x, Tensor) else from_array(to_array(x)) for x in args)
    _check(f, args, order, modes, eps, rtol, atol, np.random.default_rng(seed), 1)


def _check(f, args, order, modes, eps, rtol, atol, rng, depth):
    places = [i for i, x in enumerate(args) if dtypes.is_inexact(x.dtype)]
    primals = [args[i] for i in places]
    if not primals:
        return

    def of_floats(*new):
        full = list(args)
        for place, x in zip(places, new, strict=True):
            full[place] = x
        return tuple(y for y in flatten(f(*full))[0] if isinstance(y, Tensor) and dtypes.is_inexact(y.dtype))

    outs = of_floats(*primals)
    if not outs:
        return
    direction = [_random_like(x, rng) for x in primals]
    weights = [_random_like(y, rng) for y in outs]
    slope = _difference(of_floats, primals, direction, eps)
    expected = _inner(weights, slope)
    scale = sum(float(np.abs(w.numpy() * s).sum()) for w, s in zip(weights, slope, strict=True))
    if "fwd" in modes:
        _, tangents = jvp(of_floats, primals, direction)
        _compare("forward mode", depth, _inner(weights, [t.numpy() for t in tangents]), expected, scale, rtol, atol)
    if "rev" in modes:
        _, pull = vjp(of_floats, *primals)
        cotangents = pull(tuple(weights))
        _compare("reverse mode", depth, _inner(direction, [g.numpy() for g in cotangents]), expected, scale, rtol, atol)
        for g, x in zip(cotangents, primals, strict=True):
            if g.shape != x.shape or g.dtype != x.dtype:
                raise GradientMismatch("check_grads", "a gradient has the shape and dtype of its argument",
                                       f"got {g.shape} {g.dtype} for {x.shape} {x.dtype}", "mend the vjp rule")  # fmt: skip
    if order > 1:
        count = len(primals)

        def slopes(*packed):
            new, cotangent = packed[:count], packed[count:]
            return vjp(of_floats, *new)[1](tuple(cotangent))

        _check(slopes, (*primals, *weights), order - 1, modes, eps, rtol * 10, atol * 10, rng, depth + 1)


def _random_like(x, rng):
    values = rng.standard_normal(x.shape)
    if dtypes.is_complex(x.dtype):
        values = values + 1j * rng.standard_normal(x.shape)
    return from_array(to_array(np.asarray(values)).astype(x.dtype))


def _inner(a, b):
    """The real inner product over all tensors."""
    return sum(float(np.real(np.sum(np.conj(x.numpy()) * np.asarray(y)))) for x, y in zip(a, b, strict=True))


def _difference(f, primals, direction, eps):
    """The central difference of `f` along `direction`, extrapolated to fourth order (Richardson)."""
    precision = max(dtypes.ml_dtypes.finfo(x.dtype).eps for x in primals)
    eps = eps or float(precision) ** (1 / 5)

    def at(step):
        moved = [x + step * d for x, d in zip(primals, direction, strict=True)]
        return [y.numpy() for y in f(*moved)]

    near = [(a - b) / (2 * eps) for a, b in zip(at(eps), at(-eps), strict=True)]
    far = [(a - b) / (4 * eps) for a, b in zip(at(2 * eps), at(-2 * eps), strict=True)]
    return [(4 * n - w) / 3 for n, w in zip(near, far, strict=True)]


def _compare(mode, depth, got, expected, scale, rtol, atol):
    if not abs(got - expected) <= atol + rtol * max(scale, abs(expected)):
        raise GradientMismatch("check_grads", f"{mode} must agree with finite differences at order {depth}",
                               f"{got!r} against {expected!r}", "mend the rule, or move the arguments away from kinks")  # fmt: skip
