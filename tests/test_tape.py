"""The tape, forward mode, transforms and custom gradients: laws of differentiation and of what is kept."""

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eagerdl as edl
from eagerdl.autograd import dispatch, graph
from eagerdl.errors import ArgumentError, DTypeError, ShapeError, TapeError


def sum_of_cubes(x):
    return edl.sum(x**3)


# -- what is watched ----------------------------------------------------------------------------


def test_variables_are_watched_and_tensors_need_watch():
    v, c = edl.Variable([1.0, 2.0]), edl.constant([3.0, 4.0])
    with edl.GradientTape() as tape:
        y = edl.sum(v * c)
    assert tape.gradient(y, [v, c])[1] is None
    with edl.GradientTape() as tape:
        tape.watch(c)
        y = edl.sum(v * c)
    g = tape.gradient(y, {"v": v, "c": c})
    assert g["v"].tolist() == [3.0, 4.0] and g["c"].tolist() == [1.0, 2.0]


def test_untrainable_variables_and_integers_are_not_watched():
    frozen, count = edl.Variable(2.0, trainable=False), edl.Variable(3)
    with edl.GradientTape(persistent=True) as tape:
        y = frozen * 2.0 + edl.cast(count, "float32")
    assert tape.gradient(y, frozen) is None and tape.watched_variables() == ()
    with edl.GradientTape() as tape:
        tape.watch(frozen)
        y = frozen * 2.0
    assert float(tape.gradient(y, frozen)) == 2.0
    with pytest.raises(DTypeError, match="integers and bools have no derivatives"):
        with edl.GradientTape() as tape:
            tape.watch(count)


def test_a_tape_records_what_is_computed_after_it_watches():
    x, v = edl.constant(2.0), edl.Variable(3.0)
    for _ in range(2):  # what an earlier tape watched makes no difference
        with edl.GradientTape() as tape:
            before = x * v
            tape.watch(x)
            after = x * v
        assert float(tape.gradient([before, after], x)) == 3.0


def test_the_value_of_a_variable_outlives_it_on_a_later_tape():
    value = edl.Variable(2.0).value
    with edl.GradientTape() as tape:
        y = value * value
    assert tape.gradient(y, value) is None


def test_watch_accessed_variables_can_be_switched_off():
    a, b = edl.Variable(2.0), edl.Variable(3.0)
    with edl.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(a)
        y = a * b
    assert [None if g is None else float(g) for g in tape.gradient(y, [a, b])] == [3.0, None]


def test_watched_variables_come_in_order_of_use_and_survive_the_gradient():
    a, b = edl.Variable(2.0), edl.Variable(3.0)
    with edl.GradientTape() as tape:
        y = b * a * b
    assert tape.watched_variables() == (b, a)
    tape.gradient(y, a)
    assert tape.watched_variables() == (b, a)


def test_each_tape_knows_only_what_it_recorded():
    x = edl.constant(2.0)
    with edl.GradientTape(persistent=True) as outer:
        outer.watch(x)
        y = x * x
        with edl.GradientTape(persistent=True) as inner:
            inner.watch(y)
            z = y * y
            w = x * 3.0
    assert float(inner.gradient(z, y)) == 8.0
    assert inner.gradient(z, x) is None and inner.gradient(w, x) is None
    assert float(outer.gradient(z, x)) == 32.0 and float(outer.gradient(w, x)) == 3.0
    with edl.GradientTape() as later:
        u = y * 5.0
    assert later.gradient(u, y) is None


def test_stop_recording_and_reset():
    v = edl.Variable(3.0)
    with edl.GradientTape(persistent=True) as tape:
        y = v * v
        with tape.stop_recording():
            z = v * 2.0
        tape.reset()
        w = v * 4.0
    assert tape.gradient(z, v) is None and tape.gradient(y, v) is None
    assert float(tape.gradient(w, v)) == 4.0


def test_a_tape_used_up_while_it_pauses_stays_out():
    v = edl.Variable(3.0)
    with edl.GradientTape() as tape:
        y = v * v
        with tape.stop_recording():
            assert float(tape.gradient(y, v)) == 6.0
        assert graph.active() is None
    with edl.GradientTape() as outer:
        with edl.GradientTape() as inner:
            y = v * v
            with outer.stop_recording():
                inner.gradient(y, v)
        z = v * 2.0
    assert float(outer.gradient(z, v)) == 2.0 and graph.active() is None and not dispatch.recorders


