"""Axes by pattern, as in einops: rearrange, and what is a pattern of it."""

import builtins
import functools
import math
import re

from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.shape import _integer, reshape, transpose

__all__ = ["depth_to_space", "rearrange", "space_to_depth"]


def rearrange(tensor, pattern, **axes_lengths):
    """tensor (...) -> (...). Axes named, split, ordered and merged by a pattern, as in ``"b (h s) w -> b h w s"``.

    A name stands for an axis, names in parentheses for one axis made of them (the last changes fastest), ``...`` for
    any number of axes, 1 or ``()`` for an axis of size 1. Both sides must have the same names.

    Args:
        tensor: a tensor.
        pattern: what comes ``->`` what shall be.
        axes_lengths: sizes of names; within parentheses all but one are needed.

    Raises:
        ArgumentError: if the pattern cannot be read, or the two sides differ in their names.
        ShapeError: if the tensor does not fit the pattern or the sizes.

    Example:
        >>> images = edl.ones((32, 30, 40, 3))
        >>> edl.rearrange(images, "b (h1 h) (w1 w) c -> (b h1 w1) h w c", h1=2, w1=2).shape
        (128, 15, 20, 3)

    Source: Rogozhnikov, 2022, "Einops: Clear and Reliable Tensor Manipulations with Einstein-like Notation", ICLR.
    """
    x = convert_to_tensor(tensor)
    sizes = tuple((name, _integer("rearrange", name, n)) for name, n in sorted(axes_lengths.items()))
    apart, order, shape = _rearrangement(pattern, x.shape, sizes)
    if apart != x.shape:
        x = reshape(x, apart)
    if order != tuple(builtins.range(len(order))):
        x = transpose(x, order)
    return x if x.shape == shape else reshape(x, shape)


class _Refusal(Exception):
    """Why a pattern does not work: the requirement, what came, the remedy and the kind of error."""


@functools.lru_cache(maxsize=512)
def _rearrangement(pattern, shape, sizes):
    """The shape of all named axes, their new order, and the shape that comes out."""
    given = dict(sizes)
    try:
        left, right = _parse_pattern(pattern)
        left, right = _expand_ellipsis(left, right, len(shape))
        sizes = _axis_sizes(left, shape, given)
    except _Refusal as refusal:
        kind, requirement, cause, remedy = refusal.args
        came = f"pattern {pattern!r}, tensor {shape}, sizes {given or 'none'}: {cause}"
    else:
        names = [name for group in left for name in group]
        order = tuple(names.index(name) for group in right for name in group)
        return (
            tuple(sizes[name] for name in names),
            order,
            tuple(math.prod(sizes[name] for name in group) for group in right),
        )
    raise kind("rearrange", requirement, came, remedy)


def _parse_pattern(pattern):
    """Both sides of a pattern: for each axis the tuple of names that it is made of."""
    if not isinstance(pattern, str) or pattern.count("->") != 1:
        raise _Refusal(
            ArgumentError, "a pattern has two sides around one '->'", "it has not", "write it as in 'b h w -> b (h w)'"
        )
    left, right = (_parse_side(side) for side in pattern.split("->"))
    names = [[name for group in side for name in group] for side in (left, right)]
    for side in names:
        twice = sorted({name for name in side if side.count(name) > 1})
        if twice:
            raise _Refusal(
                ArgumentError,
                "each name may come once on a side",
                f"twice there: {', '.join(twice)}",
                "rename one of them",
            )
    alone = sorted(set(names[0]) ^ set(names[1]))
    if alone:
        raise _Refusal(
            ArgumentError,
            "both sides must have the same names",
            f"on one side only: {', '.join(alone)}",
            "use edl.sum to drop an axis, edl.repeat to make one",
        )
    if builtins.any("..." in group and len(group) > 1 for group in left):
        raise _Refusal(
            ArgumentError, "'...' stands outside of parentheses on the left", "it is inside", "name the axes to split"
        )
    return left, right


def _parse_side(side):
    groups, inner, rest = [], None, side
    while rest := rest.lstrip():
        token = re.match(r"\.\.\.|[()]|[A-Za-z_]\w*|\d+", rest)
        if token is None:
            raise _Refusal(
                ArgumentError,
                "a pattern is made of names, parentheses, '...' and 1",
                f"cannot read {rest!r}",
                "names begin with a letter",
            )
        token, rest = token[0], rest[token.end() :]
        if token == "(" and inner is None:
            inner = []
        elif token == ")" and inner is not None:
            groups.append(tuple(inner))
            inner = None
        elif token in "()":
            raise _Refusal(
                ArgumentError, "parentheses come in pairs and not inside each other", f"stray {token!r}", "check them"
            )
        elif token.isdigit():
            if token != "1":
                raise _Refusal(
                    ArgumentError,
                    "the only size in a pattern is 1",
                    f"got {token}",
                    f"name the axis and pass its size {token}",
                )
            if inner is None:
                groups.append(())
        elif inner is None:
            groups.append((token,))
        else:
            inner.append(token)
    if inner is not None:
        raise _Refusal(
            ArgumentError, "parentheses come in pairs and not inside each other", "one stays open", "close it"
        )
    return groups


