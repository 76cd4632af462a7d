"""What `eagerdl` uses of CuPy, made of NumPy: a module that can stand in the place of ``cupy`` on a machine without a GPU.

It is as strict as CuPy where programs go wrong: arrays are not converted to NumPy's silently, NumPy's arrays are no arguments,
functions of CuPy do not take what is no array of theirs, fresh memory holds rubbish. Kernels are compiled by `cuda_on_cpu`.
"""

import contextlib
import functools
import sys
import types

import cuda_on_cpu
import numpy as np
import scipy.special
from numpy.lib.mixins import NDArrayOperatorsMixin

SCALARS = (bool, int, float, complex, np.generic)
recording = None  # the Recording under way


class Recording:
    """What a stream captures: calls, and what was in memory before them."""

    def __init__(self):
        self.calls, self.before = [], []

    def keep(self, array):
        if array.flags.writeable:
            self.before.append((array, array.copy()))

    def undo(self):
        for array, old in reversed(self.before):
            array[...] = old


class Memory:
    """A block of memory, full of rubbish."""

    def __init__(self, nbytes):
        self.bytes = np.full(nbytes, 0xAB, np.uint8)


class MemoryPointer:
    def __init__(self, mem, offset=0):
        self.mem, self.offset = mem, offset

    def __add__(self, more):
        return MemoryPointer(self.mem, self.offset + more)


class ndarray(NDArrayOperatorsMixin):
    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, base=None, array=None):
        if array is None:
            array = np.ndarray(shape, dtype, memptr.mem.bytes, memptr.offset, strides)
        self._a, self.base, self.data = array, base, memptr

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    strides = property(lambda self: self._a.strides)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    device = property(lambda self: Device(0))
    T = property(lambda self: applied(np.transpose, (self,), {}))
    real = property(lambda self: applied(np.real, (self,), {}))
    imag = property(lambda self: applied(np.imag, (self,), {}))

    @property
    def flags(self):
        ours = self._a.flags
        return types.SimpleNamespace(
            c_contiguous=ours.c_contiguous, f_contiguous=ours.f_contiguous, owndata=self.base is None
        )

    def __array__(self, *args, **named):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **named):
        if any(not isinstance(x, (ndarray, np.ndarray, *SCALARS)) for x in inputs):
            return NotImplemented
        if any(isinstance(x, np.ndarray) for x in inputs):
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        if method == "reduce" and ufunc not in (np.add, np.multiply):
            raise NotImplementedError
        named |= {} if out is None else {"out": out[0]}
        return applied(ufunc if method == "__call__" else getattr(ufunc, method), inputs, named)

    def __array_function__(self, function, kinds, args, named):
        if not all(issubclass(kind, (ndarray, np.ndarray)) for kind in kinds):
            return NotImplemented
        return applied(function, args, named)

    def __getitem__(self, key):
        return applied(lambda x, key: x[key], (self, key), {})

    def __setitem__(self, key, value):
        if isinstance(value, np.ndarray):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        applied(assign, (self, key, value), {})

    def __len__(self):
        return len(self._a)

    def get(self):
        if recording is not None:
            raise RuntimeError("the current stream is capturing, so synchronous API calls are not allowed")
        return self._a.copy()

    def item(self, *args):
        return self.get().item(*args)

    def tolist(self):
        return self.get().tolist()

    def __bool__(self):
        return bool(self.get())

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    __index__ = __int__


def assign(x, key, value):
    x[key] = value
    return x


def method(name):
    def call(self, *args, **named):
        return applied(lambda x, *args, **named: getattr(x, name)(*args, **named), (self, *args), named)

    call.__name__ = name
    return call


for _name in ("astype", "copy", "reshape", "transpose", "sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "argsort",
              "mean", "std", "var", "take", "ravel", "flatten", "squeeze", "swapaxes", "repeat", "clip", "view", "cumsum", "nonzero",
              "dot", "conj", "fill", "round", "diagonal", "cumprod", "argpartition"):  # fmt: skip
    setattr(ndarray, _name, method(_name))


