"""Images, and data sets of folders of images, texts and sounds."""

import io
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

import eagerdl as edl
from eagerdl import utils
from eagerdl.errors import ArgumentError, DTypeError, PackageError, RangeError, ShapeError

# -- images -------------------------------------------------------------------------------------

PIXELS = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_images_and_arrays_are_inverse(channels, mode, data_format):
    x = PIXELS[:, :, :channels]
    given = x if data_format == "channels_last" else x.transpose(2, 0, 1)
    for value in (given, edl.constant(given)):
        img = utils.array_to_img(value, data_format, scale=False)
        assert img.mode == mode and img.size == (7, 5)
        back = utils.img_to_array(img, data_format)
        assert back.dtype == np.float32 and np.array_equal(back, given)
    assert utils.img_to_array(img, dtype="uint8").dtype == np.uint8


def test_scaling_stretches_to_the_whole_range():
    x = utils.img_to_array(utils.array_to_img(np.array([-1.0, 0.0, 1.0]).reshape(1, 3, 1)))
    assert x.ravel().tolist() == [0.0, 127.0, 255.0]
    assert not utils.img_to_array(utils.array_to_img(np.full((2, 2, 3), 7.0))).any()


def test_bright_grayscale_has_32_bits():
    img = utils.array_to_img(np.array([0, 70000]).reshape(1, 2, 1), scale=False)
    assert img.mode == "I" and utils.img_to_array(img).ravel().tolist() == [0.0, 70000.0]


