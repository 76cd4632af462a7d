"""`GradientTape`: reverse mode. The sweep walks the recorded graph once, backwards, without recursion."""

import operator
from heapq import heappop, heappush

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import dispatch, graph
from eagerdl.autograd.dispatch import intercepting, interceptor, recorders
from eagerdl.autograd.graph import Core, Leaf, Results, VariableLeaf, activate, active, recording_of, weak
from eagerdl.autograd.primitive import zeros_like
from eagerdl.dtypes import INEXACT_SET
from eagerdl.errors import ArgumentError, DTypeError, NotBatched, ShapeError, TapeError
from eagerdl.tensor import Tensor, batches, from_array, refuse_in_batch, to_array
from eagerdl.tree import flatten
from eagerdl.variable import Variable


class Recorder:
    """What tapes and accumulators share: they record between ``with`` and its end, in their own thread."""

    _core = None
    _recording = False

    def __enter__(self):
        if self._recording:
            raise TapeError(type(self).__name__, "a tape is entered once at a time", "it is recording already",
                            "leave its `with` block first, or make another")  # fmt: skip
        if batches:
            refuse_in_batch(type(self).__name__)
        core, current = self._core, active()
        if not core.alive:  # used up: begins anew
            core = self._core = Core(core.auto)
        activate(core if current is None else recording_of(current.members | {core}))
        self._recording = True
        recorders.append(None)
        return self

    def __exit__(self, *exc):
        if self._recording:
            self._recording = False
            core, current = self._core, active()
            if current is core:
                activate(None)
            elif current is not None:
                activate(recording_of(current.members - {core}))
            recorders.pop()

    def __del__(self):
        core = self._core
        if core is not None:
            if core.alive:
                core.finish()
            core.watched = {}  # recordings with others may live on


