"""`Optimizer`: what all optimizers share; an algorithm adds its slots and the update of one variable."""

import re
import warnings

from eagerdl.autograd import graph
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import calls
from eagerdl.ops.control_flow import cond
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.creation import zeros_like
from eagerdl.ops.joining import unstack
from eagerdl.tensor import Tensor
from eagerdl.train.optimizers.clipping import clip_by_global_norm, clip_by_norm, clip_by_value
from eagerdl.train.optimizers.state import OptimizerState

__all__ = ["Optimizer"]


class Optimizer(OptimizerState):
    """Base class of optimizers: plain objects that change variables by gradients.

    In an own loop: ``optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))``. The first call makes the
    slots (moments, accumulators) for the variables it is given; from then on the optimizer belongs to these. One call does,
    in this order: divide gradients by `loss_scale_factor`, average them over `gradient_accumulation_steps`, clip, decay
    weights, update, move the averages of `use_ema`, apply the variables' constraints, count. A variable whose
    `learning_rate_multiplier` is a number is updated (and decayed) with that multiple of the learning rate.

    To write an algorithm, derive from this class: make slots in `build_slots` with `add_optimizer_variables`, write
    `update_step`, and name the arguments of `__init__` that belong to the config in `settings`, or write `get_config`.

    What an update computes is never recorded, even inside a tape: assignments have no derivative, so a record could only
    cost memory.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function without arguments that returns it.
        weight_decay: if given, every step takes ``learning_rate * weight_decay * w`` from each w (decoupled weight decay).
        clipnorm: the largest norm that the gradient of one variable may have.
        clipvalue: the largest magnitude that an element of a gradient may have.
        global_clipnorm: the largest norm that all gradients together may have. Only one of the three can be given.
        use_ema: whether to keep an exponential moving average of each variable; `finalize_variable_values` assigns it.
        ema_momentum: its momentum: ``average = ema_momentum * average + (1 - ema_momentum) * w``.
        ema_overwrite_frequency: if given, after so many steps each time the variables become their averages.
        loss_scale_factor: if given, `scale_loss` multiplies by it and gradients are divided by it.
        gradient_accumulation_steps: if given, an update happens once in so many calls, with their mean gradient. Schedules
            count calls, `iterations` counts updates.
        name: the name; by default that of the class in snake case.

    Raises:
        ArgumentError: for arguments that are unknown, out of range, or exclude each other.

    Example:
        >>> class Plain(edl.optimizers.Optimizer):
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         variable.assign_sub(learning_rate * gradient)
        >>> w = edl.Variable([1.0, 2.0])
        >>> Plain(learning_rate=0.5).apply_gradients([(edl.constant([1.0, 1.0]), w)])
        Variable(name=iteration, shape=(), dtype=int32, trainable=False, 1)
        >>> w.tolist()
        [0.5, 1.5]
    """

    # -- a step -----------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars):
        """One step.

        Args:
            grads_and_vars: pairs of a gradient and its variable; a variable whose gradient is None stays as it is.

        Returns:
            The variable that counts calls.

        Raises:
            ArgumentError: if there are no gradients, or for variables that the optimizer was not built with.
            ShapeError: if a gradient has another shape than its variable.
        """
        pairs = [tuple(pair) for pair in grads_and_vars]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            raise ArgumentError(f"{type(self).__name__}.apply_gradients", "pairs of a gradient and a variable are needed",
                                f"got {pairs!r:.100}" if pairs else "got none: a zip can be read only once",
                                "pass zip(gradients, variables)")  # fmt: skip
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self, grads, trainable_variables=None):
        """One step, with gradients and variables in two lists.

        Args:
            grads: the gradients.
            trainable_variables: their variables; by default those that the optimizer was built with.

        Raises:
            ArgumentError: if all gradients are None, the lists differ in length, or for variables that the optimizer was
                not built with.
            ShapeError: if a gradient has another shape than its variable.
        """
        grads = list(grads)
        if not grads:
            return
        with graph.pause():
            grads, variables = self._present(grads, self._targets(grads, trainable_variables))
            self._memo = {}
            try:
                self._step(grads, variables)
            finally:
                self._memo = None
            for v in variables:
                if v.constraint is not None:
                    v.assign(calls.converted(v.constraint)(v.value))
            self._iterations.assign_add(1)

    def _targets(self, grads, variables):
        """The variables of a step, checked."""
        where = f"{type(self).__name__}.apply"
        if variables is None:
            if not self.built:
                raise ArgumentError(where, "the optimizer has to know its variables", "it is not built",
                                    "call build(variables) first, or apply(grads, variables)")  # fmt: skip
            variables = self._model_variables
        else:
            variables = list(variables)
        if len(grads) != len(variables):
            raise ArgumentError(where, "each variable needs its gradient, or None",
                                f"got {len(grads)} gradients for {len(variables)} variables",
                                "pass tape.gradient(loss, variables) and the same variables")  # fmt: skip
        if not self.built:
            self.build(variables)
            self.built = True  # for a build of a subclass that forgets it
        self._check_known(variables)
        return variables

    def _present(self, grads, variables):
        """The gradients that are not None as tensors of their variables' dtypes, and these variables."""
        found, missing = [], []
        for g, v in zip(grads, variables):
            if g is None:
                missing.append(v.path)
                continue
            if not isinstance(g, Tensor):
                g = convert_to_tensor(g)
            if g.shape != v.shape:
                raise ShapeError(f"{type(self).__name__}.apply", f"the gradient of {v.path!r} needs its shape {v.shape}",
                                 f"got {g.shape}", "pass gradients and variables in the same order")  # fmt: skip
            dtype = v._array.dtype
            found.append((g if g.dtype is dtype else cast(g, dtype), v))
        if not found:
            raise ArgumentError(f"{type(self).__name__}.apply", "at least one variable needs a gradient",
                                f"all are None: {', '.join(missing[:6])}",
                                "compute the loss from these variables inside the tape")  # fmt: skip
        if missing:
            warnings.warn(
                f"[{type(self).__name__}] no gradient for {', '.join(missing)}: the loss does not depend on these variables, "
                "and they stay as they are",
                stacklevel=4,
            )
        return [g for g, _ in found], [v for _, v in found]

    def _step(self, grads, variables):
        if self.loss_scale_factor is not None:
            grads = [g / self.loss_scale_factor for g in grads]
        steps = self.gradient_accumulation_steps
        if steps:
            sums = [self._accumulators_of_gradients[self._index[v]] for v in variables]

            def update():
                self._update([(g + total) / steps for g, total in zip(grads, sums)], variables)
                for total in sums:
                    total.assign(zeros_like(total))

            def collect():
                for g, total in zip(grads, sums):
                    total.assign_add(g)

            cond((self._iterations + 1) % steps == 0, update, collect)
        else:
            self._update(grads, variables)
        if self.use_ema:
            self._average()

    def _update(self, grads, variables):
        """Clips, decays weights, and updates."""
        grads = self._clip_gradients(grads)
        learning_rate = self.learning_rate
        rates, by_dtype = [], {}
        for v in variables:
            dtype, multiplier = v._array.dtype, v.learning_rate_multiplier
            rate = by_dtype.get(dtype)
            if rate is None:
                rate = by_dtype[dtype] = cast(convert_to_tensor(learning_rate), dtype)
            rates.append(rate if multiplier is None else rate * multiplier)
        self._apply_weight_decay(variables, rates)
        self._update_all(grads, variables, rates)

    def _update_all(self, grads, variables, rates):
        """`update_step` for each variable."""
        update = calls.converted(self.update_step)
        for g, v, rate in zip(grads, variables, rates):
            update(g, v, rate)

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable; an algorithm has to override this.

        Args:
            gradient: a tensor of the variable's shape and dtype.
            variable: the variable.
            learning_rate: a scalar tensor of the variable's dtype.
        """
        raise NotImplementedError(
            f"[{type(self).__name__}] an optimizer needs update_step(gradient, variable, learning_rate)"
        )

    def assign(self, variable, value):
        """``variable.assign(value)``, as Keras' optimizers spell it."""
        variable.assign(value)

    def assign_add(self, variable, value):
        """``variable.assign_add(value)``, as Keras' optimizers spell it."""
        variable.assign_add(value)

    def assign_sub(self, variable, value):
        """``variable.assign_sub(value)``, as Keras' optimizers spell it."""
        variable.assign_sub(value)

    def scale_loss(self, loss):
        """The loss times `loss_scale_factor`, for the tape; without one the loss itself."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _clip_gradients(self, grads):
        if self.clipnorm is not None:
            return [clip_by_norm(g, self.clipnorm) for g in grads]
        if self.global_clipnorm is not None:
            return clip_by_global_norm(grads, self.global_clipnorm)[0]
        if self.clipvalue is not None:
            return [clip_by_value(g, self.clipvalue) for g in grads]
        return grads

    # -- numbers that all variables of a step share -------------------------------------------------

    def _t(self):
        """t of the papers, the number of the update under way counted from 1, as a float64 scalar.

        In float32 1 - 0.999 is wrong in the fifth digit, in bfloat16 it is 0.
        """
        return cast(self.iterations + 1, "float64")

    def _shared(self, compute, variable):
        """``compute()`` in the dtype of `variable`; computed once per step."""
        dtype, memo = variable._array.dtype, self._memo
        if memo is None:
            return cast(compute(), dtype)
        key = compute.__name__, dtype
        out = memo.get(key)
        if out is None:
            out = memo[key] = cast(compute(), dtype)
        return out

    # -- weight decay ---------------------------------------------------------------------------------

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Says which variables keep their weights; replaces what an earlier call said.

        Args:
            var_list: variables.
            var_names: regular expressions; variables whose path has a match are excluded, as with ``["bias"]``.

        Example:
            >>> optimizer = edl.optimizers.AdamW(weight_decay=0.01)
            >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        """
        self._excluded = set(var_list or ())
        self._excluded_names = "|".join(f"(?:{name})" for name in var_names) if var_names else None
        self._decayed = {}

    def _use_weight_decay(self, variable):
        answer = self._decayed.get(variable)
        if answer is None:
            named = self._excluded_names is not None and re.search(
                self._excluded_names, f"{variable.path} {variable.name}"
            )
            answer = self._decayed[variable] = variable not in self._excluded and not named
        return answer

    def _weight_decay_of(self, variable):
        """The rate of decay for one variable, None for none."""
        return self.weight_decay

    def _apply_weight_decay(self, variables, rates):
        for v, rate in zip(variables, rates):
            decay = self._weight_decay_of(v)
            if decay is not None and self._use_weight_decay(v):
                v.assign_sub(v.value * (rate * decay))

    # -- averages of the variables ----------------------------------------------------------------------

    def _average(self):
        """Moves the averages toward the variables; before the first update they are the variables."""
        pair = convert_to_tensor([self.ema_momentum, 1.0 - self.ema_momentum], "float64")
        pair = cond(self.iterations == 0, lambda: convert_to_tensor([0.0, 1.0], "float64"), lambda: pair)
        by_dtype = {}
        for v, average in zip(self._model_variables, self._averages):
            dtype = average._array.dtype
            if dtype not in by_dtype:
                by_dtype[dtype] = unstack(cast(pair, dtype))
            momentum, rest = by_dtype[dtype]
            average.assign(average * momentum + v.value * rest)
        frequency = self.ema_overwrite_frequency
        if frequency:
            cond((self.iterations + 1) % frequency == 0, self._assign_averages, lambda: None)

    def _assign_averages(self):
        for v, average in zip(self._model_variables, self._averages):
            v.assign(average.value)

    def finalize_variable_values(self, var_list):
        """Ends training: with `use_ema` the variables become their averages.

        Args:
            var_list: variables that the optimizer was built with.
        """
        if not self.use_ema:
            return
        self._check_known(var_list if self.built else ())
        if int(self._iterations):  # before the first step there are no averages
            for v in var_list:
                v.assign(self._averages[self._index[v]].value)
