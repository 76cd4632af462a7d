"""IMDB: 50,000 film reviews as sequences of word numbers, half of them positive, half negative.

Maas, Daly, Pham, Huang, Ng and Potts, 2011, "Learning Word Vectors for Sentiment Analysis", ACL, P11-1015; the numbers
and files are those of Keras.
"""

import json

import numpy as np

from eagerdl.datasets.formats import DAMAGE, damaged, read_npz
from eagerdl.datasets.sources import KERAS_FILES, Remote, Source
from eagerdl.errors import ArgumentError

__all__ = ["get_word_index", "load_data"]


def from_npz(path):
    parts = read_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    if len(parts[0]) != len(parts[1]) or len(parts[2]) != len(parts[3]):
        raise damaged(path, f"the numbers of reviews and labels differ: {', '.join(str(len(part)) for part in parts)}")
    return parts


def from_json(path):
    try:
        return json.loads(path.read_bytes())
    except DAMAGE as error:
        raise damaged(path, error) from error


SOURCE = Source(
    "imdb",
    ("imdb", ""),
    ((("imdb.npz",), from_npz),),
    (Remote("imdb.npz", f"{KERAS_FILES}imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),),
    "imdb.npz",
)
WORDS = Source(
    "imdb",
    ("imdb", ""),
    ((("imdb_word_index.json",), from_json),),
    (Remote("imdb_word_index.json", f"{KERAS_FILES}imdb_word_index.json", "bfafd718b763782e994055a2d397834f"),),
    "imdb_word_index.json",
)


def load_data(
    path="imdb.npz", num_words=None, skip_top=0, maxlen=None, seed=113, start_char=1, oov_char=2, index_from=3
):
    """`(x_train, y_train), (x_test, y_test)`: arrays (25000,) of lists of word numbers, and labels 1 (positive) or 0.

    The number of a word is its rank by frequency plus `index_from`: 4 is the most frequent one. 0 is left for padding.

    Args:
        path: a file or folder of yours, or a name in the cache. By default ``imdb.npz`` is looked for in the folder
            ``imdb`` of the one that the environment variable EAGERDL_DATASETS names, then in the cache, and else
            downloaded once.
        num_words: numbers from this one on become `oov_char`; None keeps all but the largest, as Keras does.
        skip_top: numbers below this one become `oov_char`.
        maxlen: reviews of this length or more, with the start, are left out, as in Keras.
        seed: the order of the reviews, the same as in Keras.
        start_char: the number with which each review begins; None for none.
        oov_char: the number of a word that is left out; None drops it.
        index_from: what is added to the ranks.

    Raises:
        DownloadError: if the data is nowhere and cannot be downloaded; the message says which file to put where.
        ArgumentError: if a file is damaged or hostile, or no review is shorter than `maxlen`.

    Example:
        >>> import tempfile
        >>> reviews, labels = np.array([[1, 2], [5]], dtype=object), np.array([1, 0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/imdb.npz", x_train=reviews, y_train=labels, x_test=reviews, y_test=labels)
        ...     (x_train, y_train), _ = edl.datasets.imdb.load_data(folder, num_words=6)
        >>> dict(zip(y_train.tolist(), x_train.tolist()))
        {1: [1, 4, 5], 0: [1, 2]}
    """
    x_train, y_train, x_test, y_test = SOURCE.load(path)
    order = np.random.RandomState(seed)  # Keras' bit generator: the same reviews stand at the same places
    parts = []
    for reviews, labels in ((x_train, y_train), (x_test, y_test)):
        places = np.arange(len(reviews))
        order.shuffle(places)
        start = [] if start_char is None else [start_char]
        numbered = [start + [word + index_from for word in reviews[place]] for place in places]
        parts.append(shorter(numbered, labels[places], maxlen))
    if not num_words:
        num_words = max((word for reviews, _ in parts for review in reviews for word in review), default=0)

    def kept(review):
        if oov_char is None:
            return [word for word in review if skip_top <= word < num_words]
        return [word if skip_top <= word < num_words else oov_char for word in review]

    return tuple((as_objects(map(kept, reviews)), labels) for reviews, labels in parts)


def get_word_index(path="imdb_word_index.json"):
    """A dict from words to their ranks; the numbers of `load_data` are larger by its `index_from`.

    Args:
        path: a file or folder of yours, or a name in the cache, as in `load_data`.

    Raises:
        DownloadError: if the file is nowhere and cannot be downloaded.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "imdb_word_index.json").write_text('{"the": 1, "film": 19}')
        ...     words = {rank + 3: word for word, rank in edl.datasets.imdb.get_word_index(folder).items()}
        >>> " ".join(words[number] for number in [4, 22])
        'the film'
    """
    return WORDS.load(path)


def shorter(reviews, labels, maxlen):
    """The reviews shorter than `maxlen`, if it is given, and their labels."""
    if not maxlen:
        return reviews, labels
    keep = [len(review) < maxlen for review in reviews]
    if not any(keep):
        raise ArgumentError("datasets.imdb", "some review must be shorter than maxlen",
                            f"maxlen={maxlen}, the shortest has length {min(map(len, reviews), default=0)}",
                            "pass a larger maxlen")  # fmt: skip
    return [review for review, good in zip(reviews, keep) if good], labels[np.array(keep)]


def as_objects(reviews):
    """An array of lists, also where all have the same length."""
    reviews = list(reviews)
    out = np.empty(len(reviews), object)
    for place, review in enumerate(reviews):
        out[place] = review
    return out
