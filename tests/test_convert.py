"""Converted functions: for Python values they do what Python does, for traced tensors what Python would have computed.

Tracing is imitated: every tensor counts as traced, and `cond` runs both of its branches and compares what they give, as a
tracer does. So each program below runs three times, and gives one result: as Python, converted on numbers, converted on
tensors.
"""

import contextlib
import functools
import inspect
import linecache
import re
import threading
import traceback
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eagerdl as edl
from eagerdl.errors import DTypeError, EagerdlError, ShapeError, TracingError
from eagerdl.jit.autograph import staging, statements
from eagerdl.jit.autograph.convert import callee, convert, do_not_convert, side_effects, why_not
from eagerdl.tensor import Tensor
from eagerdl.tree import flatten, map_structure

THIS_FILE = "test_convert.py"


def specs(values):
    return [(x.shape, x.dtype) for x in map(edl.convert_to_tensor, flatten(values)[0])]


def both_branches(pred, true_fn, false_fn):
    """`cond` as a tracer sees it."""
    assert isinstance(pred, Tensor) and pred.shape == () and pred.dtype == np.bool_
    ours, theirs = true_fn(), false_fn()
    assert specs(ours) == specs(theirs)
    return ours if bool(pred) else theirs


def tensors_only(loop):
    """A loop op that is given tensors, and a body that keeps their shapes and dtypes."""

    @functools.wraps(loop)
    def checked(*args):
        out = loop(*args)
        state = {"while_loop": 2, "fori_loop": 3, "scan": 1}[loop.__name__]
        assert all(isinstance(x, Tensor) for x in args[state])
        assert specs(args[state]) == specs(out[0] if loop.__name__ == "scan" else out)
        return out

    return checked


@contextlib.contextmanager
def tracing():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "is_traced", lambda x: isinstance(x, Tensor))
        for module in (statements, staging):
            patch.setattr(module, "cond", both_branches)
        for loop in (edl.while_loop, edl.fori_loop, edl.scan):
            patch.setattr(statements, loop.__name__, tensors_only(loop))
        yield


@pytest.fixture
def traced():
    with tracing():
        yield


def plain(value):
    """Results as Python numbers, to be compared."""
    return map_structure(lambda x: x.numpy().tolist() if isinstance(x, Tensor) else x, value)


def tensor(value):
    return edl.constant(value) if isinstance(value, int | float | list) else value


def agree(program, *args):
    """Runs a program as Python, converted, under imitated tracing, and traced and compiled."""
    expected = program(*args)
    assert why_not(program) is None
    assert convert(program)(*args) == expected
    with tracing():
        assert plain(convert(program)(*map(tensor, args))) == plain(expected)
    function = edl.function(program)
    for _ in range(2):
        assert plain(function(*map(tensor, args))) == plain(expected)


# -- one result, three ways -----------------------------------------------------------------------


def if_else(x):
    if x > 2:
        y = x * 2
    elif x < 0:
        y = -x
    else:
        y = x
    return y


def if_without_else(x):
    if x > 2:
        x = x - 2
    return x


def nested(x):
    total = 0
    for i in range(x):
        n = i
        while n > 0:
            if n % 2 == 0:
                if n > 4:
                    total = total + n
                else:
                    total = total + 1
            n = n - 1
    return total


def returns_early(x):
    if x > 5:
        return 0
    if x > 3:
        if x == 4:
            return 1
        x = x + 10
    if x < 0:
        return 2
    return x


def returns_in_else(x):
    if x > 3:
        x = x + 1
    else:
        return x * 100
    return x


def returns_out_of_loops(x):
    for i in range(x):
        j = 0
        while j < i:
            if i * j == 6:
                return i * 10 + j
            j = j + 1
    return -1


def returns_pairs(x):
    if x > 0:
        return x, {"twice": x * 2, "kind": "number"}
    return 0, {"twice": -x, "kind": "number"}


