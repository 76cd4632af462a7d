"""The data set that ships with the package, and those that are files: formats, places, what is refused."""

import dataclasses
import gzip
import hashlib
import io
import pickle
import re
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.datasets import cifar10, digits, fashion_mnist, formats, imdb, mnist
from eagerdl.errors import ArgumentError, DownloadError

REAL_URLOPEN = urllib.request.urlopen  # for file: URLs

FOLDER = Path(digits.__file__).parent


def test_digits_have_the_documented_shapes_and_dtypes():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert (x_train.shape, x_train.dtype) == ((1437, 8, 8), np.uint8)
    assert (y_train.shape, y_train.dtype) == ((1437,), np.int64)
    assert (x_test.shape, x_test.dtype) == ((360, 8, 8), np.uint8)
    assert (y_test.shape, y_test.dtype) == ((360,), np.int64)
    assert x_train.min() == 0 and x_train.max() == 16


def test_both_parts_hold_every_digit_in_equal_shares():
    (_, y_train), (_, y_test) = digits.load_data()
    shares = np.bincount(y_test) / (np.bincount(y_train) + np.bincount(y_test))
    assert len(shares) == 10
    assert np.all(np.abs(shares - 0.2) < 0.01)


def test_the_parts_are_the_whole_file_and_do_not_overlap():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    text = gzip.decompress((FOLDER / "digits.csv.gz").read_bytes())
    rows = {tuple(map(int, line.split(b","))) for line in text.split()}
    split = [(*image.ravel(), label) for image, label in zip([*x_train, *x_test], [*y_train, *y_test])]
    assert len(rows) == len(split) == 1797
    assert set(split) == rows


def test_digits_are_the_same_on_every_call():
    for first, second in zip(digits.load_data(), digits.load_data()):
        assert all(np.array_equal(a, b) for a, b in zip(first, second))


def test_the_file_is_the_documented_one():
    text = gzip.decompress((FOLDER / "digits.csv.gz").read_bytes())
    documented = re.search(r"`([0-9a-f]{64})`", (FOLDER / "DIGITS.md").read_text()).group(1)
    assert hashlib.sha256(text).hexdigest() == documented


