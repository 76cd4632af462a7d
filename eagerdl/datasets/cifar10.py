"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes.

Krizhevsky, 2009, "Learning Multiple Layers of Features from Tiny Images", technical report, University of Toronto;
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import io
import os
import tarfile

import numpy as np

from eagerdl import config
from eagerdl.datasets.formats import DAMAGE, damaged, unpickle
from eagerdl.datasets.sources import Remote, Source

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6)) + ("test_batch",)


def from_pickle(data):
    """One batch of the Python version: a pickled dict of an array and a list, of which nothing is executed."""
    batch = unpickle(io.BytesIO(data))
    images, labels = np.asarray(batch[b"data"], np.uint8), np.asarray(batch[b"labels"], np.uint8)
    return images.reshape(len(labels), 3, SIDE, SIDE), labels[:, None]


def from_binary(data):
    """One batch of the binary version: for each image a byte for the label, then its three planes."""
    rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + 3 * SIDE * SIDE)
    return rows[:, 1:].reshape(-1, 3, SIDE, SIDE), rows[:, :1]


def from_batches(path, read, ending):
    """The data of the six batches, whose bytes `read` gives for their names."""
    try:
        decode = from_binary if ending else from_pickle
        batches = [decode(read(name + ending)) for name in BATCHES]
        x_train, y_train = (np.concatenate(parts) for parts in zip(*batches[:-1]))
        x_test, y_test = (part.copy() for part in batches[-1])
    except (tarfile.TarError, *DAMAGE) as error:
        raise damaged(path, error) from error
    if y_train.max(initial=0) > 9 or y_test.max(initial=0) > 9:
        raise damaged(path, "there are labels above 9")
    if config.image_data_format() == "channels_last":
        x_train, x_test = x_train.transpose(0, 2, 3, 1), x_test.transpose(0, 2, 3, 1)
    return (x_train, y_train), (x_test, y_test)


def from_archive(path):
    """The data of an archive of either version, which is read in place: nothing is unpacked."""
    try:
        with tarfile.open(path) as archive:
            members = {member.name.rpartition("/")[2]: member for member in archive if member.isfile()}
            ending = ".bin" if f"{BATCHES[0]}.bin" in members else ""
            out = from_batches(path, lambda name: archive.extractfile(members[name]).read(), ending)
            archive.fileobj.seek(0, os.SEEK_END)  # reads on to the checksum at the end of the compressed file
            return out
    except (tarfile.TarError, *DAMAGE) as error:
        raise damaged(path, error) from error


def from_pickles(*paths):
    """The data of an unpacked Python version."""
    return from_batches(paths[0].parent, lambda name: (paths[0].parent / name).read_bytes(), "")


def from_binaries(*paths):
    """The data of an unpacked binary version."""
    return from_batches(paths[0].parent, lambda name: (paths[0].parent / name).read_bytes(), ".bin")


def in_folder(folder):
    """The formats of files that lie in `folder`, an unpacked archive's."""
    return (
        (tuple(f"{folder}{name}" for name in BATCHES), from_pickles),
        (tuple(f"{folder}{name}.bin" for name in BATCHES), from_binaries),
    )


SOURCE = Source(
    "cifar10",
    ("cifar10", "cifar-10", ""),
    (
        (("cifar-10-python.tar.gz",), from_archive), (("cifar-10-binary.tar.gz",), from_archive),
        in_folder("cifar-10-batches-py/")[0], in_folder("cifar-10-batches-bin/")[1], *in_folder(""),
    ),
    (Remote("cifar-10-python.tar.gz", "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),),
    "cifar-10-python.tar.gz, cifar-10-binary.tar.gz or what one of them holds",
)  # fmt: skip


def load_data(path=None):
    """`(x_train, y_train), (x_test, y_test)`: x_train (50000, 32, 32, 3) and x_test (10000, 32, 32, 3) uint8 from 0 to
    255; y_train (50000, 1) and y_test (10000, 1) uint8, the numbers of the `CLASS_NAMES`.

    Where `edl.config.image_data_format()` is ``channels_first``, images are (3, 32, 32).

    Args:
        path: a file or folder of yours. By default the files are looked for in the folder ``cifar10`` of the one that the
            environment variable EAGERDL_DATASETS names, then in the cache, and else downloaded once. The archives
            ``cifar-10-python.tar.gz`` and ``cifar-10-binary.tar.gz`` are read, and what they hold.

    Raises:
        DownloadError: if the data is nowhere and cannot be downloaded; the message says which file to put where.
        ArgumentError: if a file is damaged, or pickles hold anything but arrays and lists.

    Example:
        >>> edl.datasets.cifar10.CLASS_NAMES[3]
        'cat'
    """
    return SOURCE.load(path)
