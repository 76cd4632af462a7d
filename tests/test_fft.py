"""The area `edl.fft` against NumPy: values, dtypes, derivatives, errors; and the call that is Keras' function."""

import numpy as np
import pytest
from cases.builders import complex_normal, normal

import eagerdl as edl
import eagerdl.fft as area
from eagerdl.errors import ArgumentError, DTypeError, ShapeError

NORMS = ("backward", "ortho", "forward")
ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fftn", "ifftn", "rfftn", "irfftn")
REAL_INPUT = ("rfft", "rfftn", "ihfft")


def signal(name, *shape):
    return normal(*shape) if name in REAL_INPUT else complex_normal(*shape)


def assert_same(mine, theirs, rtol=1e-10):
    assert mine.shape == theirs.shape
    np.testing.assert_allclose(mine.numpy(), theirs, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 1, 4, 5, 9])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", ONE_AXIS)
def test_transforms_along_one_axis_agree_with_numpy(name, axis, n, norm):
    x = signal(name, 5, 6)
    options = {"n": n, "axis": axis, "norm": norm}
    assert_same(getattr(area, name)(edl.constant(x), **options), getattr(np.fft, name)(x, **options))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"axes": (0, 2)},
        {"axes": (1,)},
        {"s": (4, 5), "axes": (-1, 0)},
        {"s": (-1, 3), "axes": (1, 2)},
        {"s": (3, -1), "axes": (1, 2)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SEVERAL)
def test_transforms_over_several_axes_agree_with_numpy(name, options, norm):
    x = signal(name, 3, 4, 5)
    assert_same(
        getattr(area, name)(edl.constant(x), **options, norm=norm), getattr(np.fft, name)(x, **options, norm=norm)
    )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 3, 6, 7])
@pytest.mark.parametrize("name", ONE_AXIS)
def test_derivatives_along_one_axis(name, n, norm):
    x = signal(name, 2, 5)
    edl.check_grads(lambda x: getattr(area, name)(x, n=n, norm=norm), (x,), order=2)
    edl.check_grads(lambda x: getattr(area, name)(x, n=n, axis=0, norm=norm) ** 2, (x,), order=2)


@pytest.mark.parametrize("options", [{}, {"s": (3, 4), "axes": (1, 0)}], ids=str)
@pytest.mark.parametrize("name", SEVERAL)
def test_derivatives_over_several_axes(name, options):
    edl.check_grads(lambda x: getattr(area, name)(x, **options, norm="ortho") ** 2, (signal(name, 2, 3),), order=2)


@pytest.mark.parametrize("name", ONE_AXIS + SEVERAL)
@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("float64", "128"), ("float32", "64"), ("float16", "64"), ("bfloat16", "64"), ("int32", "64"), ("bool", "64")],
)
def test_the_precision_of_the_input_is_kept(name, dtype, kind):
    out = getattr(area, name)(edl.constant(np.ones((4, 4)), dtype))
    real = name in ("irfft", "irfftn", "hfft")
    assert out.dtype == (f"float{int(kind) // 2}" if real else f"complex{kind}")


@pytest.mark.parametrize("name", ["fft", "ifft", "irfft", "hfft", "fftn", "ifftn", "irfftn"])
def test_complex64_stays_complex64(name):
    x = complex_normal(4, 4).astype("complex64")
    out = getattr(area, name)(edl.constant(x))
    assert out.dtype in ("complex64", "float32")
    assert_same(out, getattr(np.fft, name)(x.astype("complex128")), rtol=2e-5)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_frequencies(n):
    for mine, theirs in ((area.fftfreq, np.fft.fftfreq), (area.rfftfreq, np.fft.rfftfreq)):
        assert_same(mine(n, d=0.25, dtype="float64"), theirs(n, 0.25))
        assert mine(n).dtype == "float32"
        assert mine(n, dtype="float16", device="cpu").dtype == "float16"


@pytest.mark.parametrize("axes", [None, 0, (1,), (0, -1)])
@pytest.mark.parametrize("shape", [(4, 5), (1, 3), (0, 2)])
def test_shifts(shape, axes):
    x = normal(*shape)
    assert_same(area.fftshift(x, axes=axes), np.fft.fftshift(x, axes))
    assert_same(area.ifftshift(x, axes=axes), np.fft.ifftshift(x, axes))
    assert_same(area.ifftshift(area.fftshift(x, axes=axes), axes=axes), x)
    edl.check_grads(lambda x: area.fftshift(x, axes=axes) ** 2, (x,), order=2)


