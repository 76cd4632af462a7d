"""Datasets: values against plain Python, and the laws of positions, shuffles and fast paths."""

import collections
import gc
import json
import math
import os
import pathlib
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eagerdl as edl
from eagerdl import errors
from eagerdl.data import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, ArrayBatches, Dataset, Options, PyDataset
from eagerdl.data.arrays import permutation
from eagerdl.data.nodes import stream_of

Point = collections.namedtuple("Point", ["x", "y"])


def plain(element):
    """An element as Python values, to compare."""
    if isinstance(element, dict):
        return {key: plain(value) for key, value in element.items()}
    if isinstance(element, tuple):
        return tuple(map(plain, element))
    if isinstance(element, Dataset):
        return [plain(one) for one in element]
    return element.tolist() if hasattr(element, "tolist") else element


def values(dataset):
    return [plain(element) for element in dataset]


def numbers(n=10):
    return Dataset.range(n)


def rows(*lengths):
    return Dataset.from_generator(
        lambda: (np.arange(n) + 1 for n in lengths), output_signature=edl.TensorSpec((None,), "int32")
    )


def broken(dataset):
    """The same elements without the fast path of arrays."""
    return dataset.map(lambda *element: element if len(element) > 1 else element[0])


# -- values -------------------------------------------------------------------------------------

