"""Where arrays live: NumPy on the CPU, CuPy on GPUs. CuPy is imported when a GPU is first asked for."""

import contextlib
import contextvars
import re
import sys

import numpy as np

from eagerdl.errors import ArgumentError, DeviceError


class Device(str):
    """The name of a device, ``'cpu:0'`` or ``'gpu:N'``; a string that also knows its parts.

    Example:
        >>> from eagerdl.devices import Device, parse
        >>> parse("/device:CPU:0"), parse("cpu").kind
        (cpu:0, 'cpu')
    """

    __slots__ = ()

    @property
    def kind(self):
        return self.partition(":")[0]

    @property
    def index(self):
        return int(self.partition(":")[2])

    __repr__ = str.__str__


class StandIn:
    """Base of what stands for an array and answers NumPy's protocols in its place; `array_module` has the functions for it."""

    __slots__ = ()


class StandInOnCPU(StandIn):
    """Base of what stands for a NumPy array."""

    __slots__ = ()
    array_module = np


CPU = Device("cpu:0")
ARRAYS = (np.ndarray, np.generic, StandInOnCPU)  # what lives on the CPU
_current = contextvars.ContextVar("eagerdl_device", default=CPU)


def cupy():
    """The CuPy module, or a DeviceError that says how to install it."""
    try:
        import cupy as module
    except Exception as error:
        raise DeviceError("device", "a GPU needs CuPy 14", f"importing it failed: {error}",
                          "pip install 'eagerdl[cuda12]' or 'eagerdl[cuda13]', see `eagerdl doctor`") from None  # fmt: skip
    return module


def gpu_count():
    """How many GPUs CuPy sees; 0 where it is not installed or finds no driver."""
    try:
        return cupy().cuda.runtime.getDeviceCount()
    except Exception:  # no CuPy, no driver or a driver too old: all mean that there is no GPU to use
        return 0


def parse(name):
    """The Device for ``'cpu'``, ``'gpu'``, ``'gpu:1'``, ``'/GPU:0'``, ``'cuda:0'`` or a Device; None is the current one."""
    if name is None:
        return current()
    if isinstance(name, Device):
        return name
    match = re.fullmatch(r"/?(?:device:)?(cpu|gpu|cuda)(?::(\d+))?", str(name).lower())
    if match is None:
        raise ArgumentError("device", "a device is named 'cpu' or 'gpu:N'", f"got {name!r}", "use edl.device('gpu:0')")
    kind, index = "cpu" if match[1] == "cpu" else "gpu", int(match[2] or 0)
    if kind == "cpu":
        return CPU
    count = gpu_count()
    if index >= count:
        cupy()  # says what is missing, where it is CuPy itself
        raise DeviceError("device", f"the GPU must exist: this machine has {count}", f"got {name!r}",
                          "edl.config.list_devices() lists them")  # fmt: skip
    return Device(f"{kind}:{index}")


def current():
    """The device on which new tensors are made."""
    return _current.get()


@contextlib.contextmanager
def device(name):
    """Makes new tensors on `name` inside a ``with`` block.

    Args:
        name: ``'cpu'``, ``'gpu'``, ``'gpu:1'`` or TF's spellings of them.

    Raises:
        DeviceError: if there is no such GPU, or CuPy is not installed.

    Example:
        >>> with edl.device("cpu"):
        ...     edl.ones(2).device
        cpu:0
    """
    found = parse(name)
    token = _current.set(found)
    try:
        with on(found):
            yield found
    finally:
        _current.reset(token)


def on(found):
    """A context in which CuPy allocates on `found`; nothing to do for the CPU."""
    return contextlib.nullcontext() if found.kind == "cpu" else cupy().cuda.Device(found.index)


def module_of(array):
    """The array module that `array` belongs to: NumPy or CuPy, or what stands for CuPy while a function is traced."""
    if isinstance(array, ARRAYS):
        return np
    return array.array_module if isinstance(array, StandIn) else sys.modules["cupy"]


def module_for(found=None):
    """The array module of a device, the current one by default."""
    return np if (found or current()).kind == "cpu" else cupy()


def is_array(value):
    """True for NumPy and CuPy arrays (and NumPy scalars)."""
    return isinstance(value, (*ARRAYS, StandIn)) or is_on_gpu(value)


def is_on_gpu(value):
    """True for CuPy arrays."""
    module = sys.modules.get("cupy")
    return module is not None and isinstance(value, module.ndarray)


def device_of(array):
    """The Device that holds `array`."""
    return CPU if isinstance(array, ARRAYS) else Device(f"gpu:{array.device.id}")


def move(array, to):
    """`array` on device `to`; the same array if it is there already."""
    if device_of(array) == to:
        return array
    if to.kind == "cpu":
        return sys.modules["cupy"].asnumpy(array)
    with on(to):
        return cupy().asarray(array)


def to_numpy(array):
    """`array` as a NumPy array, copied from the GPU if it lives there."""
    return array if isinstance(array, np.ndarray) else move(array, CPU)


def list_devices(device_type=None):
    """The devices of this machine, the CPU first.

    Args:
        device_type: ``'cpu'`` or ``'gpu'`` to list only those.

    Example:
        >>> edl.config.list_devices("cpu")
        [cpu:0]
    """
    found = [CPU] + [Device(f"gpu:{index}") for index in range(gpu_count())]
    return [one for one in found if device_type is None or one.kind == device_type.lower()]


def get_memory_info(name="gpu:0"):
    """Bytes of memory: ``{'current': used by arrays, 'peak': held by the allocator, 'free': ..., 'total': ...}``.

    On the CPU `current` and `peak` are the resident size of the process and its maximum.
    """
    found = parse(name)
    if found.kind == "cpu":
        return _process_memory()
    with on(found):
        pool = cupy().get_default_memory_pool()
        free, total = cupy().cuda.runtime.memGetInfo()
        return {"current": pool.used_bytes(), "peak": pool.total_bytes(), "free": free, "total": total}


def _process_memory():
    import os
    import resource

    page = os.sysconf("SC_PAGE_SIZE")
    total, free = os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
    scale = 1 if sys.platform == "darwin" else 1024  # getrusage counts kilobytes except on macOS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    try:
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[1]) * page
    except OSError:
        used = peak
    return {"current": used, "peak": max(peak, used), "free": free, "total": total}
