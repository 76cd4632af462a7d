"""Initializers: laws of their values, of their seeds, and of their configs."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
import scipy.signal

import eagerdl as edl
from eagerdl.errors import ArgumentError, AxisError, DTypeError, ShapeError
from eagerdl.nn.initializers import compute_fans

I = edl.initializers  # noqa: E741

KERNEL = (3, 3, 40, 60)  # fan in 360, fan out 540

# initializer, variance, bound of the absolute value
RANDOM = [
    (I.RandomNormal(0.0, 0.2, seed=1), 0.04, math.inf),
    (I.TruncatedNormal(0.0, 0.2, seed=1), 0.04 * 0.87962566**2, 0.4),
    (I.RandomUniform(-0.3, 0.3, seed=1), 0.03, 0.3),
    (I.GlorotUniform(seed=1), 2 / 900, math.sqrt(6 / 900)),
    (I.GlorotNormal(seed=1), 2 / 900, math.inf),
    (I.HeUniform(seed=1), 2 / 360, math.sqrt(6 / 360)),
    (I.HeNormal(seed=1), 2 / 360, math.inf),
    (I.LecunUniform(seed=1), 1 / 360, math.sqrt(3 / 360)),
    (I.LecunNormal(seed=1), 1 / 360, math.inf),
    (I.VarianceScaling(0.5, "fan_out", "uniform", seed=1), 0.5 / 540, math.sqrt(1.5 / 540)),
    (I.VarianceScaling(0.5, "fan_avg", "Normal", seed=1), 0.5 / 450, 2 * math.sqrt(0.5 / 450) / 0.87962566),
    (I.VarianceScaling(3.0, "fan_in", "untruncated_normal", seed=1), 3 / 360, math.inf),
    (I.HeNormal(1, input_axes=(0, 1), output_axes=[-1, -2]), 2 / 9, math.inf),
    (I.LecunUniform(1, input_axes=[3], output_axes=[2]), 1 / 60, math.sqrt(3 / 60)),
    (I.Orthogonal(seed=1), 1 / 360, 1.0),
]

# name, shape
ALL = [
    (name, (9, 1, 5) if name.startswith("STFT") else (5, 4))
    for name in I.__all__
    if name[0].isupper() and name != "Initializer"
]
SEEDED = ["GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal", "RandomNormal",
          "RandomUniform", "TruncatedNormal", "VarianceScaling"]  # fmt: skip


def equal(a, b):
    return np.array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(("init", "variance", "bound"), RANDOM, ids=lambda value: str(value)[:60])
def test_moments(init, variance, bound):
    values = init(KERNEL).numpy().astype("float64").ravel()
    assert abs(values.mean()) < 5 * math.sqrt(variance / values.size)
    np.testing.assert_allclose(values.var(), variance, rtol=0.03)
    assert np.abs(values).max() <= bound * (1 + 1e-6)
    # A bounded distribution comes close to its bound.
    if bound != math.inf and not isinstance(init, I.Orthogonal):
        assert np.abs(values).max() > 0.99 * bound


def test_mean_is_shifted():
    assert abs(float(edl.mean(I.RandomNormal(3.0, 0.1, seed=1)((10000,)))) - 3) < 0.01
    assert abs(float(edl.mean(I.TruncatedNormal(3.0, 0.1, seed=1)((10000,)))) - 3) < 0.01
    assert abs(float(edl.mean(I.RandomUniform(2.0, 3.0, seed=1)((10000,)))) - 2.5) < 0.02


@pytest.mark.parametrize(
    ("shape", "axes", "fans"),
    [((), (), (1, 1)), ((7,), (), (7, 7)), ((2, 5), (), (2, 5)), ((4, 2, 5), (), (8, 20)), ((3, 4, 2, 5), (), (24, 60)),
     ((3, 4, 5), ([0], [1, 2]), (3, 20)), ((3, 4, 5), ([-1], [0]), (5, 3)), ((0, 5), (), (0, 5))],
)  # fmt: skip
def test_fans(shape, axes, fans):
    assert compute_fans(shape, *axes) == fans


def test_fan_zero_scales_by_one():
    assert I.HeNormal()((0, 5)).shape == (0, 5)


# -- known values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "shape", "expected"),
    [
        (I.Zeros(), (2, 3), np.zeros((2, 3))),
        (I.Ones(), (2,), np.ones(2)),
        (I.Ones(), 2, np.ones(2)),
        (I.Constant(-1.5), (2, 1), np.full((2, 1), -1.5)),
        (I.Constant(), (), np.zeros(())),
        (I.Constant([1, 2, 3]), (2, 3), np.array([[1, 2, 3], [1, 2, 3]])),
        (I.Constant(np.eye(2)), (2, 2), np.eye(2)),
        (I.Constant(edl.constant([4.0])), (3,), np.full(3, 4.0)),
        (I.Identity(), (3, 3), np.eye(3)),
        (I.Identity(-2), (2, 4), -2 * np.eye(2, 4)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [None, "float64", "int32", "bfloat16"])
def test_values(init, shape, expected, dtype):
    out = init(shape, dtype)
    assert out.shape == expected.shape and out.dtype == (dtype or "float32")
    np.testing.assert_array_equal(out.numpy().astype("float64"), expected.astype(dtype or "float32").astype("float64")
                                  if dtype != "bfloat16" else expected)  # fmt: skip


def test_zeros_of_bool():
    assert I.Zeros()((2,), "bool").tolist() == [False, False]


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5), (2, 3, 4), (2, 2, 2, 20), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_orthogonal_rows_or_columns(shape, dtype):
    out = I.Orthogonal(2.0, seed=3)(shape, dtype)
    assert out.shape == shape and out.dtype == dtype
    q = out.numpy().astype("float64").reshape(-1, shape[-1])
    q = q if q.shape[0] >= q.shape[1] else q.T
    tolerance = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 5e-2}[dtype]
    np.testing.assert_allclose(q.T @ q, 4 * np.eye(q.shape[1]), atol=tolerance)


def test_orthogonal_is_uniform_among_rotations():
    # Of a Haar distributed matrix every entry has mean 0; with raw signs of the QR decomposition the diagonal has not.
    seeds = edl.random.SeedGenerator(5)
    init = I.Orthogonal(seed=seeds)
    mean = np.mean([init((2, 2)).numpy() for _ in range(400)], axis=0)
    assert np.abs(mean).max() < 0.15  # 4 standard deviations


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize(
    ("window", "periodic"),
    [("hann", False), ("hamming", True), (("kaiser", 4.0), False), (None, False), (np.arange(1.0, 17), False)],
)
@pytest.mark.parametrize("scaling", [None, "density", "spectrum"])
def test_stft_kernel_is_a_transform(side, window, periodic, scaling):
    kernel = I.STFT(side, window, scaling, periodic)((16, 1, 13), "float64").numpy()
    assert kernel.shape == (16, 1, 13)
    frame = np.random.default_rng(0).normal(size=16)
    w = (
        np.ones(16)
        if window is None
        else scipy.signal.get_window(window, 16, periodic)
        if not isinstance(window, np.ndarray)
        else window
    )
    scale = {None: 1.0, "density": np.sqrt((w**2).sum()), "spectrum": np.abs(w).sum()}[
        scaling if window is not None else None
    ]
    expected = np.fft.rfft(frame * w, 24) / scale
    np.testing.assert_allclose(frame @ kernel[:, 0], expected.real if side == "real" else expected.imag, atol=1e-12)


def test_stft_of_one_frequency_sums():
    np.testing.assert_array_equal(I.STFT(window=None)((4, 1, 1)).numpy(), np.ones((4, 1, 1)))


# -- seeds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEEDED)
def test_one_object_gives_one_set_of_values(name):
    init = getattr(I, name)()
    assert equal(init((5, 4)), init((5, 4)))
    assert not equal(init((5, 4)), getattr(I, name)()((5, 4)))
    assert equal(getattr(I, name)(seed=3)((5, 4)), getattr(I, name)(seed=3)((5, 4)))
    assert not equal(getattr(I, name)(seed=3)((5, 4)), getattr(I, name)(seed=4)((5, 4)))


@pytest.mark.parametrize("name", SEEDED)
def test_set_random_seed_decides(name):
    edl.utils.set_random_seed(11)
    first = [getattr(I, name)()((5, 4)) for _ in range(2)]
    edl.utils.set_random_seed(11)
    again = [getattr(I, name)()((5, 4)) for _ in range(2)]
    assert equal(first[0], again[0]) and equal(first[1], again[1]) and not equal(first[0], first[1])


def test_numpy_state_is_untouched():
    before = np.random.get_state()[1].copy()
    I.HeNormal()((5, 4))
    assert np.array_equal(before, np.random.get_state()[1])


def test_seed_generator_gives_new_values_at_each_call():
    init = I.RandomNormal(seed=edl.random.SeedGenerator(3))
    a, b = init((4,)), init((4,))
    assert not equal(a, b)
    again = I.RandomNormal.from_config(json.loads(json.dumps(init.get_config())))
    assert equal(again((4,)), a) and equal(again((4,)), b)


def test_clone():
    assert equal(I.HeNormal(seed=np.int64(3)).clone()((4, 4)), I.HeNormal(seed=3)((4, 4)))
    init = I.HeNormal()
    assert not equal(init.clone()((4, 4)), init((4, 4)))
    assert I.Constant(3.0).clone()((1,)).tolist() == [3.0]


@pytest.mark.parametrize(("name", "shape"), ALL)
def test_pickle_and_copy_keep_the_values(name, shape):
    init = getattr(I, name)()
    for twin in (pickle.loads(pickle.dumps(init)), copy.copy(init), copy.deepcopy(init)):
        assert equal(twin(shape), init(shape))


# -- names and configs ------------------------------------------------------------------------------


CONFIGS = [
    (I.RandomNormal(1.0, 2.0, 3), {"mean": 1.0, "stddev": 2.0, "seed": 3}),
    (I.TruncatedNormal(), {"mean": 0.0, "stddev": 0.05, "seed": None}),
    (I.RandomUniform(), {"minval": -0.05, "maxval": 0.05, "seed": None}),
    (I.VarianceScaling(), {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None, "input_axes": None,
                           "output_axes": None}),
    (I.HeNormal(2, [0], [1]), {"seed": 2, "input_axes": [0], "output_axes": [1]}),
    (I.GlorotUniform(), {"seed": None, "input_axes": None, "output_axes": None}),
    (I.Orthogonal(2.0, 1), {"gain": 2.0, "seed": 1}),
    (I.Identity(3.0), {"gain": 3.0}),
    (I.Constant(2), {"value": 2}),
    (I.Constant([1.0, 2.0]), {"value": [1.0, 2.0]}),
    (I.Zeros(), {}),
    (I.Ones(), {}),
    (I.STFT("imag", ["kaiser", 4.0], None, True), {"side": "imag", "window": ("kaiser", 4.0), "scaling": None, "periodic": True}),
]  # fmt: skip


@pytest.mark.parametrize(("init", "config"), CONFIGS, ids=lambda value: str(value)[:60])
def test_config(init, config):
    assert init.get_config() == config
    full = I.serialize(init)
    assert (full["module"], full["class_name"]) == ("keras.initializers", type(init).__name__)
    for loaded in (
        json.loads(json.dumps(full)),
        {"class_name": type(init).__name__, "config": json.loads(json.dumps(config))},
    ):
        again = I.deserialize(loaded)
        assert type(again) is type(init) and again.get_config() == config


def test_config_of_an_array():
    again = I.get(json.loads(json.dumps(I.serialize(I.Constant(np.arange(3.0))))))
    assert again((3,)).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "cls"),
    [
        (("Zeros", "zeros", "zero"), I.Zeros),
        (("Ones", "ones", "one"), I.Ones),
        (("Constant", "constant"), I.Constant),
        (("Identity", "identity", "IdentityInitializer"), I.Identity),
        (("Orthogonal", "orthogonal", "OrthogonalInitializer"), I.Orthogonal),
        (("STFT", "stft", "STFTInitializer"), I.STFT),
        (("RandomNormal", "random_normal", "normal"), I.RandomNormal),
        (("RandomUniform", "random_uniform", "uniform"), I.RandomUniform),
        (("TruncatedNormal", "truncated_normal"), I.TruncatedNormal),
        (("VarianceScaling", "variance_scaling"), I.VarianceScaling),
        (("GlorotNormal", "glorot_normal"), I.GlorotNormal),
        (("GlorotUniform", "glorot_uniform"), I.GlorotUniform),
        (("HeNormal", "he_normal"), I.HeNormal),
        (("HeUniform", "he_uniform"), I.HeUniform),
        (("LecunNormal", "lecun_normal"), I.LecunNormal),
        (("LecunUniform", "lecun_uniform"), I.LecunUniform),
    ],
)
def test_names(names, cls):
    for name in names:
        assert type(I.get(name)) is cls and type(I.deserialize(name)) is cls
        assert getattr(I, name, cls) is cls
    assert type(I.get(cls)) is cls


def test_get_takes_what_users_have():
    def halves(shape, dtype=None):
        return edl.full(shape, 0.5, dtype=dtype)

    init = I.HeNormal()
    assert I.get(None) is None and I.get(init) is init and I.get(halves) is halves
    for values in (np.eye(2), edl.eye(2), edl.Variable(edl.eye(2))):
        assert I.get(values)((2, 2), "float64").tolist() == [[1, 0], [0, 1]]
    with edl.saving.CustomObjectScope({"halves": halves}):
        assert I.get("halves") is halves
    assert I.deserialize("halves", {"halves": halves}) is halves


def test_own_class():
    class Threes(I.Initializer):
        def __init__(self, scale=1):
            self.scale = scale

        def __call__(self, shape, dtype=None):
            return edl.full(shape, 3 * self.scale, dtype=dtype)

        def get_config(self):
            return {"scale": self.scale}

    again = I.deserialize(I.serialize(Threes(2)), {"Threes": Threes})
    assert again((1,)).tolist() == [6] and repr(again) == "Threes(scale=2)" and again.clone().scale == 2


FAILURES = [
    (lambda: I.get("glorot_unifrom"), ArgumentError, r"did you mean 'glorot_uniform'"),
    (lambda: I.get(3), DTypeError, r"\[initializer\].*got int: 3"),
    (lambda: I.get(np.eye(2))((3, 2)), ShapeError, r"must have the shape of the weight; values \(2, 2\), weight \(3, 2\)"),
    (lambda: I.get(np.ones(2))((3, 2)), ShapeError, r"must have the shape"),
    (lambda: I.Constant([1, 2])((2, 3)), ShapeError, r"must broadcast to the shape of the weight; values \(2,\)"),
    (lambda: I.Constant([[1, 2]])((2,)), ShapeError, r"must broadcast"),
    (lambda: I.Identity()((3,)), ShapeError, r"\[Identity\].*two axes; got shape \(3,\)"),
    (lambda: I.Identity()((3, 3, 3)), ShapeError, r"two axes"),
    (lambda: I.Orthogonal()((3,)), ShapeError, r"\[Orthogonal\] at least two axes"),
    (lambda: I.Zeros()((2, -1)), ShapeError, r"\[Zeros\] sizes must not be negative"),
    (lambda: I.HeNormal()((None, 3)), DTypeError, r"a shape is an int or a sequence of ints; got \(None, 3\)"),
    (lambda: I.VarianceScaling(0.0), ArgumentError, r"\[VarianceScaling\] the scale is positive; got scale=0.0"),
    (lambda: I.VarianceScaling(mode="fan"), ArgumentError, r"mode is one of.*did you mean"),
    (lambda: I.VarianceScaling(distribution="cauchy"), ArgumentError, r"distribution is one of.*'cauchy'"),
    (lambda: I.VarianceScaling(distribution=None), ArgumentError, r"distribution is one of.*None"),
    (lambda: I.HeNormal(input_axes=[0]), ArgumentError, r"\[HeNormal\] input_axes and output_axes come together"),
    (lambda: I.HeNormal(1, [0], [2])((3, 4)), AxisError, r"\[VarianceScaling\].*2"),
    (lambda: I.HeNormal(seed=1.5), DTypeError, r"\[HeNormal\] a seed is None, an int or a SeedGenerator; got float 1.5"),
    (lambda: I.HeNormal(seed=True), DTypeError, r"a seed is"),
    (lambda: I.HeNormal(seed=-1), ArgumentError, r"a seed is not negative; got -1"),
    (lambda: I.HeNormal()((2, 2), "int32"), DTypeError, r"a floating dtype is needed"),
    (lambda: I.RandomNormal(stddev=-1.0), ArgumentError, r"\[RandomNormal\] stddev is finite and at least 0; got stddev=-1.0"),
    (lambda: I.RandomNormal(mean="0"), DTypeError, r"mean is a number; got str"),
    (lambda: I.RandomNormal(mean=math.nan), ArgumentError, r"mean is finite; got mean=nan"),
    (lambda: I.RandomUniform(1.0, 0.0)((2,)), ArgumentError, r"minval"),
    (lambda: I.STFT("left"), ArgumentError, r"side is one of 'real', 'imag'; got 'left'"),
    (lambda: I.STFT(scaling="power"), ArgumentError, r"scaling is one of"),
    (lambda: I.STFT(window="hans"), ArgumentError, r"scipy.signal.get_window knows.*'hans'"),
    (lambda: I.STFT()((4, 2, 3)), ShapeError, r"\(frame length, 1, frequencies\); got \(4, 2, 3\)"),
    (lambda: I.STFT(window=[1.0, 2.0])((4, 1, 3)), ShapeError, r"window \(2,\), kernel \(4, 1, 3\)"),
    (lambda: I.deserialize({"class_name": "HeNormal", "config": {"seeds": 1}}), ArgumentError, r"HeNormal.*seeds"),
    (lambda: I.Initializer()((2,)), NotImplementedError, r"\[Initializer\] an initializer needs __call__"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), FAILURES, ids=[match for _, _, match in FAILURES])
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()
