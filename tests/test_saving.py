"""Models as files: what comes back is the same to the bit, and what is damaged or hostile is refused without a trace."""

import errno
import json
import os
import pickle
import random
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import eagerdl as edl
from eagerdl import storage
from eagerdl.errors import ArgumentError, EagerdlError, ShapeError

X = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
Y = np.random.default_rng(1).normal(size=(12, 2)).astype("float32")


@edl.saving.register_keras_serializable("test_saving")
class Scale(edl.layers.Layer):
    """A layer of a user, with an attribute that `load_own_variables` sets."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.note = factor, None

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale * self.factor

    def load_own_variables(self, store):
        self.note = "loaded"
        super().load_own_variables(store)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@edl.saving.register_keras_serializable("test_saving")
class Parts(edl.Model):
    """A subclassed model with lists and dicts of layers, and keys of dicts that look alike."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [edl.layers.Dense(units, "relu"), [Scale(), edl.layers.Dropout(0.3)]]
        self.heads = {"a": {"b": edl.layers.Dense(2)}, "a/b": edl.layers.Dense(2)}

    def call(self, x, training=False):
        h = self.blocks[1][1](self.blocks[1][0](self.blocks[0](x)), training=training)
        return self.heads["a"]["b"](h) + self.heads["a/b"](h)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def sequential():
    return edl.Sequential([edl.Input((5,)), edl.layers.Dense(4, "relu"), edl.layers.BatchNormalization(), edl.layers.Dropout(0.4),
                           edl.layers.Dense(2, kernel_regularizer="l2")])  # fmt: skip


def lazy_sequential():
    return edl.Sequential([edl.layers.Dense(4, "tanh"), edl.layers.GaussianNoise(0.1), edl.layers.Dense(2)])


def functional():
    x = edl.Input((5,), name="x")
    shared = edl.layers.Dense(5, "tanh", name="shared")
    inner_in = edl.Input((5,))
    inner = edl.Model(inner_in, edl.layers.Dense(3)(inner_in[:, ::-1]), name="inner")
    h = shared(shared(x)) + 0.5 * x
    out = edl.layers.Concatenate()([inner(h), inner(x), h[:, 1:3], edl.ops.mean(x, axis=1, keepdims=True)])
    return edl.Model(x, edl.layers.Dense(2, name="last")(edl.layers.Dropout(0.2)(out)))


MODELS = {"sequential": sequential, "lazy": lazy_sequential, "functional": functional, "subclass": Parts}
OPTIMIZERS = {
    "adam with schedule, averages, accumulation": lambda: edl.optimizers.Adam(
        edl.optimizers.schedules.ExponentialDecay(0.01, 2, 0.9), use_ema=True, ema_momentum=0.9, gradient_accumulation_steps=2),
    "sgd": lambda: edl.optimizers.SGD(0.01, momentum=0.9, nesterov=True, clipnorm=1.0),
    "loss scale": lambda: edl.optimizers.LossScaleOptimizer(edl.optimizers.RMSprop(0.01), dynamic_growth_steps=2),
}  # fmt: skip


def same(a, b):
    """The variables of two models, and of their optimizers, are equal to the bit."""
    mine, theirs = list(a.variables), list(b.variables)
    if getattr(a, "optimizer", None) is not None:
        mine, theirs = mine + list(a.optimizer.variables), theirs + list(b.optimizer.variables)
    assert len(mine) == len(theirs)
    for v, w in zip(mine, theirs):
        assert v.dtype == w.dtype and np.array_equal(v.numpy(), w.numpy()), v.path


def values(model):
    return [v.numpy() for v in model.variables]


def unchanged(model, before):
    return all(np.array_equal(a, b) for a, b in zip(before, values(model), strict=True))


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_training_goes_on_after_loading_as_if_nothing_had_been(make, optimizer, tmp_path):
    model = make()
    model.compile(optimizer(), "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False)
    model.save(tmp_path / "m.keras")
    again = edl.models.load_model(tmp_path / "m.keras")
    same(model, again)
    assert type(again) is type(model)
    one = model.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False)
    two = again.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False)
    assert one.history == two.history
    same(model, again)
    assert np.array_equal(model.predict(X, verbose=0), again.predict(X, verbose=0))
    assert os.listdir(tmp_path) == ["m.keras"]


