import numpy as np
from cases.builders import case, fails, integers, normal, raw

from eagerdl.errors import ArgumentError, DTypeError, ShapeError

CASES = {
    "cast": [case(normal(3), "float32", reference=lambda x, d: x.astype(d), order=0, rtol=1e-6), case(integers(0, 5, 3), "float64", reference=lambda x, d: x.astype(d), order=0)],
    "astype": case(normal(3), "float64", reference=lambda x, d: x.astype(d), dtypes=()),
    "saturate_cast": case(normal(3) * 300, "int8", reference=lambda x, d: np.clip(x, -128, 127).astype(d), order=0, dtypes=()),
    "convert_to_tensor": case(normal(3), reference=np.array),
    "constant": case(raw(normal(3)), reference=np.array),
    "array": case(normal(3)),
    "asarray": case(normal(3)),
    "convert_to_numpy": case(normal(3), reference=np.array, order=0),
    "is_tensor": case(normal(3), reference=lambda x: True, order=0),
    "shape": case(normal(3, 2), order=0),
    "dtype": case(normal(3), reference=lambda x: "float64", order=0, dtypes=()),
    "copy": case(normal(3)),
    "to_device": case(normal(3), "cpu", reference=lambda x, d: x),
    "view": case(integers(0, 9, 4), "int8", reference=lambda x, d: x.view(d), order=0),
}  # fmt: skip

FAILURES = [
    fails("convert_to_tensor", "text", error=DTypeError, match=r"\[convert_to_tensor\].*str 'text'; encode text"),
    fails("constant", [[1, 2], [3]], error=ShapeError, match=r"nested lists must be rectangular"),
    fails("constant", raw(np.array([object()])), error=DTypeError, match=r"dtype object.*rectangular and numeric"),
    fails("constant", 2**40, error=ArgumentError, match=r"must fit into int32.*dtype='int64'"),
    fails("cast", normal(2), "float99", error=DTypeError, match=r"\[cast\] a dtype that tensors can hold"),
    fails("view", np.zeros(3, "int8"), "int32", error=DTypeError, match=r"\[view\] the last axis"),
]
