"""Tensors and variables as values: conversion, promotion, indexing, protocols, printing."""

import copy
import operator
import pickle
import re

import ml_dtypes
import numpy as np
import pytest

import eagerdl as edl
from eagerdl import dtypes, foreign
from eagerdl.errors import ArgumentError, DTypeError, ImmutableError, ShapeError

# -- values and dtypes --------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "dtype"), [
    (1, "int32"), (1.0, "float32"), (True, "bool"), (1j, "complex64"), ([1, 2], "int32"), ([1.0, 2], "float32"), ([], "float32"),
    (np.ones(2), "float64"), (np.int64(3), "int64"), (np.ones(2, "float16"), "float16"), ([np.float64(1.0)], "float64"),
    (np.ones(2, ml_dtypes.bfloat16), "bfloat16"), (range(3), "int32"), ((True, False), "bool"),
])  # fmt: skip
def test_values_get_their_dtype(value, dtype):
    assert edl.constant(value).dtype == dtype


LATTICE = [
    ("float32", "int64", "float32"), ("bfloat16", "float16", "float32"), ("int8", "uint8", "int16"), ("uint64", "int8", "float32"),
    ("bool", "int8", "int8"), ("bool", "float16", "float16"), ("float64", "complex64", "complex128"), ("int64", "complex64", "complex64"),
    ("bfloat16", "float32", "float32"), ("float16", "int32", "float16"), ("uint32", "int32", "int64"),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "out"), LATTICE)
def test_dtypes_meet_on_the_lattice(a, b, out):
    assert (edl.ones(2, a) + edl.ones(2, b)).dtype == out
    assert (edl.ones(2, b) * edl.ones(2, a)).dtype == out


@pytest.mark.parametrize(("dtype", "scalar", "out"), [
    ("int8", 1, "int8"), ("int8", 1.0, "float32"), ("float16", 2, "float16"), ("bfloat16", 0.5, "bfloat16"), ("float64", 1.5, "float64"),
    ("bool", 1, "int32"), ("float32", 1j, "complex64"), ("float64", 1j, "complex128"), ("int64", True, "int64"), ("bool", True, "bool"),
])  # fmt: skip
def test_python_scalars_are_weak(dtype, scalar, out):
    assert (edl.ones(2, dtype) + scalar).dtype == out
    assert (scalar + edl.ones(2, dtype)).dtype == out


def test_division_of_integers_is_floating():
    assert (edl.constant(1) / edl.constant(2)).dtype == "float32"
    assert (edl.constant(7) // 2).dtype == "int32" and (edl.constant(7) % 4).dtype == "int32"


def test_floatx_decides_what_python_floats_become():
    edl.config.set_floatx("float64")
    try:
        assert edl.constant(1.0).dtype == "float64" and (edl.constant(1) / 2).dtype == "float64"
    finally:
        edl.config.set_floatx("float32")
    with pytest.raises(ArgumentError, match="a float dtype is needed"):
        edl.config.set_floatx("int8")


def test_constant_copies_and_asarray_aliases():
    array = np.zeros(2)
    copied, aliased = edl.constant(array), edl.asarray(array)
    array[0] = 5
    assert copied.tolist() == [0, 0] and aliased.tolist() == [5, 0]
    mine = copied.numpy()
    mine[0] = 7
    assert copied.tolist() == [0, 0]


def test_lists_of_tensors_keep_their_gradient():
    x = edl.Variable(2.0)
    with edl.GradientTape() as tape:
        y = edl.sum(edl.constant([x, x * 3.0]))
    assert float(tape.gradient(y, x)) == 4.0


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: edl.constant([[1], [2, 3]]), ShapeError, "nested lists must be rectangular"),
    (lambda: edl.constant("text"), DTypeError, "encode text as integers"),
    (lambda: edl.constant(["a", "b"]), DTypeError, "dtype <U1.*encode text"),
    (lambda: edl.constant(None), DTypeError, "NoneType None"),
    (lambda: edl.constant(np.array([1, "a"], object)), DTypeError, "dtype object"),
    (lambda: edl.constant(np.array(["2020-01-01"], "datetime64[D]")), DTypeError, "subtract a start"),
    (lambda: edl.constant(3_000_000_000), ArgumentError, "must fit into int32.*int64"),
    (lambda: edl.constant([2**40]), ArgumentError, "must fit into int32.*int64"),
    (lambda: edl.constant(1.0, "float99"), DTypeError, "use one of bool, int8"),
    (lambda: edl.constant(1j, "float32"), DTypeError, "needs a complex dtype"),
    (lambda: bool(edl.ones(2)), ShapeError, "edl.any or edl.all"),
    (lambda: float(edl.ones(2)), ShapeError, "one element is needed"),
    (lambda: len(edl.ones(())), DTypeError, "use x.size"),
    (lambda: [1, 2][edl.constant(1.0)], DTypeError, "integer tensor of shape"),
    (lambda: edl.ones(2).item(), ShapeError, "exactly one element"),
    (lambda: edl.ones(2).__setitem__(0, 1.0), ImmutableError, "Variable and assign"),
    (lambda: edl.ones(2).__delitem__(0), ImmutableError, "keep their elements"),
    (lambda: edl.ones(2) + object(), DTypeError, "can become a tensor"),
    (lambda: edl.Tensor([[1], [2, 3]]), ShapeError, "rectangular"),
])  # fmt: skip
def test_wrong_values_get_the_message(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    "name", ["requires_grad", "backward", "detach", "unsqueeze", "view", "cuda", "numel", "permute"]
)
def test_foreign_attributes_answer_with_ours(name):
    with pytest.raises(AttributeError, match=rf"there is no attribute '{name}'; use|record with"):
        getattr(edl.ones(2), name)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("reduce_mean", "mean"), ("cat", "concatenate"), ("no_grad", "stop_gradient"), ("vmap", "vectorized_map")],
)
def test_foreign_functions_answer_with_ours(name, ours):
    with pytest.raises(AttributeError, match=f"eagerdl has no '{name}'; the name here is '{ours}'"):
        getattr(edl, name)