VALUES = {
    "from_tensor_slices": (lambda: Dataset.from_tensor_slices({"a": [1, 2], "b": ([3.0, 4.0],)}),
                           [{"a": 1, "b": (3.0,)}, {"a": 2, "b": (4.0,)}]),
    "text": (lambda: Dataset.from_tensor_slices(["a", "bc"]).map(str.upper), ["A", "BC"]),
    "bytes": (lambda: Dataset.from_tensor_slices([b"a\0", b""]).map(lambda x: x + b"!"), [b"a\0!", b"!"]),
    "text batch": (lambda: Dataset.from_tensor_slices(["a", "bc", "d"]).map(str.upper).batch(2), [["A", "BC"], ["D"]]),
    "none": (lambda: Dataset.from_tensor_slices(([1, 2], None)).batch(2), [([1, 2], None)]),
    "named": (lambda: Dataset.from_tensor_slices(Point([1, 2], [3, 4])).map(lambda x, y: Point(y, x)).batch(2), [([3, 4], [1, 2])]),
    "from_tensors": (lambda: Dataset.from_tensors(([1, 2], 3)), [([1, 2], 3)]),
    "from_generator": (lambda: Dataset.from_generator(lambda n: iter(range(n)), args=(3,)), [0, 1, 2]),
    "from_generator types": (lambda: Dataset.from_generator(lambda: [(1, "a")], output_types=("float32", str), output_shapes=((), ())),
                             [(1.0, "a")]),
    "range": (lambda: Dataset.range(7, 1, -2), [7, 5, 3]),
    "counter": (lambda: Dataset.counter(3, -1).take(3), [3, 2, 1]),
    "map": (lambda: numbers(3).map(lambda x: {"y": x * 2, "z": [1, 2]}), [{"y": 2 * i, "z": [1, 2]} for i in range(3)]),
    "parallel map": (lambda: numbers(5).map(lambda x: (time.sleep(0.01 / (1 + int(x))), x * x)[1], AUTOTUNE), [0, 1, 4, 9, 16]),
    "filter": (lambda: numbers(6).filter(lambda x: x % 2 == 1), [1, 3, 5]),
    "take_while": (lambda: numbers(6).take_while(lambda x: x < 2), [0, 1]),
    "take": (lambda: numbers(6).take(2), [0, 1]),
    "take all": (lambda: numbers(3).take(-1), [0, 1, 2]),
    "skip": (lambda: numbers(6).skip(4), [4, 5]),
    "skip all": (lambda: numbers(6).skip(-1), []),
    "skip more": (lambda: numbers(6).skip(9), []),
    "shard": (lambda: numbers(8).shard(3, 1), [1, 4, 7]),
    "shard of a map": (lambda: broken(numbers(8)).shard(3, 2).batch(2), [[2, 5]]),
    "repeat": (lambda: numbers(2).repeat(2), [0, 1, 0, 1]),
    "repeat nothing": (lambda: numbers(0).repeat(), []),
    "repeat 0": (lambda: numbers(3).repeat(0), []),
    "concatenate": (lambda: numbers(2).concatenate(numbers(3)), [0, 1, 0, 1, 2]),
    "zip": (lambda: Dataset.zip({"a": numbers(2), "b": (numbers(3),)}), [{"a": 0, "b": (0,)}, {"a": 1, "b": (1,)}]),
    "zip datasets": (lambda: Dataset.zip(datasets=(numbers(2), numbers(3))), [(0, 0), (1, 1)]),
    "enumerate": (lambda: numbers(2).enumerate(5), [(5, 0), (6, 1)]),
    "scan": (lambda: numbers(4).scan(np.int64(10), lambda s, x: (s - x, s)), [10, 10, 9, 7]),
    "unique": (lambda: Dataset.from_tensor_slices([1.0, 0.0, 1.0, -0.0, 2.0]).unique(), [1.0, 0.0, 2.0]),
    "unique text": (lambda: Dataset.from_tensor_slices((["a", "b", "a"], [1, 1, 1])).unique(), [("a", 1), ("b", 1)]),
    "batch": (lambda: numbers(5).batch(2), [[0, 1], [2, 3], [4]]),
    "batch drop": (lambda: broken(numbers(5)).batch(2, drop_remainder=True), [[0, 1], [2, 3]]),
    "unbatch": (lambda: numbers(5).batch(2).unbatch(), [0, 1, 2, 3, 4]),
    "rebatch": (lambda: numbers(7).batch(2).rebatch([1, 3]), [[0], [1, 2, 3], [4], [5, 6]]),
    "padded_batch": (lambda: rows(1, 2, 1).padded_batch(2), [[[1, 0], [1, 2]], [[1]]]),
    "padded_batch shapes": (lambda: rows(1, 2).padded_batch(2, padded_shapes=(3,), padding_values=-1), [[[1, -1, -1], [1, 2, -1]]]),
    "padded_batch structure": (lambda: rows(1, 2).map(lambda x: {"x": x, "n": len(x)}).padded_batch(2, {"x": [None], "n": []}, {"x": 9, "n": 0}),
                               [{"x": [[1, 9], [1, 2]], "n": [1, 2]}]),
    "padded_batch text": (lambda: Dataset.from_tensor_slices([1, 2]).map(lambda n: ["ab"] * int(n)).padded_batch(2),
                          [[["ab", ""], ["ab", "ab"]]]),
    "window": (lambda: numbers(7).window(3, 2, 1, True), [[0, 1, 2], [2, 3, 4], [4, 5, 6]]),
    "window rest": (lambda: numbers(7).window(3, 2), [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6]]),
    "window stride": (lambda: numbers(7).window(3, 1, 2, True), [[0, 2, 4], [1, 3, 5], [2, 4, 6]]),
    "window gap": (lambda: numbers(8).window(2, 3), [[0, 1], [3, 4], [6, 7]]),
    "window of pairs": (lambda: Dataset.zip(numbers(3), numbers(3)).window(2), [([0, 1], [0, 1]), ([2], [2])]),
    "flat_map": (lambda: numbers(4).flat_map(Dataset.range), [0, 0, 1, 0, 1, 2]),
    "interleave": (lambda: Dataset.range(1, 6).interleave(lambda x: Dataset.from_tensors(x).repeat(6), cycle_length=2, block_length=4),
                   [1] * 4 + [2] * 4 + [1] * 2 + [2] * 2 + [3] * 4 + [4] * 4 + [3] * 2 + [4] * 2 + [5] * 6),
    "interleave uneven": (lambda: Dataset.from_tensor_slices([0, 3, 1, 2]).interleave(Dataset.range, 2), [0, 0, 1, 2, 0, 1]),
    "group_by_window": (lambda: numbers(7).group_by_window(lambda x: x % 3, lambda key, part: part.batch(2).map(lambda x: (key, x)), 2),
                        [(0, [0, 3]), (1, [1, 4]), (2, [2, 5]), (0, [6])]),
    "window_size_func": (lambda: numbers(6).group_by_window(lambda x: x % 2, lambda key, part: part.batch(9), window_size_func=lambda key: key + 1),
                         [[0], [2], [1, 3], [4], [5]]),
    "buckets": (lambda: rows(1, 4, 2, 5, 3, 6).bucket_by_sequence_length(len, [3, 5], [2, 2, 2], pad_to_bucket_boundary=False),
                [[[1, 0], [1, 2]], [[1, 2, 3, 4], [1, 2, 3, 0]], [[1, 2, 3, 4, 5, 0], [1, 2, 3, 4, 5, 6]]]),
    "buckets to the boundary": (lambda: rows(1, 3).bucket_by_sequence_length(len, [3, 6], [2, 2, 2], pad_to_bucket_boundary=True),
                                [[[1, 0]], [[1, 2, 3, 0, 0]]]),
    "choose_from_datasets": (lambda: Dataset.choose_from_datasets([numbers(2), numbers(9).skip(5)], Dataset.from_tensor_slices([1, 0, 0, 0, 1])),
                             [5, 0, 1]),
    "choose on": (lambda: Dataset.choose_from_datasets([numbers(1), numbers(3)], Dataset.from_tensor_slices([0, 0, 1, 0, 1]), False), [0, 0, 1]),
    "prefetch": (lambda: numbers(5).prefetch(2), [0, 1, 2, 3, 4]),
    "cache": (lambda: numbers(3).cache(), [0, 1, 2]),
    "apply": (lambda: numbers(3).apply(lambda d: d.skip(1)), [1, 2]),
    "ignore_errors": (lambda: numbers(4).map(lambda x: [[1], [1, 2]] if int(x) == 2 else x).ignore_errors(), [0, 1, 3]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_elements_are_those_of_the_table(name):
    make, expected = VALUES[name]
    dataset = make()
    assert values(dataset) == expected
    assert values(dataset) == expected, "a second pass"
    count = dataset.cardinality()
    assert count in (len(expected), UNKNOWN_CARDINALITY)
    if count >= 0:
        assert len(dataset) == count
        assert dataset.skip(1).cardinality() == max(0, count - 1) and dataset.repeat(3).cardinality() == 3 * count
    assert repr(dataset).startswith("<Dataset ")


@pytest.mark.parametrize("name", [name for name in VALUES if "window" not in name or "group" in name])
def test_as_numpy_iterator_gives_the_same(name):
    make, expected = VALUES[name]
    assert [plain(element) for element in make().as_numpy_iterator()] == expected


def test_elements_are_tensors_and_arrays_are_copies():
    source = np.arange(6).reshape(3, 2)
    dataset = Dataset.from_tensor_slices(source)
    assert all(isinstance(element, edl.Tensor) for element in dataset)
    for element in dataset.as_numpy_iterator():
        element[:] = -1
    assert source.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert isinstance(next(numbers().as_numpy_iterator()), np.int64)


SPECS = {
    "slices": (lambda: Dataset.from_tensor_slices(np.zeros((4, 3), "float32")), edl.TensorSpec((3,), "float32")),
    "range": (numbers, edl.TensorSpec((), "int64")),
    "batch": (lambda: numbers().batch(3), edl.TensorSpec((None,), "int64")),
    "batch drop": (lambda: numbers().batch(3, True), edl.TensorSpec((3,), "int64")),
    "unbatch": (lambda: numbers().batch(3).unbatch(), edl.TensorSpec((), "int64")),
    "generator": (lambda: rows(1), edl.TensorSpec((None,), "int32")),
    "padded": (lambda: rows(1).padded_batch(2), edl.TensorSpec((None, None), "int32")),
    "padded to": (lambda: rows(1).padded_batch(2, [4], drop_remainder=True), edl.TensorSpec((2, 4), "int32")),
    "map": (lambda: numbers().map(lambda x: {"a": edl.cast(x, "float32")}), {"a": edl.TensorSpec((), "float32")}),
    "concatenate": (lambda: numbers().batch(2, True).concatenate(numbers().batch(3, True)), edl.TensorSpec((None,), "int64")),
    "text": (lambda: Dataset.from_tensor_slices(["a"]), edl.data.ArraySpec((), "U")),
    "window": (lambda: numbers().window(2), edl.data.DatasetSpec(edl.TensorSpec((), "int64"))),
    "enumerate": (lambda: numbers().enumerate(), (edl.TensorSpec((), "int64"),) * 2),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_element_spec(name):
    make, expected = SPECS[name]
    assert make().element_spec == expected


def test_cardinality_of_what_has_no_end():
    endless = numbers().repeat()
    assert endless.cardinality() == INFINITE_CARDINALITY == Dataset.counter().cardinality()
    assert endless.take(7).cardinality() == 7 and endless.batch(2).cardinality() == INFINITE_CARDINALITY
    assert Dataset.zip(endless, numbers(4)).cardinality() == 4
    with pytest.raises(TypeError, match="infinite"):
        len(endless)
    with pytest.raises(TypeError, match="unknown size"):
        len(numbers().filter(lambda x: True))
    assert bool(numbers(0)) and list(endless.take(2).as_numpy_iterator()) == [0, 1]


def test_reduce_and_single_element():
    assert int(numbers(5).reduce(np.int64(1), lambda total, x: total + x)) == 11
    total, count = Dataset.zip(numbers(4), numbers(4)).reduce(
        (0, 0), lambda state, pair: (state[0] + pair[1], state[1] + 1)
    )
    assert (int(total), int(count)) == (6, 4)
    assert numbers(3).batch(5).get_single_element().tolist() == [0, 1, 2]


def test_list_files(tmp_path):
    for name in ("b.txt", "a.txt", "c.csv"):
        (tmp_path / name).write_text(name)
    pattern = str(tmp_path / "*.txt")
    expected = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    assert values(Dataset.list_files(pattern, shuffle=False)) == expected
    assert sorted(values(Dataset.list_files([pattern, pattern], seed=1))) == expected
    contents = Dataset.list_files(pattern, shuffle=False).map(lambda name: pathlib.Path(name).read_text())
    assert values(contents) == ["a.txt", "b.txt"]


def test_options():
    options = Options()
    options.threading.private_threadpool_size = 3
    options.deterministic = True
    dataset = numbers(3).with_options(options).map(lambda x: x, AUTOTUNE)
    assert dataset.options() == options and values(dataset) == [0, 1, 2]
    with pytest.raises(errors.ArgumentError, match=r"'determinstic', did you mean 'deterministic'\?"):
        options.determinstic = True


# -- positions ----------------------------------------------------------------------------------


def unseeded(dataset):
    return dataset.shuffle(4)


LONG = np.arange(40).reshape(20, 2)
WALKS = {
    **{name: make for name, (make, _) in VALUES.items()},
    "shuffle of arrays": lambda: Dataset.from_tensor_slices((LONG, LONG[:, 0])).shuffle(7),
    "whole shuffle": lambda: numbers(12).shuffle(100),
    "shuffle of elements": lambda: numbers(12).filter(lambda x: True).shuffle(5),
    "shuffle of a map": lambda: numbers(12).map(lambda x: x + 1).shuffle(5),
    "shuffle of structures": lambda: Dataset.from_generator(lambda: ({"a": i, "b": (f"t{i}", None)} for i in range(9))).shuffle(4),
    "shuffle of windows": lambda: numbers(9).window(2).shuffle(3),
    "shuffle, batch": lambda: numbers(17).shuffle(5).batch(3),
    "shuffle, repeat": lambda: numbers(4).shuffle(4).repeat(4),
    "shuffle, batch, repeat": lambda: numbers(5).shuffle(4).batch(2).repeat(3),
    "repeat, shuffle": lambda: numbers(4).repeat().shuffle(6).take(18),
    "repeat, shuffle, batch": lambda: numbers(4).repeat().shuffle(6).batch(4).take(5),
    "shuffle, shuffle": lambda: numbers(9).shuffle(4).shuffle(3),
    "shuffle, concatenate, repeat": lambda: numbers(3).shuffle(3).concatenate(numbers(2).shuffle(2)).repeat(3),
    "fixed shuffle, repeat": lambda: numbers(4).shuffle(4, reshuffle_each_iteration=False).repeat(3),
    "prefetch": lambda: numbers(12).shuffle(5).batch(2).prefetch(3),
    "prefetch elements": lambda: numbers(12).filter(lambda x: True).shuffle(5).prefetch(3),
    "prefetch, batch, prefetch": lambda: numbers(12).prefetch(3).batch(2).prefetch(2),
    "parallel map": lambda: numbers(12).shuffle(5).map(lambda x: x * 2, 3),
    "parallel map of elements": lambda: numbers(12).filter(lambda x: True).shuffle(4).map(lambda x: x * 2, 3).prefetch(2),
    "generator, prefetch": lambda: rows(*range(1, 9)).prefetch(3),
    "interleave shuffles": lambda: numbers(5).interleave(lambda n: unseeded(Dataset.range(n + 2)), 3, 2),
    "interleave threads": lambda: numbers(5).interleave(lambda n: Dataset.range(n + 2), 3, 2, num_parallel_calls=2),
    "interleave of elements": lambda: unseeded(numbers(5).filter(lambda x: True)).interleave(lambda n: Dataset.range(n + 2), 2),
    "flat_map windows": lambda: numbers(9).window(3).flat_map(lambda window: window.shuffle(3, seed=5)),
    "group shuffles": lambda: numbers(11).group_by_window(lambda x: x % 2, lambda key, part: unseeded(part), 3),
    "window of elements": lambda: unseeded(numbers(8).filter(lambda x: True)).window(3, 1),
    "unbatch of elements": lambda: unseeded(numbers(9).batch(2).filter(lambda x: True)).unbatch(),
    "cached shuffle": lambda: numbers(6).shuffle(6).cache().repeat(3),
    "shuffled cache": lambda: numbers(6).cache().shuffle(6).repeat(2),
    "sample": lambda: Dataset.sample_from_datasets([numbers(5), numbers(9)], [0.3, 0.7]),
    "sample anew": lambda: Dataset.sample_from_datasets([numbers(5), numbers(9)], rerandomize_each_iteration=True).repeat(2),
    "random": lambda: Dataset.random().take(5),
    "random anew": lambda: Dataset.random(rerandomize_each_iteration=True).take(3).repeat(2),
    "zip shuffles": lambda: Dataset.zip(numbers(7).shuffle(3), numbers(6).shuffle(6).prefetch(2)),
    "shard of a shuffle": lambda: numbers(13).shuffle(5).shard(3, 1),
    "skip, take of a shuffle": lambda: numbers(13).shuffle(5).skip(3).take(7).batch(2),
}  # fmt: skip


def through_json(state):
    """A state as files hold it: JSON and arrays of numbers; refuses anything else."""
    arrays = []

    def pack(value):
        if isinstance(value, np.ndarray):
            assert value.dtype.kind in "biufc", value.dtype
            arrays.append(value.copy())
            return {"__array__": len(arrays) - 1}
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value), value
            return {key: pack(one) for key, one in value.items()}
        if isinstance(value, list):
            return [pack(one) for one in value]
        assert value is None or type(value) in (int, float, str, bool), (type(value), value)
        return value

    def unpack(value):
        if isinstance(value, dict):
            return (
                arrays[value["__array__"]] if "__array__" in value else {key: unpack(one) for key, one in value.items()}
            )
        return [unpack(one) for one in value] if isinstance(value, list) else value

    return unpack(json.loads(json.dumps(pack(state))))


@pytest.mark.parametrize("name", WALKS)
def test_a_saved_position_gives_the_same_rest(name):
    make = WALKS[name]
    dataset = make()
    list(dataset)  # an earlier pass, so that this is not the first round
    iterator, seen, states = iter(dataset), [], []
    while True:
        states.append(through_json(iterator.state()))
        try:
            seen.append(plain(next(iterator)))
        except StopIteration:
            break
    states.append(through_json(iterator.state()))
    following = values(dataset)  # the next pass
    for position, state in enumerate(states):
        again_dataset = make()  # seeds of its own, as in another process
        again = iter(again_dataset)
        for _ in range(position % 3):  # it need not be fresh
            next(again, None)
        again.restore(state)
        assert [plain(element) for element in again] == seen[position:], position
        with pytest.raises(StopIteration):
            next(again)
    assert values(again_dataset) == following, "the pass after the restored one"


@pytest.mark.parametrize("name", WALKS)
def test_a_position_is_the_same_after_restoring(name):
    iterator = iter(WALKS[name]())
    for _ in range(3):
        next(iterator, None)
    state = through_json(iterator.state())
    rest = [plain(element) for element in iterator]
    iterator.restore(state)
    middle = through_json(iterator.state())
    iterator.restore(middle)
    assert [plain(element) for element in iterator] == rest


def steps():
    """Transformations as (text, function)."""
    count = st.integers(0, 6)
    size = st.integers(1, 6)
    return st.one_of(
        count.map(lambda n: (f"take({n})", lambda d: d.take(n))),
        count.map(lambda n: (f"skip({n})", lambda d: d.skip(n))),
        st.integers(1, 3).map(lambda n: (f"repeat({n})", lambda d: d.repeat(n))),
        size.map(lambda n: (f"shuffle({n})", lambda d: d.shuffle(n, seed=n))),
        st.integers(1, 3).map(lambda n: (f"shard({n})", lambda d: d.shard(n, n - 1))),
        st.integers(1, 3).map(lambda n: (f"batch({n}), unbatch", lambda d: d.batch(n).unbatch())),
        st.just(("map", lambda d: d.map(lambda x: x + 1))),
        st.just(("filter", lambda d: d.filter(lambda x: x % 3 != 0))),
        st.just(("prefetch", lambda d: d.prefetch(2))),
        st.just(("parallel map", lambda d: d.map(lambda x: x - 1, 2))),
        st.just(("cache", lambda d: d.cache())),
        st.just(("window", lambda d: d.window(2, 1).flat_map(lambda part: part))),
    )


@settings(max_examples=60, deadline=None)
@given(chain=st.lists(steps(), max_size=4), position=st.integers(0, 12))
def test_any_chain_can_be_saved_anywhere(chain, position):
    def make():
        dataset = Dataset.range(9)
        for _, step in chain:
            dataset = step(dataset)
        return dataset.take(40)

    everything = values(make())
    iterator = iter(make())
    for _ in range(position):
        next(iterator, None)
    again = iter(make())
    again.restore(through_json(iterator.state()))
    assert [plain(element) for element in again] == everything[position:], [text for text, _ in chain]


@settings(max_examples=60, deadline=None)
@given(chain=st.lists(steps(), max_size=3), count=st.integers(0, 12))
def test_skip_and_take_are_slices(chain, count):
    dataset = Dataset.range(9)
    for _, step in chain:
        dataset = step(dataset)
    fixed = [plain(element) for element in dataset.iterator(epoch=0)]
    assert [plain(element) for element in dataset.skip(count).iterator(epoch=0)] == fixed[count:]
    assert [plain(element) for element in dataset.take(count).iterator(epoch=0)] == fixed[:count]
    assert dataset.cardinality() in (len(fixed), UNKNOWN_CARDINALITY)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(0, 7), count=st.integers(0, 20), times=st.integers(0, 3))
