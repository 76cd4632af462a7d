from cases.builders import case, fails, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

CASES = {
    "reshape": [case(normal(2, 6), (3, -1)), case(normal(4), 4), case(normal(0, 3), (3, 0))],
    "transpose": [case(normal(2, 3, 4)), case(normal(2, 3, 4), (1, 2, 0)), case(normal(2, 3, 4), (-1, 0, 1))],
    "broadcast_to": [case(normal(3, 1), (2, 3, 4)), case(normal(), (2,)), case(normal(1), (200, 200), order=1)],
    "expand_dims": [case(normal(2, 3), 1), case(normal(2, 3), (0, -1))],
    "squeeze": [case(normal(1, 3, 1)), case(normal(1, 3, 1), -1)],
    "concatenate": [case([normal(2, 3), normal(4, 3)]), case([normal(2, 3), normal(2, 1)], axis=-1)],
    "stack": [case([normal(2, 3), normal(2, 3, salt=1)]), case([normal(2), normal(2, salt=1)], axis=-1)],
}

FAILURES = [
    fails("reshape", normal(2, 3), (4, 2), error=ShapeError, match=r"\[reshape\] the number of elements.*has 6.*holds 8"),
    fails("reshape", normal(2, 3), (-1, -1), error=ShapeError, match=r"at most one size may be -1"),
    fails("reshape", normal(2, 3), 1.5, error=DTypeError, match=r"\[reshape\] a shape is an int"),
    fails("transpose", normal(2, 3), (0, 0), error=ShapeError, match=r"each axis may come once"),
    fails("transpose", normal(2, 3), (0,), error=ShapeError, match=r"axes must name all 2 axes"),
    fails("broadcast_to", normal(3), (2, 4), error=ShapeError, match=r"x \(3,\), shape \(2, 4\)"),
    fails("expand_dims", normal(3), 5, error=ShapeError, match=r"axis must name one of the 2 axes; got axis=5"),
    fails("squeeze", normal(3, 2), 0, error=ShapeError, match=r"only axes of size 1.*size 3"),
    fails("concatenate", [normal(2, 3), normal(2, 4)], error=ShapeError, match=r"xs\[0\] \(2, 3\), xs\[1\] \(2, 4\)"),
    fails("concatenate", [], error=ArgumentError, match=r"\[concatenate\] at least one tensor"),
    fails("stack", [normal(2), normal(3)], error=ShapeError, match=r"\[stack\] all tensors must have one shape"),
]
