"""Switches of the whole framework: default dtype and image layout, devices, tracebacks."""

import contextlib as _contextlib
import os
from typing import Any

from eagerdl import devices as _devices
from eagerdl import dtypes as _dtypes
from eagerdl.errors import (
    ArgumentError,
    disable_traceback_filtering,
    enable_traceback_filtering,
    is_traceback_filtering_enabled,
)

__all__ = [
    "dtype_policy", "set_dtype_policy",
    "disable_traceback_filtering", "enable_traceback_filtering", "epsilon", "floatx", "functions_run_eagerly",
    "get_memory_info", "run_functions_eagerly",
    "image_data_format", "is_traceback_filtering_enabled", "list_devices", "set_epsilon", "set_floatx",
    "set_image_data_format", "standardize_data_format",
]  # fmt: skip

floatx, set_floatx = _dtypes.floatx, _dtypes.set_floatx
list_devices, get_memory_info = _devices.list_devices, _devices.get_memory_info

_epsilon = 1e-7
_image_data_format = "channels_last"


def epsilon():
    """The fuzz factor of losses and normalizations, 1e-7 unless `set_epsilon` changed it."""
    return _epsilon


def set_epsilon(value):
    """Sets the fuzz factor of losses and normalizations."""
    global _epsilon
    _epsilon = float(value)


def image_data_format():
    """The default image layout: ``'channels_last'`` or ``'channels_first'``."""
    return _image_data_format


def set_image_data_format(data_format):
    """Sets the default image layout.

    Raises:
        ArgumentError: for anything but ``'channels_last'`` and ``'channels_first'``.
    """
    global _image_data_format
    _image_data_format = standardize_data_format(data_format)


def standardize_data_format(data_format):
    """`data_format` checked and in lower case; None is the default layout."""
    if data_format is None:
        return _image_data_format
    name = str(data_format).lower()
    if name not in ("channels_last", "channels_first"):
        raise ArgumentError("data_format", "an image layout is needed", f"got {data_format!r}",
                            "use 'channels_last' or 'channels_first'")  # fmt: skip
    return name


_functions_run_eagerly = os.environ.get("EAGERDL_EAGER", "") not in ("", "0")


def run_functions_eagerly(run_eagerly):
    """True lets functions made with `edl.function`, those of `fit` included, run line by line, to debug them.

    The environment variable ``EAGERDL_EAGER=1`` does the same for a whole process.

    Example:
        >>> edl.config.run_functions_eagerly(True)
        >>> edl.config.functions_run_eagerly()
        True
        >>> edl.config.run_functions_eagerly(False)
    """
    global _functions_run_eagerly
    _functions_run_eagerly = bool(run_eagerly)


def functions_run_eagerly():
    """True while functions made with `edl.function` run line by line."""
    return _functions_run_eagerly or bool(_reasons_to_run_eagerly)


# What asks for it for a while: models that are to run eagerly, observers of ops.
_reasons_to_run_eagerly: list[Any] = []


@_contextlib.contextmanager
def _running_eagerly(reason):
    """A context in which functions made with `edl.function` run line by line, in all threads."""
    _reasons_to_run_eagerly.append(reason)
    try:
        yield
    finally:
        _reasons_to_run_eagerly.remove(reason)


_policy = None
_policy_of: Any = None  # installed by `nn`: a DTypePolicy for a name, None for floatx, or a policy


def dtype_policy():
    """The policy of layers that are given none: that of `set_dtype_policy`, else floatx."""
    return _policy_of(None) if _policy is None else _policy


def set_dtype_policy(policy):
    """Sets the policy of layers that are given none.

    Args:
        policy: a DTypePolicy, its name, or None for floatx.

    Example:
        >>> edl.config.set_dtype_policy("mixed_bfloat16")
        >>> edl.layers.Dense(2).compute_dtype
        'bfloat16'
        >>> edl.config.set_dtype_policy(None)
    """
    global _policy
    _policy = None if policy is None else _policy_of(policy)
