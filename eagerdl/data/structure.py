"""Elements of datasets: nested tuples and dicts whose leaves are arrays.

Inside the pipeline a leaf is a NumPy array (also for one number: shape ()), None, or a nested dataset. Users see tensors; text
and objects, which tensors cannot hold, stay Python values and NumPy arrays.
"""

import contextlib

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.arrays import array_of
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.conversion import to_device
from eagerdl.tensor import Tensor, TensorSpec, from_array, holds_tensor
from eagerdl.tree import flatten, map_structure

HELD = frozenset(dtypes.ALL)  # what tensors can hold


class ArraySpec:
    """What is known of a leaf that no tensor can hold, such as text: shape and NumPy dtype."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape, dtype):
        self.shape, self.dtype = None if shape is None else tuple(shape), np.dtype(dtype)

    def __eq__(self, other):
        return isinstance(other, ArraySpec) and (self.shape, self.dtype.kind) == (other.shape, other.dtype.kind)

    def __hash__(self):
        return hash((self.shape, self.dtype.kind))

    def __repr__(self):
        return f"ArraySpec(shape={self.shape}, dtype={self.dtype})"


class DatasetSpec:
    """What is known of a leaf that is a dataset: the spec of its elements."""

    __slots__ = ("element_spec",)

    def __init__(self, element_spec):
        self.element_spec = element_spec

    def __eq__(self, other):
        return isinstance(other, DatasetSpec) and self.element_spec == other.element_spec

    def __hash__(self):
        return hash(DatasetSpec)

    def __repr__(self):
        return f"DatasetSpec({self.element_spec!r})"


# -- in and out ---------------------------------------------------------------------------------


def leaf_of(value, where):
    """One value of a user as a leaf: an array, None, or the pipeline of a dataset.

    Raises:
        DTypeError: for what is neither.
        ShapeError: for ragged lists.
    """
    if isinstance(value, np.ndarray):
        return value if value.dtype.isnative else array_of(value, None, where)
    if isinstance(value, Tensor):
        return devices.to_numpy(value._array)
    if value is None or isinstance(value, NodeBase):
        return value
    if hasattr(value, "_pipeline"):
        return value._pipeline
    if isinstance(value, str):
        return np.array(value)
    if isinstance(value, bytes):
        return _object(value)
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, list):
        return _array_of_list(value, where)
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a tensor of torch, perhaps on a GPU or on its tape
        return value.detach().cpu().numpy()
    return array_of(value, None, where)


def _object(value):
    out = np.empty((), object)
    out[()] = value
    return out


def _array_of_list(value, where):
    leaf = value
    while isinstance(leaf, list | tuple) and leaf:
        leaf = leaf[0]
    if isinstance(leaf, str):
        return np.array(value)
    if isinstance(leaf, bytes):
        return np.array(value, object)
    if holds_tensor(value):
        return np.stack([leaf_of(list(row) if isinstance(row, tuple) else row, where) for row in value])
    return array_of(value, None, where)


class NodeBase:
    """Base of the nodes of a pipeline, by which leaves that are datasets are known."""


def element_of(value, where):
    """A value of a user as an element: tuples and dicts stay, lists and numbers become arrays."""
    if isinstance(value, dict):
        return _rebuild_dict(value, [element_of(one, where) for one in value.values()])
    if isinstance(value, tuple):
        inner = [element_of(one, where) for one in value]
        return type(value)(*inner) if hasattr(value, "_fields") else tuple(inner)
    return leaf_of(value, where)


def _rebuild_dict(value, inner):
    return type(value)(zip(value, inner)) if type(value) is not dict else dict(zip(value, inner))


_public = None  # installed by dataset.py: a pipeline as a Dataset


def show_nodes_as(function):
    """Installs how a leaf that is a pipeline is shown to users."""
    global _public
    _public = function


def _user_leaf(leaf):
    if isinstance(leaf, np.ndarray):
        if leaf.dtype in HELD:
            return from_array(leaf)
        return leaf.item() if leaf.ndim == 0 else leaf
    return leaf if leaf is None else _public(leaf)


def to_user(element):
    """An element as users see it: tensors at the leaves, on the CPU."""
    if isinstance(element, tuple) and not hasattr(element, "_fields"):
        return tuple([to_user(one) for one in element])
    if isinstance(element, dict | tuple):
        return map_structure(_user_leaf, element)
    return _user_leaf(element)


def _numpy_leaf(leaf):
    if isinstance(leaf, np.ndarray):
        if leaf.ndim == 0:
            return leaf.item() if leaf.dtype.kind in "OUS" else leaf[()]
        return leaf.copy()
    return leaf if leaf is None else _public(leaf).as_numpy_iterator()


def to_numpy(element):
    """An element with NumPy arrays and scalars at the leaves, yours to change."""
    return map_structure(_numpy_leaf, element)


def place(element):
    """An element of `to_user` with its tensors on the current device."""
    target = devices.current()
    if target.kind == "cpu":
        return element
    return map_structure(lambda leaf: to_device(leaf, target) if isinstance(leaf, Tensor) else leaf, element)


def call(function, element, where):
    """`function` of an element, whose tuple is spread over its arguments; what it returns, as it is.

    Functions of pipelines work on the CPU, wherever the program places its tensors.
    """
    try:
        with devices.device("cpu") if devices.current().kind != "cpu" else contextlib.nullcontext():
            shown = to_user(element)
            return function(*shown) if isinstance(shown, tuple) else function(shown)
    except StopIteration as error:  # would end the dataset without a word
        raise RuntimeError(f"[{where}] the function raised StopIteration") from error


# -- many elements ------------------------------------------------------------------------------


def leaves_like(first, other):
    """The leaves of `other` in the order of those of `first`; None if the structures differ."""
    out = []
    return out if _collect_like(first, other, out) else None


def _collect_like(first, other, out):
    if isinstance(first, dict):
        if not isinstance(other, dict) or first.keys() != other.keys():
            return False
        return all(_collect_like(first[key], other[key], out) for key in first)
    if isinstance(first, tuple):
        if not isinstance(other, tuple) or len(first) != len(other):
            return False
        return all(_collect_like(a, b, out) for a, b in zip(first, other))
    if isinstance(other, dict | tuple):
        return False
    out.append(other)
    return True


def outline(element):
    """A short text of an element's structure, shapes and dtypes, for messages."""
    if isinstance(element, dict):
        return "{" + ", ".join(f"{key!r}: {outline(value)}" for key, value in element.items()) + "}"
    if isinstance(element, tuple | list):
        return "(" + ", ".join(map(outline, element)) + ("," if len(element) == 1 else "") + ")"
    if hasattr(element, "shape"):
        return f"{tuple(element.shape)} {element.dtype}"
    return "None" if element is None else type(element).__name__


