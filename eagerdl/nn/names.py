"""Names that layers and models get by themselves: ``dense``, ``dense_1``, ..."""

import collections
import re

_used: collections.Counter = collections.Counter()


def snake_case(name: str) -> str:
    """`LSTMCell` -> `lstm_cell`, `Conv2D` -> `conv2d`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


def auto_name(prefix):
    """`prefix` itself at first, then with ``_1``, ``_2``, ..."""
    count = _used[prefix]
    _used[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def reset():
    """Begins to count anew."""
    _used.clear()
