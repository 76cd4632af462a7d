"""Laws of the layers over space, and what they refuse."""

import inspect

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.nn.layer import get_mask, set_mask

L = edl.layers


def normal(*shape, seed=0):
    return edl.constant(np.random.default_rng(seed).standard_normal(shape))


# -- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "padding, strides, sizes",
    (("valid", (2, 1), (7, 4)), ("valid", 3, (6, 9)), ("same", (2, 1), (8, 4)), ("same", 3, (6, 9))),
)
def test_the_transposed_layer_is_the_transpose(padding, strides, sizes):
    """<conv(x), y> == <x, transposed(y)> for one kernel, on sizes that the transposed layer gives."""
    conv = L.Conv2D(4, 3, strides, padding, use_bias=False, dtype="float64")
    back = L.Conv2DTranspose(2, 3, strides, padding, use_bias=False, dtype="float64")
    x = normal(2, *sizes, 2)
    out = conv(x)
    y = normal(*out.shape, seed=1)
    back.build(y.shape)
    back.kernel.assign(conv.kernel)
    assert back(y).shape == x.shape
    np.testing.assert_allclose(edl.sum(out * y).numpy(), edl.sum(x * back(y)).numpy(), rtol=1e-12)


@pytest.mark.parametrize("data_format", ("channels_last", "channels_first"))
def test_causal_outputs_do_not_see_later_steps(data_format):
    layer = L.Conv1D(2, 3, padding="causal", dilation_rate=2, data_format=data_format, dtype="float64")
    axis = 1 if data_format == "channels_last" else 2
    x = np.random.default_rng(0).standard_normal((1, 8, 2) if axis == 1 else (1, 2, 8))
    later = x.copy()
    later[(slice(None),) * axis + (slice(5, None),)] = 9.0
    differs = (layer(x).numpy() != layer(later).numpy()).any(axis=(0, 3 - axis))
    assert differs.tolist() == [False] * 5 + [True] * 3


def test_a_separable_convolution_is_a_depthwise_one_and_one_of_size_1():
    x = normal(2, 5, 5, 3)
    whole = L.SeparableConv2D(4, 3, depth_multiplier=2, bias_initializer="normal", dtype="float64")
    want = whole(x)
    depthwise = L.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, dtype="float64")
    mixing = L.Conv2D(4, 1, dtype="float64")
    mixing(depthwise(x))
    depthwise.set_weights(whole.get_weights()[:1])
    mixing.set_weights(whole.get_weights()[1:])
    np.testing.assert_allclose(mixing(depthwise(x)), want, rtol=1e-12)


def test_a_convolution_with_as_many_groups_as_channels_is_depthwise():
    x = normal(2, 5, 3)
    one, other = L.Conv1D(6, 2, groups=3, dtype="float64"), L.DepthwiseConv1D(2, depth_multiplier=2, dtype="float64")
    other.build(x.shape)
    want = one(x)
    other.set_weights([one.get_weights()[0].reshape(2, 3, 2), one.get_weights()[1]])
    np.testing.assert_allclose(other(x), want, rtol=1e-12)


def test_size_1_is_a_dense_layer():
    x = normal(2, 3, 4, 5)
    conv, dense = L.Conv2D(6, 1, activation="relu", dtype="float64"), L.Dense(6, activation="relu", dtype="float64")
    want = conv(x)
    dense.build(x.shape)
    dense.set_weights([w.reshape(w.shape[-2:]) if w.ndim > 1 else w for w in conv.get_weights()])
    np.testing.assert_allclose(dense(x), want, rtol=1e-12)


@pytest.mark.parametrize("kind", ("Max", "Average"))
def test_three_ways_to_pool_all_of_space(kind):
    x = normal(2, 3, 4, 5)
    want = getattr(L, f"Global{kind}Pooling2D")(keepdims=True, dtype="float64")(x)
    for layer in (
        getattr(L, f"{kind}Pooling2D")((3, 4), dtype="float64"),
        getattr(L, f"Adaptive{kind}Pooling2D")(1, dtype="float64"),
    ):
        np.testing.assert_allclose(layer(x), want, rtol=1e-12)