def columns(elements, where):
    """The leaves of elements of one structure, place by place, and a function that builds the structure.

    Raises:
        ShapeError: if the structures differ.
    """
    first, build = flatten(elements[0])
    rows = [first]
    for number, element in enumerate(elements[1:], 1):
        row = leaves_like(elements[0], element)
        if row is None:
            raise ShapeError(where, "all elements must have one structure",
                             f"the first is {outline(elements[0])}, number {number} is {outline(element)}",
                             "make them alike with map")  # fmt: skip
        rows.append(row)
    return list(zip(*rows)), build


def stack(elements, where):
    """Elements of one structure and of equal shapes as one element with a new first axis.

    Raises:
        ShapeError: if structures or shapes differ.
        DTypeError: if dtypes differ.
    """
    leaves, build = columns(elements, where)
    return build([_stack_leaf(column, where) for column in leaves])


def check_leaves(column, where):
    """Checks that the leaves of a column are arrays of one dtype, or all None."""
    kinds = {leaf.dtype if isinstance(leaf, np.ndarray) else type(leaf) for leaf in column}
    if len(kinds) > 1 and not all(isinstance(kind, np.dtype) and kind.kind == "U" for kind in kinds):
        raise DTypeError(where, "the elements of a batch must have one dtype", f"got {', '.join(sorted(map(str, kinds)))}",
                         "cast them with map")  # fmt: skip
    if not isinstance(column[0], np.ndarray) and column[0] is not None:
        raise DTypeError(where, "the elements of a batch must be arrays", "got datasets",
                         "batch inside: flat_map(lambda window: window.batch(n))")  # fmt: skip


