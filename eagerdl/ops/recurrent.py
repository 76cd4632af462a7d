"""Recurrent networks over whole sequences: `simple_rnn`, `gru` and `lstm` run all steps in one op.

The inputs of all steps are projected by one matrix product, each step is one product with the recurrent kernel and a few
passes over arrays that were allocated before, and the gradients of the kernels are one product each over all steps. The
recurrent kernel is packed once for all steps (`Turned`). In a compiled LSTM each step projects its own input, by the same
products.

They agree with the single steps of `recurrent_steps` to rounding, not to the bit: they add up ``x W + h U + b`` in another
order, compute the tanh of an LSTM as ``2 / (1 + exp(-2 x)) - 1`` (so that all gates of a step are one call of exp), and work in
float32 where the inputs have half precision. In float32 that is an absolute difference of about 1e-7 per step in states
that are at most 1 in size. Equal calls of the same op give equal bits.

Arrays inside are time-major, (steps, batch, features), so that each step is one block of memory.
"""

import builtins
from typing import Any, NamedTuple

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, vjp
from eagerdl.errors import DTypeError, ShapeError
from eagerdl.machine import products
from eagerdl.ops import control_flow
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import zeros
from eagerdl.ops.joining import unstack
from eagerdl.ops.recurrent_steps import gru_step, lstm_step, simple_rnn_step
from eagerdl.ops.shape import expand_dims, stack

__all__ = ["gru", "lstm", "simple_rnn"]


# -- all steps, on arrays -----------------------------------------------------------------------


class Given(NamedTuple):
    """The inputs of a fused op by name; `states` is (h,) or (h, c)."""

    x: Any
    kernel: Any
    recurrent: Any
    states: tuple
    bias: Any
    mask: Any


class Layout(NamedTuple):
    """Which network it is, and which of the optional inputs there are."""

    network: str  # a key of NETWORKS
    biased: bool
    masked: bool

    def given(self, xs):
        """The list of inputs by name."""
        end = 3 + NETWORKS[self.network].states
        bias = xs[end] if self.biased else None
        return Given(*xs[:3], tuple(xs[3:end]), bias, xs[-1] if self.masked else None)

    def count(self):
        """How many inputs have derivatives."""
        return 3 + NETWORKS[self.network].states + self.biased


SCALES = {"s": -1.0, "g": -2.0, "t": 1.0}  # of what is before an activation


def _scales(network, units, dtype, xp):
    """By what the projections of each gate are multiplied: exactly, so that it may be done once for all steps, in the kernels."""
    return xp.repeat(xp.asarray([SCALES[gate] for gate in network.gates], dtype), units)


def _activate(gates, scales=-1):
    """Sigmoid and tanh of z from ``scales * z``, in place: -scales / (1 + exp(scales * z)) + 1 + scales."""
    np.exp(gates, out=gates)
    gates += 1
    np.divide(-scales, gates, out=gates)
    gates += 1 + scales
    return gates


LARGE = 1 << 14  # elements of a recurrent kernel that is worth packing


NEAR = 1 << 17  # elements of a kernel that stays in the cache from step to step


def is_packed(matrix, like):
    """Whether a kernel of our own multiplies with a recurrent kernel."""
    return matrix.size >= LARGE and products.serves(matrix, like)


def is_stepwise(kernel, x):
    """Whether inputs are multiplied with their kernel as states are: then a loop may do it step by step."""
    return kernel.size <= NEAR and is_packed(kernel, x)


class Turned:
    """A matrix (m, n) with which many h (b, n) are multiplied: h turned^T (b, m).

    By a kernel that packs it once if it is large, or by BLAS, which is fastest if it computes the transposed product.

    Args:
        xp: NumPy or CuPy.
        matrix: the matrix.
        like: the first h.
    """

    def __init__(self, xp, matrix, like):
        self.xp, self.matrix, self.rows = xp, matrix, len(like)
        self.factor = products.Factor(matrix.T) if is_packed(matrix, like) else None

    def room(self, n=None):
        """An array (b, n), by default (b, m), of a layout in which products can be stored."""
        n, dtype = len(self.matrix) if n is None else n, self.matrix.dtype
        return self.xp.empty((n, self.rows), dtype).T if self.factor is None else np.empty((self.rows, n), dtype)

    def stored(self, x):
        """A copy of x in such an array."""
        room = self.room(x.shape[1])
        room[...] = x
        return room

    def product(self, h, out):
        """h turned^T, in `out`."""
        if self.factor is not None:
            return self.factor.times(h, out)
        self.xp.matmul(self.matrix, h.T, out=out.T)
        return out


