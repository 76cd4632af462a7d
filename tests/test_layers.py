"""The battery that every layer has to pass; its rows are in `tests/layer_cases`."""

import copy
import json
import pickle

import numpy as np
import pytest
from layer_cases import ROWS

import eagerdl as edl
from eagerdl.nn.layer import get_mask, set_mask
from eagerdl.nn.shapes import map_shapes
from eagerdl.tree import flatten, map_structure


@pytest.fixture(autouse=True)
def seeded():
    edl.utils.set_random_seed(1)


@pytest.fixture(params=ROWS, ids=str)
def row(request):
    return ROWS[request.param]


def cast_floats(tree, dtype):
    return map_structure(lambda x: x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x, tree)


def in_float64(row):
    """The row's layer, and the layers in it, with float64 weights."""
    return with_policy(row.make(), "float64")


def with_policy(layer, policy):
    """A layer like `layer` with another dtype policy, in the layers in it as well."""

    def change(config):
        if isinstance(config, dict):
            if config.get("class_name") == "DTypePolicy":
                return {**config, "config": {"name": policy}}
            return {key: change(value) for key, value in config.items()}
        return [change(value) for value in config] if isinstance(config, list) else config

    return type(layer).from_config({**change(layer.get_config()), "dtype": policy})


def run(layer, row, batch=2, dtype="float32", seed=0, **more):
    inputs, named = row.arguments(batch, seed)
    return layer(cast_floats(inputs, dtype), **{**cast_floats(named, dtype), **more})


def leaves(outputs):
    return [np.asarray(one) for one in flatten(outputs)[0]]


def assert_equal(a, b):
    for one, other in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_layer_has_a_row():
    made = {type(row.make()).__name__ for row in ROWS.values()}
    abstract = {"Layer", "Wrapper", "Input", "InputLayer", "InputSpec", "Module", "Model", "Sequential"}
    public = {
        name for name, thing in vars(edl.layers).items() if isinstance(thing, type) and issubclass(thing, edl.Layer)
    }
    known = {vars(edl.layers)[name].__name__ for name in public}
    assert known - made - abstract == set()


def test_weights_have_keras_order_and_shapes(row):
    layer = row.make()
    assert not layer.weights or layer.built
    run(layer, row)
    assert [v.shape for v in layer.weights] == [tuple(shape) for shape in row.weights]