class GradientTape(Recorder):
    """Records what is computed from watched tensors and variables, and gives derivatives of any order.

    Args:
        persistent: whether `gradient` and `jacobian` may be called more than once.
        watch_accessed_variables: whether trainable variables are watched by themselves.

    Example:
        >>> x = edl.constant(3.0)
        >>> with edl.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> tape.gradient(y, x)
        Tensor(shape=(), dtype=float32, 6.)

    Source: Wengert, 1964, "A simple automatic derivative evaluation program"; interface as in TF 2.
    """

    def __init__(self, persistent=False, watch_accessed_variables=True):
        self._persistent = persistent
        self._core = Core(watch_accessed_variables)

    # -- what is recorded -----------------------------------------------------------------------

    def watch(self, tensor):
        """Records what is computed from `tensor`, or from each tensor of a nested structure.

        Raises:
            DTypeError: for integers and bools, which have no derivatives, and for what is no tensor.
        """
        for x in flatten(tensor)[0]:
            _require_differentiable("GradientTape.watch", x)
            watch(self._core, x)

    def watched_variables(self):
        """The variables watched so far, in the order of their first use."""
        return tuple(variable for variable in self._core.watched.values() if variable is not None)

    def stop_recording(self):
        """A context in which this tape does not record.

        Example:
            >>> with edl.GradientTape() as tape:
            ...     with tape.stop_recording():
            ...         pass
        """
        if not self._recording:
            raise TapeError(
                "GradientTape.stop_recording", "the tape must be recording", "it is not", "call it inside `with tape:`"
            )
        return graph.pause((self._core,))

    def reset(self):
        """Forgets everything recorded so far."""
        recording = self._recording
        self.__exit__()
        self._core.finish()
        self._core = Core(self._core.auto)
        if recording:
            self.__enter__()

    # -- derivatives ----------------------------------------------------------------------------

    def gradient(self, target, sources, output_gradients=None, unconnected_gradients="none"):
        """The gradient of `target` (the sum of its elements) with respect to `sources`.

        Args:
            target: a tensor, or a nested structure of tensors, whose gradients are added.
            sources: a tensor or variable, or a nested structure of them.
            output_gradients: the cotangent of each target, ones by default.
            unconnected_gradients: what stands for a source on which the target does not depend: "none" or "zero".

        Returns:
            The structure of `sources`, with a tensor, or None, for each.

        Raises:
            TapeError: if the tape is used up, or the target is not a tensor.
            DTypeError: if a target or source has a dtype without derivatives.

        Example:
            >>> w = edl.Variable([1.0, 2.0])
            >>> with edl.GradientTape() as tape:
            ...     loss = edl.sum(w * w)
            >>> tape.gradient(loss, {"w": w})["w"].numpy()
            array([2., 4.], dtype=float32)
        """
        where = "GradientTape.gradient"
        targets, leaves, build = self._prepare(where, target, sources)
        if output_gradients is None:
            cotangents = map(ones_like, targets)
        else:
            given = flatten(output_gradients)[0]
            if len(given) != len(targets):
                raise ArgumentError(where, "one output gradient per target is needed",
                                    f"got {len(given)} for {len(targets)}", "pass the structure of `target`")  # fmt: skip
            cotangents = [ones_like(y) if g is None else _cotangent(where, y, g) for y, g in zip(targets, given)]
        once = not self._persistent
        try:
            found = sweep(self._core, targets, cotangents, [*map(node_of, leaves)], once)
        finally:
            if once:
                self._core.finish()
        if unconnected_gradients != "none":
            found = [_or_unconnected(g, x, unconnected_gradients) for g, x in zip(found, leaves)]
        return found[0] if build is None else build(found)

    def jacobian(
        self, target, sources, unconnected_gradients="none", parallel_iterations=None, experimental_use_pfor=True
    ):
        """The Jacobian: for each source the derivatives of every element of `target`.

        Args:
            target: a tensor of shape (t...).
            sources: a tensor or variable of shape (s...), or a nested structure of them.
            unconnected_gradients: "none" or "zero", for sources on which the target does not depend.
            parallel_iterations, experimental_use_pfor: accepted for TF's sake.

        Returns:
            The structure of `sources`, with a tensor of shape (t..., s...), or None, for each.

        Example:
            >>> x = edl.Variable([1.0, 2.0])
            >>> with edl.GradientTape() as tape:
            ...     y = x * x
            >>> tape.jacobian(y, x).numpy()
            array([[2., 0.],
                   [0., 4.]], dtype=float32)
        """
        (y,), leaves, build = self._prepare("GradientTape.jacobian", target, sources)
        xp = devices.module_of(y._array)
        basis = from_array(xp.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape))
        found = self._pull_rows(y, basis, leaves)
        found = [_whole(rows, x, y.shape, unconnected_gradients) for rows, x in zip(found, leaves)]
        return found[0] if build is None else build(found)

    def batch_jacobian(self, target, source, unconnected_gradients="none", parallel_iterations=None,
                       experimental_use_pfor=True):  # fmt: skip
        """The Jacobian of each example of a batch, where examples do not depend on each other.

        Args:
            target: a tensor of shape (batch, t...).
            source: a tensor of shape (batch, s...).
            unconnected_gradients: "none" or "zero".
            parallel_iterations, experimental_use_pfor: accepted for TF's sake.

        Returns:
            A tensor of shape (batch, t..., s...), or None.

        Raises:
            ShapeError: if the batch sizes differ.
        """
        where = "GradientTape.batch_jacobian"
        (y,), (x,), _ = self._prepare(where, target, source)
        if not y.ndim or not x.ndim or y.shape[0] != x.shape[0]:
            raise ShapeError(where, "target and source must share their first axis", f"target {y.shape}, source {x.shape}",
                             "use jacobian, or move the batch to the first axis")  # fmt: skip
        xp = devices.module_of(y._array)
        batch, inner = y.shape[0], y.shape[1:]
        count = int(np.prod(inner))
        basis = xp.eye(count, dtype=y.dtype).reshape(count, 1, *inner) + xp.zeros((batch, *inner), y.dtype)
        (rows,) = self._pull_rows(y, from_array(basis), [x])
        stacked = _whole(rows, x, inner, unconnected_gradients)
        if stacked is None:
            return None
        t = len(inner)
        axes = tuple(range(stacked.ndim))
        return stacked.transpose((t, *axes[:t], *axes[t + 1 :]))

    def why_none(self, target, source):
        """Says why the gradient of `target` with respect to `source` is None; ask before the tape is used up.

        Returns:
            One sentence.
        """
        if not isinstance(target, Tensor) or not isinstance(source, Tensor):
            return "target and source have to be tensors"
        if not dtypes.is_inexact(target.dtype) or not dtypes.is_inexact(source.dtype):
            return f"integers and bools have no derivatives: target is {target.dtype}, source {source.dtype}"
        if not self._core.alive:
            return "the tape is used up: make it persistent=True to ask more than once"
        if not self._core.has(source._node):
            if isinstance(source, Variable) and not source.trainable:
                return f"variable {source.name} is not trainable, so it is not watched: call tape.watch(variable)"
            if isinstance(source, Variable):
                return f"variable {source.name} was not used while the tape recorded"
            return "the source was not watched: call tape.watch(source) before computing from it"
        if not self._core.has(target._node):
            return ("the target was not computed from anything watched while the tape recorded: it is a constant, was computed "
                    "outside of the tape, or passed through stop_gradient, NumPy or an integer dtype")  # fmt: skip
        if source._node not in leading([target._node], {source._node}, self._core):
            return "the target was computed from other watched tensors, but not from this source"
        return "the target depends on the source: its gradient is not None"

    # -- inside ---------------------------------------------------------------------------------

    def _prepare(self, where, target, sources):
        """The tensors in `target` and in `sources`, and what gives a list for these the structure of `sources`.

        That is None for a single tensor. Ends the recording, unless the tape is persistent.
        """
        if not self._core.alive:
            raise TapeError(where, "a tape that is not persistent gives derivatives once", "this one is used up",
                            "make it with edl.GradientTape(persistent=True)")  # fmt: skip
        if isinstance(target, Tensor) and isinstance(sources, Tensor):
            targets, leaves, build = (target,), (sources,), None
        else:
            targets, (leaves, build) = flatten(target)[0], flatten(sources)
        for y in targets:
            if not isinstance(y, Tensor):
                raise TapeError(where, "a target must be a tensor", f"got {type(y).__name__}",
                                "compute it with ops of eagerdl; np functions and .numpy() leave the tape")  # fmt: skip
            if y._array.dtype not in INEXACT_SET:
                _require_differentiable(where, y, "target")
        for x in leaves:
            if not isinstance(x, Tensor) or x._array.dtype not in INEXACT_SET:
                _require_differentiable(where, x, "source")
        if self._recording and not self._persistent:
            self.__exit__()
        return targets, leaves, build

    def _pull_rows(self, y, basis, leaves):
        """For each leaf the cotangents (n, ...) that the n cotangents `basis` (n, ...) of `y` lead to, or None.

        All n go back together, as one cotangent that stands for a batch. An op whose rule looks at elements cannot do
        that; then they go one after another.
        """
        nodes, n = [*map(node_of, leaves)], len(basis)
        try:
            try:
                found = sweep(self._core, [y], [Tensor._batch(basis)], nodes) if n else [None] * len(nodes)
                return [None if g is None else Tensor._unbatch(g, n) for g in found]
            except NotBatched:
                rows = [sweep(self._core, [y], [basis[i]], nodes) for i in range(n)]
        finally:
            if not self._persistent:
                self._core.finish()
        return [
            None
            if all(g is None for g in column)
            else Tensor._pack([zeros_like(x) if g is None else g for g in column])
            for x, column in zip(leaves, zip(*rows))
        ]


