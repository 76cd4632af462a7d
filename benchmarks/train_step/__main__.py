"""Milliseconds of a whole train step on the CPU: forward, gradient and Adam's update, float32.

    python -m benchmarks.train_step [WORKLOAD ...] [--peers NAMES] [--steps N] [--seconds S] [--check] [--json]

    mlp          784-512-256-10, batches of 128
    cnn          28x28 images, convolutions of 32 and 64 channels, batches of 64
    resnet20     the ResNet of 20 layers for CIFAR-10, 32x32x3, batches of 32
    lstm         a character model: embedding 64, LSTM 256, 64 steps, batches of 32
    gpt          4 layers, 4 heads, width 128, 64 letters, batches of 12

Without names all of them run. The peers are torch, torch_channels_last (networks of images only), torch_compile (which takes
long, and only when named), jax and keras; those that are not installed are left out. All begin with equal weights, and the
losses of their first steps must agree to 1e-4; `--check` shows the losses of two steps and measures nothing. The exit status
is 1 if they do not agree.

Everyone takes turns of a few steps in one process, Keras in one that sleeps when it is not its turn; the table shows medians.
The second table divides: below 1, compiled eagerdl is faster. The first step has a table of its own, because compilers work
in it.
"""

import argparse
import importlib
import importlib.util
import json
import sys

import eagerdl as edl
from benchmarks.machine import describe
from benchmarks.train_step import by_eagerdl
from benchmarks.train_step.workloads import WORKLOADS, batch, first_weights
from benchmarks.turns import measure, print_table, ratios

OURS = "eagerdl compiled"
# Of the loss of the first step, and of the second: the first update of Adam is little more than signs of gradients, and
# PyTorch adds its epsilon elsewhere.
TOLERANCES = (1e-4, 1e-2)

# The column of each peer, its module here, its function there.
PEERS = {
    "torch": ("PyTorch eager", "torch", "eager"),
    "torch_channels_last": ("PyTorch channels_last", "torch", "channels_last"),
    "torch_compile": ("torch.compile", "torch", "compiled"),
    "jax": ("jax.jit", "jax", "jitted"),
    "keras": ("Keras (JAX)", "keras", "jitted"),
}
NAMED_ONLY = ("torch_compile",)
COLUMNS = ["eagerdl eager", OURS, *[column for column, _, _ in PEERS.values()]]


def contestants(name, peers):
    """column -> function of a number of steps that returns their losses and seconds; all begin with equal weights.

    The compiled function is made first, so that its first step compiles what eager code would have compiled for it.
    """
    workload = WORKLOADS[name]
    arguments = (name, first_weights(workload), *batch(workload))
    makers = {OURS: by_eagerdl.compiled, "eagerdl eager": by_eagerdl.eager}
    for column, module, function in (PEERS[peer] for peer in peers):
        makers[column] = getattr(importlib.import_module(f"benchmarks.train_step.by_{module}"), function)
    made = {column: make(*arguments) for column, make in makers.items()}
    return {column: take for column, take in made.items() if take is not None}


def agree(losses):
    """Whether the losses of all columns are equal, step by step, within the tolerances."""
    steps = zip(*losses.values())
    return all(max(step) - min(step) <= tolerance for step, tolerance in zip(steps, TOLERANCES))


def installed(peers):
    """The peers whose library is here; the others are named on stderr."""
    found = []
    for peer in peers:
        needed = {"keras": ("keras", "jax")}.get(peer, (PEERS[peer][1],))
        if all(importlib.util.find_spec(module) for module in needed):
            found.append(peer)
        else:
            print(f"left out: {peer} needs {' and '.join(needed)}", file=sys.stderr)
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step", description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)} (default: all)")
    usual = ",".join(peer for peer in PEERS if peer not in NAMED_ONLY)
    parser.add_argument("--peers", default=usual, help=f"of {','.join(PEERS)} (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=50, help="steps that count, of each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="no new turns after so many (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="compare losses and measure nothing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args(argv)
    peers = [peer for peer in arguments.peers.split(",") if peer]
    for kind, names, known in (("workload", arguments.workloads, WORKLOADS), ("peer", peers, PEERS)):
        for name in names:
            if name not in known:
                parser.error(f"no {kind} is called {name!r}; there are {', '.join(known)}")

    machine = {**describe("numpy", "numba", "torch", "jax", "keras"), "eagerdl": edl.__version__}
    if not arguments.json:
        print(", ".join(f"{fact} {value or 'absent'}" for fact, value in machine.items()))
    peers = installed(peers)
    losses, firsts, rows = {}, {}, {}
    for name in arguments.workloads or WORKLOADS:
        players = contestants(name, peers)
        taken = {column: take(2 if arguments.check else 1) for column, take in players.items()}
        losses[name] = {column: found for column, (found, _) in taken.items()}
        firsts[name] = {column: seconds[0] for column, (_, seconds) in taken.items()}
        if not arguments.check:
            rows[name] = measure(players, arguments.steps, arguments.seconds)

    if arguments.json:
        print(json.dumps({"machine": machine, "milliseconds": rows, "first step, seconds": firsts, "losses": losses}))
    elif arguments.check:
        for number, word in enumerate(("first", "second")):
            shown = {name: {column: found[number] for column, found in row.items()} for name, row in losses.items()}
            print_table(f"loss of the {word} step", shown, COLUMNS, 5)
    else:
        print_table("milliseconds of a step", rows, COLUMNS)
        print_table(f"{OURS} / other", ratios(rows, OURS), COLUMNS)
        print_table("seconds of the first step", firsts, COLUMNS)
    apart = [name for name, row in losses.items() if not agree(row)]
    if apart:
        print(f"the losses do not agree: {', '.join(apart)}", file=sys.stderr)
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