def test_reference(row):
    if row.reference is None:
        return
    layer = in_float64(row)
    inputs, named = row.arguments(3)
    out = run(layer, row, 3, "float64")
    want = row.reference([w.astype("float64") for w in layer.get_weights()], inputs, **named)
    for one, other in zip(leaves(out), flatten(want)[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_config_round_trip(row):
    layer = row.make()
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert again.name == layer.name
    whole = edl.saving.serialize_keras_object(layer)
    assert type(edl.saving.deserialize_keras_object(json.loads(json.dumps(whole)))) is type(layer)


def test_same_config_and_weights_give_the_same_bits(row):
    layer = row.make()
    out = run(layer, row)
    again = type(layer).from_config(layer.get_config())
    run(again, row, 1)
    again.set_weights(layer.get_weights())
    assert_equal(run(again, row), run(layer, row) if row.random else out)


def test_own_variables_travel(row):
    layer = row.make()
    run(layer, row)
    again = type(layer).from_config(layer.get_config())
    again.build_from_config(json.loads(json.dumps(layer.get_build_config())) if layer.get_build_config() else None)
    run(again, row, 1)
    for one, other in zip(layer._flatten_layers(), again._flatten_layers(), strict=True):
        store = {}
        one.save_own_variables(store)
        other.load_own_variables(store)
    assert_equal(layer.get_weights(), again.get_weights())


def test_weights_travel_through_files(row, tmp_path):
    layer = row.make()
    run(layer, row)
    edl.saving.save_weights(layer, tmp_path / "layer.weights.safetensors")
    again = type(layer).from_config(layer.get_config())
    run(again, row, 1)
    edl.saving.load_weights(again, tmp_path / "layer.weights.safetensors")
    assert_equal(layer.get_weights(), again.get_weights())
    assert_equal(run(layer, row), run(again, row))


def test_copies_are_independent_and_equal(row):
    layer = row.make()
    out = run(layer, row)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_equal(run(again, row), out)
        for variable in again.weights:
            variable.assign(edl.zeros_like(variable))
        assert_equal(run(layer, row), out)


@pytest.mark.parametrize("batch", (1, 2, 7))
def test_shapes(row, batch):
    layer = row.make()
    out = run(layer, row, batch)
    inputs, named = row.arguments(batch)
    settings = {name: named[name] for name in row.settings}
    settings |= {f"{name}_shape": np.shape(named[name]) for name in row.beside}
    shapes = map_structure(np.shape, inputs)
    if row.unknown:
        shapes = map_shapes(lambda shape: (None, *shape[1:]), shapes)
    want = []
    map_shapes(lambda shape: want.append(shape) or shape, row.make().compute_output_shape(shapes, **settings))
    for one, shape in zip(leaves(out), want, strict=True):
        assert len(one.shape) == len(shape)
        assert all(m is None or m == n for m, n in zip(shape, one.shape)), (one.shape, shape)


def test_symbolic_calls(row):
    if not row.symbols:
        return
    layer = row.make()
    out = run(layer, row)
    inputs, named = row.arguments(2)
    symbols = map_structure(
        lambda x: edl.KerasTensor((None, *x.shape[1:]) if row.unknown else x.shape, x.dtype), inputs
    )
    symbols = map_structure(lambda x: edl.KerasTensor(x.shape, "float32") if x.dtype == "float64" else x, symbols)
    for symbol, one in zip(flatten(row.make()(symbols, **named))[0], leaves(out), strict=True):
        assert symbol.dtype == one.dtype
        assert len(symbol.shape) == one.ndim


@pytest.mark.parametrize("policy", ("float32", "float64", "mixed_bfloat16"))
def test_dtypes(row, policy):
    layer = with_policy(row.make(), policy)
    out = run(layer, row)
    variables = {"float32", "float64"} & {policy.removeprefix("mixed_bfloat16") or "float32"}
    assert {str(v.dtype) for v in layer.weights if v.dtype.kind == "f"} <= variables
    if row.floating:
        assert {str(one.dtype) for one in flatten(out)[0]} == {policy.removeprefix("mixed_")}


def test_gradients(row):
    """With respect to the inputs and all trainable weights, in inference, against finite differences."""
    layer = in_float64(row)
    inputs, named = row.arguments(2)
    inputs, named = cast_floats(inputs, "float64"), cast_floats(named, "float64")
    layer(inputs, **named)
    variables = layer.trainable_variables
    arrays, build = flatten(inputs)
    floating = [i for i, x in enumerate(arrays) if row.gradient and np.asarray(x).dtype.kind == "f"]
    values = [edl.constant(arrays[i]) for i in floating] + [v.value for v in variables]
    if not values:
        return

    def outputs(*values):
        mine = list(arrays)
        for place, i in enumerate(floating):
            mine[i] = values[place]
        weights = {id(v): w for v, w in zip(variables, values[len(floating) :])}
        others = [weights.get(id(v), v.value) for v in layer.trainable_variables]
        out, _ = layer.stateless_call(others, [v.value for v in layer.non_trainable_variables], build(mine), **named)
        return [one for one in flatten(out)[0] if one.dtype.kind == "f"]

    edl.check_grads(outputs, values, order=1, modes=("rev",))


def test_train_step_reaches_every_weight(row):
    layer = row.make()
    run(layer, row, training=True)
    if not layer.trainable_variables:
        return
    with edl.GradientTape() as tape:
        out = [one for one in flatten(run(layer, row, 7, training=True))[0] if one.dtype.kind == "f"]
        loss = sum(edl.sum(one * edl.random.normal(one.shape, seed=3)) for one in out) + sum(layer.losses)
    gradients = tape.gradient(loss, layer.trainable_variables)
    for place, (variable, gradient) in enumerate(zip(layer.trainable_variables, gradients, strict=True)):
        assert (gradient is None) == (place in row.idle), variable.path
        if gradient is None:
            continue
        assert gradient.shape == variable.shape
        assert np.isfinite(gradient.numpy()).all()


def test_masks_pass(row):
    layer = row.make()
    inputs, named = row.arguments(2)
    if not row.mask:
        return
    x = edl.constant(inputs.astype("float32") if inputs.dtype.kind == "f" else inputs)
    mask = edl.constant(np.ones(x.shape[: max(1, x.ndim - 1)], bool))
    set_mask(x, mask)
    out = layer(x, **named)
    np.testing.assert_array_equal(get_mask(out), mask)


def test_modes(row):
    """Inference repeats to the bit; training runs, and draws anew where the layer is random."""
    layer = row.make()
    first = run(layer, row, training=False)
    assert_equal(run(layer, row, training=False), first)
    one, two = (leaves(run(layer, row, 7, training=True)) for _ in range(2))
    if row.random:
        assert any((a != b).any() for a, b in zip(one, two))


def test_frozen_layers_have_nothing_to_train(row):
    layer = row.make()
    layer.trainable = False
    run(layer, row)
    assert layer.trainable_variables == [] and len(layer.non_trainable_weights) == len(row.weights)
    layer.trainable = True
    fresh = row.make()
    run(fresh, row)
    assert [v.trainable for v in layer.weights] == [v.trainable for v in fresh.weights]