def product_by_rows(h, matrix, turned=True):
    """h (b, n), matrix (m, n), or else (n, m) -> (b, m), by rows, for traces: compiled loops have instructions for it."""
    made = Turned(devices.module_of(h), matrix if turned else matrix.T, h)
    return made.xp.ascontiguousarray(made.product(h, made.room()))


def _traced_product(h, matrix, turned=True):
    return control_flow.staged.call(product_by_rows, (h, matrix, turned), {})


def _slope(gates, out, where_tanh):
    """The derivatives of all activations from their values: s - s s of sigmoids, 1 - g g of the part `where_tanh`."""
    np.multiply(gates, gates, out=out)
    start, stop = where_tanh
    if start:
        np.subtract(gates[:, :start], out[:, :start], out=out[:, :start])
    if stop < gates.shape[1]:
        np.subtract(gates[:, stop:], out[:, stop:], out=out[:, stop:])
    np.subtract(1, out[:, start:stop], out=out[:, start:stop])


def _hold(xp, new, old, masked):
    """Where `masked`, `new` is what it was before."""
    if masked is not None:
        xp.copyto(new, old, where=masked)


def _simple_rnn_forward(z, h, turned, rest):
    xp, masked = rest.xp, rest.masked
    turned = Turned(xp, turned, h[0])
    room = turned.room()
    for t in builtins.range(len(z)):
        np.add(turned.product(h[t], room), z[t], out=h[t + 1])
        np.tanh(h[t + 1], out=h[t + 1])
        if masked is not None:
            z[t] = h[t + 1]  # the activation before it gives way to the state
            _hold(xp, h[t + 1], h[t], masked[t])
    return (z,) if masked is not None else (h[1:],)


def _simple_rnn_backward(saved, h, dh, gout, recurrent, rest):
    xp, masked = rest.xp, rest.masked
    (values,) = saved
    dz = xp.empty(values.shape, values.dtype)
    turned = Turned(xp, recurrent, dh)
    dh = turned.stored(dh)
    for t in builtins.range(len(values) - 1, -1, -1):
        if gout is not None:
            dh += gout[t]
        d = dz[t]
        _slope(values[t], d, (0, d.shape[1]))
        d *= dh
        before = None if masked is None else dh.copy()
        if masked is not None:
            xp.copyto(d, 0, where=masked[t])
        turned.product(d, dh)
        if masked is not None:
            _hold(xp, dh, before, masked[t])
    return (dh,), dz, dz, xp.matmul(_rows(h[:-1]).T, _rows(dz))


def _lstm_cell(z, room, c, scales, gates=None, cell=None, bent=None, h=None, part=None):
    """The gates, the cell, its tanh and the state after a step, from z + room and the cell before; into arrays where given."""
    u = c.shape[-1]
    gates = _activate(np.add(z, room, out=gates), scales)
    cell = np.multiply(gates[:, u : 2 * u], c, out=cell)
    cell += np.multiply(gates[:, :u], gates[:, 2 * u : 3 * u], out=part)
    bent = _activate(np.multiply(cell, SCALES["g"], out=bent), SCALES["g"])
    return gates, cell, bent, np.multiply(gates[:, 3 * u :], bent, out=h)


def _lstm_cell_back(gates, c, bent, dh, dc, d=None, part=None, other=None, new=None):
    """The cotangents of z and of the cell before a step, from those after it; into `d` and `new` where given."""
    u = c.shape[-1]
    places = [None if d is None else d[:, i * u : (i + 1) * u] for i in builtins.range(4)]
    i, f, g, o = [gates[:, k * u : (k + 1) * u] for k in builtins.range(4)]
    squares = np.multiply(gates, gates, out=d)
    di, df, dg, do = [squares[:, k * u : (k + 1) * u] for k in builtins.range(4)]
    di, df = np.subtract(i, di, out=places[0]), np.subtract(f, df, out=places[1])
    dg, do = np.subtract(1, dg, out=places[2]), np.subtract(o, do, out=places[3])
    to_bent = np.multiply(dh, o, out=part)
    other = np.multiply(bent, bent, out=other)
    other = np.subtract(1, other, out=other)
    other *= to_bent
    dc = np.add(dc, other, out=new)
    do = np.multiply(do, np.multiply(dh, bent, out=part), out=places[3])
    di = np.multiply(di, np.multiply(dc, g, out=part), out=places[0])
    df = np.multiply(df, np.multiply(dc, c, out=part), out=places[1])
    dg = np.multiply(dg, np.multiply(dc, i, out=part), out=places[2])
    dc = np.multiply(dc, f, out=new)
    return np.concatenate([di, df, dg, do], 1) if d is None else d, dc


