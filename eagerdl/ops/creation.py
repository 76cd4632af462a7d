"""New tensors: constants, ranges, grids, windows; and what the array API asks of a namespace."""

__all__: list[str] = []
