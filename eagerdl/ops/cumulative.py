"""Running sums and products."""

__all__: list[str] = []
