"""`CudaProgram`: a graph as a short straight-line program of kernel launches and CuPy's calls.

It differs from the CPU's `Program` in what a GPU makes different: arguments are given at each launch, so that inputs are read where
they lie and results are new arrays from the start; what lives only during a call lies in one arena; and nothing waits for the GPU.
"""

import functools
import math
import threading
import time

import numpy as np

from eagerdl import devices
from eagerdl.jit.cuda import kernels, launching, regions
from eagerdl.jit.cuda.capture import capture_of
from eagerdl.jit.fuse import is_row_major
from eagerdl.jit.graph import CALL, VIEW
from eagerdl.jit.interpreter import Interpreter, ShapeChanged
from eagerdl.jit.lines import blame
from eagerdl.jit.memory import ALIGNMENT, Arena, array_at, pin
from eagerdl.jit.schedule import Schedule, needs_check, takes_out


class CudaProgram(Schedule):
    """Runs a graph on a GPU.

    Args:
        graph: the Graph.
        capture: whether calls are replayed as a CUDA graph; see `Capture`.

    Attributes:
        steps: what it does, in order.
        kernels: the compiled kernels, one for each step that is a region.
        text: the program as Python source.
    """

    def __init__(self, graph, capture=False):
        self.graph = graph
        self.lock = threading.Lock()
        self.interpreter = Interpreter(graph)
        self.cupy = devices.cupy()
        (self.gpu,) = graph.gpus()
        self._plan()
        self.capture = capture_of(self) if capture else None
        with self.cupy.cuda.Device(self.gpu):
            self.launches = {step: launching.launches(step.source) for step in self.steps if step.region is not None}
            for launch in (one for found in self.launches.values() for one in found):
                launch.kernel = launching.kernel(launch.source)
            self.kernels = {step: found[0].kernel for step, found in self.launches.items()}
            self._lay_out()
            self._bind()

    def source_of(self, region, partners):
        """The Source of a region."""
        return kernels.source_of(region, self.outside, partners)

    def _regions(self):
        return regions.regions_of(self.graph, self._alone())

    # -- where things are ------------------------------------------------------------------------------

    def _lay_out(self):
        """Places in the arena for what steps make; results are made anew at each call, unless calls are replayed."""
        arena, self.offsets, dying = Arena(), {}, {}
        self.fresh = set() if self.capture else {value for value in self.graph.outputs if value not in self.partners}
        for number, step in enumerate(self.steps):
            for value in step.outputs:
                if value in self.partners or not self._is_static(step, value):
                    continue
                self.offsets[value] = arena.take(launching.bytes_of(value))
                end = self.last.get(value, number)
                dying.setdefault(max(end, number), []).append(value)
            partial = {one for launch in self.launches.get(step, ()) for one in launch.arrays if is_partial(one)}
            for one in partial:
                self.offsets[one] = arena.take(launching.bytes_of(one))
            for one in partial:
                arena.give_back(self.offsets[one], launching.bytes_of(one))
            for value in dying.pop(number, ()):
                arena.give_back(self.offsets[value], launching.bytes_of(value))
        self.arena_bytes = arena.size

    def _is_static(self, step, value):
        """True if a value lies where it did in the last call."""
        if value in self.fresh or not value.on_gpu:
            return False
        if step.region is not None:
            return True
        node = step.node
        return not node.shares and node.kind != VIEW and takes_out(node) and is_plain(value)

    # -- the program -------------------------------------------------------------------------------------

    def _bind(self):
        """Makes the arrays of a call, and the program's text."""
        graph, cupy = self.graph, self.cupy
        self.arena = cupy.cuda.alloc(max(self.arena_bytes, ALIGNMENT))
        self.pins = {variable: pin(variable) for variable in graph.variables}
        self.bound = [(variable, one, variable in graph.writes) for variable, one in self.pins.items()]
        self.arrays = dict(graph.constants)  # value -> the array that it is at each call
        for variable, value in graph.variables.items():
            self.arrays[value] = self.pins[variable].view(value)
        for new, old in self.partners.items():
            self.arrays[new] = self.arrays[old]
        for value, offset in self.offsets.items():
            self.arrays[value] = array_at(self.arena, offset, value)
        self.names = {
            "asarray": np.asarray,
            "copyto": copy_to,
            "copy": copy_of,
            "empty": cupy.empty,
            "ShapeChanged": ShapeChanged,
        }
        if self.capture:
            self.arrays |= self.capture.inputs(graph)
        lines = []
        for number, step in enumerate(self.steps):
            lines += (
                self._kernel_lines(number, step) if step.region is not None else self._call_lines(number, step.node)
            )
        lines += self._ending()
        names = [] if self.capture else [value.name for value in graph.inputs]
        self.head, self.lines = f"def step({', '.join(names)}):", lines
        self.text = "\n    ".join([self.head, *lines]) + "\n"
        self.run = self._made(self.text)
        self.stream = None  # the one of the last call

    def _kernel_lines(self, number, step):
        lines = [f"{value.name} = {self._new(value)}" for value in step.outputs if value not in self.arrays]
        for index, launch in enumerate(self.launches[step]):
            name = f"k{number}_{index}" if index else f"k{number}"
            self.names[name], self.names[f"n{name[1:]}"] = launch.kernel.run, launch.numbers
            arrays = ", ".join(self.text_of(value) for value in launch.arrays)
            line = f"{name}({launch.grid}, {launch.block}, ({arrays}, *n{name[1:]}))"
            labels = ", ".join(node.label for node in step.nodes if node.kind != VIEW)
            lines.append(line if index else f"{line}  # {labels}")
        return lines

    def _new(self, value):
        """A new array for a value, as text."""
        if is_row_major(value):
            self.names[value.dtype.name] = value.dtype
            return f"empty({value.shape}, {value.dtype.name})"
        self.names[f"new_{value.name}"] = functools.partial(launching.new_array, value)
        return f"new_{value.name}()"

    def _call_lines(self, number, node):
        if node.kind == VIEW and all(value in self.arrays for value in node.inputs):
            out = node.run(self.arrays.__getitem__)
            for value, array in zip(node.outputs, out if isinstance(out, tuple | list) else [out]):
                self.arrays[value] = array
            return []
        name = f"f{number}"
        call, bound = self._call_text(node, name)
        self.names |= bound
        if not node.outputs:
            return [call]
        first = node.outputs[0]
        if not node.several and first in self.arrays:
            return [f"{call[:-1]}, out={self.text_of(first)})  # {node.label}"]
        targets = ", ".join(value.name for value in node.outputs) + ("," if node.several else "")
        lines = [f"{targets} = {call}  # {node.label}"]
        # NumPy gives scalars instead of arrays of shape ().
        scalars = [
            f"{value.name} = asarray({value.name})" for value in node.outputs if not value.ndim and not value.on_gpu
        ]
        if node.kind == CALL and needs_check(node):
            for value in node.outputs:
                changed = f"{value.name}.shape != {value.shape} or {value.name}.strides != {value.strides}"
                lines.append(f"if {changed}: raise ShapeChanged.of({node.label!r}, {node.line!r})")
        return [*lines, *scalars]

    def _ending(self):
        """Lines that store variables which were not written in place, and return fresh results."""
        graph, lines, copies = self.graph, [], []
        variables = set(graph.variables.values())
        for index, (variable, new) in enumerate(graph.writes.items()):
            if new in self.partners and self.partners[new] is graph.variables[variable]:
                continue
            text = self.text_of(new)
            # It may be overwritten before it is read.
            if any(root in variables for root in self._roots(new)) or new in self.partners:
                lines.append(f"w{index} = copy({text})")
                text = f"w{index}"
            self.names[f"v{index}"] = self.arrays[graph.variables[variable]]
            copies.append(f"copyto(v{index}, {text})")
        results, given = [], set()
        for index, value in enumerate(graph.outputs):
            mine = value.node is not None and value not in self.arrays and value not in given and not value.node.shares
            given.add(value)
            results.append(value.name if mine and value.node.kind != VIEW else f"copy({self.text_of(value)})")
            if self._is_overwritten_at_the_end(value):
                lines.append(f"r{index} = {results[-1]}")
                results[-1] = f"r{index}"
            elif self.capture:  # which copies all of them
                results[-1] = self.text_of(value)
        return [*lines, *copies, f"return [{', '.join(results)}]"]

    # -- calls ---------------------------------------------------------------------------------------------

    def __call__(self, arrays):
        if not self.lock.acquire(blocking=False):  # another thread is in it
            return self.interpreter(arrays)
        try:
            with self.cupy.cuda.Device(self.gpu), np.errstate(all="ignore"):
                self._sync()
                self._wait()
                arrays = [self._laid_out(*pair) for pair in zip(arrays, self.graph.inputs)]
                return self.capture(arrays) if self.capture else self.run(*arrays)
        except Exception as error:
            blame(error, self)
            raise
        finally:
            self.lock.release()

    def _laid_out(self, array, value):
        """An input that lies in memory as its value did: arguments do, but what comes from tapes or loops need not."""
        if array.strides == value.strides or not value.size:
            return array
        out = launching.new_array(value) if value.on_gpu else np.empty_like(array)
        out[...] = array
        return out

    def _wait(self):
        """Lets the stream of this call wait for that of the last one, whose arena it uses."""
        stream = self.cupy.cuda.get_current_stream()
        if self.stream is not None and stream != self.stream:
            stream.wait_event(self.stream.record())
        self.stream = stream

    def profile(self, arrays, repetitions=10):
        """Runs the program and measures its lines, each until the GPU has done it.

        Returns:
            A list of (line, seconds), seconds the least of the repetitions.
        """
        clock, best, lines = time.perf_counter, [math.inf] * len(self.lines), []
        for index, line in enumerate(self.lines[:-1]):
            lines += ["begin = clock()", line, "wait()", f"seconds[{index}] = clock() - begin"]
        seconds = [0.0] * len(self.lines)
        with self.cupy.cuda.Device(self.gpu):
            more = {"clock": clock, "seconds": seconds, "wait": self.cupy.cuda.get_current_stream().synchronize}
            run = self._made("\n    ".join([self.head, *lines, self.lines[-1]]), more)
            for _ in range(repetitions):
                self._sync()
                run(*(() if self.capture else arrays))
                best = [min(pair) for pair in zip(best, seconds)]
        return list(zip(self.lines, best))


def is_partial(one):
    """True for what blocks of columns found, False for Values."""
    return isinstance(one, launching.Partial)


def is_plain(value):
    """True if a value has elements and goes on forwards along its axes."""
    return value.size > 0 and min(value.strides, default=1) > 0


def copy_of(array):
    """A copy that looks the same."""
    return array.copy("K")


def copy_to(target, source):
    """Writes an array into another one."""
    target[...] = source