def test_algebra_of_repeat_take_and_skip(n, count, times):
    whole = list(range(n))
    assert values(numbers(n).repeat(times).take(count)) == (whole * times)[:count]
    assert values(numbers(n).repeat(times).skip(count)) == (whole * times)[count:]
    assert values(numbers(n).take(count).repeat(times)) == whole[:count] * times
    assert values(numbers(n).take(count).concatenate(numbers(n).skip(count))) == whole
    assert values(numbers(n).repeat().take(count)) == (whole * 20)[:count]


def test_states_of_arrays_are_small_and_hold_no_elements():
    dataset = Dataset.from_tensor_slices(np.zeros((10_000, 50))).shuffle(5_000).batch(32).prefetch(2)
    iterator = iter(dataset)
    next(iterator)
    assert len(json.dumps(through_json(iterator.state()))) < 1500


def test_a_position_of_arrays_is_found_without_reading():
    calls = []
    make = lambda: numbers(1000).map(lambda x: (calls.append(1), x)[1]).batch(10)  # noqa: E731
    iterator = iter(make())
    for _ in range(50):
        next(iterator)
    state = iterator.state()
    calls.clear()
    again = iter(make())
    again.restore(state)
    assert not calls and next(again).tolist() == list(range(500, 510)) and len(calls) == 10


