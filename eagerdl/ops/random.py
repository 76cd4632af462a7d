"""Random numbers: the functions of keras.random.

A function checks its arguments, takes the bits that it needs from the seed (generators.py), and turns them into
numbers with a primitive, whose work on arrays is in kernels/variates.py and, where samples may be rejected, in
rejection.py. Values are the same on every machine up to the last bits of `log`, `sin` and `cos`, which processors
round differently.
"""

import math

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, custom
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.kernels import variates
from eagerdl.kernels.philox import Stream, blocks_for
from eagerdl.kernels.variates import width_of, work_dtype
from eagerdl.ops.arithmetic import where
from eagerdl.ops.conversion import astype, convert_to_tensor, floating
from eagerdl.ops.generators import (
    Generator,
    SeedGenerator,
    also_method,
    check_whole,
    get_global_generator,
    set_seed,
    state_of,
)
from eagerdl.ops.rejection import gamma_blocks, random_beta, random_binomial, random_gamma
from eagerdl.ops.shape import broadcast_to, normalize_axis, shape_of
from eagerdl.tensor import Tensor

__all__ = [
    "Generator", "SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "get_global_generator",
    "normal", "randint", "set_seed", "shuffle", "truncated_normal", "uniform",
]  # fmt: skip


# -- primitives: the state of a generator in, numbers out ---------------------------------------------
# The state is a tensor, so that a traced program can carry it; where numbers are to live is the last parameter.


def _made(state, shape, dtype, *params):
    return Spec(shape, dtype)


def _draw(forward, state, device, *params):
    """``forward(stream, *params)`` with the arrays made on `device`."""
    with devices.on(device):
        return forward(Stream(state, devices.module_for(device)), *params)


@custom(infer=_made)
def _random_uniform(state, shape, dtype, low, high, device):
    """state -> numbers in [low, high)."""
    return _draw(variates.uniform, state, device, shape, dtype, low, high)


@custom(infer=_made)
def _random_normal(state, shape, dtype, mean, stddev, device):
    """state -> normal numbers."""
    return _draw(variates.normal, state, device, shape, dtype, mean, stddev)


@custom(infer=_made)
def _random_truncated_normal(state, shape, dtype, mean, stddev, device):
    """state -> normal numbers within two standard deviations."""
    return _draw(variates.truncated_normal, state, device, shape, dtype, mean, stddev)


@custom(infer=_made)
def _random_integers(state, shape, dtype, low, high, device):
    """state -> integers in [low, high)."""
    return _draw(variates.integers, state, device, shape, dtype, low, high)


@custom(infer=lambda state, shape, rate, device: Spec(shape, dtypes.bool_))
def _random_keep(state, shape, rate, device):
    """state -> True with probability 1 - rate."""
    return _draw(variates.keep, state, device, shape, rate)


@custom(infer=lambda state, size, device: Spec((size,), dtypes.int32))
def _random_order(state, size, device):
    """state -> an order of `size` things."""
    return _draw(variates.order, state, device, size)


@custom(infer=lambda order: Spec(order.shape, order.dtype))
def _random_inverse_order(order):
    """order (n,) -> the order that undoes it."""
    return order.argsort().astype(order.dtype)


@custom(vjp=(lambda g, order, axis: _random_reorder(g, _random_inverse_order(order), axis), None), tensors=2,
        jvp=lambda out, inputs, tangents, params: _random_reorder(tangents[0], inputs[1], *params),
        infer=lambda x, order, axis: Spec(x.shape, x.dtype))  # fmt: skip
def _random_reorder(x, order, axis):
    """x (..., n, ...), order (n,) -> x with its slices along `axis` in that order."""
    return x.take(order, axis)


@custom(infer=lambda logits, state, count, dtype: Spec((logits.shape[0], count), dtype), tensors=2)
def _random_categorical(logits, state, count, dtype):
    """logits (b, c), state -> (b, count): where logits plus Gumbel noise are largest, some samples at a time."""
    return variates.classes_by_logits(Stream(state, devices.module_of(logits)), logits, count, dtype)


@custom(infer=lambda x, low, high: Spec(x.shape, x.dtype), tensors=3)
def _random_inside(x, low, high):
    """x, low, high -> what to add to x, which rounding may have brought to `high`; a constant for gradients."""
    below = np.nextafter(high, low).astype(x.dtype, copy=False)
    return (np.maximum(np.minimum(x, below), low) - x).astype(x.dtype, copy=False)