def _lstm_forward(z, h, turned, rest):
    xp, masked, u = rest.xp, rest.masked, h.shape[2]
    c, bent = xp.empty(h.shape, h.dtype), xp.empty(z.shape[:2] + (u,), h.dtype)  # bent: tanh(c)
    c[0] = rest.c
    turned = Turned(xp, turned, h[0])
    room, part = turned.room(), xp.empty(h.shape[1:], h.dtype)
    for t in builtins.range(len(z)):
        turned.product(h[t], room)
        _lstm_cell(z[t], room, c[t], rest.scales, z[t], c[t + 1], bent[t], h[t + 1], part)
        if masked is not None:
            _hold(xp, c[t + 1], c[t], masked[t])
            _hold(xp, h[t + 1], h[t], masked[t])
    return z, c, bent


def _lstm_backward(saved, h, dh, gout, recurrent, rest):
    z, c, bent = saved
    xp, masked, dc = rest.xp, rest.masked, rest.c
    dz = xp.empty(z.shape, z.dtype)
    turned = Turned(xp, recurrent, dh)
    dh, part, other = turned.stored(dh), xp.empty(dh.shape, dh.dtype), xp.empty(dh.shape, dh.dtype)
    for t in builtins.range(len(z) - 1, -1, -1):
        gates, d = z[t], dz[t]
        if gout is not None:
            dh += gout[t]
        before = None if masked is None else (dh.copy(), dc.copy())
        _lstm_cell_back(gates, c[t], bent[t], dh, dc, d, part, other, dc)
        if masked is not None:
            xp.copyto(d, 0, where=masked[t])
        turned.product(d, dh)
        if masked is not None:
            _hold(xp, dh, before[0], masked[t])
            _hold(xp, dc, before[1], masked[t])
    return (dh, dc), dz, dz, xp.matmul(_rows(h[:-1]).T, _rows(dz))


def _lstm_forward_traced(x, kernel, states, recurrent, scales, bias):
    """All states, gates, cells and their tanh, as a loop of the trace under way."""
    inside = is_stepwise(*control_flow.staged.examples((kernel, x)))  # whether each step projects its own input
    along = x if inside else _times(np, x, kernel)
    packed = is_packed(*control_flow.staged.examples((recurrent, states[0])))
    recurrent = recurrent if packed else recurrent.T.copy("C")

    def step(h, c, z):
        z = _traced_product(z, kernel, False) if inside else z
        z = z if bias is None else np.add(z, bias)
        gates, cell, bent, h = _lstm_cell(z, _traced_product(h, recurrent, not packed), c, scales)
        return [h, cell], [gates, cell, bent, h]

    _, (gates, c, bent, h) = control_flow.staged.array_loop(
        "lstm", step, states, [along], spare=() if inside else (0,), begun={1: 1, 3: 0}, each=True
    )
    return h, gates, c, bent


def _lstm_backward_traced(saved, h, dh, gout, recurrent, rest):
    gates, c, bent = saved

    def step(dh, dc, gates, c, bent, *gout):
        d, dc = _lstm_cell_back(gates, c, bent, np.add(dh, gout[0]) if gout else dh, dc)
        return [_traced_product(d, recurrent), dc], [d]

    along = [gates, c[:-1], bent] if gout is None else [gates, c[:-1], bent, gout]
    (dh, dc), (dz,) = control_flow.staged.array_loop("lstm", step, [dh, rest.c], along, reverse=True, each=True)
    return (dh, dc), dz, dz, np.matmul(_rows(h[:-1]).T, _rows(dz))


