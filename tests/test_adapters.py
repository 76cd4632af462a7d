"""Data for `fit`: every kind as batches, positions that can be saved, and what is refused."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import eagerdl as edl
from eagerdl import errors
from eagerdl.data import (
    Dataset,
    PyDataset,
    as_batches,
    class_weight_to_sample_weights,
    pack_x_y_sample_weight,
    train_validation_split,
    unpack_x_y_sample_weight,
)
from tests.test_data import Squares, through_json

N = 7
X = np.arange(N * 2, dtype="float32").reshape(N, 2)
Y = np.arange(N)


class Series:
    """As much of a column of pandas as is used here."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.dtypes = self.values.dtype
        self.iloc = self

    def to_numpy(self):
        return self.values


class Frame:
    """As much of a table of pandas as is used here."""

    def __init__(self, **columns):
        self.columns = {name: np.asarray(column) for name, column in columns.items()}
        self.dtypes = {name: column.dtype for name, column in self.columns.items()}
        self.iloc = self

    def to_numpy(self):
        return np.stack([column.astype(np.result_type(*self.dtypes.values())) for column in self.columns.values()], 1)


class TorchTensor:
    """As much of a tensor of torch as is used here."""

    def __init__(self, value):
        self.value, self.shape = np.asarray(value), np.asarray(value).shape

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.value

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("can't call numpy() on a tensor that requires grad")


class Loader:
    """An iterable of batches, as a DataLoader."""

    batch_size = 3

    def __len__(self):
        return 3

    def __iter__(self):
        for start in range(0, N, 3):
            yield [TorchTensor(X[start : start + 3]), TorchTensor(Y[start : start + 3])]


class Batched(PyDataset):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = []

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[3 * index : 3 * index + 3], Y[3 * index : 3 * index + 3]

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


def stream():
    for start in range(0, N, 3):
        yield X[start : start + 3], Y[start : start + 3]


def endless():
    number = 0
    while True:
        yield np.full((2, 2), number, "float32"), np.full(2, number)
        number += 1


def plain(batch):
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(map(plain, batch))
    return batch if batch is None else batch.tolist()


def read(batches, epoch=0, steps=None):
    return [plain(batch) for batch in batches.epoch(epoch, steps)]


PARTS = [(X[start : start + 3].tolist(), Y[start : start + 3].tolist()) for start in range(0, N, 3)]

SAME = {
    "numpy": lambda: as_batches(X, Y, batch_size=3),
    "float64": lambda: as_batches(X.astype("float64"), Y, batch_size=3),
    "float16": lambda: as_batches(X.astype("float16"), Y, batch_size=3),
    "big-endian": lambda: as_batches(X.astype(">f4"), Y.astype(">i8"), batch_size=3),
    "tensors": lambda: as_batches(edl.constant(X), edl.constant(Y), batch_size=3),
    "variables": lambda: as_batches(edl.Variable(X), edl.Variable(Y), batch_size=3),
    "lists": lambda: as_batches(X.tolist(), Y.tolist(), batch_size=3),
    "tuples": lambda: as_batches(tuple(map(tuple, X.tolist())), tuple(Y.tolist()), batch_size=3),
    "torch": lambda: as_batches(TorchTensor(X), TorchTensor(Y), batch_size=3),
    "frame": lambda: as_batches(Frame(a=X[:, 0].astype("float64"), b=X[:, 1].astype(int)), Y, batch_size=3),
    "sparse": lambda: as_batches(scipy.sparse.coo_matrix(X), Y, batch_size=3),
    "steps": lambda: as_batches(X, Y, steps=3),
    "dataset": lambda: as_batches(Dataset.from_tensor_slices((X, Y)).batch(3)),
    "generator": lambda: as_batches(stream()),
    "iterator": lambda: as_batches(iter(list(stream()))),
    "lists of a generator": lambda: as_batches([x.tolist(), y.tolist()] for x, y in stream()),
    "function": lambda: as_batches(stream),
    "loader": lambda: as_batches(Loader()),
    "py_dataset": lambda: as_batches(Batched()),
    "py_dataset workers": lambda: as_batches(Batched(workers=2)),
    "itself": lambda: as_batches(as_batches(X, Y, batch_size=3)),
}


@pytest.mark.parametrize("name", SAME)
def test_every_kind_gives_the_same_batches(name):
    batches = SAME[name]()
    assert batches.num_batches in (3, None)
    found = list(batches.epoch(0))
    assert [plain(batch) for batch in found] == PARTS
    assert all(isinstance(x, edl.Tensor) and isinstance(y, edl.Tensor) for x, y in found)
    assert {x.dtype.name for x, _ in found} == {"float32"}


