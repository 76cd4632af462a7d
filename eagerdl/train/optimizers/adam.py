"""Adam and its relatives: a mean of gradients divided by a mean of their magnitudes."""

from eagerdl.errors import ArgumentError
from eagerdl.nn import initializers
from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.arithmetic import absolute, divide, maximum, minimum, square, where
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.norms import vector_norm
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Nadam", "ScheduleFreeAdamW"]


class Moments(Optimizer):
    """Base of optimizers that keep moving means m of gradients and v of their squares."""

    settings: tuple[str, ...] = ("beta_1", "beta_2", "epsilon")

    def __init__(self, learning_rate, beta_1, beta_2, epsilon, *common, **named):
        super().__init__(learning_rate, *common, **named)
        check_numbers(type(self).__name__, 0, 1, beta_1=beta_1, beta_2=beta_2)
        check_numbers(type(self).__name__, 0, epsilon=epsilon)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build_slots(self, variables):
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def _moments(self, g, variable):
        """m and v of a variable after this step."""
        place = self._index[variable]
        m, v = self._momentums[place], self._velocities[place]
        m.assign_add((g - m) * (1 - self.beta_1))
        v.assign_add((square(g) - v) * (1 - self.beta_2))
        return m, v

    def _correction_1(self):
        """1 - beta_1^t, by which m is too small since it began with 0."""
        return 1.0 - self.beta_1 ** self._t()

    def _correction_2(self):
        """1 - beta_2^t, by which v is too small since it began with 0."""
        return 1.0 - self.beta_2 ** self._t()


class Adam(Moments):
    """Every weight with a step size of its own: the mean of its gradients over the root of the mean of their squares.

    ``m <- beta_1 m + (1 - beta_1) g``, ``v <- beta_2 v + (1 - beta_2) g^2``, ``alpha_t = alpha sqrt(1 - beta_2^t) /
    (1 - beta_1^t)``, ``w <- w - alpha_t m / (sqrt(v) + epsilon)``. The epsilon is the paper's "epsilon hat" before sec. 2.1.

    Args:
        learning_rate: alpha; a number, a schedule or a function.
        beta_1: the decay of m.
        beta_2: the decay of v.
        epsilon: keeps the denominator away from 0.
        amsgrad: whether the largest v so far is used, which makes steps only smaller (Reddi et al., 2018,
            arXiv:1904.09237).

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for decays outside of 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.Adam(0.5).apply_gradients([(edl.constant([0.1, -7.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0.5 2.5])

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, arXiv:1412.6980, algorithm 1 and sec. 2.
    """

    settings = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
                         ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
                         **kwargs)  # fmt: skip
        self.amsgrad = amsgrad

    def build_slots(self, variables):
        super().build_slots(variables)
        if self.amsgrad:
            self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat")

    def _correction(self):
        """sqrt(1 - beta_2^t) / (1 - beta_1^t)."""
        return sqrt(self._correction_2()) / self._correction_1()

    def update_step(self, gradient, variable, learning_rate):
        m, v = self._moments(gradient, variable)
        if self.amsgrad:
            v = self._velocity_hats[self._index[variable]].assign(
                maximum(self._velocity_hats[self._index[variable]], v)
            )
        alpha_t = learning_rate * self._shared(self._correction, variable)
        variable.assign_sub(m * alpha_t / (sqrt(v) + self.epsilon))


class AdamW(Adam):
    """Adam with decoupled weight decay: besides Adam's step ``w <- w - alpha lambda w``, which v does not scale.

    Args:
        learning_rate: alpha; a number, a schedule or a function.
        weight_decay: lambda.
        beta_1, beta_2, epsilon, amsgrad: as in `Adam`.

    The other arguments are those of `Optimizer`. Biases and scales are usually spared with `exclude_from_weight_decay`.

    Raises:
        ArgumentError: if `weight_decay` is None, or for decays outside of 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.AdamW(0.5, weight_decay=0.1).apply_gradients([(edl.constant([0.1, -7.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0.45 2.4 ])

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, arXiv:1711.05101, algorithm 2.
    """

    def __init__(self, learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue, global_clipnorm,
                         use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
                         **kwargs)  # fmt: skip
        if weight_decay is None:
            raise ArgumentError("AdamW", "weight_decay is a number", "got None", "use Adam for no weight decay")


