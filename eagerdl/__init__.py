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
import typing as _typing
import warnings as _warnings

from eagerdl import config, errors, linalg, ops, registry, tree
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
from eagerdl.machine.heap import keep_freed_memory as _keep_freed_memory
from eagerdl.ops import *  # noqa: F403
from eagerdl.ops import image, random
from eagerdl.tensor import Tensor, TensorSpec
from eagerdl.variable import Variable

if _typing.TYPE_CHECKING:
    from eagerdl import data, datasets, debugging, mixed_precision, models, nn, saving, train, utils, wrappers
    from eagerdl import nn as layers
    from eagerdl.models import Model, Sequential
    from eagerdl.nn import Input, InputSpec, Layer, Module, activations, constraints, initializers, regularizers
    from eagerdl.nn.symbolic import KerasTensor
    from eagerdl.train import callbacks, losses, metrics, optimizers
    from eagerdl.train.optimizers.clipping import clip_by_global_norm

__version__ = "0.1.0"

fft = _fft  # the area; `edl.ops.fft` is Keras' function, to which calling the area leads

_install_traceback_filter()
_keep_freed_memory()
# Infinities and NaNs follow IEEE 754 without a word, as in every framework of the field; only our own frames are meant.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"eagerdl\.")


# Names that are read when somebody asks for them, so that a program starts with what it uses: modules, and what is in modules.
_MODULES = {
    **{name: name for name in ("data", "datasets", "debugging", "mixed_precision", "models", "nn", "saving", "train",
                               "utils", "wrappers")},
    **{name: f"nn.{name}" for name in ("activations", "constraints", "initializers", "regularizers")},
    **{name: f"train.{name}" for name in ("callbacks", "losses", "metrics", "optimizers")},
    "layers": "nn",  # as Keras calls the room
}  # fmt: skip
_OBJECTS = {
    **dict.fromkeys(("Model", "Sequential"), "models"),
    **dict.fromkeys(("Input", "InputSpec", "Layer", "Module"), "nn"),
    "KerasTensor": "nn.symbolic",
    "clip_by_global_norm": "train.optimizers.clipping",
}


def __getattr__(name):
    if name in _MODULES:
        found = _importlib.import_module(f"eagerdl.{_MODULES[name]}")
    elif name in _OBJECTS:
        found = getattr(_importlib.import_module(f"eagerdl.{_OBJECTS[name]}"), name)
    else:
        from eagerdl.foreign import missing

        raise AttributeError(missing(name, [one for one in __dir__() if not one.startswith("_")]))
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *_MODULES, *_OBJECTS})


__all__ = [name for name in __dir__() if not name.startswith("_")]

# What a config names may live in a room that nobody has opened yet.
registry.open_all = lambda: [_importlib.import_module(f"eagerdl.{home}") for home in ("models", "saving")]
