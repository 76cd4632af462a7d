"""What an elementwise call of NumPy is in a kernel: an expression that means the same bits, or the very loop that NumPy runs.

An expression is used where IEEE 754 leaves no choice (sums, products, quotients, roots, comparisons, roundings), and where NumPy's
own formula is known (`formulas`) and was found to give the same bits. Everything else, from tanh to erf, is a call of the ufunc's
own loop on a block of elements.
"""

import functools
from typing import NamedTuple

import numpy as np

from eagerdl.jit.graph import Value
from eagerdl.jit.traced import CLIP, cast
from eagerdl.machine import compiler, native

NAMES = {np.dtype(name): name for name in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")}
NAMES[np.dtype(bool)] = "b1"
PYTHON_NUMBERS = (bool, int, float)

FLOATS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "divide({0}, {1})",
    "negative": "negate({0})", "positive": "{0}", "absolute": "fabs({0})", "fabs": "fabs({0})", "square": "{0} * {0}",
    "sqrt": "sqrt({0})", "reciprocal": "divide({one}, {0})", "floor": "floor({0})", "ceil": "ceil({0})",
    "trunc": "trunc({0})", "rint": "rint({0})", "copysign": "copysign({0}, {1})",
    # x86 gives the second of two zeros, and NumPy the NaN of either.
    "maximum": "select(either({0} > {1}, {0} != {0}), {0}, {1})", "minimum": "select(either({0} < {1}, {0} != {0}), {0}, {1})",
    "isnan": "{0} != {0}",
}  # fmt: skip
INTEGERS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "negative": "-{0}", "positive": "{0}",
    "square": "{0} * {0}", "maximum": "select({0} > {1}, {0}, {1})", "minimum": "select({0} < {1}, {0}, {1})",
    "bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} ^ {1}", "invert": "~{0}",
}  # fmt: skip
COMPARISONS = {"greater": "{0} > {1}", "greater_equal": "{0} >= {1}", "less": "{0} < {1}", "less_equal": "{0} <= {1}",
               "equal": "{0} == {1}", "not_equal": "{0} != {1}"}  # fmt: skip
BOOLS = {
    "logical_and": "both({0}, {1})", "logical_or": "either({0}, {1})", "logical_xor": "differ({0}, {1})", "logical_not": "not {0}",
    "bitwise_and": "both({0}, {1})", "bitwise_or": "either({0}, {1})", "bitwise_xor": "differ({0}, {1})", "invert": "not {0}",
    "add": "either({0}, {1})", "multiply": "both({0}, {1})", "maximum": "either({0}, {1})", "minimum": "both({0}, {1})",
    "equal": "not differ({0}, {1})", "not_equal": "differ({0}, {1})",
}  # fmt: skip
TRUTH = {
    "logical_and": "both({0} != 0, {1} != 0)",
    "logical_or": "either({0} != 0, {1} != 0)",
    "logical_not": "{0} == 0",
}
FORMULAS = (np.exp,)  # functions of float32 that `formulas` has
# Those that are no straight line there: for single numbers only, since NumPy's loops are vector code.
BRANCHING = (np.sin, np.cos)
CHECK = """def kernel(P):
    x, out = word(P, 1), word(P, 2)
    for j in range(word(P, 0)):
        store_f4_0(out, j * 4, {name}_f4(load_f4(x, j * 4)))
"""
CHECKED = 1 << 17  # floats of each range by which formulas are checked
RANGES = (120.0, 120_000.0)
REDUCTIONS = {np.add: 0, np.maximum: None, np.minimum: None}  # what they begin with; None: the first element


def start(node):
    """What a reduction begins with that gives the same bits as beginning with the first element, as text."""
    ufunc, dtype = node.function.__self__, node.outputs[0].dtype
    if ufunc is np.add:
        return "0"
    if dtype.kind == "f":
        return "-1e999" if ufunc is np.maximum else "1e999"
    limits = np.iinfo(dtype)
    return f"{limits.min + 1} - 1" if ufunc is np.maximum else str(limits.max)


def combined(node, a, b):
    """A step of a reduction as an expression of what there is so far and the next element, both text."""
    ufunc, dtype = node.function.__self__, node.outputs[0].dtype
    table = FLOATS if dtype.kind == "f" else INTEGERS
    found = table[ufunc.__name__].format(a, b)
    if ufunc is np.add:
        return found
    return f"settled({found})" if dtype.kind == "f" else f"settled(as_{NAMES[dtype]}({found}))"


