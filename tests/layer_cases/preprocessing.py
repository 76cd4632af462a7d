"""Rows of the layers of numbers, categories, text and sound in `eagerdl/nn/preprocessing`."""

import numpy as np
from layer_cases.builders import Row, integers, normal

import eagerdl as edl

L = edl.layers
WORDS = np.array(["a", "bb", "ccc", "dd", "e f", "A?", ""])


def words(*shape):
    return lambda generator, batch: WORDS[generator.integers(0, len(WORDS), (batch, *shape))]


def pair(*inputs):
    return lambda generator, batch: [make(generator, batch) for make in inputs]


def digits_of_bins(w, x):
    return np.searchsorted([-0.5, 0.0, 1.0], x, side="right").astype("int32")


def counts(x, depth):
    return np.stack([np.bincount(row, minlength=depth) for row in x]).astype("float64")


def numbers_of(x, table, unknown):
    return np.vectorize(lambda token: table.get(token, unknown), otypes=["int64"])(x)


def window_spectra(x, n=8, step=4, points=8):
    frames = np.stack([x[:, i : i + n, 0] for i in range(0, x.shape[1] - n + 1, step)], axis=1)
    return np.fft.rfft(frames, points)


def mel_power(w, x):
    mel = lambda f: 1127 * np.log(1 + f / 700)  # noqa: E731
    t = np.arange(16)
    padded = np.pad(x, [(0, 0), (8, 8)], mode="reflect")
    frames = np.stack([padded[:, i : i + 16] for i in range(0, padded.shape[1] - 15, 8)], axis=1)
    power = np.abs(np.fft.rfft(frames * (0.5 - 0.5 * np.cos(2 * np.pi * t / 16)))) ** 2
    edges = np.linspace(mel(20.0), mel(500.0), 5)
    out = np.zeros((*power.shape[:2], 3))
    for k in range(1, 9):
        for m in range(3):
            low, middle, high = edges[m : m + 3]
            f = mel(k * 1000 / 16)
            weight = (f - low) / (middle - low) if f < middle else (high - f) / (high - middle)
            out[..., m] += max(weight, 0) * power[..., k]
    return out.swapaxes(1, 2)


VOCABULARY = {"a": 2, "bb": 3, "ccc": 4, "": 0}
INTEGERS = {5: 1, 3: 2, 1: 3}

