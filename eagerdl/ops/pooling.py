"""Pooling over windows, and adaptive pooling."""

__all__: list[str] = []
