"""Nested structures: lists, tuples, named tuples and dicts of leaves, as arguments and results come."""


def flatten(tree):
    """The leaves of `tree` in order, and a function that builds the same structure of other leaves.

    Example:
        >>> from eagerdl.tree import flatten
        >>> leaves, build = flatten({"a": 1, "b": [2, 3]})
        >>> leaves, build([x * 10 for x in leaves])
        ([1, 2, 3], {'a': 10, 'b': [20, 30]})
    """
    leaves = []
    _collect(tree, leaves)
    return leaves, lambda new: _build(tree, iter(new))


def _collect(tree, leaves):
    if isinstance(tree, dict):
        for value in tree.values():
            _collect(value, leaves)
    elif isinstance(tree, list | tuple):
        for value in tree:
            _collect(value, leaves)
    else:
        leaves.append(tree)


def _build(tree, leaves):
    if isinstance(tree, dict):
        return type(tree)((key, _build(value, leaves)) for key, value in tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[_build(value, leaves) for value in tree])
    if isinstance(tree, list | tuple):
        return type(tree)([_build(value, leaves) for value in tree])
    return next(leaves)


def map_structure(function, tree, *others):
    """The structure of `tree` with `function` applied to its leaves, and to those of `others` at the same places.

    Example:
        >>> from eagerdl.tree import map_structure
        >>> map_structure(lambda a, b: a + b, (1, [2]), (10, [20]))
        (11, [22])
    """
    leaves, build = flatten(tree)
    columns = [flatten(other)[0] for other in others]
    return build([function(*row) for row in zip(leaves, *columns, strict=True)])
