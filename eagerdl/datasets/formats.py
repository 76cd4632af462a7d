"""The files that data sets come in: IDX, NPZ, and pickles of arrays, which are read without executing anything of them."""

import gzip
import io
import math
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np

from eagerdl.errors import ArgumentError

# What reading a damaged file may raise, whatever its format.
DAMAGE = (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, pickle.UnpicklingError,
          zlib.error, RecursionError, zipfile.BadZipFile)  # fmt: skip


def damaged(path, why):
    """The error for a file that is not what its name says."""
    return ArgumentError("datasets", "the file must be whole and of its format", f"{path}: {why}",
                         "delete it and download it again")  # fmt: skip


# -- IDX ----------------------------------------------------------------------------------------

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path):
    """The array of an IDX file, which may be compressed with gzip.

    Two zero bytes, the code of the dtype, the number of axes; the sizes as big-endian 32-bit integers; the elements
    (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").

    Raises:
        ArgumentError: if it is something else, or too short or too long.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except DAMAGE as error:
        raise damaged(path, error) from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_DTYPES:
        raise damaged(path, f"an IDX file begins with 0, 0, a dtype, a rank; this one with {list(data[:4])}")
    dtype, begin = np.dtype(IDX_DTYPES[data[2]]), 4 + 4 * data[3]
    shape = np.frombuffer(data[4:begin], ">u4").tolist() if len(data) >= begin else []
    if len(shape) != data[3] or len(data) != begin + math.prod(shape) * dtype.itemsize:
        raise damaged(path, f"shape {tuple(shape)} needs {begin + math.prod(shape) * dtype.itemsize} bytes, "
                            f"the file has {len(data)}")  # fmt: skip
    return np.frombuffer(data, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder("="))


# -- pickles of arrays --------------------------------------------------------------------------


class PickledArray:
    """Stands for an array while a pickle is read: built from bytes and lists, without NumPy's own `__setstate__`."""

    def __init__(self, *args):
        self.value = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, content = state
        if dtype.text == "O":
            array = np.empty(len(content), object)
            for index, one in enumerate(content):
                array[index] = plain(one)
        else:
            array = np.frombuffer(content.encode("latin-1") if isinstance(content, str) else content, dtype.text)
        self.value = array.reshape(shape, order="F" if fortran else "C")


class PickledDType:
    """Stands for a dtype of numbers, bools or objects while a pickle is read."""

    def __init__(self, text, *flags):
        text = text.decode() if isinstance(text, bytes) else text
        self.text = "O" if text[0] == "O" else np.dtype(text).str
        if np.dtype(self.text).kind not in "biufcO":
            raise pickle.UnpicklingError(f"arrays of dtype {text!r} are not expected")

    def __setstate__(self, state):
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order in "<>" and self.text != "O":
            self.text = order + self.text[1:]


class PickledBytes:
    """Stands for `codecs.encode` and `bytes`, with which Python 3 writes bytes into pickles of the old protocols."""

    def __new__(cls, text="", encoding="latin1"):
        if encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r} are not expected")
        return text.encode("latin-1")

    def __setstate__(self, state):
        raise pickle.UnpicklingError("bytes have no state")


# All that an array's pickle names, in the spellings of NumPy 1 and 2.
KNOWN = {
    ("numpy", "ndarray"): PickledArray, ("numpy", "dtype"): PickledDType,
    ("_codecs", "encode"): PickledBytes, ("__builtin__", "bytes"): PickledBytes,
    ("numpy.core.multiarray", "_reconstruct"): PickledArray, ("numpy._core.multiarray", "_reconstruct"): PickledArray,
}  # fmt: skip


class ArrayUnpickler(pickle.Unpickler):
    """Reads lists, dicts, numbers and arrays. Every other name in a pickle is refused, so that nothing of it runs."""

    def find_class(self, module, name):
        try:
            return KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array and is not loaded") from None


def plain(value):
    """What an `ArrayUnpickler` read, with arrays for what stood for them."""
    if isinstance(value, PickledArray):
        return value.value
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return value


def unpickle(file):
    """The lists, dicts, numbers and arrays of a pickle; strings of Python 2 become bytes.

    Raises:
        UnpicklingError: if it names anything else.
    """
    return plain(ArrayUnpickler(file, encoding="bytes").load())


# -- NPZ ----------------------------------------------------------------------------------------


def read_npz(path, names):
    """The arrays `names` of an NPZ file as a list; arrays of objects too, without executing anything.

    Raises:
        ArgumentError: if the file is damaged, lacks one of them, or is hostile.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [read_npy(archive.read(f"{name}.npy")) for name in names]
    except DAMAGE as error:
        raise damaged(path, error) from error


def read_npy(data):
    """The array of the bytes of an NPY file."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if not dtype.hasobject:
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    array = unpickle(file)
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise ValueError(f"an array of shape {shape} was announced")
    return array