# -- arguments -----------------------------------------------------------------------------------


def _shape(where, shape):
    shape = shape_of(where, shape)
    if shape and min(shape) < 0:
        raise ShapeError(where, "sizes must not be negative", f"got shape {shape}", "give the size of each axis")
    return shape


def _float_dtype(where, dtype):
    dtype = dtypes.standardize(dtype, where)
    if not dtypes.is_floating(dtype):
        raise DTypeError(
            where,
            "a floating dtype is needed",
            f"got {dtype}",
            "use edl.random.randint for integers" if where == "uniform" else "use 'float32', or cast the result",
        )
    return dtype


_PLAIN = (float, int, np.integer, np.floating)


def _number(value):
    """True for a number that is known now and has no gradient."""
    return isinstance(value, _PLAIN)


def _known(value):
    """The values of a parameter in float64, if they can be looked at without waiting for a GPU, else None."""
    if isinstance(value, Tensor):
        value = getattr(value, "_array", None)
        if not isinstance(value, np.ndarray):
            return None
    try:
        value = np.asarray(value)
    except ValueError:  # ragged: told when it becomes a tensor
        return None
    return value.astype(np.float64) if value.dtype in dtypes.ALL and not dtypes.is_complex(value.dtype) else None


def _require(where, name, value, holds, requirement, remedy):
    """Checks a parameter as far as its values are known."""
    if _number(value):
        known, fine = value, holds(value)
    else:
        known = _known(value)
        fine = known is None or holds(known).all()
    if not fine:
        shown = f"{name}={value!r}" if _number(value) else f"{name} with values from {known.min()} to {known.max()}"
        raise ArgumentError(where, requirement, f"got {shown}", remedy)


def _parameter(where, name, value, shape, dtype):
    """A parameter of a distribution as a tensor of `dtype` that broadcasts to `shape`."""
    value = convert_to_tensor(float(value), dtype) if _number(value) else convert_to_tensor(value)
    if dtypes.is_complex(value.dtype):
        raise DTypeError(where, f"{name} must be real", f"got {value.dtype}", "use its real part")
    if len(value.shape) > len(shape) or any(
        have not in (1, want) for have, want in zip(value.shape[::-1], shape[::-1])
    ):
        raise ShapeError(
            where,
            f"{name} must broadcast to the shape of the result",
            f"{name} {value.shape}, shape {shape}",
            "give the shape that both have together",
        )
    return astype(value, dtype)


def _spread(where, name, value, shape, dtype):
    """A parameter broadcast to `shape`."""
    value = _parameter(where, name, value, shape, dtype)
    return value if value.shape == shape else broadcast_to(value, shape)


_LARGEST = {dtype: float(dtypes.ml_dtypes.finfo(dtype).max) for dtype in dtypes.FLOATING}


def _check_bounds(minval, maxval, dtype):
    """Checks the bounds as far as their values are known."""
    limit = _LARGEST[dtype]
    if _number(minval) and _number(maxval):
        fits = -limit <= minval <= maxval <= limit and maxval - minval <= limit
    else:
        low, high = _known(minval), _known(maxval)
        if low is None or high is None:
            return
        try:
            fits = ((low <= high) & (high <= limit) & (low >= -limit) & (high - low <= limit)).all()
        except ValueError:  # they do not broadcast, which is told later
            return
    if not fits:
        raise ArgumentError(
            "uniform",
            f"minval must be at most maxval, and both and their difference finite in {dtype}",
            f"got minval={minval}, maxval={maxval}",
            "exchange them, or use a wider dtype",
        )


def _positive(where, name, value, shape, dtype):
    """A positive parameter broadcast to `shape`."""
    remedy = "check the parameters of the distribution"
    _require(where, name, value, lambda v: (v > 0) & np.isfinite(v), f"{name} must be positive", remedy)
    return _spread(where, name, value, shape, work_dtype(dtype))


# -- the functions of keras.random ---------------------------------------------------------------


