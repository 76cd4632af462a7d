"""What looks at every op as it runs: the first NaN or infinity, and the device of each op.

Each op is called through a function that holds the op's forward in its closure. While somebody observes, that place holds
a forward that looks at the result; afterwards the plain one again. So an op pays nothing for this while it is off.
"""

import functools
import sys

import numpy as np

from eagerdl import config
from eagerdl.autograd.primitive import REGISTRY
from eagerdl.debugging.comparisons import nonfinite
from eagerdl.devices import device_of, is_array, module_of, to_numpy
from eagerdl.errors import PACKAGE_FOLDER, NumericsError

__all__ = [
    "disable_check_numerics", "enable_check_numerics", "get_log_device_placement", "observe", "set_log_device_placement",
]  # fmt: skip

# Ops that move, copy or choose values, and make none: a NaN that comes in and goes out is not theirs.
MOVERS = frozenset("""
    broadcast_to cast concatenate copy cut_or_fill diagonal expand_dims flip get_item imag moveaxis overlay pad_by_index
    pad_constant pad_zeros place put real repeat reshape roll rot90 slice slice_update split squeeze stack swapaxes take
    take_along_axis tile transpose tril triu unpad unstack view where windows
""".split())  # fmt: skip

observers = []  # functions (primitive, inputs, params, results), in the order in which they came
_plain: dict = {}  # op -> its forward without observers, while there are some
_checker = _logger = None


def observe(observer, on):
    """Lets `observer` see every op from now on, or no longer."""
    for listed in (observers, config._reasons_to_run_eagerly):  # compiled functions call no ops
        listed.append(observer) if on else listed.remove(observer)
    for primitive in REGISTRY.values():
        plain = _plain.setdefault(primitive, primitive.forward)
        primitive.forward = forward = watched(primitive, plain) if observers else plain
        if primitive.call is not None:
            place = primitive.call.__code__.co_freevars.index("forward")
            primitive.call.__closure__[place].cell_contents = forward
    if not observers:
        _plain.clear()


def watched(primitive, forward):
    """`forward` with all observers looking at it."""
    count = len(primitive.tensors)

    @functools.wraps(forward, assigned=("__name__", "__doc__"), updated=())
    def observed(*args):
        out = forward(*args)
        inputs = args[0] if primitive.variadic else args[:count]
        results = out if primitive.several else (out,)
        for observer in tuple(observers):
            observer(primitive, inputs, args[count:], results)
        return out

    return observed


# -- the first NaN ------------------------------------------------------------------------------


def enable_check_numerics(stack_height_limit=30, path_length_limit=50):
    """Stops the program at the first op, of the forward or of a gradient, that makes a NaN or an infinity.

    The error names the op, the shapes and dtypes of its inputs, what is not finite in them, and the lines of your program
    from which it was called. An op that only moves values is passed over, and so is an infinity that comes of one (as in a
    mask of -inf); a NaN that comes of one is reported at the first op that computes with it. Ops that are defined later
    are not seen. It holds for all threads, until `disable_check_numerics`.

    Args:
        stack_height_limit: how many lines of the program the message shows.
        path_length_limit: how many characters of a file's path it shows.

    Raises:
        NumericsError: not here, but from the op.

    Example:
        >>> edl.debugging.enable_check_numerics()
        >>> edl.log(edl.constant([1.0, -1.0]))
        Traceback (most recent call last):
            ...
        eagerdl.errors.NumericsError: [log] ...
        >>> edl.debugging.disable_check_numerics()
    """
    global _checker
    disable_check_numerics()
    _checker = functools.partial(check, stack_height_limit, path_length_limit)
    observe(_checker, True)


def disable_check_numerics():
    """Ends what `enable_check_numerics` began; nothing happens if it did not."""
    global _checker
    if _checker is not None:
        observe(_checker, False)
        _checker = None


def check(height, length, primitive, inputs, params, results):
    """Raises a NumericsError if a result holds a NaN, or an infinity of which there is none in the inputs."""
    for out in results:
        if getattr(out, "dtype", None) is None or out.dtype.kind in "biu" or module_of(out).isfinite(out).all():
            continue
        out = to_numpy(np.asarray(out) if isinstance(out, np.generic) else out)
        given = [nonfinite(host(x)) for x in inputs]
        if any(given) and (primitive.name in MOVERS or not np.isnan(out).any()):
            continue
        shown = ", ".join(
            f"{primitive.tensor_name(i)} {described(x)}{f' which holds {what}' if what else ''}"
            for i, (x, what) in enumerate(zip(inputs, given))
        )
        shown += "".join(f", {name}={value!r:.40}" for name, value in zip(primitive.params, params))
        raise NumericsError(primitive.name, "a result must be finite, as enable_check_numerics() asks",
                            f"the result {out.shape} {out.dtype} holds {nonfinite(out)}, of {shown or 'no tensors'}",
                            f"called from {callers(height, length)}")  # fmt: skip


def host(x):
    """An input as an array of numbers whose finiteness can be asked for."""
    if is_array(x):
        x = to_numpy(x)
    x = np.asarray(x)
    return x if x.dtype.kind not in "biu" else np.zeros(1)


def described(x):
    """The shape and dtype of an array, and the value of a number."""
    if not hasattr(x, "shape"):
        return repr(x)
    return f"{x.shape} {x.dtype}" + (f" {x}" if x.shape == () else "")


def callers(height, length):
    """The lines of the program, without those of this package, from which an op was called: the innermost first."""
    lines, frame = [], sys._getframe(1)
    while frame is not None and len(lines) < height:
        path = frame.f_code.co_filename
        if not path.startswith(PACKAGE_FOLDER):
            short = path if len(path) <= length else "..." + path[-length:]
            lines.append(f"{short}:{frame.f_lineno} in {frame.f_code.co_name}")
        frame = frame.f_back
    return ", ".join(lines) or "nowhere"


# -- devices ------------------------------------------------------------------------------------


def set_log_device_placement(enabled):
    """Prints each op as it runs, with the device of its result, to standard error; or no longer.

    Args:
        enabled: whether to print.

    Example:
        >>> edl.debugging.set_log_device_placement(True)
        >>> edl.debugging.get_log_device_placement()
        True
        >>> edl.debugging.set_log_device_placement(False)
    """
    global _logger
    if bool(enabled) == get_log_device_placement():
        return
    if enabled:
        _logger = log
        observe(_logger, True)
    else:
        observe(_logger, False)
        _logger = None


def get_log_device_placement():
    """True while ops are printed with their devices."""
    return _logger is not None


def log(primitive, inputs, params, results):
    """Prints one op."""
    places = {str(device_of(out)) for out in results if is_array(out)}
    print(f"{primitive.name}: {', '.join(sorted(places)) or 'no array'}", file=sys.stderr)
