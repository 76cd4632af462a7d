CASES = {}
OTHERWISE = {
    name: "tested in tests/test_control_flow.py"
    for name in ("associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map", "while_loop")
}
