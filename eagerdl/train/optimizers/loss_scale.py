"""Loss scaling: float16 gradients that neither vanish nor overflow."""

from eagerdl import registry
from eagerdl.autograd import graph
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.nn import initializers
from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.arithmetic import divide, maximum, minimum, multiply
from eagerdl.ops.control_flow import cond
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.logic import isfinite
from eagerdl.ops.reduction import all
from eagerdl.ops.shape import stack
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["LossScaleOptimizer"]

# Outside of these a scale could become 0 or infinite, from where it never returns.
SMALLEST, LARGEST = 2.0**-126, 2.0**126


class LossScaleOptimizer(Optimizer):
    """Scales the loss as much as gradients bear, and leaves out steps whose gradients overflow.

    The loss is multiplied by a scale (`scale_loss`, inside the tape), and gradients are divided by it before the inner
    optimizer sees them. After a step with an infinite or NaN gradient nothing changes but the scale, which is halved; after
    `dynamic_growth_steps` good steps it is doubled. Clipping, weight decay and the like belong to the inner optimizer; its
    own `loss_scale_factor` is set to None.

    Args:
        inner_optimizer: the optimizer that updates.
        initial_scale: the scale at the beginning.
        dynamic_growth_steps: after how many good steps in a row it is doubled.
        name: the name; by default that of the class in snake case.

    Raises:
        DTypeError: if `inner_optimizer` is no optimizer.
        ArgumentError: for arguments that belong to the inner optimizer.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> optimizer = edl.optimizers.LossScaleOptimizer(edl.optimizers.SGD(0.5), initial_scale=8.0)
        >>> with edl.GradientTape() as tape:
        ...     loss = optimizer.scale_loss(edl.sum(w))
        >>> _ = optimizer.apply_gradients(zip(tape.gradient(loss, [w]), [w]))
        >>> w.tolist()
        [0.5, 1.5]
        >>> _ = optimizer.apply_gradients([(edl.constant([1.0, float("inf")]), w)])
        >>> w.tolist(), float(optimizer.dynamic_scale)
        ([0.5, 1.5], 4.0)

    Source: Micikevicius et al., "Mixed precision training", 2018, arXiv:1710.03740, sec. 3.2.
    """

    def __init__(self, inner_optimizer, initial_scale=32768.0, dynamic_growth_steps=2000, name=None, **kwargs):
        where = "LossScaleOptimizer"
        if not isinstance(inner_optimizer, Optimizer) or isinstance(inner_optimizer, LossScaleOptimizer):
            raise DTypeError(where, "the inner optimizer is an optimizer that scales no loss", f"got {inner_optimizer!r:.60}",
                             "pass for example edl.optimizers.Adam()")  # fmt: skip
        if not kwargs.pop("dynamic", True):
            raise ArgumentError(where, "the scale is dynamic", "got dynamic=False",
                                "use the inner optimizer alone, with loss_scale_factor")  # fmt: skip
        given = [key for key, value in kwargs.items() if value not in (None, False) and key != "ema_momentum"]
        if given:
            raise ArgumentError(where, "arguments of the update belong to the inner optimizer", f"got {', '.join(given)}",
                                "pass them to the inner optimizer")  # fmt: skip
        check_numbers(where, SMALLEST, LARGEST, initial_scale=initial_scale)
        check_numbers(where, 1, dynamic_growth_steps=dynamic_growth_steps)
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    @property
    def variables(self):
        """Iteration, learning rate, step counter and scale of this optimizer, then the inner optimizer's variables."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def iterations(self):
        """How many updates the inner optimizer made."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self):
        """The learning rate of the inner optimizer; assignable."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if "inner_optimizer" in vars(self):
            self.inner_optimizer.learning_rate = learning_rate
        else:  # a variable without meaning, which Keras saves as well
            self._learning_rate = self.add_variable((), initializers.Constant(learning_rate), name="learning_rate")

    def build(self, variables):
        """Makes the slots of the inner optimizer for these variables."""
        if not self.built:
            self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
            scale = initializers.Constant(self.initial_scale)
            self.dynamic_scale = self.add_variable((), scale, "float32", name="dynamic_scale")
        self.inner_optimizer.build(variables)
        super().build(variables)

    def apply(self, grads, trainable_variables=None):
        """One step with scaled gradients, as `Optimizer.apply`; none if one of them is not finite."""
        grads = list(grads)
        if not grads:
            return
        variables = self._targets(grads, trainable_variables)
        with graph.pause():
            cond(self.check_finite(grads), lambda: self._good(grads, variables), self._bad)

    def _good(self, grads, variables):
        scale = self.dynamic_scale.value
        # The quotient of a float16 gradient is float32: small ones would vanish again otherwise.
        unscaled = [None if g is None else divide(convert_to_tensor(g), scale) for g in grads]
        self.inner_optimizer.apply(unscaled, variables)
        cond(self.step_counter == self.dynamic_growth_steps - 1, self._grow, self._count)

    def _count(self):
        self.step_counter.assign_add(1)

    def _grow(self):
        self.step_counter.assign(0)
        self.dynamic_scale.assign(minimum(self.dynamic_scale * 2.0, LARGEST))

    def _bad(self):
        self.step_counter.assign(0)
        self.dynamic_scale.assign(maximum(self.dynamic_scale * 0.5, SMALLEST))

    def check_finite(self, grads):
        """n gradients -> () bool. Whether all their elements are finite; None among them is passed over."""
        found = [all(isfinite(convert_to_tensor(g))) for g in grads if g is not None]
        return all(stack(found)) if found else True

    def scale_loss(self, loss):
        """The loss times the scale, for the tape."""
        scale = self.dynamic_scale.value if self.built else convert_to_tensor(self.initial_scale, "float32")
        return multiply(loss, scale)

    def finalize_variable_values(self, var_list):
        """Ends training of the inner optimizer."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self):
        """The arguments of `__init__` as a dict that JSON can hold."""
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The optimizer that `get_config` described, without state."""
        inner = registry.deserialize_keras_object(config["inner_optimizer"], custom_objects)
        return cls(**{**config, "inner_optimizer": inner})

    def __repr__(self):
        return f"LossScaleOptimizer({self.inner_optimizer!r})"
