"""Random numbers: the bits by known answers, streams, distributions by statistics, derivatives, errors.

Seeds are fixed, so that a statistical test that passes passes always.
"""

import copy
import inspect
import pickle
import threading

import numpy as np
import pytest
from scipy import special, stats

import eagerdl as edl
from eagerdl import devices
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.kernels import philox, variates
from eagerdl.kernels.philox import CHUNK, Stream
from eagerdl.ops import generators
from eagerdl.ops.generators import Generator, SeedGenerator
from eagerdl.ops.rejection import random_gamma

MASK = (1 << 64) - 1
FLOATS = ("float64", "float32", "float16", "bfloat16")


def philox_block(key, counter):
    """One block of Philox4x64-10 in plain Python, as the paper has it (Salmon et al., 2011)."""
    k0, k1 = key
    x = list(counter)
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
        x = [(p1 >> 64) ^ x[1] ^ k0, p1 & MASK, (p0 >> 64) ^ x[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return x


def blocks(key, counter, count):
    """Words of `count` blocks from a counter of 256 bits on."""
    out = []
    for c in range(counter, counter + count):
        out += philox_block(key, [c >> shift & MASK for shift in (0, 64, 128, 192)])
    return out


# The published known answers of Random123 for philox4x64-10: counter, key, block.
KNOWN = [
    ((0,) * 4, (0,) * 2, (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    ((MASK,) * 4, (MASK,) * 2, (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0)),
    ((0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89), (0x452821E638D01377,
        0xBE5466CF34E90C6C),
     (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6)),
]  # fmt: skip

# What draws from a seed: the function of the seed, for laws that hold for all of them.
DRAWS = {
    "uniform": lambda n, seed: edl.random.uniform((n,), seed=seed),
    "uniform64": lambda n, seed: edl.random.uniform((n,), -2.0, 3.0, dtype="float64", seed=seed),
    "normal": lambda n, seed: edl.random.normal((n,), seed=seed),
    "normal64": lambda n, seed: edl.random.normal((n,), 1.0, 2.0, dtype="float64", seed=seed),
    "truncated_normal": lambda n, seed: edl.random.truncated_normal((n,), seed=seed),
    "truncated_normal64": lambda n, seed: edl.random.truncated_normal((n,), dtype="float64", seed=seed),
    "randint": lambda n, seed: edl.random.randint((n,), -5, 1000, seed=seed),
    "randint_rejecting": lambda n, seed: edl.random.randint((n,), 0, 3 << 30, dtype="int64", seed=seed),
    "randint64": lambda n, seed: edl.random.randint((n,), -(2**62), 2**62 + 1, dtype="int64", seed=seed),
    "dropout": lambda n, seed: edl.random.dropout(edl.ones((n,)), 0.3, seed=seed),
    "categorical": lambda n, seed: edl.random.categorical(np.zeros((1, 5)), n, seed=seed),
    "gamma": lambda n, seed: edl.random.gamma((n,), 0.7, seed=seed),
    "gamma64": lambda n, seed: edl.random.gamma((n,), 2.5, dtype="float64", seed=seed),
    "binomial": lambda n, seed: edl.random.binomial((n,), 100, 0.4, seed=seed),
    "binomial_small": lambda n, seed: edl.random.binomial((n,), 7, 0.4, seed=seed),
}
OTHERS = {
    "beta": lambda n, seed: edl.random.beta((n,), 0.7, 2.0, seed=seed),
    "shuffle": lambda n, seed: edl.random.shuffle(np.arange(n), seed=seed),
}


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b))


# -- bits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_known_answers(counter, key, words):
    assert philox_block(key, counter) == list(words)
    arrays = [np.array([word, word], np.uint64) for word in counter]
    assert [array.tolist() for array in philox.philox(key, arrays)] == [[word, word] for word in words]


@pytest.mark.parametrize("seed", [0, 5, 2**64 + 3, 2**128 - 1])
def test_the_bits_of_a_draw_are_those_of_philox(seed):
    generator = Generator(seed)
    generator.skip(2**63)
    generator.skip(2**63 - 3)  # the counter runs over into its second word within the draw
    stream = Stream(generator.state._array, np)
    key = seed & MASK, seed >> 64
    assert stream.blocks(0, 6).tolist() == blocks(key, 2**64 - 3, 6)
    assert stream.bits(64, 7, 2).tolist() == blocks(key, 2**64 - 3, 6)[2:9]
    assert stream.blocks(1, 2, attempt=9, domain=1).tolist() == blocks(key, 2**64 - 2 + (9 << 128) + (1 << 192), 2)
    at = stream.lanes_at(np.array([5, 0, 2]), 1000, 4)
    assert at.ravel().tolist() == [w for i in (5, 0, 2) for w in blocks(key, 2**64 - 3 + i + (4 << 128), 1)]
    np.testing.assert_array_equal(at, stream.lanes_at(np.array([5, 0, 2]), 6, 4))  # few of many, and many of few
    np.testing.assert_array_equal(stream.lanes_at(np.array([1]), 1000, 4, 4), stream.lanes_at(np.array([5]), 1000, 4))


def test_draws_of_a_seed_generator_have_counters_of_their_own():
    seeds = SeedGenerator(7)
    for draw in range(3):
        assert Stream(seeds.next()._array, np).blocks(0, 2).tolist() == blocks((7, 0), draw << 64, 2)


def test_words_become_numbers_as_written_down():
    words = np.array(blocks((3, 0), 0, 2), np.uint64)
    halves = words.view(np.uint32)
    assert same(edl.random.uniform((16,), seed=3), (halves >> 8).astype("float32") * 2.0**-24)
    assert same(edl.random.uniform((8,), dtype="float64", seed=3), (words >> 11) * 2.0**-53)
    assert same(edl.random.randint((16,), 0, 2**32, dtype="int64", seed=3), halves)
    assert same(edl.random.randint((8,), 0, 2**64, dtype="uint64", seed=3), words)
    radius, angle = np.sqrt(-2 * np.log((words[0::2] + 0.5) * 2.0**-64)), 2 * np.pi * words[1::2] * 2.0**-64
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
    np.testing.assert_allclose(edl.random.normal((8,), dtype="float64", seed=3), pairs, rtol=1e-12)
    within = stats.truncnorm(-2, 2).ppf((halves + 0.5) * 2.0**-32)
    np.testing.assert_allclose(edl.random.truncated_normal((16,), seed=3), within, rtol=2e-6)


def test_numpys_global_state_is_left_alone():
    before = pickle.dumps(np.random.get_state())
    for draw in (DRAWS | OTHERS).values():
        draw(9, None)
    assert pickle.dumps(np.random.get_state()) == before


@pytest.mark.gpu
@pytest.mark.parametrize("name", DRAWS | OTHERS)
def test_the_gpu_draws_the_same(name):
    if not devices.gpu_count():
        pytest.skip("no GPU, or CuPy is not installed")
    want = (DRAWS | OTHERS)[name](1001, 11)
    with edl.device("gpu:0"):
        got = (DRAWS | OTHERS)[name](1001, 11)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.gpu
def test_the_gpu_makes_the_same_bits():
    if not devices.gpu_count():
        pytest.skip("no GPU, or CuPy is not installed")
    xp = devices.cupy()
    for state in (np.array([5, 3], np.uint32), np.array([5, 9, 2**64 - 2], np.uint64)):
        cpu, gpu = Stream(state, np), Stream(state, xp)
        for width in (16, 32, 64):
            np.testing.assert_array_equal(gpu.bits(width, 1001, 3, 1).get(), cpu.bits(width, 1001, 3, 1))
            index = np.array([7, 0, 900])
            np.testing.assert_array_equal(
                gpu.bits_at(width, xp.asarray(index), 1001, 2).get(), cpu.bits_at(width, index, 1001, 2)
            )
        np.testing.assert_array_equal(
            gpu.lanes_at(xp.asarray([3, 1]), 9, 1, 5).get(), cpu.lanes_at(np.array([3, 1]), 9, 1, 5)
        )


# -- streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWS | OTHERS)
def test_seeds_decide(name):
    draw = (DRAWS | OTHERS)[name]
    a = draw(40, 5)
    assert same(a, draw(40, 5))
    assert not same(a, draw(40, 6))
    for make in (SeedGenerator, Generator):
        stream = make(5)
        assert same(a, draw(40, stream))
        assert not same(a, draw(40, stream))
    assert same(a, draw(40, SeedGenerator(5).next()))
    assert same(a, draw(40, Generator(5).state))
    assert same(a, draw(40, np.int64(5)))


@pytest.mark.parametrize("count", [1, 2, 7, CHUNK // 16 + 3])
@pytest.mark.parametrize("name", DRAWS)
def test_a_shorter_draw_is_the_beginning_of_a_longer_one(name, count):
    longer = DRAWS[name](count + 1001, 5).numpy()
    assert same(longer.ravel()[:count], DRAWS[name](count, 5).numpy().ravel())


@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal", "uniform64", "normal64"])
def test_chunks_leave_no_trace(name, monkeypatch):
    whole = DRAWS[name](5000, 5)
    monkeypatch.setattr(philox, "CHUNK", 512)
    assert same(whole, DRAWS[name](5000, 5))


def test_draws_of_a_generator_do_not_overlap():
    generator = Generator(3)
    parts = [generator.uniform((n,), dtype="float64").numpy() for n in (1, 5, 4, 7)]
    together = Generator(3).uniform((24,), dtype="float64").numpy()  # each draw begins with a block of four
    assert same(
        np.concatenate([parts[0], parts[1], parts[2], parts[3]]),
        together[[0, *range(4, 9), *range(12, 16), *range(16, 23)]],
    )
    assert generator.state.tolist() == [3, 0, 6]


@pytest.mark.parametrize("name", DRAWS | OTHERS)
def test_a_pickle_or_copy_goes_on_mid_stream(name):
    draw = (DRAWS | OTHERS)[name]
    for make in (Generator, SeedGenerator):
        stream = make(5)
        draw(13, stream)
        twins = [pickle.loads(pickle.dumps(stream)), copy.deepcopy(stream)]
        want = [draw(13, stream), draw(13, stream)]
        for twin in twins:
            assert same(want[0], draw(13, twin))
            assert same(want[1], draw(13, twin))


def test_the_state_is_the_stream():
    seeds = SeedGenerator(2**32 - 1, name="mine")
    assert (seeds.state.dtype, seeds.state.shape, seeds.state.trainable) == ("uint32", (2,), False)
    edl.random.normal((2,), seed=seeds)
    saved = seeds.state.numpy()
    assert saved.tolist() == [2**32 - 1, 1]
    want = edl.random.normal((2,), seed=seeds)
    seeds.state.assign(saved)
    assert same(edl.random.normal((2,), seed=seeds), want)
    seeds.next(ordered=False)
    assert seeds.state.tolist() == [2**32 - 1, 3]
    assert SeedGenerator.from_config(seeds.get_config()).state.tolist() == [2**32 - 1, 0]
    assert seeds.get_config() == {"seed": 2**32 - 1, "name": "mine"}
    generator = Generator(9)
    generator.normal((5,))
    again = copy.copy(generator)
    assert repr(again) == repr(generator) == "Generator(key=0x9, counter=1)"
    assert same(again.uniform((3,)), generator.uniform((3,)))
    assert repr(SeedGenerator(4)) == "SeedGenerator(seed=4, draws=0, name='seed_generator')"


def test_split_gives_independent_streams():
    parent = Generator(3)
    children = parent.split(3)
    again = Generator(3).split(3)
    draws = [child.normal((1000,), dtype="float64").numpy() for child in children]
    assert all(same(a, b.normal((1000,), dtype="float64")) for a, b in zip(draws, again, strict=True))
    assert np.abs(np.corrcoef([*draws, parent.normal((1000,), dtype="float64").numpy()]) - np.eye(4)).max() < 0.1
    assert len({child.state.numpy().tobytes() for child in [*children, *parent.split(2)]}) == 5


def test_set_seed_makes_everything_without_a_seed_repeat():
    def run():
        edl.utils.set_random_seed(17)
        out = [draw(5, None) for draw in (DRAWS | OTHERS).values()]
        return [
            *out,
            edl.random.normal((3,), seed=SeedGenerator()),
            Generator().uniform((3,)),
            edl.random.uniform((3,)),
        ]

    first, second = run(), run()
    assert all(map(same, first, second))
    assert not same(edl.random.uniform((3,)), edl.random.uniform((3,)))
    edl.random.set_seed(17)
    assert not same(edl.random.uniform((9,)), edl.random.uniform((9,), seed=17))


def test_without_a_seed_the_system_gives_entropy(monkeypatch):
    states = []
    for _ in range(2):
        monkeypatch.setattr(generators, "_global", None)
        states.append(edl.random.get_global_generator().state.numpy())
    assert not same(*states)
    assert edl.random.get_global_generator() is edl.random.get_global_generator()


@pytest.mark.parametrize(
    "make", [lambda: None, lambda: Generator(1), lambda: SeedGenerator(1)], ids=["global", "Generator", "SeedGenerator"]
)
def test_threads_get_disjoint_numbers(make):
    seed, found, lock = make(), [], threading.Lock()

    def work():
        mine = np.concatenate([edl.random.uniform((5,), dtype="float64", seed=seed).numpy() for _ in range(50)])
        with lock:
            found.append(mine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(np.unique(np.concatenate(found))) == 8 * 50 * 5


# -- distributions ------------------------------------------------------------------------------


def assert_distributed(x, distribution):
    x = np.asarray(x.numpy() if hasattr(x, "numpy") else x, "float64").ravel()
    assert np.isfinite(x).all()
    assert stats.kstest(x, distribution.cdf).pvalue > 1e-3
    spread = distribution.std() / np.sqrt(len(x))
    assert abs(x.mean() - distribution.mean()) < 4 * spread
    assert abs(x.var() / distribution.var() - 1) < 0.1


def assert_counts(x, distribution):
    """Chi-squared over cells of enough expected hits."""
    x = np.sort(x.numpy().astype("int64").ravel())
    edges = np.unique(np.linspace(distribution.ppf(1e-3), distribution.ppf(1 - 1e-3), 40).astype("int64"))
    expected = np.diff(np.concatenate([[0], distribution.cdf(edges), [1]])) * len(x)
    observed = np.diff(np.concatenate([[0], np.searchsorted(x, edges, "right"), [len(x)]]))
    cells = expected > 5
    assert stats.chi2.sf(((observed - expected)[cells] ** 2 / expected[cells]).sum(), cells.sum() - 1) > 1e-3
    assert x.min() >= distribution.support()[0]
    assert x.max() <= distribution.support()[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_continuous_distributions(dtype):
    n = (200, 250)
    assert_distributed(edl.random.uniform(n, -2.0, 3.0, dtype, seed=1), stats.uniform(-2, 5))
    assert_distributed(edl.random.normal(n, 2.0, 0.5, dtype, seed=2), stats.norm(2, 0.5))
    assert_distributed(edl.random.truncated_normal(n, 1.0, 3.0, dtype, seed=3), stats.truncnorm(-2, 2, 1, 3))
    for alpha in (0.2, 1.0, 2.5, 50.0, 1e6):
        assert_distributed(edl.random.gamma(n, alpha, dtype, seed=4), stats.gamma(alpha))
    for a, b in ((0.5, 0.5), (2.0, 3.0), (1.0, 1.0), (100.0, 0.3 if dtype == "float64" else 30.0)):
        assert_distributed(edl.random.beta(n, a, b, dtype, seed=5), stats.beta(a, b))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_distributions(dtype):
    x = edl.random.normal((20000,), dtype=dtype, seed=1).astype("float64").numpy()
    assert abs(x.mean()) < 0.03
    assert abs(x.std() - 1) < 0.03
    x = edl.random.gamma((20000,), 3.0, dtype=dtype, seed=1).astype("float64").numpy()
    assert abs(x.mean() - 3) < 0.05


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (5, 0.9), (20, 0.5), (25, 0.4), (25, 0.6), (100, 0.09), (100, 0.11),
    (1000, 0.5), (10**7, 0.3), (10**9, 1e-9),
                                      (10**12, 0.5)])  # fmt: skip
def test_binomial_is_exact(n, p):
    assert_counts(edl.random.binomial((40000,), n, p, dtype="int64", seed=1), stats.binom(n, p))


def test_binomial_at_the_edges():
    counts, probabilities = edl.constant([0.0, 9.0, 9.0, 5e6, 5e6]), edl.constant([0.5, 0.0, 1.0, 0.0, 1.0])
    out = edl.random.binomial((3, 5), counts, probabilities, seed=1)
    assert same(out, [[0, 0, 9, 0, 5e6]] * 3)
    assert out.dtype == "float32"
    assert edl.random.binomial((2,), 3, 0.5, dtype="int8", seed=1).dtype == "int8"


@pytest.mark.parametrize(("low", "high", "dtype"), [(-3, 4, "int8"), (0, 256, "uint8"), (-100, 1000, "int32"), (0,
    3 << 30, "uint32"), (-(2**31), 2**31, "int32"),
                                                    (0, (1 << 32) + 1, "int64"), (-(2**63), 2**63, "int64"), (5,
                                                        3 * 2**61, "uint64")])  # fmt: skip
def test_integers_are_uniform(low, high, dtype):
    x = edl.random.randint((40000,), low, high, dtype, seed=1)
    assert x.dtype == dtype
    values = [(v - low) / (high - low) for v in x.tolist()]
    assert 0 <= min(values) <= max(values) < 1
    if high - low <= 256:
        counts = np.bincount(np.array(x.tolist()) - low, minlength=high - low)
        assert stats.chisquare(counts).pvalue > 1e-3
    else:
        assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_integers_of_one_value_and_scalar_tensors():
    assert edl.random.randint((), 7, 8, seed=1).item() == 7
    assert edl.random.randint((2,), edl.constant(3), np.int64(4), seed=1).tolist() == [3, 3]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 2.0), (-1.0, 0.0), (-3.0, 5.0)])
def test_uniform_numbers_stay_below_the_upper_bound(dtype, low, high):
    for bounds in ((low, high), (edl.constant(low), edl.constant(high))):
        x = edl.random.uniform((200000,), *bounds, dtype=dtype, seed=1)
        assert x.dtype == dtype
        x = x.numpy().astype("float64")
        assert low <= x.min()
        assert x.max() < high
        assert abs(x.mean() - (low + high) / 2) < 0.02 * (high - low)
    assert same(edl.random.uniform((3,), 2.0, 2.0, dtype=dtype, seed=1).astype("float64"), [2.0] * 3)


def test_ones_never_come_even_where_all_bits_are_set():
    bits = np.full(4, 2**32 - 1, np.uint32)
    out = np.empty(4, np.float32)
    variates._unit32(bits, out)
    assert out.max() == 1 - 2.0**-24
    out = np.empty(4, np.float64)
    variates._unit64(np.full(4, MASK, np.uint64), out)
    assert out.max() == 1 - 2.0**-53
    for bits, out in ((np.zeros(4, np.uint32), np.empty(4, np.float32)), (np.full(4, MASK, np.uint64), np.empty(4))):
        variates._box_muller(bits, out)
        assert np.isfinite(out).all()


def test_categorical_follows_the_logits():
    p = np.array([[0.1, 0.2, 0.0, 0.7], [0.25, 0.25, 0.25, 0.25]])
    for dtype in FLOATS:
        logits = edl.cast(np.log(p, where=p > 0, out=np.full_like(p, -np.inf)) + 3.0, dtype)
        x = edl.random.categorical(logits, 20000, seed=1)
        assert (x.shape, x.dtype) == ((2, 20000), "int32")
        for row, want in zip(x.numpy(), p, strict=True):
            counts = np.bincount(row, minlength=4)
            assert counts[want == 0].sum() == 0
            tolerance = 1e-3 if dtype in ("float32", "float64") else 1e-8
            assert stats.chisquare(counts[want > 0], want[want > 0] * 20000).pvalue > tolerance
    assert edl.random.categorical(logits, 0, seed=1).shape == (2, 0)
    assert edl.random.categorical(np.zeros((0, 3)), 2, dtype="int64", seed=1).dtype == "int64"


def test_categorical_in_pieces_is_the_same(monkeypatch):
    logits = np.random.default_rng(0).normal(size=(3, 11))
    whole = edl.random.categorical(logits, 50, seed=1)
    monkeypatch.setattr(variates, "CHUNK", 2)
    assert same(whole, edl.random.categorical(logits, 50, seed=1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_drops_and_scales(dtype):
    x = edl.cast(edl.ones((100, 1000)), dtype)
    out = edl.random.dropout(x, 0.25, seed=1)
    assert out.dtype == dtype
    values = out.numpy().astype("float64")
    assert np.allclose(np.unique(values), [0, 1 / 0.75], rtol=1e-2)
    assert abs((values == 0).mean() - 0.25) < 0.006
    assert same(edl.random.dropout(x, 0, seed=1), x)
    assert not edl.random.dropout(x, 1, seed=1).numpy().astype(bool).any()


def test_dropout_rates_are_exact_to_more_bits_than_decide_at_once():
    stream = Stream(np.array([1, 0], np.uint32), np)
    tiny = variates.keep(stream, (2_000_000,), 1e-5)  # less than one step of 16 bits
    assert 5 <= (~tiny).sum() <= 40


def test_dropout_shares_its_mask():
    out = edl.random.dropout(edl.ones((4, 3, 50)), 0.5, noise_shape=(None, 1, 50), seed=1).numpy()
    assert (out == out[:, :1]).all()
    assert 0.3 < (out[:, 0] == 0).mean() < 0.7
    out = edl.random.dropout(edl.ones((4, 50)), 0.5, noise_shape=(1, None), seed=1).numpy()
    assert (out == out[:1]).all()


def test_dropout_stops_infinities():
    x = edl.constant([np.inf, np.nan] * 50)
    assert np.isfinite(edl.random.dropout(x, 1.0).numpy()).all()
    with edl.GradientTape() as tape:
        tape.watch(x)
        y = edl.random.dropout(x, 0.5, seed=1).sum()
    assert set(tape.gradient(y, x).tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_shuffle_moves_whole_slices(axis):
    x = np.arange(60).reshape(3, 4, 5)
    out = edl.random.shuffle(x, axis=axis, seed=2).numpy()
    key = [np.moveaxis(a, axis, 0).reshape(x.shape[axis], -1).tolist() for a in (x, out)]
    assert sorted(key[1]) == key[0]
    assert edl.random.shuffle(np.zeros((0, 2)), seed=1).shape == (0, 2)


def test_shuffle_reaches_all_orders_alike():
    generator = Generator(1)
    orders = [tuple(generator.shuffle(np.arange(3)).tolist()) for _ in range(3000)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_parameters_broadcast_to_the_shape():
    mean = edl.constant([[0.0], [100.0]])
    x = edl.random.normal((2, 3), mean=mean, stddev=edl.constant([0.0, 1.0, 2.0]), seed=1)
    assert same(x[:, 0], mean[:, 0])
    assert edl.random.gamma((2, 3), alpha=[1.0, 2.0, 3.0], seed=1).shape == (2, 3)
    assert edl.random.beta((2, 3), alpha=[[1.0], [2.0]], beta=np.ones(3), seed=1).shape == (2, 3)
    assert edl.random.uniform((2, 2), minval=[1.0, 5.0], maxval=[2.0, 6.0], seed=1).numpy()[:, 1].min() >= 5


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3), 4, [2, 2]])
@pytest.mark.parametrize("dtype", [None, *FLOATS])
def test_shapes_and_dtypes(shape, dtype):
    want = tuple(shape) if not isinstance(shape, int) else (shape,)
    for draw in (
        lambda: edl.random.uniform(shape, dtype=dtype),
        lambda: edl.random.uniform(shape, -1, 1, dtype=dtype),
        lambda: edl.random.normal(shape, dtype=dtype),
        lambda: edl.random.truncated_normal(shape, dtype=dtype),
        lambda: edl.random.gamma(shape, 0.5, dtype=dtype),
        lambda: edl.random.beta(shape, 0.5, 2.0, dtype=dtype),
        lambda: edl.random.binomial(shape, 30, 0.5, dtype=dtype),
    ):
        x = draw()
        assert (x.shape, x.dtype) == (want, dtype or "float32")
    assert edl.random.randint(shape, 0, 5).shape == want
    assert edl.random.dropout(edl.ones(want), 0.5).shape == want


# -- derivatives --------------------------------------------------------------------------------


def test_draws_are_differentiable_in_their_parameters():
    a, b, x = np.array([[0.5], [2.0]]), np.array([1.0, 3.0, 2.0]), np.linspace(-1, 2, 6).reshape(2, 3)
    for f, args in (
        (lambda a, b: edl.random.normal((2, 3), a, b, "float64", seed=1) ** 2, (a, b)),
        (lambda a, b: edl.random.truncated_normal((2, 3), a, b, "float64", seed=1) ** 2, (a, b)),
        (lambda a, b: edl.random.uniform((2, 3), -a, b, "float64", seed=1) ** 2, (a, b)),
        (lambda x: edl.random.dropout(x, 0.4, seed=1) ** 2, (x,)),
        (lambda x: edl.random.dropout(x, 1.0) + x**2, (x,)),
        (lambda x: edl.random.shuffle(x, axis=1, seed=2) ** 2 * x, (x,)),
    ):
        edl.check_grads(f, args, order=2)


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.3, 1.0, 3.0, 20.0, 1e4])
def test_gamma_samples_move_as_quantiles_do(alpha):
    """Implicit reparameterization: the derivative is that of the quantile function at a fixed probability."""
    n = 200
    a = edl.constant(np.full(n, alpha))
    state = Generator(3).state.value

    def slope(log):
        with edl.GradientTape() as tape:
            tape.watch(a)
            x = random_gamma(a, state, np.dtype("float64"), log, 0)
            total = x.sum()
        return x.numpy(), tape.gradient(total, a).numpy()

    x, dx = slope(False)
    logx, dlogx = slope(True)
    np.testing.assert_allclose(np.where(x > 0, x * dlogx, 0), dx, rtol=1e-6, atol=1e-300)
    h = 1e-4 * min(alpha, np.sqrt(alpha))
    p, q = special.gammainc(alpha, x), special.gammaincc(alpha, x)
    good = (p > 1e-3) & (q > 1e-3) & (x > 1e-8)
    assert good.sum() > 20 or alpha < 0.1

    def quantile(b):
        return np.where(p < 0.5, special.gammaincinv(b, p), special.gammainccinv(b, q))

    want = (8 * (quantile(alpha + h) - quantile(alpha - h)) - quantile(alpha + 2 * h) + quantile(alpha - 2 * h)) / (
        12 * h
    )
    np.testing.assert_allclose(dx[good], want[good], rtol=1e-4)
    small = logx < -40  # there F(x) = x**alpha / gamma(alpha + 1): log x = (log p + log gamma(alpha + 1)) / alpha
    np.testing.assert_allclose(dlogx[small], (special.digamma(alpha + 1) - logx[small]) / alpha, rtol=1e-9)