STRUCTURES = {
    "x": (X, None, None),
    "x of several": ([X, X[:, 0]], Y, None),
    "x of one": ([X], None, None),
    "dict": ({"a": X, "b": Y}, {"c": Y}, None),
    "tuple": ((X, Y), (Y, X), None),
    "weights": (X, Y, Y * 0.5),
    "weights for several": (X, [Y, X], [Y * 0.5, Y * 2.0]),
    "none inside": ({"a": X, "b": None}, Y, None),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_of_arrays(name):
    x, y, weight = STRUCTURES[name]
    rows = []
    for batch in as_batches(x, y, weight, batch_size=N).epoch(0):
        rows.append(plain(batch))
    assert rows == [plain(pack_x_y_sample_weight(x, y, weight))]


def test_one_weight_serves_several_targets():
    for y in ([Y, X], {"a": Y, "b": X}):
        ((_, _, weight),) = as_batches(X, y, Y * 1.0, batch_size=N).epoch(0)
        assert plain(weight) == (dict.fromkeys("ab", Y.tolist()) if isinstance(y, dict) else [Y.tolist()] * 2)


def test_dtypes_of_arrays():
    kinds = {
        "float64": "float32",
        "int8": "int8",
        "uint8": "uint8",
        "int64": "int64",
        "bool": "bool",
        "float16": "float32",
    }
    for before, after in kinds.items():
        x = next(iter(as_batches(X.astype(before)).epoch(0)))
        assert x.dtype == after
    text = next(iter(as_batches(np.array(["a", "b"])).epoch(0)))
    assert isinstance(text, np.ndarray) and text.tolist() == ["a", "b"]
    column = next(iter(as_batches(Series(np.array(["a", "b"], object))).epoch(0)))
    assert column.tolist() == [["a"], ["b"]]
    assert next(iter(as_batches(Series([1.0, 2.0])).epoch(0))).shape == (2, 1)


def test_batch_sizes_and_counts():
    assert (as_batches(np.zeros(70)).batch_size, as_batches(np.zeros(70)).num_batches) == (32, 3)
    assert as_batches(np.zeros(70), batch_size=32, drop_remainder=True).num_batches == 2
    assert as_batches(Dataset.range(7).batch(2)).num_batches == 4
    assert as_batches(Dataset.range(7).filter(lambda x: True).batch(2)).num_batches is None
    assert (as_batches(Loader()).num_batches, as_batches(Loader()).batch_size) == (3, 3)
    assert as_batches(stream()).num_batches is None


# -- orders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_shuffles_depend_on_seed_and_epoch(shuffle):
    def order(seed, epoch):
        return [
            int(y) for _, part in as_batches(X, Y, batch_size=4, shuffle=shuffle, seed=seed).epoch(epoch) for y in part
        ]

    assert order(1, 0) == order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0) and sorted(order(1, 0)) == Y.tolist()
    for x, y in as_batches(X, Y, batch_size=4, shuffle=shuffle, seed=1).epoch(0):
        assert (x[:, 0].numpy() == 2 * y.numpy()).all()


def test_unseeded_shuffles_follow_the_global_seed():
    def order():
        edl.random.set_seed(4)
        return read(as_batches(X, Y, batch_size=2, shuffle=True))

    assert order() == order()


