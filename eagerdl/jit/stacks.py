"""Stacks taken apart: arrays that are put together from a few columns, and of which columns are read, stay columns.

A system of equations is written on one array (n, 3), of which the body takes ``s[:, 0]``, ``s[:, 1]`` and ``s[:, 2]`` and stacks
the results again. In memory that would be two copies for each evaluation. Here calls on stacks become calls on their parts,

    getitem(stack([a, b], axis), i)  ->  a, b
    f(stack([a, b], axis), c)        ->  stack([f(a, c), f(b, c)], axis)

and what nobody reads as a whole is never put together. Elementwise calls only: each element is computed from the same numbers.
"""

import numpy as np

from eagerdl.jit.fuse import is_row_major, is_transparent
from eagerdl.jit.graph import CALL, ELEMENTWISE, VIEW, Graph, Node, Value, replaced
from eagerdl.jit.lowering import NAMES
from eagerdl.jit.traced import getitem
from eagerdl.ops import indexing

PARTS = 8  # a stack has at most as many


def unstacked(graph):
    """Takes the stacks of a graph apart, if columns of them are read; returns the graph."""
    work = _Apart(graph)
    if work.run():
        work.commit()
    return graph


def column_of(node):
    """(axis, index) if a node is ``x[:, ..., i, :, ...]``, else None."""
    if node.function is not getitem or not isinstance(node.args[0], Value):
        return None
    x, key = node.args
    key = key if isinstance(key, tuple) else (key,)
    if Ellipsis in [part for part in key if part is Ellipsis]:
        place = next(i for i, part in enumerate(key) if part is Ellipsis)
        key = (*key[:place], *[slice(None)] * (x.ndim - len(key) + 1), *key[place + 1 :])
    numbers = [axis for axis, part in enumerate(key) if type(part) is int]
    if len(numbers) != 1 or any(part != slice(None) for part in key if type(part) is slice):
        return None
    if any(type(part) not in (int, slice) for part in key) or any(isinstance(s, Value) for part in key if type(part) is slice
                                                                   for s in (part.start, part.stop, part.step)):  # fmt: skip
        return None
    (axis,) = numbers
    return (axis, key[axis] % x.shape[axis]) if len(key) <= x.ndim and x.shape[axis] <= PARTS else None


def parts_of(value):
    """(axis, parts) if a value is a stack of a few row-major values, else None."""
    node = value.node
    if node is None or node.function not in (np.concatenate, np.stack):
        return None
    if not is_row_major(value) or not 1 < len(node.args[0]) <= PARTS:
        return None
    parts, *axis = node.args
    axis = axis[0] if axis else node.named.get("axis", 0)
    if axis is None or set(node.named) - {"axis"}:
        return None
    axis %= value.ndim
    if node.function is np.concatenate:
        if value.shape[axis] != len(parts):
            return None
        parts = [_without_axis(part, axis) for part in parts]
    if any(not isinstance(part, Value) or not is_row_major(part) or part.dtype != value.dtype for part in parts):
        return None
    return axis, list(parts)


def _without_axis(value, axis):
    """What a value is that had an axis of size 1 put in, None if it is none such."""
    if not isinstance(value, Value) or value.node is None or value.node.kind != VIEW or not is_transparent(value.node):
        return None
    base = value.node.args[0]
    return base if base.shape == (*value.shape[:axis], *value.shape[axis + 1 :]) else None


