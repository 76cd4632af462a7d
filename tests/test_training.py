"""compile, fit, evaluate, predict: the same numbers as loops by hand, to the bit; what may be overridden; what is refused."""

import gc
import itertools
import os
import signal
import warnings
import weakref

import numpy as np
import pytest

import eagerdl as edl

L = edl.layers
CROSSENTROPY = edl.losses.SparseCategoricalCrossentropy(from_logits=True)
_generator = np.random.default_rng(0)
X = _generator.standard_normal((96, 5)).astype("float32")
CLASSES = (X @ _generator.standard_normal((5, 3))).argmax(1)
Y = _generator.standard_normal((96, 2)).astype("float32")
BATCHES = [slice(0, 32), slice(32, 64), slice(64, 96)]


@pytest.fixture(autouse=True)
def seeded():
    edl.utils.set_random_seed(1)


def classifier(cls=edl.Sequential, noisy=False):
    edl.utils.set_random_seed(3)
    middle = [L.BatchNormalization(), L.Dropout(0.3)] if noisy else []
    return cls([edl.Input((5,)), L.Dense(8, "tanh"), *middle, L.Dense(3)])


def regressor(cls=edl.Sequential, optimizer="sgd", loss="mse", **named):
    edl.utils.set_random_seed(3)
    model = cls([edl.Input((5,)), L.Dense(2)], name="r")
    model.compile(optimizer, loss, **named)
    return model


def assert_weights(model, weights):
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


# -- the ladder -----------------------------------------------------------------------------------


OPTIMIZERS = {
    "SGD with momentum": lambda: edl.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "Adam": lambda: edl.optimizers.Adam(0.01),
    "RMSprop": lambda: edl.optimizers.RMSprop(0.01),
    "AdamW, clipped": lambda: edl.optimizers.AdamW(0.01, global_clipnorm=0.5),
    "average of weights": lambda: edl.optimizers.Adam(0.01, use_ema=True),
    "gathered gradients": lambda: edl.optimizers.SGD(0.1, gradient_accumulation_steps=2),
    "schedule": lambda: edl.optimizers.SGD(edl.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
    "scaled loss": lambda: edl.optimizers.LossScaleOptimizer(edl.optimizers.Adam(0.01)),
}


class OwnStep(edl.Sequential):
    """A train_step with the public parts."""

    def train_step(self, data):
        x, y = data
        with edl.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables))
        return {"loss": loss}


def by_hand(model, optimizer, epochs):
    """A loop of one's own; returns the history."""
    mean, accuracy, history = edl.metrics.Mean(), edl.metrics.SparseCategoricalAccuracy(), {"loss": [], "accuracy": []}
    for _ in range(epochs):
        mean.reset_state()
        accuracy.reset_state()
        for rows in BATCHES:
            x, y = edl.constant(X[rows]), edl.constant(CLASSES[rows])
            with edl.GradientTape() as tape:
                out = model(x, training=True)
                loss = CROSSENTROPY(y, out)
                scaled = optimizer.scale_loss(loss)
            variables = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables))
            mean.update_state(loss, sample_weight=len(x))
            accuracy.update_state(y, out)
        history["loss"].append(float(mean.result()))
        history["accuracy"].append(float(accuracy.result()))
    optimizer.finalize_variable_values(model.trainable_variables)
    return history


@pytest.mark.parametrize("noisy", (False, True))
@pytest.mark.parametrize("case", OPTIMIZERS)
def test_fit_equals_a_loop_by_hand_to_the_bit(case, noisy):
    model = classifier(noisy=noisy)
    history = by_hand(model, OPTIMIZERS[case](), epochs=3)
    want = model.get_weights()
    fitted = classifier(noisy=noisy)
    fitted.compile(OPTIMIZERS[case](), CROSSENTROPY, metrics=["accuracy"])
    assert fitted.fit(X, CLASSES, batch_size=32, epochs=3, shuffle=False, verbose=0).history == history
    assert_weights(fitted, want)
    own = classifier(OwnStep, noisy)
    own.compile(OPTIMIZERS[case](), CROSSENTROPY)
    own.fit(X, CLASSES, batch_size=32, epochs=3, shuffle=False, verbose=0)
    assert_weights(own, want)
    stepped = classifier(noisy=noisy)
    stepped.compile(OPTIMIZERS[case](), CROSSENTROPY)
    for rows in BATCHES * 3:
        stepped.train_on_batch(X[rows], CLASSES[rows])
    stepped.optimizer.finalize_variable_values(stepped.trainable_variables)
    assert_weights(stepped, want)


