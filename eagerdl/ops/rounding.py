"""Rounding, remainders and clipping."""

__all__: list[str] = []
