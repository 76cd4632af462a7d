"""An LSTM that reads a text letter by letter and then writes its own.

    python examples/char_lstm.py [FILE] [--steps 5000] [--temperature 0.7]

Without a file it learns a poem by heart. The state of the LSTM is an argument and a result of the model, so it is carried
from piece to piece of the text while training, and from letter to letter while writing (Karpathy, 2015, "The
Unreasonable Effectiveness of Recurrent Neural Networks").
"""

import argparse
from itertools import islice
from pathlib import Path

import numpy as np

import eagerdl as edl
from eagerdl import layers

# Lewis Carroll, 1871, "Through the Looking-Glass".
JABBERWOCKY = """\
'Twas brillig, and the slithy toves
Did gyre and gimble in the wabe:
All mimsy were the borogoves,
And the mome raths outgrabe.

Beware the Jabberwock, my son!
The jaws that bite, the claws that catch!
Beware the Jubjub bird, and shun
The frumious Bandersnatch!

He took his vorpal sword in hand:
Long time the manxome foe he sought --
So rested he by the Tumtum tree,
And stood awhile in thought.

And, as in uffish thought he stood,
The Jabberwock, with eyes of flame,
Came whiffling through the tulgey wood,
And burbled as it came!

"""


class CharModel(edl.Model):
    """Letters (n, steps) and a state -> logits of the letters that follow (n, steps, alphabet) and the new state."""

    def __init__(self, alphabet, units):
        super().__init__()
        self.embedding = layers.Embedding(alphabet, 32)
        self.lstm = layers.LSTM(units, return_sequences=True, return_state=True)
        self.head = layers.Dense(alphabet)

    def call(self, letters, state=None):
        x, *state = self.lstm(self.embedding(letters), initial_state=state)
        return self.head(x), state


def readers(text, count, length, seed):
    """Yields pieces of the text and their followers (count, length). Each row is a reader who goes round and round the text,
    from a place of its own, so a piece goes on where the piece of the same row before it ended."""
    places = np.random.default_rng(seed).integers(len(text), size=(count, 1)) + np.arange(length + 1)
    while True:
        letters = np.take(text, places, mode="wrap")
        yield letters[:, :-1], letters[:, 1:]
        places += length


def write(model, start, count, temperature):
    """Letters that follow `start`, one after the other, as the model finds them likely."""
    letters, state = edl.constant([start]), None
    for _ in range(count):
        logits, state = model(letters, state)
        letters = edl.random.categorical(logits[:, -1] / temperature, 1)
        yield int(letters[0, 0])


def main(path=None, steps=400, units=128, temperature=0.5, seed=0):
    edl.utils.set_random_seed(seed)
    text = Path(path).read_text(encoding="utf-8") if path else JABBERWOCKY
    alphabet = sorted(set(text))
    number = {letter: index for index, letter in enumerate(alphabet)}

    model = CharModel(len(alphabet), units)
    optimizer = edl.optimizers.Adam(0.005, global_clipnorm=1.0)
    loss_fn = edl.losses.SparseCategoricalCrossentropy(from_logits=True)
    pieces = readers([number[letter] for letter in text], count=16, length=32, seed=seed)
    state, losses = None, []
    for step, (x, y) in enumerate(islice(pieces, steps), 1):
        with edl.GradientTape() as tape:
            logits, state = model(x, state)
            loss = loss_fn(y, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        losses.append(float(loss))
        if step % 100 == 0:
            print(f"step {step:5}  loss {np.mean(losses[-100:]):.4f}")

    print()
    written = start = text[:36]
    print(start, end="")
    for letter in write(model, [number[letter] for letter in start], 300, temperature):
        written += alphabet[letter]
        print(alphabet[letter], end="", flush=True)
    print()
    return losses, written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", metavar="FILE", help="a text (default: a poem)")
    parser.add_argument("--steps", type=int, default=400, help="steps of training (default: %(default)s)")
    parser.add_argument("--units", type=int, default=128, help="size of the state (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.5, help="boldness of the writing (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
