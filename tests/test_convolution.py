"""Laws of convolutions that are computed in parts: tile by tile, by threads, in the memory of programs."""

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.autograd.primitive import REGISTRY
from eagerdl.kernels import columns, threads


def normal(*shape, seed=0, dtype="float32"):
    return edl.constant(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


# x, kernel, options
CASES = {
    "1-d": ((3, 11, 4), (3, 4, 5), {"padding": "same"}),
    "causal": ((2, 9, 4), (3, 4, 2), {"padding": "causal", "dilation_rate": 2}),
    "same": ((5, 7, 6, 3), (3, 3, 3, 4), {"padding": "same"}),
    "valid": ((5, 7, 6, 3), (3, 2, 3, 4), {}),
    "strides": ((4, 9, 8, 2), (3, 3, 2, 4), {"strides": 2, "padding": "same"}),
    "strides beyond the kernel": ((3, 9, 9, 2), (1, 1, 2, 4), {"strides": 3}),
    "dilation": ((2, 12, 9, 2), (3, 3, 2, 4), {"dilation_rate": (3, 2), "padding": "same"}),
    "groups": ((3, 7, 7, 4), (3, 3, 2, 6), {"padding": "same"}),
    "depthwise": ((3, 7, 7, 4), (3, 3, 1, 8), {"padding": "same"}),
    "3-d": ((2, 5, 4, 6, 2), (3, 3, 3, 2, 3), {"padding": "same"}),
    "1 x 1": ((2, 5, 4, 3), (1, 1, 3, 4), {}),
    "few channels from many filters": ((2, 6, 6, 1), (3, 3, 1, 32), {"padding": "same"}),
    "no examples": ((0, 5, 5, 2), (3, 3, 2, 4), {"padding": "same"}),
}


def gradients(x, kernel, options):
    """A convolution, and the gradients of a sum of its elements with weights."""
    with edl.GradientTape() as tape:
        tape.watch([x, kernel])
        y = edl.conv(x, kernel, **options)
        loss = edl.sum(y * edl.cos(edl.reshape(edl.arange(y.size, dtype=y.dtype), y.shape)))
    return y, *tape.gradient(loss, [x, kernel])


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of a few outputs, in another thread's memory than those of other tests."""
    monkeypatch.setattr(columns, "TILE", 1000)
    monkeypatch.setattr(columns, "_own", columns._Own())


@pytest.mark.parametrize("name", CASES)
def test_tiles_agree_with_the_whole(name, request):
    x, kernel, options = CASES[name]
    x, kernel = normal(*x, dtype="float64"), normal(*kernel, seed=1, dtype="float64")
    whole = gradients(x, kernel, options)
    request.getfixturevalue("small_tiles")
    for _ in range(2):  # the second time from tiles that are known
        for one, expected in zip(gradients(x, kernel, options), whole):
            np.testing.assert_allclose(one, expected, rtol=1e-12, atol=1e-12)


def test_inputs_of_one_shape_and_several_dtypes_share_memory(small_tiles):
    for dtype in ("float32", "float64", "complex64", "float32", "float16"):
        x, kernel = normal(3, 7, 5, 2), normal(3, 3, 2, 3, seed=1)
        y = edl.conv(edl.cast(x, dtype), edl.cast(kernel, dtype), padding="same")
        tolerance = 1e-2 if dtype == "float16" else 1e-5
        np.testing.assert_allclose(y, edl.conv(x, kernel, padding="same"), rtol=tolerance, atol=tolerance)


def test_threads_keep_little_memory(monkeypatch, small_tiles):
    monkeypatch.setattr(columns, "KEPT", 4000)
    monkeypatch.setattr(columns, "PLANS", 3)
    for size in range(5, 40, 5):
        edl.conv(normal(2, size, size, 2), normal(3, 3, 2, 3), padding="same")
    assert 0 < columns._own.block.size <= 4000 and 0 < len(columns._own.tiles) <= 3


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    x, kernel = normal(16, 16, 16, 16), normal(3, 3, 16, 32, seed=1)
    assert len(threads.cut(16, 2 * 16 * 16 * 16 * kernel.size)) > 1
    found = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "cores", lambda count=count: count)
        found.append(gradients(x, kernel, {"padding": "same"}))
    for others in found[1:]:
        assert all(np.array_equal(one, first) for one, first in zip(others, found[0]))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_programs_compute_the_same_bits(name, dtype):
    x, kernel, options = CASES[name]
    x, kernel = normal(*x, dtype=dtype), normal(*kernel, seed=1, dtype=dtype)
    traced = edl.function(lambda x, kernel: gradients(x, kernel, options))
    traced(x, kernel)
    for inputs in ((x, kernel), (x * 2, kernel)):
        for one, expected in zip(traced(*inputs), gradients(*inputs, options)):
            assert one.dtype == expected.dtype and np.array_equal(one, expected)


def test_results_of_programs_are_not_overwritten_by_the_next_call():
    x, kernel = normal(2, 8, 8, 3), normal(3, 3, 3, 4, seed=1)
    traced = edl.function(lambda x: edl.conv(x, kernel, padding="same"))
    first = traced(x)
    copy = first.numpy().copy()
    traced(x * 3)
    assert np.array_equal(first, copy)


def test_out_is_no_argument_of_an_op():
    """Programs alone say where a result goes."""
    assert REGISTRY["conv"].params == ("window",) and "out" not in REGISTRY["conv"].signature.parameters
