"""Shapes and axes: reshape, transpose, broadcast, join. All linear; the transposed rules stand beside them."""

import builtins
import itertools
import math
import operator

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, linear, unbroadcast
from eagerdl.errors import ArgumentError, AxisError, DTypeError, ShapeError
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.tensor import Tensor, from_array

__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concatenate", "expand_dims", "moveaxis", "ndim",
    "permute_dims", "ravel", "reshape", "size", "squeeze", "stack", "swapaxes", "transpose",
]  # fmt: skip


def normalize_axis(where, axis, ndim):
    """`axis` counted from the left, for an array of `ndim` axes.

    Raises:
        AxisError: if there is no such axis.
    """
    try:
        axis = axis.__index__()
    except AttributeError:
        raise DTypeError(
            where, "an axis is an integer", f"got {axis!r}", "count axes from 0, or from -1 at the right"
        ) from None
    if not -ndim <= axis < ndim:
        allowed = f"from {-ndim} to {ndim - 1}" if ndim else "none: the tensor has shape ()"
        raise AxisError(where, f"axis must name one of the {ndim} axes", f"got axis={axis}", f"allowed are {allowed}")
    return axis % ndim


def normalize_axes(where, axes, ndim):
    """`axes` (None for all, an int or several) as a tuple counted from the left.

    Raises:
        ShapeError: if one does not exist, or comes twice.
    """
    if axes is None:
        return tuple(builtins.range(ndim))
    if axes.__class__ is int:
        return (normalize_axis(where, axes, ndim),)
    given = axes if isinstance(axes, tuple | list) else (axes,)
    out = tuple(normalize_axis(where, axis, ndim) for axis in given)
    if len(set(out)) != len(out):
        raise ShapeError(where, "each axis may come once", f"got axis={axes!r} for {ndim} axes", "drop the duplicate")
    return out


def _integer(where, name, value):
    """An integer argument as an int of Python."""
    try:
        return operator.index(value)
    except TypeError:
        raise DTypeError(where, f"{name} is an integer", f"got {name}={value!r}", "use int(...)") from None


