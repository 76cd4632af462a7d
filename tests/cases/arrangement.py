import numpy as np
from cases.builders import booleans, case, complex_normal, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def numpy_vander(x, N=None, increasing=False):
    n = len(x) if N is None else N
    powers = np.stack([x**i for i in range(n)], axis=1) if n else np.zeros((len(x), 0))
    return powers if increasing else powers[:, ::-1]


CUBE, MATRIX = normal(2, 3, 4), normal(3, 4)

CASES = {
    "meshgrid": [case(normal(2), normal(3), normal(1)), case(normal(2), normal(3), indexing="ij"),
                 case(normal(2), normal()),
                 case(normal(0), normal(2)), case(normal(3))],
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
}  # fmt: skip

FAILURES = [
    fails("meshgrid", normal(2, 2), error=ShapeError,
          match=r"\[meshgrid\] vectors are needed; x\[0\] has shape \(2, 2\)"),
    fails("meshgrid", normal(2), indexing="yx", error=ArgumentError, match=r"indexing is 'xy' or 'ij'; got 'yx'"),
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
]  # fmt: skip