@pytest.mark.parametrize(
    "change", [lambda d: d.shuffle(6).batch(3), lambda d: d.batch(2), lambda d: d.shuffle(6, seed=1)]
)
def test_a_state_of_another_pipeline_is_refused(change):
    state = iter(numbers(8).shuffle(5, seed=1).batch(3)).state()
    with pytest.raises(
        errors.ArgumentError, match=r"must be built as the one whose state it is; the state is of range.* > shuffle"
    ):
        iter(change(numbers(8))).restore(state)
    with pytest.raises(errors.ArgumentError, match="format"):
        iter(numbers(8)).restore({"position": 3})


def test_a_generator_that_became_shorter_is_noticed():
    iterator = iter(rows(1, 2, 3))
    for _ in range(3):
        next(iterator)
    with pytest.raises(errors.ArgumentError, match="3 elements were read; now it ended after 1"):
        iter(rows(1)).restore(iterator.state())


# -- shuffles -----------------------------------------------------------------------------------


def reference_shuffle(items, size, slots):
    """The algorithm of tf.data with given slots."""
    items, buffer, out = list(items), [], []
    while items or buffer:
        while items and len(buffer) < size:
            buffer.append(items.pop(0))
        slot = next(slots)(len(buffer))
        out.append(buffer[slot])
        if items:
            buffer[slot] = items.pop(0)
        else:
            last = buffer.pop()
            if slot < len(buffer):
                buffer[slot] = last
    return out


