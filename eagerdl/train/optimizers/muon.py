"""Muon: steps whose singular values are all about 1."""

import math
import re

from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.norms import vector_norm
from eagerdl.ops.shape import swapaxes
from eagerdl.train.optimizers.adam import Adam
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["Muon"]


class Muon(Optimizer):
    """Momentum, made orthogonal: the step in a matrix is the nearest one whose singular values are all 1.

    ``m <- mu m + g``; ``u = m``, or Nesterov's ``u = g + mu m``; from ``X = u / ||u||`` so many steps ``X <- a X + (b A + c A A)
    X`` with ``A = X X^T`` bring the singular values near 1; ``w <- w - eta r sqrt(max(rows, columns)) X``. Variables that are no
    matrices, embeddings and what `exclude_layers` names are updated by Adam with decoupled weight decay.

    Args:
        learning_rate: eta; a number, a schedule or a function.
        adam_beta_1, adam_beta_2, adam_weight_decay, epsilon: of the Adam for other variables.
        weight_decay: the weight decay of matrices.
        exclude_layers: regular expressions; variables whose path has a match are left to Adam.
        exclude_embeddings: whether variables with "embedding" in their path are left to Adam.
        muon_a, muon_b, muon_c: a, b and c.
        adam_lr_ratio: Adam's learning rate as a multiple of eta.
        momentum: mu.
        ns_steps: the number of steps toward orthogonality.
        nesterov: whether momentum is Nesterov's.
        rms_rate: r, which gives steps the root mean square that Adam's usually have; None for steps ``eta X``.

    The other arguments are those of `Optimizer`.

    Raises:
        ArgumentError: for decays or a momentum outside of 0 to 1.

    Example:
        >>> w = edl.Variable([[1.0, 2.0], [3.0, 4.0]])
        >>> optimizer = edl.optimizers.Muon(0.1, weight_decay=None, rms_rate=None, ns_steps=10, muon_a=2.0, muon_b=-1.5,
        ...                                 muon_c=0.5)
        >>> _ = optimizer.apply_gradients([(edl.constant([[3.0, 0.0], [0.0, -1.0]]), w)])
        >>> edl.round(w, 3).tolist()  # by 0.1 in each direction, though gradients differ
        [[0.8999999761581421, 2.0], [3.0, 4.099999904632568]]

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; r and weight decay as in Liu et
    al., "Muon is scalable for LLM training", 2025, arXiv:2502.16982, eq. 4.
    """

    settings = (
        "adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum",
        "ns_steps", "nesterov", "exclude_embeddings", "adam_weight_decay", "rms_rate",
    )  # fmt: skip

    def __init__(self, learning_rate=0.001, adam_beta_1=0.9, adam_beta_2=0.999, adam_weight_decay=0.004, epsilon=1e-07,
                 weight_decay=0.004, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 exclude_layers=None, exclude_embeddings=True, muon_a=3.4445, muon_b=-4.775, muon_c=2.0315, adam_lr_ratio=1,
                 momentum=0.95, ns_steps=5, nesterov=True, rms_rate=0.2, **kwargs):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)  # fmt: skip
        check_numbers("Muon", 0, 1, adam_beta_1=adam_beta_1, adam_beta_2=adam_beta_2, momentum=momentum)
        check_numbers("Muon", 0, epsilon=epsilon)
        if isinstance(ns_steps, bool) or not isinstance(ns_steps, int) or ns_steps < 0:
            raise ArgumentError("Muon", "ns_steps is an int of at least 0", f"got {ns_steps!r}", "5 is usual")
        self.adam_beta_1, self.adam_beta_2, self.adam_weight_decay = adam_beta_1, adam_beta_2, adam_weight_decay
        self.epsilon, self.adam_lr_ratio = epsilon, adam_lr_ratio
        self.exclude_layers, self.exclude_embeddings = list(exclude_layers or []), exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.momentum, self.ns_steps, self.nesterov, self.rms_rate = momentum, ns_steps, nesterov, rms_rate

    def _should_use_adamw(self, variable):
        if variable.ndim != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def build_slots(self, variables):
        self.momentums, self.adam_velocities = [], []
        for v in variables:
            self.momentums.append(self.add_variable_from_reference(v, "momentum"))
            adams = self._should_use_adamw(v)
            self.adam_velocities.append(self.add_variable_from_reference(v, "velocity") if adams else None)

    def _weight_decay_of(self, variable):
        is_matrix = self.adam_velocities[self._index[variable]] is None
        return self.weight_decay if is_matrix else self.adam_weight_decay

    # What Adam's update reads, so that its formula stands in one place.
    amsgrad = False
    beta_1 = property(lambda self: self.adam_beta_1)
    beta_2 = property(lambda self: self.adam_beta_2)
    _momentums = property(lambda self: self.momentums)
    _velocities = property(lambda self: self.adam_velocities)
    _moments, _correction, _correction_1, _correction_2 = (
        Adam._moments, Adam._correction, Adam._correction_1, Adam._correction_2,
    )  # fmt: skip

    def update_step(self, gradient, variable, learning_rate):
        place = self._index[variable]
        if self.adam_velocities[place] is not None:
            Adam.update_step(self, gradient, variable, learning_rate * self.adam_lr_ratio)
            return
        g, m, mu = gradient, self.momentums[place], self.momentum
        m.assign(m * mu + g)
        X = self._orthogonal(g + m * mu if self.nesterov else m.value)
        r = 1.0 if self.rms_rate is None else self.rms_rate * math.sqrt(max(X.shape))
        variable.assign_sub(X * (learning_rate * r))

    def _orthogonal(self, u):
        """u (n, m) -> (n, m) with the same singular vectors and singular values near 1, by Newton-Schulz iteration."""
        a, b, c = self.muon_a, self.muon_b, self.muon_c
        tall = u.shape[0] > u.shape[1]
        X = swapaxes(u, 0, 1) if tall else u
        X = X / (vector_norm(X) + 1e-7)
        for _ in range(self.ns_steps):
            A = X @ swapaxes(X, 0, 1)
            X = X * a + (A * b + A @ A * c) @ X
        return swapaxes(X, 0, 1) if tall else X
