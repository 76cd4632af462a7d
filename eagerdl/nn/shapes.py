"""Shapes in structures: tuples of ints and Nones are the leaves."""

import numpy as np


def map_shapes(function, shapes):
    """`function` of each shape in a structure: tuples of ints and Nones are the leaves.

    Example:
        >>> from eagerdl.nn.shapes import map_shapes
        >>> map_shapes(len, [(None, 2), (3,)])
        [2, 1]
    """
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {name: map_shapes(function, shape) for name, shape in shapes.items()}
    if isinstance(shapes, list | tuple):
        return type(shapes)([map_shapes(function, shape) for shape in shapes])
    return None if shapes is None else function(shapes)


def is_shape(value):
    """True for a tuple or list of ints and Nones."""
    return isinstance(value, list | tuple) and all(n is None or isinstance(n, int | np.integer) for n in value)
