"""Initializers: what weights are before the first step of training.

An initializer is called with a shape and gives a tensor. Random ones own their seed: an initializer made without one
takes a seed from the global generator once, so one object gives the same values at each call, and
`edl.utils.set_random_seed` decides which. Two layers get different weights because each makes its own initializer from
the name that it is given; an object that several layers share, or an int as its seed, gives equal weights to equal shapes.
A `SeedGenerator` as the seed gives new values at each call.
"""

import math
from typing import Any

import numpy as np

from eagerdl import dtypes, ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn.arguments import check_choice, check_numbers
from eagerdl.ops.generators import SeedGenerator, fresh_key
from eagerdl.ops.shape import normalize_axis, shape_of
from eagerdl.tensor import Tensor
from eagerdl.variable import Variable

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer", "Initializer",
    "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal", "RandomUniform", "STFT",
    "STFTInitializer", "TruncatedNormal", "VarianceScaling", "Zeros", "constant", "deserialize", "get", "glorot_normal",
    "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal", "lecun_uniform", "ones", "orthogonal",
    "random_normal", "random_uniform", "serialize", "stft", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip


class Initializer:
    """shape -> a tensor of that shape. Base class: derive from it and write `__call__`, and `get_config` if it has arguments.

    Example:
        >>> class Steps(edl.initializers.Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return edl.reshape(edl.arange(edl.prod(shape), dtype=dtype), shape)
        >>> edl.Variable(Steps()((2, 2), "float32")).tolist()
        [[0.0, 1.0], [2.0, 3.0]]
    """

    def __call__(self, shape, dtype=None):
        """shape -> a tensor of that shape.

        Args:
            shape: an int or a sequence of ints.
            dtype: the dtype of the values; None is floatx.
        """
        raise NotImplementedError(f"[{type(self).__name__}] an initializer needs __call__(self, shape, dtype=None)")

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` as a dict that JSON can hold."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The initializer that `get_config` described."""
        return cls(**config)

    def clone(self):
        """A new initializer with the same arguments; without a seed among them, it draws one of its own."""
        return type(self).from_config(self.get_config())

    def __repr__(self):
        arguments = ", ".join(f"{key}={value!r:.60}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


# -- known values ---------------------------------------------------------------------------------


class Zeros(Initializer):
    """shape -> zeros: for biases, and for the last layer of a residual branch.

    Example:
        >>> edl.initializers.Zeros()((2,))
        Tensor(shape=(2,), dtype=float32, [0. 0.])
    """

    def __call__(self, shape, dtype=None):
        """shape -> zeros of `dtype`, by default floatx."""
        return ops.zeros(_shape("Zeros", shape), dtype=dtypes.standardize(dtype))


class Ones(Initializer):
    """shape -> ones: for scales, as of a normalization.

    Example:
        >>> edl.initializers.Ones()((2,), "int32")
        Tensor(shape=(2,), dtype=int32, [1 1])
    """

    def __call__(self, shape, dtype=None):
        """shape -> ones of `dtype`, by default floatx."""
        return ops.ones(_shape("Ones", shape), dtype=dtypes.standardize(dtype))


class Constant(Initializer):
    """shape -> one value, or the values of an array that broadcasts to the shape.

    Args:
        value: a number, or an array, a tensor or nested lists of them.

    Raises:
        ShapeError: when called, if an array does not broadcast to the shape.

    Example:
        >>> edl.initializers.Constant(0.5)((2,))
        Tensor(shape=(2,), dtype=float32, [0.5 0.5])
    """

    exact = False  # an array that stands for an initializer has to have the shape of the weight

    def __init__(self, value=0.0):
        self.value = value.numpy() if isinstance(value, Tensor | Variable) else value

    def __call__(self, shape, dtype=None):
        """shape -> the value, cast to `dtype`, by default floatx."""
        shape = _shape("Constant", shape)
        value = ops.convert_to_tensor(self.value, dtypes.standardize(dtype))
        if not (value.shape == shape if self.exact else _broadcasts(value.shape, shape)):
            needed = "have" if self.exact else "broadcast to"
            raise ShapeError("Constant", f"an array of values must {needed} the shape of the weight",
                             f"values {value.shape}, weight {shape}", "give an array of that shape, or a number")  # fmt: skip
        return ops.full(shape, value, dtype=value.dtype)

    def get_config(self):
        """The value."""
        return {"value": registry.serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config):
        """The initializer that `get_config` described."""
        return cls(registry.deserialize_keras_object(config["value"]))


class Identity(Initializer):
    """(n, m) -> gain on the diagonal, zero elsewhere: a dense layer that begins by passing its input on.

    Q. V. Le, N. Jaitly and G. E. Hinton start recurrent kernels so, 2015, arXiv:1504.00941.

    Args:
        gain: the number on the diagonal.

    Raises:
        ShapeError: when called, if the shape is not that of a matrix.

    Example:
        >>> edl.initializers.Identity(2.0)((2, 3)).tolist()
        [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """

    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, shape, dtype=None):
        """(n, m) -> a matrix of `dtype`, by default floatx."""
        shape, dtype = _shape("Identity", shape), dtypes.standardize(dtype)
        if len(shape) != 2:
            raise ShapeError("Identity", "a matrix is needed: two axes", f"got shape {shape}",
                             "use Orthogonal, which takes kernels of convolutions too")  # fmt: skip
        return ops.cast(self.gain * ops.eye(*shape, dtype=dtype), dtype)

    def get_config(self):
        """The gain."""
        return {"gain": self.gain}


class STFT(Initializer):
    """(frame length t, 1, frequencies f) -> the kernel of a 1-D convolution that is a short-time Fourier transform.

    Entry (n, 0, k) is ``cos(2 pi n k / N) w[n] / s``, or ``-sin`` of that for the imaginary side, with N = 2 (f - 1)
    points of the transform; w is the window, s its norm.

    Args:
        side: "real" or "imag".
        window: a name or tuple that `scipy.signal.get_window` knows, the t values of a window, or None for none.
        scaling: "density" divides by the 2-norm of the window, "spectrum" by its 1-norm, None by nothing.
        periodic: whether a window given by name is periodic instead of symmetric.

    Raises:
        ArgumentError: for an unknown side, scaling or window.
        ShapeError: when called, if the shape is not (t, 1, f), or window values are not t.

    Example:
        >>> kernel = edl.initializers.STFT("real", window=None)((4, 1, 3))
        >>> edl.round(kernel[:, 0, 2], 3).tolist()
        [1.0, -1.0, 1.0, -1.0]

    Source: J. B. Allen and L. R. Rabiner, 1977, "A unified approach to short-time Fourier analysis and synthesis".
    """

    def __init__(self, side="real", window="hann", scaling="density", periodic=False):
        check_choice("STFT", "side", side, ("real", "imag"))
        if scaling is not None:
            check_choice("STFT", "scaling", scaling, ("density", "spectrum"))
        if isinstance(window, list) and window and isinstance(window[0], str):
            window = tuple(window)  # a name and its numbers, as JSON has them
        if isinstance(window, str | tuple):
            _window(window, 1, periodic)
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def __call__(self, shape, dtype=None):
        """(t, 1, f) -> a kernel of `dtype`, by default floatx."""
        shape, dtype = _shape("STFT", shape), dtypes.standardize(dtype)
        if len(shape) != 3 or shape[1] != 1:
            raise ShapeError("STFT", "the shape is (frame length, 1, frequencies)", f"got {shape}",
                             "transform one channel at a time")  # fmt: skip
        length, _, frequencies = shape
        points = max(1, 2 * (frequencies - 1))
        # n k mod N is exact, and keeps the angle small: far more digits than the cosine of a large product.
        turns = np.outer(np.arange(length), np.arange(frequencies)) % points
        angle = ops.convert_to_tensor(2 * np.pi / points * turns[:, None, :])
        kernel = ops.cos(angle) if self.side == "real" else -ops.sin(angle)
        if self.window is not None:
            named = isinstance(self.window, str | tuple)
            window = np.asarray(_window(self.window, length, self.periodic) if named else self.window, np.float64)
            if window.shape != (length,):
                raise ShapeError("STFT", "a window has one value for each sample of a frame",
                                 f"window {window.shape}, kernel {shape}", f"give {length} values, or a name")  # fmt: skip
            norm = {"density": np.linalg.norm(window), "spectrum": np.abs(window).sum(), None: 1.0}[self.scaling]
            kernel = kernel * ops.convert_to_tensor(window[:, None, None] / norm)
        return ops.cast(kernel, dtype)

    def get_config(self):
        """Side, window, scaling, periodic."""
        window = registry.serialize_keras_object(self.window)
        return {"side": self.side, "window": window, "scaling": self.scaling, "periodic": self.periodic}

    @classmethod
    def from_config(cls, config):
        """The initializer that `get_config` described."""
        return cls(**{**config, "window": registry.deserialize_keras_object(config.get("window", "hann"))})


# -- random values --------------------------------------------------------------------------------


class RandomInitializer(Initializer):
    """Base of the random initializers: owns the seed.

    Args:
        seed: an int, a SeedGenerator, the config of one, or None for a seed from the global generator.
    """

    def __init__(self, seed=None):
        if isinstance(seed, dict):
            seed = registry.deserialize_keras_object(seed)
        if isinstance(seed, np.integer):
            seed = int(seed)
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | SeedGenerator)):
            raise DTypeError(type(self).__name__, "a seed is None, an int or a SeedGenerator",
                             f"got {type(seed).__name__} {seed!r:.60}", "use seed=1, or edl.random.SeedGenerator(1)")  # fmt: skip
        if isinstance(seed, int) and seed < 0:
            raise ArgumentError(type(self).__name__, "a seed is not negative", f"got {seed}", "use seed % 2**32")
        self._init_seed = seed
        self.seed = fresh_key() if seed is None else seed

    def get_config(self):
        """The seed as it was given: None stays None, so that whoever loads the config draws a seed of its own."""
        return {"seed": registry.serialize_keras_object(self._init_seed)}


class RandomNormal(RandomInitializer):
    """shape -> normal numbers.

    Args:
        mean, stddev: of the distribution.
        seed: an int, a `SeedGenerator` for new values at each call, or None for a seed from the global generator,
            drawn now: the object gives the same values at each call.

    Example:
        >>> init = edl.initializers.RandomNormal(stddev=0.01, seed=1)
        >>> bool((init((3, 4)) == init((3, 4))).all())
        True
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        check_numbers("RandomNormal", mean=mean)
        check_numbers("RandomNormal", 0, stddev=stddev)
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape, dtype=None):
        """shape -> numbers of a floating `dtype`, by default floatx."""
        return ops.random.normal(shape, self.mean, self.stddev, dtype, self.seed)

    def get_config(self):
        """Mean, stddev and seed."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomInitializer):
    """shape -> normal numbers within two standard deviations of the mean; others are drawn anew.

    Args:
        mean, stddev: of the distribution before truncation; afterwards its deviation is 0.87962566 stddev.
        seed: as in `RandomNormal`.

    Example:
        >>> bool((edl.abs(edl.initializers.TruncatedNormal(stddev=1.0)((100,))) <= 2).all())
        True
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        check_numbers("TruncatedNormal", mean=mean)
        check_numbers("TruncatedNormal", 0, stddev=stddev)
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape, dtype=None):
        """shape -> numbers of a floating `dtype`, by default floatx."""
        return ops.random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)

    def get_config(self):
        """Mean, stddev and seed."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class RandomUniform(RandomInitializer):
    """shape -> numbers in [minval, maxval), each equally likely.

    Args:
        minval, maxval: the bounds.
        seed: as in `RandomNormal`.

    Raises:
        ArgumentError: when called, if minval is above maxval.

    Example:
        >>> edl.initializers.RandomUniform(0.0, 1.0, seed=2)((2, 3)).shape
        (2, 3)
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        check_numbers("RandomUniform", minval=minval, maxval=maxval)
        self.minval, self.maxval = minval, maxval
        super().__init__(seed)

    def __call__(self, shape, dtype=None):
        """shape -> numbers of a floating `dtype`, by default floatx."""
        return ops.random.uniform(shape, self.minval, self.maxval, dtype, self.seed)

    def get_config(self):
        """Minval, maxval and seed."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


# The standard deviation of a normal distribution of deviation 1 that is cut off at -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978


class VarianceScaling(RandomInitializer):
    """shape -> random numbers of variance scale / n, so that a layer keeps the variance of what flows through it.

    n counts the units that an output sums over (fan in), those that an input reaches (fan out), or is their mean. A kernel
    (..., i, o) has fan in i and fan out o, each times the product of the sizes before: the receptive field. Uniform
    numbers lie within ``sqrt(3 scale / n)``.

    Args:
        scale: a positive number.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" (or "normal"), "untruncated_normal" or "uniform".
        seed: as in `RandomNormal`.
        input_axes, output_axes: the axes of the weight whose sizes multiply to fan in and fan out, both or none: for
            weights whose last two axes are not inputs and outputs.

    Raises:
        ArgumentError: for a scale that is not positive, an unknown mode or distribution, or one of the axes arguments alone.

    Example:
        >>> kernel = edl.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=1)((400, 100))
        >>> round(float(edl.var(kernel)) * 400, 1)
        2.0

    Source: K. He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.
    """

    def __init__(
        self,
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        input_axes=None,
        output_axes=None,
    ):
        where = type(self).__name__
        check_numbers(where, scale=scale)
        if scale <= 0:
            raise ArgumentError(
                where, "the scale is positive", f"got scale={scale}", "use Zeros for weights of variance 0"
            )
        check_choice(where, "mode", mode, ("fan_in", "fan_out", "fan_avg"))
        kinds = ("truncated_normal", "untruncated_normal", "uniform", "normal")
        distribution = distribution.lower() if isinstance(distribution, str) else distribution
        check_choice(where, "distribution", distribution, kinds)
        if (input_axes is None) != (output_axes is None):
            raise ArgumentError(where, "input_axes and output_axes come together",
                                f"got input_axes={input_axes}, output_axes={output_axes}", "give both or none")  # fmt: skip
        self.scale, self.mode = scale, mode
        self.distribution = "truncated_normal" if distribution == "normal" else distribution
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed)

    def __call__(self, shape, dtype=None):
        """shape -> numbers of a floating `dtype`, by default floatx."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return ops.random.uniform(shape, -limit, limit, dtype, self.seed)
        stddev = math.sqrt(variance)
        if self.distribution == "untruncated_normal":
            return ops.random.normal(shape, 0.0, stddev, dtype, self.seed)
        return ops.random.truncated_normal(shape, 0.0, stddev / TRUNCATED_STDDEV, dtype, self.seed)

    def get_config(self):
        """Scale, mode, distribution, seed and axes."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Named(VarianceScaling):
    """A variance scaling with a name of its own: scale, mode and distribution belong to the class."""

    recipe: tuple[float, str, str]

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(*self.recipe, seed, input_axes, output_axes)

    def get_config(self):
        """Seed and axes."""
        config = super().get_config()
        return {name: config[name] for name in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_Named):
    """shape -> uniform numbers within ``sqrt(6 / (fan_in + fan_out))``: for layers with tanh, sigmoid or no activation.

    Also called Xavier initialization.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    Example:
        >>> kernel = edl.initializers.GlorotUniform(seed=1)((20, 30))
        >>> float(edl.max(kernel)) <= (6 / 50) ** 0.5
        True

    Source: X. Glorot and Y. Bengio, 2010, "Understanding the difficulty of training deep feedforward neural networks".
    """

    recipe = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """shape -> truncated normal numbers of variance ``2 / (fan_in + fan_out)``; see `GlorotUniform`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    Example:
        >>> edl.initializers.GlorotNormal()((2, 3)).shape
        (2, 3)

    Source: X. Glorot and Y. Bengio, 2010, "Understanding the difficulty of training deep feedforward neural networks".
    """

    recipe = (1.0, "fan_avg", "truncated_normal")


class LecunNormal(_Named):
    """shape -> truncated normal numbers of variance ``1 / fan_in``: for layers with selu.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    Example:
        >>> edl.initializers.LecunNormal()((2, 3)).shape
        (2, 3)

    Sources: Y. LeCun et al., 1998, "Efficient BackProp"; G. Klambauer et al., 2017, arXiv:1706.02515.
    """

    recipe = (1.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """shape -> uniform numbers within ``sqrt(3 / fan_in)``; see `LecunNormal`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    Example:
        >>> edl.initializers.LecunUniform()((2, 3)).shape
        (2, 3)

    Source: Y. LeCun et al., 1998, "Efficient BackProp".
    """

    recipe = (1.0, "fan_in", "uniform")


class HeNormal(_Named):
    """shape -> truncated normal numbers of variance ``2 / fan_in``: for layers with relu, which halves the variance.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    Example:
        >>> edl.initializers.HeNormal()((2, 3)).shape
        (2, 3)

    Source: K. He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.
    """

    recipe = (2.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """shape -> uniform numbers within ``sqrt(6 / fan_in)``; see `HeNormal`.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    Example:
        >>> edl.initializers.HeUniform()((2, 3)).shape
        (2, 3)

    Source: K. He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.
    """

    recipe = (2.0, "fan_in", "uniform")


class Orthogonal(RandomInitializer):
    """(..., m) -> a matrix (n, m) with orthonormal rows or columns, whichever are fewer, times gain; n is the rest of the shape.

    The matrix is uniformly distributed among all such (F. Mezzadri, 2007, arXiv:math-ph/0609050): Q of the QR
    decomposition of normal numbers, with the signs that make the diagonal of R positive.

    Args:
        gain: a factor.
        seed: as in `RandomNormal`.

    Raises:
        ShapeError: when called, if the shape has fewer than two axes.

    Example:
        >>> q = edl.initializers.Orthogonal(seed=1)((3, 5))
        >>> bool(edl.allclose(q @ q.mT, edl.eye(3), atol=1e-5))
        True

    Source: A. M. Saxe, J. L. McClelland and S. Ganguli, 2013, arXiv:1312.6120.
    """

    def __init__(self, gain=1.0, seed=None):
        check_numbers("Orthogonal", gain=gain)
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape, dtype=None):
        """(..., m) -> numbers of a floating `dtype`, by default floatx."""
        shape, dtype = _shape("Orthogonal", shape), dtypes.standardize(dtype)
        if len(shape) < 2:
            raise ShapeError("Orthogonal", "at least two axes are needed", f"got shape {shape}",
                             "use RandomNormal for vectors")  # fmt: skip
        n, m = math.prod(shape[:-1]), shape[-1]
        # The decomposition needs the precision of float32 at least.
        wide = dtypes.float32 if dtype in (dtypes.float16, dtypes.bfloat16) else dtype
        q, r = ops.qr(ops.random.normal((max(n, m), min(n, m)), dtype=wide, seed=self.seed))
        q = q * ops.where(ops.diagonal(r) < 0, -1.0, 1.0)
        q = q if n >= m else ops.transpose(q)
        return ops.cast(self.gain * ops.reshape(q, shape), dtype)

    def get_config(self):
        """Gain and seed."""
        return {**super().get_config(), "gain": self.gain}


# -- helpers --------------------------------------------------------------------------------------


def compute_fans(shape, input_axes=None, output_axes=None):
    """The numbers (fan in, fan out) of a weight: how many inputs an output sums over, how many outputs an input reaches.

    Args:
        shape: of the weight; a kernel of a convolution ends in inputs and outputs.
        input_axes, output_axes: the axes that hold them, if these are others.
    """
    shape = _shape("VarianceScaling", shape)
    if input_axes is not None and output_axes is not None:
        fans = []
        for axes in (input_axes, output_axes):
            axes = [normalize_axis("VarianceScaling", axis, len(shape)) for axis in np.atleast_1d(axes).tolist()]
            fans.append(math.prod(shape[axis] for axis in axes))
        return tuple(fans)
    if len(shape) < 2:
        return (shape or (1,)) * 2
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _shape(where, shape):
    shape = shape_of(where, shape)
    if any(size < 0 for size in shape):
        raise ShapeError(where, "sizes must not be negative", f"got shape {shape}", "give the size of each axis")
    return shape


def _broadcasts(shape, to):
    return len(shape) <= len(to) and all(have in (1, want) for have, want in zip(shape[::-1], to[::-1]))


def _window(window, length, periodic):
    from scipy.signal import get_window  # heavy, and needed for this initializer only

    try:
        return get_window(window, length, periodic)
    except ValueError as error:
        raise ArgumentError("STFT", "a window that scipy.signal.get_window knows is needed", f"got {window!r}: {error}",
                            "use 'hann', 'hamming', ..., or an array of values") from None  # fmt: skip


# -- names ----------------------------------------------------------------------------------------

constant, zeros, ones, stft, orthogonal = Constant, Zeros, Ones, STFT, Orthogonal
identity = IdentityInitializer = Identity
STFTInitializer, OrthogonalInitializer = STFT, Orthogonal
random_normal, truncated_normal, random_uniform = RandomNormal, TruncatedNormal, RandomUniform
variance_scaling, glorot_normal, glorot_uniform = VarianceScaling, GlorotNormal, GlorotUniform
lecun_normal, lecun_uniform, he_normal, he_uniform = LecunNormal, LecunUniform, HeNormal, HeUniform

TABLE = {name: globals()[name] for name in __all__ if name not in ("Initializer", "deserialize", "get", "serialize")}
TABLE.update(normal=RandomNormal, uniform=RandomUniform, zero=Zeros, one=Ones)
registry.add_area("initializers", TABLE)
registry.add_area("random", {"SeedGenerator": SeedGenerator})  # the seeds in configs


def serialize(initializer):
    """The config of an initializer: a dict that JSON can hold.

    Example:
        >>> edl.initializers.serialize(edl.initializers.Constant(2.0))["config"]
        {'value': 2.0}
    """
    return registry.serialize_keras_object(initializer)


def deserialize(config, custom_objects=None):
    """The initializer that `serialize` described.

    Args:
        config: what `serialize` gave, or a name.
        custom_objects: a dict of names that the config uses.

    Raises:
        ArgumentError: for an unknown name.

    Example:
        >>> edl.initializers.deserialize({"class_name": "Constant", "config": {"value": 2.0}})
        Constant(value=2.0)
    """
    with registry.CustomObjectScope(custom_objects):
        return registry.resolve("initializer", config, TABLE, Initializer)


def get(identifier):
    """The initializer for what a user may pass for one.

    Args:
        identifier: a name ("glorot_uniform", "GlorotUniform"), a config, a class, an initializer, a function of shape and
            dtype, an array with the values themselves, or None, which stays None.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.

    Example:
        >>> edl.initializers.get("he_normal")
        HeNormal(seed=None, input_axes=None, output_axes=None)
    """
    if isinstance(identifier, Tensor | Variable | np.ndarray | np.generic):
        out = Constant(identifier)
        out.exact = True
        return out
    return registry.resolve("initializer", identifier, TABLE, Initializer)
