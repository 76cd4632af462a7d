"""What all tests share, the doctests of the package among them."""

import numpy as np
import pytest

import eagerdl as edl


@pytest.fixture(autouse=True, scope="session")
def names_for_doctests(doctest_namespace):
    """Examples in docstrings may use `edl` and `np` as they stand in every program."""
    doctest_namespace.update(edl=edl, np=np)
