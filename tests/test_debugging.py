"""edl.debugging: assertions that hold or say what is wrong, and the first NaN found at its op."""

import threading

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import debugging as dbg
from eagerdl.autograd import REGISTRY
from eagerdl.debugging import observers
from eagerdl.errors import ArgumentError, DTypeError, NumericsError, ShapeError

NAN, INF = float("nan"), float("inf")

HOLDS = [
    ("assert_equal", [1, 2], [1, 2]), ("assert_equal", [[1.0], [1.0]], 1.0), ("assert_equal", [], []),
    ("assert_none_equal", [1, 2], [2, 1]), ("assert_less", [1, 2], [2, 3]), ("assert_less_equal", [1, 2], 2),
    ("assert_greater", 3, [1, 2]), ("assert_greater_equal", [2, 3], 2), ("assert_positive", [1, 2]),
    ("assert_negative", [-1.0]), ("assert_non_negative", [0, 1]), ("assert_non_positive", [0.0, -1.0]),
    ("assert_near", [1.0, INF], [1.0 + 1e-7, INF]), ("assert_near", [100.0], [101.0], 0.02), ("assert_near", 1.0, 2.0, 0.0, 1.0),
    ("assert_near", np.int64(2**60), np.int64(2**60)), ("assert_rank", [[1]], 2), ("assert_rank_at_least", [[1]], 1),
    ("assert_rank_in", [1], (0, 1)), ("assert_scalar", 3), ("assert_integer", [1]), ("assert_type", [1.0], "float32"),
    ("assert_type", [1.0], float), ("assert_proper_iterable", (1, 2)), ("assert_proper_iterable", {1: 2}),
    ("assert_same_float_dtype", [[1.0], None, 2.0]), ("assert_same_float_dtype", None, "float64"),
    ("check_numerics", [1.0, 2.0], "x"), ("check_numerics", [1, 2], "x"), ("check_numerics", [1j], "x"),
    ("assert_all_finite", [1.0], "x"), ("Assert", True, []), ("Assert", [True, True], ["never shown"]), ("Assert", [], []),
]  # fmt: skip

FAILS = [
    ("assert_equal", ([1, 2, 4], [1, 2, 3]), ArgumentError, r"\[assert_equal\] x == y must hold in every element; 1 of 3 elements fail: x\[2\] = 4 and y\[2\] = 3; x \(3,\) int32"),
    ("assert_equal", (2, 3), ArgumentError, r"1 of 1 element fail: x = 2 and y = 3"),
    ("assert_equal", ([NAN], [NAN]), ArgumentError, "x == y must hold"),
    ("assert_equal", ([1, 2], [1, 2, 3]), ShapeError, "broadcast"),
    ("assert_none_equal", ([1, 2], [1, 1]), ArgumentError, r"x\[0\] = 1 and y\[0\] = 1"),
    ("assert_less", ([[1.0, 5.0], [2.0, NAN]], 3.0), ArgumentError, r"2 of 4 elements fail: x\[0, 1\] = 5.0 and y\[0, 1\] = 3.0, x\[1, 1\] = nan"),
    ("assert_less_equal", (3, [2]), ArgumentError, "x <= y"),
    ("assert_greater", (1, 1), ArgumentError, "x > y"),
    ("assert_greater_equal", (0, 1), ArgumentError, "x >= y"),
    ("assert_positive", ([1, 0],), ArgumentError, r"x > 0 .* x\[1\] = 0"),
    ("assert_negative", ([0.0],), ArgumentError, "x < 0"),
    ("assert_non_negative", ([-1],), ArgumentError, "x >= 0"),
    ("assert_non_positive", ([1],), ArgumentError, "x <= 0"),
    ("assert_near", ([1.0, 2.0], [1.0, 2.1]), ArgumentError, r"\|x - y\| <= 1.19e-06 \+ 1.19e-06 \|y\| .* 1 of 2"),
    ("assert_near", (np.uint8(1), np.uint8(2)), ArgumentError, "1 of 1"),
    ("assert_near", (NAN, NAN), ArgumentError, "1 of 1"),
    ("assert_rank", ([1, 2], 2), ShapeError, r"\[assert_rank\] x has rank 2; x \(2,\) int32 has rank 1"),
    ("assert_rank_at_least", (1, 1), ShapeError, "x has rank 1 or more"),
    ("assert_rank_in", ([1], (0, 2)), ShapeError, "x has rank 0 or 2"),
    ("assert_scalar", ([1],), ShapeError, "a scalar is needed"),
    ("assert_integer", ([1.0],), DTypeError, r"an integer dtype is needed; x \(1,\) is float32"),
    ("assert_integer", (True,), DTypeError, "is bool"),
    ("assert_type", ([1], "float32"), DTypeError, r"dtype float32 is needed; the tensor \(1,\) is int32"),
    ("assert_proper_iterable", (edl.ones(2),), ArgumentError, "got Tensor"),
    ("assert_proper_iterable", ("text",), ArgumentError, "got str"),
    ("assert_proper_iterable", (3,), ArgumentError, "got int"),
    ("assert_same_float_dtype", ([[1.0], np.ones(1)],), DTypeError, "float32, float64"),
    ("assert_same_float_dtype", ([1],), DTypeError, "int32"),
    ("assert_same_float_dtype", ([[1.0]], "float16"), DTypeError, "float16"),
    ("check_numerics", ([1.0, NAN, -INF, NAN], "the loss"), NumericsError, r"2 NaN, 1 -Inf, first at \[1\] of shape \(4,\), float32; the loss"),
    ("check_numerics", (INF, "x"), NumericsError, r"1 \+Inf of shape \(\)"),
    ("check_numerics", ([1 + INF * 1j], "x"), NumericsError, "Inf"),
    ("assert_all_finite", ([NAN], "weights"), NumericsError, r"\[assert_all_finite\] .* weights"),
    ("Assert", ([True, False], [edl.arange(5), "why"]), ArgumentError, r"1 of 2 elements fail; \(5,\) int32 \[0 1 2 ...\]; why"),
]  # fmt: skip


