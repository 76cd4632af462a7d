"""An encoder and a decoder that learn to add by looking at examples such as "47+8" and "55".

    python examples/addition_seq2seq.py [--digits 2]

One LSTM reads the question into a vector, another one writes the answer out of it (Sutskever et al., 2014,
arXiv:1409.3215), letter by letter. The question is read backwards, which brings the digits that matter first closer
together. The network gets nearly all questions right that it never saw.
"""

import argparse

import numpy as np

import eagerdl as edl
from eagerdl import layers

ALPHABET = "0123456789+ "


def encode(texts, length):
    """Texts, padded with spaces -> one-hot letters (n, length, 12)."""
    letters = np.array([[ALPHABET.index(letter) for letter in text.ljust(length)] for text in texts])
    return np.eye(len(ALPHABET), dtype="float32")[letters]


def decode(x):
    """Probabilities or one-hot letters (n, length, 12) -> texts."""
    return ["".join(ALPHABET[index] for index in row).rstrip() for row in x.argmax(-1)]


def sums(a, b, digits):
    """Pairs of numbers -> questions "a+b" and "b+a", backwards, and answers, both one-hot."""
    pairs = [*zip(a, b), *zip(b, a)]
    questions = encode([f"{a}+{b}".ljust(2 * digits + 1)[::-1] for a, b in pairs], 2 * digits + 1)
    return questions, encode([f"{a + b}" for a, b in pairs], digits + 1)


def data(digits, count, held_out, seed):
    """Two pairs of questions and answers: to train on `count` pairs of numbers, and to test on `held_out` other ones."""
    a, b = np.triu_indices(10**digits)  # every pair once: whoever knows a+b knows b+a
    chosen = np.random.default_rng(seed).permutation(len(a))
    return [sums(a[part], b[part], digits) for part in (chosen[held_out:][:count], chosen[:held_out])]


def build(digits, units=128):
    """Questions (n, 2 * digits + 1, 12) -> probabilities of the letters of answers (n, digits + 1, 12)."""
    return edl.Sequential(
        [
            edl.Input((2 * digits + 1, len(ALPHABET))),
            layers.LSTM(units),
            layers.RepeatVector(digits + 1),
            layers.LSTM(units, return_sequences=True),
            layers.Dense(len(ALPHABET), "softmax"),
        ]
    )


def train(digits=2, epochs=30, count=4545, held_out=505, seed=0, verbose="auto"):
    """A model that was trained, its history, and the questions and answers that it has never seen."""
    edl.utils.set_random_seed(seed)
    training, testing = data(digits, count, held_out, seed)
    model = build(digits)
    steps = epochs * len(training[0]) // 64
    model.compile(
        optimizer=edl.optimizers.Adam(edl.optimizers.schedules.CosineDecay(0.005, steps), global_clipnorm=1.0),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(*training, batch_size=64, epochs=epochs, validation_data=testing, verbose=verbose)
    return model, history.history, testing


def main(**settings):
    model, history, (x, y) = train(**settings)
    answers, right = decode(model.predict(x, verbose=0)), decode(y)
    for question, answer, truth in list(zip(decode(x[:, ::-1]), answers, right))[:8]:
        print(f"{question} = {answer}" if answer == truth else f"{question} = {answer}, wrong: it is {truth}")
    share = np.mean([answer == truth for answer, truth in zip(answers, right)])
    print(f"{share:.1%} of {len(right)} new questions answered right")
    return history, share


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--digits", type=int, choices=(1, 2, 3), default=2, help="of the numbers, at most (default: %(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=30, help="passes over the examples (default: %(default)s)")
    parser.add_argument("--count", type=int, default=4545, help="pairs of numbers to train on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