def test_a_tape_used_up_while_it_pauses_leaves_others_recording():
    v = edl.Variable(3.0)
    with edl.GradientTape() as outer:
        with edl.GradientTape() as inner:
            y = v * v
            with inner.stop_recording():
                inner.gradient(y, v)
                z = v * 2.0
    assert float(outer.gradient(z, v)) == 2.0


def test_reads_before_and_after_an_assignment_both_count():
    v = edl.Variable(3.0)
    with edl.GradientTape() as tape:
        y = v * v
        v.assign(10.0)
        y = y + v * 2.0
    assert float(tape.gradient(y, v)) == 8.0  # 2 * 3 from the first read, kept over the assignment


# -- gradients ----------------------------------------------------------------------------------


def test_several_targets_add_and_output_gradients_weigh():
    x = edl.Variable([1.0, 2.0])
    with edl.GradientTape(persistent=True) as tape:
        a, b = x * 2.0, x * x
    assert tape.gradient([a, b], x).tolist() == [4.0, 6.0]
    assert tape.gradient(
        {"a": a, "b": b}, x, output_gradients={"a": np.zeros(2), "b": np.array([1.0, 10.0])}
    ).tolist() == [2.0, 40.0]


def test_unconnected_gradients():
    x, y = edl.Variable(1.0), edl.Variable([1.0, 2.0])
    with edl.GradientTape(persistent=True) as tape:
        z = x * 2.0
    assert tape.gradient(z, y) is None
    assert tape.gradient(z, y, unconnected_gradients="zero").tolist() == [0.0, 0.0]
    with pytest.raises(ArgumentError, match="'none' or 'zero'"):
        tape.gradient(z, y, unconnected_gradients="nothing")


def test_a_source_may_be_an_intermediate_result_or_the_target():
    x = edl.Variable(3.0)
    with edl.GradientTape(persistent=True) as tape:
        y = x * x
        z = y * 5.0
    assert [float(g) for g in tape.gradient(z, [y, x, z])] == [5.0, 30.0, 1.0]


@pytest.mark.parametrize(("target", "source", "words"), [
    (lambda v, c: c * 2.0, lambda v, c: v, "not used while the tape recorded"),
    (lambda v, c: v * 2.0, lambda v, c: c, "was not watched"),
    (lambda v, c: edl.stop_gradient(v * 2.0), lambda v, c: v, "stop_gradient"),
    (lambda v, c: v * 2.0, lambda v, c: v, "is not None"),
    (lambda v, c: edl.cast(v, "int32"), lambda v, c: v, "integers and bools"),
])  # fmt: skip
def test_why_none_says_why(target, source, words):
    v, c = edl.Variable(1.0), edl.constant(1.0)
    with edl.GradientTape() as tape:
        y = target(v, c)
    assert words in tape.why_none(y, source(v, c))


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda tape, v, y: (tape.gradient(y, v), tape.gradient(y, v)), TapeError, "is used up.*persistent=True"),
    (lambda tape, v, y: tape.gradient(y.numpy(), v), TapeError, "a target must be a tensor; got ndarray"),
    (lambda tape, v, y: tape.gradient(edl.cast(y, "int32"), v), DTypeError, "a target of a floating dtype"),
    (lambda tape, v, y: tape.gradient(y, [1.0]), DTypeError, "a source must be a Tensor or Variable; got float"),
    (lambda tape, v, y: tape.gradient(y, v, output_gradients=[1.0, 2.0]), ArgumentError, "one output gradient per target"),
    (lambda tape, v, y: tape.gradient(y, v, output_gradients=np.ones(3)), ShapeError, "shape of its target"),
    (lambda tape, v, y: tape.stop_recording(), TapeError, "must be recording"),
    (lambda tape, v, y: tape.batch_jacobian(y, v), ShapeError, "share their first axis"),
    (lambda tape, v, y: tape.watch([1.0]), DTypeError, "wrap it with edl.constant"),
])  # fmt: skip
def test_wrong_use_of_a_tape_says_what_to_do(call, error, words):
    v = edl.Variable([1.0, 2.0])
    with edl.GradientTape() as tape:
        y = edl.sum(v * v)
    with pytest.raises(error, match=words):
        call(tape, v, y)


