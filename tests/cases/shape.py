import numpy as np
from cases.builders import case, fails, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

CASES = {
    "reshape": [
        case(normal(2, 6), (3, -1)),
        case(normal(4), 4),
        case(normal(0, 3), (3, 0)),
        case(normal(2, 3), shape=(3, 2), copy=True, reference=lambda x, shape, copy: x.reshape(shape)),
    ],
    "transpose": [case(normal(2, 3, 4)), case(normal(2, 3, 4), (1, 2, 0)), case(normal(2, 3, 4), (-1, 0, 1))],
    "broadcast_to": [case(normal(3, 1), (2, 3, 4)), case(normal(), (2,)), case(normal(1), (200, 200), order=1)],
    "expand_dims": [case(normal(2, 3), 1), case(normal(2, 3), (0, -1))],
    "squeeze": [case(normal(1, 3, 1)), case(normal(1, 3, 1), -1)],
    "concatenate": [case([normal(2, 3), normal(4, 3)]), case([normal(2, 3), normal(2, 1)], axis=-1)],
    "permute_dims": case(normal(2, 3, 4), (2, 0, 1)),
    "swapaxes": [case(normal(2, 3, 4), 0, -1), case(normal(2, 3), 1, 1)],
    "moveaxis": [
        case(normal(2, 3, 4), 0, -1),
        case(normal(2, 3, 4, 1), (0, 1), (-1, 0)),
        case(normal(2, 3, 4), [2, 0], [0, 2]),
    ],
    "ravel": [case(normal(2, 3)), case(normal()), case(normal(0, 3))],
    "ndim": [case(normal(2, 3), order=0), case(5, order=0), case([[1, 2]], order=0)],
    "size": [case(normal(2, 3), order=0), case(normal(0, 3), order=0), case([1, 2], order=0)],
    "broadcast_shapes": [case((2, 1), (3,), (), order=0), case(3, (1, 1), order=0), case(order=0)],
    "broadcast_arrays": [case(normal(2, 1), normal(3), normal()), case(normal(2)), case(normal(0, 1), normal(2))],
    "stack": [case([normal(2, 3), normal(2, 3, salt=1)]), case([normal(2), normal(2, salt=1)], axis=-1)],
}

FAILURES = [
    fails(
        "reshape", normal(2, 3), (4, 2), error=ShapeError, match=r"\[reshape\] the number of elements.*has 6.*holds 8"
    ),
    fails("reshape", normal(2, 3), (-1, -1), error=ShapeError, match=r"at most one size may be -1"),
    fails("reshape", normal(2, 3), 1.5, error=DTypeError, match=r"\[reshape\] a shape is an int"),
    fails("transpose", normal(2, 3), (0, 0), error=ShapeError, match=r"each axis may come once"),
    fails("transpose", normal(2, 3), (0,), error=ShapeError, match=r"axes must name all 2 axes"),
    fails("broadcast_to", normal(3), (2, 4), error=ShapeError, match=r"x \(3,\), shape \(2, 4\)"),
    fails("expand_dims", normal(3), 5, error=IndexError, match=r"axis must name one of the 2 axes; got axis=5"),
    fails("squeeze", normal(3, 2), 0, error=ShapeError, match=r"only axes of size 1.*size 3"),
    fails("concatenate", [normal(2, 3), normal(2, 4)], error=ShapeError, match=r"xs\[0\] \(2, 3\), xs\[1\] \(2, 4\)"),
    fails("concatenate", [], error=ArgumentError, match=r"\[concatenate\] at least one tensor"),
    fails("swapaxes", normal(2, 3), 0, 2, error=ShapeError, match=r"\[swapaxes\] axis must name one of the 2 axes"),
    fails("moveaxis", normal(2, 3), (0, 0), (0, 1), error=ShapeError, match=r"\[moveaxis\] each axis may come once"),
    fails("moveaxis", normal(2, 3), (0, 1), 0, error=ShapeError, match=r"each source needs a destination"),
    fails("broadcast_shapes", (2,), (3,), error=ShapeError, match=r"shapes must broadcast.*got \(2,\), \(3,\)"),
    fails("broadcast_arrays", normal(2), np.ones(3), error=ShapeError, match=r"arrays\[0\] \(2,\), arrays\[1\] \(3,\)"),
    fails("size", "text", error=DTypeError, match=r"encode text"),
    fails("stack", [normal(2), normal(3)], error=ShapeError, match=r"\[stack\] all tensors must have one shape"),
]
