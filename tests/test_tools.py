"""The scripts and benchmarks start, and say what they need."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import accuracy

ROOT = Path(__file__).parent.parent


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_array_api_wants_a_checkout_of_the_suite(tmp_path):
    result = python("scripts/array_api.py", "--suite", str(tmp_path))
    assert result.returncode == 2
    assert "[array_api] --suite must be a checkout of data-apis/array-api-tests" in result.stderr


def test_array_api_wants_the_submodule_of_the_suite(tmp_path):
    (tmp_path / "array_api_tests").mkdir()
    result = python("scripts/array_api.py", "--suite", str(tmp_path))
    assert result.returncode == 2
    assert "run `git submodule update --init`" in result.stderr


@pytest.mark.slow
def test_dispatch_benchmark_measures_every_operation():
    result = python("-m", "benchmarks.dispatch", "--json", "--rounds", "1")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert {name.split()[0] for name in rows} == {
        "add",
        "multiply",
        "tanh",
        "matmul",
        "sum",
        "reshape",
        "slice",
        "gradient",
    }
    assert all(0 < row["eagerdl recording"] < 1000 for row in rows.values())


@pytest.mark.slow
def test_import_benchmark_measures_both_imports():
    result = python("-m", "benchmarks.import_time", "--json", "--repeats", "1")
    assert result.returncode == 0, result.stderr
    seconds = json.loads(result.stdout)
    assert 0 < seconds["numpy"] and 0 < seconds["eagerdl"]


def test_accuracy_benchmark_names_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit) as exit:
        accuracy.main(["mlpp"])
    assert exit.value.code == 2
    assert "no benchmark is called 'mlpp'; there are mlp, convnet" in capsys.readouterr().err


def test_accuracy_benchmark_leaves_out_what_has_no_data(capsys):
    assert accuracy.main(["gpt", "--quick", "--shakespeare", "nowhere.txt"]) == 1
    assert re.search("left out: .*nowhere.txt", capsys.readouterr().err)


def test_accuracy_benchmark_makes_the_adding_problem():
    x, y = accuracy.marked_sums(np.random.default_rng(0), 2000, 10)
    numbers, marks = x[..., 0], x[..., 1]
    assert (marks[:, :5].sum(1) == 1).all() and (marks[:, 5:].sum(1) == 1).all()
    np.testing.assert_allclose(y[:, 0], [row[mark == 1].sum() for row, mark in zip(numbers, marks)], rtol=1e-6)
    np.testing.assert_allclose(np.mean((y - 1) ** 2), 1 / 6, rtol=0.05)  # the variance of a sum of two numbers


@pytest.mark.slow
def test_accuracy_benchmark_runs_everything(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "tinyshakespeare").mkdir()
    images, labels = rng.integers(256, size=(64, 28, 28), dtype="uint8"), np.arange(64, dtype="uint8") % 10
    np.savez(tmp_path / "mnist" / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("To be, or not to be. " * 100)
    result = python("-m", "benchmarks.accuracy", "--quick", "--json", EAGERDL_DATASETS=str(tmp_path))
    assert result.stderr == ""
    rows = json.loads(result.stdout[result.stdout.index("\n{") :])["rows"]
    assert len(rows) == 10
    for row in rows:
        assert row["good"] == (row["reached"] <= row["wanted"] if row["smaller"] else row["reached"] >= row["wanted"])