class Affine(edl.Module):
    def __init__(self, kernel, bias):
        super().__init__()
        self.kernel, self.bias = edl.Variable(kernel), edl.Variable(bias)

    def __call__(self, x):
        return x @ self.kernel + self.bias


def test_variables_and_modules_give_the_same_bits():
    model = classifier()
    initial = model.get_weights()
    by_hand(model, edl.optimizers.Adam(0.01), epochs=2)
    one, two = Affine(*initial[:2]), Affine(*initial[2:])
    free = [edl.Variable(w) for w in initial]
    ways = [
        (lambda x: two(edl.tanh(one(x))), [*one.variables, *two.variables]),
        (lambda x: edl.tanh(x @ free[0] + free[1]) @ free[2] + free[3], free),
    ]
    for forward, variables in ways:
        optimizer = edl.optimizers.Adam(0.01)
        for rows in BATCHES * 2:
            with edl.GradientTape() as tape:
                loss = CROSSENTROPY(CLASSES[rows], forward(edl.constant(X[rows])))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        assert_weights(model, [v.numpy() for v in variables])


# -- evaluate, predict, batches -------------------------------------------------------------------


def test_evaluate_and_predict_by_formula():
    model = regressor(metrics=["mae"])
    out = model.predict(X, batch_size=40, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(out, X @ kernel + bias, rtol=1e-5, atol=1e-6)
    want = [np.mean((out - Y) ** 2), np.mean(np.abs(out - Y))]
    np.testing.assert_allclose(model.evaluate(X, Y, batch_size=40, verbose=0), want, rtol=1e-6)
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "mae"] and all(isinstance(value, float) for value in logs.values())
    np.testing.assert_array_equal(model.predict_on_batch(X), model.predict(X, batch_size=96, verbose=0))
    assert regressor().evaluate(X, Y, verbose=0) == pytest.approx(want[0], rel=1e-6)


def test_batches_one_by_one():
    model = regressor(metrics=["mae"])
    fitted = regressor(metrics=["mae"])
    fitted.fit(X, Y, batch_size=96, shuffle=False, verbose=0)
    assert model.train_on_batch(X, Y, return_dict=True) == {
        name: one[0] for name, one in fitted.history.history.items()
    }
    assert_weights(model, fitted.get_weights())
    first = model.test_on_batch(X[:10], Y[:10])
    both = model.test_on_batch(X[10:], Y[10:])
    assert first != both
    model.reset_metrics()
    model.test_on_batch(X[:10], Y[:10])
    assert model.test_on_batch(X[10:], Y[10:]) != first


def test_metrics_begin_anew_with_each_epoch_and_evaluation():
    model = regressor(optimizer=edl.optimizers.SGD(0.0), metrics=["mae"])
    history = model.fit(X, Y, epochs=3, verbose=0, shuffle=False).history
    assert len(set(history["mae"])) == 1 and len(set(history["loss"])) == 1
    assert model.evaluate(X, Y, verbose=0) == [history["loss"][0], history["mae"][0]]


# -- weights and masks ----------------------------------------------------------------------------


def test_class_weights_are_sample_weights():
    weights = np.array([1.0, 2.0, 3.0], "float32")[CLASSES]
    results = []
    for named in ({"class_weight": {0: 1, 1: 2, 2: 3}}, {"sample_weight": weights}):
        model = classifier()
        model.compile("sgd", CROSSENTROPY, metrics=["accuracy"], weighted_metrics=["accuracy"])
        logits = model.predict(X, verbose=0)
        history = model.fit(X, CLASSES, batch_size=96, verbose=0, **named).history
        results.append((history, model.get_weights()))
    assert results[0][0] == results[1][0]
    assert_weights(model, results[0][1])
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(96), CLASSES]
    right = logits.argmax(1) == CLASSES
    np.testing.assert_allclose(history["loss"], [np.mean(losses * weights)], rtol=1e-5)
    np.testing.assert_allclose(history["accuracy"], [right.mean()], rtol=1e-6)
    np.testing.assert_allclose(history["weighted_accuracy"], [(right * weights).sum() / weights.sum()], rtol=1e-5)


