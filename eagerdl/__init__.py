"""eagerdl, while its ops are being written."""

from eagerdl import config, errors, nn, ops, tree
from eagerdl.autograd import *  # noqa: F403
from eagerdl.devices import device
from eagerdl.ops import *  # noqa: F403
from eagerdl.ops import image, random
from eagerdl.nn import Module
from eagerdl.tensor import Tensor, TensorSpec, Variable
__version__ = "0.1.0"