@pytest.mark.parametrize(("n", "size"), [(1, 1), (7, 3), (9, 9), (6, 50), (1000, 30), (700, 700)])
def test_shuffle_is_the_algorithm_through_a_buffer(n, size):
    stream = stream_of(3, (2,)).bits(64, n).tolist()
    slots = iter([(lambda limit, word=word: word * limit >> 64) for word in stream])
    dataset = numbers(n).shuffle(size, seed=3)
    assert [int(x) for x in dataset.iterator(epoch=2)] == reference_shuffle(range(n), size, slots)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 60), size=st.integers(1, 70), batch=st.integers(1, 9), skip=st.integers(0, 9), times=st.integers(1, 3),
       drop=st.booleans())  # fmt: skip
def test_gathered_batches_are_those_of_the_slow_path(n, size, batch, skip, times, drop):
    arrays = {
        "x": np.arange(n * 2).reshape(n, 2),
        "y": np.arange(n) * 0.5,
        "t": np.array([f"t{i}" for i in range(n)], dtype="U4"),
    }

    def end(dataset):
        return dataset.skip(skip).shuffle(size, seed=4).repeat(times).batch(batch, drop)

    fast, slow = (
        end(Dataset.from_tensor_slices(arrays)),
        end(Dataset.from_tensor_slices(arrays).map(lambda element: element)),
    )
    assert fast._pipeline.input.base is not None and slow._pipeline.input.base is None
    assert values(fast) == values(slow)
    for a, b in zip(fast, slow, strict=True):
        assert a["x"].dtype == b["x"].dtype and a["x"].shape == b["x"].shape


def test_shuffle_depends_on_seed_and_round_only():
    first = numbers(20).shuffle(8, seed=1)
    one, two = values(first), values(first)
    assert one != two and sorted(one) == sorted(two) == list(range(20))
    again = numbers(20).shuffle(8, seed=1)
    assert [values(again), values(again)] == [one, two]
    assert [plain(x) for x in again.iterator(epoch=0)] == one and [plain(x) for x in again.iterator(epoch=1)] == two
    assert values(numbers(20).shuffle(8, seed=1).repeat(2)) == one + two
    assert values(numbers(20).shuffle(8, seed=2)) != one
    fixed = numbers(20).shuffle(8, seed=1, reshuffle_each_iteration=False)
    assert values(fixed) == values(fixed) == one


def test_new_datasets_on_one_shuffle_have_new_orders():
    shuffled = numbers(20).shuffle(20, seed=1)
    assert values(shuffled.batch(20)) != values(shuffled.batch(20))


def test_unseeded_orders_follow_the_global_seed_and_numpy_is_left_alone():
    before = np.random.get_state()[1].tolist()
    orders = []
    for _ in range(2):
        edl.random.set_seed(5)
        orders.append(values(numbers(30).shuffle(30)))
    assert orders[0] == orders[1] != values(numbers(30).shuffle(30))
    assert np.random.get_state()[1].tolist() == before


