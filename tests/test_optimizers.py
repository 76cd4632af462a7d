"""Optimizers: every algorithm against its formula in NumPy, what they share, their configs, and what they refuse."""

import copy
import json
import pickle
import warnings

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.train import optimizers
from eagerdl.train.optimizers import schedules
from eagerdl.train.optimizers.clipping import clip_by_global_norm, global_norm

SHAPES = [(4, 3), (3,), (2, 3, 4), ()]
NAMES = ["dense/kernel", "dense/bias", "attention/kernel", "scale"]


@pytest.fixture
def float64():
    edl.config.set_floatx("float64")
    yield
    edl.config.set_floatx("float32")


def start(dtype="float64"):
    draw = np.random.default_rng(1)
    return [draw.normal(size=shape).astype(dtype) for shape in SHAPES]


def gradients(step, dtype="float64"):
    draw = np.random.default_rng(100 + step)
    return [0.7 * draw.normal(size=shape).astype(dtype) for shape in SHAPES]


def variables(dtype="float64"):
    return [edl.Variable(value, name=name) for value, name in zip(start(dtype), NAMES)]


def train(optimizer, vs, steps, first=0, dtype="float64"):
    for step in range(first, first + steps):
        optimizer.apply_gradients(zip([edl.constant(g) for g in gradients(step, dtype)], vs))
    return [v.numpy() for v in vs]


# -- the algorithms, each as a function (w, g, t, state) -> w; the state is a dict that begins empty -----------------


def sgd(w, g, t, s, lr=0.01, mu=0.0, nesterov=False):
    s["v"] = mu * s.get("v", 0.0) - lr * g
    return w + (mu * s["v"] - lr * g if nesterov else s["v"])


def lion(w, g, t, s, lr=0.001, b1=0.9, b2=0.99):
    m = s.get("m", 0 * g)
    s["m"] = b2 * m + (1 - b2) * g
    return w - lr * np.sign(b1 * m + (1 - b1) * g)


def moments(g, s, b1, b2):
    s["m"] = b1 * s.get("m", 0.0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * g * g
    return s["m"], s["v"]


def adam(w, g, t, s, lr=0.001, b1=0.9, b2=0.999, eps=1e-7, amsgrad=False, decay=0.0):
    m, v = moments(g, s, b1, b2)
    if amsgrad:
        v = s["top"] = np.maximum(s.get("top", 0.0), v)
    return w - lr * decay * w - lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)


def adamax(w, g, t, s, lr=0.001, b1=0.9, b2=0.999, eps=1e-7):
    s["m"] = b1 * s.get("m", 0.0) + (1 - b1) * g
    s["u"] = np.maximum(b2 * s.get("u", 0.0), abs(g))
    return w - lr / (1 - b1**t) * s["m"] / (s["u"] + eps)


def nadam(w, g, t, s, lr=0.001, b1=0.9, b2=0.999, eps=1e-7):
    m, v = moments(g, s, b1, b2)
    mu = [b1 * (1 - 0.5 * 0.96**i) for i in range(1, t + 2)]
    m_hat = mu[t] * m / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
    return w - lr * m_hat / (np.sqrt(v / (1 - b2**t)) + eps)


def lamb(w, g, t, s, lr=0.001, b1=0.9, b2=0.999, eps=1e-7):
    m, v = moments(g, s, b1, b2)
    r = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
    return w - lr * np.sqrt(np.sum(w**2)) / np.sqrt(np.sum(r**2)) * r


def schedule_free(w, g, t, s, lr=0.0025, b1=0.9, b2=0.999, eps=1e-8, warmup=0):
    x, z = s.get("x", w), s.get("z", w)
    s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * g * g
    z = z - lr * (min(t / warmup, 1) if warmup else 1) * g / (np.sqrt(s["v"] / (1 - b2**t)) + eps)
    s["z"], s["x"] = z, (1 - 1 / t) * x + z / t
    return (1 - b1) * s["z"] + b1 * s["x"]


def adagrad(w, g, t, s, lr=0.001, begin=0.1, eps=1e-7):
    s["G"] = s.get("G", begin) + g * g
    return w - lr * g / np.sqrt(s["G"] + eps)


def adadelta(w, g, t, s, lr=0.001, rho=0.95, eps=1e-7):
    s["g2"] = rho * s.get("g2", 0.0) + (1 - rho) * g * g
    d = -np.sqrt(s.get("d2", 0.0) + eps) / np.sqrt(s["g2"] + eps) * g
    s["d2"] = rho * s.get("d2", 0.0) + (1 - rho) * d * d
    return w + lr * d


def rmsprop(w, g, t, s, lr=0.001, rho=0.9, mu=0.0, eps=1e-7, centered=False):
    s["v"] = rho * s.get("v", 0.0) + (1 - rho) * g * g
    s["g"] = rho * s.get("g", 0.0) + (1 - rho) * g
    s["m"] = mu * s.get("m", 0.0) + lr * g / np.sqrt(s["v"] - (s["g"] ** 2 if centered else 0) + eps)
    return w - s["m"]


def ftrl(w, g, t, s, lr=0.001, power=-0.5, begin=0.1, l1=0.0, l2=0.0, shrink=0.0, beta=0.0):
    n = s.get("n", begin + 0 * g)
    s["n"] = n + g * g
    s["z"] = s.get("z", 0.0) + g + 2 * shrink * w - (s["n"] ** -power - n**-power) / lr * w
    z = s["z"]
    sparse = np.where(abs(z) <= l1, 0, np.sign(z) * l1 - z)
    return sparse / ((beta + s["n"] ** -power) / lr + 2 * l2)


def adafactor(w, g, t, s, lr=0.001, decay=-0.8, eps1=1e-30, eps2=1e-3, clip=1.0):
    b2, rho = 1 - t**decay, min(lr, t**-0.5)
    g2 = g * g + eps1
    if w.ndim > 1:
        s["r"] = b2 * s.get("r", 0.0) + (1 - b2) * g2.mean(-1)
        s["c"] = b2 * s.get("c", 0.0) + (1 - b2) * g2.mean(-2)
        v = s["r"][..., :, None] * s["c"][..., None, :] / s["r"].mean(-1)[..., None, None]
    else:
        v = s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * g2
    u = g / np.sqrt(v)
    alpha = max(eps2, np.sqrt(np.mean(w * w))) * rho
    return w - alpha * u / max(1.0, np.sqrt(np.mean(u * u)) / clip)


