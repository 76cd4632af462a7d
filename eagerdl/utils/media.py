"""Datasets of folders of images, texts and sounds."""

import math
import warnings
from pathlib import Path

import numpy as np

from eagerdl import config, ops
from eagerdl.errors import ArgumentError
from eagerdl.utils.folders import batching, check_format, dataset_of_folder, one_of
from eagerdl.utils.images import MODES, img_to_array, load_img

__all__ = ["audio_dataset_from_directory", "image_dataset_from_directory", "text_dataset_from_directory"]

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


def image_dataset_from_directory(
    directory, labels="inferred", label_mode="int", class_names=None, color_mode="rgb", batch_size=32,
    image_size=(256, 256), shuffle=True, seed=None, validation_split=None, subset=None, interpolation="bilinear",
    follow_links=False, crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, data_format=None, format="tf", verbose=True,
):  # fmt: skip
    """A `edl.data.Dataset` of images (batch, height, width, c) float32 from 0 to 255, with labels.

    The files lie in one folder for each class: ``directory/cats/1.png``, ``directory/dogs/1.png``. The dataset has the
    attributes `class_names` and `file_paths`.

    Args:
        directory: the folder.
        labels: "inferred" from the folders inside, None for none, or a list of ints, one for each file in the order of the
            sorted paths.
        label_mode: "int" gives int32 (batch,); "binary" float32 zeros and ones (batch, 1); "categorical" float32 one-hot
            vectors (batch, classes); None only images.
        class_names: the folders that are used, in their order; all in alphabetical order by default.
        color_mode: "grayscale", "rgb" or "rgba": 1, 3 or 4 channels.
        batch_size: how many make a batch; None for single images.
        image_size: (height, width), to which all images are resized.
        shuffle: whether the order is random, and anew each time.
        seed: of the order, and of what goes into which subset.
        validation_split: the share of the files kept for validation.
        subset: "training", "validation", or "both" for a list of two datasets.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        follow_links: whether linked folders are visited.
        crop_to_aspect_ratio: whether the middle is cut out, so that nothing is distorted.
        pad_to_aspect_ratio: whether black bars are added, so that nothing is distorted or lost.
        data_format: "channels_last" or "channels_first"; `edl.config.image_data_format()` by default.
        format: "tf": the dataset has the interface of tf.data.
        verbose: whether the number of files is said.

    Raises:
        ArgumentError: for arguments that do not fit, and folders without images.
        PackageError: without Pillow, when images are read.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("cats", "dogs"):
        ...         pathlib.Path(folder, name).mkdir()
        ...         edl.utils.save_img(f"{folder}/{name}/1.png", edl.ones((6, 6, 3)))
        ...     dataset = edl.utils.image_dataset_from_directory(folder, image_size=(4, 4), verbose=False)
        ...     [(images.shape, sorted(labels.tolist())) for images, labels in dataset]
        [((2, 4, 4, 3), [0, 1])]
    """
    where = "image_dataset_from_directory"
    check_format(where, format)
    one_of(where, "color_mode", color_mode, tuple(MODES))
    one_of(where, "interpolation", interpolation, INTERPOLATIONS)
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or min(size) < 1:
        raise ArgumentError(where, "image_size is (height, width)", f"got {image_size!r}", "use (256, 256)")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError(
            where, "images are cut or padded", "both came", "choose one of crop_ and pad_to_aspect_ratio"
        )
    data_format = config.standardize_data_format(data_format)

    def read(path):
        image = img_to_array(load_img(path, color_mode), data_format, "float32")
        return ops.image.resize(
            image, size, interpolation, crop_to_aspect_ratio=crop_to_aspect_ratio, pad_to_aspect_ratio=pad_to_aspect_ratio,
            data_format=data_format,
        )  # fmt: skip

    return dataset_of_folder(
        where, directory, IMAGES, read, batching(where, batch_size), labels=labels, label_mode=label_mode,
        class_names=class_names, shuffle=shuffle, seed=seed, validation_split=validation_split, subset=subset,
        follow_links=follow_links, verbose=verbose,
    )  # fmt: skip


