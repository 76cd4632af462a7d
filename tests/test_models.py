"""Functional, Sequential and subclassed models: wiring, editing, describing, configs, copies."""

import copy
import inspect
import json
import pathlib
import pickle
import sys

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.tree import flatten

L = edl.layers
KERAS = json.loads((pathlib.Path(__file__).parent / "keras_models.json").read_text())


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def assert_same(a, b):
    assert type(a) is type(b) or not isinstance(a, dict)
    for one, other in zip(flatten(a)[0], flatten(b)[0], strict=True):
        np.testing.assert_array_equal(one, other)


def others(model, *inputs):
    """Models that must compute the same, each made of `model` in another way."""
    of_config = [
        type(model).from_config(model.get_config()),
        edl.models.model_from_json(model.to_json()),
        edl.models.clone_model(model),
    ]
    for other in of_config:
        if not other.built:
            other(*inputs)
        other.set_weights(model.get_weights())
    return [*of_config, copy.deepcopy(model), pickle.loads(pickle.dumps(model))]


def assert_travels(model, *inputs):
    out = model(*inputs)
    for other in others(model, *inputs):
        assert_same(other(*inputs), out)
        assert [v.shape for v in other.weights] == [v.shape for v in model.weights]
    text = []
    model.summary(print_fn=text.append)
    assert model.name in text[0]
    assert edl.models.model_from_json(model.to_json()).to_json() == model.to_json()
    return out


# -- functional models ----------------------------------------------------------------------------


STRUCTURES = {
    "list": (lambda a, b: [a, b], [lambda a, b: [a, b], lambda a, b: (a, b), lambda a, b: {"a": a, "b": b}]),
    "tuple": (lambda a, b: (a, b), [lambda a, b: [a, b]]),
    "dict": (lambda a, b: {"p": a, "q": b}, [lambda a, b: {"q": b, "p": a}]),
    "nested": (lambda a, b: [a, {"z": b}], [lambda a, b: [a, {"z": b}]]),
}


@pytest.mark.parametrize("outputs", ("list", "dict", "nested"))
@pytest.mark.parametrize("inputs", STRUCTURES)
def test_inputs_and_outputs_may_be_nested(inputs, outputs):
    a, b = edl.Input((3,), name="a"), edl.Input((2,), name="b")
    joined = L.Concatenate()([a, b])
    one, two = L.Dense(2)(joined), L.Dense(1)(joined)
    outs = {"list": [one, two], "dict": {"u": one, "v": two}, "nested": [one, [two, {"k": one}]]}[outputs]
    make, calls = STRUCTURES[inputs]
    model = edl.Model(make(a, b), outs)
    x, y = normal(4, 3), normal(4, 2)
    want = model(calls[0](x, y))
    for call in calls:
        assert_same(model(call(x, y)), want)
        assert_travels(model, call(x, y))
    assert [type(want), len(flatten(want)[0])] == [type(outs), len(flatten(outs)[0])]


def test_one_output_in_a_list_comes_alone():
    x = edl.Input((3,))
    assert edl.Model([x], [L.Dense(2)(x)])(normal(4, 3)).shape == (4, 2)


def test_shared_layers_and_models_keep_one_set_of_weights():
    x, layer = edl.Input((3,)), L.Dense(3, "tanh")
    inside = edl.Sequential([edl.Input((3,)), L.Dense(3), L.Dense(3)])
    model = edl.Model(x, inside(layer(inside(layer(x)))))
    data = normal(4, 3)
    assert_travels(model, data)
    assert len(model.weights) == 6
    np.testing.assert_allclose(model(data), inside(layer(inside(layer(data)))), rtol=1e-6)


def test_models_in_models():
    a, b = edl.Input((3,)), edl.Input((3,))
    inner = edl.Model(a, {"sum": L.Dense(2)(a), "other": [L.Dense(2)(a), a * 2.0]})
    out = inner(b)
    assert_travels(edl.Model(b, [out["sum"] + out["other"][0], out["other"][1]]), normal(4, 3))


def wired(*shape, count=1):
    def decorate(function):
        return function, [normal(2, *shape, seed=i) for i in range(count)]

    return decorate


