"""A line search for the strong Wolfe conditions: how far to go along a direction."""

import math
from typing import NamedTuple

__all__ = ["Point", "strong_wolfe"]


class Point(NamedTuple):
    """A place on the line: the step alpha, phi(alpha), phi'(alpha), and whatever was computed there."""

    alpha: float
    phi: float
    slope: float
    extra: object = None


def strong_wolfe(evaluate, start, alpha, c1=1e-4, c2=0.9, max_evaluations=25, alpha_max=1e10):
    """A step with ``phi(alpha) <= phi(0) + c1 alpha phi'(0)`` and ``|phi'(alpha)| <= c2 |phi'(0)|``.

    Args:
        evaluate: alpha -> a Point.
        start: the Point at 0, of negative slope.
        alpha: the first step to try.
        c1, c2: the constants, ``0 < c1 < c2 < 1``.
        max_evaluations: how often `evaluate` may be called.
        alpha_max: the longest step.

    Returns:
        The Point found, how often `evaluate` was called, and whether both conditions hold. Where they do not, the Point is the
        lowest that was seen, `start` if nothing was lower.

    Source: Nocedal and Wright, "Numerical optimization", 2nd ed., 2006, algorithms 3.5 and 3.6.
    """
    calls = 0
    best = start

    def at(alpha):
        nonlocal calls, best
        calls += 1
        point = evaluate(alpha)
        if math.isfinite(point.phi) and math.isfinite(point.slope):
            if point.phi < best.phi:
                best = point
            return point
        return Point(alpha, math.inf, math.inf, point.extra)

    def too_high(point):
        return not point.phi <= start.phi + c1 * point.alpha * start.slope

    def flat(point):
        return abs(point.slope) <= -c2 * start.slope

    # Algorithm 3.5: longer and longer steps, until an interval holds what is sought.
    before, low, high = start, None, None
    while calls < max_evaluations:
        point = at(alpha)
        if too_high(point) or (calls > 1 and point.phi >= before.phi):
            low, high = before, point
            break
        if flat(point):
            return point, calls, True
        if point.slope >= 0:
            low, high = point, before
            break
        if alpha >= alpha_max:
            break
        before, alpha = point, min(_farther(before, point), alpha_max)

    # Algorithm 3.6: the interval shrinks; low is its best end, and phi falls from there toward high.
    while low is not None and calls < max_evaluations:
        alpha = _between(low, high)
        if alpha in (low.alpha, high.alpha):
            break  # no number is left between them
        point = at(alpha)
        if too_high(point) or point.phi >= low.phi:
            high = point
            continue
        if flat(point):
            return point, calls, True
        if point.slope * (high.alpha - low.alpha) >= 0:
            high = low
        low = point
    return best, calls, False


def _farther(before, point):
    """A longer step: where the cubic through both points has its minimum, between 2 and 10 times as far."""
    guess = _cubic_minimum(before, point)
    nearest, farthest = 2 * point.alpha, 10 * point.alpha
    return nearest if guess is None else min(max(guess, nearest), farthest)


def _between(low, high):
    """Where the cubic through both ends has its minimum, but not close to an end; the middle if there is none."""
    left, right = sorted((low.alpha, high.alpha))
    guess = _cubic_minimum(low, high)
    margin = 0.1 * (right - left)
    if guess is None or not left + margin <= guess <= right - margin:
        return left + (right - left) / 2
    return guess


def _cubic_minimum(a, b):
    """The minimum of the cubic with the values and slopes of two points (eq. 3.59), None if there is none."""
    if not (math.isfinite(a.phi) and math.isfinite(b.phi)) or a.alpha == b.alpha:
        return None
    d1 = a.slope + b.slope - 3 * (a.phi - b.phi) / (a.alpha - b.alpha)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return None
    d2 = math.copysign(math.sqrt(square), b.alpha - a.alpha)
    denominator = b.slope - a.slope + 2 * d2
    if denominator == 0:
        return None
    out = b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / denominator
    return out if math.isfinite(out) else None