def muon(w, g, t, s, lr=0.001, mu=0.95, nesterov=True, decay=0.004, rms=0.2, steps=5):
    if w.ndim != 2:
        return adam(w, g, t, s, lr, decay=decay)
    s["m"] = mu * s.get("m", 0.0) + g
    u, flip = (g + mu * s["m"] if nesterov else s["m"]), w.shape[0] > w.shape[1]
    left, sigma, right = np.linalg.svd(u.T if flip else u, full_matrices=False)
    sigma = sigma / (np.sqrt(np.sum(sigma**2)) + 1e-7)
    for _ in range(steps):  # the iteration acts on singular values alone
        sigma = 3.4445 * sigma - 4.775 * sigma**3 + 2.0315 * sigma**5
    x = (left * sigma) @ right
    return w - lr * decay * w - lr * (rms * np.sqrt(max(w.shape)) if rms else 1.0) * (x.T if flip else x)


ALGORITHMS = [
    ("SGD", {}, sgd, {}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}, sgd, {"lr": 0.1, "mu": 0.9}),
    ("SGD", {"momentum": 0.8, "nesterov": True}, sgd, {"mu": 0.8, "nesterov": True}),
    ("Lion", {}, lion, {}),
    ("Lion", {"beta_1": 0.5, "beta_2": 0.8, "learning_rate": 0.1}, lion, {"b1": 0.5, "b2": 0.8, "lr": 0.1}),
    ("Adam", {}, adam, {}),
    ("Adam", {"learning_rate": 0.1, "amsgrad": True, "beta_2": 0.5}, adam, {"lr": 0.1, "amsgrad": True, "b2": 0.5}),
    ("Adam", {"beta_1": 0.5, "epsilon": 0.1}, adam, {"b1": 0.5, "eps": 0.1}),
    ("AdamW", {}, adam, {"decay": 0.004}),
    ("AdamW", {"weight_decay": 0.3, "learning_rate": 0.1}, adam, {"decay": 0.3, "lr": 0.1}),
    ("Adamax", {}, adamax, {}),
    ("Adamax", {"learning_rate": 0.1, "beta_2": 0.5}, adamax, {"lr": 0.1, "b2": 0.5}),
    ("Nadam", {}, nadam, {}),
    ("Nadam", {"learning_rate": 0.1, "beta_1": 0.8}, nadam, {"lr": 0.1, "b1": 0.8}),
    ("Lamb", {}, lamb, {}),
    ("Lamb", {"learning_rate": 0.1, "beta_2": 0.9}, lamb, {"lr": 0.1, "b2": 0.9}),
    ("ScheduleFreeAdamW", {}, schedule_free, {}),
    ("ScheduleFreeAdamW", {"warmup_steps": 7, "beta_1": 0.7}, schedule_free, {"warmup": 7, "b1": 0.7}),
    ("Adagrad", {}, adagrad, {}),
    ("Adagrad", {"initial_accumulator_value": 0, "epsilon": 1e-3}, adagrad, {"begin": 0.0, "eps": 1e-3}),
    ("Adadelta", {}, adadelta, {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.8}, adadelta, {"lr": 1.0, "rho": 0.8}),
    ("RMSprop", {}, rmsprop, {}),
    ("RMSprop", {"momentum": 0.9, "rho": 0.8}, rmsprop, {"mu": 0.9, "rho": 0.8}),
    ("RMSprop", {"centered": True, "momentum": 0.5}, rmsprop, {"centered": True, "mu": 0.5}),
    ("Ftrl", {}, ftrl, {}),
    ("Ftrl", {"learning_rate": 0.5, "l1_regularization_strength": 1.0, "l2_regularization_strength": 0.1,
              "l2_shrinkage_regularization_strength": 0.2, "beta": 0.3},
     ftrl, {"lr": 0.5, "l1": 1.0, "l2": 0.1, "shrink": 0.2, "beta": 0.3}),
    ("Ftrl", {"learning_rate_power": -0.7, "learning_rate": 0.1}, ftrl, {"power": -0.7, "lr": 0.1}),
    ("Adafactor", {}, adafactor, {}),
    ("Adafactor", {"learning_rate": 2.0, "clip_threshold": 0.5}, adafactor, {"lr": 2.0, "clip": 0.5}),
    ("Muon", {}, muon, {}),
    ("Muon", {"nesterov": False, "rms_rate": None, "learning_rate": 0.1, "weight_decay": 0.1, "adam_weight_decay": 0.1},
     muon, {"nesterov": False, "rms": None, "lr": 0.1, "decay": 0.1}),
]  # fmt: skip
CLASSES = sorted({row[0] for row in ALGORITHMS})


def row_name(row):
    return row[0] + "".join(f"-{key}" for key in row[1])


@pytest.mark.parametrize("row", ALGORITHMS, ids=row_name)
def test_twenty_steps_are_those_of_the_formula(row, float64):
    name, arguments, formula, settings = row
    vs, ws, states = variables(), start(), [{} for _ in SHAPES]
    optimizer = getattr(optimizers, name)(**arguments)
    for step in range(20):
        found = train(optimizer, vs, 1, step)
        ws = [formula(w, g, step + 1, s, **settings) for w, g, s in zip(ws, gradients(step), states)]
        for w, value in zip(ws, found):
            np.testing.assert_allclose(value, w, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CLASSES)
def test_float32_follows_float64(name):
    wide, narrow = variables(), variables("float32")
    train(getattr(optimizers, name)(0.01), wide, 5)
    train(getattr(optimizers, name)(0.01), narrow, 5, dtype="float32")
    for a, b in zip(wide, narrow):
        assert b.dtype == "float32"
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Nadam", "Adamax"])
def test_half_precision_variables_move(name, dtype):
    # 0.999 is 1 in bfloat16: an optimizer that computed 1 - beta^t there would not move at all.
    w = edl.Variable(edl.ones((3,), dtype=dtype))
    optimizer = getattr(optimizers, name)(0.125)
    for _ in range(3):
        optimizer.apply_gradients([(edl.constant([1.0, -1.0, 1.0], dtype=dtype), w)])
    assert w.dtype == dtype
    moved = w.numpy().astype("float32") - 1
    assert np.all(np.isfinite(moved)) and np.all(moved * [1, -1, 1] < -0.2)