def _expand_ellipsis(left, right, ndim):
    """Both sides with '...' replaced by as many axes as it stands for."""
    if ("...",) not in left:
        if len(left) != ndim:
            raise _Refusal(
                ShapeError,
                "the left side must name every axis",
                f"it names {len(left)}, there are {ndim}",
                "use '...' for any number of axes",
            )
        return left, right
    count = ndim - len(left) + 1
    if count < 0:
        raise _Refusal(
            ShapeError,
            "the left side must name every axis",
            f"it names at least {len(left) - 1}, there are {ndim}",
            "drop names from the pattern",
        )
    axes = [f"...{i}" for i in builtins.range(count)]
    at = left.index(("...",))
    left = [*left[:at], *[(axis,) for axis in axes], *left[at + 1 :]]
    out = []
    for group in right:
        if group == ("...",):
            out += [(axis,) for axis in axes]
        else:
            out.append(tuple(one for name in group for one in (axes if name == "..." else [name])))
    return left, out


def _axis_sizes(left, shape, given):
    """The size of every name on the left side."""
    unknown = sorted(set(given) - {name for group in left for name in group})
    if unknown:
        raise _Refusal(
            ArgumentError, "sizes belong to names of the pattern", f"not in it: {', '.join(unknown)}", "drop them"
        )
    sizes = dict(given)
    for axis, (group, n) in enumerate(zip(left, shape, strict=True)):
        known = math.prod(given[name] for name in group if name in given)
        open_names = [name for name in group if name not in given]
        whole = f"({' '.join(group)})" if len(group) != 1 else group[0]
        if len(open_names) > 1:
            raise _Refusal(
                ShapeError,
                "within parentheses all sizes but one must be given",
                f"unknown: {', '.join(open_names)}",
                f"pass {open_names[0]}=...",
            )
        if open_names and known > 0 and n % known == 0:
            sizes[open_names[0]] = n // known
        elif open_names or known != n:
            fits = "a multiple of" if open_names else "equal to"
            raise _Refusal(
                ShapeError,
                "the sizes must fit the axes",
                f"axis {axis} of size {n} is not {fits} {known}, for {whole}",
                "check the sizes and the order of the axes",
            )
    return sizes


# -- pixels and channels -----------------------------------------------------------------------


def _check_blocks(where, x, block_size, data_format):
    if x.ndim != 4:
        raise ShapeError(
            where, "images of four axes are needed", f"x has shape {x.shape}", "add a batch axis with edl.expand_dims"
        )
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(
            where, "data_format is 'channels_last' or 'channels_first'", f"got {data_format!r}", "pick one of them"
        )
    if _integer(where, "block_size", block_size) < 2:
        raise ArgumentError(where, "block_size is at least 2", f"got {block_size}", "there is nothing to do for 1")


def depth_to_space(x, block_size, data_format="channels_last"):
    """x (n, h, w, c b b) -> (n, h b, w b, c). Channels laid out as blocks of b x b pixels; channels_first likewise.

    Args:
        x: images.
        block_size: b.
        data_format: ``"channels_last"`` or ``"channels_first"`` (n, c b b, h, w).

    Raises:
        ShapeError: if the channels are not a multiple of b b, or x has not four axes.

    Example:
        >>> edl.depth_to_space(edl.ones((1, 2, 2, 12)), 2).shape
        (1, 4, 4, 3)

    Source: Shi et al., 2016, "Real-Time Single Image and Video Super-Resolution", arXiv:1609.05158.
    """
    x, b = convert_to_tensor(x), block_size
    _check_blocks("depth_to_space", x, b, data_format)
    last = data_format == "channels_last"
    channels = x.shape[3 if last else 1]
    if channels % (b * b):
        raise ShapeError(
            "depth_to_space",
            f"the channels must be a multiple of block_size ** 2 = {b * b}",
            f"x {x.shape} has {channels}",
            "use another block_size",
        )
    pattern = "n h w (a b c) -> n (h a) (w b) c" if last else "n (c a b) h w -> n c (h a) (w b)"
    return rearrange(x, pattern, a=b, b=b)


def space_to_depth(x, block_size, data_format="channels_last"):
    """x (n, h b, w b, c) -> (n, h, w, c b b). Blocks of b x b pixels laid out as channels; undoes `depth_to_space`.

    Args:
        x: images.
        block_size: b.
        data_format: ``"channels_last"`` or ``"channels_first"`` (n, c, h b, w b).

    Raises:
        ShapeError: if height and width are not multiples of b, or x has not four axes.

    Example:
        >>> edl.space_to_depth(edl.ones((1, 4, 4, 3)), 2).shape
        (1, 2, 2, 12)
    """
    x, b = convert_to_tensor(x), block_size
    _check_blocks("space_to_depth", x, b, data_format)
    last = data_format == "channels_last"
    height, width = x.shape[1:3] if last else x.shape[2:]
    if height % b or width % b:
        raise ShapeError(
            "space_to_depth",
            f"height and width must be multiples of block_size = {b}",
            f"x {x.shape}",
            "pad the images with edl.pad",
        )
    pattern = "n (h a) (w b) c -> n h w (a b c)" if last else "n c (h a) (w b) -> n (c a b) h w"
    return rearrange(x, pattern, a=b, b=b)
