"""Learning rate schedules: the learning rate as a function of how many steps there were."""

import math

import numpy as np

from eagerdl import dtypes, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import check_numbers
from eagerdl.ops.arithmetic import maximum, minimum, where
from eagerdl.ops.conversion import cast, convert_to_tensor
from eagerdl.ops.elementary import cos, log
from eagerdl.ops.indexing import take
from eagerdl.ops.reduction import sum
from eagerdl.ops.rounding import ceil, floor
from eagerdl.ops.shape import expand_dims
from eagerdl.tensor import Tensor

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip


class LearningRateSchedule:
    """step () -> learning rate (). Base class: derive from it and write `__call__` and, to save it, `get_config`.

    An optimizer calls it with the number of steps that were taken. Those below take a tensor of many steps as well, which
    gives their learning rates at once, for a plot.

    Example:
        >>> class Halves(edl.optimizers.schedules.LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.5 ** edl.cast(step, "float32")
        >>> edl.optimizers.SGD(Halves()).learning_rate
        Tensor(shape=(), dtype=float32, 1.)
    """

    # The arguments of __init__ that make up the config; kept as attributes of the same names.
    settings: tuple[str, ...] = ()

    def __call__(self, step):
        """step (...) -> the learning rates (...) after so many steps."""
        raise NotImplementedError(f"[{type(self).__name__}] a schedule needs __call__(self, step)")

    def get_config(self):
        """The arguments of `__init__` as a dict that JSON can hold.

        Raises:
            NotImplementedError: for a schedule of your own that has not written it.
        """
        if not self.settings:
            raise NotImplementedError(f"[{type(self).__name__}] a schedule needs get_config to be saved")
        values = {key: getattr(self, key) for key in self.settings}
        return {key: value.tolist() if isinstance(value, Tensor) else value for key, value in values.items()}

    @classmethod
    def from_config(cls, config):
        """The schedule that `get_config` described."""
        return cls(**config)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{key}={getattr(self, key)!r:.60}' for key in self.settings)})"


def _check_steps(schedule, name):
    steps = getattr(schedule, name)
    if not isinstance(steps, Tensor):
        check_numbers(type(schedule).__name__, **{name: steps})
        if steps <= 0:
            raise ArgumentError(type(schedule).__name__, f"{name} is positive", f"got {steps}",
                                "pass the number of steps that the decay takes")  # fmt: skip


