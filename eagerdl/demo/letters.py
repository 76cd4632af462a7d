"""`eagerdl demo lstm`: a network learns a poem by heart, letter by letter, and recites it as far as it knows it.

`fit` trains; a callback leads the cell of the trained layer through a loop of its own to write.
"""

import sys
import time
from typing import Any

import numpy as np

import eagerdl as edl
from eagerdl import layers
from eagerdl.demo.showing import passes, print_weights

__all__ = ["Reciter", "build", "recite", "run"]

WINDOW = 40
TARGET_ACCURACY = 0.95

# William Blake, 1794, "Songs of Experience".
POEM = """\
Tyger Tyger, burning bright,
In the forests of the night;
What immortal hand or eye,
Could frame thy fearful symmetry?

In what distant deeps or skies.
Burnt the fire of thine eyes?
On what wings dare he aspire?
What the hand, dare seize the fire?

And what shoulder, and what art,
Could twist the sinews of thy heart?
And when thy heart began to beat,
What dread hand? and what dread feet?

What the hammer? what the chain,
In what furnace was thy brain?
What the anvil? what dread grasp,
Dare its deadly terrors clasp!

When the stars threw down their spears
And water'd heaven with their tears:
Did he smile his work to see?
Did he who made the Lamb make thee?

Tyger Tyger burning bright,
In the forests of the night:
What immortal hand or eye,
Dare frame thy fearful symmetry?
"""

ALPHABET = sorted(set(POEM))
CODED = np.array([ALPHABET.index(letter) for letter in POEM])


def build(units: int = 128) -> edl.Model:
    """Letters (n, steps) -> logits of the letters that follow (n, steps, alphabet)."""
    return edl.Sequential(
        [
            edl.Input((None,), dtype="int32"),
            layers.Embedding(len(ALPHABET), 32),
            layers.LSTM(units, return_sequences=True),
            layers.Dense(len(ALPHABET)),
        ]
    )


def recite(model: edl.Model, start: str, count: int, temperature: float = 0.3):
    """Yield `count` letters that follow `start`, drawn one after the other; what is written is read again."""
    embedding, lstm, head = model.layers
    state = lstm.cell.get_initial_state(batch_size=1)
    letters = [ALPHABET.index(letter) for letter in start]
    for step in range(len(letters) + count - 1):
        x, state = lstm.cell(embedding(edl.constant([letters[step]])), state)
        if step == len(letters) - 1:
            letters.append(int(edl.random.categorical(head(x) / temperature, 1)[0, 0]))
            yield ALPHABET[letters[-1]]


class Reciter(edl.callbacks.Callback):
    """Shows after each epoch what the model makes of the first words: one line, letter by letter.

    Args:
        console: where to write.
        start: the words to begin with.
        count: how many letters to write.
    """

    def __init__(self, console: Any, start: str = "Tyger", count: int = 50):
        super().__init__()
        self.console, self.start, self.count = console, start, count

    def on_epoch_end(self, epoch, logs=None):
        said = f"epoch {epoch + 1:3}/{self.params['epochs']}  loss {logs['loss']:.4f}  {self.start}"
        self.console.print(said, end="", markup=False)
        for letter in recite(self.model, self.start, self.count):
            self.console.print("/" if letter == "\n" else letter, end="", markup=False)
        self.console.print()


def run(seed: int = 0, epochs: int = 20) -> int:
    """Train and write after each epoch, recite the poem, and return 0 if 95% of its letters are known."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Learning a poem by heart: {len(POEM)} letters, seed {seed}\n")
    edl.utils.set_random_seed(seed)
    starts = np.arange(len(CODED) - WINDOW)[:, None]
    pieces = CODED[starts + np.arange(WINDOW + 1)]

    model = build()
    loss = edl.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(edl.optimizers.Adam(0.005, global_clipnorm=1.0), loss)
    started = time.perf_counter()
    model.fit(pieces[:, :-1], pieces[:, 1:], batch_size=32, epochs=epochs, callbacks=[Reciter(console)], verbose=0)
    seconds = time.perf_counter() - started

    start = POEM[: POEM.index("\n")]
    console.print(f"\n{start}", end="", markup=False)
    for letter in recite(model, start, len(POEM) - len(start)):
        console.print(letter, end="", markup=False)

    known = model.predict_on_batch(CODED[None, :-1]).argmax(-1)[0] == CODED[1:]
    accuracy = known.mean()
    console.print(f"\nletters known {accuracy:.1%} after {passes(epochs)} in {seconds:.1f} s")
    print_weights(console, model, seed, epochs)
    if accuracy < TARGET_ACCURACY:
        print(
            f"[eagerdl demo lstm] {TARGET_ACCURACY:.0%} of the letters must be known; "
            f"got {accuracy:.1%} after {passes(epochs)}; train longer with --epochs, or try another --seed",
            file=sys.stderr,
        )
        return 1
    return 0
