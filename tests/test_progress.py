"""What a run shows: in a terminal, a file, a notebook; and the same displays for loops of one's own."""

import io
import re
import sys
import types

import numpy as np
import pytest
from rich.console import Console

import eagerdl as edl
from eagerdl.errors import ArgumentError
from eagerdl.train import progress
from eagerdl.train.progress import Bar, Lines, Notebook, Silent, Terminal, display_for, header, layout, seconds, shown

X, Y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")


class Screen(io.StringIO):
    """A terminal: what is written, with the control sequences for one row carried out."""

    encoding = "utf-8"

    def isatty(self):
        return True

    def rows(self):
        """The rows that stay."""
        text = re.sub(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]", "", self.getvalue())
        rows, row = [""], 0
        for part in re.findall(r"\x1b\[[0-9]*[A-Z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                row += 1
                rows += [""] * (row == len(rows))
            elif part.endswith("K") and part.startswith("\x1b"):
                rows[row] = ""
            elif part.endswith("A") and part.startswith("\x1b"):
                row -= int(part[2:-1] or 1)
            elif part != "\r":
                rows[row] = part + rows[row][len(part) :]
        return [one.rstrip() for one in rows if one.strip()]


class Clock:
    """A time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


def terminal(kind=Terminal, width=100, **named):
    screen = Screen()
    return kind(Console(file=screen, force_terminal=True, width=width, height=24, highlight=False), **named), screen


def run(display, clock, epochs, logs=None, steps=4, each=0.2, validation=0):
    """Drives a display through a run; every step takes `each` seconds."""
    display.start("fit", epochs)
    for epoch in range(epochs):
        display.begin(epoch, steps)
        for step in range(4):
            clock.now += each
            display.step(step + 1, {"loss": edl.constant(1.0 / (step + 1))})
        for step in range(validation):
            clock.now += each
            display.validate(step + 1)
        display.end(logs(epoch) if callable(logs) else logs or {"loss": 0.25})
    display.stop()


# -- numbers and times --------------------------------------------------------------------------------

NUMBERS = [
    (0.123456, "0.1235"), (0.0, "0.0000"), (-0.5, "-0.5000"), (1e-5, "1.000e-05"), (12345.678, "1.235e+04"), (1234567, "1,234,567"),
    (float("nan"), "nan"), (float("-inf"), "-inf"), (np.float32(0.5), "0.5000"), (np.int64(7), "7"), (edl.constant([0.5]), "0.5000"),
    (edl.constant([1.0, 2.0]), "[1.0000, 2.0000]"), (np.arange(9), "[0, 1, 2, ...]"), ("text", "text"), (edl.constant(2), "2"),
]  # fmt: skip
TIMES = [
    (0.0, "0ms"),
    (2e-5, "20us"),
    (0.0123, "12ms"),
    (1.0, "1.0s"),
    (59.94, "59.9s"),
    (185, "3m05s"),
    (7380, "2h03m"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS, ids=str)
def test_numbers_are_short(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(("value", "text"), TIMES)
def test_times_are_short(value, text):
    assert seconds(value) == text


# -- which display ------------------------------------------------------------------------------------


def ipython(shell):
    """A module IPython whose shell is an object of a class of that name."""
    return types.SimpleNamespace(get_ipython=lambda: type(shell, (), {})())


@pytest.mark.parametrize(
    ("verbose", "tty", "shell", "kind"),
    [
        (0, True, None, Silent), (False, True, None, Silent), (2, True, None, Lines), ("auto", True, None, Terminal), (1, True, None, Terminal),
        (True, True, None, Terminal), ("auto", False, None, Lines), (1, False, None, Lines), ("auto", False, "ZMQInteractiveShell", Notebook),
        (2, False, "ZMQInteractiveShell", Lines), ("auto", True, "TerminalInteractiveShell", Terminal),
    ],
)  # fmt: skip
def test_the_display_fits_the_place(monkeypatch, verbose, tty, shell, kind):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    if shell:
        monkeypatch.setitem(sys.modules, "IPython", ipython(shell))
    assert type(display_for(verbose)) is kind


def test_notebooks_of_other_makers_are_notebooks(monkeypatch):
    base = type("ZMQInteractiveShell", (), {})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: type("Shell", (base,), {})()))
    assert progress.in_notebook()


@pytest.mark.parametrize("verbose", [3, "yes", -1, None])
def test_other_levels_are_refused(verbose):
    with pytest.raises(ArgumentError, match="0, 1, 2 or 'auto' is needed"):
        display_for(verbose)


# -- the terminal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 3, 100])
def test_a_table_of_epochs_stays(clock, epochs):
    display, screen = terminal()
    run(display, clock, epochs, lambda epoch: {"loss": 1.0 / (epoch + 1), "val_loss": 2.0})
    rows = screen.rows()
    table = [row.split() for row in rows if "loss" not in row]
    assert rows[0].split() == ["epoch", "time", "loss", "val_loss"]
    assert table == [[f"{e + 1}/{epochs}", "800ms", f"{1 / (e + 1):.4f}", "2.0000"] for e in range(epochs)]
    assert len({len(row) for row in rows}) == 1  # aligned
    assert len(rows) - len(table) == -(-epochs // 20)  # the header comes again before it scrolls away
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1  # the cursor is back


def test_the_last_row_moves(clock):
    display, screen = terminal()
    display.start("fit", 2)
    display.begin(0, 4)
    clock.now += 1.0
    display.step(1, {"loss": edl.constant(0.5)})
    (row,) = screen.rows()
    assert re.fullmatch(r" +1/2 +1.0s  ━{20} 1/4, 3.0s left  loss 0.5000", row)
    clock.now += 1.0
    display.validate(7)
    assert "validation, 7 steps  loss 0.5000" in screen.rows()[-1]
    display.stop()
    assert screen.rows() == []


@pytest.mark.parametrize("steps", [None, 0])
def test_without_a_known_length_the_steps_are_counted(clock, steps):
    display, screen = terminal()
    display.start("fit", 1)
    display.begin(0, steps)
    clock.now += 1.0
    display.step(3, {})
    assert screen.rows()[-1].split(None, 2)[2] == "3 steps"
    display.stop()


def test_columns_come_when_their_numbers_come(clock):
    display, screen = terminal()
    run(display, clock, 4, lambda epoch: {"loss": 1.0, **({"val_loss": 2.0} if epoch % 2 else {})})
    rows = [row.split() for row in screen.rows()]
    assert [row[0] for row in rows] == ["epoch", "1/4", "epoch", "2/4", "3/4", "4/4"]
    assert rows[2][2:] == ["loss", "val_loss"] and rows[4][2:] == ["1.0000"] and rows[5][2:] == ["1.0000", "2.0000"]


LOGS = {"loss": 1.0, "mean_absolute_error": 2.0, "val_loss": 3.0, "val_mean_absolute_error": 4.0}


@pytest.mark.parametrize("width", [100, 80, 60, 30])
def test_no_row_is_wider_than_the_terminal(clock, width):
    display, screen = terminal(width=width)
    run(display, clock, 2, LOGS, validation=2)
    rows = screen.rows()
    if width >= 80:
        assert max(map(len, rows)) <= width and rows[-1].split()[2:] == ["1.0000", "2.0000", "3.0000", "4.0000"]
    else:  # a table would not fit: words do, and terminals break their line
        assert rows[-1].startswith("Epoch 2/2 - 1.2s - loss: 1.0000 - mean_absolute_error: 2.0000")
    assert ("mean_" in " ".join(rows).split()) is (width == 80)
    moving = [
        row for row in re.split(r"[\r\n]", re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", screen.getvalue())) if "━" in row
    ]
    assert moving and max(map(len, moving)) <= width


def test_names_are_broken_at_underscores():
    names = ["loss", "mean_absolute_error", "val_mean_absolute_error"]
    assert layout(names, 100) == [9, 19, 23] and layout(names, 40) == [9, 9, 9] and layout(names, 20) is None
    assert header(names, [9, 9, 9]) == [
        "               mean_  val_mean_",
        "           absolute_  absolute_",
        "     loss      error      error",
    ]


def test_short_epochs_draw_no_moving_row(clock):
    display, screen = terminal()
    run(display, clock, 50, each=0.001)
    assert screen.getvalue().count("━") == 20  # of the first moment


def test_drawing_happens_ten_times_a_second_at_most(clock):
    for display in (terminal()[0], Lines(), terminal(Bar)[0]):
        drawn = []
        display.draw = lambda drawn=drawn: drawn.append(clock.now)
        display.start("fit", 1)
        display.begin(0, 1000)
        for step in range(1000):
            clock.now += 0.003
            display.step(step, {})
        display.stop()
        assert 28 <= len(drawn) <= 31


def test_a_terminal_without_unicode_gets_plain_bars(clock):
    screen = Screen()
    screen.encoding = "ascii"
    display = Terminal(Console(file=screen, force_terminal=True, width=80))
    run(display, clock, 1, {"größe": 1.0})
    assert screen.getvalue().isascii() and "=" in screen.getvalue() and "gr??e" in screen.getvalue()


# -- lines --------------------------------------------------------------------------------------------


def test_lines(clock, capsys):
    run(Lines(), clock, 2, {"loss": 0.5, "val_loss": 0.25})
    assert capsys.readouterr().out == "".join(
        f"Epoch {e}/2 - 800ms - loss: 0.5000 - val_loss: 0.2500\n" for e in (1, 2)
    )


def small():
    model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def test_fit_evaluate_predict_and_generators_say_a_line_each(capsys):
    model = small()
    model.fit(X, Y, epochs=2, verbose=2, validation_data=(X, Y))
    model.evaluate(X, Y, verbose="auto")
    model.predict(X, verbose=1)
    model.fit(((X, Y) for _ in range(3)), verbose=2)
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    lines = capsys.readouterr().out.splitlines()
    number = r"\S+"
    metrics = rf"loss: {number} - mae: {number}"
    for line, pattern in zip(lines, [rf"Epoch 1/2 - {number} - {metrics} - val_loss: {number} - val_mae: {number}", "Epoch 2/2 .*",
                                     rf"evaluate - {number} - {metrics}", rf"predict - {number}", rf"Epoch 1/1 - {number} - {metrics}"], strict=True):  # fmt: skip
        assert re.fullmatch(pattern, line)


def test_fit_in_a_terminal_gives_it_back(monkeypatch):
    """Also after an error, and what runs inside a run speaks in lines above the table."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    model = small()

    def within(epoch, logs):
        print("a word of the user")
        model.predict(X, verbose="auto")
        if epoch:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        model.fit(X, Y, epochs=3, verbose=1, callbacks=[edl.callbacks.LambdaCallback(on_epoch_end=within)])
    assert sys.stdout is screen and not progress.live
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1
    rows = screen.rows()
    assert rows[0] == "a word of the user" and rows[1].startswith("predict - ") and rows[2].split()[0] == "epoch"
    assert rows[3].split()[0] == "1/3" and rows[4] == "a word of the user"


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_errors_in_a_pass_give_the_terminal_back(monkeypatch, method):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)

    def fail(batch, logs):
        raise RuntimeError("stop")

    name = {"evaluate": "on_test_batch_end", "predict": "on_predict_batch_end"}[method]
    with pytest.raises(RuntimeError, match="stop"):
        getattr(small(), method)(
            X,
            **({"y": Y} if method == "evaluate" else {}),
            verbose=1,
            callbacks=[edl.callbacks.LambdaCallback(**{name: fail})],
        )
    assert sys.stdout is screen and not progress.live


