"""`OptimizerState`: what an optimizer owns and how it is saved; what it does in a step is in `Optimizer`."""

import inspect
import math
import warnings
from typing import Any

import numpy as np

from eagerdl import dtypes, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError, TracingError
from eagerdl.jit import trace as tracing
from eagerdl.nn import calls, initializers
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.module import Module
from eagerdl.tensor import Tensor
from eagerdl.train.optimizers.clipping import check_positive
from eagerdl.train.optimizers.schedules import LearningRateSchedule
from eagerdl.variable import Variable

__all__ = ["OptimizerState"]


class OptimizerState(Module):
    """Base of `Optimizer`: arguments, variables, learning rate, slots, config."""

    # The arguments of __init__ that a subclass adds to the config, each kept as an attribute of the same name.
    settings: tuple[str, ...] = ()

    def __init__(self, learning_rate, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False,
                 ema_momentum=0.99, ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None,
                 name=None, **kwargs):  # fmt: skip
        where = type(self).__name__
        if kwargs.pop("decay", None) is not None:
            raise ArgumentError(where, "the learning rate decays by a schedule", "got decay, an argument of TF 1",
                                "pass learning_rate=edl.optimizers.schedules.InverseTimeDecay(...)")  # fmt: skip
        if kwargs:
            known = inspect.signature(type(self).__init__).parameters
            hint = "; 'lr' is called learning_rate" if "lr" in kwargs else registry.nearest(next(iter(kwargs)), known)
            raise ArgumentError(where, "the arguments have to be known", f"got {', '.join(kwargs)}{hint}",
                                f"see help(edl.optimizers.{where})")  # fmt: skip
        super().__init__(name=name)
        check_positive(where, clipnorm=clipnorm, clipvalue=clipvalue, global_clipnorm=global_clipnorm,
                       loss_scale_factor=loss_scale_factor)  # fmt: skip
        if weight_decay is not None:
            check_numbers(where, 0, weight_decay=weight_decay)
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        if sum(value is not None for value in clips.values()) > 1:
            raise ArgumentError(where, "only one of clipnorm, clipvalue and global_clipnorm can be given", f"got {clips}",
                                "leave the others out")  # fmt: skip
        _check_count(where, 2, gradient_accumulation_steps=gradient_accumulation_steps)
        _check_count(where, 1, ema_overwrite_frequency=ema_overwrite_frequency)
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ArgumentError(where, "ema_momentum is from 0 to 1", f"got {ema_momentum}", "0.99 is usual")
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._variables = []  # of this optimizer, in the order of Keras
        self._model_variables = []
        self._index = {}  # variable (hashed by identity) -> its place
        self._decayed = {}  # variable -> whether its weights decay, as far as asked
        self._excluded, self._excluded_names = set(), None
        self._memo = None  # what variables share in the step under way
        self._iterations = self.add_variable((), dtype="int32", name="iteration")
        self._learning_rate = None
        self.learning_rate = learning_rate

    # -- variables ------------------------------------------------------------------------------------

    @property
    def variables(self):
        """This optimizer's variables: iteration, learning rate, then the slots; not those of the model."""
        own = dict.fromkeys(self._variables)
        own.update(dict.fromkeys(v for v in super().variables if v not in self._index))
        return list(own)

    @property
    def iterations(self):
        """How many updates there were."""
        steps = self.gradient_accumulation_steps
        return self._iterations // steps if steps else self._iterations

    @property
    def learning_rate(self):
        """The learning rate now: a variable, or what the schedule gives for this step. Assign a number or a schedule."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return calls.converted(rate)(self._iterations)
        if isinstance(rate, Tensor) or not callable(rate):
            return rate
        rate = calls.converted(rate)()
        if not isinstance(rate, Tensor) and tracing.current() is not None:
            raise TracingError.at("a learning rate that comes from a Python function is asked for at each step",
                                  f"learning_rate() gave {rate!r:.40} while a step was traced",
                                  "use a LearningRateSchedule, or a function that returns a Variable")  # fmt: skip
        return rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        where, before = f"{type(self).__name__}.learning_rate", self._learning_rate
        if callable(learning_rate) and not isinstance(learning_rate, Tensor):
            if inspect.isclass(learning_rate):
                raise DTypeError(where, "a schedule is an object", f"got the class {learning_rate.__name__}",
                                 f"call it: {learning_rate.__name__}(...)")  # fmt: skip
            self._variables = [v for v in self._variables if v is not before]
            self._learning_rate = learning_rate
            return
        try:
            number = math.nan if isinstance(learning_rate, bool | str) else float(learning_rate)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise DTypeError(where, "a finite number, a LearningRateSchedule or a function without arguments is needed",
                             f"got {learning_rate!r:.80}", "pass for example 1e-3")  # fmt: skip
        if isinstance(before, Variable):
            before.assign(number)
        elif before is None:
            self._learning_rate = self.add_variable((), initializers.Constant(number), name="learning_rate")
        else:
            raise DTypeError(where, "an optimizer made with a schedule has no learning rate to be set",
                             f"got {number} in place of {before!r:.60}",
                             "assign another schedule, or make the optimizer with a number")  # fmt: skip

    def build(self, variables):
        """Makes the slots for these variables; done by the first `apply_gradients` otherwise.

        Args:
            variables: the variables of the model, each once.

        Raises:
            DTypeError: for what is no variable of a real floating dtype.
            ArgumentError: if a variable comes twice, or the optimizer is built for others already.
        """
        variables = list(variables)
        if self.built:
            self._check_known(variables)
            return
        seen = {}
        for place, v in enumerate(variables):
            if not isinstance(v, Variable) or v._array.dtype not in dtypes.FLOATING_SET:
                raise DTypeError(f"{type(self).__name__}.build", "optimizers change variables of real floating dtypes",
                                 f"number {place} is {v!r:.100}", "pass model.trainable_variables")  # fmt: skip
            if v in seen:
                raise ArgumentError(f"{type(self).__name__}.build", "each variable is needed once",
                                    f"{v.path!r} comes as number {seen[v]} and as number {place}; it would move twice a step",
                                    "leave it out once")  # fmt: skip
            seen[v] = place
        self._index, self._model_variables = seen, variables
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators_of_gradients = self.add_optimizer_variables(variables, "gradient_accumulator")
        self.build_slots(variables)
        self.built = True
        calls.made(self)

    def build_slots(self, variables):
        """Makes the algorithm's slots, with `add_optimizer_variables`; by default there are none."""

    def _check_known(self, variables):
        for v in variables:
            if not isinstance(v, Variable) or v not in self._index:
                what = f"{v.path!r} of shape {v.shape}" if isinstance(v, Variable) else f"{v!r:.80}"
                known = ", ".join([u.path for u in self._model_variables[:6]])
                raise ArgumentError(type(self).__name__, "an optimizer updates the variables that it was built with",
                                    f"{what} is not among its {len(self._index)}: {known}",
                                    "make a new optimizer, or build(all_variables) before the first step")  # fmt: skip

    def add_variable(self, shape, initializer="zeros", dtype=None, aggregation="none", layout=None, name=None):
        """A new variable of this optimizer, saved with it.

        Args:
            shape: its shape.
            initializer: an initializer or its name.
            dtype: its dtype, floatx by default.
            aggregation, layout: kept for configuration only.
            name: its name.
        """
        value = initializers.get(initializer)(tuple(shape), dtype=dtypes.standardize(dtype))
        variable = Variable(value, dtype=dtype, trainable=False, aggregation=aggregation, layout=layout, name=name)
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """A new variable of the shape, dtype and device of a model's variable, named after it."""
        v = reference_variable
        value = initializers.get(initializer)(v.shape, dtype=v._array.dtype).to(v.device)
        slot = Variable(value, trainable=False, name=f"{v.path.replace('/', '_')}_{name or 'var'}")
        self._variables.append(slot)
        return slot

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """New variables, one for each of the model's.

        Args:
            trainable_variables: the variables of the model.
            name: a name, or several for as many variables each.
            initializer: an initializer or its name; with several names one for all or one for each.

        Returns:
            A list in the order of the model's variables; for several names a tuple of such lists.
        """
        names = [name] if isinstance(name, str) else list(name)
        starts = list(initializer) if isinstance(initializer, list | tuple) else [initializer] * len(names)
        if len(names) != len(starts):
            raise ArgumentError(f"{type(self).__name__}.add_optimizer_variables", "each name needs an initializer",
                                f"got {len(names)} names and {len(starts)} initializers", "pass one for all")  # fmt: skip
        rows = [[self.add_variable_from_reference(v, n, s) for n, s in zip(names, starts)] for v in trainable_variables]
        lists = tuple([row[column] for row in rows] for column in range(len(names)))
        return lists[0] if isinstance(name, str) else lists

    def _get_variable_index(self, variable):
        return self._index[variable]

    def set_weights(self, weights):
        """Assigns values, arrays in the order of `variables`, to the variables of this optimizer.

        Raises:
            ArgumentError: if the optimizer is not built, or the number differs.
            ShapeError: if a shape differs.
        """
        where, variables, weights = f"{type(self).__name__}.set_weights", self.variables, list(weights)
        if not self.built:
            raise ArgumentError(
                where, "the optimizer has to be built", "it has no slots yet", "call build(variables) first"
            )
        if len(weights) != len(variables):
            raise ArgumentError(where, f"{len(variables)} arrays are needed", f"got {len(weights)}",
                                f"the order is {', '.join(v.name for v in variables[:8])}, ...")  # fmt: skip
        for variable, weight in zip(variables, weights):
            if variable.shape != np.shape(weight):
                raise ShapeError(where, f"{variable.name!r} has shape {variable.shape}", f"got {np.shape(weight)}",
                                 "pass the arrays in the order of `variables`")  # fmt: skip
        for variable, weight in zip(variables, weights):
            variable.assign(weight)

    def save_own_variables(self, store):
        """Puts the values of all variables into a dict, as arrays under "0", "1", ..."""
        for place, variable in enumerate(self.variables):
            store[str(place)] = variable.numpy()

    def load_own_variables(self, store):
        """Takes the values that `save_own_variables` stored; says so and leaves all as it is if the number differs."""
        if len(store.keys()) != len(self.variables):
            warnings.warn(
                f"[{type(self).__name__}.load_own_variables] nothing was loaded into optimizer {self.name!r}: the store has "
                f"{len(store.keys())} variables, the optimizer has {len(self.variables)}"
                + ("" if self.built else "; call build(variables) first"),
                stacklevel=2,
            )
            return
        for place, variable in enumerate(self.variables):
            variable.assign(store[str(place)])

    # -- configuration ------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` as a dict that JSON can hold; the learning rate as it is now."""
        rate = self._learning_rate
        shared = (
            "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum", "ema_overwrite_frequency",
            "loss_scale_factor", "gradient_accumulation_steps",
        )  # fmt: skip
        config = {
            "name": self.name,
            "learning_rate": float(rate) if isinstance(rate, Tensor) else registry.serialize_keras_object(rate),
        }
        return config | {key: getattr(self, key) for key in (*shared, *self.settings)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The optimizer that `get_config` described, without state.

        Args:
            config: the dict.
            custom_objects: a dict of names that it uses.
        """
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": registry.deserialize_keras_object(rate, custom_objects)}
        return cls(**config)

    def __repr__(self):
        rate = self._learning_rate
        rate = f"{float(rate):g}" if isinstance(rate, Tensor) else type(rate).__name__
        return (
            f"{type(self).__name__}(learning_rate={rate}): {int(self._iterations)} steps, {len(self._index)} variables"
        )


def _check_count(where, least, **counts):
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < least):
            raise ArgumentError(
                where, f"{name} is None or an int of at least {least}", f"got {count!r}", "choose another"
            )
