"""What all tests share, the doctests of the package among them."""

import signal
from pathlib import Path

import numpy as np
import pytest

import eagerdl as edl

TESTS = Path(__file__).parent / "tests"


@pytest.fixture(autouse=True, scope="session")
def interrupts_arrive():
    """Shells start background jobs with Ctrl-C ignored; the tests that send one need it as in a terminal."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def names_for_doctests(doctest_namespace):
    """Examples in docstrings may use `edl` and `np` as they stand in every program."""
    doctest_namespace.update(edl=edl, np=np)


def pytest_ignore_collect(collection_path):
    """Modules beside the tests hold no examples of their own; collected, they would be imported under a second name."""
    inside = collection_path.is_relative_to(TESTS) and collection_path.suffix == ".py"
    return True if inside and not collection_path.name.startswith("test_") else None
