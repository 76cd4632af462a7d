"""`eagerdl doctor`: what is installed, what computes, what is missing and how to get it."""

import ctypes
import importlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np

import eagerdl

__all__ = ["Finding", "examine", "run"]

# Distribution name -> (module, minimum version): what eagerdl cannot do without, as in pyproject.toml.
REQUIRED = {
    "numpy": ("numpy", "2.3"),
    "numba": ("numba", "0.62"),
    "scipy": ("scipy", "1.13"),
    "safetensors": ("safetensors", "0.5"),
    "ml-dtypes": ("ml_dtypes", "0.5"),
    "rich": ("rich", "13.7"),
}
OPTIONAL = {"matplotlib": "plots", "scikit-learn": "estimators", "threadpoolctl": "details on BLAS threads"}
CUPY_DISTRIBUTIONS = ("cupy-cuda12x", "cupy-cuda13x", "cupy")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
MARKS = {"ok": "[green]ok[/]", "optional": "[yellow]--[/]", "broken": "[red]!![/]"}


class Finding(NamedTuple):
    """One line of the report.

    Fields: the section and topic, what was found, a state ("ok", "optional" for something missing that is
    not needed, "broken" for something missing that is), and what to do about it.
    """

    section: str
    topic: str
    found: str
    state: str = "ok"
    remedy: str = ""