def test_several_inputs_and_outputs(tmp_path):
    a, b = edl.Input((3,), name="a"), edl.Input((4,), dtype="int32", name="b")
    h = edl.layers.Flatten()(edl.layers.Embedding(9, 2)(b))
    out = {"p": edl.layers.Dense(2, name="p")(edl.layers.Concatenate()([a, h])), "q": [h[:, :2], a]}
    model = edl.Model({"a": a, "b": b}, out)
    given = {"a": X[:, :3], "b": np.arange(48).reshape(12, 4) % 9}
    model.save(tmp_path / "m.keras")
    want, got = model(given), edl.models.load_model(tmp_path / "m.keras")(given)
    assert (
        np.array_equal(want["p"], got["p"])
        and np.array_equal(want["q"][0], got["q"][0])
        and np.array_equal(want["q"][1], X[:, :3])
    )


def test_subclass_that_takes_integers_and_builds_at_its_first_call(tmp_path):
    @edl.saving.register_keras_serializable("test_saving")
    class Words(edl.Model):
        def __init__(self):
            super().__init__()
            self.embedding, self.out = edl.layers.Embedding(10, 3), edl.layers.Dense(2)

        def call(self, x):
            return self.out(self.embedding(x["words"])[:, -1]) + x["bias"]

    model = Words()
    given = {"words": np.array([[1, 2], [3, 4]]), "bias": np.ones((2, 2), "float32")}
    want = model(given)
    model.save(tmp_path / "m.keras")
    assert np.array_equal(edl.models.load_model(tmp_path / "m.keras")(given), want)


def test_layers_that_were_frozen_after_the_first_steps(tmp_path):
    model = sequential()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    model.save(tmp_path / "m.keras")
    again = edl.models.load_model(tmp_path / "m.keras")
    same(model, again)
    assert [v.trainable for v in again.variables] == [v.trainable for v in model.variables]
    one, two = [m.fit(X, Y, verbose=0, shuffle=False) for m in (model, again)]
    assert one.history == two.history
    same(model, again)


def test_without_optimizer_and_without_compiling(tmp_path):
    model = sequential()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "a.keras", include_optimizer=False)
    assert not edl.models.load_model(tmp_path / "a.keras").compiled
    model.save(tmp_path / "b.keras")
    assert edl.models.load_model(tmp_path / "b.keras", compile=False).optimizer is None


def test_what_preprocessing_learnt_travels(tmp_path):
    norm, bins = edl.layers.Normalization(), edl.layers.Discretization(num_bins=3)
    norm.adapt(X)
    bins.adapt(X)
    model = edl.Sequential([edl.Input((5,)), norm, bins])
    model.save(tmp_path / "m.keras")
    assert np.array_equal(edl.models.load_model(tmp_path / "m.keras")(X), model(X))