class Adamax(Moments):
    """Adam with the largest recent gradient in place of the root of the mean square.

    ``m <- beta_1 m + (1 - beta_1) g``, ``u <- max(beta_2 u, |g|)``, ``w <- w - alpha / (1 - beta_1^t) m / (u + epsilon)``.

    Args:
        learning_rate: alpha; a number, a schedule or a function.
        beta_1: the decay of m.
        beta_2: the decay of u.
        epsilon: keeps the denominator away from 0.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for decays outside of 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.Adamax(0.5).apply_gradients([(edl.constant([0.1, -7.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0.5 2.5])

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, arXiv:1412.6980, algorithm 2.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
                         ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
                         **kwargs)  # fmt: skip

    def build_slots(self, variables):
        self._m, self._u = self.add_optimizer_variables(variables, ["momentum", "norm"])

    def update_step(self, gradient, variable, learning_rate):
        g, place = gradient, self._index[variable]
        m, u = self._m[place], self._u[place]
        m.assign_add((g - m) * (1 - self.beta_1))
        u.assign(maximum(u * self.beta_2, absolute(g)))
        alpha_t = learning_rate / self._shared(self._correction_1, variable)
        variable.assign_sub(m * alpha_t / (u + self.epsilon))


class Nadam(Moments):
    """Adam with Nesterov's momentum: the step looks ahead along m.

    With ``mu_t = beta_1 (1 - 0.96^t / 2)`` and U_t the product of mu_1 to mu_t:
    ``m_hat = mu_{t+1} m / (1 - U_{t+1}) + (1 - mu_t) g / (1 - U_t)``, ``v_hat = v / (1 - beta_2^t)``,
    ``w <- w - alpha m_hat / (sqrt(v_hat) + epsilon)``.

    Args:
        learning_rate: alpha; a number, a schedule or a function.
        beta_1: the decay of m.
        beta_2: the decay of v.
        epsilon: keeps the denominator away from 0.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for decays outside of 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.Nadam(0.5).apply_gradients([(edl.constant([1.0, -1.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0.469 2.531])

    Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016, algorithm 2, with the momentum schedule of its
    report, sec. 2.2.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
                         ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
                         **kwargs)  # fmt: skip

    def build_slots(self, variables):
        super().build_slots(variables)
        dtype = variables[0]._array.dtype.name if variables else None
        self._u_product = self.add_variable((), initializers.Ones(), dtype, name="u_product")

    def _mu(self, t):
        return self.beta_1 * (1.0 - 0.5 * 0.96**t)

    def _update_all(self, grads, variables, rates):
        self._u_product.assign(self._u_product * self._mu(self._t()))
        super()._update_all(grads, variables, rates)

    def _weight_of_m(self):
        mu_next = self._mu(self._t() + 1.0)
        return mu_next / (1.0 - self._u_product * mu_next)

    def _weight_of_g(self):
        return (1.0 - self._mu(self._t())) / (1.0 - self._u_product)

    def update_step(self, gradient, variable, learning_rate):
        m, v = self._moments(gradient, variable)
        m_hat = m * self._shared(self._weight_of_m, variable) + gradient * self._shared(self._weight_of_g, variable)
        v_hat = v / self._shared(self._correction_2, variable)
        variable.assign_sub(m_hat * learning_rate / (sqrt(v_hat) + self.epsilon))


class Lamb(Moments):
    """Adam whose step in each variable is as long as a fixed part of the variable itself, for large batches.

    With r = m_hat / (sqrt(v_hat) + epsilon), Adam's direction: ``w <- w - alpha ||w|| / ||r|| r``; the ratio is 1 where a norm
    is 0.

    Args:
        learning_rate: alpha; a number, a schedule or a function.
        beta_1: the decay of m.
        beta_2: the decay of v.
        epsilon: keeps the denominator away from 0.

    The other arguments are those of `Optimizer`; weight decay is decoupled here too, while the paper adds it to r.

    Raises:
        ArgumentError: for decays outside of 0 to 1.

    Example:
        >>> w = edl.Variable([3.0, 4.0])
        >>> _ = edl.optimizers.Lamb(0.1).apply_gradients([(edl.constant([1.0, -1.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [2.646 4.354])

    Source: You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", 2020, arXiv:1904.00962,
    algorithm 2.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
                         ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
                         **kwargs)  # fmt: skip

    def update_step(self, gradient, variable, learning_rate):
        m, v = self._moments(gradient, variable)
        m_hat = m / self._shared(self._correction_1, variable)
        v_hat = v / self._shared(self._correction_2, variable)
        r = m_hat / (sqrt(v_hat) + self.epsilon)
        length, wanted = vector_norm(r), vector_norm(variable.value)
        usual = (length > 0) & (wanted > 0)
        ratio = where(usual, divide(wanted, where(usual, length, 1.0)), 1.0)
        variable.assign_sub(r * (ratio * learning_rate))


class ScheduleFreeAdamW(Moments):
    """Adam that needs no schedule: gradients are taken at y, between the iterate z and the mean x of all iterates.

    ``z <- z - eta g / (sqrt(v / (1 - beta_2^t)) + epsilon)``, ``x <- (1 - 1/t) x + z / t``, ``y = (1 - beta_1) z + beta_1 x``.
    The variables hold y; z is the slot "momentum", and x follows from both.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        beta_1: how much of the mean is in y, above 0 and at most 1.
        beta_2: the decay of v.
        epsilon: keeps the denominator away from 0.
        warmup_steps: in how many steps the learning rate grows from 0.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for decays outside of 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.ScheduleFreeAdamW(0.5).apply_gradients([(edl.constant([0.1, -7.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0.5 2.5])

    Source: Defazio et al., "The road less scheduled", 2024, arXiv:2405.15682, algorithm 1.
    """

    settings = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    def __init__(self, learning_rate=0.0025, beta_1=0.9, beta_2=0.999, epsilon=1e-08, warmup_steps=0, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
                         ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
                         **kwargs)  # fmt: skip
        if beta_1 == 0:
            raise ArgumentError(
                "ScheduleFreeAdamW", "beta_1 is above 0", "got 0, and x cannot follow from y", "0.9 is usual"
            )
        check_numbers("ScheduleFreeAdamW", 0, warmup_steps=warmup_steps)
        self.warmup_steps = warmup_steps

    def build_slots(self, variables):
        super().build_slots(variables)
        for z, y in zip(self._momentums, variables):
            z.assign(y.value)

    def _warmup(self):
        return minimum(self._t() / self.warmup_steps, 1.0)

    def _weight(self):
        return 1.0 / self._t()

    def update_step(self, gradient, variable, learning_rate):
        g, beta, place = gradient, self.beta_1, self._index[variable]
        eta = learning_rate * self._shared(self._warmup, variable) if self.warmup_steps else learning_rate
        c = self._shared(self._weight, variable)
        z, v, y = self._momentums[place], self._velocities[place], variable.value
        x = (y - z * (1 - beta)) / beta
        v.assign_add((square(g) - v) * (1 - self.beta_2))
        z.assign_sub(g * eta / (sqrt(v / self._shared(self._correction_2, variable)) + self.epsilon))
        x = x * (1.0 - c) + z * c
        variable.assign(z * (1 - beta) + x * beta)