def test_whole_shuffles_give_all_orders_equally_often():
    counts = collections.Counter(tuple(values(numbers(3).shuffle(3, seed=seed))) for seed in range(600))
    assert len(counts) == 6
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 20.5  # chi-square, 5 degrees, p = 0.001


def test_sample_from_datasets_draws_by_weight():
    parts = [Dataset.from_tensors(i).repeat() for i in range(3)]
    drawn = values(Dataset.sample_from_datasets(parts, [1, 0, 3], seed=1).take(2000))
    counts = [drawn.count(i) for i in range(3)]
    assert counts[1] == 0 and abs(counts[0] - 500) < 4 * math.sqrt(2000 * 0.25 * 0.75)
    ends = values(Dataset.sample_from_datasets([numbers(3), numbers(5)], seed=1))
    assert sorted(ends) == sorted([*range(3), *range(5)])
    stopped = values(Dataset.sample_from_datasets([numbers(3), numbers(500)], seed=1, stop_on_empty_dataset=True))
    assert 3 <= len(stopped) < 100


def test_random_numbers():
    first = values(Dataset.random(seed=4).take(500))
    assert first == values(Dataset.random(seed=4).take(500)) and len(set(first)) == 500
    assert 0 <= min(first) and max(first) < 2**32 and abs(np.mean(first) / 2**32 - 0.5) < 0.06
    anew = Dataset.random(seed=4, rerandomize_each_iteration=True).take(3)
    assert values(anew) != values(anew)
    assert values(Dataset.random(seed=4).skip(3).take(2)) == first[3:5]


# -- threads ------------------------------------------------------------------------------------


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("eagerdl")]


def test_prefetch_reads_ahead_so_far_and_no_further():
    read = []
    iterator = iter(numbers(50).map(lambda x: (read.append(int(x)), x)[1]).prefetch(4))
    next(iterator)
    for _ in range(200):
        if len(read) == 5:
            break
        time.sleep(0.005)
    time.sleep(0.02)
    assert read == [0, 1, 2, 3, 4]


def test_threads_end_with_their_iterator():
    iterator = iter(numbers(1000).map(lambda x: x, 3).prefetch(2).batch(2).prefetch(2))
    next(iterator)
    assert threads()
    del iterator
    gc.collect()
    for _ in range(400):
        if not threads():
            break
        time.sleep(0.005)
    assert not threads()


def fail_at(number):
    def function(x):
        if int(x) == number:
            raise ZeroDivisionError(f"at {number}")
        return x

    return function


@pytest.mark.parametrize("make", [lambda d: d.prefetch(2), lambda d: d.map(lambda x: x, 3), lambda d: d.map(fail_at(9), 3),
                                  lambda d: d.map(lambda x: x, 2).prefetch(3)])  # fmt: skip
def test_errors_in_threads_come_where_they_belong(make):
    iterator, seen = iter(make(numbers(9).map(fail_at(5)))), []
    with pytest.raises(ZeroDivisionError, match="at 5"):
        for element in iterator:
            seen.append(int(element))
    assert seen == [0, 1, 2, 3, 4]


def test_parallel_map_works_at_the_same_time():
    barrier = threading.Barrier(3, timeout=20)
    assert values(numbers(6).map(lambda x: (barrier.wait(), x)[1], 3)) == [0, 1, 2, 3, 4, 5]


def test_a_function_that_raises_stop_iteration_does_not_end_the_dataset():
    def stop(x):
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(numbers(3).map(stop))


# -- cache and files ----------------------------------------------------------------------------


def test_cache_computes_once():
    calls = []
    dataset = numbers(4).map(lambda x: (calls.append(1), x)[1]).cache()
    next(iter(dataset))  # a pass that is broken off keeps nothing
    assert values(dataset) == values(dataset) == [0, 1, 2, 3] and len(calls) == 5


ELEMENTS = {
    "numbers": lambda: numbers(5),
    "structures": lambda: Dataset.from_tensor_slices(
        {"a": np.eye(3, dtype="float32"), "b": (np.arange(3), ["x", "yy", "z"])}
    ),
    "bfloat16": lambda: numbers(3).map(lambda x: edl.cast(x, "bfloat16")),
    "ragged": lambda: rows(1, 2, 3),
    "bytes": lambda: Dataset.from_tensor_slices([b"a\0", b"\xff"]),
    "nothing": lambda: numbers(0),
}


@pytest.mark.parametrize("compression", [None, "GZIP"])
@pytest.mark.parametrize("name", ELEMENTS)
def test_saved_datasets_come_back(tmp_path, name, compression, monkeypatch):
    monkeypatch.setattr(edl.data.storage, "PART_ELEMENTS", 2)
    dataset = ELEMENTS[name]()
    dataset.save(tmp_path / "d", compression)
    loaded = Dataset.load(tmp_path / "d")
    assert values(loaded) == values(dataset) and len(loaded) == len(values(dataset))
    if len(loaded):
        assert loaded.element_spec == Dataset.from_tensors(next(iter(dataset))).element_spec
    dataset.save(tmp_path / "d")  # over itself
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d"]


def test_saving_loses_nothing_when_it_fails(tmp_path):
    numbers(3).save(tmp_path / "d")
    with pytest.raises(ZeroDivisionError):
        numbers(9).map(fail_at(5)).save(tmp_path / "d")
    assert values(Dataset.load(tmp_path / "d")) == [0, 1, 2] and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("make", [lambda d, path: d.cache(path), lambda d, path: d.snapshot(path)])
