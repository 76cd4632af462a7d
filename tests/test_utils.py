"""edl.utils: labels and sequences, sessions, messages, two parts of a data set, windows over a series."""

import logging
import random

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import registry, utils
from eagerdl.errors import ArgumentError, DTypeError, ImmutableError, MissingNameError, RangeError, ShapeError
from eagerdl.nn import names

# -- labels and sequences -----------------------------------------------------------------------

CATEGORIES = [
    ([0, 2], None, [[1, 0, 0], [0, 0, 1]]), ([1], 3, [[0, 1, 0]]), ([[1], [0]], None, [[0, 1], [1, 0]]), (1, 2, [0, 1]),
    ([[0, 1]], None, [[[1, 0], [0, 1]]]), (np.array([1.0, 0.0]), None, [[0, 1], [1, 0]]), ([True, False], None, [[0, 1], [1, 0]]),
    ([], 2, np.zeros((0, 2))),
]  # fmt: skip


@pytest.mark.parametrize(("x", "num_classes", "wanted"), CATEGORIES, ids=str)
def test_to_categorical(x, num_classes, wanted):
    out = utils.to_categorical(x, num_classes)
    assert out.dtype == np.float64 and np.array_equal(out, wanted)
    if np.size(x):
        tensor = utils.to_categorical(edl.constant(x), num_classes)
        assert isinstance(tensor, edl.Tensor) and np.array_equal(tensor.numpy(), wanted)


@pytest.mark.parametrize(("x", "num_classes", "error", "match"), [
    ([0, 3], 3, RangeError, "reach from 0 to 2; they reach from 0 to 3"), ([-1, 0], None, RangeError, "reach from -1 to 0"),
    ([0.5], None, DTypeError, "class numbers are whole"), ([], None, ShapeError, "at least one label"),
    (edl.constant([5]), 3, RangeError, "from 5 to 5"),
])  # fmt: skip
def test_to_categorical_refuses(x, num_classes, error, match):
    with pytest.raises(error, match=match):
        utils.to_categorical(x, num_classes)


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_normalize_makes_unit_vectors(axis, order):
    x = np.random.default_rng(0).standard_normal((3, 4)) * 5
    x[0] = x[:, 1] = 0
    out = utils.normalize(x, axis, order)
    norms = np.linalg.norm(out, order, axis)
    assert np.allclose(norms, np.linalg.norm(x, order, axis) > 0) and np.allclose(
        out * np.linalg.norm(x, order, axis, keepdims=True), x
    )
    assert isinstance(utils.normalize(edl.constant(x)), edl.Tensor)
    assert np.allclose(utils.normalize(edl.constant(x)).numpy(), utils.normalize(x))


PADDED = [
    ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6]]), ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [4, 5, 6]]), ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6]]),
    ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5]]), ({"value": -1, "dtype": "float32"}, [[-1, -1, 1], [-1, 2, 3], [4, 5, 6]]),
    ({"maxlen": 4, "padding": "post", "value": 9}, [[1, 9, 9, 9], [2, 3, 9, 9], [4, 5, 6, 9]]), ({"maxlen": 0}, [[], [], []]),
]  # fmt: skip


@pytest.mark.parametrize(("options", "wanted"), PADDED, ids=str)
def test_pad_sequences(options, wanted):
    out = utils.pad_sequences([[1], [2, 3], [4, 5, 6]], **options)
    assert out.dtype == np.dtype(options.get("dtype", "int32")) and out.tolist() == wanted


