"""Forwards of several passes over large arrays, which compiled code replaces when they have cost enough: the bits stay."""

import numpy as np
import pytest
from test_function_ops import Slots, same_bits
from test_ops import ROWS, find

import eagerdl as edl
from eagerdl.jit import forwards
from eagerdl.kernels import heavy
from eagerdl.tree import flatten

HEAVY = {
    "above",
    "gelu",
    "inside",
    "log_softmax",
    "normalize_rows",
    "normalize_rows_grad",
    "relu",
    "sigmoid",
    "softmax",
    "where",
}


@pytest.fixture
def replaced(monkeypatch):
    """All heavy forwards are replaced at once, whatever their size; the names of those that were."""
    names, compiled = [], heavy.compiled

    def watched(forward, arguments):
        out = compiled(forward, arguments)
        if out is not None:
            names.append(forward.__name__.strip("_"))
        return out

    monkeypatch.setattr(heavy, "LARGE", 1)
    monkeypatch.setattr(heavy, "PATIENCE", -1.0)
    monkeypatch.setattr(forwards, "OFTEN", 1)
    monkeypatch.setattr(heavy, "compiled", watched)
    return names


def outcomes(op, slots):
    """What an op gives, and its gradients where it has some."""
    edl.random.set_seed(5)
    tensors = [edl.constant(array) for array in slots.arrays]
    inexact = [x for x in tensors if x.dtype.kind in "fc"]
    with edl.GradientTape() as tape:
        tape.watch(inexact)
        out = flatten(op(*slots.filled(slots.args, tensors), **slots.filled(slots.kwargs, tensors)))[0]
    targets = [y for y in out if isinstance(y, edl.Tensor) and y.dtype.kind in "fc"]
    try:
        return [*out, *(tape.gradient(targets, inexact) if targets and inexact else [])]
    except edl.errors.EagerdlError as error:  # such as that of a singular matrix
        return [*out, str(error)]


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_rows_keep_their_bits(name, row, replaced, monkeypatch):
    op, slots = find(name), Slots(row)
    found = outcomes(op, slots)
    if replaced:
        monkeypatch.setattr(heavy, "LARGE", 1 << 60)
        assert all(map(same_bits, found, outcomes(op, slots)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", ["rows", "columns", "backwards"])
def test_large_arrays_of_any_layout(layout, dtype, replaced, monkeypatch):
    x = np.random.default_rng(0).standard_normal((300, 130)).astype(dtype)
    x[0, :3] = np.nan, np.inf, -0.0
    x = edl.convert_to_tensor({"rows": x, "columns": np.asfortranarray(x), "backwards": x[::-1, ::-1]}[layout])
    scale = edl.ones(130, dtype)

    def run():
        with edl.GradientTape() as tape:
            tape.watch(x)
            out = [edl.relu(x), edl.sigmoid(x), edl.gelu(x), edl.softmax(x), edl.softmax(x, 0), edl.log_softmax(x),
                   edl.where(x > 0, x, 1.0), edl.layer_normalization(x, scale, scale), edl.hard_tanh(x)]  # fmt: skip
        return [*out, tape.gradient(out, x)]

    found = run()
    assert HEAVY.issubset(replaced)
    monkeypatch.setattr(heavy, "LARGE", 1 << 60)
    assert all(map(same_bits, found, run()))


def test_a_forward_is_replaced_when_it_has_cost_enough(replaced, monkeypatch):
    monkeypatch.setattr(heavy, "PATIENCE", 1e-4)

    @heavy.heavy
    def twice_plus_one(x):
        return x * 2 + 1

    x = np.ones(100_000, "float32")
    while not replaced:
        assert np.array_equal(twice_plus_one(x), np.full(100_000, 3.0, "float32"))
    assert replaced == ["twice_plus_one"]


def test_programs_are_made_for_layouts_that_come_often_and_few_are_kept(replaced, monkeypatch):
    monkeypatch.setattr(forwards, "OFTEN", 3)
    monkeypatch.setattr(forwards, "KEPT", 2)
    monkeypatch.setattr(forwards, "_programs", {})

    @heavy.heavy
    def squared(x):
        return x * x

    for n in (10, 11, 12):
        for _ in range(4):
            assert np.array_equal(squared(np.ones(n)), np.ones(n))
    assert replaced == ["squared"] * 6  # two calls of four come too early
    assert len(forwards._programs) == 2
    monkeypatch.setattr(forwards, "MEMORY", 0)
    for _ in range(4):
        squared(np.ones(13))
    assert not any(forwards._programs.values())


def test_what_cannot_be_replaced_runs_as_it_is(replaced):
    @heavy.heavy
    def first_word(x, words, add):
        return x[: int(x[0])] + add[words[0]]

    x = np.arange(3.0) + 2
    np.testing.assert_array_equal(
        first_word(x, ["a"], {"a": 1}), [3, 4]
    )  # elements decide on the shape; a dict has no hash
    np.testing.assert_array_equal(first_word(x, ("a",), {"a": 1}), [3, 4])
    assert not replaced


def test_errors_are_those_of_the_op(replaced):
    with pytest.raises(edl.errors.ShapeError, match=r"\[softmax\]"):
        edl.softmax(edl.ones((4, 5)), axis=7)
    with pytest.raises(edl.errors.ShapeError, match=r"\[where\]"):
        edl.where(edl.ones((2,), bool), edl.ones(3), edl.ones(4))


def test_nothing_is_replaced_where_functions_run_eagerly_or_are_traced(replaced):
    x = edl.ones((3, 4))
    edl.config.run_functions_eagerly(True)
    try:
        edl.softmax(x)
    finally:
        edl.config.run_functions_eagerly(False)
    assert not replaced
    f = edl.function(lambda: edl.softmax(x))
    assert np.array_equal(f(), f())
    assert not replaced
