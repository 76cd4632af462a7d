"""What the demos have in common: pictures of the digits, and the last lines."""

import hashlib
import sys
from typing import Any

import numpy as np

import eagerdl as edl
from eagerdl.datasets import digits

__all__ = ["TARGET_ACCURACY", "conclude", "draw_predictions", "fingerprint", "passes"]

TARGET_ACCURACY = 0.96


def conclude(
    console: Any, model: edl.Module, accuracy: float, command: str, seed: int, epochs: int, seconds: float
) -> int:
    """Print the last lines of a demo of the digits, and return 0 if the test accuracy is reached."""
    console.print(f"test accuracy {accuracy:.1%} after {passes(epochs)} in {seconds:.1f} s")
    print_weights(console, model, seed, epochs)
    if accuracy < TARGET_ACCURACY:
        print(
            f"[eagerdl {command}] the test accuracy must reach {TARGET_ACCURACY:.0%}; "
            f"got {accuracy:.1%} after {passes(epochs)}; train longer with --epochs, or try another --seed",
            file=sys.stderr,
        )
        return 1
    return 0


def passes(epochs: int) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{epochs} epoch" + ("" if epochs == 1 else "s")


def print_weights(console: Any, model: edl.Module, seed: int, epochs: int) -> None:
    """How to get the same weights again."""
    console.print(f"weights {fingerprint(model)}: --seed {seed} --epochs {epochs} gives them again, bit for bit")


def fingerprint(model: edl.Module) -> str:
    """A short hash of all weights: equal exactly if every bit is equal."""
    digest = hashlib.sha256()
    for variable in model.variables:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()[:12]


def draw_predictions(console: Any, predictions: np.ndarray) -> None:
    """Four test images that a model reads right, and up to four that it does not.

    Args:
        console: where to draw.
        predictions: what the model says of all test images.
    """
    _, (images, labels) = digits.load_data()
    right = np.flatnonzero(predictions == labels)
    wrong = np.flatnonzero(predictions != labels)
    # Spread over the whole set, so that different digits show.
    rows = (("right", "green", right, right[:: len(right) // 4 + 1]), ("wrong", "red", wrong, wrong[:4]))
    for word, color, all_of_them, chosen in rows:
        if len(chosen):
            picture = draw_row(images[chosen], predictions[chosen], labels[chosen], shades(console.encoding))
            console.print(f"{len(all_of_them)} read {word}", style=f"bold {color}")
            console.print(picture)


def draw_row(images, predictions, labels, shades: str) -> str:
    """Images (n, 8, 8) side by side, two characters for each pixel, with captions below."""
    pictures = shades_of(images, shades)
    captions = [f"says {prediction}, is {label}" for prediction, label in zip(predictions, labels)]
    gap = "   "
    lines = [gap.join(row).rstrip() for row in zip(*pictures)]
    lines.append(gap.join(f"{caption:<16}" for caption in captions).rstrip())
    return "\n".join(lines) + "\n"


def shades_of(images, shades: str) -> list[list[str]]:
    """Images (n, 8, 8) with pixels 0 ... 16 -> for each image its 8 lines of 16 characters."""
    levels = (images.astype(int) * (len(shades) - 1) + 8) // 16
    return [["".join(shades[level] * 2 for level in row) for row in image] for image in levels]


def shades(encoding: str) -> str:
    """Characters from white to black, as far as the output can show them."""
    blocks = " ░▒▓█"
    try:
        blocks.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return " .:*#"
    return blocks
