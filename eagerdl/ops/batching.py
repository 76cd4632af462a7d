"""Ops on a whole batch at once: `Batched` looks like one example, and every op on it runs for all examples.

This is how `vectorized_map` runs a function once for all examples, and how a Jacobian takes one backward pass for all its
rows: the cotangent is a batch of unit vectors. Elementwise
ops broadcast, some more have a rule that moves their axes, and the rest run example by example, so that any op works.
Source of the idea: Agarwal & Ganichev, 2019, "Auto-vectorizing TensorFlow graphs", arXiv:1903.04243.
"""

import builtins

from eagerdl import devices
from eagerdl.autograd import Spec
from eagerdl.errors import NotBatched
from eagerdl.ops.shape import normalize_axes, shape_of
from eagerdl.tensor import Tensor, from_array, to_array, whole_batch
from eagerdl.tree import map_structure


class Batched(Tensor):
    """A tensor of shape (...) that stands for n of them.

    Args:
        value: the n tensors as one, of shape (n, ...).
    """

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value
        self._node = None

    @property
    def _array(self):
        raise NotBatched(
            "batch", "one op on a whole batch cannot look at elements", f"shape {self.shape}", "loop over the batch"
        )

    @property
    def shape(self):
        return self.value.shape[1:]

    @property
    def ndim(self):
        return self.value.ndim - 1

    @property
    def size(self):
        return self.value.size // builtins.max(len(self.value), 1)

    @property
    def dtype(self):
        return self.value.dtype

    @property
    def device(self):
        return self.value.device

    def __len__(self):
        return self.value.shape[1]

    def __repr__(self):
        return f"Batched({len(self.value)} of shape={self.shape}, dtype={self.dtype})"

    @staticmethod
    def _run(primitive, inputs, params):
        """Runs an op of which at least one input is Batched."""
        n = next(len(x.value) for x in inputs if isinstance(x, Batched))
        if primitive.family == "elementwise" or primitive.name in BROADCASTING:
            return Batched(primitive.call(*aligned(inputs), *params))
        rule = RULES.get(primitive.name)
        out = None if rule is None else rule(primitive, inputs, params, n)
        return one_by_one(primitive, inputs, params, n) if out is None else Batched(out)


def unbatch(x, n):
    """The n tensors that a Batched stands for, as one; a plain tensor n times."""
    return x.value if isinstance(x, Batched) else x.expand_dims(0).broadcast_to((n, *x.shape))


def run_whole_batch(function, elements, n):
    """`function` of one example, run once for the n examples along the first axes of `elements`.

    Raises:
        NotBatched: if it looks at elements, assigns to variables, draws from a generator or uses a tape, all of which has
            to happen once for each example.
    """
    with whole_batch():
        out = function(map_structure(Batched, elements))
    return map_structure(lambda y: unbatch(y if isinstance(y, Tensor) else from_array(to_array(y)), n), out)


Tensor._batch, Tensor._unbatch = staticmethod(Batched), staticmethod(unbatch)

# Ops that work element by element, though they are of another family.
BROADCASTING = frozenset(("absolute", "angle", "cast", "conj", "copy", "imag", "real", "round", "where"))


def value_of(x):
    """All examples of a Batched, or the plain tensor or number."""
    return x.value if isinstance(x, Batched) else x


def aligned(inputs):
    """The inputs, with axes of size 1 behind the batch axis so that examples of different rank broadcast."""
    rank = builtins.max(x.ndim for x in inputs if isinstance(x, Tensor))
    return [_deepen(x, rank) if isinstance(x, Batched) else x for x in inputs]


def _deepen(x, rank):
    missing = rank - x.ndim
    return x.value if missing == 0 else x.value.reshape((len(x.value), *(1,) * missing, *x.shape))


def one_by_one(primitive, inputs, params, n):
    """Runs the op for each example and stacks the results."""
    rows = []
    for i in builtins.range(n):
        row = [x.value[i] if isinstance(x, Batched) else x for x in inputs]
        rows.append(primitive.call(row, *params) if primitive.variadic else primitive.call(*row, *params))
    if primitive.several:
        return tuple(Batched(Tensor._pack(list(column))) for column in zip(*rows, strict=True))
    return Batched(Tensor._pack(rows))


# -- rules: (primitive, inputs, params, n) -> the value for all examples, or None if they do not apply --------


def _over_axes(primitive, inputs, params, n):
    """Reductions and others with an axis, or several, or None for all, as first parameter."""
    (x,), (axis, *rest) = inputs, params
    axes = tuple(i + 1 for i in normalize_axes(primitive.name, axis, x.ndim))
    return primitive.call(x.value, axes, *rest)


def _along_axis(primitive, inputs, params, n):
    """Ops along one axis, which is their first parameter."""
    (x,), (axis, *rest) = inputs, params
    return None if axis is None else primitive.call(x.value, axis % x.ndim + 1, *rest)


def _of_shape(primitive, inputs, params, n):
    """Ops that only give the elements another shape."""
    (x,) = inputs
    return x.value.reshape((n, *primitive.infer(Spec(x.shape, x.dtype), *params).shape))


def _transpose(primitive, inputs, params, n):
    (x,), (axes,) = inputs, params
    order = builtins.range(x.ndim)[::-1] if axes is None else [axis % x.ndim for axis in axes]
    return primitive.call(x.value, (0, *[axis + 1 for axis in order]))


def _broadcast_to(primitive, inputs, params, n):
    (x,), (shape,) = inputs, params
    shape = shape_of("broadcast_to", shape)
    return primitive.call(_deepen(x, len(shape)), (n, *shape))


def _at_key(key):
    """An index for each example; None where the axes of several index arrays would move."""
    parts = key if key.__class__ is tuple else (key,)
    if builtins.sum(devices.is_array(part) for part in parts) > 1:
        return None
    return (builtins.slice(None), *parts)


def _get_item(primitive, inputs, params, n):
    key = _at_key(params[0])
    return None if key is None else primitive.call(inputs[0].value, key)


def _put(primitive, inputs, params, n):
    shape, key = params[0], _at_key(params[1])
    return None if key is None else primitive.call(inputs[0].value, (n, *shape), key)


def _matmul(primitive, inputs, params, n):
    """Vectors become a row on the left and a column on the right; ranks are made equal behind the batch axis."""
    a, b = inputs
    row, column = a.ndim == 1, b.ndim == 1
    left = value_of(a).expand_dims(-2) if row else value_of(a)
    right = value_of(b).expand_dims(-1) if column else value_of(b)
    rank = builtins.max(a.ndim + row, b.ndim + column)
    if isinstance(a, Batched):
        left = _deepen(Batched(left), rank)
    if isinstance(b, Batched):
        right = _deepen(Batched(right), rank)
    out = primitive.call(left, right)
    out = out.squeeze(-2) if row else out
    return out.squeeze(-1) if column else out


def _join(primitive, inputs, params, n):
    """Concatenation and stacking."""
    (axis,) = params
    rank = inputs[0].ndim + (primitive.name == "stack")
    values = [unbatch(x, n) for x in inputs]
    return primitive.call(values, axis % rank + 1)


RULES = {
    **dict.fromkeys(("sum", "mean", "max", "min", "all", "any", "logsumexp"), _over_axes),
    **dict.fromkeys(("cumsum", "cumprod"), _along_axis),
    **dict.fromkeys(("reshape", "expand_dims", "squeeze"), _of_shape),
    "transpose": _transpose, "broadcast_to": _broadcast_to, "get_item": _get_item, "put": _put, "matmul": _matmul,
    "concatenate": _join, "stack": _join,
}  # fmt: skip