def test_pad_sequences_of_vectors_of_texts_and_of_nothing():
    out = utils.pad_sequences([[], [[1, 2]], np.array([[3, 4], [5, 6]])])
    assert out.tolist() == [[[0, 0], [0, 0]], [[0, 0], [1, 2]], [[3, 4], [5, 6]]]
    assert utils.pad_sequences([["a"], ["bb", "c"]], dtype=object, value="-").tolist() == [["-", "a"], ["bb", "c"]]
    assert utils.pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(("args", "options", "error", "match"), [
    (([[1]],), {"padding": "left"}, ArgumentError, "padding is 'pre' or 'post'; got 'left'"),
    (([[1]],), {"truncating": "x"}, ArgumentError, "truncating is"), (([1, 2],), {}, DTypeError, "a list of sequences is needed"),
    ((3,), {}, DTypeError, "got int"), (([["a"]],), {"value": "pad"}, ArgumentError, "pass dtype=object"),
    (([[[1, 2]], [[3]]],), {}, ShapeError, r"one has \(1,\), the first has \(2,\)"),
])  # fmt: skip
def test_pad_sequences_refuses(args, options, error, match):
    with pytest.raises(error, match=match):
        utils.pad_sequences(*args, **options)


def test_standardize_dtype():
    class Foreign:
        __module__ = "torch"

        def __str__(self):
            return "torch.int64"

    given = [None, "bfloat16", float, int, bool, np.float64, np.dtype("uint8"), Foreign(), edl.ones(1).dtype]
    wanted = ["float32", "bfloat16", "float32", "int32", "bool", "float64", "uint8", "int64", "float32"]
    assert [utils.standardize_dtype(dtype) for dtype in given] == wanted
    with pytest.raises(DTypeError, match="standardize_dtype"):
        utils.standardize_dtype("text")


# -- sessions and messages ----------------------------------------------------------------------


def test_a_new_session_counts_names_anew():
    utils.clear_session()
    first = [names.auto_name("dense") for _ in range(2)]
    utils.clear_session(free_memory=False)
    assert first == ["dense", "dense_1"] and names.auto_name("dense") == "dense"


def test_seeds_repeat_numbers_and_leave_numpy_alone():
    np.random.seed(3)
    state = np.random.get_state()[1].tolist()
    draws = []
    for _ in range(2):
        utils.set_random_seed(11)
        draws.append(edl.random.normal((3,)).tolist())
    assert draws[0] == draws[1] and np.random.get_state()[1].tolist() == state


def test_messages_go_to_the_logger_where_nobody_reads_along(tmp_path, capsys, caplog):
    (tmp_path / "a.txt").write_text("a")
    assert utils.is_interactive_logging_enabled()
    utils.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, "eagerdl"):
            utils.get_file("b.txt", (tmp_path / "a.txt").as_uri(), cache_dir=tmp_path)
    finally:
        utils.enable_interactive_logging()
    assert capsys.readouterr().out == "" and "Downloading" in caplog.text
    utils.get_file("c.txt", (tmp_path / "a.txt").as_uri(), cache_dir=tmp_path)
    assert "Downloading" in capsys.readouterr().out


def test_config_is_a_dict_with_attributes():
    config = utils.Config(units=3)
    config.rate, config["name"] = 0.5, "x"
    config.update(units=4)
    assert (config["rate"], config.units, config.get("no", 1), len(config), "name" in config) == (0.5, 4, 1, 3, True)
    assert config.as_dict() == {"units": 4, "rate": 0.5, "name": "x"} == dict(config) and list(config.keys()) == [
        "units",
        "rate",
        "name",
    ]
    assert config.pop("name") == "x" and config.to_json() == '{"units": 4, "rate": 0.5}'
    del config.rate
    assert config == utils.Config(units=4) and repr(config) == "<Config {'units': 4}>"
    config.freeze()
    for change in (
        lambda: setattr(config, "units", 1),
        lambda: config.pop("units"),
        lambda: config.update(a=1),
        lambda: delattr(config, "units"),
    ):
        with pytest.raises(ImmutableError, match=r"a frozen config does not change; '(units|a)' is to be changed"):
            change()
    config.unfreeze()
    config.units = 5
    with pytest.raises(MissingNameError, match=r"there is no 'unit', did you mean 'units'\?"):
        _ = config.unit
    with pytest.raises(ArgumentError, match="'freeze' is a method of Config"):
        config.freeze = 1