def plain(tree):
    """Nested arguments with NumPy's arrays in the place of ours."""
    if isinstance(tree, ndarray):
        return tree._a
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(plain, tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map(plain, tree))
    if isinstance(tree, dict):
        return {name: plain(one) for name, one in tree.items()}
    if hasattr(tree, "__array_ufunc__") and not isinstance(tree, (np.ndarray, np.generic)):
        raise TypeError(f"Unsupported type {type(tree)}")
    return tree


def arrays_in(tree):
    if isinstance(tree, ndarray):
        yield tree
    elif isinstance(tree, list | tuple | dict):
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from arrays_in(one)


def applied(function, args, named):
    """Calls NumPy's function on what our arrays are made of."""
    given, more = plain(args), plain(named)
    targets = [one._a for one in arrays_in(named.get("out"))] + [
        one._a for one in args[:1] if function in (assign, np.copyto)
    ]
    if recording is not None:
        for one in targets:
            recording.keep(one)
    with np.errstate(all="ignore"):
        made = function(*given, **more)
    if recording is not None:
        log(function, given, more, made)
    return wrapped(made, [*arrays_in(args), *arrays_in(named)])


def log(function, given, more, made):
    results = list(made) if isinstance(made, list | tuple) else [made]

    def again():
        with np.errstate(all="ignore"):
            new = function(*given, **more)
        for old, one in zip(results, new if isinstance(new, list | tuple) else [new]):
            if isinstance(old, np.ndarray) and old is not one and not np.may_share_memory(old, one):
                old[...] = one

    recording.calls.append(again)


def wrapped(made, sources):
    """A result of NumPy as ours; views know their base, as CuPy's do."""
    if isinstance(made, list | tuple):
        return type(made)(wrapped(one, sources) for one in made)
    if not isinstance(made, (np.ndarray, np.generic)):
        return made
    for one in sources:
        if one._a is made:
            return one
    made = np.asarray(made)
    base = next((one for one in sources if np.may_share_memory(made, one._a)), None)
    if base is not None and base.base is not None:
        base = base.base
    return ndarray(None, array=made, base=base)


# -- the module --------------------------------------------------------------------------------------


class ufunc:
    """A ufunc of CuPy's own."""

    def __init__(self, function, name):
        self.function, self.__name__, self.nin, self.nout = function, name, function.nin, function.nout

    def __call__(self, *args, **named):
        for one in args:
            if hasattr(one, "__cupy_override_elementwise_kernel__"):
                return one.__cupy_override_elementwise_kernel__(self, *args, **named)
        return applied(self.function, args, named)


class Module(types.ModuleType):
    """NumPy's functions of the same names, for our arrays."""

    def __init__(self, name, ours, **own):
        super().__init__(name)
        self.__dict__["_ours"] = ours
        self.__dict__.update(own)

    def __getattr__(self, name):
        found = getattr(self._ours, name)
        if isinstance(found, types.ModuleType):
            made = Module(f"{self.__name__}.{name}", found)
        elif isinstance(found, np.ufunc):
            made = ufunc(found, f"cupy_{name}")
        elif callable(found) and not isinstance(found, type):
            made = functools.wraps(found)(functools.partial(self._call, found))
        else:
            return found
        self.__dict__[name] = made
        return made

    @staticmethod
    def _call(function, *args, **named):
        if any(isinstance(one, np.ndarray) and one.ndim for one in args) and function.__name__ not in (
            "asarray",
            "array",
        ):
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        return applied(function, args, named)


class RawKernel:
    def __init__(self, source, name, options=()):
        self.source = source
        assert name == "kernel" and options == ("-fmad=false",)

    def compile(self):
        self.run = cuda_on_cpu.compiled(self.source)

    def __call__(self, grid, block, args):
        given = tuple(one._a if isinstance(one, ndarray) else one for one in args)
        if recording is not None:
            for one in given:
                if isinstance(one, np.ndarray):
                    recording.keep(one)
            recording.calls.append(lambda: self.run(grid, block, given))
        self.run(grid, block, given)


