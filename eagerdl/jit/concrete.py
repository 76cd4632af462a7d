"""`ConcreteFunction`: one trace of a function, with the program that computes it."""

from eagerdl.jit.interpreter import Interpreter
from eagerdl.jit.programs import program_for
from eagerdl.machine.compiler import NotCompiled, nothing_compiled
from eagerdl.tensor import from_array

PATIENCE = 32  # calls with sizes of their own before kernels are compiled for them


class ConcreteFunction:
    """One trace of a function.

    Where the same function was compiled for other sizes before, nothing is compiled for these: most of its kernels serve all
    sizes, and where one does not (an axis of size 1 lies in memory as none else does, such as a last batch of one example), the
    calls run one by one, until there were so many that compiling pays. The numbers are the same.

    Attributes:
        call: the Call that it was traced with.
        graph: what it computes.
        why: why it was traced.
        rewrites: see `Trace`.
    """

    def __init__(self, where, call, graph, results, compiled, why, others, rewrites, capture=False):
        self.where, self.call, self.graph, self.results, self.why = where, call.outline(), graph, results, why
        self.rewrites = rewrites
        self.calls, self.waits, self.capture = 0, False, capture
        self.program = Interpreter(graph)
        if compiled:
            try:
                with nothing_compiled(others):
                    self.program = program_for(graph, capture)
            except NotCompiled:
                self.waits = True

    def fits(self):
        """True if the variables look as they did when it was traced."""
        return self.program.fits()

    def __call__(self, arrays):
        if self.waits:
            self.calls += 1
            if self.calls > PATIENCE:
                self.program, self.waits = program_for(self.graph, self.capture), False
        return self.results.built([from_array(array) for array in self.program(arrays)])