def _as_float(step, rate):
    """`step` as a tensor of the dtype in which a schedule of this initial rate computes."""
    given = getattr(rate, "dtype", None)
    return cast(convert_to_tensor(step), given if given in dtypes.FLOATING_SET else dtypes.standardize(None))


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate^(step / decay_steps)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: after how many steps it has been multiplied by `decay_rate` once.
        decay_rate: that factor.
        staircase: whether the exponent is rounded down, so that the rate falls in steps.
        name: kept in the config.

    Raises:
        ArgumentError: if `decay_steps` is not positive.

    Example:
        >>> edl.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
        Tensor(shape=(), dtype=float32, 0.025)
    """

    settings = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="ExponentialDecay"):
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name
        _check_steps(self, "decay_steps")

    def __call__(self, step):
        p = _as_float(step, self.initial_learning_rate) / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (floor(p) if self.staircase else p)


class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the unit of time, in steps.
        decay_rate: how fast it falls.
        staircase: whether step / decay_steps is rounded down.
        name: kept in the config.

    Raises:
        ArgumentError: if `decay_steps` is not positive.

    Example:
        >>> edl.optimizers.schedules.InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(30)
        Tensor(shape=(), dtype=float32, 0.025)
    """

    settings = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"):
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name
        _check_steps(self, "decay_steps")

    def __call__(self, step):
        p = _as_float(step, self.initial_learning_rate) / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (floor(p) if self.staircase else p))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and including step boundaries[0], then values[1] up to boundaries[1], and so on.

    Args:
        boundaries: increasing numbers of steps.
        values: the rates between them, one more.
        name: kept in the config.

    Raises:
        ArgumentError: if the numbers of boundaries and values do not fit, or boundaries do not increase.

    Example:
        >>> edl.optimizers.schedules.PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.1])([100, 101, 500])
        Tensor(shape=(3,), dtype=float32, [1.  0.5 0.1])
    """

    settings = ("boundaries", "values", "name")

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        self.boundaries, self.values, self.name = list(boundaries), list(values), name
        if len(self.boundaries) != len(self.values) - 1:
            raise ArgumentError("PiecewiseConstantDecay", "there is one value more than there are boundaries",
                                f"got {len(self.boundaries)} boundaries and {len(self.values)} values",
                                "give the rate before the first boundary, and after each")  # fmt: skip
        if any(low >= high for low, high in zip(self.boundaries, self.boundaries[1:])):
            raise ArgumentError("PiecewiseConstantDecay", "boundaries increase", f"got {self.boundaries}", "sort them")

    def __call__(self, step):
        step, values = convert_to_tensor(step), convert_to_tensor([float(value) for value in self.values])
        # Steps are compared as they are: in float32 there is no 2^24 + 1. For whole steps b and floor(b) are the same.
        boundaries = np.array([float(b) for b in self.boundaries])
        boundaries = (np.floor(boundaries) if step.dtype.kind in "iu" else boundaries).astype(step.dtype)
        return take(values, sum(cast(expand_dims(step, -1) > boundaries, "int32"), -1), 0)


class PolynomialDecay(LearningRateSchedule):
    """``(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps)^power + end_learning_rate``.

    After `decay_steps` the rate stays, or with `cycle` the decay is stretched to the next multiple of `decay_steps`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps the decay takes.
        end_learning_rate: the rate at its end.
        power: the exponent; 1 is a straight line.
        cycle: whether the rate rises again and again.
        name: kept in the config.

    Raises:
        ArgumentError: if `decay_steps` is not positive.

    Example:
        >>> edl.optimizers.schedules.PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)([0, 5, 10, 15])
        Tensor(shape=(4,), dtype=float32, [0.1  0.05 0.   0.  ])
    """

    settings = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(self, initial_learning_rate, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False,
                 name="PolynomialDecay"):  # fmt: skip
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.end_learning_rate, self.power, self.cycle, self.name = end_learning_rate, power, cycle, name
        _check_steps(self, "decay_steps")

    def __call__(self, step):
        t, end = _as_float(step, self.initial_learning_rate), self.end_learning_rate
        if self.cycle:
            p = t / (self.decay_steps * maximum(ceil(t / self.decay_steps), 1.0))
        else:
            p = minimum(t, self.decay_steps) / self.decay_steps
        return (self.initial_learning_rate - end) * (1.0 - p) ** self.power + end


class CosineDecay(LearningRateSchedule):
    """``eta = eta_0 * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)``, with a warmup before it if wanted.

    With `warmup_target` the rate first grows in a straight line from `initial_learning_rate` to the target in
    `warmup_steps`, and decays from there; eta_0 is then the target, and steps count from the end of the warmup.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps the decay takes.
        alpha: the fraction of eta_0 that remains at the end.
        name: kept in the config.
        warmup_target: the rate after the warmup; None for no warmup.
        warmup_steps: how many steps the warmup takes.

    Raises:
        ArgumentError: if `decay_steps` is not positive.

    Example:
        >>> schedule = edl.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.2, warmup_steps=4)
        >>> edl.round(schedule([0, 2, 4, 9, 14]), 4)
        Tensor(shape=(5,), dtype=float32, [0.  0.1 0.2 0.1 0. ])

    Source: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017, arXiv:1608.03983, eq. 5.
    """

    settings = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(self, initial_learning_rate, decay_steps, alpha=0.0, name="CosineDecay", warmup_target=None,
                 warmup_steps=0):  # fmt: skip
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps
        _check_steps(self, "decay_steps")

    def __call__(self, step):
        t, start = _as_float(step, self.initial_learning_rate), self.initial_learning_rate
        if self.warmup_target is None:
            return start * _half_cosine(minimum(t / self.decay_steps, 1.0), self.alpha)
        target, warmup = self.warmup_target, self.warmup_steps
        growing = start + (target - start) * (t / maximum(warmup, 1))
        falling = target * _half_cosine(minimum((t - warmup) / self.decay_steps, 1.0), self.alpha)
        return where(t < warmup, growing, falling)


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decays one after the other: each `t_mul` times as long as the last, from a rate `m_mul` times as high.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: how many steps the first decay takes.
        t_mul: the ratio of the lengths.
        m_mul: the ratio of the rates from which they start.
        alpha: the fraction of `initial_learning_rate` that remains at the end of each.
        name: kept in the config.

    Raises:
        ArgumentError: if `first_decay_steps` or `t_mul` is not positive.

    Example:
        >>> edl.optimizers.schedules.CosineDecayRestarts(0.1, first_decay_steps=2)([0, 1, 2, 4, 6])
        Tensor(shape=(5,), dtype=float32, [0.1  0.05 0.1  0.05 0.1 ])

    Source: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017, arXiv:1608.03983, sec. 3.
    """

    settings = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name="SGDRDecay"):
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name
        _check_steps(self, "first_decay_steps")
        _check_steps(self, "t_mul")

    def __call__(self, step):
        t = _as_float(step, self.initial_learning_rate) / self.first_decay_steps
        q = self.t_mul
        if q == 1:
            i = floor(t)
            p = t - i
        else:
            # The first i decays take (q^i - 1) / (q - 1). Logarithms are rounded: exactly at a restart they may name a
            # neighbour of i, which shows in p, the part of decay i that is over.
            i = floor(log(1.0 + t * (q - 1.0)) / math.log(q))
            i = i + cast(_part(t, i, q) >= 1.0, t.dtype) - cast(_part(t, i, q) < 0.0, t.dtype)
            p = _part(t, i, q)
        return self.initial_learning_rate * _half_cosine(p, self.alpha, self.m_mul**i)


def _part(t, i, q):
    power = q**i
    return (t - (power - 1.0) / (q - 1.0)) / power


def _half_cosine(p, alpha, height=1.0):
    """From `height` at p = 0 to `alpha` at p = 1, where `alpha` is a fraction of 1."""
    return (1.0 - alpha) * (0.5 * height * (1.0 + cos(math.pi * p))) + alpha


def serialize(learning_rate_schedule):
    """The config of a schedule.

    Example:
        >>> edl.optimizers.schedules.serialize(edl.optimizers.schedules.CosineDecay(0.1, 100))["class_name"]
        'CosineDecay'
    """
    return registry.serialize_keras_object(learning_rate_schedule)


def deserialize(config, custom_objects=None):
    """The schedule that a config describes.

    Args:
        config: what `serialize` returned.
        custom_objects: a dict of names that it uses.

    Raises:
        ArgumentError: for an unknown class.
    """
    return registry.deserialize_keras_object(config, custom_objects)


registry.add_area("optimizers.schedules", {name: globals()[name] for name in __all__})
