"""Images between files, Pillow and arrays."""

import io
import os
import warnings
from pathlib import Path

import numpy as np

from eagerdl import config, dtypes
from eagerdl.errors import ArgumentError, DTypeError, PackageError, RangeError, ShapeError

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img"]

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
GRAY = ("L", "I;16", "I")  # what stays as it is among the kinds of grayscale: 8, 16 and 32 bits
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def pillow(where):
    """The module PIL.Image.

    Raises:
        PackageError: if Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise PackageError(
            where, "images need the package Pillow", str(error), "pip install 'eagerdl[images]'"
        ) from None
    return Image


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """x (h, w, c) with 1, 3 or 4 channels -> a Pillow image: grayscale, RGB or RGBA.

    Args:
        x: an array or a tensor.
        data_format: "channels_last" or "channels_first"; `edl.config.image_data_format()` by default.
        scale: whether the values are stretched to reach from 0 to 255.
        dtype: the dtype in which that is computed; floatx by default.

    Raises:
        ShapeError: for another rank, or another number of channels.
        RangeError: without `scale`, for values outside of 0 to 255 (grayscale may be larger: it gets 32 bits).
        PackageError: without Pillow.

    Example:
        >>> edl.utils.array_to_img(np.arange(12).reshape(2, 2, 3)).size
        (2, 2)
    """
    where = "array_to_img"
    image = pillow(where)
    x = np.array(x, dtypes.standardize(dtype, where))
    given = x.shape
    if x.ndim == 3 and config.standardize_data_format(data_format) == "channels_first":
        x = x.transpose(1, 2, 0)
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4):
        raise ShapeError(where, "an image has height, width, and 1, 3 or 4 channels", f"got shape {given}",
                         "check data_format, or pick one image of the batch")  # fmt: skip
    if scale and x.size:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[2] == 1:
        x = x[:, :, 0]
        if x.size and x.max() > 255:
            return image.fromarray(x.astype(np.int32))
    if x.size and not (0 <= x.min() and x.max() < 256):
        raise RangeError(
            where, "values reach from 0 to 255", f"they reach from {x.min()} to {x.max()}", "pass scale=True"
        )
    return image.fromarray(np.ascontiguousarray(x.astype(np.uint8)))


def img_to_array(img, data_format=None, dtype=None):
    """A Pillow image of height h and width w -> an array (h, w, c).

    Args:
        img: the image.
        data_format: "channels_last" or "channels_first"; `edl.config.image_data_format()` by default.
        dtype: the dtype; floatx by default.

    Raises:
        ShapeError: for what has not two or three axes.

    Example:
        >>> edl.utils.img_to_array(edl.utils.array_to_img(np.eye(2)[..., None])).tolist()
        [[[255.0], [0.0]], [[0.0], [255.0]]]
    """
    x = np.array(img, dtypes.standardize(dtype, "img_to_array"))
    if x.ndim not in (2, 3):
        raise ShapeError(
            "img_to_array", "an image has two or three axes", f"got shape {x.shape}", "pass a Pillow image"
        )
    x = x[..., None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if config.standardize_data_format(data_format) == "channels_first" else x


def load_img(path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False):
    """A Pillow image of a file.

    Args:
        path: the path, or an open binary file such as `io.BytesIO`.
        color_mode: "grayscale", "rgb" or "rgba".
        target_size: its new (height, width); the size that it has by default.
        interpolation: how it is resized: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: whether the middle with the new aspect ratio is cut out first, so that nothing is distorted.

    Raises:
        ArgumentError: for unknown words, or a file that is no image.
        PackageError: without Pillow.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> edl.utils.save_img(file, np.ones((4, 6, 3)), file_format="png")
        >>> edl.utils.load_img(file, target_size=(2, 2)).size
        (2, 2)
    """
    where = "load_img"
    image = pillow(where)
    for name, word, known in (("color_mode", color_mode, MODES), ("interpolation", interpolation, INTERPOLATIONS)):
        if word not in known:
            raise ArgumentError(where, f"{name} is one of {', '.join(known)}", f"got {word!r}", "use one of them")
    if not isinstance(path, str | bytes | os.PathLike) and not hasattr(path, "read"):
        raise DTypeError(where, "a path or an open file is needed", f"got {type(path).__name__}", "pass a path")
    try:
        source = path if hasattr(path, "read") else io.BytesIO(Path(os.fsdecode(path)).read_bytes())
        img = image.open(source)
        if color_mode != "grayscale" or img.mode not in GRAY:
            img = img.convert(MODES[color_mode])
        img.load()
    except (image.UnidentifiedImageError, image.DecompressionBombError, SyntaxError) as error:
        raise ArgumentError(
            where, "an image that Pillow can read is needed", f"{path}: {error}", "check the file"
        ) from None
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    height, width = target_size
    box = middle(*img.size, width, height) if keep_aspect_ratio else None
    return img.resize((width, height), getattr(image.Resampling, interpolation.upper()), box=box)


def middle(width, height, new_width, new_height):
    """The box (left, upper, right, lower) in the middle of an image that has the aspect ratio of the new size."""
    crop_width = min(width, height * new_width // new_height)
    crop_height = min(height, width * new_height // new_width)
    left, upper = (width - crop_width) // 2, (height - crop_height) // 2
    return left, upper, left + crop_width, upper + crop_height


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Writes x (h, w, c) into an image file.

    Args:
        path: the path, whose ending says the format, or an open binary file.
        x: an array or a tensor, as in `array_to_img`.
        data_format: "channels_last" or "channels_first"; `edl.config.image_data_format()` by default.
        file_format: the format, such as "png", where `path` does not say it.
        scale: whether the values are stretched to reach from 0 to 255.
        **kwargs: for Pillow's `Image.save`.

    Raises:
        ShapeError: for another rank, or another number of channels.
        PackageError: without Pillow.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     edl.utils.save_img(f"{folder}/image.png", edl.random.uniform((8, 8, 3)))
        ...     edl.utils.load_img(f"{folder}/image.png").mode
        'RGB'
    """
    if file_format is None and isinstance(path, str | os.PathLike):
        file_format = Path(path).suffix[1:]
    file_format = (file_format or "").lower().replace("jpg", "jpeg") or None
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("JPEG has no transparency: the fourth channel is not saved", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)