@also_method
def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """-> shape. Numbers drawn uniformly from [minval, maxval): `maxval` never comes, also not by rounding.

    Args:
        shape: the shape of the result.
        minval, maxval: the bounds, numbers or tensors that broadcast to `shape`; differentiable.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if minval exceeds maxval.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or bounds that do not broadcast to `shape`.

    Example:
        >>> edl.random.uniform((3,), seed=1)
        Tensor(shape=(3,), dtype=float32, [...])
    """
    shape, dtype = _shape("uniform", shape), _float_dtype("uniform", dtype)
    _check_bounds(minval, maxval, dtype)
    plain = _number(minval) and _number(maxval)
    if not plain:
        minval, maxval = (
            _parameter("uniform", name, v, shape, dtype) for name, v in (("minval", minval), ("maxval", maxval))
        )
    state = state_of("uniform", seed, blocks_for(math.prod(shape), width_of(dtype)))
    if plain:
        return _random_uniform(state, shape, dtype, float(minval), float(maxval), devices.current())
    out = minval + (maxval - minval) * _random_uniform(state, shape, dtype, 0.0, 1.0, devices.current())
    return out + _random_inside(out, minval, maxval)


def _located(where, draw, shape, mean, stddev, dtype, seed):
    """mean + stddev * z, where `draw` makes z; differentiable in mean and stddev where they are tensors."""
    shape, dtype = _shape(where, shape), _float_dtype(where, dtype)
    _require(where, "stddev", stddev, lambda v: v >= 0, "stddev must not be negative", "use abs(stddev)")
    plain = _number(mean) and _number(stddev)
    if not plain:
        mean, stddev = (_parameter(where, name, v, shape, dtype) for name, v in (("mean", mean), ("stddev", stddev)))
    state = state_of(where, seed, blocks_for(math.prod(shape), width_of(dtype)))
    if plain:
        return draw(state, shape, dtype, float(mean), float(stddev), devices.current())
    return mean + stddev * draw(state, shape, dtype, 0.0, 1.0, devices.current())


@also_method
def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """-> shape. Normally distributed numbers, mean + stddev * z.

    Args:
        shape: the shape of the result.
        mean, stddev: numbers, or tensors that broadcast to `shape`; differentiable.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if stddev is negative.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> edl.random.normal((2, 3), mean=5.0, stddev=0.1, seed=1).shape
        (2, 3)
    """
    return _located("normal", _random_normal, shape, mean, stddev, dtype, seed)


@also_method
def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """-> shape. Normally distributed numbers within two standard deviations of the mean.

    By the inverse distribution function: nothing is rejected.

    Args:
        shape: the shape of the result.
        mean, stddev: those of the normal distribution before it is cut; differentiable.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if stddev is negative.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> x = edl.random.truncated_normal((1000,), seed=1)
        >>> bool(edl.max(edl.abs(x)) <= 2.0)
        True
    """
    return _located("truncated_normal", _random_truncated_normal, shape, mean, stddev, dtype, seed)


@also_method
def randint(shape, minval, maxval, dtype="int32", seed=None):
    """-> shape, integer. Integers drawn uniformly, without bias, from minval to maxval - 1.

    Args:
        shape: the shape of the result.
        minval, maxval: ints, or integer tensors of shape ().
        dtype: an integer dtype.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if there is no integer in the range, or the range does not fit into the dtype.
        DTypeError: for a dtype that is not an integer, or bounds that are none.

    Example:
        >>> x = edl.random.randint((100,), 1, 7, seed=1)
        >>> int(edl.min(x)), int(edl.max(x))
        (1, 6)
    """
    shape = _shape("randint", shape)
    dtype = dtypes.standardize(dtype, "randint")
    if not dtypes.is_integer(dtype):
        raise DTypeError("randint", "an integer dtype is needed", f"got {dtype}", "use edl.random.uniform for floats")
    low, high = check_whole("randint", "minval", minval), check_whole("randint", "maxval", maxval)
    if low >= high:
        raise ArgumentError(
            "randint",
            "minval must be less than maxval",
            f"got minval={low}, maxval={high}",
            "maxval itself never comes",
        )
    bounds = np.iinfo(dtype)
    if low < bounds.min or high - 1 > bounds.max:
        raise ArgumentError(
            "randint",
            f"all integers from minval to maxval - 1 must fit into {dtype}",
            f"got minval={low}, maxval={high}",
            "use dtype='int64' or 'uint64'",
        )
    width = 32 if high - low <= 1 << 32 else 64
    state = state_of("randint", seed, blocks_for(math.prod(shape), width))
    return _random_integers(state, shape, dtype, low, high, devices.current())


