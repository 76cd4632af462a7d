"""`Interpreter`: a graph call by call, with NumPy alone. The numbers are those of the compiled program."""

from eagerdl.jit.graph import CHECK
from eagerdl.jit.lines import blame_node


class Interpreter:
    """Runs a graph without compiling anything.

    Args:
        graph: the Graph.
    """

    def __init__(self, graph):
        self.graph = graph

    def fits(self):
        """True if the variables look as they did when it was traced."""
        for variable, value in self.graph.variables.items():
            array = variable._array
            if array.strides != value.strides or array.shape != value.shape or array.dtype != value.dtype:
                return False
        return True

    def __call__(self, arrays):
        graph = self.graph
        known = dict(graph.constants)
        known.update(zip(graph.inputs, arrays))
        for variable, value in graph.variables.items():
            known[value] = variable._array
        for node in graph.nodes:
            try:
                out = node.run(known.__getitem__)
            except Exception as error:
                blame_node(error, node)
                raise
            if node.kind == CHECK:
                continue
            if not isinstance(out, tuple | list):
                out = (out,)
            for value, array in zip(node.outputs, out):
                known[value] = array
        for variable, value in graph.writes.items():
            variable._array, variable._now = known[value], None
        return [known[value] for value in graph.outputs]
