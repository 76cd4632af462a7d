"""What the ops on images share: the layouts, the dtype to compute in, margins, checks."""

import builtins

import numpy as np

from eagerdl import dtypes
from eagerdl.config import standardize_data_format
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor, saturate_cast
from eagerdl.ops.indexing import slice_update
from eagerdl.ops.rounding import round
from eagerdl.ops.shape import expand_dims, squeeze, transpose


def image_axes(where, images, data_format):
    """Images as a tensor, with their axes (height, width, channels).

    Raises:
        ShapeError: unless there are 3 or 4 axes.
    """
    images = convert_to_tensor(images)
    last = standardize_data_format(data_format) == "channels_last"
    if images.ndim not in (3, 4):
        layout = "(height, width, channels)" if last else "(channels, height, width)"
        raise ShapeError(
            where,
            f"an image {layout} or a batch of them is needed",
            f"images {images.shape}",
            "add the missing axis with edl.expand_dims",
        )
    lead = images.ndim - 3
    return images, (lead, lead + 1, lead + 2) if last else (lead + 1, lead + 2, lead)


def batched(images, axes):
    """Images as (n, h, w, c), and a function that takes such a result back to their own layout."""
    lead, last = images.ndim - 3, axes[2] == images.ndim - 1
    batch = images if lead else expand_dims(images, 0)
    batch = batch if last else transpose(batch, (0, 2, 3, 1))

    def restore(out):
        rest = builtins.range(4, out.ndim)
        out = out if last else transpose(out, (0, 3, 1, 2, *rest))
        return out if lead else squeeze(out, 0)

    return batch, restore


def cast_like(out, x):
    """`out` in the dtype of `x`: rounded and clipped to its range where that is an integer."""
    if out.dtype == x.dtype:
        return out
    return saturate_cast(round(out) if dtypes.is_integer(x.dtype) else out, x.dtype)


def constant_like(array, like, dtype=None):
    """A NumPy array as a tensor on the device of `like`."""
    made = convert_to_tensor(array, like.dtype if dtype is None else dtype)
    return made if made.device == like.device else made.to(like.device)


def padded(x, before, after, fill_value=0):
    """`x` with `before[i]` and `after[i]` places of `fill_value` around it on axis i."""
    if not builtins.any(before) and not builtins.any(after):
        return x
    shape = tuple([n + low + high for n, low, high in zip(x.shape, before, after, strict=True)])
    return slice_update(constant_like(np.full(shape, fill_value), x), tuple(before), x)


def check_choice(where, name, value, allowed):
    """Refuses a string that is none of `allowed`."""
    if value not in allowed:
        raise ArgumentError(
            where, f"{name} is one of {', '.join(map(repr, allowed))}", f"got {value!r}", "check the spelling"
        )
    return value
