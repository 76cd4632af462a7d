"""Images: every op of `edl.image` has a row in tests/cases, documents itself, and keeps laws that need no reference."""

import doctest
import inspect
import sys

import numpy as np
import pytest
from cases import CASES, OTHERWISE

import eagerdl as edl
from eagerdl.ops import image

RAMP = np.add.outer(np.arange(8.0), 2 * np.arange(8.0))[..., None]
METHODS = ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]


def test_every_image_op_has_a_row():
    missing = [name for name in image.__all__ if f"image.{name}" not in CASES and f"image.{name}" not in OTHERWISE]
    assert not missing, f"ops without a row in tests/cases: {', '.join(missing)}"


def test_the_area_holds_every_op_of_its_files():
    assert edl.image is image
    files = {getattr(image, name).__module__ for name in image.__all__}
    own = {name for file in files for name, value in vars(sys.modules[file]).items()
           if getattr(value, "__module__", "") == file and not name.startswith("_")}  # fmt: skip
    assert own == set(image.__all__)


@pytest.mark.parametrize("name", image.__all__)
def test_every_image_op_documents_its_shapes_and_its_example_runs(name):
    doc = inspect.getdoc(getattr(image, name)) or ""
    assert "->" in doc.splitlines()[0]
    assert ">>>" in doc
    test = doctest.DocTestParser().get_doctest(doc, {"edl": edl, "np": np}, name, None, 0)
    runner, output = (
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False),
        [],
    )
    runner.run(test, out=output.append)
    assert not runner.failures, "".join(output)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("antialias", [False, True])
def test_resizing_keeps_constant_images_and_the_size_it_has(method, antialias):
    flat = np.full((1, 5, 7, 2), 0.3)
    np.testing.assert_allclose(image.resize(flat, (9, 4), method, antialias).numpy(), 0.3, rtol=1e-12)
    np.testing.assert_array_equal(image.resize(RAMP, (8, 8), method, antialias).numpy(), RAMP)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_resizing_a_ramp_gives_a_ramp_inside(method):
    wide = image.resize(RAMP, (16, 16), method).numpy()[..., 0]
    inner = wide[4:-4, 4:-4]
    np.testing.assert_allclose(np.diff(inner, axis=0), 0.5, rtol=1e-9)
    np.testing.assert_allclose(np.diff(inner, axis=1), 1.0, rtol=1e-9)


def test_resizing_is_the_same_for_each_image_and_layout():
    x = np.random.default_rng(0).random((3, 5, 6, 2))
    whole = image.resize(x, (7, 4), "bicubic").numpy()
    np.testing.assert_allclose(np.stack([image.resize(one, (7, 4), "bicubic").numpy() for one in x]), whole, rtol=1e-12)
    first = image.resize(x.transpose(0, 3, 1, 2), (7, 4), "bicubic", data_format="channels_first").numpy()
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), whole, rtol=1e-12)


def test_hsv_and_rgb_are_inverse():
    x = np.random.default_rng(0).random((4, 5, 3))
    np.testing.assert_allclose(image.hsv_to_rgb(image.rgb_to_hsv(x)).numpy(), x, atol=1e-12)


def test_colours_of_grey_and_black_pixels_have_finite_gradients():
    x = edl.Variable(np.array([[[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [1.0, 1.0, 1.0]]]))
    with edl.GradientTape() as tape:
        y = edl.sum(image.rgb_to_hsv(x))
    assert np.isfinite(tape.gradient(y, x).numpy()).all()


def test_cropping_undoes_padding():
    x = np.random.default_rng(0).random((2, 5, 6, 3))
    padded = image.pad_images(x, 1, 2, 3, 4)
    np.testing.assert_array_equal(image.crop_images(padded, 1, 2, 3, 4).numpy(), x)


def test_the_identity_moves_no_pixel():
    x = np.random.default_rng(0).random((2, 5, 6, 3))
    corners = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 4.0], [5.0, 4.0]])
    np.testing.assert_array_equal(image.affine_transform(x, np.array([1.0, 0, 0, 0, 1, 0, 0, 0])).numpy(), x)
    np.testing.assert_allclose(image.perspective_transform(x, corners, corners).numpy(), x, atol=1e-6)
    np.testing.assert_allclose(image.elastic_transform(x, alpha=0.0, seed=3).numpy(), x, atol=1e-12)


def test_elastic_transforms_follow_their_seed_and_move_all_channels_together():
    x = np.repeat(np.random.default_rng(0).random((2, 9, 8, 1)), 3, axis=-1)
    one, same, other = (image.elastic_transform(x, sigma=1.5, seed=seed).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one[..., 0], one[..., 2])
    assert one.min() >= x.min()
    assert one.max() <= x.max()
    assert not np.array_equal(one, x)
    first = image.elastic_transform(x.transpose(0, 3, 1, 2), sigma=1.5, seed=1, data_format="channels_first").numpy()
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), one)


def test_a_white_square_on_its_edges():
    x = np.zeros((1, 7, 7, 1))
    x[:, 2:5, 2:5] = 1.0
    edges = image.sobel_edges(x).numpy()[0, :, :, 0]
    np.testing.assert_array_equal(edges[3, 3], [0.0, 0.0])
    np.testing.assert_array_equal(edges[2, 3], [4.0, 0.0])
    np.testing.assert_array_equal(edges[3, 4], [0.0, -4.0])


def test_similarity_is_one_for_equal_images_and_falls_with_noise():
    generator = np.random.default_rng(0)
    x = generator.random((2, 16, 16, 3))
    noise = generator.standard_normal(x.shape)
    values = [image.ssim(x, x + scale * noise).numpy() for scale in (0.0, 0.05, 0.2)]
    np.testing.assert_allclose(values[0], 1.0, rtol=1e-12)
    assert (values[0] > values[1]).all()
    assert (values[1] > values[2]).all()


@pytest.mark.parametrize("size", [(3, 5), (40, 50)])
def test_gradients_of_large_and_small_resizes_agree_with_the_transpose(size):
    """<resize(x), g> == <x, resize'(g)>, where sparse and dense products meet."""
    generator = np.random.default_rng(0)
    x = edl.Variable(generator.random((2, 70, 66, 3)))
    g = generator.random((2, *size, 3))
    with edl.GradientTape() as tape:
        y = edl.sum(image.resize(x, size, antialias=size[0] < 10) * g)
    np.testing.assert_allclose(float(y), float(np.vdot(tape.gradient(y, x).numpy(), x.numpy())), rtol=1e-10)