class _Apart:
    def __init__(self, graph):
        self.graph = graph
        self.parts = {}  # value -> (axis, its parts; NumPy numbers for those that hold one number everywhere)
        self.columns = {}  # column of a value that is in `parts` -> the part
        self.views = {}  # (value, axis, index) -> a view of its column
        self.constants = {}
        self.nodes, self.gain = [], 0
        self.wanted = self._wanted()  # value -> the axis along which only columns of it are read

    def run(self):
        """Looks at all nodes; gives how many columns became parts."""
        for node in self.graph.nodes:
            found = column_of(node) if node.kind == VIEW else None
            if found is not None:
                self._column(node, *found)
            elif node.kind == ELEMENTWISE and self._elementwise(node):
                continue
            elif len(node.outputs) == 1:
                made = parts_of(node.outputs[0]) or self._put(node)
                if made is not None:
                    self.parts[node.outputs[0]] = made
            self.nodes.append(node)
        return self.gain

    def _wanted(self):
        """The results of elementwise calls of which columns are read, and nothing else but by calls of that kind."""
        axes, users, ends = {}, self.graph.users(), set(self.graph.ends())
        for node in reversed(self.graph.nodes):
            if node.kind != ELEMENTWISE or len(node.outputs) != 1 or node.outputs[0] in ends:
                continue
            (out,), found = node.outputs, set()
            for user in users.get(out, ()):
                column = column_of(user) if user.kind == VIEW else None
                if column is not None:
                    found.add(column[0])
                elif user.kind != ELEMENTWISE or user.outputs[0].shape != out.shape:
                    break
                elif user.outputs[0] in axes:
                    found.add(axes[user.outputs[0]])
            else:
                if len(found) == 1:
                    axes[out] = found.pop()
        return axes

    def commit(self):
        for node in self.nodes:
            for value in node.outputs:
                value.node = node
        self.graph.constants |= self.constants
        self.graph.nodes = self.nodes
        self.graph.without_dead_code()

    def _column(self, node, axis, index):
        x, (out,) = node.args[0], node.outputs
        found = self.parts.get(x)
        if found is not None and found[0] == axis and out.shape == (*x.shape[:axis], *x.shape[axis + 1 :]):
            self.columns[out] = found[1][index]
        self.views.setdefault((x, axis, index), out)

    def _put(self, node):
        """The parts of zeros with one column filled in."""
        if node.function is not indexing._put.primitive.forward:
            return None
        (x, shape, key), (out,) = node.args, node.outputs
        if (
            not isinstance(x, Value)
            or not is_row_major(x)
            or x.dtype not in NAMES
            or x.dtype != out.dtype
            or not is_row_major(out)
        ):
            return None
        found = column_of(Node(VIEW, getitem, (out, key), {}))
        if found is None or x.shape != (*shape[: found[0]], *shape[found[0] + 1 :]):
            return None
        axis, index = found
        return axis, [x if i == index else x.dtype.type(0) for i in range(shape[axis])]

    # -- elementwise calls ---------------------------------------------------------------------------

    def _elementwise(self, node):
        """Computes a call in parts, or on parts; gives True if it needs nothing more."""
        (out,) = node.outputs
        if len(node.outputs) != 1 or not is_row_major(out) or out.dtype not in NAMES:
            return False
        axis = self._axis_of(node, out)
        if axis is None and all(value not in self.parts and value.dtype in NAMES for value in node.inputs):
            axis = self.wanted.get(out)
        if axis is None:
            return self._on_parts(node)
        k = out.shape[axis]
        shape = (*out.shape[:axis], *out.shape[axis + 1 :])
        made = [self._part(node, axis - out.ndim, index, shape, out.dtype) for index in range(k)]
        self.parts[out] = axis, made
        self._put_together(out, axis, made, node)
        return True

    def _axis_of(self, node, out):
        """The axis of the result along which inputs are stacks; None if there is none, or several."""
        axes = set()
        for value in node.inputs:
            if value in self.parts:
                axis = self.parts[value][0] + out.ndim - value.ndim
                if value.shape != out.shape[out.ndim - value.ndim :]:
                    return None
                axes.add(axis)
            if value.dtype not in NAMES:
                return None
        return axes.pop() if len(axes) == 1 else None

    def _on_parts(self, node):
        """A call that reads columns of stacks reads the parts instead."""
        if not any(value in self.columns for value in node.inputs):
            return False
        args = [self._column_or_self(arg) for arg in node.args]
        if not any(isinstance(arg, Value) for arg in args):
            return False
        self.nodes.append(self._node(node, args, node.outputs[0]))
        return True

    def _column_or_self(self, arg):
        if not isinstance(arg, Value) or arg not in self.columns:
            return arg
        self.gain += 1
        return self.columns[arg]

    def _part(self, node, axis, index, shape, dtype):
        """One part of a call on stacks; `axis` counts from the end."""
        args = []
        for arg in node.args:
            if isinstance(arg, Value):
                arg = self._column_or_self(arg)
            if isinstance(arg, Value):
                arg = self._piece(arg, axis, index)
            args.append(arg)
        if not any(isinstance(arg, Value) for arg in args):
            with np.errstate(all="ignore"):
                given = [np.full(1, arg) if isinstance(arg, np.generic) else arg for arg in args]
                return np.asarray(node.function(*given)).astype(dtype)[0]
        out = Value(np.empty(shape, dtype))
        self.nodes.append(self._node(node, args, out))
        return out

    def _piece(self, value, axis, index):
        """The part of an input of a call on stacks."""
        if -axis > value.ndim:
            return value
        axis += value.ndim
        found = self.parts.get(value)
        if found is not None and found[0] == axis:
            return found[1][index]
        return self._view(value, axis, 0 if value.shape[axis] == 1 else index)

    def _view(self, value, axis, index):
        key = (value, axis, index)
        if key not in self.views:
            where = (
                *[slice(None)] * axis,
                index,
                ...,
            )  # without the dots NumPy gives a number, not a view, if no axis is left
            self.views[key] = self._add_view(value, where)
        return self.views[key]

    def _add_view(self, value, key):
        """A node for ``value[key]``, a view; gives its value."""
        example = np.lib.stride_tricks.as_strided(np.empty(1, value.dtype), value.shape, value.strides)[key]
        node = Node(VIEW, getitem, (value, key), {}, "")
        node.shares = True
        out = Value(example)
        node.outputs = (out,)
        self.nodes.append(node)
        return out

    def _node(self, like, args, out):
        node = Node(ELEMENTWISE, like.function, tuple(args), like.named, like.line, like.label)
        node.outputs, node.shares = (out,), like.shares
        return node

    def _put_together(self, out, axis, parts, like):
        """A node that makes the stack, which is dead code if nobody needs it."""
        columns = []
        for part in parts:
            if not isinstance(part, Value):
                array = np.full((*out.shape[:axis], *out.shape[axis + 1 :]), part, out.dtype)
                part = Value(array)
                self.constants[part] = array
            columns.append(self._add_view(part, (*[slice(None)] * axis, None)))
        node = Node(CALL, np.concatenate, (columns, axis), {}, like.line, "stack")
        node.outputs = (out,)
        self.nodes.append(node)


