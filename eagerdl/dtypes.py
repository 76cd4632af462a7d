"""The dtypes, and the lattice by which two of them meet.

Promotion follows Keras 3 and JAX: Python scalars are weak, a float beats every integer whatever its width, and the
default float is ``floatx``. (JAX's lattice: jax.readthedocs.io, "Type promotion semantics".)
"""

import ml_dtypes
import numpy as np

from eagerdl.errors import ArgumentError, DTypeError

bfloat16 = np.dtype(ml_dtypes.bfloat16)
bool_ = np.dtype(np.bool_)
int8, int16, int32, int64 = (np.dtype(f"int{bits}") for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{bits}") for bits in (16, 32, 64))
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")

FLOATING = (bfloat16, float16, float32, float64)
COMPLEX = (complex64, complex128)
SIGNED = (int8, int16, int32, int64)
UNSIGNED = (uint8, uint16, uint32, uint64)
INTEGER = SIGNED + UNSIGNED
ALL = (bool_, *INTEGER, *FLOATING, *COMPLEX)
BY_NAME = {dtype.name: dtype for dtype in ALL}

# Sets of dtype objects, for tests in a hot place.
FLOATING_SET, INEXACT_SET = frozenset(FLOATING), frozenset(FLOATING + COMPLEX)

_floatx = float32
_known = {**BY_NAME, **{dtype: dtype for dtype in ALL}, bool: bool_, int: int32, complex: complex64}


def floatx():
    """The name of the default float dtype, ``'float32'`` unless `set_floatx` changed it."""
    return _floatx.name


def set_floatx(value):
    """Sets the default float dtype: ``'bfloat16'``, ``'float16'``, ``'float32'`` or ``'float64'``.

    Example:
        >>> edl.config.set_floatx("float32")
    """
    global _floatx
    if value not in ("bfloat16", "float16", "float32", "float64"):
        raise ArgumentError("set_floatx", "a float dtype is needed", f"got {value!r}", "use 'float32' or another float")
    _floatx = BY_NAME[value]
    _table.clear()


def standardize(dtype, where="dtype"):
    """The NumPy dtype object for a name, a Python type, a NumPy type or dtype; None is floatx.

    Raises:
        DTypeError: for anything that tensors cannot hold, with the dtype to use.

    Example:
        >>> from eagerdl.dtypes import standardize
        >>> standardize("bfloat16").name, standardize(float).name, standardize(np.int8).name
        ('bfloat16', 'float32', 'int8')
    """
    if dtype is None or dtype is float or (dtype.__class__ is str and dtype == "float"):  # np.float64 == "float"
        return _floatx
    try:
        return _known[dtype]
    except (KeyError, TypeError):
        pass
    try:
        found = BY_NAME[np.dtype(dtype).name]
    except (TypeError, KeyError):
        raise DTypeError(where, "a dtype that tensors can hold is needed", f"got {dtype!r}",
                         f"use one of {', '.join(BY_NAME)}") from None  # fmt: skip
    return found


def is_floating(dtype):
    """True for bfloat16, float16, float32 and float64."""
    return dtype in FLOATING_SET


def is_inexact(dtype):
    """True for the floating and the complex dtypes: those that have derivatives."""
    return dtype in INEXACT_SET


def is_integer(dtype):
    """True for the signed and unsigned integers, not for bool."""
    return dtype.kind in "iu"


def is_complex(dtype):
    """True for complex64 and complex128."""
    return dtype.kind == "c"


def real_of(dtype):
    """The dtype of the real part: complex64 -> float32, complex128 -> float64, others as they are."""
    return float32 if dtype == complex64 else float64 if dtype == complex128 else dtype


def complex_of(dtype):
    """The complex dtype that holds `dtype`: float64 and complex128 -> complex128, others -> complex64."""
    return complex128 if dtype in (float64, complex128) else complex64


# -- the lattice --------------------------------------------------------------------------------

_table = {}
_weak_rank = {bool: 0, int: 1, float: 2, complex: 3}


def promote(a, b):
    """The dtype at which `a` and `b` meet; each is a dtype or one of the weak Python types.

    Example:
        >>> from eagerdl.dtypes import promote, int64, float32, bfloat16
        >>> promote(int64, float32).name, promote(bfloat16, float).name, promote(int64, float).name
        ('float32', 'bfloat16', 'float32')
    """
    try:
        return _table[a, b]
    except KeyError:
        out = _table[a, b] = _table[b, a] = _meet(a, b)
        return out


def _meet(a, b):
    if isinstance(a, type) and isinstance(b, type):
        return a if _weak_rank[a] >= _weak_rank[b] else b
    if isinstance(a, type):
        a, b = b, a
    if isinstance(b, type):
        return _meet_weak(a, b)
    if a == b:
        return a
    if a == bool_ or b == bool_:
        return b if a == bool_ else a
    kinds = a.kind + b.kind
    if is_integer(a) and is_integer(b):
        wide = np.promote_types(a, b)
        return _floatx if wide == float64 else wide
    if is_integer(a) or is_integer(b):
        return b if is_integer(a) else a
    if "c" in kinds:
        return complex128 if float64 in (real_of(a), real_of(b)) else complex64
    if {a, b} == {bfloat16, float16}:
        return float32
    return a if a.itemsize > b.itemsize else b


def _meet_weak(a, weak):
    """A strong dtype with a Python scalar, which gives way unless its kind is higher."""
    if weak is bool:
        return a
    if weak is int:
        return int32 if a == bool_ else a
    if weak is float:
        return a if is_inexact(a) else _floatx
    return a if is_complex(a) else complex_of(a if is_floating(a) else _floatx)


def strong(dtype):
    """The dtype that a weak Python type stands for when nothing else decides: int -> int32, float -> floatx."""
    return standardize(dtype) if isinstance(dtype, type) else dtype


def result_type(*dtypes):
    """The dtype at which all `dtypes` (dtypes or Python types) meet.

    Example:
        >>> from eagerdl.dtypes import result_type
        >>> result_type(np.dtype("int8"), int, np.dtype("uint8")).name
        'int16'
    """
    out = dtypes[0]
    for dtype in dtypes[1:]:
        out = promote(out, dtype)
    return strong(out)


# -- promotion policies of ops: from the (possibly weak) dtypes of the inputs to those they are cast to ----


def to_common(dtypes):
    """All inputs meet in one dtype."""
    return (result_type(*dtypes),) * len(dtypes)


def to_floating(dtypes):
    """All inputs meet in one floating or complex dtype; integers and bools become floatx."""
    out = result_type(*dtypes)
    return (out if is_inexact(out) else _floatx,) * len(dtypes)


def to_number(dtypes):
    """All inputs meet in one numeric dtype; bools become int32."""
    out = result_type(*dtypes)
    return (int32 if out == bool_ else out,) * len(dtypes)


def to_bool(dtypes):
    """All inputs become bool."""
    return (bool_,) * len(dtypes)


def keep(dtypes):
    """Every input keeps its own dtype."""
    return tuple(map(strong, dtypes))


def keep_first(dtypes):
    """The first input keeps its dtype (a condition, an index); the others meet."""
    return (strong(dtypes[0]), *to_common(dtypes[1:]))
