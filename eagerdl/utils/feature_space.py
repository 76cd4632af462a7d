"""`FeatureSpace`: columns of a table, of different kinds, as one vector for each row."""

import numpy as np

from eagerdl import dtypes, ops, registry, tree
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.models.archive import save_model
from eagerdl.nn.arguments import check_choice
from eagerdl.nn.core import Identity
from eagerdl.nn.input import Input
from eagerdl.nn.layer import Layer
from eagerdl.nn.names import auto_name
from eagerdl.nn.preprocessing.adapting import batches_of, texts
from eagerdl.nn.preprocessing.category_encoding import CategoryEncoding
from eagerdl.nn.preprocessing.discretization import Discretization
from eagerdl.nn.preprocessing.hashing import HashedCrossing, Hashing
from eagerdl.nn.preprocessing.lookup import IndexLookup, IntegerLookup, StringLookup
from eagerdl.nn.preprocessing.normalization import Normalization, Rescaling
from eagerdl.nn.preprocessing.text_vectorization import TextVectorization
from eagerdl.nn.symbolic import SymbolicTensor
from eagerdl.tensor import Tensor

__all__ = ["FeatureSpace"]

KINDS = (
    "float", "float_normalized", "float_rescaled", "float_discretized", "integer_categorical", "string_categorical",
    "integer_hashed", "string_hashed",
)  # fmt: skip


