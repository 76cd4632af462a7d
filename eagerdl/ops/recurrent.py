"""Recurrent networks over whole sequences: `simple_rnn`, `gru` and `lstm` run all steps in one op.

The inputs of all steps are projected by one matrix product, each step is one product with the recurrent kernel and a few
passes over arrays that were allocated before, and the gradients of the kernels are one product each over all steps. The
recurrent kernel is packed once for all steps (`recurrent_products`). In a compiled LSTM each step projects its own input, by
the same products.

They agree with the single steps of `recurrent_steps` to rounding, not to the bit: they add up ``x W + h U + b`` in another
order, compute the tanh of an LSTM as ``2 / (1 + exp(-2 x)) - 1`` (so that all gates of a step are one call of exp), and work in
float32 where the inputs have half precision. In float32 that is an absolute difference of about 1e-7 per step in states
that are at most 1 in size. Equal calls of the same op give equal bits.

What is done on arrays is in `recurrent_arrays`.
"""

import builtins
from typing import Any, NamedTuple

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom, vjp
from eagerdl.errors import DTypeError, ShapeError
from eagerdl.ops import recurrent_arrays as arrays
from eagerdl.ops import recurrent_products
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import zeros
from eagerdl.ops.joining import unstack
from eagerdl.ops.recurrent_steps import gru_step, lstm_step, simple_rnn_step
from eagerdl.ops.shape import expand_dims, stack

__all__ = ["gru", "lstm", "simple_rnn"]


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
        "t", 1, arrays.simple_rnn_forward, arrays.simple_rnn_backward,
        lambda given, x, states: (simple_rnn_step(x, states[0], given.kernel, given.recurrent, given.bias),),
        lambda t, b, u: ((t, b, u),)),
    "lstm": Network(
        "ssgs", 2, arrays.lstm_forward, arrays.lstm_backward,
        lambda given, x, states: lstm_step(x, states[0], states[1], given.kernel, given.recurrent, given.bias),
        lambda t, b, u: ((t, b, 4 * u), (t + 1, b, u), (t, b, u)),
        traced=(arrays.lstm_forward_traced, arrays.lstm_backward_traced)),
    "gru": Network(
        "sst", 1, arrays.gru_forward, arrays.gru_backward,
        lambda given, x, states: (gru_step(x, states[0], given.kernel, given.recurrent, given.bias, False),),
        lambda t, b, u: ((t, b, 3 * u), (t, b, u))),
    "gru_reset_after": Network(
        "sst", 1, arrays.gru_forward, arrays.gru_backward,
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


@custom(vjp=_recurrent_vjp, infer=_specs, several=True, variadic=True, heavy=True)
def _recurrent(xs, layout):
    """xs: x (b, t, f), kernel, recurrent kernel, h (b, u), c of an LSTM, bias?, mask (b, t)? -> outputs, states, saved."""
    xp, network, dtype = devices.module_of(xs[0]), NETWORKS[layout.network], xs[0].dtype
    given = _on_arrays(layout.given(xs), xp)
    (steps, batch, _), units = given.x.shape, given.recurrent.shape[0]
    scales = arrays.scales(network, units, given.x.dtype, xp)
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
    z = recurrent_products.times(xp, given.x, kernel)
    if bias is not None:
        z += bias
    h = xp.empty((steps + 1, batch, units), given.x.dtype)
    h[0] = given.states[0]
    rest = Rest(xp, network, given.mask, given.states[-1], scales, late)
    turned = recurrent.T if recurrent_products.is_packed(recurrent, h) else recurrent.T.copy("C")
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


@custom(vjp=_grad_vjp, infer=_grad_specs, several=True, variadic=True, heavy=True)
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
    flat, results = recurrent_products.rows_of(dz), []
    if wanted[0]:
        of_x = xp.matmul(flat, given.kernel.T).reshape(given.x.shape)
        results.append(of_x.transpose(1, 0, 2))
    if wanted[1]:
        results.append(xp.matmul(recurrent_products.rows_of(given.x).T, flat))
    if wanted[2]:
        results.append(of_recurrent)
    results += [one for one, need in zip(states, wanted[3:], strict=False) if need]
    if layout.biased and wanted[-1]:
        of_bias = np.add.reduce(flat, 0)
        results.append(
            xp.stack([of_bias, np.add.reduce(recurrent_products.rows_of(dinner), 0)])
            if network.reset_after
            else of_bias
        )
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
