"""Files that are whole or not there: atomic writes, and archives of JSON and safetensors.

An archive is an uncompressed zip file with ``metadata.json`` (format, its version, names of the members), other JSON members,
and arrays as safetensors (huggingface.co/docs/safetensors). Nothing is unpacked into folders and nothing is executed: members
are read by their known names, each with its checksum, and no array is made that is larger than the file. A file is first written
under another name, flushed to the disk, and then renamed, so that after a crash either the old or the new one is there.
"""

import contextlib
import errno
import itertools
import json
import os
import struct
from pathlib import Path

import ml_dtypes
import numpy as np

from eagerdl.errors import ArgumentError, EagerdlError

VERSION = 1  # of the format; readers refuse files of a later one
STORED = 0  # members are not compressed, as zip files say it
JSON_LIMIT = 256 * 2**20  # bytes of a JSON member

_DTYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32,
    "U64": np.uint64, "I64": np.int64, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64,
    "C64": np.complex64,
}  # fmt: skip
COMPLEX128 = ":complex128"  # safetensors has no such dtype: these arrays travel as pairs of float64

# What parsers of files say of damaged ones: zip files of flipped bits raise nearly anything.
_DAMAGES = (EOFError, OSError, NotImplementedError, RuntimeError, ValueError, OverflowError, TypeError,
            KeyError, IndexError, AttributeError, struct.error, MemoryError)  # fmt: skip

_numbers = itertools.count()


# -- atomic writes ------------------------------------------------------------------------------


@contextlib.contextmanager
def written(path, where="save"):
    """A binary file that becomes `path` when the context ends well, and vanishes otherwise.

    Args:
        path: where to; the folder is made if it is not there.
        where: for messages.

    Raises:
        OSError: if the disk is full, or the folder may not be written; what was there before is as it was.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a"
        >>> with written(path) as file:
        ...     _ = file.write(b"hello")
        >>> path.read_bytes()
        b'hello'
    """
    path = Path(os.path.realpath(path))  # a link stays one
    temporary = path.parent / f"{_prefix(path)}{os.getpid()}-{next(_numbers)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(
                os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), "wb"
            ) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise OSError(error.errno or errno.EIO, f"[{where}] {str(path)!r} must be writable; {error.strerror or error}; make room "
                      "or choose another place; what was there before is as it was") from error  # fmt: skip
    _sync_folder(path.parent)


def _prefix(path):
    return f".{path.name[:50]}."


def sweep(path):
    """Removes what writes of `path` left behind when their process was killed. Only for those who alone write there."""
    path = Path(os.path.realpath(path))
    if path.parent.is_dir():
        for left in path.parent.iterdir():
            if left.name.startswith(_prefix(path)) and left.name.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    left.unlink()


