"""`function`: marks a Python function of tensors as a unit. In this version it runs eagerly, line by line."""

import functools
import inspect

from eagerdl import tree
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.tensor import TensorSpec, from_array, to_array

__all__ = ["Function", "function"]


def function(func=None, input_signature=None, autograph=True, jit_compile=None, reduce_retracing=False):
    """Decorates a function of tensors, such as a train step; the numbers are those of the undecorated function.

    This version has no compiler: a decorated function runs eagerly, at eager speed, and `experimental_get_tracing_count` is 0.
    Programs written with it need no change when there is one.

    Args:
        func: the function; None to use it as a decorator with arguments.
        input_signature: a sequence of TensorSpecs that the positional arguments must fit; they become tensors of these dtypes.
        autograph, jit_compile, reduce_retracing: accepted for TF's sake; they matter to a compiler.

    Raises:
        ShapeError: when an argument does not fit the input_signature.

    Example:
        >>> @edl.function
        ... def double(x):
        ...     return x * 2
        >>> double(edl.constant([1.0]))
        Tensor(shape=(1,), dtype=float32, [2.])
    """
    if func is None:
        return lambda func: Function(func, input_signature)
    return Function(func, input_signature)


class Function:
    """A decorated function; see `function`."""

    def __init__(self, func, input_signature=None):
        if not callable(func):
            raise ArgumentError("function", "a function is needed", f"got {type(func).__name__}", "decorate a def")
        self.python_function, self.input_signature = func, None if input_signature is None else tuple(input_signature)
        functools.update_wrapper(self, func)

    def __call__(self, *args, **named):
        if self.input_signature is not None:
            args = self._fitted(args)
        return self.python_function(*args, **named)

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def experimental_get_tracing_count(self):
        """How often the function was traced: never."""
        return 0

    def _fitted(self, args):
        """The arguments as tensors of the specs' dtypes."""
        where = f"function {getattr(self.python_function, '__name__', '')}"
        specs = self.input_signature
        if inspect.ismethod(self.python_function) is False and len(args) == len(specs) + 1:
            return (args[0], *self._pairs(where, specs, args[1:]))
        if len(args) != len(specs):
            raise ShapeError(
                where, f"input_signature has {len(specs)} arguments", f"got {len(args)}", "pass all of them"
            )
        return self._pairs(where, specs, args)

    def _pairs(self, where, specs, args):
        def fit(spec, x):
            x = from_array(to_array(x, spec.dtype)) if not hasattr(x, "_node") else x
            if not spec.is_compatible_with(TensorSpec(x.shape, x.dtype)):
                raise ShapeError(
                    where, f"an argument must fit {spec}", f"got {x.shape} {x.dtype}", "convert or reshape it"
                )
            return x

        return tuple(tree.map_structure(fit, list(specs), list(args)))
