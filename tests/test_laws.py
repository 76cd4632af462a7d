"""Laws that hold for whole families of ops, on arguments that hypothesis or the table chooses."""

import inspect
import itertools

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ops import PUBLIC, ROWS, call, leaves

import eagerdl as edl
from eagerdl import dtypes
from eagerdl.errors import EagerdlError

settings.register_profile("eagerdl", deadline=None, max_examples=50)
settings.load_profile("eagerdl")

FLOATS = st.floats(-100, 100, width=32)
ARRAYS = hnp.arrays("float64", hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), elements=FLOATS)
SMOOTH = [
    p
    for p in ROWS
    if p.values[1].order and all(isinstance(a, np.ndarray) and a.dtype == "float64" for a in p.values[1].args[:1])
]
LINEAR = [p for p in ROWS if getattr(getattr(PUBLIC.get(p.values[0]), "primitive", None), "family", "") == "linear"
          and isinstance(p.values[1].args[0], np.ndarray) and p.values[1].args[0].dtype == "float64"]  # fmt: skip


# -- promotion ----------------------------------------------------------------------------------


KINDS = [*dtypes.ALL, bool, int, float, complex]


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(KINDS, 2)), ids=str)
def test_promotion_commutes_and_absorbs(a, b):
    out = dtypes.promote(a, b)
    assert out == dtypes.promote(b, a)
    assert dtypes.promote(out, a) == out and dtypes.promote(out, b) == out


# -- shapes -------------------------------------------------------------------------------------


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
def test_elementwise_ops_broadcast_as_numpy(shapes):
    (a, b), out = shapes.input_shapes, shapes.result_shape
    x, y = edl.ones(a), edl.ones(b)
    with edl.GradientTape() as tape:
        tape.watch([x, y])
        z = x * y + x
    assert z.shape == out
    g = tape.gradient(z, [x, y])
    assert g[0].shape == a and g[1].shape == b


@given(hnp.array_shapes(max_dims=3, max_side=4), hnp.array_shapes(max_dims=3, max_side=4))
def test_shapes_that_do_not_broadcast_give_one_error(a, b):
    try:
        want = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(edl.errors.ShapeError, match="must broadcast"):
            edl.ones(a) + edl.ones(b)
    else:
        assert (edl.ones(a) + edl.ones(b)).shape == want


@given(st.data())
def test_indexing_agrees_with_numpy(data):
    array = data.draw(hnp.arrays("float64", hnp.array_shapes(max_dims=4, max_side=4), elements=FLOATS))
    basic = hnp.basic_indices(array.shape, allow_newaxis=True, allow_ellipsis=True)
    fancy = hnp.integer_array_indices(array.shape)
    key = data.draw(st.one_of(basic, fancy))
    x = edl.constant(array)
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.sum(x[key] * 2.0)
    np.testing.assert_array_equal(x[key].numpy(), array[key])
    want = np.zeros_like(array)
    np.add.at(want, key, 2.0)
    np.testing.assert_array_equal(tape.gradient(y, x, unconnected_gradients="zero").numpy(), want)


@given(ARRAYS)
def test_numpy_and_back_is_the_identity(array):
    np.testing.assert_array_equal(edl.constant(array).numpy(), array)
    np.testing.assert_array_equal(np.asarray(edl.constant(array)), array)


@given(ARRAYS, st.booleans())
def test_sums_agree_with_numpy_to_the_bit(array, keepdims):
    for axis in (None, *range(array.ndim)):
        np.testing.assert_array_equal(
            edl.sum(edl.constant(array), axis, keepdims).numpy(), array.sum(axis, keepdims=keepdims)
        )


# -- derivatives --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "row"), SMOOTH)
def test_forward_and_reverse_mode_are_adjoint(name, row):
    """<vjp(u), t> = <u, jvp(t)> for the first argument."""
    rng = np.random.default_rng(0)

    def f(x):
        rest = iter([x])
        ys = leaves(call(name, row, lambda a: next(rest, None) if a is row.args[0] else edl.constant(a)))
        return [y for y in ys if isinstance(y, edl.Tensor) and dtypes.is_floating(y.dtype)]

    x = edl.constant(row.args[0])
    t = edl.constant(rng.standard_normal(x.shape))
    ys, tangents = edl.jvp(f, (x,), (t,))
    us = [edl.constant(rng.standard_normal(y.shape)) for y in ys]
    _, pull = edl.vjp(f, x)
    forward = sum(float(np.sum(u.numpy() * d.numpy())) for u, d in zip(us, tangents, strict=True))
    backward = float(np.sum(pull(us)[0].numpy() * t.numpy()))
    np.testing.assert_allclose(forward, backward, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("name", "row"), LINEAR)
def test_linear_ops_are_linear(name, row):
    x, y = row.args[0], row.args[0][::-1] if row.args[0].ndim else row.args[0] * 3

    def f(array):
        return leaves(call(name, row, lambda a: edl.constant(array) if a is row.args[0] else edl.constant(a)))[
            0
        ].numpy()

    np.testing.assert_allclose(f(2.0 * x - 3.0 * y), 2.0 * f(x) - 3.0 * f(y), rtol=1e-9, atol=1e-9)


@given(hnp.arrays("float64", st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.floats(-3, 3)))
def test_gradient_of_a_sum_of_squares(array):
    x = edl.Variable(array)
    with edl.GradientTape() as tape:
        y = edl.sum(x * x)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), 2 * array)


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", sorted(n for n, f in PUBLIC.items() if getattr(f, "primitive", None) and f.primitive.tensors)
)
@pytest.mark.parametrize("value", ["text", None, object()], ids=["str", "None", "object"])
def test_no_primitive_takes_what_is_no_number(name, value):
    primitive = PUBLIC[name].primitive
    given_args = [[value]] if primitive.variadic else [value] * len(primitive.tensors)
    required = [d for d in primitive.defaults if d is inspect.Parameter.empty]
    with pytest.raises(EagerdlError, match=r"^\["):
        PUBLIC[name](*given_args, *[1 for _ in required])