# -- data sets of files -------------------------------------------------------------------------

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (7, 28, 28), dtype=np.uint8), RNG.integers(0, 10, 7, dtype=np.uint8)
PARTS = {"x_train": IMAGES[:5], "y_train": LABELS[:5], "x_test": IMAGES[5:], "y_test": LABELS[5:]}


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No test reaches the network, nor what somebody keeps at home."""

    def refuse(url, *args, **kwargs):
        raise OSError(f"no network in tests: {url}")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setenv("EAGERDL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EAGERDL_DATASETS", raising=False)


def idx(array, code=0x08):
    """The bytes of an IDX file, by its description."""
    return bytes([0, 0, code, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def write_mnist(folder, compress=True, names=mnist.IDX_FILES):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, [IMAGES[:5], LABELS[:5], IMAGES[5:], LABELS[5:]]):
        path = folder / (name if compress else name.removesuffix(".gz"))
        path.write_bytes(gzip.compress(idx(array)) if compress else idx(array))
    return folder


def assert_is_mnist(data):
    (x_train, y_train), (x_test, y_test) = data
    for found, wanted in zip((x_train, y_train, x_test, y_test), PARTS.values()):
        assert found.dtype == wanted.dtype and np.array_equal(found, wanted)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_from_a_folder_and_from_one_of_them(name, compress, tmp_path):
    folder = write_mnist(tmp_path, compress)
    load = getattr(edl.datasets, name).load_data
    assert_is_mnist(load(path=folder))
    assert_is_mnist(load(path=str(folder / mnist.IDX_FILES[2]).removesuffix("" if compress else ".gz")))


def test_the_npz_of_keras_is_read(tmp_path):
    np.savez(tmp_path / "mnist.npz", **PARTS)
    np.savez_compressed(tmp_path / "other.npz", **PARTS)
    for path in (tmp_path, tmp_path / "mnist.npz", tmp_path / "other.npz"):
        assert_is_mnist(mnist.load_data(path))


@pytest.mark.parametrize("folder", ["mnist", ""])
def test_the_folder_of_the_environment_is_looked_in(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("EAGERDL_DATASETS", str(tmp_path))
    write_mnist(tmp_path / folder)
    assert_is_mnist(mnist.load_data())
    with pytest.raises(DownloadError):  # the same names, but another data set
        fashion_mnist.load_data()


def test_clothes_have_a_folder_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("EAGERDL_DATASETS", str(tmp_path))
    write_mnist(tmp_path / "fashion-mnist")
    assert_is_mnist(fashion_mnist.load_data())
    assert len(fashion_mnist.CLASS_NAMES) == len(cifar10.CLASS_NAMES) == 10


IDX_DTYPES = [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]


@pytest.mark.parametrize(("code", "dtype"), IDX_DTYPES)
def test_idx_of_every_dtype_and_rank(code, dtype, tmp_path):
    for shape in [(), (3,), (2, 3), (2, 0), (1, 2, 3, 4)]:
        array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
        (tmp_path / "file").write_bytes(idx(array, code))
        found = formats.read_idx(tmp_path / "file")
        assert (
            found.dtype == np.dtype(dtype).newbyteorder("=") and found.shape == shape and np.array_equal(found, array)
        )


DAMAGED_IDX = [
    (b"", "begins with 0, 0, a dtype, a rank; this one with"), (b"\x00\x00\x07\x01", "begins with"), (b"PK\x03\x04", "80, 75, 3, 4"),
    (idx(LABELS)[:-1], r"shape \(7,\) needs 15 bytes, the file has 14"), (idx(LABELS) + b"\0", "needs 15 bytes, the file has 16"),
    (idx(LABELS)[:6], "the file has 6"), (gzip.compress(idx(LABELS))[:-9], "ended before"), (gzip.compress(b"x" * 99)[:30] + b"?" * 20, ":"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "match"), DAMAGED_IDX, ids=range(len(DAMAGED_IDX)))
def test_damaged_idx_files_are_refused(data, match, tmp_path):
    (tmp_path / "labels").write_bytes(data)
    with pytest.raises(
        ArgumentError, match=f"(?s)the file must be whole and of its format; .*labels.*{match}.*download it again"
    ):
        formats.read_idx(tmp_path / "labels")


def test_images_without_labels_are_refused(tmp_path):
    np.savez(tmp_path / "mnist.npz", **{**PARTS, "y_train": LABELS})
    with pytest.raises(ArgumentError, match=r"images of shape \(5, 28, 28\) do not fit labels of shape \(7,\)"):
        mnist.load_data(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_damaged_npz_files_are_refused(content, tmp_path):
    path = tmp_path / "mnist.npz"
    if content is None:
        np.savez(path, x_train=IMAGES)
    else:
        path.write_bytes(content)
    with pytest.raises(ArgumentError, match="must be whole"):
        mnist.load_data(path)


# -- CIFAR-10 -----------------------------------------------------------------------------------

PLANES, CLASSES = RNG.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8), RNG.integers(0, 10, 12).tolist()


def cifar_files(ending, damage=None):
    """The names and bytes of the six batches, two images in each."""
    for number, name in enumerate(cifar10.BATCHES):
        images, labels = PLANES[2 * number : 2 * number + 2], CLASSES[2 * number : 2 * number + 2]
        if ending:
            data = b"".join(bytes([label]) + image.tobytes() for image, label in zip(images, labels))
        else:
            data = pickle.dumps({b"data": images.reshape(2, -1), b"labels": labels, b"batch_label": b"batch"}, 2)
        yield f"{name}{ending}", data if damage is None else damage(data)


def write_cifar(folder, ending, kind, damage=None):
    """CIFAR-10 as an archive, as what is in it, or as the folder of that."""
    inner = "cifar-10-batches-bin" if ending else "cifar-10-batches-py"
    if kind == "archive":
        path = folder / ("cifar-10-binary.tar.gz" if ending else "cifar-10-python.tar.gz")
        with tarfile.open(path, "w:gz") as archive:
            for name, data in cifar_files(ending, damage):
                member = tarfile.TarInfo(f"{inner}/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return path
    (folder / inner).mkdir()
    for name, data in cifar_files(ending, damage):
        (folder / inner / name).write_bytes(data)
    return folder / inner


@pytest.mark.parametrize("ending", ["", ".bin"])
@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_both_versions_of_cifar_are_read(ending, kind, tmp_path, monkeypatch):
    path = write_cifar(tmp_path, ending, kind)
    monkeypatch.setenv("EAGERDL_DATASETS", str(tmp_path))
    for (x_train, y_train), (x_test, y_test) in (
        cifar10.load_data(path),
        cifar10.load_data(tmp_path),
        cifar10.load_data(),
    ):
        assert np.array_equal(x_train, PLANES[:10].transpose(0, 2, 3, 1)) and x_train.dtype == np.uint8
        assert np.array_equal(x_test, PLANES[10:].transpose(0, 2, 3, 1)) and x_test.shape == (2, 32, 32, 3)
        assert y_train.ravel().tolist() + y_test.ravel().tolist() == CLASSES
        assert y_train.shape == (10, 1) and y_train.dtype == y_test.dtype == np.uint8


def test_cifar_follows_the_image_layout(tmp_path):
    path = write_cifar(tmp_path, ".bin", "archive")
    edl.config.set_image_data_format("channels_first")
    try:
        assert np.array_equal(cifar10.load_data(path)[0][0], PLANES[:10])
    finally:
        edl.config.set_image_data_format("channels_last")


class Evil:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_pickles_in_cifar_are_not_executed(kind, tmp_path):
    trap = tmp_path / "executed"
    path = write_cifar(tmp_path, "", kind, damage=lambda data: pickle.dumps({b"data": Evil(trap), b"labels": [1]}, 2))
    with pytest.raises(ArgumentError, match="open is no part of an array and is not loaded"):
        cifar10.load_data(path)
    assert not trap.exists()


@pytest.mark.parametrize(("ending", "damage", "match"), [
    (".bin", lambda data: data[:-1], "cannot reshape"), (".bin", lambda data: b"\x0b" + data[1:], "labels above 9"),
    ("", lambda data: data[:50], "truncated|ran out"), ("", lambda data: pickle.dumps({b"data": 3}, 2), "labels"),
    ("", lambda data: pickle.dumps([1], 2), "indices"),
])  # fmt: skip
def test_damaged_batches_are_refused(ending, damage, match, tmp_path):
    path = write_cifar(tmp_path, ending, "archive", damage)
    with pytest.raises(ArgumentError, match=f"must be whole and of its format; .*({match})"):
        cifar10.load_data(path)


def test_an_archive_that_is_none_or_lacks_a_batch_is_refused(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(ArgumentError, match="must be whole"):
        cifar10.load_data(path)
    with tarfile.open(path, "w:gz"):
        pass
    with pytest.raises(ArgumentError, match="data_batch_1"):
        cifar10.load_data(path)


# -- IMDB ---------------------------------------------------------------------------------------

REVIEWS = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10], [2, 1]]
SENTIMENTS = np.array([1, 0, 1, 0, 1])


def objects(lists):
    out = np.empty(len(lists), object)
    out[:] = lists
    return out


@pytest.fixture
def imdb_file(tmp_path):
    path = tmp_path / "imdb.npz"
    np.savez(path, x_train=objects(REVIEWS), y_train=SENTIMENTS, x_test=objects(REVIEWS[:2]), y_test=SENTIMENTS[:2])
    return path


def keras_imdb(reviews, labels, order, num_words=None, skip_top=0, maxlen=None, start_char=1, oov_char=2, index_from=3):
    """One part of the data by the documentation of Keras, with numbers given by words."""
    places = np.arange(len(reviews))
    order.shuffle(places)
    pairs = []
    for place in places:
        words = ([] if start_char is None else [start_char]) + [word + index_from for word in reviews[place]]
        if maxlen and len(words) >= maxlen:
            continue
        out = [word for word in words if skip_top <= word < num_words] if oov_char is None else [
            word if skip_top <= word < num_words else oov_char for word in words]  # fmt: skip
        pairs.append((out, labels[place]))
    return pairs


IMDB_OPTIONS = [
    {"num_words": 100}, {"num_words": 8}, {"num_words": 9, "skip_top": 5}, {"num_words": 100, "maxlen": 4},
    {"num_words": 9, "oov_char": None}, {"num_words": 9, "start_char": None}, {"num_words": 9, "index_from": 0, "oov_char": 0},
]  # fmt: skip


@pytest.mark.parametrize("options", IMDB_OPTIONS, ids=str)
@pytest.mark.parametrize("seed", [113, 7])
def test_imdb_has_the_order_and_numbers_of_keras(options, seed, imdb_file):
    parts = imdb.load_data(imdb_file, seed=seed, **options)
    order = np.random.RandomState(seed)
    for (x, y), (reviews, labels) in zip(parts, [(REVIEWS, SENTIMENTS), (REVIEWS[:2], SENTIMENTS[:2])]):
        wanted = keras_imdb(reviews, labels, order, **options)
        assert x.dtype == object and x.shape == (len(wanted),) and x.tolist() == [review for review, _ in wanted]
        assert y.tolist() == [label for _, label in wanted]


def test_imdb_without_num_words_leaves_out_the_largest_as_keras_does(imdb_file):
    (x_train, _), _ = imdb.load_data(imdb_file)
    words = {word for review in x_train for word in review}
    assert 13 not in words and 12 in words


def test_imdb_with_no_review_short_enough(imdb_file):
    with pytest.raises(ArgumentError, match="maxlen=2, the shortest has length 2"):
        imdb.load_data(imdb_file, maxlen=2)


def test_pickles_in_imdb_are_not_executed(tmp_path):
    trap, path = tmp_path / "executed", tmp_path / "imdb.npz"
    hostile = objects([Evil(trap), [1]])
    np.savez(path, x_train=hostile, y_train=SENTIMENTS[:2], x_test=hostile, y_test=SENTIMENTS[:2])
    with pytest.raises(ArgumentError, match="is no part of an array"):
        imdb.load_data(path)
    assert not trap.exists()


def test_imdb_with_other_numbers_of_labels_is_refused(tmp_path):
    np.savez(
        tmp_path / "imdb.npz",
        x_train=objects(REVIEWS),
        y_train=SENTIMENTS[:2],
        x_test=objects(REVIEWS),
        y_test=SENTIMENTS,
    )
    with pytest.raises(ArgumentError, match="the numbers of reviews and labels differ: 5, 2, 5, 5"):
        imdb.load_data(tmp_path)


def test_the_word_index(tmp_path):
    path = tmp_path / "imdb_word_index.json"
    path.write_text('{"the": 1, "été": 2}', encoding="utf-8")
    assert imdb.get_word_index(tmp_path) == imdb.get_word_index(path) == {"the": 1, "été": 2}
    path.write_text("{")
    with pytest.raises(ArgumentError, match="must be whole"):
        imdb.get_word_index(path)


# -- pickles of arrays --------------------------------------------------------------------------

ARRAYS = [
    np.arange(6).reshape(2, 3), np.arange(6.0).reshape(2, 3).T, np.array(3), np.zeros((0, 2), "uint8"), np.array([True, False]),
    np.arange(3, dtype=">i4"), np.array([1 + 2j]), objects([[1, [2]], [], {"a": np.arange(2)}]), np.array([[None, 1]], object),
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_arrays_come_out_of_pickles_of_every_protocol(array, protocol):
    found = formats.unpickle(io.BytesIO(pickle.dumps({"key": [array]}, protocol)))["key"][0]
    assert found.dtype == array.dtype and found.shape == array.shape
    assert str(found.tolist()) == str(array.tolist())


HOSTILE = [
    b"cos\nsystem\n(S'true'\ntR.", b"cbuiltins\neval\n(S'1'\ntR.", b"cnumpy\nload\n(S'x'\ntR.", b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.",
    b"cnumpy\ndtype\n(S'V8'\ntR.", b"cnumpy\ndtype\n(S'i4,O'\ntR.", b"c_codecs\nencode\n}S'a'\nI1\nsb.",
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I9\ntcnumpy\ndtype\n(S'u1'\ntRI00\nS'short'\ntb.",
]  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE)
def test_nothing_but_arrays_comes_out_of_pickles(data):
    with pytest.raises((pickle.UnpicklingError, ValueError, TypeError)):
        formats.unpickle(io.BytesIO(data))


# -- where files are looked for -----------------------------------------------------------------


def serve(monkeypatch, folder):
    """Lets downloads come from a folder, and returns the list of what was asked for."""
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        return REAL_URLOPEN((folder / url.rpartition("/")[2]).as_uri(), timeout=timeout)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return asked


def checked_as(monkeypatch, module, path):
    """Lets the checksum of a small file be the one of the data set."""
    (remote,) = module.SOURCE.remotes
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(
        module, "SOURCE", dataclasses.replace(module.SOURCE, remotes=(dataclasses.replace(remote, checksum=checksum),))
    )


def test_files_are_downloaded_once_and_checked(tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "mnist.npz", **PARTS)
    checked_as(monkeypatch, mnist, tmp_path / "mnist.npz")
    asked = serve(monkeypatch, tmp_path)
    assert_is_mnist(mnist.load_data())
    assert_is_mnist(mnist.load_data())
    assert asked == ["https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"]
    assert capsys.readouterr().out.count("Downloading") == 1
    cached = tmp_path / "home" / "datasets" / "mnist" / "mnist.npz"
    cached.write_bytes(b"damaged")  # is noticed, and fetched again
    assert_is_mnist(mnist.load_data())
    assert len(asked) == 2
    assert_is_mnist(mnist.load_data("mine.npz"))  # a name in the cache, as in Keras
    assert (cached.parent / "mine.npz").is_file()


def test_another_file_than_the_published_one_is_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "mnist.npz", **PARTS)
    serve(monkeypatch, tmp_path)
    with pytest.raises(DownloadError, match="has "):
        mnist.load_data()
    assert not (tmp_path / "home" / "datasets" / "mnist" / "mnist.npz").exists()


URLS = {
    "mnist": ["https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"],
    "fashion_mnist": [
        f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{name}" for name in mnist.IDX_FILES
    ],
    "cifar10": ["https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"],
    "imdb": ["https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz"],
}


@pytest.mark.parametrize("name", URLS)
def test_offline_the_error_says_which_file_to_put_where(name, tmp_path, monkeypatch):
    with pytest.raises(DownloadError) as caught:
        getattr(edl.datasets, name).load_data()
    message = str(caught.value)
    for url in URLS[name]:
        assert f"{url}  to  {tmp_path / 'home' / 'datasets' / name / url.rpartition('/')[2]}" in message
    assert "no network in tests" in message and "EAGERDL_DATASETS=FOLDER (it is not set)" in message
    assert f"FOLDER/{name}" in message and f"edl.datasets.{name}.load_data(path)" in message
    monkeypatch.setenv("EAGERDL_DATASETS", str(tmp_path / "here"))
    with pytest.raises(DownloadError, match=f"it is '{tmp_path}/here', where there are none"):
        getattr(edl.datasets, name).load_data()


def test_what_the_error_says_works(tmp_path, monkeypatch):
    """A file put by hand into the place that the message names is used, if it is the right one."""
    np.savez(tmp_path / "mnist.npz", **PARTS)
    checked_as(monkeypatch, mnist, tmp_path / "mnist.npz")
    with pytest.raises(DownloadError) as caught:
        mnist.load_data()
    place = Path(re.search(r"to  (\S+)", str(caught.value)).group(1))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes((tmp_path / "mnist.npz").read_bytes())
    assert_is_mnist(mnist.load_data())


@pytest.mark.parametrize(("path", "match"), [
    ("nowhere/mnist.npz", "path is a file or folder that exists; got 'nowhere/mnist.npz'; what is read: mnist.npz or the four"),
    ("", "the folder must hold the files of the data set; .* holds nothing"), ("file.txt", "a file of the data set is needed"),
])  # fmt: skip
def test_paths_that_do_not_fit(path, match, tmp_path, monkeypatch):
    if path == "file.txt":
        (tmp_path / path).write_text("text")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=match):
        mnist.load_data(tmp_path / path if path in ("", "file.txt") else path)