def _require_differentiable(where, x, what="tensor"):
    if not isinstance(x, Tensor):
        raise DTypeError(where, f"a {what} must be a Tensor or Variable", f"got {type(x).__name__}",
                         "wrap it with edl.constant, watch it, and compute from that")  # fmt: skip
    if x.dtype not in INEXACT_SET:
        raise DTypeError(where, f"a {what} of a floating dtype is needed: integers and bools have no derivatives",
                         f"got {x.dtype}, shape {x.shape}", "use edl.cast(x, 'float32')")  # fmt: skip


def watch(core, x):
    """Lets `core` record what is computed from the tensor or variable `x`."""
    node = x._node
    if node.__class__ is VariableLeaf:
        core.watched[node] = node.owner()
        return
    if node is None:
        node = x._node = Leaf()
    core.tensors += (weak(node),)
    before = frozenset() if node.recording is None else frozenset(c for c in node.recording.members if c.alive)
    if node.primitive is not None and core not in before:
        core.edges |= {weak(node)}
    node.recording = recording_of(before | {core})


def _cotangent(where, y, g):
    g = g if isinstance(g, Tensor) else from_array(to_array(g, y.dtype))
    if g.shape != y.shape:
        raise ShapeError(where, "an output gradient has the shape of its target", f"got {g.shape} for {y.shape}",
                         "broadcast it with edl.broadcast_to")  # fmt: skip
    return g if g.dtype == y.dtype else g.astype(y.dtype)


by_serial, node_of = operator.attrgetter("serial"), operator.attrgetter("_node")
LEAVES = {Leaf, VariableLeaf}
_one = {}  # dtype -> the array of shape () that holds 1


def ones_like(y):
    """A tensor of ones with the shape, dtype and device of `y`."""
    array = y._array
    if array.shape or array.__class__ is not np.ndarray:
        return from_array(devices.module_of(array).ones(array.shape, array.dtype))
    one = _one.get(array.dtype)
    return from_array(_one.setdefault(array.dtype, np.ones((), array.dtype)) if one is None else one)


def _or_unconnected(g, x, unconnected):
    unconnected = getattr(unconnected, "value", unconnected)
    if unconnected not in ("none", "zero"):
        raise ArgumentError(
            "GradientTape", "unconnected_gradients is 'none' or 'zero'", f"got {unconnected!r}", "use one of them"
        )
    if g is None and unconnected == "zero":
        return zeros_like(x)
    return g


