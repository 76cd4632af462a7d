"""The folder where compiled kernels are kept between processes: a file per kernel, named by what it was made of.

Nothing in it is ever changed: a file is written aside and moved into place, so that processes need no locks. A file that is
truncated, or of something else, does not match its checksum and counts as absent. A folder that cannot be written costs one warning
and nothing else. It holds `LIMIT` bytes at most: the kernels that were not used for longest go first. Who can write into it can
have this process run machine code, so it is made for its owner alone.
"""

import collections
import contextlib
import hashlib
import json
import os
import time
import warnings
from pathlib import Path

MAGIC = b"eagerdl kernel 2\n"
LIMIT = 256 * 2**20  # bytes; some 50,000 kernels
KEPT = 0.75  # of it, when room has to be made
EVERY = 128  # writes from one look at the size of the folder to the next
DAY, HOUR = 86400.0, 3600.0
KERNEL, PART = ".kernel", ".part"  # how files end

_warned = False
_writes = 0  # of this process


def folder():
    """Where kernels are kept: ``EAGERDL_CACHE``, else ``eagerdl/kernels`` in the user's cache folder.

    Returns:
        A Path; None where the cache is switched off, by the name "0", or the user has no home.
    """
    name = os.environ.get("EAGERDL_CACHE")
    if name == "0":
        return None
    if name:
        return Path(os.path.expanduser(name))
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.expanduser(os.path.join("~", ".cache"))
    return Path(home) / "eagerdl" / "kernels" if os.path.isabs(home) else None


# -- one kernel -------------------------------------------------------------------------------------------


def read(key):
    """The machine code of a kernel and the name of its function; None if it is not there, or not whole."""
    home = folder()
    if home is None:
        return None
    path = home / (key + KERNEL)
    try:
        with open(path, "rb") as file:
            data, age = file.read(), time.time() - os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    found = parsed(data)
    if found is None or found[0]["key"] != key:
        return None
    if age > DAY:  # used now, so that it is not among the first to go
        with contextlib.suppress(OSError):
            os.utime(path)
    about, code, _ = found
    return code, about["symbol"]


def has(key):
    """Whether there is a file for a kernel."""
    home = folder()
    return home is not None and (home / (key + KERNEL)).exists()


def parsed(data):
    """What a file holds: a dict about it, the machine code, the source; None if it is not whole."""
    checksum, _, rest = data.removeprefix(MAGIC).partition(b"\n")
    if not data.startswith(MAGIC) or hashlib.sha256(rest).hexdigest().encode() != checksum:
        return None
    head, _, body = rest.partition(b"\n")
    about = json.loads(head)
    return about, body[: about["code"]], body[about["code"] :].decode()


def write(key, code, symbol, source, versions=""):
    """Keeps a kernel; where that is not possible, says so once.

    Args:
        key: its name.
        code, symbol: as `read` gives them.
        source: what it was compiled from.
        versions: what compiled it, for people.
    """
    global _writes
    home = folder()
    if home is None:
        if os.environ.get("EAGERDL_CACHE") != "0":
            _warn("the user has no home folder")
        return
    about = {"key": key, "symbol": symbol, "code": len(code), "versions": versions}
    rest = json.dumps(about).encode() + b"\n" + code + source.encode()
    try:
        home.mkdir(0o700, parents=True, exist_ok=True)
        import tempfile

        handle, aside = tempfile.mkstemp(PART, dir=home)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
            os.replace(aside, home / (key + KERNEL))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise
    except OSError as error:
        _warn(f"{home}: {error.strerror or error}")
        return
    if _writes % EVERY == 0:
        make_room(home)
    _writes += 1


def _warn(why):
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(f"[edl.function] the folder of compiled kernels must be writable; {why}; each process compiles its own now: "
                      "set EAGERDL_CACHE to a folder that can be written, or to 0", stacklevel=3)  # fmt: skip


# -- all of them ------------------------------------------------------------------------------------------


def files(home, ending=KERNEL):
    """The files in a folder with an ending, as (time of last use, bytes, path); those that vanish meanwhile are left out."""
    found = []
    with contextlib.suppress(OSError), os.scandir(home) as entries:
        for entry in entries:
            if entry.name.endswith(ending):
                with contextlib.suppress(OSError):
                    state = entry.stat()
                    found.append((state.st_mtime, state.st_size, entry.path))
    return found


def make_room(home):
    """Removes the kernels that were not used for longest, if all are more than `LIMIT`, and what killed processes left."""
    found = sorted(files(home))
    size = sum(one[1] for one in found)
    if size > LIMIT:
        for _, count, path in found:
            with contextlib.suppress(OSError):
                os.unlink(path)
                size -= count
            if size <= KEPT * LIMIT:
                break
    for used, _, path in files(home, PART):
        if used < time.time() - HOUR:
            with contextlib.suppress(OSError):
                os.unlink(path)


def contents():
    """What is in the cache: how many kernels by the versions that made them, those that are damaged under None, and all bytes.

    Returns:
        (a Counter, bytes)
    """
    versions, size, home = collections.Counter(), 0, folder()
    for _, count, path in files(home) if home is not None else ():
        try:
            found = parsed(Path(path).read_bytes())
        except OSError:
            continue
        versions[None if found is None else found[0]["versions"]] += 1
        size += count
    return versions, size


def clear():
    """Removes all kernels.

    Returns:
        How many were removed, and how many could not be.
    """
    home, removed, left = folder(), 0, 0
    for _, _, path in [*files(home), *files(home, PART)] if home is not None else ():
        try:
            os.unlink(path)
            removed += path.endswith(KERNEL)
        except FileNotFoundError:  # by somebody else, just now
            pass
        except OSError:
            left += 1
    return removed, left


def is_writable():
    """Whether kernels can be kept; tries it, and leaves everything as it was."""
    home, made = folder(), []
    if home is None:
        return False
    try:
        for one in [*home.parents[::-1], home]:
            if not one.exists():
                one.mkdir(0o700)
                made.append(one)
        import tempfile

        with tempfile.TemporaryFile(suffix=PART, dir=home):
            return True
    except OSError:
        return False
    finally:
        for one in made[::-1]:
            with contextlib.suppress(OSError):
                one.rmdir()
