"""The table of ops: one row or more per public op, a module per area, as in `eagerdl/ops`."""

import importlib
import pkgutil

CASES = {}  # name -> list of Case
FAILURES = []  # list of Failure
OTHERWISE = {}  # name -> why it has no row here, and where it is tested

for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    if _module == "builders":
        continue
    _area = importlib.import_module(f"{__name__}.{_module}")
    for _name, _rows in _area.CASES.items():
        CASES.setdefault(_name, []).extend(_rows if isinstance(_rows, list) else [_rows])
    FAILURES += getattr(_area, "FAILURES", [])
    OTHERWISE.update(getattr(_area, "OTHERWISE", {}))
