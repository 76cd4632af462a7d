"""Single steps of recurrent networks, with any activations: what cells compute, and what `recurrent` does for all steps."""

from eagerdl.ops.activation import sigmoid
from eagerdl.ops.elementary import tanh
from eagerdl.ops.joining import split
from eagerdl.ops.linalg import matmul
from eagerdl.ops.shape import concatenate

__all__ = ["gru_step", "lstm_step", "lstm_update", "project", "simple_rnn_step"]


def project(x, kernel):
    """x (b, f), kernel (f, n) -> (b, n). Their product; x may be a list of tensors, one for each equal part of the columns.

    A list serves dropout with a mask of its own for each gate.

    Example:
        >>> from eagerdl.ops.recurrent_steps import project
        >>> project([edl.ones((1, 2)), edl.zeros((1, 2))], edl.ones((2, 4)))
        Tensor(shape=(1, 4), dtype=float32, [[2. 2. 0. 0.]])
    """
    if not isinstance(x, list):
        return matmul(x, kernel)
    return concatenate([matmul(one, part) for one, part in zip(x, split(kernel, len(x), -1), strict=True)], -1)


def simple_rnn_step(x, h, kernel, recurrent_kernel, bias=None, activation=tanh):
    """x (b, f), h (b, u), kernel (f, u), recurrent_kernel (u, u), bias (u,) -> the next h (b, u).

    It is ``activation(x W + b + h U)``.

    Args:
        x: the input of the step.
        h: the state, which is the output of the step before.
        kernel, recurrent_kernel, bias: W, U and b; bias may be None.
        activation: a function of a tensor, or None for none.

    Example:
        >>> from eagerdl.ops.recurrent_steps import simple_rnn_step
        >>> simple_rnn_step(edl.ones((1, 2)), edl.zeros((1, 3)), edl.ones((2, 3)), edl.ones((3, 3)), activation=None)
        Tensor(shape=(1, 3), dtype=float32, [[2. 2. 2.]])

    Source: Elman, 1990, "Finding structure in time".
    """
    z = matmul(x, kernel)
    if bias is not None:
        z = z + bias
    z = z + matmul(h, recurrent_kernel)
    return z if activation is None else activation(z)


def lstm_update(z, c, activation=tanh, recurrent_activation=sigmoid, axis=-1):
    """z (..., 4 u), c (..., u) -> the next h and c (..., u). What an LSTM does with its projections.

    With the four parts of z under their activations as i, f, g and o, the cell becomes ``c' = f c + i g`` and the output
    ``h' = o tanh(c')``.

    Args:
        z: the input gate, forget gate, candidate and output gate before their activations.
        c: the cell.
        activation: the function of the candidate and of c', or None for none.
        recurrent_activation: the function of the three gates, or None.
        axis: along which z holds the four parts.

    Example:
        >>> from eagerdl.ops.recurrent_steps import lstm_update
        >>> h, c = lstm_update(edl.zeros((1, 4)), edl.ones((1, 1)))
        >>> float(c)
        0.5
    """
    i, f, g, o = split(z, 4, axis)
    c = _apply(recurrent_activation, f) * c + _apply(recurrent_activation, i) * _apply(activation, g)
    return _apply(recurrent_activation, o) * _apply(activation, c), c


def lstm_step(x, h, c, kernel, recurrent_kernel, bias=None, activation=tanh, recurrent_activation=sigmoid):
    """x (b, f), h, c (b, u), kernel (f, 4 u), recurrent_kernel (u, 4 u), bias (4 u,) -> the next h and c (b, u).

    It is `lstm_update` of ``x W + h U + b``.

    Args:
        x: the input of the step.
        h, c: the states. x and h may be lists of tensors, one for each gate.
        kernel, recurrent_kernel, bias: W, U and b; their columns are those of the input gate i, the forget gate f, the
            candidate g and the output gate o. bias may be None.
        activation, recurrent_activation: as in `lstm_update`.

    Example:
        >>> from eagerdl.ops.recurrent_steps import lstm_step
        >>> zero = edl.zeros((1, 1))
        >>> h, c = lstm_step(zero, zero, edl.ones((1, 1)), edl.ones((1, 4)), edl.ones((1, 4)))
        >>> float(c)
        0.5

    Source: Hochreiter & Schmidhuber, 1997, "Long short-term memory"; the forget gate: Gers et al., 2000.
    """
    z = project(x, kernel) + project(h, recurrent_kernel)
    return lstm_update(z if bias is None else z + bias, c, activation, recurrent_activation)


def gru_step(x, h, kernel, recurrent_kernel, bias=None, reset_after=True, activation=tanh, recurrent_activation=sigmoid,
             dropped=None):  # fmt: skip
    """x (b, f), h (b, u), kernel (f, 3 u), recurrent_kernel (u, 3 u), bias -> the next h (b, u).

    The update gate z, the reset gate r and the candidate g make ``h' = z h + (1 - z) g``. The candidate is
    ``tanh(x W + b + r (h U + b'))`` with `reset_after`, else ``tanh(x W + b + (r h) U)``.

    Args:
        x: the input of the step, or a list of tensors, one for each gate.
        h: the state, which is the output of the step before.
        kernel, recurrent_kernel: W and U; their columns are those of z, r and g.
        bias: (2, 3 u) with `reset_after`, for the input and the state; else (3 u,). None for none.
        reset_after: whether the reset gate acts behind the product with the recurrent kernel.
        activation: the function of the candidate, or None for none.
        recurrent_activation: the function of the two gates, or None.
        dropped: a list of three tensors that take the place of h in the products, one for each gate; None for h itself.

    Example:
        >>> from eagerdl.ops.recurrent_steps import gru_step
        >>> zero = edl.zeros((1, 1))
        >>> float(gru_step(zero, edl.ones((1, 1)), edl.ones((1, 3)), edl.zeros((1, 3))))
        0.5

    Source: Cho et al., 2014, arXiv:1406.1078.
    """
    of_x, of_h = (None, None) if bias is None else (bias[0], bias[1]) if reset_after else (bias, None)
    first = 2 * h.shape[-1]
    x = project(x, kernel)
    if of_x is not None:
        x = x + of_x
    if reset_after:
        inner = project(h if dropped is None else dropped, recurrent_kernel)
        if of_h is not None:
            inner = inner + of_h
        gates = x[..., :first] + inner[..., :first]
    else:
        gates = x[..., :first] + project(h if dropped is None else dropped[:2], recurrent_kernel[:, :first])
    update, reset = split(_apply(recurrent_activation, gates), 2, -1)
    if reset_after:
        inner = reset * inner[..., first:]
    else:
        inner = matmul(reset * (h if dropped is None else dropped[2]), recurrent_kernel[:, first:])
    return update * h + (1 - update) * _apply(activation, x[..., first:] + inner)


def _apply(function, x):
    return x if function is None else function(x)
