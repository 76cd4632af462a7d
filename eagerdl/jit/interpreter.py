"""`Interpreter`: a graph call by call, with NumPy or CuPy alone. The numbers are those of the compiled program."""

from eagerdl.autograd.dispatch import as_array
from eagerdl.devices import is_on_gpu
from eagerdl.errors import TracingError
from eagerdl.jit.graph import CHECK
from eagerdl.jit.lines import blame_node, place


class ShapeChanged(TracingError):
    """A call gave an array of another shape than when it was traced: its shape depends on elements."""

    @classmethod
    def of(cls, label, line):
        """The error for a call at the user's line."""
        return cls(f"{label}, {place(line)}", "in a traced function the shapes of results may depend on shapes, not on elements",
                   f"{label} gave another shape than when the function was traced", "keep the shape, as with edl.where and masks, "
                   "or do this outside of the function")  # fmt: skip


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
            same = (array.strides, array.shape, array.dtype) == (value.strides, value.shape, value.dtype)
            if not same or is_on_gpu(array) != value.on_gpu:
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
                if array.shape != value.shape:
                    raise ShapeChanged.of(node.label, node.line)
                known[value] = array
        for variable, value in graph.writes.items():
            variable._array, variable._now = as_array(known[value]), None
        return [as_array(known[value]) for value in graph.outputs]
