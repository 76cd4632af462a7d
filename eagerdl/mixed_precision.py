"""Dtype policies: weights in float32, computation in bfloat16 or float16."""

from eagerdl.nn.policy import DTypePolicy, Policy, dtype_policy, global_policy, set_dtype_policy, set_global_policy
from eagerdl.train.optimizers import LossScaleOptimizer

__all__ = [
    "DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy",
]  # fmt: skip