def test_a_tape_is_entered_once_at_a_time():
    with edl.GradientTape() as tape:
        with pytest.raises(TapeError, match="recording already"):
            tape.__enter__()


# -- higher orders, jacobians, forward mode -----------------------------------------------------


def test_nested_tapes_give_any_order():
    x = edl.Variable(2.0)
    with edl.GradientTape() as t3:
        with edl.GradientTape() as t2:
            with edl.GradientTape() as t1:
                y = x**4
            first = t1.gradient(y, x)
        second = t2.gradient(first, x)
    assert float(t3.gradient(second, x)) == 48.0


def test_jacobians_agree_with_their_definition():
    a = np.arange(6.0).reshape(2, 3)
    x = edl.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float64")
    with edl.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x @ a.T
    full, rows = tape.jacobian(y, x).numpy(), tape.batch_jacobian(y, x).numpy()
    assert full.shape == (2, 2, 2, 3) and rows.shape == (2, 2, 3)
    for i in range(2):
        np.testing.assert_allclose(full[i, :, i], a)
        np.testing.assert_allclose(rows[i], a)
    assert not full[0, :, 1].any()


def test_jacobian_of_an_unconnected_source():
    x, y = edl.Variable([1.0, 2.0]), edl.Variable(1.0)
    with edl.GradientTape(persistent=True) as tape:
        z = x * 2.0
    assert tape.jacobian(z, y) is None
    assert tape.jacobian(z, y, unconnected_gradients="zero").shape == (2,)


def test_forward_mode_nested_in_itself_and_over_reverse_mode():
    x, one = edl.constant([1.0, 2.0]), edl.constant([1.0, 0.0])
    with edl.ForwardAccumulator(x, one) as outer:
        with edl.ForwardAccumulator(x, one) as inner:
            y = sum_of_cubes(x)
        slope = inner.jvp(y)
    assert float(slope) == 3.0 and float(outer.jvp(slope)) == 6.0
    v = edl.Variable([1.0, 2.0])
    with edl.ForwardAccumulator(v, one) as acc:
        with edl.GradientTape() as tape:
            y = sum_of_cubes(v)
        g = tape.gradient(y, v)
    assert acc.jvp(g).tolist() == [6.0, 0.0]


def test_reverse_mode_over_forward_mode():
    x = edl.Variable([1.0, 2.0])
    with edl.GradientTape() as tape:
        with edl.ForwardAccumulator(x, edl.constant([1.0, 1.0])) as acc:
            y = sum_of_cubes(x)
        slope = acc.jvp(y)
    assert tape.gradient(slope, x).tolist() == [6.0, 12.0]


def test_forward_accumulator_checks_its_tangents():
    x = edl.constant([1.0, 2.0])
    with pytest.raises(ShapeError, match="shape of its target"):
        edl.ForwardAccumulator(x, edl.constant([1.0]))
    with pytest.raises(ArgumentError, match="one tangent per primal"):
        edl.ForwardAccumulator([x, x], [edl.constant([1.0, 0.0])])
    acc = edl.ForwardAccumulator(x, edl.ones_like(x))
    assert acc.jvp(edl.constant(1.0)) is None
    assert float(acc.jvp(edl.constant(1.0), unconnected_gradients="zero")) == 0.0


def test_transforms_nest_without_confusion():
    # d/dx (x * d/dy (x + y)) = 1, which perturbation confusion would make 2 (Siskind & Pearlmutter, 2005)
    def f(x):
        return x * edl.grad(lambda y: x + y)(edl.constant(1.0))

    assert float(edl.grad(f)(edl.constant(1.0))) == 1.0

    def g(x):
        return x * edl.jvp(lambda y: x + y, (edl.constant(1.0),), (edl.constant(1.0),))[1]

    assert float(edl.jvp(g, (edl.constant(1.0),), (edl.constant(1.0),))[1]) == 1.0


