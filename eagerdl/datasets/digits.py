"""Handwritten digits: 1,797 images of 8 x 8 pixels, shipped with the package.

The test set of *Optical Recognition of Handwritten Digits* (Alpaydin and Kaynak, 1998, UCI Machine
Learning Repository, doi:10.24432/C50P49), licensed CC BY 4.0; `DIGITS.md` beside this file says more.
"""

from pathlib import Path

import numpy as np

__all__ = ["load_data"]

Arrays = tuple[np.ndarray, np.ndarray]


def load_data() -> tuple[Arrays, Arrays]:
    """Return `(x_train, y_train), (x_test, y_test)`.

    Shapes and dtypes: `x_train` (1437, 8, 8) uint8, `y_train` (1437,) int64, `x_test` (360, 8, 8) uint8,
    `y_test` (360,) int64. Pixels run from 0 (white) to 16 (black), labels from 0 to 9.

    The split is fixed: with the images sorted by label (ties in the order of the file), every fifth one is
    a test image. So both parts hold the ten digits in equal shares. Both also hold the same 13 writers: the
    test accuracy says how well a model reads new digits of known hands. Each part keeps the file's order.

    Example:
        >>> import eagerdl.datasets.digits
        >>> (x_train, y_train), (x_test, y_test) = eagerdl.datasets.digits.load_data()
        >>> x_train.shape, x_test.shape, int(x_train.max())
        ((1437, 8, 8), (360, 8, 8), 16)
    """
    table = np.loadtxt(Path(__file__).with_name("digits.csv.gz"), delimiter=",", dtype=np.uint8)
    images = table[:, :64].reshape(-1, 8, 8)
    labels = table[:, 64].astype(np.int64)

    is_test = np.zeros(len(labels), dtype=bool)
    is_test[np.argsort(labels, kind="stable")[::5]] = True
    return (images[~is_test], labels[~is_test]), (images[is_test], labels[is_test])
