"""Numbers for the words of a vocabulary, and back: `StringLookup`, `IntegerLookup`."""

import collections
import itertools
import json
import os

import numpy as np

from eagerdl import config, dtypes, ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn import calls, symbolic
from eagerdl.nn.arguments import check_choice
from eagerdl.nn.layer import Layer
from eagerdl.nn.preprocessing.adapting import batches_of, texts
from eagerdl.nn.preprocessing.encoding import checked_mode, encode, encoded_shape, refuse_sparse
from eagerdl.nn.preprocessing.hashing import checked_salt, hashed
from eagerdl.tensor import Tensor

__all__ = ["IntegerLookup", "StringLookup"]

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class IndexLookup(Layer):
    """Base of lookups: a vocabulary of special tokens (mask, then those for what is out of vocabulary) and learnt ones."""

    _convert_inputs = False

    def __init__(self, max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary=None, idf_weights=None,
                 invert=False, output_mode="int", sparse=False, pad_to_max_tokens=False, oov_method="floormod", name=None,
                 salt=None, vocabulary_size=None, has_input_vocabulary=None, **kwargs):  # fmt: skip
        super().__init__(name=name, **kwargs)
        where = self.where
        self.vocabulary_dtype = vocabulary_dtype
        self.output_mode = checked_mode(where, output_mode, MODES)
        refuse_sparse(where, sparse)
        check_choice(where, "oov_method", oov_method, ("floormod", "farmhash"))
        for holds, requirement, came in (
            (max_tokens is None or max_tokens > 1, "max_tokens is above 1", f"got {max_tokens}"),
            (not pad_to_max_tokens or max_tokens is not None, "pad_to_max_tokens needs max_tokens", "got max_tokens=None"),
            (num_oov_indices >= 0, "num_oov_indices is at least 0", f"got {num_oov_indices}"),
            (not invert or self.output_mode == "int", "invert gives tokens", f"got output_mode={output_mode!r}"),
            (idf_weights is None or self.output_mode == "tf_idf", "idf_weights need output_mode='tf_idf'", f"got {output_mode!r}"),
            (salt is None or vocabulary_dtype == "string" or oov_method == "farmhash", "salt needs oov_method='farmhash'",
             f"got {oov_method!r}"),
        ):  # fmt: skip
            if not holds:
                raise ArgumentError(where, requirement, came, "see help() of the layer")
        self.max_tokens, self.num_oov_indices, self.mask_token, self.oov_token = (
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
        )
        self.invert, self.sparse, self.pad_to_max_tokens = invert, sparse, pad_to_max_tokens
        self.oov_method, self.salt = oov_method, checked_salt(where, salt)
        self.input_vocabulary = None if vocabulary is None or isinstance(vocabulary, str) else self._listed(vocabulary)
        self.input_idf_weights = None if idf_weights is None else np.asarray(idf_weights).tolist()
        self._has_input_vocabulary = vocabulary is not None if has_input_vocabulary is None else has_input_vocabulary
        self._size = (
            vocabulary_size  # what shapes are computed with; known from a config before the vocabulary is loaded
        )
        self._set_tokens([], None)
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
            if isinstance(vocabulary, str):
                self.input_vocabulary = self._learnt  # the config holds what the file held

    def _listed(self, tokens):
        raise NotImplementedError

    def _tokens(self, x):
        """Input as an array of tokens."""
        raise NotImplementedError

    # -- the vocabulary ---------------------------------------------------------------------------

    @property
    def _oov_start(self):
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def _token_start(self):
        return self._oov_start + self.num_oov_indices

    def _set_tokens(self, learnt, idf_weights):
        self._learnt = learnt
        self._table = {token: self._token_start + place for place, token in enumerate(learnt)}
        self.idf_weights = None if idf_weights is None else np.asarray(idf_weights, config.floatx())

    def get_vocabulary(self, include_special_tokens=True):
        """The tokens in order of their numbers, as a list; with those for mask and out of vocabulary, or without."""
        special = [self.mask_token] * self._oov_start + [self.oov_token] * self.num_oov_indices
        return [*(special if include_special_tokens else ()), *self._learnt]

    def vocabulary_size(self):
        """How many tokens there are, with the special ones."""
        return len(self._learnt) + self._token_start

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Sets the tokens: a list or array, with or without the special tokens at its beginning; or a file with one in a line.

        Args:
            vocabulary: the tokens, or the path of a text file.
            idf_weights: in mode "tf_idf", the inverse document frequency of each.

        Raises:
            ArgumentError: for an empty vocabulary, a token that comes twice, special tokens at other places, too many tokens,
                a file while a config is read in safe mode, or weights that are missing or not wanted.
            ShapeError: if there are not as many weights as tokens.
        """
        where = f"{self.where}.set_vocabulary"
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise ArgumentError(where, "idf_weights belong to output_mode='tf_idf'",
                                f"the mode is {self.output_mode!r}, idf_weights {'None' if idf_weights is None else 'came'}",
                                "give one for each token, in this mode only")  # fmt: skip
        from_file = isinstance(vocabulary, str | os.PathLike)
        given = self._from_file(where, vocabulary) if from_file else self._listed(vocabulary)
        if not given:
            raise ArgumentError(where, "a vocabulary has at least one token", "got none", "call adapt on data instead")
        special = self.get_vocabulary()[: self._token_start]
        with_special = bool(special) and given[: len(special)] == special
        tokens = given[len(special) :] if with_special else given
        repeated = [token for token, count in collections.Counter(tokens).items() if count > 1]
        if repeated:
            raise ArgumentError(
                where, "every token comes once", f"repeated are {repeated[:5]}", "leave out the repetitions"
            )
        for name, token in (("mask", self.mask_token), ("oov", self.oov_token if self.invert else None)):
            if token is not None and token in tokens:
                raise ArgumentError(where, f"special tokens stand at the beginning, as {special}, or nowhere",
                                    f"the {name} token {token!r} is token {given.index(token)}", "leave it out")  # fmt: skip
        if self.max_tokens is not None and self._token_start + len(tokens) > self.max_tokens:
            raise ArgumentError(where, f"there are at most max_tokens={self.max_tokens} tokens",
                                f"got {self._token_start + len(tokens)} with the special ones", "shorten the list")  # fmt: skip
        if idf_weights is not None:
            idf_weights = np.asarray(idf_weights, np.float64)
            if idf_weights.shape != (len(given),):
                raise ShapeError(where, f"{len(given)} tokens need as many idf_weights", f"got shape {idf_weights.shape}",
                                 "give one for each token")  # fmt: skip
            idf_weights = self._padded(idf_weights, with_special)
        self._set_tokens(tokens, idf_weights)
        self._size = self.vocabulary_size()

    def _padded(self, weights, with_special=False):
        front = 0 if with_special else self._token_start
        back = self.max_tokens - front - len(weights) if self.pad_to_max_tokens else 0
        return np.concatenate([np.full(front, weights.mean()), weights, np.zeros(back)])

    def _from_file(self, where, path):
        try:
            with open(path, encoding=getattr(self, "encoding", "utf-8")) as file:
                lines = file.read().split("\n")
        except OSError as error:
            raise ArgumentError(
                where, "the vocabulary file must be readable", f"{path}: {error.strerror}", "check the path"
            ) from None
        while lines and not lines[-1]:
            lines.pop()
        return self._listed(lines)

    # -- learning ---------------------------------------------------------------------------------

    def adapt(self, data, batch_size=None, steps=None):
        """Learns the vocabulary from data, most frequent tokens first, in place of what was known before.

        Args:
            data: tokens of any shape: lists, arrays, a Dataset, or an iterable of batches; in mode "tf_idf" rows are documents.
            batch_size: into how many rows arrays are cut.
            steps: how many batches are read at most.

        Raises:
            ArgumentError: if the vocabulary was given, or there are no data.
        """
        self.reset_state()
        one_dimensional = not hasattr(data, "_pipeline") and (
            isinstance(data, list | tuple | Tensor) or hasattr(data, "__array__")
        )
        for batch in batches_of(f"{self.where}.adapt", data, batch_size, steps):
            tokens = self._tokens(batch)
            self.update_state(tokens[:, None] if one_dimensional and tokens.ndim == 1 else tokens)
        self.finalize_state()

    def reset_state(self):
        """Forgets the data seen."""
        self._counts, self._document_counts, self._documents = collections.Counter(), collections.Counter(), 0

    def update_state(self, data):
        """Takes in one batch of data, an array of tokens or a list of rows of them."""
        if self._has_input_vocabulary:
            raise ArgumentError(
                f"{self.where}.adapt", "there must be something to learn", "the vocabulary was given", "leave it out"
            )
        if isinstance(data, list) and data and isinstance(data[0], list):
            rows = data
        else:
            array = self._tokens(data)
            rows = (array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)).tolist()
        self._counts.update(itertools.chain.from_iterable(rows))
        if self.output_mode == "tf_idf":
            for row in rows:
                self._document_counts.update(set(row))
        self._documents += len(rows)

    def finalize_state(self):
        """Makes the vocabulary of the data seen."""
        if self._has_input_vocabulary or not self._counts:
            return
        for special in (self.mask_token, self.oov_token):
            self._counts.pop(special, None)
        tokens = sorted(self._counts, reverse=True)
        tokens.sort(key=self._counts.__getitem__, reverse=True)
        if self.max_tokens:
            tokens = tokens[: max(0, self.max_tokens - self._token_start)]
        weights = None
        if self.output_mode == "tf_idf":
            frequency = np.array([self._document_counts[token] for token in tokens], np.float64)
            weights = self._padded(np.log(1 + self._documents / (1 + frequency)) if tokens else np.zeros(1))
        self._set_tokens(tokens, weights)
        self.reset_state()
        self._size = self.vocabulary_size()

    # -- calls ------------------------------------------------------------------------------------

    def call(self, inputs):
        if self.invert and self.vocabulary_dtype == "string":
            return self._inverted(inputs)
        if self.invert:
            return ops.convert_to_tensor(calls.by_elements(self._inverted, inputs))
        return self.encoded(calls.by_elements(self._numbers, inputs))

    def _numbers(self, inputs):
        return self.indices(self._tokens(inputs))

    def indices(self, tokens):
        """An array of tokens -> an int64 array of their numbers."""
        out = np.array([self._table.get(token, -1) for token in tokens.ravel().tolist()], np.int64).reshape(
            tokens.shape
        )
        known = out >= 0
        if self.mask_token is not None:
            masked = tokens == self.mask_token
            known |= masked
            out = np.where(masked, 0 if self.output_mode == "int" else -1, out)
        if known.all():
            return out
        if not self.num_oov_indices:
            raise ArgumentError(self.where, "without num_oov_indices all input must be in the vocabulary",
                                f"these are not: {np.unique(tokens[~known])[:5].tolist()}",
                                "use num_oov_indices=1, or adapt on more data")  # fmt: skip
        if self.num_oov_indices == 1:
            others = 0
        elif self.vocabulary_dtype != "string" and self.oov_method == "floormod":
            others = tokens[~known] % self.num_oov_indices
        else:
            others = hashed(tokens[~known], self.num_oov_indices, self.salt)
        out[~known] = self._oov_start + others
        return out

    def encoded(self, indices):
        """An array of numbers -> the output."""
        indices = ops.convert_to_tensor(indices)
        if self.output_mode == "int":
            return ops.cast(indices, "int64")
        depth = self._depth
        if not depth or (not self._learnt and not self.pad_to_max_tokens):
            raise ArgumentError(self.where, f"output_mode={self.output_mode!r} needs a vocabulary", "the layer has none",
                                "call adapt(data), or give vocabulary")  # fmt: skip
        out = encode(indices, "count" if self.output_mode == "tf_idf" else self.output_mode, depth, self._vector_dtype)
        if self.output_mode != "tf_idf":
            return out
        return out * ops.convert_to_tensor(self.idf_weights, dtype=out.dtype)

    def _inverted(self, inputs):
        indices = inputs.numpy() if isinstance(inputs, Tensor) else np.asarray(inputs)
        if indices.dtype.kind not in "iu":
            raise DTypeError(self.where, "numbers of tokens are integers", f"got {indices.dtype}", "cast them to int64")
        words = self.get_vocabulary()
        known = [words[i] if 0 <= i < len(words) else self.oov_token for i in indices.ravel().tolist()]
        return self._words(known, indices.shape)

    def _words(self, words, shape):
        raise NotImplementedError

    @property
    def _depth(self):
        return self.max_tokens if self.pad_to_max_tokens else self._size

    @property
    def _vector_dtype(self):
        return self.compute_dtype if self.compute_dtype in dtypes.FLOATING else config.floatx()

    def compute_output_shape(self, input_shape):
        return encoded_shape(input_shape, "count" if self.output_mode == "tf_idf" else self.output_mode, self._depth)

    def compute_output_spec(self, inputs):
        if inputs.dtype.kind == "f" and not self.invert:
            raise DTypeError(self.where, "integers are looked up", f"got {inputs!r}", "use Input(shape, dtype='int64')")
        dtype = "int64" if self.output_mode == "int" else self._vector_dtype
        return symbolic.SymbolicTensor(self.compute_output_shape(inputs.shape), dtype)

    # -- saving -----------------------------------------------------------------------------------

    def save_own_variables(self, store):
        if self._learnt and self.input_vocabulary is None:
            text = json.dumps(self._learnt, ensure_ascii=False).encode("utf-8", "surrogatepass")
            store["vocabulary"] = np.frombuffer(text, np.uint8).copy()
        if self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store):
        if "vocabulary" in store:
            self._set_tokens(json.loads(bytes(np.asarray(store["vocabulary"])).decode("utf-8", "surrogatepass")), None)
            self._size = self.vocabulary_size()
        if "idf_weights" in store:
            self.idf_weights = np.asarray(store["idf_weights"], config.floatx())

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("vocabulary"), str) and registry.safe_mode():
            raise ArgumentError(f"{cls.__name__}.from_config", "a config may not have other files read",
                                f"its vocabulary is the file {config['vocabulary']!r}",
                                "pass safe_mode=False if you trust it")  # fmt: skip
        return super().from_config(config)

    def get_build_config(self):
        return None

    def get_config(self):
        return {
            **super().get_config(), "invert": self.invert, "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices, "oov_token": self.oov_token, "mask_token": self.mask_token,
            "output_mode": self.output_mode, "sparse": self.sparse, "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary_dtype": self.vocabulary_dtype, "idf_weights": self.input_idf_weights,
            "vocabulary": self.input_vocabulary, "vocabulary_size": self._size, "oov_method": self.oov_method, "salt": self.salt,
        }  # fmt: skip


class StringLookup(IndexLookup):
    """x (...) of str -> (...) int64, or (..., tokens). The number of each string in a vocabulary that `adapt` learns.

    Strings come as lists or NumPy arrays of str or bytes; no tensor holds text, so the layer stands before a model, or in
    `Dataset.map`, and not between symbolic tensors. With `invert` it goes from numbers to a NumPy array of str.

    Args:
        max_tokens: the most tokens there may be, with the special ones.
        num_oov_indices: how many numbers stand for strings that are not in the vocabulary; with several, their hash decides.
        mask_token: a string that gets number 0 in mode "int", and counts for nothing in others.
        oov_token: what `invert` gives for numbers that are not in the vocabulary.
        vocabulary: the tokens: a list or array, or the path of a text file; instead of `adapt`.
        idf_weights: with vocabulary in mode "tf_idf": their inverse document frequencies.
        invert: whether numbers are turned into strings.
        output_mode: "int" for numbers, "one_hot", or of the last axis "multi_hot", "count" or "tf_idf" (counts times
            ``log(1 + documents / (1 + documents with the token))``).
        pad_to_max_tokens: whether vectors have the size max_tokens in any case.
        sparse: only False.
        encoding: of bytes.
        name: a name.
        salt: an int or two for other hashes, where there are several num_oov_indices.
        kwargs: dtype (of vectors), trainable.

    Raises:
        ArgumentError: for arguments that do not go together, or a string that is not in the vocabulary with
            num_oov_indices=0.
        DTypeError: for input that holds no strings.

    Example:
        >>> layer = edl.layers.StringLookup()
        >>> layer.adapt(["b", "a", "b"])
        >>> layer.get_vocabulary(), layer(["a", "b", "z"]).tolist()
        (['[UNK]', 'b', 'a'], [2, 1, 0])
    """

    def __init__(self, max_tokens=None, num_oov_indices=1, mask_token=None, oov_token="[UNK]", vocabulary=None,
                 idf_weights=None, invert=False, output_mode="int", pad_to_max_tokens=False, sparse=False, encoding="utf-8",
                 name=None, salt=None, **kwargs):  # fmt: skip
        self.__dict__["encoding"] = encoding  # read while the base sets the vocabulary
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, "string", vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, name=name, salt=salt, **kwargs,
        )  # fmt: skip

    def _tokens(self, x):
        return texts(self.where, x, self.encoding)

    def _listed(self, tokens):
        return self._tokens(tokens).ravel().tolist()

    def _words(self, words, shape):
        return np.array(words, dtype=str).reshape(shape)

    def get_config(self):
        config = {**super().get_config(), "encoding": self.encoding}
        del config["vocabulary_dtype"], config["oov_method"]
        return config


class IntegerLookup(IndexLookup):
    """x (...) int -> (...) int64, or (..., tokens). The number of each integer in a vocabulary that `adapt` learns.

    Args:
        max_tokens: the most tokens there may be, with the special ones.
        num_oov_indices: how many numbers stand for integers that are not in the vocabulary; with several, their remainder
            or hash decides.
        mask_token: an integer that gets number 0 in mode "int", and counts for nothing in others.
        oov_token: what `invert` gives for numbers that are not in the vocabulary.
        vocabulary: the tokens: a list or array, or the path of a text file; instead of `adapt`.
        vocabulary_dtype: only "int64".
        idf_weights: with vocabulary in mode "tf_idf": their inverse document frequencies.
        invert: whether numbers are turned back into the integers of the vocabulary.
        output_mode: "int" for numbers, "one_hot", or of the last axis "multi_hot", "count" or "tf_idf".
        sparse: only False.
        pad_to_max_tokens: whether vectors have the size max_tokens in any case.
        oov_method: "floormod" for the remainder by num_oov_indices, "farmhash" for a hash.
        salt: an int or two for other hashes.
        name: a name.
        kwargs: dtype (of vectors), trainable.

    Raises:
        ArgumentError: for arguments that do not go together, or an integer that is not in the vocabulary with
            num_oov_indices=0.
        DTypeError: for input that holds no integers.

    Example:
        >>> layer = edl.layers.IntegerLookup(vocabulary=[12, 36, 1138])
        >>> layer([[12, 1138, 7]])
        Tensor(shape=(1, 3), dtype=int64, [[1 3 0]])
    """

    def __init__(self, max_tokens=None, num_oov_indices=1, mask_token=None, oov_token=-1, vocabulary=None,
                 vocabulary_dtype="int64", idf_weights=None, invert=False, output_mode="int", sparse=False,
                 pad_to_max_tokens=False, oov_method="floormod", salt=None, name=None, **kwargs):  # fmt: skip
        check_choice(type(self).__name__, "vocabulary_dtype", vocabulary_dtype, ("int64",))
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, "int64", vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, oov_method, name, salt, **kwargs,
        )  # fmt: skip

    def _tokens(self, x):
        array = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
        if array.dtype.kind not in "iu" and array.size:
            raise DTypeError(
                self.where, "integers are needed", f"got {array.dtype}", "cast them to int64, or use StringLookup"
            )
        return array.astype(np.int64)

    def _listed(self, tokens):
        if isinstance(tokens, list | tuple) and tokens and isinstance(tokens[0], str):  # the lines of a file
            tokens = [int(token) for token in tokens]
        return self._tokens(tokens).ravel().tolist()

    def _words(self, words, shape):
        return np.array(words, np.int64).reshape(shape)


registry.add_area("layers", {name: globals()[name] for name in __all__})