def breaks(x):
    i, total = 0, 0
    while True:
        i += 1
        if i > x:
            break
        if i % 2 == 0:
            continue
        total += i
        if total > 20:
            break
    else:
        total = -1
    return i, total


def loop_else(x):
    n, found = 2, 0
    while n * n <= x:
        if x % n == 0:
            found = n
            break
        n = n + 1
    else:
        found = x
    return found


def for_else(x):
    out = 0
    for i in range(2, x):
        if i * i > x:
            out = i
            break
    else:
        out = -1
    return out


def breaks_out_of_python_loop(x):
    total = 0
    for step in [1, 2, 3, 4, 5]:
        if step == 3:
            continue
        if total > x:
            break
        total = total + step
    return total


def returns_out_of_python_loop(x):
    for name, step in zip("abcde", (1, 2, 3, 4, 5)):
        if step * step > x:
            return step + len(name)
    return 0


def steps(x):
    out = 0
    for i in range(x, 0, -2):
        out = out * 3 + i
    for i in range(1, x, 3):
        out = out + i
    for _ in range(3, x):
        out += 1
    return out


def logic(x):
    a = x > 1 and x < 5
    b = x < 0 or x == 3 or x == 5
    c = not (a and not b)
    d = 0 < x <= 4 < 10
    return [int(value) for value in (a, b, c, d)]


def guards(x):
    return x != 0 and 12 // x > 2


def expression(x):
    return (x if x > 0 else -x) + (1 if x > 3 else 2 if x > 1 else 3)


def structures(x):
    state = {"sum": 0, "pair": (1, 1)}
    while state["sum"] < x:
        a, b = state["pair"]
        state = {"sum": state["sum"] + a, "pair": (b, a + b)}
    return state


def mutates(x):
    cells, log = [1, 2], {}
    if x > 2:
        cells[0] = x
        log["last"] = x
    else:
        cells[1] = cells[1] * x
        log["last"] = -x
    for i in range(x):
        cells[1] += i
    return cells, log


class Counter:
    def __init__(self):
        self.count, self.parts = 0, [0, 0]


def attributes(x):
    counter = Counter()
    for i in range(x):
        if i % 2 == 0:
            counter.count += i
            counter.parts[0] = counter.count
        else:
            counter.parts[1] += 1
    return counter.count, counter.parts


def inner_function(x):
    total = 0

    def add(n):
        nonlocal total
        if n > 1:
            total += n
        return total

    for i in range(x):
        add(i)
    if x > 3:
        add(x)
    return total, (lambda n: n + 1 if n > 2 else n)(x)


def unchanged(x):
    mode, k = "sum", 2
    if x > 2:
        mode = "sum"
        x = x + k
    for _ in range(x):
        k = 2
        x = x + k
    return x, mode


def nothing(x):
    if x > 1:
        pass
    for _ in range(x):
        pass


def with_and_try(x):
    out = 0
    with contextlib.nullcontext(2) as two:
        for i in range(x):
            try:
                if i == 3:
                    continue
                out += i * two
            finally:
                out += 1
            if out > 12:
                return out
    return -out


def numbers_meet(x):
    total, half = 0, 1
    for i in range(x):
        total = total + i * 0.5
    if x > 2:
        half = 0.5
    return total * 2, half * 2


def temporaries(x):
    for i in range(x):
        square = i * i
        if square > 4:
            rest = square - 4
            x = x + rest
    return x


def annotated(x):
    y: int = 0
    z: int
    if x > 1:
        y: int = x
    z = y
    return z


def hides_names(x):
    total = sum([x * 2 for x in range(3)])
    if x > 1:
        total = total + sum(x * y for y in range(2))
    return total


PROGRAMS = [
    if_else, if_without_else, nested, returns_early, returns_in_else, returns_out_of_loops, returns_pairs, breaks, loop_else,
    for_else, breaks_out_of_python_loop, returns_out_of_python_loop, steps, logic, guards, expression, structures, mutates,
    attributes, inner_function, unchanged, nothing, with_and_try, numbers_meet, temporaries, annotated, hides_names,
]  # fmt: skip


