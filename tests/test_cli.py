"""The command line, run as a user runs it: in a process of its own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import eagerdl as edl
from eagerdl import cli, doctor

ROOT = Path(__file__).parent.parent


def eagerdl(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "eagerdl", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.fixture(scope="module")
def demo():
    return eagerdl("demo", "--seed", "1", "--epochs", "12")


def weights(result):
    return re.search(r"^weights ([0-9a-f]{12}):", result.stdout, re.MULTILINE).group(1)


def test_demo_reaches_its_accuracy(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    accuracy = float(re.search(r"test accuracy ([\d.]+)% after 12 epochs", demo.stdout).group(1))
    assert 96 <= accuracy <= 100
    assert demo.stderr == ""


def test_demo_writes_plain_lines_into_a_pipe(demo):
    line = r"^epoch +\d+/12  loss \d+\.\d+  test accuracy +[\d.]+%$"
    assert len(re.findall(line, demo.stdout, re.MULTILINE)) == 12
    assert "\x1b" not in demo.stdout


def test_demo_draws_predictions(demo):
    assert "█" in demo.stdout
    assert re.search(r"says (\d), is \1\b", demo.stdout)


def test_same_seed_gives_the_same_weights_bit_for_bit(demo):
    assert weights(eagerdl("demo", "--seed", "1", "--epochs", "12")) == weights(demo)


def test_another_seed_gives_other_weights(demo):
    assert weights(eagerdl("demo", "--seed", "2", "--epochs", "12")) != weights(demo)


def test_demo_says_when_the_accuracy_is_not_reached():
    result = eagerdl("demo", "--epochs", "1")
    assert result.returncode == 1
    message = r"\[eagerdl demo\] the test accuracy must reach 96%; got [\d.]+% after 1 epoch; train longer"
    assert re.search(message, result.stderr)


def test_demo_draws_in_ascii_where_the_output_knows_no_blocks():
    result = eagerdl("demo", "--epochs", "1", PYTHONIOENCODING="ascii")
    assert result.stdout.isascii()
    assert "##" in result.stdout


@pytest.fixture(scope="module")
def demo_fit():
    return eagerdl("demo", "fit", "--epochs", "5")


def test_demo_fit_reaches_its_accuracy_and_draws(demo_fit):
    assert (demo_fit.returncode, demo_fit.stderr) == (0, "")
    assert len(re.findall(r"^Epoch \d/5 .* val_accuracy: ", demo_fit.stdout, re.MULTILINE)) == 5
    assert re.search(r"says (\d), is \1\b", demo_fit.stdout)
    accuracy = float(re.search(r"test accuracy ([\d.]+)% after 5 epochs", demo_fit.stdout).group(1))
    assert 96 <= accuracy <= 100


def test_demo_fit_repeats_its_weights_bit_for_bit():
    first, again, other = (weights(eagerdl("demo", "fit", "--epochs", "1", "--seed", seed)) for seed in "556")
    assert first == again != other


def test_demo_fit_says_when_the_accuracy_is_not_reached():
    result = eagerdl("demo", "fit", "--epochs", "1")
    assert result.returncode == 1
    assert re.search(
        r"\[eagerdl demo fit\] the test accuracy must reach 96%; got [\d.]+% after 1 epoch;", result.stderr
    )


def test_demo_lstm_writes_after_each_epoch_and_says_what_it_does_not_know():
    result, again = (eagerdl("demo", "lstm", "--epochs", "2") for _ in range(2))
    assert result.returncode == 1
    lines = re.findall(r"^epoch +\d/2  loss (\d+\.\d+)  Tyger.{50}$", result.stdout, re.MULTILINE)
    assert len(lines) == 2 and float(lines[1]) < float(lines[0])
    assert "\x1b" not in result.stdout
    message = r"\[eagerdl demo lstm\] 95% of the letters must be known; got [\d.]+% after 2 epochs; train longer"
    assert re.search(message, result.stderr)
    assert weights(again) == weights(result)


@pytest.mark.slow
def test_demo_lstm_learns_the_poem_by_heart():
    result = eagerdl("demo", "lstm")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Did he who made the Lamb make thee?" in result.stdout


def test_version_is_the_one_in_pyproject():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert edl.__version__ == declared
    assert eagerdl("--version").stdout == f"eagerdl {declared}\n"


def test_without_a_command_the_help_appears(capsys):
    assert cli.main([]) == 0
    assert {"demo", "doctor"} <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--epochs", "0"], r"argument --epochs: must be a whole number of at least 1; got '0'"),
        (["demo", "--epochs", "many"], r"argument --epochs: must be a whole number .*; got 'many'"),
        (["demo", "--seed", "-1"], r"argument --seed: .* of at least 0 and at most \d+; got '-1'"),
        (["demo", "--seed", str(2**32)], r"argument --seed: must be a whole number"),
        (["demo", "--epoch-count", "3"], r"unrecognized arguments: --epoch-count"),
        (["demo", "ftt"], r"there is no demo 'ftt'; choose one of loop, fit, lstm"),
        (["dmeo"], r"invalid choice: 'dmeo' \(choose from '?demo'?, '?doctor'?, '?cache'?\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(arguments)
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert re.search(r"\[eagerdl.*\] .*; see `eagerdl( demo)? --help`", error)


def test_doctor_reports_what_is_installed():
    result = eagerdl("doctor")
    assert result.returncode in (0, 1), result.stderr
    for topic in ("eagerdl", "Python", "BLAS", "CuPy", *doctor.REQUIRED):
        assert re.search(rf"^ +(ok|--|!!) {topic} ", result.stdout, re.MULTILINE), topic


def test_doctor_tells_how_to_get_a_missing_package():
    finding = doctor.examine_requirement("no-such-package", "no_such_module", "1.2")
    assert finding.state == "broken"
    assert finding.remedy == 'pip install --upgrade "no-such-package>=1.2"'


def test_doctor_sees_an_old_package():
    finding = doctor.examine_requirement("numpy", "numpy", "99.1")
    assert (finding.state, finding.found.endswith("is older than 99.1")) == ("broken", True)


def test_doctor_knows_the_dependencies_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {f"{name}>={minimum}" for name, (_, minimum) in doctor.REQUIRED.items()}
    assert required == set(project["dependencies"])
