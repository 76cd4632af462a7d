"""Laws and refusals of the layers that merge, reshape, disturb, look up and wrap; each of them passes the battery as well."""

import json

import numpy as np
import pytest
from layer_cases.core import Doubled, affine

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError
from eagerdl.nn.layer import get_mask, set_mask

L = edl.layers


def masked(x, mask):
    x = edl.constant(x)
    set_mask(x, edl.constant(mask))
    return x


def some(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# -- what must fail -----------------------------------------------------------------------------------

FAILS = {
    "merging no list": (lambda: L.Add()(edl.ones((2, 3))), ShapeError, r"Add 'add.*a list of tensors is needed; got shapes one, \(2, 3\)"),
    "merging nothing": (lambda: L.Add().build([]), ShapeError, "a list of tensors is needed"),
    "merging two batches": (
        lambda: L.Add()([edl.ones((2, 3)), edl.ones((1, 3))]), ShapeError, r"same batch size; got shapes \(2, 3\), \(1, 3\)",
    ),
    "merging sizes that differ": (lambda: L.Multiply()([edl.ones((2, 3)), edl.ones((2, 4))]), ShapeError, "must broadcast"),
    "merging unknown sizes": (lambda: L.Add().compute_output_shape([(None, 3), (None, 4)]), ShapeError, "must broadcast"),
    "subtracting three": (lambda: L.subtract([edl.ones((2, 3))] * 3), ShapeError, "2 inputs are needed"),
    "concatenating sizes": (
        lambda: L.Concatenate(1)([edl.ones((2, 3, 4)), edl.ones((2, 3, 5))]), ShapeError, "may differ in size only along axis 1",
    ),
    "concatenating ranks": (lambda: L.concatenate([edl.ones((2, 3)), edl.ones((2, 3, 1))]), ShapeError, "equally many axes"),
    "concatenating along no axis": (lambda: L.concatenate([edl.ones((2, 3))] * 2, axis=2), ShapeError, "axis 2"),
    "concatenating along a name": (lambda: L.Concatenate("time"), DTypeError, "axis is an int; got 'time'"),
    "masks of other inputs": (
        lambda: L.Add().compute_mask([edl.ones((2, 3))] * 2, [None]), ArgumentError, "equally many masks are needed; got 1 masks",
    ),
    "dot of the batch axis": (lambda: L.dot([edl.ones((2, 3))] * 2, axes=0), ShapeError, "not that of the batch"),
    "dot of sizes that differ": (
        lambda: L.Dot(axes=(1, 2))([edl.ones((2, 3, 4)), edl.ones((2, 3, 4))]), ShapeError,
        "axis 1 of the first input and axis 2 of the second must have the same size",
    ),
    "dot of two batches": (lambda: L.dot([edl.ones((2, 3)), edl.ones((4, 3))]), ShapeError, "the same batch size"),
    "dot of three axes": (lambda: L.Dot(axes=(1, 2, 3)), ArgumentError, r"two ints; got \(1, 2, 3\)"),
    "dot of no axis": (lambda: L.Dot(axes=1.5), DTypeError, "axes is an int; got 1.5"),
    "reshaping to another size": (
        lambda: L.Reshape((2, 5))(edl.ones((3, 8))), ShapeError, r"\(2, 5\) must hold the elements .* input \(3, 8\), with 8 in each",
    ),
    "reshaping to no whole size": (lambda: L.Reshape((-1, 5))(edl.ones((3, 8))), ShapeError, "must hold the elements"),
    "two free sizes": (lambda: L.Reshape((-1, -1)), ArgumentError, "at most one size"),
    "a size of 0": (lambda: L.Reshape((0, 2)), ArgumentError, "positive int; got 0"),
    "no permutation": (lambda: L.Permute((1, 3)), ArgumentError, r"dims holds each of 1, 2, ... once; got dims=\(1, 3\)"),
    "a permutation of other axes": (lambda: L.Permute((2, 1))(edl.ones((2, 3))), ShapeError, "3 axes is needed"),
    "repeating never": (lambda: L.RepeatVector(0), ArgumentError, "n must be a positive int; got 0"),
    "repeating a matrix": (lambda: L.RepeatVector(2)(edl.ones((2, 3, 4))), ShapeError, "2 axes is needed"),
    "an unknown layout": (lambda: L.Flatten("channels"), ArgumentError, "channels_last"),
    "a rate above 1": (lambda: L.Dropout(1.5), ArgumentError, "rate=1.5"),
    "a rate below 0": (lambda: L.SpatialDropout1D(-0.1), ArgumentError, "rate=-0.1"),
    "a rate that is no number": (lambda: L.Dropout("half"), DTypeError, "rate is a number"),
    "infinite noise": (lambda: L.GaussianDropout(1.0), ArgumentError, "rate is below 1"),
    "a negative deviation": (lambda: L.GaussianNoise(-1.0), ArgumentError, "stddev=-1"),
    "a noise shape of 0": (lambda: L.Dropout(0.5, noise_shape=(2, 0)), ArgumentError, "noise_shape is a tuple"),
    "a noise shape as text": (lambda: L.AlphaDropout(0.5, noise_shape="12"), ArgumentError, "noise_shape is a tuple"),
    "a noise shape of other axes": (
        lambda: L.AlphaDropout(0.5, noise_shape=(2, 1))(edl.ones((2, 3, 4)), training=True), ShapeError, "must broadcast",
    ),
    "dropping channels of no channels": (lambda: L.SpatialDropout2D(0.5)(edl.ones((2, 3, 4))), ShapeError, "4 axes is needed"),
    "a negative slope": (lambda: L.LeakyReLU(-0.1), ArgumentError, "negative_slope=-0.1"),
    "a slope of None": (lambda: L.ReLU(negative_slope=None), DTypeError, "negative_slope is a number"),
    "slopes of unknown sizes": (lambda: L.PReLU().build((None, None, 3)), ShapeError, "shared_axes=None; share the slopes"),
    "slopes shared by examples": (lambda: L.PReLU(shared_axes=[0]).build((None, 3)), ShapeError, "without the batch axis"),
    "softmax with a mask of leading axes": (
        lambda: L.Softmax()(masked(some(2, 3, 4), np.ones((2, 3), bool))), ShapeError, r"input \(2, 3, 4\), mask \(2, 3\)",
    ),
    "an unknown activation": (lambda: L.Activation("rellu"), ArgumentError, "did you mean 'relu'"),
    "a negative factor": (lambda: L.ActivityRegularization(l1=-1.0), ArgumentError, "l1=-1"),
    "wrapping a function": (lambda: L.Wrapper(edl.tanh), DTypeError, "layer must be a layer"),
    "a pipeline of functions": (lambda: L.Pipeline([L.ReLU(), edl.tanh]), DTypeError, r"layers\[1\] must be a layer"),
    "Lambda of a number": (lambda: L.Lambda(3), DTypeError, "function is a function of tensors; got int"),
    "saving a lambda": (
        lambda: L.Lambda(lambda x: x, name="twice").get_config(), ArgumentError, "Lambda 'twice'.*function is a lambda; write it with def",
    ),
    "saving a lambda for shapes": (lambda: L.Lambda(affine, lambda s: s).get_config(), ArgumentError, "output_shape is a lambda"),
    "loading code": (
        lambda: L.Lambda.from_config({"function": {"class_name": "__lambda__", "config": {"code": "", "defaults": None}}}),
        ArgumentError, "code in a config is not executed",
    ),
    "loading an unknown function": (
        lambda: L.Lambda.from_config({"function": {"class_name": "function", "config": "gone", "module": "x"}}),
        ArgumentError, "register_keras_serializable",
    ),
    "an index above": (
        lambda: L.Embedding(5, 2, name="words")(np.array([[1, 7]])), RangeError,
        r"Embedding 'words'\] indices are whole numbers from 0 to input_dim - 1 = 4; got 7 in indices of shape \(1, 2\)",
    ),
    "an index below": (lambda: L.Embedding(5, 2)(np.array([-1])), RangeError, "got -1"),
    "an index that is not whole": (lambda: L.Embedding(5, 2)(np.array([1.0, 2.5])), RangeError, "got 2.5"),
    "an index that is no number": (lambda: L.Embedding(5, 2)(np.array([np.nan])), RangeError, "got nan"),
    "no words": (lambda: L.Embedding(0, 2), ArgumentError, "input_dim must be a positive int; got 0"),
    "vectors of size True": (lambda: L.Embedding(2, True), ArgumentError, "output_dim must be a positive int; got True"),
    "weights of another shape": (lambda: L.Embedding(5, 2, weights=some(2, 5)), ShapeError, r"matrix \(5, 2\); got shape \(2, 5\)"),
    "embeddings before they exist": (lambda: L.Embedding(5, 2).embeddings, ArgumentError, "the layer is not built"),
    "LoRA before the weights": (lambda: L.Embedding(5, 2).enable_lora(1), ArgumentError, "it is not built"),
    "LoRA of constrained weights": (
        lambda: L.Embedding(5, 2, embeddings_constraint="non_neg", lora_rank=1)(np.array([1])), ArgumentError, "embeddings_constraint",
    ),
    "the way back of other vectors": (
        lambda: L.ReversibleEmbedding(5, 2)(edl.ones((1, 3)), reverse=True), ShapeError, r"output_dim = 2; got shape \(1, 3\)",
    ),
    "no bound": (lambda: L.ReversibleEmbedding(5, 2, logit_soft_cap=0), ArgumentError, "logit_soft_cap is positive"),
    "an equation without an arrow": (lambda: L.EinsumDense("ab,bc", 3), ArgumentError, "equations are written as"),
    "dots on one side": (lambda: L.EinsumDense("...b,bc->c", 3), ArgumentError, "equations are written as"),
    "an axis of the kernel alone": (lambda: L.EinsumDense("ab,bcd->ac", 3), ArgumentError, "in the input or the output; got 'd'"),
    "an axis of the output alone": (lambda: L.EinsumDense("ab,bc->acd", 3), ArgumentError, "in the input or the kernel; got 'd'"),
    "a bias of no axis": (lambda: L.EinsumDense("ab,bc->ac", 3, bias_axes="b"), ArgumentError, "bias_axes are axes of the output; got 'b'"),
    "a batch axis elsewhere": (lambda: L.EinsumDense("ab,bc->ca", 3), ArgumentError, "the first axis of input and output"),
    "a batch axis in the kernel": (lambda: L.EinsumDense("ab,abc->ac", 3), ArgumentError, "the kernel has no batch axis"),
    "a letter twice": (lambda: L.EinsumDense("abb,bc->ac", 3), ArgumentError, "a letter of its own; got 'abb'"),
    "an equation of other axes": (lambda: L.EinsumDense("ab,bc->ac", 3)(edl.ones((2, 3, 4))), ShapeError, r"got input \(2, 3, 4\)"),
    "an output of other axes": (lambda: L.EinsumDense("abc,cd->abd", 3)(edl.ones((2, 3, 4))), ShapeError, r"in 'bd' of 'abc,cd->abd'; got \(3,\)"),
    "an output of another size": (
        lambda: L.EinsumDense("abc,cd->abd", (5, 3))(edl.ones((2, 3, 4))), ShapeError, "axis 'b'.*got 3 in input .* 5 in output_shape",
    ),
    "an equation that is no text": (lambda: L.EinsumDense(3, 3), DTypeError, "are strings"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILS)
def test_refusals_say_what_is_wrong(name):
    call, error, match = FAILS[name]
    with pytest.raises(error, match=match):
        call()


def test_a_built_layer_refuses_other_sizes():
    for layer, x, other in (
        (L.PReLU(), (2, 3, 4), (2, 1, 4)),
        (L.EinsumDense("abc,cd->abd", (None, 3)), (2, 3, 4), (2, 3, 5)),
        (L.Embedding(5, 2), (2, 3), None),
    ):
        layer(edl.zeros(x, dtype="int32") if other is None else edl.ones(x))
        if other is not None:
            with pytest.raises(ShapeError, match="must have size"):
                layer(edl.ones(other))


# -- masks --------------------------------------------------------------------------------------------


def test_masking_masks_steps_whose_features_all_have_the_value():
    x = some(2, 4, 3).astype("float32")
    x[0, 1] = x[1, 3] = 0.5
    x[0, 2, :2] = 0.5
    out = L.Masking(0.5)(x)
    want = ~(x == 0.5).all(-1)
    np.testing.assert_array_equal(get_mask(out), want)
    np.testing.assert_array_equal(out, np.where(want[..., None], x, 0))


X, Y = some(2, 3, 4, seed=1), some(2, 3, 4, seed=2)
M, N = np.array([[1, 1, 0], [0, 1, 0]], bool), np.array([[1, 0, 0], [1, 1, 0]], bool)
M4, N4 = M[..., None], N[..., None]

MASKED = {
    "Add": (L.Add, X + Y, M | N),
    "Average": (L.Average, (X + Y) / 2, M | N),
    "Subtract": (L.Subtract, X - Y, M | N),
    "Multiply": (L.Multiply, np.where(M4 | N4, np.where(M4, X, 1) * np.where(N4, Y, 1), 0), M | N),
    "Maximum": (L.Maximum, np.select([M4 & ~N4, N4 & ~M4], [X, Y], np.maximum(X, Y)), M | N),
    "Minimum": (L.Minimum, np.select([M4 & ~N4, N4 & ~M4], [X, Y], np.minimum(X, Y)), M | N),
    "Concatenate": (L.Concatenate, np.concatenate([X, Y], -1), M | N),
    "Concatenate along time": (lambda: L.Concatenate(1), np.concatenate([X, Y], 1), np.concatenate([M, N], 1)),
    "Dot": (lambda: L.Dot(axes=(2, 2)), np.einsum("bik,bjk->bij", X, Y), None),
}


@pytest.mark.parametrize("name", MASKED)
def test_merging_layers_merge_masks(name):
    make, want, mask = MASKED[name]
    layer = make()
    layer.dtype_policy = "float64"
    out = layer([masked(X, M), masked(Y, N)])
    known = M4 | N4 if name in ("Maximum", "Minimum") else True
    np.testing.assert_allclose(np.where(known, out, 0), np.where(known, want, 0), rtol=1e-12)
    if mask is None:
        assert get_mask(out) is None
    else:
        np.testing.assert_array_equal(get_mask(out), mask)


def test_an_input_without_a_mask_counts_as_known():
    assert get_mask(L.add([masked(X, M), edl.constant(Y)])) is None
    mask = get_mask(L.concatenate([masked(X, M), edl.constant(Y)], axis=1))
    np.testing.assert_array_equal(mask, np.concatenate([M, np.ones_like(M)], 1))
    out = L.maximum([masked(X, M), edl.constant(Y)], dtype="float64")
    np.testing.assert_array_equal(out, np.where(M4, np.maximum(X, Y), Y))


def test_masks_of_leading_axes_reach_all_axes_behind():
    x = masked(some(2, 3, 4, 5), M)
    out = L.Multiply(dtype="float64")([x, masked(np.ones((2, 3, 4, 5)), M)])
    np.testing.assert_array_equal(out, np.where(M[..., None, None], x, 0))
    np.testing.assert_array_equal(get_mask(L.concatenate([x, x])), M)


@pytest.mark.parametrize("layer", (L.Flatten(), L.Reshape((12,)), L.Permute((2, 1))), ids=lambda layer: layer.name)
def test_layers_that_move_steps_warn_and_drop_masks(layer):
    with pytest.warns(UserWarning, match="does not support masking"):
        assert get_mask(layer(masked(X, M))) is None


def test_embeddings_mask_0():
    ids = np.array([[1, 0, 2], [0, 0, 3]])
    for layer in (L.Embedding(4, 2, mask_zero=True), L.ReversibleEmbedding(4, 2, mask_zero=True)):
        np.testing.assert_array_equal(get_mask(layer(ids)), ids != 0)
    out = layer(layer(ids), reverse=True)
    assert get_mask(out) is None
    assert get_mask(L.Embedding(4, 2)(ids)) is None


def test_lambda_has_the_mask_that_it_is_given():
    seen = []

    def mean(x, mask, training):
        seen.append((mask, training))
        return edl.mean(x, axis=-1)

    out = L.Lambda(mean, mask=lambda inputs, mask: edl.logical_not(mask))(masked(X, M), training=True)
    np.testing.assert_array_equal(get_mask(out), ~M)
    np.testing.assert_array_equal(seen[0][0], M)
    assert seen[0][1] is True
    np.testing.assert_array_equal(get_mask(L.Lambda(edl.negative, mask=edl.constant(N))(X)), N)


def test_softmax_leaves_masked_elements_out():
    x, keep = some(3, 4), np.array([[1, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
    out = L.Softmax(dtype="float64")(x, mask=keep).numpy()
    e = np.where(keep, np.exp(x), 0)
    np.testing.assert_allclose(out[:2], e[:2] / e[:2].sum(-1, keepdims=True), rtol=1e-12)
    assert not out[2].any()
    np.testing.assert_array_equal(L.Softmax(dtype="float64")(x, mask=keep.astype("float32")), out)
    edl.check_grads(lambda x: L.Softmax(dtype="float64")(x, mask=keep), (edl.constant(x),), order=1)


# -- disturbances -------------------------------------------------------------------------------------


def test_dropout_keeps_the_mean():
    x = np.ones((200, 500), "float32")
    out = L.Dropout(0.2, seed=1)(x, training=True).numpy()
    assert set(np.unique(out)) == {np.float32(0), np.float32(1.25)}
    assert abs((out == 0).mean() - 0.2) < 0.005


def test_noise_shapes_share_the_mask():
    x = np.ones((3, 5, 7), "float32")
    for layer in (
        L.Dropout(0.5, (None, 1, 7), seed=1),
        L.AlphaDropout(0.5, (None, 1, 7), seed=1),
        L.SpatialDropout1D(0.5, seed=1),
    ):
        out = layer(x, training=True).numpy()
        assert (out == out[:, :1]).all()
        assert len(np.unique(out)) == 2


@pytest.mark.parametrize("data_format", ("channels_last", "channels_first"))
def test_spatial_dropout_drops_channels(data_format):
    channels = 3 if data_format == "channels_last" else 1
    x = np.ones((4, 8, 8, 8), "float32")
    out = np.moveaxis(L.SpatialDropout2D(0.5, data_format, seed=1)(x, training=True).numpy(), channels, 1)
    assert (out == out[:, :, :1, :1]).all()
    assert 0 < (out[:, :, 0, 0] == 0).mean() < 1


def test_alpha_dropout_keeps_mean_and_variance():
    x = edl.random.normal((400, 500), seed=1)
    out = L.AlphaDropout(0.3, seed=2)(x, training=True).numpy()
    assert abs(out.mean()) < 0.01 and abs(out.std() - 1) < 0.01


def test_gaussian_disturbances_have_their_deviations():
    x = np.full((400, 500), 2.0, "float32")
    out = L.GaussianDropout(0.2, seed=1)(x, training=True).numpy()
    assert abs(out.mean() - 2) < 0.01 and abs(out.std() - 2 * 0.5) < 0.01
    out = L.GaussianNoise(3.0, seed=1)(x, training=True).numpy()
    assert abs(out.mean() - 2) < 0.03 and abs(out.std() - 3) < 0.03


@pytest.mark.parametrize("make", (L.Dropout, L.AlphaDropout, L.GaussianDropout, L.GaussianNoise, L.SpatialDropout1D))
def test_equal_seeds_draw_equal_numbers(make):
    x = some(2, 3, 8).astype("float32")
    one, two = make(0.5, seed=4), make(0.5, seed=4)
    for _ in range(2):
        np.testing.assert_array_equal(one(x, training=True), two(x, training=True))
    assert len(one.variables) == len(one.non_trainable_variables) == 1 and one.weights == []


def test_the_gradient_of_dropout_is_its_mask():
    x = edl.constant(some(4, 8))
    with edl.GradientTape() as tape:
        tape.watch(x)
        out = L.Dropout(0.5, seed=1, dtype="float64")(x, training=True)
        total = edl.sum(out)
    np.testing.assert_allclose(tape.gradient(total, x) * x, out, rtol=1e-12)


# -- lookups and products -----------------------------------------------------------------------------

LOW_RANK = {
    "Embedding": (lambda: L.Embedding(6, 4), lambda: np.array([[1, 2], [5, 0]])),
    "EinsumDense": (lambda: L.EinsumDense("abc,cde->abde", (None, 2, 3)), lambda: some(2, 3, 4)),
    "Dense": (lambda: L.Dense(3), lambda: some(2, 4)),
}


@pytest.mark.parametrize("name", LOW_RANK)
def test_low_rank_updates_start_at_zero_and_train_alone(name):
    make, inputs = LOW_RANK[name]
    layer, x = make(), inputs()
    before = layer(x)
    frozen = layer.weights[0]
    layer.enable_lora(2)
    np.testing.assert_allclose(layer(x), before, rtol=1e-6)
    layer.trainable = False
    layer.trainable = True
    assert not frozen.trainable
    assert {"lora" in v.name for v in layer.trainable_variables if v.name != "bias"} == {True}
    with pytest.raises(ArgumentError, match="already"):
        layer.enable_lora(2)


def test_embeddings_begin_with_given_weights():
    matrix = some(5, 2).astype("float32")
    for weights in (matrix, [matrix]):
        layer = L.Embedding(5, 2, weights=weights)
        assert layer.built
        np.testing.assert_array_equal(layer.embeddings, matrix)
        np.testing.assert_array_equal(layer([[4, 0]]), matrix[[[4, 0]]])
    layer = L.ReversibleEmbedding(5, 2, tie_weights=False, weights=matrix)
    assert [v.shape for v in layer.weights] == [(5, 2), (2, 5)]


@pytest.mark.parametrize("dtype", ("int8", "uint8", "int64", "uint32", "float32", "bool"))
def test_embeddings_take_indices_of_any_dtype(dtype):
    layer = L.Embedding(5, 2)
    np.testing.assert_array_equal(layer(np.array([0, 1], dtype)), layer.embeddings[:2])


def test_tied_embeddings_learn_from_both_directions():
    layer = L.ReversibleEmbedding(5, 3, dtype="float64", embeddings_initializer="normal")
    ids = np.array([[1, 2, 2]])
    with edl.GradientTape() as tape:
        loss = edl.sum(layer(layer(ids), reverse=True) ** 2)
    w = layer.embeddings.numpy()
    scores = w[ids[0]] @ w.T
    want = 2 * scores.T @ w[ids[0]]
    np.add.at(want, ids[0], 2 * scores @ w)
    np.testing.assert_allclose(tape.gradient(loss, layer.trainable_variables)[0], want, rtol=1e-10)


def test_einsum_kernels_begin_with_the_variance_of_their_fans():
    """Glorot's 2 / (fan in + fan out), where the equation tells which axes are inputs."""
    layer = L.EinsumDense("abde,dec->abc", (None, 40), kernel_initializer="glorot_normal")
    layer.build((None, 3, 8, 25))
    assert abs(np.var(layer.kernel.numpy()) * (200 + 40) / 2 - 1) < 0.1
    assert layer.get_config()["kernel_initializer"]["config"]["input_axes"] is None


# -- layers around others -----------------------------------------------------------------------------


def test_wrapped_layers_have_paths_and_travel_with_their_weights():
    outer = Doubled(L.Dense(3, name="inner"), name="outer")
    outer.build((None, 4))
    assert outer.weights[0].path == "outer/inner/kernel"
    config = json.loads(json.dumps(edl.saving.serialize_keras_object(outer)))
    again = edl.saving.deserialize_keras_object(config)
    assert again.layer.name == "inner" and [v.shape for v in again.weights] == [(4, 3), (3,)]


def test_pipelines_pass_masks_and_the_mode_on():
    ids = np.array([[1, 0, 2], [0, 0, 3]])
    layers = [L.Embedding(4, 2, mask_zero=True), L.Dropout(0.5, seed=1), L.ReLU()]
    pipeline = L.Pipeline(layers)
    out = pipeline(ids, training=False)
    np.testing.assert_array_equal(out, edl.relu(layers[0](ids)))
    np.testing.assert_array_equal(get_mask(out), ids != 0)
    assert (pipeline(ids) != out).numpy().any()
    assert pipeline.layers == layers


def test_activity_regularization_is_a_loss_per_example():
    x = some(4, 3)
    layer = L.ActivityRegularization(l1=0.5, l2=0.25, dtype="float64")
    layer(x)
    np.testing.assert_allclose(layer.losses[0], (0.5 * np.abs(x).sum() + 0.25 * (x**2).sum()) / 4, rtol=1e-12)


SYMBOLIC = {
    "add": (lambda x, y: L.add([x, y]), (None, 3, 4)),
    "subtract": (lambda x, y: L.subtract([x, y]), (None, 3, 4)),
    "multiply": (lambda x, y: L.multiply([x, y]), (None, 3, 4)),
    "average": (lambda x, y: L.average([x, y]), (None, 3, 4)),
    "maximum": (lambda x, y: L.maximum([x, y]), (None, 3, 4)),
    "minimum": (lambda x, y: L.minimum([x, y]), (None, 3, 4)),
    "concatenate": (lambda x, y: L.concatenate([x, y]), (None, 3, 8)),
    "dot": (lambda x, y: L.dot([x, y]), (None, 3, 3)),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_functions_take_symbolic_tensors(name):
    merge, shape = SYMBOLIC[name]
    x, y = edl.KerasTensor((None, 3, 4)), edl.KerasTensor((None, 3, 4))
    assert merge(x, y).shape == shape
    values = [edl.constant(v.astype("float32")) for v in (X, Y)]
    assert merge(*values).shape == (2, *shape[1:])


def test_unknown_sizes_stay_unknown():
    assert L.Flatten().compute_output_shape((None, None, 3)) == (None, None)
    assert L.Reshape((-1, 6)).compute_output_shape((None, None, 3)) == (None, None, 6)
    assert L.Add().compute_output_shape([(None, None, 3), (None, 1, 3)]) == (None, None, 3)
    assert L.Add().compute_output_shape([(None, None, 3), (2, 5, 1)]) == (2, 5, 3)
    assert L.Concatenate(1).compute_output_shape([(None, None, 3), (None, 2, 3)]) == (None, None, 3)
    assert L.EinsumDense("abc,cd->abd", (None, 5)).compute_output_shape((None, None, 3)) == (None, None, 5)
