"""An encoder and a decoder that learn to add by looking at examples such as "47+8" and "55".

    python examples/addition_seq2seq.py [--digits 2]

One LSTM reads the question into a vector, another one writes the answer out of it (Sutskever et al., 2014,
arXiv:1409.3215), letter by letter. The question is read backwards, which brings the digits that matter first closer
together; so the network gets new questions right, too.
"""

import argparse

import numpy as np

import eagerdl as edl
from eagerdl import layers

ALPHABET = "0123456789+ "


def encode(texts):
    """Texts of one length -> one-hot letters (n, length, 12)."""
    letters = np.array([[ALPHABET.index(letter) for letter in text] for text in texts])
    return np.eye(len(ALPHABET), dtype="float32")[letters]


def decode(x):
    """Probabilities or one-hot letters (n, length, 12) -> texts."""
    return ["".join(ALPHABET[index] for index in row) for row in x.argmax(-1)]


def questions(count, digits, seed):
    """`count` questions, all different, "a+b" and "b+a" counted once, and their answers, padded with spaces."""
    rng = np.random.default_rng(seed)
    found = {}
    while len(found) < count:
        a, b = (int(rng.integers(10 ** rng.integers(1, digits + 1))) for _ in range(2))
        found.setdefault((min(a, b), max(a, b)), (f"{a}+{b}".ljust(2 * digits + 1), f"{a + b}".ljust(digits + 1)))
    return zip(*found.values())


def data(count, held_out, digits, seed):
    """Two pairs of x and y: to train, and to test on questions that were never seen."""
    asked, answers = questions(count, digits, seed)
    x, y = encode([question[::-1] for question in asked]), encode(answers)
    return (x[held_out:], y[held_out:]), (x[:held_out], y[:held_out])


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


def main(digits=2, epochs=40, count=5000, seed=0, verbose="auto"):
    edl.utils.set_random_seed(seed)
    training, (x_test, y_test) = data(count, count // 10, digits, seed)
    model = build(digits)
    model.compile(edl.optimizers.Adam(0.002), "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(*training, batch_size=32, epochs=epochs, validation_data=(x_test, y_test), verbose=verbose)

    given, answers, right = decode(x_test), decode(model.predict(x_test, verbose=0)), decode(y_test)
    for question, answer, truth in list(zip(given, answers, right))[:8]:
        print(f"{question[::-1]} = {answer} {'' if answer == truth else f' wrong: {truth}'}")
    share = np.mean([answer == truth for answer, truth in zip(answers, right)])
    print(f"{share:.1%} of {len(right)} new questions answered right")
    return history.history, share


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--digits", type=int, default=2, help="of the numbers, at most (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the examples (default: %(default)s)")
    parser.add_argument("--count", type=int, default=5000, help="how many questions there are (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
