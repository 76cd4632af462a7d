"""Layers that make one tensor of several."""

import functools
import string

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn.core import KeepsShape
from eagerdl.nn.layer import get_mask, set_mask

__all__ = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]


class Merge(KeepsShape):
    """A layer of a list of inputs. This base merges them element by element; subclasses have `merge`, of equally many axes."""

    count: int | None = None  # how many inputs there must be

    def build(self, input_shape):
        self.check(input_shape)

    def call(self, inputs):
        self.check([x.shape for x in inputs] if isinstance(inputs, list | tuple) else inputs.shape)
        rank = max(x.ndim for x in inputs)
        if any(x.ndim != rank for x in inputs):
            inputs = [_widened(x, rank) for x in inputs]
        return self.merge(inputs)

    def check(self, shapes):
        """Refuses what is no list of shapes that go together."""
        if (
            not isinstance(shapes, list | tuple)
            or not shapes
            or not all(isinstance(shape, list | tuple) for shape in shapes)
        ):
            self._refuse("a list of tensors is needed", shapes, "call it as in layer([x, y])")
        if self.count is not None and len(shapes) != self.count:
            self._refuse(f"{self.count} inputs are needed", shapes, f"pass a list of {self.count} tensors")
        self.check_shapes(shapes)

    def check_shapes(self, shapes):
        """Refuses shapes that do not broadcast behind an equal batch axis."""
        if len({shape[0] for shape in shapes if shape and shape[0] is not None}) > 1:
            self._refuse("all inputs must have the same batch size", shapes, "pass the same examples to all")
        for sizes in zip(*[_behind(shape, max(map(len, shapes))) for shape in shapes]):
            if len({n for n in sizes if n not in (1, None)}) > 1:
                self._refuse("the shapes of the inputs must broadcast behind the batch axis", shapes,
                             "make the sizes equal, or 1")  # fmt: skip

    def _refuse(self, requirement, shapes, remedy):
        named = (
            ", ".join(map(str, shapes))
            if isinstance(shapes, list | tuple) and not _is_flat(shapes)
            else f"one, {shapes}"
        )
        raise ShapeError(self.where, requirement, f"got shapes {named}", remedy)

    def compute_output_shape(self, input_shape):
        self.check(input_shape)
        batch = next((shape[0] for shape in input_shape if shape and shape[0] is not None), None)
        columns = zip(*[_behind(shape, max(map(len, input_shape))) for shape in input_shape])
        return (batch, *[_common(sizes) for sizes in columns]) if any(map(len, input_shape)) else ()

    def compute_mask(self, inputs, mask=None):
        """True where one of the masks is; None unless all inputs have one.

        Raises:
            ArgumentError: if mask is not a list with a mask, or None, for each input.
        """
        if mask is None:
            return None
        self._check_masks(inputs, mask)
        return None if any(m is None for m in mask) else functools.reduce(ops.logical_or, mask)

    def _check_masks(self, inputs, mask):
        if not isinstance(mask, list | tuple) or not isinstance(inputs, list | tuple) or len(mask) != len(inputs):
            came = f"{len(mask)} masks" if isinstance(mask, list | tuple) else type(mask).__name__
            raise ArgumentError(f"{self.where}.compute_mask", "lists of inputs and of equally many masks are needed",
                                f"got {came}", "give a mask or None for each input")  # fmt: skip


class Add(Merge):
    """[x (batch, ...), y, ...] -> (batch, ...). Their sum; sizes 1 and missing axes behind the batch broadcast.

    Args:
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if the shapes do not go together.

    Example:
        >>> edl.layers.Add()([edl.constant([[1.0, 2.0]]), edl.constant([[10.0, 20.0]])]).tolist()
        [[11.0, 22.0]]
    """

    def merge(self, inputs):
        return functools.reduce(ops.add, inputs)


class Subtract(Merge):
    """[x (batch, ...), y (batch, ...)] -> x - y.

    Args:
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if there are not two inputs, or their shapes do not go together.

    Example:
        >>> edl.layers.Subtract()([edl.constant([[1.0, 2.0]]), edl.constant([[10.0, 20.0]])]).tolist()
        [[-9.0, -18.0]]
    """

    count = 2

    def merge(self, inputs):
        return inputs[0] - inputs[1]


class Average(Merge):
    """[x (batch, ...), y, ...] -> (batch, ...). Their sum, divided by their number.

    Args:
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if the shapes do not go together.

    Example:
        >>> edl.layers.Average()([edl.constant([[1.0, 2.0]]), edl.constant([[3.0, 6.0]])]).tolist()
        [[2.0, 4.0]]
    """

    def merge(self, inputs):
        return functools.reduce(ops.add, inputs) / len(inputs)


