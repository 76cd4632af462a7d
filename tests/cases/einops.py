import numpy as np
from cases.builders import case, fails, normal

from eagerdl.errors import ArgumentError, ShapeError


def einsum_transpose(subscripts, shape):
    """A `rearrange` by NumPy's reshape and transpose, spelled out."""
    return lambda x, pattern, **sizes: x.reshape(shape[0]).transpose(subscripts).reshape(shape[1])


def pixel_shuffle(x, block_size, data_format="channels_last"):
    if data_format == "channels_first":
        n, c, h, w = x.shape
        out = np.zeros((n, c // block_size**2, h * block_size, w * block_size))
        for a in range(block_size):
            for b in range(block_size):
                out[:, :, a::block_size, b::block_size] = x[:, a * block_size + b :: block_size**2]
        return out
    n, h, w, c = x.shape
    depth = c // block_size**2
    out = np.zeros((n, h * block_size, w * block_size, depth))
    for a in range(block_size):
        for b in range(block_size):
            start = (a * block_size + b) * depth
            out[:, a::block_size, b::block_size] = x[..., start : start + depth]
    return out


def pixel_unshuffle(x, block_size, data_format="channels_last"):
    axis = 1 if data_format == "channels_first" else 3
    cut = [(slice(None),) * (2 if axis == 1 else 1) + (slice(a, None, block_size), slice(b, None, block_size))
           for a in range(block_size) for b in range(block_size)]  # fmt: skip
    pieces = [x[key] for key in cut]
    return np.concatenate(pieces, 3) if axis == 3 else np.stack(pieces, 2).reshape(x.shape[0], -1, *pieces[0].shape[2:])


CUBE = normal(2, 3, 4)

CASES = {
    "rearrange": [
        case(CUBE, "a b c -> c (a b)", reference=einsum_transpose((2, 0, 1), ((2, 3, 4), (4, 6)))),
        case(CUBE, "a b (c d) -> (d a) b 1 c", d=2,
             reference=einsum_transpose((3, 0, 1, 2), ((2, 3, 2, 2), (4, 3, 1, 2)))),
        case(CUBE, "a ... -> (... a)", reference=einsum_transpose((1, 2, 0), ((2, 3, 4), (24,)))),
        case(CUBE, "... c->c ...", reference=einsum_transpose((2, 0, 1), ((2, 3, 4), (4, 2, 3)))),
        case(normal(1, 2), "1 b -> b () 1", reference=einsum_transpose((0,), ((2,), (2, 1, 1)))),
        case(normal(), "->", reference=lambda x, pattern: x),
        case(normal(0, 2), "a b -> (a b)", reference=lambda x, pattern: x.reshape(0)),
        case([normal(2), normal(2, salt=1)], "n a -> a n", reference=lambda x, pattern: np.stack(x, 1)),
    ],
    "depth_to_space": [case(normal(2, 2, 1, 8), 2, reference=pixel_shuffle),
                       case(normal(1, 9, 1, 2), 3, "channels_first", reference=pixel_shuffle),
                       case(normal(1, 8, 2, 2), 2, data_format="channels_first", reference=pixel_shuffle)],
    "space_to_depth": [case(normal(2, 4, 2, 3), 2, reference=pixel_unshuffle),
                       case(normal(1, 2, 3, 6), 3, "channels_first", reference=pixel_unshuffle)],
}  # fmt: skip

FAILURES = [
    fails("rearrange", normal(2, 3), "a b c -> c b a", error=ShapeError,
          match=r"every axis; pattern 'a b c -> c b a', tensor \(2, 3\), sizes none: it names 3, there are 2"),
    fails("rearrange", normal(2, 3), "a b -> a", error=ArgumentError,
          match=r"both sides must have the same names; .*one side only: b"),
    fails("rearrange", normal(2, 3), "a a -> a", error=ArgumentError,
          match=r"each name may come once on a side; .*twice there: a"),
    fails("rearrange", normal(2, 3), "a b", error=ArgumentError, match=r"two sides around one '->'"),
    fails("rearrange", normal(2, 3), "(a b -> a b", error=ArgumentError,
          match=r"parentheses come in pairs.*one stays open"),
    fails("rearrange", normal(2, 3), "a ((b)) -> a b", error=ArgumentError,
          match=r"parentheses come in pairs.*stray '\('"),
    fails("rearrange", normal(2, 3), "a b+ -> a b", error=ArgumentError, match=r"made of names.*cannot read"),
    fails("rearrange", normal(2, 3), "a 3 -> 3 a", error=ArgumentError, match=r"the only size in a pattern is 1"),
    fails("rearrange", normal(2, 3), "(a ...) -> a ...", error=ArgumentError,
          match=r"'...' stands outside of parentheses"),
    fails("rearrange", normal(2, 6), "a (b c) -> a b c", error=ShapeError,
          match=r"all sizes but one must be given.*unknown: b, c"),
    fails("rearrange", normal(2, 6), "a (b c) -> a b c", b=4, error=ShapeError,
          match=r"the sizes must fit.*sizes \{'b': 4\}: axis 1 of size 6 is not a multiple of 4, for \(b c\)"),
    fails("rearrange", normal(2, 6), "a b -> b a", b=4, error=ShapeError,
          match=r"axis 1 of size 6 is not equal to 4, for b"),
    fails("rearrange", normal(2, 6), "a b -> b a", c=4, error=ArgumentError,
          match=r"sizes belong to names of the pattern.*not in it: c"),
    fails("rearrange", normal(2, 6), "a 1 -> a", error=ShapeError, match=r"axis 1 of size 6 is not equal to 1"),
    fails("rearrange", normal(2), "a b ... -> b a ...", error=ShapeError, match=r"it names at least 2, there are 1"),
    fails("depth_to_space", normal(1, 2, 2, 6), 2, error=ShapeError,
          match=r"multiple of block_size \*\* 2 = 4; x \(1, 2, 2, 6\) has 6"),
    fails("depth_to_space", normal(2, 2, 8), 2, error=ShapeError, match=r"images of four axes"),
    fails("depth_to_space", normal(1, 2, 2, 8), 1, error=ArgumentError, match=r"block_size is at least 2"),
    fails("space_to_depth", normal(1, 3, 4, 1), 2, error=ShapeError,
          match=r"must be multiples of block_size = 2; x \(1, 3, 4, 1\)"),
    fails("space_to_depth", normal(1, 4, 4, 1), 2, "NHWC", error=ArgumentError, match=r"'channels_first'; got 'NHWC'"),
]  # fmt: skip
