"""Numbers of bins for numbers: `Discretization`."""

import itertools

import numpy as np

from eagerdl import config, dtypes, ops, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn import symbolic
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.layer import Layer
from eagerdl.nn.preprocessing.adapting import batches_of, numbers
from eagerdl.nn.preprocessing.encoding import checked_mode, encode, encoded_shape, refuse_sparse

__all__ = ["Discretization"]


class Discretization(Layer):
    """x (...) -> the same shape int32, or (..., bins). The number of the bin of each number: i if b[i - 1] <= x < b[i].

    Args:
        bin_boundaries: the b between the bins, ascending.
        num_bins: instead of boundaries: into how many bins `adapt` shall divide data, with equally many numbers in each.
        epsilon: how far a boundary may be from the true quantile, as a part of the data.
        output_mode: "int" for the numbers of bins, or "one_hot", "multi_hot", "count" for vectors over the bins.
        sparse: only False.
        dtype: the dtype of vectors.
        name: a name.

    Raises:
        ArgumentError: unless one of bin_boundaries and num_bins is given, for boundaries out of order, an unknown mode, or
            a call before `adapt`.

    Example:
        >>> edl.layers.Discretization(bin_boundaries=[0.0, 1.0])([[-1.5, 0.0, 0.5, 3.0]])
        Tensor(shape=(1, 4), dtype=int32, [[0 1 1 2]])

    Source: the boundaries come from weighted samples that are thinned again and again, a merging sketch of quantiles.
    """

    def __init__(
        self, bin_boundaries=None, num_bins=None, epsilon=0.01, output_mode="int", sparse=False, dtype=None, name=None
    ):
        super().__init__(name=name, dtype=dtype)
        self.output_mode = checked_mode(self.where, output_mode)
        refuse_sparse(self.where, sparse)
        check_numbers(self.where, 0.0, 1.0, epsilon=epsilon)
        if (bin_boundaries is None) == (num_bins is None):
            raise ArgumentError(self.where, "either bin_boundaries or num_bins is needed",
                                f"got bin_boundaries={bin_boundaries!r}, num_bins={num_bins!r}", "give one of them")  # fmt: skip
        if num_bins is not None:
            check_numbers(self.where, 1, num_bins=num_bins)
        self.bin_boundaries = None if bin_boundaries is None else self._checked(bin_boundaries)
        self.num_bins, self.epsilon, self.sparse = num_bins, epsilon, sparse
        self.reset_state()

    def _checked(self, boundaries):
        boundaries = np.asarray(boundaries, np.float64).tolist()
        if any(a > b for a, b in itertools.pairwise(boundaries)):
            raise ArgumentError(self.where, "bin_boundaries must rise", f"got {boundaries}", "sort them")
        return boundaries

    def adapt(self, data, batch_size=None, steps=None):
        """Learns the boundaries from data: numbers of any shape, arrays, a Dataset, or an iterable of batches.

        Raises:
            ArgumentError: if the boundaries were given, or there are no data.
        """
        where = f"{self.where}.adapt"
        if self.num_bins is None:
            raise ArgumentError(
                where, "there must be something to learn", "bin_boundaries were given", "give num_bins instead"
            )
        self.reset_state()
        for batch in batches_of(where, data, batch_size, steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self):
        """Forgets the data seen."""
        self.summary = np.zeros((2, 0), "float32")

    def update_state(self, data):
        """Takes in one batch of data."""
        values = np.sort(numbers(self.where, data).astype("float32").ravel())
        if not values.size:
            return
        step = max(values.size * self.epsilon, 1)
        picked = values[int(step - 1) :: int(step)]
        merged = np.concatenate([np.stack([picked, np.full_like(picked, step)]), self.summary], axis=1)
        self.summary = thinned(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self):
        """Makes the boundaries of the data seen."""
        if self.num_bins is None:
            return
        if not self.summary.size:
            raise ArgumentError(
                f"{self.where}.adapt", "data must hold at least one number", "there is none", "check them"
            )
        self.bin_boundaries = thinned(self.summary, 1 / self.num_bins)[0, :-1].tolist()

    @property
    def output_dtype(self):
        """The dtype of the output."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def call(self, inputs):
        if self.bin_boundaries is None:
            raise ArgumentError(
                self.where, "the boundaries must be known", "the layer has seen no data", "call adapt(data) first"
            )
        x = ops.convert_to_tensor(inputs)
        if x.dtype.name in ("float16", "bfloat16") or x.dtype == dtypes.bool_:
            x = ops.cast(x, "float32")
        bins = np.asarray(self.bin_boundaries, x.dtype.name if x.dtype.kind == "f" else config.floatx())
        return encode(ops.digitize(x, bins), self.output_mode, len(self.bin_boundaries) + 1, self.output_dtype)

    def compute_output_shape(self, input_shape):
        depth = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(input_shape, self.output_mode, depth)

    def compute_output_spec(self, inputs):
        return symbolic.SymbolicTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def save_own_variables(self, store):
        if self.num_bins is not None and self.bin_boundaries is not None:
            store["bin_boundaries"] = np.asarray(self.bin_boundaries, "float64")

    def load_own_variables(self, store):
        if "bin_boundaries" in store:
            self.bin_boundaries = self._checked(store["bin_boundaries"])

    def get_config(self):
        return {
            "bin_boundaries": self.bin_boundaries, "num_bins": self.num_bins, "epsilon": self.epsilon,
            "output_mode": self.output_mode, "sparse": self.sparse, "name": self.name, "dtype": self.dtype_policy.name,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config):
        learnt = config.get("bin_boundaries")
        if learnt is None or config.get("num_bins") is None:
            return super().from_config(config)
        layer = super().from_config({**config, "bin_boundaries": None})
        layer.bin_boundaries = layer._checked(learnt)
        return layer


def thinned(summary, epsilon):
    """Sorted samples and their weights (2, n) -> about 1 / epsilon of them: where the cumulated weights pass each epsilon."""
    if summary.shape[1] * epsilon < 1:
        return summary
    cumulated = summary[1].cumsum()
    parts = epsilon + np.arange(0.0, 1.0, epsilon)
    values = np.interp(parts, cumulated / cumulated[-1], summary[0])
    weights = np.diff(np.interp(parts, cumulated / cumulated[-1], cumulated), prepend=0)
    return np.stack([values, weights]).astype("float32")


registry.add_area("layers", {"Discretization": Discretization})
