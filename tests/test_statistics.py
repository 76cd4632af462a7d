"""What the table of ops does not hold of statistics: constant input, infinities, derivatives by q, dtypes."""

import numpy as np
import pytest

import eagerdl as edl


@pytest.mark.parametrize("op", [edl.std, edl.nanstd])
def test_the_gradient_of_the_deviation_of_a_constant_is_zero(op):
    x = edl.constant([[3.0, 3.0, 3.0], [1.0, 2.0, 3.0]])
    with edl.GradientTape() as outer:
        outer.watch(x)
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = op(x, axis=1)
        g = tape.gradient(y, x)
        z = edl.sum(g * g)
    np.testing.assert_array_equal(g[0], np.zeros(3))
    np.testing.assert_allclose(g[1], [-0.408248, 0.0, 0.408248], rtol=1e-5, atol=1e-7)
    assert np.isfinite(outer.gradient(z, x).numpy()).all()


@pytest.mark.parametrize("op", [edl.var, edl.std, edl.nanvar, edl.nanstd])
def test_a_large_mean_does_not_swallow_the_spread(op):
    x = np.float32(4096) + np.arange(8, dtype="float32") / 256
    np.testing.assert_allclose(op(edl.constant(x)), getattr(np, op.__name__)(x.astype("float64")), rtol=1e-6)


@pytest.mark.parametrize("op", [edl.var, edl.nanvar])
def test_half_precision_squares_do_not_overflow(op):
    x = edl.constant([300.0, -300.0, 600.0, -600.0], "float16")
    assert op(x).dtype == "float16"
    assert not np.isfinite(float(op(x * 10)))
    np.testing.assert_allclose(float(edl.sqrt(op(x / 4))), np.std([75.0, -75.0, 150.0, -150.0]), rtol=2e-3)


def test_quantiles_between_infinities_are_no_nans():
    x = [-np.inf, 1.0, 2.0, np.inf]
    np.testing.assert_array_equal(edl.quantile(x, [0.0, 0.5, 1.0]), [-np.inf, 1.5, np.inf])
    np.testing.assert_array_equal(edl.nanquantile([*x, np.nan], [0.0, 0.5, 1.0]), [-np.inf, 1.5, np.inf])


def test_linear_quantiles_have_a_derivative_by_q():
    x = np.array([1.0, 3.0, 4.0, 8.0])
    for op, q in ((edl.quantile, 0.45), (edl.percentile, 45.0), (edl.nanquantile, 0.45)):
        edl.check_grads(lambda q, op=op: op(edl.constant(x), q), (np.array(q),))


def test_a_nan_makes_the_quantile_of_its_slice_nan():
    x = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(edl.median(x, axis=1), [np.nan, 2.0])
    np.testing.assert_array_equal(edl.nanmedian(x, axis=1), [2.0, 2.0])


def test_many_float16_numbers_have_their_median_in_the_middle():
    x = np.linspace(-1, 1, 5001).astype("float16")
    assert edl.median(edl.constant(x)).dtype == "float16"
    assert float(edl.median(edl.constant(x))) == float(np.median(x.astype("float64")))


def test_weights_decide_the_dtype_of_bincount():
    x = edl.constant([0, 1, 1])
    assert edl.bincount(x).dtype == "int32"
    for dtype in ("int32", "float16", "bfloat16", "float64", "complex64"):
        out = edl.bincount(x, weights=edl.constant([1, 2, 3], dtype))
        assert out.dtype == dtype
        np.testing.assert_array_equal(out.astype("complex64"), [1, 5])
