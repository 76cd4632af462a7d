"""Files that are whole or not there: atomic writes, and archives of JSON and safetensors.

An archive is an uncompressed zip file with ``metadata.json`` (format and its version), other JSON members, and arrays as
safetensors (huggingface.co/docs/safetensors). Reading one executes nothing. A file is first written under another name,
flushed to the disk, and then renamed, so that after a crash either the old or the new one is there.
"""

import contextlib
import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import ml_dtypes
import numpy as np

from eagerdl.errors import ArgumentError

VERSION = 1  # of the format; readers refuse files of a later one
JSON_LIMIT = 256 * 2**20  # bytes of a JSON member

_FROM_SAFETENSORS = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32,
    "U64": np.uint64, "I64": np.int64, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64,
    "C64": np.complex64,
}  # fmt: skip
COMPLEX128 = ":complex128"  # safetensors has no such dtype: these arrays travel as pairs of float64


@contextlib.contextmanager
def written(path):
    """A binary file that becomes `path` when the context ends well, and vanishes otherwise.

    Args:
        path: where to; the folder is made if it is not there.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a"
        >>> with written(path) as file:
        ...     _ = file.write(b"hello")
        >>> path.read_bytes()
        b'hello'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder):
    """Flushes the names in a folder to the disk, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def pack(arrays):
    """A dict name -> array as the bytes of a safetensors file."""
    from safetensors.numpy import save

    parts = {}
    for name, value in arrays.items():
        array = np.ascontiguousarray(value).reshape(np.shape(value))  # others would be written wrongly without a word
        if array.dtype == np.complex128:
            name, array = name + COMPLEX128, np.stack([array.real, array.imag], -1)
        if array.dtype.type not in _FROM_SAFETENSORS.values():
            raise ArgumentError("save", "arrays of numbers are needed", f"{name!r} is {array.dtype}", "convert it first")
        parts[name] = array
    return save(parts)


def unpack(data, where="load"):
    """The dict name -> array of the bytes of a safetensors file.

    Raises:
        ArgumentError: if the bytes are damaged.
    """
    import safetensors

    try:
        found = safetensors.deserialize(bytes(data))
    except Exception as error:
        raise damaged(where, f"its arrays cannot be read: {error}") from None
    arrays = {}
    for name, part in found:
        dtype = _FROM_SAFETENSORS.get(part["dtype"])
        if dtype is None:
            raise damaged(where, f"{name!r} has the unknown dtype {part['dtype']}")
        array = np.frombuffer(bytearray(part["data"]), dtype=dtype).reshape(part["shape"])
        if name.endswith(COMPLEX128):
            name, pairs = name.removesuffix(COMPLEX128), array
            array = np.empty(pairs.shape[:-1], np.complex128)
            array.real, array.imag = pairs[..., 0], pairs[..., 1]
        arrays[name] = array
    return arrays


def damaged(where, what):
    """The error for a file that cannot be read."""
    return ArgumentError(where, "a whole and undamaged file is needed", what, "write it again, or take another copy")


def write_archive(path, kind, members):
    """Writes an archive atomically.

    Args:
        path: where to.
        kind: what it is, as in ``"model"``.
        members: name -> a JSON value for names with the ending ``.json``, a dict of arrays for ``.safetensors``.
    """
    metadata = {"format": f"eagerdl {kind}", "version": VERSION}
    with written(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, value in {"metadata.json": metadata, **members}.items():
            data = json.dumps(value).encode() if name.endswith(".json") else pack(value)
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)  # equal contents give equal files


def read_archive(path, kind, where="load", wanted=None):
    """The members of an archive: name -> JSON value or dict of arrays.

    Args:
        path: the file.
        kind: what it has to be.
        where: for messages.
        wanted: the names to read, None for all.

    Raises:
        ArgumentError: if there is no such file, or it is damaged, too new, or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(where, "an existing file is needed", f"there is no {str(path)!r}", "check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "metadata.json" not in names:
                raise damaged(where, f"{path.name} is a zip file of something else")
            metadata = _json(archive, "metadata.json", where)
            _check_metadata(where, path, metadata, kind)
            return {
                name: _json(archive, name, where) if name.endswith(".json") else unpack(archive.read(name), where)
                for name in names
                if name != "metadata.json" and (wanted is None or name in wanted) and name.endswith((".json", ".safetensors"))
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise damaged(where, f"{path.name} cannot be read: {error}") from None


def _check_metadata(where, path, metadata, kind):
    made = metadata.get("format") if isinstance(metadata, dict) else None
    if made != f"eagerdl {kind}":
        raise ArgumentError(where, f"a file with a {kind} of eagerdl is needed", f"{path.name} says {made!r}",
                            "for files of Keras move get_weights() and to_json() over")  # fmt: skip
    if not isinstance(metadata.get("version"), int) or metadata["version"] > VERSION:
        raise ArgumentError(where, f"a file of format version {VERSION} or before is needed", f"{path.name} has version "
                            f"{metadata.get('version')!r}", "update eagerdl")  # fmt: skip


def _json(archive, name, where):
    if archive.getinfo(name).file_size > JSON_LIMIT:
        raise damaged(where, f"{name} is larger than any config")
    try:
        return json.loads(archive.read(name))
    except ValueError as error:
        raise damaged(where, f"{name} is no JSON: {error}") from None
