"""The folder where compiled kernels are kept between processes: a file per kernel, named by what it was made of.

Nothing in it is ever changed: a file is written aside and moved into place, so that processes need no locks. A file that is
truncated or of something else does not match its checksum and counts as absent. A folder that cannot be written costs one warning
and nothing else.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import warnings
from pathlib import Path

MAGIC = b"eagerdl kernel\n"
_warned = False


def folder():
    """Where kernels are kept: ``EAGERDL_CACHE``, else ``eagerdl`` in the user's cache folder; None where it is switched off ("0")."""
    name = os.environ.get("EAGERDL_CACHE")
    if name == "0":
        return None
    if name:
        return Path(name)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "eagerdl" / "kernels"


def read(key):
    """The machine code of a kernel and the name of its function; None if it is not there, or not whole."""
    home = folder()
    if home is None:
        return None
    try:
        data = (home / f"{key}.kernel").read_bytes()
    except OSError:
        return None
    try:
        head, _, body = data.removeprefix(MAGIC).partition(b"\n")
        about = json.loads(head)
        code = body[: about["code"]]
        if data.startswith(MAGIC) and hashlib.sha256(body).hexdigest() == about["sha256"] and about["key"] == key:
            return code, about["symbol"]
    except (ValueError, KeyError, TypeError):
        pass
    return None


def write(key, code, symbol, source):
    """Keeps a kernel; where that is not possible, says so once."""
    global _warned
    home = folder()
    if home is None:
        return
    body = code + source.encode()
    about = {"key": key, "symbol": symbol, "code": len(code), "sha256": hashlib.sha256(body).hexdigest()}
    data = MAGIC + json.dumps(about).encode() + b"\n" + body
    try:
        home.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=home, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(aside, home / f"{key}.kernel")
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise
    except OSError as error:
        if not _warned:
            _warned = True
            warnings.warn(f"[edl.function] compiled kernels cannot be kept in {home}: {error.strerror or error}; each process compiles "
                          "its own. Set EAGERDL_CACHE to a folder that can be written, or to 0", stacklevel=2)  # fmt: skip


def entries():
    """The files of kernels, as (path, bytes)."""
    home = folder()
    if home is None or not home.is_dir():
        return []
    return [(path, path.stat().st_size) for path in sorted(home.glob("*.kernel"))]


def clear():
    """Removes all kernels; returns how many there were."""
    found = entries()
    for path, _ in found:
        with contextlib.suppress(OSError):
            path.unlink()
    return len(found)