FUNCTIONS = {
    "slices": (lambda x: x[:, 1:3], lambda x: x[:, 1:3]),
    "index": (lambda x: x[:, -1], lambda x: x[:, -1]),
    "steps and new axes": (lambda x: x[:, ::2, None], lambda x: x[:, ::2, None]),
    "ellipsis": (lambda x: x[..., 0], lambda x: x[..., 0]),
    "list of places": (lambda x: x[:, [2, 0]], lambda x: x[:, [2, 0]]),
    "arithmetic": (lambda x: 3 / (-x**2 - 1.0) + 2 * x, lambda x: 3 / (-(x**2) - 1.0) + 2 * x),
    "reflected": (lambda x: [1.0 - x, 7.0 // (x + 9.0), 2.0**x, 5.0 % (abs(x) + 1.0)],
                  lambda x: [1.0 - x, 7.0 // (x + 9.0), 2.0**x, 5.0 % (abs(x) + 1.0)]),
    "matmul": (lambda x: x @ np.ones((4, 2), "float32"), lambda x: x @ np.ones((4, 2), "float32")),
    "reflected matmul": (lambda x: np.ones((2, 5), "float32") @ x, lambda x: np.ones((2, 5), "float32") @ x),
    "comparisons": (lambda x: [x > 0, x == x, x != 0], lambda x: [x > 0, x == x, x != 0]),
    "constants": (lambda x: x + edl.constant([1.0, 2.0, 3.0, 4.0]), lambda x: x + np.array([1.0, 2.0, 3.0, 4.0], "float32")),
    "numpy functions": (lambda x: np.exp(x), np.exp),
    "methods": (lambda x: [x.sum(1), x.reshape(-1, 20), x.transpose(0, 2, 1), x.mean(), x.astype("float64")],
                lambda x: [x.sum(1), x.reshape(-1, 20), x.transpose(0, 2, 1), x.mean(), x.astype("float64")]),
    "einsum": (lambda x: edl.einsum("bij,bkj->bik", x, x), lambda x: np.einsum("bij,bkj->bik", x, x)),
    "concatenate": (lambda x: edl.concatenate([x, 2.0 * x], axis=-1), lambda x: np.concatenate([x, 2 * x], -1)),
    "stack": (lambda x: edl.stack([x, x], axis=1), lambda x: np.stack([x, x], 1)),
    "split": (lambda x: edl.split(x, 2, axis=-1), lambda x: np.split(x, 2, -1)),
    "where": (lambda x: edl.where(x > 0, x, 0.0), lambda x: np.where(x > 0, x, 0)),
    "reshape": (lambda x: edl.reshape(x, (-1, 20)), lambda x: x.reshape(-1, 20)),
    "top_k": (lambda x: edl.ops.top_k(x, 2)[0], lambda x: np.sort(x)[..., :1:-1]),
    "reductions": (lambda x: [edl.max(x, axis=-1, keepdims=True), edl.std(x, axis=(1, 2)), edl.prod(x, axis=1)],
                   lambda x: [x.max(-1, keepdims=True), x.std((1, 2)), x.prod(1)]),
    "several results": (lambda x: edl.linalg.qr(x)[1].shape[1:] and edl.moments(x, [1])[0], lambda x: x.mean(1)),
}  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions_of_symbolic_tensors(case):
    function, reference = FUNCTIONS[case]
    x = edl.Input((5, 4))
    data = normal(2, 5, 4)
    out = assert_travels(edl.Model(x, function(x)), data)
    want = reference(data)
    for one, other in zip(flatten(out)[0], want if isinstance(want, list) else [want], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_random_functions_draw_anew_at_each_call_and_wiring_draws_nothing():
    seed = edl.random.SeedGenerator(3)
    state = seed.state.numpy()
    x = edl.Input((50,))
    model = edl.Model(x, edl.random.dropout(x, 0.5, seed=seed))
    np.testing.assert_array_equal(seed.state, state)
    one, two = model(np.ones((2, 50))).numpy(), model(np.ones((2, 50))).numpy()
    assert (one != two).any() and set(np.unique(one)) == {0.0, 2.0}


def test_unknown_sizes_stay_unknown():
    x = edl.Input((None, 4))
    assert (x[:, 1:]).shape == (None, None, 4)
    assert edl.reshape(x, (-1, 2)).shape == (None, 2)
    assert edl.sum(x, axis=1).shape == (None, 4)
    assert L.LSTM(3, return_sequences=True)(x).shape == (None, None, 3)


def test_a_last_axis_of_one_is_added_or_taken_away():
    one, without = edl.Input((3, 1)), edl.Input((3,))
    assert edl.Model(one, L.Flatten()(one))(normal(4, 3)).shape == (4, 3)
    assert edl.Model(without, without * 2)(normal(4, 3, 1)).shape == (4, 3)


def test_the_order_of_weights_is_keras_order_by_depth():
    x = edl.Input((4,))
    first, late, twice = L.Dense(3, name="first"), L.Dense(2, name="late"), L.Dense(3, name="twice")
    hidden = first(x)
    model = edl.Model(x, [late(hidden), twice(twice(hidden))])
    assert [layer.name for layer in model.layers[1:]] == ["first", "twice", "late"]


# -- deep models ------------------------------------------------------------------------------------


@pytest.fixture
def shallow_stack():
    """Python refuses more than some hundred nested calls."""
    limit, depth = sys.getrecursionlimit(), len(inspect.stack(0))
    sys.setrecursionlimit(depth + 150)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize("functional", (False, True))
def test_depth_knows_no_limit(functional, tmp_path, shallow_stack):
    layers = [L.Dense(2, kernel_initializer="identity") for _ in range(250)]
    if functional:
        x = y = edl.Input((2,))
        for layer in layers:
            y = layer(y) * 1.0
        model = edl.Model(x, y)
    else:
        model = edl.Sequential([edl.Input((2,)), *layers])
    data = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(model(data), data)
    model.compile("sgd", "mse")
    model.fit(data, data + 1, verbose=0)
    want = model(data)
    model.save(tmp_path / "deep.keras")
    for other in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        edl.models.load_model(tmp_path / "deep.keras"),
    ):
        assert_same(other(data), want)
    edl.models.clone_model(model)
    edl.models.model_from_json(model.to_json())
    assert summary(model).count("Dense") == 250


def test_many_models_inside_each_other():
    model = edl.Sequential([edl.Input((2,)), L.Dense(2)])
    for _ in range(20):
        model = edl.Sequential([edl.Input((2,)), model, L.Dense(2)])
    assert_travels(model, np.ones((1, 2), "float32"))
    text = []
    model.summary(expand_nested=True, print_fn=text.append)
    assert text[0].count("Dense") == 21


# -- Sequential -------------------------------------------------------------------------------------


def test_a_sequential_without_input_is_built_by_its_first_call():
    model = edl.Sequential([L.Dense(4)])
    model.add(L.Dense(2))
    assert not model.built and model.weights == []
    data = normal(4, 3)
    model(data)
    assert_travels(model, data)
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    assert edl.Model(model.inputs, model.layers[0].output)(data).shape == (4, 4)
    model.pop()
    assert model(data).shape == (4, 4) and model.output_shape == (None, 4)
    model.add(L.Dense(7))
    assert assert_travels(model, data).shape == (4, 7)


def test_an_input_can_come_later_and_layers_after_it():
    model = edl.Sequential()
    model.add(edl.Input((3,)))
    model.add(L.Dense(4))
    assert model.built and [v.shape for v in model.weights] == [(3, 4), (4,)]
    model.add(L.Dense(5))
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 5))
    popped = model.pop()
    assert popped.units == 5 and model.output_shape == (None, 4)


def test_sizes_that_were_only_seen_may_change():
    model = edl.Sequential([L.Embedding(9, 2), L.LSTM(3)])
    assert model(np.ones((2, 5), "int32")).shape == (2, 3)
    assert model.output_shape == (None, 3)
    assert model(np.ones((4, 7), "int32")).shape == (4, 3)


def test_build_with_a_shape():
    model = edl.Sequential([L.Dense(4, name="d"), edl.Sequential([L.Dense(2)])])
    model.build((None, 3))
    assert [v.shape for v in model.weights] == [(3, 4), (4,), (4, 2), (2,)] and model.output_shape == (None, 2)
    assert model.layers[0].kernel.path.endswith("d/kernel")
    assert_travels(model, normal(4, 3))


def test_functions_and_old_arguments():
    model = edl.Sequential([L.Dense(2, input_shape=(3,)), edl.relu])
    assert len(model.weights) == 2 and (model(normal(4, 3)).numpy() >= 0).all()


# -- subclassed models --------------------------------------------------------------------------------


class Wired(edl.Model):
    """Wires itself, with arguments of its own."""

    def __init__(self, units=4, **kwargs):
        x = edl.Input((3,))
        super().__init__(x, L.Dense(units)(x), **kwargs)
        self.units = units


class Extended(edl.Model):
    """Takes inputs and outputs as Model does."""

    def __init__(self, inputs, outputs, **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        self.extra = 1


class Two(edl.Model):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.body, self.head = edl.Sequential([L.Dense(units), L.Dense(3)]), L.Dense(2)

    def call(self, x):
        return self.head(self.body(x))


def test_subclasses_that_wire_themselves_are_described_by_their_arguments():
    with edl.saving.CustomObjectScope({"Wired": Wired}):
        model = Wired(5, name="w")
        for other in (*others(model)[:2], copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert isinstance(other, Wired) and other.units == 5 and other.name == "w"
        assert type(edl.models.clone_model(model)) is edl.Model


def test_subclasses_with_the_arguments_of_model_are_described_by_their_graph():
    x = edl.Input((3,))
    with edl.saving.CustomObjectScope({"Extended": Extended}):
        for other in others(Extended(inputs=x, outputs=L.Dense(2)(x), name="e")):
            assert isinstance(other, Extended) and other.extra == 1 and other.name == "e"


def test_subclassed_models_guess_their_config():
    data = normal(4, 3)
    with edl.saving.CustomObjectScope({"Two": Two}):
        model = Two(6)
        model(data)
        assert_travels(model, data)
        assert Two.from_config(model.get_config()).units == 6


def test_build_of_a_subclassed_model():
    model = Two()
    model.build((None, 3))
    assert [v.shape for v in model.weights] == [(3, 4), (4,), (4, 3), (3,), (3, 2), (2,)]
    assert model.compute_output_shape((None, 3)) == (None, 2)


# -- trees ----------------------------------------------------------------------------------------


def test_heads_can_be_replaced():
    model = edl.Sequential([edl.Input((3,)), L.Dense(4, name="body"), L.Dense(2, name="head")])
    data = normal(4, 3)
    body = edl.Model(model.inputs, model.get_layer("body").output)
    other = edl.Model(body.input, L.Dense(7)(body.output))
    assert other(data).shape == (4, 7) and other.get_layer("body") is model.get_layer(index=0)
    features = edl.Model(model.input, [layer.output for layer in model.layers])
    assert [out.shape for out in features(data)] == [(4, 4), (4, 2)]
    mine = Two()
    mine(data)
    mine.head = L.Dense(5)
    assert mine(data).shape == (4, 5) and [v.shape for v in mine.weights][-2:] == [(3, 5), (5,)]


def test_a_model_may_begin_in_the_middle_of_another():
    model = edl.Sequential([edl.Input((3,)), L.Dense(4), L.Dense(5), L.Dense(2)])
    head = edl.Model(model.layers[0].output, model.output)
    data = normal(4, 3)
    assert_same(head(model.layers[0](data)), model(data))
    assert [v.shape for v in head.weights] == [(4, 5), (5,), (5, 2), (2,)]
    assert_travels(head, normal(2, 4))
    assert model.layers[1].output.shape == (None, 5)


def test_clones_with_other_layers_and_inputs():
    model = edl.Sequential([edl.Input((3,)), L.Dense(4), L.Dense(2, name="head")])

    def wider(layer):
        return L.Dense(9, name=layer.name) if layer.name == "head" else type(layer).from_config(layer.get_config())

    assert edl.models.clone_model(model, clone_function=wider)(normal(4, 3)).shape == (4, 9)
    x = edl.Input((3,), name="given")
    functional = edl.Model(model.input, model.output * 2.0)
    for one in (model, functional):
        assert edl.models.clone_model(one, input_tensors=x).input_names == ["given"]
    outer = edl.Sequential([edl.Input((3,)), model])
    assert edl.models.clone_model(outer, clone_function=wider, recursive=True)(normal(4, 3)).shape == (4, 9)


# -- summaries --------------------------------------------------------------------------------------


def summary(model, **named):
    text = []
    model.summary(print_fn=text.append, **named)
    return text[0]


def test_summaries_of_subclassed_models_have_shapes_when_they_were_called():
    model = Two(name="two")
    assert "not built" in summary(model)
    model(normal(4, 3))
    state = [v.numpy() for v in model.variables]
    text = summary(model, show_trainable=True)
    for part in ("(None, 3)", "(None, 2)", "Trainable", f"{3 * 4 + 4 + 4 * 3 + 3:,}", "Total parameters: 39"):
        assert part in text
    assert_same(state, [v.numpy() for v in model.variables])
    assert summary(model, expand_nested=True).count("Dense") == 3


def test_summaries_say_what_is_connected_and_can_be_cut():
    x = edl.Input((3,), name="source")
    model = edl.Model(x, L.Add(name="add_up")([L.Dense(2, name="left")(x), L.Dense(2, name="right")(x)]))
    assert "left, right" in summary(model)
    assert "source" not in summary(model, layer_range=("left", "right")).split("Connected")[0]
    for width in (30, 60, 200):
        assert max(map(len, summary(model, line_length=width).splitlines())) <= width
    with pytest.raises(edl.errors.ArgumentError, match="none matches 'nobody'"):
        model.summary(layer_range=("nobody", "left"))


def test_summaries_count_the_optimizer():
    model = edl.Sequential([edl.Input((3,)), L.Dense(2)])
    model.compile("adam", "mse")
    model.fit(normal(4, 3), normal(4, 2), verbose=0)
    assert "Optimizer parameters: 18" in summary(model)


# -- configs of Keras -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", KERAS)
def test_models_of_keras_load_and_compute_the_same(case):
    """Configs written by Keras 3, its weights' shapes in order, and its outputs for weights and inputs by formula."""
    wanted = KERAS[case]
    model = edl.models.model_from_json(json.dumps(wanted["config"]))
    assert [[v.name, list(v.shape)] for v in model.weights] == wanted["weights"]
    weights = [
        0.3 * np.sin(np.arange(v.size) + i).reshape(v.shape) + ("variance" in v.name)
        for i, v in enumerate(model.weights)
    ]
    model.set_weights(weights)
    inputs = []
    for i, x in enumerate(model.inputs):
        shape = [2, *[n or 5 for n in x.shape[1:]]]
        count = np.arange(np.prod(shape))
        inputs.append((count * 3 % 7 if x.dtype == "int32" else np.cos(count + i)).reshape(shape).astype(x.dtype))
    out = model(inputs if len(inputs) > 1 else inputs[0])
    out = [out[key] for key in sorted(out)] if isinstance(out, dict) else flatten(out)[0]
    for one, other in zip(out, wanted["outputs"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert edl.models.model_from_json(model.to_json()).to_json() == model.to_json()


def test_functions_are_written_in_keras_words():
    x = edl.Input((4,), name="x")
    model = edl.Model(x, edl.concatenate([edl.sum(x, axis=1, keepdims=True), 2.0 * x[:, :2]], axis=-1))
    described = {layer["class_name"]: layer for layer in model.get_config()["layers"]}
    assert described["Sum"]["config"] == {"name": described["Sum"]["name"], "axis": 1, "keepdims": True}
    assert (
        described["Sum"]["module"] == "keras.src.ops.numpy" and len(described["Sum"]["inbound_nodes"][0]["args"]) == 1
    )
    assert {"GetItem", "Multiply", "Concatenate"} <= set(described)


# -- messages -----------------------------------------------------------------------------------


def two_inputs():
    a, b = edl.Input((3,), name="a"), edl.Input((2,), name="b")
    return a, b, edl.Model([a, b], L.Concatenate(name="both")([a, b]), name="m")


MISTAKES = {
    "rank": (lambda a, b, m: m([normal(4, 3, 2, 1), normal(4, 2)]), r"Model 'm'\] input 'a' has shape \(None, 3\); got \(4, 3, 2, 1\)"),
    "size": (lambda a, b, m: m([normal(4, 5), normal(4, 2)]), r"input 'a' has size 3 on axis 1.*got 5 in shape \(4, 5\)"),
    "missing name": (lambda a, b, m: m({"a": normal(4, 3)}), r"inputs are \['a', 'b'\]; \['b'\] missing"),
    "too few": (lambda a, b, m: m([normal(4, 3)]), r"2 inputs are needed; got 1"),
    "disconnected": (lambda a, b, m: edl.Model(a, L.Dense(2)(b)), r"every output must be computed from the inputs.*'b'"),
    "one name twice": (lambda a, b, m: edl.Model(a, L.Dense(2, name="q")(L.Dense(2, name="q")(a))), r"two are named 'q'"),
    "outputs with values": (lambda a, b, m: edl.Model(a, edl.ones(3)), r"outputs are symbolic tensors; got Tensor"),
    "inputs with values": (lambda a, b, m: edl.Model(normal(2, 3), a), r"inputs are symbolic tensors; got ndarray"),
    "inputs alone": (lambda a, b, m: edl.Model(a), r"inputs and outputs come together"),
    "truth": (lambda a, b, m: bool(a > 0), r"symbolic tensor of a functional model has none"),
    "number": (lambda a, b, m: float(a), r"symbolic tensor of a functional model has none"),
    "array": (lambda a, b, m: np.asarray(a), r"symbolic tensor of a functional model has none"),
    "iteration": (lambda a, b, m: list(a), r"iteration needs a known first axis"),
    "rank of a layer": (lambda a, b, m: L.Conv2D(2, 3, name="c")(a), r"Conv2D 'c'\] input with 4 axes is needed; got shape \(None, 3\)"),
    "broadcast": (lambda a, b, m: a + b, r"\[add\] shapes must broadcast"),
    "layer name": (lambda a, b, m: m.get_layer("bth"), r"got 'bth', did you mean 'both'\?"),
    "layer index": (lambda a, b, m: m.get_layer(index=9), r"there are 3 layers; got index 9"),
    "no layer": (lambda a, b, m: edl.Sequential(["x"]), r"a layer is needed; got str: 'x'"),
    "same layer name": (lambda a, b, m: edl.Sequential([L.Dense(2, name="z"), L.Dense(2, name="z")]), r"two are named 'z'"),
    "pop": (lambda a, b, m: edl.Sequential().pop(), r"a layer to take away is needed"),
    "call of nothing": (lambda a, b, m: edl.Sequential()(normal(2, 2)), r"layers are needed; there is none"),
    "build of nothing": (lambda a, b, m: edl.Sequential().build((None, 2)), r"layers are needed; there is none"),
    "build without shape": (lambda a, b, m: edl.Sequential([L.Dense(2)]).build(), r"the shape of the input is needed"),
    "no call": (lambda a, b, m: edl.Model(name="n")(normal(2, 2)), r"Model 'n'\] a model needs a method call"),
    "no JSON": (lambda a, b, m: edl.models.model_from_json("{"), r"a JSON string is needed"),
    "other JSON": (lambda a, b, m: edl.models.model_from_json("[1]"), r"the config of a model is needed; got '\[1\]'"),
    "unknown class": (lambda a, b, m: edl.models.model_from_json(m.to_json().replace('"Concatenate"', '"Concatenat"')),
                      r"'Concatenat' .* is not, did you mean 'Concatenate'.*register_keras_serializable"),
    "unknown function": (lambda a, b, m: edl.models.model_from_json(edl.Model(a, edl.relu(a)).to_json().replace('"Relu"', '"Rellu"')),
                         r"a function of eagerdl.ops is needed; got 'rellu', did you mean 'relu'"),
    "sizes of models": (lambda a, b, m: edl.Sequential([edl.Input((2,)), edl.Model(a, a * 1.0)]), r"has size 3 on axis 1"),
    "no shape": (lambda a, b, m: edl.Input(), r"a shape is needed"),
    "shape of an int": (lambda a, b, m: edl.Input(3), r"shape is a tuple; got 3; use shape=\(3,\)"),
    "clone arguments": (lambda a, b, m: edl.models.clone_model(m, call_fn=1), r"the arguments must be known; got call_fn"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(case):
    make, message = MISTAKES[case]
    with pytest.raises(edl.errors.EagerdlError, match=message):
        make(*two_inputs())
