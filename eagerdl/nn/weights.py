"""`WeightOwner`: the half of `Layer` that has to do with weights: how they are made, found, frozen, read and assigned."""

import contextlib
import math

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import constraints, initializers, policy, regularizers, tracking
from eagerdl.nn.module import Module
from eagerdl.tensor import Tensor, from_array, to_array
from eagerdl.variable import Variable


class WeightOwner(Module):
    """A module whose weights have Keras' order: its own trainable ones, its other own ones, then those of its layers.

    Needs `path`, `where`, the dtypes and `built` of `Layer`.
    """

    _trainable = True

    def _begin(self, trainable):
        self._trainable = bool(trainable)
        self._weights = []  # those made by add_weight, whether or not they are attributes
        self._frozen = []  # the trainable ones among them, while the layer is not
        self._fixed = []  # those that were made trainable, and will not be again

    def add_weight(self, shape=None, initializer=None, dtype=None, trainable=True, autocast=True, regularizer=None,
                   constraint=None, aggregation="none", overwrite_with_gradient=False, name=None):  # fmt: skip
        """A new weight of the layer.

        Args:
            shape: its shape; () by default.
            initializer: an initializer or its name; glorot_uniform for floats, zeros for integers and bools.
            dtype: its dtype; the layer's variable dtype by default.
            trainable: whether optimizers change it.
            autocast: whether it is cast to the compute dtype in the layer's call.
            regularizer: a regularizer, whose loss is among the layer's `losses`.
            constraint: a function of the value, applied after each update.
            aggregation, overwrite_with_gradient: kept for configuration only.
            name: its name.

        Returns:
            The Variable.

        Raises:
            ShapeError: if the shape holds None.

        Example:
            >>> layer = edl.layers.Layer()
            >>> layer.add_weight(shape=(2, 3), initializer="zeros", name="w").shape
            (2, 3)
        """
        shape = () if shape is None else tuple(shape) if isinstance(shape, list | tuple) else (shape,)
        if any(n is None for n in shape):
            raise ShapeError(f"{self.where}.add_weight", "the sizes of a weight must be known", f"got shape {shape}",
                             "give the layer input whose axes are known, apart from the batch")  # fmt: skip
        dtype = dtypes.standardize(self.variable_dtype if dtype is None else dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtype in dtypes.FLOATING_SET else "zeros"
        mixed = (
            autocast and self.autocast and dtype in dtypes.FLOATING_SET and self.compute_dtype != self.variable_dtype
        )
        made = (policy.CastVariable if mixed else Variable)(
            initializers.get(initializer), shape=shape, dtype=dtype, trainable=trainable, autocast=autocast,
            aggregation=aggregation, name=name, constraint=constraints.get(constraint),
        )  # fmt: skip
        made.regularizer = regularizers.get(regularizer)
        made._path = f"{self.path}/{made.name}"
        if trainable and not self._trainable:
            made.trainable = False
            self._frozen.append(made)
        self._weights.append(made)
        self._has_changed()
        return made

    def _owned(self):
        found = self.__dict__.get("_found")
        if found is None or not found.is_current():
            found = self.__dict__["_found"] = tracking.owned(self, is_layer)
        return found

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name not in tracking.QUIET:
            self._has_changed()

    def __delattr__(self, name):
        object.__delattr__(self, name)
        self._has_changed()

    def _has_changed(self):
        self.__dict__["_found"] = None
        tracking.changes[0] += 1

    def _kept(self, name, compute):
        """A list that depends on what this layer and its sublayers own; computed anew when that has changed."""
        whole = self.__dict__.get("_whole")
        if whole is None or not whole.is_current():
            whole = self.__dict__["_whole"] = tracking.Whole(self._walk_layers())
        found = whole.lists.get(name)
        if found is None:
            found = whole.lists[name] = compute()
        return found

    @property
    def _layers(self):
        """The layers in this one's attributes, in order; models override it."""
        return self._owned().layers

    def _own_weights(self):
        """The variables that belong to this layer itself, trainable ones first."""
        found = self._owned().variables
        if all(v.trainable for v in found):
            return found
        return [v for v in found if self._was_trainable(v)] + [v for v in found if not self._was_trainable(v)]

    def _was_trainable(self, variable):
        return variable.trainable or any(variable is one for one in (*self._frozen, *self._fixed))

    def _fix(self, variable):
        """Takes one of the layer's trainable weights away from optimizers for good; its place in `weights` stays."""
        variable.trainable = False
        self._frozen = [v for v in self._frozen if v is not variable]
        self._fixed.append(variable)

    @property
    def weights(self):
        """The variables of the layer and its sublayers, without random states; the order of `get_weights`."""
        return tracking.once([*self._own_weights(), *[v for layer in self._layers for v in layer.weights]])

    @property
    def variables(self):
        """All variables, those of random generators too."""
        return list(self._kept("variables", self._find_variables))

    def _find_variables(self):
        seeds = [seeds.state for seeds in self._owned().seeds]
        return tracking.once([*self._own_weights(), *seeds, *[v for layer in self._layers for v in layer.variables]])

    @property
    def trainable_variables(self):
        """What optimizers change: nothing where the layer is not trainable."""
        return [v for v in self.variables if v.trainable] if self._trainable else []

    @property
    def non_trainable_variables(self):
        """Running means, counters, random states; everything where the layer is not trainable."""
        return [v for v in self.variables if not v.trainable] if self._trainable else self.variables

    @property
    def trainable_weights(self):
        """`trainable_variables`: those of `weights`."""
        return [v for v in self.weights if v.trainable] if self._trainable else []

    @property
    def non_trainable_weights(self):
        """Those of `weights` that optimizers leave alone."""
        return [v for v in self.weights if not v.trainable] if self._trainable else self.weights

    @property
    def metrics(self):
        """The metrics in the attributes of the layer and its sublayers."""
        return list(self._kept("metrics", self._find_metrics))

    def _find_metrics(self):
        return tracking.once([*self._owned().metrics, *[m for layer in self._layers for m in layer.metrics]])

    @property
    def metrics_variables(self):
        """The variables of `metrics`."""
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def submodules(self):
        """The layers inside this one at any depth, each once, a parent before its children."""
        return tuple(self._flatten_layers(include_self=False))

    def _flatten_layers(self, include_self=True, recursive=True):
        if include_self and recursive:
            return [
                self,
                *self._kept("layers", lambda: self._walk_layers()[1:]),
            ]  # a list with itself would be a circle
        return self._walk_layers(include_self, recursive)

    def _walk_layers(self, include_self=True, recursive=True):
        found, stack, seen = [], [self] if include_self else [*reversed(self._layers)], set()
        while stack:
            layer = stack.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                found.append(layer)
                if recursive or layer is self:
                    stack += reversed(layer._layers)
        return found

    @property
    def trainable(self):
        """Whether optimizers change the weights; assigning sets it for all sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        value = bool(value)
        for layer in self._flatten_layers():
            if value:
                for variable in layer._frozen:
                    variable.trainable = True
                layer._frozen = []
            else:
                mine = [v for v in layer._owned().variables if v.trainable]
                for variable in mine:
                    variable.trainable = False
                layer._frozen += mine
            layer._trainable = value

    def count_params(self):
        """How many numbers the weights hold.

        Raises:
            ArgumentError: if the layer is not built.
        """
        if not self.built:
            raise ArgumentError(f"{self.where}.count_params", "the weights must exist", "the layer is not built",
                                "call it on data, or build(input_shape)")  # fmt: skip
        return sum(math.prod(v.shape) for v in self.weights)

    def get_weights(self):
        """The values of `weights` as NumPy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights):
        """Assigns the values of `weights`, in the order of `get_weights`.

        Raises:
            ShapeError: if their number or a shape differs; nothing is assigned then.
        """
        mine, weights = self.weights, list(weights)
        if len(mine) != len(weights):
            hint = "" if self.built else "; the layer is not built: call it on data first"
            raise ShapeError(f"{self.where}.set_weights", f"{len(mine)} arrays are needed", f"got {len(weights)}{hint}",
                             f"they are {', '.join(f'{v.path} {v.shape}' for v in mine[:20])}")  # fmt: skip
        for v, w in zip(mine, weights):
            if np.shape(w) != v.shape:
                raise ShapeError(f"{self.where}.set_weights", f"{v.path} has shape {v.shape}", f"got {np.shape(w)}",
                                 "pass the arrays in the order of layer.weights")  # fmt: skip
        for v, w in zip(mine, weights):
            v.assign(w)

    def save_own_variables(self, store):
        """Writes the layer's own weights into the dict `store`, numbered."""
        for index, variable in enumerate(self._own_weights()):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store):
        """Reads what `save_own_variables` wrote.

        Raises:
            ShapeError: if the number of weights or a shape differs.
        """
        mine = self._own_weights()
        if len(store) != len(mine):
            hint = "" if mine else "; it is not built: call it on data first"
            raise ShapeError(f"{self.where}", f"it has {len(mine)} weights of its own{hint}", f"the store has {len(store)}",
                             "load weights of a layer with the same config")  # fmt: skip
        for index, variable in enumerate(mine):
            variable.assign(store[str(index)])


@contextlib.contextmanager
def holding(pairs):
    """A context in which variables hold other values, to which gradients flow.

    Args:
        pairs: (variable, value).
    """
    pairs = [(v, w if isinstance(w, Tensor) else from_array(to_array(w))) for v, w in pairs]
    saved = [(v, v._array, v._node, v._now) for v, _ in pairs]
    try:
        for v, w in pairs:
            v._array, v._node, v._now = w._array, w._node, w.value if isinstance(w, Variable) else w
        yield
    finally:
        for v, array, node, now in saved:
            v._array, v._node, v._now = array, node, now


def is_layer(value):
    """True for layers, models too."""
    return isinstance(value, WeightOwner)
