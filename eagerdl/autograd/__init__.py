"""Automatic differentiation: primitives and their families, the tape, forward mode, transforms, checks."""

from eagerdl.autograd.check import check_grads
from eagerdl.autograd.custom import custom_gradient, recompute_grad, stop_gradient
from eagerdl.autograd.forward import ForwardAccumulator
from eagerdl.autograd.functional import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from eagerdl.autograd.graph import Spec
from eagerdl.autograd.primitive import REGISTRY, bilinear, custom, elementwise, linear, unbroadcast
from eagerdl.autograd.tape import GradientTape

__all__ = [
    "REGISTRY", "ForwardAccumulator", "GradientTape", "Spec", "bilinear", "check_grads", "custom", "custom_gradient", "elementwise",
    "grad", "hessian", "hvp", "jacobian", "jvp", "linear", "recompute_grad", "stop_gradient", "unbroadcast",
    "value_and_grad", "vjp",
]  # fmt: skip
