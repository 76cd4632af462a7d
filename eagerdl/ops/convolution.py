"""Convolutions of 1 to 3 spatial axes, their transposes, patches."""

__all__: list[str] = []