def test_transforms_take_structures_argnums_and_auxiliary_data():
    def f(params, x):
        return edl.sum(params["w"] * x + params["b"]), x + 1.0

    params = {"w": edl.constant([1.0, 2.0]), "b": edl.constant(0.5)}
    slopes, aux = edl.grad(f, has_aux=True)(params, edl.constant([3.0, 4.0]))
    assert slopes["w"].tolist() == [3.0, 4.0] and float(slopes["b"]) == 2.0 and aux.tolist() == [4.0, 5.0]
    both = edl.grad(lambda a, b: a * a * b, argnums=(0, 1))(edl.constant(3.0), edl.constant(2.0))
    assert [float(g) for g in both] == [12.0, 9.0]
    value, pull, more = edl.vjp(lambda x: (x * x, "aux"), edl.constant(3.0), has_aux=True)
    assert float(value) == 9.0 and float(pull(edl.constant(1.0))[0]) == 6.0 and more == "aux"
    with pytest.raises(ShapeError, match=r"return a tensor of shape \(\); it returned shape \(2,\)"):
        edl.grad(lambda x: x)(edl.constant([1.0, 2.0]))
    with pytest.raises(ArgumentError, match="argnums must name one of the 1 arguments"):
        edl.grad(lambda x: x, argnums=3)(edl.constant(1.0))


def test_hessian_and_hvp_agree():
    def f(x):
        return edl.sum(edl.sin(x) * x[::-1])

    x, v = edl.constant([0.3, 0.8, -0.5], "float64"), edl.constant([1.0, -2.0, 0.5], "float64")
    np.testing.assert_allclose(edl.hvp(f, x, v).numpy(), edl.hessian(f)(x).numpy() @ v.numpy(), rtol=1e-12)


def test_the_sign_of_complex_numbers_refuses_a_derivative():
    z = edl.Variable([1.0 + 2.0j])
    with edl.GradientTape() as tape:
        y = edl.sign(z)
    with pytest.raises(DTypeError, match=r"use x / edl.abs\(x\)"):
        tape.gradient(y, z)


def test_check_grads_finds_a_wrong_rule():
    @edl.custom_gradient
    def wrong(x):
        return edl.sin(x), lambda upstream: upstream * edl.sin(x)

    with pytest.raises(AssertionError, match="must agree with finite differences at order 1"):
        edl.check_grads(wrong, (np.array([0.3, 0.5]),), modes=("rev",))


# -- custom gradients ---------------------------------------------------------------------------


def test_custom_gradient_nests_and_differentiates_what_it_closes_over():
    @edl.custom_gradient
    def log1pexp(x):
        e = edl.exp(x)
        return edl.log(1.0 + e), lambda upstream: upstream * (1.0 - 1.0 / (1.0 + e))

    edl.check_grads(log1pexp, (np.array([-1.0, 0.5, 2.0]),), order=3)


def test_custom_gradient_with_variables_and_several_results():
    w = edl.Variable(3.0)

    @edl.custom_gradient
    def f(x, y):
        def grad(up_a, up_b, variables):
            assert variables == [w]
            return (up_a * w, up_b * 100.0), [up_a * x]

        return (x * w, y * 2.0), grad

    x, y = edl.constant(5.0), edl.constant(7.0)
    with edl.GradientTape() as tape:
        tape.watch([x, y])
        a, b = f(x, y)
    assert [float(g) for g in tape.gradient([a, b], [x, y, w])] == [3.0, 100.0, 5.0]


def test_unused_results_of_a_custom_gradient_get_zeros_even_where_they_are_infinite():
    @edl.custom_gradient
    def f(x):
        return (x * 2.0, x / 0.0), lambda up, other: up * 2.0 + other

    x = edl.Variable(3.0)
    with edl.GradientTape() as tape:
        y, _ = f(x)
    assert float(tape.gradient(y, x)) == 2.0


def test_custom_gradient_refuses_what_is_no_pair_or_too_few_gradients():
    with pytest.raises(ArgumentError, match=r"returns \(value, grad\)"):
        edl.custom_gradient(lambda x: x)(edl.constant(1.0))
    lonely = edl.custom_gradient(lambda x, y: (x * y, lambda up: up))
    with pytest.raises(ArgumentError, match="grad must return 2 gradients"):
        edl.grad(lambda x: lonely(x, x * 1.0))(edl.constant(1.0))