def test_expectations_have_the_right_gradients():
    """d E[x] / d alpha of gamma is 1; d E[x] / d alpha of beta is b / (a + b)**2."""
    alpha = edl.constant([0.4, 2.0, 9.0])
    with edl.GradientTape() as tape:
        tape.watch(alpha)
        mean = edl.random.gamma((50000, 3), alpha, seed=1).mean(0).sum()
    np.testing.assert_allclose(tape.gradient(mean, alpha), [1, 1, 1], rtol=0.03)
    a, b = edl.constant([0.5, 3.0]), edl.constant([2.0, 1.5])
    with edl.GradientTape() as tape:
        tape.watch([a, b])
        mean = edl.random.beta((50000, 2), a, b, dtype="float64", seed=1).mean(0).sum()
    da, db = tape.gradient(mean, [a, b])
    total = (a.numpy() + b.numpy()) ** 2
    np.testing.assert_allclose(da, b.numpy() / total, rtol=0.03)
    np.testing.assert_allclose(db, -a.numpy() / total, rtol=0.03)
    _, tangent = edl.jvp(lambda a: edl.random.gamma((3,), a, seed=1), (alpha,), (edl.ones(3),))
    with edl.GradientTape() as tape:
        tape.watch(alpha)
        x = edl.random.gamma((3,), alpha, seed=1).sum()
    np.testing.assert_allclose(tangent, tape.gradient(x, alpha), rtol=1e-6)


