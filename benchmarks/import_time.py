"""Seconds that `import eagerdl` adds to `import numpy`.

    python -m benchmarks.import_time [--json] [--repeats N]

Each measurement is a fresh process that imports NumPy first and times the import of eagerdl after it.
The first process is not counted: it fills the disk caches.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.machine import describe

ROOT = Path(__file__).parent.parent

PROGRAM = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import eagerdl
print(middle - start, time.perf_counter() - middle)
"""


def measure(repeats):
    """The seconds of `import numpy` and of `import eagerdl` after it, one pair for each process."""
    pairs = []
    # Compiled once, by the first process, as in an installed package; whoever forbids that would measure the compiler.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(repeats + 1):
        command = [sys.executable, "-c", PROGRAM]
        output = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
        pairs.append(tuple(float(number) for number in output.split()))
    return pairs[1:]


def main():
    description = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_time", description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a sentence")
    parser.add_argument("--repeats", type=int, default=11, help="processes to take (default: %(default)s)")
    arguments = parser.parse_args()

    machine = describe("numpy")
    numpy, eagerdl = (statistics.median(column) for column in zip(*measure(arguments.repeats)))
    if arguments.json:
        print(json.dumps({"machine": machine, "unit": "seconds", "numpy": numpy, "eagerdl": eagerdl}))
    else:
        print(", ".join(f"{fact} {value or 'absent'}" for fact, value in machine.items()))
        print(f"import numpy {numpy:.3f} s; import eagerdl adds {eagerdl:.3f} s")


if __name__ == "__main__":
    main()