@also_method
def categorical(logits, num_samples, dtype="int32", seed=None):
    """logits (b, c) -> (b, num_samples), integer. Classes drawn with probabilities softmax(logits).

    By the Gumbel-max trick: the class where the logit plus Gumbel noise is largest.

    Args:
        logits: unnormalised logarithms of probabilities; a class of -inf never comes.
        num_samples: how many to draw from each row.
        dtype: an integer dtype.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ShapeError: if logits have not two axes, or no class.
        ArgumentError: if logits are NaN, all classes of a row are -inf, or num_samples is negative.
        DTypeError: for a dtype that is not an integer.

    Example:
        >>> edl.random.categorical([[0.0, -np.inf], [-np.inf, 0.0]], 3, seed=1)
        Tensor(shape=(2, 3), dtype=int32,
        [[0 0 0]
         [1 1 1]])

    Source: Gumbel, 1954; Maddison, Tarlow & Minka, 2014, arXiv:1411.0030.
    """
    dtype = dtypes.standardize(dtype, "categorical")
    if not dtypes.is_integer(dtype):
        raise DTypeError("categorical", "an integer dtype is needed", f"got {dtype}", "use 'int32'")
    logits = convert_to_tensor(logits)
    if logits.ndim != 2 or not logits.shape[1]:
        raise ShapeError(
            "categorical",
            "logits must have shape (batch, classes) with at least one class",
            f"got {logits.shape}",
            "reshape them, as in edl.reshape(logits, (-1, classes))",
        )
    if dtypes.is_complex(logits.dtype):
        raise DTypeError("categorical", "logits must be real", f"got {logits.dtype}", "use their real part")
    logits = astype(logits, dtypes.to_floating((logits.dtype,))[0])
    count = check_whole("categorical", "num_samples", num_samples)
    if count < 0:
        raise ArgumentError(
            "categorical", "num_samples must not be negative", f"got {count}", "give the samples for each row"
        )
    _require(
        "categorical",
        "logits",
        logits,
        lambda v: v.max(-1) > -np.inf,
        "logits must not be NaN, and one of each row above -inf",
        "look for the step that made them",
    )
    state = state_of("categorical", seed, blocks_for(math.prod(logits.shape) * count, width_of(logits.dtype)))
    return _random_categorical(logits, state.to_device(logits.device), count, dtype)


@also_method
def dropout(inputs, rate, noise_shape=None, seed=None):
    """inputs (...) -> (...). Each element 0 with probability `rate`, else divided by 1 - rate, so that the mean stays.

    Args:
        inputs: a tensor; integers become floatx.
        rate: a number from 0 to 1.
        noise_shape: the shape of the mask, which broadcasts to that of inputs; None in it stands for the size there.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if rate lies outside of [0, 1].
        ShapeError: if `noise_shape` does not broadcast to the shape of inputs.

    Example:
        >>> x = edl.random.dropout(edl.ones((2, 4)), 0.5, noise_shape=(2, 1), seed=1)
        >>> sorted(set(edl.ravel(x).tolist())) in ([0.0], [2.0], [0.0, 2.0])
        True

    Source: Srivastava et al., 2014, jmlr.org/papers/v15/srivastava14a.html.
    """
    inputs = floating(inputs)
    try:
        rate = float(rate)
    except (TypeError, ValueError):
        raise DTypeError("dropout", "rate is a number", f"got {rate!r}", "pass a float") from None
    if not 0 <= rate <= 1:
        raise ArgumentError(
            "dropout", "rate lies between 0 and 1", f"got rate={rate}", "it is the part that is set to 0"
        )
    shape = inputs.shape
    if noise_shape is not None:
        given = tuple(noise_shape)
        if len(given) > len(shape):
            given = ()
        shape = tuple(
            size if n is None else int(n) for n, size in zip(given, inputs.shape[len(inputs.shape) - len(given) :])
        )
        if len(given) != len(noise_shape) or any(
            n not in (1, size) for n, size in zip(shape[::-1], inputs.shape[::-1])
        ):
            raise ShapeError(
                "dropout",
                "noise_shape must broadcast to the shape of inputs",
                f"inputs {inputs.shape}, noise_shape {tuple(noise_shape)}",
                "use 1 where the mask is shared",
            )
    if rate == 0:
        return inputs
    if rate == 1:
        return where(False, inputs, 0)
    state = state_of("dropout", seed, blocks_for(math.prod(shape), 16))
    return where(_random_keep(state, shape, rate, inputs.device), inputs * (1 / (1 - rate)), 0)


