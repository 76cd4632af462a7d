"""What preprocessing layers learn, keep, draw and refuse; `tests/test_layers.py` has the battery."""

import json

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError
from eagerdl.nn.preprocessing.fingerprints import fingerprints, keyed_fingerprints

L = edl.layers
RNG = np.random.default_rng(0)
TEXTS = ["The cat sat.", "the DOG sat on the cat", "a dog!"]


def saved(layer, again):
    """`again` with what `layer` has learnt."""
    for one, other in zip(layer._flatten_layers(), again._flatten_layers(), strict=True):
        store = {}
        one.save_own_variables(store)
        other.load_own_variables(store)
    return again


def copied(layer):
    return saved(layer, type(layer).from_config(json.loads(json.dumps(layer.get_config()))))


# -- what adapt reads ---------------------------------------------------------------------------


class Pairs(edl.data.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.x[index * 5 : index * 5 + 5], np.zeros(5)


X = RNG.normal(3, 2, (20, 4)).astype("float32")
SOURCES = {
    "array": lambda: X,
    "tensor": lambda: edl.constant(X),
    "lists": lambda: X.tolist(),
    "Dataset": lambda: edl.data.Dataset.from_tensor_slices(X).batch(7),
    "Dataset of rows": lambda: edl.data.Dataset.from_tensor_slices(X),
    "Dataset of pairs": lambda: edl.data.Dataset.from_tensor_slices((X, X)).batch(6),
    "generator": lambda: (X[i : i + 3] for i in range(0, 20, 3)),
    "list of batches": lambda: [X[:13], X[13:]],
    "PyDataset": lambda: Pairs(X),
}


@pytest.mark.parametrize("source", SOURCES)
def test_normalization_learns_the_moments_of_any_source(source):
    layer = L.Normalization()
    layer.adapt(SOURCES[source]())
    np.testing.assert_allclose(layer.adapt_mean, X.astype("float64").mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.adapt_variance, X.astype("float64").var(0), rtol=1e-6)
    out = np.asarray(layer(X))
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-5)
    back = L.Normalization(mean=layer.adapt_mean.numpy(), variance=layer.adapt_variance.numpy(), invert=True)
    np.testing.assert_allclose(back(out), X, rtol=1e-5)
    again = L.Normalization()
    again.build((None, 4))
    np.testing.assert_array_equal(saved(layer, again)(X), out)


@pytest.mark.parametrize("axis, others", ((None, (0, 1, 2)), (1, (0, 2)), ((0, 2), (1,)), ((0, 1, 2), ())))
def test_normalization_keeps_its_axes(axis, others):
    x = RNG.normal(size=(3, 4, 5)).astype("float32")
    layer = L.Normalization(axis=axis)
    layer.adapt(x)
    mean, deviation = x.mean(others, keepdims=True), np.maximum(x.std(others, keepdims=True), 1e-7)
    np.testing.assert_allclose(layer(x), (x - mean) / deviation, rtol=1e-4, atol=1e-5)


def test_steps_and_batch_size_limit_what_is_read():
    layer = L.Normalization()
    layer.adapt(X, batch_size=3, steps=2)
    np.testing.assert_allclose(layer.adapt_mean, X[:6].mean(0), rtol=1e-5)


