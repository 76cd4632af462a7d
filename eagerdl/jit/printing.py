"""`print`: shows tensors at each run, also where a traced function runs as a compiled program."""

import contextlib
import dataclasses
import sys
import weakref

import numpy as np

from eagerdl import devices
from eagerdl.errors import ArgumentError
from eagerdl.jit.running import current
from eagerdl.tensor import Tensor

__all__ = ["print"]

_held = weakref.WeakKeyDictionary()  # trace -> what was printed while it ran, as (stream, text)
_silent = 0  # how many contexts there are in which nothing is printed


def print(*inputs, output_stream=None, summarize=3, sep=" ", end="\n"):
    """Prints tensors, and anything else, whenever this line is run; inside `edl.function` at each call, in order.

    Python's own `print` inside a traced function runs only when it is traced, and then knows no values.

    Args:
        inputs: tensors, arrays, strings, other objects, and nested structures of them. What is no tensor is turned into text when
            the function is traced.
        output_stream: where to: a file-like object such as ``sys.stdout``, a function of the text such as ``logging.info``, or
            ``"file://path"``, to whose end it is written. None is ``sys.stderr``, the one of the time of printing.
        summarize: how many elements are shown at the beginning and the end of each axis; -1 shows all.
        sep: what stands between the inputs.
        end: what stands after the last one.

    Raises:
        ArgumentError: if an argument is none of these.

    Example:
        >>> import sys
        >>> @edl.function
        ... def double(x):
        ...     edl.print("x is", x, {"mean": edl.mean(x)}, output_stream=sys.stdout)
        ...     return x * 2
        >>> y = double(edl.constant([1.0, 2.0]))
        x is [1 2] {'mean': 1.5}
        >>> y = double(edl.constant([0.5, 2.0]))
        x is [0.5 2] {'mean': 1.25}
        >>> edl.print(edl.arange(100), output_stream=sys.stdout)
        [0 1 2 ... 97 98 99]
    """
    if type(summarize) is not int or summarize < -1 or summarize == 0:
        raise ArgumentError(
            "print.summarize", "a number of elements is needed, or -1 for all", f"got {summarize!r}", "try 3"
        )
    for name, text in (("sep", sep), ("end", end)):
        if not isinstance(text, str):
            raise ArgumentError(f"print.{name}", "a string is needed", f"got {type(text).__name__}", 'try " "')
    parts, arrays = [], []
    for index, x in enumerate(inputs):
        parts += [sep] if index else []
        if isinstance(x, str):
            parts.append(x)
        else:
            _take(x, parts, arrays, str)
    printer = Printer([*parts, end], _target(output_stream), summarize)
    trace = current()
    if trace is None:
        printer(*arrays)
    else:
        trace.check(printer, tuple(arrays))


class Printer:
    """What one line prints: a function of the arrays in it.

    Args:
        parts: strings, and numbers of arrays.
        target: where to, as `_target` gives it.
        summarize: as in `print`.
    """

    __name__ = "print"

    def __init__(self, parts, target, summarize):
        self.parts, self.target, self.summarize = parts, target, summarize

    def __call__(self, *arrays):
        if _silent:
            return
        text = "".join([part if isinstance(part, str) else shown(arrays[part], self.summarize) for part in self.parts])
        trace = current()
        if trace is None:
            _write(self.target, text)
        else:
            _held.setdefault(trace, []).append((self.target, text))


@contextlib.contextmanager
def shown_after(trace, runs=True):
    """A context in which a trace runs: what it printed is shown at the end, also after an error, if it counts as a run.

    Traces that are thrown away, because the function has to be traced again or to run eagerly, print nothing.
    """
    try:
        yield
    except Exception:
        if runs:
            release(trace)
        raise
    if runs:
        release(trace)


def release(trace):
    """Shows what was printed while a trace ran."""
    held = _held.pop(trace, ())
    outer = current()
    for target, text in held:
        if outer is None or outer is trace:
            _write(target, text)
        else:
            _held.setdefault(outer, []).append((target, text))


@contextlib.contextmanager
def silence():
    """A context in which nothing is printed, for runs that only measure."""
    global _silent
    _silent += 1
    try:
        yield
    finally:
        _silent -= 1


# -- text -----------------------------------------------------------------------------------------------


def _take(x, parts, arrays, text_of):
    """Appends the text of `x` to `parts`, and numbers of what is appended to `arrays`."""
    if isinstance(x, Tensor | np.ndarray | np.generic):
        parts.append(len(arrays))
        # A symbolic tensor has no array, and says so when it is asked for its value.
        arrays.append(getattr(x, "_array", None) if isinstance(x, Tensor) else x)
        if arrays[-1] is None:
            x.numpy()
    elif isinstance(x, dict):
        parts.append("{")
        for index, (key, value) in enumerate(x.items()):
            parts.append(f"{', ' if index else ''}{key!r}: ")
            _take(value, parts, arrays, repr)
        parts.append("}")
    elif isinstance(x, list | tuple):
        names = getattr(x, "_fields", None)
        _take_all(type(x).__name__ + "(" if names else "[" if isinstance(x, list) else "(", names, x, parts, arrays)
        parts.append("]" if isinstance(x, list) else ",)" if len(x) == 1 and not names else ")")
    elif dataclasses.is_dataclass(x) and not isinstance(x, type):
        names = [field.name for field in dataclasses.fields(x) if field.repr]
        _take_all(f"{type(x).__name__}(", names, [getattr(x, name) for name in names], parts, arrays)
        parts.append(")")
    else:
        parts.append(text_of(x))


def _take_all(start, names, values, parts, arrays):
    parts.append(start)
    for index, value in enumerate(values):
        parts.append((", " if index else "") + (f"{names[index]}=" if names else ""))
        _take(value, parts, arrays, repr)


def shown(array, summarize):
    """The elements of an array as text, as in ``[[1 2.5] [3 4]]``, in lines."""
    array = np.asarray(devices.to_numpy(array))
    if not array.ndim:
        return _element(array[()])
    everything = summarize == -1
    return np.array2string(array, threshold=sys.maxsize if everything else 0, edgeitems=3 if everything else summarize,
                           max_line_width=sys.maxsize, separator=" ", formatter={"all": _element})  # fmt: skip


def _element(x):
    return str(x).removesuffix(".0")


# -- where to --------------------------------------------------------------------------------------------


def _target(stream):
    """What `output_stream` means: standard streams by name, since others may take their place before the next run."""
    if stream is None or stream is sys.stderr:
        return "stderr"
    if stream is sys.stdout:
        return "stdout"
    if (isinstance(stream, str) and stream.startswith("file://")) or hasattr(stream, "write") or callable(stream):
        return stream
    raise ArgumentError("print.output_stream", 'a file-like object, a function of the text, or "file://path" is needed',
                        f"got {stream!r}", "try sys.stdout")  # fmt: skip


def _write(target, text):
    if isinstance(target, str) and target.startswith("file://"):
        with open(target.removeprefix("file://"), "a", encoding="utf-8") as file:
            file.write(text)
        return
    if not isinstance(target, str) and not hasattr(target, "write"):
        target(text.removesuffix("\n"))
        return
    stream = getattr(sys, target) if isinstance(target, str) else target
    if stream is None:  # a program without a console
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    if hasattr(stream, "flush"):
        stream.flush()