def _gru_forward(z, h, turned, rest):
    xp, masked, u, after = rest.xp, rest.masked, h.shape[2], rest.network.reset_after
    inner = xp.empty(z.shape[:2] + (u,), z.dtype)  # h U of the candidate, or the state that was reset
    last = None if after else Turned(xp, turned[2 * u :], h[0])
    turned = Turned(xp, turned if after else turned[: 2 * u], h[0])
    room, part = turned.room(), turned.room(u)
    for t in builtins.range(len(z)):
        gates, candidate, out = z[t, :, : 2 * u], z[t, :, 2 * u :], h[t + 1]
        turned.product(h[t], room)
        gates += room[:, : 2 * u]
        _activate(gates)
        reset = gates[:, u:]
        if after:
            if rest.late is None:
                inner[t] = room[:, 2 * u :]
            else:
                np.add(room[:, 2 * u :], rest.late, out=inner[t])
            np.multiply(reset, inner[t], out=part)
        else:
            np.multiply(reset, h[t], out=inner[t])
            last.product(inner[t], part)
        candidate += part
        np.tanh(candidate, out=candidate)
        np.subtract(h[t], candidate, out=out)
        out *= gates[:, :u]
        out += candidate
        if masked is not None:
            _hold(xp, out, h[t], masked[t])
    return z, inner


def _gru_backward(saved, h, dh, gout, recurrent, rest):
    z, inner = saved
    xp, masked, u, after = rest.xp, rest.masked, h.shape[2], rest.network.reset_after
    dz = xp.empty(z.shape, z.dtype)
    dinner = xp.empty(z.shape, z.dtype) if after else dz
    last = None if after else Turned(xp, recurrent[:, 2 * u :], dh)
    turned = Turned(xp, recurrent if after else recurrent[:, : 2 * u], dh)
    dh, part, through = turned.stored(dh), turned.room(u), xp.empty(dh.shape, dh.dtype)
    for t in builtins.range(len(z) - 1, -1, -1):
        gates, d = z[t], dz[t]
        update, reset, candidate = gates[:, :u], gates[:, u : 2 * u], gates[:, 2 * u :]
        if gout is not None:
            dh += gout[t]
        before = None if masked is None else dh.copy()
        _slope(gates, d, (2 * u, 3 * u))
        np.subtract(h[t], candidate, out=part)
        part *= dh
        d[:, :u] *= part
        np.multiply(dh, update, out=through)
        np.subtract(dh, through, out=part)  # to the candidate
        d[:, 2 * u :] *= part
        if after:
            e = dinner[t]
            np.multiply(d[:, 2 * u :], inner[t], out=part)
            d[:, u : 2 * u] *= part
            e[:, : 2 * u] = d[:, : 2 * u]
            np.multiply(d[:, 2 * u :], reset, out=e[:, 2 * u :])
            if masked is not None:
                xp.copyto(d, 0, where=masked[t])
                xp.copyto(e, 0, where=masked[t])
            turned.product(e, dh)
        else:
            last.product(d[:, 2 * u :], part)  # to the state that was reset
            through += part * reset
            part *= h[t]
            d[:, u : 2 * u] *= part
            if masked is not None:
                xp.copyto(d, 0, where=masked[t])
            turned.product(d[:, : 2 * u], dh)
        dh += through
        if masked is not None:
            _hold(xp, dh, before, masked[t])
    if after:
        return (dh,), dz, dinner, xp.matmul(_rows(h[:-1]).T, _rows(dinner))
    flat = _rows(dz)
    of_gates = xp.matmul(_rows(h[:-1]).T, flat[:, : 2 * u])
    of_candidate = xp.matmul(_rows(inner).T, flat[:, 2 * u :])
    return (dh,), dz, dz, xp.concatenate([of_gates, of_candidate], 1)


class Network(NamedTuple):
    """A kind of recurrent network: its gates (keys of SCALES), its states, and how it runs over arrays.

    Gates are sigmoids ("s") and tanh, by exp as sigmoids are ("g") or by itself ("t").
    """

    gates: str
    states: int
    forward: Any
    backward: Any
    step: Any  # (given, x, states) -> the next states, in ops
    saved: Any  # (steps, batch, units, masked) -> the shapes of what the forward saves
    reset_after: bool = False
    traced: Any = (
        None  # forward and backward as loops of a trace, so that a compiled function runs them as one compiled loop
    )


