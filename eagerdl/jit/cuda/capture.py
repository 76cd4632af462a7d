"""`Capture`: the launches of a program as one CUDA graph, which is replayed at each call.

A step of many small kernels takes as long as Python needs to launch them. Replayed as a graph they cost one launch. In return all
arrays stand still: inputs are copied to where the graph reads them, results from where it leaves them.
"""

import contextlib
import warnings

import numpy as np

from eagerdl.errors import TracingWarning
from eagerdl.jit.cuda.launching import new_array
from eagerdl.jit.graph import CHECK, LOOP
from eagerdl.jit.lines import place

WARM_UP = 1  # calls that run launch by launch, so that libraries have made what they need


class Capture:
    """Replays a program.

    The first call runs launch by launch, the second is captured, the next ones are replayed. What cannot be captured runs launch by
    launch for good, and a warning says why.

    Args:
        program: the CudaProgram.

    Attributes:
        graph: the CUDA graph, None until there is one.
        reason: why there will be none, None while there may be.
    """

    def __init__(self, program):
        self.program, self.graph, self.calls = program, None, 0
        self.reason = self.run = None
        cuda = program.cupy.cuda
        with cuda.Device(program.gpu):
            # Streams and memory of its own: what the graph writes to must not be given to others meanwhile.
            self.stream, self.pool = cuda.Stream(non_blocking=True), cuda.MemoryPool()

    def inputs(self, graph):
        """Arrays that stand still for the inputs of a graph."""
        return {
            value: new_array(value) if value.on_gpu else np.empty(value.shape, value.dtype) for value in graph.inputs
        }

    def __call__(self, arrays):
        program, cuda = self.program, self.program.cupy.cuda
        if self.reason is not None:
            self._take(arrays)
            return [one.copy("K") for one in program.run()]
        if self.run is not program.run:  # its arrays lie elsewhere now
            self.run, self.graph, self.calls = program.run, None, 0
        outer = cuda.get_current_stream()
        self.stream.wait_event(outer.record())
        with self.stream:
            self._take(arrays)
            if self.graph is None:
                self._first(cuda)
            else:
                self.graph.launch(self.stream)
        outer.wait_event(self.stream.record())
        return [one.copy("K") for one in self.results]

    def _take(self, arrays):
        """Copies inputs to where the graph reads them."""
        for value, array in zip(self.program.graph.inputs, arrays):
            self.program.arrays[value][...] = array

    def _first(self, cuda):
        """A call before there is a graph; or the one that makes it."""
        with cuda.using_allocator(self.pool.malloc):
            self.calls += 1
            if self.calls > WARM_UP and self._captured():
                self.graph.launch(self.stream)
            else:
                self.results = self.run()

    def _captured(self):
        """Captures a run, in which nothing happens yet; False if that is not possible."""
        self.stream.begin_capture()
        try:
            results = self.run()
        except Exception as error:
            with contextlib.suppress(Exception):  # it cannot be ended well, which is known
                self.stream.end_capture()
            self._give_up(f"{type(error).__name__}: {error}")
            return False
        try:
            self.graph = self.stream.end_capture()
        except Exception as error:
            self._give_up(f"{type(error).__name__}: {error}")
            return False
        self.results = results
        return True

    def _give_up(self, reason):
        self.reason = reason
        warn(reason)


def capture_of(program):
    """The Capture of a program; None, after a warning, if its graph cannot be captured."""
    reason = reason_of(program.graph)
    if reason is None:
        return Capture(program)
    warn(reason)
    return None


def warn(reason):
    """Says why a function is not captured."""
    warnings.warn(TracingWarning(
        f"[function] capture=True needs a step that is launches on a GPU only; {reason}; it runs launch by launch: leave capture "
        "out, or keep that part outside of the function"), stacklevel=2)  # fmt: skip


def reason_of(graph):
    """Why a graph of calls cannot be captured; None if nothing is known that speaks against it."""
    for value in graph.values():
        if value.on_gpu or value in graph.constants:
            continue
        where = "" if value.node is None else f"{value.node.label}, {place(value.node.line)}: "
        return f"{where}an array {value.dtype}{list(value.shape)} lives on the CPU"
    for node in graph.nodes:
        if node.kind in (CHECK, LOOP):
            return f"{node.label}, {place(node.line)}, calls Python"
    return None
