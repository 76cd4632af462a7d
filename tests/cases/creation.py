import numpy as np
from cases.builders import case, fails, normal

from eagerdl.errors import AllocationError, ArgumentError, DTypeError, ShapeError

HUGE = 2**60


def like(function):
    """A NumPy function with floatx as its default dtype."""
    return lambda *args, dtype="float32", **options: function(*args, dtype=dtype, **options)


CASES = {
    "zeros": [case((2, 3), reference=like(np.zeros)), case(4, dtype="int8"), case((), reference=like(np.zeros)),
              case([2, 0], dtype="bool"),
              case((2,), dtype="complex64", device="cpu", reference=lambda shape, dtype,
                   device: np.zeros(shape, dtype))],
    "ones": [case((2, 3), reference=like(np.ones)), case(4, dtype="uint8"),
             case(np.array([2, 1]), dtype="float64", order=0)],
    "empty": [case((2, 3), reference=like(np.zeros)), case(0, dtype="int32", reference=np.zeros)],
    "full": [case((2, 3), 1.5), case(2, 7), case((2,), True), case((), 2 + 1j), case((2, 3), normal()),
             case((2, 3), normal(3)),
             case((2,), 2.7, dtype="int32"), case((0, 2), 1), case((2,), 300, dtype="uint16")],
    "zeros_like": [case(normal(2, 3), order=0), case(normal(2), dtype="int32", order=0), case([1, 2])],
    "ones_like": [case(normal(2, 3), order=0), case(normal(), dtype="bool", order=0), case([1, 2])],
    "empty_like": [case(normal(2, 3), order=0, reference=np.zeros_like), case(normal(0), order=0)],
    "full_like": [case(normal(2, 3), 2, order=0), case(normal(2, 3), normal(3), order=0, dtypes=()), case([1, 2], 3.7)],
    "eye": [case(3), case(2, 4, k=1), case(4, 2, -1), case(3, k=-9), case(0),
            case(2, dtype="bfloat16", reference=lambda n, dtype: np.eye(n))],
    "identity": [case(3), case(0), case(2, dtype="int32")],
    "tri": [case(3), case(2, 4, k=1), case(4, 2, -1), case(3, dtype="int32")],
}  # fmt: skip

OTHERWISE = {"from_dlpack": "takes arrays of other libraries: tests/test_creation.py"}

FAILURES = [
    fails("zeros", (2, -1), error=ShapeError, match=r"\[zeros\] sizes cannot be negative; got shape=\(2, -1\)"),
    fails("zeros", (HUGE,), error=AllocationError, match=r"\[zeros\] the result has to fit.*asked for \(1152921"),
    fails("zeros", 2.5, error=DTypeError, match=r"\[zeros\] a shape is an int"),
    fails("ones", (HUGE, HUGE), error=AllocationError, match=r"\[ones\] the result has to fit into memory"),
    fails("ones", 2, dtype="str", error=DTypeError,
          match=r"\[ones\] a dtype that tensors can hold is needed; got 'str'"),
    fails("empty", -1, error=ShapeError, match=r"\[empty\] sizes cannot be negative"),
    fails("full", (2, 3), normal(2), error=ShapeError, match=r"x \(2,\), shape \(2, 3\)"),
    fails("full", 2, 2**40, error=ArgumentError, match=r"must fit into int32; got 1099511627776; pass dtype='int64'"),
    fails("full", HUGE, 1, error=AllocationError, match=r"\[full\] the result has to fit into memory"),
    fails("full", -2, 1, error=ShapeError, match=r"\[full\] sizes cannot be negative"),
    fails("full", 2, "text", error=DTypeError, match=r"encode text"),
    fails("full_like", normal(2), 1j, error=DTypeError, match=r"\[full_like\] a complex number needs a complex dtype"),
    fails("eye", -1, error=ShapeError, match=r"\[eye\] sizes cannot be negative; got N=-1"),
    fails("eye", 2, -3, error=ShapeError, match=r"\[eye\] sizes cannot be negative; got M=-3"),
    fails("eye", 2.0, error=DTypeError, match=r"\[eye\] N is an integer; got N=2.0"),
    fails("eye", 2, k=0.5, error=DTypeError, match=r"\[eye\] k is an integer"),
    fails("identity", -1, error=ShapeError, match=r"\[identity\] sizes cannot be negative"),
    fails("tri", HUGE, error=AllocationError, match=r"\[tri\] the result has to fit"),
    fails("from_dlpack", 3, error=DTypeError, match=r"\[from_dlpack\] an object with __dlpack__ is needed; got int"),
]  # fmt: skip