def test_recompute_grad_gives_the_same_gradients_and_calls_twice():
    w, calls = edl.Variable([[0.5, -0.3], [0.2, 0.9]]), []

    def block(x, scale):
        calls.append(1)
        return edl.tanh(x @ w) * scale

    x = edl.constant([[1.0, 2.0]])
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.sum(block(x, 2.0))
    plain = tape.gradient(y, [x, w])
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.sum(edl.recompute_grad(block)(x, 2.0))
    again = tape.gradient(y, [x, w])
    assert len(calls) == 3
    for a, b in zip(plain, again, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    edl.check_grads(edl.recompute_grad(lambda x: edl.sin(x) * x), (np.array([0.3, 1.2]),), modes=("rev",))


def test_stop_gradient_maps_structures():
    x = edl.Variable(2.0)
    with edl.GradientTape() as tape:
        y = x * edl.stop_gradient({"x": x})["x"]
    assert float(tape.gradient(y, x)) == 2.0


# -- memory, depth, threads, exceptions ---------------------------------------------------------


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def saved_array(tensor):
    return weakref.ref(tensor._array)


def test_a_long_chain_differentiates_without_recursion():
    x = edl.Variable(1.0)
    with edl.GradientTape() as tape:
        y = x
        for _ in range(100_000):
            y = y * 1.00001
    np.testing.assert_allclose(float(tape.gradient(y, x)), 1.00001**100_000, rtol=1e-2)


def test_what_nobody_can_ask_for_is_freed_while_the_tape_records(no_collector):
    x = edl.Variable(np.ones(10))
    with edl.GradientTape() as tape:
        y = edl.exp(x)
        dropped = saved_array(y)
        z = edl.sin(y)
        assert dropped() is not None
        del y, z
        assert dropped() is None
    assert tape is not None


@pytest.mark.parametrize(
    "call, held",
    [
        (edl.tanh, [type(None)]),  # its rule asks for the result
        (edl.sum, [tuple]),  # the shape and dtype
        (lambda x: edl.sum(x, axis=0), [tuple]),
        (edl.exp, [type(None)]),
        (edl.sin, [edl.Tensor]),
        (lambda x: x + x, [tuple, tuple]),
        (lambda x: x - 2.0, [tuple, float]),
        (lambda x: x[2:], [tuple]),
    ],
)
def test_a_node_holds_of_an_input_what_rules_ask_for(call, held):
    x = edl.Variable(np.ones(10))
    with edl.GradientTape() as tape:
        y = call(x)
    assert [type(one) for one in y._node.inputs] == held
    assert tape.gradient(y, x) is not None


@pytest.mark.parametrize("end", ["gradient", "death"])
def test_a_used_up_or_dead_tape_frees_what_it_saved(no_collector, end):
    x = edl.Variable(np.ones(10))
    with edl.GradientTape() as tape:
        hidden = edl.exp(x)
        saved = saved_array(hidden)
        loss = edl.sum(edl.sin(hidden))
    del hidden
    assert saved() is not None
    if end == "gradient":
        tape.gradient(loss, x)
    else:
        del tape
    assert saved() is None  # although loss lives on
    assert float(loss) != 0


def test_a_persistent_tape_keeps_and_another_tape_is_respected(no_collector):
    x = edl.Variable(np.ones(10))
    with edl.GradientTape(persistent=True) as outer:
        with edl.GradientTape() as inner:
            hidden = edl.exp(x)
            loss = edl.sum(edl.sin(hidden))
        inner.gradient(loss, x)
    saved = saved_array(hidden)
    del hidden
    assert saved() is not None
    assert outer.gradient(loss, x) is not None and outer.gradient(loss, x) is not None
    del outer, inner
    assert saved() is None


@pytest.mark.parametrize(
    "wrap", [edl.recompute_grad, lambda f: edl.custom_gradient(lambda x: (f(x), lambda up: up * f(x)))]
)
def test_functions_with_own_gradients_are_freed_too(no_collector, wrap):
    x = edl.Variable(np.ones(10))
    with edl.GradientTape() as tape:
        hidden = wrap(edl.exp)(x * 1.0)
        saved = saved_array(hidden)
        loss = edl.sum(edl.sin(hidden))
    del hidden
    tape.gradient(loss, x)
    assert saved() is None
    with edl.GradientTape():
        dropped = saved_array(wrap(edl.exp)(x * 1.0))
        assert dropped() is None


def test_many_steps_leave_no_garbage(no_collector):
    w = edl.Variable(np.ones(50))
    for _ in range(20):
        with edl.GradientTape() as tape:
            loss = edl.sum(edl.tanh(w) * w)
        w.assign_sub(0.1 * tape.gradient(loss, w))
    del tape, loss
    assert not [found for found in gc.get_objects() if type(found) is graph.Node]
    assert gc.collect() < 50


def test_threads_have_their_own_tapes():
    x = edl.Variable(3.0)
    results, barrier = {}, threading.Barrier(4)

    def work(number):
        with edl.GradientTape() as tape:
            barrier.wait()
            y = x * float(number)
            barrier.wait()
            y = y * x
        results[number] = float(tape.gradient(y, x))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    with edl.GradientTape() as mine:
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert results == {n: 6.0 * n for n in range(4)}
    assert mine.watched_variables() == ()
    assert not dispatch.recorders


def test_an_exception_leaves_no_state_behind():
    x = edl.Variable(2.0)
    with pytest.raises(ZeroDivisionError):
        with edl.GradientTape():
            raise ZeroDivisionError

    @edl.custom_gradient
    def broken(x):
        def grad(upstream):
            raise ZeroDivisionError

        return x * 2.0, grad

    with edl.GradientTape() as tape:
        y = broken(x)
    with pytest.raises(ZeroDivisionError):
        tape.gradient(y, x)
    with pytest.raises(ShapeError):
        with edl.GradientTape(), edl.ForwardAccumulator(x, edl.constant(1.0)):
            edl.ones(2) + edl.ones(3)
    assert graph.active() is None and not dispatch.recorders
    with edl.GradientTape() as tape:
        y = x * x
    assert float(tape.gradient(y, x)) == 4.0


def test_no_tape_saves_nothing():
    x = edl.Variable(np.ones(3))
    assert edl.exp(x)._node is None


def test_what_was_computed_before_a_tape_is_not_its_own():
    with edl.GradientTape() as outer:
        h = edl.constant(2.0)
        outer.watch(h)
        n = h * h
        with edl.GradientTape(persistent=True) as inner:
            inner.watch([h, n])
            y = h * n
        assert float(inner.gradient(y, h)) == 4.0 and float(inner.gradient(y, n)) == 2.0
        assert [float(g) for g in inner.gradient(y, [h, n])] == [4.0, 2.0]
    assert float(outer.gradient(y, h)) == 12.0


# -- the two ways back ---------------------------------------------------------------------------------

STEPS = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "sine": lambda a, b: edl.sin(a),
    "first of two": lambda a, b: edl.split(a, 2)[0].sum() + b,
    "both of two": lambda a, b: edl.concatenate(edl.split(a, 2)[::-1]) - b,
    "stopped": lambda a, b: edl.stop_gradient(a) * b,
    "integer": lambda a, b: edl.cast(edl.cast(a * 3.0, "int32"), "float32") + b,
}


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
    st.lists(st.integers(0, 13), min_size=1, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_a_tape_that_is_asked_once_gives_what_a_persistent_one_gives(steps, asked):
    v, w = edl.Variable([0.3, -1.2, 0.8, 2.0]), edl.Variable([1.1, 0.4, -0.7, 0.2])

    def run(persistent, sources):
        with edl.GradientTape(persistent=persistent) as tape:
            values = [v, w]
            for name, i, j in steps:
                values.append(STEPS[name](values[i % len(values)], values[j % len(values)]))
        return tape.gradient([values[i % len(values)] for i in asked], sources)

    for sources in ([v, w], [v]):
        for once, again in zip(run(False, sources), run(True, sources), strict=True):
            assert (once is None) == (again is None)
            assert once is None or np.array_equal(once, again)


def test_what_was_recorded_is_let_go_whether_it_led_to_the_target_or_not():
    v = edl.Variable([1.0, 2.0])
    with edl.GradientTape() as tape:
        kept = v * 2.0
        aside = edl.exp(kept)
        y = edl.sum(kept * kept)
    assert tape.gradient(y, v).numpy().tolist() == [8.0, 16.0]
    for x in (kept, aside, y):
        assert x._node.recording is None and x._node.inputs == ()
    assert tape.watched_variables() == (v,)
