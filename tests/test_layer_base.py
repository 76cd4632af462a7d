"""What every layer inherits: tracking, building, losses, masks, training mode, dtype policies, configs, copies."""

import copy
import json
import pickle
import threading

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.nn import calls
from eagerdl.nn.layer import get_mask

L = edl.layers
X = np.arange(12, dtype="float32").reshape(4, 3) / 12


class Scale(L.Layer):
    """x times a weight, with a counter of calls."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, x):
        self.count.assign_add(1.0)
        return x * self.factor


class Spy(L.Layer):
    """Passes its input on, and notes the training mode and the mask."""

    supports_masking = True

    def call(self, x, training=None, mask=None):
        self.training, self.mask = training, mask
        return x


class Around(L.Layer):
    """A layer in a layer, which does not name `training`."""

    supports_masking = True

    def __init__(self, inner, **named):
        super().__init__(**named)
        self.inner = inner

    def call(self, x):
        return self.inner(x)


class Guessed(L.Layer):
    """Has arguments, and no get_config."""

    def __init__(self, units, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.units, self.activation = units, activation

    def call(self, x):
        return x


def shapes(layer):
    return [v.shape for v in layer.weights]


# -- tracking -----------------------------------------------------------------------------------


class Containers(L.Layer):
    def __init__(self):
        super().__init__(name="containers")
        self.listed = [L.Dense(2, name="a")]
        self.named = {"b": L.Dense(3, name="b"), "more": [L.Dense(4, name="c")]}
        self.pair = (L.Dense(5, name="d"),)
        self.free = edl.Variable(1.0, name="free")

    def call(self, x):
        return self.pair[0](self.named["more"][0](self.named["b"](self.listed[0](x)))) * self.free


def test_weights_are_found_in_lists_dicts_and_tuples_in_the_order_of_attributes():
    layer = Containers()
    layer(X)
    paths = [v.path for v in layer.weights]
    inner = [f"containers/{name}/{what}" for name in "abcd" for what in ("kernel", "bias")]
    assert paths == ["free", *inner]


def test_replaced_layers_take_their_weights_with_them():
    layer = Containers()
    layer(X)
    layer.listed[0] = L.Dense(2, use_bias=False, name="new")
    layer(X)
    assert shapes(layer)[1:3] == [(3, 2), (2, 3)]
    layer.free = edl.Variable(2.0, name="other")
    assert [v.name for v in layer.weights].count("free") == 0
    del layer.pair
    assert len(layer.weights) == 6


def test_shared_layers_count_once():
    shared = L.Dense(3)
    layer = Around(Around(shared))
    layer.again = shared
    layer(X)
    assert shapes(layer) == [(3, 3), (3,)]


def test_trainable_weights_come_first_within_a_layer_and_keep_their_place_when_frozen():
    model = edl.Sequential([edl.Input((3,)), L.Dense(4), L.BatchNormalization(), L.Dense(2)])
    before = [id(v) for v in model.weights]
    model.trainable = False
    assert [id(v) for v in model.weights] == before and model.trainable_variables == []
    model.trainable = True
    assert len(model.trainable_variables) == 6 and [id(v) for v in model.weights] == before


def test_freezing_one_layer_leaves_the_others():
    model = edl.Sequential([edl.Input((3,)), L.Dense(4), L.Dense(2)])
    model.layers[0].trainable = False
    assert model.trainable_weights == model.layers[1].weights
    assert model.non_trainable_weights == model.layers[0].weights


def test_a_variable_frozen_by_hand_stays_so_through_freezing():
    layer = L.Dense(2)
    layer(X)
    layer.kernel.trainable = False
    layer.trainable = False
    layer.trainable = True
    assert layer.trainable_weights == [layer.bias]


def test_automatic_names_are_unique():
    names = [L.Dense(1).name for _ in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith("dense") for name in names)


# -- building -----------------------------------------------------------------------------------


class Pair(L.Layer):
    def build(self, a_shape, b_shape):
        self.kernel = self.add_weight(shape=(a_shape[-1], b_shape[-1]), name="kernel")

    def call(self, a, b):
        return edl.sum(edl.matmul(a, self.kernel) * b, axis=-1)


def test_build_by_the_shapes_of_several_arguments():
    layer = Pair()
    assert layer(X, np.ones((4, 2), "float32")).shape == (4,)
    again = Pair()
    again.build_from_config(json.loads(json.dumps(layer.get_build_config())))
    assert shapes(again) == [(3, 2)]
    assert Pair().compute_output_shape(a_shape=(None, 3), b_shape=(None, 2)) == (None,)


def test_output_shapes_are_found_by_running():
    class Several(L.Layer):
        def call(self, x):
            return {"twice": edl.concatenate([x, x], -1), "rows": [edl.sum(x, 1)]}

    assert Several().compute_output_shape((None, 3)) == {"twice": (None, 6), "rows": [(None,)]}


def test_running_for_shapes_changes_no_state():
    layer = Scale()
    layer.build((None, 3))
    layer.compute_output_shape((None, 3))
    assert float(layer.count) == 0


def test_a_build_that_failed_can_be_tried_again():
    class Fails(L.Layer):
        fail = True

        def build(self, input_shape):
            self.one = self.add_weight(shape=(2,))
            if Fails.fail:
                raise RuntimeError("not yet")
            self.two = self.add_weight(shape=(3,))

        def call(self, x):
            return x

    layer = Fails()
    with pytest.raises(RuntimeError, match="not yet"):
        layer(X)
    assert not layer.built
    Fails.fail = False
    layer(X)
    assert shapes(layer) == [(2,), (3,)]


# -- losses -------------------------------------------------------------------------------------


class Penalty(L.Layer):
    def __init__(self):
        super().__init__()
        self.one = L.Dense(2, kernel_regularizer="l2", activity_regularizer="l1")
        self.two = L.Dense(2, activity_regularizer="l2")

    def call(self, x, first=True):
        self.add_loss(edl.sum(x))
        return self.one(x) if first else self.two(x)


def test_losses_are_those_of_the_last_call_and_of_the_weights_now():
    layer = Penalty()
    layer(X, first=False)
    for _ in range(2):
        out = layer(X)
        found = sorted(float(one) for one in layer.losses)
        want = [np.sum(X), 0.01 * np.abs(out.numpy()).sum() / 4, 0.01 * np.sum(layer.one.kernel.numpy() ** 2)]
        np.testing.assert_allclose(found, sorted(want), rtol=1e-5)
    layer.one.kernel.assign(edl.zeros_like(layer.one.kernel))
    assert min(float(one) for one in layer.losses) == 0


def test_a_layer_called_twice_in_one_call_adds_twice():
    inner = L.Dense(3, activity_regularizer="l2")

    class Twice(L.Layer):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def call(self, x):
            return self.inner(self.inner(x))

    layer = Twice()
    for _ in range(2):
        layer(X)
        assert len(layer.losses) == 2


def test_a_loss_added_beside_calls_stays_until_the_next_call():
    layer = L.Dense(2)
    layer(X)
    layer.add_loss(edl.constant(2.0))
    assert [float(one) for one in layer.losses] == [2.0]
    layer.add_loss(edl.constant(3.0))
    assert [float(one) for one in layer.losses] == [2.0, 3.0]
    layer(X)
    assert layer.losses == []


def test_frozen_weights_are_not_regularized():
    layer = L.Dense(2, kernel_regularizer="l2")
    layer(X)
    layer.trainable = False
    assert layer.losses == []


# -- training mode and masks ----------------------------------------------------------------------


class Modes(L.Layer):
    def __init__(self):
        super().__init__()
        self.plain, self.nested, self.told = Spy(), Around(Spy()), Spy()

    def call(self, x):
        return self.told(self.nested(self.plain(x)), training=False)


@pytest.mark.parametrize("training", (None, True, False))
def test_training_mode_is_that_of_the_call_around_unless_given(training):
    layer = Modes()
    layer(X, training=training)
    assert (layer.plain.training, layer.nested.inner.training, layer.told.training) == (training, training, False)
    layer(X)
    assert layer.plain.training is None


def test_the_default_of_a_layer_holds_for_those_in_it():
    class Default(L.Layer):
        def __init__(self):
            super().__init__()
            self.spy = Spy()

        def call(self, x, training=True):
            return self.spy(x)

    layer = Default()
    layer(X)
    assert layer.spy.training is True
    layer(X, training=False)
    assert layer.spy.training is False


IDS = np.array([[1, 2, 0], [3, 0, 0]])


def embedded(*layers):
    """A way for a mask: an Embedding, an unbuilt Sequential in between, then `layers`."""
    return [L.Embedding(9, 4, mask_zero=True), edl.Sequential([L.Dense(4), L.Dropout(0.5)]), *layers]


def test_masks_pass_nested_layers_when_called():
    spy = Spy()
    table, middle, last = embedded(Around(spy))

    class Model(edl.Model):
        def __init__(self):
            super().__init__()
            self.table, self.middle, self.last = table, middle, last

        def call(self, x):
            return self.last(self.middle(self.table(x)))

    out = Model()(IDS)
    np.testing.assert_array_equal(spy.mask, IDS != 0)
    np.testing.assert_array_equal(get_mask(out), IDS != 0)


def test_masks_pass_functional_and_sequential_models():
    for wire in (False, True):
        spy = Spy()
        layers = embedded(spy)
        x = y = edl.Input((3,), dtype="int32")
        for layer in layers:
            y = layer(y)
        model = edl.Model(x, y) if wire else edl.Sequential(layers)
        model(IDS)
        np.testing.assert_array_equal(spy.mask, IDS != 0)


def test_a_layer_that_knows_no_masks_says_so():
    class Sum(L.Layer):
        def call(self, x):
            return edl.sum(x, axis=1)

    x = L.Embedding(9, 4, mask_zero=True)(IDS)
    with pytest.warns(UserWarning, match="does not support masking"):
        out = Sum()(x)
    assert get_mask(out) is None


def test_compute_mask_makes_masks():
    class Halved(L.Layer):
        supports_masking = True

        def call(self, x):
            return x[:, ::2]

        def compute_mask(self, inputs, previous_mask):
            return None if previous_mask is None else previous_mask[:, ::2]

    out = Halved()(L.Embedding(9, 4, mask_zero=True)(IDS))
    np.testing.assert_array_equal(get_mask(out), (IDS != 0)[:, ::2])


def test_an_error_in_a_call_leaves_nothing_behind():
    class Fails(L.Layer):
        def call(self, x):
            raise RuntimeError("no")

    spy = Spy()
    layer = Around(Around(Fails()))
    with pytest.raises(RuntimeError, match="no"):
        layer(X, training=True)
    assert calls.current() is None
    spy(X)
    assert spy.training is None
    assert spy.path == spy.name


# -- dtypes -------------------------------------------------------------------------------------


@pytest.fixture(params=("mixed_bfloat16", "mixed_float16"))
def mixed(request):
    edl.config.set_dtype_policy(request.param)
    yield request.param.removeprefix("mixed_")
    edl.config.set_dtype_policy(None)


def test_mixed_policies_compute_in_the_small_dtype_and_keep_float32(mixed):
    seen = []

    class Probe(L.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(3, 2), name="kernel")
            self.exact = self.add_weight(shape=(), autocast=False, name="exact")

        def call(self, x):
            seen.append((str(x.dtype), str(self.kernel.dtype), str(self.exact.dtype)))
            return edl.matmul(x, self.kernel)

    layer = Probe()
    with edl.GradientTape() as tape:
        out = layer(X)
        loss = edl.sum(edl.cast(out, "float32"))
    assert out.dtype == mixed and layer.kernel.dtype == "float32" and layer.kernel.value.dtype == "float32"
    assert seen == [(mixed, mixed, "float32")]
    assert tape.gradient(loss, layer.kernel).dtype == "float32"
    assert copy.deepcopy(layer)(X).dtype == mixed and seen[1] == seen[0]
    dense = L.Dense(2)
    dense(X)
    assert pickle.loads(pickle.dumps(dense))(X).dtype == mixed


def test_autocast_can_be_turned_off(mixed):
    layer = Spy(autocast=False)
    assert layer(X).dtype == "float32"
    assert Spy()(X).dtype == mixed
    assert Spy()(np.arange(3)).dtype.kind == "i"


def test_mixed_models_learn(mixed):
    model = edl.Sequential([edl.Input((3,)), L.Dense(8, "relu"), L.BatchNormalization(), L.Dense(1, dtype="float32")])
    model.compile(edl.optimizers.Adam(0.05), "mse")
    assert isinstance(model.optimizer, edl.optimizers.LossScaleOptimizer) == (mixed == "float16")
    history = model.fit(X, X.sum(1, keepdims=True), epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2


def test_float16_skips_steps_that_overflow_in_fit_and_in_own_loops():
    edl.utils.set_random_seed(1)
    edl.config.set_dtype_policy("mixed_float16")
    try:
        model = edl.Sequential([edl.Input((3,)), L.Dense(4), L.Dense(2, dtype="float32")])
    finally:
        edl.config.set_dtype_policy(None)
    model.compile("sgd", "mse")
    before, huge = (
        model.get_weights(),
        np.full((4, 3), 100.0, "float32"),
    )  # the loss is finite, the scaled gradient is not
    model.fit(huge, np.ones((4, 2)), verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert float(model.optimizer.dynamic_scale) == 2.0**14
    optimizer = model.optimizer
    for x, changed in ((huge, False), (X, True)):
        with edl.GradientTape() as tape:
            loss = optimizer.scale_loss(edl.mean(model(x, training=True) ** 2))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        assert any((a != b).any() for a, b in zip(before, model.get_weights())) == changed
    assert float(optimizer.dynamic_scale) == 2.0**13 and int(optimizer.iterations) == 1


# -- calls without state ----------------------------------------------------------------------------


def test_stateless_calls_return_the_state_and_leave_the_variables():
    layer = L.BatchNormalization(momentum=0.5)
    layer(X)
    out, after = layer.stateless_call(layer.trainable_variables, layer.non_trainable_variables, X, training=True)
    np.testing.assert_allclose(after[0], X.mean(0) * 0.5, rtol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))
    np.testing.assert_array_equal(out, copy.deepcopy(layer)(X, training=True))
    values = [edl.constant(v.numpy() + 1) for v in layer.trainable_variables]
    with edl.GradientTape() as tape:
        tape.watch(values)
        out, _, losses = layer.stateless_call(values, layer.non_trainable_variables, X, return_losses=True)
        loss = edl.sum(out)
    assert losses == [] and all(one is not None for one in tape.gradient(loss, values))
    with pytest.raises(edl.errors.ShapeError, match=r"2 trainable_variables are needed; got 1"):
        layer.stateless_call(values[:1], layer.non_trainable_variables, X)


def test_recomputed_calls_have_the_same_gradients():
    layer = edl.Sequential([edl.Input((3,)), L.Dense(4, "tanh"), L.Dense(2)])
    found = []
    for call in (layer, layer.rematerialized_call):
        with edl.GradientTape() as tape:
            loss = edl.sum(call(edl.constant(X)) ** 2)
        found.append(tape.gradient(loss, layer.trainable_variables))
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)


# -- configs and copies -------------------------------------------------------------------------


def test_configs_of_classes_without_get_config_are_guessed():
    config = json.loads(json.dumps(Guessed(3, activation="tanh", name="g", dtype="mixed_bfloat16").get_config()))
    again = Guessed.from_config(config)
    assert (again.units, again.activation, again.name, again.compute_dtype) == (3, "tanh", "g", "bfloat16")


def test_layers_among_the_arguments_are_restored():
    with edl.saving.CustomObjectScope({"Around": Around}):
        config = json.loads(json.dumps(edl.saving.serialize_keras_object(Around(L.Dense(2, "relu")))))
        again = edl.saving.deserialize_keras_object(config)
    assert isinstance(again.inner, L.Dense) and again.inner.units == 2


@pytest.mark.parametrize("value", (object(), [1, object()], lambda x: x))
def test_configs_that_cannot_be_guessed_are_refused(value):
    with pytest.raises(edl.errors.ArgumentError, match=r"Guessed 'g'.get_config\] .*own get_config; argument units"):
        Guessed(value, name="g").get_config()


def test_a_config_that_does_not_fit_names_the_class():
    with pytest.raises(edl.errors.ArgumentError, match=r"Dense.from_config.*unit"):
        edl.saving.deserialize_keras_object({"class_name": "Dense", "module": "keras.layers", "config": {"unit": 3}})


def test_copies_keep_all_that_belongs_to_weights():
    layer = L.Dense(3, kernel_regularizer="l2", kernel_constraint="non_neg", name="d")
    layer(X)
    layer.kernel.learning_rate_multiplier = 0.5
    layer.bias.trainable = False
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert len(again.weights) == 2 and again.kernel is not layer.kernel
        assert again.kernel.path == "d/kernel" and again.kernel.learning_rate_multiplier == 0.5
        assert len(again.losses) == 1 and again.kernel.constraint is not None
        assert again.trainable_weights == [again.kernel]


def test_copies_share_what_was_shared():
    inner = L.Dense(3)
    layer = Around(Around(inner))
    layer.again = inner
    layer(X)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.again is other.inner.inner is not inner
        np.testing.assert_array_equal(other(X), layer(X))


# -- threads ------------------------------------------------------------------------------------


def in_threads(*functions):
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_threads_do_not_see_each_others_calls():
    model = edl.Sequential([edl.Input((3,)), L.Dense(8, "tanh"), L.Dropout(0.5), L.Dense(2)])
    want = model(X).numpy()

    def infer():
        for _ in range(50):
            np.testing.assert_array_equal(model(X, training=False), want)

    def train():
        for _ in range(50):
            model(X, training=True)

    in_threads(infer, train, infer)


def test_two_threads_may_make_the_first_call():
    for _ in range(10):
        layer, barrier = L.Dense(4), threading.Barrier(2)

        def first(layer=layer, barrier=barrier):
            barrier.wait()
            layer(X)

        in_threads(first, first)
        assert shapes(layer) == [(3, 4), (4,)]


# -- messages -----------------------------------------------------------------------------------


def nested(layer):
    return Around(Around(layer, name="inner"), name="outer")


MISTAKES = {
    "last axis": (lambda: (lambda one: (one(X), one(np.ones((4, 5)))))(nested(L.Dense(2, name="d"))),
                  r"Dense 'outer/inner/d'\] axis -1 .* must have size 3.*got 5 in shape \(4, 5\)"),
    "rank": (lambda: nested(L.Conv2D(2, 3, name="c"))(X), r"Conv2D 'outer/inner/c'\] input with 4 axes .*\(4, 3\), which has 2"),
    "no input": (lambda: L.Dense(2, name="d")(None), r"Dense 'd'\] an input is needed; got None"),
    "unknown argument": (lambda: L.Dense(2, unit=3), r"\[Dense\] the arguments of __init__ must be known; got unit too"),
    "no super": (lambda: type("Lost", (L.Layer,), {"__init__": lambda self: None, "call": lambda self, x: x})()(X),
                 r"\[Lost\] super\(\).__init__\(\) must run"),
    "no call": (lambda: L.Layer(name="n")(X), r"Layer 'n'\] a layer needs a method call"),
    "unbuilt count": (lambda: L.Dense(2, name="d").count_params(), r"Dense 'd'.count_params\] the weights must exist"),
    "unbuilt weights": (lambda: L.Dense(2, name="d").set_weights([X]), r"0 arrays are needed; got 1; the layer is not built"),
    "shape of weights": (lambda: (lambda one: (one(X), one.set_weights([X, X[0]])))(L.Dense(2, name="d")),
                         r"d/kernel has shape \(3, 2\); got \(4, 3\)"),
    "no tensor as loss": (lambda: L.Layer(name="n").add_loss("l2"), r"Layer 'n'.add_loss\] a loss is a scalar tensor; got str"),
    "unknown size": (lambda: L.Layer(name="n").add_weight((None, 2)), r"sizes of a weight must be known"),
    "name": (lambda: L.Dense(2, name="a/b"), r"without '/'"),
    "unknown policy": (lambda: L.Dense(2, dtype="mixed_float8"), r"mixed policies are"),
    "input of an unwired layer": (lambda: L.Dense(2, name="d").input, r"must have been called on symbolic tensors once"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(case):
    make, message = MISTAKES[case]
    with pytest.raises(edl.errors.EagerdlError, match=message):
        make()
