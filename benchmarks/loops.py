"""Milliseconds of loops that users write themselves: recurrences of small steps, where the cost of a step is what counts.

    python -m benchmarks.loops [LOOP ...] [--peers NAMES] [--repeats N] [--seconds S] [--json]

    rnn        a cell of one's own, h = tanh(x W + h U + b), over 1,000 steps by `scan`: batch 8, 16 features, 32 units
    rnn grad   the same with the gradient by W, U and b of the mean of h^2
    ode        the Lorenz system for 64 states, 1,000 steps of Runge and Kutta by `fori_loop`
    ode grad   the same with the gradient by the first states of the mean of the last
    newton     x = cos(x) by `while_loop` until a step is below 1e-6, from 1,000 starts one after the other
    viterbi    the best path through 16 states in 1,000 steps: a `scan` with back pointers, and one back

Without names all of them run, in eagerdl line by line and by `edl.function`, in JAX by `jit`, and in PyTorch as Python loops.
All take turns in one process; the table shows medians. The second table divides: below 1, compiled eagerdl is faster. Results
must agree, or the exit status is 1.
"""

import argparse
import functools
import importlib.util
import json
import sys

import numpy as np

import eagerdl as edl
from benchmarks.machine import describe
from benchmarks.turns import measure, print_table, ratios, run

STEPS = 1000
DT = 0.002  # the Lorenz system is chaotic: over a longer time, rounding decides where it is
OURS = "eagerdl compiled"
PEERS = {"torch": "PyTorch eager", "jax": "jax.jit"}
COLUMNS = ["eagerdl eager", OURS, *PEERS.values()]
LOOPS = ("rnn", "rnn grad", "ode", "ode grad", "newton", "viterbi")


def data():
    """name -> array, float32."""
    rng = np.random.default_rng(0)

    def normal(*shape, scale=1.0):
        return rng.standard_normal(shape, dtype="float32") * np.float32(scale)

    return {
        "xs": normal(STEPS, 8, 16),
        "h": np.zeros((8, 32), "float32"),
        "W": normal(16, 32, scale=0.25),
        "U": normal(32, 32, scale=0.15),
        "b": normal(32, scale=0.1),
        "states": 10 + normal(64, 3),
        "starts": rng.random(STEPS, dtype="float32") * 2,
        "transitions": normal(16, 16),
        "emissions": normal(STEPS, 16),
    }


# -- what is the same everywhere: `m` is eagerdl, torch or jax.numpy --------------------------------


def cell(m, h, x, W, U, b):
    """h (n, units), x (n, features) -> the next h."""
    return m.tanh(x @ W + h @ U + b)


def slope(m, s):
    """States (n, 3) -> how fast they change (n, 3). Source: Lorenz, 1963, "Deterministic nonperiodic flow"."""
    x, y, z = s[:, 0], s[:, 1], s[:, 2]
    return m.stack([10.0 * (y - x), x * (28.0 - z) - y, x * y - (8 / 3) * z], 1)


def runge_kutta(m, s):
    """States (n, 3) -> the states after DT."""
    k_1 = slope(m, s)
    k_2 = slope(m, s + (DT / 2) * k_1)
    k_3 = slope(m, s + (DT / 2) * k_2)
    k_4 = slope(m, s + DT * k_3)
    return s + (DT / 6) * (k_1 + 2 * k_2 + 2 * k_3 + k_4)


def newton_step(m, x):
    """Towards the root of x - cos(x)."""
    return (m.cos(x) - x) / (1 + m.sin(x))


# -- eagerdl ----------------------------------------------------------------------------------------


