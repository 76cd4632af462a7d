"""`FeatureSpace`: what it learns, gives, keeps and refuses."""

import json

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError

FeatureSpace = edl.utils.FeatureSpace
TABLE = {
    "age": np.array([20.0, 30.0, 40.0, 70.0], "float32"),
    "height": np.array([1.0, 2.0, 3.0, 4.0], "float32"),
    "rooms": np.array([3, 5, 3, 1]),
    "job": ["cook", "judge", "cook", "nurse"],
    "town": ["A", "B", "C", "D"],
}
KINDS = {
    "age": "float_normalized",
    "height": FeatureSpace.float_rescaled(2.0, 1.0),
    "rooms": "integer_categorical",
    "job": "string_categorical",
    "town": FeatureSpace.string_hashed(3),
}


def make(**arguments):
    space = FeatureSpace({**KINDS, "height": FeatureSpace.float_rescaled(2.0, 1.0)}, **arguments)
    space.adapt(TABLE)
    return space


def test_columns_stand_in_order_of_their_names():
    space = make(crosses=[("job", "rooms")], crossing_dim=7)
    out = np.asarray(space(TABLE))
    assert out.shape == (4, 1 + 1 + 4 + 4 + 3 + 7)
    age = TABLE["age"]
    np.testing.assert_allclose(out[:, 0], (age - age.mean()) / age.std(), rtol=1e-5)
    np.testing.assert_allclose(out[:, 1], TABLE["height"] * 2 + 1)
    np.testing.assert_array_equal(out[:, 2:6], np.eye(4)[[1, 3, 1, 2]])  # [UNK], cook, nurse, judge
    np.testing.assert_array_equal(out[:, 6:10], np.eye(4)[[1, 2, 1, 3]])  # unknown, 3, 5, 1
    np.testing.assert_array_equal(out[:, 10:13], np.eye(3)[[1, 0, 1, 1]])
    np.testing.assert_array_equal(out[:, 13:].sum(1), 1)
    np.testing.assert_array_equal(out[0, 13:], out[2, 13:])


def test_dicts_single_rows_and_datasets_agree():
    whole = np.asarray(make()(TABLE))
    parts = make(output_mode="dict")(TABLE)
    assert list(parts) == sorted(KINDS)
    np.testing.assert_array_equal(np.concatenate([*parts.values()], axis=-1), whole)
    row = {name: column[1] for name, column in TABLE.items()}
    np.testing.assert_array_equal(make()(row), whole[1])
    numbers = {"age": TABLE["age"], "rooms": TABLE["rooms"]}
    data = edl.data.Dataset.from_tensor_slices(numbers).batch(2)
    space = FeatureSpace({"age": "float_normalized", "rooms": "integer_categorical"})
    space.adapt(data)
    np.testing.assert_array_equal(
        np.concatenate([np.asarray(batch) for batch in data.map(space)]), np.asarray(space(numbers))
    )


def test_every_kind_of_feature():
    space = FeatureSpace(
        {
            "a": "float", "b": "float_discretized", "c": "integer_hashed", "d": "string_hashed",
            "e": FeatureSpace.float_discretized(0, [0.0, 1.0]), "f": FeatureSpace.integer_categorical(output_mode="int"),
            "g": FeatureSpace.feature("float32", edl.layers.Rescaling(3.0), "float"),
        },
        output_mode="dict", num_discretization_bins=4, hashing_dim=5,
    )  # fmt: skip
    x = np.arange(8.0, dtype="float32")
    data = {"a": x, "b": x, "c": x.astype(int), "d": x.astype(str), "e": x, "f": x.astype(int), "g": x}
    space.adapt(data)
    out = space(data)
    assert {name: one.shape for name, one in out.items()} == {
        "a": (8, 1), "b": (8, 4), "c": (8, 5), "d": (8, 5), "e": (8, 3), "f": (8, 1), "g": (8, 1),
    }  # fmt: skip
    boundaries = space.preprocessors["b"].bin_boundaries
    np.testing.assert_array_equal(out["b"], np.eye(4)[np.digitize(x, boundaries)])
    assert out["f"].dtype == "int64"


def test_what_it_has_learnt_is_saved(tmp_path):
    space = make(crosses=[("job", "rooms")])
    space.save(tmp_path / "space.keras")
    again = edl.models.load_model(tmp_path / "space.keras")
    np.testing.assert_array_equal(again(TABLE), space(TABLE))
    config = space.get_config()
    assert FeatureSpace.from_config(json.loads(json.dumps(config))).get_config() == config


def test_models_are_trained_on_encoded_features():
    space = make()
    encoded = space.get_encoded_features()
    assert encoded.shape == (None, 13)
    model = edl.Model(encoded, edl.layers.Dense(1)(encoded))
    model.compile("sgd", "mse")
    model.fit(space(TABLE), np.zeros((4, 1)), verbose=0)


def test_inputs_lead_to_encoded_features_without_strings():
    space = FeatureSpace({"age": "float_normalized", "rooms": "integer_categorical"})
    numbers = {"age": TABLE["age"][:, None], "rooms": TABLE["rooms"][:, None].astype("int32")}
    space.adapt(numbers)
    model = edl.Model(space.get_inputs(), edl.layers.Dense(1)(space.get_encoded_features()))
    assert model(numbers).shape == (4, 1)


REFUSED = [
    (lambda: FeatureSpace({}), ArgumentError, "at least one feature"),
    (lambda: FeatureSpace({"a": "floats"}), ArgumentError, "did you mean 'float'"),
    (lambda: FeatureSpace({"a": "integer_hashed"}, crosses=[("a", "b")]), ArgumentError, "'b' of"),
    (lambda: FeatureSpace({"age": "float_normalized"})(TABLE), ArgumentError, "call adapt"),
    (lambda: FeatureSpace({"x": "float_normalized"}).adapt(TABLE), ArgumentError, "'x' is missing"),
    (lambda: FeatureSpace({"age": "float_normalized"}).adapt(np.zeros(3)), DTypeError, "a dict of columns"),
    (lambda: FeatureSpace({"age": "float"})([1.0]), DTypeError, "a dict of columns"),
    (lambda: FeatureSpace({"age": "integer_hashed"})(TABLE), DTypeError, "integers are needed"),
    (lambda: FeatureSpace({"rooms": FeatureSpace.integer_hashed(3, "int")})(TABLE), DTypeError, "encoded as vectors"),
    (lambda: make().get_inputs(), DTypeError, "no tensor holds text"),
]


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_what_cannot_be_is_refused(index):
    function, error, message = REFUSED[index]
    with pytest.raises(error, match=message):
        function()
