"""Installs operators and methods on `Tensor`: aliases of the ops themselves, so that they cost no extra call."""

from eagerdl.ops import arithmetic, conversion, elementary, indexing, linalg, reduction
from eagerdl.ops.shape import broadcast_to, expand_dims, reshape, squeeze, stack, transpose
from eagerdl.tensor import Tensor


def reflected(op):
    """The operator for a tensor on the right: ``2.0 - x``."""

    def call(x2, x1):
        return op(x1, x2)

    call.__name__ = f"reflected_{op.__name__}"
    return call


def _equality(op, otherwise):
    """`==` and `!=`, which answer for things that are no tensors as Python does."""

    def call(x1, x2):
        if x2 is None or isinstance(x2, str | bytes | dict | set | type):
            return otherwise
        return op(x1, x2)

    return call


def _iterate(x):
    length = len(x)
    return iter([x[i] for i in range(length)])


BINARY = {
    "add": arithmetic.add, "sub": arithmetic.subtract, "mul": arithmetic.multiply, "truediv": arithmetic.divide,
    "pow": elementary.power, "matmul": linalg.matmul,
}  # fmt: skip

for name, op in BINARY.items():
    setattr(Tensor, f"__{name}__", op)
    setattr(Tensor, f"__r{name}__", reflected(op))

Tensor.__eq__ = _equality(arithmetic.equal, False)
Tensor.__ne__ = _equality(arithmetic.not_equal, True)
Tensor.__lt__, Tensor.__le__ = arithmetic.less, arithmetic.less_equal
Tensor.__gt__, Tensor.__ge__ = arithmetic.greater, arithmetic.greater_equal
Tensor.__neg__, Tensor.__abs__ = arithmetic.negative, arithmetic.absolute
Tensor.__pos__ = lambda x: x
Tensor.__getitem__ = indexing.get_item
Tensor.__iter__ = _iterate
Tensor._pack = staticmethod(stack)

METHODS = {
    "astype": conversion.astype, "to": conversion.to, "to_device": conversion.to_device, "reshape": None,
    "transpose": transpose, "broadcast_to": broadcast_to, "expand_dims": expand_dims,
    "squeeze": squeeze, "conj": arithmetic.conj, "sum": reduction.sum, "mean": reduction.mean, "max": reduction.max, "min": reduction.min,
}  # fmt: skip


def _reshape(x, *shape_):
    return reshape(x, shape_[0] if len(shape_) == 1 else shape_)


METHODS["reshape"] = _reshape
for name, method in METHODS.items():
    setattr(Tensor, name, method)

Tensor.T = property(transpose, doc="The tensor with its axes reversed.")
Tensor.mT = property(linalg.matrix_transpose, doc="The tensor with its last two axes exchanged.")
