"""Recurrent layers: cells, the layers that run them over sequences, and wrappers along the time axis."""

from eagerdl.nn.recurrent.bidirectional import Bidirectional
from eagerdl.nn.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell
from eagerdl.nn.recurrent.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from eagerdl.nn.recurrent.rnn import RNN
from eagerdl.nn.recurrent.sequences import GRU, LSTM, SimpleRNN
from eagerdl.nn.recurrent.stacked import StackedRNNCells
from eagerdl.nn.recurrent.time_distributed import TimeDistributed

__all__ = [
    "GRU", "LSTM", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRUCell", "LSTMCell", "SimpleRNN",
    "SimpleRNNCell", "StackedRNNCells", "TimeDistributed",
]  # fmt: skip
