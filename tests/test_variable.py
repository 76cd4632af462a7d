"""Variables: assignment, what tapes see of it, copies, and TF's methods that write at computed places."""

import copy
import pickle
import types

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, ImmutableError, RangeError, ShapeError, TapeError


def delta(indices, values):
    return types.SimpleNamespace(indices=indices, values=values)


# -- assignment -------------------------------------------------------------------------------------


def test_assign_replaces_the_value_and_returns_the_variable():
    v = edl.Variable([1.0, 2.0], name="v")
    assert v.assign([3, 4]) is v
    np.testing.assert_array_equal(v.numpy(), [3.0, 4.0])
    assert v.dtype == "float32"
    assert v.assign_add(1.0) is v
    assert v.assign_sub([0.5, 1.0]) is v
    np.testing.assert_array_equal(v.numpy(), [3.5, 4.0])


def test_an_assigned_array_can_be_changed_later_without_effect():
    array = np.ones(2, "float32")
    v = edl.Variable(array)
    array[0] = 5.0
    v.assign(array)
    array[1] = 7.0
    np.testing.assert_array_equal(v.numpy(), [5.0, 1.0])


@pytest.mark.parametrize("method", ["assign", "assign_add", "assign_sub"])
def test_wrong_shapes_are_refused_and_change_nothing(method):
    v = edl.Variable([1.0, 2.0], name="weights")
    with pytest.raises(ShapeError, match=rf"\[weights.{method}\] the value must .*\(2,\); got \(3,\)"):
        getattr(v, method)([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError):
        getattr(v, method)(np.ones((2, 2), "float32"))
    np.testing.assert_array_equal(v.numpy(), [1.0, 2.0])


def test_wrong_dtypes_are_refused():
    v = edl.Variable([1, 2])
    with pytest.raises(DTypeError, match="a value of the variable's dtype int32"):
        v.assign_add(np.array([0.5, 0.5]))
    with pytest.raises(DTypeError, match="encode text"):
        v.assign("text")
    with pytest.raises(DTypeError, match="a real value is needed"):
        edl.Variable(1.0).assign(np.complex64(1j))


def test_writing_by_operators_is_refused():
    v = edl.Variable([1.0, 2.0])
    with pytest.raises(ImmutableError, match=r"v\.assign_add"):
        v += 1.0
    with pytest.raises(ImmutableError, match="scatter_update"):
        v[0] = 1.0


def test_tensors_read_before_an_assignment_keep_their_value():
    v = edl.Variable([1.0, 2.0, 3.0])
    value, part, whole = v.value, v[1:], v.read_value()
    v.scatter_add([1, 2], [10.0, 10.0])
    v.assign_add(1.0)
    np.testing.assert_array_equal(value.numpy(), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(part.numpy(), [2.0, 3.0])
    np.testing.assert_array_equal(whole.numpy(), [1.0, 2.0, 3.0])


# -- tapes ------------------------------------------------------------------------------------------


def test_reads_before_and_after_an_assignment_both_count():
    v = edl.Variable(3.0)
    with edl.GradientTape() as tape:
        before = v * v
        v.assign(5.0)
        y = before + 7.0 * v
    assert float(tape.gradient(y, v)) == 2 * 3.0 + 7.0


def test_saved_values_survive_a_later_assignment():
    v = edl.Variable([3.0, 4.0])
    with edl.GradientTape() as tape:
        y = edl.sum(v * v)
    v.assign([0.0, 0.0])
    v.scatter_update([0], [9.0])
    np.testing.assert_array_equal(tape.gradient(y, v).numpy(), [6.0, 8.0])


def test_writing_is_not_recorded():
    v, w = edl.Variable([3.0, 4.0]), edl.Variable([1.0])
    with edl.GradientTape() as tape:
        v.scatter_add([0], w * 2.0)
        v.assign_add(w.value.broadcast_to((2,)))
        y = edl.sum(v * v)
    assert tape.gradient(y, w) is None
    np.testing.assert_array_equal(v.numpy(), [6.0, 5.0])


def test_reading_at_places_is_differentiable():
    v = edl.Variable(np.arange(12.0).reshape(3, 4))
    with edl.GradientTape(persistent=True) as tape:
        rows = edl.sum(v.sparse_read([2, 0, 2]) ** 2)
        items = edl.sum(v.gather_nd([[0, 1], [2, 3], [0, 1]]) ** 2)
    want = 2 * v.numpy() * np.array([[1.0], [0.0], [2.0]])
    np.testing.assert_allclose(tape.gradient(rows, v).numpy(), want)
    want = np.zeros((3, 4))
    want[0, 1], want[2, 3] = 2 * 2 * 1.0, 2 * 11.0
    np.testing.assert_allclose(tape.gradient(items, v).numpy(), want)


# -- copies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [lambda v: pickle.loads(pickle.dumps(v)), copy.deepcopy, copy.copy])
def test_copies_are_variables_of_their_own(copied):
    v = edl.Variable([1.0, 2.0], trainable=False, name="v", aggregation="mean")
    other = copied(v)
    assert isinstance(other, edl.Variable)
    assert (other.name, other.trainable, other.aggregation, other.dtype) == ("v", False, "mean", v.dtype)
    other.assign([5.0, 6.0])
    np.testing.assert_array_equal(v.numpy(), [1.0, 2.0])
    trainable = copied(edl.Variable([1.0, 2.0]))
    with edl.GradientTape() as tape:
        y = edl.sum(trainable * 3.0)
    np.testing.assert_array_equal(tape.gradient(y, trainable).numpy(), [3.0, 3.0])


# -- writing at computed places ---------------------------------------------------------------------

ROWS = {
    "scatter_add": np.add.at,
    "scatter_sub": np.subtract.at,
    "scatter_mul": np.multiply.at,
    "scatter_div": np.divide.at,
    "scatter_max": np.maximum.at,
    "scatter_min": np.minimum.at,
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("as_object", [True, False])
def test_rows_are_combined_with_all_their_updates(name, as_object):
    start, updates = np.arange(1.0, 7.0).reshape(3, 2), np.array([[2.0, 4.0], [8.0, -1.0], [0.5, 0.25]])
    v, want = edl.Variable(start), start.copy()
    indices = np.array([2, 0, 2])
    ROWS[name](want, indices, updates)
    assert (getattr(v, name)(delta(indices, updates)) if as_object else getattr(v, name)(indices, updates)) is v
    np.testing.assert_allclose(v.numpy(), want)


def test_rows_are_replaced():
    v = edl.Variable([1, 2, 3])
    np.testing.assert_array_equal(v.scatter_update(delta([2, 0], [7, 8])).numpy(), [8, 2, 7])
    np.testing.assert_array_equal(v.scatter_update([1], [5]).numpy(), [8, 5, 7])


def test_integers_divide_toward_zero():
    v = edl.Variable([-7, 8, 9])
    np.testing.assert_array_equal(v.scatter_div([0, 2], [2, 2]).numpy(), [-3, 8, 4])


@pytest.mark.parametrize(
    ("name", "at"),
    [("add", np.add.at), ("sub", np.subtract.at), ("max", np.maximum.at), ("min", np.minimum.at), ("update", None)],
)
def test_elements_at_multi_indices(name, at):
    start, indices, updates = np.arange(6.0).reshape(2, 3), np.array([[0, 2], [1, 0]]), np.array([10.0, -20.0])
    v, want, key = edl.Variable(start), start.copy(), tuple(indices.T)
    if at is None:
        want[key] = updates
    else:
        at(want, key, updates)
    assert getattr(v, f"scatter_nd_{name}")(indices, updates) is v
    np.testing.assert_array_equal(v.numpy(), want)


def test_rows_of_each_batch_are_replaced():
    v = edl.Variable(np.zeros((2, 3), "float32"))
    v.batch_scatter_update(delta([[0, 2], [1, 1]], [[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(v.numpy(), [[1, 0, 2], [0, 4, 0]])
    with pytest.raises(ShapeError, match="the first ones of the variable"):
        v.batch_scatter_update([[0], [1], [2]], [[1.0], [1.0], [1.0]])


def test_wrong_places_and_updates_are_refused_and_change_nothing():
    v = edl.Variable([1.0, 2.0], name="table")
    with pytest.raises(RangeError, match=r"\[table.scatter_add\] indices must lie inside axis 0 of size 2; got 2"):
        v.scatter_add([2], [1.0])
    with pytest.raises(ShapeError, match=r"\[table.scatter_update\] updates must have shape \(1,\)"):
        v.scatter_update([1], [1.0, 2.0])
    with pytest.raises(DTypeError, match=r"\[table.scatter_nd_add\] indices must be integers"):
        v.scatter_nd_add([[0.5]], [1.0])
    with pytest.raises(ArgumentError, match=r"\[table.scatter_mul\] an object with .indices and .values"):
        v.scatter_mul([1])
    with pytest.raises(ShapeError, match="use assign for a scalar"):
        edl.Variable(1.0).scatter_add([0], [1.0])
    with pytest.raises(DTypeError, match=r"updates of the variable's dtype int32"):
        edl.Variable([1, 2]).scatter_add([0], [1.5])
    np.testing.assert_array_equal(v.numpy(), [1.0, 2.0])


# -- the rest of TF's surface -----------------------------------------------------------------------


def test_set_shape_checks():
    v = edl.Variable(np.zeros((2, 3)))
    v.set_shape((2, None))
    v.set_shape(None)
    with pytest.raises(ShapeError, match=r"the variable has shape \(2, 3\); got \(3, 3\)"):
        v.set_shape((3, 3))
    with pytest.raises(ShapeError):
        v.set_shape((2,))


def test_the_initial_value_is_known_until_something_is_assigned():
    v = edl.Variable([1.0, 2.0], name="v")
    np.testing.assert_array_equal(v.initial_value.numpy(), [1.0, 2.0])
    v.assign([1.0, 2.0])
    with pytest.raises(TapeError, match=r"\[v.initial_value\].*start = v.read_value"):
        _ = v.initial_value


def test_there_is_no_graph_op():
    with pytest.raises(TapeError, match=r"\[v.op\].*v.name"):
        _ = edl.Variable(1.0, name="v").op


def test_metadata():
    v = edl.Variable([[1.0]], trainable=False, name="v", constraint=abs)
    assert (v.shape, v.get_shape(), v.dtype, v.device, v.name, v.trainable) == (
        (1, 1),
        (1, 1),
        "float32",
        "cpu:0",
        "v",
        False,
    )
    assert v.constraint is abs
    assert v.ref() == v.ref()
    assert v.ref().deref() is v
    assert (v.aggregation, v.synchronization) == ("none", "auto")
    assert not isinstance(v.value, edl.Variable)


@pytest.mark.parametrize(
    "name", [*ROWS, "scatter_update", "scatter_nd_add", "scatter_nd_sub", "scatter_nd_update", "batch_scatter_update"]
)
def test_methods_that_write_are_documented(name):
    method = getattr(edl.Variable, name)
    assert method.__name__.lstrip("_") == name
    assert "Raises:" in method.__doc__
