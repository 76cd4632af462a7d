CASES = {}
OTHERWISE = dict.fromkeys(
    ("associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map", "while_loop"),
    "tested in tests/test_control_flow.py",
)
