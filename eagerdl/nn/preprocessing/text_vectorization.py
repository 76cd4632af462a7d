"""Texts as numbers of their words: `TextVectorization`."""

import re
import string

import numpy as np

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn.arguments import check_choice, positive_int
from eagerdl.nn.layer import Layer
from eagerdl.nn.preprocessing.adapting import batches_of, texts
from eagerdl.nn.preprocessing.encoding import checked_mode, refuse_sparse
from eagerdl.nn.preprocessing.lookup import MODES, StringLookup
from eagerdl.tensor import Tensor

__all__ = ["TextVectorization"]

WORD = re.compile(r"[^ \t\n\r\f\v]+")
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
STRIP = str.maketrans("", "", string.punctuation)
STANDARDIZATIONS = {
    "lower_and_strip_punctuation": LOWER | STRIP,
    "lower": LOWER,
    "strip_punctuation": STRIP,
}


class TextVectorization(Layer):
    """x (batch,) or (batch, 1) of str -> (batch, words) int64, or (batch, tokens). Texts as the numbers of their words.

    Each text is standardized, split into words, the words joined to n-grams where asked for, and these looked up in a
    vocabulary that `adapt` learns: number 0 pads, 1 stands for words that are not in it. Strings come as lists or NumPy
    arrays of str; no tensor holds text, so the layer stands before a model, or in `Dataset.map`, and not between symbolic
    tensors.

    Args:
        max_tokens: the most tokens there may be, with the special ones.
        standardize: "lower_and_strip_punctuation", "lower" or "strip_punctuation", of ASCII; None; or a function of an array
            of str.
        split: "whitespace" (that of ASCII), "character", None for rows of words as they come, or a function of an array of
            str (batch,) that gives a list of lists of str.
        ngrams: n for all n-grams up to n, or a tuple of the n wanted.
        output_mode: "int" for numbers, or "multi_hot", "count" or "tf_idf" (counts times
            ``log(1 + documents / (1 + documents with the token))``) for a vector over the vocabulary; "one_hot" for one at
            each word of rows of equal length.
        output_sequence_length: to which length rows of numbers are cut or padded; that of the longest by default.
        pad_to_max_tokens: whether vectors have the size max_tokens in any case.
        vocabulary: the tokens, instead of `adapt`: a list or array without special tokens, or a text file.
        idf_weights: with vocabulary in mode "tf_idf": their inverse document frequencies.
        sparse, ragged: only False.
        encoding: of bytes.
        name: a name.
        kwargs: dtype (of vectors), trainable.

    Raises:
        ArgumentError: for an unknown mode, standardization or split, or arguments that do not go together.
        ShapeError: for texts with more than one axis of their own.
        DTypeError: for input that holds no strings.

    Example:
        >>> layer = edl.layers.TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["The cat.", "The dog!", "the cat"])
        >>> layer.get_vocabulary()
        ['', '[UNK]', 'the', 'cat', 'dog']
        >>> layer(["the dog", "A cat"]).tolist()
        [[2, 4, 0, 0], [1, 3, 0, 0]]
    """

    _convert_inputs = False

    def __init__(self, max_tokens=None, standardize="lower_and_strip_punctuation", split="whitespace", ngrams=None,
                 output_mode="int", output_sequence_length=None, pad_to_max_tokens=False, vocabulary=None, idf_weights=None,
                 sparse=False, ragged=False, encoding="utf-8", name=None, vocabulary_size=None, has_input_vocabulary=None,
                 **kwargs):  # fmt: skip
        super().__init__(name=name, **kwargs)
        where = self.where
        if standardize is not None and not callable(standardize):
            check_choice(where, "standardize", standardize, tuple(STANDARDIZATIONS))
        if split is not None and not callable(split):
            check_choice(where, "split", split, ("whitespace", "character"))
        output_mode = checked_mode(where, output_mode, MODES)
        refuse_sparse(where, sparse, ragged)
        if output_sequence_length is not None:
            if output_mode != "int":
                raise ArgumentError(where, "output_sequence_length belongs to output_mode='int'", f"the mode is {output_mode!r}",
                                    "leave it out")  # fmt: skip
            output_sequence_length = positive_int(where, "output_sequence_length", output_sequence_length)
        widths = (ngrams,) if isinstance(ngrams, int) else () if ngrams is None else ngrams
        if not isinstance(widths, list | tuple) or any(
            isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in widths
        ):
            raise ArgumentError(
                where, "ngrams is a positive int or a tuple of them", f"got {ngrams!r}", "use 2, or (2, 3)"
            )
        self.standardize, self.split, self.ngrams = (
            standardize,
            split,
            list(ngrams) if isinstance(ngrams, tuple) else ngrams,
        )
        self._widths = tuple(range(1, ngrams + 1)) if isinstance(ngrams, int) else tuple(widths)
        self.output_mode, self.output_sequence_length = output_mode, output_sequence_length
        self.sparse, self.ragged, self.encoding = sparse, ragged, encoding
        self._lookup = StringLookup(
            max_tokens, mask_token="", vocabulary=vocabulary, idf_weights=idf_weights, pad_to_max_tokens=pad_to_max_tokens,
            output_mode=output_mode, encoding=encoding, vocabulary_size=vocabulary_size,
            has_input_vocabulary=has_input_vocabulary, dtype=self.dtype_policy,
        )  # fmt: skip

    # -- from texts to rows of tokens -------------------------------------------------------------

    def rows(self, inputs):
        """Texts -> a list of lists of tokens."""
        array = texts(self.where, inputs, self.encoding)
        if callable(self.standardize):
            array = texts(f"{self.where}, what standardize gave", self.standardize(array))
        elif self.standardize is not None:
            table = STANDARDIZATIONS[self.standardize]
            flat = np.empty(array.size, object)
            flat[:] = [text.translate(table) for text in array.ravel().tolist()]
            array = flat.reshape(array.shape)
        if self.split is None:
            rows = (
                array.reshape(-1, array.shape[-1]).tolist()
                if array.ndim > 1
                else [[text] for text in array.ravel().tolist()]
            )
        else:
            rows = self._split_up(array)
        if not self._widths:
            return rows
        return [[" ".join(row[i : i + n]) for n in self._widths for i in range(len(row) - n + 1)] for row in rows]

    def _split_up(self, array):
        if array.ndim > 1:
            if array.shape[-1] != 1 or array.ndim > 2:
                raise ShapeError(self.where, "texts that are split have shape (batch,) or (batch, 1)", f"got {array.shape}",
                                 "pass one text a row, or split=None for rows of words")  # fmt: skip
            array = array[:, 0]
        flat = array.reshape(-1)
        if self.split == "whitespace":
            return [WORD.findall(text) for text in flat.tolist()]
        if self.split == "character":
            return [list(text) for text in flat.tolist()]
        rows = self.split(flat)
        flat_array = isinstance(rows, np.ndarray) and rows.ndim < 2 and rows.dtype != object
        if flat_array or isinstance(rows, str | Tensor):
            raise DTypeError(self.where, "split gives a list of lists of str", f"got {type(rows).__name__} {rows!r:.60}",
                             "return [text.split(',') for text in texts]")  # fmt: skip
        rows = [list(row) for row in rows]
        if len(rows) != len(flat):
            raise ShapeError(self.where, "split gives one list of words for each text", f"got {len(rows)} for {len(flat)}",
                             "return a list of lists of str")  # fmt: skip
        return rows

    # -- learning ---------------------------------------------------------------------------------

    def adapt(self, data, batch_size=None, steps=None):
        """Learns the vocabulary from texts, most frequent tokens first, in place of what was known before.

        Args:
            data: texts: a list, an array, a Dataset, or an iterable of batches; of tuples the first part.
            batch_size: into how many rows arrays are cut.
            steps: how many batches are read at most.

        Raises:
            ArgumentError: if the vocabulary was given, or there are no data.
        """
        self.reset_state()
        for batch in batches_of(f"{self.where}.adapt", data, batch_size, steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self):
        """Forgets the data seen."""
        self._lookup.reset_state()

    def update_state(self, data):
        """Takes in one batch of texts."""
        self._lookup.update_state(self.rows(data))

    def finalize_state(self):
        """Makes the vocabulary of the data seen."""
        self._lookup.finalize_state()

    def get_vocabulary(self, include_special_tokens=True):
        """The tokens in order of their numbers, as a list; with "" and "[UNK]" for padding and out of vocabulary, or without."""
        return self._lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self):
        """How many tokens there are, with the special ones."""
        return self._lookup.vocabulary_size()

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Sets the tokens, and their weights in mode "tf_idf"; see `StringLookup.set_vocabulary`."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    # -- calls ------------------------------------------------------------------------------------

    def call(self, inputs):
        single = isinstance(inputs, str | bytes) or np.ndim(inputs) == 0
        rows = self.rows(inputs)
        lengths = {len(row) for row in rows}
        if self.output_mode == "one_hot" and len(lengths) > 1:
            raise ShapeError(self.where, "output_mode='one_hot' needs texts of equally many words", f"got {sorted(lengths)}",
                             "use 'multi_hot', or 'int' with output_sequence_length")  # fmt: skip
        length = self.output_sequence_length or max(lengths, default=0)
        padded = np.full((len(rows), length), "", object)
        for place, row in enumerate(rows):
            padded[place, : len(row)] = row[:length]
        indices = self._lookup.indices(padded)
        out = self._lookup.encoded(indices)
        return ops.squeeze(out, 0) if single else out

    def compute_output_shape(self, input_shape):
        if self.output_mode == "int":
            return (input_shape[0] if input_shape else None, self.output_sequence_length)
        shape = tuple(input_shape)
        if self.split is not None:
            shape = (shape[0], None) if shape else (None,)
        return self._lookup.compute_output_shape(shape if len(shape) > 1 else (*shape, 1))

    def compute_output_spec(self, inputs):
        raise DTypeError(self.where, "texts are no tensors", f"got {inputs!r}",
                         "call the layer on lists or arrays of str, in Dataset.map or before the model")  # fmt: skip

    def get_build_config(self):
        return None

    def get_config(self):
        lookup = self._lookup

        def named(function):
            return registry.serialize_keras_object(function) if callable(function) else function

        return {
            **super().get_config(), "max_tokens": lookup.max_tokens, "standardize": named(self.standardize),
            "split": named(self.split), "ngrams": self.ngrams, "output_mode": self.output_mode,
            "output_sequence_length": self.output_sequence_length, "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": self.sparse, "ragged": self.ragged, "vocabulary": lookup.input_vocabulary,
            "idf_weights": lookup.input_idf_weights, "encoding": self.encoding, "vocabulary_size": lookup._size,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("standardize", "split"):
            if isinstance(config.get(name), dict):
                config[name] = registry.deserialize_keras_object(config[name])
        if isinstance(config.get("vocabulary"), str) and registry.safe_mode():
            raise ArgumentError("TextVectorization.from_config", "a config may not have other files read",
                                f"its vocabulary is the file {config['vocabulary']!r}",
                                "pass safe_mode=False if you trust it")  # fmt: skip
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return super().from_config(config)


registry.add_area("layers", {"TextVectorization": TextVectorization})