@pytest.mark.parametrize("name", CLASSES)
def test_two_runs_are_bit_equal(name):
    runs = [train(getattr(optimizers, name)(0.01), variables("float32"), 5, dtype="float32") for _ in range(2)]
    for a, b in zip(*runs):
        np.testing.assert_array_equal(a, b)


def test_muons_steps_have_singular_values_of_one():
    w = edl.Variable(np.zeros((3, 5)))
    optimizer = optimizers.Muon(1.0, weight_decay=None, rms_rate=None, ns_steps=30, muon_a=1.5, muon_b=-0.5, muon_c=0.0)
    optimizer.apply_gradients([(edl.constant(np.random.default_rng(0).normal(size=(3, 5))), w)])
    np.testing.assert_allclose(np.linalg.svd(w.numpy())[1], 1, rtol=1e-9)


def test_muon_leaves_embeddings_and_named_layers_to_adam(float64):
    names = ["Embedding/table", "head/kernel", "dense/kernel"]
    vs = [edl.Variable(start()[0], name=name) for name in names]
    muon_, adam_ = optimizers.Muon(0.1, exclude_layers=["^head"], adam_lr_ratio=0.5), optimizers.AdamW(0.05)
    others = [edl.Variable(start()[0]) for _ in names]
    muon_.apply_gradients([(edl.constant(gradients(0)[0]), v) for v in vs])
    adam_.apply_gradients([(edl.constant(gradients(0)[0]), v) for v in others])
    # Weight decay takes the learning rate itself, the step its multiple.
    extra = 0.05 * 0.004 * start()[0]
    for v, other in zip(vs[:2], others):
        np.testing.assert_allclose(v.numpy() + extra, other.numpy(), rtol=1e-12)
    assert abs(vs[2].numpy() - others[2].numpy()).max() > 1e-3


# -- slots and state ------------------------------------------------------------------------------------------------

HEAD = ["iteration", "learning_rate"]
SLOTS = [
    ("SGD", {}, HEAD),
    ("SGD", {"momentum": 0.9}, [*HEAD, "a_kernel_momentum", "bias_momentum"]),
    ("RMSprop", {"momentum": 0.9, "centered": True},
     [*HEAD, "a_kernel_velocity", "bias_velocity", "a_kernel_momentum", "bias_momentum", "a_kernel_average_gradient",
      "bias_average_gradient"]),
    ("Adam", {"amsgrad": True},
     [*HEAD, "a_kernel_momentum", "a_kernel_velocity", "bias_momentum", "bias_velocity", "a_kernel_velocity_hat",
      "bias_velocity_hat"]),
    ("Adam", {"use_ema": True, "gradient_accumulation_steps": 2},
     [*HEAD, "a_kernel_average", "bias_average", "a_kernel_gradient_accumulator", "bias_gradient_accumulator",
      "a_kernel_momentum", "a_kernel_velocity", "bias_momentum", "bias_velocity"]),
    ("Adam", {"learning_rate": schedules.CosineDecay(0.1, 10)},
     ["iteration", "a_kernel_momentum", "a_kernel_velocity", "bias_momentum", "bias_velocity"]),
    ("Adamax", {}, [*HEAD, "a_kernel_momentum", "a_kernel_norm", "bias_momentum", "bias_norm"]),
    ("Nadam", {}, [*HEAD, "a_kernel_momentum", "a_kernel_velocity", "bias_momentum", "bias_velocity", "u_product"]),
    ("Adagrad", {}, [*HEAD, "a_kernel_accumulator", "bias_accumulator"]),
    ("Adadelta", {},
     [*HEAD, "a_kernel_accumulated_grad", "a_kernel_accumulated_delta_var", "bias_accumulated_grad",
      "bias_accumulated_delta_var"]),
    ("Ftrl", {}, [*HEAD, "a_kernel_accumulator", "a_kernel_linear", "bias_accumulator", "bias_linear"]),
    ("Lion", {}, [*HEAD, "a_kernel_momentum", "bias_momentum"]),
    ("Muon", {}, [*HEAD, "a_kernel_momentum", "bias_momentum", "bias_velocity"]),
    ("Adafactor", {}, [*HEAD, "a/kernel", "a/kernel", "a_kernel_velocity", "bias", "bias", "bias_velocity"]),
]  # fmt: skip


@pytest.mark.parametrize("row", SLOTS, ids=row_name)
def test_variables_come_in_keras_order(row):
    name, arguments, expected = row
    optimizer = getattr(optimizers, name)(**arguments)
    model = [edl.Variable(edl.ones((3, 2)), name="a/kernel"), edl.Variable(edl.ones((2,)), name="bias")]
    optimizer.build(model)
    assert [v.name for v in optimizer.variables] == expected
    assert not optimizer.trainable_variables
    assert not {id(v) for v in optimizer.variables} & {id(v) for v in model}
    before = optimizer.variables
    optimizer.build(model)  # the same variables again change nothing
    assert [id(v) for v in optimizer.variables] == [id(v) for v in before]


def test_adafactors_slots_have_keras_shapes():
    optimizer = optimizers.Adafactor()
    optimizer.build(variables("float32"))
    shapes = [v.shape for v in optimizer.variables[2:]]
    assert shapes == [(4,), (3,), (4, 3), (), (), (3,), (2, 3), (2, 4), (2, 3, 4), (), (), ()]


WITH_STATE = [(name, {}) for name in CLASSES] + [
    ("Adam", {"use_ema": True, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 2, "amsgrad": True}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "learning_rate": schedules.ExponentialDecay(0.1, 3, 0.5)}),
]