class Multiply(Merge):
    """[x (batch, ...), y, ...] -> (batch, ...). Their product.

    Where the mask of an input is False, the input counts as 1; where those of all inputs are, the product is 0.

    Args:
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if the shapes do not go together.

    Example:
        >>> edl.layers.Multiply()([edl.constant([[1.0, 2.0]]), edl.constant([[3.0, 6.0]])]).tolist()
        [[3.0, 12.0]]
    """

    def merge(self, inputs):
        masks = [_mask_like(x) for x in inputs]
        factors = [x if mask is None else ops.where(mask, x, 1) for x, mask in zip(inputs, masks)]
        out = functools.reduce(ops.multiply, factors)
        if any(mask is None for mask in masks):
            return out
        mask = functools.reduce(ops.logical_or, masks)
        out = ops.where(mask, out, 0)
        set_mask(out, ops.any(mask, axis=-1))
        return out


class Extreme(Merge):
    """The largest or smallest of the inputs; where the mask of one is False, that one does not count."""

    def merge(self, inputs):
        out = inputs[0]
        known = _mask_like(out)
        for x in inputs[1:]:
            mask = _mask_like(x)
            mine = x if mask is None else ops.where(mask, x, out)
            out = self.choose(out if known is None else ops.where(known, out, mine), mine)
            known = None if known is None or mask is None else ops.logical_or(known, mask)
        if known is not None and len(inputs) > 1:
            set_mask(out, ops.any(known, axis=-1))
        return out


class Maximum(Extreme):
    """[x (batch, ...), y, ...] -> (batch, ...). At each place the largest of the inputs that are not masked there.

    Args:
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if the shapes do not go together.

    Example:
        >>> edl.layers.Maximum()([edl.constant([[1.0, 7.0]]), edl.constant([[3.0, 6.0]])]).tolist()
        [[3.0, 7.0]]
    """

    choose = staticmethod(ops.maximum)


class Minimum(Extreme):
    """[x (batch, ...), y, ...] -> (batch, ...). At each place the smallest of the inputs that are not masked there.

    Args:
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if the shapes do not go together.

    Example:
        >>> edl.layers.Minimum()([edl.constant([[1.0, 7.0]]), edl.constant([[3.0, 6.0]])]).tolist()
        [[1.0, 6.0]]
    """

    choose = staticmethod(ops.minimum)


