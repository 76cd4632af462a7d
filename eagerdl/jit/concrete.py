"""`ConcreteFunction`: one trace of a function, with the program that computes it."""

from eagerdl.jit.interpreter import Interpreter
from eagerdl.jit.program import Program
from eagerdl.tensor import from_array


class ConcreteFunction:
    """One trace of a function.

    Attributes:
        call: the Call that it was traced with.
        graph: what it computes.
    """

    def __init__(self, where, call, graph, results, compiled, why):
        self.where, self.call, self.graph, self.results, self.why = where, call, graph, results, why
        self.program = Program(graph) if compiled else Interpreter(graph)

    def fits(self):
        """True if the variables look as they did when it was traced."""
        return self.program.fits()

    def __call__(self, arrays):
        return self.results.built([from_array(array) for array in self.program(arrays)])