def test_random_streams_go_on(tmp_path):
    class Noisy(edl.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.generator, self.seeds = edl.random.Generator(3), edl.random.SeedGenerator(4)

        def call(self, x):
            return x + self.generator.normal(x.shape) + edl.random.normal(x.shape, seed=self.seeds)

    model = edl.Sequential([edl.Input((5,)), Noisy()])
    model(X)
    model.save(tmp_path / "m.keras")
    again = edl.models.load_model(tmp_path / "m.keras", custom_objects={"Noisy": Noisy})
    assert np.array_equal(model(X), again(X)) and np.array_equal(model(X), again(X))


# -- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_weights_move_between_models_of_the_same_code(make, tmp_path):
    a, b = make(), make()
    a(X), b(X)
    a.save_weights(tmp_path / "w.weights.safetensors")
    a.save(tmp_path / "m.keras")
    b.load_weights(tmp_path / "w.weights.safetensors")
    same(a, b)
    c = make()
    c(X)
    c.load_weights(tmp_path / "m.keras")
    same(a, c)


def mlp(*units, names=True):
    return edl.Sequential(
        [edl.Input((5,)), *[edl.layers.Dense(n, name=f"d{i}" if names else None) for i, n in enumerate(units)]]
    )


@pytest.mark.parametrize("other", [(4, 3), (4, 2, 2), (4,), (3, 2)], ids=str)
def test_weights_of_another_structure_leave_the_model_as_it_was(other, tmp_path):
    path = tmp_path / "w.weights.safetensors"
    mlp(*other).save_weights(path)
    model = mlp(4, 2)
    before = values(model)
    with pytest.raises(ShapeError, match=r"skip_mismatch=True"):
        model.load_weights(path)
    assert unchanged(model, before)


def test_layers_that_do_not_fit_are_skipped_whole(tmp_path):
    path, source, model = tmp_path / "w.weights.safetensors", mlp(4, 3), mlp(4, 2)
    source.layers[1].bias = edl.Variable(np.ones(2, "float32"))  # fits, but its kernel does not
    source.save_weights(path)
    before = values(model)
    with pytest.warns(UserWarning, match=r"skipped layers that do not fit: dense_1"):
        model.load_weights(path, skip_mismatch=True)
    assert np.array_equal(model.layers[0].kernel, source.layers[0].kernel)
    assert all(np.array_equal(a, b) for a, b in zip(before[2:], values(model)[2:]))


def test_attributes_are_put_back_too(tmp_path):
    path = tmp_path / "w.weights.safetensors"
    edl.Sequential([edl.Input((5,)), Scale(), edl.layers.Dense(3)]).save_weights(path)
    model = edl.Sequential([edl.Input((5,)), Scale(), edl.layers.Dense(2)])
    with pytest.raises(ShapeError):
        model.load_weights(path)
    assert model.layers[0].note is None


def test_loading_by_name(tmp_path):
    path, source = tmp_path / "w.weights.safetensors", mlp(4, 3, 2)
    source.save_weights(path)
    model = edl.Sequential([edl.Input((5,)), edl.layers.Dense(4, name="new"), edl.layers.Dense(3, name="d1")])
    before = values(model)
    model.load_weights(path, by_name=True)
    assert unchanged(model, [*before[:2], *[v.numpy() for v in source.layers[1].weights]])
    nested = edl.Sequential(
        [edl.Input((5,)), mlp(5, 5), edl.Sequential([edl.Input((5,)), edl.layers.Dense(5, name="d0")], name="two")]
    )
    with pytest.raises(ArgumentError, match=r"several are named 'd0'"):
        nested.load_weights(path, by_name=True)


def test_dtypes_that_would_lose_something_are_refused(tmp_path):
    path, model = tmp_path / "w.weights.safetensors", mlp(2)
    storage.write_archive(path, "weights", {"weights.safetensors": {
        "dense/vars/0": np.ones((5, 2), "complex64"), "dense/vars/1": np.zeros(2, "float32")}})  # fmt: skip
    before = values(model)
    with pytest.raises(ShapeError, match=r"holds float32; the file has complex64"):
        model.load_weights(path)
    assert unchanged(model, before)


def test_weights_of_a_model_that_is_not_built(tmp_path):
    path, model = tmp_path / "w.weights.safetensors", lazy_sequential()
    model(X)
    model.save_weights(path)
    with pytest.raises(ShapeError, match=r"not built: call it on data first"):
        lazy_sequential().load_weights(path)


# -- names and places ---------------------------------------------------------------------------


def test_names_and_overwriting(tmp_path):
    model = mlp(2)
    for call, match in [
        (lambda: model.save(tmp_path / "m.pkl"), r"ends in \.keras"),
        (lambda: model.save_weights(tmp_path / "m.keras"), r"ends in \.weights\.safetensors"),
        (lambda: model.save(tmp_path / "m.keras", zipped=False), r"one zipped file"),
        (lambda: model.save_weights(tmp_path / "w.weights.safetensors", max_shard_size=1), r"one file"),
        (lambda: edl.models.load_model(tmp_path / "none.keras"), r"there is no file"),
        (lambda: edl.models.load_model(tmp_path), r"there is no file"),
        (lambda: model.load_weights(tmp_path / "x", nothing=1), r"got nothing"),
    ]:
        with pytest.raises(ArgumentError, match=match):
            call()
    assert not list(tmp_path.iterdir())
    model.save(tmp_path / "deep" / "m.keras")
    with pytest.raises(ArgumentError, match=r"overwrite=False"):
        model.save(tmp_path / "deep" / "m.keras", overwrite=False)


def test_links_stay_links_and_modes_are_those_of_new_files(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.keras").symlink_to(tmp_path / "real" / "m.keras")
    mlp(2).save(tmp_path / "link.keras")
    assert (tmp_path / "link.keras").is_symlink()
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "real" / "m.keras").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_long_names(tmp_path):
    path = tmp_path / ("m" * 249 + ".keras")
    mlp(2).save(path)
    assert edl.models.load_model(path).count_params() == 12


class Full:
    """A file on a disk that is full after so many bytes."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._file.close()


@pytest.mark.parametrize("room", [0, 10, 1000, 2000, 100_000])
@pytest.mark.parametrize("how", ["save", "save_weights"])
def test_a_full_disk_leaves_the_old_file(how, room, tmp_path, monkeypatch):
    path = tmp_path / ("m.keras" if how == "save" else "m.weights.safetensors")
    getattr(mlp(2), how)(path)
    before = path.read_bytes()
    monkeypatch.setattr(storage, "open", lambda *args: Full(open(*args), room), raising=False)
    with pytest.raises(OSError, match=r"must be writable; No space left on device.*as it was") as caught:
        getattr(mlp(300, 300), how)(path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failures_at_the_end_leave_the_old_file(call, tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    mlp(2).save(path)
    before = path.read_bytes()

    def refuse(*args):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="broken"):
        mlp(3).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


def test_folders_that_may_not_be_written(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, whom nothing is forbidden
    with pytest.raises(PermissionError, match=r"\[save_model\] '.*m\.keras' must be writable; Permission denied"):
        mlp(2).save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_a_model_without_config_leaves_no_file(tmp_path):
    model = edl.Sequential([edl.Input((5,)), edl.layers.Lambda(lambda x: x)])
    with pytest.raises(EagerdlError, match=r"lambda"):
        model.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


# -- damaged files ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A compiled model, and the bytes of its file."""
    path = tmp_path_factory.mktemp("whole") / "m.keras"
    model = mlp(3, 2)
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(path)
    return model, path.read_bytes()


def test_truncated_files(whole, tmp_path):
    _, data = whole
    path, target = tmp_path / "m.keras", mlp(3, 2)
    before = values(target)
    for length in [0, 1, 3, 4, 10, len(data) - 1, *range(0, len(data), max(1, len(data) // 60))]:
        path.write_bytes(data[:length])
        with pytest.raises(ArgumentError, match=r"m\.keras"):
            edl.models.load_model(path)
        with pytest.raises(ArgumentError, match=r"m\.keras"):
            target.load_weights(path)
    assert unchanged(target, before)


def test_flipped_bits_are_noticed_or_do_not_matter(whole, tmp_path):
    model, data = whole
    path, rng, noticed = tmp_path / "m.keras", random.Random(7), 0
    for _ in range(400):
        place = rng.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :])
        try:
            again = edl.models.load_model(path)
        except ArgumentError:
            noticed += 1
        else:  # a date in the zip file's directory, for example
            same(model, again)
    assert noticed > 300


def test_every_byte_of_the_weights_is_checked(whole, tmp_path):
    model, data = whole
    path = tmp_path / "m.keras"
    kernel = model.layers[0].kernel.numpy().tobytes()
    start = data.index(kernel)
    for place in range(start, start + len(kernel)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
        with pytest.raises(ArgumentError, match=r"CRC|undamaged"):
            edl.models.load_model(path)


def test_bytes_in_the_middle_replaced_by_noise(whole, tmp_path):
    model, data = whole
    path, rng = tmp_path / "m.keras", random.Random(3)
    for _ in range(100):
        begin = rng.randrange(len(data) - 64)
        path.write_bytes(data[:begin] + rng.randbytes(64) + data[begin + 64 :])
        try:
            again = edl.models.load_model(path)
        except ArgumentError:
            continue
        same(model, again)


# -- files of others ----------------------------------------------------------------------------

GOOD = {"format": "eagerdl model", "version": 1}


def forged(path, members, compression=zipfile.ZIP_STORED):
    """Writes a zip file of names and bytes, or JSON values."""
    with zipfile.ZipFile(path, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile says it when a name comes twice
        for name, value in members:
            archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path


def tensors(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


CONFIG = edl.saving.serialize_keras_object(edl.Sequential([edl.Input((1,)), edl.layers.Dense(1)]))
EMPTY = tensors({})
ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def dense(**arrays):
    return tensors({f"dense/vars/{name[1:]}": part for name, part in arrays.items()}, bytes(8))


class Boom:
    def __reduce__(self):
        return os._exit, (3,)


HOSTILE = {
    "zip of something else": ([("photo.txt", b"hello")], r"zip file of something else"),
    "metadata is a list": ([("metadata.json", [1])], r"a model of eagerdl is needed"),
    "of weights": ([("metadata.json", {"format": "eagerdl weights", "version": 1})], r"says 'eagerdl weights'"),
    "too new": ([("metadata.json", {"format": "eagerdl model", "version": 2})], r"version 2; update eagerdl"),
    "version is text": ([("metadata.json", {"format": "eagerdl model", "version": "1"})], r"format version 1"),
    "nothing in it": ([("metadata.json", GOOD)], r"lacks config\.json, weights\.safetensors"),
    "no weights": ([("metadata.json", GOOD), ("config.json", CONFIG)], r"lacks weights\.safetensors"),
    "names twice": ([("metadata.json", GOOD), ("config.json", {}), ("config.json", CONFIG), ("weights.safetensors", EMPTY)], r"twice"),
    "no JSON": ([("metadata.json", b"{")], r"cannot be read"),
    "deep JSON": ([("metadata.json", b"[" * 200_000)], r"cannot be read"),
    "deep config": ([("metadata.json", GOOD), ("config.json", b'{"a":' * 900 + b"1" + b"}" * 900), ("weights.safetensors", EMPTY)],
                    r"config|read"),
    "config is a list": ([("metadata.json", GOOD), ("config.json", [1]), ("weights.safetensors", EMPTY)], r"describes no model"),
    "config of a loss": ([("metadata.json", GOOD), ("weights.safetensors", EMPTY), ("config.json", {
        "module": "keras.losses", "class_name": "MeanSquaredError", "config": {}, "registered_name": None})], r"MeanSquaredError"),
    "config without layers": ([("metadata.json", GOOD), ("weights.safetensors", EMPTY), ("config.json", {
        "module": "keras", "class_name": "Sequential", "config": {}, "registered_name": None})], r"config"),
    "function of Python": ([("metadata.json", GOOD), ("weights.safetensors", EMPTY), ("config.json", {
        "module": "os", "class_name": "function", "config": "system", "registered_name": "system"})], r"'system' of os is not"),
    "class of Python": ([("metadata.json", GOOD), ("weights.safetensors", EMPTY), ("config.json", {
        "module": "subprocess", "class_name": "Popen", "config": {"args": "true"}, "registered_name": None})], r"'Popen' of subprocess"),
    "lambda": ([("metadata.json", GOOD), ("weights.safetensors", EMPTY), ("config.json", {
        "module": "keras.layers", "class_name": "Lambda", "registered_name": None, "config": {"name": "x", "function": {
            "class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}}})], r"code in a config is not executed"),
    "pickle as weights": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", pickle.dumps(Boom()))], r"read|header"),
    "empty weights": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", b"")], r"read|header|undamaged"),
    "no arrays": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", EMPTY)], r"must fit"),
    "huge header": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", b"\xff" * 16)], r"cannot be read"),
    "huge shape": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(
        _0={**ONE, "shape": [1 << 40]}))], r"cannot be read"),
    "huge place": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(
        _0={**ONE, "shape": [1 << 40], "data_offsets": [0, 1 << 42]}))], r"cannot be read"),
    "overlap": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(_0=ONE, _1=ONE))], r"cannot be read"),
    "negative": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(
        _0={**ONE, "shape": [-1, -1]}))], r"cannot be read"),
    "many axes": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(
        _0={**ONE, "shape": [1] * 300}))], r"cannot be read"),
    "rest": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(_0=ONE))], r"cannot be read"),
    "unknown dtype": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(
        _0={**ONE, "dtype": "OBJECT"}))], r"cannot be read"),
    "no places": ([("metadata.json", GOOD), ("config.json", CONFIG), ("weights.safetensors", dense(_0={}))], r"cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("members", "match"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_get_a_clear_error(members, match, tmp_path):
    path = forged(tmp_path / "m.keras", members)
    for safe_mode in (True, False):
        with pytest.raises(EagerdlError, match=match):
            edl.models.load_model(path, safe_mode=safe_mode)
    assert os.listdir(tmp_path) == ["m.keras"]


def test_names_that_lead_out_of_the_folder_are_passed_over(whole, tmp_path):
    model, data = whole
    path = tmp_path / "folder" / "m.keras"
    path.parent.mkdir()
    path.write_bytes(data)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil.json", "{}")
        archive.writestr("/tmp/evil.safetensors", pickle.dumps(Boom()))
    same(model, edl.models.load_model(path))
    assert os.listdir(tmp_path) == ["folder"] and os.listdir(path.parent) == ["m.keras"]


def test_zip_bombs_are_not_inflated(tmp_path):
    path = forged(tmp_path / "m.keras", [("metadata.json", b" " * 50_000_000 + b"{}")], zipfile.ZIP_DEFLATED)
    with pytest.raises(ArgumentError, match=r"metadata\.json is compressed"):
        edl.models.load_model(path)


def test_files_of_keras_say_how_to_move(tmp_path):
    path = forged(tmp_path / "m.keras", [("metadata.json", {"keras_version": "3.15.0", "date_saved": "now"}), ("config.json", {}),
                                         ("model.weights.h5", b"")])  # fmt: skip
    with pytest.raises(ArgumentError, match=r"file of Keras 3\.15\.0; in Keras, write model\.to_json.*set_weights"):
        edl.models.load_model(path)
    path = tmp_path / "w.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ArgumentError, match=r"file of HDF5; in Keras"):
        mlp(2).load_weights(path)


def test_classes_that_are_not_registered(tmp_path):
    class Mine(edl.layers.Layer):
        def call(self, x):
            return x

    edl.Sequential([edl.Input((5,)), Mine()]).save(tmp_path / "m.keras")
    with pytest.raises(ArgumentError, match=r"'Mine'.*register_keras_serializable.*custom_objects=\{'Mine'"):
        edl.models.load_model(tmp_path / "m.keras")
    assert isinstance(edl.models.load_model(tmp_path / "m.keras", {"Mine": Mine}).layers[0], Mine)


# -- arrays -------------------------------------------------------------------------------------

ARRAYS = {
    "b": np.array([True, False]), "scalar": np.float64(1.5), "empty": np.zeros((0, 3), "int8"), "strided": X.T[::2],
    "fortran": np.asfortranarray(X), "bf16": np.ones(3, "float32").astype(edl.bfloat16.numpy_dtype if hasattr(edl.bfloat16, "numpy_dtype")
                                                                       else "bfloat16"),
    "big endian": np.arange(3, dtype=">f4"), "c64": np.array([1 + 2j], "complex64"), "c128": np.array(1 + 2j),
    "c128 axes": (np.arange(6.0) * 1j).reshape(2, 3), "u64": np.array([2**64 - 1], "uint64"),
}  # fmt: skip


def test_arrays_of_all_kinds_come_back(tmp_path):
    storage.write_archive(tmp_path / "a", "test", {"arrays.safetensors": ARRAYS})
    found = storage.read_archive(tmp_path / "a", "test", needed=["arrays.safetensors"])["arrays.safetensors"]
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].shape == np.shape(array) and found[name].dtype == np.asarray(array).dtype.newbyteorder(
            "="
        ), name
        assert np.array_equal(found[name], array) and found[name].flags.writeable, name


