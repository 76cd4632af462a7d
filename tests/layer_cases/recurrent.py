"""Rows of the layers in `eagerdl/nn/recurrent`."""

import numpy as np
from cases import recurrent as steps
from cases.convolution import conv
from layer_cases.builders import Row, normal

import eagerdl as edl

L = edl.layers
MASK = np.array([[True, True, False, True], [False, True, True, False], [True, False, False, False]])


def mask(generator, batch):
    return np.resize(MASK, (batch, 4))


def state(generator, batch):
    return generator.standard_normal((batch, 2))


def states(generator, batch):
    return [state(generator, batch), state(generator, batch)]


def keeping_output(new):
    return new[0], *new


def stacked_step(w, x, first, second):
    first = steps.lstm_step(x, *first, *w[:3])
    second = steps.simple_rnn_step(first[0], second, *w[3:])
    return second, *first, second


def zeros(x, units=2):
    return np.zeros((len(x), units))


def simple(w, x, h=None, **named):
    return steps.simple_rnn(x, h, w[0], w[1], w[2] if len(w) > 2 else None, **named)


def gru(w, x, h=None, **named):
    return steps.gru(x, h, w[0], w[1], w[2] if len(w) > 2 else None, **named)


def lstm(w, x, h=None, c=None, **named):
    return steps.lstm(x, h, c, w[0], w[1], w[2] if len(w) > 2 else None, **named)


def stacked(w, x):
    outputs, h1, c1 = lstm(w[:3], x)
    outputs, h2 = gru(w[3:], outputs)
    return outputs, [h1, c1], h2


def both(merge):
    def reference(w, x):
        y, _ = gru(w[:3], x)
        back, _ = gru(w[3:], x[:, ::-1])
        return merge(y, back[:, ::-1])

    return reference


