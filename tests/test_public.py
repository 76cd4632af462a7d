"""The public names and their signatures: those of Keras 3.15."""

import inspect
import json
import pathlib
import subprocess
import sys
import traceback

import pytest

import eagerdl as edl

SIGNATURES = json.loads((pathlib.Path(__file__).parent / "keras_signatures.json").read_text())
PROMISED = sorted(name for name, entry in SIGNATURES.items() if entry["tier"] in ("core", "common"))


MISSING = object()


def find(name):
    found = edl
    for part in name.split("."):
        found = getattr(found, part, MISSING)
    return found


def plain(default):
    return [plain(one) for one in default] if isinstance(default, list | tuple) else default


@pytest.mark.parametrize("name", PROMISED)
def test_core_and_common_names_exist_with_their_signatures(name):
    check_signature(name)


@pytest.mark.parametrize(
    "name", sorted(name for name in SIGNATURES if name not in PROMISED and find(name) is not MISSING)
)
def test_rare_names_that_exist_have_their_signatures(name):
    check_signature(name)


def check_signature(name):
    found = find(name)
    assert found is not MISSING, f"{name} does not exist"
    if not callable(found):  # a property or a constant
        return
    parameters = [p for p in inspect.signature(found).parameters.values() if p.name != "self"]
    kinds = {p.kind for p in parameters}
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = {p.name: p for p in parameters}
    for place, (argument, default) in enumerate(SIGNATURES[name]["params"]):
        assert argument in named or inspect.Parameter.VAR_KEYWORD in kinds, f"{name} has no argument {argument!r}"
        if argument not in named:
            continue
        if named[argument] in positional:
            assert positional.index(named[argument]) == place, f"{name}: {argument!r} is at another place"
        have = named[argument].default
        if default in ("<required>", "<object>"):  # an argument that Keras requires may have a default here
            continue
        assert plain(have) == plain(default), f"{name}: {argument}={have!r}, Keras has {default!r}"


def test_functions_are_the_same_objects_at_the_top_and_in_ops():
    for name in edl.ops.__all__:
        if name in ("image", "random", "fft"):  # edl.fft is the area of the array API, which calls Keras' function
            continue
        assert getattr(edl, name) is getattr(edl.ops, name), name


def test_the_program_of_tapes_runs():
    x = edl.Variable([1.0, 2.0])
    c = edl.constant(3.0)
    with edl.GradientTape(persistent=True) as t:
        t.watch(c)
        y = edl.sum(x**3) * c
        with t.stop_recording():
            z = y * 100.0
    assert t.gradient(y, x).numpy().tolist() == [9.0, 36.0]
    assert float(t.gradient(y, c)) == 9.0
    assert t.gradient(z, x) is None
    a = edl.random.normal([4, 3])
    with edl.GradientTape() as t:
        t.watch(a)
        b = edl.tanh(a @ edl.ones([3, 2]))
    assert t.batch_jacobian(b, a).shape == (4, 2, 3)


FAULT = "import eagerdl as edl\n{switch}\ndef mine():\n    return edl.hstack([edl.ones((2, 3)), edl.ones((3, 3))])\nmine()\n"


@pytest.mark.parametrize(("switch", "hidden"), [("", True), ("edl.config.disable_traceback_filtering()", False)])
def test_uncaught_errors_show_the_frames_of_the_user_only(tmp_path, switch, hidden):
    program = tmp_path / "program.py"
    program.write_text(FAULT.format(switch=switch))
    env_path = str(pathlib.Path(edl.__file__).parent.parent)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, cwd=env_path,
                          env={"PYTHONPATH": env_path, "PATH": ""})  # fmt: skip
    assert "ShapeError: [" in done.stderr and "in mine" in done.stderr
    assert ("dispatch.py" not in done.stderr) == hidden


def test_caught_errors_carry_a_short_chain():
    with pytest.raises(edl.errors.ShapeError) as caught:
        edl.ones(2) + edl.ones(3)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert len(traceback.extract_tb(caught.value.__traceback__)) <= 4


def test_errors_pickle():
    import pickle

    error = edl.errors.ShapeError("op", "requirement", "came", "remedy")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "[op] requirement; came; remedy" and isinstance(again, ValueError)


@pytest.mark.parametrize(
    ("area", "name", "near"),
    [("layers", "Dnse", "Dense"), ("optimizers", "Adm", "Adam"), ("losses", "MeanSquareError", "MeanSquaredError"),
     ("metrics", "Acuracy", "Accuracy"), ("callbacks", "EarlyStoping", "EarlyStopping")],
)  # fmt: skip
def test_names_that_are_not_there_are_answered_with_the_nearest(area, name, near):
    with pytest.raises(AttributeError, match=rf"edl\.{area} has no '{name}', did you mean '{near}'"):
        getattr(getattr(edl, area), name)
