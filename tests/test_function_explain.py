"""What users see of traced functions: `edl.print`, reports, sources, graphs and pictures; warnings of what does not run, and lines in errors."""

import collections
import dataclasses
import io
import logging
import re
import sys
import threading
import warnings
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import config
from eagerdl.errors import ArgumentError, DTypeError, RangeError, TracingError, TracingWarning
from eagerdl.jit import explain, honesty, lines
from eagerdl.jit.program import ShapeChanged


def show(*args, **named):
    edl.print(*args, output_stream=sys.stdout, **named)


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Reports are laid out for a terminal of one width, whatever runs the tests."""
    monkeypatch.setenv("COLUMNS", "160")


def here():
    """The number of the caller's line."""
    return sys._getframe(1).f_lineno


# -- print: text --------------------------------------------------------------------------------------


Pair = collections.namedtuple("Pair", "first second")


@dataclasses.dataclass
class State:
    loss: object
    step: int


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1.0, "1"), ([1.0, 2.5], "[1 2.5]"), ([0.1, 1 / 3, -1e20, 1e-9], "[0.1 0.33333334 -1e+20 1e-09]"),
        ([np.nan, np.inf, -np.inf], "[nan inf -inf]"), ([True, False], "[True False]"), ([1 + 2j], "[(1+2j)]"),
        ([[1, 22], [333, 4]], "[[1 22]\n [333 4]]"), (np.arange(8), "[0 1 2 ... 5 6 7]"), (np.arange(6), "[0 1 2 3 4 5]"),
        (np.arange(16).reshape(8, 2), "[[0 1]\n [2 3]\n [4 5]\n ...\n [10 11]\n [12 13]\n [14 15]]"), (np.zeros((0, 3)), "[]"),
        (np.zeros((2, 2, 1)), "[[[0]\n  [0]]\n\n [[0]\n  [0]]]"),
    ],
)  # fmt: skip
def test_tensors_are_shown_by_their_elements(x, text, capsys):
    show(edl.constant(x))
    assert capsys.readouterr().out == text + "\n"


def test_other_dtypes_are_shown_by_their_elements_too(capsys):
    show(
        edl.constant([1.5, 2.0], dtype="bfloat16"),
        edl.Variable(3),
        np.float32(2),
        np.arange(2),
        edl.constant(1.5, "bfloat16"),
    )
    assert capsys.readouterr().out == "[1.5 2] 3 2 [0 1] 1.5\n"


def test_structures_are_shown_with_their_tensors(capsys):
    x = edl.constant([1.0, 2.0])
    show("a", {"k": [x, (x,)], 3: None}, Pair(x, "s"), State(x, 2), (), [], (1, "s"), None, "s", 2.0)
    assert capsys.readouterr().out == (
        "a {'k': [[1 2], ([1 2],)], 3: None} Pair(first=[1 2], second='s') State(loss=[1 2], step=2) () [] (1, 's') None s 2.0\n"
    )


def test_sep_end_and_summarize(capsys):
    x = edl.arange(10)
    show(x, x, sep="|", end="<", summarize=1)
    show(x, summarize=-1)
    show()
    assert capsys.readouterr().out == "[0 ... 9]|[0 ... 9]<[0 1 2 3 4 5 6 7 8 9]\n\n"


@pytest.mark.parametrize(
    ("named", "match"),
    [({"summarize": 0}, "summarize"), ({"summarize": 1.5}, "summarize"), ({"summarize": True}, "summarize"), ({"sep": 3}, "sep"),
     ({"end": None}, "end"), ({"output_stream": 3}, "output_stream"), ({"output_stream": "file.txt"}, "output_stream")],
)  # fmt: skip
def test_arguments_of_print_are_checked(named, match):
    with pytest.raises(ArgumentError, match=rf"\[print.{match}\]"):
        edl.print(1, **named)


def test_symbolic_tensors_have_no_value_to_print():
    with pytest.raises(DTypeError, match="symbolic"):
        edl.print(edl.Input((3,)))


def test_every_element_of_a_vectorized_map_is_printed(capsys):
    edl.vectorized_map(lambda x: (show(x), x * 2)[1], edl.constant([1, 2]))
    assert capsys.readouterr().out == "1\n2\n"


# -- print: where to ----------------------------------------------------------------------------------


