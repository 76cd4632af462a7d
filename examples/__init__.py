"""Programs to read and to change: `python examples/NAME.py`."""
