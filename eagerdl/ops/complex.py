"""Complex numbers: parts, angles and views."""

__all__: list[str] = []
