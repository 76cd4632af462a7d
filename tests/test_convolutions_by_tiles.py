"""Convolutions by kernels of our own, beside those by columns: values, layouts, bands, processors, threads."""

import itertools

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.kernels import convolution
from eagerdl.machine import convolutions, products, shares
from eagerdl.ops.convolution import window_of

pytestmark = pytest.mark.skipif(products.shape() is None, reason="this processor has no fused multiply-adds")

# (batch, sizes, channels, kernel, filters, strides, padding, groups)
CASES = {
    "same": (3, (9, 7), 8, (3, 3), 16, 1, "same", 1),
    "valid": (2, (9, 7), 5, (2, 3), 32, 1, "valid", 1),
    "strides": (3, (11, 10), 4, (3, 3), 16, 2, "same", 1),
    "strides beyond the kernel": (2, (11, 13), 4, (2, 2), 16, (3, 4), "valid", 1),
    "uneven strides": (2, (8, 9), 3, (5, 3), 48, (1, 2), "same", 1),
    "one channel": (2, (12, 12), 1, (3, 3), 32, 1, "same", 1),
    "few filters": (2, (6, 6), 7, (3, 3), 8, 1, "same", 1),
    "fewer": (2, (6, 6), 7, (3, 3), 4, 1, "valid", 1),
    "a row": (4, (20,), 6, (5,), 16, 1, "same", 1),
    "a row with strides": (4, (21,), 6, (4,), 16, 3, "valid", 1),
    "causal": (4, (20,), 6, (5,), 16, 1, "causal", 1),
    "one output": (5, (3, 3), 4, (3, 3), 16, 1, "valid", 1),
    "a kernel larger than the image": (3, (2, 2), 4, (5, 5), 16, 1, "same", 1),
    "pixels": (3, (5, 5), 8, (1, 1), 16, 2, "same", 1),
    "groups": (3, (7, 8), 12, (3, 3), 48, 1, "same", 3),
    "groups of a row": (3, (17,), 8, (3,), 32, 2, "valid", 2),
    "channels apart": (3, (9, 7), 20, (3, 3), 20, 1, "same", 20),
    "channels apart with strides": (3, (9, 12), 16, (3, 2), 16, 2, "same", 16),
    "channels of a row apart": (3, (15,), 5, (4,), 5, 1, "causal", 5),
}
# Rows of a large and of a small tile, vectors, lanes; those that this processor has.
SHAPES = [one for _, one in products.SHAPES if products.shape() and one[3] <= products.shape()[3]]


def example(name, dtype="float32"):
    """x, kernel, the cotangent of the result, and the Window."""
    batch, size, channels, kernel, filters, strides, padding, groups = CASES[name]
    rng, window = np.random.default_rng(0), window_of("test", size, kernel, strides, padding, 1, groups)
    shapes = (batch, *size, channels), (*kernel, channels // groups, filters), (batch, *window.out, filters)
    return *[rng.standard_normal(shape).astype(dtype) for shape in shapes], window


@pytest.fixture
def at_once(monkeypatch):
    """Our kernels are used for arrays of any size."""
    monkeypatch.setattr(convolutions, "LARGE", 1)


def all_three(module, x, kernel, g, window):
    return (
        module.forward(x, kernel, window),
        module.input_gradient(g, kernel, window),
        module.kernel_gradient(x, g, window),
    )


def assert_right(found, name):
    """The numbers are those that columns give in float64."""
    for one, wanted in zip(found, all_three(convolution, *example(name, "float64")), strict=True):
        assert one.dtype == np.float32 and one.shape == wanted.shape
        np.testing.assert_allclose(one, wanted, rtol=0, atol=2e-5 * max(np.abs(wanted).max(), 1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_all_kinds(name, shape, at_once, monkeypatch):
    monkeypatch.setattr(products, "shape", lambda: shape)
    x, kernel, g, window = example(name)
    assert convolutions.fits(x, kernel.shape, window)
    assert_right(all_three(convolutions, x, kernel, g, window), name)


@pytest.mark.parametrize("name", CASES)
def test_bands_are_put_together(name, at_once, monkeypatch):
    monkeypatch.setattr(convolutions, "BAND", 1000)
    x, kernel, g, window = example(name)
    assert_right(all_three(convolutions, x, kernel, g, window), name)


@pytest.mark.parametrize("name", ["same", "strides", "a row", "groups", "channels apart"])
def test_layouts(name, at_once):
    x, kernel, g, window = example(name)
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), "float32")
    wide[..., ::2] = x
    for other in (
        np.asfortranarray(x),
        x[::-1].copy()[::-1],
        np.moveaxis(np.moveaxis(x, -1, 1).copy(), 1, -1),
        wide[..., ::2],
    ):
        assert_right(all_three(convolutions, other, np.asfortranarray(kernel), np.asfortranarray(g), window), name)


def test_results_go_where_they_are_wanted(at_once):
    x, kernel, g, window = example("strides")
    room = np.full((*g.shape[:2], 2 * g.shape[2], g.shape[3]), 7, "float32")
    out = room[:, :, ::2]
    assert convolutions.forward(x, kernel, window, out) is out
    np.testing.assert_array_equal(out, convolutions.forward(x, kernel, window))
    assert np.all(room[:, :, 1::2] == 7)


@pytest.mark.parametrize("name", ["same", "strides", "a row", "groups", "channels apart"])
def test_the_number_of_threads_changes_no_bit(name, at_once, monkeypatch):
    example_of = example(name)
    monkeypatch.setattr(convolutions, "BAND", 3000)
    found = []
    for count in (1, 2, 3, 7):
        monkeypatch.setattr(shares, "count", lambda seconds, count=count: count)
        found.append(all_three(convolutions, *example_of))
    for one, other in itertools.product(found[:1], found[1:]):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_does_not_fit_goes_to_columns(monkeypatch):
    x, kernel, _, window = example("same")
    assert not convolutions.fits(x, kernel.shape, window)  # too small
    monkeypatch.setattr(convolutions, "LARGE", 1)
    assert not convolutions.fits(x.astype("float64"), kernel.shape, window)
    assert not convolutions.fits(x, (*kernel.shape[:-1], 3), window)
    assert not convolutions.fits(x, (3, 3, 1, 16), window._replace(groups=8))  # two filters for each channel
    assert not convolutions.fits(x, kernel.shape, window._replace(dilation=(1, 2)))
    assert not convolutions.fits(x[:0], kernel.shape, window)


@pytest.mark.parametrize("strides", [1, 2])
def test_layers_line_by_line_and_compiled(strides):
    """Large enough without help; second derivatives too."""
    rng = np.random.default_rng(1)
    x, w = (
        edl.constant(rng.standard_normal((16, 20, 20, 16), "float32")),
        edl.Variable(rng.normal(0, 0.1, (3, 3, 16, 32))),
    )

    def penalty(x):
        with edl.GradientTape() as tape:
            with edl.GradientTape() as inner:
                inner.watch(x)
                loss = edl.sum(edl.tanh(edl.conv(x, w, strides, "same")))
            slope = inner.gradient(loss, x)
            total = edl.sum(slope * slope)
        return loss, slope, tape.gradient(total, w)

    compiled = edl.function(penalty)
    for _ in range(2):
        for one, other in zip(compiled(x), penalty(x), strict=True):
            np.testing.assert_array_equal(one, other)
