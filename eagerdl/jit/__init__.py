"""Functions of tensors as units: `function`; and what shows tensors inside of them: `print`."""

from eagerdl.jit import forwards  # noqa: F401 (it tells eager execution of itself)
from eagerdl.jit.function import function
from eagerdl.jit.printing import print

__all__ = ["function", "print"]