# -- what loops carry ------------------------------------------------------------------------------------


def carried_apart(graph, carried, along, flag):
    """A loop body that carries parts in the place of stacks of which it only reads columns.

    Args:
        graph: the body; see `loops.Loop`.
        carried, along: how many values are carried, and how many are rows of arrays.
        flag: the place of the carried flag, or None.

    Returns:
        The body, how many values it carries, how many are rows, the place of its flag, and a Parts; None for that if nothing is
        taken apart.
    """
    axes = {i: axis for i in range(carried) if (axis := _carried_axis(graph, carried, i)) is not None}
    for i, value in enumerate(graph.inputs[carried:], carried):
        axis = _columns_read(graph, value)
        if axis is not None and value not in graph.outputs:
            axes[i] = axis
    if not axes:
        return graph, carried, along, flag, None
    inputs, plan, known = [], [], {}
    for i, value in enumerate(graph.inputs):
        if i in axes:
            axis = axes[i]
            shape = (*value.shape[:axis], *value.shape[axis + 1 :])
            known[value] = axis, [Value(np.empty(shape, value.dtype)) for _ in range(value.shape[axis])]
        inputs.append(known[value][1] if i in axes else [value])
    new, now = Graph(), {}
    new.constants = dict(graph.constants)
    if not _read_by_columns(graph, new, known, now):
        return graph, carried, along, flag, None
    for i, value in enumerate(graph.outputs):
        value = now.get(value, value)
        found = known.get(value) or (parts_of(value) if i >= carried or i in axes else None)
        new.outputs += [value] if found is None else found[1]
        plan.append((1, None) if found is None else (len(found[1]), found[0]))
    new.inputs = [value for group in inputs for value in group]
    flag = None if flag is None else sum(map(len, inputs[:flag]))
    taken = [(len(group), axes.get(i)) for i, group in enumerate(inputs)]
    counts = sum(map(len, inputs[:carried])), sum(map(len, inputs[carried : carried + along]))
    return new.without_dead_code(), *counts, flag, Parts(taken, plan, carried, along)