def test_cache_in_a_folder(tmp_path, make):
    calls = []
    source = numbers(4).map(lambda x: (calls.append(1), x)[1])
    for _ in range(2):
        dataset = make(source, str(tmp_path / "c"))
        assert values(dataset) == values(dataset) == [0, 1, 2, 3]
    assert len(calls) == 4
    iterator = iter(make(source, str(tmp_path / "c2")))
    next(iterator)
    del iterator
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["c"], "a pass that is broken off leaves nothing"


# -- arrays -------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 40), size=st.integers(1, 45), shuffle=st.sampled_from([False, True, "batch"]), drop=st.booleans(),
       epoch=st.integers(0, 3), position=st.integers(0, 40))  # fmt: skip
def test_array_batches(n, size, shuffle, drop, epoch, position):
    arrays = {"x": np.arange(2 * n).reshape(n, 2), "y": (np.arange(n), None)}
    batches = ArrayBatches(arrays, size, shuffle, seed=3, drop_remainder=drop)
    found = list(batches.epoch(epoch))
    assert len(found) == len(batches) == batches.num_batches
    order = [int(i) for batch in found for i in batch["y"][0]]
    assert all((batch["x"][:, 0] == 2 * batch["y"][0]).all() and batch["y"][1] is None for batch in found)
    kept = n - n % size if drop else n
    if shuffle is True:
        assert order == permutation(n, 3, epoch)[:kept].tolist()
    elif shuffle == "batch":
        parts = [order[start : start + size] for start in range(0, kept, size)]
        assert [sorted(part) for part in parts] == [
            list(range(n))[start : start + size] for start in range(0, kept, size)
        ]
    else:
        assert order == list(range(kept))
    iterator = batches.epoch(epoch)
    for _ in range(position):
        next(iterator, None)
    state = through_json(iterator.state())
    again = ArrayBatches(arrays, size, shuffle, seed=99, drop_remainder=drop).epoch(0)
    again.restore(state)
    assert [b["y"][0].tolist() for b in again] == [b["y"][0].tolist() for b in iterator]