def _whole(rows, x, shape, unconnected):
    """The Jacobian (shape..., x...) from its rows (n, x...), or what stands for none."""
    if rows is not None:
        return rows.reshape((*shape, *x.shape))
    if _or_unconnected(None, x, unconnected) is None and 0 not in shape:
        return None
    return from_array(devices.module_of(x._array).zeros((*shape, *x.shape), x.dtype))


# -- the sweep ----------------------------------------------------------------------------------


def leading(roots, sources, core):
    """The nodes of `core` from which `roots` were computed and that lead to one of `sources`, as a set."""
    stack = [root for root in roots if core.has(root)]
    found, ends = set(), {reference() for reference in core.edges}
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            if node not in ends:
                stack += [p for p in node.parents if p not in found and core.has(p)]
    leads = set()
    for node in sorted(found, key=by_serial):
        if node in sources or (node not in ends and not leads.isdisjoint(node.parents)):
            leads.add(node)
    return leads


def sweep(core, targets, cotangents, sources, consume=False):
    """Reverse mode: the cotangents of the nodes `sources`, from those of the tensors `targets`.

    Nodes are visited from the latest to the first, so that a cotangent is complete when its node is reached.

    Args:
        core: the tape's core; nodes of other tapes are not followed.
        targets, cotangents: tensors.
        sources: nodes, or None for what was never on a tape.
        consume: whether nodes that only this tape holds are freed on the way.
    """
    if dispatch.interceptions and interceptor.get() is not None:  # what the rules of ops compute is theirs
        with intercepting(None):
            return sweep(core, targets, cotangents, sources, consume)
    wanted = set(sources)
    all_lead = core.watches_only(wanted) if core.tensors else wanted.issuperset(core.watched)
    if consume and all_lead and not core.shared and not core.edges:
        if len(wanted) == len(core.watched) or LEAVES.issuperset(
            map(type, wanted)
        ):  # these are the leaves that it watches
            return sweep_all(core, targets, cotangents, sources)
    follow = core.has if all_lead else leading([y._node for y in targets], wanted, core).__contains__
    pending, heap, edges = {}, [], core.edges  # node -> cotangent so far; (-serial, node) of those that have parents
    for y, g in zip(targets, cotangents):
        node = y._node
        if node in pending:
            pending[node] = pending[node] + g
        elif follow(node):
            pending[node] = g
            if node.primitive is not None:
                heappush(heap, (-node.serial, node))
    while heap:
        node = heappop(heap)[1]
        g = pending[node] if node in wanted else pending.pop(node)
        if edges and weak(node) in edges:
            continue
        parents, out, mine = node.parents, node.out, node.recording is core
        if mine and all_lead:
            needs = parents  # of what its tape recorded alone, it follows all
        else:
            needs = [*map(follow, parents)]
            if True not in needs:  # a source, at which the sweep ends
                continue
        if out is not None:
            out, g = _as_rules_take_them(node, g)
        backs = node.primitive.pull(g, out, needs, node.inputs, node.params)
        for parent, need, back in zip(parents, needs, backs):
            if back is None or not need:
                continue
            if parent in pending:
                pending[parent] = pending[parent] + back
            else:
                pending[parent] = back
                if parent.primitive is not None:
                    heappush(heap, (-parent.serial, parent))
        if consume and mine:  # frees what was saved, while the sweep goes on
            node.inputs = node.parents = ()
            node.out = node.recording = None
    return [*map(pending.get, sources)]


def _as_rules_take_them(node, g):
    """What came out of a node, and its cotangent: a tuple for several results."""
    out = node.revive()
    if g.__class__ is Results:
        g = tuple([g.get(index) for index in range(node.out if out is None else len(out))])
    return out, g


def sweep_all(core, targets, cotangents, sources):
    """`sweep` for a tape that recorded alone, if all that it watched is asked for and nobody asks again: nothing has to be found.

    What was recorded lies in order, and each node that got a cotangent leads to a source.
    """
    pending = {}
    for y, g in zip(targets, cotangents):
        node = y._node
        if node is not None and (node.recording is core or node in core.watched):
            pending[node] = pending[node] + g if node in pending else g
    for reference in reversed(core.nodes):
        node = reference()
        g = pending.pop(node, None)
        if g is None:
            if node is not None:
                node.clear()
            continue
        out, parents = node.out, node.parents
        if out is not None:
            out, g = _as_rules_take_them(node, g)
        for parent, back in zip(parents, node.primitive.pull(g, out, parents, node.inputs, node.params)):
            if back is not None and parent is not None:
                pending[parent] = pending[parent] + back if parent in pending else back
        node.inputs = node.parents = ()  # frees what was saved, while the sweep goes on
        node.out = node.recording = None
    core.nodes = []
    return [*map(pending.get, sources)]