def test_a_run_that_goes_on_within_an_epoch_is_shown(tmp_path, capsys):
    model, seen = small(), []

    def crash(batch, logs):
        seen.append(batch)
        if len(seen) == 6:
            raise RuntimeError("cut off")

    keep = {"batch_size": 2, "epochs": 2, "verbose": 2}
    with pytest.raises(RuntimeError, match="cut off"):
        model.fit(
            X,
            Y,
            resume=edl.train.Journal(tmp_path, seconds=0),
            callbacks=[edl.callbacks.LambdaCallback(on_train_batch_end=crash)],
            **keep,
        )
    model.fit(X, Y, resume=edl.train.Journal(tmp_path, seconds=0), **keep)
    assert [line[:9] for line in capsys.readouterr().out.splitlines()] == ["Epoch 1/2", "Epoch 2/2"]


# -- notebooks ----------------------------------------------------------------------------------------


@pytest.fixture
def cells(monkeypatch):
    """The contents that a notebook shows one after the other."""
    shown_cells = []

    def display(content, display_id=False):
        assert display_id is True
        shown_cells.append(content)
        return types.SimpleNamespace(update=shown_cells.append)

    module = types.ModuleType("IPython")
    module.display = types.ModuleType("IPython.display")
    module.display.HTML, module.display.display = str, display
    module.get_ipython = lambda: None
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    return shown_cells