@pytest.mark.parametrize("rank", (1, 2, 3))
def test_cropping_undoes_zero_padding(rank):
    pairs = ((1, 2), (0, 3), (2, 0))[:rank]
    given = pairs[0] if rank == 1 else pairs
    x = normal(2, *(2, 3, 4)[:rank], 2)
    padded = getattr(L, f"ZeroPadding{rank}D")(given, dtype="float64")(x)
    assert np.count_nonzero(padded) == x.size
    np.testing.assert_array_equal(getattr(L, f"Cropping{rank}D")(given, dtype="float64")(padded), x)


@pytest.mark.parametrize("rank", (1, 2, 3))
@pytest.mark.parametrize(
    "name", ("Conv{}D", "Conv{}DTranspose", "MaxPooling{}D", "ZeroPadding{}D", "GlobalMaxPooling{}D")
)
def test_channels_first_is_the_same_with_axes_moved(name, rank):
    make, arguments = getattr(L, name.format(rank)), (3, 2) if name.startswith("Conv") else ()
    x = normal(2, *(4, 3, 5)[:rank], 2)
    last = make(*arguments, data_format="channels_last", dtype="float64")
    first = make(*arguments, data_format="channels_first", dtype="float64")
    want, moved = last(x), edl.moveaxis(x, -1, 1)
    first.build(moved.shape)
    first.set_weights(last.get_weights())
    out = first(moved)
    np.testing.assert_array_equal(edl.moveaxis(out, 1, -1) if out.ndim > 2 else out, want)


def test_sizes_may_be_unknown():
    for layer, shape in (
        (L.Conv2D(5, 3, padding="same", strides=2), (None, None, 4, 5)),
        (L.Conv2DTranspose(5, 3, strides=2, output_padding=1), (None, None, 16, 5)),
        (L.SeparableConv2D(5, 3), (None, None, 5, 5)),
        (L.MaxPooling2D(), (None, None, 3, 3)),
        (L.UpSampling2D(2), (None, None, 14, 3)),
        (L.ZeroPadding2D(), (None, None, 9, 3)),
        (L.Cropping2D(1), (None, None, 5, 3)),
        (L.AdaptiveMaxPooling2D(2), (None, 2, 2, 3)),
    ):
        assert layer.compute_output_shape((None, None, 7, 3)) == shape, layer
        assert layer(edl.Input((None, 7, 3))).shape == shape
        assert layer(edl.ones((2, 5, 7, 3))).shape[2:] == shape[2:]
    assert L.DepthwiseConv2D(3).compute_output_shape((None, 5, 5, None)) == (None, 3, 3, None)


def test_the_configured_layout_is_the_default():
    edl.config.set_image_data_format("channels_first")
    try:
        layers = L.Conv2D(4, 3), L.MaxPooling2D(), L.GlobalMaxPooling2D(), L.AdaptiveMaxPooling2D(2), L.ZeroPadding2D()
        assert {layer.get_config()["data_format"] for layer in layers} == {"channels_first"}
        assert L.UpSampling1D(2)(edl.ones((1, 2, 3))).shape == (1, 4, 3)
        assert L.Cropping1D(1)(edl.ones((1, 4, 3))).shape == (1, 2, 3)
    finally:
        edl.config.set_image_data_format("channels_last")
    assert layers[0](edl.ones((1, 2, 5, 5))).shape == (1, 4, 3, 3)


def test_aliases_are_the_same_classes():
    for long, short in (("Pooling", "Pool"), ("AveragePooling", "AvgPool")):
        for rank in (1, 2, 3):
            kinds = ("Max", "GlobalMax") if long == "Pooling" else ("", "Global")
            for kind in kinds:
                assert getattr(L, f"{kind}{long}{rank}D") is getattr(L, f"{kind}{short}{rank}D")
    for rank in (1, 2, 3):
        assert getattr(L, f"Convolution{rank}D") is getattr(L, f"Conv{rank}D")
        assert getattr(L, f"Convolution{rank}DTranspose") is getattr(L, f"Conv{rank}DTranspose")
    assert L.SeparableConvolution1D is L.SeparableConv1D and L.SeparableConvolution2D is L.SeparableConv2D


