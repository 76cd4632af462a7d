"""Stability rewrites: laws, extremes, the same bits with and without a trace, what is left alone, reports."""

import gc
import threading
import weakref

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eagerdl as edl
from eagerdl.autograd import dispatch
from eagerdl.autograd.primitive import REGISTRY
from eagerdl.jit import stability
from eagerdl.tensor import Tensor
from eagerdl.tree import flatten

RULES = {rule.name: rule for rule in stability.RULES}
SMALL = {"log1p", "log 1 - x"}  # laws about numbers below 1
LOGITS = np.array([[0.0, 1000.0, -1000.0], [-1000.0, 3.0, 2.0]], "float32")
MODERATE = np.random.default_rng(3).normal(size=(4, 3)).astype("float32")


@pytest.fixture(autouse=True)
def nobody_intercepts_afterwards():
    yield
    assert dispatch.interceptions == 0
    assert dispatch.plain_tensor is Tensor and dispatch.general is dispatch._unaware


@pytest.fixture
def eagerly():
    edl.config.run_functions_eagerly(True)
    yield
    edl.config.run_functions_eagerly(False)


def by_line(function, *args):
    """A call while functions run eagerly."""
    edl.config.run_functions_eagerly(True)
    try:
        return function(*args)
    finally:
        edl.config.run_functions_eagerly(False)


def bits(tree):
    return [None if x is None else (x.shape, x.dtype, np.asarray(x).tobytes()) for x in flatten(tree)[0]]


def assert_one_result(function, *args):
    """A stabilized function gives the same bits by line, at the first call and at the next ones."""
    traced = edl.function(function, stabilize=True)
    wanted = bits(by_line(traced, *args))
    assert bits(traced(*args)) == wanted
    assert bits(traced(*args)) == wanted


def gradient_of(function):
    def gradient(*args):
        with edl.GradientTape() as tape:
            tape.watch(args)
            out = [x for x in flatten(function(*args))[0] if x.dtype.kind == "f"]
        return tape.gradient(out, args)

    return gradient


def is_rewritten(function, *args):
    """Whether some op of a function is answered by a rule."""
    traced = edl.function(function, stabilize=True)
    traced(*args)
    made = traced._latest
    return bool(made.rewrites)


# -- laws ---------------------------------------------------------------------------------------------


def arguments(rule, x):
    """Values for the variables of a law."""
    x = edl.constant(x)
    return {
        "x": x, "y": x[::-1] * 0.5, "axis": 1, "keepdims": True, "epsilon": 1e-12, "labels": edl.constant(np.arange(len(x)) % 3),
        "target": edl.one_hot(np.arange(len(x)) % 3, 3, dtype=x.dtype),
    }  # fmt: skip


