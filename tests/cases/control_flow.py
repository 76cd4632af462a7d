from cases.builders import fails

from eagerdl.errors import ArgumentError

CASES = {}
FAILURES = [
    fails("vectorize", 3, error=ArgumentError, match=r"\[vectorize\] pyfunc is a function; got 3"),
    fails("vectorize", abs, signature="(a", error=ArgumentError, match=r"a signature names the core axes"),
]
OTHERWISE = dict.fromkeys(
    ("associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorize", "vectorized_map", "while_loop"),
    "tested in tests/test_control_flow.py",
)
