"""L-BFGS: full-batch minimization with curvature learned from the last steps, driven by a closure."""

import functools
import math
from typing import NamedTuple

import numpy as np

from eagerdl import registry
from eagerdl.autograd import GradientTape, graph
from eagerdl.dtypes import promote
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.conversion import cast
from eagerdl.ops.creation import zeros_like
from eagerdl.ops.products import vdot
from eagerdl.ops.shape import concatenate, reshape
from eagerdl.tensor import Tensor
from eagerdl.train.optimizers.line_search import Point, strong_wolfe
from eagerdl.train.optimizers.optimizer import Optimizer

__all__ = ["LBFGS", "Minimum"]


class Minimum(NamedTuple):
    """What `LBFGS.minimize` reached: the loss, how many iterations and evaluations it took, whether and why it is one."""

    loss: float
    iterations: int
    evaluations: int
    converged: bool
    message: str


class LBFGS(Optimizer):
    """Limited-memory BFGS with a line search that satisfies the strong Wolfe conditions.

    For smooth losses over all the data (fits, physics-informed networks, style transfer, the last digits of accuracy). It
    needs losses at several places in each iteration, so it takes a function that computes the loss from the variables as
    they are, in place of gradients: ``optimizer.minimize(closure, variables)``, or `step` for one iteration. The closure has
    to give the same loss for the same values: no dropout, one batch.

    With s and y the changes of variables and gradient in each of the last iterations, ``p = -H g`` where H is
    ``(s^T y / y^T y) I``, with s and y of the last one, updated by all pairs (the two-loop recursion); ``w <- w + alpha p``.
    The first trial of alpha is the learning rate; in the first iteration, which knows no scale, divided by the 1-norm of g
    if that is above 1.

    Args:
        learning_rate: the first trial of the line search; 1 lets the method converge superlinearly.
        history_size: how many pairs s, y are kept.
        tolerance_grad: converged if no element of the gradient is larger.
        tolerance_change: converged if an iteration lowers the loss by no larger part of ``max(1, |loss|)``.
        c1, c2: the constants of the Wolfe conditions, ``0 < c1 < c2 < 1``.
        max_evaluations: how many losses one line search may compute.
        name: the name; by default that of the class in snake case.

    Raises:
        ArgumentError: for arguments out of range.

    Example:
        >>> x = edl.Variable([-1.2, 1.0])
        >>> def rosenbrock():
        ...     return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        >>> found = edl.optimizers.LBFGS().minimize(rosenbrock, [x])
        >>> found.converged, edl.round(x, 2).tolist()
        (True, [1.0, 1.0])

    Source: Nocedal and Wright, "Numerical optimization", 2nd ed., 2006, algorithms 7.4 and 7.5, eq. 7.20.
    """

    settings = ("history_size", "tolerance_grad", "tolerance_change", "c1", "c2", "max_evaluations")

    def __init__(self, learning_rate=1.0, history_size=10, tolerance_grad=1e-7, tolerance_change=1e-9, c1=1e-4, c2=0.9,
                 max_evaluations=25, name=None, **kwargs):  # fmt: skip
        if kwargs:
            raise ArgumentError("LBFGS", "the arguments have to be known", f"got {', '.join(kwargs)}"
                                f"{registry.nearest(next(iter(kwargs)), ('learning_rate', *self.settings))}",
                                "clipping, averages and accumulation do not fit a line search")  # fmt: skip
        super().__init__(learning_rate, name=name)
        check_numbers("LBFGS", 0, tolerance_grad=tolerance_grad, tolerance_change=tolerance_change)
        for count, value in {"history_size": history_size, "max_evaluations": max_evaluations}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError("LBFGS", f"{count} is an int of at least 1", f"got {value!r}", "10 to 25 is usual")
        if not 0 < c1 < c2 < 1:
            raise ArgumentError("LBFGS", "0 < c1 < c2 < 1", f"got c1={c1}, c2={c2}", "1e-4 and 0.9 are usual")
        self.history_size, self.max_evaluations, self.c1, self.c2 = history_size, max_evaluations, c1, c2
        self.tolerance_grad, self.tolerance_change = tolerance_grad, tolerance_change

    def build_slots(self, variables):
        for v in variables:
            if v.constraint is not None:
                raise ArgumentError("LBFGS.build", "a line search cannot respect constraints", f"{v.path!r} has one",
                                    "parametrize the variable, as by exp for a positive one, or add a penalty")  # fmt: skip
        self._dtype = functools.reduce(promote, [v._array.dtype for v in variables]).name
        if self._dtype in ("float16", "bfloat16"):
            raise DTypeError(
                "LBFGS.build", "float32 or float64 variables are needed", f"got {self._dtype}", "cast the model"
            )
        size = sum(v.size for v in variables)
        self._pairs = self.add_variable((), dtype="int32", name="pairs")
        rows = [[self.add_variable((size,), dtype=self._dtype, name=f"{name}_{place}") for name in ("s", "y")]
                for place in range(self.history_size)]  # fmt: skip
        self._s, self._y = [s for s, _ in rows], [y for _, y in rows]

    def apply(self, grads, trainable_variables=None):
        """Refuses: the line search needs losses at several places.

        Raises:
            ArgumentError: always.
        """
        raise ArgumentError("LBFGS", "a function that computes the loss is needed", "got gradients",
                            "call optimizer.minimize(closure, variables), or step(closure, variables)")  # fmt: skip

    def apply_gradients(self, grads_and_vars):
        """Refuses; see `apply`.

        Raises:
            ArgumentError: always.
        """
        self.apply(grads_and_vars)

    def step(self, closure, variables=None):
        """One iteration.

        Args:
            closure: a function without arguments that computes the loss, a scalar tensor, from the variables.
            variables: the variables; needed in the first call if the optimizer is not built.

        Returns:
            The loss after it, a float.

        Raises:
            ArgumentError: if the loss is not finite, or depends on none of the variables.
        """
        with graph.pause():
            self._know(variables)
            return self._iterate(closure, self._start(closure))[0].phi

    def minimize(self, closure, variables=None, max_iterations=100):
        """Iterates until the loss is at a minimum.

        Args:
            closure: a function without arguments that computes the loss, a scalar tensor, from the variables.
            variables: the variables; needed in the first call if the optimizer is not built.
            max_iterations: after how many iterations to give up.

        Returns:
            A `Minimum`; the variables hold the place.

        Raises:
            ArgumentError: if the loss is not finite at the start, or depends on none of the variables.
        """
        with graph.pause():
            self._know(variables)
            here = self._start(closure)
            iterations, evaluations, message = 0, 1, "max_iterations were done"
            converged = False
            while True:
                if float(abs(here.extra).max()) <= self.tolerance_grad:
                    converged, message = True, "the gradient is within tolerance_grad of 0"
                    break
                if iterations == max_iterations:
                    break
                before = here
                here, calls = self._iterate(closure, before)
                iterations, evaluations = iterations + 1, evaluations + calls
                if here is before and calls == 0:
                    converged, message = True, "a step gains less than the last digit of the loss"
                    break
                if here is before:
                    message = "the line search found no lower loss: rounding, or a loss that is not smooth"
                    break
                if before.phi - here.phi <= self.tolerance_change * max(1.0, abs(here.phi)):
                    converged, message = True, "the loss changes by less than tolerance_change"
                    break
        return Minimum(here.phi, iterations, evaluations, converged, message)

    # -- parts --------------------------------------------------------------------------------------

    def _know(self, variables):
        if variables is not None:
            self.build(variables)
            if len(list(variables)) != len(self._model_variables):
                raise ArgumentError("LBFGS", "all the variables move together", f"got {len(list(variables))} of the "
                                    f"{len(self._model_variables)} that it was built with", "make a new LBFGS()")  # fmt: skip
        elif not self.built:
            raise ArgumentError("LBFGS", "the optimizer has to know its variables", "it is not built",
                                "call minimize(closure, variables)")  # fmt: skip

    def _evaluate(self, closure):
        """A Point at alpha 0 whose extra is the gradient (n,)."""
        with GradientTape(watch_accessed_variables=False) as tape:
            for v in self._model_variables:
                tape.watch(v)
            loss = closure()
        if not isinstance(loss, Tensor) or loss.size != 1:
            raise DTypeError("LBFGS", "the closure returns the loss, a scalar tensor", f"got {loss!r:.80}",
                             "end it with return loss")  # fmt: skip
        grads = tape.gradient(loss, self._model_variables)
        if all(g is None for g in grads):
            raise ArgumentError("LBFGS", "the loss depends on the variables", "it depends on none of them",
                                "compute it from them inside the closure, with ops on tensors")  # fmt: skip
        grads = [zeros_like(v) if g is None else g for g, v in zip(grads, self._model_variables)]
        return Point(0.0, float(reshape(loss, ())), 0.0, self._flat(grads))

    def _start(self, closure):
        """The Point of the variables as they are."""
        here = self._evaluate(closure)
        if not math.isfinite(here.phi):
            raise ArgumentError(
                "LBFGS", "the loss at the start is finite", f"it is {here.phi}", "check data and initial values"
            )
        return here

    def _flat(self, tensors):
        return concatenate([reshape(cast(t, self._dtype), (-1,)) for t in tensors])

    def _assign(self, x):
        begin = 0
        for v in self._model_variables:
            v.assign(reshape(x[begin : begin + v.size], v.shape))
            begin += v.size

    def _iterate(self, closure, start):
        """The Point after one iteration, `start` itself if no lower one was found, and how many losses were computed."""
        g = start.extra
        x = self._flat([v.value for v in self._model_variables])
        p = self._direction(g)
        slope = float(vdot(g, p))
        if not slope < 0:  # rounding has spoilt the history
            self._pairs.assign(0)
            p = -g
            slope = float(vdot(g, p))
        trial = float(self.learning_rate)
        if not int(self._pairs):
            trial /= max(1.0, float(abs(g).sum()))
        elif -slope * trial <= np.finfo(self._dtype).eps * abs(start.phi):
            return start, 0  # what there is to gain is less than the last digit of the loss

        def evaluate(alpha):
            self._assign(x + p * alpha)
            there = self._evaluate(closure)
            return Point(alpha, there.phi, float(vdot(there.extra, p)), there.extra)

        first = start._replace(alpha=0.0, slope=slope)
        found, calls, _ = strong_wolfe(evaluate, first, trial, self.c1, self.c2, self.max_evaluations)
        self._iterations.assign_add(1)
        if found.alpha == 0:
            self._assign(x)
            if not int(self._pairs):
                return start, calls
            self._pairs.assign(0)  # once more along the gradient, without history
            again, more = self._iterate(closure, start)
            return again, calls + more
        self._assign(x + p * found.alpha)
        self._remember(p * found.alpha, found.extra - g)
        return found, calls

    def _remember(self, s, y):
        """Keeps a pair, unless its curvature is lost in rounding: H has to stay positive definite."""
        epsilon = 1e-7 if self._dtype == "float32" else 1e-16
        if float(vdot(s, y)) > epsilon * float(vdot(y, y)) ** 0.5 * float(vdot(s, s)) ** 0.5:
            place = int(self._pairs) % self.history_size
            self._s[place].assign(s)
            self._y[place].assign(y)
            self._pairs.assign_add(1)

    def _direction(self, g):
        """-H g by the two-loop recursion (algorithm 7.4)."""
        count, size = int(self._pairs), self.history_size
        kept = [k % size for k in range(max(0, count - size), count)]  # oldest first
        q, alphas = g, {}
        for k in reversed(kept):
            s, y = self._s[k].value, self._y[k].value
            alphas[k] = vdot(s, q) / vdot(y, s)
            q = q - y * alphas[k]
        if kept:
            s, y = self._s[kept[-1]].value, self._y[kept[-1]].value
            q = q * (vdot(s, y) / vdot(y, y))
        for k in kept:
            s, y = self._s[k].value, self._y[k].value
            q = q + s * (alphas[k] - vdot(y, q) / vdot(y, s))
        return -q

    def get_config(self):
        """The arguments of `__init__` as a dict that JSON can hold."""
        config = super().get_config()
        return {key: config[key] for key in ("name", "learning_rate", *self.settings)}
