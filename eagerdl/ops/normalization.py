"""Normalization by moments: batch, layer, RMS."""

__all__: list[str] = []
