"""Laws of the layers that normalize, beyond the battery; `normalize_by_batch`."""

import warnings

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn.layer import get_mask, set_mask
from eagerdl.ops.batch_statistics import normalize_by_batch

L = edl.layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# -- the op ---------------------------------------------------------------------------------------

SHAPES = [((6, 5), -1), ((4, 3, 2), 1), ((3, 2, 2, 4), -1), ((8, 1), 1), ((64, 3), -1), ((2, 3), 0)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_normalize_by_batch_agrees_with_numpy(shape, axis):
    x, c = normal(*shape) * 3 + 5, shape[axis]
    scale, offset = normal(c, seed=1), normal(c, seed=2)
    y, mean, variance = normalize_by_batch(edl.constant(x), edl.constant(scale), edl.constant(offset), axis, 0.01)
    columns = np.moveaxis(x, axis, -1).reshape(-1, c)
    np.testing.assert_allclose(mean, columns.mean(0), rtol=1e-12)
    np.testing.assert_allclose(variance, columns.var(0), rtol=1e-12)
    want = (columns - columns.mean(0)) / np.sqrt(columns.var(0) + 0.01) * scale + offset
    np.testing.assert_allclose(np.moveaxis(y.numpy(), axis, -1).reshape(-1, c), want, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("shape", "axis"), SHAPES[:3], ids=str)
def test_gradients_of_normalize_by_batch(shape, axis):
    x, scale, offset = (edl.constant(normal(*n, seed=i)) for i, n in enumerate((shape, (shape[axis],), (shape[axis],))))
    edl.check_grads(lambda *args: list(normalize_by_batch(*args, axis)), [x, scale, offset], order=1)
    edl.check_grads(lambda *args: normalize_by_batch(*args, axis)[0], [x, scale, offset], order=2, modes=("rev",))
    edl.check_grads(lambda x: normalize_by_batch(x, None, None, axis)[0], [x], order=2, modes=("rev",))
    edl.check_grads(lambda x, offset: normalize_by_batch(x, None, offset, axis)[0], [x, offset], order=1)


def test_many_rows_lose_no_digits():
    """The mean of a float32 batch that is large and far from 0."""
    x = np.float32(1000) + normal(40_000, 3).astype("float32")
    y, mean, variance = normalize_by_batch(edl.constant(x))
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-7)
    np.testing.assert_allclose(variance, exact.var(0), rtol=1e-4)
    assert abs(float(y.mean())) < 1e-3


def test_pieces_agree_with_the_whole(monkeypatch):
    x, g = edl.constant(normal(24, 6)), edl.constant(normal(24, 6, seed=1))
    whole = edl.grad(lambda x: (normalize_by_batch(x)[0] * g).sum())(x)
    monkeypatch.setattr("eagerdl.ops.batch_statistics.PIECE", 5)
    monkeypatch.setattr("eagerdl.ops.batch_statistics.BLOCK", 30)
    monkeypatch.setattr("eagerdl.ops.batch_statistics.WIDTH", 1)
    np.testing.assert_allclose(edl.grad(lambda x: (normalize_by_batch(x)[0] * g).sum())(x), whole, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    ("shape", "axis"), [*SHAPES, ((7, 33, 31, 16), -1), ((5, 3, 40, 41), 1), ((601, 40), -1)], ids=str
)
def test_programs_and_any_number_of_threads_compute_the_same_bits(monkeypatch, shape, axis, dtype):
    """Also where the last rows make a block of their own."""
    x, g = (edl.constant(normal(*shape, seed=i).astype(dtype)) for i in (0, 1))
    scale, offset = (edl.constant(normal(shape[axis], seed=i).astype(dtype)) for i in (2, 3))

    def gradients(x, scale, offset):
        with edl.GradientTape() as tape:
            tape.watch([x, scale, offset])
            y, mean, variance = normalize_by_batch(x, scale, offset, axis)
            loss = edl.sum(y * g)
        return y, mean, variance, *tape.gradient(loss, [x, scale, offset])

    traced = edl.function(gradients)
    traced(x, scale, offset)
    want = gradients(x, scale, offset)
    found = [traced(x, scale, offset)]
    monkeypatch.setattr("eagerdl.kernels.threads.WORTH_A_SHARE", 1000)
    for count in (1, 3):
        monkeypatch.setattr("eagerdl.kernels.threads.cores", lambda count=count: count)
        found.append(gradients(x, scale, offset))
    for results in found:
        assert all(np.array_equal(one, expected, equal_nan=True) for one, expected in zip(results, want))