class Concatenate(Merge):
    """[x (batch, ..., m, ...), y (batch, ..., n, ...), ...] -> (batch, ..., m + n, ...). One after the other along an axis.

    Args:
        axis: the axis.
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: if the shapes differ along another axis, or there is no such axis.
        DTypeError: if axis is no int.

    Example:
        >>> edl.layers.Concatenate(axis=1)([edl.ones((2, 3, 4)), edl.ones((2, 5, 4))]).shape
        (2, 8, 4)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = _int(self.where, "axis", axis)

    def check_shapes(self, shapes):
        ranks = {len(shape) for shape in shapes}
        if len(ranks) > 1 or not -min(ranks) <= self.axis < min(ranks):
            self._refuse(f"all inputs must have equally many axes, one of them axis {self.axis}", shapes,
                         "reshape them, or choose another axis")  # fmt: skip
        for axis, sizes in enumerate(zip(*shapes)):
            if axis != self.axis % len(shapes[0]) and len({n for n in sizes if n is not None}) > 1:
                self._refuse(
                    f"the inputs may differ in size only along axis {self.axis}", shapes, "choose another axis"
                )

    def merge(self, inputs):
        return ops.concatenate(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape):
        self.check(input_shape)
        axis = self.axis % len(input_shape[0])
        shape = [next((n for n in sizes if n is not None), None) for sizes in zip(*input_shape)]
        sizes = [one[axis] for one in input_shape]
        shape[axis] = None if None in sizes else sum(sizes)
        return tuple(shape)

    def compute_mask(self, inputs, mask=None):
        """The masks one after the other, where an input without one counts as True; None if no input has one.

        Raises:
            ArgumentError: if mask is not a list with a mask, or None, for each input.
        """
        if mask is None:
            return None
        self._check_masks(inputs, mask)
        if all(m is None for m in mask):
            return None
        whole = [ops.ones(x.shape, "bool") if m is None else _over(m, x) for x, m in zip(inputs, mask)]
        rank = max(m.ndim for m in mask if m is not None)
        axes = tuple(range(min(rank, inputs[0].ndim - 1), inputs[0].ndim))
        return ops.any(ops.concatenate(whole, axis=self.axis), axis=axes)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


class Dot(Merge):
    """[x (batch, ..., n, ...), y (batch, ..., n, ...)] -> (batch, rest of x, rest of y). Products of each example of x and of y.

    Where nothing is left, an axis of size 1 is there: two inputs (batch, n) give (batch, 1).

    Args:
        axes: the axis of both that is summed over, or a tuple of that of x and that of y.
        normalize: whether x and y are divided by their norms along that axis: the cosines of the angles between them.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: if axes holds no ints.
        ArgumentError: if there are not one or two of them, or one is the batch axis.
        ShapeError: if there are not two inputs, or their sizes differ along that axis.

    Example:
        >>> edl.layers.Dot(axes=(1, 2))([edl.ones((2, 3, 5)), edl.ones((2, 10, 3))]).shape
        (2, 5, 10)
    """

    count = 2

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        several = isinstance(axes, list | tuple)
        if several and len(axes) != 2:
            raise ArgumentError(
                self.where, "axes is an int or two ints", f"got {axes!r}", "give one axis of each input"
            )
        self.axes = (
            [_int(self.where, "each of axes", axis) for axis in axes] if several else _int(self.where, "axes", axes)
        )
        self.normalize = normalize

    def _axes(self, shapes):
        """The axis of x and that of y, counted from 0."""
        axes = self.axes if isinstance(self.axes, list) else [self.axes] * 2
        for axis, shape in zip(axes, shapes):
            if not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
                self._refuse(
                    f"axes {self.axes} must be axes of the inputs, and not that of the batch",
                    shapes,
                    "choose other axes",
                )
        return [axis % len(shape) for axis, shape in zip(axes, shapes)]

    def check_shapes(self, shapes):
        (i, j), (x, y) = self._axes(shapes), shapes
        if None not in (x[i], y[j]) and x[i] != y[j]:
            self._refuse(f"axis {i} of the first input and axis {j} of the second must have the same size", shapes,
                         "choose other axes")  # fmt: skip
        if None not in (x[0], y[0]) and x[0] != y[0]:
            self._refuse("both inputs must have the same batch size", shapes, "pass the same examples to both")

    def call(self, inputs):
        self.check([x.shape for x in inputs] if isinstance(inputs, list | tuple) else inputs.shape)
        axes = self._axes([x.shape for x in inputs])
        if self.normalize:
            inputs = [_of_length_one(x, axis) for x, axis in zip(inputs, axes)]
        letters = iter(string.ascii_letters[2:])
        names = [
            ["a" if k == 0 else "b" if k == axis else next(letters) for k in range(x.ndim)]
            for x, axis in zip(inputs, axes)
        ]
        kept = ["a", *[name for side in names for name in side if name not in "ab"]]
        out = ops.einsum(f"{''.join(names[0])},{''.join(names[1])}->{''.join(kept)}", *inputs)
        return ops.expand_dims(out, -1) if out.ndim == 1 else out

    def compute_output_shape(self, input_shape):
        self.check(input_shape)
        i, j = self._axes(input_shape)
        x, y = map(tuple, input_shape)
        rest = (*x[1:i], *x[i + 1 :], *y[1:j], *y[j + 1 :])
        return (y[0] if x[0] is None else x[0], *(rest or (1,)))

    def compute_mask(self, inputs, mask=None):
        """None: the result has no axis of steps in common with the inputs."""
        return None

    def get_config(self):
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


# -- shapes and masks -------------------------------------------------------------------------------


def _is_flat(shape):
    return bool(shape) and not any(isinstance(n, list | tuple) for n in shape)


def _behind(shape, rank):
    """The sizes behind the batch axis, with 1 for the axes that are missing to `rank`."""
    return (1,) * (rank - max(len(shape), 1)) + tuple(shape[1:])


def _common(sizes):
    """The size to which sizes that go together broadcast, None if that is unknown."""
    known = [n for n in sizes if n not in (1, None)]
    return known[0] if known else None if None in sizes else 1


def _widened(x, rank):
    """x with axes of size 1 behind the batch axis, so that there are `rank` of them; with its mask."""
    if x.ndim == rank:
        return x
    out = ops.reshape(x, (*x.shape[:1], *(1,) * (rank - max(x.ndim, 1)), *x.shape[1:]))
    mask = get_mask(x)
    if mask is not None:
        set_mask(out, ops.reshape(mask, (*mask.shape[:1], *(1,) * (rank - x.ndim), *mask.shape[1:])))
    return out


def _over(mask, x):
    """A mask of the leading axes of x in the shape of x."""
    return ops.broadcast_to(ops.reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim))), x.shape)


def _mask_like(x):
    """The mask of x in the shape of x, or None."""
    mask = get_mask(x)
    return None if mask is None else _over(mask, x)


def _of_length_one(x, axis):
    """x divided by its norm along an axis; zeros stay zeros."""
    length = ops.norm(x, axis=axis, keepdims=True)
    return x / ops.where(length == 0, 1, length)


def _int(where, name, value):
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise DTypeError(where, f"{name} is an int", f"got {value!r}", "pass the number of an axis")
    return int(value)


registry.add_area("layers", {name: globals()[name] for name in __all__})
