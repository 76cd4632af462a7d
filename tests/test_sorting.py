"""What the table of ops does not hold of sorting: laws, ties, large inputs, NaNs in half precision."""

import numpy as np
import pytest

import eagerdl as edl


@pytest.mark.parametrize("kth", [0, 7, 29, -1])
def test_argpartition_puts_smaller_elements_before_the_rank_and_larger_ones_behind(kth):
    x = np.random.default_rng(0).permutation(30)
    y = x[edl.argpartition(x, kth).numpy()]
    kth %= 30
    assert y[kth] == kth
    assert (y[:kth] < kth).all()
    assert (y[kth + 1 :] > kth).all()


@pytest.mark.parametrize("k", [1, 3, 12, 13, 100])
def test_top_k_agrees_with_sorting_whatever_the_size(k):
    x = np.random.default_rng(1).integers(0, 300, (4, 100)).astype("float32")
    values, indices = edl.top_k(x, k)
    order = np.array([sorted(range(100), key=lambda i: (-row[i], i))[:k] for row in x])
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, 1))


def test_the_gradient_of_sorting_follows_equal_elements_in_their_order():
    x = edl.constant([2.0, 1.0, 2.0, 1.0])
    weights = edl.constant([1.0, 2.0, 3.0, 4.0])
    for descending, expected in ((False, [3, 1, 4, 2]), (True, [1, 3, 2, 4])):
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = edl.sort(x, descending=descending) * weights
        np.testing.assert_array_equal(tape.gradient(y, x), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_nans_come_last_in_every_float(dtype):
    x = edl.constant([2.0, np.nan, 0.5, np.nan, -1.0, 3.0, 1.5, np.nan, 0.0], dtype)
    np.testing.assert_array_equal(
        edl.sort(x).astype("float64"), [-1.0, 0.0, 0.5, 1.5, 2.0, 3.0, np.nan, np.nan, np.nan]
    )
    np.testing.assert_array_equal(edl.argsort(x), [4, 8, 2, 6, 0, 5, 1, 3, 7])
    np.testing.assert_array_equal(edl.unique(x).astype("float64"), [-1.0, 0.0, 0.5, 1.5, 2.0, 3.0, np.nan])
    assert int(edl.searchsorted(edl.sort(x)[:6], edl.constant(1.0, dtype))) == 3


def test_results_of_array_api_functions_have_names():
    x = edl.constant([3, 1, 3])
    assert edl.unique_all(x)._fields == ("values", "indices", "inverse_indices", "counts")
    assert edl.unique_counts(x)._fields == ("values", "counts")
    assert edl.unique_inverse(x)._fields == ("values", "inverse_indices")
    assert edl.top_k(x, 1)._fields == ("values", "indices")
    assert {t.dtype.name for t in (*edl.unique_all(x), *edl.top_k(x, 1))} == {"int32"}