@pytest.mark.parametrize("x", range(9))
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_numbers_and_tensors_give_what_python_gives(program, x):
    agree(program, x)


def test_loops_over_tensors_run_over_rows():
    def rows(x, limit):
        total, last = 0, 0
        for a, b in x:
            if a == limit:
                continue
            if total > 10 * limit:
                break
            total = total + a * b
            last = b
        return total, last

    def whole(x, bias):
        best = bias
        for row in x:
            best = best if best > row else row
        return best

    for limit in range(5):
        agree(rows, [[1, 2], [3, 4], [4, 4], [1, 1], [5, 6]], limit)
        agree(whole, [1, 5, 2], limit)


# -- as Python --------------------------------------------------------------------------------------


def same_as_python(program, *args):
    """Results, output and exceptions of a program that tensors have nothing to do with."""

    def outcome(function):
        log = []
        try:
            result = function(log, *args)
            result = list(result) if inspect.isgenerator(result) else result
        except Exception as error:
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__]
            return log, type(error), str(error), lines[-1]
        return log, result

    expected = outcome(program)
    assert outcome(convert(program)) == expected
    return expected


def side_effects_in_order(log, x):
    if log.append("test") or (x > 1 and log.append("and")) or not log.append("not"):
        log.append("body")
    log.append(1 if log.append("if") else 2)
    return 1 < (log.append("compare") or x) < 3, (x and 0) or "last", (x > 1 and []) or ()


def raises(log, x):
    while x:
        log.append(x)
        if x == 2:
            raise ValueError("two")
        x -= 1
    return x


def catches(log, x):
    for i in range(x):
        try:
            if i == 1:
                raise KeyError("one")
            if i == 2:
                continue
            if i == 3:
                return "three"
        except KeyError as error:
            log.append(str(error))
        else:
            log.append("else")
        finally:
            log.append("finally")
    return log


def keeps_what_was_assigned(log, x):
    try:
        if x > 0:
            y = x
            raise RuntimeError("after")
    except RuntimeError:
        return y


def undefined_name(log, x):
    if x > 0:
        return not_there  # noqa: F821
    return x


def undefined_variable(log, x):
    if x > 100:
        y = 1
    if x > 0:
        del x
    return [y, x]


def returns_in_finally(log, x):
    for i in range(3):
        try:
            if i == x:
                return "body"
            log.append(1 / 0)
        finally:
            if x:
                return "finally"  # noqa: B012
            break  # noqa: B012
    return "after"


def generates(log, x):
    for i in range(x):
        if i == 1:
            continue
        if i > 3:
            log.append("end")
            return
        received = yield i
        log.append(received)


def delegates(log, x):
    while (x := x - 1) > 0:
        if x % 2:
            yield from range(x)
    else:
        yield "else"


def assigns_in_expressions(log, x):
    if (y := x + 1) > 2 and (z := y) > 3:
        return y, z
    return [w := y, *[w + i for i in range(3) if i % 2 == 0]], w, (w := 1) if x else 0


def reads_its_frame(log, x):
    if x > 1:
        y = 2
        return sorted(locals()), len(dir())
    return eval("x + 1")


def matches(log, x):
    match (x, [1, 2]):
        case (0, _):
            y = "zero"
        case (1, [first, *others]) if others:
            return first, others
        case _:
            y = "other"
    return y


def imports(log, x):
    if x:
        import math as m
        from os import path
    return m.pi, path.sep


def defines_in_blocks(log, x):
    if x > 0:

        class Local:
            value = x

            def get(self):
                if self.value > 1:
                    return self.value
                return super().__class__.__name__

        def double(n):
            return n * 2

    return Local().get(), double(x)


def stars(log, *args, sep="-", **named):
    first, *rest = args
    if rest:
        log.extend(rest)
    return sep.join(map(str, [first, *rest])), dict(**named, n=len(rest))