def test_it_prints_to_standard_error_by_default_the_one_of_now(capsys):
    step = edl.function(lambda x: edl.print("x", x))
    step(edl.constant(1))
    assert capsys.readouterr() == ("", "x 1\n")
    before, sys.stderr = sys.stderr, io.StringIO()
    try:
        step(edl.constant(2))
        assert sys.stderr.getvalue() == "x 2\n"
    finally:
        sys.stderr = before


def test_streams_functions_and_files(tmp_path, caplog):
    stream, path = io.StringIO(), tmp_path / "log.txt"

    @edl.function
    def step(x):
        edl.print("x", x, output_stream=stream)
        edl.print("x", x, output_stream=f"file://{path}")
        edl.print("x", x, output_stream=logging.getLogger("mine").warning)

    for i in range(3):
        step(edl.constant(i))
    assert stream.getvalue() == path.read_text() == "x 0\nx 1\nx 2\n"
    assert [record.getMessage() for record in caplog.records] == ["x 0", "x 1", "x 2"]


def test_letters_that_a_stream_cannot_hold_are_replaced():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    edl.print("α", 1, output_stream=stream)
    stream.seek(0)
    assert stream.read() == "? 1\n"


# -- print: when --------------------------------------------------------------------------------------


@pytest.fixture(params=["eager", "compiled", "interpreted"])
def wrap(request):
    """`edl.function` in its ways to run, after which prints must be the same."""
    if request.param == "eager":
        return lambda function: function
    return edl.function(jit_compile=request.param == "compiled" or False)


def eager(function, calls, capsys):
    for call in calls:
        function(*call)
    return capsys.readouterr().out


def check(function, calls, wrap, capsys):
    """The same is printed as by the undecorated function."""
    expected = eager(function, calls, capsys)
    assert eager(wrap(function), calls, capsys) == expected
    return expected


def numbers(*values):
    return [(edl.constant(value),) for value in values]


def test_it_prints_at_each_call_in_order(wrap, capsys):
    v = edl.Variable(1.0)

    def step(x):
        show("start", v)
        v.assign_add(edl.sum(x))
        y = edl.exp(x - x) * v
        show("middle", y)
        show("x", x, x.shape)
        v.assign(v * 1)
        show("end", v)
        return edl.softmax(y)

    function = wrap(step)
    for i in range(3):
        function(edl.constant([1.0, 2.0]))
        start = 1 + 3 * i
        assert capsys.readouterr().out == (
            f"start {start}\nmiddle [{start + 3} {start + 3}]\nx [1 2] (2,)\nend {start + 3}\n"
        )


def test_a_function_that_only_prints_prints(wrap, capsys):
    check(lambda: show("hello"), [(), (), ()], wrap, capsys)
    check(lambda x: show(x), numbers(1, 2, 3), wrap, capsys)


def test_it_prints_in_loops(wrap, capsys):
    def scanned(x):
        def body(total, row):
            show("row", row, total)
            return total + row, total

        return edl.scan(body, edl.constant(0), x)

    def nested(x):
        for row in x:
            total = row
            while total < 5:
                show("total", total)
                total = total + 2

    assert check(scanned, numbers([1, 2], [3, 4], [5, 6]), wrap, capsys).count("row") == 6
    check(nested, numbers([1], [3]), edl.function, capsys) if wrap is edl.function else None
    step = edl.function(nested)
    for value, text in ((1, "total 1\ntotal 3\n"), (3, "total 3\n"), (6, "")):
        step(edl.constant([value]))
        assert capsys.readouterr().out == text


def test_it_prints_in_the_branch_that_is_taken(capsys):
    @edl.function
    def step(x):
        if x > 0:
            show("positive", x)
            y = x
        else:
            show("negative", x)
            y = -x
        return y

    @edl.function
    def unused(x):
        if x > 0:
            show("positive", x)
        return x

    for value in (1, -2, 3, -4):
        step(edl.constant(value))
        assert capsys.readouterr().out == f"{'positive' if value > 0 else 'negative'} {value}\n"
        unused(edl.constant(value))
        assert capsys.readouterr().out == (f"positive {value}\n" if value > 0 else "")


def test_it_prints_in_inner_functions(capsys):
    inner = edl.function(lambda x: (show("inner", x), x * 2)[1])
    outer = edl.function(lambda x: (show("outer", x), inner(x) + 1)[1])
    for value in (1, 2, 3):
        outer(edl.constant(value))
        assert capsys.readouterr().out == f"outer {value}\ninner {value}\n"