@pytest.mark.parametrize("row", WITH_STATE, ids=row_name)
def test_stored_state_continues_bit_equal(row):
    name, arguments = row
    first, vs, store = getattr(optimizers, name)(**arguments), variables("float32"), {}
    train(first, vs, 5, dtype="float32")
    first.save_own_variables(store)
    assert list(store) == [str(i) for i in range(len(first.variables))]
    second, copies = type(first).from_config(first.get_config()), [copy.deepcopy(v) for v in vs]
    second.build(copies)
    second.load_own_variables(store)
    third, others = type(first).from_config(first.get_config()), [copy.deepcopy(v) for v in vs]
    third.build(others)
    third.set_weights([v.numpy() for v in first.variables])
    runs = [train(o, v, 5, 5, "float32") for o, v in ((first, vs), (second, copies), (third, others))]
    for a, b, c in zip(*runs):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("name", CLASSES)
def test_copies_of_optimizer_and_variables_continue_bit_equal(name, way):
    optimizer, vs = getattr(optimizers, name)(0.01, weight_decay=0.1), variables("float32")
    train(optimizer, vs, 2, dtype="float32")
    other, copies = way((optimizer, vs))
    expected = train(optimizer, vs, 2, 2, "float32")
    for a, b in zip(expected, train(other, copies, 2, 2, "float32")):
        np.testing.assert_array_equal(a, b)


def test_loading_into_an_unbuilt_optimizer_says_so():
    optimizer, store = optimizers.Adam(), {}
    optimizer.build(variables())
    optimizer.save_own_variables(store)
    with pytest.warns(UserWarning, match=r"10 variables, the optimizer has 2; call build"):
        optimizers.Adam().load_own_variables(store)


# -- what all share ---------------------------------------------------------------------------------------------------


def run_sgd(arguments, steps=6, gradient_of=gradients, lr=0.1):
    optimizer, vs = optimizers.SGD(lr, **arguments), variables()
    for step in range(steps):
        optimizer.apply_gradients(zip([edl.constant(g) for g in gradient_of(step)], vs))
    return optimizer, vs


def check(vs, ws):
    for v, w in zip(vs, ws, strict=True):
        np.testing.assert_allclose(v.numpy(), w, rtol=1e-12, atol=1e-14)


def test_weight_decay_is_decoupled(float64):
    _, vs = run_sgd({"weight_decay": 0.3})
    ws = start()
    for step in range(6):
        ws = [w - 0.1 * 0.3 * w - 0.1 * g for w, g in zip(ws, gradients(step))]
    check(vs, ws)


def test_excluded_variables_keep_their_weights():
    optimizer, vs = optimizers.AdamW(0.1, weight_decay=0.5), variables()
    optimizer.exclude_from_weight_decay(var_list=[vs[3]], var_names=["bias$", "^attention"])
    zeros = [edl.zeros_like(v) for v in vs]
    optimizer.apply_gradients(zip(zeros, vs))
    moved = [not np.array_equal(v.numpy(), w) for v, w in zip(vs, start())]
    assert moved == [True, False, False, False]
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    optimizer.apply_gradients(zip(zeros, vs))
    assert [not np.array_equal(v.numpy(), w) for v, w in zip(vs, start())] == [True, True, False, True]


def norm(arrays):
    return np.sqrt(sum(np.sum(a**2) for a in arrays))


CLIPS = [
    ({"clipvalue": 0.2}, lambda gs: [np.clip(g, -0.2, 0.2) for g in gs]),
    ({"clipnorm": 0.5}, lambda gs: [g * min(1, 0.5 / norm([g])) for g in gs]),
    ({"global_clipnorm": 0.5}, lambda gs: [g * min(1, 0.5 / norm(gs)) for g in gs]),
    ({"global_clipnorm": 500.0}, lambda gs: gs),
    ({"loss_scale_factor": 4.0}, lambda gs: [g / 4 for g in gs]),
]


@pytest.mark.parametrize("arguments, change", CLIPS, ids=[str(row[0]) for row in CLIPS])
def test_gradients_are_changed_before_the_update(arguments, change, float64):
    _, vs = run_sgd(arguments)
    ws = start()
    for step in range(6):
        ws = [w - 0.1 * g for w, g in zip(ws, change(gradients(step)))]
    check(vs, ws)


def test_scale_loss_multiplies():
    assert float(optimizers.SGD(loss_scale_factor=4.0).scale_loss(edl.constant(3.0))) == 12
    loss = edl.constant(3.0)
    assert optimizers.SGD().scale_loss(loss) is loss


def test_accumulation_updates_by_the_mean_gradient(float64):
    optimizer, vs = run_sgd(
        {"gradient_accumulation_steps": 3, "momentum": 0.9, "clipnorm": 0.3, "weight_decay": 0.1}, 8
    )
    other, us = optimizers.SGD(0.1, momentum=0.9, clipnorm=0.3, weight_decay=0.1), variables()
    for first in (0, 3):
        means = [np.mean(three, 0) for three in zip(*[gradients(first + i) for i in range(3)])]
        other.apply_gradients(zip([edl.constant(g) for g in means], us))
    check(vs, [u.numpy() for u in us])
    assert int(optimizer.iterations) == 2
    sums = [np.sum(two, 0) for two in zip(gradients(6), gradients(7))]
    check(optimizer._accumulators_of_gradients, sums)


def test_accumulation_forgets_a_gradient_that_was_not_finite():
    w = edl.Variable([1.0])
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=2)
    for g in (np.inf, 0.0):
        optimizer.apply_gradients([(edl.constant([g]), w)])
    w.assign([1.0])
    for g in (1.0, 3.0):
        optimizer.apply_gradients([(edl.constant([g]), w)])
    assert w.tolist() == [-1.0]


def test_averages_follow_the_variables(float64):
    optimizer, vs = run_sgd({"use_ema": True, "ema_momentum": 0.8})
    ws = averages = start()
    for step in range(6):
        ws = [w - 0.1 * g for w, g in zip(ws, gradients(step))]
        averages = [0.8 * a + 0.2 * w if step else w for a, w in zip(averages, ws)]
    check(vs, ws)
    optimizer.finalize_variable_values(vs[:2])
    check(vs, [*averages[:2], *ws[2:]])


