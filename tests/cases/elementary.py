import numpy as np
import scipy.special
from cases.builders import case, complex_normal, fails, integers, normal, positive, uniform

from eagerdl.errors import ArgumentError, DTypeError

EDGES = np.array([-np.inf, -1.0, 0.0, 1.0, np.inf, np.nan])
PAIRS = [(normal(3, 4), normal(3, 4, salt=1)), (normal(2, 1, 3), normal(4, 1)), (normal(3), 2)]


def same(reference=None, *, low=-3.0, high=3.0, zero=False, also_complex=False, **options):
    """Rows of an op of one tensor between `low` and `high`, with 0 and integers where they have a value."""
    rows = [
        case(uniform(low, high, 3, 4), reference=reference, **options),
        case(uniform(low, high), reference=reference),
    ]
    if zero:
        rows.append(case(np.array([0.0, 1e-9, -1e-3, 0.25]), reference=reference, dtypes=("float32",), **options))
    if also_complex:
        rows.append(case(0.5 * complex_normal(3), reference=reference, dtypes=()))
    return rows


def pairs(**options):
    return [case(*pair, **options) for pair in PAIRS]


CASES = {
    "exp": [case(normal(3, 4)), case(complex_normal(3), dtypes=())],
    "exp2": same(zero=True),
    "expm1": [
        *same(zero=True, also_complex=True),
        case(np.array([complex(np.inf, 0), complex(-np.inf, np.inf), complex(np.nan, 0), 0]), order=0, dtypes=(),
             reference=lambda x: np.array([complex(np.inf, 0), -1, complex(np.nan, 0), 0])),
    ],
    "log": [case(positive(3, 4)), case(complex_normal(3), dtypes=())],
    "log1p": same(low=-0.8, zero=True, also_complex=True),
    "log2": same(low=0.5, also_complex=True),
    "log10": same(low=0.5, also_complex=True),
    "logaddexp": [*pairs(), case(np.array([-1e3, 1e3, -np.inf, 1.0]), np.array([1e3, 1.0, -np.inf, -np.inf]), order=0)],
    "logaddexp2": [*pairs(), case(np.array([-1e3, 1e3, -np.inf, 1.0]), np.array([1e3, 1.0, -np.inf, -np.inf]),
          order=0)],
    "sqrt": [case(positive(3, 4)), case(complex_normal(3), dtypes=())],
    "rsqrt": same(lambda x: 1 / np.sqrt(x), low=0.5),
    "cbrt": [*same(low=0.5), case(-positive(3, 4))],
    "reciprocal": same(low=0.5, also_complex=True),
    "ldexp": [case(normal(3, 4), integers(-3, 4, 4)), case(normal(3), 2),
          case(normal(2, 1), integers(0, 9, 3, dtype="int8")),
              case(normal(2), integers(0, 9, 2, dtype="int64"))],
    "power": [case(positive(3, 4), normal(4)), *[case(normal(3), n) for n in (0, 1, 2, 3, 4, 5, 2.0)],
          case(normal(3), -2),
              case(positive(3), 0.5), case(positive(2), -1), case(2.0, normal(3)), case(integers(0, 4, 3), 3, order=0),
              case(np.array([0.0, 2.0]), 0), case(complex_normal(3), 3, dtypes=()),
              case(integers(0, 4, 3), integers(0, 4, 3, salt=1), order=0)],
    "pow": case(positive(3), normal(3)),
    "sin": same(also_complex=True),
    "cos": same(also_complex=True),
    "tan": same(low=-1.2, high=1.2, also_complex=True),
    "arcsin": same(low=-0.8, high=0.8, also_complex=True),
    "asin": case(uniform(-0.8, 0.8, 3)),
    "arccos": same(low=-0.8, high=0.8, also_complex=True),
    "acos": case(uniform(-0.8, 0.8, 3)),
    "arctan": same(also_complex=True),
    "atan": case(normal(3)),
    "arctan2": [*pairs(), case(np.array([0.0, -0.0, 1.0]), np.array([0.0, -1.0, np.inf]), order=0)],
    "atan2": case(normal(3), positive(3)),
    "hypot": [*pairs(), case(np.array([1e200, 0.0]), np.array([1e200, 0.0]), order=0, dtypes=())],
    "deg2rad": same(),
    "rad2deg": same(),
    "sinc": [*same(zero=True, grad_rtol=1e-4), case(np.array([0.29999, 0.30001, -0.3, 5.5]), grad_rtol=1e-4)],
    "sinh": same(also_complex=True),
    "cosh": same(also_complex=True),
    "tanh": same(also_complex=True),
    "arcsinh": same(also_complex=True),
    "asinh": case(normal(3)),
    "arccosh": same(low=1.3, sweep_rtol=4, also_complex=True),
    "acosh": case(1 + positive(3)),
    "arctanh": same(low=-0.8, high=0.8, also_complex=True),
    "atanh": case(uniform(-0.8, 0.8, 3)),
    "erf": [*same(scipy.special.erf, zero=True), case(EDGES, reference=scipy.special.erf, order=0)],
    "erfc": [*same(scipy.special.erfc), case(np.array([10.0, 25.0]), reference=scipy.special.erfc, order=0, dtypes=())],
    "erfinv": [*same(scipy.special.erfinv, low=-0.9, high=0.9, sweep_rtol=4),
               case(np.array([-1.0, 0.0, 1e-9, 1 - 1e-9, 1.0, 1.5]), reference=scipy.special.erfinv, order=0,
                     dtypes=())],
    "i0": [*same(scipy.special.i0, zero=True), case(np.array([30.0, -30.0]), reference=scipy.special.i0, order=0,
          dtypes=())],
}  # fmt: skip

FAILURES = [
    fails("power", integers(1, 4, 3), -1, error=ArgumentError, match=r"\[power\] integers take exponents of at least 0"),
    fails("ldexp", normal(3), normal(3), error=DTypeError,
          match=r"\[ldexp\] the exponent must be integer; x2 has dtype float64"),
    fails("ldexp", normal(3), 0.5, error=DTypeError, match=r"\[ldexp\] the exponent must be integer"),
    fails("erf", complex_normal(2), error=DTypeError, match=r"\[erf\] a real tensor is needed; x has dtype complex128"),
    fails("cbrt", complex_normal(2), error=DTypeError, match=r"\[cbrt\]"),
    fails("arctan2", normal(2), normal(3), error=ValueError, match=r"\[arctan2\] shapes must broadcast"),
]  # fmt: skip