def run() -> int:
    """Print the report and return 0 if nothing is broken, else 1."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    section, broken = "", 0
    for finding in examine():
        if finding.section != section:
            section = finding.section
            console.print(f"\n[bold]{section}[/]")
        remedy = f"  [dim]{escape(finding.remedy)}[/]" if finding.remedy else ""
        console.print(f"  {MARKS[finding.state]} {finding.topic:<14} {escape(finding.found)}{remedy}")
        broken += finding.state == "broken"
    verdict = f"[red]{broken} to repair[/]" if broken else "[green]Everything needed is here.[/]"
    console.print(f"\n{verdict}")
    return 1 if broken else 0


def examine() -> Iterator[Finding]:
    """Yield the findings, section by section."""
    yield from examine_versions()
    yield from examine_processor()
    yield examine_cache()
    yield from examine_cuda()


def examine_versions() -> Iterator[Finding]:
    """eagerdl, Python, and the packages that eagerdl needs or can use."""
    yield Finding("Versions", "eagerdl", eagerdl.__version__)
    yield Finding("Versions", "Python", f"{platform.python_version()} on {platform.platform()}")
    for distribution, (module, minimum) in REQUIRED.items():
        yield examine_requirement(distribution, module, minimum)
    for distribution, purpose in OPTIONAL.items():
        try:
            yield Finding("Versions", distribution, version(distribution))
        except PackageNotFoundError:
            remedy = f"for {purpose}: pip install {distribution}"
            yield Finding("Versions", distribution, "not installed", "optional", remedy)


def examine_requirement(distribution: str, module: str, minimum: str) -> Finding:
    """Import a required package: an installed one may still be broken or too old."""
    remedy = f'pip install --upgrade "{distribution}>={minimum}"'
    try:
        importlib.import_module(module)
        found = version(distribution)
    except (ImportError, PackageNotFoundError) as error:
        return Finding("Versions", distribution, f"cannot be imported: {error}", "broken", remedy)
    if numbers(found) < numbers(minimum):
        return Finding("Versions", distribution, f"{found} is older than {minimum}", "broken", remedy)
    return Finding("Versions", distribution, found)


def numbers(version: str) -> tuple[int, ...]:
    """`"0.61.2rc1"` -> `(0, 61)`: as much of a version as a minimum speaks of."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def examine_processor() -> Iterator[Finding]:
    """Cores, BLAS and the threads of each."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("Processor", "cores", f"{usable} usable of {os.cpu_count()} ({platform.machine()})")

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    yield Finding("Processor", "BLAS", f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip())
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        pass
    else:
        for pool in threadpool_info():
            details = (pool["internal_api"], pool.get("version"), pool.get("architecture"))
            found = " ".join(filter(None, details)) + f", {pool['num_threads']} threads"
            yield Finding("Processor", "thread pool", found)

    try:
        from numba import config
    except ImportError:
        pass
    else:
        yield Finding("Processor", "Numba", f"{config.NUMBA_NUM_THREADS} threads")
    limits = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    yield Finding("Processor", "environment", ", ".join(limits) or "sets no thread limits")


def examine_cache() -> Finding:
    """The folder of compiled kernels, and whether it can be written."""
    from eagerdl.machine import cache

    folder = cache.folder()
    if folder is None and os.environ.get("EAGERDL_CACHE") == "0":
        return Finding("Processor", "kernels", "are not kept: EAGERDL_CACHE is 0")
    remedy = "each process compiles its own: set EAGERDL_CACHE to a folder that can be written, or to 0"
    if folder is None:
        return Finding("Processor", "kernels", "there is no home folder to keep them in", "optional", remedy)
    if not cache.is_writable():
        return Finding("Processor", "kernels", f"cannot be kept in {folder}", "optional", remedy)
    found = cache.files(folder)
    size = sum(one[1] for one in found) / 2**20
    return Finding("Processor", "kernels", f"{len(found):,} in {folder}, {size:.1f} MB; eagerdl cache shows more")


def examine_cuda() -> Iterator[Finding]:
    """The driver, CuPy, and each GPU; on a machine without a GPU nothing of it is missing."""
    driver = driver_version()
    if driver is None:
        remedy = "without a GPU there is nothing to install: all runs on the CPU"
        yield Finding("CUDA", "driver", "no NVIDIA driver", "optional", remedy)
    else:
        yield Finding("CUDA", "driver", f"supports CUDA {driver[0]}.{driver[1]}")

    wanted = f'pip install "cupy-cuda{min(max(driver[0], 12), 13)}x>=14"' if driver else ""
    installed = [name for name in CUPY_DISTRIBUTIONS if is_installed(name)]
    if not installed:
        yield Finding("CUDA", "CuPy", "not installed", "broken" if driver else "optional", wanted)
        return
    yield Finding("CUDA", "CuPy", ", ".join(f"{name} {version(name)}" for name in installed))
    if len(installed) > 1:
        remedy = f"pip uninstall {' '.join(installed)}, then {wanted or 'install one of them'}"
        yield Finding("CUDA", "CuPy", "several copies overwrite each other", "broken", remedy)
    if driver:
        yield from examine_gpus(wanted)


def examine_gpus(remedy: str) -> Iterator[Finding]:
    """Each GPU as CuPy sees it: name, compute capability, memory."""
    try:
        import cupy

        for index in range(cupy.cuda.runtime.getDeviceCount()):
            properties = cupy.cuda.runtime.getDeviceProperties(index)
            name, memory = properties["name"].decode(), properties["totalGlobalMem"] / 2**30
            capability = f"compute capability {properties['major']}.{properties['minor']}"
            yield Finding("CUDA", f"gpu:{index}", f"{name}, {capability}, {memory:.1f} GiB")
    except Exception as error:  # whatever CuPy raises here is what the user has to know
        yield Finding("CUDA", "GPU", f"CuPy cannot use it: {error}", "broken", remedy)


def driver_version() -> tuple[int, int] | None:
    """The CUDA version that the driver supports, as (major, minor); None without a driver."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            cuda = ctypes.CDLL(library)
        except OSError:
            continue
        number = ctypes.c_int()
        if cuda.cuDriverGetVersion(ctypes.byref(number)) == 0:
            return number.value // 1000, number.value % 1000 // 10
    return None


def is_installed(distribution: str) -> bool:
    """Whether the distribution's metadata is there; nothing is imported."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
