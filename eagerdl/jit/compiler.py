"""Kernel sources to machine code, by Numba; what was compiled once is found in a cache, in memory and on disk."""

import contextlib
import functools
import hashlib
import re
import threading
import time
from pathlib import Path

from eagerdl.errors import ArgumentError
from eagerdl.jit import cache, elsewhere, native

FORMAT = 1  # stands for the vocabulary of kernels where its sources cannot be read
KNOWN = {"memset", "memcpy", "memmove", "sinf", "cosf"}  # what every process has
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
    with contextlib.nullcontext() if getattr(_allowed, "nothing", False) else elsewhere.help_with(missing):
        return [kernel(source) for source in sources]


def compile_counts():
    """How many kernels this process compiled, how many it found on disk, and how many seconds that took.

    Example:
        >>> from eagerdl.jit.compiler import compile_counts
        >>> sorted(compile_counts())
        ['compiled', 'from disk', 'seconds']
    """
    return dict(counts)


@functools.cache
def versions():
    """What compiles kernels here, for people: ``numba 0.61.2, llvmlite 0.44.0, znver3``."""
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
        text = b"".join((folder / name).read_bytes() for name in ("intrinsics.py", "formulas.py", "compiler.py"))
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
    code, symbol = _machine_code(source)
    cache.write(key_of(source), code, symbol, source, versions())
    run = native.load(code, symbol)
    seconds = time.perf_counter() - start
    counts["compiled"] += 1
    counts["seconds"] += seconds
    return Kernel(source, run, seconds)


@functools.cache
def _pipeline():
    """The passes of Numba's compiler that kernels need: they hold no closures, literal types or anything else to be rewritten."""
    from numba.core import compiler, compiler_machinery, typed_passes, untyped_passes

    class Pipeline(compiler.CompilerBase):
        def define_pipelines(self):
            manager = compiler_machinery.PassManager("kernel")
            for one in (
                untyped_passes.TranslateByteCode, untyped_passes.FixupArgs, untyped_passes.IRProcessing,
                untyped_passes.ReconstructSSA, typed_passes.NopythonTypeInference, typed_passes.PreLowerStripPhis,
                typed_passes.IRLegalization, typed_passes.AnnotateTypes, typed_passes.NativeLowering,
                typed_passes.NoPythonBackend,
            ):  # fmt: skip
                manager.add_pass(one, one.__name__)
            manager.finalize()
            return [manager]

    return Pipeline


def _machine_code(source):
    """The object file of a kernel and the name of its function there."""
    from numba import types
    from numba.core import compiler, registry
    from numba.core.compiler_lock import global_compiler_lock

    from eagerdl.jit.intrinsics import names_in

    names = names_in(source)
    exec(compile(source, "<kernel>", "exec"), names)
    function = names["kernel"]
    # Each object file has a name of its own for its function, since all live in one process.
    function.__name__ = function.__qualname__ = f"kernel_{hashlib.sha256(source.encode()).hexdigest()[:24]}"
    # The function alone, without the wrappers by which Python or C would call it and that need the interpreter.
    flags = compiler.Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
    flags.error_model, flags.nrt = "numpy", False
    cpu = registry.cpu_target
    with global_compiler_lock:
        made = compiler.compile_extra(
            cpu.typing_context,
            cpu.target_context,
            function,
            (types.int64,),
            types.void,
            flags,
            {},
            pipeline_class=_pipeline(),
        )
        made.library.finalize()
    _, kind, (code, _) = made.library.serialize_using_object_code()
    strangers = set(re.findall(r"^declare .*@([\w.$]+)\(", made.library.get_llvm_str(), re.M)) - KNOWN
    strangers = {name for name in strangers if not name.startswith("llvm.")}
    if kind != "object" or strangers:
        raise ArgumentError("function", "a kernel is machine code that needs nothing from outside", f"{kind}, {sorted(strangers)}",
                            "use the version of Numba that pyproject.toml asks for")  # fmt: skip
    return code, made.fndesc.llvm_func_name