def test_averages_overwrite_the_variables_now_and_then(float64):
    _, vs = run_sgd({"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2}, 5)
    ws = averages = start()
    for step in range(5):
        ws = [w - 0.1 * g for w, g in zip(ws, gradients(step))]
        averages = [0.8 * a + 0.2 * w if step else w for a, w in zip(averages, ws)]
        if step % 2:
            ws = averages
    check(vs, ws)


def test_averages_before_the_first_step_are_no_zeros():
    optimizer, vs = optimizers.SGD(use_ema=True), variables()
    optimizer.build(vs)
    optimizer.finalize_variable_values(vs)
    check(vs, start())


def test_a_variable_may_have_a_multiple_of_the_learning_rate(float64):
    optimizer, vs = optimizers.SGD(0.1, weight_decay=0.5), variables()
    vs[0].learning_rate_multiplier, vs[1].learning_rate_multiplier = 3.0, 0.0
    train(optimizer, vs, 1)
    check(vs, [w - m * 0.1 * (g + 0.5 * w) for w, g, m in zip(start(), gradients(0), (3, 0, 1, 1))])


@pytest.mark.parametrize("name", CLASSES)
def test_a_multiple_of_the_learning_rate_is_another_learning_rate(name, float64):
    one, two = variables()[:1], variables()[:1]
    one[0].learning_rate_multiplier = 0.5
    train(getattr(optimizers, name)(0.02), one, 3)
    train(getattr(optimizers, name)(0.01), two, 3)
    check(one, [v.numpy() for v in two])


def test_constraints_hold_after_the_update():
    w = edl.Variable([1.0, -1.0], constraint=lambda value: edl.maximum(value, 0.0))
    optimizers.SGD(1.0).apply_gradients([(edl.constant([0.5, 0.5]), w)])
    assert w.tolist() == [0.5, 0.0]


def test_the_learning_rate_can_be_read_and_assigned():
    optimizer, w = optimizers.SGD(0.5), edl.Variable([1.0])
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate.assign(1.0)
    optimizer.apply_gradients([(edl.constant([1.0]), w)])
    assert w.tolist() == [0.0]
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([1], [4.0, 2.0])
    assert [v.name for v in optimizer.variables] == ["iteration"]
    steps = []
    for _ in range(3):
        before = w.numpy()
        optimizer.apply_gradients([(edl.constant([1.0]), w)])
        steps.append(float((before - w.numpy())[0]))
    assert steps == [4.0, 2.0, 2.0]  # one step was done before
    optimizer.learning_rate = lambda: 8.0
    before = w.numpy()
    optimizer.apply_gradients([(edl.constant([1.0]), w)])
    assert (before - w.numpy()).tolist() == [8.0]


@pytest.mark.parametrize("rate", [1, np.float32(1), np.float64(1), np.array(1.0), edl.constant(1.0)], ids=repr)
def test_learning_rates_of_all_number_types(rate):
    assert float(optimizers.SGD(rate).learning_rate) == 1.0


def test_nothing_of_an_update_is_recorded():
    w = edl.Variable([1.0, 2.0])
    optimizer = optimizers.Adam(0.1, use_ema=True, weight_decay=0.1, clipnorm=1.0)
    optimizer.build([w])
    with edl.GradientTape(persistent=True) as tape:
        loss = edl.sum(w * w)
        g = tape.gradient(loss, w)
        recorded = len(tape._core.nodes)
        optimizer.apply_gradients([(g, w)])
        assert len(tape._core.nodes) == recorded
        after = edl.sum(w * w)
    np.testing.assert_allclose(tape.gradient(after, w).numpy(), 2 * w.numpy())


def test_values_read_before_a_step_stay():
    optimizer, w = optimizers.Adam(), edl.Variable([1.0])
    optimizer.build([w])
    kept = [v.value for v in (w, *optimizer.variables)]
    before = [k.tolist() for k in kept]
    optimizer.apply_gradients([(edl.constant([1.0]), w)])
    assert [k.tolist() for k in kept] == before


def test_variables_without_a_gradient_stay_and_are_named():
    vs = variables()
    optimizer = optimizers.Adam()
    with pytest.warns(UserWarning, match=r"no gradient for dense/bias, scale:"):
        optimizer.apply_gradients(
            [(edl.ones_like(vs[0]), vs[0]), (None, vs[1]), (edl.ones_like(vs[2]), vs[2]), (None, vs[3])]
        )
    assert [np.array_equal(v.numpy(), w) for v, w in zip(vs, start())] == [False, True, False, True]


def test_some_of_the_variables_may_be_updated():
    optimizer, vs = optimizers.SGD(1.0), variables()
    optimizer.build(vs)
    optimizer.apply([edl.ones_like(vs[2])], [vs[2]])
    optimizer.apply([])
    assert [np.array_equal(v.numpy(), w) for v, w in zip(vs, start())] == [True, True, False, True]
    assert int(optimizer.iterations) == 1


def test_apply_knows_the_variables_of_build():
    optimizer, vs = optimizers.SGD(1.0), variables()
    optimizer.build(vs)
    optimizer.apply([np.ones(shape) for shape in SHAPES])
    check(vs, [w - 1 for w in start()])


def test_an_own_algorithm_in_keras_spelling():
    class Momentum(optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, beta=0.9, **kwargs):
            super().__init__(learning_rate=learning_rate, **kwargs)
            self.beta = beta

        def build(self, model_variables):
            if self.built:
                return
            super().build(model_variables)
            self.momentums = []
            for v in model_variables:
                self.momentums.append(self.add_variable_from_reference(reference_variable=v, name="momentum"))
            self.count = edl.Variable(0.0, name="count", trainable=False)

        def update_step(self, gradient, variable, learning_rate):
            m = self.momentums[self._get_variable_index(variable)]
            self.assign(m, m * self.beta - gradient * edl.cast(learning_rate, variable.dtype))
            self.assign_add(variable, m)

        def get_config(self):
            return {**super().get_config(), "beta": self.beta}

    vs, us = variables(), variables()
    own = Momentum(0.1)
    check([edl.constant(a) for a in train(own, vs, 4)], train(optimizers.SGD(0.1, momentum=0.9), us, 4))
    assert [v.name for v in own.variables][-2:] == ["scale_momentum", "count"]
    assert Momentum.from_config(own.get_config()).beta == 0.9


# -- clipping functions ---------------------------------------------------------------------------------------------


def test_clip_by_global_norm_scales_all_by_one_factor():
    arrays = gradients(0)
    tensors = [edl.constant(a) for a in arrays]
    clipped, total = clip_by_global_norm([tensors[0], None, *tensors[1:]], 0.5)
    np.testing.assert_allclose(float(total), norm(arrays))
    assert clipped.pop(1) is None
    check(clipped, [a * 0.5 / norm(arrays) for a in arrays])
    np.testing.assert_allclose(float(global_norm(clipped)), 0.5)
    clipped, _ = clip_by_global_norm(tuple(tensors), 1e6)
    check(clipped, arrays)
    clipped, total = clip_by_global_norm([edl.constant([3.0, 4.0])], 1.0, use_norm=10.0)
    np.testing.assert_allclose(clipped[0].numpy(), [0.3, 0.4], rtol=1e-6)
    assert float(total) == 10


def test_clip_by_global_norm_keeps_zeros_and_shows_infinities():
    zeros, total = clip_by_global_norm([edl.zeros((2,))], 1.0)
    assert zeros[0].tolist() == [0, 0] and float(total) == 0
    for bad in (np.inf, np.nan):
        clipped, _ = clip_by_global_norm([edl.constant([1.0]), edl.constant([bad])], 1.0)
        assert all(np.isnan(t.numpy()).all() for t in clipped)


def test_clip_by_global_norm_keeps_dtypes_and_has_a_gradient():
    clipped, _ = clip_by_global_norm([edl.ones((2,), dtype="bfloat16"), edl.ones((2,), dtype="float32")], 0.1)
    assert [t.dtype for t in clipped] == ["bfloat16", "float32"]
    a, b = (edl.constant(g) for g in gradients(3)[:2])
    edl.check_grads(lambda a, b: clip_by_global_norm([a, b], 0.5)[0], (a, b))


# -- loss scaling -----------------------------------------------------------------------------------------------------


def scaled(inner, values, **arguments):
    w = edl.Variable(np.ones(2, "float32"))
    optimizer = optimizers.LossScaleOptimizer(inner, **arguments)
    history = []
    for value in values:
        optimizer.build([w])
        with edl.GradientTape() as tape:
            loss = optimizer.scale_loss(edl.sum(w * value))
        optimizer.apply_gradients(zip(tape.gradient(loss, [w]), [w]))
        history.append((float(w[0]), float(optimizer.dynamic_scale), int(optimizer.step_counter)))
    return optimizer, w, history


def test_the_scale_grows_after_good_steps_and_halves_after_bad_ones():
    values = [1.0, 1.0, 1.0, np.inf, 1.0, np.nan, np.nan, 1.0, 1.0]
    optimizer, _, history = scaled(optimizers.SGD(0.125), values, initial_scale=4.0, dynamic_growth_steps=2)
    assert [scale for _, scale, _ in history] == [4, 8, 8, 4, 4, 2, 1, 1, 2]
    assert [count for _, _, count in history] == [1, 0, 1, 0, 1, 0, 0, 1, 0]
    assert [w for w, _, _ in history] == [0.875, 0.75, 0.625, 0.625, 0.5, 0.5, 0.5, 0.375, 0.25]
    assert int(optimizer.iterations) == 6  # bad steps are no steps


def test_a_bad_step_changes_no_slot():
    optimizer, w, _ = scaled(optimizers.Adam(0.1, use_ema=True), [1.0])
    before = [v.numpy() for v in optimizer.inner_optimizer.variables]
    optimizer.apply([edl.constant([np.inf, 0.0])], [w])
    for a, b in zip(before, optimizer.inner_optimizer.variables):
        np.testing.assert_array_equal(a, b.numpy())


def test_scaling_changes_nothing_else():
    _, w, _ = scaled(optimizers.Adam(0.1), [1.0, 2.0, 3.0])
    u, plain = edl.Variable(np.ones(2, "float32")), optimizers.Adam(0.1)
    for value in (1.0, 2.0, 3.0):
        plain.apply_gradients([(edl.constant([value, value]), u)])
    np.testing.assert_array_equal(w.numpy(), u.numpy())


def test_gradients_that_float16_cannot_hold_survive():
    w = edl.Variable(np.ones(2, "float32"))
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(1e8), initial_scale=2.0**20)
    optimizer.build([w])
    optimizer.apply([edl.constant(np.array([1e-2, -1e-2], "float16"))], [w])
    np.testing.assert_allclose(w.numpy(), 1 - np.array([1e6, -1e6]) / 2**20, rtol=1e-2)


def test_the_scale_stays_a_positive_number():
    optimizer, w, _ = scaled(optimizers.SGD(0.1), [1.0], initial_scale=2.0**126, dynamic_growth_steps=1)
    assert float(optimizer.dynamic_scale) == 2.0**126
    optimizer.dynamic_scale.assign(2.0**-126)
    optimizer.apply([edl.constant([np.nan, 0.0])], [w])
    assert float(optimizer.dynamic_scale) == 2.0**-126


def test_a_loss_scale_optimizer_shows_its_inner_one():
    optimizer, w, _ = scaled(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5, loss_scale_factor=3.0), [1.0, 1.0])
    assert [v.name for v in optimizer.variables] == [
        "iteration", "learning_rate", "step_counter", "dynamic_scale", "iteration", "learning_rate", "variable_average",
    ]  # fmt: skip
    optimizer.learning_rate = 0.25
    assert float(optimizer.inner_optimizer.learning_rate) == 0.25 == float(optimizer.learning_rate)
    assert optimizer.inner_optimizer.loss_scale_factor is None
    optimizer.finalize_variable_values([w])
    assert w.tolist() == [0.25, 0.25]  # the mean of 0.5 and 0


