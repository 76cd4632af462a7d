"""Windows: weights that fade a piece of a signal out at both ends."""

from eagerdl import dtypes
from eagerdl.ops.creation import allocate, check_size

__all__ = ["bartlett", "blackman", "hamming", "hanning", "kaiser"]


def _window(where, x, *options):
    count, dtype = check_size(where, "x", x), dtypes.standardize(None)
    return allocate(where, None, lambda xp, n: getattr(xp, where)(n, *options).astype(dtype), count)


def bartlett(x):
    """x, an int -> (x,) floatx. The Bartlett window: a triangle that is 0 at both ends.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.bartlett(5)
        Tensor(shape=(5,), dtype=float32, [0.  0.5 1.  0.5 0. ])

    Source: Bartlett, 1950, "Periodogram Analysis and Continuous Spectra", Biometrika 37.
    """
    return _window("bartlett", x)


def blackman(x):
    """x, an int -> (x,) floatx. The Blackman window: ``0.42 - 0.5 cos(2 pi i / (x-1)) + 0.08 cos(4 pi i / (x-1))``.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.round(edl.blackman(5), 2)
        Tensor(shape=(5,), dtype=float32, [-0.    0.34  1.    0.34 -0.  ])

    Source: Blackman & Tukey, 1958, "The Measurement of Power Spectra".
    """
    return _window("blackman", x)


def hamming(x):
    """x, an int -> (x,) floatx. The Hamming window: ``0.54 - 0.46 cos(2 pi i / (x-1))``.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.hamming(3)
        Tensor(shape=(3,), dtype=float32, [0.08 1.   0.08])

    Source: Blackman & Tukey, 1958, "The Measurement of Power Spectra".
    """
    return _window("hamming", x)


def hanning(x):
    """x, an int -> (x,) floatx. The window of von Hann: ``0.5 - 0.5 cos(2 pi i / (x-1))``.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.hanning(5)
        Tensor(shape=(5,), dtype=float32, [0.  0.5 1.  0.5 0. ])

    Source: Blackman & Tukey, 1958, "The Measurement of Power Spectra".
    """
    return _window("hanning", x)


def kaiser(x, beta):
    """x, an int -> (x,) floatx. The Kaiser window: ``i0(beta sqrt(1 - t^2)) / i0(beta)`` for t from -1 to 1.

    Args:
        x: how many samples.
        beta: the shape: 0 is a rectangle, 5 near Hamming, 6 near von Hann, 8.6 near Blackman.

    Raises:
        ShapeError: if x is negative.

    Example:
        >>> edl.kaiser(3, 0.0)
        Tensor(shape=(3,), dtype=float32, [1. 1. 1.])

    Source: Kaiser, 1974, "Nonrecursive Digital Filter Design Using the I0-sinh Window Function".
    """
    return _window("kaiser", x, float(beta))
