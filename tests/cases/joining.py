import numpy as np
from cases.builders import case, fails, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

CUBE = normal(2, 3, 4)

CASES = {
    "concat": [case([normal(2, 3), normal(1, 3)]), case([normal(2), normal(2, 2)], axis=None)],
    "append": [case(normal(2), normal(2, 2)), case(normal(2, 3), normal(2, 1), 1), case(normal(0), normal(2))],
    "hstack": [case([normal(2, 3), normal(2, 1)]), case([normal(2), normal(3)]), case([normal(), normal(salt=1)])],
    "vstack": [case([normal(2, 3), normal(1, 3)]), case([normal(3), normal(2, 3)]), case([normal(), normal(salt=1)])],
    "dstack": [case([normal(2, 3), normal(2, 3, 2)]), case([normal(3), normal(3, salt=1)]),
               case([normal(), normal(salt=1)])],
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
}  # fmt: skip

FAILURES = [
    fails("hstack", [], error=ArgumentError, match=r"\[hstack\] at least one tensor"),
    fails("vstack", [normal(2), normal(3)], error=ShapeError, match=r"xs\[0\] \(1, 2\), xs\[1\] \(1, 3\)"),
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
]  # fmt: skip
