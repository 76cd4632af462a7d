"""Control flow on tensors: cond, switch, loops, scans, maps."""

__all__: list[str] = []
