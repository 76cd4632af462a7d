"""Training by compiled steps: the bits are those of line by line, in loops of one's own and in fit; what cannot be compiled goes on."""

import gc
import logging
import os
import random
import subprocess
import sys
import weakref

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import config
from eagerdl.errors import TracingError
from eagerdl.machine import compiler
from eagerdl.train import steps

L = edl.layers
CROSSENTROPY = edl.losses.SparseCategoricalCrossentropy(from_logits=True)
_generator = np.random.default_rng(0)
X = _generator.standard_normal((100, 5)).astype("float32")
Y = (X @ _generator.standard_normal((5, 3))).argmax(1)
IMAGES = _generator.standard_normal((100, 8, 8, 2)).astype("float32")
SERIES = _generator.standard_normal((100, 6, 4)).astype("float32")
TOKENS = _generator.integers(0, 11, (100, 7))


@pytest.fixture(autouse=True)
def seeded():
    edl.utils.set_random_seed(1)


@pytest.fixture
def impatient(monkeypatch):
    """Steps are compiled as soon as "auto" can: after one that runs line by line."""
    monkeypatch.setattr(steps, "PATIENCE", 0.0)


@pytest.fixture
def said(monkeypatch):
    """The messages of steps."""
    lines = []
    monkeypatch.setattr(steps, "print_message", lines.append)
    return lines


# -- models -----------------------------------------------------------------------------------------


def mlp():
    return edl.Sequential([edl.Input((5,)), L.Dense(8, "tanh"), L.Dense(3)])


def convnet():
    return edl.Sequential([
        edl.Input((8, 8, 2)), L.Conv2D(4, 3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(),
        L.MaxPooling2D(), L.Dropout(0.3), L.Flatten(), L.Dense(3),
    ])  # fmt: skip


def lstm():
    return edl.Sequential([edl.Input((6, 4)), L.LSTM(5), L.Dropout(0.2), L.Dense(3)])


class Block(L.Layer):
    def __init__(self):
        super().__init__()
        self.before, self.attention = L.LayerNormalization(), L.MultiHeadAttention(2, 4, dropout=0.1)
        self.after, self.wide, self.narrow = L.LayerNormalization(), L.Dense(16, "gelu"), L.Dense(8)

    def call(self, x, training=None):
        h = self.before(x)
        x = x + self.attention(h, h, use_causal_mask=True, training=training)
        return x + self.narrow(self.wide(self.after(x)))


class Transformer(edl.Model):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = L.Embedding(11, 8), L.Embedding(7, 8)
        self.blocks = [Block(), Block()]
        self.head = L.Dense(3)

    def call(self, x, training=None):
        h = self.tokens(x) + self.places(edl.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h, training=training)
        return self.head(h[:, -1])


MODELS = {"mlp": (mlp, X), "convnet": (convnet, IMAGES), "lstm": (lstm, SERIES), "transformer": (Transformer, TOKENS)}


def made(name):
    edl.utils.set_random_seed(3)
    make, x = MODELS[name]
    model = make()
    model(x[:2])
    return model, x


def batches(x, count):
    """So many batches of 32, the last one of each pass smaller."""
    starts = [start for _ in range(count) for start in range(0, len(x), 32)][:count]
    return [(edl.constant(x[start : start + 32]), edl.constant(Y[start : start + 32])) for start in starts]


def arrays(variables):
    return [variable.numpy() for variable in variables]


def assert_same(these, others):
    for one, other in zip(these, others, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


# -- loops of one's own -----------------------------------------------------------------------------


def by_hand(name, optimizer, decorate, count=50):
    """Losses, accuracies and variables after so many steps."""
    model, x = made(name)
    accuracy = edl.metrics.SparseCategoricalAccuracy()
    variables = model.trainable_variables
    optimizer.build(variables)

    def step(x, y):
        with edl.GradientTape() as tape:
            out = model(x, training=True)
            loss = CROSSENTROPY(y, out)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables))
        accuracy.update_state(y, out)
        return loss, accuracy.result()

    step = decorate(step)
    seen = [[one.numpy() for one in step(*batch)] for batch in batches(x, count)]
    return seen, arrays([*model.variables, *optimizer.variables, *accuracy.variables])


@pytest.mark.parametrize("name", MODELS)
def test_fifty_steps_by_hand(name):
    plain, compiled = (by_hand(name, edl.optimizers.Adam(0.01), how) for how in (lambda step: step, edl.function))
    assert_same([one for row in plain[0] for one in row], [one for row in compiled[0] for one in row])
    assert_same(plain[1], compiled[1])


