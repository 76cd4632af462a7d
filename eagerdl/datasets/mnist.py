"""MNIST: 70,000 handwritten digits of 28 x 28 pixels.

LeCun, Bottou, Bengio and Haffner, 1998, "Gradient-based learning applied to document recognition", Proceedings of the
IEEE 86(11). LeCun and Cortes hold the copyright; it is available under CC BY-SA 3.0.
"""

from eagerdl.datasets.formats import damaged, read_idx, read_npz
from eagerdl.datasets.sources import KERAS_FILES, Remote, Source

__all__ = ["load_data"]

IDX_FILES = (
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
)  # fmt: skip
PARTS = ("x_train", "y_train", "x_test", "y_test")


def from_npz(path):
    return in_parts(path, *read_npz(path, PARTS))


def from_idx(*paths):
    return in_parts(paths[0], *map(read_idx, paths))


def in_parts(path, x_train, y_train, x_test, y_test):
    """``(x_train, y_train), (x_test, y_test)``, if there is an image for each label."""
    for images, labels in ((x_train, y_train), (x_test, y_test)):
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise damaged(path, f"images of shape {images.shape} do not fit labels of shape {labels.shape}")
    return (x_train, y_train), (x_test, y_test)


FOUR_FILES = f"the four files {', '.join(IDX_FILES[:3])} and {IDX_FILES[3]}"
SOURCE = Source(
    "mnist",
    ("mnist", ""),
    ((("mnist.npz",), from_npz), (IDX_FILES, from_idx)),
    (
        Remote(
            "mnist.npz", f"{KERAS_FILES}mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
        ),
    ),
    f"mnist.npz or {FOUR_FILES}",
)


def load_data(path="mnist.npz"):
    """`(x_train, y_train), (x_test, y_test)`: x_train (60000, 28, 28) and x_test (10000, 28, 28) uint8 with ink from 0 to
    255; y_train (60000,) and y_test (10000,) uint8 with digits from 0 to 9.

    Args:
        path: a file or folder of yours, or a name in the cache. By default the files are looked for in the folder
            ``mnist`` of the one that the environment variable EAGERDL_DATASETS names, then in the cache, and else
            downloaded once. Keras' ``mnist.npz`` and the four original IDX files, compressed or not, are read.

    Raises:
        DownloadError: if the data is nowhere and cannot be downloaded; the message says which file to put where.
        ArgumentError: if a file is damaged.

    Example:
        >>> import tempfile
        >>> images, labels = np.zeros((5, 28, 28), "uint8"), np.arange(5, dtype="uint8")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
        ...     (x_train, y_train), _ = edl.datasets.mnist.load_data(folder)
        >>> x_train.shape, y_train.tolist()
        ((5, 28, 28), [0, 1, 2, 3, 4])
    """
    return SOURCE.load(path)
