"""Functions of tensors as units: `function`."""

from eagerdl.jit.function import function

__all__ = ["function"]