def table_of(cell):
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", cell)]


def test_a_notebook_has_one_table(clock, cells):
    run(Notebook(), clock, 2, lambda epoch: {"loss": 0.5, **({"<val>": 1.0} if epoch else {})}, validation=1)
    assert table_of(cells[-1]) == [
        ["epoch", "time", "loss", "&lt;val&gt;"],
        ["1/2", "1.0s", "0.5000", ""],
        ["2/2", "1.0s", "0.5000", "1.0000"],
    ]
    moving = [cell for cell in cells if "progress" in cell]
    assert '<progress value="2" max="4"></progress> 2/4, 400ms left' in "".join(moving) and any(
        "validation, 1 steps" in cell for cell in cells
    )


def test_a_notebook_is_updated_now_and_then_and_at_the_end(clock, cells):
    run(Notebook(), clock, 1000, each=0.0001)
    assert len(cells) <= 8
    last = cells[-1]
    assert "1000/1000" in last and "... 800 earlier epochs" in last and len(table_of(last)) == 202


def test_a_notebook_shows_what_a_cut_off_run_did(clock, cells):
    display = Notebook()
    display.start("fit", 3)
    display.begin(0, 4)
    display.end({"loss": 1.0})
    display.stop()
    assert "1/3" in cells[-1]
    Notebook().stop()  # one that never began


