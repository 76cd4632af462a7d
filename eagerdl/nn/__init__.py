"""Building blocks of networks: objects that own variables, from `Module` to every layer of Keras."""

from types import ModuleType as _Module

from eagerdl import registry
from eagerdl.nn.activation_layers import *  # noqa: F403
from eagerdl.nn.attention import *  # noqa: F403
from eagerdl.nn.batch_normalization import *  # noqa: F403
from eagerdl.nn.configs import *  # noqa: F403
from eagerdl.nn.convolution import *  # noqa: F403
from eagerdl.nn.core import *  # noqa: F403
from eagerdl.nn.dense import *  # noqa: F403
from eagerdl.nn.dropout import *  # noqa: F403
from eagerdl.nn.einsum_dense import *  # noqa: F403
from eagerdl.nn.embedding import *  # noqa: F403
from eagerdl.nn.input import *  # noqa: F403
from eagerdl.nn.layer import *  # noqa: F403
from eagerdl.nn.merge_functions import *  # noqa: F403
from eagerdl.nn.merging import *  # noqa: F403
from eagerdl.nn.module import Module  # noqa: F401
from eagerdl.nn.multi_head_attention import *  # noqa: F403
from eagerdl.nn.normalization import *  # noqa: F403
from eagerdl.nn.pooling import *  # noqa: F403
from eagerdl.nn.preprocessing import *  # noqa: F403
from eagerdl.nn.recurrent import *  # noqa: F403
from eagerdl.nn.reshaping import *  # noqa: F403
from eagerdl.nn.separable import *  # noqa: F403
from eagerdl.nn.spatial import *  # noqa: F403
from eagerdl.nn.spectral_normalization import *  # noqa: F403

__all__ = [name for name, value in globals().items() if not name.startswith("_") and not isinstance(value, _Module)]
__getattr__ = registry.guide("layers", __all__)