OPTIMIZERS = {
    "SGD": lambda: edl.optimizers.SGD(0.1),
    "SGD with momentum": lambda: edl.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "AdamW, clipped": lambda: edl.optimizers.AdamW(0.01, global_clipnorm=0.5),
    "RMSprop": lambda: edl.optimizers.RMSprop(0.01, centered=True),
    "Adagrad": lambda: edl.optimizers.Adagrad(0.1),
    "Lion": lambda: edl.optimizers.Lion(0.001),
    "average of weights": lambda: edl.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=7),
    "gathered gradients": lambda: edl.optimizers.Adam(0.1, gradient_accumulation_steps=3, clipnorm=1.0),
    "schedule": lambda: edl.optimizers.SGD(
        edl.optimizers.schedules.CosineDecay(0.1, 30, warmup_steps=5, warmup_target=0.2)
    ),
    "scaled loss": lambda: edl.optimizers.LossScaleOptimizer(edl.optimizers.Adam(0.01), dynamic_growth_steps=6),
}


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_optimizers_by_hand(case):
    plain, compiled = (by_hand("mlp", OPTIMIZERS[case](), how, 20) for how in (lambda step: step, edl.function))
    assert_same(plain[1], compiled[1])


def test_two_steps_that_share_variables():
    """As of a GAN: each of two compiled steps changes variables that the other one reads."""

    def run(decorate):
        edl.utils.set_random_seed(0)
        generator = edl.Sequential([edl.Input((4,)), L.Dense(8, "relu"), L.Dense(5)])
        critic = edl.Sequential([edl.Input((5,)), L.Dense(8, "relu"), L.Dropout(0.2), L.Dense(1)])
        optimizers = [edl.optimizers.Adam(0.01), edl.optimizers.RMSprop(0.01)]
        for optimizer, model in zip(optimizers, (generator, critic)):
            optimizer.build(model.trainable_variables)
        binary = edl.losses.BinaryCrossentropy(from_logits=True)

        def judge(real):
            fake = generator(edl.random.normal((len(real), 4)), training=True)
            with edl.GradientTape() as tape:
                both = critic(edl.concatenate([real, fake]), training=True)
                loss = binary(edl.concatenate([edl.ones((len(real), 1)), edl.zeros((len(real), 1))]), both)
            variables = critic.trainable_variables
            optimizers[1].apply_gradients(zip(tape.gradient(loss, variables), variables))
            return loss

        def forge(count):
            with edl.GradientTape() as tape:
                loss = binary(
                    edl.ones((count, 1)), critic(generator(edl.random.normal((count, 4)), training=True), training=True)
                )
            variables = generator.trainable_variables
            optimizers[0].apply_gradients(zip(tape.gradient(loss, variables), variables))
            return loss

        judge, forge = decorate(judge), decorate(forge)
        losses = []
        for x, _ in batches(X, 24):
            losses += [judge(x).numpy(), forge(len(x)).numpy(), critic(x, training=False).numpy()]
        return losses + arrays([*generator.variables, *critic.variables])

    assert_same(run(lambda step: step), run(edl.function))


# -- the ladder ----------------------------------------------------------------------------------------


class OwnStep(edl.Sequential):
    def train_step(self, data):
        x, y = data
        with edl.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return {"loss": loss}


class Perceptron(edl.Module):
    def __init__(self, weights):
        super().__init__()
        self.weights = [edl.Variable(one) for one in weights]

    def __call__(self, x):
        a, b, c, d = self.weights
        return edl.tanh(x @ a + b) @ c + d


def test_every_rung_of_the_ladder_has_the_same_bits():
    start = mlp().get_weights()
    results = {}

    def climb(rung, forward, variables):
        for how in (lambda step: step, edl.function):
            for variable, weight in zip(variables, start):
                variable.assign(weight)
            optimizer = edl.optimizers.Adam(0.01)
            optimizer.build(variables)

            def step(x, y, optimizer=optimizer):
                with edl.GradientTape() as tape:
                    loss = CROSSENTROPY(y, forward(x))
                optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

            step = how(step)
            for batch in batches(X, 12):
                step(*batch)
            results[rung, how] = arrays(variables)

    free = [edl.Variable(one) for one in start]
    climb("ops", lambda x: edl.tanh(x @ free[0] + free[1]) @ free[2] + free[3], free)
    module = Perceptron(start)
    climb("module", module, module.weights)
    model = mlp()
    climb("model", model, model.trainable_variables)
    for cls in (edl.Sequential, OwnStep):
        for settings in ({"run_eagerly": True}, {"jit_compile": True}):
            model = cls([edl.Input((5,)), L.Dense(8, "tanh"), L.Dense(3)])
            model.set_weights(start)
            model.compile(edl.optimizers.Adam(0.01), CROSSENTROPY, **settings)
            model.fit(X, Y, batch_size=32, epochs=3, shuffle=False, verbose=0)
            results[cls, str(settings)] = model.get_weights()
    reference, *others = results.values()
    for other in others:
        assert_same(reference, other)