class ElementwiseKernel:
    """Source for one element, with names for scalars and arrays; those that are raw are indexed by the source."""

    def __init__(self, inputs, outputs, operation, name, preamble=""):
        self.parameters = [one.split() for one in f"{inputs}, {outputs}".split(",")]
        self.operation, self.preamble = operation, preamble

    def __call__(self, *args, size=None):
        declared, loads = [], []
        for (*raw, kind, name), one in zip(self.parameters, args):
            kind = {"uint64": "unsigned long long"}[kind]
            if isinstance(one, ndarray):
                declared.append(f"{kind}* {name}_")
                loads.append(f"auto& {name} = {name}_;" if raw else f"auto& {name} = {name}_[i];")
            else:
                declared.append(f"{kind} {name}")
        size = size or next(one.size for one in args if isinstance(one, ndarray))
        body = f"for (Index i = 0; i < size; i++) {{ {' '.join(loads)} {self.operation} }}"
        head = "__global__ void kernel(\n" + ", ".join([*declared, "Index size"])
        source = f"typedef long long Index;\n{self.preamble}{head})\n{{\n{body}\n}}\n"
        given = [one._a if isinstance(one, ndarray) else one for one in args]
        cuda_on_cpu.compiled(source)((1,), (1,), [*given, np.int64(size)])
        return args[-1]


class Device:
    def __init__(self, index=0):
        self.id = index

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


class Event:
    pass


class Graph:
    def __init__(self, calls):
        self.calls = calls

    def launch(self, stream=None):
        for one in self.calls:
            one()


streams = []  # that were entered


class Stream:
    def __init__(self, non_blocking=False):
        pass

    def __enter__(self):
        streams.append(self)
        return self

    def __exit__(self, *error):
        streams.pop()

    def record(self):
        return Event()

    def wait_event(self, event):
        assert isinstance(event, Event)

    def synchronize(self):
        pass

    def begin_capture(self):
        global recording
        recording = Recording()

    def end_capture(self):
        global recording
        made, recording = recording, None
        made.undo()
        return Graph(made.calls)


class MemoryPool:
    def malloc(self, nbytes):
        return MemoryPointer(Memory(nbytes))


@contextlib.contextmanager
def using_allocator(allocate):
    yield


def empty(shape, dtype=float, order="C"):
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return ndarray(None, array=np.full(nbytes, 0xAB, np.uint8).view(dtype).reshape(shape))


def asarray(x, dtype=None):
    return x if isinstance(x, ndarray) and dtype is None else ndarray(None, array=np.array(x, dtype))


def module():
    """The module, to be put into ``sys.modules`` as ``cupy``."""
    first = Stream()
    cuda = Module("cupy.cuda", types.SimpleNamespace(), alloc=lambda nbytes: MemoryPointer(Memory(nbytes)), Device=Device, Stream=Stream,
                  MemoryPool=MemoryPool, using_allocator=using_allocator, runtime=types.SimpleNamespace(getDeviceCount=lambda: 1),
                  get_current_stream=lambda: streams[-1] if streams else first)  # fmt: skip
    special = Module("cupyx.scipy.special", scipy.special)
    for name in ("erf", "erfc", "erfinv", "gammaln"):
        setattr(special, name, ufunc(getattr(scipy.special, name), f"cupyx_scipy_special_{name}"))
    made = Module("cupy", np, ndarray=ndarray, cuda=cuda, RawKernel=RawKernel,
                  ElementwiseKernel=ElementwiseKernel, empty=empty, asarray=asarray, array=asarray,
                  asnumpy=lambda x: x.get())  # fmt: skip
    return {"cupy": made, "cupyx": Module("cupyx", scipy), "cupyx.scipy": Module("cupyx.scipy", scipy, special=special),
            "cupyx.scipy.special": special}  # fmt: skip


@contextlib.contextmanager
def installed():
    """A context in which there is a GPU, made of NumPy."""
    from eagerdl.jit import traced
    from eagerdl.jit.cuda import launching
    from eagerdl.kernels import philox
    from eagerdl.ops import elementary

    caches = [traced.module_of_gpu, launching.kernel, elementary._special_functions]
    before = {name: sys.modules.get(name) for name in ("cupy", "cupyx", "cupyx.scipy", "cupyx.scipy.special")}
    sys.modules.update(module())
    try:
        yield
    finally:
        philox._kernels.clear()
        for name, one in before.items():
            sys.modules.pop(name) if one is None else sys.modules.update({name: one})
        for one in caches:
            one.cache_clear()