@pytest.mark.parametrize("row", HOLDS, ids=lambda row: f"{row[0]}{row[1:]}")
def test_what_holds_passes_in_silence(row, capsys):
    name, *args = row
    getattr(dbg, name)(*args)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "args", "error", "match"), FAILS, ids=lambda value: str(value)[:40])
def test_what_fails_says_how(name, args, error, match):
    with pytest.raises(error, match=match):
        getattr(dbg, name)(*args)


def test_messages_end_with_the_users_words_and_begin_with_their_name():
    with pytest.raises(ArgumentError, match=r"^\[step 3\] x > 0 .*; the batch is empty$"):
        dbg.assert_positive([0], message="the batch is empty", name="step 3")
    with pytest.raises(ShapeError, match="my words"):
        dbg.assert_rank(1, 2, "my words")


def test_summarize_says_how_many_are_shown():
    for summarize, count in [(None, 3), (1, 1), (-1, 5)]:
        with pytest.raises(ArgumentError) as caught:
            dbg.assert_negative([1, 2, 3, 4, 5], summarize=summarize)
        assert str(caught.value).count(" = 0") == count


def test_tensors_come_back_so_that_checks_stand_inside_of_expressions():
    x = edl.constant([1.0, 2.0])
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.sum(dbg.check_numerics(x, "x") ** 2)
    assert tape.gradient(y, x).tolist() == [2.0, 4.0]
    assert dbg.assert_scalar(y) is y
    assert dbg.assert_same_float_dtype([x, y]) == "float32"


def test_is_numeric_tensor():
    values = [edl.ones(2), edl.Variable(1), edl.constant(True), np.ones(2), 3]
    assert [dbg.is_numeric_tensor(value) for value in values] == [True, True, False, False, False]


def test_the_core_names_of_tf_debugging_exist():
    assert set(dbg.__all__) == {name for name in dir(dbg) if name in dbg.__all__}
    assert dbg.enable_traceback_filtering is edl.config.enable_traceback_filtering


# -- shapes -------------------------------------------------------------------------------------

X, W, S = np.zeros((5, 3)), np.zeros((3, 2)), np.zeros(())