def first_side(rule, variables):
    return eval(rule.before, stability.OPS, variables)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_both_sides_of_a_law_are_equal_but_for_rounding(name, data):
    rule, bound = RULES[name], 0.9 if name in SMALL else 4.0
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=4).map(lambda shape: (shape[0], 3)))
    x = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-bound, bound)))
    variables = arguments(rule, x)
    before, after = first_side(rule, variables), rule.answer(variables)
    assert before.shape == after.shape and before.dtype == after.dtype
    np.testing.assert_allclose(before, after, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", RULES)
def test_the_first_side_of_a_law_is_answered_by_the_second(name, dtype):
    rule = RULES[name]
    variables = arguments(rule, edl.constant(MODERATE * 0.5, dtype))
    found = stability.stabilized(lambda: first_side(rule, variables))()
    answer = stability.stabilized(lambda: rule.answer(variables))()
    assert bits(found) == bits(answer)
    plain = first_side(rule, variables)
    assert found.shape == plain.shape and found.dtype == plain.dtype


@pytest.mark.parametrize("name", RULES)
def test_a_law_is_applied_once_a_trace_and_reported(name):
    rule = RULES[name]

    def function(x):
        return first_side(rule, {**arguments(rule, MODERATE), "x": x})

    traced = edl.function(function, stabilize=True)
    traced(edl.constant(MODERATE * 0.5))
    assert rule.law in [law for law, _ in traced._latest.rewrites]


def test_laws_have_names_of_their_own():
    assert len(RULES) == len(stability.RULES)


# -- extremes -----------------------------------------------------------------------------------------

EXTREMES = {
    "log softmax": (lambda x: edl.log(edl.softmax(x)), [[0.0, 1000.0]], [[-1000.0, 0.0]], [[1.0, -1.0]]),
    "log of an element": (lambda x: edl.log(edl.softmax(x)[:, 0]), [[0.0, 1000.0]], [-1000.0], [[1.0, -1.0]]),
    "log of chosen elements": (
        lambda x: edl.log(edl.take_along_axis(edl.softmax(x), [[0]], axis=1)), [[0.0, 1000.0]], [[-1000.0]], [[1.0, -1.0]],
    ),
    "log of transposed elements": (lambda x: edl.log(edl.softmax(x).T.reshape(-1)), [[0.0, 1000.0]], [-1000.0, 0.0], [[1.0, -1.0]]),
    "one by hand": (
        lambda x: edl.log(edl.exp(x) / edl.sum(edl.exp(x), -1, keepdims=True)), [[0.0, 1000.0]], [[-1000.0, 0.0]], [[1.0, -1.0]],
    ),
    "log sigmoid": (lambda x: edl.log(edl.sigmoid(x)), [-1000.0, 1000.0], [-1000.0, 0.0], [1.0, 0.0]),
    "log 1 - sigmoid": (lambda x: edl.log(1 - edl.sigmoid(x)), [-1000.0, 1000.0], [0.0, -1000.0], [0.0, -1.0]),
    "log 1 - sigmoid by hand": (lambda x: edl.log(1 - 1 / (1 + edl.exp(-x))), [-1000.0, 1000.0], [0.0, -1000.0], [0.0, -1.0]),
    "log exp": (lambda x: edl.log(edl.exp(x)), [-1000.0, 1000.0], [-1000.0, 1000.0], [1.0, 1.0]),
    "softplus": (lambda x: edl.log(1 + edl.exp(x)), [-1000.0, 1000.0], [0.0, 1000.0], [0.0, 1.0]),
    "softplus, turned": (lambda x: edl.log(edl.exp(x) + 1.0), [-1000.0, 1000.0], [0.0, 1000.0], [0.0, 1.0]),
    "log1p exp": (lambda x: edl.log1p(edl.exp(x)), [-1000.0, 1000.0], [0.0, 1000.0], [0.0, 1.0]),
    "logsumexp": (lambda x: edl.log(edl.sum(edl.exp(x), axis=0)), [1000.0, 0.0], 1000.0, [1.0, 0.0]),
    "log mean exp": (lambda x: edl.log(edl.exp(x).mean()), [1000.0, 1000.0], 1000.0, [0.5, 0.5]),
    "logaddexp": (lambda x: edl.log(edl.exp(x[0]) + edl.exp(x[1])), [1000.0, 0.0], 1000.0, [1.0, 0.0]),
    "log1p": (lambda x: edl.log(1 + x), [1e-10], [1e-10], [1.0]),
    "log 1 - x": (lambda x: edl.log(1 - x), [1e-10], [-1e-10], [-1.0]),
    "expm1": (lambda x: edl.exp(x) - 1, [1e-10], [1e-10], [1.0]),
    "1 - exp": (lambda x: 1 - edl.exp(-x), [1e-10], [1e-10], [1.0]),
    "softmax": (lambda x: edl.exp(x) / edl.exp(x).sum(), [1000.0, 0.0], [1.0, 0.0], [0.0, 0.0]),
    "sigmoid of exp": (lambda x: edl.exp(x) / (1 + edl.exp(x)), [1000.0, -1000.0], [1.0, 0.0], [0.0, 0.0]),
    "erfc": (lambda x: 1 - edl.erf(x), [9.0], [4.1370317e-37], [-7.5e-36]),
    "cross-entropy": (
        lambda x: -edl.sum(edl.constant([[1.0, 0.0]]) * edl.log(edl.softmax(x)), -1), [[0.0, 1000.0]], [1000.0], [[-1.0, 1.0]],
    ),
    "categorical": (
        lambda x: edl.categorical_crossentropy([[1.0, 0.0]], edl.softmax(x)), [[0.0, 1000.0]], [1000.0], [[-1.0, 1.0]],
    ),
    "sparse": (lambda x: edl.sparse_categorical_crossentropy([0], edl.softmax(x)), [[0.0, 1000.0]], [1000.0], [[-1.0, 1.0]]),
    "binary": (lambda x: edl.binary_crossentropy([1.0, 0.0], edl.sigmoid(x)), [-1000.0, 1000.0], [1000.0, 1000.0], [-1.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("how", [by_line, lambda f, *args: f(*args)], ids=["by line", "compiled"])
def test_values_and_gradients_are_right_where_the_plain_form_is_lost(name, how):
    function, x, value, slope = EXTREMES[name]

    def run(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x)

    y, g = how(edl.function(run, stabilize=True), edl.constant(x))
    np.testing.assert_allclose(y, np.float32(value), rtol=1e-5, atol=0)
    np.testing.assert_allclose(g, np.float32(slope), rtol=1e-2, atol=1e-9)
    plain = [np.asarray(one) for one in run(edl.constant(x))]
    assert not np.allclose(plain[0], value, rtol=1e-5, atol=0, equal_nan=False) or not np.allclose(
        plain[1], slope, rtol=1e-2, atol=1e-9
    )


# -- the same bits with and without a trace -----------------------------------------------------------------

WEIGHTS = edl.Variable(MODERATE)


def tensor_if(x):
    p = edl.softmax(x)
    if edl.sum(x) > 0:
        q = p
        r = edl.softmax(x * 2)
        s = edl.log(p)
    else:
        q, r, s = p * 2, p, x
    return edl.log(q), edl.log(r), edl.log(p), s


def tensor_for(x):
    p, total = edl.softmax(x), edl.zeros(3)
    for row in p:
        total = total + edl.log(row) + edl.log(p[0])
    return total


def tensor_range(x):
    p, total = edl.softmax(x), edl.zeros(3)
    for _ in range(edl.cast(edl.max(x) * 0 + 3, "int32")):
        q = edl.exp(total * 1e-3)
        total = total + edl.log(p[0]) + edl.log(1 + q)
    return edl.log(1 + total * 1e-6), total


def tensor_while(x):
    p = edl.softmax(x)
    while edl.sum(p) < 100:
        p = edl.exp(p)
    return edl.log(p)


def no_iteration(x):
    p = edl.softmax(x)
    while edl.sum(p) < 0:
        p = p + 1
    return edl.log(p)


def tensor_break(x):
    p = edl.softmax(x)
    for _ in range(5):
        p = edl.exp(p)
        if edl.sum(p) > 50:
            break
    return edl.log(p)


def later_statements(x):
    p = total = edl.exp(x)
    for i in range(4):
        p = edl.exp(p * 1e-3)
        if edl.sum(p) > 100 + i:
            break
        total = total + edl.log(p)
    return total


def conditional(x):
    p = edl.exp(x) if edl.sum(x) > 0 else edl.exp(x) * 2
    return edl.log(p)


def staged_cond(x):
    p = edl.softmax(x)
    q = edl.cond(edl.sum(x) > 0, lambda: p, lambda: p * 2)
    return edl.log(q), edl.cond(edl.sum(x) > 0, lambda: edl.log(p), lambda: edl.log(edl.softmax(x * 2)))


def staged_scan(x):
    p = edl.softmax(x)
    carry, ys = edl.scan(
        lambda c, row: (edl.exp(c * 1e-3), edl.log(row) + edl.log(edl.softmax(row)) + edl.log(c)), p[0], p
    )
    return edl.log(carry), ys


def staged_loops(x):
    p = edl.exp(x * 0.1)
    _, q = edl.while_loop(lambda i, q: i < 3, lambda i, q: (i + 1, edl.exp(edl.log(q) * 0.5)), (edl.constant(0), p))
    return (
        edl.log(q),
        edl.log(edl.fori_loop(0, 2, lambda i, q: edl.log(1 + edl.exp(q)), p)),
        edl.log(edl.fori_loop(0, 0, lambda i, q: q, p)),
    )


def switched(x):
    p = edl.softmax(x)
    return edl.log(edl.switch(edl.argmax(x[0]), [lambda p: p, lambda p: edl.exp(p), lambda p: edl.softmax(p)], p))


def nested_tapes(x):
    with edl.GradientTape() as outer:
        outer.watch(x)
        with edl.GradientTape() as inner:
            inner.watch(x)
            y = edl.sum(edl.log(edl.softmax(x)) * edl.log(1 + edl.exp(x)))
        g = inner.gradient(y, x)
        z = edl.sum(g * g)
    return y, g, outer.gradient(z, x)


def forward_mode(x):
    with edl.ForwardAccumulator(x, x * 0 + 1) as accumulator:
        y = edl.log(edl.softmax(x)) + edl.log1p(edl.exp(x))
    return y, accumulator.jvp(y)


def recomputed(x):
    block = edl.recompute_grad(lambda x: edl.log(edl.softmax(x * 300)) + edl.log(1 + edl.exp(x)))
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.sum(block(x))
    return y, tape.gradient(y, x)


def vectorized(x):
    return edl.vectorized_map(lambda row: edl.log(edl.softmax(row)) + edl.log(edl.sum(edl.exp(row))), x)


def jacobian(x):
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.log(edl.softmax(x))
    return tape.jacobian(y, x)


def with_variables(x):
    p = edl.softmax(WEIGHTS)
    WEIGHTS.assign(WEIGHTS * 1.0)
    with edl.GradientTape() as tape:
        y = edl.sum(edl.log(edl.softmax(x + WEIGHTS)) + edl.log(edl.softmax(WEIGHTS)))
    return edl.log(p), tape.gradient(y, WEIGHTS)


def with_constants(x):
    e = np.float32([0.1, 0.2])
    return edl.log(edl.softmax(np.float32([1.0, 500.0]))), edl.log(1 + edl.exp(e)), x


inner_plain = edl.function(lambda p: edl.log(p))
inner_stable = edl.function(lambda x: edl.softmax(x), stabilize=True)


def nested_functions(x):
    return inner_plain(edl.softmax(x)), edl.log(inner_stable(x)), inner_plain(inner_stable(x))


FUNCTIONS = [tensor_if, tensor_for, tensor_range, tensor_while, no_iteration, tensor_break, later_statements, conditional, staged_cond, staged_scan,
             staged_loops, switched, vectorized, with_constants, nested_functions]  # fmt: skip
WITHOUT_GRADIENT = [tensor_while, no_iteration, tensor_break, later_statements]
WITH_TAPES = [nested_tapes, forward_mode, recomputed, jacobian, with_variables]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_trace_changes_no_bit(function, sign):
    x = edl.constant(np.abs(MODERATE) * sign)
    assert_one_result(function, x)
    if function not in WITHOUT_GRADIENT:
        assert_one_result(gradient_of(function), x)


@pytest.mark.parametrize("function", WITH_TAPES, ids=lambda function: function.__name__)
def test_a_trace_changes_no_bit_of_what_inner_tapes_give(function):
    traced = edl.function(function, stabilize=True)
    x = edl.constant(MODERATE)
    wanted = bits(by_line(traced, x))
    assert bits(traced(x)) == wanted and bits(traced(x)) == wanted
    assert all(np.isfinite(one).all() for one in flatten(traced(x))[0])


@pytest.mark.parametrize("name", EXTREMES)
def test_a_trace_changes_no_bit_of_laws(name):
    function, x, *_ = EXTREMES[name]
    for scale in (0.01, 1):
        x = edl.constant(np.float32(x) * scale)
        assert_one_result(function, x)
        traced = edl.function(function, stabilize=True)
        outside = gradient_of(traced)
        assert bits(outside(x)) == bits(by_line(outside, x))


def test_second_derivatives_are_stable():
    hessian = edl.function(lambda x: edl.hessian(lambda x: edl.sum(edl.log(1 + edl.exp(x))))(x), stabilize=True)
    x = edl.constant([-1000.0, 0.0, 1000.0])
    for found in (by_line(hessian, x), hessian(x)):
        np.testing.assert_allclose(found, np.diag([0.0, 0.25, 0.0]), atol=1e-7)


def test_numbers_as_arguments_are_asked_for_their_value_where_a_law_needs_it():
    function = edl.function(lambda x, n: edl.log(n + edl.exp(x)), stabilize=True)
    x = edl.constant([-1.0, 2.0, 100.0])
    for n in (2.0, 1.0, 3.0, 1, 2.5, 1.0):
        assert bits(function(x, n)) == bits(by_line(function, x, n))
    assert np.isfinite(function(x, 1.0)).all() and np.isinf(function(x, 2.0)[2])


def test_numbers_are_asked_for_their_value_under_a_tape_too():
    function = edl.function(lambda x, n, log: edl.log(n + edl.exp(x)) if log else x * n, stabilize=True)
    x = edl.constant([-1.0, 100.0])
    function(x, 2.0, False), function(x, 3.0, False)  # from now on n is traced without its value
    gradient = gradient_of(lambda x: function(x, 1.0, True))
    assert bits(gradient(x)) == bits(by_line(gradient, x)) and np.isfinite(gradient(x)[0]).all()


def test_methods_are_stabilized():
    class Policy:
        @edl.function(stabilize=True)
        def surprise(self, x):
            return -edl.log(edl.softmax(x))

    policy, x = Policy(), edl.constant(LOGITS)
    assert np.isfinite(policy.surprise(x)).all() and bits(policy.surprise(x)) == bits(by_line(policy.surprise, x))


def test_models_with_a_softmax_at_their_end_have_the_loss_of_logits():
    dense = edl.layers.Dense(3, activation="softmax")
    loss = edl.losses.SparseCategoricalCrossentropy()
    labels = edl.constant([0, 1])

    def step(x):
        with edl.GradientTape() as tape:
            value = loss(labels, dense(x))
        return value, tape.gradient(value, dense.trainable_variables)

    x = edl.constant([[1000.0, -1000.0], [300.0, 2.0]])
    dense(x)
    dense.kernel.assign([[3.0, -2.0, 1.0], [-1.0, 2.0, -3.0]])
    logits = edl.matmul(x, dense.kernel) + dense.bias
    wanted = edl.mean(edl.sparse_categorical_crossentropy(labels, logits, from_logits=True))
    traced = edl.function(step, stabilize=True)
    assert bits(traced(x)) == bits(by_line(traced, x))
    np.testing.assert_allclose(traced(x)[0], wanted)
    assert float(step(x)[0]) < float(wanted) / 10  # what is clipped has no gradient


# -- what is left alone ---------------------------------------------------------------------------------

LEFT_ALONE = {
    "a sum of a softmax": lambda x: edl.log(edl.sum(edl.softmax(x, 0), 1)),
    "a softmax times something": lambda x: edl.log(edl.softmax(x) * 2),
    "a clipped softmax": lambda x: edl.log(edl.clip(edl.softmax(x), 1e-7, 1.0)),
    "a stopped gradient": lambda x: edl.log(edl.stop_gradient(edl.softmax(x))),
    "another dtype": lambda x: edl.log(edl.cast(edl.softmax(x), "float64")),
    "another number": lambda x: edl.log(2 + edl.exp(x)),
    "True": lambda x: edl.log(True + edl.exp(x)),
    "a number of NumPy": lambda x: edl.log(np.float32(1) + edl.exp(x)),
    "an array of ones": lambda x: edl.log(edl.ones(3) + edl.exp(x)),
    "integers": lambda x: edl.log(1 + edl.cast(edl.abs(x), "int32")),
    "complex numbers": lambda x: edl.real(edl.log(edl.exp(edl.cast(x, "complex64") * 4j))),
    "a quotient without keepdims": lambda x: edl.exp(x[:3]) / edl.sum(edl.exp(x[:3]), 1),
    "a quotient of two tensors": lambda x: edl.exp(x) / edl.sum(edl.exp(x * 2), 1, True),
    "a sum in another dtype": lambda x: edl.log(edl.sum(edl.exp(x), 1, dtype="float64")),
    "x - 1": lambda x: edl.log(x - 1),
    "1 - 1 - exp": lambda x: 1 - 2 * edl.exp(x),
    "log2": lambda x: edl.log2(edl.softmax(x)),
    "the cross-entropy over another axis": lambda x: edl.categorical_crossentropy(edl.ones_like(x), edl.softmax(x, 0), axis=1),
    "the cross-entropy of several axes": lambda x: edl.categorical_crossentropy(edl.ones_like(x), edl.softmax(x, (0, 1)), axis=1),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_no_instance_of_a_law_is_left_alone(name):
    function, x = LEFT_ALONE[name], edl.constant(MODERATE)
    assert not is_rewritten(function, x)
    assert bits(by_line(edl.function(function, stabilize=True), x)) == bits(function(x))


def test_a_tensor_that_a_tape_watches_stays_on_the_way():
    def run(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            p = edl.softmax(x)
            tape.watch(p)
            y = edl.log(p)
        return tape.gradient(y, p) * p

    for found in (run(edl.constant(MODERATE)), edl.function(run, stabilize=True)(edl.constant(MODERATE))):
        np.testing.assert_allclose(found, np.ones((4, 3)), rtol=1e-6)


def test_nothing_leads_around_a_tape_that_did_not_record():
    def run(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            with tape.stop_recording():
                p = edl.softmax(x)
            y = edl.log(p)
        return tape.gradient(y, x, unconnected_gradients="zero")

    x = edl.constant(MODERATE)
    assert not np.asarray(edl.function(run, stabilize=True)(x)).any() and not np.asarray(run(x)).any()


def test_nothing_leads_around_the_beginning_of_a_tape():
    def run(x):
        p = edl.softmax(WEIGHTS + x)
        with edl.GradientTape() as tape:
            tape.watch(p)
            y = edl.log(p)
        return tape.gradient(y, p)

    x = edl.constant(MODERATE)
    assert bits(edl.function(run, stabilize=True)(x)) == bits(run(x))


def test_what_one_call_knows_another_does_not():
    softmax, log = edl.function(edl.softmax, stabilize=True), edl.function(edl.log, stabilize=True)
    x = edl.constant(LOGITS)
    wanted = bits(edl.log(edl.softmax(x)))
    assert bits(log(softmax(x))) == wanted
    assert bits(edl.function(lambda x: log(softmax(x)))(x)) == wanted
    assert bits(by_line(lambda x: log(softmax(x)), x)) == wanted


def test_functions_that_do_not_ask_for_it_are_not_stabilized():
    function = edl.function(lambda x: edl.log(edl.softmax(x)))
    x = edl.constant(LOGITS)
    assert np.isinf(function(x)).any() and bits(function(x)) == bits(edl.log(edl.softmax(x)))
    around = edl.function(lambda x: function(x), stabilize=True)
    assert np.isfinite(around(x)).all()
    assert np.isinf(function(x)).any()


def test_a_plain_function_called_by_a_stabilized_one_that_runs_by_line_keeps_its_own_trace(eagerly):
    inner = edl.function(lambda x: edl.log(edl.softmax(x)))
    x = edl.constant(LOGITS)

    @edl.function(stabilize=True)
    def outer(x):
        edl.config.run_functions_eagerly(False)
        inner.get_concrete_function(x)
        return inner(x)

    assert np.isfinite(outer(x)).all()
    assert np.isinf(inner(x)).any()


def test_ops_run_by_their_short_way_after_an_error():
    @edl.function(stabilize=True)
    def fails(x):
        raise ValueError("here")

    for how in (by_line, lambda f, x: f(x)):
        with pytest.raises(ValueError, match="here"):
            how(fails, edl.constant(1.0))


def test_literal_numbers_stay_in_the_graph():
    plain, stable = edl.function(lambda x: x**2 * 3 + 1), edl.function(lambda x: x**2 * 3 + 1, stabilize=True)
    x = edl.constant([1.0, 2.0])
    plain(x), stable(x)
    assert [line.split("  ")[:3] for line in plain.graph().splitlines()] == [
        line.split("  ")[:3] for line in stable.graph().splitlines()
    ]


def test_other_threads_notice_nothing():
    x, inside, checked = edl.constant(LOGITS), threading.Event(), threading.Event()
    wanted, found = bits(edl.log(edl.softmax(x))), []

    def other():
        inside.wait(30)
        found.append(bits(edl.log(edl.softmax(x))))
        found.append(bits(edl.function(lambda x: edl.log(edl.softmax(x)))(x)))
        checked.set()

    @edl.function(stabilize=True)
    def function(x):
        p = edl.softmax(x)
        inside.set()
        checked.wait(30)
        return edl.log(p)

    thread = threading.Thread(target=other)
    thread.start()
    out = by_line(function, x)
    thread.join()
    assert found == [wanted, wanted] and np.isfinite(out).all()


def test_what_is_known_of_a_tensor_dies_with_it(eagerly):
    kept = []

    @edl.function(stabilize=True)
    def function(x):
        y = x * 2
        for _ in range(5):
            kept.append(weakref.ref(y))
            y = edl.exp(y * 1e-3)
            y = y[:]
        gc.collect()
        alive = sum(one() is not None for one in kept)
        known = dispatch.interceptor.get().known.entries
        return y, alive, len(known)

    _, alive, known = function(edl.constant([1.0]))
    assert alive <= 1 and known <= 3


# -- reports --------------------------------------------------------------------------------------------


def test_reports_say_what_was_rewritten_and_where():
    def loss(x):
        p = edl.softmax(x)
        return -edl.log(p)

    traced = edl.function(loss, stabilize=True)
    traced(edl.constant(MODERATE))
    line = loss.__code__.co_firstlineno + 2
    assert "Stabilized: 1 rewrite." in traced.explain()
    assert f"log(softmax(x, axis)) -> log_softmax(x, axis)    test_stability.py:{line}" in traced.explain()
    assert "exp" not in [one.strip() for one in traced.graph().splitlines()] and "divide" not in traced.graph()


def test_reports_tell_that_nothing_was_rewritten():
    traced, plain = edl.function(lambda x: x + 1, stabilize=True), edl.function(lambda x: x + 1)
    traced(edl.constant(1.0)), plain(edl.constant(1.0))
    assert "Stabilized: 0 rewrites." in traced.explain() and "Stabilized" not in plain.explain()


def test_reports_of_functions_under_a_tape_and_of_loops_name_each_line_once():
    def loss(x):
        total = edl.zeros(3)
        for row in x:
            total = total + edl.log(edl.softmax(row))
        return total

    traced = edl.function(loss, stabilize=True)
    x = edl.Variable(MODERATE)
    with edl.GradientTape() as tape:
        y = traced(x)
    assert tape.gradient(y, x) is not None
    assert traced.explain().count("log(softmax(x, axis))") == 1


def test_every_pattern_names_ops_that_there_are():
    assert all(term.primitive is REGISTRY[term.primitive.name] for term in stability.INNER.values())
