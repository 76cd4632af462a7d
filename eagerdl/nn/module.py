"""`Module`: an object that finds the variables in its attributes."""

import math
from collections.abc import Iterator
from typing import Any

from eagerdl.errors import ArgumentError
from eagerdl.nn.names import snake_case
from eagerdl.variable import Variable

__all__ = ["Module"]

# A repr is read, not processed: past this many lines it says how much it left out.
REPR_LINES = 40


class Module:
    """Base class of objects that own variables.

    Assign variables, other modules, and lists, tuples or dicts of them to attributes: the module finds them.
    There is nothing to register and nothing to declare; `super().__init__()` is needed only to pass a name.
    The search happens when a property is read, in the order in which the attributes were first assigned, and
    meets each object once, however often and in whatever cycle it is referred to. Containers of other kinds
    (sets, queues, objects that are no modules) are not searched.

    Args:
        name: the module's name, a string without "/". The default is the class name in snake case.

    Raises:
        ArgumentError: if the name is no string, is empty or contains "/".

    Example:
        >>> import eagerdl as edl
        >>> class Dense(edl.Module):
        ...     def __init__(self, inputs, units, name=None):
        ...         super().__init__(name=name)
        ...         self.kernel = edl.Variable(edl.ones((inputs, units)), name="kernel")
        ...         self.bias = edl.Variable(edl.zeros((units,)), name="bias")
        ...
        ...     def __call__(self, x):
        ...         return x @ self.kernel + self.bias
        >>> class Mlp(edl.Module):
        ...     def __init__(self):
        ...         self.layers = [Dense(4, 8), Dense(8, 2)]
        >>> Mlp()
        Mlp 'mlp': 4 variables, 58 parameters
          layers[0]: Dense
            kernel (4, 8) float32
            bias (8,) float32
          layers[1]: Dense
            kernel (8, 2) float32
            bias (2,) float32
    """

    def __init__(self, name: str | None = None):
        if name is not None:
            if not isinstance(name, str) or not name or "/" in name:
                raise ArgumentError(
                    type(self).__name__,
                    "name must be a non-empty string without '/'",
                    f"got {name!r}",
                    f"leave it out to get {snake_case(type(self).__name__)!r}",
                )
            self._name = name

    @property
    def name(self) -> str:
        """The name given to `__init__`, or the class name in snake case."""
        # Reading with a default keeps subclasses working that never call super().__init__().
        return vars(self).get("_name") or snake_case(type(self).__name__)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable of this module and its submodules, each once, in the order of assignment."""
        return tuple(item for _, _, item in _walk(self) if isinstance(item, Variable))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """The variables with `trainable=True`: what an optimizer updates."""
        return tuple(variable for variable in self.variables if variable.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """The variables with `trainable=False`: counters, running means and other state."""
        return tuple(variable for variable in self.variables if not variable.trainable)

    @property
    def submodules(self) -> tuple["Module", ...]:
        """Every module inside this one at any depth, each once, a parent before its children."""
        return tuple(item for _, _, item in _walk(self) if isinstance(item, Module))

    def __repr__(self) -> str:
        """A short tree: submodules and variables with their shapes and dtypes, never their values."""
        found = list(_walk(self))
        variables = [item for _, _, item in found if isinstance(item, Variable)]
        parameters = sum(math.prod(variable.shape) for variable in variables)
        lines = [
            f"{type(self).__name__} {self.name!r}: "
            f"{_count(len(variables), 'variable')}, {_count(parameters, 'parameter')}"
        ]
        for depth, path, item in found[:REPR_LINES]:
            lines.append("  " * depth + _describe(path, item))
        if len(found) > REPR_LINES:
            lines.append(f"  ... and {_count(len(found) - REPR_LINES, 'line')} more")
        return "\n".join(lines)


def _walk(root: Module) -> Iterator[tuple[int, str, Any]]:
    """Yield `(depth, path, item)` for each Variable and Module inside `root`, once, depth first.

    `path` says how the nearest enclosing module refers to the item, as in `layers[0]`. The stack is
    explicit, so a chain of modules may be as long as memory allows.
    """
    seen = {id(root)}
    stack = _members(1, root)
    while stack:
        depth, path, item = stack.pop()
        # Containers are remembered too: a list may contain itself.
        if not isinstance(item, (Variable, Module, list, tuple, dict)) or id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Variable):
            yield depth, path, item
        elif isinstance(item, Module):
            yield depth, path, item
            stack += _members(depth + 1, item)
        else:
            entries = item.items() if isinstance(item, dict) else enumerate(item)
            stack += reversed([(depth, f"{path}[{key!r}]", entry) for key, entry in entries])


def _members(depth: int, module: Module) -> list[tuple[int, str, Any]]:
    """The attributes of `module` for the stack of `_walk`, the first one last: it is popped first."""
    return [(depth, attribute, value) for attribute, value in reversed(vars(module).items())]


def _describe(path: str, item: Any) -> str:
    if isinstance(item, Module):
        return f"{path}: {type(item).__name__}"
    return f"{path} {tuple(item.shape)} {item.dtype}" + ("" if item.trainable else ", not trainable")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
