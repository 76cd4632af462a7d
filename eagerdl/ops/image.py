"""Images: resizing, warping, filtering, colours; batches (n, h, w, c) by default."""

__all__: list[str] = []
