"""Arguments of layers and of what belongs to them, checked when the object is made."""

import math

import numpy as np

from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError


def check_choice(where, name, value, known):
    """Refuses a string that is not among the known ones.

    Raises:
        ArgumentError: with the nearest one.
    """
    if not isinstance(value, str) or value not in known:
        raise ArgumentError(where, f"{name} is one of {', '.join(map(repr, known))}",
                            f"got {value!r}{registry.nearest(value, known)}", "choose one of them")  # fmt: skip


def check_numbers(where, least=-math.inf, most=math.inf, **numbers):
    """Refuses arguments that are no finite numbers from `least` to `most`.

    Raises:
        DTypeError: for what is no number.
        ArgumentError: for a number out of range.
    """
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise DTypeError(
                where, f"{name} is a number", f"got {type(value).__name__} {value!r:.60}", f"use float({name})"
            )
        if not (math.isfinite(value) and least <= value <= most):
            bounds = [f"at least {least}"] * (least > -math.inf) + [f"at most {most}"] * (most < math.inf)
            raise ArgumentError(where, f"{name} is {' and '.join(['finite', *bounds])}", f"got {name}={value}",
                                f"choose another {name}")  # fmt: skip


def positive_int(where, name, value):
    """`value` as an int, refused if it is not one above 0."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value <= 0:
        raise ArgumentError(where, f"{name} must be a positive int", f"got {value!r}", "pass the size you want")
    return int(value)


def refuse_quantization(where, config):
    """Weights here are floats."""
    if config is not None:
        raise ArgumentError(
            where, "weights are not quantized here", f"got quantization_config={config!r}", "leave it out"
        )
