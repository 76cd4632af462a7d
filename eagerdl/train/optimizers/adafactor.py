"""Adafactor: Adam with a factored second moment."""

import numpy as np

from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.arithmetic import maximum, minimum, square
from eagerdl.ops.elementary import sqrt
from eagerdl.ops.reduction import mean
from eagerdl.ops.shape import expand_dims
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adaptive steps from the means R of rows and C of columns of g^2, in place of g^2 itself.

    ``rho_t = min(eta, 1 / sqrt(t))``, ``alpha_t = max(epsilon_2, RMS(w)) rho_t``, ``beta_2t = 1 - t^beta_2_decay``;
    R and C are moving means with decay beta_2t of the means of ``g^2 + epsilon_1`` over the last and the last but one axis;
    ``V = R C / mean(R)``, ``U = g / sqrt(V)``, ``w <- w - alpha_t U / max(1, RMS(U) / clip_threshold)``. Variables with fewer
    than two axes keep V itself.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        beta_2_decay: the exponent of beta_2t, negative.
        epsilon_1: keeps V away from 0.
        epsilon_2: keeps steps of variables near 0 from vanishing.
        clip_threshold: the largest RMS that U may have.
        relative_step: kept for configs only: as in Keras, eta is capped by 1 / sqrt(t) in either case.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for arguments of the wrong sign.

    Example:
        >>> w = edl.Variable([[1.0, 2.0], [3.0, 4.0]])
        >>> _ = edl.optimizers.Adafactor(0.1).apply_gradients([(edl.constant([[1.0, -1.0], [1.0, -1.0]]), w)])
        >>> edl.round(w, 3)
        Tensor(shape=(2, 2), dtype=float32,
        [[0.726 2.274]
         [2.726 4.274]])

    Source: Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018, arXiv:1804.04235,
    algorithms 4 and 5.
    """

    settings = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    def __init__(self, learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=0.001, clip_threshold=1.0,
                 relative_step=True, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False,
                 ema_momentum=0.99, ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None,
                 name=None, **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("Adafactor", most=0, beta_2_decay=beta_2_decay)
        check_numbers("Adafactor", 0, epsilon_1=epsilon_1, epsilon_2=epsilon_2)
        check_numbers("Adafactor", np.finfo(np.float32).tiny, clip_threshold=clip_threshold)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def build_slots(self, variables):
        self._r, self._c, self._v = [], [], []
        for v in variables:
            # Variables without columns get two scalars that nobody uses, so that weights move to Keras and back.
            *lead, rows, columns = v.shape if v.ndim > 1 else (0, 0)
            dtype = v._array.dtype.name if v.ndim > 1 else "int32"
            self._r.append(self.add_variable((*lead, rows) if v.ndim > 1 else (), dtype=dtype, name=v.name))
            self._c.append(self.add_variable((*lead, columns) if v.ndim > 1 else (), dtype=dtype, name=v.name))
            self._v.append(self.add_variable_from_reference(v, "velocity"))

    def _rho_cap(self):
        return 1.0 / sqrt(self._t())

    def _one_minus_beta_2(self):
        return self._t() ** self.beta_2_decay

    def update_step(self, gradient, variable, learning_rate):
        g, place = gradient, self._index[variable]
        R, C, V = self._r[place], self._c[place], self._v[place]
        rho_t = minimum(learning_rate, self._shared(self._rho_cap, variable))
        alpha_t = maximum(rms(variable.value), self.epsilon_2) * rho_t
        new = self._shared(self._one_minus_beta_2, variable)
        squares = square(g) + self.epsilon_1
        if variable.ndim > 1:
            R.assign(R * (1.0 - new) + mean(squares, -1) * new)
            C.assign(C * (1.0 - new) + mean(squares, -2) * new)
            V.assign(expand_dims(R / mean(R, -1, True), -1) * expand_dims(C, -2))
        else:
            V.assign(V * (1.0 - new) + squares * new)
        U = g / sqrt(V)
        variable.assign_sub(U * (alpha_t / maximum(rms(U) / self.clip_threshold, 1.0)))


def rms(x):
    """The root of the mean square of all elements."""
    return sqrt(mean(square(x)))