def test_each_rank_shows_and_uses_its_own_defaults():
    def default(cls, name):
        return inspect.signature(cls).parameters[name].default

    assert default(L.Conv1D, "strides") == 1 and default(L.Conv3D, "strides") == (1, 1, 1)
    assert (
        default(L.MaxPooling2D, "pool_size") == (2, 2)
        and default(L.AveragePooling2D, "pool_size") is inspect.Parameter.empty
    )
    assert L.Cropping1D().cropping == (1, 1) and L.Cropping2D().cropping == ((0, 0), (0, 0))
    assert L.ZeroPadding2D().padding == ((1, 1), (1, 1))


def test_subclasses_have_arguments_of_their_own():
    class Block(L.Conv2D):
        def __init__(self, width, **kwargs):
            super().__init__(width, 3, padding="same", **kwargs)

        def get_config(self):
            return {"width": self.filters, "name": self.name}

    block = Block(4, name="block")
    assert block(edl.ones((1, 5, 5, 2))).shape == (1, 5, 5, 4)
    assert Block.from_config(block.get_config()).filters == 4


def test_lora_begins_with_no_change_and_trains_little():
    x = normal(2, 5, 5, 3)
    layer = L.Conv2D(4, 3, kernel_regularizer="l2", dtype="float64")
    want, kernel = layer(x).numpy(), layer.kernel.numpy()
    layer.enable_lora(2, lora_alpha=6)
    np.testing.assert_array_equal(layer(x), want)
    assert [v.name for v in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert len(layer.losses) == 2
    layer.lora_kernel_b.assign(edl.ones((2, 4)))
    update = 3.0 * layer.lora_kernel_a.numpy() @ np.ones((2, 4))
    np.testing.assert_allclose(layer.kernel.numpy(), kernel + update, rtol=1e-12)
    layer.trainable = False
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert layer.get_config()["lora_rank"] == 2 and layer.get_config()["lora_alpha"] == 6
    with pytest.raises(edl.errors.ArgumentError, match=r"LoRA is enabled once.*it is enabled already"):
        layer.enable_lora(2)


def test_global_averages_leave_out_masked_steps_and_the_mask():
    x = edl.constant([[[1.0], [3.0], [np.nan]], [[2.0], [np.nan], [np.nan]], [[5.0], [5.0], [5.0]]])
    set_mask(x, edl.constant([[True, True, False], [True, False, False], [False, False, False]]))
    out = L.GlobalAveragePooling1D()(x)
    np.testing.assert_array_equal(out, [[2.0], [2.0], [np.nan]])
    assert get_mask(out) is None


def test_masks_do_not_pass_convolutions():
    x = edl.ones((1, 4, 2))
    set_mask(x, edl.ones((1, 4), dtype="bool"))
    with pytest.warns(UserWarning, match="Conv1D 'narrow' got input with a mask"):
        L.Conv1D(2, 2, name="narrow")(x)


def test_integers_are_pooled_and_padded_as_they_are():
    x = edl.constant(np.arange(16, dtype="int32").reshape(1, 4, 4, 1))
    assert L.MaxPooling2D()(x).numpy().ravel().tolist() == [5, 7, 13, 15]
    assert L.ZeroPadding2D()(x).dtype == "int32"
    assert L.AveragePooling2D(2)(x).numpy().ravel().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_empty_batches_pass():
    x = edl.ones((0, 5, 5, 2))
    assert L.Conv2D(3, 2)(x).shape == (0, 4, 4, 3)
    assert L.Conv2DTranspose(3, 2, strides=2)(x).shape == (0, 10, 10, 3)
    assert L.MaxPooling2D()(x).shape == (0, 2, 2, 2)
    assert L.UpSampling2D()(x).shape == (0, 10, 10, 2)


# -- what is refused ----------------------------------------------------------------------------


ARGUMENTS = {
    "filters": (lambda: L.Conv2D(0, 3), r"\[Conv2D 'conv2d\w*'\] filters must be a positive int; got 0"),
    "kernel_size": (lambda: L.Conv2D(1, (3, 3, 3)), r"kernel_size is an int or 2 ints, at least 1 each; got kernel_size=\(3, 3, 3\)"),
    "kernel_size 0": (lambda: L.Conv1D(1, 0), r"kernel_size is an int or 1 ints, at least 1 each; got kernel_size=0"),
    "kernel_size type": (lambda: L.Conv2D(1, 1.5), r"kernel_size is an int or one int per spatial axis; got kernel_size=1.5"),
    "strides": (lambda: L.DepthwiseConv2D(3, strides=0), r"strides is an int or 2 ints, at least 1 each"),
    "dilation": (lambda: L.SeparableConv1D(1, 3, dilation_rate=-1), r"dilation_rate is an int or 1 ints"),
    "padding": (lambda: L.Conv2D(1, 3, padding="sme"), r"padding is one of 'valid', 'same'; got 'sme', did you mean 'same'\?"),
    "causal": (lambda: L.Conv2D(1, 3, padding="causal"), r"padding is one of 'valid', 'same'; got 'causal'"),
    "data_format": (lambda: L.Conv2D(1, 3, data_format="channel_first"), r"data_format is one of .* did you mean 'channels_first'"),
    "groups": (lambda: L.Conv2D(4, 3, groups=3), r"groups must divide filters; got filters=4, groups=3"),
    "activation": (lambda: L.Conv2D(4, 3, activation="rellu"), r"did you mean 'relu"),
    "multiplier": (lambda: L.DepthwiseConv1D(3, depth_multiplier=0), r"depth_multiplier must be a positive int"),
    "output_padding": (
        lambda: L.Conv2DTranspose(1, 3, strides=2, output_padding=2),
        r"output_padding must be smaller than strides along each axis; got output_padding=\(2, 2\), strides=\(2, 2\)",
    ),
    "unbuilt": (lambda: L.Conv2D(1, 3, name="c").kernel, r"\[Conv2D 'c'.kernel\] the weights must exist"),
    "unbuilt LoRA": (lambda: L.Conv2D(1, 3).enable_lora(2), r"LoRA is enabled once, on a built layer .* it is not built"),
    "pool_size": (lambda: L.MaxPooling2D((2, 0)), r"pool_size is an int or 2 ints, at least 1 each; got pool_size=\(2, 0\)"),
    "pool strides": (lambda: L.AveragePooling1D(2, strides=0), r"strides is an int or 1 ints"),
    "pool padding": (lambda: L.MaxPooling2D(padding="valdi"), r"did you mean 'valid'"),
    "output_size": (lambda: L.AdaptiveMaxPooling2D((1, 2, 3)), r"output_size is an int or 2 ints"),
    "size 1D": (lambda: L.UpSampling1D(2.5), r"size must be a positive int; got 2.5"),
    "size 1D pair": (lambda: L.UpSampling1D((2,)), r"size must be a positive int; got \(2,\)"),
    "size 2D": (lambda: L.UpSampling2D((2, 2, 2)), r"size is an int or 2 ints"),
    "interpolation": (lambda: L.UpSampling2D(interpolation="bicubics"), r"interpolation is one of .* did you mean 'bicubic'"),
    "padding pairs": (lambda: L.ZeroPadding2D((1, 2, 3)), r"padding is an int, or 2 ints, or 2 pairs of ints, none below 0; got \(1, 2, 3\)"),
    "padding negative": (lambda: L.ZeroPadding3D(-1), r"padding is an int, or 3 ints, or 3 pairs .* got -1"),
    "padding 1D": (lambda: L.ZeroPadding1D((1, 2, 3)), r"padding is an int, or a pair of ints, none below 0; got \(1, 2, 3\)"),
    "padding type": (lambda: L.ZeroPadding2D("1"), r"padding is an int, or 2 ints"),
    "cropping": (lambda: L.Cropping2D(((1, 2), (3, -4))), r"cropping is an int, or 2 ints, or 2 pairs .* got \(\(1, 2\), \(3, -4\)\)"),
    "cropping none": (lambda: L.Cropping3D(None), r"cropping is an int, or 3 ints, .* got None"),
}  # fmt: skip


@pytest.mark.parametrize("make, message", ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_that_are_refused(make, message):
    with pytest.raises(edl.errors.EagerdlError, match=message):
        make()


def built(layer, *shape):
    layer(edl.ones(shape))
    return layer


INPUTS = {
    "rank": (L.Conv2D(1, 3, name="c"), (5, 5, 2), r"\[Conv2D 'c'\] input with 4 axes is needed; got shape \(5, 5, 2\), which has 3"),
    "channels changed": (
        built(L.Conv2D(1, 3, name="c"), 1, 5, 5, 2), (1, 5, 5, 4),
        r"\[Conv2D 'c'\] axis -1 of the input must have size 2, .* got 4 in shape \(1, 5, 5, 4\)",
    ),
    "channels changed, first": (
        built(L.Conv2DTranspose(1, 3, data_format="channels_first", name="t"), 1, 2, 5, 5), (1, 5, 5, 2),
        r"\[Conv2DTranspose 't'\] axis 1 of the input must have size 2, .* got 5 in shape \(1, 5, 5, 2\)",
    ),
    "groups": (L.Conv1D(4, 3, groups=2, name="g"), (1, 5, 3), r"groups must divide the channels of the input; axis -1 of \(1, 5, 3\) has size 3, groups is 2"),
    "window": (
        L.Conv2D(1, (2, 3), dilation_rate=2, data_format="channels_first", name="c"), (1, 2, 6, 4),
        r"\[Conv2D 'c'\] the window must fit into the input; axis 3 has size 4, the window reaches over 5 .* the input is \(1, 2, 6, 4\)",
    ),
    "window, built": (
        built(L.DepthwiseConv1D(3, name="d"), 1, 5, 2), (1, 2, 2),
        r"\[DepthwiseConv1D 'd'\] the window must fit into the input; axis 1 has size 2, the window reaches over 3",
    ),
    "window, separable": (L.SeparableConv2D(1, 3), (1, 5, 2, 2), r"\[SeparableConv2D .* axis 2 has size 2, the window reaches over 3"),
    "empty output": (
        L.Conv1DTranspose(1, 2, strides=2, padding="same", output_padding=0, name="t"), (1, 1, 2),
        r"\[Conv1DTranspose 't'\] the output must not be empty; axis 1 of \(1, 1, 2\) has size 1, its output 0",
    ),
    "pool window": (
        L.MaxPooling2D(3, name="p"), (1, 5, 2, 1),
        r"\[MaxPooling2D 'p'\] the window must fit into the input; axis 2 has size 2, the window reaches over 3 \(pool_size \(3, 3\)\)",
    ),
    "pool rank": (L.GlobalAveragePooling2D(), (1, 5, 2), r"input with 4 axes is needed; got shape \(1, 5, 2\)"),
    "nothing to pool": (L.AdaptiveAveragePooling1D(2), (1, 0, 2), r"axis 1 has size 0, the window reaches over 1 \(output_size \(2,\)\)"),
    "cropping": (
        L.Cropping2D(((0, 0), (2, 3)), name="c"), (1, 5, 5, 1),
        r"\[Cropping2D 'c'\] cropping must leave something of each axis; axis 2 has size 5, cropping \(2, 3\) takes 5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("layer, shape, message", INPUTS.values(), ids=INPUTS)
def test_inputs_that_are_refused(layer, shape, message):
    """In a call, and before it by shapes alone."""
    with pytest.raises(edl.errors.ShapeError, match=message):
        layer(edl.ones(shape))
    with pytest.raises(edl.errors.ShapeError, match=message):
        layer(edl.Input(batch_shape=shape))


def test_nested_layers_are_named_by_their_path():
    class Net(edl.Layer):
        def __init__(self):
            super().__init__(name="net")
            self.conv = L.Conv2D(2, 3, name="first")

        def call(self, x):
            return self.conv(x)

    net = Net()
    net(edl.ones((1, 5, 5, 3)))
    with pytest.raises(edl.errors.ShapeError, match=r"\[Conv2D 'net/first'\] axis -1 of the input must have size 3"):
        net(edl.ones((1, 5, 5, 4)))


def test_weights_need_known_channels():
    with pytest.raises(
        edl.errors.ShapeError, match=r"\[Conv2D 'c'\] the channels, axis -1 of the input, must be known"
    ):
        L.Conv2D(2, 3, name="c").build((None, 5, 5, None))
    with pytest.raises(
        edl.errors.ShapeError, match=r"input with 4 axes is needed: batch, channels and 2 of space; got shape"
    ):
        L.Conv2D(2, 3).build((None, 5, 3))
