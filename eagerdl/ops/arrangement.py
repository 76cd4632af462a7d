"""Rearranging elements: joining, splitting, tiling, flipping, rolling, padding."""

__all__: list[str] = []
