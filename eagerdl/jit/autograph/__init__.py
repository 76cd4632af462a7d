"""Python's `if`, `while`, `for` and what belongs to them, on tensors: functions are rewritten so that statements become ops.

`convert` rewrites a function (`blocks`: statements to calls, `jumps`: `break`, `continue` and `return` to flags, `names`: which
variables live); `statements` is what runs then. `staging` and `places` lead the variables of a block through branches and
loops.
"""