class Lowered(NamedTuple):
    """An elementwise call in a kernel.

    Attributes:
        expression: a template over operands; None where a loop is called.
        ufunc: whose loop is called, or whose formula the expression is.
        dtypes: the dtypes in which operands come and the result goes, as names.
    """

    expression: str | None
    ufunc: np.ufunc | None
    dtypes: tuple


def operands(node):
    """The operands of an elementwise call: Values and numbers."""
    return node.args[:1] if node.function is cast else node.args


def kinds_of(node):
    """What decides the dtypes of a call: for each operand its dtype, or the class of a Python number."""
    return tuple([x.dtype if isinstance(x, Value | np.generic) else x.__class__ for x in operands(node)])


def lowered(node):
    """The Lowered of an elementwise call, None where kernels cannot compute it."""
    (out,) = node.outputs
    return _lowered(node.function, kinds_of(node), out.dtype, FORMULAS if out.ndim else FORMULAS + BRANCHING)


@functools.lru_cache(maxsize=4096)
def _lowered(function, kinds, out, formulas):
    if out not in NAMES or not all(kind in NAMES or kind in PYTHON_NUMBERS for kind in kinds):
        return None
    if function is cast:
        return _cast(kinds[0], out)
    if function is np.where:
        return (
            Lowered("select({0}, {1}, {2})", None, ("b1", NAMES[out], NAMES[out], NAMES[out]))
            if kinds[0] == np.dtype(bool)
            else None
        )
    if function is CLIP:
        if out.kind != "f" or any(kind not in (out, int, float) for kind in kinds):
            return None
        return Lowered("clip({0}, {1}, {2})", None, (NAMES[out],) * 4)
    if not isinstance(function, np.ufunc):
        return None
    try:
        dtypes = function.resolve_dtypes((*[bool_or(kind) for kind in kinds], None))
    except TypeError:
        return None
    if dtypes[-1] != out or any(dtype not in NAMES for dtype in dtypes):
        return None
    names = tuple([NAMES[dtype] for dtype in dtypes])
    expression = _expression(function.__name__, dtypes)
    if function in formulas and names == ("f4", "f4") and agrees(function):
        return Lowered(f"{function.__name__}_f4({{0}})", function, names)
    if expression is not None:
        return Lowered(expression, None, names)
    return Lowered(None, function, names) if native.loop(function, dtypes) else None


@functools.cache
def agrees(function):
    """Whether the formula of a function gives what NumPy gives, to the bit."""
    scattered = np.uint32(2_654_435_761)  # all over 32 bits: Knuth's multiplicative hashing
    bits = np.arange(CHECKED, dtype=np.uint32) * scattered
    evenly = bits.astype(np.float32) * np.float32(2.0**-31) - np.float32(1)
    sample = np.concatenate([bits.view(np.float32), *[evenly * np.float32(bound) for bound in RANGES]])
    out = np.empty_like(sample)
    table = np.array([sample.size, native.address(sample), native.address(out)], np.int64)
    compiler.kernel(CHECK.format(name=function.__name__)).run(native.address(table))
    with np.errstate(all="ignore"):
        return np.array_equal(function(sample), out, equal_nan=True)


def bool_or(kind):
    """Python bools count as NumPy's."""
    return np.dtype(bool) if kind is bool else kind


def _expression(name, dtypes):
    first, out = dtypes[0], dtypes[-1]
    if any(dtype != first for dtype in dtypes[:-1]):
        return None
    if first.kind == "b":
        return BOOLS.get(name)
    if out.kind == "b":
        return (
            COMPARISONS.get(name)
            or TRUTH.get(name)
            or (FLOATS["isnan"] if name == "isnan" and first.kind == "f" else None)
        )
    if first.kind == "f":
        return FLOATS.get(name) if name != "isnan" else None
    found = INTEGERS.get(name)
    return None if found is None else f"as_{NAMES[out]}({found})"


def _cast(given, out):
    name = NAMES[out]
    if given == out:
        expression = "{0}"
    elif out.kind == "b":
        expression = "{0} != 0"
    elif given.kind == "b":
        expression = f"select({{0}}, as_{name}(1), as_{name}(0))"
    elif given.kind == "f" and out.kind != "f" and name not in ("i4", "i8"):
        return None  # C leaves open what these give for numbers out of range
    else:
        expression = f"as_{name}({{0}})"
    return Lowered(expression, None, (NAMES[given], name))