def _carried_axis(graph, carried, i):
    """The axis along which a carried value is a stack in this run and in the next, None if it is none."""
    value, found = graph.inputs[i], parts_of(graph.outputs[i])
    if found is None or value in graph.outputs[:carried] or value.shape[found[0]] > PARTS:
        return None
    return found[0] if _columns_read(graph, value, found[0]) is not None else None


def _columns_read(graph, value, axis=None):
    """The axis of a value along which columns of it are read and nothing else, None if there is none."""
    if not is_row_major(value):
        return None
    for node in graph.nodes:
        if value in node.inputs:
            column = column_of(node) if node.kind == VIEW else None
            if column is None or axis not in (None, column[0]):
                return None
            axis = column[0]
    return axis


def _read_by_columns(graph, new, known, now):
    """Copies the nodes of a graph to a new one, where they read parts in the place of columns.

    Args:
        known: value -> (axis, parts).
        now: gets for each value what stands for it in the new graph.

    Returns:
        False if a call that is not elementwise reads a column.
    """
    columns = set()
    for node in graph.nodes:
        found = column_of(node) if node.kind == VIEW else None
        if found is not None and node.args[0] in known:
            columns.add(node.outputs[0])
            now[node.outputs[0]] = known[node.args[0]][1][found[1]]
            continue
        if not columns.isdisjoint(node.inputs) and (node.kind != ELEMENTWISE or not is_row_major(node.outputs[0])):
            return False
        args, named = (replaced(tree, lambda value: now.get(value, value)) for tree in (node.args, node.named))
        copy = Node(node.kind, node.function, args, named, node.line, node.label)
        copy.several, copy.shares = node.several, node.shares
        copy.outputs = tuple([Value(value, copy) for value in node.outputs])
        now.update(zip(node.outputs, copy.outputs))
        new.nodes.append(copy)
    return True


class Parts:
    """How the arrays of a loop are those of one that carries parts.

    Args:
        inputs, outputs: for each input and output how many there are, and the axis of the stack, None for what is no stack.
        carried, along: how many of the original inputs are carried, and how many the loop runs along.
    """

    def __init__(self, inputs, outputs, carried, along):
        self.inputs, self.outputs, self.carried, self.along = inputs, outputs, carried, along

    def taken(self, arrays):
        """The arrays that go in; those that the loop runs along have their rows first."""
        found = []
        for i, (array, (count, axis)) in enumerate(zip(arrays, self.inputs)):
            if axis is not None:
                array = np.moveaxis(array, axis + (self.carried <= i < self.carried + self.along), 0)
            found += [array] if axis is None else [array[k, ...] for k in range(count)]
        return found

    def given(self, arrays, room):
        """The arrays that come out: the stacks, collected ones with their rows first.

        Args:
            arrays: those of the parts.
            room: a function of shape, dtype and a number that gives an array to stack in.
        """
        arrays, found = iter(arrays), []
        for i, (count, axis) in enumerate(self.outputs):
            parts = [next(arrays) for _ in range(count)]
            if axis is not None:
                axis += i >= self.carried
                shape = parts[0].shape
                out = room((*shape[:axis], count, *shape[axis:]), parts[0].dtype, i)
            found.append(parts[0] if axis is None else np.stack(parts, axis, out=out))
        return found