# -- two parts of a data set --------------------------------------------------------------------

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


def rows(dataset):
    return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize(("options", "left", "right"), [
    ({"left_size": 0.8}, range(8), range(8, 10)), ({"right_size": 0.3}, range(7), range(7, 10)), ({"left_size": 3}, range(3), range(3, 10)),
    ({"left_size": 2, "right_size": 3}, range(2), range(7, 10)), ({"left_size": 0.25, "right_size": 0.25}, range(2), range(8, 10)),
    ({"left_size": 0.55, "right_size": 0.45}, range(6), range(6, 10)), ({"left_size": np.int64(9)}, range(9), range(9, 10)),
])  # fmt: skip
def test_split_dataset_takes_the_first_and_the_last(options, left, right):
    parts = utils.split_dataset(Y, **options)
    assert [rows(part) for part in parts] == [list(left), list(right)] and all(
        part.cardinality() == len(side) for part, side in zip(parts, (left, right))
    )


@pytest.mark.parametrize("shuffle", [False, True])
def test_split_dataset_keeps_rows_and_structure(shuffle):
    order = list(range(10))
    if shuffle:
        random.Random(3).shuffle(order)
    for data, pick in [
        ((X, Y), lambda row: row),
        ([X, Y], lambda row: row),
        ({"a": X, "b": {"c": edl.constant(Y)}}, lambda row: (row["a"], row["b"]["c"])),
    ]:
        left, right = utils.split_dataset(data, left_size=0.7, shuffle=shuffle, seed=3)
        found = [pick(row) for row in rows(left) + rows(right)]
        assert [(x.tolist(), int(y)) for x, y in found] == [(X[i].tolist(), i) for i in order]


def test_split_dataset_without_a_seed_depends_on_the_framework_only():
    def split():
        utils.set_random_seed(5)
        return rows(utils.split_dataset(Y, 0.5, shuffle=True)[0])

    assert split() == split()


def test_split_datasets_of_datasets_are_batched_again():
    dataset = edl.data.Dataset.from_tensor_slices((X, Y))
    for given, sizes in [
        (dataset, [()] * 7),
        (dataset.batch(3).prefetch(1), [(3,), (3,), (1,)]),
        (dataset.batch(3, drop_remainder=True), [(3,), (3,)]),
    ]:
        left, right = utils.split_dataset(given, left_size=7)
        assert [y.shape for _, y in rows(left)] == sizes
        if sizes[-1] != (3,):
            assert np.concatenate([np.atleast_1d(y) for _, y in rows(left) + rows(right)]).tolist() == Y.tolist()
    once = dataset.shuffle(10, seed=1)  # another order each time, but a row stays on its side
    left, right = utils.split_dataset(once, left_size=5)
    assert {int(y) for _ in range(2) for _, y in left} & {int(y) for _ in range(2) for _, y in right} == set()


@pytest.mark.parametrize(("data", "options", "error", "match"), [
    (Y, {}, ArgumentError, "a size is needed"), (Y, {"left_size": 1.0}, ArgumentError, "a float left_size is a share between 0 and 1"),
    (Y, {"left_size": 10}, ArgumentError, "left_size is between 1 and 9"), (Y, {"right_size": 0}, ArgumentError, "right_size is between"),
    (Y, {"left_size": 6, "right_size": 6}, ArgumentError, "make 6 and 6"), (Y, {"left_size": 0.01}, ArgumentError, "make 0 and 10"),
    (Y, {"left_size": "x"}, DTypeError, "left_size is a float or an int; got str"), (Y, {"left_size": True}, DTypeError, "got bool"),
    ((X, Y[:3]), {"left_size": 0.5}, ShapeError, r"got \[10, 3\]"), ("text", {"left_size": 0.5}, DTypeError, "arrays or a Dataset are needed; got str"),
    (edl.data.Dataset.range(3).repeat(), {"left_size": 2}, ArgumentError, "it has no end"),
    (edl.data.Dataset.range(0), {"left_size": 2}, ArgumentError, "the dataset is empty"), ([], {"left_size": 0.5}, ArgumentError, "there are 0"),
])  # fmt: skip
def test_split_dataset_refuses(data, options, error, match):
    with pytest.raises(error, match=match):
        utils.split_dataset(data, **options)