class Feature:
    """How one column is prepared.

    Args:
        dtype: "float32", "int32", "int64" or "string".
        preprocessor: a layer of columns (batch, 1), or its config.
        output_mode: "float" for what it gives, "int" for numbers of categories, "one_hot" for these as vectors.

    Raises:
        ArgumentError: for an unknown mode.
    """

    def __init__(self, dtype, preprocessor, output_mode):
        check_choice("Feature", "output_mode", output_mode, ("int", "one_hot", "float"))
        self.dtype = dtype
        self.preprocessor = (
            registry.deserialize_keras_object(preprocessor) if isinstance(preprocessor, dict) else preprocessor
        )
        self.output_mode = output_mode

    def get_config(self):
        """The arguments."""
        preprocessor = registry.serialize_keras_object(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": preprocessor, "output_mode": self.output_mode}

    @classmethod
    def from_config(cls, config):
        """A feature from what `get_config` gave."""
        return cls(**config)


class Cross:
    """Several columns of categories as one.

    Args:
        feature_names: their names.
        crossing_dim: how many bins their combinations are hashed to.
        output_mode: "int" or "one_hot".

    Raises:
        ArgumentError: for an unknown mode.
    """

    def __init__(self, feature_names, crossing_dim, output_mode="one_hot"):
        check_choice("Cross", "output_mode", output_mode, ("int", "one_hot"))
        self.feature_names, self.crossing_dim, self.output_mode = tuple(feature_names), crossing_dim, output_mode

    @property
    def name(self):
        """The names of the columns, joined."""
        return "_X_".join(self.feature_names)

    def get_config(self):
        """The arguments."""
        return {
            "feature_names": list(self.feature_names),
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config):
        """A cross from what `get_config` gave."""
        return cls(**config)


class FeatureSpace(Layer):
    """dict of columns (batch,) or (batch, 1) -> (batch, n), or a dict of (batch, m). A table's rows as vectors.

    Each column has a kind: "float", "float_normalized", "float_rescaled", "float_discretized", "integer_categorical",
    "string_categorical", "integer_hashed" or "string_hashed"; or what the class methods of these names give, with arguments.
    Columns of strings are lists or NumPy arrays of str, so a space that has some is called on data, in `Dataset.map` for
    instance, and not on symbolic tensors. A dict of single values gives one vector.

    Args:
        features: column name -> kind or Feature.
        output_mode: "concat" for one vector, columns in the order of their names and crosses behind; "dict" for one of each.
        crosses: tuples of names of columns with categories, whose combinations become a column; or what `cross` gives.
        crossing_dim: how many bins combinations are hashed to.
        hashing_dim: how many bins the values of hashed columns are hashed to.
        num_discretization_bins: how many bins discretized columns have.
        name: a name.

    Raises:
        ArgumentError: for no or unknown features, columns in crosses that are none, or a call before `adapt`.
        DTypeError: for columns of another type than their kind.

    Example:
        >>> space = edl.utils.FeatureSpace({"age": "float_normalized", "job": "string_categorical"})
        >>> table = {"age": [20.0, 40.0], "job": ["cook", "judge"]}
        >>> space.adapt(table)
        >>> space(table)
        Tensor(shape=(2, 4), dtype=float32,
        [[-1.  0.  0.  1.]
         [ 1.  0.  1.  0.]])
    """

    _convert_inputs = False
    _has_shape_rule = False

    def __init__(self, features, output_mode="concat", crosses=None, crossing_dim=32, hashing_dim=32,
                 num_discretization_bins=32, name=None, **kwargs):  # fmt: skip
        super().__init__(name=name, **kwargs)
        if not features:
            raise ArgumentError(
                self.where, "at least one feature is needed", f"got {features!r}", "pass {'column': 'float'}"
            )
        check_choice(self.where, "output_mode", output_mode, ("dict", "concat"))
        self.output_mode, self.crossing_dim, self.hashing_dim = output_mode, crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {name: self._feature(name, value) for name, value in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {cross.name: HashedCrossing(cross.crossing_dim) for cross in self.crosses}
        self._adapted = not self._to_adapt()
        self._inputs = self._encoded = None

    # -- kinds ------------------------------------------------------------------------------------

    @classmethod
    def cross(cls, feature_names, crossing_dim, output_mode="one_hot"):
        """Columns whose combinations are hashed to `crossing_dim` bins; "one_hot" or "int"."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype, preprocessor, output_mode):
        """A column with a layer of your own; "float", "int" or "one_hot"."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name=None):
        """Numbers as they are."""
        return Feature("float32", Identity(name=_preprocessor(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale=1.0, offset=0.0, name=None):
        """Numbers times `scale` plus `offset`."""
        return Feature("float32", Rescaling(scale, offset, name=_preprocessor(name, "float_rescaled")), "float")

    @classmethod
    def float_normalized(cls, name=None):
        """Numbers less their mean, by their standard deviation."""
        return Feature("float32", Normalization(axis=-1, name=_preprocessor(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(cls, num_bins, bin_boundaries=None, output_mode="one_hot", name=None):
        """The bins of numbers: learnt ones, or between given boundaries."""
        layer = Discretization(bin_boundaries, None if bin_boundaries is not None else num_bins,
                               name=_preprocessor(name, "float_discretized"))  # fmt: skip
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None):
        """Integers of a learnt vocabulary."""
        layer = IntegerLookup(max_tokens, num_oov_indices, name=_preprocessor(name, "integer_categorical"))
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None):
        """Strings of a learnt vocabulary."""
        layer = StringLookup(max_tokens, num_oov_indices, name=_preprocessor(name, "string_categorical"))
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Strings hashed to bins."""
        return Feature("string", Hashing(num_bins, name=_preprocessor(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Integers hashed to bins."""
        return Feature("int32", Hashing(num_bins, name=_preprocessor(name, "integer_hashed")), output_mode)

    def _feature(self, name, value):
        if isinstance(value, dict):
            value = registry.deserialize_keras_object(value)
        if isinstance(value, Feature):
            return value
        check_choice(self.where, f"feature {name!r}", value, KINDS)
        sizes = {"float_discretized": self.num_discretization_bins, "integer_hashed": self.hashing_dim,
                 "string_hashed": self.hashing_dim}  # fmt: skip
        return getattr(self, value)(*([sizes[value]] if value in sizes else []), name=name)

    def _cross(self, value):
        if isinstance(value, dict):
            value = registry.deserialize_keras_object(value)
        cross = value if isinstance(value, Cross) else Cross(value, self.crossing_dim)
        for name in cross.feature_names:
            if name not in self.features:
                raise ArgumentError(self.where, "crosses name features", f"{name!r} of {cross.feature_names} is none"
                                    f"{registry.nearest(name, self.features)}", f"they are {', '.join(self.features)}")  # fmt: skip
        return cross

    # -- learning ---------------------------------------------------------------------------------

    def _to_adapt(self):
        """The names of the features whose layers have something to learn."""
        return [
            name
            for name, layer in self.preprocessors.items()
            if hasattr(layer, "adapt")
            and not (isinstance(layer, Normalization) and layer.input_mean is not None)
            and not (isinstance(layer, Discretization) and layer.num_bins is None)
            and not getattr(layer, "_has_input_vocabulary", False)
            and not (isinstance(layer, TextVectorization) and layer._lookup._has_input_vocabulary)
        ]

    def adapt(self, dataset):
        """Learns means, bins and vocabularies.

        Args:
            dataset: a dict of columns, or a Dataset or another iterable of such dicts that can be read several times.

        Raises:
            ArgumentError: if a column is missing, or there are no data.
            DTypeError: for data of another kind.
        """
        where = f"{self.where}.adapt"
        if hasattr(dataset, "__next__"):
            dataset = list(dataset)  # it is read once for each feature
        for name in self._to_adapt():
            if isinstance(dataset, dict):
                columns = [self._column(name, dataset, where)]
            elif hasattr(dataset, "__iter__") and not isinstance(dataset, str | bytes | Tensor | np.ndarray):
                columns = (self._column(name, one, where) for one in _dicts(where, dataset))
            else:
                raise DTypeError(where, "data are a dict of columns, or a Dataset of dicts", f"got {type(dataset).__name__}",
                                 "pass dict(dataframe), or dataset.map(lambda row: {...})")  # fmt: skip
            self.preprocessors[name].adapt(iter(list(batches_of(where, columns))))
        self._adapted, self._inputs, self._encoded = True, None, None

    def _column(self, name, data, where):
        """One column (batch, 1), an array of str or a tensor."""
        if name not in data:
            raise ArgumentError(
                where, "data must have every feature", f"{name!r} is missing", f"there are {', '.join(map(repr, data))}"
            )
        value, dtype = data[name], self.features[name].dtype
        if dtype == "string":
            column = texts(f"{where}, feature {name!r}", value)
        else:
            column = ops.convert_to_tensor(value.to_numpy() if hasattr(value, "to_numpy") else value)
            if dtype.startswith("int"):
                if column.dtype.kind not in "iu":
                    raise DTypeError(
                        f"{where}, feature {name!r}", "integers are needed", f"got {column.dtype}", "cast them"
                    )
            else:
                column = ops.cast(column, dtype)
        if column.ndim > 2 or (
            column.ndim == 2 and column.shape[1] != 1 and isinstance(self.preprocessors[name], IndexLookup)
        ):
            raise ShapeError(f"{where}, feature {name!r}", "a column has shape (batch,) or (batch, 1)", f"got {column.shape}",
                             "make one feature of each column")  # fmt: skip
        return column.reshape(1, 1) if column.ndim == 0 else column[:, None] if column.ndim == 1 else column

    # -- calls ------------------------------------------------------------------------------------

    def call(self, data):
        if not isinstance(data, dict):
            raise DTypeError(
                self.where, "a dict of columns is needed", f"got {type(data).__name__}", "pass {'name': values}"
            )
        self._check_adapted()
        single = all(np.ndim(data[name]) == 0 for name in self.features if name in data)
        values = {}
        for name, layer in self.preprocessors.items():
            values[name] = layer(self._column(name, data, self.where))
        crossed = {
            cross.name: self.crossers[cross.name]([_plain(values[name]) for name in cross.feature_names])
            for cross in self.crosses
        }
        out = {}
        for name, value in [*sorted(values.items()), *sorted(crossed.items())]:
            out[name] = self._shown(name, value)
        if single:
            out = {name: value[0] for name, value in out.items()}
        if self.output_mode == "dict":
            return out
        for name, value in out.items():
            if value.dtype not in dtypes.FLOATING_SET:
                raise DTypeError(self.where, "features that are joined must be encoded as vectors",
                                 f"feature {name!r} gives {value.dtype}",
                                 "use its output_mode 'one_hot', or output_mode='dict'")  # fmt: skip
        return ops.concatenate([*out.values()], axis=-1)

    def _shown(self, name, value):
        mode = self._mode(name)
        if mode != "one_hot":
            return value
        return CategoryEncoding(self._cardinality(name), "multi_hot", dtype=self.dtype_policy)(value)

    def _mode(self, name):
        return (
            self.features[name].output_mode
            if name in self.features
            else {c.name: c for c in self.crosses}[name].output_mode
        )

    def _cardinality(self, name):
        layer = self.preprocessors[name] if name in self.preprocessors else self.crossers[name]
        if isinstance(layer, IndexLookup):
            return layer.vocabulary_size()
        if isinstance(layer, Discretization):
            return layer.num_bins if layer.bin_boundaries is None else len(layer.bin_boundaries) + 1
        size = getattr(layer, "num_bins", None) or getattr(layer, "num_tokens", None)
        if size is None:
            raise ArgumentError(self.where, "how many categories there are must be known for 'one_hot'",
                                f"{type(layer).__name__} of feature {name!r} does not say", "use output_mode='int'")  # fmt: skip
        return size

    def _check_adapted(self):
        if not self._adapted:
            raise ArgumentError(self.where, "means and vocabularies must be known", "the space has seen no data",
                                "call adapt(dataset) first")  # fmt: skip

    # -- symbolic tensors -------------------------------------------------------------------------

    def compute_output_spec(self, data):
        """What the call gives: a shape for each feature."""
        self._check_adapted()
        batch = next(iter(tree.flatten(data)[0])).shape[0]
        out = {}
        for name in [*sorted(self.features), *sorted(self.crossers)]:
            if self._mode(name) == "one_hot":
                out[name] = SymbolicTensor((batch, self._cardinality(name)), self.compute_dtype)
            elif self._mode(name) == "int":
                layer = self.preprocessors.get(name) or self.crossers[name]
                out[name] = SymbolicTensor((batch, 1), getattr(layer, "output_dtype", "int64"))
            else:
                shape = tuple(self.preprocessors[name].compute_output_shape((batch, 1)))
                out[name] = SymbolicTensor(shape, self.compute_dtype)
        if self.output_mode == "dict":
            return out
        return SymbolicTensor((batch, sum(one.shape[-1] for one in out.values())), self.compute_dtype)

    def get_inputs(self):
        """A dict of symbolic inputs (batch, 1), from which `get_encoded_features` is computed in a functional model.

        Raises:
            DTypeError: if there are features of strings, of which there are no tensors.
        """
        strings = [name for name, feature in self.features.items() if feature.dtype == "string"]
        if strings:
            raise DTypeError(f"{self.where}.get_inputs", "no tensor holds text", f"{strings} are features of strings",
                             "call the space on data, and the model on what it gives")  # fmt: skip
        if self._inputs is None:
            self._inputs = {
                name: Input((1,), dtype=feature.dtype, name=name) for name, feature in self.features.items()
            }
        return self._inputs

    def get_encoded_features(self):
        """What the space gives, as symbolic tensors: inputs of a model that is trained on encoded data.

        They are computed from `get_inputs` unless there are features of strings.

        Raises:
            ArgumentError: before `adapt`.
        """
        self._check_adapted()
        if self._encoded is None:
            if any(feature.dtype == "string" for feature in self.features.values()):
                spec = self.compute_output_spec({"": SymbolicTensor((None, 1), "float32")})
                self._encoded = tree.map_structure(lambda x: Input(x.shape[1:], dtype=x.dtype), spec)
            else:
                self._encoded = self(self.get_inputs())
        return self._encoded

    # -- saving -----------------------------------------------------------------------------------

    def save(self, filepath):
        """Writes the space with what it has learnt as one file ``.keras``, which `edl.models.load_model` reads."""
        save_model(self, filepath)

    def get_build_config(self):
        return {name: feature.preprocessor.get_build_config() for name, feature in self.features.items()}

    def build_from_config(self, config):
        for name, built in config.items():
            layer = self.preprocessors[name]
            if built and not layer.built:
                layer.build_from_config(built)
        self._adapted = self.built = True

    def get_config(self):
        return {
            "features": registry.serialize_keras_object(self.features), "output_mode": self.output_mode,
            "crosses": registry.serialize_keras_object(self.crosses), "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim, "num_discretization_bins": self.num_discretization_bins, "name": self.name,
        }  # fmt: skip


def _preprocessor(name, kind):
    return f"{name or auto_name(kind)}_preprocessor"


def _plain(x):
    """The values of a column of categories: integers, or what is no tensor."""
    return x.numpy() if isinstance(x, Tensor) else x


def _dicts(where, data):
    for one in data:
        one = one[0] if isinstance(one, tuple) else one
        if not isinstance(one, dict):
            raise DTypeError(
                where, "batches are dicts of columns", f"got {type(one).__name__}", "dataset.map(lambda row: {...})"
            )
        yield one


registry.add_area("utils", {"Cross": Cross, "Feature": Feature, "FeatureSpace": FeatureSpace, "TFDIdentity": Identity})