# -- fit -------------------------------------------------------------------------------------------------


def fitted(name, cls=None, optimizer="adam", epochs=3, fit=None, **settings):
    """All that fit, evaluate and predict leave."""
    model, x = made(name)
    model.compile(
        optimizer() if callable(optimizer) else optimizer, CROSSENTROPY, **{"metrics": ["accuracy"], **settings}
    )
    history = model.fit(x, Y, validation_split=0.2, epochs=epochs, verbose=0, **(fit or {})).history
    scores = model.evaluate(x, Y, batch_size=48, verbose=0)
    return (
        history,
        scores,
        model.predict(x, batch_size=48, verbose=0),
        arrays([*model.variables, *model.optimizer.variables]),
        model,
    )


def assert_fits_equal(*args, **named):
    plain = fitted(*args, **named, run_eagerly=True)
    compiled = fitted(*args, **named, jit_compile=True)
    assert plain[0] == compiled[0] and plain[1] == compiled[1]
    assert_same([plain[2], *plain[3]], [compiled[2], *compiled[3]])
    taken = compiled[4]._steps
    assert all(taken[step].traced[0].layouts for step in ("train_step", "test_step", "predict_step"))


@pytest.mark.parametrize("name", MODELS)
def test_fit_evaluate_predict(name):
    assert_fits_equal(name)


