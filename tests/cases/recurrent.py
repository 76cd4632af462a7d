import numpy as np
from cases.builders import case, complex_normal, fails, normal

import eagerdl.ops.recurrent  # noqa: F401  its names, and those of recurrent_steps, are found in edl.ops
from eagerdl.errors import DTypeError, ShapeError


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_rnn_step(x, h, kernel, recurrent_kernel, bias=None, activation=np.tanh):
    return activation(x @ kernel + h @ recurrent_kernel + (0 if bias is None else bias))


def lstm_step(x, h, c, kernel, recurrent_kernel, bias=None, activation=np.tanh, recurrent_activation=sigmoid):
    i, f, g, o = np.split(x @ kernel + h @ recurrent_kernel + (0 if bias is None else bias), 4, -1)
    c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
    return recurrent_activation(o) * activation(c), c


def gru_step(x, h, kernel, recurrent_kernel, bias=None, reset_after=True, activation=np.tanh,
             recurrent_activation=sigmoid):  # fmt: skip
    of_x, of_h = (0, np.zeros(3)) if bias is None else bias if reset_after else (bias, np.zeros(3))
    xz, xr, xg = np.split(x @ kernel + of_x, 3, -1)
    uz, ur, ug = np.split(recurrent_kernel, 3, -1)
    bz, br, bg = np.split(of_h, 3)
    z, r = recurrent_activation(xz + h @ uz + bz), recurrent_activation(xr + h @ ur + br)
    g = activation(xg + (r * (h @ ug + bg) if reset_after else (r * h) @ ug))
    return z * h + (1 - z) * g


def over_time(step, x, states, mask, zero_output_for_mask):
    """One example and one step after the other."""
    batch, steps = x.shape[:2]
    units = states[0].shape[1]
    outputs, ends = np.zeros((batch, steps, units)), [np.array(state) for state in states]
    for b in range(batch):
        for t in range(steps):
            if mask is None or mask[b, t]:
                new = step(x[b : b + 1, t], *[state[b : b + 1] for state in ends])
                for state, value in zip(ends, new, strict=True):
                    state[b] = value[0]
                outputs[b, t] = ends[0][b]
            elif not zero_output_for_mask:
                outputs[b, t] = ends[0][b]
    return outputs, *ends


def started(x, state, recurrent_kernel):
    return np.zeros((len(x), len(recurrent_kernel))) if state is None else state


def simple_rnn(x, h, kernel, recurrent_kernel, bias=None, mask=None, zero_output_for_mask=False):
    def step(x, h):
        return (simple_rnn_step(x, h, kernel, recurrent_kernel, bias),)

    return over_time(step, x, [started(x, h, recurrent_kernel)], mask, zero_output_for_mask)


def gru(x, h, kernel, recurrent_kernel, bias=None, mask=None, reset_after=True, zero_output_for_mask=False):
    def step(x, h):
        return (gru_step(x, h, kernel, recurrent_kernel, bias, reset_after),)

    return over_time(step, x, [started(x, h, recurrent_kernel)], mask, zero_output_for_mask)


def lstm(x, h, c, kernel, recurrent_kernel, bias=None, mask=None, zero_output_for_mask=False):
    def step(x, h, c):
        return lstm_step(x, h, c, kernel, recurrent_kernel, bias)

    states = [started(x, h, recurrent_kernel), started(x, c, recurrent_kernel)]
    return over_time(step, x, states, mask, zero_output_for_mask)


X, H, C = normal(2, 4, 3), normal(2, 2, salt=1), normal(2, 2, salt=2)
MASK = np.array([[False, True, True, False], [True, False, True, True]])


def weights(gates, bias=None):
    """Kernel, recurrent kernel and bias for 3 features and 2 units."""
    bias = (2 * gates,) if bias is None else bias
    return 0.7 * normal(3, 2 * gates), 0.7 * normal(2, 2 * gates), normal(*bias)


SIMPLE, LSTM, GRU, AFTER = weights(1), weights(4), weights(3), weights(3, (2, 6))


def dropped_gru(x, h, kernel, recurrent_kernel, bias, reset_after, dropped):
    """A gate after the other, each with its own input and state."""
    of_x, of_h = bias if reset_after else (bias, np.zeros(6))
    xz, xr, xg = [one @ part + b for one, part, b in zip(x, np.split(kernel, 3, -1), np.split(of_x, 3), strict=True)]
    uz, ur, ug = np.split(recurrent_kernel, 3, -1)
    bz, br, bg = np.split(of_h, 3)
    z, r = sigmoid(xz + dropped[0] @ uz + bz), sigmoid(xr + dropped[1] @ ur + br)
    g = np.tanh(xg + (r * (dropped[2] @ ug + bg) if reset_after else (r * dropped[2]) @ ug))
    return z * h + (1 - z) * g


