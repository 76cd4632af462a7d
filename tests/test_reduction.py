"""What the table of ops does not hold of reductions: the `dtype` argument, and derivatives at zeros and NaNs."""

import numpy as np
import pytest

import eagerdl as edl


@pytest.mark.parametrize("op", [edl.sum, edl.prod])
def test_a_reduction_in_a_given_dtype_has_that_dtype(op):
    x = edl.constant(np.full(3, 100, "int8"))
    for dtype in ("int8", "int64", "float64", "bfloat16"):
        out = op(x, dtype=dtype)
        assert out.dtype == dtype
        np.testing.assert_array_equal(
            out.astype("float64"),
            getattr(np, op.__name__)(x.numpy().astype(out.dtype)).astype(out.dtype).astype("float64"),
        )


def test_the_gradient_of_a_product_with_zeros_is_the_product_of_the_others():
    x = edl.constant([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0], [2.0, 3.0, 4.0]])
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.prod(x, axis=1)
    np.testing.assert_array_equal(tape.gradient(y, x), [[0, 6, 0], [0, 0, 0], [12, 8, 6]])


def test_the_third_derivative_of_a_product_of_zeros_is_one():
    f = edl.prod
    x = np.zeros(3)
    edl.check_grads(f, (x,), order=3)


def test_an_initial_value_that_wins_leaves_no_gradient():
    x = edl.constant([1.0, 2.0])
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.max(x, initial=5.0)
    np.testing.assert_array_equal(tape.gradient(y, x), [0.0, 0.0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_combined_in_float32(dtype):
    ones = edl.constant(np.ones(5000), dtype)
    assert float(edl.sum(ones)) == float(edl.constant(5000.0, dtype))
    assert float(edl.mean(ones * 60)) == 60.0
    assert float(edl.nanmean(ones * 60)) == 60.0


@pytest.mark.parametrize("op", [edl.nansum, edl.nanmean, edl.nanmax, edl.nanmin, edl.nanprod])
def test_slices_without_numbers_do_not_poison_gradients(op):
    x = edl.constant([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = op(x, axis=1)
    g = tape.gradient(y, x).numpy()
    assert np.isfinite(g).all()
    assert not g[1].any()
    assert not g[0, 1]


@pytest.mark.parametrize("op", [edl.sum, edl.max, edl.min])
@pytest.mark.parametrize("shape", [(10,), (16, 16), (3, 5, 7), (), (1, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_reductions_of_everything_are_those_of_all_axes(op, shape, dtype):
    array = np.random.default_rng(0).normal(0, 9, shape).astype(dtype)
    axes = tuple(range(len(shape)))
    if not array.size and op is not edl.sum:
        with pytest.raises(edl.errors.ArgumentError, match="at least one element"):
            op(edl.constant(array))
        return
    out = op(edl.constant(array))
    np.testing.assert_array_equal(out, op(edl.Variable(array, trainable=False, dtype=dtype)))
    np.testing.assert_allclose(out, op(edl.constant(array), axes), rtol=1e-5)
    assert out.shape == () and out.dtype == dtype