CASES = {
    "Normalization": Row(
        lambda: L.Normalization(), normal(3), weights=[(3,), (3,), ()], mask=True,
        reference=lambda w, x: x,
    ),
    "Normalization with given moments": Row(
        lambda: L.Normalization(axis=1, mean=[1.0, 2.0], variance=[4.0, 9.0]), normal(2, 3), mask=True,
        reference=lambda w, x: (x - [[1.0], [2.0]]) / [[2.0], [3.0]],
    ),
    "Normalization of everything, inverted": Row(
        lambda: L.Normalization(axis=None, mean=3.0, variance=4.0, invert=True), normal(2, 3), mask=True,
        reference=lambda w, x: x * 2 + 3,
    ),
    "Rescaling": Row(
        lambda: L.Rescaling([1.0, 2.0, 3.0], offset=-1.0), normal(2, 3), mask=True,
        reference=lambda w, x: x * [1.0, 2.0, 3.0] - 1,
    ),
    "Discretization": Row(
        lambda: L.Discretization(bin_boundaries=[-0.5, 0.0, 1.0]), normal(3), floating=False, gradient=False,
        reference=digits_of_bins,
    ),
    "Discretization as counts": Row(
        lambda: L.Discretization(bin_boundaries=[-0.5, 0.0, 1.0], output_mode="count"), normal(3), gradient=False,
        reference=lambda w, x: counts(digits_of_bins(w, x), 4),
    ),
    "CategoryEncoding": Row(
        lambda: L.CategoryEncoding(5), integers(3, below=5),
        reference=lambda w, x: (counts(x, 5) > 0) * 1.0,
    ),
    "CategoryEncoding, weighted counts": Row(
        lambda: L.CategoryEncoding(5, output_mode="count"), integers(3, below=5), named={"count_weights": normal(3)},
        reference=lambda w, x, count_weights: np.einsum("bi,bij->bj", count_weights, np.eye(5)[x]),
    ),
    "CategoryEncoding, one-hot of one": Row(
        lambda: L.CategoryEncoding(5, output_mode="one_hot"), integers(1, below=5),
        reference=lambda w, x: np.eye(5)[x[:, 0]],
    ),
    "Hashing of integers": Row(
        lambda: L.Hashing(3), lambda generator, batch: np.arange(3 * batch).reshape(batch, 3) % 5, floating=False,
        reference=lambda w, x: np.array([1, 0, 1, 0, 2])[x],
    ),
    "Hashing of strings": Row(
        lambda: L.Hashing(4, mask_value="", salt=[133, 137], output_mode="multi_hot"), words(3), symbols=False,
    ),
    "HashedCrossing": Row(
        lambda: L.HashedCrossing(5), pair(integers(1, below=9), integers(1, below=9)), floating=False,
    ),
    "HashedCrossing of strings, one-hot": Row(
        lambda: L.HashedCrossing(5, output_mode="one_hot"), pair(words(), integers(below=9)), symbols=False,
    ),
    "IntegerLookup": Row(
        lambda: L.IntegerLookup(vocabulary=[5, 3, 1]), integers(3, below=7), floating=False,
        reference=lambda w, x: numbers_of(x, INTEGERS, 0),
    ),
    "IntegerLookup, masked counts": Row(
        lambda: L.IntegerLookup(vocabulary=[5, 3, 1], output_mode="count", mask_token=0), integers(3, below=7),
        reference=lambda w, x: np.stack([np.bincount(numbers_of(r[r != 0], INTEGERS, 0), minlength=4) for r in x]) * 1.0,
    ),
    "IntegerLookup, several out of vocabulary": Row(
        lambda: L.IntegerLookup(vocabulary=[5, 3, 1], num_oov_indices=2), integers(3, below=7), floating=False,
        reference=lambda w, x: np.where(np.isin(x, [5, 3, 1]), numbers_of(x, INTEGERS, 0) + 1, x % 2),
    ),
    "IntegerLookup inverted": Row(
        lambda: L.IntegerLookup(vocabulary=[5, 3, 1], invert=True), integers(3, below=6), floating=False,
        reference=lambda w, x: np.array([-1, 5, 3, 1, -1, -1])[x],
    ),
    "StringLookup": Row(
        lambda: L.StringLookup(vocabulary=["a", "bb", "ccc"], mask_token=""), words(3), floating=False, symbols=False,
        reference=lambda w, x: numbers_of(x, VOCABULARY, 1),
    ),
    "StringLookup, tf-idf": Row(
        lambda: L.StringLookup(vocabulary=["a", "bb"], idf_weights=[2.0, 4.0], output_mode="tf_idf"), words(3), symbols=False,
        reference=lambda w, x: counts(numbers_of(x, {"a": 1, "bb": 2}, 0), 3) * [3.0, 2.0, 4.0],
    ),
    "StringLookup inverted": Row(
        lambda: L.StringLookup(vocabulary=["a", "bb", "ccc"], invert=True), integers(3, below=6), floating=False, symbols=False,
    ),
    "TextVectorization": Row(
        lambda: L.TextVectorization(vocabulary=["a", "bb", "ccc"], output_sequence_length=2), words(), floating=False,
        symbols=False,
        reference=lambda w, x: np.array([{"a": [2, 0], "A?": [2, 0], "bb": [3, 0], "ccc": [4, 0], "dd": [1, 0],
                                          "e f": [1, 1], "": [0, 0]}[text] for text in x]),
    ),
    "TextVectorization of characters, n-grams": Row(
        lambda: L.TextVectorization(split="character", ngrams=2, vocabulary=["b", "b b"], output_mode="count",
                                    standardize=None), words(1), symbols=False,
        reference=lambda w, x: np.array([{"a": [1, 0, 0], "A?": [3, 0, 0], "bb": [0, 2, 1], "ccc": [5, 0, 0],
                                          "dd": [3, 0, 0], "e f": [5, 0, 0], "": [0, 0, 0]}[t] for t in x[:, 0]]) * 1.0,
    ),
    "MelSpectrogram": Row(
        lambda: L.MelSpectrogram(16, 8, sampling_rate=1000, num_mel_bins=3, power_to_db=False), normal(40),
        reference=mel_power,
    ),
    "MelSpectrogram in decibels": Row(
        lambda: L.MelSpectrogram(16, 8, sampling_rate=1000, num_mel_bins=3, top_db=30.0), normal(40), gradient=False,
        reference=lambda w, x: (lambda db: np.maximum(db, db.max() - 30))(10 * np.log10(mel_power(w, x))),
    ),
    "STFTSpectrogram": Row(
        lambda: L.STFTSpectrogram("magnitude", 8, window=None, scaling=None), normal(20, 1), weights=[(8, 1, 5)] * 2,
        reference=lambda w, x: np.abs(window_spectra(x)),
    ),
    "STFTSpectrogram, real parts of channels": Row(
        lambda: L.STFTSpectrogram("real", 8, window=None, scaling=None, expand_dims=True), normal(20, 2), weights=[(8, 1, 5)],
        reference=lambda w, x: np.stack([window_spectra(x[..., i:]).real for i in range(2)], axis=-1),
    ),
    "STFTSpectrogram, stft": Row(
        lambda: L.STFTSpectrogram("stft", 8, 3, padding="same", data_format="channels_first"), normal(2, 20),
        weights=[(8, 1, 5)] * 2,
    ),
    "STFTSpectrogram, power": Row(
        lambda: L.STFTSpectrogram("psd", 8, window=None, scaling=None), normal(20, 1), weights=[(8, 1, 5)] * 2,
        reference=lambda w, x: np.abs(window_spectra(x)) ** 2 * [1, 2, 2, 2, 1],
    ),
}  # fmt: skip
