"""Every op, defined once: one file per area, one block per op."""

from types import ModuleType as _Module

from eagerdl.autograd import custom_gradient, jvp, stop_gradient  # noqa: F401  names of keras.ops too
from eagerdl.ops.activation import *  # noqa: F403
from eagerdl.ops.arithmetic import *  # noqa: F403
from eagerdl.ops.arrangement import *  # noqa: F403
from eagerdl.ops.attention import *  # noqa: F403
from eagerdl.ops.complex import *  # noqa: F403
from eagerdl.ops.control_flow import *  # noqa: F403
from eagerdl.ops.conversion import *  # noqa: F403
from eagerdl.ops.convolution import *  # noqa: F403
from eagerdl.ops.creation import *  # noqa: F403
from eagerdl.ops.ctc import *  # noqa: F403
from eagerdl.ops.cumulative import *  # noqa: F403
from eagerdl.ops.decomposition import *  # noqa: F403
from eagerdl.ops.determinants import *  # noqa: F403
from eagerdl.ops.einops import *  # noqa: F403
from eagerdl.ops.elementary import *  # noqa: F403
from eagerdl.ops.encoding import *  # noqa: F403
from eagerdl.ops.fourier import *  # noqa: F403
from eagerdl.ops.indexing import *  # noqa: F403
from eagerdl.ops.inspection import *  # noqa: F403
from eagerdl.ops.joining import *  # noqa: F403
from eagerdl.ops.linalg import *  # noqa: F403
from eagerdl.ops.logic import *  # noqa: F403
from eagerdl.ops.loss import *  # noqa: F403
from eagerdl.ops.normalization import *  # noqa: F403
from eagerdl.ops.norms import *  # noqa: F403
from eagerdl.ops.padding import *  # noqa: F403
from eagerdl.ops.pooling import *  # noqa: F403
from eagerdl.ops.products import *  # noqa: F403
from eagerdl.ops.ranges import *  # noqa: F403
from eagerdl.ops.reduction import *  # noqa: F403
from eagerdl.ops.rounding import *  # noqa: F403
from eagerdl.ops.scatter import *  # noqa: F403
from eagerdl.ops.shape import *  # noqa: F403
from eagerdl.ops.sliding import *  # noqa: F403
from eagerdl.ops.softmaxes import *  # noqa: F403
from eagerdl.ops.solving import *  # noqa: F403
from eagerdl.ops.sorting import *  # noqa: F403
from eagerdl.ops.statistics import *  # noqa: F403
from eagerdl.ops.windows import *  # noqa: F403

from eagerdl.ops import image, random  # isort: skip
from eagerdl.ops import operators  # isort: skip  installs the operators of Tensor
from eagerdl.ops import batching  # noqa: F401  # isort: skip  lets Jacobians take all rows at once
from eagerdl.ops import variable  # noqa: F401  # isort: skip  installs the scatter methods of Variable

__all__ = [name for name, value in globals().items() if not name.startswith("_") and not isinstance(value, _Module)]
__all__ += ["__array_api_version__", "__array_namespace_info__", "image", "random"]

operators.open_namespace(globals())
for _area in (image, random):
    _opened = {_name: getattr(_area, _name) for _name in _area.__all__}
    operators.open_namespace(_opened)
    vars(_area).update(_opened)
operators.install_numpy_functions({name: globals()[name] for name in __all__})
