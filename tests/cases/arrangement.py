import numpy as np
from cases.builders import booleans, case, complex_normal, distinct, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def numpy_vander(x, N=None, increasing=False):
    n = len(x) if N is None else N
    powers = np.stack([x**i for i in range(n)], axis=1) if n else np.zeros((len(x), 0))
    return powers if increasing else powers[:, ::-1]


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


def pads(mode, **options):
    return [case(normal(4, 3), [(1, 2), (2, 0)], mode=mode, **options), case(normal(5), 3, mode=mode, **options)]


CUBE, MATRIX = normal(2, 3, 4), normal(3, 4)

CASES = {
    "concat": [case([normal(2, 3), normal(1, 3)]), case([normal(2), normal(2, 2)], axis=None)],
    "append": [case(normal(2), normal(2, 2)), case(normal(2, 3), normal(2, 1), 1), case(normal(0), normal(2))],
    "hstack": [case([normal(2, 3), normal(2, 1)]), case([normal(2), normal(3)]), case([normal(), normal(salt=1)])],
    "vstack": [case([normal(2, 3), normal(1, 3)]), case([normal(3), normal(2, 3)]), case([normal(), normal(salt=1)])],
    "dstack": [case([normal(2, 3), normal(2, 3, 2)]), case([normal(3), normal(3, salt=1)]),
               case([normal(), normal(salt=1)])],
    "meshgrid": [case(normal(2), normal(3), normal(1)), case(normal(2), normal(3), indexing="ij"),
                 case(normal(2), normal()),
                 case(normal(0), normal(2)), case(normal(3))],
    "split": [case(CUBE, 2), case(CUBE, 2, axis=-1), case(normal(6), [1, 4]), case(normal(6), (2, -1, 9)),
              case(normal(0, 2), 3),
              case(normal(4), np.array([1, 3]))],
    "array_split": [case(normal(5), 3), case(normal(3, 5), 2, axis=1), case(normal(2), 4), case(normal(5), [2])],
    "hsplit": [case(normal(2, 4), 2), case(normal(4), [1])],
    "vsplit": case(normal(4, 2), [1, 3]),
    "dsplit": case(normal(1, 2, 4), 2),
    "unstack": [case(CUBE, reference=lambda x: list(x)), case(normal(3), reference=lambda x: list(x)),
                case(CUBE, 4, axis=-1, reference=lambda x, num, axis: list(np.moveaxis(x, axis, 0))),
                case(normal(0, 2), reference=lambda x: list(x), order=0)],
    "tile": [case(MATRIX, 2), case(MATRIX, (2, 1)), case(normal(3), (2, 1, 2)), case(normal(), (2,)),
             case(MATRIX, (2, 0)), case(normal(0), 3)],
    "repeat": [case(MATRIX, 2), case(MATRIX, 3, axis=0), case(MATRIX, 2, axis=-1), case(MATRIX, [2, 0, 1], axis=0),
               case(normal(), 2),
               case(MATRIX, np.array([3]), 1), case(normal(2), np.array([1, 2])), case(MATRIX, 0, axis=1)],
    "flip": [case(CUBE), case(CUBE, axis=1), case(CUBE, axis=(0, -1)),
             case(CUBE, axis=[2], reference=lambda x, axis: np.flip(x, 2)),
             case(normal()), case(normal(0, 3))],
    "fliplr": case(CUBE),
    "flipud": case(normal(3)),
    "roll": [case(CUBE, 1), case(CUBE, 2, axis=1), case(CUBE, (1, -1), axis=(0, 2)), case(CUBE, 1, axis=(0, 1)),
             case(normal(0), 2),
             case(CUBE, np.array(-5), axis=2), case(CUBE, [1, 2], axis=[0, 1])],
    "rot90": [case(CUBE), case(CUBE, k=2), case(CUBE, k=-1, axes=(2, 0)), case(CUBE, k=4)],
    "pad": [case(MATRIX, 1), case(MATRIX, (1, 2)), case(MATRIX, [(0, 1), (2, 0)]), case(MATRIX, [(1,), (2,)]),
            case(normal(), 2),
            case(normal(0, 2), 1), case(MATRIX, np.array([[1, 0], [0, 1]])), case(MATRIX, 1, constant_values=1.5),
            case(MATRIX, 1, constant_values=normal()), case(MATRIX, 2, constant_values=normal(2)),
            case(MATRIX, [(1, 2), (0, 1)], constant_values=normal(2, 2)),
            case(np.array([[np.inf, 1.0]]), 1, constant_values=normal(), order=0),
            case(integers(0, 9, 4), 2, constant_values=7, order=0),
            *[row for mode in ("edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum", "minimum",
                               "mean") for row in pads(mode)],
            *pads("median"), case(distinct(4, 6), [(1, 1), (0, 2)], mode="median"), case(normal(2, 3), 1, "reflect"),
            case(normal(1, 3), 2, mode="reflect"), case(normal(2), 7, mode="reflect"),
            case(normal(2), 7, mode="symmetric"),
            case(normal(3), (0, 8), mode="wrap"), case(normal(0, 2), [(0, 0), (1, 1)], mode="edge"),
            case(normal(3), 2, mode="circular", reference=lambda x, w, mode: np.pad(x, w, "wrap")),
            case(normal(3), 2, mode="empty", reference=lambda x, w, mode: np.pad(x, w)),
            case(integers(0, 9, 4), 2, mode="mean", order=0), case(integers(0, 9, 4), 2, mode="reflect", order=0)],
    "tril": [case(CUBE), case(MATRIX, 1), case(MATRIX, -2), case(MATRIX, k=9), case(normal(0, 2)),
             case(booleans(2, 2), order=0)],
    "triu": [case(CUBE), case(MATRIX, 1), case(MATRIX, -2), case(np.array([[1.0, 2.0], [np.inf, np.nan]]), 1, order=0)],
    "diagonal": [case(MATRIX), case(CUBE, 1, 2, 0), case(CUBE, -1, axis1=-1, axis2=1), case(MATRIX, 9),
                 case(normal(0, 2))],
    "diag": [case(normal(3)), case(normal(3), 1), case(normal(2), k=-2), case(MATRIX), case(MATRIX, -1),
             case(normal(0))],
    "diagflat": [case(normal(2, 2)), case(normal(3), -1), case(normal())],
    "trace": [case(MATRIX), case(CUBE, 1, 0, 2), case(integers(0, 9, 3, 3, dtype="int8"), order=0), case(normal(0, 0))],
    "diff": [case(MATRIX), case(MATRIX, 2), case(MATRIX, axis=0), case(MATRIX, 0),
             case(normal(4), prepend=0.5, append=normal(2)),
             case(MATRIX, axis=0, prepend=normal(1, 4), append=1.0), case(booleans(5), order=0), case(normal(1)),
             case(normal(0)),
             case(normal(3), n=5)],
    "vander": [case(np.array([0.0, 1.5, -2.0]), reference=numpy_vander), case(normal(3), 5, reference=numpy_vander),
               case(normal(3), N=2, increasing=True, reference=numpy_vander),
               case(normal(3), 1, reference=numpy_vander),
               case(normal(2), 0, reference=numpy_vander), case(normal(0), reference=numpy_vander),
               case(complex_normal(3), 4, reference=numpy_vander, dtypes=()), case(integers(-3, 4, 4), order=0)],
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
    fails("hstack", [], error=ArgumentError, match=r"\[hstack\] at least one tensor"),
    fails("vstack", [normal(2), normal(3)], error=ShapeError, match=r"xs\[0\] \(1, 2\), xs\[1\] \(1, 3\)"),
    fails("meshgrid", normal(2, 2), error=ShapeError,
          match=r"\[meshgrid\] vectors are needed; x\[0\] has shape \(2, 2\)"),
    fails("meshgrid", normal(2), indexing="yx", error=ArgumentError, match=r"indexing is 'xy' or 'ij'; got 'yx'"),
    fails("split", normal(5), 2, error=ShapeError, match=r"\[split\] the sections must have equal.*size 5, in 2"),
    fails("split", normal(5), 0, error=ArgumentError, match=r"at least one section"),
    fails("split", normal(5), [3, 1], error=ArgumentError, match=r"the indices must rise; got \[3, 1\]"),
    fails("split", normal(5), 2.0, error=DTypeError, match=r"indices_or_sections is an integer; got .*2.0"),
    fails("split", normal(4, 2), 2, axis=2, error=ShapeError,
          match=r"\[split\] axis must name one of the 2 axes; got axis=2"),
    fails("array_split", normal(), 2, error=ShapeError, match=r"an axis to split is needed; x has shape \(\)"),
    fails("hsplit", normal(), 2, error=ShapeError, match=r"\[hsplit\] at least 1 axes"),
    fails("vsplit", normal(4), 2, error=ShapeError, match=r"\[vsplit\] at least 2 axes"),
    fails("dsplit", normal(4, 4), 2, error=ShapeError, match=r"\[dsplit\] at least 3 axes"),
    fails("unstack", normal(3, 2), 2, error=ShapeError, match=r"axis 0 must have size num=2; x has shape \(3, 2\)"),
    fails("unstack", normal(), error=ShapeError, match=r"\[unstack\] axis must name one of the 0 axes"),
    fails("tile", normal(2), -1, error=ArgumentError, match=r"\[tile\] repeats cannot be negative; got \(-1,\)"),
    fails("tile", normal(2), 1.5, error=DTypeError, match=r"\[tile\]"),
    fails("repeat", normal(3), [1, 2], error=ShapeError,
          match=r"one per element of the axis.*got 2 repeats, axis 0 of x \(3,\)"),
    fails("repeat", normal(3), [1, -2, 1], error=ArgumentError, match=r"\[repeat\] repeats cannot be negative"),
    fails("repeat", normal(3), 2, axis=1, error=ShapeError, match=r"\[repeat\] axis must name one of the 1 axes"),
    fails("flip", normal(2, 3), axis=2, error=ShapeError,
          match=r"\[flip\] axis must name one of the 2 axes; got axis=2"),
    fails("flip", normal(2, 3), axis=(0, -2), error=ShapeError, match=r"\[flip\] each axis may come once"),
    fails("fliplr", normal(2), error=ShapeError, match=r"\[fliplr\] at least 2 axes"),
    fails("flipud", normal(), error=ShapeError, match=r"\[flipud\] at least 1 axes"),
    fails("roll", normal(2, 3), 1, axis=2, error=ShapeError, match=r"\[roll\] axis must name one of the 2 axes"),
    fails("roll", normal(2, 3), 1.5, error=DTypeError, match=r"\[roll\] shift is an integer; got shift=1.5"),
    fails("roll", normal(2, 3), (1, 2, 3), axis=(0, 1), error=ShapeError, match=r"each axis needs a shift"),
    fails("rot90", normal(3), error=ShapeError, match=r"\[rot90\] two axes span the plane; array \(3,\)"),
    fails("rot90", normal(3, 3), axes=(0, -2), error=ShapeError, match=r"\[rot90\] each axis may come once"),
    fails("pad", normal(2), 1, mode="mirror", error=ArgumentError,
          match=r"\[pad\] mode is one of constant, empty, edge.*got 'mirror'"),
    fails("pad", normal(2), 1, mode="edge", constant_values=1, error=ArgumentError,
          match=r"constant_values belong to mode='constant'"),
    fails("pad", normal(2), -1, error=ShapeError, match=r"widths cannot be negative; got -1; cut with a slice"),
    fails("pad", normal(2, 2), [(1, 1)] * 3, error=ShapeError,
          match=r"or a pair for each axis.*x \(2, 2\); give 2 pairs"),
    fails("pad", normal(2, 2), [(1, 1), (1,)], error=ShapeError, match=r"or a pair for each axis"),
    fails("pad", normal(2), 1.5, error=DTypeError, match=r"pad_width is made of ints"),
    fails("pad", normal(0), 1, mode="edge", error=ShapeError,
          match=r"mode 'edge' needs an element.*axis 0 of x \(0,\) is empty"),
    fails("pad", normal(2), 1, constant_values=1j, error=DTypeError, match=r"complex constant_values need a complex x"),
    fails("pad", normal(2), 1, constant_values=normal(3), error=ShapeError,
          match=r"constant_values are one number, a pair"),
    fails("tril", normal(3), error=ShapeError, match=r"\[tril\] matrices are needed; x has shape \(3,\)"),
    fails("triu", normal(3), error=ShapeError, match=r"\[triu\] matrices are needed"),
    fails("triu", normal(3, 3), 0.5, error=DTypeError, match=r"\[triu\] k is an integer"),
    fails("diag", normal(), error=ShapeError, match=r"\[diag\] a vector or a matrix is needed; x has shape \(\)"),
    fails("diag", normal(2, 2, 2), error=ShapeError, match=r"use edl.diagonal for stacks"),
    fails("diagonal", normal(3), error=ShapeError, match=r"\[diagonal\] a diagonal needs two axes; x has shape \(3,\)"),
    fails("diagonal", normal(3, 3), 0, 1, 1, error=ShapeError, match=r"\[diagonal\] each axis may come once"),
    fails("trace", normal(3), error=ShapeError, match=r"\[trace\] a diagonal needs two axes"),
    fails("diff", normal(3), -1, error=ArgumentError, match=r"n cannot be negative"),
    fails("diff", normal(3), axis=1, error=ShapeError, match=r"\[diff\] axis must name one of the 1 axes"),
    fails("vander", normal(3, 3), error=ShapeError, match=r"\[vander\] a vector is needed"),
    fails("vander", normal(3), -1, error=ShapeError, match=r"N cannot be negative"),
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