def test_no_answer_names_what_does_not_exist():
    for name in foreign.RENAMED:
        if not hasattr(edl, name):
            with pytest.raises(AttributeError) as caught:
                getattr(edl, name)
            ours = re.search(r"the name here is '([^']+)'", str(caught.value))
            if ours:
                operator.attrgetter(ours[1])(edl)


def test_misspelt_functions_answer_with_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'concatenate'"):
        _ = edl.concatenat


# -- operators and indexing ---------------------------------------------------------------------


def test_operators_agree_with_numpy():
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([2.0, 0.5])
    i, j = np.array([5, 6]), np.array([3, 1])
    names = {"a": a, "b": b, "x": edl.constant(a), "y": edl.constant(b), "i": i, "j": j, "k": edl.constant(i)}

    def check(ours, theirs):
        np.testing.assert_array_equal(eval(ours, names).numpy(), eval(theirs, names), err_msg=ours)

    for op in ("+", "-", "*", "/", "//", "%", "**", "@", "<", "<=", ">", ">=", "==", "!="):
        check(f"x {op} y", f"a {op} b")
        check(f"a {op} y", f"a {op} b")
        check(f"x {op} b", f"a {op} b")
        if op != "@":
            check(f"2.0 {op} y", f"2.0 {op} b")
    for op in ("&", "|", "^", "<<", ">>"):
        check(f"k {op} j", f"i {op} j")
        check(f"5 {op} k", f"5 {op} i")
    x = edl.constant(a)
    assert (~edl.constant([True])).tolist() == [False] and (-x).tolist() == (-a).tolist() and (+x) is x
    assert abs(edl.constant(-2.0)) == 2.0 and [q.tolist() for q in divmod(edl.constant(7), 4)] == [1, 3]


def test_comparisons_with_what_is_no_number_are_python_s():
    x = edl.ones(2)
    assert (x == None) is False and (x != None) is True and (x == "a") is False  # noqa: E711
    assert x in [x] and hash(x) == hash(x) and {x: 1}[x] == 1


def test_augmented_assignment_rebinds_tensors_and_is_refused_for_variables():
    x = y = edl.ones(2)
    x += 1.0
    assert x.tolist() == [2, 2] and y.tolist() == [1, 1]
    v = edl.Variable(1.0)
    with pytest.raises(ImmutableError, match=r"use v.assign_add"):
        v += 1.0


def test_iteration_unpacks_the_first_axis():
    a, b = edl.constant([[1, 2], [3, 4]])
    assert a.tolist() == [1, 2] and b.tolist() == [3, 4]


def test_tensors_serve_as_indices_and_sizes():
    i = edl.constant(1)
    assert [10, 20][i] == 20 and list(range(i)) == [0]
    assert edl.ones(5)[i : edl.constant(3)].shape == (2,)


# -- protocols ----------------------------------------------------------------------------------


def test_numpy_ops_keep_the_gradient():
    x = edl.Variable([1.0, 2.0])
    with edl.GradientTape(persistent=True) as tape:
        y = np.array([3.0, 4.0], "float32") * x
        z = np.exp(x)
        s = np.sum(x) + np.mean(x) + np.concatenate([x, x])[0]
    assert isinstance(y, edl.Tensor) and isinstance(z, edl.Tensor)
    assert tape.gradient(y, x).tolist() == [3.0, 4.0]
    np.testing.assert_allclose(tape.gradient(z, x).numpy(), np.exp([1.0, 2.0]), rtol=1e-6)
    assert tape.gradient(s, x).tolist() == [2.5, 1.5]


def test_numpy_functions_without_an_op_refuse_to_lose_a_gradient():
    x = edl.Variable([1.0, 2.0])
    assert np.spacing(edl.constant([1.0])).shape == (1,)
    with edl.GradientTape():
        with pytest.raises(DTypeError, match="would lose the gradient"):
            np.spacing(x * 1.0)


def test_array_protocol_gives_a_read_only_view():
    x = edl.ones(3)
    view = np.asarray(x)
    assert np.shares_memory(view, np.asarray(x)) and not view.flags.writeable
    assert np.asarray(x, dtype="int8").dtype == "int8" and np.array(x).flags.writeable


