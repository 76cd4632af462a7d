"""eagerdl: an eager-first, define-by-run deep learning framework.

    import eagerdl as edl

    w = edl.Variable([1.0, 2.0])
    with edl.GradientTape() as tape:
        loss = edl.sum(w * w)
    tape.gradient(loss, w)          # [2. 4.]

Every function of arrays is here and in `edl.ops` as the same object; areas are `edl.random`, `edl.linalg`, `edl.fft` and
`edl.image`.
"""

import importlib as _importlib
import warnings as _warnings

from eagerdl import config, data, errors, linalg, mixed_precision, models, nn, ops, saving, train, tree
from eagerdl import fft as _fft
from eagerdl.autograd import (
    ForwardAccumulator,
    GradientTape,
    check_grads,
    custom_gradient,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    recompute_grad,
    stop_gradient,
    value_and_grad,
    vjp,
)
from eagerdl.devices import device
from eagerdl.errors import install_traceback_filter as _install_traceback_filter
from eagerdl.jit import function, print
from eagerdl.models import Model, Sequential
from eagerdl.nn import Input, InputSpec, Layer, Module, activations, constraints, initializers, regularizers
from eagerdl.nn import symbolic as _symbolic
from eagerdl.ops import *  # noqa: F403
from eagerdl.ops import image, random
from eagerdl.tensor import Tensor, TensorSpec
from eagerdl.train import callbacks, losses, metrics, optimizers
from eagerdl.train.optimizers.clipping import clip_by_global_norm
from eagerdl.variable import Variable

__version__ = "0.1.0"

layers = nn  # as Keras calls the room
KerasTensor = _symbolic.SymbolicTensor
fft = _fft  # the area; `edl.ops.fft` is Keras' function, to which calling the area leads

_install_traceback_filter()
# Infinities and NaNs follow IEEE 754 without a word, as in every framework of the field; only our own frames are meant.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"eagerdl\.")


# Rooms that are opened when somebody asks for them: they, or what they need, would make every start slower.
_ROOMS = ("datasets", "debugging", "utils", "wrappers")


def __getattr__(name):
    if name in _ROOMS:
        return _importlib.import_module(f"eagerdl.{name}")
    from eagerdl.foreign import missing

    raise AttributeError(missing(name, [*_ROOMS, *[known for known in globals() if not known.startswith("_")]]))


def __dir__():
    return sorted({*globals(), *_ROOMS})