# -- several optimizers -------------------------------------------------------------------------------------------------


def test_each_variable_has_the_optimizer_of_its_path(float64):
    by_path = optimizers.OptimizerMap(optimizers.SGD(0.1), {"dense/.*": optimizers.Adam(0.2)})
    by_path["scale"] = optimizers.Lion(0.3)
    multi, vs = optimizers.MultiOptimizer(by_path), variables()
    train(multi, vs, 4)
    alone = [("Adam", 0.2, [0, 1]), ("SGD", 0.1, [2]), ("Lion", 0.3, [3])]
    for name, rate, places in alone:
        us = variables()
        train(getattr(optimizers, name)(rate), us, 4)
        check([vs[i] for i in places], [us[i].numpy() for i in places])
    assert int(multi.iterations) == 4
    assert [type(o).__name__ for o in multi.optimizers] == ["Adam", "Lion", "SGD"]
    assert len(multi.variables) == 2 + (2 + 4) + (2 + 1) + 2


def test_a_map_is_a_mutable_mapping():
    adam_, sgd_ = optimizers.Adam(), optimizers.SGD()
    by_path = optimizers.OptimizerMap(sgd_, {"a.*": adam_})
    assert by_path["abc"] is adam_ and by_path["b"] is sgd_ and list(by_path) == ["a.*"] and len(by_path) == 1
    del by_path["a.*"]
    assert by_path["abc"] is sgd_