def suppresses(log, x):
    with contextlib.suppress(ZeroDivisionError):
        if x == 0:
            return 1 / x
        log.append("inside")
    log.append("after")
    return x


def suppresses_all(log, x):
    for i in range(3):
        with contextlib.suppress(ZeroDivisionError), contextlib.nullcontext(i) as n:
            log.append(x / (n - 1))
            if n > 1:
                break
    else:
        return "never"
    return n


def changes_what_it_loops_over(log, x):
    items = list(range(x))
    for item in items:
        if item == 1:
            items.remove(2)
        log.append(item)
    return items, item


def closures_see_later_values(log, x):
    functions = []
    for i in range(x):
        if i != 1:
            functions.append(lambda: i)  # noqa: B023
    return [function() for function in functions]


def star_import_names(log, x):
    global _made
    if x > 0:
        _made = x
        del _made
    return "_made" in globals()


PYTHON_PROGRAMS = [
    side_effects_in_order, raises, catches, keeps_what_was_assigned, undefined_name, returns_in_finally, generates, delegates,
    assigns_in_expressions, reads_its_frame, matches, imports, defines_in_blocks, stars, suppresses, suppresses_all,
    changes_what_it_loops_over, closures_see_later_values, star_import_names,
]  # fmt: skip


@pytest.mark.parametrize("x", range(6))
@pytest.mark.parametrize("program", PYTHON_PROGRAMS, ids=lambda program: program.__name__)
def test_without_tensors_python_is_python(program, x):
    same_as_python(program, x)


@pytest.mark.parametrize("x", [0, 1])
def test_an_undefined_variable_is_an_unbound_local(x):
    with pytest.raises(UnboundLocalError, match="'y'"):
        convert(undefined_variable)([], x)


# -- random programs ------------------------------------------------------------------------------

VARIABLES = ("a", "b", "c")
terms = st.sampled_from([*VARIABLES, "x", "0", "1", "3"])
conditions = st.recursive(
    st.builds("{} {} {}".format, terms, st.sampled_from(["<", ">=", "==", "!="]), terms),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not {}".format, inner),
    ),
    max_leaves=3,
)
assignments = st.builds(
    lambda name, left, sign, right: f"{name} = ({left} {sign} {right}) % 7",
    st.sampled_from(VARIABLES),
    terms,
    st.sampled_from("+-*"),
    terms,
)


def indented(lines):
    return [f"    {line}" for line in lines]


@st.composite
def blocks(draw, depth, in_loop):
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = ["assign", "assign"] + ["if", "if", "while", "for"] * (depth > 0) + ["jump"] * in_loop + ["return"]
        kind = draw(st.sampled_from(kinds))
        if kind == "assign":
            lines.append(draw(assignments))
        elif kind == "if":
            lines += [f"if {draw(conditions)}:", *indented(draw(blocks(depth - 1, in_loop)))]
            if draw(st.booleans()):
                lines += ["else:", *indented(draw(blocks(depth - 1, in_loop)))]
        elif kind == "jump":
            lines += [f"if {draw(conditions)}:", f"    {draw(st.sampled_from(['break', 'continue']))}"]
        elif kind == "return":
            lines += [f"if {draw(conditions)}:", f"    return {draw(terms)} + 10"]
        else:
            n = f"n{depth}"
            head = [
                f"{n} = 0",
                f"while {n} < {draw(st.sampled_from(['x', '2']))} and {draw(conditions)}:",
                f"    {n} += 1",
            ]
            if kind == "for":
                head = [f"for {n} in {draw(st.sampled_from(['range(x)', 'range(2)', 'range(0, x, 2)', '(0, 1)']))}:"]
            lines += [*head, *indented(draw(blocks(depth - 1, True)))]
            if draw(st.booleans()):
                lines += ["else:", f"    {draw(assignments)}"]
    return lines


