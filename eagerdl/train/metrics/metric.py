"""`Metric`: numbers that are gathered batch by batch, in variables that no tape records."""

import functools

from eagerdl import dtypes
from eagerdl.autograd.graph import active, pause
from eagerdl.autograd.primitive import Spec, custom
from eagerdl.errors import ArgumentError, MissingNameError
from eagerdl.nn import calls, initializers, policy
from eagerdl.nn.module import Module
from eagerdl.nn.names import auto_name, snake_case
from eagerdl.ops.creation import zeros
from eagerdl.variable import Variable

__all__ = ["Metric"]


@custom(tensors=2, infer=lambda total, count: Spec(total.shape, total.dtype))
def ratio(total, count):
    """total (...), count (...) -> (...). total / count, and 0 where count is 0: one op, for results are asked for often."""
    if not total.ndim:
        return total / count if count else total * 0
    empty = (count == 0).astype(count.dtype)
    return total / (count + empty) * (1 - empty)


def _unrecorded(update):
    """`update_state` that runs while no tape records: what it computes has no gradient, and a tape would only keep it."""

    @functools.wraps(update)
    def call(self, *args, **named):
        function = calls.converted(update)
        if active() is None:
            return function(self, *args, **named)
        with pause():
            return function(self, *args, **named)

    return call


class Metric(Module):
    """Base class of metrics: subclasses make variables in `__init__`, and write `update_state` and `result`.

    A metric is a plain object for own loops as for `compile`. What `update_state` computes is not recorded by tapes.

    Args:
        dtype: the dtype in which to compute, or a policy; by default floatx.
        name: a name; by default that of the class.

    Example:
        >>> class Largest(edl.metrics.Metric):
        ...     def __init__(self, name="largest"):
        ...         super().__init__(name=name)
        ...         self.largest = self.add_weight(name="largest")
        ...
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.largest.assign(edl.maximum(self.largest, edl.max(y_pred)))
        ...
        ...     def result(self):
        ...         return self.largest.value
        >>> metric = Largest()
        >>> metric.update_state([0.0, 0.0], [1.0, 3.0])
        >>> metric([0.0], [2.0])
        Tensor(shape=(), dtype=float32, 3.)
    """

    def __init_subclass__(cls, **named):
        super().__init_subclass__(**named)
        if "update_state" in vars(cls):
            cls.update_state = _unrecorded(cls.update_state)

    def __init__(self, dtype=None, name=None):
        super().__init__(name or auto_name(snake_case(type(self).__name__)))
        self._dtype = dtypes.standardize(policy.get(dtype or dtypes.floatx()).compute_dtype)

    @property
    def name(self):
        """The name, which is also the key of the result in logs."""
        return super().name

    @name.setter
    def name(self, name):
        self._name = name

    @property
    def dtype(self):
        """The name of the dtype in which the metric computes."""
        return self._dtype.name

    @property
    def variables(self):
        """The variables: its own in the order in which they were made, then those of metrics inside it."""
        return list(super().variables)

    def add_variable(self, shape, initializer, dtype=None, aggregation="sum", name=None):
        """A new variable of this metric.

        Args:
            shape: its shape.
            initializer: its first value: the name of an initializer, an initializer, or a function of shape and dtype.
            dtype: its dtype, by default floatx.
            aggregation: how replicas are combined; kept for configuration only.
            name: its name.
        """
        initializer = initializers.get("zeros" if initializer is None else initializer)
        variable = Variable(initializer, tuple(shape), dtypes.standardize(dtype), trainable=False, aggregation=aggregation,
                            synchronization="on_read", name=name)  # fmt: skip
        vars(self).setdefault("_added", []).append(variable)  # found even if no attribute holds it
        return variable

    def add_weight(self, shape=(), initializer=None, dtype=None, name=None):
        """A new variable of this metric, zeros by default; see `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, *args, **kwargs):
        """Takes a batch into account: what subclasses write."""
        raise MissingNameError(type(self).__name__, "a metric needs a method update_state", "it has none", "write it")

    def result(self):
        """The value over all batches since `reset_state`: what subclasses write."""
        raise MissingNameError(type(self).__name__, "a metric needs a method result", "it has none", "write it")

    def reset_state(self):
        """Forgets all batches: sets the variables to 0."""
        for variable in self.variables:
            variable.assign(zeros(variable.shape, variable.dtype))

    def __call__(self, *args, **kwargs):
        """Takes a batch into account, and returns the value over all batches so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    # -- without state ----------------------------------------------------------------------------

    def stateless_update_state(self, metric_variables, *args, **kwargs):
        """The values that the variables would have after a batch, if they had `metric_variables` before; they stay as they are.

        Args:
            metric_variables: a value for each of `variables`.
            args, kwargs: those of `update_state`.

        Raises:
            ArgumentError: for another number of values.

        Example:
            >>> mean = edl.metrics.Mean()
            >>> values = mean.stateless_update_state(mean.stateless_reset_state(), [1.0, 3.0])
            >>> mean.stateless_result(values), mean.result()
            (Tensor(shape=(), dtype=float32, 2.), Tensor(shape=(), dtype=float32, 0.))
        """
        return self._with_values(metric_variables, lambda: self.update_state(*args, **kwargs))[1]

    def stateless_result(self, metric_variables):
        """What `result` would give if the variables had the values `metric_variables`."""
        return self._with_values(metric_variables, self.result)[0]

    def stateless_reset_state(self):
        """The values that the variables would have after `reset_state`."""
        return self._with_values([variable.value for variable in self.variables], self.reset_state)[1]

    def _with_values(self, values, function):
        """What `function` returns, and the values it leaves, with other values in the variables, which come back afterwards."""
        variables = self.variables
        if len(values) != len(variables):
            raise ArgumentError(type(self).__name__, f"metric_variables must be a value for each of {len(variables)} variables",
                                f"got {len(values)}", "pass what stateless_reset_state returned")  # fmt: skip
        before = [variable.value for variable in variables]
        try:
            for variable, value in zip(variables, values):
                variable.assign(value)
            out = function()
            return out, [variable.value for variable in variables]
        finally:
            for variable, value in zip(variables, before):
                variable.assign(value)

    # -- configs ----------------------------------------------------------------------------------

    def get_config(self):
        """The arguments of `__init__`, as JSON can hold them."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        """The metric of a config."""
        return cls(**config)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"