def test_normalization_trains_in_a_model():
    layer = L.Normalization()
    layer.adapt(X)
    model = edl.Sequential([edl.Input((4,)), layer, L.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(X, X.sum(1, keepdims=True), epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert len(model.trainable_variables) == 2


# -- bins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bins", (2, 5, 10))
def test_discretization_learns_quantiles(bins):
    x = RNG.exponential(size=5000)
    layer = L.Discretization(num_bins=bins)
    layer.adapt(x.reshape(10, 500), batch_size=2)
    ranks = np.searchsorted(np.sort(x), layer.bin_boundaries) / 5000
    np.testing.assert_allclose(ranks, np.arange(1, bins) / bins, atol=0.03)
    again = copied(layer)
    np.testing.assert_array_equal(again(x), layer(x))
    fresh = L.Discretization(num_bins=bins)
    np.testing.assert_array_equal(saved(layer, fresh)(x), np.digitize(x, layer.bin_boundaries))


# -- hashes -------------------------------------------------------------------------------------


FARM = {
    0: 11160318154034397263, 1: 15198969275252572735, 3: 8347415407982900060,
    4: 9483116683405768327, 7: 2092326130583504517, 8: 7926118692302350582,
    16: 6105018409752412263, 17: 12024047538191061578, 32: 5309998426329684901,
    33: 11705224861392408063, 64: 1368775656680954964, 65: 14927279691244593625,
    128: 3887300331607618324, 129: 1493184277588377320, 288: 716001356707767437,
}  # fmt: skip


def test_fingerprints_are_those_of_farmhash():
    """Values of FarmHash's Fingerprint64, one for each way it takes by length."""
    text = b"0123456789abcdefghijklmnopqrstuvwxyz" * 8
    lengths = FARM.keys()
    assert fingerprints([text[:n] for n in lengths]).tolist() == list(FARM.values())


def test_keyed_fingerprints_are_those_of_siphash():
    """Appendix A of the paper: bytes 0 to 14 under the key of bytes 0 to 15."""
    key = np.frombuffer(bytes(range(16)), "<u8")
    assert keyed_fingerprints([bytes(range(15))], key).tolist() == [0xA129CA6149BE45E5]


def test_hashing_has_the_bins_of_keras():
    words = ["omar", "stringer", "marlo", "wire", "skywalker"]
    assert L.Hashing(3, mask_value="omar")(words).tolist() == [0, 1, 2, 1, 1]
    assert L.Hashing(2, salt=[133, 137])(words).tolist() == [0, 1, 0, 1, 0]
    assert L.Hashing(2, salt=[211, 137])(words).tolist() == [1, 0, 1, 0, 1]
    assert L.Hashing(3, salt=[133, 137])(np.arange(5)).tolist() == [1, 1, 2, 0, 1]
    assert L.Hashing(3)([b"A", b"B"]).tolist() == L.Hashing(3)(np.array(["A", "B"], object)).tolist() == [1, 0]


# -- vocabularies -------------------------------------------------------------------------------


def test_lookup_learns_the_most_frequent_tokens_first():
    layer = L.StringLookup(max_tokens=4)
    layer.adapt([["b", "c", "b"], ["a", "c", "b"], ["d", "a", "[UNK]"]])
    assert layer.get_vocabulary() == ["[UNK]", "b", "c", "a"]
    assert layer.get_vocabulary(include_special_tokens=False) == ["b", "c", "a"]
    assert layer.vocabulary_size() == 4
    back = L.StringLookup(vocabulary=layer.get_vocabulary(), invert=True)
    assert back(layer(["a", "b", "d"])).tolist() == ["a", "b", "[UNK]"]
    again = copied(layer)
    assert again.get_vocabulary() == layer.get_vocabulary()
    numbers = L.IntegerLookup(mask_token=0)
    numbers.adapt(iter([np.array([5, 0, 5]), np.array([7, 5, 0])]))
    assert numbers.get_vocabulary() == [0, -1, 5, 7]
    assert numbers([0, 7, 9]).tolist() == [0, 3, 1]
    assert copied(numbers)([0, 7, 9]).tolist() == [0, 3, 1]


def test_tf_idf_follows_its_formula():
    documents = [["a", "b", "a"], ["b", "c", "b"]]
    layer = L.StringLookup(output_mode="tf_idf")
    layer.adapt(documents)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a", "c"]
    idf = np.log(1 + 2 / (1 + np.array([2, 1, 1])))
    np.testing.assert_allclose(layer(["b", "a", "a"]), [0, idf[0], 2 * idf[1], 0], rtol=1e-6)
    np.testing.assert_allclose(layer(["z"]), [idf.mean(), 0, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(copied(layer)(documents), layer(documents))


def test_vocabulary_of_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("dog\ncät\n", encoding="utf-8")
    layer = L.StringLookup(vocabulary=str(path))
    assert layer(["cät", "x"]).tolist() == [2, 0]
    path.unlink()
    assert copied(layer).get_vocabulary() == ["[UNK]", "dog", "cät"]
    with pytest.raises(ArgumentError, match="a config may not have other files read"):
        L.StringLookup.from_config({"vocabulary": str(path)})
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("7\n8")
    assert L.IntegerLookup(vocabulary=str(numbers))([8]).tolist() == [2]


def test_padded_vectors_have_the_size_of_max_tokens():
    layer = L.IntegerLookup(max_tokens=6, vocabulary=[3, 4], output_mode="multi_hot", pad_to_max_tokens=True)
    assert layer([[3, 4], [9, 9]]).tolist() == [[0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]


def test_lookups_work_inside_functional_models_and_datasets():
    inputs = edl.Input((2,), dtype="int64")
    codes = L.IntegerLookup(vocabulary=[10, 20], output_mode="count")(inputs)
    model = edl.Model(inputs, L.Dense(1, kernel_initializer="ones")(codes))
    np.testing.assert_array_equal(model(np.array([[10, 20], [10, 3]])), [[2.0], [2.0]])
    lookup = L.IntegerLookup(vocabulary=[10, 20])
    data = edl.data.Dataset.from_tensor_slices(np.array([10, 3, 20])).batch(2).map(lookup)
    assert [batch.tolist() for batch in data] == [[1, 0], [2]]


# -- texts --------------------------------------------------------------------------------------


def upper(texts):
    return np.char.upper(texts.astype(str))


def by_a(texts):
    return [text.split("a") for text in texts.tolist()]


TEXT_CASES = {
    "default": ({}, ["", "[UNK]", "the", "sat", "dog", "cat", "on", "a"], [[2, 5, 3], [2, 4, 1]]),
    "not standardized": ({"standardize": None, "max_tokens": 4}, ["", "[UNK]", "the", "cat"], [[1, 3, 1], [2, 1, 1]]),
    "function": ({"standardize": upper, "max_tokens": 3}, ["", "[UNK]", "THE"], [[2, 1, 1], [2, 1, 1]]),
    "pairs": ({"ngrams": (2,), "max_tokens": 3}, ["", "[UNK]", "the cat"], [[2, 1], [1, 1]]),
    "characters": ({"split": "character", "max_tokens": 4}, ["", "[UNK]", " ", "t"], None),
    "function that splits": ({"split": by_a, "max_tokens": 3}, ["", "[UNK]", "t"], None),
}


@pytest.mark.parametrize("case", TEXT_CASES)
def test_texts_become_numbers(case):
    arguments, vocabulary, numbers = TEXT_CASES[case]
    layer = L.TextVectorization(**arguments)
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == vocabulary
    if numbers is not None:
        assert layer(["The cat SAT!", "the dog flew"]).tolist() == numbers


def test_what_a_text_layer_has_learnt_is_saved():
    for mode in ("int", "multi_hot", "count", "tf_idf"):
        layer = L.TextVectorization(output_mode=mode)
        layer.adapt(TEXTS, batch_size=2)
        np.testing.assert_array_equal(copied(layer)(TEXTS), layer(TEXTS))
    with edl.utils.custom_object_scope({"upper": upper}):
        whole = edl.saving.serialize_keras_object(L.TextVectorization(standardize=upper, vocabulary=["A"]))
        again = edl.saving.deserialize_keras_object(json.loads(json.dumps(whole)))
    assert again(["a b"]).tolist() == [[2, 1]]


def test_text_rows_have_the_length_wanted():
    layer = L.TextVectorization(vocabulary=["a", "b"], output_sequence_length=3)
    assert layer([["a"], ["b a b a"]]).tolist() == [[2, 0, 0], [3, 2, 3]]
    assert layer("b").tolist() == [3, 0, 0]
    assert L.TextVectorization(vocabulary=["a"])(["", "a a"]).tolist() == [[0, 0], [2, 2]]


# -- images: what is drawn ----------------------------------------------------------------------

IMAGES = RNG.uniform(0, 255, (6, 7, 9, 3)).astype("float32")
RANDOM = {
    "RandomFlip": {},
    "RandomCrop": {"height": 4, "width": 5},
    "RandomRotation": {"factor": 0.3},
    "RandomZoom": {"height_factor": 0.3},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2},
    "RandomShear": {"x_factor": 0.3},
    "RandomPerspective": {"factor": (1.0, 1.0)},
    "RandomContrast": {"factor": 0.5},
    "RandomBrightness": {"factor": 0.5},
    "RandomGrayscale": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomHue": {"factor": 0.5},
    "RandomSaturation": {"factor": 0.9},
    "RandomInvert": {"factor": 1.0},
    "RandomColorJitter": {"brightness_factor": 0.3, "hue_factor": 0.2},
    "RandomPosterization": {"factor": (1, 8)},
    "Solarization": {"threshold_factor": 0.9},
    "RandomSharpness": {"factor": 1.0},
    "RandomErasing": {"factor": (1.0, 1.0), "scale": (0.2, 0.5)},
    "RandAugment": {},
    "AugMix": {},
}


@pytest.mark.parametrize("name", RANDOM)
def test_each_image_has_its_own_draw(name):
    same = np.repeat(IMAGES[:1], 12, axis=0)
    out = np.asarray(getattr(L, name)(**RANDOM[name], seed=1)(same))
    assert len({one.tobytes() for one in out}) > 1


@pytest.mark.parametrize("name", RANDOM)
def test_layouts_single_images_and_dtypes_agree(name):
    def make(**more):
        return getattr(L, name)(**RANDOM[name], seed=3, **more)

    out = np.asarray(make()(IMAGES))
    first = make(data_format="channels_first")(np.moveaxis(IMAGES, -1, 1))
    if name != "RandomErasing":  # noise is drawn in the order of its shape
        np.testing.assert_array_equal(np.moveaxis(np.asarray(first), 1, -1), out)
    one, batch = make()(IMAGES[0]), make()(IMAGES[:1])
    np.testing.assert_array_equal(one, np.asarray(batch)[0])
    whole = np.asarray(make(dtype="uint8")(IMAGES.astype("uint8")))
    assert whole.dtype == "uint8" and whole.shape == out.shape
    assert out.min() >= -1e-3 and out.max() <= 255 + 1e-3


@pytest.mark.parametrize("name", [name for name in RANDOM if "value_range" in str(getattr(L, name).__init__.__doc__)
                                  or name in ("RandomContrast", "RandomBrightness", "RandomColorDegeneration", "RandomHue",
                                              "RandomSaturation", "RandomInvert", "Solarization", "RandomSharpness")])  # fmt: skip
def test_ranges_of_values_are_equivalent(name):
    whole = getattr(L, name)(**RANDOM[name], seed=3)(IMAGES)
    unit = getattr(L, name)(**RANDOM[name], seed=3, value_range=(0, 1))(IMAGES / 255)
    np.testing.assert_allclose(np.asarray(unit) * 255, whole, atol=0.05)


def test_images_in_datasets_and_models():
    flip = L.RandomFlip(seed=1)
    data = edl.data.Dataset.from_tensor_slices(IMAGES).map(lambda x: flip(x, training=True)).batch(3)
    assert [batch.shape for batch in data] == [(3, 7, 9, 3)] * 2
    model = edl.Sequential(
        [edl.Input((7, 9, 3)), L.RandomFlip(), L.RandomCrop(4, 4), L.Rescaling(1 / 255), L.Flatten(), L.Dense(1)]
    )
    assert model.predict(IMAGES, verbose=0).shape == (6, 1)
    model.compile("sgd", "mse")
    model.fit(IMAGES, np.zeros((6, 1)), verbose=0)


# -- images: what is done -----------------------------------------------------------------------


def test_flips_are_flips():
    out = np.asarray(L.RandomFlip(seed=1)(np.repeat(IMAGES[:1], 50, axis=0)))
    kinds = {IMAGES[0][::v, ::h].tobytes() for v in (1, -1) for h in (1, -1)}
    assert {one.tobytes() for one in out} == kinds


def test_crops_are_windows():
    out = np.asarray(L.RandomCrop(4, 5, seed=1)(np.repeat(IMAGES[:1], 90, axis=0)))
    windows = {IMAGES[0, i : i + 4, j : j + 5].tobytes() for i in range(4) for j in range(5)}
    assert {one.tobytes() for one in out} <= windows and len({one.tobytes() for one in out}) > 15


SQUARE = RNG.uniform(0, 255, (2, 6, 6, 3)).astype("float32")
EXACT = {
    "a quarter": (L.RandomRotation, {"factor": (0.25, 0.25)}, lambda x: np.rot90(x, 1, (1, 2))),
    "half a turn": (L.RandomRotation, {"factor": (-0.5, -0.5)}, lambda x: x[:, ::-1, ::-1]),
    "right": (
        L.RandomTranslation, {"height_factor": 0.0, "width_factor": (1 / 3, 1 / 3), "fill_mode": "constant"},
        lambda x: np.pad(x, [(0, 0), (0, 0), (2, 0), (0, 0)])[:, :, :6],
    ),
    "down, wrapped": (
        L.RandomTranslation, {"height_factor": (0.5, 0.5), "width_factor": 0.0, "fill_mode": "wrap"},
        lambda x: np.roll(x, 3, axis=1),
    ),
    "no shear": (L.RandomShear, {}, lambda x: x),
    "no zoom": (L.RandomZoom, {"height_factor": 0.0}, lambda x: x),
    "no perspective": (L.RandomPerspective, {"scale": 0.0}, lambda x: x),
    "brightness": (L.RandomBrightness, {"factor": (0.1, 0.1)}, lambda x: np.minimum(x + 25.5, 255)),
    "contrast": (
        L.RandomContrast, {"factor": (0.0, 0.0)}, lambda x: x,
    ),
    "negative": (L.RandomInvert, {"factor": (1.0, 1.0)}, lambda x: 255 - x),
    "gray": (L.RandomGrayscale, {"factor": 1.0}, lambda x: np.repeat(x @ [[0.2989], [0.587], [0.114]], 3, -1)),
    "degenerate": (
        L.RandomColorDegeneration, {"factor": (0.25, 0.25)},
        lambda x: 0.75 * x + 0.25 * (x @ [[0.2989], [0.587], [0.114]]),
    ),
    "saturation kept": (L.RandomSaturation, {"factor": (0.5, 0.5)}, lambda x: x),
    "hue of the other side": (
        L.RandomHue, {"factor": (1.0, 1.0)}, lambda x: x.max(-1, keepdims=True) + x.min(-1, keepdims=True) - x,
    ),
    "posters": (L.RandomPosterization, {"factor": 3}, lambda x: (x.astype("uint8") >> 5 << 5).astype("float32")),
    "solar": (L.Solarization, {"threshold_factor": (0.4, 0.4)}, lambda x: np.where(x < 102, x, 255 - x)),
    "sharpness kept": (L.RandomSharpness, {"factor": (0.5, 0.5)}, lambda x: x),
    "no elastic": (L.RandomElasticTransform, {"scale": 0.0}, lambda x: x),
    "never": (L.RandomGaussianBlur, {"factor": (0.0, 0.0)}, lambda x: x),
}  # fmt: skip


@pytest.mark.parametrize("case", EXACT)
def test_known_draws_give_known_images(case):
    cls, arguments, want = EXACT[case]
    np.testing.assert_allclose(cls(**arguments)(SQUARE), want(SQUARE), atol=0.02)


def test_equalization_makes_values_equally_frequent():
    x = np.sort(RNG.choice(60, 40, replace=False)).reshape(1, 5, 8, 1).astype("float32")
    want = np.round(np.arange(40) * 255 / 39).reshape(1, 5, 8, 1)
    np.testing.assert_array_equal(L.Equalization()(x), want)
    flat = np.full((1, 4, 4, 1), 9.0, "float32")
    np.testing.assert_array_equal(L.Equalization()(flat), flat)
    np.testing.assert_array_equal(L.AutoContrast()(flat), flat)


def test_erasing_covers_rectangles():
    x = np.ones((40, 10, 12, 2), "float32")
    out = np.asarray(L.RandomErasing((1.0, 1.0), (0.1, 0.4), fill_value=0.0, seed=2)(x))
    for gone in (out == 0)[..., 0]:
        rows, columns = gone.any(1), gone.any(0)
        np.testing.assert_array_equal(gone, rows[:, None] & columns)
        assert 3 <= rows.sum() <= 7 and 3 <= columns.sum() <= 8
    noise = np.asarray(L.RandomErasing((1.0, 1.0), (0.5, 0.5), value_range=(0, 1), seed=2)(x))
    assert noise.min() >= 0 and noise.max() <= 1 and len(np.unique(noise)) > 10


@pytest.mark.parametrize("name", ("MixUp", "CutMix"))
def test_labels_are_mixed_like_images(name):
    labels = np.eye(4, dtype="float32")
    images = np.broadcast_to(labels[:, None, None], (4, 8, 8, 4))  # channel c is 1 in the image of class c
    out = getattr(L, name)(seed=5)({"images": images, "labels": labels})
    np.testing.assert_allclose(np.asarray(out["images"]).mean((1, 2)), out["labels"], atol=1e-6)
    assert not np.array_equal(out["labels"], labels)
    one = getattr(L, name)(seed=5)({"images": images[0], "labels": labels[0]})
    np.testing.assert_allclose(one["labels"], labels[0], atol=1e-6)


def test_masks_follow_the_pixels():
    masks = (IMAGES[..., :1] > 128).astype("int32")
    for layer in (L.RandomFlip(seed=2), L.RandomCrop(4, 5, seed=2), L.CutMix(seed=2),
                  L.RandomRotation(0.3, interpolation="nearest", seed=2), L.Resizing(3, 4, "nearest")):  # fmt: skip
        out = layer({"images": IMAGES, "segmentation_masks": masks, "labels": np.ones((6, 2), "float32")})
        np.testing.assert_array_equal(
            np.asarray(out["images"])[..., :1] > 128, np.asarray(out["segmentation_masks"]) == 1
        )
        assert out["segmentation_masks"].dtype == "int32" and out["labels"].shape == (6, 2)
    flat = L.RandomFlip(seed=2)({"images": IMAGES[0], "segmentation_masks": masks[0, ..., 0]})
    assert flat["segmentation_masks"].shape == (7, 9)


def test_spectrogram_shows_the_pitch():
    t = np.arange(4000) / 8000
    x = np.sin(2 * np.pi * 1000 * t).astype("float32")
    layer = L.STFTSpectrogram("log", 256, window="hann")
    loudest = np.asarray(layer(x[None, :, None]))[0].argmax(-1)
    assert set(loudest.tolist()) == {1000 * 256 // 8000}
    x = RNG.normal(size=20).astype("float32")
    angles = np.asarray(L.STFTSpectrogram("angle", 8, window=None)(x[None, :, None]))
    want = np.angle(np.fft.rfft(np.stack([x[i : i + 8] for i in range(0, 13, 4)])))
    np.testing.assert_allclose(np.exp(1j * angles[0]), np.exp(1j * want), atol=1e-3)


# -- what is refused ----------------------------------------------------------------------------

GRAY = np.zeros((2, 4, 4, 1), "float32")
REFUSED = [
    (lambda: L.Normalization(mean=1.0), ArgumentError, "mean and variance come together"),
    (lambda: L.Normalization(mean=[1.0], variance=[1.0, 2.0]), ShapeError, "the same shape"),
    (lambda: L.Normalization(axis=3)(X), ShapeError, "must have the axes"),
    (lambda: L.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(X), ShapeError, "must fit the axes"),
    (lambda: L.Normalization(mean=1.0, variance=1.0).adapt(X), ArgumentError, "something to learn"),
    (lambda: L.Normalization().adapt([X, X[:, :2]]), ShapeError, "data must have the sizes"),
    (lambda: L.Normalization().adapt(iter([])), ArgumentError, "at least one batch"),
    (lambda: L.Normalization().adapt(np.zeros((0, 3))), ArgumentError, "at least one"),
    (lambda: L.Normalization().adapt({"x": X}), DTypeError, "got a dict"),
    (lambda: L.Normalization().adapt(["a"]), DTypeError, "numbers are needed"),
    (lambda: L.Normalization().adapt(3), DTypeError, "adapt reads arrays"),
    (lambda: L.Discretization(), ArgumentError, "either bin_boundaries or num_bins"),
    (lambda: L.Discretization([1.0, 0.0]), ArgumentError, "must rise"),
    (lambda: L.Discretization(num_bins=3)(X), ArgumentError, "has seen no data"),
    (lambda: L.Discretization([1.0], output_mode="onehot"), ArgumentError, "did you mean 'one_hot'"),
    (lambda: L.CategoryEncoding(), ArgumentError, "num_tokens is needed"),
    (lambda: L.CategoryEncoding(3)([[3]]), RangeError, "category numbers"),
    (lambda: L.CategoryEncoding(3)([[-1]]), RangeError, "category numbers"),
    (lambda: L.CategoryEncoding(3, sparse=True), ArgumentError, "tensors are dense"),
    (lambda: L.CategoryEncoding(3)([[1]], count_weights=[[1.0]]), ArgumentError, "need output_mode='count'"),
    (lambda: L.Hashing(0), ArgumentError, "num_bins must be a positive int"),
    (lambda: L.Hashing(2, salt="a"), ArgumentError, "salt is an int"),
    (lambda: L.HashedCrossing(2)([[1]]), ArgumentError, "two or more"),
    (lambda: L.HashedCrossing(2)([[1, 2], [1]]), ShapeError, "the same shape"),
    (lambda: L.HashedCrossing(2)([[1.5], [2.5]]), DTypeError, "strings or integers"),
    (lambda: L.StringLookup(vocabulary=["a", "a"]), ArgumentError, "repeated are"),
    (lambda: L.StringLookup(vocabulary=[]), ArgumentError, "at least one token"),
    (lambda: L.StringLookup(vocabulary=["a", ""], mask_token=""), ArgumentError, "special tokens stand at the beginning"),
    (lambda: L.StringLookup(vocabulary=["a", "b"], max_tokens=2), ArgumentError, "at most max_tokens=2"),
    (lambda: L.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]), ArgumentError, r"not: \['b'\]"),
    (lambda: L.StringLookup(vocabulary=["a"]).adapt(["b"]), ArgumentError, "the vocabulary was given"),
    (lambda: L.StringLookup(vocabulary=["a"])(edl.constant([1])), DTypeError, "no tensor holds text"),
    (lambda: L.StringLookup(vocabulary=["a"])([1, 2]), DTypeError, "strings are needed"),
    (lambda: L.StringLookup().adapt("text"), DTypeError, "got one string"),
    (lambda: L.StringLookup(output_mode="count")(["a"]), ArgumentError, "needs a vocabulary"),
    (lambda: L.StringLookup(vocabulary="/no/such/file"), ArgumentError, "must be readable"),
    (lambda: L.StringLookup(vocabulary=["a"], output_mode="tf_idf"), ArgumentError, "idf_weights belong to"),
    (lambda: L.StringLookup(vocabulary=["a"], idf_weights=[1.0, 2.0], output_mode="tf_idf"), ShapeError, "as many"),
    (lambda: L.IntegerLookup(vocabulary=[1])(edl.constant([1.5])), DTypeError, "integers are needed"),
    (lambda: L.IntegerLookup(vocabulary=[1], salt=3), ArgumentError, "oov_method='farmhash'"),
    (lambda: L.IntegerLookup(max_tokens=1), ArgumentError, "above 1"),
    (lambda: L.TextVectorization(standardize="upper"), ArgumentError, "standardize is one of"),
    (lambda: L.TextVectorization(ngrams=0), ArgumentError, "ngrams is"),
    (lambda: L.TextVectorization(ragged=True), ArgumentError, "dense"),
    (lambda: L.TextVectorization(output_mode="count", output_sequence_length=2), ArgumentError, "belongs to"),
    (lambda: L.TextVectorization(vocabulary=["a"])([["a", "b"]]), ShapeError, r"\(batch, 1\)"),
    (lambda: L.TextVectorization(vocabulary=["a"])(edl.Input((1,))), DTypeError, "texts are no tensors"),
    (lambda: L.TextVectorization(vocabulary=["a"])(edl.constant([1])), DTypeError, "no tensor holds text"),
    (lambda: L.TextVectorization(split=lambda x: "ab", vocabulary=["a"])(["a"]), DTypeError, "list of lists"),
    (lambda: L.Resizing(0, 3), ArgumentError, "height must be a positive int"),
    (lambda: L.Resizing(3, 3, "bilinaer"), ArgumentError, "did you mean 'bilinear'"),
    (lambda: L.RandomFlip("horizontall"), ArgumentError, "did you mean 'horizontal'"),
    (lambda: L.RandomFlip()(X), ShapeError, "3 or 4 axes"),
    (lambda: L.RandomRotation(2.0), ArgumentError, "at most 1"),
    (lambda: L.RandomRotation((0.1, 0.2, 0.3)), ArgumentError, "a number or two"),
    (lambda: L.RandomRotation(0.1, fill_mode="zero"), ArgumentError, "fill_mode is one of"),
    (lambda: L.RandomZoom(-1.0), ArgumentError, "height_factor"),
    (lambda: L.RandomBrightness(0.1, value_range=(0, 0)), ArgumentError, "two different numbers"),
    (lambda: L.RandomHue(0.1)(GRAY), ShapeError, "3 channels"),
    (lambda: L.RandomPosterization(9), ArgumentError, "at most 8"),
    (lambda: L.RandomErasing(fill_value=(1, 2))(GRAY), ShapeError, "fill_value has one number"),
    (lambda: L.RandomGaussianBlur(kernel_size=2), ArgumentError, "odd int"),
    (lambda: L.MixUp()({"images": GRAY, "labels": np.array([1, 0])}), ShapeError, "one-hot"),
    (lambda: L.MixUp()({"images": GRAY, "segmentation_masks": GRAY}), ArgumentError, "masks of classes"),
    (lambda: L.RandomFlip()({"images": GRAY, "bounding_boxes": {}}), ArgumentError, "bounding boxes"),
    (lambda: L.RandomFlip()({"image": GRAY}), ArgumentError, "the key 'images'"),
    (lambda: L.RandAugment()({"images": IMAGES, "segmentation_masks": IMAGES}), ArgumentError, "masks cannot follow"),
    (lambda: L.RandAugment()(GRAY), ShapeError, "3 channels"),
    (lambda: L.MelSpectrogram(fft_length=8, sequence_length=16), ArgumentError, "must fit into"),
    (lambda: L.STFTSpectrogram("loud"), ArgumentError, "mode is one of"),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_what_cannot_be_is_refused(index):
    function, error, message = REFUSED[index]
    with pytest.raises(error, match=message):
        function()
