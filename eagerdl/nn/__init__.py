"""Building blocks of networks: objects that own variables."""

from eagerdl.nn.module import Module

__all__ = ["Module"]