def test_a_second_derivative_of_gamma_says_that_there_is_none():
    alpha = edl.constant(2.0)
    with edl.GradientTape() as outer:
        outer.watch(alpha)
        with edl.GradientTape() as inner:
            inner.watch(alpha)
            x = edl.random.gamma((), alpha, seed=1)
        slope = inner.gradient(x, alpha)
    with pytest.raises(ArgumentError, match=r"\[gamma\] samples have a first derivative by alpha, no second one"):
        outer.gradient(slope, alpha)


# -- signatures and errors ------------------------------------------------------------------------


def test_signatures_are_those_of_keras():
    want = {
        "normal": "(shape, mean=0.0, stddev=1.0, dtype=None, seed=None)",
        "uniform": "(shape, minval=0.0, maxval=1.0, dtype=None, seed=None)",
        "randint": "(shape, minval, maxval, dtype='int32', seed=None)",
        "categorical": "(logits, num_samples, dtype='int32', seed=None)",
        "truncated_normal": "(shape, mean=0.0, stddev=1.0, dtype=None, seed=None)",
        "dropout": "(inputs, rate, noise_shape=None, seed=None)",
        "shuffle": "(x, axis=0, seed=None)",
        "gamma": "(shape, alpha, dtype=None, seed=None)",
        "beta": "(shape, alpha, beta, dtype=None, seed=None)",
        "binomial": "(shape, counts, probabilities, dtype=None, seed=None)",
    }
    for name, signature in want.items():
        assert str(inspect.signature(getattr(edl.random, name))) == signature
        method = str(inspect.signature(getattr(Generator, name)))
        assert method == signature.replace("(", "(self, ").replace(", seed=None", "")
    assert str(inspect.signature(SeedGenerator)) == "(seed=None, name=None, **kwargs)"
    assert {*want, "SeedGenerator", "Generator"} <= set(edl.random.__all__)