def _stack_leaf(column, where):
    check_leaves(column, where)
    if column[0] is None:
        return None
    shape = column[0].shape
    for number, leaf in enumerate(column):
        if leaf.shape != shape:
            raise ShapeError(where, "the elements of a batch must have one shape",
                             f"the first has {shape}, number {number} has {leaf.shape}",
                             "use padded_batch, or bucket_by_sequence_length")  # fmt: skip
    return np.stack(column)


# -- specs --------------------------------------------------------------------------------------


def _leaf_spec(leaf):
    if isinstance(leaf, np.ndarray):
        return spec_like(leaf.shape, leaf.dtype)
    return None if leaf is None else DatasetSpec(leaf.spec())


def spec_like(shape, dtype):
    """The spec of a leaf by its shape and dtype."""
    return TensorSpec(shape, dtype) if np.dtype(dtype) in HELD else ArraySpec(shape, dtype)


def spec_of(element):
    """The specs of an element's leaves, in its structure."""
    return map_structure(_leaf_spec, element)


def with_shapes(spec, change):
    """`spec` with ``change(shape)`` for the shape of each array; None stays None."""

    def one(leaf):
        if isinstance(leaf, TensorSpec | ArraySpec):
            return spec_like(None if leaf.shape is None else change(leaf.shape), leaf.dtype)
        return leaf

    return map_structure(one, spec)


def merged(first, second):
    """The spec of what may be either: sizes that differ become None."""
    others = leaves_like(first, second)
    if others is None:
        return first

    def one(a, b):
        if not isinstance(a, TensorSpec | ArraySpec) or not isinstance(b, TensorSpec | ArraySpec) or a == b:
            return a
        if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
            return spec_like(None, a.dtype)
        return spec_like([n if n == m else None for n, m in zip(a.shape, b.shape)], a.dtype)

    leaves, build = flatten(first)
    return build([one(a, b) for a, b in zip(leaves, others)])


def fit_to_spec(value, spec, where, which):
    """A value of a user as an element that fits `spec`.

    Raises:
        ShapeError: if structure or shape do not fit.
        DTypeError: if the dtype cannot become the one of the spec.
    """
    element = element_of(value, where)
    leaves, specs = leaves_like(spec, element), flatten(spec)[0]
    if leaves is None:
        raise ShapeError(where, f"elements must have the structure of output_signature, {outline(spec)}",
                         f"{which} is {outline(element)}", "yield tuples and dicts as in the signature")  # fmt: skip
    fitted = []
    for leaf, wanted in zip(leaves, specs):
        if isinstance(wanted, TensorSpec | ArraySpec):
            leaf = _fit_leaf(leaf, wanted, where, which)
        fitted.append(leaf)
    return flatten(spec)[1](fitted)


def _fit_leaf(leaf, spec, where, which):
    if not isinstance(leaf, np.ndarray):
        raise DTypeError(
            where, f"an array that fits {spec} is needed", f"{which} holds {outline(leaf)}", "yield an array"
        )
    if spec.shape is not None and (
        len(spec.shape) != leaf.ndim or any(n is not None and n != m for n, m in zip(spec.shape, leaf.shape))
    ):
        raise ShapeError(where, f"shapes must fit output_signature: {spec.shape}", f"{which} has shape {leaf.shape}",
                         "use None in the signature for sizes that vary")  # fmt: skip
    if leaf.dtype == spec.dtype or (isinstance(spec, ArraySpec) and leaf.dtype.kind == spec.dtype.kind):
        return leaf
    narrowing = spec.dtype in HELD and leaf.dtype in HELD and _kind(leaf.dtype) <= _kind(spec.dtype)
    if not narrowing:
        raise DTypeError(where, f"dtypes must fit output_signature: {spec.dtype}", f"{which} has dtype {leaf.dtype}",
                         "yield that dtype, or change the signature")  # fmt: skip
    return leaf.astype(spec.dtype)


def _kind(dtype):
    return 0 if dtype == dtypes.bool_ else 1 if dtypes.is_integer(dtype) else 2 if dtypes.is_floating(dtype) else 3


def one_number(value, where, name):
    """What a function of a user returned, as a Python number.

    Raises:
        ArgumentError: if it is more than one number.
    """
    leaf = leaf_of(value, where)
    if not isinstance(leaf, np.ndarray) or leaf.size != 1:
        raise ArgumentError(where, f"{name} must return one number", f"it returned {outline(leaf)}", "reduce it first")
    return leaf.item()