@also_method
def shuffle(x, axis=0, seed=None):
    """x (..., n, ...) -> the same shape. The slices along `axis` in random order, each whole.

    Args:
        x: a tensor.
        axis: along which the slices lie.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ShapeError: if there is no such axis.

    Example:
        >>> sorted(edl.random.shuffle(edl.constant([1, 2, 3]), seed=1).tolist())
        [1, 2, 3]
    """
    x = convert_to_tensor(x)
    axis = normalize_axis("shuffle", axis, x.ndim)
    size = x.shape[axis]
    return _random_reorder(x, _random_order(state_of("shuffle", seed, blocks_for(size, 64)), size, x.device), axis)


@also_method
def gamma(shape, alpha, dtype=None, seed=None):
    """-> shape. Gamma distributed numbers of shape parameter `alpha` and scale 1.

    Differentiable in alpha, once, by implicit reparameterization (Figurnov et al., 2018, arXiv:1805.08498).

    Args:
        shape: the shape of the result.
        alpha: positive, a number or a tensor that broadcasts to `shape`.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if alpha is not positive.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or an alpha that does not broadcast to `shape`.

    Example:
        >>> edl.random.gamma((3,), alpha=2.0, seed=1).shape
        (3,)

    Source: Marsaglia & Tsang, 2000, doi 10.1145/358407.358414.
    """
    shape, dtype = _shape("gamma", shape), _float_dtype("gamma", dtype)
    alpha = _positive("gamma", "alpha", alpha, shape, dtype)
    state = state_of("gamma", seed, gamma_blocks(shape, dtype))
    return random_gamma(alpha, state.to_device(alpha.device), dtype, False, 0)


@also_method
def beta(shape, alpha, beta, dtype=None, seed=None):
    """-> shape. Beta distributed numbers, X / (X + Y) of two gamma distributed ones, worked out from their logarithms.

    Differentiable in alpha and beta, once.

    Args:
        shape: the shape of the result.
        alpha, beta: positive, numbers or tensors that broadcast to `shape`.
        dtype: a floating dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if alpha or beta is not positive.
        DTypeError: for a dtype that is not floating.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> x = edl.random.beta((100,), 0.5, 0.5, seed=1)
        >>> bool(edl.min(x) >= 0.0), bool(edl.max(x) <= 1.0)
        (True, True)
    """
    shape, dtype = _shape("beta", shape), _float_dtype("beta", dtype)
    alpha, beta = _positive("beta", "alpha", alpha, shape, dtype), _positive("beta", "beta", beta, shape, dtype)
    state = state_of("beta", seed, 2 * gamma_blocks(shape, dtype))
    return random_beta(alpha, beta, state.to_device(alpha.device), dtype)


@also_method
def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """-> shape. How many of `counts` trials succeed, each with probability `probabilities`; exact for all sizes.

    Args:
        shape: the shape of the result.
        counts: how many trials, a number or a tensor that broadcasts to `shape`; whole numbers up to 2**53.
        probabilities: from 0 to 1, a number or a tensor that broadcasts to `shape`.
        dtype: a floating or integer dtype; floatx by default.
        seed: None (the global generator), an int (the same numbers each time), a `SeedGenerator` or a `Generator`.

    Raises:
        ArgumentError: if counts are negative or not whole, or probabilities lie outside of [0, 1].
        DTypeError: for bool and complex dtypes.
        ShapeError: for negative sizes, or parameters that do not broadcast to `shape`.

    Example:
        >>> x = edl.random.binomial((100,), 10, 0.5, seed=1)
        >>> bool(edl.min(x) >= 0), bool(edl.max(x) <= 10)
        (True, True)

    Source: Hörmann, 1993, doi 10.1080/00949659308811496 (where 10 or more successes and failures are expected).
    """
    shape, dtype = _shape("binomial", shape), dtypes.standardize(dtype, "binomial")
    if not dtypes.is_floating(dtype) and not dtypes.is_integer(dtype):
        raise DTypeError("binomial", "a floating or integer dtype is needed", f"got {dtype}", "use 'float32'")
    _require("binomial", "counts", counts, lambda v: (v >= 0) & (v <= 2**53) & (v == np.floor(v)),
             "counts must be whole numbers from 0 to 2**53", "round them")  # fmt: skip
    _require(
        "binomial",
        "probabilities",
        probabilities,
        lambda v: (v >= 0) & (v <= 1),
        "probabilities lie between 0 and 1",
        "use edl.sigmoid for logits",
    )
    counts = _spread("binomial", "counts", counts, shape, dtypes.float64)
    probabilities = _spread("binomial", "probabilities", probabilities, shape, dtypes.float64)
    state = state_of("binomial", seed, math.prod(shape))
    return random_binomial(counts, probabilities, state.to_device(counts.device), dtype)
