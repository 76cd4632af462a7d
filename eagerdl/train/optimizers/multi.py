"""Several optimizers as one: each updates the variables that a map gives it."""

import re
from collections.abc import MutableMapping

from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError, MissingNameError
from eagerdl.nn import initializers
from eagerdl.train.optimizers.loss_scale import LossScaleOptimizer
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["MultiOptimizer", "OptimizerMap"]


def _check(where, optimizer):
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, LossScaleOptimizer | MultiOptimizer):
        raise DTypeError(where, "an optimizer is needed that is neither a MultiOptimizer nor a LossScaleOptimizer",
                         f"got {optimizer!r:.60}", "put a LossScaleOptimizer around the MultiOptimizer")  # fmt: skip
    return optimizer


class OptimizerMap(MutableMapping):
    """Regular expressions of variable paths -> optimizers; called with a variable, it gives the optimizer of that variable.

    An expression has to match the whole path.

    Args:
        default_optimizer: the optimizer of paths that nothing matches.
        optimizer_map: a dict to begin with.

    Raises:
        DTypeError: for values that are no optimizers.
        ArgumentError: if an expression comes twice, or two match one path.

    Example:
        >>> by_path = edl.optimizers.OptimizerMap(edl.optimizers.Adam())
        >>> by_path["embedding/.*"] = edl.optimizers.SGD(1.0)
        >>> by_path["embedding/embeddings"]
        SGD(learning_rate=1): 0 steps, 0 variables
    """

    def __init__(self, default_optimizer, optimizer_map=None):
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise DTypeError("OptimizerMap", "optimizer_map is a dict", f"got {type(optimizer_map).__name__}",
                             "pass {'dense/.*': optimizer}")  # fmt: skip
        self.default_optimizer = _check("OptimizerMap.default_optimizer", default_optimizer)
        self._optimizers = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    def __getitem__(self, key):
        if key in self._optimizers:
            return self._optimizers[key]
        found = [pattern for pattern in self._optimizers if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ArgumentError("OptimizerMap", "one expression at most may match a path", f"{key!r} is matched by {found}",
                                "make them exclude each other")  # fmt: skip
        return self._optimizers[found[0]] if found else self.default_optimizer

    def __setitem__(self, key, optimizer):
        if not isinstance(key, str):
            raise DTypeError("OptimizerMap", "keys are strings", f"got {key!r:.60}", "use the path of the variable")
        if key in self._optimizers:
            raise ArgumentError("OptimizerMap", "each expression has one optimizer", f"{key!r} has one already",
                                "delete it first")  # fmt: skip
        self._optimizers[key] = _check(f"OptimizerMap[{key!r}]", optimizer)

    def __delitem__(self, key):
        del self._optimizers[key]

    def __len__(self):
        return len(self._optimizers)

    def __iter__(self):
        return iter(self._optimizers)

    def __call__(self, variable):
        """The optimizer of a variable."""
        return self[variable.path]

    def get_config(self):
        """The arguments of `__init__` as a dict that JSON can hold."""
        return {
            "default_optimizer": registry.serialize_keras_object(self.default_optimizer),
            "optimizer_map": registry.serialize_keras_object(self._optimizers),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The map that `get_config` described."""
        return cls(**{key: registry.deserialize_keras_object(value, custom_objects) for key, value in config.items()})


class MultiOptimizer(Optimizer):
    """One optimizer made of several, each with variables, slots and a learning rate of its own.

    Args:
        optimizer_map: an `OptimizerMap`, or a function variable -> optimizer.
        loss_scale_factor: as in `Optimizer`, for all of them.
        name: the name; by default that of the class in snake case.

    Raises:
        DTypeError: if the map gives something that is no optimizer.

    Example:
        >>> kernel, bias = edl.Variable([1.0], name="kernel"), edl.Variable([1.0], name="bias")
        >>> by_path = edl.optimizers.OptimizerMap(edl.optimizers.SGD(0.5), {"bias": edl.optimizers.SGD(0.1)})
        >>> optimizer = edl.optimizers.MultiOptimizer(by_path)
        >>> _ = optimizer.apply_gradients([(edl.constant([1.0]), kernel), (edl.constant([1.0]), bias)])
        >>> kernel.tolist(), bias.tolist()
        ([0.5], [0.8999999761581421])
    """

    def __init__(self, optimizer_map, loss_scale_factor=None, name=None):
        if not callable(optimizer_map):
            raise DTypeError("MultiOptimizer", "an OptimizerMap or a function variable -> optimizer is needed",
                             f"got {type(optimizer_map).__name__}", "pass OptimizerMap(default, a_dict)")  # fmt: skip
        self._optimizers = []
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*[optimizer_map[key] for key in optimizer_map], optimizer_map.default_optimizer):
                self._adopt(optimizer)

    def _adopt(self, optimizer):
        """The place of an optimizer among those of this one."""
        for place, known in enumerate(self._optimizers):
            if known is optimizer:
                return place
        optimizer.loss_scale_factor = self.loss_scale_factor
        self._optimizers.append(optimizer)
        return len(self._optimizers) - 1

    @property
    def optimizers(self):
        """The optimizers, in the order of the map, the default last."""
        return self._optimizers

    @property
    def variables(self):
        """Iteration and learning rate of this optimizer, then the variables of the others one after the other."""
        return [*self._variables, *[v for optimizer in self._optimizers for v in optimizer.variables]]

    @property
    def loss_scale_factor(self):
        """What losses are multiplied by; set for all the optimizers."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value):
        self._loss_scale_factor = value
        for optimizer in self._optimizers:
            optimizer.loss_scale_factor = value

    @property
    def learning_rate(self):
        """There is none: each optimizer has its own."""
        raise MissingNameError("MultiOptimizer", "each of its optimizers has a learning rate of its own", "asked for one",
                               "read optimizer.optimizers[0].learning_rate")  # fmt: skip

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if self._learning_rate is not None:
            raise MissingNameError("MultiOptimizer", "each of its optimizers has a learning rate of its own",
                                   "got one for all", "assign optimizer.optimizers[0].learning_rate")  # fmt: skip
        # A variable without meaning, which Keras saves as well.
        self._learning_rate = self.add_variable((), initializers.Constant(learning_rate), name="learning_rate")

    def build_slots(self, variables):
        places = [self._adopt(_check(f"MultiOptimizer: {v.path}", self._optimizer_map(v))) for v in variables]
        self._place = dict(zip(variables, places))
        for optimizer, mine in zip(self._optimizers, self._shares(variables, variables)):
            if mine:
                optimizer.build(mine)

    def _shares(self, variables, values):
        """`values`, one for each variable, as one list for each optimizer."""
        shares = [[] for _ in self._optimizers]
        for v, value in zip(variables, values):
            shares[self._place[v]].append(value)
        return shares

    def apply(self, grads, trainable_variables=None):
        """One step of each optimizer that has gradients here; see `Optimizer.apply`."""
        grads = list(grads)
        if not grads:
            return
        variables = self._targets(grads, trainable_variables)
        shares = zip(self._optimizers, self._shares(variables, grads), self._shares(variables, variables))
        for optimizer, mine, targets in shares:
            if mine:
                optimizer.apply(mine, targets)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list):
        """Ends training of each optimizer."""
        self._check_known(var_list)
        for optimizer, mine in zip(self._optimizers, self._shares(var_list, var_list)):
            if mine:
                optimizer.finalize_variable_values(mine)

    def get_config(self):
        """The arguments of `__init__` as a dict that JSON can hold."""
        return {
            "optimizer_map": registry.serialize_keras_object(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The optimizer that `get_config` described, without state."""
        found = registry.deserialize_keras_object(config["optimizer_map"], custom_objects)
        return cls(**{**config, "optimizer_map": found})

    def __repr__(self):
        return f"MultiOptimizer({', '.join(map(repr, self._optimizers))})"
