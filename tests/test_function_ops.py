"""Every row of the table of ops under `edl.function`: the bits are those of eager execution, values and gradients."""

import numpy as np
import pytest
from cases.builders import Raw
from test_ops import ROWS, find

import eagerdl as edl
from eagerdl.errors import TracingError
from eagerdl.tensor import Tensor
from eagerdl.tree import flatten


class Slots:
    """The arrays of a row's arguments taken out, and put back as tensors."""

    def __init__(self, row):
        self.arrays = []
        self.args = self._take(list(row.args))
        self.kwargs = self._take(dict(row.kwargs))

    def _take(self, value):
        if isinstance(value, Raw):
            return value
        if isinstance(value, np.ndarray):
            self.arrays.append(value)
            return Slot(len(self.arrays) - 1)
        if type(value) in (list, tuple):
            return type(value)(map(self._take, value))
        if type(value) is dict:
            return {key: self._take(one) for key, one in value.items()}
        return value

    def filled(self, value, tensors):
        if isinstance(value, Raw):
            return value.value
        if isinstance(value, Slot):
            return tensors[value.index]
        if type(value) in (list, tuple):
            return type(value)([self.filled(one, tensors) for one in value])
        if type(value) is dict:
            return {key: self.filled(one, tensors) for key, one in value.items()}
        return value


class Slot:
    def __init__(self, index):
        self.index = index


def same_bits(a, b):
    if isinstance(a, Tensor):
        a, b = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    return a is b or a == b


def outcomes(name, row):
    """What a row gives eagerly and three times under `edl.function`: as it is traced, and as it runs compiled."""
    slots = Slots(row)
    op = find(name)

    def run(*tensors):
        return op(*slots.filled(slots.args, tensors), **slots.filled(slots.kwargs, tensors))

    tensors = [edl.constant(array) for array in slots.arrays]
    compiled = edl.function(run)
    results = []
    for function in (run, compiled, compiled, compiled):
        edl.random.set_seed(5)
        results.append(flatten(function(*tensors))[0])
    return results


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_function_equals_eager(name, row):
    try:
        eager, *others = outcomes(name, row)
    except TracingError as error:
        assert "value" in str(error) or "elements" in str(error)  # it says so, and eagerly it runs
        return
    for other in others:
        assert len(eager) == len(other)
        assert all(map(same_bits, eager, other))
