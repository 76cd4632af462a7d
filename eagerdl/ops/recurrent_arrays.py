"""All steps of recurrent networks on arrays, forward and back, in arrays that were allocated before; those of an LSTM as loops of a
trace, too.

Arrays are time-major, (steps, batch, features), so that each step is one block of memory.

A forward gets z, all inputs projected, h (steps + 1, batch, u), of which it fills all but the first, the recurrent kernel `turned`
(its transpose), and the `recurrent.Rest`; it gives what is saved. A backward gets that, h, the cotangents of the last and of all
states, and the recurrent kernel; it gives the cotangents of the first states, of z, of what the recurrent kernel was multiplied to,
and of that kernel.
"""

import builtins

import numpy as np

from eagerdl.ops import control_flow
from eagerdl.ops.recurrent_products import Turned, is_packed, is_stepwise, rows_of, times, traced_product

SCALES = {"s": -1.0, "g": -2.0, "t": 1.0}  # of what is before an activation


def scales(network, units, dtype, xp):
    """By what the projections of each gate are multiplied: exactly, so that it may be done once for all steps, in the kernels."""
    return xp.repeat(xp.asarray([SCALES[gate] for gate in network.gates], dtype), units)


def _activate(gates, scales=-1):
    """Sigmoid and tanh of z from ``scales * z``, in place: -scales / (1 + exp(scales * z)) + 1 + scales."""
    np.exp(gates, out=gates)
    gates += 1
    np.divide(-scales, gates, out=gates)
    gates += 1 + scales
    return gates


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


def simple_rnn_forward(z, h, turned, rest):
    """All states of a simple recurrent network."""
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


def simple_rnn_backward(saved, h, dh, gout, recurrent, rest):
    """Its cotangents."""
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
    return (dh,), dz, dz, xp.matmul(rows_of(h[:-1]).T, rows_of(dz))


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


def lstm_forward(z, h, turned, rest):
    """All gates, cells and states of an LSTM."""
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


def lstm_backward(saved, h, dh, gout, recurrent, rest):
    """Its cotangents."""
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
    return (dh, dc), dz, dz, xp.matmul(rows_of(h[:-1]).T, rows_of(dz))


def lstm_forward_traced(x, kernel, states, recurrent, scales, bias):
    """All states, gates, cells and their tanh, as a loop of the trace under way."""
    inside = is_stepwise(*control_flow.staged.examples((kernel, x)))  # whether each step projects its own input
    along = x if inside else times(np, x, kernel)
    packed = is_packed(*control_flow.staged.examples((recurrent, states[0])))
    recurrent = recurrent if packed else recurrent.T.copy("C")

    def step(h, c, z):
        z = traced_product(z, kernel, False) if inside else z
        z = z if bias is None else np.add(z, bias)
        gates, cell, bent, h = _lstm_cell(z, traced_product(h, recurrent, not packed), c, scales)
        return [h, cell], [gates, cell, bent, h]

    _, (gates, c, bent, h) = control_flow.staged.array_loop(
        "lstm", step, states, [along], spare=() if inside else (0,), begun={1: 1, 3: 0}, each=True
    )
    return h, gates, c, bent


def lstm_backward_traced(saved, h, dh, gout, recurrent, rest):
    """Its cotangents, as a loop of the trace under way."""
    gates, c, bent = saved

    def step(dh, dc, gates, c, bent, *gout):
        d, dc = _lstm_cell_back(gates, c, bent, np.add(dh, gout[0]) if gout else dh, dc)
        return [traced_product(d, recurrent), dc], [d]

    along = [gates, c[:-1], bent] if gout is None else [gates, c[:-1], bent, gout]
    (dh, dc), (dz,) = control_flow.staged.array_loop("lstm", step, [dh, rest.c], along, reverse=True, each=True)
    return (dh, dc), dz, dz, np.matmul(rows_of(h[:-1]).T, rows_of(dz))


def gru_forward(z, h, turned, rest):
    """All gates and states of a gated recurrent unit."""
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


def gru_backward(saved, h, dh, gout, recurrent, rest):
    """Its cotangents."""
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
        return (dh,), dz, dinner, xp.matmul(rows_of(h[:-1]).T, rows_of(dinner))
    flat = rows_of(dz)
    of_gates = xp.matmul(rows_of(h[:-1]).T, flat[:, : 2 * u])
    of_candidate = xp.matmul(rows_of(inner).T, flat[:, 2 * u :])
    return (dh,), dz, dz, xp.concatenate([of_gates, of_candidate], 1)