SETTINGS = {
    "class weights": {"fit": {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}, "weighted_metrics": ["accuracy"]},
    "sample weights": {
        "fit": {"sample_weight": np.linspace(0, 2, 100)},
        "weighted_metrics": ["sparse_categorical_crossentropy"],
    },
    "several steps at once": {"steps_per_execution": 3},
    "shuffled batches": {"fit": {"batch_size": 7, "shuffle": True}},
    "average of weights": {"optimizer": lambda: edl.optimizers.Adam(0.01, use_ema=True)},
    "gathered gradients": {"optimizer": lambda: edl.optimizers.SGD(0.1, gradient_accumulation_steps=2)},
    "scaled loss": {
        "optimizer": lambda: edl.optimizers.LossScaleOptimizer(edl.optimizers.SGD(0.1), dynamic_growth_steps=4)
    },
    "metrics with state": {"metrics": [edl.metrics.SparseTopKCategoricalAccuracy(2, name="top")]},
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings(case):
    assert_fits_equal("mlp", **SETTINGS[case])


@pytest.mark.parametrize("policy", ("mixed_bfloat16", "mixed_float16"))
def test_mixed_precision(policy):
    config.set_dtype_policy(policy)
    try:
        assert_fits_equal("convnet")
    finally:
        config.set_dtype_policy(None)


def test_forms_of_data_and_outputs():
    """Inputs by name, several outputs with losses of their own, masks, a loss that a layer adds."""

    class Busy(L.Layer):
        def call(self, x):
            self.add_loss(0.1 * edl.mean(x**2))
            return x

    def run(**settings):
        edl.utils.set_random_seed(0)
        words, rest = edl.Input((7,), name="words", dtype="int32"), edl.Input((5,), name="rest")
        h = edl.layers.concatenate([L.GRU(4)(L.Embedding(11, 6, mask_zero=True)(words)), Busy()(L.Dense(3)(rest))])
        model = edl.Model({"words": words, "rest": rest}, {"kind": L.Dense(3)(h), "sum": L.Dense(1, name="sum")(h)})
        losses, metrics = {"kind": CROSSENTROPY, "sum": "mse"}, {"kind": ["accuracy"], "sum": ["mae"]}
        model.compile("adam", losses, loss_weights={"sum": 0.3, "kind": 1.0}, metrics=metrics, **settings)
        data = {"words": TOKENS, "rest": X}, {"kind": Y, "sum": X.sum(1, keepdims=True)}
        history = model.fit(*data, epochs=3, verbose=0).history
        out = model.predict(data[0], verbose=0)
        return history, model.evaluate(*data, verbose=0), [*out.values(), *arrays(model.variables)]

    plain, compiled = run(run_eagerly=True), run(jit_compile=True)
    assert plain[:2] == compiled[:2]
    assert_same(plain[2], compiled[2])


def test_stateful_networks():
    def run(**settings):
        edl.utils.set_random_seed(0)
        model = edl.Sequential([edl.Input(batch_shape=(20, 6, 4)), L.LSTM(3, stateful=True), L.Dense(3)])
        model.compile("sgd", CROSSENTROPY, **settings)
        out = [model.fit(SERIES, Y, batch_size=20, shuffle=False, verbose=0).history["loss"][0] for _ in range(2)]
        model.layers[0].reset_state()
        out += [model.train_on_batch(SERIES[:20], Y[:20]) for _ in range(3)]
        return out, arrays(model.variables)

    plain, compiled = run(run_eagerly=True), run(jit_compile=True)
    assert plain[0] == compiled[0]
    assert_same(plain[1], compiled[1])


def test_batches_one_by_one():
    def run(**settings):
        model, x = made("mlp")
        model.compile("adam", CROSSENTROPY, metrics=["accuracy"], **settings)
        out = [model.train_on_batch(x[i : i + 9], Y[i : i + 9]) for i in range(0, 90, 9)]
        out += [model.test_on_batch(x[i : i + 9], Y[i : i + 9], return_dict=True) for i in range(0, 90, 9)]
        return out, [model.predict_on_batch(x[i : i + 9]) for i in range(0, 90, 9)], arrays(model.variables)

    plain, compiled = run(run_eagerly=True), run(jit_compile=True)
    assert plain[0] == compiled[0]
    assert_same([*plain[1], *plain[2]], [*compiled[1], *compiled[2]])


def test_runs_that_go_on(tmp_path, impatient):
    """Snapshots of a compiled run hold what those of any other hold, and it goes on from them to the same bits."""

    class Stop(edl.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 6:
                raise InterruptedError

    def model():
        found, _ = made("convnet")
        found.compile("adam", CROSSENTROPY, metrics=["accuracy"])
        return found

    def run(folder, callbacks=()):
        found = model()
        edl.utils.set_random_seed(1)
        found.fit(IMAGES, Y, epochs=4, verbose=0, resume=edl.train.Journal(folder, seconds=0), callbacks=[*callbacks])
        return found

    whole = run(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        run(tmp_path / "cut", [Stop()])
    again = run(tmp_path / "cut")
    assert again.history.history == whole.history.history
    assert_same(arrays(again.variables), arrays(whole.variables))
    assert whole._steps["train_step"].traced


# -- what is compiled, and when ------------------------------------------------------------------------


def test_other_numbers_of_samples_compile_nothing(monkeypatch):
    monkeypatch.setenv("EAGERDL_CACHE", "0")
    monkeypatch.setattr(compiler, "_loaded", {})

    def compiled(count):
        before = compiler.compile_counts()["compiled"]
        model, x = made("mlp")
        model.compile("adam", CROSSENTROPY, metrics=["accuracy"], jit_compile=True)
        model.fit(x[:count], Y[:count], batch_size=32, epochs=2, verbose=0)
        model.evaluate(x[:count], Y[:count], verbose=0)
        model.predict(x[:count], verbose=0)
        return compiler.compile_counts()["compiled"] - before

    first, *others = [compiled(count) for count in (100, 70, 65, 97)]
    assert first > 0 and others == [0, 0, 0]


def test_short_runs_are_not_compiled(monkeypatch):
    monkeypatch.setattr(steps, "PATIENCE", 2.0)
    model, x = made("mlp")
    model.compile("adam", CROSSENTROPY)
    model.fit(x, Y, epochs=2, verbose=0)
    assert not model._steps["train_step"].traced


def test_a_step_is_compiled_when_it_has_run_long_enough(monkeypatch):
    monkeypatch.setattr(steps, "PATIENCE", 0.03)
    model, x = made("mlp")
    model.compile("adam", CROSSENTROPY)
    model.fit(x[:96], Y[:96], epochs=2, verbose=0)
    step = model.make_train_function()
    while not step.traced:
        step.spent[steps.layout_of((edl.constant(x[:32]), edl.constant(Y[:32])))] = (1, 0.01)
        model.fit(x[:96], Y[:96], verbose=0)
        step.spent[steps.layout_of((edl.constant(x[:32]), edl.constant(Y[:32])))] = (2, 0.04)
        model.fit(x[:96], Y[:96], verbose=0)
    assert len(step.traced[0].layouts) == 1
    model.train_on_batch(x[:5], Y[:5])  # another shape has to earn it again
    assert len(step.traced[0].layouts) == 1
    step.spent[steps.layout_of((edl.constant(x[:5]), edl.constant(Y[:5])))] = (1, 100.0)
    model.train_on_batch(x[:5], Y[:5])
    assert len(step.traced[0].layouts) == 2


def test_a_compiled_model_is_freed_when_nobody_holds_it(impatient):
    gc.collect()
    gc.disable()
    try:
        model, x = made("convnet")
        model.compile("adam", CROSSENTROPY, metrics=["accuracy"])
        model.fit(x, Y, verbose=0, epochs=2, validation_split=0.5)
        model.predict(x, verbose=0)
        assert model._steps["train_step"].traced
        held = [weakref.ref(model), *[weakref.ref(variable) for variable in model.variables]]
        del model
        assert [one() for one in held] == [None] * len(held)
    finally:
        gc.enable()


def test_copies_and_files_leave_compiled_steps_behind(tmp_path):
    import copy
    import pickle

    model, x = made("mlp")
    model.compile("adam", CROSSENTROPY, jit_compile=True)
    model.fit(x, Y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    others = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), edl.models.load_model(tmp_path / "model.keras")]
    out = model.predict(x, verbose=0)
    for other in others:
        assert_same([out], [other.predict(x, verbose=0)])
    before = model.get_weights()
    others[0].fit(x, Y, verbose=0)
    assert_same(before, model.get_weights())


# -- what changes between steps --------------------------------------------------------------------------


def assert_runs_equal(run):
    """`run(settings)` gives the same results in all ways."""
    first, *others = [run({"run_eagerly": True}), run({"jit_compile": True}), run({})]
    for other in others:
        assert_same(first, other)


class Scaled(edl.Sequential):
    """A model whose steps read numbers of Python."""

    factor, table = 1.0, None

    def train_step(self, data):
        x, y = data
        with edl.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True)) * self.factor * self.table["factor"] * FACTORS[0]
            loss = loss * Settings.factor * edl.constant(ARRAY)[0]
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return {"loss": loss}


