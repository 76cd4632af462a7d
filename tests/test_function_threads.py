"""The threads of compiled programs: shares of kernels and of stacks of products, and BLAS, which shares the same pool."""

import itertools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.machine import native, pool, shares
from eagerdl.machine.compiler import kernel

needs_pool = pytest.mark.skipif(pool.pool() is None, reason="one core, or a system without the pool")

ADD = """def kernel(P):
    for j in range(word(P, 0), word(P, 1)):
        store_f8_0(word(P, 2), j * 8, load_f8_but_0(word(P, 2), j * 8) + 1.0)
"""


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def compiled(function, *args):
    """What a function gives when its program runs."""
    traced = edl.function(function)
    traced(*args)
    return traced(*args)


@pytest.mark.parametrize("parts", [1, 2, 5])
@needs_pool
def test_each_part_runs_once(parts):
    numbers = np.zeros(1000)
    bounds = np.linspace(0, len(numbers), parts + 1).astype(int)
    tables = [np.array([*pair, native.address(numbers)], np.int64) for pair in itertools.pairwise(bounds)]
    team, place = pool.pool(), kernel(ADD).run.place
    table = team.table([(place, native.address(one)) for one in tables])
    for _ in range(300):
        team.together(native.address(table))
    assert (numbers == 300).all()


@needs_pool
def test_workers_that_sleep_are_woken():
    x = edl.constant(normal(400, 500))
    traced = edl.function(lambda x: edl.exp(x) * 2)
    expected = edl.exp(x) * 2
    for _ in range(3):
        threading.Event().wait(0.05)
        assert np.array_equal(traced(x), expected)


@needs_pool
def test_threads_that_ask_at_the_same_time_get_right_numbers():
    a, b = normal(200, 150), normal(150, 300, seed=1)
    traced = edl.function(lambda a, b: edl.exp(a @ b) * 2)
    expected, wrong = edl.exp(edl.constant(a) @ edl.constant(b)) * 2, []

    def work():
        for _ in range(30):
            if not (np.array_equal(a @ b, a @ b) and np.array_equal(traced(a, b), expected)):
                wrong.append(True)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert not wrong


@pytest.mark.parametrize(
    "code", ["", "x = np.ones((300, 300)); assert (x @ x == 300).all()"], ids=["first", "after BLAS"]
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_children_run_alone(code):
    """A child process has none of the threads, and neither programs nor BLAS wait for them."""
    program = f"""
import os, warnings
import numpy as np
import eagerdl as edl
warnings.simplefilter("ignore")  # Python's own, of forks of processes with threads
{code}
f = edl.function(lambda x: edl.exp(x @ x) * 2)
x = np.full((300, 300), 0.01, "float32")
expected = np.asarray(f(x))
assert np.array_equal(f(x), expected)
child = os.fork()
if not child:
    right = np.array_equal(f(x), expected) and np.allclose(x @ x, 0.03)
    os._exit(0 if right else 1)
assert os.waitpid(child, 0)[1] == 0
assert np.array_equal(f(x), expected)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_products_stay_the_same_when_the_pool_serves_blas():
    program = """
import numpy as np
import eagerdl as edl
from eagerdl.machine import pool
rng = np.random.default_rng(0)
pairs = [(rng.random((m, k)), rng.random((k, n))) for m, k, n in [(300, 200, 100), (32, 256, 1024), (7, 2000, 90), (513, 129, 257)]]
pairs += [(a.astype("float32"), b.astype("float32")) for a, b in pairs]
before = [a @ b for a, b in pairs]
pool.pool()
for _ in range(20):
    assert all(np.array_equal(a @ b, c) for (a, b), c in zip(pairs, before))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((12, 4, 64, 64), (12, 4, 64, 32)),
        ((3, 100, 40, 30), (30, 50)),
        ((1, 90, 33, 40), (8, 1, 40, 20)),
        ((500, 1, 30), (500, 30, 40)),
        ((2, 60, 50, 7), (2, 60, 7, 50)),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_stacks_of_products_are_shared(a, b, swapped):
    """Each product is that of NumPy, however matrices lie in memory."""
    a, b = normal(*a), normal(*b, seed=1)
    if swapped:
        a = np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2)
        b = np.ascontiguousarray(b.swapaxes(0, -2)).swapaxes(0, -2)

    def product(a, b):
        return (a + 0) @ (b * 1)

    a, b = edl.constant(a), edl.constant(b)
    assert np.array_equal(compiled(product, a, b), product(a, b))


def test_small_work_is_not_shared():
    assert shares.count(1e-7) == 1
    x, y = normal(4, 8, 8), normal(4, 8, 8)
    assert shares.stack_tables(x, y, x @ y) == []


def test_one_core_has_no_pool():
    program = """
import eagerdl as edl
from eagerdl.machine import pool
assert pool.pool() is None
f = edl.function(lambda x: edl.exp(x @ x))
x = edl.ones((200, 200)) / 200
f(x)
assert float(f(x)[0, 0]) == float(edl.exp(x @ x)[0, 0])
"""
    subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=120, env=os.environ | {"EAGERDL_NUM_THREADS": "1"}
    )