NETWORKS = {
    "simple_rnn": Network(
        "t", 1, _simple_rnn_forward, _simple_rnn_backward,
        lambda given, x, states: (simple_rnn_step(x, states[0], given.kernel, given.recurrent, given.bias),),
        lambda t, b, u: ((t, b, u),)),
    "lstm": Network(
        "ssgs", 2, _lstm_forward, _lstm_backward,
        lambda given, x, states: lstm_step(x, states[0], states[1], given.kernel, given.recurrent, given.bias),
        lambda t, b, u: ((t, b, 4 * u), (t + 1, b, u), (t, b, u)), traced=(_lstm_forward_traced, _lstm_backward_traced)),
    "gru": Network(
        "sst", 1, _gru_forward, _gru_backward,
        lambda given, x, states: (gru_step(x, states[0], given.kernel, given.recurrent, given.bias, False),),
        lambda t, b, u: ((t, b, 3 * u), (t, b, u))),
    "gru_reset_after": Network(
        "sst", 1, _gru_forward, _gru_backward,
        lambda given, x, states: (gru_step(x, states[0], given.kernel, given.recurrent, given.bias),),
        lambda t, b, u: ((t, b, 3 * u), (t, b, u)), True),
}  # fmt: skip


class Rest(NamedTuple):
    """What else the steps of a network need."""

    xp: Any
    network: Network
    masked: Any  # (steps, batch, 1), True where a step is left out; or None
    c: Any = None  # the cell of an LSTM, or its cotangent
    scales: Any = None
    late: Any = None  # the bias inside the reset of a GRU


def _rows(x):
    """x (steps, batch, n) -> (steps * batch, n)."""
    return x.reshape(x.shape[0] * x.shape[1], x.shape[2])


def _times(xp, x, kernel):
    """x (steps, batch, n), kernel (n, m) -> (steps, batch, m)."""
    rows = _rows(x)
    if is_stepwise(kernel, rows):
        out = products.Factor(kernel).times(rows, np.empty((len(rows), kernel.shape[1]), kernel.dtype))
    else:
        out = xp.matmul(rows, kernel)
    return out.reshape(*x.shape[:2], kernel.shape[1])


def _work_dtype(dtype):
    """Half precision is computed in float32."""
    return dtypes.float32 if dtype.itemsize == 2 else dtype


def _on_arrays(given, xp):
    """x time-major in one block, all in the dtype of the work, and the inverted mask (steps, batch, 1)."""
    dtype = _work_dtype(given.x.dtype)
    x, kernel, recurrent = [one.astype(dtype, copy=False) for one in given[:3]]
    bias = None if given.bias is None else given.bias.astype(dtype, copy=False)
    masked = None if given.mask is None else ~given.mask.T[:, :, None]
    states = tuple([one.astype(dtype, copy=False) for one in given.states])
    return Given(x.transpose(1, 0, 2).copy("C"), kernel, recurrent, states, bias, masked)


def _specs(xs, layout):
    given, network = layout.given(xs), NETWORKS[layout.network]
    b, t, _ = given.x.shape
    u, work = given.recurrent.shape[0], _work_dtype(given.x.dtype)
    public = [Spec((b, t, u), given.x.dtype)] + [Spec((b, u), given.x.dtype)] * network.states
    return (*public, Spec((t + 1, b, u), work), *[Spec(shape, work) for shape in network.saved(t, b, u)])


def _recurrent_vjp(g, out, needs, xs, layout):
    public = 1 + NETWORKS[layout.network].states
    there = tuple([one is not None for one in g[:public]])
    needs = tuple(map(builtins.bool, needs[: layout.count()]))
    if not builtins.any(there):
        return [None] * len(xs)
    found = iter(_recurrent_grad([*[one for one in g[:public] if one is not None], *xs, *out[public:]],
                                 layout, there, needs))  # fmt: skip
    return [next(found) if need else None for need in needs] + [None] * (len(xs) - len(needs))