FACTORS = [1.0]
ARRAY = np.ones(2, "float32")


class Settings:
    factor = 1.0


def change_attribute(model):
    model.factor *= 0.5


def change_entry(model):
    model.table["factor"] += 1.0


def change_global(model):
    FACTORS[0] += 0.5


def freeze(model):
    model.layers[0].trainable = not model.layers[0].trainable


def freeze_variable(model):
    model.layers[0].kernel.trainable = not model.layers[0].kernel.trainable


def change_rate(model):
    model.optimizer.learning_rate = float(model.optimizer.learning_rate) * 0.5


def change_clipping(model):
    model.optimizer.clipnorm = 0.1


def change_dropout(model):
    model.layers[1].rate = 0.5


def change_activation(model):
    model.layers[0].activation = edl.activations.relu


def change_smoothing(model):
    model._compile_loss.losses[0].reduction = "sum"


def change_weights(model):
    model.set_weights([w * 0.5 for w in model.get_weights()])


def change_class(model):
    Settings.factor = 2.0


def change_array(model):
    ARRAY[0] += 1.0


CHANGES = [change_attribute, change_entry, change_global, change_class, change_array, freeze, freeze_variable, change_rate, change_clipping, change_dropout,
           change_activation, change_smoothing, change_weights]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_steps_counts(change, impatient, monkeypatch):
    class Change(edl.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch in (2, 4):
                change(self.model)

    def run(settings):
        FACTORS[0] = ARRAY[0] = Settings.factor = 1.0
        edl.utils.set_random_seed(0)
        model = Scaled([edl.Input((5,)), L.Dense(6, "tanh"), L.Dropout(0.1), L.Dense(3)])
        model.table = {"factor": 1.0}
        model.compile(
            edl.optimizers.SGD(0.1, momentum=0.9),
            edl.losses.SparseCategoricalCrossentropy(from_logits=True),
            **settings,
        )
        model.optimizer.build(model.trainable_variables)
        history = model.fit(X, Y, epochs=6, verbose=0, shuffle=False, callbacks=[Change()]).history
        return [np.array(history["loss"]), *arrays(model.variables)]

    assert_runs_equal(run)


def test_what_no_step_reads_may_change(impatient):
    class Note(edl.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.seen_by_callback += 1
            self.model.noted_by_callback.append(logs["loss"])

    model = Scaled([edl.Input((5,)), L.Dense(3)])
    model.table, model.seen_by_callback, model.noted_by_callback = {"factor": 1.0}, 0, []
    model.compile("sgd", CROSSENTROPY)
    model.fit(X[:96], Y[:96], epochs=4, verbose=0, callbacks=[Note()])
    step = model._steps["train_step"]
    assert step.traced[0].calls >= 9 and len(step.traced) == 1 and model.seen_by_callback == 12


def test_what_changes_again_and_again_is_named_once(impatient, said, monkeypatch):
    monkeypatch.setattr(steps, "RESTLESS", 2)

    class Change(edl.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.factor += 0.001

    def run(settings):
        edl.utils.set_random_seed(0)
        model = Scaled([edl.Input((5,)), L.Dense(6, "tanh"), L.Dense(3)], name="m")
        model.table = {"factor": 1.0}
        model.compile("sgd", CROSSENTROPY, **settings)
        model.fit(X, Y, epochs=60, verbose=0, shuffle=False, callbacks=[Change()])
        return arrays(model.variables)

    assert_same(run({"run_eagerly": True}), run({}))
    (line,) = said
    assert line.startswith(
        "[Scaled 'm'.train_step] the step runs mostly line by line, because the attribute 'factor' of Scaled 'm' changes"
    )


def test_a_program_that_changes_back_and_forth_keeps_both_traces(impatient):
    def run(settings):
        edl.utils.set_random_seed(0)
        critic = edl.Sequential([edl.Input((5,)), L.Dense(4, "relu"), L.Dense(1)])
        generator = edl.Sequential([edl.Input((3,)), L.Dense(5)])
        both = edl.Sequential([edl.Input((3,)), generator, critic])
        for model in (critic, both):
            model.compile("adam", edl.losses.BinaryCrossentropy(from_logits=True), **settings)
        losses = []
        for i in range(0, 90, 9):
            critic.trainable = True
            fake = generator.predict_on_batch(X[i : i + 9, :3])
            losses.append(critic.train_on_batch(np.concatenate([X[i : i + 9], fake]), np.repeat([[1.0], [0.0]], 9, 0)))
            critic.trainable = False
            losses.append(both.train_on_batch(X[i : i + 9, :3], np.ones((9, 1))))
        critic.trainable = True
        if settings.get("jit_compile"):
            assert [len(model._steps["train_step"].traced) for model in (critic, both)] == [1, 1]
        return [np.array(losses), *arrays(both.variables)]

    assert_runs_equal(run)


def test_learning_rates_from_functions(impatient, said):
    rate = edl.Variable(0.1)
    rates = iter(np.linspace(0.1, 0.01, 100))

    def run(learning_rate, **settings):
        model, x = made("mlp")
        rate.assign(0.1)
        model.compile(edl.optimizers.SGD(learning_rate), CROSSENTROPY, **settings)
        model.fit(
            x,
            Y,
            verbose=0,
            callbacks=[edl.callbacks.LambdaCallback(on_train_batch_end=lambda *_: rate.assign_sub(0.01) and None)],
        )
        return model.get_weights()

    assert_same(run(lambda: rate, run_eagerly=True), run(lambda: rate, jit_compile=True))
    assert not said
    plain = run(lambda: next(rates), run_eagerly=True)
    rates = iter(np.linspace(0.1, 0.01, 100))
    with pytest.raises(TracingError, match="asked for at each step"):
        run(lambda: next(rates), jit_compile=True)
    rates = iter(np.linspace(0.1, 0.01, 100))
    assert len(plain) == len(run(lambda: next(rates)))
    assert "asked for at each step" in said[0]


# -- what cannot be compiled ------------------------------------------------------------------------------


class Stubborn(edl.Sequential):
    """A model whose step does what `misdeed` does, which compiled code cannot do."""

    misdeed, seen, noted, rng = None, None, 0, None

    def train_step(self, data):
        x, y = data
        with edl.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
            loss = type(self).misdeed(self, loss)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return {"loss": loss}


def looks(model, loss):
    return loss * 2 if np.float32(loss.numpy()) > 0 else loss


def appends(model, loss):
    model.seen.append(loss)
    return loss


def counts(model, loss):
    model.noted += 1
    return loss * (1 + model.noted)


def keeps(model, loss):
    setattr(model, "latest", loss)  # noqa: B010
    return loss


def prints(model, loss):
    print("loss")
    return loss


def logs(model, loss):
    LOGGER.debug("a step")
    return loss


def draws(model, loss):
    return loss * float(np.random.rand())


def draws_by_python(model, loss):
    return loss * random.random()


def draws_by_its_own(model, loss):
    return loss * float(model.rng.random())


RNG = np.random.default_rng(0)
LOGGER = logging.getLogger("test")


def draws_by_a_global(model, loss):
    return loss * float(RNG.random())


def selects(model, loss):
    kernel = model.trainable_variables[0]
    return loss + edl.sum(edl.abs(kernel[kernel > 0.1])) * 0.01


MISDEEDS = {
    looks: "asked for its value",
    appends: "`model.seen.append(loss)` changes what is outside of the step",
    counts: "`model.noted += 1` changes what is outside of the step",
    keeps: "it assigns the attribute 'latest' of Stubborn 'm'",
    prints: "`print('loss')` changes what is outside of the step",
    logs: "`LOGGER.debug('a step')` changes what is outside of the step",
    draws: "draws from a random generator of NumPy or Python",
    draws_by_python: "draws from a random generator of NumPy or Python",
    draws_by_its_own: "draws from a random generator of NumPy or Python",
    draws_by_a_global: "draws from a random generator of NumPy or Python",
    selects: "the shape of what getitem gives depends on elements",
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_what_cannot_be_compiled_goes_on_line_by_line(misdeed, impatient, said, capsys):
    """No run is lost, no bit differs, nothing happens twice, and one line says what stands where."""
    global RNG

    def run(settings):
        global RNG
        edl.utils.set_random_seed(0)
        np.random.seed(0)
        random.seed(0)
        RNG = np.random.default_rng(0)
        model = Stubborn([edl.Input((5,)), L.Dense(6, "tanh"), L.Dropout(0.2), L.Dense(3)], name="m")
        model.seen, model.rng = [], np.random.default_rng(0)
        Stubborn.misdeed = misdeed
        model.compile("adam", CROSSENTROPY, **settings)
        model.fit(X, Y, epochs=3, verbose=0)
        assert [float(one) > 0 for one in model.seen] == [True] * (12 * (misdeed is appends))
        assert model.noted == 12 * (misdeed is counts)
        return arrays(model.variables)

    plain = run({"run_eagerly": True})
    assert not said
    assert_same(plain, run({}))
    (line,) = said
    assert line.startswith("[Stubborn 'm'.train_step] the step runs line by line, because it cannot be compiled: ")
    assert MISDEEDS[misdeed] in line and "\n" not in line
    if misdeed in (looks, appends, counts, logs, prints, selects):
        number = misdeed.__code__.co_firstlineno
        assert any(f"test_function_training.py:{number + extra}" in line for extra in (1, 2))


def test_to_insist_raises(impatient, said):
    Stubborn.misdeed = looks
    model = Stubborn([edl.Input((5,)), L.Dense(3)])
    model.compile("adam", CROSSENTROPY, jit_compile=True)
    model.build((None, 5))
    with pytest.raises(TracingError, match="asked for its value"):
        model.fit(X, Y, verbose=0)
    model.compile("adam", CROSSENTROPY, jit_compile=False)
    model.fit(X, Y, verbose=0)
    assert not model._steps["train_step"].traced and not said


def test_a_trace_that_fails_changes_nothing(impatient, said):
    """Variables, slots, metrics and random states are those before the trace when the step runs line by line."""

    class Late(edl.Sequential):
        def train_step(self, data):
            logs = super().train_step(data)
            logs["twice"] = float(logs["loss"].numpy()) * 2  # after all variables were assigned
            return logs

    def run(**settings):
        edl.utils.set_random_seed(0)
        model = Late(
            [edl.Input((8, 8, 2)), L.Conv2D(2, 3), L.BatchNormalization(), L.Dropout(0.5), L.Flatten(), L.Dense(3)]
        )
        model.compile("adam", CROSSENTROPY, metrics=["accuracy"], **settings)
        history = model.fit(IMAGES, Y, epochs=2, verbose=0).history
        return history, arrays([*model.variables, *model.optimizer.variables, *model.metrics_variables])

    plain, other = run(run_eagerly=True), run()
    assert plain[0] == other[0] and len(said) == 1
    assert_same(plain[1], other[1])


def test_errors_of_the_user_are_raised_as_ever(impatient, said):
    class Wrong(edl.Sequential):
        def test_step(self, data):
            raise KeyError("mine")

    model = Wrong([edl.Input((5,)), L.Dense(3)])
    model.compile("sgd", CROSSENTROPY)
    for _ in range(3):
        with pytest.raises(KeyError, match="mine"):
            model.evaluate(X, Y, verbose=0)
    labels = Y.copy()
    labels[70] = 5  # in the third batch of compiled steps
    for settings in ({"run_eagerly": True}, {}, {"jit_compile": True}):
        model, x = made("mlp")
        model.compile("sgd", CROSSENTROPY, **settings)
        with pytest.raises(edl.errors.RangeError, match="labels must lie between 0 and 2"):
            model.fit(x, labels, shuffle=False, verbose=0)
        assert int(model.optimizer.iterations) == 2
    assert not said


def test_indices_are_checked_in_compiled_steps():
    model, _ = made("transformer")
    model.compile("sgd", CROSSENTROPY, jit_compile=True)
    model.predict(TOKENS[:32], verbose=0)
    for wrong in (11, -1):
        with pytest.raises(edl.errors.RangeError, match=f"whole numbers from 0 to input_dim - 1 = 10; got {wrong}"):
            model.predict(np.full((32, 7), wrong), verbose=0)


def test_branches_of_the_user_are_compiled(said, impatient):
    """`if`s and loops on tensors, in layers, losses, metrics and steps of one's own."""

    class Gate(L.Layer):
        def call(self, x):
            if edl.mean(x) > 0:
                return x * 2
            return x - 1

    def loss(y, p):
        total = edl.mean((y - p) ** 2, -1)
        if edl.max(total) > 2:
            total = total * 0.5
        return total

    class Largest(edl.metrics.Metric):
        def __init__(self):
            super().__init__(name="largest")
            self.value = self.add_weight(name="value")

        def update_state(self, y_true, y_pred, sample_weight=None):
            largest = edl.max(y_pred)
            if largest > self.value:
                self.value.assign(largest)

        def result(self):
            return self.value.value

    def run(**settings):
        edl.utils.set_random_seed(0)
        model = edl.Sequential([edl.Input((5,)), L.Dense(4, lambda x: x * 2), Gate(), L.Dense(2)])
        model.compile("sgd", loss, metrics=[Largest()], **settings)
        history = model.fit(X, X[:, :2] * 2, epochs=4, verbose=0).history
        return history, arrays(model.variables)

    plain, compiled, auto = run(run_eagerly=True), run(jit_compile=True), run()
    assert plain[0] == compiled[0] == auto[0] and not said
    assert_same(plain[1], compiled[1])
    assert_same(plain[1], auto[1])


def test_losses_of_layers_are_no_tensors_of_a_trace():
    model = edl.Sequential([edl.Input((5,)), L.Dense(3, activity_regularizer="l2", kernel_regularizer="l2")])
    model.compile("sgd", CROSSENTROPY, jit_compile=True)
    model.fit(X, Y, epochs=2, verbose=0)
    assert [float(one) > 0 for one in model.losses] == [True]  # of the weights now
    model(X)
    assert [float(one) > 0 for one in model.losses] == [True, True]


# -- line by line, as asked ------------------------------------------------------------------------------


class Spy:
    """Functions made with `edl.function` and what they see of values."""

    def __init__(self):
        self.values, spy = [], self

        @edl.function
        def loss(y, p):
            spy.values.append(bool(edl.max(p) < 1e9))
            return edl.mean((y - p) ** 2, -1)

        @edl.function
        def scaled(x, y):
            spy.values.append(float(edl.max(x)) < 1e9)
            return x * 2, y

        class Tell(edl.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                scaled(edl.ones(3), 0)

        self.loss, self.scaled, self.callback = loss, scaled, Tell()

    def run(self, **settings):
        model = edl.Sequential([edl.Input((5,)), L.Dense(2)])
        model.compile(
            "sgd", self.loss, metrics=[self.loss], jit_compile=settings.pop("jit_compile", "auto"), **settings
        )
        data = edl.data.Dataset.from_tensor_slices((X, X[:, :2])).batch(50).map(self.scaled)
        model.fit(data, epochs=2, verbose=0, callbacks=[self.callback])
        model.evaluate(data, verbose=0)
        return self.values


ALL = 2 * (2 * 3 + 1) + 2 * 3  # for each batch loss, metric and map, and a callback for each epoch of training


def test_run_eagerly_reaches_everything():
    assert Spy().run(run_eagerly=True) == [True] * ALL
    assert not config.functions_run_eagerly()


def test_the_switch_of_the_package_reaches_everything():
    config.run_functions_eagerly(True)
    try:
        assert Spy().run(jit_compile=True) == [True] * ALL
    finally:
        config.run_functions_eagerly(False)


def test_the_variable_of_the_environment_reaches_everything():
    code = "import test_function_training as t; assert t.Spy().run(jit_compile=True) == [True] * t.ALL"
    path = os.pathsep.join([os.path.dirname(os.path.dirname(__file__)), os.path.dirname(__file__)])
    environment = {**os.environ, "EAGERDL_EAGER": "1", "PYTHONPATH": path}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=120).returncode == 0


def test_run_eagerly_may_be_set_later(impatient):
    model, x = made("mlp")
    model.compile("sgd", lambda y, p: CROSSENTROPY(y, p) * 1.0, jit_compile=True)
    model.fit(x, Y, verbose=0)
    model.run_eagerly = True
    seen = []

    class Look(edl.Sequential):
        pass

    model.layers[0].activation = lambda z: seen.append(float(z[0, 0])) or edl.tanh(z)
    model.fit(x, Y, verbose=0)
    assert len(seen) == 4


def test_numbers_are_checked_in_every_op():
    model, x = made("mlp")
    model.compile("sgd", CROSSENTROPY, jit_compile=True)
    model.fit(x, Y, epochs=2, verbose=0)
    edl.debugging.enable_check_numerics()
    try:
        with pytest.raises(edl.errors.NumericsError):
            model.fit(np.full_like(x, np.nan), Y, verbose=0)
    finally:
        edl.debugging.disable_check_numerics()
