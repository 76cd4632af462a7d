"""Microseconds of one small operation: NumPy, eagerdl and PyTorch side by side in one process.

    python -m benchmarks.dispatch [--json] [--rounds N]

Every statement is timed for all libraries in turn, again and again, so a machine that slows down slows all of
them. A round keeps the shortest time of each contestant; the table shows the median over the rounds.
PyTorch takes part if it is installed. "recording" means that a gradient could be asked for: inside a
`GradientTape` that watches the inputs, or with `requires_grad`.
"""

import argparse
import json
import statistics
import timeit
from contextlib import nullcontext

import numpy as np

import eagerdl as edl
from benchmarks.machine import describe

try:
    import torch
except ImportError:
    torch = None

REPEATS_PER_ROUND = 5
SECONDS_PER_REPEAT = 0.002

OPERATIONS = {
    "add": "a + b",
    "multiply": "a * b",
    "tanh": "tanh(a)",
    "matmul": "a @ b",
    "sum": "sum(a)",
    "reshape": "reshape(a, shape)",
    "slice": "a[2:5]",
}
# Name, shape of the inputs, shape to reshape to.
SIZES = (("10", (10,), (2, 5)), ("16x16", (16, 16), (256,)))

TAPE_GRADIENT = """
with GradientTape() as tape:
    loss = sum(w * b)
tape.gradient(loss, w)
"""
TORCH_GRADIENT = "grad(sum(w * b), w)"


def no_context(names):
    return nullcontext()


class Contestant:
    """One library in one mode: the names that a statement may use, and the context that it runs in.

    Args:
        names: a function of (shape, reshaped) that returns the names.
        context: a function of the names that returns a context manager.
    """

    def __init__(self, names, context=no_context):
        self.names = names
        self.context = context


def numpy_names(shape, reshaped):
    return {
        **inputs(shape, np.asarray),
        "shape": reshaped,
        "tanh": np.tanh,
        "sum": np.sum,
        "reshape": np.reshape,
    }


def eagerdl_names(shape, reshaped):
    return {
        **inputs(shape, edl.constant),
        "w": edl.Variable(values(shape, seed=2)),
        "shape": reshaped,
        "tanh": edl.tanh,
        "sum": edl.sum,
        "reshape": edl.reshape,
        "GradientTape": edl.GradientTape,
    }


def torch_names(shape, reshaped, requires_grad=False):
    return {
        **inputs(shape, lambda array: torch.tensor(array, requires_grad=requires_grad)),
        "w": torch.tensor(values(shape, seed=2), requires_grad=True),
        "shape": reshaped,
        "tanh": torch.tanh,
        "sum": torch.sum,
        "reshape": torch.reshape,
        "grad": torch.autograd.grad,
    }


def values(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def inputs(shape, convert):
    return {"a": convert(values(shape, seed=0)), "b": convert(values(shape, seed=1))}


def watching(names):
    """A tape that records what is done with a and b."""
    tape = edl.GradientTape()
    tape.watch([names["a"], names["b"]])
    return tape


def contestants():
    """The libraries and modes that take part, by the name of their column."""
    found = {
        "NumPy": Contestant(numpy_names),
        "eagerdl": Contestant(eagerdl_names),
        "eagerdl recording": Contestant(eagerdl_names, watching),
    }
    if torch is not None:
        found["PyTorch"] = Contestant(torch_names)
        found["PyTorch recording"] = Contestant(lambda *shapes: torch_names(*shapes, requires_grad=True))
    return found


def measure(entries, rounds):
    """Microseconds per statement for each entry.

    Args:
        entries: a dict from a name to (statement, names, context).
        rounds: how many rounds to take the median of.
    """
    timers, counts, shortest = {}, {}, {name: [] for name in entries}
    for name, (statement, names, _) in entries.items():
        timers[name] = timeit.Timer(statement, globals=names)
        timers[name].timeit(100)  # the first calls fill caches
        counts[name] = max(10, int(SECONDS_PER_REPEAT / (timers[name].timeit(200) / 200)))
    for _ in range(rounds):
        times = {name: [] for name in entries}
        for _ in range(REPEATS_PER_ROUND):
            for name, (_, names, context) in entries.items():
                # A context of its own for each repeat: what a tape recorded goes before the next one.
                with context(names):
                    times[name].append(timers[name].timeit(counts[name]) / counts[name])
        for name in entries:
            shortest[name].append(min(times[name]))
    return {name: 1e6 * statistics.median(times) for name, times in shortest.items()}


def measure_operations(rounds):
    """Yield (row name, microseconds by column) for every operation and size, and for one gradient."""
    players = contestants()
    for size, shape, reshaped in SIZES:
        for operation, statement in OPERATIONS.items():
            if operation == "matmul" and len(shape) < 2:
                continue
            entries = {
                name: (statement, player.names(shape, reshaped), player.context) for name, player in players.items()
            }
            yield f"{operation} {size}", measure(entries, rounds)

    _, shape, reshaped = SIZES[0]
    gradient = {"eagerdl recording": (TAPE_GRADIENT, eagerdl_names(shape, reshaped), no_context)}
    if torch is not None:
        gradient["PyTorch recording"] = (TORCH_GRADIENT, torch_names(shape, reshaped), no_context)
    yield "gradient of sum(w*b) 10", measure(gradient, rounds)


def with_ratios(microseconds):
    """Add how many times PyTorch's time eagerdl takes; below 1 is faster."""
    ratios = {}
    for mode in ("", " recording"):
        ours, theirs = microseconds.get(f"eagerdl{mode}"), microseconds.get(f"PyTorch{mode}")
        if ours is not None and theirs is not None:
            ratios[f"ratio{mode}"] = ours / theirs
    return {**microseconds, **ratios}


def print_table(rows):
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="microseconds; ratio: eagerdl / PyTorch")
    table.add_column("")
    columns = [f"{column}{mode}" for mode in ("", " recording") for column in ("NumPy", "eagerdl", "PyTorch", "ratio")]
    columns.remove("NumPy recording")
    for column in columns:
        table.add_column(column.replace(" ", "\n"), justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[column]:.2f}" if column in row else "" for column in columns))
    Console(width=100).print(table)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dispatch", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=7, help="rounds to take (default: %(default)s)")
    arguments = parser.parse_args()

    machine = {**describe("numpy", "torch"), "eagerdl": edl.__version__}
    if torch is not None:
        machine["torch threads"] = torch.get_num_threads()
    if not arguments.json:
        print(", ".join(f"{fact} {value or 'absent'}" for fact, value in machine.items()))
    rows = {name: with_ratios(row) for name, row in measure_operations(arguments.rounds)}
    if arguments.json:
        print(json.dumps({"machine": machine, "unit": "microseconds", "rows": rows}, indent=2))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