def test_py_datasets_shuffle_their_batches():
    orders = [
        [int(x[0, 0]) // 6 for x, _ in as_batches(Batched(), shuffle=True, seed=2).epoch(epoch)] for epoch in range(8)
    ]
    assert all(sorted(order) == [0, 1, 2] for order in orders) and len(set(map(tuple, orders))) > 2


def test_py_dataset_hooks():
    dataset = Batched()
    batches = as_batches(dataset)
    read(batches)
    read(batches, 1, 2)
    assert dataset.calls == ["begin", "end", "begin", "end"]


def test_py_datasets_in_processes_see_changes_between_epochs():
    batches = as_batches(Growing(workers=1, use_multiprocessing=True))
    assert [int(x[0]) for epoch in range(2) for x in batches.epoch(epoch)] == [0, 1, 100, 101]


class Growing(Squares):
    def __init__(self, **kwargs):
        super().__init__(2, **kwargs)
        self.start = 0

    def __getitem__(self, index):
        return np.array([self.start + index])

    def on_epoch_end(self):
        self.start += 100


def test_steps_go_on_where_the_last_epoch_ended():
    batches = as_batches(endless())
    starts = [[int(y[0]) for _, y in batches.epoch(epoch, 3)] for epoch in range(3)]
    assert starts == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    batches = as_batches(np.arange(8), batch_size=2)
    assert [[int(x[0]) for x in batches.epoch(epoch, 2)] for epoch in range(4)] == [[0, 2], [4, 6], [0, 2], [4, 6]]


def test_reset_begins_anew():
    batches = as_batches(np.arange(8), batch_size=2)
    for _ in range(2):
        assert [int(x[0]) for x in batches.epoch(0, 3)] == [0, 2, 4]
        batches.reset()
    generated = as_batches(endless())
    read(generated, 0, 2)
    generated.reset()
    assert [int(y[0]) for _, y in generated.epoch(0, 2)] == [2, 3]


def test_data_that_end_inside_an_epoch_of_steps_warn_and_begin_anew():
    batches = as_batches(np.arange(6), batch_size=2)
    assert [int(x[0]) for x in batches.epoch(0, 2)] == [0, 2]
    with pytest.warns(UserWarning, match=r"the arrays ended after 1 of 2 batches of epoch 2; use repeat\(\)"):
        assert [int(x[0]) for x in batches.epoch(1, 2)] == [4]
    assert [int(x[0]) for x in batches.epoch(2, 2)] == [0, 2]


# -- positions ----------------------------------------------------------------------------------

SHUFFLED = {
    **SAME,
    "shuffled": lambda: as_batches(X, Y, batch_size=2, shuffle=True),
    "shuffled in batches": lambda: as_batches(X, Y, batch_size=3, shuffle="batch"),
    "shuffled sparse": lambda: as_batches(scipy.sparse.csr_array(X), Y, batch_size=2, shuffle=True),
    "shuffled dataset": lambda: as_batches(Dataset.from_tensor_slices((X, Y)).shuffle(5).batch(2).prefetch(2)),
    "shuffled py_dataset": lambda: as_batches(Batched(workers=2), shuffle=True),
}


@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("name", SHUFFLED)
def test_a_saved_position_gives_the_same_rest_of_the_run(name, steps):
    make = SHUFFLED[name]
    epochs = 1 if not make().rewinds else 3

    def run(batches, first, out, states=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # 3 or 4 batches are no multiple of the steps
            for epoch in range(first, epochs):
                for batch in batches.epoch(epoch, steps):
                    out.append((epoch, plain(batch)))
                    if states is not None:
                        states.append((epoch, len(out), through_json(batches.state())))
                if states is not None:
                    states.append((epoch, len(out), through_json(batches.state())))
        return out

    states = []
    everything = run(make(), 0, [], states)
    for epoch, done, state in states:
        batches = make()
        batches.restore(state)
        assert run(batches, epoch, []) == everything[done:], (epoch, done)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 30), size=st.integers(1, 9), epoch=st.integers(0, 4), position=st.integers(0, 12))
def test_positions_of_arrays(n, size, epoch, position):
    def make(seed):
        return as_batches(np.arange(n), batch_size=size, shuffle=True, seed=seed)

    batches, iterator = make(1), None
    iterator = batches.epoch(epoch)
    for _ in range(position):
        next(iterator, None)
    state, again = through_json(batches.state()), make(2)
    again.restore(state)
    if position:
        assert read(again, epoch) == [plain(batch) for batch in iterator]
    assert read(again, epoch + 1) == read(make(1), epoch + 1)


def test_positions_of_other_data_are_refused():
    state = as_batches(X).state()
    with pytest.raises(errors.ArgumentError, match="same kind of data; it is of arrays, this is Dataset"):
        as_batches(Dataset.range(3).batch(2)).restore(state)
    later = as_batches(stream())
    read(later)
    with pytest.raises(errors.ArgumentError, match="cannot go back"):
        later.restore(as_batches(stream()).state())
    with pytest.raises(errors.ArgumentError, match=r"must yield again what it did.*after 3 batches, it ended after 2"):
        as_batches(iter(list(stream())[:2])).restore(later.state())


# -- weights ------------------------------------------------------------------------------------

WEIGHTS = [
    ([0, 1, 2, 1], [0.5, 3.0, 1.0, 3.0]),
    ([[0], [1]], [0.5, 3.0]),
    ([[0.0, 1.0], [1.0, 0.0]], [3.0, 0.5]),
    ([0.0, 1.0], [0.5, 3.0]),
    ([[0, 0, 1], [1, 0, 0]], [1.0, 0.5]),
    ([True, False], [3.0, 0.5]),
]