def by_eagerdl(decorate):
    """loop -> function without arguments that returns a list of tensors; `decorate` is `edl.function`, or leaves it eager."""
    given = {name: edl.constant(array) for name, array in data().items()}
    xs, h, states, starts = (given[name] for name in ("xs", "h", "states", "starts"))
    weights = W, U, b = [edl.Variable(given[name]) for name in ("W", "U", "b")]

    def rnn(xs):
        def step(h, x):
            h = cell(edl, h, x, W, U, b)
            return h, h

        return edl.mean(edl.scan(step, h, xs)[1] ** 2)

    def rnn_grad(xs):
        with edl.GradientTape() as tape:
            loss = rnn(xs)
        return loss, *tape.gradient(loss, weights)

    def ode(states):
        return edl.fori_loop(0, STEPS, lambda i, s: runge_kutta(edl, s), states)

    def ode_grad(states):
        with edl.GradientTape() as tape:
            tape.watch(states)
            loss = edl.mean(ode(states))
        return loss, tape.gradient(loss, states)

    def newton(starts):
        def far(x, dx):
            return edl.abs(dx) >= 1e-6

        def nearer(x, dx):
            dx = newton_step(edl, x)
            return x + dx, dx

        def restart(i, total):
            return total + edl.while_loop(far, nearer, (starts[i], edl.ones_like(starts[i])))[0]

        return edl.fori_loop(0, STEPS, restart, edl.constant(0.0)) / STEPS

    def viterbi(transitions, emissions):
        def forward(scores, emission):
            candidates = edl.expand_dims(scores, 1) + transitions
            return edl.max(candidates, 0) + emission, edl.argmax(candidates, 0)

        def back(state, pointers):
            state = pointers[state]
            return state, state

        scores, pointers = edl.scan(forward, emissions[0], emissions[1:])
        last = edl.argmax(scores)
        _, path = edl.scan(back, last, pointers, reverse=True)
        return edl.concatenate([path, edl.expand_dims(last, 0)])

    functions = (rnn, rnn_grad, ode, ode_grad, newton, viterbi)
    arguments = ((xs,), (xs,), (states,), (states,), (starts,), (given["transitions"], given["emissions"]))
    return {
        name: functools.partial(decorate(function), *inputs)
        for name, function, inputs in zip(LOOPS, functions, arguments)
    }


# -- PyTorch ----------------------------------------------------------------------------------------


def by_torch():
    """loop -> function without arguments that returns a list of tensors."""
    import torch

    given = {name: torch.tensor(array) for name, array in data().items()}
    weights = W, U, b = [given[name].requires_grad_() for name in ("W", "U", "b")]
    transitions, emissions = given["transitions"], given["emissions"]

    def rnn_loss():
        h, outputs = given["h"], []
        for x in given["xs"]:
            h = cell(torch, h, x, W, U, b)
            outputs.append(h)
        return (torch.stack(outputs) ** 2).mean()

    def rnn_grad():
        loss = rnn_loss()
        return loss.detach(), *torch.autograd.grad(loss, weights)

    def last_states(s):
        for _ in range(STEPS):
            s = runge_kutta(torch, s)
        return s

    def ode_grad():
        states = given["states"].clone().requires_grad_()
        loss = last_states(states).mean()
        return loss.detach(), *torch.autograd.grad(loss, [states])

    @torch.no_grad()
    def newton():
        total = 0.0
        for x in given["starts"]:
            dx = torch.ones(())
            while torch.abs(dx) >= 1e-6:
                dx = newton_step(torch, x)
                x = x + dx
            total = total + x
        return total / STEPS

    @torch.no_grad()
    def viterbi():
        scores, pointers = emissions[0], []
        for emission in emissions[1:]:
            best, pointer = (scores[:, None] + transitions).max(0)
            scores = best + emission
            pointers.append(pointer)
        path = [scores.argmax()]
        for pointer in reversed(pointers):
            path.append(pointer[path[-1]])
        return torch.stack(path[::-1])

    no_grad = torch.no_grad()
    functions = (no_grad(rnn_loss), rnn_grad, lambda: last_states(given["states"]), ode_grad, newton, viterbi)
    return dict(zip(LOOPS, functions))


# -- JAX --------------------------------------------------------------------------------------------


