"""Every op against its row of the table: values, derivatives, dtypes, shapes, devices, errors, documentation."""

import doctest
import inspect
import types

import numpy as np
import pytest
from cases import CASES, FAILURES, OTHERWISE
from cases.builders import Raw

import eagerdl as edl
from eagerdl import devices, dtypes
from eagerdl.autograd import Spec
from eagerdl.tensor import Tensor, from_array, to_array

PUBLIC = {name: value for name, value in vars(edl.ops).items()
          if inspect.isfunction(value) and not name.startswith("_") and inspect.unwrap(value).__module__.startswith("eagerdl.ops")}  # fmt: skip
ROWS = [pytest.param(name, row, id=f"{name}-{i}") for name, rows in sorted(CASES.items()) for i, row in enumerate(rows)]
TOLERANCE = {"float32": 2e-5, "float16": 2e-2, "bfloat16": 1e-1}


def find(name):
    """The op of a row; areas are written as in ``linalg.norm``."""
    found = edl.ops
    for part in name.split("."):
        found = getattr(found, part)
    return found


def convert(value, function):
    """`value` with `function` applied to the NumPy arrays in it."""
    if isinstance(value, Raw):
        return value.value
    if isinstance(value, np.ndarray):
        return function(value)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(convert(item, function) for item in value)
    return value


def call(name, row, function):
    args = convert(row.args, function)
    kwargs = {key: convert(value, function) for key, value in row.kwargs.items()}
    return find(name)(*args, **kwargs)


def narrow(dtype):
    """Floating arrays as tensors of `dtype`, others as they are."""

    def convert_array(array):
        return edl.constant(array, dtype) if array.dtype.kind == "f" else edl.constant(array)

    return convert_array


def leaves(result):
    if isinstance(result, Tensor | np.ndarray):
        return [result]
    if isinstance(result, list | tuple):
        return [leaf for item in result for leaf in leaves(item)]
    return [result]


def expected(name, row):
    function = row.reference or getattr(np, name.split(".")[-1])
    with np.errstate(all="ignore"):
        return leaves(
            function(*convert(row.args, lambda x: x), **{k: convert(v, lambda x: x) for k, v in row.kwargs.items()})
        )


def assert_close(got, want, rtol, atol):
    got = got.numpy() if isinstance(got, Tensor) else got
    if isinstance(want, str) or want is None:
        assert got == want
        return
    assert np.shape(got) == np.shape(want)
    if np.asarray(got).dtype == dtypes.bfloat16:
        got = np.asarray(got, "float32")
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=rtol, atol=atol)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_values_agree_with_the_reference_in_float64(name, row):
    got, want = leaves(call(name, row, edl.constant)), expected(name, row)
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        assert_close(mine, theirs, row.rtol, 1e-12 + row.rtol * 1e-2)


@pytest.mark.parametrize(("name", "row"), [p for p in ROWS if p.values[1].order])
def test_derivatives_agree_with_finite_differences(name, row):
    arrays = []

    def collect(array):
        if array.dtype.kind in "fc":
            arrays.append(array)
        return array

    convert((row.args, tuple(row.kwargs.values())), collect)

    def f(*tensors):
        given = iter(tensors)
        return leaves(call(name, row, lambda array: next(given) if array.dtype.kind in "fc" else edl.constant(array)))

    edl.check_grads(f, tuple(arrays), order=row.order, rtol=row.grad_rtol)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_narrow_dtypes_agree_with_float64(name, row):
    want = leaves(call(name, row, edl.constant))
    for dtype in row.dtypes:
        for mine, wide in zip(leaves(call(name, row, narrow(dtype))), want, strict=True):
            if isinstance(wide, Tensor | np.ndarray) and dtypes.is_inexact(wide.dtype):
                wide = wide.numpy() if isinstance(wide, Tensor) else wide
                scale = float(np.abs(wide[np.isfinite(wide)]).max()) if np.isfinite(wide).any() else 0.0
                rtol = TOLERANCE[dtype] * row.sweep_rtol
                assert_close(mine, wide, rtol, rtol * (scale + 1e-3))
            if (
                isinstance(wide, Tensor)
                and wide.dtype == "float64"
                and any(a.dtype.kind == "f" for a in arrays_of(row))
            ):
                assert mine.dtype == dtype, f"{name} of {dtype} gave {mine.dtype}"


def arrays_of(row):
    found = []
    convert((row.args, tuple(row.kwargs.values())), lambda array: found.append(array) or array)
    return found


