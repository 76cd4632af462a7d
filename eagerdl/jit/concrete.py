"""`ConcreteFunction`: one trace of a function, with the program that computes it."""

from eagerdl.jit.graph import CHECK
from eagerdl.tensor import from_array


class ConcreteFunction:
    """One trace of a function.

    Attributes:
        call: the Call that it was traced with.
        graph: what it computes.
    """

    def __init__(self, where, call, graph, results, compiled, why):
        self.where, self.call, self.graph, self.results, self.why = where, call, graph, results, why
        self.program = Interpreter(graph)

    def fits(self):
        """True if the variables look as they did when it was traced."""
        for variable, value in self.graph.variables.items():
            array = variable._array
            if array.strides != value.strides or array.shape != value.shape or array.dtype != value.dtype:
                return False
        return True

    def __call__(self, arrays):
        return self.results.built([from_array(array) for array in self.program(arrays)])


class Interpreter:
    """Runs a graph call by call, with NumPy alone."""

    def __init__(self, graph):
        self.graph = graph

    def __call__(self, arrays):
        graph = self.graph
        known = dict(graph.constants)
        known.update(zip(graph.inputs, arrays))
        for variable, value in graph.variables.items():
            known[value] = variable._array
        for node in graph.nodes:
            out = node.run(known.__getitem__)
            if node.kind == CHECK:
                continue
            if not isinstance(out, tuple | list):
                out = (out,)
            for value, array in zip(node.outputs, out):
                known[value] = array
        for variable, value in graph.writes.items():
            variable._array, variable._now = known[value], None
        return [known[value] for value in graph.outputs]