@custom(vjp=_recurrent_vjp, infer=_specs, several=True, variadic=True)
def _recurrent(xs, layout):
    """xs: x (b, t, f), kernel, recurrent kernel, h (b, u), c of an LSTM, bias?, mask (b, t)? -> outputs, states, saved."""
    xp, network, dtype = devices.module_of(xs[0]), NETWORKS[layout.network], xs[0].dtype
    given = _on_arrays(layout.given(xs), xp)
    (steps, batch, _), units = given.x.shape, given.recurrent.shape[0]
    scales = _scales(network, units, given.x.dtype, xp)
    kernel, recurrent = given.kernel * scales, given.recurrent * scales
    late, bias = None, given.bias
    if bias is not None:
        if network.reset_after:
            late = bias[1, 2 * units :]
            bias = xp.concatenate([bias[0, : 2 * units] + bias[1, : 2 * units], bias[0, 2 * units :]])
        bias = bias * scales
    if network.traced is not None and given.mask is None and isinstance(given.x, devices.StandIn):
        h, *saved = network.traced[0](given.x, kernel, given.states, recurrent, scales, bias)
        return _results(network, h, saved, dtype)
    z = _times(xp, given.x, kernel)
    if bias is not None:
        z += bias
    h = xp.empty((steps + 1, batch, units), given.x.dtype)
    h[0] = given.states[0]
    rest = Rest(xp, network, given.mask, given.states[-1], scales, late)
    turned = recurrent.T if is_packed(recurrent, h) else recurrent.T.copy("C")
    saved = network.forward(z, h, turned, rest)
    return _results(network, h, saved, dtype)


def _results(network, h, saved, dtype):
    """Outputs, last states and what is saved, from all states h (steps + 1, batch, u)."""
    ends = [h, saved[1]] if network.states == 2 else [h]
    outputs = h[1:].transpose(1, 0, 2).astype(dtype, copy=False)
    return (outputs, *[one[-1].astype(dtype) for one in ends], h, *saved)


def _parts_of_grad(xs, layout, there):
    """The list of inputs of `_recurrent_grad` as: cotangents with None where there are none, inputs, saved arrays."""
    count = builtins.sum(there)
    given = iter(xs[:count])
    inputs = layout.count() + layout.masked
    return [next(given) if one else None for one in there], xs[count : count + inputs], xs[count + inputs :]


def _grad_specs(xs, layout, there, wanted):
    _, inputs, _ = _parts_of_grad(xs, layout, there)
    return tuple([Spec(x.shape, x.dtype) for x, need in zip(inputs, wanted, strict=False) if need])


def _grad_vjp(g, xs, layout, there, wanted):
    """The transposed derivative of `_recurrent_grad`: that of the gradient of the steps in ops."""
    count, differentiable = builtins.sum(there), layout.count()
    end = count + differentiable
    masks = list(xs[end : end + layout.masked])
    chosen = [one is not None for one in g]

    def gradient(*args):
        def public(*inputs):
            out = _in_ops([*inputs, *masks], layout)
            return [one for one, has in zip(out, there, strict=True) if has]

        found = vjp(public, *args[count:])[1](list(args[:count]))
        found = [one for one, need in zip(found, wanted, strict=True) if need]
        return [one for one, has in zip(found, chosen, strict=True) if has]

    back = vjp(gradient, *xs[:end])[1]([one for one in g if one is not None])
    return [*back, *[None] * (len(xs) - end)]


@custom(vjp=_grad_vjp, infer=_grad_specs, several=True, variadic=True)
def _recurrent_grad(xs, layout, there, wanted):
    """xs: cotangents of outputs and states as far as `there`, inputs, saved -> cotangents of the inputs `wanted`."""
    xp, network = devices.module_of(xs[0]), NETWORKS[layout.network]
    gs, inputs, (h, *saved) = _parts_of_grad(xs, layout, there)
    like = layout.given(inputs)
    given = _on_arrays(like, xp)
    dtype = h.dtype
    gout = None if gs[0] is None else gs[0].transpose(1, 0, 2)
    ends = [xp.zeros(h.shape[1:], dtype) if one is None else one.astype(dtype) for one in gs[1:]]
    rest = Rest(xp, network, given.mask, ends[-1])
    traced = network.traced is not None and given.mask is None and isinstance(h, devices.StandIn)
    backward = network.traced[1] if traced else network.backward
    states, dz, dinner, of_recurrent = backward(saved, h, ends[0], gout, given.recurrent, rest)
    flat, results = _rows(dz), []
    if wanted[0]:
        of_x = xp.matmul(flat, given.kernel.T).reshape(given.x.shape)
        results.append(of_x.transpose(1, 0, 2))
    if wanted[1]:
        results.append(xp.matmul(_rows(given.x).T, flat))
    if wanted[2]:
        results.append(of_recurrent)
    results += [one for one, need in zip(states, wanted[3:], strict=False) if need]
    if layout.biased and wanted[-1]:
        of_bias = np.add.reduce(flat, 0)
        results.append(xp.stack([of_bias, np.add.reduce(_rows(dinner), 0)]) if network.reset_after else of_bias)
    likes = [x for x, need in zip(inputs, wanted, strict=False) if need]
    return tuple([one.astype(x.dtype, copy=False) for one, x in zip(results, likes, strict=True)])


