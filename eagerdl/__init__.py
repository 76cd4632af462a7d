"""eagerdl: an eager-first deep learning framework."""

from eagerdl import config
from eagerdl.autograd import *  # noqa: F403
from eagerdl.ops import *  # noqa: F403
from eagerdl.device import device
from eagerdl.tensor import Tensor, TensorSpec, Variable
