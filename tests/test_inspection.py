"""What the namespace tells about itself: dtypes, their kinds and limits, constants, devices."""

import ml_dtypes
import numpy as np
import pytest

import eagerdl as edl
from eagerdl import dtypes
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.ops import inspection

KINDS = {
    "bool": {"bool"},
    "signed integer": {"int8", "int16", "int32", "int64"},
    "unsigned integer": {"uint8", "uint16", "uint32", "uint64"},
    "integral": {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"},
    "real floating": {"bfloat16", "float16", "float32", "float64"},
    "complex floating": {"complex64", "complex128"},
}
FLOATS = ("float16", "float32", "float64")
INTEGERS = sorted(KINDS["integral"])


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_dtype_is_of_the_kinds_that_list_it(dtype, kind):
    assert edl.isdtype(dtype, kind) == (dtype.name in KINDS[kind])
    assert edl.isdtype(dtype, (kind, dtype))
    assert edl.isdtype(dtype, "numeric") == (dtype != "bool")


def test_kinds_that_do_not_exist_are_refused_with_the_list():
    with pytest.raises(ArgumentError, match=r"\[isdtype\] a kind is a dtype or one of 'bool'.*got 'float'"):
        edl.isdtype(edl.int8, "float")
    with pytest.raises(DTypeError, match=r"\[isdtype\] a dtype that tensors can hold"):
        edl.isdtype("text", "bool")


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_dtypes_are_names_of_the_namespace(dtype):
    assert getattr(edl, dtype.name) is dtype
    assert getattr(edl.ops, dtype.name) is dtype
    assert edl.zeros(1, getattr(edl, dtype.name)).dtype == dtype.name


def test_constants_have_their_values():
    assert (edl.pi, edl.e, edl.inf, edl.newaxis) == (np.pi, np.e, np.inf, None)
    assert edl.nan != edl.nan
    assert edl.ones(3)[edl.newaxis].shape == (1, 3)


def test_numbers_give_way_where_types_meet():
    assert edl.result_type(edl.int8, edl.uint8) == "int16"
    assert edl.result_type(edl.ones(2, "bfloat16"), 1.5) == "bfloat16"
    assert edl.result_type(np.ones(2), edl.float32) == "float64"
    assert edl.result_type(1, 2.0) == "float32"
    assert edl.result_type([1, 2], "int16") == "int32"
    with pytest.raises(ArgumentError, match=r"\[result_type\] at least one"):
        edl.result_type()
    with pytest.raises(DTypeError, match=r"\[result_type\]"):
        edl.result_type("text")


@pytest.mark.parametrize("source", dtypes.ALL, ids=str)
@pytest.mark.parametrize("target", dtypes.ALL, ids=str)
def test_a_cast_is_possible_where_promotion_goes(source, target):
    assert edl.can_cast(source, target) == (edl.result_type(source, target) == target)
    assert edl.can_cast(edl.ones(1, source), target) == edl.can_cast(source, target)


@pytest.mark.parametrize("name", FLOATS)
def test_limits_of_floats_are_numpys(name):
    mine, theirs = edl.finfo(name), np.finfo(name)
    assert (mine.bits, mine.dtype) == (theirs.bits, name)
    for field in ("eps", "max", "min", "smallest_normal"):
        assert getattr(mine, field) == float(getattr(theirs, field))
        assert type(getattr(mine, field)) is float
    assert edl.finfo(edl.ones(1, name)) == mine


def test_limits_of_bfloat16_and_complex():
    assert edl.finfo("bfloat16").eps == float(ml_dtypes.finfo(ml_dtypes.bfloat16).eps) == 2.0**-7
    assert edl.finfo(edl.complex64) == edl.finfo(edl.float32)
    assert edl.finfo(edl.complex128) == edl.finfo(edl.float64)
    with pytest.raises(DTypeError, match=r"\[finfo\] a floating or complex dtype is needed; got int8; use edl.iinfo"):
        edl.finfo("int8")


@pytest.mark.parametrize("name", INTEGERS)
def test_limits_of_integers_are_numpys(name):
    mine, theirs = edl.iinfo(name), np.iinfo(name)
    assert (mine.bits, mine.max, mine.min, mine.dtype) == (theirs.bits, theirs.max, theirs.min, name)
    with pytest.raises(DTypeError, match=r"\[iinfo\] an integer dtype is needed; got float32; use edl.finfo"):
        edl.iinfo("float32")


def test_the_namespace_tells_what_it_can_do():
    info = edl.__array_namespace_info__()
    assert edl.__array_api_version__ == "2024.12"
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert info.default_device() == "cpu:0"
    assert info.devices()[0] == "cpu:0"
    defaults = info.default_dtypes(device="cpu")
    assert defaults == {
        "real floating": "float32", "complex floating": "complex64", "integral": "int32", "indexing": "int32",
    }  # fmt: skip
    assert edl.ones(1).dtype == defaults["real floating"]
    assert edl.arange(1).dtype == defaults["integral"]
    for kind, names in KINDS.items():
        assert set(info.dtypes(kind=kind)) == names - {"bfloat16", "float16"}
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    assert all(getattr(edl, name) == dtype for name, dtype in info.dtypes().items())


def test_all_names_are_exported():
    assert set(inspection.__all__) <= set(vars(edl))
    assert edl.ones(1).__array_namespace__() is edl
