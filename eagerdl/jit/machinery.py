"""What only traces need, gathered here so that all of it is imported at the first call of a traced function."""

from eagerdl.jit import control, explain, honesty, stability
from eagerdl.jit.autograph.convert import convert
from eagerdl.jit.backward import DifferentiableFunction
from eagerdl.jit.concrete import ConcreteFunction
from eagerdl.jit.rewrite import rewrite
from eagerdl.machine.compiler import nothing_compiled

__all__ = [
    "ConcreteFunction", "DifferentiableFunction", "control", "convert", "explain", "honesty", "nothing_compiled", "rewrite",
    "stability",
]  # fmt: skip