# -- windows over a series ----------------------------------------------------------------------

SERIES = np.arange(100)


@pytest.mark.parametrize(("length", "stride", "rate", "start", "end"), [
    (10, 1, 1, None, None), (10, 3, 2, None, 99), (1, 1, 1, None, None), (4, 7, 5, 10, 60), (100, 1, 1, 0, 100), (3, 200, 1, None, None),
])  # fmt: skip
@pytest.mark.parametrize("targets", [None, SERIES * 10, SERIES[:50] * 10])
def test_windows_begin_where_they_should(length, stride, rate, start, end, targets):
    dataset = utils.timeseries_dataset_from_array(
        SERIES, targets, length, stride, rate, 7, start_index=start, end_index=end
    )
    begin, stop = start or 0, end or 100
    if targets is not None:
        stop_of_targets = len(targets)
    wanted = [
        list(range(i, i + length * rate, rate)) for i in range(begin, stop, stride) if i + (length - 1) * rate < stop
    ]
    if targets is not None:
        wanted = [window for window in wanted if window[0] < stop_of_targets]
    batches = rows(dataset)
    windows = batches if targets is None else [x for x, _ in batches]
    assert np.concatenate(windows).tolist() == wanted and all(len(x) == 7 for x in windows[:-1])
    if targets is not None:
        assert np.concatenate([y for _, y in batches]).tolist() == [window[0] * 10 for window in wanted]
    assert dataset.cardinality() == len(batches)


def test_windows_of_vectors_keep_dtypes_and_may_come_alone_and_shuffled():
    data = edl.constant(np.arange(24.0).reshape(12, 2), "float64")
    single = utils.timeseries_dataset_from_array(data, None, 4, batch_size=None)
    assert [x.shape for x in single] == [(4, 2)] * 9 and next(iter(single)).dtype == "float64"
    shuffled = utils.timeseries_dataset_from_array(data, edl.arange(12), 4, batch_size=2, shuffle=True, seed=1)
    first, second = ([int(y) for _, batch in shuffled for y in batch] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(9)) and first != second
    for x, y in shuffled:
        assert np.array_equal(x[:, 0, 0], 2.0 * y.numpy())


@pytest.mark.parametrize(("options", "match"), [
    ({"sequence_length": 0}, "sequence_length is positive; got 0"), ({"sequence_stride": 0}, "sequence_stride is positive"),
    ({"sampling_rate": -1}, "sampling_rate is positive"), ({"start_index": -1}, "0 <= start_index < end_index <= 100"),
    ({"start_index": 5, "end_index": 5}, "start_index=5, end_index=5"), ({"end_index": 101}, "end_index=101"),
    ({"sequence_length": 101}, "a window needs 101 steps; there are 100, and 100 targets"), ({"batch_size": 0}, "batch_size is positive, or None"),
    ({"format": "grain"}, "the interface of tf.data"),
])  # fmt: skip
def test_windows_that_do_not_fit(options, match):
    with pytest.raises(ArgumentError, match=match):
        utils.timeseries_dataset_from_array(**{"data": SERIES, "targets": SERIES, "sequence_length": 3, **options})


# -- names --------------------------------------------------------------------------------------


def test_parts_of_batches_are_those_of_data():
    packed = utils.pack_x_y_sample_weight(1, 2)
    assert packed == (1, 2) and utils.unpack_x_y_sample_weight(packed) == (1, 2, None)
    assert utils.pack_x_y_sample_weight is edl.data.pack_x_y_sample_weight


def test_registries_are_those_of_saving():
    for name in registry.__all__:
        assert getattr(utils, name) is getattr(registry, name)