# -- configs ------------------------------------------------------------------------------------------------------------

SHARED = [
    "name", "learning_rate", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum",
    "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps",
]  # fmt: skip
OWN = {
    "SGD": ["momentum", "nesterov"], "RMSprop": ["rho", "momentum", "epsilon", "centered"],
    "Adam": ["beta_1", "beta_2", "epsilon", "amsgrad"], "AdamW": ["beta_1", "beta_2", "epsilon", "amsgrad"],
    "Adamax": ["beta_1", "beta_2", "epsilon"], "Nadam": ["beta_1", "beta_2", "epsilon"],
    "Lamb": ["beta_1", "beta_2", "epsilon"], "Lion": ["beta_1", "beta_2"], "Adadelta": ["rho", "epsilon"],
    "Adagrad": ["initial_accumulator_value", "epsilon"],
    "Adafactor": ["beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step"],
    "Ftrl": ["learning_rate_power", "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength",
             "l2_shrinkage_regularization_strength", "beta"],
    "ScheduleFreeAdamW": ["beta_1", "beta_2", "epsilon", "warmup_steps"],
    "Muon": ["adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c", "adam_lr_ratio",
             "momentum", "ns_steps", "nesterov", "exclude_embeddings", "adam_weight_decay", "rms_rate"],
}  # fmt: skip


@pytest.mark.parametrize("row", [*ALGORITHMS, *WITH_STATE], ids=row_name)
def test_configs_make_the_same_optimizer(row):
    name, arguments = row[:2]
    optimizer = getattr(optimizers, name)(**{"global_clipnorm": 2.0, "name": "mine", **arguments})
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    assert config["module"] == "keras.optimizers" and config["class_name"] == name
    assert list(config["config"]) == SHARED + OWN[name]
    again = optimizers.deserialize(config)
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()
    assert again.name == "mine" and again.global_clipnorm == 2.0
    runs = [train(o, variables("float32"), 3, dtype="float32") for o in (optimizer, again)]
    for a, b in zip(*runs):
        np.testing.assert_array_equal(a, b)


def test_configs_of_containers():
    inner = optimizers.Adam(schedules.CosineDecay(0.1, 10), beta_1=0.5)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=3)
    again = optimizers.get(json.loads(json.dumps(optimizers.serialize(optimizer))))
    assert again.inner_optimizer.beta_1 == 0.5 and again.initial_scale == 8.0 and again.dynamic_growth_steps == 3
    assert again.get_config() == optimizer.get_config()
    multi = optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD(0.5), {"a": inner}), name="both")
    other = optimizers.get(json.loads(json.dumps(optimizers.serialize(multi))))
    assert other.get_config() == multi.get_config() and other.name == "both"
    assert [type(o) for o in other.optimizers] == [optimizers.Adam, optimizers.SGD]


@pytest.mark.parametrize("name", [*CLASSES, "LBFGS"])
def test_every_spelling_of_a_name_is_found(name):
    cls = getattr(optimizers, name)
    for identifier in (name, name.lower(), name.upper(), cls, {"class_name": name.lower(), "config": {}}):
        assert type(optimizers.get(identifier)) is cls
    optimizer = cls()
    assert optimizers.get(optimizer) is optimizer
    assert registry.AREAS["optimizers"][name] is cls


def test_own_classes_are_found_by_their_config():
    class Mine(optimizers.SGD):
        pass

    config = optimizers.serialize(Mine(0.25))
    assert float(optimizers.deserialize(config, custom_objects={"Mine": Mine}).learning_rate) == 0.25
    assert optimizers.get(None) is None


# -- what is refused ----------------------------------------------------------------------------------------------------


def refuses(match, error, function):
    return pytest.param(function, error, match, id=match[:40])


def built(*shape):
    optimizer, v = optimizers.Adam(), edl.Variable(edl.ones(shape), name="mine")
    optimizer.build([v])
    return optimizer, v


def apply(gradient, v, optimizer=None):
    (optimizer or optimizers.SGD()).apply_gradients([(gradient, v)])


def other_variable():
    optimizer, _ = built(2)
    apply(edl.ones((3,)), edl.Variable(edl.ones((3,)), name="stranger"), optimizer)


def set_rate(optimizer, rate):
    optimizer.learning_rate = rate