def _in_ops(xs, layout):
    """The outputs and final states of `_recurrent`, step by step in ops: for derivatives of its derivative."""
    dtype, network = xs[0].dtype, NETWORKS[layout.network]
    if dtype.itemsize == 2:
        xs = [cast(x, "float32") if dtypes.is_floating(x.dtype) else x for x in xs]
    given = layout.given(xs)
    states, outputs = given.states, []
    for t, x in enumerate(unstack(given.x, axis=1)):
        new = network.step(given, x, states)
        if given.mask is not None:
            new = [where(expand_dims(given.mask[:, t], -1), a, b) for a, b in zip(new, states, strict=True)]
        states = tuple(new)
        outputs.append(states[0])
    stacked = stack(outputs, 1) if outputs else zeros((*given.x.shape[:2], given.recurrent.shape[0]), given.x.dtype)
    return [cast(one, dtype) for one in (stacked, *states)]


# -- public -------------------------------------------------------------------------------------


def _fused(where_, network, x, states, kernel, recurrent_kernel, bias, mask, zero_output_for_mask):
    """Checks shapes, lets dtypes meet, fills in states, and runs the op."""
    gates = len(NETWORKS[network].gates)
    x, kernel, recurrent_kernel = [convert_to_tensor(one) for one in (x, kernel, recurrent_kernel)]
    if x.ndim != 3:
        raise ShapeError(where_, "x must be (batch, time, features)", f"x has shape {x.shape}",
                         "add the missing axes with edl.expand_dims")  # fmt: skip
    batch, steps, features = x.shape
    units = recurrent_kernel.shape[0] if recurrent_kernel.ndim else 0
    expected = {"kernel": (features, gates * units), "recurrent_kernel": (units, gates * units)}
    tensors = {"kernel": kernel, "recurrent_kernel": recurrent_kernel}
    for name, state in states.items():
        expected[name] = (batch, units)
        tensors[name] = zeros((batch, units), x.dtype) if state is None else convert_to_tensor(state)
    if bias is not None:
        expected["bias"] = (2, gates * units) if NETWORKS[network].reset_after else (gates * units,)
        tensors["bias"] = convert_to_tensor(bias)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name]:
            raise ShapeError(where_, f"{name} must be {expected[name]} for x {x.shape} and {units} units",
                             f"{name} has shape {tensor.shape}", "check the last axis of x, and the arguments' order")  # fmt: skip
    tensors = {"x": x, **tensors}
    (dtype,) = dtypes.to_floating([dtypes.result_type(*[one.dtype for one in tensors.values()])])
    if not dtypes.is_floating(dtype):
        raise DTypeError(where_, "real numbers are needed", f"got {dtype}", "take edl.real and edl.imag apart")
    tensors = {name: one if one.dtype == dtype else cast(one, dtype) for name, one in tensors.items()}
    xs = list(tensors.values())
    if mask is not None:
        mask = _mask(where_, mask, (batch, steps))
        xs.append(mask)
    outputs, *ends = _recurrent(xs, Layout(network, bias is not None, mask is not None))[: 1 + len(states)]
    if mask is not None and zero_output_for_mask:
        outputs = where(expand_dims(mask, -1), outputs, 0)
    return outputs, *ends


def _mask(where_, mask, shape):
    mask = convert_to_tensor(mask)
    if mask.shape != shape:
        raise ShapeError(where_, f"mask must be (batch, time) = {shape}", f"mask has shape {mask.shape}",
                         "give one bool per step")  # fmt: skip
    return mask if mask.dtype == dtypes.bool_ else cast(mask, "bool")


