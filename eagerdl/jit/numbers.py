"""Python numbers as arguments of traced functions: once their value changes they are traced as numbers without a value."""

import numpy as np

from eagerdl.errors import TracingError
from eagerdl.tensor import Tensor


class NeedsValue(BaseException):
    """Python asked for the value of a number that stands for many: the argument has to be the same at each call."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name


class Number(Tensor):
    """A Python int or float that is another one at each call. Like one, it takes the dtype of the tensors that it meets.

    Args:
        array: the value, a traced array of shape () in int64 or float64.
        kind: `int` or `float`.
        name: the argument that it came from; None for what branches on tensors gave.
    """

    __slots__ = ("_weak", "name")

    def __init__(self, array, kind, name):
        self._array, self._node, self._weak, self.name = array, None, kind, name

    def _ask(self, *args, **named):
        if self.name is not None:
            raise NeedsValue(self.name)
        raise TracingError.at("a number that depends on a tensor has no value while a function is traced",
                              "Python asked for it", "use ops instead: edl.where, edl.cond, edl.while_loop")  # fmt: skip

    __bool__ = __int__ = __float__ = __index__ = __complex__ = __hash__ = __round__ = __array__ = numpy = item = (
        tolist
    ) = _ask
    __str__ = __format__ = __pow__ = __rpow__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __iter__ = (
        __len__
    ) = _ask

    def __repr__(self):
        return f"Number({self._weak.__name__} {self.name})"


def _arithmetic(name, ufunc):
    """Arithmetic of Python numbers among themselves, in float64 as Python has it; with tensors it is the tensors'."""
    of_tensors = getattr(Tensor, name)

    def method(self, other):
        if type(other) not in (int, float) and not isinstance(other, Number):
            return of_tensors(self, other)
        other_kind = other._weak if isinstance(other, Number) else type(other)
        kind = float if float in (self._weak, other_kind) or ufunc is np.true_divide else int
        pair = [
            one._array if isinstance(one, Number) else np.asarray(one, np.dtype(type(one))) for one in (self, other)
        ]
        if kind is float:
            pair = [one.astype(np.float64) for one in pair]
        return Number(ufunc(*(pair[::-1] if name.startswith("__r") else pair)), kind, self.name)

    return method


for _name, _ufunc in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("truediv", np.true_divide)):
    setattr(Number, f"__{_name}__", _arithmetic(f"__{_name}__", _ufunc))
    setattr(Number, f"__r{_name}__", _arithmetic(f"__r{_name}__", _ufunc))
Number.__neg__ = lambda self: Number(np.negative(self._array), self._weak, self.name)
Number.__pos__ = lambda self: self
