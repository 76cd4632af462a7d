"""Pictures of boxes and lines: where they stand, as SVG, as DOT, through matplotlib."""

from eagerdl.drawing.dot import Dot, draw, kind_of
from eagerdl.drawing.picture import Box, Frame

__all__ = ["Box", "Dot", "Frame", "draw", "kind_of"]