def test_permutations():
    assert sorted(permutation(50, 1, 0).tolist()) == list(range(50))
    assert permutation(50, 1, 0).tolist() == permutation(50, 1, 0).tolist()
    orders = {tuple(permutation(50, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


# -- PyDataset ----------------------------------------------------------------------------------


class Squares(PyDataset):
    def __init__(self, count=6, fail=None, **kwargs):
        super().__init__(**kwargs)
        self.count, self.fail = count, fail

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index == self.fail:
            raise KeyError("broken")
        time.sleep(0.002 * (index % 3))
        return np.array([index, index]), np.array([index**2, 0])


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_py_datasets_keep_their_order(workers):
    assert [x.tolist()[0] for x, _ in Squares(9, workers=workers, max_queue_size=3)] == list(range(9))


def test_py_dataset_needs_no_super_call():
    class Plain(PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return index

    assert list(Plain()) == [0, 1] and Plain().workers == 1 and Plain().num_batches == 2
    assert edl.data.Sequence is PyDataset


@pytest.mark.parametrize("workers", [1, 3])
def test_errors_of_py_datasets_name_the_batch(workers):
    with pytest.raises(KeyError, match="broken") as caught:
        list(Squares(fail=4, workers=workers))
    assert caught.value.__notes__ == ["while computing batch 4 of Squares"]


def test_py_datasets_in_processes():
    assert [y.tolist()[0] for _, y in Squares(4, workers=1, use_multiprocessing=True)] == [0, 1, 4, 9]


def test_py_datasets_that_cannot_travel_are_refused():
    class Local(Squares):
        pass

    with pytest.raises(errors.ArgumentError, match=r"can be pickled; Local: .*; define the class in a module"):
        next(iter(Local(use_multiprocessing=True)))


# -- what must fail -----------------------------------------------------------------------------

FAILS = [
    (lambda: Dataset.from_tensor_slices(3), errors.ShapeError, "arrays with a first axis are needed.*from_tensors"),
    (lambda: Dataset.from_tensor_slices((np.ones(3), np.ones((2, 4)))), errors.ShapeError, r"same length; got \(\(3,\) float64, \(2, 4\)"),
    (lambda: Dataset.from_tensor_slices(None), errors.ArgumentError, "at least one array"),
    (lambda: Dataset.from_tensor_slices({"a": object()}), errors.DTypeError, "can become a tensor"),
    (lambda: Dataset.from_generator(iter([1])), errors.DTypeError, "without calling it"),
    (lambda: Dataset.from_generator(lambda: 3).as_numpy_iterator().get_next(), errors.DTypeError, "must return a generator.*returned int"),
    (lambda: Dataset.from_generator(lambda: [1], output_types=int, output_signature=1), errors.ArgumentError, "either output_signature"),
    (lambda: list(Dataset.from_generator(lambda: [np.ones(2)], output_signature=edl.TensorSpec((3,)))), errors.ShapeError, r"element 0 has shape \(2,\)"),
    (lambda: list(Dataset.from_generator(lambda: [1, 1.5], output_signature=edl.TensorSpec((), int))), errors.DTypeError, "element 1 has dtype float32"),
    (lambda: list(Dataset.from_generator(lambda: [(1, 2)], output_signature=edl.TensorSpec((), int))), errors.ShapeError, "structure of output_signature"),
    (lambda: Dataset.range(1, 2, 0), errors.ArgumentError, "step must not be 0"),
    (lambda: Dataset.range(1.5), errors.DTypeError, "ints are needed"),
    (lambda: Dataset([1]), errors.DTypeError, "made by class methods"),
    (lambda: numbers().batch(0), errors.ArgumentError, r"\[batch\] batch_size must be at least 1; got 0"),
    (lambda: numbers().batch(2.0), errors.DTypeError, "batch_size is an int"),
    (lambda: numbers().shuffle(0), errors.ArgumentError, "buffer_size must be at least 1"),
    (lambda: numbers().shuffle(3, seed="a"), errors.DTypeError, "a seed is an int or None"),
    (lambda: numbers().take(-2), errors.ArgumentError, "count must be at least 0"),
    (lambda: numbers().shard(2, 2), errors.ArgumentError, "index must be below num_shards"),
    (lambda: numbers().window(2, 0), errors.ArgumentError, "shift must be at least 1"),
    (lambda: numbers().prefetch(-3), errors.ArgumentError, "buffer_size"),
    (lambda: list(rows(1, 2).batch(2)), errors.ShapeError, r"the first has \(1,\), number 1 has \(2,\); use padded_batch"),
    (lambda: list(numbers(2).map(lambda x: x if int(x) else 0.5).batch(2)), errors.DTypeError, "one dtype; got float32, int64"),
    (lambda: list(numbers(2).map(lambda x: (x, x) if int(x) else x).batch(2)), errors.ShapeError, r"one structure; the first is \(\) int64, number 1"),
    (lambda: list(numbers(4).window(2).batch(2)), errors.DTypeError, "batch inside"),
    (lambda: list(rows(3).padded_batch(1, [2])), errors.ShapeError, r"must fit into padded_shapes \(2,\); number 0 of the batch has shape \(3,\)"),
    (lambda: list(rows(3).padded_batch(1, [2, 2])), errors.ShapeError, "same number of axes"),
    (lambda: list(rows(3).padded_batch(1, None, 0.5)), errors.DTypeError, "padding value must fit int32"),
    (lambda: list(Dataset.zip(rows(3), rows(2)).padded_batch(1, [None])), errors.ShapeError, "padded_shapes must have the structure"),
    (lambda: numbers().ragged_batch(2), AttributeError, "use padded_batch"),
    (lambda: list(numbers().unbatch()), errors.ShapeError, r"same first axis; got \(\) int64"),
    (lambda: list(numbers().filter(lambda x: edl.ones((2,)))), errors.ArgumentError, "must return one number"),
    (lambda: list(numbers().flat_map(lambda x: x)), errors.DTypeError, "must return a Dataset; it returned Tensor"),
    (lambda: list(numbers().scan(0, lambda s, x: x)), errors.ArgumentError, "a state and an output"),
    (lambda: numbers().group_by_window(len, len), errors.ArgumentError, "either window_size or window_size_func"),
    (lambda: numbers().bucket_by_sequence_length(len, [3, 2], [1, 1, 1]), errors.ArgumentError, "boundaries must increase"),
    (lambda: numbers().bucket_by_sequence_length(len, [3], [1]), errors.ArgumentError, "one more than boundaries"),
    (lambda: list(rows(4).bucket_by_sequence_length(len, [3], [1, 1], pad_to_bucket_boundary=True)), errors.ArgumentError, "lengths must be below 3"),
    (lambda: Dataset.choose_from_datasets([], numbers()), errors.ArgumentError, "a list of datasets"),
    (lambda: list(Dataset.choose_from_datasets([numbers()], numbers().skip(2))), errors.RangeError, "between 0 and 0; got 2"),
    (lambda: Dataset.sample_from_datasets([numbers()], [1, 2]), errors.ArgumentError, r"1 weights .* got \[1.0, 2.0\]"),
    (lambda: Dataset.zip(numbers(), [1]), errors.DTypeError, "a Dataset is needed; got int"),
    (lambda: numbers().concatenate([1]), errors.DTypeError, "a Dataset is needed"),
    (lambda: numbers().apply(lambda d: 3), errors.DTypeError, "a Dataset is needed"),
    (lambda: Dataset.list_files("/nowhere/*.txt"), errors.ArgumentError, "none matches '/nowhere"),
    (lambda: Dataset.load("/nowhere"), errors.ArgumentError, "/nowhere has no dataset.json"),
    (lambda: numbers().repeat().save("/nowhere"), errors.ArgumentError, "the dataset must end"),
    (lambda: numbers().get_single_element(), errors.ArgumentError, "exactly one element.*has more"),
    (lambda: numbers(0).map(lambda x: x).element_spec, errors.ArgumentError, "an empty dataset has no element"),
    (lambda: numbers().with_options({}), errors.DTypeError, "Options"),
    (lambda: ArrayBatches(np.ones(0)), errors.ArgumentError, "at least one row"),
    (lambda: ArrayBatches([np.ones(2), np.ones(3)]), errors.ShapeError, r"same length; got \[2, 3\]"),
    (lambda: ArrayBatches(np.ones(2), shuffle="rows"), errors.ArgumentError, "'batch'"),
    (lambda: list(PyDataset()), AttributeError, "must have __len__"),
    (lambda: PyDataset(workers=-1), errors.DTypeError, "workers is an int"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "error", "match"), FAILS, ids=[match[:40] for _, _, match in FAILS])
def test_bad_input_is_refused_with_a_message(act, error, match):
    with pytest.raises(error, match=match):
        act()


def test_damaged_files_are_refused(tmp_path):
    numbers(5).save(tmp_path / "d")
    part = tmp_path / "d" / "part-00000.npz"
    part.write_bytes(part.read_bytes()[:40])
    with pytest.raises(errors.ArgumentError, match=r"must be whole; .*part-00000\.npz"):
        list(Dataset.load(tmp_path / "d"))
    (tmp_path / "d" / "dataset.json").write_text("{")
    with pytest.raises(errors.ArgumentError, match="must be whole"):
        Dataset.load(tmp_path / "d")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "mine.txt").write_text("mine")
    with pytest.raises(errors.ArgumentError, match="holds other files"):
        numbers(2).save(tmp_path / "e")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "e"]


class Exits(Squares):
    """Ends the process that computes it."""

    def __getitem__(self, index):
        os._exit(1)


def test_a_process_that_ends_is_said_clearly():
    with pytest.raises(errors.ArgumentError, match=r"one of them ended: .*protect the script's start with if __name__"):
        list(Exits(4, workers=1, use_multiprocessing=True, max_queue_size=1))