def test_it_prints_once_at_each_call_under_a_tape(wrap, capsys):
    function = wrap(lambda x: (show("x", x), x * x)[1])
    for value in (1.0, 2.0, 3.0):
        x = edl.constant(value)
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        assert float(tape.gradient(y, x)) == 2 * value
        assert capsys.readouterr().out == f"x {value:g}\n"


def test_it_prints_in_gradients(wrap, capsys):
    @edl.custom_gradient
    def watched(x):
        def grad(g):
            show("gradient", g)
            return g

        return x * 1, grad

    def inside(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = watched(x) * 3
        return tape.gradient(y, x)

    function, outside = wrap(inside), wrap(lambda x: watched(x) * 3)
    for _ in range(3):
        function(edl.constant(2.0))
        assert capsys.readouterr().out == "gradient 3\n"
        x = edl.constant(2.0)
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = outside(x)
        assert capsys.readouterr().out == ""
        assert float(tape.gradient(y, x)) == 3
        assert capsys.readouterr().out == "gradient 3\n"


def test_a_first_call_that_makes_variables_prints_once(capsys):
    class Layer:
        v = None

        @edl.function
        def __call__(self, x):
            show("before", x)
            if self.v is None:
                self.v = edl.Variable(2.0)
            self.v.assign_add(x)
            show("after", self.v)
            return self.v

    layer = Layer()
    for i in range(3):
        layer(edl.constant(1.0))
        assert capsys.readouterr().out == f"before 1\nafter {3 + i}\n"


def test_a_call_whose_numbers_have_to_be_known_prints_once(capsys):
    step = edl.function(lambda x, n: (show("n", n), x * edl.ones([n]))[1], autograph=False)
    for n in (2, 3, 4):
        step(edl.constant(1.0), n)
        assert capsys.readouterr().out == f"n {n}\n"
    step = edl.function(lambda x, n: (show("n", n), x * n)[1])
    for n in (2, 3, 4):
        step(edl.constant(1.0), n)
        assert capsys.readouterr().out == f"n {n}\n"
    assert step.experimental_get_tracing_count() == 2


def test_what_was_printed_before_an_error_is_shown(capsys):
    @edl.function
    def step(x):
        show("x", x)
        return x @ edl.ones((5, 5))

    with pytest.raises(edl.errors.ShapeError):
        step(edl.ones((2, 3)))
    assert "x [[1 1 1]" in capsys.readouterr().out


def test_asking_for_a_trace_prints_nothing_and_assigns_nothing(capsys):
    v = edl.Variable(1.0)

    @edl.function
    def step(x):
        v.assign_add(x)
        show("v", v)
        return v * 2

    x = edl.constant(2.0)
    concrete = step.get_concrete_function(edl.TensorSpec((), "float32"))
    step.explain(x)
    assert capsys.readouterr().out == "" and float(v) == 1
    assert step.get_concrete_function(x) is concrete
    assert float(step(x)) == 6 and float(v) == 3
    assert capsys.readouterr().out == "v 3\n" and step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("jit_compile", [True, False])
def test_it_prints_at_each_step_of_fit(jit_compile, capsys):
    class Model(edl.Model):
        def __init__(self):
            super().__init__()
            self.dense = edl.layers.Dense(2)

        def call(self, x):
            show("batch of", edl.sum(edl.ones_like(x[:, 0])))
            return self.dense(x)

    model = Model()
    model(edl.ones((1, 3)))
    model.compile("sgd", "mse", jit_compile=jit_compile)
    capsys.readouterr()
    model.fit(np.ones((7, 3), "float32"), np.ones((7, 2), "float32"), batch_size=4, epochs=3, verbose=0)
    assert capsys.readouterr().out == "batch of 4\nbatch of 3\n" * 3


def test_threads_that_call_one_function_print_whole_lines(capsys):
    stream = io.StringIO()
    step = edl.function(lambda x: (edl.print("value", x, output_stream=stream), edl.sum(edl.exp(x)))[1])
    step(edl.constant([0, 0]))
    threads = [threading.Thread(target=lambda i=i: [step(edl.constant([i, i])) for _ in range(50)]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = collections.Counter(stream.getvalue().splitlines())
    assert found == {f"value [{i} {i}]": 50 + (i == 0) for i in range(4)}


# -- what does not run at each call ---------------------------------------------------------------------


class Tracker:
    def __init__(self):
        self.count, self.items, self.w, self.built, self._speed = 0, [], None, False, 0

    def update(self, x):
        pass

    @property
    def speed(self):
        return self._speed

    @speed.setter
    def speed(self, value):
        self._speed = value


tracker, history, table, total = Tracker(), [], {}, 0


def changes(self, x, state, items):
    # These are done once, or change nothing that the caller can see, or what they change is not known.
    if self.w is None:
        self.w = 1
        self.other = 2
    if not self.built:
        self.built = True
    if "key" not in table:
        table["key"] = 1
    if not hasattr(self, "z"):
        self.z = 1
    if getattr(self, "y", None) is None:
        self.y = 1
    items = list(items)
    items.append(1)
    local = {}
    local["a"] = x
    tracker.update(x)
    tracker.speed = 3
    np.random.seed(1)
    edl.print("x", output_stream=io.StringIO())
    first = here()
    tracker.count += 1
    self.items.append(x.shape)
    history.append(1)
    state["n"] = 3
    print("hello")
    global total
    total += 1
    del table["key"]
    if self.count < 10:
        self.count += 1
    return first


def test_side_effects_are_found_that_would_be_missed(capsys):
    me = Tracker()
    first = changes(me, edl.ones(2), {}, [])
    found = honesty.effects(changes, {"self": me, "x": edl.ones(2), "state": {}, "items": []})
    assert found == [
        (first + 1, "tracker.count += 1"), (first + 2, "self.items.append(x.shape)"), (first + 3, "history.append(1)"),
        (first + 4, "state['n'] = 3"), (first + 5, "print('hello')"), (first + 7, "total += 1"), (first + 8, "del table['key']"),
        (first + 10, "self.count += 1"),
    ]  # fmt: skip


def recorded(call):
    """The TracingWarnings of a call."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return [one for one in found if issubclass(one.category, TracingWarning)]


def test_side_effects_are_reported_once_with_the_line(capsys):
    log = []

    @edl.function
    def step(x):
        log.append(x.shape)
        print("tracing")
        return x * 2

    line = here() - 4
    (found,) = recorded(lambda: step(edl.ones(2)))
    assert str(found.message) == (
        f"[step, test_function_explain.py:{line}] the Python code of a traced function runs when it is traced, not at each call; that "
        f"is so for lines {line} `log.append(x.shape)`, {line + 1} `print('tracing')`; edl.print prints at each call; return values, "
        "or keep them in Variables"
    )
    assert (found.filename, found.lineno) == (__file__, line)
    assert not recorded(lambda: (step(edl.ones(2)), step(edl.ones(3))))
    assert log == [(2,), (3,)]


def test_helpers_and_methods_are_reported_too():
    log, seen = [], []

    def helper(x):
        log.append(x.shape)
        return x + 1

    class Model:
        def __init__(self):
            self.calls = 0

        def __call__(self, x):
            self.calls += 1
            return helper(x)

    model = Model()
    (first, second) = recorded(lambda: edl.function(lambda x: model(x))(edl.ones(2)))
    assert "`self.calls += 1`" in str(first.message) and "`log.append(x.shape)`" in str(second.message)
    assert not recorded(lambda: edl.function(lambda x: model(x))(edl.ones(2))) and not seen


def test_instances_of_one_class_are_reported_once():
    class Model:
        def __init__(self):
            self.calls = 0

        @edl.function
        def step(self, x):
            self.calls += 1
            return x

    models = [Model(), Model(), Model()]
    assert len(recorded(lambda: [model.step(edl.ones(2)) for model in models])) == 1


def test_variables_layers_and_optimizers_are_no_side_effects():
    class Model(edl.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.steps = edl.layers.Dense(2), edl.Variable(0, trainable=False)
            self.mean = edl.metrics.Mean()

        def call(self, x):
            self.steps.assign_add(1)
            return self.dense(x)

    model, optimizer = Model(), edl.optimizers.SGD(0.1)

    @edl.function
    def step(x):
        optimizer.learning_rate = 0.5
        with edl.GradientTape() as tape:
            loss = edl.sum(model(x))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        model.mean.update_state(loss)
        model.mean.reset_state()
        return loss

    assert not recorded(lambda: [step(edl.ones((2, 3))) for _ in range(3)])
    assert int(model.steps) == 3


def test_functions_without_a_source_are_not_reported():
    space = {}
    exec("def step(x):\n    print('hello')\n    return x", space)
    assert not recorded(lambda: edl.function(space["step"])(edl.ones(2)))


def test_eager_functions_are_not_reported():
    config.run_functions_eagerly(True)
    try:
        log = []
        assert not recorded(lambda: edl.function(lambda x: log.append(x))(edl.ones(2)))
    finally:
        config.run_functions_eagerly(False)


# -- traces again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "cause", "remedy"),
    [
        ([(edl.ones(i + 1), "a") for i in range(14)], "the argument 'x'", "pad it"),
        ([(edl.ones(1), "a" * i) for i in range(14)], "the argument 'name'", "few values"),
        ([(edl.ones(1), object()) for i in range(14)], "the argument 'name'", "make the object once"),
        ([(edl.ones(1), i) for i in range(14)], "the argument 'name'", "edl.constant"),
        ([(edl.ones(1), [1] * i) for i in range(14)], "the structure", "same number of values"),
    ],
)
def test_many_traces_for_one_argument_are_warned_of_once(arguments, cause, remedy):
    step = edl.function(
        lambda x, name: x * edl.ones([name + 1]) if isinstance(name, int | edl.Tensor) else x, autograph=False
    )
    (found,) = recorded(lambda: [step(*one) for one in arguments])
    assert re.search(
        rf"^\[<lambda>\] .*; {cause}.* has caused 10 of them, the last one since .*; .*{remedy}", str(found.message)
    )
    assert found.filename == __file__
    assert step.experimental_get_tracing_count() == 14


def test_traces_for_several_arguments_are_not_added_up():
    step = edl.function(lambda x, name: x)
    calls = [(edl.ones(i + 1), "") for i in range(9)] + [(edl.ones(1), "a" * (i + 1)) for i in range(8)]
    assert not recorded(lambda: [step(*one) for one in calls])


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ((edl.ones((2, 3)),), (edl.ones((4, 3)),), r"x was float32\[2, 3\] and is float32\[4, 3\]"),
        ((edl.ones(2),), (edl.ones(2, "float64"),), r"x was float32\[2\] and is float64\[2\]"),
        ((edl.ones((2, 3)),), (edl.transpose(edl.ones((3, 2))),), r"x was float32\[2, 3\] and is float32\[2, 3\] with strides \(4, 8\)"),
        (("a",), ("b",), "x was 'a' and is 'b'"), ((None,), (1,), "x was None and is 1"), ((True,), (False,), "x was True and is False"),
        (([edl.ones(1)],), ([edl.ones(1)] * 2,), "the structure of its arguments changed"),
        (([],), ({},), "x was a list of 0 and is a dict of"), ((State(1, 2),), (State(1, "s"),), "x.step was 2 and is 's'"),
    ],
)  # fmt: skip
def test_a_retrace_says_what_changed(first, second, reason):
    step = edl.function(lambda x: edl.zeros(1))
    step(*first)
    step(*second)
    assert re.search(rf"2 traces\n +1  first call\n +2  {reason}", step.explain())


# -- lines in errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jit_compile", [True, False])
def test_errors_of_compiled_code_name_the_line_of_the_user(jit_compile):
    @edl.function(jit_compile=jit_compile)
    def step(x, labels):
        y = edl.exp(x)
        loss = edl.sparse_categorical_crossentropy(labels, y)
        rows = edl.take(x, labels, axis=0)
        return loss, rows

    line = here() - 4
    x = edl.ones((3, 4))
    step(x, edl.constant([0, 1, 2]))
    with pytest.raises(
        RangeError, match=r"\[sparse_categorical_crossentropy\] labels must lie between 0 and 3"
    ) as caught:
        step(x, edl.constant([0, 1, 7]))
    assert caught.value.__notes__ == [
        f"in a compiled function, at test_function_explain.py:{line}: loss = edl.sparse_categorical_crossentropy(labels, y)"
    ]
    with pytest.raises(RangeError, match=r"\[take\] .*out of bounds") as caught:
        step(x, edl.constant([0, 1, 3]))
    assert caught.value.__notes__ == [
        f"in a compiled function, at test_function_explain.py:{line + 1}: rows = edl.take(x, labels, axis=0)"
    ]
    step(x, edl.constant([0, 1, 2]))  # and it goes on


def test_errors_in_the_body_of_a_loop_name_the_line_once():
    @edl.function
    def step(x, rows):
        def body(total, row):
            edl.print(row, output_stream=io.StringIO())
            return total + edl.take(x, row), total

        return edl.scan(body, edl.constant(0.0), rows)

    x = edl.ones(3)
    step(x, edl.constant([0, 1]))
    with pytest.raises(RangeError) as caught:
        step(x, edl.constant([0, 9]))
    (note,) = caught.value.__notes__
    assert note.endswith("return total + edl.take(x, row), total")


def test_errors_of_the_backward_program_name_a_line():
    @edl.custom_gradient
    def picked(x):
        def grad(g):
            return edl.take(edl.ones(3), edl.cast(g, "int32")) * g

        return x * 1, grad

    step = edl.function(lambda x: picked(x))
    for value in (1.0, 9.0):
        x = edl.constant(1.0)
        with edl.GradientTape() as tape:
            tape.watch(x)
            y = step(x)
        if value == 1.0:
            assert float(tape.gradient(y, x, edl.constant(value))) == 1
            continue
        with pytest.raises(RangeError) as caught:
            tape.gradient(y, x, edl.constant(value))
        assert "edl.take(edl.ones(3)" in caught.value.__notes__[0]


def test_errors_of_streams_stay_what_they_are():
    stream = io.StringIO()
    step = edl.function(lambda x: edl.print(x, output_stream=stream))
    step(edl.constant(1))
    stream.close()
    with pytest.raises(ValueError, match="closed file") as caught:
        step(edl.constant(1))
    assert "edl.print(x" in caught.value.__notes__[0]


def test_shapes_that_depend_on_elements_are_refused_by_name_and_line():
    error = ShapeChanged.of("nonzero", "/home/me/train.py:12")
    assert isinstance(error, TracingError)
    assert re.match(r"\[nonzero, train.py:12\] .*; nonzero gave another shape .*; .*edl.where", str(error))


def test_lines_of_programs_tell_their_steps():
    assert lines.number_of("k12(T12)  # add") == 12
    assert lines.number_of("t3, t4, = f7(t1, f7_1)  # split") == 7
    assert lines.number_of("f0(t0, out=t3)") == 0
    for line in ("copyto(a0, i0)", "return [array(t12)]", "t18 = asarray(t18)", "T3w[1] = address(t2)"):
        assert lines.number_of(line) is None
    assert lines.source("nowhere.py:3") == "" and lines.source("") == "" and lines.place("/a/b.py:3") == "b.py:3"


# -- reports ----------------------------------------------------------------------------------------------


def model_step():
    w = edl.Variable(np.linspace(0, 1, 12, dtype="float32").reshape(3, 4), name="kernel")

    @edl.function
    def step(x, y):
        z = edl.softmax(x @ w)
        loss = edl.mean((z - y) ** 2)
        w.assign_sub(0.1 * edl.sum(z) * w)
        totals = edl.scan(lambda c, row: (c + row, c * row), loss, edl.sum(z, axis=1))
        return loss, edl.cumsum(edl.reshape(z, -1)), totals

    return step, w


def arguments():
    return edl.ones((8, 3)), edl.zeros((8, 4))


ALL = ("source", "graph", "explain", "plot")


@pytest.mark.parametrize("name", ALL)
def test_before_the_first_trace_all_say_what_to_do(name, tmp_path):
    step, _ = model_step()
    if name == "explain":
        text = step.explain()
        assert (
            text.startswith("step (test_function_explain.py:")
            and "not traced" in text
            and "get_concrete_function" in text
        )
        return
    with pytest.raises(
        TracingError, match=rf"\[step.{name}\] .*not called yet.*; call it, or step.get_concrete_function"
    ):
        getattr(step, name)()


@pytest.mark.parametrize("name", ALL)
def test_where_functions_run_eagerly_all_say_so(name):
    step, _ = model_step()
    config.run_functions_eagerly(True)
    try:
        step(*arguments())
        if name == "explain":
            assert "run eagerly now" in (text := step.explain()) and "EAGERDL_EAGER" in text
            return
        with pytest.raises(TracingError, match=r"run eagerly now.*EAGERDL_EAGER"):
            getattr(step, name)()
    finally:
        config.run_functions_eagerly(False)


def test_the_source_is_python_with_the_lines_of_the_user():
    step, _ = model_step()
    step(*arguments())
    text = step.source()
    compile(text, "source", "exec")
    assert text.startswith("# step\ndef step(i0, i1):\n")
    assert re.search(r"# k\d+: maximum.reduce, subtract, exp, .*\n#     test_function_explain.py:\d+  z = edl.softmax\(x @ w\)\n"
                     r"#     test_function_explain.py:\d+  loss = edl.mean\(\(z - y\) \*\* 2\)\n", text)  # fmt: skip
    assert "the body of loop" in text
    kernels = re.findall(r"^def kernel\(P\):\n(?:    .*\n)+", text, re.M)
    assert len(kernels) == len(set(kernels)) >= 4  # each once


def test_the_graph_names_what_comes_in_and_goes_out():
    step, _ = model_step()
    step(*arguments())
    text = step.graph()
    assert re.search(
        r"inputs\n  t0 = x +float32\[8, 3\]\n  t1 = y +float32\[8, 4\]\nvariables\n  t2 = kernel +float32\[3, 4\] +written",
        text,
    )
    assert re.search(r"  t3 = matmul\(t0, t2\) +float32\[8, 4\] +test_function_explain.py:\d+\n", text)
    assert re.search(r"outputs\n(.*\n)+  kernel := t\d+ +float32\[3, 4\]", text)
    assert re.search(r"step: the body of loop f\d+\n    inputs\n", text)


def test_the_graph_in_dot_has_a_cluster_for_each_kernel():
    step, _ = model_step()
    step(*arguments())
    text = step.graph(format="dot")
    assert text.startswith('digraph "step" {') and text.endswith("}")
    kernels = len(step.get_concrete_function(*arguments()).program.kernels)
    assert text.count("subgraph cluster_") == kernels > 2
    names = set(re.findall(r"^ *(\w+) \[label", text, re.M))
    edges = re.findall(r"^  (\w+) -> (\w+);", text, re.M)
    assert edges and {name for edge in edges for name in edge} <= names
    assert text.count("{") == text.count("}")


def test_the_graph_knows_two_formats():
    step, _ = model_step()
    with pytest.raises(ArgumentError, match='format is "text" or "dot"'):
        step.graph("svg")


@pytest.mark.parametrize("ending", ["svg", "dot", "png"])
def test_pictures_are_drawn(ending, tmp_path):
    step, _ = model_step()
    step(*arguments())
    path = tmp_path / f"picture.{ending}"
    step.plot(path, dpi=50)
    data = path.read_bytes()
    if ending == "png":
        assert data.startswith(b"\x89PNG")
    elif ending == "dot":
        assert b"subgraph cluster_" in data
    else:
        texts = [one.text for one in ElementTree.fromstring(data).iter() if one.tag.endswith("text")]
        assert {"x", "y", "kernel", "kernel :=", "kernel k1", "matmul", "result"} <= set(texts)


@pytest.mark.parametrize(
    ("named", "match"), [({"to_file": "a.bmp"}, "to_file ends in"), ({"rankdir": "UP", "to_file": "a.svg"}, "rankdir")]
)
def test_arguments_of_plot_are_checked(named, match):
    step, _ = model_step()
    step(*arguments())
    with pytest.raises(ArgumentError, match=match):
        step.plot(**named)


def test_the_report_says_what_was_fused_and_what_not_and_why():
    step, _ = model_step()
    step(*arguments())
    text = step.explain()
    assert repr(text) == str(text)
    for pattern in (
        r"^step \(test_function_explain.py:\d+\): 1 trace$", r"^ +1  first call$", r"^  takes +x float32\[8, 3\], y float32\[8, 4\]$",
        r"^  variables +1 of 48 B, 1 written, 1 of them in place$", r"^  arena +[\d.]+ K?B", r"^  steps +\d+ steps for \d+ calls",
        r"^  kernels +\d, \d different, made or found in [\d.]+ [mu]?s", r"^f\d +matmul +a library: BLAS +test_function_explain.py:\d+$",
        r"fused: 2 calls in one pass", r"^f\d+ +loop +a loop, compiled with its body", r"^Kernels of this process: \d+ compiled",
    ):  # fmt: skip
        assert re.search(pattern, text, re.M), pattern
    assert "time" not in text and "\x1b" not in text


def test_the_report_with_arguments_measures_and_changes_nothing():
    step, w = model_step()
    step(*arguments())
    before = w.numpy()
    kept = w * 1
    text = step.explain(*arguments())
    assert np.array_equal(w.numpy(), before) and np.array_equal(kept.numpy(), before)
    assert re.search(r"^f\d +matmul .* [\d.]+ [mu]?s$", text, re.M) and "copies into and out of the program" in text
    assert step.experimental_get_tracing_count() == 1
    assert "2 traces" in step.explain(edl.ones((2, 3)), edl.zeros((2, 4)))
    assert np.array_equal(w.numpy(), before)
    eager = step.python_function(*arguments())
    again, w2 = model_step()
    w2.assign(before)
    for mine, theirs in zip(edl.tree.flatten(again(*arguments()))[0], edl.tree.flatten(eager)[0], strict=True):
        assert np.array_equal(mine.numpy(), theirs.numpy())


def test_functions_under_a_tape_are_shown_forward_and_backward(tmp_path):
    step = edl.function(lambda x: edl.sum(edl.softmax(x) * x))
    x = edl.ones((4, 3))
    with edl.GradientTape() as tape:
        tape.watch(x)
        step(x)
    text = step.explain()
    assert "1  first call, under a tape" in text and "\nforward\n" in text and "\nbackward\n" in text
    assert "a cotangent float32[]" in text and "saved float32[4, 3]" in text
    assert "# <lambda>: forward\n" in step.source() and "# <lambda>: backward\n" in step.source()
    assert "<lambda>: backward\ninputs\n" in step.graph()
    assert "subgraph cluster_p0" in step.graph("dot")
    step.plot(tmp_path / "a.svg")
    step(x)  # the last trace is the one without a gradient now
    assert "backward" not in step.source() and "2  it" not in step.explain()


def test_interpreted_functions_are_shown_as_calls(tmp_path):
    step = edl.function(lambda x: edl.sum(edl.softmax(x) * x), jit_compile=False)
    step(edl.ones((4, 3)))
    assert "NumPy runs 7 calls one after another, since jit_compile=False." in step.explain()
    assert re.search(r"  time +[\d.]+ [mu]s\n", step.explain(edl.ones((4, 3))))
    assert step.source().startswith(
        "# <lambda>: NumPy runs the calls one after another, since jit_compile=False\ninputs\n"
    )
    assert "exp" in step.graph("dot") and "cluster" not in step.graph("dot")
    step.plot(tmp_path / "a.svg")


def test_methods_are_reported_by_instance():
    class Model:
        @edl.function
        def step(self, x):
            return x * 2

    model, other = Model(), Model()
    model.step(edl.ones(2))
    assert "1 trace" in model.step.explain(edl.ones(2)) and "not traced" in other.step.explain()


def test_numbers_without_a_value_are_named():
    step = edl.function(lambda x, rate: x * rate)
    for rate in (0.1, 0.2, 0.3):
        step(edl.ones(2), rate)
    text = step.explain()
    assert (
        "traced without their value: rate." in text
        and "2  rate was 0.1 and is a float" in text
        and "rate float64[]" in text
    )


def test_functions_without_a_source_say_why_their_ifs_are_pythons():
    space = {}
    exec("def step(x):\n    return x * 2", space)
    step = edl.function(space["step"])
    step(edl.ones(2))
    assert "Its `if` and loops are Python's own: its source cannot be found." in step.explain()


@pytest.mark.parametrize(
    ("function", "x", "how"),
    [
        (lambda x: x @ x, edl.ones((2, 2)), "a library: BLAS"), (lambda x: edl.cumsum(x), edl.ones(3), "kernels do not know this call"),
        (lambda x: x + x, edl.ones(3, "complex64"), "kernels do not know complex64"), (lambda x: x + x, edl.ones((0, 3)), "no elements"),
        (lambda x: edl.print(x, output_stream=io.StringIO()), edl.ones(3), "prints, at each call"),
        (lambda x: edl.prod(x), edl.ones(3), "kernels do not know this reduction"),
        (lambda x: edl.cond(x[0] > 0, lambda: x, lambda: -x), edl.ones(3), "one of several programs, chosen at each call"),
        (lambda x: edl.one_hot(x, 3), edl.constant([1]), "an op that runs as a whole"),
    ],
)  # fmt: skip
def test_calls_that_are_not_fused_say_why(function, x, how):
    step = edl.function(function)
    step(x)
    assert how in step.explain()


def test_numbers_in_words():
    assert [explain.bytes_text(n) for n in (0, 1023, 1024, 3 << 20, 5 << 30)] == [
        "0 B",
        "1023 B",
        "1.0 KB",
        "3.0 MB",
        "5.0 GB",
    ]
    assert [explain.seconds_text(s) for s in (2.0, 0.0031, 4.2e-6)] == ["2.0 s", "3.1 ms", "4.2 us"]
    assert explain.ranges({7, 3, 5, 6}) == "3, 5-7" and explain.count_text(1, "call") == "1 call"
