"""Files from the network: a cache folder, checksums, and archives unpacked. A file is there whole, or not at all."""

import hashlib
import os
import tempfile
import urllib.parse
from pathlib import Path

from eagerdl.errors import ArgumentError, DownloadError
from eagerdl.messages import print_message
from eagerdl.utils.archives import extract_archive

__all__ = ["get_file", "hash_file", "home"]

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
SIZES = {64: "sha256", 32: "md5"}  # the lengths of checksums as text


def home():
    """The folder of what is kept between programs: the environment variable EAGERDL_HOME, else ``~/.eagerdl``."""
    return Path(os.environ.get("EAGERDL_HOME") or "~/.eagerdl").expanduser()


def hash_file(path, algorithm="sha256"):
    """The checksum of a file as text, by "sha256" or "md5"."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
):
    """The path of a file of the network, which is downloaded if the cache lacks it or has another version.

    Args:
        fname: its name in the cache; by default the last part of `origin`. For an archive the folder's name.
        origin: where it is: an http, https, ftp or file URL.
        untar: whether it is a tar archive to unpack; `extract` does that for all.
        md5_hash: the MD5 checksum; `file_hash` is the better one.
        file_hash: the checksum that the file must have. Pass it: it is all that tells the right file from another one.
        cache_subdir: the folder inside of `cache_dir`, or an absolute one.
        hash_algorithm: "sha256", "md5", or "auto" to know it by the length of the checksum.
        extract: whether the archive is unpacked; then the path is that of the folder. No member can leave it.
        archive_format: "auto", "tar" or "zip".
        cache_dir: by default the environment variable EAGERDL_HOME, or ``~/.eagerdl``.
        force_download: whether it is downloaded again in any case.

    Raises:
        DownloadError: if it cannot be fetched, or has another checksum.
        ArgumentError: if arguments do not fit, or an archive is damaged or hostile.

    Example:
        >>> import pathlib, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> there = pathlib.Path(folder.name) / "there.txt"
        >>> _ = there.write_text("some data")
        >>> edl.utils.disable_interactive_logging()
        >>> path = edl.utils.get_file("here.txt", there.as_uri(), cache_dir=folder.name)
        >>> pathlib.Path(path).read_text()
        'some data'
        >>> edl.utils.enable_interactive_logging(); folder.cleanup()
    """
    if origin is None:
        raise ArgumentError(
            "get_file", "the URL of the file is needed", "origin is missing", "pass origin='https://...'"
        )
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    algorithm = which_hash(file_hash, hash_algorithm)
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise ArgumentError("get_file", "fname is a name without folders", f"got fname={fname!r}, origin={origin!r}",
                            "choose the folder with cache_dir and cache_subdir")  # fmt: skip
    folder = (Path(cache_dir).expanduser() if cache_dir else home()) / cache_subdir
    unpack = extract or untar
    if unpack:
        target, out = archive_paths(folder, name, given=fname)
    else:
        target = out = folder / name
    fresh = force_download or not target.is_file()
    if not fresh and file_hash is not None and hash_file(target, algorithm) != file_hash:
        print_message(f"{target} has another {algorithm} checksum than {file_hash}: it is downloaded again")
        fresh = True
    if fresh:
        download(origin, target, file_hash, algorithm)
    if unpack and (fresh or not out.is_dir()):
        extract_archive(target, out, "tar" if untar else archive_format)
    return str(out)


def which_hash(file_hash, algorithm):
    """The name of the hash algorithm, known by the length of a checksum if it is "auto"."""
    if algorithm == "auto":
        algorithm = SIZES.get(len(file_hash or "0" * 64))
    if algorithm not in SIZES.values():
        raise ArgumentError("get_file", "a checksum is one of SHA-256 or MD5, as hexadecimal text",
                            f"got file_hash={file_hash!r}, hash_algorithm={algorithm!r}",
                            "`sha256sum FILE` prints it")  # fmt: skip
    return algorithm


def archive_paths(folder, name, given):
    """Where an archive and its unpacked folder go, by Keras' names."""
    if given and "." in name:
        return folder / name, folder / f"{name[: name.find('.')]}_extracted"
    return folder / f"{name}_archive", folder / name


def download(origin, target, file_hash=None, algorithm="sha256"):
    """Fetches a URL into the file `target`, which appears when all of it is there and its checksum is right.

    Raises:
        DownloadError: if that is not to be had.
    """
    import http.client
    import urllib.request  # heavy, and most programs never download

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    except OSError as error:
        raise DownloadError("get_file", "the cache folder must be writable", f"{target.parent}: {error}",
                            "set the environment variable EAGERDL_HOME to a folder of yours") from error  # fmt: skip
    try:
        print_message(f"Downloading {origin}")
        hasher, size = hashlib.new(algorithm), 0
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(origin, timeout=TIMEOUT) as source:
            promised = source.headers.get("Content-Length")
            while chunk := source.read(CHUNK):
                file.write(chunk)
                hasher.update(chunk)
                size += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        if promised is not None and size != int(promised):
            raise DownloadError("get_file", "all of the file must come", f"{size} of {promised} bytes of {origin} came",
                                "try again")  # fmt: skip
        if file_hash is not None and hasher.hexdigest() != file_hash:
            raise DownloadError("get_file", f"the file must have the {algorithm} checksum {file_hash}",
                                f"{origin} has {hasher.hexdigest()}",
                                "try again; if that stays so, the file is another one: do not use it")  # fmt: skip
        os.chmod(part, 0o644)
        os.replace(part, target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, DownloadError):
            raise
        raise DownloadError("get_file", "the file must be reachable", f"{origin}: {error}",
                            f"check the network, or put the file there by hand: {target}") from error  # fmt: skip
    finally:
        if os.path.exists(part):
            os.remove(part)