def by_jax():
    """loop -> function without arguments that returns a list of arrays."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    given = {name: jnp.asarray(array) for name, array in data().items()}
    weights = tuple(given[name] for name in ("W", "U", "b"))

    def rnn(weights, h, xs):
        def step(h, x):
            h = cell(jnp, h, x, *weights)
            return h, h

        return (lax.scan(step, h, xs)[1] ** 2).mean()

    def rnn_grad(weights, h, xs):
        loss, gradients = jax.value_and_grad(rnn)(weights, h, xs)
        return loss, *gradients

    def ode(states):
        return lax.fori_loop(0, STEPS, lambda i, s: runge_kutta(jnp, s), states)

    def newton(starts):
        def far(state):
            return jnp.abs(state[1]) >= 1e-6

        def nearer(state):
            dx = newton_step(jnp, state[0])
            return state[0] + dx, dx

        def restart(i, total):
            return total + lax.while_loop(far, nearer, (starts[i], jnp.ones(())))[0]

        return lax.fori_loop(0, STEPS, restart, jnp.zeros(())) / STEPS

    def viterbi(transitions, emissions):
        def forward(scores, emission):
            candidates = scores[:, None] + transitions
            return candidates.max(0) + emission, candidates.argmax(0)

        def back(state, pointers):
            return pointers[state], pointers[state]

        scores, pointers = lax.scan(forward, emissions[0], emissions[1:])
        last = scores.argmax()
        _, path = lax.scan(back, last, pointers, reverse=True)
        return jnp.concatenate([path, last[None]])

    functions = (rnn, rnn_grad, ode, jax.value_and_grad(lambda states: ode(states).mean()), newton, viterbi)
    inputs = (weights, given["h"], given["xs"])
    arguments = (inputs, inputs, (given["states"],), (given["states"],), (given["starts"],),
                 (given["transitions"], given["emissions"]))  # fmt: skip
    return {
        name: functools.partial(jax.jit(function), *taken) for name, function, taken in zip(LOOPS, functions, arguments)
    }


# -- the tables -------------------------------------------------------------------------------------


def as_arrays(results):
    """A tensor, or several, of any library, as NumPy arrays; this waits for those that are still being computed."""
    return [np.asarray(one) for one in (results if isinstance(results, tuple | list) else [results])]


def apart(results):
    """The columns whose results are not those of the first; paths must be equal, numbers up to rounding."""
    expected = next(iter(results.values()))
    return [
        column
        for column, found in results.items()
        if not all(
            a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max() * (b.dtype.kind == "f"))
            for a, b in zip(found, expected, strict=True)
        )
    ]


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loops", description=__doc__.split("\n")[0])
    parser.add_argument("loops", nargs="*", metavar="LOOP", help=f"of {', '.join(LOOPS)} (default: all)")
    parser.add_argument("--peers", default=",".join(PEERS), help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=20, help="calls that count, of each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="no new turns after so many (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args(argv)
    peers = [peer for peer in arguments.peers.split(",") if peer]
    for kind, names, known in (("loop", arguments.loops, LOOPS), ("peer", peers, PEERS)):
        for name in names:
            if name not in known:
                parser.error(f"no {kind} is called {name!r}; there are {', '.join(known)}")

    machine = {**describe("numpy", "numba", "torch", "jax"), "eagerdl": edl.__version__}
    if not arguments.json:
        print(", ".join(f"{fact} {value or 'absent'}" for fact, value in machine.items()))
    found = {OURS: by_eagerdl(edl.function), "eagerdl eager": by_eagerdl(lambda function: function)}
    for peer in peers:
        if importlib.util.find_spec(peer):
            found[PEERS[peer]] = {"torch": by_torch, "jax": by_jax}[peer]()
        else:
            print(f"left out: {peer} is not installed", file=sys.stderr)

    rows, firsts, wrong = {}, {}, {}
    for name in arguments.loops or LOOPS:
        players = {
            column: functools.partial(run, lambda loop=loops[name]: as_arrays(loop()))
            for column, loops in found.items()
        }
        taken = {column: take(1) for column, take in players.items()}
        firsts[name] = {column: seconds[0] for column, (_, seconds) in taken.items()}
        wrong[name] = apart({column: results[0] for column, (results, _) in taken.items()})
        rows[name] = measure(players, arguments.repeats, arguments.seconds)

    if arguments.json:
        print(json.dumps({"machine": machine, "milliseconds": rows, "first call, seconds": firsts, "apart": wrong}))
    else:
        print_table("milliseconds of a call", rows, COLUMNS)
        print_table(f"{OURS} / other", ratios(rows, OURS), COLUMNS)
        print_table("seconds of the first call", firsts, COLUMNS)
    for name, columns in wrong.items():
        if columns:
            print(f"the results of {name} do not agree: {', '.join(columns)} against {OURS}", file=sys.stderr)
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
