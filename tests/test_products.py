"""Products by kernels of our own: against float64, in the order of BLAS, and in parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eagerdl.machine import products

pytestmark = pytest.mark.skipif(products.shape() is None, reason="this processor has no fused multiply-adds")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def agrees(found, a, b):
    """Whether a product is that of float64 up to rounding."""
    bound = 1e-6 * (np.abs(a).astype(float) @ np.abs(b).astype(float)) + 1e-12
    return bool(np.all(np.abs(found - a.astype(float) @ b.astype(float)) <= bound))


@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 100), st.booleans())
@settings(max_examples=60, deadline=None)
def test_products_are_those_of_float64(rows, k, n, turned):
    a, b = normal(rows, k), normal(n, k, seed=1).T if turned else normal(k, n, seed=1)
    factor = products.Factor(b)
    assert agrees(factor.times(a, np.empty((rows, n), np.float32)), a, b)


@pytest.mark.parametrize("rows, k, n", [(32, 256, 1024), (300, 40, 20), (64, 900, 700), (7, 1600, 33)])
def test_parts_and_pieces_give_the_same_numbers_as_one_thread(rows, k, n, monkeypatch):
    a, b = normal(rows, k), normal(k, n, seed=1)
    shared = products.Factor(b).times(a, np.empty((rows, n), np.float32))
    assert agrees(shared, a, b)
    monkeypatch.setattr(products, "parts", lambda *_: 1)
    alone = products.Factor(b).times(a, np.empty((rows, n), np.float32))
    assert np.array_equal(shared, alone)


def test_a_factor_serves_arrays_of_any_layout_in_turn():
    b = normal(12, 50)
    factor, wide = products.Factor(b), np.empty((9, 80), np.float32)
    for a in (normal(9, 12), normal(9, 30, seed=2)[:, 5:17], normal(4, 12, seed=3), normal(9, 12, seed=4)):
        out = wide[: len(a), 10:60]
        assert agrees(factor.times(a, out), a, b)


def test_a_factor_keeps_the_values_that_it_was_made_of():
    b = normal(5, 6)
    factor, a = products.Factor(b), normal(3, 5, seed=1)
    before = factor.times(a, np.empty((3, 6), np.float32))
    b[:] = 0
    assert np.array_equal(factor.times(a, np.empty((3, 6), np.float32)), before)


def test_what_is_no_number_spreads_through_its_row_and_column_only():
    a, b = normal(9, 7), normal(7, 40, seed=1)
    a[2, 3], b[4, 33] = np.nan, np.inf
    found = products.Factor(b).times(a, np.empty((9, 40), np.float32))
    expected = a @ b
    assert np.array_equal(np.isnan(found), np.isnan(expected)) and np.isinf(found[0, 33])


@pytest.mark.parametrize("rows", range(1, 70))
def test_tiles_make_up_all_rows(rows):
    large, small, *_ = products.shape()
    larges, smalls, singles = products.tiles_of(rows)
    assert larges * large + smalls * small + singles == rows
    assert min(larges, smalls, singles) >= 0 and singles < small


@pytest.mark.parametrize(
    "k, pieces", [(100, (100,)), (384, (384,)), (385, (193, 192)), (768, (384, 384)), (1000, (384, 308, 308))]
)
def test_pieces(k, pieces):
    assert products.pieces_of(k, 384) == pieces


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("rows, k, n", [(8, 32, 32), (32, 256, 128), (16, 700, 64)])
def test_the_order_of_blas_gives_its_bits_for_other_numbers_too(rows, k, n, transposed):
    pieces = products.order(rows, k, n, transposed)
    if pieces is None:
        pytest.skip("kernels here cannot give the numbers of this BLAS")
    assert sum(pieces) == k
    a, b = normal(rows, k, seed=5), normal(n, k, seed=6).T if transposed else normal(k, n, seed=6)
    out, packed = np.empty((rows, n), np.float32), products.room(k, n)
    rest = np.empty((rows, products.width()), np.float32)
    products.pack(packed, b)
    products.multiply(out, a, packed, rest, pieces, products.ways())
    assert np.array_equal(out, a @ b)


def test_who_is_served():
    a = normal(2, 3)
    assert products.serves(a, a)
    assert not products.serves(a, a.astype(float)) and not products.serves(a[:0]) and not products.serves([[1.0]])