# -- Progbar ------------------------------------------------------------------------------------------

BARS = [  # arguments, updates (current, values) -> the numbers at the end, before the last update, as Keras has them
    ({}, [(1, {"a": 1.0}), (2, {"a": 3.0})], {"a": 2.0}), ({}, [(2, {"a": 1.0}), (3, {"a": 4.0})], {"a": 2.0}),
    ({"stateful_metrics": ["a"]}, [(1, {"a": 1.0, "b": 1.0}), (2, {"a": 3.0, "b": 3.0})], {"a": 3.0, "b": 2.0}),
    ({"stateless_metrics": ["a"]}, [(1, {"a": 1.0, "b": 1.0}), (2, {"a": 3.0, "b": 3.0})], {"a": 2.0, "b": 3.0}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "updates", "expected"), BARS, ids=range(len(BARS)))
def test_progbar_averages(arguments, updates, expected, capsys):
    bar = edl.utils.Progbar(10, verbose=2, **arguments)
    for current, values in updates:
        bar.update(current, list(values.items()))
    assert dict(bar._means) == expected and not capsys.readouterr().out
    bar.update(10, [("a", 7.0)])
    assert re.match(r"10/10 - \S+ - \S+/step - a: 7.0000", capsys.readouterr().out)  # the end shows the last numbers
    bar.update(11, [("a", 1.0)])
    assert not capsys.readouterr().out


def test_progbar_in_a_terminal(monkeypatch, clock):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(edl.utils.progbar.time, "perf_counter", clock.perf_counter)
    bar = edl.utils.Progbar(None, width=10, unit_name="sample", interval=1.0)
    assert not screen.getvalue()
    bar.add(5, [("loss", 0.5)])
    clock.now += 0.5
    bar.add(5, [("loss", 1.5)])
    assert screen.rows() == ["5 samples  loss 0.5000"]
    clock.now += 0.5
    bar.add(2, [("loss", 1.5)])
    assert screen.rows() == ["12 samples  loss 1.0833"]
    bar.update(12, finalize=True)
    print("next")
    assert screen.rows() == ["12 samples - 1.0s - 83ms/sample - loss: 1.0833", "next"]
    assert sys.stdout is screen


def test_progbar_refuses_what_it_cannot_show():
    with pytest.raises(ArgumentError, match="exclude each other"):
        edl.utils.Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"])
    with pytest.raises(ArgumentError, match="0, 1, 2 or 'auto'"):
        edl.utils.Progbar(3, verbose=5)
    edl.utils.Progbar(3, verbose=0).update(3)
