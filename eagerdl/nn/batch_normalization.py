"""`BatchNormalization`: by the statistics of the batch in training, by their moving averages in inference."""

from eagerdl import config, dtypes, ops, registry
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import initializers
from eagerdl.nn.arguments import check_numbers
from eagerdl.nn.layer import InputSpec
from eagerdl.nn.normalization import AffineNormalization, _axis_argument, _sizes
from eagerdl.ops.batch_statistics import normalize_by_batch

__all__ = ["BatchNormalization"]

LIMITS = ("rmax", "rmin", "dmax")


class BatchNormalization(AffineNormalization):
    """x (batch, ..., c) -> (batch, ..., c). ``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` for each channel.

    In training mean and variance are those of the batch, over all axes but that of the channels, and the moving averages
    follow them: ``moving = momentum * moving + (1 - momentum) * batch``. In inference, and where the layer is not trainable,
    the moving averages take their place. Half precision is computed in float32.

    With a mask (batch, ...) only unmasked steps count in the statistics.

    With `renorm` (batch renormalization) training normalizes by the batch, too, but corrects the result by ``r`` and ``d``
    towards averages of their own, ``x' r + d`` with ``r = sigma / sigma_renorm`` and ``d = (mean - mean_renorm) /
    sigma_renorm``, which count as constants, so that small batches do less harm.

    Args:
        axis: the axis of the channels.
        momentum: how much of the moving averages stays at each step.
        epsilon: keeps the root of the variance away from 0.
        center, scale: whether there is a beta, and a gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: of the weights.
        beta_regularizer, gamma_regularizer: what adds losses.
        beta_constraint, gamma_constraint: what the weights are mapped to after each update.
        renorm: whether to renormalize.
        renorm_clipping: a dict with bounds of the corrections: ``rmin <= r <= rmax`` and ``abs(d) <= dmax``.
        renorm_momentum: the momentum of the averages of renorm.
        synchronized: must be False: one process sees the whole batch.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if momentum, epsilon or a limit of renorm_clipping is out of range or unknown, or for synchronized=True.
        ShapeError: if the channels change, or a mask has not one axis less than x.

    Example:
        >>> layer = edl.layers.BatchNormalization(momentum=0.5, epsilon=0.0)
        >>> layer(edl.constant([[1.0], [3.0]]), training=True).tolist()
        [[-1.0], [1.0]]
        >>> layer.moving_mean.tolist(), layer.moving_variance.tolist()
        ([1.0], [1.0])

    Sources: Ioffe & Szegedy, 2015, arXiv:1502.03167; Ioffe, 2017, arXiv:1702.03275 (renorm).
    """

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", moving_mean_initializer="zeros", moving_variance_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, renorm=False,
                 renorm_clipping=None, renorm_momentum=0.99, synchronized=False, **kwargs):  # fmt: skip
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
                         beta_constraint, gamma_constraint, **kwargs)  # fmt: skip
        self.axis = _axis_argument(self.where, axis, several=False)
        check_numbers(self.where, 0.0, 1.0, momentum=momentum, renorm_momentum=renorm_momentum)
        if synchronized:
            raise ArgumentError(self.where, "statistics are not synchronized between processes: one process sees the whole batch",
                                f"got synchronized={synchronized!r}", "leave it out")  # fmt: skip
        self.synchronized = synchronized
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = _checked_limits(self.where, renorm_clipping) if renorm else renorm_clipping

    def build(self, input_shape):
        shape = _sizes(self.where, self.axis, input_shape)
        self._add_affine(shape)
        self.moving_mean = self._add_average("moving_mean", shape, self.moving_mean_initializer)
        self.moving_variance = self._add_average("moving_variance", shape, self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = self._add_average("moving_stddev", shape, self._initial_stddev)
            self.renorm_mean = self._add_average("renorm_mean", shape, self.moving_mean_initializer)
            self.renorm_stddev = self._add_average("renorm_stddev", shape, self._initial_stddev)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def _add_average(self, name, shape, initializer):
        return self.add_weight(shape, initializer, trainable=False, autocast=False, name=name)

    def _initial_stddev(self, shape, dtype=None):
        return ops.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def call(self, inputs, training=None, mask=None):
        if mask is not None and len(mask.shape) != inputs.ndim - 1:
            raise ShapeError(self.where, "the mask has one axis less than the input, that of the channels",
                             f"mask {tuple(mask.shape)}, input {inputs.shape}", "leave out the last axis of the mask")  # fmt: skip
        work = dtypes.result_type(inputs.dtype, dtypes.float32)
        if training and self.trainable:
            x = inputs if mask is None and not self.renorm else ops.cast(inputs, work)
            out = self._by_batch(x, mask, work)
        else:
            x = inputs if inputs.dtype == work else ops.cast(inputs, work)
            out = self._normalized(x, self.moving_mean, self.moving_variance, self.gamma, self.beta)
        return out if out.dtype == self.compute_dtype else ops.cast(out, self.compute_dtype)

    def _by_batch(self, x, mask, work):
        if mask is None and not self.renorm:
            out, mean, variance = normalize_by_batch(x, self.gamma, self.beta, self.axis, self.epsilon)
            self._follow(self.moving_mean, mean, self.momentum)
            self._follow(self.moving_variance, variance, self.momentum)
            return out
        if mask is None:
            _, mean, variance = normalize_by_batch(x, axis=self.axis, epsilon=self.epsilon)
        else:
            mean, variance = self._masked_moments(x, mask)
        if self.renorm:
            return self._renormalized(x, mean, variance)
        self._follow(self.moving_mean, mean, self.momentum)
        self._follow(self.moving_variance, variance, self.momentum)
        return self._normalized(x, mean, variance, self.gamma, self.beta)

    def _normalized(self, x, mean, variance, gamma, beta):
        return ops.batch_normalization(x, mean, variance, self.axis, beta, gamma, self.epsilon)

    def _follow(self, average, value, momentum):
        """Moves an average of the layer towards the value of this batch."""
        value = ops.stop_gradient(value)
        average.assign(average * momentum + value * (1.0 - momentum))
        return average

    def _masked_moments(self, x, mask):
        """mean, variance (c,) of the steps at which the mask is True."""
        over = tuple([i for i in range(x.ndim) if i != self.axis % x.ndim])
        there = ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), x.shape)
        count = ops.sum(ops.cast(there, x.dtype), over, True) + config.epsilon()
        mean = ops.sum(ops.where(there, x, 0), over, True) / count
        variance = ops.sum(ops.square(ops.where(there, x - mean, 0)), over, True) / count
        return ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))

    def _renormalized(self, x, mean, variance):
        """The result corrected towards the averages of renorm, in which gradients see r and d as constants."""
        sigma = ops.sqrt(variance + self.epsilon)
        least = ops.maximum(self.renorm_stddev, self.epsilon**0.5)
        r, d = sigma / least, (mean - self.renorm_mean) / least
        limits = self.renorm_clipping
        if limits.get("rmin") is not None:
            r = ops.maximum(r, limits["rmin"])
        if limits.get("rmax") is not None:
            r = ops.minimum(r, limits["rmax"])
        if limits.get("dmax") is not None:
            d = ops.clip(d, -limits["dmax"], limits["dmax"])
        r, d = ops.stop_gradient(r), ops.stop_gradient(d)
        gamma = r if self.gamma is None else r * self.gamma
        beta = d if self.gamma is None else d * self.gamma
        self._follow(self.renorm_mean, mean, self.renorm_momentum)
        self._follow(self.renorm_stddev, sigma, self.renorm_momentum)
        self._follow(self.moving_mean, mean, self.momentum)
        self._follow(self.moving_stddev, sigma, self.momentum)
        # The square of an average of deviations; rounding may leave it below epsilon.
        self.moving_variance.assign(ops.relu(ops.square(self.moving_stddev) - self.epsilon))
        return self._normalized(x, mean, variance, gamma, beta if self.beta is None else beta + self.beta)

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **self._config_of_initializers(),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            **self._config_of_the_rest(),
            "synchronized": self.synchronized,
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }


def _checked_limits(where, limits):
    limits = dict(limits or {})
    for name in limits:
        if name not in LIMITS:
            raise ArgumentError(where, f"the keys of renorm_clipping are {', '.join(LIMITS)}",
                                f"got {name!r}{registry.nearest(name, LIMITS)}", "leave the others out")  # fmt: skip
    given = {name: value for name, value in limits.items() if value is not None}
    check_numbers(where, 0.0, **given)
    if given.get("rmax", float("inf")) < given.get("rmin", 0.0):
        raise ArgumentError(
            where, "rmax is at least rmin", f"got rmin={given['rmin']}, rmax={given['rmax']}", "exchange them"
        )
    return limits


registry.add_area("layers", {name: globals()[name] for name in __all__})