def simple_rnn(x, h, kernel, recurrent_kernel, bias=None, mask=None, zero_output_for_mask=False):
    """x (b, t, f), h (b, u), kernel (f, u), recurrent_kernel (u, u), bias (u,) -> outputs (b, t, u), last h (b, u).

    All steps ``h' = tanh(x W + h U + b)`` of a recurrent network; it agrees with `simple_rnn_step` to rounding.

    Args:
        x: the inputs of all steps.
        h: the state before the first step, or None for zeros.
        kernel, recurrent_kernel, bias: W, U and b; bias may be None.
        mask: (b, t), False for steps that are left out: they keep the state. None leaves out none.
        zero_output_for_mask: whether the output of such steps is 0; else it is the state.

    Raises:
        ShapeError: if shapes do not fit.
        DTypeError: for complex numbers.

    Example:
        >>> from eagerdl.ops.recurrent import simple_rnn
        >>> outputs, h = simple_rnn(edl.ones((2, 5, 3)), None, edl.ones((3, 4)), edl.ones((4, 4)))
        >>> outputs.shape, h.shape
        ((2, 5, 4), (2, 4))

    Source: Elman, 1990, "Finding structure in time".
    """
    states = {"h": h}
    return _fused("simple_rnn", "simple_rnn", x, states, kernel, recurrent_kernel, bias, mask, zero_output_for_mask)


def gru(x, h, kernel, recurrent_kernel, bias=None, mask=None, reset_after=True, zero_output_for_mask=False):
    """x (b, t, f), h (b, u), kernel (f, 3 u), recurrent_kernel (u, 3 u), bias -> outputs (b, t, u), last h (b, u).

    All steps of a gated recurrent unit, as in `gru_step` with tanh and sigmoid; they agree to rounding.

    Args:
        x: the inputs of all steps.
        h: the state before the first step, or None for zeros.
        kernel, recurrent_kernel: the columns are those of update gate, reset gate and candidate.
        bias: (2, 3 u) with `reset_after`, else (3 u,); or None.
        mask: (b, t), False for steps that are left out: they keep the state. None leaves out none.
        reset_after: whether the reset gate acts behind the product with the recurrent kernel.
        zero_output_for_mask: whether the output of steps left out is 0; else it is the state.

    Raises:
        ShapeError: if shapes do not fit.
        DTypeError: for complex numbers.

    Example:
        >>> from eagerdl.ops.recurrent import gru
        >>> outputs, h = gru(edl.ones((2, 5, 3)), None, edl.ones((3, 12)), edl.ones((4, 12)))
        >>> outputs.shape, h.shape
        ((2, 5, 4), (2, 4))

    Source: Cho et al., 2014, arXiv:1406.1078.
    """
    network = "gru_reset_after" if reset_after else "gru"
    return _fused("gru", network, x, {"h": h}, kernel, recurrent_kernel, bias, mask, zero_output_for_mask)


def lstm(x, h, c, kernel, recurrent_kernel, bias=None, mask=None, zero_output_for_mask=False):
    """x (b, t, f), h, c (b, u), kernel (f, 4 u), recurrent_kernel (u, 4 u), bias (4 u,) -> outputs (b, t, u), h, c (b, u).

    All steps of a long short-term memory, as in `lstm_step` with tanh and sigmoid; they agree to rounding.

    Args:
        x: the inputs of all steps.
        h, c: the states before the first step; None for zeros.
        kernel, recurrent_kernel, bias: the columns are those of input gate, forget gate, candidate and output gate; bias
            may be None.
        mask: (b, t), False for steps that are left out: they keep both states. None leaves out none.
        zero_output_for_mask: whether the output of such steps is 0; else it is the state h.

    Raises:
        ShapeError: if shapes do not fit.
        DTypeError: for complex numbers.

    Example:
        >>> from eagerdl.ops.recurrent import lstm
        >>> outputs, h, c = lstm(edl.ones((2, 5, 3)), None, None, edl.ones((3, 16)), edl.ones((4, 16)))
        >>> outputs.shape, h.shape, c.shape
        ((2, 5, 4), (2, 4), (2, 4))

    Source: Hochreiter & Schmidhuber, 1997, "Long short-term memory".
    """
    states = {"h": h, "c": c}
    return _fused("lstm", "lstm", x, states, kernel, recurrent_kernel, bias, mask, zero_output_for_mask)
