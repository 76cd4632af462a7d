import numpy as np
from cases.builders import case, distinct, fails, integers, normal, positive, uniform

from eagerdl.errors import ArgumentError, DTypeError

OFF_GRID = uniform(0.1, 0.4, 3, 4) + integers(-3, 4, 3, 4)

CASES = {
    "floor": [case(OFF_GRID), case(integers(-3, 3, 4), order=0)],
    "ceil": case(OFF_GRID),
    "trunc": case(OFF_GRID),
    "round": [case(OFF_GRID), case(normal(3) * 100, decimals=1, order=0, dtypes=("float32",)), case(integers(0, 300, 4), decimals=-2, order=0)],
    "floor_divide": [case(OFF_GRID + 0.1, np.array(1.0)), case(integers(-9, 9, 5), 4, order=0)],
    "mod": [case(uniform(3.1, 3.9, 3, 4), np.array([2.0, 1.5, -1.7, 2.2])), case(integers(-9, 9, 5), 4, order=0)],
    "remainder": case(uniform(3.1, 3.9, 3), 2.0),
    "fmod": [case(uniform(-3.9, -3.1, 3, 4), np.array([2.0, 1.5, -1.7, 2.2])), case(integers(-9, 9, 5), 4, order=0)],
    "gcd": case(integers(1, 60, 5), integers(1, 60, 5, salt=1), order=0),
    "lcm": case(integers(1, 60, 5), integers(1, 60, 5, salt=1), order=0),
    "clip": [case(distinct(3, 4), -0.9, 0.9), case(distinct(3, 4), x_max=0.3, reference=lambda x, x_max: np.minimum(x, x_max)), case(distinct(2, 3), distinct(3) - 3.05, 2.0)],
    "fmax": case(distinct(3, 4), distinct(3, 4, salt=1) + 0.1),
    "fmin": case(distinct(3, 4), distinct(3, 4, salt=1) + 0.1),
    "copysign": case(distinct(3, 4), distinct(3, 4, salt=1)),
    "heaviside": case(distinct(3, 4), normal(4)),
    "nextafter": case(normal(3), normal(3, salt=1), order=0, dtypes=()),
    "fabs": [case(distinct(3, 4)), case(integers(-3, 3, 4), order=0)],
    "nan_to_num": [case(np.array([1.0, np.nan, np.inf, -np.inf]), order=1, dtypes=()), case(positive(3)), case(np.array([np.inf]), posinf=3.0)],
}  # fmt: skip

FAILURES = [
    fails("round", np.array([True]), error=ArgumentError, match=r"\[round\] numbers are needed"),
    fails("gcd", normal(2), 3, error=DTypeError, match=r"\[gcd\]"),
]