SHAPES_HOLD = [
    [(X, ("n", "k")), (W, ("k", "m"))], [(X, "nk"), (W, "km")], [(X, (5, 3))], [(X, (None, 3)), (X, (".", "."))], [(S, ())],
    [(X, ("...", "k")), (W, ("k", "..."))], [(X, ("*", 5, 3))], [(X, (Ellipsis, 3))], [(X, ("...",))], [(3.0, ())], [([1, 2], 2)],
    [(edl.ones((5, 3)), ("n", "k")), (edl.Variable(edl.ones(5)), ("n",))], [],
]  # fmt: skip

SHAPES_FAIL = [
    ([(X, ("n", "n"))], r"'n' stands for one size; it is 5 \(tensor number 0, axis 0\), and 3 in axis 1: tensor number 0 has shape \(5, 3\)"),
    ([(X, ("n", "k")), (W, ("n", "m"))], r"it is 5 \(tensor number 0, axis 0\), and 3 in axis 0: tensor number 1"),
    ([(X, (5, 4))], r"the shape \[5, 4\] is needed; tensor number 0 has shape \(5, 3\), axis 1 has size 3"),
    ([(X, (5,))], "rank 1 is needed"), ([(S, ("n",))], "rank 1 is needed"), ([(X, ("...", 1, 5, 3))], "rank 3 or more is needed"),
    ([(X, ("...", 5))], "axis 1 has size 3"), ([(X, (3, "..."))], "axis 0 has size 5"),
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES_HOLD, ids=lambda shapes: str([shape for _, shape in shapes]))
def test_shapes_that_fit(shapes):
    dbg.assert_shapes(shapes)


@pytest.mark.parametrize(("shapes", "match"), SHAPES_FAIL, ids=lambda value: str(value)[:30])
def test_shapes_that_do_not_fit(shapes, match):
    with pytest.raises(ShapeError, match=match):
        dbg.assert_shapes(shapes)


def test_shapes_come_in_dicts_too_and_data_is_shown():
    x, y = edl.ones((2, 3)), edl.ones((3, 4))
    dbg.assert_shapes({x: ("a", "b"), y: ("b", "c")})
    with pytest.raises(ShapeError, match=r"^\[here\] .*; words; \(2, 3\) float32 \[1.0 1.0 ...\]$"):
        dbg.assert_shapes({x: ("a", "a")}, data=[x], summarize=2, message="words", name="here")


# -- the first NaN ------------------------------------------------------------------------------


@pytest.fixture
def checking():
    dbg.enable_check_numerics()
    yield
    dbg.disable_check_numerics()


BAD = [
    (lambda: edl.log(edl.constant([1.0, -1.0, 0.0])), r"^\[log\] .*the result \(3,\) float32 holds 1 NaN, 1 -Inf, first at \[1\], of x \(3,\) float32; called from "),
    (lambda: edl.ones((2, 3)) / edl.zeros(3), r"\[divide\] .* holds 6 \+Inf, first at \[0, 0\], of x1 \(2, 3\) float32, x2 \(3,\) float32"),
    (lambda: edl.ones(2) / 0.0, r"\[divide\] .* x1 \(2,\) float32, x2 \(\) float32 0.0"),
    (lambda: edl.exp(edl.constant(100.0)), r"\[exp\] .* holds 1 \+Inf, of x \(\) float32 100.0"),
    (lambda: edl.sum(edl.constant([3e38, 3e38])), r"\[sum\] .*axis=None"),
    (lambda: edl.cast(edl.constant(1e30), "float16"), r"\[cast\] .* float16 holds 1 \+Inf"),
    (lambda: edl.constant([3e38], "bfloat16") * 3, r"\[multiply\] .*bfloat16"),
    (lambda: edl.einsum("ij,jk->ik", edl.full((2, 2), 1e30), edl.full((2, 2), 1e30)), "Inf"),
    (lambda: edl.constant([NAN, 1.0])[:1] + 1.0, r"\[add\] .*x1 \(1,\) float32 which holds 1 NaN"),
    (lambda: edl.stack([edl.constant(INF), edl.constant(1.0)]) - edl.constant([INF, 0.0]), r"\[subtract\] .*1 NaN.* x1 \(2,\) float32 which holds 1 \+Inf"),
    (lambda: edl.slogdet(edl.zeros((2, 2))), r"\[slogdet\]"),
    (lambda: edl.exp(np.float32(1000.0)), r"\[exp\]"),
    (lambda: edl.log(-1), r"\[log\]"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "match"), BAD, ids=lambda value: value[:24] if isinstance(value, str) else None)
