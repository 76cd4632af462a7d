"""Where the files of a data set are: a path of the user, the folder EAGERDL_DATASETS, the cache, the network."""

import os
from dataclasses import dataclass
from pathlib import Path

from eagerdl.errors import ArgumentError, DownloadError
from eagerdl.utils.files import get_file, home

KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


@dataclass(frozen=True)
class Remote:
    """A file of the network and its SHA-256 checksum (MD5 where only that was ever published)."""

    name: str
    url: str
    checksum: str


@dataclass(frozen=True)
class Source:
    """A data set: its files, and how each of its formats is read.

    Args:
        name: as in ``edl.datasets.mnist``.
        folders: the subfolders of EAGERDL_DATASETS in which its files may be; "" is that folder itself.
        formats: pairs of file names, which all have to be there (each also with ``.gz`` left out), and a function that
            makes the arrays of their paths. The first format that is there is read.
        remotes: the files of the first format, to download.
        described: the files in words, for messages.
    """

    name: str
    folders: tuple
    formats: tuple
    remotes: tuple
    described: str

    def load(self, path=None):
        """The data, from `path` if it is given: a file, a folder, or a name in the cache."""
        default = len(self.remotes) == 1 and str(path) == self.remotes[0].name
        if path is not None and not default:
            given = Path(path).expanduser()
            if given.is_dir():
                return self.read_folder(given, required=True)
            if given.is_file():
                return self.read_file(given)
            if given.name != str(path) or len(self.remotes) != 1:
                raise ArgumentError(f"datasets.{self.name}", "path is a file or folder that exists", f"got {path!r}",
                                    f"what is read: {self.described}")  # fmt: skip
            return self.from_network(given.name)
        for folder in self.local_folders():
            found = self.read_folder(folder)
            if found is not None:
                return found
        return self.from_network()

    def local_folders(self):
        """The folders inside of EAGERDL_DATASETS to look in, none if it is not set."""
        root = os.environ.get("EAGERDL_DATASETS")
        return [Path(root).expanduser() / folder for folder in self.folders] if root else []

    def read_folder(self, folder, required=False):
        """The data of the files of one format in `folder`; None, or an error if `required`, if no format is complete."""
        for names, read in self.formats:
            paths = [find(folder, name) for name in names]
            if all(paths):
                return read(*paths)
        if required:
            raise ArgumentError(f"datasets.{self.name}", "the folder must hold the files of the data set",
                                f"{folder} holds {some(folder)}", f"what is read: {self.described}")  # fmt: skip
        return None

    def read_file(self, path):
        """The data of one file, read as the format of one file whose name ends like its own."""
        if path.name in {name for names, _ in self.formats if len(names) > 1 for name in (*names, *map(plain, names))}:
            return self.read_folder(path.parent, required=True)
        single = [(names[0], read) for names, read in self.formats if len(names) == 1]
        for name, read in sorted(single, key=lambda pair: pair[0] != path.name):
            if path.name.endswith(Path(name).suffix):
                return read(path)
        raise ArgumentError(f"datasets.{self.name}", "a file of the data set is needed", f"got {path}",
                            f"what is read: {self.described}")  # fmt: skip

    def from_network(self, name=None):
        """The data of the first format, downloaded into the cache if it is not there."""
        folder = home() / "datasets" / self.name
        paths = []
        for remote in self.remotes:
            try:
                paths.append(
                    Path(get_file(name or remote.name, remote.url, file_hash=remote.checksum, cache_subdir=folder))
                )
            except DownloadError as error:
                raise self.missing(folder, name, error) from None
        return self.formats[0][1](*paths)

    def missing(self, folder, name, error):
        """The error for a data set that is nowhere and cannot be downloaded."""
        root = os.environ.get("EAGERDL_DATASETS")
        downloads = "".join(f"\n    {remote.url}  to  {folder / (name or remote.name)}" for remote in self.remotes)
        return DownloadError(
            f"datasets.{self.name}",
            "the data set is needed, here or from the network",
            f"downloading failed: {error.args[2] or error.args[1]}",
            f"on a machine with a network download{downloads}\n"
            f"or put {self.described} into a folder FOLDER{os.sep}{self.folders[0]} and set the environment variable "
            f"EAGERDL_DATASETS=FOLDER ({f'it is {root!r}, where there are none' if root else 'it is not set'}), "
            f"or pass their path: edl.datasets.{self.name}.load_data(path)",
        )


def plain(name):
    """The name without the ending of a compressed file."""
    return name.removesuffix(".gz")


def find(folder, name):
    """The path of a file or folder in `folder`, compressed or not; None if there is none."""
    return next((path for path in (folder / name, folder / plain(name)) if path.exists()), None)


def some(folder, count=6):
    """The names in a folder, for messages."""
    names = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "") if names else "nothing"