def test_array_namespace():
    assert edl.ones(1).__array_namespace__() is edl
    with pytest.raises(ArgumentError, match="array API standard"):
        edl.ones(1).__array_namespace__(api_version="1999.12")


def test_dlpack_goes_both_ways():
    x = edl.constant([1.0, 2.0])
    assert np.from_dlpack(x).tolist() == [1.0, 2.0]
    back = edl.from_dlpack(np.arange(3.0))
    assert isinstance(back, edl.Tensor) and back.tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(DTypeError, match="cannot export bfloat16"):
        np.from_dlpack(edl.ones(1, "bfloat16"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool", "complex64"])
def test_pickle_and_copy(dtype):
    x = edl.ones((2, 2), dtype)
    again = pickle.loads(pickle.dumps(x))
    assert again.dtype == dtype and np.array_equal(again.numpy(), x.numpy())
    v = edl.Variable(x, name="w", trainable=False)
    for other in (pickle.loads(pickle.dumps(v)), copy.deepcopy(v), copy.copy(v)):
        assert other is not v and other.name == "w" and not other.trainable and other.dtype == dtype
        other.assign(edl.zeros((2, 2), dtype))
    assert bool(edl.all(v == edl.ones((2, 2), dtype)))


# -- printing -----------------------------------------------------------------------------------


def test_repr_is_short_for_huge_and_deep_tensors():
    assert repr(edl.constant([1.0, 2.0])) == "Tensor(shape=(2,), dtype=float32, [1. 2.])"
    assert repr(edl.Variable(1.5, name="v")) == "Variable(name=v, shape=(), dtype=float32, 1.5)"
    assert len(repr(edl.zeros((1000, 1000)))) < 1000
    assert len(repr(edl.zeros((2,) * 20))) < 200
    assert f"{edl.constant(1.23456):.2f}" == "1.23"


# -- variables ----------------------------------------------------------------------------------


def test_assignments_broadcast_only_where_they_say_so():
    v = edl.Variable([1.0, 2.0], name="v")
    assert v.assign([3.0, 4.0]) is v
    v.assign_add(1.0)
    v.assign_sub([1.0, 0.0])
    assert v.tolist() == [3.0, 5.0] and v.value.tolist() == [3.0, 5.0]
    with pytest.raises(ShapeError, match=r"\[v.assign\] the value must have shape \(2,\); got \(\)"):
        v.assign(1.0)
    with pytest.raises(ShapeError, match="must broadcast to"):
        v.assign_add(np.ones((2, 2)))


def test_a_variable_keeps_its_dtype():
    v = edl.Variable([1.0, 2.0], dtype="float16")
    v.assign(np.array([1.5, 2.5]))
    v.assign_add(np.array([1.0, 1.0]))
    assert v.dtype == "float16"
    counter = edl.Variable(0)
    counter.assign_add(1)
    assert counter.dtype == "int32" and int(counter) == 1
    with pytest.raises(DTypeError, match="a value of the variable's dtype int32"):
        counter.assign_add(edl.constant(1.5))


def test_values_read_before_an_assignment_stay():
    v = edl.Variable([1.0])
    before = v.value
    v.assign([2.0])
    assert before.tolist() == [1.0]


def test_initializer_functions_get_shape_and_dtype():
    v = edl.Variable(lambda shape, dtype: edl.ones(shape, dtype), shape=(2,), dtype="float64")
    assert v.shape == (2,) and v.dtype == dtypes.float64
    with pytest.raises(ShapeError, match="the value must have shape"):
        edl.Variable([1.0], shape=(2,))


def test_unsigned_ints_on_both_sides_of_the_signed_range_stay_exact():
    assert edl.constant([0, 2**63 + 1], "uint64").tolist() == [0, 2**63 + 1]
    with pytest.raises(ArgumentError, match="out of bounds for uint64"):
        edl.constant([-1, 2**63 + 1], "uint64")


def test_tensor_spec():
    spec = edl.TensorSpec((None, 3), "int32", "ids")
    assert spec.is_compatible_with(edl.zeros((5, 3), "int32")) and not spec.is_compatible_with(edl.zeros((5, 3)))
    assert spec == edl.TensorSpec((None, 3), "int32", "ids") and hash(spec) == hash(
        edl.TensorSpec((None, 3), "int32", "ids")
    )
    assert repr(spec) == "TensorSpec(shape=(None, 3), dtype=int32, name='ids')"
    assert edl.TensorSpec.from_tensor(edl.ones(2)).shape == (2,)


# -- devices ------------------------------------------------------------------------------------


def test_devices():
    assert edl.ones(1).device == "cpu:0" and edl.ones(1).to("cpu").device == "cpu:0"
    assert edl.config.list_devices()[0] == "cpu:0"
    assert edl.config.get_memory_info("cpu")["current"] > 0
    with pytest.raises(ArgumentError, match=r"a device is named"):
        edl.ones(1).to("tpu")


def test_a_missing_gpu_says_what_to_do():
    if edl.config.list_devices("gpu"):
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match=r"\[device\].*(pip install|list_devices)"):
        with edl.device("gpu:0"):
            pass