programs = blocks(3, False).map(
    lambda lines: "\n".join(
        [
            "def program(x):",
            "    a = b = c = 1",
            "    n0 = n1 = n2 = n3 = 0",
            *indented(lines),
            "    return a + b * 7 + c * 49",
        ]
    )
)


@settings(max_examples=60, deadline=None)
@given(programs, st.integers(0, 3))
def test_random_programs_give_equal_results(source, x):
    name = f"<random program {hash(source)}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    space = {}
    exec(compile(source, name, "exec"), space)
    agree(space["program"], x)


# -- what functions have ----------------------------------------------------------------------------


def test_cells_globals_and_defaults_are_those_of_the_original():
    count = 0

    def bump(by=[1], *, twice=False):  # noqa: B006
        "How it counts."
        nonlocal count
        if twice:
            count += by[0]
        count += by[0]
        return count

    bump.mark = "kept"
    new = convert(bump)
    assert new() == 1 and bump() == 2 and new(twice=True) == 4 and count == 4
    assert new.__defaults__ is bump.__defaults__ and new.__kwdefaults__ is bump.__kwdefaults__
    assert new.__globals__ is bump.__globals__ and new.__doc__ == "How it counts." and new.mark == "kept"
    assert (new.__name__, new.__qualname__, new.__module__) == (bump.__name__, bump.__qualname__, bump.__module__)
    assert inspect.signature(new) == inspect.signature(bump)
    assert new.__code__ is convert(bump).__code__ is not bump.__code__
    assert convert(new) is new


def test_inner_functions_are_called_as_before():
    def program(x):
        if x > 1:

            class Local:
                def method(self):
                    return lambda: self

            def inner():
                return Local

            return inner, Local.method, Local().method(), Local
        return None

    names = [one.__qualname__ for one in program(2)]
    assert [one.__qualname__ for one in convert(program)(2)] == names


class Base:
    def __init__(self, scale):
        self.__scale = scale

    def __call__(self, x):
        if x > 2:
            return x * self.__scale
        return x

    def twice(self, x):
        if x > 0:
            return self(x) + self(x)
        return len(self.name)

    @property
    def name(self):
        return "base"

    @classmethod
    def make(cls, scale):
        return cls(scale)

    @staticmethod
    def clip(x):
        return x if x < 3 else 3


class Derived(Base):
    def twice(self, x):
        if x > 1:
            y = super().twice(x)
            return y + super(Derived, self).twice(x)  # noqa: UP008
        return __class__.clip(x)


def test_methods_super_and_private_names():
    thing = Derived(10)
    for x in range(5):
        assert convert(thing.twice)(x) == thing.twice(x)
        assert convert(thing)(x) == thing(x)
    assert convert(Derived.make)(2).clip(7) == 3
    assert convert(thing.twice).__self__ is thing


@pytest.mark.parametrize("x", range(1, 5))
def test_methods_on_tensors(x):
    thing = Derived(10)

    def program(x):
        return thing.twice(x) + Derived.clip(x) + functools.partial(thing, x)() + Base.__call__(thing, x)

    agree(program, x)


def test_lambdas_of_one_line_are_told_apart(traced):
    functions = [
        lambda x: x if x > 1 else -x,
        lambda x: (lambda y: y and x > 3)(x > 2),
        (lambda x, y=3: y if x > 0 else x),
    ]
    nested = lambda x: lambda y: x if y > x else y  # noqa: E731
    for x in range(-1, 4):
        assert [int(convert(f)(edl.constant(x))) for f in functions] == [-x if x < 2 else x, x > 3, 3 if x > 0 else x]
        assert int(convert(nested)(1)(edl.constant(x))) == min(1, x)
        assert int(convert(nested(1))(edl.constant(x))) == min(1, x)


def test_decorators_are_not_applied_again():
    applied = []

    def decorator(function):
        applied.append(function)

        @functools.wraps(function)
        def wrapper(*args):
            return function(*args) + 1 if args[0] > 0 else 0

        return wrapper

    @decorator
    def decorated(x):
        if x > 2:
            return x
        return 2

    for x in range(5):
        agree(decorated, x)
    assert len(applied) == 1