@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda: utils.array_to_img(np.zeros((2, 2))), ShapeError, r"got shape \(2, 2\)"), (lambda: utils.array_to_img(np.zeros((2, 2, 2))), ShapeError, "channels"),
    (lambda: utils.array_to_img(np.full((1, 1, 3), 300.0), scale=False), RangeError, "from 300.0 to 300.0; pass scale=True"),
    (lambda: utils.array_to_img(np.full((1, 1, 1), np.nan), scale=False), RangeError, "nan"),
    (lambda: utils.img_to_array(np.zeros(3)), ShapeError, r"got shape \(3,\)"), (lambda: utils.load_img("x", color_mode="hsv"), ArgumentError, "color_mode is one of"),
    (lambda: utils.load_img("x", interpolation="cubic"), ArgumentError, "got 'cubic'"), (lambda: utils.load_img(3), DTypeError, "got int"),
    (lambda: utils.load_img(io.BytesIO(b"no image")), ArgumentError, "an image that Pillow can read"),
    (lambda: utils.load_img("/nowhere/x.png"), FileNotFoundError, "nowhere"),
])  # fmt: skip
def test_images_that_do_not_fit(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("mode", ["grayscale", "rgb", "rgba"])
def test_images_are_saved_and_loaded(mode, tmp_path):
    path = tmp_path / "image.png"
    utils.save_img(path, PIXELS, scale=False)
    img = utils.load_img(path, mode)
    wanted = Image.fromarray(PIXELS).convert({"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}[mode])
    assert np.array_equal(np.asarray(img), np.asarray(wanted))
    assert utils.load_img(str(path), mode, target_size=(3, 2)).size == (2, 3)


def test_jpeg_has_no_transparency(tmp_path):
    with pytest.warns(UserWarning, match="JPEG has no transparency"):
        utils.save_img(tmp_path / "image.jpg", PIXELS)
    assert utils.load_img(tmp_path / "image.jpg", "rgba").mode == "RGBA"
    file = io.BytesIO()
    utils.save_img(file, PIXELS[..., :3], file_format="JPG", quality=50)
    assert utils.load_img(file).size == (7, 5)


def test_aspect_ratios_are_kept_by_cutting_the_middle_out():
    x = np.zeros((4, 8, 1))
    x[:, 2:6] = 255.0
    file = io.BytesIO()
    utils.save_img(file, x, file_format="png")
    kept = utils.load_img(file, "grayscale", (2, 2), "box", keep_aspect_ratio=True)
    assert np.asarray(kept).tolist() == [[255, 255], [255, 255]]
    assert np.asarray(utils.load_img(file, "grayscale", (2, 2), "box")).tolist() == [[128, 128], [128, 128]]


def test_without_pillow_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    for call in (lambda: utils.array_to_img(np.zeros((1, 1, 1))), lambda: utils.load_img("x")):
        with pytest.raises(PackageError, match=r"pip install 'eagerdl\[images\]'"):
            call()


def rows(dataset):
    return list(dataset.as_numpy_iterator())


# -- folders ------------------------------------------------------------------------------------


@pytest.fixture
def texts(tmp_path):
    """Two classes of texts, with a folder in a folder, and things to pass over."""
    folder = tmp_path / "texts"
    for name, count in (("b", 3), ("a", 5)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.txt").write_text(f"{name}{number}", encoding="utf-8")
    (folder / "a" / "deep").mkdir()
    (folder / "a" / "deep" / "5.TXT").write_text("a5")
    (folder / "a" / "other.md").write_text("no text")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "0.txt").write_text("hidden")
    return folder


ALL = ["a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2"]


def read_texts(folder, **options):
    dataset = utils.text_dataset_from_directory(
        folder, **{"verbose": False, "shuffle": False, "batch_size": None, **options}
    )
    return dataset, rows(dataset)


def test_folders_are_classes(texts, capsys):
    dataset, found = read_texts(texts, verbose=True)
    assert capsys.readouterr().out == "Found 9 files belonging to 2 classes.\n"
    assert found == [(text, int(text[0] == "b")) for text in ALL] and dataset.class_names == ["a", "b"]
    assert [pathlib.Path(path).read_text() for path in dataset.file_paths] == ALL
    assert read_texts(texts, class_names=["b", "a"])[1] == [(t, int(t[0] == "a")) for t in ALL[6:] + ALL[:6]]
    assert read_texts(texts, class_names=["b"])[1] == [(text, 0) for text in ALL[6:]]
    assert read_texts(texts, max_length=1)[1][0][0] == "a"


def test_labels_may_be_given_or_left_out(texts):
    everything = ["hidden", *ALL]
    for options in ({"labels": None}, {"label_mode": None, "labels": None}):
        dataset, found = read_texts(texts, **options)
        assert found == everything and dataset.class_names is None
    assert read_texts(texts, label_mode=None, labels="inferred")[1] == everything
    dataset, found = read_texts(texts, labels=list(range(10, 20)))
    assert found == list(zip(everything, range(10, 20))) and dataset.class_names == [str(n) for n in range(10, 20)]


@pytest.mark.parametrize(("mode", "shape", "dtype", "last"), [
    ("int", (), "int32", 1), ("binary", (1,), "float32", [1.0]), ("categorical", (2,), "float32", [0.0, 1.0]),
])  # fmt: skip
def test_label_modes(texts, mode, shape, dtype, last):
    _, found = read_texts(texts, label_mode=mode)
    assert {(np.shape(y), np.asarray(y).dtype.name) for _, y in found} == {(shape, dtype)} and np.array_equal(
        found[-1][1], last
    )
    ((batch, labels), *rest) = rows(
        utils.text_dataset_from_directory(texts, label_mode=mode, batch_size=4, verbose=False)
    )
    assert batch.shape == (4,) and labels.shape == (4, *shape) and [len(t) for t, _ in rest] == [4, 1]


def test_subsets_share_no_file_and_are_those_of_keras(texts, capsys):
    options = {"validation_split": 0.3, "seed": 7, "shuffle": True}
    (training, first), (validation, second) = (
        read_texts(texts, subset=subset, **options) for subset in ("training", "validation")
    )
    assert sorted(first + second) == sorted((text, int(text[0] == "b")) for text in ALL) and len(second) == 2
    order = np.random.RandomState(7).permutation(9)
    assert [pathlib.Path(path).read_text() for path in training.file_paths + validation.file_paths] == [
        ALL[place] for place in order
    ]
    both = utils.text_dataset_from_directory(texts, subset="both", **options, batch_size=None)
    assert sorted(rows(both[0])) == sorted(first) and rows(both[1]) == rows(both[1])
    assert capsys.readouterr().out.splitlines()[1:] == ["Using 7 files for training.", "Using 2 files for validation."]


def test_the_order_is_new_each_time_and_the_same_for_a_seed(texts):
    options = {"shuffle": True, "seed": 3}
    dataset, first = read_texts(texts, **options)
    second = rows(dataset)
    assert sorted(first) == sorted(second) and first != second
    again, found = read_texts(texts, **options)
    assert (found, rows(again)) == (first, second)
    utils.set_random_seed(1)
    one = read_texts(texts, shuffle=True)[1]
    utils.set_random_seed(1)
    assert read_texts(texts, shuffle=True)[1] == one


@pytest.mark.parametrize(("options", "error", "match"), [
    ({"labels": "given"}, DTypeError, "labels are 'inferred', None, or a list of ints; got 'given'"), ({"labels": [1]}, ShapeError, "1 labels, 10 files"),
    ({"label_mode": "float"}, ArgumentError, "label_mode is one of 'int', 'binary', 'categorical', None; got 'float'"),
    ({"class_names": ["c"]}, ArgumentError, r"'c' is none; there are \['a', 'b'\]"), ({"class_names": ["a"], "labels": None}, ArgumentError, "class_names need"),
    ({"class_names": ["a"], "label_mode": "binary"}, ArgumentError, "needs two classes; there are 1"),
    ({"labels": [5] * 10, "label_mode": "categorical"}, ArgumentError, "needs labels from 0 to 0; they reach from 5 to 5"),
    ({"validation_split": 1.5, "subset": "both"}, ArgumentError, "between 0 and 1; got 1.5"), ({"subset": "both"}, ArgumentError, "go together"),
    ({"validation_split": 0.5}, ArgumentError, "go together"), ({"validation_split": 0.5, "subset": "test"}, ArgumentError, "subset is one of"),
    ({"validation_split": 0.5, "subset": "training"}, ArgumentError, "the two parts must not overlap"),
    ({"validation_split": 0.01, "subset": "both", "seed": 1}, ArgumentError, "the validation part needs files; it is 0 of 9"),
    ({"batch_size": 0}, ArgumentError, "batch_size is positive"), ({"format": "grain"}, ArgumentError, "the interface of tf.data"),
])  # fmt: skip
def test_folders_refuse(texts, options, error, match):
    with pytest.raises(error, match=match):
        utils.text_dataset_from_directory(texts, verbose=False, **options)


def test_folders_that_are_empty_missing_or_unreadable(texts, tmp_path):
    with pytest.raises(ArgumentError, match="the folder must exist"):
        utils.text_dataset_from_directory(tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match=r"there must be files that end in .txt"):
        utils.text_dataset_from_directory(texts / "a" / "deep")
    (texts / "a" / "0.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ArgumentError, match=r"texts are UTF-8; .*0.txt"):
        read_texts(texts)


def test_images_of_folders(tmp_path):
    colours = {"blue": (0, 0, 250), "red": (200, 0, 0)}
    for name, colour in colours.items():
        (tmp_path / name).mkdir()
        for number, size in enumerate([(6, 8), (9, 5)]):
            Image.fromarray(np.full((*size, 3), colour, np.uint8)).save(tmp_path / name / f"{number}.png")
    options = {"image_size": (4, 3), "verbose": False, "shuffle": False}
    ((images, labels),) = rows(utils.image_dataset_from_directory(tmp_path, **options))
    assert images.shape == (4, 4, 3, 3) and images.dtype == np.float32 and labels.tolist() == [0, 0, 1, 1]
    assert np.allclose(images[labels == 0], colours["blue"]) and np.allclose(images[labels == 1], colours["red"])
    for mode, channels in (("grayscale", 1), ("rgba", 4)):
        assert utils.image_dataset_from_directory(tmp_path, color_mode=mode, **options).element_spec[0].shape == (
            None,
            4,
            3,
            channels,
        )
    (first, *_) = rows(
        utils.image_dataset_from_directory(tmp_path, None, data_format="channels_first", batch_size=None, **options)
    )
    assert first.shape == (3, 4, 3)
    padded = rows(utils.image_dataset_from_directory(tmp_path, None, pad_to_aspect_ratio=True, **options))[0]
    cut = rows(utils.image_dataset_from_directory(tmp_path, None, crop_to_aspect_ratio=True, **options))[0]
    assert np.isclose(padded, 0).all(axis=(2, 3)).any() and np.allclose(cut[0], colours["blue"])
    resized = rows(
        utils.image_dataset_from_directory(tmp_path, None, interpolation="nearest", **{**options, "image_size": 2})
    )[0]
    assert resized.shape == (4, 2, 2, 3)


def test_image_pixels_are_those_of_resize(tmp_path):
    (tmp_path / "x").mkdir()
    Image.fromarray(PIXELS[..., :3]).save(tmp_path / "x" / "0.png")
    (image,) = rows(
        utils.image_dataset_from_directory(tmp_path, None, batch_size=None, image_size=(3, 4), verbose=False)
    )
    assert np.array_equal(image, edl.image.resize(PIXELS[..., :3].astype("float32"), (3, 4)).numpy())


@pytest.mark.parametrize(("options", "match"), [
    ({"color_mode": "hsv"}, "color_mode is one of"), ({"interpolation": "area"}, "interpolation is one of"), ({"image_size": (3,)}, "image_size is"),
    ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "cut or padded"), ({"format": "grain"}, "tf.data"),
])  # fmt: skip
def test_image_folders_refuse(options, match, tmp_path):
    with pytest.raises(ArgumentError, match=match):
        utils.image_dataset_from_directory(tmp_path, **options)


WAVES = [
    ("int16", 32768.0, 0), ("int32", 2.0**31, 0), ("uint8", 128.0, 128), ("float32", 1.0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "scale", "middle"), WAVES)
@pytest.mark.parametrize("channels", [1, 2])
def test_sounds_of_every_width(dtype, scale, middle, channels, tmp_path):
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (50, channels))
    samples = (wave * scale + middle).astype(dtype)
    (tmp_path / "x").mkdir()
    wavfile.write(tmp_path / "x" / "0.wav", 8000, samples[:, 0] if channels == 1 else samples)
    ((sound, label),) = rows(utils.audio_dataset_from_directory(tmp_path, batch_size=None, verbose=False, ragged=True))
    assert sound.shape == (50, channels) and sound.dtype == np.float32 and label == 0
    assert np.allclose(sound, (samples.astype("float64") - middle) / scale, atol=1e-7)


def test_sounds_are_padded_cut_and_resampled(tmp_path):
    (tmp_path / "x").mkdir()
    time = np.arange(800) / 8000
    wavfile.write(tmp_path / "x" / "0.wav", 8000, np.sin(2 * np.pi * 200 * time).astype("float32"))
    wavfile.write(tmp_path / "x" / "1.wav", 8000, np.ones(500, "float32"))
    options = {"verbose": False, "shuffle": False, "labels": None}
    (batch,) = rows(utils.audio_dataset_from_directory(tmp_path, **options))
    assert batch.shape == (2, 800, 1) and batch[1, :500].all() and not batch[1, 500:].any()
    (batch,) = rows(utils.audio_dataset_from_directory(tmp_path, output_sequence_length=600, **options))
    assert batch.shape == (2, 600, 1) and not batch[1, 500:].any()
    fast = rows(utils.audio_dataset_from_directory(tmp_path, sampling_rate=16000, batch_size=None, **options))
    assert [len(sound) for sound in fast] == [1600, 1000]
    wanted = np.sin(2 * np.pi * 200 * np.arange(1600) / 16000)
    assert np.abs(fast[0][100:-100, 0] - wanted[100:-100]).max() < 5e-3


@pytest.mark.parametrize(("options", "match"), [
    ({"ragged": True}, "a batch is rectangular"), ({"ragged": True, "output_sequence_length": 3}, "keep their lengths, or get one"),
    ({"sampling_rate": 0}, "sampling_rate is a positive int"), ({"output_sequence_length": 1.5}, "output_sequence_length is"),
])  # fmt: skip
def test_sound_folders_refuse(options, match, tmp_path):
    with pytest.raises(ArgumentError, match=match):
        utils.audio_dataset_from_directory(tmp_path, **options)


def test_a_damaged_sound_is_named(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "0.wav").write_bytes(b"no sound")
    with pytest.raises(ArgumentError, match=r"a WAV file is needed; .*0.wav"):
        rows(utils.audio_dataset_from_directory(tmp_path, verbose=False))
