"""Which trace is under way in a thread."""

import threading

_local = threading.local()


def current():
    """The trace under way in this thread, or None."""
    return getattr(_local, "trace", None)


def switch_to(trace):
    """Makes `trace`, or None, the one under way; returns the one before."""
    before, _local.trace = getattr(_local, "trace", None), trace
    return before
