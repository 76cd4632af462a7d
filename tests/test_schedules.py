"""Learning rate schedules against their formulas, as numbers and as whole curves; configs; what they refuse."""

import json
import math

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.train import optimizers
from eagerdl.train.optimizers import schedules


@pytest.fixture
def float64():
    edl.config.set_floatx("float64")
    yield
    edl.config.set_floatx("float32")


def restarts(t, first, q, m, alpha):
    """The rate as a fraction of the first, found by walking through the decays."""
    length, height = float(first), 1.0
    while t >= length * (1 - 1e-9):
        t, length, height = t - length, length * q, height * m
    return alpha + (1 - alpha) * height * (1 + math.cos(math.pi * max(t, 0) / length)) / 2


def warm(t):
    if t < 6:
        return 0.01 + (0.1 - 0.01) * t / 6
    return 0.1 * (1 + math.cos(math.pi * min((t - 6) / 20, 1))) / 2


def cycle(t):
    length = 10 * max(1, math.ceil(t / 10))
    return (0.1 - 0.01) * (1 - t / length) ** 2 + 0.01


# name, arguments, the formula
ROWS = [
    ("ExponentialDecay", (0.1, 7, 0.5), {}, lambda t: 0.1 * 0.5 ** (t / 7)),
    ("ExponentialDecay", (0.1, 7, 0.5, True), {}, lambda t: 0.1 * 0.5 ** (t // 7)),
    ("InverseTimeDecay", (0.1, 7, 0.5), {}, lambda t: 0.1 / (1 + 0.5 * t / 7)),
    ("InverseTimeDecay", (0.1, 7, 0.5, True), {}, lambda t: 0.1 / (1 + 0.5 * (t // 7))),
    ("PiecewiseConstantDecay", ([5, 12], [1.0, 0.5, 0.1]), {}, lambda t: 1.0 if t <= 5 else 0.5 if t <= 12 else 0.1),
    ("PiecewiseConstantDecay", ([5.5], [1, 2]), {}, lambda t: 1.0 if t <= 5.5 else 2.0),
    ("PiecewiseConstantDecay", ([], [0.3]), {}, lambda t: 0.3),
    ("PolynomialDecay", (0.1, 10), {}, lambda t: (0.1 - 1e-4) * (1 - min(t, 10) / 10) + 1e-4),
    ("PolynomialDecay", (0.1, 10, 0.01, 2.0, True), {}, cycle),
    ("CosineDecay", (0.1, 20), {}, lambda t: 0.1 * (1 + math.cos(math.pi * min(t / 20, 1))) / 2),
    ("CosineDecay", (0.1, 20), {"alpha": 0.3}, lambda t: 0.1 * (0.7 * (1 + math.cos(math.pi * min(t / 20, 1))) / 2 + 0.3)),
    ("CosineDecay", (0.01, 20), {"warmup_target": 0.1, "warmup_steps": 6}, warm),
    ("CosineDecay", (0.0, 20), {"warmup_target": 0.1}, lambda t: 0.1 * (1 + math.cos(math.pi * min(t / 20, 1))) / 2),
    ("CosineDecayRestarts", (0.1, 5), {}, lambda t: 0.1 * restarts(t, 5, 2.0, 1.0, 0.0)),
    ("CosineDecayRestarts", (0.1, 5, 1.0, 0.9, 0.1), {}, lambda t: 0.1 * restarts(t, 5, 1.0, 0.9, 0.1)),
    ("CosineDecayRestarts", (0.1, 4, 1.5, 0.9, 0.1), {}, lambda t: 0.1 * restarts(t, 4, 1.5, 0.9, 0.1)),
    ("CosineDecayRestarts", (0.1, 5, 3.0), {}, lambda t: 0.1 * restarts(t, 5, 3.0, 1.0, 0.0)),
]  # fmt: skip
KEYS = {
    "ExponentialDecay": ["initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name"],
    "InverseTimeDecay": ["initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name"],
    "PiecewiseConstantDecay": ["boundaries", "values", "name"],
    "PolynomialDecay": ["initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name"],
    "CosineDecay": ["initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps"],
    "CosineDecayRestarts": ["initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name"],
}


def make(row):
    return getattr(schedules, row[0])(*row[1], **row[2])


def row_name(row):
    return f"{row[0]}{row[1]}{row[2] or ''}"


@pytest.mark.parametrize("row", ROWS, ids=row_name)
def test_rates_are_those_of_the_formula(row, float64):
    schedule, expected = make(row), [row[3](t) for t in range(60)]
    one_by_one = [float(schedule(t)) for t in range(60)]
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-12, atol=1e-15)
    steps = edl.Variable(np.arange(60, dtype="int32"), trainable=False)
    curve = schedule(steps)
    assert curve.shape == (60,) and curve.dtype == "float64"
    assert curve.tolist() == one_by_one


@pytest.mark.parametrize("row", ROWS, ids=row_name)
def test_rates_are_scalars_of_floatx(row):
    rate = make(row)(edl.constant(3, dtype="int32"))
    assert rate.shape == () and rate.dtype == "float32"
    np.testing.assert_allclose(float(rate), row[3](3), rtol=1e-5)


@pytest.mark.parametrize("row", ROWS, ids=row_name)
def test_configs_make_the_same_schedule(row):
    schedule = make(row)
    config = json.loads(json.dumps(schedules.serialize(schedule)))
    assert config["module"] == "keras.optimizers.schedules" and list(config["config"]) == KEYS[row[0]]
    again = schedules.deserialize(config)
    assert type(again) is type(schedule) and again.get_config() == schedule.get_config()
    assert again(17).tolist() == schedule(17).tolist()
    assert registry.AREAS["optimizers.schedules"][row[0]] is type(schedule)


def test_a_rate_of_a_tensor_decides_on_the_dtype():
    rate = schedules.ExponentialDecay(edl.constant(0.5, dtype="float64"), 2, 0.5)(2)
    assert rate.dtype == "float64" and float(rate) == 0.25
    assert schedules.ExponentialDecay(edl.constant(0.5), 2, 0.5).get_config()["initial_learning_rate"] == 0.5


def test_boundaries_beyond_the_integers_of_float32():
    schedule = schedules.PiecewiseConstantDecay([2**24 + 1], [1.0, 2.0])
    assert [float(schedule(2**24 + k)) for k in (0, 1, 2)] == [1.0, 1.0, 2.0]


def test_an_optimizer_asks_for_the_rate_of_each_step():
    optimizer, w = optimizers.SGD(schedules.PolynomialDecay(4.0, 4, 0.0)), edl.Variable([0.0])
    places = []
    for _ in range(5):
        optimizer.apply_gradients([(edl.constant([-1.0]), w)])
        places.append(w.tolist()[0])
    assert places == [4.0, 7.0, 9.0, 10.0, 10.0]
    assert float(optimizer.learning_rate) == 0.0


def test_schedules_count_calls_where_gradients_are_accumulated():
    halves = schedules.ExponentialDecay(1.0, 1, 0.5)
    optimizer, w = optimizers.SGD(halves, gradient_accumulation_steps=2), edl.Variable([0.0])
    for _ in range(4):
        optimizer.apply_gradients([(edl.constant([-1.0]), w)])
    assert w.tolist() == [0.5 + 0.125]


def test_the_rate_has_a_derivative_by_the_step():
    edl.check_grads(schedules.CosineDecay(0.1, 20), (edl.constant(5.0, dtype="float64"),))


def test_an_own_schedule():
    class Warmup(schedules.LearningRateSchedule):
        def __init__(self, steps):
            self.steps = steps

        def __call__(self, step):
            return edl.minimum(edl.cast(step, "float32") / self.steps, 1.0)

        def get_config(self):
            return {"steps": self.steps}

    optimizer = optimizers.SGD(Warmup(4))
    assert float(optimizer.learning_rate) == 0.0
    config = optimizers.serialize(optimizer)
    again = optimizers.deserialize(config, custom_objects={"Warmup": Warmup})
    assert again._learning_rate.steps == 4
    with pytest.raises(ArgumentError, match=r"Warmup.*register"):
        optimizers.deserialize(config)


REFUSED = [
    (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), ArgumentError, r"decay_steps is positive; got 0"),
    (lambda: schedules.InverseTimeDecay(0.1, -1, 0.5), ArgumentError, r"decay_steps is positive; got -1"),
    (lambda: schedules.PolynomialDecay(0.1, 0), ArgumentError, r"decay_steps is positive"),
    (lambda: schedules.CosineDecay(0.1, 0), ArgumentError, r"decay_steps is positive"),
    (lambda: schedules.CosineDecay(0.1, "ten"), DTypeError, r"decay_steps is a number; got str"),
    (lambda: schedules.CosineDecayRestarts(0.1, 0), ArgumentError, r"first_decay_steps is positive"),
    (lambda: schedules.CosineDecayRestarts(0.1, 5, t_mul=0), ArgumentError, r"t_mul is positive"),
    (lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]), ArgumentError, r"2 boundaries and 2 values"),
    (lambda: schedules.PiecewiseConstantDecay([2, 1], [1, 2, 3]), ArgumentError, r"boundaries increase"),
    (lambda: schedules.LearningRateSchedule()(0), NotImplementedError, r"needs __call__"),
    (lambda: schedules.LearningRateSchedule().get_config(), NotImplementedError, r"needs get_config"),
]


@pytest.mark.parametrize("function, error, match", REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_be_meant_is_refused(function, error, match):
    with pytest.raises(error, match=match):
        function()
