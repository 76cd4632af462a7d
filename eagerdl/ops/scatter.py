"""Gather, scatter and segments: reading and writing at computed places."""

__all__: list[str] = []