def text_dataset_from_directory(
    directory, labels="inferred", label_mode="int", class_names=None, batch_size=32, max_length=None, shuffle=True,
    seed=None, validation_split=None, subset=None, follow_links=False, format="tf", verbose=True,
):  # fmt: skip
    """A `edl.data.Dataset` of the contents of ``.txt`` files, NumPy arrays (batch,) of text, with labels.

    Args:
        max_length: how many characters of each text are kept; all by default.
        directory, ...: as in `image_dataset_from_directory`.

    Raises:
        ArgumentError: for arguments that do not fit, folders without texts, and files that are not UTF-8.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("good", "bad"):
        ...         pathlib.Path(folder, name).mkdir()
        ...         _ = pathlib.Path(folder, name, "1.txt").write_text(f"a {name} film")
        ...     dataset = edl.utils.text_dataset_from_directory(folder, shuffle=False, verbose=False)
        ...     [(texts.tolist(), labels.tolist()) for texts, labels in dataset]
        [(['a bad film', 'a good film'], [0, 1])]
    """
    where = "text_dataset_from_directory"
    check_format(where, format)

    def read(path):
        try:
            return Path(path).read_bytes().decode("utf-8")[:max_length]
        except UnicodeDecodeError as error:
            raise ArgumentError(where, "texts are UTF-8", f"{path}: {error}", "convert the file first") from None

    return dataset_of_folder(
        where, directory, (".txt",), read, batching(where, batch_size), labels=labels, label_mode=label_mode,
        class_names=class_names, shuffle=shuffle, seed=seed, validation_split=validation_split, subset=subset,
        follow_links=follow_links, verbose=verbose,
    )  # fmt: skip


def audio_dataset_from_directory(
    directory, labels="inferred", label_mode="int", class_names=None, batch_size=32, sampling_rate=None,
    output_sequence_length=None, ragged=False, shuffle=True, seed=None, validation_split=None, subset=None,
    follow_links=False, verbose=True,
):  # fmt: skip
    """A `edl.data.Dataset` of the sounds of ``.wav`` files, (batch, samples, channels) float32 from -1 to 1, with labels.

    Args:
        sampling_rate: samples per second, to which all sounds are resampled (by a polyphase filter); those of each file by
            default.
        output_sequence_length: the number of samples, to which all sounds are cut or padded with zeros; by default that of
            the longest in each batch.
        ragged: whether sounds keep their lengths, which needs batch_size=None: a tensor is rectangular.
        directory, ...: as in `image_dataset_from_directory`.

    Raises:
        ArgumentError: for arguments that do not fit, folders without sounds, and damaged files.

    Example:
        >>> import pathlib, tempfile
        >>> from scipy.io import wavfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "hum").mkdir()
        ...     wavfile.write(f"{folder}/hum/1.wav", 8000, np.zeros(100, "int16"))
        ...     dataset = edl.utils.audio_dataset_from_directory(folder, verbose=False)
        ...     [sounds.shape for sounds, labels in dataset]
        [(1, 100, 1)]
    """
    where = "audio_dataset_from_directory"
    if ragged and output_sequence_length is not None:
        raise ArgumentError(where, "sounds keep their lengths, or get one", "ragged=True and output_sequence_length came",
                            "choose one of them")  # fmt: skip
    if ragged and batch_size is not None:
        raise ArgumentError(where, "a batch is rectangular", f"got ragged=True, batch_size={batch_size}",
                            "pass batch_size=None, or let batches be padded with ragged=False")  # fmt: skip
    for name, value in (("sampling_rate", sampling_rate), ("output_sequence_length", output_sequence_length)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ArgumentError(where, f"{name} is a positive int", f"got {value!r}", "use 16000")
    batch = batching(where, batch_size)
    if batch_size is not None and output_sequence_length is None:
        batch = padded(batch_size)

    def read(path):
        return sound(where, path, sampling_rate, output_sequence_length)

    return dataset_of_folder(
        where, directory, (".wav",), read, batch, labels=labels, label_mode=label_mode, class_names=class_names,
        shuffle=shuffle, seed=seed, validation_split=validation_split, subset=subset, follow_links=follow_links,
        verbose=verbose,
    )  # fmt: skip


def padded(batch_size):
    """A function that makes batches of sounds of unequal length."""
    return lambda dataset: dataset.padded_batch(batch_size)


def sound(where, path, sampling_rate, length):
    """The samples of a WAV file, (samples, channels) float32: integers are divided by their range."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of notes in the file that are no sound
            rate, samples = wavfile.read(path)
    except (ValueError, EOFError) as error:
        raise ArgumentError(where, "a WAV file is needed", f"{path}: {error}", "check the file") from None
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = (samples / 2.0 ** (8 * samples.dtype.itemsize - 1)).astype(np.float32)
    samples = samples.astype(np.float32).reshape(len(samples), -1)
    if sampling_rate is not None and rate != sampling_rate:
        from scipy.signal import resample_poly

        common = math.gcd(rate, sampling_rate)
        samples = resample_poly(samples, sampling_rate // common, rate // common, axis=0).astype(np.float32)
    if length is not None:
        samples = np.pad(samples[:length], ((0, max(length - len(samples), 0)), (0, 0)))
    return samples