@pytest.mark.parametrize(("name", "row"), [p for p in ROWS if hasattr(PUBLIC.get(p.values[0]), "primitive")])
def test_the_shape_rule_tells_what_comes_out(name, row):
    primitive = PUBLIC[name].primitive
    given = primitive.signature.bind(*convert(row.args, edl.constant), **row.kwargs)
    given.apply_defaults()
    inputs, params = [[given.arguments[name] for name in names] for names in (primitive.tensors, primitive.params)]
    inputs = inputs[0] if primitive.variadic else inputs
    kinds = [type(x) if isinstance(x, bool | int | float | complex) else x.dtype for x in inputs]
    specs = [Spec(np.shape(x), dtype) for x, dtype in zip(inputs, primitive.promote(kinds), strict=True)]
    told = primitive.infer(*([specs] if primitive.variadic else specs), *params)
    for spec, out in zip(told if primitive.several else (told,), leaves(call(name, row, edl.constant)), strict=True):
        assert (tuple(spec.shape), spec.dtype) == (out.shape, out.dtype)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 0, 3)])
@pytest.mark.parametrize(
    "name",
    sorted(n for n, f in PUBLIC.items() if getattr(f, "primitive", None) and f.primitive.family == "elementwise"),
)
def test_elementwise_ops_take_scalars_and_empty_tensors(name, shape):
    primitive = PUBLIC[name].primitive
    row = CASES[name][0]
    inputs = [np.resize(np.asarray(x), shape) for x in row.args[: len(primitive.tensors)]]
    assert PUBLIC[name](*map(edl.constant, inputs), *row.args[len(primitive.tensors) :]).shape == shape


@pytest.mark.parametrize(
    "name",
    sorted(n for n, f in PUBLIC.items() if getattr(f, "primitive", None) and f.primitive.family == "elementwise"),
)
def test_the_scalar_definition_is_what_the_array_code_computes(name):
    primitive = PUBLIC[name].primitive
    for row in CASES[name]:
        arrays = [np.asarray(x) for x in row.args[: len(primitive.tensors)]]
        if any(a.dtype.kind == "c" for a in arrays):
            continue
        rest = [row.kwargs.get(p, d) for p, d in zip(primitive.params, primitive.defaults, strict=True)]
        rest[: len(row.args) - len(arrays)] = row.args[len(arrays) :]
        whole = PUBLIC[name](*map(edl.constant, arrays), *rest).numpy()
        for index, scalars in enumerate(zip(*[a.ravel().tolist() for a in np.broadcast_arrays(*arrays)], strict=True)):
            np.testing.assert_allclose(primitive.body(*scalars, *rest), whole.ravel()[index], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_inputs_are_left_alone(name, row):
    arrays, before = [], []

    def keep(array):
        arrays.append(array)
        before.append(array.copy())
        return from_array(array)

    call(name, row, keep)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda f: f"{f.name}-{f.match[:40]}")
def test_wrong_input_gets_the_message(failure):
    args, kwargs = convert(failure.args, edl.constant), {k: convert(v, edl.constant) for k, v in failure.kwargs.items()}
    with pytest.raises(failure.error, match=failure.match) as caught:
        find(failure.name)(*args, **kwargs)
    assert str(caught.value).startswith("[")
    assert "; " in str(caught.value)


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "row"), ROWS)
def test_the_gpu_agrees_with_the_cpu(name, row):
    if not devices.gpu_count():
        pytest.skip("no GPU, or CuPy is not installed")
    want = leaves(call(name, row, edl.constant))
    with edl.device("gpu:0"):
        got = leaves(call(name, row, lambda array: from_array(to_array(array))))
    for mine, theirs in zip(got, want, strict=True):
        assert_close(mine, theirs.numpy() if isinstance(theirs, Tensor) else theirs, 1e-6, 1e-8)


def test_every_op_has_a_row():
    missing = sorted(set(PUBLIC) - set(CASES) - set(OTHERWISE))
    assert not missing, f"ops without a row in tests/cases: {', '.join(missing)}"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_op_documents_its_shapes_and_its_example_runs(name):
    doc = inspect.getdoc(PUBLIC[name]) or ""
    assert ">>>" in doc, f"{name} has no example"
    globs = {"edl": edl, "np": np}
    test = doctest.DocTestParser().get_doctest(doc, globs, name, None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False)
    output = []
    runner.run(test, out=output.append)
    assert not runner.failures, "".join(output)


def test_public_means_functions():
    assert all(isinstance(value, types.FunctionType) for value in PUBLIC.values())
