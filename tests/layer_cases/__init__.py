"""The rows of the battery that every layer has to pass: a module per family of layers, each with its dict CASES."""

import importlib
import pkgutil

ROWS = {}
for _module in pkgutil.iter_modules(__path__):
    if _module.name != "builders":
        _cases = importlib.import_module(f"{__name__}.{_module.name}").CASES
        assert not set(_cases) & set(ROWS), f"rows of two families: {set(_cases) & set(ROWS)}"
        ROWS.update(_cases)
