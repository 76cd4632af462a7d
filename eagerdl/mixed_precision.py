"""Dtype policies: weights in float32, computation in bfloat16 or float16."""

from eagerdl.nn.policy import *  # noqa: F403
from eagerdl.nn.policy import __all__
