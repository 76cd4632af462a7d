"""Dot-product attention."""

__all__: list[str] = []
