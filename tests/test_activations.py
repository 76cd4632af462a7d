"""Activations: those that are no ops, and the names of all."""

import itertools
import json

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.nn.symbolic import SymbolicTensor

A = edl.activations

NAMES = [
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
    "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip

OPTIONS = list(itertools.product([0.0, 0.1, -0.2], [None, 6, 2.5], [0.0, 0.5, -1.0]))


def reference_relu(x, negative_slope, max_value, threshold):
    """The pieces one by one: above the threshold, below it, and the bounds 0 and max_value of the upper piece."""
    out = []
    for value in x:
        upper = value if value > threshold else 0.0
        if max_value is not None:
            upper = min(max(upper, 0.0), max_value)
        out.append(upper + negative_slope * min(value - threshold, 0.0))
    return np.array(out)


@pytest.mark.parametrize(("negative_slope", "max_value", "threshold"), OPTIONS)
def test_relu(negative_slope, max_value, threshold):
    x = np.array([-7, -3, -1.1, -0.6, -0.2, 0, 0.3, 0.5, 0.7, 1, 2.4, 2.6, 5.9, 6, 6.5])
    out = A.relu(x, negative_slope, max_value, threshold)
    np.testing.assert_allclose(out.numpy(), reference_relu(x, negative_slope, max_value, threshold), atol=1e-12)
    smooth = edl.constant(np.delete(x, [5, 7, 13]))  # without the kinks
    edl.check_grads(lambda x: A.relu(x, negative_slope, max_value, threshold), (smooth,))


@pytest.mark.parametrize("options", [{}, {"max_value": 6}, {"max_value": 1.0}, {"negative_slope": 0.1, "max_value": 4}])
def test_relu_has_the_lower_slope_at_the_threshold(options):
    x = edl.Variable([0.0])
    with edl.GradientTape() as tape:
        out = A.relu(x, **options)
    np.testing.assert_allclose(tape.gradient(out, x).numpy(), [options.get("negative_slope", 0.0)], rtol=1e-6)


@pytest.mark.parametrize(("negative_slope", "max_value", "threshold"), OPTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_relu_keeps_dtype_and_nan(negative_slope, max_value, threshold, dtype):
    out = A.relu(edl.constant([float("nan"), 1.0], dtype), negative_slope, max_value, threshold)
    assert out.dtype == dtype and np.isnan(out.numpy().astype("float32")).tolist() == [True, False]


def test_relu_of_integers():
    out = A.relu(edl.constant([-2, 3, 9], "int32"), max_value=5, threshold=1)
    assert out.dtype == "int32" and out.tolist() == [0, 3, 5]


def test_relu_is_the_op_by_default():
    x = edl.constant([-1.0, 2.0])
    assert A.relu(x).tolist() == edl.relu(x).tolist() == [0, 2]
    with pytest.raises(ArgumentError, match=r"\[relu\] max_value must not be negative; got max_value=-1"):
        A.relu(x, max_value=-1)


def test_gelu_is_exact_by_default():
    x = edl.constant(np.linspace(-4, 4, 9))
    np.testing.assert_allclose(A.gelu(x).numpy(), x.numpy() * (1 + edl.erf(x / 2**0.5).numpy()) / 2, atol=1e-12)
    np.testing.assert_array_equal(A.gelu(x, True).numpy(), edl.gelu(x, True).numpy())
    assert 1e-5 < np.abs((A.gelu(x) - A.gelu(x, approximate=True)).numpy()).max() < 5e-4
    edl.check_grads(A.gelu, (x,))


def test_exponential_and_linear():
    x = edl.constant([0.0, 1.0, -2.0], "float64")
    np.testing.assert_allclose(A.exponential(x).numpy(), np.exp([0, 1, -2]))
    assert A.linear(x) is x


def test_the_others_are_ops():
    for name in set(NAMES) - {"relu", "gelu", "exponential", "linear"}:
        assert getattr(A, name) is getattr(edl.ops, name)


def test_symbolic_inputs():
    x = SymbolicTensor((None, 4))
    for name in NAMES:
        options = {"threshold": (0.5, 1.0)}.get(name, ())
        out = getattr(A, name)(x, *options)
        assert out.shape == (None, 2 if name == "glu" else 4)
    assert A.relu(x, 0.1, 2.0, 0.5).shape == (None, 4)


# -- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    function = A.get(name)
    assert function is getattr(A, name) and A.get(function) is function
    assert A.serialize(function) == name and A.deserialize(name) is function
    config = {"module": "keras.activations", "class_name": "function", "config": name, "registered_name": name}
    assert A.get(config) is A.deserialize(config) is function


def test_second_names():
    assert A.get("swish") is A.swish is A.silu and A.get("hard_swish") is A.hard_swish is A.hard_silu
    assert A.get(None) is A.linear and A.deserialize(None) is None
    assert A.serialize(edl.relu) == "relu" and A.serialize(edl.exp) == "exponential"


def test_the_op_gelu_stays_the_op():
    config = json.loads(json.dumps(A.serialize(edl.ops.gelu)))
    assert config["module"] == "keras.ops" and A.get(config) is edl.ops.gelu


def test_own_functions():
    @edl.saving.register_keras_serializable("tests")
    def cube(x):
        return x**3

    def square(x):
        return x * x

    assert A.get(json.loads(json.dumps(A.serialize(cube)))) is cube and A.get("tests>cube") is cube
    assert A.deserialize(A.serialize(square), {"square": square}) is square
    with edl.saving.CustomObjectScope({"square": square}):
        assert A.get("square") is square


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: A.get("rel"), ArgumentError, r"\[activation\].*'rel', did you mean 'relu'"),
        (lambda: A.get("ReLU"), ArgumentError, r"did you mean.*'relu'"),
        (lambda: A.get(3), DTypeError, r"got int: 3"),
        (lambda: A.serialize(lambda x: x), DTypeError, r"a function needs a name to be saved; got a lambda"),
        (lambda: A.serialize(object()), DTypeError, r"needs get_config"),
        (lambda: A.deserialize({"class_name": "function", "config": "square_2"}), ArgumentError, r"square_2"),
    ],
    ids=["near", "case", "number", "lambda", "object", "unknown"],
)
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_gelu_of_float32_is_near_that_of_float64():
    x = np.linspace(-13, 13, 20_001)
    exact = edl.gelu(edl.constant(x), approximate=False).numpy()
    found = edl.gelu(edl.constant(x, "float32"), approximate=False).numpy()
    np.testing.assert_allclose(found, exact, rtol=2e-5, atol=1e-38)
    near = np.abs(x) < 3
    np.testing.assert_allclose(found[near], exact[near], rtol=1e-6)
