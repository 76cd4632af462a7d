"""Numbers of categories as vectors, in the ways that preprocessing layers name by `output_mode`."""

import math

from eagerdl import ops
from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import check_choice
from eagerdl.ops.statistics import _bincount as counted

MODES = ("int", "one_hot", "multi_hot", "count")
ALIASES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def checked_mode(where, mode, known=MODES):
    """`mode` by its present name.

    Raises:
        ArgumentError: if it is not known.
    """
    mode = ALIASES.get(mode, mode) if isinstance(mode, str) else mode
    check_choice(where, "output_mode", mode, known)
    return mode


def refuse_sparse(where, sparse, ragged=False):
    """Tensors here are dense."""
    for name, value in (("sparse", sparse), ("ragged", ragged)):
        if value:
            raise ArgumentError(where, "tensors are dense", f"got {name}={value!r}", f"leave {name} out")


def encode(x, mode, depth, dtype, weights=None):
    """x (..., n) int -> x itself for "int", (..., n, depth) for "one_hot", (..., depth) for "multi_hot" and "count".

    A last axis of size 1 is not kept by "one_hot"; numbers outside of [0, depth) count for nothing.

    Args:
        x: numbers of categories.
        mode: one of MODES.
        depth: how many categories there are.
        dtype: that of the result.
        weights: for "count", what each number counts; a tensor like x.
    """
    if mode == "int":
        return ops.cast(x, dtype)
    if not x.ndim:
        x = x[None]
    if mode == "one_hot":
        return ops.one_hot(x[..., 0] if x.ndim > 1 and x.shape[-1] == 1 else x, depth, dtype=dtype)
    if weights is not None:
        return ops.sum(ops.one_hot(x, depth, dtype=weights.dtype) * weights[..., None], axis=-2)
    shape = (*x.shape[:-1], depth)
    rows = ops.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    if mode == "multi_hot":
        return ops.reshape(ops.multi_hot(rows, depth, dtype=dtype), shape)
    # What is outside of the categories goes to a bin of its own, which is cut off.
    places = ops.where((rows >= 0) & (rows < depth), rows, depth) + (depth + 1) * ops.arange(rows.shape[0])[:, None]
    counts = counted(ops.ravel(places), rows.shape[0] * (depth + 1))
    return ops.cast(ops.reshape(ops.reshape(counts, (-1, depth + 1))[:, :depth], shape), dtype)


def encoded_shape(shape, mode, depth):
    """The shape of what `encode` gives."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    if not shape:
        return (depth,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:-1], depth)
