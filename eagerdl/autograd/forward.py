"""`ForwardAccumulator`: forward mode. Tangents are computed as the ops run."""

import weakref

from eagerdl import dtypes
from eagerdl.autograd import graph
from eagerdl.autograd.dispatch import intercepting, interceptor
from eagerdl.autograd.graph import PICK, Core, serials
from eagerdl.autograd.primitive import zeros_like
from eagerdl.autograd.tape import (
    GradientTape,
    Recorder,
    _cotangent,
    _or_unconnected,
    _require_differentiable,
    watch,
)
from eagerdl.errors import ArgumentError
from eagerdl.tensor import from_array
from eagerdl.tree import flatten


class ForwardCore(Core):
    """The part of a forward accumulator that recordings and nodes refer to."""

    __slots__ = ("accumulator", "serial")

    def __init__(self, accumulator):
        super().__init__(False)
        self.accumulator = weakref.ref(accumulator)
        self.serial = next(serials)  # inner ones have higher numbers
        self.forward = (self,)

    def finish(self):
        super().finish()
        self.forward = ()


class ForwardAccumulator(Recorder):
    """Computes Jacobian-vector products as the ops run, in the direction `tangents` of `primals`.

    Args:
        primals: a tensor or variable, or a nested structure of them.
        tangents: tensors of the same structure and shapes.

    Raises:
        ArgumentError: if the structures differ.
        DTypeError: for primals without derivatives.
        ShapeError: if a tangent has another shape than its primal.

    Example:
        >>> x = edl.constant([1.0, 2.0])
        >>> with edl.ForwardAccumulator(x, edl.constant([1.0, 0.0])) as accumulator:
        ...     y = x * x
        >>> accumulator.jvp(y).numpy()
        array([2., 0.], dtype=float32)

    Source: Griewank & Walther, 2008, "Evaluating Derivatives", chapter 3; interface as in TF 2.
    """

    def __init__(self, primals, tangents):
        where = "ForwardAccumulator"
        primals, tangents = flatten(primals)[0], flatten(tangents)[0]
        if len(primals) != len(tangents):
            raise ArgumentError(where, "one tangent per primal is needed", f"got {len(tangents)} for {len(primals)}",
                                "pass the structure of `primals`")  # fmt: skip
        self._core = ForwardCore(self)
        self._tangents = weakref.WeakKeyDictionary()
        for x, t in zip(primals, tangents, strict=True):
            _require_differentiable(where, x, "primal")
            t = _cotangent(where, x, t)
            watch(self._core, x)
            before = self._tangents.get(x._node)
            self._tangents[x._node] = t if before is None else before + t

    def jvp(self, primals, unconnected_gradients="none"):
        """The tangent of a tensor computed inside the context, or of each tensor of a nested structure.

        Args:
            primals: a tensor or a nested structure of tensors.
            unconnected_gradients: what stands for tensors that do not depend on the primals: "none" or "zero".
        """
        leaves, build = flatten(primals)
        found = [self._tangent(x._node) for x in leaves]
        return build([_or_unconnected(t, x, unconnected_gradients) for t, x in zip(found, leaves, strict=True)])

    def _tangent(self, node):
        """The tangent of what `node` computed, None if it depends on no primal."""
        if (
            node is not None and node.primitive is PICK
        ):  # rules make picks anew: the node of the op itself holds the tangents
            tangents = self._tangents.get(node.parents[0])
            return None if tangents is None else tangents[node.params[0]]
        return None if node is None else self._tangents.get(node)

    def push(self, node, inputs, out):
        """Computes the tangent of a node that was just recorded, from those of its parents."""
        if interceptor.get() is not None:  # what the rules of ops compute is theirs
            with intercepting(None):
                return self.push(node, inputs, out)
        tangents = [self._tangent(parent) for parent in node.parents]
        if all(t is None for t in tangents):
            return
        inner = [core for core in node.recording.forward if core.serial >= self._core.serial]
        with graph.pause(inner):
            primitive = node.primitive
            push = primitive.push or (lambda *args: transpose_of_pull(primitive, *args))
            t = push(out, inputs, tangents, node.params)
        if t is not None:
            self._tangents[node] = t  # of an op with several results a tuple


def transpose_of_pull(primitive, out, inputs, tangents, params):
    """Forward mode of an op that has a vjp only: the vjp is linear in g, and its transpose is the jvp."""
    needs = tuple(t is not None for t in tangents)
    outs = out if isinstance(out, tuple) else (out,)
    with GradientTape() as tape:
        gs = tuple(zeros_like(one) if dtypes.is_inexact(one.dtype) else None for one in outs)
        tape.watch([g for g in gs if g is not None])
        backs = primitive.pull(gs if isinstance(out, tuple) else gs[0], out, needs, tuple(inputs), params)
    pairs = [(back, t) for back, t in zip(backs, tangents, strict=True) if back is not None and t is not None]
    pairs = [(back, t) for back, t in pairs if back._node is not None]
    if not pairs:
        return tuple(None for _ in outs) if isinstance(out, tuple) else None
    wanted = [g for g in gs if g is not None]
    found = iter(tape.gradient([back for back, _ in pairs], wanted, output_gradients=[t for _, t in pairs]))
    result = tuple(None if g is None else next(found) for g in gs)
    return result if isinstance(out, tuple) else result[0]


class _Identity:
    """The op behind `alias`."""

    name, keeps, keep_all, keeps_out = "alias", (False,), False, False

    @staticmethod
    def pull(g, out, needs, inputs, params):
        return [g]

    @staticmethod
    def push(out, inputs, tangents, params):
        return tangents[0]


def alias(x):
    """The same value as `x`, with a graph identity of its own, so that nested transforms do not mix."""
    out = from_array(x._array)
    graph.record(_Identity, out, (x,), ())
    return out
