"""Dtype policies: in which dtype a layer computes, and in which it keeps its weights."""

import contextlib
import contextvars

from eagerdl import config, dtypes, registry
from eagerdl.autograd.dispatch import general
from eagerdl.errors import ArgumentError
from eagerdl.ops.conversion import cast
from eagerdl.tensor import Tensor
from eagerdl.variable import Variable

__all__ = ["DTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]


class DTypePolicy:
    """The dtypes of a layer: `compute_dtype`, to which floating inputs are cast, and `variable_dtype` of its weights.

    Args:
        name: a dtype for both, or ``"mixed_bfloat16"`` or ``"mixed_float16"``: weights in float32, computation in the other.

    Raises:
        ArgumentError: for another name.

    Example:
        >>> edl.mixed_precision.DTypePolicy("mixed_bfloat16").compute_dtype
        'bfloat16'
    """

    def __init__(self, name=None):
        name = dtypes.floatx() if name is None else name
        if isinstance(name, str) and name.startswith("mixed_"):
            compute = name.removeprefix("mixed_")
            if compute not in ("float16", "bfloat16"):
                raise ArgumentError("DTypePolicy", "the mixed policies are 'mixed_float16' and 'mixed_bfloat16'",
                                    f"got {name!r}", "use one of them, or a dtype")  # fmt: skip
            self.name, self.compute_dtype, self.variable_dtype = name, compute, "float32"
        else:
            self.name = self.compute_dtype = self.variable_dtype = dtypes.standardize(name, "DTypePolicy").name

        self.compute = dtypes.BY_NAME[self.compute_dtype]
        self.mixed = self.compute_dtype != self.variable_dtype

    quantization_mode = None

    def get_config(self):
        """``{"name": ...}``."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        """The policy of a config."""
        return cls(**config)

    def __eq__(self, other):
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f"DTypePolicy({self.name!r})"


Policy = DTypePolicy
_plain = {}  # dtype name -> the policy, one object each
dtype_policy, set_dtype_policy = config.dtype_policy, config.set_dtype_policy
global_policy, set_global_policy = dtype_policy, set_dtype_policy


def get(identifier):
    """A policy for None, a name, a dtype, a config, or a policy."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return registry.deserialize_keras_object(identifier)
    name = identifier if isinstance(identifier, str) else dtypes.standardize(identifier, "dtype").name
    if name not in _plain:
        _plain[name] = DTypePolicy(name)
    return _plain[name]


def _named(policy):
    """What `config` needs to know of policies: None is floatx, whatever the default policy."""
    return get(dtypes.floatx() if policy is None else policy)


config._policy_of = _named
registry.add_area("", {"DTypePolicy": DTypePolicy, "FloatDTypePolicy": DTypePolicy})


# -- weights that are cast where they are used -----------------------------------------------------

_casting = contextvars.ContextVar("eagerdl_autocast", default=None)


def casting():
    """The dtype to which weights are cast in this thread now, or None."""
    return _casting.get()


@contextlib.contextmanager
def cast_to(dtype):
    """A context in which weights made with `autocast` under a mixed policy are read as `dtype`; None: as they are."""
    token = _casting.set(None if dtype is None else dtypes.standardize(dtype))
    try:
        yield
    finally:
        _casting.reset(token)


class CastVariable(Variable):
    """A weight of a layer whose policy is mixed: inside the layer's call it takes part in ops as the compute dtype.

    Its own dtype, its value outside of calls and its gradient stay those of the variable.
    """

    __slots__ = ()

    @property
    def dtype(self):
        dtype = _casting.get()
        return self._array.dtype if dtype is None else dtype

    @property
    def value(self):
        return as_read(self)

    def _run(self, primitive, tensors, params):
        """Ops reach this through the dispatcher's general path, which asks tensors that are not plain."""
        return general(primitive, [as_read(x) for x in tensors], params)


def as_read(x):
    """A CastVariable as the tensor that ops use now; anything else as it is."""
    if not isinstance(x, CastVariable):
        return x
    value = Variable.value.fget(x)
    dtype = _casting.get()
    return value if dtype is None or dtype == value.dtype else cast(value, dtype)


def is_tensor_of(x, dtype):
    """True for a tensor that is of `dtype` or not floating at all: nothing is to be cast."""
    return isinstance(x, Tensor) and (x.dtype == dtype or x.dtype not in dtypes.FLOATING_SET)