ONE = edl.Variable([1.0], name="one")
REFUSED = [
    refuses(r"'stranger' of shape \(3,\) is not among its 1: mine.*make a new optimizer", ArgumentError, other_variable),
    refuses(r"the gradient of 'one' needs its shape \(1,\); got \(2, 1\)", ShapeError, lambda: apply(edl.ones((2, 1)), ONE)),
    refuses(r"all are None: one", ArgumentError, lambda: apply(None, ONE)),
    refuses(r"got none: a zip can be read only once", ArgumentError, lambda: optimizers.SGD().apply_gradients([])),
    refuses(r"pairs of a gradient and a variable", ArgumentError, lambda: optimizers.SGD().apply_gradients([(1, 2, 3)])),
    refuses(r"optimizers change variables.*number 0 is Tensor", DTypeError, lambda: apply(edl.ones((1,)), edl.ones((1,)))),
    refuses(r"real floating dtypes", DTypeError, lambda: optimizers.SGD().build([edl.Variable([1])])),
    refuses(r"real floating dtypes", DTypeError, lambda: optimizers.SGD().build([edl.Variable([1j])])),
    refuses(r"'one' comes as number 0 and as number 1", ArgumentError, lambda: optimizers.SGD().build([ONE, ONE])),
    refuses(r"2 gradients for 1 variables", ArgumentError, lambda: optimizers.SGD().apply([1.0, 2.0], [ONE])),
    refuses(r"it is not built", ArgumentError, lambda: optimizers.SGD().apply([edl.ones((1,))])),
    refuses(r"got 'fast'", DTypeError, lambda: optimizers.SGD("fast")),
    refuses(r"got nan", DTypeError, lambda: optimizers.SGD(float("nan"))),
    refuses(r"got None", DTypeError, lambda: optimizers.SGD(None)),
    refuses(r"the class CosineDecay; call it", DTypeError, lambda: optimizers.SGD(schedules.CosineDecay)),
    refuses(r"made with a schedule", DTypeError, lambda: set_rate(optimizers.SGD(schedules.CosineDecay(1.0, 2)), 0.1)),
    refuses(r"got lr; 'lr' is called learning_rate", ArgumentError, lambda: optimizers.Adam(lr=0.1)),
    refuses(r"got beta1, did you mean 'beta_1'", ArgumentError, lambda: optimizers.Adam(beta1=0.1)),
    refuses(r"decays by a schedule", ArgumentError, lambda: optimizers.Adam(decay=0.1)),
    refuses(r"only one of clipnorm", ArgumentError, lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0)),
    refuses(r"clipnorm is a positive number; got -1.0", ArgumentError, lambda: optimizers.SGD(clipnorm=-1.0)),
    refuses(r"weight_decay is finite and at least 0", ArgumentError, lambda: optimizers.SGD(weight_decay=-1.0)),
    refuses(r"ema_momentum is from 0 to 1", ArgumentError, lambda: optimizers.SGD(use_ema=True, ema_momentum=2.0)),
    refuses(r"gradient_accumulation_steps is None or an int of at least 2", ArgumentError,
            lambda: optimizers.SGD(gradient_accumulation_steps=1)),
    refuses(r"ema_overwrite_frequency is None or an int", ArgumentError, lambda: optimizers.SGD(ema_overwrite_frequency=0)),
    refuses(r"momentum is finite and at least 0 and at most 1", ArgumentError, lambda: optimizers.SGD(momentum=2)),
    refuses(r"beta_1 is finite and at least 0 and at most 1", ArgumentError, lambda: optimizers.Adam(beta_1=-0.1)),
    refuses(r"beta_1 is above 0", ArgumentError, lambda: optimizers.Lion(beta_1=0)),
    refuses(r"weight_decay is a number; got None", ArgumentError, lambda: optimizers.AdamW(weight_decay=None)),
    refuses(r"learning_rate_power is finite and at most 0", ArgumentError, lambda: optimizers.Ftrl(learning_rate_power=1)),
    refuses(r"ns_steps is an int", ArgumentError, lambda: optimizers.Muon(ns_steps=1.5)),
    refuses(r"did you mean 'Adam'", ArgumentError, lambda: optimizers.get("Adm")),
    refuses(r"a name, a config, or an", DTypeError, lambda: optimizers.get(3)),
    refuses(r"got function", DTypeError, lambda: optimizers.get(lambda: None)),
    refuses(r"4 arrays are needed; got 1", ArgumentError, lambda: built(2)[0].set_weights([1])),
    refuses(r"'mine_momentum' has shape \(2,\); got \(3,\)", ShapeError,
            lambda: built(2)[0].set_weights([0, 0.1, np.ones(3), np.ones(2)])),
    refuses(r"call build\(variables\) first", ArgumentError, lambda: optimizers.Adam().set_weights([1, 2])),
    refuses(r"a list of tensors is needed; got Tensor", DTypeError, lambda: clip_by_global_norm(edl.ones((2,)), 1.0)),
    refuses(r"clip_norm is a positive number; got 0", ArgumentError, lambda: clip_by_global_norm([edl.ones((2,))], 0)),
    refuses(r"scales no loss; got 'adam'", DTypeError, lambda: optimizers.LossScaleOptimizer("adam")),
    refuses(r"belong to the inner optimizer; got clipnorm", ArgumentError,
            lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0)),
    refuses(r"the scale is dynamic", ArgumentError, lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), dynamic=False)),
    refuses(r"neither a MultiOptimizer nor a LossScaleOptimizer", DTypeError,
            lambda: optimizers.OptimizerMap(optimizers.LossScaleOptimizer(optimizers.SGD()))),
    refuses(r"each expression has one optimizer", ArgumentError,
            lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a": optimizers.SGD()}).__setitem__("a", optimizers.SGD())),
    refuses(r"'ab' is matched by", ArgumentError,
            lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a.": optimizers.SGD(), ".b": optimizers.SGD()})["ab"]),
    refuses(r"a learning rate of its own", AttributeError,
            lambda: optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD())).learning_rate),
    refuses(r"each name needs an initializer", ArgumentError,
            lambda: optimizers.SGD().add_optimizer_variables([ONE], ["a", "b"], ["zeros"])),
]  # fmt: skip


@pytest.mark.parametrize("function, error, match", REFUSED)
def test_what_cannot_be_meant_is_refused(function, error, match):
    with warnings.catch_warnings(), pytest.raises(error, match=match):
        warnings.simplefilter("error")
        function()


def test_a_refused_step_changes_nothing():
    optimizer, v = built(2)
    state = [u.numpy() for u in optimizer.variables]
    with pytest.raises(ShapeError):
        apply(edl.ones((3,)), v, optimizer)
    for a, b in zip(state, optimizer.variables):
        np.testing.assert_array_equal(a, b.numpy())


def test_an_algorithm_without_update_says_so():
    with pytest.raises(NotImplementedError, match="needs update_step"):
        apply(edl.ones((1,)), edl.Variable([1.0]), optimizers.Optimizer(0.1))