def test_the_first_nan_is_found_at_its_op(function, match, checking):
    with pytest.raises(NumericsError, match=match):
        function()


GOOD = [
    lambda: edl.softmax(edl.where(edl.constant([True, False]), 1.0, -INF)),
    lambda: edl.softmax(edl.constant([1.0, 2.0]) + edl.constant([0.0, -INF])),
    lambda: edl.nan_to_num(edl.constant([NAN, INF])),
    lambda: edl.where(edl.isnan(edl.constant([NAN, 1.0]).reshape((2, 1))), 0.0, 1.0),
    lambda: edl.maximum(edl.constant([-INF]), 0.0),
    lambda: edl.logsumexp(edl.constant([-INF, 0.0])),
    lambda: edl.argmax(edl.constant([NAN, 1.0])),
    lambda: edl.sum(edl.arange(3)),
]


@pytest.mark.parametrize("function", GOOD)
def test_masks_of_infinities_and_cleaned_data_pass(function, checking):
    function()


def test_the_first_nan_of_a_gradient_is_found(checking):
    x = edl.Variable([1.0, 0.0])
    with edl.GradientTape() as tape:
        y = edl.sum(edl.sqrt(x))
    with pytest.raises(NumericsError, match=r"holds 1 \+Inf, first at \[1\]"):
        tape.gradient(y, x)


def test_the_message_names_the_lines_of_the_program():
    dbg.enable_check_numerics(stack_height_limit=1, path_length_limit=12)
    try:
        with pytest.raises(
            NumericsError,
            match=r"called from \.\.\.debugging.py:\d+ in test_the_message_names_the_lines_of_the_program$",
        ):
            edl.log(edl.zeros(1))
    finally:
        dbg.disable_check_numerics()


def test_checking_sees_other_threads(checking):
    caught = []

    def work():
        try:
            edl.log(edl.zeros(1))
        except NumericsError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_results_and_gradients_are_the_same_while_checking(checking):
    def run():
        x = edl.Variable(np.linspace(0.1, 1.0, 6).reshape(2, 3))
        with edl.GradientTape() as tape:
            y = edl.sum(edl.tanh(x @ edl.ones((3, 2), "float64")) * edl.concatenate([x, x], 0)[:2, :2])
        return y.numpy(), tape.gradient(y, x).numpy()

    checked = run()
    dbg.disable_check_numerics()
    assert all(np.array_equal(a, b) for a, b in zip(checked, run()))


def test_every_op_is_as_before_once_checking_is_off():
    def forwards():
        place = {name: op.call.__code__.co_freevars.index("forward") for name, op in REGISTRY.items()}
        return {name: (op.forward, op.call.__closure__[place[name]].cell_contents) for name, op in REGISTRY.items()}

    before = forwards()
    dbg.enable_check_numerics()
    dbg.enable_check_numerics()  # twice is once
    dbg.set_log_device_placement(True)
    during = forwards()
    assert all(during[name][0] is not before[name][0] and during[name][0] is during[name][1] for name in before)
    dbg.set_log_device_placement(False)
    with pytest.raises(NumericsError):
        edl.log(edl.zeros(1))
    dbg.disable_check_numerics()
    dbg.disable_check_numerics()
    assert forwards() == before and not observers.observers and not observers._plain
    assert edl.log(edl.zeros(1)).tolist() == [-INF]


def test_movers_are_ops():
    assert set(REGISTRY) >= observers.MOVERS


def test_device_placement_is_printed(capsys):
    dbg.set_log_device_placement(True)
    try:
        assert dbg.get_log_device_placement()
        edl.tanh(edl.ones(2)) + 1.0
    finally:
        dbg.set_log_device_placement(False)
    edl.exp(edl.ones(2))
    assert capsys.readouterr().err == "tanh: cpu:0\nadd: cpu:0\n"
    assert not dbg.get_log_device_placement()