@pytest.mark.parametrize("x", range(4))
def test_nested_calls_are_converted(x):
    def clip(n):
        if n > 2:
            return 2
        return n

    class Clip:
        def __call__(self, n):
            return clip(n) if n > 1 else n

    def program(x):
        return clip(x) + Clip()(x) + sum(map(abs, [clip(x), 1])) + max(clip(1), 0)

    def program_on_tensors(x):
        return clip(x) + Clip()(x) + functools.partial(clip)(x)

    same_as_python(lambda log, x: program(x), x)
    agree(program_on_tensors, x)


def test_only_users_functions_are_converted():
    def users(x):
        return x

    for function in (
        edl.matmul,
        edl.cond,
        np.mean,
        np.linalg.inv,
        len,
        [].append,
        dict,
        Base,
        textwrap_dedent,
        edl.layers.Dense(2),
    ):
        assert callee(function) is function
    assert callee(users).__code__ is not users.__code__
    assert callee(do_not_convert(users)) is users and "do_not_convert" in why_not(users)
    assert type(callee(range)(3)) is range and callee(int)("7") == 7 and callee(float)("1") == 1.0
    space = {}
    exec("def unknown(x):\n    return x", space)
    assert callee(space["unknown"]) is convert(space["unknown"]) is space["unknown"]
    assert why_not(space["unknown"]) == "its source cannot be found"


textwrap_dedent = inspect.cleandoc