def test_scale_of_another_size_is_refused():
    with pytest.raises(ShapeError, match=r"scale must hold one number for each of the 3 channels"):
        normalize_by_batch(edl.ones((2, 3)), edl.ones((2,)))


# -- batch normalization --------------------------------------------------------------------------


def test_moving_averages_follow_keras_rule():
    layer, x = L.BatchNormalization(momentum=0.9), normal(20, 3) * 2 + 4
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * x.var(0), rtol=1e-5)


def test_moving_averages_converge_and_inference_agrees_with_training():
    layer, x = L.BatchNormalization(momentum=0.5, dtype="float64"), normal(30, 2, 3) * 2 + 4
    for _ in range(60):
        trained = layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean, x.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(layer(x), trained, rtol=1e-10, atol=1e-10)


def test_inference_and_frozen_layers_leave_the_averages_alone():
    layer, x = L.BatchNormalization(), normal(5, 3) + 4
    first = layer(x)
    before = layer.get_weights()
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), first)
    for one, other in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_masked_steps_do_not_count():
    x, mask = normal(4, 6, 3), normal(4, 6, seed=1) > 0
    layer, other = (L.BatchNormalization(momentum=0.0, epsilon=0.1, dtype="float64") for _ in range(2))
    out = layer(x, mask=edl.constant(mask), training=True)
    np.testing.assert_allclose(layer.moving_mean, x[mask].mean(0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(layer.moving_variance, x[mask].var(0), rtol=1e-6)
    spoiled = np.where(mask[..., None], x, 1e3)
    np.testing.assert_array_equal(
        layer(spoiled, mask=edl.constant(mask), training=True).numpy()[mask], out.numpy()[mask]
    )
    attached = edl.constant(spoiled)
    set_mask(attached, edl.constant(mask))
    np.testing.assert_array_equal(other(attached, training=True).numpy()[mask], out.numpy()[mask])


def test_a_full_mask_is_no_mask():
    x = normal(4, 6, 3)
    outs = [
        L.BatchNormalization(dtype="float64")(x, mask=mask, training=True) for mask in (None, edl.ones((4, 6), "bool"))
    ]
    np.testing.assert_allclose(outs[0], outs[1], rtol=1e-7)


@pytest.mark.parametrize("masked", (False, True))
def test_gradients_in_training(masked):
    layer, x = L.BatchNormalization(dtype="float64", gamma_initializer="uniform"), edl.constant(normal(4, 5, 3))
    mask = edl.constant(normal(4, 5, seed=1) > -1) if masked else None
    layer(x)
    rest = [v.value for v in layer.non_trainable_variables]

    def out(x, *weights):
        return layer.stateless_call(list(weights), rest, x, mask=mask, training=True)[0]

    edl.check_grads(out, [x, *[v.value for v in layer.trainable_variables]], order=1, modes=("rev",))


@pytest.mark.parametrize("dtype", ("float16", "mixed_float16", "mixed_bfloat16"))
def test_half_precision_computes_statistics_in_float32(dtype):
    """Squares of these numbers overflow in float16, and bfloat16 cannot count to 400."""
    x = normal(400, 3) * 300 + 1000
    for layer in (
        L.BatchNormalization(dtype=dtype),
        L.GroupNormalization(1, dtype=dtype),
        L.LayerNormalization(dtype=dtype),
    ):
        out = layer(x, training=True) if isinstance(layer, L.BatchNormalization) else layer(x)
        assert str(out.dtype) == dtype.removeprefix("mixed_")
        assert np.isfinite(out.numpy().astype("float32")).all()
    out = L.BatchNormalization(dtype="mixed_float16")(x.astype("float16"), training=True).numpy().astype("float64")
    np.testing.assert_allclose(out, (x - x.mean(0)) / x.std(0), atol=0.01)


def test_renorm_without_limits_normalizes_by_its_averages():
    """x' r + d is (x - renorm_mean) / renorm_stddev."""
    layer, x = L.BatchNormalization(renorm=True, dtype="float64"), normal(20, 3) * 2 + 4
    layer(x, training=True)
    mean, deviation = layer.renorm_mean.numpy(), layer.renorm_stddev.numpy()
    np.testing.assert_allclose(layer(x, training=True), (x - mean) / deviation, rtol=1e-9)
    sigma = np.sqrt(x.var(0) + 1e-3)
    np.testing.assert_allclose(layer.renorm_stddev, 0.99 * deviation + 0.01 * sigma, rtol=1e-10)
    np.testing.assert_allclose(layer.moving_variance, layer.moving_stddev.numpy() ** 2 - 1e-3, rtol=1e-9)


def test_renorm_that_is_clipped_away_is_batch_normalization():
    x, limits = normal(20, 3) * 2 + 4, {"rmin": 1.0, "rmax": 1.0, "dmax": 0.0}
    outs = [L.BatchNormalization(dtype="float64", **more)(x, training=True)
            for more in ({}, {"renorm": True, "renorm_clipping": limits})]  # fmt: skip
    np.testing.assert_allclose(*outs, rtol=1e-9, atol=1e-12)


# -- normalization of examples --------------------------------------------------------------------


def test_group_normalization_between_layer_and_instance_normalization():
    x = normal(2, 4, 5, 6)
    one = L.GroupNormalization(1, dtype="float64")(x)
    np.testing.assert_allclose(one, L.LayerNormalization(axis=(1, 2, 3), dtype="float64")(x), rtol=1e-9, atol=1e-9)
    each = L.GroupNormalization(-1, dtype="float64")(x)
    np.testing.assert_allclose(each, L.LayerNormalization(axis=(1, 2), dtype="float64")(x), rtol=1e-9, atol=1e-9)


def test_examples_do_not_see_each_other():
    x = normal(3, 4, 6)
    for layer in (L.LayerNormalization(), L.GroupNormalization(2), L.RMSNormalization(), L.UnitNormalization()):
        np.testing.assert_allclose(layer(x).numpy()[1:2], layer(x[1:2]), rtol=1e-5, atol=1e-6)


def test_scaled_input_changes_nothing():
    x = normal(3, 6)
    for make in (L.LayerNormalization, L.RMSNormalization):
        layer = make(epsilon=0.0, dtype="float64")
        np.testing.assert_allclose(layer(7 * x), layer(x), rtol=1e-12)
    np.testing.assert_allclose(
        L.UnitNormalization(dtype="float64")(7 * x), L.UnitNormalization(dtype="float64")(x), rtol=1e-12
    )


def test_order_of_axes_does_not_matter():
    x = normal(2, 3, 4, 5)
    for make in (L.LayerNormalization, L.RMSNormalization):
        one, other = make(axis=[1, -1]), make(axis=(3, 1))
        np.testing.assert_array_equal(one(x), other(x))
        assert one.weights[0].shape == other.weights[0].shape == (3, 5)


# -- spectral normalization -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "inner", (lambda: L.Dense(3), lambda: L.EinsumDense("abc,cd->abd", (None, 3)), lambda: L.Embedding(5, 4))
)
def test_spectral_norm_becomes_one(inner):
    layer = L.SpectralNormalization(inner(), power_iterations=50)
    x = np.ones((2, 5), "int32") if isinstance(layer.layer, L.Embedding) else normal(2, 5, 4)
    layer(x, training=True)
    assert np.linalg.norm(layer.kernel.numpy(), 2) == pytest.approx(1, rel=1e-4)
    before = layer.get_weights()
    out = layer(x)
    np.testing.assert_array_equal(before[0], layer.get_weights()[0])
    np.testing.assert_array_equal(out, layer.layer(x))


def test_spectral_normalization_leaves_a_kernel_of_zeros_alone():
    layer = L.SpectralNormalization(L.Dense(3, kernel_initializer="zeros"))
    layer(normal(2, 4))
    before = layer.vector_u.numpy()
    np.testing.assert_array_equal(layer(normal(2, 4), training=True), np.zeros((2, 3)))
    np.testing.assert_array_equal(layer.vector_u, before)


def test_masks_pass_through_normalization_without_a_warning():
    x = edl.constant(normal(2, 3, 4).astype("float32"))
    set_mask(x, edl.ones((2, 3), "bool"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for layer in (L.RMSNormalization(), L.SpectralNormalization(L.Dense(2)), L.GroupNormalization(2)):
            assert get_mask(layer(x)) is not None


# -- what must fail -------------------------------------------------------------------------------


def shaped(*shape):
    return edl.ones(shape)


FAILURES = [
    (lambda: L.BatchNormalization(momentum=1.5), ArgumentError, r"momentum is finite and at least 0.0 and at most 1.0"),
    (lambda: L.BatchNormalization(epsilon=-1), ArgumentError, r"epsilon is finite and at least 0"),
    (lambda: L.BatchNormalization(axis="last"), DTypeError, r"axis is an int; got 'last'"),
    (lambda: L.BatchNormalization(synchronized=True), ArgumentError, r"not synchronized"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmx": 1.0}), ArgumentError, r"'rmx', did you mean 'rmax'"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmax": 1.0, "rmin": 2.0}), ArgumentError, r"rmax is at least"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1.0}), ArgumentError, r"dmax is finite and at least 0"),
    (lambda: L.BatchNormalization(axis=3)(shaped(2, 3)), ShapeError, r"axis names axes of the input, which has 2"),
    (lambda: L.BatchNormalization().build((None, None)), ShapeError, r"sizes of axis -1 must be known"),
    (lambda: L.BatchNormalization()(shaped(2, 3), mask=shaped(2, 3)), ShapeError, r"the mask has one axis less"),
    (lambda: L.LayerNormalization(axis=1.5), DTypeError, r"axis is an int or a list of ints; got 1.5"),
    (lambda: L.LayerNormalization(axis=[1, -1])(shaped(2, 3)), ShapeError, r"each once"),
    (lambda: L.LayerNormalization(rms_scaling=True), ArgumentError, r"use edl.layers.RMSNormalization"),
    (lambda: L.GroupNormalization(0), ArgumentError, r"groups .* must be a positive int"),
    (lambda: L.GroupNormalization(4)(shaped(2, 6)), ShapeError, r"4 groups must divide the channels evenly; got 6 channels"),
    (lambda: L.GroupNormalization(2, axis=0)(shaped(2, 6)), ShapeError, r"not on the batch axis"),
    (lambda: L.UnitNormalization(axis=None), DTypeError, r"axis is an int or a list"),
    (lambda: L.UnitNormalization(axis=5).compute_output_shape((2, 3)), ShapeError, r"axis names axes"),
    (lambda: L.SpectralNormalization(L.Dense(2), power_iterations=0), ArgumentError, r"power_iterations must be a positive int"),
    (lambda: L.SpectralNormalization(L.Flatten())(shaped(2, 3)), ArgumentError, r"Flatten has NoneType"),
    (lambda: L.SpectralNormalization(L.Dense(2, lora_rank=1))(shaped(2, 3)), ArgumentError, r"without LoRA"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), FAILURES, ids=[match for *_, match in FAILURES])
def test_failures(call, error, match):
    with pytest.raises(error, match=match):
        call()
