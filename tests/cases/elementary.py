from cases.builders import case, complex_normal, fails, integers, normal, positive

from eagerdl.errors import ArgumentError

CASES = {
    "exp": [case(normal(3, 4)), case(complex_normal(3), dtypes=())],
    "log": case(positive(3, 4)),
    "sqrt": case(positive(3, 4)),
    "sin": case(normal(3, 4)),
    "cos": case(normal(3, 4)),
    "tanh": case(normal(3, 4)),
    "power": [case(positive(3, 4), normal(4)), case(normal(3), 3), case(positive(3), 0.5), case(2.0, normal(3))],
}

FAILURES = [fails("power", integers(1, 4, 3), -1, error=ArgumentError, match=r"\[power\]")]
