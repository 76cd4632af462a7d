"""Step sizes from the size of past gradients: Adagrad and Ftrl sum up all of them, Adadelta and RMSprop forget."""

from eagerdl.nn import initializers
from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.arithmetic import square
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.rounding import clip
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["Adadelta", "Adagrad", "Ftrl", "RMSprop"]


class Adagrad(Optimizer):
    """Weights with rare or small gradients take larger steps: ``G <- G + g^2``, ``w <- w - eta g / sqrt(G + epsilon)``.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        initial_accumulator_value: G before the first step, not negative.
        epsilon: keeps the denominator away from 0.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for negative arguments.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> optimizer = edl.optimizers.Adagrad(0.5, initial_accumulator_value=0.0)
        >>> _ = optimizer.apply_gradients([(edl.constant([1.0, -4.0]), w)])
        >>> w.tolist()
        [0.5, 2.5]

    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011,
    fig. 1, diagonal.
    """

    settings = ("initial_accumulator_value", "epsilon")

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-07, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("Adagrad", 0, initial_accumulator_value=initial_accumulator_value, epsilon=epsilon)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def build_slots(self, variables):
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators = self.add_optimizer_variables(variables, "accumulator", start)

    def update_step(self, gradient, variable, learning_rate):
        g, G = gradient, self._accumulators[self._index[variable]]
        G.assign_add(square(g))
        variable.assign_sub(g * learning_rate / sqrt(G + self.epsilon))


class Adadelta(Optimizer):
    """Steps in the unit of the weights: the root mean square of past steps over that of gradients.

    ``E[g^2] <- rho E[g^2] + (1 - rho) g^2``, ``d = -sqrt(E[d^2] + epsilon) / sqrt(E[g^2] + epsilon) g``,
    ``E[d^2] <- rho E[d^2] + (1 - rho) d^2``, ``w <- w + eta d``. The paper has eta = 1.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        rho: the decay of both means.
        epsilon: keeps the roots away from 0, and starts the steps.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: if `rho` is not from 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.Adadelta(1.0, epsilon=1e-2).apply_gradients([(edl.constant([1.0, -4.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0.592 2.444])

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, arXiv:1212.5701, algorithm 1.
    """

    settings = ("rho", "epsilon")

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-07, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("Adadelta", 0, 1, rho=rho)
        check_numbers("Adadelta", 0, epsilon=epsilon)
        self.rho, self.epsilon = rho, epsilon

    def build_slots(self, variables):
        names = ["accumulated_grad", "accumulated_delta_var"]
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(variables, names)

    def update_step(self, gradient, variable, learning_rate):
        g, rho, place = gradient, self.rho, self._index[variable]
        mean_g2, mean_d2 = self._accumulated_grads[place], self._accumulated_delta_vars[place]
        mean_g2.assign(mean_g2 * rho + square(g) * (1 - rho))
        minus_d = sqrt(mean_d2 + self.epsilon) * g / sqrt(mean_g2 + self.epsilon)
        mean_d2.assign(mean_d2 * rho + square(minus_d) * (1 - rho))
        variable.assign_sub(minus_d * learning_rate)


class RMSprop(Optimizer):
    """Gradients over the root of a moving mean of their squares.

    ``v <- rho v + (1 - rho) g^2``, ``d = eta g / sqrt(v + epsilon)``, ``w <- w - d``; with momentum ``m <- mu m + d`` and
    ``w <- w - m``. When centered, v is the variance: the square of a moving mean of g is taken off it.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        rho: the decay of the means.
        momentum: mu, from 0 to 1.
        epsilon: keeps the denominator away from 0.
        centered: whether gradients are divided by their standard deviation.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for `rho` or `momentum` outside of 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.RMSprop(0.5, rho=0.75).apply_gradients([(edl.constant([1.0, -4.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0. 3.])

    Source: Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5, 2012; centered as in Graves, 2013,
    arXiv:1308.0850, eq. 38 to 45.
    """

    settings = ("rho", "momentum", "epsilon", "centered")

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-07, centered=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("RMSprop", 0, 1, rho=rho, momentum=momentum)
        check_numbers("RMSprop", 0, epsilon=epsilon)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def build_slots(self, variables):
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []
        self._average_gradients = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def update_step(self, gradient, variable, learning_rate):
        g, rho, place = gradient, self.rho, self._index[variable]
        v = self._velocities[place]
        v.assign(v * rho + square(g) * (1 - rho))
        if self.centered:
            mean_g = self._average_gradients[place]
            mean_g.assign(mean_g * rho + g * (1 - rho))
            v = v - square(mean_g)
        d = g * learning_rate / sqrt(v + self.epsilon)
        if self.momentum:
            m = self._momentums[place]
            d = m.assign(m * self.momentum + d)
        variable.assign_sub(d)