def test_arrays_are_what_safetensors_reads_and_writes(tmp_path):
    storage.write_archive(tmp_path / "a", "test", {"arrays.safetensors": {"x": X, "y": np.arange(3, dtype="int16")}})
    with zipfile.ZipFile(tmp_path / "a") as archive:
        found = safetensors.numpy.load(archive.read("arrays.safetensors"))
    assert np.array_equal(found["x"], X) and np.array_equal(found["y"], np.arange(3))
    data = safetensors.numpy.save({"x": X, "y": np.arange(3, dtype="int16")}, metadata={"made by": "safetensors"})
    path = forged(
        tmp_path / "b", [("metadata.json", {"format": "eagerdl test", "version": 1}), ("arrays.safetensors", data)]
    )
    found = storage.read_archive(path, "test", needed=["arrays.safetensors"])["arrays.safetensors"]
    assert np.array_equal(found["x"], X) and np.array_equal(found["y"], np.arange(3))


def test_arrays_of_objects_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"'x' is object"):
        storage.write_archive(tmp_path / "a", "test", {"arrays.safetensors": {"x": np.array([{}])}})
    assert not list(tmp_path.iterdir())


def test_equal_models_give_equal_files(whole, tmp_path):
    model, data = whole
    model.save(tmp_path / "m.keras")
    assert (tmp_path / "m.keras").read_bytes() == data


def test_saving_needs_few_copies(tmp_path):
    model = edl.Sequential([edl.Input((1000,)), edl.layers.Dense(2000), edl.layers.Dense(1000)])
    size = sum(v.numpy().nbytes for v in model.variables)
    for call, most in [
        (lambda: model.save(tmp_path / "m.keras"), 2.2),
        (lambda: edl.models.load_model(tmp_path / "m.keras"), 4.2),
    ]:
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * size
