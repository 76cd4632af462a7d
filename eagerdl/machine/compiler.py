"""Kernel sources to machine code, by Numba; what was compiled once is found in a cache, in memory and on disk."""

import contextlib
import functools
import hashlib
import threading
import time
from pathlib import Path

from eagerdl.machine import cache, elsewhere, native

FORMAT = 1  # stands for the vocabulary of kernels where its sources cannot be read
_lock = threading.RLock()
_loaded = {}  # key -> Kernel
counts = {"compiled": 0, "from disk": 0, "seconds": 0.0}  # since the process began


class Kernel:
    """A compiled kernel.

    Attributes:
        source: its source.
        run: a function of the address of a table of words.
    """

    __slots__ = ("run", "seconds", "source")

    def __init__(self, source, run, seconds):
        self.source, self.run, self.seconds = source, run, seconds


_allowed = threading.local()


@contextlib.contextmanager
def nothing_compiled(when=True):
    """A context in which this thread compiles no kernel that is not there already."""
    before = getattr(_allowed, "nothing", False)
    _allowed.nothing = when
    try:
        yield
    finally:
        _allowed.nothing = before


class NotCompiled(Exception):
    """A kernel would have to be compiled first."""


def kernel(source):
    """The kernel with this source, a function ``kernel(P)`` in the words of `intrinsics`.

    Args:
        source: the text of the function.

    Raises:
        NotCompiled: if neither this process nor the cache on disk has it, under `nothing_compiled`.
    """
    with _lock:
        found = _loaded.get(source) or _from_disk(source)
        if found is None:
            if getattr(_allowed, "nothing", False):
                raise NotCompiled
            found = _compiled(source)
        _loaded[source] = found
    return found


def kernels(sources):
    """The kernels with these sources, in their order; as `kernel`, but many are compiled faster together."""
    missing = [source for source in dict.fromkeys(sources) if source not in _loaded and not cache.has(key_of(source))]
    with elsewhere.near(len(missing) >= elsewhere.MANY and not getattr(_allowed, "nothing", False)):
        helper = elsewhere.begin() if missing else None
        if helper is not None:
            helper.give(missing)
        return [kernel(source) for source in sources]


def compile_counts():
    """How many kernels this process compiled, how many it found on disk, and how many seconds that took.

    Example:
        >>> from eagerdl.machine.compiler import compile_counts
        >>> sorted(compile_counts())
        ['compiled', 'from disk', 'seconds']
    """
    return dict(counts)


@functools.cache
def versions():
    """What compiles kernels here, for people: ``numba 0.62.0, llvmlite 0.45.0, znver3``."""
    from importlib import metadata

    import llvmlite.binding as llvm

    found = []
    for name in ("numba", "llvmlite"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join([*found, llvm.get_host_cpu_name()])


@functools.cache
def vocabulary():
    """A digest of the code that says what the words of kernels mean: kernels that other code compiled are not found."""
    folder = Path(__file__).parent
    try:
        text = b"".join(
            (folder / name).read_bytes() for name in ("intrinsics.py", "formulas.py", "tiles.py", "translation.py")
        )
    except OSError:  # a program that was packed without sources
        text = str(FORMAT).encode()
    return hashlib.sha256(text).hexdigest()


@functools.cache
def target():
    """What machine code depends on besides the source: versions, and the processor and system as LLVM sees them."""
    import llvmlite.binding as llvm

    features = ",".join(sorted(name for name, there in llvm.get_host_cpu_features().items() if there))
    return f"{vocabulary()} {versions()} {llvm.get_process_triple()} {features}"


def key_of(source):
    """The content address of a kernel."""
    return hashlib.sha256(f"{target()}\n{source}".encode()).hexdigest()


def _from_disk(source):
    start = time.perf_counter()
    entry = cache.read(key_of(source))
    if entry is None:
        return None
    code, symbol = entry
    try:
        run = native.load(code, symbol)
    except (ValueError, RuntimeError):
        return None
    counts["from disk"] += 1
    seconds = time.perf_counter() - start
    counts["seconds"] += seconds
    return Kernel(source, run, seconds)


def _compiled(source):
    start = time.perf_counter()
    elsewhere.begin()
    from eagerdl.machine.translation import object_file

    code, symbol = object_file(source)
    cache.write(key_of(source), code, symbol, source, versions())
    run = native.load(code, symbol)
    seconds = time.perf_counter() - start
    counts["compiled"] += 1
    counts["seconds"] += seconds
    return Kernel(source, run, seconds)
