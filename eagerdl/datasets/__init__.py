"""Small real data sets that ship with the package, with the interface of `keras.datasets`."""

from eagerdl.datasets import digits

__all__ = ["digits"]
