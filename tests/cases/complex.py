import numpy as np
from cases.builders import case, complex_normal, distinct, normal, positive

CASES = {
    "real": [case(complex_normal(3, 2), dtypes=()), case(normal(3))],
    "imag": [case(complex_normal(3, 2), dtypes=()), case(normal(3))],
    "angle": [case(complex_normal(3, 2), dtypes=()), case(distinct(4))],
    "polar": case(positive(3), normal(3), reference=lambda r, a: r * np.exp(1j * a), dtypes=()),
}