R = edl.random
FAILURES = [
    (lambda: R.normal((2,), stddev=-1.0), ArgumentError,
        r"\[normal\] stddev must not be negative; got stddev=-1.0; use abs"),
    (lambda: R.normal((2,), stddev=edl.constant([1.0, -1.0])), ArgumentError, r"stddev with values from -1.0 to 1.0"),
    (lambda: R.truncated_normal((2,), stddev=-1.0), ArgumentError, r"\[truncated_normal\] stddev must not be negative"),
    (lambda: R.normal((2,), dtype="int32"), DTypeError, r"\[normal\] a floating dtype is needed; got int32"),
    (lambda: R.normal((2,), dtype="complex64"), DTypeError, r"\[normal\] a floating dtype is needed"),
    (lambda: R.normal((2,), mean=np.zeros(3)), ShapeError,
        r"\[normal\] mean must broadcast.*mean \(3,\), shape \(2,\)"),
    (lambda: R.normal((2,), mean=1j), DTypeError, r"\[normal\] mean must be real"),
    (lambda: R.normal((2,), mean="a"), DTypeError, r"str 'a'"),
    (lambda: R.normal((-1,)), ShapeError, r"\[normal\] sizes must not be negative; got shape \(-1,\)"),
    (lambda: R.normal(2.5), DTypeError, r"\[normal\] a shape is an int or a sequence of ints"),
    (lambda: R.uniform((2,), dtype="int32"), DTypeError, r"\[uniform\] a floating dtype.*randint for integers"),
    (lambda: R.uniform((2,), dtype="float99"), DTypeError, r"\[uniform\] a dtype that tensors can hold"),
    (lambda: R.uniform((2,), 2.0, 1.0), ArgumentError, r"\[uniform\] minval must be at most maxval"),
    (lambda: R.uniform((2,), 0.0, np.inf), ArgumentError, r"\[uniform\].*finite"),
    (lambda: R.uniform((2,), 0.0, 1e6, dtype="float16"), ArgumentError, r"\[uniform\].*finite in float16"),
    (lambda: R.uniform((2,), np.nan, 1.0), ArgumentError, r"\[uniform\]"),
    (lambda: R.uniform((2,), [1.0, 2.0], [2.0, 1.0]), ArgumentError, r"\[uniform\] minval must be at most"),
    (lambda: R.uniform((2,), np.zeros((3, 2)), 1.0), ShapeError, r"\[uniform\] minval must broadcast"),
    (lambda: R.randint((2,), 5, 5), ArgumentError,
        r"\[randint\] minval must be less than maxval; got minval=5, maxval=5"),
    (lambda: R.randint((2,), 0, 300, dtype="int8"), ArgumentError, r"\[randint\] all integers.*must fit into int8"),
    (lambda: R.randint((2,), -1, 3, dtype="uint8"), ArgumentError, r"must fit into uint8"),
    (lambda: R.randint((2,), 0, 3, dtype="float32"), DTypeError,
        r"\[randint\] an integer dtype is needed; got float32"),
    (lambda: R.randint((2,), 0, 3.5), DTypeError, r"\[randint\] maxval is an integer; got 3.5"),
    (lambda: R.categorical(np.zeros(3), 2), ShapeError, r"\[categorical\] logits must have shape.*got \(3,\)"),
    (lambda: R.categorical(np.zeros((2, 0)), 2), ShapeError, r"\[categorical\] logits must have shape"),
    (lambda: R.categorical(np.zeros((2, 2)), -1), ArgumentError, r"\[categorical\] num_samples must not be negative"),
    (lambda: R.categorical(np.zeros((2, 2)), 1.5), DTypeError, r"\[categorical\] num_samples is an integer"),
    (lambda: R.categorical(np.full((2, 2), np.nan), 1), ArgumentError, r"\[categorical\] logits must not be NaN"),
    (lambda: R.categorical(np.full((2, 2), -np.inf), 1), ArgumentError, r"one of each row above -inf"),
    (lambda: R.categorical(np.zeros((2, 2)), 1, dtype="float32"), DTypeError, r"\[categorical\] an integer dtype"),
    (lambda: R.categorical(np.zeros((2, 2), complex), 1), DTypeError, r"\[categorical\] logits must be real"),
    (lambda: R.dropout(edl.ones(3), 1.5), ArgumentError, r"\[dropout\] rate lies between 0 and 1; got rate=1.5"),
    (lambda: R.dropout(edl.ones(3), -0.1), ArgumentError, r"\[dropout\] rate lies between"),
    (lambda: R.dropout(edl.ones(3), np.nan), ArgumentError, r"\[dropout\] rate lies between"),
    (lambda: R.dropout(edl.ones(3), "half"), DTypeError, r"\[dropout\] rate is a number; got 'half'"),
    (lambda: R.dropout(edl.ones((3, 2)), 0.5, noise_shape=(3, 3)), ShapeError,
        r"\[dropout\] noise_shape must broadcast.*\(3, 3\)"),
    (lambda: R.dropout(edl.ones(3), 0.5, noise_shape=(1, 1, 3)), ShapeError, r"\[dropout\] noise_shape must broadcast"),
    (lambda: R.shuffle(edl.ones((3, 2)), axis=2), ShapeError, r"\[shuffle\] axis must name one of the 2 axes"),
    (lambda: R.shuffle(1.0), ShapeError, r"\[shuffle\] axis must name one of the 0 axes"),
    (lambda: R.gamma((2,), 0.0), ArgumentError, r"\[gamma\] alpha must be positive; got alpha=0.0"),
    (lambda: R.gamma((2,), [1.0, np.inf]), ArgumentError, r"\[gamma\] alpha must be positive"),
    (lambda: R.gamma((2,), 1.0, dtype="int32"), DTypeError, r"\[gamma\] a floating dtype"),
    (lambda: R.beta((2,), 1.0, -1.0), ArgumentError, r"\[beta\] beta must be positive; got beta=-1.0"),
    (lambda: R.beta((2,), np.ones(3), 1.0), ShapeError, r"\[beta\] alpha must broadcast"),
    (lambda: R.binomial((2,), 3, 1.5), ArgumentError,
        r"\[binomial\] probabilities lie between 0 and 1; got probabilities=1.5"),
    (lambda: R.binomial((2,), -3, 0.5), ArgumentError, r"\[binomial\] counts must be whole"),
    (lambda: R.binomial((2,), 2.5, 0.5), ArgumentError, r"\[binomial\] counts must be whole"),
    (lambda: R.binomial((2,), 3, 0.5, dtype="bool"), DTypeError, r"\[binomial\] a floating or integer dtype"),
    (lambda: R.uniform((2,), seed=1.5), DTypeError, r"\[uniform\] a seed is None, an int.*got float 1.5"),
    (lambda: R.uniform((2,), seed=True), DTypeError, r"\[uniform\] a seed is None"),
    (lambda: R.uniform((2,), seed="a"), DTypeError, r"\[uniform\] a seed is None"),
    (lambda: R.uniform((2,), seed=-1), ArgumentError, r"\[uniform\] a seed lies between 0 and 2\*\*128 - 1; got -1"),
    (lambda: R.uniform((2,), seed=edl.ones(2)), DTypeError,
        r"\[uniform\] a seed tensor is what SeedGenerator.next\(\) gives"),
    (lambda: R.SeedGenerator(-1), ArgumentError, r"\[SeedGenerator\] a seed lies between 0 and 2\*\*32 - 1"),
    (lambda: R.SeedGenerator(2**32), ArgumentError, r"\[SeedGenerator\].*use seed % 2\*\*32"),
    (lambda: R.SeedGenerator("a"), DTypeError, r"\[SeedGenerator\] a seed is an int; got str 'a'"),
    (lambda: R.SeedGenerator(1, color="red"), ArgumentError,
        r"\[SeedGenerator\] the arguments are seed and name; got color"),
    (lambda: R.Generator(1.5), DTypeError, r"\[Generator\] a seed is an int"),
    (lambda: R.Generator(2**128), ArgumentError, r"\[Generator\] a seed lies between"),
    (lambda: R.Generator(1).split(0), ArgumentError, r"\[split\] at least one generator"),
    (lambda: R.Generator(1).split(1.5), DTypeError, r"\[split\] n is an integer"),
    (lambda: R.Generator(1).skip(-1), ArgumentError, r"\[skip\] blocks must not be negative"),
    (lambda: R.Generator.from_state([1, 2, 3]), DTypeError, r"\[Generator.from_state\] a state is uint64; got int32"),
    (lambda: R.Generator.from_state(np.zeros(2, "uint64")), ShapeError,
        r"\[Generator.from_state\] a state has shape \(3,\)"),
    (lambda: R.set_seed(-1), ArgumentError, r"\[set_random_seed\] a seed lies between 0 and 2\*\*64 - 1"),
    (lambda: R.set_seed(None), DTypeError, r"\[set_random_seed\] a seed is an int"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), FAILURES, ids=[row[2][:50] for row in FAILURES])
def test_wrong_arguments_get_the_message(call, error, match):
    with pytest.raises(error, match=match) as caught:
        call()
    assert str(caught.value).startswith("[")


def test_a_refused_draw_takes_no_numbers():
    generator = Generator(1)
    for call in (
        lambda: generator.normal((2,), stddev=-1.0),
        lambda: generator.randint((2,), 3, 3),
        lambda: generator.dropout(edl.ones(2), 2.0),
    ):
        with pytest.raises(ArgumentError):
            call()
    assert generator.state.tolist() == [1, 0, 0]