def shape_of(where, shape):
    """A shape argument as a tuple of ints: an int, a sequence of ints or integer tensors, or a 1-D tensor."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    elif isinstance(shape, Tensor | np.ndarray):
        shape = shape.tolist() if shape.ndim else (shape,)
    try:
        return tuple([n.__index__() for n in shape])
    except (AttributeError, TypeError):
        raise DTypeError(
            where, "a shape is an int or a sequence of ints", f"got {shape!r}", "use () for a scalar"
        ) from None


def _reshaped(x, newshape):
    shape = shape_of("reshape", newshape)
    size = math.prod(x.shape)
    known = math.prod(n for n in shape if n != -1)
    holes = shape.count(-1)
    if holes > 1 or builtins.any(n < -1 for n in shape):
        raise ShapeError(
            "reshape", "at most one size may be -1, to be worked out", f"got {shape}", "give the other sizes"
        )
    if holes and known and size % known == 0:
        shape = tuple(size // known if n == -1 else n for n in shape)
    if math.prod(shape) != size or (holes and not known):
        raise ShapeError("reshape", "the number of elements must stay the same",
                         f"x {x.shape} has {size}, the new shape {shape} holds {known if holes else math.prod(shape)}",
                         "check the sizes, or let one be -1")  # fmt: skip
    return Spec(shape, x.dtype)


@linear(transpose=lambda g, x: reshape(g, x.shape), infer=_reshaped)
def _reshape(x, newshape):
    """x (...) -> newshape."""
    return x.reshape(newshape) if newshape.__class__ is tuple else x.reshape(shape_of("reshape", newshape))


def reshape(x, newshape=None, *, shape=None, copy=None):
    """x (...) -> newshape. The same elements in row order under another shape; one size may be -1.

    Args:
        x: a tensor.
        newshape: the new shape.
        shape: the same as the array API spells it.
        copy: accepted for the array API's sake: tensors are values, a copy cannot be told from the original.

    Raises:
        ShapeError: if the number of elements differs.

    Example:
        >>> edl.reshape(edl.constant([1, 2, 3, 4]), (2, -1))
        Tensor(shape=(2, 2), dtype=int32,
        [[1 2]
         [3 4]])
    """
    return _reshape(x, newshape if shape is None else shape)


def _inverse(axes, ndim):
    if axes is None:
        return None
    out = [0] * ndim
    for i, axis in enumerate(axes):
        out[axis % ndim] = i
    return tuple(out)


def _transposed(x, axes):
    if axes is None:
        return Spec(x.shape[::-1], x.dtype)
    order = normalize_axes("transpose", axes, x.ndim)
    if len(order) != x.ndim:
        raise ShapeError("transpose", f"axes must name all {x.ndim} axes of x", f"got axes={axes!r} for x {x.shape}",
                         "use swapaxes or moveaxis to move just some")  # fmt: skip
    return Spec(tuple(x.shape[axis] for axis in order), x.dtype)


@linear(transpose=lambda g, x, axes: transpose(g, _inverse(axes, x.ndim)), infer=_transposed)
def transpose(x, axes=None):
    """x (...) -> the same with its axes in the order `axes`; reversed by default.

    Raises:
        ShapeError: if `axes` is not an order of all axes.

    Example:
        >>> edl.transpose(edl.ones((2, 3, 4)), (0, 2, 1)).shape
        (2, 4, 3)
    """
    return x.transpose(axes)


def _broadcasted(x, shape):
    shape = shape_of("broadcast_to", shape)
    lead = len(shape) - x.ndim
    if lead < 0 or builtins.any(have not in (1, want) for have, want in zip(x.shape, shape[lead:], strict=True)):
        raise ShapeError("broadcast_to", "aligned at the right, each size of x must be 1 or that of the new shape",
                         f"x {x.shape}, shape {shape}", "insert axes with edl.expand_dims first")  # fmt: skip
    return Spec(shape, x.dtype)


permute_dims = transpose


def _exchanged(x, axis1, axis2):
    axis1, axis2 = normalize_axis("swapaxes", axis1, x.ndim), normalize_axis("swapaxes", axis2, x.ndim)
    shape = list(x.shape)
    shape[axis1], shape[axis2] = shape[axis2], shape[axis1]
    return Spec(tuple(shape), x.dtype)


@linear(transpose=lambda g, axis1, axis2: swapaxes(g, axis1, axis2), infer=_exchanged)
def swapaxes(x, axis1, axis2):
    """x (..., m, ..., n, ...) -> (..., n, ..., m, ...). Two axes exchanged.

    Raises:
        ShapeError: if an axis does not exist.

    Example:
        >>> edl.swapaxes(edl.ones((2, 3, 4)), 0, -1).shape
        (4, 3, 2)
    """
    return x.swapaxes(axis1, axis2)


def _moved_order(x, source, destination):
    """The order of the axes of x after those of `source` went to `destination`."""
    came, go = normalize_axes("moveaxis", source, x.ndim), normalize_axes("moveaxis", destination, x.ndim)
    if len(came) != len(go):
        raise ShapeError("moveaxis", "each source needs a destination",
                         f"got source={source!r}, destination={destination!r}", "give as many of both")  # fmt: skip
    order = [axis for axis in builtins.range(x.ndim) if axis not in came]
    for to, axis in sorted(zip(go, came, strict=True)):
        order.insert(to, axis)
    return order


def _moved(x, source, destination):
    return Spec(tuple(x.shape[axis] for axis in _moved_order(x, source, destination)), x.dtype)


@linear(transpose=lambda g, source, destination: moveaxis(g, destination, source), infer=_moved)
def moveaxis(x, source, destination):
    """x (...) -> the same with the axes `source` at the places `destination`; the others keep their order.

    Args:
        x: a tensor.
        source: an axis, or several.
        destination: where each of them goes.

    Raises:
        ShapeError: if an axis does not exist or comes twice, or the two do not match.

    Example:
        >>> edl.moveaxis(edl.ones((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    return x.transpose(_moved_order(x, source, destination))


def ravel(x):
    """x (...) -> (n,). All elements in row order along one axis.

    Example:
        >>> edl.ravel([[1, 2], [3, 4]])
        Tensor(shape=(4,), dtype=int32, [1 2 3 4])
    """
    return reshape(x, (-1,))


def ndim(x):
    """The number of axes of a tensor or array, an int.

    Example:
        >>> edl.ndim([[1, 2], [3, 4]])
        2
    """
    return x.ndim if hasattr(x, "ndim") else convert_to_tensor(x).ndim


def size(x):
    """The number of elements of a tensor or array, an int.

    Example:
        >>> edl.size([[1, 2], [3, 4]])
        4
    """
    return math.prod(x.shape) if hasattr(x, "shape") else convert_to_tensor(x).size


SMALL = 1 << 14  # elements up to which filling a new array is faster than making a view


@linear(transpose=lambda g, x: unbroadcast(g, x), infer=_broadcasted)
def broadcast_to(x, shape):
    """x (...) -> shape. The elements repeated along new axes and axes of size 1.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:
        >>> edl.broadcast_to([1, 2], (2, 2))
        Tensor(shape=(2, 2), dtype=int32,
        [[1 2]
         [1 2]])
    """
    if shape.__class__ is not tuple:
        shape = shape_of("broadcast_to", shape)
    if x.__class__ is np.ndarray and math.prod(shape) <= SMALL and x.ndim <= len(shape):
        out = np.empty(shape, x.dtype)
        out[...] = x
        return out
    return devices.module_of(x).broadcast_to(x, shape)


def broadcast_shapes(*shapes):
    """The shape to which `shapes` broadcast: aligned at the right, sizes must be equal or 1.

    Raises:
        ShapeError: if they do not.

    Example:
        >>> edl.broadcast_shapes((2, 1), (3,))
        (2, 3)
    """
    given = [shape_of("broadcast_shapes", shape) for shape in shapes]
    try:
        return np.broadcast_shapes(*given)
    except ValueError:
        raise ShapeError("broadcast_shapes", "shapes must broadcast: aligned at the right, sizes must be equal or 1",
                         f"got {', '.join(map(repr, given))}",
                         "reshape one of them, as with edl.expand_dims") from None  # fmt: skip


def broadcast_arrays(*arrays):
    """Tensors (...) -> a list of them, all broadcast to one shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Example:
        >>> [x.shape for x in edl.broadcast_arrays(edl.ones((2, 1)), edl.ones(3))]
        [(2, 3), (2, 3)]
    """
    tensors = [convert_to_tensor(x) for x in arrays]
    try:
        shape = np.broadcast_shapes(*[x.shape for x in tensors])
    except ValueError:
        came = ", ".join(f"arrays[{i}] {x.shape}" for i, x in enumerate(tensors))
        raise ShapeError("broadcast_arrays", "shapes must broadcast: aligned at the right, sizes must be equal or 1",
                         came, "reshape one of them, as with edl.expand_dims") from None  # fmt: skip
    return [x if x.shape == shape else broadcast_to(x, shape) for x in tensors]


def _expanded(x, axis):
    if axis.__class__ is int:
        axis = normalize_axis("expand_dims", axis, x.ndim + 1)
        return Spec((*x.shape[:axis], 1, *x.shape[axis:]), x.dtype)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    out = normalize_axes("expand_dims", tuple(axes), x.ndim + len(axes))
    rest = iter(x.shape)
    return Spec(tuple(1 if i in out else next(rest) for i in builtins.range(x.ndim + len(out))), x.dtype)


@linear(transpose=lambda g, x: reshape(g, x.shape), infer=_expanded)
def expand_dims(x, axis=0):
    """x (...) -> (..., 1, ...). A new axis of size 1 at `axis`, or several.

    Raises:
        ShapeError: if `axis` is out of range.

    Example:
        >>> edl.expand_dims(edl.ones((2, 3)), -1).shape
        (2, 3, 1)
    """
    return x.reshape(_expanded(x, axis).shape)


def _squeezed(x, axis):
    if axis is None:
        return Spec(tuple(n for n in x.shape if n != 1), x.dtype)
    axes = normalize_axes("squeeze", axis, x.ndim)
    for i in axes:
        if x.shape[i] != 1:
            raise ShapeError("squeeze", "only axes of size 1 can go", f"axis {i} of x {x.shape} has size {x.shape[i]}",
                             "index it, or reduce it with edl.sum")  # fmt: skip
    return Spec(tuple(n for i, n in enumerate(x.shape) if i not in axes), x.dtype)


@linear(transpose=lambda g, x: reshape(g, x.shape), infer=_squeezed)
def squeeze(x, axis=None):
    """x (..., 1, ...) -> (...). Without the axes of size 1 at `axis`; without all of them by default.

    Raises:
        ShapeError: if such an axis has another size than 1.

    Example:
        >>> edl.squeeze(edl.ones((1, 3, 1))).shape
        (3,)
    """
    return x.reshape(_squeezed(x, axis).shape)


# -- joining ------------------------------------------------------------------------------------


def _concatenated(xs, axis):
    first = xs[0]
    if not first.ndim:
        raise ShapeError(
            "concatenate", "tensors of at least one axis are needed", "one has shape ()", "use edl.stack for scalars"
        )
    axis = normalize_axis("concatenate", axis, first.ndim)
    for i, x in enumerate(xs):
        if x.ndim != first.ndim or x.shape[:axis] + x.shape[axis + 1 :] != first.shape[:axis] + first.shape[axis + 1 :]:
            raise ShapeError("concatenate", f"all sizes but those of axis {axis} must agree",
                             f"xs[0] {first.shape}, xs[{i}] {x.shape}", "transpose or reshape them first")  # fmt: skip
    total = builtins.sum(x.shape[axis] for x in xs)
    return Spec((*first.shape[:axis], total, *first.shape[axis + 1 :]), dtypes.result_type(*[x.dtype for x in xs]))


def _joints(xs, axis):
    """The places along `axis` where the tensors that were joined meet."""
    return tuple(itertools.accumulate([x.shape[axis] for x in xs[:-1]]))


@linear(
    transpose=lambda g, xs, axis: _split(g, _joints(xs, axis), axis % g.ndim),
    infer=_concatenated,
    promote=dtypes.to_common,
    variadic=True,
)
def _concatenate(xs, axis):
    """xs: arrays that differ along `axis` only -> one array."""
    return devices.module_of(xs[0]).concatenate(xs, axis)


def concatenate(xs, axis=0):
    """xs: tensors (..., n_i, ...) that differ along `axis` only -> (..., sum of n_i, ...).

    Args:
        xs: a list of tensors.
        axis: along which they are joined; None flattens them first.

    Raises:
        ShapeError: if other sizes differ, or the list is empty.

    Example:
        >>> edl.concatenate([[1, 2], [3]])
        Tensor(shape=(3,), dtype=int32, [1 2 3])
    """
    xs = _list_of_tensors("concatenate", xs)
    if axis is None:
        xs, axis = [reshape(x, (-1,)) for x in xs], 0
    return _concatenate(xs, axis)


def _list_of_tensors(where, xs):
    if isinstance(xs, Tensor | np.ndarray) and xs.ndim:
        xs = [xs[i] for i in builtins.range(xs.shape[0])]
    xs = [convert_to_tensor(x) for x in xs]
    if not xs:
        raise ArgumentError(where, "at least one tensor is needed", "the list is empty", "check where it is filled")
    return xs


def _stacked(xs, axis):
    first = xs[0].shape
    return Spec((*first[:axis], len(xs), *first[axis:]), dtypes.result_type(*[x.dtype for x in xs]))


@linear(transpose=lambda g, axis: _unstack(g, axis), infer=_stacked, promote=dtypes.to_common, variadic=True)
def _stack(xs, axis):
    """xs: arrays of one shape -> one array, along a new axis."""
    return devices.module_of(xs[0]).concatenate([x[_along(axis, None)] for x in xs], axis)


def stack(x, axis=0):
    """x: n tensors (...) of one shape -> (..., n, ...). Joined along a new axis.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> edl.stack([[1, 2], [3, 4]], axis=1)
        Tensor(shape=(2, 2), dtype=int32,
        [[1 3]
         [2 4]])
    """
    xs = _list_of_tensors("stack", x)
    for i, one in enumerate(xs):
        if one.shape != xs[0].shape:
            raise ShapeError("stack", "all tensors must have one shape", f"x[0] {xs[0].shape}, x[{i}] {one.shape}",
                             "use edl.concatenate for tensors that differ along an axis")  # fmt: skip
    axis = normalize_axis("stack", axis, xs[0].ndim + 1)
    return _stack(xs, axis)


# -- taking apart -------------------------------------------------------------------------------


def _along(axis, part):
    """The index that takes `part` along `axis` and everything along the axes before it."""
    return (slice(None),) * axis + (part,)


def _none_as_zeros(gs, shapes):
    """The cotangents of several results, with zeros for those that nobody used."""
    like = next(g for g in gs if g is not None)
    xp = devices.module_of(like._array)
    return [from_array(xp.zeros(shape, like.dtype)) if g is None else g for g, shape in zip(gs, shapes, strict=True)]


def _piece_shapes(x, cuts, axis):
    edges = (0, *cuts, x.shape[axis])
    return [(*x.shape[:axis], stop - start, *x.shape[axis + 1 :]) for start, stop in itertools.pairwise(edges)]


@custom(
    vjp=lambda g, x_spec, cuts, axis: concatenate(_none_as_zeros(g, _piece_shapes(x_spec, cuts, axis)), axis),
    infer=lambda x, cuts, axis: tuple(Spec(shape, x.dtype) for shape in _piece_shapes(x, cuts, axis)),
    several=True,
)
def _split(x, cuts, axis):
    """x (..., n, ...) -> the pieces between the places `cuts`, which rise from 0 to n."""
    edges = (0, *cuts, x.shape[axis])
    return tuple([x[_along(axis, slice(start, stop))] for start, stop in itertools.pairwise(edges)])


def _slices(x, axis):
    return [x.shape[:axis] + x.shape[axis + 1 :]] * x.shape[axis]


@custom(
    vjp=lambda g, x_spec, axis: stack(_none_as_zeros(g, _slices(x_spec, axis)), axis),
    infer=lambda x, axis: tuple(Spec(shape, x.dtype) for shape in _slices(x, axis)),
    several=True,
)
def _unstack(x, axis):
    """x (..., n, ...) -> its n slices (...)."""
    return tuple([x[_along(axis, i)] for i in builtins.range(x.shape[axis])])