def test_parseval_and_inverses_hold():
    x = complex_normal(3, 7)
    for norm in NORMS:
        assert_same(area.ifft(area.fft(x, norm=norm), norm=norm), x)
        assert_same(area.ifftn(area.fftn(x, norm=norm), norm=norm), x)
        assert_same(area.irfft(area.rfft(x.real, norm=norm), n=7, norm=norm), x.real)
        assert_same(
            area.ihfft(area.hfft(area.ihfft(x.real, norm=norm), n=7, norm=norm), norm=norm),
            np.fft.ihfft(x.real, norm=norm),
        )
    np.testing.assert_allclose(np.linalg.norm(area.fft(x, norm="ortho").numpy()), np.linalg.norm(x))


def test_the_module_is_keras_function_too():
    pair = normal(4), normal(4, salt=1)
    for mine, theirs in zip(area(pair), edl.ops.fft(pair), strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert edl.ops.fft.__name__ == "fft"
    with pytest.raises(DTypeError, match=r"\[fft\] x is a pair"):
        area(normal(4))


def test_all_names_of_the_standard_exist():
    assert sorted(area.__all__) == sorted(
        "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift".split()
    )
    assert all(callable(getattr(area, name)) for name in area.__all__)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: area.fft(normal(3), n=0), ArgumentError, r"\[fft.fft\] n must be at least 1; got 0"),
        (lambda: area.fft(normal(3), n=2.0), DTypeError, r"\[fft.fft\] n is an integer; got 2.0"),
        (lambda: area.fft(normal(3), axis=1), ShapeError, r"\[fft.fft\] axis must name one of the 1 axes"),
        (
            lambda: area.fft(normal(3), norm="unitary"),
            ArgumentError,
            r"\[fft.fft\] norm is 'backward', 'ortho' or 'forward'; got 'unitary'",
        ),
        (lambda: area.fft(normal(2, 0)), ShapeError, r"\[fft.fft\] a transform needs at least one point"),
        (lambda: area.ifft(normal()), ShapeError, r"\[fft.ifft\] axis must name"),
        (
            lambda: area.fftn(normal(3, 3), s=(2, 2)),
            ArgumentError,
            r"\[fft.fftn\] sizes come with the axes.*range\(-2, 0\)",
        ),
        (
            lambda: area.fftn(normal(3, 3), s=(2,), axes=(0, 1)),
            ShapeError,
            r"\[fft.fftn\] s has one size for each axis",
        ),
        (
            lambda: area.ifftn(normal(3, 3), s=(2, 0), axes=(0, 1)),
            ArgumentError,
            r"\[fft.ifftn\] each size in s must be at least 1",
        ),
        (lambda: area.fftn(normal(3, 3), axes=(0, -2)), ShapeError, r"\[fft.fftn\] each axis may come once"),
        (lambda: area.rfft(complex_normal(3)), DTypeError, r"\[fft.rfft\] x must be real; got complex128"),
        (lambda: area.rfftn(normal()), ShapeError, r"\[fft.rfftn\] a transform of real signals needs an axis"),
        (lambda: area.rfftn(complex_normal(3)), DTypeError, r"\[fft.rfftn\] x must be real"),
        (lambda: area.ihfft(complex_normal(3)), DTypeError, r"\[fft.ihfft\] x must be real"),
        (
            lambda: area.irfft(normal(1)),
            ShapeError,
            r"\[fft.irfft\] a real signal of at least one point.*give the length",
        ),
        (lambda: area.hfft(normal(3), norm="x"), ArgumentError, r"\[fft.hfft\] norm is"),
        (lambda: area.fftfreq(0), ArgumentError, r"\[fft.fftfreq\] n must be at least 1"),
        (lambda: area.fftfreq(4, d=0), ArgumentError, r"\[fft.fftfreq\] d, the time between samples"),
        (lambda: area.rfftfreq(4, dtype="int32"), DTypeError, r"\[fft.rfftfreq\] frequencies need a floating dtype"),
        (lambda: area.fftshift(normal(3), axes=2), ShapeError, r"\[fft.fftshift\] axis must name"),
    ],
)
def test_wrong_input_gets_the_message(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ONE_AXIS + SEVERAL)
def test_the_gpu_agrees_with_the_cpu(name):
    if not edl.config.list_devices("gpu"):
        pytest.skip("no GPU, or CuPy is not installed")
    x = edl.constant(signal(name, 4, 6))
    assert_same(getattr(area, name)(x.to("gpu:0")), getattr(area, name)(x).numpy())