@pytest.mark.parametrize(("y", "expected"), WEIGHTS)
def test_class_weights(y, expected):
    found = class_weight_to_sample_weights(np.array(y), {0: 0.5, 1: 3})
    assert found.dtype == np.float32 and found.tolist() == expected
    ((_, _, weight),) = as_batches(np.zeros(len(y)), np.array(y), class_weight={0: 0.5, 1: 3}).epoch(0)
    assert weight.tolist() == expected


def test_class_weights_of_datasets_and_generators():
    for data in (Dataset.from_tensor_slices((X, Y)).batch(3), stream(), Batched()):
        found = [weight.tolist() for _, _, weight in as_batches(data, class_weight={1: 2.0, 6: 0.0}).epoch(0)]
        assert found == [[1.0, 2.0, 1.0], [1.0, 1.0, 1.0], [0.0]]


def test_pack_and_unpack():
    assert unpack_x_y_sample_weight("x") == ("x", None, None)
    assert unpack_x_y_sample_weight(["x", "y"]) == ("x", "y", None)
    for parts in (("x",), ("x", "y"), ("x", "y", "w"), (("a", "b"),), (["a"], "y")):
        full = (*parts, None, None)[:3]
        assert unpack_x_y_sample_weight(pack_x_y_sample_weight(*parts)) == full
    assert pack_x_y_sample_weight("x") == "x" and pack_x_y_sample_weight(["x"]) == (["x"],)


@pytest.mark.parametrize(("n", "fraction", "expected"), [(10, 0.25, 7), (10, 0.2, 8), (3, 0.5, 1), (7, 0.1, 6)])
def test_train_validation_split(n, fraction, expected):
    arrays = ({"a": np.arange(n), "b": scipy.sparse.eye(n)}, list(range(n)), None)
    (x, y, none), (x_val, y_val, none_val) = train_validation_split(arrays, fraction)
    assert x["a"].tolist() + x_val["a"].tolist() == y.tolist() + y_val.tolist() == list(range(n))
    assert len(y) == expected == x["b"].shape[0] and none is none_val is None
    (batch,) = as_batches(x_val["b"], batch_size=n).epoch(0)
    assert batch.numpy().tolist() == np.eye(n)[expected:].tolist()


# -- what must fail -----------------------------------------------------------------------------


def ragged():
    yield X[:2], Y[:2]
    yield X[:2], [[1], [1, 2]]


def of(*batches):
    return lambda: read(as_batches(iter(batches)))