def test_threads_convert_once():
    def program(x):
        if x > 1:
            return x
        return 0

    codes = []
    threads = [threading.Thread(target=lambda: codes.append(convert(program).__code__)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == 8 and len(set(map(id, codes))) == 1


def test_user_layers_call_is_converted(traced):
    class Clip(edl.layers.Layer):
        def call(self, x):
            if edl.sum(x) > 3.0:
                x = x * 0.0
            return x

    layer = Clip()
    assert convert(layer.call)(edl.constant([1.0, 3.0])).numpy().tolist() == [0.0, 0.0]


def test_tracebacks_show_the_users_lines():
    def program(x):
        for i in range(3):
            if i == 2:
                raise KeyError(x)

    with pytest.raises(KeyError) as info:
        convert(program)(1)
    shown = [frame for frame in info.traceback if frame.path.name == THIS_FILE]
    first = program.__code__.co_firstlineno
    assert [frame.lineno + 1 - first for frame in shown[1:]] == [1, 2, 3]
    assert {frame.name for frame in shown[1:]} == {"program"}


def test_builtins_on_traced_scalars(traced):
    def program(x):
        return int(x), float(x), bool(x), int(2.5), float("3"), bool([])

    out = convert(program)(edl.constant(2.5))
    assert [str(x.dtype) for x in out[:3]] == ["int64", "float64", "bool"] and out[3:] == (2, 3.0, False)


# -- asserts ----------------------------------------------------------------------------------------


def asserts(x):
    assert x > 1, f"got {x}"
    return x


def test_asserts_are_pythons_or_the_tracers(traced, monkeypatch):
    assert convert(asserts)(2) == 2
    with pytest.raises(AssertionError, match="got 1"):
        convert(asserts)(1)
    with pytest.raises(TracingError, match=r"an assert needs a Python value here"):
        convert(asserts)(edl.constant(2))
    seen = []
    monkeypatch.setattr(statements, "on_assert", lambda *args: seen.append(args))
    convert(asserts)(edl.constant(2))
    assert bool(seen[0][0]) and "got 2" in seen[0][1] and THIS_FILE in seen[0][2]


# -- what is refused --------------------------------------------------------------------------------


def defined_in_one(x):
    if x > 1:
        y = x
    return y  # ?


def defined_in_the_other(x):
    if x > 1:
        pass
    else:
        y = x
    return y


def structures_differ(x):
    y = []
    if x > 1:
        y = [x, x]
    return y


def dtypes_differ(x):
    y = x * 1.5
    if x > 1:
        y = x
    return y


def shapes_differ(x):
    y = edl.zeros(3, "int32")
    if x > 1:
        y = edl.zeros(2, "int32")
    return y


def none_or_tensor(x):
    y = None
    if x > 1:
        y = x
    return y


def returns_sometimes(x):
    if x > 1:
        return x


def text_differs(x):
    y = "a"
    if x > 1:
        y = "b"
    return y


def expression_differs(x):
    return x if x > 1 else None


def needs_one_element(x):
    if edl.stack([x, x]) > 1:
        x = x + 1
    return x


def changes_shape(x):
    y = edl.zeros(1)
    while x > 1:
        y = edl.concatenate([y, y])
        x = x - 1
    return y


def starts_as_a_number(x):
    y = 0
    for _ in range(x):
        y = y + edl.ones(2)
    return y


def changes_dtype(x):
    y = x
    while y > 1:
        y = y * 0.5
    return y


def grows(x):
    rows = []
    for i in range(x):
        rows.append(i)
    return rows


def first_defined_in_loop(x):
    for i in range(x):
        y = i
    return y


def becomes_text(x):
    y = 0
    for _ in range(x):
        y = "text"
    return y


def text_changes(x):
    y = "a"
    for _ in range(x):
        y = y + "a"
    return y


def filters(x):
    return [i for i in (1, 2, 3) if i > x]


def yields(x):
    if x > 1:
        yield x


def walrus(x):
    while (y := x - 1) > 1:
        x = y
    return x


def matches_on_guard(x):
    match 1:
        case 1 if x > 1:
            return x


def looks_into_a_range(x):
    return list(range(x))


def float_range(x):
    for i in range(x * 1.0):
        x = x + i
    return x


def loops_over_a_scalar(x):
    for i in x:
        x = x + i
    return x


def loops_forever(x):
    for _ in iter(int, 1):
        if x > 1:
            break
    return x


def attribute_in_one(x):
    counter = types.SimpleNamespace()
    if x > 1:
        counter.new = x
    return counter


def list_grows_in_one(x):
    rows = [x]
    if x > 1:
        rows.append(x)
    return rows


REFUSED = [
    (defined_in_one, TracingError, r"`y` must be defined in both branches of `if`, because it is used later; it is only if the condition holds;"),
    (defined_in_the_other, TracingError, r"`y` must be defined in both .* only if the condition does not hold"),
    (structures_differ, TracingError, r"`y` must have one structure .*; a list of 2 if the condition holds, else a list of 0"),
    (dtypes_differ, DTypeError, r"`y` must have one dtype in both branches of `if`; int32 if .*, else float32; cast"),
    (shapes_differ, ShapeError, r"`y` must have one shape in both branches of `if`; \(2,\) if .*, else \(3,\)"),
    (none_or_tensor, TracingError, r"`y` must be a tensor, or one and the same value.*; a tensor int32 \(\) if .*, else None"),
    (returns_sometimes, TracingError, r"the return value must be a tensor.*else None; return or assign tensors in both"),
    (text_differs, TracingError, r"`y` must be a tensor, or one and the same value"),
    (expression_differs, TracingError, r"the value must be a tensor.* in both branches of `if ... else`"),
    (needs_one_element, ShapeError, r"the condition of `if` needs one element; got shape \(2,\); reduce it with edl.any"),
    (changes_shape, ShapeError, r"`y` must keep its shape in this `while`; \(1,\) becomes \(2,\)"),
    (starts_as_a_number, ShapeError, r"`y` must keep its shape in this `for`; \(\) becomes \(2,\); begin .* edl.zeros\(\(2,\)\)"),
    (changes_dtype, DTypeError, r"`y` must keep its dtype in this `while`; int32 becomes float32; cast it"),
    (grows, TracingError, r"the contents of `rows` must keep its structure in this `for`; a list of 0 becomes a list of 1; let edl.scan"),
    (first_defined_in_loop, TracingError, r"`y` must be defined before this `for`, because it is used after it"),
    (becomes_text, TracingError, r"`y` is a tensor in this `for` and must stay one; a tensor int32 \(\) becomes a str"),
    (text_changes, TracingError, r"`y` must stay the same value, or be a tensor, in this `for`"),
    (filters, TracingError, r"the condition must be a Python value; a tensor bool \(\) came, and a comprehension is as long as Python says"),
    (yields, TracingError, r"the condition must be a Python value; .* holds what cannot become part of a graph \(yield"),
    (walrus, TracingError, r"the condition must be a Python value; .*`:=`"),
    (matches_on_guard, TracingError, r"the condition must be a Python value; .*`match`"),
    (looks_into_a_range, TracingError, r"a range with an end that is a tensor can only be the iterable of a `for`; range\(int 0, a tensor"),
    (float_range, DTypeError, r"range takes integers; a tensor float32 \(\)"),
    (loops_over_a_scalar, ShapeError, r"a `for` over a tensor runs over its first axis; .*shape \(\); use range"),
    (loops_forever, TracingError, r"a `for` over Python values that a tensor may end is unrolled"),
    (attribute_in_one, TracingError, r"`counter.new` must be defined in both branches"),
    (list_grows_in_one, TracingError, r"the contents of `rows` must have one structure .*; a list of 2 .* a list of 1"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "kind", "message"), REFUSED, ids=[row[0].__name__ for row in REFUSED])
def test_what_cannot_be_traced_says_so(program, kind, message, traced, monkeypatch):
    monkeypatch.setattr(statements, "LONGEST_UNROLLING", 20)
    with pytest.raises(EagerdlError, match=message) as info:
        out = convert(program)(edl.constant(5 if program is not loops_forever else 0))
        list(out)
    assert isinstance(info.value, kind)
    where = re.match(r"\[([^,]+), test_convert.py:(\d+)\]", str(info.value))
    lines, first = inspect.getsourcelines(program)
    assert where[1] in (program.__name__, "<listcomp>") and first < int(where[2]) < first + len(lines)


def test_exceptions_of_branches_say_why_they_came(traced):
    def program(x):
        if x > 1:
            raise ValueError("too large")
        return x

    with pytest.raises(ValueError, match="too large") as info:
        convert(program)(edl.constant(0))
    assert "both branches of `if` were traced" in info.value.__notes__[0]


def test_what_is_dead_after_a_traced_statement_is_unbound(traced):
    def program(x):
        if x > 1:
            y = x
        return locals().get("y", "unbound")

    assert convert(program)(edl.constant(2)) == "unbound"


# -- side effects -----------------------------------------------------------------------------------


def test_side_effects_are_found_by_line():
    history, table = [], {}

    def program(x, model):
        global _steps
        local = []
        local.append(x)
        local[0] = x
        edl.add(x, x)
        np.append(x, 1)
        history.append(x)
        model.count += 1
        table["x"] = x
        if x > 1:
            print("large", x)
        model.parts[0].rows[1] = x
        y = history.pop()
        _steps = 1
        del table["x"]

        def inner(z):
            local.append(z)
            history.extend(z)

        model.update(x)
        return [inner, y, table.get("x")]

    first = program.__code__.co_firstlineno
    found = [(line - first, text) for line, text in side_effects(program)]
    assert found == [
        (7, "history.append(x)"), (8, "model.count += 1"), (9, "table['x'] = x"), (11, "print('large', x)"),
        (13, "y = history.pop()"), (14, "_steps = 1"), (15, "del table['x']"), (19, "history.extend(z)"), (21, "model.update(x)"),
    ]  # fmt: skip
    assert side_effects(len) == [] and side_effects(if_else) == [] and side_effects(Derived(1).twice) == []
