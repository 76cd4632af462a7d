"""Integers as vectors: one-hot and multi-hot."""

__all__: list[str] = []
