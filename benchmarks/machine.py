"""What a measurement has to say about the machine it ran on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["describe"]


def describe(*distributions):
    """A dict of facts: processor, cores, Python, and the version of each distribution that is installed."""
    facts = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    for distribution in distributions:
        try:
            facts[distribution] = version(distribution)
        except PackageNotFoundError:
            facts[distribution] = None
    return facts


def processor():
    """The name of the processor as Linux gives it, else as Python knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
