"""The data sets that ship with the package."""

import gzip
import hashlib
import re
from pathlib import Path

import numpy as np

from eagerdl.datasets import digits

FOLDER = Path(digits.__file__).parent


def test_digits_have_the_documented_shapes_and_dtypes():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert (x_train.shape, x_train.dtype) == ((1437, 8, 8), np.uint8)
    assert (y_train.shape, y_train.dtype) == ((1437,), np.int64)
    assert (x_test.shape, x_test.dtype) == ((360, 8, 8), np.uint8)
    assert (y_test.shape, y_test.dtype) == ((360,), np.int64)
    assert x_train.min() == 0 and x_train.max() == 16


def test_both_parts_hold_every_digit_in_equal_shares():
    (_, y_train), (_, y_test) = digits.load_data()
    shares = np.bincount(y_test) / (np.bincount(y_train) + np.bincount(y_test))
    assert len(shares) == 10
    assert np.all(np.abs(shares - 0.2) < 0.01)


def test_the_parts_are_the_whole_file_and_do_not_overlap():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    text = gzip.decompress((FOLDER / "digits.csv.gz").read_bytes())
    rows = {tuple(map(int, line.split(b","))) for line in text.split()}
    split = [(*image.ravel(), label) for image, label in zip([*x_train, *x_test], [*y_train, *y_test])]
    assert len(rows) == len(split) == 1797
    assert set(split) == rows


def test_digits_are_the_same_on_every_call():
    for first, second in zip(digits.load_data(), digits.load_data()):
        assert all(np.array_equal(a, b) for a, b in zip(first, second))


def test_the_file_is_the_documented_one():
    text = gzip.decompress((FOLDER / "digits.csv.gz").read_bytes())
    documented = re.search(r"`([0-9a-f]{64})`", (FOLDER / "DIGITS.md").read_text()).group(1)
    assert hashlib.sha256(text).hexdigest() == documented