class Ftrl(Optimizer):
    """Follow the regularized leader: Adagrad's step sizes, with exact zeros from an L1 penalty.

    With p = -learning_rate_power and ``N = n + g^2``: ``z <- z + g + 2 s w - (N^p - n^p) w / alpha``,
    ``w <- -(z - clip(z, -l1, l1)) / (N^p / alpha + 2 l2 + beta / alpha)``, ``n <- N``.

    Args:
        learning_rate: alpha; a number, a schedule or a function.
        learning_rate_power: how steps shrink with n, not positive; 0 keeps them.
        initial_accumulator_value: n before the first step, not negative.
        l1_regularization_strength: l1, not negative: weights with abs(z) <= l1 are exactly 0.
        l2_regularization_strength: l2, not negative.
        l2_shrinkage_regularization_strength: s, not negative: a penalty on the magnitude of w that is added to gradients.
        beta: the paper's beta, not negative.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for arguments of the wrong sign.

    Example:
        >>> w = edl.Variable([0.0, 0.0])
        >>> optimizer = edl.optimizers.Ftrl(1.0, l1_regularization_strength=1.5)
        >>> _ = optimizer.apply_gradients([(edl.constant([1.0, -4.0]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2,), dtype=float32, [0.    0.623])

    Source: McMahan et al., "Ad click prediction: a view from the trenches", 2013, algorithm 1.
    """

    settings = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength",
        "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip

    def __init__(self, learning_rate=0.001, learning_rate_power=-0.5, initial_accumulator_value=0.1,
                 l1_regularization_strength=0.0, l2_regularization_strength=0.0, l2_shrinkage_regularization_strength=0.0,
                 beta=0.0, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False,
                 ema_momentum=0.99, ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None,
                 name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("Ftrl", most=0, learning_rate_power=learning_rate_power)
        check_numbers("Ftrl", 0, initial_accumulator_value=initial_accumulator_value, beta=beta,
                      l1_regularization_strength=l1_regularization_strength,
                      l2_regularization_strength=l2_regularization_strength,
                      l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength)  # fmt: skip
        self.learning_rate_power, self.initial_accumulator_value = learning_rate_power, initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def build_slots(self, variables):
        starts = [initializers.Constant(self.initial_accumulator_value), "zeros"]
        self._accumulators, self._linears = self.add_optimizer_variables(variables, ["accumulator", "linear"], starts)

    def update_step(self, gradient, variable, learning_rate):
        g, alpha, place, w = gradient, learning_rate, self._index[variable], variable.value
        n, z = self._accumulators[place], self._linears[place]
        l1, l2, s = (
            self.l1_regularization_strength,
            self.l2_regularization_strength,
            self.l2_shrinkage_regularization_strength,
        )
        p = -self.learning_rate_power
        N = n + square(g)
        n_p, N_p = (sqrt(n), sqrt(N)) if p == 0.5 else (n**p, N**p)
        z.assign_add((g + w * (2 * s) if s else g) - (N_p - n_p) / alpha * w)
        variable.assign((clip(z, -l1, l1) - z) / (N_p / alpha + (2 * l2 + self.beta / alpha)))
        n.assign(N)
