"""The scripts and benchmarks start, and say what they need."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240)


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
