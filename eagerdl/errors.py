"""Errors that say what is wrong and what to do, and tracebacks that end at the user's line.

Every message follows one formula: ``[where] requirement; what came; what to do``.
"""

import os
import sys
import threading
import types

import numpy as np

NUMPY_FOLDER = os.path.dirname(np.__file__) + os.sep
PACKAGE_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


class EagerdlError(Exception):
    """Base of all errors of the framework: ``[where] requirement; came; remedy``.

    Args:
        where: the op, layer path or object that refuses.
        requirement: what has to hold.
        came: what came instead, with argument names, shapes and dtypes.
        remedy: what to do about it.
    """

    def __init__(self, where, requirement, came="", remedy=""):
        super().__init__(where, requirement, came, remedy)

    def __str__(self):
        where, *sentences = self.args
        return f"[{where}] " + "; ".join(sentence for sentence in sentences if sentence)


class ShapeError(EagerdlError, ValueError):
    """Shapes, axes or sizes do not fit."""


class AxisError(ShapeError, IndexError):
    """There is no such axis; an IndexError as well, as NumPy and the array API have it."""


class DTypeError(EagerdlError, TypeError):
    """A dtype or the type of an argument does not fit."""


class ArgumentError(EagerdlError, ValueError):
    """A value is outside what the function accepts."""


class RangeError(EagerdlError, IndexError):
    """An index is out of bounds."""


class DeviceError(EagerdlError, RuntimeError):
    """A device is missing, or one op was given arrays of several devices."""


class AllocationError(EagerdlError, MemoryError):
    """The result would not fit into memory."""


class DownloadError(EagerdlError, RuntimeError):
    """A file of the network cannot be had, or is not the one that was asked for."""


class NumericsError(EagerdlError, ArithmeticError):
    """A result is NaN or infinite where it must not be."""


class PackageError(EagerdlError, ImportError):
    """A package that only some functions need is not installed."""


class TapeError(EagerdlError, RuntimeError):
    """A tape was asked for something it cannot know."""


class NotBatched(EagerdlError, TypeError):
    """Something asked for the elements of a tensor that stands for a whole batch."""


class TracingError(EagerdlError, TypeError):
    """A traced function did what only a function that runs line by line can do."""

    @classmethod
    def at(cls, requirement, came="", remedy=""):
        """The error, with the user's line that is running as its place."""
        return cls(user_place(), requirement, came, remedy)


class TracingWarning(UserWarning):
    """A traced function does what is not repeated when it runs, or is traced again and again."""


class ImmutableError(EagerdlError, TypeError):
    """Something tried to write into a tensor, which is a value."""


class MissingNameError(EagerdlError, AttributeError):
    """A name does not exist here; the message holds the right one."""


# Which of our errors answers for an exception that an array library raised.
ANSWERS = (
    (MemoryError, AllocationError),
    (IndexError, RangeError),
    (OverflowError, ArgumentError),
    (TypeError, DTypeError),
    (ValueError, ArgumentError),
)


def translate(where, error, came):
    """The framework's own error for `error`, raised by an array library inside `where`."""
    if isinstance(error, EagerdlError):
        return error
    ours = next((ours for kind, ours in ANSWERS if isinstance(error, kind)), ArgumentError)
    if ours is AllocationError:
        return ours(
            where, "the result has to fit into memory", f"{came}: {error}", "use smaller shapes or a smaller dtype"
        )
    return ours(where, "these arguments cannot be computed", f"{came}: {error}", "check them against help() of this op")


# -- tracebacks ---------------------------------------------------------------------------------

_filtering = True


def enable_traceback_filtering():
    """Hides the framework's own frames from tracebacks of uncaught errors (the default)."""
    global _filtering
    _filtering = True


def disable_traceback_filtering():
    """Shows the framework's own frames in tracebacks."""
    global _filtering
    _filtering = False


def is_traceback_filtering_enabled():
    """True while the framework's own frames are hidden from tracebacks."""
    return _filtering


def user_frames(traceback):
    """The same traceback without the frames of this package; whole if nothing would remain.

    Args:
        traceback: a traceback object, as in ``error.__traceback__``, or None.
    """
    kept = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
            kept.append(traceback)
        traceback = traceback.tb_next
    out = None
    for frame in reversed(kept):
        out = types.TracebackType(out, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return out


def user_place():
    """The function and line of the nearest code that is not of this package or NumPy: ``step, train.py:12``."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith((PACKAGE_FOLDER, NUMPY_FOLDER)):
            return f"{code.co_name}, {os.path.basename(code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return "function"


def _shorten(error):
    """Filters the traceback of `error` in place, if it is one of ours."""
    if _filtering and isinstance(error, EagerdlError):
        shorter = user_frames(error.__traceback__)
        if shorter is not None:
            error.__traceback__ = shorter
    return error.__traceback__


def install_traceback_filter():
    """Lets Python's own hooks for uncaught errors, and IPython's, show user frames only."""
    previous, previous_thread = sys.excepthook, threading.excepthook

    def excepthook(kind, error, traceback):
        previous(kind, error, _shorten(error) if error is not None else traceback)

    def thread_excepthook(args):
        if args.exc_value is not None:
            _shorten(args.exc_value)
        previous_thread(args)

    sys.excepthook, threading.excepthook = excepthook, thread_excepthook
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:

        def ipython_handler(self, kind, error, traceback, tb_offset=None):
            self.showtraceback((kind, error, _shorten(error)), tb_offset=tb_offset)

        shell.set_custom_exc((EagerdlError,), ipython_handler)
