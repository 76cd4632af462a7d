"""Fourier transforms and short-time frames."""

__all__: list[str] = []