def test_masks_reach_losses_and_metrics():
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    y = np.arange(8, dtype="float32").reshape(2, 4, 1)
    model = edl.Sequential([L.Embedding(9, 3, mask_zero=True), L.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae"])
    out = model.predict(ids, verbose=0)
    kept = (ids != 0)[..., None]
    logs = model.evaluate(ids, y, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean(((out - y) ** 2)[kept]), rel=1e-5)
    assert logs["mae"] == logs["weighted_mae"] == pytest.approx(np.mean(np.abs(out - y)[kept]), rel=1e-5)


# -- several outputs ------------------------------------------------------------------------------


def two_outputs(form="list"):
    edl.utils.set_random_seed(3)
    x = edl.Input((5,), name="x")
    p, q = L.Dense(2, name="p")(x), L.Dense(3, name="q")(x)
    return edl.Model(x, {"list": [p, q], "dict": {"u": p, "v": q}}[form])


# The keys are those of Keras 3.
KEYS = {
    "lists": ("list", {"loss": ["mse", CROSSENTROPY], "metrics": [["mae"], ["accuracy"]], "weighted_metrics": [None, ["accuracy"]]},
              ["loss", "p_loss", "p_mae", "q_accuracy", "q_loss", "q_weighted_accuracy"]),
    "dicts by layers": ("list", {"loss": {"p": "mse", "q": CROSSENTROPY}, "metrics": {"p": "mae"}}, ["loss", "p_loss", "p_mae", "q_loss"]),
    "dict of outputs": ("dict", {"loss": {"u": "mse", "v": CROSSENTROPY}, "metrics": {"v": ["accuracy"]}},
                        ["loss", "u_loss", "v_accuracy", "v_loss"]),
    "one loss": ("list", {"loss": ["mse", None]}, ["loss"]),
    "one metric each": ("list", {"loss": ["mse", CROSSENTROPY], "metrics": ["mae", "accuracy"]},
                        ["loss", "p_loss", "p_mae", "q_accuracy", "q_loss"]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*no gradient for q/kernel")  # where q has no loss
@pytest.mark.parametrize("case", KEYS)
def test_names_in_logs_of_several_outputs(case):
    form, settings, keys = KEYS[case]
    model = two_outputs(form)
    model.compile("sgd", **settings)
    y = [Y, CLASSES] if form == "list" else {"u": Y, "v": CLASSES}
    history = model.fit({"x": X}, y, verbose=0, validation_split=0.25).history
    assert sorted(history) == sorted([*keys, *[f"val_{key}" for key in keys]])
    assert sorted(model.evaluate(X, y, verbose=0, return_dict=True)) == keys
    out = model.predict(X, verbose=0)
    assert [one.shape for one in (out if form == "list" else out.values())] == [(96, 2), (96, 3)]


SINGLE = {
    "names": ({"metrics": ["mae", "mse"]}, ["loss", "mae", "mse"]),
    "objects": (
        {"metrics": [edl.metrics.MeanSquaredError(name="foo"), "mean_absolute_error"]},
        ["foo", "loss", "mean_absolute_error"],
    ),
    "weighted": ({"metrics": ["mae"], "weighted_metrics": ["mse", "mae"]}, ["loss", "mae", "mse", "weighted_mae"]),
    "twice": ({"metrics": ["mae", "mae"]}, ["loss", "mae", "mae_1"]),
    "functions": ({"metrics": [edl.losses.mean_absolute_error]}, ["loss", "mean_absolute_error"]),
    "lists of one": ({"loss": ["mse"], "metrics": [["mae"]]}, ["loss", "mae"]),
    "dicts of one": ({"loss": {"out": "mse"}, "metrics": {"out": ["mae"]}}, ["loss", "mae"]),
}


@pytest.mark.parametrize("case", SINGLE)
def test_names_in_logs_of_one_output(case):
    settings, keys = SINGLE[case]
    x = edl.Input((5,))
    model = edl.Model(x, L.Dense(2, name="out")(x))
    model.compile("sgd", **{"loss": "mse", **settings})
    assert sorted(model.fit(X, Y, verbose=0).history) == keys


def test_losses_of_several_outputs_are_weighted():
    model = two_outputs()
    model.compile("sgd", ["mse", CROSSENTROPY], loss_weights=[2.0, 0.5])
    logs = model.evaluate(X, [Y, CLASSES], verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(2 * logs["p_loss"] + 0.5 * logs["q_loss"], rel=1e-6)
    assert model.evaluate(X, [Y, CLASSES], verbose=0) == [logs["loss"], logs["p_loss"], logs["q_loss"]]
    other = two_outputs("dict")
    other.compile("sgd", {"u": "mse", "v": CROSSENTROPY}, loss_weights={"u": 2.0, "v": 0.5})
    assert other.evaluate(X, {"v": CLASSES, "u": Y}, verbose=0) == model.evaluate(X, [Y, CLASSES], verbose=0)


# -- validation, epochs, sources --------------------------------------------------------------------


def lengths(history):
    return {name: len(values) for name, values in history.history.items()}


def test_validation():
    model = regressor(metrics=["mae"])
    assert lengths(model.fit(X, Y, validation_split=0.25, epochs=3, verbose=0, validation_freq=2)) == {
        "loss": 3, "mae": 3, "val_loss": 1, "val_mae": 1}  # fmt: skip
    history = model.fit(X, Y, validation_data=(X, Y), validation_freq=[1, 3], epochs=3, initial_epoch=1, verbose=0)
    assert lengths(history)["val_loss"] == 1 and history.epoch == [1, 2]
    assert history.history["val_loss"][-1] == model.evaluate(X, Y, verbose=0)[0]
    several = model.fit(X, Y, validation_data={"near": (X, Y), "far": (X, 5 * Y, np.ones(96))}, verbose=0)
    assert sorted(several.history) == ["loss", "mae", "val_far_loss", "val_far_mae", "val_near_loss", "val_near_mae"]
    data = edl.data.Dataset.from_tensor_slices((X, Y)).batch(32)
    last = model.fit(X, Y, validation_data=data, verbose=0)
    assert last.history["val_loss"] == [model.evaluate(data, verbose=0)[0]]


def test_validation_split_takes_the_last_rows_and_trains_on_the_others():
    split, given = regressor(), regressor()
    one = split.fit(X, Y, validation_split=0.25, shuffle=False, verbose=0, epochs=2).history
    two = given.fit(X[:72], Y[:72], validation_data=(X[72:], Y[72:]), shuffle=False, verbose=0, epochs=2).history
    assert one == two


def test_validation_changes_nothing_in_training():
    found = []
    for named in ({"validation_data": (X, CLASSES)}, {}):
        model = classifier(noisy=True)
        model.compile("adam", CROSSENTROPY, metrics=["accuracy"])
        model.fit(X, CLASSES, epochs=3, verbose=0, **named)
        found.append(model.get_weights())
    assert_weights(model, found[0])


def endless(size=10):
    while True:
        yield X[:size], Y[:size]


def test_sources_give_the_same_numbers():
    data = edl.data.Dataset.from_tensor_slices((X, Y)).batch(32)
    want = None
    for make in (lambda: (X, Y), lambda: (data,), lambda: (((X[rows], Y[rows]) for rows in BATCHES * 2),)):
        model = regressor()
        x, *y = make()
        model.fit(x, *y, batch_size=32 if y else None, epochs=2, steps_per_epoch=3, shuffle=False, verbose=0)
        want = want or model.get_weights()
        assert_weights(model, want)
    generator = regressor()
    generator.fit(endless(), steps_per_epoch=3, epochs=2, verbose=0)
    assert int(generator.optimizer.iterations) == 6
    assert generator.predict(endless(), steps=2, verbose=0).shape == (20, 2)
    assert isinstance(generator.evaluate(endless(), steps=2, verbose=0), float)


def test_shuffling_is_repeatable_and_changes_the_order():
    results = []
    for shuffle in (True, True, False):
        model = regressor()
        model.fit(X, Y, batch_size=8, shuffle=shuffle, verbose=0)
        results.append(model.get_weights()[0])
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()


# -- settings -------------------------------------------------------------------------------------


def test_learning_rate_multipliers_hold_variables_back():
    model = regressor()
    model.layers[0].kernel.learning_rate_multiplier = 0.0
    kernel, bias = model.get_weights()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    assert (model.get_weights()[1] != bias).all()


@pytest.mark.parametrize(
    "settings", ({"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}, {"steps_per_execution": 2})
)
def test_how_steps_run_changes_no_bit(settings):
    found = []
    for named in ({}, settings):
        model = regressor(**named)
        found.append((model.fit(X, Y, epochs=2, verbose=0).history, model.get_weights()))
    assert found[0][0] == found[1][0]
    assert_weights(model, found[0][1])


def test_steps_per_execution_groups_steps_for_callbacks():
    seen = []

    class Note(edl.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(batch)

        on_train_batch_end = on_train_batch_begin
        on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin
        on_test_batch_end = on_predict_batch_end = on_train_batch_begin

    model = regressor(steps_per_execution=4)
    for run in (lambda: model.fit(X, Y, batch_size=10, verbose=0, callbacks=[Note()]),
                lambda: model.evaluate(X, Y, batch_size=10, verbose=0, callbacks=[Note()]),
                lambda: model.predict(X, batch_size=10, verbose=0, callbacks=[Note()])):  # fmt: skip
        run()
        assert seen == [0, 3, 4, 7, 8, 9]
        seen.clear()


def test_frozen_models_are_measured():
    model = regressor(metrics=["mae"])
    model.trainable = False
    before = model.get_weights()
    history = model.fit(X, Y, epochs=2, verbose=0, shuffle=False).history
    assert_weights(model, before)
    assert history["mae"][0] == history["mae"][1] == model.evaluate(X, Y, verbose=0)[1]


def test_models_can_be_trained_by_added_losses_alone():
    class Squares(L.Layer):
        def call(self, x):
            self.add_loss(edl.mean(x**2))
            return x

    model = edl.Sequential([edl.Input((5,)), L.Dense(2), Squares()])
    model.compile(edl.optimizers.SGD(0.5))
    history = model.fit(X, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    assert model.evaluate(X, verbose=0) == pytest.approx(np.mean(model.predict(X, verbose=0) ** 2), rel=1e-5)


def test_regularizers_count_in_training_and_evaluation():
    model = edl.Sequential([edl.Input((5,)), L.Dense(2, kernel_regularizer=edl.regularizers.L2(0.1))])
    model.compile("sgd", "mse")
    want = np.mean((model.predict(X, verbose=0) - Y) ** 2) + 0.1 * np.sum(model.get_weights()[0] ** 2)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(want, rel=1e-5)


# -- what may be overridden -------------------------------------------------------------------------


def test_a_step_with_metrics_of_its_own():
    class Own(edl.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.mean, self.error = edl.metrics.Mean(name="loss"), edl.metrics.MeanAbsoluteError(name="mae")

        def train_step(self, data):
            x, y = data
            with edl.GradientTape() as tape:
                out = self(x, training=True)
                loss = edl.mean(edl.losses.mean_squared_error(y, out))
            variables = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            self.mean.update_state(loss)
            self.error.update_state(y, out)
            return {"loss": self.mean.result(), "mae": self.error.result()}

        @property
        def metrics(self):
            return [self.mean, self.error]

    edl.utils.set_random_seed(3)
    x = edl.Input((5,))
    own = Own(x, L.Dense(2)(x))
    own.compile("sgd")
    plain = regressor(metrics=["mae"])
    plain.set_weights(own.get_weights())
    mine, theirs = (model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history for model in (own, plain))
    for name in ("loss", "mae"):
        assert mine[name] == pytest.approx(theirs[name], rel=1e-6)
    assert_weights(own, plain.get_weights())


def test_a_step_that_loops_over_all_metrics():
    class Own(edl.Sequential):
        def train_step(self, data):
            x, y, weight = data if len(data) == 3 else (*data, None)
            with edl.GradientTape() as tape:
                out = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=out, sample_weight=weight)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss, sample_weight=len(x))
                else:
                    metric.update_state(y, out, sample_weight=weight)
            return {metric.name: metric.result() for metric in self.metrics}

    settings = {"metrics": ["mae"], "weighted_metrics": ["mse"]}
    one, two = regressor(Own, **settings), regressor(**settings)
    named = {"sample_weight": np.linspace(0, 1, 96), "epochs": 2, "shuffle": False, "verbose": 0}
    assert one.fit(X, Y, **named).history == two.fit(X, Y, **named).history
    assert [metric.name for metric in one.metrics] == ["loss", "compile_metrics"]


def test_compute_loss_and_compute_metrics():
    class Own(edl.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return edl.mean(edl.abs(y_pred - y)) + (1.0 if training else 0.0)

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "largest": edl.max(y_pred)}

    model = regressor(Own, optimizer=edl.optimizers.SGD(0.0), loss=None)
    history = model.fit(X, Y, batch_size=96, verbose=0).history
    out = model.predict(X, verbose=0)
    assert history == {
        "loss": [pytest.approx(1 + np.abs(out - Y).mean(), rel=1e-5)],
        "largest": [pytest.approx(out.max(), rel=1e-5)],
    }
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["loss"] == pytest.approx(np.abs(out - Y).mean(), rel=1e-5)


def test_test_and_predict_steps():
    class Own(edl.Sequential):
        def test_step(self, data):
            return {"rows": edl.constant(float(len(data[0])))}

        def predict_step(self, data):
            return {"twice": 2 * self(data[0] if isinstance(data, tuple) else data, training=False)}

    model = regressor(Own)
    assert model.evaluate(X, Y, batch_size=96, verbose=0, return_dict=True) == {"rows": 96.0}
    np.testing.assert_array_equal(model.predict(X, verbose=0)["twice"], 2 * regressor().predict(X, verbose=0))


def test_two_optimizers_and_a_compile_of_ones_own():
    class Adversaries(edl.Model):
        def __init__(self, critic, maker):
            super().__init__()
            self.critic, self.maker = critic, maker
            self.seeds = edl.random.SeedGenerator(1)
            self.trackers = [edl.metrics.Mean(name="critic_loss"), edl.metrics.Mean(name="maker_loss")]

        def compile(self, critic_optimizer, maker_optimizer, loss_fn):
            super().compile()
            self.critic_optimizer, self.maker_optimizer, self.loss_fn = critic_optimizer, maker_optimizer, loss_fn

        @property
        def metrics(self):
            return self.trackers

        def train_step(self, data):
            real = data[0] if isinstance(data, tuple) else data
            count = real.shape[0]
            labels = edl.concatenate([edl.ones((count, 1)), edl.zeros((count, 1))], axis=0)
            noise = edl.random.normal((count, 3), seed=self.seeds)
            with edl.GradientTape() as tape:
                both = edl.concatenate([self.maker(noise), real], axis=0)
                critic_loss = self.loss_fn(labels, self.critic(both))
            variables = self.critic.trainable_variables
            self.critic_optimizer.apply(tape.gradient(critic_loss, variables), variables)
            with edl.GradientTape() as tape:
                maker_loss = self.loss_fn(edl.zeros((count, 1)), self.critic(self.maker(noise)))
            variables = self.maker.trainable_variables
            self.maker_optimizer.apply(tape.gradient(maker_loss, variables), variables)
            for tracker, loss in zip(self.trackers, (critic_loss, maker_loss)):
                tracker.update_state(loss)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    critic = edl.Sequential([edl.Input((5,)), L.Dense(4, "relu"), L.Dense(1)])
    maker = edl.Sequential([edl.Input((3,)), L.Dense(5)])
    model = Adversaries(critic, maker)
    model.compile(edl.optimizers.Adam(0.01), edl.optimizers.Adam(0.01), edl.losses.BinaryCrossentropy(from_logits=True))
    before = model.get_weights()
    history = model.fit(X, epochs=2, verbose=0).history
    assert sorted(history) == ["critic_loss", "maker_loss"] and np.isfinite(list(history.values())).all()
    assert all((a != b).any() for a, b in zip(before, model.get_weights()))


# -- stopping -------------------------------------------------------------------------------------


class At(edl.callbacks.Callback):
    """Runs a function at the end of a step."""

    def __init__(self, batch, function):
        super().__init__()
        self.batch, self.function = batch, function

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.function(self.model)


def test_stop_training_ends_the_epoch_and_the_run():
    model = regressor()
    history = model.fit(
        X, Y, epochs=5, verbose=0, callbacks=[At(1, lambda model: setattr(model, "stop_training", True))]
    )
    assert history.epoch == [0] and int(model.optimizer.iterations) == 2
    assert model.fit(X, Y, epochs=2, verbose=0).epoch == [0, 1]


def test_an_interrupt_leaves_model_and_history():
    model = regressor()
    stop = edl.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epoch == 2 and os.kill(os.getpid(), signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt, match="after a whole step"):
        model.fit(X, Y, epochs=5, verbose=0, callbacks=[stop])
    assert model.history.epoch == [0, 1]
    assert np.isfinite(model.predict(X, verbose=0)).all()
    assert model.fit(X, Y, verbose=0).epoch == [0]


def test_an_error_in_a_step_keeps_the_run_so_far():
    def fail(model):
        if len(model.history.epoch) == 2:
            raise RuntimeError("disk full")

    model = regressor()
    with pytest.raises(RuntimeError, match="disk full"):
        model.fit(X, Y, epochs=5, verbose=0, callbacks=[At(0, fail)])
    assert model.history.epoch == [0, 1] and len(model.history.history["loss"]) == 2
    model.fit(X, Y, verbose=0)


def test_a_loss_that_is_nan_is_announced():
    with pytest.warns(UserWarning, match=r"Sequential 'r'.fit\] the loss became NaN: .*TerminateOnNaN"):
        regressor().fit(X * np.nan, Y, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regressor().fit(X, Y, verbose=0)


# -- memory ---------------------------------------------------------------------------------------


def test_many_fits_keep_memory_flat():
    def run():
        model = edl.Sequential(
            [edl.Input((5,)), L.Dense(4, "relu"), L.BatchNormalization(), L.Dropout(0.2), L.Dense(2)]
        )
        model.compile("adam", "mse", metrics=["mae"])
        model.fit(X, Y, batch_size=48, verbose=0, validation_split=0.5)

    same = regressor()
    counts = []
    for _ in range(3):
        for _ in range(8):
            run()
            same.fit(X, Y, verbose=0)
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert abs(counts[2] - counts[1]) < 50


# -- messages -----------------------------------------------------------------------------------


def fit(*args, model=None, **named):
    return (model or regressor()).fit(*args, verbose=0, **named)


def compiled(model, *args, **named):
    model.compile(*args, **named)
    return model


def returning(value):
    return regressor(type("Own", (edl.Sequential,), {"train_step": lambda self, data: value}))


def built_elsewhere():
    optimizer = edl.optimizers.SGD()
    optimizer.build([edl.Variable([1.0], name="other")])
    return regressor(optimizer=optimizer)


MISTAKES = {
    "last axis": (lambda: fit(X[:, :3], Y), r"size 5 on axis 1.*got 3 in shape \(32, 3\)"),
    "labels out of range": (lambda: fit(X, CLASSES + 3, model=compiled(classifier(), "sgd", CROSSENTROPY)), r"labels must lie between 0 and 2"),
    "labels of another width": (lambda: fit(X, Y[:, :1]), r"y_true \(32, 1\), y_pred \(32, 2\)"),
    "labels without axis": (lambda: fit(X, Y[:, 0]), r"y_true \(32,\), y_pred \(32, 2\)"),
    "no labels": (lambda: fit(X), r"labels are needed for every output that has a loss"),
    "no loss": (lambda: fit(X, Y, model=regressor(loss=None)), r"something to minimise is needed; the model was compiled without a loss"),
    "not compiled": (lambda: fit(X, Y, model=classifier()), r"a model must be compiled before"),
    "unknown loss": (lambda: regressor(loss="mes"), r"\[loss\] a known name is needed; got 'mes', did you mean 'mse'"),
    "unknown metric": (lambda: fit(X, Y, model=regressor(metrics=["accurcy"])), r"got 'accurcy', did you mean 'accuracy'"),
    "unknown optimizer": (lambda: regressor(optimizer="adamm"), r"got 'adamm', did you mean .*'Adam'"),
    "metrics without list": (lambda: regressor(metrics="mae"), r"a list, tuple or dict of metrics is needed; got 'mae'"),
    "optimizer of other variables": (lambda: fit(X, Y, model=built_elsewhere()), r"updates the variables that it was built with"),
    "no optimizer": (lambda: fit(X, Y, model=regressor(optimizer=None)), r"training needs an optimizer"),
    "generator that ends": (lambda: fit(itertools.islice(endless(), 3), steps_per_epoch=5), r"it ended after 3, where epoch 1 needs batch 4 of 5"),
    "ragged batches": (lambda: fit((X[:4], Y[: 4 - i]) for i in range(3)), r"batch 2 of the generator.*x has 4, y has 3"),
    "empty arrays": (lambda: fit(X[:0], Y[:0]), r"data must have at least one sample"),
    "empty generator": (lambda: fit(iter([])), r"data must have at least one batch"),
    "lengths": (lambda: fit(X, Y[:5]), r"same number of samples; x has 96, y has 5"),
    "objects": (lambda: fit(np.array([object()] * 4), Y[:4]), r"array of dtype object"),
    "batch size": (lambda: fit(X, Y, batch_size=0), r"batch_size must be at least 1; got 0"),
    "epochs": (lambda: fit(X, Y, epochs=-1), r"epochs is the number of the last epoch; got -1"),
    "split": (lambda: fit(X, Y, validation_split=2.0), r"use a fraction between 0 and 1"),
    "validation_freq": (lambda: fit(X, Y, validation_data=(X, Y), validation_freq=0), r"validation_freq is an int from 1"),
    "validation of another width": (lambda: fit(X, Y, validation_data=(X[:, :3], Y)), r"size 5 on axis 1"),
    "validation of other inputs": (lambda: fit(X, Y, validation_data=([X, X], Y)), r"1 inputs? .* needed; got 2"),
    "validation of other labels": (lambda: fit(X, Y, validation_data=(X, [Y, Y])), r"one output; y holds 2 arrays"),
    "validation without labels": (lambda: fit(X, Y, validation_data=(X,)), r"labels are needed"),
    "both weights": (lambda: fit(X, Y, class_weight={0: 1}, sample_weight=np.ones(96)), r"either class_weight or sample_weight"),
    "length of weights": (lambda: fit(X, Y, sample_weight=np.ones(5)), r"sample_weight has 5"),
    "shape of weights": (lambda: fit(X, Y, sample_weight=np.ones((96, 7))), r"sample_weight \(32, 7\)"),
    "names of loss weights": (lambda: fit(X, [Y, CLASSES], model=compiled(two_outputs(), "sgd", ["mse", CROSSENTROPY], loss_weights={"zz": 1})),
                              r"outputs are named \['p', 'q'\]; got \['zz'\]"),
    "names of losses": (lambda: fit(X, [Y, CLASSES], model=compiled(two_outputs(), "sgd", {"pp": "mse"})), r"got \['pp'\], did you mean 'p'"),
    "number of losses": (lambda: fit(X, [Y, CLASSES], model=compiled(two_outputs(), "sgd", ["mse"])), r"the model has 2 outputs; got a list of 1"),
    "number of labels": (lambda: fit(X, [Y], model=compiled(two_outputs(), "sgd", ["mse", "mse"])), r"the model has 2 outputs; y holds 1"),
    "eagerly and compiled": (lambda: regressor(run_eagerly=True, jit_compile=True), r"exclude each other"),
    "steps_per_execution": (lambda: regressor(steps_per_execution=0), r"steps_per_execution is an int from 1; got 0"),
    "callbacks": (lambda: fit(X, Y, callbacks=[3]), r"a callback is derived from edl.callbacks.Callback; got int"),
    "verbose": (lambda: regressor().fit(X, Y, verbose=5), r"0, 1, 2 or 'auto' is needed; got 5"),
    "result of a step": (lambda: fit(X, Y, model=returning(edl.constant(1.0))), r"a step returns a dict .* got Tensor"),
    "arguments of evaluate": (lambda: regressor().evaluate(X, Y, batch=3), r"the arguments must be known; got batch"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(case):
    make, message = MISTAKES[case]
    with pytest.raises(edl.errors.EagerdlError, match=message):
        make()


def test_a_generator_that_ends_keeps_the_epochs_before():
    model = regressor()
    with pytest.raises(edl.errors.ArgumentError, match="ended after 5"):
        model.fit(itertools.islice(endless(), 5), steps_per_epoch=2, epochs=4, verbose=0)
    assert model.history.epoch == [0, 1] and int(model.optimizer.iterations) == 5


def test_a_step_may_return_nothing():
    assert returning(None).fit(X, Y, verbose=0).history == {}


def test_a_model_is_freed_when_nobody_holds_it():
    """By counting references alone: the arrays of weights and slots do not wait for the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        for wired in (True, False):
            inputs = [edl.Input((4,))] if wired else []
            model = edl.Sequential([*inputs, edl.layers.Dense(3, "relu"), edl.layers.Dropout(0.5), edl.layers.Dense(1)])
            model.compile("adam", "mse", metrics=["mae"])
            history = model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
            held = [weakref.ref(model), *[weakref.ref(variable) for variable in model.variables]]
            assert history.model is model
            del model, inputs
            assert [one() for one in held] == [None] * len(held)
            assert history.model is None and history.history["loss"]
    finally:
        gc.enable()