def _sync_folder(folder):
    """Flushes the names in a folder to the disk, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        with contextlib.suppress(OSError):  # some network disks refuse; the file is in its place already
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


# -- arrays as safetensors ----------------------------------------------------------------------


def pack(arrays):
    """A dict name -> array as the bytes of a safetensors file.

    Raises:
        ArgumentError: for arrays of anything but numbers.
    """
    from safetensors.numpy import save

    parts = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype == np.complex128:
            name, array = name + COMPLEX128, np.stack([array.real, array.imag], -1)
        if array.dtype.type not in _DTYPES.values():
            raise ArgumentError(
                "save", "arrays of numbers are needed", f"{name!r} is {array.dtype}", "convert it first"
            )
        # Others than contiguous arrays of this machine's byte order would be written wrongly without a word.
        parts[name] = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    return save(parts)


def unpack(data, where="load"):
    """The dict name -> array of the bytes of a safetensors file.

    Raises:
        ArgumentError: if the bytes are damaged.
    """
    import safetensors

    try:
        found = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        raise damaged(where, f"its arrays cannot be read: {error}") from None
    arrays = {}
    for name, part in found:
        dtype = _DTYPES.get(part["dtype"])
        if dtype is None:
            raise damaged(where, f"{name!r} has the unknown dtype {part['dtype']!r}")
        array = np.frombuffer(bytearray(part["data"]), dtype).reshape(part["shape"])
        if dtype is np.bool_:
            array = array.view(np.uint8) != 0  # other bytes than 0 and 1 are no booleans to NumPy
        if name.endswith(COMPLEX128):
            name, array = name.removesuffix(COMPLEX128), array.view(np.complex128)[..., 0]
        arrays[name] = array
    return arrays


# -- archives -----------------------------------------------------------------------------------


def damaged(where, what):
    """The error for a file that cannot be read."""
    return ArgumentError(where, "a whole and undamaged file is needed", what, "write it again, or take another copy")


def write_archive(path, kind, members, where="save"):
    """Writes an archive atomically. Equal contents give equal files.

    Args:
        path: where to.
        kind: what it is, as in ``"model"``.
        members: name -> a JSON value for names with the ending ``.json``, a dict of arrays for ``.safetensors``.
        where: for messages.

    Raises:
        ArgumentError: for what JSON or safetensors cannot hold.
        OSError: if it cannot be written. The file that was there is as it was in either case.
    """
    metadata = {"format": f"eagerdl {kind}", "version": VERSION, "members": list(members)}
    import zipfile

    with written(path, where) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, value in {"metadata.json": metadata, **members}.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(member, _json_of(value, where) if name.endswith(".json") else pack(value))


def _json_of(value, where):
    try:
        return json.dumps(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(where, "configs and states are what JSON can hold", str(error),
                            "return numbers, strings, lists and dicts from get_config and get_state") from None  # fmt: skip


def read_archive(path, kind, where="load", needed=(), optional=()):
    """Members of an archive: name -> JSON value or dict of arrays.

    Args:
        path: the file.
        kind: what it has to be.
        where: for messages.
        needed, optional: the names of the members that are read; others are passed over.

    Raises:
        ArgumentError: if there is no such file, or it is damaged, too new, or something else.
        OSError: if it may not be read.
    """
    import zipfile

    path = Path(path)
    if not path.is_file():
        raise ArgumentError(where, "an existing file is needed", f"there is no file {str(path)!r}", "check the path")
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _members(archive, path, kind, where, needed, optional)
        except EagerdlError:
            raise
        except (zipfile.BadZipFile, *_DAMAGES) as error:
            file.seek(0)
            if file.read(8) == b"\x89HDF\r\n\x1a\n":
                raise _of_keras(where, kind, path, "HDF5") from None
            raise damaged(where, f"{path.name} cannot be read: {error or type(error).__name__}") from None


def _members(archive, path, kind, where, needed, optional):
    found = {}
    for member in archive.infolist():
        if found.setdefault(member.filename, member) is not member:
            raise damaged(where, f"{path.name} has {member.filename!r} twice")
    if "metadata.json" not in found:
        raise damaged(where, f"{path.name} is a zip file of something else")
    metadata = _read(archive, found["metadata.json"], where)
    _check_metadata(where, path, metadata, kind)
    missing = [name for name in dict.fromkeys([*needed, *metadata.get("members", [])]) if name not in found]
    if missing:
        raise damaged(where, f"{path.name} lacks {', '.join(missing)}")
    return {name: _read(archive, found[name], where) for name in (*needed, *optional) if name in found}


def _read(archive, member, where):
    if member.compress_type != STORED or member.file_size > os.fstat(archive.fp.fileno()).st_size:
        raise damaged(where, f"{member.filename} is compressed, or larger than the file")
    with archive.open(member) as stream:  # reading to the end compares the checksum
        if member.filename.endswith(".safetensors"):
            return unpack(stream.read(), where)
        if member.file_size > JSON_LIMIT:
            raise damaged(where, f"{member.filename} is larger than any config")
        return json.loads(stream.read())


def _check_metadata(where, path, metadata, kind):
    made = metadata.get("format") if isinstance(metadata, dict) else None
    if made is None and isinstance(metadata, dict) and "keras_version" in metadata:
        raise _of_keras(where, kind, path, f"Keras {metadata['keras_version']}")
    if made != f"eagerdl {kind}":
        raise ArgumentError(
            where, f"a file with a {kind} of eagerdl is needed", f"{path.name} says {made!r}", "check the path"
        )
    if not isinstance(metadata.get("version"), int) or metadata["version"] > VERSION:
        raise ArgumentError(where, f"a file of format version {VERSION} or before is needed", f"{path.name} has version "
                            f"{metadata.get('version')!r}", "update eagerdl")  # fmt: skip


def _of_keras(where, kind, path, made):
    return ArgumentError(where, f"a file with a {kind} of eagerdl is needed", f"{path.name} is a file of {made}",
                         "in Keras, write model.to_json() to a text file and np.savez('w.npz', *model.get_weights()); here, "
                         "edl.models.model_from_json(text), then set_weights([w[name] for name in w.files])")  # fmt: skip
