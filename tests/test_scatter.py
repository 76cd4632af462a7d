"""Scatter and segments: what rows of the op table cannot say."""

import numpy as np
import pytest

import eagerdl as edl


@pytest.mark.parametrize("name", ["segment_max", "segment_min"])
def test_empty_segments_leave_gradients_finite(name):
    x = edl.Variable([1.0, 5.0, 3.0])
    with edl.GradientTape() as outer:
        with edl.GradientTape() as tape:
            out = getattr(edl, name)(x, [0, 2, 2], 4)
            y = edl.sum(edl.where(edl.abs(out) < 10.0, out * out, 0.0))
        g = tape.gradient(y, x)
        total = edl.sum(g)
    wins = [1.0, 1.0, 0.0] if name == "segment_max" else [1.0, 0.0, 1.0]
    np.testing.assert_array_equal(g.numpy(), 2 * x.numpy() * wins)
    np.testing.assert_array_equal(outer.gradient(total, x).numpy(), 2 * np.array(wins))


def test_ties_within_a_segment_share_the_gradient():
    x = edl.Variable([2.0, 2.0, 1.0])
    with edl.GradientTape() as tape:
        y = edl.segment_max(x, [0, 0, 0])[0]
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), [0.5, 0.5, 0.0])


def test_only_the_last_of_several_writes_has_a_gradient():
    updates = edl.Variable([1.0, 2.0, 3.0])
    x = edl.Variable([0.0, 0.0, 7.0])
    with edl.GradientTape() as tape:
        y = edl.sum(edl.scatter_update(x, [[0], [1], [0]], updates) * [10.0, 20.0, 30.0])
    dx, du = tape.gradient(y, [x, updates])
    np.testing.assert_array_equal(dx.numpy(), [0.0, 0.0, 30.0])
    np.testing.assert_array_equal(du.numpy(), [0.0, 20.0, 10.0])


@pytest.mark.parametrize("size", [10, 3000])
def test_half_precision_is_summed_in_single(size):
    """A thousand ones in bfloat16 would stop at 256."""
    ones = edl.ones((size, 8), "bfloat16")
    assert float(edl.segment_sum(ones, np.zeros(size, "int32"), 1)[0, 0]) == float(edl.cast(size, "bfloat16"))


def test_the_sum_of_rows_does_not_depend_on_its_size():
    """Small and large sums take different ways to the same bits."""
    generator = np.random.default_rng(0)
    values, ids = generator.standard_normal((600, 40)).astype("float32"), generator.integers(0, 30, 600)
    whole = edl.segment_sum(values, ids, 30).numpy()
    columns = [edl.segment_sum(np.ascontiguousarray(values[:, i : i + 4]), ids, 30).numpy() for i in range(0, 40, 4)]
    np.testing.assert_array_equal(whole, np.concatenate(columns, axis=1))


def test_gather_and_scatter_are_transposes():
    generator = np.random.default_rng(0)
    x, ids = generator.standard_normal((50, 3)), generator.integers(0, 50, 200)
    g = generator.standard_normal((200, 3))
    left = float(edl.sum(edl.take(x, ids, axis=0) * g))
    right = float(edl.sum(edl.segment_sum(g, ids, 50) * x))
    assert left == pytest.approx(right, rel=1e-12)


def test_slices_of_a_tensor_keep_their_gradient_apart():
    x = edl.Variable(np.arange(6.0))
    with edl.GradientTape() as tape:
        y = edl.sum(x[1:4] * 2.0) + edl.sum(x[3:] * 5.0) + x[-1]
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), [0, 2, 2, 7, 5, 6])


def test_tensors_stand_in_every_part_of_an_index():
    x, two = edl.constant(np.arange(12).reshape(3, 4)), edl.constant(2)
    assert x[two, two].item() == 10
    assert x[:two].shape == (2, 4)
    assert x[..., :two:two].shape == (3, 1)
    np.testing.assert_array_equal(x[[two, 0], 1].numpy(), [9, 1])
    np.testing.assert_array_equal(x[x > 9].numpy(), [10, 11])
