"""Fashion-MNIST: 70,000 images of clothes, 28 x 28 pixels, in place of digits.

Xiao, Rasul and Vollgraf, 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
arXiv:1708.07747. MIT licence, Zalando SE.
"""

from eagerdl.datasets.mnist import FOUR_FILES, IDX_FILES, from_idx
from eagerdl.datasets.sources import KERAS_FILES, Remote, Source

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

CHECKSUMS = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)

# Its files have the names of MNIST's, so that they are never looked for outside of a folder of their own.
SOURCE = Source(
    "fashion_mnist",
    ("fashion_mnist", "fashion-mnist"),
    ((IDX_FILES, from_idx),),
    tuple(Remote(name, KERAS_FILES + name, checksum) for name, checksum in zip(IDX_FILES, CHECKSUMS)),
    FOUR_FILES,
)


def load_data(path=None):
    """`(x_train, y_train), (x_test, y_test)`: x_train (60000, 28, 28) and x_test (10000, 28, 28) uint8 from 0 to 255;
    y_train (60000,) and y_test (10000,) uint8, the numbers of the `CLASS_NAMES`.

    Args:
        path: a folder of yours with the four IDX files, compressed or not. By default they are looked for in the folder
            ``fashion_mnist`` of the one that the environment variable EAGERDL_DATASETS names, then in the cache, and
            else downloaded once.

    Raises:
        DownloadError: if the data is nowhere and cannot be downloaded; the message says which files to put where.
        ArgumentError: if a file is damaged.

    Example:
        >>> edl.datasets.fashion_mnist.CLASS_NAMES[9]
        'Ankle boot'
    """
    return SOURCE.load(path)