XS, HS = [normal(2, 3, salt=i) for i in range(4)], [normal(2, 2, salt=i + 5) for i in range(4)]

CASES = {
    "recurrent_steps.project": [
        case(X[:, 0], LSTM[0], reference=lambda x, kernel: x @ kernel),
        case(XS, LSTM[0], reference=lambda xs, kernel: np.concatenate(
            [x @ part for x, part in zip(xs, np.split(kernel, 4, -1), strict=True)], -1)),
    ],
    "recurrent_steps.lstm_update": [
        case(normal(2, 8), C, reference=lambda z, c: lstm_step(np.zeros((2, 1)), 0 * C, c, np.zeros((1, 8)), np.zeros((2, 8)), z)),
        case(normal(8, 2, 3), normal(2, 2, 3), axis=0, reference=lambda z, c, axis: [one.T for one in lstm_step(
            np.zeros((3, 2, 1)), np.zeros((3, 2, 2)), c.T, np.zeros((1, 8)), np.zeros((2, 8)), z.T)]),
    ],
    "recurrent_steps.simple_rnn_step": [
        case(X[:, 0], H, *SIMPLE, reference=simple_rnn_step),
        case(X[:, 0], H, *SIMPLE[:2], activation=None,
             reference=lambda *args, **kwargs: simple_rnn_step(*args, activation=lambda x: x)),
    ],
    "recurrent_steps.lstm_step": [
        case(X[:, 0], H, C, *LSTM, reference=lstm_step),
        case(X[:, 0], H, C, *LSTM[:2], activation=None, recurrent_activation=None,
             reference=lambda *args, **kwargs: lstm_step(*args, None, lambda x: x, lambda x: x)),
    ],
    "recurrent_steps.gru_step": [
        case(X[:, 0], H, *AFTER, reference=gru_step),
        case(X[:, 0], H, *GRU, reset_after=False, reference=gru_step),
        case(X[:, 0], H, *GRU[:2], reference=lambda *args: gru_step(*args, np.zeros((2, 6)))),
        case(XS[:3], H, *AFTER, reset_after=True, dropped=HS[:3], reference=dropped_gru),
        case(XS[:3], H, *GRU, reset_after=False, dropped=HS[:3], reference=dropped_gru),
    ],
    "recurrent.simple_rnn": [
        case(X, H, *SIMPLE, reference=simple_rnn),
        case(X, None, *SIMPLE[:2], reference=simple_rnn),
        case(X, H, *SIMPLE, mask=MASK, reference=simple_rnn),
        case(X, H, *SIMPLE, mask=MASK, zero_output_for_mask=True, reference=simple_rnn),
        case(X[:, :0], H, *SIMPLE, reference=simple_rnn),
    ],
    "recurrent.lstm": [
        case(X, H, C, *LSTM, reference=lstm),
        case(X, None, None, *LSTM[:2], reference=lstm),
        case(X, H, C, *LSTM, mask=MASK, reference=lstm),
        case(X, H, C, *LSTM, mask=MASK, zero_output_for_mask=True, reference=lstm),
        case(X[:0], H[:0], C[:0], *LSTM, reference=lstm),
        case(X[:1, :1], H[:1], C[:1], *LSTM, reference=lstm, order=3),
    ],
    "recurrent.gru": [
        case(X, H, *AFTER, reference=gru),
        case(X, None, *AFTER[:2], reference=lambda *args: gru(*args, np.zeros((2, 6)))),
        case(X, H, *AFTER, mask=MASK, reference=gru),
        case(X, H, *GRU, reset_after=False, reference=gru),
        case(X, H, *GRU, reset_after=False, mask=MASK, zero_output_for_mask=True, reference=gru),
        case(X, None, *GRU[:2], reset_after=False, reference=gru),
    ],
}  # fmt: skip

FAILURES = [
    fails("recurrent.lstm", X[0], H, C, *LSTM, error=ShapeError, match=r"x must be \(batch, time, features\)"),
    fails("recurrent.lstm", X, H, C, *weights(3), error=ShapeError, match=r"kernel must be \(3, 8\) for x \(2, 4, 3\)"),
    fails("recurrent.gru", X, H[:1], *AFTER, error=ShapeError, match=r"h must be \(2, 2\)"),
    fails("recurrent.gru", X, H, *GRU, error=ShapeError, match=r"bias must be \(2, 6\)"),
    fails("recurrent.simple_rnn", X, H, *SIMPLE, mask=MASK[:, :2], error=ShapeError, match=r"mask must be .* \(2, 4\)"),
    fails("recurrent.simple_rnn", X, H, complex_normal(3, 2), *SIMPLE[1:], error=DTypeError, match="real numbers"),
]  # fmt: skip
