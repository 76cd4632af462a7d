"""How the values of a region lie in its space of indices: their steps along its axes, and the axes that are one loop."""

from eagerdl.jit.graph import REDUCE, VIEW


class Operand:
    """A value that a kernel reads from memory, or writes to it.

    Attributes:
        value: the Value.
        axes: for each axis of the value the axis of the region's space, or -1.
        inner: how it moves along a row: "0" not at all, "1" element by element, "s" by a step of its own.
        name: its name in the source.
    """

    __slots__ = ("axes", "inner", "name", "value")

    def __init__(self, value, axes):
        self.value, self.axes = value, axes

    def steps(self, value, ndim):
        """The step in bytes along each axis of the space, for a Value in the place of this one."""
        steps = [0] * ndim
        for axis, n, stride in zip(self.axes, value.shape, value.strides):
            if axis >= 0 and n != 1:
                steps[axis] = stride
        return steps


class NotEmitted(Exception):
    """A region whose arrays lie in memory in a way that kernels do not know."""


def grouped(region, operands):
    """The axes of the region's space that can be one loop, outer ones first, the row last.

    Raises:
        NotEmitted: if the axes of a row cannot be one.
    """
    groups = groups_of(region, operands)
    if region.row and len([g for g in groups if g[-1] >= len(region.shape) - region.row]) != 1:
        raise NotEmitted
    return groups


def groups_of(region, operands):
    """The axes of the region's space that can be one loop, outer ones first; those of a row may be several."""
    ndim = len(region.shape)
    steps = [operand.steps(operand.value, ndim) for operand in operands]
    groups = []
    for axis in reversed(range(ndim)):
        if (
            groups
            and mergeable(region.shape, steps, axis, groups[0])
            and not (region.row and ndim - axis == region.row + 1)
            and not (region.outer and axis == region.outer - 1)
        ):
            groups[0] = (axis, *groups[0])
        else:
            groups.insert(0, (axis,))
    return groups or [()]


def mergeable(shape, steps, axis, group):
    """True if for every operand going on along `axis` is going on beyond the end of `group`."""
    if shape[axis] == 1:
        return True
    count = 1
    for other in group:
        count *= shape[other]
    if count == 1:
        return True
    return all(one[axis] == step_of(shape, one, group) * count for one in steps)


def step_of(shape, steps, group):
    """The step of the innermost axis of a group that has more than one element."""
    for axis in reversed(group):
        if shape[axis] != 1:
            return steps[axis]
    return 0


class RegionSource:
    """What the sources of a region need to know on any machine: how its values lie in its space.

    A subclass finds `operands` and `out`, the operands that are written.
    """

    def __init__(self, region, materialized, partners):
        self.region, self.partners = region, partners
        self.nodes = [node for node in region.nodes if node.kind != VIEW]
        self.alias = {node.outputs[0]: node.inputs[0] for node in region.nodes if node.kind == VIEW}
        self.outputs = [value for value in region.axes if value in materialized and value not in self.alias]

    def _axes_of(self, value, node):
        """How a value from outside lies in the space, as an input of `node`."""
        if node.kind == REDUCE:
            return self.region.identity
        axes = self.region.axes[node.outputs[0]]
        offset = len(axes) - value.ndim
        return tuple(axes[i + offset] if n != 1 else -1 for i, n in enumerate(value.shape))

    def _root(self, value):
        while value in self.alias:
            value = self.alias[value]
        return value

    def _level(self, value):
        return self.region.level(self._root(value))

    def _overwritten(self, operand):
        """The operand that an output overwrites in place; None for outputs with memory of their own."""
        old = self.partners.get(operand.value) if operand.value in self.out else None
        return None if old is None else next((one for one in self.operands.values() if one.value is old), None)