def conv_lstm(w, x, strides=1, padding="valid", dilation_rate=1, activation=np.tanh):
    """One step after the other; returns all outputs and the last states."""
    h = c = None
    outputs = []
    for t in range(x.shape[1]):
        z = conv(x[:, t], w[0], strides=strides, padding=padding, dilation_rate=dilation_rate) + w[2]
        if h is not None:
            z = z + conv(h, w[1], padding="same")
        c = np.zeros_like(z[..., : z.shape[-1] // 4]) if c is None else c
        shape = c.shape
        flat, cell = z.reshape(-1, z.shape[-1]), c.reshape(-1, shape[-1])
        one = (
            np.zeros((len(flat), 1)),
            np.zeros_like(cell),
            cell,
            np.zeros((1, z.shape[-1])),
            np.zeros((shape[-1], z.shape[-1])),
        )
        h, c = (part.reshape(shape) for part in steps.lstm_step(*one, flat, activation))
        outputs.append(h)
    return np.stack(outputs, 1), h, c


SIMPLE, GRU, LSTM = [(3, 2), (2, 2), (2,)], [(3, 6), (2, 6), (2, 6)], [(3, 8), (2, 8), (8,)]

CASES = {
    "SimpleRNNCell": Row(
        lambda: L.SimpleRNNCell(2, bias_initializer="normal"),
        normal(3), {"states": state}, SIMPLE,
        reference=lambda w, x, states: (steps.simple_rnn_step(x, states, *w),) * 2,
    ),
    "GRUCell": Row(
        lambda: L.GRUCell(2, activation="relu", bias_initializer="normal"),
        normal(3), {"states": state}, GRU,
        reference=lambda w, x, states: (steps.gru_step(x, states, *w, activation=lambda g: np.maximum(g, 0)),) * 2,
    ),
    "GRUCell that resets before the product": Row(
        lambda: L.GRUCell(2, reset_after=False, bias_initializer="normal"),
        normal(3), {"states": state}, [(3, 6), (2, 6), (6,)],
        reference=lambda w, x, states: (steps.gru_step(x, states, *w, reset_after=False),) * 2,
    ),
    "LSTMCell": Row(
        lambda: L.LSTMCell(2, bias_initializer="normal"),
        normal(3), {"states": states}, LSTM,
        reference=lambda w, x, states: keeping_output(steps.lstm_step(x, *states, *w)),
    ),
    "StackedRNNCells": Row(
        lambda: L.StackedRNNCells([L.LSTMCell(2), L.SimpleRNNCell(2)]),
        normal(3), {"states": lambda generator, batch: [states(generator, batch), state(generator, batch)]},
        [*LSTM, (2, 2), (2, 2), (2,)],
        reference=lambda w, x, states: stacked_step(w, x, *states),
    ),
    "RNN of stacked cells": Row(
        lambda: L.RNN(L.StackedRNNCells([L.LSTMCell(2), L.GRUCell(4)]), return_sequences=True, return_state=True),
        normal(5, 3), weights=[*LSTM, (2, 12), (4, 12), (2, 12)], reference=stacked,
    ),
    "RNN of an LSTMCell": Row(
        lambda: L.RNN(L.LSTMCell(2, activation="softsign", bias_initializer="normal"), return_state=True, go_backwards=True),
        normal(4, 3), weights=LSTM,
        reference=lambda w, x: [lstm_with(w, x[:, ::-1], lambda g: g / (1 + abs(g)))[i] for i in (0, 0, 1)],
    ),
    "SimpleRNN": Row(
        lambda: L.SimpleRNN(2, return_sequences=True, bias_initializer="normal"),
        normal(4, 3), weights=SIMPLE, mask=True, reference=lambda w, x: simple(w, x)[0],
    ),
    "SimpleRNN with a mask and a state": Row(
        lambda: L.SimpleRNN(2, use_bias=False, kernel_regularizer="l2", recurrent_regularizer="l1"),
        normal(4, 3), {"mask": mask, "initial_state": state}, SIMPLE[:2],
        reference=lambda w, x, mask, initial_state: simple(w, x, initial_state, mask=mask)[1],
    ),
    "GRU": Row(
        lambda: L.GRU(2, return_sequences=True, return_state=True, bias_initializer="normal"),
        normal(4, 3), weights=GRU, reference=gru,
    ),
    "GRU with a mask, backward": Row(
        lambda: L.GRU(2, return_sequences=True, reset_after=False, go_backwards=True, zero_output_for_mask=True),
        normal(4, 3), {"mask": mask}, [(3, 6), (2, 6), (6,)],
        reference=lambda w, x, mask: gru(w, x[:, ::-1], mask=mask[:, ::-1], reset_after=False, zero_output_for_mask=True)[0],
    ),
    "GRU of other activations": Row(
        lambda: L.GRU(2, activation="relu", recurrent_activation="hard_sigmoid", unroll=True),
        normal(1, 3), weights=GRU,
        reference=lambda w, x: steps.gru_step(x[:, 0], zeros(x), *w, activation=lambda g: np.maximum(g, 0),
                                              recurrent_activation=lambda g: np.clip(g / 6 + 0.5, 0, 1)),
    ),
    "GRU with dropout": Row(
        lambda: L.GRU(2, dropout=0.3, recurrent_dropout=0.3, seed=1),
        normal(4, 3), weights=GRU, random=True, reference=lambda w, x: gru(w, x)[1],
    ),
    "LSTM": Row(
        lambda: L.LSTM(2, return_state=True, return_sequences=True),
        normal(4, 3), weights=LSTM, reference=lstm,
    ),
    "LSTM with a mask": Row(
        lambda: L.LSTM(2, use_bias=False, activity_regularizer="l2"),
        normal(4, 3), {"mask": mask}, LSTM[:2], reference=lambda w, x, mask: lstm(w, x, mask=mask)[1],
    ),
    "LSTM with dropout": Row(
        lambda: L.LSTM(2, dropout=0.4, unit_forget_bias=False),
        normal(4, 3), weights=LSTM, random=True, reference=lambda w, x: lstm(w, x)[1],
    ),
    "Bidirectional": Row(
        lambda: L.Bidirectional(L.GRU(2, return_sequences=True)),
        normal(4, 3), weights=GRU * 2, mask=True, reference=both(lambda y, back: np.concatenate([y, back], -1)),
    ),
    "Bidirectional, averaged": Row(
        lambda: L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="ave"),
        normal(4, 3), weights=GRU * 2, mask=True, reference=both(lambda y, back: (y + back) / 2),
    ),
    "Bidirectional, apart": Row(
        lambda: L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode=None),
        normal(4, 3), weights=GRU * 2, reference=both(lambda y, back: (y, back)),
    ),
    "Bidirectional with states": Row(
        lambda: L.Bidirectional(L.LSTM(2, return_state=True), merge_mode="sum"),
        normal(4, 3), weights=LSTM * 2,
        reference=lambda w, x: (lstm(w[:3], x)[1] + lstm(w[3:], x[:, ::-1])[1], *lstm(w[:3], x)[1:], *lstm(w[3:], x[:, ::-1])[1:]),
    ),
    "TimeDistributed": Row(
        lambda: L.TimeDistributed(L.Dense(2, activation="tanh")),
        normal(4, 3), weights=[(3, 2), (2,)], reference=lambda w, x: np.tanh(x @ w[0] + w[1]),
    ),
    "ConvLSTM1D": Row(
        lambda: L.ConvLSTM1D(2, 3, strides=2, padding="same", return_state=True),
        normal(3, 5, 2), weights=[(3, 2, 8), (3, 2, 8), (8,)],
        reference=lambda w, x: [conv_lstm(w, x, strides=2, padding="same")[i] for i in (1, 1, 2)],
    ),
    "ConvLSTM2D": Row(
        lambda: L.ConvLSTM2D(2, (2, 3), return_sequences=True, dilation_rate=(2, 1), activation="relu"),
        normal(2, 4, 4, 2), weights=[(2, 3, 2, 8), (2, 3, 2, 8), (8,)],
        reference=lambda w, x: conv_lstm(w, x, dilation_rate=(2, 1), activation=lambda g: np.maximum(g, 0))[0],
    ),
    "ConvLSTM2D, channels first, dropout": Row(
        lambda: L.ConvLSTM2D(2, 3, data_format="channels_first", dropout=0.3, recurrent_dropout=0.3),
        normal(2, 2, 4, 4), weights=[(3, 3, 2, 8), (3, 3, 2, 8), (8,)], random=True,
        reference=lambda w, x: np.moveaxis(conv_lstm(w, np.moveaxis(x, 2, -1))[1], -1, 1),
    ),
    "ConvLSTM3D": Row(
        lambda: L.ConvLSTM3D(1, 2),
        normal(2, 3, 2, 2, 1), weights=[(2, 2, 2, 1, 4), (2, 2, 2, 1, 4), (4,)],
        reference=lambda w, x: conv_lstm(w, x)[1],
    ),
}  # fmt: skip


def lstm_with(w, x, activation):
    h = c = zeros(x)
    for t in range(x.shape[1]):
        h, c = steps.lstm_step(x[:, t], h, c, *w, activation)
    return h, c
