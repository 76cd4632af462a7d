"""Which program runs a graph: that of the CPU or that of a GPU."""

from eagerdl.jit.interpreter import Interpreter
from eagerdl.jit.program import Program
from eagerdl.jit.schedule import Schedule


def program_for(graph, capture=False):
    """The program of a graph, for where its arrays live.

    Args:
        graph: the Graph.
        capture: whether calls on a GPU are replayed as a CUDA graph.
    """
    gpus = graph.gpus()
    if not gpus:
        return Program(graph)
    if len(gpus) > 1:
        return Interpreter(graph)
    from eagerdl.jit.cuda.program import CudaProgram

    return CudaProgram(graph, capture)


def is_compiled(program):
    """True for programs of kernels, False for an `Interpreter`."""
    return isinstance(program, Schedule)
