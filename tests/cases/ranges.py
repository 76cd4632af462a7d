import numpy as np
from cases.builders import case, complex_normal, fails, normal, positive

from eagerdl.errors import AllocationError, ArgumentError, DTypeError, ShapeError

HUGE = 2**60


CASES = {
    "arange": [case(5), case(2, 7), case(7, 2, -2), case(0.5, 3.0, 0.75), case(3.0, dtype="float64"), case(5, 2),
               case(1, 2, 0.25),
               case(-3, 300, 100, dtype="int16"), case(0, 256, dtype="uint8"), case(127, -129, -1, dtype="int8"),
               case(-(2**63), 2**63, 2**62, dtype="int64",
               reference=lambda *a, dtype: np.array(range(*a))), case(2**64 - 2, 2**64, dtype="uint64"),
               case(np.array(2), np.array(5), order=0),
               case(3, step=2, reference=lambda stop, step: np.arange(0, stop, step)),
               case(0, 5, 2, dtype="float16", rtol=1e-3)],
    "linspace": [case(0, 1, 5), case(0.5, 3, 7, rtol=1e-6), case(normal(), normal(salt=1), 4),
                 case(normal(2), normal(3, 1), 5, axis=1),
                 case(normal(2), 1.0, 4, axis=-1), case(normal(2), normal(2, salt=1), 3, endpoint=False, retstep=True),
                 case(0, 100, 101, dtype="int32"), case(-3, 4, 7, dtype="int64"), case(0, 1, 1), case(normal(), 1.0, 0),
                 case(2, 5, 1, endpoint=False),
                 case(np.array([0, 3]), np.array([10, 4]), 5, dtype="int32", order=0),
                 case(complex_normal(), complex_normal(salt=1), 4, dtypes=()),
                 case(1.0, 0.0, 3, dtype="float64"), case(0j, 1 + 1j, 3)],
    "logspace": [case(0, 2, 5, rtol=1e-6), case(normal(2), normal(2, salt=1), 4, axis=1),
                 case(normal(), 1.0, 3, base=2.5),
                 case(normal(2), normal(2, salt=1), 3, endpoint=False, base=positive()), case(0, 3, 4, dtype="int32"),
                 case(0, 1, 0)],
    "geomspace": [case(1, 1000, 4, rtol=1e-6), case(positive(2), positive(2, salt=1), 5, axis=-1),
                  case(-positive(2), -positive(1), 4),
                  case(positive(), 9.0, 3, endpoint=False),
                  case(1, 1000, 4, dtype="int32", reference=lambda *a, dtype: 10 ** np.arange(4)),
                  case(1, 256, 9, dtype="int32", reference=lambda *a, dtype: 2 ** np.arange(9)),
                  case(complex_normal(2), complex_normal(2, salt=1), 5, dtypes=()), case(1e-30, 1e30, 3, rtol=1e-6),
                  case(1, 2, 1)],
}  # fmt: skip

FAILURES = [
    fails("arange", 0, 5, 0, error=ArgumentError, match=r"\[arange\] step cannot be 0; got start=0, stop=5"),
    fails("arange", 0.0, float("inf"), error=ArgumentError, match=r"must be finite; got start=0.0, stop=inf"),
    fails("arange", 0, 300, dtype="int8", error=ArgumentError,
          match=r"all numbers must fit into int8; they reach from 0 to 299"),
    fails("arange", 2**40, 2**40 + 2, error=ArgumentError, match=r"all numbers must fit into int32"),
    fails("arange", HUGE, dtype="int64", error=AllocationError, match=r"\[arange\] the result has to fit into memory"),
    fails("arange", 1j, error=DTypeError, match=r"stop is a real number; got 1j"),
    fails("arange", 3, dtype="bool", error=DTypeError, match=r"an integer or floating dtype; got bool"),
    fails("arange", normal(2), error=ShapeError, match=r"stop is one number; got shape \(2,\)"),
    fails("arange", "text", error=DTypeError, match=r"encode text"),
    fails("linspace", 0, 1, -1, error=ShapeError, match=r"\[linspace\] sizes cannot be negative; got num=-1"),
    fails("linspace", 0, 1, 2.5, error=DTypeError, match=r"\[linspace\] num is an integer; got num=2.5"),
    fails("linspace", normal(2), normal(3), error=ShapeError,
          match=r"start and stop must broadcast; start \(2,\), stop \(3,\)"),
    fails("linspace", 0, 1, 3, axis=1, error=ShapeError,
          match=r"axis must name one of the 1 axes of the result; got axis=1"),
    fails("logspace", normal(2), normal(3), error=ShapeError, match=r"\[logspace\] start and stop must broadcast"),
    fails("geomspace", 0, 1, error=ArgumentError, match=r"other than 0 only.*use edl.linspace"),
    fails("geomspace", -1, 1, error=ArgumentError, match=r"real ends must have one sign"),
]  # fmt: skip