FAILS = [
    (lambda: as_batches(X, Y[:5]), errors.ShapeError, r"\[fit\] all arrays must have the same number of samples; x has 7, y has 5"),
    (lambda: as_batches({"a": X, "b": [Y[:3]]}, Y), errors.ShapeError, r"x\['a'\] has 7, x\['b'\]\[0\] has 3, y has 7"),
    (lambda: as_batches(X, Y, np.ones(3), where="evaluate"), errors.ShapeError, r"\[evaluate\] .* sample_weight has 3"),
    (lambda: as_batches(X[:0], Y[:0]), errors.ArgumentError, r"at least one sample; x has shape \(0, 2\)"),
    (lambda: as_batches([]), errors.ArgumentError, "at least one sample"),
    (lambda: as_batches(None), errors.ArgumentError, "x is None"),
    (lambda: as_batches(np.float32(3)), errors.ShapeError, "x must have an axis of samples"),
    (lambda: as_batches(3), errors.DTypeError, "x must be arrays, a Dataset.*got int"),
    (lambda: as_batches("text"), errors.DTypeError, "got str"),
    (lambda: as_batches(np.array([object(), 1])), errors.DTypeError, "x: an array of numbers or bools is needed"),
    (lambda: as_batches(X, np.array(["2020-01-01"] * N, "M8[D]")), errors.DTypeError, "y: .*subtract a start"),
    (lambda: as_batches([[1, 2], [3]]), errors.ShapeError, "x: nested lists must be rectangular"),
    (lambda: as_batches(Frame(a=Y, name=np.array(["u"] * N, object))), errors.DTypeError, r"these do not: 'name' \(object\)"),
    (lambda: as_batches(X, Dataset.range(3)), errors.DTypeError, "y must be arrays, like x; got Dataset"),
    (lambda: as_batches(X, Y, batch_size=0), errors.ArgumentError, r"\[fit\] batch_size must be at least 1"),
    (lambda: as_batches(X, Y, shuffle="rows"), errors.ArgumentError, "shuffle is True, False or 'batch'"),
    (lambda: as_batches(X, [Y, X], [Y]), errors.ShapeError, "sample_weight must have the structure of y"),
    (lambda: as_batches(X, [Y, X], X), errors.ShapeError, "one number for each sample"),
    (lambda: as_batches(Dataset.range(3).batch(2), Y), errors.ArgumentError, "a Dataset holds its own targets and weights; y came too"),
    (lambda: as_batches(stream(), sample_weight=Y), errors.ArgumentError, "a generator holds its own"),
    (lambda: as_batches(Batched(), Y), errors.ArgumentError, "a Batched holds its own"),
    (lambda: as_batches(X, Y, class_weight=[1, 2]), errors.DTypeError, "class_weight is a dict"),
    (lambda: as_batches(X, Y, class_weight={"a": 2}), errors.DTypeError, "maps ints to numbers; got 'a': 2"),
    (lambda: as_batches(X, Y, class_weight={0: -2}), errors.ArgumentError, "not negative; got 0: -2"),
    (lambda: as_batches(X, class_weight={0: 2}), errors.ArgumentError, "needs one array of labels; y is None"),
    (lambda: as_batches(X, [Y, Y], class_weight={0: 2}), errors.ArgumentError, "needs one array of labels"),
    (lambda: as_batches(X, Y, Y, class_weight={0: 2}), errors.ArgumentError, "either class_weight or sample_weight"),
    (lambda: read(as_batches(X, np.arange(14).reshape(7, 2), class_weight={0: 2})), errors.ShapeError, r"one-hot .*\(7, 2\)"),
    (lambda: read(as_batches(Dataset.range(4))), errors.ArgumentError, r"batch 1 of the Dataset: .*shape \(\); call .batch"),
    (lambda: read(as_batches(Dataset.range(0).batch(2))), errors.ArgumentError, "at least one batch; the Dataset has none"),
    (lambda: read(as_batches(Dataset.range(0).batch(2)), 0, 3), errors.ArgumentError, "at least one batch; the Dataset has none"),
    (lambda: read(as_batches(Dataset.range(4).batch(2).repeat())), errors.ArgumentError, "without an end needs a number of batches"),
    (of(), errors.ArgumentError, "at least one batch; the generator has none"),
    (of((X, Y, Y, Y)), errors.ArgumentError, r"batch 1 of the generator: .*got a tuple of 4: \(\(7, 2\) float32, "),
    (of((X, Y), (X, Y[:3])), errors.ShapeError, "batch 2 of the generator: .*x has 7, y has 3; look at how"),
    (of((X, Y), (X, None)), errors.ShapeError, r"batch 2 of the generator: all batches must have one structure; the first was"),
    (of((X, Y), (X[:, 0], Y)), errors.ShapeError, r"batch 2 of the generator: .*this is \(\(7,\) float32"),
    (of((X, Y), ([X, X], Y)), errors.ShapeError, "batch 2 of the generator"),
    (of((X, Y), (X[:0], Y[:0])), errors.ArgumentError, "batch 2 of the generator: .*it is empty"),
    (of((X, "label")), errors.ShapeError, "x has 7, y has none"),
    (lambda: read(as_batches(ragged())), errors.ShapeError, "batch 2 of the generator: y: nested lists must be rectangular"),
    (lambda: read(as_batches(stream()), 0, 5), errors.ArgumentError, "ended after 3, where epoch 1 needs batch 4 of 5; make it endless"),
    (lambda: [read(generated, epoch) for generated in [as_batches(stream())] for epoch in range(2)], errors.ArgumentError,
     "ended after 3, where epoch 2 needs a batch"),
    (lambda: unpack_x_y_sample_weight((1, 2, 3, 4)), errors.ArgumentError, "got a tuple of 4"),
    (lambda: train_validation_split((X, Y), 0.0), errors.ArgumentError, "both parts must have samples; 7 samples"),
    (lambda: train_validation_split((X, Y[:2]), 0.5), errors.ShapeError, "x has 7, y has 2"),
    (lambda: train_validation_split((X, Y), "0.5"), errors.DTypeError, "validation_split is a number"),
    (lambda: train_validation_split((stream(), None), 0.5), errors.ArgumentError, "only arrays can be split; got generator"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "error", "match"), FAILS, ids=[match[:40] for _, _, match in FAILS])
def test_bad_data_are_refused_with_a_message(act, error, match):
    with pytest.raises(error, match=match):
        act()
