"""Gradient descent with one slot at most: SGD with momentum, and Lion, which keeps its sign only."""

from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.arithmetic import sign
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["SGD", "Lion"]


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    Without momentum ``w <- w - eta g``; with it ``v <- mu v - eta g`` and ``w <- w + v``, or Nesterov's
    ``w <- w + mu v - eta g``.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        momentum: mu, from 0 to 1.
        nesterov: whether momentum is Nesterov's.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: if `momentum` is not from 0 to 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> optimizer = edl.optimizers.SGD(0.1, momentum=0.9)
        >>> for _ in range(2):
        ...     _ = optimizer.apply_gradients([(edl.constant([1.0, 1.0]), w)])
        >>> w
        Variable(name=variable, shape=(2,), dtype=float32, [0.71 1.71])

    Source: Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", 2013,
    eq. 1 to 4; Nesterov's step as in Bengio, Boulanger-Lewandowski and Pascanu, 2012, arXiv:1212.0901, eq. 7.
    """

    settings = ("momentum", "nesterov")

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("SGD", 0, 1, momentum=momentum)
        self.momentum, self.nesterov = momentum, nesterov

    def build_slots(self, variables):
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update_step(self, gradient, variable, learning_rate):
        g, mu = gradient * learning_rate, self.momentum
        if not mu:
            variable.assign_sub(g)
            return
        v = self.momentums[self._index[variable]]
        v.assign(v * mu - g)
        variable.assign_add(v * mu - g if self.nesterov else v)


class Lion(Optimizer):
    """Steps of one size in each weight, in the direction of the sign of a momentum.

    ``w <- w - eta sign(beta_1 m + (1 - beta_1) g)``, then ``m <- beta_2 m + (1 - beta_2) g``. Rates are usually 3 to 10 times
    smaller than Adam's, and weight decay as much larger.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        beta_1: how much of the momentum decides on the direction, above 0 and at most 1.
        beta_2: the decay of the momentum.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: if `beta_1` is not above 0 and at most 1.

    Example:
        >>> w = edl.Variable([1.0, 2.0])
        >>> _ = edl.optimizers.Lion(0.5).apply_gradients([(edl.constant([0.1, -7.0]), w)])
        >>> w.tolist()
        [0.5, 2.5]

    Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023, arXiv:2302.06675, algorithm 2.
    """

    settings = ("beta_1", "beta_2")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("Lion", 0, 1, beta_1=beta_1, beta_2=beta_2)
        if beta_1 == 0:
            raise ArgumentError(
                "Lion", "beta_1 is above 0", "got 0, which is gradient descent by signs", "0.9 is usual"
            )
        self.beta_1, self.beta_2 = beta_1, beta_2

    def build_slots(self, variables):
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        g, m = gradient, self._momentums[self._index[variable]]
        variable.assign_sub(learning_rate * sign(m * self.beta_1 + g * (1 - self.beta_1)))
        m.assign(m * self.beta_2 + g * (1 - self.beta_2))
