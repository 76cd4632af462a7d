"""Derivatives where something is masked out, infeasible or tied: no NaN comes through, and ties have an owner."""

import numpy as np
import pytest

import eagerdl as edl


def test_queries_that_see_nothing_have_no_gradient_and_no_nan():
    rng = np.random.default_rng(0)
    q, k, v = (edl.constant(rng.standard_normal((1, 3, 1, 4))) for _ in range(3))
    mask = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], bool)
    grads = edl.grad(lambda q, k, v: (edl.dot_product_attention(q, k, v, mask=mask) ** 2).sum(), argnums=(0, 1, 2))(
        q, k, v
    )
    assert all(np.isfinite(g.numpy()).all() for g in grads)
    assert not grads[0].numpy()[0, 1].any()


def test_an_infinite_bias_masks_without_nan():
    x = edl.constant(np.random.default_rng(1).standard_normal((1, 3, 2, 4)))
    bias = np.where(np.tri(3, dtype=bool), 0.0, -np.inf)
    masked = edl.dot_product_attention(x, x, x, is_causal=True)
    np.testing.assert_allclose(edl.dot_product_attention(x, x, x, bias=bias).numpy(), masked.numpy(), rtol=1e-12)
    g = edl.grad(lambda x: (edl.dot_product_attention(x, x, x, bias=bias) ** 2).sum())(x)
    assert np.isfinite(g.numpy()).all()


def test_labels_that_do_not_fit_have_an_infinite_loss_and_no_gradient():
    logits = edl.constant(np.random.default_rng(2).standard_normal((2, 3, 4)))
    target, lengths, steps = [[1, 1, 2], [1, 2, 3]], [3, 3], [3, 3]
    loss = edl.ctc_loss(target, logits, lengths, steps).numpy()
    assert loss[0] == np.inf
    assert np.isfinite(loss[1])
    g = edl.grad(lambda x: edl.ctc_loss(target, x, lengths, steps)[1] + 0 * x.sum())(logits).numpy()
    np.testing.assert_array_equal(
        edl.vjp(lambda x: edl.ctc_loss(target, x, lengths, steps), logits)[1](edl.ones(2, "float64"))[0].numpy(), g
    )
    assert not g[0].any()


def test_the_ctc_loss_stays_finite_for_extreme_logits_and_long_sequences():
    rng = np.random.default_rng(3)
    logits = edl.constant((1e3 * rng.standard_normal((1, 400, 6))).astype("float32"))
    target = rng.integers(1, 6, (1, 30))
    value, g = edl.value_and_grad(lambda x: edl.ctc_loss(target, x, [30], [400]).sum())(logits)
    assert np.isfinite(float(value))
    assert np.isfinite(g.numpy()).all()


@pytest.mark.parametrize(("size", "strides", "padding"), [(2, 2, "valid"), (3, 1, "same"), (3, 2, "same")])
def test_the_first_of_equal_maxima_gets_the_gradient(size, strides, padding):
    x = np.random.default_rng(4).integers(0, 2, (2, 6, 5, 3)).astype("float64")
    g = edl.grad(lambda x: edl.max_pool(x, size, strides, padding).sum())(edl.constant(x)).numpy()
    first = x - 1e-6 * np.arange(30).reshape(6, 5, 1)  # earlier elements are a little larger
    want = edl.grad(lambda x: edl.max_pool(x, size, strides, padding).sum())(edl.constant(first)).numpy()
    np.testing.assert_array_equal(g, want)


def test_an_infinite_cotangent_reaches_the_maximum_alone():
    g = edl.vjp(lambda x: edl.max_pool(x, 2), edl.constant([[[1.0], [2.0]]]))[1](edl.constant([[[np.inf]]], "float32"))[
        0
    ]
    assert g.numpy().ravel().tolist() == [0.0, np.inf]


def test_convolutions_of_many_parts_agree_with_one_part(monkeypatch):
    """The input is worked on in parts that fit into the cache; where they are cut must not matter."""
    from eagerdl.kernels import convolution

    rng = np.random.default_rng(5)
    x = edl.constant(rng.standard_normal((5, 9, 7, 4)))
    for kernel, options in (
        ((3, 2, 4, 3), {}),
        ((3, 3, 2, 4), {"strides": 2}),
        ((2, 2, 1, 8), {}),
        ((3, 3, 4, 80), {"strides": 2}),
    ):
        w = edl.constant(rng.standard_normal(kernel))

        def all_of_it(x, w, options=options):
            return (edl.conv(x, w, padding="same", **options) ** 2).sum()

        whole = edl.value_and_grad(all_of_it, argnums=(0, 1))(x, w)
        for size in (1, 2000, 9000):
            monkeypatch.setattr(convolution, "CPU_CHUNK", size)
            value, grads = edl.value_and_grad(all_of_it, argnums=(0, 1))(x, w)
            monkeypatch.undo()
            np.testing.assert_allclose(float(value), float(whole[0]), rtol=1e-12)
            for got, want in zip(grads, whole[1], strict=True):
                np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-10, atol=1e-10)
