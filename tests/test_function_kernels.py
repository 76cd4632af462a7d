"""Kernels: formulas of NumPy in place, and reductions that end a region of fused calls."""

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.jit import compiler, lowering, native
from eagerdl.tree import flatten


@pytest.mark.parametrize("name", ["exp", "sin", "cos"])
def test_formulas_give_the_bits_of_numpy(name):
    """Where the formula of a function is not that of the NumPy at hand, kernels call NumPy's loop; both give its bits."""
    function, x = getattr(np, name), np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint32).view("float32")
    if not lowering.agrees(function):
        pytest.skip("NumPy computes it otherwise on this processor")
    out = np.empty_like(x)
    table = np.array([x.size, native.address(x), native.address(out)], np.int64)
    compiler.kernel(lowering.CHECK.format(name=name)).run(native.address(table))
    with np.errstate(all="ignore"):
        assert np.array_equal(out, function(x), equal_nan=True)


def test_formulas_that_disagree_are_not_used(monkeypatch):
    monkeypatch.setattr(lowering, "agrees", lambda function: False)
    lowering._lowered.cache_clear()
    try:
        x = edl.linspace(-3.0, 3.0, 50)
        f = edl.function(lambda x: edl.exp(x) + 1)
        f(x)
        assert np.array_equal(f(x), edl.exp(x) + 1)
        assert "exp_f4" not in f.source() and "loop_2" in f.source()
    finally:
        lowering._lowered.cache_clear()


MIDDLE = {
    "softmax over keys": lambda x: edl.softmax(x * 0.5 + 1, -2),
    "several axes": lambda x: (edl.sum(x * x, (1, 2)), edl.max(-x, (1, 2)), edl.sum(x, (0, 1))),
    "kept": lambda x: x - edl.mean(x, 1, keepdims=True),
    "two ways": lambda x: (edl.sum(x + 1, 1), edl.sum(x + 1, (0, 1)), edl.sum(x + 1, -1)),
}


@pytest.mark.parametrize(
    "shape", [(3, 4, 5, 6), (2, 1, 7, 8), (12, 4, 64, 64), (3, 4, 1, 6), (1, 1, 5, 3), (4, 3, 5, 1)]
)
@pytest.mark.parametrize("name", MIDDLE)
def test_sums_over_middle_axes(name, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    x[..., -1] = -0.0
    x, function = edl.constant(x), MIDDLE[name]
    traced = edl.function(function)
    traced(x)
    for out, expected in zip(flatten(traced(x))[0], flatten(function(x))[0], strict=True):
        assert np.array_equal(out, expected)
        assert np.array_equal(np.signbit(out), np.signbit(expected))


def test_sums_over_middle_axes_are_fused():
    x = edl.ones((3, 4, 5, 6))
    f = edl.function(lambda x: edl.sum(edl.exp(x) * 2, 2))
    f(x)
    assert f.source().count("def kernel") == 1 and "np." not in f.source().split("\n\n")[0]
